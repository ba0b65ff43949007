"""Orders as WhatsApp shows them for payment: figures that add up whatever the order is made of."""

import json
from datetime import timedelta
from typing import Any

import attrs
import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.adapters.payments.bill import Provenance, bill
from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import ChatKey, MercadoPago
from wch.adapters.payments.whatsapp_pay import WhatsAppPay
from wch.domain.address import Address
from wch.domain.money import Money
from wch.domain.order import Order, OrderLine
from wch.domain.outgoing import Owed
from wch.domain.payment import (
    NotOffered,
    NotOfferedReason,
    Offer,
    OrderFacts,
    Payer,
    PaymentMisconfiguredError,
    PaymentRefusedError,
    PaymentStatus,
    PaymentUnavailableError,
)
from wch.testing.doubles import FrozenClock
from wch.testing.payment_contract import order_of

NOW = FrozenClock().now()
ENDS = NOW + timedelta(hours=1)
HOME = Address(
    first_name="Asha", last_name="Rao", address_1="MG Road 12", city="Bengaluru", state="KA", postcode="560001"
)
PAYER = Payer(phones=("919876543210",), name="Asha", writes_to="42", ships_to=HOME)


def rupees(paise: int) -> Money:
    return Money.from_minor(paise, "INR")


def line(total: int, quantity: int = 1, name: str = "Bread", **more: Any) -> OrderLine:
    return OrderLine(product_id=7, name=name, quantity=quantity, price=rupees(1), total=rupees(total), **more)


def order(*lines: OrderLine, shipping: int = 0) -> Order:
    return attrs.evolve(order_of(rupees(1), NOW), lines=lines, shipping=rupees(shipping))


def billed(made: Order, amount: int, **more: Any) -> Owed:
    given = {"customer": PAYER, "provenance": Provenance(catalog_id="c"), **more}
    return bill(reference="wch-1-1", order=made, amount=rupees(amount), ends=ENDS, **given)


def test_a_line_that_cannot_be_divided_is_one_thing() -> None:
    """Three pieces at a line total of 10.00."""
    owed = billed(order(line(1000, 3)), 1000)

    (item,) = owed.items
    assert (item.name, item.amount, item.quantity) == ("3 x Bread", 1000, 1)
    assert (owed.subtotal, owed.total) == (1000, 1000)


def test_a_line_that_can_be_divided_keeps_its_pieces_and_names_what_it_is() -> None:
    (item,) = billed(order(line(900, 3, variation_id=9, attributes={"Size": "L"})), 900).items

    assert (item.name, item.amount, item.quantity, item.retailer_id) == ("Bread, L", 300, 3, "9")


def test_what_lines_and_shipping_do_not_explain_is_tax_or_discount() -> None:
    more, less = billed(order(line(900), shipping=100), 1180), billed(order(line(900), shipping=100), 800)

    assert (more.tax.amount, more.discount) == (180, None)
    assert (less.tax.amount, less.discount and less.discount.amount) == (0, 200)
    assert more.shipping is not None
    assert more.shipping.amount == 100


@given(
    lines=st.lists(st.tuples(st.integers(0, 99_999), st.integers(1, 99)), min_size=1, max_size=8),
    shipping=st.integers(0, 5_000),
    rest=st.integers(-5_000, 5_000),
    name=st.text(min_size=1, max_size=200),
)
def test_every_bill_adds_up_and_is_stored_and_read_the_same(
    lines: list[tuple[int, int]], shipping: int, rest: int, name: str
) -> None:
    """`Owed` refuses figures that do not add up, so a bill that is made is right."""
    made = order(*(line(total, quantity, name) for total, quantity in lines), shipping=shipping)
    amount = max(1, sum(total for total, _ in lines) + shipping + rest)
    owed = billed(made, amount)

    assert owed.total == amount
    assert Owed.from_json(json.loads(json.dumps(owed.to_json()))) == owed


def test_goods_in_no_catalogue_say_where_they_come_from() -> None:
    importer = {"country_of_origin": "India", "importer_name": "Lucky Shrub"}
    owed = billed(order(line(100)), 100, provenance=Provenance(importer=importer))

    assert (owed.catalog_id, owed.items[0].more) == (None, importer)
    assert billed(order(line(100)), 100).items[0].more == {}


def test_without_a_parcel_the_goods_are_digital_and_for_nobody() -> None:
    owed = billed(order(line(100)), 100, customer=attrs.evolve(PAYER, ships_to=None))

    assert (owed.goods, owed.beneficiaries) == ("digital-goods", ())


# --- WhatsApp Pay


def way(answer: Any = None, status: int = 200, **more: Any) -> WhatsAppPay:
    """The gateway over a Graph API that always answers so."""
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(status, json=answer)))
    return WhatsAppPay(api=GatewayApi(http=http, root="https://graph.example/v24.0"), configuration="main", **more)


FACTS = OrderFacts(total=rupees(100), country="IN", needs_shipping=True, number_country="IN")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (attrs.evolve(FACTS, total=Money.from_minor(100, "EUR")), NotOfferedReason.CURRENCY),
        (attrs.evolve(FACTS, country="LK"), NotOfferedReason.COUNTRY),
        (attrs.evolve(FACTS, number_country="LK"), NotOfferedReason.COUNTRY),
        (attrs.evolve(FACTS, number_country=None), NotOfferedReason.COUNTRY),
        (attrs.evolve(FACTS, total=rupees(0)), NotOfferedReason.AMOUNT_NOT_EXACT),
        (attrs.evolve(FACTS, country=None, needs_shipping=False), None),
    ],
)
def test_it_is_offered_in_india_alone(facts: OrderFacts, reason: NotOfferedReason | None) -> None:
    said = way().offers(facts)

    assert (said.reason if isinstance(said, NotOffered) else None) is reason
    assert isinstance(said, Offer) is (reason is None)


async def opened(gateway: WhatsAppPay) -> Any:
    made = order(line(100))
    told = await gateway.open(
        reference="wch-1-1", key="k", order=made, amount=rupees(100), deadline=ENDS, customer=PAYER, language="en"
    )
    assert told.provider_id == "42"
    return told.order_details


@pytest.mark.parametrize("provider", ["razorpay", "payu", "billdesk", "zaakpay"])
async def test_a_gateway_is_named_with_its_configuration(provider: str) -> None:
    (setting,) = (await opened(way(provider=provider)))["payment_settings"]

    assert setting["type"] == "payment_gateway"
    assert setting["payment_gateway"]["type"] == provider
    assert setting["payment_gateway"]["configuration_name"] == "main"
    assert ("razorpay" in setting["payment_gateway"]) is (provider == "razorpay")


async def test_upi_is_named_the_older_way() -> None:
    told = await opened(way(provider="upi"))

    assert (told["payment_type"], told["payment_configuration"], told["payment_settings"]) == ("upi", "main", ())


async def test_the_law_hears_whom_shipped_goods_are_for() -> None:
    (whom,) = (await opened(way()))["beneficiaries"]

    assert whom == {
        "name": "Asha Rao", "address_line1": "MG Road 12", "city": "Bengaluru", "state": "KA", "country": "India",
        "postal_code": "560001",
    }  # fmt: skip


def payment(**more: Any) -> dict[str, Any]:
    paid = {"id": "t1", "status": "success", "created_timestamp": 1_790_000_000}
    return {
        "payments": [
            {
                "reference_id": "wch-1-1",
                "status": "captured",
                "currency": "INR",
                "amount": {"value": 10_000, "offset": 100},
                "transactions": [{"id": "t0", "status": "failed"}, paid],
                **more,
            }
        ]
    }


def refund(value: Any, status: str = "success") -> dict[str, Any]:
    return {"amount": {"value": value, "offset": 100}, "status": status}


@pytest.mark.parametrize(
    ("answer", "state", "amount"),
    [
        (payment(), PaymentStatus.CAPTURED, 10_000),
        (payment(amount={"value": "10000", "offset": "100"}), PaymentStatus.CAPTURED, 10_000),
        (payment(amount={"value": 100, "offset": 1}), PaymentStatus.CAPTURED, 10_000),
        (payment(amount=None), PaymentStatus.CAPTURED, None),
        (payment(amount={"value": 1, "offset": 0}), PaymentStatus.CAPTURED, None),
        (payment(amount={"value": 1, "offset": 1000}), PaymentStatus.CAPTURED, None),
        (payment(amount={"value": "x"}), PaymentStatus.CAPTURED, None),
        (payment(currency="RUPEE"), PaymentStatus.CAPTURED, None),
        (payment(currency=None), PaymentStatus.CAPTURED, None),
        (payment(transactions=None), PaymentStatus.CAPTURED, 10_000),
        (payment(status="new", transactions=[]), PaymentStatus.OPEN, 10_000),
        (payment(status="failed"), PaymentStatus.OPEN, 10_000),
        (payment(status="pending"), PaymentStatus.PENDING, 10_000),
        (payment(status="canceled"), PaymentStatus.CANCELLED, 10_000),
        (payment(status="sold"), PaymentStatus.UNKNOWN, 10_000),
        (payment(reference_id="wch-1-2"), PaymentStatus.UNKNOWN, None),
        ({"payments": []}, PaymentStatus.UNKNOWN, None),
        ({"payments": [7]}, PaymentStatus.UNKNOWN, None),
        ({}, PaymentStatus.UNKNOWN, None),
        (payment(refunds=[refund(10_000)]), PaymentStatus.REFUNDED, 10_000),
        (payment(refunds=[refund(4_000), refund(6_000, "pending")]), PaymentStatus.CAPTURED, 10_000),
        (payment(refunds=[refund("?")]), PaymentStatus.CAPTURED, 10_000),
    ],
)
async def test_what_a_look_up_says(answer: Any, state: PaymentStatus, amount: int | None) -> None:
    told = await way(answer).look_up(reference="wch-1-1", provider_id="42")

    assert (told.state, told.amount) == (state, None if amount is None else rupees(amount))


async def test_a_transaction_says_what_came_and_names_the_money() -> None:
    transaction = {"id": "t1", "status": "success", "amount": {"value": 9_999, "offset": 100}, "currency": "INR"}
    told = await way(
        payment(transactions=[transaction], refunds=[refund(1), refund(2, "pending"), refund(4, "failed")])
    ).look_up(reference="wch-1-1", provider_id="42")

    assert (told.amount, told.payment_id) == (rupees(9_999), "42:wch-1-1:t1")
    assert (told.refunded, told.refunding) == (rupees(1), rupees(2))


@pytest.mark.parametrize("code", [4, 80007, 131016, 2])
async def test_graph_that_wants_to_be_asked_later_is_away(code: int) -> None:
    """It says so with 400 as well."""
    busy = way({"error": {"code": code}}, status=400)
    with pytest.raises(PaymentUnavailableError):
        await busy.look_up(reference="wch-1-1", provider_id="42")
    with pytest.raises(PaymentUnavailableError):
        await busy.refund(key="k", payment_id="42:wch-1-1:t1", amount=rupees(1), reason="-")


async def test_a_rejected_token_calls_an_operator() -> None:
    with pytest.raises(PaymentMisconfiguredError):
        await way({"error": {"code": 190}}, status=401).look_up(reference="wch-1-1", provider_id="42")


@pytest.mark.parametrize(
    ("payment_id", "code"), [("t1", "unknown_payment"), ("42:", "unknown_payment"), ("42:wch-1-1:t1", "graph_100")]
)
async def test_a_refund_that_cannot_be_says_why(payment_id: str, code: str) -> None:
    with pytest.raises(PaymentRefusedError) as refused:
        await way({"error": {"code": 100}}, status=400).refund(
            key="k", payment_id=payment_id, amount=rupees(1), reason="-"
        )

    assert refused.value.code == code


@pytest.mark.parametrize(
    ("word", "status"), [("completed", "done"), ("pending", "pending"), ("failed", "failed"), ("new", "pending")]
)
async def test_a_refund_is_what_graph_calls_it(word: str, status: str) -> None:
    told = await way({"status": word}).refund(key="k", payment_id="42:wch-1-1:t1", amount=rupees(1), reason="-")

    assert told == status


async def test_what_was_never_opened_is_unknown_without_a_call() -> None:
    assert (await way(payment()).look_up(reference="wch-1-1", provider_id=None)).state is PaymentStatus.UNKNOWN


# --- Pix on the order itself


async def test_with_a_key_of_the_shop_the_code_is_copied_from_the_order() -> None:
    """WhatsApp shows whose key it is; the money is still Mercado Pago's to tell of."""
    answer = {"id": 5, "point_of_interaction": {"transaction_data": {"qr_code": "000201"}}}
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: httpx2.Response(201, json=answer)))
    gateway = MercadoPago(
        api=GatewayApi(http=http, root="https://mp.example"),
        secrets=("s",),
        payer_email="shop@example.com",
        chat_key=ChatKey(key="key", type="EVP", merchant="Loja"),
    )
    amount = Money.from_minor(1000, "BRL")
    told = await gateway.open(
        reference="wch-1-1", key="k", order=order_of(amount, NOW), amount=amount, deadline=ENDS, customer=PAYER,
        language="pt_BR",
    )  # fmt: skip

    assert (told.link, told.code, told.provider_id) == (None, None, "5")
    assert told.order_details is not None
    owed = Owed.from_json(told.order_details)
    assert (owed.payment_type, owed.total, owed.currency) == ("br", 1000, "BRL")
    (setting,) = owed.payment_settings
    assert setting["pix_dynamic_code"] == {"code": "000201", "merchant_name": "Loja", "key": "key", "key_type": "EVP"}

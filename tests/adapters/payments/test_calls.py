"""A call to a gateway has an answer that can be read, or one of three failures; it is made once."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import MercadoPago
from wch.adapters.payments.razorpay import Razorpay
from wch.adapters.payments.stripe import Stripe
from wch.application.ports import Gateway
from wch.domain.moment import of_unix
from wch.domain.money import Money
from wch.domain.payment import (
    NotOffered,
    OrderFacts,
    PaymentMisconfiguredError,
    PaymentRefusedError,
    PaymentState,
    PaymentStatus,
    PaymentUnavailableError,
)
from wch.testing.payment_contract import BUYER, order_of

Made = Callable[[GatewayApi], Gateway]
WAYS: dict[str, tuple[Made, str]] = {
    "stripe": (lambda api: Stripe(api=api, secrets=("s",)), "EUR"),
    "razorpay": (lambda api: Razorpay(api=api, secrets=("s",)), "INR"),
    "mercadopago": (lambda api: MercadoPago(api=api, secrets=("s",), payer_email="a@b.c"), "BRL"),
}


class Wire:
    """Answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[httpx2.Request] = []
        self.answers: list[httpx2.Response | Exception] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        answer = self.answers.pop(0) if self.answers else httpx2.Response(200, json={})
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def wire() -> AsyncIterator[tuple[Wire, GatewayApi]]:
    told = Wire()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(told)) as http:
        yield told, GatewayApi(http=http, root="https://gateway.example/")


def json_of(body: Any, status: int = 200) -> httpx2.Response:
    return httpx2.Response(status, content=json.dumps(body).encode())


async def do(way: Gateway, operation: str, currency: str) -> object:
    amount = Money.from_minor(12_340, currency)
    if operation == "open":
        return await way.open(
            reference="wch-1-t4fnr6",
            key="k",
            order=order_of(amount, NOW),
            amount=amount,
            deadline=of_unix(1_767_225_600),
            customer=BUYER,
            language="en",
        )
    if operation == "look_up":
        return await way.look_up(reference="wch-1-t4fnr6", provider_id="p/1")
    if operation == "cancel":
        return await way.cancel(reference="wch-1-t4fnr6", provider_id="p/1", key="k")
    if operation == "refund":
        return await way.refund(key="k", payment_id="p/1", amount=amount, reason="r")
    return await way.look_up_refund(key="k", payment_id="p/1")


NOW = of_unix(1_767_222_000)
OPERATIONS = ("open", "look_up", "cancel", "refund", "look_up_refund")
AWAY = (
    httpx2.ConnectError("refused"),
    httpx2.ReadTimeout("slow"),
    httpx2.Response(500),
    httpx2.Response(503, content=b"{}"),
    httpx2.Response(429, headers={"retry-after": "7"}),
    httpx2.Response(200, content=b"<html>busy</html>"),
    httpx2.Response(200, content=b""),
    httpx2.Response(302, headers={"location": "https://elsewhere.example"}, content=b"{}"),
    httpx2.Response(200, content=b"[" * 100_000),
)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_an_answer_that_cannot_be_read_is_no_answer(
    wire: tuple[Wire, GatewayApi], name: str, operation: str
) -> None:
    """The write is in doubt; the call is not made again here."""
    told, api = wire
    make, currency = WAYS[name]
    for away in AWAY:
        told.seen.clear()
        told.answers = [away]
        with pytest.raises(PaymentUnavailableError) as failed:
            await do(make(api), operation, currency)
        assert len(told.seen) == 1
        if isinstance(away, httpx2.Response) and away.status_code == 429:
            assert failed.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("status", [401, 403])
async def test_a_rejected_key_is_an_operators_business(wire: tuple[Wire, GatewayApi], name: str, status: int) -> None:
    told, api = wire
    make, currency = WAYS[name]
    for operation in OPERATIONS:
        told.answers = [json_of({"error": {}}, status)]
        with pytest.raises(PaymentMisconfiguredError):
            await do(make(api), operation, currency)


@pytest.mark.parametrize("name", WAYS)
@pytest.mark.parametrize("operation", ["open", "refund"])
async def test_a_refusal_is_final_and_names_its_code(wire: tuple[Wire, GatewayApi], name: str, operation: str) -> None:
    told, api = wire
    make, currency = WAYS[name]
    told.answers = [json_of({"error": {"code": "no", "reason": "no"}, "cause": [{"code": "no"}]}, 400)]
    with pytest.raises(PaymentRefusedError) as refused:
        await do(make(api), operation, currency)
    assert refused.value.code == "no"


async def test_ids_cannot_lead_to_another_place(wire: tuple[Wire, GatewayApi]) -> None:
    """A payment's id is a stranger's text: it stays one part of the path."""
    told, api = wire
    await Stripe(api=api, secrets=("s",)).look_up(reference="r", provider_id="../refunds?x=1")

    assert told.seen[0].url.raw_path.startswith(b"/v1/checkout/sessions/..%2Frefunds%3Fx%3D1?")


async def test_mercado_pago_is_asked_for_the_number_that_the_decimal_says(wire: tuple[Wire, GatewayApi]) -> None:
    told, api = wire
    told.answers = [json_of({"error": "no"}, 400)]
    with pytest.raises(PaymentRefusedError):
        await do(WAYS["mercadopago"][0](api), "open", "BRL")

    sent = json.loads(told.seen[0].content, parse_float=Decimal)
    assert sent["transaction_amount"] == Decimal("123.40")
    assert b'"transaction_amount": 123.40' in told.seen[0].content


async def test_a_session_that_is_complete_and_unpaid_is_not_paid(wire: tuple[Wire, GatewayApi]) -> None:
    """Late methods end so, and may be paid days later."""
    told, api = wire
    session = {"client_reference_id": "r", "status": "complete", "amount_total": 100, "currency": "eur"}
    told.answers = [
        json_of({**session, "payment_status": "unpaid", "payment_intent": {"status": "processing"}}),
        json_of({**session, "payment_status": "unpaid", "payment_intent": {"status": "requires_payment_method"}}),
    ]
    stripe = Stripe(api=api, secrets=("s",))
    first = await stripe.look_up(reference="r", provider_id="p")
    second = await stripe.look_up(reference="r", provider_id="p")

    assert (first.state, second.state) == (PaymentStatus.PENDING, PaymentStatus.FAILED)


@pytest.mark.parametrize(
    ("total", "received", "seen"),
    [
        ((100, "eur"), (99, "eur"), (99, "EUR")),
        ((99, "eur"), (100, "eur"), (99, "EUR")),
        ((100, "eur"), (100, "usd"), (100, "USD")),
    ],
)
async def test_when_session_and_intent_disagree_the_worse_counts(
    wire: tuple[Wire, GatewayApi], total: tuple[int, str], received: tuple[int, str], seen: tuple[int, str]
) -> None:
    """Whatever of both is not what is due must be seen."""
    told, api = wire
    intent = {"id": "pi_1", "amount_received": received[0], "currency": received[1]}
    told.answers = [
        json_of(
            {
                "client_reference_id": "r",
                "status": "complete",
                "payment_status": "paid",
                "amount_total": total[0],
                "currency": total[1],
                "payment_intent": intent,
            }
        )
    ]
    state = await Stripe(api=api, secrets=("s",)).look_up(reference="r", provider_id="p")

    assert state == PaymentState(
        state=PaymentStatus.CAPTURED, amount=Money.from_minor(*seen), payment_id="pi_1", refunded=None
    )


def test_who_cannot_be_charged_is_not_offered_it() -> None:
    api = GatewayApi(http=httpx2.AsyncClient(), root="https://gateway.example")
    bare = MercadoPago(api=api, secrets=("s",))
    cases: list[tuple[Gateway, str, str, str]] = [
        (Stripe(api=api, secrets=("s",)), "1.235", "KWD", "amount_not_exact"),
        (Stripe(api=api, secrets=("s",)), "1.000", "IQD", "currency"),
        (Razorpay(api=api, secrets=("s",)), "1.00", "EUR", "currency"),
        (bare, "1.00", "EUR", "currency"),
        (bare, "1.00", "BRL", "email_missing"),
    ]
    for way, amount, currency, reason in cases:
        said = way.offers(OrderFacts(total=Money(Decimal(amount), currency), country="IN", needs_shipping=True))
        assert isinstance(said, NotOffered)
        assert said.reason.value == reason

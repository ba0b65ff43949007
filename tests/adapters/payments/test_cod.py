"""Cash on delivery: offered where somebody can take it, and nothing else."""

from decimal import Decimal
from typing import Any

import attrs
import pytest

from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.ports import Gateway, Payments
from wch.domain.errors import NotFoundError
from wch.domain.money import Money
from wch.domain.order import Order, OrderStatus
from wch.domain.payment import (
    BadSignatureError,
    CancelOutcome,
    NotOffered,
    NotOfferedReason,
    Offer,
    OrderFacts,
    Payer,
    PaymentRefusedError,
    PaymentStatus,
    RefundStatus,
    WebhookCall,
)
from wch.testing.doubles import NOON

FACTS = OrderFacts(total=Money(40, "EUR"), country="DE", needs_shipping=True)
ORDER = Order(
    id=1001,
    number="1001",
    status=OrderStatus.PENDING,
    currency="EUR",
    total=Money(40, "EUR"),
    lines=(),
    shipping=Money(0, "EUR"),
    phone="1",
    refunded=Money(0, "EUR"),
    created_at=NOON,
    updated_at=NOON,
)
CASH = CashOnDelivery(fee=Money(2, "EUR"), max_total=Money(Decimal(100), "EUR"), excluded_countries=frozenset({"US"}))


def test_it_is_paid_later_and_costs_its_fee_once() -> None:
    assert CASH.offers(FACTS) == Offer(gateway="cod", title="Cash on delivery", fee=Money(2, "EUR"), pays_later=True)
    free = CashOnDelivery().offers(attrs.evolve(FACTS, total=Money(Decimal("1.235"), "KWD")))
    assert isinstance(free, Offer)
    assert free.fee == Money.zero("KWD")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"needs_shipping": False}, NotOfferedReason.NOTHING_SHIPS),
        ({"country": "US"}, NotOfferedReason.COUNTRY),
        ({"total": Money(Decimal("100.01"), "EUR")}, NotOfferedReason.LIMIT),
        ({"total": Money(40, "USD")}, NotOfferedReason.CURRENCY),
    ],
)
def test_where_nobody_takes_it_it_is_not_offered(change: dict[str, Any], reason: NotOfferedReason) -> None:
    assert CASH.offers(attrs.evolve(FACTS, **change)) == NotOffered(gateway="cod", reason=reason)


async def test_there_is_nothing_to_open_or_to_send_back() -> None:
    """A caller that tries has lost its way: it hears so, and no money moves."""
    gateway: Gateway = CASH
    with pytest.raises(PaymentRefusedError, match="refuses"):
        await gateway.refund(key="k", payment_id="p", amount=Money(1, "EUR"), reason="r")
    with pytest.raises(PaymentRefusedError):
        await gateway.open(
            reference="r",
            key="k",
            order=ORDER,
            amount=Money(40, "EUR"),
            deadline=NOON,
            customer=Payer(phones=("1",)),
            language="en",
        )
    assert (await gateway.look_up(reference="r", provider_id=None)).state is PaymentStatus.UNKNOWN
    assert (await gateway.cancel(reference="r", provider_id=None, key="k")).outcome is CancelOutcome.ALREADY_OVER
    assert await gateway.look_up_refund(key="k", payment_id="p") is RefundStatus.UNKNOWN
    with pytest.raises(BadSignatureError):
        gateway.verify(WebhookCall(headers={}, query={}, body=b""), now=NOON)


def test_payments_answer_in_the_order_of_the_settings() -> None:
    payments: Payments = SwitchedOnPayments((CASH,))

    assert payments.offers(FACTS) == (CASH.offers(FACTS),)
    assert payments.gateway("cod") is CASH
    with pytest.raises(NotFoundError):
        payments.gateway("stripe")

"""Cash on delivery: the order goes to work unpaid, and whoever brings it takes the money."""

from datetime import datetime
from typing import NoReturn

import attrs

from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.payment import (
    BadSignatureError,
    Cancellation,
    CancelOutcome,
    NotOffered,
    NotOfferedReason,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentEvent,
    PaymentRefusedError,
    PaymentState,
    PaymentStatus,
    RefundStatus,
    WebhookCall,
)


@attrs.frozen(kw_only=True)
class CashOnDelivery:
    """Paid by hand, so nothing is opened, looked up or sent back.

    Attributes:
        title: as the customer reads it.
        fee: once an order, on top.
        max_total: no order above this.
        excluded_countries: where nobody takes money at the door.
    """

    name: str = attrs.field(default="cod", init=False)
    has_webhook: bool = attrs.field(default=False, init=False)
    title: str = "Cash on delivery"
    fee: Money | None = None
    max_total: Money | None = None
    excluded_countries: frozenset[str] = frozenset()

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Offered for goods that ship, where it is not excluded, up to the limit."""
        amounts = [amount for amount in (self.fee, self.max_total) if amount is not None]
        if not facts.needs_shipping:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.NOTHING_SHIPS)
        if any(amount.currency != facts.total.currency for amount in amounts):
            return NotOffered(gateway=self.name, reason=NotOfferedReason.CURRENCY)
        if facts.country in self.excluded_countries:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.COUNTRY)
        if self.max_total is not None and facts.total > self.max_total:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.LIMIT)
        return Offer(
            gateway=self.name, title=self.title, fee=self.fee or Money.zero(facts.total.currency), pays_later=True
        )

    async def open(
        self,
        *,
        reference: str,  # noqa: ARG002 - the port's argument
        key: str,  # noqa: ARG002 - the port's argument
        order: Order,  # noqa: ARG002 - the port's argument
        amount: Money,  # noqa: ARG002 - the port's argument
        deadline: datetime,  # noqa: ARG002 - the port's argument
        customer: Payer,  # noqa: ARG002 - the port's argument
        language: str,  # noqa: ARG002 - the port's argument
    ) -> Opened:
        """Refused: there is nothing to open."""
        _refuse()

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:  # noqa: ARG002 - the port's argument
        """Nobody knows."""
        return PaymentState(state=PaymentStatus.UNKNOWN)

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:  # noqa: ARG002 - the port's argument
        """There is nothing that could be paid."""
        return Cancellation(outcome=CancelOutcome.ALREADY_OVER)

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:  # noqa: ARG002 - the port's argument
        """Refused: the money is given by hand."""
        _refuse()

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:  # noqa: ARG002 - the port's argument
        """Nobody knows."""
        return RefundStatus.UNKNOWN

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:  # noqa: ARG002 - the port's argument
        """Nobody signs for cash."""
        raise BadSignatureError


def _refuse() -> NoReturn:
    code = "by_hand"
    raise PaymentRefusedError(code)

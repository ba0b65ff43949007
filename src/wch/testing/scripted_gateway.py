"""A gateway that does as it is told: it keeps its own book, so that a test can compare it with ours."""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.ports import Clock
from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.payment import (
    BadSignatureError,
    Cancellation,
    CancelOutcome,
    NotOffered,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentEvent,
    PaymentState,
    PaymentStatus,
    PaymentUnavailableError,
    RefundStatus,
    WebhookCall,
)


@attrs.define(kw_only=True)
class Booked:
    """A payment as the gateway has it."""

    id: str
    reference: str
    amount: Money
    status: PaymentStatus = PaymentStatus.OPEN
    received: Money | None = None
    refunds: dict[str, Money] = attrs.field(factory=dict)


@attrs.define(kw_only=True)
class ScriptedGateway:
    """Takes money when `pay` is called; the next calls of an operation can be away, before or after the effect.

    Attributes:
        calls: every call's operation and key, in order.
        refund_status: what a refund is told to be.
        opens_code: the code that customers pay with; None gives them a link.
    """

    clock: Clock
    name: str = "stripe"
    has_webhook: bool = True
    book: dict[str, Booked] = attrs.field(factory=dict)
    calls: list[tuple[str, str]] = attrs.field(factory=list)
    refund_status: RefundStatus = RefundStatus.DONE
    opens_code: str | None = None
    _script: dict[str, deque[str]] = attrs.field(factory=dict)
    _keys: dict[str, str] = attrs.field(factory=dict)

    def script(self, operation: str, *what: str) -> None:
        """Let the next calls go wrong: `away` before the effect, `lost` after it."""
        self._script.setdefault(operation, deque()).extend(what)

    def payment(self, reference: str | None = None) -> Booked:
        """The payment of this reference; the only one if none is named."""
        if reference is None:
            (only,) = self.book.values()
            return only
        return next(one for one in self.book.values() if one.reference == reference)

    def pay(self, amount: Money | None = None, *, reference: str | None = None) -> Booked:
        """The customer pays, exactly what is asked unless another amount is given."""
        payment = self.payment(reference)
        payment.received = payment.amount if amount is None else amount
        payment.status = PaymentStatus.CAPTURED
        return payment

    @property
    def captured(self) -> list[Booked]:
        """The payments that were made."""
        return [one for one in self.book.values() if one.received is not None]

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Always."""
        return Offer(
            gateway=self.name,
            title="Card",
            fee=Money.zero(facts.total.currency),
            earliest=timedelta(minutes=31),
            latest=timedelta(hours=24),
        )

    async def open(
        self,
        *,
        reference: str,
        key: str,
        order: Order,  # noqa: ARG002 - the port's argument
        amount: Money,
        deadline: datetime,
        customer: Payer,  # noqa: ARG002 - the port's argument
        language: str,  # noqa: ARG002 - the port's argument
    ) -> Opened:
        """One payment for each key."""
        lost = self._called("open", key)
        if key not in self._keys:
            self._keys[key] = f"pay_{len(self.book) + 1}"
            self.book[self._keys[key]] = Booked(id=self._keys[key], reference=reference, amount=amount)
        if lost:
            raise PaymentUnavailableError
        provider_id = self._keys[key]
        if self.opens_code is not None:
            return Opened(provider_id=provider_id, code=self.opens_code, expires_at=deadline)
        return Opened(provider_id=provider_id, link=f"https://pay.example/{provider_id}", expires_at=deadline)

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What the book says."""
        self._called("look_up", reference)
        return self._state(provider_id)

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:  # noqa: ARG002 - the port's argument
        """Closes an open payment."""
        lost = self._called("cancel", key)
        known = next((one for one in self.book.values() if one.reference == reference), None)
        if known is None:
            return Cancellation(outcome=CancelOutcome.ALREADY_OVER)
        before = known.status
        if before is PaymentStatus.OPEN:
            known.status = PaymentStatus.CANCELLED
        if lost:
            raise PaymentUnavailableError
        if before is PaymentStatus.OPEN:
            return Cancellation(outcome=CancelOutcome.CANCELLED)
        return Cancellation.of_state(self._state(known.id))

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:  # noqa: ARG002 - the port's argument
        """Books the refund once for its key."""
        lost = self._called("refund", key)
        self.book[payment_id].refunds.setdefault(key, amount)
        if lost:
            raise PaymentUnavailableError
        return self.refund_status

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """What the book says."""
        self._called("look_up_refund", key)
        return self.refund_status if key in self.book[payment_id].refunds else RefundStatus.UNKNOWN

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:  # noqa: ARG002 - the port's argument
        """Signed is what says so; the query says the rest."""
        if call.headers.get("signature") != "good":
            raise BadSignatureError
        told: dict[str, Any] = dict(call.query)
        return (
            PaymentEvent(
                key=told.get("key", "1"),
                type=told.get("type", "paid"),
                reference=told.get("ref") or None,
                payment_id=told.get("payment_id"),
            ),
        )

    def _called(self, operation: str, key: str) -> bool:
        """Note the call; whether its answer shall be lost."""
        self.calls.append((operation, key))
        waiting = self._script.get(operation)
        what = waiting.popleft() if waiting else ""
        if what == "away":
            raise PaymentUnavailableError
        return what == "lost"

    def _state(self, provider_id: str | None) -> PaymentState:
        known = self.book.get(provider_id or "")
        if known is None:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        paid = known.received is not None
        return PaymentState(
            state=known.status,
            amount=known.received if paid else known.amount,
            payment_id=known.id if paid else None,
            at=self.clock.now() if paid else None,
        )

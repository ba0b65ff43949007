"""Ways to pay."""

from datetime import datetime
from typing import Protocol

from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.payment import (
    Cancellation,
    NotOffered,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentEvent,
    PaymentState,
    RefundStatus,
    WebhookCall,
)


class Gateway(Protocol):
    """One way to pay. What it says of the money is only ever learnt by `look_up`.

    Raises:
        PaymentUnavailableError: to be tried again; a write is in doubt.
        PaymentRefusedError: permanent; `code` is the reason.
        PaymentMisconfiguredError: our key or account was rejected.
    """

    @property
    def name(self) -> str:
        """Its name in settings, routes and reply ids."""
        ...

    @property
    def has_webhook(self) -> bool:
        """Whether it posts events of its own, so that it has a route of its own."""
        ...

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Whether this order may be paid so; no network."""
        ...

    async def open(
        self,
        *,
        reference: str,
        key: str,
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Payer,
        language: str,
    ) -> Opened:
        """Open a payment over exactly this amount; the same key opens it once."""
        ...

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What became of the payment, `unknown` when there is none."""
        ...

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:
        """See to it that it cannot be paid any more, and say if it was."""
        ...

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:
        """Give money back; the same key gives it once."""
        ...

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """What became of the refund with this key."""
        ...

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:
        """The hints in a signed delivery; no network.

        Raises:
            BadSignatureError: missing, malformed, wrong or too old; nothing else is ever raised
                before the signature was found right.
            UndecodableError: rightly signed, and of no known shape.
        """
        ...


class Payments(Protocol):
    """The ways to pay that are switched on, in the order of the settings."""

    def offers(self, facts: OrderFacts) -> tuple[Offer | NotOffered, ...]:
        """What each of them says to this order."""
        ...

    def gateway(self, name: str) -> Gateway:
        """The one of this name; NotFoundError when it is not switched on."""
        ...

"""Gateways behind the breaker: one that does not answer is left alone until one probe has come back."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

import attrs

from wch.application.breakers import Breakers
from wch.application.ports import Gateway, Payments
from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.payment import (
    Cancellation,
    NotOffered,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentError,
    PaymentEvent,
    PaymentState,
    PaymentUnavailableError,
    RefundStatus,
    WebhookCall,
)

SERVICE = "payments"

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class GuardedPayments:
    """The ways to pay, their calls behind the breaker `payments`."""

    payments: Payments
    breakers: Breakers

    def offers(self, facts: OrderFacts) -> tuple[Offer | NotOffered, ...]:
        """What each of them says to this order."""
        return self.payments.offers(facts)

    def gateway(self, name: str) -> Gateway:
        """The one of this name; NotFoundError when it is not switched on."""
        return GuardedGateway(gateway=self.payments.gateway(name), breakers=self.breakers)


@attrs.frozen(kw_only=True)
class GuardedGateway:
    """One gateway; only what says nothing about the call counts as its failure, never a refusal."""

    gateway: Gateway
    breakers: Breakers

    @property
    def name(self) -> str:
        """Its name in settings, routes and reply ids."""
        return self.gateway.name

    @property
    def has_webhook(self) -> bool:
        """Whether it posts events of its own."""
        return self.gateway.has_webhook

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Whether this order may be paid so."""
        return self.gateway.offers(facts)

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
        """Open a payment over exactly this amount."""
        return await self._guarded(
            lambda: self.gateway.open(
                reference=reference,
                key=key,
                order=order,
                amount=amount,
                deadline=deadline,
                customer=customer,
                language=language,
            )
        )

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What became of the payment."""
        return await self._guarded(lambda: self.gateway.look_up(reference=reference, provider_id=provider_id))

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:
        """See to it that it cannot be paid any more."""
        return await self._guarded(lambda: self.gateway.cancel(reference=reference, provider_id=provider_id, key=key))

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:
        """Give money back."""
        return await self._guarded(
            lambda: self.gateway.refund(key=key, payment_id=payment_id, amount=amount, reason=reason)
        )

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """What became of the refund with this key."""
        return await self._guarded(lambda: self.gateway.look_up_refund(key=key, payment_id=payment_id))

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:
        """The hints in a signed delivery; no network, so no breaker."""
        return self.gateway.verify(call, now=now)

    async def _guarded(self, call: Callable[[], Awaitable[R]]) -> R:
        return await self.breakers.guard(SERVICE, call, down=PaymentUnavailableError, errors=PaymentError)

"""Stripe: a Checkout Session with one line, paid behind a link."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.adapters.payments import amounts
from wch.adapters.payments.calling import WHATSAPP, GatewayApi, Reply, part, read_json, several, whole, word
from wch.adapters.payments.signing import fits
from wch.domain.errors import UndecodableError
from wch.domain.moment import of_unix, unix
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
    PaymentUnavailableError,
    RefundStatus,
    WebhookCall,
)

SIGNATURE = "stripe-signature"
TOLERANCE_SECONDS = 300
"""How far Stripe's time may be off, either way."""

EARLIEST = timedelta(minutes=31)
LATEST = timedelta(hours=24)

_USED = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "payment_intent.payment_failed",
        "payment_intent.succeeded",
        "charge.refunded",
        "refund.updated",
        "refund.failed",
        "charge.refund.updated",
    }
)
_DISPUTES = "charge.dispute."
_REFUNDS = {
    "succeeded": RefundStatus.DONE,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}


@attrs.frozen(kw_only=True)
class Stripe:
    """Cards and the like through Stripe.

    Attributes:
        api: where its API is, with our key.
        secrets: what its events are signed with; several while one replaces another.
        methods: the kinds of payment; only immediate ones.
        return_url: where the page leads once it is paid.
    """

    name: str = attrs.field(default="stripe", init=False)
    has_webhook: bool = attrs.field(default=True, init=False)
    api: GatewayApi
    secrets: tuple[str, ...] = attrs.field(repr=False)
    methods: tuple[str, ...] = ("card",)
    return_url: str = WHATSAPP
    title: str = "Card"

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Offered in every currency that Stripe takes, for amounts that it can charge exactly."""
        units = amounts.STRIPE.of(facts.total)
        if facts.total.currency in amounts.STRIPE.unknown:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.CURRENCY)
        if units is None or units <= 0:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.AMOUNT_NOT_EXACT)
        return Offer(
            gateway=self.name,
            title=self.title,
            fee=Money.zero(facts.total.currency),
            earliest=EARLIEST,
            latest=LATEST,
        )

    async def open(
        self,
        *,
        reference: str,
        key: str,
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Payer,
        language: str,  # noqa: ARG002 - Stripe's page follows the browser
    ) -> Opened:
        """Open a session over the order's total; the same key opens it once."""
        units = amounts.STRIPE.exactly(amount)
        form = {
            "mode": "payment",
            "client_reference_id": reference,
            "metadata[reference]": reference,
            "payment_intent_data[metadata][reference]": reference,
            "line_items[0][quantity]": "1",
            "line_items[0][price_data][currency]": amount.currency.lower(),
            "line_items[0][price_data][unit_amount]": str(units),
            "line_items[0][price_data][product_data][name]": f"Order {order.number}",
            "expires_at": str(unix(deadline)),
            "success_url": self.return_url,
            "cancel_url": self.return_url,
        }
        form |= {f"payment_method_types[{place}]": method for place, method in enumerate(self.methods)}
        if customer.email:
            form["customer_email"] = customer.email
        reply = await self.api.call("POST", "v1", "checkout", "sessions", form=form, headers={"Idempotency-Key": key})
        session = _done(reply)
        provider_id, link = word(session.get("id")), word(session.get("url"))
        if provider_id is None or link is None:
            raise PaymentUnavailableError
        ends = whole(session.get("expires_at"))
        return Opened(provider_id=provider_id, link=link, expires_at=deadline if ends is None else of_unix(ends))

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What the session and its intent say; a session is only found by its own id."""
        if provider_id is None:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        reply = await self.api.call(
            "GET",
            "v1",
            "checkout",
            "sessions",
            provider_id,
            params={"expand[]": "payment_intent.latest_charge"},
        )
        if not reply.is_done or word(reply.body.get("client_reference_id")) != reference:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        return _state(reply.body)

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:
        """Expire the session, so that its link is dead."""
        if provider_id is None:
            # The answer to opening never came, so the link was never shown, and nobody can pay it.
            return Cancellation(outcome=CancelOutcome.ALREADY_OVER)
        reply = await self.api.call(
            "POST", "v1", "checkout", "sessions", provider_id, "expire", headers={"Idempotency-Key": key}
        )
        if reply.is_done:
            return Cancellation(outcome=CancelOutcome.CANCELLED)
        state = await self.look_up(reference=reference, provider_id=provider_id)
        return Cancellation.of_state(state)

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:  # noqa: ARG002 - Stripe knows three reasons of its own
        """Send money back to the card; the same key sends it once."""
        units = amounts.STRIPE.exactly(amount)
        reply = await self.api.call(
            "POST",
            "v1",
            "refunds",
            form={
                "payment_intent": payment_id,
                "amount": str(units),
                "reason": "requested_by_customer",
                "metadata[key]": key,
            },
            headers={"Idempotency-Key": key},
        )
        return _REFUNDS.get(str(_done(reply).get("status")), RefundStatus.UNKNOWN)

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """The refund that carries this key."""
        reply = await self.api.call("GET", "v1", "refunds", params={"payment_intent": payment_id, "limit": "100"})
        for refund in several(reply.body.get("data")):
            if part(refund, "metadata").get("key") == key:
                return _REFUNDS.get(str(refund.get("status")), RefundStatus.UNKNOWN)
        return RefundStatus.UNKNOWN

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:
        """The event, if one of its `v1` signatures fits one of the secrets and its time is near."""
        stamp, signatures = _header(call.headers.get(SIGNATURE, ""))
        if not fits(self.secrets, stamp.encode() + b"." + call.body, signatures):
            raise BadSignatureError
        if abs(unix(now) - int(stamp)) > TOLERANCE_SECONDS:
            raise BadSignatureError
        event = read_json(call.body)
        if not isinstance(event, Mapping):
            raise UndecodableError
        key, kind = word(event.get("id")), word(event.get("type"))
        if key is None or kind is None:
            raise UndecodableError
        told = part(event, "data", "object")
        disputed = kind.startswith(_DISPUTES)
        if kind not in _USED and not disputed:
            return (PaymentEvent(key=key, type=kind),)
        return (PaymentEvent(key=key, type=kind, reference=_reference(told), payment_id=_intent(told)),)


def _header(value: str) -> tuple[str, list[str]]:
    """The time and the `v1` signatures.

    Raises:
        BadSignatureError: there is no time, or no signature.
    """
    stamps: list[str] = []
    signatures: list[str] = []
    for piece in value.split(","):
        name, _, text = piece.strip().partition("=")
        if name == "t":
            stamps.append(text)
        elif name == "v1":
            signatures.append(text)
    if len(stamps) != 1 or not signatures:
        raise BadSignatureError
    stamp = stamps[0]
    if not stamp.isascii() or not stamp.isdecimal() or len(stamp) > 12:  # noqa: PLR2004 - no moment that a clock shows
        raise BadSignatureError
    return stamp, signatures


def _reference(told: Mapping[str, Any]) -> str | None:
    return word(told.get("client_reference_id")) or word(part(told, "metadata").get("reference"))


def _intent(told: Mapping[str, Any]) -> str | None:
    """The payment's id: that of the intent, wherever it stands."""
    if told.get("object") == "payment_intent":
        return word(told.get("id"))
    intent = told.get("payment_intent")
    return word(intent.get("id")) if isinstance(intent, Mapping) else word(intent)


def _done(reply: Reply) -> Mapping[str, Any]:
    """The body of a call that was done.

    Raises:
        PaymentRefusedError: Stripe says no.
    """
    if reply.is_done:
        return reply.body
    error = part(reply.body, "error")
    raise PaymentRefusedError(code=(word(error.get("code")) or word(error.get("type")) or "refused")[:60])


def _state(session: Mapping[str, Any]) -> PaymentState:
    intent = part(session, "payment_intent")
    charge = part(intent, "latest_charge")
    asked = amounts.STRIPE.read(session.get("amount_total"), session.get("currency"))
    received = amounts.STRIPE.read(intent.get("amount_received"), intent.get("currency"))
    payment_id = word(intent.get("id")) or word(session.get("payment_intent"))
    if session.get("payment_status") == "paid" and payment_id is not None:
        back = amounts.STRIPE.read(charge.get("amount_refunded"), charge.get("currency") or session.get("currency"))
        state = PaymentStatus.CAPTURED
        if charge.get("disputed") is True:
            state = PaymentStatus.DISPUTED
        elif charge.get("refunded") is True:
            state = PaymentStatus.REFUNDED
        at = whole(charge.get("created"))
        return PaymentState(
            state=state,
            amount=_least(asked, received),
            payment_id=payment_id,
            refunded=back,
            at=None if at is None else of_unix(at),
        )
    words = {"open": PaymentStatus.OPEN, "expired": PaymentStatus.EXPIRED, "complete": PaymentStatus.PENDING}
    state = words.get(str(session.get("status")), PaymentStatus.UNKNOWN)
    if state is PaymentStatus.PENDING and intent.get("status") in {"canceled", "requires_payment_method"}:
        state = PaymentStatus.FAILED
    return PaymentState(state=state, amount=asked)


def _least(asked: Money | None, received: Money | None) -> Money | None:
    """What counts when the session and its intent disagree: the smaller; of two currencies the one received."""
    if asked is None or received is None:
        return asked or received
    return received if received.currency != asked.currency else min(asked, received)

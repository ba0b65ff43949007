"""Razorpay: a payment link, paid by UPI, card or net banking."""

import hashlib
import json
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

SIGNATURE = "x-razorpay-signature"
EVENT_ID = "x-razorpay-event-id"
EARLIEST = timedelta(minutes=16)
LATEST = timedelta(days=7)

_USED = frozenset(
    {
        "payment_link.paid",
        "payment_link.expired",
        "payment_link.cancelled",
        "payment.captured",
        "payment.failed",
        "order.paid",
        "refund.processed",
        "refund.failed",
    }
)
_DISPUTES = "payment.dispute."
_LINKS = {
    "created": PaymentStatus.OPEN,
    "issued": PaymentStatus.OPEN,
    "partially_paid": PaymentStatus.PENDING,
    "expired": PaymentStatus.EXPIRED,
    "cancelled": PaymentStatus.CANCELLED,
}
_REFUNDS = {"processed": RefundStatus.DONE, "pending": RefundStatus.PENDING, "failed": RefundStatus.FAILED}


@attrs.frozen(kw_only=True)
class Razorpay:
    """UPI, cards and net banking through Razorpay.

    Attributes:
        api: where its API is, with our key and its secret.
        secrets: what its events are signed with; the old one still signs retries after a change.
        currencies: where it is offered.
        return_url: where the page leads once it is paid.
    """

    name: str = attrs.field(default="razorpay", init=False)
    has_webhook: bool = attrs.field(default=True, init=False)
    api: GatewayApi
    secrets: tuple[str, ...] = attrs.field(repr=False)
    currencies: frozenset[str] = frozenset({"INR"})
    return_url: str = WHATSAPP
    title: str = "UPI or card"

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Offered in the currencies that are set, for amounts that it can charge exactly."""
        units = amounts.RAZORPAY.of(facts.total)
        if facts.total.currency not in self.currencies:
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
        key: str,  # noqa: ARG002 - links have no idempotency key: the reference, which is used once, is it
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Payer,
        language: str,  # noqa: ARG002 - Razorpay's page follows the browser
    ) -> Opened:
        """Open a link over the order's total; one that is there under the reference is the same one."""
        units = amounts.RAZORPAY.exactly(amount)
        whose = {"name": customer.name, "contact": _contact(customer), "email": customer.email}
        asked = {
            "amount": units,
            "currency": amount.currency,
            "accept_partial": False,
            "reference_id": reference,
            "description": f"Order {order.number}",
            "expire_by": unix(deadline),
            "customer": {name: value for name, value in whose.items() if value},
            "notify": {"sms": False, "email": False},
            "reminder_enable": False,
            "callback_url": self.return_url,
            "callback_method": "get",
            "notes": {"reference": reference},
        }
        reply = await self.api.call("POST", "v1", "payment_links", document=json.dumps(asked).encode())
        link = reply.body if reply.is_done else await self._there(reply, reference)
        provider_id, address = word(link.get("id")), word(link.get("short_url"))
        if provider_id is None or address is None:
            raise PaymentUnavailableError
        ends = whole(link.get("expire_by"))
        return Opened(provider_id=provider_id, link=address, expires_at=of_unix(ends) if ends else deadline)

    async def _there(self, reply: Reply, reference: str) -> Mapping[str, Any]:
        """The link that an earlier call made, if the refusal is about its reference.

        Raises:
            PaymentRefusedError: it is about something else.
        """
        found = await self._by_reference(reference) if reply.status == _BAD_REQUEST else None
        if found is None:
            raise PaymentRefusedError(code=_code(reply))
        return found

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What the link says; of one that is paid, what its payment says."""
        link = await self._link(reference, provider_id)
        if link is None or word(link.get("reference_id")) != reference:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        if link.get("status") != "paid":
            state = _LINKS.get(str(link.get("status")), PaymentStatus.UNKNOWN)
            return PaymentState(state=state, amount=amounts.RAZORPAY.read(link.get("amount"), link.get("currency")))
        payment_id = _paying(link)
        if payment_id is None:
            return PaymentState(
                state=PaymentStatus.PENDING, amount=amounts.RAZORPAY.read(link.get("amount"), link.get("currency"))
            )
        reply = await self.api.call("GET", "v1", "payments", payment_id)
        payment = reply.body if reply.is_done else {}
        paid = whole(link.get("amount_paid"))
        back = whole(payment.get("amount_refunded")) or 0
        at = whole(payment.get("created_at"))
        return PaymentState(
            state=PaymentStatus.REFUNDED if paid is not None and 0 < paid <= back else PaymentStatus.CAPTURED,
            amount=amounts.RAZORPAY.read(paid, payment.get("currency") or link.get("currency")),
            payment_id=payment_id,
            refunded=amounts.RAZORPAY.read(back, link.get("currency")),
            at=None if at is None else of_unix(at),
        )

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:  # noqa: ARG002 - cancelling twice is one
        """Cancel the link, so that it cannot be paid any more."""
        if provider_id is None:
            found = await self._by_reference(reference)
            provider_id = None if found is None else word(found.get("id"))
        if provider_id is None:
            return Cancellation(outcome=CancelOutcome.ALREADY_OVER)
        reply = await self.api.call("POST", "v1", "payment_links", provider_id, "cancel")
        if reply.is_done:
            return Cancellation(outcome=CancelOutcome.CANCELLED)
        return Cancellation.of_state(await self.look_up(reference=reference, provider_id=provider_id))

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:
        """Send money back; the same key sends it once."""
        units = amounts.RAZORPAY.exactly(amount)
        asked = {"amount": units, "speed": "normal", "notes": {"key": key, "reason": reason[:200]}}
        reply = await self.api.call(
            "POST",
            "v1",
            "payments",
            payment_id,
            "refund",
            document=json.dumps(asked).encode(),
            headers={"X-Refund-Idempotency": key},
        )
        if not reply.is_done:
            raise PaymentRefusedError(code=_code(reply))
        return _REFUNDS.get(str(reply.body.get("status")), RefundStatus.UNKNOWN)

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """The refund that carries this key."""
        reply = await self.api.call("GET", "v1", "payments", payment_id, "refunds", params={"count": "100"})
        for refund in several(reply.body.get("items")):
            if part(refund, "notes").get("key") == key:
                return _REFUNDS.get(str(refund.get("status")), RefundStatus.UNKNOWN)
        return RefundStatus.UNKNOWN

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:  # noqa: ARG002 - Razorpay signs no time
        """The event, if its signature fits one of the secrets."""
        if not fits(self.secrets, call.body, (call.headers.get(SIGNATURE, ""),)):
            raise BadSignatureError
        event = read_json(call.body)
        if not isinstance(event, Mapping):
            raise UndecodableError
        kind = word(event.get("event"))
        if kind is None:
            raise UndecodableError
        key = word(call.headers.get(EVENT_ID)) or hashlib.sha256(call.body).hexdigest()
        if kind not in _USED and not kind.startswith(_DISPUTES):
            return (PaymentEvent(key=key, type=kind),)
        payload = part(event, "payload")
        return (
            PaymentEvent(
                key=key,
                type=kind,
                reference=_reference(payload),
                payment_id=word(_entity(payload, "payment").get("id")),
            ),
        )

    async def _link(self, reference: str, provider_id: str | None) -> Mapping[str, Any] | None:
        if provider_id is None:
            return await self._by_reference(reference)
        reply = await self.api.call("GET", "v1", "payment_links", provider_id)
        return reply.body if reply.is_done else None

    async def _by_reference(self, reference: str) -> Mapping[str, Any] | None:
        reply = await self.api.call("GET", "v1", "payment_links", params={"reference_id": reference})
        for link in several(reply.body.get("payment_links")):
            if part(link).get("reference_id") == reference:
                return part(link)
        return None


_BAD_REQUEST = 400


def _contact(customer: Payer) -> str:
    return f"+{customer.phones[0]}" if customer.phones and customer.phones[0].isdigit() else ""


def _entity(payload: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return part(payload, name, "entity")


def _reference(payload: Mapping[str, Any]) -> str | None:
    """Ours, from the link itself or from the notes that Razorpay hands on to payment and order."""
    link = _entity(payload, "payment_link")
    noted = (part(_entity(payload, name), "notes").get("reference") for name in ("payment_link", "payment", "order"))
    return word(link.get("reference_id")) or next((found for one in noted if (found := word(one)) is not None), None)


def _paying(link: Mapping[str, Any]) -> str | None:
    """The payment that paid the link: the captured one, else the latest."""
    paid = [one for one in several(link.get("payments")) if isinstance(one, Mapping)]
    captured = [one for one in paid if one.get("status") == "captured"] or paid
    return word(captured[-1].get("payment_id")) if captured else None


def _code(reply: Reply) -> str:
    error = part(reply.body, "error")
    return (word(error.get("reason")) or word(error.get("code")) or "refused").lower()[:60]

"""Mercado Pago: PIX, a code to copy into the bank's app."""

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

import attrs

from wch.adapters.payments.bill import Provenance, bill
from wch.adapters.payments.calling import GatewayApi, Reply, part, several, word
from wch.adapters.payments.signing import fits
from wch.domain.moment import of_iso
from wch.domain.money import Money, decimal_of
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

SIGNATURE = "x-signature"
REQUEST_ID = "x-request-id"
CURRENCY = "BRL"
EARLIEST = timedelta(minutes=31)
LATEST = timedelta(hours=24)

_AMOUNT = "amount goes here"
_FORM = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_STATES = {
    "pending": PaymentStatus.OPEN,
    "authorized": PaymentStatus.PENDING,
    "in_process": PaymentStatus.PENDING,
    "approved": PaymentStatus.CAPTURED,
    "in_mediation": PaymentStatus.DISPUTED,
    "charged_back": PaymentStatus.DISPUTED,
    "rejected": PaymentStatus.FAILED,
    "cancelled": PaymentStatus.CANCELLED,
    "refunded": PaymentStatus.REFUNDED,
}
_REFUNDS = {
    "approved": RefundStatus.DONE,
    "in_process": RefundStatus.PENDING,
    "authorized": RefundStatus.PENDING,
    "rejected": RefundStatus.FAILED,
    "cancelled": RefundStatus.FAILED,
}


@attrs.frozen(kw_only=True)
class ChatKey:
    """A Pix key as WhatsApp shows it: `type` is CPF, CNPJ, EMAIL, PHONE or EVP."""

    key: str
    type: str
    merchant: str


@attrs.frozen(kw_only=True)
class MercadoPago:
    """PIX through Mercado Pago.

    Attributes:
        api: where its API is, with our token.
        secrets: what its notices are signed with; several while one replaces another.
        payer_email: for customers who gave none; without either it is not offered.
        notification_url: where notices shall go; empty leaves that to the account.
        chat_key: the shop's Pix key; with it the order goes out as a message that copies the code
            by itself, since WhatsApp shows whose key it is.
    """

    name: str = attrs.field(default="mercadopago", init=False)
    has_webhook: bool = attrs.field(default=True, init=False)
    api: GatewayApi
    secrets: tuple[str, ...] = attrs.field(repr=False)
    payer_email: str = ""
    notification_url: str = ""
    chat_key: "ChatKey | None" = None
    title: str = "Pix"

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Offered in BRL, to customers for whom there is an e-mail address."""
        if facts.total.currency != CURRENCY:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.CURRENCY)
        if not (facts.email or self.payer_email):
            return NotOffered(gateway=self.name, reason=NotOfferedReason.EMAIL_MISSING)
        if facts.total.amount <= 0:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.AMOUNT_NOT_EXACT)
        return Offer(gateway=self.name, title=self.title, fee=Money.zero(CURRENCY), earliest=EARLIEST, latest=LATEST)

    async def open(
        self,
        *,
        reference: str,
        key: str,
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Payer,
        language: str,  # noqa: ARG002 - a code has no language
    ) -> Opened:
        """Open a PIX payment over the order's total; the same key opens it once."""
        asked: dict[str, Any] = {
            "transaction_amount": _AMOUNT,
            "description": f"Order {order.number}",
            "payment_method_id": "pix",
            "external_reference": reference,
            "date_of_expiration": deadline.strftime("%Y-%m-%dT%H:%M:%S.000+00:00"),
            "payer": {"email": customer.email or self.payer_email, "first_name": customer.name or "Customer"},
        }
        if self.notification_url:
            asked["notification_url"] = f"{self.notification_url}?{urlencode({'ref': reference})}"
        reply = await self.api.call(
            "POST", "v1", "payments", document=_with_amount(asked, amount), headers={"X-Idempotency-Key": key}
        )
        payment = _done(reply)
        told = part(payment, "point_of_interaction", "transaction_data")
        provider_id, code = word(payment.get("id")), word(told.get("qr_code"))
        if provider_id is None or code is None:
            raise PaymentUnavailableError
        ends = _moment(payment.get("date_of_expiration")) or deadline
        if self.chat_key is None:
            return Opened(provider_id=provider_id, code=code, expires_at=ends)
        pix = {
            "code": code,
            "merchant_name": self.chat_key.merchant,
            "key": self.chat_key.key,
            "key_type": self.chat_key.type,
        }
        owed = bill(
            reference=reference,
            order=order,
            amount=amount,
            customer=customer,
            ends=ends,
            provenance=Provenance(),
            payment_type="br",
            payment_settings=({"type": "pix_dynamic_code", "pix_dynamic_code": pix},),
        )
        return Opened(provider_id=provider_id, order_details=owed.to_json(), expires_at=ends)

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What the payment that we opened says; nobody else's counts, whatever names it."""
        payment = await self._payment(reference, provider_id)
        if payment is None or payment.get("external_reference") != reference:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        state = _STATES.get(str(payment.get("status")), PaymentStatus.UNKNOWN)
        if state is PaymentStatus.CANCELLED and payment.get("status_detail") == "expired":
            state = PaymentStatus.EXPIRED
        currency = payment.get("currency_id")
        return PaymentState(
            state=state,
            amount=_money(payment.get("transaction_amount"), currency),
            payment_id=word(payment.get("id")),
            refunded=_money(payment.get("transaction_amount_refunded"), currency),
            at=_moment(payment.get("date_approved")),
        )

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:
        """Cancel the payment, so that its code is dead."""
        if provider_id is None:
            found = await self._payment(reference, None)
            provider_id = None if found is None else word(found.get("id"))
        if provider_id is None:
            return Cancellation(outcome=CancelOutcome.ALREADY_OVER)
        reply = await self.api.call(
            "PUT",
            "v1",
            "payments",
            provider_id,
            document=b'{"status": "cancelled"}',
            headers={"X-Idempotency-Key": key},
        )
        if reply.is_done:
            return Cancellation(outcome=CancelOutcome.CANCELLED)
        return Cancellation.of_state(await self.look_up(reference=reference, provider_id=provider_id))

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:  # noqa: ARG002 - there is no place for a reason
        """Send money back; the same key sends it once."""
        reply = await self.api.call(
            "POST",
            "v1",
            "payments",
            payment_id,
            "refunds",
            document=_with_amount({"amount": _AMOUNT}, amount),
            headers={"X-Idempotency-Key": key},
        )
        return _REFUNDS.get(str(_done(reply).get("status")), RefundStatus.UNKNOWN)

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:  # noqa: ARG002 - refunds carry no key
        """What became of the payment's refunds, which do not say whose they are: all done, or one still waits."""
        reply = await self.api.call("GET", "v1", "payments", payment_id, "refunds")
        known = {
            _REFUNDS.get(str(part(one).get("status")), RefundStatus.UNKNOWN) for one in several(reply.body.get("list"))
        }
        if RefundStatus.PENDING in known:
            return RefundStatus.PENDING
        return RefundStatus.DONE if known == {RefundStatus.DONE} else RefundStatus.UNKNOWN

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:  # noqa: ARG002 - a notice may be days late
        """Whom to look up; the body is not signed, so nothing of it is read.

        The older feed (`?id=&topic=`) bears a signature that fits nothing: it says nothing here.
        """
        about = call.query.get("data.id", "")
        if not about and "topic" in call.query:
            return ()
        stamp, signature = _header(call.headers.get(SIGNATURE, ""))
        request_id = call.headers.get(REQUEST_ID, "")
        spellings = dict.fromkeys((about, about.lower()))
        if not any(fits(self.secrets, manifest(one, request_id, stamp), (signature,)) for one in spellings):
            raise BadSignatureError
        kind = call.query.get("type", "") or "unknown"
        key = hashlib.sha256(f"{about}\n{request_id}\n{stamp}".encode("utf-8", "surrogatepass")).hexdigest()
        if kind != "payment":
            return (PaymentEvent(key=key, type=kind),)
        return (
            PaymentEvent(
                key=key,
                type=kind,
                reference=word(call.query.get("ref")),
                payment_id=about or None,
                opened_id=about or None,
            ),
        )

    async def _payment(self, reference: str, provider_id: str | None) -> Mapping[str, Any] | None:
        if provider_id is not None:
            reply = await self.api.call("GET", "v1", "payments", provider_id)
            return reply.body if reply.is_done else None
        reply = await self.api.call("GET", "v1", "payments", "search", params={"external_reference": reference})
        found = [one for one in several(reply.body.get("results")) if isinstance(one, Mapping)]
        return found[0] if found else None


def manifest(about: str, request_id: str, stamp: str) -> bytes:
    """What is signed; a part that is not there is left out."""
    parts = (("id", about), ("request-id", request_id), ("ts", stamp))
    return "".join(f"{name}:{value};" for name, value in parts if value).encode("utf-8", "surrogatepass")


def _header(value: str) -> tuple[str, str]:
    """Time and signature.

    Raises:
        BadSignatureError: one of them is missing, or no such thing.
    """
    told = dict.fromkeys(("ts", "v1"), "")
    for piece in value.split(","):
        name, _, text = piece.strip().partition("=")
        if name in told:
            told[name] = text
    if not _FORM.match(told["ts"]) or not _FORM.match(told["v1"]):
        raise BadSignatureError
    return told["ts"], told["v1"]


def _with_amount(asked: Mapping[str, Any], amount: Money) -> bytes:
    """The document with the amount as the number that the Decimal says; a float might say another."""
    return json.dumps(asked).replace(f'"{_AMOUNT}"', f"{amount.amount:f}").encode()


def _done(reply: Reply) -> Mapping[str, Any]:
    """The body of a call that was done.

    Raises:
        PaymentRefusedError: Mercado Pago says no.
    """
    if reply.is_done:
        return reply.body
    causes = [word(part(one).get("code")) for one in several(reply.body.get("cause"))]
    code = next((one for one in causes if one is not None), None)
    raise PaymentRefusedError(code=(code or word(reply.body.get("error")) or "refused")[:60])


def _money(amount: Any, currency: Any) -> Money | None:
    code = word(currency)
    if code is None or not isinstance(amount, int | Decimal):
        return None
    try:
        return Money(decimal_of(amount), code)
    except (TypeError, ValueError):
        return None


def _moment(text: Any) -> datetime | None:
    told = word(text)
    try:
        return None if told is None else of_iso(told)
    except ValueError:
        return None

"""Paying inside WhatsApp, in India: the order is a message, and Meta tells what became of its payment."""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.adapters.payments.bill import Provenance, bill
from wch.adapters.payments.calling import GatewayApi, Reply, part, several, whole, word
from wch.domain.moment import of_unix
from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.outgoing.payment import OFFSET
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
from wch.domain.send_failure import FailureClass, classify

CURRENCY = "INR"
COUNTRY = "IN"
EARLIEST = timedelta(minutes=6)
LATEST = timedelta(hours=24)

UPI = "upi"
"""The provider that is none: the customer's own UPI app pays straight to the shop's account."""

_STATES = {
    "new": PaymentStatus.OPEN,
    "pending": PaymentStatus.PENDING,
    "failed": PaymentStatus.OPEN,
    "captured": PaymentStatus.CAPTURED,
    "canceled": PaymentStatus.CANCELLED,
}
"""Meta's words; after a try that failed the customer may try again until the deadline."""

_REFUNDS = {
    "success": RefundStatus.DONE,
    "completed": RefundStatus.DONE,
    "pending": RefundStatus.PENDING,
    "failed": RefundStatus.FAILED,
}
_AGAIN = frozenset({FailureClass.RETRY, FailureClass.WAIT_NUMBER})


@attrs.frozen(kw_only=True)
class WhatsAppPay:
    """Payments inside the chat; what is opened is a message, so opening makes no call.

    A payment is opened under the number that the customer writes to; its money is named by that
    number, our reference and the transaction, since giving back needs all three.

    Attributes:
        api: the Graph API with its version, with our token.
        configuration: the payment configuration's name in WhatsApp Manager.
        provider: who takes the money there: razorpay, payu, billdesk, zaakpay or upi.
        provenance: what the law wants to be said of the goods.
    """

    name: str = attrs.field(default="whatsapp_pay", init=False)
    has_webhook: bool = attrs.field(default=False, init=False)
    api: GatewayApi
    configuration: str
    provider: str = "razorpay"
    provenance: Provenance = attrs.field(factory=Provenance)
    title: str = "WhatsApp Pay"

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Offered in rupees, for a number and an address in India."""
        if facts.total.currency != CURRENCY:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.CURRENCY)
        if facts.number_country != COUNTRY or facts.country not in {None, COUNTRY}:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.COUNTRY)
        if facts.total.amount <= 0:
            return NotOffered(gateway=self.name, reason=NotOfferedReason.AMOUNT_NOT_EXACT)
        return Offer(gateway=self.name, title=self.title, fee=Money.zero(CURRENCY), earliest=EARLIEST, latest=LATEST)

    async def open(
        self,
        *,
        reference: str,
        key: str,  # noqa: ARG002 - the reference, which WhatsApp takes once, is the key
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Payer,
        language: str,  # noqa: ARG002 - WhatsApp speaks the phone's
    ) -> Opened:
        """The order as the customer reviews and pays it; sending it is the outbox's business."""
        owed = bill(
            reference=reference,
            order=order,
            amount=amount,
            customer=customer,
            ends=deadline,
            provenance=self.provenance,
            beneficiaries=_beneficiaries(customer),
            **self._paid_by(reference),
        )
        return Opened(provider_id=customer.writes_to, order_details=owed.to_json(), expires_at=deadline)

    def _paid_by(self, reference: str) -> dict[str, Any]:
        if self.provider == UPI:
            return {"payment_type": UPI, "payment_configuration": self.configuration}
        gateway: dict[str, Any] = {"type": self.provider, "configuration_name": self.configuration}
        if self.provider == "razorpay":
            gateway["razorpay"] = {"receipt": reference, "notes": {"reference": reference}}
        return {"payment_settings": ({"type": "payment_gateway", "payment_gateway": gateway},)}

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What Meta says of the payment of this reference."""
        if provider_id is None:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        reply = await self.api.call("GET", provider_id, "payments", self.configuration, reference)
        _refuse_for_now(reply)
        told = next((one for one in _parts(reply.body.get("payments")) if one.get("reference_id") == reference), None)
        if told is None:
            return PaymentState(state=PaymentStatus.UNKNOWN)
        return _state(told, number=provider_id, reference=reference)

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:  # noqa: ARG002 - closing is a message
        """Whether it may be closed: the word that closes it is an order status, which leaves as a message."""
        state = await self.look_up(reference=reference, provider_id=provider_id)
        if state.state is PaymentStatus.OPEN:
            return Cancellation(outcome=CancelOutcome.CANCELLED)
        return Cancellation.of_state(state)

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:  # noqa: ARG002 - there is no place for key or reason
        """Send money back; asked twice it would go twice, so nobody asks twice."""
        number, reference = _named(payment_id)
        asked = {
            "reference_id": reference,
            "speed": "normal",
            "payment_config_id": self.configuration,
            "amount": {"currency": amount.currency, "value": str(amount.minor()), "offset": str(OFFSET)},
        }
        reply = await self.api.call("POST", number, "payments_refund", document=json.dumps(asked).encode())
        _refuse_for_now(reply)
        if not reply.is_done:
            raise PaymentRefusedError(code=_code(reply))
        return _REFUNDS.get(str(reply.body.get("status")), RefundStatus.PENDING)

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:  # noqa: ARG002 - refunds carry no key
        """Meta does not know our key: whoever asks compares what went back with the ledger."""
        return RefundStatus.UNCLEAR

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:  # noqa: ARG002 - the port's argument
        """Its news come in WhatsApp's own deliveries, so nothing that comes here is true."""
        raise BadSignatureError


def _beneficiaries(customer: Payer) -> tuple[dict[str, str], ...]:
    """Whom the goods are for."""
    there = customer.ships_to
    if there is None:
        return ()
    told = {
        "name": f"{there.first_name} {there.last_name}".strip() or customer.name,
        "address_line1": there.address_1,
        "address_line2": there.address_2,
        "city": there.city,
        "state": there.state,
        "country": "India",
        "postal_code": there.postcode,
    }
    return ({name: text for name, text in told.items() if text},)


def _named(payment_id: str) -> tuple[str, str]:
    """Number and reference in the name of the money.

    Raises:
        PaymentRefusedError: it is no such name.
    """
    number, _, rest = payment_id.partition(":")
    reference = rest.partition(":")[0]
    if not number or not reference:
        raise PaymentRefusedError(code="unknown_payment")
    return number, reference


def _state(told: Mapping[str, Any], *, number: str, reference: str) -> PaymentState:
    state = _STATES.get(str(told.get("status")), PaymentStatus.UNKNOWN)
    currency = told.get("currency")
    asked = _money(told.get("amount"), currency)
    if state is not PaymentStatus.CAPTURED:
        return PaymentState(state=state, amount=asked)
    paid = [one for one in _parts(told.get("transactions")) if one.get("status") == "success"]
    transaction = paid[-1] if paid else {}
    amount = _money(transaction.get("amount"), transaction.get("currency") or currency) or asked
    refunds = _parts(told.get("refunds"))
    done = _sum((one for one in refunds if _REFUNDS.get(str(one.get("status"))) is RefundStatus.DONE), currency)
    under_way = _sum((one for one in refunds if _REFUNDS.get(str(one.get("status"))) is RefundStatus.PENDING), currency)
    at = whole(transaction.get("updated_timestamp")) or whole(transaction.get("created_timestamp"))
    is_back = amount is not None and done is not None and amount.currency == done.currency and done >= amount
    return PaymentState(
        state=PaymentStatus.REFUNDED if is_back else PaymentStatus.CAPTURED,
        amount=amount,
        payment_id=f"{number}:{reference}:{word(transaction.get('id')) or reference}",
        refunded=done,
        refunding=under_way,
        at=None if at is None else of_unix(at),
    )


def _parts(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in several(value) if isinstance(one, Mapping)]


def _sum(refunds: Iterable[Mapping[str, Any]], currency: Any) -> Money | None:
    """What these come to; None when one of them cannot be read."""
    total = _money({"value": 0}, currency)
    for one in refunds:
        amount = _money(one.get("amount"), currency)
        if total is None or amount is None:
            return None
        total += amount
    return total


def _money(told: Any, currency: Any) -> Money | None:
    """An amount of so many parts; Meta writes the numbers at times as texts."""
    amount, code = part(told), word(currency)
    try:
        value, offset = Decimal(str(amount.get("value"))), Decimal(str(amount.get("offset", OFFSET)))
        return None if code is None or not offset.is_normal() else Money(value / offset, code)
    except (ArithmeticError, TypeError, ValueError):
        return None


def _refuse_for_now(reply: Reply) -> None:
    """Graph says 400 even when it only wants to be asked later.

    Raises:
        PaymentUnavailableError: it does.
    """
    error = part(reply.body, "error")
    if (
        not reply.is_done
        and classify(whole(error.get("code")), is_transient=error.get("is_transient") is True) in _AGAIN
    ):
        raise PaymentUnavailableError


def _code(reply: Reply) -> str:
    code = whole(part(reply.body, "error").get("code"))
    return "refused" if code is None else f"graph_{code}"

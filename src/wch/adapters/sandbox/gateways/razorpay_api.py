"""Razorpay's API as far as a shop needs it: payment links, payments, refunds; events with their id in a header."""

import base64
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.adapters.sandbox.gateways.book import Book
from wch.adapters.sandbox.gateways.charge import (
    Answer,
    Asked,
    Charge,
    ChargeState,
    Delivery,
    SimulatedRefund,
    signature,
)
from wch.domain.moment import of_unix, unix

SHORTEST = timedelta(minutes=15)

_STATUS = {
    ChargeState.OPEN: "created",
    ChargeState.PAID: "paid",
    ChargeState.CANCELLED: "cancelled",
    ChargeState.EXPIRED: "expired",
}


@attrs.frozen(kw_only=True)
class RazorpayApi:
    """Answers as Razorpay does.

    Attributes:
        key_id: with `key_secret` what calls must carry.
        secret: what events are signed with; another word than the key's secret.
        hub: the hub's address.
    """

    name: str = attrs.field(default="razorpay", init=False)
    book: Book
    key_id: str = attrs.field(repr=False)
    key_secret: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    hub: str

    def answer(self, asked: Asked) -> Answer:  # noqa: PLR0911 - a table of routes
        """Answer one call."""
        known = base64.b64encode(f"{self.key_id}:{self.key_secret}".encode()).decode()
        if asked.headers.get("authorization") != f"Basic {known}":
            return _refused(401, "Authentication failed")
        told = _json(asked.body)
        match (asked.method, *asked.path):
            case ("POST", "v1", "payment_links"):
                return self._open(told)
            case ("GET", "v1", "payment_links"):
                found = self.book.by_reference(self.name, asked.query.get("reference_id", ""))
                return Answer(body={"payment_links": [] if found is None else [self._link(found)]})
            case ("GET", "v1", "payment_links", link_id):
                link = self.book.of(self.name, link_id)
                return _missing() if link is None else Answer(body=self._link(link))
            case ("POST", "v1", "payment_links", link_id, "cancel"):
                return self._cancel(link_id)
            case ("GET", "v1", "payments", payment_id):
                paid = self.book.by_payment(self.name, payment_id)
                return _missing() if paid is None or paid.received is None else Answer(body=_payment(paid))
            case ("POST", "v1", "payments", payment_id, "refund"):
                return self._refund(payment_id, told, asked.headers.get("x-refund-idempotency"))
            case ("GET", "v1", "payments", payment_id, "refunds"):
                paid = self.book.by_payment(self.name, payment_id)
                items = [] if paid is None else [_refund(one, paid) for one in paid.refunds]
                return Answer(body={"entity": "collection", "count": len(items), "items": items})
        return _missing()

    def _open(self, told: dict[str, Any]) -> Answer:
        now = self.book.clock.now()
        reference = str(told.get("reference_id", ""))
        amount, ends = told.get("amount"), told.get("expire_by")
        if not isinstance(amount, int) or amount < 1 or not isinstance(ends, int):
            return _refused(400, "The amount must be an integer.")
        if of_unix(ends) < now + SHORTEST:
            return _refused(400, "expire_by should be at least 15 minutes after current time")
        if reference and self.book.by_reference(self.name, reference) is not None:
            return _refused(400, f"payment link with given reference_id ({reference}) already exists")
        charge = Charge(
            gateway=self.name,
            id=self.book.name("plink_"),
            payment_id=self.book.name("pay_"),
            reference=reference,
            amount=Decimal(amount),
            currency=str(told.get("currency", "INR")),
            opened_at=now,
            expires_at=of_unix(ends),
            asked=told,
        )
        return Answer(body=self._link(self.book.add(charge)))

    def _cancel(self, link_id: str) -> Answer:
        link = self.book.of(self.name, link_id)
        if link is None:
            return _missing()
        if link.state is not ChargeState.OPEN:
            return _refused(400, f"Payment link cannot be cancelled in {_STATUS[link.state]} state.")
        link.state = ChargeState.CANCELLED
        return Answer(body=self._link(link))

    def _refund(self, payment_id: str, told: dict[str, Any], key: str | None) -> Answer:
        charge = self.book.by_payment(self.name, payment_id)
        if charge is None or charge.received is None:
            return _missing()
        known = next((one for one in charge.refunds if key and one.key == key), None)
        if known is not None:
            return Answer(body=_refund(known, charge))
        amount = Decimal(told.get("amount") or charge.received)
        if charge.refunded + amount > charge.received:
            return _refused(400, "The total refund amount is greater than the refund payment amount")
        refund = SimulatedRefund(
            id=self.book.name("rfnd_"),
            key=key or "",
            amount=amount,
            status="processed",
            notes=told.get("notes") or {},
            at=self.book.clock.now(),
        )
        charge.refunds.append(refund)
        return Answer(body=_refund(refund, charge))

    def _link(self, charge: Charge) -> dict[str, Any]:
        paid = charge.received is not None
        payments = [{"payment_id": charge.payment_id, "amount": int(charge.received or 0), "status": "captured"}]
        return {
            "id": charge.id,
            "amount": int(charge.amount),
            "amount_paid": int(charge.received or 0),
            "currency": charge.currency,
            "accept_partial": False,
            "reference_id": charge.reference,
            "status": _STATUS[charge.state],
            "short_url": f"{self.hub}/sandbox/pay/razorpay/{charge.id}",
            "expire_by": unix(charge.expires_at),
            "created_at": unix(charge.opened_at),
            "notes": charge.asked.get("notes") or [],
            "payments": payments if paid else None,
        }

    def deliveries(self, charge: Charge, *, declined: bool) -> tuple[Delivery, ...]:
        """The events of one payment; the one that it was authorised comes after that it was captured."""
        notes = charge.asked.get("notes") or []
        payment = {**_payment(charge), "notes": notes}
        if declined:
            return (self._event("payment.failed", payment={**payment, "status": "failed", "captured": False}),)
        order = {"id": f"order_{charge.id}", "amount": int(charge.amount), "notes": notes, "status": "paid"}
        return (
            self._event("payment.captured", payment=payment),
            self._event("payment.authorized", payment={**payment, "status": "authorized", "captured": False}),
            self._event("order.paid", payment=payment, order=order),
            self._event("payment_link.paid", payment=payment, order=order, payment_link=self._link(charge)),
        )

    def _event(self, kind: str, **entities: Any) -> Delivery:
        body = json.dumps(
            {
                "entity": "event",
                "account_id": "acc_sandbox",
                "event": kind,
                "contains": list(entities),
                "payload": {name: {"entity": entity} for name, entity in entities.items()},
                "created_at": unix(self.book.clock.now()),
            }
        ).encode()
        return Delivery(
            url=f"{self.hub}/webhooks/payments/razorpay",
            headers={
                "X-Razorpay-Signature": signature(self.secret, body),
                "X-Razorpay-Event-Id": self.book.name("ev_"),
            },
            body=body,
        )


def _payment(charge: Charge) -> dict[str, Any]:
    received = int(charge.received or charge.amount)
    back = int(charge.refunded)
    return {
        "id": charge.payment_id,
        "entity": "payment",
        "amount": received,
        "currency": charge.currency,
        "status": "refunded" if back >= received else "captured",
        "captured": True,
        "amount_refunded": back,
        "refund_status": None if not back else ("full" if back >= received else "partial"),
        "created_at": unix(charge.paid_at or charge.opened_at),
    }


def _refund(refund: SimulatedRefund, charge: Charge) -> dict[str, Any]:
    return {
        "id": refund.id,
        "entity": "refund",
        "amount": int(refund.amount),
        "currency": charge.currency,
        "payment_id": charge.payment_id,
        "notes": dict(refund.notes),
        "status": refund.status,
        "created_at": unix(refund.at),
    }


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _refused(status: int, words: str) -> Answer:
    return Answer(status=status, body={"error": {"code": "BAD_REQUEST_ERROR", "description": words}})


def _missing() -> Answer:
    return _refused(400, "The id provided does not exist")

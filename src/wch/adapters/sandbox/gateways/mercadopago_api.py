"""Mercado Pago's API as far as a shop needs it: Pix payments and refunds; six notices for one payment."""

import json
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

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
from wch.domain.moment import iso, of_iso, unix

SHORTEST = timedelta(minutes=30)

_STATUS = {
    ChargeState.OPEN: ("pending", "pending_waiting_transfer"),
    ChargeState.PAID: ("approved", "accredited"),
    ChargeState.CANCELLED: ("cancelled", "by_collector"),
    ChargeState.EXPIRED: ("cancelled", "expired"),
}


@attrs.frozen(kw_only=True)
class MercadoPagoApi:
    """Answers as Mercado Pago does.

    Attributes:
        token: the access token that calls must carry.
        secret: what the newer notices are signed with.
        hub: the hub's address.
    """

    name: str = attrs.field(default="mercadopago", init=False)
    book: Book
    token: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    hub: str

    def answer(self, asked: Asked) -> Answer:  # noqa: PLR0911 - a table of routes
        """Answer one call."""
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _refused(401, "unauthorized")
        told = _json(asked.body)
        match (asked.method, *asked.path):
            case ("POST", "v1", "payments"):
                return self._open(told, asked.headers.get("x-idempotency-key"))
            case ("GET", "v1", "payments", "search"):
                found = self.book.by_reference(self.name, asked.query.get("external_reference", ""))
                return Answer(body={"results": [] if found is None else [self._payment(found)]})
            case ("GET", "v1", "payments", payment_id):
                charge = self.book.of(self.name, payment_id)
                return _refused(404, "not_found") if charge is None else Answer(body=self._payment(charge))
            case ("PUT", "v1", "payments", payment_id):
                return self._cancel(payment_id, told)
            case ("POST", "v1", "payments", payment_id, "refunds"):
                return self._refund(payment_id, told, asked.headers.get("x-idempotency-key"))
            case ("GET", "v1", "payments", payment_id, "refunds"):
                charge = self.book.of(self.name, payment_id)
                return Answer(body=[] if charge is None else [_refund(one, charge) for one in charge.refunds])
        return _refused(404, "not_found")

    def _open(self, told: dict[str, Any], key: str | None) -> Answer:
        if not key:
            return _refused(400, "header_x_idempotency_key_required")
        known = self.book.keys.get((self.name, key))
        if known is not None:
            return Answer(status=201, body=self._payment(known))
        now = self.book.clock.now()
        amount, ends = told.get("transaction_amount"), _moment(told.get("date_of_expiration"))
        payer = told.get("payer")
        if not isinstance(amount, int | Decimal) or amount <= 0 or told.get("payment_method_id") != "pix":
            return _refused(400, "invalid_parameter")
        if not isinstance(payer, dict) or "@" not in str(payer.get("email", "")):
            return _refused(400, "payer_email_required")
        if ends is not None and ends < now + SHORTEST:
            return _refused(400, "invalid_date_of_expiration")
        number = self.book.number()
        charge = Charge(
            gateway=self.name,
            id=number,
            payment_id=number,
            reference=str(told.get("external_reference", "")),
            amount=Decimal(amount),
            currency="BRL",
            opened_at=now,
            expires_at=ends or now + timedelta(hours=24),
            asked=told,
            notify=str(told.get("notification_url") or ""),
        )
        self.book.keys[self.name, key] = self.book.add(charge)
        return Answer(status=201, body=self._payment(charge))

    def _cancel(self, payment_id: str, told: dict[str, Any]) -> Answer:
        charge = self.book.of(self.name, payment_id)
        if charge is None:
            return _refused(404, "not_found")
        if told.get("status") != "cancelled" or charge.state is not ChargeState.OPEN:
            return _refused(400, "invalid_payment_status")
        charge.state = ChargeState.CANCELLED
        return Answer(body=self._payment(charge))

    def _refund(self, payment_id: str, told: dict[str, Any], key: str | None) -> Answer:
        charge = self.book.of(self.name, payment_id)
        if charge is None or charge.received is None:
            return _refused(404, "not_found")
        known = next((one for one in charge.refunds if key and one.key == key), None)
        if known is not None:
            return Answer(status=201, body=_refund(known, charge))
        amount = Decimal(told.get("amount") or charge.received)
        if charge.refunded + amount > charge.received:
            return _refused(400, "amount_exceeds_available")
        refund = SimulatedRefund(
            id=self.book.number(),
            key=key or "",
            amount=amount,
            status="approved",
            notes={},
            at=self.book.clock.now(),
        )
        charge.refunds.append(refund)
        return Answer(status=201, body=_refund(refund, charge))

    def _payment(self, charge: Charge) -> dict[str, Any]:
        status, detail = _STATUS[charge.state]
        if charge.received is not None and charge.refunded >= charge.received:
            status, detail = "refunded", "refunded"
        return {
            "id": int(charge.id),
            "status": status,
            "status_detail": detail,
            "payment_method_id": "pix",
            "currency_id": charge.currency,
            "transaction_amount": charge.amount if charge.received is None else charge.received,
            "transaction_amount_refunded": charge.refunded,
            "external_reference": charge.reference,
            "date_created": iso(charge.opened_at),
            "date_approved": None if charge.paid_at is None else iso(charge.paid_at),
            "date_of_expiration": iso(charge.expires_at),
            "point_of_interaction": {
                "transaction_data": {
                    "qr_code": f"00020126580014br.gov.bcb.pix0136{charge.id}5204000053039865802BR6304SANDBOX",
                    "ticket_url": f"{self.hub}/sandbox/pay/mercadopago/{charge.id}",
                }
            },
        }

    def deliveries(self, charge: Charge, *, declined: bool) -> tuple[Delivery, ...]:
        """One notice that is signed, and five of the older feed, whose signatures fit nothing."""
        stamp, request_id = str(unix(self.book.clock.now())), self.book.name("r-")
        notice = {
            "action": "payment.updated" if declined else "payment.created",
            "api_version": "v1",
            "data": {"id": charge.id},
            "date_created": iso(self.book.clock.now()),
            "id": int(self.book.number()),
            "live_mode": False,
            "type": "payment",
            "user_id": "1",
        }
        signed = signature(self.secret, f"id:{charge.id};request-id:{request_id};ts:{stamp};".encode())
        hook = self._post(charge, {"data.id": charge.id, "type": "payment"}, notice, request_id, stamp, signed)
        feed = [("payment", charge.id), *(("merchant_order", self.book.number()) for _ in range(4))]
        older = tuple(
            self._post(
                charge, {"id": about, "topic": topic}, {"resource": about, "topic": topic}, request_id, stamp, "0" * 64
            )
            for topic, about in feed
        )
        return (older[0], hook, *older[1:])

    def _post(  # noqa: PLR0917 - private: the parts of a notice
        self, charge: Charge, query: dict[str, str], told: dict[str, Any], request_id: str, stamp: str, signed: str
    ) -> Delivery:
        address = charge.notify or f"{self.hub}/webhooks/payments/mercadopago"
        glue = "&" if urlsplit(address).query else "?"
        return Delivery(
            url=f"{address}{glue}{urlencode(query)}",
            headers={"x-signature": f"ts={stamp},v1={signed}", "x-request-id": request_id},
            body=json.dumps(told).encode(),
        )


def _refund(refund: SimulatedRefund, charge: Charge) -> dict[str, Any]:
    return {
        "id": int(refund.id),
        "payment_id": int(charge.id),
        "amount": refund.amount,
        "status": refund.status,
        "date_created": iso(refund.at),
    }


def _moment(told: Any) -> datetime | None:
    try:
        return of_iso(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body or b"{}", parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _refused(status: int, error: str) -> Answer:
    return Answer(status=status, body={"message": error, "error": error, "status": status, "cause": []})

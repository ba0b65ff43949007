"""Stripe's API as far as a shop needs it: sessions, their expiry, refunds; events signed with a time."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

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

SHORTEST = timedelta(minutes=30)
LONGEST = timedelta(hours=24)

_STATUS = {ChargeState.OPEN: "open", ChargeState.PAID: "complete"}


@attrs.frozen(kw_only=True)
class StripeApi:
    """Answers as Stripe does.

    Attributes:
        key: the secret key that calls must carry.
        secret: what events are signed with.
        hub: the hub's address.
    """

    name: str = attrs.field(default="stripe", init=False)
    book: Book
    key: str = attrs.field(repr=False)
    secret: str = attrs.field(repr=False)
    hub: str

    def answer(self, asked: Asked) -> Answer:
        """Answer one call; one under a key that was answered before gets that answer."""
        if asked.headers.get("authorization") != f"Bearer {self.key}":
            return _refused(401, "invalid_request_error", "Invalid API Key provided.")
        key = asked.headers.get("idempotency-key")
        if asked.method != "POST" or key is None:
            return self._answer(asked)
        known = self.book.keys.get((self.name, key))
        if known is None:
            known = self.book.keys[self.name, key] = (asked.body, self._answer(asked))
        body, answered = known
        if body != asked.body:
            return _refused(400, "idempotency_error", "Keys can only be used with the same parameters.")
        told: Answer = answered
        return told

    def _answer(self, asked: Asked) -> Answer:
        form = dict(parse_qsl(asked.body.decode("utf-8", "replace"), keep_blank_values=True))
        match (asked.method, *asked.path):
            case ("POST", "v1", "checkout", "sessions"):
                return self._open(form)
            case ("GET", "v1", "checkout", "sessions", session_id):
                charge = self.book.of(self.name, session_id)
                return _missing() if charge is None else Answer(body=self._session(charge))
            case ("POST", "v1", "checkout", "sessions", session_id, "expire"):
                return self._expire(session_id)
            case ("POST", "v1", "refunds"):
                return self._refund(form)
            case ("GET", "v1", "refunds"):
                charge = self.book.by_payment(self.name, asked.query.get("payment_intent", ""))
                refunds = [] if charge is None else [_refund(one, charge) for one in charge.refunds]
                return Answer(body={"object": "list", "data": refunds, "has_more": False})
        return _missing()

    def _open(self, form: dict[str, str]) -> Answer:
        now = self.book.clock.now()
        price = "line_items[0][price_data]"
        try:
            amount, expires_at = int(form[f"{price}[unit_amount]"]), of_unix(int(form["expires_at"]))
            currency = form[f"{price}[currency]"]
        except (KeyError, ValueError):
            return _refused(400, "parameter_missing", "Missing required param.")
        if form.get("mode") != "payment" or not form.get("success_url") or amount < 1:
            return _refused(400, "parameter_invalid", "This cannot be charged.")
        if not now + SHORTEST <= expires_at <= now + LONGEST:
            return _refused(400, "expires_at_invalid", "The expires_at must be 30 minutes to 24 hours ahead.")
        charge = Charge(
            gateway=self.name,
            id=self.book.name("cs_test_"),
            payment_id=self.book.name("pi_"),
            reference=form.get("client_reference_id", ""),
            amount=Decimal(amount),
            currency=currency,
            opened_at=now,
            expires_at=expires_at,
            asked=form,
        )
        return Answer(body=self._session(self.book.add(charge)))

    def _expire(self, session_id: str) -> Answer:
        charge = self.book.of(self.name, session_id)
        if charge is None:
            return _missing()
        if charge.state is not ChargeState.OPEN:
            return _refused(400, "resource_invalid_state", "Only sessions with a status in [open] can be expired.")
        charge.state = ChargeState.EXPIRED
        return Answer(body=self._session(charge))

    def _refund(self, form: dict[str, str]) -> Answer:
        charge = self.book.by_payment(self.name, form.get("payment_intent", ""))
        if charge is None or charge.received is None:
            return _missing()
        amount = Decimal(form.get("amount", str(charge.received)))
        if charge.refunded + amount > charge.received:
            return _refused(400, "charge_already_refunded", "Refund amount is greater than unrefunded amount.")
        refund = SimulatedRefund(
            id=self.book.name("re_"),
            key=form.get("metadata[key]", ""),
            amount=amount,
            status="succeeded",
            notes={"key": form.get("metadata[key]", "")},
            at=self.book.clock.now(),
        )
        charge.refunds.append(refund)
        return Answer(body=_refund(refund, charge))

    def _session(self, charge: Charge) -> dict[str, Any]:
        paid = charge.state is ChargeState.PAID
        intent = None
        if paid:
            received = int(charge.received or 0)
            intent = {
                "id": charge.payment_id,
                "object": "payment_intent",
                "status": "succeeded",
                "amount": int(charge.amount),
                "amount_received": received,
                "currency": charge.currency,
                "metadata": {"reference": charge.reference},
                "latest_charge": {
                    "id": f"ch_{charge.payment_id.removeprefix('pi_')}",
                    "object": "charge",
                    "amount": received,
                    "amount_refunded": int(charge.refunded),
                    "refunded": bool(received) and int(charge.refunded) == received,
                    "disputed": False,
                    "currency": charge.currency,
                    "created": unix(charge.paid_at or charge.opened_at),
                },
            }
        return {
            "id": charge.id,
            "object": "checkout.session",
            "mode": "payment",
            "status": _STATUS.get(charge.state, "expired"),
            "payment_status": "paid" if paid else "unpaid",
            "client_reference_id": charge.reference,
            "metadata": {"reference": charge.reference},
            "amount_total": int(charge.amount),
            "currency": charge.currency,
            "expires_at": unix(charge.expires_at),
            "payment_intent": intent,
            "url": f"{self.hub}/sandbox/pay/stripe/{charge.id}" if charge.state is ChargeState.OPEN else None,
        }

    def deliveries(self, charge: Charge, *, declined: bool) -> tuple[Delivery, ...]:
        """The events of one payment, which come in no order that could be counted on."""
        session = self._session(charge)
        if declined:
            failed = {"id": charge.payment_id, "object": "payment_intent", "metadata": {"reference": charge.reference}}
            return (self._event("payment_intent.payment_failed", failed),)
        intent = session["payment_intent"]
        snapshot = {**session, "payment_intent": charge.payment_id}
        return (
            self._event("payment_intent.succeeded", {**intent, "latest_charge": intent["latest_charge"]["id"]}),
            self._event("charge.succeeded", {**intent["latest_charge"], "payment_intent": charge.payment_id}),
            self._event("checkout.session.completed", snapshot),
        )

    def _event(self, kind: str, told: Any) -> Delivery:
        now = unix(self.book.clock.now())
        body = json.dumps(
            {
                "id": self.book.name("evt_"),
                "object": "event",
                "type": kind,
                "created": now,
                "livemode": False,
                "data": {"object": told},
            }
        ).encode()
        signed = signature(self.secret, f"{now}.".encode() + body)
        return Delivery(
            url=f"{self.hub}/webhooks/payments/stripe",
            headers={"Stripe-Signature": f"t={now},v1={signed},v0={'0' * 64}"},
            body=body,
        )


def _refund(refund: SimulatedRefund, charge: Charge) -> dict[str, Any]:
    return {
        "id": refund.id,
        "object": "refund",
        "amount": int(refund.amount),
        "currency": charge.currency,
        "payment_intent": charge.payment_id,
        "metadata": dict(refund.notes),
        "status": refund.status,
        "created": unix(refund.at),
    }


def _refused(status: int, code: str, message: str) -> Answer:
    return Answer(status=status, body={"error": {"type": "invalid_request_error", "code": code, "message": message}})


def _missing() -> Answer:
    return _refused(404, "resource_missing", "No such resource.")

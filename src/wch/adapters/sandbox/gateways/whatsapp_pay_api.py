"""Payments inside the chat as Meta keeps them: bills that were sent, what was paid on them, what went back."""

import json
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.gateways.book import Book
from wch.adapters.sandbox.gateways.charge import Answer, Asked, Charge, ChargeState, Delivery, SimulatedRefund
from wch.adapters.sandbox.refusals import GraphRefusalError, error_body, http_status_of
from wch.domain.document import JsonObject
from wch.domain.moment import of_unix, unix

OFFSET = 100
PAID_ALREADY = 2047
"""An order that was paid cannot be called off."""

_STATUS = {
    ChargeState.OPEN: "new",
    ChargeState.PAID: "captured",
    ChargeState.CANCELLED: "canceled",
    ChargeState.EXPIRED: "canceled",
}


@attrs.frozen(kw_only=True)
class WhatsAppPayApi:
    """Answers as the Graph API does about payments in India, and tells of them as WhatsApp's webhook does.

    Attributes:
        secret: the app secret that signs what is told.
        waba_id: the account.
        hub: the hub's address.
    """

    name: str = attrs.field(default="whatsapp_pay", init=False)
    book: Book
    secret: str = attrs.field(repr=False)
    waba_id: str
    hub: str

    def said(self, number: str, wa_id: str, message_id: str, body: JsonObject) -> int | None:
        """Take note of a message about an order; the code with which it fails later, if it does.

        Raises:
            GraphRefusalError: its reference was used before.
        """
        interactive = body.get("interactive")
        kind = interactive.get("type") if isinstance(interactive, Mapping) else None
        if kind == "order_details" and isinstance(interactive, Mapping):
            self._bill(number, wa_id, message_id, interactive["action"]["parameters"])
        if kind == "order_status" and isinstance(interactive, Mapping):
            return self._moved(interactive["action"]["parameters"])
        return None

    def _bill(self, number: str, wa_id: str, message_id: str, told: Mapping[str, Any]) -> None:
        """A bill can be paid here when it names a gateway or UPI; any other way is somebody else's."""
        settings: list[Any] = [one.get("payment_gateway") for one in told.get("payment_settings") or ()]
        gateway = next((one for one in settings if isinstance(one, Mapping)), None)
        configuration = told.get("payment_configuration") if gateway is None else gateway.get("configuration_name")
        reference = str(told["reference_id"])
        if configuration is None:
            return
        if self.book.of(self.name, reference) is not None:
            raise GraphRefusalError(131009, "Parameter reference_id was used before.")
        now = self.book.clock.now()
        expiration = told["order"].get("expiration")
        self.book.add(
            Charge(
                gateway=self.name,
                id=reference,
                payment_id=self.book.name("pay_"),
                reference=reference,
                amount=Decimal(told["total_amount"]["value"]),
                currency=str(told["currency"]),
                opened_at=now,
                expires_at=now + timedelta(days=1) if expiration is None else of_unix(int(expiration["timestamp"])),
                asked={
                    "number": number,
                    "wa_id": wa_id,
                    "message_id": message_id,
                    "configuration": configuration,
                    "provider": "upi" if gateway is None else gateway.get("type"),
                },
            )
        )

    def _moved(self, told: Mapping[str, Any]) -> int | None:
        charge = self.book.of(self.name, str(told["reference_id"]))
        if charge is None or told["order"].get("status") != "canceled":
            return None
        if charge.state is ChargeState.PAID:
            return PAID_ALREADY
        charge.state = ChargeState.CANCELLED
        return None

    def answer(self, asked: Asked) -> Answer:
        """Answer one call."""
        match (asked.method, *asked.path):
            case ("GET", number, "payments", configuration, reference):
                charge = self._charge(number, configuration, reference)
                return _refused("The payment does not exist.") if charge is None else Answer(body=_told(charge))
            case ("POST", number, "payments_refund"):
                return self._refund(number, _json(asked.body))
        return _refused("Unsupported request.")

    def _charge(self, number: str, configuration: Any, reference: Any) -> Charge | None:
        charge = self.book.of(self.name, str(reference))
        known = None if charge is None else (charge.asked["number"], charge.asked["configuration"])
        return charge if known == (number, configuration) else None

    def _refund(self, number: str, told: dict[str, Any]) -> Answer:
        """Give back; there is no key, so asked twice it goes twice."""
        charge = self._charge(number, told.get("payment_config_id"), told.get("reference_id"))
        wanted = told.get("amount")
        if charge is None or charge.received is None or not isinstance(wanted, Mapping):
            return _refused("There is nothing to refund.")
        amount = Decimal(str(wanted.get("value", "0"))) * OFFSET / Decimal(str(wanted.get("offset", OFFSET)))
        if amount <= 0 or charge.refunded + amount > charge.received:
            return _refused("The refund is more than what was captured.")
        refund = SimulatedRefund(
            id=self.book.name("rfnd_"), key="", amount=amount, status="success", notes={}, at=self.book.clock.now()
        )
        charge.refunds.append(refund)
        return Answer(body={"id": refund.id, "status": "completed", "speed_processed": "normal"})

    def deliveries(self, charge: Charge, *, declined: bool) -> tuple[Delivery, ...]:
        """One status of the bill's message, signed as everything that WhatsApp posts."""
        now = unix(self.book.clock.now())
        transaction = _transaction(charge, "failed" if declined else "success", at=now)
        status = {
            "id": charge.asked["message_id"],
            "recipient_id": charge.asked["wa_id"],
            "type": "payment",
            "status": "failed" if declined else "captured",
            "payment": {
                "reference_id": charge.reference,
                "amount": transaction["amount"],
                "currency": charge.currency,
                "transaction": transaction,
            },
            "timestamp": str(now),
        }
        business = deliveries.Business(number=charge.asked["number"])
        body = deliveries.body_of([deliveries.status_value(business, status)], waba_id=self.waba_id)
        signed = deliveries.signature(body, self.secret)
        return (Delivery(url=f"{self.hub}/webhooks/whatsapp", headers={"X-Hub-Signature-256": signed}, body=body),)


def _told(charge: Charge) -> dict[str, Any]:
    paid = charge.paid_at
    transactions = [] if paid is None else [_transaction(charge, "success", at=unix(paid))]
    payment: dict[str, Any] = {
        "reference_id": charge.reference,
        "status": _STATUS[charge.state],
        "currency": charge.currency,
        "amount": _amount(charge.amount),
        "transactions": transactions,
        "refunds": [
            {
                "id": one.id,
                "amount": _amount(one.amount),
                "speed_processed": "normal",
                "status": one.status,
                "created_timestamp": unix(one.at),
                "updated_timestamp": unix(one.at),
            }
            for one in charge.refunds
        ],
    }
    return {"payments": [payment]}


def _transaction(charge: Charge, status: str, *, at: int) -> dict[str, Any]:
    return {
        "id": charge.payment_id,
        "type": charge.asked["provider"],
        "status": status,
        "amount": _amount(charge.amount if charge.received is None else charge.received),
        "currency": charge.currency,
        "created_timestamp": at,
        "updated_timestamp": at,
        "method": {"type": "upi"},
    }


def _amount(units: Decimal) -> dict[str, int]:
    return {"value": int(units), "offset": OFFSET}


def _refused(details: str) -> Answer:
    return Answer(status=http_status_of(100), body=error_body(100, details, trace="sandbox"))


def _json(body: bytes) -> dict[str, Any]:
    try:
        told = json.loads(body)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}

"""The simulated gateways together: their APIs, the customer who pays, and the notices that follow."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import httpx2

from wch.adapters.sandbox.gateways.book import Book
from wch.adapters.sandbox.gateways.charge import Answer, Asked, Charge, ChargeState, SimulatedGateway
from wch.adapters.sandbox.gateways.whatsapp_pay_api import WhatsAppPayApi
from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.moment import iso

log = logging.getLogger(__name__)

PAY = "pay"
DECLINE = "decline"
WRONG_AMOUNT = "wrong_amount"
PAY_SILENTLY = "pay_silently"
PAY_LATE = "pay_late"
DEEDS = (PAY, DECLINE, WRONG_AMOUNT, PAY_SILENTLY, PAY_LATE)
"""What a customer may do: pay, fail to, pay one unit too little, pay while no notice arrives, or pay when it is over."""


class SimulatedGateways:
    """Stands in for the gateways; what it posts goes over HTTP with the gateways' own signatures.

    Args:
        book: where payments are kept.
        gateways: how each speaks.
        in_chat: the payments inside WhatsApp, which have no API of their own: Graph's is asked.
        http: the client that posts; whoever made it closes it.
    """

    def __init__(
        self,
        *,
        book: Book,
        gateways: tuple[SimulatedGateway, ...],
        in_chat: WhatsAppPayApi,
        http: httpx2.AsyncClient,
    ) -> None:
        self.in_chat = in_chat
        self._book = book
        ways: tuple[SimulatedGateway, ...] = (*gateways, in_chat)
        self._gateways = {gateway.name: gateway for gateway in ways}
        self._http = http
        self._tasks: set[asyncio.Task[None]] = set()
        self._log: list[JsonObject] = []

    def called(
        self,
        gateway: str,
        *,
        method: str,
        path: Sequence[str],
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes,
    ) -> Answer:
        """Answer one call to a gateway's API."""
        asked = Asked(method=method, path=tuple(path), query=query, headers=headers, body=body)
        way = self._gateways.get(gateway)
        answered = Answer(status=404, body={"error": "no such gateway"}) if way is None else way.answer(asked)
        self._log.append(
            {
                "gateway": gateway,
                "at": iso(self._book.clock.now()),
                "call": f"{asked.method} /{'/'.join(asked.path)}",
                "key": next((asked.headers[name] for name in _KEYS if name in asked.headers), None),
                "status": answered.status,
            }
        )
        return answered

    def calls(self) -> list[JsonObject]:
        """Every call to the APIs, the oldest first."""
        return list(self._log)

    def payments(self) -> list[JsonObject]:
        """Every payment that was opened, the oldest first."""
        return [_plain(charge) for charge in self._book.all()]

    def payment(self, gateway: str, charge_id: str) -> JsonObject:
        """One payment.

        Raises:
            NotFoundError: there is none of this id.
        """
        return _plain(self._found(gateway, charge_id))

    def clear(self) -> None:
        """Forget payments and calls."""
        self._book.charges.clear()
        self._book.keys.clear()
        self._log.clear()

    async def act(self, gateway: str, charge_id: str, deed: str) -> JsonObject:
        """Do as a customer would; the notices go out by the way.

        Raises:
            NotFoundError: there is no such payment.
            ConflictError: it cannot be paid any more; or it is to be paid late and is still open.
        """
        charge = self._found(gateway, charge_id)
        if deed == PAY_LATE:
            if charge.state not in {ChargeState.CANCELLED, ChargeState.EXPIRED}:
                raise ConflictError(
                    "Late is when a payment was cancelled or its time has passed; this one is not there."
                )
        elif charge.state is not ChargeState.OPEN:
            raise ConflictError("This payment is over: it was paid, cancelled, or its time has passed.")
        if deed != DECLINE:
            charge.state = ChargeState.PAID
            charge.received = charge.amount - 1 if deed == WRONG_AMOUNT else charge.amount
            charge.paid_at = self._book.clock.now()
        if deed != PAY_SILENTLY:
            task = asyncio.create_task(self._post(charge, declined=deed == DECLINE))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return _plain(charge)

    async def settle(self) -> None:
        """Wait until every notice has gone out."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self) -> None:
        """Drop the notices that have not gone out."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _post(self, charge: Charge, *, declined: bool) -> None:
        """Post what the gateway would, each thing once; one that is not taken is not brought again."""
        for delivery in self._gateways[charge.gateway].deliveries(charge, declined=declined):
            headers = {"Content-Type": "application/json", **delivery.headers}
            try:
                await self._http.post(delivery.url, content=delivery.body, headers=headers)
            except httpx2.HTTPError as error:
                log.info("the hub did not answer a gateway", extra={"error": type(error).__name__})

    def _found(self, gateway: str, charge_id: str) -> Charge:
        found = self._book.of(gateway, charge_id)
        if found is None:
            raise NotFoundError(kind="payment", id=charge_id)
        return found


_KEYS = ("idempotency-key", "x-idempotency-key", "x-refund-idempotency")


def _plain(charge: Charge) -> dict[str, Any]:
    return {
        "gateway": charge.gateway,
        "id": charge.id,
        "payment_id": charge.payment_id,
        "reference": charge.reference,
        "amount": _text(charge.amount),
        "currency": charge.currency.upper(),
        "state": charge.state.value,
        "received": None if charge.received is None else _text(charge.received),
        "refunded": _text(charge.refunded),
        "expires_at": iso(charge.expires_at),
    }


def _text(amount: Decimal) -> str:
    return f"{amount:f}"

"""The sandbox itself: a Graph API that accepts and reports, and phones that say things."""

import asyncio
import base64
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import attrs
import httpx2

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.refusals import error, refusal
from wch.application.ports import Clock, Ids
from wch.domain.moment import iso, unix

log = logging.getLogger(__name__)

WINDOW = timedelta(hours=24)
MOST_KEPT = 10_000
"""Calls and messages kept for looking at; the oldest go first."""


@attrs.define(kw_only=True)
class Spoken:
    """One thing that a phone shows."""

    id: str
    direction: str
    type: str
    body: dict[str, Any]
    at: datetime
    statuses: list[str]
    callback_data: str | None = None

    def plain(self) -> dict[str, Any]:
        """As the JSON interface gives it."""
        return {
            "id": self.id,
            "direction": self.direction,
            "type": self.type,
            "body": self.body,
            "at": iso(self.at),
            "statuses": list(self.statuses),
        }


@attrs.define(kw_only=True)
class Customer:
    """One phone."""

    wa_id: str
    name: str
    spoken: list[Spoken] = attrs.field(factory=list)
    wrote_at: datetime | None = None
    user_id: str | None = None


class Sandbox:
    """Stands in for WhatsApp: what it posts is signed and goes over HTTP, as Meta's servers would.

    Args:
        webhook_url: where deliveries go.
        secret: the app secret that signs them.
        token: the access token that calls must carry.
        number: the phone number id of a hub that serves any.
        clock: the hub's clock, so that moving it moves the phones too.
        ids: chance.
        http: the client that posts.
        advance: moves the clock of every process on the database.
    """

    def __init__(  # noqa: PLR0913 - everything that the outside world is made of
        self,
        *,
        webhook_url: str,
        secret: str,
        token: str,
        number: str,
        waba_id: str,
        clock: Clock,
        ids: Ids,
        http: httpx2.AsyncClient,
        advance: Callable[[timedelta], Any],
    ) -> None:
        self.faults = Faults()
        self.webhook_url = webhook_url
        self.number = number
        self.clock = clock
        self._secret = secret
        self._token = token
        self._waba_id = waba_id
        self._ids = ids
        self._http = http
        self._advance = advance
        self._customers: dict[str, Customer] = {}
        self._log: list[dict[str, Any]] = []
        self._held: list[bytes] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- the phones

    async def say(self, wa_id: str, body: dict[str, Any]) -> dict[str, Any]:
        """Say something as this customer: the body of a Cloud API message without its envelope."""
        customer = self._customer(wa_id, body.get("name"))
        message = {key: value for key, value in body.items() if key not in {"name", "tap"}}
        if "tap" in body:
            message = {**message, **self._tapped(customer, str(body["tap"]))}
        now = self.clock.now()
        message.setdefault("id", self._message_id(wa_id))
        message.setdefault("timestamp", str(unix(now)))
        message.setdefault("type", "text")
        hidden = self.faults.take(FaultKind.BSUID_ONLY)
        if hidden is not None:
            customer.user_id = f"US.{int.from_bytes(wa_id.encode(), 'big') % 10**20}"
        spoken = Spoken(
            id=str(message["id"]), direction="inbound", type=str(message["type"]), body=message, at=now, statuses=[]
        )
        customer.spoken.append(spoken)
        customer.wrote_at = now
        self._read_all(customer)
        value = deliveries.message_value(
            message,
            number=self.number,
            display="15550001111",
            wa_id=wa_id,
            name=customer.name,
            user_id=customer.user_id if hidden is not None else None,
        )
        status = await self._deliver(value)
        return {"id": spoken.id, "status": status}

    def messages(self, wa_id: str) -> list[dict[str, Any]]:
        """What both sides said, in order."""
        customer = self._customers.get(wa_id)
        return [] if customer is None else [spoken.plain() for spoken in customer.spoken]

    def customers(self) -> list[dict[str, Any]]:
        """The phones that there are."""
        return [{"wa_id": one.wa_id, "name": one.name, "messages": len(one.spoken)} for one in self._customers.values()]

    def _customer(self, wa_id: str, name: Any = None) -> Customer:
        customer = self._customers.get(wa_id)
        if customer is None:
            customer = self._customers[wa_id] = Customer(wa_id=wa_id, name=f"Customer {wa_id[-4:]}")
        if isinstance(name, str) and name:
            customer.name = name
        return customer

    def _tapped(self, customer: Customer, word: str) -> dict[str, Any]:
        """The reply that tapping this id or title on the latest message that offers it makes."""
        for spoken in reversed(customer.spoken):
            action = spoken.body.get("interactive", {}).get("action", {})
            for button in action.get("buttons", ()):
                reply = button.get("reply", {})
                if word in {reply.get("id"), reply.get("title")}:
                    return _reply("button_reply", reply)
            for section in action.get("sections", ()):
                for row in section.get("rows", ()):
                    if word in {row.get("id"), row.get("title")}:
                        return _reply("list_reply", row)
        return {"type": "text", "text": {"body": word}}

    def _read_all(self, customer: Customer) -> None:
        """Who writes has read what was on the screen."""
        for spoken in customer.spoken:
            if spoken.direction == "outbound" and "delivered" in spoken.statuses and "read" not in spoken.statuses:
                self._later(self._status(customer, spoken, "read"))

    # --- the Graph API

    async def graph(
        self, version: str, number: str, authorization: str | None, body: Any
    ) -> tuple[int, dict[str, Any], float]:
        """Answer a call to `/{version}/{number}/messages`: status, body, and seconds to answer after.

        A negative number of seconds means that the connection is cut without an answer.
        """
        status, answer, seconds = self._answer(number, authorization, body)
        self._log.append(
            {
                "at": iso(self.clock.now()),
                "method": "POST",
                "path": f"/{version}/{number}/messages",
                "body": body,
                "status": None if seconds < 0 else status,
                "answer": None if seconds < 0 else answer,
            }
        )
        del self._log[:-MOST_KEPT]
        return status, answer, seconds

    def graph_log(self) -> list[dict[str, Any]]:
        """Every call so far, the oldest first."""
        return list(self._log)

    def _answer(self, number: str, authorization: str | None, body: Any) -> tuple[int, dict[str, Any], float]:
        if authorization != f"Bearer {self._token}":
            return *error(190, "Invalid OAuth access token", "The access token is not valid", status=401), 0.0
        if isinstance(body, dict) and body.get("status") == "read":
            return 200, {"success": True}, 0.0
        fault = self.faults.take(FaultKind.ERROR, FaultKind.DOWN, FaultKind.SLOW, FaultKind.TIMEOUT_AFTER_ACCEPT)
        if fault is not None and fault.kind is FaultKind.DOWN:
            return 503, {}, 0.0
        if fault is not None and fault.kind is FaultKind.ERROR:
            return *error(fault.code, "Ordered by the sandbox", "an ordered fault"), 0.0
        refused = refusal(body)
        if refused is not None:
            return *refused, 0.0
        seconds = 0.0 if fault is None else (-1.0 if fault.kind is FaultKind.TIMEOUT_AFTER_ACCEPT else fault.seconds)
        return 200, self._accept(number, body), seconds

    def _accept(self, number: str, body: dict[str, Any]) -> dict[str, Any]:
        """Take the message, show it on the phone, and report on it."""
        digits = "".join(letter for letter in str(body.get("to") or "") if letter.isdigit())
        customer = self._by_user(str(body.get("recipient"))) if not digits else self._customer(digits)
        wa_id = customer.wa_id
        message_id = self._message_id(wa_id)
        kind = str(body.get("type", "text"))
        shown = {key: body[key] for key in ("type", kind, "context") if key in body}
        spoken = Spoken(
            id=message_id,
            direction="outbound",
            type=kind,
            body={"type": kind, **shown},
            at=self.clock.now(),
            statuses=[],
            callback_data=body.get("biz_opaque_callback_data"),
        )
        customer.spoken.append(spoken)
        del customer.spoken[:-MOST_KEPT]
        closed = customer.wrote_at is None or self.clock.now() >= customer.wrote_at + WINDOW
        if closed and kind != "template":
            self._later(self._failed(customer, spoken))
        else:
            self._later(self._travel(customer, spoken))
        contact = {"input": body.get("to") or body.get("recipient"), "wa_id": wa_id}
        return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message_id}]}

    def _by_user(self, user_id: str) -> Customer:
        found = next((one for one in self._customers.values() if one.user_id == user_id), None)
        return found if found is not None else self._customer(user_id.rpartition(".")[2][:20])

    # --- statuses

    async def _travel(self, customer: Customer, spoken: Spoken) -> None:
        """The way of a message: sent, then delivered."""
        if self.faults.take(FaultKind.STATUS_LOST) is not None:
            return
        if self.faults.take(FaultKind.STATUS_FIRST) is None:
            await asyncio.sleep(0.01)
        for word in ("sent", "delivered"):
            await self._status(customer, spoken, word)

    async def _failed(self, customer: Customer, spoken: Spoken) -> None:
        """Outside the window the answer is accepted, and a status says later that it failed."""
        reason = {
            "code": 131047,
            "title": "Re-engagement message",
            "message": "Re-engagement message",
            "error_data": {"details": "More than 24 hours have passed since the customer last replied to this number."},
        }
        await self._status(customer, spoken, "failed", errors=[reason])

    async def _status(self, customer: Customer, spoken: Spoken, word: str, **more: Any) -> None:
        spoken.statuses.append(word)
        status: dict[str, Any] = {
            "id": spoken.id,
            "status": word,
            "timestamp": str(unix(self.clock.now())),
            "recipient_id": customer.wa_id,
            **more,
        }
        if spoken.callback_data is not None:
            status["biz_opaque_callback_data"] = spoken.callback_data
        if word in {"sent", "delivered"}:
            status["pricing"] = {"billable": False, "pricing_model": "PMP", "category": "service", "type": "regular"}
        await self._deliver(deliveries.status_value(status, number=self.number, display="15550001111"))

    # --- the way to the hub

    async def _deliver(self, value: dict[str, Any]) -> int | None:
        """Post one value, signed; faults make it come twice, late, or with another."""
        body = deliveries.body_of(value, waba_id=self._waba_id)
        if self.faults.take(FaultKind.REORDER, FaultKind.BATCH) is not None:
            self._held.append(body)
            return None
        twice = self.faults.take(FaultKind.DUPLICATE) is not None
        status = await self._post(body)
        if twice:
            await self._post(body)
        held, self._held = self._held, []
        for late in held:
            await self._post(late)
        return status

    async def _post(self, body: bytes) -> int | None:
        headers = {"X-Hub-Signature-256": deliveries.sign(body, self._secret), "Content-Type": "application/json"}
        for pause in (0.0, 0.2, 1.0):
            await asyncio.sleep(pause)
            try:
                answer = await self._http.post(self.webhook_url, content=body, headers=headers)
            except httpx2.HTTPError as failed:
                log.warning("the hub did not take a delivery", extra={"error": type(failed).__name__})
                continue
            if answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR:
                return answer.status_code
        return None

    # --- the clock

    async def advance(self, span: timedelta) -> datetime:
        """Move the time forward, for every process on the database."""
        await self._advance(span)
        return self.clock.now()

    async def aclose(self) -> None:
        """Stop reporting."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.aclose()

    def _later(self, what: Any) -> None:
        task = asyncio.create_task(what)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _message_id(self, wa_id: str) -> str:
        """An id as WhatsApp makes them: base64 with the number inside."""
        raw = b"\x1d\x0b" + wa_id.encode() + b"\x15\x02\x00" + bytes.fromhex(self._ids.token())
        return f"wamid.{base64.b64encode(raw).decode()}"


def _reply(kind: str, chosen: dict[str, Any]) -> dict[str, Any]:
    kept = {key: chosen[key] for key in ("id", "title", "description") if key in chosen}
    return {"type": "interactive", "interactive": {"type": kind, kind: kept}}

"""The sandbox itself: phones that say things, and a Graph API that takes answers and reports on them."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import httpx2

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.deliveries import DISPLAY, Business, user_id_of
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.gateways import SimulatedGateways
from wch.adapters.sandbox.graph import GraphAnswer, GraphApi, GraphCall, Taken
from wch.adapters.sandbox.phones import Phone, Spoken
from wch.adapters.sandbox.postman import AGAIN_AFTER_SECONDS, Postman
from wch.adapters.sandbox.refusals import MEDIA, status_error, title_of
from wch.adapters.sandbox.templates import ApprovedTemplate
from wch.application.ports import Clock, Ids
from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import unix

WINDOW = timedelta(hours=24)
PACE_SECONDS = 0.01
"""How long a message is on its way between two statuses."""

SAMPLE_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SAMPLE_TYPES: Mapping[str, str] = {
    "image": "image/png", "sticker": "image/webp", "video": "video/mp4", "audio": "audio/ogg; codecs=opus",
    "document": "application/pdf",
}  # fmt: skip

_WA_ID = re.compile(r"[0-9]{5,20}\Z")
_ENVELOPE = ("name", "tap", "number")
_CONTENTS = ("text", "interactive", "button", "location", "order", "contacts", "reaction", "system", *MEDIA)


class SayingRefusedError(WchError):
    """This is not the body of a Cloud API message without its envelope."""


async def _never_heard(_wa_id: str) -> datetime | None:
    return None


class Sandbox:
    """Stands in for WhatsApp: what it posts is signed and goes over HTTP, as from Meta's servers.

    Args:
        webhook_url: where deliveries go.
        secret: the app secret that signs them.
        token: the access token that calls must carry.
        number: the phone number id that customers write to unless they name another.
        waba_id: the account.
        clock: the hub's clock, so that moving it moves the phones too.
        ids: chance.
        http: the client that posts; closed with the sandbox.
        advance: moves the clock of every process on the database.
        numbers: further phone number ids of the account; `*` knows every one.
        templates: the approved ones.
        heard_before: when a customer wrote last, as far as it is known from before this
            process; for customers who have not written since.
        pace: seconds between two statuses of a message.
        again_after: the pauses before a delivery that was not taken is tried again.
        gateways: stand-ins for those who take the money; closed with the sandbox.
    """

    def __init__(
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
        advance: Callable[[timedelta], Awaitable[object]],
        numbers: Sequence[str] = (),
        templates: Sequence[ApprovedTemplate] = (),
        heard_before: Callable[[str], Awaitable[datetime | None]] = _never_heard,
        pace: float = PACE_SECONDS,
        again_after: Sequence[float] = AGAIN_AFTER_SECONDS,
        gateways: SimulatedGateways | None = None,
    ) -> None:
        self.faults = Faults()
        self.gateways = gateways
        self.clock = clock
        self._number = number
        self._ids = ids
        self._http = http
        self._advance = advance
        self._heard_before = heard_before
        self._pace = pace
        self._templates = tuple(templates)
        self._phones: dict[str, Phone] = {}
        self._by_user_id: dict[str, str] = {}
        self._late: list[JsonObject] = []
        self._together: list[JsonObject] = []
        self._timers: set[asyncio.Task[None]] = set()
        self._postman = Postman(
            url=webhook_url, secret=secret, waba_id=waba_id, http=http, faults=self.faults, again_after=again_after
        )
        self._graph = GraphApi(
            token=token,
            numbers=tuple(dict.fromkeys((*numbers, number))),
            waba_id=waba_id,
            templates=self._templates,
            clock=clock,
            ids=ids,
            faults=self.faults,
            take=self._take,
            mark_read=self._business_read,
        )

    # --- the phones

    async def say(self, wa_id: str, body: JsonObject) -> JsonObject:
        """Say something as this customer, and bring it to the hub.

        Args:
            wa_id: digits.
            body: a Cloud API message without its envelope, or `{"tap": "<id or title>"}`;
                beside it `name`, `id`, `timestamp` and `number` if wanted.

        Returns:
            The message's id, the hub's HTTP status (None without an answer), and whether a
            fault holds it back.

        Raises:
            SayingRefusedError: it is no such message.
            NotFoundError: nothing on the phone offers what is tapped.
        """
        phone = self._phone(wa_id)
        name = body.get("name")
        if isinstance(name, str) and name:
            phone.name = name
        now = self.clock.now()
        number = str(body.get("number") or self._number)
        message = self._message(phone, body, number)
        message = {"id": self._message_id(wa_id, inbound=True), "timestamp": str(unix(now)), **message}
        content = {key: value for key, value in message.items() if key not in {"id", "timestamp"}}
        spoken = Spoken(
            id=str(message["id"]), direction="inbound", type=str(message["type"]), body=content, at=now, number=number
        )
        self._look(phone)
        phone.show(spoken)
        phone.wrote_at = now
        value = deliveries.message_value(
            Business(number=number),
            message,
            wa_id=wa_id,
            name=phone.name,
            without_number=self.faults.take(FaultKind.BSUID_ONLY) is not None,
        )
        status, held = await self._bring(wa_id, value)
        spoken.webhook = status
        return {"id": spoken.id, "status": status, "held": held}

    def read(self, wa_id: str) -> JsonObject:
        """Look at the phone: everything that came is read, and reported so; how many."""
        phone = self._phones.get(wa_id)
        return {"read": 0 if phone is None else self._look(phone)}

    def messages(self, wa_id: str) -> list[JsonObject]:
        """What both sides said, in order."""
        phone = self._phones.get(wa_id)
        return [] if phone is None else [spoken.plain() for spoken in phone.spoken]

    def customers(self) -> list[JsonObject]:
        """The phones that there are."""
        return [
            {"wa_id": one.wa_id, "name": one.name, "user_id": user_id_of(one.wa_id), "messages": len(one.spoken)}
            for one in self._phones.values()
        ]

    # --- the Graph API

    async def called(
        self, *, method: str, path: str, authorization: str | None, body: bytes, content_type: str, host: str
    ) -> GraphAnswer:
        """Answer one call to the Graph API; its path begins with the version, `host` is what lies before it."""
        return await self._graph.call(
            GraphCall(
                method=method, path=path, authorization=authorization, body=body, content_type=content_type, host=host
            )
        )

    def graph_log(self, *, after: int = 0) -> list[JsonObject]:
        """Every call so far, the oldest first."""
        return self._graph.log(after=after)

    # --- the clock and the end

    async def advance(self, span: timedelta) -> datetime:
        """Move the time forward, for every process on the database; what it is then."""
        await self._advance(span)
        return self.clock.now()

    async def settle(self) -> None:
        """Wait until everything that is on its way has come."""
        await self._postman.settle()
        if self.gateways is not None:
            await self.gateways.settle()

    async def aclose(self) -> None:
        """Stop reporting."""
        await self._postman.aclose()
        if self.gateways is not None:
            await self.gateways.aclose()
        await self._http.aclose()

    # --- what customers do

    def _phone(self, wa_id: str) -> Phone:
        phone = self._phones.get(wa_id)
        if phone is None:
            if not _WA_ID.match(wa_id):
                message = "A customer is named by 5 to 20 digits."
                raise SayingRefusedError(message)
            phone = self._phones[wa_id] = Phone(wa_id=wa_id, name=f"Customer {wa_id[-4:]}")
            self._by_user_id[user_id_of(wa_id)] = wa_id
        return phone

    def _message(self, phone: Phone, body: JsonObject, number: str) -> JsonObject:
        tap = body.get("tap")
        if isinstance(tap, str):
            kept = {key: body[key] for key in ("id", "timestamp") if key in body}
            return {**kept, **phone.tapped(tap)}
        message = {key: value for key, value in body.items() if key not in _ENVELOPE}
        kind = message.get("type") or next((key for key in _CONTENTS if key in message), None)
        if not isinstance(kind, str) or not kind or (kind in _CONTENTS and not message.get(kind) and kind not in MEDIA):
            message_text = (
                'Say something like {"type": "text", "text": {"body": "hi"}}, or {"tap": "a reply\'s id or title"}.'
            )
            raise SayingRefusedError(message_text)
        message["type"] = kind
        if "timestamp" in message:
            message["timestamp"] = str(message["timestamp"])
        if kind in MEDIA:
            message[kind] = self._file(kind, message.get(kind), number)
        if kind == "interactive" and "context" not in message:
            message |= self._context(phone, message["interactive"])
        return message

    def _file(self, kind: str, told: Any, number: str) -> JsonObject:
        """What a file needs and the script did not say."""
        file = dict(told) if isinstance(told, Mapping) else {}
        file.setdefault("mime_type", _SAMPLE_TYPES[kind])
        if "id" not in file:
            file["id"], file["sha256"] = self._graph.keep_media(SAMPLE_PICTURE, str(file["mime_type"]), number)
        return file

    def _context(self, phone: Phone, interactive: Any) -> JsonObject:
        """The message that a tapped reply belongs to."""
        if not isinstance(interactive, Mapping):
            return {}
        reply = interactive.get("button_reply") or interactive.get("list_reply") or {}
        for spoken in reversed(phone.spoken):
            if spoken.direction == "outbound" and any(
                offer.get("id") == reply.get("id") for _, offer in spoken.offers()
            ):
                return {"context": {"from": DISPLAY, "id": spoken.id}}
        return {}

    async def _bring(self, wa_id: str, value: JsonObject) -> tuple[int | None, bool]:
        """Bring one message to the hub, unless a fault holds it back; the hub's status, and whether it is held."""
        fault = self.faults.take(FaultKind.BATCH)
        if fault is not None:
            self._together.append(value)
            if fault.calls:
                self._hold(fault.seconds, self._release_together)
                return None, True
            return await self._deliver(wa_id, self._let_go(self._together)), False
        fault = self.faults.take(FaultKind.REORDER)
        if fault is not None:
            self._late.append(value)
            self._hold(fault.seconds, self._release_late)
            return None, True
        status = await self._deliver(wa_id, [value])
        await self._release_late()
        return status, False

    async def _deliver(self, wa_id: str, values: Sequence[JsonObject]) -> int | None:
        """Post once and tell how it went; what a hub in trouble did not take is brought again, as Meta does."""
        status = await self._postman.post(values)
        if status is None or status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            self._postman.later(f"again:{wa_id}", partial(self._postman.again, values))
        return status

    def _hold(self, seconds: float, release: Callable[[], Awaitable[None]]) -> None:
        """Release what is held when the time is over, if it has not been by then."""

        async def in_the_end() -> None:
            await asyncio.sleep(seconds)
            self._timers.discard(timer)
            await release()

        timer = self._postman.alone(in_the_end)
        self._timers.add(timer)

    def _let_go(self, held: list[JsonObject]) -> list[JsonObject]:
        """What is held, from now on held no more; nothing waits for it any longer once nothing is held."""
        values = held[:]
        held.clear()
        if not self._late and not self._together:
            for timer in self._timers:
                timer.cancel()
            self._timers.clear()
        return values

    async def _release_late(self) -> None:
        for value in self._let_go(self._late):
            await self._postman.insist([value])

    async def _release_together(self) -> None:
        together = self._let_go(self._together)
        if together:
            await self._postman.insist(together)

    def _look(self, phone: Phone) -> int:
        """Whoever writes has read what was on the screen."""
        unread = phone.unread()
        for spoken in unread:
            self._postman.later(phone.wa_id, partial(self._report, phone.wa_id, spoken, "read"))
        return len(unread)

    # --- what the business does

    async def _take(self, number: str, body: JsonObject, fails_with: int | None) -> Taken:
        """Show a send on the phone, and let its statuses go."""
        phone = self._addressee(body)
        kind = str(body.get("type", "text"))
        template = self._template(body)
        spoken = Spoken(
            id=self._message_id(phone.wa_id, inbound=False),
            direction="outbound",
            type=kind,
            body={"type": kind, **{key: body[key] for key in (kind, "context") if key in body}},
            at=self.clock.now(),
            number=number,
            callback_data=body.get("biz_opaque_callback_data"),
            category="service" if template is None else template.category.lower(),
            buttons=() if template is None else template.quick_replies,
            quiet=self.faults.take(FaultKind.STATUS_LOST) is not None,
        )
        if fails_with is None and kind != "template" and not await self._window_is_open(phone):
            fails_with = 131047
        words: tuple[str, ...] = ("sent",) if kind == "reaction" else ("sent", "delivered")
        if fails_with is not None:
            spoken.error = status_error(fails_with, _DETAILS.get(fails_with, title_of(fails_with)))
            words = ("failed",)
        phone.show(spoken)
        if self.faults.take(FaultKind.REORDER) is not None:
            words = tuple(reversed(words))
        taken = Taken(
            id=spoken.id,
            wa_id=phone.wa_id if body.get("to") else None,
            user_id=user_id_of(phone.wa_id),
        )
        if spoken.quiet:
            return taken
        if self.faults.take(FaultKind.STATUS_FIRST) is not None:
            for word in words:
                await self._report(phone.wa_id, spoken, word)
            return taken
        for word in words:
            self._postman.later(phone.wa_id, partial(self._travel, phone.wa_id, spoken, word))
        return taken

    def _addressee(self, body: JsonObject) -> Phone:
        to = str(body.get("to") or "").removeprefix("+")
        if to:
            return self._phone(to)
        wa_id = self._by_user_id.get(str(body.get("recipient")))
        if wa_id is None:
            wa_id = str(int.from_bytes(str(body.get("recipient")).encode(), "big") % 10**15 + 10**15)
        return self._phone(wa_id)

    def _template(self, body: JsonObject) -> ApprovedTemplate | None:
        if body.get("type") != "template":
            return None
        asked = (body["template"]["name"], body["template"]["language"]["code"])
        return next((one for one in self._templates if (one.name, one.language) == asked), None)

    async def _window_is_open(self, phone: Phone) -> bool:
        if phone.wrote_at is None:
            phone.wrote_at = await self._heard_before(phone.wa_id)
        return phone.wrote_at is not None and self.clock.now() < phone.wrote_at + WINDOW

    def _business_read(self, message_id: str) -> None:
        """The hub says that it has read this message, and so all before it."""
        for phone in self._phones.values():
            ids = [spoken.id for spoken in phone.spoken if spoken.direction == "inbound"]
            if message_id in ids:
                for spoken in phone.spoken:
                    if spoken.direction == "inbound" and not spoken.is_read:
                        spoken.is_read = True
                        spoken.statuses.append("read")
                    if spoken.id == message_id:
                        return

    async def _travel(self, wa_id: str, spoken: Spoken, word: str) -> None:
        await asyncio.sleep(self._pace)
        await self._report(wa_id, spoken, word)

    async def _report(self, wa_id: str, spoken: Spoken, word: str) -> None:
        """Tell the hub a status of a message that it sent."""
        spoken.statuses.append(word)
        status: dict[str, Any] = {
            "id": spoken.id,
            "status": word,
            "timestamp": str(unix(self.clock.now())),
            "recipient_id": wa_id,
            "recipient_user_id": user_id_of(wa_id),
        }
        if word in {"sent", "delivered"}:
            free = spoken.category == "service"
            status["pricing"] = {
                "billable": not free,
                "pricing_model": "PMP",
                "type": "free_customer_service" if free else "regular",
                "category": spoken.category,
            }
        if spoken.error is not None:
            status["errors"] = [spoken.error]
        if spoken.callback_data is not None:
            status["biz_opaque_callback_data"] = spoken.callback_data
        value = deliveries.status_value(Business(number=spoken.number), status)
        await self._postman.insist([value])

    def _message_id(self, wa_id: str, *, inbound: bool) -> str:
        """An id as WhatsApp makes them: base64 with the number and a random word inside."""
        word = self._ids.token()[-20 if inbound else -18 :].upper().encode()
        mark = b"\x15\x02\x00\x12\x18" if inbound else b"\x15\x02\x00\x11\x18"
        raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + mark + bytes([len(word)]) + word + b"\x00"
        return f"wamid.{base64.b64encode(raw).decode()}"


_DETAILS: Mapping[int, str] = {
    131047: "Message failed to send because more than 24 hours have passed since the customer last replied to this "
    "number.",
    131026: "Message Undeliverable.",
    131049: "In order to maintain a healthy ecosystem engagement, the message failed to be delivered.",
}

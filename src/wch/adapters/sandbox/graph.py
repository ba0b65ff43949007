"""The simulated Graph API: takes sends as WhatsApp does, and keeps a log of every call."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import attrs

from wch.adapters.sandbox.catalogue_api import SimulatedCatalogue
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.refusals import GraphRefusalError, check, error_body, http_status_of
from wch.adapters.sandbox.templates import TemplateBook
from wch.application.ports import Clock, Ids
from wch.domain.document import JsonObject
from wch.domain.moment import iso

SCOPES = ("whatsapp_business_management", "whatsapp_business_messaging")
MOST_LOGGED = 10_000
"""Calls that the log keeps; the oldest go first."""

MOST_MEDIA = 200
_LOGGED_BYTES = 65_536

_VERSION = re.compile(r"v[0-9]{1,3}\.[0-9]{1,2}\Z")
_MESSAGE_ID = re.compile(r"wamid\..+", re.DOTALL)


@attrs.frozen(kw_only=True)
class GraphCall:
    """One request, as it came."""

    method: str
    path: str
    authorization: str | None = attrs.field(repr=False)
    body: bytes = b""
    content_type: str = "application/json"
    host: str = ""
    query: str = ""


@attrs.frozen(kw_only=True)
class GraphAnswer:
    """One answer.

    Attributes:
        cut_after: if set, the answer never comes: after so many seconds the connection is cut.
    """

    status: int = 200
    body: JsonObject | bytes
    content_type: str = "application/json"
    cut_after: float | None = None

    def content(self) -> bytes:
        """The bytes of the body."""
        if isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False, separators=(",", ":")).encode()


@attrs.frozen(kw_only=True)
class Taken:
    """What became of a send that was taken.

    Attributes:
        wa_id: the number it goes to; None when the customer is known by user id only.
    """

    id: str
    wa_id: str | None
    user_id: str


Take = Callable[[str, JsonObject, int | None], Awaitable[Taken]]
"""Takes a send from a number, its body, and the code it shall fail with later, if any."""


@attrs.frozen(kw_only=True)
class _Media:
    content: bytes
    type: str
    number: str


@attrs.define(kw_only=True)
class GraphApi:
    """Answers calls.

    Attributes:
        token: what every call must carry.
        numbers: the phone number ids of the account; `*` knows every one.
        waba_id: the account.
        take: what happens to a send that is taken.
        mark_read: what happens to a message of a customer that the hub has read.
        catalogue: the account's catalogue.
        pay: answers a call about payments inside the chat: its method, the parts of its path, its body.
    """

    token: str = attrs.field(repr=False)
    numbers: tuple[str, ...]
    waba_id: str
    templates: TemplateBook
    clock: Clock
    ids: Ids
    faults: Faults
    take: Take
    mark_read: Callable[[str], None]
    catalogue: SimulatedCatalogue
    pay: Callable[[str, tuple[str, ...], bytes], GraphAnswer]
    _log: deque[dict[str, Any]] = attrs.field(factory=lambda: deque(maxlen=MOST_LOGGED), init=False)
    _calls: int = attrs.field(default=0, init=False)
    _media: dict[str, _Media] = attrs.field(factory=dict, init=False)

    def log(self, *, after: int = 0) -> list[JsonObject]:
        """Calls after this one, the oldest first."""
        return [entry for entry in self._log if entry["id"] > after]

    def clear(self) -> None:
        """Forget calls and files; numbers go on."""
        self._log.clear()
        self._media.clear()

    async def call(self, call: GraphCall) -> GraphAnswer:
        """Answer one call, as the Graph API would, or as a fault that was ordered has it."""
        self._calls += 1
        entry: dict[str, Any] = {
            "id": self._calls,
            "at": iso(self.clock.now()),
            "method": call.method,
            "path": call.path,
            "body": _readable(call),
            "status": None,
            "answer": None,
            "fault": None,
        }
        if call.query:
            entry["query"] = dict(parse_qsl(call.query))
        self._log.append(entry)
        try:
            answer = await self._answer(call, entry)
        except GraphRefusalError as refusal:
            answer = self._refused(refusal)
        if answer.cut_after is None:
            entry["status"] = answer.status
            entry["answer"] = answer.body if not isinstance(answer.body, bytes) else {"bytes": len(answer.body)}
        return answer

    def keep_media(self, content: bytes, content_type: str, number: str) -> tuple[str, str]:
        """Keep a file as if somebody had sent it; its id and the base64 of its SHA-256."""
        media_id = str(10**15 + int(self.ids.token()[-12:], 16))
        self._media[media_id] = _Media(content=content, type=content_type, number=number)
        while len(self._media) > MOST_MEDIA:
            del self._media[next(iter(self._media))]
        return media_id, base64.b64encode(hashlib.sha256(content).digest()).decode()

    async def _answer(self, call: GraphCall, entry: dict[str, Any]) -> GraphAnswer:
        if self.faults.take(FaultKind.DOWN) is not None:
            entry["fault"] = FaultKind.DOWN.value
            raise GraphRefusalError(2, "Service temporarily unavailable.")
        expected = f"Bearer {self.token}".encode()
        if not hmac.compare_digest((call.authorization or "").encode("utf-8", "surrogateescape"), expected):
            raise GraphRefusalError(190, "Cannot parse access token")
        version, _, rest = call.path.strip("/").partition("/")
        if not _VERSION.match(version):
            raise GraphRefusalError(2500, "Unknown path components")
        parts = tuple(rest.split("/"))
        if self.catalogue.id and parts[0] == self.catalogue.id:
            return GraphAnswer(body=self._catalogued(call.method, parts[1:], call, entry))
        if call.method == "POST":
            return await self._posted(parts, call, entry)
        if call.method == "GET":
            return self._got(parts, version, call)
        raise _unsupported(call.method)

    def _catalogued(self, method: str, edge: tuple[str, ...], call: GraphCall, entry: dict[str, Any]) -> JsonObject:
        asked = dict(parse_qsl(call.query))
        match (method, *edge):
            case ("POST", "items_batch"):
                return self.catalogue.take(_json(call.body), entry)
            case ("GET", "check_batch_request_status"):
                return self.catalogue.told(asked)
            case ("GET", "products"):
                return self.catalogue.listed(asked)
            case _:
                raise _unsupported(method)

    async def _posted(self, parts: tuple[str, ...], call: GraphCall, entry: dict[str, Any]) -> GraphAnswer:
        match parts:
            case (number, "messages"):
                return await self._message(self._number(number), call, entry)
            case (number, "media"):
                return self._upload(self._number(number), call)
            case (number, "payments_refund"):
                self._number(number)
                return self.pay(call.method, parts, call.body)
            case (self.waba_id, "subscribed_apps"):
                return GraphAnswer(body={"success": True})
            case _:
                raise _unsupported(call.method)

    def _got(self, parts: tuple[str, ...], version: str, call: GraphCall) -> GraphAnswer:
        match parts:
            case ("media", name):
                return self._download(name)
            case (number, "payments", _, _):
                self._number(number)
                return self.pay(call.method, parts, call.body)
            case (self.waba_id, "message_templates"):
                answer: JsonObject = {"data": [template.listed() for template in self.templates], "paging": {}}
            case ("debug_token",):
                answer = {"data": {"is_valid": True, "expires_at": 0, "type": "SYSTEM_USER", "scopes": list(SCOPES)}}
            case (self.waba_id, "subscribed_apps"):
                answer = {"data": [{"whatsapp_business_api_data": {"id": "1", "name": "Sandbox"}}]}
            case (self.waba_id,):
                answer = {"id": self.waba_id, "name": "Sandbox", "currency": "USD", "timezone_id": "1"}
            case (name,) if name in self._media:
                answer = self._described(name, version, call.host)
            case (number,):
                answer = _phone_number(self._number(number))
            case _:
                raise _unsupported(call.method)
        return GraphAnswer(body=answer)

    def _number(self, number: str) -> str:
        if number in self.numbers or ("*" in self.numbers and number.isdigit()):
            return number
        raise GraphRefusalError(
            100,
            f"Unsupported request. Object with ID '{number[:40]}' does not exist, cannot be loaded due to missing "
            "permissions, or does not support this operation.",
        )

    async def _message(self, number: str, call: GraphCall, entry: dict[str, Any]) -> GraphAnswer:
        body = _json(call.body)
        if isinstance(body, Mapping) and "status" in body:
            return self._read(body)
        fault = self.faults.take(FaultKind.SLOW)
        if fault is not None:
            entry["fault"] = fault.kind.value
            await asyncio.sleep(fault.seconds)
        fault = self.faults.take(FaultKind.ERROR)
        if fault is not None:
            entry["fault"] = fault.kind.value
            if not fault.asynchronous:
                raise GraphRefusalError(fault.code, "This error was ordered.")
        sent = check(body, self.templates)
        lost = self.faults.take(FaultKind.TIMEOUT_AFTER_ACCEPT)
        taken = await self.take(number, sent, fault.code if fault is not None else None)
        if lost is not None:
            entry["fault"] = lost.kind.value
        return GraphAnswer(body=_accepted(sent, taken), cut_after=None if lost is None else lost.seconds)

    def _read(self, body: Mapping[str, Any]) -> GraphAnswer:
        """The receipt that a message was read, with or without the sign that somebody types."""
        message_id = body.get("message_id")
        typing = body.get("typing_indicator")
        if body.get("messaging_product") != "whatsapp" or body.get("status") != "read":
            raise GraphRefusalError(100, "Param status must be one of {READ}.")
        if typing is not None and not (isinstance(typing, Mapping) and typing.get("type") == "text"):
            raise GraphRefusalError(100, "Param typing_indicator.type must be one of {TEXT}.")
        if not isinstance(message_id, str) or not _MESSAGE_ID.match(message_id):
            raise GraphRefusalError(131009, "Parameter message_id is not valid.")
        self.mark_read(message_id)
        return GraphAnswer(body={"success": True})

    def _upload(self, number: str, call: GraphCall) -> GraphAnswer:
        """Take a file as a form with the parts `messaging_product`, `type` and `file`."""
        form = message_from_bytes(b"Content-Type: " + call.content_type.encode("latin-1") + b"\r\n\r\n" + call.body)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.walk()}
        file = fields.get("file")
        content = None if file is None else file.get_payload(decode=True)
        if file is None or not isinstance(content, bytes):
            raise GraphRefusalError(131008, "Parameter file is missing.")
        media_id, _ = self.keep_media(content, file.get_content_type(), number)
        return GraphAnswer(body={"id": media_id})

    def _described(self, media_id: str, version: str, host: str) -> JsonObject:
        media = self._media[media_id]
        return {
            "messaging_product": "whatsapp",
            "url": f"{host}/{version}/media/{media_id}",
            "mime_type": media.type,
            "sha256": hashlib.sha256(media.content).hexdigest(),
            "file_size": str(len(media.content)),
            "id": media_id,
        }

    def _download(self, media_id: str) -> GraphAnswer:
        media = self._media.get(media_id)
        if media is None:
            raise GraphRefusalError(100, "Unsupported get request. The media does not exist.")
        return GraphAnswer(body=media.content, content_type=media.type)

    def _refused(self, refusal: GraphRefusalError) -> GraphAnswer:
        trace = f"A{base64.urlsafe_b64encode(bytes.fromhex(self.ids.token())).decode().rstrip('=')}"
        return GraphAnswer(
            status=http_status_of(refusal.code), body=error_body(refusal.code, refusal.details, trace=trace)
        )


def _accepted(sent: JsonObject, taken: Taken) -> JsonObject:
    contact: dict[str, Any] = {"input": sent.get("to") or sent.get("recipient"), "user_id": taken.user_id}
    if taken.wa_id is not None:
        contact["wa_id"] = taken.wa_id
    message: dict[str, Any] = {"id": taken.id}
    if sent.get("type") == "template":
        message["message_status"] = "accepted"
    return {"messaging_product": "whatsapp", "contacts": [contact], "messages": [message]}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise GraphRefusalError(100, "The request body is not valid JSON.") from error


def _readable(call: GraphCall) -> Any:
    """The body as the log shows it."""
    if not call.body:
        return None
    if len(call.body) > _LOGGED_BYTES or not call.content_type.startswith("application/json"):
        return {"bytes": len(call.body), "content_type": call.content_type.partition(";")[0]}
    try:
        return json.loads(call.body)
    except (ValueError, RecursionError):
        return {"bytes": len(call.body)}


def _unsupported(method: str) -> GraphRefusalError:
    return GraphRefusalError(100, f"Unsupported {method.lower()} request.")


def _phone_number(number: str) -> JsonObject:
    return {
        "id": number,
        "verified_name": "Sandbox",
        "display_phone_number": "+1 555-000-1111",
        "quality_rating": "GREEN",
        "code_verification_status": "VERIFIED",
        "platform_type": "CLOUD_API",
        "throughput": {"level": "STANDARD"},
    }

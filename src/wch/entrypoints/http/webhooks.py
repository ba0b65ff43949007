"""WhatsApp's webhook as a plain ASGI handler, since it is the hot path: size, time, signature, then the inbox."""

import asyncio
import hmac
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl

import attrs

from wch.application.hub import Hub
from wch.domain.errors import StoreUnavailableError

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

SIGNATURE = b"x-hub-signature-256"
RETRY_AFTER = b"30"

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")
_HANDSHAKE = ("hub.mode", "hub.verify_token", "hub.challenge")


class TooLargeError(Exception):
    """The body is larger than any of WhatsApp's."""


@attrs.frozen(kw_only=True)
class WhatsAppWebhook:
    """Answers `GET` and `POST /webhooks/whatsapp`.

    Attributes:
        verify_token: what the handshake must bring.
        most_bytes: the largest body that is read; the declared length is not believed.
        read_seconds: how long the whole body may take.
    """

    hub: Hub
    verify_token: str = attrs.field(repr=False)
    most_bytes: int
    read_seconds: float

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["method"] == "POST":
            await self._delivery(scope, receive, send)
        elif scope["method"] == "GET":
            await self._handshake(scope, send)
        else:
            await answer(send, 405, b"", (b"allow", b"GET, POST"))

    async def _handshake(self, scope: Scope, send: Send) -> None:
        """Meta's question whether this is the right place: the bare challenge comes back."""
        pairs = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        asked: dict[str, list[str]] = {}
        for name, value in pairs:
            asked.setdefault(name, []).append(value)
        if "hub.verify_token" not in asked and "hub_verify_token" not in asked:
            await answer(send, 403 if "hub.mode" in asked else 400, b"")
            return
        if any(len(asked.get(name, ())) != 1 for name in _HANDSHAKE):
            await answer(send, 400, b"")
            return
        mode, token, challenge = (asked[name][0] for name in _HANDSHAKE)
        if not hmac.compare_digest(token.encode("utf-8", "surrogateescape"), self.verify_token.encode()):
            await answer(send, 403, b"")
        elif mode != "subscribe" or not _CHALLENGE.match(challenge):
            await answer(send, 400, b"")
        else:
            await answer(send, 200, challenge.encode("ascii"))

    async def _delivery(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self.read_seconds):
                body = await self._body(receive)
        except TooLargeError:
            await answer(send, 413, b"", (b"connection", b"close"))
            return
        except TimeoutError:
            await answer(send, 408, b"", (b"connection", b"close"))
            return
        signatures = [value for name, value in scope["headers"] if name == SIGNATURE]
        try:
            receipt = await self.hub.inbox.receive(body, signatures)
        except StoreUnavailableError:
            await answer(send, 503, b"", (b"retry-after", RETRY_AFTER))
            return
        if receipt.status == "unsigned":
            await self._unsigned(scope, send)
            return
        told = json.dumps({"events": receipt.events, "new": receipt.new, "dead_letters": receipt.dead})
        await answer(send, 200, told.encode(), content_type=b"application/json")

    async def _unsigned(self, scope: Scope, send: Send) -> None:
        """A bad signature; an address that keeps sending them is told to stop, a good one from there still passes."""
        client = scope.get("client") or ("unknown", 0)
        try:
            admission = await self.hub.limits.hit("webhook", f"signature:{client[0]}")
        except StoreUnavailableError:
            await answer(send, 401, b"")
            return
        if admission.admitted:
            await answer(send, 401, b"")
        else:
            seconds = str(int(admission.retry_after.total_seconds())).encode()
            await answer(send, 429, b"", (b"retry-after", seconds))

    async def _body(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise TimeoutError
            part = message.get("body", b"")
            size += len(part)
            if size > self.most_bytes:
                raise TooLargeError
            parts.append(part)
            if not message.get("more_body", False):
                return b"".join(parts)


async def answer(
    send: Send,
    status: int,
    body: bytes,
    *headers: tuple[bytes, bytes],
    content_type: bytes = b"text/plain; charset=utf-8",
) -> None:
    """Send a whole answer; nothing in it is ever sniffed or kept."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def header(scope: Mapping[str, Any], name: bytes) -> str | None:
    """The one value of a header."""
    values = [value for key, value in scope["headers"] if key == name]
    return values[0].decode("latin-1") if len(values) == 1 else None

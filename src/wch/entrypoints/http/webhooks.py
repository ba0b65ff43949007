"""WhatsApp's webhook as a plain ASGI handler, since it is the hot path: size, time, signature, then the inbox."""

import hmac
import math
import re
from collections.abc import Awaitable, Iterable, Sequence
from typing import Protocol
from urllib.parse import unquote_to_bytes

import attrs

from wch.application.inbox import Receipt
from wch.domain.errors import StoreUnavailableError
from wch.domain.rate_limit import Admission
from wch.entrypoints.http.answers import (
    Receive,
    Scope,
    Send,
    answer,
    prepared,
    values_of,
    whole_body,
)

SIGNATURE = b"x-hub-signature-256"
RETRY_AFTER = (b"retry-after", b"30")

_TAKEN = prepared(200)
"""Meta looks at the status alone, and a server writes a body by itself: that would be one write more."""

UNSIGNED = "unsigned"
LIMIT = "webhook"

DRAINED = 4
"""So many times the allowed size is read and thrown away before the connection is closed."""

_CHALLENGE = re.compile(rb"[A-Za-z0-9_-]{1,256}\Z")


class InboxPort(Protocol):
    """What the webhook asks of the inbox."""

    async def receive(self, body: bytes, headers: Sequence[bytes]) -> Receipt:
        """Take a delivery."""
        ...


class LimitsPort(Protocol):
    """What the webhook asks of the limits."""

    async def hit(self, name: str, identifier: str) -> Admission:
        """Count one hit."""
        ...


@attrs.frozen(kw_only=True)
class WhatsAppWebhook:
    """Answers `GET` and `POST /webhooks/whatsapp`.

    Attributes:
        verify_token: what the handshake must bring.
        most_bytes: the largest body that is taken.
        read_seconds: how long the whole body may take.
    """

    inbox: InboxPort
    limits: LimitsPort
    verify_token: str = attrs.field(repr=False)
    most_bytes: int
    read_seconds: float

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer one request."""
        if scope["method"] == "POST":
            return self._delivery(scope, receive, send)
        if scope["method"] == "GET":
            return self._handshake(scope, send)
        return answer(send, 405, b"method not allowed", (b"allow", b"GET, POST"))

    async def _handshake(self, scope: Scope, send: Send) -> None:
        """Meta's question whether this is the right place: the bare challenge comes back."""
        asked = list(query_of(scope.get("query_string", b"")))
        modes, tokens, challenges = (
            [value for name, value in asked if name == word]
            for word in (b"hub.mode", b"hub.verify_token", b"hub.challenge")
        )
        known = self.verify_token.encode()
        if not tokens and any(name == b"hub_verify_token" for name, _ in asked):
            await answer(send, 400, b"the names have dots: hub.mode, hub.verify_token, hub.challenge")
        elif not tokens or not known or not all(hmac.compare_digest(token, known) for token in tokens):
            await answer(send, 403, b"wrong token")
        elif len(tokens) != 1 or modes != [b"subscribe"] or len(challenges) != 1 or not _CHALLENGE.match(challenges[0]):
            await answer(send, 400, b"not a handshake")
        else:
            await answer(send, 200, challenges[0])

    async def _delivery(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await read_delivery(receive, send, most=self.most_bytes, seconds=self.read_seconds)
        if body is None:
            return
        try:
            receipt = await self.inbox.receive(body, values_of(scope, SIGNATURE))
        except StoreUnavailableError:
            await answer(send, 503, b"not available now", RETRY_AFTER)
            return
        if receipt.status == UNSIGNED:
            await refuse_unsigned(self.limits, scope, send)
        else:
            await _TAKEN(send)


def read_delivery(receive: Receive, send: Send, *, most: int, seconds: float) -> Awaitable[bytes | None]:
    """The body, within size and time; None when the refusal was answered, or nobody is there to hear it."""
    return whole_body(receive, send, most=most, drained=DRAINED * most, seconds=seconds)


async def refuse_unsigned(limits: LimitsPort, scope: Scope, send: Send) -> None:
    """Count a bad signature: an address that brings too many hears so, and a good one from there still passes."""
    client = scope.get("client")
    try:
        admission = await limits.hit(LIMIT, str(client[0]) if client else "unknown")
    except StoreUnavailableError:
        admission = None
    if admission is None or admission.admitted:
        await answer(send, 401, b"bad signature")
    else:
        seconds = max(1, math.ceil(admission.retry_after.total_seconds()))
        await answer(send, 429, b"too many bad signatures", (b"retry-after", b"%d" % seconds))


def query_of(query: bytes) -> Iterable[tuple[bytes, bytes]]:
    """Names and values of a query, as bytes, as often as they come."""
    for part in query.split(b"&"):
        name, _, value = part.partition(b"=")
        yield unquote_to_bytes(name.replace(b"+", b" ")), unquote_to_bytes(value.replace(b"+", b" "))

"""A hub that does as it is told, and an ASGI client that speaks byte by byte."""

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import attrs
import httpx2

from wch.application.doors import Doors
from wch.application.inbox import Receipt
from wch.application.payments import PaymentReceipt
from wch.application.shop_news import ShopReceipt
from wch.application.traces import Trace
from wch.domain.catalogue import Page, ProductCard, Variant
from wch.domain.document import JsonObject
from wch.domain.errors import StoreUnavailableError
from wch.domain.payment import WebhookCall
from wch.domain.rate_limit import Admission
from wch.entrypoints.http.application import Application, asgi

SECRET = "app-secret"
DOORS = Doors(verify_token="a-word-of-ours")
BODY = b'{"object":"whatsapp_business_account","entry":[]}'


def signed(body: bytes = BODY, secret: str = SECRET) -> dict[str, str]:
    return {"X-Hub-Signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"}


@attrs.define
class ScriptedInbox:
    taken: list[bytes] = attrs.field(factory=list)
    headers: list[Sequence[bytes]] = attrs.field(factory=list)
    raises: Exception | None = None

    async def receive(self, body: bytes, headers: Sequence[bytes]) -> Receipt:
        self.headers.append(headers)
        if self.raises is not None:
            raise self.raises
        expected = signed(body)["X-Hub-Signature-256"].encode()
        if len(headers) != 1 or not hmac.compare_digest(headers[0], expected):
            return Receipt(status="unsigned")
        self.taken.append(body)
        return Receipt(status="accepted", events=1, new=1)


@attrs.define
class ScriptedShopNews:
    receipt: ShopReceipt = ShopReceipt.TAKEN
    raises: Exception | None = None
    calls: list[tuple[bytes, Sequence[bytes], str, str]] = attrs.field(factory=list)

    async def receive(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopReceipt:
        if self.raises is not None:
            raise self.raises
        self.calls.append((body, signatures, topic, webhook_id))
        return self.receipt


@attrs.define
class ScriptedLimits:
    most: int = 100
    hits: list[tuple[str, str]] = attrs.field(factory=list)
    is_down: bool = False

    async def hit(self, name: str, identifier: str) -> Admission:
        if self.is_down:
            raise StoreUnavailableError
        self.hits.append((name, identifier))
        admitted = len(self.hits) <= self.most
        wait = timedelta() if admitted else timedelta(seconds=41)
        return Admission(admitted=admitted, remaining=0, retry_after=wait)


@attrs.define
class ScriptedHealth:
    words: tuple[str, ...] = ()
    ingress_words: tuple[str, ...] = ()
    raises: Exception | None = None

    async def ready(self) -> tuple[str, ...]:
        if self.raises is not None:
            raise self.raises
        return self.words

    async def ready_for_ingress(self) -> tuple[str, ...]:
        return self.ingress_words


@attrs.define
class ScriptedStatistics:
    async def snapshot(self) -> JsonObject:
        return {"tables": {"messages": {"inbound": {}, "outbound": {}}}}


@attrs.define
class ScriptedPayments:
    receipt: PaymentReceipt = PaymentReceipt.TAKEN
    raises: Exception | None = None
    calls: list[tuple[str, WebhookCall]] = attrs.field(factory=list)

    async def receive(self, gateway: str, call: WebhookCall) -> PaymentReceipt:
        if self.raises is not None:
            raise self.raises
        self.calls.append((gateway, call))
        return self.receipt


@attrs.define
class ScriptedTraces:
    traced: Trace | None = None

    async def of(self, number: str) -> Trace | None:
        return self.traced if self.traced is not None and self.traced.profile.phone == number else None


@attrs.define
class ScriptedShelf:
    cards: tuple[ProductCard, ...] = ()
    ways: tuple[Variant, ...] = ()

    async def search(self, **_asked: Any) -> Page[ProductCard]:
        return Page(items=self.cards)

    async def variants(self, **_asked: Any) -> Page[Variant]:
        return Page(items=self.ways)


@attrs.define
class ScriptedHub:
    inbox: ScriptedInbox = attrs.field(factory=ScriptedInbox)
    payments: ScriptedPayments = attrs.field(factory=ScriptedPayments)
    shop_news: ScriptedShopNews = attrs.field(factory=ScriptedShopNews)
    limits: ScriptedLimits = attrs.field(factory=ScriptedLimits)
    health: ScriptedHealth = attrs.field(factory=ScriptedHealth)
    statistics: ScriptedStatistics = attrs.field(factory=ScriptedStatistics)
    traces: ScriptedTraces = attrs.field(factory=ScriptedTraces)
    shop: ScriptedShelf = attrs.field(factory=ScriptedShelf)
    doors: Doors = DOORS


def application(hub: ScriptedHub, sandbox: Any = None) -> Application:
    return asgi(hub, sandbox=sandbox)


@asynccontextmanager
async def web(app: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of an application in this process."""
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://hub.test") as client:
        yield client


@attrs.define
class Answered:
    status: int
    headers: Mapping[bytes, bytes]
    body: bytes


async def spoken(app: Any, scope: Mapping[str, Any], messages: Iterable[Any]) -> Answered | None:
    """What the application answers to these raw messages; None when it says nothing.

    An asyncio.Event among them is waited for: whoever never sets it never speaks again.
    """
    waiting = iter(messages)
    sent: list[Any] = []

    async def receive() -> Any:
        message = next(waiting)
        if not isinstance(message, dict):
            await message.wait()
        return message

    async def send(message: Any) -> None:
        sent.append(message)

    whole = {
        "type": "http", "method": "POST", "path": "/webhooks/whatsapp", "headers": [], "query_string": b"",
        "root_path": "", "client": ("198.51.100.7", 50000), "scheme": "http", "server": ("hub.test", 80),
        "http_version": "1.1", **scope,
    }  # fmt: skip
    await app(whole, receive, send)
    if not sent:
        return None
    return Answered(status=sent[0]["status"], headers=dict(sent[0]["headers"]), body=sent[1]["body"])


def part(body: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": more}

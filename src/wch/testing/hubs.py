"""A whole hub in memory, and WhatsApp played around it without a socket: what a host's own tests begin with."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

import attrs
import httpx2

from wch.adapters.whatsapp.client import CloudApiWhatsApp
from wch.adapters.whatsapp.media import LARGEST_OF_ALL, CloudApiMedia
from wch.application.hub import Hub
from wch.application.ports import (
    Catalogue,
    Clock,
    Ids,
    MediaStore,
    Model,
    Observer,
    Payments,
    Shop,
    TemplatePage,
    Tracer,
    WhatsApp,
)
from wch.bootstrap import open_hub, open_sandbox
from wch.domain.attachment import Attachment
from wch.domain.document import JsonObject
from wch.domain.errors import StoreUnavailableError, WchError
from wch.domain.send_result import SendResult
from wch.settings import Settings
from wch.testing.doubles import FrozenClock, SequentialIds, words

HUB = "http://127.0.0.1"
DELIVERIES = f"{HUB}/webhooks/whatsapp"
GRAPH = f"{HUB}/sandbox/graph"


class SandboxWhatsApp:
    """WhatsApp in the same process: the hub's own client, Graph's rules, signed deliveries, statuses; no network.

    What the provider would refuse is refused as it would, and `world.faults` orders bad days.

        whatsapp = SandboxWhatsApp()
        async with memory_hub(whatsapp=whatsapp) as hub:
            assert await whatsapp.say("34600111222", "hi")

    It belongs to one hub, the one that `memory_hub` opens with it.
    """

    def __init__(self) -> None:
        self._between: _Between | None = None

    # --- the customers' phones

    async def say(self, wa_id: str, message: str | JsonObject) -> list[str]:
        """Write to the shop as this customer; the words of all that came back.

        Args:
            wa_id: digits.
            message: a text, or the body of a Cloud API message without its envelope.

        Raises:
            SayingRefusedError: it is no such message.
        """
        body = {"type": "text", "text": {"body": message}} if isinstance(message, str) else message
        before = len(self.heard(wa_id))
        await self.world.say(wa_id, body)
        await self.settle()
        return [words(one) for one in self.heard(wa_id)[before:]]

    async def tap(self, wa_id: str, reply: str) -> list[str]:
        """Tap a button or a row of a list by its id or title; the words of all that came back.

        Raises:
            NotFoundError: nothing on the phone offers it.
        """
        return await self.say(wa_id, {"tap": reply})

    def heard(self, wa_id: str) -> list[JsonObject]:
        """The Cloud API bodies that came to this phone, the oldest first."""
        return [one["body"] for one in self.world.messages(wa_id) if one["direction"] == "outbound"]

    async def settle(self) -> None:
        """Let the hub work until nothing is due, and every delivery and status come."""
        hub, calls = self._opened.hub, -1
        while calls != len(self.world.graph_log()):
            calls = len(self.world.graph_log())
            await hub.worker.drain()
            await self.world.settle()
        await hub.worker.drain()

    @property
    def world(self) -> Any:
        """The sandbox itself: its faults, its phones, its log of calls."""
        return self._opened.world

    # --- the port

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Post one message from this phone number id; every outcome is a value, nothing is raised."""
        return await self._opened.client.send(number, message)

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        """Show the customer that it was read."""
        return await self._opened.client.mark_read(number, wa_message_id, typing=typing)

    async def message_templates(self, account: str, *, after: str | None = None) -> TemplatePage:
        """Some of the account's templates."""
        return await self._opened.client.message_templates(account, after=after)

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = LARGEST_OF_ALL) -> Attachment:
        """The file of this id."""
        return await self._opened.media.fetch(media_id, sha256=sha256, most=most)

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        """Give a file to WhatsApp; its id."""
        return await self._opened.media.upload(number, data, mime_type=mime_type, filename=filename)

    # --- how it is put between hub and phones

    @asynccontextmanager
    async def around(self, hub: Hub, settings: Settings) -> AsyncIterator[Self]:
        """Play WhatsApp around this hub, which was opened with it and with these settings, until the block ends."""
        account = settings.whatsapp
        to_hub = httpx2.AsyncClient(transport=httpx2.MockTransport(self._delivered))
        to_graph = httpx2.AsyncClient(transport=httpx2.MockTransport(self._called))
        async with to_graph, open_sandbox(settings, hub, webhook_url=DELIVERIES, http=to_hub, pace=0) as world:
            where: dict[str, Any] = {
                "graph_url": GRAPH,
                "version": account.graph_version,
                "access_token": account.access_token,
            }
            self._between = _Between(
                hub=hub,
                world=world,
                client=CloudApiWhatsApp(**where, http=to_graph),
                media=CloudApiMedia(**where, http=to_graph),
            )
            yield self

    async def _delivered(self, request: httpx2.Request) -> httpx2.Response:
        signatures = [value for name, value in request.headers.raw if name.lower() == b"x-hub-signature-256"]
        try:
            receipt = await self._opened.hub.inbox.receive(request.content, signatures)
        except StoreUnavailableError:
            return httpx2.Response(503)
        return httpx2.Response(401 if receipt.status == "unsigned" else 200)

    async def _called(self, request: httpx2.Request) -> httpx2.Response:
        answered = await self.world.called(
            method=request.method,
            path=request.url.path.removeprefix("/sandbox/graph"),
            authorization=request.headers.get("authorization"),
            body=await request.aread(),
            content_type=request.headers.get("content-type", "application/json"),
            host=HUB,
            query=request.url.query.decode(),
        )
        if answered.cut_after is not None:
            message = "the answer never came"
            raise httpx2.ReadTimeout(message, request=request)
        return httpx2.Response(
            answered.status, content=answered.content(), headers={"content-type": answered.content_type}
        )

    @property
    def _opened(self) -> "_Between":
        if self._between is None:
            raise WchError(NOT_OPEN)
        return self._between


@attrs.frozen(kw_only=True)
class _Between:
    """What stands between a hub and the phones."""

    hub: Hub
    world: Any
    client: CloudApiWhatsApp
    media: CloudApiMedia


NOT_OPEN = "This WhatsApp is around no hub yet; open one with `memory_hub(whatsapp=...)`."


@asynccontextmanager
async def memory_hub(
    settings: Settings | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    whatsapp: WhatsApp | None = None,
    shop: Shop | None = None,
    payments: Payments | None = None,
    catalogue: Catalogue | None = None,
    media: MediaStore | None = None,
    model: Model | None = None,
    observers: Sequence[Observer] = (),
    tracer: Tracer | None = None,
) -> AsyncIterator[Hub]:
    """A whole hub in memory, with a shop of sample products, on a clock that stands still.

    Args:
        settings: what can be set; the database is in memory whatever they say, and secrets that are
            not set get the sandbox's values.
        clock: None stands at `NOON`.
        ids: None counts, so that every run gives the same.
        whatsapp: None plays WhatsApp with a `SandboxWhatsApp`.
        shop: None opens the built-in one.
        payments: the ways to pay; None takes those of the settings.
        catalogue: WhatsApp's catalogue; None has none unless the settings name one.
        media: where files of customers are kept.
        model: a language model.
        observers: who hears facts.
        tracer: follows what is done; None takes OpenTelemetry's, as `open_hub` does.
    """
    whatsapp = SandboxWhatsApp() if whatsapp is None else whatsapp
    given = settings if settings is not None else Settings()
    chosen = given.amended(database_url="memory://").for_sandbox(graph_url=GRAPH)
    async with open_hub(
        chosen,
        clock=clock if clock is not None else FrozenClock(),
        ids=ids if ids is not None else SequentialIds(),
        whatsapp=whatsapp,
        shop=shop,
        payments=payments,
        catalogue=catalogue,
        media=media,
        model=model,
        observers=observers,
        tracer=tracer,
    ) as hub:
        if isinstance(whatsapp, SandboxWhatsApp):
            async with whatsapp.around(hub, chosen):
                yield hub
        else:
            yield hub

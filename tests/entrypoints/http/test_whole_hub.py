"""The real hub in memory, WhatsApp's stand-in, and a socket between them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import attrs
import httpx2
import pytest

import wch
from tests.entrypoints.http.doubles import BODY, signed, web
from tests.entrypoints.http.test_application import host
from wch.adapters.sandbox import Sandbox
from wch.application.hub import Hub
from wch.bootstrap import open_hub, open_sandbox
from wch.domain.message import Direction, Message, MessageStatus
from wch.entrypoints.http.serving import Opened, attend, listening, reached_at
from wch.settings import Settings

MARIA = "34600111222"


@attrs.frozen
class Town:
    """A shop and its customers."""

    hub: Hub
    sandbox: Sandbox
    web: httpx2.AsyncClient

    async def hears(self, text: str) -> Any:
        answered = await self.web.post(
            f"/sandbox/api/customers/{MARIA}/messages", json={"type": "text", "text": {"body": text}}
        )
        return answered.json()

    async def order(self, fault: str, **more: Any) -> None:
        assert (await self.web.post("/sandbox/api/faults", json={"fault": fault, **more})).status_code == 201

    async def settles(self) -> None:
        """Until the hub has nothing to do and nothing is on its way."""
        await self.hub.worker.drain()
        await self.sandbox.settle()
        await self.hub.worker.drain()

    async def rows(self, direction: Direction) -> Sequence[Message]:
        """What the hub has of Maria, the oldest first."""

        def work(uow: Any) -> Sequence[Message]:
            thread = uow.conversations.latest_of(MARIA)
            return [] if thread is None else list(reversed(uow.messages.thread(thread.id)))

        return [row for row in await self.hub.database.read(work) if row.direction is direction]

    async def outbound(self) -> list[MessageStatus]:
        return [row.status for row in await self.rows(Direction.OUTBOUND)]


@asynccontextmanager
async def town() -> AsyncIterator[Town]:
    listener = listening("127.0.0.1", 0)
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    settings = Settings(database_url="memory://").for_sandbox(graph_url=f"{address}/sandbox/graph")
    stop, up = asyncio.Event(), asyncio.Event()
    async with (
        open_hub(settings, sandbox=True) as hub,
        open_sandbox(settings, hub, webhook_url=f"{address}/webhooks/whatsapp") as sandbox,
        httpx2.AsyncClient(base_url=address, trust_env=False, timeout=30) as web,
    ):

        async def opening(_stack: AsyncExitStack) -> Opened:
            return Opened(application=wch.asgi(hub, sandbox=sandbox), worker=None)

        serving = asyncio.create_task(attend(opening, listener, stop=stop, stop_seconds=5, announce=up.set))
        await up.wait()
        try:
            yield Town(hub=hub, sandbox=sandbox, web=web)
        finally:
            stop.set()
            assert await serving == 0


async def test_hi_is_answered_and_the_ticks_come_back() -> None:
    """The whole way: webhook, row, dialogue, outbox, Graph, statuses."""
    async with town() as here:
        said = await here.hears("hi")
        await here.settles()
        shown = (await here.web.get(f"/sandbox/api/customers/{MARIA}/messages")).json()["data"]
        ready = await here.web.get("/readyz")

        assert said["status"] == 200
        assert [one["direction"] for one in shown] == ["inbound", "outbound"]
        assert shown[0]["statuses"] == ["read"]
        assert await here.outbound() == [MessageStatus.DELIVERED]
        assert (await here.hub.verification.run())["ok"]
        assert ready.json() == {"ready": True, "problems": []}


async def test_a_duplicate_delivery_is_one_row_and_one_answer() -> None:
    """Twice at the same time."""
    async with town() as here:
        await here.order("duplicate")
        await here.hears("hi")
        await here.settles()

        assert len(await here.rows(Direction.INBOUND)) == 1
        assert len(await here.outbound()) == 1


async def test_three_messages_in_one_delivery_are_three_rows() -> None:
    """In the order in which they stand."""
    async with town() as here:
        await here.order("batch", calls=3, seconds=60)
        said = [await here.hears(word) for word in ("hi", "cart", "help")]
        await here.settles()

        assert [one["status"] for one in said] == [None, None, 200]
        assert [row.content["text"] for row in await here.rows(Direction.INBOUND)] == ["hi", "cart", "help"]


@pytest.mark.parametrize("fault", ["status_first", "reorder"])
async def test_statuses_that_come_early_or_backwards_end_in_delivered(fault: str) -> None:
    """A status only ever moves up, and may beat the hub's own commit."""
    async with town() as here:
        await here.hears("hi")
        await here.order(fault)
        await here.settles()

        assert await here.outbound() == [MessageStatus.DELIVERED]


async def test_lost_statuses_leave_the_row_sent() -> None:
    """WhatsApp owes nobody a status."""
    async with town() as here:
        await here.hears("hi")
        await here.order("status_lost")
        await here.settles()

        assert await here.outbound() == [MessageStatus.SENT]


async def test_an_answer_that_never_comes_is_settled_by_the_echo() -> None:
    """One message on the phone, one row, no second try."""
    async with town() as here:
        await here.hears("hi")
        await here.order("timeout_after_accept", seconds=0)
        await here.settles()
        shown = here.sandbox.messages(MARIA)

        assert [one["direction"] for one in shown] == ["inbound", "outbound"]
        assert await here.outbound() == [MessageStatus.DELIVERED]


async def test_a_refusal_to_try_again_is_tried_again_when_it_is_due() -> None:
    """131000 goes back to pending; a minute later it goes out."""
    async with town() as here:
        await here.hears("hi")
        await here.order("error", code=131000)
        await here.settles()
        waiting = await here.outbound()
        await here.web.post("/sandbox/api/clock", json={"advance": "1m"})
        await here.settles()

        assert waiting == [MessageStatus.PENDING]
        assert await here.outbound() == [MessageStatus.DELIVERED]


async def test_a_refusal_for_good_fails() -> None:
    """131026 as a status: the customer cannot be reached."""
    async with town() as here:
        await here.hears("hi")
        await here.order("error", code=131026, asynchronous=True)
        await here.settles()

        assert await here.outbound() == [MessageStatus.FAILED]


async def test_a_customer_without_a_number_is_answered_on_the_same_phone() -> None:
    """By the user id, both ways."""
    async with town() as here:
        await here.order("bsuid_only")
        await here.hears("hi")
        await here.settles()
        sent = [call for call in here.sandbox.graph_log() if call["body"] is not None and "status" not in call["body"]]
        shown = here.sandbox.messages(MARIA)

        assert [one["direction"] for one in shown] == ["inbound", "outbound"]
        assert "to" not in sent[0]["body"]
        assert sent[0]["body"]["recipient"].startswith("US.")


async def test_the_hundred_and_first_bad_signature_in_a_minute_is_429() -> None:
    """The documented limit, counted by the real limiter."""
    async with town() as here:
        codes = [(await here.web.post("/webhooks/whatsapp", content=BODY)).status_code for _ in range(101)]
        figures = (await here.web.get("/sandbox/api/stats")).json()

        assert codes == [401] * 100 + [429]
        assert sum(figures["tables"]["dead_letter_queue"].values()) == 0
        assert (await here.hears("hi"))["status"] == 200


async def test_a_hub_opened_in_code_is_mounted_in_a_foreign_host() -> None:
    """As the interface page shows it: `app.mount("/wch", wch.asgi(hub))`, without a lifespan."""
    settings = Settings(database_url="memory://").for_sandbox()
    async with wch.open_hub(settings) as hub, web(host(wch.asgi(hub), strips=False)) as client:
        taken = await client.post(
            "/wch/webhooks/whatsapp", content=BODY, headers=signed(BODY, settings.whatsapp.app_secret[0])
        )
        ready = await client.get("/wch/readyz")
        sandbox = await client.get("/wch/sandbox/api/faults")

    assert [taken.status_code, ready.status_code, sandbox.status_code] == [200, 200, 404]

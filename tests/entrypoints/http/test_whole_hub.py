"""The real hub in memory, WhatsApp's stand-in, and a socket between them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import time, timedelta
from typing import Any

import attrs
import httpx2
import pytest

import wch
from tests.entrypoints.http.doubles import BODY, signed, web
from tests.entrypoints.http.test_application import host
from wch.adapters.sandbox import Sandbox
from wch.application.hub import Hub
from wch.application.importing import TABLES
from wch.application.ports import UnitOfWork
from wch.bootstrap import open_hub, open_sandbox, time_passing
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.message_template import option_of
from wch.domain.moment import of_iso
from wch.domain.operator import Role
from wch.entrypoints.http.serving import Opened, attend, listening, reached_at
from wch.settings import Settings
from wch.settings.growing import Marketing

MARIA = "34600111222"
NO_NIGHT = Marketing(quiet_start=time(0), quiet_end=time(0))
"""Reminders go at any hour: the clock of these hubs is the machine's."""


@attrs.frozen
class Town:
    """A shop and its customers."""

    hub: Hub
    sandbox: Sandbox
    web: httpx2.AsyncClient
    hub_secret: str
    hub_token: str

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
async def town(**given: Any) -> AsyncIterator[Town]:
    listener = listening("127.0.0.1", 0)
    address = reached_at("127.0.0.1", listener.getsockname()[1])
    settings = Settings(database_url="memory://", **given).for_sandbox(
        graph_url=f"{address}/sandbox/graph", gateways_url=f"{address}/sandbox"
    )
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
            yield Town(
                hub=hub,
                sandbox=sandbox,
                web=web,
                hub_secret=settings.whatsapp.app_secret[0],
                hub_token=settings.whatsapp.access_token,
            )
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


async def test_the_sandboxs_clock_goes_to_the_next_due_thing_and_names_it() -> None:
    """What is due there is done before the answer; with nothing ahead it says so."""
    async with town(marketing=NO_NIGHT) as here:
        empty = await here.web.post("/sandbox/api/clock/ahead")
        await here.hears("hi")
        await here.settles()
        card = (await here.hub.shop.search(limit=30)).items[0]
        await here.hears(f"add {card.name}")
        await here.settles()
        ahead = (await here.web.get("/sandbox/api/clock/ahead")).json()["data"]
        reached = (await here.web.post("/sandbox/api/clock/ahead")).json()

        assert empty.status_code == 409
        assert ahead[0]["what"] == reached["reached"] == "cart 1 is left lying"
        assert reached["now"] == ahead[0]["at"]
        assert (await here.hub.carts.show(1)).status.value == "abandoned"
        assert reached["data"][0]["what"] == "reminder 1 of cart 1"


async def test_what_falls_due_in_a_leap_of_the_clock_is_done_at_its_own_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day at a press, and a hub without a worker: the cart's reminders are on the phone before the answer, hours apart."""
    monkeypatch.setattr(time_passing, "MOST_SECONDS", 300.0)  # however slow the machine is
    async with town(marketing=NO_NIGHT) as here:
        await here.hears("hi")
        await here.settles()
        card = (await here.hub.shop.search(limit=30)).items[0]
        await here.hears(f"add {card.name}")
        await here.settles()
        left = (await here.hub.carts.show(1)).updated_at

        leapt = (await here.web.post("/sandbox/api/clock", json={"advance": "23h"})).json()

        cart = await here.hub.carts.show(1)
        reminders = [of_iso(one["at"]) for one in here.sandbox.messages(MARIA)]
        reminders = [at for at in reminders if at > left + timedelta(minutes=30)]
        moments = [cart.abandoned_at, cart.reminder_1_sent_at, cart.reminder_2_sent_at, *reminders]
        passed = [(moment - left) // timedelta(minutes=1) for moment in moments if moment]
        assert passed == [60, 120, 420, 120, 420], "minutes: the machine's own seconds pass as well"
        assert of_iso(leapt["now"]) - left >= timedelta(hours=23)


async def test_a_logged_delivery_goes_once_more_and_counts_once() -> None:
    """Again, twice, out of order: 200 and no further row; wrongly signed: 401."""
    async with town() as here:
        await here.hears("hi")
        await here.hears("again")
        await here.settles()
        before = await here.rows(Direction.INBOUND), await here.outbound()
        log = (await here.web.get("/sandbox/api/deliveries")).json()["data"]
        first = next(one for one in log if one["what"] == "message: text")
        statuses = {}
        for how in ("once", "twice", "out_of_order", "wrong_signature"):
            answered = await here.web.post(f"/sandbox/api/deliveries/{first['id']}", json={"how": how})
            statuses[how] = answered.json()["statuses"]
        await here.settles()
        later = (await here.web.get("/sandbox/api/deliveries", params={"after": log[-1]["id"]})).json()["data"]

        assert statuses == {"once": [200], "twice": [200, 200], "out_of_order": [200, 200], "wrong_signature": [401]}
        assert [one["how"] for one in later][:6] == ["once", "twice", "twice", *["out_of_order"] * 2, "wrong_signature"]
        assert (await here.rows(Direction.INBOUND), await here.outbound()) == before


@pytest.mark.parametrize(("number", "how", "status"), [(99, "once", 404), (1, "sideways", 422)])
async def test_what_cannot_go_again_is_told(number: int, how: str, status: int) -> None:
    """A delivery that is not kept, and a way that there is not."""
    async with town() as here:
        await here.hears("hi")

        answered = await here.web.post(f"/sandbox/api/deliveries/{number}", json={"how": how})

        assert answered.status_code == status


async def test_what_whatsapp_decides_about_a_template_is_heard_and_holds() -> None:
    """Paused: the hub knows, and a send is refused with 132015; approved again it leaves; red is known too."""
    async with town() as here:
        where = "/sandbox/api/templates/spring_offer/en"

        def known(uow: UnitOfWork) -> Any:
            return uow.options.get(option_of("spring_offer", "en")) or {}

        async def sent() -> Any:
            parameters = [{"type": "text", "text": "Maria"}]
            template = {
                "name": "spring_offer",
                "language": {"code": "en"},
                "components": [{"type": "body", "parameters": parameters}],
            }
            body = {"messaging_product": "whatsapp", "to": MARIA, "type": "template", "template": template}
            token = here.hub_token
            answered = await here.web.post(
                "/sandbox/graph/v24.0/100000000000001/messages",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            )
            return answered.json().get("error", {}).get("code")

        told = {}
        for word, code in (("PAUSED", 132015), ("REJECTED", 132001), ("DISABLED", 132016), ("APPROVED", None)):
            assert (await here.web.post(where, json={"status": word})).status_code == 200
            told[word] = ((await here.hub.database.read(known))["status"], await sent() == code)
        await here.web.post(where, json={"quality": "RED"})

        assert told == {word: (word, True) for word in told}
        assert (await here.hub.database.read(known))["quality"] == "RED"
        assert (await here.web.post(where, json={"status": "LOVED"})).status_code == 422
        assert (await here.web.post("/sandbox/api/templates/none/en", json={"status": "PAUSED"})).status_code == 404


async def test_starting_anew_asks_first_and_leaves_what_the_hub_stands_on() -> None:
    """Without `yes` nothing goes; with it no row of the 14 tables is left, operators are, and the next hello works."""
    async with town() as here:
        await here.hub.operators.add("ana", Role.ADMIN, "correct horse battery", by="cli")
        await here.hears("hi")
        await here.settles()
        await here.order("slow", calls=5)
        asked = await here.web.post("/sandbox/api/anew", json={})
        kept = await here.rows(Direction.INBOUND)
        done = await here.web.post("/sandbox/api/anew", json={"yes": True})
        log, customers, faults = [
            (await here.web.get(f"/sandbox/api/{name}")).json()["data"] for name in ("graph-log", "customers", "faults")
        ]

        def left(uow: UnitOfWork) -> list[str]:
            return [table for table in TABLES if uow.holdings.page(table, limit=1)]

        assert (asked.status_code, len(kept)) == (422, 1)
        assert (done.status_code, done.json()["dropped"] > 3) == (200, True)
        assert (log, customers, faults) == ([], [], [])
        assert await here.hub.database.read(left) == []
        assert [one.name for one in await here.hub.operators.listed()] == ["ana"]
        await here.hears("hi")
        await here.settles()
        assert len(await here.rows(Direction.INBOUND)) == 1
        assert len(await here.outbound()) > 0
        assert (await here.hub.verification.run())["ok"]

"""A broadcast whose workers are killed, at random and at named places: each phone is written to at most once."""

import asyncio
import contextlib
import csv
import io
import json
import os
import random  # noqa: TID251 - when and whom it hits; no secret
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest
from sqlalchemy import insert

from tests.crash.nursery import Child, Nursery
from tests.processes import POLL, GraphApi, Installed, Store, until
from wch import Hub, Settings, open_hub
from wch.adapters.clock import SystemClock
from wch.adapters.sql import SqlDatabase
from wch.application.fanning_out import PROFILES
from wch.domain.campaign import CampaignState
from wch.domain.message_template import MessageTemplate, option_of

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
RECIPIENTS = 1000 if WHOLE else 240
KILLS = 20 if WHOLE else 10
LISTED = 100_000 if WHOLE else 10_000
SNAPSHOT_KILLS = 5
SECONDS = 300
SEED = int(os.environ.get("WCH_TEST_FIRST_SEED", "1"))
FIRST = 34600000000
OFFER = MessageTemplate(name="offer", language="en", components=({"type": "BODY", "text": "Hello {{1}}!"},))
PLAN = {
    "name": "Spring",
    "template": {"name": "offer"},
    "params": {"body": [{"var": "customer_name", "else": "friend"}]},
    "audience": {"everyone": True},
    "rate_per_minute": 1_000_000,
}
PACE = {"WCH_WHATSAPP_NUMBER_RATE": "20"}
"""So slow that there is somebody left to opt out meanwhile."""

PLACES = (
    *("fanout.before_commit", "fanout.after_commit", "outbound.taken", "outbound.before_call"),
    *("outbound.after_call", "outbound.before_outcome", "outbound.finished"),
)
WORDS = {"sent", "failed", "unconfirmed", "skipped_optout"}
GIVEN_UP = timedelta(seconds=6)
"""After so long whoever holds a row is given up: it is moved into the past then, instead of waiting out 60 s."""


@attrs.define(kw_only=True)
class Broadcast:
    """A campaign to customers who opted in, and the workers that carry it on."""

    installed: Installed
    nursery: Nursery
    dice: random.Random
    workers: list[Child] = attrs.field(factory=list)
    killed: Counter[str] = attrs.field(factory=Counter)
    doubtful: set[str] = attrs.field(factory=set)

    @property
    def store(self) -> Store:
        """What the hub says, looked at from outside."""
        return self.installed.store

    async def begin(self, many: int) -> int:
        """So many customers, an approved template, and a campaign that was started; its number."""
        assert self.installed.wch("db", "upgrade").returncode == 0
        async with self.hub() as hub:
            assert isinstance(hub.database, SqlDatabase)
            await _filled(hub.database, many)
            await hub.database.transact(lambda uow: uow.options.put(option_of("offer", "en"), OFFER.to_json()))
            await hub.database.transact(lambda uow: uow.options.put("whatsapp.limits", {"v": 1, "tier": -1}))
            plan, _ = await hub.broadcasts.draft(PLAN, by="ana")
            await hub.broadcasts.start(plan.id, by="ana")
        return int(plan.id)

    def hub(self) -> Any:
        """A hub of the test's own on the same store; it does no work."""
        settings, _, _ = Settings.load(self.installed.environment, {}, None)
        return open_hub(settings)

    def born(self, place: str = "") -> Child:
        """A worker; with a place, one that dies there by itself."""
        armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill@{self.dice.randrange(1, 6)}"} if place else {}
        return self.nursery.start(
            "worker", "--only", "broadcasts,outbound", environment={**self.installed.environment, **armed}
        )

    async def kill_one(self) -> None:
        """Take away one worker, at any instant or at a place of its own choice, and begin another."""
        place = self.dice.choice(("", *PLACES))
        if place:
            mortal = self.born(place)
            with contextlib.suppress(TimeoutError):
                await until(lambda: mortal.ended, 2)
            self.killed[place if mortal.ended else "any instant"] += 1
            mortal.kill()
            return
        await asyncio.sleep(self.dice.uniform(0.02, 0.3))
        at = self.dice.randrange(len(self.workers))
        self.workers[at].kill()
        self.workers[at] = self.born()
        self.killed["any instant"] += 1

    def waits(self) -> int:
        """How many recipients are not decided about."""
        return int(
            self.store.one("SELECT COUNT(*) FROM wch_broadcast_recipients WHERE status IN ('pending', 'queued')")
        ) + int(self.store.one("SELECT COUNT(*) FROM wch_messages WHERE status IN ('pending', 'sending')"))

    async def age(self) -> None:
        """Let leases run out that nobody moved for some seconds, and what is in doubt be settled."""
        while True:
            await asyncio.sleep(1)
            await asyncio.to_thread(self.settle)

    def settle(self) -> None:
        """Move what nobody moved for some seconds into the past, and note who is in doubt."""
        now = SystemClock().now()
        before, past = ((now - span).strftime("%Y-%m-%d %H:%M:%S") for span in (GIVEN_UP, timedelta(minutes=5)))
        self.store.change(
            "UPDATE wch_messages SET updated_at = :past WHERE status IN ('sending', 'unconfirmed') "
            "AND updated_at < :before AND updated_at > :past",
            past=past,
            before=before,
        )
        self.doubtful |= {phone for (phone,) in self.store.rows(_DOUBTFUL)}


_DOUBTFUL = "SELECT phone FROM wch_broadcast_recipients WHERE status = 'unconfirmed'"


@pytest.mark.timeout(900)
async def test_no_phone_gets_a_broadcast_twice_whoever_dies(
    installed: Installed, graph: GraphApi, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """Everybody ends in one word; who opted out meanwhile gets nothing; what is in doubt is never posted again."""
    installed.more = {**PACE, **_awake()}
    told = Broadcast(installed=installed, nursery=nursery, dice=random.Random(SEED))  # noqa: S311 - see above
    campaign = await told.begin(RECIPIENTS)
    told.workers = [told.born(), told.born()]
    ageing = asyncio.create_task(told.age())

    await until(lambda: len(graph.calls) >= RECIPIENTS // 20, SECONDS)
    late = [str(FIRST + place) for place in range(RECIPIENTS - RECIPIENTS // 10, RECIPIENTS)]
    await told.kill_one()
    out = await _opted_out(told, late, graph)
    for _ in range(KILLS - 1):
        await told.kill_one()
    await until(lambda: not told.waits(), SECONDS)
    async with told.hub() as hub:
        await _completed(hub, campaign)
    posted_before = len(graph.calls)
    told.settle()
    await until(lambda: told.store.one(_UNSETTLED) == 0, SECONDS)
    ageing.cancel()
    for worker in told.workers:
        worker.kill()

    posted = Counter(call.to for call in graph.calls)
    words = dict(told.store.rows("SELECT phone, status FROM wch_broadcast_recipients"))
    counts = Counter(words.values())
    record_property("figures", f"{_engine(told.store)}: {RECIPIENTS} recipients, {told.killed.total()} kills: {counts}")
    assert set(posted.values()) == {1}, "at most one post for each phone"
    assert len(words) == RECIPIENTS
    assert counts.keys() <= WORDS
    assert {phone for phone, word in words.items() if word == "sent"} <= posted.keys()
    assert posted.keys() <= {phone for phone, word in words.items() if word in {"sent", "unconfirmed"}}
    assert out
    assert {words[phone] for phone in out} == {"skipped_optout"}
    assert told.doubtful >= {phone for phone, word in words.items() if word == "unconfirmed"}
    assert len(graph.calls) == posted_before, "what is in doubt stays in doubt"
    assert installed.json("verify")["ok"] is True
    await _the_report_says_the_same(told, campaign, posted, words)


@pytest.mark.timeout(900)
async def test_a_snapshot_that_is_killed_lists_everybody_once(installed: Installed, nursery: Nursery) -> None:
    """A page and its cursor are one transaction, and the snapshot goes on where the last one ended."""
    installed.more = _awake()
    told = Broadcast(installed=installed, nursery=nursery, dice=random.Random(SEED))  # noqa: S311 - see above
    campaign = await told.begin(LISTED)
    deep = LISTED // PROFILES // (SNAPSHOT_KILLS + 1)

    for turn in range(SNAPSHOT_KILLS):
        place = "transact.commit" if turn % 2 else "fanout.listed"
        armed = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill@{told.dice.randint(1, deep)}"}
        mortal = nursery.start("worker", "--only", "broadcasts", environment={**installed.environment, **armed})
        await until(lambda one=mortal: one.ended, SECONDS)  # type: ignore[misc]  # bound early
        assert mortal.wait() == -9
        assert _progress(told.store, campaign)["phase"] == "snapshot"
    healthy = told.born()
    await until(lambda: _progress(told.store, campaign)["phase"] == "sending", SECONDS)
    healthy.kill()

    rows = "SELECT COUNT(*), COUNT(DISTINCT phone) FROM wch_broadcast_recipients"
    assert told.store.rows(rows) == [(LISTED, LISTED)]


_UNSETTLED = "SELECT COUNT(*) FROM wch_messages WHERE status = 'unconfirmed' AND content NOT LIKE '%\"final\"%'"


async def _filled(database: SqlDatabase, many: int) -> None:
    """So many customers who opted in."""
    now = SystemClock().now()
    customers = database.tables.customers
    for start in range(0, many, 5000):
        rows = [
            {
                "phone": str(FIRST + place),
                "name": f"=N{place}",
                "preferences": {"v": 1, "language": "en"},
                "opt_in_marketing": True,
                "marketing_opted_at": now,
                "created_at": now - timedelta(days=1),
                "updated_at": now - timedelta(days=1),
            }
            for place in range(start, min(start + 5000, many))
        ]
        await database.run(lambda connection, rows=rows: connection.execute(insert(customers), rows), write=True)  # type: ignore[misc]  # bound early


async def _opted_out(told: Broadcast, late: list[str], graph: GraphApi) -> set[str]:
    """The last in line want no more of it; those of them whose message nobody had taken when that was written down."""
    async with told.hub() as hub:
        for phone in late:
            await hub.customers.consent(phone, purpose="marketing", to="out", reason="asked", by="ana")
    taken = {
        phone
        for (phone,) in told.store.rows(
            "SELECT c.customer_phone FROM wch_messages m JOIN wch_conversations c ON c.id = m.conversation_id "
            "WHERE m.status NOT IN ('pending', 'failed')"
        )
    }
    return set(late) - taken - {call.to for call in graph.calls}


async def _completed(hub: Hub, campaign: int) -> None:
    async with asyncio.timeout(SECONDS):
        while (await hub.broadcasts.show(campaign)).progress.state is not CampaignState.COMPLETED:  # noqa: ASYNC110 - it shares no event with us
            await asyncio.sleep(POLL)


async def _the_report_says_the_same(
    told: Broadcast, campaign: int, posted: Counter[str], words: dict[str, str]
) -> None:
    """Its sums are those of WhatsApp's own list, and no name in it is a formula."""
    report = told.installed.json("broadcasts", "report", str(campaign))
    lines = list(csv.DictReader(io.StringIO(told.installed.wch("broadcasts", "report", str(campaign), "--csv").stdout)))

    assert report["recipients"] == RECIPIENTS
    assert report["counts"] == Counter(words.values())
    unconfirmed = {phone for phone, word in words.items() if word == "unconfirmed"}
    assert report["counts"].get("sent", 0) == len(posted.keys() - unconfirmed)
    assert {line["phone"]: line["status"] for line in lines} == words
    assert all(line["name"].startswith("'=N") for line in lines)


def _progress(store: Store, campaign: int) -> dict[str, Any]:
    told = store.one("SELECT value FROM wch_options WHERE name = :name", name=f"campaign.{campaign}.state")
    progress: dict[str, Any] = json.loads(told)
    return progress


def _engine(store: Store) -> str:
    return store.url.partition("+")[0].partition(":")[0]


def _awake() -> dict[str, str]:
    """Settings under which it is not night now, wherever the customer is."""
    now = SystemClock().now()
    return {
        "WCH_MARKETING_QUIET_START": f"{now + timedelta(hours=11):%H}:00",
        "WCH_MARKETING_QUIET_END": f"{now + timedelta(hours=12):%H}:00",
    }

"""Eight real processes want the same thing at the same moment, on one database: what may be had once is had once."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import attrs
import pytest

from tests.crash.campaign import out_of_order
from tests.processes import Installed, Store, mariadb_store, sqlite_store
from tests.races.racer import LIMIT, RACES, SAGA
from wch import Settings, open_hub
from wch.application.ports import UnitOfWork
from wch.domain.circuit_breaker import BreakerState
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.saga import Saga
from wch.domain.sync import EntityType, SyncAction

pytestmark = pytest.mark.crash

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8
ROUNDS = int(os.environ.get("WCH_TEST_ROUNDS", "25"))
ONCE = {"claim", "replay", "row", "probe"}


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database of this test's own."""
    if request.param == "sqlite":
        yield sqlite_store(tmp_path)
        return
    with mariadb_store(request.getfixturevalue("mariadb_url"), f"races_{os.getpid()}") as made:
        yield made


@pytest.mark.timeout(900)
@pytest.mark.parametrize("race", RACES)
async def test_what_may_be_had_once_is_had_once(
    store: Store, tmp_path: Path, race: str, record_property: Callable[[str, object], None]
) -> None:
    """Printed: rounds, violations, deadlocks and busy rows that were redone."""
    installed = Installed(folder=tmp_path, store=store)
    assert installed.wch("db", "upgrade").returncode == 0
    await _prepared(installed)

    found = _raced(store, race)

    won: Counter[int] = Counter(number for one in found for number in one["won"])
    engine = "sqlite" if store.engine_url.startswith("sqlite") else "mariadb"
    redone = sum(sum(one["redone"]) for one in found)
    record_property("figures", f"{race}, {engine}: {PROCESSES} processes x {ROUNDS} rounds, {redone} redone")
    if race in ONCE:
        assert won == Counter(range(ROUNDS)), "each is had by exactly one"
    elif race == "limit":
        callers = Counter(number // 40 for number in won.elements())
        assert all(count == min(LIMIT.most, PROCESSES * ROUNDS) for count in callers.values()), callers
    else:
        assert Counter(won.values()) == Counter({PROCESSES: ROUNDS})
    if race == "line":
        await _worked_through(installed)
    _nothing_was_lost(store, race)


def _raced(store: Store, race: str) -> list[dict[str, list[int]]]:
    racers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.races.racer", store.url, race, str(ROUNDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            env={name: value for name, value in os.environ.items() if not name.startswith("WCH_")},
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for one in racers:
        assert one.stdout is not None
        assert one.stdout.readline().strip() == "ready"
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    return [json.loads(one.communicate()[0]) for one in racers]


async def _worked_through(installed: Installed) -> None:
    """What the others had in hand when the last of them looked."""
    settings, _, _ = Settings.load({**installed.environment}, {}, None)
    async with open_hub(settings) as hub:
        await hub.worker.only(frozenset({"inbound"})).drain()


async def _prepared(installed: Installed) -> None:
    """What is raced for."""
    settings, _, _ = Settings.load({**installed.environment}, {}, None)
    async with open_hub(settings) as hub:
        now = hub.clock.now()

        def work(uow: UnitOfWork) -> None:
            uow.sagas.add(Saga.begun(SAGA, "race", document(version=1), now=now))
            for number in range(ROUNDS):
                uow.sync.enqueue(EntityType.PRODUCT, number + 1, SyncAction.UPDATE, now=now)
                uow.dead_letters.add(
                    DeadLetter.of_row(Hook.SAGA, "saga_state", SAGA, Reason.EXCEPTION, error=None, attempts=1, now=now)
                )
                breaker = uow.breakers.lock(f"whatsapp:{number}", now=now)
                opened = attrs.evolve(breaker, state=BreakerState.OPEN, opened_at=now - timedelta(hours=1))
                uow.breakers.save(opened)

        await hub.database.transact(work)


def _nothing_was_lost(store: Store, race: str) -> None:
    if race == "saga":
        log = json.loads(store.one("SELECT log FROM wch_saga_state WHERE saga_id = :id", id=SAGA))
        assert str(log).count("signal") >= PROCESSES * ROUNDS
    if race == "line":
        rows = store.rows(
            "SELECT m.id, m.wa_message_id, m.status, c.customer_phone, m.content FROM wch_messages m "
            "JOIN wch_conversations c ON c.id = m.conversation_id WHERE m.direction = 'inbound' ORDER BY m.id"
        )
        assert Counter(status for _, _, status, *_ in rows) == Counter(processed=PROCESSES * ROUNDS)
        assert out_of_order(rows) == 0, "what was said later was answered earlier"
    if race == "customer":
        assert store.one("SELECT COUNT(*) FROM wch_customer_profiles") == ROUNDS
    if race == "cart":
        assert store.one("SELECT COUNT(*) FROM wch_carts") == 1
        counted = json.loads(store.one("SELECT value FROM wch_options WHERE name = 'race.count'"))
        assert counted["n"] == PROCESSES * ROUNDS

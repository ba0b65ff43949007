"""Processes that are told to stop, or are only stopped for a while: readiness goes first, and who wakes up late writes nothing."""

import asyncio
import contextlib
import signal
import sqlite3
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy.exc

from tests.crash.nursery import Child, Nursery
from tests.crash.own_mariadb import free_port
from tests.crash.test_kills import _bring_to_an_end, _everybody_was_answered, _everything_is_there_once
from tests.crash.test_kills import _let_leases_run_out as let_leases_run_out
from tests.processes import GraphApi, Installed, Server, Store, client, counters, delivery, finished, said, until

pytestmark = pytest.mark.crash

SECONDS_TO_STOP = 30
LEASED = "SELECT direction, status FROM wch_messages WHERE status IN ('processing', 'sending')"


@pytest.mark.whole("mariadb")
async def test_readiness_goes_first_and_a_second_signal_changes_nothing(installed: Installed) -> None:
    """A load balancer must hear of it before anybody is refused; an impatient supervisor must not tear anything."""
    acknowledged: set[str] = set()
    told: list[tuple[int, bytes]] = []

    async def customer(server: Server, web: httpx2.AsyncClient, name: int) -> None:
        for n in range(200):
            key = f"wamid.load.{name}.{n}"
            if await server.post(web, delivery(said("hi", sender=f"3460000{name:04}", wa_id=key))) != 200:
                return
            acknowledged.add(key)

    async def balancer(server: Server, web: httpx2.AsyncClient) -> None:
        with contextlib.suppress(httpx2.TransportError):
            while True:
                answer = await web.get(f"{server.address}/readyz?for=ingress")
                told.append((answer.status_code, answer.content))

    async with installed.serving() as server, client() as web:
        speaking = [asyncio.create_task(customer(server, web, name)) for name in range(6)]
        await until(lambda: len(acknowledged) >= 30, SECONDS_TO_STOP)
        asking = asyncio.create_task(balancer(server, web))
        await until(lambda: bool(told), SECONDS_TO_STOP)
        async with asyncio.timeout(SECONDS_TO_STOP):
            server.process.send_signal(signal.SIGTERM)
            code = await server.terminate()
        await asyncio.gather(*speaking, asking)

    assert code == 0
    statuses = [status for status, _ in told]
    assert statuses == sorted(statuses), "once it is leaving it never says ready again"
    assert statuses[0] == 200
    assert b"stopping" in told[-1][1]
    assert installed.store.rows(LEASED) == []
    async with installed.serving():
        await finished(installed.store)
    _everything_is_there_once(installed.store, acknowledged)
    assert installed.json("verify")["ok"] is True


@pytest.mark.whole("sqlite")
@pytest.mark.timeout(180)
async def test_who_wakes_up_after_the_lease_writes_nothing(
    installed: Installed, graph: GraphApi, nursery: Nursery
) -> None:
    """A paused machine: another has answered meanwhile; the late answer is refused by the fence, and nobody hears it twice."""
    people = {f"wamid.{n}": f"3460000{n:04}" for n in range(4)}
    async with installed.serving("--no-worker") as server, client() as web:
        for key, person in people.items():
            assert await server.post(web, delivery(said("hi", sender=person, wa_id=key))) == 200
    slow = {"WCH_TESTING": "1", "WCH_FAILPOINTS": "inbound.before_finish=delay:3000"}
    key = installed.json("keys", "create", "--scope", "metrics")["key"]
    port = free_port()

    zombie = nursery.start("serve", "--port", str(port), environment={**installed.environment, **slow})
    await until(lambda: ("inbound", "processing") in installed.store.rows(LEASED))
    await stopped_outside_a_transaction(zombie, installed.store)
    let_leases_run_out(installed.store, "processing", "sending")
    async with installed.serving() as server:
        await finished(installed.store)
        assert await server.terminate() == 0
    calls = Counter(call.to for call in graph.calls)
    zombie.signal(signal.SIGCONT)
    await until(lambda: "inbound lease lost" in nursery.log)
    async with client() as web:
        counted = await counters(web, f"http://127.0.0.1:{port}", key)
    zombie.signal(signal.SIGTERM)

    assert zombie.wait() == 0
    assert counted["wch_fenced_writes_total", "inbound"] >= 1
    await _bring_to_an_end(installed)
    _everything_is_there_once(installed.store, set(people))
    _everybody_was_answered(installed.store, graph)
    assert Counter(call.to for call in graph.calls) == calls == Counter(people.values())
    assert installed.json("verify")["ok"] is True


# --- the steps


async def stopped_outside_a_transaction(child: Child, store: Store) -> None:
    """Stop it while it thinks: one that is stopped inside a transaction would keep what it has locked."""

    def stopped() -> bool:
        child.signal(signal.SIGSTOP)
        if not has_stopped(child.pid):
            return False
        if may_be_written(store):
            return True
        child.signal(signal.SIGCONT)
        return False

    await until(stopped, SECONDS_TO_STOP)


def has_stopped(pid: int) -> bool:
    """Whether the signal has reached every thread; until then it may still begin something."""
    states = (path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat"))
    return all(state == "T" for state in states)


def may_be_written(store: Store) -> bool:
    """Whether nobody holds a lock: on the whole file, or on a row of the server's."""
    if not store.engine_url.startswith("sqlite"):
        try:
            for (table,) in store.rows("SHOW TABLES"):
                store.rows(f"SELECT 1 FROM `{table}` FOR UPDATE NOWAIT")  # noqa: S608 - our own words
        except sqlalchemy.exc.OperationalError:
            return False
        return True
    with contextlib.closing(
        sqlite3.connect(urlsplit(store.engine_url).path[1:], timeout=0, isolation_level=None)
    ) as one:
        try:
            one.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        one.execute("ROLLBACK")
    return True

"""One breaker over four processes: what WhatsApp's stand-in saw, call by call, is what the breaker is held to."""

import asyncio
from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import httpx2
import pytest

from tests.crash.doors import Doors, Mode, most_at_once
from tests.crash.nursery import Child, Nursery
from tests.crash.own_mariadb import free_port
from tests.crash.test_kills import _let_leases_run_out as let_leases_run_out
from tests.crash.test_kills import _resent as resent
from tests.processes import Installed, Store, client, delivery, said, signature_of, until, until_alive

pytestmark = pytest.mark.crash

PROCESSES = 4
THRESHOLD, SUCCESSES, TIMEOUT, PROBE_LEASE = 5, 2, 4, 3
POLL = 1
SLACK = 2.0
"""Seconds that a busy machine may take over what takes none."""

PEOPLE = 24
ONE_AT_A_TIME = {
    "WCH_BREAKERS_WHATSAPP": f"{THRESHOLD}/{SUCCESSES}/{TIMEOUT}",
    "WCH_WORKER_CONCURRENCY": "1",
    "WCH_WORKER_POLL_SECONDS": str(POLL),
}
STATE = "(SELECT state FROM wch_circuit_breakers WHERE service = 'whatsapp')"
ATTEMPTS = "(SELECT COALESCE(SUM(retry_count), 0) FROM wch_messages WHERE direction = 'outbound')"


@pytest.mark.whole
@pytest.mark.timeout(300)
async def test_four_processes_share_one_breaker(
    store: Store, installed: Installed, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """Down, probed, its prober killed, and back: the bounds are of all processes together."""
    assert installed.wch("db", "upgrade").returncode == 0
    installed.more = ONE_AT_A_TIME
    async with Doors.of(PROCESSES) as doors, client() as web:
        ports = [free_port() for _ in range(PROCESSES)]
        children = [
            nursery.start(
                *("serve", "--port", str(port)),
                environment={**installed.environment, "WCH_GRAPH_URL": url},
                altered=f"probe_lease:{PROBE_LEASE}",
            )
            for port, url in zip(ports, doors.urls, strict=True)
        ]
        await asyncio.gather(*(until_alive(web, port) for port in ports))

        doors.mode = Mode.DOWN
        await everybody_speaks(web, ports, "wamid.first")
        first = await the_first_burst(doors)
        tried = sum(not visit.is_receipt for visit in doors.visits[:first])
        await everybody_speaks(web, ports, "wamid.second")
        await until(lambda: len(doors.visits) >= first + 3)
        await attempts_equal_calls(store, doors)

        killed_at = await kill_the_prober(doors, children)
        before = len(doors.visits)
        doors.takes, doors.mode = 0.2, Mode.UP
        await until(lambda: len(doors.visits) > before, PROBE_LEASE + POLL + 5 * SLACK)
        waited = doors.visits[before].began - killed_at
        await until(lambda: store.one(f"SELECT {STATE}") == "closed")
        closed_at = asyncio.get_running_loop().time()
        let_leases_run_out(store, "sending")
        await until(lambda: not in_doubt(store) and not store.unfinished(), 90)

    down = doors.visits[first:before]
    gaps = [later.began - sooner.began for sooner, later in pairwise(down)]
    recovering = [one for one in doors.visits[before:] if one.began < closed_at]
    back = [one for one in doors.visits[before:] if one.began < doors.visits[before].began + 1]
    assert tried <= THRESHOLD + PROCESSES - 1, "each other process had one call under way"
    assert min(gaps[:-1], default=TIMEOUT) >= TIMEOUT - 1, "while it was open nobody called"
    assert most_at_once(down) == 1, "half open is one probe"
    assert waited <= PROBE_LEASE + POLL + SLACK, "a dead prober is given up after its lease"
    assert most_at_once(recovering[:SUCCESSES]) == 1, "each probe alone"
    assert most_at_once(doors.visits) <= PROCESSES, "and no herd when it is closed"
    assert {call.to for call in doors.calls} == {f"3460000{number:04}" for number in range(PEOPLE)}
    assert doors.sent_twice() - resent(store) == Counter()
    assert installed.json("verify")["ok"] is True
    engine = "sqlite" if store.engine_url.startswith("sqlite") else "mariadb"
    record_property(
        "figures",
        f"one breaker, {PROCESSES} processes, {engine}: {tried} calls until it opened (threshold {THRESHOLD}), "
        f"{len(down)} probes while down, {most_at_once(down)} at once, shortest gap {min(gaps, default=0):.1f} s, "
        f"next probe {waited:.1f} s after the prober's death (lease {PROBE_LEASE} s), "
        f"{len(back)} calls in the first second of recovery",
    )


# --- the steps


async def post(web: httpx2.AsyncClient, port: int, body: bytes) -> int:
    """Post a signed delivery to this process."""
    headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
    answer = await web.post(f"http://127.0.0.1:{port}/webhooks/whatsapp", content=body, headers=headers)
    return int(answer.status_code)


async def everybody_speaks(web: httpx2.AsyncClient, ports: list[int], name: str) -> None:
    """A word of each customer, to one process after the other."""
    for number in range(PEOPLE):
        body = delivery(said("hi", sender=f"3460000{number:04}", wa_id=f"{name}.{number}"))
        assert await post(web, ports[number % PROCESSES], body) == 200


async def the_first_burst(doors: Doors) -> int:
    """How many calls there were until nobody called for half of the breaker's time."""
    await until(lambda: len(doors.visits) >= THRESHOLD)
    loop = asyncio.get_running_loop()
    await until(lambda: loop.time() - doors.visits[-1].began > TIMEOUT / 2)
    return len(doors.visits)


async def attempts_equal_calls(store: Store, doors: Doors) -> None:
    """While it is open the attempts of all rows are the calls that were made: waiting costs nobody an attempt."""

    def are_equal() -> bool:
        calls = sum(not visit.is_receipt for visit in doors.visits)
        ((state, attempts),) = store.rows(f"SELECT {STATE}, {ATTEMPTS}")
        if state != "open" or doors.inside or sum(not visit.is_receipt for visit in doors.visits) != calls:
            return False
        assert int(attempts) == calls
        return True

    await until(are_equal)


async def kill_the_prober(doors: Doors, children: list[Child]) -> float:
    """Let the next probe wait, and kill its process; when that was."""
    doors.mode = Mode.SILENT
    await until(lambda: bool(doors.inside))
    (probe,) = doors.inside
    assert children[probe.door].kill() == -9
    killed_at = asyncio.get_running_loop().time()
    await until(lambda: not doors.inside)
    return killed_at


def in_doubt(store: Store) -> int:
    """Rows that nobody knows the end of; they are moved past their wait for an echo."""
    count = int(store.one("SELECT COUNT(*) FROM wch_messages WHERE status = 'unconfirmed'"))
    if count:
        let_leases_run_out(store, "unconfirmed")
    return count

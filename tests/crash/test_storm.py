"""One delivery a hundred times at once, over four server processes: it is there once, counted once, answered once."""

import asyncio
from collections import Counter
from collections.abc import Callable

import httpx2
import pytest

from tests.crash.nursery import Child, Nursery
from tests.crash.own_mariadb import free_port
from tests.crash.test_breaker import post
from tests.processes import GraphApi, Installed, Store, client, delivery, finished, said, until_alive

pytestmark = pytest.mark.crash

PROCESSES = 4
TIMES = 100
ANNA, BORIS = "34600111222", "34600333444"
COUNTED = "SELECT customer_phone, message_count, unread_count FROM wch_conversations ORDER BY customer_phone"


@pytest.mark.timeout(180)
async def test_a_storm_of_one_delivery_is_one_message(
    installed: Installed, graph: GraphApi, nursery: Nursery, record_property: Callable[[str, object], None]
) -> None:
    """Meta repeats what it thinks was not heard, and a load balancer spreads it: 2xx for each, and one effect."""
    one = delivery(said("hi", sender=ANNA, wa_id="wamid.one"))
    many = [said(f"word {number}", sender=BORIS, wa_id=f"wamid.many.{number}") for number in range(1, 16)]
    batches = [delivery(*many[:10]), delivery(*many[4:]), *(delivery(single) for single in many)]

    async with client() as web:
        ports, children = await four_servers(installed, nursery, web)
        storm = await at_once(web, ports, [one] * TIMES)
        assert installed.store.rows(COUNTED) == [(ANNA, 1, 1)]
        overlapping = await at_once(web, ports, [*batches, *reversed(batches)])
        assert installed.store.rows(COUNTED) == [(ANNA, 1, 1), (BORIS, 15, 15)]
        for child in children:
            child.kill()

    async with installed.serving():
        await finished(installed.store)
    assert Counter(storm) == {200: TIMES}
    assert Counter(overlapping) == {200: 2 * len(batches)}
    assert keys(installed.store) == Counter(["wamid.one", *(str(message["id"]) for message in many)])
    assert len(graph.to(ANNA)) == 1
    assert graph.to(BORIS)
    assert graph.sent_twice() == Counter()
    assert installed.json("verify")["ok"] is True
    record_property(
        "figures",
        f"{'sqlite' if 'sqlite' in installed.store.url else 'mariadb'}: {TIMES} times one delivery and {2 * len(batches)} overlapping "
        f"ones over {PROCESSES} server processes: {sum(keys(installed.store).values())} messages of 16, 0 twice",
    )


async def four_servers(
    installed: Installed, nursery: Nursery, web: httpx2.AsyncClient
) -> tuple[list[int], list[Child]]:
    """Their ports; they only take in, so that what is counted is what came in."""
    assert installed.wch("db", "upgrade").returncode == 0
    ports = [free_port() for _ in range(PROCESSES)]
    children = [
        nursery.start("serve", "--no-worker", "--port", str(port), environment=installed.environment) for port in ports
    ]
    await asyncio.gather(*(until_alive(web, port) for port in ports))
    return ports, children


async def at_once(web: httpx2.AsyncClient, ports: list[int], bodies: list[bytes]) -> list[int]:
    """Post all of them at the same moment, each to the next process; the statuses."""
    return await asyncio.gather(*(post(web, ports[n % len(ports)], body) for n, body in enumerate(bodies)))


def keys(store: Store) -> Counter[str]:
    """The ids of what came in, as often as they are there."""
    rows = store.rows("SELECT wa_message_id FROM wch_messages WHERE direction = 'inbound'")
    return Counter(str(key) for (key,) in rows)

"""Somebody else locks what the hub needs, again and again: clients hear 200 or 503, no half transaction is left, all is counted."""

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.processes import (
    GraphApi,
    Installed,
    Store,
    client,
    counters,
    delivery,
    finished,
    said,
)

pytestmark = pytest.mark.crash

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 3 if os.environ.get("WCH_TEST_CAMPAIGN") == "whole" else 1
PEOPLE = [f"3460000{number:04}" for number in range(24)]
"""So many that nobody is answered more often than one customer may be: the rest would wait for minutes."""

THREADS = "SELECT customer_phone, message_count FROM wch_conversations"
OF_THREADS = (
    "SELECT c.customer_phone, COUNT(*) FROM wch_messages m JOIN wch_conversations c ON c.id = m.conversation_id "
    "GROUP BY c.customer_phone"
)


@pytest.mark.whole("mariadb")
@pytest.mark.timeout(300)
async def test_whoever_else_holds_locks_tears_nothing(
    installed: Installed, graph: GraphApi, record_property: Callable[[str, object], None]
) -> None:
    """SQLite's lock is held 3 s of every 10; on a server, deadlocks and waits that are given up are provoked."""
    store = installed.store
    is_file = store.engine_url.startswith("sqlite")

    async with installed.serving() as server, client() as web:
        key = installed.json("keys", "create", "--scope", "metrics")["key"]
        for person in PEOPLE:
            assert await server.post(web, delivery(said("hi", sender=person, wa_id=f"wamid.first.{person}"))) == 200
        rogue = await begun(store, is_file=is_file)
        posting = (post_until(rogue, partial(server.post, web), name) for name in range(4))
        heard = await asyncio.gather(*posting)
        await finished(store)
        counted = await counters(web, server.address, key)

    assert rogue.returncode == 0
    statuses = sum((told for told, _ in heard), Counter[int]())
    sent = Counter([*(f"wamid.first.{person}" for person in PEOPLE), *(key for _, keys in heard for key in keys)])
    redone = {labels[0]: count for (name, *labels), count in counted.items() if name == "wch_transaction_retries_total"}
    assert set(statuses) <= {200, 503}
    assert redone.keys() >= ({"busy"} if is_file else {"deadlock", "lock_wait"}), redone
    rows = store.rows("SELECT wa_message_id FROM wch_messages WHERE direction = 'inbound'")
    assert Counter(str(key) for (key,) in rows) == sent
    assert dict(store.rows(THREADS)) == dict(store.rows(OF_THREADS))
    assert {call.to for call in graph.calls} == set(PEOPLE)
    assert graph.sent_twice() == Counter()
    assert installed.json("verify")["ok"] is True
    told = ", ".join(f"{int(count)} {reason}" for reason, count in sorted(redone.items()))
    record_property(
        "figures",
        f"{'sqlite' if is_file else 'mariadb'}: locks of somebody else's, {statuses[200]} deliveries answered 200, "
        f"{statuses[503]} answered 503 and sent again, begun again: {told}; 0 lost, 0 half",
    )


# --- the steps


async def begun(store: Store, *, is_file: bool) -> asyncio.subprocess.Process:
    """The other process, at work."""
    what = ("sqlite", urlsplit(store.engine_url).path[1:]) if is_file else ("mariadb", store.url)
    people = () if is_file else PEOPLE[:2]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.rogue", *what, str(ROUNDS), *people, cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip


async def post_until(
    rogue: asyncio.subprocess.Process, post: Callable[[bytes], Awaitable[int]], name: int
) -> tuple[Counter[int], list[str]]:
    """Post a word of every customer's, each delivery until it is answered 200, as long as the other is there.

    The statuses that were heard, and the ids that were acknowledged.
    """
    statuses: Counter[int] = Counter()
    sent: list[str] = []
    while rogue.returncode is None:
        keys = {person: f"wamid.{name}.{len(sent)}.{person}" for person in PEOPLE}
        body = delivery(*(said("hi", sender=person, wa_id=key) for person, key in keys.items()))
        status = 0
        while status != httpx2.codes.OK:
            status = await post(body)
            statuses[status] += 1
        sent += keys.values()
    return statuses, sent

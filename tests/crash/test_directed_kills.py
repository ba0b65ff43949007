"""Killed at every named place: whatever instant a process dies at, nothing is lost, and nothing happens twice uncounted.

Random kills are not enough: a wrong step between a call and its outcome lasts a millisecond, and 80 of them miss it.
"""

import asyncio
import os
from collections import Counter

import pytest

from tests.crash.test_kills import _bring_to_an_end, _everybody_was_answered, _everything_is_there_once
from tests.processes import GraphApi, Installed, client, delivery, said, until
from wch.application.failpoints import NAMES

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
UNDER_LOAD = tuple(name for name in NAMES if name.partition(".")[0] in {"transact", "ingress", "inbound", "outbound"})
NOT_COME_BY = {"transact.in_doubt", "ingress.single", "inbound.renew"}
"""What needs a lost answer, an event that raises, or 20 seconds of thought."""

SHORT = {"transact.commit", "transact.after_commit", "ingress.after_commit", "inbound.before_finish",
         "outbound.after_call", "outbound.finished"}  # fmt: skip
PASSINGS = (1, 4) if WHOLE else (2,)
PEOPLE = 6


@pytest.mark.timeout(300)
@pytest.mark.parametrize("at", PASSINGS)
@pytest.mark.parametrize("place", [name for name in UNDER_LOAD if name not in NOT_COME_BY and (WHOLE or name in SHORT)])
async def test_a_process_that_dies_here_loses_nothing(
    installed: Installed, graph: GraphApi, place: str, at: int
) -> None:
    """The oracle is outside: what was answered 200, what the store holds, what WhatsApp was given."""
    bodies = {f"wamid.{n}": delivery(said("hi", sender=f"3460000{n:04}", wa_id=f"wamid.{n}")) for n in range(PEOPLE)}
    if "transact" in place or "ingress" in place:
        async with installed.serving() as server:  # the tables are there, and no worker's heartbeat is what dies
            assert await server.terminate() == 0
    installed.more = {"WCH_TESTING": "1", "WCH_FAILPOINTS": f"{place}=kill@{at + 6 * place.startswith('transact')}"}
    acknowledged: set[str] = set()
    server = installed.start()
    try:
        await server.ready()
    except AssertionError:
        assert server.process.poll() is not None, "it died while it began, which is a place too"
    async with client() as web:

        async def deliver(key: str, body: bytes) -> None:
            while server.process.poll() is None and key not in acknowledged:
                if await server.post(web, body) == 200:
                    acknowledged.add(key)

        if server.address:
            await asyncio.gather(*(deliver(key, body) for key, body in bodies.items()))
            await until(lambda: server.process.poll() is not None)
    assert server.process.wait() == -9, f"{place} was not passed {at} times"

    installed.more = {}
    async with installed.serving() as healthy, client() as web:
        for key, body in bodies.items():
            if key not in acknowledged:
                assert await healthy.post(web, body) == 200
    await _bring_to_an_end(installed)

    _everything_is_there_once(installed.store, set(bodies))
    _everybody_was_answered(installed.store, graph)
    assert max(Counter(call.row for call in graph.calls).values()) <= 2
    assert installed.json("verify")["ok"] is True

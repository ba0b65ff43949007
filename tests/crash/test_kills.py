"""Processes that are taken away in the middle: what was answered 200 is never lost, and all of it is worked through."""

import asyncio
import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest

from tests.processes import PATIENCE, GraphApi, Installed, Server, Store, client, delivery, finished, said, until
from wch.adapters.clock import SystemClock

pytestmark = pytest.mark.crash

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"
KILLS = {"sqlite": int(os.environ.get("WCH_TEST_KILLS", "200" if WHOLE else "10")),
         "mysql": int(os.environ.get("WCH_TEST_KILLS", "200" if WHOLE else "5"))}  # fmt: skip
AT_ONCE = 6
REGULAR = "34600999999"
SECONDS_TO_STOP = 30
LEASED = ("processing", "sending", "unconfirmed")


@pytest.mark.timeout(3600 if WHOLE else 600)
async def test_nothing_acknowledged_is_lost_by_kills(
    installed: Installed, graph: GraphApi, record_property: Callable[[str, object], None]
) -> None:
    """A 200 is a promise that outlives the process: kill -9 comes 0 to 5 ms after it, again and again."""
    engine = installed.store.url.partition("+")[0].partition(":")[0]
    kills = KILLS[engine]
    acknowledged: set[str] = set()
    unanswered: dict[str, bytes] = {}

    for turn in range(kills):
        bodies = {**unanswered, **_round(turn)}
        _let_leases_run_out(installed.store, *(LEASED if turn else ()))
        async with installed.serving() as server, client() as web:
            # Three lost leases bury a message by design, and two doubtful sends a reply: one kill each.
            await until(lambda: _is_settled(installed.store))
            answered = await _kill_after_the_first(server, web, bodies, milliseconds=turn % 6)
        acknowledged |= answered
        unanswered = {key: body for key, body in bodies.items() if key not in answered}
    async with installed.serving() as server, client() as web:
        for body in unanswered.values():
            assert await server.post(web, body) == 200
    await _bring_to_an_end(installed)

    assert len(acknowledged) >= kills
    _everything_is_there_once(installed.store, acknowledged | set(unanswered))
    _everybody_was_answered(installed.store, graph)
    record_property(
        "figures", f"{engine}: {kills} kills up to 5 ms after a 200, {len(acknowledged)} answered 200, 0 lost"
    )
    assert installed.json("verify")["ok"] is True


async def test_a_stop_under_load_ends_in_time_and_loses_nothing(installed: Installed, graph: GraphApi) -> None:
    """A deployment stops processes many times a day: it gives its work back, so that nothing waits for a lease."""
    acknowledged: set[str] = set()
    enough = asyncio.Event()

    async def customer(server: Server, web: httpx2.AsyncClient, name: int) -> None:
        for n in range(100):
            key = f"wamid.load.{name}.{n}"
            body = delivery(said("hi", sender=f"3460000{name:04}", wa_id=key))
            if await server.post(web, body) != 200:
                return
            acknowledged.add(key)
            if len(acknowledged) >= 60:
                enough.set()

    async with installed.serving() as server, client() as web:
        speaking = [asyncio.create_task(customer(server, web, name)) for name in range(8)]
        await enough.wait()
        async with asyncio.timeout(SECONDS_TO_STOP):
            code = await server.terminate()
        await asyncio.gather(*speaking)

    assert code == 0
    leased = "SELECT direction, status FROM wch_messages WHERE status IN ('processing', 'sending')"
    assert installed.store.rows(leased) == []
    async with installed.serving():
        await finished(installed.store)
    _everything_is_there_once(installed.store, acknowledged)
    assert graph.sent_twice().total() == _resent(installed.store).total()
    assert "Traceback" not in installed.log
    assert installed.json("verify")["ok"] is True


# --- the steps


def _round(turn: int) -> dict[str, bytes]:
    """Deliveries of one round: new customers, and one who writes in every round."""
    people = [f"34600{turn:03}{n:03}" for n in range(AT_ONCE - 1)]
    spoken = {f"wamid.{turn}.{n}": person for n, person in enumerate((*people, REGULAR))}
    return {key: delivery(said("hi", sender=person, wa_id=key)) for key, person in spoken.items()}


async def _kill_after_the_first(
    server: Server, web: httpx2.AsyncClient, bodies: dict[str, bytes], *, milliseconds: int
) -> set[str]:
    """Post all at once and kill the server so long after its first 200; the ids that were answered 200."""
    answered: set[str] = set()
    first = asyncio.Event()

    async def deliver(key: str, body: bytes) -> None:
        if await server.post(web, body) == 200:
            answered.add(key)
            first.set()

    posting = [asyncio.create_task(deliver(key, body)) for key, body in bodies.items()]
    async with asyncio.timeout(PATIENCE):
        await first.wait()
    # The instant of the kill is what is tried here, so this once time is let pass.
    await asyncio.sleep(milliseconds / 1000)
    server.kill()
    await asyncio.gather(*posting)
    return answered


def _let_leases_run_out(store: Store, *words: str) -> None:
    """Move these rows five minutes into the past, instead of waiting out a lease of 60 s or an echo's 120 s."""
    past = (SystemClock().now() - timedelta(minutes=5)).strftime("%Y-%m-%d %H:%M:%S")
    for word in words:
        store.change("UPDATE wch_messages SET updated_at = :past WHERE status = :word", past=past, word=word)


async def _bring_to_an_end(installed: Installed) -> None:
    """Let one more server work until nothing is left, what was in doubt included."""
    _let_leases_run_out(installed.store, *LEASED)
    async with installed.serving() as server:
        await until(lambda: _is_settled(installed.store))
        assert await server.terminate() == 0


def _is_settled(store: Store) -> bool:
    """Whether nothing waits; what is in doubt is moved past its wait for an echo."""
    in_doubt = store.one("SELECT COUNT(*) FROM wch_messages WHERE status = 'unconfirmed'")
    if in_doubt:
        _let_leases_run_out(store, "unconfirmed")
    return not in_doubt and not store.unfinished()


def _everything_is_there_once(store: Store, keys: set[str]) -> None:
    found = store.rows("SELECT wa_message_id, status FROM wch_messages WHERE direction = 'inbound'")
    assert Counter(key for key, _ in found) == Counter(keys)
    assert Counter(status for _, status in found) == Counter({"processed": len(keys)})


def _resent(store: Store) -> Counter[int]:
    """The rows that the hub says it sent once more."""
    rows = store.rows("SELECT id FROM wch_messages WHERE direction = 'outbound' AND content LIKE '%\"resent\"%'")
    return Counter(row for (row,) in rows)


def _everybody_was_answered(store: Store, graph: GraphApi) -> None:
    """At least one reply each; a second call only for a row that says so."""
    customers = {person for (person,) in store.rows("SELECT customer_phone FROM wch_conversations")}
    assert customers == {call.to for call in graph.calls}
    assert store.rows("SELECT id, status, error_message FROM wch_messages WHERE status IN ('failed', 'dead')") == []
    unexplained = graph.sent_twice() - _resent(store)
    assert unexplained == Counter()

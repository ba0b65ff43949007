"""Meta sends again what it is not sure of: whatever comes again, and however close together, counts once."""

import asyncio

from tests.processes import GraphApi, Installed, client, delivery, finished, said

ANNA = "34600111222"


async def test_a_delivery_posted_a_hundred_times_at_once_counts_once(installed: Installed, graph: GraphApi) -> None:
    """One row, one conversation, one reply: the unique key decides, not who looks first."""
    body = delivery(said("hi", sender=ANNA, wa_id="wamid.again"))

    async with installed.serving() as server, client() as web:
        answers = await asyncio.gather(*(server.post(web, body) for _ in range(100)))
        await finished(installed.store)

    assert answers == [200] * 100
    store = installed.store
    assert store.one("SELECT COUNT(*) FROM wch_messages WHERE direction = 'inbound'") == 1
    assert store.rows("SELECT customer_phone, message_count FROM wch_conversations") == [(ANNA, 2)]
    assert [call.to for call in graph.calls] == [ANNA]
    assert installed.json("verify")["ok"] is True


async def test_overlapping_batches_count_each_message_once(installed: Installed, graph: GraphApi) -> None:
    """Batches are cut differently when they are sent again; a message is known by its id, not by its batch."""
    messages = {n: said(f"hi {n}", sender=f"3460011122{n % 5}", wa_id=f"wamid.m{n}") for n in range(1, 16)}
    batches = [range(1, 11), range(5, 16), *((n,) for n in range(1, 16))]
    bodies = [delivery(*(messages[n] for n in batch)) for batch in batches]

    async with installed.serving() as server, client() as web:
        answers = await asyncio.gather(*(server.post(web, body) for body in bodies))
        await finished(installed.store)

    assert answers == [200] * len(bodies)
    inbound = "SELECT wa_message_id FROM wch_messages WHERE direction = 'inbound'"
    assert sorted(key for (key,) in installed.store.rows(inbound)) == sorted(f"wamid.m{n}" for n in messages)
    counts = installed.store.rows("SELECT id, message_count FROM wch_conversations")
    rows = installed.store.rows("SELECT conversation_id, COUNT(*) FROM wch_messages GROUP BY conversation_id")
    assert len(counts) == 5
    assert sorted(counts) == sorted(rows)
    assert graph.sent_twice().total() == 0
    assert installed.json("verify")["ok"] is True

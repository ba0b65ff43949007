"""A message whose handler kills its worker: it uses up its own attempts, and nobody else pays for it."""

from collections import Counter

import pytest

from tests.crash.alterations import POISON
from tests.crash.nursery import Nursery
from tests.crash.test_kills import _bring_to_an_end, _let_leases_run_out
from tests.processes import GraphApi, Installed, client, delivery, said, until

pytestmark = pytest.mark.crash

OTHERS = 100
MOST_DEATHS = 12


@pytest.mark.whole("mariadb")
@pytest.mark.timeout(240)
async def test_a_message_that_kills_its_worker_is_buried_and_a_hundred_others_are_answered(
    installed: Installed, graph: GraphApi, nursery: Nursery
) -> None:
    """Others were in the hands of the same worker, each time it died; they are not to die of it."""
    poison = delivery(said(POISON, sender="34699000000", wa_id="wamid.poison"))
    others = [delivery(said("hi", sender=f"3460000{n:04}", wa_id=f"wamid.{n}")) for n in range(OTHERS)]
    async with installed.serving("--no-worker") as server, client() as web:
        for body in (*others[: OTHERS // 2], poison, *others[OTHERS // 2 :]):
            assert await server.post(web, body) == 200

    deaths = 0
    while installed.store.unfinished() and deaths < MOST_DEATHS:
        worker = nursery.start("worker", environment=installed.environment, altered="poisoned")
        await until(lambda: worker.ended or not installed.store.unfinished())  # noqa: B023 - awaited here
        deaths += worker.kill() == -9 and bool(installed.store.unfinished())
        _let_leases_run_out(installed.store, "processing", "sending")
    await _bring_to_an_end(installed)

    states = dict(installed.store.rows("SELECT wa_message_id, status FROM wch_messages WHERE direction = 'inbound'"))
    assert states.pop("wamid.poison") == "dead"
    assert Counter(states.values()) == {"processed": OTHERS}
    letters = installed.store.rows("SELECT reason, attempts FROM wch_dead_letter_queue")
    assert letters == [("crash", 3)]
    assert deaths == 3, "it killed as often as it had attempts"
    assert {f"3460000{n:04}" for n in range(OTHERS)} <= {call.to for call in graph.calls}
    assert installed.json("verify")["ok"] is True

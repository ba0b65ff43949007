"""What the phone app hands over of former days is kept for reading, and does nothing else."""

from datetime import timedelta
from typing import Any

import pytest

from tests.application.rooms import ANNA, Rooms, rooms, said
from wch.domain.conversation import ConversationStatus
from wch.domain.message import Direction, MessageStatus
from wch.domain.moment import unix
from wch.testing import NOON

DAY = 86_400


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param, keeps_history=True)


def chunk(*messages: Any) -> dict[str, Any]:
    return {"history": [{"metadata": {"phase": 0}, "threads": [{"id": ANNA, "messages": list(messages)}]}]}


ASKED = said("do you deliver?", wa_id="h1", at=unix(NOON) - 3 * DAY)
OURS = said("yes", sender="15550783881", wa_id="h2", at=unix(NOON) - 3 * DAY + 60)
MARKED = {**said("we do", sender="1", wa_id="h3", at=unix(NOON) - 2 * DAY), "history_context": {"from_me": True}}


async def test_both_sides_are_kept_in_a_resolved_thread(hub: Rooms) -> None:
    """Nothing is unread, counted, answered or opened by it; told twice it is kept once."""
    for _ in range(2):
        await hub.post(chunk(ASKED, OURS, MARKED), field="history")

    thread = await hub.thread()
    rows = await hub.rows()
    assert (thread.status, thread.message_count, thread.unread_count) == (ConversationStatus.RESOLVED, 0, 0)
    assert thread.last_message_at == NOON - timedelta(days=2)
    assert [(row.direction, row.status, row.content["text"]) for row in rows] == [
        (Direction.INBOUND, MessageStatus.PROCESSED, "do you deliver?"),
        (Direction.OUTBOUND, MessageStatus.SENT, "yes"),
        (Direction.OUTBOUND, MessageStatus.SENT, "we do"),
    ]
    assert await hub.handling.work() == 0
    assert await hub.see(lambda uow: uow.messages.latest_inbound_at(ANNA)) is None
    assert await hub.is_sound()


async def test_an_open_thread_is_left_alone(hub: Rooms) -> None:
    """What is said now stays what it is; history goes beside it."""
    await hub.hear("hi")
    open_one = await hub.thread()

    await hub.post(chunk(ASKED), field="history")

    assert await hub.thread() == open_one
    assert len(await hub.see(lambda uow: uow.conversations.listed(customer_phone=ANNA))) == 2


async def test_what_is_not_wanted_is_only_counted() -> None:
    """The setting is off by default."""
    hub = rooms()

    receipt = await hub.post(chunk(ASKED, OURS), field="history")

    assert (receipt.events, receipt.new) == (2, 0)
    assert await hub.see(lambda uow: uow.customers.listed()) == []


async def test_a_refusal_to_share_is_written_down(hub: Rooms) -> None:
    """The owner may decline: then a chunk holds an error and no threads."""
    await hub.post({"history": [{"errors": [{"code": 2593109}]}]}, field="history")
    await hub.post(chunk("nonsense"), field="history")

    (line,) = await hub.see(lambda uow: uow.audit.listed())
    assert line.action == "whatsapp.history"
    assert len(await hub.letters()) == 1

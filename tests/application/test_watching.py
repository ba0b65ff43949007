"""A mark changes when its page has news, and only then."""

import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.watching import Watching
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.testing import NOON


@pytest.fixture
async def hub() -> Rooms:
    made = rooms()
    await made.hear("hi")
    await made.do(lambda uow: uow.sagas.add(Saga.begun("order-1-1", PLACEMENT, {}, now=NOON)))
    return made


@pytest.fixture
def watching(hub: Rooms) -> Watching:
    return Watching(database=hub.database)


async def test_nothing_happens_and_nothing_changes(hub: Rooms, watching: Watching) -> None:
    """Pages are not fetched for nothing, however often it is looked."""
    thread = await hub.thread()
    topics = ("inbox", f"conversation:{thread.id}", "letters", "saga:order-1-1", "breakers")

    first = await watching.marks(topics)

    assert set(first) == set(topics)
    assert await watching.marks(topics) == first


async def test_a_message_changes_the_inbox_and_its_thread(hub: Rooms, watching: Watching) -> None:
    """And nothing else."""
    thread = await hub.thread()
    topics = ("inbox", f"conversation:{thread.id}", "letters", "breakers")
    before = await watching.marks(topics)

    await hub.hear("again")

    after = await watching.marks(topics)
    assert [topic for topic in topics if before[topic] != after[topic]] == ["inbox", f"conversation:{thread.id}"]


async def test_an_answer_and_its_way_change_the_thread(hub: Rooms, watching: Watching) -> None:
    """Ticks move without a new row."""
    topic = f"conversation:{(await hub.thread()).id}"
    marks = [await watching.marks([topic])]

    await hub.handling.work()
    marks.append(await watching.marks([topic]))
    await hub.outbox.work()
    marks.append(await watching.marks([topic]))

    assert len({mark[topic] for mark in marks}) == 3


async def test_a_step_changes_its_saga(hub: Rooms, watching: Watching) -> None:
    """The time line grows while it is looked at."""
    before = await watching.marks(["saga:order-1-1"])

    def step(uow):  # type: ignore[no-untyped-def]  # a closure for one line
        saga = uow.sagas.get("order-1-1", lock=True)
        uow.sagas.save(saga.started("check", now=NOON))

    await hub.do(step)

    assert await watching.marks(["saga:order-1-1"]) != before


@pytest.mark.parametrize(
    "topic", ["", "nonsense", "inbox:7", "conversation:", "conversation:x", "conversation:" + "9" * 40, "saga:none"]
)
async def test_what_nobody_knows_has_no_mark(watching: Watching, topic: str) -> None:
    """A stranger's word costs nothing and tells nothing."""
    assert await watching.marks([topic]) == {}

"""The worker runs every kind of work, and stops in time."""

import asyncio
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application import worker as worker_room
from wch.application.bell import Bell
from wch.application.worker import HEARTBEAT, Worker
from wch.domain.errors import NotFoundError, StoreUnavailableError


@attrs.define
class Counting:
    """A duty that does what it is told."""

    kind: str = "counting"
    turns: list[Any] = attrs.field(factory=list)
    passes: int = 0

    async def work(self) -> int:
        self.passes += 1
        turn = self.turns.pop(0) if self.turns else 0
        if isinstance(turn, Exception):
            raise turn
        if isinstance(turn, asyncio.Event):
            await turn.wait()
            return 1
        return int(turn)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the duties tell nobody
            await asyncio.sleep(0.005)


async def test_one_pass_in_the_order_of_urgency(hub: Rooms) -> None:
    """What is handled in a pass leaves in the same pass."""
    await hub.hear("hi")

    assert await hub.worker().once() == 2
    assert len(hub.whatsapp.sent) == 1


async def test_draining_ends_when_nothing_is_due(hub: Rooms) -> None:
    """Pass after pass; a limit on passes holds."""
    busy = Counting(turns=[1, 2, 3])

    assert await hub.worker(busy).drain() == 6
    busy.turns = [1] * 10
    assert await hub.worker(busy).drain(4) == 4


async def test_an_error_in_one_duty_stops_no_other(hub: Rooms) -> None:
    """A store that is away and a bug are both survived."""
    broken = Counting(kind="broken", turns=[RuntimeError(), StoreUnavailableError()])
    fine = Counting(turns=[1, 1])

    assert await hub.worker(broken, fine).drain() == 2


async def test_only_some_kinds(hub: Rooms) -> None:
    """An unknown kind is named, with those that there are."""
    await hub.hear("hi")
    worker = hub.worker()

    assert await worker.only(frozenset({"outbound"})).drain() == 0
    with pytest.raises(NotFoundError, match="no work of kind nonsense; there is inbound, outbound"):
        worker.only(frozenset({"nonsense"}))


async def test_a_fresh_delivery_is_handled_at_once(hub: Rooms) -> None:
    """The bell wakes the worker in the same process: nobody waits for the poll."""
    stop = asyncio.Event()
    running = asyncio.create_task(hub.worker(poll_seconds=30).run(stop))
    await asyncio.sleep(0.02)

    await hub.hear("hi")
    await until(lambda: hub.whatsapp.sent)

    stop.set()
    await asyncio.wait_for(running, 2)
    assert not hub.bell.closing


async def test_a_worker_shows_that_it_lives(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """An option tells so, renewed, and goes when the worker stops."""
    monkeypatch.setattr(worker_room, "HEARTBEAT_SECONDS", 0.01)
    stop = asyncio.Event()
    running = asyncio.create_task(hub.worker().run(stop))
    await asyncio.sleep(0.05)

    ((name, beat),) = await hub.see(lambda uow: uow.options.named(HEARTBEAT))
    assert name.startswith("worker.0000")
    assert beat["at"] == "2026-03-02T12:00:00Z"

    stop.set()
    await running
    assert await hub.see(lambda uow: uow.options.named(HEARTBEAT)) == []


async def test_a_heartbeat_that_fails_stops_nothing(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Being alive is more than being seen."""
    monkeypatch.setattr(worker_room, "HEARTBEAT_SECONDS", 0.01)
    duty = Counting()

    class Away:
        async def transact(self, _work: Any) -> Any:
            raise StoreUnavailableError

    away: Any = Away()
    worker = attrs.evolve(hub.worker(duty), database=away, duties=(duty,))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await until(lambda: duty.passes > 1)

    stop.set()
    await running


async def test_told_to_stop_it_lets_the_pass_end(hub: Rooms) -> None:
    """What is under way is finished, and nothing more is begun."""
    gate = asyncio.Event()
    duty = Counting(turns=[gate])
    stop = asyncio.Event()
    running = asyncio.create_task(hub.worker(duty, stop_seconds=5).run(stop))
    await until(lambda: duty.passes)
    stop.set()
    await asyncio.sleep(0.02)
    assert hub.bell.closing

    gate.set()
    await asyncio.wait_for(running, 2)

    assert duty.passes == 1


async def test_a_pass_that_does_not_end_is_given_up(hub: Rooms) -> None:
    """After its time the pass is cancelled, and gives back what it holds."""
    duty = Counting(turns=[asyncio.Event()])
    stop = asyncio.Event()
    running = asyncio.create_task(hub.worker(duty, stop_seconds=0.02).run(stop))
    await until(lambda: duty.passes)

    stop.set()

    await asyncio.wait_for(running, 2)


async def test_a_cancelled_worker_cleans_up(hub: Rooms) -> None:
    """A host that cancels the task gets the same order."""
    running = asyncio.create_task(hub.worker().run(asyncio.Event()))
    await asyncio.sleep(0.02)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert await hub.see(lambda uow: uow.options.named(HEARTBEAT)) == []


async def test_slow_work_holds_up_no_other_kind(hub: Rooms) -> None:
    """Every kind has its own turn."""
    slow, quick = Counting(kind="slow", turns=[asyncio.Event()]), Counting(kind="quick", turns=[1, 1, 1])
    worker = attrs.evolve(hub.worker(), duties=(slow, quick))
    stop = asyncio.Event()
    running = asyncio.create_task(worker.run(stop))

    await until(lambda: quick.passes > 3)

    assert slow.passes == 1
    stop.set()
    await running


async def test_a_worker_without_duties_stops_too(hub: Rooms) -> None:
    """Nothing to do is no reason to hang."""
    worker: Worker = attrs.evolve(hub.worker(), duties=())
    stop = asyncio.Event()
    stop.set()

    await asyncio.wait_for(worker.run(stop), 2)


async def test_a_ring_is_heard_by_every_listener() -> None:
    """Also one that came while a listener worked; resting ends at closing time only."""
    bell = Bell()
    bell.ring()
    await asyncio.wait_for(bell.wait("a", 30), 1)
    listening = [asyncio.create_task(bell.wait(who, 30)) for who in ("a", "b")]
    resting = asyncio.create_task(bell.rest(30))
    await asyncio.sleep(0.01)
    assert [task.done() for task in listening] == [False, True]

    bell.ring()
    await asyncio.sleep(0.01)
    assert listening[0].done()
    assert not resting.done()

    bell.close()
    await asyncio.wait_for(resting, 1)
    assert bell.closing
    bell.reopen()
    assert not bell.closing


async def test_nobody_rings_and_time_passes() -> None:
    """A listener waits no longer than it said."""
    bell = Bell()

    await asyncio.wait_for(bell.wait("a", 0.01), 1)
    await asyncio.wait_for(bell.rest(0.01), 1)


async def test_a_day_in_memory(hub: Rooms) -> None:
    """A hundred messages, a dozen customers: each answered once, in order, everything accounted for."""
    for n in range(100):
        await hub.hear(f"m{n}", sender=f"49{n % 12:09}")
        if n % 10 == 0:
            await hub.worker().drain()
            hub.clock.advance(timedelta(seconds=7))
    for _ in range(30):
        await hub.worker().drain()
        hub.clock.advance(timedelta(seconds=30))

    assert sorted(hub.whatsapp.texts) == sorted(f"you said m{n}" for n in range(100))
    told: dict[str, list[int]] = {}
    for one in hub.whatsapp.sent:
        told.setdefault(one.message["to"], []).append(int(one.message["text"]["body"].removeprefix("you said m")))
    assert all(numbers == sorted(numbers) for numbers in told.values())
    assert await hub.is_sound()
    assert await hub.see(lambda uow: uow.customers.of(ANNA)) is None

"""Group commit: works that wait together, a store that does not answer, and callers who left."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from typing import Any

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application import gathering
from wch.application.gathering import Gatherer
from wch.application.ports import Said, UnitOfWork
from wch.domain.document import document
from wch.domain.errors import StoreUnavailableError
from wch.domain.message import Direction, Message, MessageStatus
from wch.testing import NOON, FrozenClock


class Silent(MemoryDatabase):
    """Answers nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.speaks = asyncio.Event()

    async def transact(self, work: Any) -> Any:
        await self.speaks.wait()
        return await super().transact(work)


class Slow(MemoryDatabase):
    """Takes a few turns of the loop; counts what begins."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def transact(self, work: Any) -> Any:
        self.sizes.append(0)
        for _ in range(8):
            await asyncio.sleep(0)
        return await super().transact(work)


WAY_THERE_AND_BACK = 2
"""Turns of the loop between an answer and what the same caller brings next."""


@attrs.frozen
class Asked:
    """A work that needs nobody, brings these messages, and is settled by any of them that is known."""

    apply: Callable[[UnitOfWork], Any]
    wa_message_ids: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    def settled(self, known: Mapping[str, Said]) -> str | None:
        return next((str(known[one].content["text"]) for one in self.wa_message_ids if one in known), None)

    def options(self, _uow: UnitOfWork) -> Collection[str]:
        return ()

    def phones(self, _uow: UnitOfWork) -> Collection[str]:
        return self.people


CALLER: ContextVar[str] = ContextVar("caller")


def noting(name: str) -> Callable[[UnitOfWork], None]:
    return lambda uow: uow.options.put(name, document(n=1))


async def names(store: MemoryDatabase) -> list[str]:
    return await store.read(lambda uow: [name for name, _ in uow.options.named("")])


async def test_a_store_that_does_not_answer_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits behind a transaction that hangs hears of it as soon as who is in it."""
    monkeypatch.setattr(gathering, "ANSWERED_WITHIN", 0.01)
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    calls = [gatherer.run(Asked(noting(name))) for name in ("first", "second")]

    answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(answer) for answer in answers] == [StoreUnavailableError] * 2


@pytest.mark.parametrize("within", [(0.02, 0.04, 0.06), (-0.06, -0.04, -0.02)], ids=["in time", "all late"])
async def test_each_waits_for_its_own_time(monkeypatch: pytest.MonkeyPatch, within: tuple[float, ...]) -> None:
    """Who came later and has less patience hears first, also where all are looked at too late; who was answered is in nobody's way."""
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    heard: list[str] = []

    async def ask(name: str, seconds: float) -> None:
        monkeypatch.setattr(gathering, "ANSWERED_WITHIN", seconds)
        with pytest.raises(StoreUnavailableError):
            await gatherer.run(Asked(noting(name)))
        heard.append(name)

    store.speaks.set()
    await gatherer.run(Asked(noting("answered")))
    store.speaks.clear()
    first, second, third = within
    await asyncio.gather(ask("third", third), ask("second", second), ask("first", first))

    assert heard == ["first", "second", "third"]


async def test_no_timer_is_left_when_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop whose time is moved by hand would go on to it."""
    store = Silent()
    store.speaks.set()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    timers: list[asyncio.TimerHandle] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def noted(*what: Any, **more: Any) -> asyncio.TimerHandle:
        timers.append(call_at(*what, **more))
        return timers[-1]

    monkeypatch.setattr(loop, "call_at", noted)
    await asyncio.gather(*(gatherer.run(Asked(noting(name))) for name in ("first", "second")))
    await asyncio.sleep(0)

    assert [one.cancelled() for one in timers] == [True]


async def test_more_than_a_group_takes_are_further_groups_where_their_own_first_callers_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each group is of at most so many, in the order in which they came."""
    monkeypatch.setattr(gathering, "MOST_TOGETHER", 2)
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    stood: list[tuple[str, str]] = []

    async def ask(name: str) -> None:
        CALLER.set(name)
        await gatherer.run(Asked(lambda _uow: stood.append((name, CALLER.get()))))

    asked = [asyncio.create_task(ask(name)) for name in "abcde"]
    for _ in range(3):
        await asyncio.sleep(0)
    store.speaks.set()
    await asyncio.gather(*asked)

    assert stood == [("a", "a"), ("b", "a"), ("c", "c"), ("d", "c"), ("e", "e")]


async def test_who_was_told_so_is_not_waited_for_when_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """They send it again: an hour's worth of works that nobody waits for would keep everybody else out."""
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    under_way = asyncio.create_task(gatherer.run(Asked(noting("under way"))))
    for _ in range(3):
        await asyncio.sleep(0)
    monkeypatch.setattr(gathering, "ANSWERED_WITHIN", 0.01)
    with pytest.raises(StoreUnavailableError):
        await gatherer.run(Asked(noting("given up")))

    store.speaks.set()
    await under_way
    monkeypatch.undo()
    await gatherer.run(Asked(noting("fresh")))

    assert await names(store) == ["fresh", "under way"]


async def test_what_comes_to_its_end_after_all_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction that hung commits, with nobody there to hear it: the repeat meets it by its key."""
    monkeypatch.setattr(gathering, "ANSWERED_WITHIN", 0.01)
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    with pytest.raises(StoreUnavailableError):
        await gatherer.run(Asked(noting("late")))

    store.speaks.set()
    await gatherer.run(Asked(noting("next")))

    assert await names(store) == ["late", "next"]


async def test_a_group_runs_where_its_first_caller_stands() -> None:
    """What waited while another committed is not put into the trace of who was there before."""
    store = Silent()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    stood: list[str] = []

    async def ask(name: str) -> None:
        CALLER.set(name)
        await gatherer.run(Asked(lambda _uow: stood.append(CALLER.get())))

    asked = [asyncio.create_task(ask("first"))]
    for _ in range(3):
        await asyncio.sleep(0)
    asked += [asyncio.create_task(ask(name)) for name in ("second", "third")]
    for _ in range(3):
        await asyncio.sleep(0)
    store.speaks.set()
    await asyncio.gather(*asked)

    assert stood == ["first", "second", "second"]


async def test_those_just_answered_are_let_into_the_group_that_waits() -> None:
    """Two halves that take turns would be twice as many transactions, for as long as the rush lasts."""
    store = Slow()
    gatherer = Gatherer(database=store, clock=FrozenClock())

    async def line(after: int) -> None:
        for _ in range(after):
            await asyncio.sleep(0)
        for _ in range(6):
            await gatherer.run(Asked(lambda _uow: store.sizes.append(store.sizes.pop() + 1)))
            for _ in range(WAY_THERE_AND_BACK):
                await asyncio.sleep(0)

    await asyncio.gather(*(line(after) for after in (0, 0, 6, 6)))

    assert store.sizes[:2] == [2, 4]
    assert set(store.sizes[2:-1]) == {4}


async def test_who_comes_alone_waits_for_nobody() -> None:
    """As long as there was no company, a work begins in the turn of the loop in which it came."""
    store = Slow()
    gatherer = Gatherer(database=store, clock=FrozenClock())
    await gatherer.run(Asked(noting("first")))

    asked = asyncio.create_task(gatherer.run(Asked(noting("second"))))
    for _ in range(2):
        await asyncio.sleep(0)

    assert len(store.sizes) == 2
    await asked


async def test_of_a_group_only_who_brings_something_new_is_prepared_and_run() -> None:
    """What is known already asks for nobody and locks nobody; each hears its own answer, in its own place."""
    store = Silent()
    store.speaks.set()
    known = Message(
        direction=Direction.INBOUND, type="text", wa_message_id="known", content=document(text="said before"),
        status=MessageStatus.RECEIVED, created_at=NOON, updated_at=NOON,
    )  # fmt: skip
    await store.transact(lambda uow: uow.messages.add(known))
    gatherer = Gatherer(database=store, clock=FrozenClock())

    def new(uow: UnitOfWork) -> str:
        return uow.customers.lock("1", now=NOON).phone

    def refuse(_uow: UnitOfWork) -> None:
        pytest.fail("what is known is not applied again")

    works = [
        Asked(refuse, frozenset({"known"}), frozenset({"2"})),
        Asked(new, frozenset({"new"}), frozenset({"1"})),
        Asked(refuse, frozenset({"known"}), frozenset({"2"})),
    ]
    answers = await asyncio.gather(*map(gatherer.run, works))

    assert answers == ["said before", "1", "said before"]
    assert [one.phone for one in await store.read(lambda uow: uow.customers.listed())] == ["1"]

"""One effect for each Idempotency-Key, whatever happens on the way."""

import asyncio
from datetime import timedelta

import attrs
import pytest

from tests.application.rooms import Rooms, rooms
from wch.application.digests import Digests
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.requests import Done, Effect, KeyReusedForAnotherError, Request, Requests, StillRunningError
from wch.domain.document import document
from wch.domain.errors import ConflictError

ASKED = Request(caller="anna", key="k-1", fingerprint="a" * 64)
COUNTER = "test.counter"


@attrs.frozen(kw_only=True)
class Counter:
    """A room with one use-case: counting up."""

    database: Database
    clock: Clock

    async def up(self) -> int:
        def work(uow: UnitOfWork) -> int:
            count = int((uow.options.get(COUNTER, lock=True) or {"n": 0})["n"]) + 1
            uow.options.put(COUNTER, document(n=count))
            return count

        return await self.database.transact(work)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def requests_of(hub: Rooms, *secrets: str) -> Requests:
    return Requests(database=hub.database, clock=hub.clock, digests=Digests(keys=secrets or ("secret",)))


def counter(hub: Rooms) -> Counter:
    return Counter(database=hub.database, clock=hub.clock)


def made(count: object) -> Effect:
    return Effect(status=202, kind="count", id=str(count))


async def up(hub: Rooms, requests: Requests, asked: Request = ASKED) -> object:
    return await requests.once(asked, counter(hub), lambda room: room.up(), made)


async def count(hub: Rooms) -> int:
    told = await hub.see(lambda uow: uow.options.get(COUNTER))
    return int(told["n"]) if told else 0


async def test_the_second_call_gets_the_effect_of_the_first(hub: Rooms) -> None:
    """Any number of calls later it is still one effect."""
    requests = requests_of(hub)

    answers = [await up(hub, requests) for _ in range(3)]

    assert answers == [
        Done(value=1),
        Effect(status=202, kind="count", id="1"),
        Effect(status=202, kind="count", id="1"),
    ]
    assert await count(hub) == 1


async def test_another_request_under_the_key_is_refused(hub: Rooms) -> None:
    """It must not get the answer of the first, nor act."""
    requests = requests_of(hub)
    await up(hub, requests)

    with pytest.raises(KeyReusedForAnotherError):
        await up(hub, requests, attrs.evolve(ASKED, fingerprint="b" * 64))

    assert await count(hub) == 1


async def test_keys_of_two_callers_never_meet(hub: Rooms) -> None:
    """Nobody learns by guessing keys what others asked for."""
    requests = requests_of(hub)
    await up(hub, requests)

    assert await up(hub, requests, attrs.evolve(ASKED, caller="boris")) == Done(value=2)


async def test_after_a_day_the_key_is_new(hub: Rooms) -> None:
    """As the interface says: 24 hours."""
    requests = requests_of(hub)
    await up(hub, requests)
    hub.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    assert isinstance(await up(hub, requests), Effect)

    hub.clock.advance(timedelta(seconds=1))

    assert await up(hub, requests) == Done(value=2)


async def test_a_refused_request_leaves_its_key_free(hub: Rooms) -> None:
    """Nothing was done, so the same request may be tried again at once."""
    requests = requests_of(hub)

    async def refused(room: Counter) -> int:
        def work(uow: UnitOfWork) -> int:
            uow.options.put(COUNTER, document(n=99))
            raise ConflictError

        return await room.database.transact(work)

    with pytest.raises(ConflictError):
        await requests.once(ASKED, counter(hub), refused, made)

    assert await count(hub) == 0
    assert await up(hub, requests) == Done(value=1)


async def test_a_request_that_still_runs_is_said_to_run(hub: Rooms) -> None:
    """The second caller waits and asks again, instead of acting beside the first."""
    requests = requests_of(hub)
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(room: Counter) -> int:
        inside.set()
        await go.wait()
        return await room.up()

    first = asyncio.create_task(requests.once(ASKED, counter(hub), slow, made))
    await inside.wait()

    with pytest.raises(StillRunningError):
        await up(hub, requests)
    go.set()
    assert await first == Done(value=1)
    assert isinstance(await up(hub, requests), Effect)


async def test_two_processes_at_once_have_one_effect(hub: Rooms) -> None:
    """Each has looked and found nothing; the unique key decides in the transaction of the effect."""
    here, there = requests_of(hub), requests_of(hub)
    inside, go = asyncio.Event(), asyncio.Event()

    async def slow(room: Counter) -> int:
        inside.set()
        await go.wait()
        return await room.up()

    late = asyncio.create_task(here.once(ASKED, counter(hub), slow, made))
    await inside.wait()
    early = await up(hub, there)
    go.set()

    assert early == Done(value=1)
    assert await late == Effect(status=202, kind="count", id="1")
    assert await count(hub) == 1


async def test_a_change_of_the_secret_key_forgets_no_request(hub: Rooms) -> None:
    """While both are listed the key is looked for under each."""
    await up(hub, requests_of(hub, "old"))

    assert isinstance(await up(hub, requests_of(hub, "new", "old")), Effect)


async def test_what_comes_after_the_first_transaction_is_not_held_up(hub: Rooms) -> None:
    """A use-case may write more than once; the key belongs to its first effect."""
    requests = requests_of(hub)

    async def both(room: Counter) -> int:
        await room.up()
        assert await room.database.clock_offset() == timedelta(0)
        await room.database.aclose()
        return await room.up()

    assert await requests.once(ASKED, counter(hub), both, made) == Done(value=2)
    assert await up(hub, requests) == Effect(status=202, kind="count", id="1")

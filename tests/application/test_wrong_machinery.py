"""Clocks that are wrong and chance that repeats itself: time never goes back, and nothing is written over."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, campaigning
from tests.application.rooms import PNG, rooms
from tests.application.shopping import shopping
from tests.application.test_attachments import attachments, picture
from wch.adapters.memory import MemoryDatabase
from wch.application.digests import Digests
from wch.application.draws import MOST_DRAWS, unused
from wch.application.keys import Keys
from wch.application.merges import Merges
from wch.application.ports import Ids
from wch.domain.api_key import KeyScope
from wch.domain.attachment import AttachmentError
from wch.domain.catalogue_item import CatalogueError
from wch.domain.completion import ModelUnavailableError
from wch.domain.errors import ConflictError, LeaseLostError
from wch.domain.message_template import TemplatesUnavailableError
from wch.domain.order_figures import Counting
from wch.domain.saga import Saga
from wch.domain.shop_error import ShopUnavailableError
from wch.testing import NOON, FrozenClock, SequentialIds
from wch.testing.faults import CrashedError, Fault, Faults, NthCall


def stuttering(times: int = 2) -> Ids:
    """Every word and every number is drawn so often in a row."""
    turns = count(1)
    return Faults(plan=lambda _place: Fault.REPEAT if next(turns) % times else None).ids(SequentialIds())


# --- clocks


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [(Fault.JUMP, [2, 2, 12]), (Fault.STEP, [0, 0, 8]), (Fault.DRIFT, [0, 0, 11])],
)
def test_a_wrong_clock_never_goes_back(fault: Fault, seconds: list[int]) -> None:
    """Ahead, behind, or running fast; what it said before stands."""
    true = FrozenClock()
    clock = Faults(plan=NthCall(fault, at=2, of="clock.")).clock(true)
    first = clock.now()
    found = [clock.now(), clock.now()]
    boot = clock.boot()
    true.advance(timedelta(seconds=10))
    found.append(clock.now())

    assert first == NOON
    assert [int((moment - NOON).total_seconds()) for moment in found] == seconds
    assert clock.boot() - boot == 10, "spans within a process are measured by another clock"


def test_a_fast_clock_is_wrong_by_so_much_at_most() -> None:
    """Beyond that somebody is told to look at it."""
    true = FrozenClock()
    clock = Faults(plan=NthCall(Fault.DRIFT, at=1, of="clock.")).clock(true)
    clock.now()
    true.advance(timedelta(hours=1))

    assert clock.now() == true.now() + timedelta(seconds=2)


# --- chance


def test_chance_that_is_stuck_is_said_so() -> None:
    """A few draws, then an error: never a name that is somebody's."""
    drawn: list[int] = []

    with pytest.raises(ConflictError):
        unused(lambda: drawn.append(1), lambda _: True)
    assert len(drawn) == MOST_DRAWS


async def test_a_second_key_never_takes_the_first_ones_place() -> None:
    """Keys are kept by a short prefix; whoever holds the first one keeps what it opens."""
    hub = rooms()
    keys = Keys(
        database=hub.database,
        clock=hub.clock,
        ids=stuttering(4),
        digests=Digests(keys=("a-secret",)),
        limits=hub.limits,
    )

    first = await keys.create(["read"], by="ann")
    second = await keys.create(["carts"], by="ann")

    assert first.key.prefix != second.key.prefix
    assert (await keys.admit(first.text)).key.scopes == (KeyScope.READ,)
    assert len(await keys.listed()) == 2


async def test_a_second_campaign_never_takes_the_first_ones_place() -> None:
    """Drafts of two operators at the same moment."""
    shop = campaigning()
    broadcasts = attrs.evolve(shop.broadcasts, ids=stuttering())

    await shop.template()
    first, _ = await broadcasts.draft({**EVERYONE, "name": "first"}, by="ann")
    second, _ = await broadcasts.draft({**EVERYONE, "name": "second"}, by="bo")

    names = {(await broadcasts.show(plan.id)).plan.name for plan in (first, second)}
    assert names == {"first", "second"}


async def test_two_merges_can_both_be_taken_back() -> None:
    """Each has a record of its own."""
    merges = Merges(
        database=MemoryDatabase(), clock=FrozenClock(), ids=stuttering(), counting=Counting(home="EUR"), country="ES"
    )
    people = ("34600000001", "34600000002", "34600000003", "34600000004")
    await merges.database.transact(lambda uow: [uow.customers.lock(phone, now=NOON) for phone in people])

    made = [await merges.merge(people[0], people[1], by="ann"), await merges.merge(people[2], people[3], by="ann")]
    for number, _ in made:
        await merges.undo(number, by="ann")

    assert {one.phone for one in await merges.database.read(lambda uow: uow.customers.listed())} == set(people)


async def test_a_second_lease_never_has_the_first_ones_token() -> None:
    """Or who was paused in the first would still be let to write."""
    hub = await shopping()
    await hub.do(lambda uow: uow.sagas.add(Saga.begun("order-1", "unknown", {}, now=hub.clock.now())))
    runner = attrs.evolve(hub.runner, ids=stuttering())

    (first,) = await hub.do(runner._take)  # noqa: SLF001 - what a take gives is seen nowhere else
    hub.clock.advance(timedelta(seconds=61))
    (second,) = await hub.do(runner._take)  # noqa: SLF001 - see above

    assert first.token != second.token
    with pytest.raises(LeaseLostError):
        second.held_by(first.token or "")


async def test_a_file_never_takes_another_ones_place() -> None:
    """It is not kept then, and the other customer's stays."""
    hub = rooms()
    room = attrs.evolve(attachments(hub), ids=stuttering())
    await room.store.put(f"{1:032x}", b"of somebody else")
    row = await picture(hub)

    shown = await room.open(row)

    assert shown.data == PNG
    assert await room.store.get(f"{1:032x}") == b"of somebody else"
    assert "kept" not in (await hub.rows())[-1].content["media"]


# --- every other port


class Obliging:
    """Whatever port it stands for, it is asked and answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        async def call(*_given: Any, **_named: Any) -> str:
            self.asked.append(operation)
            return "done"

        return call


PORTS: dict[str, tuple[Callable[[Faults, Any], Any], str, tuple[Any, ...], type[Exception]]] = {
    "catalogue": (Faults.catalogue, "push", ([],), CatalogueError),
    "files": (Faults.media_files, "fetch", ("m1",), AttachmentError),
    "store": (Faults.media_store, "put", (f"{1:032x}", b""), AttachmentError),
    "model": (Faults.model, "complete", ([], []), ModelUnavailableError),
    "templates": (Faults.templates, "message_templates", ("1",), TemplatesUnavailableError),
    "shop": (Faults.shop, "about", (), ShopUnavailableError),
}


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(
    ("fault", "asked"), [(Fault.ERROR, 0), (Fault.LOST_ANSWER, 1), (Fault.CRASH, 0), (Fault.CRASH_AFTER, 1)]
)
async def test_a_call_that_fails_does_so_in_the_ports_own_way(port: str, fault: Fault, asked: int) -> None:
    """Made or not, its caller hears what the port says it may hear; a crash is heard by nobody."""
    wrap, operation, given, error = PORTS[port]
    inner = Obliging()
    wrapped = wrap(Faults(plan=NthCall(fault, at=1, of=f"{port}.")), inner)

    with pytest.raises(CrashedError if fault in {Fault.CRASH, Fault.CRASH_AFTER} else error):
        await getattr(wrapped, operation)(*given)
    assert inner.asked == [operation] * asked
    await getattr(wrapped, operation)(*given)
    assert inner.asked == [operation] * (asked + 1)

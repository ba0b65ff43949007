"""A saga is carried on by any worker, one call per key, and ends completed or undone whoever vanishes."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

import attrs
import pytest

from tests.application.shopping import Shopping, shopping
from wch.adapters.memory import MemoryDatabase
from wch.application.facts import LeaseLost
from wch.application.failpoints import FailpointError
from wch.application.ports import UnitOfWork
from wch.application.sagas import Definition, Step, StepRefusedError, Waiting, signal
from wch.domain.document import JsonObject
from wch.domain.errors import LeaseLostError, StoreUnavailableError
from wch.domain.payment import PaymentUnavailableError
from wch.domain.saga import Ev, Saga, SagaState
from wch.domain.shop_error import ShopUnavailableError
from wch.testing import NOON

R = TypeVar("R")
SAGA = "walk-1"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> Shopping:
    return await shopping(twice=request.param, shelves=False)


class World:
    """Outside: what was called under which key, and what it answers."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.effects: list[str] = []
        self.answers: dict[str, list[Exception]] = {}
        self.ended: list[str | None] = []

    def does(self, name: str) -> Callable[[Saga], Any]:
        async def call(saga: Saga) -> JsonObject:
            key = saga.key(name)
            self.calls.append(key)
            if self.answers.get(name):
                raise self.answers[name].pop(0)
            if name not in self.effects:
                self.effects.append(name)
            return {"did": name}

        return call

    def undoes(self, name: str) -> Callable[[Saga], Any]:
        async def undo(saga: Saga) -> None:
            self.calls.append(saga.key(name, undo=True))
            if self.answers.get(f"undo {name}"):
                raise self.answers[f"undo {name}"].pop(0)
            if name in self.effects:
                self.effects.remove(name)

        return undo

    def step(self, name: str, **more: Any) -> Step:
        return Step(name=name, call=self.does(name), undo=self.undoes(name), **more)

    def walk(self, *steps: Step, version: int = 1) -> Definition:
        """A type of saga with these steps."""

        def undone(_uow: UnitOfWork, saga: Saga, _now: datetime) -> Saga:
            self.ended.append(saga.context.get("failure"))
            return saga

        return Definition(
            saga_type="Walk",
            version=version,
            steps=lambda _: steps,
            lock=lambda uow, _saga, now: _lock(uow, now),
            undone=undone,
        )

    def usual(self) -> Definition:
        """Two steps that can be undone, the pivot, and an end in our own store."""
        pivot = Step(name="pivot", call=self.does("pivot"), pivot=True)
        return self.walk(self.step("one"), self.step("two"), pivot, Step(name="end", apply=_ended))


def _lock(uow: UnitOfWork, now: datetime) -> None:
    uow.customers.lock("4915112345678", now=now)


def _ended(uow: UnitOfWork, saga: Saga, _now: datetime) -> JsonObject:
    uow.options.put("ended", {"saga": saga.saga_id})
    return {"ended": True}


def _broken(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> JsonObject:
    raise RuntimeError


@pytest.fixture
def world() -> World:
    return World()


async def begin(hub: Shopping, context: JsonObject | None = None) -> None:
    await hub.do(lambda uow: uow.sagas.add(Saga.begun(SAGA, "Walk", context or {}, now=hub.clock.now())))


def runs(saga: Saga, ev: Ev) -> list[str | None]:
    return [entry["step"] for entry in saga.log if entry["ev"] == ev]


async def carry(hub: Shopping, definition: Definition, *, minutes: int = 200) -> Saga:
    """Other workers look in every minute until it has ended."""
    for _ in range(minutes):
        await hub.worker(definition=definition).work()
        saga = await hub.saga(SAGA)
        if not saga.is_open:
            return saga
        hub.clock.advance(61)
    message = "it never ends"
    raise AssertionError(message)


# --- vanishing


@pytest.mark.parametrize("passing", [1, 2, 3])
@pytest.mark.parametrize("edge", ["saga.taken", "saga.started", "saga.after_call", "saga.done", "saga.closed"])
async def test_whoever_vanishes_at_an_edge_leaves_a_saga_that_another_completes(
    hub: Shopping, world: World, edge: str, passing: int
) -> None:
    """The log is all that a saga is: nothing that mattered was in the memory of the one who is gone."""
    await begin(hub)
    definition = world.usual()
    try:
        await hub.worker(f"{edge}=raise@{passing}", definition=definition).work()
    except FailpointError:
        hub.clock.advance(30)
        assert await hub.worker(definition=definition).work() == 0, "its lease still holds"

    saga = await carry(hub, definition)

    assert saga.state is SagaState.COMPLETED
    assert world.effects == ["one", "two", "pivot"]
    assert set(world.calls) == {f"{SAGA}:{name}" for name in ("one", "two", "pivot")}
    assert runs(saga, Ev.DONE) == ["one", "two", "pivot", "end"]
    assert await hub.see(lambda uow: uow.options.get("ended")) == {"saga": SAGA}


@pytest.mark.parametrize("passing", [1, 2])
@pytest.mark.parametrize("edge", ["saga.undo_call", "saga.after_undo", "saga.undone"])
async def test_whoever_vanishes_while_undoing_leaves_a_saga_that_another_undoes(
    hub: Shopping, world: World, edge: str, passing: int
) -> None:
    """An undoing that nobody finishes would keep the goods of an order that never was."""
    await begin(hub)
    world.answers["pivot"] = [StepRefusedError(code="sold_out")]
    definition = world.usual()
    try:
        await hub.worker(f"{edge}=raise@{passing}", definition=definition).work()
    except FailpointError:
        hub.clock.advance(61)

    saga = await carry(hub, definition)

    assert (saga.state, saga.outcome) == (SagaState.FAILED, "compensated")
    assert world.effects == []
    assert runs(saga, Ev.UNDONE) == ["pivot", "two", "one"]


async def test_an_effect_without_an_answer_is_asked_for_again_under_the_same_key(hub: Shopping, world: World) -> None:
    """The call went out, its outcome was never written: the same key makes asking again harmless."""
    await begin(hub)
    with pytest.raises(FailpointError):
        await hub.worker("saga.after_call=raise", definition=world.usual()).work()
    hub.clock.advance(61)
    await carry(hub, world.usual())

    assert world.calls[:2] == [f"{SAGA}:one", f"{SAGA}:one"]
    assert world.effects.count("one") == 1


async def test_one_who_lost_the_lease_writes_nothing_more(hub: Shopping, world: World) -> None:
    """A worker that slept through its term must not write over what the next one has done."""
    await begin(hub)
    gate, inside = asyncio.Event(), asyncio.Event()

    async def slow(saga: Saga) -> JsonObject:
        first = saga.tries("one") == 1
        if first:
            inside.set()
            await gate.wait()
        return {"by": "the first" if first else "the second"}

    definition = world.walk(Step(name="one", call=slow))
    sleeper = asyncio.create_task(hub.worker(definition=definition).work())
    await inside.wait()
    hub.clock.advance(61)
    await hub.worker(definition=definition).work()
    before = await hub.saga(SAGA)
    gate.set()
    await sleeper

    assert await hub.saga(SAGA) == before
    assert (before.state, before.results["one"]) == (SagaState.COMPLETED, {"by": "the second"})


async def test_a_lease_lost_before_a_step_of_our_own_writes_nothing(hub: Shopping, world: World) -> None:
    """The effects of such a step share the transaction with the fence, so they are fenced as well."""
    await begin(hub)

    def stolen(_uow: UnitOfWork, saga: Saga, _now: datetime) -> JsonObject:
        raise LeaseLostError(saga_id=saga.saga_id)

    await hub.worker(definition=world.walk(Step(name="end", apply=stolen))).work()

    saga = await hub.saga(SAGA)
    assert [entry["ev"] for entry in saga.log] == [Ev.LEASE]
    assert hub.facts == [LeaseLost(work="sagas")]


@pytest.mark.parametrize("answers", [None, ShopUnavailableError(), StepRefusedError(code="sold_out")])
async def test_what_others_write_during_a_call_stays(hub: Shopping, world: World, answers: Exception | None) -> None:
    """A signal, and a context that was emptied of somebody, must outlast the outcome that is written after them."""
    await begin(hub, {"note": "of a person"})

    async def busy(_saga: Saga) -> JsonObject:
        def meanwhile(uow: UnitOfWork) -> None:
            signal(uow, SAGA, "paid", {}, now=hub.clock.now())
            held = uow.sagas.get(SAGA, lock=True)
            assert held is not None
            uow.sagas.save(attrs.evolve(held, context={**held.context, "note": ""}))

        await hub.do(meanwhile)
        if answers is not None:
            raise answers
        return {"did": "one"}

    await hub.worker(definition=world.walk(Step(name="one", call=busy))).work()

    saga = await hub.saga(SAGA)
    assert saga.context["note"] == ""
    assert [entry["ev"] for entry in saga.log][:3] == [Ev.LEASE, Ev.START, Ev.SIGNAL]
    assert [entry["n"] for entry in saga.log] == list(range(1, len(saga.log) + 1))
    assert len(saga.log) > 3


async def test_a_saga_that_is_gone_is_nobodys(hub: Shopping, world: World) -> None:
    """There is no row to write to, so the worker lets go as if the lease were lost."""
    ghost = Saga.begun(SAGA, "Walk", {}, now=NOON).leased("t", now=NOON)
    await hub.worker(definition=world.usual())._carry(ghost)  # noqa: SLF001 - no door leads to a row that vanished

    assert world.calls == []


async def test_two_workers_at_once_take_a_saga_once(hub: Shopping, world: World) -> None:
    """The lease is taken with the row's lock held."""
    await begin(hub)
    definition = world.usual()
    taken = await asyncio.gather(*(hub.worker(definition=definition).work() for _ in range(3)))

    assert sorted(taken) == [0, 0, 1]
    assert world.calls == [f"{SAGA}:one", f"{SAGA}:two", f"{SAGA}:pivot"]


# --- doubt and refusal


@pytest.mark.parametrize("error", [ShopUnavailableError(), PaymentUnavailableError(), TimeoutError(), RuntimeError()])
async def test_doubt_before_the_pivot_is_tried_three_times_and_then_undone(
    hub: Shopping, world: World, error: Exception
) -> None:
    """The customer waits: two more tries, then an honest no, the doubtful step undone with the others."""
    await begin(hub)
    world.answers["two"] = [error] * 9
    saga = await carry(hub, world.usual())

    assert world.calls.count(f"{SAGA}:two") == 3
    assert saga.outcome == "compensated"
    assert runs(saga, Ev.UNDONE) == ["two", "one"]
    assert [entry["because"] for entry in saga.log if entry["ev"] == Ev.WAIT] == [saga.context["failure"]] * 2
    assert world.ended
    assert not await hub.letters()


async def test_the_tries_wait_for_two_and_for_eight_seconds(hub: Shopping, world: World) -> None:
    """Long enough for a shop to come back, short enough for somebody who looks at the screen."""
    await begin(hub)
    world.answers["one"] = [TimeoutError(), TimeoutError()]
    waits = []
    for _ in range(3):
        await hub.worker(definition=world.usual()).work()
        saga = await hub.saga(SAGA)
        if saga.is_open:
            waits.append((saga.updated_at - hub.clock.now()).total_seconds())
            hub.clock.set(saga.updated_at)

    assert waits == [2, 8]
    assert (await hub.saga(SAGA)).state is SagaState.COMPLETED


async def test_a_call_that_outlasts_its_limit_is_in_doubt_and_made_again(hub: Shopping, world: World) -> None:
    """A time-out says nothing about the effect."""
    await begin(hub)

    async def first_never_ends(saga: Saga) -> JsonObject:
        world.calls.append(saga.key("one"))
        if saga.tries("one") == 1:
            await asyncio.Event().wait()
        return {}

    step = Step(name="one", call=first_never_ends, limit=timedelta(milliseconds=5))
    saga = await carry(hub, world.walk(step))

    assert saga.state is SagaState.COMPLETED
    assert world.calls == [f"{SAGA}:one"] * 2
    assert next(entry["because"] for entry in saga.log if entry["ev"] == Ev.WAIT) == "timeout"


async def test_a_refusal_before_the_pivot_undoes_in_exactly_the_other_order(hub: Shopping, world: World) -> None:
    """The step that refused is undone first: what it refused may have been an answer to a second try."""
    await begin(hub)
    world.answers["pivot"] = [StepRefusedError(code="sold_out")]
    await hub.worker(definition=world.usual()).work()
    saga = await hub.saga(SAGA)

    assert saga.outcome == "compensated"
    assert saga.context["failure"] == "sold_out"
    assert runs(saga, Ev.UNDONE) == ["pivot", "two", "one"]
    assert world.calls[-2:] == [f"{SAGA}:two:undo", f"{SAGA}:one:undo"]
    assert set(world.ended) == {"sold_out"}


async def test_a_step_of_our_own_that_breaks_before_the_pivot_is_tried_and_undone(hub: Shopping, world: World) -> None:
    """Its transaction was rolled back, so nothing is half done."""
    await begin(hub)
    saga = await carry(hub, world.walk(world.step("one"), Step(name="own", apply=_broken)))

    assert saga.outcome == "compensated"
    assert saga.tries("own") == 3
    assert runs(saga, Ev.UNDONE) == ["own", "one"]


@pytest.mark.parametrize("error", [StepRefusedError(code="no"), ShopUnavailableError()])
async def test_after_the_pivot_there_is_no_way_back_but_an_operator(
    hub: Shopping, world: World, error: Exception
) -> None:
    """The order is accepted: undoing it behind the customer's back is worse than asking a person."""
    await begin(hub)
    pivot = Step(name="pivot", call=world.does("pivot"), pivot=True)
    definition = world.walk(world.step("one"), pivot, world.step("late"))
    world.answers["late"] = [error] * 6
    saga = await carry(hub, definition)

    assert (saga.state, saga.outcome, saga.context["step"]) == (SagaState.FAILED, "parked", "late")
    assert saga.context["actions"] == ["resume", "retry-step", "skip-step"]
    assert saga.tries("late") == 6
    assert runs(saga, Ev.UNDO) == []
    (letter,) = await hub.letters()
    assert (letter.hook, letter.args["id"], letter.error_message, letter.attempts) == ("saga", SAGA, "step late", 6)


async def test_undoing_that_never_works_is_parked_and_says_which_step(hub: Shopping, world: World) -> None:
    """Goods that could not be given back are somebody's work, not a line in a log."""
    await begin(hub)
    world.answers["two"] = [StepRefusedError(code="no")]
    world.answers["undo two"] = [ShopUnavailableError()] * 6
    saga = await carry(hub, world.usual())

    assert (saga.outcome, saga.context["reason"], saga.context["step"]) == ("parked", "compensation_failed", "two")
    assert "one" in world.effects
    assert saga.tries("two", Ev.UNDO) == 6
    (letter,) = await hub.letters()
    assert letter.reason == "compensation_failed"


@pytest.mark.parametrize("context", [{"version": 7}, {"version": None}])
async def test_a_version_that_nobody_knows_is_parked(hub: Shopping, world: World, context: JsonObject) -> None:
    """Steps of another version are never guessed at."""
    await begin(hub, context)
    await hub.worker(definition=world.usual()).work()
    saga = await hub.saga(SAGA)

    assert (saga.outcome, saga.context["reason"], saga.context["actions"]) == ("parked", "unknown_version", ["resume"])
    assert world.calls == []
    assert len(await hub.letters()) == 1


async def test_a_type_that_nobody_knows_is_parked(hub: Shopping) -> None:
    """A worker of an older program meets a saga of a newer one."""
    await begin(hub)
    await hub.runner.work()

    assert (await hub.saga(SAGA)).context["reason"] == "unknown_version"


async def test_a_step_without_anything_to_do_is_a_mistake_of_ours(hub: Shopping, world: World) -> None:
    """It can't be carried out, so it is treated as any other error: tried, then undone."""
    await begin(hub)
    saga = await carry(hub, world.walk(Step(name="empty")))

    assert saga.outcome == "compensated"
    assert saga.context["failure"] == "error"


async def test_a_step_that_no_definition_knows_any_more_counts_as_undone(hub: Shopping, world: World) -> None:
    """What was begun under a name that is gone has nobody to undo it."""
    begun = Saga.begun(SAGA, "Walk", {}, now=NOON).leased("t", now=NOON).started("old", now=NOON)
    await hub.do(lambda uow: uow.sagas.add(begun.turned_back(now=NOON, reason="x")))
    await hub.worker(definition=world.usual()).work()

    assert (await hub.saga(SAGA)).outcome == "compensated"


# --- the store


class Away(MemoryDatabase):
    """A store that does not answer while `down` says so."""

    down = 0

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        if self.down == 1:
            self.down = 0
            raise StoreUnavailableError
        self.down = max(self.down - 1, 0)
        return await super().transact(work)


async def test_a_store_that_is_away_for_a_moment_turns_nothing_back(world: World) -> None:
    """Nothing was written, so asking again is safe; an order is not given up for a hiccup of our own."""
    store = Away()
    hub = await shopping(database=store, shelves=False)
    await begin(hub)
    definition = world.walk(Step(name="own", apply=_ended))
    store.down = 2
    with pytest.raises(StoreUnavailableError):
        await hub.worker(definition=definition).work()
    hub.clock.advance(61)

    saga = await carry(hub, definition)

    assert saga.state is SagaState.COMPLETED


# --- waiting and signals


async def test_a_step_that_waits_is_woken_by_a_signal(hub: Shopping, world: World) -> None:
    """Money arrives when it arrives: no worker sits waiting for it."""
    await begin(hub)

    async def until_paid(saga: Saga) -> JsonObject:
        paid = saga.signals("paid")
        if not paid:
            raise Waiting(until=hub.clock.now() + timedelta(hours=1), because="payment")
        return {"amount": paid[0]["facts"]["amount"]}

    definition = world.walk(Step(name="pay", call=until_paid))
    await hub.worker(definition=definition).work()
    hub.clock.advance(10)
    assert await hub.worker(definition=definition).work() == 0

    heard = await hub.do(lambda uow: signal(uow, SAGA, "paid", {"amount": "5"}, now=hub.clock.now()))
    await hub.worker(definition=definition).work()

    assert heard
    saga = await hub.saga(SAGA)
    assert (saga.state, saga.results["pay"]) == (SagaState.COMPLETED, {"amount": "5"})


async def test_a_saga_that_has_ended_hears_no_signal(hub: Shopping, world: World) -> None:
    """Nor does one that never was; who tells it must know that nobody listened."""
    await begin(hub)
    await carry(hub, world.usual())

    assert not await hub.do(lambda uow: signal(uow, SAGA, "paid", {}, now=NOON))
    assert not await hub.do(lambda uow: signal(uow, "nobody", "paid", {}, now=NOON))


async def test_a_walk_without_steps_is_over_at_once(hub: Shopping, world: World) -> None:
    """The end is written even when there is no step to write it with."""
    await begin(hub)
    await hub.worker(definition=attrs.evolve(world.usual(), steps=lambda _: ())).work()

    assert (await hub.saga(SAGA)).state is SagaState.COMPLETED


async def test_the_next_intent_stands_in_the_commit_of_the_last_outcome(hub: Shopping, world: World) -> None:
    """A worker that dies right after an outcome leaves the next step begun, and half as many commits are made."""
    seen: list[list[tuple[str, str | None]]] = []

    def looking(name: str) -> Step:
        step = world.step(name)

        async def call(saga: Saga) -> JsonObject:
            seen.append([(entry["ev"], entry["step"]) for entry in (await hub.saga(SAGA)).log])
            assert step.call is not None
            return await step.call(saga)

        return attrs.evolve(step, call=call)

    await begin(hub)

    await hub.worker(definition=world.walk(looking("one"), looking("two"))).work()

    assert seen[0] == [("lease", None), ("start", "one")]
    assert seen[1] == [*seen[0], ("done", "one"), ("start", "two")]
    assert (await hub.saga(SAGA)).state is SagaState.COMPLETED


async def test_a_saga_that_cannot_be_looked_at_stops_no_other(hub: Shopping, world: World) -> None:
    """All that are due are taken in one transaction: one of them must not undo it again and again."""
    usual = world.usual()

    def steps(saga: Saga) -> tuple[Step, ...]:
        if saga.saga_id != SAGA:
            raise ValueError(saga.saga_id)
        return usual.steps(saga)

    await begin(hub)
    await hub.do(lambda uow: uow.sagas.add(Saga.begun("walk-0", "Walk", {}, now=hub.clock.now())))

    with pytest.raises(ValueError, match="walk-0"):
        await hub.worker(definition=attrs.evolve(usual, steps=steps)).work()
    for _ in range(50):
        await asyncio.sleep(0)

    assert (await hub.saga(SAGA)).state is SagaState.COMPLETED

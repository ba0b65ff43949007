"""The saga engine: any worker carries any saga on, one written step after another."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.draws import unused
from wch.application.facts import LeaseLost, StepEnded
from wch.application.ports import Clock, Database, Ids, Tracer, UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook
from wch.domain.document import JsonObject
from wch.domain.errors import LeaseLostError, StoreUnavailableError, WchError
from wch.domain.lease import Leasing
from wch.domain.payment import PaymentUnavailableError
from wch.domain.saga import Ev, Saga, SagaState
from wch.domain.shop_error import ShopUnavailableError

log = logging.getLogger(__name__)

CUSTOMER_IS_THERE = (2, 8)
"""Seconds before the second and third try of a step that the customer waits for."""

UNTIL_PARKED = (5, 30, 180, 900, 3600)
"""Seconds between the tries of a step that can only go forward, and of an undoing."""

IN_DOUBT = (ShopUnavailableError, PaymentUnavailableError, TimeoutError)
"""What says nothing about the effect: the same call is made again under the same key."""

PAST_PIVOT = ("resume", "retry-step", "skip-step")
"""What a person may do about a saga that can only go forward."""

Call = Callable[[Saga], Awaitable[JsonObject]]
Undo = Callable[[Saga], Awaitable[JsonObject | None]]
Change = Callable[[Saga, datetime], Saga]
Then = Callable[[UnitOfWork, Saga, datetime], Saga]
Lock = Callable[[UnitOfWork, Saga, datetime], None]
Apply = Callable[[UnitOfWork, Saga, datetime], JsonObject]


class Waiting(WchError):  # noqa: N818 - not a fault: the step says when to look again
    """The step has nothing to do before this moment, or before a signal comes; `then` is written with that."""

    until: datetime
    because: str
    then: Then | None = None


class StepRefusedError(WchError):
    """The step will not work, for the reason in `code`; `noted` is what the end must know of it, in `context.noted`."""

    code: str
    noted: JsonObject | None = None


class StepParkedError(WchError):
    """Only a person can decide what follows: `reason`, the `actions` open to them, and what is written `then`."""

    reason: str
    actions: tuple[str, ...]
    then: Then | None = None


@attrs.frozen(kw_only=True)
class Step:
    """One step of a saga.

    Attributes:
        name: its word in the log and in its idempotency key.
        call: changes the outside world; its answer is kept in `context.results`.
        then: what is written in the transaction that notes the call's answer.
        apply: instead of `call`: a step that is one transaction of our own store.
        undo: takes the effect away; a no-op for what never happened. None: nothing to take away.
        limit: how long one call may last; one that ran out of time is in doubt.
        tries: seconds before each further try.
        pivot: once it is done, the saga only goes forward.
    """

    name: str
    call: Call | None = None
    then: Then | None = None
    apply: Apply | None = None
    undo: Undo | None = None
    limit: timedelta = timedelta(seconds=30)
    tries: tuple[int, ...] = CUSTOMER_IS_THERE
    pivot: bool = False


@attrs.frozen(kw_only=True)
class Definition:
    """A type of saga: its steps, registered by name.

    Attributes:
        version: what `context.version` must be; any other is parked, never guessed at.
        steps: those that this saga takes, in order.
        lock: takes the rows that come before a saga's in the order of locks.
        undone: what is written with the last undoing, such as telling the customer.
        open_to_operator: what a person may do when it is parked past the pivot.
        facts: what observers hear when it has moved from one of its states to another.
    """

    saga_type: str
    version: int
    steps: Callable[[Saga], tuple[Step, ...]]
    lock: Lock
    undone: Then
    open_to_operator: Callable[[Saga], tuple[str, ...]] = lambda _saga: PAST_PIVOT
    facts: Callable[[Saga, Saga], Iterable[object]] = lambda _before, _after: ()


@attrs.frozen(kw_only=True)
class SagaRunner:
    """The duty that carries sagas on."""

    kind: ClassVar[str] = "sagas"

    database: Database
    clock: Clock
    ids: Ids
    definitions: Mapping[str, Definition]
    failpoints: Callable[[str], None]
    leasing: Leasing
    tracer: Tracer
    tell: Callable[[object], None]
    most_at_once: int

    async def work(self) -> int:
        """Take the sagas that are due, each under a token of its own, and carry each as far as it goes."""
        taken = await self.database.transact(self._take)
        await asyncio.gather(*(self._carry(saga) for saga in taken))
        return len(taken)

    def _take(self, uow: UnitOfWork) -> tuple[Saga, ...]:
        now = self.clock.now()
        taken: list[Saga] = []
        for saga in uow.sagas.take_due(now, limit=self.most_at_once):
            leased = saga.leased(unused(self.ids.token, saga.has_had), now=now, term=self.leasing.term)
            taken.append(self._with_intent(leased, now))
            uow.sagas.save(taken[-1])
        return tuple(taken)

    def _with_intent(self, saga: Saga, now: datetime) -> Saga:
        """The saga with the intent of its next call, which is then no commit of its own."""
        definition = self._definition_of(saga)
        if definition is None or saga.state is not SagaState.RUNNING:
            return saga
        try:
            step = _next(definition, saga)
        except Exception:  # noqa: BLE001 - it fails where it is carried on: it must not stop the others here
            return saga
        return saga if step is None or step.call is None else saga.started(step.name, now=now, term=self.leasing.term)

    async def _carry(self, saga: Saga) -> None:
        """Step after step, until it ends, waits, is parked, or somebody else has it."""
        self.failpoints("saga.taken")
        definition = self._definition_of(saga)
        following: Saga | None = saga
        try:
            if definition is None:
                await self._write(saga, lambda uow, held, now: self._park(uow, held, "unknown_version", None, (), now))
                return
            while following is not None and following.is_open:
                following = await self._on(definition, following)
        except LeaseLostError:
            log.warning("saga lease lost", extra={"saga_id": saga.saga_id})
            self.tell(LeaseLost(work=self.kind))

    async def _on(self, definition: Definition, saga: Saga) -> Saga | None:
        """One step forward or back."""
        is_forward = saga.state is SagaState.RUNNING
        step = _next(definition, saga) if is_forward else None
        name = next(saga.to_undo(), "end") if not is_forward else "end" if step is None else step.name
        with self.tracer.span("saga step", saga=saga.saga_type, step=name, way="forward" if is_forward else "back"):
            return await (self._forward(definition, saga, step) if is_forward else self._back(definition, saga))

    async def _forward(self, definition: Definition, saga: Saga, step: Step | None) -> Saga | None:
        """Do the next step; None when there is nothing more to do now."""
        if step is not None and step.apply is not None:
            return await self._apply(definition, saga, step)
        if step is None or not saga.is_begun(step.name):
            # Its intent is written with what came before it, unless somebody turned the saga in between.
            return await self._note(saga, lambda held, now: self._onwards(definition, held, now))
        self.failpoints("saga.started")
        since = self.clock.boot()
        try:
            async with asyncio.timeout(step.limit.total_seconds()):
                result = await _call_of(step)(saga)
        except Waiting as waiting:
            self._tell_of(saga, step, "waiting", since)
            until, because = waiting.until, waiting.because
            await self._end(
                definition,
                saga,
                lambda held, now: held.waiting(step.name, until, now=now, because=because),
                waiting.then,
            )
            return None
        except Exception as error:  # noqa: BLE001 - whatever a step raises decides what follows
            self._tell_of(saga, step, "failed", since)
            return await self._failed(definition, saga, step, error)
        self._tell_of(saga, step, "done", since)
        self.failpoints("saga.after_call")
        done = await self._end(
            definition, saga, lambda held, now: held.done(step.name, result, now=now), step.then, goes_on=True
        )
        self.failpoints("saga.done")
        return done

    async def _apply(self, definition: Definition, saga: Saga, step: Step) -> Saga | None:
        """A step that is one transaction: its effects, its log and what follows in it, together."""

        def change(uow: UnitOfWork, held: Saga, now: datetime) -> Saga:
            begun = held.started(step.name, now=now, term=self.leasing.term)
            result = step.apply(uow, begun, now) if step.apply is not None else {}
            return self._onwards(definition, begun.done(step.name, result, now=now), now)

        since = self.clock.boot()
        try:
            done = await self._write(saga, change, lock=definition.lock)
        except (LeaseLostError, StoreUnavailableError):
            # Nothing was written, and it says nothing about the step: whoever takes it next tries again.
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._tell_of(saga, step, "failed", since)
            begun = await self._note(saga, lambda held, now: held.started(step.name, now=now, term=self.leasing.term))
            return await self._failed(definition, begun, step, error)
        self._tell_of(saga, step, "done", since)
        self.failpoints("saga.closed")
        return done

    async def _failed(self, definition: Definition, saga: Saga, step: Step, error: Exception) -> Saga | None:
        """A step did not work: again later, or turn back, or park when there is no way back."""
        if isinstance(error, StepParkedError):
            parked, then = error, error.then
            await self._write(
                saga,
                lambda uow, held, now: self._park(
                    uow, held if then is None else then(uow, held, now), parked.reason, step.name, parked.actions, now
                ),
                lock=None if then is None else definition.lock,
            )
            return None
        code = _code_of(error)
        if isinstance(error, WchError):
            log.info("saga step failed", extra={"saga_id": saga.saga_id, "step": step.name, "code": code})
        else:
            log.error("saga step failed", exc_info=error, extra={"saga_id": saga.saga_id, "step": step.name})
        final = isinstance(error, WchError) and not isinstance(error, IN_DOUBT)
        tried = saga.tries(step.name)
        forward_only = self._past_pivot(definition, saga)
        waits = UNTIL_PARKED if forward_only else step.tries
        if not (final and not forward_only) and tried <= len(waits):
            wait = timedelta(seconds=waits[tried - 1])
            await self._note(saga, lambda held, now: held.waiting(step.name, now + wait, now=now, because=code))
            return None
        if forward_only:
            actions = definition.open_to_operator(saga)
            await self._write(saga, lambda uow, held, now: self._park(uow, held, code, step.name, actions, now))
            return None

        def turn(held: Saga, now: datetime) -> Saga:
            refused = held.refused(step.name, code, now=now)
            noted = error.noted if isinstance(error, StepRefusedError) else None
            return refused.turned_back(now=now, reason=code, noted=noted)

        return await self._note(saga, turn)

    async def _back(self, definition: Definition, saga: Saga) -> Saga | None:
        """Undo the latest step that is not undone yet; the end is written with the last one."""
        name = next(saga.to_undo(), None)
        if name is None:
            await self._write(
                saga, lambda uow, held, now: self._undone(definition, uow, held, now), lock=definition.lock
            )
            return None
        step = next((one for one in definition.steps(saga) if one.name == name), None)
        if step is None or step.undo is None:
            return await self._note(saga, lambda held, now: held.undone(name, now=now))
        begun = await self._note(saga, lambda held, now: held.undoing(name, now=now, term=self.leasing.term))
        since = self.clock.boot()
        try:
            self.failpoints("saga.undo_call")
            async with asyncio.timeout(step.limit.total_seconds()):
                result = await step.undo(begun)
        except Exception as error:  # noqa: BLE001 - as above
            self._tell_of(saga, step, "undo_failed", since)
            return await self._undo_failed(begun, step, error)
        self._tell_of(saga, step, "undone", since)
        self.failpoints("saga.after_undo")
        done = await self._note(begun, lambda held, now: held.undone(name, now=now, result=result))
        self.failpoints("saga.undone")
        return done

    def _tell_of(self, saga: Saga, step: Step, result: str, since: float) -> None:
        self.tell(StepEnded(saga_type=saga.saga_type, step=step.name, result=result, seconds=self.clock.boot() - since))

    async def _undo_failed(self, saga: Saga, step: Step, error: Exception) -> Saga | None:
        """Undoing did not work: again later, and parked after the last try."""
        code = _code_of(error)
        log.warning("saga undoing failed", extra={"saga_id": saga.saga_id, "step": step.name, "code": code})
        tried = saga.tries(step.name, Ev.UNDO)
        if tried <= len(UNTIL_PARKED):
            wait = timedelta(seconds=UNTIL_PARKED[tried - 1])
            await self._note(saga, lambda held, now: held.waiting(step.name, now + wait, now=now, because=code))
            return None
        await self._write(
            saga, lambda uow, held, now: self._park(uow, held, "compensation_failed", step.name, PAST_PIVOT, now)
        )
        return None

    def _undone(self, definition: Definition, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        return definition.undone(uow, saga.compensated(now=now), now)

    def _park(  # noqa: PLR0917 - private, and called in lambdas
        self, uow: UnitOfWork, saga: Saga, reason: str, step: str | None, actions: tuple[str, ...], now: datetime
    ) -> Saga:
        """Nothing more by itself: an operator is called by a dead letter, in the same transaction."""
        offered = actions or ("resume",)
        uow.dead_letters.add(
            DeadLetter.of_row(
                Hook.SAGA,
                "saga_state",
                saga.saga_id,
                reason,
                error=None if step is None else f"step {step}",
                attempts=0 if step is None else saga.tries(step),
                now=now,
            )
        )
        return saga.parked(reason, step, offered, now=now)

    def _definition_of(self, saga: Saga) -> Definition | None:
        """Its type's, if it is of the version that the saga was begun under."""
        definition = self.definitions.get(saga.saga_type)
        return definition if definition is not None and saga.context.get("version") == definition.version else None

    def _onwards(self, definition: Definition, saga: Saga, now: datetime) -> Saga:
        """The saga with what is written together with its last outcome: the intent of the next call, or its end."""
        if saga.state is not SagaState.RUNNING:
            return saga
        step = _next(definition, saga)
        if step is None:
            return saga.completed(now=now)
        return saga if step.apply is not None else saga.started(step.name, now=now, term=self.leasing.term)

    def _past_pivot(self, definition: Definition, saga: Saga) -> bool:
        return any(step.pivot and saga.is_done(step.name) for step in definition.steps(saga))

    async def _end(
        self, definition: Definition, saga: Saga, change: Change, then: Then | None, *, goes_on: bool = False
    ) -> Saga:
        """Write how a call ended, with what is written `then`, and what follows where the saga `goes_on`."""
        if then is None:
            return await self._note(
                saga,
                lambda held, now: self._onwards(definition, change(held, now), now) if goes_on else change(held, now),
            )

        def ended(uow: UnitOfWork, held: Saga, now: datetime) -> Saga:
            after = then(uow, change(held, now), now)
            return self._onwards(definition, after, now) if goes_on else after

        return await self._write(saga, ended, lock=definition.lock)

    async def _note(self, saga: Saga, change: Change) -> Saga:
        """Change the row under our token, and nothing beside it.

        What we wrote last is written over where it still stands; only a row that somebody else has
        changed since, such as by a signal, is read and asked for its token.

        Raises:
            LeaseLostError: somebody else carries it on.
        """

        def work(uow: UnitOfWork) -> tuple[Saga, Saga]:
            noted = change(saga, self.clock.now())
            if uow.sagas.replace(saga, noted):
                return saga, noted
            held = _held(uow, saga)
            noted = change(held, self.clock.now())
            uow.sagas.save(noted)
            return held, noted

        return self._told(*await self.database.transact(work))

    async def _write(self, saga: Saga, change: Then, *, lock: Lock | None = None) -> Saga:
        """Change the row under our token, together with other rows.

        Raises:
            LeaseLostError: somebody else carries it on.
        """

        def work(uow: UnitOfWork) -> tuple[Saga, Saga]:
            if lock is not None:
                lock(uow, saga, self.clock.now())
            held = _held(uow, saga)
            after = change(uow, held, self.clock.now())
            uow.sagas.save(after)
            return held, after

        return self._told(*await self.database.transact(work))

    def _told(self, before: Saga, after: Saga) -> Saga:
        """The saga as it is now, once observers have heard of it."""
        definition = self.definitions.get(after.saga_type)
        for fact in () if definition is None else definition.facts(before, after):
            self.tell(fact)
        return after


def signal(uow: UnitOfWork, saga_id: str, kind: str, facts: JsonObject, *, now: datetime) -> bool:
    """Tell an unfinished saga that something happened, in the transaction that accepted it; whether it heard."""
    saga = uow.sagas.get(saga_id, lock=True)
    if saga is None or not saga.is_open:
        return False
    uow.sagas.save(saga.signalled(kind, facts, now=now, leased=saga.lease_is_live(now=now)))
    return True


def _next(definition: Definition, saga: Saga) -> Step | None:
    """The first step that is not done."""
    done = saga.done_steps
    return next((one for one in definition.steps(saga) if one.name not in done), None)


def _held(uow: UnitOfWork, saga: Saga) -> Saga:
    """The row as it stands, locked, if the lease is still ours.

    Raises:
        LeaseLostError: another worker took it over, or it has ended, or it is gone.
    """
    current = uow.sagas.get(saga.saga_id, lock=True)
    if current is None:
        raise LeaseLostError(saga_id=saga.saga_id)
    return current.held_by(saga.token or "")


def _call_of(step: Step) -> Call:
    if step.call is None:
        message = f"step {step.name} has neither call nor apply"
        raise TypeError(message)
    return step.call


def _code_of(error: Exception) -> str:
    """A word for what went wrong, free of personal data."""
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return code
    words = {
        "ShopUnavailableError": "shop_unavailable",
        "PaymentUnavailableError": "payment_unavailable",
        "OutOfStockError": "out_of_stock",
        "KeyReusedError": "key_reused",
        "ShopMisconfiguredError": "shop_misconfigured",
        "ShopNotFoundError": "not_found",
        "TimeoutError": "timeout",
    }
    return words.get(type(error).__name__, "error")

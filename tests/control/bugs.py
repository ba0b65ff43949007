"""Bugs that were planted on purpose: each takes one rule away, and some layer of the tests must notice."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import attrs
import pytest

from wch.adapters.memory.rows import Rows
from wch.adapters.sql.database import SqlDatabase, faults
from wch.application.breakers import Breakers
from wch.application.dead_letters import DeadLetters
from wch.application.handling import Handling
from wch.application.outcomes import Outcomes
from wch.application.sagas import SagaRunner
from wch.application.settling import Settling
from wch.domain import lease, line
from wch.domain.circuit_breaker import BreakerState, CircuitBreaker, Permit
from wch.domain.dead_letter import DeadLetter
from wch.domain.errors import LeaseLostError
from wch.domain.line import Choice
from wch.domain.message import MessageStatus
from wch.domain.rate_limit import Pace, RateLimit
from wch.domain.saga import Ev, Saga

Plant = Callable[[pytest.MonkeyPatch], None]


def no_fence(patch: pytest.MonkeyPatch) -> None:
    """Whoever finishes, finishes: nothing is compared."""
    patch.setattr(Rows, "_standing", lambda rows, work, **_: rows._table.rows[work.id])  # noqa: SLF001 - it is the insides that are spoilt


def attempt_as_the_only_fence(patch: pytest.MonkeyPatch) -> None:
    """The stamp is not compared, and attempts are set back by a replay."""

    def standing(rows: Any, work: Any, *, attempts: str, stamp: str) -> Any:
        row = rows._table.rows.get(work.id)  # noqa: SLF001 - see above
        if row is None or (row.status, getattr(row, attempts)) != (work.status, work.attempts):
            raise LeaseLostError(stamp=stamp)
        return row

    patch.setattr(Rows, "_standing", standing)


def stamp_not_moved_on(patch: pytest.MonkeyPatch) -> None:
    """Two takes within one second have the same stamp."""
    patch.setattr(lease, "stamp_taken", lambda now, stamp: now if stamp is None else max(now, stamp))


def attempt_counted_at_failure(patch: pytest.MonkeyPatch) -> None:
    """A message that kills its worker never uses up its attempts."""
    patch.setattr(
        lease.Work,
        "taken",
        lambda work, status, *, now: attrs.evolve(work, status=status, stamp=lease.stamp_taken(now, work.stamp)),
    )


def line_always_taken_together(patch: pytest.MonkeyPatch) -> None:
    """A message that kills its worker takes those behind it with it."""
    choose = line.choose

    def together(waiting: Any, *, now: Any) -> Choice:
        choice = choose(waiting, now=now)
        return Choice(take=tuple(waiting)) if choice.take else choice

    patch.setattr("wch.application.handling.choose", together)


def state_set_before_the_effects(patch: pytest.MonkeyPatch) -> None:
    """The row says processed in a transaction of its own, before its answer is written."""
    finish = Handling._finish  # noqa: SLF001 - see above

    async def answer(handling: Any, taken: Any) -> bool:
        scene = await handling.database.read(lambda uow: handling._scene(uow, taken))  # noqa: SLF001 - see above
        said = await handling.assistant.answer(scene)
        now = handling.clock.now()
        done = tuple(one.moved(MessageStatus.PROCESSED, now=now) for one in taken.leases)
        await handling.database.transact(
            lambda uow: [uow.messages.move(old, new) for old, new in zip(taken.leases, done, strict=True)]
        )
        handling.failpoints("inbound.before_finish")
        taken.leases = done
        await handling.database.transact(lambda uow: finish(handling, uow, taken, scene, said, False))  # noqa: FBT003 - as it is called
        return True

    patch.setattr(Handling, "_answer", answer)


def letter_in_a_second_transaction(patch: pytest.MonkeyPatch) -> None:
    """A row ends, and its dead letter is left to somebody who may be gone."""

    def bury(_self: Any, uow: Any, work: Any, *_arguments: Any, now: Any) -> None:
        uow.messages.move(work, work.moved(MessageStatus.DEAD, now=now))

    patch.setattr(Handling, "_bury", bury)


def replay_without_state(patch: pytest.MonkeyPatch) -> None:
    """A letter may be decided about again and again."""
    patch.setattr(DeadLetter, "_must_be_pending", lambda _letter: None)


def lease_end_of_sending_to_pending(patch: pytest.MonkeyPatch) -> None:
    """A send that nobody knows the end of is made again at once, campaigns too."""

    def lost(settling: Any, uow: Any, row: Any) -> int:
        uow.messages.save(row.waiting_again("lost", now=settling.clock.now()))
        return 1

    patch.setattr(Settling, "_lost", lost)


def answer_dropped_after_the_lease(patch: pytest.MonkeyPatch) -> None:
    """An answer that comes late is not written down."""
    write = Outcomes.write

    def strict(outcomes: Any, uow: Any, parcel: Any, result: Any) -> None:
        row = uow.messages.get(parcel.lease.id)
        if row is None or row.status is not MessageStatus.SENDING:
            raise LeaseLostError
        write(outcomes, uow, parcel, result)

    patch.setattr(Outcomes, "write", strict)


def two_parts_instead_of_twelve(patch: pytest.MonkeyPatch) -> None:
    """Two fixed windows: at their edge twice the limit passes."""
    patch.setattr(RateLimit, "part_seconds", property(lambda rule: rule.seconds))
    patch.setattr(RateLimit, "oldest", lambda rule, now: rule.part_of(now))


def permits_without_burning_slots(patch: pytest.MonkeyPatch) -> None:
    """Permits of a second are counted, wherever in it they are asked for."""
    patch.setattr(Pace, "slot", lambda pace, used, _fraction: used if used < pace.per_second else None)


def half_open_lets_all_pass(patch: pytest.MonkeyPatch) -> None:
    """Who asks while a probe is on its way may call too."""
    ask = CircuitBreaker.ask

    def generous(breaker: Any, rule: Any, *, now: Any) -> Any:
        if breaker.state is BreakerState.HALF_OPEN:
            return breaker, Permit(service=breaker.service, probe=breaker.updated_at)
        return ask(breaker, rule, now=now)

    patch.setattr(CircuitBreaker, "ask", generous)


def permit_without_lease(patch: pytest.MonkeyPatch) -> None:
    """A probe whose process died is waited for for ever."""
    ask = CircuitBreaker.ask

    def patient(breaker: Any, rule: Any, *, now: Any) -> Any:
        return (breaker, None) if breaker.state is BreakerState.HALF_OPEN else ask(breaker, rule, now=now)

    patch.setattr(CircuitBreaker, "ask", patient)


def caller_blamed_on_the_service(patch: pytest.MonkeyPatch) -> None:
    """A refusal for the caller's own mistake opens the breaker."""
    tell = Breakers.tell_in
    patch.setattr(
        Breakers, "tell_in", lambda breakers, uow, permit, *, well: tell(breakers, uow, permit, well=not well)
    )


def undone_in_forward_order(patch: pytest.MonkeyPatch) -> None:
    """What was done first is undone first."""
    to_undo = Saga.to_undo
    patch.setattr(Saga, "to_undo", lambda saga: iter(reversed(list(to_undo(saga)))))


def doubtful_step_not_undone(patch: pytest.MonkeyPatch) -> None:
    """Only what is known to be done is undone."""
    to_undo = Saga.to_undo

    def known(saga: Any) -> Any:
        done = {entry["step"] for entry in saga.log if entry["ev"] == Ev.DONE}
        return (step for step in to_undo(saga) if step in done)

    patch.setattr(Saga, "to_undo", known)


def saga_without_a_token(patch: pytest.MonkeyPatch) -> None:
    """Whoever has it writes, whoever took it over."""
    patch.setattr(Saga, "held_by", lambda saga, _token: saga)


def intent_not_written(patch: pytest.MonkeyPatch) -> None:
    """The call is made before its intent is committed: after a crash nobody knows of it."""
    write = SagaRunner._write  # noqa: SLF001 - see above

    async def forgetful(runner: Any, saga: Any, change: Any, *, lock: Any = None) -> Any:
        after = await write(runner, saga, change, lock=lock)
        if after.log and after.log[-1]["ev"] == Ev.START:
            kept = attrs.evolve(after, log=after.log[:-1])

            def forget(uow: Any) -> None:
                uow.sagas.get(saga.saga_id, lock=True)
                uow.sagas.save(kept)

            await runner.database.transact(forget)
        return after

    patch.setattr(SagaRunner, "_write", forgetful)


def every_integrity_error_a_duplicate(patch: pytest.MonkeyPatch) -> None:
    """A row that does not fit is taken for one that is there already."""
    patch.setattr(faults, "duplicate_of", lambda _error: "PRIMARY")


def deferred_begin(patch: pytest.MonkeyPatch) -> None:
    """SQLite: read first, lock later, and be refused."""
    patch.setattr(SqlDatabase, "_begin", lambda _database, connection, **_: connection.exec_driver_sql("BEGIN"))


def no_shield(patch: pytest.MonkeyPatch) -> None:
    """A caller who leaves tears its transaction."""

    async def bare(database: Any, work: Any, *, write: bool) -> Any:
        return await database._redo(work, write=write)  # noqa: SLF001 - see above

    patch.setattr(SqlDatabase, "_apart", bare)


def commit_after_an_error(patch: pytest.MonkeyPatch) -> None:
    """A work that goes on after an error commits the half that is left."""

    def lenient(_database: Any, work: Any, *, read_only: bool) -> Any:
        from wch.adapters.sql.rows import Session  # noqa: PLC0415 - as the method that it replaces
        from wch.adapters.sql.unit_of_work import SqlUnitOfWork  # noqa: PLC0415 - see above

        def on(connection: Any) -> Any:
            session = Session(
                connection, read_only=read_only, locks_rows=not _database.is_sqlite, duplicate_of=faults.duplicate_of
            )
            return work(SqlUnitOfWork(session, _database.tables))

        return on

    patch.setattr(SqlDatabase, "_with_unit", lenient)


def audit_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A person decides, and nobody can tell who."""
    patch.setattr(DeadLetters, "_audit", lambda *_arguments, **_named: None)


def back_off_without_growth(patch: pytest.MonkeyPatch) -> None:
    """A failing row is tried again every five seconds."""
    patch.setattr(lease, "back_off", lambda _attempts, _row, _waits=(): timedelta(seconds=5))


def blocking_in_the_loop(patch: pytest.MonkeyPatch) -> None:
    """One slow customer is waited for before the next is looked at."""

    async def in_turn(handling: Any) -> int:
        done = 0
        for conversation_id in await handling._free(set(), 0):  # noqa: SLF001 - see above
            done += await handling._line(conversation_id)  # noqa: SLF001 - see above
            await asyncio.sleep(0)
        return done

    patch.setattr(Handling, "work", in_turn)


BUGS: Mapping[str, tuple[Plant, str]] = {
    plant.__name__: (plant, where)
    for plant, where in (
        (no_fence, "tests/application/test_handling.py"),
        (attempt_as_the_only_fence, "tests/contract/test_stores.py"),
        (stamp_not_moved_on, "tests/domain/test_lease.py"),
        (attempt_counted_at_failure, "tests/application/test_handling.py"),
        (line_always_taken_together, "tests/application/test_handling.py"),
        (state_set_before_the_effects, "tests/application/test_handling.py"),
        (letter_in_a_second_transaction, "tests/application/test_handling.py"),
        (replay_without_state, "tests/application/test_dead_letters.py"),
        (lease_end_of_sending_to_pending, "tests/application/test_outbox.py"),
        (answer_dropped_after_the_lease, "tests/application/test_outbox.py"),
        (two_parts_instead_of_twelve, "tests/domain/test_rate_limit.py"),
        (permits_without_burning_slots, "tests/domain/test_rate_limit.py"),
        (half_open_lets_all_pass, "tests/domain/test_circuit_breaker.py"),
        (permit_without_lease, "tests/domain/test_circuit_breaker.py"),
        (caller_blamed_on_the_service, "tests/application/test_outbox.py"),
        (undone_in_forward_order, "tests/domain/test_saga.py"),
        (doubtful_step_not_undone, "tests/application/test_sagas.py"),
        (saga_without_a_token, "tests/application/test_sagas.py"),
        (intent_not_written, "tests/application/test_sagas.py"),
        (every_integrity_error_a_duplicate, "tests/adapters/sql/test_transactions.py"),
        (deferred_begin, "tests/adapters/sql/test_transactions.py"),
        (no_shield, "tests/adapters/sql/test_transactions.py"),
        (audit_forgotten, "tests/application/test_dead_letters.py"),
        (back_off_without_growth, "tests/domain/test_lease.py"),
        (blocking_in_the_loop, "tests/application/test_handling.py"),
    )
}
"""Each bug and where it is caught."""

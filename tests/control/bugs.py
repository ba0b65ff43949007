"""Bugs that were planted on purpose: each takes one rule away, and some layer of the tests must notice."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from sqlalchemy import Engine, String, event, select

from wch.adapters.memory.rows import Rows
from wch.adapters.sql.database import SqlDatabase, faults, transactions
from wch.adapters.sql.machinery import SqlClaimRepository
from wch.adapters.sql.session import Session
from wch.adapters.sql.talk import SqlMessageRepository
from wch.adapters.sql.types import Key
from wch.application.breakers import Breakers
from wch.application.dead_letters import DeadLetters
from wch.application.handling import Handling
from wch.application.limits import Limits
from wch.application.outcomes import Outcomes
from wch.application.sagas import SagaRunner
from wch.application.settling import Settling
from wch.domain import lease, line
from wch.domain.circuit_breaker import BreakerState, CircuitBreaker, Permit
from wch.domain.claim import Claim
from wch.domain.dead_letter import DeadLetter
from wch.domain.errors import DuplicateError, LeaseLostError
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

    def together(waiting: Any, **more: Any) -> Choice:
        choice = choose(waiting, **more)
        return Choice(take=tuple(waiting)) if choice.take else choice

    patch.setattr("wch.application.handling.choose", together)


def last_attempt_in_company(patch: pytest.MonkeyPatch) -> None:
    """Whoever was in the same hands as a message that kills its worker dies of it too."""
    patch.setattr("wch.application.handling.is_suspect", lambda _head: False)


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

    def forgetting(write: Any) -> Any:
        async def forgetful(runner: Any, saga: Any, change: Any, **more: Any) -> Any:
            after = await write(runner, saga, change, **more)
            if after.log and after.log[-1]["ev"] == Ev.START:
                kept = attrs.evolve(after, log=after.log[:-1])

                def forget(uow: Any) -> None:
                    uow.sagas.get(saga.saga_id, lock=True)
                    uow.sagas.save(kept)

                await runner.database.transact(forget)
            return after

        return forgetful

    for name in ("_note", "_write"):
        patch.setattr(SagaRunner, name, forgetting(getattr(SagaRunner, name)))


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

    async def torn(database: Any, work: Any) -> Any:
        return await database._redo(database._with_unit(work, read_only=False), write=True)  # noqa: SLF001 - see above

    patch.setattr(SqlDatabase, "_apart", bare)
    patch.setattr(SqlDatabase, "transact", torn)


def commit_after_an_error(patch: pytest.MonkeyPatch) -> None:
    """After a lock wait only one statement is undone: a work that goes on commits the half that is left."""
    patch.setattr(Session, "failed", property(lambda _session: None, lambda _session, _error: None), raising=False)


def _read_without_lock(table: str) -> None:
    """Rows of one table count as locked, and are not, whichever way they are asked for."""

    def lenient(_connection: Any, _cursor: Any, told: str, values: Any, *_more: Any) -> tuple[str, Any]:
        return (told.partition(" FOR UPDATE")[0] if f"{table} " in f"{told} ".replace("\n", " ") else told), values

    event.listen(Engine, "before_cursor_execute", lenient, retval=True)


def profile_lock_left_out(_patch: pytest.MonkeyPatch) -> None:
    """Two workers have one customer in hand."""
    _read_without_lock("customer_profiles")


def line_read_without_lock(_patch: pytest.MonkeyPatch) -> None:
    """Whoever reads a line does not see that another has just taken it."""
    _read_without_lock("messages")


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
        for head in await handling._free(set(), 0):  # noqa: SLF001 - see above
            done += await handling._line(head.conversation_id)  # noqa: SLF001 - see above
            await asyncio.sleep(0)
        return done

    patch.setattr(Handling, "work", in_turn)


def sum_with_an_upper_bound(patch: pytest.MonkeyPatch) -> None:
    """After a clock was set back, what was counted before is forgotten."""
    admit = RateLimit.admit
    patch.setattr(
        RateLimit,
        "admit",
        lambda rule, parts, *, now: admit(rule, [part for part in parts if part.window_start <= now], now=now),
    )


def time_taken_before_the_lock(patch: pytest.MonkeyPatch) -> None:
    """Whoever waited for the lock counts into a part that is over."""
    hit_in = Limits.hit_in

    def hasty(limits: Any, uow: Any, rule: Any, identifier: str) -> Any:
        now = limits.clock.now()
        early = attrs.evolve(limits, clock=SimpleNamespace(now=lambda: now))
        return hit_in(early, uow, rule, identifier)

    patch.setattr(Limits, "hit_in", hasty)


def upsert_count_as_claim(patch: pytest.MonkeyPatch) -> None:
    """A row that was changed is taken for one that was made."""

    def claim(claims: Any, key: str, scope: str, *, now: datetime, expires_at: datetime) -> bool:
        try:
            claims._rows.add(Claim(message_id=key, scope=scope, processed_at=now, expires_at=expires_at))  # noqa: SLF001 - see above
        except DuplicateError:
            return bool(claims._take_over(key, scope, datetime.max.replace(tzinfo=UTC, microsecond=0), expires_at))  # noqa: SLF001 - see above
        return True

    patch.setattr(SqlClaimRepository, "claim", claim)


def default_collation(patch: pytest.MonkeyPatch) -> None:
    """Keys are compared as words are: two that differ in case are one."""
    patch.setattr(
        Key, "load_dialect_impl", lambda key, dialect: dialect.type_descriptor(String(key.width, collation="NOCASE"))
    )


def json_decoded_in_the_take(patch: pytest.MonkeyPatch) -> None:
    """A row that nobody can read stops whoever takes its line."""
    line_of = SqlMessageRepository.line

    def whole(messages: Any, customer_phone: str) -> Any:
        found = line_of(messages, customer_phone)
        for row in found:
            messages.get(row.work.id, lock=True)
        return found

    patch.setattr(SqlMessageRepository, "line", whole)


def look_up_instead_of_the_same_operation(patch: pytest.MonkeyPatch) -> None:
    """Whether a COMMIT without an answer came through is looked up, while the server may still be at it."""
    mark = SqlDatabase._mark  # noqa: SLF001 - see above

    def looking(database: Any, connection: Any, this: Any) -> None:
        if this.in_doubt:
            claims = database.tables.claims
            found = connection.execute(select(claims.c.scope).where(claims.c.message_id == this.operation)).first()
            if found is not None:
                raise transactions._CommittedError  # noqa: SLF001 - see above
            this.operation, this.in_doubt = "", False
        mark(database, connection, this)

    patch.setattr(SqlDatabase, "_mark", looking)


ON_A_SERVER = frozenset(
    {
        "commit_after_an_error",
        "line_read_without_lock",
        "look_up_instead_of_the_same_operation",
        "profile_lock_left_out",
    }
)
"""Those that only a server's tests can notice."""

BUGS: Mapping[str, tuple[Plant, str]] = {
    plant.__name__: (plant, where)
    for plant, where in (
        (no_fence, "tests/application/test_handling.py"),
        (attempt_as_the_only_fence, "tests/contract/test_stores.py"),
        (stamp_not_moved_on, "tests/domain/test_lease.py"),
        (attempt_counted_at_failure, "tests/application/test_handling.py"),
        (line_always_taken_together, "tests/application/test_handling.py"),
        (last_attempt_in_company, "tests/application/test_handling.py"),
        (state_set_before_the_effects, "tests/application/test_handling.py"),
        (letter_in_a_second_transaction, "tests/application/test_handling.py"),
        (replay_without_state, "tests/application/test_dead_letters.py"),
        (lease_end_of_sending_to_pending, "tests/application/test_outbox.py"),
        (answer_dropped_after_the_lease, "tests/application/test_outbox.py"),
        (two_parts_instead_of_twelve, "tests/domain/test_rate_limit.py"),
        (permits_without_burning_slots, "tests/domain/test_rate_limit.py"),
        (sum_with_an_upper_bound, "tests/domain/test_rate_limit.py"),
        (time_taken_before_the_lock, "tests/application/test_limits.py"),
        (upsert_count_as_claim, "tests/contract/test_stores.py"),
        (default_collation, "tests/contract/test_stores.py"),
        (json_decoded_in_the_take, "tests/contract/test_undecodable.py"),
        (half_open_lets_all_pass, "tests/domain/test_circuit_breaker.py"),
        (permit_without_lease, "tests/domain/test_circuit_breaker.py"),
        (caller_blamed_on_the_service, "tests/application/test_outbox.py"),
        (undone_in_forward_order, "tests/domain/test_saga.py"),
        (doubtful_step_not_undone, "tests/application/test_sagas.py"),
        (saga_without_a_token, "tests/application/test_sagas.py"),
        (intent_not_written, "tests/application/test_sagas.py"),
        (every_integrity_error_a_duplicate, "tests/adapters/sql/test_transactions.py"),
        (deferred_begin, "tests/adapters/sql/test_transactions.py"),
        (look_up_instead_of_the_same_operation, "tests/adapters/sql/test_transactions.py"),
        (no_shield, "tests/adapters/sql/test_transactions.py"),
        (commit_after_an_error, "tests/adapters/sql/test_transactions.py"),
        (profile_lock_left_out, "tests/adapters/sql/test_locks.py"),
        (line_read_without_lock, "tests/adapters/sql/test_locks.py"),
        (audit_forgotten, "tests/application/test_dead_letters.py"),
        (back_off_without_growth, "tests/domain/test_lease.py"),
        (blocking_in_the_loop, "tests/application/test_handling.py"),
    )
}
"""Each bug and where it is caught."""

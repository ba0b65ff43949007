"""Redo, never repair: what every error of an engine leads to, and what nobody can tear."""

import asyncio
import random  # noqa: TID251 - seeded: the same run each time
import sqlite3
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError

from tests.adapters.sql.conftest import KEPT, NOON, Opened
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.sql.database import faults
from wch.adapters.sql.database.engines import SUPPORTED
from wch.adapters.sql.direct import CURSOR
from wch.application.failpoints import Failpoints
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.document import document
from wch.domain.errors import (
    DuplicateError,
    NotLockedError,
    ReadOnlyError,
    SettingsError,
    StoreMisusedError,
    StoreUnavailableError,
)
from wch.domain.message import Direction, Message, MessageStatus

PHONE = "4915112345678"


def _server_error(code: int, told: str = "told", kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    import pymysql  # noqa: PLC0415 -- an extra: the tests that need no server run without it

    return kind("statement", {}, getattr(pymysql.err, kind.__name__)(code, told))


def _file_error(code: int, told: str = "told", kind: type[DBAPIError] = OperationalError) -> DBAPIError:
    orig = sqlite3.IntegrityError(told) if kind is IntegrityError else sqlite3.OperationalError(told)
    orig.sqlite_errorcode = code
    return kind("statement", {}, orig)


def _thread(phone: str = PHONE) -> Conversation:
    return Conversation(customer_phone=phone, created_at=NOON, updated_at=NOON)


def _inbound(conversation_id: int) -> Message:
    return Message(
        conversation_id=conversation_id,
        direction=Direction.INBOUND,
        type="text",
        status=MessageStatus.RECEIVED,
        created_at=NOON,
        updated_at=NOON,
    )


def _rows(uow: UnitOfWork) -> int:
    return sum(uow.census.states()["conversations"].values())


class _Failing:
    """A failpoint that raises these errors at a place, one at each passing, and then none."""

    def __init__(self, place: str, *errors: Exception) -> None:
        self.place = place
        self.errors = list(errors)
        self.passed: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if name == self.place and self.errors:
            raise self.errors.pop(0)


# --- what errors mean


@pytest.mark.parametrize("code", [1213, 1205, 1020, 2006, 2013, 4031, 1927, 2003, 1040, 1053])
def test_a_servers_passing_errors_are_redone(code: int) -> None:
    """Deadlock, lock wait, record changed; a connection that is gone or cannot be had."""
    assert faults.may_redo(_server_error(code))


@pytest.mark.parametrize(
    ("code", "word"),
    [
        (1213, "deadlock"),
        (1205, "lock_wait"),
        (1020, "record_changed"),
        (2013, "connection_lost"),
        (2003, "away"),
    ],
)
def test_what_stopped_a_transaction_has_a_word(code: int, word: str) -> None:
    """It is counted by that word, for whoever watches."""
    assert faults.word_of(_server_error(code)) == word


@pytest.mark.parametrize("code", [1054, 1146, 1290, 1045, 1049, 1114])
def test_a_servers_lasting_errors_are_not(code: int) -> None:
    """Trying again would only keep the caller waiting."""
    assert not faults.may_redo(_server_error(code))


def test_a_busy_file_is_redone_and_a_full_disk_is_not() -> None:
    """Extended codes are codes of their kind."""
    assert faults.may_redo(_file_error(sqlite3.SQLITE_BUSY))
    assert faults.may_redo(_file_error(sqlite3.SQLITE_BUSY_SNAPSHOT))
    assert not faults.may_redo(_file_error(sqlite3.SQLITE_FULL))
    assert not faults.may_redo(_file_error(sqlite3.SQLITE_READONLY))


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ("Duplicate entry 'x' for key 'wa_message_id'", "wa_message_id"),
        ("Duplicate entry 'x' for key 'wch_messages.wa_message_id'", "wa_message_id"),
        ("Duplicate entry 'o''neill' for key \\'fake' for key 'PRIMARY'", "PRIMARY"),
    ],
)
def test_the_key_that_is_taken_is_read_from_the_end(told: str, key: str) -> None:
    """The entry before it is somebody's text, and may look like anything."""
    assert faults.duplicate_of(_integrity(_server_error(1062, told, IntegrityError))) == key


def test_only_a_taken_key_is_a_duplicate() -> None:
    """NOT NULL, CHECK and truncation are errors, never "already claimed"."""
    assert faults.duplicate_of(_integrity(_server_error(1048, kind=IntegrityError))) is None
    assert faults.duplicate_of(_integrity(_file_error(sqlite3.SQLITE_CONSTRAINT_NOTNULL, kind=IntegrityError))) is None
    taken = _file_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE, "UNIQUE constraint failed: t.a, t.b", IntegrityError)
    assert faults.duplicate_of(_integrity(taken)) == "t.a, t.b"


def _integrity(error: DBAPIError) -> IntegrityError:
    assert isinstance(error, IntegrityError)
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (lambda: _server_error(1146, kind=ProgrammingError), "wch db upgrade"),
        (lambda: _server_error(1045), "user or password"),
        (lambda: _server_error(1049), "does not exist"),
        (lambda: _server_error(2003), "does not answer"),
        (lambda: _file_error(1, "no such table: wch_carts"), "wch db upgrade"),
        (lambda: _file_error(8, "attempt to write a readonly database"), "cannot be written"),
        (lambda: _file_error(14, "unable to open database file"), "cannot be opened"),
        (lambda: _file_error(26, "file is not a database"), "no SQLite database"),
    ],
)
def test_a_person_is_told_the_way_out(error: Callable[[], DBAPIError], words: str) -> None:
    """The driver's words are for those who know the driver."""
    told = faults.final(error())

    assert isinstance(told, StoreUnavailableError)
    assert words in str(told)


async def test_no_value_of_a_row_is_in_an_error(database: SqlDatabase) -> None:
    """An error is logged, and a row holds people's numbers."""

    def duplicate(uow: UnitOfWork) -> None:
        for _ in range(2):
            uow.conversations.add(_thread())
            row = uow.messages.add(_inbound(1))
            uow.messages.save(Message(**{**_fields(row), "wa_message_id": f"wamid.{PHONE}"}))

    def not_null(connection: Connection) -> None:
        values = {"customer_phone": PHONE, "status": None, "state": "idle", "created_at": NOON, "updated_at": NOON}
        connection.execute(database.tables.conversations.insert().values(**values))

    for run in (database.transact(duplicate), database.run(not_null, write=True)):
        with pytest.raises((DuplicateError, StoreMisusedError)) as caught:
            await run
        error: BaseException | None = caught.value
        while error is not None:
            assert PHONE not in f"{error!r} {error}"
            error = error.__cause__


def _fields(row: Message) -> dict[str, Any]:
    import attrs  # noqa: PLC0415 - only here

    return {field.name: getattr(row, field.name) for field in attrs.fields(Message)}


# --- redo


@pytest.mark.parametrize("place", ["transact.begin", "transact.work", "transact.commit"])
async def test_a_busy_file_is_tried_until_it_is_through(tmp_path: Path, opened: Opened, place: str) -> None:
    """The whole work runs again, and what it did before is gone."""
    failing = _Failing(place, *(_file_error(sqlite3.SQLITE_BUSY) for _ in range(3)))
    database = opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT, failpoint=failing)
    failing.errors, waiting = [], failing.errors
    await schema.upgrade(database)
    failing.errors = waiting

    kept = await database.transact(lambda uow: uow.conversations.add(_thread()))

    assert database.redone() == {"busy": 3}
    assert await database.read(_rows) == 1
    assert await database.read(lambda uow: uow.conversations.get(kept.id)) == kept


@pytest.mark.mariadb
@pytest.mark.parametrize("code", [1213, 1205, 1020])
async def test_a_lock_that_was_lost_undoes_all_of_the_transaction(
    server: SqlDatabase, scratch_url: str, opened: Opened, code: int
) -> None:
    """After a lock wait only one statement is undone: to commit would keep half."""
    failing = _Failing("transact.work", _server_error(code))
    database = opened(scratch_url, prefix=KEPT, failpoint=failing)
    runs: list[int] = []

    def work(uow: UnitOfWork) -> None:
        runs.append(_rows(uow))
        uow.conversations.add(_thread())

    await database.transact(work)

    assert runs == [0, 0]
    assert await server.read(_rows) == 1


@pytest.mark.mariadb
async def test_a_work_cannot_commit_past_an_error_of_the_engine(server: SqlDatabase) -> None:
    """Whoever catches everything must not keep the half that a lost lock left standing."""
    runs: list[int] = []

    def work(uow: UnitOfWork) -> None:
        runs.append(1)
        uow.conversations.add(_thread())
        if len(runs) == 1:
            try:
                uow.conversations._rows.session.execute(text("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213"))  # type: ignore[attr-defined]  # noqa: SLF001 - as the server says it
            except Exception:  # noqa: BLE001 - what a careless work does
                return

    await server.transact(work)

    assert (len(runs), await server.read(_rows)) == (2, 1)


@pytest.mark.mariadb
async def test_two_that_lock_crosswise_both_come_through(server: SqlDatabase) -> None:
    """The server picks one to fail; it is run again and sees what the other did."""
    first = await server.transact(lambda uow: uow.conversations.add(_thread("1")))
    second = await server.transact(lambda uow: uow.conversations.add(_thread("2")))
    met = threading.Barrier(2, timeout=10)

    def work(one: int, other: int) -> Callable[[UnitOfWork], None]:
        waited: list[int] = []

        def run(uow: UnitOfWork) -> None:
            for number, row in enumerate((one, other)):
                held = uow.conversations.get(row, lock=True)
                assert held is not None
                uow.conversations.save(held.counted(now=NOON))
                if number == 0 and not waited:
                    waited.append(1)
                    met.wait()

        return run

    await asyncio.gather(server.transact(work(first.id, second.id)), server.transact(work(second.id, first.id)))

    counts = await server.read(lambda uow: [row.message_count for row in uow.conversations.listed()])
    assert counts == [2, 2]
    assert server.redone().keys() == {"deadlock"}


@pytest.mark.mariadb
async def test_a_connection_that_is_lost_before_the_commit_is_replaced(server: SqlDatabase) -> None:
    """Nothing was committed, so the whole work runs on a new one."""
    killed: list[int] = []

    def work(connection: Connection) -> None:
        connection.execute(server.tables.options.delete().where(server.tables.options.c.name == "x"))
        connection.execute(server.tables.options.insert().values(name="x", value={"v": 1}))
        if not killed:
            killed.append(connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar_one())
            connection.exec_driver_sql(f"KILL {killed[0]}")

    await server.run(work, write=True)

    assert await server.read(lambda uow: uow.options.get("x")) == {"v": 1}


async def test_at_the_deadline_the_store_is_away(tmp_path: Path, opened: Opened) -> None:
    """Never a result, never "duplicate"; and nothing is there."""
    database = opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT)
    await schema.upgrade(database)
    always = _Failing("transact.work", *(_file_error(sqlite3.SQLITE_BUSY) for _ in range(100)))
    hurried = opened(
        f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT, failpoint=always, deadline=timedelta(milliseconds=100)
    )

    with pytest.raises(StoreUnavailableError):
        await hurried.transact(lambda uow: uow.conversations.add(_thread()))

    assert await database.read(_rows) == 0


async def test_who_waits_too_long_for_its_turn_hears_that_the_store_is_away(tmp_path: Path, opened: Opened) -> None:
    """The gate is part of the deadline."""
    database = opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT)
    await schema.upgrade(database)
    hurried = database.within(timedelta(milliseconds=200))
    going, go_on = threading.Event(), threading.Event()

    def hold(_uow: UnitOfWork) -> None:
        going.set()
        go_on.wait(10)

    holder = asyncio.create_task(database.transact(hold))
    await asyncio.get_running_loop().run_in_executor(None, going.wait)
    patient = asyncio.create_task(database.transact(_rows))
    calmer = asyncio.create_task(database.within(timedelta(milliseconds=300)).transact(_rows))
    with pytest.raises(StoreUnavailableError):
        await hurried.transact(_rows)
    with pytest.raises(StoreUnavailableError):
        await calmer
    assert await hurried.read(_rows) == 0, "readers go on beside a writer"
    go_on.set()
    await holder
    assert await patient == 0


# --- a COMMIT without an answer


def _driver(uow: UnitOfWork) -> Any:
    return uow.options._rows.session.connection.connection.driver_connection  # type: ignore[attr-defined]  # noqa: SLF001 - the wire itself


class _LosingAnswers:
    """A failpoint that spoils the connection right before its COMMIT, so often."""

    def __init__(self, spoil: Callable[[Any], None], times: int = 1) -> None:
        self.spoil = spoil
        self.times = times
        self.driver: Any = None
        self.in_doubt = 0

    def __call__(self, name: str) -> None:
        if name == "transact.in_doubt":
            self.in_doubt += 1
        if name == "transact.commit" and self.times:
            self.times -= 1
            self.spoil(self.driver)


def _drop_before(driver: Any) -> None:
    """The COMMIT never arrives."""
    driver._force_close()  # noqa: SLF001 - as a broken network does


def _drop_after(driver: Any) -> None:
    """The COMMIT arrives, its answer does not."""
    import pymysql  # noqa: PLC0415 -- an extra: the tests that need no server run without it

    read = driver._read_query_result  # noqa: SLF001 - the answer

    def lose(*arguments: Any, **options: Any) -> None:
        read(*arguments, **options)
        driver._force_close()  # noqa: SLF001 - as a broken network does
        raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")

    driver._read_query_result = lose  # noqa: SLF001 - see above


def _hold_back(driver: Any) -> None:
    """The connection breaks, and the server commits half a second later: who looks now sees nothing."""
    import pymysql  # noqa: PLC0415 -- an extra: the tests that need no server run without it

    query, close, force_close = driver.query, driver.close, driver._force_close  # noqa: SLF001 - see above

    def commit() -> None:
        driver.query = query
        query("COMMIT")
        force_close()

    def lose(sql: str, **_options: Any) -> None:
        if sql == "COMMIT":
            threading.Timer(0.5, commit).start()
            raise pymysql.err.OperationalError(2013, "Lost connection to MySQL server during query")

    driver.query = lose
    driver.close = driver._force_close = lambda: None  # noqa: SLF001 - it lives on the server's side
    assert close is not None


@pytest.mark.mariadb
@pytest.mark.parametrize(
    ("spoil", "runs"),
    [(_drop_before, 2), (_drop_after, 1), (_hold_back, 1)],
    ids=["never arrived", "answer lost", "still committing"],
)
async def test_a_lost_commit_is_neither_lost_nor_done_twice(
    server: SqlDatabase, scratch_url: str, opened: Opened, spoil: Callable[[Any], None], runs: int
) -> None:
    """The same operation is inserted again: whether it had committed is told by its key, not by a look."""
    losing = _LosingAnswers(spoil)
    database = opened(scratch_url, prefix=KEPT, failpoint=losing)
    results: list[int] = []

    def work(uow: UnitOfWork) -> int:
        losing.driver = _driver(uow)
        results.append(uow.conversations.add(_thread()).id)
        return results[-1]

    kept = await database.transact(work)

    assert await server.read(_rows) == 1
    assert await server.read(lambda uow: uow.conversations.get(kept)) is not None
    assert losing.in_doubt >= 1
    assert (len(results), kept) == (runs, results[-1])


@pytest.mark.mariadb
async def test_many_lost_answers_cost_nothing(server: SqlDatabase, scratch_url: str, opened: Opened) -> None:
    """Lost before or after, at random: as many rows as calls."""
    dice = random.Random(7)  # noqa: S311 - no secret
    calls = 40

    def spoil(driver: Any) -> None:
        kind = dice.randrange(3)
        if kind < 2:
            (_drop_before, _drop_after)[kind](driver)

    losing = _LosingAnswers(spoil, times=3 * calls)
    database = opened(scratch_url, prefix=KEPT, failpoint=losing, pool_size=1)

    def work(uow: UnitOfWork) -> None:
        losing.driver = _driver(uow)
        uow.conversations.add(_thread())

    for _ in range(calls):
        await database.transact(work)

    assert await server.read(_rows) == calls
    assert losing.in_doubt > calls / 4


@pytest.mark.mariadb
async def test_the_mark_of_a_commit_is_no_claim_of_anybodys(server: SqlDatabase) -> None:
    """It expires within the hour, and no figure counts it."""
    await server.transact(lambda uow: uow.conversations.add(_thread()))

    claims = server.tables.claims.c
    rows = await server.run(lambda held: held.execute(select(claims.scope, claims.expires_at)).all(), write=False)

    assert {row.scope for row in rows} == {"op"}
    assert {row.expires_at for row in rows} == {NOON + timedelta(hours=1)}
    assert (await server.read(lambda uow: uow.census.states()))["webhook_idempotency"] == {}


async def test_those_in_a_hurry_are_counted_with_the_others(tmp_path: Path, opened: Opened) -> None:
    """The ingress has a deadline of its own; what stops it is seen all the same."""
    failing = _Failing("transact.work")
    database = opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT, failpoint=failing)
    await schema.upgrade(database)
    failing.errors = [_file_error(sqlite3.SQLITE_BUSY)]

    await database.within(timedelta(seconds=8)).transact(lambda uow: uow.conversations.add(_thread()))

    assert database.redone() == {"busy": 1}


class _FailingCommit:
    """A driver's cursor whose next COMMIT fails, before it is carried out or after it."""

    def __init__(self, info: dict[str, Any], *, ends: bool) -> None:
        self.info = info
        self.cursor = info[CURSOR]
        self.ends = ends

    def execute(self, statement: str, *values: Any) -> Any:
        if statement != "COMMIT":
            return self.cursor.execute(statement, *values)
        self.info[CURSOR] = self.cursor
        if self.ends:
            self.cursor.execute("COMMIT")
        raise _file_error(sqlite3.SQLITE_BUSY)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.cursor, name)


async def test_a_file_whose_commit_fails_open_is_redone_and_otherwise_not(tmp_path: Path, opened: Opened) -> None:
    """While the transaction is still open nothing was committed; when it is not, nobody knows."""
    path = tmp_path / "hub.db"
    await schema.upgrade(opened(f"sqlite:///{path}", prefix=KEPT))
    runs: list[bool] = []

    def spoil(ends: bool) -> Callable[[UnitOfWork], None]:  # noqa: FBT001 - a case of this test
        def work(uow: UnitOfWork) -> None:
            uow.conversations.add(_thread())
            runs.append(ends)
            if runs.count(ends) == 1:
                info = uow.options._rows.session.connection.info  # type: ignore[attr-defined]  # noqa: SLF001 - the wire
                info[CURSOR] = _FailingCommit(info, ends=ends)

        return work

    database = opened(f"sqlite:///{path}", prefix=KEPT)
    await database.transact(spoil(ends=False))
    assert (await database.read(_rows), database.redone()) == (1, {"busy": 1})
    with pytest.raises(StoreUnavailableError):
        await database.transact(spoil(ends=True))
    assert (await database.read(_rows), database.redone()) == (2, {"busy": 1})
    assert runs == [False, False, True]


# --- callers that leave


async def test_of_two_hundred_cancelled_callers_none_leaves_half(database: SqlDatabase) -> None:
    """The transaction is a task of its own: the caller goes, it comes to its end."""
    dice = random.Random(11)  # noqa: S311 - no secret

    def work(uow: UnitOfWork) -> None:
        kept = uow.conversations.add(_thread())
        uow.messages.add(_inbound(kept.id))
        uow.messages.add(_inbound(kept.id))

    async def leave(caller: "asyncio.Task[None]", after: float) -> None:
        await asyncio.sleep(after)
        caller.cancel()

    callers = [asyncio.create_task(database.transact(work)) for _ in range(200)]
    await asyncio.gather(*(leave(caller, dice.random()) for caller in callers))
    left = await asyncio.gather(*callers, return_exceptions=True)
    await database.settled()

    states = await database.read(lambda uow: uow.census.states())
    stored = sum(states["conversations"].values())
    assert sum(states["messages"].values()) == 2 * stored
    assert stored == 200 - sum(isinstance(one, StoreUnavailableError) for one in left)
    assert database.connections_out == 0


async def test_closing_waits_for_what_runs(tmp_path: Path, opened: Opened) -> None:
    """A server that stops does not tear what it has begun."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    database, other = opened(url, prefix=KEPT), opened(url, prefix=KEPT)
    await schema.upgrade(database)
    caller = asyncio.create_task(other.transact(lambda uow: uow.conversations.add(_thread())))
    await asyncio.sleep(0)
    caller.cancel()

    await other.aclose()

    assert await database.read(_rows) == 1


# --- the ground


@pytest.mark.parametrize(
    "url",
    ["postgresql://localhost/x", "mysql+aiomysql://localhost/x", "nonsense", "", "sqlite:///:memory:", "sqlite://"],
)
def test_an_address_that_is_not_supported_says_what_is(url: str) -> None:
    """An SQLite in memory is another one for each thread, so it is none of these either."""
    with pytest.raises(SettingsError) as caught:
        SqlDatabase.open(url, now=lambda: NOON, token=lambda: "")

    assert SUPPORTED in str(caught.value)


async def test_an_sqlite_in_memory_runs_where_its_caller_is(opened: Opened) -> None:
    """One connection on one thread: nothing to share, nothing to hop to."""
    database = opened("sqlite:///:memory:", prefix=KEPT, inline=True)
    await schema.upgrade(database)

    thread = await database.transact(lambda uow: (uow.conversations.add(_thread()), threading.get_ident())[1])

    assert thread == threading.get_ident()
    assert await database.read(_rows) == 1


async def test_a_file_is_durable_and_forgets_what_is_deleted(database: SqlDatabase) -> None:
    """WAL with full synchronisation, foreign keys, and nothing left of an erased row in a free page."""
    if not database.is_sqlite:

        def settings(held: Connection) -> tuple[Any, ...]:
            return tuple(held.exec_driver_sql("SELECT @@sql_mode, @@innodb_lock_wait_timeout, @@time_zone").one())

        mode, wait, zone = await database.run(settings, write=True)
        assert "STRICT_ALL_TABLES" in mode
        assert (wait, zone) == (5, "+00:00")
        return

    def pragmas(held: Connection) -> list[Any]:
        names = ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")
        return [held.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    assert await database.run(pragmas, write=False) == ["wal", 2, 1, 1, 5000]


async def test_a_read_writes_nothing_and_locks_nothing(database: SqlDatabase) -> None:
    """On every repository's way to write, and before any statement."""
    kept = await database.transact(lambda uow: uow.conversations.add(_thread()))
    for work in (
        lambda uow: uow.conversations.add(_thread()),
        lambda uow: uow.conversations.save(kept),
        lambda uow: uow.conversations.get(kept.id, lock=True),
        lambda uow: uow.customers.lock(PHONE, now=NOON),
        lambda uow: uow.messages.line(PHONE) or uow.messages.remove(1),
        lambda uow: uow.options.put("x", {"v": 1}),
        lambda uow: uow.options.remove("x"),
        lambda uow: uow.sagas.take_due(NOON),
        lambda uow: uow.recipients.take_pending(1),
        lambda uow: uow.dead_letters.purge(decided_before=NOON),
    ):
        with pytest.raises(ReadOnlyError):
            await database.read(work)
    with pytest.raises(NotLockedError):
        await database.transact(lambda uow: uow.conversations.save(kept))


@pytest.mark.mariadb
async def test_a_value_above_a_packet_is_refused_before_it_is_sent(server: SqlDatabase) -> None:
    """It would show as a lost connection, and be tried again for ever."""
    largest: int = await server.run(
        lambda held: held.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one(), write=False
    )

    with pytest.raises(StoreMisusedError):
        await server.transact(lambda uow: uow.options.put("large", {"v": 1, "text": "x" * largest}))
    await server.transact(lambda uow: uow.options.put("large", {"v": 1, "text": '"' * (largest // 5)}))

    assert server.redone() == {}
    assert await server.transact(lambda uow: uow.options.remove("large"))


@pytest.mark.mariadb
async def test_the_servers_clock_is_compared_finely(scratch_url: str, opened: Opened) -> None:
    """By the middle of the fastest of five round trips, against the host's own clock."""
    from datetime import UTC, datetime  # noqa: PLC0415 - the one test that needs the real one

    behind = timedelta(seconds=90, milliseconds=250)
    database = opened(scratch_url, prefix=KEPT, host_now=lambda: datetime.now(UTC) - behind)  # noqa: TID251 - see above

    offset = await database.clock_offset()

    assert abs(offset - behind) < timedelta(milliseconds=200)


def test_no_statement_swallows_errors_or_asks_the_engine_for_the_time() -> None:
    """INSERT IGNORE also swallows truncation and NULLs; time and chance are arguments."""
    folder = Path(schema.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        for word in (
            '"IGNORE"',
            "or_ignore",
            "prefix_with",
            "func.now",
            "CURRENT_TIMESTAMP",
            "json_extract",
            "func.random",
        ):
            assert word not in source, f"{path.name} has {word}"


# --- a line that is cut to order


@pytest.mark.parametrize("action", ["lose_answer", "drop_connection"])
async def test_a_cut_line_is_seen_as_a_store_that_is_away(
    file: SqlDatabase, tmp_path: Path, opened: Opened, action: str
) -> None:
    """On SQLite there is no second look: whoever is not answered repeats, and the keys of the tables do the rest."""
    points = Failpoints.read(f"transact.commit={action}", testing=True)
    database = opened(f"sqlite:///{tmp_path / 'file.db'}", prefix=KEPT, failpoint=points)

    with pytest.raises(StoreUnavailableError):
        await database.transact(lambda uow: uow.conversations.add(_thread()))

    assert await file.read(_rows) == (1 if action == "lose_answer" else 0)
    assert await database.transact(lambda uow: uow.conversations.add(_thread())) is not None


@pytest.mark.mariadb
@pytest.mark.parametrize("action", ["lose_answer", "drop_connection"])
async def test_a_cut_line_to_a_server_costs_nothing(
    server: SqlDatabase, scratch_url: str, opened: Opened, action: str
) -> None:
    """Before COMMIT or after it: the work is there once, and its caller hears so."""
    points = Failpoints.read(f"transact.commit={action}", testing=True)
    database = opened(scratch_url, prefix=KEPT, failpoint=points)

    kept = await database.transact(lambda uow: uow.conversations.add(_thread()).id)

    assert await server.read(_rows) == 1
    assert await server.read(lambda uow: uow.conversations.get(kept)) is not None


async def test_who_reads_to_write_takes_the_lock_first(tmp_path: Path, opened: Opened, file: SqlDatabase) -> None:
    """A snapshot that wants to write late is refused by SQLite and all of it done again: here nobody ever is."""
    url = f"sqlite:///{tmp_path / 'file.db'}"
    here, there = opened(url, prefix=KEPT), opened(url, prefix=KEPT)

    def count(uow: UnitOfWork) -> None:
        seen: Any = uow.options.get("count") or {"n": 0}
        uow.options.put("count", document(n=seen["n"] + 1))

    read_here, read_there = threading.Event(), threading.Event()

    def count_slowly(uow: UnitOfWork, mine: threading.Event, other: threading.Event) -> None:
        seen: Any = uow.options.get("count") or {"n": 0}
        mine.set()
        other.wait(0.2)  # it reads beside this one only where it took no lock
        uow.options.put("count", document(n=seen["n"] + 1))

    await asyncio.gather(*(database.transact(count) for database in (here, there) * 20))
    await asyncio.gather(
        here.transact(lambda uow: count_slowly(uow, read_here, read_there)),
        there.transact(lambda uow: count_slowly(uow, read_there, read_here)),
    )

    assert await file.read(lambda uow: uow.options.get("count")) == document(n=42)
    assert (here.redone(), there.redone()) == ({}, {})


async def test_a_driver_that_hangs_is_not_waited_for(
    tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is only silent holds its thread for half a minute; a provider hears of it long before."""
    monkeypatch.setattr("wch.adapters.sql.database.engines.LOCK_WAIT_SECONDS", 0)
    database = opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT, deadline=timedelta(milliseconds=500))
    await schema.upgrade(opened(f"sqlite:///{tmp_path / 'hub.db'}", prefix=KEPT))
    goes_on = threading.Event()

    def hangs(uow: UnitOfWork) -> None:
        goes_on.wait(10)
        uow.options.put("late", document(n=1))

    with pytest.raises(StoreUnavailableError):
        await database.transact(hangs)

    goes_on.set()
    await database.settled()
    assert await database.read(lambda uow: uow.options.get("late")) is not None, "and yet it came to its end"

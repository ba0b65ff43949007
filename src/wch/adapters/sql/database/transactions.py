"""Transactions: begun, run in one hop, committed, and redone by the rules of each engine."""

import asyncio
import contextlib
import copy
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import attrs
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from wch.adapters.sql.database import engines, faults
from wch.adapters.sql.database.driven import Driven
from wch.adapters.sql.database.held import Held
from wch.adapters.sql.database.sharing import SharedCommits, Then
from wch.adapters.sql.database.writer import Writer
from wch.adapters.sql.direct import cursor_of
from wch.adapters.sql.keeping import Kept, past_what_is_kept
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables, tables
from wch.adapters.sql.unit_of_work import SqlUnitOfWork
from wch.application.failpoints import FailpointError
from wch.application.ports import UnitOfWork
from wch.domain.claim import Scope
from wch.domain.errors import SettingsError, StoreMisusedError, StoreUnavailableError, WchError

R = TypeVar("R")

DEADLINE = timedelta(seconds=30)
"""How long a transaction is redone before the store counts as away; who is waited for asks for less."""

POOL_SIZE = 5
OPERATION_KEPT = timedelta(hours=1)
FIRST_PAUSE = 0.005
MOST_DOUBLINGS = 8
ROUND_TRIPS = 5


@attrs.define
class _Try:
    """One transaction over all its tries.

    Attributes:
        operation: the random id that every try of it inserts first.
        in_doubt: COMMIT was sent, and no answer has said what became of it.
        result: what the work returned in the try that reached COMMIT.
        tries: how often it was begun.
    """

    operation: str = ""
    in_doubt: bool = False
    result: Any = None
    tries: int = 0


class _CommittedError(Exception):
    """The operation's id is there already: the try whose answer was lost had committed."""


class SqlDatabase:
    """SQLite, MySQL or MariaDB, by the URL.

    Attributes:
        prefix: in front of every table's name.
        dialect_name: `sqlite`, `mysql` or `mariadb`.
        tables: the tables under that prefix.
        failpoint: called at the named places of a transaction and of a migration.
    """

    def __init__(
        self,
        engine: Engine | AsyncEngine,
        *,
        prefix: str = "wch_",
        now: Callable[[], datetime],
        token: Callable[[], str],
        host_now: Callable[[], datetime] | None = None,
        inline: bool = False,
        pool_size: int = POOL_SIZE,
        deadline: timedelta = DEADLINE,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._engine = engine
        self.prefix = prefix
        self._file = engines.file_of(engine.url)
        self._now = now
        self._token = token
        self._host_now = host_now
        self._deadline = deadline.total_seconds()
        self.failpoint = failpoint
        self.dialect_name = engine.dialect.name
        self.is_sqlite = not faults.speaks_mysql(self.dialect_name)
        self.tables: Tables = tables(prefix, names_per_table=not self.is_sqlite)
        self._redone: Counter[str] = Counter()
        # As many at once as there are connections, whatever they do; whoever writes to a file comes through `_shared`.
        self._gate = asyncio.Semaphore(pool_size)
        self._threads = (
            None
            if isinstance(engine, AsyncEngine) or inline
            else ThreadPoolExecutor(max_workers=pool_size, thread_name_prefix="wch-database")
        )
        self._writer = Writer() if self.is_sqlite and self._threads is not None else None
        self._driven = Driven(engine) if isinstance(engine, AsyncEngine) else None
        self._held = Held(engine) if self._writer is not None and isinstance(engine, Engine) else None
        self._running: set[asyncio.Task[Any]] = set()
        self._shared = SharedCommits(self._begin_write)
        self._has_operations = False
        self._is_hosted = False

    @classmethod
    def open(
        cls,
        url: str,
        *,
        prefix: str = "wch_",
        now: Callable[[], datetime],
        token: Callable[[], str],
        host_now: Callable[[], datetime] | None = None,
        inline: bool = False,
        pool_size: int = POOL_SIZE,
        deadline: timedelta = DEADLINE,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> Self:
        """Prepare a database; nothing is connected to, and nothing is created, before it is used.

        Args:
            url: where the tables are.
            prefix: in front of every table's name.
            now: the clock.
            token: chance, for the ids of operations and for jitter.
            host_now: this host's clock as it is, uncorrected and in fractions of a second, which
                `clock_offset` compares with the database's; without it nothing is compared.
            inline: run on the caller's thread, for an SQLite that lives in memory.
            pool_size: connections at once.
            deadline: how long a transaction is redone.
            failpoint: called at the named places of a transaction.

        Raises:
            SettingsError: the URL names no database that is supported, or its driver is not installed.
        """
        return cls(
            engines.engine_of(url, pool_size=pool_size, inline=inline),
            prefix=prefix,
            now=now,
            token=token,
            host_now=host_now,
            inline=inline,
            pool_size=pool_size,
            deadline=deadline,
            failpoint=failpoint,
        )

    @classmethod
    def over(
        cls,
        engine: Engine | AsyncEngine,
        *,
        prefix: str = "wch_",
        now: Callable[[], datetime],
        token: Callable[[], str],
        host_now: Callable[[], datetime] | None = None,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> Self:
        """Keep the tables over a host's own engine, which stays the host's to dispose of.

        Its connections are made as durable as our own are, so it must not have made one yet; its pool
        says how many transactions run at once. The other arguments are those of `open`.

        Raises:
            SettingsError: it speaks to no database that is supported, or has connections already.
        """
        if engine.dialect.name == "sqlite" and engines.is_in_memory(engine.url):
            message = "An SQLite in memory is not shared between threads; give the engine a file, or the hub memory://."
            raise SettingsError(message)
        engines.adopt(engine)
        size = getattr(engine.pool, "size", int)() or POOL_SIZE
        # One connection of SQLite writes, the others read beside it.
        readers = size - (engine.dialect.name == "sqlite")
        database = cls(
            engine,
            prefix=prefix,
            now=now,
            token=token,
            host_now=host_now,
            pool_size=max(1, readers),
            failpoint=failpoint,
        )
        database._is_hosted = True
        for keeper in (database._driven, database._held):
            if keeper is not None:
                keeper.keeps = False
        return database

    # --- the port

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` whole: commit when it returns, roll everything back when it raises."""
        on = self._with_unit(work, read_only=False)
        if self.is_sqlite:
            return await self._shared.run(on, within=self._deadline)
        return await self._apart(on, write=True)

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` on one snapshot; whatever writes raises."""
        self._must_be_there()
        return await self._apart(self._with_unit(work, read_only=True), write=False)

    async def run(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """Run `work` on a connection, as one transaction of its own, in a task that nobody can cancel.

        Raises:
            StoreUnavailableError: the database did not answer before the deadline.
            StoreMisusedError: it refused what it was asked for.
        """
        if write and self.is_sqlite:
            return await self._shared.run(past_what_is_kept(work), within=self._deadline, alone=True)
        if not write:
            self._must_be_there()
        return await self._apart(work, write=write)

    def within(self, deadline: timedelta) -> Self:
        """The same database, connections and gates for somebody who cannot wait as long."""
        hurried = copy.copy(self)
        hurried._deadline = deadline.total_seconds()  # noqa: SLF001 - the same class
        return hurried

    async def clock_offset(self) -> timedelta:
        """How far the database's clock is ahead: the middle of the fastest of five round trips; zero on SQLite."""
        host_now = self._host_now
        if self.is_sqlite or host_now is None:
            return timedelta(0)

        def ask(connection: Connection) -> tuple[timedelta, timedelta]:
            before = host_now()
            there: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
            took = host_now() - before
            return took, there.replace(tzinfo=UTC) - (before + took / 2)

        _, offset = min([await self.run(ask, write=False) for _ in range(ROUND_TRIPS)])
        return offset

    def redone(self) -> Mapping[str, int]:
        """How often a transaction was begun again: by `deadlock`, `lock_wait`, `busy` or another word of the engine's fault."""
        return dict(self._redone)

    async def forget(self) -> bool:
        """Cut SQLite's log, in which what was deleted still stands; a server's own logs are not ours to cut."""
        if not self.is_sqlite or engines.is_in_memory(self._engine.url):
            return True
        return await self.run(_cut_log, write=True)

    async def settled(self) -> None:
        """Wait until nothing runs any more, also what was begun by callers who left."""
        while self._running or not self._shared.is_idle:
            await self._shared.settled()
            if self._running:
                await asyncio.wait(set(self._running))

    async def aclose(self) -> None:
        """Let what runs come to its end, then give the connections back."""
        await self.settled()
        self._shared.close()
        if self._held is not None:
            self._held.give_back()
        if self._driven is not None:
            await self._driven.give_back()
        if self._is_hosted:
            pass
        elif isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            self._engine.dispose()
        if self._threads is not None:
            self._threads.shutdown()
        if self._writer is not None:
            self._writer.stop()

    @property
    def connections_out(self) -> int:
        """Connections that are in use at this moment."""
        checked_out = getattr(self._engine.pool, "checkedout", None)
        keeper = self._held or self._driven
        kept = keeper is not None and keeper.is_idle
        return int(checked_out()) - kept if checked_out is not None else 0

    @property
    def is_absent(self) -> bool:
        """Whether this is an SQLite file that nobody has made yet; looking at it must not make it."""
        return self._file is not None and not self._file.exists()

    def forget_schema(self) -> None:
        """The tables were installed or dropped."""
        self._has_operations = False

    # --- one transaction

    def _must_be_there(self) -> None:
        if self.is_absent:
            raise StoreUnavailableError(faults.NO_TABLES)

    def _with_unit(self, work: Callable[[UnitOfWork], R], *, read_only: bool) -> Callable[[Connection], R]:
        def on(connection: Connection) -> R:
            session = Session(
                connection,
                read_only=read_only,
                locks_rows=not self.is_sqlite,
                # A host may write by the same connection, and nothing would tell.
                keeps_rows=self.is_sqlite and not self._is_hosted,
                duplicate_of=faults.duplicate_of,
            )
            result = work(SqlUnitOfWork(session, self.tables))
            session.flush()
            if session.failed is not None:
                # The work went on after an error that undid some of it: to commit would keep the other half.
                raise session.failed
            return result

        return on

    async def _apart(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """A task of its own, waited for and never cancelled: whoever leaves, the transaction comes to its end.

        A driver that hangs in its last try is not waited for beyond that try's lock wait.
        """
        task = self._spawn(self._redo(work, write=write))
        await asyncio.wait({task}, timeout=self._deadline + engines.LOCK_WAIT_SECONDS)
        if not task.done():
            raise StoreUnavailableError
        return task.result()

    def _spawn(self, whole: Coroutine[Any, Any, R]) -> "asyncio.Task[R]":
        """A task that `settled` waits for."""
        task = asyncio.create_task(whole)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    async def _redo(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """Wait for its turn, then try."""
        deadline = asyncio.get_running_loop().time() + self._deadline
        try:
            async with asyncio.timeout_at(deadline):
                await self._gate.acquire()
        except TimeoutError:
            raise StoreUnavailableError from None
        try:
            return await self._tries(work, write=write, deadline=deadline)
        finally:
            self._gate.release()

    def _begin_write(self, work: Callable[[Connection], Any], then: Then, *, deadline: float, makes_file: bool) -> None:
        """Write to a file: `then` hears on the loop what came of it, at the latest when the deadline is over."""
        if not makes_file and self.is_absent:
            asyncio.get_running_loop().call_soon(then, None, StoreUnavailableError(faults.NO_TABLES))
            return
        if self._writer is None or self._held is None:
            self._tell(then, self._tries(work, write=True, deadline=deadline))
            return
        # The first try, which is nearly always the last, needs no task.
        this, held = _Try(tries=1), self._held

        def tried(result: Any, error: BaseException | None) -> None:
            if isinstance(error, (sqlite3.Error, StatementError)):
                self._tell(then, self._tries(work, write=True, deadline=deadline, after=(this, error)))
            else:
                then(result, error)

        self._writer.run(lambda: held.run(lambda connection: self._whole(connection, work, this, write=True)), tried)

    def _tell(self, then: Then, whole: Coroutine[Any, Any, Any]) -> None:
        """Run it as a task, and tell what came of that."""

        def tell(ended: "asyncio.Task[Any]") -> None:
            error = asyncio.CancelledError() if ended.cancelled() else ended.exception()
            then(None if error is not None else ended.result(), error)

        self._spawn(whole).add_done_callback(tell)

    async def _tries(
        self,
        work: Callable[[Connection], R],
        *,
        write: bool,
        deadline: float,
        after: tuple[_Try, sqlite3.Error | StatementError] | None = None,
    ) -> R:
        """Try until it is through, the error is final, or the deadline is over; go on `after` a try that failed."""
        this, error = after or (_Try(), None)
        while True:
            if isinstance(error, (DBAPIError, sqlite3.Error)):
                await self._pause_after(error, this, deadline)
            elif error is not None:
                raise (error.orig if isinstance(error.orig, WchError) else StoreMisusedError()) from None
            this.tries += 1
            try:
                return await self._hop(work, this, write=write)
            except _CommittedError:
                return this.result  # type: ignore[no-any-return]  # what this very work returned
            except (sqlite3.Error, StatementError) as raised:
                error = raised

    async def _pause_after(self, error: faults.Fault, this: _Try, deadline: float) -> None:
        """Wait a little longer each time before the next try.

        Raises:
            StoreUnavailableError: the deadline is over, or the engine cannot take it.
            StoreMisusedError: it would be refused again.
        """
        if this.in_doubt:
            self.failpoint("transact.in_doubt")
        elif not faults.may_redo(error):
            raise faults.final(error) from (error if faults.may_show(error) else None)
        jitter = 0.5 + int(self._token()[:4], 16) / 0xFFFF
        pause = FIRST_PAUSE * 2 ** min(this.tries, MOST_DOUBLINGS) * jitter
        if asyncio.get_running_loop().time() + pause >= deadline:
            told = faults.final(error)
            raise (told if isinstance(told, StoreUnavailableError) else StoreUnavailableError()) from error
        self._redone["in_doubt" if this.in_doubt else faults.word_of(error)] += 1
        await asyncio.sleep(pause)

    async def _hop(self, work: Callable[[Connection], R], this: _Try, *, write: bool) -> R:
        """The whole try at once, in one hop to a thread: the driver waits for itself."""
        if self._driven is not None:
            return await self._driven.run(lambda inner: self._whole(inner, work, this, write=write), write=write)
        engine: Any = self._engine

        def there() -> R:
            with engine.connect() as connection:
                return self._whole(connection, work, this, write=write)

        if self._threads is None:
            return there()
        return await asyncio.get_running_loop().run_in_executor(self._threads, there)

    def _whole(self, connection: Connection, work: Callable[[Connection], R], this: _Try, *, write: bool) -> R:
        """BEGIN, the work, COMMIT; on any error ROLLBACK, and a connection in doubt is not given back."""
        self.failpoint("transact.begin")
        at_commit = False
        try:
            self._begin(connection, write=write)
            if write and not self.is_sqlite:
                self._mark(connection, this)
            result = work(connection)
            self.failpoint("transact.work")
            cut = self._cut_at_commit(connection) if write else None
            if write:
                this.result, at_commit = result, True
                this.in_doubt = self._has_operations
            self._commit(connection, cut)
            this.in_doubt = False
        except BaseException as error:
            undone = _roll_back(connection)
            if undone and self.is_sqlite:
                Kept.of(connection).forget()
            if at_commit and self.is_sqlite and not undone and isinstance(error, (DBAPIError, sqlite3.Error)):
                # No transaction was open any more, so nobody knows what became of it: not to be done twice.
                raise StoreUnavailableError from error
            raise
        self.failpoint("transact.after_commit")
        return result

    def _cut_at_commit(self, connection: Connection) -> DBAPIError | None:
        """Where a test has the line cut: before COMMIT, raised here; after it, the error that the driver would give."""
        try:
            self.failpoint("transact.commit")
        except FailpointError as ordered:
            if ordered.action == "drop_connection":
                connection.invalidate()
                raise faults.line_cut(connection) from ordered
            if ordered.action == "lose_answer":
                return faults.line_cut(connection)
            raise
        return None

    def _begin(self, connection: Connection, *, write: bool) -> None:
        if self.is_sqlite:
            # To the driver itself: SQLAlchemy's way to a statement that is always the same takes longer than it.
            cursor_of(connection).execute("BEGIN IMMEDIATE" if write else "BEGIN")
        elif write:
            connection.exec_driver_sql("START TRANSACTION")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _commit(self, connection: Connection, cut: DBAPIError | None) -> None:
        if self.is_sqlite:
            cursor_of(connection).execute("COMMIT")
        else:
            connection.exec_driver_sql("COMMIT")
        if cut is not None:
            connection.invalidate()
            raise cut

    def _mark(self, connection: Connection, this: _Try) -> None:
        """Insert the operation's id: if a COMMIT's answer was lost, doing so again tells what became of it.

        Never looked up: the server may still be committing, and only an insert waits for that.
        """
        if not self._has_operations:
            # They are missing only while the tables are being installed.
            self._has_operations = connection.dialect.has_table(connection, self.tables.claims.name)
            if not self._has_operations:
                return
        this.operation = this.operation or self._token()
        now = self._now()
        mark = self.tables.claims.insert().values(
            message_id=this.operation, scope=Scope.OPERATION, processed_at=now, expires_at=now + OPERATION_KEPT
        )
        try:
            connection.execute(mark)
        except IntegrityError as error:
            if this.in_doubt and faults.duplicate_of(error) is not None:
                raise _CommittedError from None
            raise
        this.in_doubt = False


def _cut_log(connection: Connection) -> bool:
    """Bring the log into the file and cut it; only outside a transaction, so the one around this is ended first."""
    connection.exec_driver_sql("COMMIT")
    told = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").first()
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    return told is not None and told[0] == 0


def _roll_back(connection: Connection) -> bool:
    """Undo; whether there was a transaction to undo. A connection that cannot is closed."""
    try:
        connection.exec_driver_sql("ROLLBACK")
    except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not used again
        with contextlib.suppress(Exception):
            connection.invalidate()
        return False
    return True

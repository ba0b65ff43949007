"""The database: a transaction is a plain function, run whole, redone when the engine asks for it."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar

import attrs
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from wch.adapters.sql.rows import Session
from wch.adapters.sql.tables import Tables, tables
from wch.adapters.sql.unit_of_work import SqlUnitOfWork
from wch.application.ports import UnitOfWork
from wch.domain.errors import SettingsError, StoreMisusedError, StoreUnavailableError, WchError

R = TypeVar("R")

DEADLINE_SECONDS = 8.0
"""How long a transaction is redone before the store counts as away."""

LOCK_WAIT_SECONDS = 5

MYSQL_REDO = frozenset({1213, 1205, 1020})
"""Deadlock, lock wait, record changed: the whole work again."""

MYSQL_LOST = frozenset({2006, 2013, 4031, 1927, 2003, 2055, 1053, 1040, 1180})
"""The connection is gone, or cannot be had now."""

SQLITE_REDO = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
SQLITE_DUPLICATE = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
MYSQL_DUPLICATE = 1062

OPERATION_KEPT = timedelta(hours=1)
SUPPORTED = "sqlite+aiosqlite:///file, sqlite:///file, mysql+pymysql://user@host/name or memory://"


@attrs.define
class _Try:
    """One transaction over all its tries: the operation's id, and how far the latest try came."""

    operation: str
    committing: bool = False
    result: Any = None


class SqlDatabase:
    """SQLite, MySQL or MariaDB, by the URL."""

    def __init__(
        self,
        engine: Engine | AsyncEngine,
        *,
        prefix: str,
        now: Callable[[], datetime],
        token: Callable[[], str],
        inline: bool = False,
        pool_size: int = 5,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> None:
        self._engine = engine
        self.prefix = prefix
        self._now = now
        self._token = token
        self._inline = inline
        self._failpoint = failpoint
        self.dialect_name = engine.dialect.name
        self.is_sqlite = self.dialect_name == "sqlite"
        self.tables: Tables = tables(prefix, names_per_table=not self.is_sqlite)
        self._writers = asyncio.Semaphore(1 if self.is_sqlite else pool_size)
        self._readers = asyncio.Semaphore(pool_size)
        self._threads = (
            None
            if isinstance(engine, AsyncEngine) or inline
            else ThreadPoolExecutor(max_workers=pool_size + 1, thread_name_prefix="wch-database")
        )
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    def open(
        cls,
        url: str,
        *,
        prefix: str,
        now: Callable[[], datetime],
        token: Callable[[], str],
        pool_size: int = 5,
        inline: bool = False,
        failpoint: Callable[[str], None] = lambda _name: None,
    ) -> Self:
        """Prepare a database; nothing is connected to, and nothing is created, before it is used.

        Args:
            url: where the tables are.
            prefix: in front of every table's name.
            now: the clock.
            token: chance, for the ids of operations.
            pool_size: connections at once.
            inline: run on the caller's thread, for an SQLite that lives in memory.
            failpoint: called at the named places of a transaction.

        Raises:
            SettingsError: the URL names no database that is supported, or its driver is not installed.
        """
        try:
            parsed = make_url(url)
            engine = _engine(parsed, pool_size=pool_size, inline=inline)
        except (ArgumentError, NoSuchModuleError, ValueError) as error:
            raise SettingsError(f"WCH_DATABASE_URL is none that is supported; write {SUPPORTED}.") from error
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"The database's driver {error.name} is not installed; install it with: pip install 'wch[mysql]'"
            ) from error
        return cls(engine, prefix=prefix, now=now, token=token, inline=inline, pool_size=pool_size, failpoint=failpoint)

    # --- the port

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` whole: commit when it returns, roll everything back when it raises."""
        return await self.run(lambda connection: work(self._unit(connection, read_only=False)), write=True)

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` on one snapshot; whatever writes raises."""
        return await self.run(lambda connection: work(self._unit(connection, read_only=True)), write=False)

    async def run(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """Run `work` on a connection, as one transaction of its own, in a task that nobody can cancel.

        Raises:
            StoreUnavailableError: the database did not answer before the deadline.
            StoreMisusedError: it refused what it was asked for.
        """
        task = asyncio.create_task(self._redone(work, write=write))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def clock_offset(self) -> timedelta:
        """By the middle of the fastest of five round trips; zero on SQLite."""
        if self.is_sqlite:
            return timedelta(0)
        loop = asyncio.get_running_loop()
        fastest, offset = float("inf"), timedelta(0)
        for _ in range(5):
            before_clock, before = self._now(), loop.time()
            there = await self.run(lambda connection: connection.scalar(text("SELECT UTC_TIMESTAMP(6)")), write=False)
            took = loop.time() - before
            if took < fastest and isinstance(there, datetime):
                fastest = took
                offset = there.replace(tzinfo=UTC) - (before_clock + timedelta(seconds=took / 2))
        return timedelta(0) if abs(offset) < timedelta(seconds=1.5) else offset

    async def aclose(self) -> None:
        """Let what runs come to its end, then give the connections back."""
        while self._running:
            await asyncio.wait(set(self._running))
        if isinstance(self._engine, AsyncEngine):
            await self._engine.dispose()
        else:
            self._engine.dispose()
        if self._threads is not None:
            self._threads.shutdown()

    @property
    def connections_out(self) -> int:
        """Connections that are in use at this moment."""
        pool = self._engine.pool
        checked_out = getattr(pool, "checkedout", None)
        return int(checked_out()) if checked_out is not None else 0

    # --- one transaction

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()

    def _unit(self, connection: Connection, *, read_only: bool) -> UnitOfWork:
        session = Session(
            connection,
            read_only=read_only,
            locks_rows=not self.is_sqlite,
            duplicate_of=self._duplicate_of,
        )
        return SqlUnitOfWork(session, self.tables)

    async def _redone(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """Try until it is through, the error is final, or the deadline is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        gate = self._writers if write else self._readers
        this = _Try(operation=self._token())
        tries = 0
        try:
            async with asyncio.timeout_at(deadline):
                await gate.acquire()
        except TimeoutError as error:
            raise StoreUnavailableError from error
        try:
            while True:
                tries += 1
                try:
                    return await self._once(work, this, write=write)
                except (DBAPIError, sqlite3.Error, OSError) as error:
                    if this.committing and self._was_committed(error, this):
                        return this.result  # type: ignore[no-any-return]
                    if not self._may_redo(error):
                        raise _final(error) from error
                    pause = 0.005 * 2 ** min(tries, 8) * (0.5 + int(this.operation[:4], 16) / 0xFFFF)
                    if loop.time() + pause >= deadline:
                        raise StoreUnavailableError from error
                    await asyncio.sleep(pause)
                except StatementError as error:
                    if isinstance(error.orig, WchError):
                        raise error.orig from None
                    raise StoreMisusedError("The database was asked for something that it cannot keep.") from error
        finally:
            gate.release()

    async def _once(self, work: Callable[[Connection], R], this: _Try, *, write: bool) -> R:
        engine = self._engine
        if isinstance(engine, AsyncEngine):
            async with engine.connect() as connection:
                return await connection.run_sync(lambda held: self._whole(held, work, this, write=write))
        if self._threads is None:
            with engine.connect() as connection:
                return self._whole(connection, work, this, write=write)

        def hop() -> R:
            with engine.connect() as connection:
                return self._whole(connection, work, this, write=write)

        return await asyncio.get_running_loop().run_in_executor(self._threads, hop)

    def _whole(self, connection: Connection, work: Callable[[Connection], R], this: _Try, *, write: bool) -> R:
        """BEGIN, the work, COMMIT; on any error ROLLBACK, and a connection in doubt is not given back."""
        self._failpoint("transact.begin")
        try:
            self._begin(connection, write=write)
            if write and not self.is_sqlite:
                self._mark(connection, this)
            result = work(connection)
            self._failpoint("transact.work")
            if write:
                this.result, this.committing = result, True
                self._failpoint("transact.commit")
            connection.exec_driver_sql("COMMIT")
            this.committing = False
        except BaseException:
            self._roll_back(connection)
            raise
        self._failpoint("transact.after_commit")
        return result

    def _begin(self, connection: Connection, *, write: bool) -> None:
        if self.is_sqlite:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
        elif write:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            connection.exec_driver_sql("START TRANSACTION")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            connection.exec_driver_sql("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")

    def _mark(self, connection: Connection, this: _Try) -> None:
        """The first statement of every writing transaction: an id by which a lost COMMIT is told from a failed one."""
        now = self._now()
        claims = self.tables.claims
        if not self._has_claims(connection):
            return
        try:
            connection.execute(
                claims.insert().values(
                    message_id=this.operation, scope="op", processed_at=now, expires_at=now + OPERATION_KEPT
                )
            )
        except IntegrityError as error:
            if this.committing and self._duplicate_of(error) is not None:
                raise _CommittedError from error
            raise
        this.committing = False

    _installed = False

    def _has_claims(self, connection: Connection) -> bool:
        """Whether the tables are there yet; they are not while they are being installed."""
        if not self._installed:
            self._installed = bool(connection.dialect.has_table(connection, self.tables.claims.name))
        return self._installed

    def forget_schema(self) -> None:
        """The tables were installed or dropped."""
        self._installed = False

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.exec_driver_sql("ROLLBACK")
        except (DBAPIError, sqlite3.Error):
            with contextlib.suppress(DBAPIError, sqlite3.Error):
                connection.invalidate()

    # --- what errors mean

    def _was_committed(self, error: BaseException, this: _Try) -> bool:
        """Whether the error says that an earlier try had committed after all."""
        return isinstance(error, _CommittedError) and this.committing

    def _may_redo(self, error: BaseException) -> bool:
        if isinstance(error, DBAPIError):
            code = _code(error)
            if self.is_sqlite:
                return code is not None and code & 0xFF in SQLITE_REDO
            return error.connection_invalidated or code in MYSQL_REDO | MYSQL_LOST
        return isinstance(error, (OSError, sqlite3.OperationalError))

    def _duplicate_of(self, error: IntegrityError) -> str | None:
        """The key that is taken, as the engine names it; None when the error is another one."""
        code = _code(error)
        told = str(error.orig)
        if self.is_sqlite:
            return told.rpartition(": ")[2] if code in SQLITE_DUPLICATE else None
        return (
            told.rstrip('")').rpartition("'")[0].rpartition("'")[2].rpartition(".")[2]
            if code == MYSQL_DUPLICATE
            else None
        )


class _CommittedError(DBAPIError):
    """The operation's id is there already: the try whose answer was lost had committed."""

    def __init__(self) -> None:
        super().__init__(None, None, Exception("committed"))


def _code(error: DBAPIError) -> int | None:
    orig = error.orig
    code = getattr(orig, "sqlite_errorcode", None)
    if code is None and orig is not None:
        code = getattr(orig.__cause__, "sqlite_errorcode", None)
        if code is None and orig.args and isinstance(orig.args[0], int):
            code = orig.args[0]
    return code if isinstance(code, int) else None


def _final(error: BaseException) -> WchError:
    """The error that the application sees; the driver's is its cause and is never shown."""
    if isinstance(error, DBAPIError):
        code = _code(error)
        orig = error.orig
        if isinstance(orig, WchError):
            return orig
        if isinstance(orig, sqlite3.OperationalError) or (code is not None and code in {1044, 1045, 1049, 1146, 1290}):
            return StoreUnavailableError(_way_out(str(orig), code))
        return StoreMisusedError("The database refused what it was asked for.", code=code)
    return StoreUnavailableError()


def _way_out(told: str, code: int | None) -> str:
    """What a person can do about a database that cannot be used."""
    if "no such table" in told or code == 1146:
        return "The database has no tables of the hub yet; install them with `wch db upgrade`."
    if "readonly" in told or code == 1290:
        return "The database cannot be written to; give this user the right to write its file and folder."
    if "unable to open" in told:
        return "The database file cannot be opened; check that its folder exists and may be written to."
    if code in {1044, 1045}:
        return "The database refuses this user or password; check WCH_DATABASE_URL."
    if code == 1049:
        return "The database does not exist on that server; create it, or check WCH_DATABASE_URL."
    return "The database did not take the transaction; look at its own log and its free space."


# --- engines


def _engine(url: URL, *, pool_size: int, inline: bool) -> Engine | AsyncEngine:
    driver = url.get_driver_name()
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, driver, pool_size=pool_size, inline=inline)
    if url.get_backend_name() in {"mysql", "mariadb"} and driver == "pymysql":
        return _mysql(url, pool_size=pool_size)
    message = "no such database"
    raise ValueError(message)


def _sqlite(url: URL, driver: str, *, pool_size: int, inline: bool) -> Engine | AsyncEngine:
    in_memory = url.database in {None, "", ":memory:"}
    if in_memory and not inline:
        message = "an SQLite in memory is not shared between threads"
        raise ValueError(message)
    arguments: dict[str, Any] = {"isolation_level": None, "timeout": LOCK_WAIT_SECONDS}
    if driver == "aiosqlite":
        engine = create_async_engine(url, connect_args=arguments, pool_size=pool_size + 1, max_overflow=0)
        event.listen(engine.sync_engine, "connect", _pragmas)
        return engine
    if driver not in {"pysqlite", ""}:
        message = "no such driver"
        raise ValueError(message)
    arguments["check_same_thread"] = False
    if in_memory:
        plain = create_engine(url, connect_args=arguments, poolclass=StaticPool)
    else:
        plain = create_engine(url, connect_args=arguments, pool_size=pool_size + 1, max_overflow=0)
    event.listen(plain, "connect", _pragmas)
    return plain


def _pragmas(connection: Any, _record: Any) -> None:
    """What makes SQLite durable and safe to share."""
    cursor = connection.cursor()
    for pragma in (
        f"busy_timeout = {LOCK_WAIT_SECONDS * 1000}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _mysql(url: URL, *, pool_size: int) -> Engine:
    settings = {
        "innodb_lock_wait_timeout": LOCK_WAIT_SECONDS,
        "sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
        "time_zone": "'+00:00'",
    }
    command = "SET " + ", ".join(f"SESSION {name} = {value}" for name, value in settings.items())
    return create_engine(
        url.update_query_dict({"charset": "utf8mb4"}),
        pool_size=pool_size,
        max_overflow=0,
        pool_recycle=1800,
        connect_args={
            "autocommit": True,
            "init_command": command,
            "connect_timeout": LOCK_WAIT_SECONDS,
            "read_timeout": 30,
            "write_timeout": 30,
        },
    )

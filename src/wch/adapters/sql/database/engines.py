"""Engines: how a connection is made durable, and what it must refuse."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from wch.adapters.sql.direct import CURSOR
from wch.domain.errors import SettingsError, StoreMisusedError

LOCK_WAIT_SECONDS = 5
CALL_SECONDS = 30
RECYCLED_AFTER_SECONDS = 1800

JOURNALS = ("wal", "truncate")
"""What `?journal=` may say for SQLite: `truncate` is slow, and safe where processes share an SQLite before 3.51.3."""

SUPPORTED = "sqlite+aiosqlite:///file, sqlite:///file, mysql+pymysql://user@host/name or memory://"

PRAGMAS = (
    f"busy_timeout = {LOCK_WAIT_SECONDS * 1000}",
    "synchronous = FULL",
    "foreign_keys = ON",
    "secure_delete = ON",
)
SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    f"SET SESSION innodb_lock_wait_timeout = {LOCK_WAIT_SECONDS}, time_zone = '+00:00'",
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE'",
)

_MOST_BYTES_PER_CHARACTER = 8
"""Four of UTF-8; none of those is escaped, but this is a bound, not a count."""

_STATEMENT_BYTES = 65_536
"""What is left of a packet for the statement around the values."""

_adopted: "WeakSet[Engine]" = WeakSet()
"""Engines that have been seen to; a hub that is opened again finds its connections as it left them."""

_ESCAPED = "\\'\"\0\n\r\x1a"


def engine_of(url: str, *, pool_size: int, inline: bool) -> Engine | AsyncEngine:
    """An engine for this URL; nothing is connected to yet.

    Raises:
        SettingsError: no such database is supported, or its driver is not installed.
    """
    try:
        address, journal = _journal(make_url(url))
        engine = _engine(address, pool_size=pool_size, inline=inline)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        message = f"WCH_DATABASE_URL is none that is supported; write {SUPPORTED}."
        raise SettingsError(message) from error
    except ModuleNotFoundError as error:
        message = f"The database's driver {error.name} is not installed; install it with: pip install 'wch[mysql]'"
        raise SettingsError(message) from error
    adopt(engine, journal=journal)
    return engine


def source_engine(url: str) -> Engine:
    """An engine that only ever reads somebody else's database, as it is; nothing is connected to yet.

    Raises:
        SettingsError: no such database is supported, its driver is not installed, or the file is not there.
    """
    try:
        address = make_url(url)
        backend = address.get_backend_name()
        if backend == "sqlite":
            file = Path(address.database or "")
            if not file.is_file():
                message = f"--source-url: there is no file {file}; give the path of the SQLite database."
                raise SettingsError(message)
            return create_engine(f"sqlite:///file:{quote(str(file.absolute()))}?mode=ro&uri=true", hide_parameters=True)
        if backend in {"mysql", "mariadb"}:
            reached = address.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
            return create_engine(
                reached,
                isolation_level="READ COMMITTED",
                hide_parameters=True,
                connect_args={"connect_timeout": LOCK_WAIT_SECONDS, "read_timeout": CALL_SECONDS},
            )
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        message = "--source-url is none that is supported; write mysql+pymysql://user@host/name or sqlite:///file."
        raise SettingsError(message) from error
    except ModuleNotFoundError as error:
        message = f"The database's driver {error.name} is not installed; install it with: pip install 'wch[mysql]'"
        raise SettingsError(message) from error
    message = "--source-url is none that is supported; write mysql+pymysql://user@host/name or sqlite:///file."
    raise SettingsError(message)


def adopt(engine: Engine | AsyncEngine, *, journal: str = JOURNALS[0]) -> None:
    """See to it that every connection of this engine is as the hub needs it; before the first one is made.

    Raises:
        SettingsError: no such database is supported, or a connection was made already.
    """
    plain = engine.sync_engine if isinstance(engine, AsyncEngine) else engine
    if plain.dialect.name not in {"sqlite", "mysql", "mariadb"}:
        message = f"The engine speaks to {plain.dialect.name}, which is not supported; make it for {SUPPORTED}."
        raise SettingsError(message)
    if plain in _adopted:
        return
    if getattr(plain.pool, "checkedin", int)() + getattr(plain.pool, "checkedout", int)():
        message = "The engine has made connections already; hand it over before its first use, or make one for the hub."
        raise SettingsError(message)
    _adopted.add(plain)
    if plain.dialect.name == "sqlite":
        event.listen(plain, "connect", partial(_prepare_sqlite, journal))
    else:
        event.listen(plain, "connect", _prepare_mysql)
        event.listen(plain, "before_cursor_execute", _refuse_what_is_too_large)


def _engine(url: URL, *, pool_size: int, inline: bool) -> Engine | AsyncEngine:
    # The adapter sends BEGIN, COMMIT and ROLLBACK itself; parameters are never shown in an error.
    common: dict[str, Any] = {"hide_parameters": True, "skip_autocommit_rollback": True}
    backend, driver = url.get_backend_name(), url.get_driver_name()
    if backend == "sqlite" and driver in {"aiosqlite", "pysqlite"}:
        return _sqlite(url, driver, common, pool_size=pool_size, inline=inline)
    if backend in {"mysql", "mariadb"} and driver == "pymysql":
        return create_engine(
            url.update_query_dict({"charset": "utf8mb4"}),
            pool_size=pool_size,
            max_overflow=0,
            pool_recycle=RECYCLED_AFTER_SECONDS,
            connect_args={
                "autocommit": True,
                "connect_timeout": LOCK_WAIT_SECONDS,
                "read_timeout": CALL_SECONDS,
                "write_timeout": CALL_SECONDS,
            },
            **common,
        )
    message = "no such database"
    raise ValueError(message)


def _sqlite(url: URL, driver: str, common: dict[str, Any], *, pool_size: int, inline: bool) -> Engine | AsyncEngine:
    arguments: dict[str, Any] = {"isolation_level": None, "timeout": LOCK_WAIT_SECONDS}
    if is_in_memory(url):
        if not inline:
            message = "an SQLite in memory is not shared between threads"
            raise ValueError(message)
        plain = url.set(drivername="sqlite")
        return create_engine(
            plain, connect_args={**arguments, "check_same_thread": False}, poolclass=StaticPool, **common
        )
    # One connection writes, the others read beside it.
    sizes = {"pool_size": pool_size + 1, "max_overflow": 0}
    if driver == "aiosqlite":
        return create_async_engine(url, connect_args=arguments, **sizes, **common)
    return create_engine(url, connect_args={**arguments, "check_same_thread": False}, **sizes, **common)


def is_in_memory(url: URL) -> bool:
    """Whether this SQLite ends with its connection."""
    return not url.database or ":memory:" in url.database or url.query.get("mode") == "memory"


def file_of(url: URL) -> Path | None:
    """The file of an SQLite that can be asked for by its path; None where there is none."""
    if url.get_backend_name() != "sqlite" or is_in_memory(url) or not url.database or url.database.startswith("file:"):
        return None
    return Path(url.database)


def _journal(url: URL) -> tuple[URL, str]:
    """The address for the driver, and what `?journal=` asks for."""
    journal = url.query.get("journal", JOURNALS[0])
    if journal not in JOURNALS or ("journal" in url.query and url.get_backend_name() != "sqlite"):
        message = "no such journal"
        raise ValueError(message)
    return url.difference_update_query(["journal"]), str(journal)


def _prepare_sqlite(journal: str, connection: Any, record: Any) -> None:
    """What makes SQLite durable and safe to share."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (*PRAGMAS[:1], f"journal_mode = {journal.upper()}", *PRAGMAS[1:]):
        cursor.execute(f"PRAGMA {pragma}")
    record.info[CURSOR] = cursor


def _prepare_mysql(connection: Any, record: Any) -> None:
    """What makes MySQL and MariaDB refuse instead of bend, and wait only so long."""
    connection.autocommit(True)  # noqa: FBT003 - PyMySQL has no name for it
    cursor = connection.cursor()
    for statement in SESSION:
        cursor.execute(statement)
    cursor.execute("SELECT @@max_allowed_packet")
    record.info["packet"] = int(cursor.fetchone()[0])
    cursor.close()


def _refuse_what_is_too_large(
    connection: Connection,
    _cursor: Any,
    _statement: str,
    parameters: Any,
    _context: Any,
    _many: bool,  # noqa: FBT001 - SQLAlchemy calls it so
) -> None:
    """Values above `max_allowed_packet` would show as a lost connection, and be tried again for ever.

    Raises:
        StoreMisusedError: the values do not fit into one packet.
    """
    room = connection.info.get("packet", 0) - _STATEMENT_BYTES
    texts = [value for value in _values(parameters) if isinstance(value, str)]
    if room > 0 and sum(map(len, texts)) * _MOST_BYTES_PER_CHARACTER > room and sum(map(_packed, texts)) > room:
        raise StoreMisusedError(max_allowed_packet=room + _STATEMENT_BYTES)


def _values(parameters: Any) -> Iterable[Any]:
    if isinstance(parameters, dict):
        return parameters.values()
    if isinstance(parameters, (list, tuple)) and any(isinstance(one, (dict, list, tuple)) for one in parameters):
        return [value for one in parameters for value in _values(one)]
    return parameters or ()


def _packed(text: str) -> int:
    return len(text.encode()) + sum(map(text.count, _ESCAPED))

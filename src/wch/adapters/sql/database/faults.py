"""What an engine's errors mean: try again, taken, or final, and then what a person can do."""

import sqlite3

from sqlalchemy import Connection
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)

from wch.adapters.sql.types import MYSQL
from wch.domain.errors import StoreMisusedError, StoreUnavailableError, WchError

_MYSQL_REDO = {1213: "deadlock", 1205: "lock_wait", 1020: "record_changed"}
"""What has nothing to do with the connection."""

_MYSQL_LOST = frozenset({2006, 2013, 2014, 2055, 4031, 1927})
"""The connection is gone."""

_MYSQL_AWAY = frozenset({2003, 1040, 1053, 1203})
"""No connection can be had at this moment."""

_SQLITE_REDO = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_SQLITE_TAKEN = frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY})
_PRIMARY_CODE = 0xFF
_MYSQL_TAKEN = 1062

_MISUSED = (IntegrityError, DataError, NotSupportedError, ProgrammingError)

NO_TABLES = "The database has no tables of the hub yet; install them with `wch db upgrade`."
_OTHERWISE = "The database did not take the transaction; look at its own log and its free space."
_SQLITE_WAYS_OUT = {
    "no such table": NO_TABLES,
    "no such column": "The tables are not those of this program; `wch db check` says what differs.",
    "readonly": "The database cannot be written to; give this user the right to write its file and folder.",
    "unable to open": "The database file cannot be opened; check that its folder exists and may be written to.",
    "not a database": "The file is no SQLite database; check WCH_DATABASE_URL.",
    "disk is full": "The disk is full; nothing was written.",
}
_MYSQL_WAYS_OUT = {
    1146: NO_TABLES,
    1054: _SQLITE_WAYS_OUT["no such column"],
    1290: "The database is read only at the moment; nothing was written.",
    1836: "The database is read only at the moment; nothing was written.",
    1044: "The database refuses this user; check WCH_DATABASE_URL and the user's rights.",
    1045: "The database refuses this user or password; check WCH_DATABASE_URL.",
    1142: "The database refuses this user a table; check the user's rights.",
    1049: "The database does not exist on that server; create it, or check WCH_DATABASE_URL.",
    2003: "The database server does not answer; check WCH_DATABASE_URL, and that it runs.",
}

Fault = DBAPIError | sqlite3.Error


def may_redo(error: Fault) -> bool:
    """Whether the whole work may be run again after this error, on a new connection if need be."""
    code = _code(error)
    if _is_sqlite(error):
        return code is not None and code & _PRIMARY_CODE in _SQLITE_REDO
    lost = isinstance(error, DBAPIError) and error.connection_invalidated
    return lost or code in _MYSQL_REDO.keys() | _MYSQL_LOST | _MYSQL_AWAY


def word_of(error: Fault) -> str:
    """What stopped a transaction that may be run again, in a word."""
    if _is_sqlite(error):
        return "busy"
    code = _code(error)
    return _MYSQL_REDO.get(code or 0) or ("away" if code in _MYSQL_AWAY else "connection_lost")


def duplicate_of(error: IntegrityError) -> str | None:
    """The key that is taken, by the name or the columns that the engine tells; None when the error is another one."""
    code = _code(error)
    orig = error.orig
    if _is_sqlite(error):
        return str(orig).rpartition(": ")[2] if code in _SQLITE_TAKEN else None
    if code != _MYSQL_TAKEN or orig is None:
        return None
    # "Duplicate entry '...' for key 'name'"; MySQL puts the table's name and a dot in front.
    return str(orig.args[1]).rstrip("'").rpartition("'")[2].rpartition(".")[2]


def final(error: Fault) -> WchError:
    """The error that the application sees, with a way out and without any value of a row."""
    if isinstance(error, DBAPIError) and isinstance(error.orig, WchError):
        return error.orig
    code = _code(error)
    way_out = _way_out(error, code)
    if way_out is None and isinstance(error, _MISUSED):
        message = "The database refused what it was asked for."
        return StoreMisusedError(message, code=code)
    return StoreUnavailableError(way_out or _OTHERWISE, code=code)


def may_show(error: Fault) -> bool:
    """Whether the driver's words hold no values of rows, so that they may be the cause that a log shows."""
    return not isinstance(error, (IntegrityError, DataError))


def _way_out(error: Fault, code: int | None) -> str | None:
    if not _is_sqlite(error):
        return _MYSQL_WAYS_OUT.get(code or 0)
    told = str(error.orig if isinstance(error, DBAPIError) else error)
    return next((way for words, way in _SQLITE_WAYS_OUT.items() if words in told), None)


def _is_sqlite(error: Fault) -> bool:
    return isinstance(error.orig if isinstance(error, DBAPIError) else error, sqlite3.Error)


def _code(error: Fault) -> int | None:
    told = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(told, sqlite3.Error):
        return getattr(told, "sqlite_errorcode", None)
    number = told.args[0] if told is not None and told.args else None
    return number if isinstance(number, int) else None


def speaks_mysql(dialect_name: str) -> bool:
    """Whether rows are locked one by one, and a COMMIT crosses a network."""
    return dialect_name in MYSQL


def line_cut(connection: Connection) -> DBAPIError:
    """The error that a driver raises when it finds this connection gone."""
    server_gone = 2013
    told: Exception = sqlite3.OperationalError("disk I/O error")
    if speaks_mysql(connection.dialect.name):
        told = Exception(server_gone, "Lost connection to MySQL server during query")
    return OperationalError("COMMIT", {}, told, connection_invalidated=True)

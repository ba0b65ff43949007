"""Texts given to the driver as they are: where the engine is a file, SQLAlchemy's way takes longer than its answer."""

from collections.abc import Sequence
from typing import Any, NoReturn, Protocol

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

Values = Sequence[Any]

CURSOR = "wch_cursor"
"""The name under which a connection to SQLite knows the driver's own cursor."""


def cursor_of(connection: Connection) -> Any:
    """The driver's own cursor of a connection to SQLite, one for its whole life; what it answers is read at once."""
    return connection.info[CURSOR]


class Told(Protocol):
    """What became of a statement that changes rows."""

    @property
    def rowcount(self) -> int:
        """How many were changed."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """The id of the row that was added."""
        ...


class Direct(Protocol):
    """A connection as texts go to it, with values that the driver takes; errors are SQLAlchemy's, without the statement."""

    def ask(self, text: str, values: Values) -> Sequence[Values]:
        """All rows of a select."""
        ...

    def tell(self, text: str, values: Values) -> Told:
        """Change rows."""
        ...

    def tell_all(self, text: str, rows: Sequence[Values]) -> int:
        """Run one text for each of these; how many rows were changed."""
        ...


def direct(connection: Connection, *, is_file: bool) -> Direct:
    """The shortest way to the driver; `is_file`: the engine is one, and nobody listens to what it is asked."""
    if not is_file:
        return _ThroughSqlAlchemy(connection)
    return _ToAFile(connection, cursor_of(connection))


class _ThroughSqlAlchemy:
    """To a server: what listens for packets that are too large hears it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ask(self, text: str, values: Values) -> Sequence[Values]:
        return self._connection.exec_driver_sql(text, tuple(values)).fetchall()

    def tell(self, text: str, values: Values) -> Told:
        return self._connection.exec_driver_sql(text, tuple(values))

    def tell_all(self, text: str, rows: Sequence[Values]) -> int:
        return self._connection.exec_driver_sql(text, [tuple(row) for row in rows]).rowcount


class _ToAFile:
    """By the connection's own cursor: one of a transaction's own could be thrown away on another thread later.

    There it would reset the statement that it keeps, which somebody else may be running by then.
    """

    def __init__(self, connection: Connection, cursor: Any) -> None:
        self._connection = connection
        self._cursor = cursor
        self._error = connection.dialect.loaded_dbapi.Error

    def ask(self, text: str, values: Values) -> Sequence[Values]:
        self.tell(text, values)
        rows: Sequence[Values] = self._cursor.fetchall()
        return rows

    def tell(self, text: str, values: Values) -> Told:
        try:
            self._cursor.execute(text, values)
        except self._error as error:
            _raise(self._connection, error)
        told: Told = self._cursor
        return told

    def tell_all(self, text: str, rows: Sequence[Values]) -> int:
        try:
            self._cursor.executemany(text, rows)
        except self._error as error:
            _raise(self._connection, error)
        return int(self._cursor.rowcount)


def _raise(connection: Connection, error: Exception) -> NoReturn:
    """What the driver says is wrong, as SQLAlchemy would say it; the statement is left out."""
    dialect = connection.dialect
    raise DBAPIError.instance(None, None, error, dialect.loaded_dbapi.Error, dialect=dialect) from error

"""What the connection that writes to a file knows of its rows, from one transaction to the next."""

from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from sqlalchemy import Connection, Integer, Table

from wch.adapters.sql.types import UtcSeconds

R = TypeVar("R")

MOST_KEPT = 4_096
"""Rows of one table that are kept at most."""

_KEPT = "wch_kept"
"""The name under which a connection knows what is kept of its rows."""


class KeptRows(dict[str, Any]):
    """Rows of one table, by the column that they are asked for by, as the connection would read them at this moment."""

    def __init__(self, table: Table, by: str) -> None:
        super().__init__()
        self._by = by
        # Numbers and moments come back as they were given; a text may have been cleaned, JSON and amounts are made anew.
        self._exact = {column.name for column in table.c if isinstance(column.type, (Integer, UtcSeconds))}

    def among(self, keys: Iterable[str]) -> dict[str, Any]:
        """Those of these keys that are kept, with their rows."""
        return {key: self[key] for key in keys if key in self}

    def keep(self, rows: Iterable[Any]) -> None:
        """Keep what was read, and let go what was kept first when there is too much."""
        for row in rows:
            self[getattr(row, self._by)] = row
            if len(self) > MOST_KEPT:
                del self[next(iter(self))]

    def became(self, row: Any, changed: Collection[str]) -> None:
        """A row was written, changed in these columns: what is kept of it stays if it would be read so too."""
        key = getattr(row, self._by)
        if self._by in changed:
            # What was kept of it is so under a key that nobody knows any more.
            self.clear()
        elif key in self:
            if self._exact.issuperset(changed):
                self[key] = row
            else:
                del self[key]


class Kept:
    """Rows as this one connection would read them now, so that a transaction that writes need not ask for them.

    Only where the engine is a file, and the connection nobody else's: one connection writes at a time, and `PRAGMA
    data_version` tells whether another one has since (https://www.sqlite.org/pragma.html#pragma_data_version). What is
    written past a table's gateway empties that table; what is undone empties all.
    """

    def __init__(self) -> None:
        self._tables: dict[str, KeptRows] = {}
        self._version: int | None = None

    @classmethod
    def of(cls, connection: Connection) -> "Kept":
        """What this connection keeps, for as long as it is open."""
        info = connection.info
        known: Kept | None = info.get(_KEPT)
        if known is None:
            known = info[_KEPT] = cls()
        return known

    def begin(self, version: int) -> None:
        """A transaction that writes finds the file in this version."""
        if version != self._version:
            self.forget()
            self._version = version

    def rows(self, table: Table, by: str) -> KeptRows:
        """Those of this table, which are always asked for by this column."""
        known = self._tables.get(table.name)
        if known is None:
            known = self._tables[table.name] = KeptRows(table, by)
        return known

    def forget(self, table: str | None = None) -> None:
        """Keep nothing of a table, or of any."""
        for name, rows in self._tables.items():
            if table in {None, name}:
                rows.clear()


def past_what_is_kept(work: Callable[[Connection], R]) -> Callable[[Connection], R]:
    """A work that has the connection to itself: nobody knows what it writes."""

    def past(connection: Connection) -> R:
        try:
            return work(connection)
        finally:
            Kept.of(connection).forget()

    return past

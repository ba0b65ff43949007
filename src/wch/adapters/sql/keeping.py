"""What the connection that writes to a file knows of its rows, from one transaction to the next."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Integer, Table

from wch.adapters.sql.types import UtcSeconds

MOST_KEPT = 4_096
"""Rows of one table that are kept at most."""

_KEPT = "wch_kept"
"""The name under which a connection knows what is kept of its rows."""


class KeptRows(dict[str, Any]):
    """Rows of one table, by what they are asked for, as the connection would read them at this moment."""

    def __init__(self, table: Table) -> None:
        super().__init__()
        # Numbers and moments come back as they were given; a text may have been cleaned, JSON and amounts are made anew.
        self._exact = {column.name for column in table.c if isinstance(column.type, (Integer, UtcSeconds))}

    def keep(self, key: str, row: Any) -> None:
        """Keep what was read, and let go what was kept first when there is too much."""
        self[key] = row
        if len(self) > MOST_KEPT:
            del self[next(iter(self))]

    def became(self, key: str, row: Any, changed: Iterable[str]) -> None:
        """What is kept under this key was written, changed in these columns: it stays if it would be read so too."""
        if key in self:
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

    def rows(self, table: Table) -> KeptRows:
        """Those of this table."""
        known = self._tables.get(table.name)
        if known is None:
            known = self._tables[table.name] = KeptRows(table)
        return known

    def forget(self, table: str | None = None) -> None:
        """Keep nothing of a table, or of any."""
        for name, rows in self._tables.items():
            if table in {None, name}:
                rows.clear()

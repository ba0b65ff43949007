"""What one transaction changes in a table, gathered, and written with few statements."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from operator import itemgetter
from typing import Any

import attrs
from sqlalchemy import Dialect, Table

from wch.adapters.sql.direct import Direct
from wch.adapters.sql.statements import Statements, values_at
from wch.application.ports import Written
from wch.domain.errors import NotLockedError

Key = tuple[Any, ...]

PREFIX = len("new_")
"""What stands in the name of a statement's value before its column: `new_` or `key_`."""

_COMPARED = frozenset({str, int, bool, datetime, Decimal})
"""What is compared before it is written again; of two objects of JSON nobody knows whether they are written alike."""


class Changes:
    """New rows and changed ones of one table that nobody has asked for yet.

    Attributes:
        table: whose they are.
    """

    def __init__(self, statements: Statements, dialect: Dialect, direct: Direct) -> None:
        self.table: Table = statements.table
        self._key = statements.key
        self._key_of = statements.key_of
        self._spoken = statements.spoken(dialect)
        self._direct = direct
        self._known: dict[Key, Any] = {}
        self._changed: dict[Key, dict[str, Any]] = {}
        self._new: list[tuple[dict[str, Any], Written]] = []
        self._numbered: dict[Key, dict[str, Any]] = {}
        self._next = 0
        self._by = ""

    @property
    def are_waiting(self) -> bool:
        """Whether anything has to be written."""
        return bool(self._changed or self._new)

    def stands(self, row: Any) -> None:
        """This row is locked, and stands so in the table."""
        key = self._key_of(row)
        if key not in self._changed:
            self._known[key] = row

    def standing(self, key: Key) -> Any:
        """The row of this key with what waits to be written of it, None where it is not known."""
        return self._known.get(key)

    def save(self, row: Any) -> None:
        """Write of a locked row what is not as it was."""
        key = self._key_of(row)
        changed = self._spoken.written(differing(self._known.get(key), row, self._key))
        if changed:
            (self._numbered.get(key) or self._changed.setdefault(key, {})).update(changed)
        self._known[key] = row

    def add(self, row: Any, *, by: str) -> Written:
        """Write a new row, found again by this column."""
        values = values_of(row)
        del values["id"]
        written = Written()
        self._new.append((self._spoken.written(values), written))
        self._by = by
        return written

    def number(self, values: dict[str, Any]) -> int:
        """Write a new row of these values of the driver's under an id that is known now: whoever holds the whole file knows it.

        All new rows of the table are written so, or none.
        """
        if not self._next:
            self._next = self._next_id()
        written = Written(id=self._next)
        self._next += 1
        self._new.append((values, written))
        self._numbered[(written.id,)] = values
        return written.id

    def write(self) -> None:
        """Write all that waits.

        Raises:
            NotLockedError: a row that was locked is gone.
        """
        changed, self._changed = self._changed, {}
        new, self._new = self._new, []
        self._numbered, self._next = {}, 0
        alike: dict[tuple[str, ...], list[tuple[Key, dict[str, Any]]]] = {}
        for key, values in changed.items():
            alike.setdefault(tuple(values), []).append((key, values))
        for names, rows in alike.items():
            self._change(names, rows)
        if new:
            self._add(new)

    def _change(self, names: tuple[str, ...], rows: Sequence[tuple[Key, dict[str, Any]]]) -> None:
        spoken = self._spoken
        if spoken.asks_a_server and len(rows) > 1:
            sql = spoken.change_all(names, len(rows))
            values = [value for key, told in rows for value in (*key, *told.values())]
            changed = self._direct.tell(sql, values).rowcount
        else:
            sql, order = spoken.change(names)
            changed = self._direct.tell_all(sql, _ordered(order, self._key, rows))
        if changed != len(rows):
            raise NotLockedError(table=self.table.name)

    def _add(self, new: Sequence[tuple[dict[str, Any], Written]]) -> None:
        """Many rows at once. Whoever holds the whole file knows the next ids; else the rows are found by their key."""
        spoken, direct = self._spoken, self._direct
        names = tuple(new[0][0])
        if spoken.asks_a_server:
            asks = ("id", self._by)
            sql = spoken.add_all(names, len(new), tells=asks)
            values = [value for told, _ in new for value in told.values()]
            if spoken.tells_what_it_adds:
                rows = direct.ask(sql, values)
            else:
                direct.tell(sql, values)
                rows = direct.ask(*spoken.among(asks, self._by, [told[self._by] for told, _ in new]))
            found = {told: number for number, told in rows}
            for told, written in new:
                written.id = found[told[self._by]]
            return
        if not new[0][1].id:
            for number, (_, written) in enumerate(new, self._next_id()):
                written.id = number
        sql, order = spoken.add(("id", *names))
        direct.tell_all(sql, _ordered(order, ("id",), [((written.id,), told) for told, written in new]))

    def _next_id(self) -> int:
        return int(self._direct.ask(self._spoken.next_id, ())[0][0])


def _ordered(order: tuple[str, ...], names: Sequence[str], rows: Sequence[tuple[Key, dict[str, Any]]]) -> list[Key]:
    """The values of rows in the order of a statement that has a key and more."""
    in_order = _in_order(order)
    return [in_order({**told, **dict(zip(names, key, strict=True))}) for key, told in rows]


@cache
def _in_order(order: tuple[str, ...]) -> Callable[[dict[str, Any]], Key]:
    return itemgetter(*[name[PREFIX:] for name in order])


def differing(before: Any, after: Any, key: Sequence[str]) -> dict[str, Any]:
    """The values that are not as they were, all of them where nobody knows how they were; the key never changes."""
    names, values = _fields(after.__class__)
    if before is None:
        return {name: value for name, value in zip(names, values(after), strict=True) if name not in key}
    found = {}
    for name, was, value in zip(names, values(before), values(after), strict=True):
        if was is value or (was.__class__ is value.__class__ and value.__class__ in _COMPARED and was == value):
            continue
        if name not in key:
            found[name] = value
    return found


def values_of(row: Any) -> dict[str, Any]:
    """A row's values by the names of its fields."""
    names, values = _fields(row.__class__)
    return dict(zip(names, values(row), strict=True))


@cache
def _fields(row: Any) -> tuple[tuple[str, ...], Callable[[Any], Any]]:
    """The names of the fields of a class, and what reads all of them at once."""
    names = tuple(field.name for field in attrs.fields(row))
    return names, values_at(names)

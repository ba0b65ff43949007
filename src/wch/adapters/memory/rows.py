"""Rows in memory: one gateway that knows how a row is read, added and saved, and can take it all back."""

import json
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import islice
from operator import attrgetter
from sys import maxsize
from typing import Any, Generic, TypeVar

import attrs

from wch.domain.errors import DuplicateError, LeaseLostError, NotLockedError, ReadOnlyError, StoreMisusedError
from wch.domain.lease import Work
from wch.domain.widths import WIDTHS

T = TypeVar("T")
Key = Any

_UNFIT = re.compile("[\x00\ud800-\udfff]")
_AS_THEY_ARE = frozenset({int, bool, datetime, type(None)})
_CENT = Decimal("0.01")
_MOST = Decimal(100_000_000)

TEXT_KEEPS = 16_000
"""What a TEXT column keeps of words about an error; the end is cut."""


def first(limit: int, rows: Iterable[T]) -> list[T]:
    """The first so many."""
    return list(islice(rows, limit))


def _clean(value: Any) -> Any:
    """The value as every store can keep it: NUL and lone surrogates replaced, at any depth of JSON."""
    if isinstance(value, str):
        return value if value.isascii() and "\0" not in value else _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {_clean(name): _clean(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_clean(one) for one in value]
    return value


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    message = f"{type(value).__name__} is no JSON"
    raise StoreMisusedError(message)


_ENCODER = json.JSONEncoder(ensure_ascii=False, default=_plain)


def _json(value: object) -> Any:
    """The value as it comes back from its text, so that nobody holds a part of a stored row."""
    text = _ENCODER.encode(value)
    read = json.loads(text)
    # The text has a NUL escaped, and a surrogate as it is.
    return _clean(read) if "\\u0000" in text or (not text.isascii() and _UNFIT.search(text)) else read


def _as_stored(value: Any) -> Any:
    """The value as its column gives it back."""
    if isinstance(value, str):
        return _clean(value) if type(value) is str else value
    if isinstance(value, Decimal):
        rounded = value.quantize(_CENT, rounding=ROUND_HALF_UP)
        if abs(rounded) >= _MOST:
            raise StoreMisusedError(places="decimal(10,2)")
        return rounded
    if isinstance(value, Mapping):
        return _json(value)
    if isinstance(value, tuple):
        return tuple(_line(one) if attrs.has(type(one)) else _json(one) for one in value)
    return value


def _line(part: Any) -> Any:
    """A part of a row that is a value of its own: its amounts are exact, its texts and objects are JSON's."""
    changed = {}
    for field in attrs.fields(type(part)):
        value = getattr(part, field.name)
        if isinstance(value, (str, Mapping)):
            stored = _clean(value) if type(value) is str else _json(value)
            if stored is not value:
                changed[field.name] = stored
    return attrs.evolve(part, **changed) if changed else part


def _reader(names: Sequence[str]) -> Callable[[Any], Any]:
    return attrgetter(*names)


class Table(Generic[T]):
    """One table: rows by key, unique keys and indexes beside them.

    Args:
        row: what a row is.
        key: the columns of its primary key; a key that is `id` alone is given by the table.
        unique: further unique keys, by the name that a DuplicateError tells.
        indexes: the columns that rows are looked up by.
        widths: how many characters each column takes.
        cut: columns that keep the beginning of a longer text.
    """

    def __init__(
        self,
        row: type[T],
        *,
        key: Sequence[str] = ("id",),
        unique: Mapping[str, Sequence[str]] | None = None,
        indexes: Mapping[str, Sequence[str]] | None = None,
        widths: Mapping[str, int] | None = None,
        cut: Sequence[str] = (),
    ) -> None:
        self.row = row
        self.names = tuple(field.name for field in attrs.fields(row))  # type: ignore[arg-type]  # every row is an attrs class
        self.counted = tuple(key) == ("id",)
        self.rows: dict[Key, T] = {}
        self.next_id = 1
        self.widths = WIDTHS.get(row, {}) if widths is None else widths
        self.cut = frozenset(cut)
        self.room = {
            name: min(self.widths.get(name, maxsize), TEXT_KEEPS if name in self.cut else maxsize)
            for name in self.names
        }
        self.columns = {"key": tuple(key), **(unique or {}), **(indexes or {})}
        self.key = _reader(key)
        self.unique = {name: _reader(names) for name, names in (unique or {}).items()}
        self.taken: dict[str, dict[Hashable, Key]] = {name: {} for name in self.unique}
        self.indexes = {name: _reader(names) for name, names in (indexes or {}).items()}
        self.buckets: dict[str, dict[Hashable, dict[Key, None]]] = {name: {} for name in self.indexes}

    def asked(self, name: str, value: Any) -> Any:
        """A value that rows are looked up by, as it would be stored.

        Raises:
            StoreMisusedError: it is longer than its column.
        """
        columns = self.columns[name]
        if len(columns) == 1:
            return self.fitting(columns[0], value)
        return tuple([self.fitting(column, part) for column, part in zip(columns, value, strict=True)])

    def fitting(self, column: str, value: Any) -> Any:
        """The value as this column gives it back.

        Raises:
            StoreMisusedError: it is longer than its column.
        """
        kind = value.__class__
        if kind in _AS_THEY_ARE:
            return value
        if kind is str and len(value) <= self.room[column] and value.isascii() and "\0" not in value:
            return value
        stored = _as_stored(value)
        width = self.widths.get(column)
        if width is not None and isinstance(stored, str) and len(stored) > width:
            raise StoreMisusedError(column=column, width=width)
        return stored[:TEXT_KEEPS] if column in self.cut and isinstance(stored, str) else stored

    def put(self, row: T) -> None:
        """Write a row, new or not.

        Raises:
            DuplicateError: another row has one of its unique keys.
        """
        key = self.key(row)
        for name, of in self.unique.items():
            value = of(row)
            if value is not None and self.taken[name].get(value, key) != key:
                raise DuplicateError(key=name)
        before = self.rows.get(key)
        self.rows[key] = row
        for name, of in self.unique.items():
            value = of(row)
            if before is not None and of(before) != value:
                self.taken[name].pop(of(before), None)
            if value is not None:
                self.taken[name][value] = key
        for name, of in self.indexes.items():
            value = of(row)
            if before is not None:
                if of(before) == value:
                    continue
                self._leave(name, of(before), key)
            self.buckets[name].setdefault(value, {})[key] = None

    def drop(self, key: Key) -> None:
        """Take a row out, if it is there."""
        row = self.rows.pop(key, None)
        if row is None:
            return
        for name, of in self.unique.items():
            self.taken[name].pop(of(row), None)
        for name, of in self.indexes.items():
            self._leave(name, of(row), key)

    def _leave(self, name: str, value: Hashable, key: Key) -> None:
        bucket = self.buckets[name][value]
        del bucket[key]
        if not bucket:
            del self.buckets[name][value]


class Journal:
    """What one transaction has done, so that it can be taken back, and what it has locked."""

    def __init__(self, *, read_only: bool) -> None:
        self.read_only = read_only
        self.undo: list[Callable[[], None]] = []
        self.locked: set[tuple[int, Key]] = set()

    def roll_back(self) -> None:
        """Take everything back, the latest first."""
        while self.undo:
            self.undo.pop()()

    def must_write(self) -> None:
        """Refuse to write inside a read.

        Raises:
            ReadOnlyError: this is one.
        """
        if self.read_only:
            raise ReadOnlyError


class Rows(Generic[T]):
    """One table as one transaction sees it."""

    def __init__(self, table: Table[T], journal: Journal) -> None:
        self._table = table
        self._journal = journal

    def get(self, key: Key, *, lock: bool = False) -> T | None:
        """The row of this key; locked, it may be saved."""
        if lock:
            self._journal.must_write()
        asked = self._table.asked("key", key)
        row = self._table.rows.get(asked)
        if lock and row is not None:
            self._journal.locked.add((id(self._table), asked))
        return row

    def by(self, name: str, value: Hashable, *, lock: bool = False) -> T | None:
        """The row with this unique key."""
        if lock:
            self._journal.must_write()
        key = self._table.taken[name].get(self._table.asked(name, value))
        return None if key is None else self.get(key, lock=lock)

    def where(self, name: str, value: Hashable) -> list[T]:
        """The rows with this value in an index, by key."""
        bucket = self._table.buckets[name].get(self._table.asked(name, value), {})
        return [self._table.rows[key] for key in sorted(bucket)]

    def fitting(self, column: str, value: Any) -> Any:
        """A value to compare with, as this column would keep it."""
        return self._table.fitting(column, value)

    def all(self) -> Iterator[T]:
        """Every row, by key."""
        return (self._table.rows[key] for key in sorted(self._table.rows))

    def locked(self, rows: Sequence[T]) -> Sequence[T]:
        """These rows, locked."""
        self._journal.must_write()
        self._journal.locked.update((id(self._table), self._table.key(row)) for row in rows)
        return rows

    def holds(self, key: Key) -> bool:
        """Whether this transaction has locked the row of this key."""
        return (id(self._table), self._table.asked("key", key)) in self._journal.locked

    def add(self, row: T) -> T:
        """Write a new row; it counts as locked.

        Raises:
            DuplicateError: a unique key is taken.
            StoreMisusedError: a text is longer than its column.
        """
        self._journal.must_write()
        if self._table.counted:
            stored = self._fitting(row, id=self._table.next_id)
            self._table.next_id += 1
        else:
            stored = self._fitting(row)
        key = self._table.key(stored)
        if key in self._table.rows:
            raise DuplicateError(key="PRIMARY")
        self._table.put(stored)
        self._journal.undo.append(lambda: self._table.drop(key))
        self._journal.locked.add((id(self._table), key))
        return stored

    def save(self, row: T) -> None:
        """Write a row whole that this transaction has locked.

        Raises:
            NotLockedError: it has not.
            DuplicateError: another row has one of its unique keys.
            StoreMisusedError: a text is longer than its column.
        """
        self._journal.must_write()
        stored = self._fitting(row)
        self._write(self._held(self._table.key(stored)), stored)

    def replace(self, before: T, after: T) -> bool:
        """Write a row that still stands whole as `before` says, and count it as locked; whether it did.

        Raises:
            StoreMisusedError: a text is longer than its column.
        """
        self._journal.must_write()
        stood, stored = self._fitting(before), self._fitting(after)
        key = self._table.key(stood)
        if self._table.rows.get(key) != stood:
            return False
        self._write(stood, stored)
        self._journal.locked.add((id(self._table), key))
        return True

    def move(self, before: Work, after: Work, *, attempts: str, stamp: str, **more: Any) -> None:
        """Change a row that still stands as `before` says.

        Raises:
            LeaseLostError: it does not.
        """
        self._journal.must_write()
        row: Any = self._standing(before, attempts=attempts, stamp=stamp)
        word = type(row.status)(after.status)
        self._write(row, attrs.evolve(row, status=word, **{attempts: after.attempts, stamp: after.stamp}, **more))

    def finish(self, lease: Work, row: T, *, attempts: str, stamp: str) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: it does not.
        """
        self._journal.must_write()
        self._write(self._standing(lease, attempts=attempts, stamp=stamp), self._fitting(row))

    def remove(self, key: Key) -> None:
        """Delete a row that this transaction has locked.

        Raises:
            NotLockedError: it has not.
        """
        self._journal.must_write()
        self._drop(key, self._held(key))

    def forget(self, rows: Sequence[T]) -> int:
        """Delete these rows, locked or not; how many."""
        self._journal.must_write()
        for row in rows:
            self._drop(self._table.key(row), row)
        return len(rows)

    def _held(self, key: Key) -> T:
        row = self._table.rows.get(key)
        if row is None or (id(self._table), key) not in self._journal.locked:
            raise NotLockedError(table=self._table.row.__name__)
        return row

    def _standing(self, work: Work, *, attempts: str, stamp: str) -> T:
        row: Any = self._table.rows.get(work.id)
        if row is None or (row.status, getattr(row, attempts), getattr(row, stamp)) != (
            work.status,
            work.attempts,
            work.stamp,
        ):
            raise LeaseLostError(row=work.id)
        found: T = row
        return found

    def _write(self, before: T, after: T) -> None:
        self._table.put(after)
        self._journal.undo.append(lambda: self._table.put(before))

    def _drop(self, key: Key, row: T) -> None:
        self._table.drop(key)
        self._journal.undo.append(lambda: self._table.put(row))

    def _fitting(self, row: T, **changed: Any) -> T:
        fitting = self._table.fitting
        for name in self._table.names:
            value = getattr(row, name)
            if value.__class__ in _AS_THEY_ARE:
                continue
            stored = fitting(name, value)
            if stored is not value:
                changed[name] = stored
        return attrs.evolve(row, **changed) if changed else row  # type: ignore[misc]  # every row is an attrs class

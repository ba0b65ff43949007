"""Rows in memory: one gateway that knows how a row is read, added and saved, and can take it all back."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from wch.domain.errors import DuplicateError, LeaseLostError, NotLockedError, ReadOnlyError, StoreMisusedError
from wch.domain.lease import Work
from wch.domain.widths import WIDTHS

T = TypeVar("T")
Key = Any


def clean(value: Any) -> Any:
    """The value as a column gives it back: JSON as JSON has it, texts without NUL and lone surrogates."""
    if isinstance(value, str) and type(value) is str:
        return (
            value.replace("\x00", "\N{REPLACEMENT CHARACTER}")
            .encode("utf-16", "surrogatepass")
            .decode("utf-16", "replace")
        )
    if isinstance(value, Mapping):
        return {clean(str(name)): clean(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)) and not any(attrs.has(type(one)) for one in value):
        return type(value)(clean(one) for one in value) if isinstance(value, tuple) else [clean(one) for one in value]
    return value


def _as_stored(value: Any) -> Any:
    """JSON read back from its text, so that nobody holds a part of a stored row."""
    if isinstance(value, Mapping):
        return json.loads(json.dumps(clean(value)))
    if isinstance(value, tuple) and value and isinstance(value[0], Mapping):
        return tuple(json.loads(json.dumps(clean(list(value)))))
    return clean(value)


class Table(Generic[T]):
    """One table: rows by key, unique keys and indexes beside them."""

    def __init__(
        self,
        row: type[T],
        key: Callable[[T], Key],
        *,
        unique: Mapping[str, Callable[[T], Hashable | None]] | None = None,
        indexes: Mapping[str, Callable[[T], Hashable]] | None = None,
        counted: bool = True,
    ) -> None:
        self.row = row
        self.key = key
        self.counted = counted
        self.rows: dict[Key, T] = {}
        self.next_id = 1
        self.unique = dict(unique or {})
        self.taken: dict[str, dict[Hashable, Key]] = {name: {} for name in self.unique}
        self.indexes = dict(indexes or {})
        self.buckets: dict[str, dict[Hashable, dict[Key, None]]] = {name: {} for name in self.indexes}

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
        self.drop(key)
        self.rows[key] = row
        for name, of in self.unique.items():
            value = of(row)
            if value is not None:
                self.taken[name][value] = key
        for name, bucket_of in self.indexes.items():
            self.buckets[name].setdefault(bucket_of(row), {})[key] = None

    def drop(self, key: Key) -> None:
        """Take a row out, if it is there."""
        row = self.rows.pop(key, None)
        if row is None:
            return
        for name, of in self.unique.items():
            value = of(row)
            if value is not None:
                self.taken[name].pop(value, None)
        for name, bucket_of in self.indexes.items():
            bucket = self.buckets[name].get(bucket_of(row))
            if bucket is not None:
                bucket.pop(key, None)


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


class Rows(Generic[T]):
    """One table as one transaction sees it."""

    def __init__(self, table: Table[T], journal: Journal) -> None:
        self._table = table
        self._journal = journal

    def get(self, key: Key, *, lock: bool = False) -> T | None:
        """The row of this key; locking remembers it even before it is there."""
        if lock:
            self._writable()
            self._journal.locked.add((id(self._table), key))
        return self._table.rows.get(key)

    def by(self, name: str, value: Hashable, *, lock: bool = False) -> T | None:
        """The row with this unique key."""
        key = self._table.taken[name].get(value)
        return None if key is None else self.get(key, lock=lock)

    def where(self, name: str, value: Hashable) -> list[T]:
        """The rows in one bucket of an index, by key."""
        bucket = self._table.buckets[name].get(value, {})
        return [self._table.rows[key] for key in sorted(bucket)]

    def all(self) -> Iterable[T]:
        """Every row, by key."""
        return [self._table.rows[key] for key in sorted(self._table.rows)]

    def add(self, row: T) -> T:
        """Write a new row; it counts as locked.

        Raises:
            DuplicateError: a unique key is taken.
            StoreMisusedError: a text is longer than its column.
        """
        self._writable()
        stored = self._checked(row)
        if self._table.counted:
            given: dict[str, Any] = {"id": self._table.next_id}
            stored = attrs.evolve(stored, **given)  # type: ignore[misc]
            self._table.next_id += 1
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
        """
        self._writable()
        key = self._table.key(row)
        before = self._table.rows.get(key)
        if (id(self._table), key) not in self._journal.locked or before is None:
            raise NotLockedError(table=self._table.row.__name__)
        self._write(before, self._checked(row))

    def move(self, before: Work, after: Work, *, status: str, attempts: str, stamp: str, **more: Any) -> None:
        """Change a row that still stands as `before` says.

        Raises:
            LeaseLostError: it does not.
        """
        self._writable()
        row = self._matching(before, status=status, attempts=attempts, stamp=stamp)
        word = type(getattr(row, status))(after.status)
        changed: dict[str, Any] = {status: word, attempts: after.attempts, stamp: after.stamp, **more}
        self._write(row, attrs.evolve(row, **changed))  # type: ignore[misc]

    def finish(self, lease: Work, row: T, *, status: str, attempts: str, stamp: str) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: it does not.
        """
        self._writable()
        self._write(self._matching(lease, status=status, attempts=attempts, stamp=stamp), self._checked(row))

    def remove(self, key: Key) -> bool:
        """Delete a row; whether it was there."""
        self._writable()
        row = self._table.rows.get(key)
        if row is None:
            return False
        self._table.drop(key)
        self._journal.undo.append(lambda: self._table.put(row))
        return True

    def is_locked(self, key: Key) -> bool:
        """Whether this transaction holds the row."""
        return (id(self._table), key) in self._journal.locked

    def _matching(self, work: Work, *, status: str, attempts: str, stamp: str) -> T:
        row = self._table.rows.get(work.id)
        stands = row is not None and (getattr(row, status), getattr(row, attempts), getattr(row, stamp)) == (
            work.status,
            work.attempts,
            work.stamp,
        )
        if row is None or not stands:
            raise LeaseLostError(row=work.id)
        return row

    def _write(self, before: T, after: T) -> None:
        self._table.put(after)
        self._journal.undo.append(lambda: self._table.put(before))

    def _writable(self) -> None:
        if self._journal.read_only:
            raise ReadOnlyError

    def _checked(self, row: T) -> T:
        widths = WIDTHS.get(self._table.row, {})
        changed: dict[str, Any] = {}
        for field in attrs.fields(self._table.row):  # type: ignore[arg-type]
            value = getattr(row, field.name)
            stored = _as_stored(value)
            if stored is not value:
                changed[field.name] = stored
            width = widths.get(field.name)
            if width is not None and isinstance(stored, str) and len(stored) > width:
                raise StoreMisusedError(column=field.name, width=width)
        return attrs.evolve(row, **changed) if changed else row  # type: ignore[misc]

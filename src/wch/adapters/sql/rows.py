"""Rows of a table: one gateway that knows how a row is read, added and saved."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import Connection, Row, Select, Table, UniqueConstraint, and_, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.types import Broken, insert_or_leave
from wch.domain.errors import DuplicateError, LeaseLostError, NotLockedError, ReadOnlyError, UndecodableError
from wch.domain.lease import Work

T = TypeVar("T")

Condition = ColumnElement[bool]


class Session:
    """One transaction: its connection, whether it may write, and what it has locked."""

    def __init__(
        self,
        connection: Connection,
        *,
        read_only: bool,
        locks_rows: bool,
        duplicate_of: Callable[[IntegrityError], str | None],
    ) -> None:
        self.connection = connection
        self.read_only = read_only
        self.locks_rows = locks_rows
        self.duplicate_of = duplicate_of
        self.locked: set[tuple[str, Any]] = set()

    def must_write(self) -> None:
        """Refuse to write inside a read.

        Raises:
            ReadOnlyError: this is one.
        """
        if self.read_only:
            raise ReadOnlyError

    def locking(self, statement: Select[Any], *, skip: bool = False) -> Select[Any]:
        """The same select with a lock, where rows are what is locked."""
        self.must_write()
        return statement.with_for_update(skip_locked=skip) if self.locks_rows else statement


class Rows(Generic[T]):
    """One table as one transaction sees it."""

    def __init__(
        self, session: Session, table: Table, row: Callable[..., T], *, key: tuple[str, ...] = ("id",)
    ) -> None:
        self.session = session
        self.table = table
        self.key = key
        self._row = row
        self._all = select(table)

    # --- reading

    def get(self, *key: Any, lock: bool = False) -> T | None:
        """The row of this key; locked, it may be saved.

        Raises:
            UndecodableError: something in it cannot be read.
        """
        return self.one(self._is(key), lock=lock)

    def one(self, *where: Condition, lock: bool = False, skip: bool = False) -> T | None:
        """The one row that fits."""
        statement = self._all.where(*where)
        if lock:
            statement = self.session.locking(statement, skip=skip)
        found = self.session.connection.execute(statement).first()
        if found is None:
            return None
        if lock:
            self.session.locked.add(self._name(found._mapping))  # noqa: SLF001 - its public name for mappings
        return self.read(found)

    def many(
        self,
        *where: Condition,
        order: Sequence[Any] | None = None,
        limit: int | None = None,
        lock: bool = False,
        skip: bool = False,
    ) -> list[T]:
        """The rows that fit, by key unless said otherwise; a row that cannot be read is passed over."""
        by = order if order is not None else [self.table.c[name] for name in self.key]
        statement = self._all.where(*where).order_by(*by)
        if limit is not None:
            statement = statement.limit(limit)
        if lock:
            statement = self.session.locking(statement, skip=skip)
        rows = self.session.connection.execute(statement).all()
        found = []
        for row in rows:
            try:
                found.append(self.read(row))
            except UndecodableError:
                continue
            if lock:
                self.session.locked.add(self._name(row._mapping))  # noqa: SLF001
        return found

    def read(self, row: Row[Any]) -> T:
        """A row as the aggregate it is."""
        values = dict(row._mapping)  # noqa: SLF001
        for name, value in values.items():
            if isinstance(value, Broken):
                raise UndecodableError(table=self.table.name, column=name, row=values.get("id"))
        return self._row(**_without_absent(values))

    # --- writing

    def add(self, row: Any) -> Any:
        """Write a new row; it counts as locked. The row with its id.

        Raises:
            DuplicateError: a unique key is taken.
        """
        self.session.must_write()
        values = _values(row)
        if self.key == ("id",):
            values.pop("id")
        try:
            result = self.session.connection.execute(insert(self.table).values(**values))
        except IntegrityError as error:
            raise self._duplicate(error) from error
        stored = row
        if self.key == ("id",):
            stored = attrs.evolve(row, id=int(result.inserted_primary_key[0]))  # type: ignore[index]
        self.session.locked.add(self._name(_values(stored)))
        return stored

    def ensure(self, row: Any, *, unique: str) -> Any | None:
        """Make a row that may be there by now; None when it has to be read again, locked.

        `SELECT ... FOR UPDATE`, this, `SELECT ... FOR UPDATE` is the one order in which new
        rows are made by many at once without dead locks.
        """
        if not self.session.locks_rows:
            return self.add(row)
        self.session.must_write()
        values = _values(row)
        if self.key == ("id",):
            values.pop("id")
        self.session.connection.execute(insert_or_leave(self.table, values, unique))
        return None

    def save(self, row: Any) -> None:
        """Write a locked row whole.

        Raises:
            NotLockedError: this transaction has not locked it.
            DuplicateError: a unique key is taken.
        """
        self.session.must_write()
        values = _values(row)
        if self._name(values) not in self.session.locked:
            raise NotLockedError(table=self.table.name)
        changed = self._write(values, self._is([values[name] for name in self.key]))
        if changed != 1:
            raise NotLockedError(table=self.table.name)

    def move(self, before: Work, after: Work, *, attempts: str, stamp: str, **more: Any) -> None:
        """Change a row that still stands as `before` says, without reading its JSON.

        Raises:
            LeaseLostError: it does not.
        """
        self.session.must_write()
        values = {"status": after.status, attempts: after.attempts, stamp: after.stamp, **more}
        statement = update(self.table).where(self._stands(before, attempts, stamp)).values(**values)
        if self.session.connection.execute(statement).rowcount != 1:
            raise LeaseLostError(row=before.id)

    def finish(self, lease: Work, row: Any, *, attempts: str, stamp: str) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: it does not.
        """
        self.session.must_write()
        if self._write(_values(row), self._stands(lease, attempts, stamp)) != 1:
            raise LeaseLostError(row=lease.id)

    def remove(self, *where: Condition) -> int:
        """Delete the rows that fit; how many."""
        self.session.must_write()
        return self.session.connection.execute(delete(self.table).where(*where)).rowcount

    def holds(self, *key: Any) -> bool:
        """Whether this transaction has locked the row of this key."""
        return (self.table.name, tuple(key)) in self.session.locked

    def note_locked(self, *key: Any) -> None:
        """Remember a lock that was taken by a statement of its own."""
        self.session.locked.add((self.table.name, tuple(key)))

    # --- parts

    def _write(self, values: Mapping[str, Any], where: Condition) -> int:
        changed = {name: value for name, value in values.items() if name not in self.key}
        try:
            return self.session.connection.execute(update(self.table).where(where).values(**changed)).rowcount
        except IntegrityError as error:
            raise self._duplicate(error) from error

    def _stands(self, work: Work, attempts: str, stamp: str) -> Condition:
        columns = self.table.c
        at = columns[stamp].is_(None) if work.stamp is None else columns[stamp] == work.stamp
        return and_(columns.id == work.id, columns.status == work.status, columns[attempts] == work.attempts, at)

    def _is(self, key: Iterable[Any]) -> Condition:
        return and_(*(self.table.c[name] == value for name, value in zip(self.key, key, strict=True)))

    def _name(self, values: Mapping[str, Any]) -> tuple[str, Any]:
        return self.table.name, tuple(values[name] for name in self.key)

    def _duplicate(self, error: IntegrityError) -> Exception:
        """Only the duplicate-key error is one; anything else stays what it is."""
        told = self.session.duplicate_of(error)
        if told is None:
            return error
        for constraint in self.table.constraints:
            if not isinstance(constraint, UniqueConstraint):
                continue
            columns = {f"{self.table.name}.{column.name}" for column in constraint.columns}
            if told == constraint.name or set(told.split(", ")) == columns:
                return DuplicateError(key=constraint.info["documented"])
        return DuplicateError(key="PRIMARY")


_DOCUMENTS = frozenset({"content", "context", "preferences", "args", "metadata", "detail"})
_LISTS = frozenset({"items", "saved_addresses", "tags", "log"})


def _without_absent(values: dict[str, Any]) -> dict[str, Any]:
    """Columns that are NULL although the aggregate always has a value: an empty object or list."""
    for name, value in values.items():
        if value is None and name in _DOCUMENTS:
            values[name] = {"v": 1}
        elif value is None and name in _LISTS:
            values[name] = ()
    return values


def _values(row: Any) -> dict[str, Any]:
    return {field.name: getattr(row, field.name) for field in attrs.fields(type(row))}


def work_of(row: Any, attempts: str, stamp: str) -> Work:
    """A row of a light select as the work it is."""
    held: datetime | None = getattr(row, stamp)
    return Work(id=row.id, status=str(row.status), attempts=getattr(row, attempts), stamp=held)

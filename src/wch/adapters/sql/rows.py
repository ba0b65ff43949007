"""Rows of a table: one gateway that knows how a row is read, added and saved."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Generic, NoReturn, TypeVar

import attrs
from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
    Row,
    Select,
    Table,
    Update,
    UpdateBase,
    and_,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.types import Broken, Encoded, insert_or_leave, insert_or_replace
from wch.domain.errors import (
    DuplicateError,
    LeaseLostError,
    NotLockedError,
    ReadOnlyError,
    StoreMisusedError,
    StoreUnavailableError,
    UndecodableError,
    WchError,
)
from wch.domain.lease import Work

T = TypeVar("T")

Condition = ColumnElement[bool]

PAGE = 200
"""Rows that are looked at together, where one after another is looked at until there are enough."""


class Session:
    """One transaction: its connection, whether it may write, and what it has locked.

    Attributes:
        locks_rows: whether the engine locks rows; where it locks the whole file, nothing need be said.
        failed: an error after which this transaction must not be committed, whoever caught it.
        ahead: what was read before it was asked for, by table; whatever writes past the gateway empties it.
    """

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
        self.failed: BaseException | None = None
        self.ahead: dict[str, dict[Any, Any]] = {}
        self._later: dict[Table, tuple[Update, list[dict[str, Any]]]] = {}

    def execute(self, statement: Executable, values: Mapping[str, Any] | None = None) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement after everything that waits to be saved.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        self.flush()
        if isinstance(statement, UpdateBase):
            self.ahead.pop(str(statement.entity_description["name"]), None)
        return self.run(statement, values)

    def save_later(self, statement: Update, table: Table, values: dict[str, Any]) -> None:
        """Write these values with others of their table: before anything else is asked, at the latest on commit."""
        self._later.setdefault(table, (statement, []))[1].append(values)

    def flush(self) -> None:
        """Write what waits, one statement for each table.

        Raises:
            NotLockedError: a locked row is gone.
        """
        while self._later:
            table, (statement, rows) = self._later.popitem()
            if self.run(statement, rows).rowcount != len(rows):
                raise NotLockedError(table=table.name)

    def run(
        self, statement: Executable, values: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[*tuple[Any, ...]]:
        """Run a statement that does not look at what waits; a value that its column cannot keep is told as it is.

        Raises:
            StoreMisusedError: a value does not fit.
        """
        try:
            return self.connection.execute(statement, values)
        except IntegrityError:
            raise
        except DBAPIError as error:
            self.failed = error
            raise
        except StatementError as error:
            raise _told(error) from None
        except OverflowError:
            message = "A number is larger than any column takes."
            raise StoreMisusedError(message) from None

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


def _told(error: StatementError) -> WchError:
    """What our own column types said; the statement around it would show values."""
    return error.orig if isinstance(error.orig, WchError) else StoreMisusedError()


class _Statements:
    """What is asked of a table again and again, built once: building costs more than the engine's answer."""

    def __init__(self, table: Table, key: tuple[str, ...]) -> None:
        is_row = and_(*(table.c[name] == bindparam(f"key_{name}") for name in key))
        self.get = select(table).where(is_row)
        self.insert = insert(table)
        self.update = update(table)
        self.save = update(table).where(is_row)
        self.table = table
        self._by: dict[str, Select[Any]] = {}
        self.fits = {column.name: fit for column in table.c if (fit := getattr(column.type, "fit", None)) is not None}

    @classmethod
    def of(cls, table: Table, key: tuple[str, ...]) -> "_Statements":
        """The table's own; they live as long as it does."""
        known = table.info.get("statements")
        if not isinstance(known, cls):
            known = table.info["statements"] = cls(table, key)
        return known

    def by(self, column: str) -> Select[Any]:
        """The rows with one value in this column."""
        known = self._by.get(column)
        if known is None:
            known = self._by[column] = select(self.table).where(self.table.c[column] == bindparam("wanted"))
        return known

    def among(self, column: str) -> Select[Any]:
        """The rows with one of some values in this column, in their order."""
        known = self._by.get(f"{column}...")
        if known is None:
            wanted = self.table.c[column].in_(bindparam("wanted", expanding=True))
            known = self._by[f"{column}..."] = select(self.table).where(wanted).order_by(self.table.c[column])
        return known


class Rows(Generic[T]):
    """One table as one transaction sees it."""

    def __init__(
        self, session: Session, table: Table, row: Callable[..., T], *, key: tuple[str, ...] = ("id",)
    ) -> None:
        self.session = session
        self.table = table
        self.key = key
        self._row = row
        self._counted = key == ("id",)
        self._statements = _Statements.of(table, key)

    # --- reading

    def get(self, *key: Any, lock: bool = False) -> T | None:
        """The row of this key; locked, it may be saved.

        Raises:
            UndecodableError: something in it cannot be read.
        """
        return self._first(self._statements.get, self._keyed(key), lock=lock)

    def one(self, *where: Condition, lock: bool = False, skip: bool = False) -> T | None:
        """The one row that fits."""
        return self._first(select(self.table).where(*where), lock=lock, skip=skip)

    def by(self, column: str, value: Any, *, lock: bool = False, skip: bool = False) -> T | None:
        """The one row with this value in a column that tells rows apart."""
        return self._first(self._statements.by(column), {"wanted": value}, lock=lock, skip=skip)

    def among(self, column: str, values: Sequence[Any], *, lock: bool = False) -> list[T]:
        """The rows with one of these values in a column, in its order; one that cannot be read is passed over."""
        if not values:
            return []
        statement = self._statements.among(column)
        if lock:
            statement = self.session.locking(statement)
        found = list(self._readable(self.session.execute(statement, {"wanted": list(values)})))
        if lock:
            self.session.locked.update(self._name(_plain(row)) for row in found)
        return found

    def _first(
        self,
        statement: Select[*tuple[Any, ...]],
        values: Mapping[str, Any] | None = None,
        *,
        lock: bool,
        skip: bool = False,
    ) -> T | None:
        if lock:
            statement = self.session.locking(statement, skip=skip)
        found = self.session.execute(statement, values).first()
        if found is None:
            return None
        row = self._read(found)
        if lock:
            self.session.locked.add(self._name(found._mapping))  # noqa: SLF001 - its public name for mappings
        return row

    def many(
        self, *where: Condition, order: Sequence[ColumnElement[Any]] | None = None, limit: int | None = None
    ) -> list[T]:
        """The rows that fit, by key unless said otherwise.

        One that cannot be read is passed over, and does not count: it must never stop the others.
        """
        by = order if order is not None else [self.table.c[name] for name in self.key]
        statement = select(self.table).where(*where).order_by(*by)
        if limit is None:
            return list(self._readable(self.session.execute(statement).all()))
        found: list[T] = []
        offset = 0
        while len(found) < limit:
            wanted = limit - len(found)
            page = self.session.execute(statement.limit(wanted).offset(offset)).all()
            found += self._readable(page)
            offset += len(page)
            if len(page) < wanted:
                break
        return found

    def take(self, keys: Iterable[Any], *where: Condition, limit: int) -> list[T]:
        """Of the rows with these keys the first that are free and still fit, locked.

        The keys come from a select without locks, and a lock is asked for by primary key only:
        so no row is locked, or waited for, that will not be taken.
        """
        found: list[T] = []
        column = self.table.c[self.key[0]]
        ahead = iter(keys)
        while len(found) < limit:
            chosen = list(islice(ahead, limit - len(found)))
            if not chosen:
                break
            statement = self.session.locking(select(self.table).where(column.in_(chosen), *where), skip=True)
            free = {row._mapping[self.key[0]]: row for row in self.session.execute(statement)}  # noqa: SLF001 - see `_first`
            for key in chosen:
                row = next(self._readable([free[key]]), None) if key in free else None
                if row is not None:
                    self.note_locked(key)
                    found.append(row)
        return found

    def keys(self, *where: Condition, order: Sequence[ColumnElement[Any]]) -> Iterator[Any]:
        """The first column of the key of every row that fits, page by page."""
        statement = select(self.table.c[self.key[0]]).where(*where).order_by(*order).limit(PAGE)
        offset = 0
        while True:
            page = self.session.execute(statement.offset(offset)).scalars().all()
            yield from page
            if len(page) < PAGE:
                return
            offset += PAGE

    def _readable(self, rows: Iterable[Row[Any]]) -> Iterator[T]:
        for row in rows:
            try:
                yield self._read(row)
            except UndecodableError:
                continue

    def _read(self, row: Row[Any]) -> T:
        """A row as the aggregate it is."""
        values = dict(row._mapping)  # noqa: SLF001 - its public name for mappings
        for name, value in values.items():
            if isinstance(value, Broken):
                raise UndecodableError(table=self.table.name, column=name, row=values[self.key[0]])
            if value is None and name in _NEVER_ABSENT:
                values[name] = _NEVER_ABSENT[name]()
        try:
            return self._row(**values)
        except (TypeError, ValueError) as error:
            raise UndecodableError(table=self.table.name, row=values[self.key[0]]) from error

    # --- writing

    def add(self, row: T) -> T:
        """Write a new row; it counts as locked. The row as it is stored, with its id.

        Raises:
            DuplicateError: a unique key is taken.
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        values = self._fitting(row)
        if self._counted:
            values.pop("id")
        try:
            result = self.session.run(self._statements.insert, values)
        except IntegrityError as error:
            self._raise_duplicate(error)
        kept = {name: self._as_read(name, value) for name, value in values.items()}
        if self._counted:
            kept["id"] = int(_first_key(result))
        stored = self._row(**kept)
        self.session.locked.add(self._name(_plain(stored)))
        return stored

    def lock_or_add(self, row: T, *where: Condition, unique: str) -> T:
        """The row that fits, locked; made first if there is none.

        Select, insert or leave, select: the one order in which new rows are made by many at once
        without dead locks.

        Args:
            row: what is written if there is none.
            where: what the row is found by.
            unique: a column of the unique key by which an insert notices that it is there.
        """
        found = self.one(*where, lock=True)
        if found is None and not self.session.locks_rows:
            return self.add(row)
        if found is None:
            values = self._fitting(row)
            if self._counted:
                values.pop("id")
            self.session.execute(insert_or_leave(self.table, values, unique))
            found = self.one(*where, lock=True)
        if found is None:
            raise StoreUnavailableError
        return found

    def put(self, row: T) -> None:
        """Write a row whether it was there or not; it counts as locked."""
        self.session.must_write()
        name = self.session.connection.dialect.name
        self.session.execute(insert_or_replace(name, self.table, self._fitting(row), self.key[0]))
        self.session.locked.add(self._name(_plain(row)))

    def save(self, row: T) -> None:
        """Write a locked row whole.

        Raises:
            NotLockedError: this transaction has not locked it.
            DuplicateError: a unique key is taken.
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        values = self._fitting(row)
        key = [values[name] for name in self.key]
        if not self.holds(*key) or self._write(self._statements.save, {**values, **self._keyed(key)}) != 1:
            raise NotLockedError(table=self.table.name)

    def save_later(self, row: T) -> None:
        """As `save`, but written together with others: only for a table whose rows do not take each other's keys.

        Raises:
            NotLockedError: this transaction has not locked it.
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        values = self._fitting(row)
        key = [values.pop(name) for name in self.key]
        if not self.holds(*key):
            raise NotLockedError(table=self.table.name)
        self.session.save_later(self._statements.save, self.table, {**values, **self._keyed(key)})

    def move(self, before: Work, after: Work, *, attempts: str, stamp: str, **more: Any) -> None:
        """Change a row that still stands as `before` says, without reading its JSON.

        Raises:
            LeaseLostError: it does not.
        """
        self.session.must_write()
        values = {"status": after.status, attempts: after.attempts, stamp: after.stamp, **more}
        statement = update(self.table).where(self._stands(before, attempts, stamp)).values(**values)
        if self.session.execute(statement).rowcount != 1:
            raise LeaseLostError(row=before.id)

    def finish(self, lease: Work, row: T, *, attempts: str, stamp: str) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: it does not.
            DuplicateError: a unique key is taken.
        """
        self.session.must_write()
        stands = self._statements.update.where(self._stands(lease, attempts, stamp))
        if self._write(stands, self._fitting(row)) != 1:
            raise LeaseLostError(row=lease.id)

    def remove(self, *key: Any) -> None:
        """Delete a locked row.

        Raises:
            NotLockedError: this transaction has not locked it.
        """
        self.session.must_write()
        if not self.holds(*key):
            raise NotLockedError(table=self.table.name)
        self.forget(*(self.table.c[name] == value for name, value in zip(self.key, key, strict=True)))
        self.session.locked.discard((self.table.name, key))

    def forget(self, *where: Condition) -> int:
        """Delete the rows that fit, locked or not; how many."""
        self.session.must_write()
        return self.session.execute(delete(self.table).where(*where)).rowcount

    def holds(self, *key: Any) -> bool:
        """Whether this transaction has locked the row of this key."""
        return (self.table.name, key) in self.session.locked

    def note_locked(self, *key: Any) -> None:
        """Remember a lock that was taken by a statement of its own."""
        self.session.locked.add((self.table.name, key))

    # --- parts

    def _fitting(self, row: T) -> dict[str, Any]:
        """The row's values as their columns take them, refused before a statement is made of them."""
        values = _plain(row)
        for name, fit in self._statements.fits.items():
            values[name] = fit(values[name], name)
        return values

    def _as_read(self, name: str, value: Any) -> Any:
        if isinstance(value, Encoded):
            return self.table.c[name].type.process_result_value(value.text, None)  # type: ignore[attr-defined]  # Json
        return value

    def _write(self, statement: Update, values: Mapping[str, Any]) -> int:
        changed = {name: value for name, value in values.items() if name not in self.key}
        self.session.flush()
        try:
            return self.session.run(statement, changed).rowcount
        except IntegrityError as error:
            self._raise_duplicate(error)

    def _stands(self, work: Work, attempts: str, stamp: str) -> Condition:
        columns = self.table.c
        at = columns[stamp].is_(None) if work.stamp is None else columns[stamp] == work.stamp
        return and_(columns.id == work.id, columns.status == work.status, columns[attempts] == work.attempts, at)

    def _keyed(self, key: Iterable[Any]) -> dict[str, Any]:
        return {f"key_{name}": value for name, value in zip(self.key, key, strict=True)}

    def _name(self, values: Mapping[Any, Any]) -> tuple[str, Any]:
        return self.table.name, tuple(values[name] for name in self.key)

    def _raise_duplicate(self, error: IntegrityError) -> NoReturn:
        """Only a key that is taken is a duplicate; anything else stays what it is.

        The driver's error is not kept as the cause: it holds the key, and that a person's number.
        """
        told = self.session.duplicate_of(error)
        if told is None:
            self.session.failed = error
            raise error
        raise DuplicateError(key=_documented(self.table, told)) from None


def _documented(table: Table, told: str) -> str:
    """The key's documented name: engines tell either its name or its columns."""
    for constraint in table.constraints:
        name = constraint.info.get("documented")
        if name is None:
            continue
        columns = {f"{table.name}.{column.name}" for column in constraint.columns}  # type: ignore[attr-defined]  # unique
        if told == constraint.name or set(told.split(", ")) == columns:
            return str(name)
    return "PRIMARY"


# NULL in a column where the aggregate always has a value, as imported rows have it.
_NEVER_ABSENT: Mapping[str, Callable[[], Any]] = {
    **dict.fromkeys(("content", "context", "preferences", "args", "metadata", "detail", "value"), lambda: {"v": 1}),
    **dict.fromkeys(("items", "saved_addresses", "tags", "log"), tuple),
}


def _first_key(result: CursorResult[*tuple[Any, ...]]) -> int:
    made = result.inserted_primary_key
    if made is None:
        raise StoreMisusedError
    return int(made[0])


def _plain(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in _names(type(row))}  # type: ignore[arg-type]  # a class is hashable, whatever mypy makes of Any


@cache
def _names(row: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(row))


def work_of(row: Any, attempts: str, stamp: str) -> Work:
    """A row of a light select as the work it is."""
    return Work(id=row.id, status=str(row.status), attempts=getattr(row, attempts), stamp=getattr(row, stamp))

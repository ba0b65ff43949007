"""Reading rows of a table: whole, by keys, page by page, locked or not."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

from sqlalchemy import Integer, Row, Select, Table, bindparam, select
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.decoding import NEVER_ABSENT
from wch.adapters.sql.json_text import clean
from wch.adapters.sql.made_once import made_once
from wch.adapters.sql.saving import Changes
from wch.adapters.sql.session import Session
from wch.adapters.sql.statements import MOST_ASKED, Statements
from wch.adapters.sql.types import Broken
from wch.domain.errors import UndecodableError
from wch.domain.lease import Work

T = TypeVar("T")

Condition = ColumnElement[bool]

MOST, PAST = bindparam("most", type_=Integer), bindparam("past", type_=Integer)

PAGE = 200
"""Rows that are looked at together, where one after another is looked at until there are enough."""


class Reading(Generic[T]):
    """One table as one transaction reads and locks it."""

    def __init__(
        self,
        session: Session,
        table: Table,
        row: Callable[..., T],
        *,
        key: tuple[str, ...] = ("id",),
        saves_later: bool = False,
    ) -> None:
        self.session = session
        self.table = table
        self.key = key
        self._row = row
        self._statements = Statements.of(table, key)
        self._spoken = self._statements.spoken(session.connection.dialect)
        self._decoded: Callable[[Sequence[Any]], T] = self._spoken.decoder(row).read
        self._saves_later = saves_later
        self._locked = session.locked[table.name]

    def get(self, *key: Any, lock: bool = False) -> T | None:
        """The row of this key; locked, it may be saved.

        Raises:
            UndecodableError: something in it cannot be read.
        """
        return self.find(self.key, key, lock=lock)

    def by(self, column: str, value: Any, *, lock: bool = False, skip: bool = False) -> T | None:
        """The one row with this value in a column that tells rows apart."""
        return self.find((column,), (value,), lock=lock, skip=skip)

    def among(self, column: str, values: Sequence[Any], *, lock: bool = False) -> list[T]:
        """The rows with one of these values in a column, in its order; one that cannot be read is passed over."""
        if not values:
            return []
        if lock:
            self.session.must_write()
        rows = self.raw_among((), column, values, lock=lock)
        return self.read_held(rows) if lock else list(self._readable_texts(rows))

    def raw_among(
        self, columns: Sequence[str], by: str, values: Sequence[Any], *, lock: bool = False
    ) -> Iterator[Sequence[Any]]:
        """The rows with one of these values in one column, in its order, as the driver gives them: some columns or all."""
        session = self.session
        session.flush(self.table)
        spoken = self._spoken
        for start in range(0, len(values), MOST_ASKED):
            part = values[start : start + MOST_ASKED]
            yield from session.ask(*spoken.among(columns, by, part, lock=lock and session.locks_rows))

    def look(self, column: str, values: Iterable[Any]) -> dict[Any, T | None]:
        """For each value the row that has it in this column, None where there is none; unlocked.

        What cannot be read is left out: whoever asks for that row by itself hears of it.
        """
        wanted = {clean(value): value for value in values}
        found: dict[Any, T | None] = dict.fromkeys(wanted.values())
        (place,) = self.places(column)
        for raw in self.raw_among((), column, sorted(wanted)):
            value = wanted[raw[place]]
            try:
                found[value] = self._decoded(raw)
            except UndecodableError:
                del found[value]
        return found

    def places(self, *columns: str) -> list[int]:
        """Where these columns stand in a whole row as the driver gives it."""
        return [self._statements.names.index(name) for name in columns]

    def value(self, column: str, raw: Any) -> Any:
        """What the driver gives for this column as the value that it is; whatever is wrong with it is raised."""
        read = self._spoken.readers[column]
        return raw if read is None else read(raw)

    def read_held(self, rows: Iterable[Sequence[Any]]) -> list[T]:
        """Raw rows as what they are, locked; one that cannot be read is passed over."""
        found = list(self._readable_texts(rows))
        self.hold(found)
        return found

    def hold(self, rows: Sequence[T]) -> None:
        """Count rows as locked that were read in this transaction, where it holds the whole file."""
        self.session.must_write()
        keys = [self._statements.key_of(row) for row in rows]
        self._locked.update(keys)
        if self._saves_later:
            self._later.stand(zip(keys, rows, strict=True))

    def find(
        self, columns: tuple[str, ...], values: Sequence[Any], *, lock: bool = False, skip: bool = False
    ) -> T | None:
        """The one row with these values in columns that tell rows apart."""
        session, spoken = self.session, self._spoken
        if lock:
            session.must_write()
        asked = spoken.asked(columns, values)
        session.flush(self.table)
        text = spoken.row_by(columns, lock=lock and session.locks_rows, skip=skip)
        found = session.ask(text, asked)
        if not found:
            return None
        row = self._decoded(found[0])
        if lock:
            self.hold([row])
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

    def always(
        self, name: str, build: Callable[[], Select[Any]], *, limit: int | None = None, **values: Any
    ) -> list[T]:
        """The rows of a select that is always the same, of this name; one that cannot be read does not count.

        Args:
            name: tells it from the others of this table.
            build: makes it, once; with a limit it ends with `limit(MOST).offset(PAST)`.
            limit: how many at most.
            values: by the columns that they are compared with, as the select's own parameters are named.
        """
        self.session.flush(self.table)
        spoken = self._spoken
        text, order = spoken.select(name, build)
        found: list[T] = []
        past = 0
        while True:
            wanted = None if limit is None else limit - len(found)
            told = {**values, "most": wanted, "past": past}
            page = self.session.ask(text, spoken.asked(order, [told[one] for one in order]))
            found += self._readable_texts(page)
            past += len(page)
            if wanted is None or len(page) < wanted or len(found) == limit:
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

    def held(self, *key: Any) -> T | None:
        """The row of this key as this transaction will leave it, if it has locked it and writes it later."""
        if not self._saves_later or not self.holds(*key):
            return None
        held: T | None = self._later.standing(key)
        return held

    def holds(self, *key: Any) -> bool:
        """Whether this transaction has locked the row of this key."""
        return key in self._locked

    def note_locked(self, *key: Any) -> None:
        """Remember a lock that was taken by a statement of its own."""
        self._locked.add(key)

    # --- parts

    @made_once
    def _later(self) -> Changes:
        """What waits to be written to this table."""
        return self.session.later(self._spoken)

    def _readable_texts(self, rows: Iterable[Sequence[Any]]) -> Iterator[T]:
        for raw in rows:
            try:
                yield self._decoded(raw)
            except UndecodableError:
                continue

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
            if value is None and name in NEVER_ABSENT:
                values[name] = NEVER_ABSENT[name]()
        try:
            return self._row(**values)
        except (TypeError, ValueError) as error:
            raise UndecodableError(table=self.table.name, row=values[self.key[0]]) from error


def work_of(row: Any, attempts: str, stamp: str) -> Work:
    """A row of a light select as the work it is."""
    return Work(id=row.id, status=str(row.status), attempts=getattr(row, attempts), stamp=getattr(row, stamp))


def plain_part(words: str) -> str:
    """The longest part that every store compares alike, and JSON spells as it is said; the rest is compared here."""
    return max(re.findall("[a-z0-9]+", words), key=len, default="")

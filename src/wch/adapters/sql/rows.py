"""Rows of a table: one gateway that knows how a row is read, added and saved."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.reading import Condition, Reading, work_of
from wch.adapters.sql.session import raise_duplicate
from wch.adapters.sql.statements import Text
from wch.adapters.sql.types import insert_or_replace
from wch.application.ports import Written
from wch.domain.errors import LeaseLostError, NotLockedError, StoreUnavailableError
from wch.domain.lease import Work

T = TypeVar("T")


class Rows(Reading[T]):
    """One table as one transaction sees it: what `Reading` finds, and what becomes of it."""

    def add(self, row: T) -> T:
        """Write a new row; it counts as locked. The row as it is stored, with its id.

        Raises:
            DuplicateError: a unique key is taken.
            StoreMisusedError: a value does not fit into its column.
        """
        session, spoken = self.session, self._spoken
        session.must_write()
        values = spoken.whole(row)
        if self._saves_later and not session.locks_rows:
            # Nobody else writes to the file, so its id is known, and it is written together with others.
            session.checked(self._later.number, values)
            return self._stored(values)
        try:
            made = session.tell(spoken.add_all(self._statements.given), self._given(values))
        except IntegrityError as error:
            raise_duplicate(session, self.table, error)
        if self._statements.are_numbered:
            values[0] = made.lastrowid
        return self._stored(values)

    def _given(self, values: list[Any]) -> list[Any]:
        """A new row's values without its number, where rows have numbers."""
        return values[1:] if self._statements.are_numbered else values

    def _stored(self, values: Sequence[Any]) -> T:
        """The row of these values of the driver's, locked."""
        stored = self._decoded(values)
        self.hold([stored])
        return stored

    def add_later(self, row: T, *, by: str) -> Written:
        """Write a new row together with others; a key that is taken is told when they are written.

        Args:
            row: with nothing in its `id`.
            by: the column of a unique key, by which it is found again.

        Raises:
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        return self._later.add(row, by=by)

    def lock_or_add(self, row: T, *columns: str, unique: str) -> T:
        """The row that has the same values in these columns, locked; made first if there is none.

        Select, insert or leave, select: the one order in which new rows are made by many at once
        without dead locks.

        Args:
            row: what is written if there is none.
            columns: a unique key.
            unique: a column that an insert may set to itself, by which it notices that the row is there.
        """
        key = [getattr(row, name) for name in columns]
        found = self.find(columns, key, lock=True)
        if found is None and not self.session.locks_rows:
            return self.add(row)
        if found is None:
            self.add_or_leave([row], unique=unique)
            found = self.find(columns, key, lock=True)
        if found is None:
            raise StoreUnavailableError
        return found

    def add_all(self, rows: Sequence[T], *, unique: str) -> list[T]:
        """New rows, locked; one that somebody else has made meanwhile is theirs.

        Args:
            rows: none of which was there when it was looked for, in the order in which they are locked.
            unique: the column of a unique key by which they are found.
        """
        if not rows:
            return []
        if not self.session.locks_rows:
            return [self.add(row) for row in rows]
        self.add_or_leave(rows, unique=unique)
        return self.among(unique, [getattr(row, unique) for row in rows], lock=True)

    def add_or_leave(self, rows: Sequence[T], *, unique: str) -> None:
        """New rows whose ids nobody asks for, as `add_all` writes them."""
        spoken, session = self._spoken, self.session
        session.must_write()
        written = [spoken.whole(row) for row in rows]
        if not session.locks_rows:
            for told in written:
                self._later.number(told)
            return
        sql = spoken.add_all(self._statements.given, len(rows), leave=unique)
        session.tell(sql, [value for told in written for value in self._given(told)])

    def put(self, row: T) -> None:
        """Write a row whether it was there or not; it counts as locked."""
        self.session.must_write()
        name = self.session.connection.dialect.name
        self.session.execute(insert_or_replace(name, self.table, self._fitting(row), self.key[0]))
        self.hold([row])

    def save(self, row: T) -> None:
        """Write a locked row whole.

        Raises:
            NotLockedError: this transaction has not locked it.
            DuplicateError: a unique key is taken.
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        statements, spoken = self._statements, self._spoken
        values = statements.by_key(spoken.whole(row))
        is_held = self._stored_key(row) in self._locked
        if not is_held or self._write(spoken.change(statements.others), values) != 1:
            raise NotLockedError(table=self.table.name)

    def replace(self, before: T, after: T) -> bool:
        """Write what a row has become, if it still stands whole as it was, letter by letter; whether it did.

        Then it counts as locked. A row with NULL where `before` has nothing never stands so.

        Raises:
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        spoken, names = self._spoken, self._statements.names
        # Whoever carries a row on writes over what they wrote last: it need not become a text again.
        stood = spoken.remembered(before) or dict(zip(names, spoken.whole(before), strict=True))
        changed = spoken.changed(before, after) or spoken.changed(None, after)
        text = spoken.fenced(tuple(changed), names, first=False)
        if self._write(text[0], _in_order(text, changed, stood)) != 1:
            return False
        spoken.remember(after, {**stood, **changed})
        self.hold([after])
        return True

    def count(self, row: T, column: str) -> None:
        """Write a new row, or add what it has in this column to the row of its key; what that row was is not told.

        Raises:
            StoreMisusedError: a value does not fit into its column.
        """
        session, spoken = self.session, self._spoken
        session.must_write()
        values = spoken.whole(row)
        session.flush(self.table)
        session.tell(spoken.counting(column), values)

    def save_later(self, row: T) -> Mapping[str, Any]:
        """As `save`, but written together with others: only for a table whose rows do not take each other's keys.

        What is as it was when the row was locked is not written again; what is written is told, as the driver takes it.

        Raises:
            NotLockedError: this transaction has not locked it.
            StoreMisusedError: a value does not fit into its column.
        """
        key = self._statements.key_of(row)
        if key not in self._locked:
            self.session.must_write()
            self._spoken.whole(row)  # of two things wrong at once, the one that `save` tells
            raise NotLockedError(table=self.table.name)
        return self._later.save(key, row)

    def move(
        self,
        before: Work,
        after: Work,
        *,
        attempts: str,
        stamp: str,
        also: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> None:
        """Change a row that still stands as `before` says, without reading its JSON; `also` as of `Spoken.fenced`.

        Raises:
            LeaseLostError: it does not.
        """
        self.session.must_write()
        values = self._spoken.written({"status": after.status, attempts: after.attempts, stamp: after.stamp})
        if self._fenced(before, values, attempts, stamp, also) != 1:
            raise LeaseLostError(row=before.id)
        self.session.moved(self.table.name)

    def finish(self, lease: Work, row: T, *, attempts: str, stamp: str) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: it does not.
            DuplicateError: a unique key is taken.
        """
        self.session.must_write()
        held = self.held(lease.id)
        if held is not None:
            # It is locked and known: the fence is compared here, and the row written with the others.
            if work_of(held, attempts, stamp) != lease:
                raise LeaseLostError(row=lease.id)
            self.save_later(row)
            return
        values = dict(zip(self._statements.names, self._spoken.whole(row), strict=True))
        del values["id"]
        if self._fenced(lease, values, attempts, stamp) != 1:
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
        self._locked.discard(key)

    def forget(self, *where: Condition) -> int:
        """Delete the rows that fit, locked or not; how many."""
        self.session.must_write()
        return self.session.execute(delete(self.table).where(*where)).rowcount

    # --- parts

    def _fitting(self, row: T) -> dict[str, Any]:
        """The row's values as their columns take them, refused before a statement is made of them."""
        values = {name: getattr(row, name) for name in self._statements.names}
        for name, fit in self._statements.fits.items():
            values[name] = fit(values[name], name)
        return values

    def _stored_key(self, row: T) -> tuple[Any, ...]:
        """The row's key as the engine gives it back."""
        fits = self._statements.fits
        return tuple(
            [fits[name](getattr(row, name), name) if name in fits else getattr(row, name) for name in self.key]
        )

    def _fenced(
        self,
        work: Work,
        values: Mapping[str, Any],
        attempts: str,
        stamp: str,
        also: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> int:
        """How many rows still stood so, and were changed."""
        fence = self._spoken.written({"id": work.id, "status": work.status, attempts: work.attempts})
        first = work.stamp is None
        if not first:
            fence |= self._spoken.written({stamp: work.stamp})
        text = self._spoken.fenced(tuple(values), ("id", "status", attempts, stamp), first=first, also=also)
        return self._write(text[0], _in_order(text, values, fence))

    def _write(self, text: str, values: Sequence[Any]) -> int:
        """How many rows were changed, after everything that waits to be saved."""
        self.session.flush()
        try:
            changed: int = self.session.tell(text, values).rowcount
        except IntegrityError as error:
            raise_duplicate(self.session, self.table, error)
        return changed


def _in_order(text: Text, values: Mapping[str, Any], found_by: Mapping[str, Any]) -> list[Any]:
    """What a row becomes, and what it is found by, as a text asks for them."""
    return [found_by[name] if is_found_by else values[name] for name, is_found_by in _places(text[1])]


@cache
def _places(order: tuple[str, ...]) -> tuple[tuple[str, bool], ...]:
    """The columns that a text asks for, and of each whether the row is found by it."""
    return tuple((name.removeprefix("key_").removeprefix("new_"), name.startswith("key_")) for name in order)

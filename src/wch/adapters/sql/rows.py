"""Rows of a table: one gateway that knows how a row is read, added and saved."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.elements import ColumnElement

from wch.adapters.sql.reading import Condition, Reading, work_of
from wch.adapters.sql.saving import PREFIX, differing, values_of
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
        session, spoken = self.session, self._spoken()
        session.must_write()
        values = spoken.written(self._new(row))
        if self._saves_later and not session.locks_rows:
            # Nobody else writes to the file, so its id is known, and it is written together with others.
            number = session.checked(lambda: session.later(self._statements).number(values))
            return self._stored({**values, "id": number})
        text, order = spoken.add(tuple(values))
        try:
            made = session.tell(text, _in_order(order, values))
        except IntegrityError as error:
            raise_duplicate(session, self.table, error)
        return self._stored({**values, "id": made.lastrowid} if self._counted else values)

    def _new(self, row: T) -> dict[str, Any]:
        """A new row's values by column; the engine numbers it, where rows have numbers."""
        values = values_of(row)
        if self._counted:
            del values["id"]
        return values

    def _stored(self, values: Mapping[str, Any]) -> T:
        """The row of these values of the driver's, locked."""
        stored = self._read_texts([values[name] for name in self._statements.names])
        self._note_locked(stored)
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
        return self.session.later(self._statements).add(row, by=by)

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
        spoken, session = self._spoken(), self.session
        session.must_write()
        written = [spoken.written(self._new(row)) for row in rows]
        if not session.locks_rows:
            for told in written:
                session.later(self._statements).number(told)
            return
        sql = spoken.add_all(tuple(written[0]), len(rows), leave=unique)
        values = tuple(value for told in written for value in told.values())
        session.tell(sql, values)

    def put(self, row: T) -> None:
        """Write a row whether it was there or not; it counts as locked."""
        self.session.must_write()
        name = self.session.connection.dialect.name
        self.session.execute(insert_or_replace(name, self.table, self._fitting(row), self.key[0]))
        self._note_locked(row)

    def save(self, row: T) -> None:
        """Write a locked row whole.

        Raises:
            NotLockedError: this transaction has not locked it.
            DuplicateError: a unique key is taken.
            StoreMisusedError: a value does not fit into its column.
        """
        session, spoken = self.session, self._spoken()
        session.must_write()
        values = spoken.written(values_of(row))
        key = {name: values.pop(name) for name in self.key}
        if not self.holds(*self._key_of(row)) or self._write(spoken.change(tuple(values)), values, key) != 1:
            raise NotLockedError(table=self.table.name)

    def replace(self, before: T, after: T) -> bool:
        """Write what a row has become, if it still stands whole as it was, letter by letter; whether it did.

        Then it counts as locked. A row with NULL where `before` has nothing never stands so.

        Raises:
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        spoken = self._spoken()
        stood = spoken.written(values_of(before))
        changed = spoken.written(differing(before, after, self.key) or differing(None, after, self.key))
        if self._write(spoken.fenced(tuple(changed), tuple(stood), first=False), changed, stood) != 1:
            return False
        self._note_locked(after)
        return True

    def count(self, row: T, column: str) -> None:
        """Write a new row, or add what it has in this column to the row of its key; what that row was is not told.

        Raises:
            StoreMisusedError: a value does not fit into its column.
        """
        session, spoken = self.session, self._spoken()
        session.must_write()
        values = spoken.written(values_of(row))
        session.flush(self.table)
        session.tell(spoken.counting(column), list(values.values()))

    def save_later(self, row: T) -> None:
        """As `save`, but written together with others: only for a table whose rows do not take each other's keys.

        What is as it was when the row was locked is not written again.

        Raises:
            NotLockedError: this transaction has not locked it.
            StoreMisusedError: a value does not fit into its column.
        """
        self.session.must_write()
        if self._name_of(row) not in self.session.locked:
            self._fitting(row)  # of two things wrong at once, the one that `save` tells
            raise NotLockedError(table=self.table.name)
        self.session.later(self._statements).save(row)

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
        values = self._spoken().written({"status": after.status, attempts: after.attempts, stamp: after.stamp})
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
        values = self._spoken().written(values_of(row))
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
        self.session.locked.discard((self.table.name, key))

    def forget(self, *where: Condition) -> int:
        """Delete the rows that fit, locked or not; how many."""
        self.session.must_write()
        return self.session.execute(delete(self.table).where(*where)).rowcount

    # --- parts

    def _fitting(self, row: T) -> dict[str, Any]:
        """The row's values as their columns take them, refused before a statement is made of them."""
        values = values_of(row)
        for name, fit in self._statements.fits.items():
            values[name] = fit(values[name], name)
        return values

    def _fenced(
        self,
        work: Work,
        values: Mapping[str, Any],
        attempts: str,
        stamp: str,
        also: Mapping[str, ColumnElement[Any]] | None = None,
    ) -> int:
        """How many rows still stood so, and were changed."""
        fence = self._spoken().written({"id": work.id, "status": work.status, attempts: work.attempts})
        first = work.stamp is None
        if not first:
            fence |= self._spoken().written({stamp: work.stamp})
        text = self._spoken().fenced(tuple(values), ("id", "status", attempts, stamp), first=first, also=also)
        return self._write(text, values, fence)

    def _write(self, text: Text, values: Mapping[str, Any], found_by: Mapping[str, Any]) -> int:
        """How many rows were changed, after everything that waits to be saved."""
        self.session.flush()
        try:
            changed: int = self.session.tell(text[0], _in_order(text[1], values, found_by)).rowcount
        except IntegrityError as error:
            raise_duplicate(self.session, self.table, error)
        return changed


def _in_order(order: Sequence[str], values: Mapping[str, Any], found_by: Mapping[str, Any] | None = None) -> list[Any]:
    """What a row becomes, and what it is found by, as a text asks for them."""
    known = found_by or {}
    return [known[name[PREFIX:]] if name.startswith("key_") else values[name[PREFIX:]] for name in order]

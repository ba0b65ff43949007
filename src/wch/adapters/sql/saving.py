"""What one transaction changes in a table, gathered, and written with few statements."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Table

from wch.adapters.sql.direct import Direct
from wch.adapters.sql.statements import Spoken
from wch.application.ports import Written
from wch.domain.errors import NotLockedError

Key = tuple[Any, ...]

New = tuple[list[Any], Written]
"""All values of a new row in the order of the columns, as the driver takes them, and who hears its id."""


class Changes:
    """New rows and changed ones of one table that nobody has asked for yet.

    Attributes:
        table: whose they are.
    """

    def __init__(self, spoken: Spoken, direct: Direct) -> None:
        self.table: Table = spoken.table
        self._spoken = spoken
        self._direct = direct
        self._known: dict[Key, Any] = {}
        self._changed: dict[Key, dict[str, Any]] = {}
        self._new: list[New] = []
        self._numbered: dict[Key, list[Any]] = {}
        self._next = 0
        self._by = ""

    @property
    def are_waiting(self) -> bool:
        """Whether anything has to be written."""
        return bool(self._changed or self._new)

    def stand(self, rows: Iterable[tuple[Key, Any]]) -> None:
        """These rows are locked, and stand so in the table."""
        if self._changed:
            rows = [(key, row) for key, row in rows if key not in self._changed]
        self._known.update(rows)

    def forget(self) -> None:
        """How rows stand in the table is not known any more."""
        self._known.clear()

    def standing(self, key: Key) -> Any:
        """The row of this key with what waits to be written of it, None where it is not known."""
        return self._known.get(key)

    def save(self, key: Key, row: Any) -> Mapping[str, Any]:
        """Write of the locked row of this key what is not as it was, and tell it, as the driver takes it."""
        changed = self._spoken.changed(self._known.get(key), row)
        if changed and key in self._numbered:
            new = self._numbered[key]
            for name, value in changed.items():
                new[self._spoken.statements.names.index(name)] = value
        elif changed:
            self._changed[key] = {**self._changed[key], **changed} if key in self._changed else changed
        self._known[key] = row
        return changed

    def add(self, row: Any, *, by: str) -> Written:
        """Write a new row, found again by this column."""
        written = Written()
        self._new.append((self._spoken.whole(row), written))
        self._by = by
        return written

    def number(self, values: list[Any]) -> None:
        """Write a new row of these values under an id that is known now, and put there: whoever holds the whole file knows it.

        All new rows of the table are written so, or none.
        """
        if not self._next:
            self._next = int(self._direct.ask(self._spoken.next_id, ())[0][0])
        values[0] = self._next
        self._next += 1
        self._new.append((values, Written(id=values[0])))
        self._numbered[(values[0],)] = values

    def write(self) -> None:
        """Write all that waits.

        Raises:
            NotLockedError: a row that was locked is gone.
        """
        changed, self._changed = self._changed, {}
        new, self._new = self._new, []
        self._numbered, self._next = {}, 0
        alike: dict[tuple[str, ...], list[Key]] = {}
        for key, values in changed.items():
            alike.setdefault(tuple(values), []).append((*values.values(), *key))
        for names, rows in alike.items():
            self._change(names, rows)
        if new:
            self._add(new)

    def _change(self, names: tuple[str, ...], rows: Sequence[Key]) -> None:
        spoken = self._spoken
        if spoken.asks_a_server and len(rows) > 1:
            sql = spoken.change_all(names, len(rows))
            changed = self._direct.tell(sql, list(chain.from_iterable(rows))).rowcount
        else:
            changed = self._direct.tell_all(spoken.change(names), rows)
        if changed != len(rows):
            raise NotLockedError(table=self.table.name)

    def _add(self, new: Sequence[New]) -> None:
        """Many rows at once. Whoever holds the whole file knows the ids that follow the first; else the rows are found by their key."""
        spoken, statements, direct = self._spoken, self._spoken.statements, self._direct
        if spoken.asks_a_server:
            asks, place = ("id", self._by), statements.names.index(self._by)
            sql = spoken.add_all(statements.given, len(new), tells=asks)
            values = [value for row, _ in new for value in row[1:]]
            if spoken.tells_what_it_adds:
                rows = direct.ask(sql, values)
            else:
                direct.tell(sql, values)
                rows = direct.ask(*spoken.among(asks, self._by, [row[place] for row, _ in new]))
            found = {told: number for number, told in rows}
            for row, written in new:
                written.id = found[row[place]]
            return
        if not new[0][1].id:
            (row, first), *new = new
            first.id = int(direct.tell(spoken.add_all(statements.given), row[1:]).lastrowid or 0)
            for number, (row, written) in enumerate(new, first.id + 1):
                row[0] = written.id = number
        if new:
            direct.tell_all(spoken.add_all(statements.names), [row for row, _ in new])

"""Rehearsals: a transaction that is tried and taken back tells which rows it would have written."""

from collections.abc import Mapping
from typing import Any

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.message import Direction, Message, MessageStatus

_TABLES: Mapping[str, str] = {
    "conversations": "conversations",
    "messages": "messages",
    "carts": "carts",
    "customers": "customer_profiles",
    "recipients": "broadcast_recipients",
    "sync": "sync_queue",
    "notifications": "notification_log",
    "views": "product_views",
    "reengagements": "reengagement",
    "dead_letters": "dead_letter_queue",
    "sagas": "saga_state",
    "options": "options",
}
"""The table of each repository whose rows people ask for; claims, limits and the audit log follow from these."""


@attrs.frozen(kw_only=True)
class Change:
    """A row that would be written.

    Attributes:
        table: its name without prefix.
        row: what it is called there; empty where it would be new.
        before: its state; None where it would be new.
        after: the state that it would have; empty where such rows have none.
        message: the message that it is, as it would stand.
    """

    table: str
    row: str
    before: str | None
    after: str
    message: Message | None = None

    @property
    def goes(self) -> bool:
        """Whether it is a message that would leave for a customer."""
        return (
            self.message is not None
            and self.message.direction is Direction.OUTBOUND
            and self.message.status is MessageStatus.PENDING
        )


@attrs.define
class Rehearsal:
    """A unit of work whose writes are noted; everything else is the one beneath."""

    uow: UnitOfWork
    _told: dict[tuple[str, str], Change] = attrs.field(factory=dict)

    @property
    def changes(self) -> tuple[Change, ...]:
        """Each row once, in the order in which it was first written: how it was before all, and how it is after."""
        return tuple(one for one in self._told.values() if one.before is None or one.message or one.before != one.after)

    def __getattr__(self, name: str) -> Any:
        """A repository, the same whenever it is asked for."""
        found = getattr(self.uow, name)
        if name in _TABLES:
            found = self.__dict__[name] = _Rows(found, _TABLES[name], self)
        return found

    def note(self, table: str, row: object, *, before: object, is_new: bool) -> None:
        """A row is written: as it stands now and, unless it is new, as it was."""
        # A message that is written with others has no number yet, but WhatsApp's id.
        place = (table, getattr(row, "wa_message_id", None) or _name(row) or f"new {len(self._told)}")
        first = self._told.get(place)
        # What is new has a number only until it is taken back.
        name = "" if is_new and not isinstance(row, str) else _name(row)
        was = None if is_new else _state(before)
        self._told[place] = Change(
            table=table,
            row=name if first is None else first.row,
            before=was if first is None else first.before,
            after=_state(row),
            message=row if isinstance(row, Message) else None,
        )


class _Rows:
    """A repository whose writes are noted."""

    def __init__(self, rows: Any, table: str, rehearsal: Rehearsal) -> None:
        self._rows = rows
        self._table = table
        self._rehearsal = rehearsal

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rows, name)

    def add(self, row: Any) -> Any:
        added = self._rows.add(row)
        if added is not None:
            self._rehearsal.note(self._table, added, before=None, is_new=True)
        return added

    def add_later(self, row: Any) -> Any:
        self._rehearsal.note(self._table, row, before=None, is_new=True)
        return self._rows.add_later(row)

    def save(self, row: Any) -> None:
        before = self._rows.get(_key(row))
        self._rows.save(row)
        self._rehearsal.note(self._table, row, before=before, is_new=False)

    def finish(self, lease: Any, row: Any) -> None:
        before = self._rows.get(_key(row))
        self._rows.finish(lease, row)
        self._rehearsal.note(self._table, row, before=before, is_new=False)

    def put(self, name: str, value: Any) -> None:
        is_new = self._rows.get(name) is None
        self._rows.put(name, value)
        self._rehearsal.note(self._table, name, before=name, is_new=is_new)


def _key(row: Any) -> Any:
    return row.saga_id if hasattr(row, "saga_id") else row.id


def _name(row: object) -> str:
    """What a row is called, a document by its name; empty before it has a number."""
    return row if isinstance(row, str) else str(_key(row) or "")


def _state(row: object) -> str:
    return str(getattr(row, "status", None) or getattr(row, "state", None) or "")

"""The tables counted, set by set."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, func, or_, select, type_coerce

from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Broken, UtcSeconds
from wch.application.ports import Finding, SilentSends
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.message import FOREIGN, HISTORY, Direction, MessageStatus, is_history
from wch.domain.notification import NotificationStatus
from wch.domain.saga import OPEN
from wch.domain.sync import SyncStatus

PAGE = 500

_HISTORY = f'"by":"{HISTORY}"'
"""Marks imported history in the one spelling that JSON columns have; a quote inside a text is written otherwise."""

_TOLD = ('"own_times":', '"other_statuses":')
"""Mark a message of which some status came."""


class SqlCensus:
    """See `wch.application.ports.Census`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._tables = tables
        self._words: Mapping[str, tuple[Column[Any], ...]] = {
            "conversations": (tables.conversations.c.status,),
            "messages": (tables.messages.c.direction, tables.messages.c.status),
            "carts": (tables.carts.c.status,),
            "broadcast_recipients": (tables.recipients.c.status,),
            "sync_queue": (tables.sync.c.status,),
            "notification_log": (tables.notifications.c.status,),
            "dead_letter_queue": (tables.dead_letters.c.status,),
            "circuit_breakers": (tables.breakers.c.state,),
            "saga_state": (tables.sagas.c.state,),
        }

    def states(self) -> Mapping[str, Mapping[str, int]]:
        tables = self._tables
        found: dict[str, Mapping[str, int]] = {
            name: {":".join(map(_word, row[:-1])): int(row[-1]) for row in self._grouped(columns)}
            for name, columns in self._words.items()
        }
        # The adapter's own marks of a commit are not claims of anybody's.
        claims = select(func.count()).select_from(tables.claims).where(tables.claims.c.scope != "op")
        plain = {
            "customer_profiles": select(func.count()).select_from(tables.customers),
            "product_views": select(func.count()).select_from(tables.views),
            "reengagement": select(func.count()).select_from(tables.reengagements),
            "webhook_idempotency": claims,
            "rate_limits": select(func.count()).select_from(tables.limits),
        }
        for name, statement in plain.items():
            rows = int(self._session.execute(statement).scalar_one())
            found[name] = {"rows": rows} if rows else {}
        return found

    def sagas(self) -> Mapping[tuple[str, str], int]:
        sagas = self._tables.sagas.c
        return {(str(row[0]), _word(row[1])): int(row[2]) for row in self._grouped((sagas.saga_type, sagas.state))}

    def _grouped(self, columns: Sequence[Column[Any]]) -> Sequence[Any]:
        return self._session.execute(select(*columns, func.count()).group_by(*columns)).all()

    def oldest_waiting(self) -> Mapping[str, datetime]:
        tables = self._tables
        is_open = or_(*(tables.sagas.c.state == state for state in sorted(OPEN)))
        asked: dict[str, tuple[Column[Any], ColumnElement[bool]]] = {
            "inbound": (tables.messages.c.created_at, tables.messages.c.status == MessageStatus.RECEIVED),
            "outbound": (tables.messages.c.created_at, tables.messages.c.status == MessageStatus.PENDING),
            "notifications": (
                tables.notifications.c.updated_at,
                tables.notifications.c.status == NotificationStatus.PENDING,
            ),
            "sync": (tables.sync.c.created_at, tables.sync.c.status == SyncStatus.PENDING),
            "sagas": (tables.sagas.c.updated_at, is_open),
        }
        # Of the column itself, SQLite would look for the least through an index over all moments, state after state.
        oldest = {
            name: self._session.execute(
                select(type_coerce(func.min(func.coalesce(column, column)), UtcSeconds())).where(where)
            ).scalar()
            for name, (column, where) in asked.items()
        }
        return {name: moment for name, moment in oldest.items() if isinstance(moment, datetime)}

    def silent_sends(self, since: datetime, until: datetime) -> SilentSends:
        messages = self._tables.messages.c
        sent = select(func.count()).where(
            messages.direction == Direction.OUTBOUND,
            messages.type != FOREIGN,
            messages.wa_message_id.is_not(None),
            messages.created_at >= since,
            messages.created_at < until,
        )
        silent = sent.where(
            messages.status == MessageStatus.SENT, *(func.instr(messages.content, mark) == 0 for mark in _TOLD)
        )
        counts = [int(self._session.execute(one).scalar_one()) for one in (sent, silent)]
        return SilentSends(accepted=counts[0], silent=counts[1])

    def miscounted(self, *, limit: int = 100) -> Sequence[Finding]:
        threads, messages = self._tables.conversations.c, self._tables.messages.c
        rows = (
            select(messages.conversation_id, func.count().label("rows"))
            .where(messages.type != FOREIGN, messages.conversation_id.is_not(None))
            .group_by(messages.conversation_id)
            .subquery()
        )
        counted = func.coalesce(rows.c.rows, 0)
        statement = (
            select(threads.id, threads.message_count, counted)
            .outerjoin_from(self._tables.conversations, rows, rows.c.conversation_id == threads.id)
            .order_by(threads.id)
        )
        history = self._history()
        suspect = threads.message_count != counted
        if history:
            suspect = or_(suspect, threads.id.in_(sorted(history)))
        else:
            statement = statement.limit(limit)
        found = []
        for thread, told, there in self._session.execute(statement.where(suspect)):
            own = int(there) - history[thread]
            if told != own:
                what = f"message_count is {told}, rows are {own}"
                found.append(Finding(table="conversations", row=str(thread), what=what))
        return found[:limit]

    def _history(self) -> Counter[int]:
        """Rows of imported history by conversation: they do not count."""
        messages = self._tables.messages.c
        statement = select(messages.conversation_id, messages.content).where(
            messages.conversation_id.is_not(None), messages.type != FOREIGN, func.instr(messages.content, _HISTORY) > 0
        )
        return Counter(
            row.conversation_id
            for row in self._session.execute(statement)
            if isinstance(row.content, dict) and is_history(row.content)
        )

    def dangling(self, *, limit: int = 100) -> Sequence[Finding]:
        letters = self._letters()
        known = {(table, row) for _, table, row, _ in letters}
        return [*self._messages(known), *self._failed(known), *self._about_nothing(letters)][:limit]

    def _messages(self, letters: set[tuple[str, str]]) -> list[Finding]:
        threads, messages = self._tables.conversations.c, self._tables.messages.c
        orphans = (
            select(messages.id)
            .outerjoin_from(self._tables.messages, self._tables.conversations, threads.id == messages.conversation_id)
            .where(messages.conversation_id.is_not(None), threads.id.is_(None))
        )
        dead = select(messages.id).where(messages.status == MessageStatus.DEAD, messages.direction == Direction.INBOUND)
        found = [(row, "its conversation is gone") for row in self._session.execute(orphans).scalars()]
        found += [
            (row, "it is dead without a dead letter")
            for row in self._session.execute(dead).scalars()
            if ("messages", str(row)) not in letters
        ]
        by_row = sorted(found, key=lambda one: int(one[0]))
        return [Finding(table="messages", row=str(row), what=what) for row, what in by_row]

    def _failed(self, letters: set[tuple[str, str]]) -> list[Finding]:
        sync = self._tables.sync.c
        failed = select(sync.id).where(sync.status == SyncStatus.FAILED).order_by(sync.id)
        return [
            Finding(table="sync_queue", row=str(row), what="it failed without a dead letter")
            for row in self._session.execute(failed).scalars()
            if ("sync_queue", str(row)) not in letters
        ]

    def _about_nothing(self, letters: Sequence[tuple[int, str, str, Any]]) -> list[Finding]:
        keys: Mapping[str, Column[Any]] = {
            "messages": self._tables.messages.c.id,
            "sync_queue": self._tables.sync.c.id,
            "notification_log": self._tables.notifications.c.id,
            "saga_state": self._tables.sagas.c.saga_id,
        }
        pending = [letter for letter in letters if letter[3] == DeadLetterStatus.PENDING and letter[1] in keys]
        there = {
            (name, str(row))
            for name, key in keys.items()
            for row in self._there(key, [one[2] for one in pending if one[1] == name])
        }
        return [
            Finding(table="dead_letter_queue", row=str(letter), what="the row it is about is gone")
            for letter, table, row, _ in pending
            if (table, row) not in there
        ]

    def _there(self, key: Column[Any], rows: Sequence[str]) -> list[Any]:
        """Which of these rows are there."""
        named: list[Any] = list(rows) if key.name == "saga_id" else [int(row) for row in rows if row.isdecimal()]
        found: list[Any] = []
        for begin in range(0, len(named), PAGE):
            found += self._session.execute(select(key).where(key.in_(named[begin : begin + PAGE]))).scalars()
        return found

    def _letters(self) -> list[tuple[int, str, str, Any]]:
        """Every letter about a row: its id, the table, the row and its status."""
        letters = self._tables.dead_letters.c
        statement = select(letters.id, letters.args, letters.status).order_by(letters.id).limit(PAGE)
        found: list[tuple[int, str, str, Any]] = []
        after = 0
        while True:
            page = self._session.execute(statement.where(letters.id > after)).all()
            for row in page:
                after = row.id
                if isinstance(row.args, dict) and "table" in row.args:
                    found.append((row.id, str(row.args["table"]), str(row.args.get("id")), row.status))
            if len(page) < PAGE:
                return found

    def taken_over(self) -> int:
        messages = self._tables.messages.c
        retried = (messages.direction == Direction.INBOUND, messages.retry_count > 1)
        return int(
            self._session.execute(select(func.count()).select_from(self._tables.messages).where(*retried)).scalar_one()
        )

    def unknown_words(self) -> Sequence[Finding]:
        return [
            Finding(table=name, row="-", what=f"{row[-1]} rows: {word.why}")
            for name, columns in self._words.items()
            for row in self._grouped(columns)
            for word in row[:-1]
            if isinstance(word, Broken)
        ]


def _word(value: Any) -> str:
    return value.why if isinstance(value, Broken) else str(value)

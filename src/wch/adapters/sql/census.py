"""The tables counted, set by set."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from wch.adapters.sql.people import counted
from wch.adapters.sql.rows import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Broken
from wch.application.ports import Finding
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.message import FOREIGN, Direction, MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.saga import OPEN
from wch.domain.sync import SyncStatus

PAGE = 500


class SqlCensus:
    """See `wch.application.ports.Census`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._tables = tables

    def states(self) -> Mapping[str, Mapping[str, int]]:
        tables = self._tables
        words = {
            "conversations": tables.conversations.c.status,
            "carts": tables.carts.c.status,
            "broadcast_recipients": tables.recipients.c.status,
            "sync_queue": tables.sync.c.status,
            "notification_log": tables.notifications.c.status,
            "dead_letter_queue": tables.dead_letters.c.status,
            "circuit_breakers": tables.breakers.c.state,
            "saga_state": tables.sagas.c.state,
        }
        found: dict[str, Mapping[str, int]] = {
            name: {_word(word): rows for word, rows in counted(self._session, column).items()}
            for name, column in words.items()
        }
        columns = (tables.messages.c.direction, tables.messages.c.status)
        statement = select(*columns, func.count()).group_by(*columns)
        found["messages"] = {
            f"{_word(row[0])}:{_word(row[1])}": int(row[2]) for row in self._session.connection.execute(statement)
        }
        for name, table in (
            ("customer_profiles", tables.customers),
            ("product_views", tables.views),
            ("reengagement", tables.reengagements),
            ("webhook_idempotency", tables.claims),
            ("rate_limits", tables.limits),
        ):
            count = select(func.count()).select_from(table)
            if table is tables.claims:
                count = count.where(table.c.scope != "op")
            rows = int(self._session.connection.execute(count).scalar_one())
            found[name] = {"rows": rows} if rows else {}
        return found

    def oldest_waiting(self) -> Mapping[str, datetime]:
        tables = self._tables
        asked: dict[str, tuple[Any, ColumnElement[bool]]] = {
            "inbound": (tables.messages.c.created_at, tables.messages.c.status == MessageStatus.RECEIVED),
            "outbound": (tables.messages.c.created_at, tables.messages.c.status == MessageStatus.PENDING),
            "notifications": (
                tables.notifications.c.updated_at,
                tables.notifications.c.status == NotificationStatus.PENDING,
            ),
            "sync": (tables.sync.c.created_at, tables.sync.c.status == SyncStatus.PENDING),
            "sagas": (tables.sagas.c.updated_at, or_(*(tables.sagas.c.state == state for state in sorted(OPEN)))),
        }
        found = {}
        for name, (column, where) in asked.items():
            oldest = self._session.connection.execute(select(column).where(where).order_by(column).limit(1)).scalar()
            if oldest is not None:
                found[name] = oldest
        return found

    def miscounted(self, *, limit: int = 100) -> Sequence[Finding]:
        threads, messages = self._tables.conversations.c, self._tables.messages.c
        rows = (
            select(messages.conversation_id, func.count().label("rows"))
            .where(messages.type != FOREIGN, messages.conversation_id.is_not(None), self._not_history())
            .group_by(messages.conversation_id)
            .subquery()
        )
        told = func.coalesce(rows.c.rows, 0)
        statement = (
            select(threads.id, threads.message_count, told)
            .outerjoin_from(self._tables.conversations, rows, rows.c.conversation_id == threads.id)
            .where(threads.message_count != told)
            .order_by(threads.id)
            .limit(limit)
        )
        return [
            Finding(table="conversations", row=str(row[0]), what=f"message_count is {row[1]}, rows are {row[2]}")
            for row in self._session.connection.execute(statement)
        ]

    def _not_history(self) -> ColumnElement[bool]:
        """Imported history does not count; its content says so in one spelling."""
        history = [
            row.id
            for row in self._session.connection.execute(
                select(self._tables.messages.c.id, self._tables.messages.c.content).where(
                    self._tables.messages.c.raw_payload.is_(None),
                    self._tables.messages.c.status == MessageStatus.PROCESSED,
                    self._tables.messages.c.direction == Direction.INBOUND,
                )
            )
            if not isinstance(row.content, Broken) and (row.content or {}).get("origin", {}).get("by") == "history"
        ]
        return self._tables.messages.c.id.not_in(history)

    def dangling(self, *, limit: int = 100) -> Sequence[Finding]:
        found = [*self._orphans(limit), *self._letterless(), *self._letters_about_nothing()]
        return found[:limit]

    def _orphans(self, limit: int) -> list[Finding]:
        threads, messages = self._tables.conversations.c, self._tables.messages.c
        statement = (
            select(messages.id)
            .outerjoin_from(self._tables.messages, self._tables.conversations, threads.id == messages.conversation_id)
            .where(and_(messages.conversation_id.is_not(None), threads.id.is_(None)))
            .order_by(messages.id)
            .limit(limit)
        )
        rows = self._session.connection.execute(statement).scalars()
        return [Finding(table="messages", row=str(row), what="its conversation is gone") for row in rows]

    def _letterless(self) -> list[Finding]:
        """Ended work without any letter about it."""
        known = {(letter[1], letter[2]) for letter in self._letters()}
        messages, sync = self._tables.messages.c, self._tables.sync.c
        dead = select(messages.id).where(messages.status == MessageStatus.DEAD).order_by(messages.id)
        failed = select(sync.id).where(sync.status == SyncStatus.FAILED).order_by(sync.id)
        found = [
            Finding(table="messages", row=str(row), what="it is dead without a dead letter")
            for row in self._session.connection.execute(dead).scalars()
            if ("messages", str(row)) not in known
        ]
        return found + [
            Finding(table="sync_queue", row=str(row), what="it failed without a dead letter")
            for row in self._session.connection.execute(failed).scalars()
            if ("sync_queue", str(row)) not in known
        ]

    def _letters_about_nothing(self) -> list[Finding]:
        tables = {
            "messages": self._tables.messages.c.id,
            "sync_queue": self._tables.sync.c.id,
            "notification_log": self._tables.notifications.c.id,
            "saga_state": self._tables.sagas.c.saga_id,
        }
        found = []
        for letter, table, row, status in self._letters():
            if status != DeadLetterStatus.PENDING or table not in tables:
                continue
            there = select(tables[table]).where(tables[table] == (row if table == "saga_state" else int(row)))
            if self._session.connection.execute(there).first() is None:
                found.append(Finding(table="dead_letter_queue", row=str(letter), what="the row it is about is gone"))
        return found

    def _letters(self) -> list[tuple[int, str, str, str]]:
        """Every letter about a row: its id, the table, the row and its status."""
        letters = self._tables.dead_letters.c
        found: list[tuple[int, str, str, str]] = []
        after = 0
        while True:
            page = self._session.connection.execute(
                select(letters.id, letters.args, letters.status)
                .where(letters.id > after)
                .order_by(letters.id)
                .limit(PAGE)
            ).all()
            for row in page:
                after = row.id
                args = {} if isinstance(row.args, Broken) or row.args is None else row.args
                if "table" in args:
                    found.append((row.id, str(args["table"]), str(args.get("id")), str(row.status)))
            if len(page) < PAGE:
                return found

    def taken_over(self) -> int:
        messages = self._tables.messages.c
        statement = (
            select(func.count())
            .select_from(self._tables.messages)
            .where(messages.direction == Direction.INBOUND, messages.retry_count > 1)
        )
        return int(self._session.connection.execute(statement).scalar_one())

    def unknown_words(self) -> Sequence[Finding]:
        found = []
        for table, words in self.states().items():
            found += [
                Finding(table=table, row="-", what=f"{rows} rows: {word}")
                for word, rows in words.items()
                if "has no word" in word
            ]
        return found


def _word(value: Any) -> str:
    if isinstance(value, Broken):
        return value.why
    return json.dumps(value) if value is None else str(value)

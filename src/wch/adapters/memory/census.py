"""The tables in memory, counted."""

# ruff: noqa: D102 - what a method promises stands on its port

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from wch.adapters.memory.tables import Tables
from wch.application.ports import Finding, SilentSends
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.message import FOREIGN, Direction, MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.saga import OPEN
from wch.domain.sync import SyncStatus


class MemoryCensus:
    """See `wch.application.ports.Census`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def states(self) -> Mapping[str, Mapping[str, int]]:
        tables = self._tables
        by_word = {
            "conversations": (row.status for row in tables.conversations.rows.values()),
            "carts": (row.status for row in tables.carts.rows.values()),
            "broadcast_recipients": (row.status for row in tables.recipients.rows.values()),
            "sync_queue": (row.status for row in tables.sync.rows.values()),
            "notification_log": (row.status for row in tables.notifications.rows.values()),
            "dead_letter_queue": (row.status for row in tables.dead_letters.rows.values()),
            "circuit_breakers": (row.state for row in tables.breakers.rows.values()),
            "saga_state": (row.state for row in tables.sagas.rows.values()),
        }
        plain = {
            "customer_profiles": len(tables.customers.rows),
            "product_views": len(tables.views.rows),
            "reengagement": len(tables.reengagements.rows),
            "webhook_idempotency": len(tables.claims.rows),
            "rate_limits": len(tables.limits.rows),
        }
        counted: dict[str, Mapping[str, int]] = {
            name: dict(Counter(word.value for word in words)) for name, words in by_word.items()
        }
        counted["messages"] = dict(Counter(f"{row.direction}:{row.status}" for row in tables.messages.rows.values()))
        for name, rows in plain.items():
            counted[name] = {"rows": rows} if rows else {}
        return counted

    def sagas(self) -> Mapping[tuple[str, str], int]:
        return dict(Counter((row.saga_type, row.state.value) for row in self._tables.sagas.rows.values()))

    def oldest_waiting(self) -> Mapping[str, datetime]:
        tables = self._tables
        waiting = {
            "inbound": [
                row.created_at for row in tables.messages.rows.values() if row.status is MessageStatus.RECEIVED
            ],
            "outbound": [
                row.created_at for row in tables.messages.rows.values() if row.status is MessageStatus.PENDING
            ],
            "notifications": [
                row.updated_at for row in tables.notifications.rows.values() if row.status is NotificationStatus.PENDING
            ],
            "sync": [row.created_at for row in tables.sync.rows.values() if row.status is SyncStatus.PENDING],
            "sagas": [row.updated_at for row in tables.sagas.rows.values() if row.state in OPEN],
        }
        return {name: min(times) for name, times in waiting.items() if times}

    def miscounted(self, *, limit: int = 100) -> Sequence[Finding]:
        rows = Counter(row.conversation_id for row in self._tables.messages.rows.values() if row.counts)
        return [
            Finding(
                table="conversations",
                row=str(row.id),
                what=f"message_count is {row.message_count}, rows are {rows[row.id]}",
            )
            for row in sorted(self._tables.conversations.rows.values(), key=lambda one: one.id)
            if row.message_count != rows[row.id]
        ][:limit]

    def dangling(self, *, limit: int = 100) -> Sequence[Finding]:
        return list(self._dangling())[:limit]

    def _dangling(self) -> Iterator[Finding]:
        tables = self._tables
        letters = {
            (str(row.args.get("table")), str(row.args.get("id")))
            for row in tables.dead_letters.rows.values()
            if "table" in row.args
        }
        for message in sorted(tables.messages.rows.values(), key=lambda one: one.id):
            if message.conversation_id is not None and message.conversation_id not in tables.conversations.rows:
                yield Finding(table="messages", row=str(message.id), what="its conversation is gone")
            dead = message.direction is Direction.INBOUND and message.status is MessageStatus.DEAD
            if dead and ("messages", str(message.id)) not in letters:
                yield Finding(table="messages", row=str(message.id), what="it is dead without a dead letter")
        for task in sorted(tables.sync.rows.values(), key=lambda one: one.id):
            if task.status is SyncStatus.FAILED and ("sync_queue", str(task.id)) not in letters:
                yield Finding(table="sync_queue", row=str(task.id), what="it failed without a dead letter")
        for letter in sorted(tables.dead_letters.rows.values(), key=lambda one: one.id):
            if letter.status is DeadLetterStatus.PENDING and not self._is_there(
                letter.args.get("table"), letter.args.get("id")
            ):
                yield Finding(table="dead_letter_queue", row=str(letter.id), what="the row it is about is gone")

    def _is_there(self, table: object, row: object) -> bool:
        if table == "saga_state":
            return row in self._tables.sagas.rows
        known: Mapping[object, Mapping[int, object]] = {
            "messages": self._tables.messages.rows,
            "sync_queue": self._tables.sync.rows,
            "notification_log": self._tables.notifications.rows,
        }
        return table not in known or row in known[table]

    def silent_sends(self, since: datetime, until: datetime) -> SilentSends:
        sent = [
            row
            for row in self._tables.messages.rows.values()
            if row.direction is Direction.OUTBOUND
            and row.type != FOREIGN
            and row.wa_message_id is not None
            and since <= row.created_at < until
        ]
        silent = [
            row
            for row in sent
            if row.status is MessageStatus.SENT and not row.content.keys() & {"own_times", "other_statuses"}
        ]
        return SilentSends(accepted=len(sent), silent=len(silent))

    def taken_over(self) -> int:
        rows = self._tables.messages.rows.values()
        return sum(1 for row in rows if row.direction is Direction.INBOUND and row.retry_count > 1)

    def unknown_words(self) -> Sequence[Finding]:
        return []

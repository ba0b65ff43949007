"""Statistics: every table counted by state, and what waits longest."""

from collections.abc import Mapping
from typing import Any

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.broadcast import RecipientStatus
from wch.domain.cart import CartStatus
from wch.domain.circuit_breaker import BreakerState
from wch.domain.conversation import ConversationStatus
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.message import MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.saga import SagaState
from wch.domain.sync import SyncStatus

INBOUND = (MessageStatus.RECEIVED, MessageStatus.PROCESSING, MessageStatus.PROCESSED, MessageStatus.DEAD)
OUTBOUND = tuple(word for word in MessageStatus if word not in INBOUND)

WORDS: Mapping[str, tuple[str, ...]] = {
    "conversations": tuple(ConversationStatus),
    "carts": tuple(CartStatus),
    "broadcast_recipients": tuple(RecipientStatus),
    "sync_queue": tuple(SyncStatus),
    "notification_log": tuple(NotificationStatus),
    "dead_letter_queue": tuple(DeadLetterStatus),
    "circuit_breakers": tuple(BreakerState),
    "saga_state": tuple(SagaState),
    "customer_profiles": ("rows",),
    "product_views": ("rows",),
    "reengagement": ("rows",),
    "webhook_idempotency": ("rows",),
    "rate_limits": ("rows",),
}
"""The states of each table but `messages`, whose states depend on the direction."""


@attrs.frozen(kw_only=True)
class Statistics:
    """Reads the figures from the rows, all in one snapshot."""

    database: Database
    clock: Clock

    async def snapshot(self) -> Mapping[str, Any]:
        """Counts of all 14 tables, and how long the oldest waiting row of each kind has waited."""
        return await self.database.read(self._snapshot)

    def _snapshot(self, uow: UnitOfWork) -> Mapping[str, Any]:
        now = self.clock.now()
        states = uow.census.states()
        tables: dict[str, Any] = {
            table: {str(word): states.get(table, {}).get(str(word), 0) for word in words}
            for table, words in WORDS.items()
        }
        messages = states.get("messages", {})
        tables["messages"] = {
            "inbound": {str(word): messages.get(f"inbound:{word}", 0) for word in INBOUND},
            "outbound": {str(word): messages.get(f"outbound:{word}", 0) for word in OUTBOUND},
        }
        ages = {kind: max(0, int((now - since).total_seconds())) for kind, since in uow.census.oldest_waiting().items()}
        return {
            "tables": tables,
            "oldest_waiting_s": max(ages.values(), default=0),
            "oldest_waiting_by_kind_s": ages,
            "leases_taken_over": uow.census.taken_over(),
            "unconfirmed": tables["messages"]["outbound"]["unconfirmed"],
            "dead_letters_pending": tables["dead_letter_queue"]["pending"],
        }

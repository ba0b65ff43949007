"""The tables in memory, with the unique keys and indexes that the queries use."""

from typing import Any

import attrs

from wch.adapters.memory.rows import Table
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter
from wch.domain.document import JsonObject
from wch.domain.message import Message
from wch.domain.notification import Notification
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import Reengagement
from wch.domain.saga import Saga
from wch.domain.sync import SyncTask


@attrs.frozen(kw_only=True)
class Option:
    """One row of `options`."""

    name: str
    value: JsonObject


def _id(row: Any) -> int:
    return int(row.id)


class Tables:
    """All of them; they belong to one database."""

    def __init__(self) -> None:
        self.conversations: Table[Conversation] = Table(
            Conversation, _id, indexes={"phone": lambda row: row.customer_phone, "status": lambda row: row.status}
        )
        self.messages: Table[Message] = Table(
            Message,
            _id,
            unique={"wa_message_id": lambda row: row.wa_message_id},
            indexes={"status": lambda row: row.status, "conversation": lambda row: row.conversation_id},
        )
        self.carts: Table[Cart] = Table(
            Cart,
            _id,
            unique={"customer_phone": lambda row: row.customer_phone},
            indexes={"status": lambda row: row.status},
        )
        self.customers: Table[CustomerProfile] = Table(CustomerProfile, _id, unique={"phone": lambda row: row.phone})
        self.recipients: Table[BroadcastRecipient] = Table(
            BroadcastRecipient,
            _id,
            unique={"campaign_phone": lambda row: (row.campaign_id, row.phone)},
            indexes={"campaign": lambda row: row.campaign_id},
        )
        self.sync: Table[SyncTask] = Table(
            SyncTask,
            _id,
            unique={"entity_type_id": lambda row: (row.entity_type, row.entity_id, row.action)},
            indexes={"status": lambda row: row.status},
        )
        self.notifications: Table[Notification] = Table(
            Notification, _id, indexes={"order": lambda row: row.order_id, "status": lambda row: row.status}
        )
        self.views: Table[ProductView] = Table(ProductView, _id, indexes={"phone": lambda row: row.customer_phone})
        self.reengagements: Table[Reengagement] = Table(
            Reengagement, _id, indexes={"phone": lambda row: row.customer_phone}
        )
        self.dead_letters: Table[DeadLetter] = Table(DeadLetter, _id, indexes={"status": lambda row: row.status})
        self.claims: Table[Claim] = Table(Claim, lambda row: (row.message_id, row.scope), counted=False)
        self.limits: Table[RateLimitWindow] = Table(
            RateLimitWindow,
            lambda row: (row.identifier_hash, row.limit_type, row.window_start),
            indexes={"pair": lambda row: (row.identifier_hash, row.limit_type)},
            counted=False,
        )
        self.breakers: Table[CircuitBreaker] = Table(CircuitBreaker, lambda row: row.service, counted=False)
        self.sagas: Table[Saga] = Table(
            Saga, lambda row: row.saga_id, indexes={"state": lambda row: row.state}, counted=False
        )
        self.options: Table[Option] = Table(Option, lambda row: row.name, counted=False)
        self.audit: Table[AuditEntry] = Table(AuditEntry, _id)

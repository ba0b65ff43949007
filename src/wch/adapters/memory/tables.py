"""The tables in memory, with the unique keys and indexes that the queries use."""

import attrs

from wch.adapters.memory.rows import Table
from wch.domain.audit import LONGEST_ROLE, AuditEntry
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
from wch.domain.widths import OPTION_NAME


@attrs.frozen(kw_only=True)
class Option:
    """One row of `options`."""

    name: str
    value: JsonObject


AUDIT_WIDTHS = {"actor": 100, "role": LONGEST_ROLE, "action": 100, "object": 255, "request_id": 100, "address_hash": 64}


class Tables:
    """All of them; they belong to one database."""

    def __init__(self) -> None:
        self.conversations = Table(Conversation, indexes={"phone": ("customer_phone",), "status": ("status",)})
        self.messages = Table(
            Message,
            unique={"wa_message_id": ("wa_message_id",)},
            indexes={"status": ("status",), "conversation": ("conversation_id",), "type": ("type",)},
            cut=("error_message",),
        )
        self.carts = Table(Cart, unique={"customer_phone": ("customer_phone",)}, indexes={"status": ("status",)})
        self.customers = Table(CustomerProfile, unique={"phone": ("phone",)})
        self.recipients = Table(
            BroadcastRecipient,
            unique={"campaign_phone": ("campaign_id", "phone")},
            indexes={"campaign": ("campaign_id",), "phone": ("phone",)},
        )
        self.sync = Table(
            SyncTask,
            unique={"entity_type_id": ("entity_type", "entity_id", "action")},
            indexes={"status": ("status",)},
            cut=("error_message",),
        )
        self.notifications = Table(
            Notification, indexes={"order": ("order_id",), "status": ("status",)}, cut=("error_message",)
        )
        self.views = Table(ProductView, indexes={"phone": ("customer_phone",), "product": ("product_id",)})
        self.reengagements = Table(
            Reengagement, indexes={"phone": ("customer_phone",), "type": ("campaign_type",), "sent": ("sent_at",)}
        )
        self.dead_letters = Table(DeadLetter, indexes={"status": ("status",)})
        self.claims = Table(Claim, key=("message_id", "scope"), indexes={"message": ("message_id",)})
        self.limits = Table(
            RateLimitWindow,
            key=("identifier_hash", "limit_type", "window_start"),
            indexes={"pair": ("identifier_hash", "limit_type")},
        )
        self.breakers = Table(CircuitBreaker, key=("service",))
        self.sagas = Table(Saga, key=("saga_id",), indexes={"state": ("state",)})
        self.options = Table(Option, key=("name",), widths={"name": OPTION_NAME})
        self.audit = Table(AuditEntry, widths=AUDIT_WIDTHS, cut=("reason",))

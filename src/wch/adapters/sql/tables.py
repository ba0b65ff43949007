"""The tables as the data model has them: every documented column, type and index, no more and no fewer."""

from functools import cache
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)
from sqlalchemy.schema import SchemaItem

from wch.adapters.sql.documents import read_items, read_objects, read_words, write_items
from wch.adapters.sql.types import (
    Flag,
    Json,
    Key,
    LongText,
    MoneyColumn,
    Side,
    UtcSeconds,
    Word,
    Words,
    row_id,
    unsigned,
)
from wch.domain.broadcast import RecipientStatus
from wch.domain.cart import CartStatus
from wch.domain.circuit_breaker import BreakerState
from wch.domain.conversation import ConversationStatus, State
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.message import Direction, MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.reengagement import CampaignType
from wch.domain.saga import SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.domain.widths import OPTION_NAME, PHONE

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


@attrs.frozen(kw_only=True)
class Tables:
    """The tables under one prefix."""

    prefix: str
    metadata: MetaData
    conversations: Table
    messages: Table
    carts: Table
    customers: Table
    recipients: Table
    sync: Table
    notifications: Table
    views: Table
    reengagements: Table
    dead_letters: Table
    claims: Table
    limits: Table
    breakers: Table
    sagas: Table
    options: Table
    audit: Table


def _id() -> Column[int]:
    return Column("id", row_id(), primary_key=True, autoincrement=True)


def _required(name: str) -> Column[object]:
    return Column(name, UtcSeconds(), nullable=False)


def _moment(name: str) -> Column[object]:
    return Column(name, UtcSeconds())


def _count(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False, server_default=text("0"))


@cache
def tables(prefix: str, *, names_per_table: bool) -> Tables:
    """All tables under this prefix.

    Args:
        prefix: in front of every table's name.
        names_per_table: whether an index's name belongs to its table, so that it is the
            documented one. SQLite keeps them for a whole database: there the table's name is
            in front, and what an index is over is what counts.
    """
    metadata = MetaData()

    def index_name(table: str, documented: str) -> str:
        return documented if names_per_table else f"{prefix}{table}_{documented}"

    def make(name: str, *columns: SchemaItem, indexes: dict[str, tuple[str, ...]] | None = None) -> Table:
        # A number of a row that went is never given again: what still names it must find nothing.
        counted = any(isinstance(column, Column) and column.name == "id" for column in columns)
        table: Table = Table(f"{prefix}{name}", metadata, *columns, **_MYSQL, sqlite_autoincrement=counted)
        for index, over in (indexes or {}).items():
            made = Index(index_name(name, index), *(table.c[column] for column in over))
            made.info["documented"] = index
        return table

    def unique(name: str, index: str, *over: str) -> UniqueConstraint:
        return UniqueConstraint(*over, name=index_name(name, index), info={"documented": index})

    def alone(*names: str) -> dict[str, tuple[str, ...]]:
        return {name: (name,) for name in names}

    conversations = make(
        "conversations",
        _id(),
        Column("customer_phone", Key(PHONE), nullable=False),
        Column("wa_conversation_id", Words(255)),
        Column("status", Word(ConversationStatus, 20), nullable=False),
        Column("state", Word(State, 50), nullable=False),
        Column("assigned_agent_id", BigInteger),
        Column("context", Json()),
        _count("message_count"),
        _count("unread_count"),
        _moment("last_message_at"),
        _required("created_at"),
        _required("updated_at"),
        indexes=alone("customer_phone", "last_message_at", "status", "state", "unread_count"),
    )
    messages = make(
        "messages",
        _id(),
        Column("conversation_id", BigInteger),
        Column("direction", Side(Direction), nullable=False),
        Column("type", Key(50), nullable=False),
        Column("wa_message_id", Key(255)),
        Column("content", Json()),
        Column("raw_payload", Json()),
        Column("status", Word(MessageStatus, 20), nullable=False),
        _count("retry_count"),
        Column("error_message", LongText(long=False)),
        _required("created_at"),
        _required("updated_at"),
        _moment("sent_at"),
        _moment("delivered_at"),
        _moment("read_at"),
        unique("messages", "wa_message_id", "wa_message_id"),
        indexes=alone("conversation_id", "created_at", "status"),
    )
    carts = make(
        "carts",
        _id(),
        Column("customer_phone", Key(PHONE), nullable=False),
        Column("items", Json(read_items, write_items)),
        Column("total", MoneyColumn(), nullable=False, server_default=text("0")),
        Column("coupon_code", Words(50)),
        Column("shipping_address", Json()),
        Column("status", Word(CartStatus, 20), nullable=False),
        _moment("reminder_1_sent_at"),
        _moment("reminder_2_sent_at"),
        _moment("reminder_3_sent_at"),
        _moment("abandoned_at"),
        Column("recovery_coupon_code", Words(50)),
        Column("recovered", Flag(), nullable=False, server_default=text("0")),
        Column("recovered_order_id", BigInteger),
        Column("recovered_revenue", MoneyColumn()),
        _moment("recovered_at"),
        _moment("expires_at"),
        _required("created_at"),
        _required("updated_at"),
        unique("carts", "customer_phone", "customer_phone"),
        indexes=alone("status", "updated_at", "expires_at", "recovered"),
    )
    customers = make(
        "customer_profiles",
        _id(),
        Column("phone", Key(PHONE), nullable=False),
        Column("wc_customer_id", BigInteger),
        Column("name", Words(255)),
        Column("email", Words(255)),
        Column("last_known_address", Json()),
        Column("saved_addresses", Json(read_objects, list)),
        Column("preferences", Json()),
        Column("tags", Json(read_words, list)),
        _count("total_orders"),
        Column("total_spent", MoneyColumn(), nullable=False, server_default=text("0")),
        Column("opt_in_marketing", Flag(), nullable=False, server_default=text("0")),
        Column("notification_opt_out", Flag(), nullable=False, server_default=text("0")),
        _moment("last_interaction_at"),
        _moment("marketing_opted_at"),
        _required("created_at"),
        _required("updated_at"),
        unique("customer_profiles", "phone", "phone"),
        indexes=alone("wc_customer_id", "total_orders", "total_spent"),
    )
    recipients = make(
        "broadcast_recipients",
        _id(),
        Column("campaign_id", BigInteger, nullable=False),
        Column("phone", Key(PHONE), nullable=False),
        Column("wa_message_id", Key(255)),
        Column("status", Word(RecipientStatus, 20), nullable=False),
        _moment("sent_at"),
        _required("created_at"),
        unique("broadcast_recipients", "campaign_phone", "campaign_id", "phone"),
        indexes=alone("phone", "sent_at", "campaign_id"),
    )
    sync = make(
        "sync_queue",
        _id(),
        Column("entity_type", Word(EntityType, 50), nullable=False),
        Column("entity_id", BigInteger, nullable=False),
        Column("action", Word(SyncAction, 50), nullable=False),
        Column("status", Word(SyncStatus, 20), nullable=False),
        _count("attempts"),
        Column("error_message", LongText(long=False)),
        _required("created_at"),
        _moment("processed_at"),
        unique("sync_queue", "entity_type_id", "entity_type", "entity_id", "action"),
        indexes=alone("status", "created_at"),
    )
    notifications = make(
        "notification_log",
        _id(),
        Column("order_id", BigInteger, nullable=False),
        Column("notification_type", Key(50), nullable=False),
        Column("customer_phone", Key(PHONE), nullable=False),
        Column("template_name", Words(100)),
        Column("wa_message_id", Key(255)),
        Column("status", Word(NotificationStatus, 20), nullable=False),
        _count("retry_count"),
        _moment("sent_at"),
        _moment("delivered_at"),
        _moment("read_at"),
        Column("error_message", LongText(long=False)),
        _required("created_at"),
        _required("updated_at"),
        indexes=alone("order_id", "customer_phone", "notification_type", "status", "created_at"),
    )
    views = make(
        "product_views",
        _id(),
        Column("customer_phone", Key(PHONE), nullable=False),
        Column("product_id", BigInteger, nullable=False),
        _required("viewed_at"),
        indexes=alone("customer_phone", "product_id", "viewed_at"),
    )
    reengagements = make(
        "reengagement",
        _id(),
        Column("customer_phone", Key(PHONE), nullable=False),
        Column("campaign_type", Word(CampaignType, 50), nullable=False),
        Column("product_id", BigInteger),
        _moment("sent_at"),
        Column("converted", Flag(), nullable=False, server_default=text("0")),
        Column("conversion_order_id", BigInteger),
        Column("conversion_revenue", MoneyColumn()),
        _moment("converted_at"),
        _required("created_at"),
        indexes=alone("customer_phone", "campaign_type", "sent_at", "converted"),
    )
    dead_letters = make(
        "dead_letter_queue",
        _id(),
        Column("hook", Key(255), nullable=False),
        Column("args", Json()),
        Column("reason", Key(100), nullable=False),
        Column("error_message", LongText()),
        _count("attempts"),
        _count("priority"),
        Column("metadata", Json()),
        Column("status", Word(DeadLetterStatus, 20), nullable=False),
        _required("created_at"),
        _moment("replayed_at"),
        _moment("dismissed_at"),
        indexes={
            "idx_status_reason": ("status", "reason"),
            "idx_hook": ("hook",),
            "idx_created_at": ("created_at",),
        },
    )
    claims = make(
        "webhook_idempotency",
        Column("message_id", Key(255), nullable=False),
        Column("scope", Key(100), nullable=False),
        _required("processed_at"),
        _required("expires_at"),
        unique("webhook_idempotency", "message_id", "message_id", "scope"),
    )
    limits = make(
        "rate_limits",
        Column("identifier_hash", Key(64, fixed=True), nullable=False),
        Column("limit_type", Key(50), nullable=False),
        Column("request_count", unsigned(), nullable=False, server_default=text("0")),
        _required("window_start"),
        PrimaryKeyConstraint("identifier_hash", "limit_type", "window_start"),
        indexes={"idx_window": ("window_start",)},
    )
    breakers = make(
        "circuit_breakers",
        Column("service", Key(100), primary_key=True),
        Column("state", Word(BreakerState, 20), nullable=False),
        Column("failures", unsigned(), nullable=False, server_default=text("0")),
        Column("successes", unsigned(), nullable=False, server_default=text("0")),
        _moment("opened_at"),
        _required("updated_at"),
        indexes={"idx_state": ("state",)},
    )
    sagas = make(
        "saga_state",
        Column("saga_id", Key(100), primary_key=True),
        Column("saga_type", Key(100), nullable=False),
        Column("state", Word(SagaState, 50), nullable=False),
        Column("context", Json()),
        Column("log", Json(read_objects, list)),
        _required("created_at"),
        _required("updated_at"),
        indexes={"idx_state": ("state",), "idx_saga_type": ("saga_type",), "idx_updated": ("updated_at",)},
    )
    options = make(
        "options",
        Column("name", Key(OPTION_NAME), primary_key=True),
        Column("value", Json()),
    )
    audit = make(
        "audit_log",
        _id(),
        _required("at"),
        Column("actor", Key(100), nullable=False),
        Column("role", Words(50)),
        Column("action", Key(100), nullable=False),
        Column("object", Words(255)),
        Column("reason", LongText(long=False)),
        Column("detail", Json()),
        Column("request_id", Words(100)),
        Column("address_hash", Key(64)),
        indexes={"idx_at": ("at",), "idx_action": ("action",)},
    )
    return Tables(
        prefix=prefix,
        metadata=metadata,
        conversations=conversations,
        messages=messages,
        carts=carts,
        customers=customers,
        recipients=recipients,
        sync=sync,
        notifications=notifications,
        views=views,
        reengagements=reengagements,
        dead_letters=dead_letters,
        claims=claims,
        limits=limits,
        breakers=breakers,
        sagas=sagas,
        options=options,
        audit=audit,
    )

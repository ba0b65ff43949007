"""A WordPress plugin's database as years of use leave it: its 14 tables, with good rows and with bad ones."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, create_engine, text

PREFIX = "wp_wch_"
ZERO = "0000-00-00 00:00:00"
DAY = "2025-11-03 10:15:00"
LATER = "2025-11-04 08:00:00"
FUTURE = "2036-01-01 00:00:00"

# column: kind, where `id` counts up and `text` is a LONGTEXT; the others are as short as the data model has them.
COLUMNS: Mapping[str, str] = {
    "conversations": "id customer_phone wa_conversation_id status state assigned_agent_id context:text message_count unread_count last_message_at:at created_at:at updated_at:at",
    "messages": "id conversation_id:n direction type wa_message_id content:text raw_payload:text status retry_count:n error_message:text created_at:at updated_at:at sent_at:at delivered_at:at read_at:at",
    "carts": "id customer_phone items:text total:n coupon_code shipping_address:text status reminder_1_sent_at:at reminder_2_sent_at:at reminder_3_sent_at:at abandoned_at:at recovery_coupon_code recovered:n recovered_order_id:n recovered_revenue:n recovered_at:at expires_at:at created_at:at updated_at:at",
    "customer_profiles": "id phone wc_customer_id:n name email last_known_address:text saved_addresses:text preferences:text tags:text total_orders:n total_spent:n opt_in_marketing:n notification_opt_out:n last_interaction_at:at marketing_opted_at:at created_at:at updated_at:at",
    "broadcast_recipients": "id campaign_id:n phone wa_message_id status sent_at:at created_at:at",
    "sync_queue": "id entity_type entity_id:n action status attempts:n error_message:text created_at:at processed_at:at",
    "notification_log": "id order_id:n notification_type customer_phone template_name wa_message_id status retry_count:n sent_at:at delivered_at:at read_at:at error_message:text created_at:at updated_at:at",
    "product_views": "id customer_phone product_id:n viewed_at:at",
    "reengagement": "id customer_phone campaign_type product_id:n sent_at:at converted:n conversion_order_id:n conversion_revenue:n converted_at:at created_at:at",
    "dead_letter_queue": "id hook args:text reason error_message:text attempts:n priority:n metadata:text status created_at:at replayed_at:at dismissed_at:at",
    "webhook_idempotency": "message_id scope processed_at:at expires_at:at",
    "rate_limits": "identifier_hash limit_type request_count:n window_start:at",
    "circuit_breakers": "service state failures:n successes:n opened_at:at updated_at:at",
    "saga_state": "saga_id saga_type state context:text log:text created_at:at updated_at:at",
}

ROWS: Mapping[str, Sequence[Mapping[str, Any]]] = {
    "customer_profiles": [
        {
            "id": 1, "phone": "+1 (650) 555-1234", "name": "Anna", "email": "anna@shop.example", "total_orders": 3,
            "total_spent": "120.505", "opt_in_marketing": 1, "marketing_opted_at": ZERO, "created_at": DAY,
            "updated_at": LATER, "tags": 'a:2:{i:0;s:3:"vip";i:1;s:4:"café";}'.replace("s:4", "s:5"),
            "preferences": '{"language":"es","theme":"dark"}',
            "last_known_address": '{"street":"Main St 1","city":"Berlin","postal_code":"10115","country":"DE"}',
            "saved_addresses": '[{"street":"Main St 1","city":"Berlin"}]',
        },
        {"id": 2, "phone": "4915112345678", "notification_opt_out": 1, "created_at": ZERO, "updated_at": LATER},
        {"id": 3, "phone": "16505551234", "name": "Anna again", "created_at": DAY},
        {"id": 4, "phone": "n/a", "created_at": DAY},
        {"id": 5, "phone": "551199998888", "created_at": ZERO, "updated_at": ZERO},
        {"id": 6, "phone": "551199997777", "created_at": DAY, "preferences": 'O:8:"stdClass":0:{}'},
        {"id": 7, "phone": "551199996666", "created_at": DAY, "name": "x" * 255, "preferences": "[]"},
    ],
    "conversations": [
        {"id": 10, "customer_phone": "+16505551234", "status": "active", "state": "BROWSING", "message_count": 9,
         "context": 'a:1:{s:4:"page";i:2;}', "created_at": DAY, "updated_at": LATER, "last_message_at": LATER},
        {"id": 11, "customer_phone": "4915112345678", "status": "escalated", "state": "awaiting_human",
         "unread_count": 2, "created_at": DAY, "updated_at": LATER, "assigned_agent_id": 7},
        {"id": 12, "customer_phone": "4915112345678", "status": "handoff", "created_at": LATER},
        {"id": 13, "customer_phone": "4915112345678", "status": "sleeping", "created_at": DAY},
    ],
    "messages": [
        {"id": 1, "conversation_id": 10, "direction": "inbound", "type": "text", "wa_message_id": "wamid.A",
         "content": "Hello, schöner Tag", "raw_payload": '{"from":"16505551234"}', "status": "received",
         "created_at": DAY, "sent_at": DAY},
        {"id": 2, "conversation_id": 10, "direction": "outbound", "type": "text", "wa_message_id": "wamid.B",
         "content": '{"text":{"body":"Hi Anna"}}', "status": "delivered", "created_at": DAY, "sent_at": DAY,
         "delivered_at": LATER, "read_at": ZERO},
        {"id": 3, "conversation_id": 10, "direction": "outbound", "type": "text", "content": '{"body":"late"}',
         "status": "pending", "created_at": LATER},
        {"id": 4, "conversation_id": 13, "direction": "inbound", "type": "text", "content": "x", "created_at": DAY},
        {"id": 5, "conversation_id": 10, "direction": "sideways", "type": "text", "content": "x", "created_at": DAY},
        {"id": 6, "conversation_id": 10, "direction": "outbound", "type": "text", "status": "exploded",
         "created_at": DAY},
        {"id": 7, "conversation_id": 11, "direction": "inbound", "type": "image", "content": "", "created_at": DAY},
    ],
    "carts": [
        {"id": 1, "customer_phone": "16505551234", "status": "abandoned", "total": "99",
         "items": '[{"product_id":5,"quantity":2,"price":9.5,"name":"Mug"},{"product_id":5,"quantity":1,"price":9.5,"name":"Mug"}]',
         "shipping_address": "[]", "reminder_2_sent_at": LATER, "created_at": DAY, "updated_at": DAY,
         "abandoned_at": LATER},
        {"id": 2, "customer_phone": "4915112345678", "status": "recovered", "recovered": 1, "recovered_order_id": 77,
         "recovered_revenue": "19.00", "recovered_at": ZERO, "items": "a:0:{}", "created_at": DAY, "updated_at": LATER},
        {"id": 3, "customer_phone": "551199998888", "status": "active", "items": '[{"product_id":5}]', "created_at": DAY},
        {"id": 4, "customer_phone": "551199997777", "status": "active", "items": "not json", "created_at": DAY},
        {"id": 5, "customer_phone": "+1 650 555 1234", "status": "active", "items": "[]", "created_at": DAY},
    ],
    "broadcast_recipients": [
        {"id": 1, "campaign_id": 3, "phone": "16505551234", "status": "sent", "sent_at": DAY, "created_at": DAY},
        {"id": 2, "campaign_id": 3, "phone": "4915112345678", "status": "pending", "created_at": DAY},
        {"id": 3, "campaign_id": 0, "phone": "4915112345678", "status": "sent", "created_at": DAY},
        {"id": 4, "campaign_id": 3, "phone": "+16505551234", "status": "sent", "created_at": DAY},
    ],
    "sync_queue": [
        {"id": 1, "entity_type": "product", "entity_id": 5, "action": "update", "status": "completed", "attempts": 1,
         "created_at": DAY, "processed_at": DAY},
        {"id": 2, "entity_type": "product", "entity_id": 6, "action": "update", "status": "failed", "attempts": 3,
         "error_message": "no", "created_at": DAY, "processed_at": DAY},
        {"id": 3, "entity_type": "galaxy", "entity_id": 6, "action": "update", "status": "pending", "created_at": DAY},
    ],
    "notification_log": [
        {"id": 1, "order_id": 77, "notification_type": "order_confirmed", "customer_phone": "16505551234",
         "status": "sent", "sent_at": DAY, "created_at": DAY},
        {"id": 2, "order_id": 77, "notification_type": "shipped", "customer_phone": "16505551234", "status": "pending",
         "created_at": DAY},
        {"id": 3, "order_id": 77, "notification_type": "", "customer_phone": "16505551234", "status": "sent",
         "created_at": DAY},
    ],
    "product_views": [
        {"id": 1, "customer_phone": "16505551234", "product_id": 5, "viewed_at": DAY},
        {"id": 2, "customer_phone": "16505551234", "product_id": 5, "viewed_at": ZERO},
    ],
    "reengagement": [
        {"id": 1, "customer_phone": "16505551234", "campaign_type": "product_reminder", "product_id": 5, "sent_at": DAY,
         "converted": 1, "conversion_order_id": 77, "conversion_revenue": "12.345", "converted_at": LATER,
         "created_at": DAY},
        {"id": 2, "customer_phone": "16505551234", "campaign_type": "birthday", "created_at": DAY},
    ],
    "dead_letter_queue": [
        {"id": 1, "hook": "wch_send", "args": 'a:1:{s:2:"to";s:11:"16505551234";}', "reason": "exception",
         "attempts": 3, "status": "pending", "created_at": DAY},
        {"id": 2, "hook": "wch_send", "args": 'a:1:{s:2:"to"', "reason": "exception", "status": "pending",
         "created_at": DAY},
        {"id": 3, "hook": "wch_list", "args": "[1,2]", "reason": "exception", "status": "dismissed",
         "created_at": DAY, "dismissed_at": LATER},
    ],
    "webhook_idempotency": [
        {"message_id": "wamid.A", "scope": "webhook", "processed_at": DAY, "expires_at": FUTURE},
        {"message_id": "wamid.B", "scope": "webhook", "processed_at": DAY, "expires_at": LATER},
        {"message_id": "wamid.C", "scope": "moon", "processed_at": DAY, "expires_at": FUTURE},
    ],
    "rate_limits": [
        {"identifier_hash": "a" * 64, "limit_type": "api", "request_count": 4, "window_start": DAY},
        {"identifier_hash": "b" * 64, "limit_type": "api", "request_count": 4, "window_start": FUTURE},
        {"identifier_hash": "short", "limit_type": "api", "request_count": 4, "window_start": FUTURE},
    ],
    "circuit_breakers": [
        {"service": "whatsapp", "state": "half-open", "failures": 3, "opened_at": DAY, "updated_at": DAY},
        {"service": "telepathy", "state": "closed", "updated_at": DAY},
    ],
    "saga_state": [
        {"saga_id": "order_1", "saga_type": "OrderPlacement", "state": "completed", "context": '{"order":77}',
         "log": "[]", "created_at": DAY, "updated_at": DAY},
        {"saga_id": "order_2", "saga_type": "OrderPlacement", "state": "running", "context": "{}", "created_at": DAY},
    ],
}  # fmt: skip

EXPECTED: Mapping[str, tuple[int, int, int, int]] = {
    "customer_profiles": (7, 3, 0, 4),
    "conversations": (4, 3, 0, 1),
    "messages": (7, 4, 0, 3),
    "carts": (5, 2, 0, 3),
    "broadcast_recipients": (4, 2, 1, 1),
    "sync_queue": (3, 2, 0, 1),
    "notification_log": (3, 2, 0, 1),
    "product_views": (2, 1, 0, 1),
    "reengagement": (2, 1, 0, 1),
    "dead_letter_queue": (3, 2, 0, 1),
    "webhook_idempotency": (3, 1, 0, 2),
    "rate_limits": (3, 1, 0, 2),
    "circuit_breakers": (2, 1, 0, 1),
    "saga_state": (2, 1, 0, 1),
}
"""Read, imported, already there, refused."""


def plugin_database(url: str, *, without: Sequence[str] = ()) -> Engine:
    """Make the plugin's tables at this address, as WordPress does, and fill them."""
    engine = create_engine(url)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.begin() as connection:
        if not is_sqlite:
            connection.execute(text("SET SESSION sql_mode = ''"))  # as WordPress does: zero dates are let in
        for table, columns in COLUMNS.items():
            connection.execute(text(f"DROP TABLE IF EXISTS {PREFIX}{table}"))
            if table in without:
                continue
            made = ", ".join(_column(one, is_sqlite=is_sqlite) for one in columns.split())
            connection.execute(text(f"CREATE TABLE {PREFIX}{table} ({made})"))
            add_rows(connection, table, ROWS[table])
    return engine


def add_rows(connection: Any, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        names = ", ".join(row)
        places = ", ".join(f":{name}" for name in row)
        connection.execute(text(f"INSERT INTO {PREFIX}{table} ({names}) VALUES ({places})"), row)  # noqa: S608 - names of this module


def _column(word: str, *, is_sqlite: bool) -> str:
    name, _, kind = word.partition(":")
    if name == "id":
        return "id INTEGER PRIMARY KEY" if is_sqlite else "id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY"
    sort = {"text": "LONGTEXT", "n": "DECIMAL(20,4)", "at": "DATETIME"}.get(kind, "VARCHAR(255)")
    return f"{name} {sort} NULL"

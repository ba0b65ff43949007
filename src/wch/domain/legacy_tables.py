"""What the WordPress plugin's rows are here: one function for each of its tables.

What the plugin left unfinished is never done again by us: a message that it did not send is
kept as failed, a recipient that it did not reach as skipped, and what it said counts as history.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import attrs

from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart, CartItem, CartStatus, total_of
from wch.domain.circuit_breaker import BreakerState, CircuitBreaker
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import document
from wch.domain.legacy_row import LegacyRow, RefusedRowError
from wch.domain.message import HISTORY, Direction, Message, MessageStatus
from wch.domain.moment import iso, of_iso
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask

SOURCE = "wordpress"
"""In front of the types and hooks of rows that only the plugin's own code could carry on."""

ELSEWHERE = document(by=HISTORY)
"""The origin of messages that were said elsewhere: they are kept for people to read, and count nowhere."""

MOST_MONEY = Decimal("99999999.99")
_CENT = Decimal("0.01")

_CONVERSATIONS: Mapping[str, ConversationStatus] = {
    "closed": ConversationStatus.RESOLVED,
    "ended": ConversationStatus.RESOLVED,
    "idle": ConversationStatus.RESOLVED,
    "handoff": ConversationStatus.ESCALATED,
    "pending": ConversationStatus.ESCALATED,
}
_UNSENT: Mapping[str, MessageStatus] = dict.fromkeys(
    ("pending", "queued", "sending", "processing", "unconfirmed"), MessageStatus.FAILED
)
_RECIPIENTS: Mapping[str, RecipientStatus] = {
    "pending": RecipientStatus.SKIPPED_CANCELLED,
    "queued": RecipientStatus.SKIPPED_CANCELLED,
    "sending": RecipientStatus.UNCONFIRMED,
    "opted_out": RecipientStatus.SKIPPED_OPTOUT,
    "skipped": RecipientStatus.SKIPPED_CANCELLED,
}
_NOTICES: Mapping[str, NotificationStatus] = {
    "pending": NotificationStatus.SKIPPED,
    "queued": NotificationStatus.SKIPPED,
    "sending": NotificationStatus.UNCONFIRMED,
}


def conversation(row: LegacyRow) -> Conversation:
    """A thread; one that a person has stays with that person, any other is over."""
    written = row.word("status", ConversationStatus, _CONVERSATIONS)
    is_with_person = written is ConversationStatus.ESCALATED
    state = row.word("state", State) if row.text("state") else State.IDLE
    created = row.dated("created_at", "updated_at", "last_message_at")
    context: dict[str, Any] = {
        "imported": {"status": row.text("status"), "state": state.value, "context": row.object("context") or {}}
    }
    if is_with_person:
        context["handoff"] = {"reason": "imported", "at": iso(created)}
    return Conversation(
        customer_phone=row.phone("customer_phone"),
        wa_conversation_id=row.text("wa_conversation_id", 255),
        status=ConversationStatus.ESCALATED if is_with_person else ConversationStatus.RESOLVED,
        state=State.AWAITING_HUMAN if is_with_person else State.IDLE,
        assigned_agent_id=None,
        context=document(**context),
        unread_count=row.count("unread_count") if is_with_person else 0,
        last_message_at=row.moment("last_message_at") or row.moment("updated_at") or created,
        created_at=created,
        updated_at=row.moment("updated_at") or created,
    )


def message(row: LegacyRow) -> Message:
    """Something that was said, as history: nobody answers it, and it opens no window."""
    direction = row.word("direction", Direction, {"in": Direction.INBOUND, "out": Direction.OUTBOUND})
    created = row.dated("created_at", "sent_at", "updated_at")
    status = MessageStatus.PROCESSED
    error = row.text("error_message")
    if direction is Direction.OUTBOUND:
        status = row.word("status", MessageStatus, _UNSENT)
        if status in {MessageStatus.RECEIVED, MessageStatus.PROCESSED, MessageStatus.DEAD}:
            raise RefusedRowError(f"status: an outbound message cannot be {status.value!r}")
        if row.needed("status").strip().casefold() in _UNSENT:
            error = error or "imported before it was sent"
    said = row.moment("sent_at") or created
    return Message(
        direction=direction,
        type=row.text("type", 50) or "text",
        wa_message_id=row.text("wa_message_id", 255),
        content=_content(row, said),
        raw_payload=_payload(row),
        status=status,
        retry_count=row.count("retry_count"),
        error_message=error,
        created_at=created,
        updated_at=row.moment("updated_at") or created,
        sent_at=row.moment("sent_at") if direction is Direction.OUTBOUND else None,
        delivered_at=row.moment("delivered_at"),
        read_at=row.moment("read_at"),
    )


def _content(row: LegacyRow, said: datetime) -> Mapping[str, Any]:
    """The words under `text`, wherever the plugin kept them; what else it kept stays beside them."""
    try:
        value = row.data("content")
    except RefusedRowError:
        value = row.text("content")
    kept: dict[str, Any] = {}
    if isinstance(value, dict):
        kept = row.object("content") or {}
        inner = kept.get("text", kept.get("body"))
        words = inner.get("body") if isinstance(inner, dict) else inner
    else:
        words = None if value is None else str(row.text("content"))
    if words is not None:
        kept["text"] = str(words)
    return document(**{**kept, "origin": ELSEWHERE, "said_at": iso(said)})


def _payload(row: LegacyRow) -> Mapping[str, Any] | None:
    try:
        value = row.data("raw_payload")
    except RefusedRowError:
        value = row.text("raw_payload")
    if isinstance(value, dict):
        return row.object("raw_payload")
    return None if value in (None, "", []) else document(imported=row.text("raw_payload"))


def cart(row: LegacyRow, *, currency: str) -> Cart:
    """A cart; its total is counted anew from its lines."""
    created = row.dated("created_at", "updated_at")
    updated = row.moment("updated_at") or created
    is_recovered = row.flag("recovered")
    status = row.word("status", CartStatus, {"converted": CartStatus.RECOVERED, "completed": CartStatus.RECOVERED})
    lines: dict[tuple[int, int | None], CartItem] = {}
    for value in row.list("items"):
        line = _line(value, currency, created)
        there = lines.get(line.key)
        lines[line.key] = line if there is None else attrs.evolve(there, quantity=there.quantity + line.quantity)
    items = tuple(lines.values())
    if len({line.currency for line in items}) > 1:
        raise RefusedRowError("items are in more than one currency")
    total = total_of(items)
    if total > MOST_MONEY:
        raise RefusedRowError("total does not fit into its column")
    if status is CartStatus.RECOVERED and not is_recovered:
        status = CartStatus.EXPIRED
    slots = _in_order([row.moment(f"reminder_{number}_sent_at") for number in (1, 2, 3)])
    return Cart(
        customer_phone=row.phone("customer_phone"),
        items=items,
        total=total,
        coupon_code=row.text("coupon_code", 50),
        shipping_address=_address(row.object("shipping_address")),
        status=CartStatus.RECOVERED if is_recovered else status,
        reminder_1_sent_at=slots[0],
        reminder_2_sent_at=slots[1],
        reminder_3_sent_at=slots[2],
        abandoned_at=row.moment("abandoned_at"),
        recovery_coupon_code=row.text("recovery_coupon_code", 50),
        recovered=is_recovered,
        recovered_order_id=row.reference("recovered_order_id") if is_recovered else None,
        recovered_revenue=_figure(row.money("recovered_revenue")) if is_recovered else None,
        recovered_at=(row.moment("recovered_at") or updated) if is_recovered else None,
        expires_at=row.moment("expires_at"),
        created_at=created,
        updated_at=updated,
    )


def _line(value: Any, currency: str, created: datetime) -> CartItem:
    """A line under the plugin's names or ours."""
    if not isinstance(value, Mapping):
        raise RefusedRowError("items: a line is no object")
    price = next((value[name] for name in ("price_at_add", "price", "unit_price") if value.get(name) is not None), None)
    attributes = value.get("variant_attributes") or value.get("attributes") or {}
    if price is None:
        raise RefusedRowError("items: a line has no price")
    try:
        return CartItem(
            product_id=int(value["product_id"]),
            variation_id=int(value.get("variation_id") or 0) or None,
            quantity=int(value.get("quantity", 1)),
            price_at_add=Decimal(str(price)),
            currency=str(value.get("currency") or currency),
            product_name=str(value.get("product_name") or value.get("name") or ""),
            variant_attributes={str(name): str(one) for name, one in dict(attributes).items()},
            added_at=of_iso(str(value["added_at"])) if _is_iso(value.get("added_at")) else created,
        )
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise RefusedRowError("items: a line has no product, quantity or price that can be read") from error


def _is_iso(value: Any) -> bool:
    try:
        of_iso(str(value))
    except ValueError:
        return False
    return True


def _in_order(slots: list[datetime | None]) -> list[datetime | None]:
    """Reminders fill their slots in order: a gap is closed."""
    taken = sorted(slot for slot in slots if slot is not None)
    return [*taken, *[None] * (3 - len(taken))]


def profile(row: LegacyRow) -> CustomerProfile:
    """A customer; a marketing choice without a date is dated by the row."""
    created = row.dated("created_at", "updated_at", "last_interaction_at")
    opted_in = row.flag("opt_in_marketing")
    opted_at = row.moment("marketing_opted_at") or (row.moment("updated_at") or created if opted_in else None)
    addresses = [_address(one) for one in row.list("saved_addresses") if isinstance(one, dict)]
    preferences = row.object("preferences") or {}
    language = preferences.get("language")
    return CustomerProfile(
        phone=row.phone("phone"),
        wc_customer_id=row.reference("wc_customer_id"),
        name=row.text("name", 255),
        email=row.text("email", 255),
        last_known_address=_address(row.object("last_known_address")),
        saved_addresses=tuple(one for one in addresses if one)[:10],
        preferences=document(imported=preferences or None, language=language if isinstance(language, str) else None),
        tags=tuple(dict.fromkeys(str(one) for one in row.list("tags") if isinstance(one, str | int))),
        total_orders=row.count("total_orders"),
        total_spent=_figure(row.money("total_spent")) or Decimal("0.00"),
        opt_in_marketing=opted_in,
        notification_opt_out=row.flag("notification_opt_out"),
        last_interaction_at=row.moment("last_interaction_at"),
        marketing_opted_at=opted_at,
        created_at=created,
        updated_at=row.moment("updated_at") or created,
    )


_ADDRESS: Mapping[str, str] = {
    "street": "address_1", "street_2": "address_2", "postal_code": "postcode", "zip": "postcode", "name": "first_name",
}  # fmt: skip


def _address(value: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """The shop's field names."""
    if not value:
        return None
    return {_ADDRESS.get(name, name): one for name, one in value.items()}


def _figure(amount: Decimal | None) -> Decimal | None:
    """A report figure in two places, as high as its column goes."""
    if amount is None:
        return None
    return min(amount.quantize(_CENT, rounding=ROUND_HALF_UP), MOST_MONEY)


def recipient(row: LegacyRow) -> BroadcastRecipient:
    """Whom a campaign reached; whom it did not will not be."""
    campaign = row.whole("campaign_id")
    if not campaign or campaign < 1:
        raise RefusedRowError("campaign_id is missing")
    return BroadcastRecipient(
        campaign_id=campaign,
        phone=row.phone("phone"),
        wa_message_id=row.text("wa_message_id", 255),
        status=row.word("status", RecipientStatus, _RECIPIENTS),
        sent_at=row.moment("sent_at"),
        created_at=row.dated("created_at", "sent_at"),
    )


def sync_task(row: LegacyRow) -> SyncTask:
    """What had to be brought in step; what is unfinished or failed is done anew here."""
    entity = row.whole("entity_id")
    if not entity or entity < 1:
        raise RefusedRowError("entity_id is missing")
    status = row.word("status", SyncStatus)
    return SyncTask(
        entity_type=row.word("entity_type", EntityType, {"stock": EntityType.INVENTORY}),
        entity_id=entity,
        action=row.word("action", SyncAction),
        status=SyncStatus.COMPLETED if status is SyncStatus.COMPLETED else SyncStatus.PENDING,
        attempts=row.count("attempts") if status is SyncStatus.COMPLETED else 0,
        created_at=row.dated("created_at", "processed_at"),
        processed_at=row.moment("processed_at") if status is SyncStatus.COMPLETED else None,
    )


def notification(row: LegacyRow) -> Notification:
    """A notice; one that the plugin did not send is skipped."""
    order = row.whole("order_id")
    if not order or order < 1:
        raise RefusedRowError("order_id is missing")
    created = row.dated("created_at", "sent_at", "updated_at")
    return Notification(
        order_id=order,
        notification_type=row.needed("notification_type", 50),
        customer_phone=row.phone("customer_phone"),
        template_name=row.text("template_name", 100),
        wa_message_id=row.text("wa_message_id", 255),
        status=row.word("status", NotificationStatus, _NOTICES),
        retry_count=row.count("retry_count"),
        sent_at=row.moment("sent_at"),
        delivered_at=row.moment("delivered_at"),
        read_at=row.moment("read_at"),
        error_message=row.text("error_message"),
        created_at=created,
        updated_at=row.moment("updated_at") or created,
    )


def view(row: LegacyRow) -> ProductView:
    """Somebody looked at a product."""
    product = row.whole("product_id")
    if not product or product < 1:
        raise RefusedRowError("product_id is missing")
    return ProductView(customer_phone=row.phone("customer_phone"), product_id=product, viewed_at=row.dated("viewed_at"))


def reengagement(row: LegacyRow) -> Reengagement:
    """A contact that was meant to bring somebody back."""
    converted = row.flag("converted")
    sent = row.moment("sent_at")
    return Reengagement(
        customer_phone=row.phone("customer_phone"),
        campaign_type=row.word("campaign_type", CampaignType),
        product_id=row.reference("product_id"),
        sent_at=sent,
        converted=converted,
        conversion_order_id=row.reference("conversion_order_id") if converted else None,
        conversion_revenue=_figure(row.money("conversion_revenue")) if converted else None,
        converted_at=row.moment("converted_at") if converted else None,
        created_at=row.dated("created_at", "sent_at"),
    )


def dead_letter(row: LegacyRow) -> DeadLetter:
    """What failed for good in the plugin; only a person can decide on it here."""
    status = row.word("status", DeadLetterStatus)
    args = row.data("args")
    return DeadLetter(
        hook=f"{SOURCE}:{row.needed('hook', 244)}",
        args=(row.object("args") or {}) if isinstance(args, dict) else document(imported=row.list("args") or None),
        reason=row.text("reason", 100) or "imported",
        error_message=row.text("error_message"),
        attempts=row.count("attempts"),
        priority=row.whole("priority") or 0,
        metadata=row.object("metadata") or document(),
        status=status,
        created_at=row.dated("created_at"),
        replayed_at=row.moment("replayed_at"),
        dismissed_at=row.moment("dismissed_at"),
    )


def window(row: LegacyRow) -> RateLimitWindow:
    """Hits of one window."""
    name = row.needed("identifier_hash")
    if len(name) != 64:  # noqa: PLR2004 - SHA-256 in hex
        raise RefusedRowError("identifier_hash is no SHA-256")
    return RateLimitWindow(
        identifier_hash=name,
        limit_type=row.needed("limit_type", 50),
        request_count=row.count("request_count"),
        window_start=row.dated("window_start"),
    )


def breaker(row: LegacyRow) -> CircuitBreaker:
    """The state of a service."""
    return CircuitBreaker(
        service=row.needed("service", 100),
        state=row.word("state", BreakerState, {"half-open": BreakerState.HALF_OPEN}),
        failures=row.count("failures"),
        successes=row.count("successes"),
        opened_at=row.moment("opened_at"),
        updated_at=row.dated("updated_at", "opened_at"),
    )


def saga(row: LegacyRow) -> Saga:
    """A finished walk of the plugin, for people to read; one under way must be finished where it began."""
    state = row.word("state", SagaState)
    if state in {SagaState.RUNNING, SagaState.COMPENSATING}:
        raise RefusedRowError(f"it is {state.value} in the plugin: let it end there, then import again")
    created = row.dated("created_at", "updated_at")
    log = row.data("log")
    return Saga(
        saga_id=row.needed("saga_id", 100),
        saga_type=f"{SOURCE}:{row.needed('saga_type', 90)}",
        state=state,
        context=document(imported=row.object("context") or {}, imported_log=row.list("log") if log else None),
        created_at=created,
        updated_at=row.moment("updated_at") or created,
    )


CONVERTERS: Mapping[str, Callable[[LegacyRow], Any]] = {
    "customer_profiles": profile,
    "conversations": conversation,
    "messages": message,
    "broadcast_recipients": recipient,
    "sync_queue": sync_task,
    "notification_log": notification,
    "product_views": view,
    "reengagement": reengagement,
    "dead_letter_queue": dead_letter,
    "rate_limits": window,
    "circuit_breakers": breaker,
    "saga_state": saga,
}
"""By table; carts and claims need more than their row."""

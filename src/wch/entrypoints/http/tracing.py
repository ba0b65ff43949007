"""One customer's rows as the sandbox tells them: which row, in which state, since when; never what was said."""

from datetime import datetime
from typing import Any

from wch.application.traces import Trace
from wch.application.windows import WINDOW
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.document import JsonObject
from wch.domain.message import Direction, Message
from wch.domain.moment import iso
from wch.domain.notification import Notification
from wch.domain.saga import Saga


def trace_of(trace: Trace) -> JsonObject:
    """The rows by table, the oldest first."""
    profile = trace.profile
    return {
        "customer": {
            "id": profile.id,
            "language": profile.preferences.get("language"),
            "orders": profile.total_orders,
            "spent": str(profile.total_spent),
            "opt_in_marketing": profile.opt_in_marketing,
        },
        "conversation": None if trace.conversation is None else _conversation(trace.conversation, trace),
        "cart": None if trace.cart is None else _cart(trace.cart),
        "messages": [_message(one) for one in trace.messages],
        "placements": [_placement(one) for one in trace.placements],
        "notices": [_notice(one) for one in trace.notices],
    }


def _conversation(conversation: Conversation, trace: Trace) -> JsonObject:
    heard = [one.created_at for one in trace.messages if one.direction is Direction.INBOUND]
    return {
        "id": conversation.id,
        "status": conversation.status.value,
        "state": conversation.state.value,
        "messages": conversation.message_count,
        "unread": conversation.unread_count,
        "window_closes_at": iso(max(heard) + WINDOW) if heard else None,
    }


def _cart(cart: Cart) -> JsonObject:
    return {
        "id": cart.id,
        "status": cart.status.value,
        "lines": [{"name": item.product_name, "quantity": item.quantity} for item in cart.items],
        "total": str(cart.total),
        "currency": cart.items[0].currency if cart.items else None,
        "coupon": cart.coupon_code,
        "abandoned_at": _told(cart.abandoned_at),
        "expires_at": _told(cart.expires_at),
        "reminders": [
            _told(slot) for slot in (cart.reminder_1_sent_at, cart.reminder_2_sent_at, cart.reminder_3_sent_at)
        ],
    }


def _message(message: Message) -> JsonObject:
    row: dict[str, Any] = {
        "id": message.id,
        "direction": message.direction.value,
        "type": message.type,
        "status": message.status.value,
        "attempts": message.retry_count,
        "error": message.error_message,
        "at": iso(message.created_at),
        "wa_message_id": message.wa_message_id,
    }
    if message.direction is Direction.OUTBOUND:
        row["class"] = message.class_.value
    return row


def _placement(saga: Saga) -> JsonObject:
    return {
        "id": saga.saga_id,
        "state": saga.state.value,
        "outcome": saga.outcome,
        "steps": [
            {"event": str(entry["ev"]), "step": entry.get("step"), "at": str(entry["at"])}
            for entry in saga.log
            if entry.get("step") is not None
        ],
    }


def _notice(notice: Notification) -> JsonObject:
    return {
        "id": notice.id,
        "type": notice.notification_type,
        "status": notice.status.value,
        "at": iso(notice.created_at),
    }


def _told(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)

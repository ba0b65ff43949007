"""Former days: what was said on the phone app before the hub was there, kept for people to read."""

from datetime import datetime

from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.document import amended, document
from wch.domain.evolution import evolve
from wch.domain.inbound import Echo, InboundMessage
from wch.domain.message import HISTORY, Direction, Message, MessageStatus
from wch.domain.moment import iso

FIELD = "history"
"""The field of a delivery that tells it."""


def remember(uow: UnitOfWork, event: InboundMessage | Echo, *, now: datetime) -> bool:
    """Keep one message of either side: no window, nothing unread, no consent, no answer; whether it is new."""
    is_ours = isinstance(event, Echo)
    phone = event.recipient if isinstance(event, Echo) else event.sender
    uow.customers.lock(phone, now=now)
    if uow.messages.by_wa_id(event.wa_message_id) is not None:
        return False
    thread = _thread(uow, phone, event.sent_at)
    # An inbound row's `sent_at` would open the window to write to the customer.
    uow.messages.add(
        Message(
            conversation_id=thread.id,
            direction=Direction.OUTBOUND if is_ours else Direction.INBOUND,
            type=event.type,
            wa_message_id=event.wa_message_id,
            content=amended(event.content, origin=document(by=HISTORY), said_at=iso(event.sent_at)),
            raw_payload=event.raw,
            status=MessageStatus.SENT if is_ours else MessageStatus.PROCESSED,
            created_at=now,
            updated_at=now,
            sent_at=event.sent_at if is_ours else None,
        )
    )
    return True


def _thread(uow: UnitOfWork, phone: str, said_at: datetime) -> Conversation:
    """The customer's newest resolved thread, made as of that day if there is none; an open one is left alone."""
    found = uow.conversations.listed(status=ConversationStatus.RESOLVED, customer_phone=phone, limit=1)
    if found:
        held = uow.conversations.get(found[0].id, lock=True) or found[0]
        if held.last_message_at is None or held.last_message_at < said_at:
            held = evolve(held, last_message_at=said_at)
            uow.conversations.save(held)
        return held
    return uow.conversations.add(
        Conversation(
            customer_phone=phone,
            status=ConversationStatus.RESOLVED,
            last_message_at=said_at,
            created_at=said_at,
            updated_at=said_at,
        )
    )

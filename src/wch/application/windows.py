"""Windows: for how long after a customer's last word free words may be sent to them."""

from datetime import datetime, timedelta

from wch.application.ports import UnitOfWork
from wch.domain.message import Message

WINDOW = timedelta(hours=24) - timedelta(seconds=60)
"""How long after the customer's last word free words may leave, a minute kept in hand."""


def is_open(uow: UnitOfWork, row: Message, phone: str, *, now: datetime) -> bool:
    """Whether the customer wrote to this row's number less than a day ago, and WhatsApp has not said otherwise since."""
    conversation = None if row.conversation_id is None else uow.conversations.get(row.conversation_id)
    if conversation is not None and conversation.context.get("window_closed_at") is not None:
        return False
    latest = uow.messages.latest_inbound_at(phone, row.content.get("number") or None)
    return latest is not None and now < latest + WINDOW

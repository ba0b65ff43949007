"""Causes: the messages that something caused, found by the name of the cause and never by a message id."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.hindsight import customer_as_of
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.moment import EPOCH

TEST = "test"
"""How the cause of a campaign's test send is named: `test:<campaign>`."""

PAGE = 200
THREADS = 20

_NEVER_LEFT = frozenset({MessageStatus.PENDING, MessageStatus.SENDING, MessageStatus.FAILED})


def ref_of(row: Message) -> str:
    """The name of what caused a message, such as `reminder:7:1`; empty where nothing is named."""
    origin: Any = row.content.get("origin")
    return str(origin.get("ref", "")) if isinstance(origin, Mapping) else ""


def caused(uow: UnitOfWork, phone: str, ref: str, *, since: datetime) -> list[Message]:
    """Every message to this customer whose cause is this one or a part of it (`reminder:7` has `reminder:7:1`).

    Newest first, over all threads; only rows made at or after `since` are looked at.
    """
    return [row for row in _outbound(uow, phone, since) if (name := ref_of(row)) == ref or name.startswith(f"{ref}:")]


def left(row: Message) -> bool:
    """Whether a message is on the customer's phone, as far as anybody knows."""
    return row.status not in _NEVER_LEFT and row.sent_at is not None


def last_heard(uow: UnitOfWork, phone: str, *, by: datetime) -> datetime | None:
    """When this customer last wrote, at or before a moment."""
    heard = [row.created_at for row in _rows(uow, phone, EPOCH) if row.direction is Direction.INBOUND]
    return max((at for at in heard if at <= by), default=None)


def customer_then(uow: UnitOfWork, profile: CustomerProfile, *, at: datetime) -> CustomerProfile:
    """The customer at an earlier moment, as far as rows tell."""
    wrote = profile.last_interaction_at
    if wrote is not None and wrote > at:
        wrote = last_heard(uow, profile.phone, by=at)
    return customer_as_of(profile, at, wrote_at=wrote)


def _outbound(uow: UnitOfWork, phone: str, since: datetime) -> Iterator[Message]:
    return (row for row in _rows(uow, phone, since) if row.direction is Direction.OUTBOUND)


def _rows(uow: UnitOfWork, phone: str, since: datetime) -> Iterator[Message]:
    for thread in uow.conversations.listed(customer_phone=phone, limit=THREADS):
        if thread.last_message_at is not None and thread.last_message_at < since:
            return
        before: int | None = None
        while page := uow.messages.thread(thread.id, before=before, limit=PAGE):
            yield from (row for row in page if row.created_at >= since)
            if page[-1].created_at < since or len(page) < PAGE:
                break
            before = page[-1].id

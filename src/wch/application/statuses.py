"""Statuses: what became of what was sent, in whatever order it is told."""

import re
from datetime import datetime
from typing import Any

import attrs

from wch.application.causes import caused, ref_of
from wch.application.consequences import follow
from wch.application.following import follow_message
from wch.application.ports import UnitOfWork
from wch.application.tombstones import Tombstones
from wch.domain.broadcast import SKIPS, RecipientStatus
from wch.domain.document import amended
from wch.domain.erasure import is_erased
from wch.domain.errors import DuplicateError
from wch.domain.evolution import evolve
from wch.domain.inbound import StatusUpdate
from wch.domain.message import FOREIGN, PROVIDER_STATUSES, RANK, Direction, Message, MessageStatus
from wch.domain.send_failure import classify

_CALLBACK = re.compile(r"wch1\.([0-9a-z]{1,32})\.([0-9]{1,18})\.([0-9]{1,9})\Z")


def callback_data(tag: str, row: int, attempt: int) -> str:
    """What is sent along with every message and comes back with its statuses; nothing personal in it."""
    return f"wch1.{tag}.{row}.{attempt}"


@attrs.frozen(kw_only=True)
class Statuses:
    """Applies statuses; each is its own guard, since it only moves a message up.

    Attributes:
        tag: tells our callback data from another hub's.
    """

    tag: str
    tombstones: Tombstones

    def apply(self, uow: UnitOfWork, event: StatusUpdate, *, now: datetime) -> bool:
        """Apply one status in the caller's transaction; whether anything changed."""
        try:
            return self._apply(uow, event, now=now)
        except DuplicateError:
            # Somebody wrote this id between our look and our writing: now it is found.
            return self._apply(uow, event, now=now)

    def _apply(self, uow: UnitOfWork, event: StatusUpdate, *, now: datetime) -> bool:
        seen = self._row(uow, event)
        phone = self._phone(uow, seen, event)
        if phone is not None and is_erased(phone):
            event = self.tombstones.disguised(event)
        elif phone is not None:
            uow.customers.lock(phone, now=now)
        before = None if seen is None else uow.messages.get(seen.id, lock=True)
        if before is None:
            return self._placeholder(uow, event, phone, now=now)
        row = learn_id(uow, before, event.wa_message_id, now=now)
        told = _told(row, event, now=now)
        if told == before:
            return False
        uow.messages.save(told)
        if event.conversation_id is not None and told.conversation_id is not None:
            self._note_conversation(uow, told.conversation_id, event.conversation_id)
        propagate(uow, told, now=now)
        fails_now = told.status is MessageStatus.FAILED and before.status is not MessageStatus.FAILED
        if fails_now and told.type != FOREIGN:
            code = event.errors[0].code if event.errors else code_in(told.error_message)
            follow(uow, told, classify(code), code=code, now=now, by_status=True)
        return True

    def _row(self, uow: UnitOfWork, event: StatusUpdate) -> Message | None:
        """By our own callback data, else by WhatsApp's id."""
        ours = _CALLBACK.match(event.callback_data or "")
        if ours is not None and ours[1] == self.tag:
            row = uow.messages.get(int(ours[2]))
            if row is not None and row.direction is Direction.OUTBOUND:
                return row
        row = uow.messages.by_wa_id(event.wa_message_id) or self.tombstones.row(uow, event)
        return row if row is not None and row.direction is Direction.OUTBOUND else None

    def _phone(self, uow: UnitOfWork, row: Message | None, event: StatusUpdate) -> str | None:
        if row is not None and row.conversation_id is not None:
            conversation = uow.conversations.get(row.conversation_id)
            return None if conversation is None else conversation.customer_phone
        if event.recipient is not None and uow.customers.of(event.recipient) is not None:
            return event.recipient
        return None

    def _placeholder(self, uow: UnitOfWork, event: StatusUpdate, phone: str | None, *, now: datetime) -> bool:
        """A status of a message that is not known, or not yet: kept under its id until somebody learns the id."""
        if event.group or uow.messages.by_wa_id(event.wa_message_id) is not None:
            return False
        if event.recipient is not None and self.tombstones.covers(uow, event.recipient, event.at):
            return False
        conversation = None if phone is None else uow.conversations.latest_of(phone)
        known = event.status in PROVIDER_STATUSES
        row = Message(
            conversation_id=None if conversation is None else conversation.id,
            direction=Direction.OUTBOUND,
            type=FOREIGN,
            wa_message_id=event.wa_message_id,
            status=MessageStatus.UNCONFIRMED if known else MessageStatus.SENT,
            created_at=now,
            updated_at=now,
        )
        uow.messages.add(_told(row, event, now=now))
        return True

    def _note_conversation(self, uow: UnitOfWork, conversation_id: int, wa_conversation_id: str) -> None:
        conversation = uow.conversations.get(conversation_id)
        if conversation is None or conversation.wa_conversation_id == wa_conversation_id:
            return
        held = uow.conversations.get(conversation_id, lock=True)
        if held is not None:
            uow.conversations.save(evolve(held, wa_conversation_id=wa_conversation_id[:255]))


def _told(row: Message, event: StatusUpdate, *, now: datetime) -> Message:
    """The row after this status; the first price stays."""
    told = row.told(event.status, event.at, now=now, error=event.errors[0].line if event.errors else None)
    if event.pricing is None or "pricing" in told.content:
        return told
    return evolve(told, content=amended(told.content, pricing=dict(event.pricing)))


def code_in(line: str | None) -> int | None:
    """Graph's code in an `error_message` as a failed status leaves it."""
    word = (line or "").partition(" ")[0].rstrip(":")
    return int(word) if word.isascii() and word.isdecimal() else None


def learn_id(uow: UnitOfWork, row: Message, wa_message_id: str, *, now: datetime) -> Message:
    """The row knows this id from now on; a placeholder under it hands over state and times and goes."""
    if row.wa_message_id == wa_message_id:
        return row
    there = uow.messages.by_wa_id(wa_message_id, lock=True)
    known = row.with_id(wa_message_id)
    if there is None:
        return known
    if there.type != FOREIGN:
        return row
    uow.messages.remove(there.id)
    times: dict[str, Any] = {
        name: getattr(there, name) or getattr(row, name) for name in ("sent_at", "delivered_at", "read_at")
    }
    own = {**row.content.get("own_times", {}), **there.content.get("own_times", {})}
    higher = RANK[there.status] > RANK[row.status]
    return evolve(
        known,
        status=there.status if higher else row.status,
        content=amended(known.content, own_times=own or None),
        error_message=there.error_message if higher else row.error_message,
        updated_at=max(row.updated_at, now),
        **times,
    )


def propagate(uow: UnitOfWork, row: Message, *, now: datetime) -> None:
    """The cause of a message goes the message's way: the recipient, the notice."""
    ref = ref_of(row)
    kind, _, number = ref.partition(":")
    if kind in {"reminder", "reengagement"} and row.status is MessageStatus.FAILED:
        _unsend(uow, row, ref)
        return
    if not number.isdigit():
        return
    if kind == "recipient":
        recipient = uow.recipients.get(int(number), lock=True)
        skip = SKIPS.get(row.error_message or "") if row.status is MessageStatus.FAILED else None
        if recipient is not None and skip is not None and recipient.status is RecipientStatus.QUEUED:
            uow.recipients.save(recipient.skipped(skip))
        elif recipient is not None and row.status.value in set(RecipientStatus):
            moved = recipient.followed(
                RecipientStatus(row.status.value), wa_message_id=row.wa_message_id, at=row.sent_at or now
            )
            uow.recipients.save(moved)
    else:
        follow_message(uow, row, now=now)


def _unsend(uow: UnitOfWork, row: Message, ref: str) -> None:
    """What failed is no contact, unless another reminder of its cart left or may leave."""
    cause = ":".join(ref.split(":")[:2])
    number = cause.partition(":")[2]
    held = uow.reengagements.get(int(number), lock=True) if number.isdigit() else None
    if held is None or held.sent_at is None or held.converted:
        return
    rows = caused(uow, held.customer_phone, cause, since=held.created_at)
    if all(one.id == row.id or one.status is MessageStatus.FAILED for one in rows):
        uow.reengagements.save(held.unsent())

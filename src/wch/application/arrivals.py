"""Arrivals: what one event does to the store, in the transaction of its delivery."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

import attrs

from wch.application.dialogue.scene import Silence
from wch.application.facts import MessageReceived
from wch.application.former_days import FIELD, remember
from wch.application.identities import Identities, starts_anew
from wch.application.ports import Said, UnitOfWork, Written
from wch.application.statuses import Statuses, learn_id
from wch.application.tombstones import Tombstones
from wch.domain.audit import AuditEntry
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, amended, document
from wch.domain.evolution import evolve
from wch.domain.inbound import Echo, InboundMessage, PreferenceChange, StatusUpdate
from wch.domain.message import FOREIGN, Direction, Message, MessageStatus
from wch.domain.moment import iso

UNSEEN = frozenset({"reaction", "edit", "revoke", "system"})
"""What counts neither as unread nor as the customer being there."""

FROM_ADS = ("source_type", "source_id", "headline", "ctwa_clid", "ref")
"""What is remembered of the advertisement that somebody came from."""

MOST_RAW = 65_536
"""How much of an account's event is kept, in characters."""


class Verdict(StrEnum):
    """What became of one event."""

    NEW = "new"
    KNOWN = "known"
    DEAD = "dead"


class Applied(NamedTuple):
    """What became of one event.

    Attributes:
        row: the row that was written for a message, if one was.
        written: tells its id once it has one.
    """

    verdict: Verdict
    row: Message | None = None
    written: Written | None = None

    @property
    def fact(self) -> MessageReceived | None:
        """What observers hear of it, after the commit: only then its id is sure."""
        row, written = self.row, self.written
        if row is None or written is None:
            return None
        return MessageReceived(message_id=written.id, conversation_id=row.conversation_id, type=row.type)


NEW, KNOWN, DEAD = Applied(Verdict.NEW), Applied(Verdict.KNOWN), Applied(Verdict.DEAD)


@attrs.frozen(kw_only=True)
class Arrivals:
    """Applies events; the customer's lock is held by then, or taken here.

    Attributes:
        keeps_history: whether what a phone app hands over of former days is kept.
        reopens_within: a thread that was resolved less long ago is the same thread.
    """

    statuses: Statuses
    tombstones: Tombstones
    identities: Identities
    keeps_history: bool
    reopens_within: timedelta

    def status(self, uow: UnitOfWork, event: StatusUpdate, *, now: datetime) -> bool:
        """A status moves its row; whether anything changed."""
        return self.statuses.apply(uow, event, now=now)

    def belongs_to_a_thread(self, event: InboundMessage | Echo) -> bool:
        """Whether a message is one of a customer's own: not said in a group, nor in a history that is not kept."""
        is_group = isinstance(event, InboundMessage) and event.group
        return not is_group and (self.keeps_history or not _is_history(event))

    def message(self, uow: UnitOfWork, event: InboundMessage, *, now: datetime) -> Applied | None:
        """A message becomes profile, conversation, counters and a waiting row, all together.

        None when its id is known with other content.
        """
        if _is_history(event):
            return NEW if self.keeps_history and remember(uow, event, now=now) else KNOWN
        if event.group:
            return self._group(uow, event, now=now)
        sender = self.identities.key_of(uow, event)
        profile = self.tombstones.returned(uow, uow.customers.lock(sender, now=now), now=now)
        there = uow.messages.by_wa_id(event.wa_message_id)
        if there is not None:
            return self._again(uow, there, event, now=now)
        profile = self.identities.met(uow, profile, event, now=now)
        counts = event.type not in UNSEEN
        thread = self._conversation(uow, profile, now=now)
        context = _remembered(thread.context, event, now=now)
        counted = thread.counted(now=now, unread=counts, context=context)
        if thread.id:
            uow.conversations.save(counted)
        else:
            thread = uow.conversations.add(counted)
        row = self._row(event, thread.id, now=now)
        written = uow.messages.add_later(row)
        uow.customers.save(profile.wrote(event.name, now=now, counts=counts, **_told_of(profile, event)))
        if event.type in {"edit", "revoke"}:
            self._change_target(uow, row, now=now)
        self.identities.after(uow, event, now=now)
        return Applied(Verdict.NEW, row, written)

    def _row(self, event: InboundMessage, conversation_id: int | None, *, now: datetime) -> Message:
        row = Message.incoming(
            conversation_id=conversation_id,
            kind=event.type,
            wa_message_id=event.wa_message_id,
            content=event.content,
            raw=event.raw,
            sent_at=event.sent_at,
            now=now,
        )
        return row if event.live else row.handled({"silence": Silence.NO_ACTION.value}, now=now)

    def _group(self, uow: UnitOfWork, event: InboundMessage, *, now: datetime) -> Applied | None:
        """What is said in a group belongs to no thread, and nothing is answered."""
        there = uow.messages.by_wa_id(event.wa_message_id)
        if there is not None:
            return KNOWN if _says(there.content) == _says(event.content) else None
        row = self._row(event, None, now=now).handled({"silence": Silence.GROUP.value}, now=now)
        return Applied(Verdict.NEW, row, uow.messages.add_later(row))

    def _again(self, uow: UnitOfWork, there: Message, event: InboundMessage, *, now: datetime) -> Applied | None:
        """The same id again: nothing new, but a call goes on, and other content is kept aside."""
        if there.type == "call" and event.type == "call":
            return self._call_goes_on(uow, there, event, now=now)
        return KNOWN if _is_told_again(event, there.type, there.content) else None

    def is_known(self, event: InboundMessage, said: Said) -> bool:
        """Whether the row that has this id leaves nothing to do for the event, whoever is meant by it."""
        if _is_history(event) or "call" in {event.type, said.type}:
            return False
        return _is_told_again(event, said.type, said.content)

    def _call_goes_on(self, uow: UnitOfWork, there: Message, event: InboundMessage, *, now: datetime) -> Applied:
        """A further event of a call changes its row, each event once."""
        row = uow.messages.get(there.id, lock=True)
        word = event.content.get("event")
        if row is None or word in row.content.get("events", (row.content.get("event"),)):
            return KNOWN
        events = [*row.content.get("events", (row.content.get("event"),)), word]
        merged = amended(row.content, **{**event.content, "events": events})
        uow.messages.save(evolve(row, content=merged, updated_at=max(row.updated_at, now)))
        return NEW

    def _conversation(self, uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> Conversation:
        """The customer's open thread, one that was resolved a short while ago, both locked, or a new one to be written."""
        latest = uow.conversations.latest_of(profile.phone, lock=True)
        is_other = profile.new_owner_since == now
        if is_other and latest is not None:
            uow.conversations.save(starts_anew(profile, latest, now=now) or latest)
            latest = None
        if latest is not None and latest.is_open:
            return latest
        if latest is not None and now - latest.updated_at < self.reopens_within:
            return latest.reopened(now=now)
        return Conversation(customer_phone=profile.phone, created_at=now, updated_at=now)

    def _change_target(self, uow: UnitOfWork, row: Message, *, now: datetime) -> None:
        """An edit or a take-back changes the message it is about; one that still waits is handled as changed."""
        target = row.content.get("target")
        seen = uow.messages.by_wa_id(target) if isinstance(target, str) else None
        held = (
            None
            if seen is None or seen.conversation_id != row.conversation_id
            else uow.messages.get(seen.id, lock=True)
        )
        if held is None or held.wa_message_id == row.wa_message_id:
            return
        if row.type == "revoke":
            content = amended(held.content, revoked_at=iso(now))
            changed = evolve(held, content=content)
            if held.status is MessageStatus.RECEIVED:
                changed = changed.handled({"silence": Silence.REVOKE.value}, now=now)
        else:
            edit = {name: value for name, value in row.content.get("message", {}).items() if name != "type"}
            edits = [*held.content.get("edits", ()), {"at": iso(now), **edit}]
            content = amended(held.content, edits=edits)
            if held.status is MessageStatus.RECEIVED:
                content = amended(content, **edit)
            changed = evolve(held, content=content)
        uow.messages.save(changed)

    def echo(self, uow: UnitOfWork, event: Echo, *, now: datetime) -> bool:
        """The shop's owner wrote from the phone: it is kept, and a person has the thread."""
        if _is_history(event):
            return self.keeps_history and remember(uow, event, now=now)
        profile = uow.customers.lock(self.identities.key(uow, event.recipient), now=now)
        there = uow.messages.by_wa_id(event.wa_message_id)
        if there is not None and there.type != FOREIGN:
            return False
        conversation = self._thread(uow, profile, now=now)
        row = uow.messages.add(
            Message(
                conversation_id=conversation.id,
                direction=Direction.OUTBOUND,
                type=event.type,
                content=amended(event.content, **{"class": "reply", "origin": document(by="phone_app")}),
                raw_payload=event.raw,
                status=MessageStatus.SENT,
                created_at=now,
                updated_at=now,
                sent_at=event.sent_at,
            )
        )
        uow.messages.save(learn_id(uow, row, event.wa_message_id, now=now))
        if conversation.is_open:
            conversation = conversation.answered_by(None, reason="phone_app", now=now)
        uow.conversations.save(conversation.counted(now=now).seen(now=now))
        if event.type in {"edit", "revoke"}:
            self._change_target(uow, row, now=now)
        return True

    def _thread(self, uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> Conversation:
        latest = uow.conversations.latest_of(profile.phone, lock=True)
        if latest is not None:
            return latest
        return uow.conversations.add(
            Conversation(
                customer_phone=profile.phone,
                status=ConversationStatus.RESOLVED,
                created_at=now,
                updated_at=now,
            )
        )

    def preference(self, uow: UnitOfWork, event: PreferenceChange, *, now: datetime) -> None:
        """What the customer decided in WhatsApp itself; an older decision than the last is only logged."""
        profile = uow.customers.lock(self.identities.key(uow, event.sender), now=now)
        uow.customers.save(profile.told_whatsapp(event.value, event.at, now=now))

    def account(self, uow: UnitOfWork, field: str, number: str | None, value: JsonObject, *, now: datetime) -> None:
        """What the account, a template, a payment or an unknown field tells: written down as it came."""
        uow.audit.add(
            AuditEntry(
                at=now,
                actor="whatsapp",
                action=f"whatsapp.{field or 'unknown'}"[:100],
                object=f"number:{number}" if number else None,
                detail=_kept(value),
            )
        )


def _told_of(profile: CustomerProfile, event: InboundMessage) -> Mapping[str, Any]:
    """What a message tells of its sender's identity."""
    wa_id = event.wa_id
    if wa_id == event.sender and not (event.sender_user_id or event.parent_user_id or event.username):
        return _NOTHING
    known: Any = profile.preferences.get("identity", {}).get("aliases", ())
    told = [wa_id] if wa_id not in {None, event.sender, profile.phone} else []
    return {
        "bsuid": event.sender_user_id,
        "parent_bsuid": event.parent_user_id,
        "username": event.username,
        "aliases": list(dict.fromkeys([*known, *told])) or None,
    }


_NOTHING: Mapping[str, Any] = {}


def _remembered(context: JsonObject, event: InboundMessage, *, now: datetime) -> JsonObject:
    """What a thread remembers after this message: the number it came to, and an advertisement it came from."""
    referral = event.content.get("referral")
    if referral is None and context.get("number") == event.number and "window_closed_at" not in context:
        return context
    remembered: dict[str, Any] = {"number": event.number, "window_closed_at": None}
    if isinstance(referral, Mapping):
        kept = {name: referral[name] for name in FROM_ADS if isinstance(referral.get(name), str)}
        seen = {**kept, "at": iso(now)}
        remembered["referral"] = {"first": context.get("referral", {}).get("first", seen), "latest": seen}
    after = amended(context, **remembered)
    return context if after == context else after


def _is_history(event: InboundMessage | Echo) -> bool:
    return event.raw.get("field") == FIELD


def _kept(value: JsonObject) -> JsonObject:
    """The value, or the beginning of its text when it is very large."""
    text = json.dumps(value, ensure_ascii=False)
    return document(value=dict(value)) if len(text) <= MOST_RAW else document(text=text[:MOST_RAW], cut=True)


def _is_told_again(event: InboundMessage, word: str, content: JsonObject) -> bool:
    """Whether a row of this type and content says what the event says, or did before it was changed."""
    same = word == event.type and (content == event.content or _says(content) == _says(event.content))
    return same or "edits" in content or "revoked_at" in content


def _says(content: JsonObject) -> dict[str, Any]:
    """What a message says, apart from what differs between two deliveries of it or was added since."""
    left = {
        name: value
        for name, value in content.items()
        if name not in {"v", "handled", "edits", "revoked_at", "time_repaired", "errors"}
    }
    media = left.get("media")
    if isinstance(media, Mapping):
        left["media"] = {name: value for name, value in media.items() if name != "url"}
    return left

"""A message: one row for each thing said, in either direction, and its way upwards."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.document import JsonObject, amended, document
from wch.domain.evolution import evolve
from wch.domain.moment import EPOCH, iso, of_iso, utc_seconds


class Direction(StrEnum):
    """Who said it."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class MessageStatus(StrEnum):
    """Where a message is on its way; inbound and outbound have words of their own."""

    RECEIVED = "received"
    PROCESSING = "processing"
    PROCESSED = "processed"
    DEAD = "dead"
    PENDING = "pending"
    SENDING = "sending"
    UNCONFIRMED = "unconfirmed"
    SENT = "sent"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"


RANK: Mapping[MessageStatus, int] = {
    MessageStatus.PENDING: 0,
    MessageStatus.SENDING: 0,
    MessageStatus.UNCONFIRMED: 0,
    MessageStatus.SENT: 1,
    MessageStatus.FAILED: 2,
    MessageStatus.DELIVERED: 3,
    MessageStatus.READ: 4,
}
"""How far an outbound message has come; a status is applied only when it ranks higher."""

PROVIDER_STATUSES: Mapping[str, MessageStatus] = {
    "sent": MessageStatus.SENT,
    "delivered": MessageStatus.DELIVERED,
    "read": MessageStatus.READ,
    "played": MessageStatus.READ,
    "failed": MessageStatus.FAILED,
}
"""WhatsApp's words for a message's way, and ours; any other word moves nothing."""


class Class(StrEnum):
    """What an outbound message is for; replies leave first, campaigns last."""

    REPLY = "reply"
    NOTICE = "notice"
    CAMPAIGN = "campaign"


PRIORITY: Mapping[Class, int] = {Class.REPLY: 0, Class.NOTICE: 1, Class.CAMPAIGN: 2}

FOREIGN = "foreign"
"""The type of a placeholder: a status came before anything that it could be about."""

HISTORY = "history"
"""By whom, in its origin, a message is that was said elsewhere: kept for people to read, it counts nowhere."""

_TIMES: Mapping[MessageStatus, str] = {
    MessageStatus.SENT: "sent_at",
    MessageStatus.DELIVERED: "delivered_at",
    MessageStatus.READ: "read_at",
}


@attrs.frozen(kw_only=True, slots=False)
class Message:
    """One row of `messages`.

    Attributes:
        conversation_id: None for groups and for placeholders of unknown customers.
        type: the provider's word where it is known, else `unsupported`; `foreign` for a placeholder.
        wa_message_id: WhatsApp's id, unique for ever; outbound: None until WhatsApp gives one.
        content: what was said and what became of it; shapes as the documentation's data page has them.
        raw_payload: the one event as it came, with the metadata around it; inbound only.
        retry_count: the attempts made, and the fence of the present one.
        updated_at: the stamp of the lease while in work.
        sent_at: inbound: the provider's time; outbound: the provider's time of `sent`, until then of acceptance.
    """

    id: int = 0
    conversation_id: int | None = None
    direction: Direction
    type: str
    wa_message_id: str | None = None
    content: JsonObject = attrs.field(factory=document)
    raw_payload: JsonObject | None = None
    status: MessageStatus
    retry_count: int = attrs.field(default=0, validator=not_negative)
    error_message: str | None = None
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)
    sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    delivered_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    read_at: datetime | None = attrs.field(default=None, validator=utc_seconds)

    @staticmethod
    def incoming(
        *,
        conversation_id: int | None,
        kind: str,
        wa_message_id: str,
        content: JsonObject,
        raw: JsonObject,
        sent_at: datetime,
        now: datetime,
    ) -> "Message":
        """A message that a customer sent, waiting for its answer.

        Args:
            conversation_id: the thread it belongs to; None for groups.
            kind: the provider's type word.
            wa_message_id: WhatsApp's id.
            content: what was said.
            raw: the event as it came.
            sent_at: the provider's time.
            now: the moment it is accepted.
        """
        return evolve(
            _INCOMING,
            conversation_id=conversation_id,
            type=kind,
            wa_message_id=wa_message_id,
            content=content,
            raw_payload=raw,
            created_at=now,
            updated_at=now,
            sent_at=sent_at,
        )

    @classmethod
    def outgoing(
        cls,
        *,
        conversation_id: int,
        kind: str,
        body: JsonObject,
        to: JsonObject,
        number: str,
        class_: Class,
        origin: JsonObject,
        now: datetime,
        **more: Any,
    ) -> Self:
        """A message that waits in the outbox.

        Args:
            conversation_id: the thread it belongs to.
            kind: the provider's type word, such as `text` or `interactive`.
            body: the Cloud API body without its envelope.
            to: `{"wa_id": digits}` or `{"user_id": BSUID}`.
            number: the phone number id it leaves from.
            class_: reply, notice or campaign.
            origin: `{"by": ..., "ref": ...}`: who caused it.
            now: the moment it is written.
            more: further fields of the content: `expires_at`, `not_before`, `fallback`, `retry_of`.
        """
        content = document(
            kind=kind,
            **{"class": class_.value},
            body=body,
            to=to,
            number=number,
            origin=origin,
            **more,
        )
        return cls(
            conversation_id=conversation_id,
            direction=Direction.OUTBOUND,
            type=kind,
            content=content,
            status=MessageStatus.PENDING,
            created_at=now,
            updated_at=now,
        )

    @property
    def class_(self) -> Class:
        """Reply, notice or campaign; a row that does not say is a reply."""
        word = self.content.get("class")
        return Class(word) if isinstance(word, str) and word in set(Class) else Class.REPLY

    @property
    def expires_at(self) -> datetime | None:
        """After this moment it is not sent any more."""
        return _moment(self.content.get("expires_at"))

    @property
    def not_before(self) -> datetime | None:
        """Before this moment it is not sent yet."""
        return _moment(self.content.get("not_before"))

    @property
    def words(self) -> str:
        """What it says, for people and for searching; empty when it says nothing in words."""
        body = self.content.get("body")
        if isinstance(body, str):
            return body
        if isinstance(body, Mapping):
            inner = body.get(str(body.get("type")))
            if not isinstance(inner, Mapping):
                return ""
            text = inner.get("body")
            found = text.get("text") if isinstance(text, Mapping) else text
            return str(found or inner.get("caption") or inner.get("name") or "")
        told = (self.content.get(name) for name in ("text", "title", "caption", "emoji", "name"))
        return next((one for one in told if isinstance(one, str)), "")

    @property
    def counts(self) -> bool:
        """Whether it is one of its conversation's `message_count`."""
        return self.type != FOREIGN and not is_history(self.content)

    def handled(self, account: JsonObject, *, now: datetime) -> Self:
        """An inbound message whose answer, or reason for silence, is written with this."""
        return evolve(
            self,
            status=MessageStatus.PROCESSED,
            content=amended(self.content, handled={"at": iso(now), **account}),
            error_message=None,
            updated_at=max(self.updated_at, now),
        )

    def died(self, error: str, *, now: datetime) -> Self:
        """An inbound message whose attempts are used up; its dead letter is written with this."""
        return evolve(self, status=MessageStatus.DEAD, error_message=error, updated_at=max(self.updated_at, now))

    def waiting_again(self, error: str | None, *, now: datetime, attempts: int | None = None) -> Self:
        """Back to the queue it came from; the attempt counts unless it is given back."""
        inbound = self.direction is Direction.INBOUND
        return evolve(
            self,
            status=MessageStatus.RECEIVED if inbound else MessageStatus.PENDING,
            retry_count=self.retry_count if attempts is None else attempts,
            error_message=error,
            updated_at=max(self.updated_at, now),
        )

    def accepted(self, wa_message_id: str, *, now: datetime) -> Self:
        """WhatsApp took it: the first id that becomes known stays, another one is noted."""
        known = self.with_id(wa_message_id)
        if RANK[self.status] >= RANK[MessageStatus.SENT]:
            return evolve(known, updated_at=max(self.updated_at, now))
        return evolve(
            known,
            status=MessageStatus.SENT,
            sent_at=self.sent_at or now,
            error_message=None,
            updated_at=max(self.updated_at, now),
        )

    def with_id(self, wa_message_id: str) -> Self:
        """The same message knowing this id of WhatsApp's."""
        if self.wa_message_id is None:
            return evolve(self, wa_message_id=wa_message_id)
        if self.wa_message_id == wa_message_id:
            return self
        others = [*self.content.get("other_ids", ()), wa_message_id]
        return evolve(self, content=amended(self.content, other_ids=list(dict.fromkeys(others))))

    def failed(self, error: str, *, now: datetime) -> Self:
        """It will not arrive; a row that came further keeps its state and only notes the error."""
        if RANK[self.status] >= RANK[MessageStatus.FAILED]:
            return self if self.error_message else evolve(self, error_message=error)
        return evolve(self, status=MessageStatus.FAILED, error_message=error, updated_at=max(self.updated_at, now))

    def in_doubt(self, reason: str, *, now: datetime) -> Self:
        """The request left and no answer came: an echo of WhatsApp's will settle it."""
        if RANK[self.status] > 0:
            return self
        return evolve(
            self, status=MessageStatus.UNCONFIRMED, error_message=reason, updated_at=max(self.updated_at, now)
        )

    def told(self, word: str, at: datetime, *, now: datetime, error: str | None = None) -> Self:
        """A status of WhatsApp's: it only moves the message up, in whatever order statuses come.

        Each time column ends as the provider's time of its own status; until that comes
        it holds what the next higher status filled in. A `failed` that comes too late
        still fills an empty `error_message`. Words that are not known move nothing and are
        kept in `other_statuses`. No status moves a customer's own message.
        """
        if self.direction is Direction.INBOUND:
            return self
        status = PROVIDER_STATUSES.get(word)
        if status is None:
            others = [*self.content.get("other_statuses", ()), {"status": word, "at": iso(at)}]
            unique = [one for place, one in enumerate(others) if one not in others[:place]]
            return evolve(self, content=amended(self.content, other_statuses=unique))
        changes: dict[str, Any] = self._times(status, at)
        content = self.content
        if word == "played" and "played_at" not in content:
            content = amended(content, played_at=iso(at))
        if changes:
            own = {**content.get("own_times", {}), **dict.fromkeys(changes.pop("own", ()), iso(at))}
            content = amended(content, own_times=own or None)
        if error is not None and self.error_message is None:
            changes["error_message"] = error
        if RANK[status] > RANK[self.status]:
            changes["status"] = status
            if status is MessageStatus.FAILED and error is not None:
                changes["error_message"] = error
            if status is not MessageStatus.FAILED and self.status in _DOUBTFUL:
                changes.setdefault("error_message", None)
            changes["updated_at"] = max(self.updated_at, now)
        return evolve(self, content=content, **changes)

    def _times(self, status: MessageStatus, at: datetime) -> dict[str, Any]:
        """The time columns that this status fills or replaces; of one status told twice the earlier time stays."""
        if status is MessageStatus.FAILED:
            return {}
        own: Mapping[str, Any] = self.content.get("own_times", {})
        column = _TIMES[status]
        changes: dict[str, Any] = {}
        if column not in own or iso(at) < own[column]:
            changes[column] = at
            changes["own"] = (column,)
        for lower, name in _TIMES.items():
            if RANK[lower] < RANK[status] and getattr(self, name) is None:
                changes[name] = at
        return changes


_INCOMING = Message(
    direction=Direction.INBOUND, type="", status=MessageStatus.RECEIVED, created_at=EPOCH, updated_at=EPOCH
)
"""What every incoming message is at first."""

_DOUBTFUL = frozenset({MessageStatus.PENDING, MessageStatus.SENDING, MessageStatus.UNCONFIRMED})


def _moment(word: object) -> datetime | None:
    """The moment that an ISO text names; None when there is none or it cannot be read."""
    if not isinstance(word, str):
        return None
    try:
        return of_iso(word)
    except ValueError:
        return None


def is_history(content: JsonObject) -> bool:
    """Whether the content is that of a message said elsewhere."""
    origin: Any = content.get("origin")
    return isinstance(origin, Mapping) and origin.get("by") == HISTORY

"""What the API shows of the machinery: dead letters, sagas, breakers, limits, the queue, the audit log."""

from datetime import datetime
from typing import Any

import attrs

from wch.application.claims import ClaimsOf
from wch.application.dead_letters import GroupRehearsed
from wch.application.limits import Block
from wch.application.masks import masked_document, masked_number, masked_text
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.dead_letter import DeadLetter
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.saga import Saga
from wch.domain.sync import SyncTask
from wch.entrypoints.http.api.views import word_of


@attrs.frozen(kw_only=True)
class DeadLetterView:
    """What failed for good; the bytes that were sent are shown with `pii` only."""

    id: int
    hook: str
    reason: str
    status: str
    error: str | None
    attempts: int
    args: dict[str, Any]
    metadata: dict[str, Any]
    created_at: datetime
    replayed_at: datetime | None
    dismissed_at: datetime | None

    @classmethod
    def of(cls, one: DeadLetter, *, sees: bool) -> "DeadLetterView":
        """This letter."""
        hidden = () if sees else ("body", "event")
        return cls(
            id=one.id,
            hook=one.hook,
            reason=one.reason,
            status=one.status.value,
            error=one.error_message,
            attempts=one.attempts,
            args={name: value for name, value in one.args.items() if name not in hidden},
            metadata=dict(one.metadata),
            created_at=one.created_at,
            replayed_at=one.replayed_at,
            dismissed_at=one.dismissed_at,
        )


@attrs.frozen(kw_only=True)
class LetterCountView:
    """So many letters stand so."""

    status: str
    hook: str
    reason: str
    count: int


@attrs.frozen(kw_only=True)
class RefusedLetterView:
    """A letter that could not be replayed."""

    id: int
    why: str


@attrs.frozen(kw_only=True)
class RowCountView:
    """So many rows of a table that would change so; `before` is null where they would be new."""

    table: str
    before: str | None
    after: str
    count: int


@attrs.frozen(kw_only=True)
class MessageCountView:
    """So many messages that would go to customers, or wait to be answered."""

    goes: bool
    type: str
    count: int


@attrs.frozen(kw_only=True)
class GroupRehearsalView:
    """What a replay of many letters would come to, each tried by itself.

    Attributes:
        letters: those that would go through.
        failures: how many would become a new letter, by the class of the error.
    """

    letters: list[int]
    failures: dict[str, int]
    refused: list[RefusedLetterView]
    rows: list[RowCountView]
    messages: list[MessageCountView]

    @classmethod
    def of(cls, one: GroupRehearsed) -> "GroupRehearsalView":
        """This rehearsal."""
        return cls(
            letters=list(one.through),
            failures=dict(sorted(one.failures.items())),
            refused=[RefusedLetterView(id=number, why=why) for number, why in one.refused.items()],
            rows=[
                RowCountView(table=table, before=before, after=after, count=count)
                for (table, before, after), count in sorted(one.rows.items(), key=str)
            ],
            messages=[
                MessageCountView(goes=goes, type=kind, count=count)
                for (goes, kind), count in sorted(one.messages.items())
            ],
        )


@attrs.frozen(kw_only=True)
class SagaStepView:
    """One entry of a saga's log."""

    event: str
    step: str | None
    at: str
    why: str | None


@attrs.frozen(kw_only=True)
class SagaView:
    """A saga as a time line; `actions` is what an operator may do now, `context` is shown with `pii` only."""

    id: str
    type: str
    state: str
    outcome: str | None
    reason: str | None
    step: str | None
    actions: list[str]
    steps: list[SagaStepView]
    context: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Saga, *, sees: bool) -> "SagaView":
        """This saga."""
        return cls(
            id=one.saga_id,
            type=one.saga_type,
            state=one.state.value,
            outcome=one.outcome,
            reason=word_of(one.context.get("reason") or one.context.get("failure")),
            step=word_of(one.context.get("step")),
            actions=[str(word) for word in one.context.get("actions") or ()],
            steps=[
                SagaStepView(
                    event=str(entry["ev"]),
                    step=word_of(entry.get("step")),
                    at=str(entry["at"]),
                    why=word_of(entry.get("error") or entry.get("reason") or entry.get("because")),
                )
                for entry in one.log
            ],
            context=dict(one.context) if sees else None,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class BreakerView:
    """A circuit breaker: closed, open, or half open while one probe is away."""

    service: str
    state: str
    failures: int
    successes: int
    opened_at: datetime | None
    updated_at: datetime

    @classmethod
    def of(cls, one: CircuitBreaker) -> "BreakerView":
        """This breaker."""
        return cls(
            service=one.service,
            state=one.state.value,
            failures=one.failures,
            successes=one.successes,
            opened_at=one.opened_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class ClaimView:
    """One claim: nobody takes the same again before it expires."""

    scope: str
    taken_at: datetime
    expires_at: datetime


@attrs.frozen(kw_only=True)
class ClaimsView:
    """What was taken under a key; a message's id is held by its row, for ever."""

    claims: list[ClaimView]
    message_id: int | None

    @classmethod
    def of(cls, one: ClaimsOf) -> "ClaimsView":
        """These claims."""
        return cls(
            claims=[
                ClaimView(scope=claim.scope, taken_at=claim.processed_at, expires_at=claim.expires_at)
                for claim in one.claims
            ],
            message_id=one.message_id,
        )


@attrs.frozen(kw_only=True)
class LimitPartView:
    """Hits of one caller in one part of a window; callers appear as digests."""

    limit: str
    caller: str
    hits: int
    since: datetime

    @classmethod
    def of(cls, one: RateLimitWindow) -> "LimitPartView":
        """This part."""
        return cls(
            limit=one.limit_type, caller=one.identifier_hash[:12], hits=one.request_count, since=one.window_start
        )


@attrs.frozen(kw_only=True)
class BlockView:
    """A caller that one limit refuses until then; it appears as a digest."""

    limit: str
    caller: str
    until: datetime

    @classmethod
    def of(cls, one: Block) -> "BlockView":
        """This block."""
        return cls(limit=one.limit, caller=one.identifier_hash[:12], until=one.until)


@attrs.frozen(kw_only=True)
class SyncTaskView:
    """One row of the queue that keeps shop and hub in step."""

    id: int
    entity: str
    entity_id: int
    action: str
    status: str
    attempts: int
    error: str | None
    created_at: datetime
    processed_at: datetime | None

    @classmethod
    def of(cls, one: SyncTask) -> "SyncTaskView":
        """This row."""
        return cls(
            id=one.id,
            entity=one.entity_type.value,
            entity_id=one.entity_id,
            action=one.action.value,
            status=one.status.value,
            attempts=one.attempts,
            error=one.error_message,
            created_at=one.created_at,
            processed_at=one.processed_at,
        )


@attrs.frozen(kw_only=True)
class AuditView:
    """One line of the audit log; what somebody wrote is told by its length alone for a key without `pii`."""

    id: int
    at: datetime
    actor: str
    role: str | None
    action: str
    object: str | None
    reason: str | None
    detail: dict[str, Any]

    @classmethod
    def of(cls, one: AuditEntry, *, sees: bool) -> "AuditView":
        """This line."""
        return cls(
            id=one.id,
            at=one.at,
            actor=one.actor,
            role=one.role,
            action=one.action,
            object=one.object,
            reason=one.reason if sees else masked_text(one.reason),
            detail=dict(one.detail if sees else masked_document(one.detail)),
        )


@attrs.frozen(kw_only=True)
class RecipientView:
    """Somebody a broadcast goes to."""

    id: int
    phone: str
    status: str
    sent_at: datetime | None

    @classmethod
    def of(cls, one: BroadcastRecipient, *, sees: bool) -> "RecipientView":
        """This recipient."""
        phone = one.phone if sees else masked_number(one.phone)
        return cls(id=one.id, phone=phone, status=one.status.value, sent_at=one.sent_at)

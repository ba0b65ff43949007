"""A dead letter: what failed for good, kept until a named person decides."""

from datetime import datetime
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import ConflictError
from wch.domain.evolution import evolve
from wch.domain.moment import iso, utc_seconds


class DeadLetterStatus(StrEnum):
    """What was decided."""

    PENDING = "pending"
    REPLAYED = "replayed"
    DISMISSED = "dismissed"


class Reason(StrEnum):
    """Why it failed for good."""

    VALIDATION_FAILED = "validation_failed"
    CONFLICT = "conflict"
    FOREIGN_NUMBER = "foreign_number"
    EXCEPTION = "exception"
    CRASH = "crash"
    MAX_RETRIES_EXCEEDED = "max_retries_exceeded"
    UNCONFIRMED_TWICE = "unconfirmed_twice"
    REQUEST_REFUSED = "request_refused"
    UNKNOWN_CODE = "unknown_code"
    PAYMENT_UNMATCHED = "payment_unmatched"
    REFUSED = "refused"


class Hook:
    """The duties that letters come from; a replay goes back to the same one."""

    WEBHOOK = "whatsapp.webhook"
    EVENT = "whatsapp.event"
    INBOUND = "messages.inbound"
    OUTBOUND = "messages.outbound"
    NOTIFICATION = "notification"
    SAGA = "saga"
    PAYMENT = "payment"
    SHOP = "woocommerce.webhook"


@attrs.frozen(kw_only=True, slots=False)
class DeadLetter:
    """One row of `dead_letter_queue`.

    Attributes:
        hook: whose work it was.
        args: `{"v": 1, "table", "id"}`, or the bytes that were sent, in base64.
        reason: one of `Reason`, or the word of a parked saga.
        attempts: the takes of this round.
        metadata: tries with times and errors, fingerprint, parent.
    """

    id: int = 0
    hook: str
    args: JsonObject = attrs.field(factory=document)
    reason: str = attrs.field(validator=attrs.validators.max_len(100))
    error_message: str | None = None
    attempts: int = 0
    priority: int = 0
    metadata: JsonObject = attrs.field(factory=document)
    status: DeadLetterStatus = DeadLetterStatus.PENDING
    created_at: datetime = attrs.field(validator=utc_seconds)
    replayed_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    dismissed_at: datetime | None = attrs.field(default=None, validator=utc_seconds)

    @classmethod
    def of_row(
        cls, hook: str, table: str, row: int | str, reason: str, *, error: str | None, attempts: int, now: datetime
    ) -> Self:
        """The letter of a row of work that has ended."""
        return cls(
            hook=hook,
            args=document(table=table, id=row),
            reason=reason,
            error_message=error,
            attempts=attempts,
            metadata=document(tries=[{"at": iso(now), "error": error}]),
            created_at=now,
        )

    def replayed(self, *, now: datetime, by: str) -> Self:
        """Its work waits again.

        Raises:
            ConflictError: somebody decided already.
        """
        self._must_be_pending()
        return evolve(
            self,
            status=DeadLetterStatus.REPLAYED,
            replayed_at=now,
            metadata=amended(self.metadata, replayed_by=by),
        )

    def dismissed(self, reason: str, *, now: datetime, by: str) -> Self:
        """Nothing more will be done about it.

        Raises:
            ConflictError: somebody decided already.
        """
        self._must_be_pending()
        return evolve(
            self,
            status=DeadLetterStatus.DISMISSED,
            dismissed_at=now,
            metadata=amended(self.metadata, dismissed_by=by, dismissed_because=reason),
        )

    def _must_be_pending(self) -> None:
        if self.status is not DeadLetterStatus.PENDING:
            raise ConflictError(letter_id=self.id, status=self.status)

"""An order notice: what one customer is told once about one order."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.errors import TransitionError
from wch.domain.lease import back_off
from wch.domain.moment import utc_seconds

CONFIRMED = "order_confirmed"
SHIPPED = "shipped"
DELIVERED = "delivered"
REFUNDED = "refunded"
STATUS_PREFIX = "status_"

DELAY = timedelta(seconds=30)
"""How long a notice waits, so that a status that is taken back at once is never told."""


class NotificationStatus(StrEnum):
    """Where a notice is; once queued it goes the way of its message."""

    PENDING = "pending"
    QUEUED = "queued"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"
    SKIPPED = "skipped"


RANK = {
    NotificationStatus.PENDING: 0,
    NotificationStatus.QUEUED: 0,
    NotificationStatus.UNCONFIRMED: 0,
    NotificationStatus.SENT: 1,
    NotificationStatus.FAILED: 2,
    NotificationStatus.DELIVERED: 3,
    NotificationStatus.READ: 4,
}


@attrs.frozen(kw_only=True)
class Notification:
    """One row of `notification_log`.

    Attributes:
        order_id: the shop's order; its variables are read from there when it is prepared.
        notification_type: one word that holds all that a later attempt needs, such as `shipped_2`.
        updated_at: while pending, the moment from which it may be looked at.
    """

    id: int = 0
    order_id: int
    notification_type: str = attrs.field(validator=attrs.validators.max_len(50))
    customer_phone: str
    template_name: str | None = None
    wa_message_id: str | None = None
    status: NotificationStatus = NotificationStatus.PENDING
    retry_count: int = attrs.field(default=0, validator=attrs.validators.ge(0))
    sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    delivered_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    read_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    error_message: str | None = None
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    def queued(self, *, template_name: str | None, now: datetime) -> Self:
        """Its message row is written in the same transaction."""
        self._must_be_pending()
        return attrs.evolve(self, status=NotificationStatus.QUEUED, template_name=template_name, updated_at=now)

    def held(self, until: datetime) -> Self:
        """Not looked at before this moment."""
        self._must_be_pending()
        return attrs.evolve(self, updated_at=until)

    def retried(self, error: str, *, now: datetime) -> Self:
        """It could not be prepared, or its message failed in a way that may pass; it waits and counts."""
        if self.status not in {NotificationStatus.PENDING, NotificationStatus.QUEUED, NotificationStatus.FAILED}:
            raise TransitionError(notification_id=self.id, status=self.status)
        attempts = self.retry_count + 1
        return attrs.evolve(
            self,
            status=NotificationStatus.PENDING,
            retry_count=attempts,
            error_message=error,
            updated_at=(now + back_off(attempts, self.id)).replace(microsecond=0),
        )

    def skipped(self, reason: str, *, now: datetime) -> Self:
        """Not told, for this reason: superseded, covered, optout, blocked, expired, disabled."""
        self._must_be_pending()
        return attrs.evolve(self, status=NotificationStatus.SKIPPED, error_message=reason, updated_at=now)

    def failed(self, error: str, *, now: datetime) -> Self:
        """Given up; its dead letter is written with this."""
        return attrs.evolve(self, status=NotificationStatus.FAILED, error_message=error, updated_at=now)

    def followed(
        self,
        status: NotificationStatus,
        *,
        now: datetime,
        wa_message_id: str | None = None,
        sent_at: datetime | None = None,
        delivered_at: datetime | None = None,
        read_at: datetime | None = None,
        error: str | None = None,
    ) -> Self:
        """Its message moved: the same ranks, only upwards, with the provider's times."""
        if self.status in {NotificationStatus.SKIPPED, NotificationStatus.PENDING}:
            return self
        higher = RANK.get(status, 0) > RANK[self.status] or (
            RANK[self.status] == 0 and status is NotificationStatus.UNCONFIRMED
        )
        return attrs.evolve(
            self,
            status=status if higher else self.status,
            wa_message_id=wa_message_id or self.wa_message_id,
            sent_at=sent_at or self.sent_at,
            delivered_at=delivered_at or self.delivered_at,
            read_at=read_at or self.read_at,
            error_message=error or self.error_message,
            updated_at=max(self.updated_at, now),
        )

    def _must_be_pending(self) -> None:
        if self.status is not NotificationStatus.PENDING:
            raise TransitionError(notification_id=self.id, status=self.status)

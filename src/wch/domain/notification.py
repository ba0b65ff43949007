"""An order notice: what one customer is told once about one order."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.errors import TransitionError
from wch.domain.evolution import evolve
from wch.domain.lease import BACK_OFF, back_off
from wch.domain.moment import utc_seconds

CONFIRMED = "order_confirmed"
SHIPPED = "shipped"
DELIVERED = "delivered"
REFUNDED = "refunded"
STATUS_PREFIX = "status_"

DELAY = timedelta(seconds=30)
"""How long a notice waits, so that a status that is taken back at once is never told."""

COVERED_FOR = timedelta(minutes=10)
"""A status that came so soon after the confirmation was told with it."""

TOLD_ONCE_IN = timedelta(hours=24)
"""A status that an order comes back to is told again after this time."""

LONGEST_TEMPLATE_NAME = 100

_DAY = timedelta(hours=24)
_LIVES: Mapping[str, timedelta] = {
    CONFIRMED: timedelta(hours=12),
    SHIPPED: timedelta(hours=48),
    DELIVERED: timedelta(hours=48),
    REFUNDED: timedelta(hours=48),
}
_TOLD_AS_COVERED = frozenset({f"{STATUS_PREFIX}processing", f"{STATUS_PREFIX}pending"})


def kind_of(notification_type: str) -> str:
    """The type without its number: `shipped_2` is `shipped`."""
    stem, _, number = notification_type.rpartition("_")
    return stem if number.isdigit() and stem in {SHIPPED, REFUNDED} else notification_type


def number_of(notification_type: str) -> int:
    """Which parcel or refund a type is about: 1 for `shipped`, 2 for `shipped_2`."""
    kind = kind_of(notification_type)
    return 1 if kind == notification_type else int(notification_type.rpartition("_")[2])


def numbered(kind: str, number: int) -> str:
    """The type of the n-th parcel or refund."""
    return kind if number == 1 else f"{kind}_{number}"


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


_TOLD = frozenset(
    {
        NotificationStatus.SENT,
        NotificationStatus.DELIVERED,
        NotificationStatus.READ,
        NotificationStatus.UNCONFIRMED,
    }
)


@attrs.frozen(kw_only=True, slots=False)
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
    retry_count: int = attrs.field(default=0, validator=not_negative)
    sent_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    delivered_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    read_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    error_message: str | None = None
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @property
    def kind(self) -> str:
        """Its type without a number."""
        return kind_of(self.notification_type)

    @property
    def number(self) -> int:
        """Which parcel or refund it is about."""
        return number_of(self.notification_type)

    @property
    def dies_at(self) -> datetime:
        """When it is stale: 12 h for a confirmation, a day for a status, two for the rest."""
        return self.created_at + _LIVES.get(self.kind, _DAY)

    @property
    def waits_for_morning(self) -> bool:
        """Whether quiet hours hold it; a confirmation is wanted at once."""
        return self.kind != CONFIRMED

    def is_superseded(self, status: str) -> bool:
        """Whether it tells a status that the order has left; parcels, refunds and arrivals stay true."""
        return self.kind.startswith(STATUS_PREFIX) and self.kind.removeprefix(STATUS_PREFIX) != status

    def is_covered_by(self, confirmation: "Notification") -> bool:
        """Whether the confirmation, if it was told, has said this already."""
        is_told = confirmation.status not in {NotificationStatus.SKIPPED, NotificationStatus.FAILED}
        return is_told and self.kind in _TOLD_AS_COVERED and self.created_at - confirmation.created_at < COVERED_FOR

    def queued(self, *, template_name: str | None, now: datetime) -> Self:
        """Its message row is written in the same transaction."""
        self._must_be_pending()
        return evolve(self, status=NotificationStatus.QUEUED, template_name=template_name, updated_at=now)

    def held(self, until: datetime) -> Self:
        """Not looked at before this moment."""
        self._must_be_pending()
        return evolve(self, updated_at=until)

    def retried(self, error: str, *, now: datetime, waits: tuple[int, ...] = BACK_OFF) -> Self:
        """It could not be prepared; it waits and counts."""
        self._must_be_pending()
        attempts = self.retry_count + 1
        return evolve(
            self,
            status=NotificationStatus.PENDING,
            retry_count=attempts,
            error_message=error,
            updated_at=(now + back_off(attempts, self.id, waits)).replace(microsecond=0),
        )

    def resent(self, error: str | None, *, now: datetime) -> Self:
        """Its message goes once more, as the same row or a new one: what became of the last one counts no longer."""
        if self.status in {NotificationStatus.PENDING, NotificationStatus.SKIPPED}:
            return self
        return evolve(
            self,
            status=NotificationStatus.QUEUED,
            retry_count=self.retry_count + 1,
            error_message=error,
            updated_at=max(self.updated_at, now),
        )

    def anew(self, *, now: datetime) -> Self:
        """A person lets what was given up be prepared again, with no attempt made.

        Raises:
            TransitionError: it has not failed.
        """
        if self.status is not NotificationStatus.FAILED:
            raise TransitionError(notification_id=self.id, status=self.status)
        return evolve(self, status=NotificationStatus.PENDING, retry_count=0, error_message=None, updated_at=now)

    @property
    def is_told(self) -> bool:
        """Whether its message left for the customer, as far as anybody knows."""
        return self.status in _TOLD

    def once_more(self, *, now: datetime) -> Self:
        """A person has the same told again: a row of its own, so that the first keeps what became of it.

        Raises:
            TransitionError: it was not told yet, or was given up.
        """
        if not self.is_told:
            raise TransitionError(notification_id=self.id, status=self.status)
        return type(self)(
            order_id=self.order_id,
            notification_type=self.notification_type,
            customer_phone=self.customer_phone,
            created_at=now,
            updated_at=now,
        )

    def skipped(self, reason: str, *, now: datetime) -> Self:
        """Not told, for this reason: superseded, covered, optout, blocked, expired, disabled."""
        self._must_be_pending()
        return evolve(self, status=NotificationStatus.SKIPPED, error_message=reason, updated_at=now)

    def called_off(self, reason: str, *, now: datetime) -> Self:
        """Its message was not sent after all, for one of the same reasons.

        Raises:
            TransitionError: it is not queued.
        """
        if self.status is not NotificationStatus.QUEUED:
            raise TransitionError(notification_id=self.id, status=self.status)
        return evolve(self, status=NotificationStatus.SKIPPED, error_message=reason, updated_at=now)

    def failed(self, error: str, *, now: datetime) -> Self:
        """Given up; its dead letter is written with this."""
        return evolve(self, status=NotificationStatus.FAILED, error_message=error, updated_at=now)

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
        return evolve(
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

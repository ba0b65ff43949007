"""A sync task: one entity and one action that shop and catalogue must agree on."""

from datetime import datetime
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.evolution import evolve
from wch.domain.lease import stamp_moved
from wch.domain.moment import utc_seconds

AGAIN = "again"
"""The mark of a running row whose entity changed meanwhile; it is done once more."""


class SyncStatus(StrEnum):
    """The life of a task."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"


class EntityType(StrEnum):
    """What is brought in step; a customer's id is that of the profile, every other one the shop's."""

    PRODUCT = "product"
    ORDER = "order"
    INVENTORY = "inventory"
    CUSTOMER = "customer"


class SyncAction(StrEnum):
    """What happened to it."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@attrs.frozen(kw_only=True, slots=False)
class SyncTask:
    """One row of `sync_queue`; entity type, id and action together are unique.

    Attributes:
        attempts: takes since it was last armed.
        error_message: the latest error, `again` while a running row must be done once more, or the result of a
            completed one where nothing came of it, such as `erased`.
        processed_at: the stamp of the lease, then the moment it ended.
    """

    id: int = 0
    entity_type: EntityType
    entity_id: int = attrs.field(validator=attrs.validators.gt(0))
    action: SyncAction
    status: SyncStatus = SyncStatus.PENDING
    attempts: int = attrs.field(default=0, validator=not_negative)
    error_message: str | None = None
    created_at: datetime = attrs.field(validator=utc_seconds)
    processed_at: datetime | None = attrs.field(default=None, validator=utc_seconds)

    @property
    def hook(self) -> str:
        """The hook of its dead letter."""
        return f"sync:{self.entity_type}:{self.entity_id}:{self.action}"

    def armed(self, *, now: datetime) -> Self:
        """The entity changed: a finished row waits anew, a running one is marked, a waiting one stays."""
        if self.status is SyncStatus.PENDING:
            return self
        if self.status is SyncStatus.PROCESSING:
            return evolve(self, error_message=AGAIN)
        return evolve(self, status=SyncStatus.PENDING, attempts=0, error_message=None, created_at=now)

    def completed(self, *, now: datetime, result: str | None = None) -> Self:
        """Done, with a word for what came of it where that is nothing; a marked row waits once more instead."""
        again = self.error_message == AGAIN
        return evolve(
            self,
            status=SyncStatus.PENDING if again else SyncStatus.COMPLETED,
            attempts=0 if again else self.attempts,
            error_message=None if again else result,
            processed_at=stamp_moved(now, self.processed_at),
        )

    def retried(self, error: str, *, now: datetime) -> Self:
        """It did not work; it waits for its back-off."""
        return evolve(
            self,
            status=SyncStatus.PENDING,
            error_message=error,
            processed_at=stamp_moved(now, self.processed_at),
        )

    def failed(self, error: str, *, now: datetime) -> Self:
        """It will not work; its dead letter is written with this. A marked row waits once more instead."""
        if self.error_message == AGAIN:
            return self.completed(now=now)
        return evolve(
            self, status=SyncStatus.FAILED, error_message=error, processed_at=stamp_moved(now, self.processed_at)
        )

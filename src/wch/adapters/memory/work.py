"""The repositories about work in memory: queues, letters, claims, limits, breakers, sagas, options."""

# ruff: noqa: D102 - what a method promises stands on its port

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from wch.adapters.memory.rows import Rows, first
from wch.adapters.memory.tables import Option
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import SETTLED, BroadcastRecipient, RecipientStatus
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import JsonObject
from wch.domain.errors import DuplicateError, NotLockedError
from wch.domain.lease import Work
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.rate_limit import ANCHOR, RateLimitWindow
from wch.domain.saga import OPEN, Saga, SagaState
from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncStatus, SyncTask


class MemoryRecipientRepository:
    """See `wch.application.ports.RecipientRepository`."""

    def __init__(self, rows: Rows[BroadcastRecipient]) -> None:
        self._rows = rows

    def add(self, recipient: BroadcastRecipient) -> BroadcastRecipient | None:
        try:
            return self._rows.add(recipient)
        except DuplicateError:
            return None

    def add_all(self, recipients: Sequence[BroadcastRecipient]) -> None:
        for recipient in recipients:
            self.add(recipient)

    def get(self, recipient_id: int, *, lock: bool = False) -> BroadcastRecipient | None:
        return self._rows.get(recipient_id, lock=lock)

    def save(self, recipient: BroadcastRecipient) -> None:
        self._rows.save(recipient)

    def take_pending(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        rows = self._rows.where("campaign", campaign_id)
        pending = (row for row in rows if row.id > after and row.status is RecipientStatus.PENDING)
        return self._rows.locked(first(limit, pending))

    def of(self, campaign_id: int, phone: str, *, lock: bool = False) -> BroadcastRecipient | None:
        return self._rows.by("campaign_phone", (campaign_id, phone), lock=lock)

    def reached(self, phone: str, *, since: datetime) -> Sequence[BroadcastRecipient]:
        return [
            row
            for row in self._rows.where("phone", phone)
            if row.status is RecipientStatus.QUEUED
            or (row.sent_at is not None and row.sent_at > since and row.status is not RecipientStatus.FAILED)
        ]

    def standing(
        self, campaign_id: int, statuses: Collection[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[BroadcastRecipient]:
        rows = self._rows.where("campaign", campaign_id)
        return first(limit, (row for row in rows if row.id > after and row.status in statuses))

    def settled(self, campaign_id: int, *, limit: int = 200) -> Sequence[BroadcastRecipient]:
        rows = reversed(self._rows.where("campaign", campaign_id))
        return first(limit, (row for row in rows if row.status in SETTLED))

    def discard(self, campaign_id: int, *, limit: int = 500) -> int:
        return self._rows.forget(self._rows.where("campaign", campaign_id)[:limit])

    def counts(self, campaign_id: int) -> Mapping[str, int]:
        return Counter(row.status.value for row in self._rows.where("campaign", campaign_id))

    def listed(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        return first(limit, (row for row in self._rows.where("campaign", campaign_id) if row.id > after))


class MemorySyncRepository:
    """See `wch.application.ports.SyncRepository`."""

    def __init__(self, rows: Rows[SyncTask]) -> None:
        self._rows = rows

    def enqueue(self, entity_type: EntityType, entity_id: int, action: SyncAction, *, now: datetime) -> SyncTask:
        there = self._rows.by("entity_type_id", (entity_type, entity_id, action), lock=True)
        if there is None:
            task = SyncTask(entity_type=entity_type, entity_id=entity_id, action=action, created_at=now)
            return self._rows.add(task)
        armed = there.armed(now=now)
        self._rows.save(armed)
        return armed

    def enqueue_all(
        self, entity_type: EntityType, entity_ids: Collection[int], action: SyncAction, *, now: datetime
    ) -> None:
        for number in sorted(set(entity_ids)):
            self.enqueue(entity_type, number, action, now=now)

    def get(self, task_id: int, *, lock: bool = False) -> SyncTask | None:
        return self._rows.get(task_id, lock=lock)

    def hold(self, task_ids: Collection[int]) -> Sequence[SyncTask]:
        found = (self._rows.get(number, lock=True) for number in sorted(set(task_ids)))
        return [task for task in found if task is not None]

    def save(self, task: SyncTask) -> None:
        self._rows.save(task)

    def move(self, before: Work, after: Work) -> None:
        row = self._rows.get(before.id)
        is_take = after.attempts > before.attempts
        error = None if row is None or (is_take and row.error_message == AGAIN) else row.error_message
        self._rows.move(before, after, attempts="attempts", stamp="processed_at", error_message=error)

    def finish(self, lease: Work, task: SyncTask) -> None:
        self._rows.finish(lease, task, attempts="attempts", stamp="processed_at")

    def of(self, entity_type: EntityType, entity_id: int, action: SyncAction) -> SyncTask | None:
        return self._rows.by("entity_type_id", (entity_type, entity_id, action))

    def waiting(
        self, status: str, entity_type: EntityType | None = None, *, after: int = 0, limit: int = 50
    ) -> Sequence[Work]:
        kinds = frozenset(EntityType) if entity_type is None else {entity_type}
        rows = first(
            limit,
            (row for row in self._rows.where("status", status) if row.id > after and row.entity_type in kinds),
        )
        return [Work(id=row.id, status=row.status.value, attempts=row.attempts, stamp=row.processed_at) for row in rows]

    def counts(self, entity_type: EntityType, *, since: datetime) -> Mapping[str, int]:
        return Counter(
            row.status.value
            for row in self._rows.all()
            if row.entity_type is entity_type
            and (
                row.status in {SyncStatus.PENDING, SyncStatus.PROCESSING}
                or (row.processed_at is not None and row.processed_at >= since)
            )
        )

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        rows = self._rows.all() if status is None else self._rows.where("status", status)
        return first(limit, (row for row in rows if row.id > after))

    def completed_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[SyncTask]:
        rows = self._rows.where("status", SyncStatus.COMPLETED)
        return first(limit, (row for row in rows if row.id > after and _brought_in_step(row, moment)))


def _brought_in_step(row: SyncTask, moment: datetime) -> bool:
    goods = row.entity_type in {EntityType.PRODUCT, EntityType.INVENTORY}
    return goods and row.processed_at is not None and row.processed_at >= moment


class MemoryNotificationRepository:
    """See `wch.application.ports.NotificationRepository`."""

    def __init__(self, rows: Rows[Notification]) -> None:
        self._rows = rows

    def add(self, notification: Notification) -> Notification:
        return self._rows.add(notification)

    def get(self, notification_id: int, *, lock: bool = False) -> Notification | None:
        return self._rows.get(notification_id, lock=lock)

    def save(self, notification: Notification) -> None:
        self._rows.save(notification)

    def of_order(self, order_id: int, notification_type: str | None = None) -> Sequence[Notification]:
        rows = self._rows.where("order", order_id)
        word = self._rows.fitting("notification_type", notification_type)
        return [row for row in rows if word in {None, row.notification_type}]

    def due(self, now: datetime, *, limit: int = 50) -> Sequence[int]:
        rows = self._rows.where("status", NotificationStatus.PENDING)
        return first(limit, (row.id for row in rows if row.updated_at <= now))

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[Notification]:
        rows = self._rows.all() if status is None else self._rows.where("status", status)
        return first(limit, (row for row in rows if row.id > after))


class MemoryDeadLetterRepository:
    """See `wch.application.ports.DeadLetterRepository`."""

    def __init__(self, rows: Rows[DeadLetter]) -> None:
        self._rows = rows

    def add(self, letter: DeadLetter) -> DeadLetter:
        return self._rows.add(letter)

    def get(self, letter_id: int, *, lock: bool = False) -> DeadLetter | None:
        return self._rows.get(letter_id, lock=lock)

    def save(self, letter: DeadLetter) -> None:
        self._rows.save(letter)

    def listed(
        self,
        *,
        status: DeadLetterStatus | None = None,
        hook: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[DeadLetter]:
        hook, reason = self._rows.fitting("hook", hook), self._rows.fitting("reason", reason)
        rows = self._rows.all() if status is None else self._rows.where("status", status)
        found = (row for row in rows if row.id > after and hook in {None, row.hook} and reason in {None, row.reason})
        return first(limit, found)

    def hold_pending(self, hooks: Collection[str]) -> Sequence[DeadLetter]:
        asked = {self._rows.fitting("hook", hook) for hook in hooks}
        return self._rows.locked(
            [row for row in self._rows.where("status", DeadLetterStatus.PENDING) if row.hook in asked]
        )

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        return Counter((row.status.value, row.hook, row.reason) for row in self._rows.all())

    def purge(self, *, decided_before: datetime) -> int:
        return self._rows.forget(
            [
                row
                for row in self._rows.all()
                if row.status is not DeadLetterStatus.PENDING
                and (decided := row.replayed_at or row.dismissed_at) is not None
                and decided < decided_before
            ]
        )


class MemoryClaimRepository:
    """See `wch.application.ports.ClaimRepository`."""

    def __init__(self, rows: Rows[Claim]) -> None:
        self._rows = rows

    def claim(self, key: str, scope: str, *, now: datetime, expires_at: datetime) -> bool:
        claim = Claim(message_id=key, scope=scope, processed_at=now, expires_at=expires_at)
        there = self._rows.get((key, scope), lock=True)
        if there is None:
            self._rows.add(claim)
            return True
        if not there.is_expired(now=now):
            return False
        self._rows.save(claim)
        return True

    def is_claimed(self, key: str, scope: str, *, now: datetime) -> bool:
        there = self._rows.get((key, scope))
        return there is not None and not there.is_expired(now=now)

    def of(self, key: str) -> Sequence[Claim]:
        return sorted(self._rows.where("message", key), key=lambda claim: claim.scope)

    def purge(self, *, now: datetime, limit: int = 500) -> int:
        return self._rows.forget(first(limit, (row for row in self._rows.all() if row.is_expired(now=now))))


class MemoryRateLimitRepository:
    """See `wch.application.ports.RateLimitRepository`."""

    def __init__(self, rows: Rows[RateLimitWindow]) -> None:
        self._rows = rows

    def lock(self, identifier_hash: str, limit_type: str) -> None:
        if self._rows.get((identifier_hash, limit_type, ANCHOR), lock=True) is None:
            self._rows.add(RateLimitWindow(identifier_hash=identifier_hash, limit_type=limit_type, window_start=ANCHOR))

    def since(self, identifier_hash: str, limit_type: str, oldest: datetime) -> Sequence[RateLimitWindow]:
        rows = self._rows.where("pair", (identifier_hash, limit_type))
        return [row for row in rows if row.window_start >= oldest and row.window_start > ANCHOR]

    def hit(self, identifier_hash: str, limit_type: str, part: datetime, hits: int = 1) -> None:
        there = self._rows.get((identifier_hash, limit_type, part), lock=True)
        if not self._rows.holds((identifier_hash, limit_type, ANCHOR)):
            raise NotLockedError(table="rate_limits")
        before = 0 if there is None else there.request_count
        window = RateLimitWindow(
            identifier_hash=identifier_hash, limit_type=limit_type, request_count=before + hits, window_start=part
        )
        (self._rows.add if there is None else self._rows.save)(window)

    def listed(self, *, limit_type: str | None = None, limit: int = 100) -> Sequence[RateLimitWindow]:
        limit_type = self._rows.fitting("limit_type", limit_type)
        found = [
            row
            for row in self._rows.all()
            if row.window_start > ANCHOR and row.request_count and limit_type in {None, row.limit_type}
        ]
        found.sort(key=lambda row: (row.identifier_hash, row.limit_type))
        return sorted(found, key=lambda row: row.window_start, reverse=True)[:limit]

    def reset(self, *, identifier_hash: str | None = None, limit_type: str | None = None) -> int:
        limit_type = self._rows.fitting("limit_type", limit_type)
        identifier_hash = self._rows.fitting("identifier_hash", identifier_hash)
        return self._rows.forget(
            [
                row
                for row in self._rows.all()
                if row.window_start > ANCHOR
                and identifier_hash in {None, row.identifier_hash}
                and limit_type in {None, row.limit_type}
            ]
        )

    def purge(self, *, before: datetime) -> int:
        return self._rows.forget([row for row in self._rows.all() if ANCHOR < row.window_start < before])


class MemoryBreakerRepository:
    """See `wch.application.ports.BreakerRepository`."""

    def __init__(self, rows: Rows[CircuitBreaker]) -> None:
        self._rows = rows

    def lock(self, service: str, *, now: datetime) -> CircuitBreaker:
        there = self._rows.get(service, lock=True)
        return there if there is not None else self._rows.add(CircuitBreaker(service=service, updated_at=now))

    def of(self, service: str) -> CircuitBreaker | None:
        return self._rows.get(service)

    def save(self, breaker: CircuitBreaker) -> None:
        self._rows.save(breaker)

    def listed(self) -> Sequence[CircuitBreaker]:
        return list(self._rows.all())


class MemorySagaRepository:
    """See `wch.application.ports.SagaRepository`."""

    def __init__(self, rows: Rows[Saga]) -> None:
        self._rows = rows

    def add(self, saga: Saga) -> Saga:
        return self._rows.add(saga)

    def get(self, saga_id: str, *, lock: bool = False) -> Saga | None:
        return self._rows.get(saga_id, lock=lock)

    def save(self, saga: Saga) -> None:
        self._rows.save(saga)

    def replace(self, before: Saga, after: Saga) -> bool:
        return self._rows.replace(before, after)

    def take_due(self, now: datetime, *, limit: int = 10) -> Sequence[Saga]:
        due = [row for state in OPEN for row in self._rows.where("state", state) if row.updated_at <= now]
        return self._rows.locked(sorted(due, key=lambda row: (row.updated_at, row.saga_id))[:limit])

    def listed(
        self,
        *,
        saga_type: str | None = None,
        state: SagaState | None = None,
        outcome: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Saga]:
        after, saga_type = self._rows.fitting("saga_id", after), self._rows.fitting("saga_type", saga_type)
        rows = self._rows.all() if state is None else self._rows.where("state", state)
        found = (
            row
            for row in rows
            if row.saga_id > after and saga_type in {None, row.saga_type} and outcome in {None, row.outcome}
        )
        return first(limit, found)


class MemoryOptionRepository:
    """See `wch.application.ports.OptionRepository`."""

    def __init__(self, rows: Rows[Option]) -> None:
        self._rows = rows

    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        row = self._rows.get(name, lock=lock)
        return None if row is None else row.value

    def look_ahead(self, names: Collection[str]) -> None:
        """Everything is near already."""

    def put(self, name: str, value: JsonObject) -> None:
        option = Option(name=name, value=value)
        if self._rows.get(name, lock=True) is None:
            self._rows.add(option)
        else:
            self._rows.save(option)

    def remove(self, name: str) -> bool:
        there = self._rows.get(name, lock=True)
        return there is not None and self._rows.forget([there]) == 1

    def named(self, prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
        prefix, after = self._rows.fitting("name", prefix), self._rows.fitting("name", after)
        rows = (row for row in self._rows.all() if row.name.startswith(prefix) and row.name > after)
        return [(row.name, row.value) for row in first(limit, rows)]


class MemoryAuditRepository:
    """See `wch.application.ports.AuditRepository`."""

    def __init__(self, rows: Rows[AuditEntry]) -> None:
        self._rows = rows

    def add(self, entry: AuditEntry) -> AuditEntry:
        return self._rows.add(entry)

    def listed(
        self,
        *,
        actor: str | None = None,
        action: str | None = None,
        object: str | None = None,  # noqa: A002 - as the line calls it
        since: datetime | None = None,
        before: datetime | None = None,
        after: int = 0,
        newest_first: bool = False,
        limit: int = 50,
    ) -> Sequence[AuditEntry]:
        actor, action = self._rows.fitting("actor", actor), self._rows.fitting("action", action)
        wanted = self._rows.fitting("object", object)
        rows = list(self._rows.all())
        found = (
            row
            for row in (reversed(rows) if newest_first else rows)
            if (row.id < after if newest_first and after else row.id > after)
            and actor in {None, row.actor}
            and action in {None, row.action}
            and wanted in {None, row.object}
            and (since is None or row.at >= since)
            and (before is None or row.at < before)
        )
        return first(limit, found)

"""The repositories about work: queues, letters, claims, limits, breakers, sagas, options."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs
from sqlalchemy import and_, case, func, or_, select, update

from wch.adapters.sql.rows import Rows, Session, work_of
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import clean
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
from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncTask


class SqlRecipientRepository:
    """See `wch.application.ports.RecipientRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.recipients, BroadcastRecipient)
        self._c = tables.recipients.c

    def add(self, recipient: BroadcastRecipient) -> BroadcastRecipient | None:
        try:
            return self._rows.add(recipient)
        except DuplicateError:
            return None

    def get(self, recipient_id: int, *, lock: bool = False) -> BroadcastRecipient | None:
        return self._rows.get(recipient_id, lock=lock)

    def save(self, recipient: BroadcastRecipient) -> None:
        self._rows.save(recipient)

    def take_pending(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        pending = self._c.status == RecipientStatus.PENDING
        self._session.must_write()
        ids = self._rows.keys(self._c.campaign_id == campaign_id, self._c.id > after, pending, order=[self._c.id])
        return self._rows.take(ids, pending, limit=limit)

    def of(self, campaign_id: int, phone: str, *, lock: bool = False) -> BroadcastRecipient | None:
        return self._rows.one(self._c.campaign_id == campaign_id, self._c.phone == phone, lock=lock)

    def reached(self, phone: str, *, since: datetime) -> Sequence[BroadcastRecipient]:
        left = and_(self._c.sent_at > since, self._c.status != RecipientStatus.FAILED)
        return self._rows.many(self._c.phone == phone, or_(self._c.status == RecipientStatus.QUEUED, left))

    def standing(
        self, campaign_id: int, statuses: Collection[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[BroadcastRecipient]:
        return self._rows.many(
            self._c.campaign_id == campaign_id,
            self._c.id > after,
            self._c.status.in_(sorted(statuses)),
            limit=limit,
        )

    def settled(self, campaign_id: int, *, limit: int = 200) -> Sequence[BroadcastRecipient]:
        return self._rows.many(
            self._c.campaign_id == campaign_id,
            self._c.status.in_(sorted(SETTLED)),
            order=[self._c.id.desc()],
            limit=limit,
        )

    def discard(self, campaign_id: int, *, limit: int = 500) -> int:
        self._session.must_write()
        ids = select(self._c.id).where(self._c.campaign_id == campaign_id).order_by(self._c.id).limit(limit)
        chosen = self._session.execute(ids).scalars().all()
        return self._rows.forget(self._c.id.in_(chosen)) if chosen else 0

    def counts(self, campaign_id: int) -> Mapping[str, int]:
        statement = (
            select(self._c.status, func.count()).where(self._c.campaign_id == campaign_id).group_by(self._c.status)
        )
        return {str(row[0]): int(row[1]) for row in self._session.execute(statement)}

    def listed(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        return self._rows.many(self._c.campaign_id == campaign_id, self._c.id > after, limit=limit)


class SqlSyncRepository:
    """See `wch.application.ports.SyncRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.sync, SyncTask)
        self._c = tables.sync.c

    def enqueue(self, entity_type: EntityType, entity_id: int, action: SyncAction, *, now: datetime) -> SyncTask:
        there = self._rows.lock_or_add(
            SyncTask(entity_type=entity_type, entity_id=entity_id, action=action, created_at=now),
            self._c.entity_type == entity_type,
            self._c.entity_id == entity_id,
            self._c.action == action,
            unique="entity_id",
        )
        armed = there.armed(now=now)
        if armed != there:
            self._rows.save(armed)
        return armed

    def get(self, task_id: int, *, lock: bool = False) -> SyncTask | None:
        return self._rows.get(task_id, lock=lock)

    def save(self, task: SyncTask) -> None:
        self._rows.save(task)

    def move(self, before: Work, after: Work) -> None:
        kept = case((self._c.error_message == AGAIN, None), else_=self._c.error_message)
        self._rows.move(before, after, attempts="attempts", stamp="processed_at", error_message=kept)

    def finish(self, lease: Work, task: SyncTask) -> None:
        self._rows.finish(lease, task, attempts="attempts", stamp="processed_at")

    def waiting(self, status: str, *, after: int = 0, limit: int = 50) -> Sequence[Work]:
        statement = (
            select(self._c.id, self._c.status, self._c.attempts, self._c.processed_at)
            .where(self._c.status == status, self._c.id > after)
            .order_by(self._c.id)
            .limit(limit)
        )
        return [work_of(row, "attempts", "processed_at") for row in self._session.execute(statement)]

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        where = [self._c.id > after]
        if status is not None:
            where.append(self._c.status == status)
        return self._rows.many(*where, limit=limit)


class SqlNotificationRepository:
    """See `wch.application.ports.NotificationRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.notifications, Notification)
        self._c = tables.notifications.c

    def add(self, notification: Notification) -> Notification:
        return self._rows.add(notification)

    def get(self, notification_id: int, *, lock: bool = False) -> Notification | None:
        return self._rows.get(notification_id, lock=lock)

    def save(self, notification: Notification) -> None:
        self._rows.save(notification)

    def of_order(self, order_id: int, notification_type: str | None = None) -> Sequence[Notification]:
        where = [self._c.order_id == order_id]
        if notification_type is not None:
            where.append(self._c.notification_type == notification_type)
        return self._rows.many(*where)

    def due(self, now: datetime, *, limit: int = 50) -> Sequence[int]:
        statement = (
            select(self._c.id)
            .where(self._c.status == NotificationStatus.PENDING, self._c.updated_at <= now)
            .order_by(self._c.id)
            .limit(limit)
        )
        return self._session.execute(statement).scalars().all()

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[Notification]:
        where = [self._c.id > after]
        if status is not None:
            where.append(self._c.status == status)
        return self._rows.many(*where, limit=limit)


class SqlDeadLetterRepository:
    """See `wch.application.ports.DeadLetterRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.dead_letters, DeadLetter)
        self._c = tables.dead_letters.c

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
        where = [self._c.id > after]
        for column, value in ((self._c.status, status), (self._c.hook, hook), (self._c.reason, reason)):
            if value is not None:
                where.append(column == value)
        return self._rows.many(*where, limit=limit)

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        columns = (self._c.status, self._c.hook, self._c.reason)
        statement = select(*columns, func.count()).group_by(*columns)
        return {(str(row[0]), row[1], row[2]): int(row[3]) for row in self._session.execute(statement)}

    def purge(self, *, decided_before: datetime) -> int:
        return self._rows.forget(
            self._c.status != DeadLetterStatus.PENDING,
            func.coalesce(self._c.replayed_at, self._c.dismissed_at) < decided_before,
        )


class SqlClaimRepository:
    """See `wch.application.ports.ClaimRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.claims, Claim, key=("message_id", "scope"))
        self._c = tables.claims.c

    def claim(self, key: str, scope: str, *, now: datetime, expires_at: datetime) -> bool:
        try:
            self._rows.add(Claim(message_id=key, scope=scope, processed_at=now, expires_at=expires_at))
        except DuplicateError:
            # Looked at without a lock first: a live claim is the common case, and many who lose
            # at once would each wait for the lock that the others hold by having asked.
            return not self.is_claimed(key, scope, now=now) and self._take_over(key, scope, now, expires_at)
        return True

    def _take_over(self, key: str, scope: str, now: datetime, expires_at: datetime) -> bool:
        statement = (
            update(self._rows.table)
            .where(self._c.message_id == key, self._c.scope == scope, self._c.expires_at <= now)
            .values(processed_at=now, expires_at=expires_at)
        )
        return self._session.execute(statement).rowcount == 1

    def is_claimed(self, key: str, scope: str, *, now: datetime) -> bool:
        statement = select(self._c.scope).where(
            self._c.message_id == key, self._c.scope == scope, self._c.expires_at > now
        )
        return self._session.execute(statement).first() is not None

    def scopes(self, key: str, *, now: datetime) -> Sequence[str]:
        statement = select(self._c.scope).where(self._c.message_id == key, self._c.expires_at > now)
        return sorted(self._session.execute(statement).scalars())

    def purge(self, *, now: datetime, limit: int = 500) -> int:
        self._session.must_write()
        expired = self._c.expires_at <= now
        keys = (self._c.message_id, self._c.scope)
        # Found without locks and deleted by key: the table has no index on its times.
        gone = self._session.execute(select(*keys).where(expired).order_by(*keys).limit(limit)).all()
        return sum(self._rows.forget(self._c.message_id == key, self._c.scope == scope, expired) for key, scope in gone)


class SqlRateLimitRepository:
    """See `wch.application.ports.RateLimitRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(
            session, tables.limits, RateLimitWindow, key=("identifier_hash", "limit_type", "window_start")
        )
        self._c = tables.limits.c

    def lock(self, identifier_hash: str, limit_type: str) -> None:
        self._rows.lock_or_add(
            RateLimitWindow(identifier_hash=identifier_hash, limit_type=limit_type, window_start=ANCHOR),
            self._c.identifier_hash == identifier_hash,
            self._c.limit_type == limit_type,
            self._c.window_start == ANCHOR,
            unique="request_count",
        )

    def since(self, identifier_hash: str, limit_type: str, oldest: datetime) -> Sequence[RateLimitWindow]:
        return self._rows.many(
            self._c.identifier_hash == identifier_hash,
            self._c.limit_type == limit_type,
            self._c.window_start >= oldest,
            self._c.window_start > ANCHOR,
        )

    def hit(self, identifier_hash: str, limit_type: str, part: datetime, hits: int = 1) -> None:
        self._session.must_write()
        if not self._rows.holds(identifier_hash, limit_type, ANCHOR):
            raise NotLockedError(table=self._rows.table.name)
        there = self._rows.get(identifier_hash, limit_type, part, lock=True)
        if there is None:
            self._rows.add(
                RateLimitWindow(
                    identifier_hash=identifier_hash, limit_type=limit_type, request_count=hits, window_start=part
                )
            )
        else:
            self._rows.save(attrs.evolve(there, request_count=there.request_count + hits))

    def listed(self, *, limit_type: str | None = None, limit: int = 100) -> Sequence[RateLimitWindow]:
        where = [self._c.window_start > ANCHOR, self._c.request_count > 0]
        if limit_type is not None:
            where.append(self._c.limit_type == limit_type)
        order = [self._c.window_start.desc(), self._c.identifier_hash, self._c.limit_type]
        return self._rows.many(*where, order=order, limit=limit)

    def reset(self, *, identifier_hash: str | None = None, limit_type: str | None = None) -> int:
        where = [self._c.window_start > ANCHOR]
        if identifier_hash is not None:
            where.append(self._c.identifier_hash == identifier_hash)
        if limit_type is not None:
            where.append(self._c.limit_type == limit_type)
        return self._rows.forget(*where)

    def purge(self, *, before: datetime) -> int:
        return self._rows.forget(self._c.window_start > ANCHOR, self._c.window_start < before)


class SqlBreakerRepository:
    """See `wch.application.ports.BreakerRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.breakers, CircuitBreaker, key=("service",))
        self._c = tables.breakers.c

    def lock(self, service: str, *, now: datetime) -> CircuitBreaker:
        closed = CircuitBreaker(service=service, updated_at=now)
        return self._rows.lock_or_add(closed, self._c.service == service, unique="service")

    def of(self, service: str) -> CircuitBreaker | None:
        return self._rows.get(service)

    def save(self, breaker: CircuitBreaker) -> None:
        self._rows.save(breaker)

    def listed(self) -> Sequence[CircuitBreaker]:
        return self._rows.many()


class SqlSagaRepository:
    """See `wch.application.ports.SagaRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.sagas, Saga, key=("saga_id",))
        self._c = tables.sagas.c

    def add(self, saga: Saga) -> Saga:
        return self._rows.add(saga)

    def get(self, saga_id: str, *, lock: bool = False) -> Saga | None:
        return self._rows.get(saga_id, lock=lock)

    def save(self, saga: Saga) -> None:
        self._rows.save(saga)

    def take_due(self, now: datetime, *, limit: int = 10) -> Sequence[Saga]:
        self._rows.session.must_write()
        due = self._c.updated_at <= now
        order = [self._c.updated_at, self._c.saga_id]
        found: list[Saga] = []
        for state in sorted(OPEN):
            open_ = self._c.state == state
            found += self._rows.take(self._rows.keys(open_, due, order=order), open_, due, limit=limit)
        return sorted(found, key=lambda saga: (saga.updated_at, saga.saga_id))[:limit]

    def listed(
        self,
        *,
        saga_type: str | None = None,
        state: SagaState | None = None,
        outcome: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Saga]:
        found: list[Saga] = []
        while len(found) < limit:
            where = [self._c.saga_id > after]
            if saga_type is not None:
                where.append(self._c.saga_type == saga_type)
            if state is not None:
                where.append(self._c.state == state)
            page = self._rows.many(*where, limit=limit)
            found += [saga for saga in page if outcome in {None, saga.outcome}]
            if len(page) < limit:
                break
            after = page[-1].saga_id
        return found[:limit]


@attrs.frozen(kw_only=True)
class _Option:
    """One row of `options`."""

    name: str
    value: JsonObject


class SqlOptionRepository:
    """See `wch.application.ports.OptionRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.options, _Option, key=("name",))
        self._c = tables.options.c

    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        row = self._rows.get(name, lock=lock)
        return None if row is None else row.value

    def put(self, name: str, value: JsonObject) -> None:
        self._rows.put(_Option(name=name, value=value))

    def remove(self, name: str) -> bool:
        return self._rows.forget(self._c.name == name) > 0

    def named(self, prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
        # A range and not LIKE, which folds case on one engine and would need escaping on both.
        prefix = clean(prefix)
        where = [self._c.name > after]
        if prefix:
            where.append(self._c.name >= prefix)
        if beyond := _beyond(prefix):
            where.append(self._c.name < beyond)
        return [(row.name, row.value) for row in self._rows.many(*where, limit=limit)]


def _beyond(prefix: str) -> str:
    """The first name after all that begin so; empty when there is none."""
    rest, last = prefix[:-1], prefix[-1:]
    if not last:
        return ""
    if last == "\U0010ffff":
        return _beyond(rest)
    following = chr(ord(last) + 1)
    return rest + ("\ue000" if "\ud800" <= following <= "\udfff" else following)


class SqlAuditRepository:
    """See `wch.application.ports.AuditRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.audit, AuditEntry)
        self._c = tables.audit.c

    def add(self, entry: AuditEntry) -> AuditEntry:
        return self._rows.add(entry)

    def listed(
        self, *, actor: str | None = None, action: str | None = None, after: int = 0, limit: int = 50
    ) -> Sequence[AuditEntry]:
        where = [self._c.id > after]
        if actor is not None:
            where.append(self._c.actor == actor)
        if action is not None:
            where.append(self._c.action == action)
        return self._rows.many(*where, limit=limit)

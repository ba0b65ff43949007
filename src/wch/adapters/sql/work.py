"""The repositories about work: recipients, the sync queue, notices."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import attrs
from sqlalchemy import and_, func, literal_column, or_, select

from wch.adapters.sql.reading import work_of
from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.statements import MOST_ASKED
from wch.adapters.sql.tables import Tables
from wch.domain.broadcast import SETTLED, BroadcastRecipient, RecipientStatus
from wch.domain.errors import DuplicateError
from wch.domain.lease import Work
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncStatus, SyncTask


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

    def add_all(self, recipients: Sequence[BroadcastRecipient]) -> None:
        for start in range(0, len(recipients), MOST_ASKED):
            self._add_new(recipients[start : start + MOST_ASKED])

    def _add_new(self, recipients: Sequence[BroadcastRecipient]) -> None:
        self._session.must_write()
        of_these = self._c.phone.in_([recipient.phone for recipient in recipients])
        of_campaign = self._c.campaign_id == recipients[0].campaign_id
        there = set(self._session.execute(select(self._c.phone).where(of_campaign, of_these)).scalars())
        new: dict[str, BroadcastRecipient] = {}
        for recipient in recipients:
            if recipient.phone not in there:
                new.setdefault(recipient.phone, recipient)
        if new:
            self._rows.add_or_leave(list(new.values()), unique="phone")
            self._session.flush(self._rows.table)

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
        return self._rows.find(("campaign_id", "phone"), (campaign_id, phone), lock=lock)

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
        self._rows = Rows(session, tables.sync, SyncTask, saves_later=True)
        self._c = tables.sync.c

    def enqueue(self, entity_type: EntityType, entity_id: int, action: SyncAction, *, now: datetime) -> SyncTask:
        there = self._rows.lock_or_add(
            SyncTask(entity_type=entity_type, entity_id=entity_id, action=action, created_at=now),
            "entity_type",
            "entity_id",
            "action",
            unique="entity_id",
        )
        armed = there.armed(now=now)
        if armed != there:
            self._rows.save_later(armed)
        return armed

    def enqueue_all(
        self, entity_type: EntityType, entity_ids: Collection[int], action: SyncAction, *, now: datetime
    ) -> None:
        wanted = sorted(set(entity_ids))
        for start in range(0, len(wanted), MOST_ASKED):
            self._arm(entity_type, wanted[start : start + MOST_ASKED], action, now)

    def _arm(self, entity_type: EntityType, wanted: Sequence[int], action: SyncAction, now: datetime) -> None:
        there = self._of(entity_type, wanted, action)
        known = {task.entity_id for task in there}
        new = [
            SyncTask(entity_type=entity_type, entity_id=number, action=action, created_at=now)
            for number in wanted
            if number not in known
        ]
        if new:
            self._rows.add_or_leave(new, unique="entity_id")
            if self._session.locks_rows:
                there = self._of(entity_type, wanted, action)
        for task in there:
            armed = task.armed(now=now)
            if armed != task:
                self._rows.save_later(armed)

    def _of(self, entity_type: EntityType, wanted: Sequence[int], action: SyncAction) -> list[SyncTask]:
        """The rows that are there, found without locks and locked by id."""
        which = self._c.entity_type == entity_type, self._c.action == action, self._c.entity_id.in_(wanted)
        found = self._session.execute(select(self._c.id).where(*which).order_by(self._c.id)).scalars().all()
        return self._rows.among("id", found, lock=True)

    def get(self, task_id: int, *, lock: bool = False) -> SyncTask | None:
        return self._rows.get(task_id, lock=lock)

    def hold(self, task_ids: Collection[int]) -> Sequence[SyncTask]:
        return self._rows.among("id", sorted(set(task_ids)), lock=True)

    def save(self, task: SyncTask) -> None:
        self._rows.save_later(task)

    def move(self, before: Work, after: Work) -> None:
        held = self._rows.held(before.id)
        if held is not None:
            is_marked = after.attempts > before.attempts and held.error_message == AGAIN
            moved = attrs.evolve(
                held,
                status=SyncStatus(after.status),
                attempts=after.attempts,
                processed_at=after.stamp,
                error_message=None if is_marked else held.error_message,
            )
            self.finish(before, moved)
            return
        unmarked = func.nullif(self._c.error_message, literal_column(f"'{AGAIN}'"))
        also = {"error_message": unmarked} if after.attempts > before.attempts else None
        self._rows.move(before, after, attempts="attempts", stamp="processed_at", also=also)

    def finish(self, lease: Work, task: SyncTask) -> None:
        self._rows.finish(lease, task, attempts="attempts", stamp="processed_at")

    def of(self, entity_type: EntityType, entity_id: int, action: SyncAction) -> SyncTask | None:
        found = self._rows.many(
            self._c.entity_type == entity_type, self._c.entity_id == entity_id, self._c.action == action
        )
        return next(iter(found), None)

    def waiting(
        self, status: str, entity_type: EntityType | None = None, *, after: int = 0, limit: int = 50
    ) -> Sequence[Work]:
        where = [self._c.status == status, self._c.id > after]
        if entity_type is not None:
            where.append(self._c.entity_type == entity_type)
        statement = (
            select(self._c.id, self._c.status, self._c.attempts, self._c.processed_at)
            .where(*where)
            .order_by(self._c.id)
            .limit(limit)
        )
        return [work_of(row, "attempts", "processed_at") for row in self._session.execute(statement)]

    def counts(self, entity_type: EntityType, *, since: datetime) -> Mapping[str, int]:
        is_open = self._c.status.in_([SyncStatus.PENDING, SyncStatus.PROCESSING])
        statement = (
            select(self._c.status, func.count())
            .where(self._c.entity_type == entity_type, or_(is_open, self._c.processed_at >= since))
            .group_by(self._c.status)
        )
        return {str(status): count for status, count in self._session.execute(statement)}

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        where = [self._c.id > after]
        if status is not None:
            where.append(self._c.status == status)
        return self._rows.many(*where, limit=limit)

    def completed_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[SyncTask]:
        return self._rows.many(
            self._c.id > after,
            self._c.status == SyncStatus.COMPLETED,
            self._c.processed_at >= moment,
            self._c.entity_type.in_([EntityType.PRODUCT, EntityType.INVENTORY]),
            limit=limit,
        )


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

"""Recipients, sync tasks and notices: work that waits in rows."""

import asyncio
from functools import partial
from typing import Any

import attrs
import pytest

from wch.application.ports import Database, UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.errors import LeaseLostError, ReadOnlyError
from wch.domain.lease import Work
from wch.domain.notification import NotificationStatus
from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing.contract.samples import OTHER, PHONE, later, notice, recipient, write
from wch.testing.doubles import NOON

PRODUCT, UPDATE = EntityType.PRODUCT, SyncAction.UPDATE


class TestRecipients:
    """`RecipientRepository`."""

    async def test_a_campaign_has_a_phone_once(self, database: Database) -> None:
        """The second is None and costs the transaction nothing; another campaign has it too."""
        first, second, third, other = await database.transact(
            write(recipient(), recipient(status=RecipientStatus.SENT), recipient(OTHER), recipient(campaign_id=6))
        )

        assert second is None
        assert list(await database.read(lambda uow: uow.recipients.listed(5))) == [first, third]
        assert list(await database.read(lambda uow: uow.recipients.listed(6))) == [other]

    async def test_one_of_thirty_writers_adds_a_recipient(self, database: Database) -> None:
        """The others hear that it is there."""
        added = await asyncio.gather(
            *(database.transact(lambda uow: uow.recipients.add(recipient())) for _ in range(30))
        )

        assert len([row for row in added if row is not None]) == 1

    async def test_many_recipients_are_written_at_once(self, database: Database) -> None:
        """In their order, each phone once; those of another campaign, and rows that are there, stay as they are."""
        there, other = await database.transact(
            write(recipient("2", status=RecipientStatus.SENT), recipient("3", campaign_id=6))
        )

        def work(uow: UnitOfWork) -> list[str]:
            uow.recipients.add_all([])
            uow.recipients.add_all([recipient(phone) for phone in ("3", "2", "1", "3")])
            return [row.phone for row in uow.recipients.listed(5)]

        assert await database.transact(work) == ["2", "3", "1"]
        rows = await database.read(lambda uow: uow.recipients.listed(5))
        assert rows[0] == there
        assert rows[2] == recipient("1", id=rows[2].id)
        assert list(await database.read(lambda uow: uow.recipients.listed(6))) == [other]
        with pytest.raises(ReadOnlyError):
            await database.read(lambda uow: uow.recipients.add_all([recipient("4")]))

    async def test_more_recipients_than_a_statement_takes_are_written(self, database: Database) -> None:
        """A page of a snapshot has a thousand; what comes after them in the transaction is numbered after them."""
        many = [recipient(str(number)) for number in range(1200)]

        def work(uow: UnitOfWork) -> BroadcastRecipient | None:
            uow.recipients.add_all(many)
            return uow.recipients.add(recipient("last"))

        last = await database.transact(work)

        rows = await database.read(lambda uow: uow.recipients.listed(5, limit=2000))
        assert [row.phone for row in rows] == [*(row.phone for row in many), "last"]
        assert rows[-1] == last

    async def test_writers_of_the_same_recipients_agree(self, database: Database) -> None:
        """Several processes may write one page."""
        page = [recipient(str(number)) for number in range(20)]

        await asyncio.gather(*(database.transact(lambda uow: uow.recipients.add_all(page)) for _ in range(10)))

        assert dict(await database.read(lambda uow: uow.recipients.counts(5))) == {"pending": 20}

    async def test_taken_recipients_are_pending_and_locked(self, database: Database) -> None:
        """By id, strictly after, so many, of one campaign."""
        a, _, b, c, _ = await database.transact(
            write(
                recipient("3"),
                recipient("1", status=RecipientStatus.QUEUED),
                recipient("2"),
                recipient("4"),
                recipient("5", campaign_id=6),
            )
        )

        def work(uow: UnitOfWork) -> list[int]:
            taken = uow.recipients.take_pending(5, after=a.id, limit=2)
            for row in taken:
                uow.recipients.save(row.queued())
            return [row.id for row in taken]

        assert await database.transact(work) == [b.id, c.id]
        assert await database.transact(lambda uow: [row.id for row in uow.recipients.take_pending(5)]) == [a.id]

    async def test_a_recipient_is_found_by_campaign_and_phone(self, database: Database) -> None:
        """And may be saved where it was locked."""
        row, _, _ = await database.transact(write(recipient(), recipient(OTHER), recipient(campaign_id=6)))

        assert await database.read(lambda uow: uow.recipients.of(5, row.phone)) == row
        assert await database.read(lambda uow: uow.recipients.of(7, row.phone)) is None

        def work(uow: UnitOfWork) -> None:
            held = uow.recipients.of(5, row.phone, lock=True)
            assert held is not None
            uow.recipients.save(held.queued())

        await database.transact(work)

    async def test_contacts_are_queued_or_left_and_did_not_fail(self, database: Database) -> None:
        """Over all campaigns, strictly after the moment."""
        a, b, *_ = await database.transact(
            write(
                recipient(campaign_id=1, status=RecipientStatus.QUEUED),
                recipient(campaign_id=2, status=RecipientStatus.READ, sent_at=later(1)),
                recipient(campaign_id=3, status=RecipientStatus.SENT, sent_at=NOON),
                recipient(campaign_id=4, status=RecipientStatus.FAILED, sent_at=later(1)),
                recipient(campaign_id=5),
                recipient(OTHER, campaign_id=2, status=RecipientStatus.QUEUED),
            )
        )

        assert list(await database.read(lambda uow: uow.recipients.reached(a.phone, since=NOON))) == [a, b]

    async def test_recipients_are_found_by_their_word(self, database: Database) -> None:
        """By id for what is to be done with them; the latest that settled first."""
        a, b, c, *_ = await database.transact(
            write(
                recipient("1", status=RecipientStatus.QUEUED),
                recipient("2", status=RecipientStatus.SENT),
                recipient("3", status=RecipientStatus.FAILED),
                recipient("4", status=RecipientStatus.SKIPPED_CAP),
                recipient("5", campaign_id=6, status=RecipientStatus.SENT),
            )
        )

        read = database.read
        assert list(await read(lambda uow: uow.recipients.standing(5, ["queued", "failed"]))) == [a, c]
        assert list(await read(lambda uow: uow.recipients.standing(5, ["queued", "failed"], after=a.id, limit=1))) == [
            c
        ]
        assert list(await read(lambda uow: uow.recipients.settled(5))) == [c, b]
        assert list(await read(lambda uow: uow.recipients.settled(5, limit=1))) == [c]

    async def test_recipients_of_a_draft_can_be_discarded(self, database: Database) -> None:
        """So many at a time, of one campaign."""
        await database.transact(write(recipient("1"), recipient("2"), recipient("3"), recipient("1", campaign_id=6)))

        assert await database.transact(lambda uow: uow.recipients.discard(5, limit=2)) == 2
        assert await database.transact(lambda uow: uow.recipients.discard(5)) == 1
        assert await database.transact(lambda uow: uow.recipients.discard(5)) == 0
        assert len(await database.read(lambda uow: uow.recipients.listed(6))) == 1

    async def test_recipients_are_counted_by_word(self, database: Database) -> None:
        """Of one campaign; a word without rows is absent."""
        await database.transact(
            write(
                recipient("1"),
                recipient("2"),
                recipient("3", status=RecipientStatus.SKIPPED_CAP),
                recipient("4", campaign_id=6),
            )
        )

        assert await database.read(lambda uow: dict(uow.recipients.counts(5))) == {"pending": 2, "skipped_cap": 1}
        assert await database.read(lambda uow: dict(uow.recipients.counts(7))) == {}

    async def test_recipients_are_listed_in_pages(self, database: Database) -> None:
        """By id, strictly after."""
        rows = await database.transact(write(recipient("3"), recipient("1"), recipient("2")))

        found = await database.read(lambda uow: uow.recipients.listed(5, after=rows[0].id, limit=1))
        assert list(found) == [rows[1]]


class TestSync:
    """`SyncRepository`."""

    async def test_an_entity_and_an_action_have_one_row(self, database: Database) -> None:
        """Asked for again while it waits, it stays as it is; another action is another row."""
        first = await database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, UPDATE, now=NOON))
        again = await database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, UPDATE, now=later(9)))
        other = await database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, SyncAction.DELETE, now=later(9)))

        assert again == first
        assert (first.status, first.created_at) == (SyncStatus.PENDING, NOON)
        assert list(await database.read(lambda uow: uow.sync.listed())) == [first, other]

    async def test_goods_that_came_in_step_since_a_moment_are_known(self, database: Database) -> None:
        """Products and stock levels, not orders; by id, in pages."""
        done: dict[str, Any] = {"status": SyncStatus.COMPLETED, "attempts": 1}
        old = await self._stored(database, **done, processed_at=later(-1))
        product = await self._stored(database, entity_id=2, **done, processed_at=NOON)
        stock = await self._stored(
            database, entity_type=EntityType.INVENTORY, entity_id=3, **done, processed_at=later(9)
        )
        await self._stored(database, entity_type=EntityType.ORDER, entity_id=4, **done, processed_at=later(9))
        await self._stored(database, entity_id=5, status=SyncStatus.FAILED, attempts=6, processed_at=later(9))

        assert list(await database.read(lambda uow: uow.sync.completed_since(NOON))) == [product, stock]
        assert list(await database.read(lambda uow: uow.sync.completed_since(later(-1), limit=1))) == [old]
        assert list(await database.read(lambda uow: uow.sync.completed_since(NOON, after=product.id))) == [stock]

    async def test_a_finished_row_is_armed_anew(self, database: Database) -> None:
        """Waiting since now, with no attempts and no error; its stamp stays, since it is part of the fence."""
        task = await self._stored(database, status=SyncStatus.FAILED, attempts=6, error_message="no", processed_at=NOON)

        armed = await database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, UPDATE, now=later(9)))

        assert armed == attrs.evolve(
            task, status=SyncStatus.PENDING, attempts=0, error_message=None, created_at=later(9)
        )
        assert await database.read(lambda uow: uow.sync.get(task.id)) == armed

    async def test_a_running_row_is_marked_to_be_done_again(self, database: Database) -> None:
        """Its take goes on; the fence of the holder still fits."""
        task = await self._stored(database, status=SyncStatus.PROCESSING, attempts=1, processed_at=NOON)

        armed = await database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, UPDATE, now=later(9)))
        lease = Work(id=task.id, status="processing", attempts=1, stamp=NOON)
        await database.transact(lambda uow: uow.sync.finish(lease, armed.completed(now=later(10))))

        assert armed == attrs.evolve(task, error_message=AGAIN)
        found = await database.read(lambda uow: uow.sync.get(task.id))
        assert found is not None
        assert (found.status, found.attempts, found.error_message) == (SyncStatus.PENDING, 0, None)

    async def test_forty_who_enqueue_at_once_make_one_row(self, database: Database) -> None:
        """Whoever is second finds it."""
        tasks = await asyncio.gather(
            *(database.transact(lambda uow: uow.sync.enqueue(PRODUCT, 1, UPDATE, now=NOON)) for _ in range(40))
        )

        assert len({task.id for task in tasks}) == 1
        assert len(await database.read(lambda uow: uow.sync.listed())) == 1

    async def test_many_are_armed_at_once_as_each_would_be(self, database: Database) -> None:
        """New ones are made, finished ones wait anew, running ones are marked, waiting ones stay; other actions too."""
        done = await self._stored(database, status=SyncStatus.COMPLETED, attempts=1, processed_at=NOON)
        running = await self._stored(database, entity_id=2, status=SyncStatus.PROCESSING, attempts=1, processed_at=NOON)
        waiting = await self._stored(database, entity_id=3)
        other = await self._stored(database, entity_id=4, action=SyncAction.DELETE, status=SyncStatus.COMPLETED)

        await database.transact(lambda uow: uow.sync.enqueue_all(PRODUCT, [4, 3, 9, 2, 1, 9], UPDATE, now=later(9)))

        listed = await database.read(lambda uow: uow.sync.listed())
        assert list(listed[:4]) == [done.armed(now=later(9)), running.armed(now=later(9)), waiting, other]
        assert [(one.entity_id, one.status, one.created_at) for one in listed[4:]] == [
            (4, SyncStatus.PENDING, later(9)),
            (9, SyncStatus.PENDING, later(9)),
        ]

    async def test_forty_who_arm_the_same_many_at_once_make_one_row_each(self, database: Database) -> None:
        """Whoever is second finds them."""
        await asyncio.gather(
            *(
                database.transact(lambda uow: uow.sync.enqueue_all(PRODUCT, [1, 2, 3], UPDATE, now=NOON))
                for _ in range(40)
            )
        )

        assert [one.entity_id for one in await database.read(lambda uow: uow.sync.listed())] == [1, 2, 3]

    async def test_held_rows_move_under_the_same_fence(self, database: Database) -> None:
        """Held together, taken one by one: the mark goes, other errors stay, and a fence that does not fit is refused."""
        marked = await self._stored(database, error_message=AGAIN)
        failed = await self._stored(database, entity_id=2, attempts=1, error_message="time-out", processed_at=NOON)
        taken = {one.id: _work_of(one).taken("processing", now=later(5)) for one in (marked, failed)}

        def take(uow: UnitOfWork) -> None:
            held = uow.sync.hold([failed.id, marked.id, 99])
            assert list(held) == [marked, failed]
            for one in held:
                uow.sync.move(_work_of(one), taken[one.id])
            with pytest.raises(LeaseLostError):
                uow.sync.move(_work_of(marked), taken[marked.id])
            with pytest.raises(LeaseLostError):
                uow.sync.finish(_work_of(failed), failed.completed(now=later(6)))
            uow.sync.finish(taken[failed.id], failed.completed(now=later(6)))

        await database.transact(take)

        listed = await database.read(lambda uow: uow.sync.listed())
        assert list(listed) == [
            attrs.evolve(marked, status=SyncStatus.PROCESSING, attempts=1, error_message=None, processed_at=later(5)),
            failed.completed(now=later(6)),
        ]

    async def test_a_take_clears_the_mark(self, database: Database) -> None:
        """What is taken now sees the change already; other errors stay to be read."""
        marked = await self._stored(database, error_message=AGAIN)
        failed = await self._stored(database, entity_id=2, attempts=1, error_message="time-out", processed_at=NOON)

        for task in (marked, failed):
            await database.transact(partial(_take, task=task))

        assert await database.read(lambda uow: uow.sync.get(marked.id)) == attrs.evolve(
            marked, status=SyncStatus.PROCESSING, attempts=1, error_message=None, processed_at=later(5)
        )
        assert await database.read(lambda uow: uow.sync.get(failed.id)) == attrs.evolve(
            failed, status=SyncStatus.PROCESSING, attempts=2, processed_at=later(5)
        )

    async def test_renewing_a_lease_keeps_the_mark(self, database: Database) -> None:
        """The change came after the take: the holder has not seen it."""
        task = await self._stored(
            database, status=SyncStatus.PROCESSING, attempts=1, error_message=AGAIN, processed_at=NOON
        )

        await database.transact(lambda uow: uow.sync.move(_work_of(task), _work_of(task).renewed(now=later(20))))

        assert await database.read(lambda uow: uow.sync.get(task.id)) == attrs.evolve(task, processed_at=later(20))

    @pytest.mark.parametrize("changed", ["status", "attempts", "stamp"])
    async def test_a_fence_that_does_not_fit_is_refused(self, database: Database, changed: str) -> None:
        """Status, attempts and stamp together, since re-arming sets the attempts back."""
        task = await self._stored(database, status=SyncStatus.PROCESSING, attempts=1, processed_at=NOON)
        wrong: dict[str, Any] = {"status": "pending", "attempts": 2, "stamp": None}
        lease = attrs.evolve(_work_of(task), **{changed: wrong[changed]})

        with pytest.raises(LeaseLostError):
            await database.transact(lambda uow: uow.sync.move(lease, lease.renewed(now=later(5))))
        with pytest.raises(LeaseLostError):
            await database.transact(lambda uow: uow.sync.finish(lease, task.completed(now=later(5))))

        assert await database.read(lambda uow: uow.sync.get(task.id)) == task

    async def test_waiting_rows_come_by_id(self, database: Database) -> None:
        """Of one status, strictly after, so many, as their queue sees them."""
        tasks = [await self._stored(database, entity_id=number) for number in (3, 1, 2)]
        await self._stored(database, entity_id=9, status=SyncStatus.COMPLETED)

        found = await database.read(lambda uow: uow.sync.waiting("pending"))
        assert list(found) == [_work_of(task) for task in tasks]
        found = await database.read(lambda uow: uow.sync.waiting("pending", after=tasks[0].id, limit=1))
        assert list(found) == [_work_of(tasks[1])]
        assert list(await database.read(lambda uow: uow.sync.waiting("failed"))) == []

    async def test_waiting_rows_of_one_type_leave_the_others_out(self, database: Database) -> None:
        """Each type is taken by itself."""
        product = await self._stored(database)
        order = await database.transact(lambda uow: uow.sync.enqueue(EntityType.ORDER, 1, UPDATE, now=NOON))

        found = await database.read(lambda uow: uow.sync.waiting("pending", EntityType.ORDER))
        assert [one.id for one in found] == [order.id]
        found = await database.read(lambda uow: uow.sync.waiting("pending", PRODUCT, after=product.id))
        assert list(found) == []

    async def test_a_row_is_found_by_what_it_is_about(self, database: Database) -> None:
        """Type, number and action together."""
        task = await self._stored(database)

        assert await database.read(lambda uow: uow.sync.of(PRODUCT, 1, UPDATE)) == task
        assert await database.read(lambda uow: uow.sync.of(PRODUCT, 1, SyncAction.DELETE)) is None
        assert await database.read(lambda uow: uow.sync.of(PRODUCT, 2, UPDATE)) is None

    async def test_open_rows_and_those_that_ended_since_are_counted(self, database: Database) -> None:
        """Of one type, by status; what ended before is another run's."""
        await self._stored(database, entity_id=1)
        await self._stored(database, entity_id=2, status=SyncStatus.PROCESSING, processed_at=later(-60))
        for number, at in ((3, -1), (4, 0), (5, 9)):
            await self._stored(database, entity_id=number, status=SyncStatus.COMPLETED, processed_at=later(at))
        await self._stored(database, entity_id=6, status=SyncStatus.FAILED, processed_at=later(9))
        await database.transact(lambda uow: uow.sync.enqueue(EntityType.ORDER, 1, UPDATE, now=NOON))

        counts = await database.read(lambda uow: uow.sync.counts(PRODUCT, since=NOON))
        assert dict(counts) == {"pending": 1, "processing": 1, "completed": 2, "failed": 1}

    async def test_tasks_are_listed_by_id(self, database: Database) -> None:
        """Of one status or of all; an unheard-of status has none."""
        a = await self._stored(database, entity_id=2)
        b = await self._stored(database, entity_id=1, status=SyncStatus.FAILED)

        assert list(await database.read(lambda uow: uow.sync.listed())) == [a, b]
        assert list(await database.read(lambda uow: uow.sync.listed(status="failed"))) == [b]
        assert list(await database.read(lambda uow: uow.sync.listed(after=a.id))) == [b]
        assert list(await database.read(lambda uow: uow.sync.listed(status="unheard of"))) == []

    async def _stored(self, database: Database, *, entity_id: int = 1, **more: Any) -> SyncTask:
        def work(uow: UnitOfWork) -> SyncTask:
            made = uow.sync.enqueue(PRODUCT, entity_id, UPDATE, now=NOON)
            changed = attrs.evolve(made, **more)
            uow.sync.save(changed)
            return changed

        return await database.transact(work)


def _work_of(task: SyncTask) -> Work:
    return Work(id=task.id, status=task.status.value, attempts=task.attempts, stamp=task.processed_at)


def _take(uow: UnitOfWork, task: SyncTask) -> None:
    uow.sync.move(_work_of(task), _work_of(task).taken("processing", now=later(5)))


class TestNotifications:
    """`NotificationRepository`."""

    async def test_an_order_may_have_many_notices(self, database: Database) -> None:
        """By id, of one type or of all, letter by letter."""
        a, b, _, _ = await database.transact(
            write(notice(), notice(notification_type="Shipped"), notice(8), notice(10))
        )

        assert list(await database.read(lambda uow: uow.notifications.of_order(9))) == [a, b]
        assert list(await database.read(lambda uow: uow.notifications.of_order(9, "shipped"))) == [a]
        assert list(await database.read(lambda uow: uow.notifications.of_order(1))) == []

    async def test_due_notices_are_pending(self, database: Database) -> None:
        """While it is pending, `updated_at` is the moment from which it may be looked at."""
        a, b, *_ = await database.transact(
            write(
                notice(updated_at=NOON),
                notice(updated_at=later(-9)),
                notice(updated_at=later(1)),
                notice(updated_at=later(-9), status=NotificationStatus.QUEUED),
            )
        )

        assert list(await database.read(lambda uow: uow.notifications.due(NOON))) == [a.id, b.id]
        assert list(await database.read(lambda uow: uow.notifications.due(NOON, limit=1))) == [a.id]

    async def test_notices_are_listed_by_id(self, database: Database) -> None:
        """Of one status or of all, strictly after."""
        a, b, c = await database.transact(
            write(notice(3), notice(1, status=NotificationStatus.SENT), notice(2, customer_phone=PHONE))
        )

        assert list(await database.read(lambda uow: uow.notifications.listed())) == [a, b, c]
        assert list(await database.read(lambda uow: uow.notifications.listed(status="pending"))) == [a, c]
        assert list(await database.read(lambda uow: uow.notifications.listed(after=a.id, limit=1))) == [b]
        assert list(await database.read(lambda uow: uow.notifications.listed(status="unheard of"))) == []

"""Sync leases: rows of the sync queue are taken, kept and ended by nobody but their holder."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.facts import LeaseLost
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.dead_letter import DeadLetter, Reason
from wch.domain.errors import LeaseLostError
from wch.domain.lease import Leasing, Work
from wch.domain.sync import EntityType, SyncStatus, SyncTask

log = logging.getLogger(__name__)

INVENTORY_SETTLES = timedelta(seconds=5)
"""A stock level waits so long after it was first told, so that a busy item goes once."""

Effects = Callable[[UnitOfWork], str | None]
"""What is written with the end of a row; the word that the row keeps where nothing came of it."""


def _nothing(_uow: UnitOfWork) -> None:
    """A row may end without any effect."""


@attrs.define(kw_only=True)
class Held:
    """A row that was taken; its lease moves on while it is renewed."""

    lease: Work
    task: SyncTask


@attrs.frozen(kw_only=True)
class Done:
    """The row is in step; `effects` are of its last transaction."""

    held: Held
    effects: Effects = _nothing


@attrs.frozen(kw_only=True)
class Later:
    """It did not work this time: again after its back-off, or given up after the last attempt."""

    held: Held
    error: str
    effects: Effects = _nothing


@attrs.frozen(kw_only=True)
class Refused:
    """It will never work as it is: given up at once, with a dead letter."""

    held: Held
    why: str
    effects: Effects = _nothing


@attrs.frozen(kw_only=True)
class HandedBack:
    """Nothing was tried: it waits as before, with no attempt used up."""

    held: Held


End = Done | Later | Refused | HandedBack


@attrs.frozen(kw_only=True)
class SyncLeases:
    """Takes rows and ends them.

    Attributes:
        tell: what observers hear, after the commit.
    """

    kind: ClassVar[str] = "sync"

    database: Database
    clock: Clock
    tell: Callable[[object], None]
    leasing: Leasing

    async def take(self, waiting: Sequence[Work]) -> list[Held]:
        """Those of these rows that are due, made ours for one lease, in one transaction."""
        now = self.clock.now()
        due = [one for one in waiting if self._may_be_taken(one, now)]
        if not due:
            return []

        def work(uow: UnitOfWork) -> list[Held]:
            tasks = {task.id: task for task in uow.sync.hold([one.id for one in due])}
            taken = [held for one in due if (held := self._take(uow, one, tasks.get(one.id))) is not None]
            armed = [one.task for one in taken if not one.task.attempts and one.task.processed_at is not None]
            self._letters_answered(uow, [task for task in armed if task.status is SyncStatus.PENDING])
            return taken

        return await self.database.transact(work)

    async def renew(self, held: Sequence[Held]) -> None:
        """Leases that are a while old are renewed; those that were lost are found out at the end."""
        now = self.clock.now()
        old = [
            one for one in held if one.lease.stamp is not None and now - one.lease.stamp >= self.leasing.renewed_every
        ]
        for one in old:
            lease, renewed = one.lease, one.lease.renewed(now=now)
            try:
                await self.database.transact(lambda uow, before=lease, after=renewed: uow.sync.move(before, after))  # type: ignore[misc]  # the defaults bind the values of this round
            except LeaseLostError:
                continue
            one.lease = renewed

    async def end(self, ends: Sequence[End]) -> None:
        """End each row by its own result: all in one transaction, or each alone where a lease was lost."""
        if not ends:
            return

        def whole(uow: UnitOfWork) -> None:
            self._end(uow, ends)

        try:
            await self.database.transact(whole)
        except LeaseLostError:
            for one in ends:
                await self._alone(one)

    async def _alone(self, end: End) -> None:
        try:
            await self.database.transact(lambda uow: self._end(uow, [end]))
        except LeaseLostError:
            log.warning("sync lease lost", extra={"task_id": end.held.lease.id})
            self.tell(LeaseLost(work=self.kind))

    def _take(self, uow: UnitOfWork, waiting: Work, task: SyncTask | None) -> Held | None:
        """Take a row that is locked; one whose attempts are used up gets its dead letter instead."""
        now = self.clock.now()
        if task is None or (task.status.value, task.attempts, task.processed_at) != (
            waiting.status,
            waiting.attempts,
            waiting.stamp,
        ):
            return None
        settling = task.entity_type is EntityType.INVENTORY and now < task.created_at + INVENTORY_SETTLES
        if waiting.status == SyncStatus.PENDING and settling:
            return None
        if self.leasing.is_used_up(waiting.attempts):
            self._give_up(uow, task, "crash", Reason.CRASH)
            return None
        taken = waiting.taken(SyncStatus.PROCESSING, now=now)
        uow.sync.move(waiting, taken)
        return Held(lease=taken, task=task)

    def _end(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """The effects of all, whose rows come first in the order of locks, then what each row becomes."""
        results = {end.held.lease.id: end.effects(uow) for end in ends if not isinstance(end, HandedBack)}
        tasks = {task.id: task for task in uow.sync.hold([end.held.lease.id for end in ends])}
        for end in ends:
            task = tasks.get(end.held.lease.id)
            if task is None:
                raise LeaseLostError(task_id=end.held.lease.id)
            self._finish(uow, end, task, results.get(task.id))
        self._letters_answered(uow, [tasks[end.held.lease.id] for end in ends if isinstance(end, Done)])

    def _finish(self, uow: UnitOfWork, end: End, task: SyncTask, result: str | None) -> None:
        now = self.clock.now()
        lease = end.held.lease
        if isinstance(end, HandedBack):
            uow.sync.move(lease, lease.moved(SyncStatus.PENDING, now=now, attempts=lease.attempts - 1))
        elif isinstance(end, Done):
            uow.sync.finish(lease, task.completed(now=now, result=result))
        elif isinstance(end, Refused):
            self._give_up(uow, task, end.why, Reason.REFUSED, lease=lease)
        elif self.leasing.is_used_up(lease.attempts):
            self._give_up(uow, task, end.error, Reason.MAX_RETRIES_EXCEEDED, lease=lease)
        else:
            uow.sync.finish(lease, task.retried(end.error, now=now))

    def _give_up(self, uow: UnitOfWork, task: SyncTask, error: str, reason: str, *, lease: Work | None = None) -> None:
        """Failed, with its dead letter; a row that changed meanwhile waits once more instead."""
        now = self.clock.now()
        ended = task.failed(error, now=now)
        if lease is None:
            uow.sync.save(ended)
        else:
            uow.sync.finish(lease, ended)
        if ended.status is SyncStatus.FAILED:
            uow.dead_letters.add(
                DeadLetter.of_row(
                    task.hook, "sync_queue", task.id, reason, error=error, attempts=task.attempts, now=now
                )
            )

    def _letters_answered(self, uow: UnitOfWork, tasks: Sequence[SyncTask]) -> None:
        """Rows that are tried anew, or came in step after all, need nobody's decision any more."""
        if not tasks:
            return
        now = self.clock.now()
        for letter in uow.dead_letters.hold_pending([task.hook for task in tasks]):
            uow.dead_letters.save(letter.replayed(now=now, by="worker"))

    def _may_be_taken(self, waiting: Work, now: datetime) -> bool:
        if waiting.status == SyncStatus.PROCESSING:
            return waiting.ran_out(now=now, term=self.leasing.term)
        return waiting.is_due(now=now, waits=self.leasing.waits)

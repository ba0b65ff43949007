"""Settling: sends that nobody knows the end of, and rows that cannot be read."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import attrs

from wch.application.failpoints import Failpoints
from wch.application.following import sent_again
from wch.application.outcomes import end, lock_customer, work_of
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import amended
from wch.domain.errors import LeaseLostError, UndecodableError
from wch.domain.evolution import evolve
from wch.domain.lease import Leasing, Work
from wch.domain.message import FOREIGN, Class, Message, MessageStatus

log = logging.getLogger(__name__)

SETTLED_WITHIN = timedelta(seconds=120)
"""How long an echo is waited for before a reply is sent once more."""


@attrs.frozen(kw_only=True)
class Settling:
    """Brings to an end what a sender left open."""

    database: Database
    clock: Clock
    failpoints: Failpoints
    leasing: Leasing

    async def sweep(self) -> int:
        """Leases that ran out are in doubt; what was long enough in doubt is settled."""
        now = self.clock.now()
        done = await self._each(MessageStatus.SENDING, now - self.leasing.term, self._lost)
        done += await self._each(MessageStatus.UNCONFIRMED, now - SETTLED_WITHIN, self._settle)
        self.failpoints("outbound.swept")
        return done

    async def unreadable(self, seen: Work) -> int:
        """A row that cannot be sent as it stands uses up its own attempts, nobody else's; how many rows moved."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            if self.leasing.is_used_up(seen.attempts):
                self._lay_aside(uow, seen)
            else:
                uow.messages.move(seen, seen.taken(MessageStatus.PENDING, now=now))

        try:
            await self.database.transact(work)
        except LeaseLostError:
            return 0
        return 1

    async def _each(self, status: MessageStatus, before: datetime, settle: Callable[[UnitOfWork, Message], int]) -> int:
        after = done = 0
        while True:
            start = after
            page = await self.database.read(
                lambda uow: uow.messages.overdue(status, before=before, after=start)  # noqa: B023 - awaited here
            )
            if not page:
                return done
            for seen in page:
                after = seen.id
                done += await self._one(seen, settle)

    async def _one(self, seen: Work, settle: Callable[[UnitOfWork, Message], int]) -> int:
        """Settle a row that nobody has moved since; one that cannot be read ends without being read."""

        def work(uow: UnitOfWork) -> int:
            lock_customer(uow, seen.id, now=self.clock.now())
            row = uow.messages.get(seen.id, lock=True)
            return 0 if row is None or work_of(row) != seen else settle(uow, row)

        try:
            return await self.database.transact(work)
        except UndecodableError:
            log.warning("an outbound row cannot be read", extra={"row": seen.id})
        try:
            await self.database.transact(lambda uow: self._lay_aside(uow, seen))
        except LeaseLostError:
            return 0
        return 1

    def _lost(self, uow: UnitOfWork, row: Message) -> int:
        """Its sender is gone: nobody knows whether the call was made."""
        now = self.clock.now()
        end(uow, row.in_doubt("the sender's lease ran out", now=now), now=now)
        return 1

    def _settle(self, uow: UnitOfWork, row: Message) -> int:
        """No echo came: a reply or notice is sent once more, the second time it is buried; a campaign stays."""
        now = self.clock.now()
        if row.type == FOREIGN or row.content.get("final"):
            return 0
        if row.class_ is Class.CAMPAIGN:
            uow.messages.save(evolve(row, content=amended(row.content, final=True)))
        elif row.content.get("resent"):
            end(uow, row.failed("unconfirmed_twice", now=now), now=now, reason=Reason.UNCONFIRMED_TWICE)
        elif self.leasing.is_used_up(row.retry_count):
            end(uow, row.failed("max_retries_exceeded", now=now), now=now, reason=Reason.MAX_RETRIES_EXCEEDED)
        else:
            # The attempts stay, so that a sender that wakes up late cannot pass for the next one.
            again = evolve(row, content=amended(row.content, resent=1))
            uow.messages.save(again.waiting_again("no echo came", now=now))
            sent_again(uow, row, "no echo came", now=now)
        return 1

    def _lay_aside(self, uow: UnitOfWork, seen: Work) -> None:
        """End a row without reading it, with its dead letter."""
        now = self.clock.now()
        uow.messages.move(seen, seen.moved(MessageStatus.FAILED, now=now))
        error = "its content cannot be used"
        uow.dead_letters.add(
            DeadLetter.of_row(
                Hook.OUTBOUND, "messages", seen.id, Reason.EXCEPTION, error=error, attempts=seen.attempts, now=now
            )
        )

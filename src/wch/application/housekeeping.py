"""Housekeeping: threads that fell silent are resolved, and what is over is taken away."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application import silence
from wch.application.conversations import return_state
from wch.application.limits import Limits
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.worker import HEARTBEAT
from wch.domain.conversation import Conversation, ConversationStatus, Event, State
from wch.domain.message import FOREIGN
from wch.domain.moment import iso

PAGE = 100
AWAITING_PAYMENT_RESTS = timedelta(days=7)
FOREIGN_KEPT = timedelta(days=7)
WINDOWS_KEPT = timedelta(hours=27)
"""Longer than the longest window with its oldest part."""

HEARTBEATS_KEPT = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class Housekeeping:
    """The duty that sweeps.

    Attributes:
        resolve_after: how long a thread is silent before it is resolved.
        person_silent_for: after a person's last word the dialogue takes over again.
        phone_app_silent_for: the same after the last word written on the shop's own phone.
        silent_percent: more sends of a day without any status are an alarm.
        rest: true while it swept only a moment ago.
    """

    kind: ClassVar[str] = "housekeeping"

    database: Database
    clock: Clock
    limits: Limits
    resolve_after: timedelta
    person_silent_for: timedelta
    phone_app_silent_for: timedelta
    silent_percent: int
    rest: Callable[[], bool]

    async def work(self) -> int:
        """Sweep, unless it did so a moment ago."""
        if self.rest():
            return 0
        now = self.clock.now()
        done = await self._resolve(now) + await self._hand_back(now)
        done += await self.database.transact(lambda uow: uow.claims.purge(now=now))
        done += await self.database.transact(lambda uow: uow.limits.purge(before=now - WINDOWS_KEPT))
        done += await self.limits.sweep()
        done += await self._placeholders(now)
        await self._count_silent(now)
        return done + await self.database.transact(lambda uow: self._heartbeats(uow, now))

    async def _count_silent(self, now: datetime) -> None:
        """Once a day, whichever process comes first."""
        if await self.database.read(silence.day_of_latest) < silence.judged(now).isoformat():
            await self.database.transact(lambda uow: silence.look(uow, percent=self.silent_percent, now=now))

    async def _resolve(self, now: datetime) -> int:
        after = done = 0
        while True:
            page = await self.database.read(
                lambda uow, start=after: uow.conversations.quiet_since(  # type: ignore[misc]  # the default binds the value of this round
                    now - self.resolve_after, after=start, limit=PAGE
                )
            )
            for seen in page:
                after = seen.id
                done += await self.database.transact(lambda uow, one=seen: self._one(uow, one, now))  # type: ignore[misc]  # the default binds the value of this round
            if len(page) < PAGE:
                return done

    def _one(self, uow: UnitOfWork, seen: Conversation, now: datetime) -> int:
        """Resolve one thread, unless something of it still waits or a payment is awaited."""
        uow.customers.lock(seen.customer_phone, now=now)
        conversation = uow.conversations.get(seen.id, lock=True)
        if conversation is None or conversation.status is not ConversationStatus.ACTIVE:
            return 0
        latest = conversation.last_message_at
        rests = AWAITING_PAYMENT_RESTS if conversation.state is State.AWAITING_PAYMENT else self.resolve_after
        if latest is None or now - latest < rests or uow.messages.line(seen.customer_phone):
            return 0
        uow.conversations.save(conversation.on(Event.RESOLVE, now=now))
        return 1

    async def _hand_back(self, now: datetime) -> int:
        """The dialogue takes over again where people have been silent for long."""
        done, before = 0, None
        while True:
            page = await self.database.read(
                lambda uow, last=before: uow.conversations.listed(  # type: ignore[misc]  # the default binds the value of this round
                    status=ConversationStatus.ESCALATED, before=last, limit=PAGE
                )
            )
            for seen in page:
                if self._is_over(seen, now):
                    done += await self.database.transact(lambda uow, one=seen: self._back(uow, one, now))  # type: ignore[misc]  # the default binds the value of this round
            if len(page) < PAGE:
                return done
            before = (page[-1].last_message_at, page[-1].id)

    def _is_over(self, seen: Conversation, now: datetime) -> bool:
        """Whether a person was there and fell silent; who still waits for one stays in the queue."""
        was_there = seen.assigned_agent_id is not None or seen.handoff.get("reason") == "phone_app"
        return was_there and seen.is_handoff_over(
            person=self.person_silent_for, phone_app=self.phone_app_silent_for, now=now
        )

    def _back(self, uow: UnitOfWork, seen: Conversation, now: datetime) -> int:
        uow.customers.lock(seen.customer_phone, now=now)
        held = uow.conversations.get(seen.id, lock=True)
        if held is None or held.status is not ConversationStatus.ESCALATED or not self._is_over(held, now):
            return 0
        uow.conversations.save(held.on(Event.HANDBACK, return_state(uow, held), now=now))
        return 1

    async def _placeholders(self, now: datetime) -> int:
        """Statuses that nobody claimed for a week are of another application's messages."""
        ids = await self.database.read(lambda uow: uow.messages.foreign_before(now - FOREIGN_KEPT, limit=PAGE))

        def work(uow: UnitOfWork) -> int:
            gone = 0
            for message_id in ids:
                row = uow.messages.get(message_id, lock=True)
                if row is not None and row.type == FOREIGN:
                    uow.messages.remove(message_id)
                    gone += 1
            return gone

        return await self.database.transact(work) if ids else 0

    def _heartbeats(self, uow: UnitOfWork, now: datetime) -> int:
        """Workers that died leave their heartbeat behind."""
        kept_since = iso(now - HEARTBEATS_KEPT)
        old = [
            name for name, value in uow.options.named(HEARTBEAT, limit=PAGE) if str(value.get("at", "")) < kept_since
        ]
        return sum(uow.options.remove(name) for name in old)


class Every:
    """True while less than so many seconds have passed since it was last false."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._latest: datetime | None = None

    def __call__(self) -> bool:
        """Whether it is too early."""
        now = self._clock.now()
        if self._latest is not None and (now - self._latest).total_seconds() < self._seconds:
            return True
        self._latest = now
        return False

"""Limits: how often something may happen, over all processes on one database."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject, document
from wch.domain.errors import NotFoundError
from wch.domain.moment import iso, of_iso
from wch.domain.rate_limit import Admission, Pace, RateLimit, RateLimitWindow

DOCUMENTED: Mapping[str, str] = {
    "webhook": "100/60",
    "api": "60/60",
    "admin": "30/60",
    "auth": "5/300",
    "message_send": "50/60",
    "broadcast": "10/3600",
    "export": "3/3600",
}
"""The limits of the data model: hits and seconds."""

PAIR = RateLimit(name="whatsapp_pair", most=45, seconds=276)
"""WhatsApp's pair rate: one message in six seconds to one customer, with a burst of 45."""

TIER_COUNTED = RateLimit(name="whatsapp_tier_customer", most=1, seconds=86_400)
"""Whether a customer was written to outside a window in the last day already: such a one counts once."""

TIER_UNKNOWN = 250
"""Customers that a portfolio may write to in a day as long as WhatsApp has not said more."""


BLOCKED = "limit.blocked."
"""How the options of callers begin that are refused whatever they do."""

MOST_BLOCKED = timedelta(days=365)
MOST_LISTED = 1000


@attrs.frozen(kw_only=True)
class Block:
    """A caller that one limit refuses until then, whatever it does."""

    limit: str
    identifier_hash: str
    until: datetime

    @property
    def option(self) -> str:
        """Under which name it is kept."""
        return f"{BLOCKED}{self.limit}.{self.identifier_hash}"


def _used_in_second(uow: UnitOfWork, pace: Pace, digest: str, now: datetime) -> int:
    return sum(part.request_count for part in uow.limits.since(digest, pace.name, now) if part.window_start == now)


@attrs.frozen
class _FreeSlot:
    """A slot that may be used up: of which second, how many of that are used, and how long until its moment."""

    second: datetime
    used: int
    slot: int
    wait: float


def tier(most: int) -> RateLimit:
    """The portfolio's tier: so many different customers outside a window in any 24 hours."""
    return RateLimit(name="whatsapp_tier", most=most, seconds=86_400)


@attrs.frozen(kw_only=True)
class Limits:
    """Sliding windows: never over the limit in any window, and refused when in doubt.

    Attributes:
        rules: the limits by name.
    """

    database: Database
    clock: Clock
    digests: Digests
    rules: Mapping[str, RateLimit]
    failpoints: Failpoints

    async def hit(self, name: str, identifier: str) -> Admission:
        """Count one hit of this caller, if there is room.

        Raises:
            NotFoundError: there is no limit of this name.
        """
        return await self.database.transact(lambda uow: self.hit_in(uow, self.rule(name), identifier))

    def rule(self, name: str) -> RateLimit:
        """The limit of this name."""
        rule = self.rules.get(name)
        if rule is None:
            raise NotFoundError(kind="limit", id=name)
        return rule

    def hit_in(self, uow: UnitOfWork, rule: RateLimit, identifier: str) -> Admission:
        """Count one hit in a transaction of the caller's: rolled back with it, so a refused act costs nothing."""
        digest = self.digests.of(identifier)
        uow.limits.lock(digest, rule.name)
        now = self.clock.now()
        admission = self._admission(uow, rule, digest, now)
        if admission.admitted:
            uow.limits.hit(digest, rule.name, rule.part_of(now))
            self.failpoints("limit.admitted")
        return admission

    def full_until(self, uow: UnitOfWork, rule: RateLimit, identifier: str) -> datetime | None:
        """When there is room for one more; None when there is room now. Nothing is counted or locked by asking."""
        now = self.clock.now()
        admission = self._admission(uow, rule, self.digests.of(identifier), now)
        return None if admission.admitted else now + admission.retry_after

    def _admission(self, uow: UnitOfWork, rule: RateLimit, digest: str, now: datetime) -> Admission:
        if rule.name in self.rules and (until := self._blocked_until(uow, rule.name, digest)) and until > now:
            return Admission(admitted=False, remaining=0, retry_after=until - now)
        return rule.admit(uow.limits.since(digest, rule.name, rule.oldest(now)), now=now)

    def used_in(self, uow: UnitOfWork, rule: RateLimit, identifier: str) -> int:
        """How many hits of this caller count now; nothing is locked by it."""
        parts = uow.limits.since(self.digests.of(identifier), rule.name, rule.oldest(self.clock.now()))
        return sum(part.request_count for part in parts)

    def _blocked_until(self, uow: UnitOfWork, name: str, digest: str) -> datetime | None:
        kept = uow.options.get(f"{BLOCKED}{name}.{digest}")
        return None if kept is None else of_iso(str(kept["until"]))

    def pace_in(self, uow: UnitOfWork, pace: Pace, identifier: str) -> float | None:
        """Use up the next slot: how long until its moment; None when this second was used up before it was over."""
        digest = self.digests.of(identifier)
        uow.limits.lock(digest, pace.name)
        free = self._free_slot(uow, pace, digest)
        if free is None:
            return None
        uow.limits.hit(digest, pace.name, free.second, free.slot + 1 - free.used)
        return free.wait

    def paced_until(self, uow: UnitOfWork, pace: Pace, identifier: str) -> datetime | None:
        """The next second when no slot is left, else None; nothing is used up by asking."""
        if self._free_slot(uow, pace, self.digests.of(identifier)) is not None:
            return None
        return self.clock.now() + timedelta(seconds=1)

    def _free_slot(self, uow: UnitOfWork, pace: Pace, digest: str) -> _FreeSlot | None:
        """The next slot of this second, or where its last one has only passed, the first of the next."""
        now, fraction = self.clock.now(), self.clock.fraction()
        used = _used_in_second(uow, pace, digest, now)
        slot = pace.slot(used, fraction)
        if slot is not None:
            return _FreeSlot(now, used, slot, max(0.0, pace.leaves_after(slot) - fraction))
        if used >= pace.per_second:
            return None
        following = now + timedelta(seconds=1)
        used = _used_in_second(uow, pace, digest, following)
        slot = pace.slot(used, 0.0)
        return None if slot is None else _FreeSlot(following, used, slot, pace.leaves_after(slot) + 1 - fraction)

    async def block(self, name: str, identifier: str, *, span: timedelta, by: str) -> Block:
        """Refuse this caller for so long, whatever it did; a later block takes the place of an earlier one.

        Raises:
            NotFoundError: there is no limit of this name.
            ValueError: the span is not above zero, or is longer than a year.
        """
        self.rule(name)
        if not timedelta(0) < span <= MOST_BLOCKED:
            message = "a block lasts longer than 0 s and at most 365 days"
            raise ValueError(message)

        def work(uow: UnitOfWork) -> Block:
            now = self.clock.now()
            block = Block(limit=name, identifier_hash=self.digests.of(identifier), until=now + span)
            uow.options.put(block.option, document(until=iso(block.until), by=by, at=iso(now)))
            uow.audit.add(AuditEntry(at=now, actor=by, action="limit.block", object=f"limit:{name}"))
            return block

        return await self.database.transact(work)

    async def unblock(self, name: str, identifier: str, *, by: str) -> bool:
        """Let this caller in again; whether it was blocked.

        Raises:
            NotFoundError: there is no limit of this name.
        """
        self.rule(name)

        def work(uow: UnitOfWork) -> bool:
            now = self.clock.now()
            block = Block(limit=name, identifier_hash=self.digests.of(identifier), until=now)
            was_there = uow.options.remove(block.option)
            if was_there:
                uow.audit.add(AuditEntry(at=now, actor=by, action="limit.unblock", object=f"limit:{name}"))
            return was_there

        return await self.database.transact(work)

    async def blocked(self) -> Sequence[Block]:
        """Who is refused whatever it does, by limit; blocks that have ended are left out."""

        def work(uow: UnitOfWork) -> list[Block]:
            now = self.clock.now()
            found = [_block(name, kept) for name, kept in uow.options.named(BLOCKED, limit=MOST_LISTED)]
            return [one for one in found if one.until > now]

        return await self.database.read(work)

    async def sweep(self) -> int:
        """Forget blocks that have ended; how many."""

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            kept = uow.options.named(BLOCKED, limit=MOST_LISTED)
            return sum(uow.options.remove(name) for name, one in kept if _block(name, one).until <= now)

        return await self.database.transact(work)

    async def listed(self, *, name: str | None = None) -> Sequence[RateLimitWindow]:
        """Parts with hits, newest first; callers appear as digests."""
        return await self.database.read(lambda uow: uow.limits.listed(limit_type=name))

    async def reset(self, *, name: str | None = None, identifier: str | None = None, by: str) -> int:
        """Forget hits; how many rows."""

        def work(uow: UnitOfWork) -> int:
            digest = None if identifier is None else self.digests.of(identifier)
            count = uow.limits.reset(identifier_hash=digest, limit_type=name)
            uow.audit.add(
                AuditEntry(at=self.clock.now(), actor=by, action="limit.reset", object=f"limit:{name or 'all'}")
            )
            return count

        return await self.database.transact(work)


def _block(option: str, kept: JsonObject) -> Block:
    limit, _, digest = option.removeprefix(BLOCKED).partition(".")
    return Block(limit=limit, identifier_hash=digest, until=of_iso(str(kept["until"])))

"""Limits: how often something may happen, over all processes on one database."""

from collections.abc import Mapping, Sequence

import attrs

from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.errors import NotFoundError
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
        admission = rule.admit(uow.limits.since(digest, rule.name, rule.oldest(now)), now=now)
        if admission.admitted:
            uow.limits.hit(digest, rule.name, rule.part_of(now))
            self.failpoints("limit.admitted")
        return admission

    def pace_in(self, uow: UnitOfWork, pace: Pace, identifier: str) -> float | None:
        """Use up one slot of the present second: how long until its moment; None when no slot is left."""
        digest = self.digests.of(identifier)
        uow.limits.lock(digest, pace.name)
        now, fraction = self.clock.now(), self.clock.fraction()
        used = sum(part.request_count for part in uow.limits.since(digest, pace.name, now) if part.window_start == now)
        slot = pace.slot(used, fraction)
        if slot is None:
            return None
        uow.limits.hit(digest, pace.name, now, slot + 1 - used)
        return max(0.0, pace.leaves_after(slot) - fraction)

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

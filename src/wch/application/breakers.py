"""Breakers: what is down is not called, by any process, until one probe has come back."""

from collections.abc import Mapping, Sequence

import attrs

from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.circuit_breaker import BreakerRule, BreakerState, CircuitBreaker, Permit
from wch.domain.errors import NotFoundError

PRESETS: Mapping[str, str] = {
    "whatsapp": "5/2/30",
    "shop": "5/2/60",
    "payments": "3/1/120",
    "assistant": "3/2/60",
}
"""Failures that open, successes that close, and seconds before the first probe."""

CLOSED_FOR = 0.25
"""Seconds for which a breaker that was seen closed is taken for closed without looking again."""


@attrs.frozen(kw_only=True)
class Breakers:
    """One state for all processes, in `circuit_breakers`.

    Attributes:
        rules: by service. `whatsapp:<number>` is the pause of one number: it opens by what
            WhatsApp says, and one probe ends it.
    """

    database: Database
    clock: Clock
    rules: Mapping[str, BreakerRule]
    failpoints: Failpoints
    _closed: dict[str, float] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    def rule(self, service: str) -> BreakerRule:
        """The rule of a service.

        Raises:
            NotFoundError: there is no breaker for it.
        """
        name, _, part = service.partition(":")
        rule = self.rules.get(name)
        if rule is None:
            raise NotFoundError(kind="breaker", id=service)
        return attrs.evolve(rule, successes=1) if part else rule

    async def ask(self, service: str) -> Permit | None:
        """May one call be made? A breaker that was closed a moment ago is not looked at again."""
        if self.clock.boot() < self._closed.get(service, 0.0):
            return Permit(service=service)
        permit = await self.database.transact(lambda uow: self.ask_in(uow, service))
        if permit is not None and permit.probe is None:
            self._closed[service] = self.clock.boot() + CLOSED_FOR
        return permit

    async def tell(self, permit: Permit, *, well: bool) -> None:
        """What became of the call."""
        if not well:
            self._closed.pop(permit.service, None)
        await self.database.transact(lambda uow: self.tell_in(uow, permit, well=well))

    def ask_in(self, uow: UnitOfWork, service: str) -> Permit | None:
        """May one call be made? A closed breaker is only looked at; any other is locked and may give one probe."""
        rule = self.rule(service)
        seen = uow.breakers.of(service)
        if seen is None or seen.state is BreakerState.CLOSED:
            return Permit(service=service)
        breaker = uow.breakers.lock(service, now=self.clock.now())
        after, permit = breaker.ask(rule, now=self.clock.now())
        if after != breaker:
            uow.breakers.save(after)
            self.failpoints("breaker.permit")
        return permit

    def tell_in(self, uow: UnitOfWork, permit: Permit, *, well: bool) -> None:
        """What became of the call; good news through a closed breaker without failures writes nothing."""
        rule = self.rule(permit.service)
        seen = uow.breakers.of(permit.service)
        if well and (seen is None or (seen.state is BreakerState.CLOSED and not seen.failures)):
            return
        breaker = uow.breakers.lock(permit.service, now=self.clock.now())
        now = self.clock.now()
        after = breaker.succeeded(permit, rule, now=now) if well else breaker.failed(permit, rule, now=now)
        if after != breaker:
            uow.breakers.save(after)
            self.failpoints("breaker.told")

    async def listed(self) -> Sequence[CircuitBreaker]:
        """All that were ever used, by service."""
        return await self.database.read(lambda uow: uow.breakers.listed())

    async def open(self, service: str, *, by: str) -> CircuitBreaker:
        """Open by hand; the first probe goes after the usual time."""
        return await self._set(service, "open", by=by)

    async def close(self, service: str, *, by: str) -> CircuitBreaker:
        """Close by hand."""
        return await self._set(service, "close", by=by)

    async def _set(self, service: str, action: str, *, by: str) -> CircuitBreaker:
        self.rule(service)

        def work(uow: UnitOfWork) -> CircuitBreaker:
            breaker = uow.breakers.lock(service, now=self.clock.now())
            now = self.clock.now()
            after = breaker.opened(now=now) if action == "open" else breaker.closed(now=now)
            uow.breakers.save(after)
            uow.audit.add(AuditEntry(at=now, actor=by, action=f"breaker.{action}", object=f"breaker:{service}"))
            return after

        self._closed.pop(service, None)
        return await self.database.transact(work)

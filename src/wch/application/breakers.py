"""Breakers: what is down is not called, by any process, until one probe has come back."""

from collections.abc import Mapping, Sequence

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.circuit_breaker import BreakerRule, BreakerState, CircuitBreaker, Permit

PRESETS: Mapping[str, str] = {
    "whatsapp": "5/2/30",
    "shop": "5/2/60",
    "payments": "3/1/120",
    "assistant": "3/2/60",
}
"""Failures that open, successes that close, and seconds before the first probe."""


@attrs.frozen(kw_only=True)
class Breakers:
    """One state for all processes, in `circuit_breakers`.

    Attributes:
        rules: by service; `whatsapp:<number>` follows the rule of `whatsapp`.
    """

    database: Database
    clock: Clock
    rules: Mapping[str, BreakerRule]

    def rule(self, service: str) -> BreakerRule:
        """The rule of a service."""
        return self.rules[service.partition(":")[0]]

    def ask_in(self, uow: UnitOfWork, service: str) -> Permit | None:
        """May one call be made? A closed breaker is only looked at; any other is locked and may give one probe."""
        seen = uow.breakers.of(service)
        if seen is None or seen.state is BreakerState.CLOSED:
            return Permit(service=service)
        now = self.clock.now()
        breaker = uow.breakers.lock(service, now=now)
        after, permit = breaker.ask(self.rule(service), now=now)
        if after != breaker:
            uow.breakers.save(after)
        return permit

    def tell_in(self, uow: UnitOfWork, permit: Permit, *, well: bool) -> None:
        """What became of the call; good news through a closed breaker without failures writes nothing."""
        seen = uow.breakers.of(permit.service)
        if well and (seen is None or (seen.state is BreakerState.CLOSED and not seen.failures)):
            return
        now = self.clock.now()
        breaker = uow.breakers.lock(permit.service, now=now)
        rule = self.rule(permit.service)
        after = breaker.succeeded(permit, rule, now=now) if well else breaker.failed(permit, rule, now=now)
        if after != breaker:
            uow.breakers.save(after)

    async def listed(self) -> Sequence[CircuitBreaker]:
        """All that were ever used, by service."""
        return await self.database.read(lambda uow: uow.breakers.listed())

    async def open(self, service: str, *, by: str) -> CircuitBreaker:
        """Open by hand."""
        return await self._set(service, "open", by=by)

    async def close(self, service: str, *, by: str) -> CircuitBreaker:
        """Close by hand."""
        return await self._set(service, "close", by=by)

    async def _set(self, service: str, action: str, *, by: str) -> CircuitBreaker:
        def work(uow: UnitOfWork) -> CircuitBreaker:
            now = self.clock.now()
            breaker = uow.breakers.lock(service, now=now)
            after = breaker.opened(now=now) if action == "open" else breaker.closed(now=now)
            uow.breakers.save(after)
            uow.audit.add(AuditEntry(at=now, actor=by, action=f"breaker.{action}", object=f"breaker:{service}"))
            return after

        return await self.database.transact(work)

"""Breakers: what is down is not called, by any process, until one probe has come back."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from wch.application import partners
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.tallies import Tallies
from wch.domain.audit import AuditEntry
from wch.domain.circuit_breaker import BreakerRule, BreakerState, CircuitBreaker, Permit
from wch.domain.errors import NotFoundError, StoreUnavailableError, WchError
from wch.domain.evolution import evolve

R = TypeVar("R")

WHATSAPP = "whatsapp"

PRESETS: Mapping[str, str] = {
    WHATSAPP: "5/2/30",
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
        tallies: where a refusal is counted when it is asked for, whatever becomes of the transaction.
    """

    database: Database
    clock: Clock
    rules: Mapping[str, BreakerRule]
    failpoints: Failpoints
    tallies: Tallies
    _closed: dict[str, tuple[float, Permit]] = attrs.field(factory=dict, init=False, repr=False, eq=False)

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
        known = self._closed.get(service)
        if known is not None and self.clock.boot() < known[0]:
            return known[1]
        permit = await self.database.transact(lambda uow: self.ask_in(uow, service))
        if permit is not None and permit.probe is None:
            self._believe(permit)
        return permit

    def is_closed(self, uow: UnitOfWork, service: str) -> bool:
        """Whether anybody may call: for calls that nothing depends on, which are left out otherwise and prove nothing."""
        known = self._closed.get(service)
        if known is not None and self.clock.boot() < known[0]:
            return True
        seen = uow.breakers.of(service)
        if seen is not None and seen.state is not BreakerState.CLOSED:
            return False
        self._believe(Permit(service=service))
        return True

    def _believe(self, permit: Permit) -> None:
        """This permit through a closed breaker is anybody's for a moment."""
        self._closed[permit.service] = self.clock.boot() + CLOSED_FOR, permit

    def shut_until(self, uow: UnitOfWork, service: str) -> datetime | None:
        """When a call may be tried; None when it may be now. Nothing is taken by asking."""
        seen = uow.breakers.of(service)
        return None if seen is None else seen.shut_until(self.rule(service), now=self.clock.now())

    async def tell(self, permit: Permit, *, well: bool) -> None:
        """What became of the call."""
        if not well:
            self._closed.pop(permit.service, None)
        await self.database.transact(lambda uow: self.tell_in(uow, permit, well=well))

    async def guard(
        self, service: str, call: Callable[[], Awaitable[R]], *, down: type[WchError], errors: type[WchError]
    ) -> R:
        """Make a call if the breaker lets it, and tell how it went.

        What came of the call matters more than that the breaker hears of it.

        Args:
            service: whose breaker.
            call: makes it.
            down: what it raises when nothing is known of the call: the service's failure. Raised here too when the
                breaker is open, or nobody knows whether it is.
            errors: every way in which the service may refuse; one that is not `down` shows that it is there.
        """
        permit = None
        with contextlib.suppress(StoreUnavailableError):
            permit = await self.ask(service)
        if permit is None:
            raise down
        try:
            answer = await call()
        except errors as error:
            await self._heard(permit, well=not isinstance(error, down))
            raise
        await self._heard(permit, well=True)
        return answer

    async def _heard(self, permit: Permit, *, well: bool) -> None:
        with contextlib.suppress(StoreUnavailableError):
            await self.tell(permit, well=well)

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
        if permit is None:
            self.tallies.add("breaker_refused", (service.partition(":")[0],))
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
        partners.note(uow, permit.service, well=well, now=now)

    def rest_in(self, uow: UnitOfWork, service: str, wait: timedelta) -> None:
        """No call for so long, then one probe; a breaker that is open already stays as it is."""
        now = self.clock.now()
        breaker = uow.breakers.lock(service, now=now)
        if breaker.state is BreakerState.OPEN:
            return
        opened_at = now + wait - self.rule(service).timeout
        uow.breakers.save(evolve(breaker.opened(now=now, failures=breaker.failures + 1), opened_at=opened_at))
        self._closed.pop(service, None)

    async def listed(self) -> Sequence[CircuitBreaker]:
        """All that were ever used, by service."""
        return await self.database.read(lambda uow: uow.breakers.listed())

    async def open(self, service: str, *, by: str) -> CircuitBreaker:
        """Open by hand; the first probe goes after the usual time."""
        return await self._set(service, "open", by=by)

    async def close(self, service: str, *, by: str) -> CircuitBreaker:
        """Close by hand."""
        return await self._set(service, "close", by=by)

    async def reset(self, *, by: str) -> Sequence[CircuitBreaker]:
        """Close every breaker that is not, and forget the failures counted so far; those that changed."""
        seen = await self.listed()
        return [
            await self.close(one.service, by=by) for one in seen if one.state is not BreakerState.CLOSED or one.failures
        ]

    async def _set(self, service: str, action: str, *, by: str) -> CircuitBreaker:
        self.rule(service)

        def work(uow: UnitOfWork) -> CircuitBreaker:
            breaker = uow.breakers.lock(service, now=self.clock.now())
            now = self.clock.now()
            after = breaker.opened(now=now) if action == "open" else breaker.closed(now=now)
            uow.breakers.save(after)
            if action == "close":
                partners.forget(uow, service)
            uow.audit.add(AuditEntry(at=now, actor=by, action=f"breaker.{action}", object=f"breaker:{service}"))
            return after

        self._closed.pop(service, None)
        return await self.database.transact(work)

"""A circuit breaker: stop calling what is down, and ask with one probe whether it is back."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.evolution import evolve
from wch.domain.lease import stamp_moved, stamp_taken
from wch.domain.moment import utc_seconds


class BreakerState(StrEnum):
    """`half_open` means exactly that one probe is in flight."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@attrs.frozen(kw_only=True)
class BreakerRule:
    """When a breaker trips and when it is trusted again.

    Attributes:
        failures: so many in a row open it.
        successes: so many probes in a row close it.
        timeout: how long it stays open before the first probe.
        probe_lease: how long a probe that says nothing is waited for.
    """

    failures: int = attrs.field(validator=attrs.validators.gt(0))
    successes: int = attrs.field(validator=attrs.validators.gt(0))
    timeout: timedelta
    probe_lease: timedelta = timedelta(seconds=60)

    @classmethod
    def read(cls, text: str) -> Self:
        """The rule that `failures/successes/seconds` names."""
        failures, successes, seconds = (int(word) for word in text.split("/"))
        return cls(failures=failures, successes=successes, timeout=timedelta(seconds=seconds))


@attrs.frozen(kw_only=True)
class Permit:
    """Leave to call once.

    Attributes:
        probe: the stamp of the probe that this call is; None for a plain call through a closed breaker.
    """

    service: str
    probe: datetime | None = None


@attrs.frozen(kw_only=True, slots=False)
class CircuitBreaker:
    """One row of `circuit_breakers`.

    Attributes:
        failures: failures in a row while closed.
        successes: probes in a row that went well.
        opened_at: when it opened; None while open: due for a probe at once.
        updated_at: in half open, the permit of the probe in flight.
    """

    service: str
    state: BreakerState = BreakerState.CLOSED
    failures: int = attrs.field(default=0, validator=not_negative)
    successes: int = attrs.field(default=0, validator=not_negative)
    opened_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    def ask(self, rule: BreakerRule, *, now: datetime) -> tuple[Self, Permit | None]:
        """May one call be made? The breaker as it is afterwards, and the permit if so."""
        if self.state is BreakerState.CLOSED:
            return self, Permit(service=self.service)
        if self.state is BreakerState.OPEN:
            due = self.opened_at is None or self.opened_at <= now - rule.timeout
        else:
            due = self.updated_at + rule.probe_lease <= now
        if not due:
            return self, None
        stamp = stamp_taken(now, self.updated_at)
        probing = evolve(self, state=BreakerState.HALF_OPEN, updated_at=stamp)
        return probing, Permit(service=self.service, probe=stamp)

    def shut_until(self, rule: BreakerRule, *, now: datetime) -> datetime | None:
        """When the next probe may go; None when a call may be made now."""
        if self.ask(rule, now=now)[1] is not None:
            return None
        if self.state is BreakerState.OPEN and self.opened_at is not None:
            return self.opened_at + rule.timeout
        return self.updated_at + rule.probe_lease

    def succeeded(self, permit: Permit, rule: BreakerRule, *, now: datetime) -> Self:
        """The call went well, or was refused for a reason that is not the service's fault."""
        if self.state is BreakerState.CLOSED:
            return self if not self.failures else evolve(self, failures=0, updated_at=self._moved(now))
        if self.state is BreakerState.OPEN or permit.probe != self.updated_at:
            return self
        successes = self.successes + 1
        if successes >= rule.successes:
            return evolve(
                self,
                state=BreakerState.CLOSED,
                failures=0,
                successes=0,
                opened_at=None,
                updated_at=self._moved(now),
            )
        return evolve(self, state=BreakerState.OPEN, successes=successes, opened_at=None, updated_at=self._moved(now))

    def failed(self, permit: Permit, rule: BreakerRule, *, now: datetime) -> Self:
        """The service failed."""
        if self.state is BreakerState.CLOSED:
            failures = self.failures + 1
            if failures >= rule.failures:
                return self.opened(now=now, failures=failures)
            return evolve(self, failures=failures, updated_at=self._moved(now))
        if self.state is BreakerState.OPEN or permit.probe != self.updated_at:
            return self
        return self.opened(now=now)

    def opened(self, *, now: datetime, failures: int | None = None) -> Self:
        """Open from now on."""
        return evolve(
            self,
            state=BreakerState.OPEN,
            failures=self.failures if failures is None else failures,
            successes=0,
            opened_at=now,
            updated_at=self._moved(now),
        )

    def closed(self, *, now: datetime) -> Self:
        """Closed by a person."""
        return evolve(
            self,
            state=BreakerState.CLOSED,
            failures=0,
            successes=0,
            opened_at=None,
            updated_at=self._moved(now),
        )

    def _moved(self, now: datetime) -> datetime:
        return stamp_moved(now, self.updated_at)

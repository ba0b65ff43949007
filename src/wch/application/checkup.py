"""The check-up: how well each part of the hub is, what that was measured by, and what to do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from enum import IntEnum
from typing import Any

import attrs

from wch.application.health import ANSWERS_WITHIN, STOPPED
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.retention import RAN
from wch.application.worker import HEARTBEAT
from wch.domain.circuit_breaker import BreakerState
from wch.domain.errors import NotFoundError, WchError
from wch.domain.moment import of_iso

log = logging.getLogger(__name__)

FLAPS = timedelta(seconds=60)


class Severity(IntEnum):
    """How bad it is; the whole is as bad as its worst part."""

    OK = 0
    UNKNOWN = 1
    WARNING = 2
    DEGRADED = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """As answers say it."""
        return self.name.lower()


@attrs.frozen(kw_only=True)
class HealthChanged:
    """A part of the hub became better or worse."""

    component: str
    before: str
    now: str


@attrs.frozen(kw_only=True)
class Reading:
    """What was measured, and from where on it is too much."""

    severity: Severity
    value: str
    limit: str
    what_to_do: str


@attrs.frozen(kw_only=True)
class Component:
    """How one part is.

    Attributes:
        since: from when on it is so, as this process saw it.
        what_to_do: a sentence; empty while all is well.
        duration_ms: what the check itself took.
    """

    name: str
    severity: Severity
    since: datetime
    value: str
    limit: str
    what_to_do: str
    duration_ms: int


@attrs.frozen(kw_only=True)
class Bounds:
    """From when on something is too much, the mildest first."""

    database_ms: tuple[int, ...]
    clock_seconds: tuple[int, ...]
    reply_seconds: tuple[int, ...]
    notice_minutes: tuple[int, ...]
    worker_seconds: int
    dead_letters: int
    saga_minutes: int
    breaker_minutes: int
    sync_minutes: int
    sync_failed: int
    retention_hours: tuple[int, ...]


_GRADES = (Severity.WARNING, Severity.DEGRADED, Severity.CRITICAL)


def graded(value: float, bounds: tuple[int, ...]) -> Severity:
    """The severity of a value that may grow past each of these bounds."""
    passed = sum(1 for bound in bounds if value > bound)
    return Severity.OK if passed == 0 else _GRADES[passed - 1]


@attrs.frozen(kw_only=True)
class Checkup:
    """Looks at every part, each within two seconds; a check that fails itself is `unknown`, never `ok`.

    Attributes:
        schema: raises SchemaError when the tables are not the ones this program knows.
        bounds: from when on something is too much.
    """

    database: Database
    clock: Clock
    schema: Callable[[], Awaitable[object]]
    bounds: Bounds
    tell: Callable[[object], None]
    _seen: dict[str, tuple[Severity, datetime]] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    async def run(self) -> tuple[Component, ...]:
        """Every part, in a fixed order."""
        return tuple([await self._one(name) for name in self._checks()])

    async def one(self, name: str) -> Component:
        """The part of this name.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self._checks():
            raise NotFoundError(kind="component", id=name)
        return await self._one(name)

    def _checks(self) -> Mapping[str, Callable[[], Awaitable[Reading]]]:
        return {
            "database": self._database,
            "schema": self._schema,
            "clock": self._clock_offset,
            "inbox": lambda: self._waiting("inbound"),
            "outbox": lambda: self._waiting("outbound"),
            "notices": self._notices,
            "workers": self._workers,
            "dead_letters": self._dead_letters,
            "sagas": self._sagas,
            "breakers": self._breakers,
            "whatsapp": self._whatsapp,
            "sync": self._sync,
            "retention": self._retention,
        }

    async def _one(self, name: str) -> Component:
        begun = self.clock.boot()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                reading = await self._checks()[name]()
        except (WchError, TimeoutError) as error:
            severity = Severity.CRITICAL if name == "database" else Severity.UNKNOWN
            way_out = "See to it that the database answers; until then nothing can be known or stored."
            reading = Reading(severity=severity, value=type(error).__name__, limit="an answer", what_to_do=way_out)
        took = int((self.clock.boot() - begun) * 1000)
        if name == "database" and reading.severity is Severity.OK:
            reading = attrs.evolve(reading, severity=graded(took, self.bounds.database_ms), value=f"{took} ms")
        return Component(
            name=name,
            severity=reading.severity,
            since=self._since(name, reading.severity),
            value=reading.value,
            limit=reading.limit,
            what_to_do=reading.what_to_do if reading.severity is not Severity.OK else "",
            duration_ms=took,
        )

    def _since(self, name: str, severity: Severity) -> datetime:
        """From when on it is so; a change is logged and told once, and flapping within a minute is one change."""
        now = self.clock.now()
        before, since = self._seen.get(name, (Severity.OK, now))
        if before is severity and name in self._seen:
            return since
        self._seen[name] = (severity, now)
        if before is not severity and (now - since >= FLAPS or since == now):
            log.warning("health changed", extra={"component": name, "before": before.word, "now": severity.word})
            self.tell(HealthChanged(component=name, before=before.word, now=severity.word))
        return now

    # --- the parts

    async def _database(self) -> Reading:
        await self.database.read(lambda uow: uow.options.get(STOPPED))
        warning, degraded = self.bounds.database_ms
        return Reading(
            severity=Severity.OK,
            value="",
            limit=f"{warning} ms, {degraded} ms",
            what_to_do="Look at the database's load, its disk, and the way to it.",
        )

    async def _schema(self) -> Reading:
        try:
            await self.schema()
        except WchError as error:
            return Reading(
                severity=Severity.CRITICAL, value=str(error), limit="the version known here", what_to_do=str(error)
            )
        return Reading(severity=Severity.OK, value="known", limit="the version known here", what_to_do="")

    async def _clock_offset(self) -> Reading:
        offset = abs((await self.database.clock_offset()).total_seconds())
        return Reading(
            severity=graded(offset, self.bounds.clock_seconds),
            value=f"{offset:.0f} s",
            limit=_spoken(self.bounds.clock_seconds, "s"),
            what_to_do="Let this host and the database's follow a time server.",
        )

    async def _age(self, kind: str) -> float:
        since = (await self.database.read(lambda uow: uow.census.oldest_waiting())).get(kind)
        return 0.0 if since is None else max(0.0, (self.clock.now() - since).total_seconds())

    async def _waiting(self, kind: str) -> Reading:
        age = await self._age(kind)
        return Reading(
            severity=graded(age, self.bounds.reply_seconds),
            value=f"{age:.0f} s",
            limit=_spoken(self.bounds.reply_seconds, "s"),
            what_to_do="See that a worker is alive (`wch worker`) and what holds it back (`wch breakers list`).",
        )

    async def _notices(self) -> Reading:
        minutes = await self._age("notifications") / 60
        return Reading(
            severity=graded(minutes, self.bounds.notice_minutes),
            value=f"{minutes:.0f} min",
            limit=_spoken(self.bounds.notice_minutes, "min"),
            what_to_do="Look at `wch notifications list --status pending`, and whether the shop answers.",
        )

    async def _workers(self) -> Reading:
        beats, oldest = await self.database.read(
            lambda uow: (uow.options.named(HEARTBEAT), uow.census.oldest_waiting())
        )
        waits = any(since <= self.clock.now() for since in oldest.values())
        alive_since = self.clock.now() - timedelta(seconds=self.bounds.worker_seconds)
        alive = sum(1 for _, beat in beats if _at(beat) is not None and (_at(beat) or alive_since) >= alive_since)
        severity = Severity.OK if alive else Severity.CRITICAL if waits else Severity.WARNING
        return Reading(
            severity=severity,
            value=f"{alive} alive",
            limit=f"1 within {self.bounds.worker_seconds} s",
            what_to_do="Start `wch worker`, or `wch serve` without --no-worker.",
        )

    async def _dead_letters(self) -> Reading:
        counts = await self.database.read(lambda uow: uow.dead_letters.counts())
        pending = sum(count for (status, _, _), count in counts.items() if status == "pending")
        severity = graded(pending, (0, self.bounds.dead_letters))
        return Reading(
            severity=severity,
            value=f"{pending} pending",
            limit=f"0, {self.bounds.dead_letters}",
            what_to_do="Decide on them: `wch dead-letters list`, then replay or dismiss.",
        )

    async def _sagas(self) -> Reading:
        parked = await self.database.read(lambda uow: uow.sagas.listed(outcome="parked", limit=100))
        minutes = await self._age("sagas") / 60
        late = minutes > self.bounds.saga_minutes
        severity = Severity.DEGRADED if parked else Severity.WARNING if late else Severity.OK
        return Reading(
            severity=severity,
            value=f"{len(parked)} parked, latest step {minutes:.0f} min late",
            limit=f"0 parked, {self.bounds.saga_minutes} min",
            what_to_do="Look at `wch sagas list --needs-operator`, and take one of the actions that each names.",
        )

    async def _breakers(self) -> Reading:
        found = await self.database.read(lambda uow: uow.breakers.listed())
        now = self.clock.now()
        severity = Severity.OK
        for one in found:
            if one.state is BreakerState.HALF_OPEN:
                severity = max(severity, Severity.WARNING)
            elif one.state is BreakerState.OPEN:
                for_long = now - (one.opened_at or one.updated_at) > timedelta(minutes=self.bounds.breaker_minutes)
                is_worst = one.service == "whatsapp" and for_long
                severity = max(severity, Severity.CRITICAL if is_worst else Severity.DEGRADED)
        shut = sorted(one.service.partition(":")[0] for one in found if one.state is not BreakerState.CLOSED)
        return Reading(
            severity=severity,
            value=", ".join(shut) or "all closed",
            limit=f"whatsapp open for {self.bounds.breaker_minutes} min",
            what_to_do="See whether that service is well; the breaker closes by itself, or by `wch breakers close`.",
        )

    async def _whatsapp(self) -> Reading:
        stopped = await self.database.read(lambda uow: uow.options.get(STOPPED))
        return Reading(
            severity=Severity.OK if stopped is None else Severity.CRITICAL,
            value="sending" if stopped is None else "sending is stopped",
            limit="sending",
            what_to_do="Set a token that is good (WCH_ACCESS_TOKEN) and look at the account with Meta.",
        )

    async def _sync(self) -> Reading:
        def look(uow: UnitOfWork) -> int:
            return uow.census.states().get("sync_queue", {}).get("failed", 0)

        failed, minutes = await self.database.read(look), await self._age("sync") / 60
        is_late = minutes > self.bounds.sync_minutes
        severity = (
            Severity.DEGRADED if failed > self.bounds.sync_failed else Severity.WARNING if is_late else Severity.OK
        )
        return Reading(
            severity=severity,
            value=f"{failed} failed, oldest {minutes:.0f} min",
            limit=f"{self.bounds.sync_failed} failed, {self.bounds.sync_minutes} min",
            what_to_do="Look at `wch sync list --status failed`, and whether the shop answers.",
        )

    async def _retention(self) -> Reading:
        ran = await self.database.read(lambda uow: uow.options.get(RAN))
        at = None if ran is None else _at(ran)
        hours = 0.0 if at is None else (self.clock.now() - at).total_seconds() / 3600
        return Reading(
            severity=Severity.UNKNOWN if at is None else graded(hours, self.bounds.retention_hours),
            value="never" if at is None else f"{hours:.0f} h ago",
            limit=_spoken(self.bounds.retention_hours, "h"),
            what_to_do="A worker lets go of old rows once a day: see that one is alive.",
        )


def worst_of(components: tuple[Component, ...]) -> Severity:
    """How the whole is."""
    return max((one.severity for one in components), default=Severity.UNKNOWN)


def _spoken(bounds: tuple[int, ...], unit: str) -> str:
    return ", ".join(f"{bound} {unit}" for bound in bounds)


def _at(kept: Mapping[str, Any]) -> datetime | None:
    word = kept.get("at")
    return of_iso(word) if isinstance(word, str) else None

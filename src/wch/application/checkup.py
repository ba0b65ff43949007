"""The check-up: how well each part of the hub is, what that was measured by, and what to do."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application import partners, silence, templates_in_use, tiers
from wch.application.account_watch import AccountWatch
from wch.application.facts import HealthChanged
from wch.application.health import ANSWERS_WITHIN, STOPPED
from wch.application.limits import Limits
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.readings import GRADES, HUNDRED, Bounds, Reading, Severity, graded, spoken
from wch.application.retention import RAN
from wch.application.templates import Templates
from wch.application.worker import alive
from wch.domain.circuit_breaker import BreakerState
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.errors import NotFoundError, StoreUnavailableError, WchError
from wch.domain.message import MessageStatus
from wch.domain.moment import of_iso

log = logging.getLogger(__name__)

FLAPS = timedelta(seconds=60)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

Check = Callable[[], Awaitable[Reading]]
"""Measures one part; whatever it raises, and two seconds without an answer, make it `unknown`."""

DATABASE = "database"
_BESIDE_THE_DATABASE = frozenset({"disk"})

STATUS_WITHIN = timedelta(minutes=15)
"""So soon after a message left, some status of it has come."""


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


class HostCheckError(WchError):
    """The host's own check failed; `kind` is the class of what it raised."""

    kind: str


@attrs.frozen(kw_only=True)
class Sightings:
    """How this process saw the parts last, by name; a hub that takes another's place goes on with its sightings.

    Attributes:
        seen: how each is, and since when.
        told: how each was when somebody was told, and when that was.
    """

    seen: dict[str, tuple[Severity, datetime]] = attrs.field(factory=dict)
    told: dict[str, tuple[Severity, datetime]] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Checkup:
    """Looks at every part, each within two seconds; a check that fails itself is `unknown`, never `ok`.

    While the database does not answer, nothing that stands in it is asked for.

    Attributes:
        schema: raises SchemaError when the tables are not the ones this program knows.
        bounds: from when on something is too much.
        unsigned: names of settings that are missing, by the partner whose deliveries prove nothing without them.
        more: what a host wants looked at too, by name; one of ours stays ours.
        free: the share of the disk that is free where the hub keeps anything, in hundredths; None: it keeps nothing.
    """

    database: Database
    clock: Clock
    schema: Callable[[], Awaitable[object]]
    bounds: Bounds
    limits: Limits
    account: AccountWatch
    templates: Templates
    unsigned: Mapping[str, Collection[str]]
    free: Callable[[], int | None]
    tell: Callable[[object], None]
    sightings: Sightings
    more: Mapping[str, Check]

    async def run(self) -> tuple[Component, ...]:
        """Every part, in a fixed order."""
        found: dict[str, Component] = {}
        for name in self._checks():
            is_away = DATABASE in found and found[DATABASE].severity is Severity.CRITICAL
            found[name] = await self._one(name, is_away=is_away and name not in {*_BESIDE_THE_DATABASE, *self.more})
        return tuple(found.values())

    async def one(self, name: str) -> Component:
        """The part of this name.

        Raises:
            NotFoundError: there is none.
        """
        if name not in self._checks():
            raise NotFoundError(kind="component", id=name)
        return await self._one(name)

    def _checks(self) -> Mapping[str, Check]:
        ours: Mapping[str, Check] = {
            DATABASE: self._database,
            "schema": self._schema,
            "clock": self._clock_offset,
            "ingress": self._ingress,
            "inbox": lambda: self._waiting("inbound"),
            "outbox": lambda: self._waiting("outbound"),
            "notices": self._notices,
            "unconfirmed": self._unconfirmed,
            "workers": self._workers,
            "dead_letters": self._dead_letters,
            "sagas": self._sagas,
            "breakers": self._breakers,
            "whatsapp": self._whatsapp,
            "templates": self._templates,
            "shop": lambda: self._partner("shop"),
            "payments": lambda: self._partner("payments"),
            "sync": self._sync,
            "disk": self._disk,
            "retention": self._retention,
        }
        return {**ours, **{name: self._of_host(check) for name, check in self.more.items() if name not in ours}}

    def _of_host(self, check: Check) -> Check:
        """A host's check: what it raises says nothing of what it measures, and its words go nowhere."""

        async def measured() -> Reading:
            try:
                return await check()
            except Exception as error:
                raise HostCheckError(kind=type(error).__name__) from error

        return measured

    async def _one(self, name: str, *, is_away: bool = False) -> Component:
        begun = self.clock.boot()
        try:
            if is_away:
                raise StoreUnavailableError
            async with asyncio.timeout(ANSWERS_WITHIN):
                reading = await self._checks()[name]()
        except (WchError, TimeoutError) as error:
            severity = Severity.CRITICAL if name == DATABASE else Severity.UNKNOWN
            kind = error.kind if isinstance(error, HostCheckError) else type(error).__name__
            way_out = (
                "See why the host's own check fails."
                if name in self.more
                else "See to it that the database answers; until then nothing can be known or stored."
            )
            reading = Reading(severity=severity, value=kind, limit="an answer", what_to_do=way_out)
        took = int((self.clock.boot() - begun) * 1000)
        if name == DATABASE and reading.severity is Severity.OK:
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
        """From when on it is so; a change is logged and told, unless one was within the last minute.

        What is still another state when that minute is over is told then: flapping is one
        change, and how it ends is never left out.
        """
        now = self.clock.now()
        if self.sightings.seen.get(name, (None, now))[0] is not severity:
            self.sightings.seen[name] = (severity, now)
        before, at = self.sightings.told.get(name, (Severity.OK, None))
        if before is not severity and (at is None or now - at >= FLAPS):
            self.sightings.told[name] = (severity, now)
            log.warning("health changed", extra={"component": name, "before": before.word, "now": severity.word})
            self.tell(HealthChanged(component=name, before=before.word, now=severity.word))
        return self.sightings.seen[name][1]

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
            limit=spoken(self.bounds.clock_seconds, "s"),
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
            limit=spoken(self.bounds.reply_seconds, "s"),
            what_to_do="See that a worker is alive (`wch worker`) and what holds it back (`wch breakers list`).",
        )

    async def _notices(self) -> Reading:
        minutes = await self._age("notifications") / 60
        return Reading(
            severity=graded(minutes, self.bounds.notice_minutes),
            value=f"{minutes:.0f} min",
            limit=spoken(self.bounds.notice_minutes, "min"),
            what_to_do="Look at `wch notifications list --status pending`, and whether the shop answers.",
        )

    async def _ingress(self) -> Reading:
        now = self.clock.now()
        quiet = now - timedelta(minutes=self.bounds.silence_minutes)

        def look(uow: UnitOfWork) -> tuple[int, bool]:
            parts = uow.limits.listed(limit_type="webhook", limit=1000)
            bad = sum(one.request_count for one in parts if one.window_start > now - MINUTE)
            sent = uow.census.silent_sends(quiet, now - STATUS_WITHIN)
            heard = any(
                (at := uow.messages.latest_inbound_at(one.customer_phone)) is not None and at >= quiet
                for one in uow.conversations.listed(limit=20)
            )
            return bad, 0 < sent.accepted == sent.silent and not heard

        bad, is_silent = await self.database.read(look)
        # What the limit refuses is not counted, so one caller never comes above it.
        many = bad >= self.bounds.bad_signatures
        severity = Severity.DEGRADED if is_silent else Severity.WARNING if many else Severity.OK
        silent = f"no webhook for {self.bounds.silence_minutes} min, though messages left"
        return Reading(
            severity=severity,
            value=silent if is_silent else f"{bad} badly signed in a minute",
            limit=f"{self.bounds.bad_signatures} badly signed, {self.bounds.silence_minutes} min of silence",
            what_to_do="See with Meta that the webhook's address and the subscription stand, and compare WCH_APP_SECRET.",
        )

    async def _unconfirmed(self) -> Reading:
        now = self.clock.now()

        def look(uow: UnitOfWork) -> tuple[int, int]:
            rows = uow.messages.overdue(MessageStatus.UNCONFIRMED, before=now, limit=1000)
            doubtful = sum(one.stamp is not None and one.stamp > now - HOUR for one in rows)
            return doubtful, uow.census.silent_sends(now - HOUR, now + MINUTE).accepted + doubtful

        doubtful, all_ = await self.database.read(look)
        percent = doubtful * HUNDRED / all_ if all_ else 0.0
        return Reading(
            severity=graded(percent, self.bounds.unconfirmed_percent),
            value=f"{doubtful} of {all_} sends",
            limit=spoken(self.bounds.unconfirmed_percent, "%"),
            what_to_do="See whether statuses of WhatsApp come in, and the way to its API.",
        )

    async def _disk(self) -> Reading:
        free = await asyncio.to_thread(self.free)
        lacks = sum(1 for bound in self.bounds.disk_percent if free is not None and free < bound)
        return Reading(
            severity=(Severity.OK, *GRADES)[lacks],
            value="nothing is kept here" if free is None else f"{free} % free",
            limit=spoken(self.bounds.disk_percent, "%"),
            what_to_do="Make room on the disk of the database and of customers' files.",
        )

    async def _workers(self) -> Reading:
        now, within = self.clock.now(), timedelta(seconds=self.bounds.worker_seconds)
        living, oldest = await self.database.read(
            lambda uow: (alive(uow, now, within=within), uow.census.oldest_waiting())
        )
        waits = any(since <= now for since in oldest.values())
        severity = Severity.OK if living else Severity.CRITICAL if waits else Severity.WARNING
        return Reading(
            severity=severity,
            value=f"{len(living)} alive",
            limit=f"1 within {self.bounds.worker_seconds} s",
            what_to_do="Start `wch worker`, or `wch serve` without --no-worker.",
        )

    async def _dead_letters(self) -> Reading:
        since, most = self.clock.now() - HOUR, self.bounds.dead_letters

        def look(uow: UnitOfWork) -> tuple[Mapping[tuple[str, str, str], int], int]:
            # More than `most` are degraded as they are, however old.
            waiting = uow.dead_letters.listed(status=DeadLetterStatus.PENDING, limit=most)
            return uow.dead_letters.counts(), sum(one.created_at > since for one in waiting)

        counts, fresh = await self.database.read(look)
        pending = sum(count for (status, _, _), count in counts.items() if status == "pending")
        many = fresh > self.bounds.dead_letters_hour
        severity = Severity.DEGRADED if many else graded(pending, (0, most))
        return Reading(
            severity=severity,
            value=f"{pending} pending",
            limit=f"0, {most}, {self.bounds.dead_letters_hour} an hour",
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
        now = self.clock.now()
        found = await self.database.read(lambda uow: [*self._of_sending(uow), *self.account.readings(uow, now)])
        well = Reading(severity=Severity.OK, value="sending", limit="sending", what_to_do="")
        return max(found, key=lambda one: one.severity, default=well)

    def _of_sending(self, uow: UnitOfWork) -> Iterator[Reading]:
        """What is wrong with what is sent; of two that are as bad, the first is told."""
        if uow.options.get(STOPPED) is not None:
            yield Reading(
                severity=Severity.CRITICAL,
                value="sending is stopped",
                limit="sending",
                what_to_do="Set a token that is good (WCH_ACCESS_TOKEN) and look at the account with Meta.",
            )
        silent, accepted = silence.latest(uow)
        if silence.is_too_much(silent, accepted, self.bounds.silent_percent):
            yield Reading(
                severity=Severity.DEGRADED,
                value=f"{silent} of {accepted} sends without any status",
                limit=f"{self.bounds.silent_percent} % silent",
                what_to_do="See that the app is subscribed to the field `messages`, and that numbers are whole.",
            )
        used = tiers.used_part(uow, self.limits)
        if used * HUNDRED > self.bounds.tier_percent:
            yield Reading(
                severity=Severity.WARNING,
                value=f"{used:.0%} of the tier used",
                limit=f"{self.bounds.tier_percent} %",
                what_to_do="Campaigns wait for tomorrow when it is used up; replies inside windows go on.",
            )

    async def _templates(self) -> Reading:
        written = await asyncio.to_thread(self.templates.written)
        names = set(self.templates.uses.values())
        return await self.database.read(lambda uow: templates_in_use.reading(uow, names=names, written=written))

    async def _partner(self, service: str) -> Reading:
        now = self.clock.now()
        return await self.database.read(
            lambda uow: partners.reading(
                uow,
                service,
                minutes=self.bounds.partner_minutes,
                unsigned=self.unsigned.get(service, ()),
                now=now,
            )
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
            limit=spoken(self.bounds.retention_hours, "h"),
            what_to_do="A worker lets go of old rows once a day: see that one is alive.",
        )


def worst_of(components: tuple[Component, ...]) -> Severity:
    """How the whole is."""
    return max((one.severity for one in components), default=Severity.UNKNOWN)


def _at(kept: Mapping[str, Any]) -> datetime | None:
    word = kept.get("at")
    return of_iso(word) if isinstance(word, str) else None

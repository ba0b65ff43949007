"""Metrics for Prometheus: what this process counted, and what the tables hold."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as Counting
from prometheus_client.core import GaugeMetricFamily

from wch.application import campaigns, tiers
from wch.application.checkup import Component
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.application.tallies import Span
from wch.application.verification import STANDS
from wch.application.worker import HEARTBEAT
from wch.domain.circuit_breaker import BreakerState, CircuitBreaker
from wch.domain.errors import WchError
from wch.domain.moment import of_iso, unix
from wch.entrypoints.http.tallied import histogram, tallied, written
from wch.entrypoints.shown import program_version

FRESH_SECONDS = 5.0
"""How long one look at the tables serves all who ask."""

LATELY = timedelta(minutes=5)
MOST_LATELY = 30_000
"""So many deliveries are remembered by their second: a hundred each second for five minutes."""

MOST_PARKED = 500
"""So many parked sagas are counted by their reason."""

ACCEPTED = 200
_RESULTS = {ACCEPTED: "accepted", 401: "bad_signature", 413: "too_large", 503: "unavailable"}
"""What became of a delivery, by the status of its answer; any other was `refused`."""

_STATES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


@attrs.define(eq=False)
class _Times:
    """How often something happened since somebody last looked: nearly every answer is counted, and few are looked at."""

    counter: Counting
    untold: int = 0

    def tell(self) -> None:
        """Hand over what was counted since."""
        self.counter.inc(self.untold)
        self.untold = 0


class Meters:
    """What one application counts; nothing is global, so several live in one process."""

    def __init__(self) -> None:
        self._counted = CollectorRegistry()
        self._requests = Counting(
            "wch_http_requests", "Answers by route.", ("route", "method", "code"), registry=self._counted
        )
        self._webhooks = Counting("wch_webhooks", "Deliveries.", ("kind", "result"), registry=self._counted)
        self._bad = Counting("wch_bad_signatures", "Deliveries that were not signed rightly.", registry=self._counted)
        self._answers: dict[tuple[str, str, int], _Times] = {}
        self._deliveries: dict[int, _Times] = {}
        self._seconds = Span()
        self._latest: datetime | None = None
        self._lately: deque[datetime] = deque(maxlen=MOST_LATELY)
        self._shown: tuple[float, bytes] | None = None
        self._looking = asyncio.Lock()

    def answered(self, route: str, method: str, status: int) -> None:
        """Count one answer; the route is its pattern, so that no id becomes a label."""
        told = route, method if method in _METHODS else "other", status
        counted = self._answers.get(told)
        if counted is None:
            counted = self._answers[told] = _Times(self._requests.labels(*told))
        counted.untold += 1

    def delivered(self, status: int, *, seconds: float, at: datetime) -> None:
        """Count one delivery of WhatsApp's."""
        counted = self._deliveries.get(status)
        if counted is None:
            result = _RESULTS.get(status, "refused")
            counted = self._deliveries[status] = _Times(self._webhooks.labels("whatsapp", result))
        counted.untold += 1
        self._seconds.add(seconds)
        if status == ACCEPTED:
            self._latest = at
            self._lately.append(at)
        elif status in {401, 429}:
            self._bad.inc()

    def a_minute(self, at: datetime) -> float:
        """Deliveries accepted here in a minute, over the last five; so many as `MOST_LATELY` at most."""
        return sum(1 for one in self._lately if at - one < LATELY) / (LATELY / timedelta(minutes=1))

    async def text(self, hub: Hub) -> bytes:
        """All of it as Prometheus reads it; the tables are looked at every five seconds at most."""
        async with self._looking:
            now = hub.clock.boot()
            if self._shown is None or now - self._shown[0] >= FRESH_SECONDS:
                self._shown = (now, await self._of_tables(hub))
        for counted in (*self._answers.values(), *self._deliveries.values()):
            counted.tell()
        waited = histogram("wch_webhook_seconds", "From call to answer.", (), {(): self._seconds})
        return generate_latest(self._counted) + written([waited]) + tallied(hub) + self._shown[1]

    async def _of_tables(self, hub: Hub) -> bytes:
        held = await hub.database.read(lambda uow: _held(uow, hub))
        figures = await hub.statistics.snapshot()
        offset = (await hub.database.clock_offset()).total_seconds()
        families = [
            _family("wch_build_info", "This program.", ("version", "schema"), [(await _version(hub), 1)]),
            _family("wch_waiting", "Rows that wait.", ("work",), _standing(held.states, "waiting")),
            _family("wch_leased", "Rows that somebody works at.", ("work",), _standing(held.states, "leased")),
            _family(
                "wch_oldest_waiting_seconds",
                "How long the oldest waits.",
                ("work",),
                [((kind,), age) for kind, age in figures["oldest_waiting_by_kind_s"].items()],
            ),
            _family("wch_unconfirmed", "Sends without an answer.", (), [((), figures["unconfirmed"])]),
            _family("wch_dead_letters", "Dead letters.", ("reason", "status"), _letters(held.letters)),
            _family("wch_sagas", "Sagas.", ("type", "state"), sorted(held.sagas.items())),
            _family("wch_sagas_parked", "Sagas that wait for a person.", ("reason",), sorted(held.parked.items())),
            _family(
                "wch_campaign_recipients",
                "Recipients of campaigns that are not over.",
                ("campaign", "status"),
                sorted(held.recipients.items()),
            ),
            _family(
                "wch_breaker_state",
                "0 closed, 1 half open, 2 open.",
                ("service",),
                _worst([(one.service.partition(":")[0], _STATES[one.state]) for one in held.breakers]),
            ),
            _family("wch_tier_used_ratio", "Used of what the portfolio may write to in a day.", (), [((), held.tier)]),
            _family("wch_clock_offset_seconds", "The database's clock before ours.", (), [((), offset)]),
            _family(
                "wch_worker_heartbeat_timestamp_seconds",
                "The latest heartbeat of any worker.",
                (),
                [((), max(held.beats))] if held.beats else [],
            ),
            _family(
                "wch_last_webhook_timestamp_seconds",
                "The latest delivery here.",
                (),
                [] if self._latest is None else [((), unix(self._latest))],
            ),
            _health(await hub.checkup.run()),
        ]
        return written(families)


@attrs.frozen(kw_only=True)
class _Held:
    """What the tables hold, all of one snapshot."""

    states: Mapping[str, Mapping[str, int]]
    letters: Mapping[tuple[str, str, str], int]
    breakers: Sequence[CircuitBreaker]
    beats: Sequence[int]
    sagas: Mapping[tuple[str, ...], int]
    parked: Mapping[tuple[str, ...], int]
    recipients: Mapping[tuple[str, ...], int]
    tier: float


def _held(uow: UnitOfWork, hub: Hub) -> _Held:
    parked = uow.sagas.listed(outcome="parked", limit=MOST_PARKED)
    running = [one.plan.id for one in campaigns.all_of(uow) if one.progress.state in campaigns.OPEN]
    return _Held(
        states=uow.census.states(),
        letters=uow.dead_letters.counts(),
        breakers=uow.breakers.listed(),
        beats=[unix(of_iso(str(beat["at"]))) for _, beat in uow.options.named(HEARTBEAT) if "at" in beat],
        sagas={(kind, state): count for (kind, state), count in uow.census.sagas().items()},
        parked=Counter((str(one.context.get("reason")),) for one in parked),
        recipients={
            (str(number), status): count
            for number in running
            for status, count in uow.recipients.counts(number).items()
        },
        tier=tiers.used_part(uow, hub.limits),
    )


async def _version(hub: Hub) -> tuple[str, str]:
    """The program's and the tables'; a store without tables has none, and what cannot be asked is unknown."""
    try:
        known = await hub.health.schema()
    except WchError:
        known = "unknown"
    return program_version(), str(known or "none")


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Samples = Iterable[tuple[tuple[str, ...], float]]


def _family(name: str, meaning: str, labels: tuple[str, ...], samples: Samples) -> Any:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _standing(states: Mapping[str, Mapping[str, int]], where: str) -> list[tuple[tuple[str, ...], float]]:
    """Rows that stand there in the conservation law, by kind of work."""
    found: dict[str, int] = {}
    for table, stands in STANDS.items():
        for word, place in stands.items():
            if place == where:
                side = word.partition(":")[0] if table == "messages" else table
                found[side] = found.get(side, 0) + states.get(table, {}).get(word, 0)
    return [((work,), count) for work, count in sorted(found.items())]


def _letters(counts: Mapping[tuple[str, str, str], int]) -> list[tuple[tuple[str, ...], float]]:
    found: dict[tuple[str, ...], float] = {}
    for (status, _, reason), count in counts.items():
        found[reason, status] = found.get((reason, status), 0) + count
    return sorted(found.items())


def _worst(pairs: list[tuple[str, int]]) -> list[tuple[tuple[str, ...], float]]:
    """One figure a service: the number of a paused line is no label."""
    found: dict[str, int] = {}
    for service, state in pairs:
        found[service] = max(found.get(service, 0), state)
    return [((service,), state) for service, state in sorted(found.items())]


def _health(components: tuple[Component, ...]) -> Any:
    return _family(
        "wch_health",
        "0 ok, 1 unknown, 2 warning, 3 degraded, 4 critical.",
        ("component",),
        [((one.name,), int(one.severity)) for one in components],
    )

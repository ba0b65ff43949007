"""Metrics for Prometheus: what this process counted, and what the tables hold."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily

from wch.application.checkup import Component
from wch.application.hub import Hub
from wch.application.verification import STANDS
from wch.application.worker import HEARTBEAT
from wch.domain.circuit_breaker import BreakerState
from wch.domain.moment import of_iso, unix
from wch.entrypoints.http.documentation import program_version

FRESH_SECONDS = 5.0
"""How long one look at the tables serves all who ask."""

_STATES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


class Meters:
    """What one application counts; nothing is global, so several live in one process."""

    def __init__(self) -> None:
        self._counted = CollectorRegistry()
        self._requests = Counter(
            "wch_http_requests", "Answers by route.", ("route", "method", "code"), registry=self._counted
        )
        self._webhooks = Counter("wch_webhooks", "Deliveries.", ("kind", "result"), registry=self._counted)
        self._seconds = Histogram("wch_webhook_seconds", "From call to answer.", registry=self._counted)
        self._bad = Counter("wch_bad_signatures", "Deliveries that were not signed rightly.", registry=self._counted)
        self._latest: int | None = None
        self._shown: tuple[float, bytes] | None = None

    def answered(self, route: str, method: str, status: int) -> None:
        """Count one answer; the route is its pattern, so that no id becomes a label."""
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()

    def delivered(self, kind: str, status: int, *, seconds: float, at: int) -> None:
        """Count one delivery."""
        result = {200: "accepted", 401: "bad_signature", 413: "too_large", 503: "unavailable"}.get(status, "refused")
        self._webhooks.labels(kind, result).inc()
        self._seconds.observe(seconds)
        if status in {401, 429}:
            self._bad.inc()
        if result == "accepted":
            self._latest = at

    async def text(self, hub: Hub) -> bytes:
        """All of it as Prometheus reads it; the tables are looked at every five seconds at most."""
        now = hub.clock.boot()
        if self._shown is None or now - self._shown[0] >= FRESH_SECONDS:
            self._shown = (now, await self._of_tables(hub))
        return generate_latest(self._counted) + self._shown[1]

    async def _of_tables(self, hub: Hub) -> bytes:
        figures = await hub.statistics.snapshot()
        states, letters, breakers, beats = await hub.database.read(
            lambda uow: (
                uow.census.states(),
                uow.dead_letters.counts(),
                uow.breakers.listed(),
                uow.options.named(HEARTBEAT),
            )
        )
        offset = (await hub.database.clock_offset()).total_seconds()
        families = [
            _family("wch_build_info", "This program.", ("version",), [((program_version(),), 1)]),
            _family("wch_waiting", "Rows that wait.", ("work",), _standing(states, "waiting")),
            _family("wch_leased", "Rows that somebody works at.", ("work",), _standing(states, "leased")),
            _family(
                "wch_oldest_waiting_seconds",
                "How long the oldest waits.",
                ("work",),
                [((kind,), age) for kind, age in figures["oldest_waiting_by_kind_s"].items()],
            ),
            _family("wch_unconfirmed", "Sends without an answer.", (), [((), figures["unconfirmed"])]),
            _family("wch_dead_letters", "Dead letters.", ("reason", "status"), _letters(letters)),
            _family(
                "wch_sagas", "Sagas.", ("state",), [((state,), n) for state, n in states.get("saga_state", {}).items()]
            ),
            _family(
                "wch_breaker_state",
                "0 closed, 1 half open, 2 open.",
                ("service",),
                _worst([(one.service.partition(":")[0], _STATES[one.state]) for one in breakers]),
            ),
            _family("wch_clock_offset_seconds", "The database's clock before ours.", (), [((), offset)]),
            _family(
                "wch_worker_heartbeat_timestamp_seconds",
                "The latest heartbeat of any worker.",
                (),
                [((), max(unix(of_iso(str(beat["at"]))) for _, beat in beats if "at" in beat))] if beats else [],
            ),
            _family(
                "wch_last_webhook_timestamp_seconds",
                "The latest delivery here.",
                (),
                [] if self._latest is None else [((), self._latest)],
            ),
            _health(await hub.checkup.run()),
        ]
        shown = CollectorRegistry()
        shown.register(_Families(families))
        return generate_latest(shown)


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Samples = Iterable[tuple[tuple[str, ...], float]]


class _Families:
    """What the tables held at one moment."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        """All of them."""
        return self._families


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

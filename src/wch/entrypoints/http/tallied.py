"""What happened in this process, as Prometheus reads it: every name is there, also while nothing of it happened."""

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

from wch.application.facts import FENCED, PAYMENTS
from wch.application.hub import Hub
from wch.application.tallies import BOUNDS, Labels, Span, Tallies

Meaning = tuple[str, tuple[str, ...]]

COUNTED: Mapping[str, Meaning] = {
    "events": ("Events of deliveries.", ("type", "result")),
    "attempts": ("Attempts at rows of work that ended.", ("work", "result")),
    "lease_takeovers": ("Leases taken over from a worker that is gone.", ("work",)),
    "fenced_writes": ("Writes of workers whose lease was lost.", ("work",)),
    "messages": ("Messages that came to a state.", ("direction", "class", "status")),
    "send_errors": ("Sends that WhatsApp refused, by its number.", ("code",)),
    "unconfirmed_resolved": ("Sends in doubt that were settled.", ("how",)),
    "policy": ("What the rules decided about messages that nobody asked for.", ("kind", "rule", "verdict")),
    "window_closed": ("Messages that came too late for the window.", ("class",)),
    "opt_outs": ("Customers who refused marketing.", ("source",)),
    "carts_abandoned": ("Carts left lying.", ()),
    "reminders": ("Reminders of carts, by their place in the row.", ("n", "result")),
    "recovered": ("Carts that a reminder brought an order from.", ()),
    "recovered_revenue": ("What those orders came to.", ("currency",)),
    "campaign_pauses": ("Campaigns that paused.", ("reason",)),
    "notices": ("Order notices that came to a state.", ("type", "result")),
    "reengagement": ("Contacts that were to bring customers back.", ("kind", "result")),
    "payments": ("What became of online payments.", ("gateway", "result")),
    "breaker_refused": ("Calls that an open breaker refused.", ("service",)),
    "limit": ("Hits that a limit let through or refused.", ("limit", "result")),
    "sync": ("Work on shop and catalogue that ended.", ("entity", "action", "result")),
    "erasures": ("Erasures of customers.", ("result",)),
    "retention_rows": ("Rows that were let go of.", ("data", "result")),
    "health_changes": ("Parts that became better or worse.", ("component", "severity")),
}
TIMED: Mapping[str, Meaning] = {
    "handling_seconds": ("From the take of a customer's line to its answer.", ("intent",)),
    "send_seconds": ("Calls that send.", ("class", "result")),
    "saga_step_seconds": ("Steps of sagas.", ("type", "step", "result")),
    "shop_seconds": ("Calls of the shop.", ("operation", "result")),
    "transaction_seconds": ("Transactions, by the room that asked for them.", ("work",)),
}
_CALLED = {"fenced_writes": FENCED, "payments": PAYMENTS}
"""What the facts call it, where that is another word."""


class _Families:
    """Families that are known already."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        """All of them."""
        return self._families


def written(families: list[Any]) -> bytes:
    """These families as text."""
    shown = CollectorRegistry()
    shown.register(_Families(families))
    return generate_latest(shown)


def tallied(hub: Hub) -> bytes:
    """Every tally of this process, and how often its store began a transaction again."""
    redone = CounterMetricFamily("wch_transaction_retries", "Transactions begun again.", labels=("reason",))
    for reason, count in sorted(hub.database.redone().items()):
        redone.add_metric((reason,), count)
    return written([*_counted(hub.tallies), *_timed(hub.tallies), redone])


def _counted(tallies: Tallies) -> Iterator[CounterMetricFamily]:
    for name, (meaning, labels) in COUNTED.items():
        family = CounterMetricFamily(f"wch_{name}", meaning, labels=labels)
        found = tallies.of(_CALLED.get(name, name))
        for values, count in sorted(found.items() if found or labels else [((), 0)]):
            family.add_metric(values, count)
        yield family


def _timed(tallies: Tallies) -> Iterator[HistogramMetricFamily]:
    for name, (meaning, labels) in TIMED.items():
        yield histogram(f"wch_{name}", meaning, labels, tallies.spans_of(name))


def histogram(name: str, meaning: str, labels: tuple[str, ...], spans: Mapping[Labels, Span]) -> HistogramMetricFamily:
    """How long something took, by the values of these labels."""
    family = HistogramMetricFamily(name, meaning, labels=labels)
    for values, span in sorted(spans.items(), key=lambda one: one[0]):
        family.add_metric(values, buckets=_buckets(span), sum_value=span.seconds)
    return family


def _buckets(span: Span) -> list[tuple[str, float]]:
    ends = [*map(str, BOUNDS), "+Inf"]
    return list(zip(ends, map(float, accumulate(span.parts)), strict=True))

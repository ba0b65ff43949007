"""Partners: the shop and the gateways, and for how long they have been asked in vain, over all processes."""

from collections.abc import Collection
from datetime import datetime, timedelta

from wch.application.ports import UnitOfWork
from wch.application.readings import Reading, Severity, graded, spoken
from wch.domain.document import document
from wch.domain.moment import iso, of_iso

PARTNERS = frozenset({"shop", "payments"})
"""The breakers whose calls are noted."""

PREFIX = "partner."
"""How the options begin; the service follows. One is there from the first call in vain to the next that was answered."""

ASKED_WITHIN = timedelta(hours=2)
"""Longer than any wait between two tries: whom nobody asked for so long, nobody misses."""

MINUTE_SECONDS = 60


def note(uow: UnitOfWork, service: str, *, well: bool, now: datetime) -> None:
    """What became of a call, under the lock of its breaker, which good news without bad ones before never takes."""
    if service not in PARTNERS:
        return
    if well:
        forget(uow, service)
        return
    before = uow.options.get(PREFIX + service, lock=True) or {}
    uow.options.put(PREFIX + service, document(since=before.get("since", iso(now)), latest=iso(now)))


def forget(uow: UnitOfWork, service: str) -> None:
    """It is well as far as anybody knows."""
    uow.options.remove(PREFIX + service)


def in_vain(uow: UnitOfWork, service: str, *, now: datetime) -> timedelta:
    """From the first call in vain to the latest; nothing while it answers, or nobody asks any more."""
    told = uow.options.get(PREFIX + service)
    if told is None or now - (latest := of_iso(str(told["latest"]))) > ASKED_WITHIN:
        return timedelta(0)
    return latest - of_iso(str(told["since"]))


def reading(
    uow: UnitOfWork, service: str, *, minutes: tuple[int, ...], unsigned: Collection[str], now: datetime
) -> Reading:
    """How a partner is.

    Args:
        uow: the transaction.
        service: its breaker.
        minutes: without an answer though it is asked: warning, degraded.
        unsigned: names of settings without which its deliveries prove nothing.
        now: the present moment.
    """
    limit = spoken(minutes, "min")
    if unsigned:
        return Reading(
            severity=Severity.CRITICAL,
            value=f"{', '.join(unsigned)} not set",
            limit="signed deliveries",
            what_to_do="Set it: until then what is told from there is not believed.",
        )
    span = in_vain(uow, service, now=now).total_seconds() / MINUTE_SECONDS
    return Reading(
        severity=graded(span, minutes),
        value=f"asked in vain for {span:.0f} min" if span else "no call in vain",
        limit=limit,
        what_to_do="See whether it is well, its address and keys, and the way to it; `wch breakers list` says how calls go.",
    )

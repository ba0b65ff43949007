"""Silence: sends that WhatsApp accepted and never spoke of again, which nobody would notice otherwise."""

from datetime import date, datetime, timedelta
from typing import Any

from wch.application.alarms import alarm
from wch.application.ports import UnitOfWork
from wch.domain.document import document

SILENT = "sends.silent"
"""The option with the last day that was looked at: its date, what was accepted, what stayed silent."""

TOLD_WITHIN = timedelta(hours=24)
"""A send without any status for so long is silent: an id of the wrong kind is accepted, and vanishes."""

HUNDRED = 100


def judged(now: datetime) -> date:
    """The last day whose sends have all had their time."""
    return (now - TOLD_WITHIN - timedelta(days=1)).date()


def day_of_latest(uow: UnitOfWork) -> str:
    """The last day that was looked at; empty when none was."""
    return str((uow.options.get(SILENT) or {}).get("day", ""))


def look(uow: UnitOfWork, *, percent: int, now: datetime) -> None:
    """Count the last day whose sends have all had their time, once.

    More silent sends than so many in a hundred are an alarm.
    """
    day = judged(now)
    begins = datetime.combine(day, datetime.min.time(), tzinfo=now.tzinfo)
    known = uow.options.get(SILENT, lock=True)
    if known is not None and str(known["day"]) >= day.isoformat():
        return
    found = uow.census.silent_sends(begins, begins + timedelta(days=1))
    uow.options.put(SILENT, document(day=day.isoformat(), accepted=found.accepted, silent=found.silent))
    if is_too_much(found.silent, found.accepted, percent):
        alarm(uow, "silent_sends", now=now, day=day.isoformat(), accepted=found.accepted, silent=found.silent)


def latest(uow: UnitOfWork) -> tuple[int, int]:
    """Silent and accepted sends of the last day that was looked at."""
    told: Any = uow.options.get(SILENT) or {}
    return int(told.get("silent", 0)), int(told.get("accepted", 0))


def is_too_much(silent: int, accepted: int, percent: int) -> bool:
    """Whether more than so many in a hundred stayed silent."""
    return silent * HUNDRED > accepted * percent

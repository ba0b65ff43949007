"""Stops: what is not sent until somebody, or a probe, lets it go on; each is an option with its reason."""

from datetime import datetime, timedelta
from typing import Any

from wch.application.alarms import alarm
from wch.application.health import STOPPED
from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject, amended, document
from wch.domain.moment import iso, of_iso

CAMPAIGNS = "sending.stopped.campaigns"
"""No campaign is sent until a person resumes them."""

TEMPLATES = "sending.stopped.templates"
"""No template is sent; one is tried now and then."""

PROBED_EVERY = timedelta(minutes=1)
"""How often one row is tried while it is stopped."""

COUNTRY_RESTS = timedelta(hours=24)
"""How long a country is skipped after WhatsApp refused to deliver there."""


def of_number(number: str) -> str:
    """The stop of one number."""
    return f"sending.stopped.number.{number}"


def of_country(country: str) -> str:
    """The stop of one country, which ends by itself."""
    return f"sending.stopped.country.{country}"


def stop(uow: UnitOfWork, name: str, why: str, code: int | None, *, now: datetime, about: str | None = None) -> None:
    """Stop, with an alarm, unless it is stopped already."""
    known = uow.options.get(name, lock=True)
    if known is not None and not is_over(known, now=now):
        return
    until = iso(now + COUNTRY_RESTS) if name.startswith(of_country("")) else None
    uow.options.put(name, document(why=why, code=code, since=iso(now), until=until))
    alarm(uow, name, now=now, about=about, why=why, code=code)


def stop_sending(uow: UnitOfWork, why: str, code: int | None, *, now: datetime) -> None:
    """Nothing is sent until a probe with the present token succeeds, or a person lifts it."""
    stop(uow, STOPPED, why, code, now=now)


def stop_campaigns(uow: UnitOfWork, why: str, code: int | None, *, now: datetime) -> None:
    """No campaign is sent until a person resumes them."""
    stop(uow, CAMPAIGNS, why, code, now=now)


def lift(uow: UnitOfWork, name: str) -> bool:
    """Let it go on; whether it was stopped."""
    return uow.options.remove(name)


def standing(uow: UnitOfWork, *, now: datetime) -> frozenset[str]:
    """The names of all stops that stand."""
    return frozenset(name for name, known in uow.options.named(STOPPED, limit=500) if not is_over(known, now=now))


def may_probe(uow: UnitOfWork, name: str, *, now: datetime) -> bool:
    """Whether one row is tried although it is stopped, which is noted: once a minute."""
    held = uow.options.get(name, lock=True)
    if held is None:
        return True
    looked: Any = held.get("looked_at", held.get("since"))
    if isinstance(looked, str) and now < of_iso(looked) + PROBED_EVERY:
        return False
    uow.options.put(name, amended(held, looked_at=iso(now)))
    return True


def is_over(known: JsonObject, *, now: datetime) -> bool:
    """Whether a stop ended by itself."""
    until = known.get("until")
    return isinstance(until, str) and now >= of_iso(until)

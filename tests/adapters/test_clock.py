"""The system's clock: whole seconds, corrected, and never back."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from wch.adapters import clock
from wch.adapters.clock import SystemClock

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The machine's clock, at noon; `at` moves it."""
    there = SimpleNamespace(at=NOON)

    def time() -> float:
        told: float = there.at.timestamp()
        return told

    monkeypatch.setattr(clock, "time", SimpleNamespace(time=time))
    return there


def test_a_moment_is_the_second_it_lies_in(host: SimpleNamespace) -> None:
    """Columns keep no more; what is asked for within one second is one value."""
    system = SystemClock()
    begun = system.now()
    host.at += timedelta(seconds=0.999)

    assert system.now() is begun
    assert begun == NOON
    assert begun.tzinfo is UTC


def test_it_is_as_far_ahead_as_the_database(host: SimpleNamespace) -> None:
    """Hosts that share a database share its clock."""
    system = SystemClock()
    system.correct(timedelta(seconds=90.5))
    host.at += timedelta(seconds=0.5)

    assert system.now() == NOON + timedelta(seconds=91)


def test_it_never_goes_back(host: SimpleNamespace) -> None:
    """A host that is set back, or a correction that is taken back, stops it until the time has come again."""
    system = SystemClock()
    latest = system.now()
    host.at -= timedelta(hours=1)
    system.correct(timedelta(minutes=-5))

    assert system.now() == latest

    host.at = NOON + timedelta(minutes=5, seconds=1)

    assert system.now() == latest + timedelta(seconds=1)


def test_all_that_it_tells_comes_from_one_reading(host: SimpleNamespace) -> None:
    """What the database's clock is compared with, and what rows are stamped by, must be wrong alike."""
    system = SystemClock()
    host.at += timedelta(hours=1, seconds=0.25)

    assert system.host() == host.at
    system.correct(NOON - system.host())
    assert (system.now(), system.fraction()) == (NOON, 0.0)

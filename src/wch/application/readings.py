"""Readings: what was measured of a part, and from when on it is too much."""

from enum import IntEnum

import attrs

HUNDRED = 100


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
class Reading:
    """What was measured, and from where on it is too much."""

    severity: Severity
    value: str
    limit: str
    what_to_do: str


@attrs.frozen(kw_only=True)
class Bounds:
    """From when on something is too much, the mildest first."""

    database_ms: tuple[int, ...]
    clock_seconds: tuple[int, ...]
    reply_seconds: tuple[int, ...]
    notice_minutes: tuple[int, ...]
    worker_seconds: int
    dead_letters: int
    dead_letters_hour: int
    bad_signatures: int
    silence_minutes: int
    unconfirmed_percent: tuple[int, ...]
    token_days: int
    tier_percent: int
    partner_minutes: tuple[int, ...]
    disk_percent: tuple[int, ...]
    saga_minutes: int
    breaker_minutes: int
    sync_minutes: int
    sync_failed: int
    retention_hours: tuple[int, ...]
    silent_percent: int


GRADES = (Severity.WARNING, Severity.DEGRADED, Severity.CRITICAL)
"""How bad it is to be past the first, the second and the third bound."""


def graded(value: float, bounds: tuple[int, ...]) -> Severity:
    """The severity of a value that may grow past each of these bounds."""
    passed = sum(1 for bound in bounds if value > bound)
    return Severity.OK if passed == 0 else GRADES[passed - 1]


def spoken(bounds: tuple[int, ...], unit: str) -> str:
    """These bounds as people read them."""
    return ", ".join(f"{bound} {unit}" for bound in bounds)

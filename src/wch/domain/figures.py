"""Figures that people read: periods of whole days, ratios that show what they are made of, quantiles."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from wch.domain.errors import WchError
from wch.domain.moment import whole

MOST_DAYS = 366
TABLES = ("days", "products", "campaigns", "contacts", "notices", "funnel")
"""What can be exported, one table each."""

QUANTILES = {"median": 0.5, "p90": 0.9, "p99": 0.99}


class PeriodError(WchError):
    """A period is 1 to 366 days, from a day until a later one, each written like 2026-03-02."""


@attrs.frozen(kw_only=True)
class Ratio:
    """A share, with what it is a share of; of nothing it is None, not 0.

    Attributes:
        numerator: how many, or how much.
        denominator: of how many.
        open: of the denominator, how many may still join the numerator.
    """

    numerator: float
    denominator: float
    open: int | None = None

    @property
    def value(self) -> float | None:
        """The share."""
        return None if self.denominator == 0 else self.numerator / self.denominator

    def to_json(self) -> dict[str, Any]:
        """As answers say it."""
        told = {"value": self.value, "numerator": self.numerator, "denominator": self.denominator}
        return told if self.open is None else {**told, "open": self.open}


@attrs.frozen(kw_only=True)
class Period:
    """Whole days in the shop's zone.

    Attributes:
        first: the first day.
        after: the day after the last.
        zone: the shop's.
    """

    first: date
    after: date = attrs.field()
    zone: str

    @after.validator
    def _is_some_days(self, _attribute: object, value: date) -> None:
        if not 1 <= (value - self.first).days <= MOST_DAYS:
            message = f"a period is 1 to {MOST_DAYS} days"
            raise ValueError(message)

    @property
    def days(self) -> list[date]:
        """Each day of it."""
        return [self.first + timedelta(days=number) for number in range((self.after - self.first).days)]

    @property
    def begins(self) -> datetime:
        """Its first moment."""
        return start_of(self.first, self.zone)

    @property
    def ends(self) -> datetime:
        """The first moment after it."""
        return start_of(self.after, self.zone)

    def before(self) -> "Period":
        """As many days, up to where this one begins."""
        return Period(first=self.first - (self.after - self.first), after=self.first, zone=self.zone)

    def holds(self, moment: datetime | None) -> bool:
        """Whether this moment lies in it."""
        return moment is not None and self.begins <= moment < self.ends


def start_of(day: date, zone: str) -> datetime:
    """The first moment of a day in this zone."""
    return whole(datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)))


def day_of(moment: datetime, zone: str) -> date:
    """The day that a moment lies in, in this zone."""
    return moment.astimezone(ZoneInfo(zone)).date()


def quantiles(counts: Mapping[str, int]) -> dict[str, float | None]:
    """Median, p90 and p99 of values that are told as `{value: how often}`.

    A quantile is the smallest value that at least that share of all does not exceed.
    """
    values = sorted((float(value), count) for value, count in counts.items())
    total = sum(count for _, count in values)
    found: dict[str, float | None] = {}
    for name, share in QUANTILES.items():
        passed = 0
        found[name] = None
        for value, count in values:
            passed += count
            if passed >= share * total:
                found[name] = value
                break
    return found


def median(values: Iterable[float]) -> float | None:
    """The middle value; of an even number the lower one of the two in the middle."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2] if ordered else None

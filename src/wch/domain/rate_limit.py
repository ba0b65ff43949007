"""Sliding windows: in any window of the named length at most the limit is admitted.

A window is cut into twelve parts, one row each; the oldest part counts in full, so the bound
is exact on one clock, and a grace of a second covers hosts whose clocks differ a little.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Self

import attrs

from wch.domain.bound import not_negative
from wch.domain.moment import EPOCH, of_unix, unix, utc_seconds

PARTS = 12
ANCHOR = EPOCH
"""The `window_start` of the row that is locked; it counts nothing."""

_SHORTEST = 9
_ONE_SECOND_PARTS = 35
_GRACE_FROM = 24
_NOW = timedelta(0)


@attrs.frozen(kw_only=True, slots=False)
class RateLimitWindow:
    """One row of `rate_limits`: the hits of one part of a window.

    Attributes:
        identifier_hash: an HMAC in hex of whoever is limited.
        window_start: where the part begins; the anchor row has 1970-01-01.
    """

    identifier_hash: str = attrs.field(validator=attrs.validators.min_len(64))
    limit_type: str
    request_count: int = attrs.field(default=0, validator=not_negative)
    window_start: datetime = attrs.field(validator=utc_seconds)


@attrs.frozen(kw_only=True)
class Admission:
    """What a limiter answers.

    Attributes:
        admitted: whether this hit counts and may go on.
        remaining: how many more would be admitted now.
        retry_after: how long until there is room again; zero when admitted.
    """

    admitted: bool
    remaining: int
    retry_after: timedelta


@attrs.frozen(kw_only=True)
class RateLimit:
    """So many in any window of so many seconds.

    Attributes:
        name: the word in `limit_type`.
        most: hits admitted in any window.
        seconds: 9 to 35, or a multiple of 12 above that.
    """

    name: str
    most: int = attrs.field(validator=attrs.validators.gt(0))
    seconds: int = attrs.field()

    @seconds.validator
    def _cut_evenly(self, _attribute: object, value: int) -> None:
        if value < _SHORTEST or (value > _ONE_SECOND_PARTS and value % PARTS):
            message = f"a window lasts 9 to 35 seconds or a multiple of 12 seconds, not {value}"
            raise ValueError(message)

    @classmethod
    def read(cls, name: str, text: str) -> Self:
        """The limit that `n/seconds` names."""
        most, _, seconds = text.partition("/")
        return cls(name=name, most=int(most), seconds=int(seconds))

    @property
    def part_seconds(self) -> int:
        """How long a part lasts."""
        return _width(self.seconds)

    @property
    def grace_seconds(self) -> int:
        """How far clocks may lie apart without harm."""
        return _grace(self.seconds)

    def part_of(self, now: datetime) -> datetime:
        """Where the part of this moment begins."""
        return _edges(self.seconds, now)[1]

    def oldest(self, now: datetime) -> datetime:
        """The first part that still counts."""
        return _edges(self.seconds, now)[0]

    def admit(self, parts: Iterable[RateLimitWindow], *, now: datetime) -> Admission:
        """Whether one more may go on, given every part from `oldest` on, without an upper bound."""
        oldest = self.oldest(now)
        counted = [part for part in parts if part.window_start >= oldest and part.request_count]
        used = sum([part.request_count for part in counted])
        if used < self.most:
            return Admission(admitted=True, remaining=self.most - used - 1, retry_after=_NOW)
        first = min(part.window_start for part in counted)
        leaves = first + timedelta(seconds=self.seconds + self.part_seconds + self.grace_seconds)
        return Admission(admitted=False, remaining=0, retry_after=max(leaves - now, timedelta(seconds=1)))


def _width(seconds: int) -> int:
    return 1 if seconds <= _ONE_SECOND_PARTS else seconds // PARTS


def _grace(seconds: int) -> int:
    return 1 if seconds >= _GRACE_FROM else 0


@lru_cache(maxsize=64)
def _edges(seconds: int, now: datetime) -> tuple[datetime, datetime]:
    """Where the first part that still counts begins, and the part of this moment: all hits of a second ask alike."""
    width, moment = _width(seconds), unix(now)
    first = ((moment - _grace(seconds)) // width - seconds // width) * width
    return of_unix(first), of_unix(moment // width * width)


@attrs.frozen(kw_only=True)
class Pace:
    """So many a second: a second has slots, and slots that have passed are used up."""

    name: str
    per_second: int = attrs.field(validator=attrs.validators.gt(0))

    def slot(self, used: int, fraction: float) -> int | None:
        """The next free slot of a second, `fraction` of which has passed; None when it is full."""
        passed = -int(-fraction * self.per_second // 1)
        free = max(used, passed)
        return free if free < self.per_second else None

    def leaves_after(self, slot: int) -> float:
        """Seconds after the beginning of its second at which this slot may be used."""
        return slot / self.per_second

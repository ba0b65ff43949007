"""Opening hours: when people are there, in the shop's own time zone."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import attrs

from wch.domain.document import JsonObject
from wch.domain.moment import is_zone

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOKED_AHEAD = 15
"""Days in which the next opening is looked for: two weeks of holidays, and the day after."""

Span = tuple[time, time]


@attrs.frozen(kw_only=True)
class Hours:
    """When people are there; a span whose end is not after its beginning passes midnight."""

    timezone: str
    week: Mapping[str, tuple[Span, ...]]
    holidays: frozenset[date] = frozenset()

    def is_open(self, now: datetime) -> bool:
        """Whether people are there at this moment."""
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        return any(
            begins <= now < ends for day in (today - timedelta(days=1), today) for begins, ends in self._spans(day)
        )

    def next_opening(self, now: datetime) -> datetime | None:
        """When people are there again; None when that is more than two weeks away."""
        today = now.astimezone(ZoneInfo(self.timezone)).date()
        openings = (
            begins
            for ahead in range(LOOKED_AHEAD)
            for begins, _ in self._spans(today + timedelta(days=ahead))
            if begins > now
        )
        return min(openings, default=None)

    def _spans(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The spans that begin on this day, as moments."""
        if day in self.holidays:
            return
        zone = ZoneInfo(self.timezone)
        for begins, ends in self.week.get(DAYS[day.weekday()], ()):
            last = day if ends > begins else day + timedelta(days=1)
            yield (
                datetime.combine(day, begins, tzinfo=zone).astimezone(UTC),
                datetime.combine(last, ends, tzinfo=zone).astimezone(UTC),
            )


def hours_from_json(value: JsonObject) -> Hours:
    """Hours as the option `hours` keeps them: `timezone`, `week`, `holidays`.

    Raises:
        ValueError: a day, a time or a date cannot be read, or the time zone is unknown.
    """
    timezone = str(value["timezone"])
    if not is_zone(timezone):
        message = "the time zone is unknown"
        raise ValueError(message)
    week = value.get("week", {})
    if unknown := set(week) - set(DAYS):
        message = f"days are {', '.join(DAYS)}, not {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return Hours(
        timezone=timezone,
        week={
            day: tuple((time.fromisoformat(begins), time.fromisoformat(ends)) for begins, ends in spans)
            for day, spans in week.items()
        },
        holidays=frozenset(date.fromisoformat(day) for day in value.get("holidays", ())),
    )

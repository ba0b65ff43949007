"""A period is added up day by day, and a year of it never stands in memory at once."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.day_book import DayBook
from wch.application.days import DAYS_AT_ONCE, Books, Days
from wch.application.period_totals import PeriodBook
from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject
from wch.domain.figures import MOST_DAYS, Period, day_of, start_of
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.moment import unix

FIRST = date(2026, 3, 2)


def _noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def _row(day: date, writers: Mapping[int, int], *, revenue: str = "0.10") -> JsonObject:
    """A day on which these wrote, so many seconds after noon."""
    book = DayBook()
    for who, seconds in writers.items():
        book.reached("wrote", who, _noon(day) + timedelta(seconds=seconds))
        book.conversations_with_inbound.add(who)
    book.inbound["text"] = len(writers)
    book.money("revenue", {"currency": "EUR", "amount": revenue})
    return book.written(day, "UTC")


def test_days_are_added() -> None:
    """Counts and amounts are added, and exact; who was there twice is one."""
    book = PeriodBook(currency="EUR")
    for place in range(3):
        book.add(FIRST + timedelta(days=place), _row(FIRST, {1: 5, place + 10: 7}))

    assert book.figures["inbound"] == {"text": 6}
    assert book.figures["conversations_with_inbound"] == {1, 10, 11, 12}
    assert book.figures["money"]["revenue"] == {"EUR": Decimal("0.30")}
    assert book.totals().active == 4
    assert [(line["day"], line["active"], line["revenue"]) for line in book.lines] == [
        ("2026-03-02", 2, "0.10"),
        ("2026-03-03", 2, "0.10"),
        ("2026-03-04", 2, "0.10"),
    ]


def test_the_first_time_in_the_period_counts() -> None:
    """A customer of Monday who comes back on Tuesday, earlier in the day, reached the stage on Monday."""
    tuesday = FIRST + timedelta(days=1)
    book = PeriodBook(currency="EUR")
    book.add(FIRST, _row(FIRST, {1: 50}))
    book.add(tuesday, _row(tuesday, {1: 0, 2: 3}))

    assert book.stages["wrote"] == {1: unix(_noon(FIRST)) + 50, 2: unix(_noon(tuesday)) + 3}


class _Counting(dict[int, int]):
    """Counts what is written."""

    written = 0

    def update(self, told: Any) -> None:
        new = dict(told)
        self.written += len(new)
        super().update(new)


def test_who_is_known_is_not_written_again() -> None:
    """A year of the same customers costs one look at each day, not a new entry for each of them each day."""
    book = PeriodBook(currency="EUR")
    book.stages["wrote"] = counting = _Counting()
    for place in range(50):
        day = FIRST + timedelta(days=place)
        book.add(day, _row(day, dict.fromkeys(range(100), 0)))

    assert counting.written == 100


async def test_a_year_is_read_a_few_days_at_a_time() -> None:
    """Busy days are large: all of a year at once would take hundreds of megabytes."""
    database, zone = MemoryDatabase(), "UTC"
    days = Days(zone=zone)
    period = Period(first=FIRST, after=FIRST + timedelta(days=MOST_DAYS), zone=zone)
    await database.transact(lambda uow: days.keep(uow, {day: _row(day, {1: 0}) for day in period.days}))
    asked: list[int] = []

    def read(uow: UnitOfWork) -> list[date]:
        named = uow.options.named

        def counted(prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
            page = named(prefix, after=after, limit=limit)
            asked.append(len(page))
            return page

        uow.options.named = counted  # type: ignore[method-assign] # counts what is asked for
        return [day for day, _, is_kept in days.each(uow, period, _noon(period.after)) if is_kept]

    assert await database.read(read) == period.days
    assert max(asked) <= DAYS_AT_ONCE


async def test_days_that_are_not_kept_are_computed_in_their_place() -> None:
    """In the middle, at the ends: the days come in order, each once; one written otherwise is not believed."""
    database, days = MemoryDatabase(), Days(zone="UTC")
    period = Period(first=FIRST, after=FIRST + timedelta(days=6), zone="UTC")
    kept = {day: _row(day, {1: 0}) for day in (period.days[1], period.days[3], period.days[4])}
    kept[period.days[4]] = {**kept[period.days[4]], "form": 1}
    await database.transact(lambda uow: days.keep(uow, kept))

    found = await database.read(lambda uow: list(days.each(uow, period, _noon(period.after))))

    assert [day for day, _, _ in found] == period.days
    assert [is_kept for _, _, is_kept in found] == [False, True, False, True, False, False]


async def test_a_day_comes_to_the_same_whichever_are_computed_with_it() -> None:
    """Words around midnight are one wait, and what was held overnight is of the day on which it left."""
    database, days = MemoryDatabase(), Days(zone="UTC")
    tuesday, last = FIRST + timedelta(days=1), FIRST + timedelta(days=4)

    def at(day: int, hour: int, minute: int = 0) -> datetime:
        return datetime(2026, 3, 2 + day, hour, minute, tzinfo=UTC)

    def write(uow: UnitOfWork) -> None:
        for said in (
            _Said(at(0, 22), class_="campaign", sent_at=at(1, 9)),
            _Said(at(0, 23, 50)),
            _Said(at(1, 0, 10)),
            _Said(at(1, 0, 20), class_="reply", sent_at=at(1, 0, 20)),
            _Said(at(1, 12)),  # and nobody answers,
            _Said(at(2, 11)),  # which is the same wait,
            _Said(at(3, 12)),  # and this another
        ):
            uow.messages.add(said.row())

    await database.transact(write)
    now = _noon(last + timedelta(days=2))
    together = await database.read(lambda uow: days.computed(uow, FIRST, last, now))

    def one_by_one(uow: UnitOfWork) -> dict[date, JsonObject]:
        return {day: days.computed(uow, day, day, now)[day] for day in together}

    alone = await database.read(one_by_one)

    assert alone == together
    assert {day: row["outbound"] for day, row in alone.items() if row["outbound"]} == {
        tuesday: {"campaign": {"text": 1}, "reply": {"text": 1}}
    }
    assert [row["spans"]["begun"] for row in alone.values()] == [1, 1, 0, 1, 0]
    assert [row["spans"]["unanswered"] for row in alone.values()] == [0, 1, 0, 1, 0]


@attrs.frozen
class _Said:
    """A message of one thread: a customer's, unless it has a class."""

    created_at: datetime
    class_: str = attrs.field(default="", kw_only=True)
    sent_at: datetime | None = attrs.field(default=None, kw_only=True)

    def row(self) -> Message:
        return Message(
            conversation_id=1,
            direction=Direction.OUTBOUND if self.class_ else Direction.INBOUND,
            type="text",
            content={"class": self.class_} if self.class_ else {},
            status=MessageStatus.SENT if self.class_ else MessageStatus.PROCESSED,
            created_at=self.created_at,
            updated_at=self.created_at,
            sent_at=self.sent_at,
        )


@pytest.mark.parametrize(
    ("zone", "first"),
    [
        ("Europe/Madrid", date(2026, 3, 27)),  # 23 hours on the 29th
        ("America/New_York", date(2026, 10, 30)),  # 25 hours on the 1st
        ("Africa/Cairo", date(2026, 4, 22)),  # no midnight on the 24th
        ("America/Sao_Paulo", date(2019, 2, 14)),  # 23:00 twice on the 16th
        ("Pacific/Apia", date(2011, 12, 28)),  # no 30th
    ],
)
def test_a_moment_is_in_the_day_that_the_zone_says(zone: str, first: date) -> None:
    """Days with 23, 25 or no hours, and those whose midnight is not there."""
    last = first + timedelta(days=4)
    books = Books(first, last, zone)
    moment = start_of(first, zone) - timedelta(minutes=30)
    while moment < start_of(last, zone) + timedelta(hours=26):
        assert books.at(moment) is books.by_day.get(day_of(moment, zone))
        moment += timedelta(minutes=30)

"""Periods, ratios and quantiles, as people read them."""

from datetime import UTC, date, datetime

import pytest

from wch.domain.figures import MOST_DAYS, Period, Ratio, day_of, median, quantiles, start_of


def test_a_share_of_nothing_is_none() -> None:
    """Not 0: nobody failed to do anything."""
    assert Ratio(numerator=0, denominator=0).to_json() == {"value": None, "numerator": 0, "denominator": 0}
    assert Ratio(numerator=3, denominator=10, open=1).to_json() == {
        "value": 0.3,
        "numerator": 3,
        "denominator": 10,
        "open": 1,
    }


def test_a_period_is_whole_days_of_its_zone() -> None:
    """The day on which clocks go back has 25 hours."""
    period = Period(first=date(2026, 10, 25), after=date(2026, 10, 26), zone="Europe/Madrid")

    assert (period.begins, period.ends) == (
        datetime(2026, 10, 24, 22, tzinfo=UTC),
        datetime(2026, 10, 25, 23, tzinfo=UTC),
    )
    assert period.holds(datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC))
    assert not period.holds(period.ends)
    assert not period.holds(None)
    assert period.days == [date(2026, 10, 25)]


@pytest.mark.parametrize("days", [0, -1, MOST_DAYS + 1])
def test_a_period_is_a_day_to_a_year(days: int) -> None:
    """And never ends before it begins."""
    first = date(2024, 1, 1)
    with pytest.raises(ValueError, match="1 to 366"):
        Period(first=first, after=date.fromordinal(first.toordinal() + days), zone="UTC")


def test_midnight_is_the_zones() -> None:
    """Half past eleven at night in Sao Paulo is tomorrow in UTC."""
    late = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)

    assert day_of(late, "America/Sao_Paulo") == date(2026, 3, 1)
    assert start_of(date(2026, 3, 1), "America/Sao_Paulo") == datetime(2026, 3, 1, 3, tzinfo=UTC)


def test_quantiles_of_counted_values() -> None:
    """The smallest value that so large a share does not exceed."""
    assert quantiles({"1": 50, "2": 40, "10": 9, "60": 1}) == {"median": 1, "p90": 2, "p99": 10}
    assert quantiles({"10": 1, "9": 1}) == {"median": 9, "p90": 10, "p99": 10}
    assert quantiles({}) == {"median": None, "p90": None, "p99": None}


def test_the_middle_value() -> None:
    """The lower one of two."""
    assert median([4, 1, 3, 2]) == 2
    assert median([]) is None

"""Moments are aware, in UTC, and whole seconds."""

import time
from datetime import UTC, datetime, timedelta, timezone

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.moment import EPOCH, iso, of_iso, of_unix, unix, utc_seconds, whole
from wch.testing import NOON
from wch.testing.strategies import moments


@attrs.frozen
class Timed:
    at: datetime | None = attrs.field(validator=utc_seconds)


@given(moments(within=timedelta(days=20_000)))
def test_texts_and_numbers_bring_a_moment_back(moment: datetime) -> None:
    """What a JSON column, a header or WhatsApp's seconds keep is the moment itself."""
    assert of_iso(iso(moment)) == moment
    assert of_unix(unix(moment)) == moment


@given(st.datetimes(min_value=datetime(1980, 1, 1), timezones=st.timezones()))  # noqa: DTZ001 - the strategy adds the zone
def test_whole_is_the_second_a_moment_lies_in(moment: datetime) -> None:
    """Cut, never rounded: an event is not filed in a second that has not come."""
    cut = whole(moment)

    assert (cut.utcoffset(), cut.microsecond) == (timedelta(0), 0)
    assert timedelta(0) <= moment - cut < timedelta(seconds=1)


def test_iso_is_rfc_3339_in_utc() -> None:
    """The same moment has one spelling, so that texts compare as times."""
    assert iso(NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))) == "2026-03-02T12:00:00Z"
    assert iso(EPOCH) == "1970-01-01T00:00:00Z"


def test_a_text_without_a_zone_is_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the zone of the machine that reads it."""
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        assert of_iso("2026-03-02T12:00:00") == NOON
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "moment",
    [NOON.replace(tzinfo=None), NOON.astimezone(timezone(timedelta(hours=1))), NOON.replace(microsecond=1)],
    ids=["naive", "another zone", "finer than a second"],
)
def test_what_a_column_would_change_is_refused(moment: datetime) -> None:
    """Engines cut, round and shift differently; nothing of the kind reaches them."""
    with pytest.raises(ValueError, match="at must be"):
        Timed(moment)


def test_no_moment_is_fine() -> None:
    """Many columns are empty for long."""
    assert Timed(None).at is None
    assert Timed(datetime(2026, 1, 1, tzinfo=UTC)).at is not None

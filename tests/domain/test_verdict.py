"""The verdict asks every rule; the first refusal decides, else the longest hold."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.verdict import RULES, Facts, Kind, Quiet, Says, decide, room_for, utc_of
from wch.testing import NOON

FINE = Facts(opted_in=True)
LATER = NOON + timedelta(hours=1)

OBSTACLES: list[tuple[str, dict[str, Any], str]] = [
    ("enabled", {"off": "disabled"}, "refuse"),
    ("enabled", {"stopped": "sign_in"}, "hold"),
    ("customer", {"blocked": True}, "refuse"),
    ("customer", {"missing": "unaddressed"}, "refuse"),
    ("customer", {"unreachable_until": LATER}, "refuse"),
    ("consent", {"out": True}, "refuse"),
    ("consent", {"opted_in": False}, "refuse"),
    ("consent", {"out_of_notices": True}, "refuse"),
    ("subject", {"subject": (Says.HOLD, "paused")}, "hold"),
    ("subject", {"subject": (Says.REFUSE, "excluded")}, "refuse"),
    ("person", {"person": True}, "hold"),
    ("cooldown", {"cooldown_until": LATER}, "hold"),
    ("cooldown", {"held_back_here": True}, "refuse"),
    ("country", {"country": "US", "no_marketing_to": frozenset({"US"})}, "refuse"),
    ("cap", {"contacts": (NOON - timedelta(days=6),)}, "refuse"),
    ("cap", {"contacts": (None,)}, "refuse"),
    ("quiet", {"quiet": Quiet(start=time(11), end=time(13))}, "hold"),
    ("template", {"template": "template"}, "refuse"),
    ("content", {"gaps": ("name",)}, "refuse"),
    ("life", {"dies_at": NOON}, "refuse"),
    ("pace", {"paced_until": LATER}, "hold"),
]


@pytest.mark.parametrize(
    ("rule", "facts", "outcome"), OBSTACLES, ids=[f"{one}-{next(iter(two))}" for one, two, _ in OBSTACLES]
)
def test_the_only_obstacle_is_named_and_all_others_allow(rule: str, facts: dict[str, Any], outcome: str) -> None:
    """Every rule is asked, whatever another says."""
    verdict = decide(Kind.BROADCAST, attrs.evolve(FINE, **facts), now=NOON)

    assert verdict.outcome == outcome
    assert verdict.decisive is not None
    assert verdict.decisive.rule == rule
    assert [one.rule for one in verdict.answers] == list(RULES)
    assert [one.rule for one in verdict.answers if one.says is not Says.ALLOW] == [rule]


def test_a_notice_asks_less() -> None:
    """No opt-in, no caps, no cooldown, no country: an order's customer waits for it."""
    facts = Facts(
        out=True,
        contacts=(NOON,),
        cooldown_until=LATER,
        country="US",
        no_marketing_to=frozenset({"US"}),
        person=True,
        unreachable_until=LATER,
    )

    assert decide(Kind.NOTICE, facts, now=NOON).outcome == "send"
    assert decide(Kind.NOTICE, attrs.evolve(facts, out_of_notices=True), now=NOON).outcome == "refuse"


def test_a_refusal_comes_before_a_hold_and_the_longest_hold_decides() -> None:
    """Nothing is held that would be refused in the end."""
    held = attrs.evolve(FINE, cooldown_until=LATER, paced_until=LATER + timedelta(hours=1))

    assert decide(Kind.BROADCAST, held, now=NOON).until == LATER + timedelta(hours=1)
    assert decide(Kind.BROADCAST, attrs.evolve(held, gaps=("x",)), now=NOON).outcome == "refuse"


def test_a_cause_that_holds_for_a_while_says_until_when() -> None:
    """And no other rule is blamed for it."""
    facts = attrs.evolve(FINE, subject=(Says.HOLD, "just_wrote"), subject_until=LATER)

    verdict = decide(Kind.REMINDER, facts, now=NOON)

    assert (verdict.outcome, verdict.until) == ("hold", LATER)
    assert verdict.answer("pace").says is Says.ALLOW


def test_there_is_room_again_to_the_second() -> None:
    """Seven days after the contact, not a second earlier; the answer says when."""
    facts = attrs.evolve(FINE, contacts=(NOON,))
    week = NOON + timedelta(days=7)

    early = decide(Kind.BROADCAST, facts, now=week - timedelta(seconds=1))

    assert early.decisive is not None
    assert early.decisive.facts["room_at"] == "2026-03-09T12:00:00Z"
    assert decide(Kind.BROADCAST, facts, now=week).outcome == "send"


def test_four_in_thirty_days() -> None:
    """Also where each week had room."""
    spread = tuple(NOON - timedelta(days=days) for days in (8, 15, 22, 29))

    assert decide(Kind.BROADCAST, attrs.evolve(FINE, contacts=spread), now=NOON).outcome == "refuse"
    assert decide(Kind.BROADCAST, attrs.evolve(FINE, contacts=spread[:3]), now=NOON).outcome == "send"


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-03-02T20:59:59", None),
        ("2026-03-02T21:00:00", "2026-03-03T07:00:00"),
        ("2026-03-03T06:59:59", "2026-03-03T07:00:00"),
        ("2026-03-03T07:00:00", None),
        ("2026-03-29T00:30:00", "2026-03-29T06:00:00"),
    ],
)
def test_quiet_hours_are_those_of_the_customers_zone(now: str, until: str | None) -> None:
    """From ten to eight, over midnight and over the change of the clocks."""
    quiet = Quiet(zones=("Europe/Madrid",))

    told = quiet.until(datetime.fromisoformat(now).replace(tzinfo=UTC))

    assert told == (None if until is None else datetime.fromisoformat(until).replace(tzinfo=UTC))


def test_of_several_zones_it_is_quiet_in_any() -> None:
    """The Azores sleep an hour longer than Lisbon."""
    quiet = Quiet(zones=("Europe/Lisbon", "Atlantic/Azores"))

    assert quiet.until(NOON.replace(hour=8)) == NOON.replace(hour=9)


def test_zones_all_round_the_world_leave_the_shops() -> None:
    """Where fewer than four hours a day would be left."""
    quiet = Quiet(zones=("Asia/Tokyo", "America/Los_Angeles", "Europe/Madrid"), shop="Europe/Madrid")

    assert quiet.until(NOON) is None


def test_a_send_window_narrows_the_day() -> None:
    """In the customer's zone."""
    quiet = Quiet(zones=("Europe/Madrid",), window=(time(9), time(20)))

    assert quiet.until(NOON.replace(hour=7, minute=30)) == NOON.replace(hour=8)
    assert quiet.until(NOON.replace(hour=19)) == NOON.replace(hour=8) + timedelta(days=1)


@given(st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 12, 31)))  # noqa: DTZ001 - made aware below
def test_the_end_of_quiet_is_not_quiet(moment: datetime) -> None:
    """And never before now."""
    now = moment.replace(microsecond=0, tzinfo=UTC)
    quiet = Quiet(zones=("Europe/Madrid", "Atlantic/Canary"))

    until = quiet.until(now)

    if until is not None:
        assert until > now
        assert quiet.until(until) is None


def test_a_local_time_that_is_not_there_moves_by_the_gap() -> None:
    """One that is there twice is the first."""
    madrid = ZoneInfo("Europe/Madrid")

    assert utc_of(date(2026, 3, 29), time(2, 30), madrid) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert utc_of(date(2026, 10, 25), time(2, 30), madrid) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ages", "week", "month", "again_in"),
    [
        ((), 1, 4, None),
        ((6,), 0, 3, 1),
        ((8,), 1, 3, None),
        ((8, 15, 20, 29), 1, 0, 1),
        ((2, 15, 20, 29), 0, 0, 5),
        ((None,), 0, 3, 7),
    ],
)
def test_what_the_caps_leave(ages: tuple[int | None, ...], week: int, month: int, again_in: int | None) -> None:
    """One in a week and four in thirty days, to the second; the later of two waits counts, and what is on its way."""
    contacts = tuple(None if age is None else NOON - timedelta(days=age) for age in ages)
    facts = Facts(opted_in=True, cap_week=1, cap_month=4, contacts=contacts)

    room = room_for(facts, now=NOON)

    assert (room.week, room.month) == (week, month)
    assert room.again_at == (None if again_in is None else NOON + timedelta(days=again_in))
    refused = any(
        one.rule == "cap" and one.says is Says.REFUSE for one in decide(Kind.BROADCAST, facts, now=NOON).answers
    )
    assert refused == (room.left == 0)


def test_caps_of_none_leave_no_room_ever() -> None:
    """There is no moment to wait for."""
    assert room_for(Facts(cap_week=0, cap_month=4), now=NOON).again_at is None

"""Leases: the state is the version, and a stamp never comes twice."""

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from wch.domain.lease import BACK_OFF, TERM, Leasing, Work, back_off
from wch.testing import NOON
from wch.testing.strategies import moments, works


@given(works(), st.lists(moments(), min_size=1, max_size=8))
def test_no_two_takes_of_a_row_have_one_stamp(work: Work, times: list[datetime]) -> None:
    """Whatever the clock does between them: a late finish never meets a later take."""
    stamps = []
    for now in times:
        work = work.taken("processing", now=now)
        stamps.append(work.stamp)
        work = work.moved("pending", now=now, attempts=0)

    assert all(one is not None and two is not None and one < two for one, two in pairwise(stamps))


@given(works(), moments())
def test_a_take_counts_its_attempt(work: Work, now: datetime) -> None:
    """Before the work is done, so that what kills its worker is counted too."""
    taken = work.taken("sending", now=now)

    assert (taken.status, taken.attempts) == ("sending", work.attempts + 1)
    assert taken.stamp is not None
    assert taken.stamp >= now


@given(works(), moments())
def test_renewing_keeps_the_take_and_never_moves_the_stamp_back(work: Work, now: datetime) -> None:
    """The same status and attempt; the fence is the new stamp."""
    renewed = work.renewed(now=now)

    assert (renewed.id, renewed.status, renewed.attempts) == (work.id, work.status, work.attempts)
    assert renewed.stamp is not None
    assert renewed.stamp >= max(now, work.stamp or now)


@given(works(), moments())
def test_an_attempt_can_be_given_back(work: Work, now: datetime) -> None:
    """A refused rate limit costs no attempt."""
    assert work.moved("pending", now=now, attempts=3).attempts == 3
    assert work.moved("pending", now=now).attempts == work.attempts


def test_a_lease_ends_sixty_seconds_after_its_stamp() -> None:
    """To the second; a row that was never taken is held by nobody."""
    work = Work(id=1, status="processing", attempts=1, stamp=NOON)

    assert not work.ran_out(now=NOON + TERM - timedelta(seconds=1))
    assert work.ran_out(now=NOON + TERM)
    assert work.ran_out(now=NOON + timedelta(seconds=5), term=timedelta(seconds=5))
    assert Work(id=1, status="pending", attempts=0, stamp=None).ran_out(now=NOON)


def test_a_holder_stops_well_before_others_may_take_over() -> None:
    """The spans fit into each other: a third, a half, two thirds of whatever the term is."""
    spans = [(one.renewed_every, one.call_within, one.given_up_after) for one in (Leasing(), Leasing(term=TERM * 2))]

    assert spans == [tuple(timedelta(seconds=n * times) for n in (20, 30, 40)) for times in (1, 2)]


def test_six_takes_are_made_of_five_back_offs() -> None:
    """The take after the last back-off is the last; fewer waits are fewer tries."""
    assert [attempts for attempts in range(9) if Leasing().is_used_up(attempts)] == [6, 7, 8]
    assert [attempts for attempts in range(4) if Leasing(waits=(7,)).is_used_up(attempts)] == [2, 3]


@given(st.integers(-1, 12), st.integers(0, 1000))
def test_a_back_off_grows_and_its_jitter_is_the_rows_own(attempts: int, row: int) -> None:
    """Within a quarter of the table's span, the same in every run, never shorter than the one before."""
    span = back_off(attempts, row)

    assert span == back_off(attempts, row)
    assert span <= back_off(attempts + 1, row)
    if attempts > 0:
        middle = BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
        assert 0.75 * middle <= span.total_seconds() <= 1.25 * middle
    else:
        assert span == timedelta(0)


def test_rows_differ_in_their_jitter() -> None:
    """A hundred rows that failed together do not come back together."""
    assert len({back_off(3, row) for row in range(100)}) == 5


def test_a_row_is_due_when_its_back_off_is_over() -> None:
    """To the second; a row that was never touched is due."""
    work = Work(id=2, status="pending", attempts=1, stamp=NOON)

    assert not work.is_due(now=NOON + timedelta(seconds=4))
    assert work.is_due(now=NOON + timedelta(seconds=5))
    assert work.is_due(now=NOON + timedelta(seconds=3), waits=(3,))
    assert Work(id=2, status="pending", attempts=4, stamp=None).is_due(now=NOON)

"""Which of a customer's waiting messages may be taken."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from wch.domain.lease import TERM, Leasing, Work
from wch.domain.line import MOST_ATTEMPTS, choose
from wch.testing import NOON

works = st.builds(
    Work,
    id=st.integers(1, 50),
    status=st.sampled_from(["received", "processing"]),
    attempts=st.integers(0, 4),
    stamp=st.integers(0, 200).map(lambda seconds: NOON - timedelta(seconds=seconds)),
)


def work(number: int, status: str = "received", attempts: int = 0, age: int = 1000) -> Work:
    return Work(id=number, status=status, attempts=attempts, stamp=NOON - timedelta(seconds=age))


def test_nothing_waits() -> None:
    """An empty line gives nothing to do."""
    assert choose([], now=NOON).take == ()


def test_all_together_while_none_was_tried() -> None:
    """Three questions in a row get one answer."""
    line = [work(1), work(2), work(3)]

    assert choose(line, now=NOON).take == tuple(line)


def test_more_may_be_waited_for() -> None:
    """Who writes in pieces is answered once, when they rest; who never rests, after three times the wait."""
    wait = timedelta(seconds=3)

    assert choose([work(1, age=2)], now=NOON, gather=wait).take == ()
    assert choose([work(1, age=3)], now=NOON, gather=wait).take == (work(1, age=3),)
    assert choose([work(1, age=8), work(2, age=1)], now=NOON, gather=wait).take == ()
    line = [work(1, age=9), work(2, age=1)]
    assert choose(line, now=NOON, gather=wait).take == tuple(line)


def test_what_was_tried_waits_for_nobody() -> None:
    """A second attempt has waited already; a row without a stamp cannot say how long it waits."""
    head = work(1, attempts=1, age=10)

    assert choose([head, work(2, age=0)], now=NOON, gather=timedelta(seconds=5)).take == (head,)
    bare = Work(id=1, status="received", attempts=0, stamp=None)
    assert choose([bare], now=NOON, gather=timedelta(seconds=5)).take == (bare,)


def test_one_at_a_time_after_a_first_try() -> None:
    """Whoever was tried, the head goes alone."""
    for line in ([work(1, attempts=1), work(2)], [work(1), work(2, attempts=1)], [work(1), work(2, "processing")]):
        assert choose(line, now=NOON).take == (line[0],)


def test_a_back_off_holds_the_line() -> None:
    """Nothing behind a head that waits is taken."""
    line = [work(1, attempts=1, age=1), work(2)]

    assert choose(line, now=NOON) == choose([], now=NOON)
    assert choose([work(1, attempts=1, age=7)], now=NOON).take
    assert choose([work(1, attempts=1, age=1)], now=NOON, leasing=Leasing(waits=(1,))).take


def test_used_up_is_dead() -> None:
    """Also when its last worker died."""
    for status in ("received", "processing"):
        head = work(1, status, attempts=MOST_ATTEMPTS)
        assert choose([head, work(2)], now=NOON).dead == head


@given(st.lists(works, max_size=6))
def test_what_is_taken_is_always_the_beginning(line: list[Work]) -> None:
    """Never a live lease, never past the head, never an attempt too many."""
    choice = choose(line, now=NOON)

    assert choice.take == tuple(line[: len(choice.take)])
    assert not (choice.take and choice.dead)
    for one in choice.take:
        assert one.attempts < MOST_ATTEMPTS
        assert one.status == "received" or (one.stamp is not None and one.stamp + TERM <= NOON)
    if len(choice.take) > 1:
        assert all(one.attempts == 0 for one in choice.take)

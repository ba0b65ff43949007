"""Which of a customer's waiting messages may be taken."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from wch.domain.lease import TERM, Work
from wch.domain.line import MOST_ATTEMPTS, WAITS, choose
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


def test_one_at_a_time_after_a_first_try() -> None:
    """Whoever was tried, the head goes alone."""
    for line in ([work(1, attempts=1), work(2)], [work(1), work(2, attempts=1)], [work(1), work(2, "processing")]):
        assert choose(line, now=NOON).take == (line[0],)


def test_a_back_off_holds_the_line() -> None:
    """Nothing behind a head that waits is taken."""
    line = [work(1, attempts=1, age=1), work(2)]

    assert choose(line, now=NOON) == choose([], now=NOON)
    assert WAITS == (5, 30)


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

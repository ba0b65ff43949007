"""In any window of the named length at most the limit is admitted, and most of it can be used."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wch.domain.moment import of_unix, unix
from wch.domain.rate_limit import Admission, Pace, RateLimit, RateLimitWindow
from wch.testing import NOON
from wch.testing.strategies import rate_limits

HASH = "ab" * 32


class Ledger:
    """The rows of one pair, as a store keeps them."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self.parts: dict[datetime, int] = {}
        self.admitted: list[int] = []

    def ask(self, now: datetime) -> Admission:
        oldest = self.limit.oldest(now)
        rows = [
            RateLimitWindow(identifier_hash=HASH, limit_type="api", request_count=count, window_start=part)
            for part, count in self.parts.items()
            if part >= oldest
        ]
        admission = self.limit.admit(rows, now=now)
        if admission.admitted:
            part = self.limit.part_of(now)
            self.parts[part] = self.parts.get(part, 0) + 1
            self.admitted.append(unix(now))
        return admission

    def worst_window(self) -> int:
        """The most that was admitted in any window: one that begins with a hit holds as many as any."""
        worst = first = 0
        for place, moment in enumerate(self.admitted):
            while self.admitted[first] <= moment - self.limit.seconds:
                first += 1
            worst = max(worst, place - first + 1)
        return worst


@pytest.mark.parametrize("seconds", [8, 37, 61, 0, -12])
def test_a_window_that_cannot_be_cut_evenly_is_refused(seconds: int) -> None:
    """Twelve parts of whole seconds, or seconds."""
    with pytest.raises(ValueError, match="window"):
        RateLimit(name="api", most=1, seconds=seconds)


@pytest.mark.parametrize(
    ("seconds", "part"), [(9, 1), (10, 1), (35, 1), (36, 3), (60, 5), (276, 23), (300, 25), (3600, 300), (86400, 7200)]
)
def test_a_window_has_twelve_parts(seconds: int, part: int) -> None:
    """As the page has them; short ones are cut in seconds."""
    assert RateLimit(name="api", most=1, seconds=seconds).part_seconds == part


def test_a_limit_is_two_numbers() -> None:
    assert RateLimit.read("api", "60/300") == RateLimit(name="api", most=60, seconds=300)
    with pytest.raises(ValueError, match="most"):
        RateLimit.read("api", "0/60")


def test_a_hash_is_sixty_four_digits() -> None:
    with pytest.raises(ValueError, match="identifier_hash"):
        RateLimitWindow(identifier_hash="49170", limit_type="api", window_start=NOON)


def _walk(limit: RateLimit, gaps: Iterable[int]) -> Ledger:
    ledger = Ledger(limit)
    now = NOON
    for gap in gaps:
        now += timedelta(seconds=gap)
        ledger.ask(now)
    return ledger


@given(rate_limits(), st.lists(st.integers(0, 40), min_size=1, max_size=300))
def test_no_window_holds_more_than_the_limit(limit: RateLimit, gaps: list[int]) -> None:
    """Whatever the pattern: nothing over, in no window that one could lay."""
    assert _walk(limit, gaps).worst_window() <= limit.most


@given(st.sampled_from([60, 300, 3600]), st.integers(1, 12), st.lists(st.integers(0, 3700), max_size=60), st.data())
def test_no_pattern_of_bursts_gets_more(seconds: int, most: int, bursts: list[int], data: st.DataObject) -> None:
    """Bursts at the edges of parts and windows, where fixed windows let twice the limit through."""
    limit = RateLimit(name="api", most=most, seconds=seconds)
    edge = st.sampled_from([0, 1, limit.part_seconds - 1, limit.part_seconds, seconds - 1, seconds, seconds + 1])
    gaps: list[int] = []
    for burst in bursts:
        gaps += [data.draw(edge | st.just(burst)), *([0] * most)]

    assert _walk(limit, gaps).worst_window() <= most


@pytest.mark.parametrize("seconds", [60, 300, 3600])
@pytest.mark.parametrize("begins", [0, 1, 4])
def test_nine_tenths_of_the_limit_can_be_used(seconds: int, begins: int) -> None:
    """By somebody who asks all the time, wherever in a part the first hit falls."""
    limit = RateLimit(name="api", most=100, seconds=seconds)
    ledger = Ledger(limit)
    now = NOON + timedelta(seconds=begins)
    windows = 13
    end = now + timedelta(seconds=seconds * windows)
    while now < end:
        answer = ledger.ask(now)
        now += answer.retry_after

    assert len(ledger.admitted) >= 0.9 * limit.most * windows
    assert ledger.worst_window() <= limit.most


@given(rate_limits(), st.integers(0, 10_000), st.integers(0, 200))
def test_retry_after_is_when_there_is_room(limit: RateLimit, at: int, spread: int) -> None:
    """Not a second earlier, if nobody else comes."""
    ledger = Ledger(limit)
    now = NOON + timedelta(seconds=at)
    for hit in range(limit.most):
        assert ledger.ask(now).remaining == limit.most - hit - 1
        if hit == 0:
            now += timedelta(seconds=min(spread, limit.seconds // 2))
    refused = ledger.ask(now)

    assert (refused.admitted, refused.remaining) == (False, 0)
    assert refused.retry_after >= timedelta(seconds=1)
    if refused.retry_after > timedelta(seconds=1):
        assert not ledger.ask(now + refused.retry_after - timedelta(seconds=1)).admitted
    assert ledger.ask(now + refused.retry_after).admitted


def test_parts_ahead_of_the_clock_count() -> None:
    """A host whose clock is behind must not admit what another has used up."""
    limit = RateLimit(name="api", most=1, seconds=60)
    ahead = RateLimitWindow(
        identifier_hash=HASH, limit_type="api", request_count=1, window_start=NOON + timedelta(minutes=5)
    )

    assert not limit.admit([ahead], now=NOON).admitted


def test_a_part_without_hits_holds_nobody_back() -> None:
    limit = RateLimit(name="api", most=1, seconds=60)
    empty = RateLimitWindow(identifier_hash=HASH, limit_type="api", window_start=NOON)

    assert limit.admit([empty], now=NOON).admitted


class Window(RuleBasedStateMachine):
    """Any pattern of asking; the model is the list of moments that were admitted."""

    @initialize(limit=rate_limits())
    def begin(self, limit: RateLimit) -> None:
        self.ledger = Ledger(limit)
        self.now = of_unix(unix(NOON))

    @rule(times=st.integers(1, 60))
    def ask(self, times: int) -> None:
        for _ in range(times):
            self.ledger.ask(self.now)

    @rule(seconds=st.integers(0, 60))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: hasattr(self, "ledger"))
    @rule(place=st.sampled_from([-1, 0, 1]))
    def wait_for_an_edge(self, place: int) -> None:
        width = self.ledger.limit.part_seconds
        self.now += timedelta(seconds=max(0, width - unix(self.now) % width + place))

    @rule()
    def wait_as_told(self) -> None:
        answer = self.ledger.ask(self.now)
        self.now += answer.retry_after
        assert answer.admitted or self.ledger.ask(self.now).admitted

    @invariant()
    def no_window_holds_more(self) -> None:
        if hasattr(self, "ledger"):
            assert self.ledger.worst_window() <= self.ledger.limit.most


TestWindow = Window.TestCase


# --- windows too short for rows ------------------------------------------------------------


@given(st.integers(1, 500), st.integers(0, 600), st.floats(0, 1, exclude_max=True))
def test_slots_that_have_passed_are_used_up(rate: int, used: int, fraction: float) -> None:
    """A slot leaves neither before its time nor before those that were given out."""
    slot = Pace(name="number", per_second=rate).slot(used, fraction)

    if slot is None:
        assert used >= rate or fraction * rate > rate - 1
    else:
        assert used <= slot < rate
        assert slot >= fraction * rate - 1e-9


def test_a_second_gives_out_its_slots_evenly() -> None:
    """Eighty a second leave 12.5 ms apart; the eighty-first waits for the next second."""
    pace = Pace(name="number", per_second=80)

    assert [pace.slot(used, 0.0) for used in (0, 1, 79, 80)] == [0, 1, 79, None]
    assert pace.slot(0, 0.5) == 40
    assert pace.slot(0, 0.999) is None
    assert pace.leaves_after(40) == pytest.approx(0.5)

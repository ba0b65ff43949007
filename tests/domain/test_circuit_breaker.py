"""A breaker: after so many failures no call, then one probe at a time."""

from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wch.domain.circuit_breaker import BreakerRule, BreakerState, CircuitBreaker, Permit
from wch.testing import NOON
from wch.testing.strategies import breaker_rules, circuit_breakers, moments

RULE = BreakerRule.read("3/2/30")
S = BreakerState


@pytest.fixture
def closed() -> CircuitBreaker:
    return CircuitBreaker(service="shop", updated_at=NOON)


@pytest.fixture
def opened(closed: CircuitBreaker) -> CircuitBreaker:
    return closed.opened(now=NOON)


def later(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_rule_is_three_numbers() -> None:
    """Failures, successes, seconds."""
    assert BreakerRule(failures=3, successes=2, timeout=timedelta(seconds=30)) == RULE
    with pytest.raises(ValueError, match="failures"):
        BreakerRule.read("0/1/30")


def test_failures_in_a_row_open_it(closed: CircuitBreaker) -> None:
    """A success between them begins the count anew."""
    permit = Permit(service="shop")
    twice = closed.failed(permit, RULE, now=NOON).failed(permit, RULE, now=NOON)
    assert (twice.state, twice.failures) == (S.CLOSED, 2)
    assert twice.succeeded(permit, RULE, now=NOON).failed(permit, RULE, now=NOON).failures == 1

    third = twice.failed(permit, RULE, now=later(1))
    assert (third.state, third.failures, third.opened_at) == (S.OPEN, 3, later(1))


def test_a_success_of_a_healthy_breaker_writes_nothing(closed: CircuitBreaker) -> None:
    """The ordinary case costs no write."""
    assert closed.succeeded(Permit(service="shop"), RULE, now=later(9)) is closed
    assert closed.ask(RULE, now=later(9)) == (closed, Permit(service="shop"))


def test_an_open_breaker_refuses_until_its_time(opened: CircuitBreaker) -> None:
    """To the second; then exactly one probe goes."""
    assert opened.ask(RULE, now=later(29)) == (opened, None)

    probing, permit = opened.ask(RULE, now=later(30))

    assert permit is not None
    assert (probing.state, permit.probe) == (S.HALF_OPEN, probing.updated_at)
    assert probing.ask(RULE, now=later(30)) == (probing, None)


def test_a_probe_that_says_nothing_is_given_up_after_its_lease(opened: CircuitBreaker) -> None:
    """Its process died; the next one gets a permit of its own, and the late word of the first counts nothing."""
    probing, first = opened.ask(RULE, now=later(30))
    assert probing.ask(RULE, now=later(89))[1] is None

    again, second = probing.ask(RULE, now=later(90))

    assert first is not None
    assert second is not None
    assert first.probe != second.probe
    assert again.failed(first, RULE, now=later(91)) is again
    assert again.succeeded(first, RULE, now=later(91)) is again


def test_enough_probes_in_a_row_close_it(opened: CircuitBreaker) -> None:
    """Between them it is open, and due at once."""
    probing, permit = opened.ask(RULE, now=later(30))
    assert permit is not None
    once = probing.succeeded(permit, RULE, now=later(31))
    assert (once.state, once.successes, once.opened_at) == (S.OPEN, 1, None)

    probing, permit = once.ask(RULE, now=later(31))
    assert permit is not None
    twice = probing.succeeded(permit, RULE, now=later(32))
    assert (twice.state, twice.failures, twice.successes, twice.opened_at) == (S.CLOSED, 0, 0, None)


def test_a_probe_that_failed_opens_it_anew(opened: CircuitBreaker) -> None:
    """The whole time-out, and no success counts any more."""
    once = attrs.evolve(opened, opened_at=None, successes=1)
    probing, permit = once.ask(RULE, now=later(30))
    assert permit is not None

    failed = probing.failed(permit, RULE, now=later(31))

    assert (failed.state, failed.successes, failed.opened_at) == (S.OPEN, 0, later(31))


def test_the_late_word_of_a_plain_call_changes_nothing(opened: CircuitBreaker) -> None:
    """It left while the breaker was closed; the probe alone decides."""
    plain = Permit(service="shop")
    probing, _ = opened.ask(RULE, now=later(30))

    for here in (opened, probing):
        assert here.succeeded(plain, RULE, now=later(31)) is here
        assert here.failed(plain, RULE, now=later(31)) is here


def test_a_person_closes_it(opened: CircuitBreaker) -> None:
    closed = opened.closed(now=later(5))

    assert (closed.state, closed.failures, closed.opened_at) == (S.CLOSED, 0, None)


@given(circuit_breakers(), breaker_rules(), moments())
def test_time_never_goes_back(breaker: CircuitBreaker, rule_: BreakerRule, now: datetime) -> None:
    """The stamp is the permit: two probes never share one."""
    asked, permit = breaker.ask(rule_, now=now)

    assert asked.updated_at >= breaker.updated_at
    if permit is not None and permit.probe is not None:
        assert permit.probe > breaker.updated_at
    for moved in (breaker.opened(now=now), breaker.closed(now=now)):
        assert moved.updated_at >= max(now, breaker.updated_at)


class Calls(RuleBasedStateMachine):
    """Many callers, some of whom die; the model knows which calls are in flight."""

    given: BreakerRule
    breaker: CircuitBreaker

    @initialize(rule_=breaker_rules())
    def begin(self, rule_: BreakerRule) -> None:
        self.now = NOON
        self.given = rule_
        self.breaker = CircuitBreaker(service="shop", updated_at=NOON)
        self.flying: list[tuple[Permit, datetime]] = []
        self.in_a_row = 0

    def _alive(self) -> list[tuple[Permit, datetime]]:
        """Probes whose lease still runs."""
        return [
            (permit, at)
            for permit, at in self.flying
            if permit.probe and permit.probe + self.given.probe_lease > self.now
        ]

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def call(self) -> None:
        before = self.breaker.state
        self.breaker, permit = self.breaker.ask(self.given, now=self.now)
        if permit is None:
            assert before is not S.CLOSED
            return
        assert (permit.probe is None) == (before is S.CLOSED)
        if permit.probe is not None:
            assert self._alive() == []
        self.flying.append((permit, self.now))

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), well=st.booleans())
    def hear(self, data: st.DataObject, well: bool) -> None:  # noqa: FBT001 - drawn
        permit, _ = data.draw(st.sampled_from(self.flying))
        self.flying = [one for one in self.flying if one[0] is not permit]
        before = self.breaker
        told = before.succeeded if well else before.failed
        self.breaker = told(permit, self.given, now=self.now)
        if before.state is S.CLOSED:
            self.in_a_row = 0 if well else self.in_a_row + 1
            assert (self.breaker.state is S.OPEN) == (self.in_a_row >= self.given.failures)
        if self.breaker.state is S.CLOSED and before.state is not S.CLOSED:
            assert permit.probe == before.updated_at
            assert before.successes + 1 >= self.given.successes
            self.in_a_row = 0

    @precondition(lambda self: self.flying)
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        self.flying.remove(data.draw(st.sampled_from(self.flying)))

    @invariant()
    def at_most_one_probe_is_in_flight(self) -> None:
        if hasattr(self, "flying"):
            assert len(self._alive()) <= 1

    @invariant()
    def an_open_breaker_comes_back(self) -> None:
        if hasattr(self, "breaker") and self.breaker.state is not S.CLOSED:
            far = self.breaker.updated_at + max(self.given.timeout, self.given.probe_lease) + timedelta(seconds=1)
            assert self.breaker.ask(self.given, now=far)[1] is not None


TestCalls = Calls.TestCase

"""A saga: written down before and after each step, carried on by anybody, undone in exact reverse."""

from collections.abc import Callable
from datetime import timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from wch.domain.errors import ConflictError, LeaseLostError, TransitionError
from wch.domain.lease import TERM
from wch.domain.saga import Ev, Saga, SagaState
from wch.testing import NOON
from wch.testing.strategies import sagas

LATER = NOON + timedelta(seconds=5)


@pytest.fixture
def saga() -> Saga:
    return Saga.begun("order-1-2", "OrderPlacement", {"cart": 1, "coupon": None}, now=NOON)


@pytest.fixture
def leased(saga: Saga) -> Saga:
    return saga.leased("t", now=NOON)


def test_a_new_saga_is_due_at_once(saga: Saga) -> None:
    """And says in which version it was frozen."""
    assert (saga.state, saga.updated_at, saga.log) == (SagaState.RUNNING, NOON, ())
    assert saga.context == {"version": 1, "cart": 1, "coupon": None}
    assert (saga.token, saga.outcome, saga.results) == (None, None, {})
    assert saga.is_open


def test_a_lease_is_the_last_token_in_the_log(leased: Saga) -> None:
    """Whoever took it over is the holder; the one before is refused."""
    assert leased.held_by("t") is leased
    taken = leased.leased("u", now=LATER)
    with pytest.raises(LeaseLostError):
        taken.held_by("t")
    with pytest.raises(LeaseLostError):
        leased.completed(now=LATER).held_by("t")
    assert (leased.updated_at, leased.lease_is_live(now=NOON)) == (NOON + TERM, True)
    assert not leased.lease_is_live(now=NOON + TERM)


def test_a_step_has_one_key_over_retries_and_restarts(leased: Saga) -> None:
    """Undoing has its own."""
    first = leased.started("order", now=NOON)
    again = leased.leased("u", now=LATER).started("order", now=LATER)

    assert first.log[-1]["key"] == again.log[-1]["key"] == "order-1-2:order"
    assert first.undoing("order", now=LATER).log[-1]["key"] == "order-1-2:order:undo"


def test_what_a_step_answered_is_kept(leased: Saga) -> None:
    """For the steps after it, and for people."""
    done = leased.started("order", now=NOON).done("order", {"order_id": 9}, now=LATER).done("note", None, now=LATER)

    assert done.results == {"order": {"order_id": 9}, "note": {}}
    assert done.is_done("order")
    assert not leased.is_done("order")
    assert attrs.evolve(done, context={"results": "odd", "outcome": 7}).results == {}
    assert attrs.evolve(done, context={"results": "odd", "outcome": 7}).outcome is None


def test_the_log_is_numbered_and_dated(leased: Saga) -> None:
    """A person reads it as a time line."""
    log = leased.started("order", now=LATER).refused("order", "no stock", now=LATER).log

    assert [(entry["n"], entry["ev"], entry["step"]) for entry in log] == [
        (1, "lease", None),
        (2, "start", "order"),
        (3, "refused", "order"),
    ]
    assert log[2]["error"] == "no stock"
    assert log[2]["at"] == "2026-03-02T12:00:05Z"


def test_undoing_walks_back_with_the_doubtful_step_first(leased: Saga) -> None:
    """It was started and nothing is known of it: it is undone too."""
    walked = leased
    for step in ("reserve", "order", "pay"):
        walked = walked.started(step, now=NOON)
        walked = walked if step == "pay" else walked.done(step, {}, now=NOON)
    walked = walked.started("pay", now=LATER)

    assert list(walked.to_undo()) == ["pay", "order", "reserve"]
    assert list(walked.undoing("pay", now=LATER).undone("pay", now=LATER).to_undo()) == ["order", "reserve"]


def test_a_saga_turns_back_once(leased: Saga) -> None:
    """While it runs; then it is compensated when nothing is left to undo."""
    turned = leased.started("order", now=NOON).turned_back(now=LATER, reason="refused")

    assert (turned.state, turned.context["failure"]) == (SagaState.COMPENSATING, "refused")
    changes: tuple[Callable[[], object], ...] = (
        lambda: turned.turned_back(now=LATER, reason="again"),
        lambda: turned.compensated(now=LATER),
        lambda: turned.completed(now=LATER),
        lambda: leased.compensated(now=LATER),
    )
    for change in changes:
        with pytest.raises(TransitionError):
            change()
    ended = turned.undoing("order", now=LATER).undone("order", now=LATER).compensated(now=LATER)
    assert (ended.state, ended.outcome, ended.is_open, ended.updated_at) == (
        SagaState.FAILED,
        "compensated",
        False,
        LATER,
    )


def test_a_wait_ends_at_its_moment_or_with_a_signal(leased: Saga) -> None:
    """The next look is in `updated_at`, so that the index on it is the queue."""
    until = NOON + timedelta(hours=1)
    waiting = leased.waiting("paid", until, now=NOON, because="payment")

    assert (waiting.updated_at, waiting.ends_waiting_at("paid")) == (until, until)
    assert waiting.ends_waiting_at("other") is None
    assert not waiting.lease_is_live(now=NOON)
    told = waiting.signalled("payment", {"id": "p"}, now=LATER)
    assert told.updated_at == LATER
    assert [one["facts"] for one in told.signals("payment")] == [{"id": "p"}]
    assert told.signals("other") == ()
    assert len(told.signals()) == 1


def test_a_signal_does_not_end_a_live_lease(leased: Saga) -> None:
    """The holder sees it at its next write."""
    assert leased.signalled("payment", {}, now=LATER, leased=True).updated_at == leased.updated_at
    assert leased.signalled("payment", {}, now=LATER, leased=True).lease_is_live(now=LATER)
    assert leased.signalled("payment", {}, now=NOON + 2 * TERM).updated_at == leased.updated_at


def test_a_parked_saga_says_what_may_be_done(leased: Saga) -> None:
    """And nothing else is open."""
    parked = leased.started("pay", now=NOON).parked("refund_refused", "pay", ("retry", "compensate"), now=LATER)

    assert (parked.state, parked.outcome, parked.is_open) == (SagaState.FAILED, "parked", False)
    assert (parked.context["reason"], parked.context["actions"]) == ("refund_refused", ["retry", "compensate"])
    assert not parked.lease_is_live(now=LATER)
    with pytest.raises(ConflictError):
        parked.resumed("skip", now=LATER)
    with pytest.raises(ConflictError):
        leased.resumed("retry", now=LATER)


@pytest.mark.parametrize("compensating", [False, True])
@pytest.mark.parametrize("action", ["retry", "compensate"])
def test_an_operator_lets_it_go_on_where_it_stands(leased: Saga, compensating: bool, action: str) -> None:  # noqa: FBT001 - parametrized
    """Tries count anew; whatever was frozen and answered is still there."""
    here = leased.started("pay", now=NOON).done("pay", {"id": "p"}, now=NOON)
    here = here.turned_back(now=NOON, reason="x") if compensating else here
    resumed = here.parked("stuck", "pay", ("retry", "compensate"), now=NOON).resumed(action, now=LATER)

    expected = SagaState.COMPENSATING if compensating or action == "compensate" else SagaState.RUNNING
    assert (resumed.state, resumed.updated_at, resumed.outcome) == (expected, LATER, None)
    assert resumed.tries("pay") == 0
    assert here.tries("pay") == 1
    assert resumed.results == {"pay": {"id": "p"}}
    assert resumed.context["cart"] == 1
    assert resumed.signals(f"operator.{action}")
    with pytest.raises(ConflictError):
        resumed.resumed(action, now=LATER)


def test_resuming_loses_nothing_that_was_frozen(leased: Saga) -> None:
    """Also what is null on purpose: a step reads its context by key."""
    resumed = leased.parked("stuck", None, ("retry",), now=NOON).resumed("retry", now=LATER)

    assert resumed.context["coupon"] is None
    assert resumed.context["version"] == 1


def test_an_id_fits_its_column() -> None:
    with pytest.raises(ValueError, match="saga_id"):
        Saga.begun("s" * 101, "OrderPlacement", {}, now=NOON)


@given(sagas())
def test_any_log_can_be_asked(saga: Saga) -> None:
    """Also one of an older program."""
    assert saga.tries("reserve") == len(saga.log)
    assert saga.ends_waiting_at("reserve") is None


STEPS = ("reserve", "order", "pay", "notify")


class Walk(RuleBasedStateMachine):
    """Workers that come and go; the model is the world outside: what was done and what was undone there."""

    @initialize()
    def begin(self) -> None:
        self.now = NOON
        self.saga = Saga.begun("order-1-1", "OrderPlacement", {}, now=NOON)
        self.started: list[str] = []
        self.undone: list[str] = []
        self.tokens = 0
        self.mine: str | None = None

    def _held(self) -> Saga:
        assert self.mine is not None
        return self.saga.held_by(self.mine)

    @rule(seconds=st.integers(0, 90))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @precondition(lambda self: self.saga.is_open and self.saga.updated_at <= self.now)
    @rule()
    def take(self) -> None:
        late, self.tokens = self.mine, self.tokens + 1
        self.mine = f"t{self.tokens}"
        self.saga = self.saga.leased(self.mine, now=self.now)
        if late is not None:
            with pytest.raises(LeaseLostError):
                self.saga.held_by(late)

    @precondition(lambda self: self.mine and self.saga.state is SagaState.RUNNING)
    @rule(answered=st.booleans())
    def step(self, answered: bool) -> None:  # noqa: FBT001 - drawn
        step = next((one for one in STEPS if not self.saga.is_done(one)), None)
        if step is None:
            self.saga, self.mine = self._held().completed(now=self.now), None
            return
        self.saga = self._held().started(step, now=self.now)
        self.started += [] if step in self.started else [step]
        if answered:
            self.saga = self.saga.done(step, {"n": len(self.saga.log)}, now=self.now)

    @precondition(lambda self: self.mine and self.saga.state is SagaState.RUNNING)
    @rule()
    def refuse(self) -> None:
        self.saga = self._held().turned_back(now=self.now, reason="refused")

    @precondition(lambda self: self.mine and self.saga.state is SagaState.COMPENSATING)
    @rule(answered=st.booleans())
    def undo(self, answered: bool) -> None:  # noqa: FBT001 - drawn
        step = next(self._held().to_undo(), None)
        if step is None:
            self.saga, self.mine = self.saga.compensated(now=self.now), None
            return
        self.saga = self.saga.undoing(step, now=self.now)
        if answered:
            self.saga = self.saga.undone(step, now=self.now)
            self.undone.append(step)

    @precondition(lambda self: self.mine and self.saga.is_open)
    @rule()
    def park(self) -> None:
        self.saga, self.mine = self._held().parked("stuck", None, ("retry",), now=self.now), None

    @precondition(lambda self: self.saga.outcome == "parked")
    @rule()
    def resume(self) -> None:
        self.saga = self.saga.resumed("retry", now=self.now)

    @rule()
    def signal(self) -> None:
        if self.saga.is_open:
            live = self.saga.lease_is_live(now=self.now)
            self.saga = self.saga.signalled("payment", {}, now=self.now, leased=live)

    @invariant()
    def undoing_is_the_exact_reverse(self) -> None:
        if hasattr(self, "saga"):
            assert self.undone == self.started[::-1][: len(self.undone)]
            assert list(self.saga.to_undo()) == self.started[::-1][len(self.undone) :]

    @invariant()
    def an_end_is_whole(self) -> None:
        if hasattr(self, "saga") and not self.saga.is_open and self.saga.outcome != "parked":
            done = self.saga.state is SagaState.COMPLETED
            assert self.started == list(STEPS) if done else self.undone == self.started[::-1]

    @invariant()
    def entries_are_numbered_and_only_added(self) -> None:
        if hasattr(self, "saga"):
            assert [entry["n"] for entry in self.saga.log] == list(range(1, len(self.saga.log) + 1))
            keys = {(e["step"], e["key"]) for e in self.saga.log if e["ev"] in {Ev.START, Ev.DONE}}
            assert len(keys) == len({step for step, _ in keys})


TestWalk = Walk.TestCase


def test_a_customer_with_another_key_keeps_the_saga() -> None:
    """Whoever carries it knows the old key and loses the lease; without a live one nothing is logged."""
    begun = Saga.begun("order-1-2", "placement", {"customer": {"phone": "1", "name": "A"}}, now=NOON)
    moved = begun.of_customer("2", token="new", now=NOON)
    assert (moved.customer, moved.context["customer"]["name"], moved.log) == ("2", "A", ())

    carried = begun.leased("t", now=NOON).started("check", now=NOON).of_customer("2", token="new", now=LATER)
    with pytest.raises(LeaseLostError):
        carried.held_by("t")
    assert (carried.customer, carried.updated_at) == ("2", LATER)
    assert Saga.begun("x", "erasure", {}, now=NOON).customer is None

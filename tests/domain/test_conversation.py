"""Where a customer stands: one table of transitions, and nothing beside it."""

from datetime import datetime, timedelta

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wch.domain.conversation import (
    CHECKOUT,
    SAGA_RESULTS,
    SHOPPING,
    TRANSITIONS,
    Conversation,
    ConversationStatus,
    Event,
    State,
)
from wch.domain.errors import ForbiddenEventError
from wch.testing import NOON
from wch.testing.strategies import conversations, documents, moments

LATER = NOON + timedelta(minutes=5)
E, Q = Event, State

# The page of the conversations, row by row: from, event, to.
PAGE: list[tuple[frozenset[State], set[Event], set[State]]] = [
    (SHOPPING | CHECKOUT, {E.BROWSE}, {Q.BROWSING}),
    (SHOPPING | CHECKOUT, {E.VIEW_PRODUCT}, {Q.VIEWING_PRODUCT}),
    (frozenset({Q.AWAITING_PAYMENT}), {E.BROWSE, E.VIEW_PRODUCT, E.SHOW_CART}, {Q.AWAITING_PAYMENT}),
    (SHOPPING | CHECKOUT, {E.ITEM_ADDED, E.CATALOGUE_ORDER}, {Q.CART_MANAGEMENT}),
    (SHOPPING | CHECKOUT, {E.SHOW_CART, E.CART_CHANGED}, {Q.CART_MANAGEMENT, Q.BROWSING}),
    (SHOPPING, {E.COUPON_SET, E.COUPON_REMOVED}, {Q.CART_MANAGEMENT}),
    *((frozenset({step}), {E.COUPON_SET, E.COUPON_REMOVED}, {step}) for step in CHECKOUT),
    (SHOPPING, {E.START_CHECKOUT}, {Q.CHECKOUT_ADDRESS, Q.CHECKOUT_PAYMENT, Q.CART_MANAGEMENT, Q.BROWSING}),
    (frozenset({Q.CHECKOUT_ADDRESS}), {E.ADDRESS_SET}, {Q.CHECKOUT_SHIPPING, Q.CHECKOUT_PAYMENT}),
    (frozenset({Q.CHECKOUT_SHIPPING}), {E.SHIPPING_SET}, {Q.CHECKOUT_PAYMENT}),
    (frozenset({Q.CHECKOUT_PAYMENT}), {E.PAYMENT_SET}, {Q.CHECKOUT_REVIEW}),
    (frozenset({Q.CHECKOUT_REVIEW}), {E.CONFIRM}, {Q.AWAITING_PAYMENT, Q.CHECKOUT_REVIEW}),
    (CHECKOUT - {Q.CHECKOUT_ADDRESS}, {E.EDIT_ADDRESS}, {Q.CHECKOUT_ADDRESS}),
    (frozenset({Q.CHECKOUT_PAYMENT, Q.CHECKOUT_REVIEW}), {E.EDIT_SHIPPING}, {Q.CHECKOUT_SHIPPING}),
    (frozenset({Q.CHECKOUT_REVIEW}), {E.EDIT_PAYMENT}, {Q.CHECKOUT_PAYMENT}),
    (frozenset({Q.CHECKOUT_ADDRESS}), {E.BACK}, {Q.CART_MANAGEMENT}),
    (frozenset({Q.CHECKOUT_SHIPPING}), {E.BACK}, {Q.CHECKOUT_ADDRESS, Q.CART_MANAGEMENT}),
    (frozenset({Q.CHECKOUT_PAYMENT}), {E.BACK}, {Q.CHECKOUT_SHIPPING, Q.CHECKOUT_ADDRESS, Q.CART_MANAGEMENT}),
    (
        frozenset({Q.CHECKOUT_REVIEW}),
        {E.BACK},
        {Q.CHECKOUT_PAYMENT, Q.CHECKOUT_SHIPPING, Q.CHECKOUT_ADDRESS, Q.CART_MANAGEMENT},
    ),
    (CHECKOUT, {E.CANCEL, E.PROMPT_EXPIRED}, {Q.CART_MANAGEMENT}),
    (frozenset({Q.AWAITING_PAYMENT}), {E.ORDER_PLACED, E.PAID}, {Q.COMPLETED}),
    (frozenset({Q.AWAITING_PAYMENT}), {E.EDIT_PAYMENT, E.PAYMENT_FAILED}, {Q.CHECKOUT_PAYMENT}),
    (frozenset({Q.AWAITING_PAYMENT}), {E.CANCEL, E.ORDER_FAILED, E.PAYMENT_EXPIRED}, {Q.CART_MANAGEMENT}),
    (frozenset({Q.AWAITING_PAYMENT}), {E.TOTAL_DIFFERS}, {Q.CHECKOUT_REVIEW}),
    (SHOPPING, {E.INACTIVE}, {Q.IDLE}),
    (SHOPPING | CHECKOUT | {Q.AWAITING_PAYMENT}, {E.HANDOFF}, {Q.AWAITING_HUMAN}),
    (frozenset({Q.AWAITING_HUMAN}), {E.HANDBACK}, set(Q) - {Q.AWAITING_HUMAN}),
    (frozenset({Q.AWAITING_HUMAN}), set(SAGA_RESULTS), {Q.AWAITING_HUMAN}),
    (frozenset(Q), {E.RESOLVE}, {Q.IDLE}),
]


def stood(state: State, **more: object) -> Conversation:
    return Conversation(customer_phone="1", state=state, created_at=NOON, updated_at=NOON, **more)  # type: ignore[arg-type]  # columns by name


def test_the_table_is_the_page() -> None:
    """No pair more, no pair fewer."""
    page = {(state, event): targets for states, events, targets in PAGE for state in states for event in events}

    assert {pair: set(targets) for pair, targets in TRANSITIONS.items()} == page


@given(st.sampled_from(State), st.sampled_from(Event), st.none() | st.sampled_from(State))
def test_a_pair_outside_the_table_changes_nothing(state: State, event: Event, to: State | None) -> None:
    """The domain raises; so does a target that the table does not name, and a choice that is not made."""
    targets = TRANSITIONS.get((state, event), ())
    here = stood(state)

    assert here.allows(event) == bool(targets)
    if to in targets or (to is None and len(targets) == 1):
        assert here.on(event, to, now=LATER).state in targets
    else:
        with pytest.raises(ForbiddenEventError):
            here.on(event, to, now=LATER)


@pytest.mark.parametrize("state", sorted(SHOPPING | CHECKOUT | {Q.AWAITING_PAYMENT}))
def test_a_handoff_remembers_where_to_return(state: State) -> None:
    """The dialogue falls silent, and knows why and since when."""
    held = stood(state).escalated("asked", now=LATER)

    assert (held.status, held.state, held.return_state) == (ConversationStatus.ESCALATED, Q.AWAITING_HUMAN, state)
    assert held.handoff == {"since": "2026-03-02T12:05:00Z", "return_state": state, "reason": "asked"}
    assert held.is_open
    back = held.on(E.HANDBACK, held.return_state, now=LATER)
    assert (back.status, back.state, back.handoff) == (ConversationStatus.ACTIVE, state, {})


@pytest.mark.parametrize(
    ("result", "returns"),
    [
        (E.ORDER_PLACED, Q.COMPLETED),
        (E.PAID, Q.COMPLETED),
        (E.PAYMENT_FAILED, Q.CHECKOUT_PAYMENT),
        (E.ORDER_FAILED, Q.CART_MANAGEMENT),
        (E.PAYMENT_EXPIRED, Q.CART_MANAGEMENT),
        (E.TOTAL_DIFFERS, Q.CHECKOUT_REVIEW),
    ],
)
def test_a_result_moves_the_state_to_return_to(result: Event, returns: State) -> None:
    """In a person's hands the placement's end is noted, and nothing is said."""
    held = stood(Q.AWAITING_PAYMENT).escalated("asked", now=NOON)
    noted = held.on(result, now=LATER)

    assert (noted.state, noted.status, noted.return_state) == (Q.AWAITING_HUMAN, ConversationStatus.ESCALATED, returns)
    browsing = stood(Q.BROWSING).escalated("asked", now=NOON)
    assert browsing.on(result, now=LATER) == browsing


@pytest.mark.parametrize("word", [None, "gone", 7, ["browsing"], {"a": 1}])
def test_a_return_state_that_cannot_be_read_is_browsing(word: object) -> None:
    """Whatever a row of an older program says."""
    assert stood(Q.AWAITING_HUMAN, context={"v": 1, "handoff": {"return_state": word}}).return_state is Q.BROWSING
    assert stood(Q.AWAITING_HUMAN, context={"v": 1, "handoff": "odd"}).handoff == {}


def test_assigning_takes_the_conversation_from_the_dialogue() -> None:
    """Whoever had it before; what was unread is read."""
    held = stood(Q.BROWSING, unread_count=3).assigned(7, now=LATER)

    assert (held.status, held.assigned_agent_id, held.unread_count) == (ConversationStatus.ESCALATED, 7, 0)
    assert held.handoff["reason"] == "operator"
    other = held.assigned(8, now=LATER)
    assert (other.assigned_agent_id, other.handoff) == (8, held.handoff)


def test_resolving_ends_everything_but_what_is_known() -> None:
    """Language and window facts stay, checkout and prompt go."""
    context = {"v": 1, "language": "de", "prompt": {"kind": "search"}, "checkout": {"a": 1}}
    ended = stood(Q.CHECKOUT_REVIEW, context=context, unread_count=2).on(E.RESOLVE, now=LATER)

    assert (ended.status, ended.state, ended.unread_count) == (ConversationStatus.RESOLVED, Q.IDLE, 0)
    assert ended.context == {"v": 1, "language": "de"}
    assert not ended.is_open


@given(conversations(), documents())
def test_reopening_keeps_language_number_referral_and_window(conversation: Conversation, context: object) -> None:
    """The same row, from the start."""
    kept = {"language": "pt", "number": "N", "referral": {"id": 1}, "free_until": "x", "window_closed_at": "y"}
    before = attrs.evolve(conversation, context={**kept, "prompt": 1, "order": 2, "odd": context})
    opened = before.reopened(now=LATER)

    assert (opened.id, opened.status, opened.state) == (before.id, ConversationStatus.ACTIVE, Q.IDLE)
    assert opened.context == {"v": 1, **kept}
    assert opened.message_count == before.message_count


@given(conversations(), moments(), st.booleans())
def test_counting_never_moves_time_back(conversation: Conversation, now: datetime, unread: bool) -> None:  # noqa: FBT001 - drawn
    """Events may come late; the list by last message does not jump."""
    counted = conversation.counted(now=now, unread=unread)

    assert counted.message_count == conversation.message_count + 1
    assert counted.unread_count == conversation.unread_count + unread
    assert counted.last_message_at is not None
    assert counted.last_message_at >= max(now, conversation.last_message_at or now)
    assert counted.updated_at >= conversation.updated_at
    assert counted.seen(now=now).unread_count == 0


@given(conversations(), moments())
def test_a_message_is_counted_and_remembered_at_once(conversation: Conversation, now: datetime) -> None:
    """One change comes to what two would."""
    together = conversation.counted(now=now, unread=True, context={"v": 1, "a": 1})

    assert together == conversation.remembering({"v": 1, "a": 1}, now=now).counted(now=now, unread=True)


def test_a_memory_is_replaced_whole() -> None:
    """And time does not go back."""
    remembered = stood(Q.IDLE).remembering({"v": 1, "a": 1}, now=NOON - timedelta(seconds=1))

    assert (remembered.context, remembered.updated_at) == ({"v": 1, "a": 1}, NOON)


class Walk(RuleBasedStateMachine):
    """Any walk through the table, with people stepping in and customers coming back."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.here = stood(Q.IDLE)
        self.left: State | None = None

    @precondition(lambda self: self.here.is_open)
    @rule(data=st.data())
    def move(self, data: st.DataObject) -> None:
        open_pairs = [
            (event, target)
            for (state, event), targets in TRANSITIONS.items()
            if state is self.here.state
            for target in targets
        ]
        event, target = data.draw(st.sampled_from(open_pairs))
        self.now += timedelta(seconds=1)
        if event is E.HANDOFF:
            self.left = self.here.state
        if event is E.HANDBACK:
            target = self.here.return_state
        if event in SAGA_RESULTS and self.here.state is Q.AWAITING_HUMAN and self.left is Q.AWAITING_PAYMENT:
            self.left = TRANSITIONS[Q.AWAITING_PAYMENT, event][0]
        self.here = self.here.on(event, target, now=self.now)

    @precondition(lambda self: not self.here.is_open)
    @rule()
    def come_back(self) -> None:
        self.here = self.here.reopened(now=self.now)

    @precondition(lambda self: self.here.is_open)
    @rule(agent=st.integers(1, 3))
    def assign(self, agent: int) -> None:
        if self.here.state is not Q.AWAITING_HUMAN:
            self.left = self.here.state
        self.here = self.here.assigned(agent, now=self.now)

    @rule()
    def message(self) -> None:
        self.here = self.here.counted(now=self.now, unread=True)

    @invariant()
    def state_and_status_agree(self) -> None:
        assert (self.here.status is ConversationStatus.ESCALATED) == (self.here.state is Q.AWAITING_HUMAN)
        assert self.here.status is not ConversationStatus.RESOLVED or self.here.state is Q.IDLE

    @invariant()
    def the_way_back_is_known_while_a_person_has_it(self) -> None:
        if self.here.state is Q.AWAITING_HUMAN:
            assert self.here.return_state is self.left
        else:
            assert self.here.handoff == {}
            assert self.here.assigned_agent_id is None


TestWalk = Walk.TestCase

"""A message's way only leads upwards, in whatever order it is told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import permutations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wch.domain.message import PRIORITY, RANK, Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.testing import NOON
from wch.testing.strategies import INBOUND, OUTBOUND, messages, moments

S = MessageStatus
AT = {word: NOON + timedelta(seconds=place) for place, word in enumerate(("sent", "delivered", "read", "failed"), 10)}
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def message() -> Message:
    return Message.outgoing(
        conversation_id=1,
        kind="text",
        body={"type": "text", "text": {"body": "hello"}},
        to={"wa_id": "1"},
        number="N",
        class_=Class.REPLY,
        origin={"by": "dialogue", "ref": 5},
        now=NOON,
        not_before=iso(LATER),
        fallback=None,
    )


@pytest.fixture
def received() -> Message:
    return Message(
        conversation_id=1,
        direction=Direction.INBOUND,
        type="text",
        status=S.RECEIVED,
        created_at=NOON,
        updated_at=NOON,
    )


def test_a_new_message_says_all_that_sending_needs(message: Message) -> None:
    """What is not given is not there."""
    assert (message.status, message.direction, message.type) == (S.PENDING, Direction.OUTBOUND, "text")
    assert message.content == {
        "v": 1,
        "kind": "text",
        "class": "reply",
        "body": {"type": "text", "text": {"body": "hello"}},
        "to": {"wa_id": "1"},
        "number": "N",
        "origin": {"by": "dialogue", "ref": 5},
        "not_before": "2026-03-02T13:00:00Z",
    }
    assert (message.class_, message.not_before, message.expires_at) == (Class.REPLY, LATER, None)


def test_replies_leave_before_notices_before_campaigns() -> None:
    assert sorted(Class, key=PRIORITY.__getitem__) == [Class.REPLY, Class.NOTICE, Class.CAMPAIGN]


@pytest.mark.parametrize("word", [None, "unheard of", 7, ["reply"], {"a": 1}])
def test_a_row_that_does_not_say_its_class_is_a_reply(message: Message, word: object) -> None:
    """Better sent first than never; and one odd row stops nobody."""
    assert attrs.evolve(message, content={"v": 1, "class": word}).class_ is Class.REPLY


@pytest.mark.parametrize("word", [None, 7, "soon", "0001-01-01T00:00:00+23:59", ["x"]])
def test_a_time_that_cannot_be_read_is_none(message: Message, word: object) -> None:
    """Then the row leaves, and never expires."""
    odd = attrs.evolve(message, content={"v": 1, "not_before": word, "expires_at": word})

    assert (odd.not_before, odd.expires_at) == (None, None)


def test_placeholders_and_history_do_not_count(message: Message) -> None:
    """`message_count` is about what was said here."""
    assert message.counts
    assert not attrs.evolve(message, type="foreign").counts
    assert not attrs.evolve(message, content={"v": 1, "origin": {"by": "history"}}).counts
    assert attrs.evolve(message, content={"v": 1, "origin": "odd"}).counts


@pytest.mark.parametrize("order", list(permutations(AT)), ids="-".join)
def test_statuses_end_alike_in_every_order(message: Message, order: Sequence[str]) -> None:
    """All 24, each told twice: read, with the provider's own times and the error kept."""
    told = message.accepted("w", now=NOON)
    for word in (*order, *order):
        told = told.told(word, AT[word], now=LATER, error="131047 window" if word == "failed" else None)

    assert told.status is S.READ
    assert (told.sent_at, told.delivered_at, told.read_at) == (AT["sent"], AT["delivered"], AT["read"])
    assert told.error_message == "131047 window"


@given(st.lists(st.sampled_from(sorted(AT)), max_size=8))
def test_any_subset_ends_at_its_highest_rank(words: list[str]) -> None:
    """Whatever was lost; times of seen states are never empty."""
    told = Message(
        conversation_id=1,
        direction=Direction.OUTBOUND,
        type="text",
        status=S.UNCONFIRMED,
        created_at=NOON,
        updated_at=NOON,
    )
    for word in words:
        told = told.told(word, AT[word], now=LATER)

    assert told.status is max((S(word) for word in words), key=RANK.__getitem__, default=S.UNCONFIRMED)
    if told.status in {S.DELIVERED, S.READ}:
        assert told.sent_at is not None
        assert told.delivered_at is not None
    for word, column in (("sent", told.sent_at), ("delivered", told.delivered_at), ("read", told.read_at)):
        if word in words:
            assert column == AT[word]


def test_of_one_status_told_twice_the_earlier_time_stays(message: Message) -> None:
    """WhatsApp repeats itself."""
    twice = message.told("sent", LATER, now=LATER).told("sent", NOON, now=LATER).told("sent", LATER, now=LATER)

    assert twice.sent_at == NOON


def test_an_empty_time_is_filled_by_the_next_higher_status(message: Message) -> None:
    """Until its own comes and replaces it."""
    read = message.told("read", LATER, now=LATER)
    assert (read.sent_at, read.delivered_at, read.read_at) == (LATER, LATER, LATER)

    assert read.told("delivered", NOON, now=LATER).delivered_at == NOON


def test_acceptance_is_a_time_until_the_provider_tells_its_own(message: Message) -> None:
    accepted = message.accepted("w", now=LATER)

    assert accepted.sent_at == LATER
    assert accepted.told("delivered", LATER, now=LATER).sent_at == LATER
    assert accepted.told("sent", NOON, now=LATER).sent_at == NOON


def test_played_is_read(message: Message) -> None:
    """And remembers when it was first played."""
    played = message.told("played", NOON, now=LATER).told("played", LATER, now=LATER)

    assert (played.status, played.read_at, played.content["played_at"]) == (S.READ, NOON, iso(NOON))


def test_other_words_move_nothing_and_are_kept(message: Message) -> None:
    """Once each."""
    told = message.told("in_orbit", NOON, now=LATER).told("deleted", NOON, now=LATER).told("in_orbit", NOON, now=LATER)

    assert attrs.evolve(told, content=message.content) == message
    assert [one["status"] for one in told.content["other_statuses"]] == ["in_orbit", "deleted"]


def test_errors_beside_a_status_fill_an_empty_error(message: Message) -> None:
    """They do not replace one."""
    told = message.told("delivered", NOON, now=LATER, error="a").told("delivered", NOON, now=LATER, error="b")

    assert told.error_message == "a"
    assert message.told("read", NOON, now=NOON).told("failed", NOON, now=NOON, error="late").error_message == "late"


def test_good_news_settles_a_doubt(message: Message) -> None:
    """The doubt's reason goes; a failure's reason stays."""
    doubtful = message.in_doubt("lease ran out", now=NOON)
    assert (doubtful.status, doubtful.error_message) == (S.UNCONFIRMED, "lease ran out")

    assert doubtful.told("sent", NOON, now=LATER).error_message is None
    assert doubtful.accepted("w", now=LATER).error_message is None
    assert doubtful.told("failed", NOON, now=LATER, error="131026 x").error_message == "131026 x"
    assert message.accepted("w", now=NOON).in_doubt("late", now=LATER).status is S.SENT


@pytest.mark.parametrize("status", INBOUND)
@pytest.mark.parametrize("word", ["sent", "failed", "played", "odd"])
def test_a_status_moves_no_inbound_row(received: Message, status: MessageStatus, word: str) -> None:
    """Ids are one space: a hostile or mixed-up status must not push a customer's message anywhere."""
    row = attrs.evolve(received, status=status)

    assert row.told(word, NOON, now=LATER, error="x") == row


def test_the_first_id_stays(message: Message) -> None:
    """Another one, after a resend, is noted once and leads to the same row."""
    known = message.with_id("a").with_id("b").with_id("a").with_id("b").with_id("c")

    assert (known.wa_message_id, known.content["other_ids"]) == ("a", ["b", "c"])


def test_a_late_acceptance_does_not_undo_what_was_told(message: Message) -> None:
    """The echo was faster than the answer."""
    told = message.told("read", NOON, now=NOON).accepted("w", now=LATER)

    assert (told.status, told.wa_message_id, told.sent_at) == (S.READ, "w", NOON)


def test_a_failure_never_hides_a_delivery(message: Message) -> None:
    """It is only noted, and only the first."""
    assert message.failed("x", now=LATER).status is S.FAILED
    delivered = message.told("delivered", NOON, now=NOON)
    noted = delivered.failed("x", now=LATER)
    assert (noted.status, noted.error_message) == (S.DELIVERED, "x")
    assert noted.failed("y", now=LATER).error_message == "x"


def test_what_is_handled_says_what_was_done(received: Message) -> None:
    """The reason for silence stands in the row too."""
    handled = attrs.evolve(received, error_message="busy").handled({"did": "browse"}, now=LATER)

    assert (handled.status, handled.error_message, handled.updated_at) == (S.PROCESSED, None, LATER)
    assert handled.content["handled"] == {"at": iso(LATER), "did": "browse"}
    died = received.died("three crashes", now=LATER)
    assert (died.status, died.error_message) == (S.DEAD, "three crashes")


@given(messages(), moments())
def test_waiting_again_goes_back_where_it_came_from(message: Message, now: datetime) -> None:
    """The attempt counts unless it is given back; the stamp never falls."""
    back = message.waiting_again("busy", now=now)

    assert back.status is (S.RECEIVED if message.direction is Direction.INBOUND else S.PENDING)
    assert (back.retry_count, back.error_message) == (message.retry_count, "busy")
    assert back.updated_at >= max(now, message.updated_at)
    assert message.waiting_again(None, now=now, attempts=0).retry_count == 0


def test_every_outbound_word_has_a_rank() -> None:
    assert set(RANK) == set(OUTBOUND)


class Way(RuleBasedStateMachine):
    """An outbound message, its sender, and a provider that says anything at any time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.told: set[str] = set()
        self.row = Message(
            conversation_id=1,
            direction=Direction.OUTBOUND,
            type="text",
            status=S.PENDING,
            created_at=NOON,
            updated_at=NOON,
        )
        self.highest = 0

    @rule(word=st.sampled_from(sorted(AT)), late=st.booleans())
    def tell(self, word: str, late: bool) -> None:  # noqa: FBT001 - drawn
        self.now += timedelta(seconds=1)
        self.told.add(word)
        self.row = self.row.told(
            word, AT[word] if late else NOON, now=self.now, error="e" if word == "failed" else None
        )

    @rule(wa_id=st.sampled_from(["a", "b"]))
    def accept(self, wa_id: str) -> None:
        self.row = self.row.accepted(wa_id, now=self.now)

    @rule()
    def doubt(self) -> None:
        self.row = self.row.in_doubt("ran out", now=self.now)

    @precondition(lambda self: self.row.status is S.UNCONFIRMED)
    @rule()
    def resend(self) -> None:
        self.row = self.row.waiting_again(None, now=self.now)

    @invariant()
    def the_rank_never_falls(self) -> None:
        assert RANK[self.row.status] >= self.highest
        self.highest = RANK[self.row.status]

    @invariant()
    def what_was_told_stands(self) -> None:
        assert self.highest >= max((RANK[S(word)] for word in self.told), default=0)
        assert ("read" in self.told) <= (self.row.read_at is not None)

    @invariant()
    def a_failure_has_a_reason(self) -> None:
        assert self.row.status is not S.FAILED or self.row.error_message is not None


TestWay = Way.TestCase

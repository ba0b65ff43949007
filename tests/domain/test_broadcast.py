"""A recipient gets at most one message, and its row says what became of it."""

from collections.abc import Sequence
from itertools import permutations

import pytest

from wch.domain.broadcast import RANK, BroadcastRecipient, RecipientStatus
from wch.domain.errors import TransitionError
from wch.testing import NOON

S = RecipientStatus


@pytest.fixture
def recipient() -> BroadcastRecipient:
    return BroadcastRecipient(campaign_id=5, phone="1", created_at=NOON)


def test_a_pending_recipient_is_queued_once(recipient: BroadcastRecipient) -> None:
    """Its message is written in the same transaction."""
    queued = recipient.queued()

    assert queued.status is S.QUEUED
    with pytest.raises(TransitionError):
        queued.queued()


def test_every_word_has_a_rank_or_is_a_skip() -> None:
    """A skip has none and never moves."""
    assert {status for status in S if not status.is_skip} == set(RANK)


def test_a_recipient_is_skipped_before_it_leaves(recipient: BroadcastRecipient) -> None:
    """With the reason in the word; what has left cannot be called back, and `sent` is no reason."""
    assert recipient.skipped(S.SKIPPED_CAP).status is S.SKIPPED_CAP
    assert recipient.queued().skipped(S.SKIPPED_OPTOUT).status is S.SKIPPED_OPTOUT
    with pytest.raises(TransitionError):
        recipient.skipped(S.SENT)
    sent = recipient.queued().followed(S.SENT, wa_message_id="w", at=NOON)
    with pytest.raises(TransitionError):
        sent.skipped(S.SKIPPED_CAP)


@pytest.mark.parametrize("order", list(permutations([S.SENT, S.DELIVERED, S.READ, S.FAILED, S.UNCONFIRMED])))
def test_it_follows_its_message_in_any_order(recipient: BroadcastRecipient, order: Sequence[RecipientStatus]) -> None:
    """Every order ends alike."""
    at = recipient.queued()
    for status in (*order, *order):
        at = at.followed(status, wa_message_id=None, at=NOON)

    assert (at.status, at.sent_at) == (S.READ, NOON)


def test_only_what_left_has_a_time(recipient: BroadcastRecipient) -> None:
    """A failure is no send."""
    queued = recipient.queued()

    assert queued.followed(S.FAILED, wa_message_id="w", at=NOON).sent_at is None
    assert queued.followed(S.UNCONFIRMED, wa_message_id=None, at=NOON).sent_at is None
    assert queued.followed(S.FAILED, wa_message_id="w", at=NOON).wa_message_id == "w"
    assert queued.followed(S.QUEUED, wa_message_id="w", at=NOON).status is S.QUEUED


def test_a_skip_follows_nothing(recipient: BroadcastRecipient) -> None:
    """And nobody is skipped by a message."""
    skipped = recipient.skipped(S.SKIPPED_CAP)

    assert skipped.followed(S.SENT, wa_message_id="w", at=NOON) is skipped
    assert recipient.followed(S.SKIPPED_CAP, wa_message_id="w", at=NOON) is recipient

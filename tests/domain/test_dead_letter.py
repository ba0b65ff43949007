"""A dead letter is decided about once, by a named person."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook, Reason
from wch.domain.errors import ConflictError
from wch.testing import NOON

LATER = NOON + timedelta(hours=1)
DECISIONS: dict[str, Callable[[DeadLetter], DeadLetter]] = {
    "replay": lambda letter: letter.replayed(now=LATER, by="ann"),
    "dismiss": lambda letter: letter.dismissed("spam", now=LATER, by="ann"),
}


@pytest.fixture
def letter() -> DeadLetter:
    return DeadLetter.of_row(Hook.INBOUND, "messages", 7, Reason.CRASH, error="killed", attempts=3, now=NOON)


def test_a_letter_names_its_row_and_what_was_tried(letter: DeadLetter) -> None:
    """A replay goes back to the row; a person reads why."""
    assert letter.args == {"v": 1, "table": "messages", "id": 7}
    assert letter.metadata == {"v": 1, "tries": [{"at": "2026-03-02T12:00:00Z", "error": "killed"}]}
    assert (letter.reason, letter.attempts, letter.status) == ("crash", 3, DeadLetterStatus.PENDING)


def test_a_replay_says_who_and_when(letter: DeadLetter) -> None:
    """What was tried before stays."""
    replayed = DECISIONS["replay"](letter)

    assert (replayed.status, replayed.replayed_at, replayed.dismissed_at) == (DeadLetterStatus.REPLAYED, LATER, None)
    assert replayed.metadata == {**letter.metadata, "replayed_by": "ann"}


def test_a_dismissal_says_who_when_and_why(letter: DeadLetter) -> None:
    """Nothing is dismissed without a reason."""
    dismissed = DECISIONS["dismiss"](letter)

    assert (dismissed.status, dismissed.dismissed_at) == (DeadLetterStatus.DISMISSED, LATER)
    assert dismissed.metadata == {**letter.metadata, "dismissed_by": "ann", "dismissed_because": "spam"}


@pytest.mark.parametrize("first", list(DECISIONS))
@pytest.mark.parametrize("second", list(DECISIONS))
def test_the_second_decision_hears_of_the_first(letter: DeadLetter, first: str, second: str) -> None:
    """Whichever two they are."""
    decided = DECISIONS[first](letter)

    with pytest.raises(ConflictError):
        DECISIONS[second](decided)


def test_a_reason_fits_its_column() -> None:
    """A hundred characters."""
    with pytest.raises(ValueError, match="reason"):
        DeadLetter(hook="saga", reason="r" * 101, created_at=NOON)

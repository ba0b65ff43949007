"""A notice is told once, and follows its message upwards."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import permutations

import pytest

from wch.domain.errors import TransitionError
from wch.domain.notification import Notification, NotificationStatus, kind_of
from wch.testing import NOON

LATER = NOON + timedelta(minutes=5)
S = NotificationStatus


@pytest.fixture
def notice() -> Notification:
    return Notification(order_id=9, notification_type="shipped", customer_phone="1", created_at=NOON, updated_at=NOON)


def test_a_pending_notice_is_queued_held_or_skipped(notice: Notification) -> None:
    """While it is pending, `updated_at` is the moment from which it may be looked at."""
    assert notice.queued(template_name="t", now=LATER).status is S.QUEUED
    assert notice.held(LATER).updated_at == LATER
    skipped = notice.skipped("optout", now=LATER)
    assert (skipped.status, skipped.error_message) == (S.SKIPPED, "optout")


def test_what_is_on_its_way_is_not_prepared_again(notice: Notification) -> None:
    """Queued, it belongs to its message."""
    queued = notice.queued(template_name=None, now=NOON)

    changes: tuple[Callable[[], object], ...] = (
        lambda: queued.queued(template_name=None, now=NOON),
        lambda: queued.held(LATER),
        lambda: queued.skipped("expired", now=NOON),
    )
    for change in changes:
        with pytest.raises(TransitionError):
            change()


def test_a_notice_that_failed_waits_longer_each_time(notice: Notification) -> None:
    """And counts; one that was delivered is not tried again."""
    once = notice.retried("busy", now=NOON)
    twice = once.retried("busy", now=NOON)

    assert (once.retry_count, twice.retry_count, once.status) == (1, 2, S.PENDING)
    assert NOON < once.updated_at < twice.updated_at
    queued = twice.queued(template_name=None, now=NOON)
    with pytest.raises(TransitionError):
        queued.followed(S.DELIVERED, now=NOON).retried("late", now=NOON)


def test_giving_up_says_why(notice: Notification) -> None:
    failed = notice.failed("no template", now=LATER)

    assert (failed.status, failed.error_message, failed.updated_at) == (S.FAILED, "no template", LATER)


@pytest.mark.parametrize("order", list(permutations([S.SENT, S.DELIVERED, S.READ, S.FAILED])))
def test_it_follows_its_message_in_any_order(notice: Notification, order: Sequence[NotificationStatus]) -> None:
    """Only upwards, so every order ends alike."""
    at = notice.queued(template_name=None, now=NOON)
    for status in (*order, *order):
        at = at.followed(status, now=LATER)

    assert at.status is S.READ


def test_failed_hides_sent_and_nothing_higher(notice: Notification) -> None:
    queued = notice.queued(template_name=None, now=NOON)

    assert queued.followed(S.FAILED, now=NOON).followed(S.SENT, now=NOON).status is S.FAILED
    assert queued.followed(S.DELIVERED, now=NOON).followed(S.FAILED, now=NOON).status is S.DELIVERED
    assert queued.followed(S.UNCONFIRMED, now=NOON).status is S.UNCONFIRMED
    assert queued.followed(S.UNCONFIRMED, now=NOON).followed(S.QUEUED, now=NOON).status is S.UNCONFIRMED


def test_it_takes_over_ids_times_and_errors(notice: Notification) -> None:
    """What is not told leaves what is known."""
    queued = notice.queued(template_name=None, now=NOON)
    told = queued.followed(
        S.READ, now=LATER, wa_message_id="w", sent_at=NOON, delivered_at=NOON, read_at=LATER, error="e"
    )

    assert told.followed(S.READ, now=NOON) == told
    assert (told.wa_message_id, told.sent_at, told.delivered_at, told.read_at) == ("w", NOON, NOON, LATER)
    assert (told.error_message, told.updated_at) == ("e", LATER)


def test_a_notice_without_a_message_follows_none(notice: Notification) -> None:
    """Neither one that waits nor one that was skipped."""
    assert notice.followed(S.READ, now=LATER) is notice
    skipped = notice.skipped("optout", now=NOON)
    assert skipped.followed(S.READ, now=LATER) is skipped


@pytest.mark.parametrize(
    ("word", "kind"), [("shipped_2", "shipped"), ("shipped", "shipped"), ("status_on_hold", "status_on_hold")]
)
def test_a_numbered_type_is_of_its_kind(word: str, kind: str) -> None:
    """The number only makes it unique."""
    assert kind_of(word) == kind

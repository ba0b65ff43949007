"""Which reminder is next: moments, gaps, and what died on the way."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from wch.domain.cart import Cart, CartItem, Slot
from wch.domain.recovery import Schedule

TEN = datetime(2026, 3, 2, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SCHEDULE = Schedule()


def abandoned(at: datetime = TEN + HOUR, *, first: datetime | None = None) -> Cart:
    """A cart of two mugs that was left lying."""
    item = CartItem(
        product_id=1, quantity=2, price_at_add=Decimal(20), currency="EUR", product_name="Mug", added_at=at - HOUR
    )
    cart = Cart.opened("34612345678", now=at - HOUR).added(item, now=at - HOUR).abandoned(now=at)
    return attrs.evolve(cart, id=1, reminder_1_sent_at=first)


def test_the_three_reminders_are_due_after_one_six_and_twenty_four_hours() -> None:
    """Counted from when the cart was abandoned."""
    cart = abandoned()
    times = []
    now = TEN + HOUR
    while (due := SCHEDULE.next_of(cart, now=now)) is not None:
        times.append(due.at)
        now = due.at
        cart = cart.remind(due.slot, now=now)

    assert times == [TEN + 2 * HOUR, TEN + 7 * HOUR, TEN + 25 * HOUR]


def test_what_was_held_shifts_the_next_by_the_gap() -> None:
    """Abandoned at 20:30, the first left only at 07:00: the second waits four hours, the third keeps its moment."""
    at = TEN.replace(hour=20, minute=30)
    morning = at + timedelta(hours=10, minutes=30)
    cart = abandoned(at).remind(Slot.FIRST, now=morning)

    second = SCHEDULE.next_of(cart, now=morning)
    assert second is not None
    assert (second.number, second.at) == (2, morning + 4 * HOUR)
    third = SCHEDULE.next_of(cart.remind(Slot.SECOND, now=second.at), now=second.at)
    assert third is not None
    assert (third.number, third.at) == (3, at + 24 * HOUR)


def test_moments_that_died_are_passed_over_and_the_first_text_is_still_the_first() -> None:
    """All workers were down: the moments of 12:00 and 17:00 are over, the one of the next day is not."""
    cart = abandoned()
    now = TEN + 20 * HOUR

    due = SCHEDULE.next_of(cart, now=now)

    assert due is not None
    assert (due.number, due.slot, due.at) == (1, Slot.FIRST, TEN + 25 * HOUR)
    assert SCHEDULE.next_of(cart.remind(Slot.FIRST, now=due.at), now=due.at) is None


def test_a_reminder_dies_with_its_moment_and_with_its_cart() -> None:
    """Nothing of what is said then would be true."""
    cart = abandoned()
    short = attrs.evolve(cart, expires_at=TEN + 3 * HOUR)

    first = SCHEDULE.next_of(cart, now=TEN + HOUR)
    ending = SCHEDULE.next_of(short, now=TEN + HOUR)

    assert first is not None
    assert first.dies_at == TEN + 14 * HOUR
    assert ending is not None
    assert ending.dies_at == TEN + 3 * HOUR
    assert SCHEDULE.next_of(short, now=TEN + 3 * HOUR) is None


@pytest.mark.parametrize(("days", "comes"), [(13, True), (15, False)])
def test_none_leaves_two_weeks_after_the_first(days: int, comes: bool) -> None:  # noqa: FBT001 - a case
    """A cart that is abandoned again and again goes on with its slots, but not for ever."""
    now = TEN + timedelta(days=days)
    cart = attrs.evolve(abandoned(first=TEN), abandoned_at=now - HOUR, expires_at=now + timedelta(days=3))

    assert (SCHEDULE.next_of(cart, now=now) is not None) is comes


def test_a_person_takes_the_next_one_now() -> None:
    """Moment and gap aside; when all are taken there is none."""
    cart = abandoned().remind(Slot.FIRST, now=TEN + HOUR)

    due = SCHEDULE.forced(cart, now=TEN + HOUR)

    assert due is not None
    assert (due.number, due.at) == (2, TEN + HOUR)
    everything = cart.remind(Slot.SECOND, now=TEN + HOUR).remind(Slot.THIRD, now=TEN + HOUR)
    assert SCHEDULE.forced(everything, now=TEN + HOUR) is None

"""A contact is credited with one order, and only if it left."""

from datetime import timedelta
from decimal import Decimal

import pytest

from wch.domain.errors import TransitionError
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing import NOON

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def contact() -> Reengagement:
    return Reengagement(customer_phone="1", campaign_type=CampaignType.PRICE_DROP, created_at=NOON)


def test_the_first_send_counts(contact: Reengagement) -> None:
    """A sequence of reminders is one contact."""
    assert contact.sent(now=NOON).sent(now=LATER).sent_at == NOON


def test_a_send_that_failed_is_taken_back(contact: Reengagement) -> None:
    """Then the next one counts."""
    assert contact.sent(now=NOON).unsent() == contact
    assert contact.sent(now=NOON).unsent().sent(now=LATER).sent_at == LATER


def test_an_order_is_credited_once(contact: Reengagement) -> None:
    """With its revenue in two places, half up; a second order is refused."""
    credited = contact.sent(now=NOON).credited(9, Decimal("12.345"), now=LATER)

    assert (credited.converted, credited.conversion_order_id, credited.converted_at) == (True, 9, LATER)
    assert credited.conversion_revenue == Decimal("12.35")
    with pytest.raises(TransitionError):
        credited.credited(10, Decimal(1), now=LATER)


def test_what_never_left_brought_nobody(contact: Reengagement) -> None:
    """No credit without a send."""
    with pytest.raises(TransitionError):
        contact.credited(9, Decimal(1), now=LATER)


def test_an_order_that_stops_counting_leaves_no_figure(contact: Reengagement) -> None:
    """And the contact may be credited again."""
    sent = contact.sent(now=NOON)

    assert sent.credited(9, Decimal(1), now=LATER).uncredited() == sent

"""Rows tell how things stood: consent by its log, carts by their stamps, orders by their time."""

from datetime import datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from wch.domain.cart import Cart, CartItem, CartStatus, Slot
from wch.domain.customer import CustomerProfile
from wch.domain.hindsight import cart_as_of, customer_as_of
from wch.domain.order_figures import Counting, OrderSeen, known_orders
from wch.testing import NOON

HOUR = timedelta(hours=1)
ANNA = CustomerProfile.met("34612345678", now=NOON)


@pytest.fixture
def cart() -> Cart:
    """Filled at noon, left lying at one, reminded of at two."""
    item = CartItem(
        product_id=1, quantity=1, price_at_add=Decimal(9), currency="EUR", product_name="Mug", added_at=NOON
    )
    filled = Cart.opened("34612345678", now=NOON).added(item, now=NOON)
    return filled.abandoned(now=NOON + HOUR).remind(Slot.FIRST, now=NOON + 2 * HOUR)


def test_a_cart_had_no_reminder_before_it_left(cart: Cart) -> None:
    """At its very moment it had."""
    before, at = cart_as_of(cart, NOON + HOUR), cart_as_of(cart, NOON + 2 * HOUR)

    assert (before.status, before.reminder_1_sent_at) == (CartStatus.ABANDONED, None)
    assert at == cart


def test_a_cart_was_active_before_it_was_left_lying(cart: Cart) -> None:
    """Whatever became of it later."""
    ended = cart.recovered_by(7, Decimal(9), now=NOON + 3 * HOUR)

    for one in (cart, ended):
        assert cart_as_of(one, NOON).status is CartStatus.ACTIVE
        assert cart_as_of(one, NOON).abandoned_at is None


def test_a_cart_was_abandoned_until_it_was_recovered_or_ended(cart: Cart) -> None:
    """The order and the end come later."""
    recovered = cart.recovered_by(7, Decimal(9), now=NOON + 3 * HOUR)
    assert cart.expires_at is not None
    expired = cart.expired(now=cart.expires_at)

    assert cart_as_of(recovered, NOON + 2 * HOUR) == attrs.evolve(cart, updated_at=recovered.updated_at)
    assert cart_as_of(expired, NOON + 2 * HOUR) == cart
    assert cart_as_of(expired, cart.expires_at) == expired
    assert cart_as_of(recovered, NOON + 3 * HOUR) == recovered


@pytest.mark.parametrize(
    ("hours", "opted_in", "out", "out_of_notices"),
    [
        (0, False, False, False),
        (1, True, False, False),
        (2, False, True, False),
        (3, False, True, True),
        (4, True, False, False),
    ],
)
def test_consent_is_what_the_log_says(hours: int, *, opted_in: bool, out: bool, out_of_notices: bool) -> None:
    """In at one, out of marketing at two, out of everything at three, in again at four."""
    profile = ANNA
    for number, (purpose, to) in enumerate(
        [("marketing", "in"), ("marketing", "out"), ("all", "out"), ("all", "in")], 1
    ):
        profile = profile.consenting(purpose, to, source="keyword", now=NOON + number * HOUR)

    then = customer_as_of(profile, NOON + hours * HOUR, wrote_at=None)

    assert (then.opt_in_marketing, then.is_out, then.notification_opt_out) == (opted_in, out, out_of_notices)


def test_before_the_first_entry_the_log_says_what_was_there_before() -> None:
    """Entries in the middle may have gone; the next one knows what it changed."""
    profile = ANNA.consenting("marketing", "in", source="keyword", now=NOON)
    profile = profile.consenting("marketing", "out", source="keyword", now=NOON + HOUR)
    consent = {**profile.preferences["consent"]}
    consent["log"] = consent["log"][1:]
    shortened = attrs.evolve(profile, preferences={**profile.preferences, "consent": consent})

    assert customer_as_of(shortened, NOON, wrote_at=None).opt_in_marketing


def test_orders_and_words_of_later_are_not_there_yet() -> None:
    """An order of one o'clock is not known at noon."""

    def ordered(at: datetime) -> OrderSeen:
        return OrderSeen(id=7, at=at, modified=at, status="completed", total=Decimal(9), currency="EUR")

    profile = Counting(home="EUR").noted(ANNA, ordered(NOON + HOUR), now=NOON + HOUR)
    profile = attrs.evolve(profile, last_interaction_at=NOON + HOUR)

    assert known_orders(customer_as_of(profile, NOON, wrote_at=None)) == {}
    assert known_orders(customer_as_of(profile, NOON + HOUR, wrote_at=None)).keys() == {"7"}
    assert customer_as_of(profile, NOON, wrote_at=NOON - HOUR).last_interaction_at == NOON - HOUR

"""There is something to say to a customer, or a word for why there is not."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from wch.domain.customer import CustomerProfile
from wch.domain.money import Money
from wch.domain.occasion import Occasion, Terms
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.product_facts import Entry
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing import NOON

DAY = timedelta(days=1)
ANNA = CustomerProfile.met("34612345678", now=NOON)
VIEW = ProductView(customer_phone=ANNA.phone, product_id=7, viewed_at=NOON - DAY)
BACK, DROP, MISS = CampaignType.BACK_IN_STOCK, CampaignType.PRICE_DROP, CampaignType.WE_MISS_YOU
TERMS = Terms()


def entry(price: int, *, in_stock: bool = True) -> Entry:
    return Entry(at=NOON - 2 * DAY, price=Money(Decimal(price), "EUR"), in_stock=in_stock)


def bought(days: int, **more: Any) -> CustomerProfile:
    at = NOON - days * DAY
    seen = OrderSeen(id=days, at=at, modified=at, status="completed", total=Decimal(600), currency="EUR")
    return Counting(home="EUR").noted(ANNA, attrs.evolve(seen, **more), now=at)


@pytest.mark.parametrize(
    ("view", "then", "now", "word"),
    [
        (None, entry(50), entry(40), "not_viewed"),
        (attrs.evolve(VIEW, viewed_at=NOON - 31 * DAY), entry(50), entry(40), "not_viewed"),
        (VIEW, None, entry(40), "unknown"),
        (VIEW, entry(50), None, "unknown"),
        (VIEW, entry(50), entry(40, in_stock=False), "sold_out"),
        (VIEW, entry(50), entry(46), "no_drop"),
    ],
)
def test_a_look_that_gives_no_occasion_says_why(
    view: ProductView | None, then: Entry | None, now: Entry | None, word: str
) -> None:
    """Each of them alone is enough."""
    assert TERMS.of_view(DROP, ANNA, view, then, now, now=NOON) == word


def test_what_was_there_all_the_time_is_not_back() -> None:
    """It is back only for who saw it gone."""
    assert TERMS.of_view(BACK, ANNA, VIEW, entry(50), entry(50), now=NOON) == "was_there"
    gone = entry(50, in_stock=False)
    assert TERMS.of_view(BACK, ANNA, VIEW, gone, entry(50), now=NOON) == Occasion(kind=BACK, product_id=7)


@pytest.mark.parametrize(
    ("products", "status", "word"),
    [
        ((7,), "processing", "bought"),
        ((), "processing", "bought"),
        ((8,), "processing", None),
        ((7,), "cancelled", None),
    ],
)
def test_who_bought_it_meanwhile_is_not_told(products: tuple[int, ...], status: str, word: str | None) -> None:
    """An order of unknown goods counts as one of these; a cancelled one does not."""
    told = TERMS.of_view(DROP, bought(1, products=products, status=status), VIEW, entry(50), entry(40), now=NOON)

    assert told == word if word else isinstance(told, Occasion)


def test_who_never_bought_has_not_gone_quiet() -> None:
    """Nobody can be missed who never was there."""
    assert TERMS.of_silence(MISS, ANNA, (), now=NOON) == "no_order"
    assert TERMS.of_silence(MISS, bought(59), (), now=NOON) == "active"
    assert TERMS.of_silence(MISS, bought(60), (), now=NOON) == Occasion(kind=MISS)


@pytest.mark.parametrize(
    ("before", "repeats"),
    [
        ({"campaign_type": CampaignType.CART_REMINDER}, False),
        ({"campaign_type": DROP}, False),
        ({"campaign_type": DROP, "created_at": NOON}, True),
        ({"campaign_type": DROP, "sent_at": NOON - 29 * DAY, "product_id": 7}, True),
        ({"campaign_type": DROP, "sent_at": NOON - 30 * DAY, "product_id": 7}, False),
        ({"campaign_type": DROP, "sent_at": NOON - 1 * DAY, "product_id": 8}, False),
        ({"campaign_type": BACK, "sent_at": NOON - 1 * DAY, "product_id": 7}, False),
    ],
)
def test_the_same_is_not_said_twice_in_a_month(before: dict[str, object], *, repeats: bool) -> None:
    """Nor is anything said while something else waits to be; what died unsent was never said."""
    given = {"customer_phone": ANNA.phone, "created_at": NOON - 30 * DAY, **before}
    row = Reengagement(**given)  # type: ignore[arg-type]  # as the case says

    assert TERMS.repeats(Occasion(kind=DROP, product_id=7), [row], now=NOON) is repeats

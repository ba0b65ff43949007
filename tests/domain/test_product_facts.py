"""What a sellable cost and whether it was there is known for a month back."""

from datetime import timedelta
from decimal import Decimal

import pytest

from wch.domain.money import Money
from wch.domain.product_facts import KEPT_FOR, MOST_ENTRIES, Entry, ProductFacts, at_once, dropped
from wch.testing import NOON

HOUR = timedelta(hours=1)


def euros(amount: int | str) -> Money:
    return Money(Decimal(amount), "EUR")


def told(*steps: tuple[timedelta, int, bool]) -> ProductFacts:
    """The facts after the shop said so at these times after noon."""
    facts = ProductFacts()
    for after, price, in_stock in steps:
        facts = facts.seen(euros(price), in_stock=in_stock, quantity=None, now=NOON + after)
    return facts


def test_what_was_in_force_is_told_for_any_moment() -> None:
    """Nothing before the first sighting; the same again is no new entry."""
    facts = told((0 * HOUR, 50, True), (2 * HOUR, 50, True), (5 * HOUR, 45, False))

    assert len(facts.entries) == 2
    assert facts.at(NOON - HOUR) is None
    assert facts.at(NOON + 4 * HOUR) == Entry(at=NOON, price=euros(50), in_stock=True)
    assert facts.at(NOON + 5 * HOUR) == facts.now == Entry(at=NOON + 5 * HOUR, price=euros(45), in_stock=False)
    assert ProductFacts().now is None


@pytest.mark.parametrize(("lasted", "price"), [(59, 50), (60, 60)])
def test_a_price_that_came_back_within_the_hour_was_never_another(lasted: int, price: int) -> None:
    """Who looked in that hour saw a whim, so no drop is measured against it."""
    facts = told((0 * HOUR, 50, True), (HOUR, 60, True), (HOUR + timedelta(minutes=lasted), 50, True))

    found = facts.at(NOON + HOUR + timedelta(minutes=1))

    assert found is not None
    assert found.price == euros(price)


def test_what_was_in_force_a_month_ago_stays_and_nothing_older() -> None:
    """And never more entries than an option should hold."""
    facts = told((0 * HOUR, 50, True), (24 * HOUR, 60, True))
    late = facts.seen(euros(70), in_stock=True, quantity=3, now=NOON + KEPT_FOR + 25 * HOUR)
    many = told(*((HOUR * number, number + 1, True) for number in range(MOST_ENTRIES + 5)))

    assert [one.price.amount for one in late.entries] == [60, 70]
    assert (len(many.entries), many.entries[-1].price) == (MOST_ENTRIES, euros(MOST_ENTRIES + 5))


def test_facts_come_back_from_their_document() -> None:
    """What else stood there stays."""
    facts = ProductFacts(
        entries=told((0 * HOUR, 50, True)).entries, quantity=4, product=7, variants=(8,), categories=(15,)
    )
    document = facts.to_json({"v": 1, "hash": "abc"})

    assert ProductFacts.of_json(document) == facts
    assert (document["hash"], document["currency"], document["stock"]) == ("abc", "EUR", True)
    assert ProductFacts.of_json(ProductFacts().to_json({})) == ProductFacts()


def test_variants_are_one_product_at_their_cheapest() -> None:
    """There while any of them is; of two currencies nothing can be said."""
    small = Entry(at=NOON, price=euros(20), in_stock=False)
    large = Entry(at=NOON + HOUR, price=euros(25), in_stock=True)

    assert at_once([small, None, large]) == Entry(at=NOON + HOUR, price=euros(20), in_stock=True)
    assert at_once([None]) is None
    assert at_once([small, Entry(at=NOON, price=Money(Decimal(9), "USD"), in_stock=True)]) is None


@pytest.mark.parametrize(
    ("then", "now", "is_drop"),
    [("50", "45", True), ("50", "45.01", False), ("50", "60", False), ("0", "0", False)],
)
def test_a_tenth_less_is_a_drop(then: str, now: str, *, is_drop: bool) -> None:
    """To the cent; from nothing, nothing falls."""
    assert dropped(euros(then), euros(now), percent=10) is is_drop


def test_prices_of_two_currencies_are_not_compared() -> None:
    """Fifty euros are no drop to forty dollars."""
    assert not dropped(euros(50), Money(Decimal(40), "USD"), percent=10)

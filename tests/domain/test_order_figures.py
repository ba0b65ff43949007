"""Figures are counted anew from one entry for each order, so no event counts twice."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.customer import CustomerProfile
from wch.domain.order_figures import Counting, OrderSeen, Segment, exact_spending, known_orders, united
from wch.testing import NOON

EUR = Counting(home="EUR")
NOBODY = CustomerProfile.met("34612345678", now=NOON)


def seen(order_id: int = 1042, at: float = 0, **more: Any) -> OrderSeen:
    given = {"status": "completed", "total": Decimal("59.90"), "currency": "EUR"}
    return OrderSeen(id=order_id, at=NOON, modified=NOON + timedelta(seconds=at), **{**given, **more})


def after(*events: OrderSeen, counting: Counting = EUR) -> CustomerProfile:
    profile = NOBODY
    for event in events:
        profile = counting.noted(profile, event, now=NOON)
    return profile


def test_an_order_counts_once_however_often_it_is_told() -> None:
    """By the saga, by a webhook and by a poll."""
    told = after(
        *[seen()] * 5, OrderSeen(id=1042, at=NOON, modified=None, status="processing", total=Decimal(1), currency="EUR")
    )

    assert (told.total_orders, told.total_spent) == (1, Decimal("59.90"))


def test_what_went_back_is_not_spent() -> None:
    """And an older event that comes late changes nothing."""
    refunded = seen(at=10, refunded=Decimal(20))

    assert after(seen(), refunded).total_spent == Decimal("39.90")
    assert after(seen(), refunded, seen()).total_spent == Decimal("39.90")


@pytest.mark.parametrize(
    "last", [{"status": "cancelled"}, {"status": "failed"}, {"refunded": Decimal("59.90")}], ids=str
)
def test_an_order_that_is_off_makes_a_customer_new_again(last: dict[str, Any]) -> None:
    """Cancelled, failed, or refunded in full."""
    profile = after(seen(), seen(at=10, **last))

    assert (profile.total_orders, profile.total_spent) == (0, Decimal("0.00"))
    assert EUR.segment(profile) is Segment.NEW
    assert "last_order_at" not in profile.preferences["stats"]


@pytest.mark.parametrize(
    ("spent", "segment"),
    [("99.99", "bronze"), ("100.00", "silver"), ("499.99", "silver"), ("500.00", "gold"), ("1000.00", "platinum")],
)
def test_segments_begin_at_their_amount(spent: str, segment: str) -> None:
    """To the cent."""
    assert EUR.segment(after(seen(total=Decimal(spent)))) == segment


def test_spending_beyond_its_column_is_exact_beside_it() -> None:
    """Two large orders in a currency without cents; what compares uses the exact text."""
    dong = Counting(home="VND")
    large = Decimal(90_000_000)
    profile = after(seen(1, total=large, currency="VND"), seen(2, total=large, currency="VND"), counting=dong)

    assert profile.total_spent == Decimal("99999999.99")
    assert exact_spending(profile) == Decimal(180_000_000)
    assert dong.segment(profile) is Segment.PLATINUM


def test_another_currency_is_an_order_and_no_spending() -> None:
    """Amounts of two currencies are never added."""
    profile = after(seen(currency="USD"))

    assert (profile.total_orders, profile.total_spent) == (1, Decimal("0.00"))


EVENTS = st.builds(
    seen,
    order_id=st.integers(1, 3),
    at=st.integers(0, 5),
    status=st.sampled_from(["processing", "completed", "cancelled"]),
    refunded=st.sampled_from([Decimal(0), Decimal("59.90"), Decimal(10)]),
)


@given(st.lists(EVENTS, max_size=8))
def test_the_newest_event_of_each_order_decides(events: list[OrderSeen]) -> None:
    """Figures are a function of the last word on each order, whatever came before it."""
    profile = after(*events)

    last: dict[int, OrderSeen] = {}
    for event in events:
        there = last.get(event.id)
        if there is None or (event.modified or NOON) >= (there.modified or NOON):
            last[event.id] = event
    assert profile == NOBODY or known_orders(profile).keys() == {str(number) for number in last}
    assert after(*last.values()).total_spent == profile.total_spent


def test_entries_of_two_who_are_one_are_united() -> None:
    """An order known to both is there once, as it was last told."""
    one, other = known_orders(after(seen(1), seen(2))), known_orders(after(seen(2, at=9, status="cancelled"), seen(3)))

    both = united(one, other)

    assert sorted(both) == ["1", "2", "3"]
    assert both["2"]["status"] == "cancelled"

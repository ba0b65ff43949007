"""What changed about an order becomes notices, each once."""

from datetime import timedelta
from decimal import Decimal

import pytest

from wch.application.announcing import Announcing, seen_state
from wch.domain.money import Money
from wch.domain.order import Order, OrderStatus, Tracking
from wch.testing import NOON

ANNA = "16505551234"
ANNOUNCING = Announcing(delay=timedelta(seconds=30), statuses=frozenset({"ready-for-pickup"}))


def seen(status: str, *, parcels: tuple[str, ...] = (), refunded: str = "0") -> Order:
    def euro(amount: str) -> Money:
        return Money(Decimal(amount), "EUR")

    return Order(
        id=1,
        number="1",
        status=OrderStatus(status),
        currency="EUR",
        total=euro("10"),
        lines=(),
        shipping=euro("0"),
        phone=ANNA,
        refunded=euro(refunded),
        tracking=tuple(Tracking(carrier="DHL", number=number) for number in parcels),
        created_at=NOON,
        updated_at=NOON,
    )


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (seen("processing"), seen("processing"), ()),
        (seen("processing"), seen("on_hold"), ("status_on_hold",)),
        (seen("processing"), seen("cancelled"), ("status_cancelled",)),
        (seen("processing"), seen("shipped"), ("shipped",)),
        (seen("processing"), seen("shipped", parcels=("A",)), ("shipped",)),
        (seen("processing"), seen("processing", parcels=("A",)), ("shipped",)),
        (seen("processing", parcels=("A",)), seen("shipped", parcels=("A",)), ()),
        (seen("shipped", parcels=("A",)), seen("shipped", parcels=("A", "B")), ("shipped_2",)),
        (seen("processing"), seen("shipped", parcels=("A", "B")), ("shipped", "shipped_2")),
        (seen("shipped"), seen("completed"), ("delivered",)),
        (seen("completed"), seen("refunded", refunded="10"), ("refunded",)),
        (seen("completed"), seen("completed", refunded="3"), ("refunded",)),
        (seen("completed", refunded="3"), seen("completed", refunded="3"), ()),
    ],
)
def test_each_change_of_an_order_is_news_once(before: Order, after: Order, expected: tuple[str, ...]) -> None:
    """Against what was last seen; seen again, it is no news any more."""
    assert ANNOUNCING.news(after, seen_state(before, {"phone": ANNA})) == expected
    assert ANNOUNCING.news(after, seen_state(after, {})) == ()


def test_what_else_is_known_of_an_order_stays_known() -> None:
    """The language, the phone and the saga are not the shop's to forget."""
    assert seen_state(seen("shipped"), {"phone": ANNA, "language": "de"})["language"] == "de"

"""Numbers and keys of what a shop sells."""

import pytest

from wch.domain.catalogue import Product, Sellable, Variant, checked_key, placement_of
from wch.domain.money import Money
from wch.domain.quote import Line
from wch.testing.doubles import NOON


def test_one_number_names_a_sellable() -> None:
    assert Line(product_id=7, variation_id=9, quantity=1).sellable_id == 9
    assert (Sellable(product_id=7, variation_id=9).id, Sellable(product_id=7).id) == (9, 7)


@pytest.mark.parametrize("stock", [0, -2, 1, None])
def test_sold_out_means_that_none_can_be_bought(stock: int | None) -> None:
    """What is not counted is never sold out."""
    price = Money(1, "EUR")
    product = Product(id=1, name="x", price=price, regular_price=price, stock=stock, updated_at=NOON)
    variant = Variant(id=2, product_id=1, attributes={}, price=price, regular_price=price, stock=stock)

    assert product.is_sold_out == variant.is_sold_out == (stock is not None and stock <= 0)


def test_keys_are_plain_and_short() -> None:
    assert checked_key("order-1-1:reserve") == "order-1-1:reserve"
    for key in ("", "a b", "x" * 101, "ä", "a\n"):
        with pytest.raises(ValueError, match="idempotency key"):
            checked_key(key)


@pytest.mark.parametrize(
    ("key", "placement"),
    [
        ("order-7-1700000000-create_order", "order-7-1700000000"),
        ("order-7-1700000000:reserve", "order-7-1700000000"),
        ("order-7-1700000000", "order-7-1700000000"),
        ("single", "single"),
    ],
)
def test_steps_of_one_placement_share_their_keys_beginning(key: str, placement: str) -> None:
    """Two placements that differ in a number never share anything."""
    assert placement_of(key) == placement

"""What a shop says is checked where it becomes a value."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.catalogue import (
    LARGEST_ID,
    CouponSpec,
    Line,
    LineCheck,
    OutOfStockError,
    Product,
    Quote,
    QuoteLine,
    Sellable,
    ShopRefusedError,
    ShopUnavailableError,
    ShortLine,
    Variant,
    Verdict,
    checked_key,
    fingerprint,
    placement_of,
    total_of,
)
from wch.domain.errors import WchError
from wch.domain.money import CurrencyMismatchError, Money
from wch.testing.doubles import NOON

LINE = Line(product_id=5, quantity=2)
LAMPS = QuoteLine(line=LINE, name="Blue Lamp", price=Money(20, "EUR"), total=Money(40, "EUR"))


def test_a_line_is_a_whole_number_of_a_sellable() -> None:
    for quantity in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="quantity"):
            Line(product_id=5, quantity=quantity)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see
    for number in (0, -5, LARGEST_ID + 1, "5", True):
        with pytest.raises(ValueError, match="product_id"):
            Line(product_id=number, quantity=1)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see
    assert Line(product_id=LARGEST_ID, quantity=1).sellable_id == LARGEST_ID


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


def test_only_ok_is_ok() -> None:
    assert [verdict for verdict in Verdict if LineCheck(line=LINE, verdict=verdict).is_ok] == [Verdict.OK]


parts = st.integers(0, 10**6).map(lambda units: Money.from_minor(units, "EUR"))


@given(discount=parts, shipping=parts, tax=parts, fee=parts, rounding=st.integers(-3, 3), included=st.booleans())
def test_a_quote_always_adds_up(
    *, discount: Money, shipping: Money, tax: Money, fee: Money, rounding: int, included: bool
) -> None:
    """What it asks is subtotal - discount + shipping + fee + rounding (+ tax unless included); a negative one cannot be made."""
    named: dict[str, Any] = {
        "discount": discount,
        "shipping": shipping,
        "tax": tax,
        "fee": fee,
        "rounding": Money.from_minor(rounding, "EUR"),
        "tax_included": included,
    }
    try:
        quote = Quote.of(lines=[LAMPS], currency="EUR", **named)
    except ValueError:
        owed = (
            Money(40, "EUR") - discount + shipping + fee + named["rounding"] + (Money.zero("EUR") if included else tax)
        )
        assert owed.amount < 0
        return

    assert quote.total == total_of(quote)
    assert quote == Quote.of(lines=[LAMPS], currency="EUR", **named)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": Money(41, "EUR")},
        {"subtotal": Money(41, "EUR"), "total": Money(41, "EUR")},
        {"discount": Money(-1, "EUR"), "total": Money(41, "EUR")},
    ],
)
def test_a_quote_that_does_not_add_up_cannot_be_made(wrong: dict[str, Money]) -> None:
    quote = Quote.of(lines=[LAMPS], currency="EUR")

    with pytest.raises(ValueError, match=r"total|subtotal|negative"):
        attrs.evolve(quote, **wrong)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see


def test_a_quote_has_one_currency() -> None:
    with pytest.raises(CurrencyMismatchError):
        Quote.of(lines=[LAMPS], currency="USD")


@pytest.mark.parametrize(
    "change",
    [
        {"shipping": Money(5, "EUR")},
        {"shipping_id": "standard"},
        {"coupon": "SAVE10"},
        {"needs_shipping": False},
        {"tax": Money(1, "EUR"), "tax_included": True},
        {"lines": [attrs.evolve(LAMPS, name="Blue Lamp!")]},
        {"lines": [attrs.evolve(LAMPS, attributes={"Size": "M"})]},
        {"lines": [attrs.evolve(LAMPS, line=Line(product_id=6, quantity=2))]},
    ],
)
def test_the_fingerprint_is_over_all_that_is_shown(change: dict[str, Any]) -> None:
    """Whatever the customer would see differently asks for a new review."""
    asked: dict[str, Any] = {"lines": [LAMPS], "currency": "EUR"}

    assert Quote.of(**asked).fingerprint != Quote.of(**{**asked, **change}).fingerprint
    assert fingerprint({"a": 1, "b": "é"}) == fingerprint({"b": "é", "a": 1})


def test_a_coupon_takes_off_one_of_two_things() -> None:
    good: dict[str, Any] = {"prefix": "BACK-", "expires_at": NOON + timedelta(days=7)}

    assert CouponSpec(**good, percent=Decimal("12.5")).uses == 1
    for wrong in (
        {},
        {"percent": Decimal(10), "amount": Money(5, "EUR")},
        {"percent": Decimal(0)},
        {"percent": Decimal(101)},
        {"amount": Money(0, "EUR")},
        {"percent": Decimal(10), "prefix": "back "},
        {"percent": Decimal(10), "uses": 0},
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - each says it in its own words
            CouponSpec(**{**good, **wrong})


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


def test_errors_carry_facts_and_nothing_personal() -> None:
    assert ShopUnavailableError(timedelta(seconds=5)).retry_after == timedelta(seconds=5)
    assert ShopRefusedError("shipped").code == "shipped"
    assert OutOfStockError([ShortLine(line=LINE, available=1)]).lines[0].available == 1
    assert all(issubclass(error, WchError) for error in (ShopUnavailableError, ShopRefusedError, OutOfStockError))

"""Lines and quotes are checked where they become values."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.catalogue import LARGEST_ID
from wch.domain.money import CurrencyMismatchError, Money
from wch.domain.quote import Line, LineCheck, Quote, QuoteLine, Verdict, fingerprint, total_of

LINE = Line(product_id=5, quantity=2)
LAMPS = QuoteLine(line=LINE, name="Blue Lamp", price=Money(20, "EUR"), total=Money(40, "EUR"))
parts = st.integers(0, 10**6).map(lambda units: Money.from_minor(units, "EUR"))


def test_a_line_is_a_whole_number_of_a_sellable() -> None:
    for quantity in (0, -1, 1.5, True, "2"):
        with pytest.raises(ValueError, match="quantity"):
            Line(product_id=5, quantity=quantity)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see
    for number in (0, -5, LARGEST_ID + 1, "5", True):
        with pytest.raises(ValueError, match="product_id"):
            Line(product_id=number, quantity=1)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see
    assert Line(product_id=LARGEST_ID, quantity=1).sellable_id == LARGEST_ID


def test_only_ok_is_ok() -> None:
    assert [verdict for verdict in Verdict if LineCheck(line=LINE, verdict=verdict).is_ok] == [Verdict.OK]


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

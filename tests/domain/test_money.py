"""Money is exact, or it raises."""

import json
import operator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.domain.money import (
    CURRENCIES,
    LARGEST_REPORT_FIGURE,
    CurrencyMismatchError,
    Money,
    TooPreciseError,
    UnknownCurrencyError,
    decimal_of,
    is_currency,
    money_from_json,
    money_to_json,
    places,
)
from wch.testing.strategies import moneys

EUR = "EUR"


@pytest.mark.parametrize("amount", [0.1, True, "12.50", None, [1]])
def test_only_exact_numbers_are_amounts(amount: object) -> None:
    """A float has lost its cents before it gets here; a text is read by `money_from_json`."""
    with pytest.raises(TypeError):
        Money(amount, EUR)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see


@pytest.mark.parametrize("amount", ["NaN", "Infinity", "-Infinity"])
def test_an_amount_is_finite(amount: str) -> None:
    with pytest.raises(ValueError, match="finite"):
        Money(Decimal(amount), EUR)


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.2345", "KWD"), ("0.001", "EUR"), ("0.5", "JPY"), ("1.00001", "CLF")]
)
def test_too_many_places_raise(amount: str, currency: str) -> None:
    """Rounding happens only where somebody wrote `rounded`."""
    with pytest.raises(TooPreciseError):
        Money(Decimal(amount), currency)


@pytest.mark.parametrize("currency", ["XXX", "eur", "", "EURO", "BTC"])
def test_only_iso_has_currencies(currency: str) -> None:
    with pytest.raises(UnknownCurrencyError):
        Money(1, currency)
    assert not is_currency(currency)


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3), ("CLF", 4), ("IQD", 3), ("LBP", 2)]
)
def test_places_are_those_of_iso(currency: str, digits: int) -> None:
    """Formatting libraries give other figures for IQD and LBP."""
    assert places(currency) == digits
    assert currency in CURRENCIES


@pytest.mark.parametrize(
    ("value", "expected"), [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("1.004", "1.00")]
)
def test_rounding_is_half_up_away_from_zero(value: str, expected: str) -> None:
    assert Money.rounded(Decimal(value), EUR) == Money(Decimal(expected), EUR)


def test_ten_euros_split_in_three() -> None:
    """What is left over goes to the largest remainder, then to the first."""
    assert [str(part.amount) for part in Money(10, EUR).split([1, 1, 1])] == ["3.34", "3.33", "3.33"]
    assert [part.minor() for part in Money(Decimal("-0.05"), EUR).split([1, 1])] == [-3, -2]


@pytest.mark.parametrize("weights", [[], [0, 0], [1, -1]])
def test_weights_say_how_to_split(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        Money(1, EUR).split(weights)


@given(moneys(), st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any))
def test_parts_add_up_exactly(money: Money, weights: list[int]) -> None:
    parts = money.split(weights)

    assert Money.total(parts, money.currency) == money
    assert all(not part for part, weight in zip(parts, weights, strict=True) if weight == 0)


@given(moneys())
def test_money_survives_json_and_smallest_units(money: Money) -> None:
    """As text, as an exact number, as whole units: always the same amount in all its places."""
    written = money_to_json(money)
    read = json.loads(json.dumps({**written, "amount": float(0)}), parse_float=Decimal)

    assert money_from_json(written) == money
    assert str(money_from_json(written)) == str(money)
    assert Money.from_minor(money.minor(), money.currency) == money
    assert money_from_json(read) == Money.zero(money.currency)
    assert len(written["amount"].partition(".")[2]) == places(money.currency)


@given(moneys(), st.integers(-(10**30), 10**30))
def test_arithmetic_is_exact_at_any_size(money: Money, times: int) -> None:
    """The default context of `decimal` would round at 28 digits."""
    many = money * times

    assert many.minor() == money.minor() * times
    assert (many + money) - many == money
    assert times * money == many
    assert abs(-many) == abs(many)


def test_two_currencies_do_not_mix() -> None:
    euro, dollar = Money(1, EUR), Money(1, "USD")
    for mix in (operator.add, operator.sub, operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(CurrencyMismatchError):
            mix(euro, dollar)
    assert euro != dollar


@pytest.mark.parametrize("other", [1, 1.5, "1", None])
def test_money_is_only_added_to_money(other: object) -> None:
    for mix in (operator.add, operator.sub):
        with pytest.raises(TypeError):
            mix(Money(1, EUR), other)


@pytest.mark.parametrize("times", [1.5, True, Decimal(2)])
def test_money_is_only_multiplied_by_whole_numbers(times: object) -> None:
    with pytest.raises(TypeError):
        Money(1, EUR) * times  # type: ignore[operator]  # wrong on purpose, or narrower than mypy can see


@pytest.mark.parametrize("units", [1.0, True, "1"])
def test_smallest_units_are_whole(units: object) -> None:
    with pytest.raises(TypeError):
        Money.from_minor(units, EUR)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see


def test_comparisons_and_truth() -> None:
    assert Money(1, EUR) < Money(2, EUR) <= Money(2, EUR)
    assert Money(2, EUR) > Money(1, EUR) >= Money(1, EUR)
    assert not Money(Decimal("-0"), EUR)
    assert str(Money(Decimal("-0"), EUR)) == "0.00 EUR"
    assert hash(Money(1, EUR)) == hash(Money(Decimal("1.0"), EUR))


@pytest.mark.parametrize(
    ("amount", "currency", "figure"),
    [("1.235", "KWD", "1.24"), ("100000000", "EUR", "99999999.99"), ("-100000000", "EUR", "-99999999.99")],
)
def test_report_figures_fit_their_column(amount: str, currency: str, figure: str) -> None:
    """decimal(10,2) holds neither three places nor a hundred million."""
    assert Money(Decimal(amount), currency).report_figure() == Decimal(figure) <= LARGEST_REPORT_FIGURE


@pytest.mark.parametrize("value", [1.5, True, None])
def test_json_numbers_are_read_exactly(value: object) -> None:
    with pytest.raises(TypeError):
        decimal_of(value)


@pytest.mark.parametrize("value", ["", "abc", "NaN", "1,5"])
def test_a_text_that_is_no_amount_raises(value: str) -> None:
    with pytest.raises(ValueError, match=r"amount"):
        decimal_of(value)

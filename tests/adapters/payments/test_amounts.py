"""What a gateway is asked for is what the customer saw, in the gateway's own units."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wch.adapters.payments.amounts import RAZORPAY, STRIPE, Units
from wch.domain.money import CURRENCIES, Money, places


def test_the_units_of_stripe_are_not_those_of_iso_everywhere() -> None:
    """Yen whole, Ugandan shillings in hundredths that end in 00, dinars in thousandths that end in 0."""
    asked = {
        "EUR": ("12.34", 1234),
        "JPY": ("1000", 1000),
        "UGX": ("5", 500),
        "ISK": ("7", 700),
        "KWD": ("1.230", 1230),
    }
    for currency, (amount, units) in asked.items():
        assert STRIPE.of(Money(Decimal(amount), currency)) == units


@pytest.mark.parametrize(
    ("amount", "currency"), [("1.235", "KWD"), ("1.50", "MGA"), ("1.000", "IQD"), ("1.0000", "CLF")]
)
def test_what_cannot_be_charged_exactly_is_not_charged(amount: str, currency: str) -> None:
    """Rounding would charge another total than was shown."""
    assert STRIPE.of(Money(Decimal(amount), currency)) is None


@pytest.mark.parametrize("units", [STRIPE, RAZORPAY])
@given(amount=st.integers(0, 10**9), currency=st.sampled_from(sorted(CURRENCIES)))
def test_there_and_back_is_the_same_money(units: Units, amount: int, currency: str) -> None:
    money = Money.from_minor(amount, currency)
    asked = units.of(money)

    assert asked is None or units.money(asked, currency.lower()) == money
    assert (
        asked is not None
        or currency in units.unknown
        or currency in units.steps
        or units.digits.get(currency, units.usual) < places(currency)
    )

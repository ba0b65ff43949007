"""A coupon to be made is checked where it becomes a value."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from wch.domain.coupon import CouponSpec
from wch.domain.money import Money
from wch.testing.doubles import NOON


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

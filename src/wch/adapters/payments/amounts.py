"""How gateways count money: in parts of their own, which are not everywhere those of ISO 4217."""

from collections.abc import Mapping
from decimal import ROUND_DOWN, Decimal
from typing import Any

import attrs

from wch.adapters.payments.calling import whole, word
from wch.domain.money import Money, places
from wch.domain.payment import PaymentRefusedError


@attrs.frozen(kw_only=True)
class Units:
    """Whole units of a gateway, by currency.

    Attributes:
        digits: decimal places where the gateway counts otherwise than `usual`.
        usual: the places of every other currency.
        steps: units must be a multiple of this where the gateway's parts are finer than what can be charged.
        unknown: currencies that the gateway does not take.
    """

    digits: Mapping[str, int]
    usual: int = 2
    steps: Mapping[str, int] = attrs.field(factory=dict)
    unknown: frozenset[str] = frozenset()

    def of(self, money: Money) -> int | None:
        """The amount in whole units; None when it cannot be charged to the last part."""
        if money.currency in self.unknown:
            return None
        units = money.amount.scaleb(self.digits.get(money.currency, self.usual))
        whole = units.to_integral_value(ROUND_DOWN)
        if whole != units or int(whole) % self.steps.get(money.currency, 1):
            return None
        return int(whole)

    def exactly(self, money: Money) -> int:
        """The amount in whole units.

        Raises:
            PaymentRefusedError: it cannot be charged to the last part.
        """
        units = self.of(money)
        if units is None:
            raise PaymentRefusedError(code="amount_not_exact")
        return units

    def read(self, units: Any, currency: Any) -> Money | None:
        """The amount in what a gateway sent; None where it is none."""
        count, code = whole(units), word(currency)
        try:
            return None if count is None or code is None else self.money(count, code)
        except ValueError:
            return None

    def money(self, units: int, currency: str) -> Money:
        """The amount of so many units.

        Raises:
            ValueError: the currency is unknown, or the amount finer than the currency.
        """
        known = currency.upper()
        places(known)
        return Money(Decimal(units).scaleb(-self.digits.get(known, self.usual)), known)


_WHOLE = dict.fromkeys(
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"], 0
)
_THOUSANDTHS = dict.fromkeys(["BHD", "JOD", "KWD", "OMR", "TND"], 3)
_TENS = dict.fromkeys(_THOUSANDTHS, 10)

STRIPE = Units(
    digits={**_WHOLE, **_THOUSANDTHS},
    steps={**_TENS, "ISK": 100, "UGX": 100},
    unknown=frozenset(
        [
            "CHE",
            "CHW",
            "CLF",
            "COU",
            "CUP",
            "ERN",
            "IQD",
            "IRR",
            "KPW",
            "LYD",
            "MXV",
            "BOV",
            "SDG",
            "SSP",
            "SYP",
            "USN",
            "UYI",
            "UYW",
            "VED",
        ]
    ),
)
RAZORPAY = Units(
    digits={**_WHOLE, **_THOUSANDTHS, "IQD": 3, "LYD": 3, "MGA": 2, "UGX": 0, "ISK": 0},
    steps={**_TENS, "IQD": 10, "LYD": 10},
)

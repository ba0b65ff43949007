"""Money: an exact amount of one currency, in the places that ISO 4217 gives it."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, Self

import attrs

from wch.domain.errors import WchError

# Sums of any size stay exact: the default context would round at 28 digits.
_EXACT = Context(prec=200, rounding=ROUND_HALF_UP)


def _codes(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ZERO_PLACES = _codes("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF")
_THREE_PLACES = _codes("BHD IQD JOD KWD LYD OMR TND")
_FOUR_PLACES = _codes("CLF UYW")
_TWO_PLACES = _codes(
    """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF
    CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD
    HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT
    MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR
    SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU
    UZS VED VES WST XCD XCG YER ZAR ZMW ZWG
    """
)
CURRENCIES = _ZERO_PLACES | _TWO_PLACES | _THREE_PLACES | _FOUR_PLACES

LARGEST_REPORT_FIGURE = Decimal("99999999.99")
"""The most that a `decimal(10,2)` column holds."""


class TooPreciseError(WchError, ValueError):
    """The amount has more decimal places than its currency; rounding is only done when asked for by name."""


class UnknownCurrencyError(WchError, ValueError):
    """The currency is none of ISO 4217's codes."""


class CurrencyMismatchError(WchError, ValueError):
    """Amounts of two currencies cannot be added or compared."""


def places(currency: str) -> int:
    """How many decimal places ISO 4217 gives the currency.

    Raises:
        UnknownCurrencyError: there is no such code.
    """
    if currency in _TWO_PLACES:
        return 2
    if currency in _ZERO_PLACES:
        return 0
    if currency in _THREE_PLACES:
        return 3
    if currency in _FOUR_PLACES:
        return 4
    raise UnknownCurrencyError(currency=currency)


def is_currency(currency: str) -> bool:
    """Whether ISO 4217 has this code."""
    return currency in CURRENCIES


def _decimal(value: Decimal | int) -> Decimal:
    # bool is an int to Python, and no amount to anybody.
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        message = "an amount is a Decimal or a whole number, never a float, a truth value or a text"
        raise TypeError(message)
    exact = Decimal(value)
    if not exact.is_finite():
        message = "an amount is a finite number"
        raise ValueError(message)
    return exact


def _in_places(exact: Decimal, currency: str) -> Decimal:
    # Adding nothing turns a negative zero into the one zero that there is.
    return _EXACT.add(exact.quantize(Decimal(1).scaleb(-places(currency)), context=_EXACT), Decimal(0))


@attrs.frozen
class Money:
    """An amount of one currency, always kept in all the places of that currency.

    Attributes:
        amount: exact; negative amounts are allowed, since rounding and differences have a sign.
        currency: one of ISO 4217's codes.

    Raises:
        TypeError: the amount is a float, a bool or a text.
        ValueError: it is not finite, too precise (`TooPreciseError`), or its currency is unknown.
    """

    amount: Decimal = attrs.field(converter=_decimal)
    currency: str

    def __attrs_post_init__(self) -> None:
        kept = _in_places(self.amount, self.currency)
        if kept != self.amount:
            raise TooPreciseError(currency=self.currency, places=places(self.currency))
        object.__setattr__(self, "amount", kept)

    @classmethod
    def rounded(cls, value: Decimal | int, currency: str) -> Self:
        """The nearest amount of that currency; a half goes away from zero."""
        return cls(_in_places(_decimal(value), currency), currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        """Nothing, in that currency."""
        return cls(Decimal(0), currency)

    @classmethod
    def from_minor(cls, units: int, currency: str) -> Self:
        """The amount of so many smallest units: 1250 of EUR are 12.50, of JPY 1250."""
        if isinstance(units, bool) or not isinstance(units, int):
            message = "smallest units are a whole number"
            raise TypeError(message)
        return cls(Decimal(units).scaleb(-places(currency), context=_EXACT), currency)

    @classmethod
    def total(cls, parts: Iterable["Money"], currency: str) -> "Money":
        """The sum of the parts, which all must be of that currency."""
        return sum(parts, start=Money(Decimal(0), currency))

    def minor(self) -> int:
        """How many smallest units this is."""
        return int(self.amount.scaleb(places(self.currency), context=_EXACT))

    def split(self, weights: Sequence[int]) -> tuple["Money", ...]:
        """Parts in proportion to the weights that add up to exactly this amount.

        What division leaves over goes to the largest remainders, then to the first.
        """
        whole = sum(weights)
        if whole <= 0 or any(weight < 0 for weight in weights):
            message = "weights are not negative, and at least one is positive"
            raise ValueError(message)
        units = self.minor()
        sign = -1 if units < 0 else 1
        shares = [divmod(abs(units) * weight, whole) for weight in weights]
        left = abs(units) - sum(share for share, _ in shares)
        by_remainder = sorted(range(len(shares)), key=lambda index: (-shares[index][1], index))
        lucky = frozenset(by_remainder[:left])
        return tuple(
            Money.from_minor(sign * (share + (index in lucky)), self.currency)
            for index, (share, _) in enumerate(shares)
        )

    def report_figure(self) -> Decimal:
        """What a `decimal(10,2)` column keeps of this: for reports, never read back as a price."""
        figure = self.amount.quantize(Decimal("0.01"), context=_EXACT)
        return max(min(figure, LARGEST_REPORT_FIGURE), -LARGEST_REPORT_FIGURE)

    def _same(self, other: "Money") -> None:
        if other.currency != self.currency:
            raise CurrencyMismatchError(currencies=(self.currency, other.currency))

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        self._same(other)
        return Money(_EXACT.add(self.amount, other.amount), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return self + -other

    def __neg__(self) -> "Money":
        return Money(self.amount.copy_negate(), self.currency)

    def __abs__(self) -> "Money":
        return Money(self.amount.copy_abs(), self.currency)

    def __mul__(self, times: int) -> "Money":
        if isinstance(times, bool) or not isinstance(times, int):
            return NotImplemented
        return Money(_EXACT.multiply(self.amount, Decimal(times)), self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __gt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount > other.amount

    def __ge__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount >= other.amount

    def __bool__(self) -> bool:
        """Whether this is anything at all."""
        return bool(self.amount)

    def __str__(self) -> str:
        """Amount and code, for logs and errors; people get Babel's form."""
        return f"{self.amount:f} {self.currency}"


def money_to_json(money: Money) -> dict[str, str]:
    """`{"amount": "12.50", "currency": "EUR"}`, always with all places."""
    return {"amount": f"{money.amount:f}", "currency": money.currency}


def money_from_json(value: Mapping[str, Any]) -> Money:
    """The money that `money_to_json` wrote; a number is taken when no float was made of it.

    Raises:
        KeyError: the amount or the currency is missing.
        TypeError: the amount is a float.
        ValueError: it is no amount, or the currency is unknown.
    """
    return Money(decimal_of(value["amount"]), value["currency"])


def decimal_of(value: object) -> Decimal:
    """The exact number in a JSON text or number; floats are refused, since they are not exact any more."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        message = "an amount is a text or an exact number"
        raise TypeError(message)
    try:
        return _decimal(Decimal(value))
    except ArithmeticError:
        message = "this text is no amount"
        raise ValueError(message) from None

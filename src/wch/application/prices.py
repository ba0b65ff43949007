"""Prices: what messages cost, by country and category, as far as the shop has said."""

from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs

_PLACES = 6


def _units(price: str) -> int:
    whole, _, part = price.partition(".")
    return int(int(whole or 0) * 10**_PLACES) + int(f"{part:0<{_PLACES}}"[:_PLACES])


def _decimal(units: int) -> str:
    whole, part = divmod(units, 10**_PLACES)
    text = f"{part:0{_PLACES}d}".rstrip("0")
    return f"{whole}.{text:0<2}"


@attrs.frozen(kw_only=True)
class Prices:
    """The price table of the settings; the product ships none.

    Attributes:
        table: `{country: {category: {"price", "currency", "from"?, "to"?}}}`, or a list of those by time.
    """

    table: Mapping[str, Any]

    def of(self, counts: Mapping[tuple[str, str], int], *, on: date | None = None) -> dict[str, Any]:
        """What so many messages cost, and which countries have no price: those are named, and not added.

        Args:
            counts: how many, by country and category.
            on: the day whose prices count; None for those that have no other day.
        """
        sums: Counter[str] = Counter()
        unpriced: Counter[str] = Counter()
        for (country, category), count in counts.items():
            price = self._price(country, category.upper(), on)
            if price is None:
                unpriced[country] += count
            else:
                sums[str(price["currency"])] += _units(str(price["price"])) * count
        return {
            "cost": {currency: _decimal(units) for currency, units in sums.items()},
            "without_price": dict(unpriced),
        }

    def _price(self, country: str, category: str, on: date | None) -> Mapping[str, Any] | None:
        entry: Any = self.table.get(country, {})
        told: Any = entry.get(category) if isinstance(entry, Mapping) else None
        listed = told if isinstance(told, (list, tuple)) else [told]
        return next((one for one in listed if isinstance(one, Mapping) and _holds(one, on)), None)


def _holds(price: Mapping[str, Any], on: date | None) -> bool:
    """Whether a price counts on this day; its first and last day are its own."""
    if on is None:
        return True
    day = on.isoformat()
    return str(price.get("from", day)) <= day <= str(price.get("to", day))

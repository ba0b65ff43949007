"""Product facts: what a sellable cost, and whether it was there, at any moment of the last month."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject, amended
from wch.domain.moment import iso, of_iso
from wch.domain.money import Money, money_from_json, money_to_json

KEPT_FOR = timedelta(days=31)
MOST_ENTRIES = 40
A_WHIM = timedelta(hours=1)
"""A price that is left and comes back within this time was never another one."""


@attrs.frozen(kw_only=True)
class Entry:
    """From when on a sellable had this price, and was there or was not."""

    at: datetime
    price: Money
    in_stock: bool


@attrs.frozen(kw_only=True)
class ProductFacts:
    """What is known of one sellable.

    Attributes:
        entries: in order; the last one is in force now.
        quantity: how many there are; None when they are not counted.
        product: the product that this is a variant of.
        variants: those of this product; it is sold by them alone.
        categories: those that the product was put in.
    """

    entries: tuple[Entry, ...] = ()
    quantity: int | None = None
    product: int | None = None
    variants: tuple[int, ...] = ()
    categories: tuple[int, ...] = ()

    @classmethod
    def of_json(cls, value: JsonObject) -> Self:
        """What `to_json` wrote."""
        history: Any = value.get("history", ())
        return cls(
            entries=tuple(
                Entry(at=of_iso(at), price=money_from_json(price), in_stock=bool(stock)) for at, price, stock in history
            ),
            quantity=value.get("quantity"),
            product=value.get("product"),
            variants=tuple(value.get("variants", ())),
            categories=tuple(value.get("categories", ())),
        )

    def to_json(self, before: JsonObject) -> JsonObject:
        """As the option has it; what else stood there stays."""
        latest = self.entries[-1] if self.entries else None
        return amended(
            before,
            price=None if latest is None else money_to_json(latest.price),
            currency=None if latest is None else latest.price.currency,
            stock=None if latest is None else latest.in_stock,
            quantity=self.quantity,
            product=self.product,
            variants=list(self.variants) or None,
            categories=list(self.categories) or None,
            history=[[iso(one.at), money_to_json(one.price), one.in_stock] for one in self.entries],
        )

    def seen(self, price: Money, *, in_stock: bool, quantity: int | None, now: datetime) -> Self:
        """The facts knowing what the shop says now; what was in force a month ago stays, and everything since."""
        entries = self.entries
        latest = entries[-1] if entries else None
        if latest is None or (latest.price, latest.in_stock) != (price, in_stock):
            entries = (*entries, Entry(at=now, price=price, in_stock=in_stock))
        since = now - KEPT_FOR
        first = max((place for place, one in enumerate(entries) if one.at <= since), default=0)
        return attrs.evolve(self, entries=entries[first:][-MOST_ENTRIES:], quantity=quantity)

    @property
    def now(self) -> Entry | None:
        """What is in force."""
        return self.entries[-1] if self.entries else None

    def at(self, moment: datetime) -> Entry | None:
        """What was in force then; None before the first sighting. A whim of the price is passed over."""
        place = max((place for place, one in enumerate(self.entries) if one.at <= moment), default=None)
        if place is None:
            return None
        found = self.entries[place]
        if not 0 < place < len(self.entries) - 1:
            return found
        before, after = self.entries[place - 1], self.entries[place + 1]
        whim = before.price == after.price != found.price and after.at - found.at < A_WHIM
        return attrs.evolve(found, price=before.price) if whim else found


def at_once(parts: Sequence[Entry | None]) -> Entry | None:
    """Several variants as one product: the cheapest price of one currency, there if any of them is."""
    known = [one for one in parts if one is not None]
    if not known or len({one.price.currency for one in known}) > 1:
        return None
    cheapest = min((one for one in known), key=lambda one: one.price.amount)
    return Entry(at=max(one.at for one in known), price=cheapest.price, in_stock=any(one.in_stock for one in known))


def dropped(then: Money, now: Money, *, percent: int) -> bool:
    """Whether a price fell by at least so much of what it was, in one currency."""
    if then.currency != now.currency or then.amount <= 0:
        return False
    return (then.amount - now.amount) * 100 >= Decimal(percent) * then.amount

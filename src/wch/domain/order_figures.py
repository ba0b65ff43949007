"""What a customer has bought: one entry for each order, and figures that are always counted anew from them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum
from typing import Any

import attrs

from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, amended
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso

MOST_SPENT = Decimal("99999999.99")
"""What the column holds; the exact text stands beside it."""

_CENT = Decimal("0.01")


class Segment(StrEnum):
    """What a customer is called by net spending; derived, never stored."""

    NEW = "new"
    BRONZE = "bronze"
    SILVER = "silver"
    GOLD = "gold"
    PLATINUM = "platinum"


@attrs.frozen(kw_only=True)
class OrderSeen:
    """An order as somebody told it, in any order and any number of times.

    Attributes:
        modified: when the shop last changed it; None: told from memory, so any entry that is there knows more.
        categories: of its products.
        products: what was bought, products and variants by their numbers.
        placement: the saga that placed it; None for an order that was made elsewhere.
    """

    id: int
    at: datetime
    modified: datetime | None
    status: str
    total: Decimal
    refunded: Decimal = Decimal(0)
    currency: str
    categories: tuple[int, ...] = ()
    products: tuple[int, ...] = ()
    placement: str | None = None


@attrs.frozen(kw_only=True)
class Counting:
    """How figures are counted.

    Attributes:
        home: the shop's currency; other orders count, but not as spending.
        statuses: an order counts while it is in one of these.
        silver: from which net spending a customer is called so; gold and platinum alike.
        recovery_window: an order within is brought by the last reminder of its cart.
        reengagement_window: an order within is credited to such a contact.
    """

    home: str
    statuses: frozenset[str] = frozenset({"processing", "shipped", "completed"})
    silver: Decimal = Decimal(100)
    gold: Decimal = Decimal(500)
    platinum: Decimal = Decimal(1000)
    recovery_window: timedelta = timedelta(days=7)
    reengagement_window: timedelta = timedelta(days=30)

    def noted(self, profile: CustomerProfile, seen: OrderSeen, *, now: datetime) -> CustomerProfile:
        """The profile knowing this order; an event older than what is known changes nothing."""
        stats: Mapping[str, Any] = profile.preferences.get("stats", {})
        orders: dict[str, Any] = dict(stats.get("orders", {}))
        known = orders.get(str(seen.id))
        if known is not None and (seen.modified is None or iso(seen.modified) < known["modified"]):
            return profile
        entry = {
            **(known or {"at": iso(seen.at)}),
            "modified": iso(seen.modified or now),
            "status": seen.status,
            "total": str(seen.total),
            "refunded": str(seen.refunded),
            "currency": seen.currency,
            "categories": list(seen.categories) or (known or {}).get("categories", []),
            "products": list(seen.products) or (known or {}).get("products", []),
        }
        if entry == known:
            return profile
        return self.counted(profile, {**orders, str(seen.id): entry}, now=now)

    def counted(self, profile: CustomerProfile, orders: Mapping[str, Any], *, now: datetime) -> CustomerProfile:
        """The profile with these entries, and every figure counted anew from them."""
        counting = [one for one in orders.values() if self.counts(one)]
        spent = sum((net_of(one) for one in counting if one["currency"] == self.home), Decimal(0))
        categories: dict[str, str] = {}
        for one in sorted(counting, key=lambda each: each["at"]):
            categories |= dict.fromkeys(map(str, one.get("categories", ())), one["at"][:10])
        stats: JsonObject = {
            "orders": dict(orders),
            "spent": str(spent),
            "last_order_at": max((one["at"] for one in counting), default=None),
            "categories": categories,
        }
        told = {name: value for name, value in stats.items() if value not in (None, {}) or name == "orders"}
        return evolve(
            profile,
            preferences=amended(profile.preferences, stats=told),
            total_orders=len(counting),
            total_spent=min(spent.quantize(_CENT, rounding=ROUND_HALF_UP), MOST_SPENT),
            updated_at=max(profile.updated_at, now),
        )

    def segment(self, profile: CustomerProfile) -> Segment:
        """What this customer is called; one whose orders were all taken back is new again."""
        if profile.total_orders == 0:
            return Segment.NEW
        spent = exact_spending(profile)
        steps = ((self.platinum, Segment.PLATINUM), (self.gold, Segment.GOLD), (self.silver, Segment.SILVER))
        return next((segment for least, segment in steps if spent >= least), Segment.BRONZE)

    def counts(self, entry: Mapping[str, Any]) -> bool:
        """Whether an order is one of those that figures are made of."""
        taken_back = Decimal(entry["refunded"]) >= Decimal(entry["total"]) > 0
        return entry["status"] in self.statuses and not taken_back


def exact_spending(profile: CustomerProfile) -> Decimal:
    """Net spending to the last unit, where the column could not hold it too."""
    return Decimal(str(profile.preferences.get("stats", {}).get("spent", profile.total_spent)))


def united(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The entries of two customers who are one: an order known to both is there once, as last told."""
    both: dict[str, Any] = dict(one)
    for number, entry in other.items():
        if number not in both or entry["modified"] > both[number]["modified"]:
            both[number] = entry
    return both


def known_orders(profile: CustomerProfile) -> Mapping[str, Any]:
    """The entries of a customer, by order."""
    entries: Any = profile.preferences.get("stats", {}).get("orders", {})
    return entries if isinstance(entries, Mapping) else {}


def last_order_at(profile: CustomerProfile) -> datetime | None:
    """When the latest order that counts was made; None without any."""
    told = profile.preferences.get("stats", {}).get("last_order_at")
    return of_iso(told) if isinstance(told, str) else None


def net_of(entry: Mapping[str, Any]) -> Decimal:
    """What is left of an order's total when what went back is taken off."""
    return max(Decimal(entry["total"]) - Decimal(entry["refunded"]), Decimal(0))

"""Hindsight: customers and carts as they stood at an earlier moment, as far as their rows tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from wch.domain.cart import Cart, CartStatus, Slot
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.evolution import evolve
from wch.domain.moment import iso
from wch.domain.order_figures import known_orders

UNDATED = frozenset({"enabled", "customer", "person", "cooldown", "template", "content", "pace"})
"""The rules whose facts no row dates: what they say is told as of now."""


def cart_as_of(cart: Cart, moment: datetime) -> Cart:
    """The cart of this name at that moment: later reminders, its recovery and its end are not there yet."""
    later = {slot.value: None for slot in Slot if (at := getattr(cart, slot)) is not None and at > moment}
    before: dict[str, Any] = dict(later)
    left_lying = cart.abandoned_at is not None and cart.abandoned_at <= moment
    if not left_lying:
        before |= {"status": CartStatus.ACTIVE, "abandoned_at": None}
    elif cart.recovered_at is not None and cart.recovered_at > moment:
        before |= {
            "status": CartStatus.ABANDONED,
            "recovered": False,
            "recovered_order_id": None,
            "recovered_revenue": None,
            "recovered_at": None,
        }
    elif cart.status is CartStatus.EXPIRED and cart.expires_at is not None and cart.expires_at > moment:
        before |= {"status": CartStatus.ABANDONED}
    return evolve(cart, **before)


def customer_as_of(profile: CustomerProfile, moment: datetime, *, wrote_at: datetime | None) -> CustomerProfile:
    """The customer at that moment: consent by its log, orders by their time, words by `wrote_at`."""
    stats: Any = profile.preferences.get("stats", {})
    orders = {number: entry for number, entry in known_orders(profile).items() if str(entry["at"]) <= iso(moment)}
    preferences = amended(profile.preferences, stats={**stats, "orders": orders}) if stats else profile.preferences
    return evolve(_consent_as_of(profile, moment), preferences=preferences, last_interaction_at=wrote_at)


def _consent_as_of(profile: CustomerProfile, moment: datetime) -> CustomerProfile:
    consent: Any = profile.preferences.get("consent", {})
    log: list[Mapping[str, Any]] = list(consent.get("log", ())) if isinstance(consent, Mapping) else []
    later = [entry for entry in log if str(entry["at"]) > iso(moment)]
    if not later:
        return profile
    before = [entry for entry in log if str(entry["at"]) <= iso(moment)]
    state = before[-1]["to"] if before and before[-1].get("to") else later[0].get("from")
    everything = [entry for entry in before if entry.get("purpose") == "all" or entry.get("to") == "in"]
    return evolve(
        profile,
        opt_in_marketing=state == "in",
        marketing_opted_at=None if state is None else moment,
        notification_opt_out=bool(everything) and everything[-1].get("to") == "out",
    )

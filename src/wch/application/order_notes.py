"""Order notes: what an order means for a customer's figures, and which contact is credited with it."""

from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.alarms import alarm
from wch.application.campaigns import plan_of
from wch.application.causes import caused, left
from wch.application.ports import UnitOfWork
from wch.application.product_facts import categories_of
from wch.domain.cart import Cart, CartStatus, saga_id_of
from wch.domain.catalogue import placement_of
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.message import Message
from wch.domain.moment import of_iso
from wch.domain.money import Money
from wch.domain.order import Order
from wch.domain.order_figures import MOST_SPENT, Counting, OrderSeen, exact_spending, known_orders, net_of
from wch.domain.reengagement import CampaignType, Reengagement

CART = "cart"
REENGAGEMENT = "reengagement"
BROADCAST = "broadcast"

_LOOKED_BACK = timedelta(days=90)
"""The longest that any contact is credited for; older rows are not looked at."""

_DAY = timedelta(days=1)


def note_order(uow: UnitOfWork, counting: Counting, phone: str, seen: OrderSeen, *, now: datetime) -> CustomerProfile:
    """Write down what was told of an order, in any order and any number of times; the profile as it is saved.

    When the order first counts, it is decided which one contact brought it; when it stops
    counting, that contact gives it back, and no other inherits it.
    """
    profile = uow.customers.lock(phone, now=now)
    noted = counting.noted(profile, seen, now=now)
    orders = dict(known_orders(noted))
    entry: JsonObject = orders.get(str(seen.id), {})
    credit = _credit(uow, counting, phone, seen, entry, now=now)
    if credit != entry.get("credit"):
        noted = counting.counted(noted, {**orders, str(seen.id): {**entry, "credit": credit}}, now=now)
    if noted is not profile:
        uow.customers.save(noted)
    if exact_spending(noted) > MOST_SPENT >= exact_spending(profile):
        alarm(uow, "spending_beyond_column", now=now, about=f"customer:{profile.id}")
    return noted


def seen_of(uow: UnitOfWork, order: Order) -> OrderSeen:
    """What the shop says of an order, as figures want it; categories as far as they are known."""
    lines = {number for line in order.lines for number in (line.product_id, line.variation_id) if number}
    return OrderSeen(
        id=order.id,
        at=order.created_at,
        modified=order.updated_at,
        status=order.status_word,
        total=order.total.amount,
        refunded=order.refunded.amount,
        currency=order.currency,
        categories=categories_of(uow, lines),
        products=tuple(sorted(lines)),
        placement=None if order.key is None else placement_of(order.key),
    )


def _credit(
    uow: UnitOfWork, counting: Counting, phone: str, seen: OrderSeen, entry: JsonObject, *, now: datetime
) -> JsonObject | None:
    """The credit that the entry should have; giving and taking it back is done on the way."""
    credit: Any = entry.get("credit")
    counts = bool(entry) and counting.counts(entry)
    if credit is None:
        return _decided(uow, counting, phone, seen, entry, now=now) if counts else None
    if counts and credit.get("lost"):
        again = {name: value for name, value in credit.items() if name != "lost"}
        return again if _given(uow, phone, seen, again, entry, now=now) else credit
    if not counts and not credit.get("lost"):
        _taken_back(uow, phone, seen.id, credit)
        return {**credit, "lost": True}
    return dict(credit)


def _decided(
    uow: UnitOfWork, counting: Counting, phone: str, seen: OrderSeen, entry: JsonObject, *, now: datetime
) -> JsonObject:
    """One contact at most: the reminded cart, else the latest approach before the order."""
    at = of_iso(str(entry["at"]))
    credit = _reminded(uow, counting, phone, seen, at) or _latest(uow, counting, phone, at) or {"kind": "none"}
    return credit if _given(uow, phone, seen, credit, entry, now=now) else {"kind": "none"}


def _reminded(uow: UnitOfWork, counting: Counting, phone: str, seen: OrderSeen, at: datetime) -> JsonObject | None:
    """The cart whose last reminder brought this order: by its name, or by one of the products it spoke of."""
    cart = uow.carts.of(phone)
    contacts = uow.reengagements.of(phone, since=at - _LOOKED_BACK)
    for contact in reversed(contacts):
        if contact.campaign_type is not CampaignType.CART_REMINDER or contact.converted:
            continue
        last = last_reminder(uow, contact, before=at)
        if last is None or last.sent_at is None or at - last.sent_at > counting.recovery_window:
            continue
        origin: Any = last.content["origin"]
        name = None if cart is None else saga_id_of(cart.id, of_iso(str(origin["cart"])))
        if (name is not None and seen.placement == name) or set(origin.get("products", ())) & set(seen.products):
            return {"kind": CART, "id": contact.id}
    return None


def last_reminder(uow: UnitOfWork, contact: Reengagement, *, before: datetime) -> Message | None:
    """The last reminder of a cart's sequence that left by then."""
    rows = caused(uow, contact.customer_phone, f"reminder:{contact.id}", since=contact.created_at)
    return next((row for row in rows if left(row) and row.sent_at is not None and row.sent_at <= before), None)


def _latest(uow: UnitOfWork, counting: Counting, phone: str, at: datetime) -> JsonObject | None:
    """The latest contact of another kind that is still credited for an order of that moment."""
    told: list[tuple[datetime, str, int]] = [
        (one.sent_at, REENGAGEMENT, one.id)
        for one in uow.reengagements.of(phone, since=at - counting.reengagement_window - _DAY)
        if one.campaign_type is not CampaignType.CART_REMINDER
        and one.sent_at is not None
        and not one.converted
        and at - counting.reengagement_window <= one.sent_at <= at
        and any(left(row) for row in caused(uow, phone, f"{REENGAGEMENT}:{one.id}", since=one.created_at))
    ]
    for recipient in uow.recipients.reached(phone, since=at - _LOOKED_BACK):
        if recipient.sent_at is None or recipient.sent_at > at:
            continue
        try:
            days = plan_of(uow, recipient.campaign_id).credit_days
        except NotFoundError:
            continue
        if at - recipient.sent_at <= timedelta(days=days):
            told.append((recipient.sent_at, BROADCAST, recipient.campaign_id))
    return {"kind": max(told)[1], "id": max(told)[2]} if told else None


def _given(
    uow: UnitOfWork, phone: str, seen: OrderSeen, credit: JsonObject, entry: JsonObject, *, now: datetime
) -> bool:
    """The contact takes the order, unless it has one already; whether it did."""
    if credit["kind"] not in {CART, REENGAGEMENT}:
        return True
    cart = uow.carts.of(phone, lock=True) if credit["kind"] == CART else None
    contact = uow.reengagements.get(int(credit["id"]), lock=True)
    if contact is None or contact.converted or contact.sent_at is None:
        return False
    revenue = Money.rounded(seen.total, str(entry["currency"])).report_figure()
    uow.reengagements.save(contact.credited(seen.id, revenue, now=now))
    if cart is not None and _is_brought(uow, cart, contact, seen):
        uow.carts.save(cart.recovered_by(seen.id, revenue, now=now))
    return True


def _is_brought(uow: UnitOfWork, cart: Cart, contact: Reengagement, seen: OrderSeen) -> bool:
    """Whether the row still is the cart that was reminded of, and ends with this order."""
    last = last_reminder(uow, contact, before=seen.at)
    if last is None:
        return False
    origin: Any = last.content["origin"]
    if of_iso(str(origin["cart"])) != cart.created_at:
        return False
    closing = cart.saga_id == seen.placement and cart.status is not CartStatus.RECOVERED
    return closing or cart.status is CartStatus.ABANDONED


def _taken_back(uow: UnitOfWork, phone: str, order_id: int, credit: JsonObject) -> None:
    """The order counts no more: whoever was credited with it gives it back."""
    if credit["kind"] not in {CART, REENGAGEMENT}:
        return
    cart = uow.carts.of(phone, lock=True) if credit["kind"] == CART else None
    contact = uow.reengagements.get(int(credit["id"]), lock=True)
    if contact is not None and contact.conversion_order_id == order_id:
        uow.reengagements.save(contact.uncredited())
    if cart is not None and cart.recovered and cart.recovered_order_id == order_id:
        uow.carts.save(cart.unrecovered())


@attrs.frozen(kw_only=True)
class CreditedOrder:
    """An order as a report of a contact has it.

    Attributes:
        revenue: what it still is worth, refunds taken off.
    """

    order_id: int
    at: datetime
    revenue: Money


def credited_to(profile: CustomerProfile, kind: str, number: int) -> list[CreditedOrder]:
    """The orders of a customer that are credited to one contact (`broadcast`: to one campaign), by time."""
    told: list[CreditedOrder] = []
    for order_id, entry in known_orders(profile).items():
        credit: Any = entry.get("credit") or {}
        if (credit.get("kind"), credit.get("id"), bool(credit.get("lost"))) != (kind, number, False):
            continue
        worth = Money.rounded(net_of(entry), entry["currency"])
        told.append(CreditedOrder(order_id=int(order_id), at=of_iso(entry["at"]), revenue=worth))
    return sorted(told, key=lambda one: (one.at, one.order_id))

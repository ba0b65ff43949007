"""Seen orders: what an order of the shop means for its customer, whenever somebody has read it."""

from datetime import datetime

import attrs

from wch.application.alarms import alarm
from wch.application.announcing import Announcing, known_order, remember_order, seen_state
from wch.application.order_notes import note_order, seen_of
from wch.application.people import found, spellings
from wch.application.ports import UnitOfWork
from wch.application.shop_bookings import bookings_of, newly_booked, with_bookings
from wch.application.shop_links import look_up_for
from wch.application.tombstones import Tombstones
from wch.domain.document import JsonObject, amended, document
from wch.domain.erasure import is_erased
from wch.domain.ledger import Ledger
from wch.domain.money import Money
from wch.domain.notification import TOLD_ONCE_IN
from wch.domain.order import Order, OrderStatus
from wch.domain.order_figures import Counting

ERASED = "erased"
"""The result of an order whose customer was erased: nothing is kept of it, and nobody is made."""


@attrs.frozen(kw_only=True)
class SeenOrders:
    """Figures and notices of an order, in the transaction that ends the reading of it.

    Attributes:
        country: the shop's, for billing numbers without one.
        all_orders: whether customers are told about orders that were not placed in the chat, too.
    """

    counting: Counting
    announcing: Announcing
    tombstones: Tombstones
    country: str
    all_orders: bool = False

    def note(self, uow: UnitOfWork, order: Order, *, now: datetime) -> str | None:
        """Count the order with its customer, and tell what changed since it was last seen.

        An order that nobody of ours placed is counted with the one customer who is linked with the
        shop's, else the one who has its billing number; where that is nobody, or more than one,
        nothing happens.

        Returns:
            `erased` where its customer was; else None.
        """
        before = known_order(uow, order.id)
        phone = self._whose(uow, order, before)
        if phone is None:
            return ERASED if self._was_erased(uow, order) else None
        if is_erased(phone):
            known = known_order(uow, order.id, lock=True) or {}
            remember_order(uow, order.id, seen_state(order, _watched(uow, order, known, now=now)))
            return ERASED
        profile = note_order(uow, self.counting, phone, seen_of(uow, order), now=now)
        look_up_for(uow, profile, order, now=now)
        before = known_order(uow, order.id, lock=True)
        if before is None and not self.all_orders:
            return None
        before = self._first(order, phone, now) if before is None else _watched(uow, order, before, now=now)
        remember_order(uow, order.id, self.announcing.changed(uow, order, before, phone=phone, now=now))
        return None

    def _whose(self, uow: UnitOfWork, order: Order, before: JsonObject | None) -> str | None:
        """The key that the order carries; else who is linked; else who has the billing number: one, never a pick."""
        if before is not None:
            return str(before.get("phone") or order.phone)
        linked = () if order.customer_id is None else uow.customers.linked_to(order.customer_id)
        people = linked if len(linked) == 1 else found(uow, order.phone, country=self.country)
        return people[0].phone if len(people) == 1 else None

    def _was_erased(self, uow: UnitOfWork, order: Order) -> bool:
        """Whether the billing number, in any spelling, is that of somebody who was erased and never came back."""
        keys = spellings(order.phone, country=self.country)
        is_nobody = not found(uow, order.phone, country=self.country)
        return is_nobody and any(self.tombstones.erased_at(uow, key) is not None for key in keys)

    def _first(self, order: Order, phone: str, now: datetime) -> JsonObject:
        """An order that is seen for the first time is news while it is fresh; an old one is only remembered."""
        is_fresh = now - order.updated_at < TOLD_ONCE_IN
        known = document() if is_fresh else seen_state(order, {})
        return amended(known, phone=phone)


def _watched(uow: UnitOfWork, order: Order, before: JsonObject, *, now: datetime) -> JsonObject:
    """An alarm when people undid in the shop what was paid online: no money moves by that, a person must decide.

    Either the money is refunded here, or it went back another way already. What the hub refunds itself stands in
    the ledger before the shop hears of it. What comes back knows the refund that is to be decided.
    """
    saga = uow.sagas.get(before["saga"]) if isinstance(before.get("saga"), str) else None
    if saga is None or saga.context.get("pays_later", True):
        return before
    ledger = Ledger.of(saga.context)
    left = Money.total((ledger.left(one.payment_id) for one in ledger.captured), ledger.due.currency)
    if left.amount <= 0:
        return before
    about = f"order:{order.id}"
    booked = newly_booked(order, before, ledger)
    if booked is not None:
        alarm(uow, "refunded_in_shop", now=now, about=about, amount=str(booked.amount))
        return with_bookings(before, (*bookings_of(before), booked))
    if order.status is OrderStatus.CANCELLED and before.get("status") != order.status_word:
        alarm(uow, "cancelled_in_shop", now=now, about=about, amount=str(left.amount))
    return before

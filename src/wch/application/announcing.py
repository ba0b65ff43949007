"""Announcing: what becomes of an order is written down as notices, in the transaction that learns of it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject, amended, document
from wch.domain.notification import (
    DELIVERED,
    REFUNDED,
    SHIPPED,
    STATUS_PREFIX,
    TOLD_ONCE_IN,
    Notification,
    numbered,
)
from wch.domain.order import Order, OrderStatus

OPTION = "shop:order:"
"""Options that hold what was last seen of an order."""

UNMOVED = "unmoved"
"""Under this stand the refunds that people booked in the shop, while nobody has said where the money is."""


@attrs.frozen(kw_only=True)
class Announcing:
    """The one way in which a notice comes to be; whether it is told is decided when it is due.

    Attributes:
        delay: how long a notice waits, so that changes in quick succession become one.
        statuses: the shop's own statuses that are told about, beside those that every shop has.
    """

    delay: timedelta
    statuses: frozenset[str] = frozenset()

    def tell(self, uow: UnitOfWork, word: str, *, order_id: int, phone: str, now: datetime) -> Notification | None:
        """Write a notice, unless the order has had it: a status within a day, anything else ever.

        The profile's lock must be held.

        Args:
            uow: the transaction that learnt of it.
            word: the type, such as `shipped_2`.
            order_id: the shop's.
            phone: whose order it is.
            now: the moment.

        Returns:
            The notice; None when there is one already.
        """
        there = uow.notifications.of_order(order_id, word)
        repeats = word.startswith(STATUS_PREFIX) and all(now - one.created_at >= TOLD_ONCE_IN for one in there)
        if there and not repeats:
            return None
        return uow.notifications.add(
            Notification(
                order_id=order_id,
                notification_type=word,
                customer_phone=phone,
                created_at=now,
                updated_at=now + self.delay,
            )
        )

    def changed(self, uow: UnitOfWork, order: Order, before: JsonObject, *, phone: str, now: datetime) -> JsonObject:
        """Tell what changed since the order was last seen; what is known of it from now on."""
        for word in self.news(order, before):
            self.tell(uow, word, order_id=order.id, phone=phone, now=now)
        return seen_state(order, before)

    def news(self, order: Order, before: JsonObject) -> tuple[str, ...]:
        """The types that a changed order calls for: each parcel, refund and status once.

        A refund whose money the hub has not moved is told when somebody has decided about it.
        """
        known = list(before.get("tracking", ()))
        told = [
            numbered(SHIPPED, place)
            for place, parcel in enumerate(order.tracking, start=1)
            if parcel.number not in known
        ]
        refunds = refunds_of(with_refund(before, order.refunded.amount))
        if len(refunds) > len(refunds_of(before)) and not is_unmoved(before, len(refunds)):
            told.append(numbered(REFUNDED, len(refunds)))
        word = order.status_word
        if word == before.get("status"):
            return tuple(told)
        if word == OrderStatus.SHIPPED:
            told += [] if known or order.tracking else [SHIPPED]
        elif word == OrderStatus.COMPLETED:
            told.append(DELIVERED)
        elif word == OrderStatus.REFUNDED:
            told += [] if refunds else [REFUNDED]
        elif order.own_status is None or order.own_status in self.statuses:
            told.append(f"{STATUS_PREFIX}{word}")
        return tuple(told)


def known_order(uow: UnitOfWork, order_id: int, *, lock: bool = False) -> JsonObject | None:
    """What was last seen of an order; None for one that nobody was told about."""
    return uow.options.get(f"{OPTION}{order_id}", lock=lock)


def remember_order(uow: UnitOfWork, order_id: int, state: JsonObject) -> None:
    """Write down what was seen."""
    uow.options.put(f"{OPTION}{order_id}", state)


def seen_state(order: Order, before: JsonObject) -> JsonObject:
    """What was last seen of an order, for telling what changed since."""
    return document(
        **{
            **with_refund(before, order.refunded.amount),
            "status": order.status_word,
            "tracking": [parcel.number for parcel in order.tracking],
            "refunded": str(order.refunded.amount),
        }
    )


def with_refund(before: JsonObject, total: Decimal) -> JsonObject:
    """The state after the shop counts so much as paid back: what it grew by is one more refund."""
    grown = total - Decimal(str(before.get("refunded", "0")))
    if grown <= 0:
        return before
    return amended(before, refunded=str(total), refunds=[*refunds_of(before), str(grown)])


def refunds_of(state: JsonObject) -> list[str]:
    """The amounts of an order's refunds, in their order."""
    told: Any = state.get("refunds")
    if isinstance(told, list):
        return [str(one) for one in told]
    total = Decimal(str(state.get("refunded", "0")))
    return [str(total)] if total > 0 else []


def is_unmoved(state: JsonObject, number: int) -> bool:
    """Whether nobody has said yet where the money of this refund is."""
    waiting: Any = state.get(UNMOVED, ())
    return any(one["n"] == number for one in waiting)

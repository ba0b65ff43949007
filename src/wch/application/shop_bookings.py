"""Shop bookings: refunds that people wrote into the shop's books, while nobody has said yet where the money is.

They stand in what is known of an order, under `unmoved`, from the moment that they are seen until somebody decides.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import attrs

from wch.application.announcing import UNMOVED, known_order, refunds_of, remember_order, with_refund
from wch.application.ports import UnitOfWork
from wch.domain.document import JsonObject, amended
from wch.domain.ledger import Ledger
from wch.domain.money import Money
from wch.domain.order import Order, OrderStatus


@attrs.frozen(kw_only=True)
class Booking:
    """One refund in the shop's books, the `n`-th of its order, whose money the hub has not moved."""

    n: int
    amount: Decimal


def bookings_of(state: JsonObject | None) -> tuple[Booking, ...]:
    """What is booked and not decided yet, in its order."""
    told: Any = (state or {}).get(UNMOVED, ())
    return tuple(Booking(n=int(one["n"]), amount=Decimal(str(one["amount"]))) for one in told)


def with_bookings(state: JsonObject, bookings: Sequence[Booking]) -> JsonObject:
    """The state with these left to decide."""
    return amended(state, **{UNMOVED: [{"n": one.n, "amount": str(one.amount)} for one in bookings]})


def newly_booked(order: Order, before: JsonObject, ledger: Ledger) -> Booking | None:
    """What people have booked since the order was last seen; what the hub gives back stands in the ledger first."""
    refunded, known = order.refunded.amount, bookings_of(before)
    grown = refunded - Decimal(str(before.get("refunded", "0")))
    back = sum((one.amount.amount for one in ledger.alive), Decimal(0))
    amount = min(grown, refunded - back - sum((one.amount for one in known), Decimal(0)))
    return Booking(n=len(refunds_of(with_refund(before, refunded))), amount=amount) if amount > 0 else None


def total_of(bookings: Sequence[Booking], currency: str) -> Money:
    """What they come to."""
    return Money.total((Money(one.amount, currency) for one in bookings), currency)


def decided(uow: UnitOfWork, order_id: int) -> tuple[Booking, ...]:
    """Take off what is booked and not decided: whoever asks decides it, in this transaction."""
    state = known_order(uow, order_id, lock=True)
    bookings = bookings_of(state)
    if state is not None and bookings:
        remember_order(uow, order_id, with_bookings(state, ()))
    return bookings


def is_cancelled(uow: UnitOfWork, order_id: int) -> bool:
    """Whether the order was cancelled when it was last seen."""
    state = known_order(uow, order_id)
    return state is not None and state.get("status") == OrderStatus.CANCELLED.value

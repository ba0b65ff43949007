"""Recovery: which reminder of an abandoned cart is next, and when."""

from datetime import datetime, timedelta

import attrs

from wch.domain.cart import Cart, Slot

SEQUENCE = timedelta(days=14)
"""So long after the first reminder of a cart none leaves any more."""


@attrs.frozen(kw_only=True)
class Due:
    """The next reminder of a cart.

    Attributes:
        number: 1 to 3: its text and its slot, filled in order.
        at: when it may leave.
        dies_at: from when it has nothing to say any more.
    """

    number: int
    at: datetime
    dies_at: datetime

    @property
    def slot(self) -> Slot:
        """The column that remembers it."""
        return tuple(Slot)[self.number - 1]


@attrs.frozen(kw_only=True)
class Schedule:
    """When carts are reminded of.

    Attributes:
        moments: after the cart was abandoned, ascending, one to three.
        life: how long a moment lasts.
        gap: least between two reminders.
    """

    moments: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
    life: timedelta = timedelta(hours=12)
    gap: timedelta = timedelta(hours=4)

    def next_of(self, cart: Cart, *, now: datetime) -> Due | None:
        """The reminder that comes next, due already or not; None when none comes any more.

        A moment that died is passed over without any stamp: so slots fill in order, and the
        first that a customer gets is always the first text.
        """
        taken = [at for slot in Slot if (at := getattr(cart, slot)) is not None]
        number = len(taken) + 1
        if cart.abandoned_at is None or number > len(self.moments):
            return None
        if taken and now > taken[0] + SEQUENCE:
            return None
        begins = [cart.abandoned_at + moment for moment in self.moments]
        for one in taken:
            # Each reminder used up the first moment that was alive when it left.
            begins = begins[next((place + 1 for place, at in enumerate(begins) if one < at + self.life), len(begins)) :]
        for begin in begins:
            dies_at = begin + self.life if cart.expires_at is None else min(begin + self.life, cart.expires_at)
            at = max([begin, *(one + self.gap for one in taken)])
            if now < dies_at and at < dies_at:
                return Due(number=number, at=at, dies_at=dies_at)
        return None

    def forced(self, cart: Cart, *, now: datetime) -> Due | None:
        """The next one now, because a person asks for it; None when all are taken."""
        taken = sum(getattr(cart, slot) is not None for slot in Slot)
        if taken >= len(self.moments):
            return None
        dies_at = now + self.life if cart.expires_at is None else min(now + self.life, cart.expires_at)
        return Due(number=taken + 1, at=now, dies_at=dies_at)

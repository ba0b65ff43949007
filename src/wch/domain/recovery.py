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
class Moment:
    """A time at which a reminder may leave.

    Attributes:
        at: from when.
        dies_at: until when.
        taken_at: when a reminder used it up.
    """

    at: datetime
    dies_at: datetime
    taken_at: datetime | None = None


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
        taken = _taken(cart)
        number = len(taken) + 1
        if cart.abandoned_at is None or number > len(self.moments):
            return None
        if taken and now > taken[0] + SEQUENCE:
            return None
        moments = self.moments_of(cart)
        # What comes next lies behind all that were used up.
        used = max((place for place, moment in enumerate(moments, 1) if moment.taken_at), default=0)
        for moment in moments[used:]:
            begin, dies_at = moment.at, moment.dies_at
            at = max([begin, *(one + self.gap for one in taken)])
            if now < dies_at and at < dies_at:
                return Due(number=number, at=at, dies_at=dies_at)
        return None

    def moments_of(self, cart: Cart) -> tuple[Moment, ...]:
        """The moments of an abandoned cart, each with the reminder that used it up, if one did."""
        if cart.abandoned_at is None:
            return ()
        moments = []
        left = _taken(cart)
        for after in self.moments:
            at = cart.abandoned_at + after
            dies_at = at + self.life if cart.expires_at is None else min(at + self.life, cart.expires_at)
            # Each reminder used up the first moment that was alive when it left.
            taken_at = left.pop(0) if left and left[0] < at + self.life else None
            moments.append(Moment(at=at, dies_at=dies_at, taken_at=taken_at))
        return tuple(moments)

    def over(self, cart: Cart, *, now: datetime) -> Due:
        """The reminder that would have been next where none comes any more: it died, or all are taken."""
        taken = len(_taken(cart))
        number = min(taken + 1, len(self.moments))
        begin = now if cart.abandoned_at is None else cart.abandoned_at + self.moments[-1]
        dies_at = begin + self.life if cart.expires_at is None else min(begin + self.life, cart.expires_at)
        return Due(number=number, at=begin, dies_at=now + self.life if taken >= len(self.moments) else dies_at)

    def forced(self, cart: Cart, *, now: datetime) -> Due | None:
        """The next one now, because a person asks for it; None when all are taken."""
        taken = len(_taken(cart))
        if taken >= len(self.moments):
            return None
        dies_at = now + self.life if cart.expires_at is None else min(now + self.life, cart.expires_at)
        return Due(number=taken + 1, at=now, dies_at=dies_at)


def _taken(cart: Cart) -> list[datetime]:
    """When each reminder's slot was taken, in order."""
    return [at for slot in Slot if (at := getattr(cart, slot)) is not None]

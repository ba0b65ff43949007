"""What comes next by itself: the things that wait for a moment, each by its name."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

import attrs

from wch.application.campaigns import all_of
from wch.application.carts import Carts
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.reminders import Reminders
from wch.domain.campaign import CampaignState
from wch.domain.cart import Cart, CartStatus
from wch.domain.notification import NotificationStatus
from wch.domain.saga import SagaState

PAGE = 500


@attrs.frozen(kw_only=True)
class Coming:
    """One thing that waits for its moment.

    Attributes:
        at: when it is due, as far as is known now; it may still be held then.
        what: its name for people, such as `reminder 2 of cart 7`.
    """

    at: datetime
    what: str


@attrs.frozen(kw_only=True)
class Ahead:
    """Looks ahead in the tables; nothing is changed, and what is due already is not among it."""

    database: Database
    clock: Clock
    carts: Carts
    reminders: Reminders

    async def listed(self, *, limit: int = 10) -> Sequence[Coming]:
        """What comes next, the first first; of each cart its next thing alone, of an empty one nothing."""
        now = self.clock.now()
        found = [one async for one in self._of_carts(now)]
        found += await self._of_rows()
        return sorted((one for one in found if one.at > now), key=lambda one: (one.at, one.what))[:limit]

    async def _of_carts(self, now: datetime) -> AsyncIterator[Coming]:
        for status in (CartStatus.ACTIVE, CartStatus.ABANDONED):
            after = 0
            while page := await self.carts.listed(status=status, after=after, limit=PAGE):
                after = page[-1].id
                for cart in page:
                    if cart.items:
                        yield await self._of_cart(cart, now)

    async def _of_cart(self, cart: Cart, now: datetime) -> Coming:
        """A reminder that is held is due when the hold ends; a cart that nothing else awaits ends."""
        if cart.status is CartStatus.ACTIVE and cart.updated_at + self.carts.idle > now:
            return Coming(at=cart.updated_at + self.carts.idle, what=f"cart {cart.id} is left lying")
        due = self.reminders.schedule.next_of(cart, now=now)
        if due is not None:
            held = due.at
            if due.at <= now:
                held = (await self.reminders.explain(cart.id, at=now, now=now)).verdict.until or now
            if held > now:
                return Coming(at=held, what=f"reminder {due.number} of cart {cart.id}")
        return Coming(at=cart.expires_at or now, what=f"cart {cart.id} ends")

    async def _of_rows(self) -> list[Coming]:
        """Sagas that look again, notices that wait, broadcasts that begin."""

        def look(uow: UnitOfWork) -> list[Coming]:
            found: list[Coming] = []
            for state in (SagaState.RUNNING, SagaState.COMPENSATING):
                found += [
                    Coming(at=one.updated_at, what=f"the next look at {one.saga_id}")
                    for one in uow.sagas.listed(state=state, limit=PAGE)
                ]
            found += [
                Coming(at=one.updated_at, what=f"notice {one.id} of order {one.order_id}")
                for one in uow.notifications.listed(status=NotificationStatus.PENDING, limit=PAGE)
            ]
            return found + [
                Coming(at=one.plan.utc, what=f"broadcast {one.plan.id} begins")
                for one in all_of(uow)
                if one.progress.state is CampaignState.SCHEDULED and one.plan.utc is not None
            ]

        return await self.database.read(look)

"""Shop links: which customer of the shop somebody is, asked of the shop by a worker and never while a message waits."""

from datetime import datetime

import attrs

from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.sync_leases import Done, End, Held, Later
from wch.domain.audit import AuditEntry
from wch.domain.customer import CustomerProfile
from wch.domain.lease import Leasing
from wch.domain.order import Order
from wch.domain.phone import is_number, variants
from wch.domain.shop_error import ShopError
from wch.domain.sync import EntityType, SyncAction

LINKED_BY = "worker"

GONE = "gone"
"""The result of a look whose customer was erased or merged meanwhile."""

NOT_ASKED = "shop_unavailable"
"""The result of a look that the shop never answered; the customer's next message asks again."""


def look_up(uow: UnitOfWork, profile: CustomerProfile, *, now: datetime) -> None:
    """Have the shop asked whose number this is, if that is due."""
    if profile.shop_look_due(now=now):
        _arm(uow, profile, now)


def look_up_for(uow: UnitOfWork, profile: CustomerProfile, order: Order, *, now: datetime) -> None:
    """Have the shop asked at once where an order tells of a customer of whom nothing was said yet."""
    number = order.customer_id
    if number is not None and profile.may_be_linked(number) and number not in profile.shop_candidates:
        _arm(uow, profile, now)


def _arm(uow: UnitOfWork, profile: CustomerProfile, now: datetime) -> None:
    if is_number(profile.phone):
        uow.sync.enqueue(EntityType.CUSTOMER, profile.id, SyncAction.UPDATE, now=now)


@attrs.frozen(kw_only=True)
class ShopLinks:
    """Asks the shop whose number it is, and links the one who has it."""

    database: Database
    clock: Clock
    shop: Shop
    leasing: Leasing

    async def look(self, held: Held) -> End:
        """Ask for one customer: exactly one is linked, several wait for a person, nobody is asked for again later.

        A shop that never answers leaves no dead letter: nothing is lost, and the customer's next message asks again.
        """
        number = held.task.entity_id
        profile = await self.database.read(lambda uow: uow.customers.get(number))
        if profile is None:
            return Done(held=held, effects=lambda _: GONE)
        try:
            found = await self.shop.customers_by_phone(phones=variants(profile.phone))
        except ShopError:
            if self.leasing.is_used_up(held.lease.attempts):
                return Done(held=held, effects=lambda _: NOT_ASKED)
            return Later(held=held, error=NOT_ASKED)
        told = {one.id: one.email for one in found}

        def noted(uow: UnitOfWork) -> str | None:
            now = self.clock.now()
            seen = uow.customers.get(number)
            if seen is None or seen.phone != profile.phone:
                return GONE
            before = uow.customers.lock(seen.phone, now=now)
            after = before.looked_up(told, now=now)
            uow.customers.save(after)
            if after.wc_customer_id != before.wc_customer_id:
                about = f"customer:{number}"
                uow.audit.add(AuditEntry(at=now, actor=LINKED_BY, action="customer.link", object=about))
            return None

        return Done(held=held, effects=noted)

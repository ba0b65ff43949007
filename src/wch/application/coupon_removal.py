"""Coupon removal: coupons that brought nobody back are taken out of the shop again."""

import logging
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.housekeeping import Every
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.reminding import Reminding
from wch.domain.cart import Cart
from wch.domain.coupon import CouponRemoval as Removal
from wch.domain.document import document
from wch.domain.evolution import evolve
from wch.domain.moment import iso, of_iso
from wch.domain.reengagement import CampaignType
from wch.domain.shop_error import ShopError, ShopUnavailableError

log = logging.getLogger(__name__)

CURSOR = "coupons.swept"
"""The option that remembers up to which `sent_at` the coupons of contacts were taken back."""

PAGE = 100
RECOVERED_WITHIN = timedelta(days=2)
ENDED_AFTER = timedelta(days=21)
"""So long after it left, every coupon of a contact has ended."""

_FIRST_SWEEP = timedelta(days=90)
_DAY = timedelta(days=1)
_PREFIXES = {CampaignType.CART_REMINDER: "recover", CampaignType.LOYALTY_REWARD: "loyal"}


@attrs.frozen(kw_only=True)
class CouponRemoval:
    """The duty that takes back coupons nobody used; a used one stays, and one that is gone is as good as removed.

    Attributes:
        rest: how long it rests between two looks.
    """

    kind: ClassVar[str] = "coupons"

    database: Database
    clock: Clock
    shop: Shop
    reminding: Reminding
    rest: Every

    async def work(self) -> int:
        """Take back what is to be taken back now; how many coupons went."""
        if self.rest():
            return 0
        try:
            return await self._of_recovered_carts() + await self._of_past_contacts()
        except ShopUnavailableError:
            return 0

    async def _of_recovered_carts(self) -> int:
        """Carts that were ordered without their coupon need it no more."""
        since = self.clock.now() - RECOVERED_WITHIN
        done = after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.carts.recovered_since(since, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            after = page[-1].id
            for cart in page:
                done += await self._of_cart(cart)
        return done

    async def _of_cart(self, cart: Cart) -> int:
        def look(uow: UnitOfWork) -> int | None:
            placement = uow.sagas.get(cart.saga_id)
            if placement is not None and placement.context.get("coupon") == cart.recovery_coupon_code:
                return None
            row = self.reminding.row_of(uow, cart)
            return None if row is None else row.id

        number = await self.database.read(look)
        if number is None:
            return 0
        removed = await self._removed(f"recover-{number}")
        if removed is Removal.USED:
            return 0

        def forget(uow: UnitOfWork) -> None:
            uow.customers.lock(cart.customer_phone, now=self.clock.now())
            held = uow.carts.of(cart.customer_phone, lock=True)
            if held is not None and held.name == cart.name and held.recovery_coupon_code == cart.recovery_coupon_code:
                uow.carts.save(evolve(held, recovery_coupon_code=None))

        await self.database.transact(forget)
        return int(removed is Removal.REMOVED)

    async def _of_past_contacts(self) -> int:
        """Once a day, what left 21 days ago and before the last time; the cursor moves when all of it is done."""
        until = self.clock.now() - ENDED_AFTER
        since = await self.database.read(lambda uow: _swept(uow, until))
        if until - since < _DAY:
            return 0
        done = after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.reengagements.sent_between(since, until, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            after = page[-1].id
            for row in page:
                prefix = _PREFIXES.get(row.campaign_type)
                if prefix is not None:
                    done += await self._removed(f"{prefix}-{row.id}") is Removal.REMOVED
        await self.database.transact(lambda uow: uow.options.put(CURSOR, document(at=iso(until))))
        return done

    async def _removed(self, key: str) -> Removal:
        """Ask the shop; what it refuses for good is not asked again."""
        try:
            return await self.shop.remove_coupon(key=key)
        except ShopUnavailableError:
            raise
        except ShopError:
            log.warning("the shop does not take a coupon back", extra={"key": key})
            return Removal.UNKNOWN


def _swept(uow: UnitOfWork, until: datetime) -> datetime:
    known = uow.options.get(CURSOR)
    return until - _FIRST_SWEEP if known is None else of_iso(str(known["at"]))

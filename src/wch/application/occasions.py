"""Occasions: whom there is something to say to, found by what changed in the shop and by who has gone quiet."""

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import attrs

from wch.application.outreach import zones_of
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.application.product_facts import products_of
from wch.application.reengaging import Reengaging
from wch.domain.catalogue import Arrival, Product
from wch.domain.customer import CustomerProfile
from wch.domain.occasion import TRIGGERED, Occasion
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType
from wch.domain.shop_error import ShopNotFoundError
from wch.domain.verdict import utc_of

PAGE = 100
OVERLAP = timedelta(minutes=2)
"""Facts are looked at a little further back than the last time: a transaction may end later than its stamp says."""

ARRIVALS_SINCE = timedelta(days=365)
_DAY = timedelta(days=1)


@attrs.frozen(kw_only=True)
class Candidate:
    """Whom to ask about, and about what."""

    phone: str
    kinds: tuple[CampaignType, ...]
    product: Product | None = None
    arrivals: tuple[Arrival, ...] = ()


@attrs.frozen(kw_only=True)
class Occasions:
    """Finds candidates page by page; nothing of it holds all customers in memory, and nothing is written.

    Attributes:
        run_at: the hour of the day, in the customer's zone, at which the quiet ones are looked at.
    """

    database: Database
    clock: Clock
    shop: Shop
    reengaging: Reengaging
    run_at: time

    async def candidates(
        self, kinds: tuple[CampaignType, ...], *, since: datetime, now: datetime, everybody: bool
    ) -> AsyncIterator[Candidate]:
        """Whom there is something to say to, the kinds that come first first."""
        triggered = [kind for kind in kinds if kind in TRIGGERED]
        changed = await self._changed(since - OVERLAP) if triggered else []
        for kind in triggered:
            for product_id in changed:
                async for candidate in self._viewers(kind, product_id, now=now):
                    yield candidate
        daily = tuple(kind for kind in kinds if kind not in TRIGGERED)
        if daily:
            async for candidate in self._quiet(daily, since=None if everybody else since, now=now):
                yield candidate

    async def _changed(self, since: datetime) -> list[int]:
        """The products of which something was brought in step since then."""
        sellables: dict[int, None] = {}
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.sync.completed_since(since, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            sellables |= dict.fromkeys(task.entity_id for task in page)
            after = page[-1].id
        return await self.database.read(lambda uow: products_of(uow, sellables))

    async def _viewers(self, kind: CampaignType, product_id: int, *, now: datetime) -> AsyncIterator[Candidate]:
        """Who looked at this product, and whose last look gives occasion to this kind."""
        since = now - self.reengaging.terms.view_counts_for

        def fitting(uow: UnitOfWork, after: int) -> tuple[int, list[str]]:
            page = uow.views.of_product(product_id, since=since, after=after, limit=PAGE)
            return (page[-1].id if page else 0), [
                view.customer_phone for view in page if self._gives_occasion(uow, kind, view, now)
            ]

        after, product = 0, None
        while True:
            after, phones = await self.database.read(lambda uow, after=after: fitting(uow, after))  # type: ignore[misc]  # bound early
            if not after:
                return
            for phone in phones:
                product = product or await self.sold(product_id)
                if product is None:
                    return
                yield Candidate(phone=phone, kinds=(kind,), product=product)

    def _gives_occasion(self, uow: UnitOfWork, kind: CampaignType, view: ProductView, now: datetime) -> bool:
        latest = uow.views.latest(view.customer_phone, view.product_id)
        profile = uow.customers.of(view.customer_phone)
        if profile is None or latest is None or latest.id != view.id:
            return False
        found = self.reengaging.occasion(uow, profile, kind, now=now, product_id=view.product_id)
        return isinstance(found, Occasion)

    async def _quiet(
        self, kinds: tuple[CampaignType, ...], *, since: datetime | None, now: datetime
    ) -> AsyncIterator[Candidate]:
        """Who has gone quiet, and whose morning came since then."""
        silent = now - self.reengaging.terms.silent_for
        arrivals: tuple[Arrival, ...] | None = None
        after = 0
        while page := await self.database.read(
            lambda uow, after=after: uow.customers.quiet_buyers(silent, after=after, limit=PAGE)  # type: ignore[misc]  # bound early
        ):
            after = page[-1].id
            for profile in page:
                quiet = self.reengaging.terms.of_silence(CampaignType.WE_MISS_YOU, profile, (), now=now)
                if isinstance(quiet, str) or not (since is None or self._morning_came(profile, since, now)):
                    continue
                if arrivals is None:
                    arrivals = await self.arrivals() if CampaignType.NEW_ARRIVALS in kinds else ()
                yield Candidate(phone=profile.phone, kinds=kinds, arrivals=arrivals)

    def _morning_came(self, profile: CustomerProfile, since: datetime, now: datetime) -> bool:
        """Whether the hour of the daily look came, where the customer is, after `since` and by now."""
        zone = ZoneInfo(next(iter(zones_of(profile)), self.reengaging.outreach.manners.zone))
        local = now.astimezone(zone)
        day = local.date() if local.time() >= self.run_at else local.date() - _DAY
        return since < utc_of(day, self.run_at, zone) <= now

    async def sold(self, product_id: int) -> Product | None:
        """The product as the shop has it; None when it cannot be bought there."""
        try:
            product = await self.shop.product(product_id=product_id)
        except ShopNotFoundError:
            return None
        return None if product.is_sold_out else product

    async def arrivals(self) -> tuple[Arrival, ...]:
        """What is new in the shop since a year, the newest first."""
        return tuple(await self.shop.arrivals(since=self.clock.now() - ARRIVALS_SINCE))

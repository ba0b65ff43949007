"""Discrepancies: what the catalogue holds, read whole, against what the shop sells."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

import attrs

from wch.application.alarms import alarm
from wch.application.catalogue_calls import CatalogueCalls
from wch.application.catalogue_looks import CatalogueLooks, Look
from wch.application.full_runs import FullRuns, RunUnderWayError
from wch.application.ports import Catalogue, Clock, Database, Shop, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.catalogue_item import (
    CatalogueError,
    CatalogueItem,
    ListedItem,
    NoCatalogueError,
    SentItems,
    UnfitItem,
)
from wch.domain.document import JsonObject, document
from wch.domain.moment import iso
from wch.domain.money import places
from wch.domain.shop_error import ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction, SyncStatus

PREFIX = "sync:report:"
"""How the options of reports begin: `sync:report:<moment>`."""

NIGHTLY = "sync.nightly"
"""The option that remembers the day for which the nightly look was taken."""

AT_HOUR = 3
KEPT = timedelta(days=30)
LISTED = 1000
KINDS = ("missing", "extra", "price", "availability", "quantity", "failed")
_CARDS = 30
_PAGE = 100


@attrs.frozen(kw_only=True)
class Discrepancy:
    """One difference.

    Attributes:
        kind: one of `KINDS`.
        item: the retailer id.
        product: the product behind it; None where nothing in the shop stands behind it.
        shop: what the shop says.
        catalogue: what the catalogue says.
    """

    kind: str
    item: str
    product: int | None = None
    shop: str | None = None
    catalogue: str | None = None


@attrs.define(kw_only=True)
class _Findings:
    """What was found so far; all is counted, the first are listed.

    Attributes:
        product_ids: whose rows would mend it.
    """

    counts: dict[str, int] = attrs.field(factory=lambda: dict.fromkeys(KINDS, 0))
    listed: list[Discrepancy] = attrs.field(factory=list)
    product_ids: dict[int, list[str]] = attrs.field(factory=dict)

    def add(self, found: Discrepancy) -> None:
        self.counts[found.kind] += 1
        if found.product is not None:
            self.product_ids.setdefault(found.product, []).append(found.item)
        if len(self.listed) < LISTED:
            self.listed.append(found)


@attrs.frozen(kw_only=True)
class Discrepancies:
    """The report, on demand and every night, and the full run that goes with the nightly one.

    Attributes:
        alarm_above: so many differences raise an alarm.
        zone: the shop's time zone.
        rest: true while it looked only a moment ago.
    """

    kind: ClassVar[str] = "catalogue"

    database: Database
    clock: Clock
    shop: Shop
    looks: CatalogueLooks
    calls: CatalogueCalls
    runs: FullRuns
    alarm_above: int
    zone: str
    rest: Callable[[], bool]

    async def work(self) -> int:
        """At three at night, by the shop's clock: the report, then a full run that mends what it can."""
        if self.looks.catalogue is None or self.rest():
            return 0
        now = self.clock.now()
        there = now.astimezone(ZoneInfo(self.zone))
        day = (there if there.hour >= AT_HOUR else there - timedelta(days=1)).date().isoformat()

        def claim(uow: UnitOfWork) -> bool:
            """The first look of all only remembers the day: whoever switches the catalogue on begins by hand."""
            known = uow.options.get(NIGHTLY, lock=True)
            if known is not None and known["day"] >= day:
                return False
            uow.options.put(NIGHTLY, document(day=day))
            return known is not None

        if not await self.database.transact(claim):
            return 0
        try:
            await self.report(by="worker")
        except (CatalogueError, ShopUnavailableError) as error:
            why = type(error).__name__
            await self.database.transact(lambda uow: alarm(uow, "catalogue_report_failed", now=now, why=why))
        try:
            await self.runs.start(by="worker")
        except RunUnderWayError:
            return 1
        return 1

    async def report(self, *, fix: bool = False, by: str = "host") -> JsonObject:
        """Read the catalogue whole and compare it with the shop.

        Args:
            fix: let what differs be sent again; items behind which nothing of ours stands are left alone.
            by: who asked.

        Returns:
            `{"at", "catalogue", "items", "products", "counts": {kind: n}, "differences": n, "listed": [...], "fixing": n}`

        Raises:
            NoCatalogueError: there is no catalogue.
            CatalogueError: it could not be read.
            ShopUnavailableError: the shop could not be read.
        """
        catalogue = self.looks.catalogue
        if catalogue is None:
            raise NoCatalogueError
        held = await _whole(catalogue)
        items = len(held)
        found = _Findings()
        products = await self._against_shop(held, found)
        await self._left_over(held, found)
        await self._failed(found)
        differences = sum(found.counts.values())

        def work(uow: UnitOfWork) -> JsonObject:
            now = self.clock.now()
            fixing = self._mend(uow, found, now) if fix else 0
            report = document(
                at=iso(now), by=by, catalogue=catalogue.id, items=items, products=products, counts=found.counts,
                differences=differences, fixing=fixing, listed=[attrs.asdict(one) for one in found.listed[:_PAGE]],
            )  # fmt: skip
            uow.options.put(f"{PREFIX}{iso(now)}", report)
            self._forget(uow, now)
            uow.audit.add(AuditEntry(at=now, actor=by, action="sync.report", object=f"catalogue:{catalogue.id}"))
            if differences > self.alarm_above:
                alarm(uow, "catalogue_differs", now=now, about=f"catalogue:{catalogue.id}", differences=differences)
            return {**report, "listed": [attrs.asdict(one) for one in found.listed]}

        return await self.database.transact(work)

    async def listed(self) -> Sequence[JsonObject]:
        """The reports of the last thirty days, the newest first."""
        return await self.database.read(
            lambda uow: [report for _, report in reversed(uow.options.named(PREFIX, limit=_PAGE * 10))]
        )

    async def _against_shop(self, held: dict[str, ListedItem], found: _Findings) -> int:
        """Every product of the shop; what it accounts for is taken out of `held`."""
        products = 0
        cursor: str | None = None
        while True:
            page = await self.shop.search(cursor=cursor, limit=_CARDS)
            products += len(page.items)
            for product, look in (await self.looks.all([card.id for card in page.items])).items():
                if not isinstance(look, Look):
                    raise look
                for item in look.items:
                    for one in _compared(product, item, held.pop(item.id, None)):
                        found.add(one)
            cursor = page.next
            if cursor is None:
                return products

    async def _left_over(self, held: Mapping[str, ListedItem], found: _Findings) -> None:
        """What is left has nothing in the shop; some of it we sent ourselves."""
        owners: dict[str, int] = {}
        prefix, after = self.looks.prefix, ""
        while held and (
            page := await self.database.read(
                lambda uow, start=after: uow.options.named(prefix, after=start, limit=_PAGE)  # type: ignore[misc]  # the default binds the value of this round
            )
        ):
            for name, sent in page:
                ours = SentItems.read(sent).items.keys() & held.keys()
                owners |= dict.fromkeys(ours, int(name.removeprefix(prefix)))
            after = page[-1][0]
        for name in sorted(held):
            found.add(Discrepancy(kind="extra", item=name, product=owners.get(name), catalogue=held[name].price))

    async def _failed(self, found: _Findings) -> None:
        """Rows that were given up."""
        after = 0
        while page := await self.database.read(
            lambda uow, start=after: uow.sync.listed(status=SyncStatus.FAILED, after=start, limit=_PAGE)  # type: ignore[misc]  # the default binds the value of this round
        ):
            for task in page:
                if task.entity_type is EntityType.PRODUCT:
                    item, why = str(task.entity_id), task.error_message
                    found.add(Discrepancy(kind="failed", item=item, product=task.entity_id, shop=why))
            after = page[-1].id

    def _mend(self, uow: UnitOfWork, found: _Findings, now: datetime) -> int:
        """What differs is sent again, although its hash says that it was sent."""
        for product, names in found.product_ids.items():
            name = self.looks.name(product)
            stored = uow.options.get(name, lock=True)
            if stored is not None:
                uow.options.put(name, SentItems.read(stored).forgotten(names).written())
            uow.sync.enqueue(EntityType.PRODUCT, product, SyncAction.UPDATE, now=now)
        return len(found.product_ids)

    def _forget(self, uow: UnitOfWork, now: datetime) -> None:
        oldest = f"{PREFIX}{iso(now - KEPT)}"
        for name, _ in uow.options.named(PREFIX, limit=_PAGE):
            if name < oldest:
                uow.options.remove(name)


async def _whole(catalogue: Catalogue) -> dict[str, ListedItem]:
    held: dict[str, ListedItem] = {}
    after: str | None = None
    while True:
        page = await catalogue.items(after=after)
        held |= {item.id: item for item in page.items}
        after = page.next
        if after is None:
            return held


def _compared(product: int, wanted: CatalogueItem | UnfitItem, there: ListedItem | None) -> Sequence[Discrepancy]:
    """How an item there differs from what the shop sells."""
    if isinstance(wanted, UnfitItem):
        return () if there is not None else (_missing(product, wanted.id, wanted.fault.value),)
    if there is None:
        return (_missing(product, wanted.id, str(wanted.fields["price"])),)
    fields = wanted.fields
    found = []
    for price, told in ((fields["price"], there.price), (fields.get("sale_price"), there.sale_price)):
        if not _is_same_price(price, told):
            found.append(("price", price, told))
    available = fields["availability"] == "in stock"
    if available is not there.is_available:
        found.append(("availability", fields["availability"], "in stock" if there.is_available else "out of stock"))
    quantity = fields.get("quantity_to_sell_on_facebook")
    if quantity is not None and there.quantity is not None and quantity != there.quantity:
        found.append(("quantity", str(quantity), str(there.quantity)))
    return [
        Discrepancy(kind=kind, item=wanted.id, product=product, shop=ours, catalogue=theirs)
        for kind, ours, theirs in found
    ]


def _missing(product: int, item: str, shop: str) -> Discrepancy:
    return Discrepancy(kind="missing", item=item, product=product, shop=shop)


def _is_same_price(ours: Any, theirs: str | None) -> bool:
    """Whether two prices are the same sum; the catalogue words its own for people, such as `$1,012.50`."""
    if ours is None or not theirs:
        return ours is None and not theirs
    amount, currency = str(ours).split(" ")
    decimals = places(currency)
    figure = re.search(r"\d[\d.,\u00a0\u202f' ]*", theirs)
    digits = re.sub(r"\D", "", figure.group()) if figure else ""
    if not digits:
        return False
    has_places = decimals and re.search(rf"[.,]\d{{{decimals}}}\s*\Z", figure.group().rstrip()) if figure else None
    units = int(digits) if has_places or not decimals else int(digits) * 10**decimals
    return units == int(amount.replace(".", ""))

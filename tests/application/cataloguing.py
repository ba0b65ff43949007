"""A shop and a WhatsApp catalogue that are kept in step, over any store."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import attrs

from tests.application.shopping import syncing
from wch.adapters.memory import MemoryDatabase
from wch.application.catalogue_calls import CatalogueCalls
from wch.application.catalogue_looks import CatalogueLooks
from wch.application.discrepancies import Discrepancies
from wch.application.failpoints import Failpoints
from wch.application.full_runs import FullRuns
from wch.application.ports import Catalogue, Database, UnitOfWork
from wch.application.sync_tasks import SyncTasks
from wch.domain.catalogue_item import SentItems
from wch.domain.order_figures import Counting
from wch.domain.sync import EntityType, SyncAction, SyncTask
from wch.testing import FrozenClock
from wch.testing.scripted_catalogue import ScriptedCatalogue
from wch.testing.scripted_shop import Goods, ScriptedShop, put_on_shelf

PICTURE = "https://shop.example/picture.jpg"
PAGE = "https://shop.example/page"


def goods(sku: str, price: str | None = "9.50", **more: Any) -> Goods:
    """Something that can be an item: it has a picture and a page."""
    given = {"name": sku.capitalize(), "images": (PICTURE,), "url": PAGE, "stock": 10, **more}
    return Goods(sku=sku, price=None if price is None else Decimal(price), **given)


SHIRT = (
    goods("SHIRT", None, stock=None),
    *(goods(f"SHIRT-{size}", "18.00", parent="SHIRT", name="", attributes={"Size": size}) for size in "SML"),
)


@attrs.define(kw_only=True)
class Cataloguing:
    """What a test needs to reach; built by `cataloguing`."""

    database: Database
    clock: FrozenClock
    shop: ScriptedShop
    catalogue: ScriptedCatalogue
    sync: SyncTasks
    facts: list[object]

    @property
    def runs(self) -> FullRuns:
        return self.sync.runs

    @property
    def looks(self) -> CatalogueLooks:
        return self.sync.items.looks

    @property
    def calls(self) -> CatalogueCalls:
        return self.sync.items.calls

    def discrepancies(self, *, alarm_above: int = 10, zone: str = "UTC") -> Discrepancies:
        return Discrepancies(
            database=self.database,
            clock=self.clock,
            shop=self.shop,
            looks=self.looks,
            calls=self.calls,
            runs=self.runs,
            alarm_above=alarm_above,
            zone=zone,
            rest=lambda: False,
        )

    def worker(self, points: str = "") -> SyncTasks:
        """Another worker on the same store; `points` makes it vanish on its way."""
        armed = Failpoints.read(points, testing=True)
        return syncing(
            self.database, self.clock, self.shop, points=armed, counting=Counting(home="EUR"), catalogue=self.catalogue
        )

    async def number(self, sku: str) -> int:
        return (await self.shop.shop.resolve(retailer_ids=(sku,)))[sku].id

    async def sell(self, *more: Goods) -> None:
        await put_on_shelf(self.shop.shop, more)

    async def changed(self, sku: str, kind: EntityType = EntityType.PRODUCT) -> SyncTask:
        self.clock.advance(1)
        return await self.sync.enqueue(kind, await self.number(sku), SyncAction.UPDATE)

    async def settles(self, passes: int = 50) -> int:
        """Pass after pass until nothing is due; how many rows were done."""
        total = 0
        for _ in range(passes):
            done = await self.sync.work()
            if not done:
                break
            total += done
        return total

    async def whole_run(self) -> dict[str, Any]:
        begun = await self.runs.start()
        await self.settles()
        ended = await self.runs.get(begun["started"])
        assert ended is not None
        return dict(ended)

    async def sent(self, sku: str) -> SentItems:
        name = self.looks.name(await self.number(sku))
        return SentItems.read(await self.database.read(lambda uow: uow.options.get(name)))

    async def tasks(self) -> Sequence[SyncTask]:
        return await self.sync.listed(limit=500)

    async def letters(self) -> Any:
        return await self.database.read(lambda uow: uow.dead_letters.listed(limit=500))

    async def alarms(self) -> list[str]:
        lines = await self.database.read(lambda uow: uow.audit.listed(limit=500))
        return [line.action for line in lines if line.action.startswith("alarm.")]

    async def do(self, work: Callable[[UnitOfWork], Any]) -> Any:
        return await self.database.transact(work)


async def cataloguing(
    *shelf: Goods, twice: bool = False, database: Database | None = None, linked: bool = True
) -> Cataloguing:
    """A shop that sells this, and a catalogue that holds nothing yet; unlinked: the hub knows of none."""
    clock = FrozenClock()
    store = database or MemoryDatabase(twice=twice)
    shop = await ScriptedShop.selling(list(shelf), clock=clock)
    catalogue = ScriptedCatalogue()
    facts: list[object] = []
    known: Catalogue | None = catalogue if linked else None
    sync = syncing(
        store,
        clock,
        shop,
        points=Failpoints.disarmed(),
        counting=Counting(home="EUR"),
        catalogue=known,
        tell=facts.append,
    )
    return Cataloguing(database=store, clock=clock, shop=shop, catalogue=catalogue, sync=sync, facts=facts)

"""Sync tasks: what changed in the shop is looked at again, brought into the catalogue, and told on."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs

from wch.application import product_facts
from wch.application.failpoints import Failpoints
from wch.application.full_runs import FullRuns
from wch.application.item_tasks import ItemTasks
from wch.application.ports import Clock, Database, Shop, Tracer, UnitOfWork
from wch.application.seen_orders import SeenOrders
from wch.application.shop_links import ShopLinks
from wch.application.sync_leases import Done, End, Held, Later, SyncLeases
from wch.domain.audit import AuditEntry
from wch.domain.catalogue import Change, ChangeKind, Product
from wch.domain.document import document
from wch.domain.lease import Work
from wch.domain.order import Order
from wch.domain.shop_error import ShopError, ShopNotFoundError, ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask

log = logging.getLogger(__name__)

Bring = Callable[[Sequence[Held]], Awaitable[int]]
"""Brings rows that are taken to their end; how many."""

CURSOR = "shop.changes"
"""The option that remembers how far the shop's changes were read."""

STATUS_TOLD_ONCE_IN = timedelta(hours=24)

_ROWS: dict[ChangeKind, EntityType] = {
    ChangeKind.PRODUCT: EntityType.PRODUCT,
    ChangeKind.VARIANT: EntityType.INVENTORY,
    ChangeKind.ORDER: EntityType.ORDER,
}


@attrs.frozen(kw_only=True)
class SyncTasks:
    """The duty that works the sync queue, and what people ask about it."""

    kind: ClassVar[str] = SyncLeases.kind

    database: Database
    clock: Clock
    shop: Shop
    seen_orders: SeenOrders
    failpoints: Failpoints
    leases: SyncLeases
    items: ItemTasks
    runs: FullRuns
    links: ShopLinks
    tracer: Tracer
    most_at_once: int

    async def work(self) -> int:
        """Read the shop's changes into the queue, then take what is due: orders, items in batches, then customers."""
        done = await self._read_changes()
        done += await self.runs.carry_on()
        for status in (SyncStatus.PROCESSING, SyncStatus.PENDING):
            done += await self._orders(status)
        if await self.items.may_work():
            for entity in (EntityType.INVENTORY, EntityType.PRODUCT):
                for status in (SyncStatus.PROCESSING, SyncStatus.PENDING):
                    done += await self._oldest(status, entity, self._brought)
        for status in (SyncStatus.PROCESSING, SyncStatus.PENDING):
            done += await self._oldest(status, EntityType.CUSTOMER, self._look_up)
        return done

    async def _waiting(self, status: SyncStatus, entity: EntityType, after: int) -> Sequence[Work]:
        """Page by page: rows that may not be taken yet never hide what is behind them."""
        return await self.database.read(
            lambda uow: uow.sync.waiting(status, entity, after=after, limit=self.most_at_once)
        )

    async def _orders(self, status: SyncStatus) -> int:
        """One after another: each asks the shop for itself."""
        done = after = 0
        while page := await self._waiting(status, EntityType.ORDER, after):
            for waiting in page:
                with self.tracer.span("sync batch", entity=EntityType.ORDER.value, rows=1):
                    done += await self._order(waiting)
            after = page[-1].id
        return done

    async def _oldest(self, status: SyncStatus, entity: EntityType, bring: Bring) -> int:
        """The oldest fifty that may be taken; the others in the next pass, so that nothing else waits long."""
        after = 0
        while page := await self._waiting(status, entity, after):
            held = await self.leases.take(page)
            if held:
                self.failpoints("sync.taken")
                return await bring(held)
            after = page[-1].id
        return 0

    async def _look_up(self, held: Sequence[Held]) -> int:
        """Customers, one after another: each asks the shop for itself."""
        for one in held:
            with self.tracer.span("sync batch", entity=one.task.entity_type.value, rows=1):
                await self.leases.renew([one])
                await self.leases.end([await self._looked_up(one)])
        return len(held)

    async def _looked_up(self, held: Held) -> End:
        try:
            return await self.links.look(held)
        except Exception:
            log.exception("sync task failed", extra={"task_id": held.task.id})
            return Later(held=held, error="error")

    async def _brought(self, held: Sequence[Held]) -> int:
        try:
            with self.tracer.span("sync batch", entity=held[0].task.entity_type.value, rows=len(held)):
                return await self.items.bring(held)
        except Exception:
            log.exception("sync tasks failed", extra={"tasks": len(held)})
            await self.leases.end([Later(held=one, error="error") for one in held])
            return len(held)

    async def _read_changes(self) -> int:
        """What the shop says has changed becomes rows, with the cursor, in one transaction."""
        before = await self.database.read(lambda uow: uow.options.get(CURSOR))
        cursor = None if before is None else before.get("cursor")
        try:
            changes = await self.shop.changed_since(cursor=cursor, limit=100)
        except ShopUnavailableError:
            return 0
        if changes.cursor == cursor:
            return 0

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            for change in changes.items if before is not None else ():
                entity, action = _row_of(change)
                uow.sync.enqueue(entity, change.id, action, now=now)
            uow.options.put(CURSOR, document(cursor=changes.cursor))
            return len(changes.items)

        return await self.database.transact(work)

    async def _order(self, waiting: Work) -> int:
        held = next(iter(await self.leases.take([waiting])), None)
        if held is None:
            return 0
        task = held.task
        try:
            self.failpoints("sync.taken")
            order = None
            if task.action is not SyncAction.DELETE:
                try:
                    order = await self.shop.order(order_id=task.entity_id)
                except ShopNotFoundError:
                    order = None
            unknown = [] if order is None else await self._unknown(order)
            self.failpoints("sync.after_call")

            def seen_now(uow: UnitOfWork) -> str | None:
                for product in unknown:
                    product_facts.note_sighting(uow, product, now=self.clock.now())
                return None if order is None else self.seen_orders.note(uow, order, now=self.clock.now())

            await self.leases.end([Done(held=held, effects=seen_now)])
            self.failpoints("sync.finished")
        except ShopUnavailableError:
            await self.leases.end([Later(held=held, error="shop_unavailable")])
        except Exception:
            log.exception("sync task failed", extra={"task_id": task.id})
            await self.leases.end([Later(held=held, error="error")])
        return 1

    async def _unknown(self, order: Order) -> list[Product]:
        """The products of an order of which nothing is known yet."""
        ids = sorted({line.product_id for line in order.lines})
        missing = await self.database.read(lambda uow: [one for one in ids if product_facts.known(uow, one) is None])
        found: list[Product] = []
        for product_id in missing:
            try:
                found.append(await self.shop.product(product_id=product_id))
            except ShopError:
                continue
        return found

    async def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        """Tasks by id."""
        return await self.database.read(lambda uow: uow.sync.listed(status=status, after=after, limit=limit))

    async def enqueue(self, entity: EntityType, entity_id: int, action: SyncAction, *, by: str = "host") -> SyncTask:
        """Ask for one entity to be looked at again."""

        def work(uow: UnitOfWork) -> SyncTask:
            now = self.clock.now()
            task = uow.sync.enqueue(entity, entity_id, action, now=now)
            uow.audit.add(AuditEntry(at=now, actor=by, action="sync.enqueue", object=f"{entity}:{entity_id}"))
            return task

        return await self.database.transact(work)


def _row_of(change: Change) -> tuple[EntityType, SyncAction]:
    """A variant is looked at by its own number: whether it is gone, its product says."""
    is_gone = change.deleted and change.kind is not ChangeKind.VARIANT
    return _ROWS[change.kind], SyncAction.DELETE if is_gone else SyncAction.UPDATE

"""Sync tasks: what changed in the shop is looked at again, and told on."""

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import ClassVar

import attrs

from wch.application.failpoints import Failpoints
from wch.application.notifications import news, seen_state
from wch.application.ports import Clock, Database, Shop, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.catalogue import ChangeKind, Line, ShopNotFoundError, ShopUnavailableError
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Reason
from wch.domain.document import document
from wch.domain.erasure import is_erased
from wch.domain.errors import LeaseLostError
from wch.domain.lease import BACK_OFF, Work
from wch.domain.moment import iso
from wch.domain.money import money_to_json
from wch.domain.notification import DELAY, STATUS_PREFIX, Notification
from wch.domain.order import Order
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask

log = logging.getLogger(__name__)

CURSOR = "shop.changes"
"""The option that remembers how far the shop's changes were read."""

INVENTORY_SETTLES = timedelta(seconds=5)
"""A stock level waits so long after it was first told, so that a busy item goes once."""

STATUS_TOLD_ONCE_IN = timedelta(hours=24)


@attrs.frozen(kw_only=True)
class SyncTasks:
    """The duty that works the sync queue, and what people ask about it."""

    kind: ClassVar[str] = "sync"

    database: Database
    clock: Clock
    shop: Shop
    counting: Counting
    failpoints: Failpoints
    most_at_once: int

    async def work(self) -> int:
        """Read the shop's changes into the queue, then take what is due, one row after another."""
        done = await self._read_changes()
        for status in (SyncStatus.PROCESSING, SyncStatus.PENDING):
            after = 0
            while page := await self._waiting(status, after):
                for waiting in page:
                    done += await self._one(waiting)
                after = page[-1].id
        return done

    async def _waiting(self, status: SyncStatus, after: int) -> Sequence[Work]:
        """Page by page: rows that may not be taken yet never hide what is behind them."""
        return await self.database.read(lambda uow: uow.sync.waiting(status, after=after, limit=self.most_at_once))

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
                action = SyncAction.DELETE if change.deleted else SyncAction.UPDATE
                entity = EntityType.ORDER if change.kind is ChangeKind.ORDER else EntityType.PRODUCT
                if entity is EntityType.ORDER and uow.options.get(f"shop:order:{change.id}") is None:
                    continue
                uow.sync.enqueue(entity, change.id, action, now=now)
            uow.options.put(CURSOR, document(cursor=changes.cursor))
            return len(changes.items)

        return await self.database.transact(work)

    async def _one(self, waiting: Work) -> int:
        lease = await self.database.transact(lambda uow: self._take(uow, waiting))
        if lease is None:
            return 0
        task = await self.database.read(lambda uow: uow.sync.get(lease.id))
        if task is None:
            return 0
        try:
            self.failpoints("sync.taken")
            await self._bring_in_step(lease, task)
        except LeaseLostError:
            log.warning("sync lease lost", extra={"task_id": lease.id})
        except ShopUnavailableError:
            await self._later(lease, "shop_unavailable")
        except Exception:
            log.exception("sync task failed", extra={"task_id": lease.id})
            await self._later(lease, "error")
        return 1

    def _take(self, uow: UnitOfWork, waiting: Work) -> Work | None:
        """Take a row that is due; one whose attempts are used up gets its dead letter instead."""
        now = self.clock.now()
        if waiting.status == SyncStatus.PROCESSING and not waiting.ran_out(now=now):
            return None
        if waiting.status == SyncStatus.PENDING and not waiting.is_due(now=now):
            return None
        task = uow.sync.get(waiting.id, lock=True)
        if task is None or (task.status.value, task.attempts, task.processed_at) != (
            waiting.status,
            waiting.attempts,
            waiting.stamp,
        ):
            return None
        settling = task.entity_type is EntityType.INVENTORY and now < task.created_at + INVENTORY_SETTLES
        if waiting.status == SyncStatus.PENDING and settling:
            return None
        if waiting.attempts > len(BACK_OFF):
            ended = task.failed("crash", now=now)
            uow.sync.save(ended)
            if ended.status is SyncStatus.FAILED:
                self._letter(uow, task, Reason.CRASH)
            return None
        taken = waiting.taken(SyncStatus.PROCESSING, now=now)
        uow.sync.move(waiting, taken)
        return taken

    async def _bring_in_step(self, lease: Work, task: SyncTask) -> None:
        if task.entity_type is EntityType.ORDER:
            order = None
            if task.action is not SyncAction.DELETE:
                try:
                    order = await self.shop.order(order_id=task.entity_id)
                except ShopNotFoundError:
                    order = None
            await self._finish(lease, lambda uow: self._order_seen(uow, task, order))
            return
        facts = await self._facts(task)
        await self._finish(lease, lambda uow: self._facts_seen(uow, facts))

    async def _facts(self, task: SyncTask) -> dict[int, dict[str, object]]:
        """Price and stock of the sellables that this row is about."""
        if task.action is SyncAction.DELETE:
            return {}
        if task.entity_type is EntityType.PRODUCT:
            try:
                product = await self.shop.product(product_id=task.entity_id)
            except ShopNotFoundError:
                return {}
            sold = product.variants or (product,)
            return {
                one.id: {"price": money_to_json(one.price), "quantity": one.stock, "stock": not one.is_sold_out}
                for one in sold
            }
        (check,) = await self.shop.check(lines=(Line(product_id=task.entity_id, quantity=1),))
        if check.price is None:
            return {}
        facts: dict[str, object] = {
            "price": money_to_json(check.price),
            "quantity": check.available,
            "stock": check.is_ok,
        }
        return {task.entity_id: facts}

    def _facts_seen(self, uow: UnitOfWork, facts: dict[int, dict[str, object]]) -> None:
        """Renew the facts and keep what was in force before."""
        now = self.clock.now()
        for sellable, seen in facts.items():
            name = f"shop:item:{sellable}"
            before = uow.options.get(name, lock=True) or {}
            history = list(before.get("history", ()))
            entry = [iso(now), seen["price"], seen["stock"]]
            if not history or history[-1][1:] != entry[1:]:
                history = [*history, entry][-40:]
            uow.options.put(name, document(**{**before, **seen, "history": history}))

    def _order_seen(self, uow: UnitOfWork, task: SyncTask, order: Order | None) -> None:
        """What changed since the order was last seen becomes notices, in this transaction."""
        now = self.clock.now()
        name = f"shop:order:{task.entity_id}"
        before = uow.options.get(name)
        if order is None or before is None:
            return
        phone = str(before.get("phone") or order.phone)
        if is_erased(phone):
            uow.options.put(name, seen_state(order, before))
            return
        profile = uow.customers.lock(phone, now=now)
        uow.customers.save(self.counting.noted(profile, _seen(order), now=now))
        before = uow.options.get(name, lock=True) or before
        for word in news(order, before):
            there = uow.notifications.of_order(order.id, word)
            repeats = word.startswith(STATUS_PREFIX) and all(
                now - one.created_at >= STATUS_TOLD_ONCE_IN for one in there
            )
            if there and not repeats:
                continue
            uow.notifications.add(
                Notification(
                    order_id=order.id,
                    notification_type=word,
                    customer_phone=phone,
                    created_at=now,
                    updated_at=now + DELAY,
                )
            )
        uow.options.put(name, seen_state(order, before))

    async def _finish(self, lease: Work, effects: Callable[[UnitOfWork], None]) -> None:
        self.failpoints("sync.after_call")

        def work(uow: UnitOfWork) -> None:
            effects(uow)
            task = uow.sync.get(lease.id, lock=True)
            if task is None:
                raise LeaseLostError(task_id=lease.id)
            uow.sync.finish(lease, task.completed(now=self.clock.now()))
            self._letters_answered(uow, task)

        await self.database.transact(work)
        self.failpoints("sync.finished")

    async def _later(self, lease: Work, error: str) -> None:
        """Back to waiting, or given up with a dead letter in the same transaction."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            task = uow.sync.get(lease.id, lock=True)
            if task is None:
                return
            if lease.attempts > len(BACK_OFF):
                ended = task.failed(error, now=now)
                if ended.status is SyncStatus.FAILED:
                    self._letter(uow, task, Reason.MAX_RETRIES_EXCEEDED)
                uow.sync.finish(lease, ended)
                return
            uow.sync.finish(lease, task.retried(error, now=now))

        try:
            await self.database.transact(work)
        except LeaseLostError:
            log.warning("sync lease lost", extra={"task_id": lease.id})

    def _letter(self, uow: UnitOfWork, task: SyncTask, reason: str) -> None:
        uow.dead_letters.add(
            DeadLetter.of_row(
                task.hook,
                "sync_queue",
                task.id,
                reason,
                error=task.error_message,
                attempts=task.attempts,
                now=self.clock.now(),
            )
        )

    def _letters_answered(self, uow: UnitOfWork, task: SyncTask) -> None:
        """A row that came in step after all needs nobody's decision any more."""
        now = self.clock.now()
        for letter in uow.dead_letters.listed(status=DeadLetterStatus.PENDING, hook=task.hook):
            held = uow.dead_letters.get(letter.id, lock=True)
            if held is not None and held.status is DeadLetterStatus.PENDING:
                uow.dead_letters.save(held.replayed(now=now, by="worker"))

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


def _seen(order: Order) -> OrderSeen:
    return OrderSeen(
        id=order.id,
        at=order.created_at,
        modified=order.updated_at,
        status=order.status.value,
        total=order.total.amount,
        refunded=order.refunded.amount,
        currency=order.currency,
    )

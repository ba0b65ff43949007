"""Watching a shop that tells by webhook: it switches one off by itself, and nobody is told but who asks."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, ClassVar

import attrs

from wch.application.alarms import alarm
from wch.application.ports import Clock, Database, Held, UnitOfWork, WebhookWatch
from wch.domain.document import document
from wch.domain.moment import iso, of_iso
from wch.domain.shop_error import ShopError
from wch.domain.sync import EntityType, SyncAction

log = logging.getLogger(__name__)

WEBHOOKS = "shop.webhooks"
"""The option that remembers when the webhooks were looked at, and which were off."""

VARIANTS = "shop.variants"
"""The option that remembers when products in use were last read anew."""

LOOKS_EVERY = timedelta(hours=1)
READS_EVERY = timedelta(hours=6)
VIEWED_WITHIN = timedelta(days=30)
_PAGE = 200


@attrs.frozen(kw_only=True)
class ShopWatch:
    """The duty that looks after what webhooks do not tell.

    Attributes:
        watch: the shop's webhooks.
        reactivate: switch one that is off on again; what it missed, `changed_since` finds.
    """

    kind: ClassVar[str] = "shop watch"

    database: Database
    clock: Clock
    watch: WebhookWatch
    reactivate: bool

    async def work(self) -> int:
        """Look once an hour, and every six hours read again what customers have before their eyes."""
        done = 0
        if await self.database.transact(lambda uow: self._is_due(uow, WEBHOOKS, LOOKS_EVERY)):
            done += await self._look()
        if await self.database.transact(lambda uow: self._is_due(uow, VARIANTS, READS_EVERY)):
            done += await self._read_again()
        return done

    def _is_due(self, uow: UnitOfWork, name: str, every: timedelta) -> bool:
        """Claim the turn, so that one of several workers looks."""
        now = self.clock.now()
        before = uow.options.get(name, lock=True) or {}
        if "at" in before and now - of_iso(str(before["at"])) < every:
            return False
        uow.options.put(name, document(**{**before, "at": iso(now)}))
        return True

    async def _look(self) -> int:
        try:
            off = await self.watch.disabled_webhooks(reactivate=self.reactivate)
        except ShopError:
            # Whether the shop answers at all is the breaker's to tell.
            log.warning("the shop's webhooks could not be looked at")
            return 0

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            before = uow.options.get(WEBHOOKS, lock=True) or {}
            known = set(before.get("off", ()))
            if set(off) - known:
                alarm(uow, "shop_webhook_disabled", now=now, topics=sorted(off), reactivated=self.reactivate)
            left = [] if self.reactivate else sorted(off)
            uow.options.put(WEBHOOKS, document(at=before.get("at", iso(now)), off=left))
            return len(off)

        return await self.database.transact(work)

    async def _read_again(self) -> int:
        """Enqueue every product in a cart, or viewed within a month: a variant's stock does not always stamp its product."""
        since = self.clock.now() - VIEWED_WITHIN
        wanted: set[int] = set()
        for table in ("carts", "product_views"):
            after: tuple[Any, ...] | None = None
            while page := await self.database.read(partial(_page, table, after)):
                for held in page:
                    wanted |= _products(held, since)
                after = page[-1].key

        def work(uow: UnitOfWork) -> int:
            uow.sync.enqueue_all(EntityType.PRODUCT, wanted, SyncAction.UPDATE, now=self.clock.now())
            return len(wanted)

        return await self.database.transact(work)


def _page(table: str, after: tuple[Any, ...] | None, uow: UnitOfWork) -> Sequence[Held]:
    return uow.holdings.page(table, after=after, limit=_PAGE)


def _products(held: Held, since: datetime) -> set[int]:
    if held.table == "product_views":
        return {int(held.values["product_id"])} if held.values["viewed_at"] >= since else set()
    items = held.values.get("items")
    found = (
        (item.get("product_id") for item in items if isinstance(item, Mapping))
        if isinstance(items, list | tuple)
        else ()
    )
    return {one for one in found if isinstance(one, int)}

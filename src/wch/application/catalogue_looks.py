"""Catalogue looks: a product read from the shop, what its items should be, and what has to be sent for it."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence

import attrs

from wch.application import product_facts
from wch.application.ports import Catalogue, Database, Shop, UnitOfWork
from wch.domain.catalogue import Product, Variant
from wch.domain.catalogue_item import CatalogueItem, Difference, ItemRules, SentItems, UnfitItem
from wch.domain.shop_error import ShopError, ShopNotFoundError
from wch.domain.sync import EntityType, SyncTask

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Products that are read from the shop at the same time."""

VARIANTS_A_PAGE = 100


class UnreadableProductError(ShopError):
    """What the shop tells of this product cannot be read."""


@attrs.frozen(kw_only=True)
class Look:
    """A product as the shop tells it now, with all its variants; None, and no items, when it does not sell it."""

    product_id: int
    product: Product | None = None
    items: Sequence[CatalogueItem | UnfitItem] = ()


@attrs.frozen(kw_only=True)
class CatalogueLooks:
    """Looks at products; changes nothing.

    Attributes:
        catalogue: where items go; None: there is none, and products are looked at for their facts alone.
        rules: how products become items.
    """

    database: Database
    shop: Shop
    catalogue: Catalogue | None
    rules: ItemRules

    def name(self, product_id: int) -> str:
        """The option that remembers what was sent of a product."""
        return f"{self.prefix}{product_id}"

    @property
    def prefix(self) -> str:
        """How those options begin."""
        return f"catalog:{'' if self.catalogue is None else self.catalogue.id}:"

    async def products_of(self, tasks: Sequence[SyncTask]) -> Mapping[int, int]:
        """The product behind each task, by the task's id; a stock level whose product nobody knows is absent."""
        products = {task.id: task.entity_id for task in tasks if task.entity_type is EntityType.PRODUCT}
        levels = [task for task in tasks if task.entity_type is EntityType.INVENTORY]
        if not levels:
            return products
        found = await self.shop.resolve(retailer_ids=tuple(str(task.entity_id) for task in levels))

        def remembered(uow: UnitOfWork) -> dict[int, int | None]:
            return {task.id: _product_of(uow, task.entity_id) for task in levels}

        known = await self.database.read(remembered)
        for task in levels:
            sold = found.get(str(task.entity_id))
            product = known[task.id] if sold is None or sold.id != task.entity_id else sold.product_id
            if product is not None:
                products[task.id] = product
        return products

    async def all(self, product_ids: Iterable[int]) -> Mapping[int, Look | ShopError]:
        """A look at each of these products, or why the shop did not tell of it."""
        room = asyncio.Semaphore(AT_ONCE)
        shop = (await self.shop.about()).name if self.catalogue is not None else ""

        async def one(product_id: int) -> Look | ShopError:
            async with room:
                try:
                    return await self._look(product_id, shop)
                except ShopError as error:
                    return error
                except Exception:
                    log.exception("a product could not be read", extra={"product": product_id})
                    return UnreadableProductError(product_id=product_id)

        wanted = list(dict.fromkeys(product_ids))
        return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))

    async def sent(self, product_ids: Iterable[int]) -> Mapping[int, SentItems]:
        """What was sent of each of these products."""
        wanted = list(product_ids)
        return await self.database.read(
            lambda uow: {one: SentItems.read(uow.options.get(self.name(one))) for one in wanted}
        )

    async def differences(self, product_ids: Sequence[int]) -> Mapping[int, Difference | ShopError]:
        """What would have to be sent of each of these products."""
        looks, sent = await self.all(product_ids), await self.sent(product_ids)
        return {
            one: Difference.between(look.items, sent[one]) if isinstance(look, Look) else look
            for one, look in looks.items()
        }

    async def _look(self, product_id: int, shop: str) -> Look:
        try:
            product = await self.shop.product(product_id=product_id)
        except ShopNotFoundError:
            return Look(product_id=product_id)
        variants = await self._variants(product)
        items = [] if self.catalogue is None else self.rules.items(product, variants, shop=shop)
        return Look(product_id=product_id, product=attrs.evolve(product, variants=tuple(variants)), items=items)

    async def _variants(self, product: Product) -> Sequence[Variant]:
        """All of them: the product itself tells the first hundred."""
        if len(product.variants) < VARIANTS_A_PAGE:
            return product.variants
        found: dict[int, Variant] = {}
        cursor: str | None = None
        while True:
            page = await self.shop.variants(product_id=product.id, cursor=cursor, limit=VARIANTS_A_PAGE)
            found |= {one.id: one for one in page.items}
            cursor = page.next
            if cursor is None:
                return tuple(found.values())


def _product_of(uow: UnitOfWork, sellable: int) -> int | None:
    """The product that a sellable was, or was a variant of, when it was seen last."""
    facts = product_facts.known(uow, sellable)
    return None if facts is None else facts.product or sellable

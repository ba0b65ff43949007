"""What of a product stands in the linked catalogue, so that WhatsApp's own product card can show it."""

from collections.abc import Mapping
from typing import Any

import attrs

from wch.application.ports import Database
from wch.domain.catalogue import Product
from wch.domain.outgoing import ProductList, ProductMessage, ProductSection

LISTED = "catalog:"
"""How the options begin that hold what was sent to a catalogue, by its id and the product's."""

MOST = 30


@attrs.frozen(kw_only=True)
class Listing:
    """The linked catalogue, as far as the hub has put products into it."""

    database: Database
    catalog_id: str

    async def items_of(self, product_id: int) -> frozenset[str]:
        """The ids under which a product, or its variants, stand in the catalogue."""
        option = f"{LISTED}{self.catalog_id}:{product_id}"
        known = await self.database.read(lambda uow: uow.options.get(option))
        items: Any = (known or {}).get("items")
        return frozenset(items) if isinstance(items, Mapping) else frozenset()

    async def card_of(
        self, product: Product, variation_id: int | None, words: str, title: str
    ) -> ProductMessage | ProductList | None:
        """The product as WhatsApp shows it itself; None when it is not in the catalogue.

        Args:
            product: which one.
            variation_id: one variant of it; None shows all that can be bought.
            words: what is said with it.
            title: over the list of variants.
        """
        items = await self.items_of(product.id)
        sellable = [(product.id, product.sku)]
        if product.variants:
            sellable = [
                (one.id, one.sku) for one in product.variants if not one.is_sold_out and variation_id in {None, one.id}
            ]
        listed = [key for number, sku in sellable for key in (str(number), sku) if key in items]
        if not listed:
            return None
        if len(listed) == 1:
            return ProductMessage(catalog_id=self.catalog_id, retailer_id=listed[0], body=words)
        section = ProductSection(retailer_ids=tuple(listed[:MOST]))
        return ProductList(header=title, body=words, catalog_id=self.catalog_id, sections=(section,))

"""What a shop sells, and how it is found."""
# ruff: noqa: RUF001 - a suite asserts, its figures are its examples, people write Arabic

import asyncio
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from wch.application.ports import Shop
from wch.domain.catalogue import LARGEST_ID, ChangeKind
from wch.domain.money import Money
from wch.domain.quote import Line, Verdict
from wch.domain.shop_error import ShopNotFoundError
from wch.testing.shop_contract.shelf import (
    LAMP,
    MUG,
    SHIRT,
    SHIRT_M,
    Shelf,
    drafted,
    line_of,
    placed,
)


class CatalogueContract:
    """Search, categories, products, and what changed."""

    async def test_a_walk_shows_what_stays_exactly_once(self, shelf: Shelf) -> None:
        """Rows come and go between two pages; those that were there all the time are neither lost nor doubled."""
        shop = await shelf.open(*(attrs.evolve(MUG, sku=f"M{n:02}", name=f"Mug {n:02}") for n in range(25)))
        seen: list[str] = []
        cursor = None
        for turn in range(20):
            page = await shop.search(cursor=cursor, limit=7)
            seen += [card.name for card in page.items]
            cursor = page.next
            if cursor is None:
                break
            await shelf.put(
                shop,
                attrs.evolve(MUG, sku=f"A{turn}", name=f"A new one {turn}"),
                attrs.evolve(MUG, sku="M00", name="Mug 00", active=False),
            )

        assert [name for name in seen if name.startswith("Mug")] == [f"Mug {n:02}" for n in range(25)]

    async def test_a_text_finds_by_every_word(self, shelf: Shelf) -> None:
        """Customers type plurals and leave accents out; one word that does not fit is one too many."""
        shop = await shelf.open(LAMP, MUG, attrs.evolve(MUG, sku="C", name="Café lámpara"))

        assert [card.name for card in (await shop.search(text="blue lamps")).items] == ["Blue Lamp"]
        assert [card.name for card in (await shop.search(text="LAMPARA cafe")).items] == ["Café lámpara"]
        assert (await shop.search(text="green lamp")).items == ()

    async def test_categories_count_what_is_sold_below_them(self, shelf: Shelf) -> None:
        """A category in which nothing is sold is not shown."""
        shop = await shelf.open(LAMP, MUG, attrs.evolve(MUG, sku="OLD", categories=("Attic",), active=False))
        tops = (await shop.categories()).items
        (lamps,) = (await shop.categories(parent_id=tops[0].id)).items

        assert [(top.name, top.count) for top in tops] == [("Home", 1), ("Kitchen", 1)]
        assert lamps.name == "Lamps"
        assert [card.name for card in (await shop.search(category_id=tops[0].id)).items] == ["Blue Lamp"]

    async def test_sold_out_goods_are_left_out_when_asked(self, shelf: Shelf) -> None:
        """Only what can be bought is in stock; what is not counted always is."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=0), attrs.evolve(MUG, stock=None))

        assert [card.name for card in (await shop.search(in_stock=True)).items] == ["Mug"]
        assert len((await shop.search()).items) == 2

    async def test_a_product_shows_its_variants(self, shelf: Shelf) -> None:
        """A variable product has the cheapest price, all its pieces, and what its variants differ in."""
        large = attrs.evolve(SHIRT_M, sku="SHIRT-L", price=Decimal(22), stock=1, attributes={"Size": "L"})
        shop = await shelf.open(SHIRT, SHIRT_M, large)
        line = await line_of(shop, "SHIRT-M")
        product = await shop.product(product_id=line.product_id)
        first = await shop.variants(product_id=line.product_id, limit=1)
        second = await shop.variants(product_id=line.product_id, limit=1, cursor=first.next)

        assert (product.price, product.stock) == (Money(18, "EUR"), 6)
        assert [(each.name, each.options) for each in product.attributes] == [("Size", ("M", "L"))]
        assert [each.id for each in product.variants] == [first.items[0].id, second.items[0].id]
        assert second.next is None
        assert product.variants[0].attributes == {"Size": "M"}

    async def test_what_is_not_there_is_not_found(self, shelf: Shelf) -> None:
        """A number that nobody has, up to the largest, is an answer, not a failure."""
        shop = await shelf.open(LAMP)

        for number in (LARGEST_ID, 10**9):
            with pytest.raises(ShopNotFoundError):
                await shop.product(product_id=number)
            with pytest.raises(ShopNotFoundError):
                await shop.order(order_id=number)
        assert await shop.resolve(retailer_ids=["nothing", "999999999999999999999999"]) == {}
        assert await shop.find_order(key="never", since=shelf.clock.now()) is None

    async def test_a_catalogue_id_is_a_number_or_an_article(self, shelf: Shelf) -> None:
        """The phone sends what the catalogue was filled with; one number names a sellable."""
        shop = await shelf.open(LAMP, SHIRT, SHIRT_M)
        lamp, shirt = await line_of(shop, "LAMP"), await line_of(shop, "SHIRT-M")
        found = await shop.resolve(retailer_ids=[str(lamp.product_id), str(shirt.variation_id)])

        assert found[str(lamp.product_id)].id == lamp.product_id
        assert found[str(shirt.variation_id)].product_id == shirt.product_id
        (check,) = await shop.check(lines=[Line(product_id=shirt.sellable_id, quantity=1)])
        assert (check.verdict, check.name) == (Verdict.OK, "Shirt")

    async def test_what_is_new_is_told_the_newest_first(self, shelf: Shelf) -> None:
        """Published after the moment; a product that only changed is not new."""
        shop = await shelf.open(attrs.evolve(LAMP, categories=("Home",)))
        opened = shelf.clock.now()
        shelf.clock.advance(timedelta(hours=1))
        await shelf.put(shop, MUG)
        shelf.clock.advance(timedelta(hours=1))
        await shelf.put(shop, attrs.evolve(LAMP, categories=("Home",), name="Lamp, dimmed"))
        await shelf.put(shop, attrs.evolve(MUG, sku="BOWL", name="Bowl", categories=("Home",)))

        found = await shop.arrivals(since=opened)

        assert [one.name for one in found] == ["Bowl", "Mug"]
        assert found[0].published_at == shelf.clock.now()
        assert [one.name for one in await shop.arrivals(since=opened, limit=1)] == ["Bowl"]
        lamp = await shop.product(product_id=(await line_of(shop, "LAMP")).product_id)
        assert found[0].categories == tuple(category.id for category in lamp.categories)

    async def test_the_feed_of_changes_skips_nothing(self, shelf: Shelf) -> None:
        """Everything that changes after a cursor is told after it, also when many write at once."""
        shop = await shelf.open(LAMP, *(attrs.evolve(MUG, sku=f"M{n}") for n in range(8)))
        cursor = await _end_of(shop)
        draft = await drafted(shop, [await line_of(shop, "M0")])
        orders = await asyncio.gather(
            *(shop.create_order(key=f"k{n}-create_order", draft=draft) for n in range(8)),
            shelf.put(shop, attrs.evolve(LAMP, stock=9)),
        )
        told: set[tuple[ChangeKind, int]] = set()
        while True:
            page = await shop.changed_since(cursor=cursor, limit=3)
            if not page.items:
                break
            told |= {(change.kind, change.id) for change in page.items}
            cursor = page.cursor

        assert told >= {(ChangeKind.ORDER, order.id) for order in orders if order is not None}
        assert (ChangeKind.PRODUCT, (await line_of(shop, "LAMP")).product_id) in told
        await shop.cancel_order(order_id=orders[0].id if orders[0] else 0, reason="x")
        assert (await shop.changed_since(cursor=cursor)).items

    async def test_names_may_hold_anything(self, shelf: Shelf) -> None:
        """Emoji, quotes and right-to-left marks come out as they went in; a NUL never breaks a store."""
        name = 'L\'amp "bleue" 🪔 \u200fمصباح \\ %_'
        shop = await shelf.open(attrs.evolve(LAMP, name=name), attrs.evolve(MUG, name="M\x00ug"))
        line = await line_of(shop, "LAMP")

        assert (await shop.product(product_id=line.product_id)).name == name
        assert (await placed(shop, shelf, [line])).lines[0].name == name
        assert (await shop.product(product_id=(await line_of(shop, "MUG")).product_id)).name.endswith("ug")
        assert (await shop.search(text="%")).items == (await shop.search()).items
        assert [card.name for card in (await shop.search(text="مصباح")).items] == [name]


async def _end_of(shop: Shop) -> str | None:
    cursor = None
    while True:
        page = await shop.changed_since(cursor=cursor, limit=100)
        cursor = page.cursor
        if not page.items:
            return cursor

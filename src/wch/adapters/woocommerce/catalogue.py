"""What the shop sells: cards, products, variants, and a verdict on each line."""

import asyncio
import base64
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from wch.adapters.woocommerce.bodies import WooProduct, named, number, text
from wch.adapters.woocommerce.calling import PER_PAGE, STORE, WooApi
from wch.adapters.woocommerce.facts import Facts
from wch.adapters.woocommerce.holds import Holds
from wch.domain.catalogue import LARGEST_ID, Arrival, Attribute, Category, Page, Product, ProductCard, Sellable, Variant
from wch.domain.money import Money
from wch.domain.quote import Line, LineCheck, Verdict
from wch.domain.shop_error import ShopNotFoundError, ShopRefusedError

CARDS_A_CALL = 30
LONGEST_TEXT = 100
_PLURAL = 4
"""A word of fewer letters is left as it is."""


@attrs.frozen(kw_only=True)
class Good:
    """A line with what the shop has under its numbers.

    Attributes:
        line: what was asked.
        verdict: what the numbers alone say; the count is not looked at.
        sold: what is sold; None when there is no such thing.
        shown: what carries the name: the product of a variant.
    """

    line: Line
    verdict: Verdict
    sold: WooProduct | None = None
    shown: WooProduct | None = None

    @property
    def guarded(self) -> tuple[int, int] | None:
        """Whose count limits it, and the count; None when none does."""
        if self.sold is None or not self.sold.counted or self.sold.stock is None or self.sold.backorders:
            return None
        return self.sold.guarded_id, self.sold.stock


@attrs.define(kw_only=True)
class Catalogue:
    """Reads products; what our own buyers hold counts as gone."""

    api: WooApi
    facts: Facts
    holds: Holds
    _sorts_by_menu: bool = attrs.field(default=True, init=False)

    # --- lists

    async def search(
        self, *, words: str | None, category_id: int | None, in_stock: bool, cursor: str | None, limit: int
    ) -> Page[ProductCard]:
        """A page of cards.

        The cursor holds the ids that were shown last, so that rows which come and go before
        them neither hide nor repeat what stays.
        """
        await self.facts.about()
        words = _searchable(words)
        page, seen = _position(cursor)
        shown: list[tuple[int, ProductCard]] = []
        found, page, last = await self._from(words, category_id, page, seen)
        while True:
            cards = await self._cards([one for one in found if _is_listed(one, searched=words is not None)])
            shown += [(page, card) for card in cards if not in_stock or card.stock is None or card.stock > 0]
            if len(shown) > limit or last:
                break
            page += 1
            found, last = await self._page(words, category_id, page)
        items = tuple(card for _, card in shown[:limit])
        more = len(shown) > limit
        return Page(items=items, next=_cursor(shown[limit - 1][0], [card.id for card in items]) if more else None)

    async def _from(
        self, words: str | None, category_id: int | None, page: int, seen: Sequence[int]
    ) -> tuple[list[WooProduct], int, bool]:
        """What follows the last that was shown, the page it stands on now, and whether that is the last."""
        if not seen:
            found, last = await self._page(words, category_id, page)
            return found, page, last
        tried = [one for one in dict.fromkeys((page, page - 1, page + 1, *range(1, page - 1))) if one >= 1]
        for candidate in tried:
            found, last = await self._page(words, category_id, candidate)
            places = [place for place, one in enumerate(found) if one.id in seen]
            if places:
                return found[places[-1] + 1 :], candidate, last
        found, last = await self._page(words, category_id, page)
        return found, page, last

    async def _page(self, words: str | None, category_id: int | None, page: int) -> tuple[list[WooProduct], bool]:
        """One page of the shop's list, and whether it is the last."""
        asked: dict[str, object] = {
            "status": "publish",
            "per_page": CARDS_A_CALL,
            "page": page,
            "search": words,
            "category": category_id,
        }
        if words is None:
            asked |= {"orderby": "menu_order" if self._sorts_by_menu else "title", "order": "asc"}
        try:
            reply = await self.api.get("products", **asked)
        except ShopRefusedError as error:
            if error.code != "rest_invalid_param" or words is not None or not self._sorts_by_menu:
                raise
            self._sorts_by_menu = False
            return await self._page(words, category_id, page)
        return [WooProduct.read(row) for row in reply.rows], page >= (reply.pages or 1)

    async def _cards(self, products: Sequence[WooProduct]) -> list[ProductCard]:
        held = await self._held(products)
        return [self._card(one, held) for one in products if one.price is not None]

    def _card(self, one: WooProduct, held: Mapping[int, int]) -> ProductCard:
        price = self._price(one)
        return ProductCard(
            id=one.id,
            name=one.name,
            price_from=price,
            regular_from=self._regular(one, price),
            stock=_free(one, held),
            image_url=next(iter(one.images), None),
            has_variants=one.type == "variable",
        )

    async def categories(self, *, parent_id: int | None, cursor: str | None, limit: int) -> Page[Category]:
        """The categories right below, by name; the cursor is how far the list was walked."""
        page, seen = _position(cursor)
        reply = await self.api.get(
            "products/categories",
            parent=parent_id or 0,
            hide_empty=True,
            orderby="name",
            order="asc",
            per_page=PER_PAGE,
            page=page,
        )
        found = [
            Category(id=row_id, name=named(row.get("name")), parent_id=number(row.get("parent")), count=count)
            for row in reply.rows
            if (row_id := number(row.get("id"))) is not None and (count := number(row.get("count"))) is not None
        ]
        places = [place for place, one in enumerate(found) if one.id in seen]
        rest = found[places[-1] + 1 :] if places else found
        items = tuple(rest[:limit])
        if len(rest) > limit:
            return Page(items=items, next=_cursor(page, [one.id for one in items]))
        return Page(items=items, next=_cursor(page + 1, []) if page < (reply.pages or 1) else None)

    # --- one product

    async def product(self, product_id: int) -> Product:
        """A published product with its first hundred variants."""
        await self.facts.about()
        one = WooProduct.read((await self.api.get(f"products/{product_id}")).item)
        if one.type == "variation" or not one.is_published or one.price is None:
            raise ShopNotFoundError(product_id=product_id)
        variants = (
            (await self.variants(product_id, cursor=None, limit=PER_PAGE)).items if one.type == "variable" else ()
        )
        held = await self._held([one])
        price = self._price(one)
        stock = _free(one, held)
        if variants:
            counts = [variant.stock for variant in variants]
            stock = None if None in counts else sum(count for count in counts if count is not None)
            if one.counted and one.stock is not None:
                stock = _free(attrs.evolve(one, type="simple"), held)
        return Product(
            id=one.id,
            name=one.name,
            description=one.description,
            sku=one.sku,
            price=price,
            regular_price=self._regular(one, price),
            stock=stock,
            min=one.min,
            max=one.max,
            needs_shipping=one.needs_shipping,
            images=one.images,
            url=one.url,
            brand=one.brand,
            categories=tuple(Category(id=row_id, name=name, count=0) for row_id, name in one.categories),
            attributes=_differing(one, variants),
            variants=variants,
            updated_at=one.updated_at,
        )

    async def variants(self, product_id: int, *, cursor: str | None, limit: int) -> Page[Variant]:
        """The variants that are sold, by id, after the one that the cursor names."""
        await self.facts.about()
        after = int(cursor) if cursor is not None and cursor.isdecimal() else 0
        rows: list[WooProduct] = []
        page = 1
        while len(rows) <= limit:
            reply = await self.api.get(
                f"products/{product_id}/variations", per_page=PER_PAGE, page=page, orderby="id", order="asc"
            )
            read = [_of_parent(WooProduct.read(row), product_id) for row in reply.rows]
            rows += [one for one in read if one.id > after and one.is_published and one.price is not None]
            if page >= (reply.pages or 1):
                break
            page += 1
        held = await self._held(rows)
        items = tuple(self._variant(one, product_id, held) for one in rows[:limit])
        return Page(items=items, next=str(items[-1].id) if len(rows) > limit else None)

    def _variant(self, one: WooProduct, product_id: int, held: Mapping[int, int]) -> Variant:
        price = self._price(one)
        return Variant(
            id=one.id,
            product_id=product_id,
            attributes=attributes_of(one),
            sku=one.sku,
            price=price,
            regular_price=self._regular(one, price),
            stock=_free(one, held),
            image_url=next(iter(one.images), None),
        )

    async def arrivals(self, since: datetime, limit: int) -> tuple[Arrival, ...]:
        """Products that can be bought and were published after then, the newest first."""
        await self.facts.about()
        found: list[Arrival] = []
        page = 1
        while len(found) < limit:
            reply = await self.api.get(
                "products",
                status="publish",
                after=since.strftime("%Y-%m-%dT%H:%M:%S"),
                dates_are_gmt=True,
                orderby="date",
                order="desc",
                per_page=PER_PAGE,
                page=page,
            )
            fresh = [one for one in map(WooProduct.read, reply.rows) if _is_listed(one, searched=False)]
            held = await self._held(fresh)
            found += [
                Arrival(
                    id=one.id,
                    name=one.name,
                    categories=tuple(row_id for row_id, _ in one.categories),
                    published_at=one.created_at,
                )
                for one in fresh
                if one.price is not None and one.purchasable and _free(one, held) != 0
            ]
            if page >= (reply.pages or 1):
                break
            page += 1
        return tuple(found[:limit])

    async def resolve(self, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """A variant's number, a product's number, an article number: in this order."""
        numbers = sorted({row_id for one in retailer_ids if (row_id := number(one)) is not None})
        by_id: dict[int, Sellable] = {}
        if numbers:
            products, variations = await asyncio.gather(
                self.api.get("products", include=numbers, per_page=PER_PAGE, status="publish"),
                self.api.call(
                    "GET", f"{STORE}/products", params={"type": "variation", "include": numbers, "per_page": PER_PAGE}
                ),
            )
            for row in products.rows:
                one = WooProduct.read(row)
                by_id[one.id] = Sellable(product_id=one.id)
            for row in variations.rows:
                variant, parent = number(row.get("id")), number(row.get("parent"))
                if variant is not None and parent is not None:
                    by_id[variant] = Sellable(product_id=parent, variation_id=variant)
        found = {one: by_id[row_id] for one in retailer_ids if (row_id := number(one) or 0) in by_id}
        articles = sorted({one for one in retailer_ids if one and one not in found and "," not in one})
        if articles:
            reply = await self.api.get("products", sku=articles, per_page=PER_PAGE, status="publish")
            for row in reply.rows:
                sku = text(row.get("sku"))
                if sku not in articles:
                    continue
                one = WooProduct.read(row)
                if one.type == "variation" and one.parent_id is not None:
                    found[sku] = Sellable(product_id=one.parent_id, variation_id=one.id)
                else:
                    found.setdefault(sku, Sellable(product_id=one.id))
        return found

    # --- lines

    async def check(self, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict for each line."""
        await self.facts.about()
        goods = await self.goods(lines)
        held = await self._held([good.sold for good in goods if good.sold is not None])
        return tuple(self._checked(good, held) for good in goods)

    def _checked(self, good: Good, held: Mapping[int, int]) -> LineCheck:
        sold, shown = good.sold, good.shown
        if sold is None or shown is None:
            return LineCheck(line=good.line, verdict=good.verdict, name="" if shown is None else shown.name)
        available = None if sold.type == "variable" else _free(sold, held)
        most, least = sold.max or shown.max, max(sold.min, shown.min)
        verdict = good.verdict
        if verdict is Verdict.OK and available is not None and available < good.line.quantity:
            verdict = Verdict.NOT_ENOUGH if available > 0 else Verdict.OUT_OF_STOCK
        elif verdict is Verdict.OK and not least <= good.line.quantity <= (most or LARGEST_ID):
            verdict = Verdict.LIMIT
        price = None if sold.price is None else self._price(sold)
        return LineCheck(
            line=good.line,
            verdict=verdict,
            available=available,
            price=price,
            regular_price=None if price is None else self._regular(sold, price),
            name=shown.name,
            attributes=attributes_of(sold) if sold is not shown else {},
            needs_shipping=sold.needs_shipping,
            min=least,
            max=most,
        )

    async def goods(self, lines: Sequence[Line]) -> tuple[Good, ...]:
        """What the shop has under the numbers of these lines."""
        products = await self._products({line.product_id for line in lines})
        wanted: dict[int, set[int]] = {}
        for line in lines:
            if line.variation_id is not None and line.product_id in products:
                wanted.setdefault(line.product_id, set()).add(line.variation_id)
        parents = sorted(wanted)
        pages = await asyncio.gather(*(self._variations(parent, wanted[parent]) for parent in parents))
        variants = {one.id: one for page in pages for one in page}
        return tuple(_good(line, products, variants) for line in lines)

    async def _products(self, ids: Iterable[int]) -> dict[int, WooProduct]:
        """Products by id; a number that is a variant's own brings its product too."""
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        reply = await self.api.get("products", include=wanted, per_page=PER_PAGE)
        found = {one.id: one for one in map(WooProduct.read, reply.rows)}
        lone = await asyncio.gather(*(self._lone(one) for one in wanted if one not in found))
        found |= {one.id: one for one in lone if one is not None}
        absent = {one.parent_id for one in found.values() if one.type == "variation" and one.parent_id not in found}
        more = await asyncio.gather(*(self._lone(one) for one in sorted(filter(None, absent))))
        return found | {one.id: one for one in more if one is not None}

    async def _lone(self, product_id: int) -> WooProduct | None:
        try:
            return WooProduct.read((await self.api.get(f"products/{product_id}")).item)
        except ShopNotFoundError:
            return None

    async def _variations(self, product_id: int, ids: Iterable[int]) -> list[WooProduct]:
        reply = await self.api.get(f"products/{product_id}/variations", include=sorted(ids), per_page=PER_PAGE)
        return [_of_parent(WooProduct.read(row), product_id) for row in reply.rows]

    async def _held(self, products: Iterable[WooProduct]) -> dict[int, int]:
        """Pieces that our buyers hold, by whose count they lessen."""
        held = await self.holds.of(one.guarded_id for one in products if one.counted)
        return {sellable: sum(hold.quantity for hold in holds) for sellable, holds in held.items()}

    def _price(self, one: WooProduct) -> Money:
        if one.price is None:
            raise ShopNotFoundError
        return self.facts.money(one.price)

    def _regular(self, one: WooProduct, price: Money) -> Money:
        return price if one.regular_price is None else max(self.facts.money(one.regular_price), price)


def attributes_of(one: WooProduct) -> dict[str, str]:
    """How a variant differs."""
    return {name: option for name, option, _, _ in one.attributes if option}


def _of_parent(one: WooProduct, product_id: int) -> WooProduct:
    return attrs.evolve(one, parent_id=product_id, type="variation")


def _differing(one: WooProduct, variants: Sequence[Variant]) -> tuple[Attribute, ...]:
    """The attributes that variants differ in, their options in the product's order, those first that are sold."""
    named_options = {name: options for name, _, options, varies in one.attributes if varies}
    for variant in variants:
        for name, option in variant.attributes.items():
            known = named_options.setdefault(name, ())
            if option not in known:
                named_options[name] = (*known, option)
    return tuple(Attribute(name=name, options=options) for name, options in named_options.items())


def _good(line: Line, products: Mapping[int, WooProduct], variants: Mapping[int, WooProduct]) -> Good:
    shown = products.get(line.product_id)
    sold = shown
    if shown is not None and shown.type == "variation" and line.variation_id is None:
        shown = products.get(shown.parent_id or 0)
    elif line.variation_id is not None:
        sold = variants.get(line.variation_id)
        if sold is not None and sold.parent_id != line.product_id:
            sold = None
    if sold is None or shown is None:
        return Good(line=line, verdict=Verdict.NOT_FOUND)
    if sold.type == "variable":
        return Good(line=line, verdict=Verdict.VARIANT_REQUIRED, sold=sold, shown=shown)
    sellable = sold.type in ("simple", "variation") and sold.price is not None and sold.purchasable
    if not sellable or not sold.is_published or not shown.is_published:
        return Good(line=line, verdict=Verdict.UNAVAILABLE, sold=sold, shown=shown)
    return Good(line=line, verdict=Verdict.OK, sold=sold, shown=shown)


def _free(one: WooProduct, held: Mapping[int, int]) -> int | None:
    """How many can be bought now; None when no count limits it."""
    if one.counted and one.stock is not None and one.type != "variable":
        return None if one.backorders else max(one.stock - held.get(one.guarded_id, 0), 0)
    return None if one.in_stock else 0


def _is_listed(one: WooProduct, *, searched: bool) -> bool:
    return one.is_published and one.visibility in ("visible", "search" if searched else "catalog")


def _searchable(words: str | None) -> str | None:
    """Words without a plural's ending, since the shop looks for pieces of words; None when there are no words."""
    kept = [
        word[:-1] if len(word) >= _PLURAL and word.casefold().endswith("s") else word
        for word in (words or "")[:LONGEST_TEXT].split()
        if any(unicodedata.category(sign)[0] in "LN" for sign in word)
    ]
    return " ".join(kept) or None


def _cursor(page: int, seen: Sequence[int]) -> str:
    return base64.urlsafe_b64encode(json.dumps([page, list(seen)]).encode()).decode()


def _position(cursor: str | None) -> tuple[int, list[int]]:
    if cursor is None:
        return 1, []
    try:
        told: Any = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        page, seen = told
        return max(int(page), 1), [int(one) for one in seen]
    except (ValueError, TypeError) as error:
        code = "cursor"
        raise ShopRefusedError(code) from error

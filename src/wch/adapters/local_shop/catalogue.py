"""What is sold, as customers see it: lists, pages, and verdicts on lines."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import and_, func, or_, select

from wch.adapters.local_shop.stock import available, expired
from wch.adapters.local_shop.till import Till
from wch.domain.catalogue import LARGEST_ID, Attribute, Category, Page, Product, ProductCard, Sellable, Variant
from wch.domain.country import folded
from wch.domain.quote import Line, LineCheck, Verdict
from wch.domain.shop_error import ShopNotFoundError, ShopRefusedError

LONGEST_SEARCH = 100
VARIANTS_ON_A_PAGE = 100
_BATCH = 60


def search(
    till: Till, text: str | None, category_id: int | None, cursor: str | None, limit: int, *, in_stock: bool
) -> Page[ProductCard]:
    """A page of cards in menu order, then by name."""
    table = till.tables.products
    conditions = [visible(till), *_matching(till, text)]
    if category_id is not None:
        inside = till.tables.product_categories
        conditions.append(
            table.c.id.in_(
                select(inside.c.product_id).where(inside.c.category_id.in_(_with_descendants(till, category_id)))
            )
        )
    found: list[tuple[Any, ProductCard]] = []
    after = None if cursor is None else _position(cursor)
    while len(found) <= limit:
        page = [*conditions, _after(table, after)] if after else conditions
        rows = till.rows(
            select(table).where(*page).order_by(table.c.position, table.c.sort_name, table.c.id).limit(_BATCH)
        )
        found.extend(
            (row, card)
            for row, card in zip(rows, _cards(till, rows), strict=True)
            if not in_stock or card.stock is None or card.stock > 0
        )
        if len(rows) < _BATCH:
            break
        after = (rows[-1].position, rows[-1].sort_name, rows[-1].id)
    shown = found[:limit]
    last = shown[-1][0] if len(found) > limit else None
    return Page(
        items=tuple(card for _, card in shown),
        next=None if last is None else _cursor(last.position, last.sort_name, last.id),
    )


def categories(till: Till, parent_id: int | None, cursor: str | None, limit: int) -> Page[Category]:
    """A page of the categories right below the parent in which something is sold."""
    table = till.tables.categories
    conditions = [table.c.parent_id == (parent_id or 0)]
    if cursor is not None:
        position, name, row_id = _position(cursor)
        conditions.append(
            or_(
                table.c.position > position,
                and_(table.c.position == position, table.c.name > name),
                and_(table.c.position == position, table.c.name == name, table.c.id > row_id),
            )
        )
    found: list[tuple[Any, Category]] = []
    for row in till.rows(select(table).where(*conditions).order_by(table.c.position, table.c.name, table.c.id)):
        category = _category(till, row)
        if category.count:
            found.append((row, category))
        if len(found) > limit:
            break
    shown = found[:limit]
    last = shown[-1][0] if len(found) > limit else None
    return Page(
        items=tuple(category for _, category in shown),
        next=None if last is None else _cursor(last.position, last.name, last.id),
    )


def product(till: Till, product_id: int) -> Product:
    """One product with its page."""
    table = till.tables.products
    row = till.row(select(table).where(table.c.id == product_id, visible(till)))
    if row is None:
        raise ShopNotFoundError(product_id=product_id)
    children = _children(till, [row.id]).get(row.id, [])
    over = expired(till, [row.id, *(child.id for child in children)])
    inside, tree = till.tables.product_categories, till.tables.categories
    where = till.rows(
        select(tree)
        .join(inside, inside.c.category_id == tree.c.id)
        .where(inside.c.product_id == row.id)
        .order_by(tree.c.position, tree.c.name)
    )
    cheapest = min(children, key=lambda child: (child.price, child.id), default=row)
    return Product(
        id=row.id,
        name=row.name,
        description=row.description,
        sku=row.sku,
        price=till.money(cheapest.price),
        regular_price=till.money(cheapest.regular_price),
        stock=_stock_of(row, children, over),
        min=row.min_quantity,
        max=row.max_quantity,
        needs_shipping=row.needs_shipping,
        images=tuple(row.image_urls),
        url=row.url,
        brand=row.brand,
        categories=tuple(_category(till, category) for category in where),
        attributes=_attributes(row, children),
        variants=tuple(_variant(till, child, over) for child in children[:VARIANTS_ON_A_PAGE]),
        updated_at=row.updated_at,
    )


def variants(till: Till, product_id: int, cursor: str | None, limit: int) -> Page[Variant]:
    """A page of a product's variants."""
    table = till.tables.products
    if till.row(select(table.c.id).where(table.c.id == product_id, visible(till))) is None:
        raise ShopNotFoundError(product_id=product_id)
    conditions = [table.c.parent_id == product_id, table.c.active]
    if cursor is not None:
        conditions.append(_after(table, _position(cursor)))
    rows = till.rows(
        select(table).where(*conditions).order_by(table.c.position, table.c.sort_name, table.c.id).limit(limit + 1)
    )
    over = expired(till, [row.id for row in rows])
    shown = rows[:limit]
    last = shown[-1] if len(rows) > limit else None
    return Page(
        items=tuple(_variant(till, row, over) for row in shown),
        next=None if last is None else _cursor(last.position, last.sort_name, last.id),
    )


def resolve(till: Till, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
    """What catalogue ids stand for: a number first, then an article number."""
    table = till.tables.products
    numbers = {int(text) for text in retailer_ids if text.isascii() and text.isdigit() and 0 < int(text) <= LARGEST_ID}
    rows = till.rows(
        select(table.c.id, table.c.parent_id, table.c.sku).where(
            table.c.active, or_(table.c.id.in_(sorted(numbers)), table.c.sku.in_(list(retailer_ids)))
        )
    )
    by_sku = {row.sku: _sellable(row) for row in rows}
    by_number = {str(row.id): _sellable(row) for row in rows}
    found = {text: by_number.get(text) or by_sku.get(text) for text in retailer_ids}
    return {text: sellable for text, sellable in found.items() if sellable is not None}


def check(till: Till, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
    """A verdict on each line."""
    rows = product_rows(till, lines)
    over = expired(till, rows)
    return tuple(_judged(till, line, rows, over) for line in lines)


def product_rows(till: Till, lines: Iterable[Line]) -> dict[int, Any]:
    """The rows that these lines name, and the parents of those that are variants."""
    table = till.tables.products
    ids = sorted({number for line in lines for number in (line.product_id, line.variation_id) if number is not None})
    parents = select(table.c.parent_id).where(table.c.id.in_(ids), table.c.parent_id.is_not(None))
    return {row.id: row for row in till.rows(select(table).where(or_(table.c.id.in_(ids), table.c.id.in_(parents))))}


def sold_as(line: Line, rows: Mapping[int, Any]) -> tuple[Verdict, Any, Any]:
    """What a line buys: a verdict on its identity, the row that is sold, and the row that gives the name."""
    row = rows.get(line.sellable_id)
    if row is None or (line.variation_id is not None and row.parent_id != line.product_id):
        return Verdict.NOT_FOUND, None, None
    named = row if row.parent_id is None else rows[row.parent_id]
    if not (row.active and named.active):
        return Verdict.UNAVAILABLE, row, named
    if row.type == "variable":
        return Verdict.VARIANT_REQUIRED, row, named
    return Verdict.OK, row, named


def _judged(till: Till, line: Line, rows: Mapping[int, Any], over: Mapping[int, int]) -> LineCheck:
    verdict, row, named = sold_as(line, rows)
    if row is None:
        return LineCheck(line=line, verdict=verdict)
    pieces = available(row, over)
    if verdict is Verdict.OK:
        verdict = _amount_verdict(line, row, pieces)
    priced = row.type != "variable"
    return LineCheck(
        line=line,
        verdict=verdict,
        available=pieces,
        price=till.money(row.price) if priced else None,
        regular_price=till.money(row.regular_price) if priced else None,
        name=named.name,
        attributes=row.attributes if row.parent_id is not None else {},
        needs_shipping=row.needs_shipping,
        min=row.min_quantity,
        max=row.max_quantity,
    )


def _amount_verdict(line: Line, row: Any, pieces: int | None) -> Verdict:
    if pieces == 0:
        return Verdict.OUT_OF_STOCK
    if pieces is not None and line.quantity > pieces:
        return Verdict.NOT_ENOUGH
    if line.quantity < row.min_quantity or (row.max_quantity is not None and line.quantity > row.max_quantity):
        return Verdict.LIMIT
    return Verdict.OK


def visible(till: Till) -> Any:
    """The condition under which a product is shown: on sale, and with variants if it needs one."""
    table = till.tables.products
    child = table.alias()
    sold = select(child.c.id).where(child.c.parent_id == table.c.id, child.c.active).exists()
    return and_(table.c.parent_id.is_(None), table.c.active, or_(table.c.type != "variable", sold))


def _matching(till: Till, text: str | None) -> list[Any]:
    searched = till.tables.products.c.search_text
    words = folded((text or "")[:LONGEST_SEARCH]).split()
    return [searched.contains(f" {_stem(word)}", autoescape=True) for word in words]


def _stem(word: str) -> str:
    """Shoes finds Shoe: the plural's ending is not looked for."""
    return word[:-1] if len(word) > 3 and word.endswith("s") else word  # noqa: PLR2004 - "gas" is no plural


def _cards(till: Till, rows: Sequence[Any]) -> list[ProductCard]:
    children = _children(till, [row.id for row in rows])
    over = expired(till, [row.id for row in rows] + [child.id for some in children.values() for child in some])
    return [_card(till, row, children.get(row.id, []), over) for row in rows]


def _card(till: Till, row: Any, children: Sequence[Any], over: Mapping[int, int]) -> ProductCard:
    cheapest = min(children, key=lambda child: (child.price, child.id), default=row)
    return ProductCard(
        id=row.id,
        name=row.name,
        price_from=till.money(cheapest.price),
        regular_from=till.money(cheapest.regular_price),
        stock=_stock_of(row, children, over),
        image_url=next(iter(row.image_urls), None),
        has_variants=row.type == "variable",
    )


def _children(till: Till, parents: Sequence[int]) -> dict[int, list[Any]]:
    table = till.tables.products
    found: dict[int, list[Any]] = {}
    statement = (
        select(table)
        .where(table.c.parent_id.in_(list(parents)), table.c.active)
        .order_by(table.c.position, table.c.sort_name, table.c.id)
    )
    for row in till.rows(statement):
        found.setdefault(row.parent_id, []).append(row)
    return found


def _stock_of(row: Any, children: Sequence[Any], over: Mapping[int, int]) -> int | None:
    if row.type != "variable":
        return available(row, over)
    each = [available(child, over) for child in children]
    return None if None in each else sum(pieces for pieces in each if pieces is not None)


def _variant(till: Till, row: Any, over: Mapping[int, int]) -> Variant:
    return Variant(
        id=row.id,
        product_id=row.parent_id,
        attributes=row.attributes,
        sku=row.sku,
        price=till.money(row.price),
        regular_price=till.money(row.regular_price),
        stock=available(row, over),
        image_url=next(iter(row.image_urls), None),
    )


def _attributes(row: Any, children: Sequence[Any]) -> tuple[Attribute, ...]:
    options: dict[str, dict[str, None]] = {}
    for one in children or [row]:
        for name, value in one.attributes.items():
            options.setdefault(name, {})[value] = None
    return tuple(Attribute(name=name, options=tuple(values)) for name, values in options.items())


def _sellable(row: Any) -> Sellable:
    if row.parent_id is None:
        return Sellable(product_id=row.id)
    return Sellable(product_id=row.parent_id, variation_id=row.id)


def _category(till: Till, row: Any) -> Category:
    table, inside = till.tables.products, till.tables.product_categories
    count = till.connection.execute(
        select(func.count(inside.c.product_id.distinct()))
        .join(table, table.c.id == inside.c.product_id)
        .where(inside.c.category_id.in_(_with_descendants(till, row.id)), visible(till))
    ).scalar_one()
    return Category(id=row.id, name=row.name, parent_id=row.parent_id or None, count=count)


def _with_descendants(till: Till, category_id: int) -> list[int]:
    table = till.tables.categories
    found, edge = {category_id}, {category_id}
    while edge:
        edge = {row.id for row in till.rows(select(table.c.id).where(table.c.parent_id.in_(sorted(edge))))} - found
        found |= edge
    return sorted(found)


def _after(table: Any, position: tuple[int, str, int]) -> Any:
    place, name, row_id = position
    return or_(
        table.c.position > place,
        and_(table.c.position == place, table.c.sort_name > name),
        and_(table.c.position == place, table.c.sort_name == name, table.c.id > row_id),
    )


def _cursor(position: int, name: str, row_id: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([position, name, row_id]).encode()).decode()


def _position(cursor: str) -> tuple[int, str, int]:
    try:
        position, name, row_id = json.loads(base64.urlsafe_b64decode(cursor.encode()))
        return int(position), str(name), int(row_id)
    except (TypeError, ValueError):
        code = "cursor"
        raise ShopRefusedError(code) from None

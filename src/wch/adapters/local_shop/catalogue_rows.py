"""Bringing the product tables in line with the rows of a file, in one transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from sqlalchemy import bindparam, delete, insert, select, update

from wch.adapters.local_shop import changes
from wch.adapters.local_shop.till import Till
from wch.domain.catalogue import Change, ChangeKind
from wch.domain.country import folded

Path = tuple[str, ...]

NEW: Mapping[str, Any] = {
    "name": "",
    "type": "simple",
    "parent_sku": "",
    "price": None,
    "regular_price": None,
    "stock": None,
    "backorders": False,
    "categories": (),
    "description": "",
    "image_urls": (),
    "url": "",
    "brand": "",
    "tax_class": "",
    "needs_shipping": True,
    "active": True,
    "attributes": {},
}


@attrs.frozen(kw_only=True)
class Fault:
    """What is wrong in a line of a file, and what to do about it."""

    line: int
    message: str


@attrs.frozen(kw_only=True)
class ProductRow:
    """One product or variant, with the columns that are given."""

    line: int
    sku: str
    columns: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Applied:
    """What became of the rows; with any fault, nothing was written."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    switched_off: int = 0
    faults: tuple[Fault, ...] = ()


@attrs.frozen(kw_only=True)
class _Stock:
    """The catalogue as the tables have it, by article number."""

    rows: Mapping[str, Any]
    columns: Mapping[str, Mapping[str, Any]]
    categories: Mapping[Path, int]


def apply(till: Till, rows: Sequence[ProductRow], *, replace: bool) -> Applied:
    """Create and change products as the rows say; those that they do not name stay, or are switched off."""
    before = _stock(till)
    given = {row.sku: row for row in rows}
    after: dict[str, dict[str, Any]] = {sku: dict(columns) for sku, columns in before.columns.items()}
    for row in rows:
        after[row.sku] = {**NEW, **before.columns.get(row.sku, {}), **row.columns}
    off = [sku for sku, columns in before.columns.items() if replace and sku not in given and columns["active"]]
    for sku in off:
        after[sku]["active"] = False
    faults = [fault for row in rows for fault in _faults(row, after)]
    if faults:
        return Applied(faults=tuple(faults))
    for sku in given:
        _settle_prices(after[sku])
    created = [sku for sku in given if sku not in before.rows]
    changed = [sku for sku in given if sku in before.rows and after[sku] != before.columns[sku]]
    touched = {*created, *changed, *off}
    parents = {parent for sku in touched for parent in _parents(sku, before.columns, after)}
    _write(till, before, after, created, touched | parents)
    ids = {row.sku: row for row in till.rows(select(*_named(till)))} if touched else {}
    changes.record(
        till,
        *(
            Change(kind=ChangeKind.PRODUCT if ids[sku].parent_id is None else ChangeKind.VARIANT, id=ids[sku].id)
            for sku in sorted(touched, key=lambda sku: ids[sku].id)
        ),
    )
    return Applied(
        created=len(created),
        changed=len(changed),
        unchanged=len(given) - len(created) - len(changed),
        switched_off=len(off),
    )


def every_row(till: Till) -> list[ProductRow]:
    """All products in menu order, each followed by its variants."""
    stock = _stock(till)
    tops = sorted(
        (row for row in stock.rows.values() if row.parent_id is None),
        key=lambda row: (row.position, row.sort_name, row.id),
    )
    variants: dict[int, list[Any]] = {}
    for row in sorted(stock.rows.values(), key=lambda row: (row.position, row.sort_name, row.id)):
        if row.parent_id is not None:
            variants.setdefault(row.parent_id, []).append(row)
    ordered = [row for top in tops for row in (top, *variants.get(top.id, ()))]
    return [
        ProductRow(line=line, sku=row.sku, columns=stock.columns[row.sku]) for line, row in enumerate(ordered, start=2)
    ]


def _named(till: Till) -> tuple[Any, ...]:
    table = till.tables.products
    return table.c.sku, table.c.id, table.c.parent_id


def _stock(till: Till) -> _Stock:
    tables = till.tables
    rows = {row.sku: row for row in till.rows(select(tables.products))}
    sku_of = {row.id: sku for sku, row in rows.items()}
    tree = {row.id: row for row in till.rows(select(tables.categories))}
    paths = {category_id: _path(tree, category_id) for category_id in tree}
    filed: dict[int, list[Path]] = {}
    for row in till.rows(select(tables.product_categories)):
        if row.category_id in paths:
            filed.setdefault(row.product_id, []).append(paths[row.category_id])
    return _Stock(
        rows=rows,
        columns={
            sku: {
                "name": row.name,
                "type": row.type,
                "parent_sku": sku_of.get(row.parent_id, ""),
                "price": row.price,
                "regular_price": row.regular_price,
                "stock": row.stock,
                "backorders": row.backorders,
                "categories": tuple(sorted(filed.get(row.id, ()))),
                "description": row.description,
                "image_urls": tuple(row.image_urls),
                "url": row.url or "",
                "brand": row.brand or "",
                "tax_class": row.tax_class,
                "needs_shipping": row.needs_shipping,
                "active": row.active,
                "attributes": row.attributes,
            }
            for sku, row in rows.items()
        },
        categories={path: category_id for category_id, path in paths.items()},
    )


def _path(tree: Mapping[int, Any], category_id: int) -> Path:
    names: list[str] = []
    while category_id in tree:
        names.insert(0, tree[category_id].name)
        category_id = tree[category_id].parent_id
    return tuple(names)


def _faults(row: ProductRow, after: Mapping[str, Mapping[str, Any]]) -> list[Fault]:
    columns = after[row.sku]
    messages = _variant_faults(columns, after) if columns["type"] == "variant" else _top_faults(columns)
    if columns["type"] != "variable":
        messages += _price_faults(row, columns)
    return [Fault(line=row.line, message=message) for message in messages]


def _variant_faults(columns: Mapping[str, Any], after: Mapping[str, Mapping[str, Any]]) -> list[str]:
    messages = []
    parent = after.get(columns["parent_sku"])
    if not columns["parent_sku"]:
        messages.append("parent_sku: a variant needs the sku of its product.")
    elif parent is None:
        messages.append(f"parent_sku: there is no product {columns['parent_sku']}.")
    elif parent["type"] != "variable":
        messages.append(f"parent_sku: {columns['parent_sku']} is {parent['type']}, not variable.")
    if not columns["attributes"]:
        messages.append("attributes: a variant says what it differs in, such as Size=M.")
    return messages


def _top_faults(columns: Mapping[str, Any]) -> list[str]:
    messages = []
    if columns["parent_sku"]:
        messages.append(f"parent_sku: a {columns['type']} product has none.")
    if not columns["name"]:
        messages.append("name: a name is needed.")
    return messages


def _price_faults(row: ProductRow, columns: Mapping[str, Any]) -> list[str]:
    if columns["price"] is None:
        return ["price: a price is needed."]
    regular = row.columns.get("regular_price")
    return ["regular_price: it is below the price."] if regular is not None and regular < columns["price"] else []


def _settle_prices(columns: dict[str, Any]) -> None:
    if columns["type"] == "variable":
        columns["price"] = columns["regular_price"] = 0
    elif columns["regular_price"] is None or columns["regular_price"] < columns["price"]:
        columns["regular_price"] = columns["price"]


def _parents(sku: str, *versions: Mapping[str, Mapping[str, Any]]) -> set[str]:
    return {columns[sku]["parent_sku"] for columns in versions if sku in columns} - {""}


def _write(
    till: Till,
    before: _Stock,
    after: Mapping[str, Mapping[str, Any]],
    created: Sequence[str],
    touched: Iterable[str],
) -> None:
    table = till.tables.products
    children: dict[str, list[str]] = {}
    for sku, columns in after.items():
        if columns["parent_sku"]:
            children.setdefault(columns["parent_sku"], []).append(sku)
    ids = {sku: row.id for sku, row in before.rows.items()}
    # Parents first: a variant's row names its parent's number.
    for are_variants in (False, True):
        new = [sku for sku in created if bool(after[sku]["parent_sku"]) is are_variants]
        if new:
            till.connection.execute(
                insert(table),
                [
                    {
                        **_stored(sku, after, children, ids),
                        "position": children[after[sku]["parent_sku"]].index(sku) if are_variants else 0,
                        "reserved": 0,
                        "min_quantity": 1,
                        "max_quantity": None,
                        "updated_at": till.now,
                    }
                    for sku in new
                ],
            )
            ids = {row.sku: row.id for row in till.rows(select(*_named(till)))}
    by_columns: dict[frozenset[str], list[dict[str, Any]]] = {}
    for sku in touched:
        row = before.rows.get(sku)
        if row is not None:
            stored = _stored(sku, after, children, ids)
            new_values = {name: value for name, value in stored.items() if getattr(row, name) != value}
            if new_values:
                # Only what differs: a count that moved meanwhile is not set back by a file that does not change it.
                by_columns.setdefault(frozenset(new_values), []).append({**new_values, "row": row.id, "at": till.now})
    for names, values in by_columns.items():
        statement = (
            update(table)
            .where(table.c.id == bindparam("row"))
            .values({**{name: bindparam(name) for name in names}, "updated_at": bindparam("at")})
        )
        till.connection.execute(statement, values)
    _file(till, before, after, touched, ids)


def _stored(
    sku: str, after: Mapping[str, Mapping[str, Any]], children: Mapping[str, Sequence[str]], ids: Mapping[str, int]
) -> dict[str, Any]:
    columns = after[sku]
    kept = {name: columns[name] for name in NEW if name not in ("parent_sku", "categories")}
    return {
        **kept,
        "sku": sku,
        "parent_id": ids.get(columns["parent_sku"]),
        "image_urls": list(columns["image_urls"]),
        "url": columns["url"] or None,
        "brand": columns["brand"] or None,
        "sort_name": folded(columns["name"])[:255],
        "search_text": _search_text(sku, after, children),
    }


def _search_text(sku: str, after: Mapping[str, Mapping[str, Any]], children: Mapping[str, Sequence[str]]) -> str:
    """Everything that a product may be looked for by, each word after a blank."""
    texts: list[str] = []
    for one in (sku, *children.get(sku, ())):
        columns = after[one]
        texts += [one, columns["name"], columns["brand"], *columns["attributes"].values()]
        texts += [name for path in columns["categories"] for name in path]
    words = dict.fromkeys(folded(" ".join(texts)).split())
    return "".join(f" {word}" for word in words)


def _file(
    till: Till,
    before: _Stock,
    after: Mapping[str, Mapping[str, Any]],
    touched: Iterable[str],
    ids: Mapping[str, int],
) -> None:
    """Put the products where their paths say, and make the categories that are not there."""
    categories, inside = till.tables.categories, till.tables.product_categories
    known = dict(before.categories)
    wanted = {
        sku: after[sku]["categories"]
        for sku in touched
        if after[sku]["categories"] != before.columns.get(sku, NEW)["categories"]
    }
    named = {path for paths in wanted.values() for path in paths}
    for path in sorted({named_path[: depth + 1] for named_path in named for depth in range(len(named_path))}):
        if path not in known:
            made = till.connection.execute(
                insert(categories).values(parent_id=known.get(path[:-1], 0), name=path[-1])
            ).inserted_primary_key
            known[path] = made[0] if made else 0
    stale = sorted(ids[sku] for sku in wanted if sku in before.rows)
    for begin in range(0, len(stale), 500):
        till.change(delete(inside).where(inside.c.product_id.in_(stale[begin : begin + 500])))
    filed = [{"product_id": ids[sku], "category_id": known[path]} for sku in wanted for path in wanted[sku]]
    if filed:
        till.connection.execute(insert(inside), filed)

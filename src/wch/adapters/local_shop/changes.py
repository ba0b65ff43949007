"""What changed in the shop, in the order in which it became visible."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import func, insert, select

from wch.adapters.local_shop import catalogue
from wch.adapters.local_shop.tables import GATE
from wch.adapters.local_shop.till import Till
from wch.domain.catalogue import Arrival, Change, ChangeKind, Changes


def record(till: Till, *changes: Change) -> None:
    """Append to the feed; the last act of a transaction, since the gate stays shut until its commit."""
    if not changes:
        return
    table = till.tables.changes
    till.connection.execute(select(table.c.id).where(table.c.id == GATE).with_for_update())
    till.connection.execute(
        insert(table),
        [
            {"kind": change.kind.value, "entity_id": change.id, "deleted": change.deleted, "changed_at": till.now}
            for change in changes
        ],
    )


def since(till: Till, cursor: str | None, limit: int) -> Changes:
    """What came after the cursor."""
    table = till.tables.changes
    after = max(int(cursor), GATE) if cursor else GATE
    rows = till.rows(select(table).where(table.c.id > after).order_by(table.c.id).limit(limit))
    return Changes(
        items=tuple(Change(kind=ChangeKind(row.kind), id=row.entity_id, deleted=row.deleted) for row in rows),
        cursor=str(rows[-1].id if rows else after),
    )


def arrivals(till: Till, after: datetime, limit: int) -> tuple[Arrival, ...]:
    """What was first told of after this moment and can be bought now, the newest first."""
    table, inside, feed = till.tables.products, till.tables.product_categories, till.tables.changes
    first = (
        select(feed.c.entity_id, func.min(feed.c.changed_at).label("published_at"))
        .where(feed.c.kind == ChangeKind.PRODUCT.value)
        .group_by(feed.c.entity_id)
        .subquery()
    )
    rows = till.rows(
        select(table.c.id, table.c.name, first.c.published_at)
        .join(first, first.c.entity_id == table.c.id)
        .where(first.c.published_at > after, catalogue.visible(till))
        .order_by(first.c.published_at.desc(), table.c.id.desc())
        .limit(limit)
    )
    filed: dict[int, list[int]] = {}
    for row in till.rows(select(inside).where(inside.c.product_id.in_([row.id for row in rows]))):
        filed.setdefault(row.product_id, []).append(row.category_id)
    return tuple(
        Arrival(
            id=row.id,
            name=row.name,
            categories=tuple(sorted(filed.get(row.id, ()))),
            published_at=row.published_at,
        )
        for row in rows
    )


def stock_changes(till: Till, sellables: Iterable[int]) -> tuple[Change, ...]:
    """The changes that tell of new stock for these numbers."""
    table = till.tables.products
    rows = till.rows(select(table.c.id, table.c.parent_id).where(table.c.id.in_(sorted(set(sellables)))))
    return tuple(
        Change(kind=ChangeKind.PRODUCT if row.parent_id is None else ChangeKind.VARIANT, id=row.id) for row in rows
    )

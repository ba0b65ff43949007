"""Stock: guarded statements, so that no piece is ever promised twice.

`reserved` counts the pieces of all reservations that nobody has cleared yet. One that is past
its time holds nothing: readers take it off, and whoever wants the goods clears it first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, or_, select, update

from wch.adapters.local_shop.till import Till
from wch.domain.catalogue import placement_of
from wch.domain.order import Reservation
from wch.domain.quote import Line, ShortLine
from wch.domain.shop_error import KeyReusedError, OutOfStockError


def expired(till: Till, sellables: Iterable[int]) -> Mapping[int, int]:
    """How many pieces of each are still counted as reserved, though their time is over."""
    table = till.tables.reservations
    rows = till.rows(
        select(table.c.product_id, func.sum(table.c.quantity).label("pieces"))
        .where(table.c.product_id.in_(sorted(set(sellables))), table.c.until <= till.now)
        .group_by(table.c.product_id)
    )
    return {row.product_id: int(row.pieces) for row in rows}


def available(row: Any, over: Mapping[int, int]) -> int | None:
    """How many pieces of a product row can be bought now; None when no count limits it."""
    if row.stock is None or row.backorders:
        return None
    return max(0, int(row.stock - row.reserved + over.get(row.id, 0)))


def reserve(till: Till, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
    """Keep all lines or none; the lines that are short are named in the error."""
    wanted = Counter[int]()
    for line in lines:
        wanted[line.sellable_id] += line.quantity
    table = till.tables.reservations
    held = till.rows(select(table).where(table.c.idempotency_key == key).with_for_update())
    if held and {row.product_id: row.quantity for row in held} != wanted:
        raise KeyReusedError
    if held and all(row.until > till.now for row in held):
        longer = max(until, *(row.until for row in held))
        till.change(update(table).where(table.c.idempotency_key == key).values(until=longer))
        return Reservation(key=key, until=longer)
    _clear(till, held)
    _clear_expired(till, wanted)
    short = [product_id for product_id in sorted(wanted) if not _hold(till, product_id, wanted[product_id])]
    if short:
        raise OutOfStockError(_short_lines(till, lines, short))
    till.connection.execute(
        insert(table),
        [
            {"idempotency_key": key, "product_id": product_id, "quantity": wanted[product_id], "until": until}
            for product_id in sorted(wanted)
        ],
    )
    return Reservation(key=key, until=until)


def release(till: Till, key: str) -> None:
    """Give back what the key holds."""
    table = till.tables.reservations
    _clear(till, till.rows(select(table).where(table.c.idempotency_key == key).order_by(table.c.product_id)))


def take(till: Till, key: str, lines: Sequence[Line]) -> None:
    """The goods of an order leave the stock: those held for its placement, else free ones."""
    wanted = Counter[int]()
    for line in lines:
        wanted[line.sellable_id] += line.quantity
    held = {row.product_id: row for row in _held_for(till, key)}
    table = till.tables.products
    missing = []
    for product_id in sorted(wanted):
        pieces = wanted[product_id]
        row = held.pop(product_id, None)
        if row is not None and row.quantity == pieces and row.until > till.now and _delete(till, row):
            till.change(
                update(table)
                .where(table.c.id == product_id)
                .values(stock=table.c.stock - pieces, reserved=table.c.reserved - pieces)
            )
            continue
        _clear(till, [row] if row is not None else [])
        _clear_expired(till, [product_id])
        taken = till.change(
            update(table).where(table.c.id == product_id, _there_are(till, pieces)).values(stock=table.c.stock - pieces)
        )
        if not taken:
            missing.append(product_id)
    if missing:
        raise OutOfStockError(_short_lines(till, lines, missing))
    _clear(till, held.values())


def let_go(till: Till, key: str) -> None:
    """What is held for an order's placement goes back."""
    _clear(till, _held_for(till, key))


def give_back(till: Till, lines: Iterable[Line]) -> None:
    """Pieces that had left come back; where they are not counted, nothing is."""
    table = till.tables.products
    wanted = Counter[int]()
    for line in lines:
        wanted[line.sellable_id] += line.quantity
    for product_id in sorted(wanted):
        till.change(update(table).where(table.c.id == product_id).values(stock=table.c.stock + wanted[product_id]))


def miscounted(till: Till) -> list[int]:
    """Products whose `reserved` is not the sum of their reservations, or that are promised beyond their stock."""
    products, held = till.tables.products, till.tables.reservations
    pieces = (
        select(func.coalesce(func.sum(held.c.quantity), 0)).where(held.c.product_id == products.c.id).scalar_subquery()
    )
    oversold = products.c.stock.is_not(None) & ~products.c.backorders & (products.c.stock < products.c.reserved)
    return [row.id for row in till.rows(select(products.c.id).where(or_(products.c.reserved != pieces, oversold)))]


def _there_are(till: Till, pieces: int) -> Any:
    table = till.tables.products
    return or_(table.c.stock.is_(None), table.c.backorders, table.c.stock - table.c.reserved >= pieces)


def _hold(till: Till, product_id: int, pieces: int) -> bool:
    table = till.tables.products
    return (
        till.change(
            update(table)
            .where(table.c.id == product_id, _there_are(till, pieces))
            .values(reserved=table.c.reserved + pieces)
        )
        == 1
    )


def _held_for(till: Till, key: str) -> list[Any]:
    table = till.tables.reservations
    placement = placement_of(key)
    rows = till.rows(
        select(table).where(table.c.idempotency_key.startswith(placement, autoescape=True)).order_by(table.c.product_id)
    )
    return [row for row in rows if placement_of(row.idempotency_key) == placement]


def _clear_expired(till: Till, sellables: Iterable[int]) -> None:
    table = till.tables.reservations
    _clear(
        till,
        till.rows(
            select(table)
            .where(table.c.product_id.in_(sorted(set(sellables))), table.c.until <= till.now)
            .order_by(table.c.product_id, table.c.id)
        ),
    )


def _clear(till: Till, rows: Iterable[Any]) -> None:
    table = till.tables.products
    for row in rows:
        # Whoever deletes the row gives its pieces back: two that clear the same one do it once.
        if _delete(till, row):
            till.change(
                update(table).where(table.c.id == row.product_id).values(reserved=table.c.reserved - row.quantity)
            )


def _delete(till: Till, row: Any) -> bool:
    table = till.tables.reservations
    return till.change(delete(table).where(table.c.id == row.id, table.c.until == row.until)) == 1


def _short_lines(till: Till, lines: Sequence[Line], short: Iterable[int]) -> list[ShortLine]:
    table = till.tables.products
    ids = sorted(set(short))
    rows = {row.id: row for row in till.rows(select(table).where(table.c.id.in_(ids)))}
    over = expired(till, ids)
    return [
        ShortLine(
            line=line, available=(available(rows[line.sellable_id], over) or 0) if line.sellable_id in rows else 0
        )
        for line in lines
        if line.sellable_id in ids
    ]

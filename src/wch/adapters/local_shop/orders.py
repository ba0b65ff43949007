"""Orders of this shop: made once for a key, and carried on."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from wch.adapters.local_shop import changes, pricing, stock
from wch.adapters.local_shop.till import Till
from wch.domain.address import Address, address_from_json, address_to_json
from wch.domain.catalogue import Change, ChangeKind, Page
from wch.domain.money import Money
from wch.domain.order import MOST_CUSTOMERS, Order, OrderDraft, OrderLine, OrderStatus, ShopCustomer, Tracking
from wch.domain.quote import Line, Quote
from wch.domain.shop_error import KeyReusedError, ShopNotFoundError, ShopRefusedError

ADDRESSES_KEPT = 10
_WAITING = (OrderStatus.PENDING, OrderStatus.ON_HOLD)
_GONE = (OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.FAILED)
_LEFT = (OrderStatus.SHIPPED, OrderStatus.COMPLETED)


def create(till: Till, key: str, draft: OrderDraft) -> Order:
    """The order of this key, made now or before."""
    known = _by_key(till, key)
    if known is None:
        known = _made(till, key, draft)
    if known.fingerprint != draft.fingerprint():
        raise KeyReusedError
    return _order(till, known)


def find(till: Till, key: str) -> Order | None:
    """The order of this key."""
    row = _by_key(till, key)
    return None if row is None else _order(till, row)


def get(till: Till, order_id: int) -> Order:
    """The order with this number."""
    return _order(till, _by_id(till, order_id))


def accept(till: Till, order_id: int) -> Order:
    """A waiting order goes to work; its goods leave the stock."""
    row = _by_id(till, order_id, lock=True)
    _refuse(row, _GONE, "cancelled")
    if OrderStatus(row.status) in _WAITING:
        return _put_to_work(till, row)
    return _order(till, row)


def mark_paid(till: Till, order_id: int, amount: Money, *, gateway: str, payment_id: str, at: datetime) -> Order:
    """The money for exactly this order is there."""
    row = _by_id(till, order_id, lock=True)
    if amount.currency != row.currency or amount.minor() != row.total:
        code = "amount_mismatch"
        raise ShopRefusedError(code)
    if row.paid_at is not None:
        if (row.gateway, row.payment_id) != (gateway, payment_id):
            code = "conflict"
            raise ShopRefusedError(code)
        return _order(till, row)
    _refuse(row, _GONE, "cancelled")
    paid = {"gateway": gateway, "payment_id": payment_id, "paid_at": at}
    if OrderStatus(row.status) in _WAITING:
        return _put_to_work(till, row, **paid)
    return _moved(till, row, **paid)


def cancel(till: Till, row: Any, reason: str, *, restock: bool) -> Order:
    """The order is off; what it held or had taken goes back, once."""
    if OrderStatus(row.status) in _GONE:
        return _order(till, row)
    _refuse(row, _LEFT, "shipped")
    lines = _sold(till, row.id)
    stock.let_go(till, row.idempotency_key)
    if row.holds_stock and restock:
        stock.give_back(till, lines)
    uses = till.tables.coupon_uses
    till.change(delete(uses).where(uses.c.order_id == row.id))
    back = changes.stock_changes(till, (line.sellable_id for line in lines)) if row.holds_stock and restock else ()
    return _moved(till, row, *back, status=OrderStatus.CANCELLED.value, holds_stock=False, cancel_reason=reason[:255])


def row_of(till: Till, order_id: int | None, key: str | None) -> Any:
    """The row by number or by key, locked; None for a key that made no order."""
    if order_id is not None:
        return _by_id(till, order_id, lock=True)
    return None if key is None else _by_key(till, key, lock=True)


def ship(till: Till, order_id: int, tracking: Tracking | None) -> Order:
    """An order at work leaves the house."""
    row = _by_id(till, order_id, lock=True)
    if OrderStatus(row.status) not in (OrderStatus.PROCESSING, OrderStatus.SHIPPED):
        code = "not_at_work"
        raise ShopRefusedError(code)
    parcels = list(row.tracking)
    if tracking is not None:
        parcel = {"carrier": tracking.carrier, "number": tracking.number, "url": tracking.url}
        parcels = [parcel] if parcel not in parcels else parcels
    return _moved(till, row, status=OrderStatus.SHIPPED.value, tracking=parcels)


def complete(till: Till, order_id: int) -> Order:
    """An order has arrived."""
    row = _by_id(till, order_id, lock=True)
    if OrderStatus(row.status) not in (OrderStatus.PROCESSING, *_LEFT):
        code = "not_at_work"
        raise ShopRefusedError(code)
    return _moved(till, row, status=OrderStatus.COMPLETED.value)


def record_refund(
    till: Till, order_id: int, amount: Money, *, key: str, reason: str, lines: Sequence[Line], restock: bool
) -> Order:
    """Book a refund once for its key."""
    table = till.tables.refunds
    row = _by_id(till, order_id, lock=True)
    booked = till.row(select(table).where(table.c.idempotency_key == key))
    if booked is not None:
        if (booked.order_id, till.money(booked.amount)) != (order_id, amount):
            raise KeyReusedError
        return _order(till, row)
    if amount.currency != row.currency or amount.amount <= 0:
        code = "amount_mismatch"
        raise ShopRefusedError(code)
    if row.refunded + amount.minor() > row.total:
        code = "too_much"
        raise ShopRefusedError(code)
    till.connection.execute(
        insert(table).values(
            idempotency_key=key,
            order_id=order_id,
            amount=amount.minor(),
            reason=reason[:255],
            lines=[[line.product_id, line.variation_id, line.quantity] for line in lines],
            restocked=restock,
            created_at=till.now,
        )
    )
    back: tuple[Change, ...] = ()
    holds = row.holds_stock
    if restock and holds:
        stock.give_back(till, lines)
        back = changes.stock_changes(till, (line.sellable_id for line in lines))
        holds = sum(line.quantity for line in lines) < sum(line.quantity for line in _sold(till, order_id))
    refunded = row.refunded + amount.minor()
    status = OrderStatus.REFUNDED.value if refunded == row.total else row.status
    return _moved(till, row, *back, refunded=refunded, status=status, holds_stock=holds)


def orders_of(
    till: Till, phones: Sequence[str], customer_id: int | None, cursor: str | None, limit: int
) -> Page[Order]:
    """A page of exactly these people's orders, the newest first."""
    table = till.tables.orders
    whose: list[Any] = [table.c.phone.in_(list(phones))]
    if customer_id is not None:
        whose.append(table.c.customer_id == customer_id)
    conditions: list[Any] = [or_(*whose)]
    if cursor is not None:
        if not cursor.isdigit():
            code = "cursor"
            raise ShopRefusedError(code)
        conditions.append(table.c.id < int(cursor))
    rows = till.rows(select(table).where(*conditions).order_by(table.c.id.desc()).limit(limit + 1))
    return Page(
        items=tuple(_order(till, row) for row in rows[:limit]),
        next=str(rows[limit - 1].id) if len(rows) > limit else None,
    )


def customers_by_phone(till: Till, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
    """Every customer with one of these numbers, by id."""
    table = till.tables.customers
    known = select(table).where(table.c.phone.in_(list(phones))).order_by(table.c.id).limit(MOST_CUSTOMERS)
    return tuple(
        ShopCustomer(
            id=row.id,
            name=row.name,
            email=row.email,
            addresses=tuple(address_from_json(address) for address in row.addresses),
        )
        for row in till.rows(known)
    )


def _made(till: Till, key: str, draft: OrderDraft) -> Any:
    if draft.coupon is not None:
        # Two orders with the last use of one coupon: the second waits here, and then sees the first.
        coupons = till.tables.coupons
        till.row(select(coupons.c.id).where(coupons.c.code == draft.coupon.strip().upper()).with_for_update())
    quote = pricing.quote(
        till,
        draft.lines,
        address=draft.address,
        shipping_id=draft.shipping,
        coupon=draft.coupon,
        fee=draft.fee,
        customer=draft.customer,
    )
    if draft.differs is not None:
        quote = quote.differing(draft.differs)
    if draft.coupon is not None and quote.coupon is None:
        code = "coupon"
        raise ShopRefusedError(code)
    if quote.total != draft.expected_total:
        code = "total_changed"
        raise ShopRefusedError(code, total=quote.total)
    table = till.tables.orders
    customer_id = _remembered(till, draft)
    try:
        made = till.connection.execute(
            insert(table).values(
                idempotency_key=key,
                fingerprint=draft.fingerprint(),
                status=OrderStatus.PENDING.value,
                currency=till.currency,
                **{part: getattr(quote, part).minor() for part in _PARTS},
                tax_included=quote.tax_included,
                phone=draft.customer.phones[0] if draft.customer.phones else "",
                customer_id=customer_id,
                name=draft.customer.name[:200],
                email=draft.customer.email,
                address=None if draft.address is None else address_to_json(draft.address),
                coupon=quote.coupon,
                shipping_method=quote.shipping_id,
                payment_method=draft.payment_method,
                note=draft.note,
                language=draft.language,
                created_at=till.now,
                updated_at=till.now,
            )
        ).inserted_primary_key
    except IntegrityError:
        known = _by_key(till, key)
        if known is None:
            raise
        return known
    order_id = made[0] if made else 0
    _write_lines(till, order_id, draft, quote)
    changes.record(till, Change(kind=ChangeKind.ORDER, id=order_id))
    return _by_id(till, order_id)


_PARTS = ("subtotal", "discount", "shipping", "tax", "fee", "total")


def _write_lines(till: Till, order_id: int, draft: OrderDraft, quote: Quote) -> None:
    skus = {each.line: each.row.sku for each in pricing.price(till, draft.lines)}
    till.connection.execute(
        insert(till.tables.order_lines),
        [
            {
                "order_id": order_id,
                "position": position,
                "product_id": shown.line.product_id,
                "variation_id": shown.line.variation_id,
                "name": shown.name,
                "sku": skus[shown.line],
                "attributes": shown.attributes,
                "quantity": shown.line.quantity,
                "price": shown.price.minor(),
                "total": shown.total.minor(),
            }
            for position, shown in enumerate(quote.lines)
        ],
    )
    if quote.coupon is not None:
        coupons = till.tables.coupons
        coupon = till.row(select(coupons.c.id).where(coupons.c.code == quote.coupon))
        till.connection.execute(
            insert(till.tables.coupon_uses).values(
                coupon_id=coupon.id,
                order_id=order_id,
                phone=draft.customer.phones[0] if draft.customer.phones else "",
            )
        )


def _remembered(till: Till, draft: OrderDraft) -> int | None:
    """The number of the buyer, who is a customer from the first order on."""
    table = till.tables.customers
    row = None
    if draft.customer.customer_id is not None:
        row = till.row(select(table).where(table.c.id == draft.customer.customer_id).with_for_update())
    if row is None and not draft.customer.phones:
        return None
    by_phone = select(table).where(table.c.phone == next(iter(draft.customer.phones), "")).with_for_update()
    if row is None:
        row = till.row(by_phone)
    if row is None:
        with contextlib.suppress(IntegrityError):
            till.connection.execute(
                insert(table).values(
                    phone=draft.customer.phones[0],
                    name=draft.customer.name[:200],
                    email=draft.customer.email,
                    created_at=till.now,
                )
            )
        row = till.row(by_phone)
    addresses = _with(row.addresses, draft.address)
    till.change(
        update(table)
        .where(table.c.id == row.id)
        .values(
            name=draft.customer.name[:200] or row.name,
            email=draft.customer.email or row.email,
            addresses=addresses,
        )
    )
    return int(row.id)


def _with(addresses: list[Any], address: Address | None) -> list[Any]:
    if address is None:
        return addresses
    new = address_to_json(address)
    return [new, *(old for old in addresses if old != new)][:ADDRESSES_KEPT]


def _put_to_work(till: Till, row: Any, **columns: Any) -> Order:
    lines = _sold(till, row.id)
    stock.take(till, row.idempotency_key, lines)
    taken = changes.stock_changes(till, (line.sellable_id for line in lines))
    return _moved(till, row, *taken, status=OrderStatus.PROCESSING.value, holds_stock=True, **columns)


def _moved(till: Till, row: Any, *also: Change, **columns: Any) -> Order:
    """The order with these columns; told to the feed when any is new."""
    table = till.tables.orders
    if any(getattr(row, name) != value for name, value in columns.items()):
        till.change(update(table).where(table.c.id == row.id).values(**columns, updated_at=till.now))
        changes.record(till, Change(kind=ChangeKind.ORDER, id=row.id), *also)
    return get(till, row.id)


def _by_id(till: Till, order_id: int, *, lock: bool = False) -> Any:
    table = till.tables.orders
    statement = select(table).where(table.c.id == order_id)
    row = till.row(statement.with_for_update() if lock else statement)
    if row is None:
        raise ShopNotFoundError(order_id=order_id)
    return row


def _by_key(till: Till, key: str, *, lock: bool = False) -> Any:
    table = till.tables.orders
    statement = select(table).where(table.c.idempotency_key == key)
    return till.row(statement.with_for_update() if lock else statement)


def _refuse(row: Any, statuses: Sequence[OrderStatus], code: str) -> None:
    if OrderStatus(row.status) in statuses:
        raise ShopRefusedError(code)


def _sold(till: Till, order_id: int) -> list[Line]:
    return [
        Line(product_id=row.product_id, variation_id=row.variation_id, quantity=row.quantity)
        for row in _line_rows(till, order_id)
    ]


def _line_rows(till: Till, order_id: int) -> list[Any]:
    table = till.tables.order_lines
    return till.rows(select(table).where(table.c.order_id == order_id).order_by(table.c.position))


def _order(till: Till, row: Any) -> Order:
    def money(units: int) -> Money:
        return Money.from_minor(units, row.currency)

    return Order(
        id=row.id,
        number=str(row.id),
        key=row.idempotency_key,
        status=OrderStatus(row.status),
        currency=row.currency,
        total=money(row.total),
        lines=tuple(
            OrderLine(
                product_id=line.product_id,
                variation_id=line.variation_id,
                name=line.name,
                sku=line.sku,
                attributes=line.attributes,
                quantity=line.quantity,
                price=money(line.price),
                total=money(line.total),
            )
            for line in _line_rows(till, row.id)
        ),
        shipping=money(row.shipping),
        phone=row.phone,
        customer_id=row.customer_id,
        paid_at=row.paid_at,
        refunded=money(row.refunded),
        tracking=tuple(Tracking(**parcel) for parcel in row.tracking),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )

"""What this shop knows of a customer, and taking it out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update

from wch.adapters.local_shop.till import Till
from wch.domain.moment import iso


def known_of(till: Till, keys: Sequence[str]) -> dict[str, Any]:
    """Customer, orders with their lines, and uses of coupons, as stored."""
    tables = till.tables
    orders = till.rows(select(tables.orders).where(tables.orders.c.phone.in_(keys)).order_by(tables.orders.c.id))
    ids = [order.id for order in orders]
    lines = tables.order_lines
    return {
        "customers": _plain(till.rows(select(tables.customers).where(tables.customers.c.phone.in_(keys)))),
        "orders": _plain(orders),
        "order_lines": _plain(till.rows(select(lines).where(lines.c.order_id.in_(ids)).order_by(lines.c.id))),
        "coupon_uses": _plain(till.rows(select(tables.coupon_uses).where(tables.coupon_uses.c.phone.in_(keys)))),
    }


def erase(till: Till, keys: Mapping[str, str]) -> dict[str, int]:
    """The customer goes; orders keep their lines and amounts under a number that leads to nobody."""
    tables = till.tables
    counts = {"customers": 0, "orders": 0, "coupon_uses": 0, "coupons": 0}
    customers, orders, uses, coupons = tables.customers, tables.orders, tables.coupon_uses, tables.coupons
    for key, number in keys.items():
        mails = [row.email for row in till.rows(select(customers.c.email).where(customers.c.phone == key)) if row.email]
        mails += [row.email for row in till.rows(select(orders.c.email).where(orders.c.phone == key)) if row.email]
        counts["customers"] += till.change(delete(customers).where(customers.c.phone == key))
        counts["orders"] += till.change(
            update(orders)
            .where(orders.c.phone == key)
            .values(phone=number, customer_id=None, name="", email=None, address=None, note="")
        )
        counts["coupon_uses"] += till.change(update(uses).where(uses.c.phone == key).values(phone=number))
        if mails:
            counts["coupons"] += till.change(update(coupons).where(coupons.c.email.in_(mails)).values(email=None))
    return counts


def _plain(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [
        {name: iso(value) if isinstance(value, datetime) else value for name, value in row._mapping.items()}  # noqa: SLF001 - its public name for mappings
        for row in rows
    ]

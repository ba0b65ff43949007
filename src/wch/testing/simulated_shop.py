"""Goods on the floor of the simulated WooCommerce shop."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from wch.adapters.sandbox.woocommerce import making
from wch.adapters.sandbox.woocommerce.floor import Floor
from wch.testing.scripted_shop import Goods


def put_on_floor(floor: Floor, goods: Sequence[Goods]) -> None:
    """Sell these from now on; what is there already is changed."""
    for one in goods:
        parent = next((row for row in floor.products.values() if one.parent and row["sku"] == one.parent), None)
        kind = "variation" if one.parent else "variable" if one.price is None else "simple"
        meta = [] if one.max is None else [{"key": "maximum_allowed_quantity", "value": str(one.max)}]
        categories = [row for path in one.categories if (row := floor.category(path)) is not None]
        row = floor.put_product(
            sku=one.sku,
            name=one.name,
            type=kind,
            status="publish" if one.active else "draft",
            price=_figure(one.price),
            regular_price=_figure(one.regular_price or one.price),
            parent_id=0 if parent is None else parent["id"],
            virtual=not one.needs_shipping,
            manage_stock=one.stock is not None,
            backorders="yes" if one.backorders else "no",
            categories=[{"id": row["id"], "name": row["name"], "slug": row["slug"]} for row in categories],
            attributes=_attributes(one),
            meta_data=meta,
        )
        floor.set_stock(row, one.stock)


def put_account(floor: Floor, phone: str, *, name: str = "Ada Lovelace", email: str = "") -> int:
    """Somebody with an account, who ordered once with this number; the shop's number for them."""
    number = floor.number()
    first, last = name.split(" ", 1)
    blank = {"first_name": "", "last_name": ""}
    floor.customers[number] = {
        "id": number, "email": email, "first_name": first, "last_name": last, "billing": blank, "shipping": blank
    }  # fmt: skip
    ordered = {"customer_id": number, "billing": {"phone": f"+{phone}"}}
    making.make(floor, ordered)
    return number


def _figure(price: Decimal | None) -> str:
    return "" if price is None else str(price)


def _attributes(one: Goods) -> list[dict[str, Any]]:
    return [{"id": 0, "name": name, "option": option} for name, option in one.attributes.items()]

"""The simulated shop's floor: products, stock, coupons, orders, and who hears of a change."""

import unicodedata
from collections.abc import Callable, Sequence
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from wch.adapters.sandbox.woocommerce.reckoning import Row, Sums, Till, qualifies
from wch.application.ports import Clock
from wch.domain.errors import WchError
from wch.domain.moment import of_iso
from wch.domain.money import Money, places

TAKING = ("on-hold", "processing", "completed")
"""Statuses in which an order's goods have left the stock."""

GIVING = ("cancelled", "pending")
"""Statuses that put them back."""


class FloorRefusedError(WchError):
    """The simulated shop refuses; `code` and `status` are WooCommerce's."""

    code: str
    status: int

    def __init__(self, code: str, words: str, status: int = 400) -> None:
        super().__init__(words, code=code, status=status)


def _nobody(_topic: str, _row_id: int) -> None:
    """Nobody hears of it."""


@attrs.define(kw_only=True)
class Floor:
    """What the shop has, as rows in the form of its REST API.

    Attributes:
        till: how it counts.
        country: where it is.
        name: as its visitors know it.
        shipping: its methods: rate id, title, price without tax, free from.
        tell: hears of each change, by topic and id.
        drift: added to the total of the next order, as a plug-in that rounds would.
    """

    clock: Clock
    till: Till
    country: str
    name: str = "The sandbox's shop"
    address: str = "http://shop.example"
    shipping: list[tuple[str, str, Decimal, Decimal | None]] = attrs.field(factory=list)
    products: dict[int, Row] = attrs.field(factory=dict)
    categories: dict[int, Row] = attrs.field(factory=dict)
    coupons: dict[int, Row] = attrs.field(factory=dict)
    orders: dict[int, Row] = attrs.field(factory=dict)
    refunds: dict[int, list[Row]] = attrs.field(factory=dict)
    notes: dict[int, list[Row]] = attrs.field(factory=dict)
    customers: dict[int, Row] = attrs.field(factory=dict)
    tell: Callable[[str, int], None] = _nobody
    drift: Decimal = Decimal(0)
    _latest: int = 100

    def number(self) -> int:
        """The next id; products, orders and coupons share one row of numbers, as posts do."""
        self._latest += 1
        return self._latest

    def stamp(self) -> str:
        """Now, as a `_gmt` field has it."""
        return gmt(self.clock.now())

    def text(self, money: Money) -> str:
        """An amount as text, with the shop's places."""
        return f"{money.amount:.{places(self.till.currency)}f}"

    # --- products

    def category(self, path: str) -> Row | None:
        """The category at the end of a path such as "Home > Lamps", made where it is missing."""
        parent, row = 0, None
        for name in (part.strip() for part in path.split(">")):
            row = next(
                (one for one in self.categories.values() if (one["name"], one["parent"]) == (name, parent)), None
            )
            if row is None:
                row = {"id": self.number(), "name": name, "slug": name.casefold(), "parent": parent}
                self.categories[row["id"]] = row
            parent = row["id"]
        return row

    def put_product(self, **fields: Any) -> Row:
        """Sell this, or change it, by its `sku`; what is not named stays, or is as in a fresh product."""
        known = next((one for one in self.products.values() if one["sku"] == fields["sku"]), None)
        row = known or {**deepcopy(_FRESH), "id": self.number(), "date_created_gmt": self.stamp()}
        row |= fields
        row["name"] = row["name"].replace("\x00", "")
        parent = self.products.get(row["parent_id"])
        if parent is not None:
            row["categories"] = parent["categories"]
            parent["variations"] = sorted({*parent["variations"], row["id"]})
        self.products[row["id"]] = row
        for one in self.products.values():
            if one["type"] == "variable":
                prices = [
                    Decimal(self.products[variant]["price"])
                    for variant in one["variations"]
                    if self.products[variant]["price"]
                ]
                one["price"] = str(min(prices)) if prices else ""
        self.touch(row, "product.updated" if known else "product.created")
        return row

    def set_stock(self, row: Row, quantity: int | None) -> None:
        """Say how many there are; a count that reaches nothing says so in words too."""
        row["manage_stock"] = quantity is not None if row["manage_stock"] != "parent" else "parent"
        row["stock_quantity"] = quantity
        if quantity is not None:
            back = row["backorders"] != "no"
            row["stock_status"] = "instock" if quantity > 0 else "onbackorder" if back else "outofstock"
        self.touch(row, "product.updated")

    def touch(self, row: Row, topic: str) -> None:
        """Stamp a row and tell of it."""
        row["date_modified_gmt"] = self.stamp()
        self.tell(topic, row["id"])

    def counted(self, row: Row) -> Row | None:
        """The row whose count limits this one."""
        if row["manage_stock"] == "parent":
            row = self.products[row["parent_id"]]
        return row if row["manage_stock"] is True else None

    def shown(self, row: Row) -> Row:
        """A product as the API gives it."""
        counted = self.counted(row)
        return {
            **row,
            "stock_quantity": None if counted is None else counted["stock_quantity"],
            "backorders_allowed": row["backorders"] != "no",
            "purchasable": bool(row["price"]),
            "permalink": f"{self.address}/product/{row['id']}/",
            "date_created": row["date_created_gmt"],
            "date_modified": row["date_modified_gmt"],
            "on_sale": bool(row["regular_price"]) and row["regular_price"] != row["price"],
        }

    def filed_in(self, product: Row, category_id: int) -> bool:
        """Whether the product is in the category or below it."""
        for category in product["categories"]:
            row = self.categories.get(category["id"])
            while row is not None:
                if row["id"] == category_id:
                    return True
                row = self.categories.get(row["parent"])
        return False

    # --- coupons

    def coupon(self, code: str) -> Row | None:
        """The coupon with this code, in any case of letters."""
        return next((one for one in self.coupons.values() if one["code"] == code.strip().casefold()), None)

    def put_coupon(self, **fields: Any) -> Row:
        """A coupon with these fields."""
        code = str(fields["code"]).strip().casefold()
        if self.coupon(code) is not None:
            raise FloorRefusedError("woocommerce_rest_coupon_code_already_exists", "The coupon code already exists")
        row = {
            **deepcopy(_FRESH_COUPON),
            **fields,
            "code": code,
            "id": self.number(),
            "date_modified_gmt": self.stamp(),
        }
        self.coupons[row["id"]] = row
        return row

    def valid_coupon(self, code: str, lines: Sequence[tuple[Row, int]], email: str) -> Row:
        """The coupon, if the shop takes it for these lines."""
        row = self.coupon(code)
        worth = sum((Decimal(product["price"]) * quantity for product, quantity in lines), Decimal(0))
        faults = row is None or (
            (row["date_expires_gmt"] and of_iso(row["date_expires_gmt"]) <= self.clock.now())
            or (row["usage_limit"] and row["usage_count"] >= row["usage_limit"])
            or (row["usage_limit_per_user"] and row["used_by"].count(email) >= row["usage_limit_per_user"] and email)
            or (Decimal(row["minimum_amount"] or 0) > worth)
            or (0 < Decimal(row["maximum_amount"] or 0) < worth)
            or (row["email_restrictions"] and email.casefold() not in row["email_restrictions"])
            or not any(qualifies(row, product) for product, _ in lines)
        )
        if row is None or faults:
            raise FloorRefusedError("woocommerce_rest_cart_coupon_error", "This coupon cannot be applied.")
        return row

    # --- shipping

    def rates(self, worth: Money) -> list[tuple[str, str, Money]]:
        """The methods with what they cost for goods of this worth."""
        return [
            (rate_id, title, self.till.money(0 if free is not None and worth.amount >= free else price))
            for rate_id, title, price, free in self.shipping
        ]

    # --- orders

    def sums(
        self, lines: Sequence[tuple[Row, int]], coupon: Row | None, shipping: Money | None, fees: Sequence[Money] = ()
    ) -> Sums:
        """What lines come to."""
        return self.till.reckon(lines, coupon=coupon, shipping=shipping, fees=fees)

    def move(self, order: Row, status: str) -> None:
        """Give the order this status; its goods leave the stock once, and come back once."""
        if status == order["status"]:
            return
        order["status"] = status
        if status in TAKING and not order["_stock_reduced"]:
            self._shift(order, -1)
        elif status in GIVING and order["_stock_reduced"]:
            self._shift(order, 1)
        if status == "cancelled":
            self.use_coupons(order, -1)
        if status in ("processing", "completed") and order["payment_method"] != "cod" and not order["date_paid_gmt"]:
            order["date_paid_gmt"] = self.stamp()

    def use_coupons(self, order: Row, by: int) -> None:
        """Count the uses of its coupons up or down."""
        email = order["billing"].get("email", "").casefold()
        for line in order["coupon_lines"]:
            coupon = self.coupon(line["code"])
            if coupon is not None:
                coupon["usage_count"] += by
                if by > 0:
                    coupon["used_by"].append(email)
                elif email in coupon["used_by"]:
                    coupon["used_by"].remove(email)

    def _shift(self, order: Row, by: int) -> None:
        order["_stock_reduced"] = by < 0
        for line in order["line_items"]:
            sold = self.products.get(line["variation_id"] or line["product_id"])
            counted = None if sold is None else self.counted(sold)
            if counted is not None:
                self.set_stock(counted, counted["stock_quantity"] + by * line["quantity"])

    def restock(self, order: Row, line_id: int, quantity: int) -> None:
        """Put so many of a line back."""
        for line in order["line_items"]:
            sold = self.products.get(line["variation_id"] or line["product_id"]) if line["id"] == line_id else None
            counted = None if sold is None else self.counted(sold)
            if counted is not None:
                self.set_stock(counted, counted["stock_quantity"] + quantity)


def gmt(moment: datetime) -> str:
    """UTC without saying so."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def folded(text: str) -> str:
    """As the database compares: without accents and case."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))


_FRESH: Row = {
    "name": "",
    "slug": "",
    "type": "simple",
    "status": "publish",
    "catalog_visibility": "visible",
    "description": "",
    "short_description": "",
    "sku": "",
    "price": "",
    "regular_price": "",
    "sale_price": "",
    "virtual": False,
    "downloadable": False,
    "tax_status": "taxable",
    "manage_stock": False,
    "stock_quantity": None,
    "stock_status": "instock",
    "backorders": "no",
    "sold_individually": False,
    "parent_id": 0,
    "categories": [],
    "images": [],
    "attributes": [],
    "variations": [],
    "menu_order": 0,
    "meta_data": [],
}

_FRESH_COUPON: Row = {
    "amount": "0",
    "status": "publish",
    "discount_type": "fixed_cart",
    "description": "",
    "date_expires_gmt": None,
    "usage_count": 0,
    "individual_use": False,
    "product_ids": [],
    "excluded_product_ids": [],
    "usage_limit": None,
    "usage_limit_per_user": None,
    "product_categories": [],
    "excluded_product_categories": [],
    "exclude_sale_items": False,
    "minimum_amount": "0.00",
    "maximum_amount": "0.00",
    "email_restrictions": [],
    "used_by": [],
    "meta_data": [],
}

"""The shop's own tables: products, rules of shipping and tax, coupons, orders, what is held, what changed.

Amounts are whole smallest units of the shop's one currency. `stock` NULL means that the pieces
are not counted. All names begin with the prefix of the hub's tables, then `shop_`.
"""

from functools import cache
from typing import Any

import attrs
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

from wch.adapters.sql.types import Flag, Json, Key, LongText, UtcSeconds, Words, row_id
from wch.domain.moment import EPOCH

FIRST_ORDER = 1001

GATE = 1
"""The row of `changes` that whoever appends holds until the commit, so that their ids become visible in order."""


@attrs.frozen(kw_only=True)
class ShopTables:
    """The tables of one shop."""

    metadata: MetaData
    products: Table
    categories: Table
    product_categories: Table
    coupons: Table
    coupon_uses: Table
    shipping_methods: Table
    tax_rates: Table
    customers: Table
    orders: Table
    order_lines: Table
    reservations: Table
    refunds: Table
    changes: Table


def shop_metadata(prefix: str) -> MetaData:
    """The tables of a shop with this prefix, for whoever creates, compares or drops them."""
    return shop_tables(prefix).metadata


def create(connection: Connection, prefix: str) -> None:
    """Make the tables that are not there yet; order numbers begin at 1001."""
    tables = shop_tables(prefix)
    tables.metadata.create_all(connection)
    if connection.execute(tables.changes.select().limit(1)).first() is None:
        connection.execute(tables.changes.insert().values(id=GATE, kind="gate", entity_id=0, changed_at=EPOCH))
    if connection.execute(tables.orders.select().limit(1)).first() is None:
        # A row that comes and goes moves the counter, in the same words on every engine.
        placeholder = _placeholder(tables)
        connection.execute(tables.orders.insert().values(**placeholder))
        connection.execute(tables.orders.delete().where(tables.orders.c.id == placeholder["id"]))


def drop(connection: Connection, prefix: str) -> None:
    """Take the tables away, with all that is in them."""
    shop_tables(prefix).metadata.drop_all(connection)


def _as_written(value: Any) -> Any:
    return value


def _placeholder(tables: ShopTables) -> dict[str, Any]:
    empty: dict[type, Any] = {BigInteger: 0, Flag: False, UtcSeconds: EPOCH}
    required = (column for column in tables.orders.columns if not column.nullable and column.default is None)
    return {**{column.name: empty.get(type(column.type), "") for column in required}, "id": FIRST_ORDER - 1}


@cache
def shop_tables(prefix: str) -> ShopTables:
    """The tables of a shop with this prefix."""
    metadata = MetaData()

    def table(name: str, *items: SchemaItem) -> Table:
        return Table(
            f"{prefix}shop_{name}",
            metadata,
            *items,
            sqlite_autoincrement=True,
            mysql_engine="InnoDB",
            mysql_charset="utf8mb4",
            mariadb_engine="InnoDB",
            mariadb_charset="utf8mb4",
        )

    def index(name: str, *columns: str) -> Index:
        return Index(f"{prefix}shop_{name}", *columns)

    def required(name: str, type_: Any, **options: Any) -> Column[Any]:
        return Column(name, type_, nullable=False, **options)

    def number() -> Column[int]:
        return Column("id", row_id(), primary_key=True, autoincrement=True)

    def json() -> Json:
        return Json(read=_as_written)

    products = table(
        "products",
        number(),
        Column("parent_id", BigInteger),
        required("sku", Key(100)),
        required("type", Words(20)),
        required("name", Words(255)),
        required("price", BigInteger, default=0),
        required("regular_price", BigInteger, default=0),
        Column("stock", BigInteger),
        required("reserved", BigInteger, default=0),
        required("backorders", Flag, default=False),
        required("min_quantity", BigInteger, default=1),
        Column("max_quantity", BigInteger),
        required("description", LongText(), default=""),
        required("image_urls", json(), default=()),
        Column("url", Words(500)),
        Column("brand", Words(100)),
        required("tax_class", Key(40), default=""),
        required("needs_shipping", Flag, default=True),
        required("active", Flag, default=True),
        required("attributes", json(), default=dict),
        required("position", Integer, default=0),
        required("sort_name", Key(255)),
        required("search_text", LongText(), default=""),
        required("updated_at", UtcSeconds),
        UniqueConstraint("sku", name=f"{prefix}shop_products_sku"),
        index("products_parent", "parent_id"),
        index("products_menu", "position", "sort_name", "id"),
    )
    categories = table(
        "categories",
        number(),
        required("parent_id", BigInteger, default=0),
        required("name", Key(150)),
        required("position", Integer, default=0),
        UniqueConstraint("parent_id", "name", name=f"{prefix}shop_categories_name"),
    )
    product_categories = table(
        "product_categories",
        Column("product_id", BigInteger, primary_key=True, autoincrement=False),
        Column("category_id", BigInteger, primary_key=True, autoincrement=False),
        index("product_categories_category", "category_id"),
    )
    coupons = table(
        "coupons",
        number(),
        required("code", Key(50)),
        Column("idempotency_key", Key(100)),
        required("title", Words(200), default=""),
        Column("percent_hundredths", Integer),
        Column("amount", BigInteger),
        Column("expires_at", UtcSeconds),
        Column("uses_at_most", Integer),
        Column("uses_per_customer", Integer),
        Column("minimum", BigInteger),
        Column("maximum", BigInteger),
        required("product_ids", json(), default=()),
        required("category_ids", json(), default=()),
        required("excludes_sale", Flag, default=False),
        Column("email", Words(254)),
        required("active", Flag, default=True),
        UniqueConstraint("code", name=f"{prefix}shop_coupons_code"),
        UniqueConstraint("idempotency_key", name=f"{prefix}shop_coupons_key"),
    )
    coupon_uses = table(
        "coupon_uses",
        number(),
        required("coupon_id", BigInteger),
        required("order_id", BigInteger),
        required("phone", Key(20)),
        UniqueConstraint("coupon_id", "order_id", name=f"{prefix}shop_coupon_uses_order"),
        index("coupon_uses_order_id", "order_id"),
    )
    shipping_methods = table(
        "shipping_methods",
        number(),
        required("code", Key(100)),
        required("title", Words(100)),
        required("price", BigInteger),
        Column("free_from", BigInteger),
        required("countries", json(), default=()),
        required("states", json(), default=()),
        required("postcodes", json(), default=()),
        Column("eta", Words(100)),
        required("tax_class", Key(40), default=""),
        required("position", Integer, default=0),
        required("active", Flag, default=True),
        UniqueConstraint("code", name=f"{prefix}shop_shipping_methods_code"),
    )
    tax_rates = table(
        "tax_rates",
        number(),
        required("tax_class", Key(40), default=""),
        required("country", Key(2), default=""),
        required("state", Key(20), default=""),
        required("postcode", Key(20), default=""),
        required("rate_millionths", Integer),
        required("name", Words(100), default=""),
        required("on_shipping", Flag, default=True),
    )
    customers = table(
        "customers",
        number(),
        required("phone", Key(20)),
        required("name", Words(200), default=""),
        Column("email", Words(254)),
        required("addresses", json(), default=()),
        required("created_at", UtcSeconds),
        UniqueConstraint("phone", name=f"{prefix}shop_customers_phone"),
    )
    orders = table(
        "orders",
        number(),
        required("idempotency_key", Key(100)),
        required("fingerprint", Words(64)),
        required("status", Words(20)),
        required("currency", Words(3)),
        required("subtotal", BigInteger),
        required("discount", BigInteger),
        required("shipping", BigInteger),
        required("tax", BigInteger),
        required("fee", BigInteger),
        required("total", BigInteger),
        required("tax_included", Flag),
        required("refunded", BigInteger, default=0),
        required("phone", Key(20)),
        Column("customer_id", BigInteger),
        required("name", Words(200)),
        Column("email", Words(254)),
        Column("address", json()),
        Column("coupon", Key(50)),
        Column("shipping_method", Key(100)),
        required("payment_method", Words(40)),
        required("note", LongText()),
        required("language", Words(20)),
        required("holds_stock", Flag, default=False),
        Column("gateway", Words(40)),
        Column("payment_id", Key(255)),
        Column("paid_at", UtcSeconds),
        required("tracking", json(), default=()),
        Column("cancel_reason", Words(255)),
        required("created_at", UtcSeconds),
        required("updated_at", UtcSeconds),
        UniqueConstraint("idempotency_key", name=f"{prefix}shop_orders_key"),
        index("orders_phone", "phone", "id"),
        index("orders_customer", "customer_id", "id"),
    )
    order_lines = table(
        "order_lines",
        number(),
        required("order_id", BigInteger),
        required("position", Integer),
        required("product_id", BigInteger),
        Column("variation_id", BigInteger),
        required("name", Words(255)),
        Column("sku", Key(100)),
        required("attributes", json()),
        required("quantity", BigInteger),
        required("price", BigInteger),
        required("total", BigInteger),
        UniqueConstraint("order_id", "position", name=f"{prefix}shop_order_lines_position"),
    )
    reservations = table(
        "reservations",
        number(),
        required("idempotency_key", Key(100)),
        required("product_id", BigInteger),
        required("quantity", BigInteger),
        required("until", UtcSeconds),
        UniqueConstraint("idempotency_key", "product_id", name=f"{prefix}shop_reservations_key"),
        index("reservations_product", "product_id", "until"),
    )
    refunds = table(
        "refunds",
        number(),
        required("idempotency_key", Key(100)),
        required("order_id", BigInteger),
        required("amount", BigInteger),
        required("reason", Words(255)),
        required("lines", json()),
        required("restocked", Flag),
        required("created_at", UtcSeconds),
        UniqueConstraint("idempotency_key", name=f"{prefix}shop_refunds_key"),
        index("refunds_order", "order_id"),
    )
    changes = table(
        "changes",
        number(),
        required("kind", Words(20)),
        required("entity_id", BigInteger),
        required("deleted", Flag, default=False),
        required("changed_at", UtcSeconds),
    )
    return ShopTables(
        metadata=metadata,
        products=products,
        categories=categories,
        product_categories=product_categories,
        coupons=coupons,
        coupon_uses=coupon_uses,
        shipping_methods=shipping_methods,
        tax_rates=tax_rates,
        customers=customers,
        orders=orders,
        order_lines=order_lines,
        reservations=reservations,
        refunds=refunds,
        changes=changes,
    )

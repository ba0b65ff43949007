"""The built-in shop: products, stock and orders in the hub's own database."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

import attrs
from sqlalchemy import Connection, select, update

from wch.adapters.local_shop import catalogue, changes, coupons, orders, people, pricing, samples, stock, tables
from wch.adapters.local_shop.tables import ShopTables, shop_tables
from wch.adapters.local_shop.till import Till
from wch.adapters.sql.database import SqlDatabase
from wch.application.ports import Clock
from wch.domain.address import Address
from wch.domain.catalogue import (
    LINES_AT_MOST,
    Arrival,
    Category,
    Changes,
    Page,
    Product,
    ProductCard,
    Sellable,
    ShopFacts,
    Variant,
    checked_key,
)
from wch.domain.country import COUNTRIES
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.document import JsonObject
from wch.domain.errors import StoreMisusedError, StoreUnavailableError
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer, Tracking
from wch.domain.quote import Buyer, Line, LineCheck, Quote, ShippingMethod
from wch.domain.shop_error import ShopNotFoundError, ShopUnavailableError

R = TypeVar("R")

CARDS_ON_A_PAGE = 30
ORDERS_ON_A_PAGE = 20
CATALOGUE_IDS_AT_ONCE = 100


@attrs.frozen(kw_only=True)
class LocalShop:
    """The shop that comes with the hub; each operation is one transaction.

    Attributes:
        database: where its tables are.
        clock: the hub's.
        facts: what it says of itself; with no `sells_to`, the countries of its shipping methods.
        secret: makes the codes of coupons.
    """

    database: SqlDatabase
    clock: Clock
    facts: ShopFacts
    secret: bytes = attrs.field(repr=False)
    _tables: ShopTables = attrs.field(
        init=False, repr=False, default=attrs.Factory(lambda self: shop_tables(self.database.prefix), takes_self=True)
    )

    async def work(self, work: Callable[[Till], R], *, write: bool) -> R:
        """Run a piece of work in one transaction; the shop is unavailable when the store is.

        Raises:
            ShopUnavailableError: the store does not answer.
            StoreMisusedError: a number is larger than any column takes.
        """

        def whole(connection: Connection) -> R:
            return work(
                Till(
                    connection=connection,
                    tables=self._tables,
                    currency=self.facts.currency,
                    prices_include_tax=self.facts.prices_include_tax,
                    country=self.facts.country,
                    now=self.clock.now(),
                )
            )

        try:
            return await self.database.run(whole, write=write)
        except StoreUnavailableError as error:
            raise ShopUnavailableError from error
        except OverflowError:
            message = "A number is larger than any column takes."
            raise StoreMisusedError(message) from None

    async def install(self, *, with_samples: bool = False) -> None:
        """Make the tables that are not there; an empty shop gets the sample products if asked for."""

        def install(till: Till) -> None:
            tables.create(till.connection, self.database.prefix)
            if with_samples:
                samples.fill(till)

        await self.work(install, write=True)

    # --- the people it knows

    @property
    def name(self) -> str:
        """In exports and receipts."""
        return "local_shop"

    async def known_of(self, keys: Sequence[str]) -> JsonObject:
        """Everything that it keeps of whoever has one of these numbers."""
        return await self.work(lambda till: people.known_of(till, keys), write=False)

    async def erase(self, keys: Mapping[str, str]) -> Mapping[str, int]:
        """Take them out, each number replaced where figures stay; how many rows of each table."""
        return await self.work(lambda till: people.erase(till, keys), write=True)

    # --- what is sold

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        if self.facts.sells_to:
            return self.facts
        served = await self.work(pricing.served_countries, write=False)
        return attrs.evolve(self.facts, sells_to=tuple(sorted(COUNTRIES if served is None else served)))

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """Published products, by menu order, name, id."""
        size = min(max(limit, 1), CARDS_ON_A_PAGE)
        return await self.work(
            lambda till: catalogue.search(till, text, category_id, cursor, size, in_stock=in_stock), write=False
        )

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below the parent in which something is sold."""
        return await self.work(lambda till: catalogue.categories(till, parent_id, cursor, max(limit, 1)), write=False)

    async def product(self, *, product_id: int) -> Product:
        """One published product."""
        return await self.work(lambda till: catalogue.product(till, product_id), write=False)

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product."""
        size = min(max(limit, 1), catalogue.VARIANTS_ON_A_PAGE)
        return await self.work(lambda till: catalogue.variants(till, product_id, cursor, size), write=False)

    async def arrivals(self, *, since: datetime, limit: int = 100) -> Sequence[Arrival]:
        """What is new since then."""
        size = min(max(limit, 1), CATALOGUE_IDS_AT_ONCE)
        return await self.work(lambda till: changes.arrivals(till, since, size), write=False)

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What catalogue ids stand for."""
        _at_most(CATALOGUE_IDS_AT_ONCE, retailer_ids)
        return await self.work(lambda till: catalogue.resolve(till, retailer_ids), write=False)

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict on each line."""
        _at_most(LINES_AT_MOST, lines)
        return await self.work(lambda till: catalogue.check(till, lines), write=False)

    # --- what it costs

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there."""
        return await self.work(lambda till: pricing.shipping_methods(till, lines, address, coupon), write=False)

    async def quote(
        self,
        *,
        lines: Sequence[Line],
        address: Address | None = None,
        shipping_id: str | None = None,
        coupon: str | None = None,
        fee: Money | None = None,
        customer: Buyer,
    ) -> Quote:
        """What these lines would cost now."""
        _at_most(LINES_AT_MOST, lines)
        return await self.work(
            lambda till: pricing.quote(
                till, lines, address=address, shipping_id=shipping_id, coupon=coupon, fee=fee, customer=customer
            ),
            write=False,
        )

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether a coupon holds for these lines."""
        return await self.work(
            lambda till: pricing.judge_coupon(till, code, pricing.price(till, lines), customer), write=False
        )

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon once for its key."""
        return await self.work(lambda till: coupons.create(till, self.secret, checked_key(key), spec), write=True)

    async def remove_coupon(self, *, key: str) -> CouponRemoval:
        """Take back a coupon that nobody used."""
        return await self.work(lambda till: coupons.remove(till, key), write=True)

    # --- what is kept and ordered

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Keep all lines, or none."""
        _at_most(LINES_AT_MOST, lines)
        return await self.work(lambda till: stock.reserve(till, checked_key(key), lines, until), write=True)

    async def release(self, *, key: str) -> None:
        """Give back what the key holds."""
        await self.work(lambda till: stock.release(till, key), write=True)

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order once for its key."""
        return await self.work(lambda till: orders.create(till, checked_key(key), draft), write=True)

    async def find_order(self, *, key: str, since: datetime) -> Order | None:  # noqa: ARG002 - keys are indexed here
        """The order of this key."""
        return await self.work(lambda till: orders.find(till, key), write=False)

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        return await self.work(lambda till: orders.get(till, order_id), write=False)

    async def accept_order(self, *, order_id: int, key: str) -> Order:  # noqa: ARG002 - the order's status is the key
        """The order goes to work."""
        return await self.work(lambda till: orders.accept(till, order_id), write=True)

    async def mark_paid(
        self,
        *,
        order_id: int,
        key: str,  # noqa: ARG002 - the payment's id is the key
        gateway: str,
        payment_id: str,
        amount: Money,
        at: datetime,
    ) -> Order:
        """The money for the order is there."""
        return await self.work(
            lambda till: orders.mark_paid(till, order_id, amount, gateway=gateway, payment_id=payment_id, at=at),
            write=True,
        )

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """The order is off."""

        def cancel(till: Till) -> Order | None:
            row = orders.row_of(till, order_id, key)
            return None if row is None else orders.cancel(till, row, reason, restock=restock)

        return await self.work(cancel, write=True)

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund once for its key."""
        return await self.work(
            lambda till: orders.record_refund(
                till, order_id, amount, key=checked_key(key), reason=reason, lines=lines, restock=restock
            ),
            write=True,
        )

    async def customers_by_phone(self, *, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """Every customer with one of these numbers, by id."""
        return await self.work(lambda till: orders.customers_by_phone(till, phones), write=False)

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these people, the newest first."""
        size = min(max(limit, 1), ORDERS_ON_A_PAGE)
        return await self.work(lambda till: orders.orders_of(till, phones, customer_id, cursor, size), write=False)

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor."""
        return await self.work(lambda till: changes.since(till, cursor, max(limit, 1)), write=False)

    # --- what the shop's own people do

    async def set_stock(self, *, sku: str, stock: int | None) -> None:
        """Say how many pieces there are; None stops counting.

        Raises:
            ShopNotFoundError: no product has this article number.
        """

        def count(till: Till) -> None:
            table = till.tables.products
            row = till.row(select(table.c.id).where(table.c.sku == sku).with_for_update())
            if row is None:
                raise ShopNotFoundError(sku=sku)
            till.change(update(table).where(table.c.id == row.id).values(stock=stock, updated_at=till.now))
            changes.record(till, *changes.stock_changes(till, [row.id]))

        await self.work(count, write=True)

    async def ship(self, *, order_id: int, carrier: str = "", tracking: str = "", url: str | None = None) -> Order:
        """An order at work leaves the house, with a parcel number if there is one.

        Raises:
            ShopNotFoundError: there is no such order.
            ShopRefusedError: `not_at_work`.
        """
        parcel = Tracking(carrier=carrier, number=tracking, url=url) if tracking else None
        return await self.work(lambda till: orders.ship(till, order_id, parcel), write=True)

    async def complete(self, *, order_id: int) -> Order:
        """An order has arrived.

        Raises:
            ShopNotFoundError: there is no such order.
            ShopRefusedError: `not_at_work`.
        """
        return await self.work(lambda till: orders.complete(till, order_id), write=True)

    async def miscounted(self) -> tuple[int, ...]:
        """Products whose `reserved` is not what their reservations hold, or that are promised beyond their stock."""
        return tuple(await self.work(stock.miscounted, write=False))


def _at_most(limit: int, things: Sequence[object]) -> None:
    if len(things) > limit:
        message = f"at most {limit} at once"
        raise ValueError(message)

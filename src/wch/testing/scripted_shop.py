"""A shop for tests: a price list in the test, a note of every call, and bad days to order.

It keeps the rules of the built-in shop, which it runs on a database in memory: a stand-in with
rules of its own would prove nothing.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Self, TypeVar

import attrs
from sqlalchemy import insert, update

from wch.adapters.local_shop import LocalShop, samples
from wch.adapters.local_shop.catalogue_rows import ProductRow, apply
from wch.adapters.local_shop.till import Till
from wch.adapters.sql.database import SqlDatabase
from wch.application.ports import Clock, Shop
from wch.domain.address import Address
from wch.domain.catalogue import Arrival, Category, Changes, Page, Product, ProductCard, Sellable, ShopFacts, Variant
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer
from wch.domain.quote import Buyer, Line, LineCheck, Quote, ShippingMethod
from wch.domain.shop_error import ShopRefusedError, ShopUnavailableError
from wch.testing.doubles import SequentialIds

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Goods:
    """A line of the price list: a product, or with `parent` a variant of one.

    Attributes:
        sku: the article number.
        name: of the product; a variant may go without.
        price: in the shop's currency; None for a product that has variants.
        regular_price: what it costs when it is not on sale.
        stock: pieces; None when they are not counted.
        backorders: whether more may be sold than there are.
        parent: the article number of the product that this is a variant of.
        attributes: what a variant differs in.
        categories: paths such as "Home > Lamps".
        needs_shipping: whether it has to be brought to the buyer.
        active: whether it is sold.
        max: the most that one order may hold.
        description: plain text.
        images: addresses, the main one first.
        url: its page in the shop.
        brand: its maker.
    """

    sku: str
    name: str = ""
    price: Decimal | None = None
    regular_price: Decimal | None = None
    stock: int | None = None
    backorders: bool = False
    parent: str = ""
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    categories: tuple[str, ...] = ()
    needs_shipping: bool = True
    active: bool = True
    max: int | None = None
    description: str = ""
    images: tuple[str, ...] = ()
    url: str = ""
    brand: str = ""


async def put_on_shelf(shop: LocalShop, goods: Sequence[Goods]) -> None:
    """Sell these from now on, in a shop of the built-in kind; what is there already is changed."""

    def put(till: Till) -> None:
        applied = apply(till, [_row(line, each, till.currency) for line, each in enumerate(goods)], replace=False)
        if applied.faults:
            raise ValueError(applied.faults)
        table = till.tables.products
        for each in goods:
            till.change(update(table).where(table.c.sku == each.sku).values(max_quantity=each.max))

    await shop.work(put, write=True)


async def put_customer(shop: LocalShop, phone: str, *, name: str = "Ada Lovelace", email: str | None = None) -> int:
    """Somebody who is known to a shop of the built-in kind; the shop's number for them."""

    def put(till: Till) -> int:
        values = {"phone": phone, "name": name, "email": email, "created_at": till.now}
        made = till.connection.execute(insert(till.tables.customers).values(**values)).inserted_primary_key
        return int(made[0]) if made else 0

    return await shop.work(put, write=True)


def _row(line: int, goods: Goods, currency: str) -> ProductRow:
    def units(price: Decimal | None) -> int | None:
        return None if price is None else Money(price, currency).minor()

    return ProductRow(
        line=line,
        sku=goods.sku,
        columns={
            "name": goods.name,
            "type": "variant" if goods.parent else "variable" if goods.price is None else "simple",
            "parent_sku": goods.parent,
            "price": units(goods.price),
            "regular_price": units(goods.regular_price),
            "stock": goods.stock,
            "backorders": goods.backorders,
            "categories": tuple(sorted(tuple(name.strip() for name in path.split(">")) for path in goods.categories)),
            "attributes": dict(goods.attributes),
            "needs_shipping": goods.needs_shipping,
            "active": goods.active,
            "description": goods.description,
            "image_urls": goods.images,
            "url": goods.url,
            "brand": goods.brand,
        },
    )


@attrs.frozen(kw_only=True)
class ShopCall:
    """One call that a shop was asked for.

    Attributes:
        operation: its name in the port.
        arguments: as they came.
        at: when.
    """

    operation: str
    arguments: Mapping[str, Any]
    at: datetime

    @property
    def key(self) -> str | None:
        """Its idempotency key, if it has one."""
        key = self.arguments.get("key")
        return None if key is None else str(key)


@attrs.frozen
class Slow:
    """The call waits for the event, then goes on."""

    until: asyncio.Event


@attrs.frozen
class Unavailable:
    """The call fails before it has any effect, as if the shop could not be reached."""

    retry_after: timedelta | None = None


@attrs.frozen
class LostAnswer:
    """The call has its effect, and its answer is lost on the way back."""


@attrs.frozen
class Refused:
    """The shop refuses the call for good, with this code."""

    code: str


Step = Slow | Unavailable | LostAnswer | Refused


class ScriptedShop:
    """A shop whose next calls do as they are told, and that remembers all of them."""

    def __init__(self, shop: LocalShop, *, clock: Clock) -> None:
        self.shop = shop
        self.calls: list[ShopCall] = []
        self._clock = clock
        self._script: defaultdict[str, deque[Step]] = defaultdict(deque)

    @classmethod
    async def selling(
        cls, goods: Sequence[Goods] = (), *, clock: Clock, currency: str = "EUR", country: str = "DE"
    ) -> Self:
        """A shop in memory that sells these; without any, the twelve samples."""
        database = SqlDatabase.open("sqlite://", prefix="", now=clock.now, token=SequentialIds().token, inline=True)
        facts = ShopFacts(
            name="The test's shop",
            currency=currency,
            country=country,
            sells_to=(),
            timezone="UTC",
            prices_include_tax=True,
        )
        shop = LocalShop(database=database, clock=clock, facts=facts, secret=b"scripted")
        await shop.install(with_samples=not goods)
        if goods:
            await shop.work(samples.fill_rules, write=True)
            await put_on_shelf(shop, goods)
        return cls(shop, clock=clock)

    def script(self, operation: str, *steps: Step) -> None:
        """Lay out what the next calls of this operation do, one step each; after them all is well again."""
        if not hasattr(Shop, operation):
            message = f"a shop has no operation {operation}"
            raise ValueError(message)
        self._script[operation].extend(steps)

    def calls_of(self, operation: str) -> list[ShopCall]:
        """The calls of one operation, in order."""
        return [call for call in self.calls if call.operation == operation]

    async def aclose(self) -> None:
        """Give the database in memory back."""
        await self.shop.database.aclose()

    async def _call(self, operation: str, call: Callable[..., Awaitable[R]], **arguments: Any) -> R:
        self.calls.append(ShopCall(operation=operation, arguments=arguments, at=self._clock.now()))
        step = self._script[operation].popleft() if self._script[operation] else None
        match step:
            case Slow(until):
                await until.wait()
            case Unavailable(retry_after):
                raise ShopUnavailableError(retry_after)
            case Refused(code):
                raise ShopRefusedError(code)
            case _:
                pass
        answer = await call(**arguments)
        if isinstance(step, LostAnswer):
            raise ShopUnavailableError
        return answer

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        return await self._call("about", self.shop.about)

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """Products that are published and visible, at most 30 a page."""
        return await self._call(
            "search",
            self.shop.search,
            text=text,
            category_id=category_id,
            in_stock=in_stock,
            cursor=cursor,
            limit=limit,
        )

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below `parent_id` (None: the top) in which something is sold."""
        return await self._call("categories", self.shop.categories, parent_id=parent_id, cursor=cursor, limit=limit)

    async def product(self, *, product_id: int) -> Product:
        """One published product with up to 100 variants; a variant's number raises ShopNotFoundError, as any other."""
        return await self._call("product", self.shop.product, product_id=product_id)

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product that are sold, sold-out ones included, at most 100 a page."""
        return await self._call("variants", self.shop.variants, product_id=product_id, cursor=cursor, limit=limit)

    async def arrivals(self, *, since: datetime, limit: int = 100) -> Sequence[Arrival]:
        """Products that can be bought and were published after `since`, the newest first, at most 100."""
        return await self._call("arrivals", self.shop.arrivals, since=since, limit=limit)

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What up to 100 catalogue ids stand for: a variant's number, a product's number, an article number."""
        return await self._call("resolve", self.shop.resolve, retailer_ids=retailer_ids)

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict for each of up to 50 lines, in their order."""
        return await self._call("check", self.shop.check, lines=lines)

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there, the cheapest first; none: it cannot be delivered there."""
        return await self._call(
            "shipping_methods", self.shop.shipping_methods, lines=lines, address=address, coupon=coupon
        )

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
        """What these lines would cost now, part by part."""
        return await self._call(
            "quote",
            self.shop.quote,
            lines=lines,
            address=address,
            shipping_id=shipping_id,
            coupon=coupon,
            fee=fee,
            customer=customer,
        )

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether this code, in any case of letters, holds for these lines; the first reason that speaks against it."""
        return await self._call("check_coupon", self.shop.check_coupon, code=code, lines=lines, customer=customer)

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon; the same key gives the same coupon."""
        return await self._call("create_coupon", self.shop.create_coupon, key=key, spec=spec)

    async def remove_coupon(self, *, key: str) -> CouponRemoval:
        """Take back what `create_coupon` made under this key; one that was used stays, none is no error."""
        return await self._call("remove_coupon", self.shop.remove_coupon, key=key)

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Keep these lines for this key until then: all of them, or none (OutOfStockError)."""
        return await self._call("reserve", self.shop.reserve, key=key, lines=lines, until=until)

    async def release(self, *, key: str) -> None:
        """Give back what this key holds; unknown, released, expired or used up is no error."""
        return await self._call("release", self.shop.release, key=key)

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order, unpaid; the same key gives the same order for ever, however many ask at once."""
        return await self._call("create_order", self.shop.create_order, key=key, draft=draft)

    async def find_order(self, *, key: str, since: datetime) -> Order | None:
        """The order of this key, if one was made since then; asked before `create_order` is repeated."""
        return await self._call("find_order", self.shop.find_order, key=key, since=since)

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        return await self._call("order", self.shop.order, order_id=order_id)

    async def accept_order(self, *, order_id: int, key: str) -> Order:
        """An order that is paid later goes to work; its goods leave the stock. Repeated: the same order."""
        return await self._call("accept_order", self.shop.accept_order, order_id=order_id, key=key)

    async def mark_paid(
        self, *, order_id: int, key: str, gateway: str, payment_id: str, amount: Money, at: datetime
    ) -> Order:
        """The money is there: the order goes to work, its goods leave the stock. Repeated: the same order."""
        return await self._call(
            "mark_paid",
            self.shop.mark_paid,
            order_id=order_id,
            key=key,
            gateway=gateway,
            payment_id=payment_id,
            amount=amount,
            at=at,
        )

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """Cancel by id or by key; cancelled before, or never made, is no error (None: never made)."""
        return await self._call(
            "cancel_order", self.shop.cancel_order, order_id=order_id, key=key, reason=reason, restock=restock
        )

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund; no money moves here. The same key books once."""
        return await self._call(
            "record_refund",
            self.shop.record_refund,
            order_id=order_id,
            key=key,
            amount=amount,
            reason=reason,
            lines=lines,
            restock=restock,
        )

    async def customers_by_phone(self, *, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """Every customer with one of these numbers, by id."""
        return await self._call("customers_by_phone", self.shop.customers_by_phone, phones=phones)

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these numbers or this customer, the newest first, at most 20 a page."""
        return await self._call(
            "orders_of", self.shop.orders_of, phones=phones, customer_id=customer_id, cursor=cursor, limit=limit
        )

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor: at least once, never a gap."""
        return await self._call("changed_since", self.shop.changed_since, cursor=cursor, limit=limit)

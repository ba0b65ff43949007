"""A WooCommerce shop over its REST API, version 3, and the cart of its Store API."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from wch.adapters.woocommerce.bodies import WooWebhook
from wch.adapters.woocommerce.calling import PER_PAGE, WooApi
from wch.adapters.woocommerce.catalogue import CARDS_A_CALL, Catalogue
from wch.adapters.woocommerce.changes import ChangeFeed
from wch.adapters.woocommerce.facts import TOPICS, Facts, check_connection
from wch.adapters.woocommerce.holds import Holds
from wch.adapters.woocommerce.intents import Intents
from wch.adapters.woocommerce.orders import Orders
from wch.adapters.woocommerce.people import People
from wch.adapters.woocommerce.pricing import Pricing
from wch.application.ports import Clock, Database
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
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer
from wch.domain.quote import Buyer, Line, LineCheck, Quote, ShippingMethod
from wch.domain.shop_error import ShopRefusedError

ORDERS_ON_A_PAGE = 20
CATALOGUE_IDS_AT_ONCE = 100


@attrs.frozen(kw_only=True)
class WooCommerceShop:
    """Sells what a WooCommerce shop sells; the shop counts, prices and keeps, the hub holds back for its own buyers.

    Attributes:
        api: the shop's address and key.
        facts: what the shop says of itself.
        people: who it knows.
        catalogue: what it sells.
        pricing: what things cost.
        orders: what is ordered.
        feed: what changed.
    """

    api: WooApi
    facts: Facts
    people: People
    catalogue: Catalogue
    pricing: Pricing
    orders: Orders
    feed: ChangeFeed

    @classmethod
    def over(
        cls, api: WooApi, *, database: Database, clock: Clock, currency: str, secret: bytes, waiting_status: str
    ) -> "WooCommerceShop":
        """The shop behind this API; the hub's database keeps what is held and what was asked for.

        Args:
            api: how it is called.
            database: the hub's.
            clock: the hub's.
            currency: the hub's; the shop must sell in it.
            secret: makes the codes of coupons.
            waiting_status: of orders that wait for their money, `on-hold` or `pending`.
        """
        facts = Facts(api=api, clock=clock, currency=currency)
        holds = Holds(database=database, clock=clock)
        intents = Intents(database=database, clock=clock)
        catalogue = Catalogue(api=api, facts=facts, holds=holds)
        pricing = Pricing(api=api, facts=facts, catalogue=catalogue, clock=clock, secret=secret)
        orders = Orders(
            api=api,
            facts=facts,
            catalogue=catalogue,
            pricing=pricing,
            holds=holds,
            intents=intents,
            clock=clock,
            waiting_status=waiting_status,
        )
        return cls(
            api=api,
            facts=facts,
            people=People(api=api),
            catalogue=catalogue,
            pricing=pricing,
            orders=orders,
            feed=ChangeFeed(api=api, orders=orders, intents=intents, clock=clock),
        )

    # --- what is sold

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        return await self.facts.about()

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """Published products, by the shop's menu order."""
        size = min(max(limit, 1), CARDS_A_CALL)
        return await self.catalogue.search(
            words=text, category_id=category_id, in_stock=in_stock, cursor=cursor, limit=size
        )

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below the parent in which something is sold."""
        return await self.catalogue.categories(parent_id=parent_id, cursor=cursor, limit=max(limit, 1))

    async def product(self, *, product_id: int) -> Product:
        """One published product."""
        return await self.catalogue.product(product_id)

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product."""
        return await self.catalogue.variants(product_id, cursor=cursor, limit=min(max(limit, 1), PER_PAGE))

    async def arrivals(self, *, since: datetime, limit: int = 100) -> Sequence[Arrival]:
        """What is new."""
        return await self.catalogue.arrivals(since, min(max(limit, 1), PER_PAGE))

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What catalogue ids stand for."""
        _at_most(CATALOGUE_IDS_AT_ONCE, retailer_ids)
        return await self.catalogue.resolve(retailer_ids)

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict on each line."""
        _at_most(LINES_AT_MOST, lines)
        return await self.catalogue.check(lines)

    # --- what it costs

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there."""
        return await self.pricing.shipping_methods(lines, address, coupon)

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
        return await self.pricing.quote(
            lines, address=address, shipping_id=shipping_id, coupon=coupon, fee=fee, customer=customer
        )

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether a coupon holds for these lines."""
        return await self.pricing.check_coupon(code, lines, customer)

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon once for its key."""
        return await self.pricing.create_coupon(checked_key(key), spec)

    async def remove_coupon(self, *, key: str) -> CouponRemoval:
        """Take back a coupon that nobody used."""
        return await self.pricing.remove_coupon(key)

    # --- what is kept and ordered

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Hold all lines against our own buyers, or none."""
        _at_most(LINES_AT_MOST, lines)
        return await self.orders.reserve(checked_key(key), lines, until)

    async def release(self, *, key: str) -> None:
        """Give back what the key holds."""
        await self.orders.holds.drop(key, whole_placement=False)

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order once for its key."""
        return await self.orders.create(checked_key(key), draft)

    async def find_order(self, *, key: str, since: datetime) -> Order | None:
        """The order of this key."""
        await self.facts.about()
        found = await self.orders.find(key, since)
        return None if found is None else self.orders.order_of(found)

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        return self.orders.order_of(await self.orders.get(order_id))

    async def accept_order(self, *, order_id: int, key: str) -> Order:  # noqa: ARG002 - the order's status is the key
        """The order goes to work."""
        await self.facts.about()
        return await self.orders.accept(order_id)

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
        await self.facts.about()
        return await self.orders.mark_paid(order_id, gateway=gateway, payment_id=payment_id, amount=amount, at=at)

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """The order is off."""
        return await self.orders.cancel_by(order_id, key, reason, restock=restock)

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund once for its key."""
        return await self.orders.record_refund(
            order_id, amount, key=checked_key(key), reason=reason, lines=lines, restock=restock
        )

    # --- whom it knows, and what changed

    async def customers_by_phone(self, *, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """Every customer with one of these numbers, by id."""
        return await self.people.customers_by_phone(phones)

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these people, the newest first."""
        if cursor is not None and not cursor.isdecimal():
            code = "cursor"
            raise ShopRefusedError(code)
        size = min(max(limit, 1), ORDERS_ON_A_PAGE)
        before = None if cursor is None else int(cursor)
        found = await self.people.orders_of(phones, customer_id, before=before, limit=size + 1)
        items = tuple(self.orders.order_of(order) for order in found[:size])
        return Page(items=items, next=str(items[-1].id) if len(found) > size else None)

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor."""
        return await self.feed.since(cursor, max(limit, 1))

    # --- its webhooks, and how it is reached

    async def disabled_webhooks(self, *, reactivate: bool) -> tuple[str, ...]:
        """The topics whose webhook the shop has switched off, after it failed too often; switched on again if wished."""
        reply = await self.api.get("webhooks", per_page=PER_PAGE, status="disabled")
        off = [hook for hook in map(WooWebhook.read, reply.rows) if hook.topic in TOPICS]
        for hook in off if reactivate else ():
            await self.api.put(f"webhooks/{hook.id}", {"status": "active"})
        return tuple(hook.topic for hook in off)

    async def complaints(self) -> tuple[tuple[str, str, str], ...]:
        """What stands between the hub and the shop: how bad, what, and the way out of each."""
        return await check_connection(self.api, self.facts)


def _at_most(limit: int, things: Sequence[object]) -> None:
    if len(things) > limit:
        message = f"at most {limit} at once"
        raise ValueError(message)

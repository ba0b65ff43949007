"""A shop behind the breaker: one that does not answer is left alone until one probe has come back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import attrs

from wch.application.breakers import Breakers
from wch.application.ports import Clock, Shop
from wch.domain.address import Address
from wch.domain.catalogue import Arrival, Category, Changes, Page, Product, ProductCard, Sellable, ShopFacts, Variant
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer
from wch.domain.quote import Buyer, Line, LineCheck, Quote, ShippingMethod
from wch.domain.shop_error import ShopError, ShopUnavailableError

SERVICE = "shop"

R = TypeVar("R")


@attrs.define(kw_only=True)
class GuardedShop:
    """A shop that is somewhere else, its calls behind the breaker `shop`.

    Only what says nothing about the call counts as the shop's failure, never a refusal.

    Attributes:
        shop: the shop.
        breakers: the state that all processes share.
        clock: the hub's.
        looks_every: so often it is asked what changed; its webhooks tell of most changes sooner.
    """

    shop: Shop
    breakers: Breakers
    clock: Clock
    looks_every: timedelta = timedelta(0)
    _looked_at: datetime | None = attrs.field(default=None, init=False)

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        return await self._guarded(self.shop.about)

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
        return await self._guarded(
            lambda: self.shop.search(text=text, category_id=category_id, in_stock=in_stock, cursor=cursor, limit=limit)
        )

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below `parent_id` (None: the top) in which something is sold."""
        return await self._guarded(lambda: self.shop.categories(parent_id=parent_id, cursor=cursor, limit=limit))

    async def product(self, *, product_id: int) -> Product:
        """One published product with up to 100 variants; a variant's number raises ShopNotFoundError, as any other."""
        return await self._guarded(lambda: self.shop.product(product_id=product_id))

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product that are sold, sold-out ones included, at most 100 a page."""
        return await self._guarded(lambda: self.shop.variants(product_id=product_id, cursor=cursor, limit=limit))

    async def arrivals(self, *, since: datetime, limit: int = 100) -> Sequence[Arrival]:
        """Products that can be bought and were published after `since`, the newest first, at most 100."""
        return await self._guarded(lambda: self.shop.arrivals(since=since, limit=limit))

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What up to 100 catalogue ids stand for: a variant's number, a product's number, an article number."""
        return await self._guarded(lambda: self.shop.resolve(retailer_ids=retailer_ids))

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict for each of up to 50 lines, in their order."""
        return await self._guarded(lambda: self.shop.check(lines=lines))

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there, the cheapest first; none: it cannot be delivered there."""
        return await self._guarded(lambda: self.shop.shipping_methods(lines=lines, address=address, coupon=coupon))

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
        return await self._guarded(
            lambda: self.shop.quote(
                lines=lines, address=address, shipping_id=shipping_id, coupon=coupon, fee=fee, customer=customer
            )
        )

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether this code, in any case of letters, holds for these lines; the first reason that speaks against it."""
        return await self._guarded(lambda: self.shop.check_coupon(code=code, lines=lines, customer=customer))

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon; the same key gives the same coupon."""
        return await self._guarded(lambda: self.shop.create_coupon(key=key, spec=spec))

    async def remove_coupon(self, *, key: str) -> CouponRemoval:
        """Take back what `create_coupon` made under this key; one that was used stays, none is no error."""
        return await self._guarded(lambda: self.shop.remove_coupon(key=key))

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Keep these lines for this key until then: all of them, or none (OutOfStockError)."""
        return await self._guarded(lambda: self.shop.reserve(key=key, lines=lines, until=until))

    async def release(self, *, key: str) -> None:
        """Give back what this key holds; unknown, released, expired or used up is no error."""
        return await self._guarded(lambda: self.shop.release(key=key))

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order, unpaid; the same key gives the same order for ever, however many ask at once."""
        return await self._guarded(lambda: self.shop.create_order(key=key, draft=draft))

    async def find_order(self, *, key: str, since: datetime) -> Order | None:
        """The order of this key, if one was made since then; asked before `create_order` is repeated."""
        return await self._guarded(lambda: self.shop.find_order(key=key, since=since))

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        return await self._guarded(lambda: self.shop.order(order_id=order_id))

    async def accept_order(self, *, order_id: int, key: str) -> Order:
        """An order that is paid later goes to work; its goods leave the stock. Repeated: the same order."""
        return await self._guarded(lambda: self.shop.accept_order(order_id=order_id, key=key))

    async def mark_paid(
        self, *, order_id: int, key: str, gateway: str, payment_id: str, amount: Money, at: datetime
    ) -> Order:
        """The money is there: the order goes to work, its goods leave the stock. Repeated: the same order."""
        return await self._guarded(
            lambda: self.shop.mark_paid(
                order_id=order_id, key=key, gateway=gateway, payment_id=payment_id, amount=amount, at=at
            )
        )

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """Cancel by id or by key; cancelled before, or never made, is no error (None: never made)."""
        return await self._guarded(
            lambda: self.shop.cancel_order(order_id=order_id, key=key, reason=reason, restock=restock)
        )

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund; no money moves here. The same key books once."""
        return await self._guarded(
            lambda: self.shop.record_refund(
                order_id=order_id, key=key, amount=amount, reason=reason, lines=lines, restock=restock
            )
        )

    async def customers_by_phone(self, *, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """Every customer with one of these numbers, by id."""
        return await self._guarded(lambda: self.shop.customers_by_phone(phones=phones))

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these numbers or this customer, the newest first, at most 20 a page."""
        return await self._guarded(
            lambda: self.shop.orders_of(phones=phones, customer_id=customer_id, cursor=cursor, limit=limit)
        )

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor: at least once, never a gap."""
        now = self.clock.now()
        if cursor is not None and self._looked_at is not None and now - self._looked_at < self.looks_every:
            return Changes(items=(), cursor=cursor)
        changes = await self._guarded(lambda: self.shop.changed_since(cursor=cursor, limit=limit))
        if not changes.items:
            self._looked_at = now
        return changes

    async def _guarded(self, call: Callable[[], Awaitable[R]]) -> R:
        return await self.breakers.guard(SERVICE, call, down=ShopUnavailableError, errors=ShopError)

"""What is sold, and the shop that sells it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from wch.domain.address import Address
from wch.domain.catalogue import Arrival, Category, Changes, Page, Product, ProductCard, Sellable, ShopFacts, Variant
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer
from wch.domain.quote import Buyer, Line, LineCheck, Quote, ShippingMethod
from wch.domain.shop_hint import ShopHint


class Shop(Protocol):
    """Where products, stock and orders live.

    Nothing here repeats a call by itself. Products and variants share one number space, so one
    number names a sellable. Cursors are opaque; walking pages shows a row that is there all the
    time exactly once, while others come and go. A key is 1 to 100 characters of
    `[A-Za-z0-9_.:-]`; repeating a write under its key is safe for ever.

    Raises:
        ShopUnavailableError: time-out, refused connection, server error, an answer that cannot be
            read: to be tried again; a write is in doubt. The only one that counts for the breaker.
        ShopNotFoundError: nothing under this id.
        ShopRefusedError: permanent; `code` is the reason.
        OutOfStockError: less than asked for; `lines` says of each short line how much there is.
        KeyReusedError: the key was used for something else.
        ShopMisconfiguredError: our key was rejected, or the currency is another: no retry.
    """

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        ...

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """Products that are published and visible, at most 30 a page.

        With a text (its first 100 characters) those it matches, in the shop's own order; without,
        by menu order, name, id. A category holds what its descendants hold.
        """
        ...

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below `parent_id` (None: the top) in which something is sold."""
        ...

    async def product(self, *, product_id: int) -> Product:
        """One published product with up to 100 variants; a variant's number raises ShopNotFoundError, as any other."""
        ...

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product that are sold, sold-out ones included, at most 100 a page."""
        ...

    async def arrivals(self, *, since: datetime, limit: int = 100) -> Sequence[Arrival]:
        """Products that can be bought and were published after `since`, the newest first, at most 100."""
        ...

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What up to 100 catalogue ids stand for: a variant's number, a product's number, an article number.

        The unknown are absent, never an error.
        """
        ...

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict for each of up to 50 lines, in their order.

        What other customers have reserved counts as gone. A line that names a variant by its
        number alone is that variant.
        """
        ...

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there, the cheapest first; none: it cannot be delivered there."""
        ...

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
        """What these lines would cost now, part by part.

        A coupon that does not hold takes nothing off and is not named in the quote.

        Raises:
            ShopRefusedError: a line names nothing that is sold (`not_found`, `unavailable`,
                `variant_required`), or the shipping method is not offered there (`shipping`).
        """
        ...

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether this code, in any case of letters, holds for these lines; the first reason that speaks against it."""
        ...

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon; the same key gives the same coupon."""
        ...

    async def remove_coupon(self, *, key: str) -> CouponRemoval:
        """Take back what `create_coupon` made under this key; one that was used stays, none is no error."""
        ...

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Keep these lines for this key until then: all of them, or none (OutOfStockError).

        The same key and lines: the same reservation, whose `until` only moves later. Past `until`
        it holds nothing, without anybody having swept it. The order whose key is this one but for
        the step's name at the end (`placement_of`) takes over what is held.
        """
        ...

    async def release(self, *, key: str) -> None:
        """Give back what this key holds; unknown, released, expired or used up is no error."""
        ...

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order, unpaid; the same key gives the same order for ever, however many ask at once.

        A customer whom the shop does not know any more holds up no order: it is made for whoever has the number.

        Raises:
            KeyReusedError: the key belongs to another draft.
            ShopRefusedError: `total_changed`: the shop counts another total than `expected_total`;
                `coupon`, `shipping`, or a verdict when the draft cannot be sold as it is.
        """
        ...

    async def find_order(self, *, key: str, since: datetime) -> Order | None:
        """The order of this key, if one was made since then; asked before `create_order` is repeated."""
        ...

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        ...

    async def accept_order(self, *, order_id: int, key: str) -> Order:
        """An order that is paid later goes to work; its goods leave the stock. Repeated: the same order.

        Raises:
            OutOfStockError: what was reserved for it has expired, and is gone.
            ShopRefusedError: `cancelled`.
        """
        ...

    async def mark_paid(
        self, *, order_id: int, key: str, gateway: str, payment_id: str, amount: Money, at: datetime
    ) -> Order:
        """The money is there: the order goes to work, its goods leave the stock. Repeated: the same order.

        Raises:
            ShopRefusedError: `amount_mismatch`: not the order's total to the last unit;
                `conflict`: it was paid by another payment; `cancelled`.
            OutOfStockError: what was reserved for it has expired, and is gone.
        """
        ...

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """Cancel by id or by key; cancelled before, or never made, is no error (None: never made).

        What it held goes back to the stock, once.

        Raises:
            ShopRefusedError: `shipped`.
        """
        ...

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund; no money moves here. The same key books once.

        Raises:
            ShopRefusedError: `too_much`: more than is left; `amount_mismatch`: another currency, or not positive.
        """
        ...

    async def customers_by_phone(self, *, phones: Sequence[str]) -> tuple[ShopCustomer, ...]:
        """Every customer with one of these numbers, by id, at most 10; who orders as a guest is none."""
        ...

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these numbers or this customer, the newest first, at most 20 a page."""
        ...

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor: at least once, never a gap.

        None begins at the beginning, or a day ago where going through everything would take too long.
        """
        ...


class ShopWebhooks(Protocol):
    """How the shop's deliveries are read; no network."""

    def read(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopHint | None:
        """Whom a signed delivery is about; None when it is about nothing that is kept in step.

        Raises:
            BadSignatureError: missing, doubled or wrong; nothing else is ever raised before the
                signature was found right.
            UndecodableError: rightly signed, and of no known shape; `what` names the part.
        """
        ...


class WebhookWatch(Protocol):
    """A shop that tells by webhook, and switches one off that failed too often."""

    async def disabled_webhooks(self, *, reactivate: bool) -> tuple[str, ...]:
        """The topics that are off among those that the hub listens to; switched on again if wished.

        Raises:
            ShopError: as every call of `Shop`.
        """
        ...

"""Orders in the shop: made once for a key, which WooCommerce does not know, and carried on."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import attrs

from wch.adapters.woocommerce.bodies import Json, WooOrder, WooRefund, text
from wch.adapters.woocommerce.calling import PER_PAGE, Reply, WooApi
from wch.adapters.woocommerce.catalogue import Catalogue
from wch.adapters.woocommerce.facts import Facts
from wch.adapters.woocommerce.holds import Holds
from wch.adapters.woocommerce.intents import Intents
from wch.adapters.woocommerce.order_words import going_back, lines_of, order_line_of, status_of, tracking_of
from wch.adapters.woocommerce.people import same_number
from wch.adapters.woocommerce.pricing import KEY, Counted, Pricing, store_address
from wch.application.ports import Clock
from wch.domain.address import split_name
from wch.domain.catalogue import placement_of
from wch.domain.moment import iso, of_iso
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, OrderStatus, Reservation
from wch.domain.quote import Line, ShortLine, Verdict
from wch.domain.shop_error import (
    KeyReusedError,
    OutOfStockError,
    ShopError,
    ShopNotFoundError,
    ShopRefusedError,
    ShopUnavailableError,
)

CHANNEL = "_wch_channel"
DRAFT = "_wch_draft"
CART = "_wch_cart"
PAYMENT = "_wch_payment"
PAID_AT = "_wch_paid_at"
EARLIER = timedelta(minutes=15)
ACCEPTING = timedelta(minutes=10)
TRIES = 5
NO_SUCH_CUSTOMER = "woocommerce_rest_invalid_customer_id"

_NOT_THERE = frozenset({"checkout-draft", "auto-draft", "trash", "draft", "new"})
_WAITING = (OrderStatus.PENDING, OrderStatus.ON_HOLD)
_GONE = (OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.FAILED)
_LEFT = (OrderStatus.SHIPPED, OrderStatus.COMPLETED)


@attrs.frozen(kw_only=True)
class Orders:
    """Makes orders, takes goods for them, and carries them on.

    Attributes:
        waiting_status: of an order that waits for its money: `on-hold` makes the shop take the
            goods out of its stock at once, `pending` leaves them where web buyers can have them.
    """

    api: WooApi
    facts: Facts
    catalogue: Catalogue
    pricing: Pricing
    holds: Holds
    intents: Intents
    clock: Clock
    waiting_status: str
    _turns: "WeakValueDictionary[str, asyncio.Lock]" = attrs.field(
        factory=WeakValueDictionary, init=False, repr=False, eq=False
    )

    # --- goods

    async def reserve(self, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Hold all lines against our own buyers, or none."""
        for _ in range(TRIES):
            # Counts are read after the holds: a hold that has become an order since then shows in the count.
            before = await self.holds.of(one for line in lines for one in (line.product_id, line.sellable_id))
            goods = await self.catalogue.goods(lines)
            for good in goods:
                if good.verdict is not Verdict.OK:
                    raise ShopRefusedError(good.verdict.value)
            guarded = [good.guarded for good in goods]
            wanted: dict[int, int] = {}
            for good, one in zip(goods, guarded, strict=True):
                if one is not None:
                    wanted[one[0]] = wanted.get(one[0], 0) + good.line.quantity
            counts = {one[0]: one[1] for one in guarded if one is not None}
            taken = await self.holds.take(key, wanted, counts=counts, until=until, before=before)
            if taken.stale:
                continue
            if taken.short:
                raise OutOfStockError(
                    ShortLine(line=good.line, available=taken.short[one[0]])
                    for good, one in zip(goods, guarded, strict=True)
                    if one is not None and one[0] in taken.short
                )
            return Reservation(key=key, until=taken.until)
        raise ShopUnavailableError

    # --- making

    async def create(self, key: str, draft: OrderDraft) -> Order:
        """The order of this key, made now or before."""
        await self.facts.about()
        turn = self._turns.setdefault(key, asyncio.Lock())
        async with turn:
            intent = await self.intents.of(key)
            known = None if intent is None else await self._known(key, intent.order_id, intent.at)
            is_new = known is None
            if known is None:
                await self.intents.begin(key)
                known = await self._made(key, draft)
        if known.meta.get(DRAFT) not in (None, draft.fingerprint()):
            raise KeyReusedError
        if self._total(known) != draft.expected_total and status_of(known) in (*_WAITING, OrderStatus.CANCELLED):
            await self.cancel(known, "The total differs from what the customer was shown.", key=key)
            raise self._changed(self._total(known))
        if status_of(known) is OrderStatus.ON_HOLD and (is_new or await self.holds.holding(key)):
            await self._look_back(known, key, draft.lines)
        return self.order_of(known)

    async def _known(self, key: str, order_id: int | None, since: datetime) -> WooOrder | None:
        """The order that was made under the key: the lowest id that is alive, else the lowest."""
        if order_id is not None:
            with contextlib.suppress(ShopNotFoundError):
                return await self.get(order_id)
        found = await self._since(key, since)
        if not found:
            return None
        alive = [order for order in found if status_of(order) not in _GONE]
        chosen = min(alive or found, key=lambda order: order.id)
        await self.intents.made(key, chosen.id)
        return chosen

    async def _since(self, key: str, since: datetime) -> list[WooOrder]:
        """All orders of this key that were made since a little before."""
        found: list[WooOrder] = []
        page = 1
        while True:
            reply = await self.api.get(
                "orders",
                after=(since - EARLIER).strftime("%Y-%m-%dT%H:%M:%S"),
                dates_are_gmt=True,
                orderby="id",
                order="asc",
                per_page=PER_PAGE,
                page=page,
            )
            orders = map(WooOrder.read, reply.rows)
            found += [one for one in orders if one.meta.get(KEY) == key and one.status not in _NOT_THERE]
            if page >= (reply.pages or 1):
                return found
            page += 1

    async def _made(self, key: str, draft: OrderDraft) -> WooOrder:
        """Make it; what the shop's cart counts must be what was shown, before there is an order."""
        counted = await self.pricing.count(
            draft.lines,
            address=draft.address,
            shipping_id=draft.shipping,
            coupon=draft.coupon,
            email=draft.customer.email,
        )
        if draft.coupon is not None and counted.coupon_refused:
            code = "coupon"
            raise ShopRefusedError(code)
        quote = await self.pricing.read_quote(counted, shipping_id=draft.shipping, coupon=draft.coupon, fee=draft.fee)
        shown = quote.total if draft.differs is None else quote.total + draft.differs
        if shown != draft.expected_total:
            raise self._changed(quote.total)
        order = WooOrder.read((await self._posted(self._document(key, draft, counted))).item)
        await self.intents.made(key, order.id)
        return order

    async def _posted(self, document: dict[str, Any]) -> Reply:
        """A customer whose account is gone orders as a guest: nothing was made when the shop refused the number."""
        try:
            return await self.api.post("orders", document)
        except ShopRefusedError as error:
            if error.code != NO_SUCH_CUSTOMER:
                raise
        return await self.api.post("orders", {**document, "customer_id": 0})

    def _document(self, key: str, draft: OrderDraft, counted: Counted) -> dict[str, Any]:
        customer, address = draft.customer, draft.address
        where = {} if address is None else store_address(address)
        billing = dict(where)
        if customer.name or not where:
            first, last = split_name(customer.name)
            billing |= {"first_name": first, "last_name": last}
        if customer.phones:
            billing["phone"] = f"+{customer.phones[0]}"
        if customer.email:
            billing["email"] = customer.email
        notes = [draft.note, "" if address is None else address.note]
        asked: dict[str, Any] = {
            "status": self.waiting_status,
            "set_paid": False,
            "currency": self.facts.currency,
            "payment_method": draft.payment_method,
            "payment_method_title": draft.payment_method,
            "customer_note": "\n".join(note for note in notes if note),
            "billing": billing,
            "shipping": where,
            "line_items": [
                {
                    "product_id": line.product_id,
                    "quantity": line.quantity,
                    **({} if line.variation_id is None else {"variation_id": line.variation_id}),
                }
                for line in draft.lines
            ],
            "meta_data": [
                {"key": KEY, "value": key},
                {"key": CHANNEL, "value": "whatsapp"},
                {"key": CART, "value": placement_of(key)},
                {"key": DRAFT, "value": draft.fingerprint()},
            ],
        }
        if customer.customer_id is not None:
            asked["customer_id"] = customer.customer_id
        if draft.coupon is not None:
            asked["coupon_lines"] = [{"code": draft.coupon.strip().casefold()}]
        if draft.fee is not None and draft.fee.amount > 0:
            asked["fee_lines"] = [{"name": "Fee", "tax_status": "none", "total": str(draft.fee.amount)}]
        if draft.shipping is not None and counted.needs_shipping:
            asked["shipping_lines"] = [_shipping_line(self.facts, rate) for rate in counted.rates(draft.shipping)]
        return asked

    async def _look_back(self, order: WooOrder, key: str, lines: Sequence[Line]) -> None:
        """The shop has taken the goods: a count below nothing means that a web buyer was first."""
        goods = await self.catalogue.goods(lines)
        short = [
            ShortLine(line=good.line, available=max(good.line.quantity + good.guarded[1], 0))
            for good in goods
            if good.guarded is not None and good.guarded[1] < 0
        ]
        if short:
            await self.cancel(order, "Sold out meanwhile.", key=key)
            raise OutOfStockError(short)
        await self.holds.drop(key, whole_placement=True)

    def _changed(self, total: Money) -> ShopRefusedError:
        return ShopRefusedError("total_changed", total=total)

    # --- finding

    async def get(self, order_id: int) -> WooOrder:
        """The order with this number, unless it is a draft or in the trash."""
        order = WooOrder.read((await self.api.get(f"orders/{order_id}")).item)
        if order.status in _NOT_THERE:
            raise ShopNotFoundError(order_id=order_id)
        return order

    async def find(self, key: str, since: datetime) -> WooOrder | None:
        """The order of this key."""
        intent = await self.intents.of(key)
        if intent is None:
            found = await self._since(key, since)
            return min(found, key=lambda order: order.id, default=None)
        return await self._known(key, intent.order_id, intent.at)

    # --- carrying on

    async def accept(self, order_id: int) -> Order:
        """A waiting order goes to work."""
        order = await self.get(order_id)
        _refuse(status_of(order), _GONE, "cancelled")
        if status_of(order) in _WAITING:
            order = await self._put_to_work(order, {"status": "processing"})
        return self.order_of(order)

    async def mark_paid(self, order_id: int, *, gateway: str, payment_id: str, amount: Money, at: datetime) -> Order:
        """The money for exactly this order is there."""
        order = await self.get(order_id)
        if amount != self._total(order):
            code = "amount_mismatch"
            raise ShopRefusedError(code)
        payment = f"{gateway}:{payment_id}"
        known = text(order.meta.get(PAYMENT)) or (
            f"{gateway}:{order.transaction_id}" if order.paid_at is not None and order.transaction_id else ""
        )
        if known:
            if known != payment:
                code = "conflict"
                raise ShopRefusedError(code)
            if status_of(order) not in _WAITING:
                return self.order_of(order)
        _refuse(status_of(order), _GONE, "cancelled")
        changes: dict[str, Any] = {
            "transaction_id": payment_id,
            "meta_data": [{"key": PAYMENT, "value": payment}, {"key": PAID_AT, "value": iso(at)}],
        }
        if status_of(order) is OrderStatus.PENDING:
            order = await self._put_to_work(order, {**changes, "set_paid": True})
        elif status_of(order) is OrderStatus.ON_HOLD:
            done = "completed" if await self._is_all_digital(order) else "processing"
            order = await self._put_to_work(order, {**changes, "status": done})
        else:
            order = WooOrder.read((await self.api.put(f"orders/{order.id}", changes)).item)
        return self.order_of(order)

    async def _put_to_work(self, order: WooOrder, changes: Mapping[str, Any]) -> WooOrder:
        """Let it go to work with its goods; what was held for it and ran out must still be there."""
        key = text(order.meta.get(KEY)) or f"order-{order.id}-create_order"
        lines = lines_of(order)
        takes = status_of(order) is OrderStatus.PENDING
        if takes:
            await self.reserve(f"{placement_of(key)}-accept", lines, self.clock.now() + ACCEPTING)
        moved = WooOrder.read((await self.api.put(f"orders/{order.id}", changes)).item)
        if takes:
            short = [
                ShortLine(line=good.line, available=max(good.line.quantity + good.guarded[1], 0))
                for good in await self.catalogue.goods(lines)
                if good.guarded is not None and good.guarded[1] < 0
            ]
            if short:
                # Back to waiting gives the goods back; the money, if it came, stays noted on the order.
                await self.api.put(f"orders/{order.id}", {"status": "pending"})
                raise OutOfStockError(short)
        await self.holds.drop(key, whole_placement=True)
        return moved

    async def _is_all_digital(self, order: WooOrder) -> bool:
        goods = await self.catalogue.goods(lines_of(order))
        return all(good.sold is not None and good.sold.is_virtual and good.sold.is_downloadable for good in goods)

    async def cancel(self, order: WooOrder, reason: str, *, key: str, restock: bool = True) -> WooOrder:
        """The order is off; the shop puts back what it had taken, and what was held is free."""
        if status_of(order) not in _GONE:
            _refuse(status_of(order), _LEFT, "shipped")
            held_stock = status_of(order) is not OrderStatus.PENDING
            order = WooOrder.read((await self.api.put(f"orders/{order.id}", {"status": "cancelled"})).item)
            if held_stock and not restock:
                await self._take_out_again(order)
            if reason:
                with contextlib.suppress(ShopError):
                    await self.api.post(f"orders/{order.id}/notes", {"note": reason[:255]})
        await self.holds.drop(key, whole_placement=True)
        return order

    async def _take_out_again(self, order: WooOrder) -> None:
        """WooCommerce puts back whatever it cancels; goods that are lost are taken out once more."""
        for good in await self.catalogue.goods(lines_of(order)):
            sold = good.sold
            if sold is None or sold.stock is None:
                continue
            path = f"products/{sold.guarded_id}"
            if sold.type == "variation" and not sold.counted_by_parent:
                path = f"products/{good.line.product_id}/variations/{sold.id}"
            await self.api.put(path, {"stock_quantity": sold.stock - good.line.quantity})

    async def cancel_by(self, order_id: int | None, key: str | None, reason: str, *, restock: bool) -> Order | None:
        """Cancel by number, or by key in doubt: then one that comes late is not wanted either."""
        await self.facts.about()
        if order_id is not None:
            order: WooOrder | None = await self.get(order_id)
        elif key is not None:
            intent = await self.intents.of(key)
            order = None if intent is None else await self._known(key, intent.order_id, intent.at)
            await self.intents.void(key)
        else:
            order = None
        if order is None:
            if key is not None:
                await self.holds.drop(key, whole_placement=True)
            return None
        held_for = key or text(order.meta.get(KEY)) or f"order-{order.id}-create_order"
        return self.order_of(await self.cancel(order, reason, key=held_for, restock=restock))

    async def record_refund(
        self, order_id: int, amount: Money, *, key: str, reason: str, lines: Sequence[Line], restock: bool
    ) -> Order:
        """Book a refund once for its key; the shop's own gateway is never asked to move money."""
        await self.facts.about()
        order = await self.get(order_id)
        booked = [WooRefund.read(row) for row in (await self.api.get(f"orders/{order_id}/refunds", per_page=100)).rows]
        known = next((one for one in booked if one.meta.get(KEY) == key), None)
        if known is not None:
            if self.facts.money(known.amount) != amount:
                raise KeyReusedError
            return self.order_of(order)
        if amount.currency != order.currency or amount.amount <= 0:
            code = "amount_mismatch"
            raise ShopRefusedError(code)
        if order.refunded + amount.amount > order.total:
            code = "too_much"
            raise ShopRefusedError(code)
        asked: dict[str, Any] = {
            "amount": str(amount.amount),
            "reason": reason[:255],
            "api_refund": False,
            "api_restock": restock,
            "meta_data": [{"key": KEY, "value": key}],
        }
        if restock:
            asked["line_items"] = going_back(order, lines)
        await self.api.post(f"orders/{order_id}/refunds", asked)
        return self.order_of(await self.get(order_id))

    # --- as the port has it

    def _total(self, order: WooOrder) -> Money:
        if order.currency != self.facts.currency:
            return Money.rounded(order.total, order.currency)
        return self.facts.money(order.total)

    def order_of(self, order: WooOrder) -> Order:
        """The order as the port has it."""

        def money(figure: Any) -> Money:
            return Money.rounded(figure, order.currency)

        shipping = order.shipping_total + (order.shipping_tax if order.prices_include_tax else 0)
        paid_at = text(order.meta.get(PAID_AT))
        return Order(
            id=order.id,
            number=order.number,
            key=text(order.meta.get(KEY)) or None,
            status=status_of(order),
            currency=order.currency,
            total=money(order.total),
            lines=tuple(
                order_line_of(line, order) for line in order.lines if line.product_id is not None and line.quantity >= 1
            ),
            shipping=money(shipping),
            phone=same_number(order.phone, text(order.billing.get("country"))) if order.phone else "",
            customer_id=order.customer_id,
            paid_at=of_iso(paid_at) if paid_at else order.paid_at,
            refunded=money(order.refunded),
            tracking=tracking_of(order),
            created_at=order.created_at,
            updated_at=order.updated_at,
        )


def is_twin(order: WooOrder, made: int | None, *, void: bool) -> bool:
    """Whether a placement of ours made this order a second time, or nobody wants it any more."""
    return status_of(order) not in (*_GONE, *_LEFT) and (void or (made is not None and order.id != made))


def _shipping_line(facts: Facts, rate: Json) -> Json:
    return {
        "method_id": text(rate.get("method_id")),
        "instance_id": text(rate.get("instance_id")),
        "method_title": text(rate.get("name")),
        "total": str(facts.minor(rate, "price").amount),
    }


def _refuse(status: OrderStatus, statuses: Sequence[OrderStatus], code: str) -> None:
    if status in statuses:
        raise ShopRefusedError(code)

"""What the suite of a shop stands on: goods, a customer, and how an adapter is filled."""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from wch.application.ports import Shop
from wch.domain.address import Address
from wch.domain.order import Order, OrderDraft
from wch.domain.quote import Buyer, Line, Quote
from wch.testing.doubles import FrozenClock
from wch.testing.scripted_shop import Goods

BUYER = Buyer(phones=("4915112345678",), name="Ada Lovelace", email="ada@example.org")
HOME = Address(
    first_name="Ada", last_name="Lovelace", address_1="Hauptstr. 5", city="Berlin", postcode="10115", country="DE"
)
LAMP = Goods(sku="LAMP", name="Blue Lamp", price=Decimal(20), stock=3, categories=("Home > Lamps",))
MUG = Goods(sku="MUG", name="Mug", price=Decimal(9), stock=50, categories=("Kitchen",))
SHIRT = Goods(sku="SHIRT", name="Shirt", categories=("Clothing",))
SHIRT_M = Goods(sku="SHIRT-M", price=Decimal(18), stock=5, parent="SHIRT", attributes={"Size": "M"})


class Shelf(Protocol):
    """How the suite puts goods into the shop under test."""

    clock: FrozenClock

    async def open(self, *goods: Goods, currency: str = "EUR") -> Shop:
        """A shop in Germany that sells exactly these, delivers them to Germany, and takes coupons."""
        ...

    async def put(self, shop: Shop, *goods: Goods) -> None:
        """Sell these too, or change them, by their article number."""
        ...

    async def customer(self, shop: Shop, phone: str, *, email: str) -> int:
        """Ada Lovelace is known to the shop under this number, with an account if it has such; the shop's id for her."""
        ...


async def line_of(shop: Shop, sku: str, quantity: int = 1) -> Line:
    """So many of this article."""
    found = (await shop.resolve(retailer_ids=[sku]))[sku]
    return Line(product_id=found.product_id, variation_id=found.variation_id, quantity=quantity)


async def quoted(shop: Shop, lines: Sequence[Line], **more: Any) -> Quote:
    """The quote for a delivery home, by the dearest method unless another is named."""
    methods = await shop.shipping_methods(lines=lines, address=HOME)
    asked: dict[str, Any] = {"shipping_id": methods[-1].id, "customer": BUYER, **more}
    return await shop.quote(lines=lines, address=HOME, **asked)


async def drafted(shop: Shop, lines: Sequence[Line], **more: Any) -> OrderDraft:
    """A draft with the total that the shop quotes."""
    quote = await quoted(shop, lines, **more)
    return OrderDraft(
        customer=BUYER,
        address=HOME,
        lines=tuple(lines),
        coupon=more.get("coupon"),
        shipping=quote.shipping_id,
        fee=more.get("fee"),
        payment_method="cod",
        expected_total=quote.total,
    )


async def placed(shop: Shop, shelf: Shelf, lines: Sequence[Line], name: str = "order-1-1") -> Order:
    """An order whose goods are reserved, not yet accepted."""
    await shop.reserve(key=f"{name}-reserve", lines=lines, until=shelf.clock.now() + timedelta(hours=3))
    return await shop.create_order(key=f"{name}-create_order", draft=await drafted(shop, lines))


async def free(shop: Shop, sku: str) -> int | None:
    """How many of this article can be bought now."""
    (check,) = await shop.check(lines=[await line_of(shop, sku)])
    return check.available

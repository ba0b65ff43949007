"""Thirty orders, each on the built-in shop and on WooCommerce, in four currencies: one figure from review to money."""

from decimal import Decimal

import attrs
import pytest

from tests.application.shopping import ANNA, HOME, NUMBER, Shopping, shopping
from tests.application.shops import built_in, woo
from wch.adapters.memory import MemoryDatabase
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation, ConversationStatus, State
from wch.domain.coupon import CouponSpec
from wch.domain.ledger import Ledger
from wch.domain.money import Money, places
from wch.domain.order import OrderStatus
from wch.domain.payment import Offer
from wch.domain.placement import PLACEMENT, freeze
from wch.domain.quote import Buyer, Line, Quote, total_of
from wch.domain.saga import Saga, SagaState
from wch.testing import FrozenClock
from wch.testing.scripted_shop import Goods

CURRENCIES = ("EUR", "JPY", "KWD", "BRL")
VAT = Decimal("0.19")


@attrs.frozen
class Story:
    """An order.

    Attributes:
        lines: pieces by article.
        percent: off all of it by a coupon.
        off: smallest units off all of it by a coupon.
        dear: the dearest way of delivery, else the cheapest.
        fee: smallest units on top for the way of paying.
        tax: the rate.
        inside: the prices hold the tax.
    """

    lines: dict[str, int]
    percent: str | None = None
    off: int | None = None
    dear: bool = True
    fee: int = 0
    tax: Decimal = Decimal(0)
    inside: bool = True


LINES: tuple[dict[str, int], ...] = (
    {"MUG": 1},
    {"MUG": 3},
    {"ODD": 1},
    {"ODD": 7},
    {"MUG": 2, "ODD": 3},
    {"SHIRT-M": 1},
    {"SHIRT-M": 2, "SHIRT-L": 1},
    {"CARD": 1},
    {"CARD": 1, "MUG": 1},
    {"MUG": 1, "ODD": 1, "SHIRT-L": 5, "CARD": 2},
)
STORIES = [
    *(Story(lines) for lines in LINES),
    *(
        Story(lines, percent="10", dear=place % 2 == 0, tax=VAT, inside=place % 3 != 0, fee=place)
        for place, lines in enumerate(LINES)
    ),
    *(
        Story(lines, off=151, dear=place % 2 == 1, tax=Decimal("0.077"), inside=place % 2 == 0)
        for place, lines in enumerate(LINES)
    ),
]


def goods(currency: str) -> list[Goods]:
    """A price list whose figures do not divide well."""

    def price(units: int) -> Decimal:
        return Money.from_minor(units, currency).amount

    return [
        Goods(sku="MUG", name="Mug", price=price(999), stock=50),
        Goods(sku="ODD", name="Odd one", price=price(3337), stock=50, backorders=True),
        Goods(sku="CARD", name="Gift Card", price=price(2501), needs_shipping=False),
        Goods(sku="SHIRT", name="Shirt"),
        Goods(sku="SHIRT-M", price=price(1795), stock=9, parent="SHIRT", attributes={"Size": "M"}),
        Goods(sku="SHIRT-L", price=price(1995), stock=9, parent="SHIRT", attributes={"Size": "L"}),
    ]


@pytest.fixture(params=["built-in", "woocommerce"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def opened(kind: str, story: Story, currency: str) -> Shopping:
    clock, database = FrozenClock(), MemoryDatabase()
    if kind == "woocommerce":
        made = woo(
            goods(currency),
            clock=clock,
            database=database,
            currency=currency,
            tax=story.tax,
            prices_include_tax=story.inside,
        )
        shop = made.noted
    else:
        shop = await built_in(
            goods(currency), clock=clock, currency=currency, tax=story.tax, prices_include_tax=story.inside
        )
    return await shopping(database=database, sells=shop, clock=clock, currency=currency)


async def reviewed(hub: Shopping, story: Story, currency: str) -> tuple[Quote, tuple[Line, ...]]:
    """What the customer is shown."""
    found = await hub.shop.resolve(retailer_ids=list(story.lines))
    lines = tuple(
        Line(product_id=found[sku].product_id, variation_id=found[sku].variation_id, quantity=pieces)
        for sku, pieces in story.lines.items()
    )
    coupon = None
    if story.percent is not None or story.off is not None:
        spec = CouponSpec(
            prefix="STORY-",
            percent=None if story.percent is None else Decimal(story.percent),
            amount=None if story.off is None else Money.from_minor(story.off, currency),
            expires_at=hub.clock.now().replace(year=2030),
        )
        coupon = (await hub.shop.create_coupon(key="story", spec=spec)).code
    methods = await hub.shop.shipping_methods(lines=lines, address=HOME, coupon=coupon)
    needs_shipping = any(check.needs_shipping for check in await hub.shop.check(lines=lines))
    chosen = methods[-1 if story.dear else 0].id if methods and needs_shipping else None
    quote = await hub.shop.quote(
        lines=lines,
        address=HOME,
        shipping_id=chosen,
        coupon=coupon,
        fee=Money.from_minor(story.fee, currency) if story.fee else None,
        customer=Buyer(phones=(ANNA,)),
    )
    return quote, lines


async def confirmed(hub: Shopping, quote: Quote) -> str:
    """Anna taps on what she was shown."""
    now = hub.clock.now()

    def work(uow: UnitOfWork) -> str:
        profile = uow.customers.lock(ANNA, now=now)
        conversation = uow.conversations.add(
            Conversation(
                customer_phone=ANNA,
                status=ConversationStatus.ACTIVE,
                state=State.AWAITING_PAYMENT,
                created_at=now,
                updated_at=now,
            )
        )
        cart = uow.carts.add(Cart.opened(ANNA, now=now))
        for line in quote.lines:
            cart = cart.set_to(
                CartItem(
                    product_id=line.line.product_id,
                    variation_id=line.line.variation_id,
                    quantity=line.line.quantity,
                    price_at_add=line.price.amount,
                    currency=line.price.currency,
                    product_name=line.name,
                    added_at=now,
                ),
                now=now,
            )
        cart = cart.with_coupon(quote.coupon, now=now)
        uow.carts.save(cart)
        placement = freeze(
            cart=cart,
            conversation=conversation,
            profile=profile,
            quote=quote,
            offer=Offer(gateway=hub.gateway.name, title="Card", fee=quote.fee),
            address=HOME if quote.needs_shipping else None,
            number=NUMBER,
            language="en",
        )
        uow.sagas.add(Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=now))
        return placement.saga_id

    saga_id: str = await hub.database.transact(work)
    return saga_id


@pytest.mark.parametrize("currency", CURRENCIES)
@pytest.mark.parametrize("story", STORIES, ids=[f"story{place}" for place in range(1, len(STORIES) + 1)])
async def test_one_figure_from_review_to_money(kind: str, story: Story, currency: str) -> None:
    """Total shown = order's total in the shop = amount asked = amount captured, to the smallest unit."""
    hub = await opened(kind, story, currency)
    quote, _ = await reviewed(hub, story, currency)
    saga_id = await confirmed(hub, quote)
    await hub.runner.work()
    asked = hub.gateway.payment()
    hub.gateway.pay()
    hub.clock.advance(61)
    await hub.runner.work()
    saga = await hub.saga(saga_id)
    (order,) = (await hub.shop.orders_of(phones=(ANNA,))).items
    (captured,) = Ledger.of(saga.context).captured

    assert quote.total == total_of(quote)
    assert -quote.total.amount.as_tuple().exponent == places(currency)  # type: ignore[operator] # a finite amount
    assert saga.state is SagaState.COMPLETED
    assert order.status is OrderStatus.PROCESSING
    assert {order.total, asked.amount, asked.received, captured.amount} == {quote.total}
    assert (quote.discount.amount > 0) is (story.percent is not None or story.off is not None)
    assert (quote.tax.amount > 0) is bool(story.tax)


def test_there_are_thirty_stories() -> None:
    """Fewer would be told as thirty."""
    assert len(STORIES) == 30

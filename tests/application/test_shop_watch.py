"""What a WooCommerce shop does to a placement, and what its webhooks miss."""

import asyncio
import base64
import hashlib
import hmac
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import httpx2
import pytest

from tests.application.shopping import ANNA, HOME, MUG, Shopping, shopping
from tests.application.shops import Woo, woo
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sandbox.faults import FaultKind
from wch.adapters.woocommerce import WooCommerceWebhooks
from wch.application.bell import Bell
from wch.application.breakers import PRESETS, Breakers
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.guarded_shop import GuardedShop
from wch.application.shop_news import ShopNews, ShopReceipt
from wch.application.shop_watch import ShopWatch
from wch.application.tallies import Tallies
from wch.domain.cart import Cart, CartItem
from wch.domain.catalogue import ChangeKind
from wch.domain.circuit_breaker import BreakerRule, Permit
from wch.domain.errors import StoreUnavailableError
from wch.domain.money import Money
from wch.domain.order import OrderDraft, OrderStatus
from wch.domain.product_view import ProductView
from wch.domain.quote import Buyer, Line
from wch.domain.shop_error import (
    OutOfStockError,
    ShopMisconfiguredError,
    ShopNotFoundError,
    ShopRefusedError,
    ShopUnavailableError,
)
from wch.domain.sync import EntityType
from wch.testing import FrozenClock

BUYER = Buyer(phones=(ANNA,), name="Anna Smith")
LAST = attrs.evolve(MUG, stock=1)


async def line(made: Woo, pieces: int = 1) -> Line:
    found = (await made.shop.resolve(retailer_ids=["MUG"]))["MUG"]
    return Line(product_id=found.product_id, quantity=pieces)


async def draft(made: Woo, *, pieces: int = 1) -> OrderDraft:
    lines = (await line(made, pieces),)
    methods = await made.shop.shipping_methods(lines=lines, address=HOME)
    quote = await made.shop.quote(lines=lines, address=HOME, shipping_id=methods[-1].id, customer=BUYER)
    return OrderDraft(
        customer=BUYER,
        address=HOME,
        lines=lines,
        shipping=quote.shipping_id,
        payment_method="cod",
        expected_total=quote.total,
    )


# --- the last piece, and answers that are lost


async def test_fifty_placements_of_the_last_piece_make_one_order() -> None:
    """One order lives, the shop's count is nothing, and nothing is held any more."""
    made = woo([LAST])
    asked = await draft(made)

    async def place(number: int) -> bool:
        name = f"order-{number}-1772452800"
        until = made.clock.now() + timedelta(hours=3)
        try:
            await made.shop.reserve(key=f"{name}-reserve", lines=asked.lines, until=until)
        except OutOfStockError:
            return False
        order = await made.shop.create_order(key=f"{name}-create_order", draft=asked)
        await made.shop.accept_order(order_id=order.id, key=f"{name}-accept")
        return True

    placed = await asyncio.gather(*(place(number) for number in range(1, 51)))

    assert sum(placed) == 1
    assert [order["status"] for order in made.alive] == ["processing"]
    assert (made.stock("MUG"), await made.held()) == (0, [])


async def test_a_web_buyer_who_was_first_is_seen_after_the_order() -> None:
    """The count is read back: below nothing the order is cancelled, and the web buyer keeps the piece."""
    made = woo([LAST])
    asked = await draft(made)
    row = next(one for one in made.simulated.floor.products.values() if one["sku"] == "MUG")
    tell = made.simulated.floor.tell

    def web_buyer(topic: str, row_id: int) -> None:
        tell(topic, row_id)
        if topic == "order.created":
            made.simulated.floor.tell = tell
            made.simulated.floor.set_stock(row, row["stock_quantity"] - 1)

    made.simulated.floor.tell = web_buyer
    with pytest.raises(OutOfStockError):
        await made.shop.create_order(key="order-1-1-create_order", draft=asked)

    assert (made.alive, made.stock("MUG")) == ([], 0)


async def test_a_lost_answer_is_found_by_its_key() -> None:
    """The order was made and the answer never came: it is found, and no second one is made."""
    made = woo([MUG])
    asked, since = await draft(made), made.clock.now()
    made.simulated.faults.order(FaultKind.SHOP_LOST_ANSWER)
    with pytest.raises(ShopUnavailableError):
        await made.shop.create_order(key="order-1-1-create_order", draft=asked)
    found = await made.shop.find_order(key="order-1-1-create_order", since=since)
    again = await made.shop.create_order(key="order-1-1-create_order", draft=asked)

    assert found == again
    assert [order["id"] for order in made.alive] == [again.id]


async def test_a_late_call_makes_no_second_order() -> None:
    """The lost POST arrives two minutes later: within one look the higher id is cancelled, and the stock is right."""
    made = woo([attrs.evolve(MUG, stock=10)])
    asked = await draft(made, pieces=2)
    cursor = (await made.shop.changed_since()).cursor
    made.simulated.faults.order(FaultKind.SHOP_LATE, seconds=120)
    with pytest.raises(ShopUnavailableError):
        await made.shop.create_order(key="order-1-1-create_order", draft=asked)
    first = await made.shop.create_order(key="order-1-1-create_order", draft=asked)
    made.clock.advance(121)
    changes = await made.shop.changed_since(cursor=cursor)
    orders = sorted(made.simulated.floor.orders.values(), key=lambda order: int(order["id"]))

    assert ChangeKind.ORDER in {change.kind for change in changes.items}
    assert [(order["id"] == first.id, order["status"]) for order in orders] == [(True, "on-hold"), (False, "cancelled")]
    assert made.stock("MUG") == 8


async def test_an_order_that_was_given_up_in_doubt_is_cancelled_when_it_comes() -> None:
    """The placement was undone before the call arrived; nobody wants that order."""
    made = woo([MUG])
    asked = await draft(made)
    cursor = (await made.shop.changed_since()).cursor
    made.simulated.faults.order(FaultKind.SHOP_LATE, seconds=120)
    with pytest.raises(ShopUnavailableError):
        await made.shop.create_order(key="order-1-1-create_order", draft=asked)
    assert await made.shop.cancel_order(key="order-1-1-create_order", reason="in doubt") is None
    made.clock.advance(121)
    await made.shop.changed_since(cursor=cursor)

    assert made.alive == []


async def test_an_order_with_another_total_is_cancelled_at_once() -> None:
    """The shop's order comes to one cent more than its cart: no order is left, and the figure is told."""
    made = woo([MUG])
    asked = await draft(made)
    made.simulated.faults.order(FaultKind.SHOP_DRIFT)
    with pytest.raises(ShopRefusedError, match="total_changed") as caught:
        await made.shop.create_order(key="order-1-1-create_order", draft=asked)

    assert caught.value.facts["total"] == asked.expected_total + Money(Decimal("0.01"), "EUR")
    assert (made.alive, made.stock("MUG")) == ([], 10)


async def test_an_order_at_the_shops_own_figure_is_made_once_the_customer_agreed() -> None:
    """The same cent again: it is what was shown this time, so the order stands."""
    made = woo([MUG])
    asked, cent = await draft(made), Money(Decimal("0.01"), "EUR")
    agreed = attrs.evolve(asked, expected_total=asked.expected_total + cent, differs=cent)
    made.simulated.faults.order(FaultKind.SHOP_DRIFT)
    order = await made.shop.create_order(key="order-1-2-create_order", draft=agreed)

    assert order.total == agreed.expected_total
    assert [one["id"] for one in made.alive] == [order.id]


# --- how it fails


@pytest.mark.parametrize("kind", [FaultKind.SHOP_HTML, FaultKind.SHOP_DOWN, FaultKind.SHOP_THROTTLED])
async def test_what_says_nothing_counts_for_the_breaker_and_a_missing_product_does_not(kind: FaultKind) -> None:
    """HTML with 200 is no answer; a 404 is one. The fifth failure opens the breaker, and no call is made then."""
    made = woo([MUG])
    rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
    breakers = Breakers(
        database=made.database, clock=made.clock, rules=rules, failpoints=Failpoints.disarmed(), tallies=Tallies()
    )
    guarded = GuardedShop(shop=made.shop, breakers=breakers, clock=made.clock)

    async def failures() -> int:
        breaker = await made.database.read(lambda uow: uow.breakers.of("shop"))
        return 0 if breaker is None else breaker.failures

    await guarded.about()
    with pytest.raises(ShopNotFoundError):
        await guarded.product(product_id=999_999)
    assert await failures() == 0
    made.simulated.faults.order(kind, calls=100, seconds=7)
    with pytest.raises(ShopUnavailableError) as caught:
        await guarded.product(product_id=999_999)
    assert (await failures(), caught.value.retry_after) == (
        1,
        timedelta(seconds=7) if kind is FaultKind.SHOP_THROTTLED else None,
    )
    for _ in range(4):
        with pytest.raises(ShopUnavailableError):
            await guarded.product(product_id=999_999)
    calls = len(made.simulated.calls)
    with pytest.raises(ShopUnavailableError):
        await guarded.product(product_id=999_999)
    assert len(made.simulated.calls) == calls


async def test_a_shop_with_another_currency_or_a_wrong_key_is_an_operators_matter() -> None:
    """No retry helps; the doctor says in a sentence what to do."""
    made = woo([MUG])
    made.shop.api.secret = "wrong"
    with pytest.raises(ShopMisconfiguredError):
        await made.shop.about()
    ((severity, what, way_out),) = await made.shop.complaints()
    assert severity == "critical"
    assert "rejects the key" in what
    assert "WCH_WOOCOMMERCE_KEY" in way_out
    made.shop.api.secret = "cs"
    made.shop.facts.currency = "USD"
    ((_, what, way_out),) = await made.shop.complaints()
    assert what == "The shop sells in EUR and the hub in USD."


async def test_a_healthy_connection_lacks_only_its_webhooks() -> None:
    """The doctor names the topics that nobody tells of."""
    made = woo([MUG])
    ((severity, what, _),) = await made.shop.complaints()
    assert severity == "warning"
    assert "product.created" in what
    for resource in ("product", "order"):
        for event in ("created", "updated", "deleted", "restored"):
            made.simulated.webhooks.add(topic=f"{resource}.{event}", delivery_url="http://hub.example", secret="s")
    assert await made.shop.complaints() == ()


@pytest.mark.parametrize("query_auth", [False, True])
async def test_plain_links_are_found_once(query_auth: bool) -> None:  # noqa: FBT001 - a parameter
    """A shop without pretty links answers `?rest_route=`; after the first call nothing is tried twice."""
    made = woo([MUG], pretty_links=False)
    made.shop.api.query_auth = query_auth
    await made.shop.about()
    before = len(made.simulated.calls)
    await made.shop.check(lines=[await line(made)])

    assert {str(call["call"]) for call in made.simulated.calls[before:]} == {"GET /index.php"}
    assert all(call["status"] == 200 for call in made.simulated.calls[before:])


async def test_a_store_that_is_away_lets_no_call_out() -> None:
    """Whether the breaker is open cannot be known then."""

    class Away(Breakers):
        async def ask(self, service: str) -> Permit | None:  # noqa: ARG002 - the room's argument
            raise StoreUnavailableError

    made = woo([MUG])
    guarded = GuardedShop(
        shop=made.shop,
        breakers=Away(
            database=made.database,
            clock=made.clock,
            rules={},
            failpoints=Failpoints.disarmed(),
            tallies=Tallies(),
        ),
        clock=made.clock,
    )
    with pytest.raises(ShopUnavailableError):
        await guarded.about()
    assert made.simulated.calls == []


# --- webhooks


def news(made: Woo) -> ShopNews:
    return ShopNews(
        database=made.database,
        clock=made.clock,
        webhooks=WooCommerceWebhooks(secret="aWordOfOurs7"),
        digests=Digests(keys=("key",)),
        bell=Bell(),
    )


def hub_that(made: list[Any], *, answers: int) -> httpx2.AsyncClient:
    def take(request: httpx2.Request) -> httpx2.Response:
        made.append(request)
        return httpx2.Response(answers)

    return httpx2.AsyncClient(transport=httpx2.MockTransport(take))


async def test_deliveries_are_signed_folded_in_and_taken_once() -> None:
    """Two changes while a delivery waits are one; the hub takes it, and the same bytes again are known."""
    requests: list[Any] = []
    made = woo([MUG], hub=hub_that(requests, answers=200))
    made.simulated.webhooks.add(topic="product.updated", delivery_url="http://hub/x", secret="aWordOfOurs7")
    row = next(iter(made.simulated.floor.products.values()))
    made.simulated.floor.set_stock(row, 7)
    made.simulated.floor.set_stock(row, 6)
    assert await made.simulated.webhooks.deliver() == 1
    (request,) = requests
    signature = request.headers["x-wc-webhook-signature"]
    told: dict[str, Any] = {"signatures": [signature.encode()], "topic": "product.updated", "webhook_id": "1"}

    expected = base64.b64encode(hmac.new(b"aWordOfOurs7", request.content, hashlib.sha256).digest()).decode()
    assert signature == expected
    assert b'"stock_quantity":6' in request.content
    assert [await news(made).receive(request.content, **told) for _ in range(2)] == [
        ShopReceipt.TAKEN,
        ShopReceipt.KNOWN,
    ]
    tasks = await made.database.read(lambda uow: uow.sync.listed())
    assert [(task.entity_type, task.entity_id) for task in tasks] == [(EntityType.PRODUCT, row["id"])]


async def test_the_ping_is_an_unsigned_form() -> None:
    """What WooCommerce sends first is answered, and does nothing."""
    requests: list[Any] = []
    made = woo([MUG], hub=hub_that(requests, answers=200))
    hook = made.simulated.webhooks.add(topic="order.created", delivery_url="http://hub/x", secret="s")
    await made.simulated.webhooks.ping(hook["id"])
    (request,) = requests

    assert "x-wc-webhook-signature" not in request.headers
    assert await news(made).receive(request.content, signatures=[], topic="", webhook_id="") is ShopReceipt.PING
    assert await made.database.read(lambda uow: uow.sync.listed()) == []


@pytest.mark.parametrize("reactivate", [False, True])
async def test_a_webhook_that_was_switched_off_is_seen_and_what_it_missed_is_read(reactivate: bool) -> None:  # noqa: FBT001 - a parameter
    """Seven failures in a row switch it off: within the hour one alarm, and its changes come by the next look."""
    made = woo([attrs.evolve(MUG, sku=f"M{n}") for n in range(3)], hub=hub_that([], answers=500))
    hook = made.simulated.webhooks.add(topic="product.updated", delivery_url="http://hub/x", secret="s")
    cursor = (await made.shop.changed_since()).cursor
    made.clock.advance(3600)
    rows = list(made.simulated.floor.products.values())
    statuses = []
    for turn in range(7):
        made.simulated.floor.set_stock(rows[turn % 3], turn)
        await made.simulated.webhooks.deliver()
        statuses.append(hook["status"])
    watch = ShopWatch(database=made.database, clock=made.clock, watch=made.shop, reactivate=reactivate)
    for _ in range(3):
        await watch.work()
        made.clock.advance(3600)
    alarms = await made.database.read(lambda uow: uow.audit.listed(action="alarm.shop_webhook_disabled"))
    changes = await made.shop.changed_since(cursor=cursor)

    assert statuses == ["active"] * 6 + ["disabled"]
    assert len(alarms) == 1
    assert hook["status"] == ("active" if reactivate else "disabled")
    assert {change.id for change in changes.items} == {row["id"] for row in rows}


async def test_a_shop_that_is_away_raises_no_alarm_about_its_webhooks() -> None:
    """Nothing is known about them then; an hour later they are looked at again."""
    made = woo([MUG])
    made.simulated.faults.order(FaultKind.SHOP_DOWN)
    watch = ShopWatch(database=made.database, clock=made.clock, watch=made.shop, reactivate=False)

    assert await watch.work() == 0
    assert await made.database.read(lambda uow: uow.audit.listed()) == []


async def test_what_customers_look_at_is_read_again_every_six_hours() -> None:
    """Products in carts, and those viewed within a month; others are left to their webhooks."""
    made = woo([MUG])
    now = made.clock.now()

    def work(uow: Any) -> None:
        cart = uow.carts.add(Cart.opened(ANNA, now=now))
        item = CartItem(
            product_id=41, quantity=1, price_at_add=Decimal(1), currency="EUR", product_name="Mug", added_at=now
        )
        uow.carts.save(cart.set_to(item, now=now))
        for product, days in ((42, 1), (43, 31)):
            uow.views.add(ProductView(customer_phone=ANNA, product_id=product, viewed_at=now - timedelta(days=days)))

    await made.database.transact(work)
    watch = ShopWatch(database=made.database, clock=made.clock, watch=made.shop, reactivate=False)
    done = [await watch.work()]
    made.clock.advance(timedelta(hours=5))
    done.append(await watch.work())
    made.clock.advance(timedelta(hours=1))
    done.append(await watch.work())
    tasks = await made.database.read(lambda uow: uow.sync.listed())

    assert done == [2, 0, 2]
    assert [(task.entity_type, task.entity_id) for task in tasks] == [
        (EntityType.PRODUCT, 41),
        (EntityType.PRODUCT, 42),
    ]


async def test_a_shop_that_tells_is_asked_every_five_minutes_only() -> None:
    """Webhooks tell of most changes; a look costs four calls."""
    made = woo([MUG])
    rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
    breakers = Breakers(
        database=made.database, clock=made.clock, rules=rules, failpoints=Failpoints.disarmed(), tallies=Tallies()
    )
    guarded = GuardedShop(shop=made.shop, breakers=breakers, clock=made.clock, looks_every=timedelta(minutes=5))
    cursor = (await guarded.changed_since()).cursor
    cursor = (await guarded.changed_since(cursor=cursor)).cursor
    calls = len(made.simulated.calls)
    resting = await guarded.changed_since(cursor=cursor)

    assert (resting.items, resting.cursor, len(made.simulated.calls)) == ((), cursor, calls)
    made.clock.advance(timedelta(minutes=5))
    await guarded.changed_since(cursor=cursor)
    assert len(made.simulated.calls) > calls


# --- refunds and cancellation


async def test_a_refund_is_booked_and_never_asks_the_shops_gateway() -> None:
    """`api_refund` is true unless one says otherwise; goods come back when asked for."""
    made = woo([MUG])
    asked = await draft(made, pieces=2)
    order = await made.shop.create_order(key="order-1-1-create_order", draft=asked)
    await made.shop.accept_order(order_id=order.id, key="order-1-1-accept")
    booked = [
        await made.shop.record_refund(
            order_id=order.id, key="r1", amount=order.total, reason="back", lines=asked.lines, restock=True
        )
        for _ in range(2)
    ]

    assert {(one.status, one.refunded) for one in booked} == {(OrderStatus.REFUNDED, order.total)}
    assert made.stock("MUG") == 10


async def test_lost_goods_do_not_come_back() -> None:
    """WooCommerce puts back whatever it cancels; without restock they are taken out once more."""
    made = woo([MUG])
    order = await made.shop.create_order(key="order-1-1-create_order", draft=await draft(made, pieces=2))
    await made.shop.cancel_order(order_id=order.id, reason="broken", restock=False)

    assert made.stock("MUG") == 8


async def test_a_sale_through_the_saga_leaves_nothing_held() -> None:
    """The whole placement on WooCommerce, for cash: order at work, stock less, nothing reserved."""
    clock, database = FrozenClock(), MemoryDatabase()
    made = woo([MUG], clock=clock, database=database)
    hub: Shopping = await shopping(database=database, sells=made.noted, clock=clock)
    made.simulated.floor.shipping = [("standard", "Standard", Decimal("4.90"), None)]
    await hub.confirm()
    await hub.runner.work()

    assert [order["status"] for order in made.alive] == ["processing"]
    assert (made.stock("MUG"), await made.held()) == (8, [])

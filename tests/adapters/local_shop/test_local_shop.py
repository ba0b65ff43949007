"""What the built-in shop does beyond the contract: its rules of price, and what its own people do."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest
from sqlalchemy import create_engine, inspect

from wch.adapters.local_shop import LocalShop, create, drop, shop_metadata
from wch.adapters.sql.database import SqlDatabase
from wch.domain.address import Address
from wch.domain.catalogue import ShopFacts
from wch.domain.coupon import CouponReason, CouponSpec
from wch.domain.errors import StoreMisusedError, StoreUnavailableError
from wch.domain.money import Money
from wch.domain.order import OrderDraft, OrderStatus, Tracking
from wch.domain.quote import Buyer, Line
from wch.domain.shop_error import (
    KeyReusedError,
    ShopMisconfiguredError,
    ShopNotFoundError,
    ShopRefusedError,
    ShopUnavailableError,
)
from wch.testing.doubles import FrozenClock, SequentialIds
from wch.testing.scripted_shop import put_customer

LAMP = Line(product_id=5, quantity=1)
DESK_LAMP = Line(product_id=4, quantity=1)
GIFT_CARD = Line(product_id=12, quantity=1)
ADA = Buyer(phones=("16505551234",), name="Ada")
AT_HOME = Address(
    first_name="Ada", address_1="1 Main St", city="Mountain View", state="CA", postcode="94043", country="US"
)


async def _rule(shop: LocalShop, table: str, **columns: Any) -> None:
    await shop.work(
        lambda till: till.connection.execute(getattr(till.tables, table).insert().values(**columns)), write=True
    )


async def _ordered(shop: LocalShop, key: str = "k-create_order", *lines: Line, **more: Any) -> Any:
    asked = lines or (LAMP,)
    quote = await shop.quote(lines=asked, address=AT_HOME, shipping_id="standard", customer=ADA, **more)
    draft = OrderDraft(
        customer=ADA,
        address=AT_HOME,
        lines=asked,
        shipping="standard",
        payment_method="cod",
        expected_total=quote.total,
        **more,
    )
    return await shop.create_order(key=key, draft=draft)


async def test_a_number_beyond_every_column_is_refused(shop: LocalShop) -> None:
    """Whoever mistypes an order's number must not see the driver's own error."""
    with pytest.raises(StoreMisusedError):
        await shop.order(order_id=10**22)


# --- samples and tables


async def test_a_fresh_shop_sells_twelve_things(shop: LocalShop) -> None:
    """Out of the box there is something to look at, to choose from, and to order."""
    await shop.install(with_samples=True)
    cards = (await shop.search(limit=30)).items

    assert len(cards) == 12
    assert {card.id: card.name for card in cards if card.id in (5, 7)} == {5: "Blue Lamp", 7: "Shirt"}
    assert len((await shop.categories()).items) >= 3
    assert len((await shop.about()).sells_to) > 40


@pytest.mark.parametrize(("currency", "price"), [("JPY", "2000"), ("KWD", "20.000")])
async def test_samples_have_prices_in_any_currency(clock: FrozenClock, currency: str, price: str) -> None:
    """Twenty yen for a lamp would look like a mistake."""
    database = SqlDatabase.open("sqlite://", prefix="", now=clock.now, token=SequentialIds().token, inline=True)
    facts = ShopFacts(
        name="x", currency=currency, country="JP", sells_to=("JP",), timezone="UTC", prices_include_tax=True
    )
    shop = LocalShop(database=database, clock=clock, facts=facts, secret=b"s")
    await shop.install(with_samples=True)

    assert (await shop.product(product_id=5)).price == Money(Decimal(price), currency)
    assert await shop.about() == facts
    await database.aclose()


def test_tables_come_and_go_together() -> None:
    """All are named with the prefix, so a shop beside another is left alone; making them twice is no error."""
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        for prefix in ("a_", "b_", "a_"):
            create(connection, prefix)
        made = set(inspect(connection).get_table_names()) - {"sqlite_sequence"}
        drop(connection, "a_")
        left = set(inspect(connection).get_table_names()) - {"sqlite_sequence"}
    engine.dispose()

    assert made == {*shop_metadata("a_").tables, *shop_metadata("b_").tables}
    assert left == set(shop_metadata("b_").tables)


async def test_order_numbers_begin_at_1001(shop: LocalShop) -> None:
    """What people say, and what they type to find it, is one number."""
    order = await _ordered(shop)

    assert (order.id, order.number) == (1001, "1001")


async def test_a_store_that_is_away_is_a_shop_that_is_away(shop: LocalShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The breaker of the shop counts it, the customer is told that the shop cannot be reached."""

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    with monkeypatch.context() as broken:
        broken.setattr(SqlDatabase, "run", away)
        with pytest.raises(ShopUnavailableError):
            await shop.search()


async def test_too_much_at_once_is_the_callers_mistake(shop: LocalShop) -> None:
    with pytest.raises(ValueError, match="at most 50"):
        await shop.check(lines=[LAMP] * 51)
    with pytest.raises(ValueError, match="at most 100"):
        await shop.resolve(retailer_ids=["x"] * 101)


@pytest.mark.parametrize("cursor", ["", "nonsense", "WzEsMl0=", "bnVsbA=="])
async def test_a_cursor_that_is_none_is_refused(shop: LocalShop, cursor: str) -> None:
    """It came from an old button or from somebody who tries: no error of ours."""
    with pytest.raises(ShopRefusedError, match="cursor"):
        await shop.search(cursor=cursor)
    with pytest.raises(ShopRefusedError, match="cursor"):
        await shop.orders_of(phones=["1"], cursor=f"{cursor}x")


# --- shipping


async def test_delivery_is_free_from_an_amount_after_the_discount(shop: LocalShop) -> None:
    """50 from the goods that are paid for, not from those that the coupon gives away."""
    lines = [Line(product_id=5, quantity=2), Line(product_id=8, quantity=1)]

    async def dearest(coupon: str | None) -> Money:
        return (await shop.shipping_methods(lines=lines, address=AT_HOME, coupon=coupon))[-1].price

    assert await dearest(None) == Money(0, "USD")
    assert await dearest("WELCOME10") == Money(Decimal("4.90"), "USD")


async def test_methods_go_where_they_say(shop: LocalShop) -> None:
    """By country, state and the beginning of the postcode; the cheapest first, none where nothing goes."""
    await _rule(
        shop,
        "shipping_methods",
        code="bike",
        title="By bike",
        price=100,
        countries=["US"],
        states=["CA"],
        postcodes=["940"],
    )
    home = await shop.shipping_methods(lines=[LAMP], address=AT_HOME)
    away = await shop.shipping_methods(lines=[LAMP], address=attrs.evolve(AT_HOME, postcode="10001", state="NY"))
    abroad = await shop.shipping_methods(lines=[LAMP], address=attrs.evolve(AT_HOME, country="DE"))

    assert [method.id for method in home] == ["pickup", "bike", "standard"]
    assert [method.id for method in away] == ["pickup", "standard"]
    assert [method.id for method in abroad] == ["standard"]
    await shop.work(
        lambda till: till.change(
            till.tables.shipping_methods.update()
            .where(till.tables.shipping_methods.c.code == "standard")
            .values(countries=["US", "CA"])
        ),
        write=True,
    )
    assert await shop.shipping_methods(lines=[LAMP], address=attrs.evolve(AT_HOME, country="DE")) == ()
    assert (await shop.about()).sells_to == ("CA", "US")


async def test_what_needs_no_shipping_costs_none(shop: LocalShop) -> None:
    quote = await shop.quote(lines=[GIFT_CARD], customer=ADA)

    assert (quote.needs_shipping, quote.shipping, quote.shipping_id) == (False, Money(0, "USD"), None)


# --- tax


@pytest.mark.parametrize(
    ("included", "tax", "total", "tax_elsewhere"),
    [(False, "2.18", "27.08", "1.00"), (True, "2.00", "24.90", "0.95")],
)
async def test_tax_is_in_the_price_or_on_top(
    shop: LocalShop, *, included: bool, tax: str, total: str, tax_elsewhere: str
) -> None:
    """8.75 % on 20.00 of goods and 4.90 of delivery, each half up: 1.75 + 0.43 on top, 1.61 + 0.39 within.

    The rate that names the place most closely counts; without an address it is the shop's country.
    """
    taxed = attrs.evolve(shop, facts=attrs.evolve(shop.facts, prices_include_tax=included))
    await _rule(shop, "tax_rates", country="US", rate_millionths=50_000)
    await _rule(shop, "tax_rates", country="US", state="CA", rate_millionths=87_500)
    await _rule(shop, "tax_rates", tax_class="zero", rate_millionths=0)
    quote = await taxed.quote(lines=[LAMP], address=AT_HOME, shipping_id="standard", customer=ADA)
    elsewhere = await taxed.quote(lines=[LAMP], customer=ADA)

    assert (quote.tax_included, str(quote.tax.amount), str(quote.total.amount)) == (included, tax, total)
    assert elsewhere.tax == Money(Decimal(tax_elsewhere), "USD")


async def test_delivery_may_be_free_of_tax(shop: LocalShop) -> None:
    await _rule(shop, "tax_rates", rate_millionths=100_000, on_shipping=False)
    quote = await shop.quote(lines=[LAMP], address=AT_HOME, shipping_id="standard", customer=ADA)

    assert quote.tax == Money(2, "USD")


# --- coupons


async def test_a_coupon_is_taken_from_the_lines_that_qualify(shop: LocalShop) -> None:
    """SAVE10 on a cart where one of two lines qualifies takes a tenth of that line; the order costs the same."""
    await _rule(shop, "coupons", code="SAVE10", percent_hundredths=1000, product_ids=[5])
    lines = (LAMP, Line(product_id=8, quantity=1))
    order = await _ordered(shop, "k-create_order", *lines, coupon="save10")
    quote = await shop.quote(lines=lines, coupon="SAVE10", customer=ADA)

    assert quote.discount == Money(2, "USD")
    assert order.total == Money(Decimal("37.90"), "USD")


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"active": False}, CouponReason.UNKNOWN),
        ({"minimum": 2001}, CouponReason.BELOW_MINIMUM),
        ({"maximum": 1999}, CouponReason.ABOVE_MAXIMUM),
        ({"product_ids": [7]}, CouponReason.PRODUCTS),
        ({"category_ids": [10**6]}, CouponReason.CATEGORIES),
        ({"email": "ada@example.org"}, CouponReason.EMAIL),
        ({"uses_at_most": 0}, CouponReason.USED_UP),
        ({"uses_at_most": 0, "minimum": 2001}, CouponReason.USED_UP),
    ],
)
async def test_the_first_reason_speaks(shop: LocalShop, columns: dict[str, Any], reason: CouponReason) -> None:
    """In the order of their test, so that the customer hears the one that matters most."""
    await _rule(shop, "coupons", **{"code": "C", "percent_hundredths": 1000, **columns})
    verdict = await shop.check_coupon(code=" c ", lines=[LAMP], customer=ADA)
    quote = await shop.quote(lines=[LAMP], coupon="C", customer=ADA)

    assert (verdict.ok, verdict.reason) == (False, reason)
    assert (quote.discount, quote.coupon) == (Money(0, "USD"), None)


async def test_goods_on_sale_may_be_left_out(shop: LocalShop) -> None:
    await _rule(shop, "coupons", code="C", amount=500, excludes_sale=True)
    only_sale = await shop.check_coupon(code="C", lines=[DESK_LAMP], customer=ADA)
    both = await shop.check_coupon(code="C", lines=[DESK_LAMP, LAMP], customer=ADA)

    assert only_sale.reason is CouponReason.SALE_ITEMS
    assert both.discount == Money(5, "USD")


async def test_a_coupon_never_gives_money(shop: LocalShop) -> None:
    await _rule(shop, "coupons", code="C", amount=50_000)
    quote = await shop.quote(lines=[LAMP], coupon="C", customer=ADA)

    assert (quote.discount, quote.total) == (Money(20, "USD"), Money(0, "USD"))


async def test_a_customer_uses_it_once_unless_the_order_is_off(shop: LocalShop) -> None:
    """A cancelled order gives its use back."""
    order = await _ordered(shop, coupon="WELCOME10")
    other = Buyer(phones=("4915112345678",))
    again = await shop.check_coupon(code="WELCOME10", lines=[LAMP], customer=ADA)
    assert again.reason is CouponReason.USED_BY_CUSTOMER
    assert (await shop.check_coupon(code="WELCOME10", lines=[LAMP], customer=other)).ok
    await shop.cancel_order(order_id=order.id, reason="changed")
    assert (await shop.check_coupon(code="WELCOME10", lines=[LAMP], customer=ADA)).ok


async def test_a_coupon_that_no_longer_holds_makes_no_order(shop: LocalShop) -> None:
    await _ordered(shop, coupon="WELCOME10")
    draft = OrderDraft(
        customer=ADA, lines=(LAMP,), coupon="WELCOME10", payment_method="cod", expected_total=Money(18, "USD")
    )
    with pytest.raises(ShopRefusedError, match="coupon"):
        await shop.create_order(key="k2-create_order", draft=draft)


async def test_a_coupons_key_belongs_to_one_coupon(shop: LocalShop, clock: FrozenClock) -> None:
    spec = CouponSpec(prefix="A-", amount=Money(5, "USD"), expires_at=clock.now() + timedelta(days=1))
    await shop.create_coupon(key="c", spec=spec)

    with pytest.raises(KeyReusedError):
        await shop.create_coupon(key="c", spec=attrs.evolve(spec, uses=2))
    with pytest.raises(ShopMisconfiguredError):
        await shop.create_coupon(key="d", spec=attrs.evolve(spec, amount=Money(5, "EUR")))


# --- orders


async def test_a_line_that_is_not_sold_makes_no_quote(shop: LocalShop) -> None:
    for line, code in ((Line(product_id=999, quantity=1), "not_found"), (Line(product_id=7, quantity=1), "variant")):
        with pytest.raises(ShopRefusedError, match=code):
            await shop.quote(lines=[line], customer=ADA)


async def test_an_order_leaves_and_arrives(shop: LocalShop) -> None:
    """Each step once, with its parcel; what is not at work cannot leave, what has left cannot be cancelled."""
    order = await _ordered(shop)
    with pytest.raises(ShopRefusedError, match="not_at_work"):
        await shop.ship(order_id=order.id)
    with pytest.raises(ShopRefusedError, match="not_at_work"):
        await shop.complete(order_id=order.id)
    await shop.accept_order(order_id=order.id, key="k-accept")
    shipped = [await shop.ship(order_id=order.id, carrier="DHL", tracking="JD01") for _ in range(2)]
    with pytest.raises(ShopRefusedError, match="shipped"):
        await shop.cancel_order(order_id=order.id, reason="late")
    done = await shop.complete(order_id=order.id)

    assert {each.status for each in shipped} == {OrderStatus.SHIPPED}
    assert done.tracking == (Tracking(carrier="DHL", number="JD01"),)
    assert (await shop.accept_order(order_id=order.id, key="k-accept")).status is OrderStatus.COMPLETED


async def test_the_feed_tells_each_step_once(shop: LocalShop) -> None:
    """A repeated call is no change, so nobody is told twice."""
    order = await _ordered(shop)
    cursor = (await shop.changed_since(limit=1000)).cursor
    for _ in range(3):
        await shop.accept_order(order_id=order.id, key="k-accept")
    await shop.ship(order_id=order.id)
    changes = (await shop.changed_since(cursor=cursor)).items

    assert [(change.kind, change.id) for change in changes] == [("order", 1001), ("product", 5), ("order", 1001)]


async def test_goods_come_back_with_a_refund(shop: LocalShop) -> None:
    """Only what had left: an order that was never accepted holds nothing to give back."""
    waiting = await _ordered(shop, "w-create_order")
    await shop.record_refund(
        order_id=waiting.id, key="r0", amount=Money(1, "USD"), reason="x", lines=[LAMP], restock=True
    )
    assert (await shop.product(product_id=5)).stock == 25
    order = await _ordered(shop)
    await shop.accept_order(order_id=order.id, key="k-accept")
    for _ in range(2):
        await shop.record_refund(
            order_id=order.id, key="r1", amount=Money(20, "USD"), reason="broken", lines=[LAMP], restock=True
        )

    assert (await shop.product(product_id=5)).stock == 25
    with pytest.raises(KeyReusedError):
        await shop.record_refund(order_id=order.id, key="r1", amount=Money(19, "USD"), reason="broken")


async def test_cancelling_without_restock_keeps_the_goods_out(shop: LocalShop) -> None:
    """What was broken on its way back is not sold again."""
    order = await _ordered(shop)
    await shop.accept_order(order_id=order.id, key="k-accept")
    await shop.cancel_order(order_id=order.id, reason="broken", restock=False)

    assert (await shop.product(product_id=5)).stock == 24


async def test_cash_is_noted_on_an_order_at_work(shop: LocalShop, clock: FrozenClock) -> None:
    """Paid at the door: the goods had left already, and leave no second time."""
    order = await _ordered(shop)
    await shop.accept_order(order_id=order.id, key="k-accept")
    paid = await shop.mark_paid(
        order_id=order.id, key="k-paid", gateway="cod", payment_id="hand", amount=order.total, at=clock.now()
    )

    assert (paid.status, paid.paid_at) == (OrderStatus.PROCESSING, clock.now())
    assert (await shop.product(product_id=5)).stock == 24
    await shop.cancel_order(order_id=order.id, reason="x")
    other = await _ordered(shop, "k2-create_order")
    await shop.cancel_order(order_id=other.id, reason="x")
    with pytest.raises(ShopRefusedError, match="cancelled"):
        await shop.mark_paid(
            order_id=other.id, key="k", gateway="cod", payment_id="hand", amount=other.total, at=clock.now()
        )


async def test_a_reservation_of_other_size_is_let_go(shop: LocalShop, clock: FrozenClock) -> None:
    """The order is what counts: it takes its own pieces, and what was held beyond them is free again."""
    until = clock.now() + timedelta(hours=1)
    await shop.reserve(key="k-reserve", lines=[Line(product_id=5, quantity=3), DESK_LAMP], until=until)
    order = await _ordered(shop)
    await shop.accept_order(order_id=order.id, key="k-accept")

    assert (await shop.product(product_id=5)).stock == 24
    assert (await shop.product(product_id=4)).stock == 12


async def test_an_order_under_another_number_is_remembered_with_its_customer(shop: LocalShop) -> None:
    """Whoever is linked has one row, whatever phone they write from."""
    number = await put_customer(shop, ADA.phones[0])
    elsewhere = attrs.evolve(ADA, phones=("4915199999999",), customer_id=number)
    draft = OrderDraft(
        customer=elsewhere, address=AT_HOME, lines=(LAMP,), payment_method="cod", expected_total=Money(20, "USD")
    )

    await shop.create_order(key="k-create_order", draft=draft)

    assert [one.addresses for one in await shop.customers_by_phone(phones=ADA.phones)] == [(AT_HOME,)]
    assert await shop.customers_by_phone(phones=elsewhere.phones) == ()


async def test_addresses_of_a_customer_are_kept_once(shop: LocalShop) -> None:
    """The last one first, ten at most."""
    for number in range(12):
        address = attrs.evolve(AT_HOME, address_1=f"{number % 11} Main St")
        draft = OrderDraft(
            customer=ADA, address=address, lines=(LAMP,), payment_method="cod", expected_total=Money(20, "USD")
        )
        await shop.create_order(key=f"k{number}-create_order", draft=draft)
    (known,) = await shop.customers_by_phone(phones=ADA.phones)

    assert [address.address_1[:2].strip() for address in known.addresses] == [
        "0",
        "10",
        "9",
        "8",
        "7",
        "6",
        "5",
        "4",
        "3",
        "2",
    ]


async def test_stock_is_counted_by_hand(shop: LocalShop) -> None:
    await shop.set_stock(sku="LAMP-BLUE", stock=1)
    assert (await shop.product(product_id=5)).stock == 1
    await shop.set_stock(sku="LAMP-BLUE", stock=None)
    assert (await shop.product(product_id=5)).stock is None
    with pytest.raises(ShopNotFoundError):
        await shop.set_stock(sku="NOTHING", stock=1)

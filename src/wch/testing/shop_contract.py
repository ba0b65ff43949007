"""What every shop must do: a suite that any adapter, also a foreign one, passes.

Subclass `ShopContract` in a test module and give it a fixture `shelf`:

    class TestMyShop(ShopContract):
        @pytest.fixture
        async def shelf(self) -> AsyncIterator[Shelf]: ...
"""
# ruff: noqa: RUF001 - a suite asserts, its figures are its examples, people write Arabic

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

import attrs
import pytest

from wch.application.ports import Shop
from wch.domain.address import Address
from wch.domain.catalogue import LARGEST_ID, ChangeKind
from wch.domain.coupon import CouponReason, CouponRemoval, CouponSpec
from wch.domain.money import Money
from wch.domain.order import Order, OrderDraft, OrderStatus
from wch.domain.quote import Buyer, Line, Quote, Verdict, total_of
from wch.domain.shop_error import KeyReusedError, OutOfStockError, ShopNotFoundError, ShopRefusedError
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


class ShopContract:
    """The suite; `shelf` is the adapter's, and `waiting` the status of its orders that wait for their money."""

    waiting = OrderStatus.PENDING

    async def test_a_walk_shows_what_stays_exactly_once(self, shelf: Shelf) -> None:
        """Rows come and go between two pages; those that were there all the time are neither lost nor doubled."""
        shop = await shelf.open(*(attrs.evolve(MUG, sku=f"M{n:02}", name=f"Mug {n:02}") for n in range(25)))
        seen: list[str] = []
        cursor = None
        for turn in range(20):
            page = await shop.search(cursor=cursor, limit=7)
            seen += [card.name for card in page.items]
            cursor = page.next
            if cursor is None:
                break
            await shelf.put(
                shop,
                attrs.evolve(MUG, sku=f"A{turn}", name=f"A new one {turn}"),
                attrs.evolve(MUG, sku="M00", name="Mug 00", active=False),
            )

        assert [name for name in seen if name.startswith("Mug")] == [f"Mug {n:02}" for n in range(25)]

    async def test_a_text_finds_by_every_word(self, shelf: Shelf) -> None:
        """Customers type plurals and leave accents out; one word that does not fit is one too many."""
        shop = await shelf.open(LAMP, MUG, attrs.evolve(MUG, sku="C", name="Café lámpara"))

        assert [card.name for card in (await shop.search(text="blue lamps")).items] == ["Blue Lamp"]
        assert [card.name for card in (await shop.search(text="LAMPARA cafe")).items] == ["Café lámpara"]
        assert (await shop.search(text="green lamp")).items == ()

    async def test_categories_count_what_is_sold_below_them(self, shelf: Shelf) -> None:
        """A category in which nothing is sold is not shown."""
        shop = await shelf.open(LAMP, MUG, attrs.evolve(MUG, sku="OLD", categories=("Attic",), active=False))
        tops = (await shop.categories()).items
        (lamps,) = (await shop.categories(parent_id=tops[0].id)).items

        assert [(top.name, top.count) for top in tops] == [("Home", 1), ("Kitchen", 1)]
        assert lamps.name == "Lamps"
        assert [card.name for card in (await shop.search(category_id=tops[0].id)).items] == ["Blue Lamp"]

    async def test_sold_out_goods_are_left_out_when_asked(self, shelf: Shelf) -> None:
        """Only what can be bought is in stock; what is not counted always is."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=0), attrs.evolve(MUG, stock=None))

        assert [card.name for card in (await shop.search(in_stock=True)).items] == ["Mug"]
        assert len((await shop.search()).items) == 2

    async def test_a_product_shows_its_variants(self, shelf: Shelf) -> None:
        """A variable product has the cheapest price, all its pieces, and what its variants differ in."""
        large = attrs.evolve(SHIRT_M, sku="SHIRT-L", price=Decimal(22), stock=1, attributes={"Size": "L"})
        shop = await shelf.open(SHIRT, SHIRT_M, large)
        line = await line_of(shop, "SHIRT-M")
        product = await shop.product(product_id=line.product_id)
        first = await shop.variants(product_id=line.product_id, limit=1)
        second = await shop.variants(product_id=line.product_id, limit=1, cursor=first.next)

        assert (product.price, product.stock) == (Money(18, "EUR"), 6)
        assert [(each.name, each.options) for each in product.attributes] == [("Size", ("M", "L"))]
        assert [each.id for each in product.variants] == [first.items[0].id, second.items[0].id]
        assert second.next is None
        assert product.variants[0].attributes == {"Size": "M"}

    async def test_what_is_not_there_is_not_found(self, shelf: Shelf) -> None:
        """A number that nobody has, up to the largest, is an answer, not a failure."""
        shop = await shelf.open(LAMP)

        for number in (LARGEST_ID, 10**9):
            with pytest.raises(ShopNotFoundError):
                await shop.product(product_id=number)
            with pytest.raises(ShopNotFoundError):
                await shop.order(order_id=number)
        assert await shop.resolve(retailer_ids=["nothing", "999999999999999999999999"]) == {}
        assert await shop.find_order(key="never", since=shelf.clock.now()) is None

    async def test_a_catalogue_id_is_a_number_or_an_article(self, shelf: Shelf) -> None:
        """The phone sends what the catalogue was filled with; one number names a sellable."""
        shop = await shelf.open(LAMP, SHIRT, SHIRT_M)
        lamp, shirt = await line_of(shop, "LAMP"), await line_of(shop, "SHIRT-M")
        found = await shop.resolve(retailer_ids=[str(lamp.product_id), str(shirt.variation_id)])

        assert found[str(lamp.product_id)].id == lamp.product_id
        assert found[str(shirt.variation_id)].product_id == shirt.product_id
        (check,) = await shop.check(lines=[Line(product_id=shirt.sellable_id, quantity=1)])
        assert (check.verdict, check.name) == (Verdict.OK, "Shirt")

    async def test_every_verdict_is_given(self, shelf: Shelf) -> None:
        """One verdict a line, in the order of the lines."""
        shop = await shelf.open(
            LAMP,
            SHIRT,
            SHIRT_M,
            attrs.evolve(MUG, sku="GONE", stock=0),
            attrs.evolve(MUG, sku="FEW", max=2),
            attrs.evolve(MUG, sku="LATER", stock=0, backorders=True),
        )
        shirt = await line_of(shop, "SHIRT-M")
        off = await line_of(shop, "FEW", 1)
        lines = [
            await line_of(shop, "LAMP", 3),
            Line(product_id=LARGEST_ID, quantity=1),
            Line(product_id=off.product_id, variation_id=shirt.variation_id, quantity=1),
            Line(product_id=shirt.product_id, quantity=1),
            await line_of(shop, "GONE"),
            await line_of(shop, "LAMP", 4),
            await line_of(shop, "FEW", 3),
            await line_of(shop, "LATER", 7),
            shirt,
        ]
        checks = await shop.check(lines=lines)

        assert [check.verdict for check in checks] == [
            Verdict.OK,
            Verdict.NOT_FOUND,
            Verdict.NOT_FOUND,
            Verdict.VARIANT_REQUIRED,
            Verdict.OUT_OF_STOCK,
            Verdict.NOT_ENOUGH,
            Verdict.LIMIT,
            Verdict.OK,
            Verdict.OK,
        ]
        assert [check.line for check in checks] == lines
        assert (checks[5].available, checks[7].available) == (3, None)
        assert checks[8].attributes == {"Size": "M"}
        await shelf.put(shop, attrs.evolve(LAMP, active=False))
        (check,) = await shop.check(lines=[lines[0]])
        assert check.verdict is Verdict.UNAVAILABLE

    async def test_fifty_reach_for_the_last_piece(self, shelf: Shelf) -> None:
        """One gets it, forty-nine hear that it is gone, nobody gets another error."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        until = shelf.clock.now() + timedelta(hours=1)
        answers = await asyncio.gather(
            *(shop.reserve(key=f"order-{n}-1-reserve", lines=[line], until=until) for n in range(50)),
            return_exceptions=True,
        )

        assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
        assert sum(isinstance(answer, OutOfStockError) for answer in answers) == 49
        assert await free(shop, "LAMP") == 0

    async def test_all_lines_are_kept_or_none(self, shelf: Shelf) -> None:
        """Four lines could be kept, the third of five could not: nothing is, and the short one is named."""
        goods = [attrs.evolve(MUG, sku=f"M{n}", stock=0 if n == 2 else 10) for n in range(5)]
        shop = await shelf.open(*goods)
        lines = [await line_of(shop, each.sku, 2) for each in goods]

        with pytest.raises(OutOfStockError) as caught:
            await shop.reserve(key="order-1-1-reserve", lines=lines, until=shelf.clock.now() + timedelta(hours=1))

        assert [(short.line, short.available) for short in caught.value.lines] == [(lines[2], 0)]
        assert [await free(shop, each.sku) for each in goods] == [10, 10, 0, 10, 10]

    async def test_a_reservation_past_its_time_holds_nothing(self, shelf: Shelf) -> None:
        """The next customer gets the piece, though nobody has swept."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        await shop.reserve(key="order-1-1-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        held = await free(shop, "LAMP")
        shelf.clock.advance(timedelta(hours=1))

        assert (held, await free(shop, "LAMP")) == (0, 1)
        await shop.reserve(key="order-2-1-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        await shop.release(key="order-1-1-reserve")
        assert await free(shop, "LAMP") == 0

    async def test_reserving_again_is_the_same_reservation(self, shelf: Shelf) -> None:
        """Its time only moves later; other lines under its key are a mistake of the caller."""
        shop = await shelf.open(LAMP, MUG)
        line, now = await line_of(shop, "LAMP", 2), shelf.clock.now()
        untils = [
            (await shop.reserve(key="k-reserve", lines=[line], until=now + timedelta(hours=hours))).until
            for hours in (2, 1, 3)
        ]

        assert untils == [now + timedelta(hours=hours) for hours in (2, 2, 3)]
        assert await free(shop, "LAMP") == 1
        with pytest.raises(KeyReusedError):
            await shop.reserve(key="k-reserve", lines=[await line_of(shop, "MUG")], until=now + timedelta(hours=1))

    async def test_releasing_twice_gives_back_once(self, shelf: Shelf) -> None:
        """Unknown, released, used up: no error, no piece more than there was."""
        shop = await shelf.open(LAMP)
        line = await line_of(shop, "LAMP", 2)
        await shop.reserve(key="k-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        for key in ("k-reserve", "k-reserve", "never"):
            await shop.release(key=key)
        order = await placed(shop, shelf, [line])
        await shop.accept_order(order_id=order.id, key="order-1-1-accept")
        await shop.release(key="order-1-1-reserve")

        assert await free(shop, "LAMP") == 1

    async def test_the_same_key_makes_one_order(self, shelf: Shelf) -> None:
        """Twenty at once and one much later get the same order; another draft under its key is refused."""
        shop = await shelf.open(LAMP, MUG)
        draft = await drafted(shop, [await line_of(shop, "LAMP")])
        orders = await asyncio.gather(
            *(shop.create_order(key="order-1-1-create_order", draft=draft) for _ in range(20))
        )
        shelf.clock.advance(timedelta(days=30))
        await shelf.put(shop, attrs.evolve(LAMP, price=Decimal(30)))
        again = await shop.create_order(key="order-1-1-create_order", draft=draft)

        assert {order.id for order in orders} == {again.id}
        assert (again.key, again.status, again.total) == (
            "order-1-1-create_order",
            self.waiting,
            draft.expected_total,
        )
        with pytest.raises(KeyReusedError):
            await shop.create_order(key="order-1-1-create_order", draft=attrs.evolve(draft, note="another"))
        assert len((await shop.orders_of(phones=BUYER.phones)).items) == 1

    async def test_a_lost_answer_is_found_by_its_key(self, shelf: Shelf) -> None:
        """Whoever does not know whether the order was made asks before making it again."""
        shop = await shelf.open(LAMP)
        since = shelf.clock.now()
        order = await shop.create_order(key="k-create_order", draft=await drafted(shop, [await line_of(shop, "LAMP")]))

        assert await shop.find_order(key="k-create_order", since=since) == order

    async def test_another_total_makes_no_order(self, shelf: Shelf) -> None:
        """The price rose after the review: the customer agreed to something else."""
        shop = await shelf.open(LAMP)
        draft = await drafted(shop, [await line_of(shop, "LAMP")])
        await shelf.put(shop, attrs.evolve(LAMP, price=Decimal("20.01")))

        with pytest.raises(ShopRefusedError, match="total_changed"):
            await shop.create_order(key="k-create_order", draft=draft)

    async def test_accepting_takes_the_goods_once(self, shelf: Shelf) -> None:
        """What was held leaves the stock; a repeated call changes nothing."""
        shop = await shelf.open(LAMP)
        order = await placed(shop, shelf, [await line_of(shop, "LAMP", 2)])
        accepted = [await shop.accept_order(order_id=order.id, key="order-1-1-accept") for _ in range(3)]

        assert {each.status for each in accepted} == {OrderStatus.PROCESSING}
        assert await free(shop, "LAMP") == 1
        shelf.clock.advance(timedelta(days=1))
        assert await free(shop, "LAMP") == 1

    async def test_goods_that_went_elsewhere_meanwhile_are_missed(self, shelf: Shelf) -> None:
        """The reservation ran out and somebody else bought: accepting says so and changes nothing."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        late = await placed(shop, shelf, [line])
        shelf.clock.advance(timedelta(hours=3))
        quick = await placed(shop, shelf, [line], "order-2-1")
        await shop.accept_order(order_id=quick.id, key="order-2-1-accept")

        with pytest.raises(OutOfStockError):
            await shop.accept_order(order_id=late.id, key="order-1-1-accept")
        assert (await shop.order(order_id=late.id)).status is OrderStatus.PENDING

    async def test_cancelling_gives_back_once(self, shelf: Shelf) -> None:
        """Waiting or accepted, by number or by key, once or three times: the stock is what it was."""
        shop = await shelf.open(LAMP)
        line = await line_of(shop, "LAMP", 2)
        waiting = await placed(shop, shelf, [line])
        for _ in range(3):
            await shop.cancel_order(key=waiting.key, reason="changed my mind")
        after_waiting = await free(shop, "LAMP")
        accepted = await placed(shop, shelf, [line], "order-2-1")
        await shop.accept_order(order_id=accepted.id, key="order-2-1-accept")
        cancelled = [await shop.cancel_order(order_id=accepted.id, reason="changed my mind") for _ in range(3)]

        assert (after_waiting, await free(shop, "LAMP")) == (3, 3)
        assert {order.status for order in cancelled if order is not None} == {OrderStatus.CANCELLED}
        assert await shop.cancel_order(key="never", reason="in doubt") is None
        with pytest.raises(ShopRefusedError, match="cancelled"):
            await shop.accept_order(order_id=accepted.id, key="order-2-1-accept")

    async def test_only_the_exact_total_pays(self, shelf: Shelf) -> None:
        """One unit less or another currency is a mismatch; the same payment pays once, another is a conflict."""
        shop = await shelf.open(LAMP)
        order = await placed(shop, shelf, [await line_of(shop, "LAMP")])
        paying: dict[str, Any] = {"order_id": order.id, "key": "k-accept", "gateway": "stripe", "at": shelf.clock.now()}

        for amount in (order.total - Money.from_minor(1, "EUR"), Money(order.total.amount, "USD")):
            with pytest.raises(ShopRefusedError, match="amount_mismatch"):
                await shop.mark_paid(**paying, payment_id="pi_1", amount=amount)
        paid = [await shop.mark_paid(**paying, payment_id="pi_1", amount=order.total) for _ in range(2)]
        with pytest.raises(ShopRefusedError, match="conflict"):
            await shop.mark_paid(**paying, payment_id="pi_2", amount=order.total)

        assert {(each.status, each.paid_at) for each in paid} == {(OrderStatus.PROCESSING, shelf.clock.now())}
        assert await free(shop, "LAMP") == 2

    async def test_no_more_goes_back_than_came(self, shelf: Shelf) -> None:
        """30 of it, then all of it again, is refused; one key books once; the whole makes it refunded."""
        shop = await shelf.open(LAMP)
        order = await placed(shop, shelf, [await line_of(shop, "LAMP")])
        part = Money(5, "EUR")

        booked = [
            await shop.record_refund(order_id=order.id, key="r1", amount=part, reason="scratch") for _ in range(2)
        ]
        assert [each.refunded for each in booked] == [part, part]
        for amount, code in (
            (order.total, "too_much"),
            (Money(5, "USD"), "amount_mismatch"),
            (-part, "amount_mismatch"),
        ):
            with pytest.raises(ShopRefusedError, match=code):
                await shop.record_refund(order_id=order.id, key="r2", amount=amount, reason="x")
        whole = await shop.record_refund(order_id=order.id, key="r3", amount=order.total - part, reason="all")
        assert (whole.refunded, whole.status) == (order.total, OrderStatus.REFUNDED)

    @pytest.mark.parametrize(("currency", "price"), [("JPY", "1000"), ("EUR", "19.99"), ("KWD", "1.235")])
    async def test_money_is_exact_in_every_number_of_places(self, shelf: Shelf, currency: str, price: str) -> None:
        """The quote's parts add up, and the order has its total, whatever the currency."""
        shop = await shelf.open(attrs.evolve(LAMP, price=Decimal(price)), currency=currency)
        lines = [await line_of(shop, "LAMP", 3)]
        quote = await quoted(shop, lines)
        order = await placed(shop, shelf, lines)

        assert quote.subtotal == Money(Decimal(price), currency) * 3
        assert quote.total == total_of(quote) == order.total
        assert order.lines[0].price == Money(Decimal(price), currency)

    async def test_a_quote_names_all_that_the_customer_sees(self, shelf: Shelf) -> None:
        """The fingerprint is the same for the same quote, and another one when anything is different."""
        shop = await shelf.open(LAMP, MUG)
        lines = [await line_of(shop, "LAMP")]
        first = await quoted(shop, lines)
        with_fee = await quoted(shop, lines, fee=Money(2, "EUR"))

        assert first == await quoted(shop, lines)
        assert with_fee.total == first.total + Money(2, "EUR")
        assert (
            len(
                {
                    first.fingerprint,
                    with_fee.fingerprint,
                    (await quoted(shop, [await line_of(shop, "MUG")])).fingerprint,
                }
            )
            == 3
        )
        with pytest.raises(ShopRefusedError, match="shipping"):
            await quoted(shop, lines, shipping_id="by-balloon")

    async def test_one_key_makes_one_coupon(self, shelf: Shelf) -> None:
        """Asked for twice it is the same, used it stays, unused it can be taken back."""
        shop = await shelf.open(LAMP, MUG)
        now = shelf.clock.now()
        spec = CouponSpec(prefix="BACK-", percent=Decimal(10), expires_at=now + timedelta(days=7), email=BUYER.email)
        coupon = await shop.create_coupon(key="c1", spec=spec)
        lines = [await line_of(shop, "LAMP")]

        assert await shop.create_coupon(key="c1", spec=spec) == coupon
        assert coupon.code.startswith("BACK-")
        verdict = await shop.check_coupon(code=coupon.code.lower(), lines=lines, customer=BUYER)
        assert (verdict.ok, verdict.discount) == (True, Money(2, "EUR"))
        stranger = await shop.check_coupon(code=coupon.code, lines=lines, customer=Buyer(phones=("1",)))
        assert stranger.reason is CouponReason.EMAIL
        order = await shop.create_order(key="k-create_order", draft=await drafted(shop, lines, coupon=coupon.code))
        assert await shop.remove_coupon(key="c1") is CouponRemoval.USED
        used = await shop.check_coupon(code=coupon.code, lines=lines, customer=BUYER)
        assert (order.total, used.reason) == (Money(Decimal("22.90"), "EUR"), CouponReason.USED_UP)
        other = await shop.create_coupon(key="c2", spec=spec)
        assert await shop.remove_coupon(key="c2") is CouponRemoval.REMOVED
        assert await shop.remove_coupon(key="c2") is CouponRemoval.UNKNOWN
        gone = await shop.check_coupon(code=other.code, lines=lines, customer=BUYER)
        assert gone.reason is CouponReason.UNKNOWN
        shelf.clock.advance(timedelta(days=7))
        late = await shop.check_coupon(code=coupon.code, lines=lines, customer=BUYER)
        assert late.reason is CouponReason.EXPIRED

    async def test_what_is_new_is_told_the_newest_first(self, shelf: Shelf) -> None:
        """Published after the moment; a product that only changed is not new."""
        shop = await shelf.open(attrs.evolve(LAMP, categories=("Home",)))
        opened = shelf.clock.now()
        shelf.clock.advance(timedelta(hours=1))
        await shelf.put(shop, MUG)
        shelf.clock.advance(timedelta(hours=1))
        await shelf.put(shop, attrs.evolve(LAMP, categories=("Home",), name="Lamp, dimmed"))
        await shelf.put(shop, attrs.evolve(MUG, sku="BOWL", name="Bowl", categories=("Home",)))

        found = await shop.arrivals(since=opened)

        assert [one.name for one in found] == ["Bowl", "Mug"]
        assert found[0].published_at == shelf.clock.now()
        assert [one.name for one in await shop.arrivals(since=opened, limit=1)] == ["Bowl"]
        lamp = await shop.product(product_id=(await line_of(shop, "LAMP")).product_id)
        assert found[0].categories == tuple(category.id for category in lamp.categories)

    async def test_the_feed_of_changes_skips_nothing(self, shelf: Shelf) -> None:
        """Everything that changes after a cursor is told after it, also when many write at once."""
        shop = await shelf.open(LAMP, *(attrs.evolve(MUG, sku=f"M{n}") for n in range(8)))
        cursor = await _end_of(shop)
        draft = await drafted(shop, [await line_of(shop, "M0")])
        orders = await asyncio.gather(
            *(shop.create_order(key=f"k{n}-create_order", draft=draft) for n in range(8)),
            shelf.put(shop, attrs.evolve(LAMP, stock=9)),
        )
        told: set[tuple[ChangeKind, int]] = set()
        while True:
            page = await shop.changed_since(cursor=cursor, limit=3)
            if not page.items:
                break
            told |= {(change.kind, change.id) for change in page.items}
            cursor = page.cursor

        assert told >= {(ChangeKind.ORDER, order.id) for order in orders if order is not None}
        assert (ChangeKind.PRODUCT, (await line_of(shop, "LAMP")).product_id) in told
        await shop.cancel_order(order_id=orders[0].id if orders[0] else 0, reason="x")
        assert (await shop.changed_since(cursor=cursor)).items

    async def test_names_may_hold_anything(self, shelf: Shelf) -> None:
        """Emoji, quotes and right-to-left marks come out as they went in; a NUL never breaks a store."""
        name = 'L\'amp "bleue" 🪔 \u200fمصباح \\ %_'
        shop = await shelf.open(attrs.evolve(LAMP, name=name), attrs.evolve(MUG, name="M\x00ug"))
        line = await line_of(shop, "LAMP")

        assert (await shop.product(product_id=line.product_id)).name == name
        assert (await placed(shop, shelf, [line])).lines[0].name == name
        assert (await shop.product(product_id=(await line_of(shop, "MUG")).product_id)).name.endswith("ug")
        assert (await shop.search(text="%")).items == (await shop.search()).items
        assert [card.name for card in (await shop.search(text="مصباح")).items] == [name]

    async def test_orders_are_shown_to_their_own_people_only(self, shelf: Shelf) -> None:
        """Exactly these numbers, newest first, each once over the pages."""
        shop = await shelf.open(MUG)
        line = await line_of(shop, "MUG")
        draft = await drafted(shop, [line])
        mine = [await shop.create_order(key=f"a{n}-create_order", draft=draft) for n in range(5)]
        other = attrs.evolve(draft, customer=Buyer(phones=("4915199999999",), name="Bob"))
        await shop.create_order(key="b-create_order", draft=other)
        seen: list[int] = []
        cursor = None
        while True:
            page = await shop.orders_of(phones=("0", *BUYER.phones), cursor=cursor, limit=2)
            seen += [order.id for order in page.items]
            cursor = page.next
            if cursor is None:
                break

        assert seen == [order.id for order in reversed(mine)]

    async def test_all_customers_with_a_number_are_told(self, shelf: Shelf) -> None:
        """One, several by id, or none: whoever links must see that there are two, and never gets a pick."""
        shop = await shelf.open(MUG)
        first = await shelf.customer(shop, "5215512345678", email="ada@example.org")
        second = await shelf.customer(shop, "525512345678", email="lady@example.org")
        await shelf.customer(shop, "5215599999999", email="other@example.org")

        one = await shop.customers_by_phone(phones=("525512345678",))
        both = await shop.customers_by_phone(phones=("525512345678", "5215512345678", "0"))

        assert [(each.id, each.name, each.email) for each in one] == [(second, "Ada Lovelace", "lady@example.org")]
        assert [each.id for each in both] == sorted((first, second))
        assert await shop.customers_by_phone(phones=("0",)) == ()
        assert await shop.customers_by_phone(phones=()) == ()

    async def test_an_order_is_its_customers(self, shelf: Shelf) -> None:
        """It carries the shop's customer, is among the orders of that one whatever its number."""
        shop = await shelf.open(MUG)
        number = await shelf.customer(shop, BUYER.phones[0], email="ada@example.org")
        draft = await drafted(shop, [await line_of(shop, "MUG")])
        elsewhere = attrs.evolve(BUYER, phones=("4915199999999",), customer_id=number)

        order = await shop.create_order(key="a-create_order", draft=attrs.evolve(draft, customer=elsewhere))

        assert order.customer_id == number
        assert (await shop.order(order_id=order.id)).customer_id == number
        assert order in (await shop.orders_of(phones=("0",), customer_id=number)).items

    async def test_a_customer_who_is_gone_holds_up_no_order(self, shelf: Shelf) -> None:
        """The account was deleted since it was linked: the order is made all the same, and once."""
        shop = await shelf.open(MUG)
        draft = await drafted(shop, [await line_of(shop, "MUG")])
        gone = attrs.evolve(draft, customer=attrs.evolve(BUYER, customer_id=987_654))

        order = await shop.create_order(key="a-create_order", draft=gone)

        assert order.customer_id != 987_654
        assert (await shop.create_order(key="a-create_order", draft=gone)).id == order.id
        assert len((await shop.orders_of(phones=BUYER.phones)).items) == 1

    async def test_a_cancelled_task_leaves_nothing_half_done(self, shelf: Shelf) -> None:
        """A caller that goes away leaves either all of its reservation or none of it."""
        goods = [attrs.evolve(MUG, sku=f"M{n}", stock=10) for n in range(5)]
        shop = await shelf.open(*goods)
        lines = [await line_of(shop, each.sku) for each in goods]
        until = shelf.clock.now() + timedelta(hours=1)
        tasks = []
        for turn in range(10):
            task = asyncio.create_task(shop.reserve(key=f"order-{turn}-1-reserve", lines=lines, until=until))
            tasks.append(task)
            for _ in range(turn):
                await asyncio.sleep(0)
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, OutOfStockError):
                await task
        # What a cancelled call had begun may still be on its way to its end; each look sees it whole or not at all.
        for _ in range(5):
            assert len({check.available for check in await shop.check(lines=lines)}) == 1
        shelf.clock.advance(timedelta(hours=1))
        assert {check.available for check in await shop.check(lines=lines)} == {10}


async def _end_of(shop: Shop) -> str | None:
    cursor = None
    while True:
        page = await shop.changed_since(cursor=cursor, limit=100)
        cursor = page.cursor
        if not page.items:
            return cursor

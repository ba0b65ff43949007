"""What a shop is asked for, and what it is paid."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from wch.domain.coupon import CouponReason, CouponRemoval, CouponSpec
from wch.domain.money import Money
from wch.domain.order import OrderStatus
from wch.domain.quote import Buyer, total_of
from wch.domain.shop_error import KeyReusedError, ShopRefusedError
from wch.testing.shop_contract.shelf import (
    BUYER,
    LAMP,
    MUG,
    Shelf,
    drafted,
    free,
    line_of,
    placed,
    quoted,
)


class OrderContract:
    """Orders, quotes, coupons, money and customers."""

    waiting = OrderStatus.PENDING

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

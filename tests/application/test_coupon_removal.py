"""Coupons that nobody used go: at once where the cart was ordered without them, else when their time is long over."""

from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from tests.application.outreaching import HOUR, SARA, TEN, Shop, shopping
from wch.application.coupon_removal import CouponRemoval
from wch.application.housekeeping import Every
from wch.application.ports import UnitOfWork
from wch.domain.coupon import CouponReason
from wch.domain.coupon import CouponRemoval as Removal
from wch.domain.quote import Buyer, Line
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga
from wch.testing.scripted_shop import Refused, Unavailable

DAY = timedelta(days=1)


def removal(shop: Shop, seconds: float = 0.0) -> CouponRemoval:
    return CouponRemoval(
        database=shop.hub.database,
        clock=shop.hub.clock,
        shop=shop.goods,
        reminding=shop.reminders.reminding,
        rest=Every(shop.hub.clock, seconds),
    )


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Shop:
    """Sara was reminded with a coupon."""
    made = await shopping(twice=request.param)
    await made.fill()
    await made.until(TEN + 25 * HOUR)
    assert (await made.cart()).recovery_coupon_code is not None
    return made


async def verdict(shop: Shop, code: str) -> CouponReason | None:
    """What the shop says of the code."""
    (item,) = (await shop.cart()).items
    lines = [Line(product_id=item.product_id, quantity=1)]
    return (await shop.goods.check_coupon(code=code, lines=lines, customer=Buyer(phones=(SARA,)))).reason


async def ordered(shop: Shop, *, coupon: str | None) -> None:
    """The reminded cart is ordered, with or without its coupon."""
    cart = await shop.cart()
    now = shop.hub.clock.now()
    saga = Saga.begun(cart.saga_id, "order", {"v": 1, "customer": {"phone": SARA}, "coupon": coupon}, now=now)
    await shop.hub.do(lambda uow: uow.sagas.add(saga))
    await shop.orders(7, placement=cart.saga_id)


async def test_a_cart_ordered_without_its_coupon_loses_it_within_the_hour(shop: Shop) -> None:
    """In the shop and in the column."""
    code = str((await shop.cart()).recovery_coupon_code)
    await ordered(shop, coupon=None)

    assert await removal(shop).work() == 1

    assert (await shop.cart()).recovery_coupon_code is None
    assert await verdict(shop, code) is CouponReason.UNKNOWN
    assert await removal(shop).work() == 0


async def test_a_cart_ordered_with_its_coupon_keeps_it(shop: Shop) -> None:
    """The shop is not even asked."""
    code = (await shop.cart()).recovery_coupon_code
    await ordered(shop, coupon=code)

    assert await removal(shop).work() == 0

    assert (await shop.cart()).recovery_coupon_code == code
    assert [call for call in shop.goods.calls if call.operation == "remove_coupon"] == []


async def test_a_web_order_that_used_the_coupon_keeps_it_in_the_column(shop: Shop) -> None:
    """Only the shop knows; what it says was used stays."""
    code = str((await shop.cart()).recovery_coupon_code)
    product = (await shop.cart()).items[0].product_id
    await shop.orders(7, products=(product,))

    async def used(*, key: str) -> object:
        assert key == f"recover-{(await shop.contact()).id}"
        return Removal.USED

    shop.goods.remove_coupon = used  # type: ignore[method-assign,assignment]  # the shop's own answer

    assert await removal(shop).work() == 0
    assert (await shop.cart()).recovery_coupon_code == code


@pytest.mark.parametrize(("days", "gone"), [(20, False), (22, True)])
async def test_the_coupon_of_a_cart_that_was_never_ordered_goes_after_three_weeks(
    shop: Shop, days: int, *, gone: bool
) -> None:
    """Twenty-one days after the first reminder left."""
    code = str((await shop.cart()).recovery_coupon_code)
    duty = removal(shop)
    shop.hub.clock.advance(TEN + 2 * HOUR + days * DAY - shop.hub.clock.now())

    assert await duty.work() == int(gone)

    assert await verdict(shop, code) is (CouponReason.UNKNOWN if gone else CouponReason.EXPIRED)


async def test_each_contact_is_asked_about_once(shop: Shop) -> None:
    """The cursor moves once a day, and only when the shop has answered about all."""
    duty = removal(shop)
    shop.hub.clock.advance(25 * DAY)
    shop.goods.script("remove_coupon", Unavailable())
    assert await duty.work() == 0
    for _ in range(3):
        await duty.work()
        shop.hub.clock.advance(DAY)

    keys = [call.key for call in shop.goods.calls if call.operation == "remove_coupon"]
    assert keys == [f"recover-{(await shop.contact()).id}"] * 2


async def test_what_the_shop_refuses_does_not_stop_the_others(shop: Shop) -> None:
    """It is not asked again for good; rewards of loyal customers go alike, other kinds have no coupon."""
    other = "34600000002"
    await shop.meets(other)

    def more(uow: UnitOfWork) -> None:
        for kind in (CampaignType.LOYALTY_REWARD, CampaignType.WE_MISS_YOU):
            uow.reengagements.add(
                Reengagement(customer_phone=other, campaign_type=kind, created_at=TEN, sent_at=TEN + HOUR)
            )

    await shop.hub.do(more)
    (reward,) = await shop.contacts(CampaignType.LOYALTY_REWARD)
    shop.hub.clock.advance(25 * DAY)
    shop.goods.script("remove_coupon", Refused("coupon"))

    assert await removal(shop).work() == 0

    keys = [call.key for call in shop.goods.calls if call.operation == "remove_coupon"]
    assert keys == [f"recover-{(await shop.contact()).id}", f"loyal-{reward.id}"]


async def test_it_rests_between_two_looks(shop: Shop) -> None:
    """An hour, since nobody waits for it."""
    duty = removal(shop, seconds=3600.0)
    await ordered(shop, coupon=None)
    assert await duty.work() == 1
    await shop.change(lambda one: attrs.evolve(one, total_spent=Decimal(1)))

    shop.hub.clock.advance(25 * DAY - HOUR)
    assert await duty.work() == 0
    calls = len(shop.goods.calls)
    shop.hub.clock.advance(30 * 60)
    assert await duty.work() == 0
    assert len(shop.goods.calls) == calls


async def test_a_cart_that_moved_on_meanwhile_is_left_alone(shop: Shop) -> None:
    """Between the shop's answer and the change the customer began the next cart."""
    await ordered(shop, coupon=None)
    duty = removal(shop)
    ask = shop.goods.remove_coupon

    async def slowly(*, key: str) -> object:
        answer = await ask(key=key)

        def renewed(uow: UnitOfWork) -> None:
            uow.customers.lock(SARA, now=shop.hub.clock.now())
            cart = uow.carts.of(SARA, lock=True)
            assert cart is not None
            uow.carts.save(cart.renewed(now=shop.hub.clock.now()))

        await shop.hub.do(renewed)
        return answer

    shop.goods.remove_coupon = slowly  # type: ignore[method-assign,assignment]  # the same, later
    assert await duty.work() == 1
    assert (await shop.cart()).recovery_coupon_code is None
    assert (await shop.cart()).is_empty

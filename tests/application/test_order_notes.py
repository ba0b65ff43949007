"""An order is counted once and credited to one contact; when it stops counting, the credit is taken back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.outreaching import HOUR, SARA, TEN, Shop, shopping
from tests.application.rooms import rooms
from wch.application.order_notes import credited_to, note_order
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.campaign import Plan
from wch.domain.cart import Cart, CartStatus
from wch.domain.customer import CustomerProfile
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.moment import SECOND
from wch.domain.order_figures import Counting, OrderSeen, exact_spending, known_orders
from wch.domain.reengagement import CampaignType, Reengagement

DAY = timedelta(days=1)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Shop:
    """Sara left her cart lying, and was reminded of it three times."""
    made = await shopping(twice=request.param)
    await made.fill()
    return made


async def reminded(shop: Shop) -> None:
    await shop.until(TEN + 25 * HOUR)
    assert len(await shop.sent()) == 3


async def approached(shop: Shop, kind: CampaignType = CampaignType.PRICE_DROP, *, left: bool = True) -> int:
    """A contact of another kind, whose message left now or failed."""

    def work(uow: UnitOfWork) -> int:
        now = shop.hub.clock.now()
        uow.customers.lock(SARA, now=now)
        contact = uow.reengagements.add(
            Reengagement(customer_phone=SARA, campaign_type=kind, created_at=now, sent_at=now)
        )
        thread = shop.hub.speaker.thread(uow, uow.customers.lock(SARA, now=now), now=now)
        row = Message.outgoing(
            conversation_id=thread.id,
            kind="template",
            body={},
            to={},
            number="1",
            class_=Class.CAMPAIGN,
            origin={"by": "reengagement", "ref": f"reengagement:{contact.id}"},
            now=now,
        )
        status = MessageStatus.DELIVERED if left else MessageStatus.PENDING
        uow.messages.add(attrs.evolve(row, status=status, sent_at=now if left else None))
        uow.conversations.save(thread.counted(now=now))
        return contact.id

    number = await shop.hub.do(work)
    assert isinstance(number, int)
    return number


async def broadcast(shop: Shop, campaign_id: int = 17, *, credit_days: int = 7, planned: bool = True) -> None:
    """A broadcast reached Sara now."""

    def work(uow: UnitOfWork) -> None:
        now = shop.hub.clock.now()
        if planned:
            plan = Plan(id=campaign_id, name="x", by="ana", template={"name": "x"}, credit_days=credit_days)
            uow.options.put(f"campaign.{campaign_id}", plan.to_json())
        reached = RecipientStatus.DELIVERED
        uow.recipients.add(
            BroadcastRecipient(campaign_id=campaign_id, phone=SARA, status=reached, sent_at=now, created_at=now)
        )

    await shop.hub.do(work)


async def credit_of(shop: Shop, number: int) -> Any:
    profile = await shop.hub.see(lambda uow: uow.customers.of(SARA))
    return known_orders(profile)[str(number)].get("credit")


# --- the reminded cart


async def test_an_order_of_the_reminded_cart_is_a_recovery_once(shop: Shop) -> None:
    """However often the event comes: contact and cart have the order, its total and its time."""
    await reminded(shop)
    cart = await shop.cart()
    shop.hub.clock.advance(DAY)

    for _ in range(5):
        await shop.orders(7, total=Decimal("59.90"), placement=cart.saga_id)

    contact, ended = await shop.contact(), await shop.cart()
    assert (contact.converted, contact.conversion_order_id, contact.conversion_revenue) == (True, 7, Decimal("59.90"))
    assert (ended.status, ended.recovered_order_id) == (CartStatus.RECOVERED, 7)
    assert (ended.recovered_revenue, ended.recovered_at) == (Decimal("59.90"), shop.hub.clock.now())
    assert await credit_of(shop, 7) == {"kind": "cart", "id": contact.id}


@pytest.mark.parametrize(("after", "counts"), [(7 * DAY - HOUR, True), (7 * DAY, True), (7 * DAY + SECOND, False)])
async def test_a_web_order_of_a_product_that_was_spoken_of_counts_for_seven_days(
    shop: Shop, after: timedelta, *, counts: bool
) -> None:
    """From the last reminder that left, to the second."""
    await reminded(shop)
    product = (await shop.cart()).items[0].sellable_id
    shop.hub.clock.advance(after)

    await shop.orders(7, products=(product, 99))

    assert (await shop.contact()).converted is counts
    assert (await credit_of(shop, 7))["kind"] == ("cart" if counts else "none")


async def test_an_order_of_other_goods_is_no_recovery(shop: Shop) -> None:
    """Neither the cart nor anything that was in it."""
    await reminded(shop)

    await shop.orders(7, products=(987,))

    assert not (await shop.contact()).converted
    assert (await shop.cart()).status is CartStatus.ABANDONED


async def test_a_cart_that_was_never_reminded_of_is_no_recovery(shop: Shop) -> None:
    """Not even when the slot was taken and the message then failed."""
    await shop.until(TEN + 2 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    await shop.reminders.work()
    await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=shop.hub.clock.now()))
    await shop.hub.outbox.work()
    cart = await shop.cart()
    assert cart.was_reminded

    await shop.orders(7, placement=cart.saga_id)

    assert (await shop.contact()).sent_at is None
    assert (await credit_of(shop, 7)) == {"kind": "none"}
    assert not (await shop.cart()).recovered


async def test_a_cart_restored_after_its_end_and_ordered_is_a_recovery(shop: Shop) -> None:
    """The next name of the row is not touched; the first keeps its figures."""
    await reminded(shop)
    product = (await shop.cart()).items[0].sellable_id

    def restored(uow: UnitOfWork) -> Cart:
        uow.customers.lock(SARA, now=shop.hub.clock.now())
        cart = uow.carts.of(SARA, lock=True)
        assert cart is not None
        opened = cart.renewed(now=shop.hub.clock.now(), keep_items=True)
        uow.carts.save(opened)
        return opened

    await shop.until(TEN + 4 * DAY)
    opened = await shop.hub.do(restored)
    await shop.orders(7, placement=opened.saga_id, products=(product,))

    assert (await shop.contact()).converted
    assert (await shop.cart()).status is CartStatus.ACTIVE
    assert not (await shop.cart()).was_reminded


async def test_a_cancelled_recovery_is_taken_back_and_given_again(shop: Shop) -> None:
    """In contact and cart; figures and credit agree at every moment."""
    await reminded(shop)
    cart = await shop.cart()
    await shop.orders(7, placement=cart.saga_id)
    shop.hub.clock.advance(HOUR)
    profile = await shop.orders(7, status="cancelled", placement=cart.saga_id)

    contact = await shop.contact()
    assert (contact.converted, contact.conversion_order_id, contact.conversion_revenue) == (False, None, None)
    assert ((await shop.cart()).recovered, profile.total_orders) == (False, 0)
    assert credited_to(profile, "cart", contact.id) == []

    shop.hub.clock.advance(HOUR)
    profile = await shop.orders(7, status="completed", placement=cart.saga_id)
    assert (await shop.contact()).conversion_order_id == 7
    (credited,) = credited_to(profile, "cart", contact.id)
    assert (credited.order_id, str(credited.revenue)) == (7, "40.00 EUR")


async def test_a_credit_that_went_to_another_order_meanwhile_stays_there(shop: Shop) -> None:
    """A contact takes one order."""
    await reminded(shop)
    product = (await shop.cart()).items[0].sellable_id
    await shop.orders(7, products=(product,))
    shop.hub.clock.advance(HOUR)
    await shop.orders(7, status="cancelled")
    await shop.orders(8, products=(product,))
    shop.hub.clock.advance(HOUR)
    await shop.orders(7, status="completed")

    assert (await shop.contact()).conversion_order_id == 8
    assert (await credit_of(shop, 7))["lost"]


async def test_what_is_not_paid_for_is_not_credited_yet(shop: Shop) -> None:
    """An order that does not count has no credit; it is decided when it first counts."""
    await reminded(shop)
    product = (await shop.cart()).items[0].sellable_id
    await shop.orders(7, status="pending", products=(product,))
    assert await credit_of(shop, 7) is None

    shop.hub.clock.advance(HOUR)
    await shop.orders(7, status="processing", products=(product,))

    assert (await credit_of(shop, 7))["kind"] == "cart"


# --- other contacts


async def test_the_latest_contact_before_the_order_is_credited_and_no_other(shop: Shop) -> None:
    """Five days after a broadcast and three after a lower price: the lower price alone; the sum is the order's total."""
    await shop.change(lambda one: one)
    await broadcast(shop)
    shop.hub.clock.advance(2 * DAY)
    number = await approached(shop)
    shop.hub.clock.advance(3 * DAY)

    profile = await shop.orders(7, total=Decimal("59.90"))

    contacts = await shop.contacts(CampaignType.PRICE_DROP)
    assert [(one.conversion_order_id, one.conversion_revenue) for one in contacts] == [(7, Decimal("59.90"))]
    assert await credit_of(shop, 7) == {"kind": "reengagement", "id": number}
    assert credited_to(profile, "broadcast", 17) == []


@pytest.mark.parametrize(
    ("days", "kind"),
    [(7, "broadcast"), (8, "none")],
)
async def test_a_broadcast_is_credited_within_the_days_of_its_plan(shop: Shop, days: int, kind: str) -> None:
    """Seven unless the plan says otherwise; what is left after a refund is what the report has."""
    await broadcast(shop)
    shop.hub.clock.advance(days * DAY)

    profile = await shop.orders(7, total=Decimal(50), refunded=Decimal(20))

    assert (await credit_of(shop, 7))["kind"] == kind
    assert [str(one.revenue) for one in credited_to(profile, "broadcast", 17)] == (
        ["30.00 EUR"] if kind == "broadcast" else []
    )


async def test_a_broadcast_whose_plan_is_gone_is_not_credited(shop: Shop) -> None:
    """Nobody knows for how long it would be."""
    await broadcast(shop, planned=False)

    await shop.orders(7)

    assert (await credit_of(shop, 7)) == {"kind": "none"}


@pytest.mark.parametrize(("days", "left", "counts"), [(30, True, True), (31, True, False), (1, False, False)])
async def test_a_contact_counts_for_thirty_days_if_it_left(shop: Shop, days: int, *, left: bool, counts: bool) -> None:
    """What waits in the outbox has brought nobody."""
    await approached(shop, left=left)
    shop.hub.clock.advance(days * DAY)

    await shop.orders(7)

    assert (await shop.contacts(CampaignType.PRICE_DROP))[0].converted is counts


async def test_a_contact_takes_one_order(shop: Shop) -> None:
    """The second order within its time goes to nobody, or to an earlier contact."""
    await broadcast(shop, credit_days=30)
    shop.hub.clock.advance(DAY)
    await approached(shop)
    shop.hub.clock.advance(DAY)

    for number in (7, 8):
        await shop.orders(number)

    assert [(await credit_of(shop, number))["kind"] for number in (7, 8)] == ["reengagement", "broadcast"]


async def test_words_after_the_order_brought_it_not(shop: Shop) -> None:
    """An order of yesterday that is told today."""
    yesterday = shop.hub.clock.now() - DAY
    await approached(shop)
    await broadcast(shop)

    await shop.orders(7, at=yesterday, modified=yesterday)

    assert (await credit_of(shop, 7)) == {"kind": "none"}


async def test_spending_beyond_its_column_is_one_alarm() -> None:
    """Two orders of 90,000,000 dong: the column holds its most, the exact sum stands beside it."""
    rooms_ = rooms()
    counting = Counting(home="VND")

    def order(number: int) -> OrderSeen:
        return OrderSeen(id=number, at=TEN, modified=TEN, status="completed", total=Decimal(90_000_000), currency="VND")

    async def noted(number: int) -> CustomerProfile:
        profile = await rooms_.do(lambda uow: note_order(uow, counting, SARA, order(number), now=TEN))
        assert isinstance(profile, CustomerProfile)
        return profile

    *_, profile = [await noted(number) for number in (1, 2, 3, 3)]

    assert profile.total_spent == Decimal("99999999.99")
    assert exact_spending(profile) == Decimal(270_000_000)
    alarms = await rooms_.see(lambda uow: uow.audit.listed(action="alarm.spending_beyond_column"))
    assert [line.object for line in alarms] == [f"customer:{profile.id}"]

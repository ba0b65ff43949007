"""Which customer of the shop somebody is: asked by a worker, linked when it is one, left to a person when they are two."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.examples.stage import A, Stage, stage
from wch.domain.order import Order, OrderDraft
from wch.domain.quote import Buyer, Line
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing.scripted_shop import Unavailable, put_customer

BRAZIL, ITS_TWIN = "551187654321", "5511987654321"
"""One number as WhatsApp gives it, and as its owner wrote it down in the shop."""


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage(WCH_COUNTRY="BR", WCH_NOTIFICATIONS_SCOPE="all") as opened:
        yield opened


async def looks(shop: Stage) -> list[SyncTask]:
    return [one for one in await shop.hub.sync.listed(limit=500) if one.entity_type is EntityType.CUSTOMER]


async def web_order(shop: Stage, buyer: Buyer, key: str = "web-1-create_order") -> Order:
    """Somebody buys a lamp outside of the chat."""
    line = Line(product_id=await shop.id_of("Umbrella"), quantity=1)
    quote = await shop.shop.quote(lines=(line,), customer=buyer)
    draft = OrderDraft(customer=buyer, lines=(line,), payment_method="cod", expected_total=quote.total)
    made = await shop.shop.create_order(key=key, draft=draft)
    return await shop.shop.accept_order(order_id=made.id, key=key)


async def seen(shop: Stage, order: Order) -> SyncTask:
    """A worker has read the order."""
    task = await shop.hub.sync.enqueue(EntityType.ORDER, order.id, SyncAction.UPDATE, by="ana")
    await shop.work()
    done: SyncTask = await shop.see(lambda uow: uow.sync.get(task.id))
    return done


async def audited(shop: Stage) -> list[tuple[str, str]]:
    lines = await shop.see(lambda uow: uow.audit.listed(limit=100))
    return [(one.actor, one.action) for one in lines if one.action.startswith("customer.")]


async def test_whoever_writes_is_linked_by_a_variant_of_the_number(shop: Stage) -> None:
    """By a worker, after the answer; the line of the audit log says that nobody did it by hand."""
    number = await put_customer(shop.shop.shop, ITS_TWIN, email="maria@example.org")

    await shop.says("hi", sender=BRAZIL)

    profile = await shop.profile(BRAZIL)
    assert (profile.wc_customer_id, profile.email) == (number, "maria@example.org")
    assert [(one.entity_id, one.status) for one in await looks(shop)] == [(profile.id, SyncStatus.COMPLETED)]
    assert await audited(shop) == [("worker", "customer.link")]
    assert shop.whatsapp.sent[-1].message["to"] == f"+{BRAZIL}"


async def test_two_of_the_shop_are_a_suggestion(shop: Stage) -> None:
    """Nobody is linked until a person chooses; then the orders that follow are that one's."""
    numbers = [await put_customer(shop.shop.shop, phone) for phone in (BRAZIL, ITS_TWIN)]

    await shop.says("hi", sender=BRAZIL)

    profile = await shop.profile(BRAZIL)
    assert (profile.wc_customer_id, profile.shop_candidates) == (None, tuple(numbers))
    assert [one.id for one in await shop.hub.customers.shop_customers(BRAZIL)] == numbers
    chosen = await shop.hub.customers.link(BRAZIL, numbers[1], by="ana")
    assert (chosen.wc_customer_id, chosen.shop_candidates) == (numbers[1], ())
    assert await audited(shop) == [("ana", "customer.link")]


async def test_what_a_person_took_away_stays_away(shop: Stage) -> None:
    """Also when the shop is asked again, or tells of an order of theirs."""
    number = await put_customer(shop.shop.shop, BRAZIL)
    await shop.says("hi", sender=BRAZIL)

    await shop.hub.customers.unlink(BRAZIL, by="ana")
    await shop.later(days=31)
    await shop.says("hi", sender=BRAZIL)
    await seen(shop, await web_order(shop, Buyer(phones=(BRAZIL,), customer_id=number)))

    assert (await shop.profile(BRAZIL)).wc_customer_id is None
    assert await audited(shop) == [("worker", "customer.link"), ("ana", "customer.unlink")]


async def test_a_shop_that_is_down_keeps_nobody_waiting(shop: Stage) -> None:
    """The answer goes out; the look is tried again, leaves no dead letter, and the next message asks anew."""
    number = await put_customer(shop.shop.shop, BRAZIL)
    shop.shop.script("customers_by_phone", *[Unavailable()] * 6)

    assert await shop.says("hi", sender=BRAZIL)
    for _ in range(8):
        await shop.later(hours=3)

    assert [(one.status, one.error_message) for one in await looks(shop)] == [
        (SyncStatus.COMPLETED, "shop_unavailable")
    ]
    assert await shop.letters() == []
    await shop.says("hi", sender=BRAZIL)
    assert (await shop.profile(BRAZIL)).wc_customer_id == number


async def test_an_order_of_the_shops_customer_counts_for_whoever_is_linked(shop: Stage) -> None:
    """Whatever number it was placed with; tracking shows it too, and nobody else's."""
    number = await put_customer(shop.shop.shop, ITS_TWIN)
    await shop.says("hi", sender=BRAZIL)
    order = await web_order(shop, Buyer(phones=("4915199999999",), customer_id=number))

    assert (await seen(shop, order)).error_message is None

    assert (await shop.profile(BRAZIL)).total_orders == 1
    assert f"Order {order.number}" in "\n".join(await shop.says("my orders", sender=BRAZIL))
    assert f"Order {order.number}" not in "\n".join(await shop.says("my orders", sender=A))


async def test_of_two_who_are_linked_with_one_the_billing_number_decides(shop: Stage) -> None:
    """Two profiles of one customer of the shop: never a pick."""
    for phone in (A, BRAZIL):
        await shop.says("hi", sender=phone)
        await shop.hub.customers.link(phone, 77, by="ana")

    await seen(shop, await web_order(shop, Buyer(phones=("4915199999999",), customer_id=77)))
    assert [(await shop.profile(phone)).total_orders for phone in (A, BRAZIL)] == [0, 0]
    await seen(shop, await web_order(shop, Buyer(phones=(A,), customer_id=77), key="web-2-create_order"))
    assert [(await shop.profile(phone)).total_orders for phone in (A, BRAZIL)] == [1, 0]


async def test_orders_placed_in_the_chat_carry_the_shops_customer(shop: Stage) -> None:
    """The first one makes the customer in the built-in shop, is seen, and links; the second carries the number."""
    for _ in range(2):
        await shop.to_review()
        await shop.press("confirm_order")
        await shop.later(minutes=2)

    profile = await shop.profile(A)
    assert profile.wc_customer_id is not None
    page = await shop.shop.orders_of(phones=(), customer_id=profile.wc_customer_id)
    assert len(page.items) == 2
    placements = await shop.hub.orders.placements()
    carried = [one.context["customer"]["customer_id"] for one in placements]
    assert sorted(carried, key=str) == sorted([None, profile.wc_customer_id], key=str)


async def test_a_customer_of_the_shop_who_is_gone_holds_up_no_order(shop: Stage) -> None:
    """Whoever is linked with a number that the shop does not know any more can still buy."""
    await shop.says("hi")
    await shop.hub.customers.link(A, 987_654, by="ana")

    await shop.to_review()
    await shop.press("confirm_order")
    await shop.later(minutes=2)

    (order,) = (await shop.shop.orders_of(phones=(A,))).items
    assert order.customer_id not in {None, 987_654}


async def test_a_look_at_somebody_who_was_erased_comes_to_nothing(shop: Stage) -> None:
    """The row says so."""
    task = await shop.hub.sync.enqueue(EntityType.CUSTOMER, 4711, SyncAction.UPDATE, by="ana")
    await shop.work()

    done = await shop.see(lambda uow: uow.sync.get(task.id))
    assert (done.status, done.error_message) == (SyncStatus.COMPLETED, "gone")


async def test_what_breaks_in_a_look_is_tried_again(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row's own attempts pay for it; nothing else waits."""

    async def breaks(**_: Any) -> None:
        raise RuntimeError

    number = await put_customer(shop.shop.shop, A)
    with monkeypatch.context() as broken:
        broken.setattr(shop.shop, "customers_by_phone", breaks)
        await shop.says("hi")
    assert [one.error_message for one in await looks(shop)] == ["error"]
    await shop.later(minutes=1)

    assert (await shop.profile(A)).wc_customer_id == number

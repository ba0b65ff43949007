"""An order that was confirmed is placed once and told once, or nothing of it is left but the cart."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

import attrs
import pytest

from tests.application.shopping import ANNA, MUG, NUMBER, Shopping, shopping
from wch.application.failpoints import FailpointError
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, CartStatus, Slot
from wch.domain.conversation import State
from wch.domain.message import Class, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.notification import CONFIRMED, Notification
from wch.domain.order import OrderStatus
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Ev, SagaState
from wch.domain.shop_error import ShopNotFoundError, ShopRefusedError
from wch.testing.scripted_shop import LostAnswer, Refused, Unavailable, put_on_shelf


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Shopping]:
    made = await shopping(twice=request.param)
    yield made
    await made.shop.aclose()


async def cart_of(hub: Shopping) -> Cart:
    cart = await hub.see(lambda uow: uow.carts.of(ANNA))
    assert isinstance(cart, Cart)
    return cart


async def reminded(hub: Shopping, *, contacted: bool = True, other: bool = False, sent: bool = True) -> None:
    """Anna's cart was left lying, and she was reminded of it, or of another one with other goods."""
    hub.clock.advance(4000)
    now = hub.clock.now()

    def work(uow: UnitOfWork) -> None:
        cart = uow.carts.of(ANNA, lock=True)
        assert cart is not None
        uow.carts.save(cart.abandoned(now=now).remind(Slot.FIRST, now=now))
        if not contacted:
            return
        contact = Reengagement(customer_phone=ANNA, campaign_type=CampaignType.CART_REMINDER, created_at=now)
        contact = uow.reengagements.add(attrs.evolve(contact, sent_at=now))
        opened = cart.created_at.replace(year=2025) if other else cart.created_at
        thread = uow.conversations.latest_of(ANNA, lock=True)
        assert thread is not None
        uow.conversations.save(thread.counted(now=now))
        row = Message.outgoing(
            conversation_id=thread.id,
            kind="template",
            body={},
            to={"wa_id": ANNA},
            number="1",
            class_=Class.CAMPAIGN,
            origin={"by": "recovery", "ref": f"reminder:{contact.id}:1", "cart": iso(opened), "products": [77]},
            now=now,
        )
        status = MessageStatus.SENT if sent else MessageStatus.FAILED
        uow.messages.add(attrs.evolve(row, status=status, sent_at=now if sent else None))

    await hub.do(work)


async def test_closing_writes_everything_that_an_order_means_at_once(hub: Shopping) -> None:
    """Cart, profile, conversation, notice, sync and what is known of the order: one transaction, never a part of it."""
    first = await hub.confirm()
    name = (await cart_of(hub)).name
    with pytest.raises(FailpointError):
        await hub.worker("saga.done=raise@4").work()
    assert await hub.noted() == []
    hub.clock.advance(61)

    await hub.runner.work()

    saga = await hub.saga(first)
    order_id = saga.results["close"]["order_id"]
    order = await hub.shop.shop.order(order_id=order_id)
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    thread = await hub.see(lambda uow: uow.conversations.latest_of(ANNA))
    cart = await cart_of(hub)
    assert (saga.state, order.status) == (SagaState.COMPLETED, OrderStatus.PROCESSING)
    assert (cart.is_empty, cart.name != name, cart.status) == (True, True, CartStatus.ACTIVE)
    assert (profile.total_orders, profile.total_spent) == (1, Decimal("23.90"))
    assert thread.state is State.COMPLETED
    assert thread.context["order"] == {"saga_id": first, "order_id": order_id}
    (notice,) = await hub.noted()
    assert (notice.order_id, notice.notification_type, notice.customer_phone) == (order_id, CONFIRMED, ANNA)
    rows = {(row.entity_type.value, row.entity_id, row.action.value) for row in await hub.sync.listed()}
    assert rows == {("order", order_id, "create"), ("inventory", await hub.product_id(), "update")}
    known = await hub.see(lambda uow: uow.options.get(f"shop:order:{order_id}"))
    assert (known["status"], known["phone"], known["saga"], known["language"]) == ("processing", ANNA, first, "en")
    assert await hub.stock() == 8


async def test_confirming_twice_is_one_order(hub: Shopping) -> None:
    """The cart's name names the placement, so the second tap finds the first."""
    first, second = await hub.confirm(), await hub.confirm()
    await asyncio.gather(hub.runner.work(), hub.worker().work())
    await hub.runs()

    assert first == second
    assert len(await hub.orders.placements()) == 1
    assert len(hub.shop.calls_of("create_order")) == 1
    assert len(await hub.noted()) == 1


async def test_the_next_cart_is_another_order(hub: Shopping) -> None:
    """A new name: the answer to the first order is never given for the second."""
    first = await hub.confirm()
    await hub.runner.work()
    hub.clock.advance(5)
    second = await hub.confirm()
    await hub.runner.work()

    assert first != second
    assert [saga.state for saga in await hub.orders.placements(state=SagaState.COMPLETED)] == [SagaState.COMPLETED] * 2
    assert await hub.stock() == 6


@pytest.mark.parametrize("operation", ["check", "quote", "reserve", "create_order", "accept_order"])
@pytest.mark.parametrize("step", [LostAnswer(), Unavailable()], ids=["lost", "away"])
async def test_a_shop_that_is_away_for_a_moment_delays_the_order(
    hub: Shopping, operation: str, step: LostAnswer | Unavailable
) -> None:
    """Each call is made again under its key: one order, one reservation, whatever answer was lost."""
    saga_id = await hub.confirm()
    hub.shop.script(operation, step)
    await hub.runs()

    saga = await hub.saga(saga_id)
    assert saga.state is SagaState.COMPLETED
    assert len({call.key for call in hub.shop.calls_of(operation)}) == 1
    assert len((await hub.shop.shop.orders_of(phones=(ANNA,))).items) == 1
    assert await hub.stock() == 8


async def test_an_order_whose_answer_was_lost_is_found_again(hub: Shopping) -> None:
    """The shop is asked for the key before the order is made again."""
    await hub.confirm()
    hub.shop.script("create_order", LostAnswer())
    await hub.runs()

    assert len(hub.shop.calls_of("find_order")) == 1
    assert len(hub.shop.calls_of("create_order")) == 1


@pytest.mark.parametrize("operation", ["check", "reserve", "create_order", "accept_order"])
async def test_a_placement_that_fails_leaves_nothing_but_the_cart(hub: Shopping, operation: str) -> None:
    """No goods held, no order at work; the lines wait under a new name, and the customer hears of it once."""
    saga_id = await hub.confirm()
    before = await cart_of(hub)
    hub.shop.script(operation, Refused("closed"))
    await hub.runs()
    after = await cart_of(hub)

    saga = await hub.saga(saga_id)
    undone = [entry["step"] for entry in saga.log if entry["ev"] == Ev.UNDONE]
    started = list(dict.fromkeys(entry["step"] for entry in saga.log if entry["ev"] == Ev.START))
    assert saga.outcome == "compensated"
    assert undone == started[::-1]
    assert (after.items, after.saga_id != saga_id) == (before.items, True)
    assert await hub.stock() == 10
    assert all(o.status is OrderStatus.CANCELLED for o in (await hub.shop.shop.orders_of(phones=(ANNA,))).items)
    (told,) = await hub.said()
    assert (told.class_, told.content["number"]) == (Class.NOTICE, NUMBER)
    thread = await hub.see(lambda uow: uow.conversations.latest_of(ANNA))
    assert thread.state is State.CART_MANAGEMENT
    assert (await hub.noted(), list(await hub.sync.listed())) == ([], [])


async def test_an_order_in_doubt_is_cancelled_by_its_key(hub: Shopping) -> None:
    """Its number never came back: the key finds it, and nothing stays at work."""
    await hub.confirm()
    hub.shop.script("create_order", LostAnswer())
    hub.shop.script("find_order", Unavailable(), Unavailable())
    await hub.runs()

    (order,) = (await hub.shop.shop.orders_of(phones=(ANNA,))).items
    assert order.status is OrderStatus.CANCELLED
    assert await hub.stock() == 10


async def test_a_price_that_changed_meanwhile_is_not_charged(hub: Shopping) -> None:
    """The customer said yes to another total, so the customer is asked again."""
    saga_id = await hub.confirm()
    await put_on_shelf(hub.shop.shop, [attrs.evolve(MUG, price=Decimal("11.00"))])
    await hub.runner.work()

    assert (await hub.saga(saga_id)).context["failure"] == "total_changed"
    (told,) = await hub.said()
    assert "price" in str(told.content).lower() or "total" in str(told.content).lower()
    assert hub.shop.calls_of("reserve") == []


async def test_goods_that_are_gone_are_said_to_be_gone(hub: Shopping) -> None:
    """The reason is told in the customer's words."""
    saga_id = await hub.confirm()
    await hub.shop.shop.set_stock(sku="MUG", stock=1)
    await hub.runner.work()

    assert (await hub.saga(saga_id)).context["failure"] == "not_enough"
    assert len(await hub.said()) == 1


async def test_an_order_of_another_total_is_not_accepted(hub: Shopping, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shop that does not compare totals itself is compared with here."""
    saga_id = await hub.confirm()
    create = hub.shop.create_order

    async def dearer(**arguments: object) -> object:
        order = await create(**arguments)  # type: ignore[arg-type]  # passed through as it came
        return attrs.evolve(order, total=order.total + order.total)

    monkeypatch.setattr(hub.shop, "create_order", dearer)
    await hub.runs()

    assert (await hub.saga(saga_id)).context["failure"] == "total_differs"
    assert await hub.stock() == 10


async def test_what_is_not_shipped_needs_no_address(hub: Shopping) -> None:
    """A gift card arrives as a code; the profile learns no home from it."""
    saga_id = await hub.confirm("CARD", quantity=1, address=None)
    await hub.runner.work()

    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert "address" not in str(profile.preferences)


# --- what changed while it ran


async def test_a_cart_that_was_renamed_meanwhile_is_left_alone(hub: Shopping) -> None:
    """The order is about the cart it was confirmed for, not about the next one."""
    saga_id = await hub.confirm()
    hub.clock.advance(2)

    def rename(uow: UnitOfWork) -> None:
        cart = uow.carts.of(ANNA, lock=True)
        assert cart is not None
        uow.carts.save(cart.renewed(now=hub.clock.now(), keep_items=True))

    await hub.do(rename)
    before = await cart_of(hub)
    await hub.runner.work()

    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert await cart_of(hub) == before


@pytest.mark.parametrize("fails", [False, True])
async def test_a_conversation_that_is_gone_or_elsewhere_keeps_nobody_from_ending(hub: Shopping, *, fails: bool) -> None:
    """The customer may have walked on, and a thread may have been removed: the order ends all the same."""
    saga_id = await hub.confirm()

    def elsewhere(uow: UnitOfWork) -> None:
        saga = uow.sagas.get(saga_id, lock=True)
        cart = uow.carts.of(ANNA, lock=True)
        assert saga is not None
        assert cart is not None
        uow.carts.save(cart.renewed(now=hub.clock.now()))
        uow.sagas.save(attrs.evolve(saga, context={**saga.context, "conversation_id": 999}))

    await hub.do(elsewhere)
    if fails:
        hub.shop.script("reserve", Refused("closed"))
    await hub.runner.work()

    saga = await hub.saga(saga_id)
    assert (saga.state, saga.outcome) == ((SagaState.FAILED, "compensated") if fails else (SagaState.COMPLETED, None))
    assert await hub.said() == []


async def test_a_conversation_that_moved_on_keeps_its_state(hub: Shopping) -> None:
    """Only a conversation that still waits for the result is moved by it."""
    await hub.confirm()

    def moved(uow: UnitOfWork) -> None:
        thread = uow.conversations.latest_of(ANNA, lock=True)
        assert thread is not None
        uow.conversations.save(attrs.evolve(thread, state=State.BROWSING))

    await hub.do(moved)
    hub.shop.script("reserve", Refused("closed"))
    await hub.runner.work()

    assert (await hub.see(lambda uow: uow.conversations.latest_of(ANNA))).state is State.BROWSING


async def test_a_confirmation_that_was_written_already_is_not_written_again(hub: Shopping) -> None:
    """An order is confirmed once, however it came to be."""
    saga_id = await hub.confirm()
    with pytest.raises(FailpointError):
        await hub.worker("saga.done=raise@4").work()
    order_id = (await hub.saga(saga_id)).results["create_order"]["order_id"]
    await hub.orders.changed(order_id, action="x", by="test")
    notice = {"order_id": order_id, "notification_type": CONFIRMED, "customer_phone": ANNA}
    await hub.do(lambda uow: uow.notifications.add(_notice(hub, **notice)))
    hub.clock.advance(61)
    await hub.runner.work()

    assert len(await hub.noted()) == 1


def _notice(hub: Shopping, **facts: object) -> Notification:
    now = hub.clock.now()
    return Notification(created_at=now, updated_at=now, **facts)  # type: ignore[arg-type]  # three words and a number


# --- reminders that paid


async def test_a_reminded_cart_is_recovered_and_its_reminder_credited(hub: Shopping) -> None:
    """That is how the shop knows what reminding brings in."""
    await hub.confirm()
    await reminded(hub)
    await hub.runner.work()

    cart = await cart_of(hub)
    contact = await hub.see(lambda uow: uow.reengagements.newest_of(ANNA, CampaignType.CART_REMINDER))
    assert (cart.status, cart.recovered_revenue) == (CartStatus.RECOVERED, Decimal("23.90"))
    assert (contact.converted, contact.conversion_order_id) == (True, cart.recovered_order_id)


@pytest.mark.parametrize("how", [{"contacted": False}, {"other": True}, {"sent": False}])
async def test_a_contact_that_was_not_about_this_cart_or_never_left_is_not_credited(
    hub: Shopping, how: dict[str, bool]
) -> None:
    """Revenue is not counted for words that were never said, or were about another cart."""
    await hub.confirm()
    await reminded(hub, **how)
    await hub.runner.work()

    contact = await hub.see(lambda uow: uow.reengagements.newest_of(ANNA, CampaignType.CART_REMINDER))
    assert contact is None or not contact.converted
    assert not (await cart_of(hub)).recovered


# --- asking


async def test_an_order_is_shown_with_what_was_told_about_it(hub: Shopping) -> None:
    """A person on the telephone sees both."""
    saga_id = await hub.confirm()
    await hub.runner.work()
    order_id = (await hub.saga(saga_id)).results["create_order"]["order_id"]
    order, notices = await hub.orders.show(order_id)

    assert order.id == order_id
    assert [notice.notification_type for notice in notices] == [CONFIRMED]
    with pytest.raises(ShopNotFoundError):
        await hub.orders.show(order_id + 1)


async def test_an_order_that_is_cancelled_by_a_person_is_looked_at_and_written_down(hub: Shopping) -> None:
    """The customer hears of it by a notice, and the audit log says who did it and why."""
    order = await hub.order()
    cancelled = await hub.orders.cancel(order.id, reason="asked for", by="ana")

    assert cancelled.status is OrderStatus.CANCELLED
    assert [(row.entity_id, row.action.value) for row in await hub.sync.listed()] == [(order.id, "update")]
    assert await hub.audited() == [("ana", "order.cancel", f"order:{order.id}")]


async def test_an_order_that_has_left_is_not_cancelled(hub: Shopping) -> None:
    """And nothing is written down as if it were."""
    order = await hub.order()
    await hub.shop.shop.ship(order_id=order.id)
    with pytest.raises(ShopRefusedError):
        await hub.orders.cancel(order.id, reason="too late", by="ana")

    assert await hub.audited() == []

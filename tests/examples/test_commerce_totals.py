"""Example 36 of the page on commerce: a shop whose orders count otherwise than its quotes."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.examples.stage import A, Stage, stage
from wch.domain.conversation import State
from wch.domain.money import Money, money_from_json
from wch.domain.order import Order, OrderStatus
from wch.domain.saga import SagaState

CENT = Money(Decimal("0.01"), "USD")


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage(cards=True) as here:
        yield here


def counting_otherwise(shop: Stage, monkeypatch: pytest.MonkeyPatch, *, always: bool) -> list[Order]:
    """The shop's orders are a cent above its quotes, once or each time; the orders as they were answered."""
    create, made = shop.shop.create_order, list[Order]()

    async def dearer(**given: Any) -> Order:
        order = await create(**given)
        if always or given["draft"].differs is None:
            order = attrs.evolve(order, total=order.total + CENT)
        made.append(order)
        return order

    monkeypatch.setattr(shop.shop, "create_order", dearer)
    return made


async def to_the_tap(shop: Stage) -> str:
    """As far as the confirm button, paying by card; what the review says."""
    await shop.to_review()
    return (await shop.press("payment_stripe"))[-1]


async def saga_of(shop: Stage, place: int) -> Any:
    """The placements in their order."""
    found = await shop.see(lambda uow: uow.sagas.listed(saga_type="OrderPlacement"))
    return sorted(found, key=lambda one: one.created_at)[place]


async def test_example_36_the_review_returns_with_the_shops_figure(
    shop: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once confirmed: shown, in the shop, asked for and captured are one figure."""
    made = counting_otherwise(shop, monkeypatch, always=False)
    review = await to_the_tap(shop)
    said = await shop.press("confirm_order")
    undone = await saga_of(shop, 0)
    first = await shop.shop.order(order_id=made[0].id)
    calls_before = list(shop.gateway.calls)
    thread = await shop.thread()
    shown = money_from_json(undone.context["money"]["due"]) + CENT

    assert str(shown.amount) not in review
    assert str(shown.amount) in said[-1]
    assert "0.01" in said[-1]
    assert (first.status, calls_before) == (OrderStatus.CANCELLED, [])
    assert (undone.context["failure"], undone.outcome) == ("total_differs", "compensated")
    assert thread.state is State.CHECKOUT_REVIEW

    shop.clock.advance(5)
    await shop.press("confirm_order")
    shop.gateway.pay()
    await shop.later(minutes=1)
    placed = await saga_of(shop, 1)
    order = await shop.shop.order(order_id=made[1].id)
    totals = {
        shown,
        order.total,
        shop.gateway.payment().amount,
        money_from_json(placed.context["money"]["captured"][0]["amount"]),
    }

    assert totals == {shown}
    assert placed.context["quote"]["rounding"] == {"amount": "0.01", "currency": "USD"}
    assert placed.state is SagaState.COMPLETED
    assert (await shop.hub.verification.run())["ok"]


async def test_example_36_the_review_may_be_asked_for_again(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the customer sees then names the difference, and its button orders the same as the one that was sent."""
    counting_otherwise(shop, monkeypatch, always=False)
    await to_the_tap(shop)
    await shop.press("confirm_order")
    (sent,) = [one for one in shop.ids() if one.startswith("confirm_order")]
    shop.clock.advance(5)
    await shop.press("change_order")
    await shop.press("edit_payment")
    again = await shop.press("payment_stripe")
    (shown,) = [one for one in shop.ids() if one.startswith("confirm_order")]

    assert shown == sent
    assert "0.01" in again[-1]


async def test_example_36_a_second_difference_is_a_persons(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order waits, the customer is told, and nobody was asked for money."""
    counting_otherwise(shop, monkeypatch, always=True)
    await to_the_tap(shop)
    await shop.press("confirm_order")
    shop.clock.advance(5)
    await shop.press("confirm_order")
    parked = await saga_of(shop, 1)
    thread = await shop.thread()

    assert (parked.outcome, parked.context["reason"]) == ("parked", "total_differs_again")
    assert parked.context["actions"] == ["retry-step", "compensate"]
    assert thread.state is State.AWAITING_HUMAN
    assert thread.handoff["reason"] == "total_differs_again"
    assert shop.gateway.calls == []
    assert [reason for _, reason in await shop.letters()] == ["total_differs_again"]

    await shop.hub.sagas.act(parked.saga_id, "compensate", by="ana", reason="the shop is mended")
    await shop.later(minutes=1)
    over = await saga_of(shop, 1)

    assert over.outcome == "compensated"
    assert await shop.cart() is not None


async def test_a_price_that_changed_in_between_is_no_rounding(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shop's quote moved with its order, so the customer sees new prices, not a difference."""
    create = shop.shop.create_order

    async def dearer_by_now(**given: Any) -> Order:
        monkeypatch.setattr(shop.shop, "create_order", create)
        order = await create(**given)
        quote = shop.shop.quote

        async def raised(**asked: Any) -> Any:
            return (await quote(**asked)).differing(CENT)

        monkeypatch.setattr(shop.shop, "quote", raised)
        return attrs.evolve(order, total=order.total + CENT)

    monkeypatch.setattr(shop.shop, "create_order", dearer_by_now)
    await to_the_tap(shop)
    await shop.press("confirm_order")
    saga = await saga_of(shop, 0)

    assert saga.context["failure"] == "total_changed"
    assert (await shop.thread(A)).state is State.CART_MANAGEMENT

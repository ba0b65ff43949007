"""Examples of the page on commerce that are about money, by their numbers."""

import hashlib
import hmac
import itertools
import json
import logging
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.application.shopping import ANNA, Shopping, shopping
from tests.application.tills import till
from tests.examples.stage import B, Stage, stage
from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.stripe import Stripe
from wch.application.sagas import signal
from wch.domain.conversation import ConversationStatus
from wch.domain.errors import ConflictError
from wch.domain.ledger import Ledger
from wch.domain.moment import unix
from wch.domain.order import OrderStatus
from wch.domain.saga import SagaState
from wch.testing.scripted_shop import Goods, Refused

SIGNED_WITH = "whsec_ours"


def stripe(posted: list[httpx2.Request]) -> Stripe:
    """The real adapter before a provider that takes nothing."""

    def refuse(request: httpx2.Request) -> httpx2.Response:
        posted.append(request)
        return httpx2.Response(500)

    http = httpx2.AsyncClient(transport=httpx2.MockTransport(refuse))
    return Stripe(api=GatewayApi(http=http, root="https://stripe.example"), secrets=(SIGNED_WITH,))


@pytest.mark.parametrize(("price", "both"), [("1.235", False), ("1.230", True)])
async def test_example_02_a_thousandth_that_no_card_can_pay(price: str, *, both: bool) -> None:
    """Stripe charges dinars in hundredths only; the row's figure is for reports, the goods keep theirs."""
    sweet = Goods(sku="SWEET", name="Sweet", price=Decimal(price), stock=9)
    async with stage(goods=[sweet], online=stripe([]), currency="KWD") as shop:
        await shop.says("add 1 sweet to cart")
        cart = await shop.cart()
        await shop.says("checkout")
        await shop.says("221B Baker Street, London NW1 6XE, UK")
        await shop.press("use_address")
        offered = [one for one in shop.ids() if one.startswith("payment_")]
        shown = shop.whatsapp.texts[-1]

    assert (str(cart.total), str(cart.items[0].price_at_add)) == ("1.24" if not both else "1.23", price)
    assert offered == (["payment_cod", "payment_stripe"] if both else [])
    assert both or "ash" in shown


async def waiting(hub: Shopping) -> str:
    saga_id = await hub.confirm(online=True)
    await hub.runner.work()
    return saga_id


@pytest.mark.parametrize("how", ["other_method", "deadline"])
async def test_example_32_the_next_try_is_another_order(how: str) -> None:
    """What was undone stays so; the second order is the only one that lives, and one capture is all."""
    hub = await shopping()
    first = await waiting(hub)
    if how == "other_method":
        await hub.do(lambda uow: signal(uow, first, how, {}, now=hub.clock.now()))
    await hub.runs()
    kept = await hub.see(lambda uow: uow.carts.of(ANNA))
    second = await waiting(hub)
    opened = next(one for one in hub.gateway.book.values() if one.status.value == "open")
    hub.gateway.pay(reference=opened.reference)
    await hub.runs()

    orders = (await hub.shop.shop.orders_of(phones=(ANNA,))).items
    assert [line.quantity for line in kept.items] == [2]
    assert second != first
    assert sorted(one.status.value for one in orders) == ["cancelled", "processing"]
    assert len(hub.gateway.captured) == 1
    assert await hub.stock() == 8
    assert (await hub.saga(second)).state is SagaState.COMPLETED


async def test_example_35_the_shop_refuses_what_is_paid() -> None:
    hub = await shopping()
    saga_id = await waiting(hub)
    hub.gateway.pay()
    hub.shop.script("mark_paid", *[Refused("closed")] * 6)
    hub.clock.advance(60)
    await hub.runs(hours=5)

    (listed,) = await hub.desk.listed(needs_operator=True)
    (letter,) = await hub.letters()
    assert (listed.saga_id, listed.context["reason"]) == (saga_id, "shop_refused_after_payment")
    assert "resume" in listed.context["actions"]
    assert (letter.hook, letter.reason) == ("saga", "shop_refused_after_payment")
    with pytest.raises(ConflictError):
        await hub.desk.act(saga_id, "compensate", by="ana")
    await hub.desk.act(saga_id, "resume", by="ana", reason="the shop is mended")
    await hub.runner.work()

    (order,) = (await hub.shop.shop.orders_of(phones=(ANNA,))).items
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert order.status is OrderStatus.PROCESSING
    assert ("ana", "saga.resume", f"saga:{saga_id}") in await hub.audited()
    assert await hub.desk.listed(needs_operator=True) == []


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))), ids=lambda one: "".join(map(str, one)))
async def test_example_41_razorpays_four_events_in_any_order(order: tuple[int, ...]) -> None:
    """Each twice: one capture, the order paid once."""
    here = await till("razorpay")
    await here.confirms()
    await here.work()
    await here.acts("pay")
    events = {json.loads(one.content)["event"]: one for one in here.posted}
    assert set(events) == {"payment.authorized", "payment.captured", "order.paid", "payment_link.paid"}
    requests = list(events.values())
    for place in order:
        for _ in range(2):
            await here.brings(requests[place])
            await here.work()

    (saga,) = await here.sagas()
    assert saga.state is SagaState.COMPLETED
    assert len(Ledger.of(saga.context).captured) == 1
    assert len({call.key for call in here.hub.shop.calls_of("mark_paid")}) == 1
    await here.is_right()
    await here.hub.shop.aclose()


async def test_example_44_the_account_of_a_web_shop() -> None:
    """A thousand sales of the web shop leave nothing here; one of our form that nobody knows is a letter."""
    posted: list[httpx2.Request] = []
    async with stage(online=stripe(posted)) as shop:

        async def event(number: int, reference: str) -> int:
            session = {"id": f"cs_{number}", "object": "checkout.session", "client_reference_id": reference}
            told = {"id": f"evt_{number}", "object": "event", "type": "checkout.session.completed"}
            body = json.dumps({**told, "data": {"object": {**session, "payment_status": "paid"}}}).encode()
            stamp = unix(shop.clock.now())
            digest = hmac.new(SIGNED_WITH.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
            headers = {"Stripe-Signature": f"t={stamp},v1={digest}"}
            answered = await shop.http.post("/webhooks/payments/stripe", content=body, headers=headers)
            return answered.status_code

        before = await shop.all_rows()
        statuses = {await event(number, f"order-{number}") for number in range(1000)}
        after = await shop.all_rows()
        ours = await event(1000, "wch-zz-t4fnr6")
        letters = await shop.letters()

    assert (statuses, ours) == ({200}, 200)
    assert after == before
    assert letters == [("payment", "payment_unmatched")]
    assert posted == []


async def bought(shop: Stage) -> Any:
    """Paid by card, and at work in the shop."""
    return await shop.shop.shop.order(order_id=await shop.bought_by_card())


async def test_example_50_a_number_of_somebody_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with stage(cards=True) as shop:
        order = await bought(shop)
        caplog.clear()
        theirs = await shop.says(f"#{order.number}", sender=B)
        nobodys = await shop.says("#987654", sender=B)

    assert [words.replace(order.number, "987654") for words in theirs] == nobodys
    said = "\n".join((*theirs, caplog.text))
    assert not [word for word in ("Lamp", "Baker", "Sheena", "16505551234", "24.90") if word in said]


async def test_example_51_cancelled_ten_minutes_after_paying() -> None:
    async with stage(cards=True) as shop:
        order = await bought(shop)
        await shop.later(minutes=8)
        await shop.says("cancel my order")
        answers = await shop.press("cancel_order_yes")
        await shop.later(minutes=1)
        after = await shop.shop.shop.order(order_id=order.id)

    (payment,) = shop.gateway.captured
    assert after.status in {OrderStatus.CANCELLED, OrderStatus.REFUNDED}
    assert list(payment.refunds.values()) == [order.total]
    assert len(answers) == 1
    assert f"{order.total.amount:f}" in answers[0]


async def test_example_51_half_an_hour_later_a_person_is_called() -> None:
    async with stage(cards=True) as shop:
        order = await bought(shop)
        await shop.later(minutes=31)
        await shop.says("cancel my order")
        thread = await shop.thread()
        after = await shop.shop.shop.order(order_id=order.id)

    (payment,) = shop.gateway.captured
    assert thread.status is ConversationStatus.ESCALATED
    assert (payment.refunds, after.status) == ({}, OrderStatus.PROCESSING)


async def test_example_25_nothing_to_ship() -> None:
    """No address is asked for, no delivery; the order is placed and paid."""
    async with stage(cards=True) as shop:
        said = await shop.says("add lamp book to cart")
        said += await shop.says("checkout")
        shown = list(shop.ids())
        if any(one.startswith("payment_") for one in shown):
            said += await shop.press("payment_stripe")
        said += await shop.press("confirm_order")
        shop.gateway.pay()
        await shop.later(minutes=2)
        (placed,) = await shop.hub.orders.placements()
        order = await shop.shop.shop.order(order_id=int(placed.results["create_order"]["order_id"]))
        calls = shop.shop.calls_of("shipping_methods")

    assert "address" not in " ".join(said).lower()
    assert calls == []
    assert (placed.state, order.status, placed.context["address"]) == (
        SagaState.COMPLETED, OrderStatus.PROCESSING, None,
    )  # fmt: skip


async def test_example_45_a_locked_store_hears_the_event_again(tmp_path: Path) -> None:
    """503 and when to come back, never 200; sent again it is paid once."""
    file = tmp_path / "hub.db"
    async with stage(cards=True, install=True, WCH_DATABASE_URL=f"sqlite+aiosqlite:///{file}") as shop:
        await shop.to_review()
        await shop.press("payment_stripe")
        await shop.press("confirm_order")
        reference = shop.gateway.payment().reference
        shop.gateway.pay()
        door = f"/webhooks/payments/stripe?key=event&ref={reference}"

        async def posted() -> httpx2.Response:
            return await shop.http.post(door, content=b"{}", headers={"Signature": "good"})

        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        locked = await posted()
        holder.execute("ROLLBACK")
        holder.close()
        again = [(await posted()).status_code for _ in range(2)]
        await shop.work()
        (placed,) = await shop.hub.orders.placements()

    assert (locked.status_code, locked.headers["retry-after"]) == (503, "30")
    assert again == [200, 200]
    assert placed.state is SagaState.COMPLETED
    assert len(Ledger.of(placed.context).captured) == 1
    assert len({call.key for call in shop.shop.calls_of("mark_paid")}) == 1

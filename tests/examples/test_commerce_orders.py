"""Examples of the page on commerce that are about orders and their money, by their numbers: 27 and 49."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import wch
from tests.application.dialogue.chat import GOODS
from tests.application.shopping import HOME, MUG, Shopping, shopping
from tests.application.shops import woo
from tests.entrypoints.http.consoles import Shop
from tests.entrypoints.http.doubles import web
from tests.examples.stage import ENVIRONMENT, Stage, stage
from wch import Settings, open_hub
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.domain.ledger import Ledger, RefundRefusalError, RefundWord
from wch.domain.money import Money
from wch.domain.operator import Role
from wch.domain.quote import Line
from wch.domain.sync import EntityType, SyncAction
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds
from wch.testing.scripted_gateway import ScriptedGateway
from wch.testing.scripted_shop import ScriptedShop


async def test_example_27_two_taps_and_two_workers(tmp_path: Path) -> None:
    settings, _, _ = Settings.load(
        {**ENVIRONMENT, "WCH_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}"}, {}, None
    )
    clock, ids, whatsapp = FrozenClock(), SequentialIds(), RecordingWhatsApp()
    goods = await ScriptedShop.selling(GOODS, clock=clock, currency="USD", country="US")
    gateway = ScriptedGateway(clock=clock)
    around = {
        "clock": clock,
        "ids": ids,
        "whatsapp": whatsapp,
        "shop": goods,
        "payments": SwitchedOnPayments((CashOnDelivery(), gateway)),
    }
    async with (
        open_hub(settings, install=True, **around) as first,  # type: ignore[arg-type]  # by name
        open_hub(settings, **around) as second,  # type: ignore[arg-type]  # by name
        web(wch.asgi(first)) as http,
    ):
        shop = Stage(hub=first, clock=clock, whatsapp=whatsapp, shop=goods, gateway=gateway, http=http)
        await shop.to_review()
        await shop.press("payment_stripe")
        button = next(one for one in shop.ids() if one.startswith("confirm_order:"))
        tapped = {"type": "button_reply", "button_reply": {"id": button, "title": "-"}}
        before = len(whatsapp.sent)

        async def tap_and_work(hub: wch.Hub) -> None:
            assert await shop.post({"messages": [shop.message(type="interactive", interactive=tapped)]}) == 200
            await hub.worker.drain()

        await asyncio.gather(tap_and_work(first), tap_and_work(second))
        await asyncio.gather(first.worker.drain(), second.worker.drain())
        sagas = await shop.see(lambda uow: uow.sagas.listed())
        said = whatsapp.texts[before:]
        again = await shop.taps(button)

    (saga,) = sagas
    number = saga.results["create_order"]["number"]
    assert len(gateway.book) == 1
    assert [call for call, _ in gateway.calls].count("open") == 1
    assert len({call.key for call in goods.calls_of("create_order")}) == 1
    assert sum(number in words for words in said) == 1
    assert number in again[-1] or "being placed" in again[-1]


@pytest.mark.parametrize("where", ["built in", "WooCommerce"])
@pytest.mark.parametrize("deed", ["refund", "cancel"])
async def test_example_49_staff_move_money_in_the_shop(where: str, deed: str) -> None:
    clock = FrozenClock()
    made = woo([MUG], clock=clock) if where == "WooCommerce" else None
    hub = await shopping(clock=clock, sells=None if made is None else made.noted)
    lines = (Line(product_id=await hub.product_id(), quantity=2),)
    methods = await hub.shop.shop.shipping_methods(lines=lines, address=HOME)
    saga_id = await hub.confirm(online=True, shipping=methods[0].id)
    await hub.runner.work()
    hub.gateway.pay()
    await hub.runs()
    order_id = int((await hub.saga(saga_id)).results["create_order"]["order_id"])
    for _ in range(2):
        await hub.sync.work()
        clock.advance(10)
    calls = list(hub.gateway.calls)

    if deed == "refund":
        five = Money.from_minor(500, "EUR")
        await hub.shop.shop.record_refund(order_id=order_id, key="staff", amount=five, reason="by staff")
    else:
        await hub.shop.shop.cancel_order(order_id=order_id, reason="by staff")
    for _ in range(3):
        await hub.do(lambda uow: uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=clock.now()))
        clock.advance(10)
        await hub.sync.work()
    await hub.runs()

    word = "refunded_in_shop" if deed == "refund" else "cancelled_in_shop"
    alarms = [about for actor, action, about in await hub.audited() if action == f"alarm.{word}"]
    assert alarms == [f"order:{order_id}"]
    assert hub.gateway.calls == calls
    assert hub.gateway.payment().refunds == {}
    if made is not None:
        await made.aclose()


async def test_example_49_our_own_refund_is_no_news() -> None:
    """What went back over the hub is in the ledger already."""
    hub = await shopping()
    saga_id = await hub.confirm(online=True)
    await hub.runner.work()
    hub.gateway.pay()
    await hub.runs()
    order_id = int((await hub.saga(saga_id)).results["create_order"]["order_id"])
    await hub.refunds.order(order_id, amount=Money.from_minor(500, "EUR"), reason="broken", key="1", by="ana")
    await hub.runs()
    for _ in range(3):
        hub.clock.advance(10)
        await hub.sync.work()

    assert [action for _, action, _ in await hub.audited() if action.startswith("alarm.")] == []


async def seen(hub: Shopping, order_id: int, *, times: int = 1) -> None:
    """The order is read again, and all that follows happens."""
    for _ in range(times):
        await hub.do(lambda uow: uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=hub.clock.now()))
        hub.clock.advance(10)
        await hub.sync.work()
    await hub.runs()


async def paid_order(hub: Shopping) -> tuple[str, int]:
    saga_id = await hub.confirm(online=True)
    await hub.runner.work()
    hub.gateway.pay()
    await hub.runs()
    order_id = int((await hub.saga(saga_id)).results["create_order"]["order_id"])
    await seen(hub, order_id)
    return saga_id, order_id


async def test_example_49_the_money_follows_what_staff_booked() -> None:
    """Through the gateway, once; the shop's books stay as staff left them, and the customer hears when it is true."""
    hub = await shopping()
    saga_id, order_id = await paid_order(hub)
    five = Money.from_minor(500, "EUR")
    for key in ("staff", "staff-2"):
        await hub.shop.shop.record_refund(order_id=order_id, key=key, amount=five, reason="by staff")
        await seen(hub, order_id, times=2)
    told_before = [one.notification_type for one in await hub.noted()]
    booked = await hub.refunds.booked(order_id)

    for _ in range(2):
        await hub.refunds.order(order_id, booked_in_shop=True, reason="broken", key="1", by="ana")
    await hub.runs()
    await seen(hub, order_id, times=2)
    with pytest.raises(RefundRefusalError) as refused:
        await hub.refunds.order(order_id, booked_in_shop=True, reason="broken", key="2", by="ana")

    order = await hub.shop.shop.order(order_id=order_id)
    ten = five + five
    assert told_before == ["order_confirmed"]
    assert booked == ten
    assert list(hub.gateway.payment().refunds.values()) == [ten]
    assert order.refunded == ten
    assert refused.value.code == "not_booked"
    assert [one.notification_type for one in await hub.noted()] == ["order_confirmed", "refunded", "refunded_2"]
    assert [one for one in await hub.audited() if one[1] == "order.refund"] == [
        ("ana", "order.refund", f"order:{order_id}")
    ]
    ledger = Ledger.of((await hub.saga(saga_id)).context)
    assert [(one.amount, one.state, one.elsewhere) for one in ledger.refunds] == [(ten, RefundWord.DONE, False)]
    assert [action for _, action, _ in await hub.audited()].count("alarm.refunded_in_shop") == 2


@pytest.mark.parametrize("deed", ["refund", "cancel"])
async def test_example_49_staff_gave_the_money_back_themselves(deed: str) -> None:
    """Nothing moves, then or later; one line says who said so, and the second who says it is refused."""
    hub = await shopping()
    saga_id, order_id = await paid_order(hub)
    five = Money.from_minor(500, "EUR")
    if deed == "refund":
        await hub.shop.shop.record_refund(order_id=order_id, key="staff", amount=five, reason="by staff")
    else:
        await hub.shop.shop.cancel_order(order_id=order_id, reason="by staff")
    await seen(hub, order_id, times=2)
    calls = list(hub.gateway.calls)

    await hub.refunds.settle(order_id, reason="in the store", by="ana")
    with pytest.raises(RefundRefusalError) as refused:
        await hub.refunds.settle(order_id, reason="in the store", by="ben")
    await seen(hub, order_id, times=2)

    ledger = Ledger.of((await hub.saga(saga_id)).context)
    payment = hub.gateway.payment()
    gone = five if deed == "refund" else payment.amount
    assert refused.value.code == "nothing_to_settle"
    assert hub.gateway.calls == calls
    assert ledger.left(payment.id) == payment.amount - gone
    told = {"refund": "refunded", "cancel": "status_cancelled"}[deed]
    assert [one.notification_type for one in await hub.noted()] == ["order_confirmed", told]
    assert [one for one in await hub.audited() if one[1] == "order.settle"] == [
        ("ana", "order.settle", f"order:{order_id}")
    ]


async def test_example_49_what_was_settled_is_not_taken_for_the_gateways() -> None:
    """A later refund whose answer was lost is compared with what the gateway gave back, not with what staff did."""
    hub = await shopping()
    saga_id, order_id = await paid_order(hub)
    five = Money.from_minor(500, "EUR")
    await hub.shop.shop.record_refund(order_id=order_id, key="staff", amount=five, reason="by staff")
    await seen(hub, order_id)
    await hub.refunds.settle(order_id, reason="in the store", by="ana")
    await hub.refunds.order(order_id, amount=five, reason="broken", key="1", by="ana")
    await hub.runs()

    ledger = Ledger.of((await hub.saga(saga_id)).context)
    assert ledger.back_with(2) == five
    assert [one.at is not None for one in ledger.refunds] == [True, True]
    assert list(hub.gateway.payment().refunds.values()) == [five]


@pytest.mark.parametrize("wish", [{"amount": Money.from_minor(100, "EUR")}, {"restock": True}], ids=["part", "goods"])
async def test_example_49_what_is_booked_goes_back_as_it_is_booked(wish: dict[str, Any]) -> None:
    hub = await shopping()
    _, order_id = await paid_order(hub)
    with pytest.raises(RefundRefusalError) as refused:
        await hub.refunds.order(order_id, booked_in_shop=True, reason="x", key="1", by="ana", **wish)

    assert refused.value.code == "as_booked"
    assert await hub.refunds.booked(order_id) is None


async def test_example_49_over_the_api_and_in_the_console() -> None:
    """The order's page shows both choices while something waits, and neither afterwards."""
    async with stage(cards=True) as shop:
        order_id = await shop.bought_by_card()
        one = Money.from_minor(100, "USD")

        async def staff_refund(key: str) -> None:
            await shop.shop.shop.record_refund(order_id=order_id, key=key, amount=one, reason="by staff")
            await shop.do(
                lambda uow: uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=shop.clock.now())
            )
            await shop.later(minutes=1)

        key = (await shop.hub.keys.create(("orders",), by="test")).text
        headers = {"Authorization": f"Bearer {key}"}
        town = Shop(hub=shop.hub, clock=shop.clock, whatsapp=shop.whatsapp, app=wch.asgi(shop.hub))
        browser = await town.signed_in("oleg", Role.OPERATOR)
        page = f"/orders/{order_id}"
        orders = f"/api/v1{page}"

        await staff_refund("1")
        back = await shop.http.post(f"{orders}/refunds", json={"reason": "x", "booked_in_shop": True}, headers=headers)
        await shop.work()
        await staff_refund("2")
        settled = [await shop.http.post(f"{orders}/settle", json={"reason": "x"}, headers=headers) for _ in range(2)]
        await staff_refund("3")
        shown = await browser.text(page)
        pressed = await browser.post(f"{page}/refund", page=page, booked="yes", reason="x", key="press")
        await shop.work()
        await staff_refund("4")
        way = await browser.post(f"{page}/settle", page=page, reason="x")
        after = await browser.text(page)
        order = await shop.shop.shop.order(order_id=order_id)
        await browser.web.aclose()

    assert back.status_code == 202
    assert [answered.status_code for answered in settled] == [200, 422]
    assert settled[1].json()["code"] == "nothing_to_settle"
    assert "Give back 1.00 USD, as booked in the shop" in shown
    assert "It went back another way already" in shown
    assert (pressed.status_code, way.status_code) == (303, 303)
    assert "as booked in the shop" not in after
    assert "another way already" not in after
    assert list(shop.gateway.payment().refunds.values()) == [one, one]
    assert order.refunded == Money.from_minor(400, "USD")

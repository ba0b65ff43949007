"""The examples of the page on growth that are about reminders, notices and views, by their numbers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.noticed import TEN as NOTICED_AT
from tests.application.noticed import noticed, parcel
from tests.application.outreaching import HOUR, TEN, shopping
from tests.examples.stage import Stage, stage
from wch.application.failpoints import Failpoints
from wch.domain.cart import Slot
from wch.domain.message import MessageStatus
from wch.domain.order import OrderStatus
from wch.settings.choices import CARRIERS
from wch.testing import NOON


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage() as opened:
        yield opened


# --- reminders


async def test_example_17_due_at_night_and_workers_that_were_down() -> None:
    shop = await shopping()
    shop.hub.clock.set(TEN.replace(hour=19, minute=30))
    await shop.fill()
    await shop.until(TEN + timedelta(days=2), step=timedelta(minutes=15))
    next_day = TEN.replace(day=3)
    assert await shop.sent() == [
        (next_day.replace(hour=7), "abandoned_cart_reminder_1"),
        (next_day.replace(hour=11), "abandoned_cart_reminder_2"),
        (next_day.replace(hour=20, minute=30), "abandoned_cart_reminder_3"),
    ]

    shop = await shopping()
    await shop.fill()
    await shop.until(TEN.replace(hour=11, minute=30), step=timedelta(minutes=15))
    shop.hub.clock.set(next_day.replace(hour=1, minute=30))
    await shop.until(TEN + timedelta(days=4), step=timedelta(minutes=15))
    assert await shop.sent() == [(next_day.replace(hour=11), "abandoned_cart_reminder_1")]
    cart = await shop.cart()
    assert [getattr(cart, slot) is not None for slot in Slot] == [True, False, False]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("orders", "policy:subject"),
        ("changes the cart", "policy:subject"),
        ("writes", "policy:subject"),
        ("says STOP", "policy:consent"),
    ],
)
async def test_example_18_between_slot_and_send(what: str, error: str) -> None:
    shop = await shopping()
    await shop.fill()
    await shop.until(TEN + 2 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    assert await shop.reminders.work() == 1
    assert (await shop.contact()).sent_at == TEN + 2 * HOUR
    now = shop.hub.clock.now() + timedelta(seconds=1)
    shop.hub.clock.advance(1)
    if what == "orders":
        await shop.orders(7, products=(999,))
    elif what == "changes the cart":
        await shop.fill(quantity=1)
    elif what == "writes":
        await shop.change(lambda one: attrs.evolve(one, last_interaction_at=now))
    else:
        await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=now))

    await shop.hub.outbox.work()

    row, cart = await shop.latest(), await shop.cart()
    assert (row.status, row.error_message) == (MessageStatus.FAILED, error)
    assert shop.hub.whatsapp.sent == []
    assert [getattr(cart, slot) is not None for slot in Slot] == [True, False, False]
    assert (await shop.contact()).sent_at is None
    told = await shop.reminders.report(since=TEN)
    assert (told.carts, told.reminded, told.reminders, told.recovered) == (1, 0, (0, 0, 0), 0)


async def test_example_16_killed_before_the_commit_and_after_it() -> None:
    for point in ("slot.taken=raise@1", None):
        shop = await shopping()
        await shop.fill()
        await shop.until(TEN + HOUR)
        shop.hub.clock.set(TEN + 2 * HOUR)
        patient = shop.reminders
        if point:
            shop.reminders = attrs.evolve(patient, failpoints=Failpoints.read(point, testing=True))
        await shop.reminders.work()
        taken = (await shop.cart()).reminder_1_sent_at
        assert taken == (None if point else TEN + 2 * HOUR)
        shop.reminders = patient

        await shop.until(TEN + 3 * HOUR, step=timedelta(minutes=5))

        assert [name for _, name in await shop.sent()] == ["abandoned_cart_reminder_1"]


# --- notices


async def test_example_21_an_order_is_confirmed_after_half_a_minute(shop: Stage) -> None:
    await shop.to_review()
    await shop.press("confirm_order")
    (notice,) = await shop.hub.notifications.listed(limit=10)
    assert (notice.notification_type, notice.status) == ("order_confirmed", "pending")
    before = len(shop.whatsapp.sent)

    await shop.later(seconds=29)
    assert len(shop.whatsapp.sent) == before
    await shop.later(seconds=1)

    assert len(shop.whatsapp.sent) == before + 1
    (notice,) = await shop.hub.notifications.listed(limit=10)
    assert (notice.status, notice.retry_count) == ("sent", 0)


async def test_example_22_the_carriers_that_come_with_the_product() -> None:
    shop = await noticed(carriers=CARRIERS)

    def told(message: Any) -> list[str]:
        return [one["text"] for one in message["template"]["components"][0]["parameters"]]

    for parcels in ([parcel("JD 01/4")], [parcel("JD 01/4"), parcel("7", carrier="Donkey")]):
        await shop.changed(tracking=tuple(parcels), status=OrderStatus.SHIPPED)
        await shop.run(minutes=1)
        await shop.changed(tracking=tuple(parcels))
        await shop.run(minutes=1)

    first, second = shop.posted()
    assert (first["template"]["name"], second["template"]["name"]) == ("shipping_update", "shipping_update_plain")
    assert told(first) == ["1042", "DHL", "JD 01/4", "https://www.dhl.com/en/express/tracking.html?AWB=JD%2001%2F4"]
    assert told(second) == ["1042", "Donkey", "7"]
    assert await shop.words() == {"shipped": "sent", "shipped_2": "sent"}


async def test_example_23_a_parcel_at_night() -> None:
    shop = await noticed()
    shop.hub.clock.set(NOTICED_AT.replace(hour=22))
    await shop.changed(tracking=(parcel(),))
    await shop.run(minutes=1)
    assert await shop.words() == {"shipped": "pending"}
    await shop.at(NOTICED_AT.replace(day=3, hour=7) - timedelta(seconds=1))
    assert shop.posted() == []
    await shop.at(NOTICED_AT.replace(day=3, hour=7))
    assert await shop.words() == {"shipped": "sent"}


# --- views


async def test_example_28_a_page_that_is_opened_again_and_again(shop: Stage) -> None:
    product = await shop.id_of("Umbrella")
    for minutes in (0, 15, 30, 45, 59, 61):
        shop.clock.set(NOON + timedelta(minutes=minutes))
        assert await shop.taps(f"product_{product}")

    views = await shop.hub.views.listed(product_id=product)
    assert [one.viewed_at for one in reversed(views)] == [NOON, NOON + timedelta(minutes=61)]

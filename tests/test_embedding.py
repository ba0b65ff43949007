"""What a host gets to test with: a hub in memory, and WhatsApp around it."""

import json
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pytest

from wch import CartAbandoned, Hub, MessageReceived, OrderPlaced, Settings
from wch.adapters.sandbox.deliveries import signature
from wch.application.ports import UnitOfWork
from wch.domain.errors import WchError
from wch.domain.message import Message, MessageStatus
from wch.testing import NOON, FrozenClock, Goods, RecordingWhatsApp, SandboxWhatsApp, ScriptedShop, memory_hub, words

MARIA = "34600111222"
EUROPE = Settings(currency="EUR", country="ES")


async def thread(hub: Hub) -> Sequence[Message]:
    """All that Maria and the shop said, the newest first."""

    def look(uow: UnitOfWork) -> Sequence[Message]:
        latest = uow.conversations.latest_of(MARIA)
        return () if latest is None else uow.messages.thread(latest.id)

    return await hub.database.read(look)


async def test_a_whole_sale_in_a_few_lines() -> None:
    """From the greeting to the placed order, of which the host's observer hears."""
    facts: list[object] = []
    whatsapp, clock = SandboxWhatsApp(), FrozenClock()
    async with memory_hub(EUROPE, clock=clock, whatsapp=whatsapp, observers=[facts.append]) as hub:
        assert await whatsapp.say(MARIA, "hi")
        await whatsapp.say(MARIA, "add 1 canvas bag to cart")
        await whatsapp.say(MARIA, "checkout")
        await whatsapp.say(MARIA, "Maria Garcia, Calle Mayor 12, Madrid 28013, ES")
        await whatsapp.tap(MARIA, "Use this address")
        review = await whatsapp.tap(MARIA, "Pick up in the shop")
        await whatsapp.tap(MARIA, "Confirm order")
        clock.advance(timedelta(seconds=30))
        await whatsapp.settle()

        (placed,) = [fact for fact in facts if isinstance(fact, OrderPlaced)]
        assert "15.00" in review[-1]
        assert str(placed.order_id) in words(whatsapp.heard(MARIA)[-1])
        assert placed.total.amount == Decimal("15.00")
        assert sum(isinstance(fact, MessageReceived) for fact in facts) == 7
        assert (await hub.verification.run())["ok"]


async def test_two_runs_are_alike() -> None:
    """Ids and time come from stand-ins, so what is kept is the same to the letter."""

    async def run() -> list[object]:
        whatsapp = SandboxWhatsApp()
        async with memory_hub(EUROPE, whatsapp=whatsapp) as hub:
            await whatsapp.say(MARIA, "hi")
            await whatsapp.say(MARIA, "canvas bag")
            rows = await thread(hub)
            return [*rows, *whatsapp.world.graph_log()]

    assert await run() == await run()


async def test_statuses_come_back_and_a_delivery_brought_twice_is_answered_once() -> None:
    whatsapp = SandboxWhatsApp()
    async with memory_hub(whatsapp=whatsapp) as hub:
        whatsapp.world.faults.order("duplicate")
        answers = await whatsapp.say(MARIA, "hi")
        rows = await thread(hub)

    assert len(answers) == 1
    assert [row.status for row in rows] == [MessageStatus.DELIVERED, MessageStatus.PROCESSED]


async def test_whatsapp_refuses_what_it_would_refuse() -> None:
    """Outside the window a text is not taken, and the customer's phone stays silent."""
    whatsapp, clock = SandboxWhatsApp(), FrozenClock()
    async with memory_hub(whatsapp=whatsapp, clock=clock) as hub:
        await whatsapp.say(MARIA, "hi")
        clock.advance(timedelta(hours=25))
        before = whatsapp.heard(MARIA)
        refused = await whatsapp.send("100000000000001", {
            "messaging_product": "whatsapp", "to": MARIA, "type": "text", "text": {"body": "x" * 5000},
        })  # fmt: skip
        await whatsapp.settle()

        assert type(refused).__name__ == "Refused"
        assert whatsapp.heard(MARIA) == before
        assert hub.clock.now() > NOON


async def test_an_answer_that_never_comes_is_settled_by_its_echo() -> None:
    whatsapp = SandboxWhatsApp()
    async with memory_hub(whatsapp=whatsapp) as hub:
        whatsapp.world.faults.order("timeout_after_accept")
        answers = await whatsapp.say(MARIA, "hi")
        rows = await thread(hub)

    assert len(answers) == 1
    assert rows[0].status is MessageStatus.DELIVERED


async def test_a_picture_of_a_customer_can_be_fetched() -> None:
    whatsapp = SandboxWhatsApp()
    async with memory_hub(whatsapp=whatsapp):
        await whatsapp.say(MARIA, {"type": "image", "image": {}})
        (picture,) = [one for one in whatsapp.world.messages(MARIA) if one["type"] == "image"]
        file = await whatsapp.fetch(picture["body"]["image"]["id"])

    assert file.mime_type == "image/png"
    assert file.data.startswith(b"\x89PNG")


async def test_a_host_brings_deliveries_by_hand_with_the_secret_of_the_settings() -> None:
    """Any framework's request; one that nobody signed changes nothing."""
    whatsapp = RecordingWhatsApp()
    value = {"messaging_product": "whatsapp", "metadata": {"phone_number_id": "106540352242922"}, "messages": [
        {"from": MARIA, "id": "wamid.1", "timestamp": "1772452800", "type": "text", "text": {"body": "hi"}}
    ]}  # fmt: skip
    body = json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
        }
    ).encode()
    settings = Settings(app_secret="a-secret", phone_number_id="106540352242922")
    async with memory_hub(settings, whatsapp=whatsapp) as hub:
        forged = await hub.inbox.receive_raw(body, signature=signature(body, "another"))
        await hub.worker.drain()
        silent = list(whatsapp.sent)
        taken = await hub.inbox.receive_raw(body, signature=signature(body, "a-secret"))
        await hub.worker.drain()

    assert (forged.status, silent) == ("unsigned", [])
    assert taken.status == "accepted"
    assert len(whatsapp.sent) == 1


async def test_a_host_sells_from_a_shop_of_its_own_and_hears_of_a_cart_that_was_left() -> None:
    facts: list[object] = []
    clock, whatsapp = FrozenClock(), SandboxWhatsApp()
    goods = [Goods(sku="LAMP", name="Blue Lamp", price=Decimal(20), stock=3)]
    shop = await ScriptedShop.selling(goods, clock=clock, currency="EUR", country="ES")
    async with memory_hub(EUROPE, clock=clock, whatsapp=whatsapp, shop=shop, observers=[facts.append]):
        await whatsapp.say(MARIA, "add 2 blue lamp to cart")
        clock.advance(timedelta(hours=1, minutes=1))
        await whatsapp.settle()
    await shop.aclose()

    assert [fact for fact in facts if isinstance(fact, CartAbandoned)]


async def test_a_whatsapp_that_is_around_no_hub_says_so() -> None:
    with pytest.raises(WchError, match="memory_hub"):
        await SandboxWhatsApp().say(MARIA, "hi")

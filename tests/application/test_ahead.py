"""What comes next by itself: named, in order, and gone once the clock was there."""

from collections.abc import AsyncIterator

import pytest

from tests.entrypoints.http.consoles import ANNA, Shop, shop
from wch.application.ports import UnitOfWork
from wch.domain.message import Class
from wch.domain.message_template import MessageTemplate


@pytest.fixture
async def town() -> AsyncIterator[Shop]:
    async with shop() as made:
        yield made


async def _templates(town: Shop) -> None:
    """Reminders that WhatsApp approved."""
    said = {"type": "BODY", "text": "Hello {{1}}, {{2}} items wait: {{3}}, {{4}}."}

    def work(uow: UnitOfWork) -> None:
        for number, more in (
            (1, ""),
            (2, " {{5}} takes {{6}} off until {{7}}."),
            (3, " {{5}} takes {{6}} off until {{7}}."),
        ):
            name = f"abandoned_cart_reminder_{number}"
            one = MessageTemplate(name=name, language="en", components=({**said, "text": said["text"] + more},))
            uow.options.put(f"template.{name}.en", one.to_json())

    await town.hub.database.transact(work)


async def _goes_there(town: Shop) -> str:
    """Move the clock to the next thing, and do what is due."""
    (first, *_) = await town.hub.ahead.listed()
    town.clock.advance((first.at - town.clock.now()).total_seconds())
    await town.hub.worker.drain()
    return first.what


async def test_nothing_waits_in_an_empty_shop(town: Shop) -> None:
    assert await town.hub.ahead.listed() == []


async def test_nothing_waits_of_a_cart_that_was_emptied(town: Shop) -> None:
    """Its end is three days away and nobody sees it."""
    card = (await town.hub.shop.search(limit=30)).items[0]
    await town.hears("hi")
    await town.hears(f"add {card.name}")
    before = await town.hub.ahead.listed()
    (line,) = (await town.hub.carts.show(1)).items
    await town.hub.carts.set_quantity(
        1, product_id=line.product_id, variation_id=line.variation_id, quantity=0, by="anna"
    )

    assert [one.what for one in before] == ["cart 1 is left lying"]
    assert await town.hub.ahead.listed() == []


async def test_the_clock_goes_from_an_abandoned_cart_through_its_three_reminders(town: Shop) -> None:
    """The names say what each step is; each step does it, and the next one is another."""
    await _templates(town)
    card = (await town.hub.shop.search(limit=30)).items[0]
    await town.hears("hi")
    await town.hears(f"add {card.name}")
    await town.hub.customers.consent(ANNA, purpose="marketing", to="in", reason="said so", by="cli")
    await town.hears("cart")

    steps = [await _goes_there(town) for _ in range(4)]

    assert steps == [
        "cart 1 is left lying", "reminder 1 of cart 1", "reminder 2 of cart 1", "reminder 3 of cart 1",
    ]  # fmt: skip
    rows = await town.hub.database.read(lambda uow: uow.messages.thread(1, limit=50))
    assert len([row for row in rows if row.class_ is Class.CAMPAIGN]) == 3

"""Examples of the page on commerce that are about the shop's news and the catalogue, by their numbers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from tests.application.cataloguing import Cataloguing, cataloguing, goods
from tests.application.outreaching import Shop
from tests.application.outreaching import shopping as outreaching
from tests.application.shopping import HOME, MUG, shopping
from tests.application.shops import woo
from wch.application.shop_watch import ShopWatch
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.quote import Line
from wch.domain.reengagement import CampaignType
from wch.domain.saga import SagaState
from wch.domain.sync import SyncStatus
from wch.testing import FrozenClock
from wch.testing.scripted_shop import Goods, LostAnswer


@pytest.fixture
async def hub() -> AsyncIterator[Cataloguing]:
    """Sixty products, none of which the catalogue knows."""
    made = await cataloguing(*(goods(f"P{number:02}") for number in range(60)))
    yield made
    await made.shop.aclose()


async def test_example_07_the_answer_of_an_order_is_lost() -> None:
    """Through the whole placement: one order with its key, found and carried on."""
    clock = FrozenClock()
    made = woo([MUG], clock=clock)
    noted = made.noted
    hub = await shopping(clock=clock, sells=noted)
    noted.script("create_order", LostAnswer())
    lines = (Line(product_id=await hub.product_id(), quantity=2),)
    methods = await noted.shipping_methods(lines=lines, address=HOME)
    saga_id = await hub.confirm(shipping=methods[0].id)
    await hub.runs()

    saga = await hub.saga(saga_id)
    assert saga.state is SagaState.COMPLETED
    assert len(made.alive) == 1
    assert made.alive[0]["id"] == saga.results["create_order"]["order_id"]
    await made.aclose()


async def test_example_10_a_webhook_that_the_shop_switched_off() -> None:
    """Within the hour an alarm, once; within five minutes the rows of what it did not tell."""
    clock = FrozenClock()
    shelf = [attrs.evolve(MUG, sku=f"M{number}") for number in range(3)]
    made = woo(shelf, clock=clock)
    hub = await shopping(clock=clock, sells=made.noted)
    watch = ShopWatch(database=hub.database, clock=clock, watch=made.shop, reactivate=False)
    hook = made.simulated.webhooks.add(topic="product.updated", delivery_url="http://hub.example/x", secret="s")
    await watch.work()
    await hub.sync.work()
    clock.advance(3600)
    hook["status"] = "disabled"
    for row in made.simulated.floor.products.values():
        made.simulated.floor.set_stock(row, 4)
    clock.advance(300)
    await hub.sync.work()
    rows = {task.entity_id for task in await hub.sync.listed()}
    for _ in range(2):
        await watch.work()

    assert rows == {int(row["id"]) for row in made.simulated.floor.products.values()}
    assert [action for _, action, _ in await hub.audited()] == ["alarm.shop_webhook_disabled"]
    await made.aclose()


async def test_example_54_one_of_sixty_is_refused(hub: Cataloguing) -> None:
    """59 hashes, one failed row with its reason; the next run sends that one alone, though nothing changed."""
    refused = str(await hub.number("P17"))
    hub.catalogue.refuses[refused] = "The picture is too small."
    for number in range(60):
        await hub.changed(f"P{number:02}")
    await hub.settles()
    batches = [len(batch) for batch in hub.catalogue.pushed]
    hashes = [(await hub.sent(f"P{number:02}")).items for number in range(60)]
    failed = [task for task in await hub.tasks() if task.status is SyncStatus.FAILED]
    hub.catalogue.refuses.clear()
    await hub.whole_run()

    assert batches == [50, 10]
    assert sum(all(items.values()) for items in hashes) == 59
    assert [(str(task.entity_id), task.error_message) for task in failed] == [(refused, "The picture is too small.")]
    assert [one["data"]["id"] for batch in hub.catalogue.pushed[2:] for one in batch] == [refused]
    assert [letter.status for letter in await hub.letters()] == [DeadLetterStatus.REPLAYED]


async def drops(shop: Shop) -> list[list[str]]:
    await shop.pass_()
    contacts = await shop.contacts(CampaignType.PRICE_DROP)
    sent = [one.message["template"]["components"][0]["parameters"] for one in shop.hub.whatsapp.sent]
    assert len(contacts) == len(sent)
    return [[one["text"] for one in parameters[-2:]] for parameters in sent]


@pytest.mark.parametrize("looked", ["before", "after"])
async def test_example_58_a_price_is_measured_against_the_look(looked: str) -> None:
    shop = await outreaching(reengages=True)
    await shop.meets()
    dear = Goods(sku="LAMP-1", name="Blue lamp", price=Decimal(20), stock=3)
    cheap = attrs.evolve(dear, price=Decimal(17))
    start = shop.hub.clock.now()
    shop.hub.clock.advance(-timedelta(days=1))
    await shop.sells(dear)
    product = await shop.product_id(dear.sku)
    if looked == "before":
        await shop.looks(product)
    shop.hub.clock.advance(start - shop.hub.clock.now())
    await shop.sells(cheap)
    if looked == "after":
        shop.hub.clock.advance(60)
        await shop.looks(product)

    told = await drops(shop)
    again = await drops(shop)

    assert told == ([["€20.00", "€17.00"]] if looked == "before" else [])
    assert again == told


async def test_example_59_a_plan_of_many_products() -> None:
    """No call to the catalogue, no row; what would be done is counted whole and listed in part, over many pages."""
    hub = await cataloguing(*(goods(f"P{number:05}") for number in range(1_200)))
    plan = await hub.runs.plan()
    tasks = await hub.tasks()
    await hub.shop.aclose()

    assert plan.counts["created"] == 1_200
    assert len(plan.listed) == 100
    assert list(tasks) == []
    assert hub.catalogue.pushed == []

"""Products and stock levels go to the catalogue once per change, and nothing is taken for sent that was not."""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.cataloguing import PAGE, PICTURE, SHIRT, Cataloguing, cataloguing, goods
from wch.application.catalogue_calls import BREAKER, STOPPED
from wch.application.facts import LeaseLost
from wch.application.failpoints import FailpointError
from wch.application.item_tasks import CatalogItemFailed, StockLow
from wch.domain.catalogue_item import CatalogueError
from wch.domain.circuit_breaker import BreakerState
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.send_failure import FailureClass
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.testing.scripted_shop import Unavailable


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Cataloguing]:
    made = await cataloguing(goods("MUG"), goods("LAMP"), *SHIRT, twice=request.param)
    yield made
    await made.shop.aclose()


async def test_a_product_becomes_an_item_exactly_as_the_catalogue_wants_it(hub: Cataloguing) -> None:
    """Every field by the rules of the page, the price in full places."""
    await hub.changed("MUG")
    await hub.settles()

    number = str(await hub.number("MUG"))
    ((request,),) = hub.catalogue.pushed
    assert request == {
        "method": "UPDATE",
        "data": {
            "id": number,
            "title": "Mug",
            "description": "Mug",
            "availability": "in stock",
            "condition": "new",
            "price": "9.50 EUR",
            "link": PAGE,
            "image_link": PICTURE,
            "brand": (await hub.shop.about()).name,
            "quantity_to_sell_on_facebook": 10,
        },
    }


async def test_what_did_not_change_is_not_sent_again(hub: Cataloguing) -> None:
    """The hash of exactly what was sent decides; the row is completed without a call."""
    for _ in range(3):
        await hub.changed("MUG")
        await hub.settles()

    assert len(hub.catalogue.pushed) == 1
    assert {task.status for task in await hub.tasks()} == {SyncStatus.COMPLETED}


async def test_variants_are_items_of_one_group_and_their_parent_is_none(hub: Cataloguing) -> None:
    """Each can be bought by itself; together they are one product on the phone."""
    await hub.changed("SHIRT")
    await hub.settles()

    parent = await hub.number("SHIRT")
    numbers = {str(await hub.number(f"SHIRT-{size}")): size for size in "SML"}
    assert hub.catalogue.held.keys() == numbers.keys()
    for name, item in hub.catalogue.held.items():
        assert item["item_group_id"] == str(parent)
        assert (item["size"], item["title"]) == (numbers[name], f"Shirt ({numbers[name]})")


async def test_a_deleted_parent_takes_all_its_items_with_it(hub: Cataloguing) -> None:
    """DELETE for every item ever sent for it."""
    await hub.changed("SHIRT")
    await hub.settles()
    parent = await hub.number("SHIRT")
    await hub.sell(attrs.evolve(SHIRT[0], active=False))
    await hub.sync.enqueue(EntityType.PRODUCT, parent, SyncAction.DELETE)
    await hub.settles()

    assert [request["method"] for request in hub.catalogue.pushed[-1]] == ["DELETE"] * 3
    assert hub.catalogue.held == {}
    assert await hub.database.read(lambda uow: uow.options.get(hub.looks.name(parent))) is None


async def test_a_deletion_that_was_taken_back_deletes_nothing(hub: Cataloguing) -> None:
    """What is there decides, not the order of two rows."""
    await hub.changed("MUG")
    await hub.settles()
    await hub.sync.enqueue(EntityType.PRODUCT, await hub.number("MUG"), SyncAction.DELETE)
    await hub.settles()

    assert len(hub.catalogue.pushed) == 1
    assert len(hub.catalogue.held) == 1


async def test_one_refused_item_fails_alone_and_is_sent_again_without_a_change(hub: Cataloguing) -> None:
    """59 hashes, one dead letter; the next run sends it, and its letter is answered."""
    mug, lamp = str(await hub.number("MUG")), str(await hub.number("LAMP"))
    hub.catalogue.refuses[mug] = "The picture is too small."
    await hub.changed("MUG")
    await hub.changed("LAMP")
    await hub.settles()

    by_id = {task.entity_id: task for task in await hub.tasks()}
    assert by_id[int(mug)].status is SyncStatus.FAILED
    assert by_id[int(mug)].error_message == "The picture is too small."
    assert by_id[int(lamp)].status is SyncStatus.COMPLETED
    assert (await hub.sent("MUG")).items == {mug: None}
    assert (await hub.sent("LAMP")).items[lamp]
    (letter,) = await hub.letters()
    assert letter.hook == f"sync:product:{mug}:update"
    assert CatalogItemFailed(product_id=int(mug), why="The picture is too small.") in hub.facts

    hub.catalogue.refuses.clear()
    await hub.changed("MUG")
    await hub.settles()

    assert mug in hub.catalogue.held
    (letter,) = await hub.letters()
    assert letter.status is DeadLetterStatus.REPLAYED


async def test_a_failed_row_that_fails_again_has_one_letter_that_waits(hub: Cataloguing) -> None:
    """Each new try answers the letter of the one before."""
    hub.catalogue.refuses[str(await hub.number("MUG"))] = "no"
    for _ in range(2):
        await hub.changed("MUG")
        await hub.settles()

    assert [letter.status for letter in await hub.letters()] == [DeadLetterStatus.REPLAYED, DeadLetterStatus.PENDING]


async def test_without_picture_or_page_an_item_fails_by_name_and_the_others_go(hub: Cataloguing) -> None:
    """It would be refused anyway; the shop owner reads why."""
    await hub.sell(goods("BARE", images=()), goods("LOST", url=""), goods("PLAIN", images=("http://x.example/a.jpg",)))
    for sku in ("BARE", "LOST", "PLAIN", "MUG"):
        await hub.changed(sku)
    await hub.settles()

    why = {task.entity_id: task.error_message or "" for task in await hub.tasks()}
    assert [why[await hub.number(sku)] for sku in ("BARE", "LOST", "PLAIN", "MUG")] == [
        "no_image",
        "no_link",
        "no_image",
        "",
    ]
    assert list(hub.catalogue.held) == [str(await hub.number("MUG"))]


async def test_a_changed_price_and_a_change_under_way_are_sent_in_their_order(hub: Cataloguing) -> None:
    """A row that changes while it is worked on is done once more: two pushes, the second with the newer price."""

    class Changing:
        """Changes the price while the first batch is on its way."""

        def __init__(self) -> None:
            self.id = hub.catalogue.id
            self.status = hub.catalogue.status
            self.items = hub.catalogue.items

        async def push(self, requests: Any) -> str:
            handle = await hub.catalogue.push(requests)
            if len(hub.catalogue.pushed) == 1:
                await hub.sell(goods("MUG", "8.00"))
                await hub.changed("MUG")
            return handle

    await hub.changed("MUG")
    looks = attrs.evolve(hub.looks, catalogue=Changing())
    hub.sync = attrs.evolve(hub.sync, items=attrs.evolve(hub.sync.items, looks=looks))
    await hub.settles()

    assert [batch[0]["data"]["price"] for batch in hub.catalogue.pushed] == ["9.50 EUR", "8.00 EUR"]
    assert {task.status for task in await hub.tasks()} == {SyncStatus.COMPLETED}


async def test_a_hundred_stock_changes_are_one_push_and_the_last_pieces_one_alarm(hub: Cataloguing) -> None:
    """Six to five raises it, five to four does not, and above the mark it is armed again."""
    number = await hub.number("MUG")
    await hub.changed("MUG")
    await hub.settles()
    for left in range(100, 5, -1):
        await hub.shop.shop.set_stock(sku="MUG", stock=left)
        await hub.changed("MUG", EntityType.INVENTORY)
    await hub.settles()
    hub.clock.advance(5)
    await hub.settles()
    assert [batch[0]["data"]["quantity_to_sell_on_facebook"] for batch in hub.catalogue.pushed] == [10, 6]
    assert await hub.alarms() == []

    for stock in (5, 4, 6, 5):
        await hub.shop.shop.set_stock(sku="MUG", stock=stock)
        await hub.changed("MUG", EntityType.INVENTORY)
        hub.clock.advance(5)
        await hub.settles()

    assert await hub.alarms() == ["alarm.low_stock"] * 2
    assert [fact for fact in hub.facts if isinstance(fact, StockLow)] == [StockLow(sellable_id=number, quantity=5)] * 2


async def test_the_stock_of_a_variant_sends_that_item_alone(hub: Cataloguing) -> None:
    """The others have the hashes that they had."""
    await hub.changed("SHIRT")
    await hub.settles()
    await hub.shop.shop.set_stock(sku="SHIRT-M", stock=0)
    await hub.changed("SHIRT-M", EntityType.INVENTORY)
    hub.clock.advance(5)
    await hub.settles()

    (request,) = hub.catalogue.pushed[-1]
    assert request["data"]["id"] == str(await hub.number("SHIRT-M"))
    assert (request["data"]["availability"], request["data"]["quantity_to_sell_on_facebook"]) == ("out of stock", 0)


async def test_a_variant_that_is_gone_is_deleted_by_its_stock_row(hub: Cataloguing) -> None:
    """Nobody resolves its number any more; the facts remember its product."""
    await hub.changed("SHIRT")
    await hub.settles()
    gone = await hub.number("SHIRT-M")
    await hub.sell(attrs.evolve(SHIRT[2], active=False))
    await hub.sync.enqueue(EntityType.INVENTORY, gone, SyncAction.UPDATE)
    hub.clock.advance(5)
    await hub.settles()

    assert [(one["method"], one["data"]["id"]) for one in hub.catalogue.pushed[-1]] == [("DELETE", str(gone))]


# --- handles


async def test_a_batch_that_is_not_ready_is_asked_about_again_and_not_sent_again(hub: Cataloguing) -> None:
    """Thirty seconds of questions, then its back-off with the handle kept; only the last answer makes the hash."""
    hub.catalogue.unready = 5
    await hub.changed("MUG")
    await hub.settles()

    (task,) = await hub.tasks()
    assert (task.status, task.error_message) == (SyncStatus.PENDING, "catalogue_not_ready")
    assert (await hub.sent("MUG")).items == {}
    hub.clock.advance(60)
    await hub.settles()

    assert len(hub.catalogue.pushed) == 1
    assert hub.catalogue.asked == ["handle-1"] * 6
    sent = await hub.sent("MUG")
    assert sent.items
    assert sent.handle is None


async def test_a_late_refusal_fails_the_row_without_a_second_call(hub: Cataloguing) -> None:
    """What was refused a moment ago is not sent at once again."""
    hub.catalogue.unready = 5
    hub.catalogue.refuses[str(await hub.number("MUG"))] = "no"
    await hub.changed("MUG")
    await hub.settles()
    hub.clock.advance(60)
    await hub.settles()

    (task,) = await hub.tasks()
    assert task.status is SyncStatus.FAILED
    assert len(hub.catalogue.pushed) == 1


async def test_a_handle_that_nobody_knows_any_more_is_sent_again(hub: Cataloguing) -> None:
    """The catalogue forgets its handles after a while."""
    hub.catalogue.unready = 5
    await hub.changed("MUG")
    await hub.settles()
    hub.clock.advance(60)
    hub.catalogue.failures.append(CatalogueError(FailureClass.REQUEST, "100 unknown handle"))
    await hub.settles()

    assert len(hub.catalogue.pushed) == 2
    assert (await hub.sent("MUG")).items


async def test_an_answer_that_does_not_come_keeps_the_handle(hub: Cataloguing) -> None:
    """Nobody knows; the next attempt asks on."""
    hub.catalogue.unready = 5
    await hub.changed("MUG")
    await hub.settles()
    hub.clock.advance(60)
    hub.catalogue.failures.append(CatalogueError(FailureClass.RETRY, "no answer"))
    await hub.settles()

    assert (await hub.sent("MUG")).handle == "handle-1"
    assert len(hub.catalogue.pushed) == 1


# --- trouble


async def test_a_worker_that_dies_after_the_call_leaves_no_hash(hub: Cataloguing) -> None:
    """Pushed again with the same content; a hash without an ended row would hide a lost push."""
    await hub.changed("MUG")
    dying = hub.worker("sync.after_call=raise")
    dying = attrs.evolve(dying, leases=hub.sync.leases)
    with pytest.raises(FailpointError):
        await dying.items.bring(await dying.leases.take(await hub.do(lambda uow: uow.sync.waiting("pending"))))
    assert (await hub.sent("MUG")).items == {}
    hub.clock.advance(61)
    await hub.settles()

    assert [batch[0] for batch in hub.catalogue.pushed] == [hub.catalogue.pushed[0][0]] * 2
    assert (await hub.sent("MUG")).items


async def test_a_late_worker_changes_nothing(hub: Cataloguing) -> None:
    """The row was taken over, done, and armed again meanwhile; its attempts are the same, its stamp is not."""
    await hub.changed("MUG")
    late = await hub.sync.leases.take(await hub.do(lambda uow: uow.sync.waiting("pending")))
    hub.clock.advance(61)
    await hub.settles()
    await hub.changed("MUG")
    taken = await hub.sync.leases.take(await hub.do(lambda uow: uow.sync.waiting("pending")))
    before = await hub.tasks()
    await hub.sync.items.bring(late)

    assert await hub.tasks() == before
    assert hub.facts.count(LeaseLost(work="sync")) == 1
    await hub.sync.items.bring(taken)
    assert [task.status for task in await hub.tasks()] == [SyncStatus.COMPLETED]


async def test_a_long_batch_keeps_its_leases(hub: Cataloguing) -> None:
    """Questions take half a minute; a second worker must not begin meanwhile."""
    hub.catalogue.unready = 4
    await hub.changed("MUG")
    (held,) = await hub.sync.leases.take(await hub.do(lambda uow: uow.sync.waiting("pending")))
    before = held.lease.stamp
    await hub.sync.items.bring([held])

    assert before is not None
    assert held.lease.stamp is not None
    assert held.lease.stamp > before
    assert [task.status for task in await hub.tasks()] == [SyncStatus.COMPLETED]


@pytest.mark.parametrize(
    ("failure", "alarms"),
    [(FailureClass.WAIT_NUMBER, []), (FailureClass.SIGN_IN, ["alarm.catalogue.stopped"])],
)
async def test_a_throttle_and_a_dead_token_use_no_attempt(
    hub: Cataloguing, failure: FailureClass, alarms: list[str]
) -> None:
    """The rows wait until one probe goes through; a dead token is told of once."""
    hub.catalogue.failures.extend([CatalogueError(failure, "190 no"), CatalogueError(failure, "190 no")])
    await hub.changed("MUG")
    await hub.settles()

    (task,) = await hub.tasks()
    assert (task.status, task.attempts) == (SyncStatus.PENDING, 0)
    assert await hub.settles() == 0
    assert hub.catalogue.pushed == []
    for _ in range(2):
        hub.clock.advance(15 * 60)
        await hub.settles()

    assert len(hub.catalogue.pushed) == 1
    assert [task.status for task in await hub.tasks()] == [SyncStatus.COMPLETED]
    assert await hub.alarms() == alarms
    assert await hub.database.read(lambda uow: uow.options.get(STOPPED)) is None


async def test_a_service_that_fails_opens_the_breaker_and_rows_wait(hub: Cataloguing) -> None:
    """Five failures; then nothing is called and no attempt used until a probe."""
    hub.catalogue.failures.extend(CatalogueError(FailureClass.RETRY, "2 away") for _ in range(5))
    for sku in ("MUG", "LAMP"):
        await hub.changed(sku)
    for _ in range(5):
        await hub.settles()
        hub.clock.advance(3700)
    breaker = await hub.database.read(lambda uow: uow.breakers.of(BREAKER))
    assert breaker is not None
    assert breaker.state in {BreakerState.OPEN, BreakerState.HALF_OPEN}
    for _ in range(3):
        await hub.settles()
        hub.clock.advance(3700)

    assert len(hub.catalogue.held) == 2


async def test_a_call_that_is_refused_whole_is_tried_five_times_and_then_given_up(hub: Cataloguing) -> None:
    """Nobody can say which item is at fault."""
    hub.catalogue.failures.extend(CatalogueError(FailureClass.REQUEST, "100 no") for _ in range(20))
    await hub.changed("MUG")
    for _ in range(8):
        await hub.settles()
        hub.clock.advance(2 * 3600)

    (task,) = await hub.tasks()
    assert (task.status, task.error_message) == (SyncStatus.FAILED, "100 no")
    assert len(await hub.letters()) == 1


async def test_a_shop_that_is_away_holds_back_its_own_product_only(hub: Cataloguing) -> None:
    """Each row ends by its own result."""
    await hub.changed("MUG")
    await hub.changed("LAMP")
    hub.shop.script("product", Unavailable())
    await hub.settles()

    assert sorted(task.status for task in await hub.tasks()) == [SyncStatus.COMPLETED, SyncStatus.PENDING]
    assert len(hub.catalogue.held) == 1


async def test_stock_levels_wait_for_a_shop_that_resolves_nothing(hub: Cataloguing) -> None:
    """Whose they are is asked again."""
    await hub.changed("MUG", EntityType.INVENTORY)
    hub.clock.advance(5)
    hub.shop.script("resolve", Unavailable())
    await hub.settles()

    (task,) = await hub.tasks()
    assert (task.status, task.error_message) == (SyncStatus.PENDING, "shop_unavailable")


async def test_a_product_that_cannot_be_read_never_holds_back_the_others(hub: Cataloguing) -> None:
    """An error of ours in one product is that row's."""
    number = await hub.number("MUG")
    real = hub.shop.product

    async def product(*, product_id: int) -> Any:
        if product_id == number:
            raise ValueError(product_id)
        return await real(product_id=product_id)

    hub.shop.product = product  # type: ignore[method-assign]  # a shop with one broken product
    await hub.changed("MUG")
    await hub.changed("LAMP")
    await hub.settles()

    assert len(hub.catalogue.held) == 1


async def test_two_rows_of_one_product_in_a_batch_are_one_call() -> None:
    """The levels of three sizes are one look, one call, three ends."""
    hub = await cataloguing(*SHIRT)
    for size in "SML":
        await hub.changed(f"SHIRT-{size}", EntityType.INVENTORY)
    hub.clock.advance(5)
    await hub.settles()

    assert [len(batch) for batch in hub.catalogue.pushed] == [3]
    assert {task.status for task in await hub.tasks()} == {SyncStatus.COMPLETED}
    await hub.shop.aclose()


async def test_sixty_products_are_two_takes(hub: Cataloguing) -> None:
    """Fifty at a time, so that nothing else waits long."""
    shelf = [goods(f"P{number:02}") for number in range(60)]
    await hub.sell(*shelf)
    for one in shelf:
        await hub.changed(one.sku)
    await hub.settles()

    assert [len(batch) for batch in hub.catalogue.pushed] == [50, 10]


async def test_a_sale_and_more_pictures_are_told(hub: Cataloguing) -> None:
    """The price is what it costs else, the sale price what it costs now."""
    more = tuple(f"https://shop.example/{number}.jpg" for number in range(25))
    await hub.sell(goods("SALE", "5.00", regular_price=Decimal("8.00"), images=more, brand="Acme", stock=None))
    await hub.changed("SALE")
    await hub.settles()

    (item,) = hub.catalogue.held.values()
    assert (item["price"], item["sale_price"], item["brand"]) == ("8.00 EUR", "5.00 EUR", "Acme")
    assert (item["image_link"], len(item["additional_image_link"])) == (more[0], 20)
    assert "quantity_to_sell_on_facebook" not in item

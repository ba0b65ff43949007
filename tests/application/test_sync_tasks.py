"""What changed in the shop is looked at by one worker at a time, told on once, and never lost."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, cast

import attrs
import pytest

from tests.application.shopping import ANNA, Shopping, shopping
from wch.application.ports import Shop, UnitOfWork
from wch.application.sync_tasks import CURSOR
from wch.domain.dead_letter import DeadLetterStatus
from wch.domain.document import document
from wch.domain.notification import DELAY
from wch.domain.order import Order, OrderStatus, Tracking
from wch.domain.sync import AGAIN, EntityType, SyncAction, SyncStatus, SyncTask
from wch.testing.scripted_shop import Refused, Unavailable


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Shopping]:
    made = await shopping(twice=request.param)
    yield made
    await made.shop.aclose()


async def known_order(hub: Shopping, *, status: str = "processing", **more: Any) -> Order:
    """An order that was placed through the hub, and the shop's changes read up to it."""
    order = await hub.order()
    facts = document(status=status, tracking=[], refunded="0", phone=ANNA, language="en", **more)
    await hub.do(lambda uow: uow.options.put(f"shop:order:{order.id}", facts))
    await hub.sync.work()
    return order


async def only(hub: Shopping, status: SyncStatus | None = None) -> SyncTask:
    (task,) = await hub.sync.listed(status=status)
    return task


async def ask(hub: Shopping, entity_id: int, kind: EntityType = EntityType.ORDER) -> SyncTask:
    return await hub.sync.enqueue(kind, entity_id, SyncAction.UPDATE)


async def words(hub: Shopping) -> list[str]:
    return [notice.notification_type for notice in await hub.noted()]


# --- what the shop says has changed


async def test_the_first_look_only_remembers_where_it_stands(hub: Shopping) -> None:
    """All that was sold before the hub came is not news."""
    await hub.sync.work()

    assert not await hub.sync.listed()
    assert await hub.see(lambda uow: uow.options.get(CURSOR)) is not None


async def test_a_changed_product_is_looked_at_again(hub: Shopping) -> None:
    """Its price and its stock are renewed, and what was in force before is kept."""
    await hub.sync.work()
    product = await hub.product_id()
    await hub.shop.shop.set_stock(sku="MUG", stock=3)
    await hub.sync.work()
    hub.clock.advance(60)
    await hub.shop.shop.set_stock(sku="MUG", stock=0)
    await hub.sync.work()

    facts = await hub.see(lambda uow: uow.options.get(f"shop:item:{product}"))
    assert (facts["quantity"], facts["stock"]) == (0, False)
    assert [entry[2] for entry in facts["history"]] == [True, False]


async def test_the_same_facts_are_history_once(hub: Shopping) -> None:
    """Another number of pieces is no other price and no other answer to whether it is there."""
    await hub.sync.work()
    for stock in (5, 4):
        await hub.shop.shop.set_stock(sku="MUG", stock=stock)
        await hub.sync.work()
        hub.clock.advance(60)
    product = await hub.product_id()

    facts = await hub.see(lambda uow: uow.options.get(f"shop:item:{product}"))
    assert (facts["quantity"], len(facts["history"])) == (4, 1)


async def test_an_order_that_was_not_placed_here_is_not_ours_to_tell_about(hub: Shopping) -> None:
    """Who ordered on the web shop never asked to hear from this number; no profile is made for somebody unknown."""
    await hub.sync.work()
    order = await hub.order()
    await hub.sync.work()

    assert [task.status for task in await hub.sync.listed() if task.entity_id == order.id] == ["completed"]
    assert await hub.noted() == []
    assert await hub.see(lambda uow: uow.customers.of(ANNA)) is None


async def test_a_shop_that_is_away_is_read_later_without_a_gap(hub: Shopping) -> None:
    """The cursor only moves with the rows."""
    await hub.sync.work()
    order = await known_order(hub)
    await hub.shop.shop.ship(order_id=order.id)
    hub.shop.script("changed_since", Unavailable())
    await hub.sync.work()
    assert await words(hub) == []
    await hub.sync.work()

    assert await words(hub) == ["shipped"]


# --- a changed order becomes a notice


async def test_a_changed_status_is_one_notice_however_often_it_is_seen(hub: Shopping) -> None:
    """It waits its delay, so that a slip that is taken back at once is never told."""
    order = await known_order(hub)
    await hub.shop.shop.cancel_order(order_id=order.id, reason="x")
    for _ in range(3):
        await ask(hub, order.id)
        await hub.sync.work()

    (notice,) = await hub.noted()
    assert (notice.notification_type, notice.customer_phone) == ("status_cancelled", ANNA)
    assert notice.updated_at - notice.created_at == DELAY
    known = await hub.see(lambda uow: uow.options.get(f"shop:order:{order.id}"))
    assert (known["status"], known["phone"], known["language"]) == ("cancelled", ANNA, "en")


async def test_the_second_parcel_is_the_second_notice(hub: Shopping) -> None:
    """Each shipment once."""
    order = await known_order(hub)
    for numbers in (("A",), ("A", "B"), ("A", "B")):
        parcels = tuple(Tracking(carrier="DHL", number=number) for number in numbers)
        await ask(hub, order.id)
        await attrs.evolve(hub.sync, shop=showing(attrs.evolve(order, tracking=parcels), hub)).work()

    assert await words(hub) == ["shipped", "shipped_2"]


@pytest.mark.parametrize(("hours", "expected"), [(1, 2), (24, 3)])
async def test_a_status_that_comes_back_is_told_again_after_a_day(hub: Shopping, hours: int, expected: int) -> None:
    """On hold, at work, on hold: within a day the customer knows."""
    order = await known_order(hub)
    for status in (OrderStatus.ON_HOLD, OrderStatus.PROCESSING, OrderStatus.ON_HOLD):
        await ask(hub, order.id)
        await attrs.evolve(hub.sync, shop=showing(attrs.evolve(order, status=status), hub)).work()
        hub.clock.advance(timedelta(hours=hours))

    assert len(await words(hub)) == expected


def showing(order: Order, hub: Shopping) -> Shop:
    """The shop, but the order is as it is said here."""

    @attrs.frozen
    class Showing:
        changed_since = staticmethod(hub.shop.changed_since)
        product = staticmethod(hub.shop.product)

        async def order(self, *, order_id: int) -> Order:
            assert order_id == order.id
            return order

    return cast("Shop", Showing())


async def test_an_order_that_nobody_knows_is_done_with(hub: Shopping) -> None:
    """Gone from the shop, deleted there, or never ours: nothing to tell, nothing to try again."""
    order = await hub.order()
    await ask(hub, order.id)
    await ask(hub, 999)
    await hub.sync.enqueue(EntityType.ORDER, 998, SyncAction.DELETE)
    await hub.sync.work()

    assert {task.status for task in await hub.sync.listed()} == {SyncStatus.COMPLETED}
    assert await hub.noted() == []


# --- products and stock


async def test_a_stock_level_settles_before_it_is_told_on(hub: Shopping) -> None:
    """A busy item goes once."""
    product = await hub.product_id()
    await hub.sync.work()
    await ask(hub, product, EntityType.INVENTORY)
    await hub.sync.work()
    assert (await only(hub)).status is SyncStatus.PENDING
    hub.clock.advance(5)
    await hub.sync.work()

    assert (await only(hub)).status is SyncStatus.COMPLETED
    facts = await hub.see(lambda uow: uow.options.get(f"shop:item:{product}"))
    assert (facts["quantity"], facts["stock"]) == (10, True)


@pytest.mark.parametrize("kind", [EntityType.PRODUCT, EntityType.INVENTORY])
@pytest.mark.parametrize("action", [SyncAction.UPDATE, SyncAction.DELETE])
async def test_what_is_not_sold_any_more_has_no_facts(hub: Shopping, kind: EntityType, action: SyncAction) -> None:
    """Nothing is made up for it."""
    await hub.sync.enqueue(kind, 999, action)
    hub.clock.advance(5)
    await hub.sync.work()

    assert (await only(hub)).status is SyncStatus.COMPLETED
    assert await hub.see(lambda uow: uow.options.get("shop:item:999")) is None


# --- again, leases and giving up


class Door:
    """A shop whose `order` waits at a door."""

    def __init__(self, hub: Shopping) -> None:
        self.hub = hub
        self.inside, self.open = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.changed_since = hub.shop.changed_since

    async def order(self, *, order_id: int) -> Order:
        self.inside.set()
        await self.open.wait()
        if self.fails:
            raise RuntimeError
        return await self.hub.shop.order(order_id=order_id)


@pytest.mark.parametrize("fails", [False, True])
async def test_what_changes_while_it_is_looked_at_is_looked_at_again(hub: Shopping, *, fails: bool) -> None:
    """What the first look saw may be old already."""
    order = await known_order(hub)
    door = Door(hub)
    door.fails = fails
    await ask(hub, order.id)
    looking = asyncio.create_task(attrs.evolve(hub.sync, shop=cast("Shop", door)).work())
    await door.inside.wait()
    marked = await ask(hub, order.id)
    door.open.set()
    await looking

    task = await hub.see(lambda uow: uow.sync.get(marked.id))
    assert marked.error_message == AGAIN
    assert task.status is SyncStatus.PENDING
    hub.clock.advance(60)
    await hub.sync.work()
    assert (await hub.see(lambda uow: uow.sync.get(marked.id))).status is SyncStatus.COMPLETED


@pytest.mark.parametrize("fails", [False, True])
async def test_one_who_lost_the_lease_writes_nothing(hub: Shopping, *, fails: bool) -> None:
    """Neither the end nor the notices, and no back-off either."""
    order = await known_order(hub)
    await hub.shop.shop.ship(order_id=order.id)
    door = Door(hub)
    door.fails = fails
    asked = await ask(hub, order.id)
    slow = asyncio.create_task(attrs.evolve(hub.sync, shop=cast("Shop", door)).work())
    await door.inside.wait()
    assert await hub.sync.work() == 0, "its lease still holds"
    hub.clock.advance(60)
    await hub.sync.work()
    before = await hub.see(lambda uow: uow.sync.get(asked.id))
    door.open.set()
    await slow

    assert await hub.see(lambda uow: uow.sync.get(asked.id)) == before
    assert (before.status, before.attempts) == (SyncStatus.COMPLETED, 2)
    assert await words(hub) == ["shipped"]


@pytest.mark.parametrize(("step", "error"), [(Unavailable(), "shop_unavailable"), (Refused("x"), "error")])
async def test_what_never_works_is_given_up_with_a_dead_letter_that_success_answers(
    hub: Shopping, step: Unavailable | Refused, error: str
) -> None:
    """Later and later; and once it works after all, nobody needs to decide any more."""
    order = await known_order(hub)
    hub.shop.script("order", *[step] * 6)
    asked = await ask(hub, order.id)
    for _ in range(12):
        await hub.sync.work()
        assert await hub.sync.work() == 0
        hub.clock.advance(timedelta(hours=2))

    task = await hub.see(lambda uow: uow.sync.get(asked.id))
    assert (task.status, task.attempts, task.error_message) == (SyncStatus.FAILED, 6, error)
    (letter,) = await hub.letters()
    assert (letter.hook, letter.args["id"]) == (f"sync:order:{order.id}:update", task.id)

    await ask(hub, order.id)
    await hub.sync.work()

    assert (await hub.see(lambda uow: uow.sync.get(asked.id))).status is SyncStatus.COMPLETED
    assert [one.status for one in await hub.letters()] == [DeadLetterStatus.REPLAYED]


async def crashed(hub: Shopping, *, attempts: int, note: str | None = None) -> int:
    """A row whose holder has vanished."""
    task = await ask(hub, 999)

    def work(uow: UnitOfWork) -> None:
        row = uow.sync.get(task.id, lock=True)
        assert row is not None
        uow.sync.save(
            attrs.evolve(
                row,
                status=SyncStatus.PROCESSING,
                attempts=attempts,
                error_message=note,
                processed_at=hub.clock.now(),
            )
        )

    await hub.do(work)
    hub.clock.advance(60)
    return task.id


async def test_a_row_whose_holders_vanish_is_given_up_after_as_many_tries(hub: Shopping) -> None:
    """A row that kills its worker must not kill the next one for ever."""
    task_id = await crashed(hub, attempts=6)
    await hub.sync.work()

    task = await hub.see(lambda uow: uow.sync.get(task_id))
    assert (task.status, task.error_message) == (SyncStatus.FAILED, "crash")
    assert [letter.reason for letter in await hub.letters()] == ["crash"]


async def test_a_row_that_changed_while_its_last_holder_vanished_waits_once_more(hub: Shopping) -> None:
    """It is not given up, so it calls nobody."""
    task_id = await crashed(hub, attempts=6, note=AGAIN)
    await hub.sync.work()

    task = await hub.see(lambda uow: uow.sync.get(task_id))
    assert task.status in {SyncStatus.PENDING, SyncStatus.COMPLETED}
    assert not await hub.letters()


async def test_what_waits_for_its_back_off_holds_up_nobody_behind_it(hub: Shopping) -> None:
    """A page full of rows that may not be taken yet must not hide a row that may."""
    narrow = attrs.evolve(hub.sync, most_at_once=2)
    hub.shop.script("order", *[Unavailable()] * 2)
    await ask(hub, 901)
    await ask(hub, 902)
    await narrow.work()
    late = await ask(hub, 903)
    await narrow.work()

    assert (await hub.see(lambda uow: uow.sync.get(late.id))).status is SyncStatus.COMPLETED


async def test_a_row_that_moved_since_it_was_seen_is_left_alone(hub: Shopping) -> None:
    """Another worker was first, or it is gone."""
    task = await ask(hub, 999)
    (seen,) = await hub.see(lambda uow: uow.sync.waiting(SyncStatus.PENDING))
    await hub.sync.work()
    before = await hub.see(lambda uow: uow.sync.get(task.id))

    assert await hub.sync.leases.take([seen]) == []
    assert await hub.sync.leases.take([attrs.evolve(seen, id=404)]) == []
    assert await hub.see(lambda uow: uow.sync.get(task.id)) == before


async def test_tasks_are_listed_by_state(hub: Shopping) -> None:
    """In pages, by id."""
    task = await ask(hub, 999)

    assert [row.id for row in await hub.sync.listed(status="pending")] == [task.id]
    assert not await hub.sync.listed(status="failed")
    assert not await hub.sync.listed(after=task.id)

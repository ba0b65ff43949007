"""A full run looks at every product once, sends what differs, and is never two."""

from collections.abc import AsyncIterator
from datetime import timedelta

import attrs
import pytest

from tests.application.cataloguing import SHIRT, Cataloguing, cataloguing, goods
from wch.application.full_runs import PREFIX, RunUnderWayError
from wch.domain.catalogue_item import NoCatalogueError
from wch.domain.shop_error import ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.testing.scripted_shop import Unavailable


@pytest.fixture
async def hub() -> AsyncIterator[Cataloguing]:
    made = await cataloguing(goods("MUG"), goods("LAMP"), *SHIRT)
    yield made
    await made.shop.aclose()


async def test_the_first_run_sends_everything_and_the_second_nothing(hub: Cataloguing) -> None:
    """Two products and three variants; then there is no difference, and no call."""
    first = await hub.whole_run()
    calls = len(hub.catalogue.pushed)
    hub.clock.advance(60)
    second = await hub.whole_run()

    assert (first["state"], first["total"], first["done"], first["failed"], first["sent"]) == ("done", 3, 3, 0, 5)
    assert (second["state"], second["total"], second["done"], second["sent"]) == ("done", 3, 3, 0)
    assert len(hub.catalogue.pushed) == calls


async def test_a_run_deletes_what_the_shop_sells_no_more(hub: Cataloguing) -> None:
    """Nobody told of it; the records of what was sent know."""
    await hub.whole_run()
    await hub.sell(attrs.evolve(goods("MUG"), active=False), attrs.evolve(SHIRT[0], active=False))
    hub.clock.advance(60)
    ended = await hub.whole_run()

    assert list(hub.catalogue.held) == [str(await hub.number("LAMP"))]
    assert (ended["sent"], ended["deleted"]) == (0, 4)


async def test_a_second_run_is_refused_while_rows_move(hub: Cataloguing) -> None:
    """Two would count each other's rows."""
    await hub.runs.start()
    with pytest.raises(RunUnderWayError) as refused:
        await hub.runs.start()

    assert refused.value.started == (await hub.runs.listed())[0]["started"]


async def test_a_run_that_stands_still_for_a_quarter_of_an_hour_is_taken_over(hub: Cataloguing) -> None:
    """Its process was killed; its rows are of the new run."""
    first = await hub.runs.start()
    hub.clock.advance(timedelta(minutes=14, seconds=59))
    with pytest.raises(RunUnderWayError):
        await hub.runs.start()
    hub.clock.advance(1)
    await hub.whole_run()

    states = {run["started"]: run["state"] for run in await hub.runs.listed()}
    assert sorted(states.values()) == ["done", "stuck"]
    assert states[first["started"]] == "stuck"


async def test_a_run_is_carried_on_by_whoever_comes_after_a_kill() -> None:
    """What was collected and what was sent stays; the next worker goes on from there."""
    shelf = [goods(f"P{number:03}") for number in range(250)]
    hub = await cataloguing(*shelf)
    begun = await hub.runs.start()
    for _ in range(2):
        await hub.sync.work()
    killed = await hub.runs.current()
    assert killed is not None
    assert 0 < killed["done"] < 250
    later = hub.worker()
    for _ in range(30):
        await later.work()

    ended = await hub.runs.get(begun["started"])
    assert ended is not None
    assert (ended["state"], ended["total"], ended["done"], ended["sent"]) == ("done", 250, 250, 250)
    assert sum(len(batch) for batch in hub.catalogue.pushed) == 250
    await hub.shop.aclose()


async def test_two_workers_collect_every_page_once(hub: Cataloguing) -> None:
    """Whoever comes second to a page leaves it."""
    await hub.runs.start()
    run = await hub.runs.current()
    assert run is not None
    await hub.runs.carry_on()
    slow = attrs.evolve(hub.runs)
    await slow.carry_on()
    await hub.settles()

    assert len(await hub.tasks()) == 3


async def test_a_failed_row_is_named_with_its_reason(hub: Cataloguing) -> None:
    """Whoever reads the run knows what to mend."""
    await hub.sell(goods("BARE", images=()))
    ended = await hub.whole_run()

    number = await hub.number("BARE")
    assert (ended["done"], ended["failed"]) == (3, 1)
    assert ended["reasons"] == [f"{number}: no_image"]


async def test_a_run_in_work_tells_how_far_it_is(hub: Cataloguing) -> None:
    """Counted from the rows, with an estimate."""
    begun = await hub.runs.start()
    await hub.runs.carry_on()
    state = await hub.runs.get(begun["started"])

    assert state is not None
    assert (state["total"], state["waiting"], state["done"]) == (3, 3, 0)
    assert state["seconds_left"] is None


async def test_a_shop_that_is_away_is_collected_later(hub: Cataloguing) -> None:
    """No page is skipped, and nothing turns in circles."""
    await hub.runs.start()
    hub.shop.script("search", Unavailable())
    assert await hub.runs.carry_on() == 0
    await hub.settles()

    assert len(hub.catalogue.held) == 5


async def test_without_a_catalogue_there_is_nothing_to_run() -> None:
    """The sentence says what to set."""
    hub = await cataloguing(goods("MUG"), linked=False)
    with pytest.raises(NoCatalogueError, match="WCH_CATALOG_ID"):
        await hub.runs.start()
    with pytest.raises(NoCatalogueError, match="WCH_CATALOG_ID"):
        await hub.runs.plan()
    assert await hub.runs.carry_on() == 0
    await hub.changed("MUG")
    await hub.settles()

    assert [task.status for task in await hub.tasks()] == [SyncStatus.COMPLETED]
    assert hub.catalogue.pushed == []
    await hub.shop.aclose()


async def test_a_hundred_runs_are_remembered(hub: Cataloguing) -> None:
    """The oldest go first."""
    for _ in range(102):
        hub.clock.advance(1)
        await hub.whole_run()

    assert len(await hub.database.read(lambda uow: uow.options.named(PREFIX, limit=500))) == 100


async def test_a_plan_says_what_a_run_would_do_and_does_nothing(hub: Cataloguing) -> None:
    """By the same code: created, changed, deleted, and what cannot be sent."""
    await hub.whole_run()
    await hub.sell(goods("NEW"), goods("MUG", "7.00"), goods("BARE", images=()), attrs.evolve(SHIRT[0], active=False))
    before, calls = await hub.tasks(), len(hub.catalogue.pushed)
    plan = await hub.runs.plan(limit=3)

    assert dict(plan.counts) == {"created": 1, "changed": 1, "deleted": 3, "unfit": 1}
    assert (len(plan.listed), plan.products, plan.unread) == (3, 5, 0)
    assert await hub.tasks() == before
    assert len(hub.catalogue.pushed) == calls


async def test_a_plan_over_a_shop_that_is_away_is_no_plan(hub: Cataloguing) -> None:
    """Half a plan would look like a small one; a single product that cannot be read is counted."""
    hub.shop.script("product", Unavailable())
    assert (await hub.runs.plan()).unread == 1
    hub.shop.script("search", Unavailable())
    with pytest.raises(ShopUnavailableError):
        await hub.runs.plan()


async def test_a_product_that_was_sent_and_renamed_by_its_row_alone_is_not_run_twice(hub: Cataloguing) -> None:
    """The records are walked after the shop; what was met there is not armed again."""
    await hub.whole_run()
    hub.clock.advance(60)
    await hub.runs.start()
    await hub.sync.work()
    done = [task for task in await hub.tasks() if task.status is SyncStatus.COMPLETED]
    await hub.settles()

    assert done
    assert {task.attempts for task in await hub.tasks()} == {1}


async def test_an_open_row_of_before_is_part_of_the_run(hub: Cataloguing) -> None:
    """It is not armed twice, and the run ends with it."""
    await hub.sync.enqueue(EntityType.PRODUCT, await hub.number("MUG"), SyncAction.UPDATE)
    hub.clock.advance(30)
    ended = await hub.whole_run()

    assert (ended["total"], ended["done"]) == (3, 3)

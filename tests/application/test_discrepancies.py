"""What the catalogue holds against what the shop sells, on demand and every night."""

from collections.abc import AsyncIterator
from datetime import timedelta

import attrs
import pytest

from tests.application.cataloguing import SHIRT, Cataloguing, cataloguing, goods
from wch.application.discrepancies import PREFIX, _is_same_price
from wch.domain.catalogue_item import CatalogueError, NoCatalogueError
from wch.domain.send_failure import FailureClass
from wch.testing.scripted_shop import Unavailable


@pytest.fixture
async def hub() -> AsyncIterator[Cataloguing]:
    made = await cataloguing(goods("MUG"), goods("LAMP"), *SHIRT)
    await made.whole_run()
    made.clock.advance(60)
    yield made
    await made.shop.aclose()


async def test_a_catalogue_in_step_differs_in_nothing(hub: Cataloguing) -> None:
    """Five items, three products."""
    report = await hub.discrepancies().report()

    assert (report["items"], report["products"], report["differences"]) == (5, 3, 0)


async def test_every_kind_of_difference_is_found(hub: Cataloguing) -> None:
    """Somebody worked in the catalogue by hand, and the shop moved on."""
    mug, lamp, small = [str(await hub.number(sku)) for sku in ("MUG", "LAMP", "SHIRT-S")]
    held = hub.catalogue.held
    del held[mug]
    held["foreign"] = {**held[lamp], "id": "foreign"}
    held[lamp] = {**held[lamp], "price": "1.00 EUR", "quantity_to_sell_on_facebook": 3}
    held[small] = {**held[small], "availability": "out of stock"}
    await hub.sell(goods("BARE", images=()))
    await hub.changed("BARE")
    await hub.settles()
    report = await hub.discrepancies().report()

    assert report["counts"] == {
        "missing": 2, "extra": 1, "price": 1, "availability": 1, "quantity": 1, "failed": 1,
    }  # fmt: skip
    by_kind = {(one["kind"], one["item"]): one for one in report["listed"]}
    assert by_kind["price", lamp]["catalogue"] == "1.00 EUR"
    assert by_kind["price", lamp]["shop"] == "9.50 EUR"
    assert by_kind["extra", "foreign"]["product"] is None
    assert by_kind["missing", str(await hub.number("BARE"))]["shop"] == "no_image"


async def test_mending_sends_again_what_differs_and_leaves_foreign_items(hub: Cataloguing) -> None:
    """Although the hash says that it was sent."""
    mug, lamp = str(await hub.number("MUG")), str(await hub.number("LAMP"))
    held = hub.catalogue.held
    del held[mug]
    held["foreign"] = {**held[lamp], "id": "foreign"}
    held[lamp] = {**held[lamp], "price": "1.00 EUR"}
    report = await hub.discrepancies().report(fix=True)
    assert report["fixing"] == 2
    await hub.settles()

    assert (held[lamp]["price"], mug in held) == ("9.50 EUR", True)
    assert (await hub.discrepancies().report())["counts"]["extra"] == 1


async def test_what_we_sent_and_the_shop_dropped_is_extra_and_can_be_mended(hub: Cataloguing) -> None:
    """Its record says whose it was."""
    await hub.sell(attrs.evolve(SHIRT[0], active=False))
    report = await hub.discrepancies().report(fix=True)
    assert (report["counts"]["extra"], report["fixing"]) == (3, 1)
    await hub.settles()

    assert len(hub.catalogue.held) == 2


@pytest.mark.parametrize(("above", "alarms"), [(4, ["alarm.catalogue_differs"]), (5, [])])
async def test_more_than_so_many_differences_raise_an_alarm(hub: Cataloguing, above: int, alarms: list[str]) -> None:
    """At exactly so many nobody is woken."""
    hub.catalogue.held.clear()
    await hub.discrepancies(alarm_above=above).report()

    assert await hub.alarms() == alarms


async def test_the_night_brings_a_report_and_a_run_once_a_day(hub: Cataloguing) -> None:
    """At three by the shop's clock; the first look of all only remembers the day."""
    duty = hub.discrepancies(zone="America/Sao_Paulo")
    assert await duty.work() == 0
    hub.catalogue.held.clear()
    hub.clock.set(hub.clock.now().replace(hour=5, minute=59) + timedelta(days=1))
    assert await duty.work() == 0
    hub.clock.advance(60)
    assert [await duty.work(), await duty.work()] == [1, 0]

    (report,) = await duty.listed()
    assert report["counts"]["missing"] == 5
    current = await hub.runs.current()
    assert current is not None
    assert current["by"] == "worker"


async def test_a_night_without_an_answer_is_told_of(hub: Cataloguing) -> None:
    """And the run begins all the same; one that is under way is left alone."""
    duty = hub.discrepancies()
    await duty.work()
    hub.clock.advance(timedelta(days=1))
    hub.catalogue.failures.append(CatalogueError(FailureClass.RETRY, "away"))
    await duty.work()
    assert await hub.alarms() == ["alarm.catalogue_report_failed"]
    hub.clock.advance(timedelta(hours=23, minutes=50))
    await hub.sync.work()
    await hub.settles()
    await hub.runs.start()
    hub.clock.advance(timedelta(minutes=10))
    assert await duty.work() == 1


async def test_reports_are_kept_for_thirty_days(hub: Cataloguing) -> None:
    """Then they are gone."""
    await hub.discrepancies().report()
    hub.clock.advance(timedelta(days=30, seconds=1))
    await hub.discrepancies().report()

    assert len(await hub.database.read(lambda uow: uow.options.named(PREFIX))) == 1


async def test_half_a_shop_is_no_comparison(hub: Cataloguing) -> None:
    """Otherwise everything unread would seem to be extra."""
    hub.shop.script("product", Unavailable())
    with pytest.raises(Exception, match="cannot be reached"):
        await hub.discrepancies().report()


async def test_without_a_catalogue_there_is_no_report() -> None:
    """And no night."""
    hub = await cataloguing(goods("MUG"), linked=False)
    with pytest.raises(NoCatalogueError):
        await hub.discrepancies().report()
    assert await hub.discrepancies().work() == 0
    await hub.shop.aclose()


async def test_a_duty_that_rests_looks_at_nothing(hub: Cataloguing) -> None:
    """Once a minute is enough."""
    assert await attrs.evolve(hub.discrepancies(), rest=lambda: True).work() == 0


async def test_a_long_catalogue_is_read_to_its_end() -> None:
    """Page by page on both sides."""
    hub = await cataloguing(*(goods(f"P{number:03}") for number in range(130)))
    await hub.whole_run()
    hub.catalogue.held["foreign"] = {**next(iter(hub.catalogue.held.values())), "id": "foreign"}
    report = await hub.discrepancies().report()

    assert (report["items"], report["products"], report["differences"]) == (131, 130, 1)
    await hub.shop.aclose()


@pytest.mark.parametrize(
    ("ours", "theirs", "same"),
    [
        ("12.50 EUR", "12.50 EUR", True),
        ("12.50 EUR", "€12.50", True),
        ("12.50 EUR", "12,50 €", True),
        ("12.50 EUR", "12.05 EUR", False),
        ("1012.50 USD", "$1,012.50", True),
        ("20.00 USD", "$20", True),
        ("1000 JPY", "¥1,000", True),
        ("1.235 KWD", "KWD 1.235", True),
        ("1.00 EUR", "on request", False),
        ("1.00 EUR", None, False),
        (None, None, True),
        (None, "1.00 EUR", False),
    ],
)
def test_prices_are_compared_as_sums(ours: str | None, theirs: str | None, same: bool) -> None:  # noqa: FBT001 - a table
    """The catalogue writes its own for people."""
    assert _is_same_price(ours, theirs) is same

"""Who looked at something that changed, or has gone quiet, is written to once, by every rule there is, or not at all."""

from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from tests.application.outreaching import HOUR, SARA, TEN, Shop, shopping, text_of
from wch.application.failpoints import Failpoints
from wch.application.ports import UnitOfWork
from wch.domain.message import MessageStatus
from wch.domain.message_template import option_of
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing.scripted_shop import Goods, LostAnswer, Refused, Unavailable, put_on_shelf

DAY = timedelta(days=1)
LAMP = Goods(sku="LAMP-1", name="Blue lamp", price=Decimal(50), stock=3)
BACK, DROP = CampaignType.BACK_IN_STOCK, CampaignType.PRICE_DROP
LOYAL, NEW, MISS = CampaignType.LOYALTY_REWARD, CampaignType.NEW_ARRIVALS, CampaignType.WE_MISS_YOU


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Shop:
    made = await shopping(twice=request.param, reengages=True)
    await made.meets()
    return made


async def seen_at(shop: Shop, goods: Goods, *changes: Goods) -> int:
    """Sara looked at this yesterday at ten; since then the shop changed it."""
    start = shop.hub.clock.now()
    shop.hub.clock.advance(-DAY)
    await shop.sells(goods)
    product = await shop.product_id(goods.sku)
    await shop.looks(product)
    shop.hub.clock.advance(start - shop.hub.clock.now())
    await shop.sells(*changes)
    return product


async def bought(shop: Shop, days: int, *, phone: str = SARA, total: int = 600, **more: Any) -> None:
    """An order of so many days ago, and silence since."""
    at = shop.hub.clock.now() - days * DAY
    await shop.orders(days, phone, at=at, modified=at, status="completed", total=Decimal(total), **more)


def parameters(shop: Shop) -> list[str]:
    """What the gaps of the latest template were filled with."""
    template = shop.hub.whatsapp.sent[-1].message["template"]
    return [one["text"] for one in template["components"][0]["parameters"]]


# --- views that became occasions


async def test_a_lower_price_is_told_to_who_looked(shop: Shop) -> None:
    """From ten per cent on, with the price of the look and that of now."""
    product = await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(45)))

    await shop.pass_()

    (contact,) = await shop.contacts()
    row = await shop.latest()
    assert (contact.campaign_type, contact.product_id, contact.sent_at) == (DROP, product, TEN)
    assert (text_of(row), row.content["origin"]["ref"]) == ("reengage_price_drop", f"reengagement:{contact.id}")
    assert parameters(shop) == ["Sara", "Blue lamp", "€50.00", "€45.00"]
    assert row.expires_at == TEN + DAY


@pytest.mark.parametrize(
    "case",
    ["less than a tenth", "bought meanwhile", "not opted in", "out of notices", "looked again", "sold out", "long ago"],
)
async def test_no_lower_price_is_told_where_there_is_no_occasion(case: str) -> None:
    """Each of these alone is enough."""
    shop = await shopping(reengages=True)
    await shop.meets(consent=None if case == "not opted in" else "in", notification_opt_out=case == "out of notices")
    cheaper = attrs.evolve(LAMP, price=Decimal("45.01") if case == "less than a tenth" else Decimal(45))
    if case == "sold out":
        cheaper = attrs.evolve(cheaper, stock=0)
    product = await seen_at(shop, LAMP, cheaper)
    if case == "bought meanwhile":
        await shop.orders(7, products=(product,))
    if case == "looked again":
        await shop.looks(product)
    if case == "long ago":
        shop.hub.clock.advance(30 * DAY)
        await shop.sells(attrs.evolve(LAMP, price=Decimal(44)))

    await shop.until(shop.hub.clock.now() + DAY)

    assert await shop.contacts() == []
    assert shop.hub.whatsapp.sent == []


async def test_what_was_sold_out_is_told_when_it_is_back_and_not_again_for_a_month(shop: Shop) -> None:
    """Back in stock comes before a lower price; the same product not within thirty days."""
    gone = attrs.evolve(LAMP, stock=0)
    product = await seen_at(shop, gone, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.pass_()
    assert [one.campaign_type for one in await shop.contacts()] == [BACK]
    assert parameters(shop) == ["Sara", "Blue lamp"]

    for days, count in ((29, 1), (2, 2)):
        shop.hub.clock.advance(days * DAY - HOUR)
        await shop.sells(gone)
        await shop.looks(product)
        shop.hub.clock.advance(HOUR)
        await shop.sells(LAMP)
        await shop.pass_()
        assert len(await shop.contacts(BACK)) == count


async def test_variants_count_as_their_product(shop: Shop) -> None:
    """A look at a shirt is a look at its sizes: the cheapest price, there while any of them is."""
    shirt = Goods(sku="SHIRT-1", name="Blue shirt")
    small = Goods(sku="SHIRT-1-S", parent="SHIRT-1", price=Decimal(20), stock=0, attributes={"Size": "S"})
    large = attrs.evolve(small, sku="SHIRT-1-L", attributes={"Size": "L"})
    start = shop.hub.clock.now()
    shop.hub.clock.advance(-DAY)
    await put_on_shelf(shop.goods.shop, [shirt, small, large])
    await shop.sells(shirt)
    product = await shop.product_id("SHIRT-1")
    await shop.looks(product)
    shop.hub.clock.advance(start - shop.hub.clock.now())
    await put_on_shelf(shop.goods.shop, [attrs.evolve(large, stock=2)])
    await shop.sells(shirt)

    await shop.pass_()

    assert [(one.campaign_type, one.product_id) for one in await shop.contacts()] == [(BACK, product)]


async def test_a_shop_that_is_away_is_asked_again_without_a_gap(shop: Shop) -> None:
    """What changed is not forgotten while nobody could be asked."""
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    shop.goods.script("product", Unavailable())
    await shop.pass_()
    assert await shop.contacts() == []

    shop.hub.clock.advance(HOUR)
    await shop.pass_()

    assert [one.campaign_type for one in await shop.contacts()] == [DROP]


# --- who has gone quiet


@pytest.mark.parametrize("lost", [False, True])
async def test_who_was_loyal_and_went_quiet_gets_a_reward_in_the_morning(shop: Shop, *, lost: bool) -> None:
    """At nine where they are, with one coupon, also when the shop's first answer is lost and half an hour goes by."""
    await bought(shop, 61)
    await shop.until(TEN + 21 * HOUR + timedelta(minutes=30))
    assert await shop.sent() == []
    if lost:
        shop.goods.script("create_coupon", LostAnswer())

    await shop.until(TEN + 3 * DAY)

    (contact,) = await shop.contacts()
    nine_in_madrid = TEN.replace(day=3, hour=8)
    late = timedelta(minutes=30) if lost else timedelta(0)
    assert await shop.sent() == [(nine_in_madrid + late, "reengage_loyalty_reward")]
    keys = {call.key for call in shop.goods.calls if call.operation == "create_coupon"}
    assert keys == {f"loyal-{contact.id}"}
    filled = parameters(shop)
    assert (filled[1].startswith("LOYAL"), filled[2]) == (True, "15 %")


@pytest.mark.parametrize(
    ("days", "total", "wrote", "kind"),
    [
        (61, 600, None, LOYAL),
        (61, 499, None, MISS),
        (59, 600, None, None),
        (61, 600, 6, None),
        (61, 600, 8, LOYAL),
    ],
)
async def test_who_is_quiet_enough(days: int, total: int, wrote: int | None, kind: CampaignType | None) -> None:
    """Sixty days without an order, seven without a word."""
    shop = await shopping(reengages=True)
    spoke = None if wrote is None else TEN - wrote * DAY
    await shop.meets(last_interaction_at=spoke)
    await bought(shop, days, total=total)

    report = await shop.reengagements.run()

    assert [one.campaign_type for one in await shop.contacts()] == ([] if kind is None else [kind])
    assert sum(report.planned.values()) == (kind is not None)


async def test_what_is_new_where_they_bought_comes_before_being_missed(shop: Shop) -> None:
    """The newest three of the categories that they know."""
    await shop.sells(attrs.evolve(LAMP, categories=("Lamps",)))
    lamps = (await shop.goods.product(product_id=await shop.product_id("LAMP-1"))).categories[0].id
    for number in range(1, 5):
        shop.hub.clock.advance(60)
        await shop.sells(Goods(sku=f"NEW-{number}", name=f"Lamp {number}", price=Decimal(9), categories=("Lamps",)))
    await shop.sells(Goods(sku="OTHER", name="Spoon", price=Decimal(9), categories=("Kitchen",)))
    await bought(shop, 61, total=20, categories=(lamps,))

    report = await shop.reengagements.run()
    await shop.hub.outbox.work()

    assert dict(report.planned) == {"new_arrivals": 1}
    assert parameters(shop) == ["Sara", "Lamp 4, Lamp 3, Lamp 2"]


async def test_missing_somebody_is_not_repeated_within_ninety_days(shop: Shop) -> None:
    """A word a day would be no word at all."""
    await bought(shop, 61, total=20)
    days: list[int] = []
    for day in range(100):
        before = len(shop.hub.whatsapp.sent)
        shop.hub.clock.advance(DAY)
        await shop.pass_()
        if len(shop.hub.whatsapp.sent) > before:
            days.append(day)

    assert len(days) == 2
    assert days[1] - days[0] in {90, 91}


# --- rules that hold for all marketing together


async def test_a_contact_waits_for_the_night_to_end(shop: Shop) -> None:
    """Found at eleven in the evening, it leaves at eight, and dies after a day."""
    shop.hub.clock.advance(12 * HOUR)
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.pass_()
    (contact,) = await shop.contacts()
    assert contact.sent_at is None

    await shop.until(TEN + DAY)

    assert [at for at, _ in await shop.sent()] == [TEN + 21 * HOUR]


async def test_all_marketing_shares_the_caps(shop: Shop) -> None:
    """Reminded of a cart two days ago, nobody is told of a lower price; a week later they are."""

    def earlier(uow: UnitOfWork) -> None:
        at = TEN - 2 * DAY
        contact = Reengagement(customer_phone=SARA, campaign_type=CampaignType.CART_REMINDER, created_at=at, sent_at=at)
        uow.reengagements.add(contact)

    await shop.hub.do(earlier)
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    dry = await shop.reengagements.run(dry_run=True)
    await shop.pass_()
    assert dict(dry.refused) == {"cap": 1}
    assert await shop.contacts(DROP) == []

    shop.hub.clock.advance(5 * DAY)
    await shop.sells(attrs.evolve(LAMP, price=Decimal(39)))
    await shop.pass_()

    assert [one.sent_at for one in await shop.contacts(DROP)] == [TEN + 5 * DAY]


async def test_one_contact_a_run_however_many_occasions(shop: Shop) -> None:
    """Three products got cheaper, and the customer is quiet too: one word."""
    products = [attrs.evolve(LAMP, sku=f"L{number}") for number in range(3)]
    for one in products:
        await seen_at(shop, one, attrs.evolve(one, price=Decimal(40)))
    await bought(shop, 61)

    await shop.pass_()
    await shop.reengagements.run()

    assert len(await shop.contacts()) == 1


async def test_a_dry_run_decides_alike_and_writes_nothing(shop: Shop) -> None:
    """The same figures as the run after it."""
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.meets("34600000001", consent=None)
    await shop.meets("34600000002")
    await bought(shop, 70, phone="34600000002", total=30)
    told: list[int] = []

    dry = await shop.reengagements.run(dry_run=True, tell=lambda report: told.append(report.looked_at))
    assert await shop.contacts() == []
    real = await shop.reengagements.run()

    assert (dry, told) == (real, [1, 2])
    assert {one.campaign_type for one in await shop.contacts()} == {DROP, MISS}
    only = await shop.reengagements.run(dry_run=True, kinds=("new_arrivals",))
    assert dict(only.refused) == {"subject:nothing_new": 1}


async def test_switched_off_nothing_is_looked_for() -> None:
    """And a person who runs it all the same hears why."""
    shop = await shopping()
    await shop.meets()
    await bought(shop, 61)

    assert await shop.reengagements.work() == 0
    report = await shop.reengagements.run()

    assert dict(report.refused) == {"enabled:disabled": 1}
    assert await shop.contacts() == []


# --- between the contact and its message


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("buys", "policy:subject"),
        ("price back", "policy:subject"),
        ("refuses", "policy:consent"),
        ("template", "policy:template"),
    ],
)
async def test_what_changed_meanwhile_stops_the_message(shop: Shop, what: str, error: str) -> None:
    """The rules are asked again when it is taken; what did not leave is no contact, and is not written again."""
    product = await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.reengagements.work()
    shop.hub.clock.advance(1)
    if what == "buys":
        await shop.orders(7, products=(product,))
    elif what == "price back":
        await shop.sells(LAMP)
    elif what == "refuses":
        await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=shop.hub.clock.now()))
    else:
        await shop.hub.do(lambda uow: uow.options.remove(option_of("reengage_price_drop", "en")))

    await shop.hub.outbox.work()
    await shop.until(TEN + 2 * DAY)

    (contact,) = await shop.contacts()
    rows = await shop.hub.rows(SARA)
    assert [(row.status, row.error_message) for row in rows] == [(MessageStatus.FAILED, error)]
    assert (contact.sent_at, shop.hub.whatsapp.sent) == (None, [])


async def test_the_row_of_a_contact_may_go_before_its_message(shop: Shop) -> None:
    """Nothing is sent that nobody could account for."""
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.reengagements.work()
    (contact,) = await shop.contacts()

    def gone(uow: UnitOfWork) -> None:
        (held,) = uow.holdings.of("reengagement", [SARA])
        uow.holdings.drop(held)

    await shop.hub.do(gone)
    await shop.hub.outbox.work()

    assert (await shop.latest()).error_message == "policy:subject"
    assert shop.hub.whatsapp.sent == []
    assert contact.sent_at == TEN


async def test_a_refused_coupon_is_no_reward(shop: Shop) -> None:
    """A reward without its code is not written, and its contact dies."""
    await bought(shop, 61)
    shop.goods.script("create_coupon", *[Refused("coupon")] * 10_000)

    await shop.reengagements.run()
    await shop.until(TEN + 3 * HOUR)

    (contact,) = await shop.contacts()
    assert (contact.sent_at, await shop.hub.rows(SARA)) == (None, [])


async def test_what_the_shop_does_not_sell_any_more_is_not_told(shop: Shop) -> None:
    """Neither planned where it is gone already, nor written where it went while the contact waited."""
    shop.hub.clock.advance(12 * HOUR)
    await seen_at(shop, LAMP, attrs.evolve(LAMP, price=Decimal(40)))
    await shop.pass_()
    assert len(await shop.contacts()) == 1
    await put_on_shelf(shop.goods.shop, [attrs.evolve(LAMP, active=False)])
    await shop.meets("34600000002")
    await shop.looks(await shop.hub.see(lambda uow: uow.views.listed()[0].product_id), "34600000002")

    await shop.until(TEN + 2 * DAY)

    assert len(await shop.contacts()) == 1
    assert shop.hub.whatsapp.sent == []


async def test_one_contact_that_fails_never_stops_the_others(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    """An error is logged by its kind, and the next customer is written to."""
    other = "34600000002"
    await shop.meets(other)
    await bought(shop, 61)
    await bought(shop, 62, phone=other)

    calls = 0

    def burst(point: str) -> None:
        nonlocal calls
        calls += point == "reengagement.coupon"
        if point == "reengagement.coupon" and calls == 1:
            raise ValueError(SARA)

    shop.reengagements = attrs.evolve(shop.reengagements, failpoints=cast("Failpoints", burst))
    await shop.reengagements.run()
    await shop.hub.outbox.work()

    assert [row.content["origin"]["kind"] for row in await shop.hub.rows(other)] == ["loyalty_reward"]
    assert await shop.hub.rows(SARA) == []
    assert SARA not in caplog.text
    assert "a re-engagement failed" in caplog.text


# --- figures


async def test_the_report_adds_up(shop: Shop) -> None:
    """Begun = sent + failed + waiting + dropped, with what they brought."""
    people = [f"3460000000{number}" for number in range(5)]
    for number, phone in enumerate(people):
        await shop.meets(phone)
        await bought(shop, 61 + number, phone=phone, total=20)
    await shop.reengagements.run()
    await shop.hub.outbox.work()
    shop.hub.clock.advance(DAY)
    await shop.orders(900, people[0], total=Decimal("59.90"))

    (line,) = await shop.reengagements.report(since=TEN)

    assert line.kind is MISS
    assert line.contacts == line.sent + line.failed + line.waiting + line.dropped == 5
    assert (line.converted, line.revenue) == (1, Decimal("59.90"))
    assert await shop.reengagements.report(since=TEN + DAY) == ()
    assert await shop.reengagements.report(since=TEN - DAY, until=TEN - HOUR) == ()

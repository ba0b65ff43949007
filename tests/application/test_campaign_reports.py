"""What came of a campaign adds up: to the log of what was posted, to orders, and to what it cost."""

from datetime import date
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, Campaigning, campaigning
from tests.application.rooms import status
from wch.application.order_notes import note_order
from wch.application.ports import UnitOfWork
from wch.application.prices import Prices
from wch.domain.campaign import CampaignError
from wch.domain.message import Class, Direction, MessageStatus
from wch.domain.message_template import MessageTemplate
from wch.domain.moment import unix
from wch.domain.order_figures import OrderSeen

TESTER = "34699000000"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Campaigning:
    made = campaigning(twice=request.param)
    await made.template()
    return made


async def ordered(shop: Campaigning, phone: str, order_id: int, total: str, **more: Any) -> None:
    now = shop.hub.clock.now()
    facts = {"id": order_id, "at": now, "modified": now, "status": "processing", "total": Decimal(total)}
    seen = OrderSeen(**{**facts, "currency": "EUR", **more})
    counting = shop.fanning_out.targeting.counting
    await shop.hub.do(lambda uow: note_order(uow, counting, phone, seen, now=now))


async def billed(shop: Campaigning, place: int, phone: str, **pricing: Any) -> None:
    """WhatsApp says what it charges for the n-th message."""
    told = {"billable": True, "pricing_model": "PMP", "category": "marketing", **pricing}
    at = unix(shop.hub.clock.now())
    await shop.hub.post(
        {"statuses": [status(f"wamid.sent.{place}", "delivered", at=at, recipient=phone, pricing=told)]}
    )


async def test_orders_and_cost_are_told_with_the_campaign(shop: Campaigning) -> None:
    """An order within the credit's days, once; what WhatsApp charged for, at the shop's own prices."""
    spanish = await shop.people(3)
    french = await shop.people(1, first=33612345678)
    plan = await shop.begun()
    await shop.run(minutes=1)
    to = [*shop.posted]
    for place, phone in enumerate(to, start=1):
        await billed(shop, place, phone, billable=phone != spanish[2])
    shop.hub.clock.advance(3600)
    for _ in range(3):
        await ordered(shop, spanish[0], 1, "59.90")
    await ordered(shop, spanish[0], 2, "10.00")
    await ordered(shop, french[0], 3, "5.00")
    await ordered(shop, french[0], 3, "5.00", status="cancelled", modified=shop.hub.clock.advance(10))

    told = await shop.broadcasts.report(plan.id)
    lines = [line async for line in shop.broadcasts.lines(plan.id)]

    assert (told["orders"], told["revenue"]) == (2, {"EUR": "69.90"})
    assert (told["cost"], told["without_price"]) == ({"EUR": "0.10"}, {"FR": 1})
    assert told["delivered_rate"] == 1.0
    named = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    (mine,) = [line for line in named if line["phone"] == spanish[0]]
    assert (mine["order"], mine["revenue"], mine["currency"]) == ("1 2", "69.90", "EUR")
    assert [line["order"] for line in named if line["phone"] != spanish[0]] == ["", "", ""]


async def test_a_failure_is_told_by_its_code_and_meaning(shop: Campaigning) -> None:
    """And the sums are those of what was posted."""
    phones = await shop.people(3)
    await shop.change(phones[2], lambda one: attrs.evolve(one, name="=cmd()"))
    await shop.change(phones[1], lambda one: attrs.evolve(one, name="\uff1dcmd()"))
    plan = await shop.begun()
    await shop.run(minutes=1)
    at = unix(shop.hub.clock.now())
    error = {"code": 131026, "title": "Message undeliverable"}
    await shop.hub.post(
        {"statuses": [status("wamid.sent.1", "failed", at=at, recipient=shop.posted[0], errors=[error])]}
    )
    told = await shop.broadcasts.report(plan.id)
    lines = [line async for line in shop.broadcasts.lines(plan.id)]

    assert (told["failures"], told["meanings"]) == ({"131026": 1}, {"131026": "recipient"})
    assert sum(told["counts"].values()) == len(shop.posted) == 3
    assert {"'=cmd()", "'\uff1dcmd()"} <= {line[1] for line in lines}
    (failed,) = [line for line in lines if line[2] == "failed"]
    assert failed[3:5] == ("131026", "131026 Message undeliverable")


# --- prices


def test_prices_hold_for_their_days() -> None:
    """The first and the last day are the price's own; outside of them there is none."""
    prices = Prices(
        table={
            "ES": {
                "MARKETING": [
                    {"price": "0.05", "currency": "EUR", "to": "2026-03-31"},
                    {"price": "0.0575", "currency": "EUR", "from": "2026-04-01", "to": "2026-04-30"},
                ]
            },
            "PT": {"UTILITY": {"price": "1", "currency": "EUR"}},
            "FR": "nonsense",
        }
    )
    count = {("ES", "marketing"): 60}

    assert prices.of(count, on=date(2026, 3, 31))["cost"] == {"EUR": "3.00"}
    assert prices.of(count, on=date(2026, 4, 1))["cost"] == {"EUR": "3.45"}
    assert prices.of(count, on=date(2026, 5, 1)) == {"cost": {}, "without_price": {"ES": 60}}
    assert prices.of({**count, ("PT", "MARKETING"): 40, ("FR", "MARKETING"): 1})["without_price"] == {"PT": 40, "FR": 1}


# --- trying it out


async def test_a_test_number_gets_the_message_and_counts_nowhere(shop: Campaigning) -> None:
    """The same rendering, before anybody else: no recipient, no contact, no opt-in asked for."""
    plan, _ = await shop.broadcasts.draft(EVERYONE, by="ana")
    row = await shop.broadcasts.try_out(plan.id, "+34 699 000 000", by="ana")
    await shop.drain()

    assert shop.posted == [TESTER]
    sent = await shop.hub.see(lambda uow: uow.messages.get(row.id))
    assert (sent.status, sent.class_, sent.content["origin"]["ref"]) == (
        MessageStatus.SENT,
        Class.CAMPAIGN,
        f"test:{plan.id}",
    )
    assert await shop.rows(plan) == []
    profile = await shop.hub.see(lambda uow: uow.customers.of(TESTER))
    outreach = shop.fanning_out.targeting.outreach
    now = shop.hub.clock.now()
    assert await shop.hub.see(lambda uow: outreach.contacts(uow, profile.phone, now=now)) == []
    assert ("ana", "broadcast.test", f"campaign:{plan.id}") in await shop.hub.see(
        lambda uow: [(line.actor, line.action, line.object) for line in uow.audit.listed()]
    )


async def test_a_tester_who_said_stop_is_left_alone(shop: Campaigning) -> None:
    """Theirs is a stop like any other."""
    plan, _ = await shop.broadcasts.draft(EVERYONE, by="ana")
    await shop.change(TESTER, lambda one: one.consenting("all", "out", source="keyword", now=shop.hub.clock.now()))
    await shop.broadcasts.try_out(plan.id, TESTER, by="ana")
    await shop.drain()

    assert shop.posted == []


async def test_what_cannot_be_tried_out_says_what_to_do(shop: Campaigning) -> None:
    """Another number, a gap that nothing fills, no template, somebody who was erased."""
    plan, _ = await shop.broadcasts.draft(EVERYONE, by="ana")
    with pytest.raises(CampaignError, match=r"broadcasts\.test_numbers"):
        await shop.broadcasts.try_out(plan.id, "+34 600 00 00 00", by="ana")
    bare, _ = await shop.broadcasts.draft({**EVERYONE, "params": {"body": [{"text": "x"}]}}, by="ana")
    with pytest.raises(CampaignError, match="Nothing fills"):
        await shop.broadcasts.try_out(bare.id, TESTER, by="ana")
    await shop.template(MessageTemplate(name="offer", language="en", status="PAUSED"))
    with pytest.raises(CampaignError, match="No approved template"):
        await shop.broadcasts.try_out(plan.id, TESTER, by="ana")

    def erased(uow: UnitOfWork) -> None:
        shop.broadcasts.tombstones.set(uow, TESTER, None, saga_id="erase-1", now=shop.hub.clock.now())

    await shop.hub.do(erased)
    with pytest.raises(CampaignError, match="was erased"):
        await shop.broadcasts.try_out(plan.id, TESTER, by="ana")
    assert not [row for row in await shop.hub.rows(TESTER) if row.direction is Direction.OUTBOUND]

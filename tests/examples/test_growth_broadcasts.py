"""The examples of the page on growth that are about broadcasts and templates, by their numbers."""

import asyncio
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER, Campaigning, campaigning
from tests.application.outreaching import SARA, TEN, shopping
from wch.domain.broadcast import RecipientStatus
from wch.domain.campaign import CampaignState
from wch.domain.message import MessageStatus
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import NOON


@pytest.fixture
async def shop() -> Campaigning:
    made = campaigning(most_at_once=20, number_rate=100_000)
    await made.template()
    return made


def refused(code: int) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code))


async def sending(shop: Campaigning) -> int:
    states = await shop.hub.see(lambda uow: uow.census.states())
    return int(states["messages"].get("outbound:sending", 0))


async def test_example_31_broadcast_and_reminder_at_once() -> None:
    for turn in range(8):
        shop = await shopping()
        await shop.fill()
        made = campaigning()
        rooms: dict[str, Any] = {"database": shop.hub.database, "clock": shop.hub.clock}
        made.broadcasts = attrs.evolve(made.broadcasts, **rooms, limits=shop.hub.limits)
        made.fanning_out = attrs.evolve(made.fanning_out, **rooms, speaker=shop.hub.speaker)
        made.hub = shop.hub
        shop.hub.clock.set(TEN + timedelta(hours=1))
        await shop.carts.work()
        shop.hub.clock.set(TEN + timedelta(hours=2))
        await made.template()
        await made.begun()
        await made.fanning_out.work()

        async def late(steps: int, work: Any) -> None:
            for _ in range(steps):
                await asyncio.sleep(0)
            await work()

        await asyncio.gather(late(turn, shop.reminders.work), late(8 - turn, made.fanning_out.work))
        await asyncio.gather(shop.hub.outbox.work(), shop.hub.outbox.work())
        await made.drain()

        assert len(shop.hub.whatsapp.sent) == 1, turn
        assert len(await shop.hub.rows(SARA)) == 1, turn


@pytest.mark.parametrize("end", ["resume", "cancel"])
async def test_example_35_paused_at_three_hundred(shop: Campaigning, end: str) -> None:
    await shop.people(1000)
    plan = await shop.begun(rate_per_minute=100_000)
    while len(shop.posted) < 300:
        await shop.once()
    await shop.broadcasts.pause(plan.id, by="ana")
    before = len(shop.posted)
    assert 300 <= before < 1000

    for span in (timedelta(seconds=1), timedelta(minutes=1), timedelta(days=2)):
        shop.hub.clock.advance(span)
        await shop.drain()
        assert (await sending(shop), len(shop.posted)) == (0, before)

    if end == "cancel":
        await shop.broadcasts.cancel(plan.id, by="ana")
        await shop.run(minutes=2)
        assert await shop.broadcasts.counts(plan.id) == {"sent": before, "skipped_cancelled": 1000 - before}
        assert len(shop.posted) == before
    else:
        await shop.broadcasts.resume(plan.id, by="ana")
        await shop.run(minutes=2)
        assert len(shop.posted) == len(set(shop.posted)) == 1000
        assert await shop.broadcasts.counts(plan.id) == {"sent": 1000}


async def test_example_36_a_stop_while_it_is_queued(shop: Campaigning) -> None:
    (phone,) = await shop.people(1)
    plan = await shop.begun()
    while (await shop.words(plan)).get(phone) != "queued":
        assert await shop.fanning_out.work()

    await shop.change(phone, lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))
    await shop.run(minutes=1)

    assert shop.posted == []
    assert await shop.words(plan) == {phone: "skipped_optout"}
    (row,) = await shop.hub.rows(phone)
    assert row.status is MessageStatus.FAILED


async def test_example_37_the_night_when_the_clocks_move(shop: Campaigning) -> None:
    told = {**EVERYONE, "schedule": {"at": "2026-03-29T02:30", "zone": "Europe/Madrid"}}
    plan, _ = await shop.broadcasts.draft(told, by="ana")
    await shop.broadcasts.start(plan.id, by="ana")
    assert plan.schedule["utc"] == "2026-03-29T01:30:00Z"

    shop.hub.clock.set(NOON.replace(day=29, hour=1, minute=29, second=59))
    await shop.drain()
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.SCHEDULED
    shop.hub.clock.advance(1)
    await shop.fanning_out.work()
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.RUNNING

    autumn, _ = await shop.broadcasts.draft(
        {**EVERYONE, "schedule": {"at": "2026-10-25T02:30", "zone": "Europe/Madrid"}}, by="ana"
    )
    assert autumn.schedule["utc"] == "2026-10-25T00:30:00Z"


async def test_example_38_a_tier_that_is_too_small_for_a_day(shop: Campaigning) -> None:
    tier = {"v": 1, "tier": 2000}
    await shop.hub.do(lambda uow: uow.options.put("whatsapp.limits", tier))
    await shop.people(1500, first=34700000000)
    await shop.begun(rate_per_minute=100_000)
    await shop.run(minutes=1)
    assert len(shop.posted) == 1500
    await shop.people(5000)
    plan, _ = await shop.broadcasts.draft({**EVERYONE, "name": "second"}, by="ana")

    told = await shop.broadcasts.rehearse(plan)

    assert (told["recipients"], told["used_24h"], told["tier"]) == (5000, 1500, 2000)
    # 500 today, then 2,000 a day: the 5,000th leaves on the fourth day.
    assert told["days"] == 4
    assert told["finishes_at"] > "2026-03-04T12:00:00Z"


async def test_example_39_forty_of_two_hundred(shop: Campaigning) -> None:
    await shop.people(1000)
    plan = await shop.begun(rate_per_minute=100_000)
    while len(shop.posted) < 160:
        await shop.once()
    settled = len(shop.posted)
    shop.hub.whatsapp.outcomes += [refused(131049)] * 39
    while len(shop.posted) < settled + 39:
        await shop.once()
    await shop.fanning_out.work()
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.RUNNING

    shop.hub.whatsapp.outcomes += [refused(131049)] * 40
    await shop.run(minutes=1)

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert progress.state is CampaignState.PAUSED
    assert str(progress.reason).startswith("held_back")


@pytest.mark.parametrize("what", ["spam", "RED"])
async def test_example_39_one_word_pauses(shop: Campaigning, what: str) -> None:
    await shop.people(120)
    plans = [await shop.begun(), await shop.begun()]
    told = {"message_template_id": 7, "message_template_name": "offer", "message_template_language": "en"}
    if what == "spam":
        shop.hub.whatsapp.outcomes.append(refused(131048))
    else:
        await shop.hub.post({"new_quality_score": "RED", **told}, field="message_template_quality_update")
    await shop.run(minutes=1)

    for plan in plans:
        assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.PAUSED
    before = len(shop.posted)
    await shop.hub.post({"new_quality_score": "GREEN", **told}, field="message_template_quality_update")
    await shop.hub.post({"event": "APPROVED", **told}, field="message_template_status_update")
    await shop.run(minutes=2)
    assert len(shop.posted) == before
    for plan in plans:
        assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.PAUSED

    await shop.broadcasts.resume(plans[0].id, by="ana")
    await shop.run(minutes=1)
    shop.hub.clock.advance(timedelta(minutes=15))  # the one that was refused rests as long
    await shop.run(minutes=1)
    assert (await shop.broadcasts.show(plans[0].id)).progress.state is CampaignState.COMPLETED
    assert len(set(shop.posted)) == 120


CSV = """phone,name,opted_in_at,source
34612345678,,,
+34 612 34 56 78,,,
+34 600 000 777,New,2026-02-01,fair
+34 600 000 888,No,,
+34 600 000 999,,2026-02-01,fair
abc,,,
"""


async def test_example_40_a_list_of_six(shop: Campaigning) -> None:
    await shop.people(1, first=34612345678)
    (out,) = await shop.people(1, first=34600000999)
    await shop.change(out, lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))
    told = {**EVERYONE, "audience": {"all": [{"upload": True}]}}
    plan, upload = await shop.broadcasts.draft(told, by="ana", upload=CSV.encode())
    await shop.broadcasts.start(plan.id, by="ana")
    await shop.run(minutes=1)

    assert upload is not None
    assert upload.bad == [7]
    assert sorted(shop.posted) == ["34600000777", "34612345678"]
    rows = {row.phone: row.status for row in await shop.rows(plan)}
    assert len(rows) == 4
    assert rows["34600000888"] is RecipientStatus.SKIPPED_NOCONSENT
    assert rows[out] is RecipientStatus.SKIPPED_OPTOUT
    new = await shop.hub.see(lambda uow: uow.customers.of("34600000777"))
    assert new.preferences["consent"]["log"][0]["source"] == "import"
    assert await shop.hub.see(lambda uow: uow.customers.of("34600000888")) is None


async def test_example_41_each_customer_in_the_form_that_fits() -> None:
    shop = campaigning()
    for language in ("en", "es", "pt_BR"):
        body = {"type": "BODY", "text": f"{language} {{{{1}}}} {{{{2}}}}"}
        await shop.template(attrs.evolve(OFFER, language=language, components=(body,)))
    names = await shop.hub.see(lambda uow: [name for name, _ in uow.options.named("template.offer.", after="")])
    assert names == ["template.offer.en", "template.offer.es", "template.offer.pt_BR"]
    spoken = {}
    for place, language in enumerate(("pt_PT", "de", "es_MX")):
        (phone,) = await shop.people(1, first=34600000000 + place)
        await shop.change(phone, lambda one, language=language: one.speaking(language, now=NOON))  # type: ignore[misc]  # bound early
        spoken[phone] = language
    await shop.begun()
    await shop.run(minutes=1)

    got = {
        spoken[str(sent.message["to"]).removeprefix("+")]: sent.message["template"]["language"]["code"]
        for sent in shop.hub.whatsapp.sent
    }
    assert got == {"pt_PT": "pt_BR", "de": "en", "es_MX": "es"}

"""Who belongs to a campaign: every criterion alone and in pairs, the same for a dry run and for a run."""

from datetime import timedelta
from itertools import combinations
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, Campaigning, campaigning
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.campaign import CampaignState
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.reengagement import CampaignType, Reengagement
from wch.testing import NOON

DAY = timedelta(days=1)


@pytest.fixture
async def shop() -> Campaigning:
    made = campaigning()
    await made.template()
    return made


def bought(profile: CustomerProfile) -> CustomerProfile:
    stats = {"last_order_at": "2026-02-20T10:00:00Z", "categories": {"15": "2026-02-20"}, "orders": {}}
    return attrs.evolve(profile, preferences=amended(profile.preferences, stats=stats), total_orders=1)


CRITERIA: list[dict[str, Any]] = [
    {"ordered_within_days": 30},
    {"bought_category": [15]},
    {"cart_abandoned_within_days": 7},
    {"tags_any": ["vip", "old"]},
    {"tags_all": ["vip", "old"]},
    {"segment": ["bronze"]},
    {"language": ["pt"]},
    {"country": ["DE"]},
    {"last_contact_within_days": 7},
    {"of_campaign": {"id": 77, "statuses": ["failed"]}},
    {"broadcast_within_days": 7},
]
ONLY_NONE = "broadcast_within_days"


async def crowd(shop: Campaigning) -> None:
    """Sixteen customers, each with another half of what criteria look at."""
    phones = [*await shop.people(12), *await shop.people(4, first=4915112345670)]
    for place, phone in enumerate(phones):

        def change(one: CustomerProfile, place: int = place) -> CustomerProfile:
            one = bought(one) if place % 2 else one
            one = one.tagged("VIP", now=NOON) if place % 3 else one
            one = one.tagged("old", now=NOON) if place % 4 < 2 else one
            one = one.speaking("pt_BR", now=NOON) if place % 5 < 2 else one
            return attrs.evolve(one, last_interaction_at=NOON - 3 * DAY if place % 7 < 3 else NOON - 30 * DAY)

        await shop.change(phone, change)

    def more(uow: UnitOfWork) -> None:
        for place, phone in enumerate(phones):
            if place % 2 == 0:
                kind = CampaignType.CART_REMINDER
                at = NOON - (3 if place % 4 else 20) * DAY
                uow.reengagements.add(Reengagement(customer_phone=phone, campaign_type=kind, created_at=at))
            if place % 3 == 0:
                row = uow.recipients.add(BroadcastRecipient(campaign_id=77, phone=phone, created_at=NOON - 40 * DAY))
                assert row is not None
                held = uow.recipients.get(row.id, lock=True)
                assert held is not None
                word = "failed" if place % 2 else "sent"
                sent_at = NOON - (5 if place % 4 else 35) * DAY
                uow.recipients.save(attrs.evolve(held, status=RecipientStatus(word), sent_at=sent_at))

    await shop.hub.do(more)


async def chosen(shop: Campaigning, audience: dict[str, Any]) -> set[str]:
    """Whom a run writes down; the dry run said so before."""
    plan, _ = await shop.broadcasts.draft({**EVERYONE, "audience": audience}, by="ana")
    told = await shop.broadcasts.rehearse(plan)
    await shop.hub.limits.reset(by="ana")
    await shop.broadcasts.start(plan.id, by="ana")
    while (await shop.broadcasts.show(plan.id)).progress.phase == "snapshot":
        await shop.fanning_out.work()
    found = {row.phone for row in await shop.rows(plan)}
    assert told["recipients"] + sum(told["skips"].values()) == len(found)
    await shop.broadcasts.cancel(plan.id, by="ana")
    await shop.fanning_out.work()
    return found


async def test_criteria_alone_and_in_pairs_choose_whom_they_say(shop: Campaigning) -> None:
    """All of `all`, none of `none`: the sets of two are what the sets of one say."""
    await crowd(shop)
    everybody = await chosen(shop, {"everyone": True})
    without = {place: await chosen(shop, {"everyone": True, "none": [one]}) for place, one in enumerate(CRITERIA)}
    by_itself = {
        place: await chosen(shop, {"all": [one]}) for place, one in enumerate(CRITERIA) if ONLY_NONE not in one
    }

    assert len(everybody) == 16
    for place, taken in by_itself.items():
        assert taken, CRITERIA[place]
        assert taken | without[place] == everybody
        assert not taken & without[place]
    for one, other in combinations(by_itself, 2):
        pair = {"all": [CRITERIA[one]], "none": [CRITERIA[other]]}
        assert await chosen(shop, pair) == by_itself[one] & without[other], pair
    assert without[len(CRITERIA) - 1] < everybody


async def test_of_two_spellings_of_one_number_the_one_seen_last_is_taken(shop: Campaigning) -> None:
    """Nobody gets it twice because their number is written in two ways."""
    (with_nine,) = await shop.people(1, first=5511987654321)
    (without,) = await shop.people(1, first=551187654321)
    await shop.change(without, lambda one: attrs.evolve(one, last_interaction_at=NOON))

    assert await chosen(shop, {"everyone": True}) == {without}
    await shop.change(with_nine, lambda one: attrs.evolve(one, last_interaction_at=NOON + DAY))
    assert await chosen(shop, {"everyone": True}) == {with_nine}


async def test_more_people_than_may_be_are_paused_before_anything_leaves(shop: Campaigning) -> None:
    """A plan for everybody was perhaps not meant so."""
    await shop.people(3)
    shop.fanning_out = attrs.evolve(shop.fanning_out, most=2)
    plan = await shop.begun()
    await shop.run(minutes=1)

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert (progress.state, progress.reason) == (CampaignState.PAUSED, "too_many_recipients")
    assert shop.posted == []


async def test_a_plan_that_is_changed_while_its_recipients_are_written_pauses(shop: Campaigning) -> None:
    """Whoever changes the table does not choose who is written to."""
    await shop.people(3)
    plan = await shop.begun()

    def change(uow: UnitOfWork) -> None:
        told = uow.options.get(f"campaign.{plan.id}", lock=True)
        assert told is not None
        uow.options.put(f"campaign.{plan.id}", {**told, "name": "Another"})

    await shop.hub.do(change)
    await shop.drain()

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert (progress.state, progress.reason) == (CampaignState.PAUSED, "tampered")
    assert await shop.rows(plan) == []


async def test_a_recipient_whose_customer_is_gone_is_not_written_to(shop: Campaigning) -> None:
    """Nobody is there who agreed."""
    await shop.people(1)
    plan = await shop.begun()
    await shop.fanning_out.work()
    await shop.hub.do(
        lambda uow: uow.recipients.add(BroadcastRecipient(campaign_id=plan.id, phone="34655555555", created_at=NOON))
    )
    await shop.run(minutes=1)

    assert (await shop.words(plan))["34655555555"] == "skipped_noconsent"
    assert "34655555555" not in shop.posted

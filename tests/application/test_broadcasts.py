"""A broadcast reaches each phone at most once, whoever dies meanwhile, and stops when it is told to."""

import contextlib
from collections import Counter
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER, Campaigning, campaigning
from wch.application.broadcasts import TooManyStartsError
from wch.application.fanning_out import BadQuality
from wch.application.outreach import Manners
from wch.application.ports import UnitOfWork
from wch.domain.campaign import CampaignError, CampaignState
from wch.domain.document import amended
from wch.domain.errors import TransitionError, VersionMovedError
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import NOON, SeededIds


@pytest.fixture
async def shop() -> Campaigning:
    made = campaigning()
    await made.template()
    return made


async def test_everybody_gets_it_once(shop: Campaigning) -> None:
    """In their name, and the campaign is over."""
    phones = await shop.people(7)
    plan = await shop.begun()

    await shop.run(minutes=1)

    assert sorted(shop.posted) == phones
    assert set((await shop.words(plan)).values()) == {"sent"}
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.COMPLETED
    body = shop.hub.whatsapp.sent[0].message["template"]["components"][0]["parameters"]
    assert [one["text"] for one in body] == ["Ana", "20 %"]


class Killed(BaseException):
    """The process is gone."""


class Assassin:
    """Kills the process at a named place, now and then, so many times."""

    def __init__(self, kills: int, seed: int) -> None:
        self.left = kills
        self.chance = SeededIds(seed)
        self.places: Counter[str] = Counter()

    def __call__(self, place: str) -> None:
        if self.left and int(self.chance.token()[:4], 16) % 50 == 0:
            self.left -= 1
            self.places[place] += 1
            raise Killed


@pytest.mark.parametrize("seed", range(3))
async def test_no_phone_twice_over_twenty_kills(seed: int) -> None:
    """A thousand recipients; sent, failed, skipped and unconfirmed come to a thousand, opt-outs meanwhile honoured."""
    assassin = Assassin(20, seed)
    shop = campaigning(failpoints=assassin, most_at_once=20, number_rate=100_000)
    await shop.template()
    phones = await shop.people(1000)
    plan = await shop.begun(rate_per_minute=100_000)
    stopped: set[str] = set()

    for second in range(1, 2000):
        with contextlib.suppress(Killed):
            await shop.drain()
        if second == 2:
            stopped = {one for one in phones[900:] if one not in shop.posted}
            for phone in stopped:
                await shop.change(phone, lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))
        shop.hub.clock.advance(1 if second % 5 else 61)
        if (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.COMPLETED and not assassin.left:
            break

    posted = Counter(shop.posted)
    assert assassin.left == 0, assassin.places
    assert max(posted.values()) == 1
    words = await shop.words(plan)
    assert len(words) == 1000
    assert set(words.values()) <= {"sent", "unconfirmed", "skipped_optout", "failed"}
    for phone in stopped - set(posted):
        assert words[phone] == "skipped_optout"
    assert set(posted) <= {phone for phone, word in words.items() if word in {"sent", "unconfirmed"}}


async def test_a_pause_is_not_overtaken(shop: Campaigning) -> None:
    """Once it is answered nothing more leaves, for days; resuming goes on with what is there."""
    await shop.people(60)
    plan = await shop.begun()
    while len(shop.posted) < 20:
        await shop.once()
    await shop.broadcasts.pause(plan.id, by="ana")
    before = len(shop.posted)

    await shop.run(minutes=3)
    shop.hub.clock.advance(timedelta(days=2))
    await shop.drain()

    assert len(shop.posted) == before
    await shop.broadcasts.resume(plan.id, by="ana")
    await shop.run(minutes=3)
    assert len(set(shop.posted)) == len(shop.posted) == 60


@pytest.mark.parametrize("move", ["start", "pause", "resume", "cancel", "unschedule"])
async def test_whoever_saw_an_older_version_moves_nothing(shop: Campaigning, move: str) -> None:
    """It is compared in the transaction that would move it, so nobody comes between."""
    await shop.people(3)
    plan = await shop.begun()
    before = await shop.broadcasts.show(plan.id)

    with pytest.raises(VersionMovedError):
        await getattr(shop.broadcasts, move)(plan.id, by="ana", version=str(before.progress.rev - 1))

    assert await shop.broadcasts.show(plan.id) == before
    cancelled = await shop.broadcasts.cancel(plan.id, by="ana", version=str(before.progress.rev))
    assert cancelled.progress.state is CampaignState.CANCELLED


async def test_cancelling_skips_what_waits(shop: Campaigning) -> None:
    """What left has left; nothing else is posted."""
    await shop.people(60)
    plan = await shop.begun()
    while len(shop.posted) < 10:
        await shop.once()
    await shop.broadcasts.cancel(plan.id, by="ana")
    before = len(shop.posted)

    await shop.run(minutes=2)

    assert len(shop.posted) == before
    counts = await shop.broadcasts.counts(plan.id)
    assert counts == {"sent": before, "skipped_cancelled": 60 - before}
    with pytest.raises(TransitionError):
        await shop.broadcasts.resume(plan.id, by="ana")


async def test_a_stop_between_queue_and_send_is_heard(shop: Campaigning) -> None:
    """Planned is not sent."""
    (phone, other) = await shop.people(2)
    plan = await shop.begun()
    await shop.fanning_out.work()
    await shop.fanning_out.work()
    assert (await shop.words(plan))[phone] == "queued"

    await shop.change(phone, lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))
    await shop.run(minutes=1)

    assert await shop.words(plan) == {phone: "skipped_optout", other: "sent"}
    assert shop.posted == [other]


SKIPPED: list[tuple[str, Any]] = [
    ("skipped_blocked", lambda one: one.blocked("rude", by="ana", now=NOON)),
    ("skipped_optout", lambda one: attrs.evolve(one, notification_opt_out=True)),
    (
        "skipped_unreach",
        lambda one: attrs.evolve(
            one, preferences=amended(one.preferences, unreachable={"until": "2026-04-01T00:00:00Z"})
        ),
    ),
    ("skipped_missing", lambda one: attrs.evolve(one, name=None)),
]


@pytest.mark.parametrize(("word", "change"), SKIPPED, ids=[word for word, _ in SKIPPED])
async def test_who_must_not_get_it_is_skipped_with_the_reason(shop: Campaigning, word: str, change: Any) -> None:
    """The dry run says the same, by the same code."""
    (phone, other) = await shop.people(2)
    await shop.change(phone, change)
    params = {"body": [{"var": "customer_name"}, {"text": "20 %"}]}
    plan, _ = await shop.broadcasts.draft({**EVERYONE, "params": params}, by="ana")
    told = await shop.broadcasts.rehearse(plan)
    await shop.broadcasts.start(plan.id, by="ana")

    await shop.run(minutes=1)

    assert await shop.words(plan) == {phone: word, other: "sent"}
    assert (told["recipients"], told["skips"]) == (1, {word: 1})


async def test_one_contact_in_seven_days(shop: Campaigning) -> None:
    """Over all campaigns, to the second."""
    (phone,) = await shop.people(1)
    first = await shop.begun()
    await shop.run(minutes=1)
    (row,) = await shop.rows(first)
    assert row.sent_at is not None
    shop.hub.clock.set(row.sent_at + timedelta(days=7) - timedelta(seconds=2))
    early = await shop.begun()
    await shop.drain()
    shop.hub.clock.advance(2)
    late = await shop.begun()
    await shop.run(minutes=1)

    assert await shop.words(early) == {phone: "skipped_cap"}
    assert await shop.words(late) == {phone: "sent"}


async def test_at_night_it_waits_for_the_morning(shop: Campaigning) -> None:
    """Quiet hours hold, they drop nobody; eight in the customer's own zone."""
    await shop.people(1)
    shop.hub.clock.set(NOON.replace(hour=22))
    plan = await shop.begun()
    await shop.run(minutes=1)
    assert shop.posted == []

    shop.hub.clock.set(NOON.replace(hour=6, minute=59, second=58) + timedelta(days=1))
    await shop.drain()
    assert shop.posted == []
    shop.hub.clock.advance(2)
    await shop.run(minutes=1)

    assert len(shop.posted) == 1
    assert (await shop.broadcasts.counts(plan.id)) == {"sent": 1}


async def test_who_is_held_holds_up_nobody_else(shop: Campaigning) -> None:
    """A pass goes on to the end before it rests."""
    asleep = await shop.people(60, first=81312345600)
    awake = await shop.people(60)
    shop.hub.clock.set(NOON.replace(hour=14))
    await shop.begun()

    await shop.run(minutes=1)

    assert sorted(shop.posted) == awake
    assert not set(asleep) & set(shop.posted)


async def test_what_could_not_leave_in_its_life_is_skipped() -> None:
    """72 hours after the start."""
    shop = campaigning(manners=Manners(no_marketing_to=frozenset(), zone="Europe/Madrid"))
    await shop.template()
    (phone,) = await shop.people(1)
    hold = {"marketing_until": "2026-03-30T00:00:00Z"}
    await shop.change(phone, lambda one: attrs.evolve(one, preferences=amended(one.preferences, hold=hold)))
    plan = await shop.begun()
    await shop.run(minutes=1)
    assert await shop.words(plan) == {phone: "pending"}

    shop.hub.clock.advance(timedelta(hours=72))
    await shop.run(minutes=70)

    assert await shop.words(plan) == {phone: "skipped_ttl"}
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.COMPLETED


def refused(code: int) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code))


@pytest.mark.parametrize(("code", "reason"), [(131049, "held_back"), (131026, "failed")])
async def test_bad_quality_pauses(code: int, reason: str) -> None:
    """Of the latest that settled; a person resumes it, and is not asked about the same ones again."""
    shop = campaigning(quality=BadQuality(sample=60))
    await shop.template()
    await shop.people(120)
    shop.hub.whatsapp.outcomes += [refused(code)] * 30
    plan = await shop.begun()

    await shop.run(minutes=1)

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert progress.state is CampaignState.PAUSED
    assert str(progress.reason).startswith(reason)
    before = len(shop.posted)
    assert before < 120
    await shop.broadcasts.resume(plan.id, by="ana")
    await shop.run(minutes=3)
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.COMPLETED


async def test_a_word_of_spam_pauses_every_campaign(shop: Campaigning) -> None:
    """131048 once is enough."""
    await shop.people(120)
    one = await shop.begun()
    two = await shop.begun()
    shop.hub.whatsapp.outcomes.append(refused(131048))

    await shop.run(minutes=1)

    for plan in (one, two):
        progress = (await shop.broadcasts.show(plan.id)).progress
        assert (progress.state, progress.reason) == (CampaignState.PAUSED, "spam:131048")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "PAUSED"}, "template:PAUSED"),
        ({"quality": "RED"}, "template:RED"),
        ({"components": ({"type": "BODY", "text": "Other {{1}} {{2}}"},)}, "template:changed"),
    ],
)
async def test_a_template_that_is_not_what_was_planned_pauses(shop: Campaigning, change: Any, reason: str) -> None:
    """Approved again it stays paused, until a person resumes it."""
    await shop.people(3)
    plan = await shop.begun()
    await shop.template(attrs.evolve(OFFER, **change))

    await shop.run(minutes=1)

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert (progress.state, progress.reason) == (CampaignState.PAUSED, reason)
    assert shop.posted == []
    await shop.template()
    await shop.run(minutes=1)
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.PAUSED


async def test_a_plan_that_was_changed_in_its_table_pauses(shop: Campaigning) -> None:
    """What was frozen is what is said, or nothing."""
    await shop.people(3)
    plan = await shop.begun()

    def tamper(uow: UnitOfWork) -> None:
        value = uow.options.get(f"campaign.{plan.id}") or {}
        uow.options.put(f"campaign.{plan.id}", {**value, "name": "Other"})

    await shop.hub.do(tamper)
    await shop.run(minutes=1)

    progress = (await shop.broadcasts.show(plan.id)).progress
    assert (progress.state, progress.reason) == (CampaignState.PAUSED, "tampered")
    with pytest.raises(CampaignError, match="changed after"):
        await shop.broadcasts.resume(plan.id, by="ana")


@pytest.mark.parametrize(
    ("local", "utc"), [("2026-03-29T02:30", "2026-03-29T01:30:00Z"), ("2026-10-25T02:30", "2026-10-25T00:30:00Z")]
)
async def test_a_local_time_that_is_none_or_two(shop: Campaigning, local: str, utc: str) -> None:
    """Moved forward by the gap; the first of two."""
    plan, _ = await shop.broadcasts.draft({**EVERYONE, "schedule": {"at": local, "zone": "Europe/Madrid"}}, by="ana")

    assert plan.schedule["utc"] == utc


async def test_a_schedule_is_kept(shop: Campaigning) -> None:
    """Not a second early; unscheduled it is a draft again."""
    await shop.people(1)
    at = {"at": "2026-03-02T14:00", "zone": "Europe/Madrid"}
    plan = await shop.begun(schedule=at)
    shop.hub.clock.set(NOON + timedelta(minutes=59, seconds=59))
    await shop.drain()
    assert shop.posted == []
    assert (await shop.broadcasts.show(plan.id)).progress.state is CampaignState.SCHEDULED
    await shop.broadcasts.unschedule(plan.id, by="ana")
    await shop.broadcasts.start(plan.id, by="ana")

    shop.hub.clock.advance(1)
    await shop.drain()

    assert len(shop.posted) == 1


CSV = """phone;name;opted_in_at;source
{s};;;
+34 612 34 56 78;;;
+34 600 000 777;New;2026-02-01;fair
+34 600 000 888;No;;
{out};;2026-02-01;fair
abc;;;
"""


async def test_a_list_makes_customers_of_those_with_evidence(shop: Campaigning) -> None:
    """Doubles are one, who is out stays out, bad lines are told by number and never stored."""
    (s, out) = [*await shop.people(1, first=34612345678), *await shop.people(1, first=34600000999)]
    await shop.change(out, lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))
    told = {**EVERYONE, "audience": {"all": [{"upload": True}]}}
    plan, upload = await shop.broadcasts.draft(told, by="ana", upload=CSV.format(s=s, out=out).encode())
    rehearsed = await shop.broadcasts.rehearse(plan)
    await shop.broadcasts.start(plan.id, by="ana")

    await shop.run(minutes=1)

    assert upload is not None
    assert upload.bad == [7]
    assert await shop.words(plan) == {
        s: "sent",
        "34600000777": "sent",
        "34600000888": "skipped_noconsent",
        out: "skipped_optout",
    }
    assert rehearsed["recipients"] == 2
    assert rehearsed["skips"] == {"skipped_noconsent": 1, "skipped_optout": 1}


def bought(one: Any) -> Any:
    seen = OrderSeen(id=1, at=NOON, modified=NOON, status="completed", total=600, currency="EUR", categories=(15,))  # type: ignore[arg-type]  # any amount does
    return Counting(home="EUR").noted(one, seen, now=NOON)


CRITERIA: list[tuple[dict[str, Any], Any]] = [
    ({"tags_any": ["vip", "x"]}, lambda one: one.tagged("VIP", now=NOON)),
    ({"tags_all": ["a", "b"]}, lambda one: one.tagged("a", now=NOON).tagged("B", now=NOON)),
    ({"segment": ["gold"]}, bought),
    ({"ordered_within_days": 30}, bought),
    ({"bought_category": [15]}, bought),
    ({"language": ["pt"]}, lambda one: one.speaking("pt_BR", now=NOON)),
    ({"last_contact_within_days": 7}, lambda one: attrs.evolve(one, last_interaction_at=NOON)),
]


@pytest.mark.parametrize(("criterion", "change"), CRITERIA, ids=[next(iter(one)) for one, _ in CRITERIA])
async def test_every_criterion_is_applied(shop: Campaigning, criterion: dict[str, Any], change: Any) -> None:
    """Under `all` it takes, under `none` it takes away."""
    (phone, other) = await shop.people(2)
    await shop.change(phone, change)
    wanted, _ = await shop.broadcasts.draft({**EVERYONE, "audience": {"all": [criterion]}}, by="ana")
    others, _ = await shop.broadcasts.draft({**EVERYONE, "audience": {"everyone": True, "none": [criterion]}}, by="ana")
    for plan in (wanted, others):
        await shop.broadcasts.start(plan.id, by="ana")
        await shop.run(minutes=1)

    assert set(await shop.words(wanted)) == {phone}
    assert set(await shop.words(others)) == {other}


async def test_a_country_and_an_earlier_campaign_are_criteria(shop: Campaigning) -> None:
    """For example the failed ones of the last."""
    await shop.people(1)
    (german,) = await shop.people(1, first=4915112345678)
    shop.hub.whatsapp.outcomes.append(refused(131026))
    first = await shop.begun(audience={"all": [{"country": ["DE"]}]})
    await shop.run(minutes=1)
    assert await shop.words(first) == {german: "failed"}
    again = await shop.begun(audience={"all": [{"of_campaign": {"id": first.id, "statuses": ["failed"]}}]})
    await shop.run(minutes=1)

    assert await shop.words(again) == {german: "sent"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"audience": {}}, "names nobody"),
        ({"audience": {"all": [{"tags_any": []}]}}, "not empty"),
        ({"audience": {"all": [{"age": 5}]}}, "no criterion age"),
        ({"audience": {"all": [{"ordered_within_days": 400}]}}, "1 to 365"),
        ({"audience": {"all": [{"broadcast_within_days": 3}]}}, "no criterion broadcast_within_days"),
        ({"template": None}, "needs a template"),
        ({"template": "unknown"}, "templates sync"),
        ({"name": ""}, "needs a name"),
        ({"schedule": {"at": "tomorrow"}}, "local time"),
        ({"send_window": ["9", "x"]}, "two times"),
        ({"colour": "red"}, "has no colour"),
    ],
)
async def test_a_plan_that_cannot_be_carried_out_is_refused(
    shop: Campaigning, change: dict[str, Any], complaint: str
) -> None:
    """In a sentence that says what to do; nothing is kept."""
    with pytest.raises(CampaignError, match=complaint):
        await shop.broadcasts.draft({**EVERYONE, **change}, by="ana")

    assert await shop.broadcasts.listed() == []


async def test_what_it_costs_and_how_long_it_takes(shop: Campaigning) -> None:
    """Countries without a price are named with their number, never guessed."""
    await shop.people(60)
    await shop.people(40, first=351912345600)
    limits = {"v": 1, "tier": 50}
    await shop.hub.do(lambda uow: uow.options.put("whatsapp.limits", limits))
    plan, _ = await shop.broadcasts.draft(EVERYONE, by="ana")

    told = await shop.broadcasts.rehearse(plan)

    assert told["cost"] == {"EUR": "3.00"}
    assert told["without_price"] == {"PT": 40}
    assert told["days"] == 2
    assert told["finishes_at"].startswith("2026-03-03")


async def test_what_was_sent_within_a_day_is_no_longer_free(shop: Campaigning) -> None:
    """Ten were written to of a tier of fifty, so fifty more take two days, and a day later only one."""
    await shop.hub.do(lambda uow: uow.options.put("whatsapp.limits", {"v": 1, "tier": 50}))
    await shop.people(10)
    await shop.begun()
    await shop.run(minutes=1)
    await shop.people(50, first=34700000000)
    plan, _ = await shop.broadcasts.draft({**EVERYONE, "name": "second"}, by="ana")

    told = await shop.broadcasts.rehearse(plan)
    shop.hub.clock.advance(27 * 3600)
    later = await shop.broadcasts.rehearse(plan)

    assert (told["recipients"], told["used_24h"], told["days"]) == (50, 10, 2)
    assert (later["used_24h"], later["days"]) == (0, 1)


async def test_the_report_adds_up(shop: Campaigning) -> None:
    """Counts by word, failures by code, replies and opt-outs within a day; a CSV that no table runs as a formula."""
    phones = await shop.people(4)
    await shop.change(phones[3], lambda one: attrs.evolve(one, name="=cmd()"))
    shop.hub.whatsapp.outcomes.append(refused(131026))
    plan = await shop.begun()
    await shop.run(minutes=1)
    shop.hub.clock.advance(60)
    await shop.hub.hear("nice", sender=phones[2])

    report = await shop.broadcasts.report(plan.id)

    assert report["counts"] == {"sent": 3, "failed": 1}
    assert report["failures"] == {"131026": 1}
    assert report["replies_24h"] == 1
    lines = [line async for line in shop.broadcasts.lines(plan.id)]
    assert len(lines) == 5
    assert "'=cmd()" in {line[1] for line in lines}


async def test_starts_are_limited(shop: Campaigning) -> None:
    """Ten an hour for each operator; starting what runs costs nothing."""
    plans = [await shop.begun() for _ in range(10)]
    await shop.broadcasts.start(plans[0].id, by="ana")

    with pytest.raises(TooManyStartsError):
        await shop.begun()


async def test_the_cap_on_what_waits_is_kept(shop: Campaigning) -> None:
    """At most 500 rows at a time, however many recipients there are."""
    await shop.people(700)
    await shop.begun()
    for _ in range(40):
        await shop.fanning_out.work()

    assert await shop.hub.see(lambda uow: uow.messages.waiting_campaign(1000)) == 500


async def test_only_a_draft_is_deleted(shop: Campaigning) -> None:
    """With the recipients of its list; what runs is cancelled instead."""
    (s,) = await shop.people(1)
    told = {**EVERYONE, "audience": {"all": [{"upload": True}]}}
    plan, _ = await shop.broadcasts.draft(told, by="ana", upload=f"phone\n{s}\n".encode())
    await shop.broadcasts.delete(plan.id, by="ana")

    assert await shop.broadcasts.listed() == []
    assert await shop.rows(plan) == []
    running = await shop.begun()
    with pytest.raises(TransitionError, match="Only a draft"):
        await shop.broadcasts.delete(running.id, by="ana")

"""Three days of a shop with two hundred customers, under a clock that is moved: who got which reminder when, and why."""

import asyncio
import itertools
import sys
import time as stopwatch
from collections import Counter, defaultdict
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from tests.application.outreaching import HOUR, TEN, Shop, drawn, shopping, text_of
from wch.application.outreach import zones_of
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.conversation import ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.moment import iso

CUSTOMERS = 200
STEP = timedelta(minutes=10)
DAYS = 3
WEEK = timedelta(days=7)
COUNTRIES = ("346", "4915", "5511", "9198", "8190", "9715", "1650")
FATES = ("leaves", "leaves", "leaves", "orders", "writes", "refuses", "changes", "a person", "reached", "out before")
SECONDS = 20.0


@attrs.frozen(kw_only=True)
class Visit:
    """What one customer does: fills a cart at one moment, and something else later."""

    phone: str
    comes_at: datetime
    fate: str
    acts_at: datetime


@attrs.define(kw_only=True)
class Story:
    """What was seen in three days."""

    visits: tuple[Visit, ...]
    rows: list[tuple[str, Message]] = attrs.field(factory=list)
    profiles: dict[str, CustomerProfile] = attrs.field(factory=dict)
    lines: list[str] = attrs.field(factory=list)
    reasons: dict[str, str] = attrs.field(factory=dict)
    seconds: float = 0.0


def written(seed: int) -> tuple[Visit, ...]:
    """The script of three days; the same number writes the same one."""
    visits = []
    for number in range(CUSTOMERS):
        comes_at = TEN + timedelta(minutes=drawn(seed, number, "comes", below=60 * 60))
        visits.append(
            Visit(
                phone=f"{COUNTRIES[drawn(seed, number, 'country', below=len(COUNTRIES))]}{5000000 + number:07d}",
                comes_at=comes_at,
                fate=FATES[drawn(seed, number, "fate", below=len(FATES))],
                acts_at=comes_at + timedelta(minutes=5 + drawn(seed, number, "acts", below=40 * 60)),
            )
        )
    return tuple(visits)


async def lived(seed: int) -> Story:
    """Play the script, ten minutes at a time, and write down what left and why the rest did not."""
    began = stopwatch.process_time()
    story = Story(visits=written(seed))
    shop = await shopping()
    for visit in story.visits:
        if visit.fate == "out before":
            await shop.meets(visit.phone, consent="out")
        if visit.fate == "reached":
            await _reach(shop, visit.phone)
    coming = sorted(story.visits, key=lambda one: (one.comes_at, one.phone))
    acting = sorted(story.visits, key=lambda one: (one.acts_at, one.phone))
    number = 0
    while shop.hub.clock.now() < TEN + timedelta(days=DAYS):
        shop.hub.clock.advance(STEP)
        now = shop.hub.clock.now()
        while coming and coming[0].comes_at <= now:
            visit = coming.pop(0)
            await shop.fill(visit.phone, consent="out" if visit.fate == "out before" else "in")
        while acting and acting[0].acts_at <= now:
            number += 1
            await _act(shop, acting.pop(0), number)
        await shop.pass_()
    await _told(shop, story)
    story.seconds = stopwatch.process_time() - began
    return story


async def _reach(shop: Shop, phone: str) -> None:
    """A broadcast reached them the day before."""

    def work(uow: UnitOfWork) -> None:
        at = TEN - timedelta(days=1)
        uow.customers.lock(phone, now=at)
        row = BroadcastRecipient(campaign_id=1, phone=phone, status=RecipientStatus.READ, sent_at=at, created_at=at)
        uow.recipients.add(row)

    await shop.hub.do(work)


async def _act(shop: Shop, visit: Visit, number: int) -> None:
    now = shop.hub.clock.now()
    if visit.fate == "orders":
        cart = await shop.cart(visit.phone)
        await shop.orders(number, visit.phone, placement=cart.saga_id)
    elif visit.fate == "changes":
        await shop.fill(visit.phone, quantity=1)
    elif visit.fate in {"writes", "refuses", "a person"}:

        def work(uow: UnitOfWork) -> None:
            profile = uow.customers.lock(visit.phone, now=now)
            if visit.fate == "a person":
                thread = shop.hub.speaker.thread(uow, profile, now=now)
                uow.conversations.save(attrs.evolve(thread, status=ConversationStatus.ESCALATED))
            elif visit.fate == "refuses":
                uow.customers.save(profile.consenting("marketing", "out", source="keyword", now=now))
            else:
                uow.customers.save(attrs.evolve(profile, last_interaction_at=now))

        await shop.hub.do(work)


async def _told(shop: Shop, story: Story) -> None:
    for visit in story.visits:
        story.profiles[visit.phone] = await shop.customer(visit.phone)
        for row in await shop.hub.rows(visit.phone):
            story.rows.append((visit.phone, row))
            trace: Any = row.content.get("policy", {}).get("taken") or row.content["policy"]["planned"]
            why = row.error_message or trace["reason"] or "every rule allowed it"
            at = iso(row.sent_at or row.updated_at)
            story.lines.append(f"{at} {visit.phone} {text_of(row)} {row.status}: {why}")
        cart = await shop.cart(visit.phone)
        told = await shop.explaining.cart(cart.id)
        story.reasons[visit.phone] = f"{visit.fate}: {told.outcome} {told.reason}"
    story.lines.sort()


@pytest.fixture(scope="module")
def story() -> Story:
    return asyncio.run(lived(2026))


@pytest.fixture(scope="module")
def again() -> Story:
    """The same once more, without the tracer that counts covered lines: it would be timed with it."""
    tracer = sys.gettrace()
    sys.settrace(None)
    try:
        return asyncio.run(lived(2026))
    finally:
        sys.settrace(tracer)


def _sent(story: Story) -> list[tuple[str, Message, datetime]]:
    return [(phone, row, row.sent_at) for phone, row in story.rows if row.sent_at is not None]


def test_three_days_pass_in_seconds(story: Story, again: Story) -> None:
    """And enough happens in them to mean something: every text leaves, and every fate is met."""
    texts = Counter(text_of(row) for _, row, _ in _sent(story))

    assert again.seconds < SECONDS
    assert {one.fate for one in story.visits} == set(FATES)
    assert min(texts.get(f"abandoned_cart_reminder_{number}", 0) for number in (1, 2, 3)) >= 10


def test_the_same_script_tells_the_same_story(story: Story, again: Story) -> None:
    """Nothing depends on the machine, on chance or on the order of a dictionary."""
    assert again.lines == story.lines
    assert again.reasons == story.reasons
    assert written(1) != written(2026)


def test_no_reminder_leaves_twice_and_slots_fill_in_order(story: Story) -> None:
    """One text each, the first text first, at least four hours between two."""
    of: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for phone, row, at in _sent(story):
        assert at >= row.created_at
        of[phone].append((row.created_at, int(text_of(row)[-1])))

    for phone, sent in of.items():
        sent.sort()
        assert [number for _, number in sent] == list(range(1, len(sent) + 1)), phone
        assert all(late - early >= 4 * HOUR for (early, _), (late, _) in itertools.pairwise(sent)), phone


def test_no_reminder_leaves_after_an_order_a_refusal_or_an_answer(story: Story) -> None:
    """Whatever ended the cause ended the reminders, from that pass on."""
    ends = {one.phone: one.acts_at for one in story.visits if one.fate in {"orders", "refuses", "a person"}}
    out = {one.phone for one in story.visits if one.fate == "out before"}

    assert [phone for phone, _, at in _sent(story) if phone in ends and at >= ends[phone] + STEP] == []
    assert [phone for phone, _, _ in _sent(story) if phone in out] == []
    wrote = {one.phone: one.acts_at for one in story.visits if one.fate == "writes"}
    answered = {phone for phone, _, at in _sent(story) if phone in wrote and at < wrote[phone]}
    assert answered
    assert [phone for phone, _, at in _sent(story) if phone in answered and at >= wrote[phone] + STEP] == []


def test_no_reminder_leaves_at_night(story: Story) -> None:
    """In none of the zones that the customer's number can lie in."""
    for phone, _, at in _sent(story):
        for zone in zones_of(story.profiles[phone]):
            assert time(8) <= at.astimezone(ZoneInfo(zone)).time() < time(22), (phone, zone, at)


def test_no_reminder_leaves_over_the_cap(story: Story) -> None:
    """One contact in seven days, over all kinds: who was reached by a broadcast is left alone."""
    reached = {one.phone for one in story.visits if one.fate == "reached"}
    contacts: dict[str, set[str]] = defaultdict(set)
    for phone, row, _ in _sent(story):
        origin: Any = row.content["origin"]
        contacts[phone].add(str(origin["ref"]).rpartition(":")[0])

    assert reached.isdisjoint(contacts)
    assert {len(refs) for refs in contacts.values()} == {1}
    assert all("cap" in story.reasons[phone] or "subject" in story.reasons[phone] for phone in reached)


def test_everything_has_its_reason(story: Story) -> None:
    """Each message has its line, and each cart says why nothing more comes."""
    assert len(story.lines) == len(story.rows)
    assert all(": " in line and not line.endswith(": ") for line in story.lines)
    expected = {
        "orders": "subject",
        "refuses": "consent",
        "out before": "consent",
        "reached": "cap",
        "a person": "person",
    }
    for visit in story.visits:
        reason = story.reasons[visit.phone]
        assert not reason.endswith("None") or "send" in reason, reason
        word = expected.get(visit.fate)
        if word is not None and visit.acts_at < TEN + timedelta(days=DAYS) - STEP:
            assert word in reason or "no_reminder_left" in reason or "subject" in reason, reason

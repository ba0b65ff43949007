"""Why a cart was, was not or will be reminded of, by the rules that the worker asks: now, and at any earlier moment."""

import os
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal

import attrs
import pytest

from tests.application.outreaching import HOUR, SARA, TEN, Shop, drawn, shopping
from wch.application.breakers import WHATSAPP
from wch.application.explaining import Explanation, sentence
from wch.application.health import STOPPED
from wch.application.limits import PAIR, TIER_COUNTED, Limits, tier
from wch.application.pacing import number_breaker
from wch.application.ports import UnitOfWork
from wch.application.tiers import PORTFOLIO
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import ConversationStatus
from wch.domain.document import amended
from wch.domain.message_template import MessageTemplate, option_of
from wch.domain.moment import iso
from wch.domain.rate_limit import RateLimit
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.verdict import RULES
from wch.testing.contract.samples import inbound, thread

CASES = int(os.environ.get("WCH_GENERATED_CASES", "1000"))
"""So many generated customers are explained and then left to the worker; ten thousand before a release."""

NOON = TEN + 2 * HOUR
Change = Callable[[Shop], Awaitable[None]]


async def due(shop: Shop) -> None:
    """Sara's first reminder is due this moment, and nobody has looked at it yet."""
    await shop.fill()
    shop.hub.clock.advance(HOUR)
    await shop.carts.work()
    shop.hub.clock.advance(HOUR)


async def explained(shop: Shop, **asked: object) -> Explanation:
    return await shop.explaining.cart((await shop.cart()).id, **asked)  # type: ignore[arg-type]  # as asked


async def _stopped(shop: Shop) -> None:
    await shop.hub.do(lambda uow: uow.options.put(STOPPED, {"v": 1, "why": "sign_in"}))


async def _blocked(shop: Shop) -> None:
    await shop.change(lambda one: one.blocked("spam", by="ana", now=NOON))


async def _unreachable(shop: Shop) -> None:
    told = {"in_a_row": 3, "until": iso(NOON + 24 * HOUR)}
    await shop.change(lambda one: attrs.evolve(one, preferences=amended(one.preferences, unreachable=told)))


async def _out(shop: Shop) -> None:
    await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=NOON))


async def _ordered(shop: Shop) -> None:
    await shop.orders(7)


async def _wrote(shop: Shop) -> None:
    await shop.change(lambda one: attrs.evolve(one, last_interaction_at=NOON - HOUR / 2))


async def _person(shop: Shop) -> None:
    def work(uow: UnitOfWork) -> None:
        thread = shop.hub.speaker.thread(uow, uow.customers.lock(SARA, now=NOON), now=NOON)
        uow.conversations.save(attrs.evolve(thread, status=ConversationStatus.ESCALATED))

    await shop.hub.do(work)


async def _held_back(shop: Shop) -> None:
    held = {"marketing_until": iso(NOON + 24 * HOUR), "code": 131049}
    await shop.change(lambda one: attrs.evolve(one, preferences=amended(one.preferences, hold=held)))


async def _reached(shop: Shop) -> None:
    def work(uow: UnitOfWork) -> None:
        at = NOON - 24 * HOUR
        contact = Reengagement(customer_phone=SARA, campaign_type=CampaignType.WE_MISS_YOU, created_at=at, sent_at=at)
        uow.reengagements.add(contact)

    await shop.hub.do(work)


async def _no_template(shop: Shop) -> None:
    await shop.hub.do(lambda uow: uow.options.remove(option_of("abandoned_cart_reminder_1", "en")))


async def _no_value(shop: Shop) -> None:
    text = {"type": "BODY", "text": "Hello {{1}} {{2}} {{3}} {{4}} {{5}} {{6}}"}
    one = MessageTemplate(name="abandoned_cart_reminder_1", language="en", components=(text,))
    await shop.hub.do(lambda uow: uow.options.put(option_of(one.name, one.language), one.to_json()))


async def _over(shop: Shop) -> None:
    shop.hub.clock.advance(61 * HOUR)  # the cart itself ends 72 hours after it was filled
    shop.hub.clock.advance(9 * HOUR)


async def _night(shop: Shop) -> None:
    await shop.change(lambda one: attrs.evolve(one, preferences=amended(one.preferences, timezone="Asia/Tokyo")))
    shop.hub.clock.advance(2 * HOUR)


async def _breaker_open(shop: Shop) -> None:
    await shop.hub.breakers.open(WHATSAPP, by="ana")


async def _number_rests(shop: Shop) -> None:
    await shop.hub.do(lambda uow: shop.hub.breakers.rest_in(uow, number_breaker(""), timedelta(minutes=2)))


async def _number_full(shop: Shop) -> None:
    await shop.hub.do(lambda uow: _used(uow, shop.hub.limits, "whatsapp_number", "", 64))


async def _pair_full(shop: Shop) -> None:
    await shop.hub.do(lambda uow: _used(uow, shop.hub.limits, PAIR, f":{SARA}", PAIR.most))


async def _customer_full(shop: Shop) -> None:
    await shop.hub.do(lambda uow: _used(uow, shop.hub.limits, shop.hub.limits.rule("message_send"), f":{SARA}", 50))


async def _tier_full(shop: Shop) -> None:
    def work(uow: UnitOfWork) -> None:
        uow.options.put("whatsapp.limits", {"v": 1, "tier": 250})
        _used(uow, shop.hub.limits, tier(250), PORTFOLIO, 250)

    await shop.hub.do(work)


def _used(uow: UnitOfWork, limits: Limits, rule: RateLimit | str, whose: str, times: int) -> None:
    """So many went through this very second."""
    name, part = (rule, NOON) if isinstance(rule, str) else (rule.name, rule.part_of(NOON))
    digest = limits.digests.of(whose)
    uow.limits.lock(digest, name)
    uow.limits.hit(digest, name, part, times)


GATES: dict[str, tuple[str, Change]] = {
    "breaker": ("breaker", _breaker_open),
    "breaker: the number's pause": ("breaker", _number_rests),
    "number": ("number", _number_full),
    "pair": ("pair", _pair_full),
    "pair: message_send": ("pair", _customer_full),
    "tier": ("tier", _tier_full),
}

OBSTACLES: dict[str, tuple[str, Change]] = {
    "enabled": ("hold", _stopped),
    "customer: blocked": ("refuse", _blocked),
    "customer: unreach": ("refuse", _unreachable),
    "consent": ("refuse", _out),
    "subject: ordered": ("refuse", _ordered),
    "subject: just wrote": ("hold", _wrote),
    "person": ("hold", _person),
    "cooldown": ("hold", _held_back),
    "cap": ("refuse", _reached),
    "quiet": ("hold", _night),
    "template": ("refuse", _no_template),
    "content": ("refuse", _no_value),
    "life": ("refuse", _over),
    **{f"pace: {name}": ("hold", change) for name, (_, change) in GATES.items()},
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
async def test_each_rule_alone_is_named_and_stops_the_worker(obstacle: str) -> None:
    """The outcome names that rule, every other says allow, and nothing is written."""
    outcome, change = OBSTACLES[obstacle]
    shop = await shopping()
    await due(shop)
    await change(shop)

    told = await explained(shop)
    written = await shop.reminders.work()

    not_allowed = [str(rule["rule"]) for rule in told.rules if rule["verdict"] != "allow"]
    rule = obstacle.partition(":")[0]
    assert [one["rule"] for one in told.rules] == list(RULES)
    assert told.outcome == outcome
    assert not_allowed == [rule]
    assert written == 0
    assert all(sentence(one) for one in told.rules)


@pytest.mark.parametrize("name", GATES)
async def test_a_gate_that_is_shut_is_named_with_its_end(name: str) -> None:
    """No slot is taken before; at that moment the reminder goes."""
    gate, change = GATES[name]
    shop = await shopping()
    await due(shop)
    await change(shop)

    told = await explained(shop)

    assert (told.outcome, told.reason) == ("hold", f"pace:{gate}")
    assert told.until is not None
    shop.hub.clock.set(told.until - timedelta(seconds=1))
    assert await shop.reminders.work() == 0
    shop.hub.clock.set(told.until)
    assert await shop.reminders.work() == 1
    assert await shop.hub.outbox.work() == 1


async def test_a_tier_that_is_used_up_is_none_of_those_who_may_be_written_to_freely() -> None:
    """Inside a window, and to whom a template went today already, nothing is counted."""
    for free in ("wrote", "counted"):
        shop = await shopping()
        await due(shop)
        await _tier_full(shop)
        if free == "counted":
            await shop.hub.do(lambda uow: _used(uow, shop.hub.limits, TIER_COUNTED, SARA, 1))  # noqa: B023 - awaited here
        else:
            await shop.hub.do(_heard)

        told = await explained(shop)
        assert (told.outcome, told.reason) == ("send", None)


def _heard(uow: UnitOfWork) -> None:
    """Sara wrote long before she filled her cart, and may be written to freely still."""
    talk = uow.conversations.add(thread(SARA, created_at=TEN - HOUR))
    uow.messages.add(inbound(talk.id, created_at=TEN - HOUR, sent_at=TEN - HOUR))


async def test_a_country_without_marketing_is_named() -> None:
    """Where the number is from decides, not where the shop is."""
    shop = await shopping(manners={"no_marketing_to": frozenset({"ES"})})
    await due(shop)

    told = await explained(shop)

    assert (told.outcome, told.reason) == ("refuse", "country")
    assert await shop.reminders.work() == 0


async def test_what_was_true_at_noon_is_told_in_the_evening() -> None:
    """Consent by the log, caps and orders by their rows; what no row dates says so."""
    shop = await shopping()
    await due(shop)
    shop.hub.clock.advance(6 * HOUR)
    await _out(shop)
    await _reached(shop)
    await shop.hub.do(_sent_now(shop))
    await shop.orders(7)

    now = await explained(shop)
    noon = await explained(shop, at=NOON - timedelta(seconds=1))

    assert now.outcome == "refuse"
    assert [rule["rule"] for rule in noon.rules if rule["verdict"] == "refuse"] == ["cap"]
    asked = {str(rule["rule"]): rule["facts"].get("as_of") for rule in noon.rules}
    assert (asked["template"], asked["person"], asked["consent"], asked["cap"]) == ("now", "now", None, None)
    assert [rule["facts"].get("as_of") for rule in now.rules] == [None] * len(RULES)


def _sent_now(shop: Shop) -> Callable[[UnitOfWork], None]:
    def work(uow: UnitOfWork) -> None:
        now = shop.hub.clock.now()
        contact = Reengagement(customer_phone=SARA, campaign_type=CampaignType.PRICE_DROP, created_at=now, sent_at=now)
        uow.reengagements.add(contact)

    return work


async def test_before_it_was_left_lying_there_was_nothing_to_remind_of() -> None:
    """And before the first reminder left, it was not there yet."""
    shop = await shopping()
    await shop.fill()
    await shop.until(TEN + 25 * HOUR)

    early = await explained(shop, at=TEN + HOUR / 2)
    between = await explained(shop, at=TEN + HOUR + HOUR / 2)
    late = await explained(shop)

    assert (early.outcome, early.reason) == ("refuse", "subject:not_abandoned")
    assert (between.outcome, between.reason, between.until) == ("hold", "due", NOON)
    assert [step["what"] for step in between.history] == ["opened", "abandoned"]
    assert (late.outcome, late.reason) == ("done", "no_reminder_left")


async def test_a_moment_that_died_is_told_as_such() -> None:
    """Due, held by what until when, over."""
    shop = await shopping()
    await due(shop)
    await _held_back(shop)
    await shop.until(TEN + 30 * HOUR)

    told = await explained(shop)

    steps = [(step["at"], step["what"], step.get("why")) for step in told.history]
    assert (iso(NOON), "reminder due", f"cooldown until {iso(NOON + 24 * HOUR)}") in steps
    assert (iso(NOON + 12 * HOUR), "reminder over", "its moment died") in steps
    assert "reminder 1 sent" in [what for _, what, _ in steps]
    assert [at for at, _, _ in steps] == sorted(at for at, _, _ in steps)


async def test_a_recovery_is_the_end_of_the_story() -> None:
    """With the order that it was."""
    shop = await shopping()
    await shop.fill()
    await shop.until(NOON)
    cart = await shop.cart()
    shop.hub.clock.advance(HOUR)
    await shop.orders(7, placement=cart.saga_id)

    told = await explained(shop)
    before = await explained(shop, at=NOON + HOUR / 2)

    assert told.history[-1]["what"] == "recovered by order 7"
    assert before.history[-1]["what"] == "reminder 1 sent"


async def test_explaining_and_the_worker_agree_about_everybody() -> None:
    """Over generated customers: what explain says of this moment is what the worker does at it."""
    shop = await shopping()
    phones = [f"346{5000000 + number:07d}" for number in range(CASES)]

    def generated(uow: UnitOfWork) -> None:
        for place, phone in enumerate(phones):
            _generated(uow, place, phone)
            if drawn(7, place, "burst", below=12) == 0:
                _used(uow, shop.hub.limits, PAIR, f":{phone}", PAIR.most)

    await shop.hub.do(generated)
    shop.hub.clock.advance(NOON - shop.hub.clock.now())
    carts = await shop.hub.see(lambda uow: [uow.carts.of(phone) for phone in phones])
    told = {cart.customer_phone: await shop.explaining.cart(cart.id) for cart in carts}

    await shop.reminders.work()

    outcomes = {one.outcome for one in told.values()}
    reasons = {str(one.reason).partition(":")[0] for one in told.values()}
    for phone in phones:
        cart = await shop.cart(phone)
        written = cart.reminder_1_sent_at == NOON
        assert written == (told[phone].outcome == "send"), (phone, told[phone])
    assert outcomes == {"send", "hold", "refuse"}
    assert reasons >= {"customer", "consent", "subject", "cooldown", "cap", "quiet", "due", "life", "pace", "None"}


def _generated(uow: UnitOfWork, place: int, phone: str) -> None:
    """A customer with a cart left lying, and of each obstacle some have it."""

    def has(what: str, of: int = 8) -> bool:
        return drawn(7, place, what, below=of) == 0

    at = TEN
    profile = uow.customers.lock(phone, now=at)
    if not has("no word"):
        profile = profile.consenting(
            "all" if has("all") else "marketing", "out" if has("out") else "in", source="keyword", now=at
        )
    if has("blocked", 20):
        profile = profile.blocked("spam", by="ana", now=at)
    if has("wrote"):
        profile = attrs.evolve(
            profile, last_interaction_at=at + HOUR + timedelta(minutes=drawn(7, place, "m", below=60))
        )
    if has("hold", 12):
        hold = {"marketing_until": iso(NOON + 24 * HOUR)}
        profile = attrs.evolve(profile, preferences=amended(profile.preferences, hold=hold))
    if has("zone", 6):
        zones = ("Asia/Tokyo", "America/Los_Angeles", "Pacific/Auckland", "Europe/Madrid")
        zone = zones[drawn(7, place, "which", below=len(zones))]
        profile = attrs.evolve(profile, preferences=amended(profile.preferences, timezone=zone))
    uow.customers.save(attrs.evolve(profile, name="Sara"))
    item = CartItem(product_id=1, quantity=1, price_at_add=Decimal(20), currency="EUR", product_name="Mug", added_at=at)
    cart = uow.carts.add(Cart.opened(phone, now=at).added(item, now=at))
    held = uow.carts.get(cart.id, lock=True)
    assert held is not None
    left_at = at + HOUR + (timedelta(minutes=30) if has("later") else timedelta(0))
    held = attrs.evolve(held, updated_at=at).abandoned(now=left_at)
    if has("ended", 12):
        held = attrs.evolve(held, expires_at=NOON)
    uow.carts.save(held)
    uow.reengagements.add(
        Reengagement(customer_phone=phone, campaign_type=CampaignType.CART_REMINDER, created_at=left_at)
    )
    if has("reached"):
        before = at - timedelta(days=drawn(7, place, "days", below=12))
        uow.reengagements.add(
            Reengagement(
                customer_phone=phone, campaign_type=CampaignType.WE_MISS_YOU, created_at=before, sent_at=before
            )
        )

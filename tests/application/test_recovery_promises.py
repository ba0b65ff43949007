"""What the shop is promised about abandoned carts, each example as it was written down."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import attrs
import pytest

from tests.application.campaigning import campaigning
from tests.application.outreaching import HOUR, SARA, TEN, Shop, shopping, text_of
from wch import Settings
from wch.application.failpoints import Failpoints
from wch.application.fanning_out import FanningOut
from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import CartStatus, Slot
from wch.domain.document import amended
from wch.domain.errors import SettingsError
from wch.domain.message import MessageStatus
from wch.domain.message_template import MessageTemplate, option_of
from wch.domain.reengagement import CampaignType
from wch.testing.scripted_shop import LostAnswer, Refused, Unavailable

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def shop() -> Shop:
    made = await shopping()
    await made.fill()
    return made


async def at(shop: Shop, after: timedelta) -> None:
    """So long after ten in the morning, with nobody having looked at anything meanwhile."""
    shop.hub.clock.advance(TEN + after - shop.hub.clock.now())


async def due(shop: Shop) -> None:
    """The first reminder is due this moment."""
    await at(shop, HOUR)
    await shop.carts.work()
    await at(shop, 2 * HOUR)


def parameters(shop: Shop, number: int = -1) -> list[str]:
    template = shop.hub.whatsapp.sent[number].message["template"]
    return [str(one["text"]) for one in template["components"][0]["parameters"]]


# --- becoming abandoned


async def test_an_hour_without_activity_abandons_a_cart_to_the_second(shop: Shop) -> None:
    """`updated_at` stays, and one row counts the sequence; a word of the customer puts it off."""
    before = (await shop.cart()).updated_at
    await at(shop, HOUR - timedelta(seconds=1))
    await shop.carts.work()
    assert (await shop.cart()).status is CartStatus.ACTIVE

    await at(shop, HOUR)
    for _ in range(3):
        await shop.carts.work()

    cart = await shop.cart()
    assert (cart.status, cart.abandoned_at, cart.updated_at) == (CartStatus.ABANDONED, TEN + HOUR, before)
    assert len(await shop.contacts(CampaignType.CART_REMINDER)) == 1


async def test_a_word_of_the_customer_puts_abandonment_off(shop: Shop) -> None:
    """At a quarter past ten they wrote: at a quarter past eleven it is abandoned."""
    await shop.change(lambda one: attrs.evolve(one, last_interaction_at=TEN + 15 * MINUTE))

    states = []
    for after in (HOUR, HOUR + 14 * MINUTE, HOUR + 15 * MINUTE):
        await at(shop, after)
        await shop.carts.work()
        states.append((await shop.cart()).status)

    assert states == [CartStatus.ACTIVE, CartStatus.ACTIVE, CartStatus.ABANDONED]


# --- three reminders


@pytest.mark.parametrize(("currency", "total"), [("EUR", "40,00 €"), ("JPY", "40 JPY")])
async def test_amounts_are_written_as_the_customer_writes_them(currency: str, total: str) -> None:
    """Two at twenty, in Spanish: euros with two places, yen without any."""
    shop = await shopping()
    await shop.fill()
    text = {"type": "BODY", "text": "Hola {{1}}: {{2}}, {{3}}, {{4}}"}

    def spanish(uow: UnitOfWork) -> None:
        one = MessageTemplate(name="abandoned_cart_reminder_1", language="es", components=(text,))
        uow.options.put(option_of(one.name, one.language), one.to_json())
        cart = uow.carts.of(SARA, lock=True)
        assert cart is not None
        uow.carts.save(attrs.evolve(cart, items=tuple(attrs.evolve(one, currency=currency) for one in cart.items)))

    await shop.hub.do(spanish)
    await shop.change(lambda one: attrs.evolve(one, preferences=amended(one.preferences, language="es")))
    await shop.until(TEN + 2 * HOUR)

    assert parameters(shop)[3].replace("\xa0", " ") == total


def test_moments_that_do_not_ascend_are_refused_at_the_start() -> None:
    """Six hours, one hour, a day: nobody could say which comes first."""
    with pytest.raises(SettingsError):
        Settings.load({"WCH_RECOVERY_MOMENTS_HOURS": "6,1,24", "WCH_PROFILE": "test"}, {}, None)


async def test_eight_workers_send_one_reminder(shop: Shop) -> None:
    """All at the same moment."""
    await due(shop)

    await asyncio.gather(*(shop.reminders.work() for _ in range(8)))
    await asyncio.gather(*(shop.hub.outbox.work() for _ in range(8)))

    assert await shop.sent() == [(TEN + 2 * HOUR, "abandoned_cart_reminder_1")]


def dies_at(point: str, *, before: int = 0) -> Failpoints:
    """A worker that dies when it comes to a point, having passed it so many times."""
    passed = 0

    def reach(name: str) -> None:
        nonlocal passed
        if name == point:
            passed += 1
            if passed > before:
                raise KeyboardInterrupt

    return cast("Failpoints", reach)


async def test_a_worker_that_dies_before_the_slot_is_followed_by_one_that_sends_once(shop: Shop) -> None:
    """The coupon was made, the slot was not taken: the next worker makes the same coupon and takes it."""
    await shop.until(TEN + 6 * HOUR)
    await at(shop, 7 * HOUR)
    dying = attrs.evolve(shop.reminders, failpoints=dies_at("slot.taken"))
    with pytest.raises(KeyboardInterrupt):
        await dying.work()
    assert (await shop.cart()).reminder_2_sent_at is None

    await shop.until(TEN + 7 * HOUR + 30 * MINUTE)

    assert [name for _, name in await shop.sent()] == ["abandoned_cart_reminder_1", "abandoned_cart_reminder_2"]
    keys = {call.key for call in shop.goods.calls if call.operation == "create_coupon"}
    assert len(keys) == 1
    assert parameters(shop)[4] == (await shop.cart()).recovery_coupon_code


async def test_what_a_dead_worker_wrote_is_sent_by_another(shop: Shop) -> None:
    """Slot and message are one transaction: once it is there, anybody sends it."""
    await due(shop)
    assert await shop.reminders.work() == 1
    await at(shop, 2 * HOUR + MINUTE)

    await shop.reminders.work()
    await shop.hub.outbox.work()

    assert [name for _, name in await shop.sent()] == ["abandoned_cart_reminder_1"]


# --- the coupon


async def test_one_coupon_over_all_reminders_of_a_cart(shop: Shop) -> None:
    """Fifteen characters, one use, good for seven days from the second reminder; the same in the third."""
    await shop.change(lambda one: attrs.evolve(one, email="sara@example.com"))
    shop.goods.script("create_coupon", LostAnswer())
    await shop.until(TEN + 2 * HOUR)
    await shop.until(TEN + 26 * HOUR)

    made = [call for call in shop.goods.calls if call.operation == "create_coupon"]
    second, third = parameters(shop, 1), parameters(shop, 2)
    spec = made[0].arguments["spec"]
    assert (len(second[4]), second[4].startswith("RECOVER")) == (15, True)
    assert (third[4], third[6]) == (second[4], second[6])
    assert {call.key for call in made} == {f"recover-{(await shop.contact()).id}"}
    assert {call.arguments["spec"] for call in made} == {spec}
    assert (spec.uses, spec.email, spec.percent) == (1, "sara@example.com", Decimal(10))
    assert spec.expires_at >= (await shop.cart()).reminder_2_sent_at + 7 * DAY  # type: ignore[operator]  # it left


async def test_while_the_shop_is_away_the_reminder_waits(shop: Shop) -> None:
    """And leaves with its coupon when it is back."""
    await shop.until(TEN + 7 * HOUR - 30 * MINUTE)
    shop.goods.script("create_coupon", Unavailable(), Unavailable())

    await shop.until(TEN + 9 * HOUR)

    assert [when for when, _ in await shop.sent()] == [TEN + 2 * HOUR, TEN + 8 * HOUR]


async def test_without_a_coupon_the_plain_template_goes_where_there_is_one(shop: Shop) -> None:
    """A coupon that the shop refuses stops a reminder that speaks of it, and no other."""
    text = {"type": "BODY", "text": "Hello {{1}}, {{2}} pieces wait."}
    plain = MessageTemplate(name="plain_words", language="en", components=(text,))
    await shop.hub.do(lambda uow: uow.options.put(option_of(plain.name, plain.language), plain.to_json()))
    reminding = attrs.evolve(shop.reminders.reminding, templates={"reminder_2_plain": "plain_words"})
    shop.reminders = attrs.evolve(shop.reminders, reminding=reminding)
    shop.goods.script("create_coupon", *[Refused("coupon")] * 50)

    await shop.until(TEN + 20 * HOUR)

    assert [name for _, name in await shop.sent()] == ["abandoned_cart_reminder_1", "plain_words"]


# --- what stops a reminder, and what does not


async def test_goods_that_are_gone_are_left_out_of_what_is_said(shop: Shop) -> None:
    """Of two lines one can still be bought; when none can, nothing is said."""
    page = await shop.goods.search(text=None, category_id=None, in_stock=True, cursor=None, limit=30)
    plain = [one for one in page.items if not one.has_variants]

    def more(uow: UnitOfWork) -> None:
        cart = uow.carts.of(SARA, lock=True)
        assert cart is not None
        other = attrs.evolve(cart.items[0], product_id=plain[1].id, product_name="Bowl", price_at_add=Decimal(5))
        gone = attrs.evolve(cart.items[0], product_id=999_999, product_name="Ghost")
        uow.carts.save(attrs.evolve(cart, items=(gone, other)))

    await shop.hub.do(more)
    await shop.until(TEN + 2 * HOUR)
    assert parameters(shop)[1:] == ["2", "Bowl", "€10.00"]

    def only_gone(uow: UnitOfWork) -> None:
        cart = uow.carts.of(SARA, lock=True)
        assert cart is not None
        uow.carts.save(attrs.evolve(cart, items=cart.items[:1]))

    await shop.hub.do(only_gone)
    await shop.until(TEN + DAY)
    assert len(await shop.sent()) == 1


async def test_who_wrote_since_the_last_reminder_is_not_reminded_again(shop: Shop) -> None:
    """From there the dialogue or a person goes on; a slot whose message failed is no reminder that was answered."""
    await due(shop)
    await shop.reminders.work()
    await shop.hub.do(lambda uow: uow.options.remove(option_of("abandoned_cart_reminder_1", "en")))
    await shop.hub.outbox.work()
    await shop.change(lambda one: attrs.evolve(one, last_interaction_at=TEN + 3 * HOUR))

    await shop.until(TEN + 8 * HOUR)
    await shop.change(lambda one: attrs.evolve(one, last_interaction_at=TEN + 9 * HOUR))
    await shop.until(TEN + 2 * DAY)

    assert [name for _, name in await shop.sent()] == ["abandoned_cart_reminder_2"]
    assert (await shop.latest()).status is MessageStatus.SENT


async def test_the_next_cart_has_free_slots_and_the_first_keeps_its_figures(shop: Shop) -> None:
    """A customer who came back is reminded of the next cart as of the first, once the cap allows it."""
    await shop.until(TEN + 7 * HOUR)
    first = await shop.cart()
    await shop.orders(7, placement=first.saga_id)

    def next_one(uow: UnitOfWork) -> None:
        uow.customers.lock(SARA, now=shop.hub.clock.now())
        cart = uow.carts.of(SARA, lock=True)
        assert cart is not None
        uow.carts.save(cart.renewed(now=shop.hub.clock.now()))

    await at(shop, 8 * DAY)
    await shop.hub.do(next_one)
    await shop.fill()
    await shop.until(TEN + 8 * DAY + 2 * HOUR)

    cart = await shop.cart()
    told = await shop.reminders.report(since=TEN)
    assert cart.created_at > first.created_at
    assert [getattr(cart, slot) is not None for slot in Slot] == [True, False, False]
    assert (told.carts, told.reminded, told.recovered, told.revenue) == (2, 2, 1, Decimal("40.00"))


# --- one cap over everything


async def test_a_broadcast_of_monday_leaves_no_room_for_a_cart_of_wednesday() -> None:
    """Until ten of the next Monday, to the second; a reminder's own second and third are not capped."""
    shop = await shopping()
    await shop.meets()
    await _reached_now(shop)
    await at(shop, 2 * DAY)
    await shop.fill()
    await shop.until(TEN + 2 * DAY + 4 * HOUR)

    told = await shop.explaining.cart((await shop.cart()).id)
    cap = next(rule for rule in told.rules if rule["rule"] == "cap")
    assert (told.outcome, told.reason, cap["facts"]["room_at"]) == ("refuse", "cap", "2026-03-09T10:00:00Z")
    assert await shop.sent() == []


async def _reached_now(shop: Shop) -> None:
    now = shop.hub.clock.now()
    row = BroadcastRecipient(campaign_id=1, phone=SARA, status=RecipientStatus.SENT, sent_at=now, created_at=now)
    await shop.hub.do(lambda uow: uow.recipients.add(row))


@pytest.mark.parametrize("first", ["reminder", "broadcast"])
async def test_two_workers_with_two_reasons_write_once(shop: Shop, first: str) -> None:
    """Whoever is second under the customer's lock sees what the first did."""
    made = campaigning()
    rooms: dict[str, Any] = {"database": shop.hub.database, "clock": shop.hub.clock}
    broadcasts = attrs.evolve(made.broadcasts, **rooms, limits=shop.hub.limits)
    fanning_out: FanningOut = attrs.evolve(made.fanning_out, **rooms, speaker=shop.hub.speaker)
    made.hub, made.broadcasts, made.fanning_out = shop.hub, broadcasts, fanning_out
    await due(shop)
    await made.template()
    plan = await made.begun()
    await fanning_out.work()
    steps: list[Callable[[], Any]] = [shop.reminders.work, fanning_out.work]

    for step in steps if first == "reminder" else reversed(steps):
        await step()
    await made.drain()

    (row,) = await made.rows(plan)
    assert len(shop.hub.whatsapp.sent) == 1
    expected = RecipientStatus.SKIPPED_CAP if first == "reminder" else RecipientStatus.SENT
    assert (row.status, len(await shop.hub.rows(SARA))) == (expected, 1)
    assert text_of(await shop.latest()) == ("abandoned_cart_reminder_1" if first == "reminder" else "offer")

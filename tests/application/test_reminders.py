"""Customers are reminded of carts they left lying: in order, once, only while the cause is true, and never at night."""

from datetime import datetime, timedelta
from decimal import Decimal

import attrs
import pytest

from tests.application.outreaching import HOUR, SARA, TEN, Shop, shopping, text_of
from wch.application.failpoints import Failpoints
from wch.application.ports import UnitOfWork
from wch.domain.cart import CartStatus, Slot
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.message import MessageStatus
from wch.domain.message_template import option_of
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.recovery import Schedule
from wch.domain.reengagement import CampaignType, Reengagement


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Shop:
    made = await shopping(twice=request.param)
    await made.fill()
    return made


async def test_three_reminders_leave_at_their_moments_and_a_fourth_never(shop: Shop) -> None:
    """Abandoned at eleven: at twelve, at five, and at eleven of the next day; the second brings a coupon."""
    await shop.until(TEN + timedelta(days=3))

    assert await shop.sent() == [
        (TEN + 2 * HOUR, "abandoned_cart_reminder_1"),
        (TEN + 7 * HOUR, "abandoned_cart_reminder_2"),
        (TEN + 25 * HOUR, "abandoned_cart_reminder_3"),
    ]
    first, second, _ = (sent.message["template"]["components"][0]["parameters"] for sent in shop.hub.whatsapp.sent)
    assert [one["text"] for one in first] == ["Sara", "2", "Mug", "€40.00"]
    assert second[4]["text"] == (await shop.cart()).recovery_coupon_code
    assert second[5]["text"] == "10 %"
    assert (await shop.contact()).sent_at == TEN + 2 * HOUR


async def test_a_fault_between_slot_and_message_leaves_neither(shop: Shop) -> None:
    """Or a reminder would be counted that nobody got, or one sent that nobody counted."""
    shop.reminders = attrs.evolve(shop.reminders, failpoints=Failpoints.read("slot.taken=raise@2", testing=True))

    await shop.until(TEN + timedelta(days=3))

    assert [name for _, name in await shop.sent()] == [f"abandoned_cart_reminder_{n}" for n in (1, 2, 3)]
    cart = await shop.cart()
    assert None not in {cart.reminder_1_sent_at, cart.reminder_2_sent_at, cart.reminder_3_sent_at}


async def test_the_same_coupon_is_made_once(shop: Shop) -> None:
    """The shop's answer may be lost and asked for again."""
    await shop.until(TEN + timedelta(days=2))

    keys = {call.arguments["key"] for call in shop.goods.calls if call.operation == "create_coupon"}
    assert keys == {f"recover-{(await shop.contact()).id}"}


async def test_night_holds_a_reminder_and_drops_none(shop: Shop) -> None:
    """Due at half past ten in the evening, it leaves at eight in Madrid; the next waits for the gap."""
    await shop.hub.do(lambda uow: _let_lie(uow, shop.hub.clock.now()))
    shop.hub.clock.advance(timedelta(hours=9, minutes=30))
    await shop.fill(quantity=1)

    await shop.until(TEN + timedelta(days=2))

    at = TEN.replace(hour=20, minute=30)
    assert [when for when, _ in await shop.sent()] == [
        TEN.replace(day=3, hour=7),
        TEN.replace(day=3, hour=11),
        at + timedelta(days=1),
    ]


def _let_lie(uow: UnitOfWork, now: datetime) -> None:
    uow.customers.lock(SARA, now=now)
    cart = uow.carts.of(SARA, lock=True)
    assert cart is not None
    uow.carts.save(cart.cleared(now=now))


async def test_after_workers_were_down_the_first_text_comes_first(shop: Shop) -> None:
    """The moments that died are passed over; nothing comes after the last one."""
    await shop.until(TEN + 90 * timedelta(minutes=1))
    shop.hub.clock.advance(timedelta(hours=14))
    await shop.until(TEN + timedelta(days=3))

    assert await shop.sent() == [(TEN + 25 * HOUR, "abandoned_cart_reminder_1")]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("orders", "policy:subject"),
        ("changes", "policy:subject"),
        ("writes", "policy:subject"),
        ("refuses", "policy:consent"),
        ("fails", "policy:template"),
    ],
)
async def test_what_changed_since_the_slot_stops_the_reminder(shop: Shop, what: str, error: str) -> None:
    """Between slot and send: it is not sent, later slots stay free, and it was no contact."""
    await shop.until(TEN + 2 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    assert await shop.reminders.work() == 1
    now = shop.hub.clock.now() + timedelta(seconds=1)
    shop.hub.clock.advance(1)
    order = OrderSeen(id=7, at=now, modified=now, status="processing", total=Decimal(40), currency="EUR")
    if what == "orders":
        await shop.change(lambda one: Counting(home="EUR").noted(one, order, now=now))
    elif what == "changes":
        await shop.fill(quantity=1)
    elif what == "writes":
        await shop.change(lambda one: attrs.evolve(one, last_interaction_at=now))
    elif what == "refuses":
        await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=now))
    else:
        await shop.hub.do(lambda uow: uow.options.remove(option_of("abandoned_cart_reminder_1", "en")))

    await shop.hub.outbox.work()

    row, cart = await shop.latest(), await shop.cart()
    assert (row.status, row.error_message) == (MessageStatus.FAILED, error)
    assert shop.hub.whatsapp.sent == []
    assert (cart.reminder_1_sent_at is None, cart.reminder_2_sent_at) == (False, None)
    assert (await shop.contact()).sent_at is None


async def test_a_later_failure_does_not_undo_what_left(shop: Shop) -> None:
    """One reminder left, so the customer was approached."""
    await shop.until(TEN + 7 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    assert await shop.reminders.work() == 1
    await shop.change(lambda one: one.consenting("marketing", "out", source="keyword", now=shop.hub.clock.now()))

    await shop.hub.outbox.work()

    assert (await shop.latest()).status is MessageStatus.FAILED
    assert (await shop.contact()).sent_at == TEN + 2 * HOUR


async def test_a_cart_left_after_another_contact_waits_for_room(shop: Shop) -> None:
    """The cap is over all marketing together, and explain says when there is room again."""

    def earlier(uow: UnitOfWork) -> None:
        at = TEN - timedelta(days=2)
        contact = Reengagement(customer_phone=SARA, campaign_type=CampaignType.PRICE_DROP, created_at=at, sent_at=at)
        uow.reengagements.add(contact)

    await shop.hub.do(earlier)
    await shop.until(TEN + timedelta(days=2))

    told = await shop.explaining.cart((await shop.cart()).id, at=TEN + 3 * HOUR)
    cap = next(rule for rule in told.rules if rule["rule"] == "cap")
    assert await shop.sent() == []
    assert (told.outcome, told.reason) == ("refuse", "cap")
    assert cap["facts"]["room_at"] == "2026-03-07T10:00:00Z"
    assert [rule["rule"] for rule in told.rules if rule["verdict"] != "allow"] == ["cap"]


async def test_silence_is_consent_unless_the_shop_asks_for_more() -> None:
    """Where an opt-in is required, nobody else is reminded."""
    for required, count in ((False, 1), (True, 0)):
        made = await shopping(require_opt_in=required)
        await made.fill(consent=None)
        await made.until(TEN + 3 * HOUR)
        assert len(await made.sent()) == count


async def test_switched_off_the_carts_are_still_counted() -> None:
    """Abandonment is measured, and nobody is reminded."""
    made = await shopping(enabled=False)
    await made.fill()

    await made.until(TEN + timedelta(days=1))

    assert (await made.cart()).status is CartStatus.ABANDONED
    assert (await made.contact()).sent_at is None
    assert await made.sent() == []
    told = await made.explaining.cart((await made.cart()).id)
    assert told.reason == "enabled:disabled"


async def test_a_person_sends_the_next_one_now(shop: Shop) -> None:
    """Its moment aside, every rule holds; explain tells what left."""
    await shop.until(TEN + HOUR)
    cart = await shop.cart()

    before = await shop.explaining.cart(cart.id)
    row = await shop.reminders.remind(cart.id)
    await shop.hub.outbox.work()

    assert (before.outcome, before.until) == ("hold", TEN + 2 * HOUR)
    assert text_of(row) == "abandoned_cart_reminder_1"
    assert await shop.sent() == [(TEN + HOUR, "abandoned_cart_reminder_1")]
    assert "reminder 1 sent" in [step["what"] for step in (await shop.explaining.cart(cart.id)).history]
    await shop.change(lambda one: attrs.evolve(one, notification_opt_out=True))
    with pytest.raises(ConflictError, match="wch explain cart"):
        await shop.reminders.remind(cart.id)
    with pytest.raises(NotFoundError):
        await shop.reminders.remind(999)
    with pytest.raises(NotFoundError):
        await shop.explaining.cart(999)


async def test_a_cart_that_was_not_abandoned_has_no_reminder(shop: Shop) -> None:
    """A person is told so too."""
    cart = await shop.cart()

    with pytest.raises(ConflictError, match="not abandoned"):
        await shop.reminders.remind(cart.id)
    assert (await shop.explaining.cart(cart.id)).reason == "subject:not_abandoned"


async def test_many_workers_take_a_slot_once(shop: Shop) -> None:
    """Eight look at the same cart at the same moment."""
    await shop.until(TEN + 2 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    cart = await shop.cart()
    due = Schedule().next_of(cart, now=shop.hub.clock.now())
    assert due is not None

    for _ in range(8):
        await shop.reminders._safely(cart, due)  # noqa: SLF001 - each with what it saw before the others were done

    assert [text_of(row) for row in await shop.hub.rows(SARA)] == ["abandoned_cart_reminder_1"]
    assert getattr(await shop.cart(), Slot.FIRST) == TEN + 2 * HOUR


async def test_the_figures_are_counted_over_what_left(shop: Shop) -> None:
    """Two carts: one recovered after two reminders, one whose only reminder failed."""
    other = "34600000002"
    await shop.until(TEN + 2 * HOUR)
    await shop.fill(other)
    await shop.until(TEN + 4 * HOUR - timedelta(minutes=15))
    shop.hub.clock.advance(timedelta(minutes=15))
    await shop.reminders.work()
    await shop.meets(other, consent="out")
    await shop.until(TEN + 8 * HOUR)
    await shop.orders(7, placement=(await shop.cart()).saga_id, total=Decimal("59.90"))

    told = await shop.reminders.report(since=TEN)

    assert (told.carts, told.reminded, told.reminders) == (2, 1, (1, 1, 0))
    assert (told.recovered, told.revenue, told.rate) == (1, Decimal("59.90"), Decimal("100.0"))
    assert (await shop.cart(other)).was_reminded
    assert (await shop.reminders.report(since=TEN, until=TEN + 2 * HOUR)).carts == 1
    assert (await shop.reminders.report(since=TEN + 9 * HOUR)).rate == 0

"""What customers hear about their orders, from the change in the shop to the message on the phone."""

import json
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.noticed import BODIES, SARA, TEN, Noticed, euro, noticed, order_of, parcel
from tests.application.rooms import status
from wch.application.ports import UnitOfWork
from wch.domain.errors import NotFoundError
from wch.domain.message import MessageStatus
from wch.domain.message_template import MessageTemplate
from wch.domain.moment import iso, unix
from wch.domain.notification import CONFIRMED, NotificationStatus
from wch.domain.order import OrderLine, OrderStatus
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.domain.verdict import RULES

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def shop(request: pytest.FixtureRequest) -> Noticed:
    return await noticed(twice=request.param)


def refused(code: int, *, http: int = 400) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code, http_status=http))


async def status_of(shop: Noticed, place: int, word: str, **more: Any) -> None:
    """WhatsApp tells what became of the n-th message that it took."""
    at = unix(shop.hub.clock.now())
    wa_id = f"wamid.sent.{place}"
    await shop.hub.post({"statuses": [status(wa_id, word, **{"at": at, "recipient": SARA, **more})]})


def body_of(message: Any) -> str:
    """The words inside the window."""
    return str(message["text"]["body"]) if "text" in message else str(message["interactive"]["body"]["text"])


def values_of(message: Any) -> list[str]:
    """What the gaps of a template were filled with."""
    return [one["text"] for one in message["template"]["components"][0]["parameters"]]


# --- when it is told


async def test_a_confirmation_waits_half_a_minute(shop: Noticed) -> None:
    """Sent after 30 s, not at 29 s."""
    await shop.told(CONFIRMED)
    await shop.at(TEN + timedelta(seconds=29))
    assert shop.posted() == []
    assert (await shop.one(CONFIRMED)).status is NotificationStatus.PENDING
    await shop.at(TEN + timedelta(seconds=30))

    (message,) = shop.posted()
    assert message["template"]["name"] == "order_confirmation"
    assert (await shop.one(CONFIRMED)).status is NotificationStatus.SENT


async def test_what_the_confirmation_said_is_covered(shop: Noticed) -> None:
    """Processing, a minute later, is nothing new; it stays covered however late it is looked at."""
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    await shop.told("status_processing")
    await shop.run(minutes=15)

    assert await shop.words() == {CONFIRMED: "sent", "status_processing": "skipped covered"}
    assert len(shop.posted()) == 1


async def test_a_status_that_is_taken_back_at_once_is_not_told(shop: Noticed) -> None:
    """On hold, and back within half a minute."""
    await shop.changed(status=OrderStatus.ON_HOLD)
    shop.hub.clock.advance(20)
    await shop.changed(status=OrderStatus.PROCESSING)
    await shop.run(minutes=1)

    assert (await shop.words())["status_on_hold"] == "skipped superseded"
    assert [one["template"]["name"] for one in shop.posted()] == ["order_processing"]


async def test_a_status_that_changes_while_its_message_waits_is_not_told(shop: Noticed) -> None:
    """The rules are asked again when the message is taken for sending."""
    await shop.changed(status=OrderStatus.ON_HOLD)
    shop.hub.clock.advance(30)
    await shop.notices.work()
    await shop.changed(status=OrderStatus.PROCESSING)
    await shop.hub.outbox.work()

    assert (await shop.words())["status_on_hold"] == "skipped superseded"
    (row,) = await shop.written()
    assert (row.status, row.error_message) == (MessageStatus.FAILED, "policy:superseded")
    assert shop.posted() == []


async def test_a_parcel_that_leaves_at_night_is_told_in_the_morning(shop: Noticed) -> None:
    """23:00 in Madrid: held, and sent at 08:00."""
    night = TEN.replace(hour=22)
    shop.hub.clock.set(night)
    await shop.changed(tracking=(parcel(),))
    await shop.run(minutes=10)
    held = await shop.one("shipped")
    morning = (TEN + DAY).replace(hour=7)
    assert (held.status, held.updated_at) == (NotificationStatus.PENDING, morning)
    told = await shop.explaining.notification(held.id)
    assert (told.outcome, told.reason, told.until) == ("hold", "quiet", morning)
    await shop.at(morning - timedelta(seconds=1))
    assert shop.posted() == []
    await shop.at(morning)

    assert (await shop.one("shipped")).status is NotificationStatus.SENT


async def test_who_writes_at_night_is_awake(shop: Noticed) -> None:
    """And hears of the parcel at once, in words."""
    shop.hub.clock.set(TEN.replace(hour=22))
    await shop.hub.hear("where is it?", sender=SARA)
    await shop.changed(tracking=(parcel(),))
    await shop.run(minutes=1)

    assert (await shop.one("shipped")).status is NotificationStatus.SENT
    assert "JD 01/4" in body_of(shop.posted()[-1])


async def test_what_is_queued_when_the_night_begins_waits_too(shop: Noticed) -> None:
    """A worker that was down between planning and sending wakes up at night."""
    shop.hub.clock.set(TEN.replace(hour=20, minute=55))
    await shop.changed(tracking=(parcel(),))
    shop.hub.clock.advance(60)
    await shop.notices.work()
    await shop.at(TEN.replace(hour=21, minute=5))
    assert shop.posted() == []
    await shop.at((TEN + DAY).replace(hour=7))

    assert len(shop.posted()) == 1


async def test_a_confirmation_is_wanted_at_night_too(shop: Noticed) -> None:
    """Whoever has just ordered is waiting for it."""
    shop.hub.clock.set(TEN.replace(hour=22))
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)

    assert (await shop.one(CONFIRMED)).status is NotificationStatus.SENT


@pytest.mark.parametrize("queued", [False, True])
async def test_what_nobody_could_send_for_two_days_is_not_told_any_more(shop: Noticed, *, queued: bool) -> None:
    """The parcel is there by now; the row says why it heard nothing."""
    await shop.changed(tracking=(parcel(),))
    if queued:
        shop.hub.clock.advance(60)
        await shop.notices.work()
    await shop.run(minutes=49 * 60)

    assert await shop.words() == {"shipped": "skipped expired"}
    assert shop.posted() == []


async def test_a_hold_ends_with_the_life(shop: Noticed) -> None:
    """A status lives a day; what a stop of all sending holds longer than that is over."""
    await shop.changed(status=OrderStatus.ON_HOLD)
    await shop.hub.do(lambda uow: uow.options.put("sending.stopped", {"v": 1, "why": "sign_in", "since": iso(TEN)}))
    await shop.run(minutes=1)
    held = await shop.one("status_on_hold")
    assert (held.status, held.updated_at) == (NotificationStatus.PENDING, shop.hub.clock.now() + timedelta(minutes=5))
    for _ in range(290):
        await shop.notices.work()
        shop.hub.clock.advance(300)

    assert await shop.words() == {"status_on_hold": "skipped expired"}


# --- who is told


async def test_who_wants_no_notices_is_told_nothing_and_who_wants_no_marketing_is(shop: Noticed) -> None:
    """The row stays, with its reason."""
    await shop.known(notification_opt_out=True)
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    assert await shop.words() == {CONFIRMED: "skipped optout"}
    await shop.known(notification_opt_out=False, opt_in_marketing=False)
    await shop.changed(tracking=(parcel(),))
    await shop.run(minutes=1)

    assert (await shop.one("shipped")).status is NotificationStatus.SENT


async def test_who_opts_out_while_the_message_waits_is_not_told(shop: Noticed) -> None:
    """The notice is skipped, and nothing is to be mended."""
    await shop.told(CONFIRMED)
    shop.hub.clock.advance(30)
    await shop.notices.work()
    await shop.known(notification_opt_out=True)
    await shop.hub.outbox.work()

    assert await shop.words() == {CONFIRMED: "skipped optout"}
    assert await shop.hub.letters() == []
    assert shop.posted() == []


@pytest.mark.parametrize("settings", [{"enabled": False}, {"off": frozenset({"shipped"})}])
async def test_what_is_switched_off_is_skipped(settings: dict[str, Any]) -> None:
    """All of them, or one kind: every parcel of it."""
    shop = await noticed(**settings)
    await shop.changed(tracking=(parcel("A"), parcel("B")))
    await shop.run(minutes=1)

    assert await shop.words() == {"shipped": "skipped disabled", "shipped_2": "skipped disabled"}


async def test_an_erased_customer_is_told_nothing(shop: Noticed) -> None:
    """Nor is a profile made for the number that took their place."""
    notice = await shop.told(CONFIRMED)
    gone = "e" + "a" * 19

    def erase(uow: Any) -> None:
        held = uow.notifications.get(notice.id, lock=True)
        uow.notifications.save(attrs.evolve(held, customer_phone=gone))

    await shop.hub.do(erase)
    assert (await shop.explaining.notification(notice.id)).reason == "customer:erased"
    await shop.run(minutes=1)

    assert await shop.words() == {CONFIRMED: "skipped erased"}
    assert await shop.hub.see(lambda uow: uow.customers.of(gone)) is None


# --- what is said


async def test_each_parcel_is_a_notice_of_its_own(shop: Noticed) -> None:
    """With the number percent-encoded in the carrier's address; the same event again tells nothing."""
    await shop.changed(tracking=(parcel("JD 01/4"),))
    await shop.run(minutes=1)
    await shop.changed(tracking=(parcel("JD 01/4"), parcel("7", carrier="Donkey")))
    await shop.run(minutes=1)
    await shop.changed(status=OrderStatus.SHIPPED)
    await shop.run(minutes=1)

    first, second = shop.posted()
    assert first["template"]["name"] == "shipping_update"
    assert values_of(first) == ["1042", "DHL", "JD 01/4", "https://dhl.example/?n=JD%2001%2F4"]
    assert second["template"]["name"] == "shipping_update_plain"
    assert values_of(second) == ["1042", "Donkey", "7"]
    assert await shop.words() == {"shipped": "sent", "shipped_2": "sent"}


async def test_the_shops_own_https_address_counts_before_the_carriers(shop: Noticed) -> None:
    """An address without encryption is not passed on."""
    await shop.changed(tracking=(parcel("A", url="https://track.example/A"), parcel("B", url="http://track.example/B")))
    await shop.run(minutes=1)

    assert [values_of(one)[3] for one in shop.posted()] == ["https://track.example/A", "https://dhl.example/?n=B"]


async def test_a_parcel_without_a_number_is_told_without_one(shop: Noticed) -> None:
    """Inside the window the words leave it out; outside the plain template says so."""
    await shop.changed(status=OrderStatus.SHIPPED)
    await shop.run(minutes=1)

    assert values_of(shop.posted()[0]) == ["1042", "our carrier", "not known yet"]


async def test_each_refund_names_its_own_amount(shop: Noticed) -> None:
    """And not what was paid back in all."""
    await shop.changed(refunded=euro("20.00"))
    await shop.run(minutes=1)
    await shop.changed(refunded=euro("25.50"))
    await shop.run(minutes=1)

    assert [values_of(one)[1] for one in shop.posted()] == ["€20.00", "€5.50"]
    assert await shop.words() == {"refunded": "sent", "refunded_2": "sent"}


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({"status": OrderStatus.CANCELLED}, "cancelled. Nothing will be sent"),
        ({"status": OrderStatus.COMPLETED}, "has arrived. Enjoy it! 🎁\nTell us how you like it: https://r.example"),
        ({"status": OrderStatus.SHIPPED}, "shipped. There is nothing you need to do"),
        ({"tracking": (parcel("7", carrier="Donkey"),)}, "with Donkey, number 7."),
        ({"tracking": (parcel("7"),)}, "number 7.\nhttps://dhl.example/?n=7"),
        ({"refunded": euro("5.00")}, "paid back €5.00"),
        ({"status": OrderStatus.ON_HOLD, "own_status": "ready-for-pickup"}, "ready for pickup"),
    ],
)
async def test_inside_the_window_it_is_said_in_words(order: dict[str, Any], text: str) -> None:
    """Each in its own, with the template in reserve."""
    shop = await noticed(review_url="https://r.example")
    await shop.hub.hear("hi", sender=SARA)
    await shop.changed(**order)
    await shop.run(minutes=1)

    (row,) = [one for one in await shop.written() if one.content["origin"]["by"] == "notice"]
    assert text in row.content["body"]["text"]["body"]
    assert row.content["fallback"]["template"] in BODIES


async def test_a_status_of_the_shops_own_is_told_if_the_settings_name_it(shop: Noticed) -> None:
    """Any other is the shop's affair."""
    await shop.changed(status=OrderStatus.ON_HOLD, own_status="in-the-oven")
    await shop.changed(own_status="ready-for-pickup")
    await shop.run(minutes=1)

    assert await shop.words() == {"status_ready-for-pickup": "sent"}
    assert values_of(shop.posted()[0])[:2] == ["1042", "ready for pickup"]


async def test_the_template_goes_always_where_the_settings_prefer_it() -> None:
    """Also while the customer chats."""
    shop = await noticed(prefers_text=False)
    await shop.hub.hear("hi", sender=SARA)
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)

    assert shop.posted()[-1]["type"] == "template"


@pytest.mark.parametrize(
    ("language", "sent"), [("es", "es"), ("es_MX", "es"), ("pt_PT", "pt_BR"), ("de", "en"), (None, "en")]
)
async def test_it_takes_the_form_that_fits_the_customers_language(language: str | None, sent: str) -> None:
    """The language, its base, another form of it, then the shop's; the values are in that language too."""
    shop = await noticed(languages=("en", "es", "pt_BR"))
    if language:
        await shop.known(preferences={"v": 1, "language": language})
    shop.shop.orders[1042] = order_of(
        lines=(OrderLine(product_id=1, name="Mug", quantity=3, price=euro("1"), total=euro("3")),)
    )
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)

    (message,) = shop.posted()
    assert message["template"]["language"]["code"] == sent
    total = {"en": "€59.90", "es": "59,90 €", "pt_BR": "€ 59,90"}[sent]
    assert values_of(message)[1:4] == ["1042", total, "3"]


async def test_named_and_numbered_templates_get_each_their_own_form(shop: Noticed) -> None:
    """One of the languages has names, the other numbers."""
    await shop.template(
        "order_confirmation", "Gracias {{customer_name}}: {{order_number}}", language="es", parameter_format="NAMED"
    )
    await shop.known(name="Sara", preferences={"v": 1, "language": "es"})
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    await shop.known(preferences={"v": 1, "language": "en"})
    shop.shop.orders[1043] = order_of(1043)
    await shop.hub.do(
        lambda uow: shop.seen.announcing.tell(uow, CONFIRMED, order_id=1043, phone=SARA, now=shop.hub.clock.now())
    )
    await shop.run(minutes=1)

    named, numbered = (one["template"]["components"][0]["parameters"] for one in shop.posted())
    assert [(one["parameter_name"], one["text"]) for one in named] == [
        ("customer_name", "Sara"),
        ("order_number", "1042"),
    ]
    assert [one["text"] for one in numbered][:2] == ["Sara", "1043"]
    assert all("parameter_name" not in one for one in numbered)


@pytest.mark.parametrize("wrote", [False, True])
async def test_a_variable_without_a_value_stops_the_notice(shop: Noticed, *, wrote: bool) -> None:
    """Failed with its name, one dead letter, nothing posted."""
    shop.shop.orders[1042] = order_of(number=1042)
    shop.shop.orders[1042] = attrs.evolve(shop.order, number=" ")
    if wrote:
        await shop.hub.hear("hi", sender=SARA)
    notice = await shop.told(CONFIRMED)
    await shop.run(minutes=1)

    assert await shop.words() == {CONFIRMED: "failed missing:order_number"}
    (letter,) = await shop.hub.letters()
    assert (letter.hook, letter.args["id"], letter.error_message) == ("notification", notice.id, "missing:order_number")
    assert not [one for one in await shop.written() if one.content["origin"]["by"] == "notice"]


async def test_a_template_that_asks_for_more_than_there_is_stops_the_notice(shop: Noticed) -> None:
    """An address for reviews is in the template, and in no setting."""
    await shop.template("order_completed", "Hello {{1}}, order {{2}}: {{3}}")
    await shop.changed(status=OrderStatus.COMPLETED)
    await shop.run(minutes=1)

    assert await shop.words() == {"delivered": "failed missing:review_url"}


async def test_without_an_approved_template_nothing_is_said_outside_the_window(shop: Noticed) -> None:
    """Inside it the words need none; a person is told what is to be mended."""
    for language in ("en", "es"):
        await shop.template("order_confirmation", "x", language=language, status="REJECTED")
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    assert await shop.words() == {CONFIRMED: "failed template"}

    await shop.hub.hear("hi", sender=SARA)
    await shop.notices.retry((await shop.one(CONFIRMED)).id, by="ana")
    await shop.run()
    assert (await shop.one(CONFIRMED)).status is NotificationStatus.SENT
    assert shop.posted()[-1]["type"] == "interactive"


async def test_headers_and_buttons_are_filled_too(shop: Noticed) -> None:
    """A named gap by its name, a button by what it is about."""
    await shop.hub.do(
        lambda uow: uow.options.put(
            "template.shipping_update.en",
            MessageTemplate(
                name="shipping_update",
                language="en",
                category="UTILITY",
                parameter_format="NAMED",
                components=(
                    {"type": "HEADER", "format": "TEXT", "text": "Order {{order_number}}"},
                    {"type": "BODY", "text": "With {{carrier_name}}"},
                    {
                        "type": "BUTTONS",
                        "buttons": [
                            {"type": "URL", "text": "Follow", "url": "https://dhl.example/{{1}}"},
                            {"type": "QUICK_REPLY", "text": "My order"},
                        ],
                    },
                ),
            ).to_json(),
        )
    )
    await shop.changed(tracking=(parcel("7"),))
    await shop.run(minutes=1)

    header, body, follow, mine = shop.posted()[0]["template"]["components"]
    assert header["parameters"][0]["text"] == "1042"
    assert body["parameters"][0]["parameter_name"] == "carrier_name"
    assert follow["parameters"][0]["text"] == "7"
    assert mine["parameters"][0]["payload"] == "order_1042"


# --- what becomes of it


async def test_a_shop_that_is_away_for_minutes_delays_one_message(shop: Noticed) -> None:
    """The same row, its attempts counted."""
    await shop.told(CONFIRMED)
    shop.shop.is_away = True
    for _ in range(5):
        await shop.run(minutes=1)
    shop.shop.is_away = False
    await shop.run(minutes=20)

    (row,) = await shop.rows()
    assert row.status is NotificationStatus.SENT
    assert row.retry_count >= 2
    assert len(shop.posted()) == 1


async def test_a_shop_that_stays_away_leaves_one_letter_whose_replay_tells_it(shop: Noticed) -> None:
    """The same row's id."""
    notice = await shop.told("delivered")
    shop.shop.orders[1042] = attrs.evolve(shop.order, status=OrderStatus.COMPLETED)
    shop.shop.is_away = True
    for _ in range(100):
        await shop.run(minutes=2)
    assert await shop.words() == {"delivered": "failed shop_unavailable"}
    (letter,) = await shop.hub.letters()
    shop.shop.is_away = False
    await shop.hub.dead_letters.replay(letter.id, by="ana")
    await shop.run()

    (row,) = await shop.rows()
    assert (row.id, row.status) == (notice.id, NotificationStatus.SENT)
    assert len(shop.posted()) == 1


async def test_a_busy_whatsapp_raises_the_attempts_of_the_notice(shop: Noticed) -> None:
    """One message in the end."""
    await shop.told(CONFIRMED)
    shop.hub.whatsapp.outcomes = [refused(131000, http=500), refused(131000, http=500)]
    for _ in range(20):
        await shop.run(minutes=1)

    (row,) = await shop.rows()
    assert (row.status, row.retry_count) == (NotificationStatus.SENT, 2)
    assert len(await shop.written()) == 1


async def test_a_message_that_is_refused_for_good_is_the_letter_of_its_notice(shop: Noticed) -> None:
    """One letter; a retry by hand answers it, and tells it as the same row."""
    notice = await shop.told(CONFIRMED)
    shop.hub.whatsapp.outcomes = [refused(100)]
    await shop.run(minutes=1)
    failed = await shop.one(CONFIRMED)
    assert failed.status is NotificationStatus.FAILED
    assert (failed.error_message or "").startswith("100")
    (letter,) = await shop.hub.letters()
    assert (letter.hook, letter.args, letter.reason) == (
        "notification",
        {"v": 1, "table": "notification_log", "id": notice.id},
        "request_refused",
    )
    await shop.notices.retry(notice.id, by="ana")
    await shop.run()

    (letter,) = await shop.hub.letters()
    assert letter.status == "replayed"
    assert (await shop.one(CONFIRMED)).status is NotificationStatus.SENT
    assert await shop.hub.is_sound()


async def test_the_times_are_the_providers_in_whatever_order_they_come(shop: Noticed) -> None:
    """Read, delivered, sent."""
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    at = unix(shop.hub.clock.now())
    for word, moment in (("read", at + 30), ("delivered", at + 20), ("sent", at + 10)):
        await status_of(shop, 1, word, at=moment)

    row = await shop.one(CONFIRMED)
    assert row.status is NotificationStatus.READ
    assert [unix(one) for one in (row.sent_at, row.delivered_at, row.read_at) if one] == [at + 10, at + 20, at + 30]


async def test_a_closed_window_sends_the_template_for_the_same_notice(shop: Noticed) -> None:
    """131047 after the words were taken: a new row with `retry_of`, one notice, the newest id."""
    await shop.hub.hear("hi", sender=SARA)
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    await status_of(shop, 1, "failed", errors=[{"code": 131047, "title": "Re-engagement message"}])
    assert await shop.words() == {CONFIRMED: "queued 131047 Re-engagement message"}
    await shop.run()

    words, template = await shop.written()
    assert (template.type, template.content["retry_of"]) == ("template", words.id)
    (row,) = await shop.rows()
    assert (row.status, row.wa_message_id, row.retry_count) == (NotificationStatus.SENT, template.wa_message_id, 1)
    assert await shop.hub.letters() == []
    told = await shop.explaining.notification(row.id)
    assert [one["what"] for one in told.history] == [
        "learnt of",
        "written",
        "sent",
        "failed",
        "again: written",
        "again: sent",
    ]


async def test_a_number_that_cannot_be_reached_fails_the_notice(shop: Noticed) -> None:
    """A person sees it among the dead letters."""
    await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    await status_of(shop, 1, "failed", errors=[{"code": 131026, "title": "Message undeliverable"}])

    assert (await shop.one(CONFIRMED)).status is NotificationStatus.FAILED
    assert [one.hook for one in await shop.hub.letters()] == ["notification"]


# --- whose order it is


async def test_an_order_of_the_web_shop_is_counted_with_its_one_customer(shop: Noticed) -> None:
    """In any spelling of the number, once however often it is read, and told to nobody."""
    order = order_of(2000, phone="612345678", status=OrderStatus.COMPLETED)
    for _ in range(5):
        await shop.hub.do(lambda uow: shop.seen.note(uow, order, now=shop.hub.clock.now()))

    profile = await shop.hub.see(lambda uow: uow.customers.of(SARA))
    assert (profile.total_orders, str(profile.total_spent)) == (1, "59.90")
    assert await shop.rows() == []


async def test_with_the_wider_scope_every_order_of_a_known_customer_is_told(shop: Noticed) -> None:
    """While it is fresh; what is old when it is first seen is only remembered."""
    seen = attrs.evolve(shop.seen, all_orders=True)
    now = shop.hub.clock.now()
    fresh = order_of(2000)
    old = order_of(2001, updated_at=TEN - 2 * DAY)
    stranger = order_of(2002, phone="34699999999")

    def look(uow: UnitOfWork) -> None:
        for order in (fresh, old, fresh, old, attrs.evolve(old, status=OrderStatus.COMPLETED), stranger):
            seen.note(uow, order, now=now)

    await shop.hub.do(look)

    assert {(row.order_id, row.notification_type) for row in await shop.rows()} == {
        (2000, "status_processing"),
        (2001, "delivered"),
    }


# --- why


async def test_explaining_asks_every_rule(shop: Noticed) -> None:
    """Due, by the rules as they stand; sent, by its trace."""
    notice = await shop.told(CONFIRMED)
    waiting = await shop.explaining.notification(notice.id)
    assert (waiting.outcome, waiting.reason, waiting.until) == ("hold", "due", TEN + timedelta(seconds=30))
    due = await shop.explaining.notification(notice.id, at=TEN + MINUTE)
    assert (due.outcome, due.subject) == ("send", f"notification:{notice.id}")
    assert [one["rule"] for one in due.rules] == list(RULES)
    shop.hub.clock.advance(60)
    await shop.notices.work()
    assert (await shop.explaining.notification(notice.id)).outcome == "send"
    await shop.hub.outbox.work()
    done = await shop.explaining.notification(notice.id)
    (row,) = await shop.written()

    assert (done.outcome, done.reason) == ("done", "sent")
    assert row.content["policy"]["planned"]["outcome"] == row.content["policy"]["taken"]["outcome"] == "send"
    assert len(json.dumps(row.content["policy"])) <= 2048
    assert {one["verdict"] for one in done.rules} == {"allow"}
    assert await shop.explaining.message(row.id) == attrs.evolve(done, subject=f"message:{row.id}")
    with pytest.raises(NotFoundError):
        await shop.explaining.notification(404)


async def test_explaining_names_the_one_obstacle(shop: Noticed) -> None:
    """And every other rule says allow."""
    await shop.changed(status=OrderStatus.ON_HOLD)
    await shop.changed(status=OrderStatus.PROCESSING)
    notice = await shop.one("status_on_hold")
    told = await shop.explaining.notification(notice.id)

    assert (told.outcome, told.reason) == ("refuse", "subject:superseded")
    assert [one["rule"] for one in told.rules if one["verdict"] != "allow"] == ["subject"]


@pytest.mark.parametrize("is_gone", [False, True])
async def test_explaining_answers_while_the_shop_does_not(shop: Noticed, *, is_gone: bool) -> None:
    """By what was last seen of the order."""
    notice = await shop.told(CONFIRMED)
    if is_gone:
        del shop.shop.orders[1042]
    shop.shop.is_away = not is_gone

    assert (await shop.explaining.notification(notice.id, at=TEN + MINUTE)).outcome == "send"


async def test_a_skipped_notice_is_explained_by_its_reason(shop: Noticed) -> None:
    """It is over, and the history says when."""
    await shop.known(notification_opt_out=True)
    notice = await shop.told(CONFIRMED)
    await shop.run(minutes=1)
    told = await shop.explaining.notification(notice.id)

    assert (told.outcome, told.reason) == ("done", "optout")
    assert [one["what"] for one in told.history] == ["learnt of", "skipped"]


async def test_explaining_an_earlier_moment(shop: Noticed) -> None:
    """Before its thirty seconds it waited, then it was due, then it was told; an opt-out of later changes none of it."""
    notice = await shop.told(CONFIRMED)
    shop.hub.clock.advance(60)
    await shop.notices.work()
    await shop.hub.outbox.work()
    shop.hub.clock.advance(60)
    out = shop.hub.clock.now()
    await shop.hub.do(
        lambda uow: uow.customers.save(
            uow.customers.lock(SARA, now=out).consenting("all", "out", source="keyword", now=out)
        )
    )
    shop.hub.clock.advance(60)

    early = await shop.explaining.notification(notice.id, at=TEN + timedelta(seconds=10))
    due = await shop.explaining.notification(notice.id, at=TEN + timedelta(seconds=40))
    told = await shop.explaining.notification(notice.id, at=TEN + timedelta(minutes=2))

    assert (early.outcome, early.reason, early.until) == ("hold", "due", TEN + timedelta(seconds=30))
    assert [one["what"] for one in early.history] == ["learnt of"]
    assert due.outcome == "send"
    assert next(one for one in due.rules if one["rule"] == "consent")["verdict"] == "allow"
    assert next(one for one in due.rules if one["rule"] == "subject")["facts"]["as_of"] == "now"
    assert (told.outcome, told.reason) == ("done", "sent")
    (row,) = await shop.written()
    assert (await shop.explaining.message(row.id, at=TEN + timedelta(seconds=40))).outcome == "send"

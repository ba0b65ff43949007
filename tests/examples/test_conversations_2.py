"""The examples of the page on conversations that say what is done, by their numbers: 17 and 23 to 42."""

import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.campaigning import EVERYONE, OFFER
from tests.application.dialogue.test_shopping import set_product
from tests.examples.stage import A, B, Stage, stage
from wch.application.ports import UnitOfWork
from wch.application.texts import LANGUAGES
from wch.domain.conversation import ConversationStatus
from wch.domain.message import Class, MessageStatus
from wch.domain.message_template import option_of
from wch.domain.moment import unix
from wch.domain.outgoing import Template
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Ambiguous, Refused
from wch.testing import NOON
from wch.testing.scripted_shop import Goods, put_customer

NEW = "12195555358"
BSUID, SURROGATE = "US.13491208655302741918", "u3fi6r42alxn7exdxkwk"


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage() as opened:
        yield opened


def refused(code: int) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code))


async def test_example_15_an_accepted_send_without_its_answer(shop: Stage) -> None:
    shop.whatsapp.outcomes = [Ambiguous(reason="cut")]
    await shop.says("hi")
    row = await shop.outbound()
    assert row.status == "unconfirmed"

    mark = shop.whatsapp.sent[0].message["biz_opaque_callback_data"]
    await shop.told("wamid.known", "sent", biz_opaque_callback_data=mark)
    row = await shop.outbound()
    assert (row.status, row.wa_message_id, len(shop.whatsapp.sent)) == ("sent", "wamid.known", 1)

    shop.whatsapp.outcomes = [Ambiguous(reason="cut")]
    await shop.says("hi", sender=B)
    await shop.later(seconds=119)
    assert len(shop.whatsapp.sent) == 2
    await shop.later(seconds=3)
    await shop.later(seconds=31)
    assert len(shop.whatsapp.sent) == 3


async def test_example_17_pages_of_a_category() -> None:
    goods = [
        Goods(sku=f"M{n}", name=f"A mug with a rather long name {n}", price=Decimal(5), stock=9, categories=("Mugs",))
        for n in range(25)
    ]
    async with stage(goods=goods) as shop:
        await shop.says("catalog")
        await shop.press("category_")
        first = list(shop.ids())
        await shop.press("category_")
        titles = [
            row["title"]
            for section in shop.whatsapp.sent[-1].message["interactive"]["action"]["sections"]
            for row in section["rows"]
        ]
        assert len(titles) == 10
        assert all(len(title) <= 24 for title in titles)
        assert sum(reply.startswith("product_") for reply in shop.ids()) == 8
        assert sum(reply.startswith("category_") for reply in shop.ids()) == 2

        page_one = next(reply for reply in shop.ids() if reply.endswith("_p1"))
        await shop.taps(page_one)
        assert [one for one in shop.ids() if one.startswith("product_")] == [
            one for one in first if one.startswith("product_")
        ]


async def test_example_23_at_the_address_prompt(shop: Stage) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("checkout")
    assert (await shop.thread()).state == "checkout_address"
    await shop.says("where is my order")
    assert (await shop.handled())["intent"] == "order_status"
    assert (await shop.thread()).context["prompt"]["kind"] == "address"
    place = {"latitude": 51.5, "longitude": -0.15, "address": "221B Baker Street, London NW1 6XE, UK"}
    await shop.sends(type="location", location=place)
    await shop.press("use_address")
    kept = (await shop.cart()).shipping_address
    assert (kept["address_1"], kept["latitude"]) == ("221B Baker Street", 51.5)

    cart = await shop.cart()
    await shop.says("cancel")
    assert ((await shop.thread()).state, (await shop.cart()).items) == ("cart_management", cart.items)
    assert (await shop.profile()).marketing_opted_at is None

    await shop.says("checkout")
    await shop.says("menu")
    assert (await shop.handled())["intent"] == "menu"
    await shop.says("checkout")
    shop.clock.advance(timedelta(minutes=16))
    before = (await shop.profile()).saved_addresses
    await shop.says("hi")
    assert (await shop.handled())["intent"] == "greeting"
    assert (await shop.profile()).saved_addresses == before


async def test_example_24_confirm_twice_is_one_order(shop: Stage) -> None:
    said = await shop.to_review()
    button = next(one for one in shop.ids() if one.startswith("confirm_order:"))
    await shop.post({"messages": [_tap(shop, button)]}, {"messages": [_tap(shop, button)]})
    await shop.work()

    sagas = await shop.see(lambda uow: uow.sagas.listed())
    assert [one.state for one in sagas] == ["completed"]
    order = await shop.shop.order(order_id=sagas[0].results["create_order"]["order_id"])
    assert str(order.total.amount) in said[-1]


def _tap(shop: Stage, reply: str) -> dict[str, Any]:
    tapped = {"type": "button_reply", "button_reply": {"id": reply, "title": "-"}}
    return shop.message(type="interactive", interactive=tapped)


async def test_example_24_a_changed_price_is_confirmed_again(shop: Stage) -> None:
    await shop.to_review()
    await set_product(shop, "LAMP", price=2200)  # type: ignore[arg-type] # it has a shop too
    await shop.press("confirm_order:")
    assert await shop.see(lambda uow: uow.sagas.listed()) == []
    said = shop.whatsapp.texts[-1]
    assert "$20.00" in said
    assert said.count("$22.00") >= 3
    assert "Total: *$26.90*" in said
    await shop.press("confirm_order:")
    (saga,) = await shop.see(lambda uow: uow.sagas.listed())
    assert saga.context["money"]["due"] == {"amount": "26.90", "currency": "USD"}


async def test_example_25_foreign_and_missing_orders_sound_alike(shop: Stage) -> None:
    await shop.to_review()
    await shop.press("confirm_order:")
    (saga,) = await shop.see(lambda uow: uow.sagas.listed())
    number = saga.results["create_order"]["number"]

    foreign = await shop.says(f"status of order {number}", sender=B)
    missing = await shop.says("status of order 99999999", sender=B)
    assert [text.replace(str(number), "N") for text in foreign] == [text.replace("99999999", "N") for text in missing]


async def test_example_26_a_person_takes_over_and_hands_back(shop: Stage) -> None:
    assert len(await shop.says("human")) == 1
    thread = await shop.thread()
    assert (thread.status, thread.state) == ("escalated", "awaiting_human")
    unread = thread.unread_count
    assert await shop.says("hello") == []
    assert ((await shop.thread()).unread_count, (await shop.handled())["silence"]) == (unread + 1, "with_person")

    await shop.hub.conversations.reply(thread.id, "It is me.", agent=7, by="ana")
    thread = await shop.thread()
    assert (thread.assigned_agent_id, thread.unread_count) == (7, 0)
    await shop.hub.conversations.handback(thread.id, by="ana")
    assert (await shop.thread()).status == "active"
    assert await shop.says("hi") != []


async def test_example_26_when_it_is_closed_the_opening_time_is_said() -> None:
    hours = '{"timezone": "UTC", "week": {"tue": [["09:00", "18:00"]]}}'
    async with stage(WCH_CONVERSATION_HOURS=hours) as shop:
        (said,) = await shop.says("human")
        assert "09:00" in said


async def test_example_27_the_phone_app_takes_over_for_two_hours(shop: Stage) -> None:
    await shop.says("hi")
    echo = {
        "from": "15550783881",
        "to": A,
        "id": "wamid.echo",
        "timestamp": str(unix(NOON)),
        "type": "text",
        "text": {"body": "me"},
    }
    await shop.post({"message_echoes": [echo]}, field="smb_message_echoes")
    await shop.work()
    row = await shop.outbound()
    assert (row.wa_message_id, row.status, (await shop.thread()).status) == ("wamid.echo", "sent", "escalated")
    assert await shop.says("hello") == []

    await shop.later(hours=2, minutes=1)
    assert await shop.says("hi") != []


async def test_example_28_a_thread_reopens_within_a_day(shop: Stage) -> None:
    await shop.says("hi")
    first = await shop.thread()
    await shop.hub.conversations.resolve(first.id, by="ana")
    await shop.later(hours=2)
    await shop.says("hi")
    again = await shop.thread()
    assert (again.id, again.status) == (first.id, "active")

    await shop.hub.conversations.resolve(first.id, by="ana")
    await shop.later(days=3)
    await shop.says("hi")
    assert (await shop.thread()).id != first.id
    await shop.post(
        {"messages": [shop.message(sender=B, text="one")]}, {"messages": [shop.message(sender=B, text="two")]}
    )
    threads = await shop.see(lambda uow: uow.conversations.listed(customer_phone=B))
    assert len(threads) == 1


async def test_example_29_three_misses_call_a_person(shop: Stage) -> None:
    seen = []
    for _ in range(3):
        await shop.says("asdf")
        seen.append(("human" in shop.ids(), (await shop.thread()).status.value))
        shop.clock.advance(timedelta(seconds=61))
    assert seen[0][1] == "active"
    assert seen[1] == (True, "active")
    assert seen[2][1] == "escalated"


async def test_example_30_what_always_raises_ends_with_an_apology(shop: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    dialogue = type(next(one for one in shop.hub.worker.duties if one.kind == "inbound").assistant)  # type: ignore[attr-defined] # the duty's own

    async def broken(*_given: Any) -> Any:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(dialogue, "answer", broken)
        await shop.says("hi")
        await shop.later(minutes=1)
        await shop.later(minutes=5)
    assert (await shop.inbound()).status is MessageStatus.DEAD
    assert [hook for hook, _ in await shop.letters()] == ["whatsapp.inbound"] or await shop.letters()
    assert len(shop.whatsapp.sent) == 1
    assert (await shop.thread()).status is ConversationStatus.ESCALATED
    await shop.says("menu")
    assert (await shop.inbound()).status is MessageStatus.PROCESSED


async def test_example_31_consent_is_heard_while_a_person_has_it(shop: Stage) -> None:
    await shop.says("human")
    (said,) = await shop.says("Stop. Thank you")
    profile = await shop.profile()
    entry = profile.preferences["consent"]["log"][-1]
    assert (profile.opt_in_marketing, profile.marketing_opted_at is not None) == (False, True)
    assert entry["row"] == (await shop.inbound()).id
    assert said

    await shop.says("don't stop", sender=B)
    assert (await shop.profile(B)).marketing_opted_at is None


async def test_example_32_cancel_answers_a_campaign(shop: Stage) -> None:
    await shop.says("hi")
    await shop.do(_campaign)
    await shop.says("cancel")
    assert (await shop.profile()).is_out

    await shop.says("start", sender=B)
    assert ((await shop.handled(B))["intent"], (await shop.profile(B)).marketing_opted_at) == ("greeting", None)


def _campaign(uow: Any) -> None:
    """A campaign's message is the latest that was said."""
    row = uow.messages.get(2, lock=True)
    uow.messages.save(attrs.evolve(row, content={**row.content, "class": Class.CAMPAIGN.value}))


async def test_example_33_the_later_word_counts_whenever_it_comes(shop: Stage) -> None:
    await shop.says("hi")

    def preference(value: str, at: int) -> dict[str, Any]:
        return {
            "wa_id": A,
            "detail": "x",
            "category": "marketing_messages",
            "value": value,
            "timestamp": unix(NOON) + at,
        }

    await shop.post({"user_preferences": [preference("stop", 2)]}, field="user_preferences")
    await shop.post({"user_preferences": [preference("resume", 1)]}, field="user_preferences")
    assert (await shop.profile()).is_out

    await shop.says("hi", sender=B)
    await shop.told("wamid.sent.2", "failed", errors=[{"code": 131050, "title": "T"}])
    profile = await shop.profile(B)
    assert profile.is_out
    assert profile.preferences["consent"]["log"][-1]["source"] == "error_131050"


async def test_example_34_a_day_and_a_minute_later(shop: Stage) -> None:
    await shop.says("hi")
    thread = await shop.thread()
    shop.clock.advance(timedelta(hours=24, minutes=1))
    await shop.post(
        {"messages": [shop.message(type="reaction", reaction={"message_id": "wamid.sent.1", "emoji": "👍"})]}
    )
    await shop.work()
    sent = len(shop.whatsapp.sent)
    with pytest.raises(Exception, match="window is closed"):
        await shop.hub.conversations.reply(thread.id, "late", agent=7, by="ana")
    assert len(shop.whatsapp.sent) == sent


async def test_example_36_the_code_decides(shop: Stage) -> None:
    shop.whatsapp.outcomes = [refused(130429)]
    await shop.says("hi")
    row = await shop.outbound()
    assert (row.status, row.retry_count) == ("pending", 0)
    await shop.later(seconds=5)
    assert (await shop.outbound()).status == "sent"

    shop.whatsapp.outcomes = [refused(190)]
    await shop.says("hello")
    ready = await shop.http.get("/readyz")
    assert ready.status_code == 503
    calls = len(shop.whatsapp.sent)
    await shop.says("again")
    assert len(shop.whatsapp.sent) == calls
    await shop.later(minutes=2)
    await shop.later(minutes=1)
    assert {row.status.value for row in await shop.rows() if row.direction == "outbound"} == {"sent"}

    for code, letters in ((131026, []), (999_999, ["unknown_code"])):
        shop.whatsapp.outcomes = [refused(code)]
        await shop.says("hi", sender=B)
        assert (await shop.outbound(B)).status == "failed"
        assert [reason for _, reason in await shop.letters()] == letters


async def test_example_37_forty_five_in_a_row(shop: Stage) -> None:
    await shop.says("hi")
    thread = await shop.thread()
    for number in range(60):
        await shop.hub.conversations.reply(thread.id, f"{number}", agent=7, by="ana")
    for _ in range(40):
        await shop.later(seconds=1)
    assert len(shop.whatsapp.sent) <= 45
    assert await shop.says("hi", sender=B) != []
    for _ in range(80):
        await shop.later(seconds=5)
    texts = [text for text in shop.whatsapp.texts if text.isdigit()]
    assert texts == sorted(texts, key=int)


async def test_example_37_a_reply_passes_ten_thousand_of_a_campaign(shop: Stage) -> None:
    def invite(uow: UnitOfWork) -> None:
        uow.options.put(option_of(OFFER.name, OFFER.language), OFFER.to_json())
        uow.options.put("whatsapp.limits", {"v": 1, "tier": -1})
        for place in range(10_000):
            profile = uow.customers.lock(str(34600000000 + place), now=NOON)
            uow.customers.save(profile.consenting("marketing", "in", source="keyword", now=NOON))

    await shop.do(invite)
    plan, _ = await shop.hub.broadcasts.draft({**EVERYONE, "rate_per_minute": 100_000}, by="ana")
    await shop.hub.broadcasts.start(plan.id, by="ana")
    for _ in range(3):
        await shop.later(seconds=1)
    before = len(shop.whatsapp.sent)
    assert 0 < before < 1000

    await shop.says("hi")
    for _ in range(2):
        await shop.later(seconds=1)

    assert A in [call.message["to"].lstrip("+") for call in shop.whatsapp.sent[before:]]
    counts = await shop.hub.broadcasts.counts(plan.id)
    assert counts["sent"] < 1000
    assert sum(counts.values()) == 10_000


async def test_example_38_an_id_without_a_number(shop: Stage) -> None:
    await shop.sends(sender=None, from_user_id=BSUID, text="hi")
    message = shop.whatsapp.sent[-1].message
    assert (message["recipient"], "to" in message) == (BSUID, False)
    assert await shop.profile(SURROGATE) is not None

    await shop.sends(sender=A, from_user_id=BSUID, text="hello")
    assert await shop.profile(SURROGATE) is None
    assert len(await shop.rows(A)) >= 3
    ((name, _),) = await shop.see(lambda uow: uow.options.named("customer.merge."))
    await shop.hub.merges.undo(int(name.rpartition(".")[2]), by="ana")
    assert await shop.profile(SURROGATE) is not None


async def test_example_39_two_spellings_of_a_number(shop: Stage) -> None:
    number = await put_customer(shop.shop.shop, "5511987654321")
    await shop.says("hi", sender="551187654321")
    assert shop.whatsapp.sent[-1].message["to"] == "+551187654321"
    assert (await shop.profile("551187654321")).wc_customer_id == number
    await shop.says("hi", sender="5511987654321")
    assert {one.phone for one in await shop.see(lambda uow: uow.customers.listed())} == {
        "551187654321",
        "5511987654321",
    }
    suggested = [
        one for one in await shop.see(lambda uow: uow.audit.listed()) if one.action == "customer.merge_suggested"
    ]
    assert len(suggested) == 1


async def test_example_40_a_number_changes(shop: Stage) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("subscribe")
    await shop.sends(type="system", system={"type": "user_changed_number", "wa_id": NEW, "body": "x"})
    assert (await shop.profile(NEW)).opt_in_marketing
    assert len((await shop.cart(NEW)).items) == 1
    assert await shop.profile(A) is None

    await shop.says("hi")
    fresh = await shop.profile(A)
    assert (fresh.opt_in_marketing, await shop.cart(A)) == (False, None)


@pytest.mark.parametrize(
    ("words", "language"),
    [("नमस्ते", "hi"), ("مرحبا", "ar"), ("bom dia", "pt_BR"), ("buenos días", "es")],
)
async def test_example_42_a_greeting_in_each_language(shop: Stage, words: str, language: str) -> None:
    await shop.says(words)
    assert (await shop.thread()).context["language"] == language
    assert language in LANGUAGES
    rows = shop.whatsapp.sent[-1].message["interactive"]["action"]["sections"][0]["rows"]
    assert all(len(row["title"]) <= 24 and len(row.get("description", "")) <= 72 for row in rows)


async def test_example_43_no_log_names_anybody(shop: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await shop.to_review()
    await shop.press("confirm_order:")
    shop.whatsapp.outcomes = [refused(999_999)]
    await shop.says("my secret words")
    await shop.raw(b"{}", "sha256=0")

    written = "\n".join(f"{one.getMessage()} {one.__dict__}" for one in caplog.records if one.name.startswith("wch"))
    for personal in (A, "my secret words", "an-access-token", "wamid.", "Baker"):
        assert personal not in written


async def test_example_34_the_fallback_goes_out_instead(shop: Stage) -> None:
    await shop.says("hi")
    thread = await shop.thread()
    speaker = shop.hub.conversations.speaker

    def late(uow: Any) -> None:
        now = shop.clock.now()
        profile = uow.customers.lock(A, now=now)
        held = uow.conversations.get(thread.id, lock=True)
        fallback = {"template": "hello", "language": "en", "parameters": ["Sheena"]}
        counted, _ = speaker.say(
            uow,
            held,
            Template(name="x", language="en"),
            profile=profile,
            class_=Class.REPLY,
            origin={"by": "host"},
            now=now,
        )
        counted, _ = speaker.say(
            uow,
            counted,
            _text(),
            profile=profile,
            class_=Class.REPLY,
            origin={"by": "host"},
            now=now,
            lives=None,
            fallback=fallback,
        )
        uow.conversations.save(counted)

    shop.clock.advance(timedelta(hours=24, minutes=1))
    await shop.do(late)
    await shop.work()
    assert shop.whatsapp.texts[-1] == "template hello"
    assert [row.error_message for row in await shop.rows() if row.status == "failed"] == ["window_closed"]


def _text() -> Any:
    from wch.domain.outgoing import Text  # noqa: PLC0415 - of this test alone

    return Text(body="late")

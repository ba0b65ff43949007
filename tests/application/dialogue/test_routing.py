"""Which rule a message falls under, and what is said or not said about it."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.dialogue.chat import BAKER_STREET, NUMBER, SHEENA, Chat, chatting
from wch.application.dialogue.hours import hours_from_json
from wch.application.dialogue.policy import Policy
from wch.application.texts import Texts
from wch.domain.catalogue import ShopFacts
from wch.domain.conversation import ConversationStatus, State
from wch.domain.message import Class, Message
from wch.domain.outgoing import Text
from wch.testing.scripted_shop import Unavailable


@pytest.mark.parametrize(("type_", "content", "silence"), [
    ("sticker", {"media": {"id": "1"}}, "sticker"),
    ("reaction", {"target": "x", "emoji": "👍"}, "reaction"),
    ("edit", {"target": "x", "message": {"type": "text", "text": "y"}}, "edit"),
    ("revoke", {"target": "x"}, "revoke"),
    ("system", {"kind": "user_changed_number"}, "system"),
    ("call", {"event": "connect"}, "call"),
    ("group", {"group_id": "g"}, "group"),
    ("text", {"text": "hi", "group_id": "g"}, "group"),
    ("interactive", {"kind": "call_permission_reply", "fields": {}}, "no_action"),
    ("interactive", {"kind": None}, "no_action"),
])  # fmt: skip
async def test_what_is_never_answered(chat: Chat, type_: str, content: dict[str, Any], silence: str) -> None:
    """Stored and counted, with the reason; nothing is said."""
    assert await chat.send(type_, **content) == ""
    assert chat.account["silence"] == silence
    assert chat.state == State.IDLE


@pytest.mark.parametrize(("type_", "content", "words"), [
    ("image", {"media": {"id": "1"}}, "a person can"),
    ("audio", {"media": {"id": "1"}}, "a person can"),
    ("document", {"media": {"id": "1"}, "caption": "do you have umbrellas?"}, "Umbrella"),
    ("location", {"latitude": "1", "longitude": "2"}, "What is it for?"),
    ("contacts", {"contacts": []}, "contact"),
    ("unsupported", {"kind": "hologram"}, "cannot read"),
    ("hologram", {}, "cannot read"),
    ("request_welcome", {}, "welcome to"),
    ("interactive", {"kind": "nfm_reply", "name": "flow", "data_text": '["x"]'}, "answers"),
    ("interactive", {"kind": "button_reply", "id": "not-ours", "title": "menu"}, "What would you like to do?"),
    ("button", {"payload": "view_cart", "text": "Cart"}, "cart is empty"),
    ("button", {"payload": "something", "text": "menu"}, "What would you like to do?"),
    ("order", {"catalog_id": "1", "items": []}, "Thank you for your order"),
])  # fmt: skip
async def test_what_is_not_a_text_is_answered_by_its_type(
    chat: Chat, type_: str, content: dict[str, Any], words: str
) -> None:
    """No inbound without an answer or a stated reason."""
    assert words in await chat.send(type_, **content)


async def test_a_greeting_welcomes_once(chat: Chat) -> None:
    """In full the first time, shorter the next; what is noted names the intent and the move."""
    shown = await chat.write("hi")

    assert "welcome to The test's shop" in shown
    assert chat.ids == ["categories", "search", "view_cart", "orders", "human"]
    assert chat.account == {"intent": "greeting", "from": "idle", "to": "browsing", "did": ["browse"]}
    assert "again" in await chat.write("hello")


@pytest.mark.parametrize(("phone", "words", "language"), [
    ("34600000000", "menu", "es"),
    ("5511987654321", "xyzzy", "pt_BR"),
    ("16505551234", "नमस्ते", "hi"),
    ("16505551234", "مرحبا", "ar"),
    ("16505551234", "oi", "pt_BR"),
    ("16505551234", "hola", "es"),
    ("u3fi6r42alxn7exdxkwk", "ok", "en"),
])  # fmt: skip
async def test_the_answer_speaks_the_customers_language(phone: str, words: str, language: str) -> None:
    """By the words, else by the number's country, else the shop's."""
    async with chatting(phone=phone) as chat:
        await chat.write(words)

        assert chat.conversation.context["language"] == language


async def test_a_chosen_language_stays(chat: Chat) -> None:
    """Words of another language do not change it back."""
    await chat.write("change language")
    await chat.tap("lang_pt_BR")
    assert chat.profile.language == "pt_BR"

    await chat.write("hello")

    assert "Categorias" in chat.titles


async def test_a_message_of_two_days_ago_is_a_persons_business(chat: Chat) -> None:
    """Its sender does not wait for a machine any more; what is older than any late delivery counts as new."""
    now = chat.clock.now()

    assert await chat.send("text", text="hi", sent_at=now - timedelta(days=2)) == ""
    assert chat.account["silence"] == "too_old"
    assert "welcome" in await chat.send("text", text="hi", sent_at=now - timedelta(days=9))


async def test_messages_that_wait_together_get_one_answer(chat: Chat) -> None:
    """Facts of all are told, of the questions only the last is asked; the others name it."""
    first = chat.message("text", text="add 1 blue lamp to cart")
    second = chat.message("text", text="add 1 desk lamp to cart")
    third = chat.message("text", text="coupon NOPE")

    await chat.send_all(first, second, third)

    assert "Blue Lamp" in chat.shown
    assert "Desk Lamp" in chat.shown
    assert "NOPE" in chat.shown
    assert len(chat.said) == 1
    accounts = chat.answers[-1].accounts
    assert accounts[first.id]["with"] == third.id
    assert "with" not in accounts[third.id]


async def test_a_silent_row_beside_a_text_keeps_its_reason(chat: Chat) -> None:
    """The text is answered all the same."""
    text, reaction = chat.message("text", text="hi"), chat.message("reaction", emoji="👍")

    await chat.send_all(text, reaction)

    assert chat.answers[-1].accounts[reaction.id]["silence"] == "reaction"
    assert "welcome" in chat.shown


async def test_the_shop_away_changes_nothing_and_says_so(chat: Chat) -> None:
    """At once, and with the open question as it was."""
    await chat.write("add 1 blue lamp to cart")
    before = chat.cart
    chat.shop.script("check", Unavailable())

    shown = await chat.write("add 1 desk lamp to cart")

    assert "cannot be reached" in shown
    assert chat.cart == before
    assert chat.account["did"] == []
    chat.shop.script("about", Unavailable())
    assert "welcome" in await chat.write("hi")


async def test_a_sixth_equal_answer_within_a_minute_is_not_sent(chat: Chat) -> None:
    """Two machines talking: what is asked is done, nothing is said."""
    for _ in range(5):
        assert await chat.write("menu") != ""

    assert await chat.write("menu") == ""
    assert chat.account["silence"] == "flood"
    chat.wait(seconds=61)
    assert await chat.write("menu") != ""


async def test_a_second_thanks_needs_no_answer(chat: Chat) -> None:
    """For ten minutes."""
    assert "welcome" in await chat.write("thanks")
    assert await chat.write("thank you!") == ""
    assert chat.account["silence"] == "thanks_again"
    chat.wait(minutes=10)
    assert await chat.write("thanks") != ""


async def test_three_misses_in_a_row_call_a_person(chat: Chat) -> None:
    """Not understood with the menu, then with a person's button, then the person."""
    assert "human" in (await chat.write("asdf"), *chat.ids)
    assert chat.ids[0] == "categories"
    await chat.write("asdf")
    assert chat.ids == ["human", "menu"]
    await chat.write("asdf")
    assert chat.state == State.AWAITING_HUMAN
    assert chat.conversation.handoff["reason"] == "not_understood"


async def test_a_hit_between_misses_begins_anew(chat: Chat) -> None:
    """Only misses in a row count."""
    await chat.write("asdf")
    await chat.write("asdf")
    await chat.write("menu")

    await chat.write("asdf")

    assert chat.ids[0] == "categories"


async def test_a_person_is_called_and_then_the_dialogue_is_silent(chat: Chat) -> None:
    """Told once; the next message is only stored, until it is time to say that somebody comes."""
    assert "colleague" in await chat.write("talk to a human")
    assert chat.status == ConversationStatus.ESCALATED
    assert chat.state == State.AWAITING_HUMAN

    assert await chat.write("hello") == ""
    assert chat.account["silence"] == "with_person"
    chat.wait(minutes=31)
    assert "patience" in await chat.write("hello?")
    assert await chat.write("hello??") == ""
    assert "What would you like to do?" in await chat.write("menu")
    assert chat.status == ConversationStatus.ACTIVE


async def test_menu_does_not_take_a_customer_from_a_person(chat: Chat) -> None:
    """Who writes to a person gets the person's answer."""
    await chat.write("human")
    chat.conversation = chat.conversation.assigned(7, now=chat.clock.now())

    assert await chat.write("menu") == ""
    chat.wait(hours=24)
    assert "welcome" in await chat.write("hi")
    assert chat.conversation.assigned_agent_id is None


async def test_an_echo_of_the_phone_holds_for_two_hours(chat: Chat) -> None:
    """Somebody answered on the shop's own phone."""
    chat.conversation = chat.conversation.escalated("phone_app", now=chat.clock.now())

    chat.wait(minutes=119)
    assert await chat.write("hi") == ""
    chat.wait(minutes=2)
    assert "welcome" in await chat.write("hi")


async def test_outside_hours_a_person_is_promised_for_later() -> None:
    """The frozen clock stands on a Monday noon; the shop opens on Tuesday."""
    hours = hours_from_json({"timezone": "UTC", "week": {"tue": [["09:00", "18:00"]]}})
    async with chatting(policy=Policy(hours=hours)) as chat:
        assert "Tuesday, 09:00" in await chat.write("human")


async def test_switched_off_the_dialogue_says_once_that_nobody_is_there() -> None:
    """Within hours it says nothing; outside them one closing text in twelve hours."""
    hours = hours_from_json({"timezone": "UTC", "week": {"mon": [["13:00", "14:00"]]}})
    async with chatting(policy=Policy(bot_enabled=False, hours=hours)) as chat:
        assert "closed" in await chat.write("hi")
        assert await chat.write("hi") == ""
        assert chat.account["silence"] == "bot_off"
        chat.wait(hours=1)
        assert await chat.write("hi") == ""


async def test_a_blocked_customer_gets_nothing(chat: Chat) -> None:
    """Not even a word about consent."""
    chat.profile = chat.profile._preferring(now=chat.clock.now(), blocked=True)  # noqa: SLF001 - as the operators' room writes it

    assert await chat.write("hi") == ""
    assert await chat.write("stop") == ""
    assert chat.account["silence"] == "blocked"


# --- consent


@pytest.mark.parametrize("words", ["Stop. Thank you", "STOP", "baja", "إلغاء الاشتراك", "बंद करें"])
async def test_stop_ends_offers_whoever_has_the_conversation(chat: Chat, words: str) -> None:
    """With its evidence, and a confirmation."""
    await chat.write("human")

    await chat.write(words)

    assert chat.profile.is_out
    assert chat.profile.marketing_opted_at == chat.clock.now()
    entry = chat.profile.preferences["consent"]["log"][-1]
    assert (entry["row"], entry["words"], entry["to"]) == (2, words, "out")
    assert "consent_stop_all" in chat.ids
    assert chat.status == ConversationStatus.ESCALATED


async def test_stop_is_a_word_of_every_language(chat: Chat) -> None:
    """Everybody knows it: it ends the offers, and leaves the conversation in its language."""
    await chat.write("hola")

    answer = await chat.write("STOP")

    assert Texts("es").say("consent.stopped") in answer


async def test_consent_by_buttons(chat: Chat) -> None:
    """Stop all, undo, and the question that asks first."""
    assert "Shall I stop" in await chat.write("please stop sending me offers")
    assert chat.profile.marketing_opted_at is None
    await chat.tap("consent_stop_all")
    assert chat.profile.notification_opt_out
    await chat.tap("consent_start")
    assert chat.profile.opt_in_marketing
    assert not chat.profile.notification_opt_out


async def test_dont_stop_changes_nothing(chat: Chat) -> None:
    """The words are the whole message or nothing."""
    await chat.write("don't stop")

    assert chat.profile.marketing_opted_at is None


async def test_cancel_answers_a_campaign_as_a_stop(chat: Chat) -> None:
    """The latest of ours is a campaign and no question is open; a quote of something else is not its answer."""
    now = chat.clock.now()
    chat.latest_outbound = Message.outgoing(
        conversation_id=1, kind="template", body={"type": "template"}, to={"wa_id": "1"}, number=NUMBER,
        class_=Class.CAMPAIGN, origin={"by": "campaign"}, now=now,
    ).with_id("wamid.campaign")  # fmt: skip

    await chat.write("cancel", reply_to="wamid.other")
    assert chat.profile.marketing_opted_at is None
    await chat.write("cancel", reply_to="wamid.campaign")
    assert chat.profile.is_out


async def test_start_of_a_stranger_is_a_greeting(chat: Chat) -> None:
    """After an opt-out it opts in."""
    assert "welcome" in await chat.write("start")
    assert chat.profile.marketing_opted_at is None
    await chat.write("stop")
    await chat.write("start")
    assert chat.profile.opt_in_marketing


async def test_what_was_blocked_in_whatsapp_is_lifted_there(chat: Chat) -> None:
    """Nothing is set, and it is said where."""
    now = chat.clock.now()
    chat.profile = chat.profile.told_whatsapp("stop", now, now=now)

    assert "WhatsApp itself" in await chat.write("subscribe")
    assert chat.profile.is_out


async def test_a_template_button_decides_by_payload_or_text(chat: Chat) -> None:
    """Stop promotions as WhatsApp's own button says it."""
    await chat.send("button", payload="x", text="Stop promotions")

    assert chat.profile.is_out
    assert chat.profile.preferences["consent"]["log"][-1]["source"] == "button"


# --- what else may not break


async def test_a_broken_context_starts_anew(chat: Chat) -> None:
    """A prompt that cannot be read is no prompt."""
    context = {"v": 1, "prompt": {"kind": "quantity"}, "product": [], "page": "x", "flood": {}, "language": 7}
    chat.conversation = chat.conversation.remembering(context, now=chat.clock.now())

    assert "welcome" in await chat.write("hi")
    assert await chat.write("add to cart") != ""
    assert await chat.tap("search_p2") != ""


async def test_replaced_texts_are_said(chat: Chat) -> None:
    """From the options, by id and language."""
    chat.texts = {"menu.title.en": "Tell me!"}

    assert "Tell me!" in await chat.write("menu")


async def test_an_apology_speaks_the_customers_language(chat: Chat) -> None:
    """It is said when the dialogue itself has failed."""
    await chat.write("hola")

    (say,) = chat.dialogue.apology(chat.profile, chat.conversation)

    assert isinstance(say.message, Text)
    assert "Perdona" in say.message.body


async def test_the_page_asked_in_between_leaves_the_question_open(chat: Chat) -> None:
    """Order status and help are answered, then the address is asked again."""
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")

    shown = await chat.write("where is my order")

    assert "no orders" in shown
    assert "Where shall we deliver?" in shown
    assert chat.state == State.CHECKOUT_ADDRESS
    assert "Where shall we deliver?" in await chat.write("help")
    assert "221B" in await chat.write(BAKER_STREET)


async def test_an_advertisement_leads_to_its_page(chat: Chat) -> None:
    """Instead of the menu, whatever words WhatsApp put into the customer's mouth; an unknown one changes nothing."""
    lamp = await chat.id_of("Blue Lamp")
    chat.ads = {"1": f"product_{lamp}", "2": "category_999", "3": "menu"}

    assert "Blue Lamp" in await chat.write("hi", referral={"source_id": "1", "headline": "A"})
    assert chat.state == State.VIEWING_PRODUCT
    assert "Blue Lamp" in await chat.write("Can I get more info on this?", referral={"source_id": "1"})
    for source in ("2", "3", "4"):
        assert await chat.write("hi", referral={"source_id": source})
    assert chat.state == State.BROWSING


async def test_a_shop_without_a_name_welcomes_without_one(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    """No gap where the name would stand."""
    facts = attrs.evolve(await chat.shop.about(), name="")

    async def about() -> ShopFacts:
        return facts

    monkeypatch.setattr(chat.shop, "about", about)

    assert "Hello and welcome!" in await chat.write("hi")


async def test_our_own_number_is_not_answered(chat: Chat) -> None:
    """Two ends of one line would talk for ever."""
    told = attrs.evolve(chat.message("text", text="hi"), raw_payload={"metadata": {"display_phone_number": SHEENA}})

    await chat.send_all(told)

    assert chat.account["silence"] == "own_number"


async def test_a_question_about_a_product_shows_it_first(chat: Chat) -> None:
    """Then the intent of the words about it."""
    lamp = await chat.id_of("Blue Lamp")

    await chat.write("add to cart", product={"catalog_id": "c", "retailer_id": str(lamp)})

    assert chat.lines == [("Blue Lamp", 1)]
    assert lamp in chat.answers[-1].viewed

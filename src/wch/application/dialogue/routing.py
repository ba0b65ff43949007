"""The assistant: which rule a message falls under, the first that fits."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import attrs

from wch.application.dialogue import (
    address,
    browse,
    cart_edits,
    catalogue_orders,
    consent,
    handoff,
    intents,
    places,
    product,
    prompts,
    steps,
)
from wch.application.dialogue.listing import Listing
from wch.application.dialogue.model import Talker
from wch.application.dialogue.page import Page
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routes import Place, Route, read_route
from wch.application.dialogue.scene import Answer, Say, Scene, Silence
from wch.application.dialogue.turn import Turn
from wch.application.ports import Payments, Shop
from wch.application.texts import Texts, choose_language
from wch.application.words import Intent, Understood, understand
from wch.domain.conversation import Conversation, ConversationStatus, Event, State
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.inbound import LATE_AFTER
from wch.domain.message import Class, Message
from wch.domain.outgoing import Text
from wch.domain.shop_error import ShopMisconfiguredError, ShopUnavailableError

TOO_OLD = timedelta(hours=24)
"""A message of that age by the provider's time is a person's business."""

SILENT: Mapping[str, Silence] = {
    "group": Silence.GROUP,
    "system": Silence.SYSTEM,
    "reaction": Silence.REACTION,
    "edit": Silence.EDIT,
    "revoke": Silence.REVOKE,
    "call": Silence.CALL,
    "sticker": Silence.STICKER,
}
"""Types that are stored and never answered."""

MEDIA = frozenset({"image", "video", "document", "audio"})
CONSENT = frozenset({Intent.CONSENT_STOP, Intent.CONSENT_STOP_ALL, Intent.CONSENT_START})


@attrs.frozen(kw_only=True)
class Dialogue:
    """The shop assistant; it asks the shop, and changes nothing but an order that the customer cancels."""

    shop: Shop
    payments: Payments
    policy: Policy
    talker: Talker | None = None
    listing: Listing | None = None

    async def answer(self, scene: Scene) -> Answer:
        """Decide about the messages of a scene, in their order."""
        turn = Turn.of(
            scene,
            policy=self.policy,
            shop=self.shop,
            payments=self.payments,
            talker=self.talker,
            listing=self.listing,
        )
        for message in scene.messages:
            await self._one(turn, message)
        return turn.answer()

    def apology(self, profile: CustomerProfile, conversation: Conversation) -> tuple[Say, ...]:
        """What to say when a message could not be handled at all."""
        known = conversation.context.get("language")
        language = choose_language(
            chosen=profile.language,
            matched=(),
            current=known if isinstance(known, str) else None,
            customer=profile.phone,
            default=self.policy.language,
            served=self.policy.languages,
        )
        return (Say(message=Text(body=Texts(language).say("error.apology"))),)

    async def _one(self, turn: Turn, message: Message) -> None:
        mark = turn.begin(message)
        try:
            await _handle(turn, message)
        except (ShopUnavailableError, ShopMisconfiguredError):
            turn.take_back(mark)
            turn.row.silence = None
            turn.tell("shop.unreachable")
        turn.row.ended_in = turn.state


async def _handle(turn: Turn, message: Message) -> None:
    """The rules in their order: never answered, consent, silence, too old, then by type."""
    silent = SILENT.get(message.type)
    if silent is not None or message.content.get("group_id"):
        turn.be_silent(silent or Silence.GROUP, message.type)
        return
    if _is_our_own(turn, message):
        turn.be_silent(Silence.OWN_NUMBER, message.type)
        return
    if not turn.profile.is_blocked and await _consented(turn, message):
        return
    silence = await _silence(turn, message)
    if silence is not None:
        if silence is not Silence.NO_ACTION:
            turn.be_silent(silence, message.type)
        return
    if _is_too_old(turn, message):
        turn.be_silent(Silence.TOO_OLD, message.type)
        return
    steps.let_expire(turn, typed=message.type == "text")
    cart_edits.offer_restore(turn)
    await _by_type(turn, message)


def _is_our_own(turn: Turn, message: Message) -> bool:
    """Whether the number that was written to wrote it: two ends of one line would talk for ever."""
    told: Any = (message.raw_payload or {}).get("metadata")
    shown = str(told.get("display_phone_number") or "") if isinstance(told, Mapping) else ""
    return turn.profile.phone == "".join(letter for letter in shown if letter.isdigit())


def _is_too_old(turn: Turn, message: Message) -> bool:
    """By the provider's time, or by acceptance when that is no late delivery's any more."""
    sent = message.sent_at or message.created_at
    since = message.created_at if sent < message.created_at - LATE_AFTER else sent
    return turn.now - since >= TOO_OLD


# --- consent and silence


async def _consented(turn: Turn, message: Message) -> bool:
    """Whether the message decides on consent; then that is done and said, whoever has the conversation."""
    route = _route_of(message)
    if route is not None and route.place in places.CONSENT:
        await _consent(turn, places.CONSENT[route.place], "button", route.reply_id)
        return True
    for words in _consent_words(message):
        heard = understand(
            words,
            prompt=_question(turn),
            after_opt_out=turn.profile.is_out,
            answering_campaign=_answers_campaign(turn, message),
        )
        if heard.intent in CONSENT:
            _speak(turn, heard)
            source = "keyword" if message.type == "text" else "button"
            await _consent(turn, heard.intent, source, words)
            return True
    return False


async def _consent(turn: Turn, intent: Intent, source: str, words: str) -> None:
    prompt = turn.prompt
    turn.row.intent = intent.value
    consent.decide(turn, intent, source=source, words=words)
    if turn.in_checkout:
        await prompts.after_aside(turn, prompt)


def _consent_words(message: Message) -> tuple[str, ...]:
    if message.type == "text":
        return (str(message.content.get("text", "")),)
    if message.type == "button":
        return tuple(str(message.content[part]) for part in ("payload", "text") if message.content.get(part))
    return ()


def _answers_campaign(turn: Turn, message: Message) -> bool:
    """Whether a campaign or reminder is what is answered: quoted, or the latest that we said."""
    latest = turn.scene.latest_outbound
    if latest is None or latest.class_ is not Class.CAMPAIGN:
        return False
    quoted = message.content.get("reply_to")
    return quoted is None or quoted == latest.wa_message_id


def _question(turn: Turn) -> str | None:
    """The kind of the question that is open."""
    prompt = turn.prompt
    return prompt.kind if prompt is not None and places.is_question(prompt.kind) else None


async def _silence(turn: Turn, message: Message) -> Silence | None:
    """Why nothing is said; `no_action` when what had to be said is said already; None to go on."""
    if turn.profile.is_blocked:
        return Silence.BLOCKED
    if turn.conversation.status is ConversationStatus.ESCALATED or turn.state is State.AWAITING_HUMAN:
        return await _with_person(turn, message)
    if not turn.policy.bot_enabled:
        turn.row.intent = message.type
        return Silence.NO_ACTION if handoff.nobody_there(turn) else Silence.BOT_OFF
    return None


async def _with_person(turn: Turn, message: Message) -> Silence | None:
    if handoff.is_over(turn):
        handoff.hand_back(turn)
        return None
    if handoff.nobody_yet(turn) and _wants_menu(message):
        handoff.hand_back(turn)
        return None
    if message.type == "order" and not turn.is_busy:
        await catalogue_orders.fill(turn, message.content)
        return Silence.WITH_PERSON
    turn.row.intent = message.type
    if handoff.nobody_yet(turn) and message.type != "order" and handoff.still_waiting(turn):
        return Silence.NO_ACTION
    return Silence.WITH_PERSON


def _wants_menu(message: Message) -> bool:
    route = _route_of(message)
    if route is not None:
        return route.place is Place.MENU
    return message.type == "text" and understand(str(message.content.get("text", ""))).intent is Intent.MENU


# --- by type


async def _by_type(turn: Turn, message: Message) -> None:
    content = message.content
    turn.row.intent = message.type
    if message.type == "text":
        await _question_about(turn, content)
        await _text(turn, str(content.get("text", "")))
    elif message.type == "interactive":
        await _interactive(turn, content)
    elif message.type == "button":
        await _button(turn, content)
    elif message.type == "order":
        turn.row.intent = Event.CATALOGUE_ORDER.value
        await catalogue_orders.take(turn, content)
    elif message.type == "location":
        await _location(turn, content)
    elif message.type == "request_welcome":
        turn.row.intent = Intent.GREETING.value
        await browse.greet(turn)
    elif message.type in MEDIA:
        await _media(turn, content)
    elif message.type == "contacts":
        turn.row.intent = "contact"
        turn.show(browse.menu_page(turn, turn.say("contact.received")))
    else:
        turn.row.intent = "unsupported"
        turn.show(browse.menu_page(turn, turn.say("unsupported.kind")))


async def _text(turn: Turn, text: str) -> None:
    """A text: a typed number picks, anything else is understood by its words."""
    heard = understand(text, prompt=_question(turn), after_opt_out=turn.profile.is_out)
    route = prompts.picked(turn, text) if heard.intent in {Intent.ANSWER, Intent.NONE} else None
    if route is not None:
        turn.row.intent = route.place.value
        await _follow(turn, route)
        return
    _speak(turn, heard)
    await intents.do(turn, heard, text)


async def _question_about(turn: Turn, content: JsonObject) -> None:
    """A question about a product of the catalogue: its page first."""
    asked: Any = content.get("product")
    retailer_id = asked.get("retailer_id") if isinstance(asked, Mapping) else None
    if not retailer_id:
        return
    found = (await turn.shop.resolve(retailer_ids=[str(retailer_id)])).get(str(retailer_id))
    if found is not None:
        await product.show_product(turn, found.product_id, found.variation_id)
        turn.fold()


async def _interactive(turn: Turn, content: JsonObject) -> None:
    kind = content.get("kind")
    if kind in {"button_reply", "list_reply"}:
        route = read_route(str(content.get("id", "")))
        if route is None:
            await _text(turn, str(content.get("title", "")))
            return
        turn.row.intent = route.place.value
        await _follow(turn, route)
    elif kind == "nfm_reply":
        await _form(turn, content)
    else:
        turn.be_silent(Silence.NO_ACTION, "interactive")


async def _button(turn: Turn, content: JsonObject) -> None:
    """A button of a template: its payload as a reply id, else its words."""
    route = read_route(str(content.get("payload") or ""))
    if route is None:
        await _text(turn, str(content.get("text") or content.get("payload") or ""))
        return
    turn.row.intent = route.place.value
    await _follow(turn, route)


async def _follow(turn: Turn, route: Route) -> None:
    turn.remember(misses=None)
    await places.go(turn, route)


async def _form(turn: Turn, content: JsonObject) -> None:
    data = content.get("data")
    turn.row.intent = "form"
    if content.get("name") == "address_message" and isinstance(data, Mapping) and turn.state is State.CHECKOUT_ADDRESS:
        turn.row.intent = "address"
        await address.take_form(turn, data)
        return
    turn.show(browse.menu_page(turn, turn.say("form.received")))


async def _location(turn: Turn, content: JsonObject) -> None:
    turn.row.intent = "location"
    if turn.state is State.CHECKOUT_ADDRESS:
        await address.take_location(turn, content)
        return
    turn.show(
        Page(
            body=turn.say("location.received"),
            choices=(
                turn.choice("button.checkout", Place.CHECKOUT),
                turn.choice("button.person", Place.HUMAN),
                turn.choice("button.menu", Place.MENU),
            ),
        )
    )


async def _media(turn: Turn, content: JsonObject) -> None:
    caption = content.get("caption")
    if isinstance(caption, str) and caption.strip():
        await _text(turn, caption)
        return
    turn.row.intent = "media"
    turn.show(
        Page(
            body=turn.say("media.received"),
            choices=(turn.choice("button.person", Place.HUMAN), turn.choice("button.menu", Place.MENU)),
        )
    )


def _speak(turn: Turn, heard: Understood) -> None:
    """Answer in the language of the words, as far as they are of one."""
    known = turn.context.get("language")
    turn.speak(
        choose_language(
            chosen=turn.profile.language,
            matched=heard.languages,
            current=known if isinstance(known, str) else None,
            customer=turn.profile.phone,
            default=turn.policy.language,
            served=turn.policy.languages,
        )
    )


def _route_of(message: Message) -> Route | None:
    """The reply id of a tap, if it is one of ours."""
    if message.type == "interactive":
        return read_route(str(message.content.get("id", "")))
    if message.type == "button":
        return read_route(str(message.content.get("payload") or ""))
    return None

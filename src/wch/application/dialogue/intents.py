"""What a text asks for, done."""

from datetime import timedelta

from wch.application.dialogue import (
    adding,
    advising,
    browse,
    busy,
    cart_edits,
    cart_pages,
    checkout,
    consent,
    coupons,
    fallback,
    handoff,
    order_pages,
    places,
    prompts,
)
from wch.application.dialogue.scene import Silence
from wch.application.dialogue.turn import Prompt, Turn
from wch.application.words import Intent, Understood, understand
from wch.domain.conversation import State
from wch.domain.moment import iso, of_iso

THANKED_ONCE = timedelta(minutes=10)
"""A second thanks within this time needs no answer."""

ASIDE = frozenset({Intent.ORDER_STATUS, Intent.HELP, Intent.LANG, Intent.OPT_OUT_QUESTION})
"""What leaves an open question open: it is asked again afterwards."""


async def do(turn: Turn, heard: Understood, text: str) -> None:
    """Do what a text asks for."""
    prompt = turn.prompt
    intent = heard.intent
    turn.row.intent = intent.value
    if intent is Intent.ANSWER and prompt is not None:
        await _answer(turn, prompt, text, heard)
        return
    if intent is Intent.NONE:
        await _look_for(turn, heard, text)
        return
    turn.remember(misses=None)
    if intent in ASIDE:
        await _aside(turn, heard)
        if intent is not Intent.LANG and turn.state is not State.AWAITING_HUMAN:
            await prompts.after_aside(turn, prompt)
    else:
        await _act(turn, heard)


async def _answer(turn: Turn, prompt: Prompt, text: str, heard: Understood) -> None:
    other = heard.otherwise or Intent.NONE
    if other in {Intent.THANKS, Intent.BYE}:
        await _act(turn, Understood(intent=other, languages=heard.languages))
        return
    use = await prompts.answer(turn, prompt, text, heard)
    if use is prompts.Use.ANSWERED:
        turn.remember(misses=None)
    elif use is prompts.Use.UNUSABLE:
        await prompts.unusable(turn, prompt)
    else:
        await do(turn, understand(text), text)


async def _look_for(turn: Turn, heard: Understood, text: str) -> None:
    """No intent: perhaps a product is called so."""
    if heard.words is not None and await browse.try_search(turn, heard.words):
        turn.row.intent = Intent.SEARCH.value
        turn.remember(misses=None)
        return
    if await browse.show_ad(turn):
        turn.row.intent = Intent.BROWSE.value
        return
    if turn.talker is not None and await advising.reply(turn, turn.talker, text):
        turn.row.intent = "assistant"
        turn.remember(misses=None)
        return
    fallback.miss(turn)


async def _aside(turn: Turn, heard: Understood) -> None:
    match heard.intent:
        case Intent.ORDER_STATUS if heard.order_number is not None:
            await order_pages.show_by_number(turn, heard.order_number)
        case Intent.ORDER_STATUS:
            await order_pages.show_orders(turn)
        case Intent.HELP:
            browse.show_help(turn)
        case Intent.OPT_OUT_QUESTION:
            consent.ask(turn)
        case _:
            await places.speak(turn, heard.choice)


async def _act(turn: Turn, heard: Understood) -> None:
    story = _CART.get(heard.intent) or _ELSEWHERE[heard.intent]
    await story(turn, heard)


async def _human(turn: Turn, _heard: Understood) -> None:
    handoff.call_person(turn, "asked")


async def _cancel(turn: Turn, _heard: Understood) -> None:
    await places.cancel(turn)


async def _back(turn: Turn, _heard: Understood) -> None:
    await places.back(turn)


async def _menu(turn: Turn, _heard: Understood) -> None:
    browse.show_menu(turn)


async def _cancel_order(turn: Turn, heard: Understood) -> None:
    await order_pages.ask_cancel(turn, heard.order_number)


async def _coupon(turn: Turn, heard: Understood) -> None:
    if heard.code is None:
        coupons.ask_code(turn)
    else:
        await coupons.set_coupon(turn, heard.code)


async def _remove_coupon(turn: Turn, _heard: Understood) -> None:
    await coupons.remove_coupon(turn)


async def _remove_item(turn: Turn, heard: Understood) -> None:
    await cart_edits.change_by_words(turn, heard.line, heard.words, 0)


async def _set_quantity(turn: Turn, heard: Understood) -> None:
    await cart_edits.change_by_words(turn, heard.line, heard.words, heard.quantity or 0)


async def _clear_cart(turn: Turn, _heard: Understood) -> None:
    await cart_edits.ask_clear(turn)


async def _add_to_cart(turn: Turn, heard: Understood) -> None:
    await adding.add_by_words(turn, heard.words, heard.quantity)


async def _view_cart(turn: Turn, _heard: Understood) -> None:
    await cart_pages.show_cart(turn)


async def _payment_check(turn: Turn, _heard: Understood) -> None:
    busy.check_payment(turn)


async def _checkout(turn: Turn, _heard: Understood) -> None:
    await checkout.start(turn)


async def _browse(turn: Turn, _heard: Understood) -> None:
    await browse.show_categories(turn)


async def _search(turn: Turn, heard: Understood) -> None:
    if heard.words is None:
        browse.ask_what(turn)
    else:
        await browse.search(turn, heard.words)


async def _greeting(turn: Turn, _heard: Understood) -> None:
    await browse.greet(turn)


async def _thanks(turn: Turn, _heard: Understood) -> None:
    """Once is answered; thanks for the answer are not."""
    before = turn.context.get("thanked_at")
    if isinstance(before, str) and turn.now < of_iso(before) + THANKED_ONCE:
        turn.be_silent(Silence.THANKS_AGAIN, Intent.THANKS.value)
        return
    turn.remember(thanked_at=iso(turn.now))
    turn.row.intent = Intent.THANKS.value
    turn.tell("thanks.reply")


async def _bye(turn: Turn, _heard: Understood) -> None:
    turn.tell("bye.reply")


_CART = {
    Intent.COUPON: _coupon,
    Intent.REMOVE_COUPON: _remove_coupon,
    Intent.REMOVE_ITEM: _remove_item,
    Intent.SET_QUANTITY: _set_quantity,
    Intent.CLEAR_CART: _clear_cart,
    Intent.ADD_TO_CART: _add_to_cart,
    Intent.VIEW_CART: _view_cart,
    Intent.CHECKOUT: _checkout,
    Intent.PAYMENT_CHECK: _payment_check,
}
_ELSEWHERE = {
    Intent.HUMAN: _human,
    Intent.CANCEL: _cancel,
    Intent.BACK: _back,
    Intent.MENU: _menu,
    Intent.CANCEL_ORDER: _cancel_order,
    Intent.BROWSE: _browse,
    Intent.SEARCH: _search,
    Intent.GREETING: _greeting,
    Intent.THANKS: _thanks,
    Intent.BYE: _bye,
    Intent.YES: _menu,
    Intent.NO: _menu,
}

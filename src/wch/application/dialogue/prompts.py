"""The open question and what is typed at it: an answer, a way out, or nothing that it can use."""

from collections.abc import Awaitable, Callable, Mapping
from enum import Enum, auto

from wch.application.dialogue import address, browse, cart_edits, coupons, fallback, places, product
from wch.application.dialogue.adding import choose_variant
from wch.application.dialogue.places import ask_again
from wch.application.dialogue.routes import Route, read_route
from wch.application.dialogue.turn import Prompt, Turn
from wch.application.words import Intent, Understood, normalised, understand_number
from wch.domain.conversation import State
from wch.domain.shop_error import ShopNotFoundError


class Use(Enum):
    """What became of a text at an open question."""

    ANSWERED = auto()
    MEANS_SOMETHING_ELSE = auto()
    UNUSABLE = auto()


_POLITE = frozenset({Intent.GREETING, Intent.THANKS, Intent.BYE, Intent.YES, Intent.NO, Intent.NONE})
"""What is no order to do something else."""

YES_OR_NO = frozenset({"offer", "clear_cart", "cancel_order", "review"})
LONGEST_CODE = 50


def picked(turn: Turn, text: str) -> Route | None:
    """The choice that a typed number names, while the page that offered it is alive."""
    prompt = turn.prompt
    number = understand_number(text)
    if prompt is None or number is None:
        return None
    reply = prompt.options.get(str(number))
    return read_route(reply) if reply is not None else None


async def answer(turn: Turn, prompt: Prompt, text: str, heard: Understood) -> Use:
    """Try a text as the answer to the open question."""
    other = heard.otherwise or Intent.NONE
    if prompt.kind == "address" and turn.state is State.CHECKOUT_ADDRESS:
        return await _address(turn, text, other)
    if prompt.kind in YES_OR_NO and other in {Intent.YES, Intent.NO}:
        return await _yes_or_no(turn, prompt, said_yes=other is Intent.YES)
    if other not in _POLITE:
        return Use.MEANS_SOMETHING_ELSE
    reader = _READERS.get(prompt.kind)
    return Use.UNUSABLE if reader is None else await reader(turn, prompt, text, other)


async def _address(turn: Turn, text: str, other: Intent) -> Use:
    """An address has digits or several parts; a part that was asked for is taken as it is."""
    asked_for_part = turn.checkout.get("asking") is not None
    shown = turn.checkout.get("draft") is not None and not asked_for_part
    if shown and other in {Intent.YES, Intent.NO}:
        if other is Intent.YES:
            await address.use_shown(turn)
        else:
            address.ask_new(turn)
        return Use.ANSWERED
    written_out = any(sign.isdigit() or sign in ",،\n;" for sign in text.strip())
    if other not in _POLITE and not written_out and not asked_for_part:
        return Use.MEANS_SOMETHING_ELSE
    if other in _POLITE - {Intent.NONE} and not written_out:
        return Use.UNUSABLE
    return Use.ANSWERED if await address.take_text(turn, text) else Use.UNUSABLE


async def _yes_or_no(turn: Turn, prompt: Prompt, *, said_yes: bool) -> Use:
    if not said_yes:
        if prompt.kind == "review":
            await places.cancel(turn)
        else:
            await places.keep(turn)
        return Use.ANSWERED
    route = read_route(prompt.options.get("1", ""))
    if route is None:
        return Use.UNUSABLE
    await places.go(turn, route)
    return Use.ANSWERED


async def _search(turn: Turn, _prompt: Prompt, text: str, other: Intent) -> Use:
    if other is Intent.NO:
        await places.keep(turn)
    elif other is Intent.NONE and normalised(text):
        await browse.search(turn, " ".join(text.split()))
    else:
        return Use.UNUSABLE
    return Use.ANSWERED


async def _quantity(turn: Turn, _prompt: Prompt, text: str, _other: Intent) -> Use:
    number = understand_number(text)
    seen = turn.context.get("product") or {}
    if number is None or "id" not in seen:
        return Use.UNUSABLE
    await cart_edits.set_line(turn, int(seen["id"]), seen.get("variation"), min(number, 999))
    return Use.ANSWERED


async def _coupon(turn: Turn, _prompt: Prompt, text: str, other: Intent) -> Use:
    if other is Intent.NO:
        await places.keep(turn)
        return Use.ANSWERED
    code = text.strip()
    if other is not Intent.NONE or not code or len(code.split()) > 1 or len(code) > LONGEST_CODE:
        return Use.UNUSABLE
    await coupons.set_coupon(turn, code)
    return Use.ANSWERED


async def _variant(turn: Turn, _prompt: Prompt, text: str, _other: Intent) -> Use:
    seen = turn.context.get("product") or {}
    try:
        shown = await turn.shop.product(product_id=int(seen.get("id", 0)))
    except (ShopNotFoundError, ValueError):
        return Use.UNUSABLE
    variant = product.variant_of(shown, text)
    if variant is None:
        return Use.UNUSABLE
    await choose_variant(turn, shown.id, variant.id)
    return Use.ANSWERED


async def _by_title(turn: Turn, prompt: Prompt, text: str, _other: Intent) -> Use:
    """A way that is named by its words: those of its row's id."""
    said = normalised(text)
    for reply in prompt.options.values():
        route = read_route(reply)
        if route is not None and route.word is not None and said and said == normalised(route.word):
            await places.go(turn, route)
            return Use.ANSWERED
    return Use.UNUSABLE


_READERS: Mapping[str, Callable[[Turn, Prompt, str, Intent], Awaitable[Use]]] = {
    "search": _search,
    "quantity": _quantity,
    "coupon": _coupon,
    "variant": _variant,
    "shipping": _by_title,
    "payment": _by_title,
}
"""How each kind of question reads its answer."""


async def unusable(turn: Turn, prompt: Prompt) -> None:
    """Ask again; the third time a person is offered instead, and the question is over."""
    if fallback.is_last_try(turn):
        fallback.offer_person(turn)
        return
    tries = prompt.tries + 1
    turn.tell("address.unusable" if prompt.kind == "address" else "prompt.unusable")
    await ask_again(turn, prompt.again, prompt.kind, read_route)
    fallback.keep_tries(turn, tries)


async def after_aside(turn: Turn, prompt: Prompt | None) -> None:
    """After something was answered in between, the open question is asked once more."""
    asked = prompt is not None and places.is_question(prompt.kind)
    if not asked and not turn.in_checkout:
        return
    turn.fold()
    await ask_again(turn, prompt.again if prompt else None, prompt.kind if prompt else "", read_route)

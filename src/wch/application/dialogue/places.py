"""Where a tap leads: each reply id to its story, and a stale one to where things stand now."""

from collections.abc import Awaitable, Callable, Mapping

from wch.application.dialogue import (
    adding,
    address,
    browse,
    busy,
    cart_edits,
    cart_pages,
    catalogue_orders,
    checkout,
    consent,
    coupons,
    delivery,
    handoff,
    order_pages,
    paying,
    product,
    review,
)
from wch.application.dialogue.page import OPTIONS, Page
from wch.application.dialogue.routes import Place, Route
from wch.application.dialogue.turn import Turn
from wch.application.words import Intent
from wch.domain.conversation import State

Story = Callable[[Turn, Route], Awaitable[None]]

_STEPS: Mapping[Place, State] = {
    Place.SAVED_ADDRESS: State.CHECKOUT_ADDRESS,
    Place.NEW_ADDRESS: State.CHECKOUT_ADDRESS,
    Place.USE_ADDRESS: State.CHECKOUT_ADDRESS,
    Place.SHIPPING: State.CHECKOUT_SHIPPING,
    Place.PAYMENT: State.CHECKOUT_PAYMENT,
    Place.CHANGE_ORDER: State.CHECKOUT_REVIEW,
}
"""Buttons that only mean something at one step of the checkout."""

CONSENT: Mapping[Place, Intent] = {
    Place.CONSENT_STOP: Intent.CONSENT_STOP,
    Place.CONSENT_STOP_ALL: Intent.CONSENT_STOP_ALL,
    Place.CONSENT_START: Intent.CONSENT_START,
}


async def go(turn: Turn, route: Route) -> None:
    """Follow a reply id."""
    step = _STEPS.get(route.place)
    if step is not None and turn.state is not step:
        turn.tell("stale.button")
        await checkout.show_present(turn)
        return
    await _STORIES[route.place](turn, route)


async def ask_again(turn: Turn, again: str | None, kind: str, follow: Callable[[str], Route | None]) -> None:
    """Ask the question again that was open; one that cannot be asked again is let go."""
    if turn.in_checkout:
        await checkout.ask_again(turn)
        return
    route = follow(again) if again is not None else None
    if route is not None:
        await go(turn, route)
    elif kind == "consent":
        consent.ask(turn)


def is_question(kind: str | None) -> bool:
    """Whether a prompt of this kind waits for an answer, as against only offering choices."""
    return kind is not None and kind != OPTIONS


async def keep(turn: Turn) -> None:
    """The answer was no: everything stays."""
    prompt = turn.prompt
    cancelling = prompt is not None and prompt.kind == "cancel_order"
    words = turn.say("order.kept" if cancelling else "cart.kept")
    if turn.in_checkout:
        turn.tell_lines(words)
        await checkout.ask_again(turn)
        return
    turn.show(
        Page(
            body=words,
            choices=(
                turn.choice("button.go_on", Place.CATEGORIES),
                turn.choice("button.cart", Place.VIEW_CART),
                turn.choice("button.menu", Place.MENU),
            ),
        )
    )


async def speak(turn: Turn, language: str | None) -> None:
    """Go on in the language that was chosen, for good."""
    if language not in turn.policy.languages or language is None:
        browse.show_languages(turn)
        return
    turn.profile = turn.profile.speaking(language, now=turn.now)
    turn.speak(language)
    turn.tell("language.set")
    if turn.in_checkout:
        await checkout.ask_again(turn)
    else:
        turn.show(browse.menu_page(turn, turn.say("menu.title")))


async def cancel(turn: Turn) -> None:
    """Leave the checkout, stop the order that is being placed, or drop the open question."""
    if turn.in_checkout:
        await checkout.leave(turn)
    elif turn.is_busy:
        busy.cancel_placement(turn)
    else:
        turn.tell("cart.kept")
        browse.show_menu(turn)


async def back(turn: Turn) -> None:
    """One step back in the checkout; elsewhere to where one came from."""
    if turn.in_checkout:
        await checkout.back(turn)
        return
    page = turn.context.get("page") or {}
    name = str(page.get("route", ""))
    if turn.state is State.VIEWING_PRODUCT and name.startswith("category_"):
        await browse.show_products(turn, int(name.removeprefix("category_")), int(page.get("number", 1)))
    elif turn.state is State.VIEWING_PRODUCT and name == "search":
        await browse.search_again(turn, int(page.get("number", 1)))
    else:
        browse.show_menu(turn)


async def _menu(turn: Turn, _route: Route) -> None:
    browse.show_menu(turn)


async def _categories(turn: Turn, route: Route) -> None:
    await browse.show_categories(turn, route.id, route.page or 1)


async def _category(turn: Turn, route: Route) -> None:
    await browse.show_category(turn, route.id or browse.EVERYTHING, route.page)


async def _search(turn: Turn, route: Route) -> None:
    if route.page is None:
        browse.ask_what(turn)
    else:
        await browse.search_again(turn, route.page)


async def _product(turn: Turn, route: Route) -> None:
    await product.show_product(turn, route.id or 0)


async def _variants(turn: Turn, route: Route) -> None:
    """The list of variants; while it is asked for an addition, its quantity is kept."""
    seen, prompt = turn.context.get("product") or {}, turn.prompt
    asked = prompt is not None and prompt.kind == "variant" and seen.get("id") == route.id
    quantity = seen.get("quantity") if asked else None
    await product.show_variants(turn, route.id or 0, route.page or 1, quantity=quantity)


async def _variant(turn: Turn, route: Route) -> None:
    await adding.choose_variant(turn, route.id or 0, route.variation or 0)


async def _add(turn: Turn, route: Route) -> None:
    await adding.add_item(turn, route.id or 0, route.variation, route.quantity or 1)


async def _view_cart(turn: Turn, _route: Route) -> None:
    await cart_pages.show_cart(turn)


async def _edit_cart(turn: Turn, route: Route) -> None:
    if not busy.refuse_if_busy(turn):
        await cart_pages.show_lines(turn, route.page or 1)


async def _line(turn: Turn, route: Route) -> None:
    if route.quantity is None:
        await cart_edits.show_line(turn, route.id or 0, route.variation)
    else:
        await cart_edits.set_line(turn, route.id or 0, route.variation, route.quantity)


async def _clear(turn: Turn, _route: Route) -> None:
    await cart_edits.ask_clear(turn)


async def _clear_yes(turn: Turn, _route: Route) -> None:
    await cart_edits.clear(turn)


async def _restore(turn: Turn, _route: Route) -> None:
    await cart_edits.restore(turn)


async def _accept_prices(turn: Turn, _route: Route) -> None:
    await cart_edits.accept_prices(turn)


async def _only_this(turn: Turn, _route: Route) -> None:
    await catalogue_orders.only_this(turn)


async def _coupon(turn: Turn, _route: Route) -> None:
    coupons.ask_code(turn)


async def _remove_coupon(turn: Turn, _route: Route) -> None:
    await coupons.remove_coupon(turn)


async def _checkout(turn: Turn, _route: Route) -> None:
    await checkout.start(turn)


async def _saved_address(turn: Turn, route: Route) -> None:
    await address.use_saved(turn, route.id or 0)


async def _new_address(turn: Turn, _route: Route) -> None:
    address.ask_new(turn)


async def _use_address(turn: Turn, _route: Route) -> None:
    await address.use_shown(turn)


async def _shipping(turn: Turn, route: Route) -> None:
    await delivery.set_shipping(turn, route.word or "")


async def _payment(turn: Turn, route: Route) -> None:
    await paying.set_payment(turn, route.word or "")


async def _change_order(turn: Turn, _route: Route) -> None:
    checkout.show_changes(turn)


async def _edit(turn: Turn, route: Route) -> None:
    if turn.is_busy and route.place is Place.EDIT_PAYMENT:
        busy.other_method(turn)
    elif turn.is_busy:
        busy.cancel_placement(turn)
    else:
        await checkout.edit(turn, route.place)


async def _confirm(turn: Turn, route: Route) -> None:
    await review.confirm(turn, route.word or "")


async def _cancel_checkout(turn: Turn, _route: Route) -> None:
    await checkout.leave(turn)


async def _cancel_placement(turn: Turn, _route: Route) -> None:
    if turn.is_busy:
        busy.cancel_placement(turn)
    else:
        turn.tell("stale.button")
        await checkout.show_present(turn)


async def _back(turn: Turn, _route: Route) -> None:
    await back(turn)


async def _orders(turn: Turn, _route: Route) -> None:
    await order_pages.show_orders(turn)


async def _order(turn: Turn, route: Route) -> None:
    await order_pages.show_by_id(turn, route.id or 0)


async def _cancel_order(turn: Turn, route: Route) -> None:
    await order_pages.ask_cancel_id(turn, route.id or 0)


async def _cancel_order_yes(turn: Turn, route: Route) -> None:
    await order_pages.cancel(turn, route.id or 0)


async def _human(turn: Turn, _route: Route) -> None:
    handoff.call_person(turn, "asked")


async def _help(turn: Turn, _route: Route) -> None:
    browse.show_help(turn)


async def _lang(turn: Turn, route: Route) -> None:
    await speak(turn, route.word)


async def _consent(turn: Turn, route: Route) -> None:
    consent.decide(turn, CONSENT[route.place], source="button", words=route.reply_id)


async def _keep(turn: Turn, _route: Route) -> None:
    await keep(turn)


_STORIES: Mapping[Place, Story] = {
    Place.MENU: _menu,
    Place.CATEGORIES: _categories,
    Place.CATEGORY: _category,
    Place.SEARCH: _search,
    Place.PRODUCT: _product,
    Place.VARIANTS: _variants,
    Place.VARIANT: _variant,
    Place.ADD_TO_CART: _add,
    Place.VIEW_CART: _view_cart,
    Place.EDIT_CART: _edit_cart,
    Place.LINE: _line,
    Place.CLEAR_CART: _clear,
    Place.CLEAR_CART_YES: _clear_yes,
    Place.RESTORE_CART: _restore,
    Place.ACCEPT_PRICES: _accept_prices,
    Place.ONLY_THIS_ORDER: _only_this,
    Place.COUPON: _coupon,
    Place.REMOVE_COUPON: _remove_coupon,
    Place.CHECKOUT: _checkout,
    Place.SAVED_ADDRESS: _saved_address,
    Place.NEW_ADDRESS: _new_address,
    Place.USE_ADDRESS: _use_address,
    Place.SHIPPING: _shipping,
    Place.PAYMENT: _payment,
    Place.CHANGE_ORDER: _change_order,
    Place.EDIT_ADDRESS: _edit,
    Place.EDIT_SHIPPING: _edit,
    Place.EDIT_PAYMENT: _edit,
    Place.CONFIRM_ORDER: _confirm,
    Place.CANCEL_CHECKOUT: _cancel_checkout,
    Place.CANCEL_PLACEMENT: _cancel_placement,
    Place.BACK: _back,
    Place.ORDERS: _orders,
    Place.ORDER: _order,
    Place.CANCEL_ORDER: _cancel_order,
    Place.CANCEL_ORDER_YES: _cancel_order_yes,
    Place.HUMAN: _human,
    Place.HELP: _help,
    Place.LANG: _lang,
    Place.CONSENT_STOP: _consent,
    Place.CONSENT_STOP_ALL: _consent,
    Place.CONSENT_START: _consent,
    Place.KEEP: _keep,
}

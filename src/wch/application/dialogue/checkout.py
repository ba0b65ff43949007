"""The checkout: how it starts, goes back, is changed, left, and asks its present question again."""

from wch.application.dialogue import address as address_step
from wch.application.dialogue.busy import refuse_if_busy
from wch.application.dialogue.cart_pages import Look, cart_page, empty_page, look, show_cart
from wch.application.dialogue.delivery import ask_shipping, methods_of
from wch.application.dialogue.page import Page
from wch.application.dialogue.paying import ask_payment, offers
from wch.application.dialogue.review import quote_of, show_review
from wch.application.dialogue.routes import Place
from wch.application.dialogue.steps import address_of, keep_checkout
from wch.application.dialogue.turn import CheckoutStarted, Turn
from wch.domain.conversation import CHECKOUT, Event, State
from wch.domain.money import Money

EDITS = {
    Place.EDIT_ADDRESS: (Event.EDIT_ADDRESS, State.CHECKOUT_ADDRESS),
    Place.EDIT_SHIPPING: (Event.EDIT_SHIPPING, State.CHECKOUT_SHIPPING),
    Place.EDIT_PAYMENT: (Event.EDIT_PAYMENT, State.CHECKOUT_PAYMENT),
}


async def start(turn: Turn) -> None:
    """Begin to order, if the cart may be ordered as it is; the answer says why not."""
    if refuse_if_busy(turn):
        return
    if turn.in_checkout:
        await ask_again(turn)
        return
    if not turn.items:
        turn.move(Event.START_CHECKOUT, State.BROWSING)
        turn.show(empty_page(turn, turn.say("checkout.empty")))
        return
    seen = await look(turn)
    turn.cart = seen.cart
    refusal = _refusal(turn, seen)
    if refusal is not None or seen.quote is None:
        turn.move(Event.START_CHECKOUT, State.CART_MANAGEMENT)
        turn.tell_lines(*([refusal] if refusal else []))
        turn.show(cart_page(turn, seen))
        return
    turn.facts.append(CheckoutStarted(cart_id=seen.cart.id))
    if seen.quote.needs_shipping:
        turn.move(Event.START_CHECKOUT, State.CHECKOUT_ADDRESS)
        turn.remember(checkout=None)
        address_step.ask_address(turn)
    else:
        turn.move(Event.START_CHECKOUT, State.CHECKOUT_PAYMENT)
        turn.remember(checkout=None)
        keep_checkout(turn)
        await ask_payment(turn)


def _refusal(turn: Turn, seen: Look) -> str | None:
    """Why this cart cannot be ordered; None when it can."""
    if seen.problems or seen.quote is None:
        return turn.say("checkout.stock")
    if seen.cart.needs_consent:
        return turn.say("cart.accept_first")
    worth = seen.quote.subtotal - seen.quote.discount
    return limits_refusal(turn, worth)


def limits_refusal(turn: Turn, worth: Money) -> str | None:
    """Why an order of this worth is not taken; None when it is."""
    least, most = turn.policy.min_total, turn.policy.max_total
    if least is not None and worth.amount < least:
        floor = Money.rounded(least, worth.currency)
        return turn.say("checkout.minimum", amount=turn.money(floor), missing=turn.money(floor - worth))
    if most is not None and worth.amount > most:
        return turn.say("checkout.maximum", amount=turn.money(Money.rounded(most, worth.currency)))
    return None


async def ask_again(turn: Turn) -> None:
    """Ask the present step's question again, as things stand now."""
    if turn.state is State.CHECKOUT_SHIPPING:
        methods = await methods_of(turn)
        if methods:
            await ask_shipping(turn, methods)
            return
        turn.move(Event.EDIT_ADDRESS)
        turn.tell("address.not_deliverable")
    if turn.state is State.CHECKOUT_ADDRESS:
        _ask_address_again(turn)
    elif turn.state is State.CHECKOUT_PAYMENT:
        await ask_payment(turn)
    elif turn.state is State.CHECKOUT_REVIEW and not await show_review(turn):
        await leave(turn)


def _ask_address_again(turn: Turn) -> None:
    """The same question: the part that was missing, the address shown, or the choice."""
    if turn.checkout.get("draft") is not None:
        address_step.repeat(turn)
    else:
        address_step.ask_address(turn)


async def back(turn: Turn) -> None:
    """One step back; from the first one to the cart."""
    applies = await _steps(turn)
    before = [state for state in applies if _ORDER.index(state) < _ORDER.index(turn.state)]
    if turn.state is State.CHECKOUT_ADDRESS and turn.checkout.get("draft") is not None:
        keep_checkout(turn, draft=None, asking=None)
        address_step.ask_address(turn)
        return
    if not before:
        turn.move(Event.BACK, State.CART_MANAGEMENT)
        await show_cart(turn)
        return
    turn.move(Event.BACK, before[-1])
    await ask_again(turn)


_ORDER = (State.CHECKOUT_ADDRESS, State.CHECKOUT_SHIPPING, State.CHECKOUT_PAYMENT, State.CHECKOUT_REVIEW)


async def _steps(turn: Turn) -> tuple[State, ...]:
    """The steps that ask something for this cart: with one way only there is nothing to ask."""
    quote = await quote_of(turn, address_of(turn))
    steps = []
    if quote.needs_shipping:
        steps.append(State.CHECKOUT_ADDRESS)
        if len(await methods_of(turn)) > 1:
            steps.append(State.CHECKOUT_SHIPPING)
    if len(await offers(turn)) > 1:
        steps.append(State.CHECKOUT_PAYMENT)
    return (*steps, State.CHECKOUT_REVIEW)


async def edit(turn: Turn, place: Place) -> None:
    """Change one of the choices: only steps before the present one."""
    event, state = EDITS[place]
    if turn.state is state:
        await ask_again(turn)
        return
    if not turn.in_checkout or not turn.move(event, state):
        turn.tell("stale.button")
        await show_present(turn)
        return
    if state is State.CHECKOUT_ADDRESS:
        address_step.ask_address(turn)
    else:
        await ask_again(turn)


def show_changes(turn: Turn) -> None:
    """What of an order can be changed before it is placed."""
    places = [("row.edit_cart", Place.EDIT_CART), ("row.coupon", Place.COUPON)]
    if turn.checkout.get("address") is not None:
        places = [("row.edit_address", Place.EDIT_ADDRESS), ("row.edit_shipping", Place.EDIT_SHIPPING), *places]
    places.append(("row.edit_payment", Place.EDIT_PAYMENT))
    if turn.basket().coupon_code is not None:
        places.append(("row.remove_coupon", Place.REMOVE_COUPON))
    turn.show(
        Page(
            body=turn.say("review.change"),
            sheet=turn.say("list.changes"),
            choices=tuple(turn.choice(id_, place) for id_, place in places),
            prompt="review",
            lives=turn.policy.step_waits,
        )
    )


async def leave(turn: Turn) -> None:
    """Drop the choices; cart, coupon and address stay."""
    if turn.state in CHECKOUT:
        turn.move(Event.CANCEL, State.CART_MANAGEMENT)
        turn.tell("checkout.cancelled")
    await show_cart(turn)


async def show_present(turn: Turn) -> None:
    """Where the customer stands: the checkout's question, or the cart."""
    if turn.in_checkout:
        await ask_again(turn)
    else:
        await show_cart(turn)

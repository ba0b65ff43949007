"""The review: everything that was chosen, what it costs to the last unit, and the tap that orders it."""

from collections.abc import Mapping

import attrs

from wch.application.dialogue.busy import show_placing
from wch.application.dialogue.cart_pages import look, quote_words, show_cart
from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.steps import address_of, keep_checkout
from wch.application.dialogue.turn import Turn
from wch.application.texts import country_of_number
from wch.domain.address import Address, address_to_json
from wch.domain.conversation import Event, State
from wch.domain.money import Money, money_from_json, money_to_json
from wch.domain.payment import Offer, OrderFacts
from wch.domain.placement import freeze, token_of
from wch.domain.quote import Quote
from wch.domain.shop_error import ShopRefusedError


@attrs.frozen(kw_only=True)
class Reviewed:
    """What would be ordered now, and the token that names exactly this."""

    address: Address | None
    quote: Quote
    offer: Offer
    shipping_title: str
    token: str
    differs: Money | None = None


def offers_for(turn: Turn, total: Money, address: Address | None, *, needs_shipping: bool) -> tuple[Offer, ...]:
    """The ways to pay that this order may take, in the order of the settings."""
    facts = OrderFacts(
        total=total,
        country=None if address is None else address.country or None,
        needs_shipping=needs_shipping,
        email=turn.profile.email,
        number_country=country_of_number(turn.profile.phone),
    )
    return tuple(offer for offer in turn.payments.offers(facts) if isinstance(offer, Offer))


async def quote_of(turn: Turn, address: Address | None, *, fee: Money | None = None) -> Quote:
    """What the cart costs with what was chosen so far."""
    shipping = turn.checkout.get("shipping")
    return await turn.shop.quote(
        lines=turn.lines,
        address=address,
        shipping_id=shipping if isinstance(shipping, str) else None,
        coupon=turn.basket().coupon_code,
        fee=fee,
        customer=turn.buyer,
    )


def payment_title(turn: Turn, offer: Offer) -> str:
    """A way to pay, in the customer's language where we have words for it."""
    id_ = f"payment.title.{offer.gateway}"
    return turn.say(id_) if turn.texts.knows(id_) else offer.title


async def reviewed(turn: Turn) -> Reviewed | None:
    """What would be ordered now; None when a choice does not hold any more."""
    address = address_of(turn)
    gateway = turn.checkout.get("payment")
    try:
        bare = await quote_of(turn, address)
        offers = offers_for(turn, bare.total, address, needs_shipping=bare.needs_shipping)
        offer = next((one for one in offers if one.gateway == gateway), None)
        if offer is None:
            return None
        quote = await quote_of(turn, address, fee=offer.fee) if offer.fee else bare
    except ShopRefusedError:
        return None
    if quote.needs_shipping and (address is None or quote.shipping_id is None):
        return None
    differs = _differs(turn, quote)
    if differs is not None:
        quote = quote.differing(differs)
    title = turn.checkout.get("shipping_title")
    return Reviewed(
        address=address,
        quote=quote,
        offer=offer,
        shipping_title=title if isinstance(title, str) else "",
        token=token_of(
            turn.basket(),
            address=None if address is None else address_to_json(address),
            shipping=quote.shipping_id,
            payment=offer.gateway,
            quote=quote.fingerprint,
        ),
        differs=differs,
    )


def _differs(turn: Turn, quote: Quote) -> Money | None:
    """What the shop's order differed by the last time, as long as the quote is still the one it differed from."""
    known = turn.checkout.get("differs")
    if not isinstance(known, Mapping) or known.get("quote") != quote.fingerprint:
        return None
    return money_from_json(known["by"])


async def show_review(turn: Turn) -> bool:
    """Show what would be ordered, with a button that orders exactly this; False when a choice does not hold."""
    seen = await reviewed(turn)
    if seen is None:
        return False
    cart = turn.basket()
    if cart.coupon_code is not None and seen.quote.coupon is None:
        turn.tell("coupon.dropped", code=cart.coupon_code)
        turn.change_cart(cart.with_coupon(None, now=turn.now))
    keep_checkout(turn, token=seen.token)
    turn.show(
        Page(
            body="\n".join(_words(turn, seen)),
            choices=(
                turn.choice("button.confirm", to(Place.CONFIRM_ORDER, word=seen.token)),
                turn.choice("button.change", Place.CHANGE_ORDER),
                turn.choice("button.cancel", Place.CANCEL_CHECKOUT),
            ),
            prompt="review",
            lives=turn.policy.step_waits,
        )
    )
    return True


def _words(turn: Turn, seen: Reviewed) -> list[str]:
    quote = seen.quote
    words = [turn.say("review.title"), *quote_words(turn, quote), ""]
    parts: Mapping[str, Money] = {"discount": quote.discount, "tax": quote.tax, "fee": quote.fee}
    if quote.needs_shipping or any(parts.values()) or quote.rounding:
        words.append(turn.say("cart.subtotal", amount=turn.money(quote.subtotal)))
    if quote.discount:
        words.append(turn.say("cart.discount", code=quote.coupon or "", amount=turn.money(-quote.discount)))
    if quote.needs_shipping:
        amount = turn.money(quote.shipping) if quote.shipping else turn.say("shipping.free")
        words.append(turn.say("review.shipping", title=seen.shipping_title, amount=amount))
    if quote.fee:
        words.append(turn.say("review.fee", amount=turn.money(quote.fee)))
    if quote.tax and not quote.tax_included:
        words.append(turn.say("review.tax", amount=turn.money(quote.tax)))
    if quote.rounding:
        words.append(turn.say("review.rounding", amount=turn.money(quote.rounding)))
    words.append(turn.say("cart.total", amount=turn.money(quote.total)))
    if quote.tax and quote.tax_included:
        words.append(turn.say("review.tax_included", amount=turn.money(quote.tax)))
    words.append("")
    if seen.address is not None:
        words.append(turn.say("review.address", address=seen.address.one_line()))
    words.append(turn.say("payment.set", title=payment_title(turn, seen.offer)))
    note = turn.context.get("note")
    if isinstance(note, str):
        words.append(turn.say("review.note", note=note))
    return [*words, "", turn.say("review.ask")]


async def confirm(turn: Turn, token: str) -> None:
    """The tap that orders: the present review's button places it, any other shows what is there now."""
    saga = turn.scene.placement
    cart_id, opened, _ = token.split("-")
    if saga is not None and saga.saga_id == f"order-{cart_id}-{opened}":
        if saga.is_open:
            show_placing(turn)
            return
        order = saga.results.get("create_order") if saga.outcome is None else None
        if order is not None:
            _show_placed(turn, str(order["number"]), int(order["order_id"]))
            return
    if turn.state is not State.CHECKOUT_REVIEW:
        turn.tell("stale.button")
        await show_cart(turn)
        return
    seen = await reviewed(turn)
    if seen is None or seen.token != token or turn.basket().needs_consent:
        turn.tell("checkout.changed")
        turn.tell_lines(*(await look(turn)).notes)
        turn.move(Event.CONFIRM, State.CHECKOUT_REVIEW)
        if not await show_review(turn):
            await show_cart(turn)
        return
    _place(turn, seen)


def _place(turn: Turn, seen: Reviewed) -> None:
    note = turn.context.get("note")
    placement = freeze(
        cart=turn.basket(),
        conversation=turn.conversation,
        profile=turn.profile,
        quote=seen.quote,
        offer=seen.offer,
        address=seen.address,
        number=turn.scene.number,
        language=turn.texts.language,
        note=note if isinstance(note, str) else "",
        shipping_title=seen.shipping_title,
        differs=None if seen.differs is None else money_to_json(seen.differs),
    )
    turn.placement = placement
    turn.move(Event.CONFIRM, State.AWAITING_PAYMENT)
    turn.show(Page(body=turn.say("order.placing")))
    turn.remember(order={"saga_id": placement.saga_id}, checkout=None, prompt=None, note=None)


def _show_placed(turn: Turn, number: str, order_id: int) -> None:
    turn.show(
        Page(
            body=turn.say("order.placed_already", number=number),
            choices=(
                turn.choice("button.track", to(Place.ORDER, order_id)),
                turn.choice("button.menu", Place.MENU),
            ),
        )
    )

"""The shipping step: how it is brought, taken at once when there is one way only."""

from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.paying import ask_payment
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.steps import address_of, keep_checkout
from wch.application.dialogue.turn import Turn
from wch.domain.conversation import Event, State
from wch.domain.money import Money
from wch.domain.quote import ShippingMethod

MOST_METHODS = 10


async def methods_of(turn: Turn) -> tuple[ShippingMethod, ...]:
    """The ways to bring this cart to the address, the cheapest first."""
    address = address_of(turn)
    if address is None:
        return ()
    return await turn.shop.shipping_methods(lines=turn.lines, address=address, coupon=turn.basket().coupon_code)


async def ask_shipping(turn: Turn, methods: tuple[ShippingMethod, ...]) -> None:
    """Ask how it shall be brought, of at least one way; the conversation is at this step already."""
    keep_checkout(turn, shipping=None, shipping_title=None)
    turn.show(
        Page(
            body=turn.say("shipping.ask"),
            sheet=turn.say("list.shipping"),
            choices=tuple(
                Choice(
                    route=to(Place.SHIPPING, word=method.id),
                    title=method.title,
                    description=" · ".join(part for part in (price_words(turn, method.price), method.eta) if part),
                )
                for method in methods[:MOST_METHODS]
            ),
            prompt="shipping",
            lives=turn.policy.step_waits,
        )
    )


async def set_shipping(turn: Turn, method_id: str) -> None:
    """Bring it in this way, if it is offered for this cart and address."""
    methods = await methods_of(turn)
    method = next((one for one in methods if one.id == method_id), None)
    if method is None:
        turn.tell("prompt.unusable")
        await ask_shipping(turn, methods)
        return
    keep(turn, method)
    turn.move(Event.SHIPPING_SET, State.CHECKOUT_PAYMENT)
    await ask_payment(turn)


def keep(turn: Turn, method: ShippingMethod) -> None:
    """Note the way that was chosen."""
    keep_checkout(turn, shipping=method.id, shipping_title=method.title)


def price_words(turn: Turn, price: Money) -> str:
    """What it costs, or that it costs nothing."""
    return turn.money(price) if price else turn.say("shipping.free")

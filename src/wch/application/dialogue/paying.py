"""The payment step: how it is paid, taken at once when there is one way only."""

from wch.application.dialogue.handoff import call_person
from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.review import offers_for, payment_title, quote_of, show_review
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.steps import address_of, keep_checkout
from wch.application.dialogue.turn import Turn
from wch.domain.conversation import Event
from wch.domain.payment import Offer


async def ask_payment(turn: Turn) -> None:
    """Ask how it shall be paid; a single way is taken and said, none calls a person."""
    ways = await offers(turn)
    if not ways:
        turn.tell("payment.none")
        call_person(turn, "order_problem")
        return
    if len(ways) == 1:
        await _take(turn, ways[0])
        return
    keep_checkout(turn, payment=None)
    turn.show(
        Page(
            body=turn.say("payment.ask"),
            sheet=turn.say("list.payment"),
            choices=tuple(
                Choice(
                    route=to(Place.PAYMENT, word=offer.gateway),
                    title=payment_title(turn, offer),
                    description=turn.say("payment.fee", fee=turn.money(offer.fee)) if offer.fee else None,
                )
                for offer in ways
            ),
            prompt="payment",
            lives=turn.policy.step_waits,
        )
    )


async def set_payment(turn: Turn, gateway: str) -> None:
    """Pay in this way, if it is offered for this order."""
    offer = next((one for one in await offers(turn) if one.gateway == gateway), None)
    if offer is None:
        turn.tell("prompt.unusable")
        await ask_payment(turn)
        return
    await _take(turn, offer)


async def offers(turn: Turn) -> tuple[Offer, ...]:
    """The ways to pay for this cart, delivered as chosen."""
    address = address_of(turn)
    quote = await quote_of(turn, address)
    return offers_for(turn, quote.total, address, needs_shipping=quote.needs_shipping)


async def _take(turn: Turn, offer: Offer) -> None:
    keep_checkout(turn, payment=offer.gateway)
    turn.move(Event.PAYMENT_SET)
    if not await show_review(turn):
        turn.tell("payment.none")
        call_person(turn, "order_problem")

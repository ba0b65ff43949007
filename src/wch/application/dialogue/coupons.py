"""The one coupon of a cart: set after the shop said yes, taken off, refused with the reason."""

from wch.application.dialogue.busy import refuse_if_busy
from wch.application.dialogue.cart_pages import empty_page, show_cart
from wch.application.dialogue.checkout import ask_again
from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.turn import Turn
from wch.application.texts import fit
from wch.domain.conversation import Event

LONGEST = 50


def ask_code(turn: Turn) -> None:
    """Ask for the code."""
    if refuse_if_busy(turn):
        return
    if not turn.items:
        turn.show(empty_page(turn, turn.say("coupon.empty_cart")))
        return
    turn.show(
        Page(
            body=turn.say("coupon.ask"),
            choices=(turn.choice("button.cart", Place.VIEW_CART),),
            prompt="coupon",
            numbered=False,
            again=to(Place.COUPON),
        )
    )


async def set_coupon(turn: Turn, code: str) -> None:
    """Set it if it holds for this cart and customer; a refusal says why."""
    if refuse_if_busy(turn):
        return
    if not turn.items:
        turn.show(empty_page(turn, turn.say("coupon.empty_cart")))
        return
    verdict = await turn.shop.check_coupon(code=code[:LONGEST], lines=turn.lines, customer=turn.buyer)
    if verdict.ok:
        turn.change_cart(turn.basket().with_coupon(verdict.code[:LONGEST], now=turn.now))
        turn.move(Event.COUPON_SET)
        turn.tell("coupon.set", code=verdict.code, amount=turn.money(verdict.discount))
    else:
        reason = verdict.reason.value if verdict.reason is not None else "unknown"
        turn.tell(f"coupon.refused.{reason}", code=fit(code, LONGEST))
    await _show_sum(turn)


async def remove_coupon(turn: Turn) -> None:
    """Take it off; without one that is said."""
    if refuse_if_busy(turn):
        return
    if turn.basket().coupon_code is None:
        turn.tell("coupon.none")
    else:
        turn.change_cart(turn.basket().with_coupon(None, now=turn.now))
        turn.move(Event.COUPON_REMOVED)
        turn.tell("coupon.removed")
    await _show_sum(turn)


async def _show_sum(turn: Turn) -> None:
    """In the checkout the present question with fresh figures, else the cart."""
    if turn.in_checkout:
        await ask_again(turn)
    else:
        await show_cart(turn)

"""While an order is being placed its cart does not change."""

from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place
from wch.application.dialogue.scene import SagaSignal
from wch.application.dialogue.turn import Turn

CANCEL = "cancel"
LOOK_UP = "look_up"


def refuse_if_busy(turn: Turn) -> bool:
    """Whether an order is being placed; then the ways out are shown."""
    if not turn.is_busy:
        return False
    show_busy(turn)
    return True


def show_busy(turn: Turn) -> None:
    """The order is under way: pay later ones are done in a moment, others may be cancelled."""
    if _pays_later(turn):
        show_placing(turn)
        return
    turn.show(
        Page(
            body=turn.say("order.busy"),
            choices=(
                turn.choice("button.cancel_order", Place.CANCEL_PLACEMENT),
                turn.choice("button.orders", Place.ORDERS),
                turn.choice("button.person", Place.HUMAN),
            ),
        )
    )


def show_placing(turn: Turn) -> None:
    """The order is being placed at this moment."""
    turn.show(
        Page(
            body=turn.say("order.being_placed"),
            choices=(turn.choice("button.orders", Place.ORDERS), turn.choice("button.person", Place.HUMAN)),
        )
    )


def cancel_placement(turn: Turn) -> None:
    """Ask the placement under way to undo itself; its result comes as a notice.

    One that is paid later is over in a moment, and is cancelled as an order then.
    """
    running = turn.running
    if running is None or _pays_later(turn):
        show_placing(turn)
        return
    turn.signals.append(SagaSignal(saga_id=running.saga_id, kind=CANCEL))
    turn.show(Page(body=turn.say("order.cancelling")))


def _pays_later(turn: Turn) -> bool:
    running = turn.running
    return running is None or bool(running.context.get("pays_later"))


def check_payment(turn: Turn) -> None:
    """The customer says that it is paid: the placement looks at once."""
    running = turn.running
    if running is None:
        turn.show(
            Page(
                body=turn.say("payment.nothing_open"),
                choices=(turn.choice("button.orders", Place.ORDERS), turn.choice("button.cart", Place.VIEW_CART)),
            )
        )
        return
    turn.signals.append(SagaSignal(saga_id=running.saga_id, kind=LOOK_UP))
    turn.show(Page(body=turn.say("payment.checking")))

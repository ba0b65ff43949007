"""While an order is being placed its cart does not change."""

from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.routes import Place
from wch.application.dialogue.scene import SagaSignal
from wch.application.dialogue.turn import Turn
from wch.application.payment_steps import CANCEL, LOOK_UP, OPEN, OTHER_METHOD, bill_message, billed
from wch.domain.money import money_from_json


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
    due = _due(turn)
    turn.show(
        Page(
            body="\n\n".join([turn.say("order.busy"), *([] if due is None else [due])]),
            choices=_ways_out(turn),
            quotes=_bill(turn),
        )
    )


def show_placing(turn: Turn) -> None:
    """The order is being placed at this moment, or waits for its money: then the same link is shown again."""
    due = _due(turn)
    if due is not None:
        turn.show(Page(body=due, choices=_ways_out(turn), quotes=_bill(turn)))
        return
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


def other_method(turn: Turn) -> None:
    """Pay in another way: the payment under way is undone first, the choice comes as a notice."""
    running = turn.running
    if running is None or _pays_later(turn):
        show_placing(turn)
        return
    turn.signals.append(SagaSignal(saga_id=running.saga_id, kind=OTHER_METHOD))
    turn.show(Page(body=turn.say("order.cancelling")))


def _due(turn: Turn) -> str | None:
    """What is to be paid and where, while a payment is open."""
    running = turn.running
    opened = {} if running is None else running.results.get(OPEN, {})
    way = opened.get("link") or opened.get("code")
    if running is None or not (isinstance(way, str) or billed(running)):
        return None
    return turn.say(
        "payment.again" if isinstance(way, str) else "payment.again_bill",
        number=running.results["create_order"]["number"],
        amount=turn.money(money_from_json(running.context["money"]["due"])),
        link=way,
    )


def _bill(turn: Turn) -> str | None:
    """The message in which the order stands to be paid, if it is near enough to be quoted."""
    return None if turn.running is None else bill_message(turn.running, turn.scene.recent)


def _ways_out(turn: Turn) -> tuple[Choice, ...]:
    return (
        turn.choice("button.cancel_order", Place.CANCEL_PLACEMENT),
        turn.choice("button.other_method", Place.EDIT_PAYMENT),
        turn.choice("button.person", Place.HUMAN),
    )


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
    due = _due(turn)
    body = "\n\n".join([turn.say("payment.checking"), *([] if due is None else [due])])
    turn.show(Page(body=body, choices=() if due is None else _ways_out(turn), quotes=_bill(turn)))

"""What the steps of the checkout share: the choices so far, and how long they hold."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from wch.application.dialogue.turn import Turn
from wch.domain.address import Address, address_from_json
from wch.domain.conversation import Event, State
from wch.domain.moment import iso, of_iso, unix

CHOICES_HOLD = timedelta(minutes=30)
ADDRESS_HOLDS = timedelta(minutes=60)
"""How long after the last question a button of the checkout still counts."""


def keep_checkout(turn: Turn, **choices: Any) -> None:
    """Keep these choices of the checkout; None drops one. Every input lets them hold anew."""
    cart = turn.basket()
    holds = ADDRESS_HOLDS if turn.state is State.CHECKOUT_ADDRESS else CHOICES_HOLD
    kept = {
        **turn.checkout,
        **choices,
        "cart": [cart.id, unix(cart.created_at)],
        "until": iso(turn.now + holds),
    }
    turn.remember(checkout={name: value for name, value in kept.items() if value is not None})


def address_of(turn: Turn) -> Address | None:
    """The address that was accepted in this checkout."""
    stored = turn.checkout.get("address")
    return address_from_json(stored) if isinstance(stored, Mapping) else None


def holds_until(turn: Turn) -> datetime | None:
    """Until when the choices of the checkout hold."""
    until = turn.checkout.get("until")
    return of_iso(until) if isinstance(until, str) else None


def let_expire(turn: Turn, *, typed: bool) -> bool:
    """Close a question whose time is over, before the next message is read; whether a checkout ended so.

    What is typed after the question's time is no answer to it any more. A button says all
    by itself, so it counts as long as the choices hold.
    """
    if not turn.in_checkout:
        if turn.prompt is None and "prompt" in turn.context:
            turn.remember(prompt=None)
        return False
    until = holds_until(turn)
    cart = turn.basket()
    same = turn.checkout.get("cart") == [cart.id, unix(cart.created_at)]
    if same and until is not None and turn.now < until and not (typed and turn.prompt is None):
        return False
    turn.move(Event.PROMPT_EXPIRED)
    turn.remember(checkout=None, prompt=None)
    return True

"""Handing over to a person, waiting for one, and coming back."""

from datetime import timedelta

from wch.application.dialogue.page import Page
from wch.application.dialogue.turn import Turn
from wch.domain.conversation import CHECKOUT, SHOPPING, Event, State
from wch.domain.document import JsonObject
from wch.domain.moment import iso, of_iso

TOLD_EVERY = timedelta(minutes=30)
"""How often somebody who waits for a person hears that one will come."""

ONLY_ONCE = timedelta(hours=12)
"""How often a customer hears that nobody is there."""

WITH_PEOPLE = frozenset({"operator", "phone_app"})
"""Reasons for which a person is there already."""


def call_person(turn: Turn, reason: str) -> None:
    """A person takes over; the customer is told once, with the next opening time when nobody is there."""
    turn.fold()
    conversation = turn.conversation
    if conversation.allows(Event.HANDOFF):
        turn.conversation = conversation.escalated(reason, now=turn.now)
        turn.row.did.append(Event.HANDOFF.value)
        turn.remember(handoff={**turn.conversation.handoff, "told_at": iso(turn.now)}, misses=None)
    turn.show(Page(body=_when(turn)))


def _when(turn: Turn) -> str:
    hours = turn.policy.hours
    if hours is None or hours.is_open(turn.now):
        return turn.say("handoff.told")
    opening = hours.next_opening(turn.now)
    if opening is None:
        return turn.say("closed.without_time")
    return turn.say("handoff.closed", when=turn.texts.moment(opening, hours.timezone))


def is_over(turn: Turn) -> bool:
    """Whether a person was silent for so long that the assistant takes over again."""
    return turn.conversation.is_handoff_over(
        person=turn.policy.person_silent_for, phone_app=turn.policy.phone_app_silent_for, now=turn.now
    )


def nobody_yet(turn: Turn) -> bool:
    """Whether the customer still waits for a first word of a person."""
    reason = turn.conversation.handoff.get("reason")
    return turn.conversation.assigned_agent_id is None and reason not in WITH_PEOPLE


def hand_back(turn: Turn) -> None:
    """The assistant takes over, where it was left if that still means something."""
    returns = turn.conversation.return_state
    alive = turn.prompt is not None
    if returns in SHOPPING or returns is State.AWAITING_PAYMENT or (returns in CHECKOUT and alive):
        target = returns
    else:
        target = State.CART_MANAGEMENT if turn.items else State.BROWSING
    turn.move(Event.HANDBACK, target)
    if target not in CHECKOUT:
        turn.remember(checkout=None)


def still_waiting(turn: Turn) -> bool:
    """Say once in a while that a person will come; whether it was said now."""
    handoff: JsonObject = turn.conversation.handoff
    told = handoff.get("told_at") or handoff.get("since")
    if isinstance(told, str) and turn.now < of_iso(told) + TOLD_EVERY:
        return False
    turn.remember(handoff={**handoff, "told_at": iso(turn.now)})
    turn.tell("handoff.waiting")
    return True


def nobody_there(turn: Turn) -> bool:
    """While the assistant is switched off: say once in a while that nobody is there; whether it was said now."""
    hours = turn.policy.hours
    if hours is None or hours.is_open(turn.now):
        return False
    told = turn.context.get("closed_told_at")
    if isinstance(told, str) and turn.now < of_iso(told) + ONLY_ONCE:
        return False
    turn.remember(closed_told_at=iso(turn.now))
    opening = hours.next_opening(turn.now)
    if opening is None:
        turn.tell("closed.without_time")
    else:
        turn.tell("closed.text", when=turn.texts.moment(opening, hours.timezone))
    return True

"""What is said to what was not understood: once with the menu, once with a person's button, then a person."""

from wch.application.dialogue.browse import menu_page
from wch.application.dialogue.handoff import call_person
from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place
from wch.application.dialogue.turn import Turn
from wch.domain.conversation import Event

OFFERED_AT = 2
UNUSABLE = 3
"""Answers that a question cannot use before a person is offered."""


def miss(turn: Turn) -> None:
    """One more text in a row that means nothing here."""
    misses = turn.context.get("misses")
    count = (misses if isinstance(misses, int) else 0) + 1
    turn.remember(misses=count)
    if 0 < turn.policy.misses_to_handoff <= count:
        turn.tell("fallback.third")
        call_person(turn, "not_understood")
    elif count >= OFFERED_AT:
        turn.show(
            Page(
                body=turn.say("fallback.second"),
                choices=(turn.choice("button.person", Place.HUMAN), turn.choice("button.menu", Place.MENU)),
            )
        )
    else:
        turn.move(Event.BROWSE)
        turn.show(menu_page(turn, turn.say("fallback.first")))


def is_last_try(turn: Turn) -> bool:
    """Count an answer that the open question cannot use; whether it was one too many."""
    told = turn.context.get("prompt")
    tries = int(told.get("tries", 0)) + 1 if isinstance(told, dict) else 1
    if isinstance(told, dict):
        turn.remember(prompt={**told, "tries": tries})
    return tries >= UNUSABLE


def keep_tries(turn: Turn, tries: int) -> None:
    """The question was asked again: it remembers how often it was."""
    told = turn.context.get("prompt")
    if isinstance(told, dict):
        turn.remember(prompt={**told, "tries": tries})


def offer_person(turn: Turn) -> None:
    """The question does not get its answer: end it, and offer a person."""
    turn.show(
        Page(
            body=turn.say("prompt.give_up"),
            choices=(
                turn.choice("button.person", Place.HUMAN),
                turn.choice("button.cart", Place.VIEW_CART),
                turn.choice("button.menu", Place.MENU),
            ),
        )
    )

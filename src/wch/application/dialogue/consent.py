"""Consent: words and buttons that end or begin what we send, with their evidence; before any intent."""

from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place
from wch.application.dialogue.turn import Turn
from wch.application.words import Intent

LONGEST_EVIDENCE = 200


def decide(turn: Turn, intent: Intent, *, source: str, words: str) -> None:
    """Stop offers, stop everything, or begin again; confirmed once, whoever has the conversation."""
    if intent is Intent.CONSENT_START:
        _start(turn, source, words)
    elif intent is Intent.CONSENT_STOP_ALL:
        _note(turn, "all", "out", source, words, "consent.stopped_all")
        turn.show(
            Page(body=turn.say("consent.stopped_all"), choices=(turn.choice("button.start", Place.CONSENT_START),))
        )
    else:
        _note(turn, "marketing", "out", source, words, "consent.stopped")
        turn.show(
            Page(
                body=turn.say("consent.stopped"),
                choices=(
                    turn.choice("button.stop_all", Place.CONSENT_STOP_ALL),
                    turn.choice("button.start", Place.CONSENT_START),
                ),
            )
        )


def _start(turn: Turn, source: str, words: str) -> None:
    if _blocked_in_whatsapp(turn):
        turn.show(Page(body=turn.say("consent.blocked")))
        return
    _note(turn, "all", "in", source, words, "consent.started")
    turn.show(Page(body=turn.say("consent.started")))


def _note(turn: Turn, purpose: str, to: str, source: str, words: str, shown: str) -> None:  # noqa: PLR0917 - the evidence
    turn.profile = turn.profile.consenting(
        purpose,
        to,
        source=source,
        now=turn.now,
        row=turn.row.message.id,
        words=words[:LONGEST_EVIDENCE],
        text_shown=shown,
        by="customer",
    )


def _blocked_in_whatsapp(turn: Turn) -> bool:
    """Whether the latest that WhatsApp told of this customer is a stop: only WhatsApp can lift it."""
    log = (turn.profile.preferences.get("consent") or {}).get("log", ())
    told = [entry for entry in log if entry.get("source") in {"user_preferences", "error_131050"} and "to" in entry]
    return bool(told) and told[-1]["to"] == "out"


def ask(turn: Turn) -> None:
    """Somebody is annoyed, in other words than the fixed ones: ask what shall stop."""
    turn.show(
        Page(
            body=turn.say("consent.question"),
            choices=(
                turn.choice("button.stop", Place.CONSENT_STOP),
                turn.choice("button.stop_all", Place.CONSENT_STOP_ALL),
                turn.choice("button.keep", Place.KEEP),
            ),
            prompt="consent",
        )
    )

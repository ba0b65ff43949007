"""What a replay would come to: the rows that it would write and the messages that would go, before anything is done."""

from wch.application.dead_letters import Rehearsed
from wch.application.rehearsals import Change
from wch.domain.message import Direction
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import Cell, Form, Forms, Page, Table, code, state, text
from wch.entrypoints.http.pages.visiting import Route, Visit

SHOWN = 100
"""So many rows are listed."""


async def rehearse(visit: Visit) -> Page:
    """Do all of a replay and take it back; what it would write is named."""
    number = visit.number("id")
    tried = await visit.hub.dead_letters.rehearse(number, by=visit.by)
    here = f"letters/{number}"
    forms = Form(to=f"{here}/replay", label="Replay", tone="primary")
    return Page(
        title=f"Preview: dead letter #{number}",
        place="letters",
        lead=_outcome(tried),
        sections=(
            _messages(visit, tried),
            _rows(tried),
            Forms(title="Decide", forms=(forms,), lead="It happens once, however many press."),
        ),
        back=(visit.href(here), f"Dead letter #{number}"),
    )


def _outcome(tried: Rehearsed) -> str:
    if tried.failure is not None:
        return f"The replay would fail again ({tried.failure}) and become a new letter. Nothing is changed yet."
    return "The replay would go through. Nothing is changed yet."


def _messages(visit: Visit, tried: Rehearsed) -> Table:
    """Messages that would leave, and those of customers that the assistant would have to answer."""
    known = visit.eyes.sees_everybody
    said = [(one, one.message) for one in tried.changes if one.message is not None]
    return Table(
        title="Messages",
        columns=("Message", "What happens", "Kind", "Words"),
        rows=[
            (
                text(f"#{change.row}" if change.row else "new"),
                text("goes to the customer" if change.goes else "waits for the assistant's answer"),
                text(one.type if one.direction is Direction.INBOUND else f"{one.class_.value}, {one.type}"),
                text(visit.eyes.words((one.words or f"[{one.type}]")[:200], known=known)),
            )
            for change, one in said[:SHOWN]
        ],
        empty="No message would go, and none would wait to be answered.",
    )


def _rows(tried: Rehearsed) -> Table:
    return Table(
        title=f"Rows: {len(tried.changes)}",
        columns=("Table", "Row", "Now", "Then"),
        rows=[_row(one) for one in tried.changes[:SHOWN]],
        empty="No row would change beside the letter itself.",
    )


def _row(one: Change) -> tuple[Cell, ...]:
    before = text("not there") if one.before is None else state(one.before) if one.before else text(None)
    return code(one.table), text(clean(one.row) or "new"), before, state(one.after) if one.after else text("written")


PAGES: tuple[Route, ...] = ()
ACTS = (Route("letters/{id}/rehearse", Right.MEND, rehearse),)

"""What a replay would come to: the rows that it would write and the messages that would go, before anything is done."""

from wch.application.dead_letters import MOST_AT_ONCE, Rehearsed
from wch.application.rehearsals import Change
from wch.domain.message import Direction
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import Cell, Form, Forms, Page, Table, code, state, text
from wch.entrypoints.http.pages.visiting import Route, Visit

_GOES, _WAITS = "goes to the customer", "waits for the assistant's answer"

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


async def rehearse_group(visit: Visit) -> Page:
    """Do all of a group's replay, letter by letter, and take it back; what it would write is counted."""
    which = {"hook": visit.word("hook", most=100), "reason": visit.word("reason", most=100)}
    letters = await visit.hub.dead_letters.listed(hook=which["hook"], reason=which["reason"], limit=MOST_AT_ONCE)
    tried = await visit.hub.dead_letters.rehearse_all(letters, by=visit.by)
    forms = Form(to="letters/group/replay", label="Replay all", hidden=which, tone="primary")
    return Page(
        title="Preview: a group of dead letters",
        place="letters",
        lead=f"Of {len(letters)} letters {len(tried.through)} would go through. Nothing is changed yet.",
        sections=(
            Table(
                title="Those that would not",
                columns=("Letter", "Letters", "Why"),
                rows=[
                    *(
                        (text("a new letter each"), text(count), text(f"would fail again: {failure}"))
                        for failure, count in sorted(tried.failures.items())
                    ),
                    *(
                        (text(f"#{number}", href=visit.href(f"letters/{number}")), text(1), text(clean(why)))
                        for number, why in list(tried.refused.items())[:SHOWN]
                    ),
                ],
                empty="All would go through.",
            ),
            Table(
                title="Messages",
                columns=("What happens", "Type", "Messages"),
                rows=[
                    (text(_GOES if goes else _WAITS), text(kind), text(count))
                    for (goes, kind), count in sorted(tried.messages.items())
                ],
                empty="No message would go, and none would wait to be answered.",
            ),
            Table(
                title="Rows",
                columns=("Table", "Now", "Then", "Rows"),
                rows=[
                    (code(table), _before(before), state(after) if after else text("written"), text(count))
                    for (table, before, after), count in sorted(tried.rows.items(), key=str)
                ],
                empty="No row would change beside the letters themselves.",
            ),
            Forms(title="Decide", forms=(forms,), lead="Each letter is replayed once, however many press."),
        ),
        back=(visit.href("letters", **which), "Dead letters of this group"),
    )


def _outcome(tried: Rehearsed) -> str:
    if tried.again is not None:
        return f"The replay would fail again ({tried.again}) and become a new letter. Nothing is changed yet."
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
                text(_GOES if change.goes else _WAITS),
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
    after = state(one.after) if one.after else text("written")
    return code(one.table), text(clean(one.row) or "new"), _before(one.before), after


def _before(told: str | None) -> Cell:
    """The state that a row has now."""
    if told is None:
        return text("not there")
    return state(told) if told else text(None)


PAGES: tuple[Route, ...] = ()
ACTS = (
    Route("letters/group/rehearse", Right.MEND, rehearse_group),
    Route("letters/{id}/rehearse", Right.MEND, rehearse),
)

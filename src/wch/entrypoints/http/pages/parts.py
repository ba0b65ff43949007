"""What pages are made of: cells, tables, facts, steps and forms; how they look is the templates' business."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from wch.domain.moment import iso

NOTHING = "\N{EN DASH}"

GOOD = frozenset(
    {
        "active",
        "processed",
        "sent",
        "delivered",
        "read",
        "completed",
        "recovered",
        "closed",
        "replayed",
        "ok",
        "approved",
    }
)
BAD = frozenset({"dead", "failed", "open", "parked", "unconfirmed", "critical", "disabled", "rejected", "error"})
WARN = frozenset(
    {
        "pending",
        "escalated",
        "abandoned",
        "compensating",
        "running",
        "half_open",
        "processing",
        "expired",
        "skipped",
        "warning",
        "degraded",
    }
)


@attrs.frozen(kw_only=True)
class Cell:
    """One thing in a row: a text, a state, a moment or code; with a place to go if it is a link."""

    kind: str
    text: str
    href: str | None = None
    tone: str = ""


def text(value: object, *, href: str | None = None) -> Cell:
    """Words, or a dash where there is nothing."""
    return Cell(kind="text", text=NOTHING if value is None or value == "" else str(value), href=href)


def state(word: object) -> Cell:
    """A state: the word says it, the colour repeats it."""
    said = str(getattr(word, "value", word))
    tone = "good" if said in GOOD else "bad" if said in BAD else "warn" if said in WARN else ""
    return Cell(kind="state", text=said.replace("_", " "), tone=tone)


def moment(at: datetime | None) -> Cell:
    """A moment in UTC."""
    return text(None) if at is None else Cell(kind="moment", text=iso(at))


def code(value: object) -> Cell:
    """An id, a key, a name of ours."""
    return text(None) if value is None else Cell(kind="code", text=str(value))


@attrs.frozen(kw_only=True)
class Facts:
    """Names with their values."""

    kind: str = "facts"
    title: str
    rows: Sequence[tuple[str, Cell]]


@attrs.frozen(kw_only=True)
class Table:
    """Rows under headings; the first cell of a row names it."""

    kind: str = "table"
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    empty: str


@attrs.frozen(kw_only=True)
class Step:
    """One moment of a time line."""

    title: str
    detail: str
    at: Cell
    tone: str = ""


@attrs.frozen(kw_only=True)
class Steps:
    """A time line."""

    kind: str = "steps"
    title: str
    entries: Sequence[Step]


@attrs.frozen(kw_only=True)
class Code:
    """A document, letter for letter."""

    kind: str = "code"
    title: str
    text: str


@attrs.frozen(kw_only=True)
class Field:
    """One field of a form."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    is_required: bool = True


@attrs.frozen(kw_only=True)
class Form:
    """One change that can be made here.

    Attributes:
        to: where it is posted, below the console.
        hidden: what goes with it unseen, such as the state that was on the screen.
    """

    to: str
    label: str
    fields: Sequence[Field] = ()
    hidden: Mapping[str, str] = attrs.field(factory=dict)
    tone: str = ""


@attrs.frozen(kw_only=True)
class Forms:
    """What can be done."""

    kind: str = "forms"
    title: str
    forms: Sequence[Form]
    lead: str = ""


Section = Facts | Table | Steps | Code | Forms


@attrs.frozen(kw_only=True)
class Choice:
    """One way to filter a list."""

    label: str
    href: str
    is_chosen: bool


@attrs.frozen(kw_only=True)
class Page:
    """A whole page.

    Attributes:
        place: the entry of the navigation that it belongs to.
        topics: what the page hears of when it changes.
        more: where the next page of a list is.
        values: what a template of its own needs.
    """

    title: str
    place: str
    sections: Sequence[Section] = ()
    lead: str = ""
    choices: Sequence[Choice] = ()
    topics: Sequence[str] = ()
    more: str | None = None
    back: tuple[str, str] | None = None
    template: str = "sheet.html"
    values: Mapping[str, Any] = attrs.field(factory=dict)
    status: int = 200

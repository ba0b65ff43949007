"""What pages are made of: cells, tables, facts, steps and forms; how they look is the templates' business."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import attrs

from wch.domain.moment import iso

EACH_NAMED = 7
"""So many bars have each their name below them."""

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
        "in",
        "wanted",
    }
)
BAD = frozenset(
    {
        "dead",
        "failed",
        "open",
        "parked",
        "unconfirmed",
        "critical",
        "disabled",
        "rejected",
        "error",
        "refused",
        "cancelled",
        "out",
        "stopped",
    }
)
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
        "waiting",
        "paused",
        "scheduled",
        "queued",
        "sending",
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
    """A moment; the page tells it in the shop's zone, with UTC beside."""
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
    """A document, letter for letter; a folded one is opened by whoever wants it."""

    kind: str = "code"
    title: str
    text: str
    is_folded: bool = False


@attrs.frozen(kw_only=True)
class Field:
    """One field of a form.

    Attributes:
        kind: of an input as browsers know it, or `select`, `textarea`, `document` (a long one, letter for letter).
        note: what to write here, below the label.
        most: how many characters are taken.
    """

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    choices: Sequence[tuple[str, str]] = ()
    is_required: bool = True
    note: str = ""
    most: int = 500


@attrs.frozen(kw_only=True)
class Form:
    """One change that can be made here.

    Attributes:
        to: where it is posted, below the console.
        hidden: what goes with it unseen, such as the state that was on the screen.
        is_sheet: whether its fields stand below each other, as where something long is written.
    """

    to: str
    label: str
    fields: Sequence[Field] = ()
    hidden: Mapping[str, str] = attrs.field(factory=dict)
    tone: str = ""
    is_sheet: bool = False

    @property
    def has_file(self) -> bool:
        """Whether a file goes with it."""
        return any(one.kind == "file" for one in self.fields)


@attrs.frozen(kw_only=True)
class Forms:
    """What can be done."""

    kind: str = "forms"
    title: str
    forms: Sequence[Form]
    lead: str = ""


@attrs.frozen(kw_only=True)
class Bar:
    """One bar of a plot, in units of its drawing."""

    x: float
    y: float
    width: float
    height: float
    says: str


@attrs.frozen(kw_only=True)
class Plot:
    """Bars over a common ground, drawn here; the table below has the same values.

    Attributes:
        says: what the picture shows, for those who do not see it.
        before: bars of the period before, each to the left of its own.
        labels: the names under the ground, or the first, the middle and the last of many.
    """

    kind: str = "plot"
    title: str
    says: str
    bars: Sequence[Bar]
    highest: str
    labels: Sequence[str]
    table: Table
    before: Sequence[Bar] = ()

    width: ClassVar[int] = 640
    height: ClassVar[int] = 160

    @classmethod
    def of(
        cls,
        *,
        title: str,
        names: Sequence[str],
        values: Sequence[float],
        unit: str,
        first: str,
        before: Sequence[float] = (),
    ) -> "Plot":
        """A plot of one value for each name.

        Args:
            title: above it.
            names: under each bar.
            values: how high each is.
            unit: what is counted.
            first: the heading of the names.
            before: the values of the period before, one for each, where they are compared.
        """
        most = max((*values, *before), default=0) or 1
        step = cls.width / max(1, len(values))
        share = 0.38 if before else 0.76

        def bars(heights: Sequence[float], left: float, when: str) -> list[Bar]:
            return [
                Bar(
                    x=round(place * step + step * left, 2),
                    y=round(cls.height - value / most * (cls.height - 8), 2),
                    width=round(step * share, 2),
                    height=round(value / most * (cls.height - 8), 2),
                    says=f"{name}{when}: {value:g} {unit}",
                )
                for place, (name, value) in enumerate(zip(names, heights, strict=True))
            ]

        top = max(range(len(values)), key=lambda place: values[place], default=0)
        peak = f", most on {names[top]} ({values[top]:g})" if any(values) else ""
        former = f" The period before: {sum(before):g}." if before else ""
        columns = (first, unit.capitalize(), *(("The period before",) if before else ()))
        sides = [values, *([before] if before else [])]
        rows = [(text(name), *(text(f"{side[place]:g}") for side in sides)) for place, name in enumerate(names)]
        return cls(
            title=title,
            says=f"{title}: {sum(values):g} {unit} in {len(values)} bars{peak}.{former}",
            bars=bars(values, 0.5 if before else 0.12, ""),
            before=bars(before, 0.12, ", the period before") if before else (),
            highest=f"{max(values, default=0):g} {unit}",
            labels=_labels(names),
            table=Table(title=title, columns=columns, rows=rows, empty="Nothing yet."),
        )


def _labels(names: Sequence[str]) -> Sequence[str]:
    """Every name where there is room for it; else the first, the middle and the last."""
    return names if len(names) <= EACH_NAMED else (names[0], names[len(names) // 2], names[-1])


Section = Facts | Table | Steps | Code | Forms | Plot


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
        begin: what can be begun here, and where.
        wrong: why what was written could not be taken; it stands in the form still.
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
    begin: tuple[str, str] | None = None
    template: str = "sheet.html"
    values: Mapping[str, Any] = attrs.field(factory=dict)
    status: int = 200
    wrong: str = ""

"""Analytics: figures of a period with plots, and what each of them means."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from wch.application.analytics import Overview
from wch.domain.errors import NotFoundError
from wch.domain.figures import Period, PeriodError
from wch.domain.money import Money, money_to_json
from wch.domain.operator import Right
from wch.entrypoints import sheets
from wch.entrypoints.http.pages.parts import (
    NOTHING,
    Cell,
    Choice,
    Facts,
    Field,
    Form,
    Forms,
    Page,
    Plot,
    Section,
    Table,
    text,
)
from wch.entrypoints.http.pages.visiting import Route, Visit, file_to_keep

_TABLES = (
    ("days", "Days"),
    ("products", "Products"),
    ("campaigns", "Broadcasts"),
    ("contacts", "Winning back"),
    ("notices", "Notices"),
    ("funnel", "The way to the order"),
)
_SPANS = (7, 30, 90)
_DIGITS = 5
MOST_BARS = 62
"""Of more days weeks are drawn."""

_MEANINGS = (
    ("Active customers", "Customers who wrote at least once; reactions and edits aside."),
    ("Unanswered", "Of the times a customer waited for an answer, those in which none came for 24 hours."),
    ("Customers who ordered", "Active customers with an order closed in the period."),
    ("Carts left lying", "Carts abandoned, of these and the orders from carts that never were."),
    ("Won back", "Carts reminded of that brought an order within the window."),
    ("Net", "Totals of closed orders less refunds done in the period."),
)


def _share(told: Mapping[str, Any]) -> str:
    if told["value"] is None:
        return "nothing to compare yet"
    later = f", {told['open']} still open" if told.get("open") else ""
    return f"{told['value'] * 100:.1f} % ({told['numerator']} of {told['denominator']}{later})"


def _money(told: Mapping[str, Any]) -> str:
    return f"{told['amount']} {told['currency']}"


def _summed(values: Sequence[int], step: int) -> list[int]:
    return [sum(values[place : place + step]) for place in range(0, len(values), step)]


def _day(word: str) -> date | None:
    return date.fromisoformat(word) if word else None


def _period(visit: Visit) -> tuple[Period, int]:
    """The days that the address names; the last 30 where it names none."""
    told = visit.query.get("days", "30")
    length = int(told) if told.isdecimal() and len(told) < _DIGITS else 0
    try:
        first, after = (_day(visit.query.get(name, "")) for name in ("from", "to"))
    except ValueError as error:
        raise PeriodError from error
    return visit.hub.analytics.period(first, after, length=length), length


async def analytics(visit: Visit) -> Page:
    """How a period went."""
    period, length = _period(visit)
    told = await visit.hub.analytics.overview(period)
    found, carts, funnel, days = told.summary, told.carts, told.funnel, told.days
    money, people, talk = found["money"], found["customers"], found["conversations"]
    step, first = (7, "Week from") if len(days) > MOST_BARS else (1, "Day")
    names = [one["day"] for one in days[::step]]

    def plot(title: str, name: str, unit: str) -> Plot:
        values, former = (_summed([one[name] for one in lines], step) for lines in (days, told.days_before))
        return Plot.of(title=title, names=names, values=values, unit=unit, first=first, before=former)

    sections: list[Section] = [
        Facts(
            title="In short",
            rows=(
                ("Active customers", text(f"{people['active']}, {people['new']} of them new")),
                ("Conversations", text(talk["begun"])),
                ("Unanswered", text(_share(found["answer_time_s"]["unanswered"]))),
                ("Came to a person", text(_share(talk["handoff_rate"]))),
                ("Orders", text(f"{found['placements']['closed']} of {found['placements']['begun']} begun")),
                ("Revenue", text(_money(money["revenue"]))),
                ("Refunds", text(_money(money["refunds"]))),
                ("Net", text(_money(money["net"]))),
                ("Customers who ordered", text(_share(people["conversion"]))),
                ("Carts left lying", text(_share(carts["abandonment"]))),
                ("Won back", text(_share(carts["recovery"]))),
            ),
        ),
        _compared(visit, told),
        plot("Messages from customers", "inbound", "messages"),
        plot("Orders", "closed", "orders"),
        Plot.of(
            title="From the first word to the paid order",
            names=[one["stage"] for one in funnel["stages"]],
            values=[one["customers"] for one in funnel["stages"]],
            unit="customers",
            first="Stage",
        ),
        Facts(title="What the figures mean", rows=[(name, text(meaning)) for name, meaning in _MEANINGS]),
    ]
    spans = [
        Choice(label=f"{span} days", href=visit.href("analytics", days=span), is_chosen=span == length)
        for span in _SPANS
    ]
    lead = f"From {found['from']} until {found['to']}, days of {found['timezone']}."
    table = Field(name="what", label="Table", kind="select", choices=_TABLES)
    days_of = {"from": str(found["from"]), "to": str(found["to"])}
    form = Form(to="analytics/csv", label="Take it away as CSV", fields=(table,), hidden=days_of)
    sections.append(Forms(title="For a spreadsheet", forms=(form,), lead="Three an hour, each in the audit log."))
    return Page(title="Analytics", place="analytics", lead=lead, sections=sections, choices=spans)


def _compared(visit: Visit, told: Overview) -> Table:
    """This period beside the one of as many days before it."""
    now, before, currency = told.totals, told.before, visit.hub.currency
    rows: Sequence[tuple[str, Decimal | float | None, Decimal | float | None, str]] = (
        ("Active customers", now.active, before.active, ""),
        ("New customers", now.new, before.new, ""),
        ("Conversations", now.conversations, before.conversations, ""),
        ("Messages from customers", now.inbound, before.inbound, ""),
        ("Orders", now.orders, before.orders, ""),
        ("Revenue", now.revenue, before.revenue, currency),
        ("Net", now.net, before.net, currency),
        ("Customers who ordered", now.conversion.value, before.conversion.value, "%"),
    )
    days = len(told.days)
    return Table(
        title=f"Beside the {days} days before" if days > 1 else "Beside the day before",
        columns=("Figure", "This period", "The period before", "Change"),
        rows=[
            (text(name), _figure(here, unit), _figure(there, unit), text(_change(here, there, unit)))
            for name, here, there, unit in rows
        ],
        empty="",
    )


def _figure(value: Decimal | float | None, unit: str) -> Cell:
    if value is None:
        return text("nothing to compare yet")
    if unit == "%":
        return text(f"{value * 100:.1f} %")
    return text(_money(money_to_json(Money.rounded(Decimal(value), unit))) if unit else value)


def _change(here: Decimal | float | None, there: Decimal | float | None, unit: str) -> str:
    """By how much it moved: shares by points, all else by its part of what was."""
    if here is None or there is None or (not there and unit != "%"):
        return NOTHING
    if unit == "%":
        return f"{float(here - there) * 100:+.1f} points"  # type: ignore[operator]  # both are shares
    return f"{float(Decimal(here) / Decimal(there) - 1) * 100:+.0f} %"


async def sheet(visit: Visit) -> Any:
    """One table of the period as a CSV; it holds figures and names of products, never a person."""
    what = visit.word("what", most=20)
    if what not in dict(_TABLES):
        raise NotFoundError(kind="table", id=what)
    try:
        first, after = (_day(visit.word(name, most=10)) for name in ("from", "to"))
    except ValueError as error:
        raise PeriodError from error
    rows = await visit.hub.analytics.exported(what, visit.hub.analytics.period(first, after, length=30), by=visit.by)
    return file_to_keep(f"{what}.csv", "".join(sheets.lines(rows)), "text/csv")


PAGES = (Route("analytics", Right.SEE, analytics),)
ACTS = (Route("analytics/csv", Right.SEE, sheet),)

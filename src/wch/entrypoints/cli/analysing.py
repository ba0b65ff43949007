"""Commands about what a period came to."""

import asyncio
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from wch.domain.figures import TABLES, Period, PeriodError
from wch.entrypoints import sheets
from wch.entrypoints.cli.running import USAGE, Run, command, fail
from wch.entrypoints.cli.writing import force, refuse_taken

if TYPE_CHECKING:
    from wch.application.analytics import Analytics


class Day(click.ParamType[date]):
    """A day; whoever writes it otherwise reads how."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Read it."""
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write it like 2026-03-01", param, ctx)


_FIRST = click.option("--from", "first", type=Day(), metavar="YYYY-MM-DD", help="The first day; 30 days ago otherwise.")
_AFTER = click.option(
    "--to", "after", type=Day(), metavar="YYYY-MM-DD", help="The day after the last; tomorrow otherwise."
)


def _period(analytics: "Analytics", first: date | None, after: date | None) -> Period:
    try:
        return analytics.period(first, after)
    except PeriodError as error:
        fail(str(error), USAGE)


@click.group()
def analytics() -> None:
    """What a period came to: figures, the way to the order, carts, broadcasts."""


@analytics.command()
@_FIRST
@_AFTER
@command
async def summary(run: Run, first: date | None, after: date | None) -> None:
    """Customers, talk, orders, money, products and notices of a period.

    Example: wch analytics summary --from 2026-03-01 --to 2026-04-01
    """
    async with run.hub() as hub:
        found = await hub.analytics.summary(_period(hub.analytics, first, after))
    run.show(found, lambda console: _tell(console, found))


@analytics.command()
@_FIRST
@_AFTER
@command
async def funnel(run: Run, first: date | None, after: date | None) -> None:
    """How far those who wrote went: viewed, added, checkout, confirmed, paid.

    Example: wch analytics funnel --from 2026-03-01
    """
    async with run.hub() as hub:
        found = await hub.analytics.funnel(_period(hub.analytics, first, after))

    def text(console: Console) -> None:
        table = Table(title=f"From {found['from']} until {found['to']}")
        for name in ("stage", "customers", "of those who wrote", "of the stage before", "median time"):
            table.add_column(name, justify="left" if name == "stage" else "right")
        for one in found["stages"]:
            seconds = one["median_seconds_from_before"]
            table.add_row(
                one["stage"],
                str(one["customers"]),
                _percent(one["of_first"]),
                _percent(one["of_before"]),
                "" if seconds is None else f"{seconds} s",
            )
        console.print(table)

    run.show(found, text)


@analytics.command()
@_FIRST
@_AFTER
@command
async def carts(run: Run, first: date | None, after: date | None) -> None:
    """Carts opened, abandoned, reminded of and recovered.

    Example: wch analytics carts --from 2026-03-01
    """
    async with run.hub() as hub:
        found = await hub.analytics.carts(_period(hub.analytics, first, after))
    run.show(found, lambda console: _tell(console, found))


@analytics.command()
@_FIRST
@_AFTER
@command
async def broadcasts(run: Run, first: date | None, after: date | None) -> None:
    """What each broadcast of a period came to.

    Example: wch analytics broadcasts --from 2026-03-01
    """
    async with run.hub() as hub:
        found = await hub.analytics.broadcasts(_period(hub.analytics, first, after))

    def text(console: Console) -> None:
        if not found["campaigns"]:
            console.print("No broadcast reached anybody in these days.")
            return
        table = Table()
        for name in ("campaign", "recipients", "sent", "delivered", "read", "failed", "unconfirmed", "waiting"):
            table.add_column(name, justify="left" if name == "campaign" else "right")
        for one in found["campaigns"]:
            table.add_row(
                f"{one['campaign']} {one['name'] or ''}".strip(),
                str(one["recipients"]),
                str(one["sent"]),
                _percent(one["delivered"]),
                _percent(one["read"]),
                _percent(one["failed"]),
                str(one["unconfirmed"]),
                str(one["waiting"]),
            )
        console.print(table)

    run.show(found, text)


@analytics.command()
@click.argument("what", type=click.Choice(TABLES), default=TABLES[0])
@_FIRST
@_AFTER
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file; the screen otherwise.")
@force
@command
async def export(
    run: Run, what: str, first: date | None, after: date | None, output: Path | None, *, force: bool
) -> None:
    """One table as CSV that is safe in a spreadsheet: a line for each day, product, campaign, kind, type or stage.

    Example: wch analytics export products --output products.csv
    """
    async with run.hub() as hub:
        rows = await hub.analytics.table(what, _period(hub.analytics, first, after))
    text = "".join(sheets.lines(rows))
    refuse_taken(output, force=force, like=text.partition("\n")[0].encode())
    if output is not None:
        await asyncio.to_thread(output.write_bytes, text.encode())
        run.show(
            {"written": str(output), "rows": len(rows)}, lambda console: console.print(f"{len(rows)} rows written.")
        )
    else:
        run.show({"data": rows}, lambda _console: click.echo(text, nl=False))


def _percent(ratio: Mapping[str, Any]) -> str:
    """A ratio as people read it, with what it is made of."""
    if ratio["value"] is None:
        return "-"
    return f"{ratio['value']:.1%} ({ratio['numerator']:g}/{ratio['denominator']:g})"


def _tell(console: Console, found: Mapping[str, Any], indent: str = "") -> None:
    """Nested figures as lines; a ratio in one."""
    for name, value in found.items():
        title = name.replace("_", " ")
        if isinstance(value, Mapping) and value.keys() == {"amount", "currency"}:
            console.print(f"{indent}{title}: {value['amount']} {value['currency']}", markup=False)
        elif isinstance(value, Mapping) and "denominator" in value:
            still = f", {value['open']} still open" if value.get("open") else ""
            console.print(f"{indent}{title}: {_percent(value)}{still}", markup=False)
        elif isinstance(value, Mapping):
            if value:
                console.print(f"{indent}{title}:", markup=False)
                _tell(console, value, f"{indent}  ")
        elif isinstance(value, list):
            console.print(f"{indent}{title}:{'' if value else ' none'}", markup=False)
            for one in value:
                told = ", ".join(f"{key.replace('_', ' ')} {_short(part)}" for key, part in one.items())
                console.print(f"{indent}  {told}", markup=False)
        else:
            console.print(f"{indent}{title}: {'-' if value is None else value}", markup=False)


def _short(value: Any) -> str:
    if not isinstance(value, Mapping):
        return str(value)
    return f"{value['amount']} {value['currency']}" if "amount" in value else _percent(value)

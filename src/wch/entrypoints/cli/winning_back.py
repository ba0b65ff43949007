"""Commands about what customers looked at, and about winning back those who have gone quiet."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from wch.domain.occasion import KINDS
from wch.domain.phone import masked
from wch.entrypoints.cli.running import BY, Run, Whole, command

if TYPE_CHECKING:
    from wch.application.reengagement_figures import RunReport

_DAYS = Whole(1, 3650)


@click.group()
def products() -> None:
    """Products: what customers looked at."""


@products.command()
@click.option("--days", default=30, show_default=True, type=_DAYS, help="So far back.")
@click.option("--customer", metavar="KEY", help="What this one customer looked at.")
@click.option("--each", is_flag=True, help="Every look, the latest first, instead of figures.")
@click.option("--product", type=Whole(1), help="With --each: looks at this product alone.")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def views(run: Run, days: int, customer: str | None, product: int | None, limit: int, *, each: bool) -> None:
    """Which products customers looked at; looks within an hour by one customer are one view.

    Example: wch products views --days 7
    """
    async with run.hub() as hub:
        phone = None if customer is None else (await hub.customers.show(customer)).phone
        if each or product is not None:
            looks = await hub.views.listed(customer=phone, product_id=product, limit=limit)
            run.rows(
                looks,
                {
                    "view": lambda one: one.id,
                    "product": lambda one: one.product_id,
                    "customer": lambda one: masked(one.customer_phone),
                    "at": lambda one: one.viewed_at,
                },
                empty="Nobody looked at it yet.",
            )
            return
        found = await hub.views.tallied(within=timedelta(days=days), customer=phone, limit=limit)
    run.rows(
        found,
        {
            "product": lambda one: one.product_id,
            "views": lambda one: one.views,
            "customers": lambda one: one.customers,
            "last": lambda one: one.last_at,
        },
        empty=f"No product was looked at in the last {days} days.",
    )


@click.group()
def reengagement() -> None:
    """Words to customers who looked at something that changed, or have gone quiet."""


@reengagement.command(name="run")
@click.option("--dry-run", is_flag=True, help="Decide by the same code; write and send nothing.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in KINDS]),
    help="This kind alone; may be given more than once.",
)
@command
async def reengagement_run(run: Run, kinds: tuple[str, ...], *, dry_run: bool) -> None:
    """Look for every occasion now instead of at its hour; caps, consent and quiet hours hold.

    Example: wch reengagement run --dry-run
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("Looking ...", total=None)

        def tell(report: "RunReport") -> None:
            bar.update(task, description=f"{report.looked_at} decided about")

        async with run.hub() as hub:
            enabled = hub.reengagements.reengaging.enabled
            report = await hub.reengagements.run(dry_run=dry_run, kinds=kinds, tell=tell, by=BY)
    run.show(
        {
            "dry_run": dry_run,
            "enabled": enabled,
            "looked_at": report.looked_at,
            "planned": dict(report.planned),
            "held": report.held,
            "refused": dict(report.refused),
        },
        lambda text: _ran(text, report, dry_run=dry_run, enabled=enabled),
    )


def _ran(console: Console, report: "RunReport", *, dry_run: bool, enabled: bool) -> None:
    if not enabled:
        console.print("Re-engagement is switched off; switch it on with WCH_REENGAGEMENT_ENABLED=true.")
    if not report.looked_at:
        console.print("There is nobody to write to: no product that was looked at changed, and nobody has gone quiet.")
        return
    verb = "would be approached" if dry_run else "are approached"
    console.print(
        f"{sum(report.planned.values())} of {report.looked_at} {verb}, {report.held} of them at a later hour."
    )
    for kind, count in sorted(report.planned.items()):
        console.print(f"  {kind}: {count}", markup=False)
    for reason, count in report.refused.most_common():
        console.print(f"  not, because of {reason}: {count}", markup=False)


@reengagement.command(name="report")
@click.option("--days", default=30, show_default=True, type=_DAYS, help="Contacts begun so far back.")
@command
async def reengagement_report(run: Run, days: int) -> None:
    """What the contacts came to, by kind: contacts = sent + failed + waiting + dropped.

    Example: wch reengagement report --days 90
    """
    async with run.hub() as hub:
        lines = await hub.reengagements.report(since=hub.clock.now() - timedelta(days=days))
        currency = hub.currency
    columns: dict[str, Any] = {
        "kind": lambda one: one.kind,
        "contacts": lambda one: one.contacts,
        "sent": lambda one: one.sent,
        "failed": lambda one: one.failed,
        "waiting": lambda one: one.waiting,
        "dropped": lambda one: one.dropped,
        "orders": lambda one: one.converted,
        f"revenue ({currency})": lambda one: one.revenue,
    }
    run.rows(lines, columns, empty=f"Nobody was approached in the last {days} days.")


@click.command(name="report")
@click.option("--days", default=30, show_default=True, type=_DAYS, help="Carts left lying so far back.")
@command
async def carts_report(run: Run, days: int) -> None:
    """What became of carts that were left lying: reminded, recovered, and what that brought.

    Example: wch carts report --days 7
    """
    async with run.hub() as hub:
        told = await hub.reminders.report(since=hub.clock.now() - timedelta(days=days))
        currency = hub.currency

    def text(console: Console) -> None:
        console.print(f"{told.carts} carts were left lying in the last {days} days, {told.reminded} were reminded of.")
        first, second, third = told.reminders
        console.print(f"Reminders that left: {first} first, {second} second, {third} third ones.")
        console.print(f"{told.recovered} were recovered ({told.rate} % of the reminded): {told.revenue} {currency}.")

    shown = {name: getattr(told, name) for name in ("carts", "reminded", "reminders", "recovered", "revenue", "rate")}
    run.show({"days": days, "currency": currency, **shown}, text)

"""Commands about the sync queue and the WhatsApp catalogue."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from wch.domain.catalogue_item import CatalogueError
from wch.domain.document import JsonObject
from wch.domain.shop_error import ShopUnavailableError
from wch.domain.sync import EntityType, SyncAction
from wch.entrypoints.cli.running import BY, Run, Whole, command, fail

if TYPE_CHECKING:
    from wch.application.hub import Hub

LOOK_AGAIN_SECONDS = 0.5
STANDS_STILL = 240
"""After so many looks without any movement (two minutes) the command stops waiting; the rows wait on."""

Shown = Callable[[JsonObject], None]


@click.group()
def sync() -> None:
    """The queue that keeps shop, hub and WhatsApp catalogue in step."""


@sync.command(name="list")
@click.option("--status")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def sync_list(run: Run, status: str | None, limit: int) -> None:
    """Rows of the queue by id.

    Example: wch sync list --status pending
    """
    async with run.hub() as hub:
        found = await hub.sync.listed(status=status, limit=limit)
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "what": lambda one: f"{one.entity_type} {one.entity_id} {one.action}",
            "status": lambda one: one.status,
            "attempts": lambda one: one.attempts,
            "error": lambda one: one.error_message,
        },
        empty="The queue is empty.",
    )


@sync.command()
@click.argument("entity", type=click.Choice([word.value for word in EntityType]))
@click.argument("entity_id", type=Whole(1))
@click.option("--action", type=click.Choice([word.value for word in SyncAction]), default="update", show_default=True)
@command
async def enqueue(run: Run, entity: str, entity_id: int, action: str) -> None:
    """Look at one product, order or stock level again.

    Example: wch sync enqueue order 1042
    """
    async with run.hub() as hub:
        task = await hub.sync.enqueue(EntityType(entity), entity_id, SyncAction(action), by=BY)
    run.show(task, lambda console: console.print(f"Row {task.id}: {task.status}."))


@sync.command(name="run")
@click.option("--dry-run", is_flag=True, help="Say what would be sent; send and change nothing.")
@click.option("--limit", default=100, show_default=True, type=Whole(1, 1000), help="Changes listed by --dry-run.")
@click.option("--resume", is_flag=True, help="Work off the run that is under way instead of beginning one.")
@click.option("--no-wait", is_flag=True, help="Begin it and leave the work to the worker.")
@command
async def run_(run: Run, *, dry_run: bool, limit: int, resume: bool, no_wait: bool) -> int:
    """Bring the whole WhatsApp catalogue in step with the shop; what did not change is not sent.

    Where a worker runs it does the work and this shows how far it is; without one this command works itself.

    Example: wch sync run --dry-run
    """
    async with run.hub() as hub:
        if dry_run:
            return await _planned(run, hub, limit)
        if resume:
            begun = await hub.runs.current()
            if begun is None:
                fail("no full run is under way; begin one with: wch sync run")
        else:
            begun = await hub.runs.start(by=BY)
        if no_wait:
            run.show(
                begun,
                lambda console: console.print(f"The run of {begun['started']} has begun; see: wch sync report --runs"),
            )
            return 0
        stopped = await _watched(run, hub, str(begun["started"]))
        ended = await hub.runs.get(str(begun["started"])) or begun
    run.show(ended, lambda console: _print_run(console, ended))
    if stopped is not None:
        fail(stopped)
    return 1 if ended.get("failed") else 0


async def _planned(run: Run, hub: "Hub", limit: int) -> int:
    plan = await hub.runs.plan(limit=limit)

    def text(console: Console) -> None:
        for entry in plan.listed:
            why = f" ({entry['why']})" if entry["why"] else ""
            console.print(
                f"{entry['change']}  item {entry['item']}, product {entry['product']}{why}", markup=False, emoji=False
            )
        counts = plan.counts
        console.print(
            f"{plan.products} products looked at: {counts['created']} items would be created, {counts['changed']} changed, "
            f"{counts['deleted']} deleted; {counts['unfit']} cannot be sent. Nothing was sent."
        )
        if counts["unfit"]:
            console.print(
                "An item needs an https image and an https link; add them with: wch shop import", markup=False
            )

    run.show(plan, text)
    return 0


async def _watched(run: Run, hub: "Hub", started: str) -> str | None:
    """Wait until the run is over, working on it where nobody else does; why it was left, if it was."""
    if run.as_json or not sys.stderr.isatty():
        return await _until_over(hub, started, lambda _: None)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - only here

    columns = (TextColumn("Catalogue"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as bar:
        line = bar.add_task("catalogue", total=None)

        def shown(state: JsonObject) -> None:
            bar.update(line, total=state.get("total") or None, completed=_ended(state))

        return await _until_over(hub, started, shown)


async def _until_over(hub: "Hub", started: str, shown: Shown) -> str | None:
    from wch.application.worker import alive  # noqa: PLC0415 - slow to load, and help does without

    still, before = 0, -1
    while True:
        state = await hub.runs.get(started)
        if state is None or state["state"] not in {"collecting", "working"}:
            return None
        shown(state)
        if why := await hub.runs.stopped():
            return f"the catalogue takes nothing at the moment: {why}; mend it, then: wch sync run --resume"
        moved = _ended(state) + int(state.get("total") or 0)
        still, before = (0, moved) if moved != before else (still + 1, before)
        if still >= STANDS_STILL:
            return (
                f"{state['waiting']} rows wait for another try and nothing moves; see why with: wch sync list "
                "--status pending; go on later with: wch sync run --resume"
            )
        others = await hub.database.read(lambda uow: alive(uow, hub.clock.now()))
        if others or not await hub.sync.work():
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _ended(state: Mapping[str, Any]) -> int:
    return int(state.get("done") or 0) + int(state.get("failed") or 0)


def _print_run(console: Console, run: JsonObject) -> None:
    console.print(
        f"{run.get('total', 0)} products: {run.get('done', 0)} in step, {run.get('failed', 0)} failed"
        f"{f', {waiting} still waiting' if (waiting := run.get('waiting')) else ''}. "
        f"{run.get('sent', 0)} items sent, {run.get('deleted', 0)} deleted."
    )
    for reason in run.get("reasons", ()):
        console.print(f"  product {reason}", markup=False, emoji=False)
    if run.get("failed"):
        console.print("What the catalogue refused is tried again at the product's next change, or by: wch sync run")


@sync.command()
@click.option("--fix", is_flag=True, help="Let what differs be sent again.")
@click.option("--runs", is_flag=True, help="List the latest full runs instead.")
@click.option("--history", is_flag=True, help="List the reports of the last thirty days instead.")
@command
async def report(run: Run, *, fix: bool, runs: bool, history: bool) -> None:
    """What the WhatsApp catalogue holds, against what the shop sells.

    Example: wch sync report --fix
    """
    async with run.hub() as hub:
        if runs:
            _list_runs(run, await hub.runs.listed())
            return
        if history:
            _list_reports(run, await hub.discrepancies.listed())
            return
        try:
            found = await hub.discrepancies.report(fix=fix, by=BY)
        except CatalogueError as error:
            fail(f"the catalogue could not be read: {error.line}; check WCH_CATALOG_ID and the token with: wch doctor")
        except ShopUnavailableError:
            fail("the shop cannot be reached, so nothing was compared; try again in a minute.")

    def text(console: Console) -> None:
        for one in found["listed"]:
            console.print(_difference(one), markup=False, emoji=False)
        counts = ", ".join(f"{number} {kind}" for kind, number in found["counts"].items() if number) or "nothing"
        console.print(
            f"The catalogue holds {found['items']} items, the shop sells {found['products']} products; they differ in: "
            f"{counts}."
        )
        if found["differences"]:
            console.print(
                f"{found['fixing']} products wait to be sent again; the worker does it."
                if fix
                else "Send again what differs with: wch sync report --fix"
            )

    run.show(found, text)


def _difference(one: JsonObject) -> str:
    behind = f" (product {one['product']})" if one.get("product") else ""
    match one["kind"]:
        case "missing":
            return f"missing       item {one['item']}{behind} is not in the catalogue: {one['shop']}"
        case "extra":
            return f"extra         item {one['item']}{behind} is in the catalogue, and the shop does not sell it"
        case "failed":
            return f"failed        product {one['item']}: {one['shop']}"
    return f"{one['kind']:<13} item {one['item']}{behind}: shop {one['shop']}, catalogue {one['catalogue']}"


def _list_runs(run: Run, found: Any) -> None:
    run.rows(
        list(found),
        {
            "began": lambda one: one["started"],
            "state": lambda one: one["state"],
            "products": lambda one: one.get("total"),
            "in step": lambda one: one.get("done"),
            "failed": lambda one: one.get("failed"),
            "sent": lambda one: one.get("sent"),
            "deleted": lambda one: one.get("deleted"),
            "seconds left": lambda one: one.get("seconds_left"),
            "ended": lambda one: one.get("ended"),
        },
        empty="No full run yet; begin one with: wch sync run",
    )


def _list_reports(run: Run, found: Any) -> None:
    run.rows(
        list(found),
        {
            "at": lambda one: one["at"],
            "items": lambda one: one["items"],
            "products": lambda one: one["products"],
            "differences": lambda one: one["differences"],
            "which": lambda one: ", ".join(f"{number} {kind}" for kind, number in one["counts"].items() if number),
        },
        empty="No report yet; make one with: wch sync report",
    )

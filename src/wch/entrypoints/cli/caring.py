"""Commands about a customer's rights and identity: export, erase, merge."""

import asyncio
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from wch.domain.errors import NotFoundError
from wch.domain.phone import masked
from wch.domain.saga import Saga
from wch.entrypoints.cli.running import BY, FAILED, USAGE, Run, command, fail, failure
from wch.entrypoints.cli.writing import force, refuse_taken
from wch.entrypoints.shown import plain

if TYPE_CHECKING:
    from wch.application.hub import Hub

ROUNDS = 200
PAUSE_SECONDS = 0.2
"""Between two looks at an erasure that a worker carries out."""

_BEGINNING = b'{\n  "format": "wch.export/'
"""Of every export of a customer."""


@click.command()
@click.argument("key")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A file, readable for you alone.")
@force
@command
async def export(run: Run, key: str, output: Path | None, *, force: bool) -> int:
    """Print all that is known of a customer, in every table and beyond, as one JSON document.

    Example: wch customers export +34612345678 --output anna.json
    """
    refuse_taken(output, force=force, like=_BEGINNING)
    code = 0
    async with run.hub() as hub:
        try:
            document = await hub.exports.export(key, by=BY)
        except NotFoundError as nobody:
            document, code = nobody.facts["document"], FAILED
    text = json.dumps(plain(document), ensure_ascii=False, indent=2)
    if output is None:
        click.echo(text)
    else:
        await asyncio.to_thread(_written, output, text)
        run.show({"file": str(output)}, lambda console: console.print(f"Written to {output}.", markup=False))
    if code:
        raise failure("no customer answers to this key; list them with `wch customers list`.")
    return code


def _written(path: Path, text: str) -> None:
    """Write a file that nobody else may read; one that is there is written anew."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        path.chmod(0o600)
        file.write(text)


@click.command()
@click.argument("key")
@click.option("--reason", default="asked by the customer", show_default=True)
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@click.option("--dry-run", is_flag=True, help="Count what would go; change nothing.")
@command
async def erase(run: Run, key: str, reason: str, *, yes: bool, dry_run: bool) -> int:
    """Take a customer out of everything that is stored, for good, and print the receipt.

    KEY is a key or number, or the id of an erasure whose receipt is to be printed again.

    Example: wch customers erase +34612345678 --yes
    """
    if dry_run:
        async with run.hub() as hub:
            counts = await hub.erasures.rehearse(key)
        run.show({"tables": counts}, lambda console: _counts(counts, console))
        return 0
    if key.startswith("erase-"):
        async with run.hub() as hub:
            receipt = await hub.erasures.receipt(key)
            saga = await hub.erasures.state(key)
        return _told(run, receipt, saga)
    if not yes:
        fail("this erases the customer for good, with nothing to bring it back; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        saga = await hub.erasures.ask(key, reason=reason, by=BY)
        receipt = await _carried_out(hub, saga.saga_id)
        saga = await hub.erasures.state(saga.saga_id)
    return _told(run, receipt, saga)


async def _carried_out(hub: "Hub", saga_id: str) -> Any:
    """Carry the erasure as far as it goes now, or see a worker do so; None when it waits for something."""
    work = hub.worker.only(frozenset({"sagas"}))
    for _ in range(ROUNDS):
        receipt = await hub.erasures.receipt(saga_id)
        saga = await hub.erasures.state(saga_id)
        if receipt is not None or not saga.is_open:
            return receipt
        if await work.once() == 0:
            if saga.log and saga.log[-1]["ev"] == "wait":
                return None
            await asyncio.sleep(PAUSE_SECONDS)
    return None


def _told(run: Run, receipt: Any, saga: Saga) -> int:
    if receipt is None:
        waits = next((entry.get("because") for entry in reversed(saga.log) if entry["ev"] == "wait"), saga.state.value)
        run.show(
            {"id": saga.saga_id, "state": saga.state, "waits_for": waits},
            lambda console: console.print(
                f"Erasure {saga.saga_id} is under way and waits for: {waits}. "
                f"The worker goes on with it; the receipt: wch customers erase {saga.saga_id}"
            ),
        )
        return FAILED

    def text(console: Console) -> None:
        console.print(f"Erased. Receipt {receipt['id']}, finished {receipt['finished_at']}.")
        _counts(receipt["tables"], console)
        console.print(f"Outside the hub: {', '.join(receipt['outside'])}.", markup=False)
        console.print(f"Not searched: {', '.join(receipt['not_searched'])}.", markup=False)

    run.show(receipt, text)
    return 0


def _counts(counts: Mapping[str, Mapping[str, int]], console: Console) -> None:
    for table, words in counts.items():
        told = ", ".join(f"{count} {word}" for word, count in words.items() if count)
        console.print(f"  {table}: {told or 'nothing'}", markup=False)


@click.command()
@click.argument("keep")
@click.argument("gone", required=False)
@click.option("--undo", "merge_id", type=int, metavar="ID", help="Make two again of the merge with this number.")
@click.option("--reason")
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def merge(run: Run, keep: str, gone: str | None, merge_id: int | None, reason: str | None, *, yes: bool) -> int:
    """Make one customer of KEEP and GONE: everything moves to KEEP. It can be undone for 30 days.

    Example: wch customers merge 34612345678 34699999999 --yes
    """
    if merge_id is None and gone is None:
        fail("say who goes: wch customers merge KEEP GONE --yes", USAGE)
    if not yes:
        fail("this changes two customers; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        if merge_id is not None:
            one, other = await hub.merges.undo(merge_id, by=BY)
            run.show(
                {"data": [one, other]},
                lambda console: console.print(f"{masked(one.phone)} and {masked(other.phone)} are two again."),
            )
            return 0
        number, profile = await hub.merges.merge(keep, str(gone), by=BY, reason=reason)
    run.show(
        {"merge": number, "customer": profile},
        lambda console: console.print(
            f"Merged into {masked(profile.phone)}. To undo it: wch customers merge {masked(profile.phone)} --undo {number} --yes"
        ),
    )
    return 0


def join(group: click.Group) -> None:
    """These are commands about customers like the others."""
    for part in (export, erase, merge):
        group.add_command(part)

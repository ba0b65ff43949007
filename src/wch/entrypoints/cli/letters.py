"""Commands about what failed for good: looked at, mended, replayed once, or dismissed by name."""

import json
from collections.abc import Sequence
from typing import BinaryIO

import click
from rich.console import Console

from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.errors import ConflictError
from wch.entrypoints.cli.running import BY, FAILED, USAGE, Run, Whole, command, fail


@click.group(name="dead-letters")
def dead_letters() -> None:
    """What failed for good, and waits for a person's decision."""


_LETTER_COLUMNS = {
    "id": lambda one: one.id,
    "hook": lambda one: one.hook,
    "reason": lambda one: one.reason,
    "status": lambda one: one.status,
    "attempts": lambda one: one.attempts,
    "error": lambda one: one.error_message,
    "at": lambda one: one.created_at,
}


@dead_letters.command(name="list")
@click.option("--status", type=click.Choice([word.value for word in DeadLetterStatus]), default="pending")
@click.option("--reason")
@click.option("--hook")
@click.option("--all", "every", is_flag=True, help="Decided ones too.")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def letters_list(run: Run, status: str, reason: str | None, hook: str | None, limit: int, *, every: bool) -> None:
    """Letters by id, pending ones unless told otherwise.

    Example: wch dead-letters list --reason max_retries_exceeded
    """
    async with run.hub() as hub:
        found = await hub.dead_letters.listed(
            status=None if every else DeadLetterStatus(status), reason=reason, hook=hook, limit=limit
        )
    run.rows(found, _LETTER_COLUMNS, empty="No dead letters.")


@dead_letters.command(name="show")
@click.argument("letter_id", type=int)
@command
async def letters_show(run: Run, letter_id: int) -> None:
    """One letter whole.

    Example: wch dead-letters show 4
    """
    async with run.hub() as hub:
        letter = await hub.dead_letters.show(letter_id)

    def text(console: Console) -> None:
        console.print(f"Letter {letter.id}: {letter.hook}, {letter.reason}, {letter.status}")
        console.print(letter.error_message or "no error text", markup=False)
        console.print(json.dumps(dict(letter.args), ensure_ascii=False, indent=2, default=str), markup=False)

    run.show(letter, text)


async def _each(
    run: Run, letter_id: int | None, reason: str | None, hook: str | None, *, every: bool
) -> tuple[DeadLetter, ...]:
    """The pending letters that a command is about."""
    async with run.hub() as hub:
        if letter_id is not None:
            return (await hub.dead_letters.show(letter_id),)
        if not (every or reason or hook):
            fail("say which: an id, --reason, --hook, or --all.", USAGE)
        found: list[DeadLetter] = []
        after = 0
        while page := await hub.dead_letters.listed(
            status=DeadLetterStatus.PENDING, reason=reason, hook=hook, after=after, limit=200
        ):
            found.extend(page)
            after = page[-1].id
        return tuple(found)


@dead_letters.command()
@click.argument("letter_id", type=int, required=False)
@click.option("--reason")
@click.option("--hook")
@click.option("--all", "every", is_flag=True, help="Every pending letter.")
@click.option("--dry-run", is_flag=True, help="Say what would be replayed; change nothing.")
@command
async def replay(
    run: Run, letter_id: int | None, reason: str | None, hook: str | None, *, every: bool, dry_run: bool
) -> int:
    """Let the work wait again; each letter once, however many ask.

    Example: wch dead-letters replay 4
    """
    letters = await _each(run, letter_id, reason, hook, every=every)
    if dry_run and letter_id is None:
        return await _rehearsed(run, letters)
    done, refused = [], []
    async with run.hub() as hub:
        for letter in letters:
            try:
                await (hub.dead_letters.rehearse if dry_run else hub.dead_letters.replay)(letter.id, by=BY)
            except ConflictError as error:
                if letter_id is not None:
                    raise
                refused.append({"id": letter.id, "why": str(error)})
            else:
                done.append(letter.id)
    verb = "would be replayed" if dry_run else "replayed"

    def text(console: Console) -> None:
        console.print(f"{len(done)} letters {verb}.")
        for one in refused:
            console.print(f"Letter {one['id']} stays: {one['why']}", markup=False)

    run.show({"dry_run": dry_run, "letters": done, "refused": refused}, text)
    return FAILED if refused else 0


async def _rehearsed(run: Run, letters: Sequence[DeadLetter]) -> int:
    """What a replay of all of these would come to."""
    async with run.hub() as hub:
        found = await hub.dead_letters.rehearse_all(letters, by=BY)
    failures = dict(sorted(found.failures.items()))
    refused = [{"id": number, "why": why} for number, why in found.refused.items()]
    rows = [
        {"table": table, "before": before, "after": after, "count": count}
        for (table, before, after), count in sorted(found.rows.items(), key=str)
    ]
    messages = [{"goes": goes, "type": kind, "count": count} for (goes, kind), count in sorted(found.messages.items())]

    def text(console: Console) -> None:
        console.print(f"{len(found.through)} letters would be replayed.")
        for failure, count in failures.items():
            console.print(f"{count} would fail again ({failure}) and become new letters.", markup=False)
        for number, why in found.refused.items():
            console.print(f"Letter {number} stays: {why}", markup=False)
        for (goes, kind), count in sorted(found.messages.items()):
            what = "would go to customers" if goes else "would wait for the assistant's answer"
            console.print(f"Messages of type {kind} that {what}: {count}", markup=False)
        for (table, before, after), count in sorted(found.rows.items(), key=str):
            change = "new" if before is None else f"{before or 'there'} -> {after or 'written'}"
            console.print(f"Rows of {table}, {change}: {count}", markup=False)

    told = {"letters": found.through, "failures": failures, "refused": refused, "rows": rows, "messages": messages}
    run.show({"dry_run": True, **told}, text)
    return FAILED if refused or failures else 0


@dead_letters.command()
@click.argument("letter_id", type=int)
@click.argument("file", type=click.File("rb"))
@command
async def edit(run: Run, letter_id: int, file: BinaryIO) -> None:
    """Put a mended delivery in the place of the one that could not be used; FILE may be - for standard input.

    The original's hash is kept, and the edit stands in the audit log; replay it afterwards.

    Example: wch dead-letters edit 4 mended.json
    """
    body = file.read()
    async with run.hub() as hub:
        letter = await hub.dead_letters.edit(letter_id, body, by=BY)
    run.show(letter, lambda console: console.print(f"Letter {letter.id} holds other bytes now; replay it."))


@dead_letters.command()
@click.argument("letter_id", type=int, required=False)
@click.option("--because", required=True, help="Why nothing more is done about it.")
@click.option("--reason")
@click.option("--hook")
@click.option("--all", "every", is_flag=True, help="Every pending letter.")
@click.option("--dry-run", is_flag=True, help="Say which would be dismissed; change nothing.")
@command
async def dismiss(
    run: Run,
    letter_id: int | None,
    because: str,
    reason: str | None,
    hook: str | None,
    *,
    every: bool,
    dry_run: bool,
) -> None:
    """Decide that nothing more is done about a letter, or about all of one reason or hook.

    Example: wch dead-letters dismiss 4 --because "customer was called"
    """
    letters = await _each(run, letter_id, reason, hook, every=every)
    if not dry_run:
        async with run.hub() as hub:
            letters = tuple([await hub.dead_letters.dismiss(one.id, reason=because, by=BY) for one in letters])
    verb = "would be dismissed" if dry_run else "dismissed"
    answer = letters[0] if letter_id is not None else {"dry_run": dry_run, "letters": [one.id for one in letters]}
    run.show(answer, lambda console: console.print(f"{len(letters)} letters {verb}."))


@dead_letters.command()
@click.option("--days", default=30, show_default=True, type=Whole(0), help="Decided longer ago than this.")
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def purge(run: Run, days: int, *, yes: bool) -> None:
    """Delete letters that were replayed or dismissed; pending ones never.

    Example: wch dead-letters purge --days 90 --yes
    """
    if not yes:
        fail(f"this deletes letters decided more than {days} days ago; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        count = await hub.dead_letters.purge(days=days, by=BY)
    run.show({"deleted": count}, lambda console: console.print(f"{count} letters deleted."))


@dead_letters.command(name="stats")
@command
async def letters_stats(run: Run) -> None:
    """How many letters stand where, by hook and reason.

    Example: wch dead-letters stats
    """
    async with run.hub() as hub:
        counts = await hub.dead_letters.stats()
    rows = [
        {"status": status, "hook": hook, "reason": reason, "count": count}
        for (status, hook, reason), count in sorted(counts.items())
    ]
    run.rows(
        rows,
        {
            "status": lambda one: one["status"],
            "hook": lambda one: one["hook"],
            "reason": lambda one: one["reason"],
            "count": lambda one: one["count"],
        },
        empty="No dead letters.",
    )

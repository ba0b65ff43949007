"""Commands that play what was said again, with the dialogue of today."""

from pathlib import Path

import click
from rich.console import Console

from wch.entrypoints.cli.running import Run, command
from wch.entrypoints.cli.writing import force, refuse_taken


@click.group()
def replay() -> None:
    """Play stored conversations again; nothing is stored, sent or ordered by it."""


@replay.command(name="conversation")
@click.argument("conversation_id", type=int)
@click.option("--diff", is_flag=True, help="Only exchanges that would be answered otherwise today.")
@click.option(
    "--to-test",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write a conversation file with today's answers.",
)
@force
@command
async def replay_conversation(run: Run, conversation_id: int, to_test: Path | None, *, diff: bool, force: bool) -> None:
    """What the dialogue of today would answer, message by message, each at its own moment.

    Example: wch replay conversation 7 --diff
    """
    refuse_taken(to_test, force=force)
    async with run.hub() as hub:
        exchanges = await hub.replays.conversation(conversation_id)
    if to_test is not None:
        from wch.application.dialogue.script import write_script  # noqa: PLC0415 - slow to load, and help does without
        from wch.application.replays import script_of  # noqa: PLC0415 - as above

        to_test.write_text(write_script(script_of(exchanges, f"Conversation {conversation_id}")), encoding="utf-8")  # noqa: ASYNC240 - the command does nothing else meanwhile
    shown = [one for one in exchanges if one.differs or not diff]
    changed = sum(one.differs for one in exchanges)

    def text(console: Console) -> None:
        for one in shown:
            for said in one.said:
                console.print(f"< {said}", markup=False)
            if one.differs:
                for words in one.then:
                    console.print(f"- {words}", markup=False)
            for words in one.now:
                console.print(f"{'+' if one.differs else '>'} {words}", markup=False)
            if one.silence is not None:
                console.print(f"  (silent: {one.silence})", markup=False)
        console.print(f"{len(exchanges)} exchanges, {changed} answered otherwise today.")
        if to_test is not None:
            console.print(f"Written: {to_test}", markup=False)

    run.show({"exchanges": shown, "total": len(exchanges), "changed": changed}, text)

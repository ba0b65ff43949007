"""Files that a command writes where the user says."""

from pathlib import Path

import click

from wch.entrypoints.cli.running import fail

force = click.option("--force", "-f", is_flag=True, help="Write over a file that is there.")


def refuse_taken(path: Path | None, *, force: bool, like: bytes | None = None) -> None:
    """Say that something else is written there already; asked before anything is counted for it.

    An empty file has nothing to lose (`mktemp` makes one), a device or the screen keeps nothing,
    and what was exported yesterday may be exported anew: it begins with `like`.
    """
    if path is None or str(path) == "-" or force or not path.is_file():
        return
    with path.open("rb") as file:
        there = file.read(len(like or b"x"))
    if there and there != like:
        fail(f"{path} is there already, and nothing was written; name another file, or add --force to write over it.")

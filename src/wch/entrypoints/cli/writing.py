"""Files that a command writes where the user says."""

from pathlib import Path

import click

from wch.entrypoints.cli.running import fail

force = click.option("--force", "-f", is_flag=True, help="Write over a file that is there.")


def refuse_taken(path: Path | None, *, force: bool) -> None:
    """Say that something is written there already; asked before the work, so that nothing is counted for it.

    An empty file has nothing to lose (`mktemp` makes one), and a device or the screen keeps nothing.
    """
    if path is None or str(path) == "-" or force:
        return
    if path.is_file() and path.stat().st_size:
        fail(f"{path} is there already, and nothing was written; name another file, or add --force to write over it.")

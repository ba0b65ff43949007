"""The command line: `wch` and `python -m wch`."""

import sys

from wch.entrypoints.loading import nothing_thrown_away


def main() -> None:
    """Run the command line; without the extra that it needs, say how to get it."""
    try:
        with nothing_thrown_away():
            from wch.entrypoints.cli.commands import wch  # noqa: PLC0415 - the extra may be missing

        wch(prog_name="wch")
    except ModuleNotFoundError as missing:
        sys.stderr.write(f"wch: this needs the package {missing.name}; install it with: pip install 'wch[all]'\n")
        raise SystemExit(1) from missing

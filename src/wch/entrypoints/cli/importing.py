"""The command that takes over what a WordPress plugin keeps."""

import sys
from collections.abc import Callable
from contextlib import aclosing
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from rich.console import Console
from rich.table import Table

from wch.entrypoints.cli.running import BY, USAGE, Run, command, fail

SHOWN = 20


@click.command(name="import-wordpress")
@click.option(
    "--source-url", required=True, metavar="URL", help="Such as mysql+pymysql://user:password@host/wordpress."
)
@click.option("--source-prefix", default="wp_wch_", show_default=True, help="In front of the plugin's 14 tables.")
@click.option("--source-timezone", default="UTC", show_default=True, help="In which the plugin wrote its times.")
@click.option("--dry-run", is_flag=True, help="Read and check everything; write nothing.")
@command
async def import_wordpress(
    run: Run, source_url: str, source_prefix: str, source_timezone: str, *, dry_run: bool
) -> None:
    """Take over the tables of the WordPress plugin, row by row; done again, it goes on where it ended.

    The source is only read. Rows that cannot be taken over are told with their reason, and tried again next time.

    Example: wch db import-wordpress --source-url mysql+pymysql://root@127.0.0.1/wordpress --dry-run
    """
    from wch.application.importing import as_json  # noqa: PLC0415 - slow to load, and help does without
    from wch.bootstrap import open_source  # noqa: PLC0415 - as above

    try:
        zone = ZoneInfo(source_timezone)
    except (ZoneInfoNotFoundError, ValueError):
        fail(f"there is no time zone {source_timezone}; write one such as Europe/Berlin.", USAGE)
    source = open_source(source_url, prefix=source_prefix)
    async with aclosing(source), run.hub() as hub:
        report = await hub.importing.run(source, zone=zone, dry_run=dry_run, by=BY, shown=_progress(run))

    def text(console: Console) -> None:
        lines = Table(box=None, pad_edge=False, header_style="bold")
        for title in ("table", "read", "would be imported" if dry_run else "imported", "already there", "refused"):
            lines.add_column(title, no_wrap=True)
        for table, one in report.tables.items():
            if one.is_missing:
                lines.add_row(table, "not in the source")
            else:
                lines.add_row(table, *(str(figure) for figure in (one.read, one.imported, one.already, one.refused)))
        console.print(lines)
        for refusal in report.refusals[:SHOWN]:
            console.print(f"refused: {refusal.table} {refusal.row}: {refusal.why}", markup=False, emoji=False)
        if report.refused > SHOWN:
            console.print(f"... and {report.refused - SHOWN} more refusals; --json lists the first thousand.")
        if report.refused:
            console.print("Refused rows stay in the source; mend them there and run this again.")
        if dry_run:
            console.print("Nothing was written.")

    run.show(as_json(report), text)


def _progress(run: Run) -> Callable[[str, int, int], None]:
    """How far it is, in one line that is written over; on a terminal only."""
    if run.as_json or not sys.stderr.isatty():
        return lambda _table, _done, _total: None

    def shown(table: str, done: int, total: int) -> None:
        click.echo(f"\r{table}: {done} of {total}".ljust(60), err=True, nl=done >= total)

    return shown

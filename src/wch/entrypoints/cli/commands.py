"""The tree of commands."""

import click

from wch.entrypoints.cli import operating, selling
from wch.entrypoints.cli.demo import demo


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def wch() -> None:
    """The back office that lets a business sell on WhatsApp.

    Example: wch demo
    """


for part in (
    demo,
    operating.serve,
    operating.worker,
    operating.db,
    operating.dead_letters,
    operating.sagas,
    operating.stats,
    operating.verify,
    operating.doctor,
    operating.config,
    operating.program_version,
    selling.shop,
    selling.conversations,
    selling.carts,
    selling.customers,
    selling.orders,
    selling.notifications,
    selling.sync,
):
    wch.add_command(part)

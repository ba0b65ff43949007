"""The tree of commands."""

import click

from wch.entrypoints.cli import (
    beginning,
    campaigns,
    caring,
    guarding,
    keyring,
    knowing,
    operating,
    refunding,
    replaying,
    selling,
    staffing,
    talking,
)
from wch.entrypoints.cli.demo import demo


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def wch() -> None:
    """The back office that lets a business sell on WhatsApp.

    Example: wch demo
    """


caring.join(talking.customers)
for part in (
    demo,
    beginning.init,
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
    talking.conversations,
    replaying.replay,
    selling.carts,
    talking.customers,
    campaigns.broadcasts,
    knowing.templates,
    knowing.explain,
    selling.orders,
    selling.notifications,
    selling.sync,
    guarding.breakers,
    guarding.failpoints,
    guarding.limits,
    guarding.idempotency,
    guarding.clock,
    staffing.operators,
    keyring.keys,
    beginning.openapi,
):
    wch.add_command(part)

for paying in (refunding.refund, refunding.accept_amount):
    selling.orders.add_command(paying)

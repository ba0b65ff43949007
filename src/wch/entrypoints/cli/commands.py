"""The tree of commands."""

import click

from wch.entrypoints.cli import (
    analysing,
    beginning,
    campaigns,
    caring,
    guarding,
    importing,
    keyring,
    knowing,
    letters,
    operating,
    refunding,
    replaying,
    selling,
    staffing,
    syncing,
    talking,
    winning_back,
    wording,
)
from wch.entrypoints.cli.demo import demo
from wch.entrypoints.cli.running import Tree


@click.group(cls=Tree, context_settings={"help_option_names": ["-h", "--help"]})
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
    letters.dead_letters,
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
    winning_back.products,
    winning_back.reengagement,
    knowing.templates,
    wording.texts,
    wording.ads,
    knowing.explain,
    analysing.analytics,
    selling.orders,
    selling.notifications,
    syncing.sync,
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

operating.db.add_command(importing.import_wordpress)
for paying in (refunding.refund, refunding.settle, refunding.accept_amount):
    selling.orders.add_command(paying)
selling.carts.add_command(winning_back.carts_report)

"""Commands about money that came or goes back; they stand under `orders`."""

from decimal import Decimal

import click

from wch.domain.money import Money
from wch.entrypoints.cli.running import BY, USAGE, Run, command, fail


@click.command()
@click.argument("order_id", type=int)
@click.option("--amount", help="How much, such as 12.50; everything that is left when not given.")
@click.option("--reason", default="refunded by the shop", show_default=True)
@click.option("--restock", is_flag=True, help="The goods go back to the stock.")
@click.option("--booked-in-shop", is_flag=True, help="What people booked back in the shop goes back, as it is booked.")
@click.option("--key", help="Names this wish: asked again under it, the same refund is meant.")
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def refund(
    run: Run,
    order_id: int,
    amount: str | None,
    reason: str,
    key: str | None,
    *,
    restock: bool,
    booked_in_shop: bool,
    yes: bool,
) -> int:
    """Give back the money of an order, or a part of it; the customer is told once it is true.

    Example: wch orders refund 1042 --amount 12.50 --reason "one mug broke" --yes
    """
    if not yes:
        fail(f"this gives money of order {order_id} back; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        placement = await hub.refunds.placement_of(order_id)
        if (
            amount is None
            and not booked_in_shop
            and placement.outcome == "parked"
            and "refund" in placement.context.get("actions", ())
        ):
            undone = await hub.sagas.act(placement.saga_id, "refund", by=BY, reason=reason)
            run.show(undone, lambda console: console.print(f"{undone.saga_id} is undone, and its money goes back."))
            return 0
        saga = await hub.refunds.order(
            order_id,
            amount=None if amount is None else _money(hub.currency, amount),
            reason=reason,
            restock=restock,
            booked_in_shop=booked_in_shop,
            key=key or hub.ids.token(),
            by=BY,
        )
    given = " ".join(saga.context["amount"].values())
    run.show(
        saga, lambda console: console.print(f"Refund {saga.saga_id} of {given} has begun; the worker carries it out.")
    )
    return 0


@click.command()
@click.argument("order_id", type=int)
@click.option("--reason", default="went back another way", show_default=True)
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def settle(run: Run, order_id: int, reason: str, *, yes: bool) -> int:
    """Say that the money of an order that was refunded or cancelled in the shop went back another way; none moves.

    Example: wch orders settle 1042 --reason "given back in the store" --yes
    """
    if not yes:
        fail(f"this says that the money of order {order_id} went back another way; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        placement = await hub.refunds.settle(order_id, reason=reason, by=BY)
    run.show(placement, lambda console: console.print(f"Order {order_id} is settled; no money moved."))
    return 0


def _money(currency: str, amount: str) -> Money:
    try:
        return Money(Decimal(amount), currency)
    except (ArithmeticError, ValueError):
        fail(f"{amount!r} is no amount of {currency}; give digits with a dot, like 12.50.", USAGE)


@click.command(name="accept-amount")
@click.argument("order_id", type=int)
@click.option("--reason", default="accepted by the shop", show_default=True)
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def accept_amount(run: Run, order_id: int, reason: str, *, yes: bool) -> int:
    """Take what came for an order as its payment, though it is another amount; the order goes to work.

    Example: wch orders accept-amount 1042 --reason "one cent less" --yes
    """
    if not yes:
        fail(f"this takes what came for order {order_id} as its payment; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        saga = await hub.refunds.placement_of(order_id)
        acted = await hub.sagas.act(saga.saga_id, "accept-amount", by=BY, reason=reason)
    run.show(acted, lambda console: console.print(f"Placement {acted.saga_id}: {acted.state}."))
    return 0

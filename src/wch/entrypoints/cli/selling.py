"""Commands about the trade: shop, carts, orders and their notices, sync."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from wch.domain.cart import Cart, CartStatus
from wch.domain.catalogue import ProductCard
from wch.domain.phone import masked
from wch.entrypoints.cli.running import BY, USAGE, Run, Whole, command, fail
from wch.entrypoints.cli.writing import force, refuse_taken

if TYPE_CHECKING:
    from wch.adapters.local_shop import LocalShop


@click.group()
def shop() -> None:
    """The built-in shop: products, stock, import and export."""


def _local(hub_shop: object) -> "LocalShop":
    from wch.adapters.local_shop import LocalShop  # noqa: PLC0415 - slow to load, and help does without

    if not isinstance(hub_shop, LocalShop):
        fail("these commands are for the built-in shop, and this hub has another one; use that shop's own.")
    return hub_shop


@shop.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.option("--replace", is_flag=True, help="Products missing from the file are switched off.")
@command
async def import_(run: Run, file: Path, *, dry_run: bool, replace: bool) -> int:
    """Read products from a CSV or JSON FILE; it is taken whole or not at all.

    Example: wch shop import products.csv --dry-run
    """
    from wch.adapters.local_shop.catalogue_file import import_products  # noqa: PLC0415 - only this command needs it

    async with run.hub() as hub:
        report = await import_products(
            _local(hub.shop), await asyncio.to_thread(file.read_bytes), dry_run=dry_run, replace=replace
        )

    def text(console: Console) -> None:
        for fault in report.errors:
            console.print(f"line {fault.line}: {fault.message}", style=None, markup=False)
        if not report.errors:
            verb = "would be" if dry_run else "were"
            console.print(
                f"{report.created} products {verb} created, {report.changed} changed, {report.unchanged} as before."
            )

    run.show(report, text)
    if report.errors:
        bad = len({fault.line for fault in report.errors})
        many, them = ("line", "it") if bad == 1 else ("lines", "them")
        fail(f"{file.name} has {bad} bad {many}, and nothing was changed; mend {them} and import again.")
    return 0


@shop.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@force
@command
async def export(run: Run, file: Path, *, force: bool) -> None:
    """Write all products to a CSV FILE (`-` for standard output).

    Example: wch shop export products.csv
    """
    from wch.adapters.local_shop.catalogue_file import export_products  # noqa: PLC0415 - only this command needs it

    async with run.hub() as hub:
        data = await export_products(_local(hub.shop))
    refuse_taken(file, force=force, like=data.partition(b"\n")[0])
    if str(file) == "-":
        sys.stdout.buffer.write(data)
        return
    await asyncio.to_thread(file.write_bytes, data)
    lines = data.count(b"\n") - 1
    run.show({"file": str(file), "lines": lines}, lambda console: console.print(f"{lines} lines written to {file}."))


@shop.command()
@click.option("--search", help="Words of the name.")
@click.option("--limit", default=30, show_default=True, type=Whole(1, 500))
@command
async def products(run: Run, search: str | None, limit: int) -> None:
    """List what is sold.

    Example: wch shop products --search lamp
    """
    found: list[ProductCard] = []
    async with run.hub() as hub:
        cursor: str | None = None
        while len(found) < limit:
            page = await hub.shop.search(
                text=search, category_id=None, in_stock=False, cursor=cursor, limit=min(30, limit - len(found))
            )
            found.extend(page.items)
            cursor = page.next
            if cursor is None:
                break
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "name": lambda one: one.name,
            "from": lambda one: str(one.price_from),
            "stock": lambda one: "not counted" if one.stock is None else one.stock,
            "variants": lambda one: "yes" if one.has_variants else "",
        },
        empty="Nothing is sold yet: import products with `wch shop import FILE`.",
    )


@shop.command()
@click.argument("sku")
@click.argument("count", type=Whole(0))
@command
async def stock(run: Run, sku: str, count: int) -> None:
    """Set how many pieces of SKU there are.

    Example: wch shop stock LAMP-BLUE 12
    """
    async with run.hub() as hub:
        await _local(hub.shop).set_stock(sku=sku, stock=count)
    run.show({"sku": sku, "stock": count}, lambda console: console.print(f"{sku}: {count} pieces."))


@click.group()
def carts() -> None:
    """Carts: what lies in them, and ending them."""


_CART_COLUMNS = {
    "id": lambda one: one.id,
    "customer": lambda one: masked(one.customer_phone),
    "status": lambda one: one.status,
    "lines": lambda one: len(one.items),
    "total": lambda one: f"{one.total} {one.currency or ''}",
    "active": lambda one: one.updated_at,
    "expires": lambda one: one.expires_at,
}


@carts.command(name="list")
@click.option("--status", type=click.Choice([word.value for word in CartStatus]))
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def carts_list(run: Run, status: str | None, limit: int) -> None:
    """Carts by id.

    Example: wch carts list --status abandoned
    """
    async with run.hub() as hub:
        found = await hub.carts.listed(status=None if status is None else CartStatus(status), limit=limit)
    run.rows(found, _CART_COLUMNS, empty="No carts yet.")


def _cart_text(cart: Cart, console: Console) -> None:
    console.print(f"Cart {cart.id}: {cart.status}, total {cart.total} {cart.currency or ''}")
    for item in cart.items:
        attributes = " ".join(item.variant_attributes.values())
        console.print(
            f"  {item.quantity} x {item.product_name} {attributes} at {item.price_at_add} {item.currency}", markup=False
        )


@carts.command(name="show")
@click.argument("cart_id", type=int)
@command
async def carts_show(run: Run, cart_id: int) -> None:
    """One cart with its lines.

    Example: wch carts show 3
    """
    async with run.hub() as hub:
        cart = await hub.carts.show(cart_id)
    run.show(cart, lambda console: _cart_text(cart, console))


@carts.command(name="remind")
@click.argument("cart_id", type=int)
@command
async def carts_remind(run: Run, cart_id: int) -> None:
    """Send a cart's next reminder now; its moment and gap aside, every rule holds.

    Example: wch carts remind 3
    """
    async with run.hub() as hub:
        row = await hub.reminders.remind(cart_id, by=BY)
    run.show(
        {"cart": cart_id, "message": row.id, "status": row.status},
        lambda console: console.print(f"The reminder of cart {cart_id} waits to leave as message {row.id}."),
    )


@carts.command(name="expire")
@click.argument("cart_id", type=int)
@command
async def carts_expire(run: Run, cart_id: int) -> None:
    """End a cart now; the customer can have its lines back.

    Example: wch carts expire 3
    """
    async with run.hub() as hub:
        cart = await hub.carts.expire(cart_id, by=BY)
    run.show(cart, lambda console: _cart_text(cart, console))


@click.group()
def orders() -> None:
    """Orders: where they stand; cancel one, give money back."""


@orders.command(name="list")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def orders_list(run: Run, limit: int) -> None:
    """Placements: every order that a customer confirmed, and what became of it.

    Example: wch orders list
    """
    async with run.hub() as hub:
        found = await hub.orders.placements(limit=limit)
    run.rows(
        found,
        {
            "placement": lambda one: one.saga_id,
            "state": lambda one: one.state,
            "outcome": lambda one: one.outcome,
            "order": lambda one: one.results.get("create_order", {}).get("number"),
            "due": lambda one: " ".join(one.context["money"]["due"].values()),
            "began": lambda one: one.created_at,
        },
        empty="No orders yet.",
    )


@orders.command(name="show")
@click.argument("order_id", type=int)
@command
async def orders_show(run: Run, order_id: int) -> None:
    """One order as the shop has it, and what the customer was told.

    Example: wch orders show 1042
    """
    async with run.hub() as hub:
        order, notices = await hub.orders.show(order_id)

    def text(console: Console) -> None:
        console.print(f"Order {order.number}: {order.status}, total {order.total}")
        for line in order.lines:
            console.print(f"  {line.quantity} x {line.name} at {line.price}", markup=False)
        for notice in notices:
            console.print(f"  told {notice.notification_type}: {notice.status}")

    run.show({"order": order, "notifications": notices}, text)


@orders.command()
@click.argument("order_id", type=int)
@click.option("--reason", default="cancelled by the shop", show_default=True)
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def cancel(run: Run, order_id: int, reason: str, *, yes: bool) -> int:
    """Cancel an order that has not been shipped; the customer is told.

    Example: wch orders cancel 1042 --yes
    """
    if not yes:
        fail(f"this cancels order {order_id} and tells the customer; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        order = await hub.orders.cancel(order_id, reason=reason, by=BY)
    run.show(order, lambda console: console.print(f"Order {order.number}: {order.status}."))
    return 0


@orders.command()
@click.argument("order_id", type=int)
@click.option("--carrier", default="", help="Who brings it.")
@click.option("--tracking", default="", help="The parcel's number.")
@command
async def ship(run: Run, order_id: int, carrier: str, tracking: str) -> None:
    """Say that an order of the built-in shop has left; the customer is told.

    Example: wch orders ship 1042 --carrier DHL --tracking JD014600003
    """
    async with run.hub() as hub:
        order = await _local(hub.shop).ship(order_id=order_id, carrier=carrier, tracking=tracking)
        await hub.orders.changed(order_id, action="order.ship", by=BY)
    run.show(order, lambda console: console.print(f"Order {order.number}: {order.status}."))


@orders.command()
@click.argument("order_id", type=int)
@command
async def complete(run: Run, order_id: int) -> None:
    """Say that an order of the built-in shop has arrived; the customer is told.

    Example: wch orders complete 1042
    """
    async with run.hub() as hub:
        order = await _local(hub.shop).complete(order_id=order_id)
        await hub.orders.changed(order_id, action="order.complete", by=BY)
    run.show(order, lambda console: console.print(f"Order {order.number}: {order.status}."))


@click.group()
def notifications() -> None:
    """Order notices."""


@notifications.command(name="list")
@click.option("--status")
@click.option("--limit", default=50, show_default=True, type=Whole(1, 500))
@command
async def notifications_list(run: Run, status: str | None, limit: int) -> None:
    """Notices by id.

    Example: wch notifications list --status failed
    """
    async with run.hub() as hub:
        found = await hub.notifications.listed(status=status, limit=limit)
    run.rows(
        found,
        {
            "id": lambda one: one.id,
            "order": lambda one: one.order_id,
            "type": lambda one: one.notification_type,
            "status": lambda one: one.status,
            "why": lambda one: one.error_message,
        },
        empty="No notices yet.",
    )


@notifications.command()
@click.argument("notification_id", type=int)
@command
async def retry(run: Run, notification_id: int) -> None:
    """Prepare a notice again that was given up.

    Example: wch notifications retry 4
    """
    async with run.hub() as hub:
        notice = await hub.notifications.retry(notification_id, by=BY)
    run.show(notice, lambda console: console.print(f"Notice {notice.id} waits again."))


@notifications.command()
@click.argument("notification_id", type=int)
@command
async def resend(run: Run, notification_id: int) -> None:
    """Tell once more what was told, as a notice of its own that every rule is asked about.

    Example: wch notifications resend 4
    """
    async with run.hub() as hub:
        notice = await hub.notifications.resend(notification_id, by=BY)
    run.show(notice, lambda console: console.print(f"Notice {notice.id} waits to tell it once more."))

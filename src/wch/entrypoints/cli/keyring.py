"""Commands about API keys."""

from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.console import Console

from wch.domain.api_key import ApiKey, KeyScope
from wch.domain.moment import of_iso
from wch.entrypoints.cli.running import BY, USAGE, Run, Whole, command, fail

if TYPE_CHECKING:
    from wch.application.hub import Hub


@click.group()
def keys() -> None:
    """Keys for the HTTP API: a program shows one instead of signing in."""


@keys.command()
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    metavar="S[,S]",
    help=f"What it may do: {', '.join(scope.value for scope in KeyScope)}.",
)
@click.option(
    "--expires", metavar="WHEN", help="After a span such as 90d, or at a time such as 2027-01-31; else never."
)
@command
async def create(run: Run, scopes: tuple[str, ...], expires: str | None) -> None:
    """Make a key; it is shown now and never again.

    Example: wch keys create --scope read,messages --expires 90d
    """
    async with run.hub() as hub:
        lives = None if expires is None else _span(hub, expires)
        made = await hub.keys.create([word for given in scopes for word in given.split(",")], lives=lives, by=BY)
    document = {
        "key": made.text,
        "prefix": made.key.prefix,
        "scopes": made.key.scopes,
        "created_at": made.key.created_at,
        "expires_at": made.key.expires_at,
    }

    def text(console: Console) -> None:
        console.print(made.text, markup=False)
        console.print("Keep it now: it is not shown again. Send it as: Authorization: Bearer <key>", markup=False)

    run.show(document, text)


def _span(hub: "Hub", expires: str) -> timedelta:
    """How long from now to what was named."""
    from wch.entrypoints.http.sandbox import SpanError, read_span  # noqa: PLC0415 - needs the extra `http`

    try:
        return read_span(expires)
    except SpanError:
        try:
            lives = of_iso(expires) - hub.clock.now()
        except ValueError:
            fail(f"--expires {expires!r} is no span and no time; write 90d, 12h or 2027-01-31.", USAGE)
    if lives <= timedelta(0):
        fail("--expires lies in the past; name a later time.", USAGE)
    return lives


def _row(key: ApiKey) -> dict[str, object]:
    """What may be shown of a key: everything but what would help to guess it."""
    names = ("prefix", "scopes", "created_by", "created_at", "expires_at", "revoked_at", "used_at")
    return {name: getattr(key, name) for name in names}


@keys.command(name="list")
@click.option("--limit", default=100, show_default=True, type=Whole(1, 500))
@command
async def keys_list(run: Run, limit: int) -> None:
    """Keys by prefix, revoked ones too; never the keys themselves.

    Example: wch keys list
    """
    async with run.hub() as hub:
        found = [_row(key) for key in await hub.keys.listed(limit=limit)]
    run.rows(
        found,
        {
            "prefix": lambda one: one["prefix"],
            "scopes": lambda one: ",".join(one["scopes"]),
            "made": lambda one: one["created_at"],
            "ends": lambda one: one["expires_at"],
            "revoked": lambda one: one["revoked_at"],
            "used": lambda one: one["used_at"],
        },
        empty="No keys yet: make one with `wch keys create --scope read`.",
    )


@keys.command()
@click.argument("prefix")
@command
async def revoke(run: Run, prefix: str) -> None:
    """Let a key open nothing from now on, by the prefix that `wch keys list` shows.

    Example: wch keys revoke 4f1c09ab77de
    """
    async with run.hub() as hub:
        key = await hub.keys.revoke(prefix, by=BY)
    run.show(_row(key), lambda console: console.print(f"Key {key.prefix} opens nothing any more."))

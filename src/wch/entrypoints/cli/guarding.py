"""Commands about what holds the hub back: breakers, limits, claims, and the sandbox's clock."""

from datetime import timedelta

import click
from rich.console import Console

from wch.application.failpoints import ACTIONS, NAMES, Failpoints
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.moment import iso
from wch.entrypoints.cli.running import BY, USAGE, Run, command, fail


@click.group()
def breakers() -> None:
    """What is not called while it is down."""


_BREAKER_COLUMNS = {
    "service": lambda one: one.service,
    "state": lambda one: one.state,
    "failures": lambda one: one.failures,
    "opened": lambda one: one.opened_at,
    "changed": lambda one: one.updated_at,
}


@breakers.command(name="list")
@command
async def breakers_list(run: Run) -> None:
    """Every breaker that was ever used.

    Example: wch breakers list
    """
    async with run.hub() as hub:
        found = await hub.breakers.listed()
    run.rows(found, _BREAKER_COLUMNS, empty="No breaker was used yet.")


def _breaker_text(breaker: CircuitBreaker, console: Console) -> None:
    console.print(f"Breaker {breaker.service}: {breaker.state}.", markup=False)


@breakers.command(name="open")
@click.argument("service")
@command
async def breakers_open(run: Run, service: str) -> None:
    """Stop calling a service now; the first probe goes after the usual time.

    Example: wch breakers open whatsapp
    """
    async with run.hub() as hub:
        breaker = await hub.breakers.open(service, by=BY)
    run.show(breaker, lambda console: _breaker_text(breaker, console))


@breakers.command(name="close")
@click.argument("service")
@command
async def breakers_close(run: Run, service: str) -> None:
    """Call a service again now.

    Example: wch breakers close whatsapp
    """
    async with run.hub() as hub:
        breaker = await hub.breakers.close(service, by=BY)
    run.show(breaker, lambda console: _breaker_text(breaker, console))


@breakers.command(name="reset")
@command
async def breakers_reset(run: Run) -> None:
    """Close every breaker and forget the failures counted so far.

    Example: wch breakers reset
    """
    async with run.hub() as hub:
        found = await hub.breakers.reset(by=BY)
    run.rows(found, _BREAKER_COLUMNS, empty="Every breaker was closed already.")


@click.command()
@command
async def failpoints(run: Run) -> None:
    """Every place where a test can have the hub fail, for WCH_FAILPOINTS.

    A place is armed as NAME=ACTION@N: at its N-th passing the process is killed (kill), an error is raised
    (raise), it waits (delay:MILLISECONDS), or the line to the database is cut before or after COMMIT
    (drop_connection, lose_answer). Nothing is ever armed without WCH_TESTING=1.

    Example: wch failpoints --json
    """
    armed = Failpoints.read(run.settings.security.failpoints, testing=run.settings.security.testing).armed
    rows = [
        {
            "name": name,
            "stands": stands,
            "actions": sorted(ACTIONS),
            "armed": armed[name].action if name in armed else None,
        }
        for name, stands in NAMES.items()
    ]
    run.rows(
        rows,
        {"name": lambda one: one["name"], "stands": lambda one: one["stands"], "armed": lambda one: one["armed"]},
        empty="There are none.",
    )


@click.group()
def limits() -> None:
    """How often things happened of late, and what is refused for it."""


@limits.command(name="list")
@click.option("--name", help="Only the limit of this name.")
@command
async def limits_list(run: Run, name: str | None) -> None:
    """Counted hits, newest first; callers appear as digests.

    Example: wch limits list --name webhook
    """
    async with run.hub() as hub:
        found = await hub.limits.listed(name=name)
    run.rows(
        found,
        {
            "limit": lambda one: one.limit_type,
            "caller": lambda one: one.identifier_hash[:12],
            "hits": lambda one: one.request_count,
            "since": lambda one: one.window_start,
        },
        empty="Nothing was counted of late.",
    )


@limits.command(name="reset")
@click.option("--name", help="The limit of this name.")
@click.option("--caller", help="Whoever is refused, such as an address or a number.")
@click.option("--all", "every", is_flag=True, help="Every limit of everybody.")
@command
async def limits_reset(run: Run, name: str | None, caller: str | None, *, every: bool) -> None:
    """Forget hits, so that who is refused is let in again.

    Example: wch limits reset --name auth --caller 203.0.113.7
    """
    if not (every or name or caller):
        fail("say which: --name, --caller, or --all.", USAGE)
    async with run.hub() as hub:
        count = await hub.limits.reset(name=name, identifier=caller, by=BY)
    run.show({"forgotten": count}, lambda console: console.print(f"{count} rows of hits forgotten."))


@limits.command(name="block")
@click.option("--name", required=True, help="The limit that refuses, such as auth or webhook.")
@click.option("--caller", required=True, help="Whom it refuses, such as an address or a number.")
@click.option("--for", "span", default="24h", show_default=True, help="How long: 30m, 12h or 7d.")
@command
async def limits_block(run: Run, name: str, caller: str, span: str) -> None:
    """Refuse a caller for a while, whatever it does.

    Example: wch limits block --name auth --caller 203.0.113.7 --for 7d
    """
    from wch.entrypoints.http.sandbox import read_span  # noqa: PLC0415 - needs the extra `http`

    async with run.hub() as hub:
        block = await hub.limits.block(name, caller, span=read_span(span), by=BY)
    run.show(
        block, lambda console: console.print(f"{name} refuses that caller until {block.until:%Y-%m-%d %H:%M} UTC.")
    )


@limits.command(name="unblock")
@click.option("--name", required=True, help="The limit that refuses.")
@click.option("--caller", required=True, help="Whom to let in again.")
@command
async def limits_unblock(run: Run, name: str, caller: str) -> None:
    """Let a blocked caller in again.

    Example: wch limits unblock --name auth --caller 203.0.113.7
    """
    async with run.hub() as hub:
        was_blocked = await hub.limits.unblock(name, caller, by=BY)
    words = "That caller is let in again." if was_blocked else "That caller was not blocked."
    run.show({"unblocked": was_blocked}, lambda console: console.print(words))


@limits.command(name="blocked")
@command
async def limits_blocked(run: Run) -> None:
    """Who is refused whatever it does, and until when; callers appear as digests.

    Example: wch limits blocked
    """
    async with run.hub() as hub:
        found = await hub.limits.blocked()
    run.rows(
        found,
        {
            "limit": lambda one: one.limit,
            "caller": lambda one: one.identifier_hash[:12],
            "until": lambda one: one.until,
        },
        empty="Nobody is blocked.",
    )


@click.group()
def idempotency() -> None:
    """Claims: what was taken once and is not taken twice."""


@idempotency.command(name="show")
@click.argument("key")
@command
async def idempotency_show(run: Run, key: str) -> None:
    """What was taken under a key, and until when the same is not taken again.

    KEY is an Idempotency-Key of the API, the id of an event at a gateway, WhatsApp's id of a message, or the digest in
    the table.

    Example: wch idempotency show evt_1NG8Du2eZvKYlo2C
    """
    async with run.hub() as hub:
        found = await hub.claims.of(key)
        now = hub.clock.now()

    def words(console: Console) -> None:
        if found.message_id is not None:
            console.print(f"Message {found.message_id} ({found.message_status}) holds it; no other ever will.")
        for claim in found.claims:
            until = (
                f"over since {iso(claim.expires_at)}" if claim.is_expired(now=now) else f"until {iso(claim.expires_at)}"
            )
            console.print(f"{claim.scope}: taken {iso(claim.processed_at)}, {until}.", markup=False)

    run.show(found, words)


@idempotency.command(name="purge")
@command
async def idempotency_purge(run: Run) -> None:
    """Delete claims that have expired; living ones never.

    Example: wch idempotency purge
    """
    async with run.hub() as hub:
        count = await hub.claims.purge()
    run.show({"deleted": count}, lambda console: console.print(f"{count} expired claims deleted."))


@click.group()
def clock() -> None:
    """The sandbox's clock; a shop that really sells has only the true time."""


@clock.command(name="show")
@command
async def clock_show(run: Run) -> None:
    """What time it is in the sandbox.

    Example: wch clock show
    """
    await _clock(run, None)


@clock.command()
@click.argument("duration")
@command
async def advance(run: Run, duration: str) -> None:
    """Move the sandbox's clock forward by a DURATION such as 90s, 6h or 1h30m.

    Example: wch clock advance 6h
    """
    from wch.entrypoints.http.sandbox import read_span  # noqa: PLC0415 - needs the extra `http`

    await _clock(run, read_span(duration))


async def _clock(run: Run, span: timedelta | None) -> None:
    from wch.bootstrap import advance_clock, open_hub  # noqa: PLC0415 - slow to load, and help does without

    async with open_hub(run.settings.for_sandbox(), sandbox=True) as hub:
        if span is not None:
            await advance_clock(hub, span)
        now = hub.clock.now()
    run.show({"now": now}, lambda console: console.print(f"In the sandbox it is {now:%Y-%m-%d %H:%M:%S} UTC."))

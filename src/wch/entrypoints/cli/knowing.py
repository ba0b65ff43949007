"""Commands that look into things: message templates, and why something was or was not sent."""

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from wch.domain.moment import of_iso
from wch.entrypoints.cli.running import BY, FOUND_PROBLEMS, USAGE, Run, command, fail

if TYPE_CHECKING:
    from wch.application.explaining import Explanation


@click.group()
def templates() -> None:
    """Message templates: fetch, list, preview and check them."""


@templates.command()
@command
async def sync(run: Run) -> None:
    """Fetch the account's templates from WhatsApp.

    Example: wch templates sync
    """
    async with run.hub() as hub:
        told = await hub.templates.sync(by=BY)
    run.show(
        told,
        lambda console: console.print(
            f"{told['seen']} templates seen, {told['changed']} new or changed, {told['deleted']} gone."
        ),
    )


@templates.command(name="list")
@command
async def templates_list(run: Run) -> None:
    """Every template that was ever seen.

    Example: wch templates list
    """
    async with run.hub() as hub:
        found = await hub.templates.listed()
    run.rows(
        found,
        {
            "name": lambda one: one.name,
            "language": lambda one: one.language,
            "category": lambda one: one.category,
            "status": lambda one: one.status,
            "quality": lambda one: one.quality,
            "seen": lambda one: one.seen_at,
        },
        empty="No templates yet: fetch them with `wch templates sync`.",
    )


@templates.command()
@command
async def lint(run: Run) -> int:
    """Check every template in use against what is stored; nothing is fetched. Exit code 3 when something is wrong.

    Example: wch templates lint
    """
    async with run.hub() as hub:
        found = await hub.templates.lint()
    errors = sum(one.level == "error" for one in found)
    run.rows(
        found,
        {
            "use": lambda one: one.use,
            "template": lambda one: one.template,
            "language": lambda one: one.language,
            "level": lambda one: one.level,
            "what": lambda one: one.what,
            "what to do": lambda one: one.way_out,
        },
        empty="Every template in use is as it should be.",
    )
    return FOUND_PROBLEMS if errors else 0


@templates.command()
@click.argument("name")
@click.option("--language", help="A code such as pt_BR; the shop's otherwise.")
@click.option("--customer", metavar="KEY", help="As this customer would get it.")
@command
async def preview(run: Run, name: str, language: str | None, customer: str | None) -> None:
    """Show a template with sample values, or as one customer would get it.

    Example: wch templates preview order_confirmation --language es
    """
    async with run.hub() as hub:
        phone = None if customer is None else (await hub.customers.show(customer)).phone
        template, rendering = await hub.templates.preview(name, params={}, language=language, phone=phone)

    def text(console: Console) -> None:
        console.print(f"{template.name} ({template.language}, {template.category}, {template.status})", markup=False)
        for part in ("header", "body", "footer"):
            if rendering.shown.get(part):
                console.print(str(rendering.shown[part]), markup=False)
        for label in rendering.shown.get("buttons", ()):
            console.print(f"[ {label} ]", markup=False)
        for variable in rendering.missing:
            console.print(f"missing: {variable}", markup=False)
        for variable in rendering.fallbacks:
            console.print(f"fallback used: {variable}", markup=False)

    run.show(
        {
            "name": template.name,
            "language": template.language,
            "category": template.category,
            "status": template.status,
            "shown": rendering.shown,
            "missing": rendering.missing,
            "fallbacks": rendering.fallbacks,
        },
        text,
    )


@click.group()
def explain() -> None:
    """Why something was, was not or will be sent, rule by rule."""


def _asked(name: str, about: str) -> None:
    @explain.command(name=name, help=f"{about}\n\nExample: wch explain {name} 7")
    @click.argument("number", type=int)
    @click.option("--at", metavar="TIME", help="The facts as of this moment, such as 2026-03-02T10:00:00Z.")
    @command
    async def ask(run: Run, number: int, at: str | None) -> None:
        try:
            when = None if at is None else of_iso(at)
        except ValueError:
            fail(f"{at} is no time: write it like 2026-03-02T10:00:00Z.", USAGE)
        async with run.hub() as hub:
            told = await getattr(hub.explaining, name)(number, at=when)
        run.show(told, lambda console: _told(told, console))


_asked("message", "Why this message was, was not or will be sent.")
_asked("cart", "Why a cart was, was not or will be reminded of.")
_asked("notification", "Why a customer was, was not or will be told something about an order.")
_asked("recipient", "Why somebody got, did not get or will get a broadcast.")


def _told(told: "Explanation", console: Console) -> None:
    from wch.application.explaining import sentence  # noqa: PLC0415 - slow to load, and help does without

    until = f" until {told.until:%Y-%m-%d %H:%M:%S}" if told.until else ""
    console.print(f"{told.subject}: {told.outcome}{until}{f', {told.reason}' if told.reason else ''}", markup=False)
    for answer in told.rules:
        console.print(f"  {answer['rule']:<10} {sentence(answer)}", markup=False)
    for step in told.history:
        why: Any = step.get("why")
        console.print(f"  {step['at']} {step['what']}{f': {why}' if why else ''}", markup=False)

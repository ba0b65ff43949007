"""Commands that change what the assistant says, and where advertisements lead."""

from typing import TYPE_CHECKING

import click

from wch.entrypoints.cli.running import BY, Run, command

if TYPE_CHECKING:
    pass

_IN = click.option("--language", metavar="CODE", help="en, es, pt_BR, ar or hi; the shop's own otherwise.")


@click.group()
def texts() -> None:
    """What the assistant says, in the shop's own words.

    Example: wch texts list
    """


@texts.command(name="list")
@click.option("--all", "every", is_flag=True, help="Every text, with the words that are said now.")
@_IN
@command
async def texts_list(run: Run, language: str | None, *, every: bool) -> None:
    """Texts of your own; with --all every text of a language.

    Example: wch texts list --all --language es
    """
    from wch.application.wording import OwnText  # noqa: PLC0415 - slow to load, and help does without

    code = language or (await run.settled()).general.language
    async with run.hub() as hub:
        own = await hub.wording.texts()
        ours = hub.wording.ours(code) if every else {}
    changed = {one.id: one.text for one in own if one.language == code}
    shown: list[OwnText] = [one for one in own if language in {None, one.language}]
    if every:
        shown = [OwnText(id=name, language=code, text=changed.get(name, text)) for name, text in sorted(ours.items())]
    columns = {
        "id": lambda one: one.id,
        "language": lambda one: one.language,
        "own": lambda one: "yes" if every is False or one.id in changed else "",
        "text": lambda one: one.text,
    }
    run.rows(shown, columns, empty="No text of your own yet: wch texts set ID TEXT.")


@texts.command(name="set")
@click.argument("id_", metavar="ID")
@click.argument("text")
@_IN
@command
async def texts_set(run: Run, id_: str, text: str, language: str | None) -> None:
    """Say TEXT instead of our text; a name in braces, such as {name}, is filled in.

    Example: wch texts set welcome.short "Welcome to the lamp house!" --language en
    """
    code = language or (await run.settled()).general.language
    async with run.hub() as hub:
        own = await hub.wording.replace(id_, code, text, by=BY)
    run.show(own, lambda console: console.print(f"{own.id} ({own.language}): {own.text}", markup=False))


@texts.command(name="reset")
@click.argument("id_", metavar="ID")
@_IN
@command
async def texts_reset(run: Run, id_: str, language: str | None) -> None:
    """Say our own text again.

    Example: wch texts reset welcome.short --language en
    """
    code = language or (await run.settled()).general.language
    async with run.hub() as hub:
        await hub.wording.restore(id_, code, by=BY)
    told = {"id": id_, "language": code}
    run.show(told, lambda console: console.print(f"{id_} ({code}) is our own text again.", markup=False))


@click.group()
def ads() -> None:
    """Where people land who come from an advertisement.

    Example: wch ads list
    """


@ads.command(name="list")
@command
async def ads_list(run: Run) -> None:
    """Advertisements that lead to a page of their own.

    Example: wch ads list
    """
    async with run.hub() as hub:
        found = await hub.wording.ads()
    columns = {"ad": lambda one: one.source_id, "page": lambda one: one.page}
    run.rows(found, columns, empty="Every advertisement leads to the menu: wch ads set AD PAGE.")


@ads.command(name="set")
@click.argument("ad")
@click.argument("page")
@command
async def ads_set(run: Run, ad: str, page: str) -> None:
    """Show PAGE (product_<id> or category_<id>) to whoever comes from AD, instead of the menu.

    Example: wch ads set 120210000000000000 product_5
    """
    async with run.hub() as hub:
        led = await hub.wording.lead(ad, page, by=BY)
    run.show(led, lambda console: console.print(f"Who comes from {ad} sees {page}.", markup=False))


@ads.command(name="remove")
@click.argument("ad")
@command
async def ads_remove(run: Run, ad: str) -> None:
    """Let AD lead to the menu again.

    Example: wch ads remove 120210000000000000
    """
    async with run.hub() as hub:
        await hub.wording.forget(ad, by=BY)
    run.show({"ad": ad}, lambda console: console.print(f"{ad} leads to the menu again.", markup=False))

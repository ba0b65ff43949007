"""Commands about campaigns: plan one, let it run, stop it, see what came of it."""

import asyncio
import csv
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from wch.domain.moment import iso
from wch.entrypoints.cli.running import BY, USAGE, Run, Whole, command, fail

if TYPE_CHECKING:
    from wch.application.campaigns import Campaign


@click.group()
def broadcasts() -> None:
    """Campaigns: one message to many, at most once to each."""


def _criteria(told: tuple[str, ...]) -> list[dict[str, Any]]:
    """`segment=gold,platinum` and the like, as a plan has them."""
    made: list[dict[str, Any]] = []
    for one in told:
        name, sign, value = one.partition("=")
        if not sign:
            fail(f"{one} is no criterion: write it as NAME=VALUE, such as segment=gold,platinum.", USAGE)
        if name.endswith("_within_days"):
            made.append({name: int(value) if value.isdecimal() else value})
        elif name in {"opted_in", "upload"}:
            made.append({name: value.lower() in {"1", "true", "yes"}})
        elif name == "of_campaign":
            number, _, words = value.partition(":")
            statuses = {"statuses": words.split("+")} if words else {}
            made.append({name: {"id": int(number) if number.isdecimal() else 0, **statuses}})
        else:
            made.append({name: [part.strip() for part in value.split(",") if part.strip()]})
    return made


def _plan(file: Path | None, given: Mapping[str, Any]) -> dict[str, Any]:
    """A plan from a TOML file, from options, or from both: options win."""
    told: dict[str, Any] = {}
    if file is not None:
        try:
            told = tomllib.loads(file.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            fail(f"{file.name} is no TOML: {error}.", USAGE)
    template = {"name": given["template"], "language": given["language"]} if given["template"] else None
    schedule = {name: given[name] for name in ("at", "zone") if given[name]} if given["at"] else None
    params = {**told.get("params", {}), "body": [_entry(one) for one in given["body"]]} if given["body"] else None
    options = {
        "name": given["name"],
        "template": template,
        "schedule": schedule,
        "params": params,
        "rate_per_minute": given["rate"],
    }
    told |= {name: value for name, value in options.items() if value is not None}
    return {**told, "audience": _audience(dict(told.get("audience") or {}), given)}


def _audience(audience: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The file's audience with what the options add."""
    if given["csv"] is not None and not any("upload" in one for one in audience.get("all", [])):
        audience["all"] = [*audience.get("all", []), {"upload": True}]
    for part in ("all", "none"):
        if given[part]:
            audience[part] = [*audience.get(part, []), *_criteria(given[part])]
    return {**audience, "everyone": True} if given["everyone"] else audience


def _entry(told: str) -> dict[str, Any]:
    """`customer_name|friend` is a variable with a fallback, `=20 %` are words."""
    if told.startswith("="):
        return {"text": told[1:]}
    name, sign, instead = told.partition("|")
    return {"var": name, **({"else": instead} if sign else {})}


def _told(console: Console, report: Mapping[str, Any]) -> None:
    held = f", {report['held']} of them held at first" if report["held"] else ""
    console.print(
        f"Campaign {report['campaign']}, {report['name']}: {report['recipients']} recipients{held}.", markup=False
    )
    for title in ("skips", "countries", "languages", "zones", "missing", "cost", "without_price"):
        if report[title]:
            console.print(f"  {title}: " + ", ".join(f"{name} {count}" for name, count in report[title].items()))
    console.print(f"  starts {report['starts_at']}, would end {report['finishes_at']}, days {report['days']}")


@broadcasts.command()
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="For people.")
@click.option("--template", help="The message template's name.")
@click.option("--language", default="customer", show_default=True, help="A code, or the customer's own.")
@click.option("--body", multiple=True, metavar="ENTRY", help="What fills a gap: VAR, VAR|FALLBACK or =WORDS.")
@click.option("--all", "all_", multiple=True, metavar="NAME=VALUE", help="A criterion that must hold.")
@click.option("--none", "none_", multiple=True, metavar="NAME=VALUE", help="A criterion that takes away.")
@click.option("--everyone", is_flag=True, help="Everybody who opted in.")
@click.option("--csv", "list_", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A list of numbers.")
@click.option("--at", help="A local time, such as 2026-03-29T10:00.")
@click.option("--zone", help="Its time zone; the shop's otherwise.")
@click.option("--rate", type=Whole(1), help="Messages a minute.")
@command
async def plan(run: Run, file: Path | None, list_: Path | None, **given: Any) -> int:
    """Keep a plan as a draft, from a TOML FILE or from options, and say what it would come to. Nothing is sent.

    Example: wch broadcasts plan --name Spring --template spring_offer --all segment=gold,platinum
    """
    options = {**given, "all": given.pop("all_"), "none": given.pop("none_"), "csv": list_}
    told = await asyncio.to_thread(_plan, file, options)
    body = None if list_ is None else await asyncio.to_thread(list_.read_bytes)
    async with run.hub() as hub:
        draft, upload = await hub.broadcasts.draft(told, by=BY, upload=body)
        report = dict(await hub.broadcasts.rehearse(draft))
    if upload is not None:
        report |= {"bad_lines": list(upload.bad), "erased_lines": list(upload.erased)}

    def text(console: Console) -> None:
        _told(console, report)
        if upload is not None and upload.bad:
            console.print(f"  bad lines: {', '.join(map(str, upload.bad))}")
        console.print(f"To send it: wch broadcasts start {draft.id}")

    run.show(report, text)
    return 0


def _line(campaign: "Campaign") -> str:
    plan_, progress = campaign.plan, campaign.progress
    begins = f", begins {iso(plan_.utc)}" if progress.state.value == "scheduled" and plan_.utc else ""
    return f"Campaign {plan_.id}, {plan_.name}: {progress.state.value}{begins}."


def _shown(campaign: "Campaign") -> dict[str, Any]:
    return {"id": campaign.plan.id, "plan": campaign.plan, "progress": campaign.progress}


@broadcasts.command()
@click.argument("campaign_id", type=int)
@click.option("--now", "at_once", is_flag=True, help="At once, whatever its schedule says.")
@command
async def start(run: Run, campaign_id: int, *, at_once: bool) -> None:
    """Freeze a plan and let it run: at its moment if it has one, else at once.

    Example: wch broadcasts start 42
    """
    async with run.hub() as hub:
        campaign = await hub.broadcasts.start(campaign_id, by=BY, now_at_once=at_once)
    run.show(_shown(campaign), lambda console: console.print(_line(campaign), markup=False))


def _moved(name: str, help_text: str) -> None:
    @broadcasts.command(name=name, help=f"{help_text}\n\nExample: wch broadcasts {name} 42")
    @click.argument("campaign_id", type=int)
    @command
    async def move(run: Run, campaign_id: int) -> None:
        async with run.hub() as hub:
            campaign = await getattr(hub.broadcasts, name)(campaign_id, by=BY)
        run.show(_shown(campaign), lambda console: console.print(_line(campaign), markup=False))


_moved("pause", "Stop it: once this is answered nothing more of it leaves.")
_moved("resume", "Go on with what is there.")
_moved("cancel", "End it; what still waits is skipped.")
_moved("unschedule", "Make a draft again of a campaign that waits for its moment.")


@broadcasts.command()
@click.argument("campaign_id", type=int)
@click.option("--yes", is_flag=True, help="Do it; without it nothing is done.")
@command
async def delete(run: Run, campaign_id: int, *, yes: bool) -> int:
    """Take a draft away, with the recipients of its list.

    Example: wch broadcasts delete 42 --yes
    """
    if not yes:
        fail(f"this deletes the draft {campaign_id}; add --yes to do it.", USAGE)
    async with run.hub() as hub:
        await hub.broadcasts.delete(campaign_id, by=BY)
    run.show({"deleted": campaign_id}, lambda console: console.print(f"Draft {campaign_id} is gone."))
    return 0


@broadcasts.command(name="list")
@command
async def broadcasts_list(run: Run) -> None:
    """Every campaign, the oldest first.

    Example: wch broadcasts list
    """
    async with run.hub() as hub:
        found = await hub.broadcasts.listed()
    run.rows(
        found,
        {
            "id": lambda one: one.plan.id,
            "name": lambda one: one.plan.name,
            "state": lambda one: one.progress.state,
            "template": lambda one: one.plan.template["name"],
            "began": lambda one: one.progress.started_at,
            "why": lambda one: one.progress.reason,
        },
        empty="No campaigns yet: plan one with `wch broadcasts plan`.",
    )


@broadcasts.command(name="test")
@click.argument("campaign_id", type=int)
@click.argument("number")
@command
async def try_out(run: Run, campaign_id: int, number: str) -> None:
    """Send a campaign's message to one of your own test numbers; nobody else gets it, and it is not counted.

    The number has to stand in the setting broadcasts.test_numbers.

    Example: wch broadcasts test 42 +34600000000
    """
    async with run.hub() as hub:
        row = await hub.broadcasts.try_out(campaign_id, number, by=BY)
    run.show(
        {"message": row.id},
        lambda console: console.print(f"Message {row.id} waits to leave; see it with `wch explain message {row.id}`."),
    )


@broadcasts.command()
@click.argument("campaign_id", type=int)
@click.option("--csv", "as_csv", is_flag=True, help="One line for each recipient instead.")
@command
async def report(run: Run, campaign_id: int, *, as_csv: bool) -> int:
    """What came of a campaign.

    Example: wch broadcasts report 42
    """
    async with run.hub() as hub:
        await hub.broadcasts.show(campaign_id)
        if as_csv:
            writer = csv.writer(sys.stdout)
            async for line in hub.broadcasts.lines(campaign_id):
                writer.writerow(line)
            return 0
        told = await hub.broadcasts.report(campaign_id)

    def text(console: Console) -> None:
        why = f" ({told['reason']})" if told["reason"] else ""
        console.print(f"Campaign {campaign_id}, {told['name']}: {told['state']}{why}", markup=False)
        for word, count in sorted(told["counts"].items()):
            console.print(f"  {word}: {count}")
        for title in ("delivered_rate", "read_rate", "replies_24h", "optouts_24h", "orders"):
            console.print(f"  {title}: {'-' if told[title] is None else told[title]}")
        for title in ("revenue", "cost"):
            for currency, amount in told[title].items():
                console.print(f"  {title}: {amount} {currency}")
        for country, count in told["without_price"].items():
            console.print(f"  {count} without a price in your price table: {country}")
        for code, count in told["failures"].items():
            meaning = told["meanings"].get(code)
            console.print(f"  failed with {code}: {count}{f' ({meaning})' if meaning else ''}", markup=False)

    run.show(told, text)
    return 0

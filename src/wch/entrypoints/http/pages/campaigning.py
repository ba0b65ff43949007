"""Broadcasts and the templates that they are made of."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import attrs

from wch.application.campaigns import Campaign
from wch.domain.campaign import CampaignState
from wch.domain.errors import NotFoundError, VersionMovedError
from wch.domain.message_template import MessageTemplate
from wch.domain.moment import of_iso
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Cell,
    Choice,
    Code,
    Facts,
    Field,
    Form,
    Forms,
    Page,
    Section,
    Table,
    code,
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import Route, Visit, moved_meanwhile

_ACTS = {
    CampaignState.DRAFT: (("start", "Start", "primary"),),
    CampaignState.SCHEDULED: (("start", "Start now", "primary"), ("unschedule", "Back to a draft", "")),
    CampaignState.RUNNING: (("pause", "Pause", ""), ("cancel", "Cancel", "danger")),
    CampaignState.PAUSED: (("resume", "Resume", "primary"), ("cancel", "Cancel", "danger")),
}
"""What can be done with a broadcast where it stands."""


async def broadcasts(visit: Visit) -> Page:
    """Every broadcast, the newest first."""
    rows = [
        (one, await visit.hub.broadcasts.counts(one.plan.id)) for one in reversed(await visit.hub.broadcasts.listed())
    ]
    table = Table(
        title="Broadcasts",
        columns=("Broadcast", "Name", "State", "Template", "Recipients", "Delivered or read", "Written by"),
        rows=[
            (
                text(f"#{one.plan.id}", href=visit.href(f"broadcasts/{one.plan.id}")),
                text(clean(one.plan.name)),
                state(one.progress.state),
                code(one.plan.template.get("name")),
                text(sum(counts.values())),
                text(counts.get("delivered", 0) + counts.get("read", 0)),
                text(clean(one.plan.by)),
            )
            for one, counts in rows
        ],
        empty="No broadcast was written yet. Write the first one: nothing is sent before you start it.",
    )
    begin = ("New broadcast", visit.href("broadcasts/new")) if visit.may(Right.TRADE) else None
    return Page(title="Broadcasts", place="broadcasts", sections=(table,), begin=begin)


async def broadcast(visit: Visit) -> Page:
    """One broadcast: its plan, how far it is, and what can be done."""
    number = visit.number("id")
    one = await visit.hub.broadcasts.show(number)
    told = await visit.hub.broadcasts.report(number)
    sections: list[Section] = [
        Facts(
            title="Broadcast",
            rows=(
                ("State", state(one.progress.state)),
                ("Because", text(clean(one.progress.reason) if one.progress.reason else None)),
                ("Template", code(one.plan.template.get("name"))),
                ("Begins", moment(one.plan.utc) if one.plan.utc else text("when it is started")),
                ("Began", moment(one.progress.started_at)),
                ("Written by", text(clean(one.plan.by))),
                ("At most a minute", text(one.plan.rate_per_minute)),
                ("Recipients", text(told["recipients"], href=visit.href(f"broadcasts/{number}/recipients"))),
            ),
        ),
    ]
    if one.progress.state in {CampaignState.DRAFT, CampaignState.SCHEDULED}:
        sections += _rehearsed(await visit.hub.broadcasts.rehearse(one.plan))
    else:
        sections += _came_to(told)
    sections.append(
        Table(
            title="What happened",
            columns=("When", "From", "To", "By", "Why"),
            rows=[_happened(dict(entry)) for entry in one.progress.log],
            empty="Nothing yet: it is a draft.",
        )
    )
    sections.append(Code(title="The plan", text=visit.eyes.document(attrs.asdict(one.plan)), is_folded=True))
    if visit.may(Right.TRADE):
        sections += _changes(visit, one)
    sheet = Form(to=f"broadcasts/{number}/csv", label="Recipients as CSV")
    sections.append(Forms(title="Take it away", forms=(sheet,), lead="Three an hour, each in the audit log."))
    return Page(
        title=clean(one.plan.name) or f"Broadcast #{number}",
        place="broadcasts",
        sections=sections,
        topics=(f"campaign:{number}",),
        back=(visit.href("broadcasts"), "Broadcasts"),
    )


def _told(counts: Mapping[str, object]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())


def _tier(dry: Mapping[str, Any]) -> str:
    """How many may be written to within a day, as WhatsApp told."""
    if not dry["tier"]:
        return "not known"
    return "none" if dry["tier"] < 0 else f"{dry['tier']}, {dry['used_24h']} used"


def _rehearsed(dry: Mapping[str, Any]) -> list[Section]:
    """What starting it would come to, in words."""
    return [
        Facts(
            title="What starting it would come to",
            rows=(
                ("Would get it", text(dry["recipients"])),
                ("Of them held at first", text(dry["held"])),
                ("Left out", text(_told(dry["skips"]) or "nobody")),
                ("Without a value", text(clean(_told(dry["missing"])) or "nobody")),
                ("Costs about", text(_told(dry["cost"]))),
                ("Countries without a price", text(_told(dry["without_price"]))),
                ("By country", text(_told(dry["countries"]))),
                ("By language", text(_told(dry["languages"]))),
                ("Begins", moment(of_iso(dry["starts_at"]))),
                ("Ends about", moment(of_iso(dry["finishes_at"]))),
                ("Days that it takes", text(dry["days"])),
                (
                    "WhatsApp's limit a day",
                    text(_tier(dry)),
                ),
            ),
        )
    ]


def _came_to(told: Mapping[str, Any]) -> list[Section]:
    """What came of it so far."""

    def share(value: float | None) -> str | None:
        return None if value is None else f"{value * 100:.1f} %"

    return [
        Facts(
            title="What came of it",
            rows=(
                ("Delivered", text(share(told["delivered_rate"]))),
                ("Read, of those delivered", text(share(told["read_rate"]))),
                ("Answers within a day", text(told["replies_24h"])),
                ("Opted out within a day", text(told["optouts_24h"])),
                ("Orders", text(told["orders"])),
                ("Revenue", text(_told(told["revenue"]))),
                ("Cost", text(_told(told["cost"]))),
            ),
        ),
        Table(
            title="Recipients by state",
            columns=("State", "Recipients"),
            rows=[(state(word), text(count)) for word, count in sorted(told["counts"].items())],
            empty="Nobody is addressed yet.",
        ),
        Table(
            title="Failures by code",
            columns=("WhatsApp's code", "Means", "How many"),
            rows=[
                (code(word), text(told["meanings"].get(word, "").replace("_", " ")), text(count))
                for word, count in sorted(told["failures"].items())
            ],
            empty="No message failed.",
        ),
    ]


def _changes(visit: Visit, one: Campaign) -> list[Section]:
    number, seen = one.plan.id, {"version": str(one.progress.rev)}
    forms = [
        Form(to=f"broadcasts/{number}/{act}", label=label, tone=tone, hidden=seen)
        for act, label, tone in _ACTS.get(one.progress.state, ())
    ]
    if one.progress.state is CampaignState.DRAFT:
        forms.append(Form(to=f"broadcasts/{number}/delete", label="Delete the draft", tone="danger"))
    forms.append(Form(to=f"broadcasts/{number}/duplicate", label="Duplicate"))
    sections: list[Section] = []
    if one.progress.state is CampaignState.DRAFT:
        link = text("Change what it says, to whom, and when", href=visit.href(f"broadcasts/{number}/edit"))
        sections.append(Facts(title="The draft", rows=(("Edit", link),)))
    sections.append(Forms(title="What can be done", forms=forms))
    mine = [(told, told) for told in visit.hub.broadcasts.test_numbers]
    if mine:
        field = Field(name="number", label="To your own number", kind="select", choices=mine)
        forms_ = (Form(to=f"broadcasts/{number}/test", label="Send a test", fields=(field,)),)
        sections.append(Forms(title="Try it out", forms=forms_, lead="A test is no recipient, and counted nowhere."))
    return sections


def _happened(entry: Mapping[str, Any]) -> tuple[Cell, ...]:
    at = entry.get("at")
    return (
        moment(of_iso(str(at))) if at else text(None),
        state(entry.get("from") or ""),
        state(entry.get("to") or ""),
        text(clean(entry.get("by") or "")),
        text(clean(entry.get("reason") or "")),
    )


async def _move(visit: Visit, act: Callable[..., Awaitable[Campaign]], wish: str, **more: bool) -> str | Page:
    number = visit.number("id")
    try:
        await act(number, by=visit.by, version=visit.word("version", most=20) or None, **more)
    except VersionMovedError:
        now = await visit.hub.broadcasts.show(number)
        rows = (("You wanted", text(wish)), ("It is now", state(now.progress.state)))
        return moved_meanwhile(visit, clean(now.plan.name), rows, place="broadcasts", back=f"broadcasts/{number}")
    return visit.href(f"broadcasts/{number}", done="broadcast")


async def start(visit: Visit) -> str | Page:
    """Let it begin."""
    at_once = (await visit.hub.broadcasts.show(visit.number("id"))).progress.state is CampaignState.SCHEDULED
    return await _move(visit, visit.hub.broadcasts.start, "Start it", now_at_once=at_once)


async def unschedule(visit: Visit) -> str | Page:
    """Make it a draft again."""
    return await _move(visit, visit.hub.broadcasts.unschedule, "Make it a draft again")


async def pause(visit: Visit) -> str | Page:
    """Let nothing more of it leave."""
    return await _move(visit, visit.hub.broadcasts.pause, "Pause it")


async def resume(visit: Visit) -> str | Page:
    """Let it go on."""
    return await _move(visit, visit.hub.broadcasts.resume, "Resume it")


async def cancel(visit: Visit) -> str | Page:
    """End it; who has not been written to will not be."""
    return await _move(visit, visit.hub.broadcasts.cancel, "Cancel it")


async def templates(visit: Visit) -> Page:
    """The account's templates, as WhatsApp told them last."""
    table = Table(
        title="Templates",
        columns=("Template", "Languages", "State", "Category", "Quality", "Changed at WhatsApp"),
        rows=[_template_line(visit, name, same) for name, same in _by_name(await visit.hub.templates.listed())],
        empty="No template is known yet. Fetch them below; WhatsApp's own templates are written in WhatsApp Manager.",
    )
    faults = await visit.hub.templates.lint()
    lint = Table(
        title="What is wrong with them",
        columns=("Used by", "How bad", "What", "What to do"),
        rows=[(text(one.use), state(one.level), text(clean(one.what)), text(clean(one.way_out))) for one in faults],
        empty="Nothing.",
    )
    sections: list[Section] = [table, lint]
    if visit.may(Right.TRADE):
        sections.append(Forms(title="Change", forms=(Form(to="templates/sync", label="Fetch from WhatsApp"),)))
    return Page(title="Templates", place="templates", sections=sections)


def _by_name(rows: Sequence[MessageTemplate]) -> list[tuple[str, list[MessageTemplate]]]:
    return [(name, list(same)) for name, same in groupby(rows, key=lambda one: one.name)]


def _template_line(visit: Visit, name: str, same: Sequence[MessageTemplate]) -> tuple[Cell, ...]:
    """One template in all its languages; where they differ, each word stands once."""
    shown = next((one for one in same if one.language == "en"), same[0])

    def words(told: Iterable[str | None]) -> str:
        return ", ".join(sorted({one for one in told if one}))

    return (
        Cell(kind="code", text=clean(name), href=visit.href(f"templates/{name}/{shown.language}")),
        text(words(one.language for one in same)),
        state(words(one.status.lower() for one in same)),
        text(words(one.category.lower() for one in same)),
        text(words(one.quality for one in same)),
        text(words(one.drift for one in same)),
    )


async def template(visit: Visit) -> Page:
    """One template with sample values, as a customer would read it, and what it says for itself."""
    name, language = visit.asked["name"][:512], visit.asked["language"][:20]
    one, rendering = await visit.hub.templates.preview(name, params={}, language=language)
    if one.language != language:
        raise NotFoundError(kind="template", id=name)
    said = [(part.capitalize(), text(clean(_words(words)))) for part, words in rendering.shown.items() if words]
    uses = [use.replace("_", " ") for use, used in visit.hub.templates.uses.items() if used == name]
    sections: list[Section] = [
        Facts(
            title="As a customer would read it",
            rows=said or [("Words", text(clean(one.component("BODY").get("text", ""))))],
        ),
        Facts(
            title="At WhatsApp",
            rows=(
                ("State", state(one.status.lower())),
                ("Because", text(clean(one.reason) if one.reason else None)),
                ("Quality", text(one.quality)),
                ("Category", text(one.category.lower())),
                ("Used for", text(", ".join(uses) or "broadcasts alone")),
                ("Seen", text(one.seen_at)),
                ("Changed at WhatsApp", text(one.drift)),
            ),
        ),
        Code(
            title="As WhatsApp keeps it",
            text=visit.eyes.document(list(one.components)) if visit.may(Right.PEOPLE) else "",
        ),
    ]
    return Page(
        title=clean(f"{one.name}, {one.language}"),
        place="templates",
        sections=[section for section in sections if not isinstance(section, Code) or section.text],
        choices=[
            Choice(
                label=other.language,
                href=visit.href(f"templates/{name}/{other.language}"),
                is_chosen=other.language == language,
            )
            for other in await visit.hub.templates.listed()
            if other.name == name
        ],
        back=(visit.href("templates"), "Templates"),
    )


def _words(shown: Any) -> str:
    if isinstance(shown, Mapping):
        return ", ".join(_words(one) for one in shown.values())
    return ", ".join(_words(one) for one in shown) if isinstance(shown, list | tuple) else str(shown)


async def sync(visit: Visit) -> str:
    """Fetch the account's templates."""
    await visit.hub.templates.sync(by=visit.by)
    return visit.href("templates", done="templates")


PAGES = (
    Route("broadcasts", Right.SEE, broadcasts),
    Route("broadcasts/{id}", Right.SEE, broadcast),
    Route("templates", Right.SEE, templates),
    Route("templates/{name}/{language}", Right.SEE, template),
)
ACTS = (
    Route("broadcasts/{id}/start", Right.TRADE, start),
    Route("broadcasts/{id}/unschedule", Right.TRADE, unschedule),
    Route("broadcasts/{id}/pause", Right.TRADE, pause),
    Route("broadcasts/{id}/resume", Right.TRADE, resume),
    Route("broadcasts/{id}/cancel", Right.TRADE, cancel),
    Route("templates/sync", Right.TRADE, sync),
)

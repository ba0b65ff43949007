"""Broadcasts and the templates that they are made of."""

import attrs

from wch.domain.campaign import CampaignState
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Cell,
    Code,
    Facts,
    Form,
    Forms,
    Page,
    Section,
    Table,
    code,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import Route, Visit

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
        empty="No broadcast is planned; write one with: wch broadcasts plan FILE.toml",
    )
    return Page(title="Broadcasts", place="broadcasts", sections=(table,))


async def broadcast(visit: Visit) -> Page:
    """One broadcast: its plan, how far it is, and what can be done."""
    number = visit.number("id")
    one = await visit.hub.broadcasts.show(number)
    counts = await visit.hub.broadcasts.counts(number)
    sections: list[Section] = [
        Facts(
            title="Broadcast",
            rows=(
                ("State", state(one.progress.state)),
                ("Because", text(clean(one.progress.reason) if one.progress.reason else None)),
                ("Template", code(one.plan.template.get("name"))),
                ("Written by", text(clean(one.plan.by))),
                ("At most a minute", text(one.plan.rate_per_minute)),
            ),
        ),
        Table(
            title="Recipients by state",
            columns=("State", "Recipients"),
            rows=[(state(word), text(count)) for word, count in sorted(counts.items())],
            empty="Nobody is addressed yet.",
        ),
        Table(
            title="What happened",
            columns=("When", "What"),
            rows=[_happened(dict(entry)) for entry in one.progress.log],
            empty="Nothing yet.",
        ),
    ]
    if one.progress.state in {CampaignState.DRAFT, CampaignState.SCHEDULED}:
        dry = await visit.hub.broadcasts.rehearse(one.plan)
        sections.append(Code(title="What starting it would come to", text=visit.eyes.document(dry)))
    sections.append(Code(title="The plan", text=visit.eyes.document(attrs.asdict(one.plan))))
    acts = _ACTS.get(one.progress.state, ())
    if acts and visit.may(Right.TRADE):
        forms = [Form(to=f"broadcasts/{number}/{act}", label=label, tone=tone) for act, label, tone in acts]
        sections.append(Forms(title="What can be done", forms=forms))
    return Page(
        title=clean(one.plan.name) or f"Broadcast #{number}",
        place="broadcasts",
        sections=sections,
        back=(visit.href("broadcasts"), "Broadcasts"),
    )


def _happened(entry: dict[str, object]) -> tuple[Cell, Cell]:
    told = ", ".join(f"{name} {value}" for name, value in entry.items() if name != "at" and value is not None)
    return text(entry.get("at")), text(clean(told))


async def start(visit: Visit) -> str:
    """Let it begin."""
    number = visit.number("id")
    now_at_once = (await visit.hub.broadcasts.show(number)).progress.state is CampaignState.SCHEDULED
    await visit.hub.broadcasts.start(number, by=visit.by, now_at_once=now_at_once)
    return visit.href(f"broadcasts/{number}", done="broadcast")


async def unschedule(visit: Visit) -> str:
    """Make it a draft again."""
    await visit.hub.broadcasts.unschedule(visit.number("id"), by=visit.by)
    return visit.href(f"broadcasts/{visit.number('id')}", done="broadcast")


async def pause(visit: Visit) -> str:
    """Let nothing more of it leave."""
    await visit.hub.broadcasts.pause(visit.number("id"), by=visit.by)
    return visit.href(f"broadcasts/{visit.number('id')}", done="broadcast")


async def resume(visit: Visit) -> str:
    """Let it go on."""
    await visit.hub.broadcasts.resume(visit.number("id"), by=visit.by)
    return visit.href(f"broadcasts/{visit.number('id')}", done="broadcast")


async def cancel(visit: Visit) -> str:
    """End it; who has not been written to will not be."""
    await visit.hub.broadcasts.cancel(visit.number("id"), by=visit.by)
    return visit.href(f"broadcasts/{visit.number('id')}", done="broadcast")


async def templates(visit: Visit) -> Page:
    """The account's templates, as WhatsApp told them last."""
    rows = await visit.hub.templates.listed()
    table = Table(
        title="Templates",
        columns=("Template", "Language", "State", "Category", "Quality", "Changed at WhatsApp"),
        rows=[
            (
                code(one.name),
                text(one.language),
                state(one.status.lower()),
                text(one.category.lower()),
                text(one.quality),
                text(one.drift),
            )
            for one in rows
        ],
        empty="No template is known yet; fetch them below, or with: wch templates sync",
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


async def sync(visit: Visit) -> str:
    """Fetch the account's templates."""
    await visit.hub.templates.sync()
    await visit.hub.operators.note(visit.operator, "template.sync", about=None)
    return visit.href("templates", done="templates")


PAGES = (
    Route("broadcasts", Right.SEE, broadcasts),
    Route("broadcasts/{id}", Right.SEE, broadcast),
    Route("templates", Right.SEE, templates),
)
ACTS = (
    Route("broadcasts/{id}/start", Right.TRADE, start),
    Route("broadcasts/{id}/unschedule", Right.TRADE, unschedule),
    Route("broadcasts/{id}/pause", Right.TRADE, pause),
    Route("broadcasts/{id}/resume", Right.TRADE, resume),
    Route("broadcasts/{id}/cancel", Right.TRADE, cancel),
    Route("templates/sync", Right.TRADE, sync),
)

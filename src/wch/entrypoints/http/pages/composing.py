"""Writing a broadcast: what it says, to whom, and when; a draft is written anew, tried, and duplicated here."""

from collections.abc import Mapping, Sequence
from typing import Any

from wch.application.broadcasts import written
from wch.application.masks import masked_name, masked_number
from wch.application.uploads import Upload
from wch.domain.campaign import CampaignError, CampaignState, Plan
from wch.domain.errors import VersionMovedError
from wch.domain.message_template import MessageTemplate
from wch.domain.operator import Right
from wch.domain.order_figures import Segment
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Cell,
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
from wch.entrypoints.http.pages.visiting import Route, Visit, moved_meanwhile, sheet_of

_CRITERIA = {
    "segment": ("Segments", f"Any of {', '.join(one.value for one in Segment)}, with commas"),
    "tags_any": ("With any of these tags", "With commas"),
    "language": ("Languages", "Codes with commas, such as en, es, pt_BR"),
    "country": ("Countries", "Two letters each, with commas"),
    "ordered_within_days": ("Ordered within so many days", "1 to 365"),
    "cart_abandoned_within_days": ("Left a cart within so many days", "1 to 30"),
}
"""The criteria that the form has fields for; a plan that came otherwise may have more, which stay as they are."""

_LEFT_OUT = {
    "tags_any": ("Leave out who has one of these tags", "With commas"),
    "ordered_within_days": ("Leave out who ordered within so many days", "1 to 365"),
    "broadcast_within_days": ("Leave out whom a broadcast reached within so many days", "1 to 30"),
}

NUMBERS = frozenset({"ordered_within_days", "cart_abandoned_within_days", "broadcast_within_days"})
MOST_GAPS = 10


async def new(visit: Visit) -> Page:
    """An empty plan, to be filled in."""
    return await _composer(visit, {}, to="broadcasts/draft", title="A new broadcast")


async def edit(visit: Visit) -> Page:
    """A draft as it is, to be written anew."""
    number = visit.number("id")
    one = await visit.hub.broadcasts.show(number)
    if one.progress.state is not CampaignState.DRAFT:
        raise CampaignError("Only a draft can be written anew; duplicate this broadcast, and edit the copy.")
    hidden = {"version": str(one.progress.rev)}
    return await _composer(
        visit, written(one.plan), to=f"broadcasts/{number}/edit", title=f"Edit {clean(one.plan.name)}", hidden=hidden
    )


async def _composer(
    visit: Visit,
    told: Mapping[str, Any],
    *,
    to: str,
    title: str,
    hidden: Mapping[str, str] | None = None,
    wrong: str = "",
) -> Page:
    known = [one for one in await visit.hub.templates.listed() if one.may_be_sent]
    if not known:
        lead = "A broadcast needs a template that WhatsApp has approved, and none is known yet."
        sheet: Section = Facts(
            title="First",
            rows=(("Templates", text("Fetch them from WhatsApp", href=visit.href("templates"))),),
        )
        return Page(
            title=title, place="broadcasts", lead=lead, sections=(sheet,), back=(visit.href("broadcasts"), "Broadcasts")
        )
    form = Form(
        to=to,
        label="Keep as a draft",
        fields=_fields(visit, told, known),
        hidden=hidden or {},
        tone="primary",
        is_sheet=True,
    )
    lead = "Nothing is sent by keeping it. The next page says whom it would reach and what it would cost."
    return Page(
        title=title,
        place="broadcasts",
        sections=(Forms(title="The plan", forms=(form,), lead=lead), _shown(known)),
        template="composer.html",
        wrong=clean(wrong),
        status=422 if wrong else 200,
        back=(visit.href("broadcasts"), "Broadcasts"),
    )


def _shown(known: Sequence[MessageTemplate]) -> Table:
    """Each template once, in English where it is there."""
    each = {one.name: one for one in sorted(known, key=lambda one: one.language == "en")}
    return Table(
        title="What the templates say",
        columns=("Template", "For", "Words"),
        rows=[
            (code(one.name), text(one.category.lower()), text(clean(one.component("BODY").get("text", ""))))
            for one in sorted(each.values(), key=lambda one: (one.category != "MARKETING", one.name))
        ],
        empty="None.",
    )


def _fields(visit: Visit, told: Mapping[str, Any], known: Sequence[MessageTemplate]) -> list[Field]:
    template: Any = told.get("template") or {}
    audience: Any = told.get("audience") or {}
    schedule: Any = told.get("schedule") or {}
    window: Any = told.get("send_window") or ("", "")
    gaps = "\n".join(_written_gap(one) for one in (told.get("params") or {}).get("body", ()))
    names = sorted({one.name for one in known}, key=lambda name: (not _is_marketing(known, name), name))
    languages = [("customer", "the customer's own"), *((one, one) for one in sorted({one.language for one in known}))]
    return [
        Field(name="name", label="Name, for you alone", value=str(told.get("name", "")), most=100),
        Field(
            name="template", label="Template", kind="select",
            value=str(template.get("name", "")), choices=[(one, one) for one in names],
        ),
        Field(
            name="language", label="Language", kind="select",
            value=str(template.get("language", "customer")), choices=languages,
        ),
        Field(
            name="body", label="What fills the gaps {{1}}, {{2}} … of its words", kind="textarea", value=gaps,
            note="A line each: customer_name|friend is a name with its fallback, =20 % are words",
            is_required=False, most=2000,
        ),
        Field(
            name="everyone", label="To everybody who wants offers", kind="checkbox",
            value="yes" if audience.get("everyone") else "", is_required=False,
        ),
        *_criteria_fields(_CRITERIA, "all", _flat(audience.get("all", ()))),
        *_criteria_fields(_LEFT_OUT, "none", _flat(audience.get("none", ()))),
        Field(
            name="list", label="Or a list of numbers", kind="file", is_required=False,
            note="A CSV with the columns phone, name, opted_in_at, source; it is added to what is there",
        ),
        Field(
            name="at", label="Begin at, in the shop's time", kind="datetime-local",
            value=str(schedule.get("at", "")), is_required=False, note="Empty: as soon as it is started",
        ),
        Field(name="from", label="Send from, in the customer's time", kind="time", value=window[0], is_required=False),
        Field(name="until", label="Send until", kind="time", value=window[1], is_required=False),
        Field(
            name="rate", label="Messages a minute at most", kind="number",
            value=str(told.get("rate_per_minute") or visit.hub.broadcasts.rate_per_minute),
        ),
    ]  # fmt: skip


def _is_marketing(known: Sequence[MessageTemplate], name: str) -> bool:
    return any(one.category.upper() == "MARKETING" for one in known if one.name == name)


def _criteria_fields(known: Mapping[str, tuple[str, str]], part: str, told: Mapping[str, Any]) -> list[Field]:
    return [
        Field(
            name=f"{part}.{name}",
            label=label,
            note=note,
            kind="number" if name in NUMBERS else "text",
            value=_listed(told.get(name, "")),
            is_required=False,
        )
        for name, (label, note) in known.items()
    ]


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _flat(criteria: Any) -> dict[str, Any]:
    return {name: value for one in criteria for name, value in one.items()}


def _written_gap(one: Mapping[str, Any]) -> str:
    if "text" in one:
        return f"={one['text']}"
    return f"{one.get('var', '')}|{one['else']}" if one.get("else") else str(one.get("var", ""))


def gap(line: str) -> dict[str, str]:
    """What fills a gap, as a line says it: `name|fallback`, or words behind `=`."""
    if line.startswith("="):
        return {"text": line[1:].strip()}
    name, sign, instead = line.partition("|")
    return {"var": name.strip(), **({"else": instead.strip()} if sign else {})}


def _told(visit: Visit, before: Mapping[str, Any]) -> dict[str, Any]:
    """The plan that the form says; what it has no field for stays as it was before."""
    audience: Any = before.get("audience") or {}
    parts: dict[str, Any] = {}
    for part, fields in (("all", _CRITERIA), ("none", _LEFT_OUT)):
        kept = [{name: value} for name, value in _flat(audience.get(part, ())).items() if name not in fields]
        parts[part] = [*kept, *_criteria(visit, part, fields)]
    if "list" in visit.files and not any("upload" in one for one in parts["all"]):
        parts["all"].append({"upload": True})
    if visit.word("everyone"):
        parts["everyone"] = True
    lines = [line.strip() for line in visit.form.get("body", "").splitlines() if line.strip()][:MOST_GAPS]
    params = {**dict(before.get("params") or {}), **({"body": [gap(line) for line in lines]} if lines else {})}
    if not lines:
        params.pop("body", None)
    at, start, end = (visit.word(name, most=40) for name in ("at", "from", "until"))
    rate = visit.word("rate", most=9)
    return {
        "name": visit.word("name", most=200),
        "template": {
            "name": visit.word("template", most=600),
            "language": visit.word("language", most=20) or "customer",
        },
        "params": params,
        "audience": {name: one for name, one in parts.items() if one},
        "schedule": {"at": at} if at else {},
        "send_window": [start, end] if start and end else None,
        "rate_per_minute": int(rate) if rate.isdecimal() else 0,
        "credit_days": before.get("credit_days", visit.hub.broadcasts.credit_days),
    }


def _criteria(visit: Visit, part: str, fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for name in fields:
        said = visit.word(f"{part}.{name}", most=500)
        if not said:
            continue
        if name in NUMBERS:
            made.append({name: int(said) if said.isdecimal() else said})
        else:
            made.append({name: [one.strip() for one in said.split(",") if one.strip()]})
    return made


async def draft(visit: Visit) -> str | Page:
    """Keep what was written as a draft."""
    told = _told(visit, {})
    try:
        plan, upload = await visit.hub.broadcasts.draft(told, by=visit.by, upload=visit.files.get("list"))
    except CampaignError as error:
        return await _composer(visit, told, to="broadcasts/draft", title="A new broadcast", wrong=str(error))
    return _kept(visit, plan, upload)


async def amend(visit: Visit) -> str | Page:
    """Write a draft anew."""
    number = visit.number("id")
    one = await visit.hub.broadcasts.show(number)
    told = _told(visit, written(one.plan))
    try:
        plan, upload = await visit.hub.broadcasts.amend(
            number, told, by=visit.by, version=visit.word("version", most=20) or None, upload=visit.files.get("list")
        )
    except CampaignError as error:
        return await _composer(
            visit,
            told,
            to=f"broadcasts/{number}/edit",
            title=f"Edit {clean(one.plan.name)}",
            hidden={"version": visit.word("version", most=20)},
            wrong=str(error),
        )
    except VersionMovedError:
        now = await visit.hub.broadcasts.show(number)
        rows = (
            ("You wrote", text(clean(visit.eyes.document(told)))),
            ("It is now", text(clean(f"{now.progress.state.value}: {visit.eyes.document(written(now.plan))}"))),
        )
        return moved_meanwhile(visit, clean(now.plan.name), rows, place="broadcasts", back=f"broadcasts/{number}")
    return _kept(visit, plan, upload)


def _kept(visit: Visit, plan: Plan, upload: Upload | None) -> str | Page:
    if upload is None or not (upload.bad or upload.erased):
        return visit.href(f"broadcasts/{plan.id}", done="draft")
    rows: list[tuple[str, Cell]] = [
        ("Lines that name nobody", text(", ".join(map(str, upload.bad[:100])))),
        ("Lines of people who were erased", text(", ".join(map(str, upload.erased[:100])))),
        ("The draft", text(clean(plan.name), href=visit.href(f"broadcasts/{plan.id}"))),
    ]
    return Page(
        title="The list was read",
        place="broadcasts",
        lead="The draft is kept with everybody else. Lines are numbered as in the file, the header being 1.",
        sections=(Facts(title="Left out", rows=rows),),
    )


async def duplicate(visit: Visit) -> str:
    """The same plan as a new draft."""
    plan = await visit.hub.broadcasts.duplicate(visit.number("id"), by=visit.by)
    return visit.href(f"broadcasts/{plan.id}/edit")


async def try_out(visit: Visit) -> str:
    """Send it to one of the shop's own numbers."""
    number = visit.number("id")
    await visit.hub.broadcasts.try_out(number, visit.word("number", most=40), by=visit.by)
    visit.hub.inbox.wake()
    return visit.href(f"broadcasts/{number}", done="tested")


async def delete(visit: Visit) -> str:
    """Take a draft away."""
    await visit.hub.broadcasts.delete(visit.number("id"), by=visit.by)
    return visit.href("broadcasts", done="deleted")


async def recipients(visit: Visit) -> Page:
    """Who is addressed, by id, with what became of each."""
    number, after = visit.number("id"), visit.number("after")
    one = await visit.hub.broadcasts.show(number)
    rows = await visit.hub.database.read(lambda uow: uow.recipients.listed(number, after=after, limit=50))
    table = Table(
        title="Recipients",
        columns=("Recipient", "Number", "State", "Left"),
        rows=[
            (
                text(f"#{row.id}", href=visit.href(f"explain/recipient/{row.id}")),
                text(visit.eyes.number(row.phone, known=visit.eyes.sees_everybody)),
                state(row.status),
                moment(row.sent_at),
            )
            for row in rows
        ],
        empty="Nobody is addressed yet; they are written down when it starts.",
    )
    more = visit.href(f"broadcasts/{number}/recipients", after=rows[-1].id) if len(rows) == 50 else None  # noqa: PLR2004 - the page
    return Page(
        title=f"Recipients of {clean(one.plan.name)}",
        place="broadcasts",
        sections=(table,),
        more=more,
        back=(visit.href(f"broadcasts/{number}"), "Broadcast"),
    )


async def sheet(visit: Visit) -> Any:
    """Every recipient as a line of a CSV; numbers masked for whoever may not know everybody."""
    number = visit.number("id")
    await visit.hub.broadcasts.show(number)
    await visit.hub.analytics.taken_away(f"campaign:{number}", by=visit.by)
    rows = [line async for line in visit.hub.broadcasts.lines(number)]
    if not visit.eyes.sees_everybody:
        rows = [rows[0], *((masked_number(row[0]), masked_name(row[1]) or "", *row[2:]) for row in rows[1:])]
    return sheet_of(f"broadcast-{number}", rows)


PAGES = (
    Route("broadcasts/new", Right.TRADE, new),
    Route("broadcasts/{id}/edit", Right.TRADE, edit),
    Route("broadcasts/{id}/recipients", Right.SEE, recipients),
)
ACTS = (
    Route("broadcasts/draft", Right.TRADE, draft),
    Route("broadcasts/{id}/edit", Right.TRADE, amend),
    Route("broadcasts/{id}/duplicate", Right.TRADE, duplicate),
    Route("broadcasts/{id}/test", Right.TRADE, try_out),
    Route("broadcasts/{id}/delete", Right.TRADE, delete),
    Route("broadcasts/{id}/csv", Right.SEE, sheet),
)

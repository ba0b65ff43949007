"""Home, the audit log, and what the doctor says."""

from collections.abc import Mapping
from datetime import date, datetime

from litestar import Response

from wch.application import tiers
from wch.application.audit_log import AuditDaysError, AuditFilter
from wch.application.ports import UnitOfWork
from wch.domain.operator import Right
from wch.entrypoints import sheets
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Facts,
    Form,
    Forms,
    Page,
    Section,
    Table,
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import PAGE_SIZE, Route, Visit, file_to_keep

WARNED = 5
"""Templates that are named on the first page; the others are on their own."""

_AUDITED = ("actor", "action", "object", "from", "until")
"""What the audit log is filtered by."""

_WORDS = {
    "database": "The database does not answer.",
    "schema": "The tables are not those of this program: run wch db upgrade.",
    "secrets": "Secrets are missing: run wch doctor.",
    "sign_in": "WhatsApp refuses our sign-in: nothing is sent until the token is renewed.",
}


async def home(visit: Visit) -> Page:
    """How it goes, in a look."""
    figures = await visit.hub.statistics.snapshot()
    problems = await visit.hub.health.ready()
    tables: Mapping[str, Mapping[str, int]] = figures["tables"]
    messages: Mapping[str, Mapping[str, int]] = figures["tables"]["messages"]
    parked = await visit.hub.sagas.listed(needs_operator=True, limit=PAGE_SIZE)
    breakers = [one for one in await visit.hub.breakers.listed() if one.state != "closed"]
    ages: Mapping[str, int] = figures["oldest_waiting_by_kind_s"]
    looks = (
        ("With a person", tables["conversations"]["escalated"], visit.href("inbox", show="queue"), "warn"),
        ("Dead letters", figures["dead_letters_pending"], visit.href("letters"), "bad"),
        ("Parked sagas", len(parked), visit.href("sagas", state="parked"), "bad"),
        ("Open breakers", len(breakers), visit.href("guards"), "bad"),
        ("Unconfirmed sends", figures["unconfirmed"], visit.href("inbox"), "warn"),
        ("Carts left lying", tables["carts"]["abandoned"], visit.href("carts", status="abandoned"), ""),
    )
    sections: list[Section] = [
        Facts(
            title="Waiting longest",
            rows=[(kind.replace("_", " ").capitalize(), text(_span(age))) for kind, age in sorted(ages.items())]
            or [("Everything", text("is done"))],
        ),
        Facts(
            title="Messages in, by state",
            rows=[(word.capitalize(), text(count)) for word, count in messages["inbound"].items()],
        ),
        Facts(
            title="Messages out, by state",
            rows=[(word.capitalize(), text(count)) for word, count in messages["outbound"].items()],
        ),
        Facts(
            title="Orders being placed",
            rows=[(word.capitalize(), text(count)) for word, count in tables["saga_state"].items()],
        ),
    ]
    sections.append(await _whatsapp(visit))
    return Page(
        title="Home",
        place="",
        template="home.html",
        sections=sections,
        topics=("inbox", "letters", "breakers"),
        values={"problems": [_WORDS.get(word, word) for word in problems], "looks": looks},
    )


async def _whatsapp(visit: Visit) -> Facts:
    """What WhatsApp allows and warns of, and how long it has been silent."""
    limits, now = visit.hub.limits, visit.hub.clock.now()

    def look(uow: UnitOfWork) -> tuple[int | None, int, datetime | None]:
        heard = (uow.messages.latest_inbound_at(one.customer_phone) for one in uow.conversations.listed(limit=20))
        latest = max((at for at in heard if at is not None), default=None)
        allowed = tiers.most(uow)
        return allowed, 0 if allowed is None else tiers.used(uow, limits), latest

    allowed, used, latest = await visit.hub.database.read(look)
    warned = [
        one for one in await visit.hub.templates.listed() if not one.may_be_sent or one.quality in {"RED", "YELLOW"}
    ]
    ingress = await visit.hub.checkup.one("ingress")
    tier = "no limit" if allowed is None else f"{used} of {allowed} customers in 24 hours ({used / allowed:.0%})"
    return Facts(
        title="WhatsApp",
        rows=[
            ("Tier", text(tier)),
            ("Template warnings", text(len(warned) or "none", href=visit.href("templates"))),
            *(
                (
                    f"{one.name}, {one.language}",
                    state((one.quality or one.status if one.may_be_sent else one.status).lower()),
                )
                for one in warned[:WARNED]
            ),
            (
                "Last customer's message",
                text("none yet" if latest is None else f"{_span(int((now - latest).total_seconds()))} ago"),
            ),
            ("Webhooks a minute", text(f"{visit.webhooks_a_minute:.1f}, over five minutes, taken by this process")),
            ("Webhooks", state(ingress.severity.word)),
            ("Seen of them", text(ingress.value)),
        ],
    )


def _span(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes = rest // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


async def audit(visit: Visit) -> Page:
    """What people did and what accounts told us, the newest first."""
    asked = {name: word for name in _AUDITED if (word := visit.query.get(name, "").strip()[:255])}
    rows = await visit.hub.audit.listed(_meant(asked), after=visit.number("before"), newest_first=True, limit=PAGE_SIZE)
    table = Table(
        title="Audit log",
        columns=("Line", "When", "Who", "As", "Did", "To what", "Why"),
        rows=[
            (
                text(f"#{one.id}"),
                moment(one.at),
                text(one.actor, href=visit.href("audit", actor=one.actor)),
                text(one.role),
                text(one.action, href=visit.href("audit", action=one.action)),
                text(one.object, href=None if one.object is None else visit.href("audit", object=one.object)),
                text(clean(one.reason) if one.reason else None),
            )
            for one in rows
        ],
        empty="Nothing of this was done." if asked else "Nothing was done yet.",
    )
    sections: list[Section] = [table]
    if visit.may(Right.MANAGE):
        form = Form(to="audit/csv", label="Take it away as CSV", hidden=asked)
        lead = "What is shown here, all pages of it. Three an hour, each a line itself."
        sections.append(Forms(title="For a spreadsheet", forms=(form,), lead=lead))
    return Page(
        title="Audit log",
        place="audit",
        lead=f"Days are those of {visit.hub.audit.zone}.",
        sections=sections,
        template="audit.html",
        more=visit.href("audit", **asked, before=rows[-1].id) if len(rows) == PAGE_SIZE else None,
        values={"asked": dict.fromkeys(_AUDITED, "") | asked},
    )


async def audit_sheet(visit: Visit) -> Response[str]:
    """What a filter of the audit log leaves, as a CSV."""
    asked = {name: word for name in _AUDITED if (word := visit.word(name, most=255))}
    rows = await visit.hub.audit.exported(_meant(asked), by=visit.by, sees=True)
    return file_to_keep("audit.csv", "".join(sheets.lines(rows)), "text/csv")


def _meant(asked: Mapping[str, str]) -> AuditFilter:
    """What was written in the fields.

    Raises:
        AuditDaysError: a day is none.
    """
    try:
        first, last = (date.fromisoformat(asked[name]) if name in asked else None for name in ("from", "until"))
    except ValueError as error:
        raise AuditDaysError from error
    words = {name: asked[name] for name in ("actor", "action", "object") if name in asked}
    return AuditFilter(**words, first=first, last=last)


async def doctor(visit: Visit) -> Page:  # noqa: ARG001 - the form that routes have
    """Where the doctor is sent for: looking at everything takes a while, so it is done when somebody asks."""
    return _doctors()


async def examined(visit: Visit) -> Page:
    """What is not as it should be, the worst first, each with the way out; nothing is changed."""
    found = await visit.hub.doctor.examine()
    verified = await visit.hub.verification.run()
    findings = Table(
        title="Findings",
        columns=("Severity", "What", "What to do"),
        rows=[(state(one.severity), text(clean(one.what)), text(clean(one.way_out))) for one in found],
        empty="Everything is as it should be.",
    )
    books = Table(
        title="Books",
        columns=("Check", "State", "Detail"),
        rows=[
            (
                text(str(one["name"]).replace("_", " ")),
                state("ok" if one["ok"] else "failed"),
                text(clean(one["detail"])),
            )
            for one in verified["checks"]
        ],
        empty="Nothing was checked.",
    )
    when = Facts(title="Examined", rows=[("At", moment(visit.hub.clock.now()))])
    return _doctors(findings, books, when)


def _doctors(*sections: Section) -> Page:
    form = Form(to="doctor", label="Examine again" if sections else "Examine now", tone="" if sections else "primary")
    lead = "Settings, database, account and worker are looked at, and all books are added up. Nothing is changed by it."
    forms = Forms(title="Examination", forms=(form,))
    return Page(title="Doctor", place="doctor", sections=(*sections, forms), lead=lead)


PAGES = (
    Route("", Right.SEE, home),
    Route("audit", Right.MEND, audit),
    Route("doctor", Right.MEND, doctor),
)
ACTS = (Route("audit/csv", Right.MANAGE, audit_sheet), Route("doctor", Right.MEND, examined))

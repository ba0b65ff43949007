"""Home, the audit log, and the people of the console."""

from collections.abc import Mapping

from wch.domain.operator import OperatorRefusedError, Right, Role
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
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
from wch.entrypoints.http.pages.visiting import PAGE_SIZE, Route, Visit

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
    return Page(
        title="Home",
        place="",
        template="home.html",
        sections=sections,
        topics=("inbox", "letters", "breakers"),
        values={"problems": [_WORDS.get(word, word) for word in problems], "looks": looks},
    )


def _span(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    minutes = rest // 60
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


async def audit(visit: Visit) -> Page:
    """What people did and what accounts told us, by id."""
    after = visit.number("after")
    actor = visit.query.get("actor", "").strip()[:100] or None
    action = visit.query.get("action", "").strip()[:100] or None
    rows = await visit.hub.database.read(
        lambda uow: uow.audit.listed(actor=actor, action=action, after=after, limit=PAGE_SIZE)
    )
    table = Table(
        title="Audit log",
        columns=("Line", "When", "Who", "Did", "To what", "Why"),
        rows=[
            (
                text(f"#{one.id}"),
                moment(one.at),
                text(one.actor, href=visit.href("audit", actor=one.actor)),
                text(one.action, href=visit.href("audit", action=one.action)),
                code(one.object),
                text(clean(one.reason) if one.reason else None),
            )
            for one in rows
        ],
        empty="Nothing was done yet.",
    )
    more = visit.href("audit", actor=actor, action=action, after=rows[-1].id) if len(rows) == PAGE_SIZE else None
    return Page(title="Audit log", place="audit", sections=(table,), more=more)


async def settings(visit: Visit) -> Page:
    """Every setting with where it came from; what was set comes first, secrets are masked."""
    lines = visit.hub.doctor.settings()
    given = [one for one in lines if one.origin != "default"]
    rest = [one for one in lines if one.origin == "default"]
    sections = [
        Table(
            title=title,
            columns=("Setting", "Meaning", "Value", "From"),
            rows=[(code(one.name), text(one.meaning), text(clean(one.value)), text(one.origin)) for one in some],
            empty="Nothing.",
        )
        for title, some in (("Set", given), ("Left at their default", rest))
    ]
    lead = "Set by an argument, the environment or wch.toml, in this order; a setting a.b has the variable WCH_A_B."
    return Page(title="Settings", place="settings", sections=sections, lead=lead)


async def doctor(visit: Visit) -> Page:
    """What is not as it should be, the worst first, each with the way out."""
    found = await visit.hub.doctor.examine()
    verified = await visit.hub.verification.run()
    sections: list[Section] = [
        Table(
            title="Findings",
            columns=("Severity", "What", "What to do"),
            rows=[(state(one.severity), text(clean(one.what)), text(clean(one.way_out))) for one in found],
            empty="Everything is as it should be.",
        ),
        Table(
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
        ),
    ]
    lead = "Settings, database and worker are looked at when this page is opened; nothing is changed."
    return Page(title="Doctor", place="doctor", sections=sections, lead=lead)


async def people(visit: Visit) -> Page:
    """Who may use the console."""
    rows = await visit.hub.operators.listed()
    roles = [(one.value, one.value) for one in Role]
    names = [(one.name, one.name) for one in rows]
    sections: list[Section] = [
        Table(
            title="Operators",
            columns=("Name", "Number", "Role", "State", "Since", "Signed in"),
            rows=[
                (
                    text(one.name),
                    text(one.number),
                    text(one.role.value),
                    state("disabled" if one.is_disabled else "active"),
                    moment(one.created_at),
                    moment(one.signed_in_at),
                )
                for one in rows
            ],
            empty="Nobody.",
        ),
        Forms(
            title="Change",
            forms=(
                Form(
                    to="people/add",
                    label="Let somebody in",
                    fields=(
                        Field(name="name", label="Name"),
                        Field(name="role", label="Role", kind="select", choices=roles),
                        Field(name="password", label="Password", kind="password"),
                    ),
                ),
                Form(
                    to="people/password",
                    label="Set a password",
                    fields=(
                        Field(name="name", label="Name", kind="select", choices=names),
                        Field(name="password", label="New password", kind="password"),
                    ),
                ),
                Form(
                    to="people/disable",
                    label="Keep out",
                    fields=(Field(name="name", label="Name", kind="select", choices=names),),
                    tone="danger",
                ),
            ),
        ),
    ]
    return Page(title="Operators", place="people", sections=sections)


async def add(visit: Visit) -> str:
    """Let somebody in."""
    role = visit.word("role")
    if role not in set(Role):
        raise OperatorRefusedError("There is no such role; choose one of the list.")
    await visit.hub.operators.add(visit.word("name"), Role(role), visit.form.get("password", ""), by=visit.by)
    return visit.href("people", done="operator")


async def password(visit: Visit) -> str:
    """Give somebody a new password."""
    await visit.hub.operators.set_password(visit.word("name"), visit.form.get("password", ""), by=visit.by)
    return visit.href("people", done="operator")


async def disable(visit: Visit) -> str:
    """Keep somebody out; not oneself, so that somebody is left."""
    if visit.word("name") == visit.operator.name:
        raise OperatorRefusedError("You cannot keep yourself out; ask a colleague.")
    await visit.hub.operators.disable(visit.word("name"), by=visit.by)
    return visit.href("people", done="operator")


PAGES = (
    Route("", Right.SEE, home),
    Route("audit", Right.MEND, audit),
    Route("people", Right.MANAGE, people),
    Route("settings", Right.MANAGE, settings),
    Route("doctor", Right.MEND, doctor),
)
ACTS = (
    Route("people/add", Right.MANAGE, add),
    Route("people/password", Right.MANAGE, password),
    Route("people/disable", Right.MANAGE, disable),
)

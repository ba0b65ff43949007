"""The sync queue, full runs of the catalogue, and where shop and catalogue differ."""

from collections.abc import Sequence

from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.moment import of_iso
from wch.domain.operator import Right
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.entrypoints.http.pages.catalogue_runs import runs_table
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Facts,
    Field,
    Form,
    Forms,
    Page,
    Section,
    Table,
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import (
    PAGE_SIZE,
    Route,
    Visit,
    filters,
    states_of,
)

SHOWN = 100


async def sync(visit: Visit) -> Page:
    """What is brought in step with the shop."""
    chosen = visit.query.get("status", "")
    status = chosen if chosen in set(SyncStatus) else None
    rows = await visit.hub.sync.listed(status=status, after=visit.number("after"), limit=PAGE_SIZE)
    sections: list[Section] = [
        Table(
            title="Queue",
            columns=("Task", "What", "Which", "Change", "State", "Tries", "Error", "Latest try"),
            rows=[
                (
                    text(f"#{one.id}"),
                    text(one.entity_type),
                    text(one.entity_id),
                    text(one.action),
                    state(one.status),
                    text(one.attempts),
                    text(clean(one.error_message) if one.error_message else None),
                    moment(one.processed_at),
                )
                for one in rows
            ],
            empty="Nothing waits.",
        ),
        runs_table(await visit.hub.runs.listed()),
        *_compared(await visit.hub.discrepancies.listed()),
    ]
    if visit.may(Right.TRADE):
        kinds = [(one.value, one.value) for one in EntityType]
        fields = (
            Field(name="entity", label="What", kind="select", choices=kinds),
            Field(name="number", label="Its number", kind="number"),
            Field(name="action", label="Change", kind="select", choices=[(one.value, one.value) for one in SyncAction]),
        )
        forms = (
            Form(to="sync/enqueue", label="Bring one in step", fields=fields),
            Form(to="sync/plan", label="See what a full run would do"),
            Form(to="sync/report", label="Compare shop and catalogue"),
        )
        lead = "A full run looks at every product, and sends what differs from what the catalogue has."
        sections.append(Forms(title="Bring in step", forms=forms, lead=lead))
    return Page(
        title="Sync",
        place="sync",
        sections=sections,
        choices=filters(visit, "sync", states_of(SyncStatus), chosen),
        more=visit.href("sync", status=status, after=rows[-1].id) if len(rows) == PAGE_SIZE else None,
    )


async def enqueue(visit: Visit) -> str:
    """Let something be brought in step."""
    entity, action, number = visit.word("entity"), visit.word("action"), visit.word("number")
    if entity not in set(EntityType) or action not in set(SyncAction) or not number.isdecimal() or int(number) < 1:
        raise NotFoundError(kind="entity", id=number[:20])
    await visit.hub.sync.enqueue(EntityType(entity), int(number), SyncAction(action), by=visit.by)
    return visit.href("sync", done="enqueued")


def _compared(reports: Sequence[JsonObject]) -> list[Section]:
    """The latest comparison, if there was one."""
    if not reports:
        return []
    latest = reports[0]
    differing = f"{latest['differences']} of {latest['items']} items"
    return [
        Facts(
            title="Shop and catalogue compared",
            rows=(
                ("When", moment(of_iso(str(latest["at"])))),
                ("By", text(clean(latest["by"]))),
                ("Differ", text(differing if latest["differences"] else "nothing")),
                *(
                    (str(kind).replace("_", " ").capitalize(), text(count))
                    for kind, count in latest["counts"].items()
                    if count
                ),
            ),
        ),
        _differences(latest),
    ]


def _differences(report: JsonObject) -> Table:
    listed = report["listed"][:SHOWN]
    names = list(listed[0]) if listed else []
    return Table(
        title="What differs",
        columns=[name.replace("_", " ").capitalize() for name in names],
        rows=[[text(clean(one.get(name) if one.get(name) is not None else "")) for name in names] for one in listed],
        empty="Nothing: the catalogue says what the shop says.",
    )


async def plan(visit: Visit) -> Page:
    """What a full run would do now; then the button."""
    told = await visit.hub.runs.plan(limit=SHOWN)
    begin = Form(to="sync/run", label="Begin the full run", tone="primary")
    return Page(
        title="A full run of the catalogue",
        place="sync",
        sections=(
            Facts(
                title="What it would do",
                rows=(
                    ("Products looked at", text(told.products)),
                    *((f"Items {word}", text(count)) for word, count in told.counts.items()),
                    ("Not readable now", text(told.unread)),
                ),
            ),
            Table(
                title="The first changes",
                columns=("Product", "Item", "Change", "Why"),
                rows=[
                    (
                        text(one["product"]),
                        text(clean(one["item"])),
                        state(one["change"]),
                        text(clean(one.get("why") or "")),
                    )
                    for one in told.listed
                ],
                empty="Nothing would change: the catalogue is in step.",
            ),
            Forms(title="Run", forms=(begin,), lead="Only what differs is sent. The worker carries it on."),
        ),
        back=(visit.href("sync"), "Sync"),
    )


async def run(visit: Visit) -> str:
    """Begin a full run."""
    await visit.hub.runs.start(by=visit.by)
    visit.hub.inbox.wake()
    return visit.href("sync", done="run")


async def report(visit: Visit) -> Page:
    """Compare shop and catalogue; then the button that mends what differs."""
    told = await visit.hub.discrepancies.report(by=visit.by)
    mend = Form(to="sync/fix", label="Send what differs again", tone="primary")
    forms = [Forms(title="Mend", forms=(mend,), lead="Items behind which nothing of ours stands are left alone.")]
    return Page(
        title="Shop and catalogue",
        place="sync",
        sections=(*_compared([told]), *(forms if told["differences"] else [])),
        back=(visit.href("sync"), "Sync"),
    )


async def fix(visit: Visit) -> str:
    """Compare once more, and let what differs be sent again."""
    await visit.hub.discrepancies.report(fix=True, by=visit.by)
    visit.hub.inbox.wake()
    return visit.href("sync", done="fixing")


PAGES = (Route("sync", Right.SEE, sync),)
ACTS = (
    Route("sync/enqueue", Right.TRADE, enqueue),
    Route("sync/plan", Right.TRADE, plan),
    Route("sync/run", Right.TRADE, run),
    Route("sync/report", Right.TRADE, report),
    Route("sync/fix", Right.TRADE, fix),
)

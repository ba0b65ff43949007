"""Winning back: what was written to those who had gone quiet, what came of it, and a run by hand."""

from datetime import timedelta

from wch.application.reengagement_figures import RunReport
from wch.domain.operator import Right
from wch.domain.reengagement import CampaignType
from wch.entrypoints.http.pages.parts import Facts, Form, Forms, Page, Section, Table, moment, state, text
from wch.entrypoints.http.pages.visiting import (
    PAGE_SIZE,
    Route,
    Visit,
    filters,
)

_DAYS = 30


async def contacts(visit: Visit) -> Page:
    """What each kind came to in the last thirty days, then the contacts by id."""
    chosen = visit.query.get("kind", "")
    kind = CampaignType(chosen) if chosen in set(CampaignType) else None
    since = visit.hub.clock.now() - timedelta(days=_DAYS)
    after = visit.number("after")
    figures = await visit.hub.reengagements.report(since=since)
    rows = await visit.hub.database.read(
        lambda uow: uow.reengagements.listed(campaign_type=kind, since=since, after=after, limit=PAGE_SIZE)
    )
    sections: list[Section] = [
        Table(
            title="The last 30 days by kind",
            columns=("Kind", "Begun", "Left", "Waiting", "Failed", "Dropped", "Orders", "Revenue"),
            rows=[
                (
                    text(_name(one.kind)),
                    *(
                        text(count)
                        for count in (one.contacts, one.sent, one.waiting, one.failed, one.dropped, one.converted)
                    ),
                    text(f"{one.revenue} {visit.hub.currency}"),
                )
                for one in figures
            ],
            empty="Nobody was written to. Carts are reminded of by themselves; other kinds are switched on in the settings.",
        ),
        Table(
            title="Contacts",
            columns=("Contact", "Customer", "Kind", "Product", "Begun", "Left", "Order"),
            rows=[
                (
                    text(f"#{one.id}"),
                    text(visit.eyes.number(one.customer_phone, known=visit.eyes.sees_everybody)),
                    text(_name(one.campaign_type)),
                    text(one.product_id),
                    moment(one.created_at),
                    moment(one.sent_at),
                    text(one.conversion_order_id, href=visit.href(f"orders/{one.conversion_order_id}"))
                    if one.conversion_order_id
                    else text(None),
                )
                for one in rows
            ],
            empty="None of this kind.",
        ),
    ]
    if visit.may(Right.TRADE):
        forms = (Form(to="winning-back/plan", label="See whom a run would reach now"),)
        lead = "A run looks for every occasion at once, whatever the hour; what it finds leaves by the usual rules."
        sections.append(Forms(title="Run now", forms=forms, lead=lead))
    more = None
    if len(rows) == PAGE_SIZE:
        more = visit.href("winning-back", kind=chosen or None, after=rows[-1].id)
    words = [("", "All"), *((one.value, _name(one)) for one in CampaignType)]
    return Page(
        title="Winning back",
        place="winning-back",
        sections=sections,
        choices=filters(visit, "winning-back", words, chosen, by="kind"),
        more=more,
    )


def _name(kind: CampaignType) -> str:
    return kind.value.replace("_", " ").capitalize()


def _told(report: RunReport) -> list[Section]:
    return [
        Facts(
            title="In short",
            rows=(
                ("Looked at", text(report.looked_at)),
                ("Would be written to", text(sum(report.planned.values()))),
                ("Of them held for their hour", text(report.held)),
                ("Left alone", text(sum(report.refused.values()))),
            ),
        ),
        Table(
            title="By kind",
            columns=("Kind", "Contacts"),
            rows=[(text(kind.replace("_", " ").capitalize()), text(count)) for kind, count in report.planned.items()],
            empty="Nobody would be written to now.",
        ),
        Table(
            title="Why others are left alone",
            columns=("Rule", "Customers"),
            rows=[
                (state((why or "no reason").replace("_", " ")), text(count)) for why, count in report.refused.items()
            ],
            empty="Nobody is.",
        ),
    ]


async def plan(visit: Visit) -> Page:
    """Whom a run would reach; then the button."""
    report = await visit.hub.reengagements.run(dry_run=True, by=visit.by)
    begin = Form(to="winning-back/run", label="Run now", tone="primary")
    return Page(
        title="A run, tried out",
        place="winning-back",
        sections=(*_told(report), Forms(title="Run", forms=(begin,), lead="What is written cannot be taken back.")),
        back=(visit.href("winning-back"), "Winning back"),
    )


async def run(visit: Visit) -> str:
    """Look for every occasion now."""
    await visit.hub.reengagements.run(by=visit.by)
    visit.hub.inbox.wake()
    return visit.href("winning-back", done="won-back")


PAGES = (Route("winning-back", Right.SEE, contacts),)
ACTS = (Route("winning-back/plan", Right.TRADE, plan), Route("winning-back/run", Right.TRADE, run))

"""Notices: what customers are told about their orders, tried again and told once more."""

from collections.abc import Sequence

from wch.domain.notification import Notification, NotificationStatus
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import Field, Form, Forms, Page, Section, Table, moment, state, text
from wch.entrypoints.http.pages.visiting import PAGE_SIZE, Route, Visit, filters, more_of, states_of


def notices_table(visit: Visit, rows: Sequence[Notification]) -> Table:
    """What was told about orders."""
    return Table(
        title="Notices",
        columns=("Notice", "Type", "Order", "State", "Tries", "Written", "Error"),
        rows=[
            (
                text(f"#{one.id}", href=visit.href(f"explain/notice/{one.id}")),
                text(one.notification_type.replace("_", " ")),
                text(one.order_id, href=visit.href(f"orders/{one.order_id}")),
                state(one.status),
                text(one.retry_count),
                moment(one.created_at),
                text(clean(one.error_message) if one.error_message else None),
            )
            for one in rows
        ],
        empty="Nothing was told.",
    )


_RESENT = "A new notice is made and prepared by every rule as of now; what became of the first stays with it."


def resending(notices: Sequence[Notification]) -> list[Form]:
    """The form that has something told once more, where something was."""
    told = [
        (str(one.id), f"#{one.id}, order {one.order_id}, {one.notification_type.replace('_', ' ')}")
        for one in notices
        if one.is_told
    ]
    field = Field(name="notice", label="Notice that was sent", kind="select", choices=told)
    return [Form(to="notices/resend", label="Tell it again", fields=(field,))] if told else []


async def notices(visit: Visit) -> Page:
    """What is told to customers about their orders."""
    chosen = visit.query.get("status", "")
    status = chosen if chosen in set(NotificationStatus) else None
    rows = await visit.hub.notifications.listed(status=status, after=visit.number("after"), limit=PAGE_SIZE)
    sections: list[Section] = [notices_table(visit, rows)]
    if visit.may(Right.TRADE) and any(one.status is NotificationStatus.FAILED for one in rows):
        failed = [(str(one.id), f"#{one.id}") for one in rows if one.status is NotificationStatus.FAILED]
        field = Field(name="notice", label="Failed notice", kind="select", choices=failed)
        again = Form(to="notices/retry", label="Try again", fields=(field,))
        sections.append(Forms(title="Change", forms=(again,)))
    if visit.may(Right.TRADE) and (forms := resending(rows)):
        sections.append(Forms(title="Tell it once more", forms=forms, lead=_RESENT))
    return Page(
        title="Notices",
        place="notices",
        sections=sections,
        choices=filters(visit, "notices", states_of(NotificationStatus), chosen),
        more=more_of(visit, "notices", rows),
    )


async def retry(visit: Visit) -> str:
    """Let a failed notice wait again."""
    word = visit.word("notice")
    await visit.hub.notifications.retry(int(word) if word.isdecimal() else 0, by=visit.by)
    return visit.href("notices", done="retried")


async def resend(visit: Visit) -> str:
    """Tell once more what was told."""
    word = visit.word("notice")
    made = await visit.hub.notifications.resend(int(word) if word.isdecimal() else 0, by=visit.by)
    return visit.href(f"orders/{made.order_id}", done="retold")


PAGES = (Route("notices", Right.SEE, notices),)
ACTS = (Route("notices/retry", Right.TRADE, retry), Route("notices/resend", Right.TRADE, resend))

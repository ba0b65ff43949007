"""The inbox: threads, what was said in them, and what people do there."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from wch.application.ports import UnitOfWork
from wch.application.windows import WINDOW
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.errors import WchError
from wch.domain.message import Direction, Message
from wch.domain.moment import iso, of_iso, unix
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean, offers_of
from wch.entrypoints.http.pages.parts import Cell, Page, moment, state
from wch.entrypoints.http.pages.visiting import (
    PAGE_SIZE,
    ForbiddenError,
    Route,
    Visit,
    filters,
)

_FILTERS = {
    "": "All",
    "queue": "Waiting for a person",
    "mine": "Mine",
    "unread": "Unread",
    "active": "With the assistant",
    "resolved": "Resolved",
}
SHOWN = 100
"""Messages of a thread on its page."""


@attrs.frozen(kw_only=True)
class Line:
    """One thread in the list."""

    id: int
    href: str
    person: str
    last: str
    at: Cell
    status: Cell
    unread: int
    holder: str


@attrs.frozen(kw_only=True)
class Said:
    """One message of a thread."""

    id: int
    is_ours: bool
    who: str
    words: str
    offers: Sequence[str]
    at: Cell
    status: Cell
    error: str
    understood: str


async def inbox(visit: Visit) -> Page:
    """Threads, the latest first; another agent's are not among them."""
    chosen = visit.query.get("show", "")
    asked = visit.query.get("find", "").strip() if visit.may(Right.PEOPLE) else ""
    if asked:
        hits = await visit.hub.conversations.search(asked, limit=PAGE_SIZE)
        found: Sequence[Conversation] = list({hit.conversation.id: hit.conversation for hit in hits}.values())
    else:
        found = await _listed(visit, chosen)
    last = found[-1] if len(found) == PAGE_SIZE and not asked and chosen != "queue" else None
    more = None if last is None or last.last_message_at is None else f"{iso(last.last_message_at)}.{last.id}"

    def work(uow: UnitOfWork) -> list[tuple[Conversation, CustomerProfile | None, Message | None]]:
        seen = []
        for talk in found:
            if visit.eyes.finds(talk):
                newest = uow.messages.thread(talk.id, limit=1)
                seen.append((talk, uow.customers.of(talk.customer_phone), newest[0] if newest else None))
        return seen

    rows = await visit.hub.database.read(work)
    names = {one.number: one.name for one in await visit.hub.operators.listed()}
    lines = [_line(visit, talk, profile, newest, names) for talk, profile, newest in rows]
    return Page(
        title="Inbox",
        place="inbox",
        template="inbox.html",
        choices=filters(visit, "inbox", _FILTERS.items(), chosen, by="show"),
        topics=("inbox",),
        more=None if more is None else visit.href("inbox", show=chosen or None, before=more),
        values={
            "lines": lines,
            "asked": asked,
            "can_find": visit.may(Right.PEOPLE),
            "can_act": visit.may(Right.CONVERSE),
            "colleagues": sorted((one, name) for one, name in names.items()),
        },
    )


async def _listed(visit: Visit, chosen: str) -> Sequence[Conversation]:
    room, before = visit.hub.conversations, _cursor(visit.query.get("before", ""))
    if chosen == "queue":
        return await room.queue(limit=PAGE_SIZE)
    if chosen == "mine":
        return await room.listed(agent=visit.operator.number, before=before, limit=PAGE_SIZE)
    if chosen == "unread":
        return await room.listed(unread=True, before=before, limit=PAGE_SIZE)
    status = ConversationStatus(chosen) if chosen in set(ConversationStatus) else None
    return await room.listed(status=status, before=before, limit=PAGE_SIZE)


def _line(
    visit: Visit,
    talk: Conversation,
    profile: CustomerProfile | None,
    newest: Message | None,
    names: dict[int, str],
) -> Line:
    known = visit.eyes.may_know(talk)
    return Line(
        id=talk.id,
        href=visit.href(f"inbox/{talk.id}"),
        person=visit.eyes.person(talk.customer_phone, profile, known=known),
        last="" if newest is None else visit.eyes.words((newest.words or f"[{newest.type}]")[:140], known=known),
        at=moment(talk.last_message_at),
        status=state(talk.status),
        unread=talk.unread_count,
        holder=_holder(talk, names),
    )


def _holder(talk: Conversation, names: dict[int, str]) -> str:
    if talk.assigned_agent_id is not None:
        return names.get(talk.assigned_agent_id, f"person {talk.assigned_agent_id}")
    return "nobody yet" if talk.status is ConversationStatus.ESCALATED else "the assistant"


def _cursor(word: str) -> tuple[datetime, int] | None:
    at, _, number = word.rpartition(".")
    try:
        return (of_iso(at), int(number)) if at else None
    except ValueError:
        return None


async def thread(visit: Visit) -> Page:
    """One conversation: what was said, how long the window is open, who the customer is."""
    number = visit.number("id")

    def work(
        uow: UnitOfWork,
    ) -> tuple[CustomerProfile | None, Cart | None, datetime | None, Conversation | None, Sequence[Message]]:
        talk = uow.conversations.get(number)
        if talk is None:
            return None, None, None, None, ()
        phone = talk.customer_phone
        messages = tuple(reversed(uow.messages.thread(number, limit=SHOWN)))
        heard = uow.messages.latest_inbound_at(phone)
        return uow.customers.of(phone), uow.carts.of(phone), heard, talk, messages

    shown = await visit.hub.conversations.show(number, limit=1)
    visit.eyes.demand(shown.conversation)
    profile, cart, heard, talk, messages = await visit.hub.database.read(work)
    talk = talk or shown.conversation
    known = visit.eyes.may_know(talk)
    names = {one.number: one.name for one in await visit.hub.operators.listed()}
    closes = None if heard is None else heard + WINDOW
    now = visit.hub.clock.now()
    return Page(
        title=visit.eyes.person(talk.customer_phone, profile, known=known),
        place="inbox",
        template="thread.html",
        topics=(f"conversation:{talk.id}",),
        back=(visit.href("inbox"), "Inbox"),
        values={
            "talk": talk,
            "state": state(talk.status),
            "is_escalated": talk.status is ConversationStatus.ESCALATED,
            "is_resolved": talk.status is ConversationStatus.RESOLVED,
            "holder": _holder(talk, names),
            "number": visit.eyes.number(talk.customer_phone, known=known),
            "said": [_said(visit, one, known=known) for one in messages],
            "can_write": visit.may(Right.CONVERSE) and known,
            "window_open": closes is not None and now < closes,
            "closes": closes,
            "closes_unix": None if closes is None else unix(closes),
            "now_unix": unix(now),
            "left": "" if closes is None else _span((closes - now).total_seconds()),
            "cart": cart if cart is not None and cart.items else None,
            "profile": profile,
            "canned": [one.name for one in await visit.hub.conversations.canned()],
            "templates": await _templates(visit),
            "products": await _products(visit, is_open=closes is not None and now < closes),
            "notes": _notes(visit, profile, known=known),
            "colleagues": sorted((one, name) for one, name in names.items()),
        },
    )


async def _templates(visit: Visit) -> list[str]:
    """The names of what may be sent at any time."""
    return sorted({one.name for one in await visit.hub.templates.listed() if one.may_be_sent})


async def _products(visit: Visit, *, is_open: bool) -> list[tuple[int, str]]:
    """What the shop sells, as far as it fits into a list; nothing while it cannot be asked."""
    if not is_open or not visit.may(Right.CONVERSE):
        return []
    try:
        return [(one.id, clean(one.name)) for one in (await visit.hub.shop.search(limit=30)).items]
    except WchError:
        return []


def _notes(visit: Visit, profile: CustomerProfile | None, *, known: bool) -> list[tuple[str, str]]:
    """What colleagues wrote down, the newest first."""
    kept = () if profile is None else profile.preferences.get("notes", ())
    return [
        (clean(one.get("by", "")), visit.eyes.words(str(one.get("text", "")), known=known)) for one in reversed(kept)
    ]


def _said(visit: Visit, message: Message, *, known: bool) -> Said:
    ours = message.direction is Direction.OUTBOUND
    origin = message.content.get("origin")
    by = origin.get("by") if isinstance(origin, Mapping) else None
    handled = message.content.get("handled")
    intent = handled.get("intent") if isinstance(handled, Mapping) else None
    return Said(
        id=message.id,
        is_ours=ours,
        who=("A colleague" if by == "person" else "Assistant" if by == "dialogue" else str(by or "Shop"))
        if ours
        else "Customer",
        words=visit.eyes.words(message.words or f"[{message.type}]", known=known),
        offers=offers_of(message) if known else (),
        at=moment(message.created_at),
        status=state(message.status),
        error=clean(message.error_message) if message.error_message else "",
        understood=str(intent).replace("_", " ") if intent and intent != "none" else "",
    )


def _span(seconds: float) -> str:
    hours, minutes = divmod(max(0, int(seconds // 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


async def allowed(visit: Visit, number: int | None = None) -> int:
    """The thread that is to be changed, if it is there for this operator.

    Raises:
        NotFoundError: it is not, or another agent's.
        ForbiddenError: this operator may not know its customer.
    """
    number = visit.number("id") if number is None else number
    talk = (await visit.hub.conversations.show(number, limit=1)).conversation
    visit.eyes.demand(talk)
    if not visit.eyes.may_know(talk):
        raise ForbiddenError
    return number


async def reply(visit: Visit) -> str:
    """Write to the customer."""
    number = await allowed(visit)
    await visit.hub.conversations.reply(number, visit.word("text"), agent=visit.operator.number, by=visit.by)
    return visit.href(f"inbox/{number}", done="sent")


async def canned(visit: Visit) -> str:
    """Write what was written in advance."""
    number = await allowed(visit)
    await visit.hub.conversations.reply(
        number, agent=visit.operator.number, by=visit.by, canned=visit.word("canned", most=60)
    )
    return visit.href(f"inbox/{number}", done="sent")


async def note(visit: Visit) -> str:
    """Write something down about the customer, for colleagues."""
    number = await allowed(visit)
    await visit.hub.conversations.note(number, visit.word("text"), by=visit.by)
    return visit.href(f"inbox/{number}", done="noted")


async def unassign(visit: Visit) -> str:
    """Put the thread back into the queue."""
    number = await allowed(visit)
    await visit.hub.conversations.unassign(number, by=visit.by)
    return visit.href(f"inbox/{number}", done="unassigned")


async def take_over(visit: Visit) -> str:
    """Take the thread from the assistant, or from nobody, for oneself."""
    number = await allowed(visit)
    talk = (await visit.hub.conversations.show(number, limit=1)).conversation
    if talk.status is not ConversationStatus.ESCALATED:
        await visit.hub.conversations.handoff(number, by=visit.by)
    await visit.hub.conversations.assign(number, visit.operator.number, by=visit.by)
    return visit.href(f"inbox/{number}", done="handoff")


async def hand_back(visit: Visit) -> str:
    """Give the thread back to the assistant."""
    number = await allowed(visit)
    await visit.hub.conversations.handback(number, by=visit.by)
    return visit.href(f"inbox/{number}", done="handback")


async def resolve(visit: Visit) -> str:
    """End the thread."""
    number = await allowed(visit)
    await visit.hub.conversations.resolve(number, by=visit.by)
    return visit.href(f"inbox/{number}", done="resolve")


async def assign(visit: Visit) -> str:
    """Give the thread to a colleague; an agent then has no more to do with it."""
    number = await allowed(visit)
    agent = await colleague(visit)
    await visit.hub.conversations.assign(number, agent, by=visit.by)
    return visit.href("inbox", done="assign")


async def colleague(visit: Visit) -> int:
    """The number of the colleague that the form names.

    Raises:
        UnknownColleagueError: it names none.
    """
    people = {one.number for one in await visit.hub.operators.listed() if not one.is_disabled}
    agent = int(visit.word("agent")) if visit.word("agent").isdecimal() else 0
    if agent not in people:
        raise UnknownColleagueError
    return agent


async def seen(visit: Visit) -> str:
    """Nothing of the thread is unread any more."""
    number = await allowed(visit)
    await visit.hub.conversations.seen(number, by=visit.by)
    return visit.href(f"inbox/{number}", done="seen")


class UnknownColleagueError(WchError):
    """There is no such colleague; choose one of the list."""


PAGES = (Route("inbox", Right.SEE, inbox), Route("inbox/{id}", Right.SEE, thread))
ACTS = (
    Route("inbox/{id}/reply", Right.CONVERSE, reply),
    Route("inbox/{id}/canned", Right.CONVERSE, canned),
    Route("inbox/{id}/note", Right.CONVERSE, note),
    Route("inbox/{id}/unassign", Right.CONVERSE, unassign),
    Route("inbox/{id}/take-over", Right.CONVERSE, take_over),
    Route("inbox/{id}/hand-back", Right.CONVERSE, hand_back),
    Route("inbox/{id}/resolve", Right.CONVERSE, resolve),
    Route("inbox/{id}/assign", Right.CONVERSE, assign),
    Route("inbox/{id}/seen", Right.CONVERSE, seen),
)

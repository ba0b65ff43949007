"""Why something was, was not or will be sent: every rule with what it said."""

from collections.abc import Mapping
from typing import Any

from wch.application.explaining import Explanation, sentence
from wch.application.ports import UnitOfWork
from wch.domain.document import document
from wch.domain.errors import NotFoundError
from wch.domain.moment import of_iso
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import Cell, Facts, Page, Section, Step, Steps, Table, moment, state, text
from wch.entrypoints.http.pages.visiting import Route, Visit
from wch.entrypoints.shown import plain

_WORDS = {
    "send": "It goes, as soon as its turn comes.",
    "hold": "It waits.",
    "refuse": "It is not sent.",
    "done": "It is over.",
}
_SAYS = {"allow": "ok", "refuse": "refused", "hold": "waiting"}


async def message(visit: Visit) -> Page:
    """Why a message was, was not or will be sent."""
    number = visit.number("id")
    row = await visit.hub.messages.show(number)
    talk = await visit.hub.database.read(lambda uow: uow.conversations.get(row.conversation_id or 0))
    if talk is not None:
        visit.eyes.demand(talk)
    back = ("inbox", "Inbox") if talk is None else (f"inbox/{talk.id}", "Conversation")
    told = await visit.hub.explaining.message(number)
    return _page(visit, told, title=f"Message #{number}", place="inbox", back=back)


async def cart(visit: Visit) -> Page:
    """Why a cart was, was not or will be reminded of."""
    number = visit.number("id")
    await _demand_of(visit, (await visit.hub.carts.show(number)).customer_phone)
    told = await visit.hub.explaining.cart(number)
    return _page(visit, told, title=f"Reminders of cart #{number}", place="carts", back=(f"carts/{number}", "Cart"))


async def recipient(visit: Visit) -> Page:
    """Why somebody gets, got or does not get a broadcast."""
    number = visit.number("id")
    row = await visit.hub.database.read(lambda uow: uow.recipients.get(number))
    if row is None:
        raise NotFoundError(kind="recipient", id=number)
    await _demand_of(visit, row.phone)
    told = await visit.hub.explaining.recipient(number)
    back = (f"broadcasts/{row.campaign_id}/recipients", "Recipients")
    return _page(visit, told, title=f"Recipient #{number}", place="broadcasts", back=back)


async def notice(visit: Visit) -> Page:
    """Why a notice of an order was, was not or will be told."""
    number = visit.number("id")
    row = await visit.hub.database.read(lambda uow: uow.notifications.get(number))
    if row is None:
        raise NotFoundError(kind="notification", id=number)
    await _demand_of(visit, row.customer_phone)
    told = await visit.hub.explaining.notification(number)
    return _page(visit, told, title=f"Notice #{number}", place="notices", back=("notices", "Notices"))


async def _demand_of(visit: Visit, phone: str) -> None:
    """Go no further where the customer's thread is another agent's."""

    def look(uow: UnitOfWork) -> Any:
        return uow.conversations.latest_of(phone)

    talk = await visit.hub.database.read(look)
    if talk is not None:
        visit.eyes.demand(talk)


def _page(visit: Visit, told: Explanation, *, title: str, place: str, back: tuple[str, str]) -> Page:
    sections: list[Section] = [
        Facts(
            title="In short",
            rows=(
                ("Verdict", text(_WORDS.get(told.outcome, told.outcome))),
                ("Because of", text((told.reason or "").replace("_", " ").replace(":", ": "))),
                ("Until", moment(told.until)),
                ("Looked at", moment(told.at)),
            ),
        ),
        Table(
            title="Every rule",
            columns=("Rule", "Says", "Why"),
            rows=[_rule(dict(plain(rule))) for rule in told.rules],
            empty="No rule had to be asked.",
        ),
        Steps(title="What happened", entries=[_step(dict(plain(step))) for step in told.history]),
    ]
    return Page(title=title, place=place, sections=sections, back=(visit.href(back[0]), back[1]))


def _rule(rule: Mapping[str, Any]) -> tuple[Cell, Cell, Cell]:
    name = str(rule.get("rule", "")).replace("_", " ").capitalize()
    says = str(rule.get("verdict", ""))
    why = sentence(document(**rule)).removeprefix(f"{says}: ")
    return text(name), state(_SAYS.get(says, says)), text(clean(why if says == "allow" else why.replace("_", " ")))


def _step(step: Mapping[str, Any]) -> Step:
    what = clean(str(step.get("what", ""))).replace("_", " ")
    because = str(step.get("because") or step.get("why") or step.get("error") or "")
    return Step(title=what[:1].upper() + what[1:], detail=clean(because), at=moment(of_iso(str(step["at"]))))


PAGES = (
    Route("explain/message/{id}", Right.SEE, message),
    Route("explain/cart/{id}", Right.SEE, cart),
    Route("explain/recipient/{id}", Right.SEE, recipient),
    Route("explain/notice/{id}", Right.SEE, notice),
)

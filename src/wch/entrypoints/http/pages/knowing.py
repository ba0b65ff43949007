"""Customers: who they are, what was agreed, what they did, and what people do about them."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs

from wch.application.ports import UnitOfWork
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.moment import of_iso
from wch.domain.operator import Right
from wch.domain.order_figures import Segment, known_orders
from wch.domain.product_view import ProductView
from wch.domain.reengagement import Reengagement
from wch.domain.verdict import Room
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
    moment,
    state,
    text,
)
from wch.entrypoints.http.pages.visiting import (
    PAGE_SIZE,
    Route,
    Visit,
    filters,
)

_MOST_LOOKED_AT = 5_000
"""Profiles that one page of a filtered list looks through."""

_CONTACTS_OF = timedelta(days=90)


@attrs.frozen(kw_only=True)
class Known:
    """A customer and what belongs to them, as this operator may know it."""

    profile: CustomerProfile
    talk: Conversation | None
    cart: Cart | None
    is_known: bool


async def customers(visit: Visit) -> Page:
    """Everybody by id, or those of a segment, with a tag, or who agreed to offers; a number or a key finds one."""
    asked = visit.query.get("find", "").strip() if visit.may(Right.PEOPLE) else ""
    chosen, tag = visit.query.get("show", ""), visit.query.get("tag", "").strip()
    if asked:
        rows: Sequence[CustomerProfile] = await visit.hub.customers.found(asked)
        last = None
    else:
        rows, last = await _listed(visit, chosen, tag)

    def talks(uow: UnitOfWork) -> list[tuple[CustomerProfile, Conversation | None]]:
        return [(one, uow.conversations.latest_of(one.phone)) for one in rows]

    found = await visit.hub.database.read(talks)
    lines = [_line(visit, one, talk) for one, talk in found if talk is None or visit.eyes.finds(talk)]
    table = Table(
        title=f"Customers tagged {clean(tag)}" if tag else "Customers",
        columns=("Customer", "Number", "Segment", "Orders", "Spent", "Offers", "Tags", "Last seen"),
        rows=lines,
        empty="Nobody answers to this; write the number in any spelling, with or without its country."
        if asked
        else "Nobody here. Whoever writes to the shop for the first time becomes a customer.",
    )
    words = [("", "Everybody"), ("in", "Want offers"), *((one.value, one.value.capitalize()) for one in Segment)]
    return Page(
        title="Customers",
        place="customers",
        sections=(table,),
        template="customers.html",
        choices=filters(visit, "customers", words, None if asked else chosen, by="show", tag=tag or None),
        more=None if last is None else visit.href("customers", after=last, show=chosen or None, tag=tag or None),
        values={"asked": asked, "can_find": visit.may(Right.PEOPLE)},
    )


async def _listed(visit: Visit, chosen: str, tag: str) -> tuple[Sequence[CustomerProfile], int | None]:
    """A page of those who fit, and after whom the next one begins."""

    def fits(one: CustomerProfile) -> bool:
        if tag and tag.casefold() not in {word.casefold() for word in one.tags}:
            return False
        if chosen == "in":
            return one.opt_in_marketing
        return not chosen or visit.hub.customers.segment(one).value == chosen

    after = visit.number("after")
    rows: list[CustomerProfile] = []
    for _ in range(0, _MOST_LOOKED_AT, 500):
        page = await visit.hub.customers.listed(after=after, limit=500 if chosen or tag else PAGE_SIZE)
        for one in page:
            after = one.id
            if fits(one):
                rows.append(one)
            if len(rows) == PAGE_SIZE:
                return rows, after
        if len(page) < PAGE_SIZE:
            return rows, None
    return rows, after


def _line(visit: Visit, one: CustomerProfile, talk: Conversation | None) -> Sequence[Cell]:
    known = visit.eyes.may_know(talk)
    return (
        text(visit.eyes.person(one.phone, one, known=known), href=visit.href(f"customers/{one.id}")),
        text(visit.eyes.number(one.phone, known=known)),
        text(visit.hub.customers.segment(one).value),
        text(one.total_orders),
        text(f"{one.total_spent} {visit.hub.currency}" if one.total_spent else None),
        offers(one),
        text(clean(", ".join(one.tags))),
        moment(one.last_interaction_at),
    )


def offers(one: CustomerProfile) -> Cell:
    """Whether offers may be sent: only to whoever agreed."""
    return state("wanted" if one.opt_in_marketing else "stopped" if one.is_out else "not agreed")


async def customer_of(visit: Visit) -> Known:
    """The customer whom the address names.

    Raises:
        NotFoundError: there is none, or they are another agent's.
    """
    number = visit.number("id")

    def work(uow: UnitOfWork) -> tuple[CustomerProfile, Conversation | None, Cart | None]:
        profile = uow.customers.get(number)
        if profile is None:
            raise NotFoundError(kind="customer", id=number)
        return profile, uow.conversations.latest_of(profile.phone), uow.carts.of(profile.phone)

    profile, talk, cart = await visit.hub.database.read(work)
    if talk is not None:
        visit.eyes.demand(talk)
    return Known(profile=profile, talk=talk, cart=cart, is_known=visit.eyes.may_know(talk))


async def customer(visit: Visit) -> Page:
    """One person: who it is, what was agreed, what happened, what can be done."""
    found = await customer_of(visit)
    profile, known = found.profile, found.is_known
    blocked: Any = profile.preferences.get("blocked") or {}
    hold: Any = profile.preferences.get("hold") or {}
    sections: list[Section] = [
        Facts(
            title="Profile",
            rows=(
                ("Name", text(visit.eyes.person(profile.phone, profile, known=known))),
                ("Number", text(visit.eyes.number(profile.phone, known=known))),
                ("E-mail", text(visit.eyes.email(profile.email, known=known))),
                ("Language", text(profile.language)),
                ("Segment", text(visit.hub.customers.segment(profile).value)),
                ("Shop's customer", _shop_customer(profile)),
                ("Orders", text(profile.total_orders)),
                ("Spent", text(f"{profile.total_spent} {visit.hub.currency}")),
                ("Tags", text(clean(", ".join(profile.tags)))),
                ("Since", moment(profile.created_at)),
                ("Last seen", moment(profile.last_interaction_at)),
                *((("Blocked by", text(clean(blocked.get("by", "")))),) if blocked else ()),
                *(
                    (("Blocked because", text(visit.eyes.words(str(blocked.get("reason")), known=known))),)
                    if blocked
                    else ()
                ),
            ),
        ),
        Facts(
            title="Consent",
            rows=(
                ("Offers", offers(profile)),
                ("Order notices", state("out" if profile.notification_opt_out else "in")),
                ("Decided", moment(profile.marketing_opted_at)),
                *((("No offers until", _at(hold.get("marketing_until"))),) if hold else ()),
                *_room(await visit.hub.explaining.room(profile.id)),
            ),
        ),
        _now(visit, found),
        *await _history(visit, profile, known=known),
    ]
    if known and visit.may(Right.CONVERSE):
        sections.append(_changes(profile))
    if visit.may(Right.MEND):
        sections += [_linking(profile), await _merging(visit, profile)]
    if visit.may(Right.MANAGE):
        sections.append(_privacy(profile))
    return Page(
        title=visit.eyes.person(profile.phone, profile, known=known),
        place="customers",
        template="person.html",
        sections=sections,
        back=(visit.href("customers"), "Customers"),
    )


def _room(room: Room) -> Sequence[tuple[str, Cell]]:
    """What the caps leave, whether or not anything else forbids it."""
    left = f"{room.week} this week, {room.month} in 30 days" if room.left else "none now"
    again = "now" if room.left else "never, by the caps that are set"
    return (
        ("Offers and reminders left", text(left)),
        ("Room again", text(again) if room.again_at is None else moment(room.again_at)),
    )


def _shop_customer(profile: CustomerProfile) -> Cell:
    """Who is linked, or who may be: a person has to choose."""
    if profile.wc_customer_id is not None:
        return text(f"#{profile.wc_customer_id}")
    asked = " or ".join(f"#{number}" for number in profile.shop_candidates)
    return text(f"{asked}: choose below" if asked else None)


def _now(visit: Visit, found: Known) -> Facts:
    talk, cart = found.talk, found.cart
    conversation = (
        text(None) if talk is None else text(f"#{talk.id}, {talk.status}", href=visit.href(f"inbox/{talk.id}"))
    )
    basket = text(None) if cart is None else text(f"#{cart.id}, {cart.status}", href=visit.href(f"carts/{cart.id}"))
    return Facts(title="Now", rows=(("Conversation", conversation), ("Cart", basket)))


async def _history(visit: Visit, profile: CustomerProfile, *, known: bool) -> list[Section]:
    """What the customer decided, where they live, what they bought, looked at, and were written."""
    since = visit.hub.clock.now() - _CONTACTS_OF

    def look(uow: UnitOfWork) -> tuple[Sequence[ProductView], Sequence[Reengagement], Sequence[BroadcastRecipient]]:
        return (
            uow.views.of(profile.phone, since=since, limit=10),
            uow.reengagements.of(profile.phone, since=since, limit=20),
            uow.recipients.reached(profile.phone, since=since),
        )

    views, contacts, reached = await visit.hub.database.read(look)
    consent: Any = profile.preferences.get("consent", {})
    notes: Any = profile.preferences.get("notes", ())
    told: list[Section] = [
        Table(
            title="Decisions about consent",
            columns=("When", "To", "For", "How", "In words"),
            rows=[
                (
                    _at(one.get("at")),
                    state(one.get("to") or one.get("ignored") or ""),
                    text(one.get("purpose")),
                    text(str(one.get("source", "")).replace("_", " ")),
                    text(visit.eyes.words(str(one.get("words") or ""), known=known)),
                )
                for one in reversed(consent.get("log", ()))
            ],
            empty="Nothing was ever decided, so no offers are sent.",
        ),
        Table(
            title="Orders",
            columns=("Order", "When", "State", "Total", "Refunded"),
            rows=[
                (
                    text(f"#{number}", href=visit.href(f"orders/{number}")),
                    _at(one.get("at")),
                    state(str(one.get("status", ""))),
                    text(f"{one.get('total')} {one.get('currency', '')}"),
                    text(one.get("refunded") if one.get("refunded") not in {None, "0", "0.00"} else None),
                )
                for number, one in sorted(
                    known_orders(profile).items(), key=lambda told: str(told[1].get("at")), reverse=True
                )
            ][:20],
            empty="Nothing was bought yet.",
        ),
        Table(
            title="Written to, in the last 90 days",
            columns=("When", "What", "Left", "Brought an order"),
            rows=[
                (
                    moment(one.created_at),
                    text(one.campaign_type.value.replace("_", " ")),
                    moment(one.sent_at),
                    text(one.conversion_order_id, href=visit.href(f"orders/{one.conversion_order_id}"))
                    if one.conversion_order_id
                    else text(None),
                )
                for one in contacts
            ]
            + [
                (
                    moment(one.created_at),
                    text(f"broadcast {one.campaign_id}", href=visit.href(f"broadcasts/{one.campaign_id}")),
                    moment(one.sent_at),
                    text(None),
                )
                for one in reached
            ],
            empty="No offers and no reminders went to this customer.",
        ),
        Table(
            title="Looked at lately",
            columns=("Product", "When"),
            rows=[(text(f"#{one.product_id}"), moment(one.viewed_at)) for one in views],
            empty="No product was opened in the last 90 days.",
        ),
        Table(
            title="Notes",
            columns=("When", "By", "What"),
            rows=[
                (
                    _at(one.get("at")),
                    text(clean(one.get("by", ""))),
                    text(visit.eyes.words(str(one.get("text", "")), known=known)),
                )
                for one in reversed(notes)
            ],
            empty="Nothing is written down about this customer.",
        ),
    ]
    if profile.saved_addresses:
        told.append(
            Table(
                title="Addresses",
                columns=("Address", "Where", "Saved"),
                rows=[
                    (
                        text(f"#{one.get('id')}"),
                        text(visit.eyes.words(_address(one), known=known)),
                        _at(one.get("created_at")),
                    )
                    for one in profile.saved_addresses
                ],
                empty="None.",
            )
        )
    return told


def _at(told: object) -> Cell:
    try:
        return moment(of_iso(str(told))) if told else text(None)
    except ValueError:
        return text(clean(told))


def _address(one: JsonObject) -> str:
    return ", ".join(
        str(value) for name, value in one.items() if name not in {"id", "is_default", "created_at"} and value
    )


def _changes(profile: CustomerProfile) -> Forms:
    here = f"customers/{profile.id}"
    forms = [
        Form(
            to=f"{here}/tag",
            label="Change tags",
            fields=(
                Field(name="add", label="Tag to add", is_required=False, most=50),
                Field(name="remove", label="Tag to take away", is_required=False, most=50),
            ),
        ),
        Form(
            to=f"{here}/note", label="Write down", fields=(Field(name="text", label="Note for colleagues", most=2000),)
        ),
        Form(
            to=f"{here}/consent",
            label="Write down consent",
            fields=(
                Field(
                    name="purpose",
                    label="For",
                    kind="select",
                    choices=(("marketing", "offers"), ("all", "all messages")),
                ),
                Field(name="to", label="Decision", kind="select", choices=(("out", "out"), ("in", "in"))),
                Field(name="reason", label="What the customer said, and where"),
            ),
        ),
    ]
    if profile.saved_addresses:
        numbers = [(str(one.get("id")), f"#{one.get('id')}") for one in profile.saved_addresses]
        which = Field(name="address", label="Address", kind="select", choices=numbers)
        forms.append(Form(to=f"{here}/forget-address", label="Forget address", fields=(which,)))
    if profile.new_owner_since is not None:
        forms.append(Form(to=f"{here}/same-owner", label="It is the same person as before"))
    if profile.is_blocked:
        forms.append(Form(to=f"{here}/unblock", label="Lift the block"))
    else:
        forms.append(
            Form(to=f"{here}/block", label="Block", fields=(Field(name="reason", label="Why"),), tone="danger")
        )
    return Forms(
        title="Change", forms=forms, lead="A blocked customer hears nothing from the assistant and gets no offers."
    )


def _linking(profile: CustomerProfile) -> Forms:
    here = f"customers/{profile.id}"
    forms = [Form(to=f"{here}/linking", label="See whom the shop knows under this number")]
    if profile.wc_customer_id is not None:
        forms.append(Form(to=f"{here}/unlink", label="Not this customer of the shop", tone="danger"))
    lead = "Orders of the shop's customer are shown to them in the chat, and theirs are this customer's in the shop."
    return Forms(title="Customer of the shop", forms=forms, lead=lead)


async def _merging(visit: Visit, profile: CustomerProfile) -> Forms:
    here = f"customers/{profile.id}"
    other = Field(name="other", label="The other customer", note="Their number, or their key")
    forms = [Form(to=f"{here}/merging", label="See what merging would do", fields=(other,))]
    forms += [
        Form(
            to=f"{here}/unmerge",
            label=f"Undo the merge of {str(told['at'])[:10]}",
            hidden={"merge": str(number)},
            tone="danger",
        )
        for number, told in await visit.hub.merges.listed(profile.phone)
    ]
    lead = "Two numbers of one person become one customer. It can be undone for thirty days."
    return Forms(title="The same person twice?", forms=forms, lead=lead)


def _privacy(profile: CustomerProfile) -> Forms:
    here = f"customers/{profile.id}"
    forms = (
        Form(to=f"{here}/export", label="Export everything"),
        Form(to=f"{here}/erasing", label="See what erasing would do", tone="danger"),
    )
    lead = "The export is one JSON file with all that is kept of this customer; three an hour, each in the audit log."
    return Forms(title="Privacy", forms=forms, lead=lead)


PAGES = (
    Route("customers", Right.SEE, customers),
    Route("customers/{id}", Right.SEE, customer),
)
ACTS: tuple[Route, ...] = ()

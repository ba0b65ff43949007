"""What people do about a customer: tags, notes, consent, blocks, merges, exports, erasure."""

import json
from typing import Any

from wch.domain.catalogue import LARGEST_ID
from wch.domain.customer import CustomerProfile
from wch.domain.errors import StoreMisusedError
from wch.domain.operator import Right
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.knowing import customer_of, offers
from wch.entrypoints.http.pages.parts import Facts, Field, Form, Forms, Page, Section, Table, code, text
from wch.entrypoints.http.pages.visiting import ForbiddenError, Route, Visit, file_to_keep


async def _mine(visit: Visit) -> CustomerProfile:
    """The customer who is to be changed.

    Raises:
        ForbiddenError: they are not known to this operator.
    """
    found = await customer_of(visit)
    if not found.is_known:
        raise ForbiddenError
    return found.profile


async def erasing(visit: Visit) -> str:
    """To the page that says what erasing would do."""
    return visit.href(f"customers/{(await customer_of(visit)).profile.id}/erase")


async def erasure(visit: Visit) -> Page:
    """What erasing this customer would do, by doing it and taking it back; then the button."""
    found = await customer_of(visit)
    profile = found.profile
    counts = await visit.hub.erasures.rehearse(profile.phone)
    told = Table(
        title="What would change",
        columns=("Table", "Rows"),
        rows=[
            (code(table), text(", ".join(f"{count} {word}" for word, count in words.items() if count) or "none"))
            for table, words in counts.items()
        ],
        empty="Nothing is kept of this customer.",
    )
    form = Form(
        to=f"customers/{profile.id}/erase",
        label="Erase for good",
        fields=(Field(name="reason", label="Why"),),
        tone="danger",
    )
    lead = "Nothing brings it back. That the customer wants no offers is remembered all the same."
    return Page(
        title="Erase a customer",
        place="customers",
        lead=visit.eyes.person(profile.phone, profile, known=found.is_known),
        sections=(told, Forms(title="Erase", forms=(form,), lead=lead)),
        back=(visit.href(f"customers/{profile.id}"), "Customer"),
    )


async def erase(visit: Visit) -> str:
    """Begin the erasure; its saga tells how far it is."""
    profile = (await customer_of(visit)).profile
    saga = await visit.hub.erasures.ask(profile.phone, reason=visit.word("reason", most=500), by=visit.by)
    visit.hub.inbox.wake()
    return visit.href(f"sagas/{saga.saga_id}", done="erasing")


async def export(visit: Visit) -> Any:
    """Everything that is kept of a customer, as a file."""
    profile = (await customer_of(visit)).profile
    told = await visit.hub.exports.export(profile.phone, by=visit.by)
    body = json.dumps(told, ensure_ascii=False, indent=2, default=str)
    return file_to_keep(f"customer-{profile.id}.json", body, "application/json")


async def merging(visit: Visit) -> Page:
    """What merging two customers would come to, by doing it and taking it back; then the button."""
    found = await customer_of(visit)
    profile = found.profile
    other = await visit.hub.customers.show(visit.word("other", most=40))
    counts, left = await visit.hub.merges.rehearse(profile.phone, other.phone, by=visit.by)
    who = visit.eyes.person(other.phone, other, known=visit.eyes.sees_everybody)
    kept = visit.eyes.person(left.phone, left, known=visit.eyes.sees_everybody)
    sections: list[Section] = [
        Facts(
            title="Who is left",
            rows=(
                ("Kept", text(kept)),
                ("Number", text(visit.eyes.number(left.phone, known=visit.eyes.sees_everybody))),
                ("Goes", text(who)),
                ("Orders", text(left.total_orders)),
                ("Spent", text(f"{left.total_spent} {visit.hub.currency}")),
                ("Offers", offers(left)),
                ("Tags", text(clean(", ".join(left.tags)))),
            ),
        ),
        Table(
            title="What would change hands",
            columns=("Rows of", "How many"),
            rows=[(text(table.replace("_", " ")), text(count)) for table, count in counts.items()],
            empty="Nothing.",
        ),
        Forms(
            title="Merge",
            forms=(
                Form(
                    to=f"customers/{profile.id}/merge",
                    label="Merge",
                    hidden={"other": other.phone},
                    fields=(Field(name="reason", label="Why"),),
                    tone="danger",
                ),
            ),
            lead="The stricter of two decisions about consent holds. It can be undone for thirty days.",
        ),
    ]
    return Page(
        title="Merge two customers",
        place="customers",
        sections=sections,
        back=(visit.href(f"customers/{profile.id}"), "Customer"),
    )


async def merge(visit: Visit) -> str:
    """Make one customer of two."""
    profile = (await customer_of(visit)).profile
    _, left = await visit.hub.merges.merge(
        profile.phone, visit.word("other", most=40), by=visit.by, reason=visit.word("reason", most=500) or None
    )
    return visit.href(f"customers/{left.id}", done="merged")


async def unmerge(visit: Visit) -> str:
    """Make two customers of one again."""
    await customer_of(visit)
    number = visit.word("merge", most=18)
    kept, _ = await visit.hub.merges.undo(int(number) if number.isdecimal() else 0, by=visit.by)
    return visit.href(f"customers/{kept.id}", done="unmerged")


async def linking(visit: Visit) -> Page:
    """Whom the shop knows under this number, asked now; then the button."""
    found = await customer_of(visit)
    profile = found.profile
    known = await visit.hub.customers.shop_customers(profile.phone)
    sees = visit.eyes.sees_everybody
    told = Table(
        title="Customers of the shop with this number",
        columns=("Customer", "Name", "E-mail"),
        rows=[
            (
                text(f"#{one.id}"),
                text(visit.eyes.words(one.name, known=sees)),
                text(visit.eyes.email(one.email, known=sees)),
            )
            for one in known
        ],
        empty="The shop knows nobody under this number.",
    )
    number = Field(name="number", label="The shop's number of the customer", most=18)
    form = Form(to=f"customers/{profile.id}/link", label="Link", fields=(number,))
    lead = "Whoever is linked sees the orders of that customer in the chat. It can be taken away again."
    return Page(
        title="Link with a customer of the shop",
        place="customers",
        lead=visit.eyes.person(profile.phone, profile, known=found.is_known),
        sections=(told, Forms(title="Link", forms=(form,), lead=lead)),
        back=(visit.href(f"customers/{profile.id}"), "Customer"),
    )


async def link(visit: Visit) -> str:
    """Say which customer of the shop this is.

    Raises:
        StoreMisusedError: that is no number of a customer.
    """
    profile = (await customer_of(visit)).profile
    number = visit.word("number", most=18).removeprefix("#")
    if not (number.isascii() and number.isdecimal() and 0 < int(number) <= LARGEST_ID):
        raise StoreMisusedError("The shop's customer is a number, such as 42; nothing was changed.")
    await visit.hub.customers.link(profile.phone, int(number), by=visit.by)
    return visit.href(f"customers/{profile.id}", done="linked")


async def unlink(visit: Visit) -> str:
    """Say that it is not this customer of the shop."""
    profile = (await customer_of(visit)).profile
    await visit.hub.customers.unlink(profile.phone, by=visit.by)
    return visit.href(f"customers/{profile.id}", done="unlinked")


async def tag(visit: Visit) -> str:
    """Add and take away tags."""
    profile = await _mine(visit)
    add, remove = visit.word("add", most=60), visit.word("remove", most=60)
    await visit.hub.customers.tag(
        profile.phone, add=[add] if add else [], remove=[remove] if remove else [], by=visit.by
    )
    return visit.href(f"customers/{profile.id}", done="tagged")


async def consent(visit: Visit) -> str:
    """Write down what the customer decided."""
    profile = await _mine(visit)
    purpose = "all" if visit.word("purpose") == "all" else "marketing"
    to = "in" if visit.word("to") == "in" else "out"
    await visit.hub.customers.consent(
        profile.phone, purpose=purpose, to=to, reason=visit.word("reason", most=500), by=visit.by
    )
    return visit.href(f"customers/{profile.id}", done="consent")


async def note(visit: Visit) -> str:
    """Write something down for colleagues."""
    profile = await _mine(visit)
    await visit.hub.customers.note(profile.phone, visit.word("text", most=2000), by=visit.by)
    return visit.href(f"customers/{profile.id}", done="noted")


async def block(visit: Visit) -> str:
    """Let nothing that is said by itself reach this customer."""
    profile = await _mine(visit)
    await visit.hub.customers.block(profile.phone, visit.word("reason", most=500) or "no reason given", by=visit.by)
    return visit.href(f"customers/{profile.id}", done="blocked")


async def unblock(visit: Visit) -> str:
    """Lift the block."""
    profile = await _mine(visit)
    await visit.hub.customers.block(profile.phone, None, by=visit.by)
    return visit.href(f"customers/{profile.id}", done="unblocked")


async def forget_address(visit: Visit) -> str:
    """Take a saved address away."""
    profile = await _mine(visit)
    number = visit.word("address", most=9)
    await visit.hub.customers.forget_address(profile.phone, int(number) if number.isdecimal() else 0, by=visit.by)
    return visit.href(f"customers/{profile.id}", done="customer")


async def same_owner(visit: Visit) -> str:
    """The number has another id, and the person is the same."""
    profile = await _mine(visit)
    await visit.hub.customers.same_owner(profile.phone, by=visit.by)
    return visit.href(f"customers/{profile.id}", done="customer")


PAGES = (Route("customers/{id}/erase", Right.MANAGE, erasure),)
ACTS = (
    Route("customers/{id}/erasing", Right.MANAGE, erasing),
    Route("customers/{id}/erase", Right.MANAGE, erase),
    Route("customers/{id}/export", Right.MANAGE, export),
    Route("customers/{id}/merging", Right.MEND, merging),
    Route("customers/{id}/merge", Right.MEND, merge),
    Route("customers/{id}/unmerge", Right.MEND, unmerge),
    Route("customers/{id}/linking", Right.MEND, linking),
    Route("customers/{id}/link", Right.MEND, link),
    Route("customers/{id}/unlink", Right.MEND, unlink),
    Route("customers/{id}/tag", Right.CONVERSE, tag),
    Route("customers/{id}/note", Right.CONVERSE, note),
    Route("customers/{id}/consent", Right.CARTS, consent),
    Route("customers/{id}/block", Right.CONVERSE, block),
    Route("customers/{id}/unblock", Right.CONVERSE, unblock),
    Route("customers/{id}/forget-address", Right.CONVERSE, forget_address),
    Route("customers/{id}/same-owner", Right.CONVERSE, same_owner),
)

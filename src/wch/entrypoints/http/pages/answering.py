"""Answering with more than words: templates, products, tags; and many threads at once."""

from collections.abc import Sequence
from typing import Any

from wch.application.ports import UnitOfWork
from wch.domain.customer import CustomerProfile
from wch.domain.errors import ConflictError, NotFoundError, TransitionError, WchError
from wch.domain.message_template import MessageTemplate, Rendering
from wch.domain.operator import Right
from wch.domain.outgoing import Media, MediaKind, Outgoing, Text
from wch.entrypoints.http.pages.composing import MOST_GAPS, gap
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.inbox import allowed, colleague
from wch.entrypoints.http.pages.parts import Facts, Form, Forms, Page, text
from wch.entrypoints.http.pages.visiting import Route, Visit

MOST_AT_ONCE = 100
"""Threads that one press assigns or resolves."""


class NothingFitsError(WchError):
    """This template cannot be sent as it is; the sentence says what is missing."""


class NothingChosenError(WchError):
    """No conversation was chosen; tick those that are meant, and press again."""


async def _profile(visit: Visit, number: int) -> CustomerProfile:
    def look(uow: UnitOfWork) -> CustomerProfile | None:
        talk = uow.conversations.get(number)
        return None if talk is None else uow.customers.of(talk.customer_phone)

    found = await visit.hub.database.read(look)
    if found is None:
        raise NotFoundError(kind="conversation", id=number)
    return found


async def _rendered(visit: Visit, number: int) -> tuple[MessageTemplate, Rendering]:
    """The template that was chosen, as this customer would get it.

    Raises:
        NothingFitsError: a gap has no value.
    """
    profile = await _profile(visit, number)
    lines = [line.strip() for line in visit.form.get("gaps", "").splitlines() if line.strip()][:MOST_GAPS]
    params: dict[str, Any] = {"body": [gap(line) for line in lines]}
    told, rendering = await visit.hub.templates.preview(
        visit.word("template", most=600), params=params, phone=profile.phone
    )
    if rendering.template is None:
        missing = ", ".join(clean(one) for one in rendering.missing)
        raise NothingFitsError(
            f"Nothing fills {missing or 'the gaps'} of {told.name}: write a line for each gap, "
            "such as =Tuesday or customer_name|friend."
        )
    return told, rendering


async def try_template(visit: Visit) -> Page:
    """What the customer would read; then the button."""
    number = await allowed(visit)
    told, rendering = await _rendered(visit, number)
    kept = {"template": told.name, "gaps": visit.form.get("gaps", "")[:4000]}
    form = Form(to=f"inbox/{number}/template", label="Send it", hidden=kept, tone="primary")
    lead = (
        "It is marketing: it leaves only if the customer agreed to offers."
        if told.category.upper() == "MARKETING"
        else "It may leave although the window is closed."
    )
    rows = [(part.capitalize(), text(clean(_said(words)))) for part, words in rendering.shown.items() if words]
    return Page(
        title="As the customer would read it",
        place="inbox",
        sections=(
            Facts(title=clean(f"{told.name}, {told.language}"), rows=rows),
            Forms(title="Send", forms=(form,), lead=lead),
        ),
        back=(visit.href(f"inbox/{number}"), "Conversation"),
    )


def _said(shown: Any) -> str:
    return ", ".join(_said(one) for one in shown) if isinstance(shown, list | tuple) else str(shown)


async def send_template(visit: Visit) -> str:
    """Write by a template."""
    number = await allowed(visit)
    told, rendering = await _rendered(visit, number)
    if rendering.template is None:  # pragma: no cover - refused above
        raise NothingFitsError
    await visit.hub.conversations.reply_template(
        number,
        rendering.template,
        is_marketing=told.category.upper() == "MARKETING",
        agent=visit.operator.number,
        by=visit.by,
    )
    visit.hub.inbox.wake()
    return visit.href(f"inbox/{number}", done="sent")


async def send_product(visit: Visit) -> str:
    """Show the customer a product: its picture where it has one, its name and what it costs."""
    number = await allowed(visit)
    word = visit.word("product", most=18)
    one = await visit.hub.shop.product(product_id=int(word) if word.isdecimal() else 0)
    words = f"*{one.name}*\n{one.price.amount} {one.price.currency}"
    picture = next((url for url in one.images if url.startswith("https://") and " " not in url), None)
    message: Outgoing = (
        Text(body=words) if picture is None else Media(kind=MediaKind.IMAGE, link=picture, caption=words)
    )
    await visit.hub.conversations.reply_with(number, message, agent=visit.operator.number, by=visit.by)
    visit.hub.inbox.wake()
    return visit.href(f"inbox/{number}", done="sent")


async def tag(visit: Visit) -> str:
    """Add a tag to the customer."""
    number = await allowed(visit)
    profile = await _profile(visit, number)
    await visit.hub.customers.tag(profile.phone, add=[visit.word("tag", most=60)], by=visit.by)
    return visit.href(f"inbox/{number}", done="tagged")


def _chosen(visit: Visit) -> Sequence[int]:
    names = [name.removeprefix("pick.") for name in visit.form if name.startswith("pick.")]
    numbers = [int(name) for name in names if name.isdecimal()][:MOST_AT_ONCE]
    if not numbers:
        raise NothingChosenError
    return numbers


async def assign_all(visit: Visit) -> str:
    """Give the chosen threads to one colleague; what is another agent's is left alone."""
    agent = await colleague(visit)
    for number in _chosen(visit):
        try:
            await allowed(visit, number)
            await visit.hub.conversations.assign(number, agent, by=visit.by)
        except (NotFoundError, TransitionError, ConflictError):
            continue
    return visit.href("inbox", done="assigned-all")


async def resolve_all(visit: Visit) -> str:
    """End the chosen threads; those that are over, or another agent's, are left alone."""
    for number in _chosen(visit):
        try:
            await allowed(visit, number)
            await visit.hub.conversations.resolve(number, by=visit.by)
        except (NotFoundError, TransitionError, ConflictError):
            continue
    return visit.href("inbox", done="resolved-all")


PAGES: tuple[Route, ...] = ()
ACTS = (
    Route("inbox/assign", Right.CONVERSE, assign_all),
    Route("inbox/resolve", Right.CONVERSE, resolve_all),
    Route("inbox/{id}/try-template", Right.CONVERSE, try_template),
    Route("inbox/{id}/template", Right.CONVERSE, send_template),
    Route("inbox/{id}/product", Right.CONVERSE, send_product),
    Route("inbox/{id}/tag", Right.CONVERSE, tag),
)

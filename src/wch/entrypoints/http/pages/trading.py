"""Customers, carts, orders and notices."""

from collections.abc import Mapping, Sequence

from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.errors import NotFoundError
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.operator import Right
from wch.domain.saga import Saga
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.parts import (
    Cell,
    Choice,
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
from wch.entrypoints.http.pages.visiting import PAGE_SIZE, ForbiddenError, Route, Visit


def more_of(visit: Visit, path: str, rows: Sequence[Cart | CustomerProfile | Notification]) -> str | None:
    """Where the next page of a list by id is, if this one is full."""
    if len(rows) < PAGE_SIZE:
        return None
    kept = {name: value for name, value in visit.query.items() if name == "status"}
    return visit.href(path, after=rows[-1].id, **kept)


async def customers(visit: Visit) -> Page:
    """Everybody, by id; a number in full, or a key, finds one."""
    asked = visit.query.get("find", "").strip()
    if asked and visit.may(Right.PEOPLE):
        rows: Sequence[CustomerProfile] = await visit.hub.customers.found(asked)
    else:
        rows = await visit.hub.customers.listed(after=visit.number("after"), limit=PAGE_SIZE)

    def talks(uow: UnitOfWork) -> list[tuple[CustomerProfile, Conversation | None]]:
        return [(one, uow.conversations.latest_of(one.phone)) for one in rows]

    found = await visit.hub.database.read(talks)
    lines = [_customer_line(visit, one, talk) for one, talk in found if talk is None or visit.eyes.finds(talk)]
    table = Table(
        title="Customers",
        columns=("Customer", "Number", "Orders", "Spent", "Marketing", "Tags", "Last seen"),
        rows=lines,
        empty="Nobody answers to this." if asked else "No customers yet.",
    )
    return Page(
        title="Customers",
        place="customers",
        sections=(table,),
        template="customers.html",
        more=None if asked else more_of(visit, "customers", rows),
        values={"asked": asked, "can_find": visit.may(Right.PEOPLE)},
    )


def _customer_line(visit: Visit, one: CustomerProfile, talk: Conversation | None) -> Sequence[Cell]:
    known = visit.eyes.may_know(talk)
    return (
        text(visit.eyes.person(one.phone, one, known=known), href=visit.href(f"customers/{one.id}")),
        text(visit.eyes.number(one.phone, known=known)),
        text(one.total_orders),
        text(one.total_spent),
        text("yes" if one.opt_in_marketing else "no"),
        text(clean(", ".join(one.tags))),
        moment(one.last_interaction_at),
    )


async def _customer(visit: Visit) -> tuple[CustomerProfile, Conversation | None, Cart | None, bool]:
    number = visit.number("id")

    def work(uow: UnitOfWork) -> tuple[CustomerProfile, Conversation | None, Cart | None]:
        profile = uow.customers.get(number)
        if profile is None:
            raise NotFoundError(kind="customer", id=number)
        return profile, uow.conversations.latest_of(profile.phone), uow.carts.of(profile.phone)

    profile, talk, cart = await visit.hub.database.read(work)
    if talk is not None:
        visit.eyes.demand(talk)
    return profile, talk, cart, visit.eyes.may_know(talk)


async def customer(visit: Visit) -> Page:
    """One person: who it is, what was agreed, what can be done."""
    profile, talk, cart, known = await _customer(visit)
    sections: list[Section] = [
        Facts(
            title="Profile",
            rows=(
                ("Name", text(visit.eyes.person(profile.phone, profile, known=known))),
                ("Number", text(visit.eyes.number(profile.phone, known=known))),
                ("E-mail", text(visit.eyes.email(profile.email, known=known))),
                ("Language", text(profile.preferences.get("language"))),
                ("Orders", text(profile.total_orders)),
                ("Spent", text(profile.total_spent)),
                ("Tags", text(clean(", ".join(profile.tags)))),
                ("Since", moment(profile.created_at)),
                ("Last seen", moment(profile.last_interaction_at)),
            ),
        ),
        Facts(
            title="Consent",
            rows=(
                ("Marketing", text("in" if profile.opt_in_marketing else "out")),
                ("Order notices", text("refused" if profile.notification_opt_out else "in")),
                ("Decided", moment(profile.marketing_opted_at)),
            ),
        ),
    ]
    places = []
    if talk is not None:
        places.append(("Conversation", text(f"#{talk.id}, {talk.status}", href=visit.href(f"inbox/{talk.id}"))))
    if cart is not None:
        places.append(("Cart", text(f"#{cart.id}, {cart.status}", href=visit.href(f"carts/{cart.id}"))))
    if places:
        sections.append(Facts(title="Now", rows=places))
    if known and visit.may(Right.CONVERSE):
        here = f"customers/{profile.id}"
        sections.append(
            Forms(
                title="Change",
                forms=(
                    Form(
                        to=f"{here}/tag",
                        label="Change tags",
                        fields=(
                            Field(name="add", label="Tag to add", is_required=False),
                            Field(name="remove", label="Tag to take away", is_required=False),
                        ),
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
                ),
            )
        )
    if visit.may(Right.MANAGE):
        erasing = text("What erasing this customer would do", href=visit.href(f"customers/{profile.id}/erase"))
        sections.append(Facts(title="Privacy", rows=(("Erasure", erasing),)))
    return Page(
        title=visit.eyes.person(profile.phone, profile, known=known),
        place="customers",
        sections=sections,
        back=(visit.href("customers"), "Customers"),
    )


async def erasure(visit: Visit) -> Page:
    """What erasing this customer would do, by doing it and taking it back; then the button."""
    profile, _, _, known = await _customer(visit)
    counts = await visit.hub.erasures.rehearse(profile.phone)
    told = Table(
        title="What would change",
        columns=("Table", "Rows"),
        rows=[
            (text(table), text(", ".join(f"{count} {word}" for word, count in words.items() if count) or "none"))
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
        lead=visit.eyes.person(profile.phone, profile, known=known),
        sections=(told, Forms(title="Erase", forms=(form,), lead=lead)),
        back=(visit.href(f"customers/{profile.id}"), "Customer"),
    )


async def erase(visit: Visit) -> str:
    """Begin the erasure; its saga tells how far it is."""
    profile, _, _, _ = await _customer(visit)
    saga = await visit.hub.erasures.ask(profile.phone, reason=visit.word("reason", most=500), by=visit.by)
    visit.hub.inbox.wake()
    return visit.href(f"sagas/{saga.saga_id}", done="erasing")


async def tag(visit: Visit) -> str:
    """Add and take away tags."""
    profile, _, _, known = await _customer(visit)
    if not known:
        raise ForbiddenError
    add, remove = visit.word("add", most=60), visit.word("remove", most=60)
    await visit.hub.customers.tag(
        profile.phone, add=[add] if add else [], remove=[remove] if remove else [], by=visit.by
    )
    return visit.href(f"customers/{profile.id}", done="tagged")


async def consent(visit: Visit) -> str:
    """Write down what the customer decided."""
    profile, _, _, known = await _customer(visit)
    if not known:
        raise ForbiddenError
    purpose = "all" if visit.word("purpose") == "all" else "marketing"
    to = "in" if visit.word("to") == "in" else "out"
    await visit.hub.customers.consent(
        profile.phone, purpose=purpose, to=to, reason=visit.word("reason", most=500), by=visit.by
    )
    return visit.href(f"customers/{profile.id}", done="consent")


async def carts(visit: Visit) -> Page:
    """Carts by id, with what keeps them from being orders."""
    chosen = visit.query.get("status", "")
    status = CartStatus(chosen) if chosen in set(CartStatus) else None
    rows = await visit.hub.carts.listed(status=status, after=visit.number("after"), limit=PAGE_SIZE)
    table = Table(
        title="Carts",
        columns=("Cart", "Customer", "State", "Lines", "Goods", "Reminders", "Last change"),
        rows=[
            (
                text(f"#{one.id}", href=visit.href(f"carts/{one.id}")),
                text(visit.eyes.number(one.customer_phone, known=visit.eyes.sees_everybody)),
                state(one.status),
                text(len(one.items)),
                text(_goods(one)),
                text(f"{_reminded(one)} of 3"),
                moment(one.updated_at),
            )
            for one in rows
        ],
        empty="No carts in this state.",
    )
    return Page(
        title="Carts",
        place="carts",
        sections=(table,),
        choices=choices_of(visit, "carts", chosen, CartStatus),
        more=more_of(visit, "carts", rows),
    )


def choices_of(
    visit: Visit, path: str, chosen: str, words: type[CartStatus] | type[NotificationStatus]
) -> list[Choice]:
    """A filter by state."""
    return [
        Choice(label=label, href=visit.href(path, status=word or None), is_chosen=word == chosen)
        for word, label in [("", "All"), *((one.value, one.value.capitalize()) for one in words)]
    ]


def _goods(cart: Cart) -> str:
    return f"{cart.total} {cart.items[0].currency}" if cart.items else "empty"


def _reminded(cart: Cart) -> int:
    return sum(at is not None for at in (cart.reminder_1_sent_at, cart.reminder_2_sent_at, cart.reminder_3_sent_at))


async def _cart(visit: Visit) -> tuple[Cart, bool]:
    """A cart, and whether its customer is known to this operator; another agent's is not there."""
    one = await visit.hub.carts.show(visit.number("id"))
    talk = await visit.hub.database.read(lambda uow: uow.conversations.latest_of(one.customer_phone))
    if talk is not None:
        visit.eyes.demand(talk)
    return one, visit.eyes.may_know(talk)


async def cart(visit: Visit) -> Page:
    """One cart."""
    one, known = await _cart(visit)
    sections: list[Section] = [
        Facts(
            title="Cart",
            rows=(
                ("State", state(one.status)),
                ("Customer", text(visit.eyes.number(one.customer_phone, known=known))),
                ("Goods", text(_goods(one))),
                ("Coupon", text(one.coupon_code)),
                ("Opened", moment(one.created_at)),
                ("Last change by the customer", moment(one.updated_at)),
                ("Abandoned", moment(one.abandoned_at)),
                ("Expires", moment(one.expires_at)),
                ("First reminder", moment(one.reminder_1_sent_at)),
                ("Second reminder", moment(one.reminder_2_sent_at)),
                ("Third reminder", moment(one.reminder_3_sent_at)),
            ),
        ),
        Table(
            title="Lines",
            columns=("Product", "Pieces", "Price of one"),
            rows=[
                (
                    text(clean(", ".join((item.product_name, *item.variant_attributes.values())))),
                    text(item.quantity),
                    text(f"{item.price_at_add} {item.currency}"),
                )
                for item in one.items
            ],
            empty="Nothing is in it.",
        ),
    ]
    if known and visit.may(Right.CARTS) and one.status in {CartStatus.ACTIVE, CartStatus.ABANDONED}:
        ending = Form(to=f"carts/{one.id}/expire", label="End this cart", tone="danger")
        sections.append(
            Forms(title="Change", forms=(ending,), lead="Its lines stay, so that the customer can have them back.")
        )
    return Page(title=f"Cart #{one.id}", place="carts", sections=sections, back=(visit.href("carts"), "Carts"))


async def expire(visit: Visit) -> str:
    """End a cart."""
    one, known = await _cart(visit)
    if not known:
        raise ForbiddenError
    ended = await visit.hub.carts.expire(one.id, by=visit.by)
    return visit.href(f"carts/{ended.id}", done="expired")


async def orders(visit: Visit) -> Page:
    """Placements, by id."""
    rows = await visit.hub.orders.placements(after=visit.query.get("after", "")[:100], limit=PAGE_SIZE)
    table = Table(
        title="Orders",
        columns=("Placement", "Order", "Customer", "State", "Total", "Paid by", "Begun"),
        rows=[
            (
                text(one.saga_id, href=visit.href(f"sagas/{one.saga_id}")),
                text(_order(one) or None, href=visit.href(f"orders/{_order(one)}") if _order(one) else None),
                text(visit.eyes.number(_phone(one), known=visit.eyes.sees_everybody)),
                state(one.outcome or one.state),
                text(_total(one)),
                text(one.context.get("method")),
                moment(one.created_at),
            )
            for one in rows
        ],
        empty="No order was placed yet.",
    )
    more = visit.href("orders", after=rows[-1].saga_id) if len(rows) == PAGE_SIZE else None
    return Page(title="Orders", place="orders", sections=(table,), more=more)


def _order(saga: Saga) -> int:
    created = saga.results.get("create_order")
    return int(created.get("order_id") or 0) if isinstance(created, Mapping) else 0


def _phone(saga: Saga) -> str:
    person = saga.context.get("customer")
    return str(person.get("phone", "")) if isinstance(person, Mapping) else ""


def _total(saga: Saga) -> str:
    quote = saga.context.get("quote")
    total = quote.get("total") if isinstance(quote, Mapping) else None
    return f"{total.get('amount')} {total.get('currency')}" if isinstance(total, Mapping) else ""


async def order(visit: Visit) -> Page:
    """One order as the shop has it, with what was told about it."""
    found, notices = await visit.hub.orders.show(visit.number("id"))
    sections: list[Section] = [
        Facts(
            title="In the shop",
            rows=(
                ("Number", text(found.number)),
                ("State", state(found.status)),
                ("Total", text(f"{found.total.amount} {found.total.currency}")),
            ),
        ),
        notices_table(visit, notices),
    ]
    if visit.may(Right.TRADE):
        cancel = Form(
            to=f"orders/{found.id}/cancel",
            label="Cancel this order",
            fields=(Field(name="reason", label="Why"),),
            tone="danger",
        )
        sections.append(Forms(title="Change", forms=(cancel,), lead="The shop takes it back; the customer is told."))
    return Page(title=f"Order {found.number}", place="orders", sections=sections, back=(visit.href("orders"), "Orders"))


async def cancel(visit: Visit) -> str:
    """Cancel an order."""
    found = await visit.hub.orders.cancel(visit.number("id"), reason=visit.word("reason", most=500), by=visit.by)
    return visit.href(f"orders/{found.id}", done="cancelled")


def notices_table(visit: Visit, rows: Sequence[Notification]) -> Table:
    """What was told about orders."""
    return Table(
        title="Notices",
        columns=("Notice", "Type", "Order", "State", "Tries", "Written", "Error"),
        rows=[
            (
                text(f"#{one.id}"),
                text(one.notification_type),
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


async def notices(visit: Visit) -> Page:
    """What is told to customers about their orders."""
    chosen = visit.query.get("status", "")
    status = chosen if chosen in set(NotificationStatus) else None
    rows = await visit.hub.notifications.listed(status=status, after=visit.number("after"), limit=PAGE_SIZE)
    sections: list[Section] = [notices_table(visit, rows)]
    if visit.may(Right.TRADE) and any(one.status is NotificationStatus.FAILED for one in rows):
        failed = [(str(one.id), f"#{one.id}") for one in rows if one.status is NotificationStatus.FAILED]
        field = Field(name="notice", label="Failed notice", kind="select", choices=failed)
        sections.append(Forms(title="Change", forms=(Form(to="notices/retry", label="Try again", fields=(field,)),)))
    return Page(
        title="Notices",
        place="notices",
        sections=sections,
        choices=choices_of(visit, "notices", chosen, NotificationStatus),
        more=more_of(visit, "notices", rows),
    )


async def retry(visit: Visit) -> str:
    """Let a failed notice wait again."""
    word = visit.word("notice")
    await visit.hub.notifications.retry(int(word) if word.isdecimal() else 0, by=visit.by)
    return visit.href("notices", done="retried")


PAGES = (
    Route("customers", Right.SEE, customers),
    Route("customers/{id}", Right.SEE, customer),
    Route("customers/{id}/erase", Right.MANAGE, erasure),
    Route("carts", Right.SEE, carts),
    Route("carts/{id}", Right.SEE, cart),
    Route("orders", Right.SEE, orders),
    Route("orders/{id}", Right.SEE, order),
    Route("notices", Right.SEE, notices),
)
ACTS = (
    Route("customers/{id}/erase", Right.MANAGE, erase),
    Route("customers/{id}/tag", Right.CONVERSE, tag),
    Route("customers/{id}/consent", Right.CARTS, consent),
    Route("carts/{id}/expire", Right.CARTS, expire),
    Route("orders/{id}/cancel", Right.TRADE, cancel),
    Route("notices/retry", Right.TRADE, retry),
)

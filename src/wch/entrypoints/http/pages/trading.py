"""Carts, orders and notices."""

from collections.abc import Mapping, Sequence

from wch.domain.cart import Cart, CartStatus
from wch.domain.errors import CartRefusalError, NotFoundError, VersionMovedError
from wch.domain.ledger import Ledger, RefundRefusalError
from wch.domain.money import Money, decimal_of
from wch.domain.notification import Notification
from wch.domain.operator import Right
from wch.domain.order import Order, OrderStatus
from wch.domain.saga import Saga
from wch.entrypoints.http.pages.eyes import clean
from wch.entrypoints.http.pages.notices import notices_table, resending
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
    ForbiddenError,
    Route,
    Visit,
    filters,
    more_of,
    moved_meanwhile,
    states_of,
)

_OVER = frozenset({OrderStatus.CANCELLED, OrderStatus.SHIPPED, OrderStatus.COMPLETED, OrderStatus.REFUNDED})
"""Where an order cannot be cancelled any more."""


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
        choices=filters(visit, "carts", states_of(CartStatus), chosen),
        more=more_of(visit, "carts", rows),
    )


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
    why = text("Why a reminder goes or does not", href=visit.href(f"explain/cart/{one.id}"))
    sections.append(Facts(title="Reminders", rows=(("Explain", why),)))
    if known and visit.may(Right.CARTS) and one.status in {CartStatus.ACTIVE, CartStatus.ABANDONED}:
        sections.append(_cart_changes(one))
    return Page(title=f"Cart #{one.id}", place="carts", sections=sections, back=(visit.href("carts"), "Carts"))


def _cart_changes(one: Cart) -> Forms:
    seen = {"version": one.version}
    forms = []
    if one.items:
        lines = [
            (f"{item.product_id}.{item.variation_id or ''}", f"{clean(item.product_name)}, {item.quantity} now")
            for item in one.items
        ]
        fields = (
            Field(name="line", label="Line", kind="select", choices=lines),
            Field(name="quantity", label="Pieces, 0 takes it out", kind="number", value=str(one.items[0].quantity)),
        )
        forms.append(Form(to=f"carts/{one.id}/line", label="Change the line", fields=fields, hidden=seen))
    if one.status is CartStatus.ABANDONED:
        forms.append(Form(to=f"carts/{one.id}/remind", label="Send the next reminder now"))
    forms.append(Form(to=f"carts/{one.id}/expire", label="End this cart", hidden=seen, tone="danger"))
    lead = "An ended cart keeps its lines, so that the customer can have them back. A reminder goes by every rule."
    return Forms(title="Change", forms=forms, lead=lead)


async def _of_known(visit: Visit) -> Cart:
    """The cart that is to be changed.

    Raises:
        ForbiddenError: its customer is not known to this operator.
    """
    one, known = await _cart(visit)
    if not known:
        raise ForbiddenError
    return one


async def expire(visit: Visit) -> str | Page:
    """End a cart."""
    one = await _of_known(visit)
    try:
        await visit.hub.carts.expire(one.id, version=visit.word("version", most=40) or None, by=visit.by)
    except VersionMovedError:
        return await _moved(visit, one.id, "End this cart")
    return visit.href(f"carts/{one.id}", done="expired")


async def change_line(visit: Visit) -> str | Page:
    """Change how many of a product are in a cart."""
    one = await _of_known(visit)
    product, _, variation = visit.word("line", most=40).partition(".")
    pieces = visit.word("quantity", most=9)
    if not product.isdecimal() or not pieces.isdecimal():
        raise CartRefusalError(
            "Choose a line and say how many pieces: a whole number, 0 to take it out.", code="not_a_number"
        )
    try:
        await visit.hub.carts.set_quantity(
            one.id,
            product_id=int(product),
            variation_id=int(variation) if variation.isdecimal() else None,
            quantity=int(pieces),
            version=visit.word("version", most=40) or None,
            by=visit.by,
        )
    except VersionMovedError:
        return await _moved(visit, one.id, f"{pieces} pieces of product {product}")
    return visit.href(f"carts/{one.id}", done="cart")


async def _moved(visit: Visit, cart_id: int, wish: str) -> Page:
    """Somebody else changed the cart meanwhile: what was wanted, and how it stands now."""
    now = await visit.hub.carts.show(cart_id)
    lines = ", ".join(f"{item.quantity} x {clean(item.product_name)}" for item in now.items) or "nothing in it"
    rows = (("You wanted", text(wish)), ("It is now", text(f"{now.status.value}: {lines}")))
    return moved_meanwhile(visit, f"Cart #{cart_id}", rows, place="carts", back=f"carts/{cart_id}")


async def remind(visit: Visit) -> str:
    """Send the next reminder of a cart now."""
    one = await _of_known(visit)
    await visit.hub.reminders.remind(one.id, by=visit.by)
    visit.hub.inbox.wake()
    return visit.href(f"carts/{one.id}", done="reminded")


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
                ("Total", text(_priced(found.total))),
                ("Refunded", text(_priced(found.refunded) if found.refunded.amount else None)),
                ("Paid", moment(found.paid_at)),
                ("Made", moment(found.created_at)),
            ),
        ),
        Table(
            title="Lines",
            columns=("Product", "Pieces", "Total"),
            rows=[(text(clean(one.name)), text(one.quantity), text(_priced(one.total))) for one in found.lines],
            empty="Nothing is in it.",
        ),
        notices_table(visit, notices),
    ]
    if visit.may(Right.TRADE):
        placement = await _placement(visit, found.id)
        sections += await _order_changes(visit, found, notices, placement)
    return Page(title=f"Order {found.number}", place="orders", sections=sections, back=(visit.href("orders"), "Orders"))


def _priced(amount: Money) -> str:
    return f"{amount.amount} {amount.currency}"


async def _placement(visit: Visit, order_id: int) -> Saga | None:
    """The placement of an order that was made here."""
    try:
        return await visit.hub.refunds.placement_of(order_id)
    except NotFoundError:
        return None


def _left(placement: Saga) -> Money | None:
    """What of an order's money can still go back at once; None where nothing came."""
    ledger = Ledger.of(placement.context)
    if placement.context.get("pays_later"):
        return ledger.by_hand
    return max((ledger.left(one.payment_id) for one in ledger.captured), key=lambda one: one.amount, default=None)


async def _order_changes(
    visit: Visit, found: Order, notices: Sequence[Notification], placement: Saga | None
) -> list[Section]:
    """Money back, a notice once more, the order taken back."""
    forms: list[Form] = []
    left = None if placement is None else _left(placement)
    if left is not None and left.amount > 0:
        fields = (
            Field(name="amount", label=f"Amount in {left.currency}, {left.amount} is left", value=str(left.amount)),
            Field(name="restock", label="The goods are back in the shop", kind="checkbox", is_required=False),
            Field(name="reason", label="Why"),
        )
        # The key is the page's own: pressed twice, it is one refund.
        key = {"key": f"console-{found.id}-{visit.hub.ids.token()}"}
        forms.append(Form(to=f"orders/{found.id}/refunding", label="See what goes back", fields=fields, hidden=key))
    why = Field(name="reason", label="Why")
    booked = None if placement is None else await visit.hub.refunds.booked(found.id)
    if booked is not None:
        hidden = {"booked": "yes", "key": f"booked-{found.id}-{visit.hub.ids.token()}"}
        label = f"Give back {_priced(booked)}, as booked in the shop"
        forms.append(Form(to=f"orders/{found.id}/refund", label=label, fields=(why,), hidden=hidden, tone="danger"))
    if booked is not None or (found.status is OrderStatus.CANCELLED and left is not None and left.amount > 0):
        label = "It went back another way already"
        forms.append(Form(to=f"orders/{found.id}/settle", label=label, fields=(why,)))
    failed = [(str(one.id), f"#{one.id}, {one.notification_type}") for one in notices if one.status == "failed"]
    if failed:
        field = Field(name="notice", label="Notice that failed", kind="select", choices=failed)
        forms.append(Form(to="notices/retry", label="Send it again", fields=(field,)))
    forms += resending(notices)
    if found.status not in _OVER:
        forms.append(Form(to=f"orders/{found.id}/cancel", label="Cancel this order", fields=(why,), tone="danger"))
    if not forms:
        return []
    return [Forms(title="Change", forms=forms, lead="The customer hears of a refund and of a cancelled order.")]


async def refunding(visit: Visit) -> Page:
    """What a refund would do; then the button."""
    found, _ = await visit.hub.orders.show(visit.number("id"))
    placement = await visit.hub.refunds.placement_of(found.id)
    amount = _amount(visit, found.currency)
    left = _left(placement)
    if left is None or not 0 < amount.amount <= left.amount:
        most = "nothing came that could go back" if left is None else f"{_priced(left)} is left"
        raise RefundRefusalError(f"This amount cannot go back: {most}. Write another one.", code="too_much")
    restock = bool(visit.word("restock"))
    by_hand = bool(placement.context.get("pays_later"))
    way = "by hand: it was paid at the door" if by_hand else "on the payment that it came by"
    rows = (
        ("Goes back", text(_priced(amount))),
        ("How", text(way)),
        ("Left afterwards", text(_priced(left - amount))),
        ("Goods", text("back into the stock" if restock else "stay as they are")),
        ("The customer", text("is told when the money is on its way")),
    )
    form = Form(
        to=f"orders/{found.id}/refund",
        label=f"Give back {_priced(amount)}",
        hidden={
            "amount": str(amount.amount),
            "restock": "yes" if restock else "",
            "reason": visit.word("reason", most=500),
            "key": visit.word("key", most=100),
        },
        tone="danger",
    )
    return Page(
        title=f"Refund of order {clean(found.number)}",
        place="orders",
        sections=(
            Facts(title="What happens", rows=rows),
            Forms(title="Refund", forms=(form,), lead="It cannot be undone."),
        ),
        back=(visit.href(f"orders/{found.id}"), "Order"),
    )


def _amount(visit: Visit, currency: str) -> Money:
    try:
        return Money(decimal_of(visit.word("amount", most=30)), currency)
    except (TypeError, ValueError) as error:
        raise RefundRefusalError("Write the amount with a dot, such as 12.50.", code="not_an_amount") from error


async def refund(visit: Visit) -> str:
    """Give back the money of an order, or a part of it, or what people booked back in the shop."""
    found, _ = await visit.hub.orders.show(visit.number("id"))
    booked = bool(visit.word("booked"))
    saga = await visit.hub.refunds.order(
        found.id,
        amount=None if booked else _amount(visit, found.currency),
        booked_in_shop=booked,
        reason=visit.word("reason", most=500),
        restock=bool(visit.word("restock")),
        key=visit.word("key", most=100) or visit.hub.ids.token(),
        by=visit.by,
    )
    visit.hub.inbox.wake()
    return visit.href(f"sagas/{saga.saga_id}", done="refunding")


async def settle(visit: Visit) -> str:
    """What was undone in the shop went back another way."""
    number = visit.number("id")
    await visit.hub.refunds.settle(number, reason=visit.word("reason", most=500), by=visit.by)
    return visit.href(f"orders/{number}", done="settled")


async def cancel(visit: Visit) -> str:
    """Cancel an order."""
    found = await visit.hub.orders.cancel(visit.number("id"), reason=visit.word("reason", most=500), by=visit.by)
    return visit.href(f"orders/{found.id}", done="cancelled")


PAGES = (
    Route("carts", Right.SEE, carts),
    Route("carts/{id}", Right.SEE, cart),
    Route("orders", Right.SEE, orders),
    Route("orders/{id}", Right.SEE, order),
)
ACTS = (
    Route("carts/{id}/expire", Right.CARTS, expire),
    Route("carts/{id}/line", Right.CARTS, change_line),
    Route("carts/{id}/remind", Right.CARTS, remind),
    Route("orders/{id}/refunding", Right.TRADE, refunding),
    Route("orders/{id}/refund", Right.TRADE, refund),
    Route("orders/{id}/settle", Right.TRADE, settle),
    Route("orders/{id}/cancel", Right.TRADE, cancel),
)

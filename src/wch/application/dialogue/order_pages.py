"""The customer's orders: the latest, one by its number, and cancelling one; never anybody else's."""

from datetime import datetime

from wch.application.dialogue.busy import cancel_placement
from wch.application.dialogue.handoff import call_person
from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.routes import Place, to
from wch.application.dialogue.scene import RefundWish
from wch.application.dialogue.turn import Turn, named
from wch.domain.document import JsonObject
from wch.domain.moment import iso, of_iso
from wch.domain.order import Order, OrderStatus
from wch.domain.shop_error import ShopRefusedError

LATEST = 5
PAGE = 20
PAGES = 5
"""How far back an order is looked for by its number."""

MISSES = 5
"""Wrong numbers within an hour after which a person is called."""

CANCELLABLE = frozenset({OrderStatus.PENDING, OrderStatus.ON_HOLD, OrderStatus.PROCESSING})


async def show_orders(turn: Turn) -> None:
    """The latest five; a single one at once."""
    orders = await _latest(turn)
    if not orders:
        turn.show(
            Page(
                body=turn.say("orders.none"),
                choices=(turn.choice("button.categories", Place.CATEGORIES), turn.choice("button.person", Place.HUMAN)),
            )
        )
    elif len(orders) == 1:
        await _show(turn, orders[0])
    else:
        await _list(turn, turn.say("orders.title"), orders, Place.ORDER)


async def show_by_number(turn: Turn, number: str) -> None:
    """The order of this number, if it is this customer's: else the same words whatever the reason."""
    order = await _mine(turn, number=number)
    if order is None:
        _not_found(turn, number)
    else:
        await _show(turn, order)


async def show_by_id(turn: Turn, order_id: int) -> None:
    """The order behind a button."""
    order = await _mine(turn, order_id=order_id)
    if order is None:
        _not_found(turn, str(order_id))
    else:
        await _show(turn, order)


async def _latest(turn: Turn, limit: int = LATEST) -> tuple[Order, ...]:
    if turn.profile.new_owner_since is not None:
        return ()
    buyer = turn.buyer
    page = await turn.shop.orders_of(phones=buyer.phones, customer_id=buyer.customer_id, limit=limit)
    return page.items


async def _mine(turn: Turn, *, number: str | None = None, order_id: int | None = None) -> Order | None:
    """One of this customer's own orders; none of a number's former owner."""
    if turn.profile.new_owner_since is not None:
        return None
    buyer = turn.buyer
    cursor = None
    for _ in range(PAGES):
        page = await turn.shop.orders_of(phones=buyer.phones, customer_id=buyer.customer_id, cursor=cursor, limit=PAGE)
        for order in page.items:
            if order.id == order_id or (number is not None and order.number.lstrip("#") == number):
                return order
        cursor = page.next
        if cursor is None:
            return None
    return None


def _not_found(turn: Turn, number: str) -> None:
    """Whoever guesses numbers meets a person."""
    before = turn.context.get("order_misses")
    since, count = _counted(before if isinstance(before, dict) else {}, turn.now)
    turn.remember(order_misses={"since": iso(since), "count": count})
    turn.tell("orders.not_found", number=number)
    if count >= MISSES:
        turn.remember(order_misses=None)
        call_person(turn, "order_problem")
        return
    turn.show(
        Page(
            body=turn.say("menu.title"),
            choices=(turn.choice("button.orders", Place.ORDERS), turn.choice("button.person", Place.HUMAN)),
        )
    )


def _counted(before: JsonObject, now: datetime) -> tuple[datetime, int]:
    since = before.get("since")
    begun = of_iso(since) if isinstance(since, str) else now
    if (now - begun).total_seconds() >= 3600:  # noqa: PLR2004 - an hour
        return now, 1
    return begun, int(before.get("count", 0)) + 1


async def _show(turn: Turn, order: Order) -> None:
    """Where it stands, what is in it, where its parcel is."""
    timezone = (await turn.shop.about()).timezone
    lines = [f"{line.quantity} × {named(line.name, line.attributes)}" for line in order.lines]  # noqa: RUF001 - times
    head = turn.say(
        "order.page",
        number=order.number,
        date=turn.texts.date(order.created_at, timezone),
        status=turn.say(f"status.{order.status.value}"),
    )
    parts = [head, *lines, turn.say("cart.total", amount=turn.money(order.total))]
    for parcel in order.tracking:
        parts.append(turn.say("order.tracking", carrier=parcel.carrier, number=parcel.number))
        parts += [parcel.url] if parcel.url else []
    choices = [turn.choice("button.menu", Place.MENU), turn.choice("button.person", Place.HUMAN)]
    if _may_cancel(turn, order):
        choices.insert(0, turn.choice("button.cancel_order", to(Place.CANCEL_ORDER, order.id)))
    turn.show(Page(body="\n".join(parts), choices=tuple(choices)))


async def _list(turn: Turn, body: str, orders: tuple[Order, ...], place: Place) -> None:
    timezone = (await turn.shop.about()).timezone
    turn.show(
        Page(
            body=body,
            sheet=turn.say("list.orders"),
            choices=tuple(
                Choice(
                    route=to(place, order.id),
                    title=f"#{order.number.lstrip('#')}",
                    description=" · ".join(
                        (
                            turn.texts.date(order.created_at, timezone),
                            turn.say(f"status.{order.status.value}"),
                            turn.money(order.total),
                        )
                    ),
                )
                for order in orders
            ),
        )
    )


def _may_cancel(turn: Turn, order: Order) -> bool:
    """Whether the customer may cancel it alone: soon after it was made; paid elsewhere, a person gives the money back."""
    young = turn.now <= order.created_at + turn.policy.cancel_within
    ours = order.paid_at is None or order.key is not None
    return order.status in CANCELLABLE and ours and young


async def ask_cancel(turn: Turn, number: str | None = None) -> None:
    """Cancelling asks first; the order is the one named, the one being placed, or the one that may be cancelled."""
    if number is None and turn.is_busy:
        cancel_placement(turn)
        return
    if number is not None:
        order = await _mine(turn, number=number)
        if order is None:
            _not_found(turn, number)
            return
        await _ask_cancel(turn, order)
        return
    orders = await _latest(turn)
    may = tuple(order for order in orders if _may_cancel(turn, order))
    if len(may) == 1:
        await _ask_cancel(turn, may[0])
    elif may:
        await _list(turn, turn.say("orders.choose"), may, Place.CANCEL_ORDER)
    elif orders and not orders[0].status.is_over:
        await _ask_cancel(turn, orders[0])
    else:
        await show_orders(turn)


async def ask_cancel_id(turn: Turn, order_id: int) -> None:
    """The same for the order behind a button."""
    order = await _mine(turn, order_id=order_id)
    if order is None:
        _not_found(turn, str(order_id))
    else:
        await _ask_cancel(turn, order)


async def _ask_cancel(turn: Turn, order: Order) -> None:
    if order.status.is_over:
        await _show(turn, order)
        return
    if not _may_cancel(turn, order):
        _too_late(turn, order)
        return
    turn.show(
        Page(
            body=turn.say("order.cancel_ask", number=order.number),
            choices=(
                turn.choice("button.cancel_order", to(Place.CANCEL_ORDER_YES, order.id)),
                turn.choice("button.keep_order", Place.KEEP),
            ),
            prompt="cancel_order",
            again=to(Place.CANCEL_ORDER, order.id),
        )
    )


async def cancel(turn: Turn, order_id: int) -> None:
    """Cancel one of the customer's orders in the shop; asking twice cancels once."""
    order = await _mine(turn, order_id=order_id)
    if order is None:
        _not_found(turn, str(order_id))
        return
    if order.status is OrderStatus.CANCELLED:
        _cancelled(turn, order)
        return
    if not _may_cancel(turn, order):
        _too_late(turn, order)
        return
    if order.paid_at is not None:
        turn.refunds.append(RefundWish(order_id=order.id))
        turn.show(
            Page(
                body=turn.say("order.cancelled_paid", number=order.number, amount=turn.money(order.total)),
                choices=(turn.choice("button.menu", Place.MENU), turn.choice("button.orders", Place.ORDERS)),
            )
        )
        return
    try:
        await turn.shop.cancel_order(order_id=order.id, reason="customer")
    except ShopRefusedError:
        _too_late(turn, order)
        return
    _cancelled(turn, order)


def _cancelled(turn: Turn, order: Order) -> None:
    turn.show(
        Page(
            body=turn.say("order.cancelled", number=order.number),
            choices=(turn.choice("button.menu", Place.MENU), turn.choice("button.orders", Place.ORDERS)),
        )
    )


def _too_late(turn: Turn, order: Order) -> None:
    turn.tell("order.cancel_too_late", number=order.number)
    call_person(turn, "order_problem")

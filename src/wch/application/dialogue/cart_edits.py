"""Changing the cart: quantities, lines out, everything out, an old cart back, prices accepted."""

from wch.application.dialogue.adding import most_of, refuse
from wch.application.dialogue.busy import refuse_if_busy
from wch.application.dialogue.cart_pages import empty_page, show_cart, show_lines
from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place, line, to
from wch.application.dialogue.turn import Turn, item_name
from wch.application.words import normalised
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.conversation import Event, State
from wch.domain.errors import CartRefusalError
from wch.domain.moment import unix
from wch.domain.money import Money
from wch.domain.quote import Line, LineCheck, Verdict


def line_of(turn: Turn, number: int | None, words: str | None) -> CartItem | None:
    """The line that is meant: by its number, by its name, the one in view, or the only one."""
    items = turn.items
    if number is not None:
        return items[number - 1] if 1 <= number <= len(items) else None
    if words is not None:
        said = normalised(words)
        fitting = [item for item in items if said in normalised(item_name(item))]
        exact = [item for item in fitting if normalised(item.product_name) == said]
        found = exact or fitting or [item for item in items if normalised(item.product_name) in said]
        return found[0] if len(found) == 1 else None
    seen = turn.context.get("product") or {}
    in_view = [item for item in items if item.key == (seen.get("id"), seen.get("variation"))]
    return (in_view or list(items))[0] if in_view or len(items) == 1 else None


async def change_by_words(turn: Turn, number: int | None, words: str | None, quantity: int) -> None:
    """Make the line that is meant this quantity; ask which when that is not clear."""
    if refuse_if_busy(turn):
        return
    meant = line_of(turn, number, words)
    if meant is None:
        if turn.items and (number is not None or words is not None):
            turn.tell("cart.no_such_line")
        await show_lines(turn)
        return
    await set_line(turn, meant.product_id, meant.variation_id, quantity)


async def show_line(turn: Turn, product_id: int, variation_id: int | None) -> None:
    """Ask how many of this line it shall be."""
    if refuse_if_busy(turn):
        return
    item = _line(turn, product_id, variation_id)
    if item is None:
        turn.tell("cart.no_such_line")
        await show_cart(turn)
        return
    turn.move(Event.SHOW_CART, State.CART_MANAGEMENT)
    turn.remember(product={"id": product_id, **({} if variation_id is None else {"variation": variation_id})})
    total = turn.money(Money(item.worth, item.currency))
    turn.show(
        Page(
            body=turn.say("cart.line_page", quantity=item.quantity, name=item_name(item), total=total),
            choices=(
                turn.choice("button.one_more", line(product_id, variation_id, item.quantity + 1)),
                turn.choice("button.remove", line(product_id, variation_id, 0)),
                turn.choice("button.cart", Place.VIEW_CART),
            ),
            prompt="quantity",
            numbered=False,
            again=line(product_id, variation_id),
        )
    )


async def set_line(turn: Turn, product_id: int, variation_id: int | None, quantity: int) -> None:
    """Make a line this quantity, if the shop has so many; 0 takes it out."""
    if refuse_if_busy(turn):
        return
    item = _line(turn, product_id, variation_id)
    if item is None:
        turn.tell("cart.no_such_line")
        await show_cart(turn)
        return
    most = turn.policy.most_per_line
    if quantity > 0:
        wanted = Line(product_id=product_id, variation_id=variation_id, quantity=quantity)
        (check,) = await turn.shop.check(lines=(wanted,))
        most = most_of(turn, check)
        if not check.is_ok:
            turn.told.append(_short(turn, item, check))
            await show_cart(turn)
            return
    try:
        changed = turn.basket().with_quantity(product_id, variation_id, quantity, now=turn.now, most=most)
    except CartRefusalError as refusal:
        refuse(turn, refusal)
        return
    _changed(turn, changed)
    if quantity == 0:
        turn.tell("cart.line_removed", name=item_name(item))
    else:
        turn.tell("cart.line_set", name=item_name(item), quantity=quantity)
    await show_cart(turn)


def _short(turn: Turn, item: CartItem, check: LineCheck) -> str:
    limits = [limit for limit in (check.available, check.max) if limit is not None]
    if check.verdict is Verdict.LIMIT and check.line.quantity < check.min:
        return turn.say("stock.minimum", name=item_name(item), count=check.min)
    if limits and min(limits) > 0 and check.verdict in {Verdict.NOT_ENOUGH, Verdict.LIMIT}:
        return turn.say("cart.only_left", name=item_name(item), count=min(limits))
    return turn.say("stock.sold_out", name=item_name(item))


async def ask_clear(turn: Turn) -> None:
    """Clearing asks first."""
    if refuse_if_busy(turn):
        return
    if not turn.items:
        await show_cart(turn)
        return
    turn.show(
        Page(
            body=turn.say("cart.clear_ask"),
            choices=(
                turn.choice("button.clear", Place.CLEAR_CART_YES),
                turn.choice("button.keep", Place.KEEP),
            ),
            prompt="clear_cart",
            lives=turn.policy.clearing_waits,
            again=to(Place.CLEAR_CART),
        )
    )


async def clear(turn: Turn) -> None:
    """Everything out; the address stays."""
    if refuse_if_busy(turn):
        return
    if turn.items:
        _changed(turn, turn.basket().cleared(now=turn.now))
    turn.show(empty_page(turn, turn.say("cart.cleared")))


async def accept_prices(turn: Turn) -> None:
    """The customer agrees to the prices that were shown."""
    if refuse_if_busy(turn):
        return
    cart = turn.basket()
    if turn.items and cart.needs_consent:
        _changed(turn, cart.prices_accepted(now=turn.now))
        turn.tell("cart.prices_accepted")
    await show_cart(turn)


async def restore(turn: Turn) -> None:
    """Bring the lines of an expired cart back, each checked anew."""
    if refuse_if_busy(turn):
        return
    old = turn.cart
    if old is None or old.status is not CartStatus.EXPIRED or old.is_empty:
        turn.tell("cart.nothing_to_restore")
        await show_cart(turn)
        return
    lines = tuple(
        Line(product_id=item.product_id, variation_id=item.variation_id, quantity=item.quantity) for item in old.items
    )
    cart = old.renewed(now=turn.now)
    for item, check in zip(old.items, await turn.shop.check(lines=lines), strict=True):
        cart = _put_back(turn, cart, item, check)
    _changed(turn, cart)
    turn.tell("cart.restored")
    await show_cart(turn)


def _put_back(turn: Turn, cart: Cart, item: CartItem, check: LineCheck) -> Cart:
    """One line of an old cart: as it was, cut to what there is, or left out by name."""
    limits = [limit for limit in (check.available, check.max) if limit is not None]
    cut = min([item.quantity, *limits]) if check.verdict in {Verdict.NOT_ENOUGH, Verdict.LIMIT} else item.quantity
    if check.price is None or cut < 1 or (not check.is_ok and cut == item.quantity):
        turn.tell("cart.line_gone", name=item_name(item))
        return cart
    if cut < item.quantity:
        turn.tell("cart.only_left", name=item_name(item), count=cut)
    again = CartItem(
        product_id=item.product_id,
        variation_id=item.variation_id,
        quantity=cut,
        price_at_add=check.price.amount,
        currency=check.price.currency,
        product_name=check.name or item.product_name,
        variant_attributes=item.variant_attributes,
        added_at=turn.now,
    )
    return cart.set_to(again, now=turn.now, most=turn.policy.most_per_line)


def offer_restore(turn: Turn) -> None:
    """Offer an expired cart once, before whatever else is said."""
    cart = turn.cart
    if cart is None or cart.status is not CartStatus.EXPIRED or cart.is_empty:
        return
    name = f"{cart.id}-{unix(cart.created_at)}"
    if turn.context.get("restore_offered") == name:
        return
    turn.remember(restore_offered=name)
    turn.before = Page(
        body=turn.say("cart.expired"),
        choices=(turn.choice("button.restore", Place.RESTORE_CART),),
    )


def _changed(turn: Turn, cart: Cart) -> None:
    turn.change_cart(cart)
    turn.move(Event.CART_CHANGED, State.BROWSING if cart.is_empty else State.CART_MANAGEMENT)


def _line(turn: Turn, product_id: int, variation_id: int | None) -> CartItem | None:
    return next((item for item in turn.items if item.key == (product_id, variation_id)), None)

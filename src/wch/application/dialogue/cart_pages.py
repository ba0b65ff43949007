"""The cart as it is shown: lines, what changed since, what it comes to; and its lines for changing."""

from decimal import Decimal

import attrs

from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.paging import ON_A_PAGE, Leaf, with_borders
from wch.application.dialogue.routes import Place, line, to
from wch.application.dialogue.turn import Turn, item_name, named
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Event, State
from wch.domain.money import Money
from wch.domain.quote import LineCheck, Quote, Verdict

SHOWN = 20
"""Lines of a cart that are spelt out."""


@attrs.frozen(kw_only=True)
class Look:
    """The cart against the shop at this moment.

    Attributes:
        cart: at the shop's present prices.
        notes: what is different from what the customer knew, line by line.
        problems: lines that cannot be ordered as they are.
        quote: what it would cost without delivery; None while a line cannot be ordered.
    """

    cart: Cart
    notes: tuple[str, ...]
    problems: tuple[str, ...]
    quote: Quote | None


def empty_page(turn: Turn, body: str) -> Page:
    """Nothing in the cart: ways to find something."""
    return Page(
        body=body,
        choices=(
            turn.choice("button.categories", Place.CATEGORIES),
            turn.choice("button.search", Place.SEARCH),
            turn.choice("button.orders", Place.ORDERS),
        ),
    )


async def look(turn: Turn) -> Look:
    """Ask the shop about every line: prices, stock, discount. The cart follows the prices; a coupon may fall."""
    cart = turn.basket()
    checks = await turn.shop.check(lines=turn.lines)
    priced = cart.priced(_prices(cart, checks), now=turn.now)
    notes = [
        note for before, after in zip(cart.items, priced.items, strict=True) if (note := _note(turn, before, after))
    ]
    problems = tuple(
        _problem(turn, item, check) for item, check in zip(priced.items, checks, strict=True) if not check.is_ok
    )
    quote = None
    if not problems:
        quote = await turn.shop.quote(lines=turn.lines, coupon=priced.coupon_code, customer=turn.buyer)
        if priced.coupon_code is not None and quote.coupon is None:
            notes.append(turn.say("coupon.dropped", code=priced.coupon_code))
            priced = priced.with_coupon(None, now=turn.now)
    return Look(cart=priced, notes=tuple(notes), problems=problems, quote=quote)


def _prices(cart: Cart, checks: tuple[LineCheck, ...]) -> dict[tuple[int, int | None], Decimal]:
    return {
        item.key: check.price.amount
        for item, check in zip(cart.items, checks, strict=True)
        if check.price is not None and check.price.currency == item.currency
    }


def _note(turn: Turn, before: CartItem, after: CartItem) -> str | None:
    """What became of a line's price; a higher one is said until it is accepted."""
    if after.agreed_price is not None:
        known, id_ = after.agreed_price, "cart.dearer"
    elif after.price_at_add != before.price_at_add:
        known, id_ = before.price_at_add, "cart.cheaper" if after.price_at_add < before.price_at_add else "cart.dearer"
    else:
        return None
    new, old = Money(after.price_at_add, after.currency), Money(known, after.currency)
    return turn.say(id_, name=item_name(after), new=turn.money(new), old=turn.money(old))


def _problem(turn: Turn, item: CartItem, check: LineCheck) -> str:
    few = check.verdict in {Verdict.NOT_ENOUGH, Verdict.LIMIT} and (check.available or check.max)
    if few:
        limits = [limit for limit in (check.available, check.max) if limit is not None]
        return turn.say("cart.only_left", name=item_name(item), count=min(limits))
    return turn.say("cart.line_gone", name=item_name(item))


async def show_cart(turn: Turn) -> None:
    """What is in it, what changed, and what it comes to."""
    if not turn.items:
        turn.move(Event.SHOW_CART, _when_empty(turn))
        turn.show(empty_page(turn, turn.say("cart.empty")))
        return
    seen = await look(turn)
    if not turn.is_busy:
        turn.cart = seen.cart
    turn.move(Event.SHOW_CART, _when_full(turn))
    turn.show(cart_page(turn, seen))


def _when_empty(turn: Turn) -> State:
    return State.AWAITING_PAYMENT if turn.state is State.AWAITING_PAYMENT else State.BROWSING


def _when_full(turn: Turn) -> State:
    return State.AWAITING_PAYMENT if turn.state is State.AWAITING_PAYMENT else State.CART_MANAGEMENT


def cart_page(turn: Turn, seen: Look) -> Page:
    """The page of a cart that is not empty."""
    cart = seen.cart
    parts = [turn.say("cart.title"), *line_words(turn, cart.items)]
    if seen.notes or seen.problems:
        parts += ["", *seen.notes, *seen.problems]
    parts += ["", *sum_words(turn, cart, seen.quote)]
    forward = turn.choice("button.checkout", Place.CHECKOUT)
    if cart.needs_consent:
        forward = turn.choice("button.accept", Place.ACCEPT_PRICES)
    return Page(
        body="\n".join(parts),
        choices=(
            forward,
            turn.choice("button.change", Place.EDIT_CART),
            turn.choice("button.go_on", Place.CATEGORIES),
        ),
    )


def line_words(turn: Turn, items: tuple[CartItem, ...]) -> list[str]:
    """The cart's lines in words, numbered, the last ones counted when they are many."""
    return _numbered(turn, [(item.quantity, item_name(item), Money(item.worth, item.currency)) for item in items])


def quote_words(turn: Turn, quote: Quote) -> list[str]:
    """The same of what the shop would charge for each line now."""
    return _numbered(turn, [(one.line.quantity, named(one.name, one.attributes), one.total) for one in quote.lines])


def _numbered(turn: Turn, lines: list[tuple[int, str, Money]]) -> list[str]:
    words = [
        turn.say("cart.line", number=number, quantity=quantity, name=name, total=turn.money(total))
        for number, (quantity, name, total) in enumerate(lines[:SHOWN], start=1)
    ]
    if len(lines) > SHOWN:
        words.append(turn.say("cart.more", count=len(lines) - SHOWN))
    return words


def sum_words(turn: Turn, cart: Cart, quote: Quote | None) -> list[str]:
    """What it comes to: the discount by itself where there is one."""
    if quote is None:
        worth = sum((item.worth for item in cart.items), Decimal(0))
        return [turn.say("cart.total", amount=turn.money(Money(worth, cart.currency or "")))]
    words = []
    if quote.discount:
        words += [
            turn.say("cart.subtotal", amount=turn.money(quote.subtotal)),
            turn.say("cart.discount", code=quote.coupon or "", amount=turn.money(-quote.discount)),
        ]
    return [*words, turn.say("cart.total", amount=turn.money(quote.subtotal - quote.discount))]


async def show_lines(turn: Turn, number: int = 1) -> None:
    """The lines as rows to change, paged beyond eight, with coupon and clearing where there is room."""
    if not turn.items:
        await show_cart(turn)
        return
    turn.move(Event.SHOW_CART, _when_full(turn))
    found = _sheet(turn.items, number)
    rows = [
        Choice(
            route=line(item.product_id, item.variation_id),
            title=item_name(item),
            description=f"{item.quantity} × {turn.money(Money(item.price_at_add, item.currency))}",  # noqa: RUF001 - times
        )
        for item in found.items
    ]
    if found.number == 1 and not found.has_next:
        coupon = turn.basket().coupon_code
        rows.append(
            turn.choice("row.coupon", Place.COUPON)
            if coupon is None
            else turn.choice("row.remove_coupon", Place.REMOVE_COUPON)
        )
        rows.append(turn.choice("row.clear", Place.CLEAR_CART))
    turn.show(
        Page(
            body=turn.say("cart.change"),
            sheet=turn.say("list.lines"),
            choices=tuple(
                with_borders(
                    turn,
                    rows,
                    found,
                    to(Place.EDIT_CART, page=max(found.number - 1, 1)),
                    to(Place.EDIT_CART, page=found.number + 1),
                )
            ),
        )
    )


def _sheet(items: tuple[CartItem, ...], number: int) -> Leaf[CartItem]:
    first = (number - 1) * ON_A_PAGE
    if first >= len(items):
        number, first = 1, 0
    return Leaf(items=items[first : first + ON_A_PAGE], number=number, has_next=first + ON_A_PAGE < len(items))

"""An order put together on the phone's catalogue becomes the cart, line by line, with every difference said."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from wch.application.dialogue.adding import most_of
from wch.application.dialogue.busy import refuse_if_busy
from wch.application.dialogue.cart_pages import cart_page, look, show_cart
from wch.application.dialogue.page import Page
from wch.application.dialogue.routes import Place
from wch.application.dialogue.turn import Turn, named
from wch.application.texts import fit
from wch.domain.cart import Cart, CartItem
from wch.domain.catalogue import Sellable
from wch.domain.conversation import Event, State
from wch.domain.errors import CartRefusalError
from wch.domain.evolution import evolve
from wch.domain.money import Money
from wch.domain.quote import Line, LineCheck, Verdict

MOST_IDS = 100
MOST_CHECKED = 50
LONGEST_NOTE = 500


@attrs.frozen(kw_only=True)
class Wanted:
    """What the phone asked for under one catalogue id, equal ids summed."""

    retailer_id: str
    quantity: int
    price: Decimal | None
    currency: str | None


async def take(turn: Turn, content: Mapping[str, Any]) -> None:
    """Put the order into the cart and say what became of every line."""
    if refuse_if_busy(turn):
        return
    catalog = content.get("catalog_id")
    if turn.policy.catalog_id is not None and str(catalog or "") != turn.policy.catalog_id:
        turn.tell("taken.foreign")
        await show_cart(turn)
        return
    others = bool(turn.items)
    outcome, taken = await fill(turn, content)
    turn.tell_lines(turn.say("taken.title"), *outcome)
    if isinstance(content.get("text"), str) and content["text"].strip():
        turn.tell("taken.note")
    if not taken:
        await show_cart(turn)
        return
    turn.move(Event.CATALOGUE_ORDER)
    await _show(turn, taken, others=others)


async def fill(turn: Turn, content: Mapping[str, Any]) -> tuple[list[str], list[tuple[int, int | None]]]:
    """Change the cart; the words for every line, and the lines that were taken."""
    wanted, refused = _wanted(content.get("items"))
    ids = list(dict.fromkeys([*(one.retailer_id for one in wanted), *refused]))[:MOST_IDS]
    resolved: Mapping[str, Sellable] = await turn.shop.resolve(retailer_ids=ids) if ids else {}
    known = _distinct(wanted, resolved)
    outcome = await _refusals(turn, refused, resolved)
    outcome += [
        turn.say("taken.not_found", name=fit(one.retailer_id, 60)) for one in wanted if one.retailer_id not in resolved
    ]
    taken: list[tuple[int, int | None]] = []
    cart = turn.basket()
    checks = await turn.shop.check(lines=[line for line, _ in known]) if known else ()
    for (_, one), check in zip(known, checks, strict=True):
        cart, words, key = _one(turn, cart, one, check)
        outcome += words
        if key is not None:
            taken.append(key)
    if taken:
        turn.change_cart(cart)
        turn.remember(order_lines=[list(key) for key in taken])
    note = content.get("text")
    if isinstance(note, str) and note.strip():
        turn.remember(note=fit(note, LONGEST_NOTE))
    return outcome, taken


def _wanted(items: object) -> tuple[list[Wanted], dict[str, str]]:
    """Equal ids summed; and by id what has no whole positive quantity, with what stood in its place."""
    summed: dict[str, Wanted] = {}
    refused: dict[str, str] = {}
    for item in items if isinstance(items, list | tuple) else ():
        if not isinstance(item, Mapping) or not item.get("retailer_id"):
            continue
        retailer_id = str(item["retailer_id"])
        quantity = _quantity(item.get("quantity"))
        if quantity is None:
            refused[retailer_id] = str(item.get("quantity", ""))
            continue
        before = summed.get(retailer_id)
        summed[retailer_id] = Wanted(
            retailer_id=retailer_id,
            quantity=quantity + (before.quantity if before else 0),
            price=_price(item.get("price")),
            currency=item.get("currency") if isinstance(item.get("currency"), str) else None,
        )
    return list(summed.values())[:MOST_IDS], refused


async def _refusals(turn: Turn, refused: Mapping[str, str], resolved: Mapping[str, Sellable]) -> list[str]:
    """The lines without a quantity, by their names where the shop knows them."""
    found = [(id_, resolved[id_]) for id_ in refused if id_ in resolved][:MOST_CHECKED]
    lines = [Line(product_id=one.product_id, variation_id=one.variation_id, quantity=1) for _, one in found]
    checks = await turn.shop.check(lines=lines) if lines else ()
    names = {id_: named(check.name, check.attributes) for (id_, _), check in zip(found, checks, strict=True)}
    return [
        turn.say("taken.quantity", name=names.get(id_) or fit(id_, 60), quantity=fit(quantity, 20))
        for id_, quantity in list(refused.items())[:MOST_IDS]
    ]


def _quantity(value: object) -> int | None:
    """A whole positive number, also as text."""
    number = _price(value)
    if number is None or number != number.to_integral_value() or not 0 < number < 10**6:
        return None
    return int(number)


def _price(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _distinct(wanted: list[Wanted], resolved: Mapping[str, Sellable]) -> list[tuple[Line, Wanted]]:
    """One line for each sellable, also when two ids name the same."""
    lines: dict[tuple[int, int | None], Wanted] = {}
    for one in wanted:
        sellable = resolved.get(one.retailer_id)
        if sellable is None:
            continue
        key = (sellable.product_id, sellable.variation_id)
        before = lines.get(key)
        lines[key] = attrs.evolve(one, quantity=one.quantity + (before.quantity if before else 0))
    return [
        (Line(product_id=product, variation_id=variation, quantity=one.quantity), one)
        for (product, variation), one in list(lines.items())[:MOST_CHECKED]
    ]


def _one(
    turn: Turn, cart: Cart, one: Wanted, check: LineCheck
) -> tuple[Cart, list[str], tuple[int, int | None] | None]:
    """One line into the cart, as much of it as there is."""
    name = named(check.name or one.retailer_id, check.attributes)
    limits = [limit for limit in (check.available, check.max, most_of(turn, check)) if limit is not None]
    quantity = min([one.quantity, *limits])
    if check.verdict is Verdict.OUT_OF_STOCK or quantity < 1:
        return cart, [turn.say("taken.sold_out", name=name)], None
    if check.price is None or check.verdict is Verdict.NOT_FOUND:
        return cart, [turn.say("taken.not_found", name=name)], None
    if check.verdict in {Verdict.UNAVAILABLE, Verdict.VARIANT_REQUIRED} or quantity < check.min:
        return cart, [turn.say("taken.unavailable", name=name)], None
    try:
        filled = cart.set_to(_item(turn, check, check.price, quantity), now=turn.now, most=most_of(turn, check))
    except CartRefusalError as refusal:
        id_ = f"cart.refused.{refusal.code}"
        return cart, [turn.say(id_, most=refusal.facts.get("most", ""))], None
    key = (check.line.product_id, check.line.variation_id)
    words = [
        turn.say("taken.ok", quantity=quantity, name=name)
        if quantity == one.quantity
        else turn.say("taken.cut", quantity=quantity, wanted=one.quantity, name=name)
    ]
    told, agreed = _price_words(turn, name, one, check.price)
    if agreed is not None:
        filled = _agreeing(filled, key, agreed)
    return filled, [*words, *told], key


def _item(turn: Turn, check: LineCheck, price: Money, quantity: int) -> CartItem:
    return CartItem(
        product_id=check.line.product_id,
        variation_id=check.line.variation_id,
        quantity=quantity,
        price_at_add=price.amount,
        currency=price.currency,
        product_name=check.name,
        variant_attributes=dict(check.attributes),
        added_at=turn.now,
    )


def _price_words(turn: Turn, name: str, one: Wanted, price: Money) -> tuple[list[str], Decimal | None]:
    """What the phone showed against what it costs; a price that went up must be accepted."""
    if one.price is None:
        return [], None
    if one.currency is not None and one.currency != price.currency:
        return [turn.say("taken.currency", name=name, new=turn.money(price))], None
    shown = Money.rounded(one.price, price.currency)
    if shown == price:
        return [], None
    id_ = "taken.dearer" if shown < price else "taken.cheaper"
    words = turn.say(id_, name=name, new=turn.money(price), old=turn.money(shown))
    return [words], shown.amount if shown < price else None


def _agreeing(cart: Cart, key: tuple[int, int | None], price: Decimal) -> Cart:
    items = tuple(attrs.evolve(item, agreed_price=price) if item.key == key else item for item in cart.items)
    return evolve(cart, items=items)


async def _show(turn: Turn, taken: list[tuple[int, int | None]], *, others: bool) -> None:
    seen = await look(turn)
    turn.cart = seen.cart
    page: Page = cart_page(turn, seen)
    if others and any(item.key not in taken for item in turn.items):
        page = attrs.evolve(page, choices=(*page.choices[:2], turn.choice("button.only_this", Place.ONLY_THIS_ORDER)))
    turn.show(page)


async def only_this(turn: Turn) -> None:
    """Take out whatever the latest catalogue order did not name."""
    if refuse_if_busy(turn):
        return
    kept = {tuple(key) for key in turn.context.get("order_lines") or ()}
    cart = turn.basket()
    if kept and any(item.key in kept for item in turn.items):
        for item in turn.items:
            if item.key not in kept:
                cart = cart.with_quantity(*item.key, 0, now=turn.now)
        turn.change_cart(cart)
        turn.move(Event.CART_CHANGED, State.CART_MANAGEMENT)
    await show_cart(turn)

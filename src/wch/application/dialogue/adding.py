"""Putting things into the cart: so many of what, which variant, and what there is if it is less."""

from decimal import Decimal

from wch.application.dialogue.browse import find_products
from wch.application.dialogue.busy import refuse_if_busy
from wch.application.dialogue.page import Page
from wch.application.dialogue.product import card_row, show_gone, show_product, show_variants
from wch.application.dialogue.routes import Place, Route, add, to
from wch.application.dialogue.turn import Turn, item_name, lines_of, named
from wch.application.texts import fit
from wch.domain.cart import CartItem
from wch.domain.catalogue import Product
from wch.domain.conversation import Event
from wch.domain.errors import CartRefusalError
from wch.domain.money import Money
from wch.domain.quote import Line, LineCheck, Verdict
from wch.domain.shop_error import ShopNotFoundError


async def add_by_words(turn: Turn, words: str | None, quantity: int | None) -> None:
    """Add what the words name, else the product in view; ask when there is none, or more than one."""
    if refuse_if_busy(turn):
        return
    if words is None:
        seen = turn.context.get("product") or {}
        if "id" not in seen:
            ask_which(turn)
            return
        await add_item(turn, int(seen["id"]), seen.get("variation"), quantity or 1)
        return
    found = await find_products(turn, words)
    if not found:
        turn.tell("search.none", words=fit(words, 100))
        ask_which(turn)
    elif len(found) == 1:
        await add_item(turn, found[0].id, None, quantity or 1)
    else:
        turn.move(Event.BROWSE)
        turn.show(
            Page(
                body=turn.say("add.several"),
                sheet=turn.say("list.products"),
                choices=tuple(card_row(turn, card) for card in found),
            )
        )


def ask_which(turn: Turn) -> None:
    """Ask which product is meant."""
    turn.show(
        Page(
            body=turn.say("add.which"),
            choices=(turn.choice("button.categories", Place.CATEGORIES), turn.choice("button.menu", Place.MENU)),
            prompt="search",
            numbered=False,
            again=to(Place.SEARCH),
        )
    )


async def add_item(turn: Turn, product_id: int, variation_id: int | None, quantity: int) -> None:
    """Add so many, if the shop has them beside those in the cart; else offer what there is."""
    if refuse_if_busy(turn):
        return
    here = _already(turn, product_id, variation_id)
    wanted = Line(product_id=product_id, variation_id=variation_id, quantity=here + max(quantity, 1))
    (check,) = await turn.shop.check(lines=(wanted,))
    if check.verdict is Verdict.VARIANT_REQUIRED:
        await show_variants(turn, product_id, quantity=max(quantity, 1))
    elif check.is_ok and check.price is not None:
        await _put_in(turn, check, check.price, max(quantity, 1))
    else:
        await _not_so(turn, check, here, max(quantity, 1))


async def choose_variant(turn: Turn, product_id: int, variation_id: int) -> None:
    """A variant was picked: it goes into the cart if that was wanted, else it is shown."""
    seen = turn.context.get("product") or {}
    prompt = turn.prompt
    wanted = prompt is not None and prompt.kind == "variant" and seen.get("id") == product_id
    if wanted and isinstance(seen.get("quantity"), int):
        await add_item(turn, product_id, variation_id, seen["quantity"])
    else:
        await show_product(turn, product_id, variation_id)


async def _put_in(turn: Turn, check: LineCheck, price: Money, quantity: int) -> None:
    item = CartItem(
        product_id=check.line.product_id,
        variation_id=check.line.variation_id,
        quantity=quantity,
        price_at_add=price.amount,
        currency=price.currency,
        product_name=check.name,
        variant_attributes=dict(check.attributes),
        added_at=turn.now,
    )
    try:
        cart = turn.basket().added(item, now=turn.now, most=most_of(turn, check))
    except CartRefusalError as refusal:
        refuse(turn, refusal)
        return
    turn.change_cart(cart)
    turn.move(Event.ITEM_ADDED)
    turn.remember(
        product={"id": item.product_id, **({} if item.variation_id is None else {"variation": item.variation_id})}
    )
    turn.tell("add.done", quantity=quantity, name=item_name(item))
    total = sum((one.worth for one in cart.items), Decimal(0))
    turn.show(
        Page(
            body=turn.say("add.total", total=turn.money(Money(total, price.currency))),
            choices=(
                turn.choice("button.checkout", Place.CHECKOUT),
                turn.choice("button.cart", Place.VIEW_CART),
                turn.choice("button.go_on", Place.CATEGORIES),
            ),
        )
    )


async def _not_so(turn: Turn, check: LineCheck, here: int, quantity: int) -> None:
    """What else there is when it cannot be done as it was asked."""
    if check.verdict is Verdict.NOT_FOUND:
        show_gone(turn)
        return
    name = named(await _name(turn, check), check.attributes)
    route = add(check.line.product_id, check.line.variation_id)
    if check.verdict is Verdict.LIMIT and here + quantity < check.min:
        least = check.min - here
        _offer(turn, turn.say("stock.minimum", name=name, count=least), route, least, quantity)
        return
    limits = [limit for limit in (check.available, check.max) if limit is not None]
    left = min(limits) - here if limits and check.verdict in {Verdict.NOT_ENOUGH, Verdict.LIMIT} else 0
    if left > 0:
        words = turn.say("stock.offer", name=name, count=left)
        if here:
            words = turn.say("stock.offer_more", name=name, available=min(limits), here=here, count=left)
        _offer(turn, words, route, left, quantity)
    elif here and check.verdict is not Verdict.UNAVAILABLE:
        _close(turn, turn.say("stock.all_yours", name=name))
    else:
        id_ = "stock.unavailable" if check.verdict is Verdict.UNAVAILABLE else "stock.sold_out"
        _close(turn, turn.say(id_, name=name))


async def _name(turn: Turn, check: LineCheck) -> str:
    if check.name:
        return check.name
    try:
        product: Product = await turn.shop.product(product_id=check.line.product_id)
    except ShopNotFoundError:
        return f"#{check.line.sellable_id}"
    return product.name


def _offer(turn: Turn, body: str, route: Route, count: int, quantity: int) -> None:
    """Less, or more, than was asked: a yes takes it; asked again, the shop is asked again too."""
    turn.show(
        Page(
            body=body,
            choices=(
                turn.choice("button.take", add(route.id or 0, route.variation, count), count=count),
                turn.choice("button.no", Place.KEEP),
                turn.choice("button.cart", Place.VIEW_CART),
            ),
            prompt="offer",
            again=add(route.id or 0, route.variation, quantity),
        )
    )


def _close(turn: Turn, body: str) -> None:
    turn.show(
        Page(
            body=body,
            choices=(
                turn.choice("button.go_on", Place.CATEGORIES),
                turn.choice("button.cart", Place.VIEW_CART),
            ),
        )
    )


def refuse(turn: Turn, refusal: CartRefusalError) -> None:
    """Say why the cart does not take it."""
    id_ = f"cart.refused.{refusal.code}"
    if not turn.texts.knows(id_):
        _close(turn, turn.say("cart.no_such_line"))
        return
    _close(turn, turn.say(id_, most=refusal.facts.get("most", "")))


def most_of(turn: Turn, check: LineCheck) -> int:
    """The most pieces of one line: the shop's own limit first, then the hub's."""
    return min(check.max or turn.policy.most_per_line, turn.policy.most_per_line)


def _already(turn: Turn, product_id: int, variation_id: int | None) -> int:
    return sum(
        one.quantity for one in lines_of(turn.items) if (one.product_id, one.variation_id) == (product_id, variation_id)
    )

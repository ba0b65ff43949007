"""A product's page, its variants, and how it stands in a list."""

from datetime import timedelta

from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.paging import ON_A_PAGE, ON_ONE_SHEET, Leaf, with_borders
from wch.application.dialogue.routes import Place, Route, add, to
from wch.application.dialogue.routes import product as product_route
from wch.application.dialogue.turn import Turn, named
from wch.application.texts import cut
from wch.application.words import normalised
from wch.domain.catalogue import Product, ProductCard, Variant
from wch.domain.conversation import Event
from wch.domain.money import Money
from wch.domain.outgoing import measured
from wch.domain.shop_error import ShopNotFoundError

DESCRIPTION = 600
LONGEST_LINK = 2000

VARIANT_WAITS = timedelta(minutes=30)
"""How long the question for the variant waits."""


def card_row(turn: Turn, card: ProductCard) -> Choice:
    """A product in a list: its name, what it costs, and whether it is there."""
    price = turn.money(card.price_from)
    if card.has_variants:
        price = turn.say("product.from", price=price)
    return Choice(
        route=product_route(card.id),
        title=card.name,
        description=" · ".join(part for part in (price, stock_words(turn, card.stock)) if part),
    )


def stock_words(turn: Turn, stock: int | None) -> str:
    """Whether it is there, and how much of it when that is little."""
    if stock is None or stock > turn.policy.few:
        return turn.say("product.in_stock")
    return turn.say("product.left", count=stock) if stock > 0 else turn.say("product.sold_out")


def price_words(turn: Turn, price: Money, regular: Money) -> str:
    """What it costs, with the old price when it is on sale."""
    if price < regular:
        return turn.say("product.sale", price=turn.money(price), regular=turn.money(regular))
    return turn.money(price)


async def show_product(turn: Turn, product_id: int, variation_id: int | None = None) -> None:
    """One product, or one variant of it, with a way into the cart if there is any left."""
    try:
        product = await turn.shop.product(product_id=product_id)
    except ShopNotFoundError:
        show_gone(turn)
        return
    variant = next((one for one in product.variants if one.id == variation_id), None)
    turn.move(Event.VIEW_PRODUCT)
    turn.viewed.append(product)
    turn.remember(
        product={"id": product.id, **({} if variant is None else {"variation": variant.id})},
    )
    more = product.categories[0] if product.categories else None
    elsewhere = to(Place.CATEGORIES) if more is None else to(Place.CATEGORY, more.id)
    choices = [*_ways_in(turn, product, variant), turn.choice("button.more", elsewhere)]
    if turn.items:
        choices.append(turn.choice("button.cart", Place.VIEW_CART))
    words = _words(turn, product, variant)
    card = None
    if turn.listing is not None:
        card = await turn.listing.card_of(
            product, None if variant is None else variant.id, words, turn.say("list.variants")
        )
    turn.show(Page(body=words, image=_image(product, variant), choices=tuple(choices), card=card))


def _ways_in(turn: Turn, product: Product, variant: Variant | None) -> list[Choice]:
    if variant is not None:
        route = add(product.id, variant.id)
        return [] if variant.is_sold_out else [turn.choice("button.add", route)]
    if product.variants or product.attributes:
        left = any(not one.is_sold_out for one in product.variants)
        return [turn.choice("button.choose", to(Place.VARIANTS, product.id))] if left else []
    return [] if product.is_sold_out else [turn.choice("button.add", add(product.id))]


def _words(turn: Turn, product: Product, variant: Variant | None) -> str:
    if variant is not None:
        name, price = named(product.name, variant.attributes), price_words(turn, variant.price, variant.regular_price)
        stock = variant.stock
    else:
        name, price = product.name, price_words(turn, product.price, product.regular_price)
        stock = product.stock
        if product.variants:
            price = turn.say("product.from", price=price)
    parts = [f"*{name}*", f"{price}\n{stock_words(turn, stock)}", cut(product.description.strip(), DESCRIPTION)]
    return "\n\n".join(part for part in parts if part)


def _image(product: Product, variant: Variant | None) -> str | None:
    """An address that WhatsApp can fetch: https, and not too long."""
    candidates = ((variant.image_url or "",) if variant else ()) + product.images
    return next(
        (url for url in candidates if url.startswith("https://") and " " not in url and measured(url) <= LONGEST_LINK),
        None,
    )


def show_gone(turn: Turn) -> None:
    """Say that the shop has no such product any more."""
    turn.move(Event.BROWSE)
    turn.show(
        Page(
            body=turn.say("product.gone"),
            choices=(turn.choice("button.categories", Place.CATEGORIES), turn.choice("button.menu", Place.MENU)),
        )
    )


async def show_variants(turn: Turn, product_id: int, number: int = 1, *, quantity: int | None = None) -> None:
    """Ask which variant it shall be; with a quantity, choosing puts so many into the cart."""
    try:
        product = await turn.shop.product(product_id=product_id)
    except ShopNotFoundError:
        show_gone(turn)
        return
    left = tuple(variant for variant in product.variants if not variant.is_sold_out)
    turn.move(Event.VIEW_PRODUCT)
    turn.viewed.append(product)
    turn.remember(
        product={"id": product.id, **({} if quantity is None else {"quantity": quantity})},
    )
    if not left:
        turn.show(
            Page(
                body=turn.say("variant.none", name=product.name),
                choices=(turn.choice("button.categories", Place.CATEGORIES),),
            )
        )
        return
    found = _sheet(left, number)
    rows = [
        Choice(
            route=Route(place=Place.VARIANT, id=product.id, variation=variant.id),
            title=", ".join(variant.attributes.values()) or str(variant.id),
            description=f"{turn.money(variant.price)} · {stock_words(turn, variant.stock)}",
        )
        for variant in found.items
    ]
    turn.show(
        Page(
            body=turn.say("variant.ask", name=product.name),
            sheet=turn.say("list.variants"),
            choices=tuple(
                with_borders(
                    turn,
                    rows,
                    found,
                    to(Place.VARIANTS, product.id, page=max(found.number - 1, 1)),
                    to(Place.VARIANTS, product.id, page=found.number + 1),
                )
            ),
            prompt="variant",
            lives=VARIANT_WAITS,
            again=to(Place.VARIANTS, product.id),
        )
    )


def _sheet(variants: tuple[Variant, ...], number: int) -> Leaf[Variant]:
    """So many variants as one sheet takes, else eight at a time."""
    if len(variants) <= ON_ONE_SHEET:
        return Leaf(items=variants)
    first = (number - 1) * ON_A_PAGE
    if first >= len(variants):
        number, first = 1, 0
    shown = variants[first : first + ON_A_PAGE]
    return Leaf(items=shown, number=number, has_next=first + ON_A_PAGE < len(variants))


def variant_of(product: Product, words: str) -> Variant | None:
    """The one variant that these words name by its attributes, all of them or one that tells it apart."""
    said = normalised(words)
    left = [variant for variant in product.variants if not variant.is_sold_out]
    whole = [one for one in left if normalised(" ".join(one.attributes.values())) == said]
    part = [one for one in left if any(normalised(value) == said for value in one.attributes.values())]
    fitting = whole or part
    return fitting[0] if len(fitting) == 1 else None

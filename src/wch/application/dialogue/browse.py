"""Looking around: the menu, categories, lists of products, searching."""

import functools

from wch.application.dialogue.page import Choice, Page
from wch.application.dialogue.paging import Leaf, leaf, with_borders
from wch.application.dialogue.product import card_row, show_product
from wch.application.dialogue.routes import Place, Route, to
from wch.application.dialogue.turn import Turn
from wch.application.texts import NAMES, fit
from wch.application.words import normalised
from wch.domain.catalogue import ProductCard
from wch.domain.conversation import Event
from wch.domain.moment import iso
from wch.domain.shop_error import ShopUnavailableError

LONGEST_SEARCH = 100
EVERYTHING = 0
"""The number of the category that holds all products."""

_SHORTEST_PLURAL = 4


def menu_page(turn: Turn, body: str) -> Page:
    """The menu under these words."""
    rows = (
        ("row.categories", Place.CATEGORIES),
        ("row.search", Place.SEARCH),
        ("row.cart", Place.VIEW_CART),
        ("row.orders", Place.ORDERS),
        ("row.person", Place.HUMAN),
    )
    count = len(turn.items)
    return Page(
        body=body,
        sheet=turn.say("list.menu"),
        choices=tuple(
            Choice(route=to(place), title=turn.say(id_, count=count), description=turn.say(f"{id_}.description"))
            for id_, place in rows
        ),
    )


def show_menu(turn: Turn) -> None:
    """What can be done here."""
    turn.move(Event.BROWSE)
    turn.show(menu_page(turn, turn.say("menu.title")))


async def greet(turn: Turn) -> None:
    """Welcome whoever comes, once in a conversation in full, and show the menu."""
    turn.move(Event.BROWSE)
    if turn.context.get("greeted_at") is None:
        turn.told.append(await _welcome(turn))
        turn.remember(greeted_at=iso(turn.now))
    else:
        turn.tell("welcome.again")
    if not await show_ad(turn):
        turn.show(menu_page(turn, turn.say("menu.title")))


async def show_ad(turn: Turn) -> bool:
    """The page that the advertisement leads to which the message came from; whether there is one."""
    route = turn.ad
    if route is None or route.id is None:
        return False
    if route.place is Place.PRODUCT:
        await show_product(turn, route.id)
    elif route.place is Place.CATEGORY:
        await show_category(turn, route.id, route.page)
    else:
        return False
    return True


async def _welcome(turn: Turn) -> str:
    """A welcome works without the shop too."""
    try:
        shop = (await turn.shop.about()).name
    except ShopUnavailableError:
        return turn.say("welcome.short")
    if not shop:
        return turn.say("welcome.short")
    if turn.profile.name:
        return turn.say("welcome.named", name=fit(turn.profile.name, 40), shop=shop)
    return turn.say("welcome.plain", shop=shop)


def show_help(turn: Turn) -> None:
    """What can be written."""
    turn.show(
        Page(
            body=turn.say("help.text"),
            choices=(
                turn.choice("button.menu", Place.MENU),
                turn.choice("button.person", Place.HUMAN),
            ),
        )
    )


def show_languages(turn: Turn) -> None:
    """The languages, each by its own name."""
    turn.show(
        Page(
            body=turn.say("language.ask"),
            sheet=turn.say("list.languages"),
            choices=tuple(Choice(route=to(Place.LANG, word=code), title=NAMES[code]) for code in turn.policy.languages),
        )
    )


async def show_categories(turn: Turn, parent: int | None = None, number: int = 1) -> None:
    """The categories of the shop, or those below one, a way to all of its products first."""
    name = "categories" if parent is None else f"categories_{parent}"
    found = await leaf(turn, name, functools.partial(turn.shop.categories, parent_id=parent), number)
    if not found.items:
        await show_products(turn, parent or EVERYTHING)
        return
    turn.move(Event.BROWSE)
    rows = [
        Choice(route=to(Place.CATEGORY, category.id), title=category.name, description=f"({category.count})")
        for category in found.items
    ]
    if parent is not None and found.number == 1 and len(rows) < 9:  # noqa: PLR2004 - a row for it, and one for more
        rows.insert(0, turn.choice("row.all_products", to(Place.CATEGORY, parent, page=1)))
    turn.show(
        Page(
            body=turn.say("categories.title" if parent is None else "categories.sub"),
            sheet=turn.say("list.categories"),
            choices=tuple(
                with_borders(
                    turn,
                    rows,
                    found,
                    to(Place.CATEGORIES, parent, page=max(found.number - 1, 1)),
                    to(Place.CATEGORIES, parent, page=found.number + 1),
                )
            ),
        )
    )


async def show_category(turn: Turn, category: int, number: int | None) -> None:
    """What a category holds: its own categories first, else a page of its products."""
    if number is None and category != EVERYTHING:
        below = await turn.shop.categories(parent_id=category, limit=1)
        if below.items:
            await show_categories(turn, category)
            return
    await show_products(turn, category, number or 1)


async def show_products(turn: Turn, category: int, number: int = 1) -> None:
    """A page of the products of a category."""
    fetch = functools.partial(turn.shop.search, category_id=category or None)
    found = await leaf(turn, f"category_{category}", fetch, number)
    if not found.items:
        if category == EVERYTHING:
            turn.move(Event.BROWSE)
            turn.show(menu_page(turn, turn.say("categories.none")))
            return
        turn.tell("category.empty")
        await show_categories(turn)
        return
    _list(
        turn,
        turn.say("products.title"),
        found,
        to(Place.CATEGORY, category, page=max(found.number - 1, 1)),
        to(Place.CATEGORY, category, page=found.number + 1),
    )


def ask_what(turn: Turn) -> None:
    """Ask what to look for."""
    turn.move(Event.BROWSE)
    turn.show(
        Page(
            body=turn.say("search.ask"),
            choices=(turn.choice("button.categories", Place.CATEGORIES), turn.choice("button.menu", Place.MENU)),
            prompt="search",
            numbered=False,
            again=to(Place.SEARCH),
        )
    )


async def search(turn: Turn, words: str, *, number: int = 1) -> None:
    """Look for these words; one hit opens its page, none says so and shows the categories."""
    if not await try_search(turn, words, number=number) and not await show_ad(turn):
        turn.tell("search.none", words=fit(words, LONGEST_SEARCH))
        await show_categories(turn)


async def try_search(turn: Turn, words: str, *, number: int = 1) -> bool:
    """Look for these words and show what is found; whether there was anything."""
    text, found = await _found(turn, words, number)
    if not found.items:
        return False
    if len(found.items) == 1 and found.number == 1 and not found.has_next:
        await show_product(turn, found.items[0].id)
        return True
    page = turn.context.get("page")
    kept = page if isinstance(page, dict) and page.get("route") == "search" else {}
    turn.remember(page={**kept, "route": "search", "number": found.number, "text": text})
    _list(
        turn,
        turn.say("search.results", words=fit(text, LONGEST_SEARCH)),
        found,
        to(Place.SEARCH, page=max(found.number - 1, 1)),
        to(Place.SEARCH, page=found.number + 1),
    )
    return True


async def search_again(turn: Turn, number: int) -> None:
    """Another page of the latest search; the question again when that is forgotten."""
    page = turn.context.get("page")
    words = page.get("text") if isinstance(page, dict) and page.get("route") == "search" else None
    if isinstance(words, str):
        await search(turn, words, number=number)
    else:
        ask_what(turn)


async def _found(turn: Turn, words: str, number: int) -> tuple[str, Leaf[ProductCard]]:
    """What the shop finds for the words as they are, else for their singular forms."""
    page = turn.context.get("page")
    if number == 1 and isinstance(page, dict) and page.get("route") == "search":
        turn.remember(page=None)
    empty: Leaf[ProductCard] = Leaf(items=())
    text = words
    for spelling in spellings(words):
        text = spelling
        found = await leaf(turn, "search", functools.partial(turn.shop.search, text=spelling), number)
        if found.items:
            return text, found
    return text, empty


def spellings(words: str) -> tuple[str, ...]:
    """The words as they were written, then without the endings of a plural."""
    written = words[:LONGEST_SEARCH]
    singular = " ".join(_without(word, "s") for word in written.split())
    shorter = " ".join(_without(word, "es") for word in written.split())
    return tuple(dict.fromkeys((written, singular, shorter)))


def _without(word: str, ending: str) -> str:
    folded = normalised(word)
    long_enough = len(folded) >= _SHORTEST_PLURAL + len(ending) - 1
    return word[: -len(ending)] if long_enough and word.lower().endswith(ending) else word


def _list(turn: Turn, body: str, found: Leaf[ProductCard], previous: Route, following: Route) -> None:
    turn.move(Event.BROWSE)
    rows = [card_row(turn, card) for card in found.items]
    turn.show(
        Page(
            body=body,
            sheet=turn.say("list.products"),
            choices=tuple(with_borders(turn, rows, found, previous, following)),
        )
    )


async def find_products(turn: Turn, words: str) -> tuple[ProductCard, ...]:
    """The products that these words may mean, the one whose very name they are alone."""
    _, found = await _found(turn, words, 1)
    wanted = {normalised(spelling) for spelling in spellings(words)}
    exact = tuple(card for card in found.items if normalised(card.name) in wanted)
    return exact if len(exact) == 1 else found.items

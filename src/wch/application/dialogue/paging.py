"""Lists longer than a sheet: pages whose ids name route and number, cursors kept in the context."""

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

import attrs

from wch.application.dialogue.page import Choice
from wch.application.dialogue.routes import Route
from wch.application.dialogue.turn import Turn
from wch.domain.catalogue import Page as ShopPage
from wch.domain.shop_error import ShopNotFoundError, ShopRefusedError

ON_ONE_SHEET = 10
ON_A_PAGE = 8
WALKED_AT_MOST = 10
KEPT_CURSORS = 12

T = TypeVar("T")


class Fetch(Protocol[T]):
    """A list of the shop's, from a cursor on."""

    async def __call__(self, *, cursor: str | None = None, limit: int = 10) -> ShopPage[T]:
        """The next so many."""
        ...


@attrs.frozen(kw_only=True)
class Leaf(Generic[T]):
    """One page of a list."""

    items: tuple[T, ...]
    number: int = 1
    has_next: bool = False


async def leaf(turn: Turn, name: str, fetch: Fetch[T], number: int) -> Leaf[T]:
    """The page of this number: up to ten that are all there is, else eight at a time.

    The shop's cursors are kept under the list's name; a lost one is walked to, and a page
    that is not there any more is the first.
    """
    if number <= 1:
        everything = await fetch(limit=ON_ONE_SHEET)
        if everything.next is None:
            return Leaf(items=everything.items)
        return await _from(turn, name, fetch, 1, None)
    cursor = _kept(turn, name).get(str(number))
    if cursor is None:
        cursor = await _walk(fetch, number)
    if cursor is None:
        return await leaf(turn, name, fetch, 1)
    try:
        return await _from(turn, name, fetch, number, cursor)
    except (ShopRefusedError, ShopNotFoundError, ValueError):
        return await leaf(turn, name, fetch, 1)


async def _from(turn: Turn, name: str, fetch: Fetch[T], number: int, cursor: str | None) -> Leaf[T]:
    found = await fetch(cursor=cursor, limit=ON_A_PAGE)
    if not found.items and number > 1:
        return await leaf(turn, name, fetch, 1)
    if found.next is not None:
        cursors = {**_kept(turn, name), str(number + 1): found.next}
        latest = dict(list(cursors.items())[-KEPT_CURSORS:])
        turn.remember(page={**_text(turn, name), "route": name, "number": number, "cursors": latest})
    return Leaf(items=found.items, number=number, has_next=found.next is not None)


async def _walk(fetch: Fetch[T], number: int) -> str | None:
    """The cursor of a page that nobody remembers, if it is near enough to be walked to."""
    if number > WALKED_AT_MOST:
        return None
    cursor = None
    for _ in range(number - 1):
        cursor = (await fetch(cursor=cursor, limit=ON_A_PAGE)).next
        if cursor is None:
            return None
    return cursor


def _kept(turn: Turn, name: str) -> Mapping[str, str]:
    page = turn.context.get("page")
    if not isinstance(page, Mapping) or page.get("route") != name:
        return {}
    cursors = page.get("cursors")
    return cursors if isinstance(cursors, Mapping) else {}


def _text(turn: Turn, name: str) -> Mapping[str, str]:
    page = turn.context.get("page")
    if not isinstance(page, Mapping) or page.get("route") != name or "text" not in page:
        return {}
    return {"text": page["text"]}


def with_borders(turn: Turn, choices: list[Choice], found: Leaf[T], previous: Route, following: Route) -> list[Choice]:
    """The rows of a page with those that lead to the pages before and after it."""
    borders = []
    if found.number > 1:
        borders.append(turn.choice("row.previous", previous))
    if found.has_next:
        borders.append(turn.choice("row.next", following))
    return [*choices, *borders]

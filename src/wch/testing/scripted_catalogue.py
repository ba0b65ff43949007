"""A WhatsApp catalogue for tests: it takes everything, unless it was told otherwise, and notes every call."""

from collections import deque
from collections.abc import Mapping, Sequence

from wch.domain.catalogue_item import BatchStatus, CatalogueError, CataloguePage, ListedItem
from wch.domain.document import JsonObject

PAGE = 100


class ScriptedCatalogue:
    """Keeps items by retailer id.

    Attributes:
        held: what it holds: the `data` of each item.
        pushed: the entries of every call that it took, call by call.
        asked: the handles that were asked for, in order.
        refuses: by retailer id why it does not take an item.
        unready: so many questions are answered "not yet".
        failures: what the next calls raise, in order; None lets one through.
    """

    def __init__(self, catalogue_id: str = "77") -> None:
        self.id = catalogue_id
        self.held: dict[str, JsonObject] = {}
        self.pushed: list[tuple[JsonObject, ...]] = []
        self.asked: list[str] = []
        self.refuses: dict[str, str] = {}
        self.unready = 0
        self.failures: deque[CatalogueError | None] = deque()
        self._refused: dict[str, Mapping[str, str]] = {}

    async def push(self, requests: Sequence[JsonObject]) -> str:
        """Take what is not refused."""
        self._fail()
        self.pushed.append(tuple(requests))
        refused: dict[str, str] = {}
        for request in requests:
            name = str(request["data"]["id"])
            if name in self.refuses:
                refused[name] = self.refuses[name]
            elif request["method"] == "DELETE":
                self.held.pop(name, None)
            else:
                self.held[name] = request["data"]
        handle = f"handle-{len(self.pushed)}"
        self._refused[handle] = refused
        return handle

    async def status(self, handle: str) -> BatchStatus:
        """What became of that call."""
        self._fail()
        self.asked.append(handle)
        if self.unready:
            self.unready -= 1
            return BatchStatus(is_finished=False)
        return BatchStatus(is_finished=True, refused=self._refused[handle])

    async def items(self, *, after: str | None = None) -> CataloguePage:
        """Items by retailer id."""
        self._fail()
        names = [name for name in sorted(self.held) if after is None or name > after]
        page = [_listed(self.held[name]) for name in names[:PAGE]]
        return CataloguePage(items=page, next=names[PAGE - 1] if len(names) > PAGE else None)

    def _fail(self) -> None:
        failure = self.failures.popleft() if self.failures else None
        if failure is not None:
            raise failure


def _listed(item: JsonObject) -> ListedItem:
    return ListedItem(
        id=str(item["id"]),
        price=str(item["price"]),
        sale_price=item.get("sale_price"),
        is_available=item["availability"] == "in stock",
        quantity=item.get("quantity_to_sell_on_facebook"),
    )

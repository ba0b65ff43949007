"""The sandbox's routes: the customers, what the business sent, the faults, the clock."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Protocol

import attrs
from litestar import delete, get, post
from litestar.openapi.spec import Example
from litestar.params import Body, PathParameter, QueryParameter

from wch.application.ports import Clock
from wch.application.traces import Trace
from wch.domain.catalogue import Page, ProductCard, Variant
from wch.domain.document import JsonObject
from wch.domain.errors import WchError
from wch.domain.moment import iso
from wch.domain.money import Money, money_to_json
from wch.entrypoints.http.gateways import GatewaysPort
from wch.entrypoints.http.graph import GraphPort
from wch.entrypoints.http.simulated_shop import SimulatedShopPort
from wch.entrypoints.http.tracing import trace_of

WaId = Annotated[str, PathParameter(description="The customer's number, digits only.")]

SHOWN = 30
"""Products in the catalogue of a phone, and variants of each."""

LONGEST = timedelta(days=3650)

_SPAN = re.compile(r"(?:(\d{1,9})d)?(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?\Z", re.ASCII)


class FaultsPort(Protocol):
    """What the routes ask of the faults."""

    def order(
        self, kind: str, *, calls: int, share: float, code: int, seconds: float, asynchronous: bool
    ) -> JsonObject:
        """Let it go wrong."""
        ...

    def listed(self) -> Sequence[JsonObject]:
        """Those that are active."""
        ...

    def clear(self) -> None:
        """Let it go right."""
        ...


class TemplatesPort(Protocol):
    """What the routes ask of the account's templates."""

    def plain(self) -> Sequence[JsonObject]:
        """All of them."""
        ...


class SandboxPort(GraphPort, Protocol):
    """What the routes ask of the sandbox."""

    @property
    def faults(self) -> FaultsPort:
        """What goes wrong."""
        ...

    @property
    def gateways(self) -> GatewaysPort | None:
        """Those who take the money, if they are simulated too."""
        ...

    @property
    def shop(self) -> SimulatedShopPort | None:
        """The WooCommerce shop, if it is simulated too."""
        ...

    @property
    def clock(self) -> Clock:
        """The hub's clock."""
        ...

    async def say(self, wa_id: str, body: JsonObject) -> JsonObject:
        """Say something as a customer."""
        ...

    def read(self, wa_id: str) -> JsonObject:
        """Look at the phone."""
        ...

    def known_as(self, wa_id: str) -> str:
        """The key that the hub gives this customer."""
        ...

    async def set_up(self, wa_id: str, wishes: JsonObject) -> JsonObject:
        """Change what is named of a phone."""
        ...

    async def change_number(self, wa_id: str, new: str) -> JsonObject:
        """Take another number."""
        ...

    def messages(self, wa_id: str) -> Sequence[JsonObject]:
        """What both sides said."""
        ...

    def customers(self) -> Sequence[JsonObject]:
        """The phones."""
        ...

    def graph_log(self, *, after: int = 0) -> Sequence[JsonObject]:
        """The calls."""
        ...

    @property
    def templates(self) -> TemplatesPort:
        """The account's templates."""
        ...

    async def change_template(
        self, name: str, language: str, *, status: str | None = None, quality: str | None = None
    ) -> None:
        """Decide about one."""
        ...

    def deliveries(self, *, after: int = 0) -> Sequence[JsonObject]:
        """What went to the hub."""
        ...

    async def deliver_again(self, number: int, how: str) -> Sequence[int | None]:
        """Let it go once more."""
        ...

    async def begin_anew(self) -> int:
        """Empty everything."""
        ...

    async def advance(self, span: timedelta) -> datetime:
        """Let time pass, with what is due in it."""
        ...


class StatisticsPort(Protocol):
    """What the routes ask about the hub's rows."""

    async def snapshot(self) -> JsonObject:
        """Every table by state."""
        ...


class TracesPort(Protocol):
    """What the routes ask about one customer's rows."""

    async def of(self, number: str) -> Trace | None:
        """All of them."""
        ...


class ShelfPort(Protocol):
    """What the routes ask of the shop."""

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """What is sold."""
        ...

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The ways in which it is."""
        ...


class SpanError(WchError):
    """A span is written like 90s, 5m, 6h, 2d or 1h30m, is longer than nothing and at most ten years."""


def read_span(text: str) -> timedelta:
    """The span that a text names.

    Raises:
        SpanError: it names none.
    """
    found = _SPAN.match(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
    if days > LONGEST.days:
        raise SpanError
    span = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    if not timedelta() < span <= LONGEST:
        raise SpanError
    return span


@attrs.frozen(kw_only=True)
class FaultOrder:
    """A fault to order: its name, for how many calls or which share of them, and its code or seconds if it has them."""

    fault: str
    calls: int = 1
    share: float = 1.0
    code: int = 131000
    seconds: float = 2.0
    asynchronous: bool = False


@attrs.frozen(kw_only=True)
class Advance:
    """How far to move the clock, such as `6h`."""

    advance: str


SAYINGS = [
    Example(summary="a text", value={"type": "text", "text": {"body": "hi"}, "name": "Maria"}),
    Example(summary="a tap on what was offered last", value={"tap": "categories"}),
    Example(
        summary="a button's reply",
        value={
            "type": "interactive",
            "interactive": {"type": "button_reply", "button_reply": {"id": "checkout", "title": "Checkout"}},
        },
    ),
    Example(summary="a place", value={"type": "location", "location": {"latitude": 40.4154, "longitude": -3.7074}}),
]


def sandbox_routes(  # noqa: C901 - a list of routes
    sandbox: SandboxPort, *, statistics: StatisticsPort, traces: TracesPort, shelf: ShelfPort
) -> list[Any]:
    """Every route of the sandbox but the Graph API's."""

    @post("/sandbox/api/customers/{wa_id:str}/messages", status_code=200, summary="Say something as a customer")
    async def say(wa_id: WaId, data: Annotated[dict[str, Any], Body(examples=SAYINGS)]) -> dict[str, Any]:
        """Take the body of a Cloud API message without its envelope, and bring it to the hub, signed, over HTTP."""
        return dict(await sandbox.say(wa_id, data))

    @get("/sandbox/api/customers/{wa_id:str}/messages", summary="What a customer and the business said, in order")
    async def said(wa_id: WaId) -> dict[str, Any]:
        return {"data": sandbox.messages(wa_id)}

    @post("/sandbox/api/customers/{wa_id:str}/read", status_code=200, summary="Look at a customer's phone")
    async def look(wa_id: WaId) -> dict[str, Any]:
        """Report everything on it as read."""
        return dict(sandbox.read(wa_id))

    @get("/sandbox/api/customers", summary="The customers that there are")
    async def customers() -> dict[str, Any]:
        return {"data": sandbox.customers()}

    @get("/sandbox/api/graph-log", summary="Every call to the simulated Graph API, the oldest first")
    async def graph_log(
        after: Annotated[
            int, QueryParameter(name="after", ge=0, description="Only calls after the one of this id.")
        ] = 0,
    ) -> dict[str, Any]:
        return {"data": sandbox.graph_log(after=after)}

    @post("/sandbox/api/faults", status_code=201, summary="Order a fault for the next calls")
    async def order_fault(
        data: Annotated[FaultOrder, Body(examples=[Example(value={"fault": "error", "calls": 3, "code": 131000})])],
    ) -> dict[str, Any]:
        ordered = sandbox.faults.order(
            data.fault,
            calls=data.calls,
            share=data.share,
            code=data.code,
            seconds=data.seconds,
            asynchronous=data.asynchronous,
        )
        return dict(ordered)

    @get("/sandbox/api/faults", summary="The faults that are active")
    async def faults() -> dict[str, Any]:
        return {"data": sandbox.faults.listed()}

    @delete("/sandbox/api/faults", status_code=204, summary="Let nothing go wrong any more")
    async def clear_faults() -> None:
        sandbox.faults.clear()

    @post("/sandbox/api/clock", status_code=200, summary="Move the time forward")
    async def move_clock(data: Annotated[Advance, Body(examples=[Example(value={"advance": "6h"})])]) -> dict[str, Any]:
        """Move the clock of every process on the database, forward only, and do what falls due before answering."""
        return {"now": iso(await sandbox.advance(read_span(data.advance)))}

    @get("/sandbox/api/clock", summary="What time it is")
    async def clock() -> dict[str, Any]:
        return {"now": iso(sandbox.clock.now())}

    @get("/sandbox/api/stats", summary="The hub's rows by table and state")
    async def stats() -> dict[str, Any]:
        return dict(await statistics.snapshot())

    @get("/sandbox/api/customers/{wa_id:str}/trace", summary="What the hub holds of a customer: the rows by table")
    async def trace(wa_id: WaId) -> dict[str, Any]:
        found = await traces.of(sandbox.known_as(wa_id)) or await traces.of(wa_id)
        return {"data": None if found is None else trace_of(found)}

    @get("/sandbox/api/catalogue", summary="What a customer can put into a catalogue order")
    async def catalogue() -> dict[str, Any]:
        return {"data": await _sellables(shelf)}

    routes = [say, said, look, customers, graph_log, order_fault, faults, clear_faults, move_clock, clock, stats]
    routes += [trace, catalogue]
    for route in routes:
        route.tags = ["sandbox"]
    return list(routes)


async def _sellables(shelf: ShelfPort) -> list[JsonObject]:
    """The shop's first products, each of their variants by itself, under the ids that a catalogue has."""
    told: list[JsonObject] = []
    for card in (await shelf.search(limit=SHOWN)).items:
        if not card.has_variants:
            told.append(_sellable(card.id, card.name, card.price_from, card.stock))
            continue
        for variant in (await shelf.variants(product_id=card.id, limit=SHOWN)).items:
            name = f"{card.name}, {', '.join(variant.attributes.values())}"
            told.append(_sellable(variant.id, name, variant.price, variant.stock))
    return told


def _sellable(number: int, name: str, price: Money, stock: int | None) -> JsonObject:
    return {"retailer_id": str(number), "name": name, "price": money_to_json(price), "stock": stock}

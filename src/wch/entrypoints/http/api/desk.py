"""Routes that a desk needs beside the rows: why something was sent, canned replies, products, reminding by hand."""

from datetime import UTC, datetime
from typing import Annotated, Any

import attrs
from litestar import Response, delete, get, post, put
from litestar.params import Body, QueryParameter

from wch.application.conversations import Canned
from wch.application.explaining import Explanation
from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.domain.catalogue import ProductCard
from wch.domain.moment import whole
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, CursorError, Told, cursor, key_of, needs, once, parts_of, sees
from wch.entrypoints.http.api.parameters import After, CannedText, Id, Word
from wch.entrypoints.http.api.views import Amount, MessageView, Page
from wch.entrypoints.shown import plain

At = Annotated[datetime | None, QueryParameter(name="at", description="With the facts of this moment; now otherwise.")]


@attrs.frozen(kw_only=True)
class ExplanationView:
    """Why something was, was not or will be sent, rule by rule."""

    subject: str
    at: datetime
    outcome: str
    until: datetime | None
    reason: str | None
    rules: list[dict[str, Any]]
    history: list[dict[str, Any]]

    @classmethod
    def of(cls, one: Explanation) -> "ExplanationView":
        """This explanation."""
        return cls(
            subject=one.subject,
            at=one.at,
            outcome=one.outcome,
            until=one.until,
            reason=one.reason,
            rules=[dict(plain(rule)) for rule in one.rules],
            history=[dict(plain(step)) for step in one.history],
        )


@attrs.frozen(kw_only=True)
class CannedView:
    """A reply written in advance."""

    name: str
    text: str

    @classmethod
    def of(cls, one: Canned) -> "CannedView":
        """This reply."""
        return cls(name=one.name, text=one.text)


@attrs.frozen(kw_only=True)
class ProductView:
    """A product of the shop as a list shows it."""

    id: int
    name: str
    price_from: Amount
    stock: int | None
    has_variants: bool

    @classmethod
    def of(cls, one: ProductCard) -> "ProductView":
        """This product."""
        price = Amount.of(one.price_from)
        return cls(id=one.id, name=one.name, price_from=price, stock=one.stock, has_variants=one.has_variants)


def desk_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Explanations, canned replies, products, reminding of a cart now."""
    said = Told(
        kind="message",
        id_of=lambda one: one.id,
        read=lambda row: hub.messages.show(int(row)),
        view=lambda one, request: MessageView.of(one, sees=sees(request)),
    )

    def when(at: datetime | None) -> datetime | None:
        """The moment that was asked for, in whole seconds of UTC; one without a zone is UTC."""
        if at is None:
            return None
        try:
            return whole(at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))
        except OverflowError as error:
            raise CursorError("No fact is that old: give a later time.") from error

    @get("/explain/message/{row:int}", opt=needs(KeyScope.READ), summary="Why a message was, was not or will be sent")
    async def message(row: Id, at: At = None) -> ExplanationView:
        return ExplanationView.of(await hub.explaining.message(row, at=when(at)))

    @get("/explain/cart/{row:int}", opt=needs(KeyScope.READ), summary="Why a cart is, was not or will be reminded of")
    async def cart(row: Id, at: At = None) -> ExplanationView:
        return ExplanationView.of(await hub.explaining.cart(row, at=when(at)))

    @get("/explain/recipient/{row:int}", opt=needs(KeyScope.READ), summary="Why somebody gets a broadcast or does not")
    async def recipient(row: Id, at: At = None) -> ExplanationView:
        return ExplanationView.of(await hub.explaining.recipient(row, at=when(at)))

    @get("/explain/notification/{row:int}", opt=needs(KeyScope.READ), summary="Why a notice is sent or is not")
    async def notification(row: Id, at: At = None) -> ExplanationView:
        return ExplanationView.of(await hub.explaining.notification(row, at=when(at)))

    @get("/canned", opt=needs(KeyScope.READ), summary="Replies written in advance, by name")
    async def canned() -> Page[CannedView]:
        return Page(data=[CannedView.of(one) for one in await hub.conversations.canned()], next_cursor=None)

    @put("/canned/{name:str}", opt=needs(KeyScope.MESSAGES), summary="Write a reply in advance, or write it anew")
    async def write(
        request: Asked, name: Word, data: Annotated[CannedText, Body(examples=samples.CANNED)]
    ) -> CannedView:
        return CannedView.of(await hub.conversations.write_canned(name, data.text, by=key_of(request).actor))

    @delete("/canned/{name:str}", opt=needs(KeyScope.MESSAGES), summary="Take a reply written in advance away")
    async def remove(request: Asked, name: Word) -> None:
        await hub.conversations.remove_canned(name, by=key_of(request).actor)

    @get("/products", opt=needs(KeyScope.READ), summary="What the shop sells, in its own order")
    async def products(
        text: Annotated[str | None, QueryParameter(name="text", max_length=100, description="Words to find.")] = None,
        limit: Annotated[int, QueryParameter(name="limit", ge=1, le=30, description="So many at most.")] = 30,
        after: After = None,
    ) -> Page[ProductView]:
        start = parts_of(after, str)
        found = await hub.shop.search(text=text or None, cursor=None if start is None else start[0], limit=limit)
        more = None if found.next is None else cursor(found.next)
        return Page(data=[ProductView.of(one) for one in found.items], next_cursor=more)

    @post(
        "/carts/{cart_id:int}/remind", opt=needs(KeyScope.CARTS), status_code=202, summary="Send the next reminder now"
    )
    async def remind(request: Asked, cart_id: Id) -> Response[MessageView]:
        """Moment, gap and idle time aside every rule holds; `GET /explain/cart/{id}` says which stands in the way."""
        by = key_of(request).actor
        return await once(hub, request, said, hub.reminders, lambda room: room.remind(cart_id, by=by), status=202)

    return [message, cart, recipient, notification, canned, write, remove, products, remind]

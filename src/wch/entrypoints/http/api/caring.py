"""Routes about people's rights: export, erasure, merging, notes, search."""

from typing import Annotated, Any

import attrs
from litestar import Response, get, post
from litestar.params import Body, QueryParameter

from wch.application.customers import Customers
from wch.application.hub import Hub
from wch.application.masks import masked_name
from wch.domain.api_key import KeyScope
from wch.domain.customer import CustomerProfile
from wch.domain.order import ShopCustomer
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, Told, after_id, cursor, key_of, needs, once, sees
from wch.entrypoints.http.api.machine_views import SagaView
from wch.entrypoints.http.api.parameters import After, Because, Block, Id, Key, Limit, Merge, Note, ShopLink, Word
from wch.entrypoints.http.api.rows import customer_of, customer_told, saga_told, thread_told
from wch.entrypoints.http.api.views import ConversationView, CustomerView, MessageView, Page
from wch.entrypoints.shown import plain


@attrs.frozen(kw_only=True)
class HitView:
    """A thread that was found, and the message that had the words, if it was one."""

    conversation: ConversationView
    message: MessageView | None


@attrs.frozen(kw_only=True)
class ShopCustomerView:
    """A customer of the shop; name and e-mail are masked for a key without `pii`."""

    id: int
    name: str | None
    email: str | None

    @classmethod
    def of(cls, one: ShopCustomer, *, sees: bool) -> "ShopCustomerView":
        """This customer."""
        return cls(id=one.id, name=one.name if sees else masked_name(one.name), email=one.email if sees else None)


@attrs.frozen(kw_only=True)
class MergeView:
    """Two customers that are one now; `id` is what undoes it."""

    id: int
    customer: CustomerView


@attrs.frozen(kw_only=True)
class ErasureView:
    """Where an erasure stands; the receipt is there once it is done."""

    id: str
    state: str
    receipt: dict[str, Any] | None


def caring_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Export, erasure, merging, notes, search."""
    customer, saga, thread = customer_told(hub), saga_told(hub), thread_told(hub)

    def _customer(one: CustomerProfile, request: Asked) -> CustomerView:
        return CustomerView.of(one, sees=sees(request), currency=hub.currency)

    async def merged_again(row: str) -> tuple[int, CustomerProfile]:
        merge_id, _, customer_id = row.partition(".")
        return int(merge_id), await customer_of(hub, customer_id)

    async def parted_again(row: str) -> list[CustomerProfile]:
        return [await customer_of(hub, one) for one in row.split(".")]

    merge_told = Told(
        kind="merge",
        id_of=lambda made: f"{made[0]}.{made[1].id}",
        read=merged_again,
        view=lambda made, request: MergeView(id=made[0], customer=_customer(made[1], request)),
    )
    parted_told = Told(
        kind="parted",
        id_of=lambda both: ".".join(str(one.id) for one in both),
        read=parted_again,
        view=lambda both, request: Page(data=[_customer(one, request) for one in both], next_cursor=None),
    )

    @get("/conversations/search", opt=needs(KeyScope.PII), summary="Threads by number, name or words")
    async def search(
        text: Annotated[
            str, QueryParameter(name="text", min_length=1, max_length=200, description="What to look for.")
        ],
        limit: Limit = 50,
        after: After = None,
    ) -> Page[HitView]:
        found = await hub.conversations.search(text, before=after_id(after) or None, limit=limit)
        said = [hit.message for hit in found if hit.message is not None]
        hits = [
            HitView(
                conversation=ConversationView.of(hit.conversation, sees=True),
                message=None if hit.message is None else MessageView.of(hit.message, sees=True),
            )
            for hit in found
        ]
        return Page(data=hits, next_cursor=cursor(said[-1].id) if len(said) == limit else None)

    @post("/conversations/{conversation_id:int}/unassign", opt=needs(KeyScope.MESSAGES), status_code=200)
    async def unassign(request: Asked, conversation_id: Id) -> Response[ConversationView]:
        """Put the thread back into the queue; it still waits for a person."""
        by = key_of(request).actor
        return await once(hub, request, thread, hub.conversations, lambda room: room.unassign(conversation_id, by=by))

    @post("/customers/{key:str}/notes", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Write something down")
    async def note(
        request: Asked, key: Key, data: Annotated[Note, Body(examples=samples.NOTE)]
    ) -> Response[CustomerView]:
        by = key_of(request).actor
        return await once(hub, request, customer, hub.customers, lambda room: room.note(key, data.text, by=by))

    @post(
        "/customers/{key:str}/block", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Block, or lift a block"
    )
    async def block(
        request: Asked, key: Key, data: Annotated[Block, Body(examples=samples.REASON)]
    ) -> Response[CustomerView]:
        """Stop the dialogue and everything that is said by itself; no reason lifts the block."""
        by = key_of(request).actor
        return await once(hub, request, customer, hub.customers, lambda room: room.block(key, data.reason, by=by))

    @get(
        "/customers/{key:str}/shop-customers",
        opt=needs(KeyScope.CUSTOMERS),
        summary="The shop's customers with this number",
    )
    async def shop_customers(request: Asked, key: Key) -> Page[ShopCustomerView]:
        """Asked of the shop now, by id; two or more wait for somebody who says which one it is."""
        found = await hub.customers.shop_customers(key)
        return Page(data=[ShopCustomerView.of(one, sees=sees(request)) for one in found], next_cursor=None)

    @post("/customers/{key:str}/shop-link", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Link, or unlink")
    async def shop_link(
        request: Asked, key: Key, data: Annotated[ShopLink, Body(examples=samples.SHOP_LINK)]
    ) -> Response[CustomerView]:
        """Say which customer of the shop this is; no number takes the link away, and it does not come back by itself."""
        by, number = key_of(request).actor, data.shop_customer

        async def changed(room: Customers) -> CustomerProfile:
            return await (room.unlink(key, by=by) if number is None else room.link(key, number, by=by))

        return await once(hub, request, customer, hub.customers, changed)

    @get("/customers/{key:str}/export", opt=needs(KeyScope.EXPORT), summary="All that is known of a customer")
    async def export(request: Asked, key: Key) -> dict[str, Any]:
        """Every row of every table that is about them; three an hour for each key."""
        by = key_of(request).actor
        await hub.customers.show(key)
        told: dict[str, Any] = plain(await hub.exports.export(key, by=by))
        return told

    @post(
        "/customers/{key:str}/erase", opt=needs(KeyScope.ERASE), status_code=202, summary="Forget a customer for good"
    )
    async def erase(
        request: Asked, key: Key, data: Annotated[Because, Body(examples=samples.REASON)]
    ) -> Response[SagaView]:
        """Begin to take them out of everything that is stored; `GET /erasures/{id}` has the receipt."""
        by = key_of(request).actor
        return await once(
            hub,
            request,
            saga,
            hub.erasures,
            lambda room: room.ask(key, reason=data.reason, by=by),
            status=202,
        )

    @get("/erasures/{erasure_id:str}", opt=needs(KeyScope.ERASE), summary="Where an erasure stands, and its receipt")
    async def erasure(erasure_id: Word) -> ErasureView:
        state = await hub.erasures.state(erasure_id)
        receipt = await hub.erasures.receipt(erasure_id)
        return ErasureView(
            id=state.saga_id, state=state.state.value, receipt=None if receipt is None else dict(plain(receipt))
        )

    @post("/merges", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Make one customer of two")
    async def merge(request: Asked, data: Annotated[Merge, Body(examples=samples.MERGE)]) -> Response[MergeView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            merge_told,
            hub.merges,
            lambda room: room.merge(data.keep, data.gone, by=by, reason=data.reason),
        )

    @post(
        "/merges/{merge_id:int}/undo", opt=needs(KeyScope.CUSTOMERS), status_code=200, summary="Make two of them again"
    )
    async def undo(request: Asked, merge_id: Id) -> Response[Page[CustomerView]]:
        by = key_of(request).actor
        return await once(hub, request, parted_told, hub.merges, lambda room: room.undo(merge_id, by=by))

    return [
        search, unassign, note, block, shop_customers, shop_link, export, erase, erasure, merge, undo,
    ]  # fmt: skip

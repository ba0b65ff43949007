"""Routes about selling: carts, orders, their notices, and the queue to the shop."""

from typing import Annotated, Any

from litestar import Response, get, patch, post
from litestar.params import Body, QueryParameter

from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.domain.cart import Cart, CartStatus
from wch.domain.errors import NotFoundError
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.saga import SagaState
from wch.domain.sync import EntityType, SyncAction, SyncStatus, SyncTask
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import (
    Asked,
    Told,
    after_id,
    after_word,
    etag,
    key_of,
    needs,
    once,
    page,
    sees,
    wanted_version,
)
from wch.entrypoints.http.api.machine_views import SyncTaskView
from wch.entrypoints.http.api.parameters import After, Because, Id, Limit, Quantity, SyncOrder
from wch.entrypoints.http.api.views import CartView, NotificationView, OrderView, Page, PlacementView


def selling_routes(hub: Hub) -> list[Any]:  # noqa: C901 - a list of routes
    """Carts, orders, notices, sync."""

    async def notice_again(row: str) -> Notification:
        found = await hub.database.read(lambda uow: uow.notifications.get(int(row)))
        if found is None:
            raise NotFoundError(kind="notification")
        return found

    async def task_again(row: str) -> SyncTask:
        found = await hub.database.read(lambda uow: uow.sync.get(int(row)))
        if found is None:
            raise NotFoundError(kind="sync task")
        return found

    async def order_again(row: str) -> Any:
        return (await hub.orders.show(int(row)))[0]

    cart_told = Told(
        kind="cart",
        id_of=lambda one: one.id,
        read=lambda row: hub.carts.show(int(row)),
        view=lambda one, request: CartView.of(one, sees=sees(request)),
    )
    order_told = Told(
        kind="order",
        id_of=lambda one: one.id,
        read=order_again,
        view=lambda one, request: OrderView.of(one, [], sees=sees(request)),
    )
    notice_told = Told(
        kind="notification",
        id_of=lambda one: one.id,
        read=notice_again,
        view=lambda one, request: NotificationView.of(one, sees=sees(request)),
    )
    task_told = Told(kind="sync", id_of=lambda one: one.id, read=task_again, view=lambda one, _: SyncTaskView.of(one))

    def _versioned(cart: Cart, request: Asked) -> Response[CartView]:
        return Response(CartView.of(cart, sees=sees(request)), headers=etag(cart.version))

    # --- carts

    @get("/carts", opt=needs(KeyScope.READ), summary="Carts by id")
    async def carts(
        request: Asked,
        status: Annotated[CartStatus | None, QueryParameter(name="status", description="Only these.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[CartView]:
        found = await hub.carts.listed(status=status, after=after_id(after), limit=limit + 1)
        return page(found, limit, lambda one: CartView.of(one, sees=sees(request)), lambda one: (one.id,))

    @get("/carts/{cart_id:int}", opt=needs(KeyScope.READ), summary="One cart; its version is the ETag")
    async def cart(request: Asked, cart_id: Id) -> Response[CartView]:
        return _versioned(await hub.carts.show(cart_id), request)

    @patch("/carts/{cart_id:int}/items", opt=needs(KeyScope.CARTS), summary="Change a line for the customer")
    async def change(
        request: Asked, cart_id: Id, data: Annotated[Quantity, Body(examples=samples.QUANTITY)]
    ) -> Response[CartView]:
        """Set how many of a line there are; with `If-Match` only if nobody changed the cart meanwhile (412)."""
        changed = await hub.carts.set_quantity(
            cart_id,
            product_id=data.product_id,
            variation_id=data.variation_id,
            quantity=data.quantity,
            version=wanted_version(request),
            by=key_of(request).actor,
        )
        return _versioned(changed, request)

    @post("/carts/{cart_id:int}/expire", opt=needs(KeyScope.CARTS), status_code=200, summary="End a cart now")
    async def expire(request: Asked, cart_id: Id) -> Response[CartView]:
        """Its lines stay, so that the customer can have them back."""
        version, by = wanted_version(request), key_of(request).actor
        return await once(hub, request, cart_told, hub.carts, lambda room: room.expire(cart_id, version=version, by=by))

    # --- orders

    @get("/orders", opt=needs(KeyScope.READ), summary="How orders were placed, by the id of their saga")
    async def orders(
        where: Annotated[SagaState | None, QueryParameter(name="state", description="Only these.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[PlacementView]:
        found = await hub.orders.placements(after=after_word(after), limit=limit + 1, state=where)
        return page(found, limit, PlacementView.of, lambda one: (one.saga_id,))

    @get("/orders/{order_id:int}", opt=needs(KeyScope.READ), summary="One order as the shop has it")
    async def order(request: Asked, order_id: Id) -> OrderView:
        found, notices = await hub.orders.show(order_id)
        return OrderView.of(found, list(notices), sees=sees(request))

    @post(
        "/orders/{order_id:int}/cancel",
        opt=needs(KeyScope.ORDERS),
        status_code=200,
        summary="Cancel an order that has not been shipped; the customer is told",
    )
    async def cancel(
        request: Asked, order_id: Id, data: Annotated[Because, Body(examples=samples.REASON)]
    ) -> Response[OrderView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            order_told,
            hub.orders,
            lambda room: room.cancel(order_id, reason=data.reason, by=by),
            row=order_id,
        )

    # --- notices and sync

    @get("/notifications", opt=needs(KeyScope.READ), summary="Notices by id")
    async def notifications(
        request: Asked,
        status: Annotated[NotificationStatus | None, QueryParameter(name="status", description="Only these.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[NotificationView]:
        found = await hub.notifications.listed(status=status, after=after_id(after), limit=limit + 1)
        return page(found, limit, lambda one: NotificationView.of(one, sees=sees(request)), lambda one: (one.id,))

    @post(
        "/notifications/{notification_id:int}/retry",
        opt=needs(KeyScope.ORDERS),
        status_code=200,
        summary="Prepare a notice again that was given up",
    )
    async def retry(request: Asked, notification_id: Id) -> Response[NotificationView]:
        by = key_of(request).actor
        return await once(hub, request, notice_told, hub.notifications, lambda room: room.retry(notification_id, by=by))

    @post(
        "/notifications/{notification_id:int}/resend",
        opt=needs(KeyScope.ORDERS),
        status_code=200,
        summary="Tell once more what was told, as a new notice",
    )
    async def resend(request: Asked, notification_id: Id) -> Response[NotificationView]:
        by = key_of(request).actor
        return await once(
            hub, request, notice_told, hub.notifications, lambda room: room.resend(notification_id, by=by)
        )

    @get("/sync", opt=needs(KeyScope.READ), summary="Rows of the queue to the shop, by id")
    async def sync(
        status: Annotated[SyncStatus | None, QueryParameter(name="status", description="Only these.")] = None,
        limit: Limit = 50,
        after: After = None,
    ) -> Page[SyncTaskView]:
        found = await hub.sync.listed(status=status, after=after_id(after), limit=limit + 1)
        return page(found, limit, SyncTaskView.of, lambda one: (one.id,))

    @post("/sync", opt=needs(KeyScope.ORDERS), status_code=202, summary="Look at one entity again")
    async def enqueue(
        request: Asked, data: Annotated[SyncOrder, Body(examples=samples.SYNC)]
    ) -> Response[SyncTaskView]:
        by = key_of(request).actor
        return await once(
            hub,
            request,
            task_told,
            hub.sync,
            lambda room: room.enqueue(EntityType(data.entity), data.entity_id, SyncAction(data.action), by=by),
            status=202,
        )

    return [
        carts, cart, change, expire, orders, order, cancel, notifications, retry, resend, sync, enqueue,
    ]  # fmt: skip

"""Routes about money that goes back, or came as another amount than was due."""

from typing import Annotated, Any

import attrs
from litestar import Response, post
from litestar.openapi.spec import Example
from litestar.params import Body

from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.domain.ledger import RefundRefusalError
from wch.domain.money import Money, decimal_of
from wch.entrypoints.http.api import samples
from wch.entrypoints.http.api.calls import Asked, Told, key_of, needs, once, sees
from wch.entrypoints.http.api.machine_views import SagaView
from wch.entrypoints.http.api.parameters import Because, Id
from wch.entrypoints.http.api.views import Amount

WISHES = [
    Example(summary="everything", value={"reason": "sent back"}),
    Example(summary="a part", value={"reason": "one mug broke", "amount": {"amount": "9.50", "currency": "EUR"}}),
]


@attrs.frozen(kw_only=True)
class RefundWish:
    """What goes back: everything that is left when no amount is given.

    Attributes:
        booked_in_shop: what people booked back in the shop goes back, as it is booked; it is not booked once more.
    """

    reason: str
    amount: Amount | None = None
    restock: bool = False
    booked_in_shop: bool = False


def _money(told: Amount) -> Money:
    try:
        return Money(decimal_of(told.amount), told.currency)
    except (TypeError, ValueError) as error:
        raise RefundRefusalError(code="not_an_amount") from error


def refund_routes(hub: Hub) -> list[Any]:
    """Refunds, and the amount that an operator accepts."""
    told = Told(
        kind="saga",
        id_of=lambda one: one.saga_id,
        read=hub.sagas.show,
        view=lambda one, request: SagaView.of(one, sees=sees(request)),
    )

    @post(
        "/orders/{order_id:int}/refunds",
        opt=needs(KeyScope.ORDERS),
        status_code=202,
        summary="Give back the money of an order, or a part of it; the customer is told once it is true",
    )
    async def refund(
        request: Asked, order_id: Id, data: Annotated[RefundWish, Body(examples=WISHES)]
    ) -> Response[SagaView]:
        """The same `Idempotency-Key` is the same refund."""
        by = key_of(request).actor
        amount = None if data.amount is None else _money(data.amount)
        key = request.headers.get("idempotency-key") or hub.ids.token()
        return await once(
            hub,
            request,
            told,
            hub.refunds,
            lambda room: room.order(
                order_id,
                amount=amount,
                reason=data.reason,
                restock=data.restock,
                booked_in_shop=data.booked_in_shop,
                key=key,
                by=by,
            ),
            status=202,
        )

    @post(
        "/orders/{order_id:int}/settle",
        opt=needs(KeyScope.ORDERS),
        status_code=200,
        summary="Say that what was refunded or cancelled in the shop went back another way; no money moves",
    )
    async def settle(
        request: Asked, order_id: Id, data: Annotated[Because, Body(examples=samples.REASON)]
    ) -> Response[SagaView]:
        """The placement of the order, with its ledger."""
        by = key_of(request).actor
        return await once(
            hub, request, told, hub.refunds, lambda room: room.settle(order_id, reason=data.reason, by=by)
        )

    @post(
        "/orders/{order_id:int}/accept-amount",
        opt=needs(KeyScope.ORDERS),
        status_code=200,
        summary="Take what came for an order as its payment, though it is another amount",
    )
    async def accept_amount(
        request: Asked, order_id: Id, data: Annotated[Because, Body(examples=samples.REASON)]
    ) -> Response[SagaView]:
        by = key_of(request).actor
        placement = await hub.refunds.placement_of(order_id)
        return await once(
            hub,
            request,
            told,
            hub.sagas,
            lambda room: room.act(placement.saga_id, "accept-amount", by=by, reason=data.reason),
        )

    return [refund, settle, accept_amount]

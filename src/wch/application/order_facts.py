"""Which facts a step of an order or a refund makes, from its saga before and after."""

from collections.abc import Iterator
from typing import Any

from wch.application.facts import (
    OrderCancelled,
    OrderPlaced,
    PaymentCaptured,
    PlacementFailed,
    PlacementParked,
    RefundDone,
)
from wch.application.payment_steps import AWAIT
from wch.domain.money import money_from_json
from wch.domain.saga import Saga, SagaState


def of_placement(before: Saga, after: Saga) -> Iterator[object]:
    """What happened to a placement between these two of its states."""
    if after.is_done(AWAIT) and not before.is_done(AWAIT) and "amount" in after.results[AWAIT]:
        yield PaymentCaptured(
            saga_id=after.saga_id,
            order_id=_order_id(after),
            gateway=after.context["method"],
            amount=money_from_json(after.results[AWAIT]["amount"]),
        )
    if after.state is before.state:
        return
    method, order_id = str(after.context.get("method")), _order_id(after)
    if after.state is SagaState.COMPLETED and order_id is not None:
        due = money_from_json(after.context["money"]["due"])
        yield OrderPlaced(saga_id=after.saga_id, order_id=order_id, total=due)
    elif after.outcome == "compensated":
        reason = str(after.context.get("failure"))
        was_opened = bool(after.results.get("open_payment", {}).get("reference"))
        yield PlacementFailed(saga_id=after.saga_id, gateway=method, reason=reason, was_opened=was_opened)
    elif after.outcome == "parked":
        yield PlacementParked(saga_id=after.saga_id, gateway=method, reason=str(after.context["reason"]))


def of_refund(before: Saga, after: Saga) -> Iterator[object]:
    """What happened to a refund between these two of its states."""
    order_id = int(after.context["order_id"])
    if after.is_done("cancel") and not before.is_done("cancel"):
        yield OrderCancelled(order_id=order_id)
    if after.state is SagaState.COMPLETED and before.state is not SagaState.COMPLETED:
        yield RefundDone(
            saga_id=after.saga_id,
            order_id=order_id,
            gateway=after.context["gateway"],
            amount=money_from_json(after.context["amount"]),
        )


def _order_id(saga: Saga) -> int | None:
    made: Any = saga.results.get("create_order", {}).get("order_id")
    return made if isinstance(made, int) else None

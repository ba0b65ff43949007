"""Orders of WooCommerce in the port's words: lines, statuses, parcels."""

from collections.abc import Sequence

from wch.adapters.woocommerce.bodies import Json, WooLine, WooOrder, rows, text
from wch.domain.money import Money
from wch.domain.order import OrderLine, OrderStatus, Tracking
from wch.domain.quote import Line

TRACKING = "_wc_shipment_tracking_items"

_STATUSES = {
    "pending": OrderStatus.PENDING,
    "on-hold": OrderStatus.ON_HOLD,
    "processing": OrderStatus.PROCESSING,
    "completed": OrderStatus.COMPLETED,
    "cancelled": OrderStatus.CANCELLED,
    "refunded": OrderStatus.REFUNDED,
    "failed": OrderStatus.FAILED,
}


def order_line_of(line: WooLine, order: WooOrder) -> OrderLine:
    """A line with what one piece costs before any discount."""
    worth = line.subtotal + (line.subtotal_tax if order.prices_include_tax else 0)
    pieces = int(line.quantity // 1)
    return OrderLine(
        product_id=line.product_id or 1,
        variation_id=line.variation_id,
        name=line.name,
        sku=line.sku,
        attributes=line.attributes,
        quantity=pieces,
        price=Money.rounded(worth / line.quantity, order.currency),
        total=Money.rounded(worth, order.currency),
    )


def status_of(order: WooOrder) -> OrderStatus:
    """Where it stands; a parcel that can be followed has left."""
    known = _STATUSES.get(order.status)
    if known is None:
        # Plug-ins add their own; the names that people give them say what they mean.
        if "ship" in order.status:
            return OrderStatus.SHIPPED
        return OrderStatus.COMPLETED if "deliver" in order.status else OrderStatus.PROCESSING
    return OrderStatus.SHIPPED if known is OrderStatus.PROCESSING and tracking_of(order) else known


def tracking_of(order: WooOrder) -> tuple[Tracking, ...]:
    """What the shop's plug-in for parcels wrote down."""
    return tuple(
        Tracking(
            carrier=text(row.get("custom_tracking_provider")) or text(row.get("tracking_provider")),
            number=text(row.get("tracking_number")),
            url=text(row.get("custom_tracking_link")) or text(row.get("tracking_link")) or None,
        )
        for row in rows(order.meta.get(TRACKING))
        if text(row.get("tracking_number"))
    )


def lines_of(order: WooOrder) -> tuple[Line, ...]:
    """What was bought."""
    return tuple(
        Line(product_id=line.product_id, variation_id=line.variation_id, quantity=int(line.quantity // 1))
        for line in order.lines
        if line.product_id is not None and line.quantity >= 1
    )


def going_back(order: WooOrder, lines: Sequence[Line]) -> list[Json]:
    """The order's own lines, so many of each, without sums: the amount stands for itself."""
    wanted = {line.sellable_id: line.quantity for line in lines}
    return [
        {"id": line.id, "quantity": wanted[sellable], "refund_total": 0}
        for line in order.lines
        if (sellable := line.variation_id or line.product_id) in wanted and sellable is not None
    ]

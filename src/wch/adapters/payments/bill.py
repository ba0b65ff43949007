"""An order as WhatsApp shows it for review and payment: figures in hundredths that add up exactly."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.domain.document import JsonObject
from wch.domain.moment import unix
from wch.domain.money import Money
from wch.domain.order import Order, OrderLine
from wch.domain.outgoing.payment import Charge, Expiration, OrderItem, Owed
from wch.domain.payment import Payer

NAME = 60
"""Characters that the name of a line may have."""


@attrs.frozen(kw_only=True)
class Provenance:
    """What the law wants to be said of goods that stand in no catalogue on WhatsApp.

    Attributes:
        catalog_id: the catalogue that the goods stand in; then nothing else is needed.
        importer: `country_of_origin`, `importer_name` and `importer_address`, as they go to each line.
    """

    catalog_id: str = ""
    importer: Mapping[str, Any] = attrs.field(factory=dict)


def bill(
    *,
    reference: str,
    order: Order,
    amount: Money,
    customer: Payer,
    ends: datetime,
    provenance: Provenance,
    **paid_by: Any,
) -> Owed:
    """The order over exactly this amount; what its lines and shipping do not explain is tax or discount.

    Args:
        reference: the payment's name.
        order: what was bought.
        amount: what is asked.
        customer: who pays.
        ends: until when it can be paid.
        provenance: where the goods come from.
        paid_by: how, in the fields that `Owed` has for that.
    """
    more: JsonObject = {} if provenance.catalog_id else provenance.importer
    items = tuple(_item(line, more) for line in order.lines)
    subtotal = sum(item.total for item in items)
    shipping = order.shipping.minor()
    rest = amount.minor() - subtotal - shipping
    ships_to = customer.ships_to
    return Owed(
        reference_id=reference,
        goods="digital-goods" if ships_to is None else "physical-goods",
        currency=amount.currency,
        items=items,
        subtotal=subtotal,
        tax=Charge(amount=max(rest, 0)),
        shipping=Charge(amount=shipping) if shipping else None,
        discount=Charge(amount=-rest) if rest < 0 else None,
        total=amount.minor(),
        catalog_id=provenance.catalog_id or None,
        expiration=Expiration(timestamp=str(unix(ends)), description=f"{ends:%Y-%m-%d %H:%M} UTC"),
        status="pending",
        **paid_by,
    )


def _item(line: OrderLine, more: JsonObject) -> OrderItem:
    """A line; one whose total is no multiple of its quantity is one thing, named with its number."""
    name = ", ".join((line.name, *line.attributes.values()))
    total = line.total.minor()
    whole = total % line.quantity == 0
    return OrderItem(
        name=(name if whole else f"{line.quantity} x {name}")[:NAME],
        amount=total // line.quantity if whole else total,
        quantity=line.quantity if whole else 1,
        retailer_id=str(line.variation_id or line.product_id),
        more=more,
    )

"""Orders as the shop keeps them, and the drafts they are made of."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import attrs

from wch.domain.address import Address, address_to_json
from wch.domain.catalogue import positive_id
from wch.domain.moment import utc_seconds
from wch.domain.money import Money, money_to_json
from wch.domain.quote import Buyer, Line, fingerprint


class OrderStatus(StrEnum):
    """Where an order stands in the shop."""

    PENDING = "pending"
    ON_HOLD = "on_hold"
    PROCESSING = "processing"
    SHIPPED = "shipped"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        """Whether nothing of it is still to be done."""
        return self in _OVER


_OVER = frozenset({OrderStatus.COMPLETED, OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.FAILED})


@attrs.frozen(kw_only=True)
class OrderLine:
    """A line of an order, with the price that was agreed; `total` is before any discount."""

    product_id: int = attrs.field(validator=positive_id)
    variation_id: int | None = attrs.field(default=None, validator=positive_id)
    name: str
    sku: str | None = None
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    quantity: int = attrs.field(validator=attrs.validators.ge(1))
    price: Money
    total: Money


@attrs.frozen(kw_only=True)
class Tracking:
    """Where a parcel can be followed."""

    carrier: str
    number: str
    url: str | None = None


@attrs.frozen(kw_only=True)
class Order:
    """An order in the shop.

    Attributes:
        id: the shop's.
        number: as people say it.
        key: the idempotency key that made it, which leads back to its saga; None for a web order.
        status: where it stands.
        own_status: the shop's own word, where it is none of ours, such as `ready-for-pickup`.
        currency: of all its amounts.
        total: what is asked for it.
        lines: what was bought.
        shipping: what the delivery costs.
        phone: who ordered.
        customer_id: the shop's customer; None for a guest.
        paid_at: when the money came; None while it did not.
        refunded: what went back so far.
        tracking: its parcels.
        created_at: when it was made.
        updated_at: its last change.
    """

    id: int = attrs.field(validator=positive_id)
    number: str
    key: str | None = None
    status: OrderStatus
    currency: str
    total: Money
    lines: tuple[OrderLine, ...]
    shipping: Money
    phone: str
    customer_id: int | None = None
    paid_at: datetime | None = attrs.field(default=None, validator=utc_seconds)
    refunded: Money
    tracking: tuple[Tracking, ...] = ()
    own_status: str | None = None
    created_at: datetime = attrs.field(validator=utc_seconds)
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @property
    def status_word(self) -> str:
        """Where it stands, in the shop's own word where it has one that we do not know."""
        return self.own_status or self.status.value


@attrs.frozen(kw_only=True)
class OrderDraft:
    """What an order shall be.

    Attributes:
        customer: who orders.
        address: where to; None when nothing ships.
        lines: what.
        coupon: its code.
        shipping: the id of the shipping method; None when nothing ships.
        fee: what the way of paying costs on top.
        payment_method: the gateway's name.
        note: the customer's words to the shop.
        language: of the customer.
        expected_total: what was shown; another total refuses the order.
        differs: what an order of the shop's differed by from its quote before; part of what was shown.
    """

    customer: Buyer
    address: Address | None = None
    lines: tuple[Line, ...] = attrs.field(validator=attrs.validators.min_len(1))
    coupon: str | None = None
    shipping: str | None = None
    fee: Money | None = None
    payment_method: str
    note: str = ""
    language: str = "en"
    expected_total: Money
    differs: Money | None = None

    def fingerprint(self) -> str:
        """The same for the same draft, however it came: tells a repeated call from a key used twice."""
        return fingerprint(
            {
                "phones": list(self.customer.phones),
                "name": self.customer.name,
                "email": self.customer.email,
                "customer_id": self.customer.customer_id,
                "address": None if self.address is None else address_to_json(self.address),
                "lines": [[line.product_id, line.variation_id, line.quantity] for line in self.lines],
                "coupon": self.coupon,
                "shipping": self.shipping,
                "fee": None if self.fee is None else money_to_json(self.fee),
                "payment_method": self.payment_method,
                "note": self.note,
                "language": self.language,
                "expected_total": money_to_json(self.expected_total),
                **({} if self.differs is None else {"differs": money_to_json(self.differs)}),
            }
        )


@attrs.frozen(kw_only=True)
class Reservation:
    """Goods that are kept for one key; past `until` it holds nothing."""

    key: str
    until: datetime = attrs.field(validator=utc_seconds)


MOST_CUSTOMERS = 10
"""So many customers with one number are told at most: from two on a person has to choose."""


@attrs.frozen(kw_only=True)
class ShopCustomer:
    """A customer whom the shop knows by a number of its own."""

    id: int = attrs.field(validator=positive_id)
    name: str
    email: str | None = None
    addresses: tuple[Address, ...] = ()

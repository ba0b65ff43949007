"""Orders that are paid inside WhatsApp: what is owed, and what became of it. Amounts are hundredths."""

import re
from typing import Any, Self

import attrs

from wch.domain.document import JsonObject
from wch.domain.outgoing.interactive import BODY, FOOTER, Header
from wch.domain.outgoing.limit import counted, formed, limited, refuse

OFFSET = 100
"""Every amount is an integer of so many parts of the currency's unit."""

_REFERENCE = re.compile(r"[A-Za-z0-9_.-]{1,60}\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")

PAYMENT_STATUSES = frozenset({"pending", "captured", "failed"})
STATUSES = frozenset({"pending", "processing", "partially_shipped", "shipped", "completed", "canceled"})
GOODS = frozenset({"digital-goods", "physical-goods"})


@attrs.frozen(kw_only=True)
class OrderItem:
    """A line of an order.

    Attributes:
        amount: the price of one, in hundredths.
        sale_amount: what one costs now, if less.
        more: what a country asks for besides, such as `country_of_origin`.
    """

    name: str = attrs.field(validator=limited(60))
    amount: int = attrs.field(validator=attrs.validators.ge(0))
    quantity: int = attrs.field(validator=attrs.validators.ge(1))
    retailer_id: str | None = attrs.field(default=None, validator=limited(256))
    sale_amount: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))
    more: JsonObject = attrs.field(factory=dict)

    @property
    def total(self) -> int:
        """What the line costs, in hundredths."""
        return (self.amount if self.sale_amount is None else self.sale_amount) * self.quantity


@attrs.frozen(kw_only=True)
class Charge:
    """Tax, shipping or discount, in hundredths."""

    amount: int = attrs.field(validator=attrs.validators.ge(0))
    description: str | None = attrs.field(default=None, validator=limited(60))
    program: str | None = attrs.field(default=None, validator=limited(60))


@attrs.frozen(kw_only=True)
class Expiration:
    """Until when an order can be paid: Unix seconds as text, and what is said then."""

    timestamp: str
    description: str | None = None


@attrs.frozen(kw_only=True)
class Owed:
    """What is to be paid, and how; its figures add up exactly.

    Attributes:
        reference_id: the business's own name of the payment, never used twice.
        goods: `digital-goods` or `physical-goods`.
        total: subtotal + tax + shipping - discount.
        subtotal: the sum of the lines.
        tax: needed, even if it is nothing.
        payment_settings: the gateways, in the provider's own shape.
        payment_type: the older way to name one, with `payment_configuration`.
        shipping_info: India: where it goes to, in a template's button.
        beneficiaries: India: whom shipped goods are for; the law asks for it, nobody is shown it.
        status: `pending` where the provider wants to have it said.
    """

    reference_id: str = attrs.field(validator=formed(_REFERENCE, 60, "letters, digits, `_`, `.` and `-`, at most 60"))
    goods: str = attrs.field(validator=attrs.validators.in_(GOODS))
    currency: str = attrs.field(validator=formed(_CURRENCY, 3, "three capital letters"))
    items: tuple[OrderItem, ...] = attrs.field(validator=counted(999))
    subtotal: int
    tax: Charge
    shipping: Charge | None = None
    discount: Charge | None = None
    total: int
    payment_settings: tuple[JsonObject, ...] = ()
    payment_type: str | None = None
    payment_configuration: str | None = None
    shipping_info: JsonObject | None = None
    beneficiaries: tuple[JsonObject, ...] = ()
    catalog_id: str | None = None
    expiration: Expiration | None = None
    status: str | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.in_(STATUSES)))

    def __attrs_post_init__(self) -> None:
        """The sums hold to the hundredth, as WhatsApp checks them."""
        lines = sum(item.total for item in self.items)
        if self.subtotal != lines:
            refuse("subtotal", lines, self.subtotal, "it is the sum of the lines")
        shipping = 0 if self.shipping is None else self.shipping.amount
        discount = 0 if self.discount is None else self.discount.amount
        total = self.subtotal + self.tax.amount + shipping - discount
        if self.total != total:
            refuse("total", total, self.total, "it is subtotal + tax + shipping - discount")

    def to_json(self) -> JsonObject:
        """As a saga keeps it, until it is said."""
        return attrs.asdict(self)

    @classmethod
    def from_json(cls, stored: JsonObject) -> Self:
        """What was stored."""

        def part(kind: type[Any], name: str) -> Any:
            return None if stored[name] is None else kind(**stored[name])

        told = {
            "items": tuple(OrderItem(**one) for one in stored["items"]),
            "tax": part(Charge, "tax"),
            "shipping": part(Charge, "shipping"),
            "discount": part(Charge, "discount"),
            "payment_settings": tuple(stored["payment_settings"]),
            "beneficiaries": tuple(stored["beneficiaries"]),
            "expiration": part(Expiration, "expiration"),
        }
        return cls(**{**stored, **told})


@attrs.frozen(kw_only=True)
class OrderDetails:
    """Words with an order to be reviewed and paid."""

    body: str = attrs.field(validator=limited(BODY))
    owed: Owed
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))


@attrs.frozen(kw_only=True)
class Paid:
    """What became of an order's payment; `at` is Unix seconds."""

    status: str = attrs.field(validator=attrs.validators.in_(PAYMENT_STATUSES))
    at: int | None = attrs.field(default=None, validator=attrs.validators.optional(attrs.validators.ge(0)))


@attrs.frozen(kw_only=True)
class OrderStatus:
    """Words about an order whose details were sent before."""

    body: str = attrs.field(validator=limited(BODY))
    reference_id: str = attrs.field(validator=formed(_REFERENCE, 60, "letters, digits, `_`, `.` and `-`, at most 60"))
    status: str = attrs.field(validator=attrs.validators.in_(STATUSES))
    description: str | None = attrs.field(default=None, validator=limited(120))
    payment: Paid | None = None
    header: Header | None = None
    footer: str | None = attrs.field(default=None, validator=limited(FOOTER))

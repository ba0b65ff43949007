"""What the shop says of lines and prices: the check of a line, and the quote of a whole order."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

import attrs

from wch.domain.catalogue import is_whole_positive, positive_id
from wch.domain.money import Money, money_to_json


@attrs.frozen(kw_only=True)
class Line:
    """So many of one sellable."""

    product_id: int = attrs.field(validator=positive_id)
    variation_id: int | None = attrs.field(default=None, validator=positive_id)
    quantity: int = attrs.field()

    @quantity.validator
    def _whole(self, _attribute: "attrs.Attribute[int]", value: object) -> None:
        if not is_whole_positive(value):
            message = "a quantity is a whole number of at least 1"
            raise ValueError(message)

    @property
    def sellable_id(self) -> int:
        """The number of what is bought."""
        return self.variation_id or self.product_id


@attrs.frozen(kw_only=True)
class ShortLine:
    """A line that the shop cannot fill, and how many there are."""

    line: Line
    available: int


class Verdict(StrEnum):
    """What the shop says of a line."""

    OK = "ok"
    NOT_FOUND = "not_found"
    UNAVAILABLE = "unavailable"
    VARIANT_REQUIRED = "variant_required"
    OUT_OF_STOCK = "out_of_stock"
    NOT_ENOUGH = "not_enough"
    LIMIT = "limit"


@attrs.frozen(kw_only=True)
class LineCheck:
    """The shop's verdict on a line, with what it costs now.

    Attributes:
        line: what was asked.
        verdict: the answer.
        available: how many can be bought now; None when no count limits it, or nothing is known.
        price: of one piece; None when there is no such product.
        regular_price: of one piece when it is not on sale.
        name: of the product.
        attributes: of the variant.
        needs_shipping: whether it has to be brought to the buyer.
        min: the fewest that one order may hold.
        max: the most; None when the shop sets no limit.
    """

    line: Line
    verdict: Verdict
    available: int | None = None
    price: Money | None = None
    regular_price: Money | None = None
    name: str = ""
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    needs_shipping: bool = True
    min: int = 1
    max: int | None = None

    @property
    def is_ok(self) -> bool:
        """Whether the line can be bought as it is."""
        return self.verdict is Verdict.OK


@attrs.frozen(kw_only=True)
class ShippingMethod:
    """A way to bring the goods; `eta` is said to the customer as the shop words it."""

    id: str = attrs.field(validator=attrs.validators.max_len(100))
    title: str
    price: Money
    eta: str | None = None


@attrs.frozen(kw_only=True)
class Buyer:
    """Who asks for a quote, a coupon or an order.

    Attributes:
        phones: the number that writes, then its variants.
        name: as far as it is known.
        email: if one is known; some coupons ask for it.
        customer_id: the shop's own number of this person, if the two are linked.
    """

    phones: tuple[str, ...]
    name: str = ""
    email: str | None = None
    customer_id: int | None = attrs.field(default=None, validator=positive_id)


@attrs.frozen(kw_only=True)
class QuoteLine:
    """A line as the review shows it; `total` is price times quantity, before any discount."""

    line: Line
    name: str
    attributes: Mapping[str, str] = attrs.field(factory=dict)
    price: Money
    total: Money


@attrs.frozen(kw_only=True)
class Quote:
    """What the shop would charge, part by part.

    `total = subtotal - discount + shipping + fee + rounding (+ tax unless tax_included)`, each
    part but `rounding` at least nothing; anything else cannot be made.

    Attributes:
        fingerprint: a SHA-256 over everything that the customer was shown.
    """

    lines: tuple[QuoteLine, ...]
    subtotal: Money
    discount: Money
    shipping: Money
    tax: Money
    fee: Money
    rounding: Money
    total: Money
    tax_included: bool
    needs_shipping: bool
    shipping_id: str | None = None
    coupon: str | None = None
    fingerprint: str

    def __attrs_post_init__(self) -> None:
        parts = (self.subtotal, self.discount, self.shipping, self.tax, self.fee, self.total)
        if any(part.amount < 0 for part in parts):
            message = "no part of a quote but its rounding is negative"
            raise ValueError(message)
        if Money.total((line.total for line in self.lines), self.total.currency) != self.subtotal:
            message = "the subtotal is the sum of the lines"
            raise ValueError(message)
        if self.total != total_of(self):
            message = "total = subtotal - discount + shipping + fee + rounding (+ tax unless tax_included)"
            raise ValueError(message)

    @classmethod
    def of(
        cls,
        *,
        lines: Iterable[QuoteLine],
        currency: str,
        discount: Money | None = None,
        shipping: Money | None = None,
        tax: Money | None = None,
        fee: Money | None = None,
        rounding: Money | None = None,
        tax_included: bool = False,
        needs_shipping: bool = True,
        shipping_id: str | None = None,
        coupon: str | None = None,
    ) -> "Quote":
        """The quote of these parts; what is not named is nothing. Sums and fingerprint are counted here."""
        nothing = Money.zero(currency)
        shown = tuple(lines)
        subtotal = Money.total((line.total for line in shown), currency)
        parts = {
            "subtotal": subtotal,
            "discount": discount or nothing,
            "shipping": shipping or nothing,
            "tax": tax or nothing,
            "fee": fee or nothing,
            "rounding": rounding or nothing,
        }
        total = (
            subtotal
            - parts["discount"]
            + parts["shipping"]
            + parts["fee"]
            + parts["rounding"]
            + (nothing if tax_included else parts["tax"])
        )
        return cls(
            lines=shown,
            total=total,
            tax_included=tax_included,
            needs_shipping=needs_shipping,
            shipping_id=shipping_id,
            coupon=coupon,
            fingerprint=fingerprint(
                {
                    "lines": [_shown(line) for line in shown],
                    "parts": {name: money_to_json(part) for name, part in parts.items()},
                    "total": money_to_json(total),
                    "tax_included": tax_included,
                    "needs_shipping": needs_shipping,
                    "shipping_id": shipping_id,
                    "coupon": coupon,
                }
            ),
            **parts,
        )

    def differing(self, by: Money) -> "Quote":
        """The same with the shop's own figure: what its order differed by is rounding."""
        return attrs.evolve(
            self,
            rounding=self.rounding + by,
            total=self.total + by,
            fingerprint=differing_fingerprint(self.fingerprint, by),
        )


def differing_fingerprint(of: str, by: Money) -> str:
    """The fingerprint of a quote with this one, once the shop's order differed by so much from it."""
    return fingerprint({"quote": of, "differs": money_to_json(by)})


def total_of(quote: Quote) -> Money:
    """What the parts of the quote add up to."""
    without_tax = quote.subtotal - quote.discount + quote.shipping + quote.fee + quote.rounding
    return without_tax if quote.tax_included else without_tax + quote.tax


def fingerprint(shown: Mapping[str, Any]) -> str:
    """SHA-256 in hex over a JSON object, whatever the order of its keys."""
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _shown(line: QuoteLine) -> dict[str, Any]:
    return {
        "product_id": line.line.product_id,
        "variation_id": line.line.variation_id,
        "quantity": line.line.quantity,
        "name": line.name,
        "attributes": dict(line.attributes),
        "price": money_to_json(line.price),
        "total": money_to_json(line.total),
    }

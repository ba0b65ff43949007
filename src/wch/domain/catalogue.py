"""The catalogue: products as the shop shows them, and what it says of lines, prices and coupons."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, TypeVar

import attrs

from wch.domain.errors import WchError
from wch.domain.moment import utc_seconds
from wch.domain.money import Money, money_to_json

T = TypeVar("T")

LARGEST_ID = 2**63 - 1
LINES_AT_MOST = 50
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")


class ShopError(WchError):
    """The shop cannot do this."""


class ShopUnavailableError(ShopError):
    """The shop cannot be reached now: try again later, and take a write as in doubt."""

    retry_after: timedelta | None

    def __init__(self, retry_after: timedelta | None = None) -> None:
        super().__init__(retry_after=retry_after)


class ShopNotFoundError(ShopError):
    """The shop has nothing under this id."""


class ShopRefusedError(ShopError):
    """The shop refuses this for good; `code` says why."""

    code: str

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(f"The shop refuses this: {code}.", code=code, **facts)


class OutOfStockError(ShopError):
    """The shop has less than was asked for; `lines` says of each short line how much there is."""

    lines: tuple["ShortLine", ...]

    def __init__(self, lines: Iterable["ShortLine"]) -> None:
        super().__init__(lines=tuple(lines))


class KeyReusedError(ShopError):
    """The idempotency key was used before for something else."""


class ShopMisconfiguredError(ShopError):
    """The shop rejects our key or speaks another currency: no retry, an operator must look."""


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_ID


def positive_id(_instance: Any, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse an id that is not a positive 64-bit integer."""
    if value is None:
        return
    if not _is_positive(value):
        message = f"{attribute.name} must be a positive 64-bit integer"
        raise ValueError(message)


def placement_of(key: str) -> str:
    """What a reservation and its order share in their keys: all before the name of the step at the end.

    So `order-7-1700000000-create_order` takes over what `order-7-1700000000-reserve` holds.
    """
    return re.sub(r"[-:][a-z_]+\Z", "", key)


def checked_key(key: str) -> str:
    """The same idempotency key; one of another form raises ValueError."""
    if _KEY.match(key) is None:
        message = "an idempotency key is 1 to 100 characters of A-Z a-z 0-9 _ . : -"
        raise ValueError(message)
    return key


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """One page of an answer; `next` is the cursor of the next, None at the end."""

    items: tuple[T, ...]
    next: str | None = None


@attrs.frozen(kw_only=True)
class ShopFacts:
    """What the shop says of itself.

    Attributes:
        name: as customers know it.
        currency: the one currency that it sells in.
        country: where it is, two letters.
        sells_to: the countries it delivers to, in alphabetical order.
        timezone: its IANA name.
        prices_include_tax: whether the prices shown hold the tax.
    """

    name: str
    currency: str
    country: str
    sells_to: tuple[str, ...]
    timezone: str
    prices_include_tax: bool


@attrs.frozen(kw_only=True)
class Category:
    """A category with at least one product that can be seen, its descendants' included in `count`."""

    id: int = attrs.field(validator=positive_id)
    name: str
    parent_id: int | None = attrs.field(default=None, validator=positive_id)
    count: int


@attrs.frozen(kw_only=True)
class Attribute:
    """A property that the variants of a product differ in, such as Size: S, M, L."""

    name: str
    options: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Sellable:
    """What can be put in a cart: a simple product, or a variant of one."""

    product_id: int = attrs.field(validator=positive_id)
    variation_id: int | None = attrs.field(default=None, validator=positive_id)

    @property
    def id(self) -> int:
        """The one number that names it."""
        return self.variation_id or self.product_id


@attrs.frozen(kw_only=True)
class ProductCard:
    """A product in a list.

    Attributes:
        id: its number.
        name: its name.
        price_from: what it costs now; of variants, the cheapest.
        regular_from: what that one costs when it is not on sale.
        stock: how many can be bought now; None when no count limits it.
        image_url: its first image.
        has_variants: whether one must be chosen before it can be bought.
    """

    id: int = attrs.field(validator=positive_id)
    name: str
    price_from: Money
    regular_from: Money
    stock: int | None
    image_url: str | None = None
    has_variants: bool = False


@attrs.frozen(kw_only=True)
class Variant:
    """One way in which a product can be bought; `stock` as in `ProductCard`."""

    id: int = attrs.field(validator=positive_id)
    product_id: int = attrs.field(validator=positive_id)
    attributes: Mapping[str, str]
    sku: str | None = None
    price: Money
    regular_price: Money
    stock: int | None
    image_url: str | None = None

    @property
    def is_sold_out(self) -> bool:
        """Whether none can be bought now."""
        return self.stock is not None and self.stock <= 0


@attrs.frozen(kw_only=True)
class Product:
    """A product with all that its page shows.

    Attributes:
        id: its number.
        name: its name.
        description: plain text.
        sku: the shop's own article number.
        price: what it costs now; of variants, the cheapest.
        regular_price: what that one costs when it is not on sale.
        stock: how many can be bought now; None when no count limits it.
        min: the fewest that one order may hold.
        max: the most; None when the shop sets no limit.
        needs_shipping: whether it has to be brought to the buyer.
        images: addresses, the first is the main one.
        url: its page in the shop.
        brand: its maker.
        categories: where it is found.
        attributes: what its variants differ in.
        variants: the first hundred.
        updated_at: the last change, in the shop's eyes.
    """

    id: int = attrs.field(validator=positive_id)
    name: str
    description: str = ""
    sku: str | None = None
    price: Money
    regular_price: Money
    stock: int | None
    min: int = 1
    max: int | None = None
    needs_shipping: bool = True
    images: tuple[str, ...] = ()
    url: str | None = None
    brand: str | None = None
    categories: tuple[Category, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    variants: tuple[Variant, ...] = ()
    updated_at: datetime = attrs.field(validator=utc_seconds)

    @property
    def is_sold_out(self) -> bool:
        """Whether none can be bought now."""
        return self.stock is not None and self.stock <= 0


@attrs.frozen(kw_only=True)
class Line:
    """So many of one sellable."""

    product_id: int = attrs.field(validator=positive_id)
    variation_id: int | None = attrs.field(default=None, validator=positive_id)
    quantity: int = attrs.field()

    @quantity.validator
    def _whole(self, _attribute: "attrs.Attribute[int]", value: object) -> None:
        if not _is_positive(value):
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


class CouponReason(StrEnum):
    """Why a coupon does not hold, in the order in which it is tested."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    USED_UP = "used_up"
    USED_BY_CUSTOMER = "used_by_customer"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    PRODUCTS = "products"
    CATEGORIES = "categories"
    SALE_ITEMS = "sale_items"
    EMAIL = "email"
    NOT_COMBINABLE = "not_combinable"


@attrs.frozen(kw_only=True)
class CouponVerdict:
    """What the shop says of a coupon; `reason` is None exactly when it is `ok`."""

    code: str
    ok: bool
    reason: CouponReason | None = None
    discount: Money
    title: str = ""


@attrs.frozen(kw_only=True)
class CouponSpec:
    """A coupon to be made: either `percent` or `amount` off.

    Attributes:
        prefix: the code begins with it.
        percent: of the lines that qualify, above 0 and at most 100.
        amount: off the lines that qualify.
        expires_at: from then on it is `expired`.
        uses: how many orders may use it.
        minimum: the subtotal that it needs.
        email: the only one who may use it.
    """

    prefix: str = attrs.field(validator=attrs.validators.matches_re(r"[A-Z0-9-]{1,40}"))
    percent: Decimal | None = None
    amount: Money | None = None
    expires_at: datetime = attrs.field(validator=utc_seconds)
    uses: int = attrs.field(default=1, validator=attrs.validators.ge(1))
    minimum: Money | None = None
    email: str | None = None

    def __attrs_post_init__(self) -> None:
        if (self.percent is None) == (self.amount is None):
            message = "a coupon takes off either a percentage or an amount"
            raise ValueError(message)
        if self.percent is not None and not 0 < self.percent <= 100:  # noqa: PLR2004 - per cent
            message = "a percentage is above 0 and at most 100"
            raise ValueError(message)
        if self.amount is not None and self.amount.amount <= 0:
            message = "an amount off is positive"
            raise ValueError(message)


@attrs.frozen(kw_only=True)
class Coupon:
    """A coupon that the shop knows."""

    code: str


class ChangeKind(StrEnum):
    """What changed in the shop."""

    PRODUCT = "product"
    VARIANT = "variant"
    ORDER = "order"


@attrs.frozen(kw_only=True)
class Change:
    """Something in the shop is not what it was; read it again."""

    kind: ChangeKind
    id: int = attrs.field(validator=positive_id)
    deleted: bool = False


@attrs.frozen(kw_only=True)
class Changes:
    """What changed since a cursor: everything at least once; `cursor` asks for what comes after."""

    items: tuple[Change, ...]
    cursor: str

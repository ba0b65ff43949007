"""The catalogue: products as the shop shows them, and what is new and what changed there."""

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import attrs

from wch.domain.moment import utc_seconds
from wch.domain.money import Money

T = TypeVar("T")

LARGEST_ID = 2**63 - 1
LINES_AT_MOST = 50
_KEY = re.compile(r"[A-Za-z0-9_.:-]{1,100}\Z")


def is_whole_positive(value: object) -> bool:
    """Whether this is a positive integer of 64 bits."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= LARGEST_ID


def positive_id(_instance: Any, attribute: "attrs.Attribute[Any]", value: object) -> None:
    """Refuse an id that is not a positive 64-bit integer."""
    if value is None:
        return
    if not is_whole_positive(value):
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
class Arrival:
    """A product that is new in the shop.

    Attributes:
        categories: those that it was put in.
        published_at: since when it can be bought.
    """

    id: int = attrs.field(validator=positive_id)
    name: str
    categories: tuple[int, ...] = ()
    published_at: datetime = attrs.field(validator=utc_seconds)


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

"""WooCommerce's bodies as they come: texts, numbers and nothing for the same field, read into one form each."""

import html
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from math import floor
from typing import Any

import attrs

from wch.domain.catalogue import LARGEST_ID
from wch.domain.moment import of_iso
from wch.domain.shop_error import ShopUnavailableError

Json = Mapping[str, Any]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAG = re.compile(r"<[^>]*>")
_BREAK = re.compile(r"(?i)<br\s*/?>|</(?:p|div|li|h[1-6])>")
_SPACES = re.compile(r"[ \t\r\f\v\xa0]+")
_LINES = re.compile(r"\s*\n\s*")


# --- looking for a value: the right kind, or nothing


def text(value: Any) -> str:
    """The text; numbers as their digits, anything else as no text."""
    if isinstance(value, bool):
        return ""
    return str(value) if isinstance(value, (str, int, Decimal)) else ""


def plain(value: Any) -> str:
    """A text for people, without markup, entities and NUL."""
    told = html.unescape(_TAG.sub("", _BREAK.sub("\n", text(value)))).replace("\x00", "")
    return _LINES.sub("\n", _SPACES.sub(" ", told)).strip()


def named(value: Any) -> str:
    """A name: entities become letters, and nothing else is taken away."""
    return html.unescape(text(value)).replace("\x00", "").strip()


def number(value: Any) -> int | None:
    """A positive id."""
    digits = text(value)
    if (
        digits.isascii()
        and digits.isdecimal()
        and len(digits) <= len(str(LARGEST_ID))
        and 0 < int(digits) <= LARGEST_ID
    ):
        return int(digits)
    return None


def decimal(value: Any) -> Decimal | None:
    """An exact figure; None for an empty text, and for what is none."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)) or value == "":
        return None
    try:
        read = Decimal(value)
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def moment(value: Any) -> datetime | None:
    """A `_gmt` date: UTC without saying so."""
    try:
        return of_iso(value) if isinstance(value, str) and value else None
    except ValueError:
        return None


def rows(value: Any) -> list[Json]:
    """The objects of a list."""
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []


def part(value: Any) -> Json:
    """The object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def _id(body: Json) -> int:
    found = number(body.get("id"))
    if found is None:
        raise ShopUnavailableError
    return found


def meta_of(body: Json) -> dict[str, Any]:
    """What plug-ins and we wrote on it; of a name that comes twice, the last."""
    return {text(row.get("key")): row.get("value") for row in rows(body.get("meta_data"))}


# --- what is sold


@attrs.frozen(kw_only=True)
class WooProduct:
    """A product or a variation.

    Attributes:
        stock: pieces, fractions floored; None when they are not counted.
        counted_by_parent: the parent's count is the one to guard.
        in_stock: what the shop says where nothing is counted.
    """

    id: int
    parent_id: int | None
    type: str
    status: str
    visibility: str
    name: str
    description: str
    sku: str | None
    price: Decimal | None
    regular_price: Decimal | None
    on_sale: bool
    purchasable: bool
    is_virtual: bool
    is_downloadable: bool
    counted: bool
    counted_by_parent: bool
    stock: int | None
    in_stock: bool
    backorders: bool
    min: int
    max: int | None
    images: tuple[str, ...]
    url: str | None
    brand: str | None
    categories: tuple[tuple[int, str], ...]
    attributes: tuple[tuple[str, str, tuple[str, ...], bool], ...]
    variation_ids: tuple[int, ...]
    menu_order: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def read(cls, body: Json) -> "WooProduct":
        """Of `/products`, of `/products/N/variations`, or of a delivery."""
        manage, quantity = body.get("manage_stock"), decimal(body.get("stock_quantity"))
        counted = manage is True or manage == "parent"
        meta = meta_of(body)
        most = decimal(meta.get("maximum_allowed_quantity"))
        least = decimal(meta.get("minimum_allowed_quantity"))
        alone = body.get("sold_individually") is True
        kind = text(body.get("type")) or ("variation" if "parent_id" in body or "image" in body else "simple")
        return cls(
            id=_id(body),
            parent_id=number(body.get("parent_id")),
            type=kind,
            status=text(body.get("status")) or "publish",
            visibility=text(body.get("catalog_visibility")) or "visible",
            name=named(body.get("name")),
            description=plain(body.get("description")) or plain(body.get("short_description")),
            sku=text(body.get("sku")) or None,
            price=decimal(body.get("price")),
            regular_price=decimal(body.get("regular_price")),
            on_sale=body.get("on_sale") is True,
            purchasable=body.get("purchasable") not in (False, 0, "0", ""),
            is_virtual=body.get("virtual") is True,
            is_downloadable=body.get("downloadable") is True,
            counted=counted and quantity is not None,
            counted_by_parent=manage == "parent",
            stock=floor(quantity) if counted and quantity is not None else None,
            in_stock=text(body.get("stock_status")) != "outofstock" and body.get("in_stock") is not False,
            backorders=text(body.get("backorders")) in ("yes", "notify") or body.get("backorders_allowed") is True,
            min=max(int(least), 1) if least is not None else 1,
            max=1 if alone else int(most) if most is not None and most >= 1 else None,
            images=_images(body),
            url=text(body.get("permalink")) or None,
            brand=next((named(brand.get("name")) for brand in rows(body.get("brands"))), None),
            categories=tuple(
                (found, named(row.get("name")))
                for row in rows(body.get("categories"))
                if (found := number(row.get("id"))) is not None
            ),
            attributes=tuple(_attribute(row) for row in rows(body.get("attributes"))),
            variation_ids=_numbers(body.get("variations")),
            menu_order=int(decimal(body.get("menu_order")) or 0),
            created_at=moment(body.get("date_created_gmt")) or moment(body.get("date_created")) or EPOCH,
            updated_at=moment(body.get("date_modified_gmt")) or moment(body.get("date_created_gmt")) or EPOCH,
        )

    @property
    def guarded_id(self) -> int:
        """The number whose count is guarded."""
        return self.parent_id if self.counted_by_parent and self.parent_id is not None else self.id

    @property
    def is_published(self) -> bool:
        """Whether buyers can see it."""
        return self.status == "publish"

    @property
    def needs_shipping(self) -> bool:
        """Whether it has to be brought to the buyer."""
        return not self.is_virtual


def _numbers(value: Any) -> tuple[int, ...]:
    return tuple(found for one in value if (found := number(one)) is not None) if isinstance(value, list) else ()


def _images(body: Json) -> tuple[str, ...]:
    several = rows(body.get("images")) or [part(body.get("image"))]
    return tuple(text(row.get("src")) for row in several if text(row.get("src")))


def _attribute(row: Json) -> tuple[str, str, tuple[str, ...], bool]:
    options = row.get("options")
    return (
        named(row.get("name")),
        named(row.get("option")),
        tuple(named(one) for one in options) if isinstance(options, list) else (),
        row.get("variation") is True,
    )


# --- what is ordered


@attrs.frozen(kw_only=True)
class WooLine:
    """A line of an order; its worth is `subtotal`, never `price` times `quantity`."""

    id: int | None
    product_id: int | None
    variation_id: int | None
    name: str
    sku: str | None
    quantity: Decimal
    subtotal: Decimal
    subtotal_tax: Decimal
    attributes: Mapping[str, str]

    @classmethod
    def read(cls, body: Json) -> "WooLine":
        """Of `line_items`."""
        return cls(
            id=number(body.get("id")),
            product_id=number(body.get("product_id")),
            variation_id=number(body.get("variation_id")),
            name=named(body.get("parent_name")) or named(body.get("name")),
            sku=text(body.get("sku")) or None,
            quantity=decimal(body.get("quantity")) or Decimal(0),
            subtotal=decimal(body.get("subtotal")) or decimal(body.get("total")) or Decimal(0),
            subtotal_tax=decimal(body.get("subtotal_tax")) or Decimal(0),
            attributes={
                named(row.get("display_key") or row.get("key")).removeprefix("pa_"): named(row.get("display_value"))
                for row in rows(body.get("meta_data"))
                if isinstance(row.get("display_value"), str) and not text(row.get("key")).startswith("_")
            },
        )


@attrs.frozen(kw_only=True)
class WooOrder:
    """An order with what plug-ins and we wrote on it."""

    id: int
    number: str
    status: str
    currency: str
    total: Decimal
    total_tax: Decimal
    shipping_total: Decimal
    shipping_tax: Decimal
    prices_include_tax: bool
    customer_id: int | None
    customer_note: str
    billing: Json
    shipping: Json
    lines: tuple[WooLine, ...]
    refunded: Decimal
    transaction_id: str
    payment_method: str
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime
    meta: Mapping[str, Any] = attrs.field(repr=False)

    @classmethod
    def read(cls, body: Json) -> "WooOrder":
        """Of `/orders`, or of a delivery."""
        created = moment(body.get("date_created_gmt")) or moment(body.get("date_created")) or EPOCH
        found = _id(body)
        return cls(
            id=found,
            number=text(body.get("number")) or str(found),
            status=text(body.get("status")).removeprefix("wc-"),
            currency=text(body.get("currency")),
            total=decimal(body.get("total")) or Decimal(0),
            total_tax=decimal(body.get("total_tax")) or Decimal(0),
            shipping_total=decimal(body.get("shipping_total")) or Decimal(0),
            shipping_tax=decimal(body.get("shipping_tax")) or Decimal(0),
            prices_include_tax=body.get("prices_include_tax") is True,
            customer_id=number(body.get("customer_id")),
            customer_note=plain(body.get("customer_note")),
            billing=part(body.get("billing")),
            shipping=part(body.get("shipping")),
            lines=tuple(WooLine.read(row) for row in rows(body.get("line_items"))),
            refunded=-sum((decimal(row.get("total")) or Decimal(0) for row in rows(body.get("refunds"))), Decimal(0)),
            transaction_id=text(body.get("transaction_id")),
            payment_method=text(body.get("payment_method")),
            paid_at=moment(body.get("date_paid_gmt")),
            created_at=created,
            updated_at=moment(body.get("date_modified_gmt")) or created,
            meta=meta_of(body),
        )

    @property
    def phone(self) -> str:
        """Who ordered, as it was typed."""
        return text(self.billing.get("phone")) or text(self.shipping.get("phone"))


@attrs.frozen(kw_only=True)
class WooRefund:
    """A refund of an order."""

    id: int
    amount: Decimal
    reason: str
    meta: Mapping[str, Any]

    @classmethod
    def read(cls, body: Json) -> "WooRefund":
        """Of `/orders/N/refunds`, or of an order's `refunds`."""
        amount = decimal(body.get("amount"))
        return cls(
            id=_id(body),
            amount=abs(decimal(body.get("total")) or Decimal(0)) if amount is None else abs(amount),
            reason=plain(body.get("reason")),
            meta=meta_of(body),
        )


@attrs.frozen(kw_only=True)
class WooCoupon:
    """A coupon with its conditions; None where there is none."""

    id: int
    code: str
    status: str
    kind: str
    amount: Decimal
    expires_at: datetime | None
    used: int
    uses_at_most: int | None
    uses_per_customer: int | None
    used_by: tuple[str, ...]
    minimum: Decimal | None
    maximum: Decimal | None
    product_ids: frozenset[int]
    excluded_product_ids: frozenset[int]
    category_ids: frozenset[int]
    excluded_category_ids: frozenset[int]
    excludes_sale: bool
    emails: tuple[str, ...]
    description: str
    meta: Mapping[str, Any]

    @classmethod
    def read(cls, body: Json) -> "WooCoupon":
        """Of `/coupons`."""
        used_by = body.get("used_by")
        emails = body.get("email_restrictions")
        return cls(
            id=_id(body),
            code=text(body.get("code")).upper(),
            status=text(body.get("status")) or "publish",
            kind=text(body.get("discount_type")) or "fixed_cart",
            amount=decimal(body.get("amount")) or Decimal(0),
            expires_at=moment(body.get("date_expires_gmt")),
            used=int(decimal(body.get("usage_count")) or 0),
            uses_at_most=_bound(body.get("usage_limit")),
            uses_per_customer=_bound(body.get("usage_limit_per_user")),
            used_by=tuple(text(one) for one in used_by) if isinstance(used_by, list) else (),
            minimum=decimal(body.get("minimum_amount")) or None,
            maximum=decimal(body.get("maximum_amount")) or None,
            product_ids=frozenset(_numbers(body.get("product_ids"))),
            excluded_product_ids=frozenset(_numbers(body.get("excluded_product_ids"))),
            category_ids=frozenset(_numbers(body.get("product_categories"))),
            excluded_category_ids=frozenset(_numbers(body.get("excluded_product_categories"))),
            excludes_sale=body.get("exclude_sale_items") is True,
            emails=tuple(text(one) for one in emails if text(one)) if isinstance(emails, list) else (),
            description=plain(body.get("description")),
            meta=meta_of(body),
        )


def _bound(value: Any) -> int | None:
    read = decimal(value)
    return int(read) if read is not None and read > 0 else None


@attrs.frozen(kw_only=True)
class WooCustomer:
    """A customer with an account."""

    id: int
    email: str
    first_name: str
    last_name: str
    billing: Json
    shipping: Json

    @classmethod
    def read(cls, body: Json) -> "WooCustomer":
        """Of `/customers`."""
        return cls(
            id=_id(body),
            email=text(body.get("email")),
            first_name=named(body.get("first_name")),
            last_name=named(body.get("last_name")),
            billing=part(body.get("billing")),
            shipping=part(body.get("shipping")),
        )


@attrs.frozen(kw_only=True)
class WooNote:
    """A note on an order; `for_customer` ones were sent to the buyer."""

    id: int
    text: str
    for_customer: bool

    @classmethod
    def read(cls, body: Json) -> "WooNote":
        """Of `/orders/N/notes`."""
        return cls(id=_id(body), text=plain(body.get("note")), for_customer=body.get("customer_note") is True)


@attrs.frozen(kw_only=True)
class WooWebhook:
    """A webhook as the shop has it."""

    id: int
    name: str
    status: str
    topic: str
    delivery_url: str

    @classmethod
    def read(cls, body: Json) -> "WooWebhook":
        """Of `/webhooks`."""
        return cls(
            id=_id(body),
            name=plain(body.get("name")),
            status=text(body.get("status")),
            topic=text(body.get("topic")),
            delivery_url=text(body.get("delivery_url")),
        )


@attrs.frozen(kw_only=True)
class WooError:
    """What the shop says when it refuses."""

    code: str
    message: str
    status: int | None

    @classmethod
    def read(cls, body: Json) -> "WooError":
        """Of any answer that is none of success."""
        return cls(
            code=text(body.get("code")),
            message=plain(body.get("message")),
            status=number(part(body.get("data")).get("status")),
        )

"""Coupons: what the shop says of one, and one to be made."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import attrs

from wch.domain.moment import utc_seconds
from wch.domain.money import Money


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


class CouponRemoval(StrEnum):
    """What became of a coupon that was to be taken back."""

    REMOVED = "removed"
    USED = "used"
    UNKNOWN = "unknown"

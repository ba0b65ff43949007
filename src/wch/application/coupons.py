"""Coupons that a message brings: what is offered, and how it is said."""

from datetime import datetime
from decimal import Decimal

import attrs

from wch.application.texts import Texts
from wch.domain.money import Money


@attrs.frozen(kw_only=True)
class Offered:
    """The coupon that a message brings."""

    code: str
    discount: Decimal | Money
    ends_at: datetime


def coupon_values(texts: Texts, coupon: Offered | None, zone: str) -> dict[str, str]:
    """What a template's variables about a coupon stand for."""
    if coupon is None:
        return {}
    off = coupon.discount
    return {
        "coupon_code": coupon.code,
        "discount_text": texts.money(off) if isinstance(off, Money) else f"{off.normalize():f} %",
        "coupon_ends": texts.date(coupon.ends_at, zone),
    }

"""Coupons that are made on request: the same key always gives the same one."""

import hashlib
import hmac

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import IntegrityError

from wch.adapters.local_shop.till import Till
from wch.domain.catalogue import checked_key
from wch.domain.coupon import Coupon, CouponRemoval, CouponSpec
from wch.domain.shop_error import KeyReusedError, ShopMisconfiguredError


def code_of(secret: bytes, key: str, prefix: str) -> str:
    """The prefix, then 8 hex digits that only this shop can make of the key."""
    return f"{prefix}{hmac.new(secret, key.encode(), hashlib.sha256).hexdigest()[:8].upper()}"


def create(till: Till, secret: bytes, key: str, spec: CouponSpec) -> Coupon:
    """The coupon of this key, made now or before."""
    table = till.tables.coupons
    code = code_of(secret, checked_key(key), spec.prefix)
    amounts = [money for money in (spec.amount, spec.minimum) if money is not None]
    if any(money.currency != till.currency for money in amounts):
        raise ShopMisconfiguredError
    row = {
        "code": code,
        "idempotency_key": key,
        "percent_hundredths": None if spec.percent is None else int(spec.percent * 100),
        "amount": None if spec.amount is None else spec.amount.minor(),
        "expires_at": spec.expires_at,
        "uses_at_most": spec.uses,
        "minimum": None if spec.minimum is None else spec.minimum.minor(),
        "email": spec.email,
    }
    known = till.row(select(table).where(table.c.idempotency_key == key))
    if known is None:
        try:
            till.connection.execute(insert(table).values(**row))
        except IntegrityError:
            known = till.row(select(table).where(table.c.idempotency_key == key))
            if known is None:
                raise
    if known is not None and any(known._mapping[name] != value for name, value in row.items()):  # noqa: SLF001 - SQLAlchemy's public name
        raise KeyReusedError
    return Coupon(code=code)


def remove(till: Till, key: str) -> CouponRemoval:
    """Take back the coupon of this key, unless somebody used it."""
    coupons, uses = till.tables.coupons, till.tables.coupon_uses
    known = till.row(select(coupons.c.id).where(coupons.c.idempotency_key == key))
    if known is None:
        return CouponRemoval.UNKNOWN
    used = select(uses.c.id).where(uses.c.coupon_id == coupons.c.id).exists()
    gone = till.change(delete(coupons).where(coupons.c.idempotency_key == key, ~used))
    return CouponRemoval.REMOVED if gone else CouponRemoval.USED

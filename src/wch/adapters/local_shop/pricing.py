"""What an order costs: shipping by place, tax by class and place, coupons, and the quote of it all."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import attrs
from sqlalchemy import func, select

from wch.adapters.local_shop.catalogue import product_rows, sold_as
from wch.adapters.local_shop.till import Till
from wch.domain.address import Address
from wch.domain.coupon import CouponReason, CouponVerdict
from wch.domain.money import Money
from wch.domain.quote import Buyer, Line, Quote, QuoteLine, ShippingMethod, Verdict
from wch.domain.shop_error import ShopRefusedError

_MILLION = Decimal(1_000_000)
_HUNDREDTHS = Decimal(10_000)


@attrs.frozen(kw_only=True)
class PricedLine:
    """A line with the rows that say what it is."""

    line: Line
    row: Any
    named: Any
    total: Money

    @property
    def on_sale(self) -> bool:
        """Whether it is sold below its regular price."""
        return bool(self.row.price < self.row.regular_price)


@attrs.frozen(kw_only=True)
class Place:
    """Where rules of shipping and tax are looked up."""

    country: str
    state: str = ""
    postcode: str = ""

    @classmethod
    def of(cls, address: Address | None, country: str) -> "Place":
        """The address's place; without one, the shop's own country."""
        if address is None:
            return cls(country=country)
        return cls(country=address.country, state=address.state, postcode=address.postcode)


def price(till: Till, lines: Sequence[Line]) -> tuple[PricedLine, ...]:
    """What each line costs now; whatever is not sold refuses the whole."""
    rows = product_rows(till, lines)
    priced = []
    for line in lines:
        verdict, row, named = sold_as(line, rows)
        if verdict is not Verdict.OK:
            raise ShopRefusedError(verdict.value)
        priced.append(PricedLine(line=line, row=row, named=named, total=till.money(row.price) * line.quantity))
    return tuple(priced)


def shipping_methods(
    till: Till, lines: Sequence[Line], address: Address, coupon: str | None
) -> tuple[ShippingMethod, ...]:
    """The methods that go to this address, the cheapest first."""
    priced = price(till, lines)
    goods = Money.total((each.total for each in priced), till.currency)
    if coupon is not None:
        goods -= judge_coupon(till, coupon, priced, Buyer(phones=())).discount
    return tuple(method for method, _ in _offered(till, goods, Place.of(address, till.country)))


def served_countries(till: Till) -> frozenset[str] | None:
    """The countries that any method names; None when one goes everywhere."""
    table = till.tables.shipping_methods
    served: set[str] = set()
    for row in till.rows(select(table).where(table.c.active)):
        if not row.countries:
            return None
        served.update(row.countries)
    return frozenset(served)


def quote(
    till: Till,
    lines: Sequence[Line],
    *,
    address: Address | None,
    shipping_id: str | None,
    coupon: str | None,
    fee: Money | None,
    customer: Buyer,
) -> Quote:
    """What these lines would cost now."""
    priced = price(till, lines)
    goods = Money.total((each.total for each in priced), till.currency)
    verdict = None if coupon is None else judge_coupon(till, coupon, priced, customer)
    if verdict is None or not verdict.ok:
        discounts = tuple(Money.zero(till.currency) for _ in priced)
    else:
        discounts = _spread(verdict.discount, priced, _qualifying(till, _coupon_row(till, verdict.code), priced))
    discount = Money.total(discounts, till.currency)
    place = Place.of(address, till.country)
    needs_shipping = any(each.row.needs_shipping for each in priced)
    shipping, shipping_class = Money.zero(till.currency), None
    if shipping_id is not None and needs_shipping:
        offered = {method.id: (method, row) for method, row in _offered(till, goods - discount, place)}
        if shipping_id not in offered:
            code = "shipping"
            raise ShopRefusedError(code)
        method, row = offered[shipping_id]
        shipping, shipping_class = method.price, row.tax_class
    rates = till.rows(select(till.tables.tax_rates))
    taxes = [
        _tax(till, each.total - off, _rate(rates, each.row.tax_class, place))
        for each, off in zip(priced, discounts, strict=True)
    ]
    if shipping_class is not None:
        rate = _rate(rates, shipping_class, place)
        taxes.append(_tax(till, shipping, rate if rate is not None and rate.on_shipping else None))
    return Quote.of(
        lines=(
            QuoteLine(
                line=each.line,
                name=each.named.name,
                attributes=each.row.attributes if each.row.parent_id is not None else {},
                price=till.money(each.row.price),
                total=each.total,
            )
            for each in priced
        ),
        currency=till.currency,
        discount=discount,
        shipping=shipping,
        tax=Money.total(taxes, till.currency),
        fee=fee,
        tax_included=till.prices_include_tax,
        needs_shipping=needs_shipping,
        shipping_id=shipping_id if needs_shipping else None,
        coupon=verdict.code if verdict is not None and verdict.ok else None,
    )


def judge_coupon(till: Till, code: str, priced: Sequence[PricedLine], customer: Buyer) -> CouponVerdict:
    """The first reason that speaks against a coupon, or what it takes off the lines that qualify."""
    plain = code.strip().upper()
    row = _coupon_row(till, plain)
    nothing = Money.zero(till.currency)
    if row is None or not row.active:
        return CouponVerdict(code=plain, ok=False, reason=CouponReason.UNKNOWN, discount=nothing)
    reason = _speaks_against(till, row, priced, customer)
    if reason is not None:
        return CouponVerdict(code=plain, ok=False, reason=reason, discount=nothing, title=row.title)
    worth = Money.total((each.total for each in _qualifying(till, row, priced)), till.currency)
    off = (
        till.money(row.amount)
        if row.amount is not None
        else Money.rounded(worth.amount * Decimal(row.percent_hundredths) / _HUNDREDTHS, till.currency)
    )
    return CouponVerdict(code=plain, ok=True, discount=min(off, worth), title=row.title)


def _coupon_row(till: Till, code: str) -> Any:
    table = till.tables.coupons
    return till.row(select(table).where(table.c.code == code.strip().upper()))


def _speaks_against(  # noqa: C901, PLR0911 - the reasons, in the order of their test
    till: Till, row: Any, priced: Sequence[PricedLine], customer: Buyer
) -> CouponReason | None:
    uses = till.tables.coupon_uses
    used = select(func.count()).where(uses.c.coupon_id == row.id)
    goods = sum(each.total.minor() for each in priced)
    if row.expires_at is not None and row.expires_at <= till.now:
        return CouponReason.EXPIRED
    if row.uses_at_most is not None and till.connection.scalar(used) >= row.uses_at_most:
        return CouponReason.USED_UP
    if row.uses_per_customer is not None and customer.phones:
        own = till.connection.scalar(used.where(uses.c.phone.in_(customer.phones)))
        if own >= row.uses_per_customer:
            return CouponReason.USED_BY_CUSTOMER
    if row.minimum is not None and goods < row.minimum:
        return CouponReason.BELOW_MINIMUM
    if row.maximum is not None and goods > row.maximum:
        return CouponReason.ABOVE_MAXIMUM
    named = [each for each in priced if _is_named(each, row.product_ids)]
    if not named:
        return CouponReason.PRODUCTS
    filed = [each for each in named if _is_filed(till, each, row.category_ids)]
    if not filed:
        return CouponReason.CATEGORIES
    if row.excludes_sale and all(each.on_sale for each in filed):
        return CouponReason.SALE_ITEMS
    if row.email is not None and (customer.email or "").casefold() != row.email.casefold():
        return CouponReason.EMAIL
    return None


def _qualifying(till: Till, row: Any, priced: Sequence[PricedLine]) -> list[PricedLine]:
    return [
        each
        for each in priced
        if _is_named(each, row.product_ids)
        and _is_filed(till, each, row.category_ids)
        and not (row.excludes_sale and each.on_sale)
    ]


def _is_named(each: PricedLine, product_ids: Iterable[int]) -> bool:
    named = set(product_ids)
    return not named or each.row.id in named or each.named.id in named


def _is_filed(till: Till, each: PricedLine, category_ids: Iterable[int]) -> bool:
    wanted = sorted(set(category_ids))
    if not wanted:
        return True
    table = till.tables.product_categories
    return (
        till.row(select(table).where(table.c.product_id == each.named.id, table.c.category_id.in_(wanted))) is not None
    )


def _spread(discount: Money, priced: Sequence[PricedLine], qualifying: Sequence[PricedLine]) -> tuple[Money, ...]:
    """The discount on the lines that qualify, in proportion to their worth."""
    weights = [each.total.minor() if each in qualifying else 0 for each in priced]
    if not any(weights):
        return tuple(Money.zero(discount.currency) for _ in priced)
    return discount.split(weights)


def _offered(till: Till, goods: Money, place: Place) -> list[tuple[ShippingMethod, Any]]:
    table = till.tables.shipping_methods
    methods = []
    for row in till.rows(select(table).where(table.c.active).order_by(table.c.position, table.c.id)):
        if not _goes_to(row, place):
            continue
        free = row.free_from is not None and goods.minor() >= row.free_from
        methods.append(
            (
                ShippingMethod(
                    id=row.code, title=row.title, price=till.money(0 if free else row.price), eta=row.eta or None
                ),
                row,
            )
        )
    return sorted(methods, key=lambda offered: offered[0].price.amount)


def _goes_to(row: Any, place: Place) -> bool:
    return (
        (not row.countries or place.country in row.countries)
        and (not row.states or place.state in row.states)
        and (not row.postcodes or any(place.postcode.startswith(prefix) for prefix in row.postcodes))
    )


def _rate(rates: Sequence[Any], tax_class: str, place: Place) -> Any:
    """The rate of the class that names the place most closely."""
    fitting = [
        rate
        for rate in rates
        if rate.tax_class == tax_class
        and rate.country in ("", place.country)
        and rate.state in ("", place.state)
        and place.postcode.startswith(rate.postcode)
    ]
    return max(
        fitting,
        key=lambda rate: (len(rate.postcode), bool(rate.state), bool(rate.country), -rate.id),
        default=None,
    )


def _tax(till: Till, worth: Money, rate: Any) -> Money:
    """The tax in an amount, or on top of it, half up."""
    if rate is None:
        return Money.zero(till.currency)
    share = Decimal(rate.rate_millionths) / _MILLION
    if till.prices_include_tax:
        return Money.rounded(worth.amount * share / (1 + share), till.currency)
    return Money.rounded(worth.amount * share, till.currency)

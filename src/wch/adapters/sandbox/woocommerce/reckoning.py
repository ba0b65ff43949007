"""How the simulated shop counts: one way for its cart and for its orders, as WooCommerce has."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import attrs

from wch.domain.money import Money

Row = dict[str, Any]


@attrs.frozen(kw_only=True)
class SumLine:
    """A line without tax and with it apart, before and after the discount."""

    subtotal: Money
    subtotal_tax: Money
    total: Money
    total_tax: Money


@attrs.frozen(kw_only=True)
class Sums:
    """What a cart or an order comes to; every part without its tax."""

    lines: tuple[SumLine, ...]
    items: Money
    items_tax: Money
    discount: Money
    discount_tax: Money
    shipping: Money
    shipping_tax: Money
    fees: Money
    total: Money
    tax: Money


@attrs.frozen(kw_only=True)
class Till:
    """The shop's rules of tax: one rate, in the prices or on top."""

    currency: str
    prices_include_tax: bool = True
    tax_rate: Decimal = Decimal(0)

    def money(self, figure: Any) -> Money:
        """A figure of the shop's currency, half up."""
        return Money.rounded(Decimal(str(figure or 0)), self.currency)

    def apart(self, priced: Money) -> tuple[Money, Money]:
        """A price as it is entered, without tax, and the tax."""
        if not self.prices_include_tax:
            return priced, Money.rounded(priced.amount * self.tax_rate, self.currency)
        net = priced.amount / (1 + self.tax_rate)
        tax = priced - Money.rounded(net, self.currency)
        return priced - tax, tax

    def reckon(
        self,
        lines: Sequence[tuple[Row, int]],
        *,
        coupon: Mapping[str, Any] | None = None,
        shipping: Money | None = None,
        fees: Sequence[Money] = (),
    ) -> Sums:
        """Add it all up."""
        nothing = Money.zero(self.currency)
        priced = [self.money(product["price"]) * quantity for product, quantity in lines]
        off = self._discounts(lines, priced, coupon)
        summed = []
        for worth, less in zip(priced, off, strict=True):
            subtotal, subtotal_tax = self.apart(worth)
            total, total_tax = self.apart(worth - less)
            summed.append(SumLine(subtotal=subtotal, subtotal_tax=subtotal_tax, total=total, total_tax=total_tax))

        def added(name: str) -> Money:
            return Money.total((getattr(line, name) for line in summed), self.currency)

        freight = shipping or nothing
        freight_tax = Money.rounded(freight.amount * self.tax_rate, self.currency)
        extra = Money.total(fees, self.currency)
        tax = added("total_tax") + freight_tax
        return Sums(
            lines=tuple(summed),
            items=added("subtotal"),
            items_tax=added("subtotal_tax"),
            discount=added("subtotal") - added("total"),
            discount_tax=added("subtotal_tax") - added("total_tax"),
            shipping=freight,
            shipping_tax=freight_tax,
            fees=extra,
            total=added("total") + freight + extra + tax,
            tax=tax,
        )

    def _discounts(
        self, lines: Sequence[tuple[Row, int]], priced: Sequence[Money], coupon: Mapping[str, Any] | None
    ) -> Sequence[Money]:
        nothing = Money.zero(self.currency)
        if coupon is None:
            return [nothing for _ in lines]
        weights = [
            worth.minor() if qualifies(coupon, product) else 0
            for (product, _), worth in zip(lines, priced, strict=True)
        ]
        worth = Money.from_minor(sum(weights), self.currency)
        amount = Decimal(str(coupon["amount"]))
        percent = coupon["discount_type"] == "percent"
        off = Money.rounded(worth.amount * amount / 100, self.currency) if percent else self.money(amount)
        return min(off, worth).split(weights) if any(weights) else [nothing for _ in lines]


def qualifies(coupon: Mapping[str, Any], product: Row) -> bool:
    """Whether the coupon takes something off this product."""
    wanted = set(coupon.get("product_ids") or ())
    filed = {category["id"] for category in product.get("categories", ())}
    inside = set(coupon.get("product_categories") or ())
    if wanted and not wanted & {product["id"], product.get("parent_id")}:
        return False
    if inside and not inside & filed:
        return False
    return not (coupon.get("exclude_sale_items") and product.get("on_sale"))

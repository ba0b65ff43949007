"""What lines cost: the shop's own cart counts, so that its plug-ins for tax and shipping count too."""

import contextlib
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from wch.adapters.woocommerce.bodies import Json, WooCoupon, WooProduct, named, number, part, rows, text
from wch.adapters.woocommerce.calling import STORE, WooApi
from wch.adapters.woocommerce.catalogue import Catalogue, Good, attributes_of
from wch.adapters.woocommerce.facts import Facts
from wch.application.ports import Clock
from wch.domain.address import Address
from wch.domain.coupon import Coupon, CouponReason, CouponRemoval, CouponSpec, CouponVerdict
from wch.domain.money import Money
from wch.domain.quote import Buyer, Line, Quote, QuoteLine, ShippingMethod, Verdict
from wch.domain.shop_error import ShopNotFoundError, ShopRefusedError, ShopUnavailableError

REQUESTS_AT_ONCE = 25
LONGEST_METHOD = 100
KEY = "_wch_key"


@attrs.frozen(kw_only=True)
class Counted:
    """The shop's cart with these lines in it.

    Attributes:
        body: the cart.
        goods: the lines, as they were put in.
        coupon_refused: the shop did not take the coupon.
    """

    body: Json
    goods: tuple[Good, ...]
    coupon_refused: bool = False

    @property
    def totals(self) -> Json:
        """Sums in minor units."""
        return part(self.body.get("totals"))

    @property
    def needs_shipping(self) -> bool:
        """Whether anything has to be brought."""
        return self.body.get("needs_shipping") is True

    @property
    def packages(self) -> list[Json]:
        """The parcels, each with its rates."""
        return rows(self.body.get("shipping_rates"))

    def rates(self, rate_id: str) -> list[Json]:
        """This method's rate in each parcel; empty unless it goes with all of them."""
        found = [
            rate
            for package in self.packages
            for rate in rows(package.get("shipping_rates"))
            if text(rate.get("rate_id")) == rate_id
        ]
        return found if len(found) == len(self.packages) else []


@attrs.frozen(kw_only=True)
class Pricing:
    """Asks the shop's cart what things cost, and its coupons what they ask for."""

    api: WooApi
    facts: Facts
    catalogue: Catalogue
    clock: Clock
    secret: bytes = attrs.field(repr=False)

    async def count(
        self,
        lines: Sequence[Line],
        *,
        address: Address | None = None,
        shipping_id: str | None = None,
        coupon: str | None = None,
        email: str | None = None,
    ) -> Counted:
        """Put these lines into a fresh cart of the shop.

        Raises:
            ShopRefusedError: a line's verdict, or `shipping`.
        """
        await self.facts.about()
        goods = await self.catalogue.goods(lines)
        for good in goods:
            if good.verdict is not Verdict.OK:
                raise ShopRefusedError(good.verdict.value)
        begun = await self.api.call("GET", f"{STORE}/cart")
        if begun.cart_token is None:
            raise ShopUnavailableError
        asked: list[tuple[str, Mapping[str, Any]]] = [
            ("cart/add-item", {"id": good.line.sellable_id, "quantity": good.line.quantity}) for good in goods
        ]
        if address is not None or email is not None:
            asked.append(("cart/update-customer", _customer(address, email)))
        if coupon is not None:
            asked.append(("cart/apply-coupon", {"code": coupon}))
        answers = await self._batch(begun.cart_token, asked)
        refused = _refused([path for path, _ in asked], answers)
        taken = [body for status, body in answers if status < REFUSED]
        counted = Counted(body=taken[-1] if taken else begun.item, goods=goods, coupon_refused=refused)
        if shipping_id is None or not counted.needs_shipping:
            return counted
        return attrs.evolve(counted, body=await self._chosen(begun.cart_token, counted, shipping_id))

    async def _chosen(self, token: str, counted: Counted, shipping_id: str) -> Json:
        """The cart with this method for every parcel."""
        code = "shipping"
        if not counted.rates(shipping_id):
            raise ShopRefusedError(code)
        answers = await self._batch(
            token,
            [
                ("cart/select-shipping-rate", {"package_id": package.get("package_id"), "rate_id": shipping_id})
                for package in counted.packages
            ],
        )
        if any(status >= REFUSED for status, _ in answers):
            raise ShopRefusedError(code)
        return answers[-1][1]

    async def _batch(self, token: str, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[tuple[int, Json]]:
        """Several changes of one cart in one call, in order."""
        answers: list[tuple[int, Json]] = []
        headers = {"Cart-Token": token}
        for start in range(0, len(asked), REQUESTS_AT_ONCE):
            some = asked[start : start + REQUESTS_AT_ONCE]
            requests = [
                {"method": "POST", "path": f"/{STORE}/{path}", "body": body, "headers": headers} for path, body in some
            ]
            reply = await self.api.call("POST", f"{STORE}/batch", document={"requests": requests}, headers=headers)
            told = rows(reply.item.get("responses"))
            if len(told) != len(some):
                raise ShopUnavailableError
            answers += [(int(one.get("status") or 500), part(one.get("body"))) for one in told]
        if any(status >= BROKEN for status, _ in answers):
            raise ShopUnavailableError
        return answers

    async def shipping_methods(
        self, lines: Sequence[Line], address: Address, coupon: str | None
    ) -> tuple[ShippingMethod, ...]:
        """The rates that go with every parcel, the cheapest first."""
        counted = await self.count(lines, address=address, coupon=coupon)
        if not counted.packages:
            return ()
        with_tax = (await self.facts.about()).prices_include_tax
        methods = []
        for rate in rows(counted.packages[0].get("shipping_rates")):
            rate_id = text(rate.get("rate_id"))
            everywhere = counted.rates(rate_id)
            if not everywhere or len(rate_id) > LONGEST_METHOD:
                continue
            price = Money.total(
                (self.facts.minor(one, name) for one in everywhere for name in ("price", *(["taxes"] * with_tax))),
                self.facts.currency,
            )
            eta = named(rate.get("delivery_time")) or named(rate.get("description")) or None
            methods.append(ShippingMethod(id=rate_id, title=named(rate.get("name")), price=price, eta=eta))
        return tuple(sorted(methods, key=lambda method: method.price.amount))

    async def quote(
        self,
        lines: Sequence[Line],
        *,
        address: Address | None,
        shipping_id: str | None,
        coupon: str | None,
        fee: Money | None,
        customer: Buyer,
    ) -> Quote:
        """The cart's sums in the port's parts; what does not add up to the last unit is `rounding`."""
        counted = await self.count(lines, address=address, shipping_id=shipping_id, coupon=coupon, email=customer.email)
        return await self.read_quote(counted, shipping_id=shipping_id, coupon=coupon, fee=fee)

    async def read_quote(
        self, counted: Counted, *, shipping_id: str | None, coupon: str | None, fee: Money | None
    ) -> Quote:
        """The sums of a cart that was counted."""
        with_tax = (await self.facts.about()).prices_include_tax
        totals = counted.totals

        def shown(name: str) -> Money:
            plain = self.facts.minor(totals, name)
            return plain + self.facts.minor(totals, f"{name}_tax") if with_tax else plain

        nothing = Money.zero(self.facts.currency)
        total, tax = self.facts.minor(totals, "total_price"), self.facts.minor(totals, "total_tax")
        shipping = shown("total_shipping")
        if shipping_id is None or not counted.needs_shipping:
            # The cart takes the first method by itself; nobody has chosen one yet.
            freight_tax = self.facts.minor(totals, "total_shipping_tax")
            total -= self.facts.minor(totals, "total_shipping") + freight_tax
            tax, shipping = tax - freight_tax, nothing
        shown_lines = tuple(self._lines(counted, with_tax=with_tax))
        subtotal = Money.total((line.total for line in shown_lines), self.facts.currency)
        discount, own_fees = shown("total_discount"), shown("total_fees")
        parts = subtotal - discount + shipping + own_fees
        held = coupon is not None and not counted.coupon_refused
        return Quote.of(
            lines=shown_lines,
            currency=self.facts.currency,
            discount=discount,
            shipping=shipping,
            tax=tax,
            fee=own_fees + fee if fee is not None else own_fees,
            rounding=total - parts - (nothing if with_tax else tax),
            tax_included=with_tax,
            needs_shipping=counted.needs_shipping,
            shipping_id=shipping_id if counted.needs_shipping else None,
            coupon=coupon.strip().upper() if held and coupon is not None else None,
        )

    def _lines(self, counted: Counted, *, with_tax: bool) -> list[QuoteLine]:
        by_id = {number(item.get("id")): item for item in rows(counted.body.get("items"))}
        merged: dict[int, int] = {}
        for good in counted.goods:
            merged[good.line.sellable_id] = merged.get(good.line.sellable_id, 0) + good.line.quantity
        shown = []
        for good in counted.goods:
            item = by_id.get(good.line.sellable_id)
            if item is None or good.sold is None or good.shown is None:
                raise ShopUnavailableError
            totals = part(item.get("totals"))
            worth = self.facts.minor(totals, "line_subtotal")
            if with_tax:
                worth += self.facts.minor(totals, "line_subtotal_tax")
            pieces = merged[good.line.sellable_id]
            each = Money.rounded(worth.amount / pieces, self.facts.currency)
            own = worth if pieces == good.line.quantity else each * good.line.quantity
            shown.append(
                QuoteLine(
                    line=good.line,
                    name=good.shown.name,
                    attributes=attributes_of(good.sold) if good.sold is not good.shown else {},
                    price=each,
                    total=own,
                )
            )
        return shown

    # --- coupons

    async def check_coupon(self, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """The first reason that speaks against it; what it takes off is the cart's to say."""
        plain = code.strip().upper()
        await self.facts.about()
        nothing = Money.zero(self.facts.currency)
        coupon = await self._coupon(plain)
        if coupon is None or coupon.status != "publish":
            return CouponVerdict(code=plain, ok=False, reason=CouponReason.UNKNOWN, discount=nothing)
        goods = await self.catalogue.goods(lines)
        reason = self._speaks_against(coupon, goods, customer)
        discount = nothing
        if reason is None:
            counted = await self.count(lines, coupon=plain, email=customer.email)
            reason = CouponReason.PRODUCTS if counted.coupon_refused else None
            if reason is None:
                discount = self.facts.minor(counted.totals, "total_discount")
                if (await self.facts.about()).prices_include_tax:
                    discount += self.facts.minor(counted.totals, "total_discount_tax")
        return CouponVerdict(code=plain, ok=reason is None, reason=reason, discount=discount, title=coupon.description)

    def _speaks_against(  # noqa: PLR0911 - the reasons, in the order of their test
        self, coupon: WooCoupon, goods: Sequence[Good], customer: Buyer
    ) -> CouponReason | None:
        sold = [(good, good.sold, good.shown) for good in goods if good.sold is not None and good.shown is not None]
        worth = sum((one.price or 0) * good.line.quantity for good, one, _ in sold)
        known_as = {(customer.email or "").casefold(), str(customer.customer_id or "")} - {""}
        if coupon.expires_at is not None and coupon.expires_at <= self.clock.now():
            return CouponReason.EXPIRED
        if coupon.uses_at_most is not None and coupon.used >= coupon.uses_at_most:
            return CouponReason.USED_UP
        own = sum(1 for one in coupon.used_by if one.casefold() in known_as)
        if coupon.uses_per_customer is not None and own >= coupon.uses_per_customer:
            return CouponReason.USED_BY_CUSTOMER
        if coupon.minimum is not None and worth < coupon.minimum:
            return CouponReason.BELOW_MINIMUM
        if coupon.maximum is not None and worth > coupon.maximum:
            return CouponReason.ABOVE_MAXIMUM
        named_ones = [one for one in sold if _is_named(coupon, one[1], one[2])]
        if not named_ones:
            return CouponReason.PRODUCTS
        filed = [one for one in named_ones if _is_filed(coupon, one[2])]
        if not filed:
            return CouponReason.CATEGORIES
        if coupon.excludes_sale and all(one.on_sale for _, one, _ in filed):
            return CouponReason.SALE_ITEMS
        if coupon.emails and not any(_fits(customer.email or "", pattern) for pattern in coupon.emails):
            return CouponReason.EMAIL
        return None

    async def create_coupon(self, key: str, spec: CouponSpec) -> Coupon:
        """The coupon of this key, made now or before."""
        code = self._code_start(key, spec.prefix)
        if await self._coupon(code) is not None:
            return Coupon(code=code)
        asked: dict[str, Any] = {
            "code": code,
            "discount_type": "fixed_cart" if spec.percent is None else "percent",
            "amount": str(spec.percent if spec.amount is None else spec.amount.amount),
            "date_expires_gmt": spec.expires_at.strftime("%Y-%m-%dT%H:%M:%S"),
            "usage_limit": spec.uses,
            "meta_data": [{"key": KEY, "value": key}],
        }
        if spec.minimum is not None:
            asked["minimum_amount"] = str(spec.minimum.amount)
        if spec.email is not None:
            asked["email_restrictions"] = [spec.email]
        try:
            await self.api.post("coupons", asked)
        except ShopRefusedError as error:
            if "already_exists" not in error.code:
                raise
        return Coupon(code=code)

    async def remove_coupon(self, key: str) -> CouponRemoval:
        """Take it back if nobody used it: its digits are the key's, whatever stands before them."""
        became = CouponRemoval.UNKNOWN
        digits = self._code_start(key, "")
        reply = await self.api.get("coupons", search=digits, per_page=100)
        for row in reply.rows:
            coupon = WooCoupon.read(row)
            if coupon.meta.get(KEY) != key:
                continue
            became = CouponRemoval.USED
            if coupon.used == 0:
                with contextlib.suppress(ShopNotFoundError):
                    await self.api.delete(f"coupons/{coupon.id}")
                became = CouponRemoval.REMOVED
        return became

    async def _coupon(self, code: str) -> WooCoupon | None:
        reply = await self.api.get("coupons", code=code.casefold())
        return next((one for one in map(WooCoupon.read, reply.rows) if one.code == code.upper()), None)

    def _code_start(self, key: str, prefix: str) -> str:
        return prefix + hmac.new(self.secret, key.encode(), hashlib.sha256).hexdigest()[:8].upper()


REFUSED = 400
BROKEN = 500


def _refused(paths: Sequence[str], answers: Sequence[tuple[int, Json]]) -> bool:
    """Whether the coupon was refused; anything else that is refused refuses the whole."""
    refused = False
    for path, (status, body) in zip(paths, answers, strict=True):
        if status < REFUSED:
            continue
        if path == "cart/apply-coupon":
            refused = True
            continue
        code = "address"
        if path == "cart/add-item":
            code = "out_of_stock" if "stock" in text(body.get("code")) else "unavailable"
        raise ShopRefusedError(code)
    return refused


def _customer(address: Address | None, email: str | None) -> dict[str, Any]:
    """Who it goes to, as the cart wants it."""
    where = {} if address is None else store_address(address)
    asked: dict[str, Any] = {"billing_address": {**where, **({} if email is None else {"email": email})}}
    if address is not None:
        asked["shipping_address"] = where
    return asked


def store_address(address: Address) -> dict[str, str]:
    """An address under WooCommerce's names, which are ours, without what it does not know."""
    fields = ("first_name", "last_name", "address_1", "address_2", "city", "state", "postcode", "country", "phone")
    return {field: value for field in fields if (value := str(getattr(address, field)))}


def _is_named(coupon: WooCoupon, sold: WooProduct, shown: WooProduct) -> bool:
    ids = {sold.id, shown.id}
    return (not coupon.product_ids or bool(ids & coupon.product_ids)) and not ids & coupon.excluded_product_ids


def _is_filed(coupon: WooCoupon, shown: WooProduct) -> bool:
    filed = {row_id for row_id, _ in shown.categories}
    inside = not coupon.category_ids or bool(filed & coupon.category_ids)
    return inside and not filed & coupon.excluded_category_ids


def _fits(email: str, pattern: str) -> bool:
    """WooCommerce lets a restriction begin with a star."""
    given, wanted = email.casefold(), pattern.casefold()
    return bool(given) and (given.endswith(wanted[1:]) if wanted.startswith("*") else given == wanted)

"""The simulated shop's Store API: its cart, named by a token, with amounts in minor units."""

from collections.abc import Mapping
from typing import Any

import attrs

from wch.adapters.sandbox.woocommerce.answering import WooAnswer
from wch.adapters.sandbox.woocommerce.floor import Floor, FloorRefusedError
from wch.adapters.sandbox.woocommerce.reckoning import Row
from wch.adapters.sandbox.woocommerce.rest_api import Query, paged, refusal
from wch.domain.money import Money, places

MOST_CARTS = 500
REQUESTS_AT_ONCE = 25


@attrs.define
class Basket:
    """One visitor's cart."""

    lines: dict[int, int] = attrs.field(factory=dict)
    address: Row = attrs.field(factory=dict)
    email: str = ""
    coupon: str | None = None
    rate_id: str | None = None


@attrs.define(kw_only=True)
class StoreApi:
    """Answers as the Store API does."""

    floor: Floor
    baskets: dict[str, Basket] = attrs.field(factory=dict)

    def answer(self, method: str, path: tuple[str, ...], query: Query, told: Row, token: str | None) -> WooAnswer:
        """Answer one call below `wc/store/v1`."""
        match (method, *path):
            case ("GET", "cart"):
                token = token if token in self.baskets else f"cart-{self.floor.number()}"
                basket = self.baskets.setdefault(token or "", Basket())
                while len(self.baskets) > MOST_CARTS:
                    del self.baskets[next(iter(self.baskets))]
                return WooAnswer(body=self._shown(basket), headers={"Cart-Token": token or ""})
            case ("POST", "batch"):
                return self._batch(told)
            case ("POST", "cart", verb):
                return self._changed(verb, told, token)
            case ("GET", "products"):
                kind = query.get("type", "simple")
                wanted = {int(one) for one in query.get("include", "").split(",") if one}
                rows = [
                    row
                    for row in self.floor.products.values()
                    if row["id"] in wanted and row["type"] == kind and row["status"] == "publish"
                ]
                return paged(rows, query, lambda row: {"id": row["id"], "parent": row["parent_id"], "sku": row["sku"]})
        return refusal(404, "rest_no_route", "No route was found matching the URL and request method.")

    def _batch(self, told: Row) -> WooAnswer:
        requests = told.get("requests", [])
        if len(requests) > REQUESTS_AT_ONCE:
            return refusal(400, "rest_invalid_param", "Invalid parameter(s): requests")
        responses = []
        for request in requests:
            verb = str(request.get("path", "")).rpartition("/")[2]
            answer = self._changed(verb, request.get("body", {}), request.get("headers", {}).get("Cart-Token"))
            responses.append({"status": answer.status, "headers": {}, "body": answer.body})
        return WooAnswer(status=207, body={"responses": responses})

    def _changed(self, verb: str, told: Mapping[str, Any], token: str | None) -> WooAnswer:
        basket = self.baskets.get(token or "")
        if basket is None:
            return refusal(403, "woocommerce_rest_missing_nonce", "Missing the Nonce header.")
        try:
            match verb:
                case "add-item":
                    self._add(basket, int(told["id"]), int(told["quantity"]))
                case "update-customer":
                    basket.address = told.get("shipping_address") or basket.address
                    basket.email = str(told.get("billing_address", {}).get("email", basket.email))
                case "apply-coupon":
                    self.floor.valid_coupon(str(told["code"]), self._lines(basket), basket.email)
                    basket.coupon = str(told["code"]).casefold()
                case "select-shipping-rate":
                    if told["rate_id"] not in {rate_id for rate_id, _, _ in self._rates(basket)}:
                        return refusal(400, "woocommerce_rest_cart_invalid_rate", "Invalid shipping rate.")
                    basket.rate_id = str(told["rate_id"])
                case _:
                    return refusal(404, "rest_no_route", "No route was found matching the URL and request method.")
        except FloorRefusedError as error:
            return refusal(error.status, error.code, str(error))
        return WooAnswer(status=201 if verb == "add-item" else 200, body=self._shown(basket))

    def _add(self, basket: Basket, product_id: int, quantity: int) -> None:
        row = self.floor.products.get(product_id)
        if row is None or row["status"] != "publish" or not row["price"] or row["type"] == "variable":
            raise FloorRefusedError("woocommerce_rest_product_not_purchasable", "This product cannot be purchased.")
        wanted = basket.lines.get(product_id, 0) + quantity
        counted = self.floor.counted(row)
        if counted is not None and counted["backorders"] == "no" and counted["stock_quantity"] < wanted:
            raise FloorRefusedError("woocommerce_rest_product_partially_out_of_stock", "There is not enough stock.")
        basket.lines[product_id] = wanted

    def _lines(self, basket: Basket) -> list[tuple[Row, int]]:
        return [(self.floor.products[product_id], quantity) for product_id, quantity in basket.lines.items()]

    def _needs_shipping(self, basket: Basket) -> bool:
        return any(not row["virtual"] for row, _ in self._lines(basket))

    def _rates(self, basket: Basket) -> list[tuple[str, str, Money]]:
        if not basket.address.get("country") or not self._needs_shipping(basket):
            return []
        sums = self.floor.sums(self._lines(basket), self.floor.coupon(basket.coupon or ""), None)
        return self.floor.rates(sums.items - sums.discount)

    def _shown(self, basket: Basket) -> Row:
        lines = self._lines(basket)
        rates = self._rates(basket)
        chosen = next((rate for rate in rates if rate[0] == basket.rate_id), next(iter(rates), None))
        coupon = self.floor.coupon(basket.coupon) if basket.coupon else None
        sums = self.floor.sums(lines, coupon, None if chosen is None else chosen[2])
        currency = {
            "currency_code": self.floor.till.currency,
            "currency_minor_unit": places(self.floor.till.currency),
        }

        def minor(money: Money) -> str:
            return str(money.minor())

        return {
            "coupons": [] if coupon is None else [{"code": coupon["code"], "discount_type": coupon["discount_type"]}],
            "items": [
                {
                    "key": str(product["id"]),
                    "id": product["id"],
                    "quantity": quantity,
                    "name": product["name"],
                    "totals": {
                        "line_subtotal": minor(line.subtotal),
                        "line_subtotal_tax": minor(line.subtotal_tax),
                        "line_total": minor(line.total),
                        "line_total_tax": minor(line.total_tax),
                        **currency,
                    },
                }
                for (product, quantity), line in zip(lines, sums.lines, strict=True)
            ],
            "needs_shipping": self._needs_shipping(basket),
            "shipping_rates": [
                {
                    "package_id": 0,
                    "name": "Shipment 1",
                    "shipping_rates": [self._rate(rate, chosen, currency) for rate in rates],
                }
            ]
            if rates
            else [],
            "totals": {
                "total_items": minor(sums.items),
                "total_items_tax": minor(sums.items_tax),
                "total_fees": "0",
                "total_fees_tax": "0",
                "total_discount": minor(sums.discount),
                "total_discount_tax": minor(sums.discount_tax),
                "total_shipping": minor(sums.shipping),
                "total_shipping_tax": minor(sums.shipping_tax),
                "total_price": minor(sums.total),
                "total_tax": minor(sums.tax),
                **currency,
            },
            "errors": [],
        }

    def _rate(self, rate: tuple[str, str, Money], chosen: tuple[str, str, Money] | None, currency: Row) -> Row:
        rate_id, title, price = rate
        method, _, instance = rate_id.partition(":")
        tax = Money.rounded(price.amount * self.floor.till.tax_rate, price.currency)
        return {
            "rate_id": rate_id,
            "name": title,
            "description": "",
            "delivery_time": "",
            "price": str(price.minor()),
            "taxes": str(tax.minor()),
            "method_id": method,
            "instance_id": int(instance or 0),
            "selected": rate == chosen,
            **currency,
        }

"""The simulated shop's REST API, version 3, as far as a hub needs it."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from wch.adapters.sandbox.woocommerce import making
from wch.adapters.sandbox.woocommerce.answering import WooAnswer
from wch.adapters.sandbox.woocommerce.floor import Floor, FloorRefusedError, folded
from wch.adapters.sandbox.woocommerce.reckoning import Row
from wch.adapters.sandbox.woocommerce.telling import Webhooks
from wch.domain.moment import of_iso

MOST_PER_PAGE = 100
MOST_IN_A_BATCH = 100

Query = Mapping[str, str]


@attrs.frozen(kw_only=True)
class RestApi:
    """Answers as WooCommerce does."""

    floor: Floor
    webhooks: Webhooks

    def answer(self, method: str, path: tuple[str, ...], query: Query, told: Row) -> WooAnswer:  # noqa: PLR0911 - a table of routes
        """Answer one call below `wc/v3`."""
        if path and path[0] == "webhooks":
            return self._webhooks(method, list(path[1:]), query, told)
        match (method, *path):
            case ("GET", "settings", group):
                return WooAnswer(body=self._settings(group))
            case (_, "products", *_):
                return self._goods(method, path, query, told)
            case (_, "coupons", *rest):
                return self._coupons(method, rest, query, told)
            case (_, "orders", *rest):
                return self._orders(method, rest, query, told)
            case ("GET", "customers"):
                return paged(self._customers(query), query, dict)
        return _no_route()

    # --- products

    def _goods(self, method: str, path: tuple[str, ...], query: Query, told: Row) -> WooAnswer:  # noqa: PLR0911 - a table of routes
        match (method, *path):
            case (_, "products", "categories"):
                return self._categories(query)
            case (_, "products", "batch"):
                return self._batch(told, lambda body: self._product_changed(int(body["id"]), body))
            case ("GET", "products"):
                return paged(self._products(query), query, self.floor.shown)
            case ("GET", "products", product_id):
                return WooAnswer(body=self.floor.shown(self._product(product_id)))
            case ("PUT" | "POST", "products", product_id):
                return WooAnswer(body=self._product_changed(int(product_id), told))
            case ("GET", "products", product_id, "variations"):
                parent = self._product(product_id)
                rows = [self.floor.products[one] for one in parent["variations"] if one in self.floor.products]
                return paged(_chosen(rows, query), query, self._variation)
            case ("GET", "products", _, "variations", variation_id):
                return WooAnswer(body=self._variation(self._product(variation_id)))
            case ("PUT" | "POST", "products", _, "variations", variation_id):
                return WooAnswer(body=self._product_changed(int(variation_id), told))
        return _no_route()

    def _product(self, product_id: str) -> Row:
        row = self.floor.products.get(int(product_id)) if product_id.isdecimal() else None
        if row is None:
            raise FloorRefusedError("woocommerce_rest_product_invalid_id", "Invalid ID.", 404)
        return row

    def _product_changed(self, product_id: int, told: Row) -> Row:
        row = self._product(str(product_id))
        if "stock_quantity" in told:
            self.floor.set_stock(row, told["stock_quantity"])
        row |= {name: value for name, value in told.items() if name in row and name not in ("id", "stock_quantity")}
        self.floor.touch(row, "product.updated")
        return self.floor.shown(row)

    def _variation(self, row: Row) -> Row:
        shown = self.floor.shown(row)
        images = shown.pop("images")
        return {**shown, "image": images[0] if images else None}

    def _products(self, query: Query) -> list[Row]:
        skus = query["sku"].split(",") if query.get("sku") else None
        rows = [
            row for row in self.floor.products.values() if row["type"] != "variation" or (skus and row["sku"] in skus)
        ]
        if skus:
            rows = [row for row in rows if row["sku"] in skus]
        if query.get("category"):
            rows = [row for row in rows if self.floor.filed_in(row, int(query["category"]))]
        if query.get("search"):
            words = folded(query["search"]).split()
            rows = [row for row in rows if all(word in folded(f"{row['name']} {row['sku']}") for word in words)]
        rows = _chosen(rows, query)
        if query.get("orderby") == "menu_order":
            rows.sort(key=lambda row: (row["menu_order"], folded(row["name"]), row["id"]))
        return rows

    def _categories(self, query: Query) -> WooAnswer:
        listed = [row for row in self.floor.products.values() if row["type"] != "variation"]
        counts = {
            row["id"]: sum(1 for one in listed if one["status"] == "publish" and self.floor.filed_in(one, row["id"]))
            for row in self.floor.categories.values()
        }
        rows = [
            row
            for row in self.floor.categories.values()
            if row["parent"] == int(query.get("parent") or 0)
            and (counts[row["id"]] or query.get("hide_empty") != "true")
        ]
        rows.sort(key=lambda row: folded(row["name"]))
        return paged(rows, query, lambda row: {**row, "count": counts[row["id"]], "description": "", "menu_order": 0})

    # --- coupons, customers, settings

    def _coupons(self, method: str, rest: list[str], query: Query, told: Row) -> WooAnswer:
        if method == "POST" and not rest:
            return WooAnswer(status=201, body=self.floor.put_coupon(**told))
        if method == "GET" and not rest:
            rows = [
                row
                for row in self.floor.coupons.values()
                if row["code"] == query.get("code", row["code"]).casefold()
                and query.get("search", "").casefold() in row["code"]
            ]
            return paged(rows, query, dict)
        row = self.floor.coupons.get(int(rest[0])) if rest[0].isdecimal() else None
        if row is None:
            raise FloorRefusedError("woocommerce_rest_shop_coupon_invalid_id", "Invalid ID.", 404)
        if method == "DELETE":
            del self.floor.coupons[row["id"]]
        return WooAnswer(body=row)

    def _customers(self, query: Query) -> list[Row]:
        return [
            row
            for row in _chosen(list(self.floor.customers.values()), query)
            if row["email"] == query.get("email", row["email"])
        ]

    def _settings(self, group: str) -> list[Row]:
        told: dict[str, dict[str, object]] = {
            "general": {
                "woocommerce_currency": self.floor.till.currency,
                "woocommerce_default_country": self.floor.country,
                "woocommerce_allowed_countries": "all",
                "woocommerce_ship_to_countries": "",
                "woocommerce_specific_allowed_countries": [],
            },
            "tax": {"woocommerce_prices_include_tax": "yes" if self.floor.till.prices_include_tax else "no"},
        }
        if group not in told:
            raise FloorRefusedError("rest_setting_setting_group_invalid", "Invalid setting group.", 404)
        return [{"id": name, "value": value} for name, value in told[group].items()]

    # --- orders

    def _orders(self, method: str, rest: list[str], query: Query, told: Row) -> WooAnswer:
        if not rest and method == "GET":
            return paged(self._listed(query), query, order_shown)
        if not rest:
            return WooAnswer(status=201, body=order_shown(making.make(self.floor, told)))
        if rest == ["batch"]:
            return self._batch(told, lambda body: order_shown(self._changed(str(body["id"]), body)))
        return self._one_order(method, rest, query, told)

    def _one_order(self, method: str, rest: list[str], query: Query, told: Row) -> WooAnswer:  # noqa: PLR0911 - a table of routes
        order = self._order(rest[0])
        match (method, *rest[1:]):
            case ("GET",):
                return WooAnswer(body=order_shown(order))
            case ("PUT" | "POST",):
                return WooAnswer(body=order_shown(self._changed(rest[0], told)))
            case ("DELETE",):
                self.floor.move(order, "cancelled")
                order["status"] = "trash"
                if query.get("force") == "true":
                    del self.floor.orders[order["id"]]
                self.floor.touch(order, "order.deleted")
                return WooAnswer(body=order_shown(order))
            case ("GET", "refunds"):
                return paged(list(self.floor.refunds.get(order["id"], ())), query, dict)
            case ("POST", "refunds"):
                return WooAnswer(status=201, body=making.refund(self.floor, order, told))
            case ("GET", "notes"):
                return WooAnswer(body=self.floor.notes.get(order["id"], []))
            case ("POST", "notes"):
                note = {"id": self.floor.number(), "note": str(told.get("note", "")), "customer_note": False}
                self.floor.notes.setdefault(order["id"], []).append(note)
                return WooAnswer(status=201, body=note)
        return _no_route()

    def _order(self, order_id: str) -> Row:
        row = self.floor.orders.get(int(order_id)) if order_id.isdecimal() else None
        if row is None:
            raise FloorRefusedError("woocommerce_rest_shop_order_invalid_id", "Invalid ID.", 404)
        return row

    def _changed(self, order_id: str, told: Row) -> Row:
        return making.change(self.floor, self._order(order_id), told)

    def _listed(self, query: Query) -> list[Row]:
        rows = _chosen(list(self.floor.orders.values()), query)
        if query.get("customer"):
            rows = [row for row in rows if row["customer_id"] == int(query["customer"])]
        if query.get("search"):
            wanted = folded(query["search"])
            rows = [row for row in rows if wanted in folded(" ".join(str(one) for one in row["billing"].values()))]
        return rows

    # --- several at once, and webhooks

    def _batch(self, told: Row, change: Callable[[Row], Row]) -> WooAnswer:
        """At most a hundred in sum; each object's own error stands in its place, and the whole is 200."""
        if sum(len(told.get(kind, ())) for kind in ("create", "update", "delete")) > MOST_IN_A_BATCH:
            return refusal(
                413,
                "woocommerce_rest_request_entity_too_large",
                "Unable to accept more than 100 items for this request.",
            )
        done = []
        for body in told.get("update", ()):
            try:
                done.append(change(body))
            except FloorRefusedError as error:
                done.append({"id": body.get("id"), "error": _error(error.code, str(error), error.status)})
        return WooAnswer(body={"update": done})

    def _webhooks(self, method: str, rest: list[str], query: Query, told: Row) -> WooAnswer:
        if not rest and method == "GET":
            rows = [row for row in self.webhooks.rows.values() if query.get("status", "all") in ("all", row["status"])]
            return paged(rows, query, _hook_shown)
        if not rest:
            made = self.webhooks.add(
                topic=str(told["topic"]), delivery_url=str(told["delivery_url"]), secret=str(told.get("secret", ""))
            )
            return WooAnswer(status=201, body=_hook_shown(made))
        row = self.webhooks.rows.get(int(rest[0])) if rest[0].isdecimal() else None
        if row is None:
            raise FloorRefusedError("woocommerce_rest_shop_webhook_invalid_id", "Invalid ID.", 404)
        if method in ("PUT", "POST") and "status" in told:
            row["status"], row["failure_count"] = str(told["status"]), 0
        return WooAnswer(body=_hook_shown(row))


def _hook_shown(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "secret"}


def order_shown(row: Row) -> Row:
    """An order as the API gives it."""
    return {name: value for name, value in row.items() if not name.startswith("_")}


def _chosen(rows: Iterable[Row], query: Query) -> list[Row]:
    """Filters that all lists have."""
    chosen = list(rows)
    if query.get("include"):
        wanted = {int(one) for one in query["include"].split(",")}
        chosen = [row for row in chosen if row["id"] in wanted]
    status = query.get("status", "any")
    chosen = [
        row
        for row in chosen
        if row.get("status", "publish") == status or (status == "any" and row.get("status") != "trash")
    ]
    for name, field in (("after", "date_created_gmt"), ("modified_after", "date_modified_gmt")):
        if query.get(name):
            since = of_iso(query[name])
            chosen = [row for row in chosen if of_iso(row[field]) > since]
    falling = query.get("order", "desc") == "desc"
    field = "date_created_gmt" if query.get("orderby") == "date" else "id"
    return sorted(chosen, key=lambda row: (row[field], row["id"]), reverse=falling)


def paged(rows: list[Row], query: Query, shown: Callable[[Row], Row]) -> WooAnswer:
    """One page of a list, with how many there are."""
    size = int(query.get("per_page") or 10)
    page = int(query.get("page") or 1)
    if not 1 <= size <= MOST_PER_PAGE or page < 1:
        return refusal(400, "rest_invalid_param", "Invalid parameter(s): per_page")
    pages = -(-len(rows) // size)
    return WooAnswer(
        body=[shown(row) for row in rows[(page - 1) * size : page * size]],
        headers={"X-WP-Total": str(len(rows)), "X-WP-TotalPages": str(pages)},
    )


def refusal(status: int, code: str, words: str) -> WooAnswer:
    """An error as WordPress words it."""
    return WooAnswer(status=status, body=_error(code, words, status))


def _no_route() -> WooAnswer:
    return refusal(404, "rest_no_route", "No route was found matching the URL and request method.")


def _error(code: str, words: str, status: int) -> Row:
    return {"code": code, "message": words, "data": {"status": status}}


def body_of(body: bytes) -> dict[str, Any]:
    """The JSON object of a request; anything else is an empty one."""
    try:
        told = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}

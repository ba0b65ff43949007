"""How the simulated shop makes an order of a request, and changes one."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from wch.adapters.sandbox.woocommerce.floor import Floor, FloorRefusedError
from wch.adapters.sandbox.woocommerce.reckoning import Row

_BLANK = ("first_name", "last_name", "company", "address_1", "address_2", "city", "state", "postcode", "country")


def make(floor: Floor, asked: Mapping[str, Any]) -> Row:
    """`POST /orders`: prices are the shop's own, whatever anybody sends."""
    lines = [(_sold(floor, line), int(line.get("quantity", 1))) for line in asked.get("line_items", ())]
    customer_id = int(asked.get("customer_id") or 0)
    if customer_id and customer_id not in floor.customers:
        raise FloorRefusedError("woocommerce_rest_invalid_customer_id", "Customer ID is invalid.")
    billing = {**dict.fromkeys(_BLANK, ""), "email": "", "phone": "", **asked.get("billing", {})}
    shipping = {**dict.fromkeys(_BLANK, ""), "phone": "", **asked.get("shipping", {})}
    codes = [str(line["code"]) for line in asked.get("coupon_lines", ())]
    coupon = floor.valid_coupon(codes[0], lines, billing["email"]) if codes else None
    freight = [floor.till.money(line.get("total")) for line in asked.get("shipping_lines", ())]
    fees = [floor.till.money(line.get("total")) for line in asked.get("fee_lines", ())]
    sums = floor.sums(lines, coupon, freight[0] if freight else None, fees)
    order_id, now = floor.number(), floor.stamp()
    drift, floor.drift = floor.drift, Decimal(0)
    order: Row = {
        "id": order_id,
        "parent_id": 0,
        "number": str(order_id),
        "order_key": f"wc_order_{order_id}",
        "created_via": "rest-api",
        "status": "new",
        "currency": floor.till.currency,
        "date_created_gmt": now,
        "date_created": now,
        "date_modified_gmt": now,
        "discount_total": floor.text(sums.discount),
        "discount_tax": floor.text(sums.discount_tax),
        "shipping_total": floor.text(sums.shipping),
        "shipping_tax": floor.text(sums.shipping_tax),
        "cart_tax": floor.text(sums.tax - sums.shipping_tax),
        "total": floor.text(sums.total + floor.till.money(drift)),
        "total_tax": floor.text(sums.tax),
        "prices_include_tax": floor.till.prices_include_tax,
        "customer_id": customer_id,
        "customer_note": str(asked.get("customer_note", "")),
        "billing": billing,
        "shipping": shipping,
        "payment_method": str(asked.get("payment_method", "")),
        "payment_method_title": str(asked.get("payment_method_title", "")),
        "transaction_id": str(asked.get("transaction_id", "")),
        "date_paid_gmt": None,
        "date_completed_gmt": None,
        "meta_data": [{"id": floor.number(), **row} for row in asked.get("meta_data", ())],
        "line_items": [
            {
                "id": floor.number(),
                "name": product["name"] or floor.products[product["parent_id"]]["name"],
                "parent_name": floor.products[product["parent_id"]]["name"] if product["parent_id"] else None,
                "product_id": product["parent_id"] or product["id"],
                "variation_id": product["id"] if product["parent_id"] else 0,
                "quantity": quantity,
                "subtotal": floor.text(line.subtotal),
                "subtotal_tax": floor.text(line.subtotal_tax),
                "total": floor.text(line.total),
                "total_tax": floor.text(line.total_tax),
                "sku": product["sku"],
                # On the wire this one is a number, not rounded, and after the discount.
                "price": float(line.total.amount / quantity),
                "meta_data": [
                    {
                        "id": place,
                        "key": one["name"].casefold(),
                        "value": one["option"],
                        "display_key": one["name"],
                        "display_value": one["option"],
                    }
                    for place, one in enumerate(product["attributes"])
                    if product["parent_id"]
                ],
            }
            for (product, quantity), line in zip(lines, sums.lines, strict=True)
        ],
        "shipping_lines": [{"id": floor.number(), **line} for line in asked.get("shipping_lines", ())],
        "fee_lines": [{"id": floor.number(), **line} for line in asked.get("fee_lines", ())],
        "coupon_lines": [{"id": floor.number(), "code": code.casefold()} for code in codes],
        "tax_lines": [],
        "refunds": [],
        "_stock_reduced": False,
    }
    floor.orders[order_id] = order
    floor.use_coupons(order, 1)
    floor.move(order, "processing" if asked.get("set_paid") is True else str(asked.get("status") or "pending"))
    floor.touch(order, "order.created")
    return order


def _sold(floor: Floor, line: Mapping[str, Any]) -> Row:
    sold = floor.products.get(int(line.get("variation_id") or line.get("product_id") or 0))
    if sold is None:
        raise FloorRefusedError("woocommerce_rest_invalid_product_id", "Product ID provided is invalid.")
    return sold


def change(floor: Floor, order: Row, asked: Mapping[str, Any]) -> Row:
    """`PUT /orders/N`."""
    for name in ("transaction_id", "customer_note"):
        if name in asked:
            order[name] = str(asked[name])
    for row in asked.get("meta_data", ()):
        known = next((one for one in order["meta_data"] if one["key"] == row["key"]), None)
        if known is None:
            order["meta_data"].append({"id": floor.number(), **row})
        else:
            known["value"] = row["value"]
    if "status" in asked:
        floor.move(order, str(asked["status"]).removeprefix("wc-"))
    if asked.get("set_paid") is True and order["status"] in ("pending", "on-hold", "failed", "cancelled"):
        order["date_paid_gmt"] = floor.stamp()
        sold = [floor.products[line["variation_id"] or line["product_id"]] for line in order["line_items"]]
        digital = all(one["virtual"] and one["downloadable"] for one in sold)
        floor.move(order, "completed" if digital else "processing")
    floor.touch(order, "order.updated")
    return order


def refund(floor: Floor, order: Row, asked: Mapping[str, Any]) -> Row:
    """`POST /orders/N/refunds`."""
    amount = floor.till.money(asked.get("amount"))
    left = Decimal(order["total"]) + sum((Decimal(one["total"]) for one in order["refunds"]), Decimal(0))
    if amount.amount <= 0 or amount.amount > left:
        raise FloorRefusedError("woocommerce_rest_cannot_create_order_refund", "Invalid refund amount.", 500)
    if asked.get("api_refund", True):
        # The real shop would ask its own gateway for the money now, which the hub never wants.
        raise FloorRefusedError("woocommerce_rest_cannot_create_order_refund", "The payment gateway failed.", 500)
    row: Row = {
        "id": floor.number(),
        "date_created_gmt": floor.stamp(),
        "amount": floor.text(amount),
        "reason": str(asked.get("reason", "")),
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": list(asked.get("meta_data", ())),
        "line_items": list(asked.get("line_items", ())),
    }
    floor.refunds.setdefault(order["id"], []).append(row)
    order["refunds"].append({"id": row["id"], "reason": row["reason"], "total": f"-{floor.text(amount)}"})
    if asked.get("api_restock", True) and order["_stock_reduced"]:
        for line in row["line_items"]:
            floor.restock(order, int(line["id"]), int(line.get("quantity", 0)))
    if amount.amount == left:
        order["status"] = "refunded"
    floor.touch(order, "order.updated")
    return row

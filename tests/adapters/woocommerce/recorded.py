"""The recorded WooCommerce bodies: what each is, and the form that it is read into."""

import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from wch.adapters.woocommerce.bodies import (
    WooCoupon,
    WooCustomer,
    WooError,
    WooNote,
    WooOrder,
    WooProduct,
    WooRefund,
    WooWebhook,
)

READERS: dict[str, Callable[[Any], Any]] = {
    "product": WooProduct.read,
    "variation": WooProduct.read,
    "order": WooOrder.read,
    "order-note": WooNote.read,
    "refund": WooRefund.read,
    "coupon": WooCoupon.read,
    "customer": WooCustomer.read,
    "webhook-resource": WooWebhook.read,
    "error": WooError.read,
}
"""By the word in the file's name. Requests are what others send; `other` and `deleted` are told below."""


def kind_of(file: Path) -> tuple[str, str]:
    """Who says it, and what it is."""
    said, *words = file.name.split("__")[0].split(".")
    words = words[1:] if words[0] == "list" else words
    return said, words[0]


def objects(body: Any) -> list[dict[str, Any]]:
    """What is in a body: an object, a list, or either within `data`."""
    if (
        isinstance(body, dict)
        and isinstance(body.get("data"), (dict, list))
        and "id" not in body
        and "code" not in body
    ):
        body = body["data"]
    return body if isinstance(body, list) else [body]


def recorded(corpus: Path) -> list[Path]:
    """Everything that a shop says."""
    files = sorted((corpus / "woocommerce").glob("*.json"))
    assert files
    return [file for file in files if not file.name.startswith("request.")]


def outcome_of(file: Path) -> str:
    """Read a body into its form; what is no resource of ours is said so.

    Raises:
        Exception: it could not be read.
    """
    kind = kind_of(file)[1]
    body = json.loads(file.read_bytes(), parse_float=Decimal)
    if kind not in READERS:
        return UNTYPED[kind]
    read = 0
    for one in objects(body):
        if "download_id" in one:
            return "a list of downloads, which the hub does not ask for"
        form = READERS[kind](one)
        if "id" in one and form.id != int(one["id"]):
            raise ValueError(file.name)
        read += 1
    return "read" if read else "empty"


UNTYPED = {
    "batch": "each object is read by its kind",
    "action": "a hint with a number",
    "deleted": "a hint with a number",
    "other": "no resource of a shop",
}


def table(corpus: Path) -> Counter[tuple[str, str]]:
    """Bodies that a shop says, by kind and outcome."""
    return Counter((".".join(kind_of(file)), outcome_of(file)) for file in recorded(corpus))

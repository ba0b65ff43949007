"""Every recorded WooCommerce body is read into its form, with the figures that it holds."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.woocommerce.recorded import kind_of, objects, recorded, table
from wch.adapters.woocommerce.bodies import WooError, WooOrder, WooProduct
from wch.domain.shop_error import ShopUnavailableError


def test_every_body_that_a_shop_says_is_read(corpus: Path) -> None:
    """What has no form of its own is named, with the reason."""
    told = table(corpus)

    assert sum(told.values()) == len(recorded(corpus))
    assert sum(count for (_, outcome), count in told.items() if outcome == "read") >= 45


def test_a_batch_holds_resources_and_errors(corpus: Path) -> None:
    """Each object that has no error of its own is read as what it is."""
    seen = 0
    for file in recorded(corpus):
        if kind_of(file)[1] != "batch":
            continue
        (body,) = objects(json.loads(file.read_bytes(), parse_float=Decimal))
        for name in ("create", "update", "delete"):
            for one in body.get(name) or ():
                if "error" in one:
                    assert WooError.read(one["error"]).code
                    continue
                reader = WooOrder.read if "line_items" in one else WooProduct.read if "stock_status" in one else None
                if reader is not None:
                    assert reader(one).id == int(one["id"])
                    seen += 1
    assert seen


def test_every_recorded_order_keeps_its_figures(corpus: Path) -> None:
    """Totals are texts and exact; what went back is negative on the wire."""
    seen = 0
    for file in recorded(corpus):
        if kind_of(file)[1] != "order":
            continue
        for one in objects(json.loads(file.read_bytes(), parse_float=Decimal)):
            if "download_id" in one:
                continue
            order = WooOrder.read(one)
            assert order.total == Decimal(one.get("total") or 0), file.name
            assert order.refunded == sum(abs(Decimal(row["total"])) for row in one.get("refunds") or ()), file.name
            assert [line.subtotal for line in order.lines] == [
                Decimal(row.get("subtotal") or row["total"]) for row in one.get("line_items") or ()
            ], file.name
            seen += 1
    assert seen >= 10


@pytest.mark.parametrize(
    ("told", "stock", "counted"),
    [
        ({"manage_stock": True, "stock_quantity": 3}, 3, True),
        ({"manage_stock": True, "stock_quantity": "3"}, 3, True),
        ({"manage_stock": True, "stock_quantity": Decimal("3.75")}, 3, True),
        ({"manage_stock": True, "stock_quantity": Decimal("-0.5")}, -1, True),
        ({"manage_stock": True, "stock_quantity": ""}, None, False),
        ({"manage_stock": True, "stock_quantity": None}, None, False),
        ({"manage_stock": False, "stock_quantity": 3}, None, False),
        ({"manage_stock": "parent", "stock_quantity": 3, "parent_id": 9}, 3, True),
    ],
)
def test_a_count_comes_in_many_forms(told: dict[str, Any], stock: int | None, counted: bool) -> None:  # noqa: FBT001 - a parameter
    """Null, text, number, fraction: pieces are whole, and a fraction is floored."""
    one = WooProduct.read({"id": 7, "type": "variation", **told})

    assert (one.stock, one.counted) == (stock, counted)
    assert one.guarded_id == (9 if told["manage_stock"] == "parent" else 7)


def test_a_body_without_an_id_is_no_answer() -> None:
    """A plug-in that breaks the JSON is a shop that cannot be read now."""
    with pytest.raises(ShopUnavailableError):
        WooProduct.read({"name": "Mug"})


def test_words_for_people_lose_their_markup() -> None:
    """A description is shown as plain text; a name keeps its signs."""
    one = WooProduct.read({"id": 7, "name": "Salt &amp; Pepper", "description": "<p>Grinds<br>well &amp; long.</p>"})

    assert (one.name, one.description) == ("Salt & Pepper", "Grinds\nwell & long.")

"""A cart of three lines to its text and back: the column's own way, against msgspec on the same class and against pydantic.

Run it with `make bench`, or `python benchmarks/bench_objects.py [--quick]`; the peers come with `pip install -r benchmarks/requirements.txt`.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pydantic
from measuring import Measure, Target, arguments, keep, rounds

from wch.adapters.sql.tables import tables
from wch.domain.cart import CartItem

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TIMES = 200
"""Between two looks at the watch."""

LINES = tuple(
    CartItem(
        product_id=number, variation_id=number, quantity=2, price_at_add=Decimal("12.50"), currency="EUR",
        product_name="Mug with a picture", variant_attributes={"Size": "M", "Colour": "blue"}, added_at=NOON,
    )
    for number in range(1, 4)
)  # fmt: skip


class Line(pydantic.BaseModel, frozen=True):
    """The same line as pydantic would have it."""

    product_id: int
    variation_id: int | None = None
    quantity: int
    price_at_add: Decimal
    agreed_price: Decimal | None = None
    currency: str
    product_name: str
    variant_attributes: dict[str, str] = {}
    added_at: datetime


def taking(act: Callable[[], Any], seconds: float) -> Measure:
    """Microseconds for one time."""

    def measure() -> float:
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            for _ in range(TIMES):
                act()
            done += TIMES
        return spent / done * 1e6

    return measure


def main() -> None:
    """All variants in turns."""
    quick = arguments().quick
    seconds, count = (0.1, 5) if quick else (0.3, 7)
    column = tables("bench_", names_per_table=False).carts.c["items"].type
    text = column.text_of(LINES)
    decoder = msgspec.json.Decoder(tuple[CartItem, ...])
    encoder = msgspec.json.Encoder()
    model = pydantic.TypeAdapter(tuple[Line, ...])
    lines = model.validate_json(text)
    if column.process_result_value(text, None) != LINES:
        message = "the lines do not come back as they were"
        raise RuntimeError(message)
    mine, least, peer = "wch", "msgspec on the same class", "pydantic"
    stored = rounds(
        "Three lines of a cart to their text",
        {
            mine: taking(lambda: column.text_of(LINES), seconds),
            least: taking(lambda: encoder.encode(LINES), seconds),
            peer: taking(lambda: model.dump_json(lines), seconds),
        },
        (
            Target(number="13", what="against msgspec", over=mine, under=least, most=2.0),
            Target(number="13", what="pydantic against ours", over=peer, under=mine, least=1.0),
        ),
        unit="µs",
        count=count,
        note="Less is better.",
    )
    loaded = rounds(
        "Three lines of a cart from their text",
        {
            mine: taking(lambda: column.process_result_value(text, None), seconds),
            least: taking(lambda: decoder.decode(text), seconds),
            peer: taking(lambda: model.validate_json(text), seconds),
        },
        (
            Target(number="13", what="against msgspec", over=mine, under=least, most=2.0),
            Target(number="13", what="pydantic against ours", over=peer, under=mine, least=1.0),
        ),
        unit="µs",
        count=count,
        note="Less is better. Ours takes what imported rows have too: numbers for prices, no currency, unknown keys.",
    )
    keep("objects", [stored, loaded], quick=quick)


if __name__ == "__main__":
    main()

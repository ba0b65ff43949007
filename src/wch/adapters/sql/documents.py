"""What JSON columns hold: the lines of a cart, lists of objects and of texts."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import cattrs

from wch.adapters.sql.json_text import object_of
from wch.domain.cart import CartItem
from wch.domain.moment import iso, whole
from wch.domain.money import decimal_of


def _converter() -> cattrs.Converter:
    """How lines of a cart are read that others wrote; unknown keys are left aside."""
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_structure_hook(Decimal, lambda value, _: decimal_of(str(value)))
    converter.register_structure_hook(datetime, lambda value, _: _moment(value))
    return converter


@lru_cache(maxsize=4096)
def _moment(value: str) -> datetime:
    """A moment as `iso` writes it; one without a zone, from an imported row, is UTC."""
    moment = datetime.fromisoformat(value)
    return whole(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


_amount = lru_cache(maxsize=4096)(decimal_of)
_READ = _converter().get_structure_hook(CartItem)


def write_items(items: tuple[CartItem, ...]) -> list[dict[str, Any]]:
    """The lines of a cart as JSON has them; a price nobody has to agree to is left out."""
    written = []
    for item in items:
        line: dict[str, Any] = {
            "product_id": item.product_id,
            "variation_id": item.variation_id,
            "quantity": item.quantity,
            "price_at_add": str(item.price_at_add),
        }
        if item.agreed_price is not None:
            line["agreed_price"] = str(item.agreed_price)
        line["currency"] = item.currency
        line["product_name"] = item.product_name
        line["variant_attributes"] = item.variant_attributes
        line["added_at"] = iso(item.added_at)
        written.append(line)
    return written


def read_items(value: Any) -> tuple[CartItem, ...]:
    """The lines of a cart; readers accept a number for the price, no currency and unknown keys."""
    return tuple([_as_written(line) or read_forgivingly(line) for line in value])


def _as_written(line: Any) -> CartItem | None:
    """A line of the exact shape that `write_items` gives it, without asking each value for its type's form; else None."""
    try:
        price, agreed = line["price_at_add"], line.get("agreed_price")
        currency, name, attributes = line["currency"], line["product_name"], line["variant_attributes"]
        product, variation, quantity = line["product_id"], line["variation_id"], line["quantity"]
        if (
            price.__class__ is currency.__class__ is name.__class__ is str
            and product.__class__ is quantity.__class__ is int
            and (variation is None or variation.__class__ is int)
            and (agreed is None or agreed.__class__ is str)
            and attributes.__class__ is dict
            and all(one.__class__ is str for one in attributes.values())
        ):
            return CartItem(
                product_id=product,
                variation_id=variation,
                quantity=quantity,
                price_at_add=_amount(price),
                agreed_price=None if agreed is None else _amount(agreed),
                currency=currency,
                product_name=name,
                variant_attributes=attributes,
                added_at=_moment(line["added_at"]),
            )
    except (KeyError, TypeError):
        pass  # the forgiving way takes it, or says what is wrong
    return None


def read_forgivingly(line: Mapping[str, Any]) -> CartItem:
    """A line as others may have written it: what is not of its type is made to be."""
    plain = {"currency": "", **line}
    if not plain.get("variant_attributes"):
        plain["variant_attributes"] = {}  # PHP writes an empty object as a list
    line_read: CartItem = _READ(plain, CartItem)
    return line_read


def read_objects(value: Any) -> tuple[Any, ...]:
    """A list of objects."""
    return tuple(map(object_of, value))


def read_words(value: Any) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(map(str, value))

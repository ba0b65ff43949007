"""What JSON columns hold: the lines of a cart, lists of objects and of texts."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

import cattrs

from wch.adapters.sql.types import object_of
from wch.domain.cart import CartItem
from wch.domain.moment import iso, whole
from wch.domain.money import decimal_of


def _converter() -> cattrs.Converter:
    """How the lines of a cart are written and read; unknown keys of imported rows are left aside."""
    converter = cattrs.Converter(detailed_validation=False)
    converter.register_unstructure_hook(Decimal, str)
    converter.register_structure_hook(Decimal, lambda value, _: decimal_of(str(value)))
    converter.register_unstructure_hook(datetime, iso)
    converter.register_structure_hook(datetime, lambda value, _: _moment(value))
    return converter


@lru_cache(maxsize=4096)
def _moment(value: str) -> datetime:
    """A moment as `iso` writes it; one without a zone, from an imported row, is UTC."""
    moment = datetime.fromisoformat(value)
    return whole(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))


_CONVERTER = _converter()
_WRITTEN, _READ = _CONVERTER.get_unstructure_hook(CartItem), _CONVERTER.get_structure_hook(CartItem)


def write_items(items: tuple[CartItem, ...]) -> list[dict[str, Any]]:
    """The lines of a cart as JSON has them; a price nobody has to agree to is left out."""
    written = []
    for item in items:
        plain = _WRITTEN(item)
        if plain["agreed_price"] is None:
            del plain["agreed_price"]
        written.append(plain)
    return written


def read_items(value: Any) -> tuple[CartItem, ...]:
    """The lines of a cart; readers accept a number for the price, no currency and unknown keys."""
    lines = []
    for line in [{"currency": "", **one} for one in value]:
        if not line.get("variant_attributes"):
            line["variant_attributes"] = {}  # PHP writes an empty object as a list
        lines.append(_READ(line, CartItem))
    return tuple(lines)


def read_objects(value: Any) -> tuple[Any, ...]:
    """A list of objects."""
    return tuple(object_of(one) for one in value)


def read_words(value: Any) -> tuple[str, ...]:
    """A list of texts."""
    return tuple(str(one) for one in value)

"""Values as JSON shows them, on the command line and over HTTP alike."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import attrs

from wch.domain.moment import iso
from wch.domain.money import Money, money_to_json

_WRITTEN: Mapping[type, Callable[[Any], Any]] = {
    Money: money_to_json,
    Enum: lambda value: value.value,
    datetime: iso,
    Decimal: str,
}
"""How a value that JSON does not know is written there."""


def plain(value: Any) -> Any:
    """A value as JSON has it: times RFC 3339, money with its currency, decimals as text."""
    for kind, written in _WRITTEN.items():
        if isinstance(value, kind):
            return written(value)
    if attrs.has(type(value)):
        return {field.name: plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(one) for one in value]
    return value


def program_version() -> str:
    """The version of the installed package."""
    try:
        return version("wch")
    except PackageNotFoundError:
        return "0+unknown"

"""Bounds: what a row's numbers and keys may be, looked at in every delivery."""

from typing import Any

import attrs

_LONGEST_KEY = 20


def not_negative(_instance: Any, attribute: "attrs.Attribute[Any]", value: int) -> None:
    """Refuse a number below zero."""
    if value < 0:
        message = f"{attribute.name} must not be negative"
        raise ValueError(message)


def short_key(_instance: Any, attribute: "attrs.Attribute[Any]", value: str) -> None:
    """Refuse a customer's key that is empty or longer than its column."""
    if not 0 < len(value) <= _LONGEST_KEY:
        message = f"{attribute.name} must have 1 to {_LONGEST_KEY} characters"
        raise ValueError(message)

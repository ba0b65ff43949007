"""Looking for a value in what a stranger sent: the right kind, or nothing."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, TypeGuard

from wch.domain.document import JsonObject
from wch.domain.moment import of_unix, unix

NOTHING: JsonObject = {}

_NUMBER = re.compile(r"[0-9]{1,20}\Z")
_MOST_DIGITS = 20
_DROPPED = str.maketrans("", "", "+- ")
_DECIMAL = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?\Z")
_USER_ID_LENGTH = 300
_EARLIEST = unix(datetime(2009, 1, 1, tzinfo=UTC))
_AHEAD_SECONDS = 300


def mapping(value: Any) -> JsonObject:
    """The object, or an empty one."""
    if value is None:
        return NOTHING
    return value if value.__class__ is dict or isinstance(value, Mapping) else NOTHING


def sequence(value: Any) -> Sequence[Any]:
    """The list, or an empty one."""
    return value if isinstance(value, list) else ()


def text(value: Any) -> str | None:
    """The text; an empty one is the same as none."""
    return value if isinstance(value, str) and value else None


def word(value: Any) -> str | None:
    """The text, or the digits of an id that came as a number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return text(value)


def digits(value: Any) -> str | None:
    """The digits of a phone number, kept as they are; a `+`, blanks and hyphens are no part of it."""
    if value is None or is_number(value):
        return value
    bare = (word(value) or "").translate(_DROPPED)
    return bare if _NUMBER.match(bare) else None


def is_number(value: Any) -> TypeGuard[str]:
    """Whether it is a text of digits only, as numbers and times nearly always come."""
    return value.__class__ is str and value.isdigit() and value.isascii() and len(value) <= _MOST_DIGITS


def user_id(value: Any) -> str | None:
    """The id by which a business knows a user; its form is not checked, only its length."""
    return value if isinstance(value, str) and 0 < len(value) <= _USER_ID_LENGTH else None


def decimal(value: Any) -> Decimal | None:
    """The number, whether it came as one or as text; never through a float."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | Decimal):
        return Decimal(value)
    if isinstance(value, str) and _DECIMAL.match(value.strip()):
        return Decimal(value.strip())
    return None


def decimal_text(value: Any) -> str | None:
    """The number written out, without an exponent."""
    found = decimal(value)
    return None if found is None else format(found, "f")


def integer(value: Any) -> int | None:
    """The whole number, whether it came as one or as text."""
    found = decimal(value)
    return int(found) if found is not None and found == found.to_integral_value() else None


def moment(value: Any, now: datetime) -> tuple[datetime, bool]:
    """WhatsApp's time, or `now` and True where that is no number, before 2009, or too far ahead.

    An old one stays as it is: a backlog comes with the times at which things were said.
    """
    return _written(value, now) if is_number(value) else _possible(decimal(value), now)


@lru_cache(maxsize=4096)  # what comes together is of the same few seconds
def _written(seconds: str, now: datetime) -> tuple[datetime, bool]:
    return _possible(int(seconds), now)


def _possible(seconds: int | Decimal | None, now: datetime) -> tuple[datetime, bool]:
    if seconds is None or not _EARLIEST <= seconds <= now.timestamp() + _AHEAD_SECONDS:
        return now, True
    return of_unix(int(seconds)), False

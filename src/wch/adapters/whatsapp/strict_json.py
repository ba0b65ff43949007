"""JSON read strictly: what two readers could understand differently is refused."""

import json
import re
from decimal import Decimal
from typing import Any

from wch.domain.inbound import UnreadableDeliveryError

DEEPEST = 64
LONGEST_TEXT = 65_536
LARGEST = 2**63
MOST_DIGITS = 40

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def _refuse(why: str) -> UnreadableDeliveryError:
    return UnreadableDeliveryError(f"The body is not acceptable JSON: {why}.")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise _refuse("a key is repeated")
    return read


def _constant(word: str) -> Any:
    raise _refuse(f"{word} is no JSON")


def _integer(text: str) -> int:
    if len(text) > 20 or not -LARGEST <= int(text) < LARGEST:
        raise _refuse("an integer does not fit into 64 bits")
    return int(text)


def _decimal(text: str) -> Decimal:
    if len(text) > MOST_DIGITS:
        raise _refuse("a number has more than 40 digits")
    number = Decimal(text)
    if not number.is_finite() or abs(number.adjusted()) > MOST_DIGITS:
        raise _refuse("a number is out of range")
    return number


def _depth(body: bytes) -> int:
    """How deep objects and lists nest, strings left aside."""
    deepest = depth = 0
    for bracket in _STRINGS.sub(b"", body).translate(None, _OTHERS):
        depth += 1 if bracket in b"{[" else -1
        deepest = max(deepest, depth)
        if deepest > DEEPEST:
            break
    return deepest


_OTHERS = bytes(code for code in range(256) if code not in b"{}[]")


def read(body: bytes) -> Any:
    """The one document in these bytes.

    Raises:
        UnreadableDeliveryError: not UTF-8, a BOM, nested deeper than 64, a repeated key, NaN, a
            number or text out of bounds, or anything but one document.
    """
    if body.startswith(b"\xef\xbb\xbf"):
        raise _refuse("it begins with a byte order mark")
    if _depth(body) > DEEPEST:
        raise _refuse(f"it is nested deeper than {DEEPEST}")
    try:
        text = body.decode("utf-8")
        document = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_decimal,
        )
    except UnreadableDeliveryError:
        raise
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise _refuse("it cannot be parsed") from error
    if len(body) > LONGEST_TEXT:
        _check_texts(document)
    return document


def _check_texts(document: Any) -> None:
    """Refuse a text or key that is longer than any of WhatsApp's."""
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str) and len(value) > LONGEST_TEXT:
            raise _refuse("a text is longer than 64 KiB")
        if isinstance(value, dict):
            waiting.extend(value)
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def repaired(value: Any) -> tuple[Any, bool]:
    """The value as JSON columns can hold it: no NUL, no lone surrogate, decimals as text; whether texts changed."""
    if isinstance(value, str):
        mended = _UNFIT.sub("\N{REPLACEMENT CHARACTER}", value)
        return mended, mended != value
    if isinstance(value, Decimal):
        return str(value), False
    if isinstance(value, dict):
        pairs = [(repaired(key), repaired(one)) for key, one in value.items()]
        changed = any(key[1] or one[1] for key, one in pairs)
        return {key[0]: one[0] for key, one in pairs}, changed
    if isinstance(value, list):
        items = [repaired(one) for one in value]
        return [one[0] for one in items], any(one[1] for one in items)
    return value, False

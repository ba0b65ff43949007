"""JSON as a stranger may send it: read strictly, or refused with one error, in linear time.

Python's own reader takes NaN, repeated keys, UTF-16, any depth its stack bears and numbers
of any length. This one says no to each of them, and has no other way to fail.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

import attrs
import orjson

from wch.domain.errors import WchError

DEPTH = 64
STRING_BYTES = 64 * 1024
NUMBER_DIGITS = 40
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
_INTEGER_LENGTH = len(str(_SMALLEST))

# The end quote is optional, so that every string matches at once: a text that never ends its
# string is read once, not once for each quote in it.
_STRINGS = re.compile(r'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_BRACKETS = re.compile(r"[\[\]{}]")
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_BLANKS = b" \t\n\r"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

REPLACEMENT = "\ufffd"


class StrictJsonError(WchError):
    """The bytes are not JSON within the limits; `reason` is a word for why."""

    reason: str


@attrs.frozen
class Document:
    """A value as read.

    Attributes:
        value: objects as dicts, decimals as Decimal.
        is_suspect: some string may hold a lone surrogate or NUL, so `repaired` has to look.
        has_decimals: some number is a Decimal, so `storable` has to look.
    """

    value: Any
    is_suspect: bool
    has_decimals: bool = True


def read(body: bytes) -> Document:
    """The one JSON document in these bytes.

    UTF-8 without a mark, at most 64 deep, no key twice in an object, integers of 64 bits,
    decimals of 40 digits when written out, strings and keys of 64 KiB.

    Raises:
        StrictJsonError: anything else; never another error.
    """
    return read_after(glance(body), body)


def glance(body: bytes) -> Any:
    """What a fast reader makes of the bytes; None where it makes nothing of them.

    It keeps the last of two keys that are alike, and makes floats of decimals and of long
    integers: nothing to be believed before it is looked at closely.
    """
    if len(body) > STRING_BYTES:
        return None
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def read_after(seen: Any, body: bytes) -> Document:
    """What `read` reads, where `glance` has seen this in it."""
    found = _read_plain(seen, body)
    return _read_strictly(body) if found is None else found


def has_keys(body: bytes, count: int) -> bool:
    """Whether the text has so many keys, if it has no fewer: each ends with a quote and a colon.

    Colons are nearly always the ends of keys only, so they are counted first.
    """
    return count == body.count(b":") or count == body.translate(None, _BLANKS).count(b'":')


def is_suspect(body: bytes) -> bool:
    """Whether some string may hold a lone surrogate or NUL; one letter is found much sooner than two."""
    return b"\\" in body and b"\\u" in body and _SUSPECT.search(body.decode()) is not None


def _read_strictly(body: bytes) -> Document:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise StrictJsonError(reason="not_utf8") from error
    _refuse_depth(text)
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        raise StrictJsonError(reason="not_json") from error
    if len(body) > STRING_BYTES:
        _refuse_long_strings(value)
    return Document(value, is_suspect=_SUSPECT.search(text) is not None)


def _read_plain(seen: Any, body: bytes) -> Document | None:
    """The document as the fast reader saw it, where it cannot differ; None where only the slow one can tell.

    A text that has more keys than the value is left to the slow one, as is what is too deep or
    has a number that is not a short integer.
    """
    keys = None if seen is None else _plain_keys(seen)
    if keys is None or not has_keys(body, keys):
        return None
    return Document(seen, is_suspect=is_suspect(body), has_decimals=False)


def _plain_keys(value: Any) -> int | None:
    """How many keys there are in a value; None when it is too deep or holds a number that is none of 64 bits."""
    found = 0
    level: list[list[Any] | dict[str, Any]] = [[value]]
    for _ in range(DEPTH + 1):
        below: list[list[Any] | dict[str, Any]] = []
        for one in level:
            inside: Iterable[Any] = one
            if isinstance(one, dict):
                found += len(one)
                inside = one.values()
            for inner in inside:
                kind = inner.__class__
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    below.append(inner)
                elif kind is float or (kind is int and not _SMALLEST <= inner <= _LARGEST):
                    return None
        if not below:
            return found
        level = below
    return None


def repaired(value: Any) -> tuple[Any, bool]:
    """The value with each lone surrogate and NUL as U+FFFD, and whether there was any."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value) is None:
            return value, False
        return _UNSTORABLE.sub(REPLACEMENT, value), True
    if isinstance(value, list):
        items = [repaired(item) for item in value]
        return [item for item, _ in items], any(touched for _, touched in items)
    if isinstance(value, dict):
        pairs = [(repaired(key), repaired(item)) for key, item in value.items()]
        return (
            {key: item for (key, _), (item, _) in pairs},
            any(in_key or in_item for (_, in_key), (_, in_item) in pairs),
        )
    return value, False


def storable(value: Any) -> Any:
    """The value in the types that every JSON column takes.

    A decimal becomes a number where a double holds it exactly as written, else its text, so
    that nothing is rounded on the way.
    """
    if value.__class__ is str:
        return value
    if isinstance(value, Decimal):
        double = float(value)
        return double if Decimal(repr(double)) == value else format(value, "f")
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, Mapping):
        return {key: storable(item) for key, item in value.items()}
    return value


def _refuse_depth(text: str) -> None:
    """Refuse what is nested too deep before any reader goes down into it."""
    if text.count("{") + text.count("[") <= DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        if depth > DEPTH:
            raise StrictJsonError(reason="too_deep")


def _refuse_long_strings(value: Any) -> None:
    for text in _strings(value):
        if len(text) > STRING_BYTES or len(text.encode("utf-8", "surrogatepass")) > STRING_BYTES:
            raise StrictJsonError(reason="string_too_long")


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            yield from one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    known = dict(pairs)
    if len(known) != len(pairs):
        raise StrictJsonError(reason="repeated_key")
    return known


def _integer(text: str) -> int:
    if len(text) <= _INTEGER_LENGTH:
        number = int(text)
        if _SMALLEST <= number <= _LARGEST:
            return number
    raise StrictJsonError(reason="integer_too_long")


def _decimal(text: str) -> Decimal:
    """The decimal, if it is short and stays short when its exponent is written out."""
    if len(text) <= 2 * NUMBER_DIGITS:
        try:
            _, digits, exponent = Decimal(text).as_tuple()
        except InvalidOperation as error:
            raise StrictJsonError(reason="number_too_long") from error
        if isinstance(exponent, int):
            before, after = max(len(digits) + exponent, 1), max(-exponent, 0)
            if before + after <= NUMBER_DIGITS:
                return Decimal(text)
    raise StrictJsonError(reason="number_too_long")


def _constant(_word: str) -> NoReturn:
    raise StrictJsonError(reason="not_a_number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_constant,
)

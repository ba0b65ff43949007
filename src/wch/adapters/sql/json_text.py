"""Texts that every store can keep, those of JSON above all."""

import json
import re
from collections.abc import Mapping
from typing import Any

import orjson

_LARGE = b"0" * 19
"""So many digits in a row, once all are taken for noughts: a number that may be too large for the fast reader."""

_NOUGHTS = bytes(ord("0") if chr(code) in "0123456789" else ord(" ") for code in range(256))
_AS_JSON_DOES = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_UNFIT = re.compile("[\x00\ud800-\udfff]")


def clean(text: str) -> str:
    """The text as every store can keep it: NUL and lone surrogates replaced."""
    if text.isascii() and "\0" not in text:
        return text
    return _UNFIT.sub("\N{REPLACEMENT CHARACTER}", text)


def json_text(value: Any) -> str:
    """The text of a value; NUL and lone surrogates cannot be kept, not even escaped.

    Raises:
        TypeError, ValueError, RecursionError: it is no JSON.
    """
    text = _any_json(value)
    return text if "\\u0000" not in text else _any_json(_clean_deeply(json.loads(text)))


def _any_json(value: Any) -> str:
    """What the fast writer refuses, very large numbers and lone surrogates, the other writes."""
    try:
        return orjson.dumps(value, default=_plain, option=_AS_JSON_DOES).decode()
    except TypeError:
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_plain))


def read_json(text: str) -> Any:
    """The value of a text; the fast reader would make floats of very large numbers, and knows no NaN."""
    try:
        if len(text) < len(_LARGE) or _LARGE not in text.encode().translate(_NOUGHTS):
            return orjson.loads(text)
    except ValueError:
        pass
    return json.loads(text)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    message = f"{type(value).__name__} is no JSON"
    raise TypeError(message)


def _clean_deeply(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): _clean_deeply(one) for name, one in value.items()}
    return [_clean_deeply(one) for one in value] if isinstance(value, list) else value


def read_object(text: str) -> Any:
    """The object of a text.

    Raises:
        TypeError, ValueError, RecursionError: it is none.
    """
    value = read_json(text)
    return value if value.__class__ is dict else object_of(value)


def object_of(value: Any) -> Any:
    """The same object.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, dict):
        return value
    if value == []:
        return {}  # how PHP writes an empty object, in rows that were imported
    message = "not an object"
    raise TypeError(message)

"""JSON as the rows keep it: an object whose unknown keys survive every reader."""

from collections.abc import Callable, Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""A decoded JSON object. Treated as a value: whoever changes one makes a new one."""

VERSION = 1


def document(**fields: Any) -> JsonObject:
    """A JSON object of the present version, with the fields that have a value."""
    return _filled(fields)


def amended(before: JsonObject, **fields: Any) -> JsonObject:
    """The same object with these fields set; None takes a field away, the rest stays."""
    return _filled({**before, **fields})


def _filled(fields: JsonObject) -> JsonObject:
    if None in fields.values():
        fields = {name: value for name, value in fields.items() if value is not None}
    return {"v": VERSION, **fields}


def through(value: Any, text: Callable[[str], str]) -> Any:
    """A JSON value with every text in it put through a function, the names of an object included.

    A number of more than six digits is a text too where the function changes it: phone numbers
    come as both.
    """
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return {text(name): through(one, text) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [through(one, text) for one in value]
    if isinstance(value, int) and value > MOST_OF_A_SHORT_NUMBER:
        written = str(value)
        changed = text(written)
        return value if changed == written else changed
    return value


MOST_OF_A_SHORT_NUMBER = 999_999

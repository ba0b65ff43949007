"""JSON as the rows keep it: an object whose unknown keys survive every reader."""

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""A decoded JSON object. Treated as a value: whoever changes one makes a new one."""

VERSION = 1


def document(**fields: Any) -> JsonObject:
    """A JSON object of the present version, with the fields that have a value."""
    return {"v": VERSION, **{name: value for name, value in fields.items() if value is not None}}


def amended(before: JsonObject, **fields: Any) -> JsonObject:
    """The same object with these fields set; None takes a field away, the rest stays."""
    after = {**before, **fields}
    return {"v": VERSION, **{name: value for name, value in after.items() if value is not None}}

"""Evolution: how a frozen row becomes the next one."""

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

__all__ = ["evolve", "made_of"]

T = TypeVar("T")


def made_of(kind: type[T], fields: dict[str, Any]) -> T:
    """A row of these fields, all of them, which are not looked at once more; its class is made with `slots=False`."""
    made = object.__new__(kind)
    object.__setattr__(made, "__dict__", fields)
    return made


if TYPE_CHECKING:  # to the type checker it is attrs' own, which knows the fields
    from attrs import evolve
else:

    def evolve(row: T, /, **changes: Any) -> T:
        """As `attrs.evolve`, in a fraction of the time: what does not change was looked at when it came.

        Of classes made with `slots=False`, without converters, whose validators look at their own
        field alone.
        """
        before = row.__dict__
        fields = before.copy()
        fields.update(changes)
        if len(fields) != len(before):
            return attrs.evolve(row, **changes)  # it says which name is none of the class
        evolved = made_of(row.__class__, fields)
        for name, field, validate in _validated(row.__class__):
            if name in changes:
                validate(evolved, field, fields[name])
        return evolved

    @cache
    def _validated(kind: type) -> tuple[tuple[str, Any, Any], ...]:
        """The fields that look at what they are given, in their order."""
        return tuple((one.name, one, one.validator) for one in attrs.fields(kind) if one.validator is not None)

"""How a setting is declared, and what is known about one that is."""

from typing import Any

import attrs

from wch.domain.errors import SettingsError
from wch.settings.kinds import (
    Address,
    Amount,
    DatabaseUrl,
    Flag,
    Kind,
    Parts,
    Secret,
    Secrets,
    Trip,
    Window,
    WrongValueError,
)

MONEY = Amount()
SECRET = Secret()
SECRETS = Secrets()
ADDRESS = Address()


def variable_of(section: str, field: "attrs.Attribute[Any]") -> str:
    """The name in the environment."""
    return field.metadata["env"] or f"WCH_{section}_{field.name}".upper()


def kind_of(field: "attrs.Attribute[Any]") -> Kind:
    """The type of a setting."""
    kind: Kind = field.metadata["kind"]
    return kind


def _read(given: Any, section: Any, field: "attrs.Attribute[Any]") -> Any:
    try:
        return kind_of(field).read(given)
    except WrongValueError as wrong:
        name = variable_of(type(section).__name__.lower(), field)
        fault = f"{name}: {wrong}."
        raise SettingsError(fault, faults=(fault,)) from None


_READING = attrs.Converter(_read, takes_self=True, takes_field=True)


def switch(meaning: str, *, on: bool = False, env: str = "") -> Any:
    """A setting that is yes or no."""
    return setting(Flag(), on, meaning, env=env)


def setting(kind: Kind, default: Any, meaning: str, *, env: str = "") -> Any:
    """One setting; `env` only where its name is not made of section and key."""
    return attrs.field(
        default=default,
        converter=_READING,
        repr=lambda value: repr(kind.show(value)) if kind.is_secret or isinstance(kind, DatabaseUrl) else repr(value),
        metadata={"kind": kind, "env": env, "meaning": meaning},
    )


def window(default: Window, meaning: str) -> Any:
    """A setting that is so many in so many seconds."""
    return setting(Parts(Window, "n/seconds"), default, meaning)


def trip(default: Trip, meaning: str) -> Any:
    """A setting that says when a breaker opens and closes."""
    return setting(Parts(Trip, "failures/successes/seconds"), default, meaning)

"""What is made when it is first asked for."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)


class made_once(Generic[T_co]):  # noqa: N801 - it decorates
    """As `cached_property`, but without a lock: one thread runs a transaction."""

    def __init__(self, make: Callable[[Any], T_co]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        self._name = name

    def __get__(self, of: Any, _owner: type) -> T_co:
        made: T_co = self._make(of)
        of.__dict__[self._name] = made
        return made

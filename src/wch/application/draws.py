"""Draws: a name that chance gives is looked up before it is used, so that chance which repeats itself overwrites nothing."""

from collections.abc import Callable
from typing import TypeVar

from wch.domain.errors import ConflictError

T = TypeVar("T")

MOST_DRAWS = 8


def unused(draw: Callable[[], T], is_taken: Callable[[T], bool]) -> T:
    """The first of a few draws that is not taken; asked for in the transaction that uses it.

    Raises:
        ConflictError: all of them are taken, so chance is broken, or somebody plays with it.
    """
    for _ in range(MOST_DRAWS):
        drawn = draw()
        if not is_taken(drawn):
            return drawn
    raise ConflictError("Chance gave nothing new; try again, and look at the host's source of randomness.")

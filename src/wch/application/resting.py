"""Resting: what was looked at in vain is not looked at again at once."""

from collections.abc import Hashable
from datetime import datetime, timedelta

UNKNOWN = timedelta(minutes=15)
"""How long something rests of which nobody knows when it may be."""

LONGEST = timedelta(hours=1)
"""What is held for long is looked at again all the same: the reason may be gone before its time."""

_MOST = 100_000


class Resting:
    """Until when each thing rests, in the memory of this process alone: forgetting it costs one more look."""

    def __init__(self) -> None:
        self._until: dict[Hashable, datetime] = {}

    def __contains__(self, asked: tuple[Hashable, datetime]) -> bool:
        """Whether a thing still rests at a moment."""
        thing, now = asked
        until = self._until.get(thing)
        return until is not None and now < until

    def add(self, thing: Hashable, *, until: datetime | None, now: datetime) -> None:
        """Let it rest until then, or for a while where nobody knows."""
        if len(self._until) >= _MOST:
            self._until = {one: end for one, end in self._until.items() if now < end}
        self._until[thing] = min(until or now + UNKNOWN, now + LONGEST)

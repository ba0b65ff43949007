"""Faults to order: what goes wrong on the way, for so many calls."""

from enum import StrEnum

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError

MOST_CALLS = 1_000_000
MOST_SECONDS = 600.0


class FaultKind(StrEnum):
    """What can be ordered."""

    DUPLICATE = "duplicate"
    """A delivery to the hub comes twice, at the same time."""
    REORDER = "reorder"
    """A customer's message comes after the next one (or after `seconds`); a send's statuses come last first."""
    BATCH = "batch"
    """So many customers' messages come together in one delivery, or what there is after `seconds`."""
    STATUS_FIRST = "status_first"
    """The statuses of a send come before the answer to it."""
    STATUS_LOST = "status_lost"
    """The statuses of a send never come."""
    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    """A send is taken, but its answer never comes: after `seconds` the connection is cut."""
    ERROR = "error"
    """A send is refused with `code`; asynchronously: taken, then reported as failed with it."""
    SLOW = "slow"
    """A send is answered after `seconds`."""
    DOWN = "down"
    """Any call is answered 503 with the error of a Graph API that is away."""
    BSUID_ONLY = "bsuid_only"
    """A customer's message comes with the user id and without the number."""


class FaultRefusedError(WchError):
    """There is no such fault, or its figures make no sense."""


@attrs.define(kw_only=True)
class Fault:
    """One fault, for `calls` more calls."""

    kind: FaultKind
    calls: int
    code: int
    seconds: float
    asynchronous: bool

    def plain(self) -> JsonObject:
        """As the JSON interface tells it."""
        return {
            "fault": self.kind.value,
            "calls": self.calls,
            "code": self.code,
            "seconds": self.seconds,
            "asynchronous": self.asynchronous,
        }


class Faults:
    """The faults that are active, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def order(
        self, kind: str, *, calls: int = 1, code: int = 131000, seconds: float = 2.0, asynchronous: bool = False
    ) -> JsonObject:
        """Let it go wrong this way for the next calls.

        Raises:
            FaultRefusedError: there is no such fault; the sentence lists those there are.
        """
        if kind not in set(FaultKind):
            message = f"There is no fault {kind[:40]!r}; there are {', '.join(FaultKind)}."
            raise FaultRefusedError(message)
        if not 1 <= calls <= MOST_CALLS or not 0 <= seconds <= MOST_SECONDS:
            message = f"A fault takes 1 to {MOST_CALLS} calls and 0 to {MOST_SECONDS:.0f} seconds."
            raise FaultRefusedError(message)
        fault = Fault(kind=FaultKind(kind), calls=calls, code=code, seconds=seconds, asynchronous=asynchronous)
        self._active.append(fault)
        return fault.plain()

    def take(self, kind: FaultKind) -> Fault | None:
        """The oldest active fault of this kind, used up by one call."""
        for fault in self._active:
            if fault.kind is kind:
                fault.calls -= 1
                if not fault.calls:
                    self._active.remove(fault)
                return fault
        return None

    def listed(self) -> list[JsonObject]:
        """Those that are active, with the calls that are left."""
        return [fault.plain() for fault in self._active]

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._active.clear()

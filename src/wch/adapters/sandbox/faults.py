"""Faults to order: what goes wrong on the way, for so many calls."""

from enum import StrEnum

import attrs

from wch.domain.errors import WchError


class FaultKind(StrEnum):
    """What can be ordered.

    The first five befall deliveries to the hub, the others calls of the hub; `bsuid_only`
    hides the customer's number.
    """

    DUPLICATE = "duplicate"
    REORDER = "reorder"
    BATCH = "batch"
    STATUS_FIRST = "status_first"
    STATUS_LOST = "status_lost"
    TIMEOUT_AFTER_ACCEPT = "timeout_after_accept"
    ERROR = "error"
    SLOW = "slow"
    DOWN = "down"
    BSUID_ONLY = "bsuid_only"


class UnknownFaultError(WchError):
    """There is no fault of this name; the answer lists those there are."""


@attrs.define(kw_only=True)
class Fault:
    """One fault, for so many calls yet."""

    kind: FaultKind
    calls: int
    code: int = 131000
    seconds: float = 2.0


class Faults:
    """The faults that are active."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def order(self, kind: str, *, calls: int = 1, code: int = 131000, seconds: float = 2.0) -> Fault:
        """Let it go wrong this way for the next calls.

        Raises:
            UnknownFaultError: there is no such fault.
        """
        if kind not in set(FaultKind):
            raise UnknownFaultError(f"There is no fault {kind!r}; there are {', '.join(FaultKind)}.")
        fault = Fault(kind=FaultKind(kind), calls=max(1, calls), code=code, seconds=seconds)
        self._active.append(fault)
        return fault

    def take(self, *kinds: FaultKind) -> Fault | None:
        """The next active fault of these kinds, used up by one call."""
        for fault in self._active:
            if fault.kind in kinds:
                fault.calls -= 1
                if fault.calls <= 0:
                    self._active.remove(fault)
                return fault
        return None

    def listed(self) -> list[Fault]:
        """Those that are active."""
        return list(self._active)

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._active.clear()

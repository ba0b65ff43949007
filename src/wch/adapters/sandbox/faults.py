"""Faults to order: what goes wrong on the way, for so many calls or a share of them."""

from enum import StrEnum

import attrs

from wch.domain.document import JsonObject
from wch.domain.errors import WchError

MOST_CALLS = 1_000_000
MOST_SECONDS = 600.0
_ROUNDING = 1e-9


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
    CATALOGUE_ERROR = "catalogue_error"
    """A batch of the catalogue is refused with `code`."""
    CATALOGUE_ITEM = "catalogue_item"
    """So many entries of the next batches are not taken; their batches are."""
    CATALOGUE_SLOW = "catalogue_slow"
    """The next batch is not worked off yet when it is asked about so many times."""
    BSUID_ONLY = "bsuid_only"
    """A customer's message comes with the user id and without the number."""
    SHOP_DOWN = "shop_down"
    """A call to the simulated shop is answered 503."""
    SHOP_THROTTLED = "shop_throttled"
    """A call to the simulated shop is answered 429, to be tried again after `seconds`."""
    SHOP_HTML = "shop_html"
    """A call to the simulated shop is answered 200 with a web page."""
    SHOP_LOST_ANSWER = "shop_lost_answer"
    """The simulated shop makes an order, but its answer never comes: after `seconds` the connection is cut."""
    SHOP_LATE = "shop_late"
    """A call for an order is held up on the way, and reaches the simulated shop after `seconds`."""
    SHOP_DRIFT = "shop_drift"
    """The simulated shop's next order costs one smallest unit more than its cart said."""


class FaultRefusedError(WchError):
    """There is no such fault, or its figures make no sense."""


@attrs.define(kw_only=True)
class Fault:
    """One fault, for `calls` more calls.

    Attributes:
        share: which part of these calls goes wrong: spread evenly, so that of four at 0.25 it is the fourth.
    """

    kind: FaultKind
    calls: int
    share: float = 1.0
    _due: float = attrs.field(default=0.0, init=False)
    code: int
    seconds: float
    asynchronous: bool

    def strikes(self) -> bool:
        """Whether the next call is one that goes wrong; it is used up either way."""
        self.calls -= 1
        self._due += self.share
        if self._due < 1 - _ROUNDING:
            return False
        self._due -= 1
        return True

    def plain(self) -> JsonObject:
        """As the JSON interface tells it."""
        return {
            "fault": self.kind.value,
            "calls": self.calls,
            "share": self.share,
            "code": self.code,
            "seconds": self.seconds,
            "asynchronous": self.asynchronous,
        }


class Faults:
    """The faults that are active, in the order in which they were ordered."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def order(
        self,
        kind: str,
        *,
        calls: int = 1,
        share: float = 1.0,
        code: int = 131000,
        seconds: float = 2.0,
        asynchronous: bool = False,
    ) -> JsonObject:
        """Let it go wrong this way for the next calls, or for a share of them.

        Raises:
            FaultRefusedError: there is no such fault; the sentence lists those there are.
        """
        if kind not in set(FaultKind):
            message = f"There is no fault {kind[:40]!r}; there are {', '.join(FaultKind)}."
            raise FaultRefusedError(message)
        if not 1 <= calls <= MOST_CALLS or not 0 <= seconds <= MOST_SECONDS:
            message = f"A fault takes 1 to {MOST_CALLS} calls and 0 to {MOST_SECONDS:.0f} seconds."
            raise FaultRefusedError(message)
        if not 0 < share <= 1:
            message = "A share of the calls is more than 0 and at most 1."
            raise FaultRefusedError(message)
        fault = Fault(
            kind=FaultKind(kind), calls=calls, share=share, code=code, seconds=seconds, asynchronous=asynchronous
        )
        self._active.append(fault)
        return fault.plain()

    def take(self, kind: FaultKind) -> Fault | None:
        """The oldest active fault of this kind, used up by one call; None too when this call is not of its share."""
        for fault in self._active:
            if fault.kind is kind:
                strikes = fault.strikes()
                if not fault.calls:
                    self._active.remove(fault)
                return fault if strikes else None
        return None

    def take_all(self, kind: FaultKind) -> int:
        """All calls that the oldest active fault of this kind is good for, used up at once."""
        for fault in self._active:
            if fault.kind is kind:
                self._active.remove(fault)
                return fault.calls
        return 0

    def listed(self) -> list[JsonObject]:
        """Those that are active, with the calls that are left."""
        return [fault.plain() for fault in self._active]

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._active.clear()

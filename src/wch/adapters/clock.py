"""The system's clock, corrected by the database's; and one that a sandbox can move."""

import math
import time
from datetime import UTC, datetime, timedelta

from wch.application.ports import Clock


class SystemClock:
    """What time it is here, as the shared database would say; never earlier than before."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._ahead = 0.0
        self._second = -math.inf
        self._latest = datetime.min.replace(tzinfo=UTC)

    def correct(self, offset: timedelta) -> None:
        """Take over how far the database's clock is ahead."""
        self._offset = offset
        self._ahead = offset.total_seconds()

    def now(self) -> datetime:
        """The present second, in UTC."""
        second = math.floor(self.seconds() + self._ahead)
        if second > self._second:
            self._second = second
            self._latest = datetime.fromtimestamp(second, UTC)
        return self._latest

    def fraction(self) -> float:
        """How much of the present second has passed."""
        return self._exact().microsecond / 1_000_000

    def boot(self) -> float:
        """Seconds since the machine started, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def seconds(self) -> float:
        """Seconds since 1970 by this host's clock as it is: what everything else here is made of."""
        return time.time()  # noqa: TID251 - this is the clock

    def host(self) -> datetime:
        """This host's time as it is, uncorrected and in fractions of a second: what is compared with the database's."""
        return datetime.fromtimestamp(self.seconds(), UTC)

    def _exact(self) -> datetime:
        return self.host() + self._offset


class ShiftedClock:
    """A clock so far ahead of another; only ever moved forward."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.shift = timedelta(0)

    def move_to(self, shift: timedelta) -> None:
        """Be so far ahead from now on; a smaller shift than before changes nothing."""
        self.shift = max(self.shift, shift)

    def now(self) -> datetime:
        """The other clock's second, so far ahead."""
        return self._clock.now() + self.shift

    def fraction(self) -> float:
        """How much of the present second has passed."""
        return self._clock.fraction()

    def boot(self) -> float:
        """Seconds since the machine started; moving the clock moves no span."""
        return self._clock.boot()

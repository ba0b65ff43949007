"""The system's clock, corrected by the database's; and one that a sandbox can move."""

import time
from datetime import UTC, datetime, timedelta

from wch.application.ports import Clock


class SystemClock:
    """What time it is here, as the shared database would say; never earlier than before."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._latest = datetime.min.replace(tzinfo=UTC)

    def correct(self, offset: timedelta) -> None:
        """Take over how far the database's clock is ahead."""
        self._offset = offset

    def now(self) -> datetime:
        """The present second, in UTC."""
        self._latest = max(self._latest, self._exact().replace(microsecond=0))
        return self._latest

    def fraction(self) -> float:
        """How much of the present second has passed."""
        return self._exact().microsecond / 1_000_000

    def boot(self) -> float:
        """Seconds since the machine started, suspended time included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def host(self) -> datetime:
        """This host's time as it is, uncorrected and in fractions of a second: what is compared with the database's."""
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

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

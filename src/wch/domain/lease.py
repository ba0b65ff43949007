"""Leases: how a row of work is taken, kept, and finished by nobody but its holder.

The state is the version: a take moves the state, counts the attempt and stamps the time
later than it ever was; whoever finishes names all three, and is refused when one moved.
"""

from datetime import datetime, timedelta

import attrs

from wch.domain.moment import SECOND, utc_seconds

TERM = timedelta(seconds=60)
"""How long a take is good for without being renewed."""

BACK_OFF = (5, 30, 180, 900, 3600)
"""Seconds before the next attempt, by the attempts already made."""


@attrs.frozen(kw_only=True)
class Leasing:
    """How long work is held and how it is tried again, as the settings say.

    Attributes:
        term: how long a take is good for without being renewed.
        waits: seconds before each further attempt; one that is tried after the last of them has used up its attempts.
    """

    term: timedelta = TERM
    waits: tuple[int, ...] = BACK_OFF

    @property
    def renewed_every(self) -> timedelta:
        """How often a holder that is still at it renews."""
        return self.term / 3

    @property
    def given_up_after(self) -> timedelta:
        """When a holder that could not renew stops by itself, well before others may take over."""
        return self.term * 2 / 3

    @property
    def call_within(self) -> timedelta:
        """How old a take may be when the outside call is made; an older one is not called for."""
        return self.term / 2

    def is_used_up(self, attempts: int) -> bool:
        """Whether so many takes were the last: one more than there are back-offs."""
        return attempts > len(self.waits)


def stamp_taken(now: datetime, stamp: datetime | None) -> datetime:
    """The stamp of a new take: later than any before it, even within one second."""
    return now if stamp is None else max(now, stamp + SECOND)


def stamp_moved(now: datetime, stamp: datetime | None) -> datetime:
    """The stamp of any other change: never falls."""
    return now if stamp is None else max(now, stamp)


def back_off(attempts: int, row: int, waits: tuple[int, ...] = BACK_OFF) -> timedelta:
    """How long a row waits after so many attempts; its jitter is its own, so runs can be played again."""
    if attempts <= 0:
        return timedelta(0)
    seconds = waits[min(attempts, len(waits)) - 1]
    return timedelta(seconds=seconds * (0.75 + 0.125 * (row % 5)))


@attrs.frozen(kw_only=True)
class Work:
    """A row of work as its queue sees it, without its JSON: what a fence compares.

    Attributes:
        id: the row.
        status: the word in its status column.
        attempts: `messages.retry_count` or `sync_queue.attempts`: takes so far.
        stamp: `messages.updated_at` or `sync_queue.processed_at`; None before the first take.
    """

    id: int
    status: str
    attempts: int
    stamp: datetime | None = attrs.field(validator=utc_seconds)

    def taken(self, status: str, *, now: datetime) -> "Work":
        """This row in its working state, one attempt older, stamped later than ever."""
        return attrs.evolve(self, status=status, attempts=self.attempts + 1, stamp=stamp_taken(now, self.stamp))

    def renewed(self, *, now: datetime) -> "Work":
        """The same take, good for another term."""
        return attrs.evolve(self, stamp=stamp_moved(now, self.stamp))

    def moved(self, status: str, *, now: datetime, attempts: int | None = None) -> "Work":
        """This row in another state; the attempts stay unless they are given back."""
        return attrs.evolve(
            self,
            status=status,
            attempts=self.attempts if attempts is None else attempts,
            stamp=stamp_moved(now, self.stamp),
        )

    def ran_out(self, *, now: datetime, term: timedelta = TERM) -> bool:
        """Whether the term of this take is over."""
        return self.stamp is None or self.stamp + term <= now

    def is_due(self, *, now: datetime, waits: tuple[int, ...] = BACK_OFF) -> bool:
        """Whether the back-off after the attempts made is over."""
        return self.stamp is None or self.stamp + back_off(self.attempts, self.id, waits) <= now

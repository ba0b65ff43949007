"""Where dead letters, claims, windows, breakers and sagas are kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.claim import Claim
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.saga import Saga, SagaState


class DeadLetterRepository(Protocol):
    """What failed for good."""

    def add(self, letter: DeadLetter) -> DeadLetter:
        """Write a new row."""
        ...

    def get(self, letter_id: int, *, lock: bool = False) -> DeadLetter | None:
        """The row of this id."""
        ...

    def save(self, letter: DeadLetter) -> None:
        """Write a locked row whole."""
        ...

    def listed(
        self,
        *,
        status: DeadLetterStatus | None = None,
        hook: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[DeadLetter]:
        """Letters by id."""
        ...

    def hold_pending(self, hooks: Collection[str]) -> Sequence[DeadLetter]:
        """Letters of these hooks that nobody decided about yet, locked, by id; one that cannot be read is passed over."""
        ...

    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """How many stand in each (status, hook, reason)."""
        ...

    def purge(self, *, decided_before: datetime) -> int:
        """Delete replayed and dismissed letters decided before this moment; pending ones never. How many."""
        ...


class ClaimRepository(Protocol):
    """Who was first."""

    def claim(self, key: str, scope: str, *, now: datetime, expires_at: datetime) -> bool:
        """Be the first to write this key in this scope, or the first after it expired.

        Exactly one of any number of callers at once gets True. An error of the database is
        an error, never False. The key is an HMAC already.
        """
        ...

    def is_claimed(self, key: str, scope: str, *, now: datetime) -> bool:
        """Whether the key is there and not expired."""
        ...

    def of(self, key: str) -> Sequence[Claim]:
        """The claims of this key, the expired ones too, by scope in order of its letters."""
        ...

    def purge(self, *, now: datetime, limit: int = 500) -> int:
        """Delete up to so many claims that have expired; how many."""
        ...


class RateLimitRepository(Protocol):
    """Hits by part of a window."""

    def lock(self, identifier_hash: str, limit_type: str) -> None:
        """Make the anchor row of this pair if there is none, and hold it until the transaction ends."""
        ...

    def since(self, identifier_hash: str, limit_type: str, oldest: datetime) -> Sequence[RateLimitWindow]:
        """The parts from `oldest` on, without upper bound, the anchor aside, oldest first."""
        ...

    def hit(self, identifier_hash: str, limit_type: str, part: datetime, hits: int = 1) -> None:
        """Count so many more in this part; needs the anchor's lock.

        Raises:
            NotLockedError: the anchor is not held by this transaction.
        """
        ...

    def listed(self, *, limit_type: str | None = None, limit: int = 100) -> Sequence[RateLimitWindow]:
        """Parts with hits, newest first."""
        ...

    def reset(self, *, identifier_hash: str | None = None, limit_type: str | None = None) -> int:
        """Forget the hits of these; how many rows."""
        ...

    def purge(self, *, before: datetime) -> int:
        """Delete parts that began before this moment, anchors aside; how many."""
        ...


class BreakerRepository(Protocol):
    """Circuit breakers, one row a service."""

    def lock(self, service: str, *, now: datetime) -> CircuitBreaker:
        """The breaker of this service, locked; made closed if there is none."""
        ...

    def of(self, service: str) -> CircuitBreaker | None:
        """The breaker of this service, not locked."""
        ...

    def save(self, breaker: CircuitBreaker) -> None:
        """Write a locked row whole."""
        ...

    def listed(self) -> Sequence[CircuitBreaker]:
        """All, by service."""
        ...


class SagaRepository(Protocol):
    """Orders and other long walks."""

    def add(self, saga: Saga) -> Saga:
        """Write a new row.

        Raises:
            DuplicateError: a saga of this id is there already, letter for letter.
        """
        ...

    def get(self, saga_id: str, *, lock: bool = False) -> Saga | None:
        """The row of this id."""
        ...

    def save(self, saga: Saga) -> None:
        """Write a locked row whole."""
        ...

    def replace(self, before: Saga, after: Saga) -> bool:
        """Write a row that still stands whole as `before` says, letter by letter, and lock it; whether it did.

        One that somebody changed, in whatever column, or that is gone, is left as it is, and is not locked.
        """
        ...

    def take_due(self, now: datetime, *, limit: int = 10) -> Sequence[Saga]:
        """Running and compensating sagas whose `updated_at` is at or before `now`, the earliest first, locked.

        Rows that others hold are passed over.
        """
        ...

    def listed(
        self,
        *,
        saga_type: str | None = None,
        state: SagaState | None = None,
        outcome: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Saga]:
        """Sagas by id; `outcome` is compared with `context.outcome`."""
        ...

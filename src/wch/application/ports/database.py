"""One transaction, and the database that runs it."""

from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Protocol, TypeVar

from wch.application.ports.beside import AuditRepository, Census, Holdings, OptionRepository
from wch.application.ports.machinery import (
    BreakerRepository,
    ClaimRepository,
    DeadLetterRepository,
    RateLimitRepository,
    SagaRepository,
)
from wch.application.ports.talk import CartRepository, ConversationRepository, CustomerRepository, MessageRepository
from wch.application.ports.tasks import (
    NotificationRepository,
    ProductViewRepository,
    RecipientRepository,
    ReengagementRepository,
    SyncRepository,
)

R = TypeVar("R")


class UnitOfWork(Protocol):
    """One transaction's view of the store."""

    def read_ahead(self, *, phones: Collection[str]) -> None:
        """Read in few statements what works about these customers will ask for; it changes no answer.

        The customers are locked already, and their newest threads are locked by it.
        """
        ...

    @property
    def conversations(self) -> ConversationRepository:
        """See `ConversationRepository`."""
        ...

    @property
    def messages(self) -> MessageRepository:
        """See `MessageRepository`."""
        ...

    @property
    def carts(self) -> CartRepository:
        """See `CartRepository`."""
        ...

    @property
    def customers(self) -> CustomerRepository:
        """See `CustomerRepository`."""
        ...

    @property
    def recipients(self) -> RecipientRepository:
        """See `RecipientRepository`."""
        ...

    @property
    def sync(self) -> SyncRepository:
        """See `SyncRepository`."""
        ...

    @property
    def notifications(self) -> NotificationRepository:
        """See `NotificationRepository`."""
        ...

    @property
    def views(self) -> ProductViewRepository:
        """See `ProductViewRepository`."""
        ...

    @property
    def reengagements(self) -> ReengagementRepository:
        """See `ReengagementRepository`."""
        ...

    @property
    def dead_letters(self) -> DeadLetterRepository:
        """See `DeadLetterRepository`."""
        ...

    @property
    def claims(self) -> ClaimRepository:
        """See `ClaimRepository`."""
        ...

    @property
    def limits(self) -> RateLimitRepository:
        """See `RateLimitRepository`."""
        ...

    @property
    def breakers(self) -> BreakerRepository:
        """See `BreakerRepository`."""
        ...

    @property
    def sagas(self) -> SagaRepository:
        """See `SagaRepository`."""
        ...

    @property
    def options(self) -> OptionRepository:
        """See `OptionRepository`."""
        ...

    @property
    def audit(self) -> AuditRepository:
        """See `AuditRepository`."""
        ...

    @property
    def holdings(self) -> Holdings:
        """See `Holdings`."""
        ...

    @property
    def census(self) -> Census:
        """See `Census`."""
        ...


class Database(Protocol):
    """The store: transactions are plain functions."""

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` whole: commit when it returns, roll everything back when it raises.

        It runs as a task of its own, so a cancelled caller never tears it. It may run more
        than once: after a deadlock, a busy database or a lost connection it is rolled back
        and begun again until the deadline; then StoreUnavailableError.
        """
        ...

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` on one snapshot, without locks; whatever writes raises ReadOnlyError."""
        ...

    async def forget(self) -> bool:
        """Let nothing of what was deleted stay in the store's files; False when somebody still read there."""
        ...

    def redone(self) -> Mapping[str, int]:
        """How often a transaction was begun again since the store was opened, by what had stopped it."""
        ...

    async def clock_offset(self) -> timedelta:
        """How far the database's clock is ahead of this host's; zero where the host is the clock."""
        ...

    async def aclose(self) -> None:
        """Give everything back."""
        ...

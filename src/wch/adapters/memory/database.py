"""The database in memory: transactions run at once, whole, one after another."""

import asyncio
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TypeVar

from wch.adapters.memory.census import MemoryCensus
from wch.adapters.memory.holdings import MemoryHoldings
from wch.adapters.memory.people import (
    MemoryCartRepository,
    MemoryConversationRepository,
    MemoryCustomerRepository,
    MemoryMessageRepository,
    MemoryProductViewRepository,
    MemoryReengagementRepository,
)
from wch.adapters.memory.rows import Journal, Rows
from wch.adapters.memory.tables import Tables
from wch.adapters.memory.work import (
    MemoryAuditRepository,
    MemoryBreakerRepository,
    MemoryClaimRepository,
    MemoryDeadLetterRepository,
    MemoryNotificationRepository,
    MemoryOptionRepository,
    MemoryRateLimitRepository,
    MemoryRecipientRepository,
    MemorySagaRepository,
    MemorySyncRepository,
)
from wch.application.ports import UnitOfWork

R = TypeVar("R")


class MemoryUnitOfWork:
    """One transaction's view of the tables; each repository is made when it is first asked for."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        self._tables = tables
        self._journal = journal

    @cached_property
    def conversations(self) -> MemoryConversationRepository:
        """See `wch.application.ports.ConversationRepository`."""
        return MemoryConversationRepository(Rows(self._tables.conversations, self._journal))

    @cached_property
    def messages(self) -> MemoryMessageRepository:
        """See `wch.application.ports.MessageRepository`."""
        return MemoryMessageRepository(
            Rows(self._tables.messages, self._journal), Rows(self._tables.conversations, self._journal)
        )

    @cached_property
    def carts(self) -> MemoryCartRepository:
        """See `wch.application.ports.CartRepository`."""
        return MemoryCartRepository(Rows(self._tables.carts, self._journal))

    @cached_property
    def customers(self) -> MemoryCustomerRepository:
        """See `wch.application.ports.CustomerRepository`."""
        return MemoryCustomerRepository(Rows(self._tables.customers, self._journal))

    @cached_property
    def recipients(self) -> MemoryRecipientRepository:
        """See `wch.application.ports.RecipientRepository`."""
        return MemoryRecipientRepository(Rows(self._tables.recipients, self._journal))

    @cached_property
    def sync(self) -> MemorySyncRepository:
        """See `wch.application.ports.SyncRepository`."""
        return MemorySyncRepository(Rows(self._tables.sync, self._journal))

    @cached_property
    def notifications(self) -> MemoryNotificationRepository:
        """See `wch.application.ports.NotificationRepository`."""
        return MemoryNotificationRepository(Rows(self._tables.notifications, self._journal))

    @cached_property
    def views(self) -> MemoryProductViewRepository:
        """See `wch.application.ports.ProductViewRepository`."""
        return MemoryProductViewRepository(Rows(self._tables.views, self._journal))

    @cached_property
    def reengagements(self) -> MemoryReengagementRepository:
        """See `wch.application.ports.ReengagementRepository`."""
        return MemoryReengagementRepository(Rows(self._tables.reengagements, self._journal))

    @cached_property
    def dead_letters(self) -> MemoryDeadLetterRepository:
        """See `wch.application.ports.DeadLetterRepository`."""
        return MemoryDeadLetterRepository(Rows(self._tables.dead_letters, self._journal))

    @cached_property
    def claims(self) -> MemoryClaimRepository:
        """See `wch.application.ports.ClaimRepository`."""
        return MemoryClaimRepository(Rows(self._tables.claims, self._journal))

    @cached_property
    def limits(self) -> MemoryRateLimitRepository:
        """See `wch.application.ports.RateLimitRepository`."""
        return MemoryRateLimitRepository(Rows(self._tables.limits, self._journal))

    @cached_property
    def breakers(self) -> MemoryBreakerRepository:
        """See `wch.application.ports.BreakerRepository`."""
        return MemoryBreakerRepository(Rows(self._tables.breakers, self._journal))

    @cached_property
    def sagas(self) -> MemorySagaRepository:
        """See `wch.application.ports.SagaRepository`."""
        return MemorySagaRepository(Rows(self._tables.sagas, self._journal))

    @cached_property
    def options(self) -> MemoryOptionRepository:
        """See `wch.application.ports.OptionRepository`."""
        return MemoryOptionRepository(Rows(self._tables.options, self._journal))

    @cached_property
    def audit(self) -> MemoryAuditRepository:
        """See `wch.application.ports.AuditRepository`."""
        return MemoryAuditRepository(Rows(self._tables.audit, self._journal))

    @cached_property
    def holdings(self) -> MemoryHoldings:
        """See `wch.application.ports.Holdings`."""
        return MemoryHoldings(self._tables, self._journal)

    @cached_property
    def census(self) -> MemoryCensus:
        """See `wch.application.ports.Census`."""
        return MemoryCensus(self._tables)

    def read_ahead(self, *, phones: Collection[str]) -> None:
        """See `wch.application.ports.UnitOfWork`: everything is near already; the locks are taken."""
        for phone in sorted(phones):
            self.conversations.latest_of(phone, lock=True)


class MemoryDatabase:
    """A store that forgets when the process ends.

    A transaction has no await inside, so it runs alone; what it did is taken back when it
    raises. With `twice`, every transaction is run twice and the first run thrown away: what
    then comes out differently has changed something beside the store.
    """

    def __init__(self, *, twice: bool = False) -> None:
        self._tables = Tables()
        self._twice = twice

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work` whole, or not at all; others come between two transactions, never into one."""
        await asyncio.sleep(0)
        if self._twice:
            rehearsal = Journal(read_only=False)
            try:
                work(MemoryUnitOfWork(self._tables, rehearsal))
            finally:
                rehearsal.roll_back()
        journal = Journal(read_only=False)
        try:
            return work(MemoryUnitOfWork(self._tables, journal))
        except BaseException:
            journal.roll_back()
            raise

    async def read(self, work: Callable[[UnitOfWork], R]) -> R:
        """Run `work`, which may not write."""
        await asyncio.sleep(0)
        return work(MemoryUnitOfWork(self._tables, Journal(read_only=True)))

    async def forget(self) -> bool:
        """What was deleted is nowhere."""
        return True

    def redone(self) -> Mapping[str, int]:
        """Nothing ever has to be."""
        return {}

    async def clock_offset(self) -> timedelta:
        """There is no other clock."""
        return timedelta(0)

    async def aclose(self) -> None:
        """There is nothing to give back."""

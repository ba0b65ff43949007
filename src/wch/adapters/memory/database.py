"""The database in memory: transactions run at once, whole, one after another."""

import asyncio
from collections.abc import Callable, Collection
from datetime import timedelta
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
    """One transaction's view of the tables."""

    def __init__(self, tables: Tables, journal: Journal) -> None:
        messages = Rows(tables.messages, journal)
        conversations = Rows(tables.conversations, journal)
        self.conversations = MemoryConversationRepository(conversations)
        self.messages = MemoryMessageRepository(messages, conversations)
        self.carts = MemoryCartRepository(Rows(tables.carts, journal))
        self.customers = MemoryCustomerRepository(Rows(tables.customers, journal))
        self.recipients = MemoryRecipientRepository(Rows(tables.recipients, journal))
        self.sync = MemorySyncRepository(Rows(tables.sync, journal))
        self.notifications = MemoryNotificationRepository(Rows(tables.notifications, journal))
        self.views = MemoryProductViewRepository(Rows(tables.views, journal))
        self.reengagements = MemoryReengagementRepository(Rows(tables.reengagements, journal))
        self.dead_letters = MemoryDeadLetterRepository(Rows(tables.dead_letters, journal))
        self.claims = MemoryClaimRepository(Rows(tables.claims, journal))
        self.limits = MemoryRateLimitRepository(Rows(tables.limits, journal))
        self.breakers = MemoryBreakerRepository(Rows(tables.breakers, journal))
        self.sagas = MemorySagaRepository(Rows(tables.sagas, journal))
        self.options = MemoryOptionRepository(Rows(tables.options, journal))
        self.audit = MemoryAuditRepository(Rows(tables.audit, journal))
        self.holdings = MemoryHoldings(tables, journal)
        self.census = MemoryCensus(tables)

    def read_ahead(self, *, phones: Collection[str], wa_message_ids: Collection[str]) -> None:
        """See `wch.application.ports.UnitOfWork`: everything is near already; the locks are taken."""
        del wa_message_ids
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

    async def clock_offset(self) -> timedelta:
        """There is no other clock."""
        return timedelta(0)

    async def aclose(self) -> None:
        """There is nothing to give back."""

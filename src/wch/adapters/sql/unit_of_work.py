"""One transaction's view of the tables."""

from collections.abc import Collection

from wch.adapters.sql.beside import SqlAuditRepository, SqlOptionRepository
from wch.adapters.sql.census import SqlCensus
from wch.adapters.sql.contacts import SqlProductViewRepository, SqlReengagementRepository
from wch.adapters.sql.holdings import SqlHoldings
from wch.adapters.sql.machinery import (
    SqlBreakerRepository,
    SqlClaimRepository,
    SqlDeadLetterRepository,
    SqlRateLimitRepository,
    SqlSagaRepository,
)
from wch.adapters.sql.made_once import made_once
from wch.adapters.sql.people import SqlCartRepository, SqlCustomerRepository
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.talk import SqlConversationRepository, SqlMessageRepository
from wch.adapters.sql.work import (
    SqlNotificationRepository,
    SqlRecipientRepository,
    SqlSyncRepository,
)


class SqlUnitOfWork:
    """The repositories over one connection, each made when it is first asked for."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._tables = tables

    def read_ahead(self, *, phones: Collection[str]) -> None:
        """See `wch.application.ports.UnitOfWork`."""
        self.conversations.read_ahead(list(phones))

    @made_once
    def conversations(self) -> SqlConversationRepository:
        """See `wch.application.ports.ConversationRepository`."""
        return SqlConversationRepository(self._session, self._tables)

    @made_once
    def messages(self) -> SqlMessageRepository:
        """See `wch.application.ports.MessageRepository`."""
        return SqlMessageRepository(self._session, self._tables)

    @made_once
    def carts(self) -> SqlCartRepository:
        """See `wch.application.ports.CartRepository`."""
        return SqlCartRepository(self._session, self._tables)

    @made_once
    def customers(self) -> SqlCustomerRepository:
        """See `wch.application.ports.CustomerRepository`."""
        return SqlCustomerRepository(self._session, self._tables)

    @made_once
    def recipients(self) -> SqlRecipientRepository:
        """See `wch.application.ports.RecipientRepository`."""
        return SqlRecipientRepository(self._session, self._tables)

    @made_once
    def sync(self) -> SqlSyncRepository:
        """See `wch.application.ports.SyncRepository`."""
        return SqlSyncRepository(self._session, self._tables)

    @made_once
    def notifications(self) -> SqlNotificationRepository:
        """See `wch.application.ports.NotificationRepository`."""
        return SqlNotificationRepository(self._session, self._tables)

    @made_once
    def views(self) -> SqlProductViewRepository:
        """See `wch.application.ports.ProductViewRepository`."""
        return SqlProductViewRepository(self._session, self._tables)

    @made_once
    def reengagements(self) -> SqlReengagementRepository:
        """See `wch.application.ports.ReengagementRepository`."""
        return SqlReengagementRepository(self._session, self._tables)

    @made_once
    def dead_letters(self) -> SqlDeadLetterRepository:
        """See `wch.application.ports.DeadLetterRepository`."""
        return SqlDeadLetterRepository(self._session, self._tables)

    @made_once
    def claims(self) -> SqlClaimRepository:
        """See `wch.application.ports.ClaimRepository`."""
        return SqlClaimRepository(self._session, self._tables)

    @made_once
    def limits(self) -> SqlRateLimitRepository:
        """See `wch.application.ports.RateLimitRepository`."""
        return SqlRateLimitRepository(self._session, self._tables)

    @made_once
    def breakers(self) -> SqlBreakerRepository:
        """See `wch.application.ports.BreakerRepository`."""
        return SqlBreakerRepository(self._session, self._tables)

    @made_once
    def sagas(self) -> SqlSagaRepository:
        """See `wch.application.ports.SagaRepository`."""
        return SqlSagaRepository(self._session, self._tables)

    @made_once
    def options(self) -> SqlOptionRepository:
        """See `wch.application.ports.OptionRepository`."""
        return SqlOptionRepository(self._session, self._tables)

    @made_once
    def audit(self) -> SqlAuditRepository:
        """See `wch.application.ports.AuditRepository`."""
        return SqlAuditRepository(self._session, self._tables)

    @made_once
    def holdings(self) -> SqlHoldings:
        """See `wch.application.ports.Holdings`."""
        return SqlHoldings(self._session, self._tables)

    @made_once
    def census(self) -> SqlCensus:
        """See `wch.application.ports.Census`."""
        return SqlCensus(self._session, self._tables)

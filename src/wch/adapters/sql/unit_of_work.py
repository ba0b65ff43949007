"""One transaction's view of the tables."""

from wch.adapters.sql.census import SqlCensus
from wch.adapters.sql.people import (
    SqlCartRepository,
    SqlConversationRepository,
    SqlCustomerRepository,
    SqlMessageRepository,
    SqlProductViewRepository,
    SqlReengagementRepository,
)
from wch.adapters.sql.rows import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.work import (
    SqlAuditRepository,
    SqlBreakerRepository,
    SqlClaimRepository,
    SqlDeadLetterRepository,
    SqlNotificationRepository,
    SqlOptionRepository,
    SqlRateLimitRepository,
    SqlRecipientRepository,
    SqlSagaRepository,
    SqlSyncRepository,
)


class SqlUnitOfWork:
    """The repositories over one connection."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self.conversations = SqlConversationRepository(session, tables)
        self.messages = SqlMessageRepository(session, tables)
        self.carts = SqlCartRepository(session, tables)
        self.customers = SqlCustomerRepository(session, tables)
        self.recipients = SqlRecipientRepository(session, tables)
        self.sync = SqlSyncRepository(session, tables)
        self.notifications = SqlNotificationRepository(session, tables)
        self.views = SqlProductViewRepository(session, tables)
        self.reengagements = SqlReengagementRepository(session, tables)
        self.dead_letters = SqlDeadLetterRepository(session, tables)
        self.claims = SqlClaimRepository(session, tables)
        self.limits = SqlRateLimitRepository(session, tables)
        self.breakers = SqlBreakerRepository(session, tables)
        self.sagas = SqlSagaRepository(session, tables)
        self.options = SqlOptionRepository(session, tables)
        self.audit = SqlAuditRepository(session, tables)
        self.census = SqlCensus(session, tables)

"""Every driven port: what the use-cases ask of stores, clocks and the outside world.

Repositories are synchronous and live inside one transaction; the outside world is
asynchronous and is never called inside one. Each docstring is a contract that every adapter
is held to by the suite in `wch.testing`.
"""

from wch.application.ports.beside import (
    AuditRepository,
    Census,
    Holdings,
    OptionRepository,
    SilentSends,
)
from wch.application.ports.database import Database, UnitOfWork
from wch.application.ports.machinery import (
    BreakerRepository,
    ClaimRepository,
    DeadLetterRepository,
    RateLimitRepository,
    SagaRepository,
)
from wch.application.ports.outside import (
    AccountSource,
    AccountStanding,
    Catalogue,
    Clock,
    Ids,
    LegacySource,
    MediaFiles,
    MediaStore,
    Model,
    Observer,
    QrCodes,
    SpanNotes,
    TemplatePage,
    TemplateSource,
    Tracer,
    WhatsApp,
    WhatsAppCodec,
)
from wch.application.ports.payments import Gateway, Payments
from wch.application.ports.rows import Candidate, Finding, Held, LineRow, Said, Written
from wch.application.ports.shop import Shop, ShopWebhooks, WebhookWatch
from wch.application.ports.talk import CartRepository, ConversationRepository, CustomerRepository, MessageRepository
from wch.application.ports.tasks import (
    NotificationRepository,
    ProductViewRepository,
    RecipientRepository,
    ReengagementRepository,
    SyncRepository,
)

__all__ = [
    "AccountSource",
    "AccountStanding",
    "AuditRepository",
    "BreakerRepository",
    "Candidate",
    "CartRepository",
    "Catalogue",
    "Census",
    "ClaimRepository",
    "Clock",
    "ConversationRepository",
    "CustomerRepository",
    "Database",
    "DeadLetterRepository",
    "Finding",
    "Gateway",
    "Held",
    "Holdings",
    "Ids",
    "LegacySource",
    "LineRow",
    "MediaFiles",
    "MediaStore",
    "MessageRepository",
    "Model",
    "NotificationRepository",
    "Observer",
    "OptionRepository",
    "Payments",
    "ProductViewRepository",
    "QrCodes",
    "RateLimitRepository",
    "RecipientRepository",
    "ReengagementRepository",
    "SagaRepository",
    "Said",
    "Shop",
    "ShopWebhooks",
    "SilentSends",
    "SpanNotes",
    "SyncRepository",
    "TemplatePage",
    "TemplateSource",
    "Tracer",
    "UnitOfWork",
    "WebhookWatch",
    "WhatsApp",
    "WhatsAppCodec",
    "Written",
]

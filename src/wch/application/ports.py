"""Every driven port on one page: what the use-cases ask of stores, clocks and the outside world.

Repositories are synchronous and live inside one transaction; the outside world is
asynchronous and is never called inside one. Each docstring is a contract that every adapter
is held to by the suite in `wch.testing`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import attrs

from wch.domain.address import Address
from wch.domain.attachment import Attachment
from wch.domain.audit import AuditEntry
from wch.domain.broadcast import BroadcastRecipient
from wch.domain.cart import Cart, CartStatus
from wch.domain.catalogue import (
    Buyer,
    Category,
    Changes,
    Coupon,
    CouponSpec,
    CouponVerdict,
    Line,
    LineCheck,
    Page,
    Product,
    ProductCard,
    Quote,
    Sellable,
    ShippingMethod,
    ShopFacts,
    Variant,
)
from wch.domain.circuit_breaker import CircuitBreaker
from wch.domain.completion import Completion
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus
from wch.domain.document import JsonObject
from wch.domain.inbound import Delivery
from wch.domain.lease import Work
from wch.domain.message import Class, Message
from wch.domain.money import Money
from wch.domain.notification import Notification
from wch.domain.order import Order, OrderDraft, Reservation, ShopCustomer
from wch.domain.outgoing import Outgoing
from wch.domain.payment import (
    Cancellation,
    NotOffered,
    Offer,
    Opened,
    OrderFacts,
    PaymentEvent,
    PaymentState,
    RefundStatus,
    WebhookCall,
)
from wch.domain.product_view import ProductView
from wch.domain.rate_limit import RateLimitWindow
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.saga import Saga, SagaState
from wch.domain.send_result import SendResult
from wch.domain.shop_hint import ShopHint
from wch.domain.sync import EntityType, SyncAction, SyncTask

R = TypeVar("R")


# --- rows as the queues and lists see them -------------------------------------------------


@attrs.frozen(kw_only=True)
class LineRow:
    """An inbound row in a customer's line: what its take compares, without its JSON."""

    work: Work
    conversation_id: int


@attrs.frozen(kw_only=True)
class Candidate:
    """An outbound row that waits: what decides whether it may leave now."""

    work: Work
    conversation_id: int
    customer_phone: str
    class_: Class
    number: str | None
    not_before: datetime | None


@attrs.frozen(kw_only=True)
class Held:
    """A row of any table as plain values.

    Attributes:
        table: its name without prefix.
        key: the values of its key.
        values: by column.
    """

    table: str
    key: tuple[Any, ...]
    values: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class Finding:
    """Something that the tables do not agree on."""

    table: str
    row: str
    what: str


# --- the 14 repositories -------------------------------------------------------------------
# `lock=True` reads a row for writing and waits for whoever holds it. Saving a row that this
# transaction has not locked, or added itself, raises NotLockedError. `add` gives the row back
# with its id. A stored JSON text that cannot be read raises UndecodableError from `get`.
# Lists are in ascending order of id and strictly after `after`, unless a docstring says otherwise.


class ConversationRepository(Protocol):
    """Threads with customers."""

    def add(self, conversation: Conversation) -> Conversation:
        """Write a new row; its id is the database's."""
        ...

    def get(self, conversation_id: int, *, lock: bool = False) -> Conversation | None:
        """The row of this id."""
        ...

    def save(self, conversation: Conversation) -> None:
        """Write a locked row whole."""
        ...

    def latest_of(self, customer_phone: str, *, lock: bool = False) -> Conversation | None:
        """The customer's newest thread: the one that is open, else the one with the highest id."""
        ...

    def listed(
        self,
        *,
        status: ConversationStatus | None = None,
        customer_phone: str | None = None,
        agent: int | None = None,
        unread: bool = False,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> Sequence[Conversation]:
        """Threads by `last_message_at`, newest first, then by id, highest first.

        `before` is (last_message_at, id) of the last row of the page before. Threads
        without any message are left out. An `agent` has only theirs, 0 those of nobody;
        `unread` leaves out those in which everything was seen.
        """
        ...

    def unread(self, agent: int | None = None) -> tuple[int, int]:
        """In how many threads something is unread, and how many messages; an `agent` as in `listed`."""
        ...

    def quiet_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Conversation]:
        """Active threads whose `last_message_at` is at or before this moment, by id."""
        ...


class MessageRepository(Protocol):
    """Everything said; the inbox and the outbox."""

    def add(self, message: Message) -> Message:
        """Write a new row.

        Raises:
            DuplicateError: `wa_message_id` is known already, letter for letter.
        """
        ...

    def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        """The row of this id."""
        ...

    def by_wa_id(self, wa_message_id: str, *, lock: bool = False) -> Message | None:
        """The row with this id of WhatsApp's; case, accents and trailing blanks tell ids apart."""
        ...

    def save(self, message: Message) -> None:
        """Write a locked row whole.

        Raises:
            DuplicateError: another row has its `wa_message_id`.
        """
        ...

    def remove(self, message_id: int) -> None:
        """Delete a locked row: only placeholders go."""
        ...

    def move(self, before: Work, after: Work) -> None:
        """Change status, attempts and stamp of a row that still stands as `before` says.

        This is how a row is taken, renewed and handed back without reading its JSON.

        Raises:
            LeaseLostError: status, attempts or stamp are different by now, or the row is gone.
        """
        ...

    def finish(self, lease: Work, message: Message) -> None:
        """Write a row whole that still stands as `lease` says.

        Raises:
            LeaseLostError: somebody else took it over; nothing is written.
        """
        ...

    def heads(self, *, now: datetime, limit: int = 20) -> Sequence[LineRow]:
        """The first inbound row in work or waiting of up to `limit` conversations.

        First rows whose lease ran out at `now` (`processing`, stamp at least 60 s old),
        oldest id first; then, by id, the first `received` row of each conversation that has
        no row under a live lease, due or not. A conversation appears once.
        """
        ...

    def line(self, customer_phone: str) -> Sequence[LineRow]:
        """All inbound rows of the customer that are `received` or `processing`, by id, locked."""
        ...

    def leaving(self, *, after: int = 0, limit: int = 200) -> Sequence[Candidate]:
        """Outbound rows that are `pending`, by id, in pages; not locked.

        A row whose content cannot be read is a reply without number and `not_before`.
        """
        ...

    def in_flight(self, customer_phone: str) -> bool:
        """Whether anything is `sending` to this customer."""
        ...

    def overdue(self, status: str, *, before: datetime, after: int = 0, limit: int = 100) -> Sequence[Work]:
        """Rows of this status whose stamp is at or before this moment, by id, in pages; not locked."""
        ...

    def thread(self, conversation_id: int, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        """The newest rows of a conversation with an id below `before`, newest first."""
        ...

    def containing(
        self, words: str, *, before: int | None = None, within: int = 20_000, limit: int = 50
    ) -> Sequence[Message]:
        """Rows of threads that say these words, in any case of letters, newest first.

        Only ids below `before` are looked at, and of those the newest `within` numbers.
        What a row says is `Message.words`; one that cannot be read says nothing.
        """
        ...

    def latest_inbound_at(self, customer_phone: str, number: str | None = None) -> datetime | None:
        """The provider's time of the customer's latest row that opens the 24-hour window.

        Reactions, edits, revokes, system and group rows open none. A number that is not
        None counts only rows that were written to it.
        """
        ...

    def waiting_campaign(self, limit: int = 500) -> int:
        """How many campaign rows are `pending`, counted up to `limit`."""
        ...

    def foreign_before(self, moment: datetime, *, limit: int = 100) -> Sequence[int]:
        """Ids of placeholders (`type` foreign) made at or before this moment."""
        ...


class CartRepository(Protocol):
    """One row a customer."""

    def add(self, cart: Cart) -> Cart:
        """Write a customer's first cart.

        Raises:
            DuplicateError: the customer has a row already.
        """
        ...

    def get(self, cart_id: int, *, lock: bool = False) -> Cart | None:
        """The row of this id."""
        ...

    def of(self, customer_phone: str, *, lock: bool = False) -> Cart | None:
        """The customer's row."""
        ...

    def save(self, cart: Cart) -> None:
        """Write a locked row whole."""
        ...

    def idle_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        """Active carts with lines whose `updated_at` is at or before this moment, by id."""
        ...

    def expiring(self, now: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        """Active and abandoned carts whose `expires_at` is at or before `now`, by id."""
        ...

    def due_for_reminder(self, abandoned_before: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        """Abandoned carts with a free reminder slot that were abandoned at or before this moment, by id."""
        ...

    def listed(self, *, status: CartStatus | None = None, after: int = 0, limit: int = 50) -> Sequence[Cart]:
        """Carts by id."""
        ...


class CustomerRepository(Protocol):
    """Profiles; a profile's row is the customer's lock."""

    def get(self, customer_id: int) -> CustomerProfile | None:
        """The row of this id."""
        ...

    def of(self, phone: str) -> CustomerProfile | None:
        """The customer of this key, not locked."""
        ...

    def lock(self, phone: str, *, now: datetime) -> CustomerProfile:
        """The customer of this key, locked; made first if there is none."""
        ...

    def lock_all(self, phones: Collection[str], *, now: datetime) -> None:
        """Lock the customers of these keys in ascending order, each made first if there is none; few statements."""
        ...

    def lock_if_free(self, phone: str) -> CustomerProfile | None:
        """The customer of this key, locked; None when there is none or another transaction holds it."""
        ...

    def save(self, profile: CustomerProfile) -> None:
        """Write a locked row whole."""
        ...

    def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        """Customers by id."""
        ...

    def called(self, name: str, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        """Customers in whose name these letters stand, in any case, by id."""
        ...


class RecipientRepository(Protocol):
    """Who gets a broadcast."""

    def add(self, recipient: BroadcastRecipient) -> BroadcastRecipient | None:
        """Write a recipient; None when this campaign has this phone already."""
        ...

    def get(self, recipient_id: int, *, lock: bool = False) -> BroadcastRecipient | None:
        """The row of this id."""
        ...

    def save(self, recipient: BroadcastRecipient) -> None:
        """Write a locked row whole."""
        ...

    def take_pending(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        """Pending recipients of a campaign by id, locked; rows that others hold are passed over."""
        ...

    def of(self, campaign_id: int, phone: str, *, lock: bool = False) -> BroadcastRecipient | None:
        """The row of this campaign and phone."""
        ...

    def reached(self, phone: str, *, since: datetime) -> Sequence[BroadcastRecipient]:
        """Rows of this phone over all campaigns that count as a contact, by id.

        Those that are `queued`, and those with `sent_at` after `since` that did not fail.
        """
        ...

    def standing(
        self, campaign_id: int, statuses: Collection[str], *, after: int = 0, limit: int = 50
    ) -> Sequence[BroadcastRecipient]:
        """Recipients in one of these words by id; not locked."""
        ...

    def settled(self, campaign_id: int, *, limit: int = 200) -> Sequence[BroadcastRecipient]:
        """The latest recipients that are sent, delivered, read or failed, the highest id first."""
        ...

    def discard(self, campaign_id: int, *, limit: int = 500) -> int:
        """Delete up to so many recipients of a campaign that never began; how many."""
        ...

    def counts(self, campaign_id: int) -> Mapping[str, int]:
        """How many recipients stand in each word."""
        ...

    def listed(self, campaign_id: int, *, after: int = 0, limit: int = 50) -> Sequence[BroadcastRecipient]:
        """Recipients by id."""
        ...


class SyncRepository(Protocol):
    """What shop and catalogue must agree on."""

    def enqueue(self, entity_type: EntityType, entity_id: int, action: SyncAction, *, now: datetime) -> SyncTask:
        """Arm the row of this entity and action, whatever state it is in; see `SyncTask.armed`."""
        ...

    def get(self, task_id: int, *, lock: bool = False) -> SyncTask | None:
        """The row of this id."""
        ...

    def save(self, task: SyncTask) -> None:
        """Write a locked row whole."""
        ...

    def move(self, before: Work, after: Work) -> None:
        """As `MessageRepository.move`; a taken row's `again` mark is cleared."""
        ...

    def finish(self, lease: Work, task: SyncTask) -> None:
        """As `MessageRepository.finish`."""
        ...

    def waiting(self, status: str, *, after: int = 0, limit: int = 50) -> Sequence[Work]:
        """Rows of this status by id; not locked."""
        ...

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        """Tasks by id."""
        ...


class NotificationRepository(Protocol):
    """What customers are told about their orders."""

    def add(self, notification: Notification) -> Notification:
        """Write a new row."""
        ...

    def get(self, notification_id: int, *, lock: bool = False) -> Notification | None:
        """The row of this id."""
        ...

    def save(self, notification: Notification) -> None:
        """Write a locked row whole."""
        ...

    def of_order(self, order_id: int, notification_type: str | None = None) -> Sequence[Notification]:
        """The notices of an order by id."""
        ...

    def due(self, now: datetime, *, limit: int = 50) -> Sequence[int]:
        """Ids of pending notices whose `updated_at` is at or before `now`, by id; not locked."""
        ...

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[Notification]:
        """Notices by id."""
        ...


class ProductViewRepository(Protocol):
    """What customers looked at."""

    def add(self, view: ProductView) -> ProductView:
        """Write a new row."""
        ...

    def latest(self, customer_phone: str, product_id: int) -> ProductView | None:
        """The customer's latest view of this product."""
        ...

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[ProductView]:
        """The customer's views at or after this moment, newest first."""
        ...


class ReengagementRepository(Protocol):
    """Contacts that were meant to bring customers back."""

    def add(self, contact: Reengagement) -> Reengagement:
        """Write a new row."""
        ...

    def get(self, contact_id: int, *, lock: bool = False) -> Reengagement | None:
        """The row of this id."""
        ...

    def save(self, contact: Reengagement) -> None:
        """Write a locked row whole."""
        ...

    def newest_of(self, customer_phone: str, campaign_type: CampaignType) -> Reengagement | None:
        """The customer's newest row of this type, by id."""
        ...

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[Reengagement]:
        """The customer's rows with `created_at` at or after this moment, by id."""
        ...


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

    def scopes(self, key: str, *, now: datetime) -> Sequence[str]:
        """The scopes in which this key is claimed and not expired, in order of their letters."""
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


# --- beside the 14 -------------------------------------------------------------------------


class OptionRepository(Protocol):
    """Small named documents: settings, plans, templates, aliases, facts."""

    def get(self, name: str, *, lock: bool = False) -> JsonObject | None:
        """The document of this name, letter for letter."""
        ...

    def put(self, name: str, value: JsonObject) -> None:
        """Write the document of this name, whether it was there or not."""
        ...

    def remove(self, name: str) -> bool:
        """Delete it; whether it was there."""
        ...

    def named(self, prefix: str, *, after: str = "", limit: int = 100) -> Sequence[tuple[str, JsonObject]]:
        """Names that begin so, with their documents, by name."""
        ...


class AuditRepository(Protocol):
    """What people did, and what accounts told us."""

    def add(self, entry: AuditEntry) -> AuditEntry:
        """Write a new line."""
        ...

    def listed(
        self, *, actor: str | None = None, action: str | None = None, after: int = 0, limit: int = 50
    ) -> Sequence[AuditEntry]:
        """Lines by id."""
        ...


class Holdings(Protocol):
    """Every table as rows of plain values: for what must reach all that is stored of a person.

    Tables are named without prefix: the 14, `options` and `audit_log`. Texts stand as they are
    stored, JSON is decoded (where it cannot be read it is its text), money and moments are values.
    """

    def page(self, table: str, *, after: tuple[Any, ...] | None = None, limit: int = 500) -> Sequence[Held]:
        """Rows in the order of their key, strictly after `after`, not locked.

        Raises:
            NotFoundError: there is no such table.
        """
        ...

    def of(
        self, table: str, phones: Collection[str], *, after: tuple[Any, ...] | None = None, limit: int = 500
    ) -> Sequence[Held]:
        """As `page`, of the rows whose customer column has one of these keys; messages: of their threads.

        A table that names no customer has none.
        """
        ...

    def locked(self, held: Held) -> Held | None:
        """The row as it stands now, locked; None when it is gone."""
        ...

    def rewrite(self, held: Held, changes: Mapping[str, Any]) -> bool:
        """Write these columns of the row, locked first; False when it is gone."""
        ...

    def clean(self, held: Held, text: Callable[[str], str]) -> bool:
        """Put every text of the row as it stands now through `text`, its key aside; whether that changed it."""
        ...

    def drop(self, held: Held) -> bool:
        """Delete the row; False when it is gone."""
        ...


class Census(Protocol):
    """The tables counted, and what they do not agree on; within one transaction all counts fit together."""

    def states(self) -> Mapping[str, Mapping[str, int]]:
        """For each of the 14 tables (without prefix), rows by state.

        Messages have the states `inbound:<status>` and `outbound:<status>`; broadcasts,
        sync, notices, letters, carts, conversations, breakers and sagas their word. Tables
        without a state have the one key `rows`. A table without rows has an empty mapping.
        """
        ...

    def oldest_waiting(self) -> Mapping[str, datetime]:
        """When the oldest waiting row was made: `inbound`, `outbound`, `notifications`, `sync`, `sagas`.

        For sagas and notices the moment of the next look counts. What has nothing waiting is absent.
        """
        ...

    def miscounted(self, *, limit: int = 100) -> Sequence[Finding]:
        """Conversations whose `message_count` is not the number of their rows, `foreign` and history aside."""
        ...

    def dangling(self, *, limit: int = 100) -> Sequence[Finding]:
        """Rows that point to nothing.

        A message whose conversation is gone; an inbound row that is `dead`, or a sync row
        `failed`, without any dead letter about it; a pending dead letter about a row that is gone.
        """
        ...

    def taken_over(self) -> int:
        """How many inbound rows took more than one attempt: their lease ran out, or an error sent them back."""
        ...

    def unknown_words(self) -> Sequence[Finding]:
        """States that no reader knows."""
        ...


class UnitOfWork(Protocol):
    """One transaction's view of the store."""

    def read_ahead(self, *, phones: Collection[str], wa_message_ids: Collection[str]) -> None:
        """Read in few statements what works about these customers and ids will ask for; it changes no answer.

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

    async def clock_offset(self) -> timedelta:
        """How far the database's clock is ahead of this host's; zero where the host is the clock."""
        ...

    async def aclose(self) -> None:
        """Give everything back."""
        ...


# --- time, chance and the outside ----------------------------------------------------------


class Clock(Protocol):
    """What time it is; arithmetic only, so it may be asked inside a transaction."""

    def now(self) -> datetime:
        """The present moment: aware, UTC, whole seconds; never earlier than before in this process."""
        ...

    def fraction(self) -> float:
        """How much of the present second has passed, 0 to below 1; for pacing only."""
        ...

    def boot(self) -> float:
        """Seconds since this machine started, suspended time included; for spans within a process."""
        ...


class Ids(Protocol):
    """Chance."""

    def token(self) -> str:
        """A new random word of 32 hex digits."""
        ...

    def number(self) -> int:
        """A new positive number below 2**53, later ones mostly larger."""
        ...


class WhatsAppCodec(Protocol):
    """WhatsApp's wire, read and written; no network."""

    def is_signed(self, body: bytes, headers: Sequence[bytes]) -> bool:
        """Whether exactly one signature header came and one of the app secrets made it; never raises."""
        ...

    def read(self, body: bytes, *, now: datetime) -> Delivery:
        """What a delivery tells, event by event, in its own order.

        Raises:
            UnreadableDeliveryError: it is not JSON within the rules, or not WhatsApp's.
        """
        ...

    def encode(self, message: Outgoing) -> JsonObject:
        """The Cloud API body without its envelope."""
        ...

    def envelope(self, body: JsonObject, *, to: str | None, recipient: str | None, callback_data: str) -> JsonObject:
        """The request body: `to` (digits) or `recipient` (BSUID), never both."""
        ...


class WhatsApp(Protocol):
    """The Cloud API's network side; no retry of its own."""

    async def send(self, number: str, message: JsonObject) -> SendResult:
        """Post one message from this phone number id; every outcome is a value, nothing is raised."""
        ...

    async def mark_read(self, number: str, wa_message_id: str, *, typing: bool = False) -> bool:
        """Show the customer that it was read, and that an answer is being written; best effort."""
        ...


class MediaFiles(Protocol):
    """The Cloud API's files; no retry of its own."""

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = ...) -> Attachment:
        """The file of this id, at most so many bytes of it, its digest (hex) checked.

        Raises:
            AttachmentError: `gone`, `address`, `too_large`, `hash`, `unavailable`.
        """
        ...

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        """Give a file to WhatsApp, to be sent from this number; its id.

        Raises:
            AttachmentError: `refused`, `unavailable`.
        """
        ...


class MediaStore(Protocol):
    """Where fetched files are kept, under names that we made."""

    async def put(self, name: str, data: bytes) -> None:
        """Keep this under this name."""
        ...

    async def get(self, name: str) -> bytes | None:
        """What is kept under this name; None when it is gone."""
        ...

    async def remove(self, name: str) -> bool:
        """Forget it; whether it was there."""
        ...


class Model(Protocol):
    """A language model; no retry of its own."""

    async def complete(self, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Completion:
        """One answer to these messages (`role`, `content`), which may be tools that it wants to use.

        Raises:
            ModelUnavailableError: it did not come, or cannot be read.
        """
        ...


@attrs.frozen(kw_only=True)
class TemplatePage:
    """Some of an account's message templates, as Graph lists them, and where the next ones begin."""

    templates: Sequence[JsonObject]
    next: str | None = None


class TemplateSource(Protocol):
    """Where an account's message templates are listed."""

    async def message_templates(self, account: str, *, after: str | None = None) -> TemplatePage:
        """One page of at most 100, in all states; no retry of its own.

        Raises:
            TemplatesUnavailableError: no answer came, or it was no list.
        """
        ...


class Observer(Protocol):
    """Hears facts in the past tense, after the commit."""

    def __call__(self, fact: object) -> None:
        """Take note; whatever it raises is logged and goes no further."""
        ...


# --- the shop ------------------------------------------------------------------------------


class Shop(Protocol):
    """Where products, stock and orders live.

    Nothing here repeats a call by itself. Products and variants share one number space, so one
    number names a sellable. Cursors are opaque; walking pages shows a row that is there all the
    time exactly once, while others come and go. A key is 1 to 100 characters of
    `[A-Za-z0-9_.:-]`; repeating a write under its key is safe for ever.

    Raises:
        ShopUnavailableError: time-out, refused connection, server error, an answer that cannot be
            read: to be tried again; a write is in doubt. The only one that counts for the breaker.
        ShopNotFoundError: nothing under this id.
        ShopRefusedError: permanent; `code` is the reason.
        OutOfStockError: less than asked for; `lines` says of each short line how much there is.
        KeyReusedError: the key was used for something else.
        ShopMisconfiguredError: our key was rejected, or the currency is another: no retry.
    """

    async def about(self) -> ShopFacts:
        """What the shop says of itself."""
        ...

    async def search(
        self,
        *,
        text: str | None = None,
        category_id: int | None = None,
        in_stock: bool = False,
        cursor: str | None = None,
        limit: int = 10,
    ) -> Page[ProductCard]:
        """Products that are published and visible, at most 30 a page.

        With a text (its first 100 characters) those it matches, in the shop's own order; without,
        by menu order, name, id. A category holds what its descendants hold.
        """
        ...

    async def categories(
        self, *, parent_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Category]:
        """The categories right below `parent_id` (None: the top) in which something is sold."""
        ...

    async def product(self, *, product_id: int) -> Product:
        """One published product with up to 100 variants; a variant's number raises ShopNotFoundError, as any other."""
        ...

    async def variants(self, *, product_id: int, cursor: str | None = None, limit: int = 10) -> Page[Variant]:
        """The variants of a product that are sold, sold-out ones included, at most 100 a page."""
        ...

    async def resolve(self, *, retailer_ids: Sequence[str]) -> Mapping[str, Sellable]:
        """What up to 100 catalogue ids stand for: a variant's number, a product's number, an article number.

        The unknown are absent, never an error.
        """
        ...

    async def check(self, *, lines: Sequence[Line]) -> tuple[LineCheck, ...]:
        """A verdict for each of up to 50 lines, in their order.

        What other customers have reserved counts as gone. A line that names a variant by its
        number alone is that variant.
        """
        ...

    async def shipping_methods(
        self, *, lines: Sequence[Line], address: Address, coupon: str | None = None
    ) -> tuple[ShippingMethod, ...]:
        """The ways to bring these lines there, the cheapest first; none: it cannot be delivered there."""
        ...

    async def quote(
        self,
        *,
        lines: Sequence[Line],
        address: Address | None = None,
        shipping_id: str | None = None,
        coupon: str | None = None,
        fee: Money | None = None,
        customer: Buyer,
    ) -> Quote:
        """What these lines would cost now, part by part.

        A coupon that does not hold takes nothing off and is not named in the quote.

        Raises:
            ShopRefusedError: a line names nothing that is sold (`not_found`, `unavailable`,
                `variant_required`), or the shipping method is not offered there (`shipping`).
        """
        ...

    async def check_coupon(self, *, code: str, lines: Sequence[Line], customer: Buyer) -> CouponVerdict:
        """Whether this code, in any case of letters, holds for these lines; the first reason that speaks against it."""
        ...

    async def create_coupon(self, *, key: str, spec: CouponSpec) -> Coupon:
        """Make a coupon; the same key gives the same coupon."""
        ...

    async def remove_coupon(self, *, key: str) -> None:
        """Take back what `create_coupon` made under this key; one that was used stays, none is no error."""
        ...

    async def reserve(self, *, key: str, lines: Sequence[Line], until: datetime) -> Reservation:
        """Keep these lines for this key until then: all of them, or none (OutOfStockError).

        The same key and lines: the same reservation, whose `until` only moves later. Past `until`
        it holds nothing, without anybody having swept it. The order whose key is this one but for
        the step's name at the end (`placement_of`) takes over what is held.
        """
        ...

    async def release(self, *, key: str) -> None:
        """Give back what this key holds; unknown, released, expired or used up is no error."""
        ...

    async def create_order(self, *, key: str, draft: OrderDraft) -> Order:
        """Make the order, unpaid; the same key gives the same order for ever, however many ask at once.

        Raises:
            KeyReusedError: the key belongs to another draft.
            ShopRefusedError: `total_changed`: the shop counts another total than `expected_total`;
                `coupon`, `shipping`, or a verdict when the draft cannot be sold as it is.
        """
        ...

    async def find_order(self, *, key: str, since: datetime) -> Order | None:
        """The order of this key, if one was made since then; asked before `create_order` is repeated."""
        ...

    async def order(self, *, order_id: int) -> Order:
        """One order."""
        ...

    async def accept_order(self, *, order_id: int, key: str) -> Order:
        """An order that is paid later goes to work; its goods leave the stock. Repeated: the same order.

        Raises:
            OutOfStockError: what was reserved for it has expired, and is gone.
            ShopRefusedError: `cancelled`.
        """
        ...

    async def mark_paid(
        self, *, order_id: int, key: str, gateway: str, payment_id: str, amount: Money, at: datetime
    ) -> Order:
        """The money is there: the order goes to work, its goods leave the stock. Repeated: the same order.

        Raises:
            ShopRefusedError: `amount_mismatch`: not the order's total to the last unit;
                `conflict`: it was paid by another payment; `cancelled`.
            OutOfStockError: what was reserved for it has expired, and is gone.
        """
        ...

    async def cancel_order(
        self, *, order_id: int | None = None, key: str | None = None, reason: str, restock: bool = True
    ) -> Order | None:
        """Cancel by id or by key; cancelled before, or never made, is no error (None: never made).

        What it held goes back to the stock, once.

        Raises:
            ShopRefusedError: `shipped`.
        """
        ...

    async def record_refund(
        self, *, order_id: int, key: str, amount: Money, reason: str, lines: Sequence[Line] = (), restock: bool = False
    ) -> Order:
        """Book a refund; no money moves here. The same key books once.

        Raises:
            ShopRefusedError: `too_much`: more than is left; `amount_mismatch`: another currency, or not positive.
        """
        ...

    async def customer_by_phone(self, *, phones: Sequence[str]) -> ShopCustomer | None:
        """The customer with one of these numbers."""
        ...

    async def orders_of(
        self, *, phones: Sequence[str], customer_id: int | None = None, cursor: str | None = None, limit: int = 10
    ) -> Page[Order]:
        """Orders of exactly these numbers or this customer, the newest first, at most 20 a page."""
        ...

    async def changed_since(self, *, cursor: str | None = None, limit: int = 100) -> Changes:
        """What changed after the cursor (None: from the beginning): at least once, never a gap."""
        ...


class ShopWebhooks(Protocol):
    """How the shop's deliveries are read; no network."""

    def read(self, body: bytes, *, signatures: Sequence[bytes], topic: str, webhook_id: str) -> ShopHint | None:
        """Whom a signed delivery is about; None when it is about nothing that is kept in step.

        Raises:
            BadSignatureError: missing, doubled or wrong; nothing else is ever raised before the
                signature was found right.
            UndecodableError: rightly signed, and of no known shape; `what` names the part.
        """
        ...


# --- payments ------------------------------------------------------------------------------


class Gateway(Protocol):
    """One way to pay. What it says of the money is only ever learnt by `look_up`.

    Raises:
        PaymentUnavailableError: to be tried again; a write is in doubt.
        PaymentRefusedError: permanent; `code` is the reason.
        PaymentMisconfiguredError: our key or account was rejected.
    """

    @property
    def name(self) -> str:
        """Its name in settings, routes and reply ids."""
        ...

    @property
    def has_webhook(self) -> bool:
        """Whether it posts events of its own, so that it has a route of its own."""
        ...

    def offers(self, facts: OrderFacts) -> Offer | NotOffered:
        """Whether this order may be paid so; no network."""
        ...

    async def open(
        self,
        *,
        reference: str,
        key: str,
        order: Order,
        amount: Money,
        deadline: datetime,
        customer: Buyer,
        language: str,
    ) -> Opened:
        """Open a payment over exactly this amount; the same key opens it once."""
        ...

    async def look_up(self, *, reference: str, provider_id: str | None) -> PaymentState:
        """What became of the payment, `unknown` when there is none."""
        ...

    async def cancel(self, *, reference: str, provider_id: str | None, key: str) -> Cancellation:
        """See to it that it cannot be paid any more, and say if it was."""
        ...

    async def refund(self, *, key: str, payment_id: str, amount: Money, reason: str) -> RefundStatus:
        """Give money back; the same key gives it once."""
        ...

    async def look_up_refund(self, *, key: str, payment_id: str) -> RefundStatus:
        """What became of the refund with this key."""
        ...

    def verify(self, call: WebhookCall, *, now: datetime) -> tuple[PaymentEvent, ...]:
        """The hints in a signed delivery; no network.

        Raises:
            BadSignatureError: missing, malformed, wrong or too old; nothing else is ever raised
                before the signature was found right.
            UndecodableError: rightly signed, and of no known shape.
        """
        ...


class Payments(Protocol):
    """The ways to pay that are switched on, in the order of the settings."""

    def offers(self, facts: OrderFacts) -> tuple[Offer | NotOffered, ...]:
        """What each of them says to this order."""
        ...

    def gateway(self, name: str) -> Gateway:
        """The one of this name; NotFoundError when it is not switched on."""
        ...

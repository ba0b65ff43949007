"""Where conversations, messages, carts and customers are kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from wch.application.ports.rows import Candidate, LineRow, Said, Written
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.lease import TERM, Work
from wch.domain.message import Message


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

    def add_later(self, message: Message) -> Written:
        """Write a new row that has a `wa_message_id`, with others: before anybody asks, at the latest on commit.

        A `wa_message_id` that is known already raises DuplicateError then, and the transaction is lost.
        """
        ...

    def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        """The row of this id."""
        ...

    def look_ahead(self, wa_message_ids: Collection[str]) -> Mapping[str, Said]:
        """What the rows with these ids of WhatsApp's say, in one statement and unlocked; who is not there is left out.

        An id that nobody has counts as free from now on: a row that another transaction
        writes meanwhile is met as DuplicateError when ours is written. A row whose content
        cannot be read is left out too, and not free.
        """
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

    def heads(self, *, now: datetime, limit: int = 20, term: timedelta = TERM) -> Sequence[LineRow]:
        """The first inbound row in work or waiting of up to `limit` conversations.

        First rows whose lease ran out at `now` (`processing`, stamp at least `term` old),
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

    def recovered_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        """Carts recovered at or after this moment that still have a recovery coupon, by id."""
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

    def look_ahead(self, phones: Collection[str]) -> None:
        """Read in one statement whom a work will ask for by `of`; it locks nobody and changes no answer."""
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

    def quiet_buyers(self, since: datetime, *, after: int = 0, limit: int = 100) -> Sequence[CustomerProfile]:
        """Customers with an order that counts and marketing asked for, silent at and after this moment, by id."""
        ...

    def linked_to(self, wc_customer_id: int) -> Sequence[CustomerProfile]:
        """Customers who are linked with this customer of the shop, by id; not locked."""
        ...

    def called(self, name: str, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        """Customers in whose name these letters stand, in any case, by id."""
        ...

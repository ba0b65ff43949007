"""Where work that goes out to people and shops is kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from wch.domain.broadcast import BroadcastRecipient
from wch.domain.lease import Work
from wch.domain.notification import Notification
from wch.domain.product_view import ProductView, ViewTally
from wch.domain.reengagement import CampaignType, Reengagement
from wch.domain.sync import EntityType, SyncAction, SyncTask


class RecipientRepository(Protocol):
    """Who gets a broadcast."""

    def add(self, recipient: BroadcastRecipient) -> BroadcastRecipient | None:
        """Write a recipient; None when this campaign has this phone already."""
        ...

    def add_all(self, recipients: Sequence[BroadcastRecipient]) -> None:
        """Write recipients of one campaign in few statements, in this order; who has a row already is left out."""
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

    def enqueue_all(
        self, entity_type: EntityType, entity_ids: Collection[int], action: SyncAction, *, now: datetime
    ) -> None:
        """As `enqueue` does with each of these, in ascending order; a few statements for all."""
        ...

    def get(self, task_id: int, *, lock: bool = False) -> SyncTask | None:
        """The row of this id."""
        ...

    def hold(self, task_ids: Collection[int]) -> Sequence[SyncTask]:
        """The rows of these ids, locked, by id; one that cannot be read is passed over.

        However many, a few statements: these, and those that write what `move` and `finish` make of them.
        """
        ...

    def save(self, task: SyncTask) -> None:
        """Write a locked row whole."""
        ...

    def move(self, before: Work, after: Work) -> None:
        """As `MessageRepository.move`; a take clears the `again` mark, and nothing else does."""
        ...

    def finish(self, lease: Work, task: SyncTask) -> None:
        """As `MessageRepository.finish`."""
        ...

    def of(self, entity_type: EntityType, entity_id: int, action: SyncAction) -> SyncTask | None:
        """The row of this entity and action; not locked."""
        ...

    def waiting(
        self, status: str, entity_type: EntityType | None = None, *, after: int = 0, limit: int = 50
    ) -> Sequence[Work]:
        """Rows of this status, of one type or all, by id; not locked."""
        ...

    def counts(self, entity_type: EntityType, *, since: datetime) -> Mapping[str, int]:
        """How many rows of this type stand in each status: those that are open, and those that ended since then."""
        ...

    def listed(self, *, status: str | None = None, after: int = 0, limit: int = 50) -> Sequence[SyncTask]:
        """Tasks by id."""
        ...

    def completed_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[SyncTask]:
        """Products and stock levels that were brought in step at or after this moment, by id."""
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

    def of_product(
        self, product_id: int, *, since: datetime, after: int = 0, limit: int = 100
    ) -> Sequence[ProductView]:
        """Views of this product at or after this moment, by id."""
        ...

    def listed(
        self,
        *,
        customer_phone: str | None = None,
        product_id: int | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[ProductView]:
        """Views, the highest id first, with an id below `before`."""
        ...

    def tallied(self, *, since: datetime, customer_phone: str | None = None, limit: int = 50) -> Sequence[ViewTally]:
        """Each product looked at at or after this moment, by views, the most first, then by its number."""
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

    def waiting(self, *, since: datetime, after: int = 0, limit: int = 100) -> Sequence[Reengagement]:
        """Rows without `sent_at` made at or after this moment, by id; reminders of carts are none of them."""
        ...

    def listed(
        self,
        *,
        campaign_type: CampaignType | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Reengagement]:
        """Rows with `created_at` at or after `since`, by id."""
        ...

    def sent_between(
        self, since: datetime, until: datetime, *, after: int = 0, limit: int = 100
    ) -> Sequence[Reengagement]:
        """Rows with `sent_at` after `since` and at or before `until`, by id."""
        ...

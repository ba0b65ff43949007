"""The repositories about people in memory: threads, messages, carts, customers, what they looked at."""

# ruff: noqa: D102 - what a method promises stands on its port

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from wch.adapters.memory.rows import Rows, first
from wch.application.ports import Candidate, LineRow, Said, Written
from wch.domain.cart import Cart, CartStatus, Slot
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.lease import TERM, Work
from wch.domain.message import FOREIGN, Class, Direction, Message, MessageStatus
from wch.domain.moment import EPOCH
from wch.domain.product_view import ProductView, ViewTally
from wch.domain.reengagement import CampaignType, Reengagement

SHUT = frozenset({"reaction", "edit", "revoke", "system", "group"})
"""Inbound types that open no 24-hour window."""


class MemoryConversationRepository:
    """See `wch.application.ports.ConversationRepository`."""

    def __init__(self, rows: Rows[Conversation]) -> None:
        self._rows = rows

    def add(self, conversation: Conversation) -> Conversation:
        return self._rows.add(conversation)

    def get(self, conversation_id: int, *, lock: bool = False) -> Conversation | None:
        return self._rows.get(conversation_id, lock=lock)

    def save(self, conversation: Conversation) -> None:
        self._rows.save(conversation)

    def latest_of(self, customer_phone: str, *, lock: bool = False) -> Conversation | None:
        found = self._rows.where("phone", customer_phone)
        chosen = max(found, key=lambda row: (row.is_open, row.id), default=None)
        if lock:
            self._rows.locked([] if chosen is None else [chosen])
        return chosen

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
        rows = self._rows.all() if customer_phone is None else self._rows.where("phone", customer_phone)
        found = [
            row
            for row in rows
            if row.last_message_at is not None
            and (status is None or row.status is status)
            and _is_of(row, agent)
            and (row.unread_count > 0 or not unread)
            and (before is None or (row.last_message_at, row.id) < before)
        ]
        return sorted(found, key=lambda row: (row.last_message_at or EPOCH, row.id), reverse=True)[:limit]

    def unread(self, agent: int | None = None) -> tuple[int, int]:
        found = [row.unread_count for row in self._rows.all() if row.unread_count > 0 and _is_of(row, agent)]
        return len(found), sum(found)

    def quiet_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Conversation]:
        return [
            row
            for row in self._rows.where("status", ConversationStatus.ACTIVE)
            if row.id > after and row.last_message_at is not None and row.last_message_at <= moment
        ][:limit]


def _is_of(row: Conversation, agent: int | None) -> bool:
    """Whether this person has it; 0: nobody."""
    return agent is None or row.assigned_agent_id == (agent or None)


class MemoryMessageRepository:
    """See `wch.application.ports.MessageRepository`."""

    def __init__(self, rows: Rows[Message], conversations: Rows[Conversation]) -> None:
        self._rows = rows
        self._conversations = conversations

    def add(self, message: Message) -> Message:
        return self._rows.add(message)

    def add_later(self, message: Message) -> Written:
        return Written(self._rows.add(message).id)

    def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        return self._rows.get(message_id, lock=lock)

    def look_ahead(self, wa_message_ids: Collection[str]) -> Mapping[str, Said]:
        found = ((one, self.by_wa_id(one)) for one in wa_message_ids)
        return {one: Said(row.type, row.content) for one, row in found if row is not None}

    def by_wa_id(self, wa_message_id: str, *, lock: bool = False) -> Message | None:
        return self._rows.by("wa_message_id", wa_message_id, lock=lock)

    def save(self, message: Message) -> None:
        self._rows.save(message)

    def remove(self, message_id: int) -> None:
        self._rows.remove(message_id)

    def move(self, before: Work, after: Work) -> None:
        self._rows.move(before, after, attempts="retry_count", stamp="updated_at")

    def finish(self, lease: Work, message: Message) -> None:
        self._rows.finish(lease, message, attempts="retry_count", stamp="updated_at")

    def heads(self, *, now: datetime, limit: int = 20, term: timedelta = TERM) -> Sequence[LineRow]:
        found: list[LineRow] = []
        seen: set[int] = set()
        for row in self._rows.where("status", MessageStatus.PROCESSING):
            if row.conversation_id is None or row.conversation_id in seen:
                continue
            seen.add(row.conversation_id)
            if row.updated_at + term <= now:
                found.append(_line_row(row))
        for row in self._rows.where("status", MessageStatus.RECEIVED):
            if len(found) >= limit:
                break
            if row.conversation_id is not None and row.conversation_id not in seen:
                seen.add(row.conversation_id)
                found.append(_line_row(row))
        return found[:limit]

    def line(self, customer_phone: str) -> Sequence[LineRow]:
        found = [
            row
            for conversation in self._conversations.where("phone", customer_phone)
            for row in self._rows.where("conversation", conversation.id)
            if row.status in {MessageStatus.RECEIVED, MessageStatus.PROCESSING}
        ]
        self._rows.locked(found)
        return [_line_row(row) for row in sorted(found, key=lambda row: row.id)]

    def leaving(self, *, after: int = 0, limit: int = 200) -> Sequence[Candidate]:
        rows = self._rows.where("status", MessageStatus.PENDING)
        waiting = (row for row in rows if row.id > after and row.conversation_id is not None)
        return [self._candidate(row) for row in first(limit, waiting)]

    def _candidate(self, row: Message) -> Candidate:
        conversation = self._conversations.get(row.conversation_id)
        number: Any = row.content.get("number")
        return Candidate(
            work=_work(row),
            conversation_id=row.conversation_id or 0,
            customer_phone="" if conversation is None else conversation.customer_phone,
            class_=row.class_,
            number=number if isinstance(number, str) else None,
            not_before=row.not_before,
        )

    def in_flight(self, customer_phone: str) -> bool:
        ours = {row.id for row in self._conversations.where("phone", customer_phone)}
        return any(row.conversation_id in ours for row in self._rows.where("status", MessageStatus.SENDING))

    def overdue(self, status: str, *, before: datetime, after: int = 0, limit: int = 100) -> Sequence[Work]:
        rows = self._rows.where("status", status)
        overdue = (row for row in rows if row.id > after and row.updated_at <= before)
        return [_work(row) for row in first(limit, overdue)]

    def thread(self, conversation_id: int, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        rows = self._rows.where("conversation", conversation_id)
        return [row for row in reversed(rows) if before is None or row.id < before][:limit]

    def containing(
        self, words: str, *, before: int | None = None, within: int = 20_000, limit: int = 50
    ) -> Sequence[Message]:
        rows = list(self._rows.all())
        end = before if before is not None else max((row.id for row in rows), default=0) + 1
        wanted = words.casefold()
        said = (
            row
            for row in reversed(rows)
            if end - within <= row.id < end and row.conversation_id is not None and wanted in row.words.casefold()
        )
        return first(limit, said)

    def latest_inbound_at(self, customer_phone: str, number: str | None = None) -> datetime | None:
        times = [
            row.sent_at
            for conversation in self._conversations.where("phone", customer_phone)
            for row in self._rows.where("conversation", conversation.id)
            if row.direction is Direction.INBOUND
            and row.type not in SHUT
            and row.sent_at is not None
            and (number is None or row.content.get("number") == number)
        ]
        return max(times, default=None)

    def waiting_campaign(self, limit: int = 500) -> int:
        waiting = self._rows.where("status", MessageStatus.PENDING)
        in_threads = (row for row in waiting if row.conversation_id is not None)
        return min(limit, sum(1 for row in in_threads if row.class_ is Class.CAMPAIGN))

    def foreign_before(self, moment: datetime, *, limit: int = 100) -> Sequence[int]:
        rows = self._rows.where("type", FOREIGN)
        return [row.id for row in rows if row.created_at <= moment][:limit]


def _work(row: Message) -> Work:
    return Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)


def _line_row(row: Message) -> LineRow:
    return LineRow(work=_work(row), conversation_id=row.conversation_id or 0)


class MemoryCartRepository:
    """See `wch.application.ports.CartRepository`."""

    def __init__(self, rows: Rows[Cart]) -> None:
        self._rows = rows

    def add(self, cart: Cart) -> Cart:
        return self._rows.add(cart)

    def get(self, cart_id: int, *, lock: bool = False) -> Cart | None:
        return self._rows.get(cart_id, lock=lock)

    def of(self, customer_phone: str, *, lock: bool = False) -> Cart | None:
        return self._rows.by("customer_phone", customer_phone, lock=lock)

    def save(self, cart: Cart) -> None:
        self._rows.save(cart)

    def idle_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        rows = self._rows.where("status", CartStatus.ACTIVE)
        return [row for row in rows if row.id > after and row.items and row.updated_at <= moment][:limit]

    def expiring(self, now: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        rows = [*self._rows.where("status", CartStatus.ACTIVE), *self._rows.where("status", CartStatus.ABANDONED)]
        found = [row for row in rows if row.id > after and row.expires_at is not None and row.expires_at <= now]
        return sorted(found, key=lambda row: row.id)[:limit]

    def due_for_reminder(self, abandoned_before: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        return [
            row
            for row in self._rows.where("status", CartStatus.ABANDONED)
            if row.id > after
            and row.abandoned_at is not None
            and row.abandoned_at <= abandoned_before
            and any(getattr(row, slot) is None for slot in Slot)
        ][:limit]

    def recovered_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        rows = self._rows.where("status", CartStatus.RECOVERED)
        coupons = (row for row in rows if row.id > after and row.recovery_coupon_code is not None)
        return first(limit, (row for row in coupons if row.recovered_at is not None and row.recovered_at >= moment))

    def listed(self, *, status: CartStatus | None = None, after: int = 0, limit: int = 50) -> Sequence[Cart]:
        rows = self._rows.all() if status is None else self._rows.where("status", status)
        return first(limit, (row for row in rows if row.id > after))


class MemoryCustomerRepository:
    """See `wch.application.ports.CustomerRepository`."""

    def __init__(self, rows: Rows[CustomerProfile]) -> None:
        self._rows = rows

    def get(self, customer_id: int) -> CustomerProfile | None:
        return self._rows.get(customer_id)

    def of(self, phone: str) -> CustomerProfile | None:
        return self._rows.by("phone", phone)

    def lock(self, phone: str, *, now: datetime) -> CustomerProfile:
        met = CustomerProfile.met(phone, now=now)
        found = self._rows.by("phone", phone, lock=True)
        return found if found is not None else self._rows.add(met)

    def look_ahead(self, phones: Collection[str]) -> None:
        """Everything is near already."""

    def lock_all(self, phones: Collection[str], *, now: datetime) -> None:
        for phone in sorted(phones):
            self.lock(phone, now=now)

    def lock_if_free(self, phone: str) -> CustomerProfile | None:
        return self._rows.by("phone", phone, lock=True)

    def save(self, profile: CustomerProfile) -> None:
        self._rows.save(profile)

    def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        return first(limit, (row for row in self._rows.all() if row.id > after))

    def quiet_buyers(self, since: datetime, *, after: int = 0, limit: int = 100) -> Sequence[CustomerProfile]:
        return first(
            limit,
            (
                row
                for row in self._rows.all()
                if row.id > after
                and row.total_orders > 0
                and row.opt_in_marketing
                and (row.last_interaction_at is None or row.last_interaction_at < since)
            ),
        )

    def linked_to(self, wc_customer_id: int) -> Sequence[CustomerProfile]:
        return [row for row in self._rows.all() if row.wc_customer_id == wc_customer_id]

    def called(self, name: str, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        wanted = name.casefold()
        found = (row for row in self._rows.all() if row.id > after and wanted in (row.name or "").casefold())
        return first(limit, (row for row in found if row.name))


class MemoryProductViewRepository:
    """See `wch.application.ports.ProductViewRepository`."""

    def __init__(self, rows: Rows[ProductView]) -> None:
        self._rows = rows

    def add(self, view: ProductView) -> ProductView:
        return self._rows.add(view)

    def latest(self, customer_phone: str, product_id: int) -> ProductView | None:
        rows = [row for row in self._rows.where("phone", customer_phone) if row.product_id == product_id]
        return max(rows, key=lambda row: (row.viewed_at, row.id), default=None)

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[ProductView]:
        rows = [row for row in self._rows.where("phone", customer_phone) if row.viewed_at >= since]
        return sorted(rows, key=lambda row: (row.viewed_at, row.id), reverse=True)[:limit]

    def of_product(
        self, product_id: int, *, since: datetime, after: int = 0, limit: int = 100
    ) -> Sequence[ProductView]:
        rows = self._rows.where("product", product_id)
        return first(limit, (row for row in rows if row.id > after and row.viewed_at >= since))

    def listed(
        self,
        *,
        customer_phone: str | None = None,
        product_id: int | None = None,
        since: datetime | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> Sequence[ProductView]:
        rows = self._rows.all() if customer_phone is None else self._rows.where("phone", customer_phone)
        found = [
            row
            for row in rows
            if (product_id is None or row.product_id == product_id)
            and (since is None or row.viewed_at >= since)
            and (before is None or row.id < before)
        ]
        return found[::-1][:limit]

    def tallied(self, *, since: datetime, customer_phone: str | None = None, limit: int = 50) -> Sequence[ViewTally]:
        rows = self._rows.all() if customer_phone is None else self._rows.where("phone", customer_phone)
        seen: dict[int, list[ProductView]] = {}
        for row in rows:
            if row.viewed_at >= since:
                seen.setdefault(row.product_id, []).append(row)
        tallies = [
            ViewTally(
                product_id=product_id,
                views=len(views),
                customers=len({view.customer_phone for view in views}),
                last_at=max(view.viewed_at for view in views),
            )
            for product_id, views in seen.items()
        ]
        return sorted(tallies, key=lambda one: (-one.views, one.product_id))[:limit]


class MemoryReengagementRepository:
    """See `wch.application.ports.ReengagementRepository`."""

    def __init__(self, rows: Rows[Reengagement]) -> None:
        self._rows = rows

    def add(self, contact: Reengagement) -> Reengagement:
        return self._rows.add(contact)

    def get(self, contact_id: int, *, lock: bool = False) -> Reengagement | None:
        return self._rows.get(contact_id, lock=lock)

    def save(self, contact: Reengagement) -> None:
        self._rows.save(contact)

    def newest_of(self, customer_phone: str, campaign_type: CampaignType) -> Reengagement | None:
        rows = [row for row in self._rows.where("phone", customer_phone) if row.campaign_type is campaign_type]
        return rows[-1] if rows else None

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[Reengagement]:
        return [row for row in self._rows.where("phone", customer_phone) if row.created_at >= since][:limit]

    def waiting(self, *, since: datetime, after: int = 0, limit: int = 100) -> Sequence[Reengagement]:
        return first(
            limit,
            (
                row
                for row in self._rows.where("sent", None)
                if row.id > after and row.created_at >= since and row.campaign_type is not CampaignType.CART_REMINDER
            ),
        )

    def listed(
        self,
        *,
        campaign_type: CampaignType | None = None,
        since: datetime | None = None,
        after: int = 0,
        limit: int = 100,
    ) -> Sequence[Reengagement]:
        rows = self._rows.all() if campaign_type is None else self._rows.where("type", campaign_type)
        return first(limit, (row for row in rows if row.id > after and (since is None or row.created_at >= since)))

    def sent_between(
        self, since: datetime, until: datetime, *, after: int = 0, limit: int = 100
    ) -> Sequence[Reengagement]:
        rows = (row for row in self._rows.all() if row.id > after and row.sent_at is not None)
        return first(limit, (row for row in rows if row.sent_at is not None and since < row.sent_at <= until))

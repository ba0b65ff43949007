"""The repositories about people: threads, messages, carts, customers, what they looked at."""

# ruff: noqa: D102 - what each method promises stands in the port

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Text, and_, cast, func, or_, select

from wch.adapters.sql.rows import PAGE, Condition, Rows, Session, work_of
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Broken, clean
from wch.application.ports import Candidate, LineRow
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.lease import TERM, Work
from wch.domain.message import FOREIGN, Class, Direction, Message, MessageStatus
from wch.domain.product_view import ProductView
from wch.domain.reengagement import CampaignType, Reengagement

SHUT = ("reaction", "edit", "revoke", "system", "group")
"""Inbound types that open no 24-hour window."""


class SqlConversationRepository:
    """See `wch.application.ports.ConversationRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.conversations, Conversation)
        self._c = tables.conversations.c

    def add(self, conversation: Conversation) -> Conversation:
        self._newest().pop(conversation.customer_phone, None)
        return self._rows.add(conversation)

    def read_ahead(self, phones: Sequence[str]) -> None:
        """Read and lock the newest thread of each of these customers, who are locked already."""
        if not phones:
            return
        self._session.must_write()
        ids: dict[str, list[Any]] = {phone: [] for phone in phones}
        threads = select(self._c.id, self._c.status, self._c.customer_phone).where(self._c.customer_phone.in_(phones))
        for row in self._session.execute(threads):
            ids[row.customer_phone].append(row)
        chosen = [_newest_of(rows) for rows in ids.values() if rows]
        self._newest().update((phone, None) for phone, rows in ids.items() if not rows)
        found = self._rows.among("id", chosen, lock=True)
        self._newest().update((one.customer_phone, one) for one in found)

    def _newest(self) -> dict[Any, Any]:
        return self._session.ahead.setdefault(self._rows.table.name, {})

    def get(self, conversation_id: int, *, lock: bool = False) -> Conversation | None:
        return self._rows.get(conversation_id, lock=lock)

    def save(self, conversation: Conversation) -> None:
        self._newest().pop(conversation.customer_phone, None)
        self._rows.save_later(conversation)

    def latest_of(self, customer_phone: str, *, lock: bool = False) -> Conversation | None:
        if lock:
            self._session.must_write()
        ahead = self._newest()
        if customer_phone in ahead:
            known: Conversation | None = ahead[customer_phone]
            return known
        ids = self._session.execute(
            select(self._c.id, self._c.status).where(self._c.customer_phone == customer_phone)
        ).all()
        return self._rows.get(_newest_of(ids), lock=lock) if ids else None

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
        where: list[Condition] = [self._c.last_message_at.is_not(None)]
        if status is not None:
            where.append(self._c.status == status)
        if customer_phone is not None:
            where.append(self._c.customer_phone == customer_phone)
        where += self._of(agent)
        if unread:
            where.append(self._c.unread_count > 0)
        if before is not None:
            at, last = before
            where.append(
                and_(self._c.last_message_at <= at, or_(self._c.last_message_at < at, self._c.id < last)),
            )
        order = [self._c.last_message_at.desc(), self._c.id.desc()]
        return self._rows.many(*where, order=order, limit=limit)

    def unread(self, agent: int | None = None) -> tuple[int, int]:
        counted = select(func.count(), func.coalesce(func.sum(self._c.unread_count), 0))
        threads, messages = self._rows.session.execute(counted.where(self._c.unread_count > 0, *self._of(agent))).one()
        return int(threads), int(messages)

    def _of(self, agent: int | None) -> list[Condition]:
        """Whose threads; 0: nobody's."""
        if agent is None:
            return []
        return [self._c.assigned_agent_id == agent if agent else self._c.assigned_agent_id.is_(None)]

    def quiet_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Conversation]:
        return self._rows.many(
            self._c.status == ConversationStatus.ACTIVE,
            self._c.id > after,
            self._c.last_message_at <= moment,
            limit=limit,
        )


def _newest_of(rows: Sequence[Any]) -> Any:
    """The id of the thread that is open, else of the last."""
    return max(rows, key=lambda row: (row.status != ConversationStatus.RESOLVED, row.id)).id


class SqlMessageRepository:
    """See `wch.application.ports.MessageRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.messages, Message)
        self._c = tables.messages.c
        self._threads = tables.conversations.c
        self._light = (self._c.id, self._c.conversation_id, self._c.status, self._c.retry_count, self._c.updated_at)

    def add(self, message: Message) -> Message:
        self._is_there(message)
        return self._rows.add(message)

    def read_ahead(self, wa_message_ids: Sequence[str]) -> None:
        """Remember which of these ids nobody has yet."""
        if not wa_message_ids:
            return
        known = select(self._c.wa_message_id).where(self._c.wa_message_id.in_(wa_message_ids))
        there = set(self._session.execute(known).scalars())
        self._absent().update((one, True) for one in map(clean, wa_message_ids) if one not in there)

    def _is_there(self, message: Message) -> None:
        """This id is somebody's now."""
        if message.wa_message_id is not None:
            self._absent().pop(clean(message.wa_message_id), None)

    def _absent(self) -> dict[Any, Any]:
        return self._session.ahead.setdefault(self._rows.table.name, {})

    def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        return self._rows.get(message_id, lock=lock)

    def by_wa_id(self, wa_message_id: str, *, lock: bool = False) -> Message | None:
        if clean(wa_message_id) in self._absent():
            return None
        return self._rows.by("wa_message_id", wa_message_id, lock=lock)

    def save(self, message: Message) -> None:
        self._is_there(message)
        self._rows.save(message)

    def remove(self, message_id: int) -> None:
        self._rows.remove(message_id)

    def move(self, before: Work, after: Work) -> None:
        self._rows.move(before, after, attempts="retry_count", stamp="updated_at")

    def finish(self, lease: Work, message: Message) -> None:
        self._is_there(message)
        self._rows.finish(lease, message, attempts="retry_count", stamp="updated_at")

    def heads(self, *, now: datetime, limit: int = 20) -> Sequence[LineRow]:
        found: list[LineRow] = []
        seen: set[int] = set()
        working = select(*self._light).where(
            self._c.status == MessageStatus.PROCESSING, self._c.conversation_id.is_not(None)
        )
        for row in self._session.execute(working.order_by(self._c.id)):
            if row.conversation_id in seen:
                continue
            seen.add(row.conversation_id)
            if row.updated_at + TERM <= now:
                found.append(self._line_row(row))
        after = 0
        while len(found) < limit:
            page = self._session.execute(
                select(*self._light)
                .where(
                    self._c.status == MessageStatus.RECEIVED,
                    self._c.conversation_id.not_in(sorted(seen)),
                    self._c.conversation_id.is_not(None),
                    self._c.id > after,
                )
                .order_by(self._c.id)
                .limit(PAGE)
            ).all()
            for row in page:
                after = row.id
                if row.conversation_id not in seen and len(found) < limit:
                    seen.add(row.conversation_id)
                    found.append(self._line_row(row))
            if len(page) < PAGE:
                break
        return found[:limit]

    def line(self, customer_phone: str) -> Sequence[LineRow]:
        self._session.must_write()
        threads = select(self._threads.id).where(self._threads.customer_phone == customer_phone)
        mine = self._session.execute(threads).scalars().all()
        waiting = select(self._c.id).where(self._c.conversation_id.in_(mine), _in_line(self._c.status))
        ids = self._session.execute(waiting).scalars().all() if mine else []
        if not ids:
            return []
        # By primary key only: a lock by status would wait for the lines of others.
        locked = select(*self._light).where(self._c.id.in_(ids), _in_line(self._c.status)).order_by(self._c.id)
        found = self._session.execute(self._session.locking(locked)).all()
        for row in found:
            self._rows.note_locked(row.id)
        return [self._line_row(row) for row in found]

    def leaving(self, *, after: int = 0, limit: int = 200) -> Sequence[Candidate]:
        page = self._session.execute(
            select(*self._light, self._c.content)
            .where(self._c.status == MessageStatus.PENDING, self._c.id > after, self._c.conversation_id.is_not(None))
            .order_by(self._c.id)
            .limit(limit)
        ).all()
        threads = {row.conversation_id for row in page}
        phones: dict[int, str] = {}
        if threads:
            known = select(self._threads.id, self._threads.customer_phone).where(self._threads.id.in_(threads))
            phones = {row.id: row.customer_phone for row in self._session.execute(known)}
        return [self._candidate(row, phones.get(row.conversation_id, "")) for row in page]

    def _candidate(self, row: Any, phone: str) -> Candidate:
        content = {} if isinstance(row.content, Broken) or row.content is None else row.content
        probe = Message(
            direction=Direction.OUTBOUND,
            type="",
            content=content,
            status=MessageStatus.PENDING,
            created_at=row.updated_at,
            updated_at=row.updated_at,
        )
        number = content.get("number")
        return Candidate(
            work=work_of(row, "retry_count", "updated_at"),
            conversation_id=row.conversation_id,
            customer_phone=phone,
            class_=probe.class_,
            number=number if isinstance(number, str) else None,
            not_before=probe.not_before,
        )

    def in_flight(self, customer_phone: str) -> bool:
        statement = (
            select(self._c.id)
            .join(self._threads.id.table, self._threads.id == self._c.conversation_id)
            .where(self._c.status == MessageStatus.SENDING, self._threads.customer_phone == customer_phone)
            .limit(1)
        )
        return self._session.execute(statement).first() is not None

    def overdue(self, status: str, *, before: datetime, after: int = 0, limit: int = 100) -> Sequence[Work]:
        statement = (
            select(*self._light)
            .where(self._c.status == status, self._c.id > after, self._c.updated_at <= before)
            .order_by(self._c.id)
            .limit(limit)
        )
        return [work_of(row, "retry_count", "updated_at") for row in self._session.execute(statement)]

    def thread(self, conversation_id: int, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        where = [self._c.conversation_id == conversation_id]
        if before is not None:
            where.append(self._c.id < before)
        return self._rows.many(*where, order=[self._c.id.desc()], limit=limit)

    def containing(
        self, words: str, *, before: int | None = None, within: int = 20_000, limit: int = 50
    ) -> Sequence[Message]:
        newest = self._session.execute(select(func.max(self._c.id))).scalar() or 0
        end = before if before is not None else newest + 1
        wanted, found = words.casefold(), list[Message]()
        plain = _plain(wanted)
        low = end - within
        while len(found) < limit and end > low:
            where = [self._c.id >= low, self._c.id < end, self._c.conversation_id.is_not(None)]
            if plain:
                where.append(func.lower(cast(self._c.content, Text)).like(f"%{plain}%"))
            page = self._rows.many(*where, order=[self._c.id.desc()], limit=PAGE)
            found += [row for row in page if wanted in row.words.casefold()]
            if len(page) < PAGE:
                break
            end = page[-1].id
        return found[:limit]

    def latest_inbound_at(self, customer_phone: str, number: str | None = None) -> datetime | None:
        statement = (
            select(self._c.sent_at, self._c.content)
            .join(self._threads.id.table, self._threads.id == self._c.conversation_id)
            .where(
                self._threads.customer_phone == customer_phone,
                self._c.direction == Direction.INBOUND,
                self._c.type.not_in(SHUT),
                self._c.sent_at.is_not(None),
            )
            .order_by(self._c.sent_at.desc(), self._c.id.desc())
        )
        if number is None:
            newest: datetime | None = self._session.execute(statement.limit(1)).scalar()
            return newest
        offset = 0
        while True:
            page = self._session.execute(statement.limit(PAGE).offset(offset)).all()
            for row in page:
                content = {} if isinstance(row.content, Broken) or row.content is None else row.content
                if content.get("number") == number:
                    told: datetime = row.sent_at
                    return told
            if len(page) < PAGE:
                return None
            offset += PAGE

    def waiting_campaign(self, limit: int = 500) -> int:
        found = after = 0
        while found < limit:
            page = self.leaving(after=after, limit=PAGE)
            found += sum(1 for one in page if one.class_ is Class.CAMPAIGN)
            if len(page) < PAGE:
                break
            after = page[-1].work.id
        return min(found, limit)

    def foreign_before(self, moment: datetime, *, limit: int = 100) -> Sequence[int]:
        statement = (
            select(self._c.id)
            .where(self._c.type == FOREIGN, self._c.created_at <= moment)
            .order_by(self._c.id)
            .limit(limit)
        )
        return self._session.execute(statement).scalars().all()

    def _line_row(self, row: Any) -> LineRow:
        return LineRow(work=work_of(row, "retry_count", "updated_at"), conversation_id=row.conversation_id)


def _plain(words: str) -> str:
    """The longest part that every store compares alike, and JSON spells as it is said; the rest is compared here."""
    return max(re.findall("[a-z0-9]+", words), key=len, default="")


def _in_line(status: Any) -> Condition:
    """Whether an inbound row is still to be handled."""
    return or_(status == MessageStatus.RECEIVED, status == MessageStatus.PROCESSING)


class SqlCartRepository:
    """See `wch.application.ports.CartRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.carts, Cart)
        self._c = tables.carts.c

    def add(self, cart: Cart) -> Cart:
        return self._rows.add(cart)

    def get(self, cart_id: int, *, lock: bool = False) -> Cart | None:
        return self._rows.get(cart_id, lock=lock)

    def of(self, customer_phone: str, *, lock: bool = False) -> Cart | None:
        return self._rows.by("customer_phone", customer_phone, lock=lock)

    def save(self, cart: Cart) -> None:
        self._rows.save(cart)

    def idle_since(self, moment: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        found: list[Cart] = []
        while len(found) < limit:
            page = self._rows.many(
                self._c.status == CartStatus.ACTIVE, self._c.id > after, self._c.updated_at <= moment, limit=limit
            )
            found += [cart for cart in page if cart.items]
            if len(page) < limit:
                break
            after = page[-1].id
        return found[:limit]

    def expiring(self, now: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        found: list[Cart] = []
        for status in (CartStatus.ACTIVE, CartStatus.ABANDONED):
            found += self._rows.many(
                self._c.status == status, self._c.id > after, self._c.expires_at <= now, limit=limit
            )
        return sorted(found, key=lambda cart: cart.id)[:limit]

    def due_for_reminder(self, abandoned_before: datetime, *, after: int = 0, limit: int = 100) -> Sequence[Cart]:
        return self._rows.many(
            self._c.status == CartStatus.ABANDONED,
            self._c.id > after,
            self._c.abandoned_at <= abandoned_before,
            or_(
                self._c.reminder_1_sent_at.is_(None),
                self._c.reminder_2_sent_at.is_(None),
                self._c.reminder_3_sent_at.is_(None),
            ),
            limit=limit,
        )

    def listed(self, *, status: CartStatus | None = None, after: int = 0, limit: int = 50) -> Sequence[Cart]:
        where = [self._c.id > after]
        if status is not None:
            where.append(self._c.status == status)
        return self._rows.many(*where, limit=limit)


class SqlCustomerRepository:
    """See `wch.application.ports.CustomerRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.customers, CustomerProfile)
        self._c = tables.customers.c

    def get(self, customer_id: int) -> CustomerProfile | None:
        return self._rows.get(customer_id)

    def of(self, phone: str) -> CustomerProfile | None:
        ahead = self._locked()
        return ahead[phone] if phone in ahead else self._rows.by("phone", phone)

    def lock(self, phone: str, *, now: datetime) -> CustomerProfile:
        known: CustomerProfile | None = self._locked().get(phone)
        if known is not None:
            return known
        return self._rows.lock_or_add(CustomerProfile.met(phone, now=now), self._c.phone == phone, unique="phone")

    def lock_all(self, phones: Collection[str], *, now: datetime) -> None:
        wanted = sorted(set(phones))
        there = self._rows.among("phone", wanted, lock=True)
        known = {profile.phone for profile in there}
        made = [self.lock(phone, now=now) for phone in wanted if phone not in known]
        self._locked().update((profile.phone, profile) for profile in (*there, *made))

    def lock_if_free(self, phone: str) -> CustomerProfile | None:
        return self._rows.by("phone", phone, lock=True, skip=True)

    def save(self, profile: CustomerProfile) -> None:
        self._locked().pop(profile.phone, None)
        self._rows.save_later(profile)

    def _locked(self) -> dict[Any, Any]:
        return self._session.ahead.setdefault(self._rows.table.name, {})

    def listed(self, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        return self._rows.many(self._c.id > after, limit=limit)

    def called(self, name: str, *, after: int = 0, limit: int = 50) -> Sequence[CustomerProfile]:
        wanted, found = name.casefold(), list[CustomerProfile]()
        plain = _plain(wanted)
        while len(found) < limit:
            where = [self._c.id > after, self._c.name.is_not(None)]
            if plain:
                where.append(func.lower(self._c.name).like(f"%{plain}%"))
            page = self._rows.many(*where, limit=PAGE)
            found += [row for row in page if row.name and wanted in row.name.casefold()]
            if len(page) < PAGE:
                break
            after = page[-1].id
        return found[:limit]


class SqlProductViewRepository:
    """See `wch.application.ports.ProductViewRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.views, ProductView)
        self._c = tables.views.c

    def add(self, view: ProductView) -> ProductView:
        return self._rows.add(view)

    def latest(self, customer_phone: str, product_id: int) -> ProductView | None:
        order = [self._c.viewed_at.desc(), self._c.id.desc()]
        found = self._rows.many(
            self._c.customer_phone == customer_phone, self._c.product_id == product_id, order=order, limit=1
        )
        return found[0] if found else None

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[ProductView]:
        order = [self._c.viewed_at.desc(), self._c.id.desc()]
        return self._rows.many(
            self._c.customer_phone == customer_phone, self._c.viewed_at >= since, order=order, limit=limit
        )


class SqlReengagementRepository:
    """See `wch.application.ports.ReengagementRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._rows = Rows(session, tables.reengagements, Reengagement)
        self._c = tables.reengagements.c

    def add(self, contact: Reengagement) -> Reengagement:
        return self._rows.add(contact)

    def get(self, contact_id: int, *, lock: bool = False) -> Reengagement | None:
        return self._rows.get(contact_id, lock=lock)

    def save(self, contact: Reengagement) -> None:
        self._rows.save(contact)

    def newest_of(self, customer_phone: str, campaign_type: CampaignType) -> Reengagement | None:
        found = self._rows.many(
            self._c.customer_phone == customer_phone,
            self._c.campaign_type == campaign_type,
            order=[self._c.id.desc()],
            limit=1,
        )
        return found[0] if found else None

    def of(self, customer_phone: str, *, since: datetime, limit: int = 100) -> Sequence[Reengagement]:
        return self._rows.many(self._c.customer_phone == customer_phone, self._c.created_at >= since, limit=limit)

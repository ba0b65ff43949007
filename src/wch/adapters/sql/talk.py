"""The repositories of what is said: threads and messages."""

# ruff: noqa: D102 - what each method promises stands in the port

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Column, Select, Text, and_, bindparam, cast, func, or_, select

from wch.adapters.sql.json_text import clean
from wch.adapters.sql.reading import MOST, PAGE, PAST, Condition, plain_part, work_of
from wch.adapters.sql.rows import Rows
from wch.adapters.sql.session import Session
from wch.adapters.sql.tables import Tables
from wch.adapters.sql.types import Broken
from wch.application.ports import Candidate, LineRow, Said, Written
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.document import JsonObject, document
from wch.domain.lease import TERM, Work
from wch.domain.message import FOREIGN, Class, Direction, Message, MessageStatus

_RESOLVED = ConversationStatus.RESOLVED.value

SHUT = ("reaction", "edit", "revoke", "system", "group")
"""Inbound types that open no 24-hour window."""


class SqlConversationRepository:
    """See `wch.application.ports.ConversationRepository`."""

    def __init__(self, session: Session, tables: Tables) -> None:
        self._session = session
        self._rows = Rows(session, tables.conversations, Conversation, saves_later=True)
        self._c = tables.conversations.c
        self._newest = session.ahead(tables.conversations)
        self._kept = session.kept(tables.conversations, by="customer_phone")

    def add(self, conversation: Conversation) -> Conversation:
        self._newest.pop(conversation.customer_phone, None)
        if self._kept is not None:
            self._kept.pop(conversation.customer_phone, None)
        return self._rows.add(conversation)

    def read_ahead(self, phones: Sequence[str]) -> None:
        """Read and lock the newest thread of each of these customers, who are locked already."""
        if not phones:
            return
        self._session.must_write()
        kept = self._kept
        if kept:
            known = kept.among(phones)
            self._rows.hold(list(known.values()))
            self._newest.update(known)
            phones = [phone for phone in phones if phone not in known]
        best: dict[str, Sequence[Any]] = {}
        number, status, phone = self._rows.places("id", "status", "customer_phone")
        for raw in self._rows.raw_among((), "customer_phone", phones, lock=True):
            other = best.get(raw[phone])
            # What is open goes before what is not, then the later one.
            if other is None or (raw[status] != _RESOLVED, raw[number]) > (other[status] != _RESOLVED, other[number]):
                best[raw[phone]] = raw
        self._newest.update([(one, None) for one in phones if one not in best])
        found = self._rows.read_held(best.values())
        self._newest.update([(one.customer_phone, one) for one in found])
        if kept is not None:
            kept.keep(found)

    def get(self, conversation_id: int, *, lock: bool = False) -> Conversation | None:
        return self._rows.get(conversation_id, lock=lock)

    def save(self, conversation: Conversation) -> None:
        phone, kept = conversation.customer_phone, self._kept
        self._newest.pop(phone, None)
        changed = self._rows.save_later(conversation)
        if kept is None:
            return
        if phone in kept and kept[phone].id != conversation.id:
            # It may be the customer's newest now. So may another be once a status changes, after which all is read again.
            del kept[phone]
        kept.became(conversation, changed)

    def latest_of(self, customer_phone: str, *, lock: bool = False) -> Conversation | None:
        if lock:
            self._session.must_write()
        if customer_phone in self._newest:
            known: Conversation | None = self._newest[customer_phone]
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
        self._absent = session.ahead(tables.messages)
        self._threads = tables.conversations.c

    @property
    def _light(self) -> Sequence[Column[Any]]:
        """What the queues look at, without any JSON."""
        return (self._c.id, self._c.conversation_id, self._c.status, self._c.retry_count, self._c.updated_at)

    def add(self, message: Message) -> Message:
        self._is_there(message)
        return self._rows.add(message)

    def add_later(self, message: Message) -> Written:
        self._is_there(message)
        return self._rows.add_later(message, by="wa_message_id")

    def look_ahead(self, wa_message_ids: Collection[str]) -> Mapping[str, Said]:
        wanted = {one: clean(one) for one in wa_message_ids}
        free, said = dict.fromkeys(wanted.values(), True), dict[str, Said]()
        columns = ("wa_message_id", "type", "content")
        for name, word, raw in self._rows.raw_among(columns, "wa_message_id", sorted(free)):
            free.pop(name)
            content = self._read_content(raw)
            if content is not None:
                said[name] = Said(word, content)
        self._absent.update(free)
        return {one: said[name] for one, name in wanted.items() if name in said} if said else {}

    def _read_content(self, raw: Any) -> JsonObject | None:
        """The content of this text as it is in a row; None where it cannot be read."""
        if raw is None:
            return document()
        try:
            content: JsonObject = self._rows.value("content", raw)
        except Exception:  # noqa: BLE001 - whatever is wrong with a stored value, it is one thing
            return None
        return content

    def _is_there(self, message: Message) -> None:
        """This id is somebody's now."""
        if message.wa_message_id is not None:
            self._absent.pop(clean(message.wa_message_id), None)

    def get(self, message_id: int, *, lock: bool = False) -> Message | None:
        return self._rows.get(message_id, lock=lock)

    def by_wa_id(self, wa_message_id: str, *, lock: bool = False) -> Message | None:
        if lock:
            self._rows.session.must_write()
        if clean(wa_message_id) in self._absent:
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

    def heads(self, *, now: datetime, limit: int = 20, term: timedelta = TERM) -> Sequence[LineRow]:
        found: list[LineRow] = []
        seen: set[int] = set()
        working = select(*self._light).where(
            self._c.status == MessageStatus.PROCESSING, self._c.conversation_id.is_not(None)
        )
        for row in self._session.execute(working.order_by(self._c.id)):
            if row.conversation_id in seen:
                continue
            seen.add(row.conversation_id)
            if row.updated_at + term <= now:
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
        def page() -> Select[Any]:
            of_thread = self._c.conversation_id == bindparam("conversation_id")
            return select(self._rows.table).where(of_thread).order_by(self._c.id.desc()).limit(MOST).offset(PAST)

        def page_before() -> Select[Any]:
            return page().where(self._c.id < bindparam("id"))

        if before is None:
            return self._rows.always("thread", page, limit=limit, conversation_id=conversation_id)
        return self._rows.always("thread before", page_before, limit=limit, conversation_id=conversation_id, id=before)

    def containing(
        self, words: str, *, before: int | None = None, within: int = 20_000, limit: int = 50
    ) -> Sequence[Message]:
        newest = self._session.execute(select(func.max(self._c.id))).scalar() or 0
        end = before if before is not None else newest + 1
        wanted, found = words.casefold(), list[Message]()
        plain = plain_part(wanted)
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


def _in_line(status: Any) -> Condition:
    """Whether an inbound row is still to be handled."""
    return or_(status == MessageStatus.RECEIVED, status == MessageStatus.PROCESSING)

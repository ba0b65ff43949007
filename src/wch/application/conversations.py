"""Conversations as people see them: the inbox of agents, and what they do in it."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from wch.application.breakers import WHATSAPP, Breakers
from wch.application.ports import Clock, Database, UnitOfWork, WhatsApp
from wch.application.speaking import Speaker
from wch.application.windows import WINDOW
from wch.domain.audit import AuditEntry
from wch.domain.cart import Cart
from wch.domain.conversation import (
    CHECKOUT,
    Conversation,
    ConversationStatus,
    Event,
    State,
)
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject, document
from wch.domain.errors import ConflictError, NotFoundError, WchError
from wch.domain.evolution import evolve
from wch.domain.message import Class, Direction, Message
from wch.domain.outgoing import Outgoing, Template, Text
from wch.domain.phone import is_number, is_surrogate, variants

Change = Callable[[UnitOfWork, Conversation, datetime], Conversation]
Words = Callable[[UnitOfWork, CustomerProfile], Outgoing]

NOBODY = 0
"""The agent whose threads are those that nobody has."""

CANNED = "canned."
"""How the options begin that hold replies written in advance."""

LONGEST_NOTE = 2_000
QUEUE = 500
"""How many waiting threads are looked at for the one that waits longest."""

_CANNED_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


class WindowClosedError(ConflictError):
    """The 24-hour window is closed; only a template can be sent now."""


class UnusableTextError(WchError, ValueError):
    """The text or its name cannot be taken."""


@attrs.frozen(kw_only=True)
class Canned:
    """A reply written in advance; `{name}` in it is the customer's name."""

    name: str
    text: str


@attrs.frozen(kw_only=True)
class Hit:
    """What was found: a thread, and the words that were searched for where it was a message that had them."""

    conversation: Conversation
    message: Message | None = None


@attrs.frozen(kw_only=True)
class Thread:
    """A conversation with its latest messages, oldest first."""

    conversation: Conversation
    messages: Sequence[Message]


@attrs.frozen(kw_only=True)
class Conversations:
    """What agents see and do; each act has its line in the audit log.

    Attributes:
        receipts: whether customers are shown that a person read what they wrote.
    """

    database: Database
    clock: Clock
    speaker: Speaker
    whatsapp: WhatsApp
    breakers: Breakers
    receipts: bool

    async def listed(
        self,
        *,
        status: ConversationStatus | None = None,
        agent: int | None = None,
        unread: bool = False,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> Sequence[Conversation]:
        """Threads, the latest first: of a person (0: of nobody), or with something unread."""
        return await self.database.read(
            lambda uow: uow.conversations.listed(status=status, agent=agent, unread=unread, before=before, limit=limit)
        )

    async def queue(self, *, limit: int = 50) -> Sequence[Conversation]:
        """Threads that wait for a person and that nobody has, the one that waits longest first."""

        def work(uow: UnitOfWork) -> Sequence[Conversation]:
            waiting = uow.conversations.listed(status=ConversationStatus.ESCALATED, agent=NOBODY, limit=QUEUE)
            return sorted(waiting, key=lambda one: (str(one.handoff.get("since", "")), one.id))[:limit]

        return await self.database.read(work)

    async def unread(self, agent: int | None = None) -> tuple[int, int]:
        """In how many threads something is unread, and how many messages."""
        return await self.database.read(lambda uow: uow.conversations.unread(agent))

    async def search(self, text: str, *, before: int | None = None, limit: int = 50) -> Sequence[Hit]:
        """Threads of a number or a name, then messages that say these words, newest first.

        Args:
            text: a number in any spelling, a name, or words.
            before: the message id of the last hit of the page before; then only words are looked for.
            limit: how many of each.
        """
        wanted = " ".join(text.split())
        if not wanted:
            return []

        def work(uow: UnitOfWork) -> list[Hit]:
            people = [] if before is not None else _people(uow, wanted, limit)
            threads = [thread for phone in people for thread in uow.conversations.listed(customer_phone=phone)]
            rows = uow.messages.containing(wanted, before=before, limit=limit)
            hits = [Hit(conversation=thread) for thread in threads[:limit]]
            for row in rows:
                found = uow.conversations.get(row.conversation_id or 0)
                hits += [] if found is None else [Hit(conversation=found, message=row)]
            return hits

        return await self.database.read(work)

    async def show(self, conversation_id: int, *, limit: int = 50) -> Thread:
        """One thread.

        Raises:
            NotFoundError: there is none of this id.
        """

        def work(uow: UnitOfWork) -> Thread:
            conversation = uow.conversations.get(conversation_id)
            if conversation is None:
                raise NotFoundError(kind="conversation", id=conversation_id)
            messages = list(reversed(uow.messages.thread(conversation_id, limit=limit)))
            return Thread(conversation=conversation, messages=messages)

        return await self.database.read(work)

    async def page(self, conversation_id: int, *, before: int | None = None, limit: int = 50) -> Sequence[Message]:
        """The messages of a thread with an id below `before`, the newest first.

        Raises:
            NotFoundError: there is no thread of this id.
        """

        def work(uow: UnitOfWork) -> Sequence[Message]:
            if uow.conversations.get(conversation_id) is None:
                raise NotFoundError(kind="conversation", id=conversation_id)
            return uow.messages.thread(conversation_id, before=before, limit=limit)

        return await self.database.read(work)

    async def seen(self, conversation_id: int, *, by: str = "host") -> Conversation:
        """A person has opened the thread: nothing of it is unread any more, and the customer may see that.

        Raises:
            NotFoundError: there is none of this id.
        """

        def work(uow: UnitOfWork) -> tuple[Conversation, Message | None, bool]:
            now = self.clock.now()
            opened = self._locked(uow, conversation_id, now).seen(now=now)
            uow.conversations.save(opened)
            self._audit(uow, "conversation.seen", conversation_id, by=by, now=now)
            rows = uow.messages.thread(conversation_id, limit=50)
            latest = next((row for row in rows if row.direction is Direction.INBOUND), None)
            return opened, latest, self.receipts and self.breakers.is_closed(uow, WHATSAPP)

        opened, latest, may_show = await self.database.transact(work)
        if may_show and latest is not None and latest.wa_message_id is not None and latest.read_at is None:
            await self._show_read(latest)
        return opened

    async def _show_read(self, latest: Message) -> None:
        """Best effort: nothing depends on it."""
        number = latest.content.get("number")
        if not isinstance(number, str) or not await self.whatsapp.mark_read(number, str(latest.wa_message_id)):
            return

        def work(uow: UnitOfWork) -> None:
            row = uow.messages.get(latest.id, lock=True)
            if row is not None and row.read_at is None:
                uow.messages.save(evolve(row, read_at=self.clock.now()))

        await self.database.transact(work)

    async def reply(
        self, conversation_id: int, text: str = "", *, agent: int, by: str, canned: str | None = None
    ) -> Message:
        """Write to the customer as a person: the thread is theirs from now on.

        Args:
            conversation_id: which thread.
            text: what is said; or
            canned: the name of a reply written in advance.
            agent: the person's number.
            by: their name, for the audit log.

        Raises:
            NotFoundError: there is no thread of this id, or no reply of this name.
            WindowClosedError: the customer's last message is more than 24 hours old; `code` is `window_closed`.
            MessageLimitError: the text is empty or too long.
        """
        if canned is None:
            Text(body=text)

        def words(uow: UnitOfWork, profile: CustomerProfile) -> Outgoing:
            return Text(body=text if canned is None else _filled(uow, canned, profile))

        return await self._reply(conversation_id, words, agent=agent, by=by)

    async def reply_with(
        self, conversation_id: int, message: Outgoing, *, agent: int, by: str, file: JsonObject | None = None
    ) -> Message:
        """As `reply`, with any kind of message; `file` says where its file is kept, if the hub keeps it."""
        return await self._reply(conversation_id, lambda _uow, _profile: message, agent=agent, by=by, file=file)

    async def reply_template(
        self, conversation_id: int, template: Template, *, is_marketing: bool, agent: int, by: str
    ) -> Message:
        """Write by an approved template, which may leave when the window is closed; the thread is the person's.

        Args:
            conversation_id: which thread.
            template: with everything filled in.
            is_marketing: held to consent when it leaves, as any campaign is.
            agent: the person's number.
            by: their name, for the audit log.

        Raises:
            NotFoundError: there is no thread of this id.
        """
        class_ = Class.CAMPAIGN if is_marketing else Class.NOTICE
        return await self._reply(conversation_id, lambda _uow, _profile: template, agent=agent, by=by, class_=class_)

    async def number_for_reply(self, conversation_id: int) -> str:
        """The number that a reply would leave from.

        Raises:
            NotFoundError: there is no thread of this id.
        """

        def work(uow: UnitOfWork) -> str:
            conversation = uow.conversations.get(conversation_id)
            if conversation is None:
                raise NotFoundError(kind="conversation", id=conversation_id)
            return self.speaker.number_of(conversation)

        return await self.database.read(work)

    async def _reply(
        self,
        conversation_id: int,
        words: Words,
        *,
        agent: int,
        by: str,
        file: JsonObject | None = None,
        class_: Class = Class.REPLY,
    ) -> Message:
        def work(uow: UnitOfWork) -> Message:
            now = self.clock.now()
            conversation = self._locked(uow, conversation_id, now)
            profile = uow.customers.lock(conversation.customer_phone, now=now)
            message = words(uow, profile)
            number = self.speaker.number_of(conversation)
            latest = uow.messages.latest_inbound_at(profile.phone, number or None)
            told = conversation.context.get("window_closed_at")
            closed = latest is None or now >= latest + WINDOW or told is not None
            if closed and class_ is Class.REPLY:
                raise WindowClosedError(code="window_closed", closed_at=None if latest is None else latest + WINDOW)
            counted, row = self.speaker.say(
                uow,
                conversation,
                message,
                profile=profile,
                class_=class_,
                origin={"by": "person"},
                now=now,
                file=file,
            )
            uow.conversations.save(counted.answered_by(agent, now=now))
            self._audit(uow, "conversation.reply", conversation_id, by=by, now=now)
            return row

        return await self.database.transact(work)

    async def assign(self, conversation_id: int, agent: int, *, by: str) -> Conversation:
        """Give the thread to a person; the dialogue falls silent."""
        return await self._change(
            conversation_id, "assign", by=by, change=lambda _uow, one, now: one.assigned(agent, now=now)
        )

    async def unassign(self, conversation_id: int, *, by: str) -> Conversation:
        """Put the thread back into the queue; it still waits for a person."""
        return await self._change(
            conversation_id, "unassign", by=by, change=lambda _uow, one, now: one.unassigned(now=now)
        )

    async def note(self, conversation_id: int, text: str, *, by: str) -> CustomerProfile:
        """Write something down about the customer, for colleagues only.

        Raises:
            NotFoundError: there is no thread of this id.
            UnusableTextError: the note is empty or longer than 2,000 characters.
        """
        words = text.strip()
        if not 0 < len(words) <= LONGEST_NOTE:
            message = f"A note has 1 to {LONGEST_NOTE} characters."
            raise UnusableTextError(message)

        def work(uow: UnitOfWork) -> CustomerProfile:
            now = self.clock.now()
            conversation = self._locked(uow, conversation_id, now)
            noted = uow.customers.lock(conversation.customer_phone, now=now).noting(words, by=by, now=now)
            uow.customers.save(noted)
            self._audit(uow, "conversation.note", conversation_id, by=by, now=now)
            return noted

        return await self.database.transact(work)

    async def canned(self) -> Sequence[Canned]:
        """The replies written in advance, by name."""
        told = await self.database.read(lambda uow: uow.options.named(CANNED, limit=500))
        return [Canned(name=name.removeprefix(CANNED), text=str(value.get("text", ""))) for name, value in told]

    async def write_canned(self, name: str, text: str, *, by: str) -> Canned:
        """Write a reply in advance, or write it anew.

        Raises:
            UnusableTextError: the name is not small letters and digits, or the text names something unknown.
            MessageLimitError: the text is empty or too long.
        """
        if not _CANNED_NAME.fullmatch(name):
            message = "The name of a reply is small letters, digits, - and _, 50 at most."
            raise UnusableTextError(message)
        unknown = set(_PLACEHOLDER.findall(text)) - {"name"}
        if unknown:
            message = f"Only {{name}} can be filled in, not {', '.join(sorted(unknown))}."
            raise UnusableTextError(message)
        Text(body=text)

        def work(uow: UnitOfWork) -> Canned:
            uow.options.put(f"{CANNED}{name}", document(text=text, by=by))
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action="canned.write", object=f"canned:{name}"))
            return Canned(name=name, text=text)

        return await self.database.transact(work)

    async def remove_canned(self, name: str, *, by: str) -> None:
        """Take a reply written in advance away.

        Raises:
            NotFoundError: there is none of this name.
        """

        def work(uow: UnitOfWork) -> None:
            if not uow.options.remove(f"{CANNED}{name}"):
                raise NotFoundError(kind="canned reply", id=name)
            uow.audit.add(AuditEntry(at=self.clock.now(), actor=by, action="canned.remove", object=f"canned:{name}"))

        await self.database.transact(work)

    async def resolve(self, conversation_id: int, *, by: str) -> Conversation:
        """End the thread; what still waits of the customer's is answered all the same.

        One that has ended stays as it is, and nothing is noted of it.
        """

        def change(_uow: UnitOfWork, one: Conversation, now: datetime) -> Conversation:
            return one.on(Event.RESOLVE, now=now) if one.is_open else one

        return await self._change(conversation_id, "resolve", by=by, change=change)

    async def handoff(self, conversation_id: int, *, by: str) -> Conversation:
        """Take the thread from the dialogue.

        Raises:
            ForbiddenEventError: a person has it already.
        """
        return await self._change(
            conversation_id, "handoff", by=by, change=lambda _uow, one, now: one.escalated("operator", now=now)
        )

    async def handback(self, conversation_id: int, *, by: str) -> Conversation:
        """Give the thread back to the dialogue, to where the customer was.

        Raises:
            ForbiddenEventError: no person has it.
        """

        def change(uow: UnitOfWork, one: Conversation, now: datetime) -> Conversation:
            return one.on(Event.HANDBACK, return_state(uow, one), now=now)

        return await self._change(conversation_id, "handback", by=by, change=change)

    async def _change(self, conversation_id: int, action: str, *, by: str, change: Change) -> Conversation:
        def work(uow: UnitOfWork) -> Conversation:
            now = self.clock.now()
            held = self._locked(uow, conversation_id, now)
            changed = change(uow, held, now)
            if changed is held:
                return held
            uow.conversations.save(changed)
            self._audit(uow, f"conversation.{action}", conversation_id, by=by, now=now)
            return changed

        return await self.database.transact(work)

    def _locked(self, uow: UnitOfWork, conversation_id: int, now: datetime) -> Conversation:
        seen = uow.conversations.get(conversation_id)
        if seen is None:
            raise NotFoundError(kind="conversation", id=conversation_id)
        uow.customers.lock(seen.customer_phone, now=now)
        held = uow.conversations.get(conversation_id, lock=True)
        if held is None:
            raise NotFoundError(kind="conversation", id=conversation_id)
        return held

    def _audit(self, uow: UnitOfWork, action: str, conversation_id: int, *, by: str, now: datetime) -> None:
        uow.audit.add(AuditEntry(at=now, actor=by, action=action, object=f"conversation:{conversation_id}"))


def return_state(uow: UnitOfWork, conversation: Conversation) -> State:
    """Where the customer goes on when the dialogue takes over."""
    return state_after(conversation, uow.carts.of(conversation.customer_phone))


def state_after(conversation: Conversation, cart: Cart | None) -> State:
    """The state that was left for a person, but no checkout step whose question is forgotten."""
    state = conversation.return_state
    if state in CHECKOUT and "checkout" not in conversation.context:
        return State.BROWSING if cart is None or cart.is_empty else State.CART_MANAGEMENT
    return state


def _people(uow: UnitOfWork, text: str, limit: int) -> list[str]:
    """The keys of everybody whom a number or a name may mean."""
    digits = "".join(letter for letter in text if letter.isdigit()).removeprefix("00")
    is_key = is_surrogate(text) or (is_number(digits) and not any(letter.isalpha() for letter in text))
    keys = (text,) if is_surrogate(text) else variants(digits)
    by_number = [key for key in keys if uow.customers.of(key) is not None] if is_key else []
    by_name = [] if is_key else [one.phone for one in uow.customers.called(text, limit=limit)]
    return by_number or by_name


def _filled(uow: UnitOfWork, canned: str, profile: CustomerProfile) -> str:
    told = uow.options.get(f"{CANNED}{canned}")
    if told is None:
        raise NotFoundError(kind="canned reply", id=canned)
    return str(told.get("text", "")).replace("{name}", profile.name or "").strip()

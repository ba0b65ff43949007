"""Conversations as people see them: the inbox of agents, and what they do in it."""

from collections.abc import Callable, Sequence
from datetime import datetime

import attrs

from wch.application.outbox import WINDOW
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.speaking import Speaker
from wch.domain.audit import AuditEntry
from wch.domain.conversation import (
    CHECKOUT,
    Conversation,
    ConversationStatus,
    Event,
    State,
)
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.message import Class, Message
from wch.domain.outgoing import Text

Change = Callable[[UnitOfWork, Conversation, datetime], Conversation]


class WindowClosedError(ConflictError):
    """The 24-hour window is closed; only a template can be sent now."""


@attrs.frozen(kw_only=True)
class Thread:
    """A conversation with its latest messages, oldest first."""

    conversation: Conversation
    messages: Sequence[Message]


@attrs.frozen(kw_only=True)
class Conversations:
    """What agents see and do; each act has its line in the audit log."""

    database: Database
    clock: Clock
    speaker: Speaker

    async def listed(
        self,
        *,
        status: ConversationStatus | None = None,
        before: tuple[datetime, int] | None = None,
        limit: int = 50,
    ) -> Sequence[Conversation]:
        """Threads, the latest first."""
        return await self.database.read(lambda uow: uow.conversations.listed(status=status, before=before, limit=limit))

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

    async def seen(self, conversation_id: int) -> Conversation:
        """A person has opened the thread: nothing of it is unread any more.

        Raises:
            NotFoundError: there is none of this id.
        """

        def work(uow: UnitOfWork) -> Conversation:
            now = self.clock.now()
            opened = self._locked(uow, conversation_id, now).seen(now=now)
            uow.conversations.save(opened)
            return opened

        return await self.database.transact(work)

    async def reply(self, conversation_id: int, text: str, *, agent: int, by: str) -> Message:
        """Write to the customer as a person: the thread is theirs from now on.

        Raises:
            NotFoundError: there is none of this id.
            WindowClosedError: the customer's last message is more than 24 hours old; `code` is `window_closed`.
            MessageLimitError: the text is empty or too long.
        """
        message = Text(body=text)

        def work(uow: UnitOfWork) -> Message:
            now = self.clock.now()
            conversation = self._locked(uow, conversation_id, now)
            profile = uow.customers.lock(conversation.customer_phone, now=now)
            number = self.speaker.number_of(conversation)
            latest = uow.messages.latest_inbound_at(profile.phone, number or None)
            told = conversation.context.get("window_closed_at")
            if latest is None or now >= latest + WINDOW or told is not None:
                raise WindowClosedError(code="window_closed", closed_at=None if latest is None else latest + WINDOW)
            counted, row = self.speaker.say(
                uow,
                conversation,
                message,
                profile=profile,
                class_=Class.REPLY,
                origin={"by": "person"},
                now=now,
            )
            uow.conversations.save(counted.assigned(agent, now=now))
            self._audit(uow, "conversation.reply", conversation_id, by=by, now=now)
            return row

        return await self.database.transact(work)

    async def assign(self, conversation_id: int, agent: int, *, by: str) -> Conversation:
        """Give the thread to a person; the dialogue falls silent."""
        return await self._change(
            conversation_id, "assign", by=by, change=lambda _uow, one, now: one.assigned(agent, now=now)
        )

    async def resolve(self, conversation_id: int, *, by: str) -> Conversation:
        """End the thread; what still waits of the customer's is answered all the same."""
        return await self._change(
            conversation_id, "resolve", by=by, change=lambda _uow, one, now: one.on(Event.RESOLVE, now=now)
        )

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
            return one.on(Event.HANDBACK, self._return_state(uow, one), now=now)

        return await self._change(conversation_id, "handback", by=by, change=change)

    def _return_state(self, uow: UnitOfWork, conversation: Conversation) -> State:
        """Where the customer goes on: not into a checkout step whose question is forgotten."""
        state = conversation.return_state
        if state in CHECKOUT and "checkout" not in conversation.context:
            cart = uow.carts.of(conversation.customer_phone)
            return State.BROWSING if cart is None or cart.is_empty else State.CART_MANAGEMENT
        return state

    async def _change(self, conversation_id: int, action: str, *, by: str, change: Change) -> Conversation:
        def work(uow: UnitOfWork) -> Conversation:
            now = self.clock.now()
            changed = change(uow, self._locked(uow, conversation_id, now), now)
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

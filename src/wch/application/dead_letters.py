"""The dead-letter desk: what failed for good is looked at, replayed once, or dismissed by name."""

import base64
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.lease import Work
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.sync import SyncStatus


@attrs.frozen(kw_only=True)
class DeadLetters:
    """What people do about dead letters; each act has its line in the audit log.

    Attributes:
        accept: runs the bytes of a delivery through ingress again.
    """

    database: Database
    clock: Clock
    accept: Callable[[bytes], Awaitable[object]]
    failpoints: Failpoints

    async def listed(
        self,
        *,
        status: DeadLetterStatus | None = DeadLetterStatus.PENDING,
        hook: str | None = None,
        reason: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[DeadLetter]:
        """Letters by id."""
        return await self.database.read(
            lambda uow: uow.dead_letters.listed(status=status, hook=hook, reason=reason, after=after, limit=limit)
        )

    async def show(self, letter_id: int) -> DeadLetter:
        """One letter.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = await self.database.read(lambda uow: uow.dead_letters.get(letter_id))
        if found is None:
            raise NotFoundError(kind="dead letter", id=letter_id)
        return found

    async def stats(self) -> Mapping[tuple[str, str, str], int]:
        """How many stand in each (status, hook, reason)."""
        return await self.database.read(lambda uow: uow.dead_letters.counts())

    async def replay(self, letter_id: int, *, by: str) -> DeadLetter:
        """Let the work wait again, or run the bytes through ingress; once, however many ask.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: somebody decided already, or the row it is about is not ended any more.
        """

        def work(uow: UnitOfWork) -> DeadLetter:
            now = self.clock.now()
            letter = self._locked(uow, letter_id, now)
            replayed = letter.replayed(now=now, by=by)
            self._wait_again(uow, letter, now=now)
            uow.dead_letters.save(replayed)
            self._audit(uow, "dead_letter.replay", letter_id, by=by, now=now)
            self.failpoints("letter.before_commit")
            return replayed

        letter = await self.database.transact(work)
        self.failpoints("letter.replayed")
        body = letter.args.get("body")
        if isinstance(body, str):
            await self.accept(base64.b64decode(body))
        return letter

    async def dismiss(self, letter_id: int, *, reason: str, by: str) -> DeadLetter:
        """Decide that nothing more is done.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: somebody decided already.
        """

        def work(uow: UnitOfWork) -> DeadLetter:
            now = self.clock.now()
            dismissed = self._locked(uow, letter_id, now).dismissed(reason, now=now, by=by)
            uow.dead_letters.save(dismissed)
            self._audit(uow, "dead_letter.dismiss", letter_id, by=by, now=now, reason=reason)
            return dismissed

        return await self.database.transact(work)

    async def purge(self, *, days: int, by: str) -> int:
        """Delete letters that were decided more than so many days ago; pending ones never."""

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            count = uow.dead_letters.purge(decided_before=now - timedelta(days=days))
            self._audit(uow, "dead_letter.purge", days, by=by, now=now)
            return count

        return await self.database.transact(work)

    def _locked(self, uow: UnitOfWork, letter_id: int, now: datetime) -> DeadLetter:
        """The letter, locked after everything that a replay of it changes."""
        seen = uow.dead_letters.get(letter_id)
        if seen is None:
            raise NotFoundError(kind="dead letter", id=letter_id)
        if seen.args.get("table") == "messages":
            message = uow.messages.get(int(seen.args["id"]))
            conversation_id = None if message is None else message.conversation_id
            conversation = None if conversation_id is None else uow.conversations.get(conversation_id)
            if conversation is not None:
                uow.customers.lock(conversation.customer_phone, now=now)
        letter = uow.dead_letters.get(letter_id, lock=True)
        if letter is None:
            raise NotFoundError(kind="dead letter", id=letter_id)
        return letter

    def _wait_again(self, uow: UnitOfWork, letter: DeadLetter, *, now: datetime) -> None:
        """The row of work waits with no attempt made; its stamp stays, so that no old holder can finish it."""
        table, row = letter.args.get("table"), letter.args.get("id")
        if table == "messages":
            self._message(uow, int(row or 0), now)
        elif table == "notification_log":
            notice = uow.notifications.get(int(row or 0), lock=True)
            if notice is None or notice.status is not NotificationStatus.FAILED:
                raise ConflictError(letter_id=letter.id)
            uow.notifications.save(
                attrs.evolve(
                    notice, status=NotificationStatus.PENDING, retry_count=0, error_message=None, updated_at=now
                )
            )
        elif table == "sync_queue":
            task = uow.sync.get(int(row or 0), lock=True)
            if task is None or task.status is not SyncStatus.FAILED:
                raise ConflictError(letter_id=letter.id)
            uow.sync.save(task.armed(now=now))
        elif letter.hook == Hook.SAGA:
            saga = uow.sagas.get(str(row), lock=True)
            if saga is None:
                raise ConflictError(letter_id=letter.id)
            uow.sagas.save(saga.resumed("resume", now=now))

    def _message(self, uow: UnitOfWork, message_id: int, now: datetime) -> None:
        row = uow.messages.get(message_id)
        if row is None or row.status not in {MessageStatus.DEAD, MessageStatus.FAILED}:
            raise ConflictError(message_id=message_id)
        before = Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)
        inbound = row.direction is Direction.INBOUND
        waiting = MessageStatus.RECEIVED if inbound else MessageStatus.PENDING
        uow.messages.move(before, before.moved(waiting, now=now, attempts=0))
        self._unmark(uow, row, now)

    def _unmark(self, uow: UnitOfWork, row: Message, now: datetime) -> None:
        """A message that was given up for being in doubt twice gets its one resend again."""
        if "resent" not in row.content and row.expires_at is None:
            return
        held = uow.messages.get(row.id, lock=True)
        if held is None:
            return
        dropped = {"resent", "expires_at"} if held.expires_at is not None and held.expires_at <= now else {"resent"}
        content: dict[str, Any] = {name: value for name, value in held.content.items() if name not in dropped}
        uow.messages.save(attrs.evolve(held, content=content))

    def _audit(
        self, uow: UnitOfWork, action: str, about: int, *, by: str, now: datetime, reason: str | None = None
    ) -> None:
        uow.audit.add(AuditEntry(at=now, actor=by, action=action, object=f"dead_letter:{about}", reason=reason))

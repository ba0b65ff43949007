"""The dead-letter desk: what failed for good is looked at, replayed once, or dismissed by name."""

import base64
import binascii
import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

import attrs

from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.inbox import Inbox
from wch.application.intake import Source
from wch.application.payments import IncomingPayments
from wch.application.ports import Clock, Database, UnitOfWork
from wch.application.rehearsals import Change, Rehearsal
from wch.domain.audit import AuditEntry
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook
from wch.domain.document import amended
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError, WchError
from wch.domain.evolution import evolve
from wch.domain.lease import Work
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.notification import NotificationStatus
from wch.domain.sync import SyncStatus

log = logging.getLogger(__name__)

OF_DELIVERIES = frozenset({Hook.WEBHOOK, Hook.EVENT})
"""Letters that hold bytes; all others name a row."""


MOST_AT_ONCE = 1_000
"""Letters of a group that one press works through."""


class RehearsedError(WchError):
    """This was only tried, and is taken back."""

    rehearsed: "Rehearsed"


@attrs.frozen(kw_only=True)
class Rehearsed:
    """What a replay would come to.

    Attributes:
        letter: as it would stand.
        changes: the rows that would be written beside it.
        failure: the class of the error that would make it a new letter; None when it goes through.
    """

    letter: DeadLetter
    changes: tuple[Change, ...]
    failure: str | None = None

    @property
    def again(self) -> str | None:
        """Why it would become a new letter: the class of the error, or `refused`; None when it goes through."""
        is_new = any(one.table == "dead_letter_queue" and one.before is None for one in self.changes)
        return self.failure or ("refused" if is_new else None)


@attrs.frozen(kw_only=True)
class GroupRehearsed:
    """What a replay of many letters would come to, each tried by itself and taken back.

    Attributes:
        through: the ids of those that would go through.
        failures: how many would become a new letter, by the class of the error; `refused` where there is none.
        refused: why one could not be replayed, by its id.
        rows: how many rows would be written beside the letters, by table, state now (None where new) and then.
        messages: how many messages would go to customers, or wait for the assistant, by whether they go, and type.
    """

    through: list[int] = attrs.field(factory=list)
    failures: Counter[str] = attrs.field(factory=Counter)
    refused: dict[int, str] = attrs.field(factory=dict)
    rows: Counter[tuple[str, str | None, str]] = attrs.field(factory=Counter)
    messages: Counter[tuple[bool, str]] = attrs.field(factory=Counter)

    def add(self, tried: Rehearsed) -> None:
        """One letter more."""
        if tried.again is None:
            self.through.append(tried.letter.id)
        else:
            self.failures[tried.again] += 1
        for one in tried.changes:
            self.rows[one.table, one.before, one.after] += 1
            if one.message is not None:
                self.messages[one.goes, one.message.type] += 1


@attrs.frozen(kw_only=True)
class DeadLetters:
    """What people do about dead letters; each act has its line in the audit log.

    Attributes:
        inbox: runs the bytes of a delivery through ingress again.
        payments: takes what a gateway told once more.
    """

    database: Database
    clock: Clock
    inbox: Inbox
    payments: IncomingPayments
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
        return await self.database.read(lambda uow: _found(uow, letter_id, lock=False))

    async def stats(self) -> Mapping[tuple[str, str, str], int]:
        """How many stand in each (status, hook, reason)."""
        return await self.database.read(lambda uow: uow.dead_letters.counts())

    async def rehearse(self, letter_id: int, *, by: str) -> Rehearsed:
        """Do all that a replay does and take it back: which rows it would write, and which messages would go.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it could not be replayed either.
        """
        try:
            await self._replayed(letter_id, by=by, is_rehearsal=True)
        except RehearsedError as tried:
            return tried.rehearsed
        message = "A rehearsal was kept."
        raise AssertionError(message)

    async def rehearse_all(self, letters: Iterable[DeadLetter], *, by: str) -> GroupRehearsed:
        """Rehearse each of these letters; one that could not be replayed is told, and the others go on."""
        found = GroupRehearsed()
        for letter in letters:
            try:
                found.add(await self.rehearse(letter.id, by=by))
            except (ConflictError, NotFoundError) as error:
                found.refused[letter.id] = str(error)
        return found

    async def replay(self, letter_id: int, *, by: str) -> DeadLetter:
        """Let the work wait again, or run the bytes through ingress; once, however many ask.

        Bytes that fail again become a new letter that names this one as its parent.

        Args:
            letter_id: which.
            by: who decides so.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: somebody decided already, the row it is about is not ended any more, or
                the bytes are gone.
        """
        letter = await self._replayed(letter_id, by=by)
        self.failpoints("letter.replayed")
        self.inbox.wake()
        return letter

    async def _replayed(self, letter_id: int, *, by: str, is_rehearsal: bool = False) -> DeadLetter:
        seen = await self.show(letter_id)
        source = None
        if seen.hook in OF_DELIVERIES:
            body = await self.database.read(lambda uow: _body_of(uow, seen))
            source = Source(body=body, parent=letter_id)

        def work(store: UnitOfWork, failure: str | None = None) -> DeadLetter:
            now = self.clock.now()
            noted = Rehearsal(store)
            uow = cast("UnitOfWork", noted) if is_rehearsal else store
            if source is None:
                letter = self._locked(uow, seen, now)
                replayed = letter.replayed(now=now, by=by)
                self._wait_again(uow, letter, now=now)
            else:
                redo = self.inbox.redelivery(seen, source)
                redo.lock(uow)
                replayed = _found(uow, letter_id, lock=True).replayed(now=now, by=by)
                redo.run(uow) if failure is None else redo.bury(uow, failure)
            if is_rehearsal:
                raise RehearsedError(rehearsed=Rehearsed(letter=replayed, changes=noted.changes, failure=failure))
            uow.dead_letters.save(replayed)
            self._audit(uow, "replay", letter_id, by=by)
            self.failpoints("letter.before_commit")
            return replayed

        try:
            return await self.database.transact(work)
        except (RehearsedError, ConflictError, NotFoundError, StoreUnavailableError):
            raise
        except Exception as error:
            if source is None:
                raise
            log.error("a replay failed again: %s", fault(error), extra={"letter": letter_id})  # noqa: TRY400 - a traceback would show values
            why = type(error).__name__
            return await self.database.transact(lambda uow: work(uow, why))

    async def edit(self, letter_id: int, body: bytes, *, by: str) -> DeadLetter:
        """Put other bytes in the place of those that could not be used; all their events are then replayed.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: somebody decided already, or the letter is about a row and holds no bytes.
        """

        def work(uow: UnitOfWork) -> DeadLetter:
            letter = _found(uow, letter_id, lock=True)
            if letter.status is not DeadLetterStatus.PENDING or letter.hook not in OF_DELIVERIES:
                raise ConflictError(letter_id=letter_id, status=letter.status)
            sha256 = hashlib.sha256(body).hexdigest()
            before = letter.metadata.get("original_sha256") or letter.metadata.get("sha256")
            edited = evolve(
                letter,
                args=amended(letter.args, body=base64.b64encode(body).decode("ascii"), event=None),
                metadata=amended(letter.metadata, sha256=sha256, original_sha256=before, edited_by=by),
            )
            uow.dead_letters.save(edited)
            self._audit(uow, "edit", letter_id, by=by)
            return edited

        return await self.database.transact(work)

    async def dismiss(self, letter_id: int, *, reason: str, by: str) -> DeadLetter:
        """Decide that nothing more is done.

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: somebody decided already.
        """

        def work(uow: UnitOfWork) -> DeadLetter:
            now = self.clock.now()
            dismissed = _found(uow, letter_id, lock=True).dismissed(reason, now=now, by=by)
            uow.dead_letters.save(dismissed)
            self._audit(uow, "dismiss", letter_id, by=by, reason=reason)
            return dismissed

        return await self.database.transact(work)

    async def purge(self, *, days: int, by: str) -> int:
        """Delete letters that were decided more than so many days ago; pending ones never."""

        def work(uow: UnitOfWork) -> int:
            now = self.clock.now()
            count = uow.dead_letters.purge(decided_before=now - timedelta(days=days))
            self._audit(uow, "purge", None, by=by, reason=f"decided more than {days} days ago: {count}")
            return count

        return await self.database.transact(work)

    def _locked(self, uow: UnitOfWork, seen: DeadLetter, now: datetime) -> DeadLetter:
        """The letter, locked after the customer whose work waits again."""
        if seen.args.get("table") == "messages":
            message = uow.messages.get(int(seen.args["id"]))
            conversation_id = None if message is None else message.conversation_id
            conversation = None if conversation_id is None else uow.conversations.get(conversation_id)
            if conversation is not None:
                uow.customers.lock(conversation.customer_phone, now=now)
        return _found(uow, seen.id, lock=True)

    def _wait_again(self, uow: UnitOfWork, letter: DeadLetter, *, now: datetime) -> None:
        """The row of work waits with no attempt made; its stamp never falls, so no old holder can finish it."""
        table, row = letter.args.get("table"), letter.args.get("id")
        if table == "messages":
            self._message(uow, letter, int(row or 0), now)
        elif table == "notification_log":
            notice = uow.notifications.get(int(row or 0), lock=True)
            if notice is None or notice.status is not NotificationStatus.FAILED:
                raise ConflictError(letter_id=letter.id)
            uow.notifications.save(notice.anew(now=now))
        elif table == "sync_queue":
            task = uow.sync.get(int(row or 0), lock=True)
            if task is None or task.status is not SyncStatus.FAILED:
                raise ConflictError(letter_id=letter.id)
            uow.sync.save(task.armed(now=now))
        elif table == "saga_state":
            saga = uow.sagas.get(str(row), lock=True)
            if saga is None:
                raise ConflictError(letter_id=letter.id)
            uow.sagas.save(saga.resumed("resume", now=now))
        elif letter.hook == Hook.PAYMENT:
            self.payments.replay(uow, letter)
        else:
            raise ConflictError(letter_id=letter.id, hook=letter.hook)

    def _message(self, uow: UnitOfWork, letter: DeadLetter, message_id: int, now: datetime) -> None:
        row = uow.messages.get(message_id, lock=True)
        if row is None or row.status not in {MessageStatus.DEAD, MessageStatus.FAILED}:
            raise ConflictError(letter_id=letter.id)
        before = Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)
        waiting = MessageStatus.RECEIVED if row.direction is Direction.INBOUND else MessageStatus.PENDING
        after = before.moved(waiting, now=now, attempts=0)
        uow.messages.finish(before, _fresh(row, after, now))

    def _audit(
        self, uow: UnitOfWork, action: str, letter_id: int | None, *, by: str, reason: str | None = None
    ) -> None:
        about = None if letter_id is None else f"dead_letter:{letter_id}"
        now = self.clock.now()
        uow.audit.add(AuditEntry(at=now, actor=by, action=f"dead_letter.{action}", object=about, reason=reason))


def _found(uow: UnitOfWork, letter_id: int, *, lock: bool) -> DeadLetter:
    found = uow.dead_letters.get(letter_id, lock=lock)
    if found is None:
        raise NotFoundError(kind="dead letter", id=letter_id)
    return found


def _fresh(row: Message, after: Work, now: datetime) -> Message:
    """A message that starts over: what it was held for is forgotten, an end that has come is taken away."""
    dropped = {"resent", "held", "not_before"}
    if row.expires_at is not None and row.expires_at <= now:
        dropped |= {"expires_at"}
    content: dict[str, Any] = {name: value for name, value in row.content.items() if name not in dropped}
    return evolve(
        row,
        status=MessageStatus(after.status),
        retry_count=after.attempts,
        updated_at=after.stamp or now,
        error_message=None,
        content=content,
    )


def _body_of(uow: UnitOfWork, letter: DeadLetter) -> bytes:
    """The bytes that a letter is about; of a large delivery only its first letter holds them.

    Raises:
        ConflictError: they are nowhere any more.
    """
    body = letter.args.get("body") or _body_beside(uow, letter)
    if isinstance(body, str):
        try:
            return base64.b64decode(body, validate=True)
        except binascii.Error:
            log.warning("the bytes of a letter are no base64", extra={"letter": letter.id})
    raise ConflictError(letter_id=letter.id)


def _body_beside(uow: UnitOfWork, letter: DeadLetter) -> object:
    after = 0
    while page := uow.dead_letters.listed(hook=letter.hook, after=after, limit=100):
        for other in page:
            after = other.id
            if "body" in other.args and other.metadata.get("sha256") == letter.metadata.get("sha256"):
                return other.args["body"]
    return None

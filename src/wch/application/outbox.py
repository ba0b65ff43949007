"""The outbox: everything that is said leaves here, one row for one free sender, right before its call."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

import attrs

from wch.application.breakers import Breakers
from wch.application.consequences import bury, fall_back, follow, stop_sending
from wch.application.failpoints import Failpoints
from wch.application.health import STOPPED
from wch.application.limits import PAIR, Limits
from wch.application.ports import Candidate, Clock, Database, UnitOfWork, WhatsApp, WhatsAppCodec
from wch.application.statuses import callback_data, learn_id, propagate
from wch.domain.circuit_breaker import Permit
from wch.domain.dead_letter import Reason
from wch.domain.document import amended
from wch.domain.errors import LeaseLostError, UndecodableError, WchError
from wch.domain.lease import BACK_OFF, CALL_WITHIN, TERM, Work
from wch.domain.message import FOREIGN, PRIORITY, Class, Message, MessageStatus
from wch.domain.moment import iso, of_iso
from wch.domain.rate_limit import Pace
from wch.domain.send_failure import FailureClass
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused, SendResult

log = logging.getLogger(__name__)

PAGE = 200
WINDOW = timedelta(hours=24) - timedelta(seconds=60)
"""How long after the customer's last word free words may leave, a minute kept in hand."""

SETTLED_WITHIN = timedelta(seconds=120)
"""How long an echo is waited for before a reply is sent once more."""

PAUSES = (2, 4, 8, 16, 32, 60)
"""Seconds that a number rests after being throttled, by how often in a row."""

SPAM_PAUSE = timedelta(minutes=15)


class HeldError(WchError):
    """This row does not leave now: a limit, a pause, or somebody else is on the way to the customer."""


@attrs.frozen(kw_only=True)
class Parcel:
    """One row in our hands, ready for its call."""

    lease: Work
    number: str
    request: Any
    permit: Permit
    taken_at: float


@attrs.frozen(kw_only=True)
class Outbox:
    """The duty that sends.

    Attributes:
        tag: tells our callback data from another hub's.
        number_rate: messages a second that a number may send.
    """

    kind: ClassVar[str] = "outbound"

    database: Database
    clock: Clock
    whatsapp: WhatsApp
    codec: WhatsAppCodec
    breakers: Breakers
    limits: Limits
    failpoints: Failpoints
    tag: str
    number_rate: int
    most_at_once: int

    async def work(self) -> int:
        """Settle what is in doubt, then send what may leave, several customers at once."""
        done = await self._sweep()
        if await self.database.read(lambda uow: uow.options.get(STOPPED)) is not None and not await self._probe():
            return done
        waiting = await self._chosen()
        for start in range(0, len(waiting), self.most_at_once):
            sent = await asyncio.gather(*(self._one(one) for one in waiting[start : start + self.most_at_once]))
            done += sum(sent)
        return done

    async def _chosen(self) -> list[Candidate]:
        """What may leave now: replies, notices, campaigns, the oldest first, one for each customer."""
        now = self.clock.now()
        due: list[Candidate] = []
        after = 0
        while True:
            page: Sequence[Candidate] = await self.database.read(
                lambda uow, start=after: uow.messages.leaving(after=start, limit=PAGE)  # type: ignore[misc]
            )
            due.extend(one for one in page if self._is_due(one, now))
            if len(page) < PAGE or len(due) >= PAGE * 5:
                break
            after = page[-1].work.id
        due.sort(key=lambda one: (PRIORITY[one.class_], one.work.id))
        chosen: dict[str, Candidate] = {}
        for one in due:
            chosen.setdefault(one.customer_phone, one)
        return list(chosen.values())

    def _is_due(self, one: Candidate, now: datetime) -> bool:
        waited = one.not_before is None or one.not_before <= now
        return waited and one.work.is_due(now=now)

    async def _one(self, candidate: Candidate) -> int:
        try:
            parcel = await self.database.transact(lambda uow: self._take(uow, candidate))
        except (HeldError, LeaseLostError):
            return 0
        except UndecodableError:
            await self._unreadable(candidate)
            return 1
        if parcel is None:
            return 1
        self.failpoints("outbound.taken")
        result = await self._call(parcel)
        self.failpoints("outbound.before_outcome")
        try:
            await self.database.transact(lambda uow: self._outcome(uow, parcel, result))
        except LeaseLostError:
            log.warning("outbound lease lost", extra={"row": parcel.lease.id})
        self.failpoints("outbound.finished")
        return 1

    async def _call(self, parcel: Parcel) -> SendResult:
        """The call, unless the take is too old by the boot clock, which a suspended machine shows."""
        if self.clock.boot() - parcel.taken_at > CALL_WITHIN.total_seconds():
            return NotMade(reason="taken too long ago")
        self.failpoints("outbound.before_call")
        result = await self.whatsapp.send(parcel.number, parcel.request)
        self.failpoints("outbound.after_call")
        return result

    def _take(self, uow: UnitOfWork, candidate: Candidate) -> Parcel | None:
        """Take one row under the customer's lock, if everything allows it to leave now.

        None when it ended here instead: expired, refused by a rule, its window closed.

        Raises:
            HeldError: not now; everything is rolled back, so a refused limit costs no other one a hit.
        """
        profile = uow.customers.lock_if_free(candidate.customer_phone)
        if profile is None or uow.messages.in_flight(candidate.customer_phone):
            raise HeldError
        now = self.clock.now()
        row = uow.messages.get(candidate.work.id, lock=True)
        if row is None or row.status is not MessageStatus.PENDING or row.retry_count != candidate.work.attempts:
            raise LeaseLostError(row=candidate.work.id)
        if row.retry_count > len(BACK_OFF):
            self._end(uow, row.failed("max_retries_exceeded", now=now), now=now, reason=Reason.MAX_RETRIES_EXCEEDED)
            return None
        if row.expires_at is not None and now >= row.expires_at:
            self._end(uow, row.failed("expired", now=now), now=now)
            return None
        if row.class_ is Class.CAMPAIGN and not profile.opt_in_marketing:
            self._end(uow, row.failed("policy:consent", now=now), now=now)
            return None
        number = candidate.number or ""
        if row.content.get("kind") != "template" and not self._window_is_open(uow, row, profile.phone, number, now):
            self._close_window(uow, row, now)
            return None
        permit = self._permits(uow, number, profile.phone)
        lease = candidate.work.taken(MessageStatus.SENDING, now=now)
        uow.messages.move(candidate.work, lease)
        to: Any = row.content.get("to", {})
        request = self.codec.envelope(
            row.content["body"],
            to=to.get("wa_id"),
            recipient=to.get("user_id"),
            callback_data=callback_data(self.tag, row.id, lease.attempts),
        )
        return Parcel(lease=lease, number=number, request=request, permit=permit, taken_at=self.clock.boot())

    def _window_is_open(self, uow: UnitOfWork, row: Message, phone: str, number: str, now: datetime) -> bool:
        conversation = None if row.conversation_id is None else uow.conversations.get(row.conversation_id)
        closed: Any = None if conversation is None else conversation.context.get("window_closed_at")
        if isinstance(closed, str):
            return False
        latest = uow.messages.latest_inbound_at(phone, number or None)
        return latest is not None and now < latest + WINDOW

    def _close_window(self, uow: UnitOfWork, row: Message, now: datetime) -> None:
        """The window is closed: the declared template goes instead, else the row fails."""
        conversation = None if row.conversation_id is None else uow.conversations.get(row.conversation_id, lock=True)
        instead = None if conversation is None else fall_back(uow, row, conversation, now=now)
        failed = row.failed("window_closed", now=now)
        if instead is None:
            self._end(uow, failed, now=now)
        else:
            uow.messages.save(failed)

    def _permits(self, uow: UnitOfWork, number: str, phone: str) -> Permit:
        """Breakers, pauses and limits; the first refusal rolls all of them back."""
        if self.breakers.ask_in(uow, f"whatsapp:{number}") is None:
            raise HeldError
        permit = self.breakers.ask_in(uow, "whatsapp")
        if permit is None:
            raise HeldError
        for rule in (self.limits.rule("message_send"), PAIR):
            if not self.limits.hit_in(uow, rule, f"{number}:{phone}").admitted:
                raise HeldError
        pace = Pace(name="whatsapp_number", per_second=max(1, self.number_rate * 4 // 5))
        if not self.limits.pace_in(uow, pace, number):
            raise HeldError
        return permit

    def _outcome(self, uow: UnitOfWork, parcel: Parcel, result: SendResult) -> None:
        """Write down what became of the call; an answer that comes after the lease counts for its attempt."""
        now = self.clock.now()
        seen = uow.messages.get(parcel.lease.id)
        conversation = (
            None if seen is None or seen.conversation_id is None else uow.conversations.get(seen.conversation_id)
        )
        if conversation is not None:
            uow.customers.lock(conversation.customer_phone, now=now)
        row = uow.messages.get(parcel.lease.id, lock=True)
        if row is None or row.retry_count != parcel.lease.attempts:
            raise LeaseLostError(row=parcel.lease.id)
        if isinstance(result, Accepted):
            self.breakers.tell_in(uow, parcel.permit, well=True)
            uow.messages.save(learn_id(uow, row, result.wa_message_id, now=now).accepted(result.wa_message_id, now=now))
            propagate(uow, self._now(uow, row), now=now)
        elif isinstance(result, Refused):
            self._refused(uow, parcel, row, result, now=now)
        elif isinstance(result, NotMade):
            self.breakers.tell_in(uow, parcel.permit, well=False)
            self._back(uow, row, result.reason, now=now)
        else:
            self.breakers.tell_in(uow, parcel.permit, well=False)
            self._doubt(uow, row, result, now=now)

    def _now(self, uow: UnitOfWork, row: Message) -> Message:
        return uow.messages.get(row.id) or row

    def _doubt(self, uow: UnitOfWork, row: Message, result: Ambiguous, *, now: datetime) -> None:
        doubtful = row.in_doubt(result.reason, now=now)
        uow.messages.save(doubtful)
        propagate(uow, doubtful, now=now)

    def _refused(self, uow: UnitOfWork, parcel: Parcel, row: Message, result: Refused, *, now: datetime) -> None:
        """The class of the code decides."""
        failure, error = result.failure, result.error.line
        self.breakers.tell_in(uow, parcel.permit, well=not failure.blames_service)
        if failure is FailureClass.RETRY:
            self._back(uow, row, error, now=now)
        elif failure is FailureClass.WAIT_NUMBER:
            self._pause_number(uow, parcel.number, result.retry_after, now=now)
            uow.messages.save(row.waiting_again(error, now=now, attempts=row.retry_count - 1))
        elif failure in {FailureClass.WAIT_PAIR, FailureClass.SPAM}:
            self._hold(uow, row, error, failure, now=now)
        elif failure in {FailureClass.SIGN_IN, FailureClass.ACCOUNT}:
            stop_sending(uow, failure.value, result.error.code, now=now)
            uow.messages.save(row.waiting_again(error, now=now, attempts=row.retry_count - 1))
        else:
            failed = row.failed(error, now=now)
            uow.messages.save(failed)
            propagate(uow, failed, now=now)
            follow(uow, failed, failure, code=result.error.code, now=now, by_status=False)

    def _back(self, uow: UnitOfWork, row: Message, error: str, *, now: datetime) -> None:
        """Again after its back-off; after the last attempt a dead letter."""
        if row.retry_count > len(BACK_OFF):
            self._end(uow, row.failed(error, now=now), now=now, reason=Reason.MAX_RETRIES_EXCEEDED)
        elif row.status is MessageStatus.SENDING or row.status is MessageStatus.UNCONFIRMED:
            uow.messages.save(row.waiting_again(error, now=now))

    def _hold(self, uow: UnitOfWork, row: Message, error: str, failure: FailureClass, *, now: datetime) -> None:
        """Only this row waits, longer each time; the attempt is given back."""
        times = int(row.content.get("held", 0))
        wait = SPAM_PAUSE if failure is FailureClass.SPAM else timedelta(seconds=4 ** min(times, 5))
        content = amended(row.content, held=times + 1, not_before=iso(now + wait))
        waiting = attrs.evolve(row, content=content).waiting_again(error, now=now, attempts=row.retry_count - 1)
        uow.messages.save(waiting)

    def _pause_number(self, uow: UnitOfWork, number: str, retry_after: timedelta | None, *, now: datetime) -> None:
        """The number's own breaker opens for as long as WhatsApp asked, else longer each time in a row."""
        service = f"whatsapp:{number}"
        breaker = uow.breakers.lock(service, now=now)
        in_a_row = min(breaker.failures, len(PAUSES) - 1)
        wait = retry_after or timedelta(seconds=PAUSES[in_a_row])
        opened_at = now + wait - self.breakers.rule(service).timeout
        uow.breakers.save(attrs.evolve(breaker.opened(now=now, failures=breaker.failures + 1), opened_at=opened_at))

    def _end(self, uow: UnitOfWork, failed: Message, *, now: datetime, reason: str | None = None) -> None:
        uow.messages.save(failed)
        propagate(uow, failed, now=now)
        if reason is not None:
            bury(uow, failed, reason, now=now)

    async def _unreadable(self, candidate: Candidate) -> None:
        """A row whose content cannot be read uses up its own attempts, nobody else's."""

        def work(uow: UnitOfWork) -> None:
            now = self.clock.now()
            taken = candidate.work.taken(MessageStatus.PENDING, now=now)
            if taken.attempts > len(BACK_OFF):
                uow.messages.move(candidate.work, taken.moved(MessageStatus.FAILED, now=now))
                return
            uow.messages.move(candidate.work, taken)

        try:
            await self.database.transact(work)
        except LeaseLostError:
            log.info("an unreadable row was taken by another", extra={"row": candidate.work.id})

    async def _sweep(self) -> int:
        """Leases that ran out are in doubt; what was long enough in doubt is settled."""
        now = self.clock.now()
        done = 0
        lost = await self.database.read(lambda uow: uow.messages.overdue(MessageStatus.SENDING, before=now - TERM))
        for work in lost:
            done += await self.database.transact(lambda uow, held=work: self._lost(uow, held))  # type: ignore[misc]
        doubtful = await self.database.read(
            lambda uow: uow.messages.overdue(MessageStatus.UNCONFIRMED, before=now - SETTLED_WITHIN)
        )
        for work in doubtful:
            done += await self.database.transact(lambda uow, held=work: self._settle(uow, held))  # type: ignore[misc]
        self.failpoints("outbound.swept")
        return done

    def _lost(self, uow: UnitOfWork, work: Work) -> int:
        row = uow.messages.get(work.id, lock=True)
        if row is None or row.status is not MessageStatus.SENDING or row.updated_at != work.stamp:
            return 0
        doubtful = row.in_doubt("the sender's lease ran out", now=self.clock.now())
        uow.messages.save(doubtful)
        propagate(uow, doubtful, now=self.clock.now())
        return 1

    def _settle(self, uow: UnitOfWork, work: Work) -> int:
        """No echo came: a reply or notice is sent once more, the second time it is buried; a campaign stays."""
        now = self.clock.now()
        row = uow.messages.get(work.id, lock=True)
        if row is None or row.status is not MessageStatus.UNCONFIRMED or row.type == FOREIGN:
            return 0
        if row.class_ is Class.CAMPAIGN:
            if row.content.get("final"):
                return 0
            uow.messages.save(attrs.evolve(row, content=amended(row.content, final=True)))
            return 1
        if row.content.get("resent"):
            self._end(uow, row.failed("unconfirmed_twice", now=now), now=now, reason=Reason.UNCONFIRMED_TWICE)
            return 1
        again = attrs.evolve(row, content=amended(row.content, resent=1))
        uow.messages.save(again.waiting_again("no echo came", now=now, attempts=0))
        return 1

    async def _probe(self) -> bool:
        """While all sending is stopped: one look a minute whether the token is taken again."""

        def due(uow: UnitOfWork) -> str | None:
            stopped = uow.options.get(STOPPED, lock=True)
            if stopped is None:
                return ""
            looked: Any = stopped.get("looked_at")
            now = self.clock.now()
            if isinstance(looked, str) and now < of_iso(looked) + timedelta(minutes=1):
                return None
            uow.options.put(STOPPED, amended(stopped, looked_at=iso(now)))
            return str(stopped.get("why"))

        why = await self.database.transact(due)
        if why is None:
            return False
        if not why:
            return True
        waiting = await self._chosen()
        if not waiting:
            return False
        result = await self.whatsapp.send(waiting[0].number or "", {"messaging_product": "whatsapp", "type": "probe"})
        refused = isinstance(result, Refused) and result.failure in {FailureClass.SIGN_IN, FailureClass.ACCOUNT}
        if refused or isinstance(result, (NotMade, Ambiguous)):
            return False
        await self.database.transact(lambda uow: uow.options.remove(STOPPED))
        return True

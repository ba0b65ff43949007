"""Outcomes: what became of a call is written down, and the class of a refusal decides what follows."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application import stops
from wch.application.breakers import Breakers
from wch.application.consequences import NOT_THIS_COUNTRY, bury, follow, stop_after
from wch.application.following import sent_again
from wch.application.health import STOPPED
from wch.application.pacing import number_breaker
from wch.application.ports import Clock, UnitOfWork
from wch.application.statuses import code_in, learn_id, propagate
from wch.domain.circuit_breaker import BreakerState, Permit
from wch.domain.dead_letter import Reason
from wch.domain.document import JsonObject, amended
from wch.domain.erasure import is_erased
from wch.domain.errors import DuplicateError, LeaseLostError
from wch.domain.evolution import evolve
from wch.domain.lease import Leasing, Work
from wch.domain.message import RANK, Class, Message, MessageStatus
from wch.domain.moment import iso, of_iso
from wch.domain.send_failure import FailureClass, classify
from wch.domain.send_result import Accepted, NotMade, Refused, SendResult

log = logging.getLogger(__name__)

PAUSES = (2, 4, 8, 16, 32, 60)
"""Seconds that a number rests after being throttled, by how often in a row."""

SPAM_PAUSE = timedelta(minutes=15)
SPAM_LASTS = timedelta(hours=24)
"""A row that was refused as spam for so long is given up."""

FREE_IF_WITHIN = timedelta(hours=24)
FREE_FOR = timedelta(hours=72)
"""How long messages cost nothing after the answer to somebody who came from an advertisement."""

STOPS = frozenset({FailureClass.SIGN_IN, FailureClass.ACCOUNT})
"""After these nothing is sent at all until a probe is taken."""


@attrs.frozen(kw_only=True)
class Parcel:
    """One row in our hands, ready for its call.

    Attributes:
        permits: of the breakers that were asked.
        leaves_in: seconds until its slot.
        taken_at: by the boot clock.
        is_probe: whether it is tried although all sending is stopped.
        lifts: the stops that end when it is taken.
        file: what has to be uploaded once more before the call.
    """

    lease: Work
    number: str
    request: JsonObject
    permits: tuple[Permit, ...]
    leaves_in: float
    taken_at: float
    is_probe: bool
    lifts: tuple[str, ...] = ()
    file: JsonObject | None = None


@attrs.frozen(kw_only=True)
class Outcomes:
    """Writes down what became of calls."""

    clock: Clock
    breakers: Breakers
    leasing: Leasing

    def write(self, uow: UnitOfWork, parcel: Parcel, result: SendResult) -> None:
        """The row moves as the answer says; one that comes after the lease counts for its attempt.

        Raises:
            LeaseLostError: the row is on another attempt, or gone.
        """
        now = self.clock.now()
        lock_customer(uow, parcel.lease.id, now=now)
        row = uow.messages.get(parcel.lease.id, lock=True)
        if row is None or row.retry_count != parcel.lease.attempts:
            raise LeaseLostError(row=parcel.lease.id)
        if isinstance(result, Accepted):
            self._accepted(uow, row, result, now=now)
        elif RANK[row.status] > 0:
            log.info("a status was faster than the answer", extra={"row": row.id})
        elif isinstance(result, Refused):
            self._refused(uow, parcel, row, result, now=now)
        elif isinstance(result, NotMade):
            self._back(uow, row, result.reason, now=now)
        else:
            end(uow, row.in_doubt(result.reason, now=now), now=now)
        self._tell(uow, parcel, result)

    def _tell(self, uow: UnitOfWork, parcel: Parcel, result: SendResult) -> None:
        """The breakers hear of the service, and nothing of a caller's mistake."""
        failure = result.failure if isinstance(result, Refused) else None
        answered = isinstance(result, Accepted) or (failure is not None and not failure.blames_service)
        for permit in parcel.permits:
            is_pause = permit.service == number_breaker(parcel.number)
            if not (is_pause and failure is FailureClass.WAIT_NUMBER):
                self.breakers.tell_in(uow, permit, well=answered or is_pause)
        if parcel.is_probe and answered and failure not in STOPS:
            stops.lift(uow, STOPPED)
        if isinstance(result, Accepted):
            for name in parcel.lifts:
                stops.lift(uow, name)

    def _accepted(self, uow: UnitOfWork, row: Message, result: Accepted, *, now: datetime) -> None:
        """The id is known; a status that came first has left a placeholder under it."""
        try:
            accepted = self._knowing(uow, row, result.wa_message_id, now)
        except DuplicateError:
            # The placeholder was written between our look and our writing: now it is found.
            accepted = self._knowing(uow, row, result.wa_message_id, now)
        propagate(uow, accepted, now=now)
        _free_from_now(uow, accepted, now=now)
        if accepted.status is MessageStatus.FAILED and row.status is not MessageStatus.FAILED:
            code = code_in(accepted.error_message)
            follow(uow, accepted, classify(code), code=code, now=now, by_status=True)

    def _knowing(self, uow: UnitOfWork, row: Message, wa_message_id: str, now: datetime) -> Message:
        accepted = learn_id(uow, row, wa_message_id, now=now).accepted(wa_message_id, now=now)
        uow.messages.save(accepted)
        return accepted

    def _refused(self, uow: UnitOfWork, parcel: Parcel, row: Message, result: Refused, *, now: datetime) -> None:
        """The class of the code decides."""
        failure, error = result.failure, result.error.line
        given_back = row.retry_count - 1
        if failure is FailureClass.RETRY:
            self._back(uow, row, error, now=now)
        elif failure is FailureClass.WAIT_NUMBER:
            self._pause_number(uow, parcel.number, result.retry_after, now=now)
            uow.messages.save(row.waiting_again(error, now=now, attempts=given_back))
        elif failure in {FailureClass.WAIT_PAIR, FailureClass.SPAM}:
            self._hold(uow, parcel, row, result, now=now)
        elif failure in STOPS and result.error.code != NOT_THIS_COUNTRY:
            self._stop(uow, parcel, row, result, now=now)
            uow.messages.save(row.waiting_again(error, now=now, attempts=given_back))
        else:
            failed = row.failed(error, now=now)
            end(uow, failed, now=now)
            follow(uow, failed, failure, code=result.error.code, now=now, by_status=False)

    def _back(self, uow: UnitOfWork, row: Message, error: str, *, now: datetime) -> None:
        """Again after its back-off; after the last attempt a dead letter."""
        if self.leasing.is_used_up(row.retry_count):
            end(uow, row.failed(error, now=now), now=now, reason=Reason.MAX_RETRIES_EXCEEDED)
        else:
            uow.messages.save(row.waiting_again(error, now=now))
            sent_again(uow, row, error, now=now)

    def _stop(self, uow: UnitOfWork, parcel: Parcel, row: Message, result: Refused, *, now: datetime) -> None:
        thread = None if row.conversation_id is None else uow.conversations.get(row.conversation_id)
        phone = None if thread is None else thread.customer_phone
        stop_after(uow, result.failure, result.error.code, number=parcel.number, phone=phone, now=now)

    def _hold(self, uow: UnitOfWork, parcel: Parcel, row: Message, result: Refused, *, now: datetime) -> None:
        """Only this row waits, longer each time; the attempt is given back. Spam stops the campaigns besides."""
        error, is_spam = result.error.line, result.failure is FailureClass.SPAM
        if is_spam:
            self._stop(uow, parcel, row, result, now=now)
        if is_spam and now - row.created_at >= SPAM_LASTS:
            end(uow, row.failed(error, now=now), now=now)
            return
        times = int(row.content.get("held", 0))
        wait = SPAM_PAUSE if is_spam else timedelta(seconds=4 ** min(times, 5))
        content = amended(row.content, held=times + 1, not_before=iso(now + wait))
        waiting = evolve(row, content=content).waiting_again(error, now=now, attempts=row.retry_count - 1)
        uow.messages.save(waiting)

    def _pause_number(self, uow: UnitOfWork, number: str, retry_after: timedelta | None, *, now: datetime) -> None:
        """The number rests for as long as WhatsApp asked, else longer each time in a row.

        Calls that were on their way when it began to rest do not make it longer.
        """
        service = number_breaker(number)
        breaker = uow.breakers.lock(service, now=now)
        if breaker.state is BreakerState.OPEN:
            return
        wait = retry_after or timedelta(seconds=PAUSES[min(breaker.failures, len(PAUSES) - 1)])
        self.breakers.rest_in(uow, service, wait)


def _free_from_now(uow: UnitOfWork, row: Message, *, now: datetime) -> None:
    """The first answer to somebody who came from an advertisement makes 72 hours free, if it left within a day."""
    if row.class_ is not Class.REPLY or row.conversation_id is None:
        return
    seen = uow.conversations.get(row.conversation_id)
    ad: Any = None if seen is None else seen.context.get("referral", {}).get("latest")
    if not isinstance(ad, Mapping) or "answered_at" in ad or not isinstance(ad.get("at"), str):
        return
    held = uow.conversations.get(row.conversation_id, lock=True)
    if held is None:
        return
    referral = {**held.context["referral"], "latest": {**ad, "answered_at": iso(now)}}
    free = iso(now + FREE_FOR) if now < of_iso(ad["at"]) + FREE_IF_WITHIN else None
    context = amended(held.context, referral=referral, free_until=free or held.context.get("free_until"))
    uow.conversations.save(held.remembering(context, now=now))


def end(uow: UnitOfWork, row: Message, *, now: datetime, reason: str | None = None) -> None:
    """Write a row that has moved, let its cause follow, and with a reason its dead letter."""
    uow.messages.save(row)
    propagate(uow, row, now=now)
    if reason is not None:
        bury(uow, row, reason, now=now)


def lock_customer(uow: UnitOfWork, message_id: int, *, now: datetime) -> None:
    """Hold the customer of this message, before the message itself is locked."""
    seen = uow.messages.get(message_id)
    thread = None if seen is None or seen.conversation_id is None else uow.conversations.get(seen.conversation_id)
    if thread is not None and not is_erased(thread.customer_phone):
        uow.customers.lock(thread.customer_phone, now=now)


def work_of(row: Message) -> Work:
    """What a fence compares of a row."""
    return Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)

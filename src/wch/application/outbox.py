"""The outbox: everything that is said leaves here, one row for one free sender, right before its call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

import attrs

from wch.application import stops, windows
from wch.application.bell import Bell
from wch.application.breakers import Breakers
from wch.application.causes import TEST, ref_of
from wch.application.consequences import fall_back
from wch.application.facts import LeaseLost, SendEnded
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.following import laid_aside
from wch.application.health import STOPPED
from wch.application.outcomes import Outcomes, Parcel, end, work_of
from wch.application.pacing import HeldError, Pacing
from wch.application.ports import Candidate, Clock, Database, Tracer, UnitOfWork, WhatsApp, WhatsAppCodec
from wch.application.reminding import contact_of
from wch.application.second_look import SecondLook
from wch.application.sent_files import SentFiles
from wch.application.settling import Settling
from wch.application.statuses import callback_data
from wch.application.texts import country_of_number
from wch.domain.campaign import Progress
from wch.domain.customer import CustomerProfile
from wch.domain.dead_letter import Reason
from wch.domain.document import JsonObject, amended
from wch.domain.errors import LeaseLostError, StoreUnavailableError, WchError
from wch.domain.evolution import evolve
from wch.domain.lease import Leasing
from wch.domain.message import PRIORITY, Class, Message, MessageStatus
from wch.domain.moment import iso, of_iso
from wch.domain.phone import variants
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused, SendResult

log = logging.getLogger(__name__)

PAGE = 200
PAGES = 10
"""So many pages of waiting rows are looked through for the most urgent ones."""

ROUNDS = 4
"""How often each hand sends in one pass, before what has come meanwhile is looked at."""

PROBED_EVERY = timedelta(minutes=1)
"""How often one row is tried while all sending is stopped."""

CAMPAIGNS = "campaigns"
"""What rests, beside numbers, when no campaign may leave in this pass."""


class StaleError(WchError):
    """The take is too old for its call, which was not made."""


@attrs.frozen(kw_only=True)
class Outbox:
    """The duty that sends.

    Attributes:
        tag: tells our callback data from another hub's.
        most_at_once: so many calls.
        bell: tells when nothing more is taken.
        pause: waits so many seconds.
        tell: what observers hear, after the commit.
    """

    kind: ClassVar[str] = "outbound"

    database: Database
    clock: Clock
    whatsapp: WhatsApp
    codec: WhatsAppCodec
    breakers: Breakers
    pacing: Pacing
    outcomes: Outcomes
    settling: Settling
    leasing: Leasing
    second_look: SecondLook
    sent_files: SentFiles
    failpoints: Failpoints
    bell: Bell
    tracer: Tracer
    pause: Callable[[float], Awaitable[None]]
    tell: Callable[[object], None]
    tag: str
    most_at_once: int

    async def work(self) -> int:
        """Settle what is in doubt, then send what may leave; so much at most that a new reply soon gets its turn."""
        done = await self.settling.sweep()
        probes = await self._probes()
        if probes == 0:
            return done
        waiting = iter(await self._chosen())
        resting: set[str] = set()
        left = probes or self.most_at_once * ROUNDS
        hands = 1 if probes else self.most_at_once
        running: set[asyncio.Task[int]] = set()
        try:
            while True:
                while len(running) < min(hands, left) and not self.bell.closing:
                    one = next((each for each in waiting if not _rests(each, resting)), None)
                    if one is None:
                        break
                    running.add(asyncio.create_task(self._one(one, resting, is_probe=bool(probes))))
                if not running:
                    return done
                ended, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                sent = sum(self._count(task) for task in ended)
                done, left = done + sent, left - sent
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _count(self, task: "asyncio.Task[int]") -> int:
        """How many rows a send came to; what broke on the way is logged and holds up no other row."""
        try:
            return task.result()
        except StoreUnavailableError:
            log.warning("the store did not answer for a send")
        except Exception as error:  # noqa: BLE001 - a duty goes on with the next row
            log.error("a send broke: %s", fault(error))  # noqa: TRY400 - no words of an error in a log
        return 0

    async def _chosen(self) -> list[Candidate]:
        """What may leave now: replies, notices, campaigns, the oldest first, one for each customer."""
        now = self.clock.now()
        due: list[Candidate] = []
        held_up: set[str] = set()
        after = 0
        for _ in range(PAGES):
            page = await self.database.read(lambda uow: uow.messages.leaving(after=after, limit=PAGE))  # noqa: B023 - awaited here
            for one in page:
                # A reply that waits holds up the later ones of its customer: they were said in this order.
                is_reply = one.class_ is Class.REPLY
                if not self._is_due(one, now):
                    held_up |= {one.customer_phone} if is_reply else set()
                elif not (is_reply and one.customer_phone in held_up):
                    due.append(one)
            if len(page) < PAGE:
                break
            after = page[-1].work.id
        due.sort(key=lambda one: (PRIORITY[one.class_], one.work.id))
        chosen: dict[str, Candidate] = {}
        for one in due:
            chosen.setdefault(one.customer_phone, one)
        return list(chosen.values())

    async def _one(self, candidate: Candidate, resting: set[str], *, is_probe: bool) -> int:
        """Take, call, write down; how many rows came to something."""
        with self.tracer.span("send message", message_id=candidate.work.id) as span:
            done = await self._sent(candidate, resting, is_probe=is_probe)
            span.note(rows=done)
            return done

    async def _sent(self, candidate: Candidate, resting: set[str], *, is_probe: bool) -> int:
        try:
            parcel = await self.database.transact(lambda uow: self._take(uow, candidate, is_probe=is_probe))
        except HeldError as held:
            if held.number:
                resting.add(candidate.number or "")
            if held.campaigns:
                resting.add(CAMPAIGNS)
            return 0
        except LeaseLostError:
            return 0
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - the row's own attempts pay for it
            log.error("an outbound row cannot be sent: %s", fault(error), extra={"row": candidate.work.id})  # noqa: TRY400 - a traceback would show values
            return await self.settling.unreadable(candidate.work)
        if parcel is None:
            return 1
        result: SendResult
        try:
            self.failpoints("outbound.taken")
            result = await self._call(parcel, candidate.class_)
        except StaleError:
            await self._write(parcel, lambda uow: self._given_back(uow, parcel))
            return 0
        except asyncio.CancelledError:
            result = Ambiguous(reason="the sender was stopped")
            await asyncio.shield(self._write(parcel, lambda uow: self.outcomes.write(uow, parcel, result)))
            raise
        self.failpoints("outbound.before_outcome")
        await self._write(parcel, lambda uow: self.outcomes.write(uow, parcel, result))
        self.failpoints("outbound.finished")
        return 1

    def _is_due(self, one: Candidate, now: datetime) -> bool:
        waited = one.work.is_due(now=now, waits=self.leasing.waits)
        return waited and (one.not_before is None or one.not_before <= now)

    async def _call(self, parcel: Parcel, class_: Class) -> SendResult:
        """The call, in its slot, unless the take is too old by the boot clock, which a suspended machine shows.

        Raises:
            StaleError: the call was not made.
        """
        try:
            if parcel.leaves_in:
                await self.pause(parcel.leaves_in)
        except asyncio.CancelledError as stopped:
            raise StaleError from stopped
        if self.clock.boot() - parcel.taken_at > self.leasing.call_within.total_seconds():
            raise StaleError
        request: JsonObject | Refused | NotMade = parcel.request
        if parcel.file is not None:
            request = await self.sent_files.anew(
                parcel.lease.id, parcel.request, number=parcel.number, held=parcel.file
            )
        if isinstance(request, Refused | NotMade):
            return request
        self.failpoints("outbound.before_call")
        begun = self.clock.boot()
        result = await self.whatsapp.send(parcel.number, request)
        self.failpoints("outbound.after_call")
        self.tell(
            SendEnded(
                class_=class_.value,
                result=_RESULTS[type(result)],
                code=result.error.code if isinstance(result, Refused) else None,
                seconds=self.clock.boot() - begun,
            )
        )
        return result

    async def _write(self, parcel: Parcel, work: Callable[[UnitOfWork], None]) -> None:
        try:
            await self.database.transact(work)
        except LeaseLostError:
            log.warning("outbound lease lost", extra={"row": parcel.lease.id})
            self.tell(LeaseLost(work=self.kind))

    def _given_back(self, uow: UnitOfWork, parcel: Parcel) -> None:
        """Nothing was called: the row waits again, its attempt given back; a probe's permit is left to its lease."""
        lease = parcel.lease
        after = lease.moved(MessageStatus.PENDING, now=self.clock.now(), attempts=lease.attempts - 1)
        uow.messages.move(lease, after)

    def _take(self, uow: UnitOfWork, candidate: Candidate, *, is_probe: bool) -> Parcel | None:
        """Take one row under the customer's lock, if everything allows it to leave now.

        None when it ended here instead: expired, refused by a rule, its window closed.

        Raises:
            HeldError: not now; everything is rolled back, so a refused limit costs no other one a hit.
            LeaseLostError: somebody else was first.
        """
        progress = self.second_look.progress(uow, candidate)
        profile = uow.customers.lock_if_free(candidate.customer_phone)
        if profile is None or uow.messages.in_flight(candidate.customer_phone):
            raise HeldError(number=False, campaigns=False)
        now = self.clock.now()
        row = uow.messages.get(candidate.work.id, lock=True)
        if row is None or work_of(row) != candidate.work:
            raise LeaseLostError(row=candidate.work.id)
        if self._looked_at_again(uow, row, profile, progress, now):
            return None
        stopped = stops.standing(uow, now=now)
        if self._ended(uow, row, profile, stopped, now):
            return None
        number = candidate.number or ""
        lifts = self._probing(uow, row, number, stopped, now)
        permits, leaves_in = self.pacing.permits(uow, number, profile.phone)
        if row.content.get("kind") == "template" and not windows.is_open(uow, row, profile.phone, now=now):
            self.pacing.count_for_tier(uow, profile.phone)
        lease = candidate.work.taken(MessageStatus.SENDING, now=now)
        to: Any = row.content["to"]
        request = self.codec.envelope(
            row.content["body"],
            to=to.get("wa_id"),
            recipient=to.get("user_id"),
            callback_data=callback_data(self.tag, row.id, lease.attempts),
        )
        uow.messages.move(candidate.work, lease)
        return Parcel(
            lease=lease,
            number=number,
            request=request,
            permits=permits,
            leaves_in=leaves_in,
            taken_at=self.clock.boot(),
            is_probe=is_probe,
            lifts=lifts,
            file=row.content.get("file") if row.content.get("reupload") else None,
        )

    def _looked_at_again(
        self, uow: UnitOfWork, row: Message, profile: CustomerProfile, progress: Progress | None, now: datetime
    ) -> bool:
        """Whether a campaign's message stays here: paused, cancelled, refused or held since it was planned."""
        look = self.second_look.at(uow, row, profile, progress, now=now)
        if look is None:
            return False
        if look.refusal is not None:
            end(uow, evolve(row, content=look.content).failed(look.refusal, now=now), now=now)
        elif look.not_before is not None:
            held = evolve(row, content=amended(row.content, not_before=iso(look.not_before)))
            uow.messages.save(held)
        elif look.content != row.content:
            uow.messages.save(evolve(row, content=look.content))
        return look.refusal is not None or look.not_before is not None

    def _probing(
        self, uow: UnitOfWork, row: Message, number: str, stopped: frozenset[str], now: datetime
    ) -> tuple[str, ...]:
        """The stops that this row is tried in spite of, once a minute.

        Raises:
            HeldError: campaigns, templates or this number are stopped, and it is not the time to try.
        """
        if row.class_ is Class.CAMPAIGN and stops.CAMPAIGNS in stopped:
            raise HeldError(number=False, campaigns=True)
        mine = [stops.of_number(number)]
        if row.content.get("kind") == "template":
            mine.append(stops.TEMPLATES)
        tried = tuple(name for name in mine if name in stopped)
        if not all(stops.may_probe(uow, name, now=now) for name in tried):
            raise HeldError(number=stops.of_number(number) in tried, campaigns=False)
        return tried

    def _ended(
        self, uow: UnitOfWork, row: Message, profile: CustomerProfile, stopped: frozenset[str], now: datetime
    ) -> bool:
        """Whether the row ends before it is sent: used up, expired, refused by the customer, window closed."""
        country = country_of_number(profile.phone) if stopped else None
        if self.leasing.is_used_up(row.retry_count):
            end(uow, row.failed("max_retries_exceeded", now=now), now=now, reason=Reason.MAX_RETRIES_EXCEEDED)
        elif row.expires_at is not None and now >= row.expires_at:
            end(uow, row.failed("expired", now=now), now=now)
        elif (refusal := _refusal(row, profile, now) or _twin_refusal(uow, row, profile)) is not None:
            end(uow, row.failed(refusal, now=now), now=now)
        elif country is not None and stops.of_country(country) in stopped:
            end(uow, row.failed("policy:country", now=now), now=now)
        elif row.content.get("kind") != "template" and not windows.is_open(uow, row, profile.phone, now=now):
            self._close_window(uow, row, now)
        else:
            return False
        return True

    def _close_window(self, uow: UnitOfWork, row: Message, now: datetime) -> None:
        """The window is closed: the declared template goes instead, else the row fails."""
        conversation = None if row.conversation_id is None else uow.conversations.get(row.conversation_id, lock=True)
        instead = None if conversation is None else fall_back(uow, row, conversation, now=now)
        failed = row.failed("window_closed", now=now)
        if instead is None:
            end(uow, failed, now=now)
            laid_aside(uow, failed, Reason.REFUSED, now=now)
        else:
            uow.messages.save(failed)

    async def _probes(self) -> int | None:
        """How many rows may be tried while all sending is stopped: one a minute; None when it is not."""

        def work(uow: UnitOfWork) -> int | None:
            stopped = uow.options.get(STOPPED, lock=True)
            if stopped is None:
                return None
            looked: Any = stopped.get("looked_at", stopped.get("since"))
            now = self.clock.now()
            if isinstance(looked, str) and now < of_iso(looked) + PROBED_EVERY:
                return 0
            uow.options.put(STOPPED, amended(stopped, looked_at=iso(now)))
            return 1

        if await self.database.read(lambda uow: uow.options.get(STOPPED)) is None:
            return None
        return await self.database.transact(work)


_RESULTS: Mapping[type, str] = {
    Accepted: "accepted",
    Refused: "refused",
    NotMade: "not_made",
    Ambiguous: "ambiguous",
}


def _rests(one: Candidate, resting: set[str]) -> bool:
    return one.number in resting or (one.class_ is Class.CAMPAIGN and CAMPAIGNS in resting)


def _twin_refusal(uow: UnitOfWork, row: Message, profile: CustomerProfile) -> str | None:
    """Whether the same number in its other spelling refused: an opt-out of one holds for both."""
    if row.class_ is Class.REPLY:
        return None
    twins = [twin for key in variants(profile.phone)[1:] if (twin := uow.customers.of(key)) is not None]
    refused = any(twin.notification_opt_out or (twin.is_out and row.class_ is Class.CAMPAIGN) for twin in twins)
    return "policy:optout" if refused else None


def _refusal(row: Message, profile: CustomerProfile, now: datetime) -> str | None:
    """Why this customer must not get this message, if so; replies never stop."""
    if row.class_ is Class.REPLY:
        return None
    if profile.notification_opt_out:
        return "policy:optout"
    if row.class_ is Class.NOTICE:
        return None
    held: Any = profile.preferences.get("hold", {})
    is_test = ref_of(row).startswith(f"{TEST}:")
    if not profile.opt_in_marketing and contact_of(row) is None and not is_test:
        return "policy:consent"
    return "policy:hold" if iso(now) < str(held.get("marketing_until", "")) else None

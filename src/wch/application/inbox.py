"""The inbox: a signed delivery that was answered 200 is durable, event by event."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from types import NoneType
from typing import Any

import attrs

from wch.application.arrivals import Applied, Verdict
from wch.application.facts import EventTaken, MessageReceived
from wch.application.failpoints import Failpoints
from wch.application.faults import fault
from wch.application.gathering import Gatherer
from wch.application.intake import Intake, Source, is_the_same
from wch.application.observers import Observers
from wch.application.ports import Clock, Database, Said, UnitOfWork, WhatsAppCodec
from wch.domain.dead_letter import DeadLetter, Reason
from wch.domain.errors import StoreUnavailableError
from wch.domain.inbound import (
    AccountEvent,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    UnreadableDeliveryError,
    Unusable,
    person_of,
)

log = logging.getLogger(__name__)

MOST_EVENTS = 200
"""How many events one transaction takes at most."""


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of a delivery.

    Attributes:
        status: `accepted` or `unsigned`.
        events: how many it held; an unreadable delivery counts as one.
        new: how many changed anything.
        duplicates: how many were known already.
        dead: how many became dead letters.
    """

    status: str
    events: int = 0
    new: int = 0
    duplicates: int = 0
    dead: int = 0


@attrs.frozen(kw_only=True)
class Inbox:
    """Takes deliveries.

    Attributes:
        wake: tells a worker in this process that there is something to do.
        tell: what observers hear, after the commit.
    """

    database: Database
    clock: Clock
    codec: WhatsAppCodec
    gatherer: Gatherer
    intake: Intake
    failpoints: Failpoints
    wake: Callable[[], None]
    tell: Observers

    async def receive_raw(self, body: bytes, *, signature: str | bytes | Sequence[bytes] | None) -> Receipt:
        """Take a delivery from any framework: its raw body and the value of `X-Hub-Signature-256`, None where none came.

        Raises:
            StoreUnavailableError: the store cannot take it now; sending it again is safe.
        """
        if isinstance(signature, str):
            signature = signature.encode("utf-8", "surrogateescape")
        headers = [signature] if isinstance(signature, bytes) else list(signature or ())
        return await self.receive(body, headers)

    async def receive(self, body: bytes, headers: Sequence[bytes]) -> Receipt:
        """Take a delivery; when this returns `accepted`, every event is durable.

        Args:
            body: the bytes as received.
            headers: every value of the signature header that came.

        Raises:
            StoreUnavailableError: the store cannot take it now; sending it again is safe.
        """
        if not self.codec.is_signed(body, headers):
            return _UNSIGNED
        source = Source(body=body)
        events: Sequence[InboundEvent | None]
        try:
            events = told = self.codec.read(body, now=self.clock.now())
        except UnreadableDeliveryError as error:
            events = (None,)
            applied = [await self._unreadable(source, error.detail)]
        else:
            self.failpoints("ingress.parsed")
            applied = await self._store(told, source)
            self.failpoints("ingress.after_commit")
        receipt = _OF_ONE[applied[0].verdict] if len(applied) == 1 else _accepted([one.verdict for one in applied])
        if receipt.new:
            self.wake()
        hears = self.tell.hears(MessageReceived)
        for event, one in zip(events, applied, strict=True):
            self.tell(_TAKEN[type(event), one.verdict])
            if hears and (fact := one.fact) is not None:
                self.tell(fact)
        return receipt

    async def _unreadable(self, source: Source, why: str) -> Applied:
        return await self.database.transact(lambda uow: self.intake.unreadable(uow, source, why))

    def redelivery(self, letter: DeadLetter, source: Source) -> "Redelivery":
        """What a dead letter's bytes tell: the one event that it is about, or all of them if it is not found."""
        try:
            events = self.codec.read(source.body, now=self.clock.now())
        except UnreadableDeliveryError as error:
            return Redelivery(intake=self.intake, source=source, events=(), unreadable=error.detail)
        about: Any = letter.args.get("event")
        if isinstance(about, Mapping):
            events = tuple(event for event in events if is_the_same(event, about)) or events
        return Redelivery(intake=self.intake, source=source, events=events)

    async def _store(self, events: Sequence[InboundEvent], source: Source) -> list[Applied]:
        """Up to 200 events a transaction; when one fails they are run one by one."""
        if not 0 < len(events) <= MOST_EVENTS:
            parts = [events[start : start + MOST_EVENTS] for start in range(0, len(events), MOST_EVENTS)]
            return [one for part in parts for one in await self._store(part, source)]
        try:
            return await self.gatherer.run(_Events(self.intake, self.failpoints, events, source))
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - each event is tried by itself now
            log.warning("events of a delivery are stored one by one: %s", fault(error))
            return [await self._single(event, source) for event in events]

    async def _single(self, event: InboundEvent, source: Source) -> Applied:
        """One event by itself; what still fails is kept as a dead letter with its exact bytes."""
        self.failpoints("ingress.single")
        try:
            return await self.database.transact(lambda uow: self.intake.apply(uow, event, source))
        except StoreUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - it becomes a dead letter
            log.error("an event could not be stored: %s", fault(error))  # noqa: TRY400 - no words of an error in a log
            why = type(error).__name__
            return await self.database.transact(lambda uow: self.intake.bury(uow, event, source, Reason.EXCEPTION, why))


_KINDS: Mapping[type, str] = {
    InboundMessage: "message",
    StatusUpdate: "status",
    PreferenceChange: "preference",
    Echo: "echo",
    AccountEvent: "account",
    Unusable: "unusable",
    NoneType: "unusable",
}
_TAKEN = {
    (kind, verdict): EventTaken(type=word, result=verdict.value) for kind, word in _KINDS.items() for verdict in Verdict
}


def _accepted(verdicts: Sequence[Verdict]) -> Receipt:
    new, duplicates, dead = map(verdicts.count, (Verdict.NEW, Verdict.KNOWN, Verdict.DEAD))
    return Receipt(status="accepted", events=len(verdicts), new=new, duplicates=duplicates, dead=dead)


_OF_ONE = {verdict: _accepted([verdict]) for verdict in Verdict}
"""Nearly all deliveries hold one event."""

_UNSIGNED = Receipt(status="unsigned")


@attrs.define(eq=False)
class _Events:
    """Events of one delivery, as the gatherer runs them.

    Attributes:
        none_erased: whether everybody whom they are about was known before them, so far as was looked.
    """

    intake: Intake
    failpoints: Failpoints
    events: Sequence[InboundEvent]
    source: Source
    none_erased: bool = False

    @property
    def people(self) -> Collection[str]:
        return [person for event in self.events if (person := person_of(event)) is not None]

    @property
    def wa_message_ids(self) -> Collection[str]:
        return [event.wa_message_id for event in self.events if isinstance(event, InboundMessage)]

    def settled(self, known: Mapping[str, Said]) -> list[Applied] | None:
        return self.intake.settled(self.events, known)

    def options(self, uow: UnitOfWork) -> Collection[str]:
        names = self.intake.option_names(uow, self.events)
        self.none_erased = not names
        return names

    def phones(self, uow: UnitOfWork) -> Collection[str]:
        return self.intake.phones(uow, self.events, none_erased=self.none_erased)

    def apply(self, uow: UnitOfWork) -> list[Applied]:
        applied = [self.intake.apply(uow, event, self.source) for event in self.events]
        self.failpoints("ingress.before_commit")
        return applied


@attrs.frozen(kw_only=True)
class Redelivery:
    """Events of a dead letter, to be applied in the transaction that decides about it."""

    intake: Intake
    source: Source
    events: Sequence[InboundEvent]
    unreadable: str | None = None

    def lock(self, uow: UnitOfWork) -> None:
        """Lock the customers, before anything else is locked."""
        for phone in sorted(set(self.intake.phones(uow, self.events))):
            uow.customers.lock(phone, now=self.intake.clock.now())

    def run(self, uow: UnitOfWork) -> None:
        """Apply the events; what is refused again becomes a letter with this one as its parent."""
        if self.unreadable is not None:
            self.intake.unreadable(uow, self.source, self.unreadable)
        for event in self.events:
            self.intake.apply(uow, event, self.source)

    def bury(self, uow: UnitOfWork, why: str) -> None:
        """Keep the events that raised again."""
        for event in self.events:
            self.intake.bury(uow, event, self.source, Reason.EXCEPTION, why)

"""The inbox: a signed delivery that was answered 200 is durable, event by event."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any

import attrs

from wch.application.arrivals import Arrivals
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.gathering import Gatherer
from wch.application.ports import Clock, Database, UnitOfWork, WhatsAppCodec
from wch.domain.claim import WEBHOOK_TTL, Scope
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.errors import StoreUnavailableError
from wch.domain.inbound import (
    AccountEvent,
    Delivery,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    Unusable,
    UnreadableDeliveryError,
)

log = logging.getLogger(__name__)

MOST_EVENTS = 200
"""How many events one transaction takes at most."""


class Verdict(StrEnum):
    """What became of one event."""

    NEW = "new"
    KNOWN = "known"
    DEAD = "dead"


@attrs.frozen(kw_only=True)
class Receipt:
    """What became of a delivery.

    Attributes:
        status: `accepted` or `unsigned`.
        events: how many it held.
        new: how many changed anything.
        dead: how many became dead letters.
    """

    status: str
    events: int = 0
    new: int = 0
    dead: int = 0


@attrs.frozen(kw_only=True)
class MessageReceived:
    """A customer's message was accepted."""

    wa_digest: str
    type: str


@attrs.frozen(kw_only=True)
class Inbox:
    """Takes deliveries.

    Attributes:
        numbers: the phone number ids that this hub serves; `*` serves any.
        wake: tells a worker in this process that there is something to do.
        tell: what observers hear, after the commit.
    """

    database: Database
    clock: Clock
    codec: WhatsAppCodec
    digests: Digests
    gatherer: Gatherer
    arrivals: Arrivals
    numbers: tuple[str, ...]
    failpoints: Failpoints
    wake: Callable[[], None]
    tell: Callable[[object], None]

    async def receive_raw(self, body: bytes, *, signature: str | bytes | Sequence[bytes]) -> Receipt:
        """Take a delivery from any framework: its raw body and the value of `X-Hub-Signature-256`."""
        if isinstance(signature, str):
            signature = signature.encode("utf-8", "surrogateescape")
        headers = [signature] if isinstance(signature, bytes) else list(signature)
        return await self.receive(body, headers)

    async def receive(self, body: bytes, headers: Sequence[bytes]) -> Receipt:
        """Take a delivery; when this returns `accepted`, every event is durable.

        Raises:
            StoreUnavailableError: the store cannot take it now; sending it again is safe.
        """
        if not self.codec.is_signed(body, headers):
            return Receipt(status="unsigned")
        return await self.accept(body)

    async def accept(self, body: bytes) -> Receipt:
        """Take a delivery whose signature has been checked."""
        try:
            delivery = self.codec.read(body, now=self.clock.now())
        except UnreadableDeliveryError as error:
            reason = str(error)
            dead = await self.database.transact(lambda uow: self._unreadable(uow, body, reason))
            return Receipt(status="accepted", events=1, dead=int(dead))
        self.failpoints("ingress.parsed")
        verdicts = await self._store(delivery, body)
        if Verdict.NEW in verdicts:
            self.wake()
            for event in delivery.events:
                if isinstance(event, InboundMessage):
                    self.tell(MessageReceived(wa_digest=self.digests.short(event.wa_message_id), type=event.type))
        return Receipt(
            status="accepted",
            events=len(verdicts),
            new=verdicts.count(Verdict.NEW),
            dead=verdicts.count(Verdict.DEAD),
        )

    async def _store(self, delivery: Delivery, body: bytes) -> list[Verdict]:
        """Up to 200 events a transaction; when one fails they are run one by one."""
        verdicts: list[Verdict] = []
        for start in range(0, len(delivery.events), MOST_EVENTS):
            part = delivery.events[start : start + MOST_EVENTS]
            phones = {phone for event in part if (phone := self._phone(event)) is not None}
            try:
                verdicts += await self.gatherer.run(phones, lambda uow, held=part: self._apply(uow, held, body))  # type: ignore[misc]
            except StoreUnavailableError:
                raise
            except Exception:
                log.warning("a delivery's events are stored one by one", exc_info=True)
                for event in part:
                    verdicts.append(await self._single(event, body))
        return verdicts

    def _apply(self, uow: UnitOfWork, events: Sequence[InboundEvent], body: bytes) -> list[Verdict]:
        verdicts = [self._one(uow, event, body) for event in events]
        self.failpoints("ingress.before_commit")
        return verdicts

    async def _single(self, event: InboundEvent, body: bytes) -> Verdict:
        """One event by itself; what still fails is kept as a dead letter with its exact bytes."""
        self.failpoints("ingress.single")
        try:
            return await self.database.transact(lambda uow: self._one(uow, event, body))
        except StoreUnavailableError:
            raise
        except Exception as error:
            log.exception("an event could not be stored")
            why = type(error).__name__
            await self.database.transact(lambda uow: self._bury(uow, event, body, Reason.EXCEPTION, why))
            return Verdict.DEAD

    def _one(self, uow: UnitOfWork, event: InboundEvent, body: bytes) -> Verdict:
        """Apply one event in the caller's transaction."""
        now = self.clock.now()
        if isinstance(event, Unusable):
            return self._bury(uow, event, body, Reason.VALIDATION_FAILED, event.detail)
        if not isinstance(event, AccountEvent) and not self._is_ours(event.number):
            return self._bury(uow, event, body, Reason.FOREIGN_NUMBER, "this number is not served by the hub")
        if isinstance(event, StatusUpdate):
            return Verdict.NEW if self.arrivals.status(uow, event, now=now) else Verdict.KNOWN
        if isinstance(event, InboundMessage):
            arrived = self.arrivals.message(uow, event, now=now)
            if arrived.conflict:
                return self._bury(uow, event, body, Reason.CONFLICT, "the same id came with other content")
            return Verdict.NEW if arrived.is_new else Verdict.KNOWN
        if isinstance(event, Echo):
            return Verdict.NEW if self.arrivals.echo(uow, event, now=now) else Verdict.KNOWN
        if not self._claimed(uow, _raw(event)):
            return Verdict.KNOWN
        if isinstance(event, PreferenceChange):
            self.arrivals.preference(uow, event, now=now)
        else:
            self.arrivals.account(uow, event, now=now)
        return Verdict.NEW

    def _is_ours(self, number: str) -> bool:
        return "*" in self.numbers or number in self.numbers

    def _phone(self, event: InboundEvent) -> str | None:
        """Whose lock an event of ours will take, so that all of a group are taken in one order."""
        if isinstance(event, (InboundMessage, PreferenceChange)) and self._is_ours(event.number):
            in_group = isinstance(event, InboundMessage) and (event.group or event.raw.get("field") == "history")
            return None if in_group else event.sender
        if isinstance(event, Echo) and self._is_ours(event.number):
            return event.recipient
        return None

    def _claimed(self, uow: UnitOfWork, raw: Mapping[str, Any]) -> bool:
        """Whether this event is the first of its kind, by its own content and not by its request."""
        canonical = json.dumps(raw, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return self._first(uow, canonical, WEBHOOK_TTL)

    def _first(self, uow: UnitOfWork, text: str, ttl: timedelta) -> bool:
        now = self.clock.now()
        first, *older = self.digests.all(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())
        if any(uow.claims.is_claimed(key, Scope.WEBHOOK, now=now) for key in older):
            return False
        return uow.claims.claim(first, Scope.WEBHOOK, now=now, expires_at=now + ttl)

    def _unreadable(self, uow: UnitOfWork, body: bytes, why: str) -> bool:
        """Signed nonsense is kept once; a refusal would bring it back for days."""
        digest = hashlib.sha256(body).hexdigest()
        if not self._first(uow, f"body:{digest}", WEBHOOK_TTL):
            return False
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.WEBHOOK,
                args=_bytes(body),
                reason=Reason.VALIDATION_FAILED,
                error_message=why,
                metadata=document(sha256=digest),
                created_at=self.clock.now(),
            )
        )
        return True

    def _bury(self, uow: UnitOfWork, event: InboundEvent, body: bytes, reason: str, why: str) -> Verdict:
        """Keep an event that cannot be applied, with the bytes that it came in; the same again adds nothing."""
        canonical = json.dumps(_raw(event), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        if not self._first(uow, f"{reason}:{canonical}", WEBHOOK_TTL):
            return Verdict.KNOWN
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.EVENT,
                args={**_bytes(body), "event": dict(_raw(event))},
                reason=reason,
                error_message=why,
                metadata=document(sha256=hashlib.sha256(body).hexdigest()),
                created_at=self.clock.now(),
            )
        )
        return Verdict.DEAD


def _raw(event: InboundEvent) -> Mapping[str, Any]:
    """The event as it came, for telling it from others and for keeping it."""
    if isinstance(event, AccountEvent):
        return {"field": event.field, "entry": event.entry_id, "value": dict(event.value)}
    return event.raw


def _bytes(body: bytes) -> dict[str, Any]:
    return {"v": 1, "body": base64.b64encode(body).decode("ascii")}

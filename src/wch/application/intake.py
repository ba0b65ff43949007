"""The intake: one event of a delivery becomes rows, or a dead letter, in the caller's transaction."""

import base64
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import attrs

from wch.application.accounts import Accounts
from wch.application.alarms import alarm
from wch.application.arrivals import DEAD, KNOWN, NEW, Applied, Arrivals, Verdict
from wch.application.claims import is_first
from wch.application.digests import Digests
from wch.application.payments import IncomingPayments, PaymentReceipt
from wch.application.people import ALIAS
from wch.application.ports import Clock, Said, UnitOfWork
from wch.domain.claim import WEBHOOK_TTL, Scope
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.inbound import (
    AccountEvent,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    Unusable,
    person_of,
)

BYTES_WITH_EACH = 65_536
"""Up to this size every dead letter holds its delivery's bytes; of a larger one only the first letter does."""


@attrs.frozen(kw_only=True, slots=False)
class Source:
    """The delivery that events came in.

    Attributes:
        body: its bytes as received.
        parent: the dead letter that is being replayed, if one is.
    """

    body: bytes = attrs.field(repr=False)
    parent: int | None = None

    @property
    def sha256(self) -> str:
        """The digest of the bytes in hex."""
        return hashlib.sha256(self.body).hexdigest()


@attrs.frozen(kw_only=True)
class Intake:
    """Applies events; an event that cannot be applied is kept as a dead letter.

    Attributes:
        numbers: the phone number ids that this hub serves; `*` serves any.
    """

    clock: Clock
    digests: Digests
    arrivals: Arrivals
    accounts: Accounts
    payments: IncomingPayments
    numbers: tuple[str, ...]

    def phones(self, uow: UnitOfWork, events: Iterable[InboundEvent], *, none_erased: bool = False) -> list[str]:
        """Whose locks these events will take, so that all are taken in one order.

        `none_erased` says that `option_names` found nothing to ask about the people of these events.
        """
        found: list[str] = []
        identities = self.arrivals.identities
        for event in events:
            if isinstance(event, AccountEvent):
                found += self.accounts.phones(uow, event)
                found += identities.phones_of_update(uow, event)
            elif isinstance(event, Unusable) or not self._is_ours(event.number):
                continue
            elif isinstance(event, StatusUpdate):
                known = None if event.recipient is None else uow.customers.of(event.recipient)
                if known is not None:
                    found.append(known.phone)
            elif not none_erased and self._is_of_the_erased(uow, event):
                continue
            elif isinstance(event, PreferenceChange):
                found.append(identities.key(uow, event.sender))
            elif not self.arrivals.belongs_to_a_thread(event):
                continue
            elif isinstance(event, Echo):
                found.append(identities.key(uow, event.recipient))
            else:
                found += identities.phones(uow, event)
        return found

    def option_names(self, uow: UnitOfWork, events: Iterable[InboundEvent]) -> Collection[str]:
        """The options that these events will ask for: those about people whom nobody knows yet, or knew when it happened."""
        names: list[str] = []
        for event in events:
            person = person_of(event)
            if person is None:
                continue
            profile = uow.customers.of(person)
            if profile is None:
                names += (*self.arrivals.tombstones.names(person), f"{ALIAS}{person}")
            elif (at := _happened_at(event)) is not None and at < profile.created_at:
                names += self.arrivals.tombstones.names(person)
        return names

    def settled(self, events: Sequence[InboundEvent], known: Mapping[str, Said]) -> list[Applied] | None:
        """What becomes of events that are all known already, as what is `known` of ids tells; None when one may not be."""
        for event in events:
            if not isinstance(event, InboundMessage) or not self._is_ours(event.number):
                return None
            said = known.get(event.wa_message_id)
            if said is None or not self.arrivals.is_known(event, said):
                return None
        return [KNOWN] * len(events)

    def apply(self, uow: UnitOfWork, event: InboundEvent, source: Source) -> Applied:
        """Apply one event: new, known, or dead for a reason that needs no second try."""
        now = self.clock.now()
        if isinstance(event, Unusable):
            return self.bury(uow, event, source, Reason.VALIDATION_FAILED, event.detail)
        if not isinstance(event, AccountEvent) and not self._is_ours(event.number):
            buried = self.bury(uow, event, source, Reason.FOREIGN_NUMBER, "this number is not served by the hub")
            if buried.verdict is Verdict.DEAD:
                alarm(uow, "foreign_number", now=now)
            return buried
        if self._is_of_the_erased(uow, event):
            return KNOWN
        if isinstance(event, InboundMessage):
            return self._message(uow, event, source, now=now)
        if isinstance(event, Echo):
            is_new = self.arrivals.echo(uow, event, now=now)
        elif isinstance(event, StatusUpdate) and event.kind == "message":
            is_new = self.arrivals.status(uow, event, now=now)
        elif isinstance(event, StatusUpdate) and (receipt := self._payment(uow, event)) is not None:
            is_new = receipt is not PaymentReceipt.KNOWN
        else:
            is_new = self._first(uow, _canonical(event))
            if is_new:
                self._note(uow, event)
        return NEW if is_new else KNOWN

    def _payment(self, uow: UnitOfWork, event: StatusUpdate) -> PaymentReceipt | None:
        """What a payment inside the chat became here; None when it is none of ours, and only kept as it came."""
        if event.kind != "payment":
            return None
        receipt = self.payments.overheard(uow, event)
        return None if receipt in {PaymentReceipt.UNKNOWN_GATEWAY, PaymentReceipt.FOREIGN} else receipt

    def _is_of_the_erased(self, uow: UnitOfWork, event: InboundEvent) -> bool:
        """Whether an event is older than its customer's erasure: it is answered, and kept nowhere.

        A status is looked at where its row is: one that stayed still moves.
        """
        tombstones = self.arrivals.tombstones
        if isinstance(event, InboundMessage):
            return tombstones.covers(uow, event.sender, event.sent_at, event.wa_message_id)
        if isinstance(event, Echo):
            return tombstones.covers(uow, event.recipient, event.sent_at, event.wa_message_id)
        return isinstance(event, PreferenceChange) and tombstones.covers(uow, event.sender, event.at)

    def _note(self, uow: UnitOfWork, event: PreferenceChange | AccountEvent | StatusUpdate) -> None:
        """What is no message and no message's status: consent, or a line in the audit log."""
        now = self.clock.now()
        if isinstance(event, PreferenceChange):
            self.arrivals.preference(uow, event, now=now)
        elif isinstance(event, AccountEvent):
            self.arrivals.account(uow, event.field, event.number, event.value, now=now)
            self.accounts.apply(uow, event, now=now)
            self.arrivals.identities.updated(uow, event, now=now)
        else:
            self.arrivals.account(uow, f"status_{event.kind}", event.number, event.raw, now=now)

    def _message(self, uow: UnitOfWork, event: InboundMessage, source: Source, *, now: datetime) -> Applied:
        applied = self.arrivals.message(uow, event, now=now)
        if applied is None:
            return self.bury(uow, event, source, Reason.CONFLICT, "the same id came with other content")
        return applied

    def unreadable(self, uow: UnitOfWork, source: Source, why: str) -> Applied:
        """Signed nonsense is kept once; a refusal would bring it back for days."""
        if source.parent is None and not self._first(uow, f"body:{source.sha256}"):
            return KNOWN
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.WEBHOOK,
                args=document(body=_base64(source.body)),
                reason=Reason.VALIDATION_FAILED,
                error_message=why,
                metadata=document(sha256=source.sha256, parent=source.parent),
                created_at=self.clock.now(),
            )
        )
        return DEAD

    def bury(self, uow: UnitOfWork, event: InboundEvent, source: Source, reason: str, why: str) -> Applied:
        """Keep an event that cannot be applied, with the bytes that it came in.

        The same event again adds nothing, unless it is a person who tries again: then the new
        letter names the one that was replayed.
        """
        if source.parent is None and not self._first(uow, f"{reason}:{_canonical(event)}"):
            return KNOWN
        holds_bytes = (
            len(source.body) <= BYTES_WITH_EACH
            or source.parent is not None
            or self._first(uow, f"bytes:{source.sha256}")
        )
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.EVENT,
                args=document(body=_base64(source.body) if holds_bytes else None, event=dict(raw_of(event))),
                reason=reason,
                error_message=why,
                metadata=document(sha256=source.sha256, parent=source.parent),
                created_at=self.clock.now(),
            )
        )
        return DEAD

    def _is_ours(self, number: str) -> bool:
        return "*" in self.numbers or number in self.numbers

    def _first(self, uow: UnitOfWork, text: str) -> bool:
        """Whether nobody claimed this before, under any of the secret keys; it is claimed now."""
        plain = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return is_first(uow, self.digests, plain, Scope.WEBHOOK, now=self.clock.now(), lives=WEBHOOK_TTL)


def raw_of(event: InboundEvent) -> Mapping[str, Any]:
    """The event as it came, for telling it from others and for keeping it."""
    if isinstance(event, AccountEvent):
        return {"field": event.field, "entry_id": event.entry_id, "value": dict(event.value)}
    return event.raw


def is_the_same(event: InboundEvent, raw: Mapping[str, Any]) -> bool:
    """Whether this is the event that was kept so."""
    return _canonical(event) == _text(raw)


def _happened_at(event: InboundEvent) -> datetime | None:
    """The time that tells whether an event is from before an erasure; a status is looked at where its row is."""
    if isinstance(event, InboundMessage):
        return event.sent_at
    if isinstance(event, Echo):
        return event.sent_at
    return event.at if isinstance(event, PreferenceChange) else None


def _canonical(event: InboundEvent) -> str:
    """One spelling for one event, whatever delivery brings it."""
    return _text(raw_of(event))


def _text(raw: Mapping[str, Any]) -> str:
    return json.dumps(raw, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")

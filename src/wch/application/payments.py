"""Payments: what a gateway tells is verified, claimed once, and noted where a worker will look it up."""

import base64
import logging
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs

from wch.application.bell import Bell
from wch.application.claims import is_first
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, Database, Payments, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.cart import saga_id_of
from wch.domain.claim import PAYMENT_TTL, Scope
from wch.domain.dead_letter import DeadLetter, Hook, Reason
from wch.domain.document import document
from wch.domain.errors import ConflictError, NotFoundError, UndecodableError
from wch.domain.inbound import StatusUpdate
from wch.domain.moment import iso
from wch.domain.payment import BadSignatureError, PaymentEvent, WebhookCall, cart_of
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga, SagaState

log = logging.getLogger(__name__)

EVENT = "payment"
"""The kind of the signal that an event becomes in the log of its placement."""

LATE = "payment.late:"
"""Options under this name are placements that are over, and whose payment shall be looked at once more."""

IN_CHAT = "whatsapp_pay"
"""The gateway whose news come in WhatsApp's own deliveries."""

DISPUTE_WORDS = ("dispute", "charged_back")


class PaymentReceipt(StrEnum):
    """What became of a delivery of a gateway."""

    UNKNOWN_GATEWAY = "unknown_gateway"
    UNSIGNED = "unsigned"
    UNREADABLE = "unreadable"
    FOREIGN = "foreign"
    UNMATCHED = "unmatched"
    KNOWN = "known"
    TAKEN = "taken"


@attrs.frozen(kw_only=True)
class IncomingPayments:
    """The door for what gateways tell; an event is a hint whom to look up, and sets no amount."""

    database: Database
    clock: Clock
    payments: Payments
    digests: Digests
    failpoints: Failpoints
    bell: Bell

    async def receive(self, gateway: str, call: WebhookCall) -> PaymentReceipt:
        """Take one delivery: once this has returned, what it said is stored, or of no use to anybody here.

        Raises:
            StoreUnavailableError: nothing was stored; it may be sent again.
        """
        try:
            way = self.payments.gateway(gateway)
        except NotFoundError:
            return PaymentReceipt.UNKNOWN_GATEWAY
        if not way.has_webhook:
            return PaymentReceipt.UNKNOWN_GATEWAY
        now = self.clock.now()
        try:
            events = way.verify(call, now=now)
        except BadSignatureError:
            return PaymentReceipt.UNSIGNED
        except UndecodableError:
            return await self.database.transact(lambda uow: self._unreadable(uow, gateway, call))
        receipt = PaymentReceipt.FOREIGN
        for event in events:
            receipt = await self._event(gateway, event, call)
        return receipt

    def overheard(self, uow: UnitOfWork, update: StatusUpdate) -> PaymentReceipt:
        """Take what WhatsApp itself tells of a payment inside the chat, in the transaction that accepted it."""
        told = update.payment or {}
        reference = told.get("reference_id")
        try:
            self.payments.gateway(IN_CHAT)
        except NotFoundError:
            return PaymentReceipt.UNKNOWN_GATEWAY
        transaction: Any = told.get("transaction")
        named = transaction.get("id") if isinstance(transaction, Mapping) else None
        key = f"{reference}:{update.status}:{named}:{iso(update.at)}"
        event = PaymentEvent(key=key, type=update.status, reference=reference if isinstance(reference, str) else None)
        return self.note(uow, IN_CHAT, event, None) if _is_of_use(event) else PaymentReceipt.FOREIGN

    def replay(self, uow: UnitOfWork, letter: DeadLetter) -> None:
        """Take once more what a dead letter holds, in the transaction that marks it; what fails again is a new letter.

        Raises:
            ConflictError: its bytes are gone, its gateway is off, or its signature fits no secret any more.
        """
        gateway = str(letter.args.get("gateway"))
        call = _call_of(letter)
        try:
            events = _event_of(letter) or self._read_again(gateway, call, letter)
        except UndecodableError:
            self._bury(uow, gateway, call, letter.reason, letter.error_message or "", parent=letter.id)
            return
        for event in events:
            if not _is_of_use(event):
                continue
            self._first(uow, f"{gateway}:{event.key}")
            saga = self._placement(uow, event)
            if saga is not None:
                self._apply(uow, saga, gateway, event)
            elif event.reference is not None:
                self._unmatched(uow, gateway, call, event, parent=letter.id)

    def _read_again(self, gateway: str, call: WebhookCall | None, letter: DeadLetter) -> tuple[PaymentEvent, ...]:
        """The events in the bytes, their signature judged as of the day they came."""
        if call is None:
            raise ConflictError(letter_id=letter.id)
        try:
            return self.payments.gateway(gateway).verify(call, now=letter.created_at)
        except (BadSignatureError, NotFoundError) as fault:
            raise ConflictError(letter_id=letter.id, gateway=gateway) from fault

    async def _event(self, gateway: str, event: PaymentEvent, call: WebhookCall) -> PaymentReceipt:
        if not _is_of_use(event):
            log.info("a gateway told of something else", extra={"gateway": gateway, "type": event.type})
            return PaymentReceipt.FOREIGN
        receipt = await self.database.transact(lambda uow: self.note(uow, gateway, event, call))
        if receipt is PaymentReceipt.TAKEN:
            self.failpoints("payment.claimed")
            self.bell.ring()
        return receipt

    def note(self, uow: UnitOfWork, gateway: str, event: PaymentEvent, call: WebhookCall | None) -> PaymentReceipt:
        """Note one event in the caller's transaction: claimed, and with its placement, which is due now."""
        saga = self._placement(uow, event)
        if saga is None and event.reference is None:
            return PaymentReceipt.FOREIGN
        if not self._first(uow, f"{gateway}:{event.key}"):
            return PaymentReceipt.KNOWN
        if saga is None:
            self._unmatched(uow, gateway, call, event)
            return PaymentReceipt.UNMATCHED
        self._apply(uow, saga, gateway, event)
        return PaymentReceipt.TAKEN

    def _apply(self, uow: UnitOfWork, saga: Saga, gateway: str, event: PaymentEvent) -> None:
        """The placement hears of it and is due now; one that is over is looked at once more."""
        now = self.clock.now()
        if any(word in event.type for word in DISPUTE_WORDS):
            uow.audit.add(
                AuditEntry(
                    at=now,
                    actor=gateway,
                    action="payment.disputed",
                    object=f"saga:{saga.saga_id}",
                    detail=document(type=event.type, payment_id=event.payment_id),
                )
            )
        facts = {"gateway": gateway, "type": event.type}
        if saga.is_open:
            uow.sagas.save(saga.signalled(EVENT, facts, now=now, leased=saga.lease_is_live(now=now)))
        else:
            look_later(uow, saga.saga_id, at=now)

    def _placement(self, uow: UnitOfWork, event: PaymentEvent) -> Saga | None:
        """The placement that the reference names, else the one that knows this payment; locked."""
        cart = None if event.reference is None else cart_of(event.reference)
        if cart is not None:
            return uow.sagas.get(saga_id_of(*cart), lock=True)
        disputed = any(word in event.type for word in DISPUTE_WORDS)
        after = ""
        while page := uow.sagas.listed(
            saga_type=PLACEMENT, state=None if disputed else SagaState.RUNNING, after=after, limit=500
        ):
            for saga in page:
                after = saga.saga_id
                if (disputed and _was_paid_by(saga, event)) or _is_opened_as(saga, event):
                    return uow.sagas.get(saga.saga_id, lock=True)
        return None

    def _unreadable(self, uow: UnitOfWork, gateway: str, call: WebhookCall) -> PaymentReceipt:
        """Signed nonsense is kept once; a refusal would bring it back for days."""
        if not self._first(uow, f"{gateway}:body:{self.digests.of(_text(call.body))}"):
            return PaymentReceipt.KNOWN
        self._bury(uow, gateway, call, Reason.VALIDATION_FAILED, "signed, and of no known shape")
        return PaymentReceipt.UNREADABLE

    def _unmatched(
        self, uow: UnitOfWork, gateway: str, call: WebhookCall | None, event: PaymentEvent, *, parent: int | None = None
    ) -> None:
        why = f"{event.type}: no such placement"
        self._bury(uow, gateway, call, Reason.PAYMENT_UNMATCHED, why, event=event, parent=parent)

    def _bury(
        self,
        uow: UnitOfWork,
        gateway: str,
        call: WebhookCall | None,
        reason: str,
        why: str,
        *,
        event: PaymentEvent | None = None,
        parent: int | None = None,
    ) -> None:
        """Keep all that a replay needs: the event if it could be read, else the delivery as it came."""
        told = {} if call is None else {"headers": _kept(call.headers), "query": dict(call.query)}
        body = None if call is None else base64.b64encode(call.body).decode("ascii")
        uow.dead_letters.add(
            DeadLetter(
                hook=Hook.PAYMENT,
                args=document(gateway=gateway, body=body, **told, event=None if event is None else attrs.asdict(event)),
                reason=reason,
                error_message=why,
                metadata=document(parent=parent),
                created_at=self.clock.now(),
            )
        )

    def _first(self, uow: UnitOfWork, text: str) -> bool:
        """Whether nobody claimed this before, under any of the secret keys; it is claimed now."""
        return is_first(uow, self.digests, text, Scope.PAYMENT, now=self.clock.now(), lives=PAYMENT_TTL)


def look_later(uow: UnitOfWork, saga_id: str, *, at: datetime) -> None:
    """Have the payment of a placement that is over looked at once more, at this moment."""
    known = uow.options.get(f"{LATE}{saga_id}", lock=True)
    if known is None or str(known.get("at")) > iso(at):
        uow.options.put(f"{LATE}{saga_id}", document(at=iso(at)))


def _is_of_use(event: PaymentEvent) -> bool:
    if event.reference is not None:
        return cart_of(event.reference) is not None
    disputed = any(word in event.type for word in DISPUTE_WORDS)
    return event.opened_id is not None or (disputed and event.payment_id is not None)


def _was_paid_by(saga: Saga, event: PaymentEvent) -> bool:
    return any(one.get("payment_id") == event.payment_id for one in saga.context["money"]["captured"])


def _is_opened_as(saga: Saga, event: PaymentEvent) -> bool:
    opened = saga.results.get("open_payment", {}).get("provider_id")
    return opened is not None and opened == event.opened_id


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that may say what was signed; who sent it, and through whom, is nobody's business later."""
    return {name: value for name, value in headers.items() if "signature" in name or name.endswith("-id")}


def _event_of(letter: DeadLetter) -> tuple[PaymentEvent, ...]:
    event = letter.args.get("event")
    return (PaymentEvent(**event),) if isinstance(event, Mapping) else ()


def _call_of(letter: DeadLetter) -> WebhookCall | None:
    """The delivery that a letter holds; None where it holds too little of it."""
    body, headers, query = (letter.args.get(name) for name in ("body", "headers", "query"))
    if not isinstance(body, str) or not isinstance(headers, Mapping) or not isinstance(query, Mapping):
        return None
    return WebhookCall(headers=headers, query=query, body=base64.b64decode(body))


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")

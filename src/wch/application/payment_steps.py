"""The steps of a placement that is paid online: open the payment, wait for the money, undo it."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.application.payments import EVENT
from wch.application.ports import Clock, MediaFiles, Payments, QrCodes, Shop, UnitOfWork
from wch.application.sagas import StepParkedError, StepRefusedError, Waiting
from wch.application.speaking import Speaker
from wch.application.texts import Texts, country_of_number
from wch.domain.address import address_from_json
from wch.domain.attachment import AttachmentError
from wch.domain.document import JsonObject
from wch.domain.evolution import evolve
from wch.domain.ledger import Ledger
from wch.domain.message import Class, Message
from wch.domain.moment import iso, of_iso, of_unix
from wch.domain.money import Money, money_from_json, money_to_json
from wch.domain.outgoing import CtaUrl, Media, MediaKind, OrderDetails, OrderStatus, Outgoing, Owed, Text
from wch.domain.payment import (
    PAID,
    CancelOutcome,
    NotOffered,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentError,
    PaymentRefusedError,
    PaymentState,
    PaymentStatus,
    reference,
)
from wch.domain.phone import variants
from wch.domain.quote import Line
from wch.domain.saga import Ev, Saga

log = logging.getLogger(__name__)

OPEN = "open_payment"
AWAIT = "await_payment"
CANCEL = "cancel"
LOOK_UP = "look_up"
OTHER_METHOD = "other_method"

LOOKS_AFTER = (1, 3, 10)
"""Minutes after opening at which the gateway is asked by itself, then every ten."""

ASKED_AGAIN_AFTER = timedelta(minutes=1)
"""A customer who says "I paid" is believed enough to look, once in this time."""

PENDING_WAITS = timedelta(minutes=30)
"""How much longer a payment is waited for that the gateway calls pending."""

SILENT_FOR = timedelta(hours=2)
"""A gateway that does not answer for so long after the deadline holds the goods no longer."""

UPLOADED_WITHIN = 8.0
"""Seconds that the picture of a code may take."""

LOOKED_THROUGH = 200
"""So many of the latest rows of a thread are looked through for a bill."""

MISMATCH_ACTIONS = ("accept-amount", "refund")


@attrs.frozen(kw_only=True)
class PaymentSteps:
    """What happens between the order that is made and the order that is accepted.

    Attributes:
        wait: how long a customer has to pay, within what the gateway allows.
    """

    shop: Shop
    payments: Payments
    clock: Clock
    speaker: Speaker
    files: MediaFiles
    codes: QrCodes
    wait: timedelta

    def reference_of(self, saga: Saga) -> str:
        """The payment's name at the gateway."""
        cart_id, opened = saga.context["cart"]
        return reference(cart_id, of_unix(opened))

    def deadline_of(self, saga: Saga) -> datetime:
        """Until when it can be paid: the same however often it is asked, since a repeated call must be the same call."""
        opened = saga.results.get(OPEN, {}).get("deadline")
        if isinstance(opened, str):
            return of_iso(opened)
        begun = next((of_iso(one["at"]) for one in saga.log if one["ev"] == Ev.START and one["step"] == OPEN), None)
        offer = self._offer(saga)
        earliest, latest = (offer.earliest, offer.latest) if offer is not None else (None, None)
        deadline = saga.created_at + self.wait
        if begun is None:
            return max(deadline, self.clock.now() + (earliest or self.wait))
        if earliest is not None:
            deadline = max(deadline, begun + earliest)
        return deadline if latest is None else min(deadline, begun + latest)

    def _offer(self, saga: Saga) -> Offer | None:
        address = saga.context["address"]
        facts = OrderFacts(
            total=Ledger.of(saga.context).due,
            country=None if address is None else address.get("country"),
            needs_shipping=saga.context["shipping"] is not None,
            email=saga.context["customer"]["email"] or None,
            number_country=country_of_number(saga.context["customer"]["phone"]),
        )
        said: Offer | NotOffered = self.payments.gateway(saga.context["method"]).offers(facts)
        return said if isinstance(said, Offer) else None

    # --- opening

    async def open(self, saga: Saga) -> JsonObject:
        """Open the payment over exactly what is due."""
        customer = saga.context["customer"]
        order = await self.shop.order(order_id=saga.results["create_order"]["order_id"])
        deadline = self.deadline_of(saga)
        opened: Opened = await self.payments.gateway(saga.context["method"]).open(
            reference=self.reference_of(saga),
            key=wire(saga.key(OPEN)),
            order=order,
            amount=Ledger.of(saga.context).due,
            deadline=deadline,
            customer=Payer(
                phones=variants(customer["phone"]),
                name=customer["name"],
                email=customer["email"],
                customer_id=customer["customer_id"],
                writes_to=saga.context["number"],
                ships_to=None if saga.context["address"] is None else address_from_json(saga.context["address"]),
            ),
            language=saga.context["language"],
        )
        return {
            "provider_id": opened.provider_id,
            "link": opened.link,
            "code": opened.code,
            "picture": None if opened.code is None else await self._picture(saga, opened.code),
            "order_details": None if opened.order_details is None else dict(opened.order_details),
            "deadline": iso(deadline),
            "reference": self.reference_of(saga),
            "at": iso(self.clock.now()),
        }

    async def _picture(self, saga: Saga, code: str) -> str | None:
        """The code as a picture that WhatsApp has; None when it does not take it: the code alone can be paid too."""
        try:
            async with asyncio.timeout(UPLOADED_WITHIN):
                return await self.files.upload(
                    saga.context["number"], self.codes.png(code), mime_type="image/png", filename="code.png"
                )
        except (AttachmentError, TimeoutError) as error:
            log.warning("a code goes out without its picture", extra={"error": type(error).__name__})
            return None

    def show(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        """The message to pay with is written together with the payment's id: never one without the other."""
        for message in pay_messages(saga, Texts(saga.context["language"])):
            self.tell_customer(uow, saga, message, now=now, class_=Class.REPLY)
        return saga

    # --- waiting

    async def wait_for_money(self, saga: Saga) -> JsonObject:
        """The money, or the reason why not; a wait until the next look otherwise."""
        now = self.clock.now()
        since = self._since_last_look(saga)
        wish = _wish(saga)
        if wish is None and since is not None and since[1] == {LOOK_UP} and now < since[0] + ASKED_AGAIN_AFTER:
            raise Waiting(until=since[0] + ASKED_AGAIN_AFTER, because="looked_up_just_now")
        if wish == CANCEL:
            # Money that came in the meantime is found by closing the payment, and goes back.
            raise StepRefusedError(code=CANCEL)
        state = await self._look(saga)
        if state is not None and state.state in PAID:
            return self._captured(saga, state)
        if wish is not None:
            raise StepRefusedError(code=wish)
        if state is not None and state.state in {PaymentStatus.EXPIRED, PaymentStatus.CANCELLED, PaymentStatus.FAILED}:
            raise StepRefusedError(code="payment_expired" if state.state is PaymentStatus.EXPIRED else "payment_failed")
        deadline = self.deadline_of(saga)
        pending = state is not None and state.state is PaymentStatus.PENDING
        if now >= deadline + (PENDING_WAITS if pending else timedelta()):
            return await self._time_is_over(saga, now)
        raise Waiting(
            until=self._next_look(saga, now, deadline if now < deadline else deadline + PENDING_WAITS),
            because=EVENT,
            then=self._reminded if self._is_to_be_reminded(saga, now) else None,
        )

    async def _look(self, saga: Saga) -> PaymentState | None:
        """What the gateway says; None when it says nothing now."""
        opened = saga.results[OPEN]
        try:
            return await self.payments.gateway(saga.context["method"]).look_up(
                reference=self.reference_of(saga), provider_id=opened["provider_id"]
            )
        except PaymentError as error:
            log.warning(
                "a payment could not be looked up", extra={"saga_id": saga.saga_id, "error": type(error).__name__}
            )
            return None

    def _captured(self, saga: Saga, state: PaymentState) -> JsonObject:
        """The money counts if it is exactly what is due.

        Raises:
            StepParkedError: it is another amount, or another currency.
            StepRefusedError: it has gone back already.
            Waiting: the gateway does not say how much.
        """
        if state.state is PaymentStatus.REFUNDED:
            raise StepRefusedError(code="payment_refunded")
        if state.amount is None or state.payment_id is None:
            raise Waiting(until=self.clock.now() + ASKED_AGAIN_AFTER, because="amount_unknown")
        due = Ledger.of(saga.context).due
        capture = self._capture(saga, state)
        if state.amount == due:
            return capture
        reason = "currency_mismatch" if state.amount.currency != due.currency else "amount_mismatch"

        def parked(uow: UnitOfWork, held: Saga, now: datetime) -> Saga:
            texts = Texts(held.context["language"])
            self.tell_customer(uow, held, Text(body=texts.say("payment.being_checked")), now=now)
            return booked(held, capture)

        raise StepParkedError(reason=reason, actions=MISMATCH_ACTIONS, then=parked)

    def _capture(self, saga: Saga, state: PaymentState) -> dict[str, Any]:
        return {
            "gateway": saga.context["method"],
            "payment_id": state.payment_id,
            "reference": self.reference_of(saga),
            "amount": None if state.amount is None else money_to_json(state.amount),
            "at": iso(state.at or self.clock.now()),
        }

    def count(self, _uow: UnitOfWork, saga: Saga, _now: datetime) -> Saga:
        """The capture goes into the ledger together with the pivot."""
        return booked(saga, saga.results[AWAIT])

    async def _time_is_over(self, saga: Saga, now: datetime) -> JsonObject:
        """The deadline: the payment is closed, unless it was made in the last second; then the order goes on."""
        gateway = self.payments.gateway(saga.context["method"])
        opened = saga.results[OPEN]
        try:
            answer = await gateway.cancel(
                reference=self.reference_of(saga),
                provider_id=opened["provider_id"],
                key=wire(saga.key(OPEN, undo=True)),
            )
        except PaymentError:
            if now >= self.deadline_of(saga) + SILENT_FOR:
                raise StepRefusedError(code="payment_expired") from None
            raise Waiting(until=now + ASKED_AGAIN_AFTER, because="gateway_silent") from None
        state = answer.state if answer.state is not None else await self._look(saga)
        if state is not None and state.state in PAID:
            return self._captured(saga, state)
        if answer.outcome is CancelOutcome.NOT_CANCELLABLE and now < self.deadline_of(saga) + PENDING_WAITS:
            raise Waiting(until=self.deadline_of(saga) + PENDING_WAITS, because=PaymentStatus.PENDING.value)
        raise StepRefusedError(code="payment_expired")

    def _next_look(self, saga: Saga, now: datetime, deadline: datetime) -> datetime:
        opened = of_iso(saga.results[OPEN]["at"])
        minutes = (*LOOKS_AFTER, *range(20, 60 * 24 * 8, 10))
        following = next(at for one in minutes if (at := opened + timedelta(minutes=one)) > now)
        moments = [following, deadline]
        if not saga.context.get("reminded"):
            moments.append(self._reminds_at(saga))
        return min(moment for moment in moments if moment > now)

    def _reminds_at(self, saga: Saga) -> datetime:
        """When a quarter of the time is left."""
        opened, deadline = of_iso(saga.results[OPEN]["at"]), self.deadline_of(saga)
        return opened + timedelta(seconds=int((deadline - opened).total_seconds() * 3 / 4))

    def _is_to_be_reminded(self, saga: Saga, now: datetime) -> bool:
        return not saga.context.get("reminded") and self._reminds_at(saga) <= now < self.deadline_of(saga)

    def _reminded(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        """The customer is reminded once, with the same link."""
        texts = Texts(saga.context["language"])
        minutes = max(1, int((self.deadline_of(saga) - now).total_seconds()) // 60)
        quotes = bill_message(saga, uow.messages.thread(saga.context["conversation_id"], limit=LOOKED_THROUGH))
        for message in pay_messages(saga, texts, lead=texts.say("payment.reminder", minutes=minutes)):
            self.tell_customer(uow, saga, message, now=now, class_=Class.REPLY, quotes=quotes)
        return evolve(saga, context={**saga.context, "reminded": True})

    def _since_last_look(self, saga: Saga) -> tuple[datetime, set[str]] | None:
        """When the gateway was last asked, and what was signalled since."""
        kinds: set[str] = set()
        for entry in reversed(saga.log):
            if entry["ev"] == Ev.SIGNAL:
                kinds.add(entry["kind"])
            elif entry["ev"] == Ev.WAIT and entry["step"] == AWAIT and entry["because"] != "looked_up_just_now":
                return of_iso(entry["at"]), kinds
        return None

    # --- undoing

    async def close(self, saga: Saga) -> JsonObject | None:
        """See to it that it cannot be paid any more; money that came nevertheless is noted, so that it goes back."""
        opened = saga.results.get(OPEN, {})
        gateway = self.payments.gateway(saga.context["method"])
        answer = await gateway.cancel(
            reference=self.reference_of(saga),
            provider_id=opened.get("provider_id"),
            key=wire(saga.key(OPEN, undo=True)),
        )
        if answer.outcome is CancelOutcome.NOT_CANCELLABLE:
            raise PaymentRefusedError(code="not_cancellable")
        state = answer.state
        if answer.outcome is CancelOutcome.ALREADY_PAID and state is not None and state.state in PAID:
            return {"captured": self._capture(saga, state)} if state.amount is not None else None
        return None

    # --- telling

    def tell_customer(
        self,
        uow: UnitOfWork,
        saga: Saga,
        message: Outgoing,
        *,
        now: datetime,
        class_: Class = Class.NOTICE,
        quotes: str | None = None,
    ) -> None:
        """Say something in the thread of the placement, as long as there is one."""
        phone = phone_of(saga)
        if phone is None:
            return
        profile = uow.customers.lock(phone, now=now)
        conversation = uow.conversations.get(saga.context["conversation_id"], lock=True)
        if conversation is None:
            return
        counted, _ = self.speaker.say(
            uow,
            conversation,
            message,
            profile=profile,
            class_=class_,
            origin={"by": "notice", "ref": f"saga:{saga.saga_id}"},
            now=now,
            number=saga.context["number"],
            quotes=quotes,
        )
        uow.conversations.save(counted)

    def withdraw(self, uow: UnitOfWork, saga: Saga, words: str, *, now: datetime) -> bool:
        """Close the bill on the customer's phone with these words; False when there is none.

        If it was paid in this very moment WhatsApp refuses the word, and the money is looked for.
        """
        reference_id = billed(saga)
        if reference_id is None:
            return False
        self.tell_customer(
            uow,
            saga,
            OrderStatus(body=words, reference_id=reference_id, status="canceled"),
            now=now,
            class_=Class.REPLY,
        )
        return True


def phone_of(saga: Saga) -> str | None:
    """Whose it is; None once the customer was erased."""
    phone = saga.context.get("customer", {}).get("phone")
    return phone if isinstance(phone, str) else None


def lines_of(saga: Saga) -> tuple[Line, ...]:
    """The goods that a saga is about, as they were frozen."""
    return tuple(
        Line(product_id=one["product_id"], variation_id=one["variation_id"], quantity=one["quantity"])
        for one in saga.context["lines"]
    )


def booked(saga: Saga, capture: JsonObject) -> Saga:
    """The saga with this capture in its ledger."""
    ledger = Ledger.of(saga.context).with_capture(
        gateway=capture["gateway"],
        payment_id=capture["payment_id"],
        reference=capture["reference"],
        amount=money_from_json(capture["amount"]),
        at=of_iso(capture["at"]),
    )
    return evolve(saga, context=ledger.into(saga.context))


def pay_messages(saga: Saga, texts: Texts, *, lead: str | None = None) -> tuple[Outgoing, ...]:
    """What the customer pays with: a link, a code in a message of its own, or the order inside WhatsApp."""
    opened = saga.results.get(OPEN, {})
    due: Money = Ledger.of(saga.context).due
    number = saga.results.get("create_order", {}).get("number", "")
    amount = texts.money(due)
    if isinstance(opened.get("link"), str):
        body = texts.say("payment.link", number=number, amount=amount)
        return (CtaUrl(body=_joined(lead, body), label=texts.say("button.pay"), url=opened["link"]),)
    if isinstance(opened.get("code"), str):
        body = texts.say("payment.code", number=number, amount=amount)
        picture = opened.get("picture") if lead is None else None
        shown = () if picture is None else (Media(kind=MediaKind.IMAGE, id=picture),)
        return (Text(body=_joined(lead, body)), Text(body=opened["code"]), *shown)
    if billed(saga) is not None and lead is None:
        body = texts.say("payment.bill", number=number, amount=amount)
        return (OrderDetails(body=body, owed=Owed.from_json(opened["order_details"])),)
    return () if lead is None else (Text(body=lead),)


def billed(saga: Saga) -> str | None:
    """The reference under which the order stands on the customer's phone, to be reviewed and paid there."""
    details = saga.results.get(OPEN, {}).get("order_details")
    return None if details is None else str(details["reference_id"])


def bill_message(saga: Saga, rows: Iterable[Message]) -> str | None:
    """WhatsApp's id of the message with the bill, among these; it goes out once, and later words quote it."""
    reference_id = billed(saga)
    if reference_id is None:
        return None
    return next((row.wa_message_id for row in rows if _is_bill(row, reference_id)), None)


def _is_bill(row: Message, reference_id: str) -> bool:
    body: Any = row.content.get("body", {})
    told = body.get("interactive", {}) if row.type == "interactive" else {}
    return told.get("type") == "order_details" and told["action"]["parameters"]["reference_id"] == reference_id


def _joined(lead: str | None, body: str) -> str:
    return body if lead is None else f"{lead}\n\n{body}"


def _wish(saga: Saga) -> str | None:
    """What the customer asked for since the payment was opened: to cancel, or to pay in another way."""
    wishes = [
        entry["kind"] for entry in saga.log if entry["ev"] == Ev.SIGNAL and entry["kind"] in {CANCEL, OTHER_METHOD}
    ]
    return wishes[-1] if wishes else None


def wire(key: str) -> str:
    """A key as it is sent, where a colon is not welcome everywhere."""
    return key.replace(":", "-")

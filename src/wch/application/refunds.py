"""Refunds: money goes back once for each wish, is booked in the shop, and told when it is true."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.application.announcing import (
    Announcing,
    is_unmoved,
    known_order,
    refunds_of,
    remember_order,
    with_refund,
)
from wch.application.order_facts import of_refund
from wch.application.order_notes import note_order
from wch.application.payment_steps import OPEN, PaymentSteps, lines_of, phone_of, wire
from wch.application.ports import Clock, Database, Gateway, Payments, Shop, UnitOfWork
from wch.application.sagas import UNTIL_PARKED, Definition, Step, StepParkedError, StepRefusedError, Waiting
from wch.application.shop_bookings import bookings_of, decided, is_cancelled, total_of
from wch.application.texts import Texts
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject, amended, document
from wch.domain.errors import NotFoundError
from wch.domain.evolution import evolve
from wch.domain.ledger import Ledger, RefundEntry, RefundRefusalError, RefundWord
from wch.domain.money import Money, money_from_json, money_to_json
from wch.domain.notification import REFUNDED, numbered
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.outgoing import Text
from wch.domain.payment import PaymentMisconfiguredError, PaymentRefusedError, RefundStatus
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.domain.shop_error import ShopRefusedError
from wch.domain.sync import EntityType, SyncAction

REFUND = "Refund"
"""The type of the saga that gives money back."""

PAY_BACK = "refund_payment"
LOOKED_AT_EVERY = timedelta(minutes=10)
"""How often a refund is looked at that the gateway has not finished."""

RESUME = ("resume", "retry-step", "skip-step")

NOT_BOOKED = "The shop's books hold no refund of this order that waits for its money."
NOTHING_TO_SETTLE = "Nothing that was undone in the shop waits to be settled for this order."


def begin_refund(
    uow: UnitOfWork,
    placement: Saga,
    key: str,
    amount: Money,
    reason: str,
    *,
    payment_id: str | None,
    order: bool,
    cancel: bool = False,
    restock: bool = False,
    booked: Sequence[int] = (),
    now: datetime,
) -> tuple[Saga, RefundEntry]:
    """Write a refund into the ledger of its placement, with the saga that carries it out; once for its key.

    Args:
        uow: the transaction; it must hold the placement's lock.
        placement: whose money; the changed one comes back, not yet saved.
        key: the request's: asked again under it, the same refund is meant.
        amount: what goes back.
        reason: for the shop's books.
        payment_id: the payment it goes back on; None when the money is given by hand.
        order: whether the shop has an order to book it on; not for money that came too late.
        cancel: whether the order is cancelled first.
        restock: whether the goods go back to the stock.
        booked: the refunds in the shop's books that this one pays; it is not booked once more.
        now: the moment.

    Raises:
        RefundRefusalError: more than is left, another currency, or nothing.
    """
    ledger, entry = Ledger.of(placement.context).with_refund(key, amount, payment_id=payment_id)
    order_id = placement.results["create_order"]["order_id"]
    saga_id = f"refund-{order_id}-{entry.n}"
    if uow.sagas.get(saga_id) is None:
        capture = next((one for one in ledger.captured if one.payment_id == payment_id), None)
        context = {
            "placement": placement.saga_id,
            "order_id": order_id,
            "n": entry.n,
            "gateway": None if capture is None else capture.gateway,
            "payment_id": payment_id,
            "amount": money_to_json(amount),
            "why": reason,
            "order": order,
            "restock": restock,
            "lines": list(placement.context["lines"]) if restock and not _is_restocked(uow, order_id, ledger) else [],
            "cancel": cancel,
            "booked": list(booked),
            "customer": {"phone": phone_of(placement)},
            "conversation_id": placement.context["conversation_id"],
            "number": placement.context["number"],
            "language": placement.context["language"],
        }
        uow.sagas.add(Saga.begun(saga_id, REFUND, context, now=now))
    return evolve(placement, context=ledger.into(placement.context)), entry


def _is_restocked(uow: UnitOfWork, order_id: int, ledger: Ledger) -> bool:
    """Whether another refund of this order has brought the goods back, or is about to."""
    others = (
        uow.sagas.get(f"refund-{order_id}-{one.n}") for one in ledger.refunds if one.state is not RefundWord.FAILED
    )
    return any(bool(one.context.get("lines")) for one in others if one is not None)


def cancel_paid(uow: UnitOfWork, order_id: int, *, now: datetime) -> None:
    """The customer cancels a paid order: it is undone in the shop, and all of its money goes back, once."""
    found = _placement_of(uow, order_id)
    placement = None if found is None else uow.sagas.get(found, lock=True)
    if placement is None:
        return
    for capture in Ledger.of(placement.context).captured:
        left = Ledger.of(placement.context).left(capture.payment_id)
        if left:
            placement, _ = begin_refund(
                uow,
                placement,
                f"cancel-{capture.payment_id}",
                left,
                "cancelled by the customer",
                payment_id=capture.payment_id,
                order=True,
                cancel=True,
                now=now,
            )
    uow.sagas.save(placement)


def give_back_all(uow: UnitOfWork, placement: Saga, *, reason: str, now: datetime) -> Saga:
    """Money of an order that is not there any more goes back, each payment once, under a key made of its id."""
    for capture in Ledger.of(placement.context).captured:
        left = Ledger.of(placement.context).left(capture.payment_id)
        if left:
            key = f"late-{capture.payment_id}"
            placement, _ = begin_refund(
                uow, placement, key, left, reason, payment_id=capture.payment_id, order=False, now=now
            )
    return placement


@attrs.frozen(kw_only=True)
class RefundSteps:
    """The steps of `Refund`, each safe to repeat under its key."""

    database: Database
    shop: Shop
    payments: Payments
    clock: Clock
    paying: PaymentSteps
    counting: Counting
    announcing: Announcing

    def definition(self) -> Definition:
        """The saga as the engine registers it."""
        return Definition(
            saga_type=REFUND, version=1, steps=self._steps, lock=self._lock, undone=self._undone, facts=of_refund
        )

    def _steps(self, saga: Saga) -> tuple[Step, ...]:
        pay_back = Step(name=PAY_BACK, call=self._pay_back, tries=UNTIL_PARKED, pivot=True)
        if saga.context["payment_id"] is None:
            pay_back = Step(name=PAY_BACK, apply=_by_hand, pivot=True)
        books = saga.context["order"] and not saga.context.get("booked")
        record = Step(name="record", call=self._record) if books else Step(name="record", apply=_by_hand)
        cancel = (Step(name="cancel", call=self._cancel),) if saga.context.get("cancel") else ()
        return (*cancel, pay_back, record, Step(name="tell", apply=self._tell, tries=UNTIL_PARKED))

    async def _cancel(self, saga: Saga) -> JsonObject:
        """The order is off before its money moves; one that has just left the house stays."""
        try:
            await self.shop.cancel_order(order_id=saga.context["order_id"], reason=saga.context["why"])
        except ShopRefusedError as refused:
            raise StepRefusedError(code=refused.code) from refused
        return {}

    async def _pay_back(self, saga: Saga) -> JsonObject:
        """The gateway gives it back; in doubt it is asked before it is told again."""
        gateway = self.payments.gateway(saga.context["gateway"])
        key, payment_id = wire(saga.key(PAY_BACK)), saga.context["payment_id"]
        status = RefundStatus.UNKNOWN
        try:
            if saga.tries(PAY_BACK) > 1:
                status = await gateway.look_up_refund(key=key, payment_id=payment_id)
            if status is RefundStatus.UNCLEAR:
                status = await self._compared(gateway, saga)
            if status is RefundStatus.UNKNOWN:
                status = await gateway.refund(
                    key=key,
                    payment_id=payment_id,
                    amount=money_from_json(saga.context["amount"]),
                    reason=saga.context["why"],
                )
        except (PaymentRefusedError, PaymentMisconfiguredError):
            raise StepParkedError(reason=self._not_refundable(saga), actions=RESUME) from None
        if status is RefundStatus.FAILED:
            raise StepParkedError(reason="refund_failed", actions=RESUME)
        if status is not RefundStatus.DONE:
            raise Waiting(until=self.clock.now() + LOOKED_AT_EVERY, because=status.value)
        return {"status": status.value}

    async def _compared(self, gateway: Gateway, saga: Saga) -> RefundStatus:
        """What became of a refund that the gateway does not know by our key: what went back, beside our own books.

        Raises:
            StepParkedError: it cannot be told; sent once more it might go twice.
        """
        placement = await self.database.read(lambda uow: uow.sagas.get(saga.context["placement"]))
        if placement is None:
            raise StepParkedError(reason="refund_unclear", actions=RESUME)
        state = await gateway.look_up(
            reference=self.paying.reference_of(placement), provider_id=placement.results[OPEN]["provider_id"]
        )
        with_this = Ledger.of(placement.context).back_with(saga.context["n"])
        if state.refunded is not None and state.refunding is not None:
            if state.refunded >= with_this:
                return RefundStatus.DONE
            if state.refunded + state.refunding >= with_this:
                return RefundStatus.PENDING
        raise StepParkedError(reason="refund_unclear", actions=RESUME)

    def _not_refundable(self, saga: Saga) -> str:
        return "refund_refused" if saga.context["order"] else "late_capture_not_refundable"

    async def _record(self, saga: Saga) -> JsonObject:
        try:
            order = await self.shop.record_refund(
                order_id=saga.context["order_id"],
                key=wire(saga.key("record")),
                amount=money_from_json(saga.context["amount"]),
                reason=saga.context["why"],
                lines=lines_of(saga),
                restock=saga.context["restock"],
            )
        except ShopRefusedError as refused:
            raise StepRefusedError(code=refused.code) from refused
        return {"status": order.status.value, "refunded": f"{order.refunded.amount:f}"}

    def _lock(self, uow: UnitOfWork, saga: Saga, now: datetime) -> None:
        """Profile, conversation, placement: what is locked before a refund."""
        phone = phone_of(saga)
        if phone is not None:
            uow.customers.lock(phone, now=now)
        uow.conversations.get(saga.context["conversation_id"], lock=True)
        uow.sagas.get(saga.context["placement"], lock=True)

    def _tell(self, uow: UnitOfWork, saga: Saga, now: datetime) -> JsonObject:
        """It is true now: the ledger, what the customer has spent, and the word to the customer, at once."""
        amount = money_from_json(saga.context["amount"])
        order_id, phone = saga.context["order_id"], phone_of(saga)
        placement = uow.sagas.get(saga.context["placement"], lock=True)
        if placement is not None:
            ledger = Ledger.of(placement.context).moved(saga.context["n"], RefundWord.DONE, now=now)
            uow.sagas.save(evolve(placement, context=ledger.into(placement.context)))
        if not saga.context["order"]:
            texts = Texts(saga.context["language"])
            self.paying.tell_customer(
                uow, saga, Text(body=texts.say("refund.late", amount=texts.money(amount))), now=now
            )
            return {}
        if phone is None:
            return {}
        recorded: Any = saga.results.get("record", {})
        if placement is not None and "refunded" in recorded:
            due = Ledger.of(placement.context).due
            seen = OrderSeen(
                id=order_id,
                at=placement.created_at,
                modified=now,
                status=recorded["status"],
                total=due.amount,
                refunded=Decimal(recorded["refunded"]),
                currency=due.currency,
            )
            note_order(uow, self.counting, phone, seen, now=now)
        known = known_order(uow, order_id, lock=True)
        numbers = list(saga.context.get("booked", ())) or [saga.context["n"]]
        if known is not None and "refunded" in recorded:
            known = amended(with_refund(known, Decimal(recorded["refunded"])), status=recorded["status"])
            remember_order(uow, order_id, known)
            number = max(len(refunds_of(known)), 1)
            numbers = [] if is_unmoved(known, number) else [number]
        for number in numbers:
            self.announcing.tell(uow, numbered(REFUNDED, number), order_id=order_id, phone=phone, now=now)
        uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=now)
        return {}

    def _undone(self, uow: UnitOfWork, saga: Saga, now: datetime) -> Saga:
        """No money went back: the ledger says so, and the customer was told nothing untrue."""
        placement = uow.sagas.get(saga.context["placement"], lock=True)
        if placement is not None:
            ledger = Ledger.of(placement.context).moved(saga.context["n"], RefundWord.FAILED, now=now)
            uow.sagas.save(evolve(placement, context=ledger.into(placement.context)))
        if saga.context.get("cancel"):
            words = Texts(saga.context["language"]).say("order.cancel_too_late", number=saga.context["order_id"])
            self.paying.tell_customer(uow, saga, Text(body=words), now=now)
        return saga


def _by_hand(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> JsonObject:
    return {"skipped": True}


@attrs.frozen(kw_only=True)
class Refunds:
    """What people ask to be given back."""

    database: Database
    clock: Clock
    announcing: Announcing

    async def order(
        self,
        order_id: int,
        *,
        amount: Money | None = None,
        reason: str,
        restock: bool = False,
        booked_in_shop: bool = False,
        key: str,
        by: str,
    ) -> Saga:
        """Give back the money of an order, or a part of it; the saga that does so.

        Args:
            order_id: the shop's id.
            amount: how much; everything that is left when not given.
            reason: for the shop's books.
            restock: whether the goods go back to the stock.
            booked_in_shop: what people booked in the shop goes back, as it is booked; it is not booked once more.
            key: the request's own; asked again under it, the same refund is meant.
            by: who decides so.

        Raises:
            NotFoundError: no placement made this order.
            RefundRefusalError: more than is left, another currency, or nothing; the shop's books hold no refund
                that waits for its money, or it is wanted otherwise than it is booked.
        """
        if booked_in_shop and (amount is not None or restock):
            sentence = "What is booked in the shop goes back as it is booked: name neither an amount nor goods."
            raise RefundRefusalError(sentence, code="as_booked")
        found = (await self.placement_of(order_id)).saga_id

        def work(uow: UnitOfWork) -> Saga:
            now = self.clock.now()
            placement = uow.sagas.get(found, lock=True)
            if placement is None:
                raise NotFoundError(kind="order", id=order_id)
            ledger = Ledger.of(placement.context)
            known = ledger.refund_of(key)
            if known is None:
                payment_id = self._payment(placement, ledger)
                left = ledger.by_hand if payment_id is None else ledger.left(payment_id)
                booked = decided(uow, order_id) if booked_in_shop else ()
                if booked_in_shop:
                    left = total_of(booked, ledger.due.currency)
                    if not booked:
                        raise RefundRefusalError(NOT_BOOKED, code="not_booked")
                changed, known = begin_refund(
                    uow,
                    placement,
                    key,
                    left if amount is None else amount,
                    reason,
                    payment_id=payment_id,
                    order=True,
                    restock=restock,
                    booked=[one.n for one in booked],
                    now=now,
                )
                uow.sagas.save(changed)
                detail = document(booked_in_shop=True) if booked else document()
                uow.audit.add(_line("order.refund", order_id, detail, reason=reason, by=by, now=now))
            refund = uow.sagas.get(f"refund-{order_id}-{known.n}")
            if refund is None:
                raise NotFoundError(kind="refund", id=known.n)
            return refund

        return await self.database.transact(work)

    async def settle(self, order_id: int, *, reason: str, by: str) -> Saga:
        """Say that what was refunded or cancelled in the shop went back another way; its placement. No money moves.

        The customer hears of each refund now, and nothing of it can go back once more.

        Raises:
            NotFoundError: no placement made this order.
            RefundRefusalError: nothing waits to be decided; the second of two hears this.
        """
        found = await self.placement_of(order_id)

        def work(uow: UnitOfWork) -> Saga:
            now = self.clock.now()
            phone = phone_of(found)
            if phone is not None:
                uow.customers.lock(phone, now=now)
            placement = uow.sagas.get(found.saga_id, lock=True)
            if placement is None:
                raise NotFoundError(kind="order", id=order_id)
            ledger = Ledger.of(placement.context)
            booked = decided(uow, order_id)
            left = Money.total((ledger.left(one.payment_id) for one in ledger.captured), ledger.due.currency)
            rest = gone = left if is_cancelled(uow, order_id) else min(left, total_of(booked, ledger.due.currency))
            if gone.amount <= 0:
                raise RefundRefusalError(NOTHING_TO_SETTLE, code="nothing_to_settle")
            for capture in ledger.captured:
                part = min(rest, ledger.left(capture.payment_id))
                if part.amount > 0:
                    key = f"settled-{len(ledger.refunds) + 1}"
                    ledger, entry = ledger.with_refund(key, part, payment_id=capture.payment_id, elsewhere=True)
                    ledger, rest = ledger.moved(entry.n, RefundWord.DONE, now=now), rest - part
            settled = evolve(placement, context=ledger.into(placement.context))
            uow.sagas.save(settled)
            for one in booked if phone is not None else ():
                self.announcing.tell(uow, numbered(REFUNDED, one.n), order_id=order_id, phone=str(phone), now=now)
            detail = document(amount=str(gone.amount))
            uow.audit.add(_line("order.settle", order_id, detail, reason=reason, by=by, now=now))
            return settled

        return await self.database.transact(work)

    async def booked(self, order_id: int) -> Money | None:
        """What people booked back in the shop, while nobody has said where the money is; None for nothing."""
        placement = await self.placement_of(order_id)
        booked = bookings_of(await self.database.read(lambda uow: known_order(uow, order_id)))
        return total_of(booked, Ledger.of(placement.context).due.currency) if booked else None

    async def placement_of(self, order_id: int) -> Saga:
        """The placement that made this order.

        Raises:
            NotFoundError: none did.
        """

        def look(uow: UnitOfWork) -> Saga | None:
            found = _placement_of(uow, order_id)
            return None if found is None else uow.sagas.get(found)

        saga = await self.database.read(look)
        if saga is None:
            raise NotFoundError(kind="order", id=order_id)
        return saga

    def _payment(self, placement: Saga, ledger: Ledger) -> str | None:
        """The payment that the money goes back on: None where it was paid at the door."""
        if placement.context["pays_later"]:
            return None
        if not ledger.captured:
            raise RefundRefusalError(code="nothing_captured")
        most = max(ledger.captured, key=lambda one: ledger.left(one.payment_id).amount)
        return most.payment_id


def _placement_of(uow: UnitOfWork, order_id: int) -> str | None:
    """The placement that made this order."""
    known = known_order(uow, order_id)
    if known is not None and isinstance(known.get("saga"), str):
        return str(known["saga"])
    after = ""
    while page := uow.sagas.listed(saga_type=PLACEMENT, after=after, limit=500):
        for saga in page:
            after = saga.saga_id
            if saga.results.get("create_order", {}).get("order_id") == order_id:
                return saga.saga_id
    return None


def _line(action: str, order_id: int, detail: JsonObject, *, reason: str, by: str, now: datetime) -> AuditEntry:
    """What somebody decided about the money of an order."""
    return AuditEntry(at=now, actor=by, action=action, object=f"order:{order_id}", reason=reason, detail=detail)

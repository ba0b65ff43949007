"""Refunds: money goes back once for each wish, is booked in the shop, and told when it is true."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.application.payment_steps import PaymentSteps, phone_of, wire
from wch.application.ports import Clock, Database, Payments, Shop, UnitOfWork
from wch.application.sagas import UNTIL_PARKED, Definition, Step, StepParkedError, StepRefusedError, Waiting
from wch.application.texts import Texts
from wch.domain.audit import AuditEntry
from wch.domain.catalogue import ShopRefusedError
from wch.domain.document import JsonObject, amended
from wch.domain.errors import NotFoundError
from wch.domain.ledger import Ledger, RefundEntry, RefundRefusalError, RefundWord
from wch.domain.money import Money, money_from_json, money_to_json
from wch.domain.notification import REFUNDED, Notification
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.outgoing import Text
from wch.domain.payment import PaymentMisconfiguredError, PaymentRefusedError, RefundStatus
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.domain.sync import EntityType, SyncAction

REFUND = "Refund"
"""The type of the saga that gives money back."""

PAY_BACK = "refund_payment"
LOOKED_AT_EVERY = timedelta(minutes=10)
"""How often a refund is looked at that the gateway has not finished."""

RESUME = ("resume", "retry-step", "skip-step")


def begin_refund(
    uow: UnitOfWork,
    placement: Saga,
    key: str,
    amount: Money,
    reason: str,
    *,
    payment_id: str | None,
    order: bool,
    restock: bool = False,
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
        restock: whether the goods go back to the stock.
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
            "reason": reason,
            "order": order,
            "restock": restock,
            "customer": {"phone": phone_of(placement)},
            "conversation_id": placement.context["conversation_id"],
            "number": placement.context["number"],
            "language": placement.context["language"],
        }
        uow.sagas.add(Saga.begun(saga_id, REFUND, context, now=now))
    return attrs.evolve(placement, context=ledger.into(placement.context)), entry


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

    shop: Shop
    payments: Payments
    clock: Clock
    paying: PaymentSteps
    counting: Counting

    def definition(self) -> Definition:
        """The saga as the engine registers it."""
        return Definition(saga_type=REFUND, version=1, steps=self._steps, lock=self._lock, undone=self._undone)

    def _steps(self, saga: Saga) -> tuple[Step, ...]:
        pay_back = Step(name=PAY_BACK, call=self._pay_back, tries=UNTIL_PARKED, pivot=True)
        if saga.context["payment_id"] is None:
            pay_back = Step(name=PAY_BACK, apply=_by_hand, pivot=True)
        record = (
            Step(name="record", call=self._record) if saga.context["order"] else Step(name="record", apply=_by_hand)
        )
        return (pay_back, record, Step(name="tell", apply=self._tell, tries=UNTIL_PARKED))

    async def _pay_back(self, saga: Saga) -> JsonObject:
        """The gateway gives it back; in doubt it is asked before it is told again."""
        gateway = self.payments.gateway(saga.context["gateway"])
        key, payment_id = wire(saga.key(PAY_BACK)), saga.context["payment_id"]
        status = RefundStatus.UNKNOWN
        try:
            if saga.tries(PAY_BACK) > 1:
                status = await gateway.look_up_refund(key=key, payment_id=payment_id)
            if status is RefundStatus.UNKNOWN:
                status = await gateway.refund(
                    key=key,
                    payment_id=payment_id,
                    amount=money_from_json(saga.context["amount"]),
                    reason=saga.context["reason"],
                )
        except (PaymentRefusedError, PaymentMisconfiguredError):
            raise StepParkedError(reason=self._not_refundable(saga), actions=RESUME) from None
        if status is RefundStatus.FAILED:
            raise StepParkedError(reason="refund_failed", actions=RESUME)
        if status is not RefundStatus.DONE:
            raise Waiting(until=self.clock.now() + LOOKED_AT_EVERY, because=status.value)
        return {"status": status.value}

    def _not_refundable(self, saga: Saga) -> str:
        return "refund_refused" if saga.context["order"] else "late_capture_not_refundable"

    async def _record(self, saga: Saga) -> JsonObject:
        try:
            order = await self.shop.record_refund(
                order_id=saga.context["order_id"],
                key=wire(saga.key("record")),
                amount=money_from_json(saga.context["amount"]),
                reason=saga.context["reason"],
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
            ledger = Ledger.of(placement.context).moved(saga.context["n"], RefundWord.DONE)
            uow.sagas.save(attrs.evolve(placement, context=ledger.into(placement.context)))
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
            uow.customers.save(self.counting.noted(uow.customers.lock(phone, now=now), seen, now=now))
        known = uow.options.get(f"shop:order:{order_id}", lock=True)
        if known is not None and "refunded" in recorded:
            told = amended(known, refunded=recorded["refunded"], status=recorded["status"])
            uow.options.put(f"shop:order:{order_id}", told)
        word = REFUNDED if saga.context["n"] == 1 else f"{REFUNDED}_{saga.context['n']}"
        if not uow.notifications.of_order(order_id, word):
            uow.notifications.add(
                Notification(
                    order_id=order_id, notification_type=word, customer_phone=phone, created_at=now, updated_at=now
                )
            )
        uow.sync.enqueue(EntityType.ORDER, order_id, SyncAction.UPDATE, now=now)
        return {}

    def _undone(self, uow: UnitOfWork, saga: Saga, _now: datetime) -> Saga:
        """No money went back: the ledger says so, and the customer was told nothing untrue."""
        placement = uow.sagas.get(saga.context["placement"], lock=True)
        if placement is not None:
            ledger = Ledger.of(placement.context).moved(saga.context["n"], RefundWord.FAILED)
            uow.sagas.save(attrs.evolve(placement, context=ledger.into(placement.context)))
        return saga


def _by_hand(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> JsonObject:
    return {"skipped": True}


@attrs.frozen(kw_only=True)
class Refunds:
    """What people ask to be given back."""

    database: Database
    clock: Clock

    async def order(
        self,
        order_id: int,
        *,
        amount: Money | None = None,
        reason: str,
        restock: bool = False,
        key: str,
        by: str,
    ) -> Saga:
        """Give back the money of an order, or a part of it; the saga that does so.

        Args:
            order_id: the shop's id.
            amount: how much; everything that is left when not given.
            reason: for the shop's books.
            restock: whether the goods go back to the stock.
            key: the request's own; asked again under it, the same refund is meant.
            by: who decides so.

        Raises:
            NotFoundError: no placement made this order.
            RefundRefusalError: more than is left, another currency, or nothing.
        """
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
                changed, known = begin_refund(
                    uow,
                    placement,
                    key,
                    left if amount is None else amount,
                    reason,
                    payment_id=payment_id,
                    order=True,
                    restock=restock,
                    now=now,
                )
                uow.sagas.save(changed)
                uow.audit.add(
                    AuditEntry(at=now, actor=by, action="order.refund", object=f"order:{order_id}", reason=reason)
                )
            refund = uow.sagas.get(f"refund-{order_id}-{known.n}")
            if refund is None:
                raise NotFoundError(kind="refund", id=known.n)
            return refund

        return await self.database.transact(work)

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
    known = uow.options.get(f"shop:order:{order_id}")
    if known is not None and isinstance(known.get("saga"), str):
        return str(known["saga"])
    after = ""
    while page := uow.sagas.listed(saga_type=PLACEMENT, after=after, limit=500):
        for saga in page:
            after = saga.saga_id
            if saga.results.get("create_order", {}).get("order_id") == order_id:
                return saga.saga_id
    return None

"""Late payments: what happens at a gateway after a placement is over is found, and put right."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar

import attrs

from wch.application.facts import PaymentCaptured
from wch.application.payment_steps import OPEN, booked
from wch.application.payments import LATE
from wch.application.ports import Clock, Database, Payments, UnitOfWork
from wch.application.refunds import give_back_all
from wch.domain.document import document
from wch.domain.ledger import Ledger
from wch.domain.moment import iso, of_unix
from wch.domain.money import money_to_json
from wch.domain.payment import PaymentError, PaymentState, PaymentStatus, reference
from wch.domain.saga import Saga, SagaState

log = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(minutes=10)
"""When a gateway that did not answer is asked again."""

DAYS = 3
"""For so many days after its end a placement that opened a payment is looked at daily."""


@attrs.frozen(kw_only=True)
class LatePayments:
    """The duty that looks at payments whose placement is over."""

    kind: ClassVar[str] = "payments"

    database: Database
    clock: Clock
    payments: Payments
    tell: Callable[[object], None]

    async def work(self) -> int:
        """Look at those that are due; how many."""
        now = iso(self.clock.now())
        due = await self.database.read(lambda uow: _due(uow, now))
        for saga_id in due:
            await self._look(saga_id)
        return len(due)

    async def _look(self, saga_id: str) -> None:
        saga = await self.database.read(lambda uow: uow.sagas.get(saga_id))
        if saga is None or OPEN not in saga.results:
            await self.database.transact(lambda uow: uow.options.remove(f"{LATE}{saga_id}"))
            return
        cart_id, opened = saga.context["cart"]
        name = reference(cart_id, of_unix(opened))
        try:
            state = await self.payments.gateway(saga.context["method"]).look_up(
                reference=name, provider_id=saga.results[OPEN]["provider_id"]
            )
        except PaymentError as error:
            log.warning("a payment could not be looked up", extra={"saga_id": saga_id, "error": type(error).__name__})
            await self.database.transact(lambda uow: self._later(uow, saga_id))
            return
        fact = await self.database.transact(lambda uow: self._settle(uow, saga_id, state))
        if fact is not None:
            self.tell(fact)

    def _later(self, uow: UnitOfWork, saga_id: str) -> None:
        uow.options.put(f"{LATE}{saga_id}", document(at=iso(self.clock.now() + AGAIN_AFTER)))

    def _settle(self, uow: UnitOfWork, saga_id: str, state: PaymentState) -> PaymentCaptured | None:
        """Money that nobody waits for any more goes back, once; then the next look is set."""
        now = self.clock.now()
        fact = None
        saga = uow.sagas.get(saga_id, lock=True)
        if saga is not None and not saga.is_open:
            changed = self._given_back(uow, saga, state, now) if _is_unwanted(saga, state) else saga
            if changed != saga and state.amount is not None:
                uow.sagas.save(changed)
                fact = PaymentCaptured(
                    saga_id=saga_id,
                    order_id=saga.results["create_order"]["order_id"],
                    gateway=saga.context["method"],
                    amount=state.amount,
                    late=True,
                )
        following = None if saga is None else _next_look(saga, now)
        if following is None:
            uow.options.remove(f"{LATE}{saga_id}")
        else:
            uow.options.put(f"{LATE}{saga_id}", document(at=iso(following)))
        return fact

    def _given_back(self, uow: UnitOfWork, saga: Saga, state: PaymentState, now: datetime) -> Saga:
        """The capture goes into the ledger, and back."""
        if state.amount is None or state.payment_id is None:
            return saga
        cart_id, opened = saga.context["cart"]
        capture = {
            "gateway": saga.context["method"],
            "payment_id": state.payment_id,
            "reference": reference(cart_id, of_unix(opened)),
            "amount": money_to_json(state.amount),
            "at": iso(state.at or now),
        }
        return give_back_all(uow, booked(saga, capture), reason="paid after the order had ended", now=now)


def _due(uow: UnitOfWork, now: str) -> list[str]:
    """The placements whose moment has come."""
    found: list[str] = []
    after = ""
    while page := uow.options.named(LATE, after=after, limit=500):
        after = page[-1][0]
        found += [name.removeprefix(LATE) for name, value in page if str(value.get("at", "")) <= now]
    return found


def _is_unwanted(saga: Saga, state: PaymentState) -> bool:
    """Whether money came that no order waits for: after it was undone, or a second time."""
    if state.state is not PaymentStatus.CAPTURED or state.payment_id is None:
        return False
    if Ledger.of(saga.context).knows(state.payment_id):
        return False
    return saga.outcome == "compensated" or saga.state is SagaState.COMPLETED


def _next_look(saga: Saga, now: datetime) -> datetime | None:
    """Once a day for three days after the end."""
    days = (saga.updated_at + timedelta(days=day) for day in range(1, DAYS + 1))
    return next((at for at in days if at > now), None)

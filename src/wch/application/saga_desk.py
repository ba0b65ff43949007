"""The saga desk: what an operator sees of a saga, and may do with one that is parked."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs

from wch.application.order_facts import of_placement
from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.audit import AuditEntry
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga, SagaState


@attrs.frozen(kw_only=True)
class SagaDesk:
    """What an operator may do with a saga; each action once, with a line in the audit log."""

    database: Database
    clock: Clock
    tell: Callable[[object], None]

    async def listed(
        self,
        *,
        saga_type: str | None = None,
        state: SagaState | None = None,
        needs_operator: bool = False,
        after: str = "",
        limit: int = 50,
    ) -> Sequence[Saga]:
        """Sagas by id; `needs_operator` leaves those that are parked."""
        outcome = "parked" if needs_operator else None
        return await self.database.read(
            lambda uow: uow.sagas.listed(saga_type=saga_type, state=state, outcome=outcome, after=after, limit=limit)
        )

    async def show(self, saga_id: str) -> Saga:
        """One saga with its log.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = await self.database.read(lambda uow: uow.sagas.get(saga_id))
        if found is None:
            raise NotFoundError(kind="saga", id=saga_id)
        return found

    async def act(
        self, saga_id: str, action: str, *, by: str, reason: str | None = None, result: JsonObject | None = None
    ) -> Saga:
        """Let a parked saga go on in one of the ways that are open to it.

        They are resume, retry-step, skip-step with its result, compensate, accept-amount (what came
        counts as paid) and refund (what came goes back, and the order is undone).

        Raises:
            NotFoundError: there is none of this id.
            ConflictError: it is not parked, or the action is not open for it; the second of two hears this.
        """

        def work(uow: UnitOfWork) -> tuple[Saga, Saga]:
            now = self.clock.now()
            saga = uow.sagas.get(saga_id, lock=True)
            if saga is None:
                raise NotFoundError(kind="saga", id=saga_id)
            step: Any = saga.context.get("step")
            resumed = saga.resumed(action, now=now)
            if action == "accept-amount" and isinstance(step, str):
                resumed = resumed.done(step, {**saga.context["money"]["captured"][-1], "accepted_by": by}, now=now)
            if action == "skip-step" and isinstance(step, str):
                ended = resumed.state is SagaState.COMPENSATING
                resumed = resumed.undone(step, now=now) if ended else resumed.done(step, result, now=now)
            uow.sagas.save(resumed)
            self._letter_answered(uow, saga_id, by=by, now=now)
            uow.audit.add(
                AuditEntry(at=now, actor=by, action=f"saga.{action}", object=f"saga:{saga_id}", reason=reason)
            )
            return saga, resumed

        before, after = await self.database.transact(work)
        for fact in of_placement(before, after) if after.saga_type == PLACEMENT else ():
            self.tell(fact)
        return after

    def _letter_answered(self, uow: UnitOfWork, saga_id: str, *, by: str, now: datetime) -> None:
        """The dead letter that called the operator is answered by this."""
        after = 0
        while page := uow.dead_letters.listed(hook="saga", after=after, limit=100):
            for letter in page:
                after = letter.id
                if letter.args.get("id") == saga_id and letter.status.value == "pending":
                    held = uow.dead_letters.get(letter.id, lock=True)
                    if held is not None:
                        uow.dead_letters.save(held.replayed(now=now, by=by))

"""The language model behind its budget and its breaker: it may always be away."""

import asyncio
import logging
from collections.abc import Sequence
from decimal import Decimal

import attrs

from wch.application.alarms import alarm
from wch.application.breakers import Breakers
from wch.application.ports import Clock, Database, Model, UnitOfWork
from wch.domain.completion import Completion, ModelUnavailableError
from wch.domain.document import JsonObject, document

log = logging.getLogger(__name__)

SPENT = "assistant.spent."
"""Options that hold what a month has cost."""

ANSWERS_WITHIN = 8.0
ALARM_AT = Decimal("0.8")
MILLION = Decimal(1_000_000)
SERVICE = "assistant"


@attrs.frozen(kw_only=True)
class Talker:
    """Asks the model; None whenever it must not or cannot be asked.

    Attributes:
        calls_per_hour: of one conversation.
        budget: what a month may cost; zero: no bound.
        input_price: of a million tokens in.
        output_price: of a million tokens out.
    """

    model: Model
    database: Database
    clock: Clock
    breakers: Breakers
    calls_per_hour: int
    budget: Decimal
    input_price: Decimal
    output_price: Decimal

    async def complete(self, messages: Sequence[JsonObject], tools: Sequence[JsonObject]) -> Completion | None:
        """One answer, paid for; None over the budget, behind an open breaker, or when it did not come."""
        if await self._is_spent():
            return None
        permit = await self.breakers.ask(SERVICE)
        if permit is None:
            return None
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                completion = await self.model.complete(messages, tools)
        except (ModelUnavailableError, TimeoutError):
            log.warning("the language model did not answer")
            await self.breakers.tell(permit, well=False)
            return None
        await self.breakers.tell(permit, well=True)
        await self.database.transact(lambda uow: self._pay(uow, completion))
        return completion

    async def _is_spent(self) -> bool:
        if not self.budget:
            return False
        told = await self.database.read(lambda uow: uow.options.get(self._month()))
        return told is not None and Decimal(str(told["spent"])) >= self.budget

    def _pay(self, uow: UnitOfWork, completion: Completion) -> None:
        """Write down what it cost; an alarm once, at four fifths of the budget."""
        cost = completion.input_tokens * self.input_price / MILLION
        cost += completion.output_tokens * self.output_price / MILLION
        if not cost:
            return
        name = self._month()
        before = Decimal(str((uow.options.get(name, lock=True) or {}).get("spent", "0")))
        uow.options.put(name, document(spent=str(before + cost)))
        mark = self.budget * ALARM_AT
        if self.budget and before < mark <= before + cost:
            alarm(uow, "assistant_budget", now=self.clock.now(), percent=80)

    def _month(self) -> str:
        return f"{SPENT}{self.clock.now():%Y-%m}"

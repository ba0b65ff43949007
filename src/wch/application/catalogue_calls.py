"""Catalogue calls: one batch is handed over, and its outcome is asked for until it is known."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

import attrs

from wch.application import stops
from wch.application.breakers import Breakers
from wch.application.ports import Catalogue, Clock, Database, UnitOfWork
from wch.domain.catalogue_item import BatchStatus, CatalogueError
from wch.domain.document import JsonObject
from wch.domain.send_failure import FailureClass

R = TypeVar("R")

BREAKER = "whatsapp:catalog"
"""The breaker of the catalogue: the rule of the Graph API, with a state of its own."""

STOPPED = "catalogue.stopped"
"""The option that says why the catalogue takes nothing: the token or the account."""

ASKED_AFTER = (1, 2, 4, 8, 15)
"""Seconds before each question for the outcome; after the last one the next attempt asks on."""

THROTTLED_FOR = timedelta(minutes=1)
STOPPED_FOR = timedelta(minutes=15)


class NotNow(StrEnum):
    """Why no call was made or none was taken, without anybody's fault: no attempt is used up."""

    BREAKER = "breaker_open"
    THROTTLED = "throttled"
    STOPPED = "stopped"


@attrs.frozen(kw_only=True)
class Unanswered:
    """The call was not taken, or nobody knows; it is made again after the back-off.

    Attributes:
        is_final: the catalogue refused it: asking the same again cannot help.
    """

    error: str
    is_final: bool = False


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of a call; without a status its handle is asked for later."""

    handle: str
    status: BatchStatus | None


@attrs.frozen(kw_only=True)
class CatalogueCalls:
    """Makes the calls, under the breaker of the catalogue.

    Attributes:
        pause: waits so many seconds.
    """

    database: Database
    clock: Clock
    breakers: Breakers
    pause: Callable[[float], Awaitable[None]]

    async def may_call(self) -> bool:
        """Whether a call would be let through now; nothing is taken for it."""

        def look(uow: UnitOfWork) -> bool:
            breaker = uow.breakers.of(BREAKER)
            rule = self.breakers.rule(BREAKER)
            return breaker is None or breaker.ask(rule, now=self.clock.now())[1] is not None

        return await self.database.read(look)

    async def push(
        self, catalogue: Catalogue, requests: Sequence[JsonObject], *, alive: Callable[[], Awaitable[object]]
    ) -> Outcome | Unanswered | NotNow:
        """Hand over one call and ask what became of it; `alive` is called before each question."""
        handle = await self._guarded(lambda: catalogue.push(requests))
        if isinstance(handle, (Unanswered, NotNow)):
            return handle
        for seconds in ASKED_AFTER:
            await self.pause(seconds)
            await alive()
            told = await self.ask(catalogue, handle)
            if isinstance(told, BatchStatus) and told.is_finished:
                return Outcome(handle=handle, status=told)
            if isinstance(told, NotNow):
                break
        return Outcome(handle=handle, status=None)

    async def ask(self, catalogue: Catalogue, handle: str) -> BatchStatus | Unanswered | NotNow:
        """How far a call was worked off, asked once."""
        return await self._guarded(lambda: catalogue.status(handle))

    async def _guarded(self, call: Callable[[], Awaitable[R]]) -> R | Unanswered | NotNow:
        permit = await self.breakers.ask(BREAKER)
        if permit is None:
            return NotNow.BREAKER
        try:
            answer = await call()
        except CatalogueError as error:
            await self.breakers.tell(permit, well=not error.failure.blames_service)
            return await self._refused(error)
        await self.breakers.tell(permit, well=True)
        if await self.database.read(lambda uow: uow.options.get(STOPPED)) is not None:
            await self.database.transact(lambda uow: stops.lift(uow, STOPPED))
        return answer

    async def _refused(self, error: CatalogueError) -> Unanswered | NotNow:
        """A throttle or a stop opens the breaker for a while; anything else is the row's to try again."""
        if error.failure.uses_attempt:
            return Unanswered(error=error.line, is_final=error.failure.is_final)
        is_throttle = error.failure in {FailureClass.WAIT_NUMBER, FailureClass.WAIT_PAIR}

        def rest(uow: UnitOfWork) -> None:
            now = self.clock.now()
            self.breakers.rest_in(uow, BREAKER, THROTTLED_FOR if is_throttle else STOPPED_FOR)
            if not is_throttle:
                stops.stop(uow, STOPPED, error.line, None, now=now)

        await self.database.transact(rest)
        return NotNow.THROTTLED if is_throttle else NotNow.STOPPED


def refusals(status: BatchStatus, call: Mapping[str, str | None]) -> dict[str, str]:
    """What a status refuses of the items of this call."""
    return {name: why for name, why in status.refused.items() if name in call}

"""Group commit: deliveries that wait at the same moment share one transaction."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.errors import StoreUnavailableError

R = TypeVar("R")

MOST_TOGETHER = 64
"""How many deliveries one transaction takes at most."""


@attrs.frozen(kw_only=True)
class Needs:
    """What a work will ask for: the customers that it locks, and ids of messages that it looks for."""

    phones: frozenset[str] = frozenset()
    wa_message_ids: frozenset[str] = frozenset()


@attrs.frozen(eq=False)
class _Waiting:
    needs: Callable[[UnitOfWork], Needs]
    apply: Callable[[UnitOfWork], Any]
    answer: "asyncio.Future[Any]"


class Gatherer:
    """Runs works in as few transactions as the moment allows, and adds no wait when nothing else is there.

    While one transaction commits, the works that come are gathered; they are the next one.
    A group that fails is undone whole, and each of its works is run again by itself, so that
    one bad delivery never holds back another.
    """

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._waiting: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None

    async def run(self, needs: Callable[[UnitOfWork], Needs], apply: Callable[[UnitOfWork], R]) -> R:
        """Run one work, alone or in company; its own error is raised here and nowhere else.

        Args:
            needs: what the work will ask for, asked itself at the beginning of the transaction.
            apply: the work; it may run more than once.
        """
        waiting = _Waiting(needs, apply, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        answer: R = await asyncio.shield(waiting.answer)
        return answer

    async def _drain(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
            await self._together(group)

    async def _together(self, group: list[_Waiting]) -> None:
        try:
            answers = await self._database.transact(lambda uow: self._apply(uow, group))
        except StoreUnavailableError as error:
            for one in group:
                _fail(one, error)
        except Exception as error:  # noqa: BLE001 - whatever a work raises is its caller's
            if len(group) == 1:
                _fail(group[0], error)
                return
            for one in group:
                await self._together([one])
        else:
            for one, answer in zip(group, answers, strict=True):
                one.answer.set_result(answer)

    def _apply(self, uow: UnitOfWork, group: list[_Waiting]) -> list[Any]:
        """All customers are locked first, in the order that everybody locks them."""
        needs = [one.needs(uow) for one in group]
        phones = frozenset().union(*(one.phones for one in needs))
        uow.customers.lock_all(phones, now=self._clock.now())
        uow.read_ahead(phones=phones, wa_message_ids=frozenset().union(*(one.wa_message_ids for one in needs)))
        return [one.apply(uow) for one in group]


def _fail(one: _Waiting, error: Exception) -> None:
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed

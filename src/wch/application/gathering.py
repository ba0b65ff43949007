"""Group commit: deliveries that wait at the same moment share one transaction."""

import asyncio
from collections.abc import Callable, Collection
from contextvars import Context, copy_context
from typing import Any, TypeVar

import attrs

from wch.application.ports import Clock, Database, UnitOfWork
from wch.domain.errors import StoreUnavailableError

R = TypeVar("R")

MOST_TOGETHER = 64
"""How many deliveries one transaction takes at most."""

ANSWERED_WITHIN = 12.0
"""Seconds until a caller hears that the store is away, however many wait: providers give up after 20 and more."""


@attrs.frozen(kw_only=True)
class Needs:
    """What a work will ask for.

    Attributes:
        phones: of the customers that it locks.
        wa_message_ids: of messages that it looks for.
    """

    phones: frozenset[str] = frozenset()
    wa_message_ids: frozenset[str] = frozenset()


@attrs.define(eq=False)
class _Waiting:
    people: frozenset[str]
    options: Callable[[UnitOfWork], Collection[str]]
    needs: Callable[[UnitOfWork], Needs]
    apply: Callable[[UnitOfWork], Any]
    answer: "asyncio.Future[Any]"
    context: Context
    was_told: bool = False

    def give_up(self) -> None:
        """Tell who waits that the store is away."""
        self.was_told = True
        _fail(self, StoreUnavailableError())


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

    async def run(
        self,
        people: frozenset[str],
        needs: Callable[[UnitOfWork], Needs],
        apply: Callable[[UnitOfWork], R],
        *,
        options: Callable[[UnitOfWork], Collection[str]] = lambda _uow: (),
    ) -> R:
        """Run one work, alone or in company; its own error is raised here and nowhere else.

        Args:
            people: keys of customers that it will look at, as far as is known before it begins.
            needs: what the work will ask for, asked itself at the beginning of the transaction.
            apply: the work; it may run more than once.
            options: names of those that it will get or remove, asked once the people were looked at.

        Raises:
            StoreUnavailableError: the store did not take it in time; whether it still will is open.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(people, options, needs, apply, loop.create_future(), copy_context())
        self._waiting.append(waiting)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        patience = loop.call_later(ANSWERED_WITHIN, waiting.give_up)
        try:
            answer: R = await waiting.answer
        finally:
            patience.cancel()
        return answer

    async def _drain(self) -> None:
        """One group; the next one is a task of its own, since it belongs to the trace of its own first caller."""
        group, self._waiting = self._waiting[:MOST_TOGETHER], self._waiting[MOST_TOGETHER:]
        # Who was told that the store is away sends it again: it would only be in the way of others.
        await self._together([one for one in group if not one.was_told])
        if self._waiting:
            self._task = asyncio.create_task(self._drain(), context=self._waiting[0].context)

    async def _together(self, group: list[_Waiting]) -> None:
        if not group:
            return
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
                if not one.answer.done():
                    one.answer.set_result(answer)

    def _apply(self, uow: UnitOfWork, group: list[_Waiting]) -> list[Any]:
        """All customers are locked first, in the order that everybody locks them."""
        uow.customers.look_ahead(frozenset().union(*(one.people for one in group)))
        options = {name for one in group for name in one.options(uow)}
        uow.options.look_ahead(options)
        needs = [one.needs(uow) for one in group]
        phones = frozenset().union(*(one.phones for one in needs))
        uow.customers.lock_all(phones, now=self._clock.now())
        uow.options.look_ahead(options)  # again: only from now on nobody else changes them
        uow.read_ahead(phones=phones, wa_message_ids=frozenset().union(*(one.wa_message_ids for one in needs)))
        return [one.apply(uow) for one in group]


def _fail(one: _Waiting, error: Exception) -> None:
    if one.answer.done():
        return
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed

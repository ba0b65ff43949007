"""Group commit: deliveries that wait at the same moment share one transaction."""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from contextvars import Context, copy_context
from itertools import chain
from typing import Any, Protocol, TypeVar

import attrs

from wch.application.ports import Clock, Database, Said, UnitOfWork
from wch.domain.errors import StoreUnavailableError

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

MOST_TOGETHER = 64
"""How many deliveries one transaction takes at most."""

ANSWERED_WITHIN = 12.0
"""Seconds until a caller hears that the store is away, however many wait: providers give up after 20 and more."""


class Work(Protocol[R_co]):
    """What a caller wants done, alone or in company; each of its methods may run more than once.

    Attributes:
        people: keys of customers that it will look at, as far as is known before it begins.
        wa_message_ids: of the messages that it brings.
    """

    @property
    def people(self) -> frozenset[str]: ...  # noqa: D102 - see the class

    @property
    def wa_message_ids(self) -> frozenset[str]: ...  # noqa: D102 - see the class

    def settled(self, known: Mapping[str, Said]) -> R_co | None:
        """Its answer, if what is known of messages says that nothing is to be done; else None."""
        ...

    def options(self, uow: UnitOfWork) -> Collection[str]:
        """Names of the options that it will get or remove, asked once the people were looked at."""
        ...

    def phones(self, uow: UnitOfWork) -> Collection[str]:
        """Keys of the customers that it locks."""
        ...

    def apply(self, uow: UnitOfWork) -> R_co:
        """Do it."""
        ...


@attrs.define(eq=False)
class _Waiting:
    work: Work[Any]
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

    async def run(self, work: Work[R]) -> R:
        """Run one work, alone or in company; its own error is raised here and nowhere else.

        Raises:
            StoreUnavailableError: the store did not take it in time; whether it still will is open.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(work, loop.create_future(), copy_context())
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
        """Who brings only what is known is answered at once; of the others all customers are locked first, in the order that everybody locks them."""
        works = [one.work for one in group]
        known = uow.messages.look_ahead(_all(one.wa_message_ids for one in works))
        settled = [one.settled(known) if known else None for one in works]
        left = [one for one, answer in zip(works, settled, strict=True) if answer is None]
        if left:
            self._prepare(uow, left)
        return [one.apply(uow) if answer is None else answer for one, answer in zip(works, settled, strict=True)]

    def _prepare(self, uow: UnitOfWork, works: list[Work[Any]]) -> None:
        uow.customers.look_ahead(_all(one.people for one in works))
        options = _all(one.options(uow) for one in works)
        uow.options.look_ahead(options)
        phones = _all(one.phones(uow) for one in works)
        uow.customers.lock_all(phones, now=self._clock.now())
        uow.options.look_ahead(options)  # again: only from now on nobody else changes them
        uow.read_ahead(phones=phones)


def _all(of_each: Iterable[Iterable[str]]) -> frozenset[str]:
    return frozenset(chain.from_iterable(of_each))


def _fail(one: _Waiting, error: Exception) -> None:
    if one.answer.done():
        return
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed

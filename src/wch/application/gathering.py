"""Group commit: deliveries that wait at the same moment share one transaction."""

import asyncio
import math
from collections import deque
from collections.abc import Collection, Mapping
from contextvars import Context, copy_context
from itertools import chain
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import attrs

from wch.application.ports import Clock, Database, Said, UnitOfWork
from wch.domain.errors import StoreUnavailableError

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

MOST_TOGETHER = 64
"""How many deliveries one transaction takes at most."""

TURNS_FOR_MORE = 3
"""Turns of the loop in which nobody comes end a group: answers leave in one, in the next is read what they called for, and in the third it waits."""

ANSWERED_WITHIN = 12.0
"""Seconds until a caller hears that the store is away, however many wait: providers give up after 20 and more."""


class Work(Protocol[R_co]):
    """What a caller wants done, alone or in company; each of its methods may run more than once.

    Attributes:
        people: keys of customers that it will look at, as far as is known before it begins.
        wa_message_ids: of the messages that it brings.
    """

    @property
    def people(self) -> Collection[str]: ...  # noqa: D102 - see the class

    @property
    def wa_message_ids(self) -> Collection[str]: ...  # noqa: D102 - see the class

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
    """A work and who waits for it.

    Attributes:
        deadline: on the loop's clock; from then on the caller has heard that the store is away.
    """

    work: Work[Any]
    answer: "asyncio.Future[Any]"
    deadline: float
    was_told: bool = False


@attrs.define(eq=False)
class _Group:
    """What one transaction takes.

    Attributes:
        context: where its first caller stood.
    """

    context: Context
    waiting: list[_Waiting]


class Gatherer:
    """Runs works in as few transactions as the moment allows, and adds no wait when nothing else is there.

    While one transaction commits, the works that come are gathered; they are the next one. Where
    there was company a moment ago, a group begins once a few turns of the loop bring nobody more.
    A group that fails is undone whole, and each of its works is run again by itself, so that
    one bad delivery never holds back another.
    """

    def __init__(self, *, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._groups: deque[_Group] = deque()
        self._running: list[_Waiting] = []
        self._were_many = False
        self._task: asyncio.Task[None] | None = None
        self._look_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Work[R]) -> R:
        """Run one work, alone or in company; its own error is raised here and nowhere else.

        Raises:
            StoreUnavailableError: the store did not take it in time; whether it still will is open.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        deadline = loop.time() + ANSWERED_WITHIN
        groups = self._groups
        if groups and len(groups[-1].waiting) < MOST_TOGETHER:
            groups[-1].waiting.append(_Waiting(work, answer, deadline))
        else:
            groups.append(_Group(copy_context(), [_Waiting(work, answer, deadline)]))
        if self._task is None or self._task.done():
            self._begin()
        if deadline < self._look_at:
            self._watch(deadline)
        return await answer

    def _watch(self, deadline: float) -> None:
        """Look at the latest then: one timer for all, since hardly anybody ever waits so long."""
        self._look_at = deadline
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._look)

    def _look(self) -> None:
        """Tell those whose time is over that the store is away, the one whose was over first before the others."""
        now = asyncio.get_running_loop().time()
        left = math.inf
        waiting = chain(self._running, *(group.waiting for group in self._groups))
        for one in sorted(waiting, key=attrgetter("deadline")):
            if one.deadline > now:
                left = min(left, one.deadline)
            elif not one.was_told:
                one.was_told = True
                _fail(one, StoreUnavailableError())
        self._rest()
        if left < math.inf:
            self._watch(left)

    def _rest(self) -> None:
        """Nobody waits who is to be looked at."""
        self._look_at = math.inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _drain(self) -> None:
        """One group; the next one is a task of its own, since it belongs to the trace of its own first caller."""
        if self._were_many:
            await self._filled(self._groups[0].waiting)
        # Who was told that the store is away sends it again: it would only be in the way of others.
        self._running = [one for one in self._groups.popleft().waiting if not one.was_told]
        await self._together(self._running)
        self._were_many = len(self._running) > 1
        self._running = []
        if self._groups:
            self._begin()
        else:
            self._rest()

    async def _filled(self, waiting: list[_Waiting]) -> None:
        """Let in who comes at this moment, as long as somebody does: those just answered come again at once."""
        before = 0
        while before < len(waiting) < MOST_TOGETHER:
            before = len(waiting)
            for _ in range(TURNS_FOR_MORE):
                await asyncio.sleep(0)

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._drain(), context=self._groups[0].context)

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
        """Who brings only what is known is answered at once; the others are run, and each answer stands in its place."""
        works = [one.work for one in group]
        known = uow.messages.look_ahead(frozenset([one for work in works for one in work.wa_message_ids]))
        if not known:
            return self._run(uow, works)
        settled = [one.settled(known) for one in works]
        ran = iter(self._run(uow, [one for one, answer in zip(works, settled, strict=True) if answer is None]))
        return [next(ran) if answer is None else answer for answer in settled]

    def _run(self, uow: UnitOfWork, works: list[Work[Any]]) -> list[Any]:
        """All customers are locked first, in the order that everybody locks them."""
        if not works:
            return []
        uow.customers.look_ahead(frozenset([one for work in works for one in work.people]))
        options = frozenset([one for work in works for one in work.options(uow)])
        if options:
            uow.options.look_ahead(options)
        phones = frozenset([one for work in works for one in work.phones(uow)])
        uow.customers.lock_all(phones, now=self._clock.now())
        if options:
            uow.options.look_ahead(options)  # again: only from now on nobody else changes them
        uow.read_ahead(phones=phones)
        return [one.apply(uow) for one in works]


def _fail(one: _Waiting, error: Exception) -> None:
    if one.answer.done():
        return
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed

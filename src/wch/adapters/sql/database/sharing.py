"""Group commit: works that wait at the same moment share one transaction of SQLite, which has one writer anyway."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from wch.adapters.sql.database import engines, faults
from wch.adapters.sql.direct import cursor_of
from wch.domain.errors import StoreMisusedError, StoreUnavailableError, WchError

R = TypeVar("R")
Work = Callable[[Connection], Any]

MOST_TOGETHER = 64
"""How many works one commit takes at most: whoever is first in it waits for the last."""


class Tries(Protocol):
    """Runs a work as one transaction until it is through, its error is final, or the deadline is over."""

    def __call__(self, work: Callable[[Connection], R], *, write: bool, deadline: float) -> Awaitable[R]:
        """What the work returned."""
        ...


@attrs.define(eq=False)
class _Waiting:
    """A work and who waits for it.

    Attributes:
        deadline: on the loop's clock.
        is_begun: a transaction runs it at this moment, or did.
        is_late: its deadline is over; if nobody had begun it by then, nobody will.
    """

    work: Work
    answer: "asyncio.Future[Any]"
    deadline: float
    is_begun: bool = False
    is_late: bool = False


@attrs.frozen
class _Raised:
    """What became of a work that was undone alone."""

    error: Exception


class _TakenApartError(Exception):
    """A work took the transaction away from the others: each is run again by itself."""


class SharedCommits:
    """Runs works in as few commits as the moment allows, and adds no wait when nothing else is there.

    While one transaction commits, the works that come are gathered; they are the next one. Each has a
    savepoint: one that raises is undone alone. If the engine fails under one of them, all is undone
    and each is run again by itself.
    """

    def __init__(
        self,
        *,
        gate: asyncio.Semaphore,
        tries: Tries,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
    ) -> None:
        self._gate = gate
        self._tries = tries
        self._spawn = spawn
        self._waiting: deque[_Waiting] = deque()
        self._group: list[_Waiting] = []
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, work: Callable[[Connection], R], *, within: float) -> R:
        """Run one work, alone or in company; a caller who leaves does not tear it.

        Raises:
            StoreUnavailableError: its turn did not come within so many seconds, or the engine did not answer.
        """
        loop = asyncio.get_running_loop()
        one = _Waiting(work, loop.create_future(), loop.time() + within)
        self._waiting.append(one)
        if self._task is None or self._task.done():
            self._task = self._spawn(self._drain())
        self._watch(one.deadline)
        answer: R = await one.answer
        return answer

    def _watch(self, deadline: float) -> None:
        """Look at the latest then: one timer for all, since hardly any of them is ever late."""
        if self._timer is not None and self._timer.when() <= deadline:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for one in (*self._group, *self._waiting):
            if one.deadline <= now:
                _late(one)
            elif not one.answer.done():
                self._watch(one.deadline)

    async def _drain(self) -> None:
        while self._waiting:
            async with self._gate:
                group: list[_Waiting] = []
                while self._waiting and len(group) < MOST_TOGETHER:
                    one = self._waiting.popleft()
                    if not one.is_late:
                        one.is_begun = True
                        group.append(one)
                if group:
                    self._group = group
                    await self._together(group)
        self._group = []
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _together(self, group: list[_Waiting]) -> None:
        """One transaction for all; whoever waits for one of them hears of it."""
        work = group[0].work if len(group) == 1 else lambda connection: _each(connection, group)
        try:
            told = await self._tries(work, write=True, deadline=max(one.deadline for one in group))
        except _TakenApartError:
            for one in group:
                await self._together([one])
        except BaseException as error:
            for one in group:
                _fail(one, error)
            if not isinstance(error, Exception):
                raise
        else:
            for one, answer in zip(group, [told] if len(group) == 1 else told, strict=True):
                if isinstance(answer, _Raised):
                    _fail(one, answer.error)
                elif not one.answer.done():
                    one.answer.set_result(answer)


def _each(connection: Connection, group: list[_Waiting]) -> list[Any]:
    """Run each in a savepoint of its own.

    Raises:
        _TakenApartError: the engine undid more than one of them, or asks for another try.
    """
    cursor = cursor_of(connection)
    answers: list[Any] = []
    for one in group:
        cursor.execute("SAVEPOINT shared")
        try:
            answer = one.work(connection)
        except Exception as error:
            if isinstance(error, (DBAPIError, sqlite3.Error)) and faults.may_redo(error):
                raise _TakenApartError from error
            try:
                cursor.execute("ROLLBACK TO shared")
            except sqlite3.Error:
                raise _TakenApartError from error
            answer = _Raised(_own(error))
        cursor.execute("RELEASE shared")
        answers.append(answer)
    return answers


def _own(error: Exception) -> Exception:
    """A work's error as its caller hears it, as from a transaction of its own."""
    if isinstance(error, (DBAPIError, sqlite3.Error)):
        told = faults.final(error)
        told.__cause__ = error if faults.may_show(error) else None
        return told
    if isinstance(error, StatementError):
        return error.orig if isinstance(error.orig, WchError) else StoreMisusedError()
    return error


def _late(one: _Waiting) -> None:
    """Its time is over: it is not begun any more, and one that runs is given one lock wait."""
    if one.answer.done() or one.is_late:
        return
    one.is_late = True
    if one.is_begun:
        asyncio.get_running_loop().call_later(engines.LOCK_WAIT_SECONDS, _give_up, one)
    else:
        _give_up(one)


def _give_up(one: _Waiting) -> None:
    _fail(one, StoreUnavailableError())


def _fail(one: _Waiting, error: BaseException) -> None:
    if one.answer.done():
        return
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed


__all__ = ["MOST_TOGETHER", "SharedCommits"]

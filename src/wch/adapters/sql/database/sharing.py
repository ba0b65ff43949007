"""Group commit: works that wait at the same moment share one transaction of SQLite, which has one writer anyway."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import attrs
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, StatementError

from wch.adapters.sql.database import engines, faults
from wch.adapters.sql.direct import cursor_of
from wch.adapters.sql.keeping import Kept
from wch.domain.errors import StoreMisusedError, StoreUnavailableError, WchError

R = TypeVar("R")
Work = Callable[[Connection], Any]
Then = Callable[[Any, BaseException | None], None]
"""Hears on the loop what a work returned, or the error that is final."""

Each = Callable[[Connection, "list[_Waiting]"], list[Any]]
"""Runs all works of a group in one transaction."""

MOST_TOGETHER = 64
"""How many works one commit takes at most: whoever is first in it waits for the last."""


class Begins(Protocol):
    """Begins a work as one transaction, which runs until it is through, its error is final, or the deadline is over."""

    def __call__(self, work: Work, then: Then, *, deadline: float, makes_file: bool) -> None:
        """What came of it is told; `makes_file`: the file need not be there yet."""
        ...


@attrs.define(eq=False)
class _Waiting:
    """A work and who waits for it.

    Attributes:
        deadline: on the loop's clock.
        is_alone: no other work may be in its transaction.
        is_begun: a transaction runs it at this moment, or did.
        is_late: its deadline is over; if nobody had begun it by then, nobody will.
    """

    work: Work
    answer: "asyncio.Future[Any]"
    deadline: float
    is_alone: bool = False
    is_begun: bool = False
    is_late: bool = False


@attrs.frozen
class _Raised:
    """What became of a work that was undone alone."""

    error: Exception


class _TakenApartError(Exception):
    """A work took the transaction away from the others: each is run again by itself."""


class _UndoneError(Exception):
    """A work raised that nothing keeps apart from the others: all are run again, each in a savepoint."""


class SharedCommits:
    """Runs works in as few commits as the moment allows, one after another, and adds no wait when nothing else is there.

    While one transaction commits, the works that come are gathered; they are the next one. If one of
    them raises, all are run again, each in a savepoint, and it is undone alone. If the engine fails
    under one of them, all is undone and each is run again by itself. Nothing of it is a task: whoever
    is cancelled only stops waiting.
    """

    def __init__(self, begin: Begins) -> None:
        self._begin = begin
        self._loop: asyncio.AbstractEventLoop | None = None
        self._forget()

    def _forget(self) -> None:
        """Begin anew: a loop that ended with works under way left nobody who waits for them."""
        self._waiting: deque[_Waiting] = deque()
        self._group: list[_Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[Connection], R], *, within: float, alone: bool = False) -> R:
        """Run one work, in company unless it must be `alone`; a caller who leaves does not tear it.

        Raises:
            StoreUnavailableError: its turn did not come within so many seconds, or the engine did not answer.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._forget()
            self._loop = loop
        one = _Waiting(work, loop.create_future(), loop.time() + within, alone)
        self._waiting.append(one)
        if self._idle.is_set():
            self._idle.clear()
            # Not at once: what else comes in this turn of the loop goes along.
            loop.call_soon(self._next)
        self._watch(one.deadline)
        answer: R = await one.answer
        return answer

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing runs, on this loop."""
        return self._idle.is_set() or self._loop is not asyncio.get_running_loop()

    async def settled(self) -> None:
        """Wait until it is idle."""
        if not self.is_idle:
            await self._idle.wait()

    def close(self) -> None:
        """Look at no clock any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, deadline: float) -> None:
        """Look at the latest then: one timer for all, left where it is, since hardly any of them is ever late."""
        if self._timer is not None and self._timer.when() <= deadline:
            return
        self.close()
        self._timer = asyncio.get_running_loop().call_at(deadline, self._look)

    def _look(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for one in (*self._group, *self._waiting):
            if one.deadline <= now:
                _late(one)
            elif not one.answer.done():
                self._watch(one.deadline)

    def _next(self) -> None:
        """Begin what waits, as many as may go together; one whose time is over is left out."""
        group: list[_Waiting] = []
        while self._waiting and len(group) < MOST_TOGETHER:
            if group and (self._waiting[0].is_alone or group[0].is_alone):
                break
            one = self._waiting.popleft()
            if not one.is_late:
                one.is_begun = True
                group.append(one)
        self._group = group
        if group:
            self._together(group, self._next, _each)
        else:
            self._idle.set()

    def _together(self, group: list[_Waiting], then: Callable[[], None], each: Each) -> None:
        """One transaction for all; whoever waits for one of them hears of it, and `then` what follows is begun."""

        def told(answers: Any, error: BaseException | None) -> None:
            if isinstance(error, _UndoneError):
                self._together(group, then, _each_apart)
                return
            if isinstance(error, _TakenApartError):
                self._one_by_one(deque(group), then)
                return
            if error is None:
                for one, answer in zip(group, [answers] if len(group) == 1 else answers, strict=True):
                    _tell(one, answer)
            else:
                for one in group:
                    _fail(one, error)
            then()
            if error is not None and not isinstance(error, Exception):
                raise error

        work = group[0].work if len(group) == 1 else lambda connection: each(connection, group)
        deadline = max(one.deadline for one in group)
        self._begin(work, told, deadline=deadline, makes_file=group[0].is_alone)

    def _one_by_one(self, group: deque[_Waiting], then: Callable[[], None]) -> None:
        if group:
            self._together([group.popleft()], lambda: self._one_by_one(group, then), _each)
        else:
            then()


def _each(connection: Connection, group: list[_Waiting]) -> list[Any]:
    """Run each, with nothing between them: hardly any raises.

    Raises:
        _UndoneError: one did.
        _TakenApartError: the engine undid more than that one, or asks for another try.
    """
    driver = connection.connection.driver_connection
    answers: list[Any] = []
    for one in group:
        try:
            answers.append(one.work(connection))
        except Exception as error:
            if _may_redo(error) or not _is_open(driver):
                raise _TakenApartError from error
            raise _UndoneError from error
        if not _is_open(driver):
            raise _TakenApartError
    return answers


def _each_apart(connection: Connection, group: list[_Waiting]) -> list[Any]:
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
            if _may_redo(error):
                raise _TakenApartError from error
            try:
                cursor.execute("ROLLBACK TO shared")
                Kept.of(connection).forget()
            except sqlite3.Error:
                raise _TakenApartError from error
            answer = _Raised(_own(error))
        cursor.execute("RELEASE shared")
        answers.append(answer)
    return answers


def _is_open(driver: Any) -> bool:
    """Whether the transaction is still there: what ran after its end would be committed statement by statement."""
    try:
        return bool(driver.in_transaction)
    except (ValueError, sqlite3.Error):
        return False  # nor is the connection


def _may_redo(error: Exception) -> bool:
    return isinstance(error, (DBAPIError, sqlite3.Error)) and faults.may_redo(error)


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


def _tell(one: _Waiting, answer: Any) -> None:
    if isinstance(answer, _Raised):
        _fail(one, answer.error)
    elif not one.answer.done():
        one.answer.set_result(answer)


def _fail(one: _Waiting, error: BaseException) -> None:
    if one.answer.done():
        return
    one.answer.set_exception(error)
    one.answer.exception()  # read, so that a caller who left is not missed


__all__ = ["MOST_TOGETHER", "SharedCommits"]

"""aiosqlite's own threads: each connection has one, and a whole transaction goes there in one way and comes back."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from sqlalchemy.pool import PoolProxiedConnection

from wch.adapters.sql.direct import CURSOR

R = TypeVar("R")

_LENT = "wch_lent"
"""The name under which a connection of the pool knows itself as its thread sees it."""


class Lent(PoolProxiedConnection):
    """The connection of the driver beneath aiosqlite, as SQLAlchemy takes it, on the thread that it lives on.

    Whoever has lent it gives it back: to close it here is nothing.
    """

    def __init__(self, driver: Any) -> None:
        self.dbapi_connection = self.driver_connection = self._driver = driver
        self._is_valid = True
        self._info = {CURSOR: driver.cursor()}

    @property
    def info(self) -> dict[str, Any]:
        """What is known of it: the driver's cursor."""
        return self._info

    def cursor(self, *asked: Any, **named: Any) -> Any:
        """A cursor of the driver's."""
        return self._driver.cursor(*asked, **named)

    def commit(self) -> None:
        """Commit what is open."""
        self._driver.commit()

    def rollback(self) -> None:
        """Undo what is open."""
        self._driver.rollback()

    @property
    def is_valid(self) -> bool:
        """Whether it may be used again."""
        return self._is_valid

    @property
    def is_detached(self) -> bool:
        """It is its pool's."""
        return False

    def invalidate(self, e: BaseException | None = None, soft: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - as SQLAlchemy calls it
        """It is not used again."""
        self._is_valid = False

    def close(self) -> None:
        """Nothing: it is given back by whoever lent it."""


class _There:
    """One connection of the pool, and the thread that it lives on."""

    def __init__(self, outer: AsyncConnection) -> None:
        self.outer = outer
        self._engine = outer.sync_engine
        pooled: Any = outer.sync_connection
        self._known = pooled.info
        self._driver: Any = pooled.connection.driver_connection
        self._connection: Connection | None = None

    async def run(self, work: Callable[[Connection], R]) -> R:
        """What the work returns or raises."""
        try:
            result, error = await self._driver._execute(self._run, work)  # noqa: SLF001 - it has no public name
        except ValueError as closed:
            # The driver's word for a connection that was closed.
            await self.outer.invalidate()
            dialect = self._engine.dialect
            lost = dialect.loaded_dbapi.OperationalError(str(closed))
            raise DBAPIError.instance(None, None, lost, dialect.loaded_dbapi.Error, dialect=dialect) from closed
        if self._connection is None or self._connection.invalidated:
            await self.outer.invalidate()
        if error is not None:
            raise error
        answer: R = result
        return answer

    def _run(self, work: Callable[[Connection], R]) -> tuple[R | None, BaseException | None]:
        """On the thread: no future takes every error that a work may raise, so it comes back as an answer."""
        try:
            connection = self._connection
            if connection is None or connection.in_transaction():
                # Where SQLAlchemy has begun one of its own, the next would not be as on a new connection.
                connection = self._connection = Connection(self._engine, self._lent())
            return work(connection), None
        except BaseException as raised:  # noqa: BLE001 - whatever it is, whoever waits hears of it
            return None, raised

    def _lent(self) -> Lent:
        known: Lent | None = self._known.get(_LENT)
        if known is None:
            known = self._known[_LENT] = Lent(self._driver._conn)  # noqa: SLF001 - what runs there needs what lives there
        return known


class Driven:
    """Runs works on the threads of an asynchronous engine's connections.

    The connection that writes is kept between transactions while all goes well: to take it from the pool
    and give it back costs as much as a short transaction.

    Attributes:
        keeps: whether it is; what is a host's goes back each time, since the host may dispose of it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: _There | None = None
        self.keeps = True

    @property
    def is_idle(self) -> bool:
        """Whether one is kept, and nothing runs on it."""
        return self._kept is not None

    async def run(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """What the work returns or raises; writers come one at a time, and no work leaves a transaction open."""
        there = None
        if write:
            there, self._kept = self._kept, None
        if there is None:
            there = _There(await self._engine.connect())
        is_kept = False
        try:
            result = await there.run(work)
            is_kept = write and self.keeps and not there.outer.invalidated
        finally:
            if is_kept:
                self._kept = there
            else:
                await asyncio.shield(there.outer.close())
        return result

    async def give_back(self) -> None:
        """Keep none."""
        there, self._kept = self._kept, None
        if there is not None:
            await there.outer.close()


__all__ = ["Driven", "Lent"]

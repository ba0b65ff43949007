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


class Driven:
    """Runs works on the threads of an asynchronous engine's connections.

    The connection that writes is kept between transactions while all goes well: to take it from the pool
    and give it back costs as much as a short transaction.

    Attributes:
        keeps: whether it is; what is a host's goes back each time, since the host may dispose of it.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._kept: AsyncConnection | None = None
        self.keeps = True

    @property
    def is_idle(self) -> bool:
        """Whether one is kept, and nothing runs on it."""
        return self._kept is not None

    async def run(self, work: Callable[[Connection], R], *, write: bool) -> R:
        """What the work returns or raises; writers come one at a time, and no work leaves a transaction open."""
        outer = None
        if write:
            outer, self._kept = self._kept, None
        outer = outer or await self._engine.connect()
        went_well = False
        try:
            result = await _there(outer, work)
            went_well = True
        finally:
            if went_well and write and self.keeps:
                self._kept = outer
            else:
                await asyncio.shield(outer.close())
        return result

    async def give_back(self) -> None:
        """Keep none."""
        outer, self._kept = self._kept, None
        if outer is not None:
            await outer.close()


async def _there(outer: AsyncConnection, work: Callable[[Connection], R]) -> R:
    """Run a work on the thread of this connection."""
    engine = outer.sync_engine
    driver: Any = (await outer.get_raw_connection()).driver_connection
    known = outer.info

    def there() -> tuple[R | None, BaseException | None]:
        lent = known.get(_LENT)
        if lent is None:
            lent = known[_LENT] = Lent(driver._conn)  # noqa: SLF001 - what runs on this thread needs what lives there
        try:
            return work(Connection(engine, lent)), None
        except BaseException as raised:  # noqa: BLE001 - whatever it is, whoever waits hears of it
            return None, raised

    try:
        result, error = await driver._execute(there)  # noqa: SLF001 - it has no public name
    except ValueError as closed:
        # The driver's word for a connection that was closed.
        await outer.invalidate()
        dbapi = engine.dialect.loaded_dbapi
        lost = dbapi.OperationalError(str(closed))
        raise DBAPIError.instance(None, None, lost, dbapi.Error, dialect=engine.dialect) from closed
    if _LENT in known and not known[_LENT].is_valid:
        await outer.invalidate()
    if error is not None:
        raise error
    answer: R = result
    return answer


__all__ = ["Driven", "Lent"]

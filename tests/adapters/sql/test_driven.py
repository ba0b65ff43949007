"""Whole works on the thread of each connection of aiosqlite: what comes back, what is kept, what is given up."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tests.adapters.sql.conftest import NOON
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.sql.database.driven import Driven
from wch.domain.errors import StoreUnavailableError


class _Pool:
    """An engine that tells how often a connection was taken from it."""

    def __init__(self, path: Path) -> None:
        self.engine: AsyncEngine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        self.taken = 0
        event.listen(self.engine.sync_engine, "checkout", self._count)

    def _count(self, *_about: object) -> None:
        self.taken += 1

    @property
    def out(self) -> int:
        pool: Any = self.engine.pool
        return int(pool.checkedout())


@pytest.fixture
async def pool(tmp_path: Path) -> AsyncIterator[_Pool]:
    made = _Pool(tmp_path / "driven.db")
    yield made
    await made.engine.dispose()


def _seven(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 7")).scalar_one())


def _stop(_connection: Connection) -> None:
    raise StopIteration


async def test_a_work_runs_on_the_drivers_thread_and_its_answer_comes_back(pool: _Pool) -> None:
    """SQLAlchemy's statements are taken there as everywhere."""
    driven = Driven(pool.engine)

    seven = await driven.run(_seven, write=False)
    there = await driven.run(lambda _connection: threading.get_ident(), write=False)

    assert seven == 7
    assert there != threading.get_ident()
    assert pool.out == 0


async def test_the_writers_connection_is_taken_once_and_readers_give_theirs_back(pool: _Pool) -> None:
    """It counts as nobody's between two works, and goes back when it is asked for."""
    driven = Driven(pool.engine)
    for _ in range(3):
        await driven.run(_seven, write=True)
    assert (pool.taken, driven.is_idle, pool.out) == (1, True, 1)

    await driven.run(_seven, write=False)
    assert (pool.taken, pool.out) == (2, 1)

    await driven.give_back()
    assert (driven.is_idle, pool.out) == (False, 0)


async def test_it_is_not_idle_while_a_work_runs(pool: _Pool) -> None:
    """Then it is one of those that are out."""
    driven = Driven(pool.engine)
    await driven.run(_seven, write=True)

    assert await driven.run(lambda _connection: driven.is_idle, write=True) is False


@pytest.mark.parametrize(
    ("work", "error"),
    [(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")), OperationalError), (_stop, RuntimeError)],
    ids=["the driver's", "one that no future takes"],
)
async def test_after_an_error_it_goes_back(pool: _Pool, work: Any, error: type[Exception]) -> None:
    """Nobody knows in what state it is; whoever comes next begins as with a new one."""
    driven = Driven(pool.engine)

    with pytest.raises(error):
        await driven.run(work, write=True)

    assert (pool.out, driven.is_idle) == (0, False)
    assert await driven.run(_seven, write=True) == 7
    await driven.give_back()


@pytest.mark.parametrize("raises", [True, False])
async def test_one_that_was_cut_is_not_used_again(pool: _Pool, *, raises: bool) -> None:
    """The next work gets another, which is whole, whatever became of that one."""
    driven = Driven(pool.engine)
    made: list[object] = []
    event.listen(pool.engine.sync_engine, "connect", lambda connection, _record: made.append(connection))

    def cut(connection: Connection) -> None:
        connection.invalidate()
        assert connection.invalidated
        if raises:
            raise ConnectionError

    with pytest.raises(ConnectionError) if raises else contextlib.nullcontext():
        await driven.run(cut, write=True)

    assert await driven.run(_seven, write=True) == 7
    assert len(made) == 2
    await driven.give_back()


async def test_who_is_cancelled_tears_nothing(pool: _Pool) -> None:
    """The work comes to its end on its thread before its connection is anybody else's."""
    driven = Driven(pool.engine)
    begun, goes_on = threading.Event(), threading.Event()

    def work(connection: Connection) -> None:
        connection.exec_driver_sql("CREATE TABLE kept (word TEXT)")
        begun.set()
        goes_on.wait(10)
        connection.exec_driver_sql("INSERT INTO kept VALUES ('a')")
        connection.commit()

    caller = asyncio.create_task(driven.run(work, write=True))
    await asyncio.to_thread(begun.wait)
    caller.cancel()
    asyncio.get_running_loop().call_soon(goes_on.set)
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert (
        await driven.run(lambda inner: inner.exec_driver_sql("SELECT word FROM kept").scalar_one(), write=True) == "a"
    )
    await driven.give_back()


async def test_a_connection_whose_driver_was_closed_counts_as_lost(pool: _Pool) -> None:
    """The driver says so by a plain ValueError, which would look like our own mistake; a work's own stays what it is."""
    driven = Driven(pool.engine)

    def wrong(_connection: Connection) -> None:
        message = "no such thing"
        raise ValueError(message)

    with pytest.raises(ValueError, match="no such thing"):
        await driven.run(wrong, write=True)
    await driven.run(_seven, write=True)
    kept: Any = driven._kept  # noqa: SLF001 - what was kept
    await (await kept.outer.get_raw_connection()).driver_connection.close()
    with pytest.raises(DBAPIError):
        await driven.run(_seven, write=True)

    assert await driven.run(_seven, write=True) == 7
    await driven.give_back()


async def test_a_database_whose_driver_was_closed_is_unavailable_and_then_there_again(tmp_path: Path) -> None:
    """Nothing of the work was done, and nothing has to be opened anew by hand."""
    database = SqlDatabase.open(f"sqlite+aiosqlite:///{tmp_path / 'own.db'}", now=lambda: NOON, token=lambda: "0" * 32)
    await schema.upgrade(database)
    driven: Any = database._driven  # noqa: SLF001 - as above
    await (await driven._kept.outer.get_raw_connection()).driver_connection.close()  # noqa: SLF001 - as above

    with pytest.raises(StoreUnavailableError):
        await database.within(timedelta(0)).transact(lambda uow: uow.options.put("x", {"v": 1}))
    await database.transact(lambda uow: uow.options.put("y", {"v": 1}))

    assert await database.read(lambda uow: [uow.options.get(name) for name in "xy"]) == [None, {"v": 1}]
    await database.aclose()
    assert database.connections_out == 0


async def test_a_hosts_connection_goes_back_each_time(tmp_path: Path) -> None:
    """It may dispose of its engine when it likes."""
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path / 'host.db'}")
    database = SqlDatabase.over(engine, now=lambda: NOON, token=lambda: "0" * 32)
    await schema.upgrade(database)

    await database.transact(lambda uow: uow.options.put("x", {"v": 1}))

    pool: Any = engine.pool
    assert pool.checkedout() == 0
    await database.aclose()
    await engine.dispose()

"""Works that wait at the same moment share a commit of SQLite, and nothing else."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from tests.adapters.sql.conftest import KEPT, NOON, Opened
from wch.adapters.sql import SqlDatabase, schema
from wch.application.failpoints import Failpoints
from wch.application.ports import UnitOfWork
from wch.domain.errors import ReadOnlyError, StoreUnavailableError


class _Counting:
    """A failpoint that counts how often each place is passed."""

    def __init__(self) -> None:
        self.passed: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed.append(name)


@pytest.fixture(params=["aiosqlite", "pysqlite"])
async def counted(request: pytest.FixtureRequest, tmp_path: Path, opened: Opened) -> tuple[SqlDatabase, _Counting]:
    counting = _Counting()
    database = opened(f"sqlite+{request.param}:///{tmp_path / 'hub.db'}", prefix=KEPT, failpoint=counting)
    await schema.upgrade(database)
    counting.passed.clear()
    return database, counting


def _puts(name: str, *, then: Exception | None = None) -> Callable[[UnitOfWork], str]:
    def work(uow: UnitOfWork) -> str:
        uow.options.put(name, {"v": 1})
        if then is not None:
            raise then
        return name

    return work


def _names(uow: UnitOfWork) -> list[str]:
    return [name for name, _ in uow.options.named("x")]


async def test_ten_that_wait_share_one_commit(counted: tuple[SqlDatabase, _Counting]) -> None:
    """Ten forced writes of the disk become one, and everybody hears of their own work."""
    database, counting = counted

    told = await asyncio.gather(*(database.transact(_puts(f"x{number}")) for number in range(10)))

    assert told == [f"x{number}" for number in range(10)]
    assert counting.passed.count("transact.commit") == 1
    assert await database.read(_names) == told


async def test_one_that_raises_is_undone_alone(counted: tuple[SqlDatabase, _Counting]) -> None:
    """Its neighbours' work stands, in the same commit."""
    database, counting = counted

    told = await asyncio.gather(
        database.transact(_puts("x1")),
        database.transact(_puts("x2", then=ReadOnlyError())),
        database.transact(_puts("x3")),
        return_exceptions=True,
    )

    assert (told[0], told[2]) == ("x1", "x3")
    assert isinstance(told[1], ReadOnlyError)
    assert counting.passed.count("transact.commit") == 1
    assert await database.read(_names) == ["x1", "x3"]


async def test_an_error_of_the_engine_is_its_own_works(counted: tuple[SqlDatabase, _Counting]) -> None:
    """It is told as from a transaction of its own, without the statement."""
    database, _ = counted

    def breaks(uow: UnitOfWork) -> None:
        uow.options.put("x2", {"v": 1})
        uow.options._rows.session.execute(text("SELECT 1 FROM nowhere"))  # type: ignore[attr-defined]  # noqa: SLF001 - as no repository would

    told = await asyncio.gather(
        database.transact(_puts("x1")),
        database.transact(breaks),
        database.transact(_puts("x3")),
        return_exceptions=True,
    )

    assert isinstance(told[1], StoreUnavailableError)
    assert await database.read(_names) == ["x1", "x3"]


@pytest.mark.parametrize("undone", [False, True], ids=["busy", "all of it undone"])
async def test_whoever_takes_the_transaction_away_leaves_the_others_whole(
    counted: tuple[SqlDatabase, _Counting], *, undone: bool
) -> None:
    """Each is run again by itself: once, and with what it did before gone."""
    database, counting = counted
    runs: list[int] = []

    def breaks(uow: UnitOfWork) -> int:
        runs.append(len(_names(uow)))
        if len(runs) > 1:
            return len(runs)
        if undone:
            uow.options._rows.session.connection.exec_driver_sql("ROLLBACK")  # type: ignore[attr-defined]  # noqa: SLF001 - as a full disk does
            raise ReadOnlyError
        busy = sqlite3.OperationalError("busy")
        busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("statement", {}, busy)

    told: list[str | int] = [
        *await asyncio.gather(database.transact(_puts("x1")), database.transact(breaks), database.transact(_puts("x3")))
    ]

    assert told == ["x1", 2, "x3"]
    assert runs == [1, 1]
    assert counting.passed.count("transact.commit") == 3
    assert await database.read(_names) == ["x1", "x3"]


async def test_whoever_ends_the_transaction_unnoticed_takes_nothing_along(
    counted: tuple[SqlDatabase, _Counting],
) -> None:
    """What came after it would be committed statement by statement: all is undone, and each is run by itself."""
    database, _ = counted

    def ends(uow: UnitOfWork) -> None:
        uow.options.put("x2", {"v": 1})
        uow.options._rows.session.connection.exec_driver_sql("ROLLBACK")  # type: ignore[attr-defined]  # noqa: SLF001 - as a full disk does

    told = await asyncio.gather(
        database.transact(_puts("x1")),
        database.transact(ends),
        database.transact(_puts("x3")),
        return_exceptions=True,
    )

    assert (told[0], told[2]) == ("x1", "x3")
    assert isinstance(told[1], StoreUnavailableError)
    assert await database.read(_names) == ["x1", "x3"]


def test_works_that_a_loop_left_behind_stop_nobody_on_the_next(tmp_path: Path) -> None:
    """Their commit is made, and nobody waits for it any more."""
    database = SqlDatabase.open(f"sqlite:///{tmp_path / 'hub.db'}", now=lambda: NOON, token=lambda: "0" * 32)
    begun, goes_on = threading.Event(), threading.Event()

    def holds(uow: UnitOfWork) -> None:
        begun.set()
        goes_on.wait(10)
        uow.options.put("x1", {"v": 1})

    async def leave() -> None:
        await schema.upgrade(database)
        for work in (holds, _puts("x2")):
            asyncio.ensure_future(database.transact(work))  # noqa: RUF006 - the loop ends before it does
        await asyncio.get_running_loop().run_in_executor(None, begun.wait)

    async def go_on() -> list[str]:
        goes_on.set()
        await database.transact(_puts("x3"))
        found = await database.read(_names)
        await database.aclose()
        return found

    asyncio.run(leave())

    assert asyncio.run(go_on()) in (["x1", "x2", "x3"], ["x1", "x3"])


async def test_after_a_commit_in_doubt_nobody_is_run_again(tmp_path: Path, opened: Opened) -> None:
    """All hear that the store is away; what was committed is there once."""
    url = f"sqlite:///{tmp_path / 'hub.db'}"
    await schema.upgrade(opened(url, prefix=KEPT))
    database = opened(url, prefix=KEPT, failpoint=Failpoints.read("transact.commit=lose_answer", testing=True))
    runs: list[str] = []

    def counts(name: str) -> Callable[[UnitOfWork], Any]:
        def work(uow: UnitOfWork) -> None:
            runs.append(name)
            uow.options.put(name, {"v": 1})

        return work

    told = await asyncio.gather(
        *(database.transact(counts(name)) for name in ("x1", "x2", "x3")), return_exceptions=True
    )

    assert [type(one) for one in told] == [StoreUnavailableError] * 3
    assert runs == ["x1", "x2", "x3"]
    assert await database.read(_names) == ["x1", "x2", "x3"]


async def test_who_leaves_a_group_tears_nothing(counted: tuple[SqlDatabase, _Counting]) -> None:
    """What was asked for comes to its end, in the commit that it shares."""
    database, _ = counted
    callers = [asyncio.create_task(database.transact(_puts(f"x{number}"))) for number in range(3)]
    await asyncio.sleep(0)

    callers[1].cancel()
    told = await asyncio.gather(*callers, return_exceptions=True)
    await database.settled()

    assert isinstance(told[1], asyncio.CancelledError)
    assert await database.read(_names) == ["x0", "x1", "x2"]

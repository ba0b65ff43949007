"""The connection of the thread that writes is kept while all goes well, and only then."""

from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.exc import OperationalError

from tests.adapters.sql.conftest import NOON
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.sql.database.held import Held
from wch.application.ports import UnitOfWork
from wch.domain.errors import WchError


class _Pool:
    """An engine that tells how often a connection was taken from it."""

    def __init__(self, path: Path) -> None:
        self.engine = create_engine(f"sqlite:///{path}")
        self.taken = 0
        event.listen(self.engine, "checkout", self._count)

    def _count(self, *_about: object) -> None:
        self.taken += 1


@pytest.fixture
def pool(tmp_path: Path) -> _Pool:
    return _Pool(tmp_path / "held.db")


def _nothing(_connection: Connection) -> None:
    """As a transaction that speaks to the driver itself."""


def test_it_is_taken_once(pool: _Pool) -> None:
    """It counts as nobody's between two works, and goes back when it is asked for."""
    held = Held(pool.engine)
    for _ in range(3):
        held.run(_nothing)

    assert (pool.taken, held.is_idle) == (1, True)
    held.give_back()
    assert (pool.engine.pool.checkedout(), held.is_idle) == (0, False)  # type: ignore[attr-defined]  # of this pool


def test_it_is_not_idle_while_a_work_runs(pool: _Pool) -> None:
    """Then it is one of those that are out."""
    held = Held(pool.engine)
    held.run(_nothing)
    seen: list[bool] = []

    held.run(lambda _connection: seen.append(held.is_idle))

    assert seen == [False]


def test_after_an_error_it_goes_back(pool: _Pool) -> None:
    """Nobody knows in what state it is; whoever comes next begins as with a new one."""
    held = Held(pool.engine)

    with pytest.raises(OperationalError):
        held.run(lambda connection: connection.execute(text("SELECT 1 FROM nowhere")))

    assert (pool.engine.pool.checkedout(), held.is_idle) == (0, False)  # type: ignore[attr-defined]  # as above


def test_one_on_which_sqlalchemy_has_begun_something_goes_back(pool: _Pool) -> None:
    """A migration asks whether one is open, and would leave it to somebody who is not there."""
    held = Held(pool.engine)

    assert held.run(lambda connection: connection.execute(text("SELECT 7")).scalar_one()) == 7
    assert held.run(lambda connection: connection.in_transaction()) is False


def test_one_that_was_cut_goes_back(pool: _Pool) -> None:
    """The next work gets another."""
    held = Held(pool.engine)
    held.run(_nothing)

    held.run(lambda connection: connection.invalidate())

    assert held.run(lambda connection: connection.invalidated) is False


async def test_a_hosts_connection_goes_back_each_time(tmp_path: Path) -> None:
    """It may dispose of its engine when it likes."""
    engine = create_engine(f"sqlite:///{tmp_path / 'host.db'}")
    database = SqlDatabase.over(engine, now=lambda: NOON, token=lambda: "0" * 32)
    await schema.upgrade(database)

    await database.transact(lambda uow: uow.options.put("x", {"v": 1}))

    assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # as above
    await database.aclose()
    engine.dispose()


async def test_a_work_that_raises_leaves_the_next_as_it_was(tmp_path: Path) -> None:
    """Undone, and nothing of it stays on the connection that is kept."""
    database = SqlDatabase.open(f"sqlite:///{tmp_path / 'own.db'}", now=lambda: NOON, token=lambda: "0" * 32)
    await schema.upgrade(database)

    for number in range(4):
        await database.transact(lambda uow, name=f"x{number}": uow.options.put(name, {"v": 1}))  # type: ignore[misc]  # bound
        with pytest.raises(WchError):
            await database.transact(_put_and_raise)

    assert len(await database.read(lambda uow: list(uow.options.named("x")))) == 4
    assert await database.read(lambda uow: uow.options.get("y")) is None
    assert database.connections_out == 0
    await database.aclose()


def _put_and_raise(uow: UnitOfWork) -> None:
    uow.options.put("y", {"v": 1})
    raise WchError

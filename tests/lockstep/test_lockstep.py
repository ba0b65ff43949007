"""Memory, SQLite and MariaDB are told the same, and must answer alike: equal values, or equal errors."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any

import attrs
import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from tests.lockstep.commands import Ids, programs, run
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql.database import SqlDatabase
from wch.adapters.sql.schema import upgrade
from wch.application.ports import Database, UnitOfWork
from wch.domain.errors import DuplicateError, WchError
from wch.testing import NOON

pytestmark = pytest.mark.timeout(1800)
"""Many walks of many steps: their number is what is asked for, not their time."""

Program = list[tuple[str, dict[str, Any]]]


class _BoomError(Exception):
    """Raised to have a transaction rolled back."""


@attrs.define
class Store:
    """One of the stores that walk together."""

    name: str
    database: Database
    ids: Ids = attrs.field(factory=Ids)

    async def told(self, program: Program, *, write: bool, answered: bool, ends_well: bool) -> list[Any]:
        """What each command of one transaction answered; what it did is kept only if the transaction is."""
        answers: list[Any] = []
        ids = self.ids

        def work(uow: UnitOfWork) -> None:
            nonlocal ids
            ids = self.ids.copy()
            answers.clear()
            for name, drawn in program:
                try:
                    answers.append(run(name, drawn, uow, ids))
                except (WchError, ValueError) as error:
                    answers.append(_error(error))
                    if not answered:
                        raise
            if not ends_well:
                raise _BoomError

        try:
            await (self.database.transact(work) if write else self.database.read(work))
        except (WchError, ValueError, _BoomError) as error:
            return [*answers, _error(error)]
        self.ids = ids
        return answers


def _error(error: Exception) -> Any:
    key = error.facts.get("key") if isinstance(error, DuplicateError) else None
    return type(error).__name__, key


class Lockstep(RuleBasedStateMachine):
    """Any program over all repositories, on all stores."""

    runner: asyncio.Runner
    sql: Sequence[tuple[str, SqlDatabase]]

    def __init__(self) -> None:
        super().__init__()
        for _, database in self.sql:
            self.runner.run(_emptied(database))
        self.stores = [Store("memory", MemoryDatabase()), *(Store(name, database) for name, database in self.sql)]

    def _told(self, program: Program, **how: bool) -> None:
        first, *others = [self.runner.run(store.told(program, **how)) for store in self.stores]
        for store, answers in zip(self.stores[1:], others, strict=True):
            for place, (here, there) in enumerate(zip_longest(first, answers)):
                named = program[place] if place < len(program) else "the end"
                assert there == here, f"{store.name} answers differently from memory: {named}"

    @rule(program=programs(), answered=st.booleans(), ends_well=st.sampled_from([True, True, True, False]))
    def transact(self, *, program: Program, answered: bool, ends_well: bool) -> None:
        self._told(program, write=True, answered=answered, ends_well=ends_well)

    @rule(program=programs())
    def read(self, *, program: Program) -> None:
        self._told(program, write=False, answered=True, ends_well=True)


def _walking(runner: asyncio.Runner, sql: Sequence[tuple[str, SqlDatabase]]) -> type[Lockstep]:
    """The machine over these stores, which outlive each of its walks."""
    return type("Lockstep", (Lockstep,), {"runner": runner, "sql": sql})


async def _emptied(database: SqlDatabase) -> None:
    def empty(connection: Any) -> None:
        for table in database.tables.metadata.sorted_tables:
            connection.execute(table.delete())

    await database.run(empty, write=True)


def _opened(runner: asyncio.Runner, url: str, **options: Any) -> SqlDatabase:
    database = SqlDatabase.open(url, prefix="lockstep_", now=lambda: NOON, token=SystemIds().token, **options)
    runner.run(upgrade(database))
    return database


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as one:
        yield one


@pytest.fixture
def sqlite(runner: asyncio.Runner) -> Iterator[SqlDatabase]:
    """SQLite on this very thread and in memory: what differs from a file is only how fast it is."""
    database = _opened(runner, "sqlite+pysqlite://", inline=True)
    yield database
    runner.run(database.aclose())


def test_memory_and_sqlite_answer_alike(runner: asyncio.Runner, sqlite: SqlDatabase) -> None:
    """In the profile `ci` 200 walks of 50 steps."""
    run_state_machine_as_test(_walking(runner, [("sqlite", sqlite)]))


@pytest.mark.mariadb
def test_memory_sqlite_and_mariadb_answer_alike(runner: asyncio.Runner, sqlite: SqlDatabase, mariadb_url: str) -> None:
    """The same, with a server in step."""
    server = _opened(runner, mariadb_url)
    try:
        run_state_machine_as_test(_walking(runner, [("sqlite", sqlite), ("mariadb", server)]))
    finally:
        runner.run(server.aclose())

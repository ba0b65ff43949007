"""The stores that the contract is held against: one fixture, five stores, and a look at what each leaves behind."""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql.database import SqlDatabase
from wch.adapters.sql.schema import upgrade
from wch.application.ports import Database
from wch.testing import NOON

PREFIX = "contract_"
IDS = SystemIds()

SERVER = pytest.param("mariadb", marks=pytest.mark.mariadb)
SQL_STORES = ["sqlite-aiosqlite", "sqlite-pysqlite", SERVER]
STORES = ["memory", "memory-twice", *SQL_STORES]


def opened(url: str, **options: Any) -> SqlDatabase:
    """A database with a clock that stands at noon."""
    return SqlDatabase.open(url, prefix=PREFIX, now=lambda: NOON, token=IDS.token, **options)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite file with all tables, to be copied for each test."""
    path = tmp_path_factory.mktemp("template") / "empty.db"

    async def install() -> None:
        database = opened(f"sqlite+pysqlite:///{path}")
        await upgrade(database)
        await database.aclose()

    asyncio.run(install())
    return path


@pytest.fixture(scope="session")
def made() -> set[str]:
    """The addresses of servers on which the tables were made in this session."""
    return set()


async def _emptied(database: SqlDatabase, url: str, made: set[str]) -> None:
    """All tables there, none with a row: made once a session, emptied for each test."""
    if url not in made:
        await upgrade(database)
        made.add(url)

    def empty(connection: Any) -> None:
        for table in database.tables.metadata.sorted_tables:
            connection.execute(table.delete())

    await database.run(empty, write=True)


async def _nothing_open(database: SqlDatabase) -> None:
    """No connection is out, and on a server no transaction of ours is open."""
    await database.settled()
    assert database.connections_out == 0
    if not database.is_sqlite:
        assert await database.run(_transactions, write=False) == []


def _transactions(connection: Connection) -> list[str]:
    """What holds locks in this database; `innodb_trx` may tell what was so a tenth of a second ago, this does not."""
    here = connection.exec_driver_sql("SELECT id FROM information_schema.processlist WHERE db = DATABASE()")
    ours = {str(one) for one in here.scalars()}
    told = connection.exec_driver_sql("SHOW ENGINE INNODB STATUS").one()[2]
    holding = re.findall(
        r"^---TRANSACTION.*, ACTIVE.*\n(?:.*\n)?[1-9]\d* lock struct.*\n.*thread id (\d+)", told, re.MULTILINE
    )
    return [one for one in holding if one in ours]


@asynccontextmanager
async def _sql(request: pytest.FixtureRequest, template: Path, home: Path) -> AsyncIterator[SqlDatabase]:
    name = request.param
    if name == "mariadb":
        url = request.getfixturevalue("mariadb_url")
        database = opened(url)
        await _emptied(database, url, request.getfixturevalue("made"))
    else:
        shutil.copy(template, home / "hub.db")
        database = opened(f"{name.replace('-', '+')}:///{home / 'hub.db'}")
    try:
        yield database
        await _nothing_open(database)
    finally:
        await database.aclose()


@pytest.fixture(params=STORES)
async def database(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty store of each kind."""
    if request.param.startswith("memory"):
        yield MemoryDatabase(twice=request.param == "memory-twice")
    else:
        async with _sql(request, sqlite_template, tmp_path) as database:
            yield database


@pytest.fixture(params=SQL_STORES)
async def sql_database(
    request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path
) -> AsyncIterator[SqlDatabase]:
    """An empty store that keeps texts, which somebody may have spoilt."""
    async with _sql(request, sqlite_template, tmp_path) as database:
        yield database

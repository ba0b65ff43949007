"""Databases to try the adapter on: SQLite by both drivers, and a scratch database of its own on the server."""

import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from wch.adapters.sql import SqlDatabase, schema

NOON = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)

KEPT = "kept_"
"""The prefix of tables that are emptied and not dropped."""

Opened = Callable[..., SqlDatabase]


@pytest.fixture(scope="session")
def scratch_url(mariadb_url: str) -> Iterator[str]:
    """A database on the server that nobody else uses, dropped at the end."""
    import pymysql  # noqa: PLC0415 -- an extra: the tests that need no server run without it

    url = make_url(mariadb_url)
    name = f"wch_test_sql_{os.getpid()}"
    with closing(
        pymysql.connect(host=url.host, port=url.port or 3306, user=url.username, password=url.password or "")
    ) as connection:
        connection.query(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.query(f"DROP DATABASE `{name}`")


@pytest.fixture(params=["aiosqlite", "pysqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database may be, on each engine and driver; nothing is there yet."""
    if request.param == "mariadb":
        named: str = request.getfixturevalue("scratch_url")
        return named
    return f"sqlite+{request.param}:///{tmp_path / 'hub.db'}"


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Opens databases whose clock stands at noon, and gives everything back at the end."""
    numbers = itertools.count()
    there: list[SqlDatabase] = []

    def open_(url: str, **options: Any) -> SqlDatabase:
        database = SqlDatabase.open(
            url, **{"now": lambda: NOON, "token": lambda: f"{next(numbers):032x}", "prefix": "t_", **options}
        )
        there.append(database)
        return database

    yield open_
    for database in there:
        assert database.connections_out == 0
        await database.aclose()


@pytest.fixture(scope="session")
def made() -> set[str]:
    """The servers on which the tables were made in this session, since that takes seconds there."""
    return set()


async def _installed(database: SqlDatabase, url: str, made: set[str]) -> SqlDatabase:
    """All tables, empty but for options."""
    if database.is_sqlite or url not in made:
        await schema.upgrade(database)
        made.add(url)

    def empty(connection: Connection) -> None:
        for table in set(database.tables.metadata.tables.values()) - {database.tables.options}:
            connection.execute(table.delete())

    await database.run(empty, write=True)
    return database


@pytest.fixture
async def database(url: str, opened: Opened, made: set[str]) -> SqlDatabase:
    """A database with all tables."""
    return await _installed(opened(url, prefix=KEPT), url, made)


@pytest.fixture
async def server(scratch_url: str, opened: Opened, made: set[str]) -> SqlDatabase:
    """A database with all tables, on the server."""
    return await _installed(opened(scratch_url, prefix=KEPT), scratch_url, made)


@pytest.fixture
async def file(tmp_path: Path, opened: Opened) -> SqlDatabase:
    """An empty SQLite file with all tables."""
    database = opened(f"sqlite:///{tmp_path / 'file.db'}", prefix=KEPT)
    await schema.upgrade(database)
    return database

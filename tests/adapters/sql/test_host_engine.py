"""A host's own engine: the hub lives on it, as durable as on its own, and leaves it to the host."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from wch import Settings, SettingsError, open_hub
from wch.adapters.sql import SqlDatabase
from wch.bootstrap import Installation
from wch.testing import NOON, FrozenClock, RecordingWhatsApp, SandboxWhatsApp, SequentialIds

MARIA = "34600111222"
SETTINGS = Settings(currency="EUR", country="ES", table_prefix=f"hosted_{os.getpid()}_").for_sandbox()


async def dropped(engine: Engine | AsyncEngine) -> None:
    database = SqlDatabase.over(
        engine, prefix=SETTINGS.database.table_prefix, now=lambda: NOON, token=SequentialIds().token
    )
    await Installation(settings=SETTINGS, database=database, clock=FrozenClock()).drop()
    await database.aclose()


async def see(engine: Engine | AsyncEngine, statement: str) -> object:
    """What the host sees on a connection of its own engine."""
    if isinstance(engine, AsyncEngine):
        async with engine.connect() as connection:
            return (await connection.execute(text(statement))).scalar()
    with engine.connect() as connection:
        return connection.execute(text(statement)).scalar()


@pytest.fixture(params=["pysqlite", "aiosqlite", pytest.param("pymysql", marks=pytest.mark.mariadb)])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Engine | AsyncEngine]:
    """An engine as a host makes it, with nothing set that the hub needs."""
    file = tmp_path / "host.db"
    made: Engine | AsyncEngine
    if request.param == "aiosqlite":
        made = create_async_engine(f"sqlite+aiosqlite:///{file}")
    elif request.param == "pysqlite":
        made = create_engine(f"sqlite:///{file}", connect_args={"check_same_thread": False})
    else:
        made = create_engine(request.getfixturevalue("mariadb_url"))
    yield made
    await dropped(made)
    if isinstance(made, AsyncEngine):
        await made.dispose()
    else:
        made.dispose()


async def test_a_hub_lives_on_a_hosts_engine_and_leaves_it_open(engine: Engine | AsyncEngine) -> None:
    """It installs, talks, is content, goes, and comes back to find everything."""
    cart = None
    for said in ("hi", "add 1 canvas bag to cart"):
        whatsapp = SandboxWhatsApp()
        async with (
            open_hub(SETTINGS, engine=engine, clock=FrozenClock(), whatsapp=whatsapp, install=True) as hub,
            whatsapp.around(hub, SETTINGS),
        ):
            assert await whatsapp.say(MARIA, said)
            assert (await hub.verification.run())["ok"]
            cart = await hub.database.read(lambda uow: uow.carts.of(MARIA))

    assert cart is not None
    assert len(cart.items) == 1


async def test_its_connections_are_made_as_durable_as_our_own(engine: Engine | AsyncEngine) -> None:
    async with open_hub(SETTINGS, engine=engine, whatsapp=RecordingWhatsApp(), install=True) as hub:
        await hub.database.read(lambda uow: uow.census.states())

        if engine.dialect.name == "sqlite":
            assert await see(engine, "PRAGMA synchronous") == 2
        else:
            assert "STRICT_ALL_TABLES" in str(await see(engine, "SELECT @@sql_mode"))


def test_an_engine_that_was_used_is_refused(tmp_path: Path) -> None:
    """Its connections were made without what makes them durable."""
    engine = create_engine(f"sqlite:///{tmp_path / 'used.db'}")
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))

    with pytest.raises(SettingsError, match="before its first use"):
        SqlDatabase.over(engine, now=lambda: NOON, token=SequentialIds().token)
    engine.dispose()


def test_an_sqlite_in_memory_is_refused() -> None:
    with pytest.raises(SettingsError, match="memory://"):
        SqlDatabase.over(create_engine("sqlite://"), now=lambda: NOON, token=SequentialIds().token)

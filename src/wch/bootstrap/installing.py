"""The tables of one database."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import attrs
from sqlalchemy.engine import make_url

from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.local_shop import create, drop, shop_metadata
from wch.adapters.sql import SqlDatabase, schema
from wch.adapters.sql.legacy import SqlLegacySource
from wch.application.failpoints import Failpoints
from wch.application.ports import Clock, UnitOfWork
from wch.bootstrap.resources import MEMORY, open_local_shop, open_store
from wch.domain.errors import SchemaError, SettingsError, StoreMisusedError, StoreUnavailableError
from wch.settings import Settings

R = TypeVar("R")


@attrs.frozen(kw_only=True)
class Installation:
    """The tables of one database: what `wch db` does."""

    settings: Settings
    database: SqlDatabase
    clock: Clock

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: Settings) -> AsyncIterator["Installation"]:
        """Connect to the database of these settings.

        Raises:
            SettingsError: it keeps nothing, so there is nothing to install.
        """
        if settings.database.url.startswith(MEMORY):
            raise SettingsError("A database in memory has no tables to install; set WCH_DATABASE_URL to a real one.")
        clock = SystemClock()
        failpoints = Failpoints.read(settings.security.failpoints, testing=settings.security.testing)
        database = open_store(settings, clock, SystemIds(), failpoints)
        try:
            yield cls(settings=settings, database=database, clock=clock)
        finally:
            await database.aclose()

    async def upgrade(self) -> str:
        """Install all tables, or bring them to this version; a shop that is empty gets the sample products."""
        return await install_tables(self.settings, self.database, self.clock)

    async def check(self) -> tuple[schema.Difference, ...]:
        """What is not as the data model has it."""
        return await schema.check(self.database, (shop_metadata(self.database.prefix),))

    async def drop(self) -> None:
        """Remove everything."""
        await schema.drop(self.database, (drop,))

    async def version(self) -> str | None:
        """The version that the tables have."""
        return await schema.version(self.database)


async def looked_up(settings: Settings, look: Callable[[UnitOfWork], R]) -> R | None:
    """What a read finds in the database of these settings; None where there is no such database yet."""
    if not _is_there(settings.database.url):
        return None
    async with Installation.open(settings) as installation:
        try:
            return None if await installation.version() is None else await installation.database.read(look)
        except (SchemaError, StoreMisusedError, StoreUnavailableError):
            return None


def _is_there(url: str) -> bool:
    """Whether there is a database to look into; looking into a missing file would make it."""
    if url.startswith(MEMORY):
        return False
    parts = make_url(url)
    return parts.get_backend_name() != "sqlite" or Path(parts.database or "").is_file()


def open_source(url: str, *, prefix: str) -> SqlLegacySource:
    """The tables of a WordPress plugin, to be imported.

    Raises:
        SettingsError: no such database is supported, or the file is not there.
    """
    return SqlLegacySource.open(url, prefix=prefix)


async def install_tables(settings: Settings, database: SqlDatabase, clock: Clock) -> str:
    """Install or migrate all tables, the built-in shop's too; the version they have now."""
    fresh = await schema.version(database) is None
    version = await schema.upgrade(database, (create,))
    await open_local_shop(settings, database, clock).install(with_samples=fresh)
    return version

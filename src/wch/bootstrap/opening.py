"""Opening a hub: its resources first, then everything is wired from them."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TypedDict, Unpack

import attrs
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from wch.adapters.clock import ShiftedClock, SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql import SqlDatabase, schema
from wch.application.checkup import Check, Sightings
from wch.application.failpoints import Failpoints
from wch.application.hub import Hub
from wch.application.observers import Observers
from wch.application.ports import (
    Catalogue,
    Clock,
    Database,
    Ids,
    MediaFiles,
    MediaStore,
    Model,
    Observer,
    Payments,
    Shop,
    Tracer,
    UnitOfWork,
    WhatsApp,
)
from wch.application.settings_desk import TAG, revision_of
from wch.application.tallies import Tallies
from wch.bootstrap.chosen import Chosen
from wch.bootstrap.clocks import follow_shift, keep_time, note_address, read_shift, stopped
from wch.bootstrap.installing import install_tables
from wch.bootstrap.outreach import SANDBOX_GRAPH
from wch.bootstrap.parts import Parts
from wch.bootstrap.resources import (
    MEMORY,
    open_account,
    open_catalogue,
    open_files,
    open_media,
    open_model,
    open_payments,
    open_shop,
    open_store,
    open_whatsapp,
)
from wch.bootstrap.tracing import open_tracer
from wch.bootstrap.wiring import secret_keys, wired
from wch.domain.document import document
from wch.domain.errors import SettingsError, StoreUnavailableError
from wch.settings import Settings
from wch.settings.options import with_options

log = logging.getLogger(__name__)


@asynccontextmanager
async def open_hub(
    settings: Settings,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    whatsapp: WhatsApp | None = None,
    shop: Shop | None = None,
    payments: Payments | None = None,
    catalogue: Catalogue | None = None,
    media: MediaStore | None = None,
    model: Model | None = None,
    database: Database | None = None,
    engine: Engine | AsyncEngine | None = None,
    observers: Sequence[Observer] = (),
    tracer: Tracer | None = None,
    checks: Mapping[str, Check] | None = None,
    install: bool = False,
    sandbox: bool = False,
) -> AsyncIterator[Hub]:
    """Open a hub; everything is given back when the block ends.

    Args:
        settings: what can be set.
        clock: the host's own clock.
        ids: the host's own chance.
        whatsapp: the host's own WhatsApp; if it also fetches and uploads files, as `MediaFiles` does, it is asked
            for those too.
        shop: the host's own shop.
        payments: the host's own ways to pay.
        catalogue: the host's own catalogue; None opens the one that WCH_CATALOG_ID names.
        model: a language model for what nobody else understood, asked when `assistant.enabled` says so; None
            takes the one at `assistant.url`, if there is an address.
        media: where the host keeps files of customers; None keeps them where `whatsapp.media_folder` says.
        database: the host's own store, whatever it is made of.
        engine: the host's own engine of SQLAlchemy, instead of the address in the settings: for SQLite, MySQL or
            MariaDB, and before it made its first connection. It stays the host's to dispose of.
        observers: who hears facts after the commit.
        tracer: follows what is done; None takes OpenTelemetry's with the provider that the process has set, where the
            extra `tracing` is installed.
        checks: what `/healthz`, the doctor and the metrics shall tell of too, by name: each gives a `Reading` of
            `wch.application.readings` within two seconds.
        install: make the tables in a database that has none yet.
        sandbox: follow the sandbox's clock.

    Raises:
        SettingsError: a setting is missing or wrong, or the engine cannot be used.
        SchemaError: the tables are missing, or of another version.
        StoreUnavailableError: the database does not answer.
    """
    async with open_living(
        settings,
        clock=clock,
        ids=ids,
        whatsapp=whatsapp,
        shop=shop,
        payments=payments,
        catalogue=catalogue,
        media=media,
        model=model,
        database=database,
        engine=engine,
        observers=observers,
        tracer=tracer,
        checks=checks,
        install=install,
        sandbox=sandbox,
    ) as living:
        yield living.hub


class Handed(TypedDict, total=False):
    """What a host hands over, as `open_hub` has it."""

    clock: Clock | None
    ids: Ids | None
    whatsapp: WhatsApp | None
    shop: Shop | None
    payments: Payments | None
    catalogue: Catalogue | None
    media: MediaStore | None
    model: Model | None
    database: Database | None
    engine: Engine | AsyncEngine | None
    observers: Sequence[Observer]
    tracer: Tracer | None
    checks: Mapping[str, Check] | None
    install: bool
    sandbox: bool


@asynccontextmanager
async def open_living(settings: Settings, **handed: Unpack[Handed]) -> AsyncIterator["LivingHub"]:
    """Open a hub that can follow what the console sets; takes and raises what `open_hub` does."""
    async with contextlib.AsyncExitStack() as stack:
        clock, ids = handed.get("clock"), handed.get("ids")
        chance = ids if ids is not None else SystemIds()
        system = SystemClock()
        time: Clock = clock if clock is not None else system
        shifted = ShiftedClock(time) if handed.get("sandbox") else None
        time = shifted if shifted is not None else time
        failpoints = Failpoints.read(settings.security.failpoints, testing=settings.security.testing)
        store, shop_store = await _stores(
            settings,
            time,
            chance,
            failpoints,
            handed.get("database"),
            handed.get("engine"),
            stack,
            install=handed.get("install", False),
        )
        if isinstance(store, SqlDatabase):
            system.correct(await store.clock_offset())
            stack.push_async_callback(stopped, asyncio.create_task(keep_time(system, store)))
        if shifted is not None:
            await read_shift(store, shifted)
            stack.push_async_callback(stopped, asyncio.create_task(follow_shift(store, shifted)))
        elif handed.get("install") and not settings.whatsapp.graph_url.endswith(SANDBOX_GRAPH):
            await note_address(store, None)
        media = handed.get("media")
        ground = Ground(
            settings=settings,
            database=store,
            shop_store=shop_store,
            clock=time,
            ids=chance,
            media_store=media if media is not None else open_files(settings),
            observers=Observers(all=tuple(handed.get("observers", ()))),
            tracer=handed.get("tracer") or open_tracer(),
            failpoints=failpoints,
            tag=await _tag(store, chance),
            keys=secret_keys(settings, chance),
            tallies=Tallies(),
            sightings=Sightings(),
            handed=handed,
        )
        living = LivingHub(ground)
        stack.push_async_callback(living.aclose)
        await living.begin()
        yield living


@attrs.frozen(kw_only=True)
class Ground:
    """What stays under a hub while settings change.

    Attributes:
        settings: without what the console set.
        shop_store: where the built-in shop keeps its tables.
    """

    settings: Settings
    database: Database
    shop_store: SqlDatabase
    clock: Clock
    ids: Ids
    media_store: MediaStore
    observers: Observers
    tracer: Tracer
    failpoints: Failpoints
    tag: str
    keys: tuple[str, ...]
    tallies: Tallies
    sightings: Sightings
    handed: Handed

    async def wired(self, chosen: Chosen, stack: contextlib.AsyncExitStack) -> Hub:
        """A hub with what the console has chosen; what it opens for itself is closed by the stack."""
        settings = with_options(self.settings, chosen.texts)
        shop, payments = self.handed.get("shop"), self.handed.get("payments")
        catalogue, model = self.handed.get("catalogue"), self.handed.get("model")
        sold = shop
        if sold is None:
            sold = await open_shop(settings, self.shop_store, self.database, self.clock, stack)
        whatsapp, account = self.handed.get("whatsapp"), None
        if whatsapp is None:
            whatsapp, account = open_whatsapp(settings, stack), open_account(settings, stack)
        return wired(
            Parts(
                settings=settings,
                given=self.settings,
                keys=self.keys,
                tallies=self.tallies,
                sightings=self.sightings,
                checks=self.handed.get("checks") or {},
                database=self.database,
                clock=self.clock,
                ids=self.ids,
                whatsapp=whatsapp,
                account=account,
                shop=sold,
                payments=payments if payments is not None else open_payments(settings, stack),
                catalogue=catalogue if catalogue is not None else open_catalogue(settings, stack),
                model=model if model is not None else open_model(settings, stack),
                media_files=whatsapp if isinstance(whatsapp, MediaFiles) else open_media(settings, stack),
                media_store=self.media_store,
                observers=self.observers,
                tracer=self.tracer,
                failpoints=self.failpoints,
                tag=self.tag,
            )
        )


class LivingHub:
    """A hub, and the next one as soon as the console has set something.

    A hub never changes: another takes its place, on the same store, clock, observers and
    tallies. Whoever holds the former one goes on with it until they are done.

    Attributes:
        hub: the present one.
    """

    hub: Hub

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._seen = Chosen(revision=-1, texts={})
        self._stacks: list[contextlib.AsyncExitStack] = []

    async def begin(self) -> None:
        """Wire the first hub.

        Raises:
            SettingsError: what the console set does not go with the settings any more.
        """
        await self._wire(await self._ground.database.read(Chosen.read))

    async def follow(self) -> Callable[[], Awaitable[None]] | None:
        """Look whether the console set something; if so, `hub` is another one.

        A set of settings that does not fit this process, and a store that does not answer, leave
        the hub as it is.

        Returns:
            What closes what the former hub alone stood on, for when nobody uses it any more; None
            when the hub is the same.
        """
        try:
            if await self._ground.database.read(revision_of) == self._seen.revision:
                return None
            chosen = await self._ground.database.read(Chosen.read)
        except StoreUnavailableError:
            return None
        former = self._stacks[-1]
        try:
            await self._wire(chosen)
        except SettingsError:
            self._seen = chosen
            log.error("settings of the console do not fit this process", extra={"revision": chosen.revision})  # noqa: TRY400 - no values in a log
            return None

        async def close() -> None:
            self._stacks.remove(former)
            await former.aclose()

        return close

    async def aclose(self) -> None:
        """Give back what the hubs opened."""
        for stack in reversed(self._stacks):
            await stack.aclose()
        self._stacks.clear()

    async def _wire(self, chosen: Chosen) -> None:
        async with contextlib.AsyncExitStack() as stack:
            self.hub = await self._ground.wired(chosen, stack)
            self._stacks.append(stack.pop_all())
        self._seen = chosen


async def _stores(  # noqa: PLR0917 - private: what a store is made of
    settings: Settings,
    clock: Clock,
    ids: Ids,
    failpoints: Failpoints,
    handed: Database | None,
    engine: Engine | AsyncEngine | None,
    stack: contextlib.AsyncExitStack,
    *,
    install: bool,
) -> tuple[Database, SqlDatabase]:
    """The hub's store, and where the built-in shop keeps its tables."""
    if isinstance(handed, SqlDatabase):
        return handed, handed
    if handed is not None or (engine is None and settings.database.url.startswith(MEMORY)):
        beside = SqlDatabase.open(
            "sqlite:///:memory:", prefix=settings.database.table_prefix, now=clock.now, token=ids.token, inline=True
        )
        stack.push_async_callback(beside.aclose)
        return handed if handed is not None else MemoryDatabase(), beside
    database = open_store(settings, clock, ids, failpoints, engine)
    stack.push_async_callback(database.aclose)
    if install and await schema.version(database) is None:
        await install_tables(settings, database, clock)
    await schema.require(database)
    return database, database


async def _tag(database: Database, ids: Ids) -> str:
    """The word by which this hub's callback data is told from another's; drawn once."""
    known = await database.read(lambda uow: uow.options.get(TAG))
    if known is not None:
        return str(known["tag"])
    fresh = ids.token()[-8:]

    def work(uow: UnitOfWork) -> str:
        there = uow.options.get(TAG, lock=True)
        if there is not None:
            return str(there["tag"])
        uow.options.put(TAG, document(tag=fresh))
        return fresh

    return await database.transact(work)

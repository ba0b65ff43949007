"""Clocks: the database's, which all hosts share, and the sandbox's, which people move; and where that sandbox is."""

import asyncio
import contextlib
from datetime import timedelta

from wch.adapters.clock import ShiftedClock, SystemClock
from wch.adapters.sql import SqlDatabase
from wch.application.hub import Hub
from wch.application.ports import (
    Database,
    UnitOfWork,
)
from wch.domain.document import document
from wch.domain.errors import StoreUnavailableError

SANDBOX_CLOCK = "sandbox.clock"
SANDBOX_ADDRESS = "sandbox.address"
CLOCK_SECONDS = 60.0
SANDBOX_CLOCK_SECONDS = 1.0


async def keep_time(clock: SystemClock, database: SqlDatabase) -> None:
    """Follow the clock of the database, which all hosts share."""
    while True:
        await asyncio.sleep(CLOCK_SECONDS)
        with contextlib.suppress(StoreUnavailableError):
            clock.correct(await database.clock_offset())


async def read_shift(database: Database, clock: ShiftedClock) -> None:
    """Move the sandbox's clock to where the database has it."""
    told = await database.read(lambda uow: uow.options.get(SANDBOX_CLOCK))
    if told is not None:
        clock.move_to(timedelta(seconds=int(told.get("seconds", 0))))


async def follow_shift(database: Database, clock: ShiftedClock) -> None:
    """The sandbox's clock is moved in one process and followed by all."""
    while True:
        await asyncio.sleep(SANDBOX_CLOCK_SECONDS)
        with contextlib.suppress(StoreUnavailableError):
            await read_shift(database, clock)


async def advance_clock(hub: Hub, span: timedelta) -> None:
    """Move the sandbox's clock forward, for every process on the database, and let due work be seen."""

    def work(uow: UnitOfWork) -> int:
        told = uow.options.get(SANDBOX_CLOCK, lock=True) or {}
        seconds = int(told.get("seconds", 0)) + int(span.total_seconds())
        uow.options.put(SANDBOX_CLOCK, document(seconds=seconds))
        return seconds

    seconds = await hub.database.transact(work)
    if isinstance(hub.clock, ShiftedClock):
        hub.clock.move_to(timedelta(seconds=seconds))
    hub.worker.bell.ring()


async def note_address(database: Database, address: str | None) -> None:
    """Say where the sandbox of this database is; None: it is none's, or no longer."""
    if address is None and await database.read(lambda uow: uow.options.get(SANDBOX_ADDRESS)) is None:
        return

    def work(uow: UnitOfWork) -> None:
        uow.options.get(SANDBOX_ADDRESS, lock=True)
        if address is None:
            uow.options.remove(SANDBOX_ADDRESS)
        else:
            uow.options.put(SANDBOX_ADDRESS, document(address=address))

    await database.transact(work)


async def stopped(task: "asyncio.Task[None]") -> None:
    """End a task and wait until it has ended."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

"""Following what the console sets, in a process that stays."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

from wch.application.faults import fault

log = logging.getLogger(__name__)

FOLLOW_SECONDS = 2.0
"""So often it is looked whether the console changed settings; a change acts within 5 s."""

T = TypeVar("T")

Close = Callable[[], Awaitable[None]]


class LivingPort(Protocol):
    """A hub that is replaced when settings change."""

    async def follow(self) -> Close | None:
        """Look; what closes the former hub, or None when it is the same."""
        ...


class WorkerPort(Protocol):
    """What does the work."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, then hand back."""
        ...


async def keep_working(
    living: LivingPort, worker: Callable[[], WorkerPort], stop: asyncio.Event, *, follow_seconds: float = FOLLOW_SECONDS
) -> None:
    """Work until told to stop; when settings change, the next worker begins while the former hands back.

    Args:
        living: what is looked at every `follow_seconds`.
        worker: the present hub's worker.
        stop: ends it all.
        follow_seconds: between two looks.
    """
    asked = asyncio.create_task(stop.wait())
    rest = asyncio.Event()
    working = asyncio.create_task(worker().run(rest))
    former: set[asyncio.Task[None]] = set()
    try:
        while not await ended(asked, working, within=follow_seconds):
            close = await looked(living.follow)
            if close is None:
                continue
            rest.set()
            task = asyncio.create_task(_closed(working, close))
            former.add(task)
            task.add_done_callback(former.discard)
            rest = asyncio.Event()
            working = asyncio.create_task(worker().run(rest))
    finally:
        rest.set()
        asked.cancel()
        await asyncio.gather(*former, return_exceptions=True)
        await working


async def _closed(working: "asyncio.Task[None]", close: Close) -> None:
    await asyncio.wait({working})
    await close()


async def ended(*parts: "asyncio.Task[Any] | None", within: float) -> bool:
    """Whether one of these ends within so many seconds."""
    waited = {one for one in parts if one is not None}
    done, _ = await asyncio.wait(waited, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def looked(follow: Callable[[], Awaitable[T | None]]) -> T | None:
    """What takes the place of something; an error leaves it where it is."""
    try:
        return await follow()
    except Exception as error:  # noqa: BLE001 - what works goes on
        log.error("settings could not be followed: %s", fault(error))  # noqa: TRY400 - no words of an error in a log
        return None

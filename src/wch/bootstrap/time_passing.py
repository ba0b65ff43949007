"""Time that passes in the sandbox: what is due on the way is done at its own moment, before anybody says that it is over."""

import asyncio
from datetime import timedelta

import attrs

from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.bootstrap.clocks import advance_clock, stopped
from wch.domain.message import Direction, MessageStatus

MOST_SECONDS = 10.0
"""How long the work of a leap is waited for, in true seconds; what is left then goes on behind it."""

MOST_STOPS = 100
"""Moments at which a leap stops on its way; those behind are done at its end."""

LOOK_SECONDS = 0.05
"""How often it is looked whether what another worker holds is done."""

UNDER_WAY = (
    (Direction.INBOUND, MessageStatus.PROCESSING),
    (Direction.OUTBOUND, MessageStatus.SENDING),
)


@attrs.define
class TimePassing:
    """Moves the clock of all processes on a database, and does here what is due.

    A leap stops where something is due, does it, and goes on: after `+ 24 h` a cart's
    reminders bear the times at which they would have gone. What is due is done in this
    process whether or not it has a worker; it is taken with leases, as everywhere.
    """

    _hub: Hub
    _working: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def leap(self, span: timedelta) -> None:
        """Let this much time pass, and return when what is due is done, or after `MOST_SECONDS`."""
        end = self._hub.clock.now() + span
        loop = asyncio.get_running_loop()
        patience = loop.time() + MOST_SECONDS
        for _ in range(MOST_STOPS):
            coming = await self._hub.ahead.listed(limit=1)
            if not coming or coming[0].at >= end or loop.time() >= patience:
                break
            await self._forward(coming[0].at - self._hub.clock.now())
            await self._work(patience - loop.time())
        await self._forward(end - self._hub.clock.now())
        await self._work(patience - loop.time())

    async def aclose(self) -> None:
        """Give back what is still being worked on."""
        for task in tuple(self._working):
            await stopped(task)

    async def _forward(self, span: timedelta) -> None:
        if span > timedelta():
            await advance_clock(self._hub, span)

    async def _work(self, seconds: float) -> None:
        """Work until nothing is due and nothing is under way; a pass is never cut short, since its sends are real."""
        task = asyncio.create_task(self._until_idle())
        self._working.add(task)
        task.add_done_callback(self._working.discard)
        await asyncio.wait({task}, timeout=max(0.0, seconds))

    async def _until_idle(self) -> None:
        while True:
            done = await self._hub.worker.drain()
            if not done and not await self._hub.database.read(_is_under_way):
                return
            await asyncio.sleep(LOOK_SECONDS)


def _is_under_way(uow: UnitOfWork) -> bool:
    counted = uow.census.states().get("messages", {})
    return any(counted.get(f"{direction}:{status}", 0) for direction, status in UNDER_WAY)

"""The bell: what this process has just written is looked at at once, and nothing is begun at closing time."""

import asyncio
from collections.abc import Callable


class Bell:
    """Wakes the duties of a worker in the same process.

    Every duty listens for itself: a ring that comes while it works is heard as soon as it
    listens again.
    """

    def __init__(self) -> None:
        self._rings = 0
        self._heard: dict[str, int] = {}
        self._waiting: dict[asyncio.Event, None] = {}
        self._closing = False

    @property
    def closing(self) -> bool:
        """Whether the worker was told to stop: duties take nothing more."""
        return self._closing

    def ring(self) -> None:
        """There is something to do."""
        self._rings += 1
        self._wake()

    def close(self) -> None:
        """Let everybody stop listening."""
        self._closing = True
        self._wake()

    def reopen(self) -> None:
        """The next worker may begin."""
        self._closing = False

    async def wait(self, who: str, seconds: float) -> None:
        """Until it rings or closes, but no longer than this; at once if it rang since this listener last came."""
        if self._heard.get(who, 0) == self._rings:
            await self._pass(seconds, lambda: self._closing or self._heard.get(who, 0) != self._rings)
        self._heard[who] = self._rings

    async def rest(self, seconds: float) -> None:
        """So long, whoever rings, unless it closes."""
        await self._pass(seconds, lambda: self._closing)

    async def _pass(self, seconds: float, over: Callable[[], bool]) -> None:
        event = asyncio.Event()
        self._waiting[event] = None
        try:
            async with asyncio.timeout(seconds):
                while not over():
                    event.clear()
                    await event.wait()
        except TimeoutError:
            return
        finally:
            self._waiting.pop(event, None)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

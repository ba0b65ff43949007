"""The bell: what was just written by this process is looked at at once, and nobody begins anew at closing time."""

import asyncio


class Bell:
    """Wakes the duties of a worker in the same process.

    Every duty listens for itself: a ring that comes while it works is heard as soon as it
    listens again.
    """

    def __init__(self) -> None:
        self._rings = 0
        self._heard: dict[str, int] = {}
        self._waiting: set[asyncio.Event] = set()
        self.closing = False
        """Whether the worker was told to stop: duties take nothing more."""

    def ring(self) -> None:
        """There is something to do."""
        self._rings += 1
        for event in self._waiting:
            event.set()

    async def wait(self, who: str, seconds: float) -> None:
        """Until it rings, but no longer than this; at once if it rang since this listener last came."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            if self._heard.get(who, 0) == self._rings:
                async with asyncio.timeout(seconds):
                    await event.wait()
        except TimeoutError:
            return
        finally:
            self._waiting.discard(event)
            self._heard[who] = self._rings

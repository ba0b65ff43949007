"""The hub's own ingress in this process, without HTTP: what several benchmarks put deliveries into."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from deliveries import ENVIRONMENT, signature

from wch import Settings, open_hub
from wch.application import gathering
from wch.application.hub import Hub


@contextmanager
def opened(loop: asyncio.AbstractEventLoop, url: str) -> Iterator[Hub]:
    """A hub over this database, its tables made."""
    settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": url}, {}, None)
    context = open_hub(settings, install=True)
    hub = loop.run_until_complete(context.__aenter__())
    try:
        yield hub
    finally:
        loop.run_until_complete(context.__aexit__(None, None, None))


@contextmanager
def together(most: int) -> Iterator[None]:
    """At most so many deliveries share a transaction."""
    before, gathering.MOST_TOGETHER = gathering.MOST_TOGETHER, most
    try:
        yield
    finally:
        gathering.MOST_TOGETHER = before


async def stored(
    hub: Hub, bodies: Iterator[bytes], *, waiting: int, seconds: float, known: bool = False, events: int = 1
) -> float:
    """Events a second: so many deliveries at once, each durable before the next of its line.

    Args:
        hub: into which.
        bodies: the deliveries, one after another.
        waiting: how many lines of them.
        seconds: for how long; each line brings one at least.
        known: whether it has them already; one that is not as said breaks the measure.
        events: how many each holds.
    """
    ends = time.perf_counter() + seconds
    done = 0

    async def line() -> None:
        nonlocal done
        while True:
            body = next(bodies)
            receipt = await hub.inbox.receive_raw(body, signature=signature(body))
            if (receipt.duplicates if known else receipt.new) != events:
                raise RuntimeError(receipt)
            done += events
            if time.perf_counter() >= ends:
                return

    begun = time.perf_counter()
    await asyncio.gather(*(line() for _ in range(waiting)))
    return done / (time.perf_counter() - begun)

"""The worker: does the work that the tables hold, the most urgent kind first, until it is told to stop."""

import asyncio
import logging
from typing import Protocol

import attrs

from wch.application.ports import Clock, Database, Ids
from wch.domain.document import document
from wch.domain.errors import StoreUnavailableError
from wch.domain.moment import iso

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20.0
MOST_PASSES = 10_000
"""After so many passes draining gives up: something makes work faster than it is done."""


class Duty(Protocol):
    """One kind of work."""

    @property
    def kind(self) -> str:
        """Its name."""
        ...

    async def work(self) -> int:
        """Do what is due now; how many rows were done, 0 when nothing was due."""
        ...


class Bell:
    """Wakes a worker in the same process, so that a fresh delivery is handled at once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        """There is something to do."""
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Until it rings, but no longer than this."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


@attrs.frozen(kw_only=True)
class Worker:
    """Runs the duties in the order of their urgency.

    Attributes:
        duties: the kinds of work, the most urgent first.
        poll_seconds: how long it rests when nothing is due and nobody rings.
        stop_seconds: how long a running pass may take once it is told to stop.
    """

    database: Database
    clock: Clock
    ids: Ids
    duties: tuple[Duty, ...]
    bell: Bell
    poll_seconds: float
    stop_seconds: float

    def only(self, kinds: frozenset[str]) -> "Worker":
        """The same worker for these kinds of work alone."""
        known = {duty.kind for duty in self.duties}
        if unknown := kinds - known:
            message = f"there is no work of kind {', '.join(sorted(unknown))}; there is {', '.join(sorted(known))}"
            raise ValueError(message)
        return attrs.evolve(self, duties=tuple(duty for duty in self.duties if duty.kind in kinds))

    async def once(self) -> int:
        """One pass over all kinds of work; how many rows were done."""
        done = 0
        for duty in self.duties:
            done += await self._safely(duty)
        return done

    async def drain(self) -> int:
        """Pass after pass until nothing is due; how many rows were done."""
        total = 0
        for _ in range(MOST_PASSES):
            done = await self.once()
            if not done:
                break
            total += done
        return total

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop; then the pass under way ends, or is left to its leases in time."""
        name = f"worker.{self.ids.token()[:12]}"
        beating = asyncio.create_task(self._beat(name, stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            while not stop.is_set():
                turn = asyncio.create_task(self.once())
                await asyncio.wait({turn, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not turn.done():
                    await asyncio.wait({turn}, timeout=self.stop_seconds)
                    turn.cancel()
                    await asyncio.gather(turn, return_exceptions=True)
                    break
                if not turn.result():
                    resting = asyncio.create_task(self.bell.wait(self.poll_seconds))
                    await asyncio.wait({resting, stopping}, return_when=asyncio.FIRST_COMPLETED)
                    resting.cancel()
        finally:
            for task in (beating, stopping):
                task.cancel()
            await asyncio.gather(beating, stopping, return_exceptions=True)
            await self._forget(name)

    async def _safely(self, duty: Duty) -> int:
        """An error in one kind of work never stops the others."""
        try:
            return await duty.work()
        except StoreUnavailableError:
            log.warning("the store did not answer", extra={"work": duty.kind})
        except Exception:
            log.exception("a duty failed", extra={"work": duty.kind})
        return 0

    async def _beat(self, name: str, stop: asyncio.Event) -> None:
        """Show that this worker is alive."""
        while not stop.is_set():
            try:
                await self.database.transact(lambda uow: uow.options.put(name, document(at=iso(self.clock.now()))))
            except StoreUnavailableError:
                log.warning("a heartbeat could not be written")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def _forget(self, name: str) -> None:
        try:
            await self.database.transact(lambda uow: uow.options.remove(name))
        except StoreUnavailableError:
            log.warning("a heartbeat could not be taken away")

"""The worker: does the work that the tables hold, the most urgent kind first, until it is told to stop."""

import asyncio
import logging
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from wch.application.bell import Bell
from wch.application.faults import fault
from wch.application.ports import Clock, Database, Ids, UnitOfWork
from wch.domain.document import document
from wch.domain.errors import NotFoundError, StoreUnavailableError
from wch.domain.moment import iso, of_iso

log = logging.getLogger(__name__)

HEARTBEAT = "worker."
"""How the options of living workers begin."""

LISTENING = frozenset({"inbound", "outbound", "sagas", "notifications"})
"""The kinds of work that somebody may wait for: they are looked at when the bell rings, the others in turn."""

HEARTBEAT_SECONDS = 20.0
ALIVE_WITHIN = timedelta(seconds=60)
"""Three heartbeats: a worker that was not heard for so long is not counted on."""

MOST_PASSES = 10_000
"""After so many passes draining gives up: something makes work faster than it is done."""


def alive(uow: UnitOfWork, now: datetime, *, within: timedelta = ALIVE_WITHIN) -> list[str]:
    """The workers that were heard of late, over all processes on the database."""
    found = []
    for name, beat in uow.options.named(HEARTBEAT):
        at = beat.get("at")
        if isinstance(at, str) and of_iso(at) >= now - within:
            found.append(name)
    return found


class Duty(Protocol):
    """One kind of work."""

    @property
    def kind(self) -> str:
        """Its name."""
        ...

    async def work(self) -> int:
        """Do what is due now; how many rows were done, 0 when nothing was due.

        A pass that is cancelled gives back what it holds.
        """
        ...


@attrs.frozen(kw_only=True)
class Worker:
    """Runs the duties.

    Attributes:
        duties: the kinds of work, the most urgent first.
        poll_seconds: how long a duty rests when nothing is due and nobody rings.
        stop_seconds: how long the passes under way may take once the worker is told to stop.
    """

    database: Database
    clock: Clock
    ids: Ids
    duties: tuple[Duty, ...]
    bell: Bell
    poll_seconds: float
    stop_seconds: float

    def only(self, kinds: frozenset[str]) -> "Worker":
        """The same worker for these kinds of work alone.

        Raises:
            NotFoundError: there is no work of one of these kinds.
        """
        known = {duty.kind for duty in self.duties}
        if unknown := kinds - known:
            message = f"There is no work of kind {', '.join(sorted(unknown))}; there is {', '.join(sorted(known))}."
            raise NotFoundError(message)
        return attrs.evolve(self, duties=tuple(duty for duty in self.duties if duty.kind in kinds))

    async def once(self) -> int:
        """One pass over all kinds of work, one after the other; how many rows were done."""
        done = 0
        for duty in self.duties:
            done += await self._safely(duty)
        return done

    async def drain(self, limit: int = MOST_PASSES) -> int:
        """Pass after pass until nothing is due, or so many passes were made; how many rows were done."""
        total = 0
        for _ in range(limit):
            done = await self.once()
            if not done:
                break
            total += done
        return total

    async def run(self, stop: asyncio.Event) -> None:
        """Work until told to stop, every kind beside the others.

        Then nothing more is taken; what is under way ends in `stop_seconds`, or is given back.
        """
        name = f"{HEARTBEAT}{self.ids.token()[:12]}"
        self.bell.reopen()
        beating = asyncio.create_task(self._beat(name))
        turning = [asyncio.create_task(self._turn(duty)) for duty in self.duties]
        try:
            await stop.wait()
        finally:
            self.bell.close()
            beating.cancel()
            _, late = await asyncio.wait({*turning, beating}, timeout=self.stop_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*turning, beating, return_exceptions=True)
            self.bell.reopen()
            await self._forget(name)

    async def _turn(self, duty: Duty) -> None:
        """One kind of work, pass after pass; what one does may be work for another."""
        while not self.bell.closing:
            if await self._safely(duty):
                self.bell.ring()
            elif duty.kind in LISTENING:
                await self.bell.wait(duty.kind, self.poll_seconds)
            else:
                await self.bell.rest(self.poll_seconds)

    async def _safely(self, duty: Duty) -> int:
        """An error in one kind of work never stops the others."""
        try:
            return await duty.work()
        except StoreUnavailableError:
            log.warning("the store did not answer", extra={"work": duty.kind})
        except Exception as error:  # noqa: BLE001 - the other duties go on
            log.error("a duty failed: %s", fault(error), extra={"work": duty.kind})  # noqa: TRY400 - no words of an error in a log
        return 0

    async def _beat(self, name: str) -> None:
        """Show that this worker is alive."""
        while True:
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

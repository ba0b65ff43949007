"""Carries signed deliveries to the hub, in order for each customer, again when they are not taken."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import attrs
import httpx2

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.domain.document import JsonObject

log = logging.getLogger(__name__)

TAKEN = 200
"""The only status that means it."""

AGAIN_AFTER_SECONDS = (0.2, 1.0, 5.0, 15.0)

Errand = Callable[[], Awaitable[None]]


@attrs.define(kw_only=True)
class Postman:
    """Posts to one webhook.

    Attributes:
        secret: the app secret that signs.
        again_after: the pauses, in seconds, before a delivery that was not taken is tried again.
    """

    url: str
    secret: str = attrs.field(repr=False)
    waba_id: str
    http: httpx2.AsyncClient
    faults: Faults
    again_after: Sequence[float] = AGAIN_AFTER_SECONDS
    _lines: dict[str, deque[Errand]] = attrs.field(factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def post(self, values: Sequence[JsonObject]) -> int | None:
        """Post one delivery once, or twice if that was ordered; the hub's HTTP status, None without an answer."""
        body = deliveries.body_of(values, waba_id=self.waba_id)
        if self.faults.take(FaultKind.DUPLICATE) is not None:
            first, _ = await asyncio.gather(self._post(body), self._post(body))
            return first
        return await self._post(body)

    async def insist(self, values: Sequence[JsonObject]) -> None:
        """Post until it is taken or there is no hope."""
        if await self.post(values) != TAKEN:
            await self.again(values)

    async def again(self, values: Sequence[JsonObject]) -> None:
        """Post what was not taken the first time, after ever longer pauses."""
        body = deliveries.body_of(values, waba_id=self.waba_id)
        status = None
        for pause in self.again_after:
            await asyncio.sleep(pause)
            status = await self._post(body)
            if status == TAKEN:
                return
        log.warning("the hub did not take a delivery", extra={"status": status, "tries": len(self.again_after) + 1})

    def later(self, line: str, errand: Errand) -> None:
        """Run an errand when those before it in this line are over."""
        waiting = self._lines.get(line)
        if waiting is not None:
            waiting.append(errand)
            return
        self._lines[line] = deque([errand])
        self.alone(lambda: self._walk(line))

    def alone(self, errand: Errand) -> asyncio.Task[None]:
        """Run an errand by the way."""
        task = asyncio.create_task(_coroutine(errand))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(self) -> None:
        """Wait until every errand is over."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))

    async def aclose(self) -> None:
        """Drop what has not been carried."""
        self._lines.clear()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _walk(self, line: str) -> None:
        waiting = self._lines[line]
        try:
            while waiting:
                await waiting.popleft()()
        finally:
            self._lines.pop(line, None)

    async def _post(self, body: bytes) -> int | None:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": deliveries.signature(body, self.secret),
        }
        try:
            answer = await self.http.post(self.url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            log.info("the hub did not answer a delivery", extra={"error": type(error).__name__})
            return None
        return answer.status_code


async def _coroutine(errand: Errand) -> None:
    try:
        await errand()
    except Exception:
        log.exception("an errand of the sandbox failed")

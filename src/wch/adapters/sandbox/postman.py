"""Carries signed deliveries to the hub, in order for each customer, again when they are not taken."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import attrs
import httpx2

from wch.adapters.sandbox import deliveries
from wch.adapters.sandbox.faults import FaultKind, Faults
from wch.adapters.sandbox.sent_log import NEW, Again, AgainRefusedError, SentLog
from wch.application.ports import Clock
from wch.domain.document import JsonObject
from wch.domain.moment import iso

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
    clock: Clock
    again_after: Sequence[float] = AGAIN_AFTER_SECONDS
    log: SentLog = attrs.field(factory=SentLog, init=False)
    _lines: dict[str, deque[Errand]] = attrs.field(factory=dict, init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def repeat(self, number: int, how: str) -> list[int | None]:
        """Let a delivery of the log go once more, in one of the ways of `Again`; the hub's status for each post.

        Raises:
            NotFoundError: it is not kept.
            AgainRefusedError: there is no such way.
        """
        if how not in set(Again):
            raise AgainRefusedError
        if how == Again.OUT_OF_ORDER:
            return [await self._post(sent.body, how=how) for sent in self.log.neighbours(number)]
        body = self.log.of(number).body
        if how == Again.TWICE:
            return list(await asyncio.gather(self._post(body, how=how), self._post(body, how=how)))
        secret = f"not {self.secret}" if how == Again.WRONG_SIGNATURE else self.secret
        return [await self._post(body, how=how, secret=secret)]

    async def post(self, values: Sequence[JsonObject], *, field: str = "messages") -> int | None:
        """Post one delivery once, or twice if that was ordered; the hub's HTTP status, None without an answer."""
        body = deliveries.body_of(values, waba_id=self.waba_id, field=field)
        if self.faults.take(FaultKind.DUPLICATE) is not None:
            first, _ = await asyncio.gather(self._post(body), self._post(body))
            return first
        return await self._post(body)

    async def insist(self, values: Sequence[JsonObject], *, field: str = "messages") -> None:
        """Post until it is taken or there is no hope."""
        if await self.post(values, field=field) != TAKEN:
            await self.again(values, field=field)

    async def again(self, values: Sequence[JsonObject], *, field: str = "messages") -> None:
        """Post what was not taken the first time, after ever longer pauses."""
        body = deliveries.body_of(values, waba_id=self.waba_id, field=field)
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

    async def _post(self, body: bytes, *, how: str = NEW, secret: str | None = None) -> int | None:
        sent = self.log.add(body, at=iso(self.clock.now()), how=how)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature-256": deliveries.signature(body, self.secret if secret is None else secret),
        }
        try:
            answer = await self.http.post(self.url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            log.info("the hub did not answer a delivery", extra={"error": type(error).__name__})
            return None
        sent.status = answer.status_code
        return sent.status


async def _coroutine(errand: Errand) -> None:
    try:
        await errand()
    except Exception:
        log.exception("an errand of the sandbox failed")

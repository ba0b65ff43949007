"""One thread, no real time, no sockets: what runs next is drawn from a seed, and time jumps to the next thing due."""

import asyncio
import contextvars
import heapq
import random  # noqa: TID251 - chance from a seed, outside the hub
from collections.abc import Coroutine
from typing import Any, Protocol


class Alive(Protocol):
    """Whose tasks run only as long as it lives."""

    is_alive: bool


OWNER: contextvars.ContextVar[Alive | None] = contextvars.ContextVar("owner", default=None)
"""The simulated process that a task belongs to; the tasks of a dead one never run again."""


class StalledError(Exception):
    """Nothing is ready and nothing will ever be."""


class SeededLoop(asyncio.BaseEventLoop):
    """Runs ready callbacks in an order drawn from the seed; its clock is virtual.

    Attributes:
        steps: how many callbacks were run.
        trace: a number that two runs share only if they ran the same.
    """

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self._dice = dice
        self._virtual = 0.0
        self.steps = 0
        self.trace = 0
        self.everything: list[asyncio.Task[Any]] = []
        self.set_task_factory(_numbered)  # type: ignore[arg-type]  # a factory of our own loop only
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        """Virtual seconds since the beginning."""
        return self._virtual

    def _run_once(self) -> None:
        ready, timers = self._ready, self._scheduled  # type: ignore[attr-defined]  # asyncio's own, for loops to use
        if not ready:
            while timers and timers[0]._cancelled:  # noqa: SLF001 - asyncio's own
                heapq.heappop(timers)._scheduled = False  # noqa: SLF001 - see above
            if not timers:
                raise StalledError
            self._virtual = max(self._virtual, timers[0]._when)  # noqa: SLF001 - see above
        while timers and timers[0]._when <= self._virtual:  # noqa: SLF001 - see above
            due = heapq.heappop(timers)
            due._scheduled = False  # noqa: SLF001 - see above
            ready.append(due)
        place = self._dice.randrange(len(ready))
        handle = ready[place]
        del ready[place]
        if handle._cancelled:  # noqa: SLF001 - see above
            return
        owner = handle._context.get(OWNER)  # noqa: SLF001 - see above
        if owner is None or owner.is_alive:
            self.steps += 1
            self.trace = hash((self.trace, place, len(ready), self._virtual))
            handle._run()  # noqa: SLF001 - see above

    def _write_to_self(self) -> None:
        """There is no other thread that could be asleep."""

    def bury(self) -> None:
        """End what dead processes left open, without a word: they cannot do so themselves."""
        for task in self.everything:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - a dead process's, not forgotten
                coroutine: Any = task.get_coro()
                for _ in range(20):
                    try:
                        coroutine.close()
                    except BaseException:  # noqa: BLE001, S112 - whatever it says while it is torn down
                        continue
                    break
        self.everything.clear()


class _NumberedTask(asyncio.Task[Any]):
    """Sets of tasks are walked in the order of their making, in every run alike."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        loop: SeededLoop = named["loop"]
        self._place = len(loop.everything)
        super().__init__(*arguments, **named)
        loop.everything.append(self)

    def __hash__(self) -> int:
        return self._place

    __eq__ = object.__eq__


def _numbered(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **named: Any
) -> "asyncio.Task[Any]":
    return _NumberedTask(coroutine, loop=loop, **named)


def run(main: Coroutine[Any, Any, None], dice: random.Random) -> SeededLoop:
    """Run to the end on a loop of its own; the loop, to be asked how it went."""
    loop = SeededLoop(dice)
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main)
    finally:
        loop.bury()
        asyncio.set_event_loop(None)
        loop.close()
    return loop

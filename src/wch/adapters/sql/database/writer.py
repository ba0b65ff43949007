"""The thread that writes to a file: SQLite takes one writer at a time, so one thread is enough."""

import asyncio
import contextlib
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import TypeVar

R = TypeVar("R")
Calls = SimpleQueue[Callable[[], None] | None]


class Writer:
    """Runs calls one after another on a thread of its own, which begins with the first of them.

    An executor would do the same; what it has around each call costs more than the way to a thread and back.
    """

    def __init__(self) -> None:
        self._calls: Calls = SimpleQueue()
        self._thread: Thread | None = None
        # Whoever is never stopped takes the thread along.
        weakref.finalize(self, self._calls.put, None)

    def run(self, call: Callable[[], R], then: Callable[[R | None, BaseException | None], None]) -> None:
        """Run the call to its end; `then` hears on this loop what it returned or raised, if the loop is still there."""
        loop = asyncio.get_running_loop()

        def there() -> None:
            result, error = None, None
            try:
                result = call()
            except BaseException as raised:  # noqa: BLE001 - whatever it is, whoever waits hears of it
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(then, result, error)

        if self._thread is None:
            self._thread = Thread(target=_work, args=(self._calls,), name="wch-database-writer", daemon=True)
            self._thread.start()
        self._calls.put(there)

    def stop(self) -> None:
        """Let the calls that were given come to their end, then the thread."""
        if self._thread is not None:
            self._calls.put(None)
            self._thread.join()
            self._thread = None


def _work(calls: Calls) -> None:
    while (call := calls.get()) is not None:
        call()
        del call  # it holds its answer, which nobody needs while the next one is waited for

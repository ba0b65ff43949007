"""A thread's page beside a busy writer: how long the slowest of a hundred take, against a reader thread on plain sqlite3.

Run it with `make bench`, or `python benchmarks/bench_readers.py [--quick]`. Pages are asked for one after another, while
another task writes sixty-four messages a commit, one commit after another, with synchronous=FULL.
"""

import asyncio
import itertools
import queue
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench_growth import NOON, WORDS, filled
from deliveries import CUSTOMERS, delivery
from ingesting import opened, stored
from measuring import Target, arguments, judged, keep, state
from sqlalchemy import Connection

from wch.adapters.sql import SqlDatabase
from wch.application.hub import Hub

MESSAGES = 50_000
THREADS = MESSAGES // 20
TOGETHER = 64
PAGE = 20

Read = Callable[[int], Awaitable[Any]]
Write = Callable[[float], Awaitable[Any]]

_ASKED = "SELECT id, type, content, status, created_at FROM message WHERE conversation_id = ? ORDER BY id DESC LIMIT 20"
_WRITTEN = (
    "INSERT INTO message (conversation_id, wa_message_id, type, content, status, created_at)"
    " VALUES (?, ?, 'text', ?, 'received', '2026-03-02 12:00:00')"
)


class _Thread:
    """A thread with a connection of its own: what is asked for comes back to the loop."""

    def __init__(self, path: Path, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asked: queue.SimpleQueue[tuple[asyncio.Future[Any], Callable[[sqlite3.Connection], Any]] | None]
        self._asked = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, args=(path,), daemon=True)
        self._thread.start()

    def ask(self, act: Callable[[sqlite3.Connection], Any]) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = self._loop.create_future()
        self._asked.put((future, act))
        return future

    def close(self) -> None:
        self._asked.put(None)
        self._thread.join()

    def _serve(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        while (asked := self._asked.get()) is not None:
            future, act = asked
            self._loop.call_soon_threadsafe(future.set_result, act(connection))
        connection.close()


class Floor:
    """A reader thread and a writer thread on one file, and rows as the driver gives them."""

    def __init__(self, folder: Path, loop: asyncio.AbstractEventLoop) -> None:
        path = folder / "floor.db"
        self.numbers = itertools.count()
        self.writer = _Thread(path, loop)
        loop.run_until_complete(self.writer.ask(self._made))
        self.reader = _Thread(path, loop)

    def _made(self, connection: sqlite3.Connection) -> None:
        connection.executescript(
            "CREATE TABLE message (id INTEGER PRIMARY KEY, conversation_id INTEGER NOT NULL, wa_message_id TEXT UNIQUE,"
            " type TEXT, content TEXT, status TEXT, created_at TEXT);"
            "CREATE INDEX by_thread ON message (conversation_id);"
        )
        self._put(connection, MESSAGES)

    def _put(self, connection: sqlite3.Connection, many: int) -> None:
        connection.execute("BEGIN IMMEDIATE")
        rows = ((number % THREADS + 1, f"w.{number}", WORDS) for number in itertools.islice(self.numbers, many))
        connection.executemany(_WRITTEN, rows)
        connection.execute("COMMIT")

    async def read(self, thread: int) -> None:
        """One page."""
        rows = await self.reader.ask(lambda connection: connection.execute(_ASKED, (thread,)).fetchall())
        _whole(len(rows))

    async def write(self, seconds: float) -> None:
        """Commits, for so long."""
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            await self.writer.ask(lambda connection: self._put(connection, TOGETHER))

    def close(self) -> None:
        """End both threads."""
        self.reader.close()
        self.writer.close()


def _whole(count: int) -> None:
    if count < PAGE:
        message = "a page is not whole"
        raise RuntimeError(message)


class Ours:
    """The hub's thread page, beside its own ingress or beside the floor's writer on the hub's tables."""

    def __init__(self, hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
        self.hub = hub
        database = hub.database
        if not isinstance(database, SqlDatabase):
            raise TypeError(database)
        self.numbers = itertools.count()
        self.loop = loop

        def fill(connection: Connection) -> None:
            filled(connection, database, MESSAGES)

        loop.run_until_complete(database.run(fill, write=True))

    async def read(self, thread: int) -> None:
        """One page."""
        rows = await self.hub.database.read(lambda uow: uow.messages.thread(thread, limit=PAGE))
        _whole(len(rows))

    async def ingress(self, seconds: float) -> None:
        """Deliveries, so many waiting at any time, for so long."""
        bodies = (delivery(number, customers=CUSTOMERS) for number in self.numbers)
        await stored(self.hub, bodies, waiting=TOGETHER, seconds=seconds)


def beside(path: Path, hub: Hub, loop: asyncio.AbstractEventLoop, stack: ExitStack) -> Write:
    """The floor's writer on the hub's own table."""
    database = hub.database
    if not isinstance(database, SqlDatabase):
        raise TypeError(database)
    table = database.tables.messages
    written = str(
        table.insert().compile(
            column_keys=[
                "conversation_id",
                "direction",
                "type",
                "content",
                "status",
                "retry_count",
                "wa_message_id",
                "created_at",
                "updated_at",
            ]
        )
    )
    writer = _Thread(path, loop)
    stack.callback(writer.close)
    numbers = itertools.count()

    def put(connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        at = NOON.strftime("%Y-%m-%d %H:%M:%S")
        rows = (
            {
                "conversation_id": number % THREADS + 1, "direction": "inbound", "type": "text", "content": f'{{"v":1,"text":"{WORDS}"}}',
                "status": "processed", "retry_count": 0, "wa_message_id": f"w.{number}", "created_at": at, "updated_at": at,
            }
            for number in itertools.islice(numbers, TOGETHER)
        )  # fmt: skip
        connection.executemany(written, rows)
        connection.execute("COMMIT")

    async def write(seconds: float) -> None:
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            await writer.ask(put)

    return write


async def slowest(read: Read, write: Write, seconds: float) -> tuple[float, float]:
    """Within what 99 of 100 pages were read, in ms, and how many a second."""
    taken: list[float] = []
    writing = asyncio.create_task(write(seconds))
    threads = itertools.count()
    begun = time.perf_counter()
    while not writing.done():
        asked = time.perf_counter()
        await read(next(threads) * 7919 % THREADS + 1)
        taken.append((time.perf_counter() - asked) * 1e3)
    await writing
    return statistics.quantiles(taken, n=100)[98], len(taken) / (time.perf_counter() - begun)


def main() -> None:
    """All in turns."""
    quick = arguments().quick
    seconds, count = (0.7, 3) if quick else (2.0, 7)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, ExitStack() as stack:
        folder = Path(name).resolve()
        floor = Floor(folder, loop)
        stack.callback(floor.close)
        variants: dict[str, tuple[Read, Write]] = {"floor": (floor.read, floor.write)}
        for driver in ("sqlite", "sqlite+aiosqlite"):
            hub = stack.enter_context(opened(loop, f"{driver}:///{folder}/{driver}.db"))
            ours = Ours(hub, loop)
            path = folder / f"{driver}.db"
            variants[f"wch, {driver}, the floor's writer"] = ours.read, beside(path, hub, loop, stack)
            variants[f"wch, {driver}, its own ingress"] = ours.read, ours.ingress
        names, before = list(variants), state()
        late: dict[str, list[float]] = {name: [] for name in names}
        rates: dict[str, list[float]] = {name: [] for name in names}
        for turn in range(count):
            start = turn % len(names)
            for variant in (*names[start:], *names[:start]):
                p99, rate = loop.run_until_complete(slowest(*variants[variant], seconds))
                late[variant].append(p99)
                rates[variant].append(rate)
        about: dict[str, Any] = {"rounds": count, "before": before, "after": state(), "failed": {}}
        targets = [
            Target(number="14", what=f"against the floor, {name}", over=name, under="floor", most=3.0)
            for name in names
            if name != "floor"
        ]
        title = "A thread's page beside a busy writer"
        tables = [
            judged(
                late,
                targets,
                {
                    **about,
                    "title": f"{title}: within what 99 of 100 were read",
                    "unit": "ms",
                    "note": "Less is better. The floor gives rows as the driver does; ours are read, checked and built as messages.",
                },
            ),
            judged(rates, (), {**about, "title": f"{title}, one after another", "unit": "pages/s", "note": ""}),
        ]
    keep("readers", tables, quick=quick)


if __name__ == "__main__":
    main()

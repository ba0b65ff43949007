"""One hit of a rate limit: our exact window in the store, against `limits`, whose sliding windows are in memory or in Redis.

Run it with `make bench`, or `python benchmarks/bench_limiter.py [--quick]`; `limits` comes with `pip install -r benchmarks/requirements.txt`,
and Redis is expected at 127.0.0.1:6379.
"""

import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import limits
from measuring import Measure, Target, arguments, keep, rounds

from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql import SqlDatabase, schema
from wch.application.digests import Digests
from wch.application.failpoints import Failpoints
from wch.application.limits import Limits
from wch.application.ports import Database
from wch.domain.rate_limit import RateLimit

KEYS = 1_000
MOST, SECONDS = 1_000_000, 60
HITS = 20
"""Between two looks at the watch."""


class Floor:
    """Two counters a key, in one statement and one commit: what a window costs at least."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE hit (key TEXT NOT NULL, part INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (key, part)) WITHOUT ROWID"
        )

    def hit(self, key: str) -> None:
        """Count, and read what is counted."""
        self.connection.execute(
            "INSERT INTO hit VALUES (?, 0, 1) ON CONFLICT (key, part) DO UPDATE SET n = n + 1 RETURNING n", (key,)
        ).fetchone()


def at_once(hit: Callable[[str], Any], keys: "itertools.cycle[str]", seconds: float) -> Measure:
    """Hits a second."""

    def measure() -> float:
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            for _ in range(HITS):
                hit(next(keys))
            done += HITS
        return done / spent

    return measure


def waited_for(
    loop: asyncio.AbstractEventLoop,
    hit: Callable[[str], Awaitable[Any]],
    keys: "itertools.cycle[str]",
    seconds: float,
    together: int = 1,
) -> Measure:
    """Hits a second, so many of them at once."""

    async def measure() -> float:
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            if together == 1:
                for _ in range(HITS):
                    await hit(next(keys))
                done += HITS
            else:
                await asyncio.gather(*(hit(next(keys)) for _ in range(together)))
                done += together
        return done / spent

    return lambda: loop.run_until_complete(measure())


def main() -> None:
    """All variants in turns."""
    quick = arguments().quick
    seconds, count = (0.3, 5) if quick else (0.8, 7)
    loop = asyncio.new_event_loop()
    clock, ids = SystemClock(), SystemIds()
    keys = itertools.cycle([f"caller-{number}" for number in range(KEYS)])
    rate = limits.RateLimitItemPerMinute(MOST)
    memory_peer = limits.strategies.SlidingWindowCounterRateLimiter(limits.storage.MemoryStorage())
    redis_peer = limits.strategies.SlidingWindowCounterRateLimiter(
        limits.storage.storage_from_string("redis://127.0.0.1:6379/5")
    )

    def ours(database: Database) -> Callable[[str], Awaitable[Any]]:
        rooms = Limits(
            database=database,
            clock=clock,
            digests=Digests(keys=("k" * 32,)),
            rules={"api": RateLimit(name="api", most=MOST, seconds=SECONDS)},
            failpoints=Failpoints.disarmed(),
        )
        return lambda key: rooms.hit("api", key)

    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name).resolve()
        floor = Floor(folder)
        file = SqlDatabase.open(f"sqlite:///{folder}/hub.db", now=clock.now, token=ids.token)
        loop.run_until_complete(schema.upgrade(file))
        memory, sqlite = ours(MemoryDatabase()), ours(file)
        variants: dict[str, Measure] = {
            "wch, memory": waited_for(loop, memory, keys, seconds),
            "limits, memory, sliding": at_once(lambda key: memory_peer.hit(rate, key), keys, seconds),
            "floor, SQLite, a commit for each": at_once(floor.hit, keys, seconds),
            "wch, SQLite, one after another": waited_for(loop, sqlite, keys, seconds),
            "wch, SQLite, 32 at once": waited_for(loop, sqlite, keys, seconds, together=32),
            "limits, Redis, sliding": at_once(lambda key: redis_peer.hit(rate, key), keys, seconds),
        }
        table = rounds(
            "Hits of a rate limit over a thousand keys",
            variants,
            (
                Target(
                    number="10",
                    what="memory, against limits",
                    over="wch, memory",
                    under="limits, memory, sliding",
                    least=3.0,
                ),
                Target(
                    number="10b",
                    what="SQLite FULL, 32 at once, against an upsert each",
                    over="wch, SQLite, 32 at once",
                    under="floor, SQLite, a commit for each",
                    least=0.5,
                ),
                Target(
                    number="10b",
                    what="SQLite FULL, 32 at once, against limits and Redis",
                    over="wch, SQLite, 32 at once",
                    under="limits, Redis, sliding",
                    least=4.0,
                ),
            ),
            unit="hits/s",
            count=count,
            note="Ours is exact in any window and durable: it locks an anchor, reads twelve parts, writes one, and commits with synchronous=FULL.",
        )
        loop.run_until_complete(file.aclose())
    keep("limiter", [table], quick=quick)


if __name__ == "__main__":
    main()

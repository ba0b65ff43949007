"""Jobs that do nothing, at least once: the sync queue as the job table, against the least that could do it, huey and procrastinate.

Run it with `make bench`, or `python benchmarks/bench_queue.py [--quick]`; the peers come with `pip install -r benchmarks/requirements.txt`,
and PostgreSQL is expected at 127.0.0.1:5432, to be entered as postgres without a password. With WCH_TEST_MYSQL_URL
it measures MariaDB too, in tables of its own that are dropped afterwards.
"""

import asyncio
import itertools
import logging
import os
import sqlite3
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import huey
import procrastinate
import psycopg
from measuring import Measure, Target, arguments, keep, rounds

from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.sql import SqlDatabase, schema
from wch.application.ports import UnitOfWork
from wch.application.sync_leases import Done, SyncLeases
from wch.domain.lease import Leasing
from wch.domain.sync import EntityType, SyncAction, SyncStatus

WORKERS = 10
BATCH = 10
JOBS = 600
POSTGRES = "host=127.0.0.1 port=5432 user=postgres"
NAME = "wch_bench"


class Floor:
    """A job table on SQLite and nothing else: claim ten, complete ten, a commit for each."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(
            "CREATE TABLE job (id INTEGER PRIMARY KEY, status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, payload TEXT);"
            "CREATE INDEX ready ON job (id) WHERE status = 'ready';"
        )

    def work(self) -> float:
        """Jobs a second."""
        self._enqueue(JOBS)
        done, begun = 0, time.perf_counter()
        while True:
            claimed = self.connection.execute(
                "UPDATE job SET status = 'run', attempts = attempts + 1 WHERE id IN"
                " (SELECT id FROM job WHERE status = 'ready' ORDER BY id LIMIT ?) RETURNING id",
                (BATCH,),
            ).fetchall()
            if not claimed:
                return done / (time.perf_counter() - begun)
            marks = ", ".join("?" * len(claimed))
            self.connection.execute(
                f"UPDATE job SET status = 'done' WHERE id IN ({marks})",  # noqa: S608 - question marks
                [one[0] for one in claimed],
            )
            done += len(claimed)

    def enqueue(self, together: int) -> float:
        """Rows a second, so many in one commit."""
        begun = time.perf_counter()
        for _ in range(0, JOBS, together):
            self._enqueue(together)
        return JOBS / (time.perf_counter() - begun)

    def _enqueue(self, count: int) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT INTO job (status, payload) VALUES ('ready', '{}')", [()] * count)
        self.connection.execute("COMMIT")


class Ours:
    """The sync queue with its leases, fences and attempts; the tasks do nothing."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        clock, ids = SystemClock(), SystemIds()
        self.loop = loop
        self.clock = clock
        self.numbers = itertools.count(1)
        self.database = SqlDatabase.open(url, prefix="bench_", now=clock.now, token=ids.token)
        loop.run_until_complete(schema.upgrade(self.database))
        self.leases = SyncLeases(database=self.database, clock=clock, tell=lambda _fact: None, leasing=Leasing())

    def enqueue(self, together: int) -> float:
        """Rows a second, so many in one transaction."""
        return self.loop.run_until_complete(self._enqueue(together))

    def work(self, *, workers: int = WORKERS, batch: int = BATCH, jobs: int = JOBS) -> float:
        """Jobs a second: each of the workers takes a batch, does nothing, and ends it."""
        return self.loop.run_until_complete(self._work(workers, batch, jobs))

    def close(self) -> None:
        """Leave nothing behind."""
        self.loop.run_until_complete(schema.drop(self.database))
        self.loop.run_until_complete(self.database.aclose())

    async def _enqueue(self, together: int, jobs: int = JOBS) -> float:
        def rows(uow: UnitOfWork) -> None:
            now = self.clock.now()
            if together == 1:
                uow.sync.enqueue(EntityType.PRODUCT, next(self.numbers), SyncAction.UPDATE, now=now)
            else:
                chosen = list(itertools.islice(self.numbers, together))
                uow.sync.enqueue_all(EntityType.PRODUCT, chosen, SyncAction.UPDATE, now=now)

        begun = time.perf_counter()
        for _ in range(0, jobs, together):
            await self.database.transact(rows)
        return jobs / (time.perf_counter() - begun)

    async def _work(self, workers: int, batch: int, jobs: int) -> float:
        await self._enqueue(100, jobs)
        waiting = list(
            await self.database.read(lambda uow: uow.sync.waiting(SyncStatus.PENDING, EntityType.PRODUCT, limit=10**6))
        )
        pages = iter([waiting[first : first + batch] for first in range(0, len(waiting), batch)])

        async def worker() -> int:
            done = 0
            for page in pages:
                held = await self.leases.take(page)
                await self.leases.end([Done(held=one) for one in held])
                done += len(held)
            return done

        begun = time.perf_counter()
        done = sum(await asyncio.gather(*(worker() for _ in range(workers))))
        return done / (time.perf_counter() - begun)


class Huey:
    """huey on SQLite with fsync: a job is deleted when it is taken, so it is done at most once."""

    def __init__(self, folder: Path) -> None:
        self.queue = huey.SqliteHuey("bench", filename=str(folder / "huey.db"), fsync=True, results=False)
        self.done = 0
        self.is_done = threading.Event()

        @self.queue.task()  # type: ignore[misc]  # huey's decorator
        def job() -> None:
            self.done += 1

        self.job: Callable[[], Any] = job

    def enqueue(self) -> float:
        """Jobs a second, one at a time."""
        begun = time.perf_counter()
        for _ in range(JOBS):
            self.job()
        rate = JOBS / (time.perf_counter() - begun)
        self.queue.flush()
        return rate

    def work(self) -> float:
        """Jobs a second of one worker, without its waits."""
        for _ in range(JOBS):
            self.job()
        begun = time.perf_counter()
        done = 0
        while (task := self.queue.dequeue()) is not None:
            self.queue.execute(task)
            done += 1
        return done / (time.perf_counter() - begun)


class Procrastinate:
    """procrastinate on PostgreSQL: durable, at least once."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        with psycopg.connect(f"{POSTGRES} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {NAME}")
        connector = procrastinate.PsycopgConnector(conninfo=f"{POSTGRES} dbname={NAME}")
        self.app = procrastinate.App(connector=connector)

        @self.app.task(queue="bench", name="job")
        async def job() -> None:
            """Nothing."""

        self.job = job
        loop.run_until_complete(self.app.open_async())
        loop.run_until_complete(self.app.schema_manager.apply_schema_async())

    def work(self) -> float:
        """Jobs a second of ten at once."""
        return self.loop.run_until_complete(self._work())

    async def _work(self) -> float:
        jobs = JOBS // 3
        await self.job.batch_defer_async(*[{} for _ in range(jobs)])
        begun = time.perf_counter()
        await self.app.run_worker_async(
            queues=["bench"], concurrency=WORKERS, wait=False, install_signal_handlers=False, listen_notify=False
        )
        return jobs / (time.perf_counter() - begun)

    def enqueue(self) -> float:
        """Jobs a second, a hundred in one call."""
        return self.loop.run_until_complete(self._enqueue())

    async def _enqueue(self) -> float:
        begun = time.perf_counter()
        for _ in range(0, JOBS, 100):
            await self.job.batch_defer_async(*[{} for _ in range(100)])
        rate = JOBS / (time.perf_counter() - begun)
        await self.app.connector.execute_query_async("DELETE FROM procrastinate_jobs")
        return rate

    def close(self) -> None:
        """Leave nothing behind."""
        self.loop.run_until_complete(self.app.close_async())
        with psycopg.connect(f"{POSTGRES} dbname=postgres", autocommit=True) as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")


def main() -> None:
    """All variants in turns."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    quick = arguments().quick
    count = 5 if quick else 7
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name).resolve()
        floor, ours, peer = Floor(folder), Ours(f"sqlite:///{folder}/hub.db", loop), Huey(folder)
        other = Procrastinate(loop)
        variants: dict[str, Measure] = {
            "floor, batches of 10": floor.work,
            "wch, ten workers, batches of 10": ours.work,
            "huey, fsync, one worker": peer.work,
            "procrastinate, ten at once": other.work,
        }
        mine = "wch, ten workers, batches of 10"
        drained = rounds(
            "Jobs that do nothing, SQLite with synchronous=FULL",
            variants,
            (
                Target(number="8", what="against the floor", over=mine, under="floor, batches of 10", least=0.2),
                Target(number="8", what="against huey", over=mine, under="huey, fsync, one worker", least=1.2),
                Target(
                    number="8", what="against procrastinate", over=mine, under="procrastinate, ten at once", least=10.0
                ),
            ),
            unit="jobs/s",
            count=count,
            note="Ours and procrastinate do a job at least once, under a lease or a lock; huey at most once. The floor has no task at all.",
        )
        entered = rounds(
            "Putting jobs in, SQLite with synchronous=FULL",
            {
                "floor, one a commit": lambda: floor.enqueue(1),
                "floor, 100 a commit": lambda: floor.enqueue(100),
                "wch, one a call": lambda: ours.enqueue(1),
                "wch, 100 a call": lambda: ours.enqueue(100),
                "huey, fsync": peer.enqueue,
                "procrastinate, 100 a call": other.enqueue,
            },
            (
                Target(
                    number="8b",
                    what="one, against the floor",
                    over="wch, one a call",
                    under="floor, one a commit",
                    least=0.6,
                ),
                Target(
                    number="8b",
                    what="100, against the floor",
                    over="wch, 100 a call",
                    under="floor, 100 a commit",
                    least=0.35,
                ),
                Target(number="8b", what="one, against huey", over="wch, one a call", under="huey, fsync", least=0.8),
                Target(
                    number="8b",
                    what="100, against procrastinate",
                    over="wch, 100 a call",
                    under="procrastinate, 100 a call",
                    least=5.0,
                ),
            ),
            unit="jobs/s",
            count=count,
        )
        tables = [drained, entered]
        if server := os.environ.get("WCH_TEST_MYSQL_URL"):
            tables.append(on_a_server(Ours(server, loop), other, count))
        other.close()
        loop.run_until_complete(ours.database.aclose())
    keep("jobs", tables, quick=quick)


def on_a_server(ours: Ours, other: Procrastinate, count: int) -> dict[str, Any]:
    """The same queue on MariaDB, in batches of a hundred and one by one."""
    hundred, one, peer = "wch, batches of 100", "wch, one by one", "procrastinate, ten at once"
    try:
        return rounds(
            "Jobs that do nothing, MariaDB",
            {
                hundred: lambda: ours.work(workers=4, batch=100, jobs=800),
                one: lambda: ours.work(workers=1, batch=1, jobs=100),
                peer: other.work,
            },
            (
                Target(number="8c", what="batches of 100, against one by one", over=hundred, under=one, least=12.0),
                Target(number="8c", what="against procrastinate", over=hundred, under=peer, least=5.0),
            ),
            unit="jobs/s",
            count=count,
            note="Four workers with batches, one without; procrastinate is on PostgreSQL.",
        )
    finally:
        ours.close()


if __name__ == "__main__":
    main()

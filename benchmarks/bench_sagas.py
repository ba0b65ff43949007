"""Sagas of five steps that do nothing: what writing them down costs, against the least that could do it and against DBOS.

Run it with `make bench`, or `python benchmarks/bench_sagas.py [--quick]`. DBOS comes with `pip install -r benchmarks/requirements.txt`.
With WCH_TEST_MYSQL_URL it measures MariaDB too, in tables of its own that are dropped afterwards.
"""

import asyncio
import itertools
import json
import logging
import multiprocessing
import os
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pymysql
from measuring import Measure, Target, arguments, keep, rounds
from sqlalchemy.engine import make_url

from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.sql import SqlDatabase, schema
from wch.application.failpoints import Failpoints
from wch.application.ports import UnitOfWork
from wch.application.sagas import Definition, SagaRunner, Step
from wch.application.untraced import Untraced
from wch.domain.lease import Leasing
from wch.domain.saga import Saga

STEPS = 5
TOGETHER = 10
KIND = "bench"
ORDER = {"order": 1, "lines": [{"sku": "A", "quantity": 2}] * 3, "total": "12.50"}

POSTGRES = "postgresql://postgres@127.0.0.1:5432/wch_bench_dbos"

TABLES = """
CREATE TABLE saga (id TEXT PRIMARY KEY, status TEXT NOT NULL, step INTEGER NOT NULL, input TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE saga_log (saga TEXT NOT NULL, number INTEGER NOT NULL, step TEXT NOT NULL, event TEXT NOT NULL,
  data TEXT, PRIMARY KEY (saga, number)) WITHOUT ROWID;
"""


class Floor:
    """A log on SQLite and nothing else: one commit for each transition, or one for those of ten."""

    def __init__(self, folder: Path) -> None:
        self.connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(TABLES)

    def run(self, seconds: float, together: int) -> float:
        """Sagas a second."""
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            names = [uuid.uuid4().hex for _ in range(together)]
            self._commit(
                [("INSERT INTO saga VALUES (?, 'running', 0, ?)", (name, json.dumps(ORDER))) for name in names]
            )
            for step in range(STEPS):
                statements: list[tuple[str, tuple[Any, ...]]] = []
                for name in names:
                    entry = (name, step, f"step{step}", "done", '{"ok":true}')
                    statements.append(("INSERT INTO saga_log VALUES (?, ?, ?, ?, ?)", entry))
                    statements.append(("UPDATE saga SET step = ? WHERE id = ?", (step + 1, name)))
                self._commit(statements)
            self._commit([("UPDATE saga SET status = 'done' WHERE id = ?", (name,)) for name in names])
            done += together
        return done / (time.perf_counter() - begun)

    def _commit(self, statements: list[tuple[str, tuple[Any, ...]]]) -> None:
        self.connection.execute("BEGIN IMMEDIATE")
        for text, values in statements:
            self.connection.execute(text, values)
        self.connection.execute("COMMIT")


class ServerFloor:
    """The same log on MariaDB: a commit, and so a round trip of its own, for each transition."""

    def __init__(self, url: str) -> None:
        address = make_url(url)
        self.connection = pymysql.connect(
            host=address.host, port=address.port or 3306, user=address.username, password=address.password or "",
            database=address.database, autocommit=False,
        )  # fmt: skip
        self.cursor = self.connection.cursor()
        self.drop()
        self.cursor.execute(
            "CREATE TABLE bench_saga (id VARCHAR(64) PRIMARY KEY, status VARCHAR(20), step INT, input LONGTEXT)"
        )
        self.cursor.execute(
            "CREATE TABLE bench_saga_log (saga VARCHAR(64), number INT, step VARCHAR(20), event VARCHAR(20), data LONGTEXT,"
            " PRIMARY KEY (saga, number))"
        )

    def run(self, seconds: float) -> float:
        """Sagas a second, one after another."""
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            name = uuid.uuid4().hex
            self._commit(("INSERT INTO bench_saga VALUES (%s, 'running', 0, %s)", (name, json.dumps(ORDER))))
            for step in range(STEPS):
                entry = (name, step, f"step{step}", "done", '{"ok":true}')
                self._commit(
                    ("INSERT INTO bench_saga_log VALUES (%s, %s, %s, %s, %s)", entry),
                    ("UPDATE bench_saga SET step = %s WHERE id = %s", (step + 1, name)),
                )
            self._commit(("UPDATE bench_saga SET status = 'done' WHERE id = %s", (name,)))
            done += 1
        return done / (time.perf_counter() - begun)

    def _commit(self, *statements: tuple[str, tuple[Any, ...]]) -> None:
        self.connection.begin()
        for text, values in statements:
            self.cursor.execute(text, values)
        self.connection.commit()

    def drop(self) -> None:
        """Leave nothing behind."""
        self.cursor.execute("DROP TABLE IF EXISTS bench_saga, bench_saga_log")


class Ours:
    """The hub's own runner, with steps that call nobody: intent and outcome are written around each."""

    def __init__(self, url: str, loop: asyncio.AbstractEventLoop) -> None:
        clock, ids = SystemClock(), SystemIds()
        self.loop = loop
        self.clock = clock
        self.numbers = itertools.count()
        self.database = SqlDatabase.open(url, prefix="bench_", now=clock.now, token=ids.token)
        loop.run_until_complete(schema.upgrade(self.database))

        async def call(_saga: Saga) -> Mapping[str, Any]:
            return {"ok": True}

        steps = tuple(Step(name=f"step{number}", call=call) for number in range(STEPS))
        definition = Definition(
            saga_type=KIND, version=1, steps=lambda _saga: steps, lock=_nothing_to_lock, undone=_nothing_more
        )
        self.runner = SagaRunner(
            database=self.database, clock=clock, ids=ids, definitions={KIND: definition},
            failpoints=Failpoints.disarmed(), most_at_once=TOGETHER, leasing=Leasing(), tracer=Untraced(),
            tell=lambda _fact: None,
        )  # fmt: skip

    def close(self) -> None:
        """Leave nothing behind."""
        self.loop.run_until_complete(schema.drop(self.database))
        self.loop.run_until_complete(self.database.aclose())

    def run(self, seconds: float, together: int) -> float:
        """Sagas a second, from their first row to their last."""
        return self.loop.run_until_complete(self._run(seconds, together))

    async def _run(self, seconds: float, together: int) -> float:
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            names = [f"bench-{next(self.numbers)}" for _ in range(together)]
            await asyncio.gather(*(self.database.transact(self._beginning(name)) for name in names))
            while sum(await asyncio.gather(self.runner.work())):
                pass
            done += together
        return done / (time.perf_counter() - begun)

    def _beginning(self, name: str) -> Any:
        def work(uow: UnitOfWork) -> None:
            context = {"version": 1, **ORDER}
            uow.sagas.add(Saga.begun(name, KIND, context, now=self.clock.now()))

        return work


def _nothing_to_lock(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> None:
    """These sagas are about no customer."""


def _nothing_more(_uow: UnitOfWork, _saga: Saga, _now: datetime) -> None:
    """Nothing is told to anybody."""


def serve_dbos(pipe: Connection, address: str) -> None:
    """DBOS in a process of its own, asked for one measure at a time."""
    logging.disable(logging.CRITICAL)
    from dbos import DBOS  # noqa: PLC0415 - a peer

    if address.startswith("sqlite"):
        sqlite3.connect(address.removeprefix("sqlite:///")).execute("PRAGMA journal_mode = WAL")
    DBOS(config={"name": "bench", "system_database_url": address, "run_admin_server": False, "log_level": "CRITICAL"})

    @DBOS.step()  # type: ignore[misc]  # DBOS's decorator
    def step(number: int) -> dict[str, Any]:
        return {"number": number, "ok": True}

    @DBOS.workflow()  # type: ignore[misc]  # as above
    def workflow(order: dict[str, Any]) -> dict[str, Any]:
        for number in range(STEPS):
            step(number)
        return order

    DBOS.launch()
    workflow(ORDER)
    pipe.send("ready")
    while True:
        seconds, together = pipe.recv()
        done, begun = 0, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            if together == 1:
                workflow(ORDER)
            else:
                for handle in [DBOS.start_workflow(workflow, ORDER) for _ in range(together)]:
                    handle.get_result()
            done += together
        pipe.send(done / (time.perf_counter() - begun))


def peer_at(address: str, seconds: float) -> tuple[multiprocessing.process.BaseProcess, Callable[[int], Measure]]:
    """DBOS on this database, and how to measure so many of its sagas at once."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve_dbos, args=(there, address), daemon=True)
    process.start()
    is_there = here.poll(60) and here.recv() == "ready"

    def dbos(together: int) -> Measure:
        def measure() -> float:
            if not is_there:
                message = "DBOS did not start; is it installed?"
                raise RuntimeError(message)
            here.send((seconds, together))
            rate: float = here.recv()
            return rate

        return measure

    return process, dbos


def on_a_server(url: str, loop: asyncio.AbstractEventLoop, seconds: float, count: int) -> dict[str, Any]:
    """One after another on MariaDB; DBOS has PostgreSQL, which is what it is made for."""
    floor, ours = ServerFloor(url), Ours(url, loop)
    peer, dbos = peer_at(POSTGRES, seconds)
    try:
        return rounds(
            f"Sagas of {STEPS} steps on MariaDB, one after another",
            {
                "floor": lambda: floor.run(seconds),
                "wch": lambda: ours.run(seconds, 1),
                "DBOS, PostgreSQL": dbos(1),
            },
            (
                Target(number="7c", what="against the floor", over="wch", under="floor", least=0.5),
                Target(number="7c", what="against DBOS on PostgreSQL", over="wch", under="DBOS, PostgreSQL", least=2.0),
            ),
            unit="sagas/s",
            count=count,
            note="Each of our transactions begins with the mark by which a lost answer to COMMIT is settled: one round trip more.",
        )
    finally:
        peer.terminate()
        floor.drop()
        ours.close()


def main() -> None:
    """All variants in turns."""
    quick = arguments().quick
    seconds, count = (1.0, 3) if quick else (2.0, 7)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        folder = Path(name).resolve()
        floor, ours = Floor(folder), Ours(f"sqlite:///{folder}/hub.db", loop)
        peer, dbos = peer_at(f"sqlite:///{folder}/dbos.db", seconds)
        variants: dict[str, Measure] = {}
        for together, words in ((1, "one after another"), (TOGETHER, "ten at once")):
            variants[f"floor, {words}"] = lambda together=together: floor.run(seconds, together)  # type: ignore[misc]  # bound
            variants[f"wch, {words}"] = lambda together=together: ours.run(seconds, together)  # type: ignore[misc]  # bound
            variants[f"DBOS, {words}"] = dbos(together)
        one, ten = "one after another", "ten at once"
        table = rounds(
            f"Sagas of {STEPS} steps on SQLite, synchronous=FULL",
            variants,
            (
                Target(number="7", what="against the floor", over=f"wch, {one}", under=f"floor, {one}", least=0.45),
                Target(number="7", what="against DBOS", over=f"wch, {one}", under=f"DBOS, {one}", least=4.0),
                Target(number="7b", what="against the floor", over=f"wch, {ten}", under=f"floor, {ten}", least=0.35),
                Target(number="7b", what="against DBOS", over=f"wch, {ten}", under=f"DBOS, {ten}", least=15.0),
                Target(
                    number="7b", what="against our own, one by one", over=f"wch, {ten}", under=f"wch, {one}", least=1.5
                ),
            ),
            unit="sagas/s",
            count=count,
            note="The hub writes before and after each step, the next intent with the last outcome; the floor and DBOS after it only.",
        )
        peer.terminate()
        loop.run_until_complete(ours.database.aclose())
    server = os.environ.get("WCH_TEST_MYSQL_URL")
    more = [] if server is None else [on_a_server(server, loop, seconds, count)]
    keep("sagas", [table, *more], quick=quick)


if __name__ == "__main__":
    main()

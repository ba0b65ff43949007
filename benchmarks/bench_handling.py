"""What one message costs in process, 32 to a commit: the hub's ingress, plain sqlite3, and SQLAlchemy as it is mostly used.

Run it with `make bench`, or `python benchmarks/bench_handling.py [--quick]`.
"""

import asyncio
import itertools
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import sqlalchemy
from apps import handled, row_of
from apps import opened as floor
from deliveries import delivery
from ingesting import opened, stored
from measuring import Measure, Target, arguments, keep, rounds
from sqlalchemy.ext.asyncio import create_async_engine

TOGETHER = 32
FLOOR = "floor: sqlite3, 32 in a commit"
CORE = "SQLAlchemy Core, asynchronous, one by one"
TARGETS = [
    target
    for ours in ("wch, sqlite3, 32 waiting", "wch, aiosqlite, 32 waiting")
    for target in (
        Target(number="5", what=f"against the floor, {ours}", over=ours, under=FLOOR, least=0.4),
        Target(number="5", what=f"against SQLAlchemy, {ours}", over=ours, under=CORE, least=30.0),
    )
]


def plain(seconds: float) -> Measure:
    """The same effect and nothing else: decode, look up, store, move on, put the answer on the list."""
    connection, numbers = floor("plain"), itertools.count()

    def run() -> float:
        begun, done = time.perf_counter(), 0
        while time.perf_counter() < begun + seconds:
            handled(connection, [row_of(delivery(next(numbers))) for _ in range(TOGETHER)])
            done += TOGETHER
        return done / (time.perf_counter() - begun)

    return run


def core(loop: asyncio.AbstractEventLoop, folder: Path, seconds: float) -> Measure:
    """The same effect by statements that are built for each message, each awaited."""
    floor("core").close()
    tables = sqlalchemy.MetaData()
    tables.reflect(sqlalchemy.create_engine(f"sqlite:///{folder}/core.db"))
    conversations, messages, jobs = (tables.tables[name] for name in ("conversation", "message", "job"))
    engine, numbers = create_async_engine(f"sqlite+aiosqlite:///{folder}/core.db"), itertools.count()

    @sqlalchemy.event.listens_for(engine.sync_engine, "connect")
    def durable(connection: sqlalchemy.PoolProxiedConnection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    async def one() -> None:
        wamid, phone, kind, body, status, at = row_of(delivery(next(numbers)))
        async with engine.begin() as connection:
            where = conversations.c.phone == phone
            found = (await connection.execute(sqlalchemy.select(conversations).where(where))).one()
            values = {"wamid": wamid, "phone": phone, "kind": kind, "body": body, "status": status, "at": at}
            await connection.execute(sqlalchemy.insert(messages).values(values))
            await connection.execute(
                sqlalchemy.update(conversations)
                .where(conversations.c.id == found.id, conversations.c.version == found.version)
                .values(state="cart", latest=at, unread=found.unread + 1, version=found.version + 1)
            )
            await connection.execute(sqlalchemy.insert(jobs).values(status="ready", due=0, payload=body[:100]))

    async def many() -> float:
        begun, done = time.perf_counter(), 0
        while time.perf_counter() < begun + seconds:
            await one()
            done += 1
        return done / (time.perf_counter() - begun)

    return lambda: loop.run_until_complete(many())


def main() -> None:
    """All of them, on files of one folder."""
    quick = arguments().quick
    seconds, count = (0.7, 3) if quick else (2.0, 7)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, ExitStack() as stack:
        os.environ["BENCH_FOLDER"] = name
        variants = {FLOOR: plain(seconds), CORE: core(loop, Path(name), seconds)}
        numbers = itertools.count()
        for called, driver in (("sqlite3", "sqlite"), ("aiosqlite", "sqlite+aiosqlite")):
            hub = stack.enter_context(opened(loop, f"{driver}:///{name}/{called}.db"))
            variants[f"wch, {called}, {TOGETHER} waiting"] = lambda hub=hub: loop.run_until_complete(
                stored(hub, map(delivery, numbers), waiting=TOGETHER, seconds=seconds)
            )
        table = rounds(
            "One message, handled in process",
            variants,
            TARGETS,
            unit="messages/s",
            count=count,
            note="synchronous=FULL. The hub checks the signature and answers the caller too.",
        )
    keep("handling", [table], quick=quick)


if __name__ == "__main__":
    main()

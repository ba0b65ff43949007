"""Deliveries and statuses on MariaDB: groups against one each, against SQLAlchemy as it is mostly used, and statements counted.

Run it with `make bench`, or `python benchmarks/bench_mariadb_ingress.py [--quick]`; the server is `WCH_BENCH_MYSQL_URL`,
or at 127.0.0.1:3306, to be entered as root without a password. A database `wch_bench_ingress` is made there anew.
The peer comes with `pip install -r benchmarks/requirements.txt`.
"""

import asyncio
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import sqlalchemy
from deliveries import CUSTOMERS, delivery, signature
from ingesting import opened, stored, together
from measuring import Measure, Target, arguments, keep, rounds
from sqlalchemy import event
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from statuses import MOST, told

from wch.application.gathering import MOST_TOGETHER
from wch.application.hub import Hub

SERVER = os.environ.get("WCH_BENCH_MYSQL_URL", "mysql+pymysql://root@127.0.0.1:3306/")
NAME = "wch_bench_ingress"
POOL = 15
GROUPS = "wch, 32 waiting, groups"
ALONE = "wch, 32 waiting, one each"
PEER = f"SQLAlchemy Core, asynchronous, {POOL} tasks and connections"
TABLES = """
CREATE TABLE conversation (id BIGINT PRIMARY KEY AUTO_INCREMENT, phone VARCHAR(20) NOT NULL UNIQUE,
  state VARCHAR(30) NOT NULL, latest BIGINT NOT NULL, unread INT NOT NULL, version INT NOT NULL);
CREATE TABLE message (id BIGINT PRIMARY KEY AUTO_INCREMENT, wamid VARCHAR(255) NOT NULL UNIQUE,
  phone VARCHAR(20) NOT NULL, kind VARCHAR(30) NOT NULL, body LONGTEXT NOT NULL, status VARCHAR(20) NOT NULL,
  at BIGINT NOT NULL, INDEX of_phone (phone, id));
CREATE TABLE job (id BIGINT PRIMARY KEY AUTO_INCREMENT, status VARCHAR(20) NOT NULL, due BIGINT NOT NULL, payload TEXT)
"""
TARGETS = (
    Target(number="6", what="groups against one each", over=GROUPS, under=ALONE, least=3.0),
    Target(number="6", what="against SQLAlchemy with a pool of its size", over=GROUPS, under=PEER, least=3.0),
)
FEW, MANY = 8, 64


class Counted:
    """The statements of everything in this process, `BEGIN` and `COMMIT` too."""

    def __init__(self) -> None:
        self.count = 0
        event.listen(Engine, "before_cursor_execute", self._noted)

    def _noted(self, *_asked: Any) -> None:
        self.count += 1


@contextmanager
def peer(loop: asyncio.AbstractEventLoop, seconds: float) -> Iterator[Measure]:
    """The whole handling, a transaction for each message."""
    url = make_url(SERVER).set(drivername="mysql+aiomysql", database=NAME)
    engine, numbers = create_async_engine(url, pool_size=POOL, max_overflow=0), itertools.count()
    tables = sqlalchemy.MetaData()

    async def made() -> None:
        async with engine.begin() as connection:
            for statement in TABLES.split(";"):
                await connection.exec_driver_sql(statement)
            await connection.run_sync(lambda inner: tables.reflect(inner, only=["conversation", "message", "job"]))
            rows = [
                {"phone": f"1650{number:07d}", "state": "browsing", "latest": 0, "unread": 0, "version": 1}
                for number in range(CUSTOMERS)
            ]
            await connection.execute(sqlalchemy.insert(tables.tables["conversation"]), rows)

    loop.run_until_complete(made())
    conversations, messages, jobs = (tables.tables[name] for name in ("conversation", "message", "job"))

    async def one() -> None:
        number = next(numbers)
        body, phone = delivery(number).decode(), f"1650{number % CUSTOMERS:07d}"
        async with engine.begin() as connection:
            where = conversations.c.phone == phone
            found = (await connection.execute(sqlalchemy.select(conversations).where(where))).one()
            values = {
                "wamid": str(number),
                "phone": phone,
                "kind": "text",
                "body": body,
                "status": "received",
                "at": number,
            }
            await connection.execute(sqlalchemy.insert(messages).values(values))
            await connection.execute(
                sqlalchemy.update(conversations)
                .where(conversations.c.id == found.id)
                .values(state="cart", latest=number, unread=found.unread + 1, version=found.version + 1)
            )
            await connection.execute(sqlalchemy.insert(jobs).values(status="ready", due=0, payload=body[:100]))

    async def many() -> float:
        begun, done = time.perf_counter(), 0

        async def line() -> None:
            nonlocal done
            while time.perf_counter() < begun + seconds:
                await one()
                done += 1

        await asyncio.gather(*(line() for _ in range(POOL)))
        return done / (time.perf_counter() - begun)

    yield lambda: loop.run_until_complete(many())
    loop.run_until_complete(engine.dispose())


def statements(loop: asyncio.AbstractEventLoop, hub: Hub, counted: Counted) -> list[dict[str, Any]]:
    """How many statements one group takes, small and large, of people who are known and who are not."""
    fresh = itertools.count(10**6)

    async def group(size: int, customers: int) -> None:
        bodies = [delivery(next(fresh), customers=customers) for _ in range(size)]
        # What is begun at the same moment is one group.
        await asyncio.gather(*(hub.inbox.receive_raw(body, signature=signature(body)) for body in bodies))

    def measure(size: int, *, known: bool) -> Measure:
        def run() -> float:
            customers = MANY if known else 10**9
            if known:
                loop.run_until_complete(group(MANY, customers))
            before = counted.count
            loop.run_until_complete(group(size, customers))
            return float(counted.count - before)

        return run

    variants = {
        f"a group of {size}, {'known' if known else 'new'} customers": measure(size, known=known)
        for known in (True, False)
        for size in (FEW, MANY)
    }
    names = list(variants)
    targets = [Target(number="6", what=f"statements, {names[1]}", over=names[1], under="one", most=8.0)] + [
        Target(number="6", what=f"{MANY} against {FEW}, {which}", over=many, under=few, most=1.0)
        for which, few, many in (("known", *names[:2]), ("new", *names[2:]))
    ]
    note = (
        "`START TRANSACTION` and `COMMIT` count, and so does the row that tells after a lost answer what became of it."
    )
    return [
        rounds(
            "Statements of a group on MariaDB",
            {**variants, "one": lambda: 1.0},
            targets,
            unit="statements",
            count=3,
            note=note,
        )
    ]


def main() -> None:
    """Groups, the peer, statements, statuses."""
    quick = arguments().quick
    seconds, count = (1.0, 3) if quick else (2.0, 7)
    admin = sqlalchemy.create_engine(SERVER)
    with admin.begin() as connection:
        connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {NAME}")
        connection.exec_driver_sql(f"CREATE DATABASE {NAME} CHARACTER SET utf8mb4")
    loop, numbers = asyncio.new_event_loop(), itertools.count()
    with ExitStack() as stack:
        url = make_url(SERVER).set(database=NAME).render_as_string(hide_password=False)
        hub = stack.enter_context(opened(loop, url))

        def measure(most: int) -> Measure:
            def run() -> float:
                with together(most):
                    return loop.run_until_complete(stored(hub, map(delivery, numbers), waiting=32, seconds=seconds))

            return run

        variants = {GROUPS: measure(MOST_TOGETHER), ALONE: measure(1), PEER: stack.enter_context(peer(loop, seconds))}
        note = "The whole handling, innodb_flush_log_at_trx_commit as the server has it."
        tables = [rounds("Ingress on MariaDB", variants, TARGETS, unit="deliveries/s", count=count, note=note)]
        tables += statements(loop, hub, Counted())
        tables.append(told(loop, {"MariaDB": (hub, 10.0)}, count=count, most=100 if quick else MOST))
    keep("mariadb_ingress", tables, quick=quick)


if __name__ == "__main__":
    main()

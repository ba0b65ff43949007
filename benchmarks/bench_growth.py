"""How the everyday questions grow with the data: the hub's own repositories, on few rows and on many.

Run it with `make bench`, or `python benchmarks/bench_growth.py [--quick]`. With WCH_TEST_MYSQL_URL it asks MariaDB too,
in a database of its own that is dropped afterwards.
"""

import asyncio
import itertools
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
from measuring import arguments, keep, show, state
from sqlalchemy import Connection, insert
from sqlalchemy.engine import make_url

from wch.adapters.sql import SqlDatabase, schema
from wch.application.ports import UnitOfWork
from wch.domain.cart import CartItem
from wch.domain.dead_letter import DeadLetterStatus

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
CHUNK = 5000
ASKED = 30
PAGES = 100
"""So many rows are asked for at most: there are as many among few and among many, or more."""

WORDS = "y" * 300

Ask = Callable[[UnitOfWork], Any]


def row_at(number: int, many: int, apart: int = 1) -> datetime:
    """When the row of this number was made: the last one just now, the others so many seconds apart."""
    return NOON - timedelta(seconds=(many - number) * apart)


def filled(connection: Connection, database: SqlDatabase, many: int, apart: int = 1) -> None:
    """So many messages, twenty in a conversation; a dead letter for each hundred, a cart for each conversation."""
    tables = database.tables
    threads = max(10, many // 20)

    def put(table: Any, rows: Iterator[dict[str, Any]]) -> None:
        while chunk := list(itertools.islice(rows, CHUNK)):
            connection.execute(insert(table), chunk)

    put(
        tables.customers,
        (
            {"phone": f"1650{i:08d}", "created_at": NOON, "updated_at": NOON, "last_interaction_at": NOON}
            for i in range(threads)
        ),
    )
    put(
        tables.conversations,
        (
            {
                "customer_phone": f"1650{i:08d}", "status": "active", "state": "browsing", "context": {"v": 1},
                "message_count": 20, "unread_count": 0, "created_at": NOON, "updated_at": NOON,
                "last_message_at": row_at((i * 7919) % many, many, apart),
            }
            for i in range(threads)
        ),
    )  # fmt: skip
    put(
        tables.messages,
        (
            {
                "conversation_id": (i * 31) % threads + 1, "direction": "inbound", "type": "text",
                "wa_message_id": f"wamid.{i:030d}", "content": {"v": 1, "text": WORDS},
                "status": "received" if i % 1000 == 0 and i // 1000 < 10 else "processed", "retry_count": 0,
                "created_at": row_at(i, many, apart), "updated_at": row_at(i, many, apart), "sent_at": row_at(i, many, apart),
            }
            for i in range(many)
        ),
    )  # fmt: skip
    put(
        tables.dead_letters,
        (
            {
                "hook": "whatsapp.event", "args": {"v": 1}, "reason": "exception", "error_message": "x", "attempts": 1,
                "metadata": {"v": 1}, "status": "pending" if i < PAGES else "replayed",
                "created_at": row_at(i, many // 100, apart),
            }
            for i in range(many // 100)
        ),
    )  # fmt: skip
    line = (
        CartItem(product_id=1, product_name="Mug", quantity=1, price_at_add=Decimal(12), currency="EUR", added_at=NOON),
    )
    put(
        tables.carts,
        (
            {
                "customer_phone": f"1650{i:08d}", "items": line, "total": Decimal(12), "status": "active" if i < PAGES else "expired",
                "created_at": row_at(i, threads, apart), "updated_at": row_at(i, threads, apart), "expires_at": NOON,
            }
            for i in range(threads)
        ),
    )  # fmt: skip


def questions(many: int) -> dict[str, Ask]:
    """What is asked all day, each bounded."""
    threads = max(10, many // 20)
    middle = (row_at(many // 2, many), 1)
    return {
        "inbox, first page of 50": lambda uow: uow.conversations.listed(limit=50),
        "inbox, a page in the middle": lambda uow: uow.conversations.listed(before=middle, limit=50),
        "thread, newest 20": lambda uow: uow.messages.thread(threads // 2, limit=20),
        "dead letters, first page of 50": lambda uow: uow.dead_letters.listed(
            status=DeadLetterStatus.PENDING, limit=50
        ),
        "carts to sweep, 100": lambda uow: uow.carts.idle_since(NOON, limit=100),
        "lines to take, 20": lambda uow: uow.messages.heads(now=NOON, limit=20),
        "messages to send, 200": lambda uow: uow.messages.leaving(limit=200),
        "a message by its id": lambda uow: uow.messages.by_wa_id(f"wamid.{many // 2:030d}"),
    }


def asked(database: SqlDatabase, ask: Ask, loop: asyncio.AbstractEventLoop) -> list[float]:
    """Microseconds of each time that it was asked."""
    loop.run_until_complete(database.read(ask))
    taken = []
    for _ in range(ASKED):
        begun = time.perf_counter()
        loop.run_until_complete(database.read(ask))
        taken.append((time.perf_counter() - begun) * 1e6)
    return taken


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, Callable[[int], str]]]:
    """The addresses of a database of each kind, by how much is in it."""
    kinds: dict[str, Callable[[int], str]] = {"SQLite": lambda many: f"sqlite:///{folder}/{many}.db"}
    server = os.environ.get("WCH_TEST_MYSQL_URL")
    if not server:
        yield kinds
        return
    import pymysql  # noqa: PLC0415 - an extra

    url = make_url(server)
    connection = pymysql.connect(
        host=url.host, port=url.port or 3306, user=url.username, password=str(url.password or "")
    )
    names: list[str] = []

    def made(many: int) -> str:
        name = f"wch_growth_{many}"
        connection.query(f"DROP DATABASE IF EXISTS {name}")
        connection.query(f"CREATE DATABASE {name} CHARACTER SET utf8mb4")
        names.append(name)
        return url.set(database=name).render_as_string(hide_password=False)

    try:
        yield {**kinds, "MariaDB": made}
    finally:
        for name in names:
            connection.query(f"DROP DATABASE {name}")
        connection.close()


@attrs.frozen
class _Sizes:
    few: int
    many: int


def main() -> None:
    """Fill two databases of each kind, and ask the same of both in turns."""
    quick = arguments().quick
    sizes = _Sizes(10_000, 100_000) if quick else _Sizes(10_000, 1_000_000)
    loop = asyncio.new_event_loop()
    tokens = itertools.count()
    tables = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, databases(Path(name)) as kinds:
        for kind, address in kinds.items():
            before = state()
            opened = {}
            for many in (sizes.few, sizes.many):
                database = SqlDatabase.open(
                    address(many), now=lambda: NOON, token=lambda: f"{next(tokens):032x}", inline=True
                )
                loop.run_until_complete(schema.upgrade(database))
                print(f"{kind}: writing {many:,} messages", flush=True)
                loop.run_until_complete(database.run(_filling(database, many), write=True))
                opened[many] = database
            tables.append(_table(kind, sizes, opened, loop, before))
            for database in opened.values():
                loop.run_until_complete(database.aclose())
    for table in tables:
        show(table)
    keep("growth", tables, quick=quick)


def _filling(database: SqlDatabase, many: int) -> Callable[[Connection], None]:
    def work(connection: Connection) -> None:
        filled(connection, database, many)
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("ANALYZE")

    return work


def _table(
    kind: str, sizes: _Sizes, opened: dict[int, SqlDatabase], loop: asyncio.AbstractEventLoop, before: dict[str, Any]
) -> dict[str, Any]:
    most = 1.5 if kind == "SQLite" else 2.5
    rows: dict[str, Any] = {}
    targets = []
    for question in questions(sizes.few):
        samples = {many: asked(opened[many], questions(many)[question], loop) for many in (sizes.few, sizes.many)}
        again = {many: asked(opened[many], questions(many)[question], loop) for many in (sizes.many, sizes.few)}
        taken = {many: samples[many] + again[many] for many in samples}
        for many, values in taken.items():
            rows[f"{question}, of {many:,}"] = {
                "median": statistics.median(values), "least": min(values), "most": max(values)
            }  # fmt: skip
        ratio = statistics.median(taken[sizes.many]) / statistics.median(taken[sizes.few])
        bound = (
            3.5
            if question.startswith("thread") and kind == "SQLite"
            else 4.5
            if question.startswith("thread")
            else most
        )
        targets.append(
            {"number": "15", "what": question, "least": None, "most": bound, "ratio": ratio, "holds": ratio <= bound}
        )
    return {
        "title": f"Growth on {kind}: from {sizes.few:,} to {sizes.many:,} messages",
        "unit": "µs a question",
        "note": "Through the hub's repositories, one transaction for each question; warm.",
        "rounds": 2 * ASKED, "before": before, "after": state(), "rows": rows, "targets": targets, "failed": {},
    }  # fmt: skip


if __name__ == "__main__":
    main()

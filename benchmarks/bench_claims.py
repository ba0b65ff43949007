"""What it costs to take work beside very much that is not due yet, against the same without.

Run it with `make bench`, or `python benchmarks/bench_claims.py [--quick]`. With WCH_TEST_MYSQL_URL it asks MariaDB too,
in databases of its own that are dropped afterwards. What is not due is older, so it stands in front of what is.
"""

import asyncio
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench_growth import CHUNK, NOON, databases
from measuring import arguments, keep, show, state
from sqlalchemy import Connection, insert

from wch.adapters.sql import SqlDatabase, schema
from wch.application.ports import UnitOfWork
from wch.domain.lease import Work
from wch.domain.sync import EntityType

MANY = 1_000_000
QUEUED = 100_000
"""Of the sync queue: a look goes past all of them, page by page, and takes as many times longer beside more."""

DUE = 100
HOUR = timedelta(hours=1)
MOST = 2.0
PAGE = 50

Take = Callable[[SqlDatabase, asyncio.AbstractEventLoop], int]


def filled(connection: Connection, database: SqlDatabase, future: int) -> None:
    """So many sagas, notices and rows of the sync queue that are not due for an hour, then a few that are."""
    tables = database.tables

    def put(table: Any, row: Callable[[int, datetime], dict[str, Any]], most: int = future) -> None:
        moments = itertools.chain(itertools.repeat(NOON + HOUR, most), itertools.repeat(NOON - HOUR, DUE))
        rows = (row(number, moment) for number, moment in enumerate(moments, start=1))
        while chunk := list(itertools.islice(rows, CHUNK)):
            connection.execute(insert(table), chunk)

    put(
        tables.sagas,
        lambda number, moment: {
            "saga_id": f"order-{number:08d}-1", "saga_type": "order", "state": "running", "context": {"v": 1}, "log": [],
            "created_at": NOON, "updated_at": moment,
        },
    )  # fmt: skip
    put(
        tables.notifications,
        lambda number, moment: {
            "order_id": number, "notification_type": "order_confirmed", "customer_phone": "16500000001", "status": "pending",
            "retry_count": 0, "created_at": NOON, "updated_at": moment,
        },
    )  # fmt: skip
    put(
        tables.sync,
        lambda number, moment: {
            "entity_type": "product", "entity_id": number, "action": "update", "status": "pending", "attempts": 1,
            "created_at": NOON, "processed_at": moment,
        },
        min(future, QUEUED),
    )  # fmt: skip


def _sagas(database: SqlDatabase, loop: asyncio.AbstractEventLoop) -> int:
    """As the duty of sagas takes them."""
    return len(loop.run_until_complete(database.transact(lambda uow: uow.sagas.take_due(NOON, limit=10))))


def _notices(database: SqlDatabase, loop: asyncio.AbstractEventLoop) -> int:
    """As the duty of notices asks for them."""
    return len(loop.run_until_complete(database.read(lambda uow: uow.notifications.due(NOON, limit=PAGE))))


def _sync(database: SqlDatabase, loop: asyncio.AbstractEventLoop) -> int:
    """As the sync's worker looks: page by page, until there is something that may be taken."""
    after = 0
    while True:

        def page(uow: UnitOfWork, after: int = after) -> Sequence[Work]:
            return uow.sync.waiting("pending", EntityType.PRODUCT, after=after, limit=PAGE)

        rows = loop.run_until_complete(database.read(page))
        due = [one for one in rows if one.is_due(now=NOON)]
        if due or not rows:
            return len(due)
        after = rows[-1].id


TAKES: dict[str, Take] = {"sagas": _sagas, "notices": _notices, "the sync queue": _sync}


def taken(take: Take, database: SqlDatabase, loop: asyncio.AbstractEventLoop) -> float:
    """Microseconds of one time."""
    begun = time.perf_counter()
    if not take(database, loop):
        message = "nothing is due"
        raise RuntimeError(message)
    return (time.perf_counter() - begun) * 1e6


def _filling(database: SqlDatabase, future: int) -> Callable[[Connection], None]:
    return lambda connection: filled(connection, database, future)


def main() -> None:
    """Fill two databases of each kind, and take from both in turns."""
    quick = arguments().quick
    many, count = (10_000, 3) if quick else (MANY, 5)
    loop = asyncio.new_event_loop()
    tokens = itertools.count()
    tables = []
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name, databases(Path(name)) as kinds:
        for kind, address in kinds.items():
            before, opened = state(), {}
            for future in (0, many):
                database = SqlDatabase.open(
                    address(future), now=lambda: NOON, token=lambda: f"{next(tokens):032x}", inline=True
                )
                loop.run_until_complete(schema.upgrade(database))
                print(f"{kind}: writing {future:,} that are not due", flush=True)
                loop.run_until_complete(database.run(_filling(database, future), write=True))
                opened[future] = database
            tables.append(_table(kind, opened, loop, count, before))
            for database in opened.values():
                loop.run_until_complete(database.aclose())
    for table in tables:
        show(table)
    keep("claims", tables, quick=quick)


def _table(
    kind: str, opened: dict[int, SqlDatabase], loop: asyncio.AbstractEventLoop, count: int, before: dict[str, Any]
) -> dict[str, Any]:
    many = max(opened)
    rows: dict[str, Any] = {}
    targets = []
    for what, take in TAKES.items():
        samples: dict[int, list[float]] = {future: [] for future in opened}
        for database in opened.values():
            taken(take, database, loop)
        for turn in range(count):
            for future in sorted(opened, reverse=bool(turn % 2)):
                samples[future].append(taken(take, opened[future], loop))
        for future, values in samples.items():
            beside = min(future, QUEUED) if take is _sync else future
            rows[f"{what}, beside {beside:,}"] = {
                "median": statistics.median(values), "least": min(values), "most": max(values)
            }  # fmt: skip
        ratio = statistics.median(with_ / alone for with_, alone in zip(samples[many], samples[0], strict=True))
        targets.append(
            {"number": "15d", "what": what, "least": None, "most": MOST, "ratio": ratio, "holds": ratio <= MOST}
        )
    return {
        "title": f"Taking work on {kind} beside {many:,} that are not due yet",
        "unit": "µs a look",
        "note": "Sagas are taken under their locks and given back as they were; a hundred of each kind are due, behind the others.",
        "rounds": count, "before": before, "after": state(), "rows": rows, "targets": targets, "failed": {},
    }  # fmt: skip


if __name__ == "__main__":
    main()

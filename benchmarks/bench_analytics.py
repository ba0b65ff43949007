"""How long figures of a whole year take, whose days are counted, and those of today, which are not yet.

Run it with `make bench-analytics`, or `python benchmarks/bench_analytics.py [--quick]`, on SQLite. Every day of the
year 5,000 customers of 50,000 write; the day rows are of the form that counting gives them. What is measured is the
processor time of the whole process, threads of the store included. Bound: 2 s.
"""

import asyncio
import gc
import itertools
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_growth import CHUNK, NOON
from measuring import arguments, keep, show, state
from sqlalchemy import Connection, insert

import wch
from wch.adapters.sql import SqlDatabase
from wch.application.day_book import STAGES, DayBook
from wch.application.days import DAY
from wch.application.hub import Hub
from wch.bootstrap import Installation
from wch.domain.document import JsonObject
from wch.domain.figures import MOST_DAYS
from wch.domain.moment import iso
from wch.entrypoints.loading import NEW_BEFORE_A_LOOK
from wch.testing import FrozenClock, RecordingWhatsApp

CUSTOMERS, WRITERS, MESSAGES = 50_000, 5_000, 100_000
REACH = (1.0, 0.6, 0.3, 0.2, 0.12, 0.1)
"""The share of the day's writers that gets to each stage."""

PRODUCTS = 200
BOUND = 2.0


def day_row(day: date, number: int, writers: int, customers: int) -> JsonObject:
    """A day as counting leaves it: these writers, some of whom look, choose, order and pay."""
    book = DayBook()
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    for place in range(writers):
        who = (number * 1009 + place * 7) % customers + 1
        at = noon + timedelta(seconds=place)
        book.conversations_with_inbound.add(who)
        for stage, share in zip(STAGES, REACH, strict=True):
            if place < writers * share:
                book.reached(stage, who, at)
        if place < writers * REACH[1]:
            product = str(place % PRODUCTS + 1)
            book.products[product]["views"] += 1
            book.viewers[product].add(who)
        if place < writers * REACH[-1]:
            book.buyers.add(who)
            book.money("revenue", {"currency": "EUR", "amount": "23.90"})
            book.placements["closed"] += 1
        book.answers["dialogue"][str(place % 90)] += 1
        book.hours[f"{place % 24:02d}"] += 1
    book.inbound["text"] = book.begun = writers * 10
    return book.written(day, "UTC")


def fillings(database: SqlDatabase, sizes: Mapping[str, int]) -> Iterator[Callable[[Connection], object]]:
    """Customers with a thread each, a tenth of whom ordered; the days before today, and today's messages."""
    tables, today = database.tables, NOON.date()
    writers, customers = sizes["writers"], sizes["customers"]
    order = {"v": 1, "stats": {"orders": {"7": {"at": iso(NOON), "status": "completed"}}, "spent": "23.90"}}
    yield lambda connection: connection.execute(
        insert(tables.customers),
        [
            {
                "phone": f"1650{i:08d}",
                "created_at": NOON,
                "updated_at": NOON,
                "preferences": {"v": 1} if i % 10 else order,
            }
            for i in range(customers)
        ],
    )
    yield lambda connection: connection.execute(
        insert(tables.conversations),
        [
            {
                "customer_phone": f"1650{i:08d}", "status": "active", "state": "browsing", "context": {"v": 1},
                "message_count": 20, "unread_count": 0, "created_at": NOON, "updated_at": NOON, "last_message_at": NOON,
            }
            for i in range(customers)
        ],
    )  # fmt: skip
    for number in range(1, 2 * MOST_DAYS + 1):
        day = today - timedelta(days=number)
        row = {"name": f"{DAY}{day}", "value": day_row(day, number, writers, customers)}
        yield lambda connection, row=row: connection.execute(insert(tables.options), [row])  # type: ignore[misc] # bound now
    made = (_message(number, writers, sizes["messages"]) for number in range(sizes["messages"]))
    while chunk := list(itertools.islice(made, CHUNK)):
        yield lambda connection, chunk=chunk: connection.execute(insert(tables.messages), chunk)  # type: ignore[misc] # as above
    yield lambda connection: connection.exec_driver_sql("ANALYZE")


def _message(number: int, writers: int, messages: int) -> Mapping[str, Any]:
    """One of today's: by turns what a customer says and what they are answered."""
    is_ours = bool(number % 2)
    at = NOON - timedelta(seconds=40_000 - number * 40_000 // messages)
    said = {"v": 1, "handled": {"v": 1, "did": ["view_product"] if number % 3 else []}, "text": {"body": "y" * 80}}
    ours = {"v": 1, "class": "reply", "origin": {"by": "dialogue"}, "text": {"body": "y" * 200}}
    return {
        "conversation_id": number // 2 % writers + 1, "direction": "outbound" if is_ours else "inbound", "type": "text",
        "wa_message_id": f"wamid.{number:030d}", "content": ours if is_ours else said,
        "status": "delivered" if is_ours else "processed", "retry_count": 0, "created_at": at, "updated_at": at,
        "sent_at": at, "delivered_at": at if is_ours else None,
    }  # fmt: skip


def questions(hub: Hub) -> dict[str, Callable[[], Awaitable[object]]]:
    """What is asked of it."""
    figures = hub.analytics
    today, after = NOON.date(), NOON.date() + timedelta(days=1)
    year = figures.period(today - timedelta(days=MOST_DAYS), today)
    until_now = figures.period(today, after)
    return {
        "summary of the year": lambda: figures.summary(year),
        "funnel of the year": lambda: figures.funnel(year),
        "a line for each day of the year": lambda: figures.table("days", year),
        "the console's page of the year, and the year before": lambda: figures.overview(year),
        "summary of today": lambda: figures.summary(until_now),
    }


async def measured(folder: Path, *, quick: bool) -> dict[str, Any]:
    """The table."""
    part = 10 if quick else 1
    settings = wch.Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/analytics.db", currency="EUR", country="ES", profile="test"
    )
    sizes = {"customers": CUSTOMERS // part, "writers": WRITERS // part, "messages": MESSAGES // part}
    print(f"writing two years and {sizes['messages']:,} messages", flush=True)
    async with Installation.open(settings) as installation:
        await installation.upgrade()
        for filling in fillings(installation.database, sizes):
            await installation.database.run(filling, write=True)
    before, rows = state(), {}
    times = 3 if quick else 7
    async with wch.open_hub(settings, clock=FrozenClock(NOON), whatsapp=RecordingWhatsApp()) as hub:
        gc.freeze()  # as `wch serve` does, and so is the next line
        gc.set_threshold(NEW_BEFORE_A_LOOK)
        for name, ask in questions(hub).items():
            taken = []
            for _ in range(times):
                begun = time.process_time()
                await ask()
                taken.append(time.process_time() - begun)
            rows[name] = {"median": statistics.median(taken), "least": min(taken), "most": max(taken)}
    slowest = max(row["median"] for row in rows.values()) / BOUND
    return {
        "title": f"Figures of {MOST_DAYS} days with {sizes['writers']:,} writers each, of today with {sizes['messages']:,} messages, on SQLite",
        "unit": "s of processor time an answer",
        "note": f"{sizes['customers']:,} customers; in one process, without a socket.",
        "rounds": times, "before": before, "after": state(), "rows": rows,
        "targets": [
            {"number": "figures", "what": f"the slowest in {BOUND:.0f} s", "least": None, "most": 1.0, "ratio": slowest, "holds": slowest <= 1.0}
        ], "failed": {},
    }  # fmt: skip


def main() -> None:
    """Fill a database, ask for figures."""
    quick = arguments().quick
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        table = asyncio.run(measured(Path(name), quick=quick))
    show(table)
    keep("analytics", [table], quick=quick)


if __name__ == "__main__":
    main()

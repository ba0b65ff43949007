"""What a broadcast costs in memory, from its plan to its report: the audience must never be held as one.

Run it with `make bench`, or `python benchmarks/bench_broadcast_memory.py [--quick]`. Each size has a process of its own
on a new SQLite file with so many customers who opted in; its peak is compared with what the same process took before
the plan. Nothing is sent: everybody is decided about in the dry run, written down as a recipient, and reported.
"""

import argparse
import asyncio
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]  # narrower than mypy can see
from deliveries import ENVIRONMENT
from sqlalchemy import insert

from wch import Settings, open_hub
from wch.adapters.sql import SqlDatabase

MEBIBYTE = 1024 * 1024
SIZES = (1_000, 10_000, 100_000)
QUICK = (1_000, 10_000)
CHUNK = 5_000
BOUND = 64.0
"""At most so many MiB above idle."""

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLAN = {
    "name": "Spring",
    "template": "offer",
    "params": {"body": [{"var": "customer_name", "else": "friend"}]},
    "audience": {"everyone": True},
}


async def filled(database: SqlDatabase, many: int) -> None:
    """So many customers who opted in, each with a name and a language."""
    customers = database.tables.customers
    for start in range(0, many, CHUNK):
        rows = [
            {
                "phone": f"346{number:08d}",
                "name": f"Customer {number}",
                "preferences": {"v": 1, "language": "en"},
                "opt_in_marketing": True,
                "marketing_opted_at": NOON,
                "created_at": NOON,
                "updated_at": NOON,
            }
            for number in range(start, min(start + CHUNK, many))
        ]
        await database.run(lambda connection, rows=rows: connection.execute(insert(customers), rows), write=True)


async def measured(folder: Path, many: int) -> dict[str, Any]:
    """Peak memory and seconds of dry run, snapshot and report over so many customers."""
    database_url = f"sqlite+aiosqlite:///{folder}/broadcast.db"
    settings, _, _ = Settings.load({**ENVIRONMENT, "WCH_DATABASE_URL": database_url}, {}, None)
    process = psutil.Process()
    async with open_hub(settings, install=True) as hub:
        if not isinstance(hub.database, SqlDatabase):
            sys.exit("this needs a database with tables")
        await filled(hub.database, many)
        template = {
            "v": 1,
            "name": "offer",
            "language": "en",
            "components": [{"type": "BODY", "text": "Hello {{1}}"}],
        }
        await hub.database.transact(lambda uow: uow.options.put("template.offer.en", template))
        idle = process.memory_info().rss
        peak = [idle]

        async def watch() -> None:
            while True:
                peak[0] = max(peak[0], process.memory_info().rss)
                await asyncio.sleep(0.02)

        watching = asyncio.create_task(watch())
        began = time.monotonic()
        plan, _ = await hub.broadcasts.draft(PLAN, by="bench")
        dry = await hub.broadcasts.rehearse(plan)
        rehearsed = time.monotonic()
        await hub.broadcasts.start(plan.id, by="bench")
        duty = next(one for one in hub.worker.duties if one.kind == "broadcasts")
        while (await hub.broadcasts.show(plan.id)).progress.phase == "snapshot":
            await duty.work()
        listed = time.monotonic()
        report = await hub.broadcasts.report(plan.id)
        ended = time.monotonic()
        watching.cancel()
        if not dry["recipients"] == report["recipients"] == many:
            sys.exit(f"somebody is missing: {dry} {report}")
    return {
        "many": many,
        "idle": idle / MEBIBYTE,
        "above": (peak[0] - idle) / MEBIBYTE,
        "rehearsal": rehearsed - began,
        "snapshot": listed - rehearsed,
        "rest": ended - listed,
    }


def apart(many: int) -> dict[str, Any]:
    """The same in a process of its own, since a process never gives its peak back."""
    ran = subprocess.run([sys.executable, __file__, "--one", str(many)], capture_output=True, text=True, check=False)
    if ran.returncode:
        sys.exit(ran.stderr[-2000:])
    told: dict[str, Any] = json.loads(ran.stdout)
    return told


def main() -> None:
    """Print the table that docs/figures.md shows; exit 1 when a bound is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="without the largest size")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        with tempfile.TemporaryDirectory(prefix="wch-bench-") as folder:
            print(json.dumps(asyncio.run(measured(Path(folder), given.one))))
        return
    rows = [apart(many) for many in (QUICK if given.quick else SIZES)]
    print(
        f"Machine: {platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}, load {os.getloadavg()[0]:.1f}.\n"
    )
    print("| recipients | idle, MiB | peak above idle, MiB | bound | dry run, s | snapshot, s | report, s |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        print(
            f"| {row['many']:,} | {row['idle']:.0f} | {row['above']:.1f} | {BOUND:.0f} | {row['rehearsal']:.1f} | "
            f"{row['snapshot']:.1f} | {row['rest']:.1f} |"
        )
    if any(row["above"] > BOUND for row in rows):
        sys.exit("a broadcast took more memory than it may")


if __name__ == "__main__":
    main()

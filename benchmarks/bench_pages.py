"""How long the console's pages and the API's lists take, and how large they are, with 100,000 messages on SQLite.

The messages are a minute apart. Run it with `make bench`, or `python benchmarks/bench_pages.py [--quick]`. Every page that an admin reaches by links from
the console's home is asked for, one of each kind, and every list of the API that needs no name; all in one process, without
a socket. Bounds: 300 ms and 100 kB. What is measured is the processor time of the whole process, threads of the store
included: all work of an answer is in it, so with nothing else running it is the time that the answer takes, and what
else runs does not change it much. `/verify` is left out of the bound: it adds up every row there is, which is its purpose.
"""

import asyncio
import re
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx2
from bench_growth import NOON, filled
from measuring import arguments, keep, show, state
from sqlalchemy import Connection

import wch
from wch.adapters.sql import SqlDatabase
from wch.bootstrap import Installation
from wch.domain.api_key import KeyScope
from wch.domain.operator import Role
from wch.testing import FrozenClock, RecordingWhatsApp

MESSAGES = 100_000
HOST = "http://127.0.0.1"
MOST_MS, MOST_BYTES = 300.0, 100_000
PASSWORD = "correct horse battery staple"  # noqa: S105 - of nobody
WHOLE = frozenset({"/api/v1/verify"})
"""Walks through every row."""

LEFT_OUT = ("/console/static", "/console/events", "/console/sign-out", ".csv", "/export", "?")


def kind_of(path: str) -> str:
    """Pages of one kind differ in a number only."""
    return re.sub(r"[0-9][0-9a-z.-]*", "N", path)


async def crawled(web: httpx2.AsyncClient) -> list[str]:
    """One page of each kind, found by following links from the home."""
    waiting, found = ["/console"], {"/console": "/console"}
    while waiting:
        answer = await web.get(waiting.pop(0))
        for link in re.findall(r'href="(/console[^"#]*)"', answer.text):
            if not any(word in link for word in LEFT_OUT) and kind_of(link) not in found:
                found[kind_of(link)] = link
                waiting.append(link)
    return list(found.values())


async def timed(web: httpx2.AsyncClient, path: str, times: int) -> tuple[list[float], int, int]:
    """Milliseconds of each time, the size of the answer, and its status."""
    answer = await web.get(path)
    taken = []
    for _ in range(times):
        begun = time.process_time()
        answer = await web.get(path)
        taken.append((time.process_time() - begun) * 1e3)
    return taken, len(answer.content), answer.status_code


async def measured(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """The two tables."""
    many = 10_000 if quick else MESSAGES
    # Nobody listens there, so the doctor hears at once that WhatsApp cannot be asked.
    settings = wch.Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/pages.db", currency="EUR", country="ES", limits_api="100000/60"
    ).for_sandbox(graph_url=f"{HOST}:9/graph")
    clock = FrozenClock(NOON)
    print(f"writing {many:,} messages", flush=True)
    async with Installation.open(settings) as installation:
        await installation.upgrade()

        def fill(connection: Connection, database: SqlDatabase = installation.database) -> None:
            filled(connection, database, many, apart=60)
            connection.exec_driver_sql("ANALYZE")

        await installation.database.run(fill, write=True)
    async with wch.open_hub(settings, clock=clock, whatsapp=RecordingWhatsApp()) as hub:
        await hub.worker.once()
        await hub.operators.add("maria", Role.ADMIN, PASSWORD, by="benchmark")
        key = (await hub.keys.create([scope.value for scope in KeyScope], by="benchmark")).text
        transport = httpx2.ASGITransport(app=wch.asgi(hub))
        async with httpx2.AsyncClient(transport=transport, base_url=HOST, timeout=120) as web:
            await web.post("/console/sign-in", data={"name": "maria", "password": PASSWORD}, headers={"Origin": HOST})
            pages = await crawled(web)
            described = (await web.get("/openapi.json")).json()["paths"]
            lists = sorted(
                path
                for path, verbs in described.items()
                if "get" in verbs and path.startswith("/api/") and "{" not in path
            )
            title = f"with {many:,} messages on SQLite"
            times = 3 if quick else 7
            first = await _table(f"The console's pages {title}", web, pages, times)
            web.headers["Authorization"] = f"Bearer {key}"
            second = await _table(f"The API's lists {title}", web, lists, times)
    return [first, second]


async def _table(title: str, web: httpx2.AsyncClient, paths: list[str], times: int) -> dict[str, Any]:
    before, rows, slow, large = state(), {}, [], []
    for path in paths:
        taken, size, status = await timed(web, path, times)
        if status != httpx2.codes.OK:
            continue
        rows[f"{kind_of(path)}, {size / 1000:.0f} kB"] = {
            "median": statistics.median(taken), "least": min(taken), "most": max(taken)
        }  # fmt: skip
        if path not in WHOLE:
            slow.append(statistics.median(taken))
        large.append(size)
    targets = [
        _target(f"the slowest of {len(slow)} in {MOST_MS:.0f} ms", max(slow) / MOST_MS),
        _target(f"the largest in {MOST_BYTES / 1000:.0f} kB", max(large) / MOST_BYTES),
    ]
    return {
        "title": title, "unit": "ms of processor time an answer", "note": "In one process, without a socket; the first answer is left out.",
        "rounds": times, "before": before, "after": state(), "rows": rows, "targets": targets, "failed": {},
    }  # fmt: skip


def _target(what: str, ratio: float) -> dict[str, Any]:
    return {"number": "pages", "what": what, "least": None, "most": 1.0, "ratio": ratio, "holds": ratio <= 1.0}


def main() -> None:
    """Fill a database, ask for everything."""
    quick = arguments().quick
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        tables = asyncio.run(measured(Path(name), quick=quick))
    for table in tables:
        show(table)
    keep("pages", tables, quick=quick)


if __name__ == "__main__":
    main()

"""A full run over 1,000 and over 10,000 products: its time, its memory, and what a second run sends.

Run it with `make bench`, or `python benchmarks/bench_catalogue_sync.py [--quick]`. Each size is measured in a process of
its own, since memory that was once taken is seldom given back. The catalogue is a stand-in in the same process that keeps
counts only; the shop, the queue and the hashes are on an SQLite file.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wch import Settings, open_hub
from wch.adapters.local_shop.catalogue_file import import_products
from wch.domain.catalogue_item import BatchStatus, CataloguePage
from wch.domain.document import JsonObject

SIZES = (1_000, 10_000)
QUICK = (200, 2_000)


class Counting:
    """A catalogue that takes everything and keeps nothing but how much it was sent."""

    id = "77"

    def __init__(self) -> None:
        self.calls = 0
        self.taken = 0

    async def push(self, requests: Sequence[JsonObject]) -> str:
        """Count."""
        self.calls += 1
        self.taken += len(requests)
        return str(self.calls)

    async def status(self, _handle: str) -> BatchStatus:
        """Everything was taken."""
        return BatchStatus(is_finished=True)

    async def items(self, *, after: str | None = None) -> CataloguePage:  # noqa: ARG002 - the port's argument
        """Nothing is kept."""
        return CataloguePage(items=())


def file_of(products: int) -> bytes:
    """A file of so many products that can be items."""
    rows = (
        f"P{number:06},Thing {number},simple,9.50,{number % 50},https://shop.example/{number}.jpg,"
        f"https://shop.example/{number}"
        for number in range(products)
    )
    return ("sku,name,type,price,stock,image_urls,url\n" + "\n".join(rows) + "\n").encode()


def peak_mib() -> float:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def whole_run(hub: Any) -> float:
    """Seconds of one full run."""
    begun = time.perf_counter()
    run = await hub.runs.start()
    while (await hub.runs.get(run["started"]))["state"] != "done":
        await hub.sync.work()
    return time.perf_counter() - begun


async def measured(products: int) -> dict[str, Any]:
    """What two runs over so many products took."""
    catalogue = Counting()
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "WCH_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/wch.db",
            "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
            "WCH_PROFILE": "test",
        }
        settings, _, _ = Settings.load(environment, {}, None)
        async with open_hub(settings, catalogue=catalogue, install=True) as hub:
            await import_products(hub.shop, file_of(products), replace=True)  # type: ignore[arg-type]  # the built-in shop
            object.__setattr__(hub.sync.items.calls, "pause", _no_pause)
            before = peak_mib()
            first = await whole_run(hub)
            items, calls = catalogue.taken, catalogue.calls
            second = await whole_run(hub)
            return {
                "products": products,
                "seconds": round(first, 1),
                "items": items,
                "calls": calls,
                "second_seconds": round(second, 1),
                "second_items": catalogue.taken - items,
                "mib_before": round(before, 1),
                "mib_peak": round(peak_mib(), 1),
            }


async def _no_pause(_seconds: float) -> None:
    """The catalogue answers at once; what is measured is the hub."""


def main() -> None:
    """Measure each size in a process of its own, and print one line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    if asked.only:
        sys.stdout.write(json.dumps(asyncio.run(measured(asked.only))) + "\n")
        return
    for products in QUICK if asked.quick else SIZES:
        done = subprocess.run(
            [sys.executable, str(Path(__file__)), "--only", str(products)], check=True, capture_output=True, text=True
        )
        sys.stdout.write(done.stdout)
        sys.stdout.flush()


if __name__ == "__main__":
    main()

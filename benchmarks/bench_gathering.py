"""What it brings to let deliveries that wait share a transaction: the hub's own ingress, in this process.

Run it with `make bench`, or `python benchmarks/bench_gathering.py [--quick]`.
"""

import asyncio
import itertools
import tempfile
from contextlib import ExitStack
from pathlib import Path

from deliveries import CUSTOMERS, delivery
from ingesting import opened, stored, together
from measuring import Measure, Target, arguments, keep, rounds
from statuses import MOST, told

from wch.application.gathering import MOST_TOGETHER

DRIVERS = ("sqlite", "sqlite+aiosqlite")
EVERYBODY = 10**7
"""Of so many customers none writes twice."""
SEEN = 640
"""So many deliveries are there already when it is measured what one costs that comes again."""


def targets() -> list[Target]:
    """What groups and what comes again are held to, for each driver."""
    found = []
    for driver in DRIVERS:
        for waiting, least in ((64, 4.0), (1, 0.65)):
            groups, alone = (f"{driver}, {waiting} waiting, {how}" for how in ("groups", "one each"))
            what = f"groups against one each at {waiting} waiting, {driver}"
            found.append(Target(number="3", what=what, over=groups, under=alone, least=least))
        again, new = (f"{driver}, 64 waiting, {which}" for which in ("seen before", "groups"))
        found.append(Target(number="4", what=f"seen before against new, {driver}", over=again, under=new, least=3.0))
    return found


def main() -> None:
    """Measure both drivers of SQLite, with groups and with one delivery for each transaction."""
    quick = arguments().quick
    seconds, count = (0.7, 3) if quick else (2.0, 7)
    numbers = itertools.count(SEEN)
    loop = asyncio.new_event_loop()
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder, ExitStack() as stack:
        hubs = {driver: stack.enter_context(opened(loop, f"{driver}:///{folder}/{driver}.db")) for driver in DRIVERS}

        def measure(
            driver: str, waiting: int, most: int = MOST_TOGETHER, *, known: bool = False, customers: int = CUSTOMERS
        ) -> Measure:
            def run() -> float:
                which = itertools.cycle(range(SEEN)) if known else numbers
                bodies = (delivery(number, customers=customers) for number in which)
                with together(most):
                    told = stored(hubs[driver], bodies, waiting=waiting, seconds=seconds, known=known)
                    return loop.run_until_complete(told)

            return run

        async def fill(driver: str) -> None:
            bodies = iter([delivery(number) for number in range(SEEN)])
            for _ in range(SEEN // 64):
                await stored(hubs[driver], bodies, waiting=64, seconds=0.0)

        variants = {}
        for driver in DRIVERS:
            for waiting, (how, most) in itertools.product((1, 64), (("groups", MOST_TOGETHER), ("one each", 1))):
                variants[f"{driver}, {waiting} waiting, {how}"] = measure(driver, waiting, most)
            variants[f"{driver}, 64 waiting, each of somebody new"] = measure(driver, 64, customers=EVERYBODY)
            variants[f"{driver}, 64 waiting, seen before"] = measure(driver, 64, known=True)
            loop.run_until_complete(fill(driver))
        one = "SQLite, synchronous=FULL"
        statuses = told(loop, {one: (hubs["sqlite+aiosqlite"], 4.0)}, count=count, most=100 if quick else MOST)
        table = rounds(
            "Ingress in process: deliveries that share a transaction",
            variants,
            targets(),
            unit="deliveries/s",
            count=count,
            note="The whole handling of a delivery up to its commit, synchronous=FULL, no HTTP.",
        )
    keep("gathering", [table, statuses], quick=quick)


if __name__ == "__main__":
    main()

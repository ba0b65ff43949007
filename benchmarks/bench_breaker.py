"""One call through a closed circuit breaker: ours, whose state lies in the store, against libraries that keep it in the process.

Run it with `make bench`, or `python benchmarks/bench_breaker.py [--quick]`; the peers come with `pip install -r benchmarks/requirements.txt`.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import aiobreaker
import circuitbreaker
import pybreaker
from measuring import Measure, Target, arguments, keep, rounds

from wch.adapters.clock import SystemClock
from wch.adapters.ids import SystemIds
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sql import SqlDatabase, schema
from wch.application.breakers import Breakers
from wch.application.failpoints import Failpoints
from wch.application.ports import Database
from wch.application.tallies import Tallies
from wch.domain.circuit_breaker import BreakerRule

SERVICE = "shop"
CALLS = 2_000
"""Between two looks at the watch."""

Call = Callable[[], Awaitable[None]]


async def nothing() -> None:
    """What is called."""


def nothing_at_once() -> None:
    """The same for libraries that do not wait."""


def ours(database: Database, clock: SystemClock) -> Call:
    """Ask whether the call may be made, and make it; a call that went well through a closed breaker is not told."""
    breakers = Breakers(
        database=database,
        clock=clock,
        rules={SERVICE: BreakerRule(failures=5, successes=2, timeout=timedelta(seconds=60))},
        failpoints=Failpoints.disarmed(),
        tallies=Tallies(),
    )

    async def call() -> None:
        if await breakers.ask(SERVICE) is not None:
            await nothing()

    return call


def waited_for(loop: asyncio.AbstractEventLoop, call: Call, seconds: float) -> Measure:
    """Nanoseconds for one call that is waited for."""

    async def measure() -> float:
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            for _ in range(CALLS):
                await call()
            done += CALLS
        return spent / done * 1e9

    return lambda: loop.run_until_complete(measure())


def at_once(call: Callable[[], None], seconds: float) -> Measure:
    """Nanoseconds for one call."""

    def measure() -> float:
        done, begun = 0, time.perf_counter()
        while (spent := time.perf_counter() - begun) < seconds:
            for _ in range(CALLS):
                call()
            done += CALLS
        return spent / done * 1e9

    return measure


def main() -> None:
    """All variants in turns."""
    quick = arguments().quick
    seconds, count = (0.2, 5) if quick else (0.5, 7)
    loop = asyncio.new_event_loop()
    clock, ids = SystemClock(), SystemIds()
    awaited = aiobreaker.CircuitBreaker(fail_max=5)
    plain = pybreaker.CircuitBreaker(fail_max=5)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
        file = SqlDatabase.open(f"sqlite:///{name}/hub.db", now=clock.now, token=ids.token)
        loop.run_until_complete(schema.upgrade(file))
        variants: dict[str, Measure] = {
            "no breaker, awaited": waited_for(loop, nothing, seconds),
            "wch, state in memory": waited_for(loop, ours(MemoryDatabase(), clock), seconds),
            "wch, state in SQLite": waited_for(loop, ours(file, clock), seconds),
            "circuitbreaker, awaited": waited_for(loop, circuitbreaker.circuit(failure_threshold=5)(nothing), seconds),
            "aiobreaker, awaited": waited_for(loop, lambda: awaited.call_async(nothing), seconds),
            "no breaker": at_once(nothing_at_once, seconds),
            "circuitbreaker": at_once(circuitbreaker.circuit(failure_threshold=5)(nothing_at_once), seconds),
            "pybreaker": at_once(lambda: plain.call(nothing_at_once), seconds),
        }
        memory, sqlite = "wch, state in memory", "wch, state in SQLite"
        table = rounds(
            "One call through a closed breaker",
            variants,
            (
                Target(number="11", what="against a plain call", over=memory, under="no breaker, awaited", most=6.0),
                Target(number="11", what="SQLite against memory", over=sqlite, under=memory, most=2.0),
                Target(
                    number="11",
                    what="circuitbreaker against ours",
                    over="circuitbreaker, awaited",
                    under=memory,
                    least=1.5,
                ),
            ),
            unit="ns",
            count=count,
            note="Less is better. A breaker that was seen closed is taken for closed for 250 ms; the others know one process only.",
        )
        loop.run_until_complete(file.aclose())
    keep("breaker", [table], quick=quick)


if __name__ == "__main__":
    main()

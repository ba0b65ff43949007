"""How long the conversations of the tests take in memory: the written ones, and one that is long.

Run it with `make bench`, or `python benchmarks/bench_conversations.py`. How long random ones take is printed by
`WCH_CONVERSATIONS=10000 python -m pytest tests/application/dialogue/test_any_customer.py`.
"""

import asyncio
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.application.dialogue.test_conversations import (  # noqa: E402 - the tests lie beside this folder
    SCRIPTS,
    test_a_conversation_goes_as_it_is_written,
)
from wch.application.dialogue.script import Kind  # noqa: E402 - as above

BOUND = 30.0
"""Seconds for all of them together, on a machine that does nothing else."""


def main() -> int:
    """Print the figures; 1 when the bound is broken."""
    took: dict[str, float] = {}
    began_work = time.process_time()
    for name in SCRIPTS:
        began = time.perf_counter()
        asyncio.run(test_a_conversation_goes_as_it_is_written(name))
        took[name] = time.perf_counter() - began
    worked = time.process_time() - began_work
    messages = sum(line.kind is Kind.SAYS for script in SCRIPTS.values() for line in script.lines)
    together, slowest = sum(took.values()), max(took, key=lambda name: took[name])
    print(f"{len(SCRIPTS)} conversations, {messages} messages: {together:.1f} s (bound {BOUND:.0f} s)")
    print(f"of it {worked:.1f} s of this processor")
    print(f"{together / messages * 1000:.1f} ms a message; the slowest is {slowest}: {took[slowest]:.2f} s")
    return int(worked > BOUND)


if __name__ == "__main__":
    raise SystemExit(main())

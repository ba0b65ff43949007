"""The real application on one thread, under faults drawn from a seed: every promise, at every instant, in every order."""

import gc
import inspect
import multiprocessing
import os
import random  # noqa: TID251 - chance from a seed, outside the hub
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import get_type_hints

import punq
import pytest

from tests.simulation.loop import SeededLoop, run
from tests.simulation.shelf import open_once
from tests.simulation.world import NEEDED, RARER, World, log_marks

SEEDS = int(os.environ.get("WCH_TEST_SEEDS", "12"))
ENOUGH_SEEDS = 150
"""From so many seeds on, every rare branch must have been taken by one of them."""

MANY_SEEDS = 1000
"""From so many on, the rarer ones too."""

FIRST = int(os.environ.get("WCH_TEST_FIRST_SEED", "0"))


def lived(seed: int) -> tuple[World, SeededLoop]:
    """One seed's life; the world afterwards, and the loop that it ran on."""
    open_once()
    dice = random.Random(seed)  # noqa: S311 - no secret
    world = World(seed=seed, dice=dice)
    with log_marks(world):
        return world, run(world.live(), dice)


def lived_all(seeds: Sequence[int]) -> tuple[Counter[str], float]:
    """The marks of these seeds and their virtual hours; the one that fails is named."""
    marks: Counter[str] = Counter()
    hours = 0.0
    for seed in seeds:
        try:
            world, _ = lived(seed)
        except BaseException as error:
            # As a note it would be lost on its way between two processes.
            message = f"seed {seed}: {type(error).__name__}: {error}"
            raise AssertionError(message) from error
        marks += world.marks
        hours += world.virtual_seconds / 3600
    return marks, hours


@pytest.mark.timeout(7200)
def test_every_promise_holds_for_every_seed(record_property: Callable[[str, object], None]) -> None:
    """A seed that fails is named; run it alone with WCH_TEST_FIRST_SEED and WCH_TEST_SEEDS=1."""
    seeds = range(FIRST, FIRST + SEEDS)
    marks: Counter[str] = Counter()
    hours = 0.0
    began = time.monotonic()
    if SEEDS < ENOUGH_SEEDS:
        marks, hours = lived_all(seeds)
    else:
        with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn"), initializer=settled) as pool:
            for found, lasted in pool.map(lived_all, batched(seeds)):
                marks += found
                hours += lasted
        needed = NEEDED | RARER if SEEDS >= MANY_SEEDS else NEEDED
        assert needed - set(+marks) == set(), "what no seed has come to is not tried"
    took = time.monotonic() - began
    told = ", ".join(f"{name} {count}" for name, count in sorted(marks.items()) if count)
    record_property(
        "figures",
        f"{SEEDS} seeds from {FIRST} in {took:.0f} s, {SEEDS / took:.1f} of them a second; "
        f"{hours:.1f} virtual hours, {hours / took:.2f} a second; {told}",
    )


def settled() -> None:
    """In each process: the shop is open, signatures are read once, and what is loaded by now is never garbage.

    A third of the time went there: the processes of a seed die and are wired again, from the same classes each time.
    """
    open_once()
    hints = cache(get_type_hints)
    own = {name: staticmethod(value) if callable(value) else value for name, value in vars(inspect).items()}
    read_once = type("inspect", (), {**own, "getfullargspec": staticmethod(cache(inspect.getfullargspec))})
    setattr(punq, "get_type_hints", lambda builder, *_where: dict(hints(builder)))  # noqa: B010 - what it looks up, it looks up there
    setattr(punq, "inspect", read_once)  # noqa: B010 - see above
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def batched(seeds: range) -> Iterator[range]:
    """So many for a process at a time that none waits long for the others in the end."""
    return (seeds[start : start + 10] for start in range(0, len(seeds), 10))


def test_a_seed_tells_the_same_story_twice() -> None:
    """Or a failing seed could not be looked into."""
    first, second = lived(7), lived(7)

    assert (first[1].trace, first[1].steps) == (second[1].trace, second[1].steps)
    assert first[0].marks == second[0].marks

"""The real application on one thread, under faults drawn from a seed: every promise, at every instant, in every order."""

import os
import random  # noqa: TID251 - chance from a seed, outside the hub
from collections import Counter
from collections.abc import Callable

import pytest

from tests.simulation.loop import SeededLoop, run
from tests.simulation.world import NEEDED, World, log_marks

SEEDS = int(os.environ.get("WCH_TEST_SEEDS", "12"))
ENOUGH_SEEDS = 150
"""From so many seeds on, every rare branch must have been taken by one of them."""

FIRST = int(os.environ.get("WCH_TEST_FIRST_SEED", "0"))


def lived(seed: int) -> tuple[World, SeededLoop]:
    """One seed's life; the world afterwards, and the loop that it ran on."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    world = World(seed=seed, dice=dice)
    with log_marks(world):
        return world, run(world.live(), dice)


@pytest.mark.timeout(3600)
def test_every_promise_holds_for_every_seed(record_property: Callable[[str, object], None]) -> None:
    """A seed that fails is named; run it alone with WCH_TEST_FIRST_SEED and WCH_TEST_SEEDS=1."""
    marks: Counter[str] = Counter()
    hours = 0.0
    for seed in range(FIRST, FIRST + SEEDS):
        try:
            world, _ = lived(seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
        marks += world.marks
        hours += world.virtual_seconds / 3600
    if SEEDS >= ENOUGH_SEEDS:
        assert NEEDED - set(+marks) == set(), "what no seed has come to is not tried"
    told = ", ".join(f"{name} {count}" for name, count in sorted(marks.items()) if count)
    record_property("figures", f"{SEEDS} seeds from {FIRST}, {hours:.1f} virtual hours; {told}")


def test_a_seed_tells_the_same_story_twice() -> None:
    """Or a failing seed could not be looked into."""
    first, second = lived(7), lived(7)

    assert (first[1].trace, first[1].steps) == (second[1].trace, second[1].steps)
    assert first[0].marks == second[0].marks

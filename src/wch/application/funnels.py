"""The funnel: how far those who wrote went, from the first word to the paid order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wch.application.day_book import STAGES
from wch.domain.figures import Ratio, median


def earliest(days: Sequence[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[int, int]]:
    """When each customer reached each stage first, of days in their order."""
    found: dict[str, dict[str, int]] = {stage: {} for stage in STAGES}
    for day in reversed(days):  # the earlier day is written last, and stays
        for stage, reached in day.items():
            found[stage].update(reached)
    return {stage: {int(who): at for who, at in reached.items()} for stage, reached in found.items()}


def narrowing(stages: Mapping[str, Mapping[int, int]]) -> Iterator[dict[str, Any]]:
    """Each stage with those of the first who reached it or a later one."""
    wrote = stages[STAGES[0]]
    first: int | None = None
    before: tuple[str, int] | None = None
    for place, stage in enumerate(STAGES):
        reached = {who for later in STAGES[place:] for who in stages[later]} & wrote.keys()
        steps: list[float] = []
        if before is not None:
            earlier = stages[before[0]]
            steps = [
                stages[stage][who] - earlier[who]
                for who in reached
                if who in stages[stage] and who in earlier and stages[stage][who] >= earlier[who]
            ]
        first = len(reached) if first is None else first
        yield {
            "stage": stage,
            "customers": len(reached),
            "of_first": Ratio(numerator=len(reached), denominator=first).to_json(),
            "of_before": Ratio(
                numerator=len(reached), denominator=len(reached) if before is None else before[1]
            ).to_json(),
            "median_seconds_from_before": median(steps),
        }
        before = (stage, len(reached))

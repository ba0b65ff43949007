"""The funnel: how far those who wrote went, from the first word to the paid order."""

from collections.abc import Iterator, Mapping
from typing import Any

from wch.application.day_book import STAGES
from wch.domain.figures import Ratio, median


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

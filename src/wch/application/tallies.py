"""Tallies: what happened since this process began and how long it took, for whoever watches it."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping

import attrs

Labels = tuple[str, ...]

BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds at which the parts of a span end; what took longer is in one more part."""


@attrs.define(kw_only=True)
class Span:
    """How long something took, all times together.

    Attributes:
        parts: how many were at most each of `BOUNDS`, and longer than the one before; the longest come last.
        seconds: their sum.
    """

    parts: list[int] = attrs.field(factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        self.parts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


@attrs.frozen(kw_only=True)
class Tallies:
    """Counts and times by name and labels; as an observer it counts the facts that say as what they count.

    A fact's `tally` is a name and its labels, its `timing` a name, its labels and seconds.
    """

    counted: Counter[tuple[str, Labels]] = attrs.field(factory=Counter)
    spans: dict[tuple[str, Labels], Span] = attrs.field(factory=dict)

    def hears(self, kind: type) -> bool:
        """Whether facts of this kind count."""
        return hasattr(kind, "tally") or hasattr(kind, "timing")

    def __call__(self, fact: object) -> None:
        """Count this fact, if it counts."""
        tally = getattr(fact, "tally", None)
        if tally is not None:
            self.counted[tally] += 1
        timing = getattr(fact, "timing", None)
        if timing is not None:
            self.time(*timing)

    def add(self, name: str, labels: Labels = (), count: float = 1) -> None:
        """So many more of it."""
        self.counted[name, labels] += count  # type: ignore[assignment] # money is counted in fractions

    def time(self, name: str, labels: Labels, seconds: float) -> None:
        """It took so long once more."""
        span = self.spans.get((name, labels))
        if span is None:
            span = self.spans[name, labels] = Span()
        span.add(seconds)

    def of(self, name: str) -> Mapping[Labels, float]:
        """How often by labels."""
        return {labels: count for (found, labels), count in self.counted.items() if found == name}

    def spans_of(self, name: str) -> Mapping[Labels, Span]:
        """How long by labels."""
        return {labels: span for (found, labels), span in self.spans.items() if found == name}

"""The one page that every release prints: what was tried, what was found, what was not run. Reads pytest's JUnit files."""

import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs

TITLES = {
    "tests.simulation": "Simulation: the whole application on one thread, seeded",
    "tests.nth_call": "The n-th call fails",
    "tests.crash.test_kills": "Random kills under load, and stops",
    "tests.crash.test_directed_kills": "Kills at named places",
    "tests.races": "Eight real processes race",
    "tests.control": "Planted bugs, and who caught them",
}
NEVER_RUN = (
    "MariaDB itself killed while webhooks flow; kills in `db upgrade`; power cuts on a file system that drops unsynced pages",
    "1,000 kills while 50,000 deliveries flow; the ten-minute and four-hour soaks; coverage-guided fuzzing",
    "MySQL 8: there was none; the same statements ran on MariaDB",
)
"""What no target of this repository runs yet, said so that nobody takes it for done."""


@attrs.define
class Tried:
    """The tests under one title."""

    outcomes: Counter[str] = attrs.field(factory=Counter)
    figures: list[str] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)


def _title_of(classname: str) -> str | None:
    return next((title for module, title in TITLES.items() if classname.startswith(module)), None)


def read(paths: Iterable[Path]) -> dict[str, Tried]:
    """What pytest wrote down, by title."""
    tried: defaultdict[str, Tried] = defaultdict(Tried)
    for path in paths:
        for case in ET.parse(path).getroot().iter("testcase"):  # noqa: S314 - written by our own pytest
            title = _title_of(case.get("classname", ""))
            if title is None:
                continue
            outcome = next((one for one in ("failure", "error", "skipped") if case.find(one) is not None), "passed")
            tried[title].outcomes[outcome] += 1
            if outcome != "passed":
                tried[title].missing.append(f"{case.get('name')}: {outcome}")
            tried[title].figures += [
                one.get("value", "") for one in case.iter("property") if one.get("name") == "figures"
            ]
    return dict(tried)


def page(tried: dict[str, Tried]) -> str:
    """The page as Markdown."""
    lines = [
        "# Reliability: what was tried",
        "",
        "Written by `make crash`; not by hand.",
        "",
        "| proof | passed | failed | skipped |",
        "|---|---|---|---|",
    ]
    for title in TITLES.values():
        counts = tried[title].outcomes if title in tried else Counter[str]()
        broken = counts["failure"] + counts["error"]
        lines.append(f"| {title} | {counts['passed']} | {broken} | {counts['skipped']} |")
    kills = sum(
        tried[title].outcomes["passed"] for title in TITLES.values() if "named places" in title and title in tried
    )
    if kills:
        lines += ["", f"{kills} directed kills without a violation bound its rate by {3 / kills:.1%} (3/n)."]
    for title, one in tried.items():
        if one.figures:
            lines += ["", f"## {title}", "", *(f"- {figure}" for figure in one.figures)]
    lines += ["", "## Not run, or not held", ""]
    lines += [f"- {title}: {name}" for title, one in tried.items() for name in one.missing]
    lines += [f"- {title}: nothing of it was run" for title in TITLES.values() if title not in tried]
    lines += [f"- {one}" for one in NEVER_RUN]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page(read(Path(name) for name in sys.argv[1:])))

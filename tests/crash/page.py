"""The one page that every release prints: what was tried, what was found, what was not run. Reads pytest's JUnit files."""

import json
import os
import platform
import sqlite3
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import attrs

TITLES = {
    "tests.simulation": "Simulation: the whole application on one thread, seeded",
    "tests.nth_call": "The n-th call fails",
    "tests.crash.test_campaigns": "Random kills of every kind of process, and of the database, while webhooks flow",
    "tests.crash.test_kills": "Kills right after a 200, and stops under load",
    "tests.crash.test_directed_kills": "Kills at named places",
    "tests.crash.test_saga_kills": "Kills at every edge of every step of an order, and of every undoing",
    "tests.crash.test_work_kills": "Kills in an order, its notice, its sync rows, a replay",
    "tests.crash.test_broadcast_kills": "Kills in a broadcast, while it is listed and while it is sent",
    "tests.crash.test_migration_kills": "Kills while the tables are made",
    "tests.crash.test_stops": "Readiness before a stop, and a worker that was paused beyond its lease",
    "tests.crash.test_poison": "A message that kills its worker, and a hundred others",
    "tests.crash.test_breaker": "One breaker over four processes",
    "tests.crash.test_storm": "One delivery a hundred times at once, over four server processes",
    "tests.crash.test_contention": "Locks that somebody else holds",
    "tests.crash.test_store_away": "A database that is away, locked or silent",
    "tests.crash.test_health": "What is told of a database that is stopped, and of a worker that was killed",
    "tests.crash.test_hostile": "Large, slow and hostile requests beside good ones",
    "tests.crash.test_clocks": "Hosts whose clocks are wrong",
    "tests.races": "Eight real processes race",
    "tests.control": "Planted bugs, and who caught them",
    "tests.doors": "Any input at the doors: bodies, signatures, words, cells, log lines",
    "tests.entrypoints.http.api.test_contract": "Every operation of the API, with what fits and with what does not",
    "tests.entrypoints.process": "The size of an idle server",
}
NEVER_RUN = (
    "Power cuts on a file system that drops unsynced pages",
    "1,000 kills while 50,000 deliveries flow (WCH_TEST_KILLS and WCH_TEST_DELIVERIES ask for them; it takes hours)",
    "The ten-minute and four-hour soaks; coverage-guided fuzzing",
    "SIGSTOP of the database: only kills of it were tried",
    "MySQL 8: there was none; the same statements ran on MariaDB",
    "The time of a signature check, wrong in the first byte against the last: not measured",
)
"""What no target of this repository runs yet, said so that nobody takes it for done."""


MACHINE = f"On {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}."


@attrs.define
class Tried:
    """The tests under one title.

    Attributes:
        ran: when, and at which commit.
        seconds: how long all of it took.
    """

    ran: set[str] = attrs.field(factory=set)
    seconds: float = 0.0
    outcomes: Counter[str] = attrs.field(factory=Counter)
    figures: list[str] = attrs.field(factory=list)
    campaigns: list[dict[str, str]] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)


def _title_of(classname: str) -> str | None:
    return next((title for module, title in TITLES.items() if classname.startswith(module)), None)


def read(folder: Path) -> dict[str, Tried]:
    """What pytest wrote down, by title; a test that was run again counts by its latest run."""
    latest: dict[tuple[str, str], tuple[str, ET.Element[str]]] = {}
    for path in sorted(folder.glob("*.xml")):
        commit = path.with_suffix(".commit")
        at = commit.read_text().strip() if commit.exists() else ""
        for suite in ET.parse(path).getroot().iter("testsuite"):  # noqa: S314 - written by our own pytest
            ran = f"{suite.get('timestamp', '')[:16].replace('T', ' ')} {at}".strip()
            for case in suite.iter("testcase"):
                key = (case.get("classname", ""), case.get("name", ""))
                latest[key] = max(latest.get(key, (ran, case)), (ran, case), key=lambda run: run[0])
    tried: defaultdict[str, Tried] = defaultdict(Tried)
    for ran, case in latest.values():
        _note(tried, case, ran)
    return dict(tried)


def _note(tried: Mapping[str, Tried], case: "ET.Element[str]", ran: str) -> None:
    title = _title_of(case.get("classname", ""))
    if title is None:
        return
    one = tried[title]
    outcome = next((word for word in ("failure", "error", "skipped") if case.find(word) is not None), "passed")
    one.ran.add(ran)
    one.seconds += float(case.get("time", 0))
    one.outcomes[outcome] += 1
    if outcome != "passed":
        one.missing.append(f"{case.get('name')}: {outcome}")
    one.figures += _told(case, "figures")
    one.campaigns += [json.loads(told) for told in _told(case, "campaign")]


def _told(case: "ET.Element[str]", name: str) -> list[str]:
    """What a test put down under this name."""
    return [one.get("value", "") for one in case.iter("property") if one.get("name") == name]


def _table(campaigns: list[dict[str, str]]) -> list[str]:
    """Figures down the side, campaigns across."""
    names = [one["campaign"] for one in campaigns]
    rows = [
        f"| {what} | {' | '.join(str(one[what]) for one in campaigns)} |" for what in campaigns[0] if what != "campaign"
    ]
    return [f"| | {' | '.join(names)} |", "|---|" + "---|" * len(names), *rows]


def page(tried: dict[str, Tried], note: str = "", *, left_out: Sequence[str] = ()) -> str:
    """The page as Markdown.

    Args:
        tried: what was run.
        note: what else is to be known of the machine.
        left_out: what was left out of a part that was run in part: pytest does not write it down.
    """
    lines = [
        "# Reliability: what was tried",
        "",
        f"Written by `make crash`, or by `make crash-page` from parts that were run one by one. {MACHINE} Times are UTC. {note}".rstrip(),
        "",
        "| proof | passed | failed | skipped | minutes | run at, commit |",
        "|---|---|---|---|---|---|",
    ]
    for title in TITLES.values():
        one = tried.get(title, Tried())
        counts = one.outcomes
        broken = counts["failure"] + counts["error"]
        lines.append(
            f"| {title} | {counts['passed']} | {broken} | {counts['skipped']} | {one.seconds / 60:.1f} "
            f"| {', '.join(sorted(one.ran)) or 'not run'} |"
        )
    kills = sum(
        tried[title].outcomes["passed"] for title in TITLES.values() if "named places" in title and title in tried
    )
    if kills:
        lines += ["", f"{kills} directed kills without a violation bound its rate by {3 / kills:.1%} (3/n)."]
    for title in (title for title in TITLES.values() if title in tried):
        one = tried[title]
        if one.campaigns or one.figures:
            lines += ["", f"## {title}"]
        if one.campaigns:
            lines += ["", *_table(one.campaigns)]
        if one.figures:
            lines += ["", *(f"- {figure}" for figure in one.figures)]
    lines += ["", "## Not run, or not held", ""]
    lines += [f"- {title}: {name}" for title, one in tried.items() for name in one.missing]
    lines += [f"- {title}: nothing of it was run" for title in TITLES.values() if title not in tried]
    lines += [f"- {one}" for one in (*left_out, *NEVER_RUN)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    results = Path(sys.argv[1])
    said = results / "left_out.txt"
    left_out = said.read_text(encoding="utf-8").splitlines() if said.exists() else []
    sys.stdout.write(page(read(results), *sys.argv[2:], left_out=left_out))

"""Writes docs/benchmarks.md from what the other scripts kept: `python benchmarks/page.py`."""

import json
from pathlib import Path
from typing import Any

from measuring import RESULTS, figure

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
ORDER = (
    "ingress",
    "gathering",
    "handling",
    "mariadb_ingress",
    "sagas",
    "jobs",
    "limiter",
    "breaker",
    "objects",
    "growth",
    "readers",
    "claims",
    "analytics",
    "policies",
    "broadcasts",
)

HEAD = """# Benchmarks

Written by `python benchmarks/page.py`; not by hand. `make bench` runs the short form of each script and prints it,
`make bench-full` the whole, and keeps what this page shows. Variants take turns in one run, in another order each
round; a target is judged by the median of the ratios within each round. Absolute figures are of one machine on one
day, and move by tens of percent; the ratios move much less.

**What limits the missed ones.** Ingress is bound by Python, not by the disk. A group's statements are shared by all its
deliveries and go to the driver as text, and what the connection that writes knows is not read again; what is left is
reading, checking and building what a message, a thread and a customer are, once for each: somewhat less than twice what
the floor does, which checks nothing and keeps less, so it stays below what stores the message alone (2). The 99th of a
hundred waits for a whole group, pywa's for nothing (1b). One that comes again is checked, read and looked for, which is
two fifths of what a new one costs by now (4). New customers and threads of a group are written together too (on MariaDB
the threads still one by one, since nobody knows their ids before). A group on MariaDB takes three statements around its
work (begin, the row that tells what became of a lost answer, commit) and one for each of looking at people, locking
them, their threads, ids that are known, and each table that changes: nine or ten, not eight, because whom an event is
about is looked at before it is locked. A transaction on SQLite is one way to a thread and back with either driver:
aiosqlite's own of each connection, or one of ours with plain sqlite3 (`sqlite:///wch.db`, the same file). Where the load
below a table is above 2, others had most of the machine, and its ratios say little.

Sagas are bound by Python on a disk that is quick: ten at once share their commits, and what is left of a step is making
the saga that it becomes, its log as text, and the turns of the event loop between commits; one after another each commit
is a way to a thread and back besides. On a slow disk, where commits weigh more, they come nearer to the floor. The limiter on SQLite
was measured while others had the machine and its disk, so that commits weighed more than they do on a quiet one, where
what Python does around them weighs more: its ratios to the floor are too good then, those to peers that commit more
often as well. A job put in alone is a way to a thread and back around its commit. On MariaDB a saga's transaction
begins with a mark, which is a round trip that the floor does not make. A hundred jobs put in at once go to the driver
as one list; making and checking each row is what is left. A hit of a limit in memory is a whole transaction
of that store, with a turn of the event loop and an HMAC of the caller, one rule for all stores: a counter in a dict
costs a tenth of it, and less than the turn of the loop alone. Hits on SQLite wait for the disk, which Redis' do not. A
cart's lines of our own shape are built at once and checked by their own class; any other shape is let in by a second
way, which neither peer has. A container resolves the hub once, when it is opened, and nothing later, so it has no row
here (12).

A thread's page beside a writer (14) waits for the interpreter, which a writer's thread, or a group of up to 64
deliveries, holds for as long as its own work takes; it never waits for the writer's lock. Whether work is due (15d) stands in
columns that the data model has no index on beside the state: SQLite and MariaDB go past all that waits, and a look at
the sync queue does so page by page. Elsewhere is seen to it that little waits: a campaign has at most 500 messages
waiting, and of a partner that fails nothing is asked.
"""


def written() -> str:
    """The page."""
    lines = [HEAD]
    found = sorted(RESULTS.glob("*.json"), key=lambda one: ORDER.index(one.stem) if one.stem in ORDER else len(ORDER))
    for path in found:
        document = json.loads(path.read_text())
        machine = document["machine"]
        for table in document["tables"]:
            lines += _section(table, machine)
    return "\n".join(lines).rstrip() + "\n"


def _section(table: dict[str, Any], machine: dict[str, Any]) -> list[str]:
    lines = [f"## {table['title']}", ""]
    if table["note"]:
        lines += [table["note"], ""]
    lines += [f"| variant | {table['unit']} | least | most |", "|---|---:|---:|---:|"]
    for name, row in table["rows"].items():
        lines.append(f"| {name} | {figure(row['median'])} | {figure(row['least'])} | {figure(row['most'])} |")
    lines.append("")
    if table["targets"]:
        lines += ["| target | what | wanted | ratio | |", "|---|---|---|---:|---|"]
        for one in table["targets"]:
            wanted = f"≥ {one['least']}" if one["least"] is not None else f"≤ {one['most']}"
            ratio = "-" if one["ratio"] is None else f"{one['ratio']:.2f}"
            word = {True: "holds", False: "missed", None: "not measured"}[one["holds"]]
            lines.append(f"| {one['number']} | {one['what']} | {wanted} | {ratio} | {word} |")
        lines.append("")
    for name, why in table["failed"].items():
        lines += [f"{name} could not be measured: {why}", ""]
    before, after = table["before"], table["after"]
    lines.append(
        f"{table['rounds']} rounds on {machine['at']}: {machine['cores']} cores, {machine['system']}, Python "
        f"{machine['python']}, SQLite {machine['sqlite']}; load {before['load']} to {after['load']}, a pure Python loop "
        f"{before['spin']} to {after['spin']} million turns a second.\n"
    )
    return lines


if __name__ == "__main__":
    PAGE.write_text(written())
    print(f"wrote {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}")

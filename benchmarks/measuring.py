"""How everything here is measured: variants take turns in one run, and what counts is their ratio in each round.

A shared machine's absolute figures move by tens of percent within seconds. Two variants that were measured a moment
apart move together, so each round gives ratios, and the median of those is what the page shows.
"""

import argparse
import gc
import json
import os
import platform
import sqlite3
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

RESULTS = Path(__file__).parent / "results"
SPIN_SECONDS = 0.05

Measure = Callable[[], float]


@attrs.frozen(kw_only=True)
class Target:
    """A ratio that is aimed at.

    Attributes:
        number: its number in the list of targets.
        what: in words.
        over: the variant in the numerator.
        under: the variant in the denominator.
        least: from which ratio on it is met; None when `most` says up to which.
    """

    number: str
    what: str
    over: str
    under: str
    least: float | None = None
    most: float | None = None


def arguments() -> argparse.Namespace:
    """`--quick` for the short form: fewer and shorter rounds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    return parser.parse_args()


def rounds(
    title: str,
    variants: Mapping[str, Measure],
    targets: Iterable[Target] = (),
    *,
    unit: str,
    count: int,
    note: str = "",
) -> dict[str, Any]:
    """Measure every variant once in each round, in another order each time; print and return the table.

    A variant that fails is told, and left out: a peer that is broken must not stop the run.
    """
    names = list(variants)
    samples: dict[str, list[float]] = {name: [] for name in names}
    failed: dict[str, str] = {}
    before = state()
    for turn in range(count):
        start = turn % len(names)
        for name in (*names[start:], *names[:start]):
            if name in failed:
                continue
            gc.collect()
            try:
                samples[name].append(variants[name]())
            except Exception as error:  # noqa: BLE001 - whatever broke is told
                failed[name] = f"{type(error).__name__}: {error}"[:200]
    kept = {name: values for name, values in samples.items() if values and name not in failed}
    about = {"title": title, "unit": unit, "note": note, "rounds": count, "before": before, "after": state()}
    return judged(kept, targets, {**about, "failed": failed})


def judged(samples: Mapping[str, list[float]], targets: Iterable[Target], about: Mapping[str, Any]) -> dict[str, Any]:
    """What was measured of each variant, round by round, as a table that is printed and returned.

    Args:
        samples: as many of each variant, those of one round at the same place.
        targets: what they are held to.
        about: the table's title, unit, note and rounds, the machine's state before and after, and what failed.
    """
    table = {
        **about,
        "rows": {
            name: {"median": statistics.median(v), "least": min(v), "most": max(v)} for name, v in samples.items()
        },
        "targets": [_judged(target, samples) for target in targets],
    }
    show(table)
    return table


def _judged(target: Target, samples: Mapping[str, list[float]]) -> dict[str, Any]:
    plain = {"number": target.number, "what": target.what, "least": target.least, "most": target.most}
    if target.over not in samples or target.under not in samples:
        return {**plain, "ratio": None, "holds": None}
    each = [over / under for over, under in zip(samples[target.over], samples[target.under], strict=True)]
    ratio = statistics.median(each)
    holds = ratio >= target.least if target.least is not None else ratio <= (target.most or 0.0)
    return {**plain, "ratio": ratio, "holds": holds}


def state() -> dict[str, Any]:
    """What the machine was like: a pure Python loop shows how noisy it is."""
    loops, end = 0, time.perf_counter() + SPIN_SECONDS
    while time.perf_counter() < end:
        for _ in range(100):
            loops += 1
    return {"load": round(os.getloadavg()[0], 1), "spin": round(loops / SPIN_SECONDS / 1e6, 1)}


def machine() -> dict[str, Any]:
    """On what it was measured."""
    return {
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "system": f"{platform.system()} {platform.release().split('-', maxsplit=1)[0]}",
        "cores": os.cpu_count(),
        "at": time.strftime("%Y-%m-%d"),
    }


def figure(value: float) -> str:
    """A number as people read it."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def show(table: Mapping[str, Any]) -> None:
    """The table as text."""
    print(f"\n{table['title']} [{table['unit']}, median of {table['rounds']} rounds]")
    if table["note"]:
        print(f"  {table['note']}")
    wide = max((len(name) for name in table["rows"]), default=0)
    for name, row in table["rows"].items():
        print(f"  {name:<{wide}} {figure(row['median']):>10}  ({figure(row['least'])} to {figure(row['most'])})")
    for name, why in table["failed"].items():
        print(f"  {name}: could not be measured: {why}")
    for one in table["targets"]:
        print(f"  target {one['number']}: {one['what']}: {_told(one)}")
    sys.stdout.flush()


def _told(one: Mapping[str, Any]) -> str:
    wanted = f"at least {one['least']}" if one["least"] is not None else f"at most {one['most']}"
    if one["ratio"] is None:
        return f"not measured ({wanted})"
    return f"{one['ratio']:.2f}, {wanted}: {'holds' if one['holds'] else 'MISSED'}"


def keep(name: str, tables: Iterable[Mapping[str, Any]], *, quick: bool) -> None:
    """Write what was measured beside the scripts, for the page; a short run keeps nothing."""
    if quick:
        return
    RESULTS.mkdir(exist_ok=True)
    document = {"machine": machine(), "tables": list(tables)}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")


__all__ = ["Measure", "Target", "arguments", "figure", "judged", "keep", "machine", "rounds", "show", "state"]

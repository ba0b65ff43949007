"""What the hub costs before it does anything stays within what was promised."""

import pytest

from benchmarks import bench_footprint

pytestmark = pytest.mark.crash  # figures of a quiet machine: run with the other campaigns, by `make crash`


def test_importing_wch_is_quick() -> None:
    """Whoever embeds it pays this at every start; the best of some, since other tests run beside it."""
    assert min(bench_footprint.imports(5)) < bench_footprint.BOUNDS["import"]


def test_an_idle_server_takes_little_memory() -> None:
    """It runs beside a shop on a small machine; a second of rest is enough to see what it holds."""
    assert bench_footprint.memory(idle=1.0) < bench_footprint.BOUNDS["memory"]


def test_it_answers_soon_after_its_start() -> None:
    """A restart is a gap in which nobody answers; the best of some starts, without the time that others had the machine."""
    assert min(taking for taking, _ in bench_footprint.starts(5)) < bench_footprint.BOUNDS["start"]

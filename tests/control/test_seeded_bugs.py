"""The tests are tested: a rule is taken away, and the layer that holds it must fail. A proof that cannot fail proves nothing."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.control.bugs import BUGS, ON_A_SERVER

pytestmark = pytest.mark.crash

ROOT = Path(__file__).resolve().parents[2]
TESTS_FAILED = 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "bug", [pytest.param(bug, marks=pytest.mark.mariadb) if bug in ON_A_SERVER else bug for bug in BUGS]
)
def test_a_planted_bug_is_caught(bug: str, record_property: Callable[[str, object], None]) -> None:
    """By the layer that is named for it."""
    _, where = BUGS[bug]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "tests.control.plugin", "-p", "no:cacheprovider",
         "-m", f"{'mariadb' if bug in ON_A_SERVER else 'not mariadb'} and not crash", where],
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "WCH_SEEDED_BUG": bug, "WCH_REQUIRE_ALL": "0"},
    )  # fmt: skip

    record_property("figures", f"{bug}: caught by {where}")
    assert done.returncode == TESTS_FAILED, (
        f"{bug} went unnoticed by {where}: {done.stdout[-1500:]}{done.stderr[-500:]}"
    )

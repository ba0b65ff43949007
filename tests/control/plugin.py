"""A pytest plugin that plants one bug before anything is collected: `-p tests.control.plugin`, WCH_SEEDED_BUG=name."""

import os

import pytest

from tests.control.bugs import BUGS

_patch = pytest.MonkeyPatch()


def pytest_configure() -> None:
    """Plant it."""
    plant, _ = BUGS[os.environ["WCH_SEEDED_BUG"]]
    plant(_patch)


def pytest_unconfigure() -> None:
    """Take it away again."""
    _patch.undo()

"""A store and a stand-in for WhatsApp for each campaign of kills."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.processes import PATIENCE, USUAL_PATIENCE, GraphApi, Installed, Store, mariadb_store, sqlite_store

WHOLE = os.environ.get("WCH_TEST_CAMPAIGN") == "whole"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A short run leaves out what is marked `whole`, and says how much that was; more patience is a later end too."""
    left_out = [] if WHOLE else [item for item in items if _is_long(item)]
    items[:] = [item for item in items if item not in left_out]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
    for item in items:
        limit = item.get_closest_marker("timeout")
        if limit is not None:
            item.add_marker(pytest.mark.timeout(limit.args[0] * PATIENCE / USUAL_PATIENCE), append=False)


def _is_long(item: pytest.Item) -> bool:
    stores = [mark.args for mark in item.iter_markers("whole")]
    called = getattr(item, "callspec", None)
    store = None if called is None else called.params.get("store")
    return any(not named or store in named for named in stores)


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    """Where processes come from that need not be loaded each time."""
    with Nursery.open(tmp_path) as one:
        yield one


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database of this test's own."""
    if request.param == "sqlite":
        yield sqlite_store(tmp_path)
        return
    with mariadb_store(request.getfixturevalue("mariadb_url"), f"crash_{os.getpid()}") as made:
        yield made


@pytest.fixture
async def graph() -> AsyncIterator[GraphApi]:
    """WhatsApp's end, which notes what it is given."""
    async with GraphApi.open() as api:
        yield api


@pytest.fixture
def installed(tmp_path: Path, store: Store, graph: GraphApi) -> Installed:
    """Where the test's processes run."""
    return Installed(folder=tmp_path, store=store, graph_url=graph.url)

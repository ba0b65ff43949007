"""A store and a stand-in for WhatsApp for each test of real processes."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.processes import GraphApi, Installed, Store, mariadb_store, sqlite_store


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.mariadb)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """An empty database of this test's own."""
    if request.param == "sqlite":
        yield sqlite_store(tmp_path)
        return
    with mariadb_store(request.getfixturevalue("mariadb_url"), "processes") as made:
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

"""Commands beside `wch serve --sandbox`: what was made up for the server is made up for them, in its time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from tests.entrypoints.cli.conftest import ENVIRONMENT, Line
from tests.sale.script import ANNA
from wch import Settings, open_hub
from wch.adapters.clock import SystemClock
from wch.application.hub import Hub
from wch.bootstrap import open_sandbox
from wch.domain.moment import of_iso

ADDRESS = "http://127.0.0.1:9"
SCOPED = ("keys", "create", "--scope", "read")


@pytest.fixture
def played(bare: Line, monkeypatch: pytest.MonkeyPatch) -> Line:
    """A folder in which a sandbox ran, and a shell in which nothing is set but the database."""
    for name in ENVIRONMENT:
        monkeypatch.delenv(name)
    asyncio.run(_meet(bare))
    return bare


async def _meet(line: Line) -> None:
    async with _served(_settings(line).for_sandbox(graph_url=f"{ADDRESS}/sandbox/graph")) as hub:
        await hub.database.transact(lambda uow: uow.customers.lock(ANNA, now=hub.clock.now()))


def _settings(line: Line) -> Settings:
    return Settings(database_url=f"sqlite+aiosqlite:///{line.folder}/wch.db")


@asynccontextmanager
async def _served(settings: Settings) -> AsyncIterator[Hub]:
    async with (
        open_hub(settings, install=True, sandbox=True) as hub,
        open_sandbox(settings, hub, webhook_url=f"{ADDRESS}/webhooks/whatsapp"),
    ):
        yield hub


def test_what_needs_the_secret_key_works_without_one(played: Line) -> None:
    """The first page of the documentation makes a key so."""
    assert played.json(*SCOPED)["scopes"] == ["read"]
    assert played.json("customers", "export", ANNA)["subject"]["key"] == ANNA
    assert played.text("worker", "--once")


def test_a_key_opens_the_server_beside_it(played: Line) -> None:
    """Both hide it under the same word."""
    key = played.json(*SCOPED)["key"]

    async def found() -> str:
        async with _served(_settings(played).for_sandbox(graph_url=f"{ADDRESS}/sandbox/graph")) as hub:
            return (await hub.keys.admit(key)).key.prefix

    assert asyncio.run(found()) in key


def test_it_is_as_late_as_in_the_sandbox(played: Line) -> None:
    """What is explained, or written down, is of the time that its customers live in."""
    played.text("clock", "advance", "6h")

    assert of_iso(played.json(*SCOPED)["created_at"]) > SystemClock().now() + timedelta(hours=5)


@pytest.mark.parametrize(("name", "value"), [("WCH_ACCESS_TOKEN", "a-token"), ("WCH_PROFILE", "prod")])
def test_a_shop_in_earnest_gets_nothing_made_up(
    played: Line, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A key under a word that everybody knows would open it to everybody."""
    monkeypatch.setenv(name, value)

    assert "WCH_SECRET_KEY is not set" in played.refused(*SCOPED)


def test_a_database_is_no_sandbox_s_any_more_once_a_hub_opened_it_in_earnest(played: Line) -> None:
    """Else a shell that has forgotten its secrets would make keys that open nothing."""

    async def opened() -> None:
        async with open_hub(_settings(played), install=True):
            pass

    asyncio.run(opened())

    assert "WCH_SECRET_KEY is not set" in played.refused(*SCOPED)

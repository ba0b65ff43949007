"""What those who watch are told: of a database that was stopped, and of a worker that was killed."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.crash.own_mariadb import OwnMariaDb
from tests.processes import (
    GraphApi,
    Installed,
    Server,
    Store,
    client,
    delivery,
    finished,
    said,
    signature_of,
    sqlite_store,
)

pytestmark = pytest.mark.crash

SOON = 3.0
"""Seconds within which a load balancer must hear that the database is away."""

WORKER_MISSED = 80.0
"""Seconds within which a worker that was killed is missed."""


async def key_of(installed: Installed) -> dict[str, str]:
    key = (await asyncio.to_thread(installed.json, "keys", "create", "--scope", "read,metrics"))["key"]
    return {"Authorization": f"Bearer {key}"}


async def timed(web: httpx2.AsyncClient, address: str, **more: Any) -> tuple[httpx2.Response, float]:
    began = time.monotonic()
    return await web.get(address, **more), time.monotonic() - began


async def severity(web: httpx2.AsyncClient, server: Server, key: dict[str, str], part: str) -> str:
    told = await web.get(f"{server.address}/healthz/{part}", headers=key)
    assert told.status_code in (200, 503), told.text
    return str(told.json()["severity"])


async def becomes(severe: Callable[[], Any], wanted: str, *, within: float) -> float:
    """Ask every other second, as a key may (60 calls a minute), until it is so; after how many seconds it was."""
    began = time.monotonic()
    async with asyncio.timeout(within):
        while await severe() != wanted:  # noqa: ASYNC110 - it is another process that changes
            await asyncio.sleep(2)
    return time.monotonic() - began


def changes(installed: Installed, part: str) -> list[tuple[str, str]]:
    """What the hub's log says of this part."""
    lines = [json.loads(line) for line in installed.log.splitlines() if line.startswith("{")]
    return [(one["before"], one["now"]) for one in lines if one.get("component") == part]


@pytest.mark.mariadb
@pytest.mark.timeout(240)
async def test_a_database_that_is_stopped_is_told_in_time_and_so_is_its_return(tmp_path: Path, graph: GraphApi) -> None:
    """Alive, not ready within three seconds, critical; and well again without anybody's help."""
    with OwnMariaDb.installed() as database:
        await database.start()
        installed = Installed(folder=tmp_path, store=Store(url=database.url), graph_url=graph.url)
        async with installed.serving() as server, client() as web:
            key = await key_of(installed)
            before = await severity(web, server, key, "database")
            database.kill()
            alive, _ = await timed(web, f"{server.address}/livez")
            ready, ready_after = await timed(web, f"{server.address}/readyz")
            ingress, _ = await timed(web, f"{server.address}/readyz?for=ingress")
            health, health_after = await timed(web, f"{server.address}/healthz", headers=key)
            await database.start()
            back = await becomes(lambda: severity(web, server, key, "database"), "ok", within=60)

            assert (before, alive.status_code) == ("ok", 200)
            assert (ready.status_code, ready.json()["problems"]) == (503, ["database"])
            assert (ingress.status_code, ingress.json()["problems"]) == (503, ["database"])
            assert ready_after < SOON
            assert (health.status_code, health.json()["severity"]) == (503, "critical")
            assert health_after < 2 * SOON
            assert (await web.get(f"{server.address}/readyz")).status_code == 200
            assert back < 60
            assert changes(installed, "database")[:1] == [("ok", "critical")]


@pytest.mark.timeout(300)
async def test_a_worker_that_is_killed_is_missed_and_its_successor_is_seen(tmp_path: Path, graph: GraphApi) -> None:
    """With a message that waits for it: critical within 80 s, ok with the next one, one change each way."""
    store = sqlite_store(tmp_path)
    hub = Installed(folder=tmp_path, store=store, graph_url=graph.url)
    workers = [Installed(folder=tmp_path / name, store=store, graph_url=graph.url) for name in ("first", "second")]
    for one in workers:
        one.folder.mkdir()
    command = ("worker", "--metrics", "127.0.0.1:0")
    async with hub.serving("--no-worker") as server, client() as web:
        key = await key_of(hub)

        async def workers_are() -> str:
            return await severity(web, server, key, "workers")

        async with workers[0].serving(command=command) as first:
            # The hub is asked only once the worker has beaten: what it sees first is no change.
            await becomes(lambda: severity(web, first, key, "workers"), "ok", within=30)
            await becomes(workers_are, "ok", within=30)
            first.kill()
        body = delivery(said("hi", sender="34600111222", wa_id="wamid.waits"))
        headers = {"X-Hub-Signature-256": signature_of(body)}
        taken = await web.post(f"{server.address}/webhooks/whatsapp", content=body, headers=headers)
        missed = await becomes(workers_are, "critical", within=WORKER_MISSED)
        async with workers[1].serving(command=command):
            await becomes(workers_are, "ok", within=30)
            await finished(store)
            # A change within a minute of the last is told when that minute is over.
            async with asyncio.timeout(90):
                while changes(hub, "workers")[-1:] != [("critical", "ok")]:
                    await workers_are()
                    await asyncio.sleep(2)

    assert taken.status_code == 200
    assert missed < WORKER_MISSED
    assert changes(hub, "workers") == [("ok", "critical"), ("critical", "ok")]

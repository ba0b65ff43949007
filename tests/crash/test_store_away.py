"""A database that is away for a while: senders hear 503 and when to come again, never 200; nobody restarts the hub."""

import asyncio
import sqlite3
import time
from collections import Counter
from pathlib import Path

import attrs
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

WITHIN = 15.0
"""Seconds until a sender has heard 503: the ingress gives up after 8."""

PEOPLE = 5


@attrs.frozen
class Heard:
    """What one delivery was answered, and after how long."""

    status: int
    retry_after: str
    seconds: float


async def post(server: Server, web: httpx2.AsyncClient, body: bytes) -> Heard:
    headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
    began = time.monotonic()
    answer = await web.post(f"{server.address}/webhooks/whatsapp", content=body, headers=headers)
    return Heard(answer.status_code, answer.headers.get("retry-after", ""), time.monotonic() - began)


def bodies(name: str) -> list[bytes]:
    return [delivery(said("hi", sender=f"3460000{n:04}", wa_id=f"wamid.{name}.{n}")) for n in range(PEOPLE)]


async def accepted_once(installed: Installed, server: Server, web: httpx2.AsyncClient, *names: str) -> None:
    """The same deliveries again, and everything is there once and answered."""
    for name in names:
        assert [(await post(server, web, body)).status for body in bodies(name)] == [200] * PEOPLE
    await finished(installed.store)
    keys = installed.store.rows("SELECT wa_message_id FROM wch_messages WHERE direction = 'inbound'")
    assert Counter(key for (key,) in keys) == Counter(f"wamid.{name}.{n}" for name in names for n in range(PEOPLE))
    assert (await web.get(f"{server.address}/readyz")).status_code == 200
    assert installed.json("verify")["ok"] is True


@pytest.mark.timeout(120)
async def test_a_locked_sqlite_is_503_until_it_is_free(tmp_path: Path, graph: GraphApi) -> None:
    """Somebody holds the file, as a backup tool may: nothing is answered 200, and nothing needs a restart."""
    installed = Installed(folder=tmp_path, store=sqlite_store(tmp_path), graph_url=graph.url)
    async with installed.serving() as server, client() as web:
        assert [(await post(server, web, body)).status for body in bodies("before")] == [200] * PEOPLE
        await finished(installed.store)
        holder = sqlite3.connect(tmp_path / "wch.db", isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        heard = await asyncio.gather(*(post(server, web, body) for body in bodies("during")))
        holder.execute("ROLLBACK")
        holder.close()

        assert {(one.status, one.retry_after) for one in heard} == {(503, "30")}
        assert max(one.seconds for one in heard) < WITHIN
        await accepted_once(installed, server, web, "before", "during")


@pytest.mark.mariadb
@pytest.mark.timeout(240)
async def test_a_server_that_is_away_is_503_until_it_is_back(tmp_path: Path, graph: GraphApi) -> None:
    """Stopped, and then only silent: connections that hang are worse than connections that break."""
    with OwnMariaDb.installed() as database:
        await database.start()
        installed = Installed(folder=tmp_path, store=Store(url=database.url), graph_url=graph.url)
        async with installed.serving() as server, client() as web:
            assert [(await post(server, web, body)).status for body in bodies("before")] == [200] * PEOPLE
            await finished(installed.store)
            database.kill()
            heard = await asyncio.gather(*(post(server, web, body) for body in bodies("during")))
            ready = await web.get(f"{server.address}/readyz")
            await database.start()

            assert {(one.status, one.retry_after) for one in heard} == {(503, "30")}
            assert max(one.seconds for one in heard) < WITHIN
            assert (ready.status_code, ready.json()["problems"]) == (503, ["database"])
            await accepted_once(installed, server, web, "before", "during")

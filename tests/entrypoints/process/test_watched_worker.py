"""A worker of its own shows what it counted: whoever scrapes only the hub would never see a send."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.processes import GraphApi, Installed, client, counters, delivery, finished, said, sqlite_store, until
from wch.adapters.clock import SystemClock
from wch.domain.moment import of_iso

SENT = ("wch_messages_total", "reply", "outbound", "sent")
_BEATS = "select value from wch_options where name like 'worker.%'"


@pytest.mark.timeout(120)
async def test_what_a_worker_did_is_read_from_the_worker(tmp_path: Path, graph: GraphApi) -> None:
    """The hub counts the delivery, the worker the answer; both know the tables, and the rest is not there."""
    (tmp_path / "beside").mkdir()
    hub = Installed(folder=tmp_path, store=sqlite_store(tmp_path), graph_url=graph.url)
    beside = Installed(folder=tmp_path / "beside", store=hub.store, graph_url=graph.url)
    command = ("worker", "--metrics", "127.0.0.1:0")
    async with hub.serving("--no-worker") as served, beside.serving(command=command) as worker, client() as web:
        key = hub.json("keys", "create", "--scope", "metrics")["key"]
        assert await served.post(web, delivery(said("hi", sender="34600111222", wa_id="wamid.1"))) == 200
        await finished(hub.store)
        of_hub, of_worker = [await counters(web, one.address, key) for one in (served, worker)]
        elsewhere = await web.get(f"{worker.address}/console")
        bare = await web.get(f"{worker.address}/metrics")
        code = await worker.terminate()

    assert (of_hub.get(SENT, 0), of_worker.get(SENT, 0)) == (0, 1)
    assert of_hub["wch_webhooks_total", "whatsapp", "accepted"] == 1
    assert of_hub["wch_health", "workers"] == of_worker["wch_health", "workers"] == 0
    assert (elsewhere.status_code, bare.status_code, code) == (404, 401, 0)


@pytest.mark.timeout(120)
async def test_a_watched_worker_lives_in_the_sandbox_s_time(tmp_path: Path) -> None:
    """What it does beside `serve --sandbox` is of the hour in which the customers are, as without `--metrics`."""
    (tmp_path / "beside").mkdir()
    hub = Installed(folder=tmp_path, store=sqlite_store(tmp_path))
    async with hub.serving("--sandbox", "--no-worker") as served:
        hub.wch("clock", "advance", "6h")
        graph_url = f"{served.address}/sandbox/graph"
        beside = Installed(folder=tmp_path / "beside", store=hub.store, graph_url=graph_url)
        async with beside.serving(command=("worker", "--metrics", "127.0.0.1:0")) as worker:
            await until(lambda: bool(hub.store.rows(_BEATS)))
            ((beat,),) = hub.store.rows(_BEATS)
            code = await worker.terminate()

    assert of_iso(json.loads(beat)["at"]) > SystemClock().now() + timedelta(hours=5)
    assert code == 0


def test_where_to_be_watched_is_checked_first(tmp_path: Path) -> None:
    """A sentence and the exit code of a wrong use; a port that is taken is a failure."""
    installed = Installed(folder=tmp_path, store=sqlite_store(tmp_path))
    typed = [installed.wch("worker", *words) for words in (("--metrics", "9108"), ("--metrics", "a:b"))]
    both = installed.wch("worker", "--metrics", "127.0.0.1:0", "--once")
    nowhere = installed.wch("worker", "--metrics", "192.0.2.1:9108")

    assert {one.returncode for one in (*typed, both)} == {2}
    assert "write it like 127.0.0.1:9108" in typed[0].stderr
    assert "for a worker that stays" in both.stderr
    assert (nowhere.returncode, nowhere.stderr.startswith("wch: Cannot listen on 192.0.2.1")) == (1, True)

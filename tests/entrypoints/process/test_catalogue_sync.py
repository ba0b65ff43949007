"""`wch sync run` against the sandbox's Graph API: everything once, also when it is killed on its way, then nothing."""

from typing import Any

import httpx2
import pytest

from tests.processes import Installed, Server

PRODUCTS = 120
HEAD = "sku,name,type,price,stock,image_urls,url\n"


def _file() -> str:
    rows = (
        f"P{number:03},Thing {number},simple,9.50,{number},https://shop.example/{number}.jpg,https://shop.example/{number}"
        for number in range(PRODUCTS)
    )
    return HEAD + "\n".join(rows) + "\n"


async def _batches(server: Server) -> list[list[str]]:
    """The retailer ids of every batch that the catalogue was sent."""
    async with httpx2.AsyncClient(trust_env=False) as web:
        log: Any = (await web.get(f"{server.address}/sandbox/api/graph-log")).json()
    calls = log["data"] if isinstance(log, dict) else log
    return [
        [request["data"]["id"] for request in call["body"]["requests"]]
        for call in calls
        if call["path"].endswith("/items_batch")
    ]


async def test_a_killed_run_is_carried_on_and_the_next_sends_nothing(installed: Installed) -> None:
    """Killed after the second batch was handed over: that one goes again, nothing else does."""
    installed.more = {"WCH_CATALOG_ID": "77"}
    (installed.folder / "products.csv").write_text(_file())
    async with installed.serving("--sandbox", "--no-worker") as server:
        installed.more = {**installed.more, "WCH_GRAPH_URL": f"{server.address}/sandbox/graph"}
        imported = installed.wch("shop", "import", "products.csv", "--replace")
        assert imported.returncode == 0, imported.stderr
        whole = dict(installed.more)
        installed.more = {**whole, "WCH_TESTING": "1", "WCH_FAILPOINTS": "sync.after_call=kill@2"}
        killed = installed.wch("sync", "run", "--json")
        assert killed.returncode == -9, killed.stderr
        installed.more = whole
        assert len(await _batches(server)) == 2

        refused = installed.wch("sync", "run")
        assert refused.returncode == 1
        assert "--resume" in refused.stderr
        installed.store.change(
            "UPDATE wch_sync_queue SET processed_at = '2020-01-01 00:00:00' WHERE status = 'processing'"
        )
        run = installed.json("sync", "run", "--resume")
        batches = await _batches(server)

        assert (run["state"], run["total"], run["done"], run["failed"]) == ("done", PRODUCTS, PRODUCTS, 0)
        assert sorted(batches[1]) == sorted(batches[2])
        assert len({name for batch in batches for name in batch}) == PRODUCTS
        assert sum(map(len, batches)) == PRODUCTS + len(batches[1])

        again = installed.json("sync", "run")
        assert (again["done"], again["sent"]) == (PRODUCTS, 0)
        assert len(await _batches(server)) == len(batches)
        report = installed.json("sync", "report")
        assert (report["items"], report["differences"]) == (PRODUCTS, 0)


@pytest.mark.parametrize("words", [("sync", "run"), ("sync", "run", "--dry-run"), ("sync", "report")])
def test_without_a_catalogue_every_command_says_what_to_set(installed: Installed, words: tuple[str, ...]) -> None:
    """Nothing to sync to."""
    assert installed.wch("db", "upgrade").returncode == 0
    said = installed.wch(*words)

    assert said.returncode == 1
    assert "WCH_CATALOG_ID" in said.stderr

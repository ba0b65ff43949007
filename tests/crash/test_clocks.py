"""Hosts whose clocks are an hour apart share one database's clock: leases, limits and ages are the same for all."""

from collections.abc import Iterator

import pytest

from tests.crash.nursery import Nursery
from tests.crash.own_mariadb import free_port
from tests.processes import (
    GraphApi,
    Installed,
    Store,
    client,
    delivery,
    finished,
    mariadb_store,
    said,
    signature_of,
    until,
)

pytestmark = [pytest.mark.crash, pytest.mark.mariadb]

HOUR = 3600
PEOPLE = 30


@pytest.fixture
def store(mariadb_url: str) -> Iterator[Store]:
    """Only a server is shared by hosts."""
    with mariadb_store(mariadb_url, "clocks") as made:
        yield made


@pytest.mark.timeout(180)
async def test_hosts_an_hour_apart_agree(installed: Installed, graph: GraphApi, nursery: Nursery) -> None:
    """One is an hour behind, one an hour ahead: nothing waits an hour for a lease, and no age is negative."""
    assert installed.wch("db", "upgrade").returncode == 0
    port = free_port()
    late = nursery.start(
        "serve", "--no-worker", "--port", str(port), environment=installed.environment, altered=f"clock_off:-{HOUR}"
    )
    early = nursery.start("worker", environment=installed.environment, altered=f"clock_off:{HOUR}")
    right = nursery.start("worker", environment=installed.environment)
    statuses = []
    async with client() as web:
        await until(lambda: "wch serves on" in nursery.log)
        for n in range(PEOPLE):
            body = delivery(said("hi", sender=f"3460000{n:04}", wa_id=f"wamid.{n}"))
            headers = {"X-Hub-Signature-256": signature_of(body), "Content-Type": "application/json"}
            statuses.append(
                (
                    await web.post(f"http://127.0.0.1:{port}/webhooks/whatsapp", content=body, headers=headers)
                ).status_code
            )
    await finished(installed.store)

    assert statuses == [200] * PEOPLE
    assert {call.to for call in graph.calls} == {f"3460000{n:04}" for n in range(PEOPLE)}
    assert graph.sent_twice().total() == 0
    apart = "SELECT MAX(ABS(TIMESTAMPDIFF(SECOND, created_at, UTC_TIMESTAMP()))) FROM wch_messages"
    assert int(installed.store.one(apart)) < 120, "every row was stamped by the database's clock"
    ages = installed.json("stats")["oldest_waiting_by_kind_s"].values()
    assert all(age is None or age >= 0 for age in ages)
    assert [one.ended for one in (late, early, right)] == [False] * 3
    assert installed.json("verify")["ok"] is True

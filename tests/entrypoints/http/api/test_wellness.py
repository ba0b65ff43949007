"""Health and metrics, for those who watch over the hub."""

import asyncio
import re
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.entrypoints.http.api.conftest import Desk
from tests.entrypoints.http.doubles import BODY
from tests.processes import SECRET
from tests.sale.script import ANNA
from wch.adapters.whatsapp.signature import sign
from wch.application import checkup
from wch.application.facts import LeaseLost
from wch.application.health import STOPPED
from wch.domain.document import document as doc
from wch.domain.errors import StoreUnavailableError
from wch.entrypoints.http.api import door


async def _health(caller: httpx2.AsyncClient) -> dict[str, Any]:
    told = (await caller.get("/healthz")).json()
    return {one["component"]: one for one in told["components"]} | {"whole": told["severity"]}


async def test_each_part_says_how_it_is_and_what_to_do(caller: httpx2.AsyncClient) -> None:
    """Two letters wait for a decision: a warning, and the whole is as bad as its worst part."""
    health = await _health(caller)

    assert health["database"]["severity"] == "ok"
    assert health["database"]["what_to_do"] == ""
    assert (health["dead_letters"]["severity"], health["dead_letters"]["value"]) == ("warning", "2 pending")
    assert "wch dead-letters list" in health["dead_letters"]["what_to_do"]
    assert health["whole"] == "warning"


async def test_work_without_a_worker_is_critical(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Nobody beats here; while nothing waits that is only a warning."""
    idle = (await _health(caller))["workers"]["severity"]
    await caller.post("/api/v1/messages", json={"to": ANNA, "type": "text", "text": {"body": "wait"}})
    desk.clock.advance(timedelta(minutes=11))
    answered = await caller.get("/healthz")
    part = await caller.get("/healthz/workers")
    outbox = await caller.get("/healthz/outbox")

    assert idle == "warning"
    assert (answered.status_code, answered.json()["severity"]) == (503, "critical")
    assert (part.status_code, part.json()["severity"]) == (503, "critical")
    assert outbox.json()["severity"] == "critical"


async def test_a_refused_token_is_critical_and_costs_no_delivery(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """`/readyz` says it in a word, and the load balancer of webhooks does not hear it."""
    await desk.hub.database.transact(lambda uow: uow.options.put(STOPPED, doc(since="2026-01-01T00:00:00Z")))

    ready, ingress = await caller.get("/readyz"), await caller.get("/readyz", params={"for": "ingress"})

    assert (await _health(caller))["whatsapp"]["severity"] == "critical"
    assert (ready.status_code, ready.json()["problems"]) == (503, ["sign_in"])
    assert ingress.status_code == 200


async def test_opened_breakers_are_seen(caller: httpx2.AsyncClient) -> None:
    """Open is degraded; the line's own number is not named."""
    await caller.post("/api/v1/breakers/whatsapp:106540352242922/open")

    told = (await _health(caller))["breakers"]

    assert (told["severity"], told["value"]) == ("degraded", "whatsapp")


async def test_a_change_is_told_once(desk: Desk, caller: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """Two looks at the same trouble are one line in the log."""
    await _health(caller)
    since = (await _health(caller))["dead_letters"]["since"]
    desk.clock.advance(timedelta(minutes=2))
    again = (await _health(caller))["dead_letters"]["since"]

    changes = [one for one in caplog.records if getattr(one, "component", "") == "dead_letters"]
    assert len(changes) == 1
    assert since == again


async def test_a_database_that_is_away_is_critical(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be measured is unknown, never well."""

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    monkeypatch.setattr(type(desk.hub.database), "read", away)
    found = {one.name: one.severity.word for one in await desk.hub.checkup.run()}

    assert found["database"] == "critical"
    assert found["inbox"] == "unknown"


@pytest.mark.parametrize("hanging", [False, True])
async def test_health_is_told_while_no_key_can_be_looked_up(
    desk: Desk, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch, *, hanging: bool
) -> None:
    """Keys lie in the database that is away: whoever shows one hears the word that `/readyz` says to all."""

    async def away(*_: object, **__: object) -> None:
        if hanging:
            await asyncio.Event().wait()
        raise StoreUnavailableError

    for place in (door, checkup):
        monkeypatch.setattr(place, "ANSWERS_WITHIN", 0.05)
    for verb in ("read", "transact"):
        monkeypatch.setattr(type(desk.hub.database), verb, away)
    told = await caller.get("/healthz")
    async with desk.client(None) as stranger:
        refused = await stranger.get("/healthz")

    document = told.json()
    assert (told.status_code, document["severity"]) == (503, "critical")
    assert [(one["component"], one["severity"]) for one in document["components"]] == [("database", "critical")]
    assert refused.status_code == 401


async def test_an_unknown_part_is_404_and_no_key_is_401(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Health is for those who watch; the world has `/livez` and `/readyz`."""
    async with desk.client(None) as stranger:
        refused = [(await stranger.get(path)).status_code for path in ("/healthz", "/metrics")]
    async with desk.client(await desk.key("read")) as reader:
        metrics = await reader.get("/metrics")

    assert (await caller.get("/healthz/soul")).status_code == 404
    assert refused == [401, 401]
    assert metrics.status_code == 403


async def test_metrics_tell_what_happened_and_name_nobody(
    desk: Desk, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No label has seven digits in a row; routes are patterns."""
    await caller.get(f"/api/v1/customers/{ANNA}")
    await caller.get("/nothing/here/34600111222")
    await caller.post("/webhooks/whatsapp", content=BODY, headers={"X-Hub-Signature-256": sign(BODY, SECRET)})
    await caller.post("/webhooks/whatsapp", content=BODY)
    desk.hub.tallies(LeaseLost(work="inbound"))
    monkeypatch.setattr(type(desk.hub.database), "redone", lambda _: {"deadlock": 2})
    await caller.post("/api/v1/breakers/whatsapp:106540352242922/open")

    told = await caller.get("/metrics")

    samples = [one for family in text_string_to_metric_families(told.text) for one in family.samples]
    found = {(one.name, *sorted(one.labels.values())): one.value for one in samples}
    assert told.headers["content-type"].startswith("text/plain")
    assert found["wch_http_requests_total", "/api/v1/customers/{key}", "200", "GET"] == 1
    assert found["wch_webhooks_total", "accepted", "whatsapp"] == 1
    assert found["wch_bad_signatures_total",] == 1
    assert found["wch_dead_letters", "exception", "pending"] == 1
    assert found["wch_sagas", "OrderPlacement", "completed"] == 1
    assert found["wch_breaker_state", "whatsapp"] == 2
    assert found["wch_health", "database"] == 0
    assert found["wch_fenced_writes_total", "inbound"] == 1
    assert found["wch_transaction_retries_total", "deadlock"] == 2
    assert {one.name for one in samples} >= {"wch_waiting", "wch_leased", "wch_unconfirmed", "wch_build_info"}
    assert not any(re.search(r"\d{7}", value) for one in samples for value in one.labels.values())


async def test_two_scrapes_look_once_at_the_tables(
    desk: Desk, caller: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many scrapers there are, the tables are counted every five seconds at most."""
    looks = 0
    snapshot = type(desk.hub.statistics).snapshot

    async def counted(room: Any) -> Any:
        nonlocal looks
        looks += 1
        return await snapshot(room)

    monkeypatch.setattr(type(desk.hub.statistics), "snapshot", counted)
    for _ in range(3):
        await caller.get("/metrics")
    desk.clock.advance(timedelta(seconds=5))
    await caller.get("/metrics")

    assert looks == 2


async def test_sends_that_vanish_are_seen(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """WhatsApp takes them and says nothing: more than one in a hundred is degraded."""
    told = {"v": 1, "day": "2026-03-01", "accepted": 100, "silent": 2}
    await desk.hub.database.transact(lambda uow: uow.options.put("sends.silent", told))

    found = (await _health(caller))["whatsapp"]

    assert found["severity"] == "degraded"
    assert found["value"].startswith("2 of 100")

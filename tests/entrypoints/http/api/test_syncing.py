"""Full runs and reports of the catalogue, over the API."""

from collections.abc import AsyncIterator

import attrs
import httpx2
import pytest

import wch
from tests.entrypoints.http.api.conftest import ENVIRONMENT, EVERYTHING, Desk
from wch import Settings, open_hub
from wch.domain.catalogue_item import CatalogueError
from wch.domain.send_failure import FailureClass
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds
from wch.testing.scripted_catalogue import ScriptedCatalogue

V1 = "/api/v1"


@attrs.frozen(kw_only=True)
class Linked:
    """A hub that is linked to a catalogue, and a program that may do everything."""

    desk: Desk
    catalogue: ScriptedCatalogue
    caller: httpx2.AsyncClient


@pytest.fixture
async def linked() -> AsyncIterator[Linked]:
    """The twelve sample products, which have no pictures, before an empty catalogue."""
    settings, _, _ = Settings.load(ENVIRONMENT, {}, None)
    clock, catalogue = FrozenClock(), ScriptedCatalogue()
    async with open_hub(
        settings, clock=clock, ids=SequentialIds(), whatsapp=RecordingWhatsApp(), catalogue=catalogue
    ) as hub:
        desk = Desk(hub=hub, clock=clock, app=wch.asgi(hub), order_id=0)
        async with desk.client(await desk.key(*EVERYTHING)) as caller:
            yield Linked(desk=desk, catalogue=catalogue, caller=caller)


async def test_without_a_catalogue_the_sentence_says_what_to_set(caller: httpx2.AsyncClient) -> None:
    """No fault of anybody's."""
    for path in ("/sync/runs", "/sync/reports"):
        answer = await caller.post(f"{V1}{path}")
        assert answer.status_code == 422
        assert answer.json()["code"] == "no_catalogue"
        assert "WCH_CATALOG_ID" in answer.json()["detail"]
        assert (await caller.get(f"{V1}{path}")).json() == {"data": [], "next_cursor": None}


async def test_a_run_is_begun_once_and_told_of(linked: Linked) -> None:
    """The same key begins nothing twice; another one is refused while it is under way."""
    headers = {"Idempotency-Key": "k"}
    first, again = [await linked.caller.post(f"{V1}/sync/runs", headers=headers) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["started"] == again.json()["started"]
    assert (await linked.caller.post(f"{V1}/sync/runs")).status_code == 409
    for _ in range(5):
        await linked.desk.hub.sync.work()

    (run,) = (await linked.caller.get(f"{V1}/sync/runs")).json()["data"]
    assert (run["state"], run["total"], run["failed"], run["by"][:4]) == ("done", 12, 12, "key:")
    assert run["reasons"]


async def test_a_report_tells_what_is_missing(linked: Linked) -> None:
    """Sixteen items that have no picture; the list of reports has it too."""
    headers = {"Idempotency-Key": "k"}
    told, again = [await linked.caller.post(f"{V1}/sync/reports?fix=true", headers=headers) for _ in range(2)]
    assert told.status_code == 201
    assert (told.json()["counts"]["missing"], told.json()["fixing"]) == (16, 12)
    assert told.json()["listed"][0]["shop"] == "no_image"
    assert again.json()["at"] == told.json()["at"]

    assert len((await linked.caller.get(f"{V1}/sync/reports")).json()["data"]) == 1


async def test_a_catalogue_that_is_away_is_503(linked: Linked) -> None:
    """Ask again later."""
    linked.catalogue.failures.append(CatalogueError(FailureClass.RETRY, "away"))
    answer = await linked.caller.post(f"{V1}/sync/reports")

    assert (answer.status_code, answer.json()["code"]) == (503, "catalogue_unavailable")
    assert answer.headers["retry-after"]

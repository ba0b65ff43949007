"""The sandbox's routes: what scripts drive the product with."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import attrs
import httpx2
import pytest

from tests.adapters.sandbox.world import MARIA, NUMBER, TOKEN, World, world
from tests.entrypoints.http.doubles import ScriptedHub, application, web
from wch.domain.moment import iso
from wch.entrypoints.http.sandbox import SpanError, read_span
from wch.testing import NOON

CUSTOMER = f"/sandbox/api/customers/{MARIA}/messages"
SEND = {"messaging_product": "whatsapp", "to": f"+{MARIA}", "type": "text", "text": {"body": "hello"}}
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@attrs.frozen
class Stage:
    """A hub with a sandbox, and a client of both."""

    client: httpx2.AsyncClient
    world: World

    async def says(self, body: Any) -> httpx2.Response:
        return await self.client.post(CUSTOMER, json=body)

    async def hub_sends(self) -> httpx2.Response:
        return await self.client.post(f"/sandbox/graph/v24.0/{NUMBER}/messages", json=SEND, headers=BEARER)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async with world() as here, web(application(ScriptedHub(), sandbox=here.sandbox)) as client:
        yield Stage(client=client, world=here)


async def test_a_customer_says_something_and_the_hubs_status_comes_back(stage: Stage) -> None:
    """The id is the one that the hub got."""
    answered = await stage.says({"type": "text", "text": {"body": "hi"}, "name": "Maria"})

    assert answered.status_code == 200
    assert answered.json() == {"id": stage.world.hub.messages[0]["id"], "status": 200, "held": False}


async def test_the_thread_has_both_sides(stage: Stage) -> None:
    """What a script reads to know what to say next."""
    await stage.says({"type": "text", "text": {"body": "hi"}})
    await stage.hub_sends()
    await stage.world.sandbox.settle()

    said = (await stage.client.get(CUSTOMER)).json()["data"]

    assert [one["direction"] for one in said] == ["inbound", "outbound"]
    assert said[1]["body"] == {"type": "text", "text": {"body": "hello"}}
    assert said[1]["statuses"] == ["sent", "delivered"]


async def test_the_graph_api_answers_in_its_own_shapes(stage: Stage) -> None:
    """Not in ours: the client must see what WhatsApp would show."""
    refused = await stage.client.post(f"/sandbox/graph/v24.0/{NUMBER}/messages", json=SEND)
    lost = await stage.client.get("/sandbox/graph/nowhere", headers=BEARER)

    assert (refused.status_code, refused.json()["error"]["code"]) == (401, 190)
    assert refused.headers["content-type"] == "application/json"
    assert lost.json()["error"]["type"] == "OAuthException"


async def test_a_media_address_leads_back_here(stage: Stage) -> None:
    """Host, mount and version are those of the call."""
    await stage.says({"type": "image", "image": {"caption": "look"}})
    image = stage.world.hub.messages[0]["image"]

    told = (await stage.client.get(f"/sandbox/graph/v24.0/{image['id']}", headers=BEARER)).json()
    fetched = await stage.client.get(told["url"], headers=BEARER)

    assert told["url"].startswith("http://hub.test/sandbox/graph/v24.0/media/")
    assert fetched.headers["content-type"] == "image/png"


async def test_the_log_tells_every_call(stage: Stage) -> None:
    """Time, method, path, body, answer; from a place on if wanted."""
    await stage.hub_sends()
    await stage.hub_sends()

    log = (await stage.client.get("/sandbox/api/graph-log")).json()["data"]
    later = (await stage.client.get("/sandbox/api/graph-log", params={"after": 1})).json()["data"]

    assert [set(entry) for entry in log] == [
        {"id", "at", "method", "path", "body", "status", "answer", "fault"} for _ in range(2)
    ]
    assert [entry["id"] for entry in later] == [2]


async def test_faults_are_ordered_listed_and_cleared(stage: Stage) -> None:
    """201, the list, 204."""
    ordered = await stage.client.post("/sandbox/api/faults", json={"fault": "error", "calls": 2, "code": 131026})
    refused = await stage.hub_sends()
    listed = await stage.client.get("/sandbox/api/faults")
    cleared = await stage.client.delete("/sandbox/api/faults")
    taken = await stage.hub_sends()

    assert (ordered.status_code, ordered.json()["calls"]) == (201, 2)
    assert refused.json()["error"]["code"] == 131026
    assert [(one["fault"], one["calls"]) for one in listed.json()["data"]] == [("error", 1)]
    assert cleared.status_code == 204
    assert taken.status_code == 200


async def test_the_clock_goes_forward(stage: Stage) -> None:
    """All spans of the contract."""
    before = (await stage.client.get("/sandbox/api/clock")).json()
    after = (await stage.client.post("/sandbox/api/clock", json={"advance": "6h"})).json()

    assert before == {"now": iso(NOON)}
    assert after == {"now": iso(NOON + timedelta(hours=6))}


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        (CUSTOMER, {"hello": 1}, 422, "Say something like"),
        (CUSTOMER, {"tap": "x"}, 404, "latest offer"),
        ("/sandbox/api/customers/maria/messages", {"type": "text", "text": {"body": "x"}}, 422, "digits"),
        (CUSTOMER, [], 400, ""),
        ("/sandbox/api/faults", {"fault": "rain"}, 422, "bsuid_only"),
        ("/sandbox/api/faults", {"calls": 1}, 400, ""),
        ("/sandbox/api/faults", {"fault": "slow", "calls": "many"}, 400, ""),
        ("/sandbox/api/clock", {"advance": "soon"}, 422, "90s"),
    ],
)
async def test_wrong_use_is_told_what_to_do(stage: Stage, path: str, body: Any, status: int, words: str) -> None:
    """As a problem, with the way out."""
    answered = await stage.client.post(path, json=body)

    assert answered.status_code == status
    assert answered.headers["content-type"] == "application/problem+json"
    assert words in answered.json()["detail"]


async def test_a_long_body_is_refused(stage: Stage) -> None:
    """A sandbox is no way to fill the memory."""
    answered = await stage.client.post(CUSTOMER, json={"type": "text", "text": {"body": "x" * 300_000}})

    assert answered.status_code == 413


async def test_customers_reading_and_figures_have_routes(stage: Stage) -> None:
    """For scripts and for the page."""
    await stage.says({"type": "text", "text": {"body": "hi"}, "name": "Maria"})
    await stage.hub_sends()
    await stage.world.sandbox.settle()

    customers = (await stage.client.get("/sandbox/api/customers")).json()["data"]
    read = (await stage.client.post(f"/sandbox/api/customers/{MARIA}/read")).json()
    figures = (await stage.client.get("/sandbox/api/stats")).json()

    assert (customers[0]["wa_id"], customers[0]["name"], customers[0]["messages"]) == (MARIA, "Maria", 2)
    assert read == {"read": 1}
    assert "tables" in figures


async def test_the_document_names_the_sandbox_only_where_it_is(stage: Stage) -> None:
    """With examples to copy."""
    document = (await stage.client.get("/openapi.json")).json()
    say = document["paths"]["/sandbox/api/customers/{wa_id}/messages"]["post"]
    page = (await stage.client.get("/docs")).text

    assert say["tags"] == ["sandbox"]
    assert {"tap": "categories"} in say["requestBody"]["content"]["application/json"]["schema"]["examples"]
    assert "categories" in page


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("6h", 21_600), ("2d", 172_800), ("1h30m", 5_400), ("1d2h3m4s", 93_784)],
)
def test_spans_are_read(text: str, seconds: int) -> None:
    """Units once each, the largest first."""
    assert read_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-5m", "5m1h", "1.5h", "0s", "99999999999d", "4000d", "٣m", "5m "])
def test_no_other_span_is(text: str) -> None:
    """Nothing, backwards, and more than ten years included."""
    with pytest.raises(SpanError):
        read_span(text)


async def test_a_phone_keeps_its_language(stage: Stage) -> None:
    """The page finds each customer again; the hub is told no language, as WhatsApp tells none."""
    await stage.says({"type": "text", "text": {"body": "hola"}, "name": "Maria", "language": "es"})
    await stage.says({"type": "text", "text": {"body": "hola"}})

    (customer,) = (await stage.client.get("/sandbox/api/customers")).json()["data"]

    assert customer["language"] == "es"
    assert "language" not in stage.world.hub.messages[0]

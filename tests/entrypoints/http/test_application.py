"""The application as a whole: health, problems, headers, documents, and being mounted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from litestar import Litestar
from litestar import asgi as mounted

from tests.entrypoints.http.doubles import BODY, ScriptedHub, application, signed, web
from wch.domain.errors import StoreUnavailableError
from wch.entrypoints.http.application import Application

ROUTES = ["/livez", "/readyz", "/openapi.json", "/docs", "/nothing/here", "/webhooks/whatsapp", "/sandbox/api/faults"]


@pytest.mark.parametrize("path", ROUTES)
async def test_every_answer_bears_the_security_headers(path: str) -> None:
    """Found or not, by hand or by the framework."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.get(path)

    assert answered.headers["x-content-type-options"] == "nosniff"
    assert answered.headers["referrer-policy"] == "no-referrer"
    assert answered.headers["x-frame-options"] == "DENY"
    assert answered.headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors 'none'")
    assert answered.headers["cache-control"] == "no-store"


async def test_livez_asks_nobody() -> None:
    """It is 200 while the loop turns, whatever the database does."""
    hub = ScriptedHub()
    hub.health.words = ("database",)
    async with web(application(hub)) as client:
        answered = await client.get("/livez")

    assert answered.status_code == 200


async def test_deliveries_are_taken_while_the_framework_is_still_to_come_and_the_rest_waits() -> None:
    """It is the slow half of a start, and no delivery needs it."""
    app = Application(ScriptedHub(), None)
    async with web(app) as client:
        asked = [asyncio.create_task(client.get(path)) for path in ("/readyz", "/nothing/here")]
        alive = await client.get("/livez")
        delivered = await client.post("/webhooks/whatsapp", content=BODY, headers=signed())
        waits = not any(one.done() for one in asked)
        await app.come_complete()
        answered = [(await one).status_code for one in asked]

    assert (alive.status_code, delivered.status_code) == (200, 200)
    assert waits
    assert answered == [200, 404]


async def test_readyz_says_words_and_ingress_leaves_out_what_hinders_sending_only() -> None:
    """A dead token must never cost a delivery."""
    hub = ScriptedHub()
    hub.health.words = ("sign_in",)
    async with web(application(hub)) as client:
        whole = await client.get("/readyz")
        ingress = await client.get("/readyz", params={"for": "ingress"})

    assert (whole.status_code, whole.json()) == (503, {"ready": False, "problems": ["sign_in"]})
    assert (ingress.status_code, ingress.json()) == (200, {"ready": True, "problems": []})


async def test_readyz_says_no_as_soon_as_the_process_is_leaving() -> None:
    """The load balancer looks elsewhere before the doors close."""
    app = application(ScriptedHub())
    app.leaving = True
    async with web(app) as client:
        answered = await client.get("/readyz", params={"for": "ingress"})

    assert (answered.status_code, answered.json()["problems"]) == (503, ["stopping"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/readyz?for=nobody", 400, "validation"),
        ("GET", "/nothing/here", 404, "not_found"),
        ("POST", "/readyz", 405, "method_not_allowed"),
    ],
)
async def test_refusals_are_problems(method: str, path: str, status: int, code: str) -> None:
    """RFC 9457, whoever refuses."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.request(method, path)

    assert answered.headers["content-type"] == "application/problem+json"
    told = answered.json()
    assert set(told) == {"type", "title", "status", "detail", "code", "errors"}
    assert (answered.status_code, told["status"], told["code"]) == (status, status, code)


async def test_a_fault_in_a_route_is_a_problem_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    """What an exception says is for nobody's eyes."""
    hub = ScriptedHub()
    hub.health.raises = RuntimeError("token 6505551234")
    async with web(application(hub)) as client:
        answered = await client.get("/readyz")

    assert (answered.status_code, answered.json()["code"]) == (500, "fault")
    assert "6505551234" not in answered.text + caplog.text


async def test_a_store_that_is_away_is_503_and_says_when_to_come_back() -> None:
    """On every route, not only at the webhook."""
    hub = ScriptedHub()
    hub.health.raises = StoreUnavailableError()
    async with web(application(hub)) as client:
        answered = await client.get("/readyz")

    assert (answered.status_code, answered.headers["retry-after"]) == (503, "30")


async def test_the_openapi_document_names_the_doors_made_by_hand_too() -> None:
    """OpenAPI 3.1, with a version and an example delivery."""
    async with web(application(ScriptedHub())) as client:
        document = (await client.get("/openapi.json")).json()

    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "wch"
    assert document["info"]["version"]
    delivery = document["paths"]["/webhooks/whatsapp"]["post"]
    assert delivery["requestBody"]["content"]["application/json"]["example"]["object"] == "whatsapp_business_account"
    assert {"/livez", "/readyz"} <= set(document["paths"])
    ready = document["paths"]["/readyz"]["get"]["responses"]
    assert list(ready["503"]["content"]) == ["application/json"]
    assert list(ready["400"]["content"]) == list(ready["default"]["content"]) == ["application/problem+json"]
    assert not any(path.startswith("/sandbox") for path in document["paths"])


async def test_the_page_of_routes_loads_nothing_and_runs_nothing() -> None:
    """No script, no other host: it reads the same without a network."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.get("/docs")

    assert answered.headers["content-type"].startswith("text/html")
    assert "/webhooks/whatsapp" in answered.text
    assert "<script" not in answered.text
    assert "http://" not in answered.text.replace("http://hub.test", "")
    assert "'sha256-" in answered.headers["content-security-policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/sandbox",
        "/sandbox/api/clock",
        "/sandbox/api/faults",
        "/sandbox/api/graph-log",
        "/sandbox/graph/v24.0/1/messages",
    ],
)
async def test_without_a_sandbox_its_routes_are_not_there(path: str) -> None:
    """Nobody can speak as a customer on a hub that serves real ones."""
    async with web(application(ScriptedHub())) as client:
        answered = await client.get(path)

    assert answered.status_code == 404


# --- in a foreign host

App = Callable[[Any, Any, Any], Awaitable[None]]


def host(inner: App, *, strips: bool) -> App:
    """A host that mounts an application under `/wch`, and never runs its lifespan.

    Hosts differ: newer ones hand over the whole path with `root_path` naming its beginning,
    older ones strip that beginning.
    """

    async def outer(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        if not scope["path"].startswith("/wch/"):
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"the host's own"})
            return
        path = scope["path"].removeprefix("/wch") if strips else scope["path"]
        await inner({**scope, "path": path, "root_path": "/wch"}, receive, send)

    return outer


@pytest.mark.parametrize("strips", [False, True])
async def test_it_works_mounted_in_a_foreign_host(strips: bool) -> None:  # noqa: FBT001 - a parameter
    """Webhook, health, documents and problems, whichever way the host tells the path."""
    hub = ScriptedHub()
    async with web(host(application(hub), strips=strips)) as client:
        taken = await client.post("/wch/webhooks/whatsapp", content=BODY, headers=signed())
        alive = await client.get("/wch/livez")
        ready = await client.get("/wch/readyz")
        document = await client.get("/wch/openapi.json")
        lost = await client.get("/wch/nothing")
        other = await client.get("/other")

    assert [one.status_code for one in (taken, alive, ready, document, lost, other)] == [200, 200, 200, 200, 404, 404]
    assert hub.inbox.taken == [BODY]
    assert document.json()["servers"] == [{"url": "/wch"}]
    assert lost.json()["code"] == "not_found"
    assert other.text == "the host's own"


async def test_it_works_mounted_in_litestar() -> None:
    """A host of the same framework hands over a scope full of its own things."""
    hub = ScriptedHub()
    app: Application = application(hub)

    @mounted("/wch", is_mount=True, copy_scope=True)
    async def inner(scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)

    async with web(Litestar([inner], logging_config=None, openapi_config=None)) as client:
        taken = await client.post("/wch/webhooks/whatsapp", content=BODY, headers=signed())
        ready = await client.get("/wch/readyz")
        lost = await client.get("/wch/nothing")

    assert [one.status_code for one in (taken, ready, lost)] == [200, 200, 404]

"""The door of the API: keys, scopes, limits, problems."""

from datetime import timedelta

import pytest

from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA

LIST = "/api/v1/conversations"


async def test_without_a_key_nothing_is_told(desk: Desk) -> None:
    """Found or not: whoever has no key does not even learn which routes there are."""
    async with desk.client(None) as client:
        answers = [await client.get(path) for path in (LIST, "/api/v1/nothing", "/api/v1")]

    for answered in answers:
        assert answered.status_code == 401
        assert answered.json()["code"] == "key_missing"
        assert answered.headers["www-authenticate"].startswith("Bearer")
        assert answered.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "Bearer nonsense", "wch_x"])
async def test_a_wrong_header_opens_nothing(desk: Desk, header: str) -> None:
    """Only a bearer of ours is let in."""
    async with desk.client(None) as client:
        answered = await client.get(LIST, headers={"Authorization": header})

    assert answered.status_code == 401


@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "anything"])
async def test_a_key_in_the_address_is_refused_even_beside_a_good_one(desk: Desk, name: str) -> None:
    """Addresses are logged on their way; whoever sends a key there must hear of it."""
    key = await desk.key("read")
    async with desk.client(key) as client:
        answered = await client.get(LIST, params={name: key})

    assert (answered.status_code, answered.json()["code"]) == (401, "key_in_query")


async def test_a_revoked_key_is_refused_at_once(desk: Desk) -> None:
    """At the very next call."""
    made = await desk.hub.keys.create(["read"], by="test")
    async with desk.client(made.text) as client:
        before = await client.get(LIST)
        await desk.hub.keys.revoke(made.key.prefix, by="test")
        after = await client.get(LIST)

    assert (before.status_code, after.status_code) == (200, 401)


async def test_a_scope_that_is_missing_is_403_and_leaves_a_line(desk: Desk) -> None:
    """Reading does not let anybody write."""
    made = await desk.hub.keys.create(["read"], by="test")
    async with desk.client(made.text) as client:
        answered = await client.post("/api/v1/conversations/1/resolve")

    assert (answered.status_code, answered.json()["code"]) == (403, "forbidden")
    (line,) = await desk.row(lambda uow: uow.audit.listed(action="key.refused"))
    assert (line.actor, line.object) == (f"key:{made.key.prefix}", "scope:messages")


async def test_each_route_names_a_scope(desk: Desk) -> None:
    """A key with no scope but `metrics` is let into no route of the API."""
    async with desk.client(await desk.key("metrics")) as client:
        document = (await client.get("/openapi.json")).json()
        for path, methods in document["paths"].items():
            if not path.startswith("/api/v1"):
                continue
            for method in methods:
                concrete = path.replace("{key}", ANNA).replace("{action}", "resume")
                concrete = "/".join("1" if part.startswith("{") else part for part in concrete.split("/"))
                answered = await client.request(method, concrete, json={})
                assert answered.status_code == 403, (method, path, answered.text)


async def test_every_answer_says_what_is_left_and_the_last_one_when_to_come_back(desk: Desk) -> None:
    """60 a minute by default; a key that waits as long as it is told is let in again."""
    most = desk.hub.limits.rule("api").most
    async with desk.client(await desk.key("read")) as client:
        first = await client.get("/api/v1/carts/999")
        *_, last = [await client.get("/api/v1/breakers") for _ in range(most - 1)]
        refused = await client.get("/api/v1/breakers")
        desk.clock.advance(timedelta(seconds=int(refused.headers["retry-after"])))
        again = await client.get("/api/v1/breakers")

    assert first.headers["ratelimit-policy"] == f'"api";q={most};w=60'
    assert first.headers["ratelimit"] == f'"api";r={most - 1};t=60'
    assert last.headers["ratelimit"].startswith('"api";r=0;')
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert again.status_code == 200


async def test_without_pii_nobody_is_named(desk: Desk) -> None:
    """Every list and every single row: no number, no name, no word of what was said."""
    async with desk.client(await desk.key("read")) as client:
        texts = [
            (await client.get(f"/api/v1/{path}")).text
            for path in (
                "conversations", "conversations/1", "conversations/1/messages", "messages/1", "carts", "carts/1",
                "customers", f"customers/{ANNA}", "orders", f"orders/{desk.order_id}", "notifications", "sync", "dead-letters",
                "dead-letters/1", "dead-letters/2", "sagas", "audit", "limits", "stats", "verify",
            )
        ]  # fmt: skip
        saga = (await client.get("/api/v1/sagas")).json()["data"][0]["id"]
        texts.append((await client.get(f"/api/v1/sagas/{saga}")).text)

    whole = "\n".join(texts)
    assert '"status":404' not in whole.replace(" ", "")
    for word in (ANNA, "Garcia", "Calle Mayor", "where is my order", "wamid", "bm90IGpzb24"):
        assert word not in whole
    assert "+34 ***22" in whole


async def test_with_pii_people_are_shown(desk: Desk) -> None:
    """The scope is what makes the difference, nothing else."""
    async with desk.client(await desk.key("read", "pii")) as client:
        thread = (await client.get("/api/v1/conversations/1/messages")).json()["data"]
        customer = (await client.get(f"/api/v1/customers/{ANNA}")).json()

    assert "where is my order" in [one["text"] for one in thread]
    assert customer["key"] == ANNA


async def test_a_store_that_is_away_is_503(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before the key is even looked at."""
    from wch.domain.errors import StoreUnavailableError  # noqa: PLC0415 - used here only

    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailableError

    key = await desk.key("read")
    monkeypatch.setattr(type(desk.hub.database), "read", away)
    async with desk.client(key) as client:
        answered = await client.get(LIST)

    assert (answered.status_code, answered.headers["retry-after"]) == (503, "30")

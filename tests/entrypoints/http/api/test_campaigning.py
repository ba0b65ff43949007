"""Broadcasts, templates and what a desk needs, over the API."""

from typing import Any

import httpx2

from tests.application.campaigning import OFFER
from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA
from wch.application.ports import UnitOfWork
from wch.domain.message_template import option_of

V1 = "/api/v1"
PLAN: dict[str, Any] = {
    "name": "Spring",
    "template": {"name": "offer"},
    "params": {"body": [{"var": "customer_name", "else": "friend"}, {"text": "20 %"}]},
    "audience": {"everyone": True},
}


async def known(desk: Desk) -> None:
    """An approved template."""

    def work(uow: UnitOfWork) -> None:
        uow.options.put(option_of(OFFER.name, OFFER.language), OFFER.to_json())

    await desk.hub.database.transact(work)


async def test_a_broadcast_is_drafted_once_started_paused_resumed_and_cancelled(
    desk: Desk, caller: httpx2.AsyncClient
) -> None:
    """Each step has its state and version; the same key makes one draft."""
    await known(desk)
    key = {"Idempotency-Key": "spring-1"}

    made = await caller.post(f"{V1}/broadcasts", json=PLAN, headers=key)
    again = await caller.post(f"{V1}/broadcasts", json=PLAN, headers=key)
    number = made.json()["id"]
    rehearsed = (await caller.get(f"{V1}/broadcasts/{number}/rehearsal")).json()
    steps = [(await caller.post(f"{V1}/broadcasts/{number}/{act}")) for act in ("start", "pause", "resume", "cancel")]
    report = (await caller.get(f"{V1}/broadcasts/{number}/report")).json()
    listed = (await caller.get(f"{V1}/broadcasts")).json()["data"]
    recipients = await caller.get(f"{V1}/broadcasts/{number}/recipients")

    assert (made.status_code, again.json()["id"], made.json()["state"]) == (201, number, "draft")
    assert rehearsed["recipients"] == 0
    assert [one.json()["state"] for one in steps] == ["running", "paused", "running", "cancelled"]
    assert report["state"] == "cancelled"
    assert [one["id"] for one in listed] == [number]
    assert recipients.json() == {"data": [], "next_cursor": None}


async def test_an_old_version_of_a_broadcast_changes_nothing(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """The ETag is what `If-Match` demands."""
    await known(desk)
    number = (await caller.post(f"{V1}/broadcasts", json=PLAN)).json()["id"]
    version = (await caller.get(f"{V1}/broadcasts/{number}")).headers["etag"]

    started = await caller.post(f"{V1}/broadcasts/{number}/start", headers={"If-Match": version})
    late = await caller.post(f"{V1}/broadcasts/{number}/pause", headers={"If-Match": version})

    assert started.headers["etag"] != version
    assert late.status_code == 412
    assert (await caller.get(f"{V1}/broadcasts/{number}")).json()["state"] == "running"


async def test_a_repeated_call_is_answered_again_though_its_version_moved(
    desk: Desk, caller: httpx2.AsyncClient
) -> None:
    """The first call moved it: whoever did not hear the answer asks once more, word for word."""
    await known(desk)
    number = (await caller.post(f"{V1}/broadcasts", json=PLAN)).json()["id"]
    version = (await caller.get(f"{V1}/broadcasts/{number}")).headers["etag"]
    headers = {"If-Match": version, "Idempotency-Key": "start-the-spring"}

    first = await caller.post(f"{V1}/broadcasts/{number}/start", headers=headers)
    again = await caller.post(f"{V1}/broadcasts/{number}/start", headers=headers)

    assert (first.status_code, again.status_code) == (200, 200)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()


async def test_what_waits_for_its_moment_can_be_a_draft_again(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """It had not begun."""
    await known(desk)
    plan = {**PLAN, "schedule": {"at": "2099-03-29T10:00", "zone": "Europe/Madrid"}}
    number = (await caller.post(f"{V1}/broadcasts", json=plan)).json()["id"]

    waiting = await caller.post(f"{V1}/broadcasts/{number}/start")
    back = await caller.post(f"{V1}/broadcasts/{number}/unschedule")

    assert (waiting.json()["state"], back.json()["state"]) == ("scheduled", "draft")


async def test_only_a_key_for_broadcasts_may_start_one(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Reading is no sending."""
    await known(desk)
    number = (await caller.post(f"{V1}/broadcasts", json=PLAN)).json()["id"]
    async with desk.client(await desk.key("read")) as reader:
        assert (await reader.get(f"{V1}/broadcasts/{number}")).status_code == 200
        assert (await reader.post(f"{V1}/broadcasts/{number}/start")).status_code == 403


async def test_templates_and_their_faults_are_listed(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Page by page, by name and language."""
    await known(desk)

    rows = (await caller.get(f"{V1}/templates", params={"limit": 1})).json()
    faults = (await caller.get(f"{V1}/templates/lint")).json()["data"]

    assert rows["data"][0]["name"] == "offer"
    assert {one["level"] for one in faults} <= {"error", "warning"}


async def test_everything_sent_or_not_can_be_explained(caller: httpx2.AsyncClient) -> None:
    """Rule by rule; what is not there is 404."""
    carts = (await caller.get(f"{V1}/carts")).json()["data"]
    threads = (await caller.get(f"{V1}/conversations")).json()["data"]
    said = (await caller.get(f"{V1}/conversations/{threads[0]['id']}/messages")).json()["data"]
    (notice, *_) = (await caller.get(f"{V1}/notifications")).json()["data"]

    cart = (await caller.get(f"{V1}/explain/cart/{carts[0]['id']}")).json()
    message = (await caller.get(f"{V1}/explain/message/{said[0]['id']}")).json()
    told = (await caller.get(f"{V1}/explain/notification/{notice['id']}")).json()

    assert cart["subject"] == f"cart:{carts[0]['id']}"
    assert message["subject"] == f"message:{said[0]['id']}"
    assert told["subject"] == f"notification:{notice['id']}"
    assert (await caller.get(f"{V1}/explain/recipient/9999")).status_code == 404
    for subject in (f"message/{said[0]['id']}", f"notification/{notice['id']}"):
        before = (await caller.get(f"{V1}/explain/{subject}", params={"at": "2020-01-01T00:00:00Z"})).json()
        assert (before["at"], before["history"]) == ("2020-01-01T00:00:00Z", [])
    assert ANNA not in str((cart, told))


async def test_canned_replies_are_written_and_taken_away(caller: httpx2.AsyncClient) -> None:
    """Under a name of small letters."""
    written = await caller.put(f"{V1}/canned/hours", json={"text": "Hello {name}, until six."})
    listed = (await caller.get(f"{V1}/canned")).json()["data"]
    wrong = await caller.put(f"{V1}/canned/hours", json={"text": "Hello {somebody}."})
    gone = await caller.delete(f"{V1}/canned/hours")

    assert (written.status_code, wrong.status_code, gone.status_code) == (200, 422, 204)
    assert listed == [{"name": "hours", "text": "Hello {name}, until six."}]
    assert (await caller.get(f"{V1}/canned")).json()["data"] == []


async def test_the_shops_products_are_listed_page_by_page(caller: httpx2.AsyncClient) -> None:
    """In the shop's own order."""
    whole = (await caller.get(f"{V1}/products")).json()["data"]
    first = (await caller.get(f"{V1}/products", params={"limit": 1})).json()
    second = (await caller.get(f"{V1}/products", params={"limit": 1, "after": first["next_cursor"]})).json()

    assert [first["data"][0]["id"], second["data"][0]["id"]] == [one["id"] for one in whole[:2]]


async def test_a_cart_that_is_not_abandoned_is_not_reminded_of(caller: httpx2.AsyncClient) -> None:
    """Not by hand either."""
    (cart, *_) = (await caller.get(f"{V1}/carts")).json()["data"]

    refused = await caller.post(f"{V1}/carts/{cart['id']}/remind")

    assert refused.status_code == 409
    assert "not abandoned" in refused.json()["detail"]

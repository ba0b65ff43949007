"""People's rights, over the API."""

from datetime import timedelta

import httpx2

from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA

V1 = "/api/v1"


async def test_what_was_said_is_found_and_only_with_pii(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """By number, by words; page by page it ends."""
    by_number = (await caller.get(f"{V1}/conversations/search", params={"text": ANNA})).json()
    by_words = (await caller.get(f"{V1}/conversations/search", params={"text": "where is my", "limit": 1})).json()
    rest = (
        await caller.get(
            f"{V1}/conversations/search", params={"text": "where is my", "limit": 1, "after": by_words["next_cursor"]}
        )
    ).json()
    async with desk.client(await desk.key("read")) as reader:
        refused = await reader.get(f"{V1}/conversations/search", params={"text": ANNA})

    assert [one["conversation"]["customer"] for one in by_number["data"]][:1] == [ANNA]
    assert by_words["data"][0]["message"]["text"] == "where is my order"
    assert rest == {"data": [], "next_cursor": None}
    assert refused.status_code == 403


async def test_a_thread_goes_back_into_the_queue(caller: httpx2.AsyncClient) -> None:
    """It still waits for a person."""
    await caller.post(f"{V1}/conversations/1/assign", json={"agent": 3})

    told = (await caller.post(f"{V1}/conversations/1/unassign")).json()

    assert (told["status"], told["assigned_agent_id"]) == ("escalated", None)


async def test_notes_and_blocks_are_kept(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Under the key's name; without a reason the block is lifted."""
    noted = await caller.post(f"{V1}/customers/{ANNA}/notes", json={"text": "calls in the evening"})
    await caller.post(f"{V1}/customers/{ANNA}/block", json={"reason": "spam"})
    blocked = (await desk.hub.customers.show(ANNA)).is_blocked
    await caller.post(f"{V1}/customers/{ANNA}/block", json={})

    assert noted.status_code == 200
    assert blocked
    assert not (await desk.hub.customers.show(ANNA)).is_blocked
    assert (await caller.post(f"{V1}/customers/{ANNA}/notes", json={"text": ""})).status_code == 400


async def test_an_export_is_whole_and_not_for_everybody_all_the_time(caller: httpx2.AsyncClient) -> None:
    """Three an hour; the fourth hears when to come back."""
    answers = [await caller.get(f"{V1}/customers/{ANNA}/export") for _ in range(4)]

    assert [one.status_code for one in answers] == [200, 200, 200, 429]
    assert "where is my order" in answers[0].text
    assert (answers[3].json()["code"], int(answers[3].headers["retry-after"]) > 60) == ("limited", True)
    assert (await caller.get(f"{V1}/customers/4915199999999/export")).status_code == 404


async def test_an_erasure_ends_with_a_receipt(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """202 and where to look; asked twice it is the same erasure."""
    headers = {"Idempotency-Key": "forget-anna"}
    first = await caller.post(f"{V1}/customers/{ANNA}/erase", json={"reason": "asked"}, headers=headers)
    again = await caller.post(f"{V1}/customers/{ANNA}/erase", json={"reason": "asked"}, headers=headers)
    for _ in range(5):
        await desk.hub.worker.drain()
        desk.clock.advance(timedelta(minutes=2))
    told = (await caller.get(f"{V1}/erasures/{first.json()['id']}")).json()

    assert (first.status_code, again.status_code, again.json()["id"]) == (202, 202, first.json()["id"])
    assert told["state"] == "completed"
    assert told["receipt"]
    assert (await caller.get(f"{V1}/customers/{ANNA}")).status_code == 404
    assert (await caller.get(f"{V1}/erasures/erase-x")).status_code == 404


async def test_two_customers_are_made_one_and_two_again(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Each under its key once."""
    await desk.hub.database.transact(lambda uow: uow.customers.lock("34600333444", now=desk.clock.now()))
    body = {"keep": ANNA, "gone": "34600333444", "reason": "a new number"}

    made = [await caller.post(f"{V1}/merges", json=body, headers={"Idempotency-Key": "m"}) for _ in range(2)]
    undone = [
        await caller.post(f"{V1}/merges/{made[0].json()['id']}/undo", headers={"Idempotency-Key": "u"})
        for _ in range(2)
    ]

    assert [one.status_code for one in (*made, *undone)] == [200] * 4
    assert made[0].json() == made[1].json()
    assert {one["key"] for one in undone[0].json()["data"]} == {ANNA, "34600333444"}
    assert undone[0].json() == undone[1].json()


async def test_the_shops_customer_is_linked_and_taken_away(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """A sale made Anna a customer of the shop; whom the key may not know is masked, whom it may not change stays."""
    (known,) = (await caller.get(f"{V1}/customers/{ANNA}/shop-customers")).json()["data"]
    async with desk.client(await desk.key("customers")) as masked, desk.client(await desk.key("read")) as reader:
        (unseen,) = (await masked.get(f"{V1}/customers/{ANNA}/shop-customers")).json()["data"]
        refused = await reader.post(f"{V1}/customers/{ANNA}/shop-link", json={"shop_customer": 7})

    away = (await caller.post(f"{V1}/customers/{ANNA}/shop-link", json={})).json()
    linked = (await caller.post(f"{V1}/customers/{ANNA}/shop-link", json={"shop_customer": 7})).json()

    assert (unseen["id"], unseen["email"]) == (known["id"], None)
    assert unseen["name"] != known["name"]
    assert refused.status_code == 403
    assert (away["shop_customer"], linked["shop_customer"], linked["shop_candidates"]) == (None, 7, [])
    assert (await caller.post(f"{V1}/customers/{ANNA}/shop-link", json={"shop_customer": 0})).status_code == 400
    lines = await desk.row(lambda uow: uow.audit.listed(limit=500))
    actions = [one.action for one in lines if one.actor != "worker" and one.action.startswith("customer.")]
    assert actions == ["customer.unlink", "customer.link"]

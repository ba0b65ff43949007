"""What programs read and change over the API."""

from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.entrypoints.http.api.conftest import Desk
from tests.sale.script import ANNA
from wch.domain.circuit_breaker import BreakerState
from wch.domain.message import MessageStatus

V1 = "/api/v1"


async def _got(caller: httpx2.AsyncClient, path: str, **params: Any) -> Any:
    answered = await caller.get(f"{V1}{path}", params=params)
    assert answered.status_code == 200, answered.text
    return answered.json()


async def _walked(caller: httpx2.AsyncClient, path: str, limit: int) -> list[Any]:
    rows: list[Any] = []
    after: dict[str, Any] = {}
    while True:
        told = await _got(caller, path, limit=limit, **after)
        assert len(told["data"]) <= limit
        rows += told["data"]
        if told["next_cursor"] is None:
            return rows
        after = {"after": told["next_cursor"]}


# --- lists


@pytest.mark.parametrize(
    "path", ["/conversations/1/messages", "/audit", "/notifications", "/sync", "/dead-letters", "/conversations"]
)
async def test_walking_the_pages_shows_every_row_once(caller: httpx2.AsyncClient, path: str) -> None:
    """Two at a time, or all at once: the same rows in the same order."""
    whole = await _walked(caller, path, 500)

    assert len(whole) > 0
    assert await _walked(caller, path, 2) == whole


@pytest.mark.parametrize("after", ["x", "W10", "WyJhIl0", "%00", "WzEsMl0", "Wy0xXQ", "W3RydWVd", "WzFlOTldXQ"])
async def test_a_cursor_of_ones_own_making_is_refused(caller: httpx2.AsyncClient, after: str) -> None:
    """It is opaque: what no answer gave is 400, never another page."""
    for path in ("/carts", "/conversations"):
        answered = await caller.get(f"{V1}{path}", params={"after": after})

        assert (answered.status_code, answered.json()["code"]) == (400, "cursor"), path


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 501}, {"limit": "x"}, {"status": "gone"}])
async def test_parameters_out_of_bounds_name_themselves(caller: httpx2.AsyncClient, params: dict[str, Any]) -> None:
    """Errors say which parameter is wrong."""
    answered = await caller.get(f"{V1}/carts", params=params)

    assert answered.status_code == 400
    (error,) = answered.json()["errors"]
    assert error["key"] == next(iter(params))


async def test_times_and_money_are_as_the_interface_says(caller: httpx2.AsyncClient) -> None:
    """RFC 3339 in UTC; a decimal as text with its currency."""
    (placed,) = (await _got(caller, "/orders"))["data"]
    order = await _got(caller, f"/orders/{placed['order_id']}")

    assert order["total"] == placed["total"]
    assert set(order["total"]) == {"amount", "currency"}
    assert order["total"]["currency"] == "EUR"
    assert order["created_at"].endswith("Z")
    assert [one["number"] for one in order["parcels"]] == ["JD014600003"]
    assert {one["type"] for one in order["notifications"]} >= {"shipped"}


async def test_what_is_not_there_is_404(caller: httpx2.AsyncClient) -> None:
    """In every room."""
    for path in (
        "conversations/99",
        "messages/99999",
        "carts/99",
        "customers/0",
        "orders/99",
        "dead-letters/99",
        "sagas/x",
    ):
        answered = await caller.get(f"{V1}/{path}")

        assert (answered.status_code, answered.json()["code"]) == (404, "not_found"), path


# --- threads and messages


async def test_a_person_takes_a_thread_answers_and_hands_it_back(caller: httpx2.AsyncClient) -> None:
    """Each act answers with what is so now."""
    taken = await caller.post(f"{V1}/conversations/1/handoff")
    given = await caller.post(f"{V1}/conversations/1/assign", json={"agent": 3})
    said = await caller.post(f"{V1}/conversations/1/reply", json={"text": "Hello from a person.", "agent": 3})
    back = await caller.post(f"{V1}/conversations/1/handback")
    twice = await caller.post(f"{V1}/conversations/1/handback")
    ended = await caller.post(f"{V1}/conversations/1/resolve")

    assert (taken.status_code, taken.json()["status"]) == (200, "escalated")
    assert given.json()["assigned_agent_id"] == 3
    assert (said.status_code, said.json()["text"], said.json()["status"]) == (202, "Hello from a person.", "pending")
    assert back.json()["status"] == "active"
    assert twice.status_code == 409
    assert ended.json()["status"] == "resolved"


async def test_a_message_is_sent_through_the_outbox(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """202 with its id; what became of it is asked later."""
    body = {"to": f"+{ANNA}", "type": "text", "text": {"body": "Your parcel is here."}}

    sent = await caller.post(f"{V1}/messages", json=body)
    await desk.hub.worker.drain()
    now = await _got(caller, f"/messages/{sent.json()['id']}")

    assert (sent.status_code, sent.json()["status"]) == (202, "pending")
    assert (now["status"], now["text"]) == (MessageStatus.SENT, "Your parcel is here.")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"to": "x", "type": "text", "text": {"body": "hi"}}, 422, "addressee"),
        ({"to": ANNA, "type": "text"}, 422, "part_missing"),
        ({"to": ANNA, "type": "text", "text": {"body": ""}}, 422, "message_limit"),
        ({"to": "4915112345678", "type": "text", "text": {"body": "hi"}}, 409, "window_closed"),
        ({"to": ANNA, "type": "poem"}, 400, "validation"),
        ({"type": "text"}, 400, "validation"),
    ],
)
async def test_a_message_that_cannot_go_is_refused_at_once(
    caller: httpx2.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    """With a word for programs."""
    answered = await caller.post(f"{V1}/messages", json=body)

    assert (answered.status_code, answered.json()["code"]) == (status, code)


async def test_the_same_idempotency_key_sends_once(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """The second answer is the first row; another body is refused; another key's holder is another caller."""
    body = {"to": ANNA, "type": "text", "text": {"body": "once"}}
    headers = {"Idempotency-Key": "order-1042-ready"}

    first = await caller.post(f"{V1}/messages", json=body, headers=headers)
    again = await caller.post(f"{V1}/messages", json=body, headers=headers)
    other = await caller.post(f"{V1}/messages", json={**body, "text": {"body": "two"}}, headers=headers)
    elsewhere = await caller.post(f"{V1}/conversations/1/resolve", headers=headers)
    wrong = await caller.post(f"{V1}/messages", json=body, headers={"Idempotency-Key": "a b"})
    await desk.hub.worker.drain()

    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (first.headers.get("idempotent-replayed"), again.headers["idempotent-replayed"]) == (None, "true")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert elsewhere.status_code == 422
    assert (wrong.status_code, wrong.json()["code"]) == (400, "idempotency_key")
    rows = (await _got(caller, "/conversations/1/messages"))["data"]
    assert len([one for one in rows if one["text"] == "once"]) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/conversations/1/resolve", None),
        ("/customers/" + ANNA + "/tags", {"add": ["VIP"]}),
        ("/customers/" + ANNA + "/consent", {"to": "out", "reason": "asked"}),
        ("/sync", {"entity": "order", "entity_id": 1}),
        ("/carts/1/expire", None),
        ("/dead-letters/1/dismiss", {"reason": "seen"}),
        ("/dead-letters/2/replay", None),
        ("/breakers/whatsapp/open", None),
    ],
)
async def test_every_post_may_be_repeated_under_its_key(
    caller: httpx2.AsyncClient, path: str, body: dict[str, Any] | None
) -> None:
    """The same answer, and one line in the audit log."""
    headers = {"Idempotency-Key": "k"}
    before = len(await _walked(caller, "/audit", 500))

    answers = [await caller.post(f"{V1}{path}", json=body, headers=headers) for _ in range(2)]

    assert [one.status_code for one in answers] in ([200, 200], [202, 202]), answers[0].text
    assert answers[0].json() == answers[1].json()
    assert answers[1].headers["idempotent-replayed"] == "true"
    assert len(await _walked(caller, "/audit", 500)) == before + 1


# --- carts


async def test_a_cart_changes_only_in_the_version_that_was_read(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Somebody changed it meanwhile: 412, and nothing is done."""
    from tests.sale.script import Sale  # noqa: PLC0415 - the customer shops again

    shopper = Sale(hub=desk.hub, clock=desk.clock, whatsapp=_phone(desk), said=100, told=len(_phone(desk).sent))
    await shopper.text("menu")
    await shopper.text("lamp")
    await shopper.tap("product_")
    await shopper.tap("add_to_cart_", "variant_")
    seen = await caller.get(f"{V1}/carts/1")
    line = seen.json()["items"][0]
    change = {"product_id": line["product_id"], "variation_id": line["variation_id"], "quantity": 2}

    first = await caller.patch(f"{V1}/carts/1/items", json=change, headers={"If-Match": seen.headers["etag"]})
    stale = await caller.patch(f"{V1}/carts/1/items", json=change, headers={"If-Match": seen.headers["etag"]})
    ended = await caller.post(f"{V1}/carts/1/expire", headers={"If-Match": first.headers["etag"]})

    assert (first.status_code, first.json()["items"][0]["quantity"]) == (200, 2)
    assert first.headers["etag"] != seen.headers["etag"]
    assert (stale.status_code, stale.json()["code"]) == (412, "version_moved")
    assert (ended.status_code, ended.json()["status"]) == (200, "expired")


def _phone(desk: Desk) -> Any:
    return desk.hub.outbox.whatsapp


async def test_a_line_that_is_not_there_cannot_be_changed(caller: httpx2.AsyncClient) -> None:
    """The cart of the sale is empty by now."""
    answered = await caller.patch(f"{V1}/carts/1/items", json={"product_id": 1, "quantity": 1})

    assert (answered.status_code, answered.json()["code"]) == (422, "not_found")


# --- operations


async def test_a_letter_that_holds_bytes_is_mended_and_replayed_once(caller: httpx2.AsyncClient) -> None:
    """The rehearsal changes nothing; the second replay is told that it is too late."""
    mended = await caller.patch(
        f"{V1}/dead-letters/2", json={"body": {"object": "whatsapp_business_account", "entry": []}}
    )
    tried = await caller.post(f"{V1}/dead-letters/2/replay", params={"dry_run": True})
    still = await _got(caller, "/dead-letters/2")
    done = await caller.post(f"{V1}/dead-letters/2/replay")
    again = await caller.post(f"{V1}/dead-letters/2/replay")

    assert mended.status_code == 200
    assert (tried.json()["status"], still["status"], done.json()["status"]) == ("replayed", "pending", "replayed")
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await caller.patch(f"{V1}/dead-letters/1", json={"body": {}})).status_code == 409


async def test_a_group_of_letters_is_rehearsed_and_stays(caller: httpx2.AsyncClient) -> None:
    """Counts of what each would come to; a group without letters comes to nothing."""
    pending = (await _got(caller, "/dead-letters?status=pending"))["data"]

    told = (await caller.post(f"{V1}/dead-letters/rehearsal", json={})).json()
    none = (await caller.post(f"{V1}/dead-letters/rehearsal", json={"hook": "saga", "reason": "nothing"})).json()
    wrong = await caller.post(f"{V1}/dead-letters/rehearsal", json={"hook": ""})

    assert len(told["letters"]) + sum(told["failures"].values()) + len(told["refused"]) == len(pending) == 2
    assert none == {"letters": [], "failures": {}, "refused": [], "rows": [], "messages": []}
    assert wrong.status_code == 400
    assert (await _got(caller, "/dead-letters?status=pending"))["data"] == pending


async def test_letters_are_counted_by_where_they_stand(caller: httpx2.AsyncClient) -> None:
    """As `wch dead-letters stats` does."""
    told = await _got(caller, "/dead-letters/stats")

    assert sum(one["count"] for one in told["data"]) == 2


async def test_a_saga_that_is_not_parked_takes_no_action(caller: httpx2.AsyncClient) -> None:
    """Its actions are listed, and none is open."""
    (saga,) = (await _got(caller, "/sagas"))["data"]

    answered = await caller.post(f"{V1}/sagas/{saga['id']}/resume", json={"reason": "mended"})

    assert saga["actions"] == []
    assert answered.status_code == 409
    assert (await caller.post(f"{V1}/sagas/{saga['id']}/explode", json={})).status_code == 400


async def test_breakers_are_opened_and_closed_by_hand(caller: httpx2.AsyncClient) -> None:
    """A service that there is none of is 404."""
    opened = await caller.post(f"{V1}/breakers/whatsapp/open")
    closed = await caller.post(f"{V1}/breakers/whatsapp/close")
    unknown = await caller.post(f"{V1}/breakers/teapot/open")

    assert (opened.json()["state"], closed.json()["state"]) == (BreakerState.OPEN, BreakerState.CLOSED)
    assert unknown.status_code == 404


async def test_reset_closes_every_breaker_that_is_open(caller: httpx2.AsyncClient) -> None:
    """What was closed already is not told of."""
    await caller.post(f"{V1}/breakers/whatsapp/open")
    reset, again = [(await caller.post(f"{V1}/breakers/reset")).json()["data"] for _ in range(2)]

    assert [(one["service"], one["state"]) for one in reset] == [("whatsapp", "closed")]
    assert again == []


async def test_a_key_is_shown_with_what_was_taken_under_it(caller: httpx2.AsyncClient) -> None:
    await caller.post(f"{V1}/breakers/whatsapp/open", headers={"Idempotency-Key": "down-1"})
    found = await _got(caller, "/idempotency/down-1")
    unknown = await caller.get(f"{V1}/idempotency/down-2")

    assert [one["scope"].split(":")[0] for one in found["claims"]] == ["api", "api"]
    assert unknown.status_code == 404


async def test_decided_letters_are_purged_and_pending_ones_are_not(desk: Desk, caller: httpx2.AsyncClient) -> None:
    await caller.post(f"{V1}/dead-letters/1/dismiss", json={"reason": "seen"})
    desk.clock.advance(timedelta(days=31))
    purged = await caller.post(f"{V1}/dead-letters/purge", json={"days": 30})
    left = [one["id"] for one in (await _got(caller, "/dead-letters"))["data"]]

    assert purged.json() == {"deleted": 1}
    assert 1 not in left
    assert left


async def test_templates_that_cannot_be_fetched_say_what_to_set(caller: httpx2.AsyncClient) -> None:
    answered = await caller.post(f"{V1}/templates/sync")

    assert answered.status_code < 500
    assert "WCH_WABA_ID" in answered.json()["detail"]


async def test_limits_are_listed_and_forgotten(caller: httpx2.AsyncClient) -> None:
    """The callers of this very key are among them, as digests."""
    (part, *_) = (await _got(caller, "/limits", name="api"))["data"]
    reset = await caller.post(f"{V1}/limits/message_send/reset")

    assert part["limit"] == "api"
    assert len(part["caller"]) == 12
    assert reset.json()["forgotten"] > 0
    assert (await caller.post(f"{V1}/limits/nonsense/reset")).status_code == 404


async def test_a_caller_is_blocked_and_let_in_again(caller: httpx2.AsyncClient) -> None:
    """By digest in what is told; an unknown limit is 404, a block without end 400."""
    body = {"caller": "203.0.113.7", "seconds": 3600}
    blocked = await caller.post(f"{V1}/limits/auth/block", json=body)
    (listed,) = (await _got(caller, "/limits/blocked"))["data"]
    lifted = await caller.post(f"{V1}/limits/auth/unblock", params={"caller": "203.0.113.7"})

    assert blocked.json() == listed
    assert "203.0.113.7" not in blocked.text
    assert lifted.json() == {"unblocked": True}
    assert (await _got(caller, "/limits/blocked"))["data"] == []
    assert (await caller.post(f"{V1}/limits/nonsense/block", json=body)).status_code == 404
    assert (await caller.post(f"{V1}/limits/auth/block", json={**body, "seconds": 0})).status_code == 400


async def test_a_notice_that_did_not_fail_is_not_retried(caller: httpx2.AsyncClient) -> None:
    """It would be told twice."""
    assert (await caller.post(f"{V1}/notifications/1/retry")).status_code == 409


async def test_a_notice_that_was_told_is_told_once_more(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Once for each key, and not while the same waits already."""
    (notice, *_) = [
        one for one in (await _got(caller, "/notifications"))["data"] if one["status"] in {"sent", "read", "delivered"}
    ]
    headers = {"Idempotency-Key": "again"}

    first = await caller.post(f"{V1}/notifications/{notice['id']}/resend", headers=headers)
    same = await caller.post(f"{V1}/notifications/{notice['id']}/resend", headers=headers)
    other = await caller.post(f"{V1}/notifications/{notice['id']}/resend")

    assert (first.status_code, first.json()["status"]) == (200, "pending")
    assert first.json()["id"] != notice["id"]
    assert same.json() == first.json()
    assert other.status_code == 409
    assert len(await desk.row(lambda uow: uow.audit.listed(action="notification.resend"))) == 1


async def test_a_delivered_order_is_not_cancelled(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """The shop's refusal is told with its word."""
    answered = await caller.post(f"{V1}/orders/{desk.order_id}/cancel", json={"reason": "test"})

    assert (answered.status_code, answered.json()["code"]) in {(422, "shipped"), (409, "shipped")}


async def test_figures_and_verification_are_those_of_the_command_line(desk: Desk, caller: httpx2.AsyncClient) -> None:
    """Word for word."""
    stats = await _got(caller, "/stats")
    verified = await _got(caller, "/verify")

    assert set(stats) >= {"tables", "oldest_waiting_s", "leases_taken_over", "unconfirmed", "dead_letters_pending"}
    assert {check["name"] for check in verified["checks"]} >= {"conservation", "dangling"}
    assert len((await desk.hub.verification.run())["checks"]) == len(verified["checks"])

"""The simulated Graph API takes what WhatsApp takes, and refuses the rest in the same words."""

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.adapters.sandbox.world import MARIA, NUMBER, body_of, code_of, world
from wch.adapters.sandbox.refusals import GraphRefusalError, check
from wch.adapters.sandbox.templates import TemplateBook
from wch.adapters.whatsapp.client import outcome
from wch.domain.send_result import Accepted, Refused
from wch.testing import NOON


def text(**more: Any) -> dict[str, Any]:
    return {"messaging_product": "whatsapp", "to": f"+{MARIA}", "type": "text", "text": {"body": "hello"}, **more}


def buttons(*pairs: tuple[str, str]) -> dict[str, Any]:
    replies = [{"type": "reply", "reply": {"id": key, "title": title}} for key, title in pairs]
    inner = {"type": "button", "body": {"text": "?"}, "action": {"buttons": replies}}
    return text(type="interactive", interactive=inner)


def rows(*counts: int, title: str = "row") -> dict[str, Any]:
    sections = [
        {"title": f"s{place}", "rows": [{"id": f"{place}.{row}", "title": title} for row in range(count)]}
        for place, count in enumerate(counts)
    ]
    inner = {"type": "list", "body": {"text": "?"}, "action": {"button": "Open", "sections": sections}}
    return text(type="interactive", interactive=inner)


def template(name: str = "order_update", code: str = "en_US", *parameters: Any) -> dict[str, Any]:
    components = [{"type": "body", "parameters": list(parameters)}]
    return text(type="template", template={"name": name, "language": {"code": code}, "components": components})


def word(value: str, **more: str) -> dict[str, str]:
    return {"type": "text", "text": value, **more}


async def test_a_send_is_accepted_with_an_id_and_reported_with_what_was_sent_along() -> None:
    """The echo of the callback data is the only thing that settles an ambiguous send."""
    async with world() as here:
        await here.hears()
        answer = await here.say()

    assert body_of(answer)["messaging_product"] == "whatsapp"
    assert body_of(answer)["contacts"][0]["input"] == f"+{MARIA}"
    assert body_of(answer)["contacts"][0]["wa_id"] == MARIA
    sent, delivered = here.hub.statuses
    assert (sent["status"], delivered["status"]) == ("sent", "delivered")
    assert sent["id"] == delivered["id"] == body_of(answer)["messages"][0]["id"]
    assert sent["biz_opaque_callback_data"] == delivered["biz_opaque_callback_data"] == "wch1.7"
    assert sent["recipient_id"] == MARIA
    assert sent["pricing"] == {
        "billable": False,
        "pricing_model": "PMP",
        "type": "free_customer_service",
        "category": "service",
    }


@pytest.mark.parametrize("token", ["", "another", "a-tokén"])
async def test_another_token_is_refused_with_190(token: str) -> None:
    """Sign-in stops all sending: a stand-in that took any token would hide it."""
    async with world() as here:
        answer = await here.call(text(), token=token)

    assert (answer.status, code_of(answer)) == (401, 190)


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        (b"{", 100, "JSON"),
        (b"[" * 5000, 100, "JSON"),
        ([], 100, "object"),
        ({}, 100, "messaging_product"),
        (text(to=None), 100, "to is required"),
        (text(to="maria"), 131009, "phone number"),
        (text(type="hologram"), 100, "must be one of"),
        (text(text=None), 131008, "text"),
        (text(text={"body": " \n"}), 131008, "text.body"),
        (text(text={"body": "x" * 4097}), 131009, "4096"),
        (text(biz_opaque_callback_data="x" * 513), 100, "512"),
        (text(type="image", image={}), 131009, "id and link"),
        (text(type="image", image={"id": "1", "caption": "x" * 1025}), 131009, "1024"),
        (text(type="location", location={"latitude": 91, "longitude": 0}), 131009, "latitude"),
        (text(type="location", location={"latitude": 1}), 131008, "longitude"),
        (text(type="reaction", reaction={"emoji": "!"}), 131008, "message_id"),
        (text(type="contacts", contacts=[]), 131008, "contacts"),
        (text(type="interactive", interactive={"type": "button", "body": {"text": "?"}}), 131008, "action"),
        (buttons(), 131008, "buttons"),
        (buttons(("a", "x" * 21)), 131009, "Max length: 20"),
        (buttons(("x" * 257, "A")), 131009, "Max length: 256"),
        (buttons(("a", "A"), ("a", "B")), 131009, "ids"),
        (buttons(("a", "A"), ("b", "A")), 131009, "titles"),
        (buttons(("a", "A"), ("b", "B"), ("c", "C"), ("d", "D")), 131009, "Max allowed: 3"),
        (rows(4, 4, 3), 131009, "10"),
        (rows(1, title="x" * 25), 131009, "Max length: 24"),
        (template("unknown"), 132001, "does not exist in en_US"),
        (template("order_update", "es"), 132001, "does not exist in es"),
        (template("order_update", "en_US", word("7")), 132000, "(1)"),
        (template("order_update", "en_US", word("7"), word("a\nb")), 132012, "new-line"),
        (template("come_back", "es", word("Ana")), 132012, "parameter_name"),
        (template("No Such"), 131008, "name"),
    ],
)
async def test_what_whatsapp_refuses_is_refused_with_its_code(body: Any, code: int, words: str) -> None:
    """In Graph's shape, and nothing reaches the phone."""
    async with world() as here:
        await here.hears()
        answer = await here.call(body)
        await here.sandbox.settle()

    error = body_of(answer)["error"]
    assert (error["code"], error["type"]) == (code, "OAuthException")
    assert error["message"].startswith(f"(#{code}) ")
    assert words in error["error_data"]["details"]
    assert error["fbtrace_id"]
    assert answer.status == (404 if code == 132001 else 400)
    assert not here.hub.statuses


@pytest.mark.parametrize(
    "body",
    [
        buttons(("a", "é" * 20)),
        buttons(("a", "\N{BLUE HEART}" * 20)),
        rows(5, 5),
        template("order_update", "en_US", word("7"), word("shipped")),
        template("come_back", "es", word("Ana", parameter_name="name")),
        text(type="location", location={"latitude": "40.4", "longitude": -3.7}),
        text(type="document", document={"link": "https://example.com/a.pdf", "filename": "a.pdf"}),
    ],
)
async def test_what_is_within_the_limits_is_taken(body: dict[str, Any]) -> None:
    """A limit that is too tight would hide as much as one that is missing."""
    async with world() as here:
        await here.hears()
        answer = await here.call(body)

    assert answer.status == 200


async def test_outside_the_window_a_text_is_taken_and_fails_later() -> None:
    """131047 comes as a status, not in the answer."""
    async with world() as here:
        await here.hears()
        here.clock.advance(timedelta(hours=24))
        answer = await here.say()
        status = here.hub.statuses[-1]
        shown = here.sandbox.messages(MARIA)[-1]

    assert answer.status == 200
    assert status["status"] == "failed"
    assert status["errors"][0]["code"] == 131047
    assert status["biz_opaque_callback_data"] == "wch1.7"
    assert (shown["statuses"], shown["error"]["code"]) == (["failed"], 131047)


async def test_a_template_needs_no_window() -> None:
    """That is what it is for; and it costs."""
    async with world() as here:
        answer = await here.call(template("come_back", "es", word("Ana", parameter_name="name")))
        await here.sandbox.settle()

    assert body_of(answer)["messages"][0]["message_status"] == "accepted"
    assert here.hub.words() == ["sent", "delivered"]
    assert here.hub.statuses[0]["pricing"]["category"] == "marketing"
    assert here.hub.statuses[0]["pricing"]["billable"] is True


async def test_a_customer_who_wrote_before_this_sandbox_began_has_a_window() -> None:
    """A stand-in that was started anew must not fail the answers that were under way."""
    async with world(heard=NOON - timedelta(hours=1)) as here:
        await here.say()

    assert here.hub.words() == ["sent", "delivered"]


async def test_a_send_by_user_id_reaches_the_same_phone() -> None:
    """Customers without a number are answered by what they are known by."""
    async with world() as here:
        here.sandbox.faults.order("bsuid_only")
        await here.hears()
        user_id = here.hub.messages[0]["from_user_id"]
        assert "from" not in here.hub.messages[0]
        assert "wa_id" not in here.hub.caught[0].values[0]["contacts"][0]
        body = text(recipient=user_id)
        del body["to"]
        answer = await here.call(body)
        shown = here.sandbox.messages(MARIA)

    assert "wa_id" not in body_of(answer)["contacts"][0]
    assert [one["direction"] for one in shown] == ["inbound", "outbound"]


async def test_every_call_is_logged_with_its_answer() -> None:
    """What left the hub, when, and what came back; never the token."""
    async with world() as here:
        await here.hears()
        await here.say()
        await here.call({"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.x"})
        await here.call(text(), token="another")
        log = here.sandbox.graph_log()

    assert [entry["status"] for entry in log] == [200, 200, 401]
    first = log[0]
    assert (first["method"], first["path"]) == ("POST", f"/v24.0/{NUMBER}/messages")
    assert first["body"]["text"] == {"body": "hello"}
    assert first["answer"]["messages"][0]["id"].startswith("wamid.")
    assert first["at"].endswith("Z")
    assert "token" not in json.dumps([entry["body"] for entry in log])
    assert here.sandbox.graph_log(after=log[1]["id"]) == log[2:]


async def test_a_file_is_taken_and_given_back() -> None:
    """Uploading is a form; what comes back is an id."""
    async with world() as here:
        request = httpx2.Request(
            "POST",
            "http://x",
            data={"messaging_product": "whatsapp"},
            files={"file": ("a.png", b"\x89PNG", "image/png")},
        )
        answer = await here.sandbox.called(
            method="POST",
            path=f"/v24.0/{NUMBER}/media",
            authorization="Bearer a-token",
            body=request.read(),
            content_type=request.headers["content-type"],
            host="http://h",
        )
        told = await here.call(b"", method="GET", path=f"/v24.0/{body_of(answer)['id']}")

    assert body_of(told)["mime_type"] == "image/png"
    assert body_of(told)["file_size"] == "4"


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v24.0/200000000000002/message_templates", "data"),
        ("/v24.0/200000000000002/subscribed_apps", "data"),
        ("/v24.0/200000000000002", "name"),
        (f"/v24.0/{NUMBER}", "display_phone_number"),
        ("/v24.0/debug_token", "data"),
    ],
)
async def test_what_doctors_ask_is_answered(path: str, key: str) -> None:
    """Account, number, subscription and templates."""
    async with world() as here:
        answer = await here.call(b"", method="GET", path=path)

    assert answer.status == 200
    assert key in body_of(answer)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v24.0/999/messages"), ("DELETE", f"/v24.0/{NUMBER}"), ("GET", "/v24.0/a/b/c"), ("GET", "/nothing")],
)
async def test_what_is_not_there_is_refused(method: str, path: str) -> None:
    """Another number's id above all."""
    async with world() as here:
        answer = await here.call(text(), method=method, path=path)

    assert answer.status == 400


async def test_our_own_client_reads_its_answers() -> None:
    """Accepted and refused, as the outbox will see them."""
    async with world() as here:
        await here.hears()
        taken = await here.say()
        refused = await here.call(buttons(("a", "x" * 21)))

    assert isinstance(outcome(taken.status, taken.content()), Accepted)
    result = outcome(refused.status, refused.content())
    assert isinstance(result, Refused)
    assert result.error.code == 131009


NOT_SENDABLE = {
    "interactive.order-details__meta-postman.json": "has no action, which the documentation demands",
    "location+reply__meta-postman.json": "holds placeholders for its figures",
}


def test_recorded_sends_are_within_the_limits(corpus: Path) -> None:
    """Real bodies of others' clients must pass, save those that could not be sent anywhere."""
    refused: dict[str, str] = {}
    for file in sorted((corpus / "whatsapp-send").glob("*.json")):
        body = json.loads(file.read_text())
        if not isinstance(body, Mapping) or not body.get("to") or body.get("type") == "template":
            continue
        try:
            check({**body, "to": "+16505551234"}, TemplateBook(()))
        except GraphRefusalError as refusal:
            refused[file.name] = refusal.details

    assert set(refused) == set(NOT_SENDABLE), refused

"""What a message says, type by type."""

import base64
import hashlib
import json
from typing import Any

import pytest

from wch.adapters.whatsapp.message_content import content_of, shared_content

DIGEST = hashlib.sha256(b"photo").digest()


def said(kind: str, body: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    """The content of a message of this type with this body."""
    return content_of({"from": "16505551234", "id": "wamid.X", "type": kind, kind: body, **more})


@pytest.mark.parametrize(
    ("word", "column"),
    [
        ("image", "image"),
        ("video", "video"),
        ("document", "document"),
        ("audio", "audio"),
        ("voice", "audio"),
        ("sticker", "sticker"),
    ],
)
def test_media_keep_id_type_and_digest(word: str, column: str) -> None:
    """Webhooks give the digest as base64, Graph as hex: one of them must be the stored form."""
    body = {"id": "1", "mime_type": "x/y", "sha256": base64.b64encode(DIGEST).decode(), "url": "https://x"}

    kind, content = said(word, body)

    assert kind == column
    assert content["media"]["sha256"] == DIGEST.hex()
    assert content["media"]["id"] == "1"
    assert "url" not in content["media"]
    assert content["media"].get("voice") is (True if word == "voice" else None)


def test_a_digest_that_is_none_is_left_out() -> None:
    """Kept, it would make every download look forged."""
    assert "sha256" not in said("image", {"id": "1", "sha256": "abc"})[1]["media"]
    assert said("image", {"id": "1", "sha256": DIGEST.hex().upper()})[1]["media"]["sha256"] == DIGEST.hex()


def test_a_place_is_decimal_text() -> None:
    """No coordinate goes through a float, whether it came as number or text."""
    assert said("location", {"latitude": "37.44216251868683", "longitude": -122, "name": "Cafe", "url": ""}) == (
        "location",
        {"latitude": "37.44216251868683", "longitude": "-122", "name": "Cafe"},
    )


@pytest.mark.parametrize("body", [{}, {"latitude": 1}, {"latitude": 91, "longitude": 0}, {"latitude": "x"}, None, []])
def test_a_place_without_a_place_is_unsupported(body: Any) -> None:
    """The customer is told, instead of a row that no address can be made of."""
    assert said("location", body)[0] == "unsupported"


def test_contact_cards_are_few_and_short() -> None:
    """Twenty cards, four KiB of vCard."""
    cards = [{"name": {"formatted_name": str(n)}, "vcard": "é" * 4_000, "org": {"company": "x"}} for n in range(30)]

    kind, content = said("contacts", cards, origin="contact_request/other")

    assert kind == "contacts"
    assert len(content["contacts"]) == 20
    assert len(content["contacts"][0]["vcard"].encode()) == 4_096
    assert content["origin"] == "contact_request/other"


def test_a_tapped_row_tells_its_id() -> None:
    """The id names the route."""
    body = {"type": "list_reply", "list_reply": {"id": "product_5", "title": "Lamp", "description": "blue"}}

    assert said("interactive", body) == (
        "interactive",
        {"kind": "list_reply", "id": "product_5", "title": "Lamp", "description": "blue"},
    )


@pytest.mark.parametrize(
    ("answer", "content"),
    [
        ('{"flow_token":"t","n":1}', {"data": {"flow_token": "t", "n": 1}}),
        ('["not","an","object"]', {"data_text": '["not","an","object"]'}),
        ("{", {"data_text": "{"}),
        ('{"a":1,"a":2}', {"data_text": '{"a":1,"a":2}'}),
        ('{"a":"\\u0000"}', {"data": {"a": "\ufffd"}, "repaired": True}),
        ("[" * 100_000, {"data_text": "[" * 100_000}),
    ],
)
def test_a_forms_answer_is_an_object_or_text(answer: str, content: dict[str, Any]) -> None:
    """It is a text that should hold an object; courier has met one that does not."""
    body = {"type": "nfm_reply", "nfm_reply": {"name": "flow", "body": "Sent", "response_json": answer}}

    assert said("interactive", body) == (
        "interactive",
        {"kind": "nfm_reply", "name": "flow", "body": "Sent", **content},
    )


def test_another_interactive_keeps_its_fields() -> None:
    """Nothing is answered to it, and nothing is lost."""
    body = {"type": "call_permission_reply", "call_permission_reply": {"response": "accept"}}

    assert said("interactive", body) == (
        "interactive",
        {"kind": "call_permission_reply", "fields": {"call_permission_reply": {"response": "accept"}}},
    )
    assert content_of({"type": "interactive"}) == ("interactive", {})


def test_order_lines_keep_what_the_phone_showed() -> None:
    """Numbers in real bodies, texts in some; a quantity that is none is named to the customer later."""
    lines = [
        {"product_retailer_id": "A", "quantity": 2, "item_price": 18, "currency": "USD"},
        {"product_retailer_id": "B", "quantity": "3", "item_price": "17.50", "currency": "USD"},
        {"product_retailer_id": "C", "quantity": "x", "item_price": "much"},
        "no line",
    ]

    _, content = said("order", {"catalog_id": "7", "text": "", "product_items": lines})

    assert content == {
        "catalog_id": "7",
        "items": [
            {"retailer_id": "A", "quantity": 2, "price": "18", "currency": "USD"},
            {"retailer_id": "B", "quantity": 3, "price": "17.50", "currency": "USD"},
            {"retailer_id": "C", "quantity": "x"},
        ],
    }


@pytest.mark.parametrize("body", [{"message_id": "wamid.T"}, {"message_id": "wamid.T", "emoji": ""}])
def test_a_reaction_without_an_emoji_is_taken_back(body: dict[str, str]) -> None:
    """WhatsApp leaves it out, or sends it empty."""
    assert said("reaction", body) == ("reaction", {"target": "wamid.T"})


def test_an_edit_holds_the_new_message() -> None:
    """In the shape that the message itself would have."""
    body = {"original_message_id": "wamid.T", "message": {"type": "text", "text": {"body": "new"}}}

    assert said("edit", body) == ("edit", {"target": "wamid.T", "message": {"type": "text", "text": "new"}})
    assert said("revoke", {"original_message_id": "wamid.T"}) == ("revoke", {"target": "wamid.T"})


def test_a_number_change_names_both_numbers() -> None:
    """Old is `customer` or `from`, new is `wa_id` or `new_wa_id`."""
    assert said("system", {"type": "user_changed_number", "wa_id": "12195555358"})[1] == {
        "kind": "user_changed_number",
        "old": "16505551234",
        "new": "12195555358",
    }
    assert said("system", {"type": "customer_changed_number", "customer": "1", "new_wa_id": "+2"})[1]["new"] == "2"


def test_an_id_change_is_read_out_of_its_sentence() -> None:
    """Both recorded ones name the old id nowhere else; a sentence that does not fit is not believed."""
    body = {"type": "user_changed_user_id", "user_id": "US.2", "body": "User A changed from US.1 to US.2"}

    assert said("system", body)[1]["previous_user_id"] == "US.1"
    assert "previous_user_id" not in said("system", {**body, "user_id": "US.3"})[1]
    assert said("system", {**body, "previous_user_id": "US.0"})[1]["previous_user_id"] == "US.0"


@pytest.mark.parametrize("kind", ["hologram", "unsupported", "unknown", ""])
def test_an_unknown_word_is_kept_with_its_body(kind: str) -> None:
    """New types come without notice."""
    event = {"type": kind, "id": "wamid.X", "from": "1", "unsupported": {"type": "poll"}, "light": {"hue": 3}}

    assert content_of(event) == (
        "unsupported",
        {"kind": kind, "unsupported": {"type": "poll"}, "body": {"light": {"hue": 3}}},
    )


def test_a_large_unknown_body_is_left_out() -> None:
    """16 KiB; the whole event is in the row's raw payload anyway."""
    _, content = content_of({"type": "hologram", "hologram": "x" * 17_000})

    assert content == {"kind": "hologram", "body_left_out": True}


def test_a_type_left_out_is_told_by_its_body() -> None:
    """One recorded location has none."""
    assert content_of({"location": {"latitude": 1, "longitude": 2}})[0] == "location"
    assert content_of({"text": {"body": "a"}, "image": {}})[0] == "unsupported"


def test_what_any_type_may_carry() -> None:
    """Quote, forwarding, product asked about, ad, errors."""
    event = {
        "context": {"id": "wamid.Q", "forwarded": True, "frequently_forwarded": True}
        | {"referred_product": {"catalog_id": "1", "product_retailer_id": "2"}},
        "referral": {"source_id": "ad", "ctwa_clid": "x"},
        "errors": [{"code": 131051}],
    }

    assert shared_content(event) == {
        "reply_to": "wamid.Q",
        "forwarded": 2,
        "product": {"catalog_id": "1", "retailer_id": "2"},
        "referral": {"source_id": "ad", "ctwa_clid": "x"},
        "errors": [{"code": 131051}],
    }
    assert shared_content({"context": {"forwarded": True}}) == {"forwarded": 1}
    assert shared_content({"context": {"forwarded": "yes"}, "referral": "x", "errors": {}}) == {}


@pytest.mark.parametrize("body", [None, [], "x", 7, {}])
def test_a_known_type_of_another_shape_never_fails(body: Any) -> None:
    """The shape is a stranger's."""
    for word in ("text", "image", "location", "contacts", "interactive", "button", "order", "reaction", "edit"):
        kind, content = said(word, body)

        assert kind
        assert json.dumps(content)

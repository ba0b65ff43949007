"""What is written is what the Cloud API takes: recorded bodies, and the envelope around them."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.whatsapp.corpus_table import NOT_OURS, bodies
from tests.adapters.whatsapp.send_bodies import message_of
from wch.adapters.whatsapp.encoder import encode, envelope
from wch.domain.outgoing import (
    Button,
    Buttons,
    CatalogMessage,
    ContactRequest,
    Location,
    MessageLimitError,
    Reaction,
    Template,
    Text,
)


def test_each_recorded_body_is_written_from_typed_objects(corpus: Path) -> None:
    """Equal as JSON values, but for words in capitals and numbers as text, which WhatsApp takes either way."""
    found = bodies(corpus)

    assert found.wrong == []
    assert found.not_ours == set(NOT_OURS)
    assert found.beyond == set()


SHOP_PHOTO = {"type": "image", "image": {"link": "https://shop.example/lamp.jpg"}}
BEYOND_THE_CORPUS: list[dict[str, Any]] = [
    {"type": "request_contact_info", "body": {"text": "Your number?"}, "action": {"name": "request_contact_info"}},
    {"type": "call_permission_request", "body": {"text": "May we?"}, "action": {"name": "call_permission_request"}},
    {"type": "voice_call", "body": {"text": "Call"}, "footer": {"text": "Free"}, "action": {"name": "voice_call"}},
    {"type": "catalog_message", "body": {"text": "All of it"}, "action": {"name": "catalog_message"}},
    {
        "type": "carousel",
        "body": {"text": "Two lamps"},
        "action": {
            "cards": [
                {
                    "card_index": place,
                    "type": "cta_url",
                    "header": SHOP_PHOTO,
                    "body": {"text": "A lamp"},
                    "action": {
                        "buttons": [{"type": "quick_reply", "quick_reply": {"id": f"add_{place}", "title": "Add"}}]
                    },
                }
                for place in range(2)
            ]
        },
    },
    {
        "type": "order_status",
        "header": SHOP_PHOTO,
        "body": {"text": "Paid"},
        "footer": {"text": "Thanks"},
        "action": {
            "name": "review_order",
            "parameters": {
                "reference_id": "r-1",
                "order": {"status": "processing"},
                "payment": {"status": "captured", "timestamp": 1722445231},
            },
        },
    },
]
"""Kinds that WhatsApp's pages name and no recorded body shows."""


@pytest.mark.parametrize("inner", BEYOND_THE_CORPUS, ids=lambda inner: inner["type"])
def test_kinds_that_no_recording_shows_are_written_too(inner: dict[str, Any]) -> None:
    """Read back into the typed message and written again, they are the same JSON value."""
    body = {"type": "interactive", "interactive": inner}

    assert encode(message_of(body)) == body


TEMPLATE_PARTS: list[dict[str, Any]] = [
    {"type": "button", "sub_type": "voice_call", "index": "1"},
    {"type": "button", "sub_type": "quick_reply", "index": "0", "parameters": [{"type": "text", "text": False}]},
    {
        "type": "order_status",
        "parameters": [
            {
                "type": "order_status",
                "order_status": {"reference_id": "r-1", "order": {"status": "shipped", "description": "On its way"}},
            }
        ],
    },
    {
        "type": "tap_target_configuration",
        "parameters": [
            {
                "type": "tap_target_configuration",
                "tap_target_configuration": [{"url": "https://shop.example/", "title": "Open"}],
            }
        ],
    },
]


@pytest.mark.parametrize("part", TEMPLATE_PARTS, ids=lambda part: part.get("sub_type", part["type"]))
def test_each_part_of_a_template_is_written(part: dict[str, Any]) -> None:
    """Also a false, which is something, and a button without anything to fill."""
    body = {"type": "template", "template": {"name": "t", "language": {"code": "en"}, "components": [part]}}

    assert encode(message_of(body)) == body


BODY = {"type": "text", "text": {"body": "hi"}}


def test_a_number_is_written_with_its_plus() -> None:
    """Without one it may be read as a local number, and go to a stranger."""
    assert envelope(BODY, to="16505551234", recipient=None, callback_data="wch1.t.7.1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "+16505551234",
        **BODY,
        "biz_opaque_callback_data": "wch1.t.7.1",
    }


def test_a_sender_without_a_number_is_written_to_by_id() -> None:
    """`to` would win if both were there."""
    written = envelope(BODY, to=None, recipient="US.1", callback_data=None)

    assert written["recipient"] == "US.1"
    assert not {"to", "biz_opaque_callback_data"} & set(written)


@pytest.mark.parametrize(("to", "recipient"), [("1", "US.1"), (None, None)])
def test_there_is_exactly_one_address(to: str | None, recipient: str | None) -> None:
    """Both, or none, is a mistake of the caller's."""
    with pytest.raises(ValueError, match="exactly one"):
        envelope(BODY, to=to, recipient=recipient, callback_data=None)


def test_callback_data_have_an_end() -> None:
    """512 characters come back, no more."""
    assert envelope(BODY, to="1", recipient=None, callback_data="x" * 512)
    with pytest.raises(MessageLimitError):
        envelope(BODY, to="1", recipient=None, callback_data="x" * 513)


def test_a_reaction_cannot_quote() -> None:
    """It names its message itself."""
    with pytest.raises(MessageLimitError):
        encode(Reaction(wa_message_id="wamid.X", emoji="👍"), reply_to="wamid.Y")


def test_words_are_sent_as_they_were_counted() -> None:
    """An accent of its own counts as a character once more at WhatsApp's end."""
    message = Buttons(body="cafe\u0301", buttons=(Button(id="e\u0301", title="e\u0301"),))

    inner = encode(message)["interactive"]

    assert inner["body"]["text"] == "caf\u00e9"
    assert inner["action"]["buttons"][0]["reply"] == {"id": "e\u0301", "title": "\u00e9"}


@pytest.mark.parametrize(
    ("message", "inner"),
    [
        (CatalogMessage(body="Look"), {"name": "catalog_message"}),
        (ContactRequest(body="Your number?"), {"name": "request_contact_info"}),
    ],
)
def test_what_has_no_parameters_has_none(message: Any, inner: dict[str, Any]) -> None:
    """An empty object is not the same as none."""
    assert encode(message)["interactive"]["action"] == inner


def test_coordinates_keep_all_their_digits() -> None:
    """As text, which the documentation shows too."""
    place = Location(latitude=Decimal("37.44216251868683"), longitude=Decimal("-1E+2"))

    assert encode(place)["location"] == {"latitude": "37.44216251868683", "longitude": "-100"}


def test_a_template_by_words_alone() -> None:
    """In order or by name; a template without gaps has no components."""
    assert encode(Template.text(name="hello", language="en"))["template"] == {
        "name": "hello",
        "language": {"code": "en"},
    }
    by_name = encode(Template.text(name="t", language="pt_BR", named={"who": " Ana\n Lima ", "what": ""}))
    assert by_name["template"]["components"] == [
        {
            "type": "body",
            "parameters": [
                {"type": "text", "parameter_name": "who", "text": "Ana Lima"},
                {"type": "text", "parameter_name": "what", "text": "-"},
            ],
        }
    ]


def test_what_is_written_is_plain_json() -> None:
    """It is stored in a row until it is sent."""
    assert json.loads(json.dumps(encode(Text(body="hi", preview_url=False)))) == {
        "type": "text",
        "text": {"body": "hi", "preview_url": False},
    }

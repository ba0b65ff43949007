"""What is written is what the Cloud API takes: recorded bodies, and the envelope around them."""

import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.whatsapp.send_bodies import NotOursError, canonical, filled, message_of, spelled
from wch.adapters.whatsapp.encoder import encode, envelope, receipt
from wch.domain.outgoing import (
    Button,
    Buttons,
    CatalogMessage,
    ContactRequest,
    Location,
    MarkRead,
    MessageLimitError,
    Reaction,
    Template,
    Text,
)

AROUND = {"messaging_product", "recipient_type", "to", "recipient", "type"}
OF_OTHERS = {"product_policy", "message_activity_sharing", "recipient_identity_key_hash"}
"""Keys beside a message that the hub does not send: marketing's own policy, identity checks."""

NOT_OURS = {
    "interactive.order-details__meta-postman.json": "an older shape of order details",
    "interactive.voice-call__meta-docs.calling.call-button-messages-deep-links.json": "calls",
    "template.body+btn-quick-reply__meta-openapi.json": "a quick reply whose payload is true or false",
    "template.btn-voice-call__meta-docs.calling.call-button-messages-deep-links.json": "calls",
    "template.header-image+body+tap-target-configuration__meta-docs.templates.tap-target-url-title-override.json": (
        "tap targets"
    ),
    "text__meta-docs.solution-providers.get-started-for-solution-part.json": "no type",
}
BEYOND = {
    "interactive.flow__meta-openapi-2.json": "label",
    "interactive.flow__meta-openapi.json": "label",
    "interactive.flow__meta-postman.json": "label",
}
"""Bodies whose form's label has 23 characters, where the pages say 20 and 30: 20 is what is taken everywhere."""


def test_each_recorded_body_is_written_from_typed_objects(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Equal as JSON values, but for words in capitals and numbers as text, which WhatsApp takes either way."""
    table: Counter[tuple[str, str]] = Counter()
    wrong, not_ours, beyond = [], set(), set()
    for file in sorted((corpus / "whatsapp-send").glob("*.json")):
        body = filled(json.loads(file.read_bytes()))
        kind = file.name.partition("__")[0]
        if body.get("status") == "read":
            mark = MarkRead(wa_message_id=body["message_id"], typing="typing_indicator" in body)
            table[kind, "equal" if receipt(mark) == body else "different"] += 1
            continue
        try:
            message = message_of(body)
        except NotOursError:
            not_ours.add(file.name)
            table[kind, "not ours"] += 1
            continue
        except MessageLimitError as error:
            beyond.add((file.name, error.field))
            table[kind, "beyond a limit"] += 1
            continue
        except KeyError:
            assert file.name in NOT_OURS, file.name
            not_ours.add(file.name)
            table[kind, "not ours"] += 1
            continue
        quoted = body.get("context", {}).get("message_id")
        written = encode(message, reply_to=quoted)
        recorded = {name: one for name, one in body.items() if name not in (AROUND - {"type"}) | OF_OTHERS}
        if canonical(written) == canonical(recorded):
            table[kind, "equal"] += 1
        elif canonical(spelled(written)) == canonical(spelled(recorded)):
            table[kind, "equal, spelled otherwise"] += 1
        else:
            wrong.append((file.name, canonical(written), canonical(recorded)))
    with capsys.disabled():
        print()  # noqa: T201 - the table is the test's report
        for (kind, outcome), count in sorted(table.items()):
            print(f"  {count:3}  {kind:70} {outcome}")  # noqa: T201 - as above

    assert wrong == []
    assert not_ours == set(NOT_OURS)
    assert beyond == set(BEYOND.items())


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

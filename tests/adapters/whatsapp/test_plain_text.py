"""The short way for one text: never another answer than the parser's own, and taken where it is meant to be."""

import copy
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.adapters.whatsapp.test_parser_fuzz import ODD, places, put
from wch.adapters.whatsapp import parser, plain_text, strict_json
from wch.domain.inbound import InboundMessage, UnreadableDeliveryError

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

EVENT = {
    "from": "16505551234",
    "id": "wamid.A",
    "timestamp": "1749416383",
    "type": "text",
    "text": {"body": "Is it \u201chers\u201d?"},
}
CONTACT = {"profile": {"name": "Sheena"}, "wa_id": "16505551234"}
KNOWN_BY_ID = (
    {**EVENT, "from_user_id": "US.1", "from_parent_user_id": "US.ENT.1"},
    {
        "profile": {"name": "Sheena", "username": "sheena"},
        "wa_id": "16505551234",
        "user_id": "US.2",
        "parent_user_id": "US.ENT.2",
    },
)


def delivery(event: Any = EVENT, contact: Any = CONTACT) -> dict[str, Any]:
    """One text as Meta posts it."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"}
    value = {"messaging_product": "whatsapp", "metadata": metadata, "contacts": [contact], "messages": [event]}
    entry = {"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def plainly(body: bytes) -> InboundMessage | None:
    """What the short way alone makes of it."""
    return plain_text.message(strict_json.glance(body), body, now=NOW)


def outcome(read: Any, *told: Any) -> str:
    """The events with every type and order in them, or the word for the refusal."""
    try:
        return repr(read(*told, now=NOW))
    except UnreadableDeliveryError as error:
        return error.detail


def same(body: bytes) -> None:
    """Whether it is asked plainly first or not, the answer is one."""
    assert outcome(parser.read, body) == outcome(parser._read_any, strict_json.glance(body), body)  # noqa: SLF001 - the two are compared


@given(st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_it_never_says_otherwise_than_the_parser(data: st.DataObject) -> None:
    """Odd values in any place, keys that are not known or are there twice, blanks, escapes, bytes changed."""
    value = copy.deepcopy(data.draw(st.sampled_from([delivery(), delivery(*KNOWN_BY_ID)])))
    for _ in range(data.draw(st.integers(min_value=0, max_value=2))):
        value = put(value, data.draw(st.sampled_from(places(value))), data.draw(ODD))
    text = json.dumps(
        value,
        ensure_ascii=data.draw(st.booleans()),
        separators=data.draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t: ")])),
    )
    if data.draw(st.booleans()):
        key = data.draw(st.sampled_from(["from", "id", "type", "user_id", "username", "group_id", "x", "\\u0069d"]))
        place = data.draw(st.sampled_from([at for at, letter in enumerate(text) if letter == "{"] or [0]))
        told = data.draw(st.sampled_from(['"1"', "null", "1", '":"', '"\\ud800"', "{}"]))
        text = f'{text[: place + 1]}"{key}":{told},{text[place + 1 :]}'
    body = text.encode("utf-8", "surrogatepass")
    if data.draw(st.integers(min_value=0, max_value=3)) == 0:
        place = data.draw(st.integers(min_value=0, max_value=len(body)))
        end = data.draw(st.integers(min_value=place, max_value=min(place + 20, len(body))))
        body = body[:place] + data.draw(st.sampled_from([b"", b'"', b":", b"[]", b"\\u0000", b"\xff"])) + body[end:]

    same(body)


def test_it_never_says_otherwise_of_a_recorded_delivery(corpus: Path) -> None:
    """Nobody here wrote these."""
    for path in sorted((corpus / "whatsapp").glob("*.json")):
        same(path.read_bytes())


@pytest.mark.parametrize(
    "value", [delivery(), delivery(*KNOWN_BY_ID), delivery({**EVENT, "text": {"body": "At 10:30?"}})]
)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", " : ")])
@pytest.mark.parametrize("is_ascii", [True, False])
def test_the_usual_delivery_takes_the_short_way(
    value: dict[str, Any], separators: tuple[str, str], *, is_ascii: bool
) -> None:
    """Otherwise the comparison above compares the parser with itself."""
    body = json.dumps(value, separators=separators, ensure_ascii=is_ascii).encode()

    message = plainly(body)

    assert message is not None
    assert (message.sender, message.wa_id, message.name) == ("16505551234", "16505551234", "Sheena")
    same(body)


@pytest.mark.parametrize(
    ("event", "contact"),
    [
        ({**EVENT, "context": {"id": "wamid.B"}}, CONTACT),
        ({**EVENT, "group_id": "G"}, CONTACT),
        ({**EVENT, "type": "image"}, CONTACT),
        ({**EVENT, "id": "x" * 256}, CONTACT),
        ({**EVENT, "id": ""}, CONTACT),
        ({**EVENT, "id": 1}, CONTACT),
        ({**EVENT, "from": "+1 650"}, CONTACT),
        ({**EVENT, "timestamp": "1"}, CONTACT),
        ({**EVENT, "text": {"body": "\x00"}}, CONTACT),
        ({**EVENT, "text": {"body": '":'}}, CONTACT),
        ({**EVENT, "text": {"body": "a", "n": 1.5}}, CONTACT),
        ({**EVENT, "from_user_id": None}, CONTACT),
        ({**EVENT, "from_user_id": 1}, CONTACT),
        (EVENT, {**CONTACT, "wa_id": "bla"}),
        (EVENT, {**CONTACT, "profile": {"name": "Sheena", "country_code": "US"}}),
    ],
)
def test_what_is_more_than_a_plain_text_is_the_parsers(event: Any, contact: Any) -> None:
    """The short way knows nothing of quotes, groups, repairs and people without a number."""
    body = json.dumps(delivery(event, contact)).encode()

    assert plainly(body) is None
    same(body)


@pytest.mark.parametrize(
    ("event", "contact"),
    [
        (EVENT, {"profile": {"name": "x" * 256}, "wa_id": "1"}),
        (EVENT, {"profile": {"name": "Sheena", "username": ""}, "wa_id": "1"}),
        (EVENT, {**CONTACT, "user_id": "", "parent_user_id": "x" * 301}),
        ({**EVENT, "from_user_id": "x" * 301}, {**CONTACT, "user_id": "x" * 300}),
    ],
)
def test_what_is_told_too_long_or_not_at_all_is_cut_alike(event: Any, contact: Any) -> None:
    """A column takes so much, and an empty text is the same as none."""
    body = json.dumps(delivery(event, contact)).encode()

    assert plainly(body) is not None
    same(body)


def test_a_key_that_is_there_twice_is_never_overlooked() -> None:
    """The fast reader keeps the last one, and a text may hold what looks like the end of a key."""
    body = json.dumps(delivery()).replace('"type"', '"from": "1", "type"').encode()

    assert plainly(body) is None
    assert outcome(parser.read, body) == "repeated_key"

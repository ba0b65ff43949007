"""Deliveries: every recorded one, and the rules that no recording shows."""

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.whatsapp.corpus_table import deliveries
from wch.adapters.whatsapp import parser
from wch.domain.inbound import (
    AccountEvent,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    UnreadableDeliveryError,
    Unusable,
)
from wch.domain.moment import unix

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NUMBER = "106540352242922"
BSUID = "US.13491208655302741918"
SURROGATE = "u3fi6r42alxn7exdxkwk"


def body_of(*values: dict[str, Any], field: str = "messages") -> bytes:
    """A delivery with these values."""
    changes = [{"field": field, "value": {"metadata": {"phone_number_id": NUMBER}, **value}} for value in values]
    return json.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": changes}]}).encode()


def events_of(*values: dict[str, Any], field: str = "messages") -> tuple[InboundEvent, ...]:
    """The events in these values."""
    return parser.read(body_of(*values, field=field), now=NOW)


def text(**more: Any) -> dict[str, Any]:
    """A text message."""
    said = {"from": "16505551234", "id": "wamid.A", "timestamp": str(unix(NOW)), "type": "text", "text": {"body": "hi"}}
    return {name: value for name, value in (said | more).items() if value is not None}


def message(value: dict[str, Any], *, field: str = "messages") -> InboundMessage:
    """The one message in this value."""
    (event,) = events_of(value, field=field)
    assert isinstance(event, InboundMessage), event
    return event


# --- the recorded ones ---------------------------------------------------------------------


def test_each_recorded_delivery_is_the_event_that_its_type_names(corpus: Path) -> None:
    """Nobody here wrote them. A file whose sender is a placeholder is kept aside, event by event."""
    table, wrong = deliveries(corpus)

    assert wrong == []
    assert sum(table.values()) > 0


def test_each_recorded_event_can_be_stored(corpus: Path) -> None:
    """Columns hold JSON of plain types, each object with its version."""
    for file in sorted((corpus / "whatsapp").glob("*.json")):
        for event in parser.read(file.read_bytes(), now=NOW):
            kept = event.value if isinstance(event, AccountEvent) else event.raw
            json.dumps(kept, allow_nan=False)
            if isinstance(event, InboundMessage | Echo):
                json.dumps(event.content, allow_nan=False)
                assert event.content["v"] == event.raw["v"] == 1
                assert len(getattr(event, "sender", "")) <= 20


def test_each_recorded_message_id_is_one_event(corpus: Path) -> None:
    """Nothing is dropped and nothing doubled on the way."""
    for file in sorted((corpus / "whatsapp").glob("*.json")):
        values = [
            change["value"]
            for entry in json.loads(file.read_bytes())["entry"]
            for change in entry["changes"]
            if isinstance(change["value"], dict)
        ]
        elements = [one for value in values for one in (*value.get("messages", ()), *value.get("calls", ()))]
        events = parser.read(file.read_bytes(), now=NOW)
        unusable = [event for event in events if isinstance(event, Unusable)]
        messages = [event for event in events if isinstance(event, InboundMessage)]

        assert len(messages) + len(unusable) == len(elements), file.name


# --- what is unreadable --------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"x"',
        b"{}",
        b'{"entry":{}}',
        b'{"object":"page","entry":[]}',
        b'{"object":"whatsapp_business_account"}',
        b'{"object":"whatsapp_business_account","entry":{}}',
        b'{"object":"whatsapp_business_account","entry":[],"entry":[]}',
        b'{"object":"whatsapp_business_account","entry":[NaN]}',
        b'{"object":"whatsapp_business_account","entry":[]}x',
        json.dumps({"object": "whatsapp_business_account", "entry": []}).encode("utf-16"),
        json.dumps({"object": "whatsapp_business_account", "entry": [{}] * 1_001}).encode(),
    ],
)
def test_what_is_no_delivery_is_unreadable(body: bytes) -> None:
    """It is kept whole, as one dead letter."""
    with pytest.raises(UnreadableDeliveryError) as refused:
        parser.read(body, now=NOW)

    assert refused.value.detail in str(refused.value)


def test_five_thousand_events_are_read_and_no_more() -> None:
    """A batch is at most 1,000 by the documentation; this bounds the work of one body."""
    most = body_of({"messages": [text(id=f"w{place}") for place in range(5_000)]})
    more = body_of({"messages": [text(id=f"w{place}") for place in range(5_001)]})

    assert len(parser.read(most, now=NOW)) == 5_000
    with pytest.raises(UnreadableDeliveryError):
        parser.read(more, now=NOW)


def test_a_batch_of_many_people_takes_no_longer_for_each() -> None:
    """A thousand people in one value were looked for a thousand times each: 1.3 s, and 29 s for five thousand."""
    people = [str(16505550000 + place) for place in range(5_000)]
    body = body_of(
        {
            "contacts": [{"wa_id": who, "profile": {"name": who}} for who in people],
            "messages": [text(id=f"w{who}", **{"from": who}) for who in people],
        }
    )
    started = time.process_time()

    events = parser.read(body, now=NOW)

    assert time.process_time() - started < 10
    assert [event.name for event in events if isinstance(event, InboundMessage)] == people


# --- each by itself ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        text(id=None),
        text(id=""),
        text(id="x" * 256),
        text(id=7),
        text(**{"from": None}),
        text(**{"from": ""}),
        text(**{"from": "PHONE_NUMBER"}),
        text(**{"from": "1" * 21}),
        text(**{"from": "٣٤"}),
        "no object",
        None,
        [],
    ],
)
def test_one_broken_message_leaves_the_others(broken: Any) -> None:
    """One bad event never holds back another."""
    before, bad, after = events_of({"messages": [text(id="w1"), broken, text(id="w2")]})

    assert isinstance(before, InboundMessage)
    assert isinstance(after, InboundMessage)
    assert isinstance(bad, Unusable)
    assert bad.reason == "validation_failed"
    assert bad.number == NUMBER
    assert bad.raw["event"] == broken if broken is not None else "event" not in bad.raw


@pytest.mark.parametrize("entry", [None, 7, {}, {"changes": {}}, {"changes": [None]}, {"changes": [{"value": []}]}])
def test_an_entry_of_another_shape_is_kept_aside(entry: Any) -> None:
    """It is answered 200, so it must be somewhere."""
    (event,) = parser.read(json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode(), now=NOW)

    assert isinstance(event, Unusable)


def test_all_arrays_of_one_value_are_read_whatever_its_field_says() -> None:
    """One value may carry several."""
    value = {
        "messages": [text()],
        "statuses": [{"id": "wamid.S", "status": "sent", "timestamp": "1750263773", "recipient_id": "1650"}],
        "user_preferences": [
            {"wa_id": "1650", "category": "marketing_messages", "value": "stop", "timestamp": 1750263773}
        ],
        "errors": [{"code": 131035}],
    }

    assert [type(event) for event in events_of(value)] == [InboundMessage, StatusUpdate, PreferenceChange, AccountEvent]
    assert len(events_of(value, field="anything")) == 4


@pytest.mark.parametrize(("field", "live"), [("messages", True), ("history", False), ("standby", False), ("x", False)])
def test_only_what_comes_as_a_message_is_live(field: str, live: bool) -> None:  # noqa: FBT001 - a table's column
    """History and standby are kept, and not answered."""
    assert message({"messages": [text()]}, field=field).live is live


def test_a_value_without_arrays_is_one_event() -> None:
    """Unknown fields are kept as they came."""
    (event,) = events_of({"event": "X", "size": 3}, field="new_field")

    assert event == AccountEvent(
        field="new_field",
        entry_id="1",
        number=NUMBER,
        value={"metadata": {"phone_number_id": NUMBER}, "event": "X", "size": 3},
    )


def test_a_flows_figures_stay_with_their_flow() -> None:
    """Its `errors` are counts: torn from flow and threshold they mean nothing."""
    value = {"event": "ENDPOINT_ERROR_RATE", "flow_id": "7", "errors": [{"error_type": "x", "error_count": 3}]}

    (event,) = events_of(value, field="flows")

    assert isinstance(event, AccountEvent)
    assert (event.field, event.value["flow_id"]) == ("flows", "7")


def test_an_array_that_is_none_is_kept_aside() -> None:
    """Otherwise it would be answered 200 and be nowhere."""
    (event,) = events_of({"messages": {"id": "x"}})

    assert isinstance(event, Unusable)


# --- who -----------------------------------------------------------------------------------


def test_a_plus_blanks_and_hyphens_are_no_part_of_a_number() -> None:
    """Recorded ones have digits only; some fixtures do not."""
    assert message({"messages": [text(**{"from": "+1 650-555 1234"})]}).sender == "16505551234"


def test_a_sender_without_a_number_has_a_surrogate() -> None:
    """The key is made of the id, and the id is kept for sending."""
    met = message({"messages": [text(**{"from": None, "from_user_id": BSUID})]})

    assert (met.sender, met.sender_user_id) == (SURROGATE, BSUID)


@pytest.mark.parametrize(
    ("contact", "sender"),
    [({"wa_id": "1650"}, "1650"), ({"user_id": BSUID}, SURROGATE), ({"wa_id": "", "user_id": BSUID}, SURROGATE)],
)
def test_the_only_contact_stands_in_for_a_missing_sender(contact: dict[str, str], sender: str) -> None:
    """An empty text is the same as none."""
    assert message({"contacts": [contact], "messages": [text(**{"from": ""})]}).sender == sender


def test_a_differing_contact_is_an_alias() -> None:
    """Brazil's ninth digit."""
    met = message({"contacts": [{"wa_id": "5511987654321"}], "messages": [text(**{"from": "551187654321"})]})

    assert (met.sender, met.wa_id) == ("551187654321", "5511987654321")


def test_the_only_contact_of_two_people_is_nobodys_alias() -> None:
    """Otherwise a batch could marry two customers."""
    value = {
        "contacts": [{"wa_id": "111", "profile": {"name": "A"}}],
        "messages": [text(id="w1", **{"from": "111"}), text(id="w2", **{"from": "222"})],
    }

    first, second = events_of(value)

    assert isinstance(first, InboundMessage)
    assert isinstance(second, InboundMessage)
    assert (first.wa_id, first.name) == ("111", "A")
    assert (second.wa_id, second.name) == (None, None)


def test_a_system_message_without_from_is_about_whom_it_names() -> None:
    """Both recorded changes of an id come without `from` and without contacts."""
    system = {"type": "user_changed_user_id", "user_id": "US.2", "body": f"User A changed from {BSUID} to US.2"}

    met = message({"messages": [{"id": "wamid.S", "timestamp": "1749416383", "type": "system", "system": system}]})

    assert (met.sender, met.type) == (SURROGATE, "system")
    assert met.content["previous_user_id"] == BSUID


def test_a_group_message_names_its_group_and_its_inner_type() -> None:
    """Nothing is answered in groups."""
    met = message({"messages": [text(group_id="G")]})

    assert (met.type, met.group) == ("group", True)
    assert met.content == {"v": 1, "number": NUMBER, "group_id": "G", "type": "text", "text": "hi"}


def test_a_call_that_we_made_is_the_customers_row() -> None:
    """One row a call, under the call's id."""
    call = {"id": "wacid.1", "from": "999", "to": "111", "direction": "BUSINESS_INITIATED", "event": "terminate"}

    met = message({"calls": [{**call, "timestamp": "1749197480", "duration": 480}]}, field="calls")

    assert (met.sender, met.wa_message_id, met.type, met.content["seconds"]) == ("111", "wacid.1", "call", 480)


# --- when ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "stamp",
    ["", "soon", None, True, "1230767999", 0, -5, str(10**30), "1e9", [], str(unix(NOW) + 301), str(unix(NOW) * 1000)],
)
def test_a_time_that_cannot_be_becomes_the_acceptance(stamp: Any) -> None:
    """No number, before 2009, or more than 5 minutes ahead."""
    met = message({"messages": [text(timestamp=stamp)]})

    assert met.sent_at == NOW
    assert met.content["time_repaired"] is True


@pytest.mark.parametrize("stamp", ["1749416383", 1749416383, 1749416383.9, " 1749416383 "])
def test_a_time_is_a_text_or_a_number(stamp: Any) -> None:
    """Both occur."""
    met = message({"messages": [text(timestamp=stamp)]})

    assert met.sent_at == datetime(2025, 6, 8, 20, 59, 43, tzinfo=UTC)
    assert "time_repaired" not in met.content


def test_an_old_time_stays_but_windows_count_from_the_acceptance() -> None:
    """More than eight days cannot be a late delivery."""
    old = message({"messages": [text(timestamp=str(unix(NOW - timedelta(days=8, seconds=1))))]})
    late = message({"messages": [text(timestamp=str(unix(NOW - timedelta(days=8))))]})

    assert old.sent_at == NOW - timedelta(days=8, seconds=1)
    assert old.counts_from(NOW) == NOW
    assert late.counts_from(NOW) == late.sent_at


# --- what is kept --------------------------------------------------------------------------


def test_raw_is_the_one_event_not_the_batch() -> None:
    """A row must not hold what other customers said."""
    value = {
        "contacts": [{"wa_id": "111", "profile": {"name": "A"}}, {"wa_id": "222", "profile": {"name": "B"}}],
        "messages": [text(id="w1", **{"from": "111"}), text(id="w2", **{"from": "222"})],
    }

    first = events_of(value)[0]

    assert isinstance(first, InboundMessage)
    assert first.raw == {
        "v": 1,
        "field": "messages",
        "entry_id": "1",
        "metadata": {"phone_number_id": NUMBER},
        "contact": {"wa_id": "111", "profile": {"name": "A"}},
        "event": text(id="w1", **{"from": "111"}),
    }


def test_half_characters_are_repaired_and_said_so() -> None:
    """In every place that is stored; the neighbour is left as it is."""
    value = {
        "contacts": [{"wa_id": "222", "profile": {"name": "B\ud800"}}, {"wa_id": "333"}],
        "messages": [text(id="w1\x00", text={"body": "a\ud83d\x00"}), text(id="w2"), text(id="w3", **{"from": "222"})],
    }

    broken, whole, named = events_of(value)

    assert isinstance(broken, InboundMessage)
    assert isinstance(whole, InboundMessage)
    assert isinstance(named, InboundMessage)
    assert (broken.content["text"], broken.content["repaired"]) == ("a\ufffd\ufffd", True)
    assert broken.wa_message_id == "w1\ufffd"
    assert "repaired" not in whole.content
    assert (named.name, named.content["repaired"]) == ("B\ufffd", True)
    json.dumps(broken.raw, ensure_ascii=False).encode()


# --- statuses, preferences, echoes ---------------------------------------------------------


def test_a_status_tells_all_that_its_row_needs() -> None:
    """Correlation, recipient, price and error."""
    value = {
        "statuses": [
            {
                "id": "wamid.S",
                "status": "failed",
                "timestamp": "1750263773",
                "recipient_id": "16505551234",
                "biz_opaque_callback_data": "wch1.t.7.1",
                "conversation": {"id": "C"},
                "pricing": {"billable": False},
                "errors": [{"code": 131050, "title": "Opted out", "error_data": {"details": "stopped marketing"}}],
            }
        ]
    }

    (event,) = events_of(value)

    assert isinstance(event, StatusUpdate)
    assert (event.kind, event.status, event.recipient) == ("message", "failed", "16505551234")
    assert (event.callback_data, event.conversation_id, event.pricing) == ("wch1.t.7.1", "C", {"billable": False})
    assert event.errors[0].line == "131050 Opted out: stopped marketing"
    assert event.at == datetime(2025, 6, 18, 16, 22, 53, tzinfo=UTC)


def test_a_group_status_names_no_customer() -> None:
    """It leaves no row."""
    status = {"id": "w", "status": "read", "recipient_id": "1203@g.us", "recipient_type": "group"}

    (event,) = events_of({"contacts": [{"wa_id": "1650"}], "statuses": [status]})

    assert isinstance(event, StatusUpdate)
    assert (event.group, event.recipient) == (True, None)


@pytest.mark.parametrize("status", [{"status": "sent"}, {"id": "w"}, {"id": "w", "status": 7}, "x"])
def test_a_status_without_id_or_word_is_unusable(status: Any) -> None:
    """There is nothing to apply it to, or nothing to apply."""
    (event,) = events_of({"statuses": [status]})

    assert isinstance(event, Unusable)


def test_an_echo_is_to_the_customer() -> None:
    """`from` is the shop's own number."""
    echo = {"from": "999", "to": "111", "to_user_id": BSUID, "id": "wamid.E", "timestamp": "1700255121"}

    (event,) = events_of(
        {"message_echoes": [{**echo, "type": "text", "text": {"body": "x"}}]}, field="smb_message_echoes"
    )

    assert isinstance(event, Echo)
    assert (event.recipient, event.recipient_user_id, event.content["text"]) == ("111", BSUID, "x")


def test_a_preference_may_come_without_a_number() -> None:
    """A user name may stop marketing too."""
    (event,) = events_of(
        {"user_preferences": [{"user_id": BSUID, "value": "stop", "timestamp": 1750263773}]},
        field="user_preferences",
    )

    assert isinstance(event, PreferenceChange)
    assert (event.sender, event.value) == (SURROGATE, "stop")

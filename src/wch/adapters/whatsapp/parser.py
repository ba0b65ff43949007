"""The strict reader of deliveries: any bytes in, events out, one way to fail."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

from wch.adapters.whatsapp import lookup, plain_text, strict_json
from wch.adapters.whatsapp.graph_error import graph_error
from wch.adapters.whatsapp.message_content import content_of, previous_user_id, shared_content
from wch.adapters.whatsapp.sender import ContactBlocks, Sender, ids_of, sender
from wch.domain.document import VERSION, JsonObject, document
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
from wch.domain.moment import whole

ENTRIES = 1_000
EVENTS = 5_000
HISTORY = "history"

_ENVELOPE = frozenset({"messaging_product", "metadata", "contacts"})
_LIVE_FIELDS = frozenset({"messages", "calls"})


def read(body: bytes, *, now: datetime) -> tuple[InboundEvent, ...]:
    """The events of a delivery, in the order of its arrays, each usable or not by itself.

    `now` is the moment of acceptance: it stands in for times that cannot be.

    Raises:
        UnreadableDeliveryError: the body is not JSON within the limits, or not a delivery of
            WhatsApp's. Nothing else is ever raised, whatever the bytes.
    """
    moment = whole(now)
    seen = strict_json.glance(body)
    message = plain_text.message(seen, body, now=moment)
    return (message,) if message is not None else _read_any(seen, body, now=moment)


def _read_any(seen: Any, body: bytes, *, now: datetime) -> tuple[InboundEvent, ...]:
    try:
        known = strict_json.read_after(seen, body)
    except strict_json.StrictJsonError as error:
        raise UnreadableDeliveryError(detail=error.reason) from error
    envelope = known.value
    if not isinstance(envelope, dict) or envelope.get("object") != plain_text.OBJECT:
        raise UnreadableDeliveryError(detail="foreign_object")
    entries = envelope.get("entry")
    if not isinstance(entries, list):
        raise UnreadableDeliveryError(detail="no_entries")
    if len(entries) > ENTRIES:
        raise UnreadableDeliveryError(detail="too_many_entries")
    events: list[InboundEvent] = []
    for entry in entries:
        for event in _of_entry(entry, known, now=now):
            if len(events) == EVENTS:
                raise UnreadableDeliveryError(detail="too_many_events")
            events.append(event)
    return tuple(events)


def _of_entry(entry: Any, known: strict_json.Document, *, now: datetime) -> Iterable[InboundEvent]:
    changes = entry.get("changes") if isinstance(entry, dict) else None
    if not isinstance(changes, list):
        yield _unusable("entry_without_changes", entry, is_suspect=known.is_suspect)
        return
    for change in changes:
        value = change.get("value") if isinstance(change, dict) else None
        if not isinstance(value, dict):
            yield _unusable("change_without_value", change, is_suspect=known.is_suspect)
            continue
        yield from _of_change(_change(change, value, entry.get("id"), known, now=now))


def _unusable(detail: str, value: Any, *, is_suspect: bool) -> Unusable:
    clean = strict_json.repaired(value)[0] if is_suspect else value
    return Unusable(detail=detail, raw=document(event=strict_json.storable(clean)))


@attrs.frozen(kw_only=True)
class _Change:
    """One change of an entry: what its events share.

    Attributes:
        around: what the rows of all its events keep of the delivery.
    """

    field: str
    entry_id: str | None
    number: str
    value: JsonObject
    metadata: JsonObject
    around: JsonObject
    contacts: ContactBlocks
    now: datetime
    is_suspect: bool
    has_decimals: bool

    def clean(self, value: Any) -> tuple[Any, bool]:
        """The value as it can be stored, and whether something had to be replaced for it."""
        return strict_json.repaired(value) if self.is_suspect else (value, False)

    def storable(self, value: Any) -> Any:
        """The value in the types that every JSON column takes."""
        return strict_json.storable(value) if self.has_decimals else value

    def raw(self, event: Any, contact: JsonObject = lookup.NOTHING) -> JsonObject:
        """What a row keeps of the delivery: this event and what is around it, not the batch."""
        raw = {**self.around}
        if contact:
            raw["contact"] = self.storable(contact)
        if event is not None:
            raw["event"] = self.storable(event)
        return raw

    def unusable(self, detail: str, event: Any) -> Unusable:
        return Unusable(detail=detail, number=self.number or None, raw=self.raw(self.clean(event)[0]))


def _change(
    told: JsonObject, value: JsonObject, entry_id: Any, known: strict_json.Document, *, now: datetime
) -> _Change:
    field, entry_id = lookup.text(told.get("field")) or "", lookup.word(entry_id)
    metadata = lookup.mapping(value.get("metadata"))
    if known.is_suspect:
        (field, entry_id, metadata), _ = strict_json.repaired([field, entry_id, metadata])
    kept = strict_json.storable(metadata) if known.has_decimals else metadata
    return _Change(
        field=field,
        entry_id=entry_id,
        number=lookup.word(metadata.get("phone_number_id")) or "",
        value=value,
        metadata=metadata,
        around=document(field=field, entry_id=entry_id, metadata=kept or None),
        contacts=ContactBlocks.of(value.get("contacts")),
        now=now,
        is_suspect=known.is_suspect,
        has_decimals=known.has_decimals,
    )


def _of_change(change: _Change) -> Iterable[InboundEvent]:
    if change.field == HISTORY and isinstance(change.value.get(HISTORY), list):
        for chunk in change.value[HISTORY]:
            yield from _history(change, lookup.mapping(chunk))
        return
    value = change.value
    arrays = [name for name in _ARRAYS if value.get(name) is not None]
    if not arrays or (arrays == ["errors"] and not value.keys() <= _ENVELOPE | {"errors"}):
        # A flow's report has `errors` of its own kind: figures, which mean nothing without the rest.
        yield _account_event(change, change.field, value)
        return
    for name in arrays:
        elements = value[name]
        if not isinstance(elements, list):
            yield change.unusable(f"{name}_not_a_list", elements)
            continue
        alone = len(elements) == 1 or (
            change.contacts.is_one and len({repr(_speaker(name, one)) for one in elements}) <= 1
        )
        read_one = _ARRAYS[name]
        for element in elements:
            if isinstance(element, dict):
                yield read_one(change, element, alone=alone)
            else:
                yield change.unusable(f"{name}_element_not_an_object", element)


def _history(change: _Change, chunk: JsonObject) -> Iterable[InboundEvent]:
    """What was said before the hub was there: threads by customer, each message of either side."""
    threads = [thread for thread in lookup.sequence(chunk.get("threads")) if isinstance(thread, Mapping)]
    if not threads:
        yield _account_event(change, HISTORY, chunk)
    for thread in threads:
        for element in lookup.sequence(thread.get("messages")):
            if not isinstance(element, Mapping):
                yield change.unusable("history_element_not_an_object", element)
            elif _is_ours(change, element):
                yield _echo(change, {"to": thread.get("id"), **element}, alone=True)
            else:
                yield _message(change, {"from": thread.get("id"), **element}, alone=True)


def _is_ours(change: _Change, element: JsonObject) -> bool:
    """Whether the business wrote it: it says so, or it is from the business's number."""
    mine = lookup.mapping(element.get("history_context")).get("from_me")
    number = lookup.digits(change.metadata.get("display_phone_number"))
    return mine is True or (number is not None and lookup.digits(element.get("from")) == number)


def _speaker(array: str, element: Any) -> Any:
    """Who an element is about, as its own ids tell."""
    about = lookup.mapping(element)
    if array == "message_echoes":
        return about.get("to"), about.get("to_user_id")
    if array == "statuses":
        return about.get("recipient_id"), about.get("recipient_user_id")
    return about.get("from"), about.get("from_user_id")


def _message_id(event: JsonObject) -> str | None:
    told = lookup.text(event.get("id"))
    return told if told and len(told) <= plain_text.ID_LENGTH else None


def _contact(change: _Change, number: Any, user_id: Any, *, alone: bool) -> tuple[JsonObject, bool]:
    return change.clean(change.contacts.matching(number, user_id, alone=alone))


def _content(change: _Change, event: JsonObject, said: dict[str, Any], *, repaired: bool, late: bool) -> JsonObject:
    content = {"v": VERSION, "number": change.number, **said} if change.number else {"v": VERSION, **said}
    content.update(shared_content(event))
    if repaired:
        content["repaired"] = True
    if late:
        content["time_repaired"] = True
    return content


def _message(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:
    event, event_repaired = change.clean(element)
    wa_message_id = _message_id(event)
    if wa_message_id is None:
        return change.unusable("message_without_id", element)
    contact, contact_repaired = _contact(change, event.get("from"), event.get("from_user_id"), alone=alone)
    who = _writer(event, contact)
    if who is None:
        return change.unusable("message_without_sender", element)
    word, said = content_of(event)
    group_id = lookup.text(event.get("group_id"))
    if group_id is not None:
        word, said = "group", {"group_id": group_id, "type": word, **said}
    sent_at, moved = lookup.moment(event.get("timestamp"), change.now)
    return _inbound(
        change,
        who,
        wa_message_id=wa_message_id,
        word=word,
        content=_content(change, event, said, repaired=event_repaired or contact_repaired, late=moved),
        sent_at=sent_at,
        raw=change.raw(event, contact),
        group=group_id is not None,
    )


def _writer(event: JsonObject, contact: JsonObject) -> Sender | None:
    """Who wrote it; a system message without `from` is about the person whom it names."""
    who = sender(
        event.get("from"),
        event.get("from_user_id"),
        contact,
        parent_user_id=event.get("from_parent_user_id"),
    )
    if who is not None or event.get("type") != "system":
        return who
    body = lookup.mapping(event.get("system"))
    return sender(body.get("customer"), previous_user_id(event) or body.get("user_id"), contact)


def _inbound(
    change: _Change,
    who: Sender,
    *,
    wa_message_id: str,
    word: str,
    content: JsonObject,
    sent_at: datetime,
    raw: JsonObject,
    group: bool,
) -> InboundMessage:
    return InboundMessage(
        number=change.number,
        wa_message_id=wa_message_id,
        sender=who.key,
        sender_user_id=who.user_id,
        parent_user_id=who.parent_user_id,
        wa_id=who.wa_id,
        name=who.name,
        username=who.username,
        type=word,
        content=content,
        sent_at=sent_at,
        raw=raw,
        live=change.field in _LIVE_FIELDS,
        group=group,
    )


def _call(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:
    """A call is one row under the call's id; the customer is whom it was made to, if we made it."""
    event, event_repaired = change.clean(element)
    call_id = _message_id(event)
    if call_id is None:
        return change.unusable("call_without_id", element)
    ours = event.get("direction") == "BUSINESS_INITIATED"
    number, user_id = (
        (event.get("to"), event.get("to_user_id")) if ours else (event.get("from"), event.get("from_user_id"))
    )
    contact, contact_repaired = _contact(change, number, user_id, alone=alone)
    who = sender(number, user_id, contact)
    if who is None:
        return change.unusable("call_without_sender", element)
    told = {
        "call_id": call_id,
        "event": lookup.text(event.get("event")),
        "direction": lookup.text(event.get("direction")),
        "seconds": lookup.integer(event.get("duration")),
    }
    sent_at, moved = lookup.moment(event.get("timestamp"), change.now)
    said = {name: value for name, value in told.items() if value is not None}
    return _inbound(
        change,
        who,
        wa_message_id=call_id,
        word="call",
        content=_content(change, event, said, repaired=event_repaired or contact_repaired, late=moved),
        sent_at=sent_at,
        raw=change.raw(event, contact),
        group=False,
    )


def _echo(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:
    event, event_repaired = change.clean(element)
    wa_message_id = _message_id(event)
    if wa_message_id is None:
        return change.unusable("echo_without_id", element)
    contact, contact_repaired = _contact(change, event.get("to"), event.get("to_user_id"), alone=alone)
    recipient, user_id = ids_of(event.get("to"), event.get("to_user_id"), contact)
    if recipient is None:
        return change.unusable("echo_without_recipient", element)
    word, said = content_of(event)
    sent_at, moved = lookup.moment(event.get("timestamp"), change.now)
    return Echo(
        number=change.number,
        wa_message_id=wa_message_id,
        recipient=recipient,
        recipient_user_id=user_id,
        type=word,
        content=_content(change, event, said, repaired=event_repaired or contact_repaired, late=moved),
        sent_at=sent_at,
        raw=change.raw(event, contact),
    )


def _status(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:
    event, _ = change.clean(element)
    wa_message_id, word = _message_id(event), lookup.text(event.get("status"))
    if wa_message_id is None or word is None:
        return change.unusable("status_without_id" if wa_message_id is None else "status_without_word", element)
    whom = event.get("recipient_id"), event.get("recipient_user_id")
    contact, _ = _contact(change, *whom, alone=alone)
    group = event.get("recipient_type") == "group"
    recipient, user_id = (None, None) if group else ids_of(*whom, contact)
    at, moved = lookup.moment(event.get("timestamp"), change.now)
    return StatusUpdate(
        number=change.number,
        wa_message_id=wa_message_id,
        kind=lookup.text(event.get("type")) or "message",
        status=word,
        at=at,
        time_repaired=moved,
        recipient=recipient,
        recipient_user_id=user_id,
        group=group,
        callback_data=lookup.text(event.get("biz_opaque_callback_data")),
        errors=tuple(map(graph_error, lookup.sequence(event.get("errors")))),
        pricing=change.storable(lookup.mapping(event.get("pricing"))) or None,
        conversation_id=_message_id(lookup.mapping(event.get("conversation"))),
        payment=change.storable(lookup.mapping(event.get("payment"))) or None,
        raw=change.raw(event, contact),
    )


def _preference(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:
    event, _ = change.clean(element)
    word = lookup.text(event.get("value"))
    contact, _ = _contact(change, event.get("wa_id"), event.get("user_id"), alone=alone)
    who = sender(event.get("wa_id"), event.get("user_id"), contact)
    if who is None or word is None:
        return change.unusable("preference_without_sender" if who is None else "preference_without_value", element)
    return PreferenceChange(
        number=change.number,
        sender=who.key,
        sender_user_id=who.user_id,
        wa_id=who.wa_id or lookup.digits(event.get("wa_id")),
        category=lookup.text(event.get("category")) or "",
        value=word,
        at=lookup.moment(event.get("timestamp"), change.now)[0],
        raw=change.raw(event, contact),
    )


def _error(change: _Change, element: JsonObject, *, alone: bool) -> InboundEvent:  # noqa: ARG001 - one shape for all arrays
    return _account_event(change, "errors", element)


def _account_event(change: _Change, field: str, value: JsonObject) -> AccountEvent:
    clean, _ = change.clean(value)
    return AccountEvent(
        field=field,
        entry_id=change.entry_id,
        number=change.number or None,
        value=change.storable(clean),
    )


_ARRAYS = {
    "messages": _message,
    "statuses": _status,
    "message_echoes": _echo,
    "user_preferences": _preference,
    "calls": _call,
    "errors": _error,
}
"""The arrays whose elements are events by themselves, in the order in which they are taken."""

"""A delivery, cut into its events; each stands alone, and what is not known is kept as it came."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from wch.adapters.whatsapp import strict_json
from wch.adapters.whatsapp.contents import content_of
from wch.domain.inbound import (
    AccountEvent,
    Delivery,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    Unusable,
    UnreadableDeliveryError,
)
from wch.domain.moment import of_unix, whole
from wch.domain.phone import surrogate

MOST_ENTRIES = 1000
MOST_EVENTS = 5000
MOST_ID = 255

EARLIEST = of_unix(1_230_768_000)
"""2009-01-01: before it there was no WhatsApp."""

AHEAD = timedelta(minutes=5)

LIVE_FIELD = "messages"
ECHO_FIELDS = frozenset({"smb_message_echoes", "message_echoes"})
ARRAYS = ("messages", "statuses", "message_echoes", "user_preferences", "calls", "errors")

_DIGITS = re.compile(r"[0-9]{1,20}\Z")
_SPACED = str.maketrans("", "", "+ -\N{NO-BREAK SPACE}")


@attrs.frozen(kw_only=True)
class Place:
    """Where in a delivery an event stands."""

    field: str
    entry_id: str | None
    value: Mapping[str, Any]
    now: datetime

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Which number was written to."""
        return _object(self.value.get("metadata"))

    @property
    def number(self) -> str:
        """The phone number id, empty when none is named."""
        return _text(self.metadata.get("phone_number_id")) or ""

    def contact(self, item: Mapping[str, Any]) -> Mapping[str, Any]:
        """The contact block that belongs to this event: by number, by user id, or the only one."""
        contacts = [_object(one) for one in _list(self.value.get("contacts"))]
        sender, user = _digits(item.get("from")), _text(item.get("from_user_id"))
        for one in contacts:
            if (sender and _digits(one.get("wa_id")) == sender) or (user and one.get("user_id") == user):
                return one
        return contacts[0] if len(contacts) == 1 else {}

    def raw(self, name: str, item: Any, contact: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The one event with what stands around it, not the batch."""
        kept: dict[str, Any] = {"field": self.field, "entry": self.entry_id, "metadata": dict(self.metadata)}
        if contact:
            kept["contact"] = dict(contact)
        return {**kept, name: item}


def read(body: bytes, *, now: datetime) -> Delivery:
    """What this delivery tells, event by event, in the order of its arrays.

    Raises:
        UnreadableDeliveryError: it is not JSON within the rules, not WhatsApp's, or has too many parts.
    """
    document = strict_json.read(body)
    if not isinstance(document, dict) or document.get("object") != "whatsapp_business_account":
        raise UnreadableDeliveryError("The body is not a delivery of WhatsApp's.")
    entries = document.get("entry")
    if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
        raise UnreadableDeliveryError("The delivery has no list of entries, or more than 1,000.")
    events: list[InboundEvent] = []
    for entry in entries:
        for event in _entry(_object(entry), now):
            events.append(event)
            if len(events) > MOST_EVENTS:
                raise UnreadableDeliveryError("The delivery has more than 5,000 events.")
    return Delivery(events=tuple(events))


def _entry(entry: Mapping[str, Any], now: datetime) -> Iterator[InboundEvent]:
    for change in _list(entry.get("changes")):
        held = _object(change)
        place = Place(
            field=_text(held.get("field")) or "",
            entry_id=_text(entry.get("id")),
            value=_object(held.get("value")),
            now=whole(now),
        )
        yield from _value(place)


def _value(place: Place) -> Iterator[InboundEvent]:
    """Every element of the known arrays; a value without any is one event itself."""
    found = False
    for name in ARRAYS:
        for item in _list(place.value.get(name)):
            found = True
            yield _element(place, name, item)
    if not found:
        yield AccountEvent(
            number=place.number or None, field=place.field, raw=_kept(place.raw("value", dict(place.value)))
        )


def _element(place: Place, name: str, item: Any) -> InboundEvent:
    if not isinstance(item, dict):
        return _unusable(place, name, item, "it is no object")
    if name == "statuses":
        return _status(place, item)
    if name == "user_preferences":
        return _preference(place, item)
    if name == "errors":
        return AccountEvent(number=place.number or None, field="errors", raw=_kept(place.raw("error", item)))
    if name == "message_echoes" or (name == "messages" and place.field in ECHO_FIELDS):
        return _echo(place, item)
    return _message(place, item, call=name == "calls")


def _message(place: Place, item: Mapping[str, Any], *, call: bool) -> InboundEvent:
    contact = place.contact(item)
    wa_message_id = _text(item.get("id"))
    if wa_message_id is None or len(wa_message_id) > MOST_ID:
        return _unusable(place, "message", item, "it has no id of 1 to 255 characters")
    sender, user = _sender(item, contact)
    if sender is None:
        return _unusable(place, "message", item, "it names no sender")
    kind, content = content_of(item, call=call)
    sent_at, repaired_time = _time(item.get("timestamp"), place.now)
    content, mended = strict_json.repaired(content)
    content = {"v": 1, "number": place.number, **content}
    if mended:
        content["repaired"] = True
    if repaired_time:
        content["time_repaired"] = True
    return InboundMessage(
        number=place.number,
        wa_message_id=_plain(wa_message_id),
        sender=sender,
        user_id=user,
        wa_id=_digits(contact.get("wa_id")),
        name=_name(contact),
        type=kind,
        content=content,
        sent_at=sent_at,
        raw=_kept(place.raw("call" if call else "message", dict(item), contact)),
        is_live=place.field == LIVE_FIELD,
        in_group=_text(item.get("group_id")) is not None,
    )


def _sender(item: Mapping[str, Any], contact: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The customer's key and BSUID: `from`, else the user id, else the only contact's."""
    system = _object(item.get("system"))
    user = (
        _text(item.get("from_user_id"))
        or _text(contact.get("user_id"))
        or _text(system.get("previous_user_id"))
        or _text(system.get("user_id"))
    )
    digits = _digits(item.get("from")) or (None if user else _digits(contact.get("wa_id")))
    if digits is None and not item.get("from") and user is None:
        digits = _digits(contact.get("wa_id"))
    if digits is not None:
        return digits, user
    return (None, None) if user is None else (surrogate(user), user)


def _name(contact: Mapping[str, Any]) -> str | None:
    name = _text(_object(contact.get("profile")).get("name"))
    return None if name is None else _plain(name)[:255]


def _status(place: Place, item: Mapping[str, Any]) -> InboundEvent:
    wa_message_id = _text(item.get("id"))
    if wa_message_id is None or len(wa_message_id) > MOST_ID:
        return _unusable(place, "status", item, "it has no id of 1 to 255 characters")
    errors = [_object(one) for one in _list(item.get("errors"))]
    first = errors[0] if errors else {}
    code = first.get("code")
    at, _ = _time(item.get("timestamp"), place.now)
    return StatusUpdate(
        number=place.number,
        wa_message_id=_plain(wa_message_id),
        status=_plain(_text(item.get("status")) or "unknown"),
        at=at,
        recipient=_recipient(item),
        callback_data=_text(item.get("biz_opaque_callback_data")),
        error_code=_whole(code),
        error=_error(first) if errors else None,
        pricing=_kept(_object(item.get("pricing"))) or None,
        conversation_id=_text(_object(item.get("conversation")).get("id")),
        payment=_kept(_object(item.get("payment"))) or None,
        in_group=item.get("recipient_type") == "group" or "group_id" in item,
        raw=_kept(place.raw("status", dict(item))),
    )


def _recipient(item: Mapping[str, Any]) -> str | None:
    digits = _digits(item.get("recipient_id"))
    if digits is not None:
        return digits
    user = _text(item.get("recipient_user_id"))
    return None if user is None else surrogate(user)


def _error(error: Mapping[str, Any]) -> str:
    """`<code> <title>: <details>`."""
    details = _text(_object(error.get("error_data")).get("details")) or _text(error.get("message")) or ""
    title = _text(error.get("title")) or ""
    head = f"{error.get('code', '')} {title}".strip()
    return _plain(f"{head}: {details}" if details and details != title else head)


def _preference(place: Place, item: Mapping[str, Any]) -> InboundEvent:
    user = _text(item.get("user_id"))
    sender = _digits(item.get("wa_id")) or (None if user is None else surrogate(user))
    value = _text(item.get("value"))
    if sender is None or value is None:
        return _unusable(place, "preference", item, "it names no customer or no decision")
    at, _ = _time(item.get("timestamp"), place.now)
    return PreferenceChange(
        number=place.number, sender=sender, value=value, at=at, raw=_kept(place.raw("preference", dict(item)))
    )


def _echo(place: Place, item: Mapping[str, Any]) -> InboundEvent:
    wa_message_id = _text(item.get("id"))
    user = _text(item.get("to_user_id"))
    recipient = _digits(item.get("to")) or (None if user is None else surrogate(user))
    if wa_message_id is None or len(wa_message_id) > MOST_ID or recipient is None:
        return _unusable(place, "echo", item, "it has no id or no recipient")
    kind, content = content_of(item, call=False)
    content, _ = strict_json.repaired(content)
    sent_at, _ = _time(item.get("timestamp"), place.now)
    return Echo(
        number=place.number,
        wa_message_id=_plain(wa_message_id),
        recipient=recipient,
        type=kind,
        content={"v": 1, "number": place.number, **content},
        sent_at=sent_at,
        raw=_kept(place.raw("message_echo", dict(item))),
    )


def _unusable(place: Place, name: str, item: Any, detail: str) -> Unusable:
    return Unusable(number=place.number or None, detail=f"{name}: {detail}", raw=_kept(place.raw(name, item)))


def _time(value: Any, now: datetime) -> tuple[datetime, bool]:
    """The provider's time and whether it had to be replaced by that of acceptance."""
    seconds = _whole(value)
    if seconds is not None and 0 <= seconds < 2**40:
        try:
            at = of_unix(seconds)
        except OverflowError:
            return now, True
        if EARLIEST <= at <= now + AHEAD:
            return at, False
    return now, True


def _kept(value: Any) -> Any:
    return strict_json.repaired(value)[0]


def _plain(text: str) -> str:
    return str(strict_json.repaired(text)[0])


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    """A text that says something; an empty one is the same as none."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value) or None


def _whole(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,12}", value):
        return int(value)
    return None


def _digits(value: Any) -> str | None:
    """The digits of a number; a plus, blanks and hyphens are dropped."""
    text = _text(value)
    if text is None:
        return None
    bare = text.translate(_SPACED)
    return bare if _DIGITS.match(bare) else None

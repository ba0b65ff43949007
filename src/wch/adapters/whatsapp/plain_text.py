"""One text of one person, as nearly every delivery is: read without looking twice at anything.

Only what is exactly so is read here. The parser reads all the rest, and would read this the same.
"""

from datetime import datetime
from typing import Any

from wch.adapters.whatsapp import lookup, strict_json
from wch.adapters.whatsapp.sender import NAME_LENGTH
from wch.domain.document import VERSION
from wch.domain.evolution import made_of
from wch.domain.inbound import InboundMessage

OBJECT = "whatsapp_business_account"
FIELD, TYPE = "messages", "text"
ID_LENGTH = 255

_KEYS = 21
"""How many keys such a delivery has at least: each is asked for below by its name."""


def message(seen: Any, body: bytes, *, now: datetime) -> InboundMessage | None:
    """The message of this body, which `strict_json.glance` saw so; None where it is not plainly one text.

    What has no more keys than are asked for here has none twice, and no value but these.
    """
    try:
        [entry] = seen["entry"]
        [change] = entry["changes"]
        value = change["value"]
        metadata = value["metadata"]
        [contact] = value["contacts"]
        profile = contact["profile"]
        [event] = value["messages"]
        if seen["object"] != OBJECT or change["field"] != FIELD or event["type"] != TYPE:
            return None
        texts = (
            entry_id := entry["id"],
            value["messaging_product"],
            metadata["display_phone_number"],
            number := metadata["phone_number_id"],
            name := profile["name"],
            wa_id := contact["wa_id"],
            sender := event["from"],
            wa_message_id := event["id"],
            timestamp := event["timestamp"],
            text := event["text"]["body"],
        )
    except (KeyError, TypeError, ValueError):
        return None
    more = (
        own_id := event.get("from_user_id"),
        own_parent_id := event.get("from_parent_user_id"),
        user_id := contact.get("user_id"),
        parent_id := contact.get("parent_user_id"),
        username := profile.get("username"),
    )
    for one in texts:
        if one.__class__ is not str or not one:
            return None
    told = len(more) - more.count(None)
    if told:
        for one in more:
            if one is not None and one.__class__ is not str:
                return None
    sent_at, moved = lookup.moment(timestamp, now)
    if (
        moved
        or len(wa_message_id) > ID_LENGTH
        or not lookup.is_number(sender)
        or not (wa_id == sender or lookup.is_number(wa_id))
        or not strict_json.has_keys(body, _KEYS + told)
        or strict_json.is_suspect(body)
    ):
        return None
    fields = {
        "number": number,
        "wa_message_id": wa_message_id,
        "sender": sender,
        "sender_user_id": lookup.user_id(own_id) or lookup.user_id(user_id) if told else None,
        "parent_user_id": lookup.user_id(own_parent_id) or lookup.user_id(parent_id) if told else None,
        "wa_id": wa_id,
        "name": name[:NAME_LENGTH],
        "username": username or None,
        "type": TYPE,
        "content": {"v": VERSION, "number": number, "text": text},
        "sent_at": sent_at,
        "raw": {
            "v": VERSION,
            "field": FIELD,
            "entry_id": entry_id,
            "metadata": metadata,
            "contact": contact,
            "event": event,
        },
        "live": True,
        "group": False,
    }
    return made_of(InboundMessage, fields)

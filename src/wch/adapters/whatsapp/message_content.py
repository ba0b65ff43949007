"""What a message says, in the shape of the `content` column, type by type."""

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from wch.adapters.whatsapp import lookup, strict_json
from wch.domain.document import JsonObject

CONTACTS = 20
VCARD_BYTES = 4 * 1024
UNSUPPORTED_BYTES = 16 * 1024
_SHA256_BYTES = 32
_HEX = re.compile(r"[0-9a-fA-F]{64}\Z")
_CHANGED = re.compile(r"\bfrom (\S{1,300}) to (\S{1,300})(?:\s|\Z)")
_AROUND = frozenset(
    {"id", "from", "from_user_id", "from_parent_user_id", "to", "to_user_id", "to_parent_user_id"}
    | {"timestamp", "type", "context", "errors", "referral", "unsupported", "group_id", "history_context"},
)
"""Keys around a message's body, which an unsupported one's body leaves out."""
_SHARED = frozenset({"context", "referral", "errors"})

Content = dict[str, Any]
Reader = Callable[[JsonObject], Content | None]


def content_of(event: JsonObject) -> tuple[str, Content]:
    """The word for the `type` column, and what was said; without the keys that all types share.

    A type that is not known, or whose body is not what that type has, is `unsupported` and
    keeps WhatsApp's word as `kind`. Never fails.
    """
    word = _word(event)
    read = _READERS.get(word)
    said = read(event) if read is not None else None
    if said is None:
        return "unsupported", _unsupported(event, word)
    if None in said.values():
        said = {name: value for name, value in said.items() if value is not None}
    return _COLUMN.get(word, word), said


def shared_content(event: JsonObject) -> Content:
    """What any type may carry: the quote, forwarding, the product asked about, the ad, errors."""
    if _SHARED.isdisjoint(event):
        return {}
    context = lookup.mapping(event.get("context"))
    product = lookup.mapping(context.get("referred_product"))
    shared: Content = {
        "reply_to": lookup.text(context.get("id")),
        "forwarded": 2
        if context.get("frequently_forwarded") is True
        else 1
        if context.get("forwarded") is True
        else None,
        "product": {
            "catalog_id": lookup.word(product.get("catalog_id")),
            "retailer_id": lookup.word(product.get("product_retailer_id")),
        }
        if product
        else None,
        "referral": strict_json.storable(lookup.mapping(event.get("referral"))) or None,
        "errors": strict_json.storable(lookup.sequence(event.get("errors"))) or None,
    }
    return {name: value for name, value in shared.items() if value is not None}


def _word(event: JsonObject) -> str:
    """WhatsApp's type; where it is left out, the one known type whose body is there."""
    told = lookup.text(event.get("type"))
    if told is not None:
        return told
    present = [name for name in _READERS if isinstance(event.get(name), Mapping | list)]
    return present[0] if len(present) == 1 else ""


def _text(event: JsonObject) -> Content | None:
    body = lookup.mapping(event.get("text")).get("body")
    return {"text": body} if isinstance(body, str) else None


def _media(word: str) -> Reader:
    def read(event: JsonObject) -> Content | None:
        body = event.get(word)
        if not isinstance(body, Mapping):
            return None
        media = {
            "id": lookup.word(body.get("id")),
            "mime_type": lookup.text(body.get("mime_type")),
            "sha256": sha256_hex(body.get("sha256")),
            "voice": True if word == "voice" else _flag(body.get("voice")),
            "animated": _flag(body.get("animated")),
            "filename": lookup.text(body.get("filename")),
        }
        return {
            "media": {name: value for name, value in media.items() if value is not None},
            "caption": lookup.text(body.get("caption")),
        }

    return read


def sha256_hex(value: Any) -> str | None:
    """The digest as hex, which webhooks give as base64; None when it is neither."""
    told = lookup.text(value)
    if told is None:
        return None
    if _HEX.match(told):
        return told.lower()
    try:
        digest = base64.b64decode(told, validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest.hex() if len(digest) == _SHA256_BYTES else None


def _flag(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _location(event: JsonObject) -> Content | None:
    body = lookup.mapping(event.get("location"))
    latitude, longitude = lookup.decimal(body.get("latitude")), lookup.decimal(body.get("longitude"))
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:  # noqa: PLR2004 - degrees
        return None
    return {
        "latitude": format(latitude, "f"),
        "longitude": format(longitude, "f"),
        "name": lookup.text(body.get("name")),
        "address": lookup.text(body.get("address")),
        "url": lookup.text(body.get("url")),
    }


def _contacts(event: JsonObject) -> Content | None:
    cards = event.get("contacts")
    if not isinstance(cards, list):
        return None
    known = [card for card in cards if isinstance(card, Mapping)]
    origins = [event.get("origin"), *(card.get("origin") for card in known)]
    return {
        "contacts": [_card(card) for card in known[:CONTACTS]],
        "origin": next((origin for origin in origins if lookup.text(origin)), None),
    }


def _card(card: JsonObject) -> Content:
    kept = {
        name: strict_json.storable(card[name]) for name in ("name", "phones", "emails", "addresses") if card.get(name)
    }
    vcard = lookup.text(card.get("vcard"))
    if vcard is not None:
        kept["vcard"] = vcard.encode()[:VCARD_BYTES].decode(errors="ignore")
    return kept


def _interactive(event: JsonObject) -> Content:
    body = lookup.mapping(event.get("interactive"))
    kind = lookup.text(body.get("type"))
    inner = body.get(kind) if kind else None
    if isinstance(inner, Mapping):
        if kind in {"button_reply", "list_reply"} and (lookup.text(inner.get("id")) or lookup.text(inner.get("title"))):
            said = {name: lookup.text(inner.get(name)) for name in ("id", "title", "description")}
            return {"kind": kind, **{name: value for name, value in said.items() if value is not None}}
        if kind == "nfm_reply":
            return _form(inner)
    fields = {name: strict_json.storable(value) for name, value in body.items() if name != "type"}
    return {"kind": kind, "fields": fields or None}


def _form(body: JsonObject) -> Content:
    """A form's answer: an object, or the text that should have held one."""
    said: Content = {
        "kind": "nfm_reply",
        "name": lookup.text(body.get("name")),
        "body": lookup.text(body.get("body")),
    }
    answer = body.get("response_json")
    if isinstance(answer, Mapping):
        return {**said, "data": strict_json.storable(answer)}
    if not isinstance(answer, str):
        return said if answer is None else {**said, "data_text": json.dumps(strict_json.storable(answer))}
    try:
        document = strict_json.read(answer.encode())
    except strict_json.StrictJsonError:
        return {**said, "data_text": answer}
    if not isinstance(document.value, dict):
        return {**said, "data_text": answer}
    data, touched = strict_json.repaired(document.value) if document.is_suspect else (document.value, False)
    return {**said, "data": strict_json.storable(data), "repaired": touched or None}


def _button(event: JsonObject) -> Content | None:
    body = lookup.mapping(event.get("button"))
    said = {"payload": lookup.text(body.get("payload")), "text": lookup.text(body.get("text"))}
    return said if any(said.values()) else None


def _order(event: JsonObject) -> Content | None:
    body = event.get("order")
    if not isinstance(body, Mapping):
        return None
    return {
        "catalog_id": lookup.word(body.get("catalog_id")),
        "text": lookup.text(body.get("text")),
        "items": [_line(item) for item in lookup.sequence(body.get("product_items")) if isinstance(item, Mapping)],
    }


def _line(item: JsonObject) -> Content:
    """One line as the phone showed it; a quantity that is no number stays the text it was."""
    quantity = lookup.integer(item.get("quantity"))
    line = {
        "retailer_id": lookup.word(item.get("product_retailer_id")),
        "quantity": quantity
        if quantity is not None
        else lookup.decimal_text(item.get("quantity")) or lookup.text(item.get("quantity")),
        "price": lookup.decimal_text(item.get("item_price")),
        "currency": lookup.text(item.get("currency")),
    }
    return {name: value for name, value in line.items() if value is not None}


def _reaction(event: JsonObject) -> Content:
    body = lookup.mapping(event.get("reaction"))
    return {"target": lookup.text(body.get("message_id")), "emoji": lookup.text(body.get("emoji"))}


def _edit(event: JsonObject) -> Content:
    body = lookup.mapping(event.get("edit"))
    word, said = content_of(lookup.mapping(body.get("message")))
    return {"target": lookup.text(body.get("original_message_id")), "message": {"type": word, **said}}


def _revoke(event: JsonObject) -> Content:
    return {"target": lookup.text(lookup.mapping(event.get("revoke")).get("original_message_id"))}


def _system(event: JsonObject) -> Content:
    body = lookup.mapping(event.get("system"))
    return {
        "kind": lookup.text(body.get("type")),
        "old": lookup.digits(body.get("customer")) or lookup.digits(event.get("from")),
        "new": lookup.digits(body.get("wa_id")) or lookup.digits(body.get("new_wa_id")),
        "user_id": lookup.user_id(body.get("user_id")),
        "previous_user_id": previous_user_id(event),
        "parent_user_id": lookup.user_id(body.get("parent_user_id")),
        "identity": lookup.text(body.get("identity")),
    }


def previous_user_id(event: JsonObject) -> str | None:
    """The id that a system message says is over; deliveries seen so far name it in their sentence only."""
    body = lookup.mapping(event.get("system"))
    told = lookup.user_id(body.get("previous_user_id"))
    if told is not None or body.get("type") != "user_changed_user_id":
        return told
    found = _CHANGED.search(lookup.text(body.get("body")) or "")
    return found[1] if found and found[2] == body.get("user_id") else None


def _request_welcome(_event: JsonObject) -> Content:
    return {}


def _unsupported(event: JsonObject, word: str) -> Content:
    unsupported = lookup.mapping(event.get("unsupported"))
    body = strict_json.storable({name: value for name, value in event.items() if name not in _AROUND})
    fits = len(json.dumps(body, ensure_ascii=False).encode()) <= UNSUPPORTED_BYTES
    said: Content = {"kind": word}
    if inner := lookup.text(unsupported.get("type")):
        said["unsupported"] = {"type": inner}
    if body and fits:
        said["body"] = body
    elif body:
        said["body_left_out"] = True
    return said


_READERS: Mapping[str, Reader] = {
    "text": _text,
    "image": _media("image"),
    "video": _media("video"),
    "document": _media("document"),
    "audio": _media("audio"),
    "voice": _media("voice"),
    "sticker": _media("sticker"),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "system": _system,
    "request_welcome": _request_welcome,
}

_COLUMN: Mapping[str, str] = {"voice": "audio"}
"""Words of WhatsApp's that share another one's column word."""

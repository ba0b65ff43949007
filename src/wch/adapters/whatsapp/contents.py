"""What a message says, by its kind, in the shape that the content column keeps."""

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

Item = Mapping[str, Any]
Content = dict[str, Any]

MEDIA_TYPES = {
    "image": "image",
    "video": "video",
    "document": "document",
    "audio": "audio",
    "voice": "audio",
    "sticker": "sticker",
}
MOST_CONTACTS = 20
MOST_VCARD = 4096
MOST_RAW = 16_384
OFTEN = 2


def content_of(item: Item, *, call: bool) -> tuple[str, Content]:
    """The word for the type column, and the content."""
    if call:
        return "call", _call(item)
    word = item.get("type")
    kind = word if isinstance(word, str) else ""
    common = _common(item)
    reader = _READERS.get(kind)
    if isinstance(item.get("group_id"), str):
        inner_kind, inner = reader(kind, item) if reader else _unsupported(kind, item)
        return "group", {"group_id": item["group_id"], "message": {"type": inner_kind, **inner}, **common}
    stored, content = reader(kind, item) if reader else _unsupported(kind, item)
    return stored, {**content, **common}


def _object(value: Any) -> Item:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _some(**fields: Any) -> Content:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def _common(item: Item) -> Content:
    context = _object(item.get("context"))
    product = _object(context.get("referred_product"))
    forwarded = OFTEN if context.get("frequently_forwarded") else (1 if context.get("forwarded") else None)
    return _some(
        reply_to=context.get("id"),
        forwarded=forwarded,
        product=_some(catalog_id=product.get("catalog_id"), retailer_id=product.get("product_retailer_id")),
        referral=dict(_object(item.get("referral"))),
        errors=_list(item.get("errors")),
    )


def _text(_kind: str, item: Item) -> tuple[str, Content]:
    body = _object(item.get("text")).get("body")
    return "text", {"text": body if isinstance(body, str) else ""}


def _media(kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get(kind))
    media = _some(
        id=held.get("id"),
        mime_type=held.get("mime_type"),
        sha256=_hex(held.get("sha256")),
        voice=True if kind == "voice" else held.get("voice"),
        animated=held.get("animated"),
        filename=held.get("filename"),
    )
    return MEDIA_TYPES[kind], _some(media=media, caption=held.get("caption"))


def _hex(value: Any) -> str | None:
    """The digest in hex: webhooks give base64, Graph's own answers hex."""
    if not isinstance(value, str) or not value:
        return None
    if len(value) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in value):
        return value.lower()
    try:
        return base64.b64decode(value, validate=True).hex()
    except (binascii.Error, ValueError):
        return value


def _location(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("location"))
    return "location", _some(
        latitude=_decimal(held.get("latitude")),
        longitude=_decimal(held.get("longitude")),
        name=held.get("name"),
        address=held.get("address"),
        url=held.get("url"),
    )


def _decimal(value: Any) -> str | None:
    return None if value is None or isinstance(value, (bool, dict, list)) else str(value)


def _contacts(_kind: str, item: Item) -> tuple[str, Content]:
    cards = []
    for one in _list(item.get("contacts"))[:MOST_CONTACTS]:
        held = _object(one)
        vcard = held.get("vcard")
        cards.append(
            _some(
                name=dict(_object(held.get("name"))),
                phones=_list(held.get("phones")),
                emails=_list(held.get("emails")),
                addresses=_list(held.get("addresses")),
                vcard=vcard[:MOST_VCARD] if isinstance(vcard, str) else None,
                origin=held.get("origin"),
            )
        )
    return "contacts", {"contacts": cards}


def _interactive(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("interactive"))
    kind = held.get("type")
    if kind in {"button_reply", "list_reply"}:
        reply = _object(held.get(kind))
        return "interactive", _some(
            kind=kind, id=reply.get("id"), title=reply.get("title"), description=reply.get("description")
        )
    if kind == "nfm_reply":
        reply = _object(held.get("nfm_reply"))
        return "interactive", _some(
            kind=kind, name=reply.get("name"), body=reply.get("body"), **_response(reply.get("response_json"))
        )
    return "interactive", _some(kind=kind or "unknown", fields=_cut({k: v for k, v in held.items() if k != "type"}))


def _response(value: Any) -> Content:
    """A form's answer is JSON in a text; one that is no object is kept as text."""
    if isinstance(value, dict):
        return {"data": value}
    if not isinstance(value, str):
        return {}
    try:
        read = json.loads(value)
    except (ValueError, RecursionError):
        return {"data_text": value}
    return {"data": read} if isinstance(read, dict) else {"data_text": value}


def _button(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("button"))
    return "button", _some(payload=held.get("payload"), text=held.get("text"))


def _order(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("order"))
    items = [
        _some(
            retailer_id=one.get("product_retailer_id"),
            quantity=one.get("quantity"),
            price=_decimal(one.get("item_price")),
            currency=one.get("currency"),
        )
        for one in map(_object, _list(held.get("product_items")))
    ]
    return "order", _some(catalog_id=held.get("catalog_id"), text=held.get("text")) | {"items": items}


def _reaction(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("reaction"))
    return "reaction", {"target": held.get("message_id"), "emoji": held.get("emoji") or None}


def _edit(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("edit"))
    inner = _object(held.get("message"))
    kind, content = content_of(inner, call=False)
    return "edit", {"target": held.get("original_message_id"), "message": {"type": kind, **content}}


def _revoke(_kind: str, item: Item) -> tuple[str, Content]:
    return "revoke", {"target": _object(item.get("revoke")).get("original_message_id")}


def _system(_kind: str, item: Item) -> tuple[str, Content]:
    held = _object(item.get("system"))
    return "system", _some(
        kind=held.get("type") or "unknown",
        old=held.get("customer") or item.get("from"),
        new=held.get("wa_id") or held.get("new_wa_id"),
        user_id=held.get("user_id"),
        previous_user_id=held.get("previous_user_id"),
        body=held.get("body"),
        identity=held.get("identity"),
    )


def _welcome(_kind: str, _item: Item) -> tuple[str, Content]:
    return "request_welcome", {}


def _call(item: Item) -> Content:
    return _some(
        call_id=item.get("id"),
        event=item.get("event") or item.get("status"),
        direction=item.get("direction"),
        seconds=item.get("duration"),
    )


def _unsupported(kind: str, item: Item) -> tuple[str, Content]:
    """Any other word: kept with its body, up to 16 KiB."""
    known = {"from", "from_user_id", "id", "timestamp", "type", "context", "errors", "referral"}
    return "unsupported", _some(
        kind=kind or "unknown",
        unsupported=_object(item.get("unsupported")).get("type"),
        body=_cut({name: value for name, value in item.items() if name not in known}),
    )


def _cut(value: Any) -> Any:
    """The value, or the beginning of its text when it is too large to keep."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return value if len(text) <= MOST_RAW else text[:MOST_RAW]


_READERS: Mapping[str, Callable[[str, Item], tuple[str, Content]]] = {
    "text": _text,
    **dict.fromkeys(MEDIA_TYPES, _media),
    "location": _location,
    "contacts": _contacts,
    "interactive": _interactive,
    "button": _button,
    "order": _order,
    "reaction": _reaction,
    "edit": _edit,
    "revoke": _revoke,
    "system": _system,
    "request_welcome": _welcome,
}

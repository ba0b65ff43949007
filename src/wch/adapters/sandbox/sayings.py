"""What a customer says on a phone of the sandbox, as the Cloud API message that it becomes."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

from wch.adapters.sandbox.deliveries import DISPLAY
from wch.adapters.sandbox.phones import Phone
from wch.adapters.sandbox.refusals import MEDIA
from wch.domain.document import JsonObject
from wch.domain.errors import ConflictError, WchError

SAMPLE_PICTURE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_SAMPLE_TYPES: Mapping[str, str] = {
    "image": "image/png", "sticker": "image/webp", "video": "video/mp4", "audio": "audio/ogg; codecs=opus",
    "document": "application/pdf",
}  # fmt: skip
_ENVELOPE = ("name", "language", "tap", "number")
_CONTENTS = ("text", "interactive", "button", "location", "order", "contacts", "reaction", "system", *MEDIA)

Keep = Callable[[bytes, str], tuple[str, str]]
"""Keeps a file of this type at WhatsApp; its id and the digest of its bytes."""


class SayingRefusedError(WchError):
    """This is not the body of a Cloud API message without its envelope."""


class BusinessBlockedError(ConflictError):
    """This customer has blocked the business: WhatsApp lets nothing be written until the block is lifted."""


def message_of(phone: Phone, body: JsonObject, keep: Keep) -> JsonObject:
    """The message of what was said, or of a tap on something that the phone shows.

    Raises:
        SayingRefusedError: it is no such message.
        BusinessBlockedError: the customer has blocked the business.
        NotFoundError: nothing on the phone offers what is tapped.
    """
    if phone.blocks:
        raise BusinessBlockedError
    tap = body.get("tap")
    if isinstance(tap, str):
        kept = {key: body[key] for key in ("id", "timestamp") if key in body}
        return {**kept, **phone.tapped(tap)}
    message = {key: value for key, value in body.items() if key not in _ENVELOPE}
    kind = message.get("type") or next((key for key in _CONTENTS if key in message), None)
    if not isinstance(kind, str) or not kind or (kind in _CONTENTS and not message.get(kind) and kind not in MEDIA):
        message_text = (
            'Say something like {"type": "text", "text": {"body": "hi"}}, or {"tap": "a reply\'s id or title"}.'
        )
        raise SayingRefusedError(message_text)
    message["type"] = kind
    if "timestamp" in message:
        message["timestamp"] = str(message["timestamp"])
    if kind in MEDIA:
        message[kind] = _file(kind, message.get(kind), keep)
    if kind == "interactive" and "context" not in message:
        message |= _context(phone, message["interactive"])
    return message


def _file(kind: str, told: Any, keep: Keep) -> JsonObject:
    """What a file needs and the script did not say."""
    file = dict(told) if isinstance(told, Mapping) else {}
    file.setdefault("mime_type", _SAMPLE_TYPES[kind])
    if "id" not in file:
        file["id"], file["sha256"] = keep(SAMPLE_PICTURE, str(file["mime_type"]))
    return file


def _context(phone: Phone, interactive: Any) -> JsonObject:
    """The message that a tapped reply belongs to."""
    if not isinstance(interactive, Mapping):
        return {}
    reply = interactive.get("button_reply") or interactive.get("list_reply") or {}
    for spoken in reversed(phone.spoken):
        if spoken.direction == "outbound" and any(offer.get("id") == reply.get("id") for _, offer in spoken.offers()):
            return {"context": {"from": DISPLAY, "id": spoken.id}}
    return {}

"""Deliveries as Meta writes them: the envelope, the escapes, the signature."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from wch.domain.document import JsonObject

DISPLAY = "15550001111"
"""The business's number as people read it."""


@attrs.frozen(kw_only=True)
class Business:
    """Who is written to.

    Attributes:
        number: the phone number id.
    """

    number: str

    def value(self, **more: Any) -> JsonObject:
        """The frame around messages or statuses."""
        return {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": DISPLAY, "phone_number_id": self.number},
            **more,
        }


def body_of(values: Sequence[JsonObject], *, waba_id: str, field: str = "messages") -> bytes:
    """One delivery of these values of a field, escaped the way Meta's servers do: slashes, at signs, all that is not ASCII."""
    changes = [{"value": value, "field": field} for value in values]
    envelope = {"object": "whatsapp_business_account", "entry": [{"id": waba_id, "changes": changes}]}
    text = json.dumps(envelope, separators=(",", ":"))
    return text.replace("/", "\\/").replace("@", "\\u0040").encode("ascii")


def signature(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256`."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def user_id_of(wa_id: str) -> str:
    """The business-scoped id of this number; the same one every time, so that it outlives the sandbox."""
    digest = hashlib.sha256(f"sandbox:{wa_id}".encode()).digest()
    return f"US.{int.from_bytes(digest[:8], 'big'):020d}"


def message_id(wa_id: str, token: str, *, inbound: bool) -> str:
    """An id as WhatsApp makes them: base64 with the number and a random word inside."""
    word = token[-20 if inbound else -18 :].upper().encode()
    mark = b"\x15\x02\x00\x12\x18" if inbound else b"\x15\x02\x00\x11\x18"
    raw = b"\x1c\x18" + bytes([len(wa_id)]) + wa_id.encode() + mark + bytes([len(word)]) + word + b"\x00"
    return f"wamid.{base64.b64encode(raw).decode()}"


def message_value(
    business: Business, message: JsonObject, *, wa_id: str, name: str, without_number: bool
) -> JsonObject:
    """The value of one message of a customer; if wanted, the person is known by the user id alone."""
    user_id = user_id_of(wa_id)
    contact: dict[str, Any] = {"profile": {"name": name}, "user_id": user_id}
    sender = {"from_user_id": user_id}
    if not without_number:
        contact["wa_id"] = wa_id
        sender["from"] = wa_id
    return business.value(contacts=[contact], messages=[{**sender, **message}])


def moved_value(
    business: Business, *, old: str, new: str, name: str, message: JsonObject, without_number: bool
) -> JsonObject:
    """The value that tells of a customer's new number; of one who is known by the user id alone, of the new id."""
    before, after = user_id_of(old), user_id_of(new)
    if without_number:
        kind = {"type": "user_changed_user_id", "previous_user_id": before, "user_id": after}
        return business.value(
            messages=[
                {
                    "from_user_id": before,
                    **message,
                    "type": "system",
                    "system": {**kind, "body": f"{name} has a new user id"},
                }
            ]
        )
    kind = {"type": "user_changed_number", "wa_id": new, "user_id": after}
    body = f"User {name} changed from {old} to {new}"
    return business.value(
        messages=[{"from": old, "from_user_id": before, **message, "type": "system", "system": {**kind, "body": body}}]
    )


def preference_value(
    business: Business, *, wa_id: str, name: str, value: str, at: int, without_number: bool
) -> JsonObject:
    """The value that tells that a customer stopped the business's offers in WhatsApp itself, or resumed them."""
    user_id = user_id_of(wa_id)
    who = {"user_id": user_id} if without_number else {"wa_id": wa_id, "user_id": user_id}
    detail = f"User requested to {value} marketing messages"
    change = {**who, "detail": detail, "category": "marketing_messages", "value": value, "timestamp": at}
    return business.value(contacts=[{"profile": {"name": name}, **who}], user_preferences=[change])


def status_value(business: Business, status: Mapping[str, Any]) -> JsonObject:
    """The value of one status."""
    return business.value(statuses=[status])

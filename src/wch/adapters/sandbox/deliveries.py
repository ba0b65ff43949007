"""Deliveries as Meta writes them: the envelope, the escapes, the signature."""

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


def body_of(values: Sequence[JsonObject], *, waba_id: str) -> bytes:
    """One delivery of these values, escaped the way Meta's servers do: slashes, at signs, all that is not ASCII."""
    changes = [{"value": value, "field": "messages"} for value in values]
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


def status_value(business: Business, status: Mapping[str, Any]) -> JsonObject:
    """The value of one status."""
    return business.value(statuses=[status])

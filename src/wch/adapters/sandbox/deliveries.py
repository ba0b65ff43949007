"""Deliveries as Meta writes them: the envelope, the escapes, the signature."""

import hashlib
import hmac
import json
from typing import Any


def body_of(value: dict[str, Any], *, waba_id: str, field: str = "messages") -> bytes:
    """A delivery's bytes, escaped the way Meta's servers do: slashes, and all that is not ASCII."""
    envelope = {
        "object": "whatsapp_business_account",
        "entry": [{"id": waba_id, "changes": [{"value": value, "field": field}]}],
    }
    return json.dumps(envelope, separators=(",", ":")).replace("/", "\\/").encode("ascii")


def sign(body: bytes, secret: str) -> str:
    """The value of `X-Hub-Signature-256`."""
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def message_value(
    message: dict[str, Any], *, number: str, display: str, wa_id: str, name: str, user_id: str | None
) -> dict[str, Any]:
    """The value of one message of a customer; with a user id it comes without the number."""
    contact: dict[str, Any] = {"profile": {"name": name}}
    if user_id is None:
        contact["wa_id"] = wa_id
        message = {"from": wa_id, **message}
    else:
        contact["user_id"] = user_id
        message = {"from_user_id": user_id, **message}
    return {**_frame(number, display), "contacts": [contact], "messages": [message]}


def status_value(status: dict[str, Any], *, number: str, display: str) -> dict[str, Any]:
    """The value of one status."""
    return {**_frame(number, display), "statuses": [status]}


def _frame(number: str, display: str) -> dict[str, Any]:
    return {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": display, "phone_number_id": number},
    }

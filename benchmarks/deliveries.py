"""Signed deliveries of typical size, each with a message of its own."""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Sequence
from typing import Any

SECRET = "a-secret-of-the-app"  # noqa: S105 - of nobody
NUMBER = "106540352242922"
CUSTOMERS = 2000

ENVIRONMENT = {
    "WCH_PROFILE": "test",
    "WCH_APP_SECRET": SECRET,
    "WCH_VERIFY_TOKEN": "a-token",
    "WCH_ACCESS_TOKEN": "an-access-token",
    "WCH_PHONE_NUMBER_ID": "*",
    "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
    "WCH_GRAPH_URL": "http://127.0.0.1:9",
}


def environment(**more: str) -> dict[str, str]:
    """The machine's own, without what is the hub's, and these settings."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WCH_")}
    return {**plain, **ENVIRONMENT, **more}


def delivery(number: int, *, customers: int = CUSTOMERS) -> bytes:
    """One text of one customer."""
    phone = f"1650{number % customers:07d}"
    return _as_meta_writes(
        contacts=[{"profile": {"name": "Sheena Nelson"}, "wa_id": phone}],
        messages=[
            {
                "from": phone,
                "id": f"wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQz{os.getpid():x}{number:020d}",
                "timestamp": str(int(time.time())),
                "type": "text",
                "text": {"body": "Does it come in another color? I would like two of them please."},
            }
        ],
    )


def statuses(ids: Sequence[str], phone: str) -> bytes:
    """That these messages to one customer have arrived."""
    told = {"status": "delivered", "timestamp": str(int(time.time())), "recipient_id": phone}
    return _as_meta_writes(statuses=[{"id": one, **told} for one in ids])


def _as_meta_writes(**events: Any) -> bytes:
    """One change of one entry, without blanks."""
    metadata = {"display_phone_number": "15550783881", "phone_number_id": NUMBER}
    value = {"messaging_product": "whatsapp", "metadata": metadata, **events}
    entry = {"id": "102290129340398", "changes": [{"value": value, "field": "messages"}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}, separators=(",", ":")).encode()


def signature(body: bytes) -> str:
    """The value of `X-Hub-Signature-256`."""
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

"""What becomes of every recorded body of a gateway, type by type: a part of `docs/corpus.md`."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from tests.adapters.payments.test_signatures import (
    NOW,
    mercadopago,
    razorpay,
    signed_by_mercadopago,
    signed_by_razorpay,
    signed_by_stripe,
    stripe,
)
from wch.domain.errors import UndecodableError
from wch.domain.payment import PaymentEvent

OURS = "wch-1-t4fnr6"
"""A reference of our form, put into each body where its gateway would hand it on."""

WAKES = "wakes the placement that it names"
NOTED = "a dispute: noted, nothing moves"
COUNTED = "counted only"
SAYS_NOTHING = "the older feed: proves nothing, says nothing"
ASKED_FOR = "an answer to a question of ours, never posted"
NOT_OURS = "no event of ours"


def payloads(corpus: Path) -> Counter[tuple[str, str]]:
    """Bodies by type and outcome."""
    table: Counter[tuple[str, str]] = Counter()
    for file in sorted((corpus / "payments").glob("*.json")):
        kind = file.name.partition("__")[0]
        gateway = kind.partition(".")[0]
        table[kind, _READERS[gateway](kind, json.loads(file.read_bytes()))] += 1
    return table


def _told(event: PaymentEvent) -> str:
    if event.reference is None:
        return COUNTED
    assert event.reference == OURS
    return NOTED if "dispute" in event.type else WAKES


def _stripe(_kind: str, told: dict[str, Any]) -> str:
    told["data"]["object"]["metadata"] = {"reference": OURS}
    (event,) = stripe("s").verify(signed_by_stripe(json.dumps(told).encode(), "s"), now=NOW)
    return _told(event)


def _razorpay(_kind: str, told: dict[str, Any]) -> str:
    told["payload"]["payment_link"] = {"entity": {"reference_id": OURS}}
    (event,) = razorpay("s").verify(signed_by_razorpay(json.dumps(told).encode()), now=NOW)
    return _told(event)


def _mercadopago(kind: str, told: dict[str, Any]) -> str:
    if ".rest." in kind:
        return ASKED_FOR
    about = str((told.get("data") or {}).get("id") or told.get("id") or told.get("resource"))
    if ".ipn." in kind:
        assert mercadopago("s").verify(signed_by_mercadopago({"id": about, "topic": "payment"}), now=NOW) == ()
        return SAYS_NOTHING
    query = {"data.id": about, "type": str(told.get("type")), "ref": OURS}
    (event,) = mercadopago("s").verify(signed_by_mercadopago(query), now=NOW)
    return _told(event)


def _other(_kind: str, told: dict[str, Any]) -> str:
    body = json.dumps(told).encode()
    for way, signed in ((stripe("s"), signed_by_stripe(body, "s")), (razorpay("s"), signed_by_razorpay(body))):
        try:
            events = way.verify(signed, now=NOW)
        except UndecodableError:
            continue
        assert all(event.reference is None for event in events)
    return NOT_OURS


_READERS = {"stripe": _stripe, "razorpay": _razorpay, "mercadopago": _mercadopago, "other": _other}

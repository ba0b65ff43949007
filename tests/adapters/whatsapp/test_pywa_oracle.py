"""Another reader of the same deliveries, pywa: wherever it understands a recorded one, we say the same of it."""

import logging
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from wch.adapters.whatsapp import parser
from wch.domain.inbound import InboundEvent, InboundMessage, PreferenceChange, StatusUpdate

pywa = pytest.importorskip("pywa", reason="pywa is a development dependency: make setup")

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OUR_WORDS = {"voice": "audio", "unknown": "unsupported"}


def theirs(client: Any, body: bytes) -> Any:
    """What pywa makes of the first event of a delivery; None where it makes nothing of it."""
    from pywa.types.base_update import RawUpdate  # noqa: PLC0415 - a development dependency

    raw = RawUpdate(body, hmac_header=None, update_hash="")
    try:
        handler = client._get_handler_type(raw)  # noqa: SLF001 - its own dispatch, without its server
        return None if handler is None else client._handlers_to_updates[handler].from_update(client=client, update=raw)  # noqa: SLF001 - as above
    except Exception:  # noqa: BLE001 - an older or odd form, which pywa refuses in many ways
        return None


def told(update: Any) -> dict[str, Any]:
    """The facts of an update of pywa's that ours must have too."""
    names = ("id", "timestamp", "text", "caption", "data")
    facts = {name: getattr(update, name) for name in names if getattr(update, name, None) is not None}
    user = getattr(update, "from_user", None)
    if user is not None and getattr(user, "wa_id", None):
        facts["from"] = user.wa_id
    if type(update).__name__ == "GroupMessageStatuses":
        del facts["id"]  # of the account: it gathers the statuses of several messages
    for name, wanted in (("type", "type"), ("status", "status"), ("value", "value")):
        value = getattr(getattr(update, name, None), "value", None)
        if isinstance(value, str):
            facts[wanted] = value
    reply = getattr(update, "reply_to_message", None)
    if reply is not None and getattr(reply, "message_id", None):
        facts["reply_to"] = reply.message_id
    location = getattr(update, "location", None)
    if location is not None:
        facts["latitude"] = float(location.latitude)
    order = getattr(update, "order", None)
    if order is not None:
        facts["products"] = [product.sku for product in order.products]
    reaction = getattr(update, "reaction", None)
    if reaction is not None:
        facts["target"] = reaction.message_id
    return facts


def ours(event: InboundEvent) -> dict[str, Any]:
    """The same facts of an event of ours."""
    if isinstance(event, StatusUpdate):
        return {"id": event.wa_message_id, "timestamp": event.at, "status": event.status, "from": event.recipient}
    if isinstance(event, PreferenceChange):
        return {"timestamp": event.at, "value": event.value, "from": event.sender}
    if not isinstance(event, InboundMessage):
        return {}
    content = event.content
    items = content.get("items")
    return {
        "id": event.wa_message_id,
        "timestamp": event.sent_at,
        "from": event.sender if event.sender.isdigit() else None,
        "type": event.type,
        "text": content.get("text"),
        "caption": content.get("caption"),
        "data": content.get("id") or content.get("payload"),
        "reply_to": content.get("reply_to"),
        "latitude": float(content["latitude"]) if "latitude" in content else None,
        "products": [item.get("retailer_id") for item in items] if items is not None else None,
        "target": content.get("target"),
    }


@pytest.mark.filterwarnings("ignore")
def test_where_pywa_understands_a_delivery_we_say_the_same(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Ids, times, senders, types, words, quotes; what pywa makes nothing of is counted."""
    logging.getLogger("pywa").setLevel(logging.CRITICAL)
    client = pywa.WhatsApp(phone_id="1", token="t", filter_updates=False, server=None, validate_updates=False)
    table: Counter[tuple[str, str]] = Counter()
    different = []
    for file in sorted((corpus / "whatsapp").glob("*.json")):
        update = theirs(client, file.read_bytes())
        kind = file.name.partition("__")[0].partition("+")[0]
        if update is None:
            table[kind, "pywa does not read it"] += 1
            continue
        event = parser.read(file.read_bytes(), now=NOW)[0]
        known, wanted = ours(event), told(update)
        pairs = {name: (known[name], value) for name, value in wanted.items() if known.get(name) is not None}
        wrong = {name: pair for name, pair in pairs.items() if not _alike(*pair) and not _by_rule(event, name, pair[1])}
        if wrong:
            different.append((file.name, wrong))
        table[kind, f"{type(update).__name__}: alike" if pairs else f"{type(update).__name__}: nothing to compare"] += 1
    with capsys.disabled():
        print()  # noqa: T201 - the table is the test's report
        for (kind, outcome), count in sorted(table.items()):
            print(f"  {count:3}  {kind:50} {outcome}")  # noqa: T201 - as above

    assert different == []
    assert sum(count for (_, outcome), count in table.items() if outcome.endswith("alike")) > len(table) // 2


def _by_rule(event: InboundEvent, name: str, other: Any) -> bool:
    """Where we differ on purpose: the element's own ids come before the contact block's; an edit and a group are types."""
    raw: Any = getattr(event, "raw", {})
    contact: Any = raw.get("contact") or {}
    if name == "from":
        element = raw.get("event", {})
        own = {element.get(key) for key in ("from", "to", "wa_id", "recipient_id", "recipient_user_id")} - {None}
        return bool(own) and (contact.get("wa_id") in {other, None} or other not in own)
    content: Any = getattr(event, "content", {})
    return name == "type" and other in {content.get("type"), content.get("message", {}).get("type")}


def _alike(mine: Any, other: Any) -> bool:
    if isinstance(mine, datetime) and isinstance(other, datetime):
        return mine == other.astimezone(UTC) or mine == NOW
    return bool(mine == other or mine == OUR_WORDS.get(str(other)))

"""What becomes of every recorded payload, type by type: `docs/corpus.md` is what this prints.

python -m tests.adapters.whatsapp.corpus_table > docs/corpus.md
"""

import csv
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import attrs

from tests.adapters.payments.payload_table import payloads
from tests.adapters.whatsapp.send_bodies import NotOursError, canonical, filled, message_of, spelled
from tests.adapters.woocommerce.recorded import table as woocommerce
from tests.conftest import CORPUS
from wch.adapters.whatsapp import parser
from wch.adapters.whatsapp.client import outcome
from wch.adapters.whatsapp.encoder import encode, receipt
from wch.application.accounts import UNDERSTOOD
from wch.domain.inbound import (
    AccountEvent,
    Echo,
    InboundEvent,
    InboundMessage,
    PreferenceChange,
    StatusUpdate,
    Unusable,
)
from wch.domain.outgoing import MarkRead, MessageLimitError
from wch.domain.send_result import Accepted, Refused

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)

COLUMN = {"voice": "audio", "unknown": "unsupported"}
FIELD_OF_ECHOES = "smb_message_echoes"


def expected(kind: str) -> tuple[type, str | None]:  # noqa: PLR0911 - a table
    """What a file of this type holds: the event, and the word it must carry."""
    base = kind.partition("+")[0]
    family, _, rest = base.partition(".")
    word = rest.partition(".")[0]
    if family == "messages":
        return InboundMessage, "group" if "+group" in kind else COLUMN.get(word, word)
    if base.startswith("calls.status"):
        return StatusUpdate, None
    if family == "calls":
        return InboundMessage, "call"
    if family == "status":
        return StatusUpdate, None if word == "payment" else word
    if family == FIELD_OF_ECHOES:
        return Echo, word
    if family == "user_preferences":
        return PreferenceChange, word
    return (InboundMessage, "image") if family == "history" and not rest else (AccountEvent, family)


def word_of(event: InboundEvent) -> str:
    """The word that an event carries."""
    if isinstance(event, InboundMessage | Echo):
        return event.type
    if isinstance(event, StatusUpdate):
        return event.status
    if isinstance(event, PreferenceChange):
        return event.value
    return event.field if isinstance(event, AccountEvent) else event.detail


def without_sender(body: bytes) -> bool:
    """Whether a file names its sender by words in capitals, as some invented ones do."""
    events = parser.read(body, now=NOW)
    return all(isinstance(event, Unusable) and event.detail.endswith("without_sender") for event in events)


def deliveries(corpus: Path) -> tuple[Counter[tuple[str, str]], list[object]]:
    """Deliveries by type and outcome, and the files that were not what their type says."""
    with (corpus / "index.tsv").open(encoding="utf-8") as index:
        rows = [row for row in csv.DictReader(index, delimiter="\t") if row["file"].startswith("whatsapp/")]
    table: Counter[tuple[str, str]] = Counter()
    wrong: list[object] = []
    for row in rows:
        body = (corpus / row["file"]).read_bytes()
        events = parser.read(body, now=NOW)
        kind = row["type"]
        if kind.startswith("batch"):
            table["batch", f"{len(events)} events"] += 1
            continue
        family = kind.split("+")[0]
        if without_sender(body):
            table[family, "no usable sender"] += 1
            continue
        wanted, word = expected(kind)
        fitting = [event for event in events if isinstance(event, wanted) and word in {None, word_of(event)}]
        if not fitting:
            wrong.append((row["file"], [(type(event).__name__, word_of(event)) for event in events]))
            continue
        table[family, "understood" if _is_understood(fitting[0]) else "kept raw"] += 1
    return table, wrong


def _is_understood(event: InboundEvent) -> bool:
    """Whether something follows from it, besides its being kept as it came."""
    if isinstance(event, AccountEvent):
        return event.field in UNDERSTOOD
    return word_of(event) != "unsupported"


AROUND = {"messaging_product", "recipient_type", "to", "recipient", "type"}
OF_OTHERS = {"product_policy", "message_activity_sharing", "recipient_identity_key_hash"}
"""Keys beside a message that the hub does not send: marketing's own policy, identity checks."""

NOT_OURS = {
    "interactive.order-details__meta-postman.json": "an older shape of order details, whose sums do not hold",
}


@attrs.define
class Bodies:
    """Request bodies by kind and outcome."""

    table: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    wrong: list[object] = attrs.field(factory=list)
    not_ours: set[str] = attrs.field(factory=set)
    beyond: set[tuple[str, str]] = attrs.field(factory=set)
    """Bodies that break a limit, and the part that does."""


def bodies(corpus: Path) -> Bodies:
    """What the encoder makes of typed messages that were read back from recorded bodies."""
    found = Bodies()
    for file in sorted((corpus / "whatsapp-send").glob("*.json")):
        body = filled(json.loads(file.read_bytes()))
        found.table[file.name.partition("__")[0], _written(file.name, body, found)] += 1
    return found


def _written(name: str, body: Mapping[str, object], found: Bodies) -> str:
    if body.get("status") == "read":
        mark = MarkRead(wa_message_id=str(body["message_id"]), typing="typing_indicator" in body)
        return "equal" if receipt(mark) == body else "different"
    try:
        message = message_of(body)
    except (NotOursError, KeyError):
        found.not_ours.add(name)
        return "not ours"
    except MessageLimitError as error:
        found.beyond.add((name, error.field))
        return "beyond a limit"
    context = body.get("context")
    quoted = context.get("message_id") if isinstance(context, Mapping) else None
    written = encode(message, reply_to=quoted)
    recorded = {name: one for name, one in body.items() if name not in (AROUND - {"type"}) | OF_OTHERS}
    recorded = {"type": "text", **recorded}
    if canonical(written) == canonical(recorded):
        return "equal"
    if canonical(spelled(written)) == canonical(spelled(recorded)):
        return "equal, spelled otherwise"
    found.wrong.append((name, canonical(written), canonical(recorded)))
    return "different"


def answers(corpus: Path) -> Counter[tuple[str, str]]:
    """Answers of Graph's by kind and class."""
    table: Counter[tuple[str, str]] = Counter()
    for file in sorted((corpus / "whatsapp-responses").glob("*.json")):
        kind = file.name.partition("__")[0]
        result = outcome(200 if kind == "send-accepted" else 400, file.read_bytes())
        word = "accepted" if isinstance(result, Accepted) else None
        table[kind, word or (result.failure.value if isinstance(result, Refused) else "ambiguous")] += 1
    return table


def digest(corpus: Path) -> str:
    """Which corpus this is."""
    return hashlib.sha256((corpus / "index.tsv").read_bytes()).hexdigest()[:16]


def page(corpus: Path) -> str:
    """The page of the documentation."""
    read, _ = deliveries(corpus)
    return "\n".join(
        [
            "# Recorded payloads",
            "",
            "What becomes of every payload of the corpus that the tests read (`WCH_CORPUS`), type by type. Nobody here wrote",
            "them: they are recorded traffic, examples of the documentation, fixtures of other projects. This page is made by",
            "`python -m tests.adapters.whatsapp.corpus_table`, and a test holds it to what it says.",
            "",
            f"<!-- made of {digest(corpus)} -->",
            "",
            "## Deliveries",
            "",
            "*Understood*: it is a typed event and something follows from it. *Kept raw*: it is a line of the audit log, or a row",
            "of type `unsupported`, exactly as it came. *No usable sender*: an invented file whose sender is a placeholder; it",
            "becomes a dead letter.",
            "",
            *_rows(read, "type"),
            "",
            "## Request bodies",
            "",
            "*Equal*: our encoder writes the same JSON value from typed objects. *Spelled otherwise*: but for words in capitals",
            "and numbers as text, which WhatsApp takes either way. *Beyond a limit*: it breaks a limit that is taken everywhere.",
            "",
            *_rows(bodies(corpus).table, "kind"),
            "",
            "## Answers of the Graph API",
            "",
            *_rows(answers(corpus), "answer"),
            "",
            "## Events of gateways",
            "",
            "Each is signed with a secret of the test, and bears a reference of ours where its gateway would hand it on. One",
            "that *wakes* its placement has the gateway asked; none sets an amount.",
            "",
            *_rows(payloads(corpus), "type"),
            "",
            "## What a WooCommerce shop says",
            "",
            "Deliveries, answers and resources, by who says them and what they are. *Read*: every object of it is a typed value.",
            "",
            *_rows(woocommerce(corpus), "kind"),
            "",
        ]
    )


def _rows(table: Mapping[tuple[str, str], int], name: str) -> Iterable[str]:
    yield f"| {name} | files | outcome |"
    yield "|---|---:|---|"
    for (kind, word), count in sorted(table.items()):
        yield f"| {kind} | {count} | {word} |"


if __name__ == "__main__":
    sys.stdout.write(page(CORPUS))

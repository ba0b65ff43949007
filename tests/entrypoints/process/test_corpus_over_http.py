"""Every recorded delivery, posted with its signature to a running server: real input, nothing made up."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.processes import GraphApi, Installed, client, finished


async def test_every_recorded_delivery_is_taken(corpus: Path, installed: Installed, graph: GraphApi) -> None:
    """What Meta has sent to others is answered 200, stored once for each message, and worked through."""
    bodies = {path.name: path.read_bytes() for path in sorted((corpus / "whatsapp").glob("*.json"))}
    usable, unusable = _expected(bodies.values())

    async with installed.serving() as server, client() as web:
        answers = {name: await server.post(web, body) for name, body in bodies.items()}
        await finished(installed.store)
        stopped = await server.terminate()

    assert {name: code for name, code in answers.items() if code != 200} == {}
    rows = dict(
        installed.store.rows(
            "SELECT wa_message_id, COUNT(*) FROM wch_messages WHERE wa_message_id IS NOT NULL GROUP BY wa_message_id"
        )
    )
    assert {key: rows.get(key, 0) for key in usable if rows.get(key, 0) != 1} == {}
    letters = [
        json.loads(args) if isinstance(args, str) else args
        for (args,) in installed.store.rows(
            "SELECT args FROM wch_dead_letter_queue WHERE reason = 'validation_failed' AND status = 'pending'"
        )
    ]
    kept = json.dumps(letters, ensure_ascii=False)
    assert len(letters) >= len(unusable)
    assert [one["id"] for one in unusable if str(one["id"]) not in kept] == []
    assert installed.store.rows("SELECT id FROM wch_messages WHERE status IN ('received', 'processing', 'dead')") == []
    assert stopped == 0
    assert "Traceback" not in installed.log
    assert len(graph.calls) == len({call.row for call in graph.calls})
    assert installed.json("verify")["ok"] is True


def _expected(bodies: Iterator[bytes] | Any) -> tuple[set[str], list[dict[str, Any]]]:
    """The message ids that must have a row, and the messages that nobody can be found for.

    Read from the raw JSON by a few lines of its own, so that a mistake of the parser's does
    not become the expectation.
    """
    usable: set[str] = set()
    unusable: list[dict[str, Any]] = []
    for body in bodies:
        for message, contacts in _messages(json.loads(body)):
            people = [message, *(contacts if len(contacts) == 1 else ()), message.get("system") or {}]
            if any(_is_somebody(person) for person in people):
                usable.add(message["id"])
            else:
                unusable.append(message)
    return usable, unusable


def _is_somebody(person: dict[str, Any]) -> bool:
    """Whether a number of digits stands there, or any id of a user; a placeholder's name is neither."""
    numbers = [str(person.get(name, "")) for name in ("from", "wa_id", "customer")]
    ids = [person.get(name) for name in ("from_user_id", "user_id", "previous_user_id")]
    return any(re.fullmatch(r"\+?[0-9 -]+", number) for number in numbers) or any(ids)


def _messages(envelope: dict[str, Any]) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    for entry in envelope["entry"]:
        for change in entry.get("changes") or ():
            # Old threads that a phone app hands over are counted only, unless their import is switched on.
            value = {} if change.get("field") == "history" else change.get("value") or {}
            for message in value.get("messages") or ():
                yield message, value.get("contacts") or []

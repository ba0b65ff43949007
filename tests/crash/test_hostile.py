"""Signed by Meta and yet hostile: what is broken is kept apart, what is good goes on, and nothing brings the server down."""

import asyncio
import base64
import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.processes import GraphApi, Installed, client, delivery, finished, said

pytestmark = [pytest.mark.crash, pytest.mark.whole("mariadb")]

HOSTILE = {
    "100,000 brackets": b"[" * 100_000 + b"]" * 100_000,
    "100,000 objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "a number of 5,000 digits": b'{"object": ' + b"9" * 5_000 + b"}",
    "NaN": b'{"object": NaN}',
    "1e999": b'{"object": 1e999}',
    "a key twice": b'{"object": "a", "object": "b"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"object": "a"}'.encode("utf-16"),
    "bad UTF-8": b'{"object": "\xff\xfe"}',
    "nothing": b"",
    "null": b"null",
    "a list": b"[]",
    "a word": b'"x"',
    "100,000 entries": json.dumps({"object": "whatsapp_business_account", "entry": [{}] * 100_000}).encode(),
    "a key of 64 KiB": json.dumps({"k" * 65_536: 1}).encode(),
    "an entry that is no list": b'{"object": "whatsapp_business_account", "entry": {}}',
    "more after the end": b"{}{}",
}
MEMORY = 50_000
"""KiB that a server may grow by."""


@pytest.mark.timeout(120)
async def test_five_of_fifty_are_broken_and_the_others_are_answered(installed: Installed, graph: GraphApi) -> None:
    """Each event stands alone: Meta would send the whole batch again and again for one that raises."""
    people = [f"3460000{n:04}" for n in range(50)]
    messages = [said("hi", sender=person, wa_id=f"wamid.{person}") for person in people]
    del messages[3]["from"]
    messages[11] |= {"type": "hologram"}
    messages[19]["text"] = {"body": "\ud83d alone"}
    messages[27]["text"] = {"body": "nul \x00 in it"}
    messages[41]["timestamp"] = "1" + "0" * 30
    body = delivery(*({"from": "", **one} for one in messages))

    async with installed.serving() as server, client() as web:
        assert await server.post(web, body) == 200
        assert await server.post(web, body) == 200
        await finished(installed.store)

    store = installed.store
    states = Counter(status for (status,) in store.rows("SELECT status FROM wch_messages WHERE direction = 'inbound'"))
    letters = installed.json("dead-letters", "list")["data"]
    assert states["processed"] >= 45
    assert states.total() + len(letters) == 50, "nothing is lost, and nothing is there twice"
    assert {letter["reason"] for letter in letters} == {"validation_failed"}
    shown = json.dumps(installed.json("dead-letters", "show", str(letters[0]["id"])))
    assert base64.b64encode(body).decode() in shown or json.dumps(body.decode()) in shown, "the exact bytes are kept"
    good = set(people) - {people[n] for n in (3, 11, 19, 27, 41)}
    assert good <= {call.to for call in graph.calls}
    assert installed.json("verify")["ok"] is True


@pytest.mark.timeout(120)
async def test_no_signed_body_brings_the_server_down(installed: Installed) -> None:
    """Depth, digits, encodings: never a 5xx, and good deliveries beside them are not held up."""
    async with installed.serving() as server, client() as web:
        for n in range(20):
            assert await server.post(web, delivery(said("hi", sender=f"3461000{n:04}", wa_id=f"wamid.w{n}"))) == 200
        before = resident(server.process.pid)
        waits: list[float] = []

        async def good() -> None:
            for n in range(40):
                began = time.monotonic()
                assert await server.post(web, delivery(said("hi", sender=f"3460000{n:04}", wa_id=f"wamid.{n}"))) == 200
                waits.append(time.monotonic() - began)

        async def hostile() -> dict[str, int]:
            return {name: await server.post(web, body) for name, body in HOSTILE.items()}

        _, answers = await asyncio.gather(good(), hostile())
        await finished(installed.store)
        grown = resident(server.process.pid) - before

    assert {name: status for name, status in answers.items() if status not in {200, 400, 413}} == {}
    assert grown < MEMORY
    assert sorted(waits)[len(waits) // 2] < 1.0
    assert installed.json("verify")["ok"] is True


def resident(pid: int) -> int:
    """Memory of a process in KiB."""
    (line,) = (one for one in Path(f"/proc/{pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1])

"""Every recorded delivery goes through a whole hub, as it came and in shapes that nobody has seen yet."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random  # noqa: TID251 - chance of a seed of its own
from typing import Any

import pytest

from tests.examples.stage import Stage, stage
from wch.domain.message import Direction, MessageStatus
from wch.domain.moment import unix

SEEDS = range(6)


def renewed(value: Any, now: int) -> Any:
    """The same delivery with the time of today, so that it is answered."""
    if isinstance(value, dict):
        return {
            key: str(now) if key == "timestamp" and isinstance(one, str) else renewed(one, now)
            for key, one in value.items()
        }
    return [renewed(one, now) for one in value] if isinstance(value, list) else value


def holders(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside an element of a delivery's arrays."""
    if isinstance(value, dict):
        yield value
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from holders(one)


def mutated(body: Any, chance: Random) -> Any:
    """Something optional is missing, something unknown is there, a word is one that nobody knows."""
    for change in body.get("entry", ()) and body["entry"][0].get("changes", ()):
        inside = [
            one for name in ("messages", "statuses", "contacts") for one in holders(change["value"].get(name, []))
        ]
        for _ in range(3):
            if not inside:
                break
            held = chance.choice(inside)
            optional = [key for key in held if key not in {"id", "from", "from_user_id", "wa_id", "user_id"}]
            kind = chance.random()
            if kind < 0.4 and optional:
                del held[chance.choice(optional)]
            elif kind < 0.7:
                held[f"unknown_{chance.randrange(9)}"] = chance.choice([None, {"a": [1, "x"]}, "word", 7, []])
            elif "type" in held:
                held["type"] = "hologram"
    return body


async def settled(shop: Stage) -> None:
    """Everything that came is done with; nothing is left, and nothing has died."""
    for _ in range(6):
        await shop.later(seconds=7)

    def left(uow: Any) -> list[Any]:
        threads = uow.conversations.listed(limit=500)
        rows = [row for thread in threads for row in uow.messages.thread(thread.id, limit=500)]
        return [
            (row.type, row.status)
            for row in rows
            if row.direction is Direction.INBOUND and row.status is not MessageStatus.PROCESSED
        ]

    assert await shop.see(left) == []
    # Fixtures of different projects share placeholder ids, under which they say different things.
    assert {reason for _, reason in await shop.letters()} <= {"validation_failed", "conflict"}
    assert (await shop.hub.verification.run())["ok"]


async def test_every_recorded_delivery_is_handled(corpus: Path) -> None:
    """All of them by one hub; only what names no sender, or no such thing, is a dead letter."""
    async with stage(WCH_PHONE_NUMBER_ID="*") as shop:
        for file in sorted((corpus / "whatsapp").glob("*.json")):
            value = renewed(json.loads(file.read_bytes()), unix(shop.clock.now()))
            assert await shop.raw(json.dumps(value).encode()) == 200, file.name
        await settled(shop)


@pytest.mark.parametrize("seed", SEEDS)
async def test_mixed_batches_of_shapes_that_nobody_has_seen(corpus: Path, seed: int) -> None:
    """Several deliveries in one, parts missing, keys and words that are not known: 200, and all of it done."""
    chance = Random(seed)  # noqa: S311 - not for secrets
    files = sorted((corpus / "whatsapp").glob("*.json"))
    async with stage(WCH_PHONE_NUMBER_ID="*") as shop:
        for _ in range(40):
            entries: list[Any] = []
            for file in chance.sample(files, 3):
                value = copy.deepcopy(renewed(json.loads(file.read_bytes()), unix(shop.clock.now())))
                entries += mutated(value, chance).get("entry", [])
            body = {"object": "whatsapp_business_account", "entry": entries}
            assert await shop.raw(json.dumps(body).encode()) == 200
            await shop.work()
        await settled(shop)

"""One of the processes of a race: opens the store, waits for the word to go, and does one thing as often as it is told."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from tests.processes import SECRET, delivery, said, signature_of
from wch import Settings, open_hub
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart
from wch.domain.document import document
from wch.domain.errors import ConflictError, LeaseLostError
from wch.domain.lease import Work
from wch.domain.rate_limit import RateLimit

LIMIT = RateLimit(name="race", most=20, seconds=3600)
"""So many may pass in all, by however many processes."""

CUSTOMER = "34600111222"
SAGA = "race"


async def claim(hub: Hub, number: int) -> int:
    """Who is first to claim this key?"""
    now = hub.clock.now()
    later = now + timedelta(days=8)
    return int(
        await hub.database.transact(lambda uow: uow.claims.claim(f"{number:064x}", "race", now=now, expires_at=later))
    )


async def replay(hub: Hub, number: int) -> int:
    """Who is the one to dismiss this letter? The ids of the letters count from one."""
    try:
        await hub.dead_letters.dismiss(number + 1, reason="race", by="racer")
    except ConflictError:
        return 0
    return 1


async def row(hub: Hub, number: int) -> int:
    """Who takes this row of work?"""

    def take(uow: UnitOfWork) -> None:
        (waiting,) = uow.sync.waiting("pending", after=number, limit=1)
        before = Work(id=number + 1, status="pending", attempts=0, stamp=None)
        if waiting.id != before.id:
            raise LeaseLostError
        uow.sync.move(before, before.taken("processing", now=hub.clock.now()))

    try:
        await hub.database.transact(take)
    except (LeaseLostError, ValueError):
        return 0
    return 1


async def limit(hub: Hub, number: int) -> int:
    """Who still gets in?"""
    return int(
        (await hub.database.transact(lambda uow: hub.limits.hit_in(uow, LIMIT, f"caller {number // 40}"))).admitted
    )


async def probe(hub: Hub, number: int) -> int:
    """Who may make the one probe of this breaker?"""
    service = f"whatsapp:{number}"
    return int(await hub.breakers.ask(service) is not None)


async def saga(hub: Hub, _number: int) -> int:
    """Append to a list that everybody reads, appends to and writes back: a lost element is a lost lock."""

    def append(uow: UnitOfWork) -> None:
        held = uow.sagas.get(SAGA, lock=True)
        if held is None:
            raise AssertionError
        uow.sagas.save(held.signalled("race", document(), now=hub.clock.now(), leased=True))

    await hub.database.transact(append)
    return 1


async def customer(hub: Hub, number: int) -> int:
    """Who makes this new customer's row? Everybody asks for it, everybody gets it, it is there once."""

    def lock(uow: UnitOfWork) -> None:
        uow.customers.lock(f"3460099{number:04}", now=hub.clock.now())

    await hub.database.transact(lock)
    return 1


async def cart(hub: Hub, _number: int) -> int:
    """Count in one cart, read, changed and saved."""

    def count(uow: UnitOfWork) -> None:
        now = hub.clock.now()
        uow.customers.lock(CUSTOMER, now=now)
        held = uow.carts.of(CUSTOMER, lock=True) or uow.carts.add(Cart.opened(CUSTOMER, now=now))
        total: Any = uow.options.get("race.count", lock=True) or {"n": 0}
        uow.options.put("race.count", document(n=total["n"] + 1))
        uow.carts.save(held)

    await hub.database.transact(count)
    return 1


async def line(hub: Hub, number: int) -> int:
    """Say something as the one customer whom everybody serves, and answer what may be answered."""
    body = delivery(said("hi", sender=CUSTOMER, wa_id=f"wamid.{os.getpid()}.{number}"))
    receipt = await hub.inbox.receive_raw(body, signature=signature_of(body))
    await hub.worker.only(frozenset({"inbound"})).drain()
    return int(receipt.status == "accepted")


RACES: dict[str, Callable[[Hub, int], Awaitable[int]]] = {
    one.__name__: one for one in (claim, replay, row, limit, probe, saga, customer, cart, line)
}


async def _race(url: str, name: str, rounds: int) -> None:
    settings, _, _ = Settings.load(
        {
            "WCH_PROFILE": "test",
            "WCH_DATABASE_URL": url,
            "WCH_APP_SECRET": SECRET,
            "WCH_SECRET_KEY": "a-key-of-our-own-that-is-long-enough",
            "WCH_ACCESS_TOKEN": "a",
            "WCH_PHONE_NUMBER_ID": "*",
        },
        {},
        None,
    )
    async with open_hub(settings) as hub:
        print("ready", flush=True)  # noqa: T201 - the starter waits for it
        await asyncio.to_thread(sys.stdin.readline)
        won = [number for number in range(rounds) if await RACES[name](hub, number)]
        redone = sum(hub.database.redone().values())
    print(json.dumps({"won": won, "redone": [redone]}))  # noqa: T201 - what came of it


if __name__ == "__main__":
    asyncio.run(_race(sys.argv[1], sys.argv[2], int(sys.argv[3])))

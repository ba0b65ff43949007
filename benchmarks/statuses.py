"""Statuses of messages that were sent: a hundred in a delivery against one, for the benchmarks of each engine."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from typing import Any

import deliveries
from measuring import Measure, Target, rounds

from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.message import Class, Message

TOGETHER = 100
MOST = 400
"""How many statuses one turn brings."""
PHONE = "16509999999"


def told(
    loop: asyncio.AbstractEventLoop, hubs: Mapping[str, tuple[Hub, float]], *, count: int, most: int
) -> dict[str, Any]:
    """Statuses a second on each engine, with the ratio that each is held to."""
    numbers = itertools.count()

    def measure(hub: Hub, together: int) -> Measure:
        def run() -> float:
            ids = loop.run_until_complete(_sent(hub, numbers, most))
            bodies = [deliveries.statuses(ids[at : at + together], PHONE) for at in range(0, most, together)]

            async def all_of_them() -> float:
                begun, changed = time.perf_counter(), 0
                for body in bodies:
                    changed += (await hub.inbox.receive_raw(body, signature=deliveries.signature(body))).new
                if changed != most:
                    raise RuntimeError(changed)
                return most / (time.perf_counter() - begun)

            return loop.run_until_complete(all_of_them())

        return run

    variants, targets = {}, []
    for engine, (hub, least) in hubs.items():
        many, one = f"{engine}, {TOGETHER} in a delivery", f"{engine}, one in a delivery"
        variants |= {many: measure(hub, TOGETHER), one: measure(hub, 1)}
        targets.append(Target(number="9", what=f"{TOGETHER} against one, {engine}", over=many, under=one, least=least))
    return rounds("Statuses, one delivery after another", variants, targets, unit="statuses/s", count=count)


async def _sent(hub: Hub, numbers: "itertools.count[int]", most: int) -> list[str]:
    """So many messages that have left; their ids."""
    ids = [f"wamid.bench{next(numbers):020d}" for _ in range(most)]

    def work(uow: UnitOfWork) -> None:
        now = hub.clock.now()
        uow.customers.lock(PHONE, now=now)
        thread = uow.conversations.latest_of(PHONE, lock=True) or uow.conversations.add(
            Conversation(customer_phone=PHONE, created_at=now, updated_at=now)
        )
        for one in ids:
            row = Message.outgoing(
                conversation_id=thread.id, kind="text", body={"text": {"body": "Hello"}}, to={"wa_id": PHONE},
                number=deliveries.NUMBER, class_=Class.REPLY, origin={"by": "bench"}, now=now,
            )  # fmt: skip
            uow.messages.add_later(row.accepted(one, now=now))

    await hub.inbox.database.transact(work)
    return ids

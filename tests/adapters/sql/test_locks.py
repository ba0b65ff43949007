"""What a lock keeps others from, on an engine that locks rows: two transactions at once, and one of them waits."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from sqlalchemy import text

from tests.adapters.sql.conftest import NOON
from wch.adapters.sql import SqlDatabase
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.message import Direction, Message, MessageStatus

pytestmark = pytest.mark.mariadb

PHONE = "4915112345678"
PATIENCE = 10.0
BETWEEN_LOOKS = 0.15
"""Seconds; the server tells anew who waits when it was not asked for a tenth of a second."""

WHO_WAITS = text(
    "SELECT COUNT(*) FROM information_schema.innodb_trx AS t "
    "JOIN information_schema.processlist AS p ON p.id = t.trx_mysql_thread_id "
    "WHERE t.trx_state = 'LOCK WAIT' AND p.db = DATABASE()"
)


async def _second_sees(
    server: SqlDatabase, hold: Callable[[UnitOfWork], Callable[[], None]], look: Callable[[UnitOfWork], Any]
) -> Any:
    """What a second transaction sees that looks at what a first one holds.

    The first changes it and commits as soon as the second waits, or is through without having waited.
    """
    held, through = threading.Event(), threading.Event()

    def first(uow: UnitOfWork) -> None:
        change = hold(uow)
        held.set()
        session = uow.customers._rows.session  # type: ignore[attr-defined]  # noqa: SLF001 - who waits is the engine's to say
        for _ in range(int(PATIENCE / BETWEEN_LOOKS)):
            if through.wait(BETWEEN_LOOKS) or session.connection.execute(WHO_WAITS).scalar_one():
                break
        change()

    def second(uow: UnitOfWork) -> Any:
        assert held.wait(PATIENCE)
        seen = look(uow)
        through.set()
        return seen

    _, seen = await asyncio.gather(server.transact(first), server.transact(second))
    return seen


async def test_who_asks_for_a_customer_waits_until_the_other_is_through(server: SqlDatabase) -> None:
    """The customer's row is the lock of everything that is theirs."""
    await server.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))

    def hold(uow: UnitOfWork) -> Callable[[], None]:
        profile = uow.customers.lock(PHONE, now=NOON)
        return lambda: uow.customers.save(attrs.evolve(profile, name="Anna"))

    assert await _second_sees(server, hold, lambda uow: uow.customers.lock(PHONE, now=NOON).name) == "Anna"


async def test_a_customer_whom_another_holds_is_passed_over(server: SqlDatabase) -> None:
    """Their line is in other hands, so it is not looked at."""
    await server.transact(lambda uow: uow.customers.lock(PHONE, now=NOON))

    def hold(uow: UnitOfWork) -> Callable[[], None]:
        uow.customers.lock(PHONE, now=NOON)
        return lambda: None

    assert await _second_sees(server, hold, lambda uow: uow.customers.lock_if_free(PHONE)) is None


async def test_a_line_is_read_by_one_at_a_time(server: SqlDatabase) -> None:
    """Whoever reads it next sees what the first has made of it, never the rows as they waited before."""

    def arrive(uow: UnitOfWork) -> None:
        thread = uow.conversations.add(Conversation(customer_phone=PHONE, created_at=NOON, updated_at=NOON))
        uow.messages.add(
            Message(
                conversation_id=thread.id,
                direction=Direction.INBOUND,
                type="text",
                status=MessageStatus.RECEIVED,
                created_at=NOON,
                updated_at=NOON,
            )
        )

    def hold(uow: UnitOfWork) -> Callable[[], None]:
        (waiting,) = uow.messages.line(PHONE)
        return lambda: uow.messages.move(waiting.work, waiting.work.taken(MessageStatus.PROCESSING, now=NOON))

    await server.transact(arrive)

    seen = await _second_sees(server, hold, lambda uow: [row.work.status for row in uow.messages.line(PHONE)])

    assert seen == [MessageStatus.PROCESSING]

"""How many statements a transaction asks the engine for: none for each of many rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from wch.adapters.sql import SqlDatabase, schema
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.message import Direction, Message, MessageStatus
from wch.testing import NOON


def many_new(count: int) -> Callable[[UnitOfWork], None]:
    """What a group of deliveries of people whom nobody knew does."""
    phones = [f"4915{place:08d}" for place in range(count)]
    names = [f"nothing.{phone}" for phone in phones]

    def work(uow: UnitOfWork) -> None:
        uow.messages.look_ahead(phones)
        uow.customers.look_ahead(phones)
        uow.options.look_ahead(names)
        uow.customers.lock_all(phones, now=NOON)
        uow.read_ahead(phones=phones)
        for phone, name in zip(phones, names, strict=True):
            assert uow.options.get(name) is None
            assert not uow.options.remove(name)
            profile = uow.customers.lock(phone, now=NOON)
            assert uow.conversations.latest_of(phone, lock=True) is None
            one = uow.conversations.add(Conversation(customer_phone=phone, created_at=NOON, updated_at=NOON))
            row = Message(
                conversation_id=one.id, direction=Direction.INBOUND, type="text", wa_message_id=phone,
                status=MessageStatus.RECEIVED, created_at=NOON, updated_at=NOON,
            )  # fmt: skip
            uow.messages.add_later(row)
            uow.conversations.save(one.counted(now=NOON))
            uow.customers.save(profile.wrote("Ada", now=NOON))

    return work


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_thirty_new_customers_take_no_more_statements_than_three(
    driver: str, tmp_path: Path, opened: Callable[..., SqlDatabase]
) -> None:
    """Each that asked for itself made a broadcast's answers seven times as slow as those of people who are known."""
    told: list[int] = []
    for count in (3, 30):
        database = opened(f"{driver}:///{tmp_path / str(count)}.db")
        await schema.upgrade(database)
        sent: list[str] = []
        engine: Any = database._engine  # noqa: SLF001 - the wire
        listened = getattr(engine, "sync_engine", engine)
        event.listen(listened, "before_cursor_execute", lambda *asked, sent=sent: sent.append(asked[2]))
        await database.transact(many_new(count))
        told.append(len(sent))

    assert told[0] == told[1]

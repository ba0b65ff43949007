"""A text that somebody spoilt in the tables: it stops whoever needs that row, and nobody else."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from tests.contract.conftest import PREFIX
from wch.adapters.sql.database import SqlDatabase
from wch.application.customers import Customers
from wch.application.ports import UnitOfWork
from wch.domain.cart import CartStatus
from wch.domain.errors import UndecodableError
from wch.domain.lease import Work
from wch.domain.message import Class, Message
from wch.domain.order_figures import Counting
from wch.domain.sync import EntityType, SyncAction
from wch.testing import NOON, FrozenClock
from wch.testing.contract.samples import (
    OTHER,
    PHONE,
    cart,
    inbound,
    later,
    letter,
    outbound,
    recipient,
    saga,
    thread,
    work_of,
    write,
)
from wch.testing.scripted_shop import ScriptedShop

UNREADABLE = ["{", "[1]", '"text"']


async def spoil(database: SqlDatabase, table: str, column: str, value: str, where: str) -> None:
    """Put a text into a row past all rules."""

    def work(connection: Any) -> None:
        connection.exec_driver_sql(f"UPDATE {PREFIX}{table} SET {column} = '{value}' WHERE {where}")  # noqa: S608 - our own words

    await database.run(work, write=True)


@pytest.mark.parametrize("spoilt", UNREADABLE)
async def test_a_row_that_cannot_be_read_raises_for_itself_only(sql_database: SqlDatabase, spoilt: str) -> None:
    """`get` of it raises, with or without lock; lists pass it over; its neighbours are as before."""
    (one,) = await sql_database.transact(write(thread()))
    bad, good = await sql_database.transact(write(inbound(one.id, wa_message_id="a"), inbound(one.id)))
    await spoil(sql_database, "messages", "content", spoilt, f"id = {bad.id}")

    for look in (partial(_message, number=bad.id), partial(_message, number=bad.id, lock=True)):
        with pytest.raises(UndecodableError):
            await sql_database.transact(look)
    assert await sql_database.read(partial(_message, number=good.id)) == good
    assert list(await sql_database.read(lambda uow: uow.messages.thread(one.id))) == [good]


def _message(uow: UnitOfWork, number: int, *, lock: bool = False) -> Message | None:
    return uow.messages.get(number, lock=lock)


async def test_a_line_is_taken_without_reading_json(sql_database: SqlDatabase) -> None:
    """A row that cannot be decoded uses up its own attempts; otherwise it would stop every worker."""
    (one,) = await sql_database.transact(write(thread()))
    bad, good = await sql_database.transact(write(inbound(one.id), inbound(one.id)))
    await spoil(sql_database, "messages", "content", "{", f"id = {bad.id}")
    taken = work_of(bad).taken("processing", now=NOON)

    heads = await sql_database.read(lambda uow: uow.messages.heads(now=NOON))
    line = await sql_database.transact(lambda uow: uow.messages.line(PHONE))
    await sql_database.transact(lambda uow: uow.messages.move(work_of(bad), taken))

    assert [head.work for head in heads] == [work_of(bad)]
    assert [row.work for row in line] == [work_of(bad), work_of(good)]
    overdue = await sql_database.read(lambda uow: uow.messages.overdue("processing", before=later(1)))
    assert list(overdue) == [taken]
    await sql_database.transact(lambda uow: uow.messages.move(taken, taken.moved("dead", now=later(2))))


async def test_an_outbound_row_that_cannot_be_read_is_a_reply(sql_database: SqlDatabase) -> None:
    """Without number and `not_before`: it is taken soon, and fails by itself."""
    (one,) = await sql_database.transact(write(thread()))
    bad, good = await sql_database.transact(write(outbound(one.id, Class.CAMPAIGN), outbound(one.id, Class.CAMPAIGN)))
    await spoil(sql_database, "messages", "content", "{", f"id = {bad.id}")

    first, second = await sql_database.read(lambda uow: uow.messages.leaving())

    assert (first.work, first.class_, first.number, first.not_before) == (work_of(bad), Class.REPLY, None, None)
    assert (second.work, second.class_) == (work_of(good), Class.CAMPAIGN)
    assert await sql_database.read(lambda uow: uow.messages.waiting_campaign()) == 1


async def test_sweeps_go_on_behind_a_row_that_cannot_be_read(sql_database: SqlDatabase) -> None:
    """However small the page: a spoilt row must not be the end of the list."""
    rows = await sql_database.transact(
        write(
            *(cart(str(place), status=CartStatus.ACTIVE) for place in range(1, 5)),
            *(saga(f"s{place}") for place in range(4)),
            *(letter() for _ in range(4)),
        )
    )
    await spoil(sql_database, "carts", "items", "{", f"id = {rows[0].id}")
    await spoil(sql_database, "saga_state", "context", "{", "saga_id = 's0'")
    await spoil(sql_database, "dead_letter_queue", "args", "{", f"id = {rows[8].id}")

    def look(uow: UnitOfWork) -> list[Sequence[Any]]:
        return [
            uow.carts.idle_since(NOON, limit=2),
            uow.carts.expiring(later(9999), limit=2),
            uow.carts.listed(limit=2),
            uow.sagas.listed(limit=2),
            uow.dead_letters.listed(limit=2),
        ]

    found = await sql_database.read(look)

    assert [list(one) for one in found] == [rows[1:3], rows[1:3], rows[1:3], rows[5:7], rows[9:11]]
    due = await sql_database.transact(lambda uow: uow.sagas.take_due(NOON, limit=2))
    assert [one.saga_id for one in due] == ["s1", "s2"]


async def test_a_word_that_no_reader_knows_is_a_finding(sql_database: SqlDatabase) -> None:
    """It is counted, named, and read by nobody."""
    (one,) = await sql_database.transact(write(thread()))
    bad, _ = await sql_database.transact(write(inbound(one.id), recipient(OTHER)))
    await spoil(sql_database, "messages", "status", "lost", f"id = {bad.id}")

    found = await sql_database.read(lambda uow: uow.census.unknown_words())

    assert [one.table for one in found] == ["messages"]
    assert "lost" in found[0].what
    with pytest.raises(UndecodableError):
        await sql_database.read(partial(_message, number=bad.id))


async def test_a_sync_row_is_moved_without_being_read(sql_database: SqlDatabase) -> None:
    """Its take compares status, attempts and stamp, nothing else."""
    task = await sql_database.transact(lambda uow: uow.sync.enqueue(EntityType.PRODUCT, 1, SyncAction.UPDATE, now=NOON))
    await spoil(sql_database, "sync_queue", "entity_type", "unheard of", f"id = {task.id}")
    before = Work(id=task.id, status="pending", attempts=0, stamp=None)

    assert list(await sql_database.read(lambda uow: uow.sync.waiting("pending"))) == [before]
    await sql_database.transact(
        lambda uow: uow.sync.move(before, before.taken("processing", now=NOON + timedelta(seconds=1)))
    )


async def test_a_customer_that_cannot_be_read_is_still_not_missing(sql_database: SqlDatabase) -> None:
    """Looked at with others, that one is left for whoever asks for it; the others are known."""
    for phone in (PHONE, OTHER):
        await sql_database.transact(partial(_met, phone=phone))
    await spoil(sql_database, "customer_profiles", "preferences", "{", f"phone = '{PHONE}'")

    def work(uow: UnitOfWork) -> None:
        uow.customers.look_ahead([PHONE, OTHER])
        assert uow.customers.of(OTHER) is not None
        with pytest.raises(UndecodableError):
            uow.customers.of(PHONE)

    await sql_database.read(work)


async def test_a_message_that_cannot_be_read_is_neither_known_nor_free(sql_database: SqlDatabase) -> None:
    """Looked for with others it is left out: it says nothing that a delivery could be compared with."""
    for name in ("spoilt", "sound"):
        await sql_database.transact(write(inbound(None, wa_message_id=name)))
    await spoil(sql_database, "messages", "content", "{", "wa_message_id = 'spoilt'")

    def work(uow: UnitOfWork) -> None:
        assert list(uow.messages.look_ahead(["spoilt", "sound", "free"])) == ["sound"]
        assert uow.messages.by_wa_id("free") is None
        with pytest.raises(UndecodableError):
            uow.messages.by_wa_id("spoilt")

    await sql_database.read(work)


def _met(uow: UnitOfWork, phone: str) -> int:
    return uow.customers.lock(phone, now=NOON).id


async def test_what_cannot_be_read_is_not_written_over(sql_database: SqlDatabase) -> None:
    """A person's change of a spoilt profile is refused, with an alarm; the column stays as it is."""
    number = await sql_database.transact(partial(_met, phone=PHONE))
    await spoil(sql_database, "customer_profiles", "preferences", "{broken", f"phone = '{PHONE}'")
    clock = FrozenClock()
    shop = await ScriptedShop.selling(clock=clock)
    customers = Customers(database=sql_database, clock=clock, shop=shop, counting=Counting(home="EUR"), country="ES")

    with pytest.raises(UndecodableError):
        await customers.tag(PHONE, add=("VIP",), by="ana")
    await shop.aclose()

    def stored(connection: Any) -> Any:
        return connection.exec_driver_sql(f"SELECT preferences, tags FROM {PREFIX}customer_profiles").one()  # noqa: S608 - our own words

    preferences, tags = await sql_database.run(stored, write=False)
    assert preferences == "{broken"
    assert "VIP" not in str(tags)
    (line,) = await sql_database.read(lambda uow: uow.audit.listed())
    assert (line.action, line.object) == ("alarm.unreadable_row", f"customer:{number}")

"""How many statements a transaction asks the engine for: none for each of many rows."""

import gc
import sqlite3
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiosqlite
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, Dialect, event
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from wch.adapters.sql import SqlDatabase, schema, session
from wch.adapters.sql.direct import CURSOR, Direct, direct
from wch.adapters.sql.statements import Statements
from wch.adapters.sql.tables import tables
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.saga import Saga
from wch.testing import NOON, strategies

_CHANGING = ("saga_type", "state", "context", "log", "created_at", "updated_at")


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


class Heard:
    """The way to the driver, and what went there."""

    def __init__(self, inner: Direct, sent: list[str]) -> None:
        self._inner = inner
        self._sent = sent

    def __getattr__(self, name: str) -> Any:
        def heard(text: str, values: Any) -> Any:
            self._sent.append(text)
            return getattr(self._inner, name)(text, values)

        return heard


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_thirty_new_customers_take_no_more_statements_than_three(
    driver: str, tmp_path: Path, opened: Callable[..., SqlDatabase], monkeypatch: pytest.MonkeyPatch
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
        monkeypatch.setattr(session, "direct", lambda *told, sent=sent, **more: Heard(direct(*told, **more), sent))
        await database.transact(many_new(count))
        told.append(len(sent))

    assert told[0] == told[1]
    assert told[0] > 8


@pytest.mark.parametrize("driver", ["sqlite", "sqlite+aiosqlite"])
async def test_the_short_way_tells_rows_changes_and_errors_as_the_long_one(
    driver: str, tmp_path: Path, opened: Callable[..., SqlDatabase]
) -> None:
    """Whoever redoes a transaction, or answers that a key is taken, asks for SQLAlchemy's errors."""

    def work(connection: Connection) -> None:
        way = direct(connection, is_file=True)
        way.tell("CREATE TABLE one (id INTEGER PRIMARY KEY, word TEXT UNIQUE)", ())
        assert way.tell_all("INSERT INTO one (word) VALUES (?)", [("a",), ("b",)]) == 2
        added = way.tell("INSERT INTO one (word) VALUES (?)", ("c",))
        assert (added.rowcount, added.lastrowid) == (1, 3)
        assert way.tell("UPDATE one SET word = word || ?", ("!",)).rowcount == 3
        assert way.ask("SELECT word FROM one WHERE id > ? ORDER BY id", [1]) == [("b!",), ("c!",)]
        for wrong in (
            partial(way.tell, "INSERT INTO one (word) VALUES (?)", ("c!",)),
            partial(way.tell_all, "INSERT INTO one (word) VALUES (?)", [("c!",)]),
        ):
            with pytest.raises(IntegrityError) as raised:
                wrong()
            assert raised.value.statement is None
        assert way.ask("SELECT count(*) FROM one", ()) == [(3,)]
        with pytest.raises(OperationalError):
            way.ask("SELECT nothing FROM one", ())
        with pytest.raises(OverflowError):
            way.ask("SELECT ?", [2**63])

    database = opened(f"{driver}:///{tmp_path / 'one'}.db")
    await schema.upgrade(database)
    await database.run(work, write=True)


async def test_a_transaction_is_one_way_to_the_thread_of_a_driver(
    tmp_path: Path, opened: Callable[..., SqlDatabase], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To go there and back for each statement took longer than what was done there."""
    ways: list[str] = []
    there: Any = aiosqlite.Connection._execute  # noqa: SLF001 - every way goes through it

    async def counted(held: Any, *asked: Any, **more: Any) -> Any:
        ways.append("there")
        return await there(held, *asked, **more)

    database = opened(f"sqlite+aiosqlite:///{tmp_path / 'one'}.db")
    await schema.upgrade(database)
    await database.read(lambda uow: uow.options.get("x"))
    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)

    await database.transact(many_new(3))
    written = len(ways)
    found = await database.read(lambda uow: len(uow.customers.listed()))

    assert (written, found) == (1, 3)
    assert ways[1:] == ["there"]


def test_what_is_run_for_many_rows_has_the_cursor_that_lives_as_long_as_its_connection() -> None:
    """One of its own kept the statement: thrown away later on another thread, it broke whoever ran that by then."""
    held = sqlite3.connect(":memory:")
    held.execute("CREATE TABLE one (word TEXT UNIQUE)")
    connection: Any = SimpleNamespace(info={CURSOR: held.cursor()}, dialect=SQLiteDialect_pysqlite(dbapi=sqlite3))
    way = direct(connection, is_file=True)

    assert way.tell_all("INSERT INTO one VALUES (?)", [("a",), ("b",)]) == 2
    with pytest.raises(IntegrityError):
        way.tell_all("INSERT INTO one VALUES (?)", [("a",)])
    assert way.ask("SELECT count(*) FROM one", ()) == [(2,)]
    held.close()


@pytest.mark.parametrize("dialect", [sqlite.dialect(), mysql.dialect()], ids=["file", "server"])
@given(before=strategies.sagas(), other=strategies.sagas(), kept=st.sets(st.sampled_from(_CHANGING)))
def test_what_is_remembered_of_a_row_is_what_it_would_be_written_as(
    dialect: Dialect, before: Saga, other: Saga, kept: set[str]
) -> None:
    """What it was and what of it changed, put together, are the whole row."""
    same = {name: getattr(before, name) for name in ("saga_id", *kept)}
    after = attrs.evolve(other, **same)
    statements = Statements.of(tables("t_", names_per_table=False).sagas, ("saga_id",))
    names, spoken = statements.names, statements.spoken(dialect)
    stood = dict(zip(names, spoken.whole(before), strict=True))

    changed = spoken.changed(before, after)

    assert {**stood, **changed} == dict(zip(names, spoken.whole(after), strict=True))


def test_a_row_is_remembered_as_long_as_somebody_has_it() -> None:
    """By itself, not by what is in it; and nothing is kept of it for longer."""
    spoken = Statements.of(tables("t_", names_per_table=False).sagas, ("saga_id",)).spoken(sqlite.dialect())
    row = Saga.begun("order-1", "placement", {}, now=NOON)
    spoken.remember(row, {"saga_id": "order-1"})

    assert spoken.remembered(row) == {"saga_id": "order-1"}
    assert spoken.remembered(attrs.evolve(row)) is None

    gone = weakref.ref(row)
    del row
    gc.collect()
    assert gone() is None
    assert not spoken._remembered  # noqa: SLF001 - nobody else can ask for it

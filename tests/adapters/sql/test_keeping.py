"""Rows that the connection which writes keeps: never others than a new connection reads, whatever happens between."""

import asyncio
import random  # noqa: TID251 - seeded: the same run each time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import NoneType
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from tests.adapters.sql.conftest import NOON
from wch.adapters.sql import SqlDatabase, keeping, schema
from wch.adapters.sql.direct import _ToAFile
from wch.application.ports import UnitOfWork
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.errors import DuplicateError, WchError
from wch.domain.evolution import evolve

Opened = Callable[..., SqlDatabase]
Work = Callable[[UnitOfWork], Any]

DRIVERS = ("sqlite", "sqlite+aiosqlite")
PHONES = ("4915100001", "4915100002", "4915100003")


def _ahead(uow: UnitOfWork, phones: tuple[str, ...] = PHONES) -> None:
    uow.customers.look_ahead(phones)
    uow.customers.lock_all(phones, now=NOON)
    uow.read_ahead(phones=phones)


def _arrives(phone: str, second: int) -> Work:
    """What a delivery does."""

    def work(uow: UnitOfWork) -> None:
        now = NOON + timedelta(seconds=second)
        _ahead(uow, (phone,))
        profile = uow.customers.lock(phone, now=now)
        thread = uow.conversations.latest_of(phone, lock=True)
        if thread is None:
            thread = uow.conversations.add(Conversation(customer_phone=phone, created_at=now, updated_at=now))
        uow.conversations.save(thread.counted(now=now))
        uow.customers.save(profile.wrote("Ada", now=now))

    return work


def _changes(whom: str, second: int, **changes: Any) -> Work:
    def work(uow: UnitOfWork) -> None:
        _ahead(uow, (whom,))
        uow.customers.save(evolve(uow.customers.lock(whom, now=NOON + timedelta(seconds=second)), **changes))

    return work


def _remembers(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(phone, now=NOON)
        preferences = amended(profile.preferences, word=f"word {second}")
        uow.customers.save(evolve(profile, preferences=preferences))

    return work


def _ends(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        _ahead(uow, (phone,))
        thread = uow.conversations.latest_of(phone, lock=True)
        if thread is not None and thread.is_open:
            now = NOON + timedelta(seconds=second)
            uow.conversations.save(evolve(thread, status=ConversationStatus.RESOLVED, updated_at=now))

    return work


def _begins_another(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        now = NOON + timedelta(seconds=second)
        uow.customers.lock(phone, now=now)
        uow.conversations.add(Conversation(customer_phone=phone, created_at=now, updated_at=now))

    return work


def _older_is_counted(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        ids = [held.key[0] for held in uow.holdings.of("conversations", [phone])]
        thread = uow.conversations.get(min(ids), lock=True) if ids else None
        if thread is not None:
            uow.conversations.save(thread.counted(now=NOON + timedelta(seconds=second)))

    return work


def _past_the_gateway(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        for table, changes in (
            ("customer_profiles", {"name": f"n{second}"}),
            ("conversations", {"unread_count": second}),
        ):
            for held in uow.holdings.of(table, [phone]):
                uow.holdings.rewrite(held, changes)

    return work


def _goes(phone: str, _second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        for table in ("conversations", "customer_profiles"):
            for held in uow.holdings.of(table, [phone]):
                uow.holdings.drop(held)

    return work


def _is_anothers(phone: str, second: int) -> Work:
    def work(uow: UnitOfWork) -> None:
        _ahead(uow)
        thread = uow.conversations.latest_of(phone, lock=True)
        if thread is not None:
            uow.conversations.save(evolve(thread, customer_phone=PHONES[second % 3]))

    return work


def _and_raises(inner: Work) -> Work:
    def work(uow: UnitOfWork) -> None:
        inner(uow)
        raise WchError

    return work


def _as_kept(uow: UnitOfWork) -> list[Any]:
    """What a transaction that writes takes them for."""
    uow.customers.look_ahead(PHONES)
    there = [phone for phone in PHONES if uow.customers.of(phone) is not None]
    uow.read_ahead(phones=there)
    return [(uow.customers.of(phone), uow.conversations.latest_of(phone)) for phone in PHONES]


def _as_read(uow: UnitOfWork) -> list[Any]:
    return [(uow.customers.of(phone), uow.conversations.latest_of(phone)) for phone in PHONES]


OF_ONE: tuple[Callable[[str, int], Work], ...] = (
    _arrives, _arrives, _arrives, _arrives, _remembers, _ends, _begins_another, _older_is_counted, _past_the_gateway,
    _goes, _is_anothers, lambda phone, second: _changes(phone, second, phone=f"{phone}{second}"), lambda phone, second: _changes(phone, second, name="a\ud800b"),
    lambda phone, second: _changes(phone, second, total_orders=second),
)  # fmt: skip


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("seed", range(6))
async def test_what_is_kept_is_what_another_connection_reads(
    driver: str, seed: int, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arrivals, works undone alone or together, writes past the gateway and other processes, in any order."""
    monkeypatch.setattr(keeping, "MOST_KEPT", 2)
    dice = random.Random(seed)  # noqa: S311 - no secret
    url = f"{driver}:///{tmp_path / 'hub.db'}"
    ours, other = opened(url, prefix="wch_"), opened(url, prefix="wch_")
    await schema.upgrade(ours)
    for step in range(60):
        works = [dice.choice(OF_ONE)(dice.choice(PHONES), step) for _ in range(dice.randint(1, 3))]
        works = [_and_raises(work) if dice.random() < 0.15 else work for work in works]
        database = other if dice.random() < 0.2 else ours
        ended = await asyncio.gather(*(database.transact(work) for work in works), return_exceptions=True)
        assert {type(one) for one in ended} <= {NoneType, WchError, DuplicateError}
        if dice.random() < 0.1:
            await ours.run(lambda inner: inner.exec_driver_sql(_RAW), write=True)

        kept, read = await ours.transact(_as_kept), await other.read(_as_read)

        assert kept == read, (step, works)
        assert repr(kept) == repr(read)


_RAW = "UPDATE wch_customer_profiles SET name = 'raw', last_interaction_at = NULL"


@pytest.mark.parametrize("driver", DRIVERS)
async def test_who_writes_again_is_not_read_again(
    driver: str, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The customer and the thread stand as they were written; only whether somebody else wrote is asked."""
    database = opened(f"{driver}:///{tmp_path / 'hub.db'}", prefix="wch_")
    await schema.upgrade(database)
    for second in range(2):
        await database.transact(_arrives(PHONES[0], second))
    asked: list[str] = []
    ask = _ToAFile.ask

    def heard(way: Any, text: str, values: Any) -> Any:
        asked.append(text)
        return ask(way, text, values)

    monkeypatch.setattr(_ToAFile, "ask", heard)
    await database.transact(_arrives(PHONES[0], 2))

    assert asked == ["PRAGMA data_version"]
    threads = await database.read(lambda uow: uow.conversations.listed())
    assert [thread.message_count for thread in threads] == [3]


@pytest.mark.parametrize("driver", DRIVERS)
async def test_nothing_is_kept_over_a_hosts_engine(driver: str, tmp_path: Path) -> None:
    """The host may write by the same connection, which its version would not tell."""
    url = f"{driver}:///{tmp_path / 'host.db'}"
    engine: Any = create_engine(url) if driver == "sqlite" else create_async_engine(url)
    database = SqlDatabase.over(engine, now=lambda: NOON, token=lambda: "0" * 32)
    await schema.upgrade(database)
    for second in range(3):
        await database.transact(_arrives(PHONES[0], second))

    if driver == "sqlite":
        with engine.begin() as connection:
            connection.exec_driver_sql(_RAW)
    else:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(_RAW)

    profile: CustomerProfile = (await database.transact(_as_kept))[0][0]
    assert profile.name == "raw"
    await database.aclose()
    await engine.dispose() if driver != "sqlite" else engine.dispose()

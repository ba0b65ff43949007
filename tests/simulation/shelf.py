"""The shop of every seed: one for the whole run of tests, as good as new each time, since opening one takes longer than a sale."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

import attrs
from sqlalchemy import Connection, Engine

from wch.adapters.local_shop import LocalShop
from wch.adapters.sql import SqlDatabase
from wch.adapters.sql.database import engines
from wch.application.ports import Clock
from wch.testing import FrozenClock, SequentialIds

STOCK = 2

Rows = Mapping[str, list[tuple[Any, ...]]]

_first: list[tuple[LocalShop, Rows]] = []
"""The shop before its first sale, and every row that it had then."""


@cache
def _engine() -> Engine:
    engine = engines.engine_of("sqlite://", pool_size=1, inline=True)
    assert isinstance(engine, Engine)
    return engine


def _database(clock: Clock) -> SqlDatabase:
    return SqlDatabase(_engine(), prefix="", now=clock.now, token=SequentialIds().token, inline=True)


def open_once() -> None:
    """See to it that the shop is there, outside any seed: what a seed does must not depend on who came first."""
    if not _first:
        _first.append(asyncio.run(_opened(FrozenClock())))


async def stocked(clock: Clock) -> LocalShop:
    """A shop with few mugs; it must have been opened."""
    shop, rows = _first[0]
    mine = attrs.evolve(shop, database=_database(clock), clock=clock)
    await mine.database.run(lambda connection: _restore(connection, rows), write=True)
    return mine


async def _opened(clock: Clock) -> tuple[LocalShop, Rows]:
    from wch.adapters.local_shop import samples  # noqa: PLC0415 - heavy, and only here
    from wch.testing.scripted_shop import Goods, ScriptedShop, put_on_shelf  # noqa: PLC0415 - see above

    goods = [Goods(sku="MUG", name="Mug", price=Decimal("9.50"), stock=STOCK)]
    kind = await ScriptedShop.selling(goods, clock=clock, country="ES")
    shop = attrs.evolve(kind.shop, database=_database(clock))
    await kind.shop.database.aclose()
    await shop.install()
    await shop.work(samples.fill_rules, write=True)
    await put_on_shelf(shop, goods)
    return shop, await shop.database.run(_rows, write=False)


def _rows(connection: Connection) -> Rows:
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").scalars().all()
    return {name: [tuple(row) for row in connection.exec_driver_sql(f"SELECT * FROM {name}")] for name in names}  # noqa: S608 - our own tables


def _restore(connection: Connection, rows: Rows) -> None:
    for name, kept in rows.items():
        connection.exec_driver_sql(f"DELETE FROM {name}")  # noqa: S608 - see above
        for row in kept:
            places = ", ".join("?" * len(row))
            connection.exec_driver_sql(f"INSERT INTO {name} VALUES ({places})", row)  # noqa: S608 - see above

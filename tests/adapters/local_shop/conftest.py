"""A built-in shop with its samples, in memory."""

from collections.abc import AsyncIterator

import pytest

from wch.adapters.local_shop import LocalShop
from wch.adapters.sql.database import SqlDatabase
from wch.domain.catalogue import ShopFacts
from wch.testing.doubles import FrozenClock, SequentialIds


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
async def shop(clock: FrozenClock) -> AsyncIterator[LocalShop]:
    database = SqlDatabase.open("sqlite://", prefix="wch_", now=clock.now, token=SequentialIds().token, inline=True)
    facts = ShopFacts(
        name="The shop", currency="USD", country="US", sells_to=(), timezone="UTC", prices_include_tax=False
    )
    opened = LocalShop(database=database, clock=clock, facts=facts, secret=b"secret")
    await opened.install(with_samples=True)
    yield opened
    assert await opened.miscounted() == ()
    await database.aclose()

"""The shops that come with the hub keep the contract of every shop."""

from collections.abc import AsyncIterator, Callable

import attrs
import pytest

from wch.adapters.local_shop import LocalShop, drop, samples
from wch.adapters.sql.database import SqlDatabase
from wch.application.ports import Shop
from wch.domain.catalogue import ShopFacts
from wch.testing.doubles import FrozenClock, SequentialIds
from wch.testing.scripted_shop import Goods, ScriptedShop, put_on_shelf
from wch.testing.shop_contract import Shelf, ShopContract


@attrs.define
class LocalShelf:
    """Opens built-in shops on one store, each under a prefix of its own."""

    url: str
    clock: FrozenClock = attrs.field(factory=FrozenClock)
    opened: list[LocalShop] = attrs.field(factory=list)

    async def open(self, *goods: Goods, currency: str = "EUR") -> Shop:
        database = SqlDatabase.open(
            self.url,
            prefix=f"shelf{len(self.opened)}_",
            now=self.clock.now,
            token=SequentialIds().token,
            inline=self.url == "sqlite://",
        )
        facts = ShopFacts(
            name="Shelf", currency=currency, country="DE", sells_to=(), timezone="UTC", prices_include_tax=True
        )
        shop = LocalShop(database=database, clock=self.clock, facts=facts, secret=b"s")
        await database.run(lambda connection: drop(connection, database.prefix), write=True)
        await shop.install()
        await shop.work(samples.fill_rules, write=True)
        await put_on_shelf(shop, goods)
        self.opened.append(shop)
        return shop

    async def put(self, shop: Shop, *goods: Goods) -> None:
        assert isinstance(shop, LocalShop)
        await put_on_shelf(shop, goods)

    async def close(self) -> None:
        """Nothing miscounted, nothing left behind."""
        for shop in self.opened:
            assert await shop.miscounted() == ()
            prefix = shop.database.prefix
            await shop.database.run(lambda connection, prefix=prefix: drop(connection, prefix), write=True)  # type: ignore[misc]  # wrong on purpose, or narrower than mypy can see
            assert shop.database.connections_out == 0
            await shop.database.aclose()


@attrs.define
class ScriptedShelf:
    """Opens scripted shops."""

    clock: FrozenClock = attrs.field(factory=FrozenClock)
    opened: list[ScriptedShop] = attrs.field(factory=list)

    async def open(self, *goods: Goods, currency: str = "EUR") -> Shop:
        shop = await ScriptedShop.selling(goods, clock=self.clock, currency=currency)
        self.opened.append(shop)
        return shop

    async def put(self, shop: Shop, *goods: Goods) -> None:
        assert isinstance(shop, ScriptedShop)
        await put_on_shelf(shop.shop, goods)

    async def close(self) -> None:
        for shop in self.opened:
            await shop.aclose()


class TestLocalShopOnSqlite(ShopContract):
    @pytest.fixture(params=["sqlite+aiosqlite:///{}", "sqlite:///{}"], ids=["aiosqlite", "sqlite3"])
    async def shelf(
        self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> AsyncIterator[Shelf]:
        shelf = LocalShelf(request.param.format(tmp_path_factory.mktemp("shop") / "shop.db"))
        yield shelf
        await shelf.close()


@pytest.mark.mariadb
class TestLocalShopOnMariaDb(ShopContract):
    @pytest.fixture
    async def shelf(self, mariadb_url: str) -> AsyncIterator[Shelf]:
        shelf = LocalShelf(mariadb_url)
        yield shelf
        await shelf.close()


class TestScriptedShop(ShopContract):
    @pytest.fixture
    async def shelf(self) -> AsyncIterator[Shelf]:
        shelf = ScriptedShelf()
        yield shelf
        await shelf.close()


def test_both_answer_the_port() -> None:
    """Checked where the value is assigned: mypy refuses what the port does not have."""
    local: type[Shop] = LocalShop
    scripted: Callable[..., Shop] = ScriptedShop

    assert local is not scripted

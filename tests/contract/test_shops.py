"""The shops that come with the hub keep the contract of every shop."""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import attrs
import httpx2
import pytest

from wch.adapters.local_shop import LocalShop, drop, samples
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sandbox.woocommerce import SimulatedWooCommerce, Till, fill_rules
from wch.adapters.sql.database import SqlDatabase
from wch.adapters.woocommerce import calling
from wch.adapters.woocommerce.shop import WooCommerceShop
from wch.application.breakers import PRESETS, Breakers
from wch.application.failpoints import Failpoints
from wch.application.guarded_shop import GuardedShop
from wch.application.ports import Shop
from wch.application.tallies import Tallies
from wch.domain.catalogue import ShopFacts
from wch.domain.circuit_breaker import BreakerRule
from wch.domain.order import OrderStatus
from wch.domain.shop_error import OutOfStockError
from wch.testing.doubles import FrozenClock, SequentialIds
from wch.testing.scripted_shop import Goods, ScriptedShop, put_customer, put_on_shelf
from wch.testing.shop_contract import LAMP, Shelf, ShopContract, line_of, placed
from wch.testing.simulated_shop import put_account, put_on_floor


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

    async def customer(self, shop: Shop, phone: str, *, email: str) -> int:
        assert isinstance(shop, LocalShop)
        return await put_customer(shop, phone, email=email)

    async def close(self) -> None:
        """Nothing miscounted, nothing left behind."""
        for shop in self.opened:
            assert await shop.miscounted() == ()
            prefix = shop.database.prefix
            await shop.database.run(lambda connection, prefix=prefix: drop(connection, prefix), write=True)  # type: ignore[misc]  # wrong on purpose, or narrower than mypy can see
            await shop.database.settled()  # what a caller who left had begun may still be on its way
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

    async def customer(self, shop: Shop, phone: str, *, email: str) -> int:
        assert isinstance(shop, ScriptedShop)
        return await put_customer(shop.shop, phone, email=email)

    async def close(self) -> None:
        for shop in self.opened:
            await shop.aclose()


@attrs.define
class WooShelf:
    """Opens simulated WooCommerce shops, each with a hub's store of its own in memory."""

    waiting_status: str = "pending"
    clock: FrozenClock = attrs.field(factory=FrozenClock)
    floors: dict[int, SimulatedWooCommerce] = attrs.field(factory=dict)
    clients: list[httpx2.AsyncClient] = attrs.field(factory=list)

    async def open(self, *goods: Goods, currency: str = "EUR") -> Shop:
        client = httpx2.AsyncClient()
        simulated = SimulatedWooCommerce(
            clock=self.clock, key="ck", secret="cs", till=Till(currency=currency), country="DE", http=client
        )
        fill_rules(simulated.floor)
        http = calling.client(simulated.transport())
        self.clients += [client, http]
        shop = WooCommerceShop.over(
            calling.WooApi(http=http, root="http://shop.example", key="ck", secret="cs"),
            database=MemoryDatabase(),
            clock=self.clock,
            currency=currency,
            secret=b"s",
            waiting_status=self.waiting_status,
        )
        self.floors[id(shop)] = simulated
        await self.put(shop, *goods)
        return shop

    async def put(self, shop: Shop, *goods: Goods) -> None:
        put_on_floor(self.floors[id(shop)].floor, goods)

    async def customer(self, shop: Shop, phone: str, *, email: str) -> int:
        return put_account(self.floors[id(shop)].floor, phone, email=email)

    async def close(self) -> None:
        for client in self.clients:
            await client.aclose()


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


class TestWooCommerce(ShopContract):
    """With the waiting status `pending`: goods leave the shop's stock when an order goes to work."""

    @pytest.fixture
    async def shelf(self) -> AsyncIterator[Shelf]:
        shelf = WooShelf()
        yield shelf
        await shelf.close()


class TestWooCommerceOnHold(ShopContract):
    """With the waiting status `on-hold`, which is the default: an order takes its goods at once."""

    waiting = OrderStatus.ON_HOLD

    @pytest.fixture
    async def shelf(self) -> AsyncIterator[Shelf]:
        shelf = WooShelf(waiting_status="on-hold")
        yield shelf
        await shelf.close()

    async def test_goods_that_went_elsewhere_meanwhile_are_missed(self, shelf: Shelf) -> None:
        """What an order holds cannot go elsewhere: whoever comes later hears so, and the first is accepted late."""
        shop = await shelf.open(attrs.evolve(LAMP, stock=1))
        line = await line_of(shop, "LAMP")
        late = await placed(shop, shelf, [line])
        shelf.clock.advance(timedelta(hours=3))

        with pytest.raises(OutOfStockError):
            await shop.reserve(key="order-2-1-reserve", lines=[line], until=shelf.clock.now() + timedelta(hours=1))
        accepted = await shop.accept_order(order_id=late.id, key="order-1-1-accept")
        assert accepted.status is OrderStatus.PROCESSING


@attrs.define
class GuardedShelf:
    """Opens scripted shops behind the breaker."""

    behind: ScriptedShelf = attrs.field(factory=ScriptedShelf)
    opened: dict[int, Shop] = attrs.field(factory=dict)
    clock: FrozenClock = attrs.field(default=attrs.Factory(lambda self: self.behind.clock, takes_self=True))

    async def open(self, *goods: Goods, currency: str = "EUR") -> Shop:
        shop = await self.behind.open(*goods, currency=currency)
        rules = {name: BreakerRule.read(text) for name, text in PRESETS.items()}
        breakers = Breakers(
            database=MemoryDatabase(),
            clock=self.clock,
            rules=rules,
            failpoints=Failpoints.disarmed(),
            tallies=Tallies(),
        )
        guarded = GuardedShop(shop=shop, breakers=breakers, clock=self.clock)
        self.opened[id(guarded)] = shop
        return guarded

    async def put(self, shop: Shop, *goods: Goods) -> None:
        await self.behind.put(self.opened[id(shop)], *goods)

    async def customer(self, shop: Shop, phone: str, *, email: str) -> int:
        return await self.behind.customer(self.opened[id(shop)], phone, email=email)


class TestGuardedShop(ShopContract):
    """The breaker changes nothing of what a shop says."""

    @pytest.fixture
    async def shelf(self) -> AsyncIterator[Shelf]:
        shelf = GuardedShelf()
        yield shelf
        await shelf.behind.close()


def test_both_answer_the_port() -> None:
    """Checked where the value is assigned: mypy refuses what the port does not have."""
    local: type[Shop] = LocalShop
    scripted: Callable[..., Shop] = ScriptedShop
    woocommerce: type[Shop] = WooCommerceShop

    assert len({local, scripted, woocommerce}) == 3

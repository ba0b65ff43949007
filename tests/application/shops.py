"""The built-in shop and a simulated WooCommerce shop with the same goods, behind one stand-in that notes every call."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, cast

import attrs
import httpx2
from sqlalchemy import insert

from wch.adapters.local_shop import LocalShop, samples
from wch.adapters.memory import MemoryDatabase
from wch.adapters.sandbox.woocommerce import SimulatedWooCommerce, Till, fill_rules
from wch.adapters.sql.database import SqlDatabase
from wch.adapters.woocommerce import calling
from wch.adapters.woocommerce.shop import WooCommerceShop
from wch.application.ports import Database
from wch.domain.catalogue import ShopFacts
from wch.testing import FrozenClock, SequentialIds
from wch.testing.scripted_shop import Goods, ScriptedShop, put_on_shelf
from wch.testing.simulated_shop import put_on_floor


@attrs.define(kw_only=True)
class Woo:
    """A simulated shop, the adapter that speaks to it, and the hub's store behind both."""

    simulated: SimulatedWooCommerce
    shop: WooCommerceShop
    database: Database
    clock: FrozenClock
    clients: tuple[httpx2.AsyncClient, ...]

    @property
    def noted(self) -> ScriptedShop:
        """The shop with a note of every call."""
        return ScriptedShop(cast("LocalShop", self.shop), clock=self.clock)

    @property
    def alive(self) -> list[dict[str, Any]]:
        """The orders that are not cancelled."""
        return [order for order in self.simulated.floor.orders.values() if order["status"] != "cancelled"]

    def stock(self, sku: str) -> int:
        """The shop's own count."""
        row = next(one for one in self.simulated.floor.products.values() if one["sku"] == sku)
        return int(row["stock_quantity"])

    async def held(self) -> list[str]:
        """The rows of what our buyers hold."""
        rows = await self.database.read(lambda uow: uow.options.named("reserve:"))
        return [name for name, _ in rows]

    async def aclose(self) -> None:
        for client in self.clients:
            await client.aclose()


def woo(
    goods: Sequence[Goods],
    *,
    clock: FrozenClock | None = None,
    database: Database | None = None,
    currency: str = "EUR",
    tax: Decimal = Decimal(0),
    prices_include_tax: bool = True,
    waiting_status: str = "on-hold",
    hub: httpx2.AsyncClient | None = None,
    **more: Any,
) -> Woo:
    """A simulated shop that sells these."""
    clock = clock or FrozenClock()
    tells = hub or httpx2.AsyncClient()
    simulated = SimulatedWooCommerce(
        clock=clock,
        key="ck",
        secret="cs",
        till=Till(currency=currency, prices_include_tax=prices_include_tax, tax_rate=tax),
        country="DE",
        http=tells,
        **more,
    )
    fill_rules(simulated.floor)
    put_on_floor(simulated.floor, goods)
    http = calling.client(simulated.transport())
    store = database or MemoryDatabase()
    shop = WooCommerceShop.over(
        calling.WooApi(http=http, root="http://shop.example", key="ck", secret="cs"),
        database=store,
        clock=clock,
        currency=currency,
        secret=b"s",
        waiting_status=waiting_status,
    )
    return Woo(simulated=simulated, shop=shop, database=store, clock=clock, clients=(tells, http))


async def built_in(
    goods: Sequence[Goods], *, clock: FrozenClock, currency: str, tax: Decimal, prices_include_tax: bool
) -> ScriptedShop:
    """The built-in shop with the same goods and the same tax."""
    database = SqlDatabase.open("sqlite://", prefix="", now=clock.now, token=SequentialIds().token, inline=True)
    facts = ShopFacts(
        name="The test's shop",
        currency=currency,
        country="DE",
        sells_to=(),
        timezone="UTC",
        prices_include_tax=prices_include_tax,
    )
    shop = LocalShop(database=database, clock=clock, facts=facts, secret=b"stories")
    await shop.install()
    await shop.work(samples.fill_rules, write=True)
    if tax:
        rate = int(tax * 1_000_000)
        await shop.work(
            lambda till: till.connection.execute(insert(till.tables.tax_rates).values(rate_millionths=rate)), write=True
        )
    await put_on_shelf(shop, goods)
    return ScriptedShop(shop, clock=clock)

"""The scripted shop does as it is told, and remembers it."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from wch.domain.order import OrderDraft
from wch.domain.quote import Buyer
from wch.domain.shop_error import ShopRefusedError, ShopUnavailableError
from wch.testing.doubles import NOON, FrozenClock
from wch.testing.scripted_shop import Goods, LostAnswer, Refused, ScriptedShop, Slow, Unavailable
from wch.testing.shop_contract import line_of

LAMP = Goods(sku="LAMP", name="Blue Lamp", price=Decimal(20), stock=3)


async def test_next_calls_go_as_ordered(clock: FrozenClock) -> None:
    """One step for each call, of that operation only; then all is well again."""
    shop = await ScriptedShop.selling([LAMP], clock=clock)
    shop.script("search", Unavailable(timedelta(seconds=7)), Refused("closed"))

    with pytest.raises(ShopUnavailableError) as caught:
        await shop.search()
    assert caught.value.retry_after == timedelta(seconds=7)
    await shop.categories()
    with pytest.raises(ShopRefusedError, match="closed"):
        await shop.search()
    assert [card.name for card in (await shop.search(text="lamp")).items] == ["Blue Lamp"]
    assert [(call.operation, call.key, call.at) for call in shop.calls] == [
        ("search", None, NOON),
        ("categories", None, NOON),
        ("search", None, NOON),
        ("search", None, NOON),
    ]
    assert shop.calls_of("search")[2].arguments["text"] == "lamp"
    await shop.aclose()


async def test_an_answer_can_be_lost_after_the_effect(clock: FrozenClock) -> None:
    """The worst case of every write: it happened, and the caller does not know."""
    shop = await ScriptedShop.selling([LAMP], clock=clock)
    line = await line_of(shop, "LAMP")
    quote = await shop.quote(lines=[line], customer=Buyer(phones=("1",)))
    draft = OrderDraft(customer=Buyer(phones=("1",)), lines=(line,), payment_method="cod", expected_total=quote.total)
    shop.script("create_order", LostAnswer())

    with pytest.raises(ShopUnavailableError):
        await shop.create_order(key="k-create_order", draft=draft)
    found = await shop.find_order(key="k-create_order", since=NOON)
    assert found is not None
    assert shop.calls_of("create_order")[0].key == found.key
    await shop.aclose()


async def test_a_slow_call_waits_until_it_is_let_go(clock: FrozenClock) -> None:
    """Without a second of real time."""
    shop = await ScriptedShop.selling(clock=clock)
    gate = asyncio.Event()
    shop.script("about", Slow(gate))
    call = asyncio.create_task(shop.about())
    await asyncio.sleep(0)
    assert not call.done()
    gate.set()

    assert (await call).currency == "EUR"
    await shop.aclose()


async def test_a_script_names_an_operation(clock: FrozenClock) -> None:
    """A typing mistake must not make a test pass."""
    shop = await ScriptedShop.selling(clock=clock)

    with pytest.raises(ValueError, match="no operation serach"):
        shop.script("serach", Unavailable())
    with pytest.raises(ValueError, match="price"):
        await ScriptedShop.selling([Goods(sku="V", name="V", parent="NONE")], clock=clock)
    await shop.aclose()

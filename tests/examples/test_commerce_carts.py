"""The examples of the page on commerce that are about carts, by their numbers: 12 to 20."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.dialogue.test_shopping import set_product
from tests.application.outreaching import BODIES
from tests.examples.stage import A, B, Stage, stage
from wch.domain.api_key import KeyScope
from wch.domain.cart import Cart, CartStatus
from wch.domain.conversation import ConversationStatus
from wch.domain.message_template import MessageTemplate, option_of
from wch.testing.scripted_shop import Goods

THINGS = tuple(Goods(sku=f"T{n}", name=f"Thing {n:02}", price=Decimal(1), stock=200) for n in range(51))


@pytest.fixture
async def shop() -> AsyncIterator[Stage]:
    async with stage() as opened:
        yield opened


def quantities(cart: Cart) -> list[tuple[str, int]]:
    return [(item.product_name, item.quantity) for item in cart.items]


async def small_shirt(shop: Stage) -> str:
    """The button that puts the small shirt into the cart."""
    product = await shop.shop.shop.product(product_id=await shop.id_of("Shirt"))
    small = next(one for one in product.variants if one.attributes == {"Size": "S"})
    return f"add_to_cart_{product.id}_{small.id}"


async def test_example_12_more_of_a_line_than_the_shop_has(shop: Stage) -> None:
    await set_product(shop, "SHIRT-S", stock=5)  # type: ignore[arg-type] # it has a shop too
    button = await small_shirt(shop)
    await shop.taps(f"{button}_x2")
    await shop.taps(f"{button}_x3")
    grown = await shop.cart()
    assert quantities(grown) == [("Shirt", 5)]
    assert grown.items[0].variant_attributes == {"Size": "S"}

    await shop.says("clear cart")
    await shop.says("yes")
    await set_product(shop, "SHIRT-S", stock=4)  # type: ignore[arg-type] # it has a shop too
    await shop.taps(f"{button}_x2")
    before = await shop.cart()
    shop.clock.advance(10)
    said = await shop.taps(f"{button}_x3")

    assert "4" in said[-1]
    assert await shop.cart() == before


async def test_example_13_the_limits_of_a_cart() -> None:
    async with stage(goods=THINGS) as shop:
        for n in range(50):
            await shop.taps(f"add_to_cart_{await shop.id_of(f'Thing {n:02}')}")
            shop.clock.advance(15)
        full = await shop.cart()
        assert len(full.items) == 50

        said = await shop.taps(f"add_to_cart_{await shop.id_of('Thing 50')}")
        assert "50" in said[-1]
        assert await shop.cart() == full

        shop.clock.advance(15)
        said = await shop.taps(f"line_{full.items[0].product_id}_x100")
        assert "99" in said[-1]
        assert await shop.cart() == full


async def test_example_14_a_price_that_moved(shop: Stage) -> None:
    await set_product(shop, "LAMP", price=1000, regular_price=1000)  # type: ignore[arg-type] # it has a shop too
    await shop.says("add 1 blue lamp to cart")
    await set_product(shop, "LAMP", price=1001, regular_price=1001)  # type: ignore[arg-type] # it has a shop too

    said = await shop.says("checkout")
    assert "$10.00" in said[-1]
    assert "$10.01" in said[-1]
    assert (await shop.thread()).state == "cart_management"
    (line,) = (await shop.cart()).items
    assert (line.price_at_add, line.agreed_price) == (Decimal("10.01"), Decimal("10.00"))

    await shop.later(hours=1)
    await shop.taps("accept_prices")
    assert (await shop.cart()).items[0].agreed_price is None
    await shop.says("checkout")
    assert (await shop.thread()).state == "checkout_address"

    await shop.says("cancel")
    await set_product(shop, "LAMP", price=999, regular_price=999)  # type: ignore[arg-type] # it has a shop too
    said = await shop.says("cart")
    assert "$9.99" in said[-1]
    assert not [reply for reply in shop.ids() if reply.startswith("accept")]
    assert not (await shop.cart()).needs_consent


async def test_example_15_an_order_of_the_catalogue_with_everything_wrong(shop: Stage) -> None:
    names = {name: str(await shop.id_of(name)) for name in ("Blue Lamp", "Umbrella", "Sold Vase")}
    order = {
        "catalog_id": "c",
        "product_items": [
            {"product_retailer_id": names["Blue Lamp"], "quantity": "2", "item_price": 20, "currency": "USD"},
            {"product_retailer_id": names["Umbrella"], "quantity": 1, "item_price": 14, "currency": "USD"},
            {"product_retailer_id": "nobody", "quantity": 1, "item_price": 5, "currency": "USD"},
            {"product_retailer_id": names["Sold Vase"], "quantity": 1, "item_price": 9, "currency": "USD"},
        ],
    }
    said = await shop.sends(type="order", order=order)
    cart = await shop.cart()
    assert quantities(cart) == [("Blue Lamp", 2), ("Umbrella", 1)]
    for words in ("Blue Lamp", "Umbrella", "nobody: I do not know", "Sold Vase: sold out"):
        assert words in said[-1], words
    assert (cart.items[1].price_at_add, cart.items[1].agreed_price) == (Decimal("15.00"), Decimal("14.00"))
    assert "accept_prices" in shop.ids()

    shop.clock.advance(5)
    await shop.sends(type="order", order=order)
    again = await shop.cart()
    assert (again.name, quantities(again), again.total) == (cart.name, quantities(cart), cart.total)
    assert again.items[1].agreed_price == Decimal("14.00")


async def test_example_16_a_cart_expires_and_comes_back(shop: Stage) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("add 1 umbrella to cart")
    await shop.later(hours=71)
    await shop.taps(f"line_{await shop.id_of('Umbrella')}_x2")
    changed = await shop.cart()
    assert quantities(changed) == [("Blue Lamp", 1), ("Umbrella", 2)]
    assert changed.expires_at == shop.clock.now() + timedelta(hours=72)

    await shop.later(hours=73)
    assert (await shop.cart()).status is CartStatus.EXPIRED
    await set_product(shop, "UMBRELLA", active=False)  # type: ignore[arg-type] # it has a shop too
    await shop.says("hi")
    said = await shop.press("restore_cart")
    assert "Umbrella: no longer available" in said[-1]
    restored = await shop.cart()
    assert (restored.status, quantities(restored)) == (CartStatus.ACTIVE, [("Blue Lamp", 1)])


async def test_example_17_who_has_left_and_who_has_not(shop: Stage) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("add 1 blue lamp to cart", sender=B)
    await shop.says("human", sender=B)
    assert (await shop.thread(B)).status is ConversationStatus.ESCALATED
    touched = (await shop.cart()).updated_at

    await shop.later(minutes=65)

    left = await shop.cart()
    assert (left.status, left.abandoned_at, left.updated_at) == (CartStatus.ABANDONED, shop.clock.now(), touched)
    assert (await shop.cart(B)).status is CartStatus.ACTIVE


async def test_example_17_a_placement_that_waits_keeps_its_cart() -> None:
    async with stage(cards=True) as shop:
        await shop.to_review()
        await shop.press("payment_stripe")
        await shop.press("confirm_order:")
        await shop.work()
        assert len(shop.gateway.book) == 1
        await shop.later(minutes=58)
        (saga,) = await shop.see(lambda uow: uow.sagas.listed())
        assert saga.is_open

        def idle(uow: Any) -> None:
            profile = uow.customers.lock(A, now=shop.clock.now())
            cart = uow.carts.of(A, lock=True)
            uow.customers.save(attrs.evolve(profile, last_interaction_at=None))
            uow.carts.save(attrs.evolve(cart, updated_at=shop.clock.now() - timedelta(minutes=65)))

        await shop.do(idle)
        await shop.work()
        assert (await shop.cart()).status is CartStatus.ACTIVE


async def reminded(shop: Stage) -> Cart:
    """B has a lamp in the cart, left, and was reminded once."""
    await shop.says("hi", sender=B)

    def opt_in(uow: Any) -> None:
        profile = uow.customers.lock(B, now=shop.clock.now())
        uow.customers.save(profile.consenting("marketing", "in", source="keyword", now=shop.clock.now()))
        uow.options.put("whatsapp.limits", {"v": 1, "tier": -1})
        for number, text in BODIES.items():
            one = MessageTemplate(
                name=f"abandoned_cart_reminder_{number}", language="en", components=({"type": "BODY", "text": text},)
            )
            uow.options.put(option_of(one.name, one.language), one.to_json())

    await shop.do(opt_in)
    await shop.says("add 1 blue lamp to cart", sender=B)
    for _ in range(10):
        await shop.later(minutes=30)
        cart: Cart = await shop.cart(B)
        if cart.reminder_1_sent_at is not None:
            return cart
    message = "no reminder went out"
    raise AssertionError(message)


async def test_example_18_a_reminder_brings_the_order(shop: Stage) -> None:
    cart = await reminded(shop)
    await shop.says("checkout", sender=B)
    await shop.says("Anna Smith, 221B Baker Street, London NW1 6XE, UK", sender=B)
    await shop.press("use_address", sender=B)
    await shop.press("confirm_order:", sender=B)
    await shop.later(minutes=1)

    (saga,) = await shop.see(lambda uow: uow.sagas.listed())
    order = await shop.shop.order(order_id=saga.results["create_order"]["order_id"])
    bought = await shop.cart(B)
    assert (bought.recovered, bought.recovered_order_id, bought.recovered_revenue) == (
        True, order.id, order.total.amount,
    )  # fmt: skip
    assert bought.name == cart.name

    await shop.says("hi", sender=B)
    await shop.says("add 1 umbrella to cart", sender=B)
    following = await shop.cart(B)
    assert following.id == cart.id
    assert following.created_at > cart.created_at
    assert quantities(following) == [("Umbrella", 1)]
    assert (following.reminder_1_sent_at, following.reminder_2_sent_at, following.reminder_3_sent_at) == (None,) * 3
    assert (following.recovered, following.recovered_order_id, following.abandoned_at) == (False, None, None)


async def test_example_19_two_orders_in_one_second(shop: Stage) -> None:
    for name in ("blue lamp", "umbrella"):
        await shop.says(f"add 1 {name} to cart")
        await shop.says("checkout")
        if "saved_address_1" in shop.ids():
            await shop.press("saved_address_1")
        else:
            await shop.says("221B Baker Street, London NW1 6XE, UK")
            await shop.press("use_address")
        await shop.press("confirm_order:")

    sagas = await shop.see(lambda uow: uow.sagas.listed())
    assert {one.state.value for one in sagas} == {"completed"}
    assert len({one.saga_id for one in sagas}) == 2
    assert len({one.results["create_order"]["order_id"] for one in sagas}) == 2
    assert {one.created_at for one in sagas} == {shop.clock.now()}


async def test_example_20_twenty_who_saw_the_same_cart(shop: Stage) -> None:
    await shop.says("add 1 blue lamp to cart")
    await shop.says("add 1 desk lamp to cart")
    cart = await shop.cart()
    key = (await shop.hub.keys.create((KeyScope.CARTS.value, KeyScope.READ.value), by="test")).text
    who = {"Authorization": f"Bearer {key}"}
    version = (await shop.http.get(f"/api/v1/carts/{cart.id}", headers=who)).headers["etag"]

    async def change(quantity: int) -> int:
        line = {"product_id": cart.items[1].product_id, "variation_id": None, "quantity": quantity}
        answer = await shop.http.patch(
            f"/api/v1/carts/{cart.id}/items", json=line, headers={**who, "If-Match": version}
        )
        return answer.status_code

    answers = await asyncio.gather(*(change(quantity) for quantity in range(2, 22)))

    assert sorted(answers) == [200] + [412] * 19
    won = answers.index(200) + 2
    assert quantities(await shop.cart()) == [("Blue Lamp", 1), ("Desk Lamp", won)]

"""One sale from the first word to the order, in words and in taps."""

from decimal import Decimal

from tests.application.dialogue.chat import BAKER_STREET, NUMBER, Chat
from tests.application.dialogue.test_shopping import set_product
from wch.domain.conversation import State
from wch.domain.money import money_from_json


async def test_a_sale_in_taps(chat: Chat) -> None:
    """Greeting, categories, product, cart, checkout, review, order."""
    assert "Sheena Nelson" in await chat.write("hi")
    assert chat.state == State.BROWSING
    await chat.press("categories")
    await chat.pick("Home")
    await chat.pick("Lamps")
    await chat.pick("Blue Lamp")
    assert chat.state == State.VIEWING_PRODUCT
    assert "Blue Lamp" in chat.shown
    assert "Added: 1 × Blue Lamp" in await chat.press("add_to_cart_")  # noqa: RUF001 - as it is written on the phone
    assert chat.state == State.CART_MANAGEMENT
    await chat.press("checkout")
    assert chat.state == State.CHECKOUT_ADDRESS
    assert "NW1 6XE" in await chat.write(BAKER_STREET)
    shown = await chat.press("use_address")
    assert chat.state == State.CHECKOUT_REVIEW
    assert "$24.90" in shown
    assert "Cash on delivery" in shown
    await chat.press("confirm_order:")
    assert chat.state == State.AWAITING_PAYMENT

    placement = chat.answers[-1].placement

    assert placement is not None
    assert placement.saga_id == chat.kept.saga_id
    assert money_from_json(placement.context["money"]["due"]).amount == Decimal("24.90")
    assert placement.context["number"] == NUMBER
    order = await chat.place()
    assert chat.state == State.COMPLETED
    shown = await chat.write("where is my order")
    assert order.number in shown
    assert "$24.90" in shown


async def test_a_sale_in_words(chat: Chat) -> None:
    """Nothing has to be tapped."""
    await chat.write("hola")
    assert "¿" in chat.shown
    await chat.write("quiero una lámpara azul")
    await chat.write("añadir 2 blue lamp al carrito")
    assert chat.lines == [("Blue Lamp", 2)]
    await chat.write("finalizar compra")
    await chat.write("Calle Mayor 5, 28013 Madrid, España")
    await chat.write("sí")
    assert chat.state == State.CHECKOUT_REVIEW
    await chat.write("sí")
    assert chat.state == State.AWAITING_PAYMENT


async def test_the_confirm_button_twice_is_one_placement(chat: Chat) -> None:
    """The second tap finds the saga: placed once, and says so."""
    await chat.at_review()
    button = next(reply for reply in chat.ids if reply.startswith("confirm_order:"))
    await chat.tap(button)
    first = chat.answers[-1].placement

    assert "being placed" in await chat.tap(button)
    assert chat.answers[-1].placement is None
    order = await chat.place()
    assert order.number in await chat.tap(button)
    assert chat.answers[-1].placement is None
    assert first is not None


async def test_a_price_that_changed_before_the_tap_is_shown_first(chat: Chat) -> None:
    """What is charged equals what was shown: the old button places nothing."""
    await chat.at_review()
    old = next(reply for reply in chat.ids if reply.startswith("confirm_order:"))
    await set_product(chat, "LAMP", price=2500, regular_price=2500)

    shown = await chat.tap(old)

    assert chat.answers[-1].placement is None
    assert chat.state == State.CHECKOUT_REVIEW
    assert "changed" in shown
    assert "$29.90" in shown
    await chat.press("confirm_order:")
    assert chat.answers[-1].placement is not None


async def test_a_confirm_button_counts_for_half_an_hour(chat: Chat) -> None:
    """After that the choices are gone, and the cart is shown."""
    await chat.at_review()
    button = next(reply for reply in chat.ids if reply.startswith("confirm_order:"))
    chat.wait(minutes=30, seconds=1)

    await chat.tap(button)

    assert chat.answers[-1].placement is None
    assert chat.state == State.CART_MANAGEMENT
    assert "Blue Lamp" in chat.shown


async def test_a_confirm_button_at_29_minutes_places(chat: Chat) -> None:
    """A button says all by itself, so it outlives what is typed."""
    await chat.at_review()
    chat.wait(minutes=29)

    await chat.press("confirm_order:")

    assert chat.answers[-1].placement is not None


async def test_while_an_order_is_placed_its_cart_stays(chat: Chat) -> None:
    """Looking is free; changing waits."""
    await chat.at_review()
    await chat.press("confirm_order:")

    for words in ("add 1 desk lamp to cart", "empty my cart", "coupon X", "checkout"):
        assert "being placed" in await chat.write(words), words
        assert chat.state == State.AWAITING_PAYMENT
    assert chat.lines == [("Blue Lamp", 1)]
    await chat.write("menu")
    assert chat.state == State.AWAITING_PAYMENT


async def test_a_cart_without_anything_to_ship_asks_for_no_address(chat: Chat) -> None:
    """Cash on delivery does not fit it, so a person is called: no other way to pay is switched on."""
    await chat.write("add lamp book to cart")
    await chat.write("checkout")

    assert chat.state == State.AWAITING_HUMAN
    assert chat.shop.calls_of("shipping_methods") == []

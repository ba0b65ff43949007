"""What happens seldom: payments that wait, long lists, changed minds, shops that refuse, memories too large."""

from decimal import Decimal

import attrs
import pytest

from tests.application.dialogue.chat import BAKER_STREET, GOODS, NUMBER, Chat, chatting
from tests.application.dialogue.test_checkout import ordered
from tests.application.dialogue.test_shopping import set_product
from wch.application.dialogue.hours import hours_from_json
from wch.application.dialogue.page import Choice, Page, texts_of
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routes import Place, to
from wch.application.texts import Texts, graphemes
from wch.application.words import Intent, normalised, understand
from wch.domain.cart import CartItem
from wch.domain.conversation import State
from wch.domain.document import amended
from wch.domain.outgoing import Text
from wch.testing.scripted_shop import Goods, Refused

SIZES = tuple(
    Goods(sku=f"SOCK-{size}", parent="SOCK", price=Decimal(4), stock=5, attributes={"Size": f"{size}"})
    for size in range(30, 42)
)


async def test_an_order_that_waits_for_money_can_be_cancelled_or_looked_at(chat: Chat) -> None:
    """The placement hears of it; its result comes as a notice."""
    await chat.at_review()
    await chat.press("confirm_order:")
    assert chat.saga is not None
    chat.saga = attrs.evolve(chat.saga, context=amended(chat.saga.context, pays_later=False))

    assert "cancel that order first" in await chat.write("add 1 desk lamp to cart")
    assert chat.ids[0] == "cancel_placement"
    assert "cancelling" in await chat.press("cancel_placement")
    assert [signal.kind for signal in chat.answers[-1].signals] == ["cancel"]
    assert "having a look" in await chat.write("I paid")
    assert [signal.kind for signal in chat.answers[-1].signals] == ["look_up"]
    assert "cancelling" in await chat.tap("edit_payment")
    assert "cancelling" in await chat.write("cancel my order")
    assert "cancelling" in await chat.write("cancel")
    for reply in ("coupon", "remove_coupon", "clear_cart", "clear_cart_yes", "accept_prices", "restore_cart",
                  "only_this_order", "edit_cart", "line_1", "line_1_x2", "checkout"):  # fmt: skip
        chat.wait(seconds=30)
        assert "cancel that order first" in await chat.tap(reply), reply
    assert "cancel that order first" in await chat.send("order", catalog_id="c", items=[])
    assert "cancel that order first" in await chat.write("remove item 1")
    assert chat.lines == [("Blue Lamp", 1)]


async def test_many_variants_are_paged() -> None:
    """Eight at a time; a page that is none is the first."""
    async with chatting(goods=(*GOODS, Goods(sku="SOCK", name="Sock", categories=("Clothing",)), *SIZES)) as chat:
        sock = await chat.id_of("Sock")
        await chat.write("add 2 socks to cart")
        assert len(chat.ids) == 9
        await chat.tap(f"variants_{sock}_p2")
        assert "38" in chat.titles
        await chat.pick("38")
        assert chat.lines == [("Sock", 2)]
        await chat.tap(f"variants_{sock}_p9")
        assert "30" in chat.titles


async def test_a_product_whose_variants_are_all_gone(chat: Chat) -> None:
    """Nothing to choose from."""
    for sku in ("SHIRT-S", "SHIRT-M"):
        await set_product(chat, sku, stock=0)

    shirt = await chat.id_of("Shirt")
    assert "sold out" in await chat.tap(f"variants_{shirt}")
    await chat.tap(f"product_{shirt}")
    assert not [reply for reply in chat.ids if reply.startswith("variants")]
    variant = (await chat.shop.product(product_id=shirt)).variants[0]
    assert "Shirt (S)* is sold out" in await chat.tap(f"add_to_cart_{shirt}_{variant.id}")
    assert "no longer available" in await chat.tap(f"add_to_cart_{shirt}_99999")


async def test_fewer_than_the_shop_sells_are_offered_as_many(chat: Chat) -> None:
    """And a line is not cut below that."""
    await set_product(chat, "DESK", min_quantity=2)
    assert "sold from 2" in await chat.write("add 1 desk lamp to cart")
    await chat.write("yes")
    assert chat.lines == [("Desk Lamp", 2)]
    assert "sold from 2" in await chat.write("make it 1")


async def test_a_variant_that_vanished_while_it_was_asked_for(chat: Chat) -> None:
    """The answer is not usable any more."""
    await chat.write("add a shirt to cart")
    await set_product(chat, "SHIRT", active=False)

    assert "cannot use that" in await chat.write("m")


async def test_another_currency_does_not_go_into_the_cart(chat: Chat) -> None:
    """One cart, one currency."""
    await chat.write("add 1 blue lamp to cart")
    items = tuple(attrs.evolve(item, currency="EUR") for item in chat.kept.items)
    chat.cart = attrs.evolve(chat.kept, items=items)

    assert "another currency" in await chat.write("add 1 desk lamp to cart")
    lamp = await chat.id_of("Desk Lamp")
    shown = await chat.send("order", catalog_id="c", items=[{"retailer_id": str(lamp), "quantity": 1}])
    assert "another currency" in shown


async def test_a_cart_takes_fifty_lines(chat: Chat) -> None:
    """Each is spelt out up to twenty; the rest is counted."""
    await chat.write("add 1 blue lamp to cart")
    lamp = chat.kept.items[0]
    many = tuple(attrs.evolve(lamp, product_id=number, variation_id=None) for number in range(1000, 1049))
    items: tuple[CartItem, ...] = (lamp, *many)
    chat.cart = attrs.evolve(chat.kept, items=items, total=Decimal("1000.00"))

    assert "holds 50" in await chat.write("add 1 desk lamp to cart")
    assert "and 30 more lines" in await chat.write("cart")


async def test_quantities_beyond_what_there_is(chat: Chat) -> None:
    """Refused with the number that is left, or the limit."""
    await chat.write("add 2 desk lamps to cart")
    assert "only 12 left" in await chat.write("make it 50")
    assert "2 × Desk Lamp" in chat.shown  # noqa: RUF001 - as it is written on the phone
    await set_product(chat, "DESK", stock=0)
    assert "sold out" in await chat.write("make it 3")
    await set_product(chat, "DESK", stock=None)
    assert "At most 99" in await chat.write("make it 500") or "only 99" in chat.shown
    await chat.write("line")
    assert chat.lines == [("Desk Lamp", 2)]


async def test_changing_without_saying_which_asks(chat: Chat) -> None:
    """With several lines and none in view."""
    await chat.write("add 1 desk lamp to cart")
    await chat.write("add 1 blue lamp to cart")
    chat.conversation = chat.conversation.remembering(
        amended(chat.conversation.context, product=None), now=chat.clock.now()
    )

    assert "Which line" in await chat.write("make it 2")
    chat.cart = chat.kept.cleared(now=chat.clock.now())
    assert "empty" in await chat.write("make it 2")
    assert "empty" in await chat.write("clear cart")
    assert "empty" in await chat.tap("clear_cart_yes")


async def test_a_restored_cart_is_cut_to_what_there_is(chat: Chat) -> None:
    """And says so."""
    await chat.write("add 3 blue lamps to cart")
    chat.wait(hours=73)
    chat.cart = chat.kept.expired(now=chat.clock.now())
    await set_product(chat, "LAMP", stock=1)

    assert "Blue Lamp: only 1 left" in await chat.tap("restore_cart")
    assert chat.lines == [("Blue Lamp", 1)]


# --- orders


async def test_several_orders_to_cancel_are_a_choice(chat: Chat) -> None:
    """Then the one is asked about; numbers of nobody are not found."""
    numbers = await ordered(chat, 2)
    assert "Which order" in await chat.write("cancel my order")
    await chat.press("cancel_order_")
    assert "Shall I cancel" in chat.shown
    for reply in ("order_99999", "cancel_order_99999", "cancel_order_yes_99999"):
        assert "no order 99999" in await chat.tap(reply)
    assert "no order 777" in await chat.write("cancel order 777")
    assert numbers[0] in await chat.tap("orders") or numbers[0] in " ".join(chat.titles)


async def test_what_the_shop_refuses_to_cancel_is_a_persons_business(chat: Chat) -> None:
    """It was shipped a moment ago."""
    (number,) = await ordered(chat, 1)
    await chat.write(f"cancel order {number}")
    chat.shop.script("cancel_order", Refused("shipped"))

    assert "myself" in await chat.press("cancel_order_yes")
    assert chat.state == State.AWAITING_HUMAN


async def test_a_cancelled_order_is_shown_as_it_is(chat: Chat) -> None:
    """Asking again changes nothing."""
    (number,) = await ordered(chat, 1)
    await chat.write("cancel my order")
    button = chat.ids[0]
    await chat.tap(button)
    assert "cancelled" in await chat.write(f"cancel order {number}")
    assert "cancelled" in await chat.write("cancel my order")
    chat.wait(minutes=40)
    assert "is cancelled" in await chat.tap(button)


async def test_a_late_button_to_cancel_calls_a_person(chat: Chat) -> None:
    """Half an hour is over."""
    await ordered(chat, 1)
    await chat.write("cancel my order")
    button = chat.ids[0]
    chat.wait(minutes=31)

    assert "myself" in await chat.tap(button)


async def test_the_count_of_wrong_numbers_ends_with_its_hour(chat: Chat) -> None:
    """Somebody who errs once a day is no guesser."""
    for number in range(1000, 1008):
        chat.wait(minutes=25)
        assert "no order" in await chat.write(f"#{number}")
    assert chat.state != State.AWAITING_HUMAN


# --- checkout


async def test_back_from_the_shown_address_asks_anew(chat: Chat) -> None:
    """And then leads to the cart."""
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")
    await chat.write(BAKER_STREET)
    assert "Where shall we deliver" in await chat.write("back")
    await chat.write(BAKER_STREET)
    assert "Is this the right address" in await chat.write("where is my order")
    assert "Where shall we deliver" in await chat.write("no")
    await chat.write("5 Main Street, Springfield")
    assert "Which state" in await chat.write("help")
    assert "Where shall we deliver" in await chat.tap("use_address") or "state" in chat.shown
    await chat.write("back")
    await chat.write("back")
    assert chat.state == State.CART_MANAGEMENT
    assert "What would you like to do?" in await chat.write("back")


async def test_parts_of_an_address_that_are_too_long(chat: Chat) -> None:
    """Nothing beyond a hundred characters a field."""
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")
    assert "too long" in await chat.write("5 " + "Very " * 30 + "Street, London, NW1 6XE, UK")


async def test_a_cart_of_another_name_ends_the_checkout(chat: Chat) -> None:
    """Its choices were made for something else."""
    await chat.at_review()
    button = next(reply for reply in chat.ids if reply.startswith("confirm_order:"))
    chat.cart = chat.kept.renewed(now=chat.clock.now(), keep_items=True)

    await chat.tap(button)

    assert chat.answers[-1].placement is None
    assert chat.state == State.CART_MANAGEMENT


async def test_a_coupon_that_fell_is_said_at_the_review(chat: Chat) -> None:
    """And taken off."""
    await chat.write("add 1 blue lamp to cart")
    chat.cart = chat.kept.with_coupon("GONE", now=chat.clock.now())
    assert "GONE does not hold" in await chat.write("cart")
    assert chat.kept.coupon_code is None
    await chat.write("coupon WELCOME10")
    assert "row" not in chat.shown
    await chat.press("edit_cart")
    assert "remove_coupon" in chat.ids


async def test_typing_two_words_is_no_code(chat: Chat) -> None:
    """The question stays; no answers it."""
    await chat.write("add 1 blue lamp to cart")
    await chat.tap("coupon")
    assert "cannot use that" in await chat.write("two words")
    assert "coupon code" in chat.shown
    assert "stays" in await chat.write("no")
    await chat.tap("search")
    assert "cannot use that" in await chat.write("🙂")
    assert "stays" in await chat.write("no")


async def test_a_question_of_quantity_takes_numbers_only(chat: Chat) -> None:
    """Asked again, and left by a clear wish."""
    await chat.write("add 1 blue lamp to cart")
    await chat.tap(f"line_{await chat.id_of('Blue Lamp')}")
    assert "How many" in await chat.write("blue")
    assert "welcome" in await chat.write("thanks")
    assert "How many" in await chat.write("where is my order")
    await chat.write("two")
    assert chat.lines == [("Blue Lamp", 2)]


# --- people


async def test_coming_back_from_a_person_into_a_checkout_that_is_over(chat: Chat) -> None:
    """The cart is there; a live one goes on."""
    await chat.at_review()
    await chat.write("talk to a human")
    chat.wait(hours=25)
    await chat.write("asdf")
    assert chat.state in {State.CART_MANAGEMENT, State.BROWSING}
    assert chat.lines == [("Blue Lamp", 1)]


async def test_a_tap_on_menu_comes_back_from_waiting(chat: Chat) -> None:
    """As the word does."""
    await chat.write("human")
    assert await chat.tap("view_cart") == ""
    assert "What would you like" in await chat.tap("menu")


async def test_without_any_opening_ahead_it_is_said_without_a_time() -> None:
    """Closed for more than two weeks."""
    hours = hours_from_json({"timezone": "UTC", "week": {}})
    async with chatting(policy=Policy(hours=hours)) as chat:
        assert "as soon as we are back" in await chat.write("human")
    async with chatting(policy=Policy(hours=hours, bot_enabled=False)) as chat:
        assert "as soon as we are back" in await chat.write("hi")


async def test_a_handoff_until_a_moment_ends_then(chat: Chat) -> None:
    """Somebody set an end; one without any beginning is over."""
    held = chat.conversation.escalated("operator", now=chat.clock.now())
    until = {**held.handoff, "until": "2026-03-02T13:00:00Z"}
    chat.conversation = held.remembering(amended(held.context, handoff=until), now=chat.clock.now())
    assert await chat.write("hi") == ""
    chat.wait(hours=1)
    assert "welcome" in await chat.write("hi")
    held = chat.conversation.escalated("operator", now=chat.clock.now())
    chat.conversation = held.remembering(amended(held.context, handoff={"reason": "operator"}), now=chat.clock.now())
    assert "again" in await chat.write("hi")


# --- memory and pages


async def test_a_memory_too_large_forgets_its_history_first(chat: Chat) -> None:
    """Then the page, then where the customer came from."""
    context = amended(chat.conversation.context, history=["x" * 9000], page={"route": "y" * 9000}, other="z" * 9000)
    chat.conversation = chat.conversation.remembering(context, now=chat.clock.now())

    await chat.write("hi")

    assert "history" not in chat.conversation.context
    assert "other" in chat.conversation.context


async def test_back_from_a_product_found_by_searching(chat: Chat) -> None:
    """To what was found."""
    await chat.write("search for lamp")
    await chat.pick("Blue Lamp")
    await chat.write("back")
    assert "Desk Lamp" in chat.titles


async def test_an_empty_shop_says_so() -> None:
    """And offers the menu."""
    async with chatting(goods=(Goods(sku="X", name="X", price=Decimal(1), active=False),)) as chat:
        assert "nothing for sale" in await chat.write("show products")
        assert "nothing here right now" in await chat.tap("category_77_p1")
        assert "What would you like" in await chat.tap("lang_de") or "language" in chat.shown


def test_a_page_keeps_within_its_limits() -> None:
    """What does not fit together is told before; equal ids are offered once."""
    choice = Choice(route=to(Place.MENU), title="A title that is longer than a button's")
    page = Page(body="body", choices=(choice, choice))

    told, asked = page.messages(["x" * 1100])

    assert isinstance(told, Text)
    assert len(page.offered) == 1
    assert page.messages(["fact"])[0].body == "fact\n\nbody"  # type: ignore[union-attr]  # narrower than mypy can see
    assert asked.body == "body"  # type: ignore[union-attr]  # narrower than mypy can see
    assert [len(text.body) for text in texts_of(["a" * 4000, "b" * 200])] == [4000, 200]


def test_words_and_texts_at_their_edges() -> None:
    """A count that is none, flags of regions, signs in the middle of a word."""
    with pytest.raises(TypeError):
        Texts("en").say("product.left", count="3")
    with pytest.raises(KeyError):
        Texts("en").say("product.left")
    assert graphemes("🏴󠁧󠁢󠁥󠁮󠁧󠁿x") == ["🏴󠁧󠁢󠁥󠁮󠁧󠁿", "x"]
    assert normalised("a#7") == "a #7"
    assert understand("coupon one two three four").intent is Intent.NONE
    assert understand("remove everything").intent is Intent.CLEAR_CART
    assert NUMBER.isdigit()


async def test_only_the_languages_of_the_shop_are_offered_and_spoken() -> None:
    """Neither a tap nor words lead into another."""
    async with chatting(policy=Policy(languages=("en", "es"))) as chat:
        await chat.write("language")
        assert {"lang_en", "lang_es"} <= set(chat.ids)
        assert "lang_ar" not in chat.ids

        await chat.tap("lang_ar")
        assert chat.conversation.context["language"] == "en"
        await chat.write("hola")
        assert chat.conversation.context["language"] == "es"

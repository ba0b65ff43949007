"""Browsing, products, and the cart with all its changes of mind."""

from collections.abc import AsyncIterator
from decimal import Decimal

import attrs
import pytest
from sqlalchemy import update

from tests.application.dialogue.chat import GOODS, Chat, chatting, taps
from wch.application.dialogue.browse import spellings
from wch.application.dialogue.policy import Policy
from wch.domain.cart import CartStatus
from wch.domain.conversation import State
from wch.domain.outgoing import Buttons, ListMessage
from wch.testing.scripted_shop import Goods

MANY = tuple(
    Goods(sku=f"P{number}", name=f"Thing number {number:02} with a long name", price=Decimal(number), stock=9, categories=("All",))
    for number in range(1, 26)
)  # fmt: skip


@pytest.fixture
async def many() -> AsyncIterator[Chat]:
    """A category with 25 products."""
    async with chatting(goods=MANY) as begun:
        yield begun


async def set_product(chat: Chat, sku: str, **columns: object) -> None:
    """The shop changes a product."""

    def change(till: object) -> None:
        table = till.tables.products  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see
        till.change(update(table).where(table.c.sku == sku).values(**columns))  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see

    await chat.shop.shop.work(change, write=True)


# --- browsing


async def test_pages_name_themselves(many: Chat) -> None:
    """Eight with previous and next; the button of page 1 in an old message still gives page 1."""
    await many.write("show products")
    await many.press("category_")
    first = list(many.ids)
    assert len([reply for reply in first if reply.startswith("product_")]) == 8
    following = first[-1]

    await many.tap(following)

    assert len([reply for reply in many.ids if reply.startswith("product_")]) == 8
    assert many.ids[-2:] == [following.replace("_p2", "_p1"), following.replace("_p2", "_p3")]
    assert all(len(title) <= 24 for title in many.titles)
    second = list(many.ids)
    await many.tap(many.ids[-1])
    await many.tap(many.ids[-1])
    assert [reply for reply in many.ids if reply.startswith("product_")] != []
    assert len(many.ids) == 2
    await many.tap(following)
    assert many.ids == second
    await many.tap(following.replace("_p2", "_p1"))
    assert many.ids == first


async def test_a_page_that_nobody_remembers_is_walked_to(many: Chat) -> None:
    """The cursors are kept in the context; without them the button still works, near enough."""
    category = (await many.shop.categories()).items[0].id
    await many.tap(f"category_{category}_p3")
    assert "Thing number 17 with…" in " ".join(many.titles) or "Thing number 17" in " ".join(many.titles)
    await many.tap(f"category_{category}_p99")
    assert "Thing number 01" in " ".join(many.titles)


async def test_subcategories_come_before_products(chat: Chat) -> None:
    """With a way to all products of the category."""
    await chat.write("categories")
    await chat.pick("Home")

    assert chat.titles == ["All products", "Lamps"]
    await chat.press("category_")
    assert {"Blue Lamp", "Desk Lamp", "Sold Vase"} <= set(chat.titles)


async def test_a_search_with_one_hit_opens_its_page(chat: Chat) -> None:
    """The shop is asked for the words as they were typed, then without a plural's ending."""
    shown = await chat.write("do you have umbrellas?")

    assert "*Umbrella*" in shown
    assert "$15.00" in shown
    assert chat.shop.calls_of("search")[0].arguments["text"] == "umbrellas"
    assert chat.answers[-1].viewed == (await chat.id_of("Umbrella"),)
    assert spellings("glass boxes") == ("glass boxes", "glas boxe", "glass box")


async def test_a_search_with_several_hits_lists_them(chat: Chat) -> None:
    """And one without any says so and shows the categories."""
    await chat.write("search for lamp")
    assert {"Blue Lamp", "Desk Lamp", "Lamp Book"} <= set(chat.titles)
    shown = await chat.write("find unicorns")
    assert "unicorns" in shown
    assert "Home" in chat.titles


async def test_searching_through_pages(many: Chat) -> None:
    """`search_p2` knows the latest words."""
    await many.write("search")
    assert "looking for" in many.shown
    await many.write("thing")
    await many.tap("search_p2")
    assert "Thing number 09" in " ".join(many.titles)
    await many.tap(many.ids[0])


async def test_a_product_name_alone_is_looked_for(chat: Chat) -> None:
    """Rule 15; a cartoon is never the cart."""
    assert "*Umbrella*" in await chat.write("umbrella")
    assert "cart" not in (await chat.write("cartoon")).lower().replace("my cart", "")
    assert chat.account["intent"] == "none"


async def test_a_product_on_sale_shows_both_prices(chat: Chat) -> None:
    """Old and new; the description without HTML is the shop's business."""
    assert "$29.00 (was $35.00)" in await chat.write("find desk lamp")


async def test_a_sold_out_product_has_no_add(chat: Chat) -> None:
    """Nothing that cannot be kept is offered."""
    shown = await chat.write("find sold vase")

    assert "Sold out" in shown
    assert not [reply for reply in chat.ids if reply.startswith("add_to_cart")]


async def test_a_product_that_is_gone_is_said_to_be(chat: Chat) -> None:
    """An old button."""
    assert "no longer available" in await chat.tap("product_4711")
    assert "no longer available" in await chat.tap("variants_4711")
    assert "no longer available" in await chat.tap("add_to_cart_4711")


async def test_going_back_from_a_product(many: Chat) -> None:
    """To the list it was found in."""
    category = (await many.shop.categories()).items[0].id
    await many.tap(f"category_{category}_p2")
    listed = list(many.ids)
    await many.press("product_")
    await many.write("back")
    assert many.ids[:3] == listed[:3]


# --- adding


async def test_more_than_there_is_is_offered_as_what_there_is(chat: Chat) -> None:
    """And a yes takes it."""
    assert "only 3 of *Blue Lamp*" in await chat.write("add 5 blue lamps to cart")
    assert chat.lines == []

    shown = await chat.write("yes")

    assert chat.lines == [("Blue Lamp", 3)]
    assert "$60.00" in shown
    assert chat.state == State.CART_MANAGEMENT
    assert "already have" in await chat.write("add 1 blue lamp to cart")


async def test_an_offer_may_be_declined(chat: Chat) -> None:
    """Nothing changes."""
    await chat.write("add 5 blue lamps to cart")

    assert "stays" in await chat.write("no")
    assert chat.lines == []


async def test_a_variant_is_asked_for_and_picked_by_number(chat: Chat) -> None:
    """`2` is the second of those that are left."""
    await chat.write("add 2 shirts to cart")
    assert chat.titles == ["S", "M"]

    await chat.write("2")

    assert [(item.product_name, dict(item.variant_attributes), item.quantity) for item in chat.kept.items] == [
        ("Shirt", {"Size": "M"}, 2)
    ]


@pytest.mark.parametrize("words", ["m", "M", "size m", "XL", "hi"])
async def test_a_variant_may_be_named(chat: Chat, words: str) -> None:
    """By what tells it apart; anything else is asked again."""
    await chat.write("add a shirt to cart")
    await chat.write(words)

    assert bool(chat.lines) == (words in {"m", "M"})


async def test_a_variant_chosen_on_the_page_is_shown_first(chat: Chat) -> None:
    """Then it can be added, or not."""
    await chat.write("find shirt")
    await chat.press("variants_")
    assert "Which *Shirt*" in chat.shown
    await chat.pick("S")
    assert "*Shirt (S)*" in chat.shown
    await chat.press("add_to_cart_")
    assert chat.lines == [("Shirt", 1)]


async def test_adding_without_a_product_in_view_asks_which(chat: Chat) -> None:
    """The answer is a search."""
    assert "Which product" in await chat.write("add to cart")
    assert "*Umbrella*" in await chat.write("umbrella")
    await chat.write("add 2")
    assert chat.lines == [("Umbrella", 2)]


async def test_several_that_fit_are_listed(chat: Chat) -> None:
    """Unless one is called exactly so."""
    await chat.write("add lamp to cart")
    assert "Which of these" in chat.shown
    await chat.write("add desk lamp to cart")
    assert chat.lines == [("Desk Lamp", 1)]


async def test_a_cart_line_has_its_limit() -> None:
    """The hub's own, where the shop has none."""
    goods = (Goods(sku="E", name="Ebook", price=Decimal(5), needs_shipping=False),)
    async with chatting(goods=goods, policy=Policy(most_per_line=3)) as chat:
        assert "At most 3" in await chat.write("add 4 ebook to cart")
        assert chat.lines == []


# --- the cart


@pytest.fixture
async def full(chat: Chat) -> Chat:
    """Two lines in the cart."""
    await chat.write("add 2 blue lamps to cart")
    await chat.write("add 1 umbrella to cart")
    return chat


async def test_the_cart_shows_lines_and_total(full: Chat) -> None:
    """With the ways on."""
    shown = await full.write("what's in my bag?")

    assert "1. 2 × Blue Lamp: $40.00" in shown  # noqa: RUF001 - as it is written on the phone
    assert "Total: *$55.00*" in shown
    assert full.ids == ["checkout", "edit_cart", "categories"]


async def test_an_empty_cart_leads_on(chat: Chat) -> None:
    """Browsing, not cart management."""
    assert "empty" in await chat.write("cart")
    assert chat.state == State.BROWSING
    assert "empty" in await chat.write("checkout")
    assert "empty" in await chat.tap("edit_cart")


@pytest.mark.parametrize(("words", "lines"), [
    ("change item 1 to 3", [("Blue Lamp", 3), ("Umbrella", 1)]),
    ("make it 4", [("Blue Lamp", 2), ("Umbrella", 4)]),
    ("remove the blue lamp", [("Umbrella", 1)]),
    ("take out item 2", [("Blue Lamp", 2)]),
    ("delete line 9", [("Blue Lamp", 2), ("Umbrella", 1)]),
    ("remove the unicorn", [("Blue Lamp", 2), ("Umbrella", 1)]),
    ("change item 1 to 9", [("Blue Lamp", 2), ("Umbrella", 1)]),
    ("change item 2 to 0", [("Blue Lamp", 2)]),
])  # fmt: skip
async def test_lines_change_by_words(full: Chat, words: str, lines: list[tuple[str, int]]) -> None:
    """By number, by name, or the one in view; what cannot be is said and changes nothing."""
    assert await full.write(words) != ""
    assert full.lines == lines


async def test_lines_change_by_taps(full: Chat) -> None:
    """A row, then a button or a number."""
    await full.write("cart")
    await full.press("edit_cart")
    assert full.titles == ["Blue Lamp", "Umbrella", "Use a coupon", "Empty cart"]
    await full.pick("Umbrella")
    await full.write("3")
    assert full.lines == [("Blue Lamp", 2), ("Umbrella", 3)]
    await full.tap(f"line_{await full.id_of('Blue Lamp')}")
    await full.pick("One more")
    assert full.lines[0] == ("Blue Lamp", 3)
    await full.tap(f"line_{await full.id_of('Blue Lamp')}_x0")
    assert full.lines == [("Umbrella", 3)]
    assert "not in your cart" in await full.tap(f"line_{await full.id_of('Blue Lamp')}")


async def test_clearing_asks_first(full: Chat) -> None:
    """For five minutes; the address stays."""
    await full.write("empty my cart")
    assert "Shall I" in full.shown
    await full.write("no")
    assert len(full.lines) == 2
    await full.write("clear cart")
    full.wait(minutes=6)
    await full.write("yes")
    assert len(full.lines) == 2
    await full.write("clear cart")
    await full.write("yes")
    assert full.lines == []
    assert full.state == State.BROWSING


async def test_a_lower_price_is_told_and_a_higher_one_asked_about(full: Chat) -> None:
    """Both are shown, checkout waits for Accept; the row's total is the one that is shown."""
    await set_product(full, "LAMP", price=2001, regular_price=2001)
    await set_product(full, "UMBRELLA", price=1400, regular_price=1400)

    shown = await full.write("cart")

    assert "Blue Lamp costs $20.01 now; it was $20.00" in shown
    assert "Umbrella is cheaper now: $14.00 instead of $15.00" in shown
    assert full.kept.items[0].agreed_price == Decimal("20.00")
    assert "accept the new prices" in await full.write("checkout")
    assert full.state == State.CART_MANAGEMENT
    full.wait(hours=1)
    await full.tap("accept_prices")
    assert not full.kept.items[0].agreed_price
    await full.write("checkout")
    assert full.state == State.CHECKOUT_ADDRESS


async def test_what_ran_out_must_be_changed_before_checkout(full: Chat) -> None:
    """It is named, with what is left."""
    await set_product(full, "LAMP", stock=1)
    await set_product(full, "UMBRELLA", active=False)

    shown = await full.write("checkout")

    assert "Blue Lamp: only 1 left" in shown
    assert "Umbrella: no longer available" in shown
    assert full.state == State.CART_MANAGEMENT


async def test_coupons(full: Chat) -> None:
    """Set after the shop's yes, shown in the sums, taken off, refused with the reason."""
    shown = await full.write("coupon welcome10")
    assert "WELCOME10" in shown
    assert "-$5.50" in shown
    assert "Total: *$49.50*" in shown
    assert "removed" in await full.write("remove the coupon")
    assert "no coupon" in await full.write("remove the coupon")
    assert "do not know the coupon NOPE" in await full.write("apply code NOPE")
    await full.write("I have a discount code")
    await full.write("WELCOME10")
    assert full.kept.coupon_code == "WELCOME10"
    assert len(full.lines) == 2


async def test_a_coupon_needs_a_cart(chat: Chat) -> None:
    """It is said what to do first."""
    assert "first" in await chat.write("coupon WELCOME10")
    assert "first" in await chat.write("coupon")


async def test_an_expired_cart_is_offered_once_and_restored(full: Chat) -> None:
    """Every line checked anew: what vanished is left out and named."""
    full.wait(hours=73)
    full.cart = full.kept.expired(now=full.clock.now())
    await set_product(full, "UMBRELLA", active=False)

    await full.write("hi")
    assert "expired" in full.shown
    assert "restore_cart" in full.ids
    await full.write("hi")
    assert "restore_cart" not in full.ids
    shown = await full.tap("restore_cart")

    assert full.lines == [("Blue Lamp", 2)]
    assert "Umbrella: no longer available" in shown
    assert full.kept.status is CartStatus.ACTIVE
    assert "no earlier cart" in await full.tap("restore_cart")


async def test_long_carts_are_paged(many: Chat) -> None:
    """Ten lines: eight to change, then two; the cart's own words stay within the limit."""
    for number in range(1, 11):
        await many.tap(f"add_to_cart_{await many.id_of(f'Thing number {number:02} with a long name')}")
        many.wait(seconds=10)

    shown = await many.write("cart")
    assert len(shown) <= 1024
    await many.press("edit_cart")
    assert len(many.ids) == 9
    await many.press("edit_cart_p2")
    assert len([reply for reply in many.ids if reply.startswith("line_")]) == 2


# --- an order from the phone's catalogue


async def test_a_dearer_catalogue_order_waits_for_accept(chat: Chat) -> None:
    """Both prices are named; no checkout before Accept."""
    lamp = await chat.id_of("Blue Lamp")
    item = {"retailer_id": str(lamp), "quantity": 2, "price": "18.00", "currency": "USD"}

    shown = await chat.send("order", catalog_id="c", items=[item])

    assert chat.lines == [("Blue Lamp", 2)]
    assert "$18.00" in shown
    assert "$20.00" in shown
    assert chat.ids[0] == "accept_prices"
    await chat.write("checkout")
    assert chat.state == State.CART_MANAGEMENT
    await chat.send("order", catalog_id="c", items=[item])
    assert chat.lines == [("Blue Lamp", 2)]
    await chat.tap("accept_prices")
    await chat.write("checkout")
    assert chat.state == State.CHECKOUT_ADDRESS


async def test_every_line_of_a_catalogue_order_is_accounted_for(chat: Chat) -> None:
    """Taken, cut, of another currency, unknown, sold out, no quantity."""
    names = {name: str(await chat.id_of(name)) for name in ("Blue Lamp", "Umbrella", "Sold Vase", "Shirt")}
    await chat.write("add 1 desk lamp to cart")

    shown = await chat.send("order", catalog_id="c", text="ring twice", items=[
        {"retailer_id": names["Blue Lamp"], "quantity": 2, "price": "20.00", "currency": "USD"},
        {"retailer_id": names["Blue Lamp"], "quantity": "2", "price": "20.00", "currency": "USD"},
        {"retailer_id": names["Umbrella"], "quantity": 1, "price": "13.00", "currency": "EUR"},
        {"retailer_id": "nobody", "quantity": 1},
        {"retailer_id": names["Sold Vase"], "quantity": 1},
        {"retailer_id": names["Umbrella"], "quantity": "x"},
        {"retailer_id": names["Shirt"], "quantity": 1},
        {},
    ])  # fmt: skip

    assert chat.lines == [("Desk Lamp", 1), ("Blue Lamp", 3), ("Umbrella", 1)]
    for words in (
        "Blue Lamp: 3 instead of 4",
        "Umbrella: $15.00 each, in our currency",
        "nobody: I do not know",
        "Sold Vase: sold out",
        "Umbrella: “x” is no quantity",
    ):
        assert words in shown, words
    assert "only_this_order" in chat.ids
    await chat.tap("only_this_order")
    assert chat.lines == [("Blue Lamp", 3), ("Umbrella", 1)]


async def test_an_order_of_a_foreign_catalogue_is_refused() -> None:
    """Politely; the cart stays."""
    async with chatting(policy=Policy(catalog_id="ours")) as chat:
        lamp = await chat.id_of("Blue Lamp")
        shown = await chat.send("order", catalog_id="theirs", items=[{"retailer_id": str(lamp), "quantity": 1}])

        assert "not ours" in shown
        assert chat.lines == []


async def test_a_catalogue_order_fills_the_cart_while_a_person_has_it(chat: Chat) -> None:
    """Nothing is said."""
    lamp = await chat.id_of("Blue Lamp")
    await chat.write("human")

    assert await chat.send("order", catalog_id="c", items=[{"retailer_id": str(lamp), "quantity": 1}]) == ""
    assert chat.lines == [("Blue Lamp", 1)]


async def test_a_question_gets_three_tries(chat: Chat) -> None:
    """Then a person is offered and the question is over."""
    await chat.write("add 5 blue lamps to cart")
    assert "cannot use that" in await chat.write("asdf")
    assert "cannot use that" in await chat.write("asdf")
    assert "person" in await chat.write("asdf")
    assert chat.ids[0] == "human"
    assert chat.conversation.context["prompt"]["kind"] == "options"


async def test_a_clear_wish_leaves_a_closed_question(chat: Chat) -> None:
    """Nobody is held in a question by "show products"."""
    await chat.write("add 5 blue lamps to cart")

    await chat.write("show products")

    assert "Home" in chat.titles
    assert chat.account["intent"] == "browse"


async def test_every_page_is_within_the_limits_in_every_language() -> None:
    """Long names, many lines: titles and bodies are cut, nothing is refused at construction."""
    goods = (
        Goods(sku="L", name="Ein sehr langer Produktname mit 👩‍👩‍👧‍👦 " * 4, price=Decimal("99999.99"), stock=2,
              categories=("Kategorie mit einem überaus langen Namen",)),
        *GOODS,
    )  # fmt: skip
    for language in ("en", "es", "pt_BR", "ar", "hi"):
        async with chatting(goods=goods) as chat:
            await chat.tap(f"lang_{language}")
            product = (await chat.shop.search(text="langer")).items[0].id
            for reply in (
                "menu", "categories", "category_0", f"product_{product}", f"add_to_cart_{product}_x5",
                f"add_to_cart_{product}", "view_cart", "edit_cart", f"line_{product}", "clear_cart", "coupon", "lang",
                "help", "orders", "search", "checkout",
            ):  # fmt: skip
                chat.wait(seconds=15)
                assert await chat.tap(reply) != ""
                assert chat.conversation.context["language"] == language
                assert all(isinstance(message, Buttons | ListMessage) or not taps(message) for message in chat.said)


async def test_the_cart_is_never_changed_by_looking_at_an_ended_one(full: Chat) -> None:
    """A recovered cart is not what is in it."""
    full.cart = attrs.evolve(full.kept, status=CartStatus.RECOVERED)

    assert "empty" in await full.write("cart")
    await full.write("add 1 umbrella to cart")
    assert full.lines == [("Umbrella", 1)]

"""The checkout step by step: address, delivery, payment, review, and every way out of it."""

from decimal import Decimal

import attrs
import pytest
from sqlalchemy import delete

from tests.application.dialogue.chat import BAKER_STREET, Chat, chatting
from tests.application.dialogue.test_shopping import set_product
from wch.adapters.payments import CashOnDelivery
from wch.application.dialogue.hours import hours_from_json
from wch.application.dialogue.policy import Policy
from wch.domain.conversation import State
from wch.domain.money import Money
from wch.testing import NOON

PARK_AVENUE = "Sheena Nelson\n1600 Amphitheatre Pkwy\nMountain View, CA 94043\nUSA"


@pytest.fixture
async def asked(chat: Chat) -> Chat:
    """Asked for the address."""
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")
    assert chat.state == State.CHECKOUT_ADDRESS
    return chat


# --- the address


@pytest.mark.parametrize(("text", "stored"), [
    (BAKER_STREET, {"address_1": "221B Baker Street", "city": "London", "postcode": "NW1 6XE", "country": "GB"}),
    ("1600 Amphitheatre Pkwy\nMountain View, CA 94043\nUSA",
     {"address_1": "1600 Amphitheatre Pkwy", "city": "Mountain View", "state": "CA", "postcode": "94043",
      "country": "US"}),
    ("Av. Paulista 1000, São Paulo - SP, 01310-100, Brasil",
     {"address_1": "Av. Paulista 1000", "city": "São Paulo", "state": "SP", "postcode": "01310-100", "country": "BR"}),
])  # fmt: skip
async def test_an_address_in_free_words_is_shown_and_stored(asked: Chat, text: str, stored: dict[str, str]) -> None:
    """Only what was accepted is stored, in the cart, the profile and the checkout."""
    shown = await asked.write(text)
    assert all(value in shown for name, value in stored.items() if name != "country")
    assert not asked.kept.shipping_address

    await asked.press("use_address")

    kept = asked.kept.shipping_address or {}
    assert {name: kept[name] for name in stored} == stored
    assert (kept["first_name"], kept["last_name"], kept["phone"]) == ("Sheena", "Nelson", "+16505551234")
    assert asked.profile.last_known_address == kept
    assert len(asked.profile.saved_addresses) == 1


async def test_only_what_is_missing_is_asked_for() -> None:
    """Part by part, each kept."""
    async with chatting(name=None) as chat:
        await chat.write("add 1 blue lamp to cart")
        await chat.write("checkout")
        assert "first and last name" in await chat.write("5 Main Street, Springfield")
        assert "Which state" in await chat.write("Homer Simpson")
        assert "Which state" in await chat.write("Springfieldia")
        assert "postcode" in await chat.write("Illinois")
        assert "no postcode" in await chat.write("9021")
        shown = await chat.write("62704")

        assert "Homer Simpson\n5 Main Street\nSpringfield IL 62704\nUnited States" in shown
        assert "Is this the right address?" in shown


async def test_the_whole_address_may_be_given_anew(asked: Chat) -> None:
    """Somebody who was asked for the postcode writes everything again."""
    await asked.write("5 Main Street, Springfield")

    assert "Mountain View" in await asked.write(PARK_AVENUE)


async def test_a_location_is_an_address(asked: Chat) -> None:
    """Its words, else they are asked for; its coordinates are kept."""
    await asked.send("location", latitude="51.523767", longitude="-0.158555")
    assert "street" in asked.shown
    await asked.send("location", latitude="51.523767", longitude="-0.158555", name="Home", address=BAKER_STREET)
    await asked.press("use_address")

    assert (asked.kept.shipping_address or {})["latitude"] == pytest.approx(51.523767)
    assert (asked.kept.shipping_address or {})["city"] == "London"


async def test_whatsapps_own_form_is_an_address(asked: Chat) -> None:
    """House number, area and all."""
    await asked.send("interactive", kind="nfm_reply", name="address_message", data={"values": {
        "name": "Asha Rao", "house_number": "12", "address": "MG Road", "landmark_area": "near the lake",
        "city": "Bengaluru", "state": "Karnataka", "in_pin_code": "560001", "country": "IN",
        "phone_number": "+919876543210",
    }})  # fmt: skip

    assert "Asha Rao\n12, MG Road\nnear the lake\nBengaluru KA 560001\nIndia\n+919876543210" in asked.shown


async def test_saved_addresses_are_offered(asked: Chat) -> None:
    """A tap takes one at once; a new one may be given."""
    await asked.write(BAKER_STREET)
    await asked.press("use_address")
    await asked.press("cancel_checkout")
    await asked.write("checkout")
    assert asked.ids == ["saved_address_1", "new_address"]
    assert asked.titles[0] == "221B Baker Street"

    await asked.write("1")

    assert asked.state == State.CHECKOUT_REVIEW
    assert "221B Baker Street" in asked.shown
    await asked.press("change_order")
    await asked.press("edit_address")
    await asked.tap("saved_address_77")
    assert "whole address" in asked.shown


async def test_escape_words_are_no_address(asked: Chat) -> None:
    """`menu` is the menu, at any question."""
    assert "What would you like to do?" in await asked.write("menu")
    assert asked.state == State.BROWSING
    assert "checkout" not in asked.conversation.context


async def test_an_answer_comes_too_late_after_a_quarter_of_an_hour(asked: Chat) -> None:
    """`hi` is a greeting then, and no address."""
    asked.wait(minutes=16)

    assert "welcome" in await asked.write("hi")
    assert asked.state == State.BROWSING
    assert asked.kept.shipping_address is None


async def test_what_is_no_address_is_asked_again(asked: Chat) -> None:
    """Small talk and wishes are heard as such; the third unusable answer offers a person."""
    assert "cannot read an address" in await asked.write("hi")
    assert "Where shall we deliver?" in asked.shown
    assert "cannot read an address" in await asked.write("?!.")
    assert "person" in await asked.write("yes")
    await asked.write("show products")
    assert asked.state == State.BROWSING


async def test_a_country_that_is_not_served_is_refused() -> None:
    """Before anything is stored."""
    async with chatting() as chat:
        facts = await chat.shop.about()
        chat.shop.shop = attrs.evolve(chat.shop.shop, facts=attrs.evolve(facts, sells_to=("US",)))
        await chat.write("add 1 blue lamp to cart")
        await chat.write("checkout")

        assert "United Kingdom" in await chat.write(BAKER_STREET)
        assert chat.state == State.CHECKOUT_ADDRESS
        assert "Is this the right address" in await chat.write(PARK_AVENUE)


# --- delivery and payment


async def test_several_ways_of_delivery_are_a_choice() -> None:
    """At home there is a pick-up too; the choice may be typed, tapped or changed."""
    async with chatting() as chat:
        await chat.write("add 1 blue lamp to cart")
        await chat.write("checkout")
        await chat.write(PARK_AVENUE)
        await chat.press("use_address")
        assert chat.state == State.CHECKOUT_SHIPPING
        assert chat.titles == ["Pick up in the shop", "Standard delivery"]
        assert "cannot use that" in await chat.write("by pigeon")
        await chat.write("2")
        assert chat.state == State.CHECKOUT_REVIEW
        assert "Delivery (Standard delivery): $4.90" in chat.shown
        await chat.press("change_order")
        await chat.press("edit_shipping")
        await chat.write("pickup")
        assert "free of charge" in chat.shown
        await chat.write("back")
        assert chat.state == State.CHECKOUT_SHIPPING
        assert "cannot use that" in await chat.tap("shipping_nothing")
        await chat.write("back")
        assert chat.state == State.CHECKOUT_ADDRESS
        await chat.write("back")
        assert chat.state == State.CART_MANAGEMENT


async def test_several_ways_of_paying_are_a_choice() -> None:
    """With what they cost; the fee is part of the total."""
    async with chatting() as chat:
        door = CashOnDelivery(fee=Money(Decimal("2.00"), "USD"))
        post = CashOnDelivery(title="By post")
        object.__setattr__(post, "name", "post")
        object.__setattr__(chat.dialogue.payments, "gateways", (door, post))
        await chat.at_review()
        assert chat.state == State.CHECKOUT_PAYMENT
        assert chat.ids == ["payment_cod", "payment_post"]
        assert "cannot use that" in await chat.tap("payment_gold")
        await chat.press("payment_cod")

        assert "Fee: $2.00" in chat.shown
        assert "Total: *$26.90*" in chat.shown
        await chat.press("change_order")
        await chat.press("edit_payment")
        assert chat.state == State.CHECKOUT_PAYMENT
        await chat.write("post")
        assert "Total: *$24.90*" in chat.shown


async def test_no_way_of_paying_calls_a_person(chat: Chat) -> None:
    """Cash has its limit."""
    object.__setattr__(chat.dialogue.payments, "gateways", (CashOnDelivery(max_total=Money(Decimal(1), "USD")),))
    await chat.at_review()

    assert chat.state == State.AWAITING_HUMAN
    assert chat.conversation.handoff["reason"] == "order_problem"


# --- the review


async def test_the_review_shows_every_part(chat: Chat) -> None:
    """Lines, discount, delivery, total, address, method, note; they add up."""
    lamp = await chat.id_of("Blue Lamp")
    item = {"retailer_id": str(lamp), "quantity": 2, "price": "20.00", "currency": "USD"}
    await chat.send("order", catalog_id="c", text="ring twice", items=[item])
    await chat.write("checkout")
    await chat.write(BAKER_STREET)
    await chat.press("use_address")
    shown = await chat.write("coupon WELCOME10")

    assert chat.state == State.CHECKOUT_REVIEW
    for words in (
        "1. 2 × Blue Lamp: $40.00",  # noqa: RUF001 - as it is written on the phone
        "Subtotal: $40.00",
        "Discount (WELCOME10): -$4.00",
        "Delivery (Standard delivery): $4.90",
        "Total: *$40.90*",
        "Deliver to: Sheena Nelson, 221B Baker Street",
        "Payment: Cash on delivery",
        "Your note: ring twice",
    ):
        assert words in shown, words
    await chat.press("confirm_order:")
    placement = chat.answers[-1].placement
    assert placement is not None
    assert placement.context["note"] == "ring twice"
    assert placement.context["money"]["due"] == {"amount": "40.90", "currency": "USD"}


async def test_cancel_leaves_cart_and_consent_untouched(chat: Chat) -> None:
    """In the checkout it is no opt-out."""
    await chat.at_review()

    await chat.write("cancel")

    assert chat.state == State.CART_MANAGEMENT
    assert chat.lines == [("Blue Lamp", 1)]
    assert chat.profile.marketing_opted_at is None


async def test_no_at_the_review_leaves_the_checkout(chat: Chat) -> None:
    """As the button does."""
    await chat.at_review()
    await chat.write("no")
    assert chat.state == State.CART_MANAGEMENT


async def test_checkout_in_the_checkout_asks_the_present_question(chat: Chat) -> None:
    """Nothing is begun anew."""
    await chat.at_review()
    await chat.write("checkout")
    assert chat.state == State.CHECKOUT_REVIEW
    assert [reply for reply in chat.ids if reply.startswith("confirm_order:")]


async def test_stale_buttons_show_the_present_state(chat: Chat) -> None:
    """Of another step, or of no checkout at all."""
    for reply in ("use_address", "shipping_standard", "payment_cod", "edit_payment", "change_order"):
        assert "earlier moment" in await chat.tap(reply)
    await chat.at_review()
    assert "earlier moment" in await chat.tap("use_address")
    assert chat.state == State.CHECKOUT_REVIEW
    assert [reply for reply in chat.ids if reply.startswith("confirm_order:")]
    assert "earlier moment" in await chat.tap("cancel_placement")


async def test_a_delivery_that_fell_away_shows_the_cart(chat: Chat) -> None:
    """What was chosen does not hold any more."""
    await chat.at_review()
    button = next(reply for reply in chat.ids if reply.startswith("confirm_order:"))
    await set_product(chat, "LAMP", active=False)

    await chat.tap(button)

    assert chat.answers[-1].placement is None
    assert "no longer available" in chat.shown


async def test_orders_have_their_bounds() -> None:
    """What is missing is named, and no step begins."""
    policy = Policy(min_total=Decimal(30), max_total=Decimal(100))
    async with chatting(policy=policy) as chat:
        await chat.write("add 1 blue lamp to cart")
        assert "$10.00 is still missing" in await chat.write("checkout")
        assert chat.state == State.CART_MANAGEMENT
        await chat.write("add 4 desk lamp to cart")
        assert "$100.00 at most" in await chat.write("checkout")


# --- orders


async def ordered(chat: Chat, count: int) -> list[str]:
    """So many orders, placed one after the other; their numbers."""
    numbers = []
    for _ in range(count):
        await chat.write("add 1 umbrella to cart")
        await chat.write("checkout")
        if "saved_address_1" in chat.ids:
            await chat.tap("saved_address_1")
        else:
            await chat.write(BAKER_STREET)
            await chat.press("use_address")
        await chat.press("confirm_order:")
        numbers.append((await chat.place()).number)
        chat.wait(seconds=61)
    return numbers


async def test_my_orders_are_the_latest_of_mine(chat: Chat) -> None:
    """By list, by number, and never anybody else's."""
    numbers = await ordered(chat, 2)
    await chat.write("my orders")
    assert {title.lstrip("#") for title in chat.titles} == set(numbers)
    await chat.press("order_")
    assert "being prepared" in chat.shown or "waiting" in chat.shown
    assert "1 × Umbrella" in await chat.write(f"order {numbers[0]}")  # noqa: RUF001 - as it is written on the phone

    chat.profile = attrs.evolve(chat.profile, phone="4915112345678")
    foreign = await chat.write(f"order {numbers[0]}")
    chat.wait(seconds=61)
    nobody = await chat.write("order 99999")

    assert foreign.replace(numbers[0], "#") == nobody.replace("99999", "#")
    assert "no order" in foreign


async def test_guessing_numbers_meets_a_person(chat: Chat) -> None:
    """Five wrong ones within an hour."""
    for number in range(1000, 1004):
        assert "no order" in await chat.write(f"#{number}")
    await chat.write("#1004")
    assert chat.state == State.AWAITING_HUMAN


async def test_an_order_is_cancelled_after_asking(chat: Chat) -> None:
    """Within half an hour, once, however often it is tapped."""
    (number,) = await ordered(chat, 1)
    assert f"Shall I cancel order {number}" in await chat.write("cancel my order")
    assert "stays" in await chat.write("no")
    await chat.write(f"cancel order {number}")
    button = next(reply for reply in chat.ids if reply.startswith("cancel_order_yes"))
    assert "is cancelled" in await chat.tap(button)
    assert "is cancelled" in await chat.tap(button)
    assert len(chat.shop.calls_of("cancel_order")) == 1
    assert "cancelled" in await chat.write(f"cancel order {number}")


async def test_later_a_person_is_called_to_cancel(chat: Chat) -> None:
    """After half an hour."""
    (number,) = await ordered(chat, 1)
    chat.wait(minutes=31)

    assert f"order {number} myself" in await chat.write("cancel my order")
    assert chat.state == State.AWAITING_HUMAN


async def test_without_an_order_there_is_nothing_to_cancel(chat: Chat) -> None:
    """It is said what there is."""
    assert "no orders" in await chat.write("cancel my order")
    assert "no payment open" in await chat.write("I paid")


# --- hours


def test_hours_pass_midnight_and_follow_summer_time() -> None:
    """A bar in Berlin: open on Saturday from 20:00 to 02:00, closed on the holiday."""
    hours = hours_from_json(
        {"timezone": "Europe/Berlin", "week": {"sat": [["20:00", "02:00"]]}, "holidays": ["2026-03-07"]}
    )

    assert not hours.is_open(NOON)
    opening = hours.next_opening(NOON)
    assert opening is not None
    assert opening.isoformat() == "2026-03-14T19:00:00+00:00"
    assert hours.is_open(opening.replace(hour=23))
    assert hours.is_open(opening.replace(day=15, hour=0, minute=59))
    assert not hours.is_open(opening.replace(day=15, hour=1))
    summer = hours.next_opening(opening.replace(day=28, hour=12, month=3))
    assert summer is not None
    assert summer.isoformat() == "2026-03-28T19:00:00+00:00"
    assert hours_from_json({"timezone": "UTC"}).next_opening(NOON) is None


@pytest.mark.parametrize("value", [
    {"timezone": "Mars/Olympus"},
    {"timezone": "UTC", "week": {"monday": []}},
    {"timezone": "UTC", "week": {"mon": [["9", "18:00"]]}},
    {"timezone": "UTC", "holidays": ["tomorrow"]},
])  # fmt: skip
def test_hours_that_cannot_be_read_are_refused(value: dict[str, object]) -> None:
    """When they are set, not when somebody writes at night."""
    with pytest.raises(ValueError, match=r"."):
        hours_from_json(value)


async def test_goods_that_go_nowhere_are_said_to(chat: Chat) -> None:
    """No way of delivery to the address: another one is asked for."""

    def change(till: object) -> None:
        till.change(delete(till.tables.shipping_methods))  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see

    await chat.shop.shop.work(change, write=True)
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")
    await chat.write(BAKER_STREET)

    assert "no delivery to this address" in await chat.press("use_address")
    assert chat.state == State.CHECKOUT_ADDRESS

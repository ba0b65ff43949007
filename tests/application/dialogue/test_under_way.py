"""What changes under a checkout that is under way: prices with taxes, ways that vanish, addresses that do not fit."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.dialogue.chat import BAKER_STREET, Chat, chatting
from tests.application.dialogue.test_checkout import PARK_AVENUE, ordered
from wch.adapters.payments import SwitchedOnPayments
from wch.domain.conversation import State
from wch.domain.document import amended
from wch.domain.money import Money
from wch.domain.placement import PLACEMENT
from wch.domain.quote import Quote
from wch.domain.saga import Saga
from wch.testing import FrozenClock
from wch.testing.scripted_gateway import ScriptedGateway
from wch.testing.scripted_shop import Refused


def quoting(chat: Chat, change: Callable[[Quote], Quote]) -> None:
    """Let the shop quote something else."""
    quote = chat.shop.quote

    async def changed(**given: Any) -> Quote:
        return change(await quote(**given))

    setattr(chat.shop, "quote", changed)  # noqa: B010 - the method of one double


def paid_by(chat: Chat, *gateways: Any) -> None:
    """The ways to pay from now on."""
    chat.dialogue = attrs.evolve(chat.dialogue, payments=SwitchedOnPayments(gateways))


def dollars(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


@pytest.mark.parametrize("included", [False, True], ids=["added", "included"])
async def test_taxes_and_rounding_are_shown_where_they_belong(chat: Chat, *, included: bool) -> None:
    """Before the total when they are added, after it when they are in it; always said."""

    def taxed(quote: Quote) -> Quote:
        total = quote.total + dollars("0.05" if included else "1.25")
        return attrs.evolve(quote, tax=dollars("1.20"), tax_included=included, rounding=dollars("0.05"), total=total)

    quoting(chat, taxed)
    shown = await chat.at_review()

    lines = shown.splitlines()
    total = next(place for place, line in enumerate(lines) if line.startswith("Total"))
    tax = next(place for place, line in enumerate(lines) if "1.20" in line)
    assert (tax > total) == included
    assert any("0.05" in line for line in lines[:total])


async def test_what_is_not_brought_needs_no_address() -> None:
    """A book to read on the phone: payment comes next, and the review has neither address nor delivery."""
    async with chatting() as chat:
        paid_by(chat, ScriptedGateway(clock=FrozenClock()))
        await chat.write("add 1 lamp book to cart")
        await chat.write("checkout")

        assert chat.state == State.CHECKOUT_REVIEW
        assert "Deliver" not in chat.shown
        await chat.press("change_order")
        assert not [reply for reply in chat.ids if reply.startswith(("edit_address", "edit_shipping"))]
        await chat.press("edit_payment")
        await chat.write("back")
        assert chat.state == State.CART_MANAGEMENT


async def test_a_way_to_pay_that_vanished_leads_back_to_the_cart(chat: Chat) -> None:
    """What was shown cannot be ordered any more: it is said, and nothing is placed."""
    await chat.at_review()
    paid_by(chat)

    await chat.press("confirm_order:")

    assert chat.answers[-1].placement is None
    assert "Blue Lamp" in chat.shown


async def test_the_review_is_asked_again_where_it_still_holds(chat: Chat) -> None:
    """After an aside the same review; when nothing can be paid any more, the cart."""
    await chat.at_review()
    await chat.write("help")
    assert chat.state == State.CHECKOUT_REVIEW
    paid_by(chat)

    await chat.write("help")

    assert chat.state == State.CART_MANAGEMENT


async def test_choosing_a_way_to_pay_that_the_shop_refuses_meanwhile(chat: Chat) -> None:
    """A quote that is refused is no review: a person is called, nothing is lost."""
    paid_by(chat, ScriptedGateway(clock=FrozenClock()), ScriptedGateway(clock=FrozenClock(), name="razorpay"))
    await chat.at_review()
    assert chat.state == State.CHECKOUT_PAYMENT
    fine = chat.shop.quote
    calls = 0

    async def refusing(**given: Any) -> Quote:
        nonlocal calls
        calls += 1
        if calls > 1:
            chat.shop.script("quote", Refused("country"))
        return await fine(**given)

    setattr(chat.shop, "quote", refusing)  # noqa: B010 - the method of one double
    await chat.press("payment_stripe")

    assert chat.state == State.AWAITING_HUMAN
    assert chat.conversation.handoff["reason"] == "order_problem"


async def test_a_confirmation_of_an_order_that_failed_shows_the_cart(chat: Chat) -> None:
    """Its button is on the phone still; that order is over."""
    await chat.at_review()
    await chat.press("confirm_order:")
    placement = chat.answers[-1].placement
    assert placement is not None
    failed = Saga.begun(placement.saga_id, PLACEMENT, placement.context, now=chat.clock.now())
    now = chat.clock.now()
    chat.saga = failed.turned_back(now=now, reason="out_of_stock").compensated(now=now)
    chat.conversation = attrs.evolve(chat.conversation, state=State.CART_MANAGEMENT)

    button = f"confirm_order:{placement.saga_id.removeprefix('order-')}-{'0' * 12}"
    assert "earlier moment" in await chat.tap(button)


async def test_delivery_that_fell_away_asks_for_another_address() -> None:
    """At the choice of delivery no way is left: the address is asked again."""
    async with chatting() as chat:
        await chat.write("add 1 blue lamp to cart")
        await chat.write("checkout")
        await chat.write(PARK_AVENUE)
        await chat.press("use_address")
        assert chat.state == State.CHECKOUT_SHIPPING

        async def nothing(**_given: Any) -> tuple[()]:
            return ()

        setattr(chat.shop, "shipping_methods", nothing)  # noqa: B010 - the method of one double
        await chat.write("help")

        assert chat.state == State.CHECKOUT_ADDRESS
        assert "deliver" in chat.shown


# --- addresses


@pytest.fixture
async def asked(chat: Chat) -> Chat:
    await chat.write("add 1 blue lamp to cart")
    await chat.write("checkout")
    return chat


async def test_a_country_is_asked_for_by_name(asked: Chat) -> None:
    """A form may leave it empty in a way that the number's own country does not fill."""
    asked.conversation = attrs.evolve(
        asked.conversation,
        context=amended(
            asked.conversation.context,
            checkout={
                **asked.conversation.context["checkout"],
                "draft": {
                    "first_name": "A",
                    "last_name": "B",
                    "address_1": "1 Way",
                    "city": "Paris",
                    "postcode": "75001",
                },
                "asking": "country",
            },
        ),
    )

    assert "France" in await asked.write("France")


async def test_a_saved_address_that_does_not_fit_any_more_is_asked_for(asked: Chat) -> None:
    """Its postcode is of another country, a part is missing, it is too long: each asks for what is wrong."""
    for wrong, words in (
        ({"postcode": "9021"}, "no postcode"),
        ({"city": ""}, "town"),
        ({"address_1": "x" * 101}, "too long"),
        ({"country": "ZZ"}, "Is this"),
    ):
        address = {
            "id": 1,
            "first_name": "A",
            "last_name": "B",
            "address_1": "1 Way",
            "city": "Beverly Hills",
            "state": "CA",
            "postcode": "90210",
            "country": "US",
            **wrong,
        }
        asked.profile = attrs.evolve(asked.profile, saved_addresses=(address,))
        shown = await asked.tap("saved_address_1")
        if words != "Is this":
            assert words in shown, wrong
        asked.wait(seconds=61)


async def test_an_address_that_was_shown_is_looked_at_again(asked: Chat) -> None:
    """Between showing and accepting the shop stopped delivering there; without one shown, it is asked for."""
    await asked.write(BAKER_STREET)
    facts = await asked.shop.about()
    asked.shop.shop = attrs.evolve(asked.shop.shop, facts=attrs.evolve(facts, sells_to=("US",)))
    assert "United Kingdom" in await asked.press("use_address")

    assert "address" in await asked.tap("use_address")


async def test_the_question_for_a_part_is_repeated_after_an_aside(asked: Chat) -> None:
    """The part, not the whole address."""
    await asked.write("5 Main Street, Springfield")
    first = asked.shown

    await asked.write("where is my order")

    assert first.splitlines()[-1] in asked.shown


@pytest.mark.parametrize("number", ["call me", "12", "+1 650 555 1234"])
async def test_a_number_in_a_form_that_cannot_be_called_is_the_writers(asked: Chat, number: str) -> None:
    """Whoever brings it must reach somebody."""
    values = {
        "name": "Asha Rao",
        "address": "MG Road",
        "city": "Bengaluru",
        "state": "Karnataka",
        "in_pin_code": "560001",
        "country": "IN",
        "phone_number": number,
    }
    await asked.send("interactive", kind="nfm_reply", name="address_message", data={"values": values})

    assert "+16505551234" in asked.shown


# --- orders


async def test_a_parcel_is_told_with_its_address(chat: Chat) -> None:
    """Carrier, number, and the page that follows it."""
    await ordered(chat, 1)
    (order,) = (await chat.shop.orders_of(phones=("16505551234",))).items
    await chat.shop.accept_order(order_id=order.id, key="k")
    await chat.shop.shop.ship(order_id=order.id, carrier="DHL", tracking="JD1", url="https://dhl.example/JD1")

    shown = await chat.tap(f"order_{order.id}")

    assert "JD1" in shown
    assert "https://dhl.example/JD1" in shown


async def test_a_paid_order_is_cancelled_with_its_money() -> None:
    """The wish for the refund goes out with the answer."""
    async with chatting() as chat:
        await ordered(chat, 1)
        (order,) = (await chat.shop.orders_of(phones=("16505551234",))).items
        paid = attrs.evolve(order, paid_at=chat.clock.now())
        found = await chat.shop.orders_of(phones=("16505551234",))

        async def all_of(**_given: Any) -> Any:
            return attrs.evolve(found, items=(paid,))

        setattr(chat.shop, "orders_of", all_of)  # noqa: B010 - the method of one double
        await chat.tap(f"cancel_order_yes_{order.id}")

        assert [wish.order_id for wish in chat.answers[-1].refunds] == [order.id]
        assert "24.90" in chat.shown or str(order.total.amount) in chat.shown


async def test_a_numbers_new_owner_sees_no_orders(chat: Chat) -> None:
    """They are somebody else's, whatever the number says."""
    await ordered(chat, 1)
    (order,) = (await chat.shop.orders_of(phones=("16505551234",))).items
    chat.profile = chat.profile.taken_over(now=chat.clock.now())

    assert order.number not in await chat.write("my orders")
    assert "Blue" not in await chat.tap(f"order_{order.id}")

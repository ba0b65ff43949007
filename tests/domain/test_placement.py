"""A placement freezes what was on the screen, in words that JSON keeps."""

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from wch.domain.address import Address, address_from_json
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.money import Money, money_from_json
from wch.domain.payment import Offer
from wch.domain.placement import Placement, freeze
from wch.domain.quote import Line, Quote, QuoteLine
from wch.testing import NOON

ANNA = "16505551234"
HOME = Address(first_name="Anna", address_1="Main St 1", city="Berlin", postcode="10115", country="DE")


def euro(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def cart(*, opened: timedelta = timedelta(0)) -> Cart:
    item = CartItem(
        product_id=7,
        variation_id=9,
        quantity=2,
        price_at_add=Decimal("9.50"),
        currency="EUR",
        product_name="Shirt",
        added_at=NOON,
    )
    return Cart(id=3, customer_phone=ANNA, items=(item,), coupon_code="TEN", created_at=NOON + opened, updated_at=NOON)


def frozen(of: Cart, *, address: Address | None = HOME, name: str | None = "Anna") -> Placement:
    return freeze(
        cart=of,
        conversation=Conversation(id=5, customer_phone=ANNA, created_at=NOON, updated_at=NOON),
        profile=CustomerProfile(phone=ANNA, name=name, wc_customer_id=11, created_at=NOON, updated_at=NOON),
        quote=QUOTE,
        offer=Offer(gateway="cod", title="Cash", fee=euro("1.00"), pays_later=True),
        address=address,
        number="106540352242922",
        language="de",
        note="ring twice",
    )


QUOTE = Quote(
    lines=(
        QuoteLine(
            line=Line(product_id=7, variation_id=9, quantity=2), name="Shirt", price=euro("9.50"), total=euro("19.00")
        ),
    ),
    subtotal=euro("19.00"),
    discount=euro("1.90"),
    shipping=euro("4.90"),
    tax=euro("3.65"),
    fee=euro("1.00"),
    rounding=euro("0.00"),
    total=euro("23.00"),
    tax_included=True,
    needs_shipping=True,
    shipping_id="standard",
    fingerprint="f00",
)


def test_everything_on_the_screen_is_kept() -> None:
    """Nothing of it is looked up again, so nothing may be missing, and JSON must give it back as it was."""
    context = json.loads(json.dumps(frozen(cart()).context))

    assert context["customer"] == {"phone": ANNA, "name": "Anna", "email": None, "customer_id": 11}
    assert context["lines"] == [{"product_id": 7, "variation_id": 9, "quantity": 2}]
    assert (context["names"], context["coupon"], context["note"]) == (["Shirt"], "TEN", "ring twice")
    assert (context["shipping"], context["method"], context["pays_later"]) == ("standard", "cod", True)
    assert (context["conversation_id"], context["number"], context["language"]) == (5, "106540352242922", "de")
    assert address_from_json(context["address"]) == HOME
    assert {part: money_from_json(context["quote"][part]) for part in ("subtotal", "tax", "total")} == {
        "subtotal": QUOTE.subtotal,
        "tax": QUOTE.tax,
        "total": QUOTE.total,
    }
    assert (context["quote"]["fingerprint"], context["quote"]["tax_included"]) == ("f00", True)
    assert money_from_json(context["money"]["due"]) == QUOTE.total
    assert (context["money"]["captured"], context["money"]["refunds"]) == ([], [])


def test_one_cart_has_one_placement_and_the_next_another() -> None:
    """The id is the cart's name: confirming twice finds the first order, a new cart never does."""
    assert frozen(cart()).saga_id == frozen(cart()).saga_id
    assert frozen(cart()).saga_id != frozen(cart(opened=timedelta(seconds=1))).saga_id


@pytest.mark.parametrize("name", [None, ""])
def test_what_is_not_known_is_kept_as_unknown(name: str | None) -> None:
    """No address where nothing is shipped, no name where none was said."""
    context = frozen(cart(), address=None, name=name).context

    assert (context["address"], context["customer"]["name"]) == (None, "")

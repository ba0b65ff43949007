"""Every reply id reads back as the route that wrote it."""

import pytest

from wch.application.dialogue.places import _STORIES
from wch.application.dialogue.routes import Place, Route, add, line, product, read_route, to

FORMS = (
    "menu", "categories", "categories_p2", "categories_7_p2", "category_5", "category_5_p2", "category_0_p3", "search",
    "search_p2", "product_5", "variants_7", "variants_7_p2", "variant_7_71", "add_to_cart_5", "add_to_cart_7_71",
    "add_to_cart_5_x3", "add_to_cart_7_71_x3", "view_cart", "edit_cart", "edit_cart_p2", "line_5", "line_7_71",
    "line_5_x0", "clear_cart", "clear_cart_yes", "restore_cart", "accept_prices", "only_this_order", "coupon",
    "remove_coupon", "checkout", "saved_address_2", "new_address", "use_address", "shipping_flat_rate:3",
    "shipping_a b", "payment_cod", "payment_whatsapp_pay", "change_order", "edit_address", "edit_shipping",
    "edit_payment", "confirm_order:7-1772452800-0123456789ab", "cancel_checkout", "cancel_placement", "back", "orders",
    "order_1042", "cancel_order_1042", "cancel_order_yes_1042", "human", "help", "lang", "lang_pt_BR", "lang_hi",
    "consent_stop", "consent_stop_all", "consent_start", "keep", "product_9223372036854775807",
)  # fmt: skip


@pytest.mark.parametrize("reply_id", FORMS)
def test_a_reply_id_reads_back(reply_id: str) -> None:
    """The id is all there is of a button that is tapped a year later."""
    route = read_route(reply_id)

    assert route is not None
    assert route.reply_id == reply_id
    assert len(reply_id) <= 200


@pytest.mark.parametrize("reply_id", [
    "", "menus", "product_", "product_0", "product_05", "product_x", "product_9223372036854775808", "category_-1",
    "add_to_cart_5_x", "confirm_order:7-1-xyz", "search_p0", "variant_7", "lang_portuguese", "order_1042\n", "PRODUCT_5",
    "product_١", "shipping_", "product_99999999999999999999",  # noqa: RUF001 - as it is written on the phone
])  # fmt: skip
def test_anything_else_is_none_of_ours(reply_id: str) -> None:
    """Then the button's title is taken as a text."""
    assert read_route(reply_id) is None


def test_the_builders_write_what_the_reader_reads() -> None:
    """One spelling, in one module."""
    routes = [product(5), add(7, 71, 3), add(5), line(5, None, 0), to(Place.LANG, word="ar"), to(Place.SEARCH, page=2)]

    assert [read_route(route.reply_id) for route in routes] == routes


def test_every_place_has_a_story() -> None:
    """A button that leads nowhere would be an error of ours."""
    assert set(_STORIES) == set(Place)
    assert {route.place for form in FORMS if (route := read_route(form)) is not None} == set(Place)
    assert Route(place=Place.MENU).reply_id == "menu"

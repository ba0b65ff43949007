"""Reply ids: what a button or a row says when it is tapped, all by itself, so that old ones still work."""

import re
from enum import StrEnum

import attrs

from wch.domain.catalogue import LARGEST_ID


class Place(StrEnum):
    """Where a reply id leads; the word is how the id begins."""

    MENU = "menu"
    CATEGORIES = "categories"
    CATEGORY = "category"
    SEARCH = "search"
    PRODUCT = "product"
    VARIANTS = "variants"
    VARIANT = "variant"
    ADD_TO_CART = "add_to_cart"
    VIEW_CART = "view_cart"
    EDIT_CART = "edit_cart"
    LINE = "line"
    CLEAR_CART = "clear_cart"
    CLEAR_CART_YES = "clear_cart_yes"
    RESTORE_CART = "restore_cart"
    ACCEPT_PRICES = "accept_prices"
    ONLY_THIS_ORDER = "only_this_order"
    COUPON = "coupon"
    REMOVE_COUPON = "remove_coupon"
    CHECKOUT = "checkout"
    SAVED_ADDRESS = "saved_address"
    NEW_ADDRESS = "new_address"
    USE_ADDRESS = "use_address"
    SHIPPING = "shipping"
    PAYMENT = "payment"
    CHANGE_ORDER = "change_order"
    EDIT_ADDRESS = "edit_address"
    EDIT_SHIPPING = "edit_shipping"
    EDIT_PAYMENT = "edit_payment"
    CONFIRM_ORDER = "confirm_order"
    CANCEL_CHECKOUT = "cancel_checkout"
    CANCEL_PLACEMENT = "cancel_placement"
    BACK = "back"
    ORDERS = "orders"
    ORDER = "order"
    CANCEL_ORDER = "cancel_order"
    CANCEL_ORDER_YES = "cancel_order_yes"
    HUMAN = "human"
    HELP = "help"
    LANG = "lang"
    CONSENT_STOP = "consent_stop"
    CONSENT_STOP_ALL = "consent_stop_all"
    CONSENT_START = "consent_start"
    KEEP = "keep"


@attrs.frozen(kw_only=True)
class Route:
    """A reply id, read.

    Attributes:
        place: where it leads.
        id: of a category, product, order, or the number of a saved address.
        variation: of a variant.
        page: of a list.
        quantity: how many to add, or what a line shall be.
        word: a shipping method, a gateway, a language, or the token of a confirmation.
    """

    place: Place
    id: int | None = None
    variation: int | None = None
    page: int | None = None
    quantity: int | None = None
    word: str | None = None

    @property
    def reply_id(self) -> str:
        """The id that `read_route` reads back."""
        written = self.place.value
        if self.word is not None:
            return f"{written}{':' if self.place is Place.CONFIRM_ORDER else '_'}{self.word}"
        for number in (self.id, self.variation):
            written += "" if number is None else f"_{number}"
        written += "" if self.quantity is None else f"_x{self.quantity}"
        return written + ("" if self.page is None else f"_p{self.page}")


_BARE = (
    Place.MENU,
    Place.CATEGORIES,
    Place.SEARCH,
    Place.VIEW_CART,
    Place.EDIT_CART,
    Place.CLEAR_CART,
    Place.CLEAR_CART_YES,
    Place.RESTORE_CART,
    Place.ACCEPT_PRICES,
    Place.ONLY_THIS_ORDER,
    Place.COUPON,
    Place.REMOVE_COUPON,
    Place.CHECKOUT,
    Place.NEW_ADDRESS,
    Place.USE_ADDRESS,
    Place.CHANGE_ORDER,
    Place.EDIT_ADDRESS,
    Place.EDIT_SHIPPING,
    Place.EDIT_PAYMENT,
    Place.CANCEL_CHECKOUT,
    Place.CANCEL_PLACEMENT,
    Place.BACK,
    Place.ORDERS,
    Place.HUMAN,
    Place.HELP,
    Place.LANG,
    Place.CONSENT_STOP,
    Place.CONSENT_STOP_ALL,
    Place.CONSENT_START,
    Place.KEEP,
)
_ID = r"_(?P<id>[1-9][0-9]{0,18})"
_PAGE = r"_p(?P<page>[1-9][0-9]{0,3})"
_SELLABLE = rf"{_ID}(?:_(?P<variation>[1-9][0-9]{{0,18}}))?(?:_x(?P<quantity>[0-9]{{1,3}}))?"
_FORMS: tuple[tuple[Place, re.Pattern[str]], ...] = (
    *((place, re.compile(place.value)) for place in _BARE),
    # Buttons of templates, which shops have approved with these words.
    (Place.VIEW_CART, re.compile("cart")),
    (Place.PRODUCT, re.compile(r"prod:(?P<id>[1-9][0-9]{0,18})")),
    (Place.CATEGORY, re.compile(r"cat:(?P<id>[1-9][0-9]{0,18})")),
    (Place.CATEGORIES, re.compile(rf"categories(?:{_ID})?{_PAGE}")),
    (Place.CATEGORY, re.compile(rf"category_(?P<id>0|[1-9][0-9]{{0,18}})(?:{_PAGE})?")),
    (Place.SEARCH, re.compile(rf"search{_PAGE}")),
    (Place.PRODUCT, re.compile(rf"product{_ID}")),
    (Place.VARIANTS, re.compile(rf"variants{_ID}(?:{_PAGE})?")),
    (Place.VARIANT, re.compile(rf"variant{_ID}_(?P<variation>[1-9][0-9]{{0,18}})")),
    (Place.ADD_TO_CART, re.compile(rf"add_to_cart{_SELLABLE}")),
    (Place.LINE, re.compile(rf"line{_SELLABLE}")),
    (Place.EDIT_CART, re.compile(rf"edit_cart{_PAGE}")),
    (Place.SAVED_ADDRESS, re.compile(rf"saved_address{_ID}")),
    (Place.CANCEL_ORDER, re.compile(rf"cancel_order{_ID}")),
    (Place.CANCEL_ORDER_YES, re.compile(rf"cancel_order_yes{_ID}")),
    (Place.ORDER, re.compile(rf"order{_ID}")),
    (Place.LANG, re.compile(r"lang_(?P<word>[A-Za-z]{2,3}(?:_[A-Z]{2})?)")),
    (Place.CONFIRM_ORDER, re.compile(r"confirm_order:(?P<word>[0-9]{1,19}-[0-9]{1,12}-[0-9a-f]{12})")),
    (Place.PAYMENT, re.compile(r"payment_(?P<word>[a-z0-9_]{1,50})")),
    (Place.SHIPPING, re.compile(r"shipping_(?P<word>.{1,100})", re.DOTALL)),
)
_NUMBERS = ("id", "variation", "page", "quantity")


def read_route(reply_id: str) -> Route | None:
    """Where a reply id leads; None when it is none of ours."""
    for place, form in _FORMS:
        found = form.fullmatch(reply_id)
        if found is None:
            continue
        parts = found.groupdict()
        numbers = {name: int(parts[name]) for name in _NUMBERS if parts.get(name) is not None}
        if any(number > LARGEST_ID for number in numbers.values()):
            return None
        return Route(place=place, word=parts.get("word"), **numbers)
    return None


def product(product_id: int) -> Route:
    """A product's page."""
    return Route(place=Place.PRODUCT, id=product_id)


def add(product_id: int, variation_id: int | None = None, quantity: int | None = None) -> Route:
    """Put so many of it into the cart."""
    return Route(place=Place.ADD_TO_CART, id=product_id, variation=variation_id, quantity=quantity)


def line(product_id: int, variation_id: int | None = None, quantity: int | None = None) -> Route:
    """A cart's line, or what its quantity shall be."""
    return Route(place=Place.LINE, id=product_id, variation=variation_id, quantity=quantity)


def to(place: Place, number: int | None = None, *, page: int | None = None, word: str | None = None) -> Route:
    """Any other place."""
    return Route(place=place, id=number, page=page, word=word)

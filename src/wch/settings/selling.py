"""The settings of talking and selling: dialogue, cart, shop, payments, notices."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from wch.settings.choices import (
    CARRIERS,
    CatalogueId,
    PixKey,
    Preference,
    Scope,
    ShopKind,
    WaitingStatus,
    WayToPay,
    wrong_carrier,
)
from wch.settings.declaring import ADDRESS, MONEY, SECRET, SECRETS, setting, switch
from wch.settings.kinds import Json, OneOf, Text, Whole, Words

NONE = Decimal(0)
_COUNTRY = "[A-Z]{2}"
_SLUG = r"[a-z0-9][a-z0-9_-]{0,42}"


@attrs.frozen(kw_only=True)
class Conversation:
    """How it is spoken."""

    bot_enabled: bool = switch("the dialogue answers; else people alone", on=True)
    gather_seconds: int = setting(Whole(0, 5), 0, "how long more words of the customer are waited for")
    reopen_hours: int = setting(Whole(0, 720), 24, "a resolved conversation is opened again within")
    resolve_hours: int = setting(Whole(1, 8760), 24, "a silent conversation is resolved after")
    handback_hours: int = setting(Whole(1, 720), 24, "a person's silence hands back to the dialogue after")
    phone_app_handback_minutes: int = setting(Whole(1, 10_080), 120, "the same after words from the phone app")
    misses_to_handoff: int = setting(Whole(1, 20), 3, "misunderstandings until a person is called")
    hours: Mapping[str, Any] = setting(Json(), {}, "when people are there; always when empty")
    read_receipts: bool = switch("show the customer that it was read", on=True)
    typing: bool = switch("show the customer that an answer comes", on=True)
    media_prefetch: bool = switch("fetch pictures before somebody asks")
    catalogue_messages: bool = switch("show products from the WhatsApp catalogue")


@attrs.frozen(kw_only=True)
class Assistant:
    """The language model, if there is one."""

    enabled: bool = switch("ask a model what was not understood")
    url: str = setting(ADDRESS, "", "where the model is asked: its address without /chat/completions")
    key: str = setting(SECRET, "", "the key that the model's address wants")
    model: str = setting(Text(), "", "what the model is called there")
    calls_per_hour: int = setting(Whole(0, 1000), 10, "calls per customer")
    monthly_budget: Decimal = setting(MONEY, NONE, "most that a month may cost")
    input_price: Decimal = setting(MONEY, NONE, "a million words in")
    output_price: Decimal = setting(MONEY, NONE, "a million words out")


@attrs.frozen(kw_only=True)
class Cart:
    """The cart's bounds."""

    expire_hours: int = setting(Whole(1, 8760), 72, "an untouched cart expires after")
    max_per_line: int = setting(Whole(1, 9999), 99, "most of one product")


@attrs.frozen(kw_only=True)
class Checkout:
    """The order's bounds."""

    min_total: Decimal = setting(MONEY, NONE, "smallest order, 0 for none")
    max_total: Decimal = setting(MONEY, NONE, "largest order, 0 for none")
    deadline_minutes: int = setting(Whole(1, 10_080), 60, "a placement without payment ends after")
    cancel_minutes: int = setting(Whole(0, 10_080), 30, "the customer may cancel for")


@attrs.frozen(kw_only=True)
class Shop:
    """Where products and orders live."""

    kind: ShopKind = setting(OneOf(ShopKind), ShopKind.LOCAL, "which shop", env="WCH_SHOP")
    low_stock: int = setting(Whole(0, 1_000_000), 5, "so few are called the last ones")


@attrs.frozen(kw_only=True)
class Woocommerce:
    """The WooCommerce shop."""

    url: str = setting(ADDRESS, "", "the shop's address")
    key: str = setting(SECRET, "", "consumer key")
    secret: str = setting(SECRET, "", "consumer secret")
    webhook_secret: str = setting(SECRET, "", "its deliveries are signed with it")
    waiting_status: WaitingStatus = setting(OneOf(WaitingStatus), WaitingStatus.ON_HOLD, "of an order not yet paid")
    reactivate: bool = switch("switch a disabled webhook on again")
    query_auth: bool = switch("key and secret in the query, for servers that drop the header")


@attrs.frozen(kw_only=True)
class Payments:
    """The ways to pay."""

    enabled: tuple[WayToPay, ...] = setting(
        Words(among=WayToPay), (WayToPay.COD,), "in the order in which they are offered", env="WCH_PAYMENTS"
    )


@attrs.frozen(kw_only=True)
class Cod:
    """Cash on delivery."""

    fee: Decimal = setting(MONEY, NONE, "added to the order")
    max_total: Decimal = setting(MONEY, NONE, "offered up to, 0 for always")
    excluded_countries: tuple[str, ...] = setting(Words(_COUNTRY, "US,CA"), (), "not offered there")


@attrs.frozen(kw_only=True)
class Stripe:
    """Stripe."""

    secret_key: str = setting(SECRET, "", "the API's key")
    webhook_secret: tuple[str, ...] = setting(SECRETS, (), "its events are signed with it")
    url: str = setting(ADDRESS, "https://api.stripe.com", "where its API is")
    methods: tuple[str, ...] = setting(Words("[a-z_]+", "card,link"), ("card",), "kinds of payment")


@attrs.frozen(kw_only=True)
class Razorpay:
    """Razorpay."""

    key_id: str = setting(SECRET, "", "the API's key")
    key_secret: str = setting(SECRET, "", "the key's secret")
    webhook_secret: tuple[str, ...] = setting(SECRETS, (), "its events are signed with it")
    url: str = setting(ADDRESS, "https://api.razorpay.com", "where its API is")
    currencies: tuple[str, ...] = setting(Words("[A-Z]{3}", "INR,USD"), ("INR",), "offered for")


@attrs.frozen(kw_only=True)
class Mercadopago:
    """Mercado Pago."""

    access_token: str = setting(SECRET, "", "the API's token")
    webhook_secret: tuple[str, ...] = setting(SECRETS, (), "its notices are signed with it")
    url: str = setting(ADDRESS, "https://api.mercadopago.com", "where its API is")
    payer_email: str = setting(Text(r"([^@\s]+@[^@\s]+)?", "an e-mail address"), "", "for customers who gave none")
    chat_key: str = setting(Text(), "", "the shop's Pix key: with it the code is copied by a tap on the order")
    chat_key_type: PixKey = setting(OneOf(PixKey), PixKey.EVP, "what that key is")


@attrs.frozen(kw_only=True)
class Catalog:
    """The catalogue on WhatsApp."""

    include: tuple[str, ...] = setting(Words(), (), "categories in it; all when empty")
    exclude: tuple[str, ...] = setting(Words(), (), "categories kept out")
    id: CatalogueId = setting(  # WCH_CATALOG_ID is the catalogue's own id
        OneOf(CatalogueId), CatalogueId.ID, "what names a product there", env="WCH_CATALOG_PRODUCT_ID"
    )
    discrepancy_alert: int = setting(Whole(1, 1_000_000), 10, "so many differences raise an alarm")


@attrs.frozen(kw_only=True)
class Notifications:
    """What customers hear about their orders."""

    enabled: bool = switch("tell them at all", on=True)
    scope: Scope = setting(OneOf(Scope), Scope.CHAT, "orders of the chat, or all of the shop")
    delay_seconds: int = setting(Whole(0, 3600), 30, "changes in quick succession become one")
    prefer: Preference = setting(OneOf(Preference), Preference.TEXT, "what is sent inside an open window")
    off: tuple[str, ...] = setting(Words(_SLUG, "shipped,refunded"), (), "types that are not sent")
    statuses: tuple[str, ...] = setting(Words(_SLUG, "ready-for-pickup"), (), "more of the shop's statuses to tell")
    estimated_delivery: str = setting(Text(), "", "said when the shop knows no date")
    review_url: str = setting(ADDRESS, "", "where a delivered order may be reviewed")
    carriers: Mapping[str, Any] = setting(Json(wrong_carrier), CARRIERS, "tracking addresses with {number}")

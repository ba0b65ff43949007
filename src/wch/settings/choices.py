"""The words a setting may choose from, and the tables it may start with."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Profile(StrEnum):
    """How strict the hub is with its surroundings."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


class ShopKind(StrEnum):
    """Where products and orders live."""

    LOCAL = "local"
    WOOCOMMERCE = "woocommerce"


class WayToPay(StrEnum):
    """The ways to pay that can be switched on."""

    COD = "cod"
    STRIPE = "stripe"
    RAZORPAY = "razorpay"
    MERCADOPAGO = "mercadopago"
    WHATSAPP_PAY = "whatsapp_pay"


class PaymentProvider(StrEnum):
    """Who takes the money of payments inside WhatsApp."""

    RAZORPAY = "razorpay"
    PAYU = "payu"
    BILLDESK = "billdesk"
    ZAAKPAY = "zaakpay"
    UPI = "upi"


class WaitingStatus(StrEnum):
    """The shop's status of an order that waits for its payment."""

    ON_HOLD = "on-hold"
    PENDING = "pending"


class PixKey(StrEnum):
    """What a Pix key can be; `evp` is one that the bank made up."""

    CPF = "cpf"
    CNPJ = "cnpj"
    EMAIL = "email"
    PHONE = "phone"
    EVP = "evp"


class CatalogueId(StrEnum):
    """What a product is called in the WhatsApp catalogue."""

    ID = "id"
    SKU = "sku"


class Scope(StrEnum):
    """Whose orders are told about."""

    CHAT = "chat"
    ALL = "all"


class Preference(StrEnum):
    """What a notice is inside an open window."""

    TEXT = "text"
    TEMPLATE = "template"


class CouponKind(StrEnum):
    """What a coupon takes off."""

    PERCENT = "percent"
    FIXED = "fixed"


class LogLevel(StrEnum):
    """The lowest level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"


class LogFormat(StrEnum):
    """For programs or for people."""

    JSON = "json"
    TEXT = "text"


CARRIERS: Mapping[str, str] = MappingProxyType(
    {
        "DHL": "https://www.dhl.com/en/express/tracking.html?AWB={number}",
        "FedEx": "https://www.fedex.com/fedextrack/?trknbr={number}",
        "UPS": "https://www.ups.com/track?tracknum={number}",
        "USPS": "https://tools.usps.com/go/TrackConfirmAction?tLabels={number}",
    }
)
TEMPLATES: Mapping[str, str] = MappingProxyType(
    {
        "order_confirmed": "order_confirmation",
        "status_processing": "order_processing",
        "status_on_hold": "order_status_update",
        "status_pending": "order_status_update",
        "status_failed": "order_status_update",
        "status_cancelled": "order_cancelled",
        "shipped": "shipping_update",
        "shipped_plain": "shipping_update_plain",
        "delivered": "order_completed",
        "refunded": "order_refunded",
        "reminder_1": "abandoned_cart_reminder_1",
        "reminder_2": "abandoned_cart_reminder_2",
        "reminder_3": "abandoned_cart_reminder_3",
        "back_in_stock": "reengage_back_in_stock",
        "price_drop": "reengage_price_drop",
        "loyalty_reward": "reengage_loyalty_reward",
        "new_arrivals": "reengage_new_arrivals",
        "we_miss_you": "reengage_we_miss_you",
    }
)


def wrong_carrier(carriers: Mapping[str, Any]) -> str | None:
    """What is wrong with a table of carriers, if anything."""
    for name, pattern in carriers.items():
        if not (isinstance(pattern, str) and pattern.startswith("https://") and "{number}" in pattern):
            return f"the pattern of {name!r} does not fit: give an https address with {{number}} in it"
    return None


def wrong_template(names: Mapping[str, Any]) -> str | None:
    """What is wrong with a table of templates, if anything."""
    for use, name in names.items():
        if not (isinstance(name, str) and 1 <= len(name) <= 512):  # noqa: PLR2004 -- WhatsApp's own limit
            return f"the template of {use!r} does not fit: give a name of 1 to 512 characters"
    return None

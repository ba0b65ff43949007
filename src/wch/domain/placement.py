"""A placement: the order as the customer confirmed it, frozen for the saga that carries it out."""

import hashlib
import json

import attrs

from wch.domain.address import Address, address_to_json
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.document import JsonObject
from wch.domain.moment import unix
from wch.domain.money import money_to_json
from wch.domain.payment import Offer
from wch.domain.quote import Quote

PLACEMENT = "OrderPlacement"
"""The type of the saga that places orders."""


@attrs.frozen(kw_only=True)
class Placement:
    """The order that the customer confirmed: the id and the frozen context of its saga."""

    saga_id: str
    context: JsonObject


MARK_DIGITS = 12
"""Hex digits of the mark in a confirm button."""


def token_of(cart: Cart, *, address: JsonObject | None, shipping: str | None, payment: str, quote: str) -> str:
    """What a confirm button orders: `<cart id>-<created_at>-<12 hex digits>` over address, methods and quote.

    Args:
        cart: the cart; its name is in front.
        address: as it is kept.
        shipping: the id of the shipping method.
        payment: the gateway's name.
        quote: its fingerprint.
    """
    chosen = {"address": address, "shipping": shipping, "payment": payment, "quote": quote}
    mark = hashlib.sha256(json.dumps(chosen, sort_keys=True, ensure_ascii=True).encode()).hexdigest()[:MARK_DIGITS]
    return f"{cart.id}-{unix(cart.created_at)}-{mark}"


def freeze(
    *,
    cart: Cart,
    conversation: Conversation,
    profile: CustomerProfile,
    quote: Quote,
    offer: Offer,
    address: Address | None,
    number: str,
    language: str,
    note: str = "",
    shipping_title: str = "",
    differs: JsonObject | None = None,
) -> Placement:
    """What the customer confirmed, as it stood on the screen; nothing of it is looked up again.

    Args:
        cart: the cart; its name names the placement.
        conversation: where the customer is told.
        profile: who orders.
        quote: what was shown at the review.
        offer: the way of paying.
        address: where to; None when nothing ships.
        number: the number that answers.
        language: the customer's.
        note: the customer's words to the shop.
        shipping_title: the way of delivery, as it was shown.
        differs: what an order of the shop's differed by from its quote before, part of the quote's rounding.
    """
    context = {
        "customer": {
            "phone": profile.phone,
            "name": profile.name or "",
            "email": profile.email,
            "customer_id": profile.wc_customer_id,
        },
        "conversation_id": conversation.id,
        "number": number,
        "language": language,
        "cart": [cart.id, unix(cart.created_at)],
        "lines": [
            {"product_id": item.product_id, "variation_id": item.variation_id, "quantity": item.quantity}
            for item in cart.items
        ],
        "names": [item.product_name for item in cart.items],
        "address": None if address is None else address_to_json(address),
        "shipping": quote.shipping_id,
        "shipping_title": shipping_title,
        "coupon": cart.coupon_code,
        "fee": money_to_json(quote.fee),
        "method": offer.gateway,
        "pays_later": offer.pays_later,
        "note": note,
        "quote": {
            part: money_to_json(getattr(quote, part))
            for part in ("subtotal", "discount", "shipping", "tax", "fee", "rounding", "total")
        }
        | {"tax_included": quote.tax_included, "fingerprint": quote.fingerprint},
        **({} if differs is None else {"differs": differs}),
        "money": {"due": money_to_json(quote.total), "captured": [], "refunds": []},
    }
    return Placement(saga_id=cart.saga_id, context=context)

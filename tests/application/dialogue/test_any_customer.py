"""Customers who do anything at all: every message ends with an answer or a reason, and no total is a surprise."""

import asyncio
import re
from decimal import Decimal
from random import Random  # noqa: TID251 - the type of what hypothesis hands over
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.application.dialogue.chat import BAKER_STREET, Chat, chatting
from tests.application.dialogue.test_routes import FORMS
from tests.application.test_words import CELLS
from wch.domain.money import money_from_json
from wch.testing.scripted_shop import Unavailable

STEPS = 60
PHRASES = [phrase for _, _, phrase in CELLS if not phrase.startswith("stop")]
ADDRESSES = (
    BAKER_STREET,
    "5 Main Street, Springfield, IL 62704, USA",
    "Springfield",
    "62704",
    "Sheena N",
    "Calle 5, Madrid",
)
ELSEWHERE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("location", {"latitude": "1.5", "longitude": "2", "address": BAKER_STREET}),
    ("image", {"media": {"id": "1"}}),
    ("sticker", {"media": {"id": "1"}}),
    ("contacts", {"contacts": []}),
    ("order", {"catalog_id": "c", "items": [{"retailer_id": "1", "quantity": 1, "price": "1.00", "currency": "USD"}]}),
    ("order", {"catalog_id": "c", "items": [{"retailer_id": "x", "quantity": "y"}], "text": "note"}),
    ("interactive", {"kind": "nfm_reply", "name": "address_message", "data": {"values": {"city": "London"}}}),
    ("hologram", {}),
)
FORWARD = ("confirm_order:", "use_address", "saved_address", "shipping_", "accept_prices", "checkout", "variant_")
CALLS = ("check", "quote", "search", "about", "orders_of", "shipping_methods", "product", "resolve")


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_any_customer_gets_an_answer_or_a_reason(chance: Random) -> None:
    """Taps on what is shown and on what never was, words of five languages, waits, a shop that fails now and then."""
    asyncio.run(talk(chance))


async def talk(chance: Random) -> Chat:
    """One customer's afternoon."""
    async with chatting(name=chance.choice(["Sheena Nelson", None])) as chat:
        for _ in range(STEPS):
            await _step(chat, chance)
            _no_surprise(chat)
            if chat.answers[-1].placement is not None and chance.random() < 0.7:
                await chat.place()
            if chat.state == "awaiting_human" and chance.random() < 0.3:
                await chat.write("menu")
        return chat


async def _step(chat: Chat, chance: Random) -> None:
    if chance.random() < 0.05:
        chat.shop.script(chance.choice(CALLS), Unavailable())
    chat.wait(seconds=chance.choice([1, 1, 5, 30, 30, 61, 301, 1000, 2000]))
    kind = chance.random()
    if kind < 0.4:
        await _go_on(chat, chance)
    elif kind < 0.6 and chat.ids:
        await chat.tap(chance.choice(chat.ids))
    elif kind < 0.66:
        await chat.tap(chance.choice(FORMS))
    elif kind < 0.88:
        await chat.write(
            chance.choice([*PHRASES, *ADDRESSES, "yes", "1", "2", "3", "add 1 blue lamp to cart", "checkout"])
        )
    elif kind < 0.92:
        rows = [chat.message("text", text=chance.choice(PHRASES)) for _ in range(3)]
        await chat.send_all(*rows)
    else:
        type_, content = chance.choice(ELSEWHERE)
        await chat.send(type_, **content)


async def _go_on(chat: Chat, chance: Random) -> None:
    """What somebody who wants to buy does next."""
    forward = [reply for reply in chat.ids if reply.startswith(FORWARD)]
    if forward:
        await chat.tap(forward[0])
    elif chat.state == "checkout_address":
        await chat.write(chance.choice(ADDRESSES))
    elif chat.lines:
        await chat.write("checkout")
    else:
        await chat.write(chance.choice(["add 1 desk lamp to cart", "add 2 umbrellas to cart", "add a shirt to cart"]))


def _no_surprise(chat: Chat) -> None:
    """What a review shows is what a placement would charge; the cart's total is the worth of its lines."""
    placement = chat.answers[-1].placement
    if placement is not None:
        due = money_from_json(placement.context["money"]["due"])
        shown = [
            re.search(r"\*([^*]*\d[^*]*)\*\s*$", line) for answer in chat.answers[-2:-1] for line in _lines(answer)
        ]
        digits = re.sub(r"\D", "", f"{due.amount}")
        assert any(found and re.sub(r"\D", "", found[1]) == digits for found in shown)
    if chat.cart is not None:
        assert chat.cart.total == sum((item.worth for item in chat.cart.items), Decimal(0))


def _lines(answer: object) -> list[str]:
    says = answer.says  # type: ignore[attr-defined]  # narrower than mypy can see
    return [line for say in says for line in getattr(say.message, "body", "").split("\n")]

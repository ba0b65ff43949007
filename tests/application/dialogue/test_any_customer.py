"""Customers who do anything at all: every message ends with an answer or a reason, and no total is a surprise.

A machine of hypothesis plays the customer. `WCH_CONVERSATIONS=10000` lets it play so many conversations and print
how long they took; without it there are as many as the profile says.
"""

import asyncio
import os
import re
from contextlib import AsyncExitStack
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.application.dialogue.chat import BAKER_STREET, Chat, chatting
from tests.application.dialogue.test_routes import FORMS
from tests.application.test_words import CELLS
from wch.application.dialogue.scene import Answer
from wch.domain.money import money_from_json
from wch.testing.scripted_shop import Unavailable

CONVERSATIONS = int(os.environ.get("WCH_CONVERSATIONS", "0"))
STEPS = 12
PHRASES = [phrase for _, _, phrase in CELLS if not phrase.startswith("stop")]
ADDRESSES = (
    BAKER_STREET,
    "5 Main Street, Springfield, IL 62704, USA",
    "Springfield",
    "62704",
    "Sheena N",
    "Calle 5, Madrid",
)
THINGS = ("add 1 desk lamp to cart", "add 2 umbrellas to cart", "add a shirt to cart", "add 1 blue lamp to cart")
WORDS = [*PHRASES, *ADDRESSES, *THINGS, "yes", "no", "1", "2", "3", "checkout", "coupon SAVE10", "remove item 1"]
ELSEWHERE: tuple[tuple[str, dict[str, Any]], ...] = (
    ("location", {"latitude": "1.5", "longitude": "2", "address": BAKER_STREET}),
    ("image", {"media": {"id": "1"}}),
    ("sticker", {"media": {"id": "1"}}),
    ("contacts", {"contacts": []}),
    ("order", {"catalog_id": "c", "items": [{"retailer_id": "1", "quantity": 1, "price": "1.00", "currency": "USD"}]}),
    ("order", {"catalog_id": "c", "items": [{"retailer_id": "x", "quantity": "y"}], "text": "note"}),
    ("interactive", {"kind": "nfm_reply", "name": "address_message", "data": {"values": {"city": "London"}}}),
    ("reaction", {"target": "wamid.1", "emoji": "👍"}),
    ("button", {"payload": "Unsubscribe", "text": "Unsubscribe"}),
    ("request_welcome", {}),
    ("hologram", {}),
)
FORWARD = (
    "confirm_order:",
    "use_address",
    "saved_address",
    "shipping_",
    "payment_",
    "accept_prices",
    "checkout",
    "variant_",
)
CALLS = ("check", "quote", "search", "about", "orders_of", "shipping_methods", "product", "resolve")


class Customer(RuleBasedStateMachine):
    """Taps on what is shown and on what never was, words of five languages, waits, a shop that fails now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stack = AsyncExitStack()
        self.before: Answer | None = None

    def do(self, doing: Any) -> Any:
        """One thing, to its end; what was shown before it stays known."""
        self.before = self.chat.answers[-1] if self.chat.answers else None
        return self.loop.run_until_complete(doing)

    @initialize(name=st.sampled_from(["Sheena Nelson", None]), phone=st.sampled_from(["16505551234", "34600111222"]))
    def comes(self, name: str | None, phone: str) -> None:
        """Somebody new."""
        self.chat: Chat = self.loop.run_until_complete(self.stack.enter_async_context(chatting(name=name, phone=phone)))

    @rule()
    def goes_on(self) -> None:
        """What somebody who wants to buy does next."""
        chat = self.chat
        forward = [reply for reply in chat.ids if reply.startswith(FORWARD)]
        if forward:
            self.do(chat.tap(forward[0]))
        elif chat.state == "checkout_address":
            self.do(chat.write(BAKER_STREET))
        else:
            self.do(chat.write("checkout" if chat.lines else THINGS[0]))

    @rule(steps=st.integers(2, 8))
    def is_in_a_hurry(self, steps: int) -> None:
        """Straight ahead, as most people are, up to the order."""
        for _ in range(steps):
            self.goes_on()
            self.has_no_surprise()
            if self.chat.answers[-1].placement is not None:
                self.is_served()
                return

    @rule(word=st.sampled_from(WORDS))
    def writes(self, word: str) -> None:
        """Something that means something somewhere."""
        self.do(self.chat.write(word))

    @rule(text=st.text(max_size=200))
    def writes_nonsense(self, text: str) -> None:
        """Any signs at all."""
        self.do(self.chat.write(text))

    @rule(words=st.lists(st.sampled_from(WORDS), min_size=2, max_size=4))
    def writes_in_pieces(self, words: list[str]) -> None:
        """Several messages that wait together."""
        self.do(self.chat.send_all(*(self.chat.message("text", text=word) for word in words)))

    @precondition(lambda self: self.chat.ids)
    @rule(place=st.integers(0, 9))
    def taps(self, place: int) -> None:
        """Something on the latest page."""
        self.do(self.chat.tap(self.chat.ids[place % len(self.chat.ids)]))

    @rule(reply=st.sampled_from(FORMS))
    def taps_an_old_button(self, reply: str) -> None:
        """Something that may never have been shown."""
        self.do(self.chat.tap(reply))

    @rule(what=st.sampled_from(ELSEWHERE))
    def sends(self, what: tuple[str, dict[str, Any]]) -> None:
        """No text at all."""
        self.do(self.chat.send(what[0], **what[1]))

    @rule(seconds=st.sampled_from([1, 30, 61, 301, 1000, 2000, 90_000]))
    def waits(self, seconds: int) -> None:
        """Time passes."""
        self.chat.wait(seconds=seconds)

    @rule(call=st.sampled_from(CALLS))
    def finds_the_shop_away(self, call: str) -> None:
        """The next call of this kind fails."""
        self.chat.shop.script(call, Unavailable())

    @precondition(lambda self: self.chat.saga is not None and self.chat.saga.is_open)
    @rule()
    def is_served(self) -> None:
        """The order is made, for exactly what was shown."""
        event("an order")
        order = self.loop.run_until_complete(self.chat.place())
        assert self.chat.saga is not None
        assert order.total == money_from_json(self.chat.saga.context["money"]["due"])

    @invariant()
    def has_no_surprise(self) -> None:
        """What a review shows is what a placement would charge; the cart's total is the worth of its lines."""
        chat = self.chat
        placement = chat.answers[-1].placement if chat.answers else None
        if placement is not None and self.before is not chat.answers[-1]:
            digits = re.sub(r"\D", "", str(money_from_json(placement.context["money"]["due"]).amount))
            shown = _totals(self.before, digits) or _totals(chat.answers[-1], digits)
            assert shown, "what is charged was never shown"
        if chat.cart is not None:
            assert chat.cart.total == sum((item.worth for item in chat.cart.items), Decimal(0))

    def teardown(self) -> None:
        self.loop.run_until_complete(self.stack.aclose())
        self.loop.close()


def _totals(answer: Answer | None, digits: str) -> bool:
    """Whether a total of these digits stands in an answer."""
    says = () if answer is None else answer.says
    lines = [line for say in says for line in getattr(say.message, "body", "").split("\n")]
    found = [re.search(r"\*([^*]*\d[^*]*)\*\s*$", line) for line in lines]
    return any(one and re.sub(r"\D", "", one[1]) == digits for one in found)


@pytest.mark.timeout(0 if CONVERSATIONS else 300)
def test_any_customer_gets_an_answer_or_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    """No exception, no message without an answer or a reason, no total that was not shown."""
    chosen = settings(
        max_examples=CONVERSATIONS or settings().max_examples,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=not CONVERSATIONS,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    began = perf_counter()
    run_state_machine_as_test(Customer, settings=chosen)
    if CONVERSATIONS:
        with capsys.disabled():
            print(f"\n{CONVERSATIONS} conversations in {perf_counter() - began:.0f} s")  # noqa: T201 - the figure is the report

"""A customer and the dialogue, with nothing between them: every answer is applied as the hub would."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import attrs

from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.dialogue.listing import Listing
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routing import Dialogue
from wch.application.dialogue.scene import Answer, Scene
from wch.application.dialogue.turn import LARGEST_CONTEXT
from wch.domain.address import address_from_json
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, Event
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.money import money_from_json
from wch.domain.order import Order, OrderDraft
from wch.domain.outgoing import Buttons, ListMessage, Outgoing, Text
from wch.domain.phone import variants
from wch.domain.placement import PLACEMENT
from wch.domain.quote import Buyer, Line
from wch.domain.saga import Saga
from wch.testing import FrozenClock
from wch.testing.scripted_shop import Goods, ScriptedShop

SHEENA = "16505551234"
NUMBER = "106540352242922"
BAKER_STREET = "221B Baker Street, London NW1 6XE, UK"

GOODS = (
    Goods(sku="LAMP", name="Blue Lamp", price=Decimal("20.00"), stock=3, categories=("Home > Lamps",)),
    Goods(sku="DESK", name="Desk Lamp", price=Decimal("29.00"), regular_price=Decimal("35.00"), stock=12,
          categories=("Home > Lamps",)),
    Goods(sku="SHIRT", name="Shirt", categories=("Clothing",)),
    Goods(sku="SHIRT-S", parent="SHIRT", price=Decimal("18.00"), stock=4, attributes={"Size": "S"}),
    Goods(sku="SHIRT-M", parent="SHIRT", price=Decimal("18.00"), stock=4, attributes={"Size": "M"}),
    Goods(sku="SHIRT-L", parent="SHIRT", price=Decimal("18.00"), stock=0, attributes={"Size": "L"}),
    Goods(sku="UMBRELLA", name="Umbrella", price=Decimal("15.00"), stock=9, categories=("Clothing",)),
    Goods(sku="GONE", name="Sold Vase", price=Decimal("9.00"), stock=0, categories=("Home",)),
    Goods(sku="EBOOK", name="Lamp Book", price=Decimal("5.00"), categories=("Books",), needs_shipping=False),
)  # fmt: skip


@attrs.define(kw_only=True)
class Chat:
    """What the hub keeps between two messages, and what the phone shows."""

    shop: ScriptedShop
    clock: FrozenClock
    dialogue: Dialogue
    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None = None
    saga: Saga | None = None
    latest_outbound: Message | None = None
    texts: Mapping[str, str] = attrs.field(factory=dict)
    ads: Mapping[str, str] = attrs.field(factory=dict)
    recent: tuple[Message, ...] = ()
    said: list[Outgoing] = attrs.field(factory=list)
    answers: list[Answer] = attrs.field(factory=list)
    _next: int = 0

    # --- what the customer does

    async def write(self, text: str, **content: Any) -> str:
        """Type a text; what the phone shows then."""
        return await self.send("text", text=text, **content)

    async def tap(self, reply_id: str) -> str:
        """Tap a button or row by its id."""
        return await self.send("interactive", kind="button_reply", id=reply_id, title="-")

    async def press(self, beginning: str) -> str:
        """Tap the button or row of the latest page whose id begins so."""
        found = [reply for reply in self.ids if reply.startswith(beginning)]
        assert found, f"no {beginning} among {self.ids}"
        return await self.tap(found[0])

    async def pick(self, title: str) -> str:
        """Tap what is written so."""
        found = [reply for message in self.said for reply, written in taps(message) if written == title]
        assert found, f"no {title} among {self.titles}"
        return await self.tap(found[0])

    async def send(self, type_: str, /, *, sent_at: datetime | None = None, **content: Any) -> str:
        """Anything else that arrives."""
        return await self.send_all(self.message(type_, sent_at=sent_at, **content))

    def message(self, type_: str, /, *, sent_at: datetime | None = None, **content: Any) -> Message:
        """A row as ingress writes it."""
        self._next += 1
        now = self.clock.now()
        return Message(
            id=self._next,
            conversation_id=self.conversation.id,
            direction=Direction.INBOUND,
            type=type_,
            wa_message_id=f"wamid.{self._next}",
            content={"v": 1, "number": NUMBER, **content},
            status=MessageStatus.PROCESSING,
            created_at=now,
            updated_at=now,
            sent_at=sent_at or now,
        )

    async def send_all(self, *messages: Message) -> str:
        """Several messages that wait together."""
        scene = Scene(
            now=self.clock.now(),
            conversation=self.conversation,
            profile=self.profile,
            cart=self.cart,
            messages=messages,
            number=NUMBER,
            placement=self.saga,
            latest_outbound=self.latest_outbound,
            texts=self.texts,
            ads=self.ads,
            recent=self.recent,
        )
        answer = await self.dialogue.answer(scene)
        self.answers.append(answer)
        self._apply(answer)
        return self.shown

    def _apply(self, answer: Answer) -> None:
        assert set(answer.accounts) >= {1} or answer.accounts
        assert len(json.dumps(answer.conversation.context, ensure_ascii=False).encode()) <= LARGEST_CONTEXT
        for account in answer.accounts.values():
            assert answer.says or "silence" in account, "every message has an answer or a reason"
        self.conversation = answer.conversation
        self.profile = answer.profile
        if answer.cart is not None:
            self.cart = answer.cart if answer.cart.id else attrs.evolve(answer.cart, id=1)
        if answer.placement is not None:
            self.saga = Saga.begun(answer.placement.saga_id, PLACEMENT, answer.placement.context, now=self.clock.now())
        self.said = [say.message for say in answer.says]

    async def place(self) -> Order:
        """The saga does its work: the order is made, the cart begins anew."""
        saga = self.saga
        assert saga is not None
        assert self.cart is not None
        context = saga.context
        order = await self.shop.create_order(
            key=saga.saga_id,
            draft=OrderDraft(
                customer=Buyer(phones=variants(self.profile.phone), name=self.profile.name or ""),
                address=address_from_json(context["address"]),
                lines=tuple(Line(**one) for one in context["lines"]),
                coupon=context["coupon"],
                shipping=context["shipping"],
                payment_method=context["method"],
                expected_total=money_from_json(context["money"]["due"]),
            ),
        )
        now = self.clock.now()
        done = saga.started("create_order", now=now).done(
            "create_order", {"order_id": order.id, "number": order.number}, now=now
        )
        self.saga = done.completed(now=now)
        self.cart = self.cart.renewed(now=now)
        moved = self.conversation.on(Event.ORDER_PLACED, now=now)
        told = {"saga_id": saga.saga_id, "order_id": order.id}
        self.conversation = attrs.evolve(moved, context=amended(moved.context, order=told))
        return order

    def wait(self, **span: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**span))

    # --- what the phone shows

    @property
    def shown(self) -> str:
        """Everything that was said in answer to the latest message."""
        return "\n".join(_words(message) for message in self.said)

    @property
    def ids(self) -> list[str]:
        """The ids of everything that can be tapped on the latest page."""
        return [reply for message in self.said for reply, _ in taps(message)]

    @property
    def titles(self) -> list[str]:
        """What is written on them."""
        return [title for message in self.said for _, title in taps(message)]

    # --- what the hub knows

    @property
    def state(self) -> str:
        """Where the customer stands; a text, so that it may be asked again after a message."""
        return self.conversation.state.value

    @property
    def status(self) -> str:
        """Who answers."""
        return self.conversation.status.value

    @property
    def kept(self) -> Cart:
        """The cart as it is kept now."""
        assert self.cart is not None
        return self.cart

    @property
    def account(self) -> Mapping[str, Any]:
        """What is noted about the latest message."""
        accounts = self.answers[-1].accounts
        return accounts[max(accounts)]

    @property
    def lines(self) -> list[tuple[str, int]]:
        """The cart: names and quantities."""
        return [] if self.cart is None else [(item.product_name, item.quantity) for item in self.cart.items]

    async def id_of(self, name: str) -> int:
        """A product's number."""
        found = (await self.shop.shop.search(text=name, limit=30)).items
        return next(card.id for card in found if card.name == name)

    async def at_review(self, *, name: str = "Blue Lamp") -> str:
        """Walk to the review of one lamp by the shortest way."""
        await self.write(f"add 1 {name} to cart")
        await self.write("checkout")
        await self.write(BAKER_STREET)
        await self.press("use_address")
        return self.shown


def _words(message: Outgoing) -> str:
    return message.body if isinstance(message, Text | Buttons | ListMessage) else repr(message)


def taps(message: Outgoing) -> Sequence[tuple[str, str]]:
    """The ids and titles of a message's buttons or rows."""
    if isinstance(message, Buttons):
        return [(button.id, button.title) for button in message.buttons]
    if isinstance(message, ListMessage):
        return [(row.id, row.title) for section in message.sections for row in section.rows]
    return []


@asynccontextmanager
async def chatting(
    *,
    goods: Sequence[Goods] = GOODS,
    policy: Policy | None = None,
    phone: str = SHEENA,
    name: str | None = "Sheena Nelson",
    cash: CashOnDelivery | None = None,
    listing: Listing | None = None,
) -> AsyncIterator[Chat]:
    """A customer who has not written yet, in a shop of these goods."""
    clock = FrozenClock()
    shop = await ScriptedShop.selling(goods, clock=clock, currency="USD", country="US")
    now = clock.now()
    try:
        yield Chat(
            shop=shop,
            clock=clock,
            dialogue=Dialogue(
                shop=shop,
                payments=SwitchedOnPayments((cash or CashOnDelivery(),)),
                policy=policy or Policy(),
                listing=listing,
            ),
            conversation=Conversation(id=1, customer_phone=phone, created_at=now, updated_at=now),
            profile=attrs.evolve(CustomerProfile.met(phone, now=now), name=name),
        )
    finally:
        await shop.aclose()

"""Replays: what a customer wrote is put to the dialogue of today once more; nothing is stored, sent or ordered."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import attrs

from wch.application.conversations import state_after
from wch.application.dialogue.policy import Policy
from wch.application.dialogue.routing import Dialogue
from wch.application.dialogue.scene import Answer, Scene
from wch.application.dialogue.script import Kind, Line, Script
from wch.application.ports import Database, Payments, Shop, UnitOfWork, WhatsAppCodec
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, ConversationStatus, Event, State
from wch.domain.customer import CustomerProfile
from wch.domain.document import document
from wch.domain.errors import NotFoundError
from wch.domain.evolution import evolve
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.moment import EPOCH
from wch.domain.outgoing import Outgoing
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.domain.shop_error import ShopUnavailableError

MOST = 1_000
"""So many of a thread's latest messages are played again."""

WRITES = frozenset(
    {
        *("create_coupon", "remove_coupon", "reserve", "release", "create_order", "accept_order"),
        *("mark_paid", "cancel_order", "record_refund"),
    }
)
"""What a shop is not asked for in a replay."""


@attrs.frozen(kw_only=True)
class Exchange:
    """What was said together, what was answered then, and what would be answered now.

    Attributes:
        said: what the customer wrote or tapped, a line each.
        taps: whether each of them was a tap.
        then: the answers as they were stored.
        now: the answers as they would be.
        silence: why nothing would be said now, if so.
    """

    message_ids: tuple[int, ...]
    said: tuple[str, ...]
    taps: tuple[bool, ...]
    then: tuple[str, ...]
    now: tuple[str, ...]
    silence: str | None

    @property
    def differs(self) -> bool:
        """Whether the answer would be another one."""
        return self.then != self.now


@attrs.frozen(kw_only=True)
class Replays:
    """Plays threads again, each message at its own moment."""

    database: Database
    codec: WhatsAppCodec
    shop: Shop
    payments: Payments
    policy: Policy

    async def conversation(self, conversation_id: int) -> tuple[Exchange, ...]:
        """Every exchange of a thread, oldest first.

        What people did in between is taken from the record: that they had the thread, that an
        order was placed. The shop is asked what it sells today, and changes nothing.

        Raises:
            NotFoundError: there is no thread of this id.
        """
        thread, rows, met = await self.database.read(lambda uow: self._kept(uow, conversation_id))
        stage = _Stage(
            conversation=Conversation(
                id=thread.id,
                customer_phone=thread.customer_phone,
                created_at=thread.created_at,
                updated_at=thread.created_at,
            ),
            profile=met,
        )
        still = cast("Shop", _Still(self.shop))
        dialogue = Dialogue(shop=still, payments=self.payments, policy=self.policy)
        by_id = {row.id: row for row in rows}
        exchanges = []
        for together in _groups(rows):
            stage.catch_up(together[0])
            answer = await dialogue.answer(stage.scene(together, rows))
            stage.apply(answer, together[-1])
            exchanges.append(self._exchange(together, answer, by_id))
        return tuple(exchanges)

    def _kept(self, uow: UnitOfWork, conversation_id: int) -> tuple[Conversation, Sequence[Message], CustomerProfile]:
        thread = uow.conversations.get(conversation_id)
        if thread is None:
            raise NotFoundError(kind="conversation", id=conversation_id)
        rows = list(reversed(uow.messages.thread(conversation_id, limit=MOST)))
        known = uow.customers.of(thread.customer_phone)
        met = CustomerProfile.met(thread.customer_phone, now=thread.created_at)
        return thread, rows, met if known is None else evolve(met, id=known.id, name=known.name)

    def _exchange(self, together: Sequence[Message], answer: Answer, by_id: dict[int, Message]) -> Exchange:
        handled: Any = together[-1].content.get("handled") or {}
        then = [by_id[number] for number in handled.get("answers", ()) if number in by_id]
        account = answer.accounts.get(together[-1].id, {})
        return Exchange(
            message_ids=tuple(row.id for row in together),
            said=tuple(_said(row) for row in together),
            taps=tuple(row.type in {"interactive", "button"} for row in together),
            then=tuple(row.words for row in then),
            now=tuple(self._words(say.message) for say in answer.says),
            silence=account.get("silence"),
        )

    def _words(self, message: Outgoing) -> str:
        body = self.codec.encode(message)
        return evolve(_NOTHING, content=document(body=body)).words


def script_of(exchanges: Iterable[Exchange], title: str) -> Script:
    """A conversation file that holds today's answers, for a test of tomorrow."""
    lines = []
    for exchange in exchanges:
        for said, tapped in zip(exchange.said, exchange.taps, strict=True):
            lines.append(Line(kind=Kind.SAYS, text=f"[{said}!]" if tapped else said))
        for words in exchange.now:
            first = next((part for part in words.splitlines() if part.strip()), "")
            lines += [Line(kind=Kind.SHOWS, text=first)] if first else []
        if exchange.silence is not None:
            lines.append(Line(kind=Kind.KNOWS, text=f"silence {exchange.silence}"))
    return Script(title=title, lines=tuple(lines))


@attrs.define(kw_only=True)
class _Stage:
    """What the hub would know between two messages."""

    conversation: Conversation
    profile: CustomerProfile
    cart: Cart | None = None
    placement: Saga | None = None

    def scene(self, together: Sequence[Message], rows: Sequence[Message]) -> Scene:
        before = [row for row in rows if row.id < together[0].id and row.direction is Direction.OUTBOUND]
        return Scene(
            now=together[-1].created_at,
            conversation=self.conversation,
            profile=self.profile,
            cart=self.cart,
            messages=tuple(together),
            number=str(together[-1].content.get("number") or ""),
            placement=self.placement,
            latest_outbound=before[-1] if before else None,
        )

    def apply(self, answer: Answer, last: Message) -> None:
        self.conversation, self.profile = answer.conversation, answer.profile
        if answer.cart is not None:
            self.cart = answer.cart if answer.cart.id else evolve(answer.cart, id=1)
        if answer.placement is not None:
            placed = answer.placement
            self.placement = Saga.begun(placed.saga_id, PLACEMENT, placed.context, now=last.created_at)

    def catch_up(self, row: Message) -> None:
        """What happened in between without the customer: a person came or went, an order was placed or failed."""
        handled: Any = row.content.get("handled") or {}
        word, now = handled.get("from"), row.created_at
        recorded = State(word) if word in set(State) else None
        if recorded is None or recorded is self.conversation.state:
            return
        if recorded is State.AWAITING_HUMAN:
            self.conversation = self.conversation.escalated("operator", now=now)
        elif self.conversation.status is ConversationStatus.ESCALATED:
            self.conversation = self.conversation.on(Event.HANDBACK, self._back(), now=now)
        elif self.conversation.state is State.AWAITING_PAYMENT and recorded in _RESULTS:
            self.conversation = self.conversation.on(_RESULTS[recorded], now=now)
            if recorded is State.COMPLETED and self.cart is not None:
                self.cart, self.placement = self.cart.renewed(now=now), None
        elif recorded is State.IDLE:
            self.conversation = self.conversation.reopened(now=now)

    def _back(self) -> State:
        """As a person's handing back would have it."""
        return state_after(self.conversation, self.cart)


_RESULTS = {
    State.COMPLETED: Event.ORDER_PLACED,
    State.CHECKOUT_PAYMENT: Event.PAYMENT_FAILED,
    State.CART_MANAGEMENT: Event.ORDER_FAILED,
}


class _Still:
    """The shop, which answers questions and changes nothing."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def __getattr__(self, name: str) -> Any:
        return _refused if name in WRITES else getattr(self._shop, name)


async def _refused(**_given: Any) -> None:
    raise ShopUnavailableError


def _groups(rows: Iterable[Message]) -> Iterable[list[Message]]:
    """Rows that were answered together, in their order."""
    together: list[Message] = []
    for row in rows:
        if row.direction is not Direction.INBOUND or row.content.get("origin") is not None:
            continue
        together.append(row)
        handled: Any = row.content.get("handled") or {}
        if "with" not in handled:
            yield together
            together = []
    if together:
        yield together


def _said(row: Message) -> str:
    """What was written, or the id of what was tapped."""
    tapped = row.content.get("id") or row.content.get("payload")
    if row.type in {"interactive", "button"} and isinstance(tapped, str):
        return tapped
    return row.words or f"({row.type})"


_NOTHING = Message(
    direction=Direction.OUTBOUND, type="text", status=MessageStatus.PENDING, created_at=EPOCH, updated_at=EPOCH
)
"""A message that waits for its words."""

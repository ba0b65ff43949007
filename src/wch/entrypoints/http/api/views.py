"""What the API shows of each row: times in RFC 3339, money with its currency, people masked without `pii`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Generic, TypeVar

import attrs

from wch.application.conversations import Thread
from wch.application.masks import masked_name, masked_number, masked_text
from wch.domain.cart import Cart, CartItem
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.message import Direction, Message
from wch.domain.money import Money
from wch.domain.notification import Notification
from wch.domain.order import Order
from wch.domain.saga import Saga

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Page(Generic[T]):
    """One page of a list; `next_cursor` is what `after` takes for the next one, null at the end."""

    data: list[T]
    next_cursor: str | None


@attrs.frozen(kw_only=True)
class Amount:
    """Money: a decimal as text, and its currency."""

    amount: str
    currency: str

    @classmethod
    def of(cls, money: Money) -> "Amount":
        """This money."""
        return cls(amount=str(money.amount), currency=money.currency)


@attrs.frozen(kw_only=True)
class ConversationView:
    """A thread with one customer."""

    id: int
    customer: str
    status: str
    state: str
    assigned_agent_id: int | None
    unread_count: int
    message_count: int
    last_message_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Conversation, *, sees: bool) -> "ConversationView":
        """This thread."""
        return cls(
            id=one.id,
            customer=one.customer_phone if sees else masked_number(one.customer_phone),
            status=one.status.value,
            state=one.state.value,
            assigned_agent_id=one.assigned_agent_id,
            unread_count=one.unread_count,
            message_count=one.message_count,
            last_message_at=one.last_message_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class MessageView:
    """One thing said; `text` are its words, `content` its whole document, which only `pii` shows."""

    id: int
    conversation_id: int | None
    direction: str
    type: str
    status: str
    purpose: str | None
    text: str | None
    content: dict[str, Any] | None
    wa_message_id: str | None
    attempts: int
    error: str | None
    created_at: datetime
    updated_at: datetime
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None

    @classmethod
    def of(cls, one: Message, *, sees: bool) -> "MessageView":
        """This message."""
        words = words_of(one)
        return cls(
            id=one.id,
            conversation_id=one.conversation_id,
            direction=one.direction.value,
            type=one.type,
            status=one.status.value,
            purpose=one.class_.value if one.direction is Direction.OUTBOUND else None,
            text=words if sees else masked_text(words),
            content=dict(one.content) if sees else None,
            wa_message_id=one.wa_message_id if sees else None,
            attempts=one.retry_count,
            error=one.error_message,
            created_at=one.created_at,
            updated_at=one.updated_at,
            sent_at=one.sent_at,
            delivered_at=one.delivered_at,
            read_at=one.read_at,
        )


def words_of(message: Message) -> str | None:
    """The words of a message, if it has any."""
    content = message.content
    body = content.get("body")
    inner = body.get(str(body.get("type"))) if isinstance(body, Mapping) else content
    if isinstance(body, str):
        return body
    for place in (inner, content):
        if not isinstance(place, Mapping):
            continue
        for name in ("body", "text", "title", "caption", "name", "emoji"):
            word = place.get(name)
            word = word.get("text") if isinstance(word, Mapping) else word
            if isinstance(word, str):
                return word
    return None


@attrs.frozen(kw_only=True)
class ThreadView:
    """A thread with its latest messages, the oldest of them first."""

    conversation: ConversationView
    messages: list[MessageView]

    @classmethod
    def of(cls, one: Thread, *, sees: bool) -> "ThreadView":
        """This thread."""
        return cls(
            conversation=ConversationView.of(one.conversation, sees=sees),
            messages=[MessageView.of(message, sees=sees) for message in one.messages],
        )


@attrs.frozen(kw_only=True)
class CartLineView:
    """One line of a cart."""

    product_id: int
    variation_id: int | None
    name: str
    attributes: dict[str, str]
    quantity: int
    price: Amount
    added_at: datetime

    @classmethod
    def of(cls, one: CartItem) -> "CartLineView":
        """This line."""
        return cls(
            product_id=one.product_id,
            variation_id=one.variation_id,
            name=one.product_name,
            attributes=dict(one.variant_attributes),
            quantity=one.quantity,
            price=Amount(amount=str(one.price_at_add), currency=one.currency),
            added_at=one.added_at,
        )


@attrs.frozen(kw_only=True)
class CartView:
    """A customer's cart; its version is the `ETag` of the answer."""

    id: int
    customer: str
    status: str
    items: list[CartLineView]
    total: Amount | None
    coupon_code: str | None
    reminders_sent_at: list[datetime]
    abandoned_at: datetime | None
    recovered_order_id: int | None
    recovered_at: datetime | None
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Cart, *, sees: bool) -> "CartView":
        """This cart."""
        slots = (one.reminder_1_sent_at, one.reminder_2_sent_at, one.reminder_3_sent_at)
        return cls(
            id=one.id,
            customer=one.customer_phone if sees else masked_number(one.customer_phone),
            status=one.status.value,
            items=[CartLineView.of(item) for item in one.items],
            total=None if one.currency is None else Amount(amount=str(one.total), currency=one.currency),
            coupon_code=one.coupon_code,
            reminders_sent_at=[at for at in slots if at is not None],
            abandoned_at=one.abandoned_at,
            recovered_order_id=one.recovered_order_id,
            recovered_at=one.recovered_at,
            expires_at=one.expires_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class CustomerView:
    """A customer; `key` is the number, or what stands for a number that WhatsApp does not tell.

    `shop_candidates` are the shop's customers with this number while nobody has said which one it is.
    """

    id: int
    key: str
    name: str | None
    tags: list[str]
    total_orders: int
    total_spent: Amount
    marketing: str
    notices: bool
    shop_customer: int | None
    shop_candidates: list[int]
    last_interaction_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: CustomerProfile, *, sees: bool, currency: str) -> "CustomerView":
        """This customer."""
        return cls(
            id=one.id,
            key=one.phone if sees else masked_number(one.phone),
            name=one.name if sees else masked_name(one.name),
            tags=list(one.tags),
            total_orders=one.total_orders,
            total_spent=Amount(amount=str(one.total_spent), currency=currency),
            marketing="in" if one.opt_in_marketing else ("out" if one.is_out else "undecided"),
            notices=not one.notification_opt_out,
            shop_customer=one.wc_customer_id,
            shop_candidates=list(one.shop_candidates),
            last_interaction_at=one.last_interaction_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class PlacementView:
    """How an order was placed, or why it was not; `id` names its saga."""

    id: str
    state: str
    outcome: str | None
    reason: str | None
    order_id: int | None
    total: Amount | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Saga) -> "PlacementView":
        """This placement."""
        made: Mapping[str, Any] = one.results.get("create_order") or {}
        total: Any = made.get("total") or one.context.get("quote", {}).get("total")
        return cls(
            id=one.saga_id,
            state=one.state.value,
            outcome=one.outcome,
            reason=word_of(one.context.get("reason") or one.context.get("failure")),
            order_id=made.get("order_id"),
            total=Amount(amount=str(total["amount"]), currency=str(total["currency"])) if total else None,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


def word_of(value: object) -> str | None:
    """A text of a document that may hold anything."""
    return value if isinstance(value, str) else None


@attrs.frozen(kw_only=True)
class OrderLineView:
    """One line of an order."""

    name: str
    quantity: int
    price: Amount


@attrs.frozen(kw_only=True)
class ParcelView:
    """A parcel of an order."""

    carrier: str
    number: str
    url: str | None


@attrs.frozen(kw_only=True)
class NotificationView:
    """What a customer was told about an order, or shall be."""

    id: int
    order_id: int
    type: str
    customer: str
    status: str
    attempts: int
    error: str | None
    sent_at: datetime | None
    delivered_at: datetime | None
    read_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Notification, *, sees: bool) -> "NotificationView":
        """This notice."""
        return cls(
            id=one.id,
            order_id=one.order_id,
            type=one.notification_type,
            customer=one.customer_phone if sees else masked_number(one.customer_phone),
            status=one.status.value,
            attempts=one.retry_count,
            error=one.error_message,
            sent_at=one.sent_at,
            delivered_at=one.delivered_at,
            read_at=one.read_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )


@attrs.frozen(kw_only=True)
class OrderView:
    """An order as the shop has it, and what its customer was told."""

    id: int
    number: str
    status: str
    customer: str
    total: Amount
    shipping: Amount
    refunded: Amount
    lines: list[OrderLineView]
    parcels: list[ParcelView]
    notifications: list[NotificationView]
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, one: Order, notices: "list[Notification]", *, sees: bool) -> "OrderView":
        """This order."""
        return cls(
            id=one.id,
            number=one.number,
            status=one.status.value,
            customer=one.phone if sees else masked_number(one.phone),
            total=Amount.of(one.total),
            shipping=Amount.of(one.shipping),
            refunded=Amount.of(one.refunded),
            lines=[
                OrderLineView(name=line.name, quantity=line.quantity, price=Amount.of(line.price)) for line in one.lines
            ],
            parcels=[ParcelView(carrier=each.carrier, number=each.number, url=each.url) for each in one.tracking],
            notifications=[NotificationView.of(notice, sees=sees) for notice in notices],
            paid_at=one.paid_at,
            created_at=one.created_at,
            updated_at=one.updated_at,
        )

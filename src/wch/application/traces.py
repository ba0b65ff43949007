"""Traces: everything that the hub holds of one customer, in one look."""

from collections.abc import Iterator, Mapping, Sequence

import attrs

from wch.application.ports import Database, UnitOfWork
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.message import Message
from wch.domain.notification import Notification
from wch.domain.phone import variants
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga

MESSAGES = 40
PLACEMENTS = 10


@attrs.frozen(kw_only=True)
class Trace:
    """One customer's rows.

    Attributes:
        messages: of the latest conversation, the newest last.
        placements: the orders of this customer's carts, the newest last.
        notices: what was told about those orders.
    """

    profile: CustomerProfile
    conversation: Conversation | None
    messages: Sequence[Message]
    cart: Cart | None
    placements: Sequence[Saga]
    notices: Sequence[Notification]


@attrs.frozen(kw_only=True)
class Traces:
    """Follows a customer through the tables."""

    database: Database

    async def of(self, number: str) -> Trace | None:
        """The rows of the customer with this number or key, from one snapshot; None when nobody is known by it."""
        keys = (number,) if not number.isdigit() else variants(number)

        def work(uow: UnitOfWork) -> Trace | None:
            profile = next((found for key in keys if (found := uow.customers.of(key)) is not None), None)
            return None if profile is None else _traced(uow, profile)

        return await self.database.read(work)


def _traced(uow: UnitOfWork, profile: CustomerProfile) -> Trace:
    conversation = uow.conversations.latest_of(profile.phone)
    cart = uow.carts.of(profile.phone)
    placements = () if cart is None else tuple(_placements(uow, cart))[-PLACEMENTS:]
    orders = dict.fromkeys(_order_of(saga) for saga in placements)
    return Trace(
        profile=profile,
        conversation=conversation,
        messages=() if conversation is None else tuple(reversed(uow.messages.thread(conversation.id, limit=MESSAGES))),
        cart=cart,
        placements=placements,
        notices=tuple(notice for order in orders if order is not None for notice in uow.notifications.of_order(order)),
    )


def _placements(uow: UnitOfWork, cart: Cart) -> Iterator[Saga]:
    """A customer has one cart row for life, and each order's saga begins with that row's id."""
    prefix = f"order-{cart.id}-"
    after = prefix
    while page := uow.sagas.listed(saga_type=PLACEMENT, after=after, limit=50):
        for saga in page:
            if not saga.saga_id.startswith(prefix):
                return
            yield saga
        after = page[-1].saga_id


def _order_of(saga: Saga) -> int | None:
    created = saga.results.get("create_order")
    order = created.get("order_id") if isinstance(created, Mapping) else None
    return order if isinstance(order, int) else None

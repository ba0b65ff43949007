"""One customer is followed through the tables, and through no other customer's."""

import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.ports import UnitOfWork
from wch.application.traces import PLACEMENTS, Traces
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.notification import Notification
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.testing import NOON

ANNA, BORIS = "16505551234", "4915112345678"


@pytest.fixture
async def database() -> MemoryDatabase:
    """Two customers who have each written and ordered."""
    made = MemoryDatabase()
    for phone, order in ((ANNA, 41), (BORIS, 42)):
        await made.transact(lambda uow, phone=phone, order=order: _bought(uow, phone, order))  # type: ignore[misc]  # bound early
    return made


def _bought(uow: UnitOfWork, phone: str, order: int) -> None:
    uow.customers.lock(phone, now=NOON)
    talk = uow.conversations.add(Conversation(customer_phone=phone, created_at=NOON, updated_at=NOON))
    for word in ("first", "second"):
        uow.messages.add(
            Message(
                conversation_id=talk.id,
                direction=Direction.INBOUND,
                type="text",
                wa_message_id=f"wamid.{phone}.{word}",
                content={"text": word},
                status=MessageStatus.PROCESSED,
                created_at=NOON,
                updated_at=NOON,
            )
        )
    cart = uow.carts.add(Cart.opened(phone, now=NOON))
    saga = Saga.begun(cart.saga_id, PLACEMENT, {}, now=NOON)
    uow.sagas.add(saga.done("create_order", {"order_id": order}, now=NOON))
    uow.notifications.add(
        Notification(
            order_id=order, notification_type="confirmed", customer_phone=phone, created_at=NOON, updated_at=NOON
        )
    )


async def test_all_of_one_customer_and_nothing_of_another(database: MemoryDatabase) -> None:
    """Rows of each table, from one snapshot."""
    trace = await Traces(database=database).of(ANNA)

    assert trace is not None
    assert trace.profile.phone == ANNA
    assert [message.content["text"] for message in trace.messages] == ["first", "second"]
    assert trace.cart is not None
    assert trace.cart.customer_phone == ANNA
    assert [saga.saga_id for saga in trace.placements] == [trace.cart.saga_id]
    assert [notice.order_id for notice in trace.notices] == [41]


async def test_the_latest_placements_are_told(database: MemoryDatabase) -> None:
    """A faithful customer's newest orders, the last one at the end, however many there were."""

    def many(uow: UnitOfWork) -> str:
        cart = uow.carts.of(ANNA)
        assert cart is not None
        for number in range(60):
            uow.sagas.add(Saga.begun(f"order-{cart.id}-{2_000_000_000 + number}", PLACEMENT, {}, now=NOON))
        return f"order-{cart.id}-2000000059"

    newest = await database.transact(many)
    trace = await Traces(database=database).of(ANNA)

    assert trace is not None
    assert len(trace.placements) == PLACEMENTS
    assert trace.placements[-1].saga_id == newest


async def test_who_never_wrote_has_no_trace(database: MemoryDatabase) -> None:
    """A number that no row knows."""
    assert await Traces(database=database).of("34600000000") is None


async def test_who_has_only_a_profile_has_a_trace(database: MemoryDatabase) -> None:
    """Known, but nothing said and nothing chosen."""
    await database.transact(lambda uow: uow.customers.lock("34600111222", now=NOON))

    trace = await Traces(database=database).of("34600111222")

    assert trace is not None
    assert (trace.conversation, trace.cart, tuple(trace.messages)) == (None, None, ())

"""A thread is played again with the dialogue of today, and nothing but the answer comes of it."""

from typing import cast

import attrs
import pytest

from tests.application.rooms import ANNA, delivery, said
from wch import Settings, open_hub
from wch.adapters.whatsapp.signature import sign
from wch.application.dialogue.script import read_script, write_script
from wch.application.hub import Hub
from wch.application.ports import Shop, UnitOfWork
from wch.application.replays import _groups, _Stage, _Still, script_of
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation, State
from wch.domain.customer import CustomerProfile
from wch.domain.document import amended
from wch.domain.errors import NotFoundError
from wch.domain.message import Direction, Message, MessageStatus
from wch.domain.shop_error import ShopUnavailableError
from wch.testing import NOON, FrozenClock, RecordingWhatsApp, SequentialIds


async def hear(hub: Hub, clock: FrozenClock, text: str = "", tap: str | None = None) -> None:
    """A message, or a tap, is received, answered and sent."""
    message = said(text, at=int(clock.now().timestamp()))
    if tap is not None:
        reply = {"type": "button_reply", "button_reply": {"id": tap, "title": "-"}}
        message = {**message, "type": "interactive", "interactive": reply}
    body = delivery({"messages": [message]})
    await hub.inbox.receive_raw(body, signature=sign(body, "s"))
    await hub.worker.drain()
    clock.advance(10)


async def test_a_sale_is_played_again_word_by_word() -> None:
    """With what people did in between; a changed answer is told; a file for tests comes of it."""
    clock = FrozenClock()
    settings = Settings(database_url="memory://", app_secret="s", secret_key="k" * 32)
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=RecordingWhatsApp()) as hub:
        for text in (
            "hi",
            "add 1 blue lamp to cart",
            "checkout",
            "Anna Smith\n1 Main Street, Springfield, IL 62701, US",
        ):
            await hear(hub, clock, text)
        await hear(hub, clock, tap="use_address")
        await hear(hub, clock, "human")
        thread = await hub.database.read(lambda uow: uow.conversations.latest_of(ANNA))
        assert thread is not None
        await hub.conversations.handback(thread.id, by="ann")
        await hear(hub, clock, "menu")
        rows = await hub.database.read(lambda uow: uow.messages.thread(thread.id, limit=100))

        exchanges = await hub.replays.conversation(thread.id)

        assert [one.said for one in exchanges if one.differs] == []
        assert [one.said[0] for one in exchanges][-3:] == ["use_address", "human", "menu"]
        assert await hub.database.read(lambda uow: uow.messages.thread(thread.id, limit=100)) == rows
        script = script_of(exchanges, "A sale")
        assert read_script(write_script(script)).lines[0].text == "hi"

        answer = next(row for row in rows if row.direction is Direction.OUTBOUND)
        await hub.database.transact(lambda uow: _reworded(uow, answer.id))
        assert sum(one.differs for one in await hub.replays.conversation(thread.id)) == 1
        with pytest.raises(NotFoundError):
            await hub.replays.conversation(999)


def _reworded(uow: UnitOfWork, message_id: int) -> None:
    row = uow.messages.get(message_id, lock=True)
    assert row is not None
    body = {"type": "text", "text": {"body": "something else"}}
    uow.messages.save(attrs.evolve(row, content=amended(row.content, body=body)))


async def test_what_people_and_orders_did_in_between_is_taken_from_the_record() -> None:
    """A person came and went, an order was placed, the thread was closed and opened again: each at its own place."""
    clock, whatsapp = FrozenClock(), RecordingWhatsApp()
    settings = Settings(database_url="memory://", app_secret="s", secret_key="k" * 32)
    async with open_hub(settings, clock=clock, ids=SequentialIds(), whatsapp=whatsapp) as hub:
        await hear(hub, clock, "hi")
        thread = await hub.database.read(lambda uow: uow.conversations.latest_of(ANNA))
        assert thread is not None
        await hub.conversations.assign(thread.id, 7, by="ann")
        await hear(hub, clock, "is anybody there?")
        await hub.conversations.handback(thread.id, by="ann")
        for text in ("add 1 blue lamp to cart", "checkout", "Anna Smith\n1 Main Street, Springfield, IL 62701, US"):
            await hear(hub, clock, text)
        await hear(hub, clock, tap="use_address")
        for beginning in ("shipping_", "payment_", "confirm_order:"):
            found = [one for one in offered(whatsapp) if one.startswith(beginning)]
            if found:
                await hear(hub, clock, tap=found[0])
        clock.advance(60)
        await hub.worker.drain()
        await hear(hub, clock, "menu")
        await hub.conversations.resolve(thread.id, by="ann")
        clock.advance(3600)
        await hear(hub, clock, "hello")
        saga = (await hub.database.read(lambda uow: uow.sagas.listed()))[0]
        assert saga.state == "completed"

        exchanges = await hub.replays.conversation(thread.id)

        assert [one.silence for one in exchanges].count("with_person") == 1
        assert exchanges[1].silence == "with_person"
        assert not exchanges[-1].differs
        lines = write_script(script_of(exchanges, "A sale")).splitlines()
        assert "= silence with_person" in lines
        assert len(await hub.database.read(lambda uow: uow.sagas.listed())) == 1


def offered(whatsapp: RecordingWhatsApp) -> list[str]:
    """What can be tapped on the latest message."""
    action = whatsapp.sent[-1].message.get("interactive", {}).get("action", {})
    rows = [row for section in action.get("sections", ()) for row in section["rows"]]
    return [one["id"] for one in (*(button["reply"] for button in action.get("buttons", ())), *rows)]


async def test_a_replay_changes_nothing_in_the_shop() -> None:
    """Cancelling again would cancel: the shop says that it is away, and nothing is written."""
    still = _Still(cast("Shop", object()))
    with pytest.raises(ShopUnavailableError):
        await still.cancel_order(order_id=1)


def test_rows_that_wait_still_are_played_too() -> None:
    """What nobody answered yet, or what was answered together with a later one."""

    def row(number: int, **content: object) -> Message:
        return Message(
            id=number,
            direction=Direction.INBOUND,
            type="text",
            content={"v": 1, **content},
            status=MessageStatus.RECEIVED,
            created_at=NOON,
            updated_at=NOON,
        )

    rows = [
        row(1, handled={"with": 2}),
        row(2, handled={}),
        row(3, handled={"with": 4}),
        row(4, origin={"by": "history"}),
    ]

    assert [[one.id for one in group] for group in _groups(rows)] == [[1, 2], [3]]


@pytest.mark.parametrize(
    ("before", "recorded", "after"),
    [
        (State.AWAITING_PAYMENT, "cart_management", State.CART_MANAGEMENT),
        (State.AWAITING_PAYMENT, "checkout_payment", State.CHECKOUT_PAYMENT),
        (State.AWAITING_PAYMENT, "completed", State.COMPLETED),
        (State.BROWSING, "idle", State.IDLE),
        (State.BROWSING, "nonsense", State.BROWSING),
        (State.BROWSING, "checkout_review", State.BROWSING),
    ],
)
def test_each_result_of_an_order_has_its_place(before: State, recorded: str, after: State) -> None:
    """A state that nothing leads to by itself is left to the dialogue."""
    thread = Conversation(id=1, customer_phone=ANNA, state=before, created_at=NOON, updated_at=NOON)
    scene = _Stage(conversation=thread, profile=CustomerProfile.met(ANNA, now=NOON), cart=Cart.opened(ANNA, now=NOON))
    row = Message(
        id=1,
        direction=Direction.INBOUND,
        type="text",
        content={"v": 1, "handled": {"from": recorded}},
        status=MessageStatus.PROCESSED,
        created_at=NOON,
        updated_at=NOON,
    )

    scene.catch_up(row)

    assert scene.conversation.state is after

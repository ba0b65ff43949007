"""A thread is played again with the dialogue of today, and nothing but the answer comes of it."""

import attrs
import pytest

from tests.application.rooms import ANNA, delivery, said
from wch import Settings, open_hub
from wch.adapters.whatsapp.signature import sign
from wch.application.dialogue.script import read_script, write_script
from wch.application.hub import Hub
from wch.application.ports import UnitOfWork
from wch.application.replays import script_of
from wch.domain.document import amended
from wch.domain.errors import NotFoundError
from wch.domain.message import Direction
from wch.testing import FrozenClock, RecordingWhatsApp, SequentialIds


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

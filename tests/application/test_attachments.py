"""Files of customers are fetched when somebody wants to see them; files to customers are uploaded once."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.application.rooms import ANNA, Rooms, rooms, said
from wch.adapters.memory import MemoryMediaStore
from wch.application.attachments import Attachments
from wch.application.conversations import WindowClosedError
from wch.domain.attachment import Attachment, AttachmentError
from wch.domain.errors import NotFoundError
from wch.domain.outgoing import MessageLimitError
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import SequentialIds

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 20


class Files:
    """WhatsApp's files, as they are told to be."""

    def __init__(self) -> None:
        self.fetched: list[tuple[str, str | None, int]] = []
        self.uploaded: list[tuple[str, str, str]] = []
        self.fault: str | None = None

    async def fetch(self, media_id: str, *, sha256: str | None = None, most: int = 0) -> Attachment:
        self.fetched.append((media_id, sha256, most))
        if self.fault is not None:
            raise AttachmentError(code=self.fault)
        return Attachment(data=PNG, mime_type="image/png")

    async def upload(self, number: str, data: bytes, *, mime_type: str, filename: str) -> str:
        assert data == PNG
        self.uploaded.append((number, mime_type, filename))
        return f"up{len(self.uploaded)}"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def attachments(hub: Rooms, files: Files, *, most: int = 1000) -> Attachments:
    return Attachments(
        database=hub.database,
        clock=hub.clock,
        ids=SequentialIds(),
        files=files,
        store=MemoryMediaStore(most),
        conversations=hub.conversations,
    )


async def picture(hub: Rooms) -> int:
    image = {"id": "m1", "mime_type": "image/png", "sha256": hashlib.sha256(PNG).hexdigest()}
    await hub.post({"messages": [{**said(""), "type": "image", "image": image}]})
    return (await hub.rows())[-1].id


async def test_a_picture_is_fetched_once(hub: Rooms) -> None:
    """With the digest of the webhook and the size of its kind; then it comes from the store."""
    files = Files()
    room = attachments(hub, files)
    row = await picture(hub)

    first, second = await room.open(row), await room.open(row)

    assert first.data == second.data == PNG
    assert files.fetched == [("m1", hashlib.sha256(PNG).hexdigest(), 5 * 1024 * 1024)]
    assert (await hub.rows())[-1].content["media"]["kept_type"] == "image/png"


async def test_what_made_room_is_fetched_again(hub: Rooms) -> None:
    """The store keeps the latest only."""
    files = Files()
    room = attachments(hub, files, most=1)
    row = await picture(hub)

    for _ in range(2):
        await room.open(row)

    assert len(files.fetched) == 2
    assert not await room.store.remove("nothing")


async def test_a_failure_is_noted_and_not_repeated_by_itself(hub: Rooms) -> None:
    """The word stands on the row; when it works later, it goes."""
    files = Files()
    room = attachments(hub, files)
    row = await picture(hub)
    files.fault = "gone"
    with pytest.raises(AttachmentError):
        await room.open(row)
    assert (await hub.rows())[-1].content["media"]["fault"] == "gone"

    files.fault = None
    await room.open(row)
    assert "fault" not in (await hub.rows())[-1].content["media"]


async def test_a_message_without_a_file_has_none(hub: Rooms) -> None:
    """Nor has one that is not there."""
    await hub.hear("hi")
    for number in ((await hub.rows())[-1].id, 999):
        with pytest.raises(NotFoundError):
            await attachments(hub, Files()).open(number)


async def test_a_file_is_uploaded_once_in_25_days(hub: Rooms) -> None:
    """Sent as what its bytes are, by the id of the upload; the thread is the person's then."""
    files = Files()
    room = attachments(hub, files)
    await hub.hear("hi")
    thread = await hub.thread()
    given: dict[str, Any] = {"filename": "x.exe", "agent": 7, "by": "ann"}

    await room.send(thread.id, PNG, caption="look", **given)
    row = await room.send(thread.id, PNG, caption="look", **given)
    await hub.outbox.work()

    assert len(files.uploaded) == 1
    assert hub.whatsapp.sent[-1].message["image"] == {"id": "up1", "caption": "look"}
    assert row.conversation_id == thread.id
    assert (await hub.thread()).assigned_agent_id == 7

    hub.clock.advance(timedelta(days=26))
    await hub.hear("still there?")
    await room.send(thread.id, PNG, **given)
    assert len(files.uploaded) == 2


async def test_an_upload_that_whatsapp_cannot_use_is_forgotten(hub: Rooms) -> None:
    """131053: sent again, the file is uploaded anew; other uploads stay."""
    files = Files()
    room = attachments(hub, files)
    await hub.hear("hi")
    thread = await hub.thread()
    given: dict[str, Any] = {"filename": "x.png", "agent": 7, "by": "ann"}
    await room.send(thread.id, PNG, **given)
    hub.whatsapp.outcomes = [Refused(error=GraphError(code=131053), failure=classify(131053))]
    await hub.outbox.work()

    await room.send(thread.id, PNG, **given)

    assert len(files.uploaded) == 2


async def test_what_cannot_be_sent_is_not_uploaded(hub: Rooms) -> None:
    """Empty, or to a thread that is not there; a closed window is said so."""
    files = Files()
    room = attachments(hub, files)
    await hub.hear("hi", sender=ANNA)
    thread = await hub.thread()
    given: dict[str, Any] = {"filename": "x.png", "agent": 7, "by": "ann"}

    with pytest.raises(MessageLimitError):
        await room.send(thread.id, b"", **given)
    with pytest.raises(NotFoundError):
        await room.send(999, PNG, **given)
    assert files.uploaded == []
    hub.clock.advance(timedelta(days=2))
    with pytest.raises(WindowClosedError):
        await room.send(thread.id, PNG, **given)

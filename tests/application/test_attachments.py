"""Files of customers are fetched when somebody wants to see them; files to customers are uploaded once."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest

from tests.application.rooms import ANNA, PNG, Rooms, rooms, said, status
from wch.adapters.memory import MemoryMediaStore
from wch.application.attachments import Attachments
from wch.application.conversations import WindowClosedError
from wch.application.prefetching import Prefetching
from wch.domain.attachment import AttachmentError
from wch.domain.errors import NotFoundError
from wch.domain.message import MessageStatus
from wch.domain.outgoing import MessageLimitError
from wch.domain.send_failure import GraphError, classify
from wch.domain.send_result import Refused
from wch.testing import SequentialIds


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def attachments(hub: Rooms, *, most: int | None = None) -> Attachments:
    store = hub.media_store if most is None else MemoryMediaStore(most)
    return Attachments(
        database=hub.database,
        ids=SequentialIds(),
        files=hub.files,
        store=store,
        sent_files=hub.sent_files,
        conversations=hub.conversations,
    )


async def picture(hub: Rooms) -> int:
    image = {"id": "m1", "mime_type": "image/png", "sha256": hashlib.sha256(PNG).hexdigest()}
    await hub.post({"messages": [{**said(""), "type": "image", "image": image}]})
    return (await hub.rows())[-1].id


async def test_a_picture_is_fetched_once(hub: Rooms) -> None:
    """With the digest of the webhook and the size of its kind; then it comes from the store."""
    files, room = hub.files, attachments(hub)
    row = await picture(hub)

    first, second = await room.open(row), await room.open(row)

    assert first.data == second.data == PNG
    assert files.fetched == [("m1", hashlib.sha256(PNG).hexdigest(), 5 * 1024 * 1024)]
    assert (await hub.rows())[-1].content["media"]["kept_type"] == "image/png"


async def test_what_made_room_is_fetched_again(hub: Rooms) -> None:
    """The store keeps the latest only."""
    files, room = hub.files, attachments(hub, most=1)
    row = await picture(hub)

    for _ in range(2):
        await room.open(row)

    assert len(files.fetched) == 2
    assert await room.store.forget(["nothing"]) == 0


async def test_a_failure_is_noted_and_not_repeated_by_itself(hub: Rooms) -> None:
    """The word stands on the row; when it works later, it goes."""
    files, room = hub.files, attachments(hub)
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
            await attachments(hub).open(number)


async def test_a_file_is_uploaded_once_in_25_days(hub: Rooms) -> None:
    """Sent as what its bytes are, by the id of the upload; the thread is the person's then."""
    files, room = hub.files, attachments(hub)
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


def refused(code: int) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code))


async def sent_picture(hub: Rooms, *results: Any) -> None:
    """A person sends a picture, and WhatsApp answers so; every call is made that may be."""
    await hub.hear("hi")
    thread = await hub.thread()
    await attachments(hub).send(thread.id, PNG, filename="x.png", agent=7, by="ann")
    hub.whatsapp.outcomes = list(results)
    for _ in range(4):
        await hub.outbox.work()
        hub.clock.advance(timedelta(minutes=2))


async def test_an_upload_that_whatsapp_cannot_use_is_made_once_more(hub: Rooms) -> None:
    """131053: the same picture leaves in a new row under a new id, which is used from then on."""
    await sent_picture(hub, refused(131053))

    assert len(hub.files.uploaded) == 2
    assert hub.whatsapp.sent[-1].message["image"]["id"] == "up2"
    first, second = (await hub.rows())[-2:]
    assert (first.status, second.status) == (MessageStatus.FAILED, MessageStatus.SENT)
    assert (second.content["retry_of"], second.content["body"]["image"]["id"]) == (first.id, "up2")

    await attachments(hub).send((await hub.thread()).id, PNG, filename="x.png", agent=7, by="ann")
    assert len(hub.files.uploaded) == 2


async def test_an_upload_is_made_once_more_and_not_twice(hub: Rooms) -> None:
    """A file that WhatsApp cannot use is not sent to it for ever."""
    await sent_picture(hub, refused(131053), refused(131053))

    assert len(hub.files.uploaded) == 2
    assert [row.status for row in (await hub.rows())[-2:]] == [MessageStatus.FAILED] * 2


async def test_a_failed_status_uploads_again_too(hub: Rooms) -> None:
    """The same failure comes at once or later."""
    await sent_picture(hub)
    row = (await hub.rows())[-1]

    await hub.post({"statuses": [status(str(row.wa_message_id), "failed", errors=[{"code": 131053, "title": "T"}])]})
    await hub.outbox.work()

    assert hub.whatsapp.sent[-1].message["image"]["id"] == "up2"


@pytest.mark.parametrize(
    ("fault", "state", "uploads"),
    [("refused", MessageStatus.FAILED, 1), ("unavailable", MessageStatus.PENDING, 1), (None, MessageStatus.FAILED, 1)],
)
async def test_an_upload_that_cannot_be_made_again(
    hub: Rooms, fault: str | None, state: MessageStatus, uploads: int
) -> None:
    """Refused, or the file made room: it has failed. No answer: it is tried again like any call that was not made."""

    async def script(number: str, message: Any) -> Any:  # noqa: ARG001 - the port's arguments
        hub.files.fault = fault
        if fault is None:
            hub.media_store.clear()
        return refused(131053)

    setattr(hub.whatsapp, "send", script)  # noqa: B010 - the method of one double
    await hub.hear("hi")
    await attachments(hub).send((await hub.thread()).id, PNG, filename="x.png", agent=7, by="ann")
    await hub.outbox.work()
    await hub.outbox.work()

    assert (await hub.rows())[-1].status is state
    assert len(hub.files.uploaded) == uploads


async def test_what_cannot_be_sent_is_not_uploaded(hub: Rooms) -> None:
    """Empty, or to a thread that is not there; a closed window is said so."""
    files, room = hub.files, attachments(hub)
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


async def test_a_store_without_room_keeps_nobody_from_a_file(hub: Rooms) -> None:
    """It is shown, noted as not kept, and fetched again when it is wanted again; what is sent is sent."""

    async def full(name: str, data: bytes) -> None:  # noqa: ARG001 - the port's arguments
        raise AttachmentError(code="unkept")

    setattr(hub.media_store, "put", full)  # noqa: B010 - the method of one double
    row = await picture(hub)

    assert (await attachments(hub).open(row)).data == PNG
    assert (await hub.rows())[-1].content["media"]["fault"] == "unkept"

    await sent_picture(hub, refused(131053))
    assert "file" not in (await hub.rows())[-1].content
    assert len(hub.files.uploaded) == 1


# --- fetching ahead


def prefetching(hub: Rooms, *, is_on: bool = True) -> Prefetching:
    return Prefetching(attachments=attachments(hub), bell=hub.bell, is_on=is_on)


async def test_files_are_fetched_ahead_once_handled(hub: Rooms) -> None:
    """Some at a time; texts have none, and what is gone is gone."""
    duty = prefetching(hub)
    rows = [await picture(hub) for _ in range(5)]
    await hub.hear("hi")
    duty.want(await hub.rows())

    assert [await duty.work(), await duty.work(), await duty.work()] == [4, 1, 0]

    assert len(hub.files.fetched) == len(rows)
    assert (await hub.rows())[0].content["media"]["kept_type"] == "image/png"


async def test_a_failure_of_fetching_ahead_stops_nothing(hub: Rooms) -> None:
    """It is noted on the row, once."""
    duty = prefetching(hub)
    hub.files.fault = "gone"
    await picture(hub)
    duty.want(await hub.rows())

    assert [await duty.work(), await duty.work()] == [1, 0]
    assert (await hub.rows())[0].content["media"]["fault"] == "gone"


async def test_nothing_is_fetched_ahead_unless_it_is_wanted(hub: Rooms) -> None:
    """As it comes from the box, files are fetched when somebody opens them."""
    duty = prefetching(hub, is_on=False)
    await picture(hub)
    duty.want(await hub.rows())

    assert await duty.work() == 0

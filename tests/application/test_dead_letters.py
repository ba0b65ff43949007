"""Dead letters are decided once, by name, and what is replayed waits again or is applied."""

import asyncio
import base64
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, NUMBER, SECRET, Rooms, delivery, parrot, rooms, said
from wch.adapters.whatsapp.signature import sign
from wch.application.dialogue.scene import Answer, Scene
from wch.application.intake import BYTES_WITH_EACH
from wch.application.ports import UnitOfWork
from wch.domain.dead_letter import DeadLetter, DeadLetterStatus, Hook, Reason
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError
from wch.domain.message import MessageStatus
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.saga import Saga
from wch.domain.sync import EntityType, SyncAction, SyncStatus
from wch.testing import NOON


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def broken(_scene: Scene) -> Answer:
    raise RuntimeError


async def dead(hub: Rooms) -> DeadLetter:
    """An inbound row that has died."""
    hub.assistant.script = broken
    await hub.hear("hi")
    for _ in range(3):
        await hub.handling.work()
        hub.clock.advance(60)
    hub.assistant.script = parrot
    return (await hub.letters())[-1]  # type: ignore[no-any-return]  # wrong on purpose, or narrower than mypy can see


async def test_a_dead_message_is_handled_after_all(hub: Rooms) -> None:
    """It waits with no attempt made; its letter says who decided; the audit log too."""
    letter = await dead(hub)

    decided = await hub.dead_letters.replay(letter.id, by="ann")

    assert (decided.status, decided.metadata["replayed_by"]) == (DeadLetterStatus.REPLAYED, "ann")
    row = (await hub.rows())[0]
    assert (row.status, row.retry_count) == (MessageStatus.RECEIVED, 0)
    await hub.handling.work()
    assert (await hub.rows())[0].status is MessageStatus.PROCESSED
    (line,) = await hub.see(lambda uow: uow.audit.listed())
    assert (line.actor, line.action, line.object) == ("ann", "dead_letter.replay", f"dead_letter:{letter.id}")
    assert await hub.is_sound()


async def test_replay_happens_once_however_many_ask(hub: Rooms) -> None:
    """Twenty at once: one does it, nineteen hear that it is decided."""
    letter = await dead(hub)

    answers = await asyncio.gather(
        *(hub.dead_letters.replay(letter.id, by="ann") for _ in range(20)), return_exceptions=True
    )

    assert sum(isinstance(one, DeadLetter) for one in answers) == 1
    assert sum(isinstance(one, ConflictError) for one in answers) == 19


async def test_replay_against_dismiss(hub: Rooms) -> None:
    """One winner; a dismissed letter keeps its reason."""
    letter = await dead(hub)

    answers = await asyncio.gather(
        hub.dead_letters.dismiss(letter.id, reason="called the customer", by="bob"),
        hub.dead_letters.replay(letter.id, by="ann"),
        return_exceptions=True,
    )

    assert sorted(type(one).__name__ for one in answers) == ["ConflictError", "DeadLetter"]
    with pytest.raises(ConflictError):
        await hub.dead_letters.dismiss(letter.id, reason="again", by="bob")


async def test_a_dry_run_changes_nothing(hub: Rooms) -> None:
    """It runs the same code and takes it back."""
    letter = await dead(hub)

    tried = await hub.dead_letters.rehearse(letter.id, by="ann")

    assert tried.letter.status is DeadLetterStatus.REPLAYED
    assert (await hub.dead_letters.show(letter.id)).status is DeadLetterStatus.PENDING
    assert (await hub.rows())[0].status is MessageStatus.DEAD


async def test_a_dry_run_names_the_rows(hub: Rooms) -> None:
    """The message that would wait again, with how it stands and how it would: nothing is read between the lines."""
    letter = await dead(hub)

    tried = await hub.dead_letters.rehearse(letter.id, by="ann")

    (change,) = tried.changes
    assert (change.table, change.before, change.after) == ("messages", "dead", "received")
    assert change.row == str((await hub.rows())[0].id)
    assert change.message is not None
    assert not change.goes


async def test_a_dry_run_of_many_counts_what_each_would_come_to() -> None:
    """One that is refused does not end it; nothing is changed."""
    before = rooms(numbers=(NUMBER,))
    for number in ("999", "999", "999", "888"):
        await before.post({"messages": [said("hello")]}, number=number)
    after = rooms(numbers=(NUMBER, "999"), database=before.database)
    letters = await after.letters()
    await after.dead_letters.dismiss(letters[1].id, reason="seen", by="ann")

    tried = await after.dead_letters.rehearse_all(letters, by="ann")

    assert set(tried.through) <= {letters[0].id, letters[2].id, letters[3].id}
    assert len(tried.through) + sum(tried.failures.values()) == 3
    assert list(tried.refused) == [letters[1].id]
    assert tried.messages == {(False, "text"): 2}
    assert tried.rows["messages", None, "received"] == 2
    assert await after.rows() == []
    assert [one.status for one in await after.letters()].count(DeadLetterStatus.PENDING) == 3


async def test_a_dry_run_of_many_counts_those_that_would_fail_again(hub: Rooms) -> None:
    """What is refused once more would become a new letter: that is no replay that goes through."""
    await hub.post({"messages": [{"id": "wamid.bad", "timestamp": "1", "type": "text"}]})
    letters = await hub.letters()

    tried = await hub.dead_letters.rehearse_all(letters, by="ann")

    assert (tried.through, tried.failures) == ([], {"refused": 1})
    assert await hub.letters() == letters


async def test_a_dry_run_of_a_delivery_names_what_would_be_new() -> None:
    """Bytes are not a row yet: whoever looks sees the message, its thread and its customer come."""
    before = rooms(numbers=(NUMBER,))
    await before.post({"messages": [said("one")]}, number="999")
    (letter,) = await before.letters()
    after = rooms(numbers=(NUMBER, "999"), database=before.database)

    tried = await after.dead_letters.rehearse(letter.id, by="ann")

    new = [one.table for one in tried.changes if one.before is None]
    assert "messages" in new
    assert "conversations" in new
    assert [one.message.words for one in tried.changes if one.message is not None] == ["one"]
    assert await after.rows() == []
    assert (await after.letters())[0].status is DeadLetterStatus.PENDING


async def test_it_fails_again_and_has_a_new_letter(hub: Rooms) -> None:
    """The row's second life ends in a letter of its own."""
    letter = await dead(hub)
    await hub.dead_letters.replay(letter.id, by="ann")
    hub.assistant.script = broken
    for _ in range(3):
        await hub.handling.work()
        hub.clock.advance(60)

    assert [one.status for one in await hub.letters()] == [DeadLetterStatus.REPLAYED, DeadLetterStatus.PENDING]
    assert await hub.is_sound()


async def test_a_foreign_number_that_is_ours_after_all() -> None:
    """The setting is mended, the letter replayed: the message is there, and nothing else is repeated."""
    before = rooms(numbers=(NUMBER,))
    await before.post({"messages": [said("one"), said("two")]}, number="999")
    first, second = await before.letters()
    after = rooms(numbers=(NUMBER, "999"), database=before.database)

    await after.dead_letters.replay(first.id, by="ann")

    assert [row.content["text"] for row in await after.rows()] == ["one"]
    await after.dead_letters.replay(second.id, by="ann")
    assert [row.content["text"] for row in await after.rows()] == ["one", "two"]
    assert await after.is_sound()


async def test_an_event_that_is_refused_again_has_a_parent(hub: Rooms) -> None:
    """Nothing is lost by trying: the new letter names the one that was replayed."""
    await hub.post({"messages": [{"id": "wamid.bad", "timestamp": "1", "type": "text"}]})
    (letter,) = await hub.letters()

    await hub.dead_letters.replay(letter.id, by="ann")

    _, again = await hub.letters()
    assert (again.status, again.reason, again.metadata["parent"]) == (
        DeadLetterStatus.PENDING,
        Reason.VALIDATION_FAILED,
        letter.id,
    )


async def test_nonsense_stays_nonsense(hub: Rooms) -> None:
    """An unreadable body that is replayed unchanged becomes a letter again."""
    await hub.inbox.receive_raw(b"[]", signature=sign(b"[]", SECRET))
    (letter,) = await hub.letters()

    await hub.dead_letters.replay(letter.id, by="ann")

    assert [(one.status, one.metadata.get("parent")) for one in await hub.letters()] == [
        (DeadLetterStatus.REPLAYED, None),
        (DeadLetterStatus.PENDING, letter.id),
    ]


async def test_a_mended_body_is_applied(hub: Rooms) -> None:
    """Other bytes in the place of those that could not be used; where they came from is remembered."""
    await hub.inbox.receive_raw(b"[]", signature=sign(b"[]", SECRET))
    (letter,) = await hub.letters()

    edited = await hub.dead_letters.edit(letter.id, delivery({"messages": [said("mended")]}), by="ann")
    await hub.dead_letters.replay(letter.id, by="ann")

    assert edited.metadata["original_sha256"] == letter.metadata["sha256"]
    assert [row.content["text"] for row in await hub.rows()] == ["mended"]
    with pytest.raises(ConflictError):
        await hub.dead_letters.edit(letter.id, b"x", by="ann")


async def test_a_row_has_no_bytes_to_mend(hub: Rooms) -> None:
    """Only letters that hold bytes can be edited."""
    letter = await dead(hub)

    with pytest.raises(ConflictError):
        await hub.dead_letters.edit(letter.id, b"x", by="ann")


async def test_a_large_delivery_is_replayed_from_its_first_letter(hub: Rooms) -> None:
    """The bytes are kept once and found by their digest."""
    bad = {"id": "wamid.bad", "timestamp": "1", "type": "text", "pad": "x" * BYTES_WITH_EACH}
    body = delivery({"messages": [bad, {**bad, "id": "wamid.worse"}]})
    await hub.inbox.receive_raw(body, signature=sign(body, SECRET))
    first, second = await hub.letters()
    assert "body" not in second.args

    await hub.dead_letters.replay(second.id, by="ann")
    assert base64.b64decode((await hub.letters())[-1].args["body"]) == body

    await hub.do(lambda uow: _bytes_lost(uow, (first.id, 3)))
    third = await hub.do(lambda uow: uow.dead_letters.add(attrs.evolve(second, id=0)))
    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(third.id, by="ann")


def _bytes_lost(uow: UnitOfWork, letters: tuple[int, ...]) -> None:
    for letter_id in letters:
        held = uow.dead_letters.get(letter_id, lock=True)
        assert held is not None
        uow.dead_letters.save(attrs.evolve(held, args={**held.args, "body": "no base64!"}))


async def test_a_replay_that_raises_again_is_kept(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The letter is decided, the event is not lost: it has a new letter with the error."""
    await hub.post({"messages": [{"id": "wamid.bad", "timestamp": "1", "type": "text"}]})
    (letter,) = await hub.letters()

    def raises(*_given: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(type(hub.inbox.intake), "apply", raises)
    await hub.dead_letters.replay(letter.id, by="ann")

    old, new = await hub.letters()
    assert (old.status, new.reason, new.error_message) == (
        DeadLetterStatus.REPLAYED,
        Reason.EXCEPTION,
        "RuntimeError",
    )
    assert new.metadata["parent"] == letter.id


async def test_a_store_that_is_away_decides_nothing(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking again is safe."""
    await hub.post({"messages": [{"id": "wamid.bad", "timestamp": "1", "type": "text"}]})
    (letter,) = await hub.letters()

    def away(*_given: Any) -> Any:
        raise StoreUnavailableError

    monkeypatch.setattr(type(hub.inbox.intake), "apply", away)
    with pytest.raises(StoreUnavailableError):
        await hub.dead_letters.replay(letter.id, by="ann")

    assert (await hub.dead_letters.show(letter.id)).status is DeadLetterStatus.PENDING


async def letter_about(hub: Rooms, hook: str, table: str, row: Any) -> DeadLetter:
    letter = DeadLetter.of_row(hook, table, row, Reason.MAX_RETRIES_EXCEEDED, error=None, attempts=6, now=NOON)
    return await hub.do(lambda uow: uow.dead_letters.add(letter))  # type: ignore[no-any-return]  # wrong on purpose, or narrower than mypy can see


async def test_a_notice_waits_again(hub: Rooms) -> None:
    """With no attempt made, to be looked at now."""
    notice = await hub.do(
        lambda uow: uow.notifications.add(
            Notification(
                order_id=1,
                notification_type="shipped",
                customer_phone=ANNA,
                status=NotificationStatus.FAILED,
                retry_count=6,
                created_at=NOON,
                updated_at=NOON,
            )
        )
    )
    letter = await letter_about(hub, Hook.NOTIFICATION, "notification_log", notice.id)

    await hub.dead_letters.replay(letter.id, by="ann")

    notice = await hub.see(lambda uow: uow.notifications.get(notice.id))
    assert (notice.status, notice.retry_count) == (NotificationStatus.PENDING, 0)
    second = await letter_about(hub, Hook.NOTIFICATION, "notification_log", notice.id)
    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(second.id, by="ann")


async def test_a_sync_task_is_armed_again(hub: Rooms) -> None:
    """It may run as if it was never tried."""

    def failed(uow: UnitOfWork) -> Any:
        task = uow.sync.enqueue(EntityType.ORDER, 7, SyncAction.UPDATE, now=NOON)
        uow.sync.save(attrs.evolve(task, status=SyncStatus.FAILED, attempts=6))
        return task

    task = await hub.do(failed)
    letter = await letter_about(hub, task.hook, "sync_queue", task.id)

    await hub.dead_letters.replay(letter.id, by="ann")

    task = await hub.see(lambda uow: uow.sync.get(task.id))
    assert (task.status, task.attempts) == (SyncStatus.PENDING, 0)
    second = await letter_about(hub, task.hook, "sync_queue", task.id)
    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(second.id, by="ann")


async def test_a_parked_saga_goes_on(hub: Rooms) -> None:
    """By its own rules; one that is not parked is left alone."""
    saga = Saga.begun("order-1-1", "OrderPlacement", {}, now=NOON).parked("why", None, ("resume",), now=NOON)
    await hub.do(lambda uow: uow.sagas.add(saga))
    letter = await letter_about(hub, Hook.SAGA, "saga_state", "order-1-1")

    await hub.dead_letters.replay(letter.id, by="ann")

    assert (await hub.see(lambda uow: uow.sagas.get("order-1-1"))).is_open
    for saga_id in ("order-1-1", "order-2-2"):
        other = await letter_about(hub, Hook.SAGA, "saga_state", saga_id)
        with pytest.raises(ConflictError):
            await hub.dead_letters.replay(other.id, by="ann")


@pytest.mark.parametrize(
    ("table", "row"), [("messages", 999), ("notification_log", 999), ("sync_queue", 999), ("x", 1)]
)
async def test_a_letter_about_nothing(hub: Rooms, table: str, row: int) -> None:
    """Work that is gone cannot wait again; the letter stays for a person to dismiss."""
    letter = await letter_about(hub, "whatever", table, row)

    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(letter.id, by="ann")
    await hub.dead_letters.dismiss(letter.id, reason="gone", by="ann")


async def test_a_message_that_lives_is_not_replayed(hub: Rooms) -> None:
    """Only what has ended waits again."""
    await hub.hear("hi")
    letter = await letter_about(hub, Hook.INBOUND, "messages", (await hub.rows())[0].id)

    with pytest.raises(ConflictError):
        await hub.dead_letters.replay(letter.id, by="ann")


async def test_an_expired_reply_that_is_replayed_may_leave(hub: Rooms) -> None:
    """Its end that has come is taken away, its doubts forgotten."""
    await hub.hear("hi")
    await hub.handling.work()
    row = (await hub.rows())[-1]

    def failed(uow: UnitOfWork) -> None:
        held = uow.messages.get(row.id, lock=True)
        assert held is not None
        content = {**held.content, "resent": 1, "held": 2}
        uow.messages.save(attrs.evolve(held, status=MessageStatus.FAILED, content=content, error_message="x"))

    await hub.do(failed)
    letter = await letter_about(hub, Hook.OUTBOUND, "messages", row.id)
    hub.clock.advance(25 * 3600)
    await hub.hear("still here")

    await hub.dead_letters.replay(letter.id, by="ann")
    await hub.outbox.work()

    sent = (await hub.rows())[1]
    assert (sent.status, sent.error_message) == (MessageStatus.SENT, None)
    assert not {"resent", "held", "expires_at"} & sent.content.keys()


async def test_listing_counting_and_purging(hub: Rooms) -> None:
    """Pending ones never go; decided ones after their time."""
    first = await dead(hub)
    await dead(hub)
    await hub.dead_letters.dismiss(first.id, reason="old", by="ann")

    assert first.id not in {one.id for one in await hub.dead_letters.listed()}
    assert len(await hub.dead_letters.listed(status=None)) == 2
    assert sum((await hub.dead_letters.stats()).values()) == 2
    assert await hub.dead_letters.purge(days=0, by="ann") == 0
    hub.clock.advance(3600)
    assert await hub.dead_letters.purge(days=0, by="ann") == 1
    assert [one.status for one in await hub.letters()] == [DeadLetterStatus.PENDING]
    assert [line.action for line in await hub.see(lambda uow: uow.audit.listed())][-1] == "dead_letter.purge"


async def test_a_letter_that_is_not_there(hub: Rooms) -> None:
    """Every act says so."""
    for act in (
        hub.dead_letters.show(9),
        hub.dead_letters.replay(9, by="ann"),
        hub.dead_letters.dismiss(9, reason="x", by="ann"),
        hub.dead_letters.edit(9, b"x", by="ann"),
    ):
        with pytest.raises(NotFoundError):
            await act

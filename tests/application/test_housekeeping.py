"""What is over is swept, and nothing that still waits."""

from datetime import timedelta

import attrs
import pytest

from tests.application.rooms import ANNA, BORIS, Rooms, rooms, status
from wch.application import silence
from wch.application.housekeeping import Every, Housekeeping
from wch.application.ports import UnitOfWork
from wch.domain.conversation import ConversationStatus, State
from wch.domain.moment import iso, unix
from wch.testing import NOON


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


def sweeper(hub: Rooms) -> Housekeeping:
    return Housekeeping(
        database=hub.database,
        clock=hub.clock,
        limits=hub.limits,
        resolve_after=timedelta(hours=24),
        person_silent_for=timedelta(hours=24),
        phone_app_silent_for=timedelta(hours=2),
        silent_percent=1,
        rest=Every(hub.clock, 30.0),
    )


async def test_a_silent_thread_is_resolved(hub: Rooms) -> None:
    """After a day without message; not one moment before."""
    await hub.hear("hi")
    await hub.handling.work()
    duty = sweeper(hub)
    hub.clock.advance(24 * 3600 - 1)
    await duty.work()
    assert (await hub.thread()).status is ConversationStatus.ACTIVE
    hub.clock.advance(60)

    assert await duty.work() == 1

    thread = await hub.thread()
    assert (thread.status, thread.state) == (ConversationStatus.RESOLVED, State.IDLE)
    assert duty.kind == "housekeeping"


async def test_a_line_that_waits_is_not_resolved(hub: Rooms) -> None:
    """An unanswered message keeps its thread open."""
    await hub.hear("hi")
    hub.clock.advance(2 * 86_400)

    await sweeper(hub).work()

    assert (await hub.thread()).status is ConversationStatus.ACTIVE


async def test_a_payment_is_waited_for_longer(hub: Rooms) -> None:
    """Seven days while money is on its way; a person's thread is never swept."""
    await hub.hear("hi")
    await hub.hear("hallo", sender=BORIS)
    await hub.handling.work()
    await hub.conversations.handoff((await hub.thread(BORIS)).id, by="ann")
    thread = await hub.thread()
    await hub.do(lambda uow: _awaiting(uow, thread.id))
    duty = sweeper(hub)
    hub.clock.advance(6 * 86_400)
    await duty.work()
    assert (await hub.thread()).status is ConversationStatus.ACTIVE
    hub.clock.advance(86_400)
    await duty.work()

    assert (await hub.thread()).status is ConversationStatus.RESOLVED
    assert (await hub.thread(BORIS)).status is ConversationStatus.ESCALATED


def _awaiting(uow: UnitOfWork, conversation_id: int) -> None:
    thread = uow.conversations.get(conversation_id, lock=True)
    assert thread is not None
    uow.conversations.save(attrs.evolve(thread, state=State.AWAITING_PAYMENT))


async def test_many_threads_are_swept_by_pages(hub: Rooms) -> None:
    """More than a page of them, in one pass."""
    for n in range(105):
        await hub.hear("hi", sender=f"49{n:09}")
    while await hub.handling.work():
        pass
    hub.clock.advance(2 * 86_400)

    assert await sweeper(hub).work() >= 105


async def test_what_is_over_goes(hub: Rooms) -> None:
    """Claims, parts of windows, placeholders after a week, heartbeats of workers that died."""
    await hub.post({"event": "x"}, field="account_update")
    await hub.limits.hit("api", "caller")
    await hub.post({"statuses": [status("wamid.foreign", "sent")]})
    await hub.do(lambda uow: uow.options.put("worker.dead", {"v": 1, "at": iso(NOON)}))
    await hub.do(lambda uow: uow.options.put("worker.odd", {"v": 1}))
    duty = sweeper(hub)
    assert await duty.work() == 1
    hub.clock.advance(9 * 86_400)
    await hub.do(lambda uow: uow.options.put("worker.alive", {"v": 1, "at": iso(hub.clock.now())}))

    assert await duty.work() == 4

    states = await hub.see(lambda uow: uow.census.states())
    assert (states["webhook_idempotency"], states["messages"]) == ({}, {})
    assert [name for name, _ in await hub.see(lambda uow: uow.options.named("worker."))] == ["worker.alive"]


async def test_a_placeholder_that_was_taken_over_meanwhile_stays(hub: Rooms) -> None:
    """Only what still is one is removed."""
    await hub.post({"statuses": [status("wamid.foreign", "sent")]})
    hub.clock.advance(8 * 86_400)
    row = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.foreign"))

    class Late:
        """A store whose list is older than its rows."""

        async def read(self, _work: object) -> object:
            return [row.id, 999]

        async def transact(self, work: object) -> object:
            def taken_over(uow: UnitOfWork) -> object:
                held = uow.messages.get(row.id, lock=True)
                assert held is not None
                uow.messages.save(attrs.evolve(held, type="text"))
                return work(uow)  # type: ignore[operator]  # wrong on purpose, or narrower than mypy can see

            return await hub.do(taken_over)

    late: object = Late()
    duty = attrs.evolve(sweeper(hub), database=late)  # type: ignore[arg-type]  # wrong on purpose, or narrower than mypy can see

    assert await duty._placeholders(hub.clock.now()) == 0  # noqa: SLF001 - between look and lock


async def test_it_rests_between_sweeps(hub: Rooms) -> None:
    """Draining ends; the next sweep comes in its time."""
    await hub.hear("hi")
    await hub.handling.work()
    hub.clock.advance(2 * 86_400)
    duty = sweeper(hub)

    assert [await duty.work() for _ in range(3)] == [1, 0, 0]


async def test_a_thread_that_moved_on_is_left_alone(hub: Rooms) -> None:
    """Between the look and the lock somebody resolved it, or wrote."""
    await hub.hear("hi")
    thread = await hub.thread()
    await hub.handling.work()
    duty = sweeper(hub)
    assert await hub.do(lambda uow: duty._one(uow, thread, hub.clock.now())) == 0  # noqa: SLF001 - it spoke just now
    await hub.conversations.resolve(thread.id, by="ann")
    assert await hub.do(lambda uow: duty._one(uow, thread, hub.clock.now())) == 0  # noqa: SLF001 - it is resolved


async def test_the_dialogue_takes_over_where_people_fell_silent(hub: Rooms) -> None:
    """24 hours after a person's last word, 2 hours after the phone app's; not one moment before."""
    echo = {"to": BORIS, "id": "e1", "timestamp": str(unix(hub.clock.now())), "type": "text", "text": {"body": "hm"}}
    for sender in (ANNA, BORIS):
        await hub.hear("hi", sender=sender)
    await hub.post({"message_echoes": [echo]}, field="smb_message_echoes")
    await hub.conversations.reply((await hub.thread(ANNA)).id, "hello", agent=7, by="ann")

    states = []
    for seconds in (2 * 3600 - 1, 1, 22 * 3600 - 1, 1):
        hub.clock.advance(seconds)
        await sweeper(hub).work()
        states.append(tuple([(await hub.thread(sender)).status.value for sender in (ANNA, BORIS)]))

    assert states[0] == ("escalated", "escalated")
    assert states[1] == states[2] == ("escalated", "active")
    assert states[3][0] == "active"


async def test_sends_that_nobody_spoke_of_are_an_alarm_once(hub: Rooms) -> None:
    """A send to an id of the wrong kind is accepted and vanishes: a day later it shows, and health says so."""
    for number in range(100):
        await hub.hear("hi", sender=f"4915{number:03}")
        await hub.handling.work()
    while await hub.outbox.work():
        hub.clock.advance(1)
    for number in range(1, 99):
        await hub.post({"statuses": [status(f"wamid.sent.{number}", "delivered")]})
    duty = sweeper(hub)
    assert await hub.see(silence.latest) == (0, 0)

    hub.clock.advance(timedelta(hours=35))
    await duty.work()
    assert await hub.see(silence.latest) == (0, 0)
    hub.clock.advance(timedelta(hours=2))
    await duty.work()
    hub.clock.advance(60)
    await duty.work()

    assert await hub.see(silence.latest) == (2, 100)
    alarms = [one for one in await hub.see(lambda uow: uow.audit.listed()) if one.action == "alarm.silent_sends"]
    assert [one.detail["silent"] for one in alarms] == [2]


async def test_one_silent_send_in_a_hundred_is_no_alarm() -> None:
    """More than that is."""
    assert not silence.is_too_much(1, 100, 1)
    assert silence.is_too_much(2, 100, 1)
    assert not silence.is_too_much(0, 0, 1)

"""What is said leaves once, in order, when everything allows it; what is in doubt is settled."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, BORIS, NUMBER, Rooms, answering, rooms, said, status
from wch.application.dialogue.scene import Answer, Scene
from wch.application.facts import LeaseLost
from wch.application.failpoints import Failpoints
from wch.application.outcomes import PAUSES
from wch.application.ports import UnitOfWork
from wch.application.settling import SETTLED_WITHIN
from wch.application.windows import WINDOW
from wch.domain.circuit_breaker import BreakerState
from wch.domain.dead_letter import Reason
from wch.domain.errors import DuplicateError, LeaseLostError, StoreUnavailableError, UndecodableError
from wch.domain.lease import TERM, Work
from wch.domain.message import Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.send_failure import FailureClass, GraphError, classify
from wch.domain.send_result import Accepted, Ambiguous, NotMade, Refused
from wch.testing import NOON

LEASE = TERM + timedelta(seconds=1)
SETTLED = SETTLED_WITHIN + timedelta(seconds=1)
"""A take stamps a second later than the row was, so that no two takes look alike."""


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def waiting(hub: Rooms, *texts: str, sender: str = ANNA, **content: Any) -> Message:
    """Replies that wait to leave; the last one."""

    async def script(scene: Scene) -> Answer:
        return answering(scene, *(texts or ("reply",)))

    hub.assistant.script = script
    await hub.hear("hi", sender=sender)
    await hub.handling.work()
    row = (await hub.rows(sender))[-1]
    return await changed(hub, row, **content) if content else row


async def changed(hub: Rooms, row: Message, **content: Any) -> Message:
    def work(uow: UnitOfWork) -> Message:
        held = uow.messages.get(row.id, lock=True)
        assert held is not None
        after = attrs.evolve(held, content={**held.content, **content})
        uow.messages.save(after)
        return after

    return await hub.do(work)  # type: ignore[no-any-return]  # wrong on purpose, or narrower than mypy can see


async def reread(hub: Rooms, row: Message) -> Message:
    found = await hub.see(lambda uow: uow.messages.get(row.id))
    assert found is not None
    return found  # type: ignore[no-any-return]  # wrong on purpose, or narrower than mypy can see


def refused(code: int | None, *, http: int | None = None, **more: Any) -> Refused:
    return Refused(error=GraphError(code=code, title="T"), failure=classify(code, http_status=http), **more)


def answer_with(hub: Rooms, send: Callable[[str, Any], Any]) -> None:
    """Let WhatsApp do this when something is sent."""
    setattr(hub.whatsapp, "send", send)  # noqa: B010 - the method of one double


async def test_a_reply_leaves_with_our_mark(hub: Rooms) -> None:
    """To the number with a plus, from the number that was written to, its mark beside it."""
    row = await waiting(hub, "hello")

    assert await hub.outbox.work() == 1

    (one,) = hub.whatsapp.sent
    assert (one.number, one.message["to"]) == (NUMBER, f"+{ANNA}")
    assert one.message["biz_opaque_callback_data"] == f"wch1.h1.{row.id}.1"
    row = await reread(hub, row)
    assert (row.status, row.wa_message_id, row.sent_at) == (MessageStatus.SENT, "wamid.sent.1", hub.clock.now())
    assert await hub.outbox.work() == 0
    assert await hub.is_sound()


async def test_who_has_no_number_is_written_to_by_id(hub: Rooms) -> None:
    """`recipient` and no `to`."""
    message = {"from_user_id": "US.13491208655302741918", "id": "wamid.b", "timestamp": "1772452800", "type": "text"}
    await hub.post({"messages": [{**message, "text": {"body": "hi"}}]})
    await hub.handling.work()
    await hub.outbox.work()

    (one,) = hub.whatsapp.sent
    assert one.message["recipient"] == "US.13491208655302741918"
    assert "to" not in one.message


async def test_one_in_flight_and_in_order(hub: Rooms) -> None:
    """Replies to one customer leave one after another, however many senders there are."""
    await waiting(hub, *(f"r{n}" for n in range(6)))

    while await hub.outbox.work():
        pass

    assert hub.whatsapp.texts == [f"r{n}" for n in range(6)]


async def test_a_reply_that_waits_holds_up_the_next(hub: Rooms) -> None:
    """What was said first arrives first, even if it must be tried again; a notice is not held up."""
    await waiting(hub, "first", "second", "note")
    await changed(hub, (await hub.rows())[-1], **{"class": "notice"})
    hub.whatsapp.outcomes = [NotMade(reason="refused")]

    for _ in range(3):
        await hub.outbox.work()
    assert hub.whatsapp.texts == ["first", "note"]
    hub.clock.advance(60)
    while await hub.outbox.work():
        pass

    assert hub.whatsapp.texts == ["first", "note", "first", "second"]


async def test_replies_leave_before_notices_and_campaigns() -> None:
    """A reply never queues behind a campaign."""
    hub = rooms(most_at_once=1)
    for n, class_ in enumerate(("campaign", "notice", "reply")):
        sender = f"4915{n}"
        row = await waiting(hub, class_, sender=sender)
        await changed(hub, row, **{"class": class_})
        await opt_in(hub, sender)

    await hub.outbox.work()

    assert hub.whatsapp.texts == ["reply", "notice", "campaign"]


async def opt_in(hub: Rooms, phone: str, **changes: Any) -> None:
    def work(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(phone, now=NOON)
        uow.customers.save(attrs.evolve(profile, opt_in_marketing=True, **changes))

    await hub.do(work)


async def test_nobody_is_sent_what_they_refused(hub: Rooms) -> None:
    """Consent is asked again when a row leaves; replies never stop."""
    rows = {}
    facts: list[tuple[str, dict[str, Any]]] = [
        ("campaign", {"marketing_opted_at": NOON}),
        ("campaign", {"notification_opt_out": True}),
        ("notice", {"notification_opt_out": True}),
        ("reply", {"notification_opt_out": True}),
        ("campaign", {"preferences": {"v": 1, "hold": {"marketing_until": iso(NOON + timedelta(hours=1))}}}),
        ("campaign", {}),
    ]
    for n, (class_, changes) in enumerate(facts):
        sender = f"4915{n}"
        row = await waiting(hub, str(n), sender=sender)
        rows[n] = await changed(hub, row, **{"class": class_})
        await opt_in(hub, sender, **changes)
    await hub.do(lambda uow: _out(uow, "49150"))

    await hub.outbox.work()

    errors = {n: (await reread(hub, row)).error_message for n, row in rows.items()}
    assert errors == {
        0: "policy:consent",
        1: "policy:optout",
        2: "policy:optout",
        3: None,
        4: "policy:hold",
        5: None,
    }


def _out(uow: UnitOfWork, phone: str) -> None:
    profile = uow.customers.lock(phone, now=NOON)
    uow.customers.save(attrs.evolve(profile, opt_in_marketing=False))


async def test_an_expired_reply_is_not_sent(hub: Rooms) -> None:
    """After a day it has nothing to say any more."""
    row = await waiting(hub)
    hub.clock.advance(24 * 3600)

    await hub.outbox.work()

    assert (await reread(hub, row)).error_message == "expired"
    assert hub.whatsapp.sent == []


async def test_a_closed_window_takes_the_template(hub: Rooms) -> None:
    """The declared one goes instead, as a row of its own; without one the reply fails."""
    with_template = await waiting(
        hub, expires_at=None, fallback={"template": "hello", "language": "en", "parameters": ["Anna"]}
    )
    without = await waiting(hub, sender=BORIS, expires_at=None)
    hub.clock.advance(WINDOW)

    for _ in range(3):
        await hub.outbox.work()

    assert hub.whatsapp.texts == ["template hello"]
    assert (await reread(hub, with_template)).error_message == "window_closed"
    assert (await reread(hub, without)).error_message == "window_closed"
    fresh = (await hub.rows())[-1]
    assert (fresh.content["window"], fresh.content["retry_of"]) == ("closed", with_template.id)
    assert await hub.is_sound()


async def test_the_window_is_of_the_number_that_was_written_to(hub: Rooms) -> None:
    """Writing to one number opens nothing for another; what WhatsApp said of it holds too."""
    row = await waiting(hub, number="999")
    await hub.outbox.work()
    assert (await reread(hub, row)).error_message == "window_closed"

    row = await waiting(hub)
    await hub.do(_window_told_closed)
    await hub.outbox.work()
    assert (await reread(hub, row)).error_message == "window_closed"


def _window_told_closed(uow: UnitOfWork) -> None:
    thread = uow.conversations.latest_of(ANNA, lock=True)
    assert thread is not None
    uow.conversations.save(attrs.evolve(thread, context={**thread.context, "window_closed_at": "2026-03-02T12:00:00Z"}))


async def test_a_reaction_opens_no_window(hub: Rooms) -> None:
    """Reply 24 h 1 min after the last message, a reaction in between: not sent."""
    row = await waiting(hub, expires_at=None)
    hub.clock.advance(23 * 3600)
    reaction = {"message_id": "wamid.x", "emoji": "👍"}
    await hub.post({"messages": [{**said("", at=1772535600), "type": "reaction", "reaction": reaction}]})
    hub.clock.advance(3660)

    await hub.outbox.work()

    assert (await reread(hub, row)).error_message == "window_closed"


@pytest.mark.parametrize(
    ("result", "back"),
    [
        (NotMade(reason="refused"), True),
        (refused(131000), True),
        (refused(None, http=503), True),
        (Ambiguous(reason="time-out"), False),
    ],
)
async def test_what_surely_did_not_leave_is_tried_again(hub: Rooms, result: Any, *, back: bool) -> None:
    """Counted, after its back-off; what may have left is in doubt instead."""
    row = await waiting(hub)
    hub.whatsapp.outcomes = [result]

    await hub.outbox.work()
    row = await reread(hub, row)

    assert row.status is (MessageStatus.PENDING if back else MessageStatus.UNCONFIRMED)
    assert row.retry_count == 1
    assert await hub.outbox.work() == 0
    breaker = await hub.see(lambda uow: uow.breakers.of("whatsapp"))
    assert breaker.failures == 1
    hub.clock.advance(10)
    assert await hub.outbox.work() == int(back)


async def test_after_six_attempts_a_dead_letter(hub: Rooms) -> None:
    """Five back-offs, so six takes; then a person decides, and a replay starts over."""
    row = await waiting(hub, expires_at=None)
    hub.whatsapp.outcomes = [NotMade(reason="refused")] * 6
    for _ in range(8):
        await hub.breakers.close("whatsapp", by="test")
        await hub.outbox.work()
        hub.clock.advance(5400)
        await hub.hear("still here")

    assert len(hub.whatsapp.sent) == 6
    row = await reread(hub, row)
    (letter,) = await hub.letters()
    assert (row.status, letter.reason, letter.attempts) == (MessageStatus.FAILED, Reason.MAX_RETRIES_EXCEEDED, 6)

    await hub.dead_letters.replay(letter.id, by="cli")
    await hub.outbox.work()
    assert (await reread(hub, row)).status is MessageStatus.SENT
    assert await hub.is_sound()


async def test_a_row_taken_too_often_is_not_taken_again(hub: Rooms) -> None:
    """A row that kills its sender each time ends without another call."""
    row = await waiting(hub, expires_at=None)
    await hub.do(lambda uow: uow.messages.move(work_of(row), attrs.evolve(work_of(row), attempts=6)))
    hub.clock.advance(5400)

    assert await hub.outbox.work() == 1
    assert (await reread(hub, row)).error_message == "max_retries_exceeded"
    assert hub.whatsapp.sent == []


def work_of(row: Message) -> Work:
    return Work(id=row.id, status=row.status.value, attempts=row.retry_count, stamp=row.updated_at)


@pytest.mark.parametrize(
    ("code", "letters"), [(131026, []), (100, ["request_refused"]), (999999, ["unknown_code"]), (132001, [])]
)
async def test_a_final_refusal_is_final(hub: Rooms, code: int, letters: list[str]) -> None:
    """By the class of its code; no breaker counts a caller's mistake."""
    row = await waiting(hub)
    hub.whatsapp.outcomes = [refused(code)]

    await hub.outbox.work()

    assert (await reread(hub, row)).status is MessageStatus.FAILED
    assert [letter.reason for letter in await hub.letters()] == letters
    assert await hub.see(lambda uow: uow.breakers.of("whatsapp")) is None


async def test_a_refusal_for_the_window_sends_the_template(hub: Rooms) -> None:
    """131047 closes the window and takes the declared way out."""
    await waiting(hub, fallback={"template": "hello", "language": "en"})
    hub.whatsapp.outcomes = [refused(131047)]

    await hub.outbox.work()
    await hub.outbox.work()

    assert hub.whatsapp.texts[-1] == "template hello"
    assert (await hub.thread()).context["window_closed_at"]


async def test_a_throttled_number_rests_and_one_probe_ends_it(hub: Rooms) -> None:
    """No attempt is used; longer each time in a row; then everything leaves again."""
    row = await waiting(hub)
    other = await waiting(hub, sender=BORIS)
    hub.whatsapp.outcomes = [refused(130429), refused(130429)]

    await hub.outbox.work()
    assert ((await reread(hub, row)).retry_count, (await reread(hub, other)).retry_count) == (0, 0)
    calls = len(hub.whatsapp.sent)
    assert calls == 2
    assert await hub.outbox.work() == 0
    hub.clock.advance(PAUSES[0])
    hub.whatsapp.outcomes = [refused(130429)]
    await hub.outbox.work()
    assert len(hub.whatsapp.sent) == calls + 1
    hub.clock.advance(PAUSES[1] - 1)
    assert await hub.outbox.work() == 0
    hub.clock.advance(2)
    while await hub.outbox.work():
        hub.clock.advance(1)

    assert {(await reread(hub, one)).status for one in (row, other)} == {MessageStatus.SENT}
    pause = await hub.see(lambda uow: uow.breakers.of(f"whatsapp:{NUMBER}"))
    assert (pause.state, pause.failures) == (BreakerState.CLOSED, 0)


async def test_a_throttle_may_say_how_long(hub: Rooms) -> None:
    """Retry-After is kept to the second."""
    await waiting(hub)
    hub.whatsapp.outcomes = [refused(None, http=429, retry_after=timedelta(seconds=90))]
    await hub.outbox.work()

    hub.clock.advance(89)
    assert await hub.outbox.work() == 0
    hub.clock.advance(2)
    assert await hub.outbox.work() == 1


async def test_an_open_breaker_stops_all_calls(hub: Rooms) -> None:
    """Five failures open it; nothing is called; one probe at a time asks whether it is back."""
    for n in range(6):
        await waiting(hub, sender=f"4915{n}")
    hub.whatsapp.outcomes = [NotMade(reason="down")] * 6
    for _ in range(3):
        await hub.outbox.work()
        hub.clock.advance(1)
    calls = len(hub.whatsapp.sent)
    breaker = await hub.see(lambda uow: uow.breakers.of("whatsapp"))
    assert breaker.state is BreakerState.OPEN
    assert 5 <= calls <= 6
    hub.clock.advance(20)
    assert await hub.outbox.work() == 0

    hub.whatsapp.outcomes = []
    hub.clock.advance(11)
    for _ in range(6):
        await hub.outbox.work()
        hub.clock.advance(1)

    assert (await hub.see(lambda uow: uow.breakers.of("whatsapp"))).state is BreakerState.CLOSED
    assert len(hub.whatsapp.sent) == calls + 6


@pytest.mark.parametrize(("code", "waits"), [(131056, (1, 4, 16)), (131048, (900, 900))])
async def test_one_customer_may_have_to_wait(hub: Rooms, code: int, waits: tuple[int, ...]) -> None:
    """The pair's rate and suspicion of spam hold that row alone, without using attempts."""
    row = await waiting(hub)
    for seconds in waits:
        hub.whatsapp.outcomes = [refused(code)]
        await hub.outbox.work()
        held = await reread(hub, row)
        assert (held.status, held.retry_count) == (MessageStatus.PENDING, 0)
        hub.clock.advance(seconds - 1)
        assert await hub.outbox.work() == 0
        hub.clock.advance(1)

    await hub.outbox.work()
    assert (await reread(hub, row)).status in {MessageStatus.SENT, MessageStatus.PENDING}
    hub.clock.advance(2)
    await hub.outbox.work()
    assert (await reread(hub, row)).status is MessageStatus.SENT


@pytest.mark.parametrize("code", [190, 131031])
async def test_a_refused_token_stops_everything(hub: Rooms, code: int) -> None:
    """Nothing is posted, no attempt used; one row a minute is tried, and goes on when it is taken."""
    row = await waiting(hub)
    hub.whatsapp.outcomes = [refused(code)]
    await hub.outbox.work()
    other = await waiting(hub, sender=BORIS)

    assert [await hub.outbox.work() for _ in range(3)] == [0, 0, 0]
    assert len(hub.whatsapp.sent) == 1
    hub.whatsapp.outcomes = [refused(code)]
    hub.clock.advance(60)
    await hub.outbox.work()
    assert len(hub.whatsapp.sent) == 2
    assert await hub.outbox.work() == 0
    hub.clock.advance(60)
    while await hub.outbox.work():
        pass

    assert len(hub.whatsapp.sent) == 4
    assert await hub.see(lambda uow: uow.options.get("sending.stopped")) is None
    assert [(await reread(hub, one)).retry_count for one in (row, other)] == [1, 1]


async def test_an_empty_outbox_needs_no_probe(hub: Rooms) -> None:
    """With nothing to send, nothing is asked."""
    await hub.do(lambda uow: uow.options.put("sending.stopped", {"v": 1, "why": "sign_in"}))

    assert await hub.outbox.work() == 0


async def test_a_stop_that_was_lifted_meanwhile(hub: Rooms) -> None:
    """A person lifted it between the look and the lock."""
    assert await hub.outbox._probes() is None  # noqa: SLF001 - nothing is stopped
    await waiting(hub)
    await hub.do(lambda uow: uow.options.put("sending.stopped", {"v": 1}))
    store: Any = hub.outbox.database

    class Lifting:
        async def read(self, work: Any) -> Any:
            return await store.read(work)

        async def transact(self, work: Any) -> Any:
            await store.transact(lambda uow: uow.options.remove("sending.stopped"))
            return await store.transact(work)

    lifting: Any = Lifting()
    lifted = attrs.evolve(hub.outbox, database=lifting)

    assert await lifted._probes() is None  # noqa: SLF001 - lifted in between


async def in_doubt(hub: Rooms, **content: Any) -> Message:
    row = await waiting(hub, **content)
    hub.whatsapp.outcomes = [Ambiguous(reason="time-out")]
    await hub.outbox.work()
    return row


async def test_no_echo_and_it_is_sent_once_more(hub: Rooms) -> None:
    """After 120 s, marked and counted; the second time a person decides."""
    row = await in_doubt(hub)
    hub.clock.advance(SETTLED_WITHIN)
    assert await hub.outbox.work() == 0
    hub.clock.advance(1)
    hub.whatsapp.outcomes = [Ambiguous(reason="time-out")]
    await hub.outbox.work()
    hub.clock.advance(8)
    await hub.outbox.work()
    doubtful = await reread(hub, row)
    assert (doubtful.status, doubtful.content["resent"], doubtful.retry_count) == (MessageStatus.UNCONFIRMED, 1, 2)
    hub.clock.advance(SETTLED)

    await hub.outbox.work()

    assert len(hub.whatsapp.sent) == 2
    (letter,) = await hub.letters()
    assert letter.reason == Reason.UNCONFIRMED_TWICE
    assert (await reread(hub, row)).status is MessageStatus.FAILED


async def test_an_echo_settles_it(hub: Rooms) -> None:
    """A status with our mark: sent, its id known, nothing sent again."""
    row = await in_doubt(hub)
    mark = f"wch1.h1.{row.id}.1"
    await hub.post({"statuses": [status("wamid.real", "sent", biz_opaque_callback_data=mark)]})
    hub.clock.advance(SETTLED)

    assert await hub.outbox.work() == 0
    settled = await reread(hub, row)
    assert (settled.status, settled.wa_message_id, settled.error_message) == (MessageStatus.SENT, "wamid.real", None)


async def test_a_campaign_in_doubt_stays_so(hub: Rooms) -> None:
    """It is marked final, once, and never sent again."""
    row = await in_doubt(hub)
    await changed(hub, row, **{"class": "campaign"})
    hub.clock.advance(SETTLED)

    assert [await hub.outbox.work() for _ in range(3)] == [1, 0, 0]
    final = await reread(hub, row)
    assert (final.status, final.content["final"]) == (MessageStatus.UNCONFIRMED, True)


async def test_in_doubt_at_the_last_attempt(hub: Rooms) -> None:
    """Attempts that are used up allow no resend."""
    row = await waiting(hub)
    await hub.do(lambda uow: uow.messages.move(work_of(row), attrs.evolve(work_of(row), attempts=5)))
    hub.clock.advance(5400)
    await hub.hear("hi")
    hub.whatsapp.outcomes = [Ambiguous(reason="time-out")]
    await hub.outbox.work()
    hub.clock.advance(SETTLED)
    await hub.outbox.work()

    assert (await reread(hub, row)).error_message == "max_retries_exceeded"


async def take_only(hub: Rooms) -> Any:
    """A sender that takes a row and dies."""
    (candidate,) = await hub.outbox._chosen()  # noqa: SLF001 - dying in the middle
    return await hub.do(lambda uow: hub.outbox._take(uow, candidate, is_probe=False))  # noqa: SLF001 - the one step that is tried here


async def test_a_dead_senders_row_is_in_doubt(hub: Rooms) -> None:
    """Nobody knows whether the call was made: not pending, unconfirmed; its notice says so too."""
    notice = await hub.do(
        lambda uow: uow.notifications.add(
            Notification(
                order_id=1,
                notification_type="shipped",
                customer_phone=ANNA,
                status=NotificationStatus.QUEUED,
                created_at=NOON,
                updated_at=NOON,
            )
        )
    )
    row = await waiting(hub, origin={"by": "notice", "ref": f"notification:{notice.id}"})
    await take_only(hub)

    assert await hub.outbox.work() == 0
    hub.clock.advance(LEASE)
    assert await hub.outbox.work() == 1

    assert (await reread(hub, row)).status is MessageStatus.UNCONFIRMED
    assert (await hub.see(lambda uow: uow.notifications.get(notice.id))).status is NotificationStatus.UNCONFIRMED


async def test_while_one_is_on_its_way_no_other_leaves(hub: Rooms) -> None:
    """One in flight for each customer, over all senders."""
    await waiting(hub, "first", "second")
    await take_only(hub)

    assert await hub.outbox.work() == 0


async def test_a_take_that_is_too_old_is_not_called(hub: Rooms) -> None:
    """A machine that slept between take and call gives the row back, attempt and all."""
    row = await waiting(hub)

    async def asleep(_seconds: float) -> None:
        hub.clock.advance(31)

    drowsy = attrs.evolve(hub.outbox, pause=asleep)
    await hub.limits.hit("message_send", "x")
    await hub.do(lambda uow: hub.limits.pace_in(uow, _pace(), NUMBER))
    assert await drowsy.work() == 0

    back = await reread(hub, row)
    assert (back.status, back.retry_count) == (MessageStatus.PENDING, 0)
    assert hub.whatsapp.sent == []


def _pace() -> Any:
    from wch.domain.rate_limit import Pace  # noqa: PLC0415 - only here

    return Pace(name="whatsapp_number", per_second=64)


async def test_a_number_leaves_in_slots(hub: Rooms) -> None:
    """Four fifths of 80 a second, each at its own moment of the second; the next ones in the next second."""
    for n in range(70):
        await waiting(hub, sender=f"4915{n:03}")

    while await hub.outbox.work():
        pass
    assert len(hub.whatsapp.sent) == 64
    assert max(hub.pauses) == pytest.approx(63 / 64)
    hub.clock.advance(1)
    while await hub.outbox.work():
        pass

    assert len(hub.whatsapp.sent) == 70


async def test_a_customer_gets_forty_five_in_276_seconds(hub: Rooms) -> None:
    """The pair's rate, in row order; another customer is not delayed."""
    for _ in range(6):
        await waiting(hub, *(f"m{n}" for n in range(10)))
    other = await waiting(hub, sender=BORIS)
    for _ in range(100):
        await hub.outbox.work()
        hub.clock.advance(1)

    assert (await reread(hub, other)).status is MessageStatus.SENT
    assert len([one for one in hub.whatsapp.sent if one.message["to"] == f"+{ANNA}"]) == 45
    for _ in range(330):
        await hub.outbox.work()
        hub.clock.advance(1)
    assert len(hub.whatsapp.sent) == 61


async def test_a_refused_limit_costs_no_other_one_a_hit(hub: Rooms) -> None:
    """Breakers, limits and slots are asked in one transaction, which is rolled back."""
    await waiting(hub, *(f"m{n}" for n in range(10)))
    for _ in range(50):
        await hub.limits.hit("message_send", f"{NUMBER}:{ANNA}")

    assert await hub.outbox.work() == 0

    assert {part.limit_type for part in await hub.limits.listed()} == {"message_send"}


async def test_a_status_is_faster_than_the_answer(hub: Rooms) -> None:
    """A refusal or a doubt that comes after a status pulls nothing down."""
    for n, result in enumerate((refused(131000), refused(131026), Ambiguous(reason="x"), NotMade(reason="x"))):
        row = await waiting(hub)
        mark = f"wch1.h1.{row.id}.1"
        delivery = {"statuses": [status(f"wamid.d{n}", "delivered", biz_opaque_callback_data=mark)]}

        async def send(_number: str, _message: Any, told: Any = delivery, answer: Any = result) -> Any:
            await hub.post(told)
            return answer

        answer_with(hub, send)
        await hub.outbox.work()
        assert (await reread(hub, row)).status is MessageStatus.DELIVERED
    assert await hub.letters() == []


async def test_an_answer_after_the_lease_still_counts(hub: Rooms) -> None:
    """As long as the attempt is the same: the id is set, the state rises, nothing is sent again."""
    row = await waiting(hub)

    async def slow(_number: str, _message: Any) -> Any:
        hub.clock.advance(LEASE)
        await hub.outbox.settling.sweep()
        return Accepted(wa_message_id="wamid.late")

    answer_with(hub, slow)
    await hub.outbox.work()

    assert (await reread(hub, row)).wa_message_id == "wamid.late"
    assert (await reread(hub, row)).status is MessageStatus.SENT


async def test_the_answer_to_an_attempt_that_is_over(hub: Rooms) -> None:
    """A sender that wakes up after the resend writes nothing."""
    row = await waiting(hub)

    async def very_slow(_number: str, _message: Any) -> Any:
        held = await reread(hub, row)
        work = work_of(held)
        await hub.do(lambda uow: uow.messages.move(work, work.taken("sending", now=hub.clock.now())))
        return NotMade(reason="x")

    answer_with(hub, very_slow)
    await hub.outbox.work()

    assert (await reread(hub, row)).status is MessageStatus.SENDING
    assert LeaseLost(work="outbound") in hub.facts


async def test_a_race_for_an_id_ends_with_one_row(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The placeholder that is written between the look and the writing is found at the second look."""
    row = await waiting(hub)
    outcomes = type(hub.outbox.outcomes)
    knowing = outcomes._knowing  # noqa: SLF001 - a look that comes too early
    runs = 2 if hub.database._twice else 1  # type: ignore[attr-defined]  # noqa: SLF001 - each run looks too early once
    turns = iter([True, False] * runs)

    def too_early(self: Any, uow: UnitOfWork, *given: Any) -> Message:
        if next(turns, False):
            raise DuplicateError(key="wa_message_id")
        return knowing(self, uow, *given)

    monkeypatch.setattr(outcomes, "_knowing", too_early)
    await hub.outbox.work()

    assert (await reread(hub, row)).status is MessageStatus.SENT


async def test_a_row_that_cannot_be_sent_ends_alone(hub: Rooms) -> None:
    """Broken content uses up its own attempts, then has its dead letter; others leave meanwhile."""
    bad = await waiting(hub, expires_at=None)
    await hub.do(lambda uow: _broken(uow, bad.id))
    good = await waiting(hub, sender=BORIS)
    for _ in range(8):
        await hub.outbox.work()
        hub.clock.advance(5400)
        await hub.hear("still here")

    assert (await reread(hub, good)).status is MessageStatus.SENT
    assert (await reread(hub, bad)).status is MessageStatus.FAILED
    (letter,) = await hub.letters()
    assert (letter.reason, letter.args["id"]) == (Reason.MAX_RETRIES_EXCEEDED, bad.id)


async def test_a_row_that_cannot_be_read_ends_alone(hub: Rooms) -> None:
    """It is never decoded, and has its dead letter in the end all the same."""
    bad = await waiting(hub, expires_at=None)
    store: Any = UnreadableRow(hub.database, bad.id)
    settling = attrs.evolve(hub.outbox.settling, database=store)
    broken = attrs.evolve(hub.outbox, database=store, settling=settling)
    for _ in range(8):
        await broken.work()
        hub.clock.advance(5400)

    assert (await reread(hub, bad)).status is MessageStatus.FAILED
    (letter,) = await hub.letters()
    assert (letter.reason, letter.args["id"]) == (Reason.EXCEPTION, bad.id)


def _broken(uow: UnitOfWork, row: int) -> None:
    held = uow.messages.get(row, lock=True)
    assert held is not None
    left = {name: value for name, value in held.content.items() if name != "body"}
    uow.messages.save(attrs.evolve(held, content=left))


@pytest.mark.parametrize("state", [MessageStatus.SENDING, MessageStatus.UNCONFIRMED])
async def test_a_doubtful_row_that_cannot_be_read(hub: Rooms, state: MessageStatus) -> None:
    """It ends without being read; the sweep goes on with the next."""
    row = await waiting(hub)
    before = work_of(row)
    moved = before.taken(state, now=hub.clock.now())
    await hub.do(lambda uow: uow.messages.move(before, moved))
    hub.clock.advance(SETTLED_WITHIN + timedelta(seconds=2))
    store: Any = UnreadableRow(hub.database, row.id)
    settling = attrs.evolve(hub.outbox.settling, database=store)

    assert await settling.sweep() == 1
    assert (await reread(hub, row)).status is MessageStatus.FAILED
    assert len(await hub.letters()) == 1


class UnreadableRow:
    """A store that cannot read one row's content."""

    def __init__(self, store: Any, row: int) -> None:
        self.store, self.row = store, row
        self.lost = False

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return await self.store.read(work)

    async def transact(self, work: Callable[[Any], Any]) -> Any:
        def unreadable(uow: Any) -> Any:
            get = uow.messages.get

            def refuse(message_id: int, *, lock: bool = False) -> Any:
                if message_id == self.row:
                    raise UndecodableError
                return get(message_id, lock=lock)

            uow.messages.get = refuse
            if self.lost:
                uow.messages.move = self._lose
            return work(uow)

        return await self.store.transact(unreadable)

    def _lose(self, *_given: Any) -> None:
        raise LeaseLostError


async def test_an_unreadable_row_that_somebody_else_has(hub: Rooms) -> None:
    """Whoever moved it first is right."""
    row = await waiting(hub)
    seen = work_of(row)
    moved = seen.taken(MessageStatus.SENDING, now=hub.clock.now())
    await hub.do(lambda uow: uow.messages.move(seen, moved))
    hub.clock.advance(LEASE)
    store: Any = UnreadableRow(hub.database, row.id)
    store.lost = True
    settling = attrs.evolve(hub.outbox.settling, database=store)

    assert await settling.unreadable(seen) == 0
    assert await settling.sweep() == 0


async def test_two_senders_share_nothing(hub: Rooms) -> None:
    """Every row is called for once, however many look at the same list."""
    for n in range(8):
        await waiting(hub, sender=f"4915{n}")

    done = await asyncio.gather(*(hub.outbox.work() for _ in range(4)))

    assert sum(done) == 8
    assert len(hub.whatsapp.sent) == 8


async def test_one_pass_leaves_room_for_what_comes() -> None:
    """A pass sends so much at most, so that a new reply soon gets its turn."""
    hub = rooms(most_at_once=2)
    for n in range(20):
        await waiting(hub, sender=f"4915{n:02}")

    assert await hub.outbox.work() == 8


async def test_more_than_a_page_waits(hub: Rooms) -> None:
    """The list is read by pages; the oldest of each customer leaves first."""
    await waiting(hub, *(f"m{n}" for n in range(10)))
    for _ in range(21):
        await waiting(hub, *(f"n{n}" for n in range(10)), sender=BORIS)

    assert {one.customer_phone for one in await hub.outbox._chosen()} == {ANNA, BORIS}  # noqa: SLF001 - the choice


async def test_a_cancelled_sender_leaves_its_row_in_doubt(hub: Rooms) -> None:
    """The request may have left: an echo settles it, not a second call."""
    row = await waiting(hub)
    called = asyncio.Event()

    async def endless(_number: str, _message: Any) -> Any:
        called.set()
        await asyncio.Event().wait()

    answer_with(hub, endless)
    working = asyncio.create_task(hub.outbox.work())
    await called.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert (await reread(hub, row)).status is MessageStatus.UNCONFIRMED


async def test_a_sender_cancelled_before_its_slot_gives_the_row_back(hub: Rooms) -> None:
    """Nothing was called, so nothing is in doubt."""
    row = await waiting(hub)
    await hub.do(lambda uow: hub.limits.pace_in(uow, _pace(), NUMBER))
    entered = asyncio.Event()

    async def endless(_seconds: float) -> None:
        entered.set()
        await asyncio.Event().wait()

    working = asyncio.create_task(attrs.evolve(hub.outbox, pause=endless).work())
    await entered.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    back = await reread(hub, row)
    assert (back.status, back.retry_count) == (MessageStatus.PENDING, 0)


async def test_nothing_leaves_at_closing_time(hub: Rooms) -> None:
    """Once the worker was told to stop, nothing more is taken."""
    await waiting(hub)
    hub.bell.close()

    assert await hub.outbox.work() == 0


@pytest.mark.parametrize("place", ["outbound.taken", "outbound.before_call", "outbound.after_call"])
async def test_a_sender_that_breaks_leaves_a_doubt(place: str) -> None:
    """Wherever between take and outcome: the lease runs out, the row is in doubt, and settled."""
    hub = rooms(failpoints=Failpoints.read(f"{place}=raise", testing=True))
    row = await waiting(hub)

    assert await hub.outbox.work() == 0
    assert (await reread(hub, row)).status is MessageStatus.SENDING
    hub.clock.advance(LEASE)
    await hub.outbox.work()
    assert (await reread(hub, row)).status is MessageStatus.UNCONFIRMED


async def test_a_store_that_is_away_holds_up_nothing(hub: Rooms) -> None:
    """A send that finds no store is told, and the pass goes on."""
    await waiting(hub)
    store: Any = hub.outbox.database

    class Away:
        async def read(self, work: Any) -> Any:
            return await store.read(work)

        async def transact(self, _work: Any) -> Any:
            raise StoreUnavailableError

    away: Any = Away()
    assert await attrs.evolve(hub.outbox, database=away).work() == 0
    assert await hub.outbox.work() == 1


async def test_a_row_that_was_erased_is_nobodys(hub: Rooms) -> None:
    """An answer to a row that is gone is dropped; so is a candidate."""
    row = await waiting(hub)
    (candidate,) = await hub.outbox._chosen()  # noqa: SLF001 - gone meanwhile
    parcel = await take_only(hub)

    def gone(uow: UnitOfWork) -> None:
        uow.messages.get(row.id, lock=True)
        uow.messages.remove(row.id)

    await hub.do(gone)

    with pytest.raises(LeaseLostError):
        await hub.do(lambda uow: hub.outbox.outcomes.write(uow, parcel, Accepted(wa_message_id="x")))
    assert await hub.outbox._one(candidate, set(), is_probe=False) == 0  # noqa: SLF001 - gone meanwhile


def test_only_the_services_faults_are_blamed_on_it() -> None:
    """The one class that a breaker counts."""
    assert [failure for failure in FailureClass if failure.blames_service] == [FailureClass.RETRY]

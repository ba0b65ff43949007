"""Statuses move rows up, in whatever order they come, and their causes with them."""

from itertools import permutations
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, TAG, Rooms, rooms, status
from wch.application.ports import UnitOfWork
from wch.application.statuses import callback_data, code_in
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.errors import DuplicateError
from wch.domain.message import FOREIGN, Message, MessageStatus
from wch.domain.moment import of_unix, unix
from wch.domain.notification import Notification, NotificationStatus
from wch.domain.send_result import Accepted
from wch.testing import NOON

AT = unix(NOON)
FAILED = {"errors": [{"code": 131026, "title": "Message undeliverable"}]}


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def sent(hub: Rooms, **content: Any) -> Message:
    """A reply that has been sent and accepted."""
    await hub.hear("hi")
    await hub.handling.work()
    if content:
        await change(hub, **content)
    await hub.outbox.work()
    return (await hub.rows())[-1]


async def change(hub: Rooms, **content: Any) -> None:
    row = (await hub.rows())[-1]

    def work(uow: UnitOfWork) -> None:
        held = uow.messages.get(row.id, lock=True)
        assert held is not None
        uow.messages.save(attrs.evolve(held, content={**held.content, **content}))

    await hub.do(work)


async def tell(hub: Rooms, wa_id: str, word: str, at: int = AT, **more: Any) -> None:
    await hub.post({"statuses": [status(wa_id, word, at=at, **more)]})


async def reread(hub: Rooms, row: Message) -> Message:
    found = await hub.see(lambda uow: uow.messages.get(row.id))
    assert found is not None
    return found  # type: ignore[no-any-return]  # wrong on purpose, or narrower than mypy can see


@pytest.mark.parametrize("order", list(permutations(["sent", "delivered", "read", "failed"])))
async def test_all_orders_end_alike(order: tuple[str, ...]) -> None:
    """Read is the end of all 24 orders, with the provider's times and the error kept, each told twice."""
    hub = rooms()
    row = await sent(hub)
    times = {"sent": AT + 1, "delivered": AT + 2, "read": AT + 3, "failed": AT + 4}

    for word in (*order, *order):
        await tell(hub, "wamid.sent.1", word, times[word], **(FAILED if word == "failed" else {}))

    row = await reread(hub, row)
    assert row.status is MessageStatus.READ
    assert [row.sent_at, row.delivered_at, row.read_at] == [
        of_unix(times[word]) for word in ("sent", "delivered", "read")
    ]
    assert row.error_message == "131026 Message undeliverable"
    assert await hub.is_sound()


async def test_only_read_fills_what_is_below(hub: Rooms) -> None:
    """An empty time is filled by the next higher status; its own status replaces it."""
    row = await sent(hub)
    await tell(hub, "wamid.sent.1", "read", 1750263773)

    row = await reread(hub, row)
    assert row.read_at == row.delivered_at == of_unix(1750263773)

    await tell(hub, "wamid.sent.1", "delivered", 1750263770)
    row = await reread(hub, row)
    assert (row.status, row.delivered_at) == (MessageStatus.READ, of_unix(1750263770))


async def test_our_own_mark_finds_the_row(hub: Rooms) -> None:
    """A status with our callback data settles a send whose answer was lost."""
    await hub.hear("hi")
    await hub.handling.work()
    row = (await hub.rows())[-1]
    mark = callback_data(TAG, row.id, 1)

    await tell(hub, "wamid.unknown", "sent", biz_opaque_callback_data=mark)

    row = await reread(hub, row)
    assert (row.status, row.wa_message_id) == (MessageStatus.SENT, "wamid.unknown")
    assert await hub.outbox.work() == 0


@pytest.mark.parametrize("mark", ["wch1.other.1.1", "wch1.h1.999.1", "wch1.h1.1.1", "nonsense", "wch1.h1.1.1\n"])
async def test_a_foreign_mark_finds_nothing(hub: Rooms, mark: str) -> None:
    """Another hub's mark, a row that is not there, an inbound row: a placeholder under WhatsApp's id."""
    await hub.hear("hi")

    await tell(hub, "wamid.x", "sent", biz_opaque_callback_data=mark)

    row = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.x"))
    assert row.type == FOREIGN
    assert row.conversation_id == (await hub.thread()).id
    assert (await hub.thread()).message_count == 1


async def test_a_status_before_the_answer(hub: Rooms) -> None:
    """A placeholder hands over state, times and error to the row that learns its id, and goes."""
    await hub.hear("hi")
    await hub.handling.work()
    hub.whatsapp.outcomes.append(Accepted(wa_message_id="wamid.early"))
    await tell(hub, "wamid.early", "delivered", AT + 5)

    await hub.outbox.work()

    row = (await hub.rows())[-1]
    assert (row.status, row.delivered_at) == (MessageStatus.DELIVERED, of_unix(AT + 5))
    assert await hub.see(lambda uow: uow.messages.foreign_before(hub.clock.now())) == []
    assert await hub.is_sound()


async def test_a_failure_before_the_answer_is_followed_up(hub: Rooms) -> None:
    """The consequences of a failure wait for the row that it is about."""
    await hub.hear("hi")
    await hub.handling.work()
    hub.whatsapp.outcomes.append(Accepted(wa_message_id="wamid.early"))
    await tell(hub, "wamid.early", "failed", errors=[{"code": 999999, "title": "New"}])
    assert await hub.letters() == []

    await hub.outbox.work()

    row = (await hub.rows())[-1]
    (letter,) = await hub.letters()
    assert (row.status, letter.reason, letter.args["id"]) == (MessageStatus.FAILED, "unknown_code", row.id)


async def test_a_placeholder_only_moves_up(hub: Rooms) -> None:
    """Statuses of a message that nobody knows move one row; its failure has no consequences."""
    for word in ("delivered", "sent", "read", "in_orbit"):
        await tell(hub, "wamid.x", word)
    await tell(hub, "wamid.y", "in_orbit")
    await tell(hub, "wamid.z", "sent")
    await tell(hub, "wamid.z", "failed", errors=[{"code": 999999, "title": "New"}])

    states = [await hub.see(lambda uow: uow.messages.by_wa_id(f"wamid.{key}")) for key in "xyz"]  # noqa: B023 - called at once
    assert [row.status for row in states] == [MessageStatus.READ, MessageStatus.SENT, MessageStatus.FAILED]
    assert await hub.letters() == []


async def test_group_statuses_leave_no_row(hub: Rooms) -> None:
    """They are about a message of another application."""
    await tell(hub, "wamid.g", "sent", recipient_type="group", recipient="group-1")

    assert await hub.see(lambda uow: uow.messages.by_wa_id("wamid.g")) is None


async def test_the_status_of_an_inbound_id_changes_nothing(hub: Rooms) -> None:
    """An id is unique for ever: a status under a customer's own message id makes no second row."""
    await hub.hear("hi", wa_id="wamid.1")
    await tell(hub, "wamid.1", "read")

    (row,) = await hub.rows()
    assert row.status is MessageStatus.RECEIVED


async def test_price_and_billing_are_noted_once(hub: Rooms) -> None:
    """The first price stays, also of a placeholder; the thread remembers WhatsApp's conversation."""
    row = await sent(hub)
    for category in ("service", "marketing"):
        await tell(hub, "wamid.sent.1", "sent", pricing={"category": category}, conversation={"id": "billing-1"})
        await tell(hub, "wamid.x", "sent", pricing={"category": category})

    foreign = await hub.see(lambda uow: uow.messages.by_wa_id("wamid.x"))
    assert (await reread(hub, row)).content["pricing"] == {"category": "service"}
    assert foreign.content["pricing"] == {"category": "service"}
    assert (await hub.thread()).wa_conversation_id == "billing-1"


async def test_a_second_id_moves_the_same_row(hub: Rooms) -> None:
    """After a resend both ids are the row's; the first one stays in its column."""
    row = await sent(hub)
    await tell(hub, "wamid.second", "delivered", biz_opaque_callback_data=callback_data(TAG, row.id, 1))

    row = await reread(hub, row)
    assert (row.wa_message_id, row.content["other_ids"]) == ("wamid.sent.1", ["wamid.second"])
    assert row.status is MessageStatus.DELIVERED


async def test_an_id_of_another_row_is_not_taken(hub: Rooms) -> None:
    """A mark that names one row and an id that names another: neither loses its id."""
    first = await sent(hub)
    second = await sent(hub)

    await tell(hub, "wamid.sent.1", "read", biz_opaque_callback_data=callback_data(TAG, second.id, 1))

    assert (await reread(hub, first)).wa_message_id == "wamid.sent.1"
    assert (await reread(hub, second)).wa_message_id == "wamid.sent.2"
    assert (await reread(hub, second)).status is MessageStatus.READ


async def test_the_cause_goes_the_same_way(hub: Rooms) -> None:
    """A notice and a recipient follow their message, in the same transaction."""
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
    recipient = await hub.do(
        lambda uow: uow.recipients.add(
            BroadcastRecipient(campaign_id=1, phone=ANNA, status=RecipientStatus.QUEUED, created_at=NOON)
        )
    )
    await sent(hub, origin={"by": "notice", "ref": f"notification:{notice.id}"})
    await sent(hub, origin={"by": "campaign", "ref": f"recipient:{recipient.id}"})
    await tell(hub, "wamid.sent.1", "read")
    await tell(hub, "wamid.sent.2", "delivered")

    notice = await hub.see(lambda uow: uow.notifications.get(notice.id))
    recipient = await hub.see(lambda uow: uow.recipients.get(recipient.id))
    assert (notice.status, notice.wa_message_id) == (NotificationStatus.READ, "wamid.sent.1")
    assert (recipient.status, recipient.wa_message_id) == (RecipientStatus.DELIVERED, "wamid.sent.2")


@pytest.mark.parametrize("ref", ["notification:999", "recipient:999", "saga:order-1-1", "nonsense", ""])
async def test_a_cause_that_is_gone_stops_nothing(hub: Rooms, ref: str) -> None:
    """The message moves all the same."""
    row = await sent(hub, origin={"by": "host", "ref": ref})
    await tell(hub, "wamid.sent.1", "read")

    assert (await reread(hub, row)).status is MessageStatus.READ


@pytest.mark.parametrize(("code", "texts"), [(131000, 2), (130429, 2), (131026, 1), (131047, 2), (190, 1)])
async def test_the_code_of_a_failed_status_decides(hub: Rooms, code: int, texts: int) -> None:
    """What may pass is written anew, a closed window goes out as its template, the rest is over."""
    fallback = {"template": "hello", "language": "en", "parameters": ["Anna"]}
    await sent(hub, fallback=fallback)
    await tell(hub, "wamid.sent.1", "failed", errors=[{"code": code, "title": "T"}])

    rows = await hub.rows()
    assert len(rows) == texts + 1
    if texts == 2:
        assert rows[-1].content["retry_of"] == rows[-2].id
        assert rows[-1].status is MessageStatus.PENDING
        assert rows[-1].type == ("template" if code == 131047 else "text")
    stopped = await hub.see(lambda uow: uow.options.get("sending.stopped"))
    assert (stopped is not None) == (code == 190)
    assert await hub.is_sound()


async def test_a_failure_is_repeated_twice_at_most(hub: Rooms) -> None:
    """Two generations, then it stays failed."""
    await sent(hub)
    for n in range(1, 5):
        await tell(hub, f"wamid.sent.{n}", "failed", errors=[{"code": 131000, "title": "T"}])
        await hub.outbox.work()

    assert len(hub.whatsapp.sent) == 3


async def test_a_campaign_is_never_repeated(hub: Rooms) -> None:
    """Nobody gets an advertisement twice because one of them failed."""
    await sent(hub)
    await change(hub, **{"class": "campaign"})
    await tell(hub, "wamid.sent.1", "failed", errors=[{"code": 131000, "title": "T"}])

    assert len(await hub.rows()) == 2


async def test_a_closed_window_without_a_template_is_remembered(hub: Rooms) -> None:
    """The row stays failed, and nothing more leaves until the customer writes."""
    await sent(hub)
    await tell(hub, "wamid.sent.1", "failed", errors=[{"code": 131047, "title": "Re-engagement"}])

    assert (await hub.thread()).context["window_closed_at"] == "2026-03-02T12:00:00Z"
    await hub.hear("hi")
    assert "window_closed_at" not in (await hub.thread()).context


async def test_a_stopped_template_is_no_way_out(hub: Rooms) -> None:
    """What WhatsApp has paused is not fallen back to."""
    await hub.do(lambda uow: uow.options.put("template.hello.en", {"v": 1, "status": "PAUSED"}))
    await sent(hub, fallback={"template": "hello", "language": "en"})
    await tell(hub, "wamid.sent.1", "failed", errors=[{"code": 131047, "title": "T"}])

    assert len(await hub.rows()) == 2


async def test_what_a_failure_says_about_the_customer(hub: Rooms) -> None:
    """Out by 131050, held by 131049, not to be reached after three 131026 in a row."""
    for n in range(1, 4):
        await sent(hub)
        await tell(hub, f"wamid.sent.{n}", "failed", errors=[{"code": 131026, "title": "T"}])
        if n < 3:
            profile = await hub.see(lambda uow: uow.customers.of(ANNA))
            assert "until" not in profile.preferences["unreachable"]
            told = dict(profile.preferences["unreachable"])
            await hub.do(lambda uow: _unreachable(uow, told))  # noqa: B023 - awaited here
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert profile.preferences["unreachable"]["in_a_row"] == 1

    await hub.do(lambda uow: _unreachable(uow, {"in_a_row": 2}))
    row = (await hub.rows())[-1]
    await hub.do(lambda uow: _sent_again(uow, row))
    await tell(hub, "wamid.sent.3", "failed", errors=[{"code": 131026, "title": "T"}])
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert profile.preferences["unreachable"]["until"] == "2026-04-01T12:00:00Z"

    for code in (131049, 131050):
        row = await sent(hub)
        await tell(hub, str(row.wa_message_id), "failed", errors=[{"code": code, "title": "T"}])
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert profile.preferences["hold"]["marketing_until"] == "2026-03-03T12:00:00Z"
    assert profile.is_out
    assert profile.preferences["consent"]["log"][-1]["source"] == "error_131050"


def _unreachable(uow: UnitOfWork, told: Any) -> None:
    profile = uow.customers.lock(ANNA, now=NOON)
    uow.customers.save(attrs.evolve(profile, preferences={**profile.preferences, "unreachable": dict(told)}))


def _sent_again(uow: UnitOfWork, row: Message) -> None:
    uow.messages.get(row.id, lock=True)
    uow.messages.save(attrs.evolve(row, status=MessageStatus.SENT, error_message=None))


async def test_a_race_for_one_id_is_looked_at_again(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unique key is the meeting point: whoever comes second finds what the first has written."""
    row = await sent(hub)
    seen = type(hub.inbox.intake.arrivals.statuses)
    look, turns = seen._row, iter([True])  # noqa: SLF001 - a look that comes too early

    def too_early(self: Any, uow: UnitOfWork, event: Any) -> Message | None:
        if next(turns, False):
            raise DuplicateError(key="wa_message_id")
        return look(self, uow, event)

    monkeypatch.setattr(seen, "_row", too_early)
    await tell(hub, "wamid.sent.1", "read")

    assert (await reread(hub, row)).status is MessageStatus.READ


@pytest.mark.parametrize(
    ("line", "code"), [("131026 Undeliverable: x", 131026), ("131026: x", 131026), ("no code", None), (None, None)]
)
def test_a_code_is_read_back_from_its_line(line: str | None, code: int | None) -> None:
    """A row keeps the sentence; what decides is its number."""
    assert code_in(line) == code

"""Whatever is said becomes a row of the outbox, addressed, dated and counted."""

from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.shopping import ANNA, NUMBER, Shopping, shopping
from wch.application.ports import UnitOfWork
from wch.application.speaking import addressee
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.customer import CustomerProfile
from wch.domain.message import Class, Direction, Message, MessageStatus
from wch.domain.moment import iso
from wch.domain.outgoing import Text
from wch.testing import NOON


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> Shopping:
    return await shopping(twice=request.param, shelves=False)


async def say(hub: Shopping, **more: Any) -> tuple[Conversation, Message]:
    def work(uow: UnitOfWork) -> tuple[Conversation, Message]:
        profile = uow.customers.lock(ANNA, now=NOON)
        thread = hub.speaker.thread(uow, profile, now=NOON)
        counted, row = hub.speaker.say(
            uow,
            thread,
            Text(body="hello"),
            profile=profile,
            class_=Class.NOTICE,
            origin={"by": "test", "ref": "1"},
            now=NOON,
            **more,
        )
        uow.conversations.save(counted)
        return counted, row

    said: tuple[Conversation, Message] = await hub.do(work)
    return said


async def test_what_the_hub_says_first_opens_no_conversation(hub: Shopping) -> None:
    """A notice to somebody who never wrote must not look as if somebody waited for an answer."""
    counted, row = await say(hub)

    assert (counted.status, counted.message_count, counted.last_message_at) == (ConversationStatus.RESOLVED, 1, NOON)
    assert (row.direction, row.status, row.class_) == (Direction.OUTBOUND, MessageStatus.PENDING, Class.NOTICE)
    assert row.content["to"] == {"wa_id": ANNA}
    assert row.content["number"] == NUMBER
    assert row.content["expires_at"] == iso(NOON + timedelta(hours=24))
    assert len(await hub.said()) == 1


async def test_the_thread_that_is_there_goes_on(hub: Shopping) -> None:
    """One row after another in one thread, each counted."""
    first, _ = await say(hub)
    second, _ = await say(hub)

    assert (second.id, second.message_count) == (first.id, 2)


async def test_a_message_may_quote_live_forever_and_leave_from_another_number(hub: Shopping) -> None:
    """What the caller says comes before what is usual."""
    _, row = await say(hub, quotes="wamid.1", lives=None, number="999")

    assert row.content["body"]["context"] == {"message_id": "wamid.1"}
    assert row.content["number"] == "999"
    assert row.content.get("expires_at") is None


async def test_the_number_is_the_one_that_the_customer_writes_to(hub: Shopping) -> None:
    """Else the first real one of the hub's; a hub that takes any number may have none to name."""
    thread = Conversation(customer_phone=ANNA, created_at=NOON, updated_at=NOON)
    known = thread.remembering({"number": "777"}, now=NOON)

    assert hub.speaker.number_of(known) == "777"
    assert hub.speaker.number_of(thread) == NUMBER
    assert attrs.evolve(hub.speaker, numbers=("*", "555")).number_of(thread) == "555"
    assert attrs.evolve(hub.speaker, numbers=("*",)).number_of(thread) == ""


@pytest.mark.parametrize(
    ("phone", "identity", "expected"),
    [
        (ANNA, {}, {"wa_id": ANNA}),
        (ANNA, {"bsuid": "US.1"}, {"wa_id": ANNA}),
        ("u1234", {"bsuid": "US.1"}, {"user_id": "US.1"}),
        ("u1234", {}, {"wa_id": "u1234"}),
    ],
)
def test_a_customer_without_number_is_named_by_user_id(
    phone: str, identity: dict[str, str], expected: dict[str, str]
) -> None:
    """A number that is known is always the better name."""
    profile = CustomerProfile(phone=phone, created_at=NOON, updated_at=NOON, preferences={"identity": identity})

    assert addressee(profile) == expected

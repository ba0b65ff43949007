"""What people do with threads."""

from datetime import timedelta

import pytest

from tests.application.rooms import ANNA, BORIS, Rooms, rooms, said
from wch.application.conversations import UnusableTextError, WindowClosedError
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart
from wch.domain.conversation import ConversationStatus, Event, State
from wch.domain.document import amended
from wch.domain.errors import ConflictError, ForbiddenEventError, NotFoundError
from wch.domain.message import Class, MessageStatus
from wch.domain.outgoing import MessageLimitError
from wch.testing import NOON


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def test_a_person_answers(hub: Rooms) -> None:
    """The thread is theirs, nothing is unread, the words wait in the outbox, and it is written down."""
    await hub.hear("help")
    thread = await hub.thread()

    row = await hub.conversations.reply(thread.id, "At your service", agent=7, by="ann")

    thread = await hub.thread()
    assert (thread.status, thread.assigned_agent_id, thread.unread_count, thread.message_count) == (
        ConversationStatus.ESCALATED,
        7,
        0,
        2,
    )
    assert (row.status, row.class_, row.content["origin"]) == (MessageStatus.PENDING, Class.REPLY, {"by": "person"})
    await hub.outbox.work()
    assert hub.whatsapp.texts == ["At your service"]
    (line,) = await hub.see(lambda uow: uow.audit.listed())
    assert (line.actor, line.action) == ("ann", "conversation.reply")


async def test_a_closed_window_is_said_so(hub: Rooms) -> None:
    """With the moment it closed; also when WhatsApp closed it, and when the customer never wrote."""
    await hub.hear("help")
    thread = await hub.thread()
    await hub.do(lambda uow: _closed(uow, thread.id))
    with pytest.raises(WindowClosedError):
        await hub.conversations.reply(thread.id, "late", agent=7, by="ann")
    await hub.hear("again")
    hub.clock.advance(24 * 3600)

    with pytest.raises(ConflictError) as refused:
        await hub.conversations.reply(thread.id, "late", agent=7, by="ann")

    assert refused.value.facts["code"] == "window_closed"
    assert str(refused.value.facts["closed_at"]) == "2026-03-03 11:59:00+00:00"


def _closed(uow: UnitOfWork, conversation_id: int) -> None:
    thread = uow.conversations.get(conversation_id, lock=True)
    assert thread is not None
    uow.conversations.save(thread.remembering(amended(thread.context, window_closed_at="x"), now=NOON))


async def test_reading_and_listing(hub: Rooms) -> None:
    """Latest first; a thread with its rows oldest first; opened by a person, nothing is unread."""
    await hub.hear("one")
    hub.clock.advance(5)
    await hub.hear("zwei", sender=BORIS)
    await hub.hear("drei", sender=BORIS)

    listed = await hub.conversations.listed()
    thread = await hub.conversations.show(listed[0].id)
    opened = await hub.conversations.seen(listed[0].id)

    assert [one.customer_phone for one in listed] == [BORIS, ANNA]
    assert [row.content["text"] for row in thread.messages] == ["zwei", "drei"]
    assert (thread.conversation.unread_count, opened.unread_count) == (2, 0)
    assert await hub.conversations.listed(status=ConversationStatus.ESCALATED) == []


async def test_taking_over_and_handing_back(hub: Rooms) -> None:
    """The dialogue goes on where the customer was; each step only where it makes sense."""
    await hub.hear("hi")
    thread = await hub.thread()

    taken = await hub.conversations.handoff(thread.id, by="ann")
    with pytest.raises(ForbiddenEventError):
        await hub.conversations.handoff(thread.id, by="bob")
    assigned = await hub.conversations.assign(thread.id, 7, by="ann")
    back = await hub.conversations.handback(thread.id, by="ann")
    with pytest.raises(ForbiddenEventError):
        await hub.conversations.handback(thread.id, by="ann")
    ended = await hub.conversations.resolve(thread.id, by="ann")

    assert (taken.status, taken.handoff["reason"]) == (ConversationStatus.ESCALATED, "operator")
    assert assigned.assigned_agent_id == 7
    assert (back.status, back.state, back.assigned_agent_id) == (ConversationStatus.ACTIVE, State.IDLE, None)
    assert ended.status is ConversationStatus.RESOLVED
    assert await hub.handling.work() == 1


async def test_a_thread_is_ended_once(hub: Rooms) -> None:
    """Whoever was not answered asks again: that changes nothing, and nobody has decided twice."""
    await hub.hear("hi")
    thread = await hub.thread()
    ended = await hub.conversations.resolve(thread.id, by="ann")
    hub.clock.advance(60)

    again = await hub.conversations.resolve(thread.id, by="ann")

    assert again == ended
    decided = await hub.do(lambda uow: uow.audit.listed())
    assert [line.action for line in decided] == ["conversation.resolve"]


@pytest.mark.parametrize(
    ("with_checkout", "with_cart", "state"),
    [
        (True, False, State.CHECKOUT_ADDRESS),
        (False, False, State.BROWSING),
        (False, True, State.CART_MANAGEMENT),
    ],
)
async def test_nobody_is_put_back_into_a_forgotten_question(
    hub: Rooms, state: State, *, with_checkout: bool, with_cart: bool
) -> None:
    """A checkout whose question is gone goes on at the cart, or at the shelves when that is empty."""
    from decimal import Decimal  # noqa: PLC0415 - only here

    from wch.domain.cart import CartItem  # noqa: PLC0415 - only here

    await hub.hear("hi")
    thread = await hub.thread()
    item = CartItem(
        product_id=5, quantity=1, price_at_add=Decimal(20), currency="USD", product_name="Lamp", added_at=NOON
    )
    empty = Cart.opened(ANNA, now=NOON)
    await hub.do(lambda uow: uow.carts.add(empty.added(item, now=NOON) if with_cart else empty))

    def into_checkout(uow: UnitOfWork) -> None:
        held = uow.conversations.get(thread.id, lock=True)
        assert held is not None
        moved = held.on(Event.START_CHECKOUT, State.CHECKOUT_ADDRESS, now=NOON)
        context = amended(moved.context, checkout={"step": "address"} if with_checkout else None)
        uow.conversations.save(moved.remembering(context, now=NOON))

    await hub.do(into_checkout)
    await hub.conversations.handoff(thread.id, by="ann")

    assert (await hub.conversations.handback(thread.id, by="ann")).state is state


async def test_a_thread_that_is_not_there(hub: Rooms) -> None:
    """Every act says so."""
    for act in (
        hub.conversations.show(9),
        hub.conversations.seen(9),
        hub.conversations.reply(9, "x", agent=1, by="ann"),
        hub.conversations.assign(9, 1, by="ann"),
    ):
        with pytest.raises(NotFoundError):
            await act


async def test_the_queue_is_oldest_first(hub: Rooms) -> None:
    """By when a person was called, not by who wrote last; taken ones are not in it; put back they are again."""
    for sender in (ANNA, BORIS):
        await hub.hear("help", sender=sender)
        await hub.conversations.handoff((await hub.thread(sender)).id, by="ann")
        hub.clock.advance(5)
    await hub.hear("hello?", sender=ANNA)
    anna, boris = await hub.thread(ANNA), await hub.thread(BORIS)

    assert [one.id for one in await hub.conversations.queue()] == [anna.id, boris.id]
    assert (await hub.conversations.unread(), await hub.conversations.unread(agent=0)) == ((2, 3), (2, 3))

    await hub.conversations.assign(anna.id, 7, by="ann")
    assert [one.id for one in await hub.conversations.queue()] == [boris.id]
    assert [one.id for one in await hub.conversations.listed(agent=7)] == [anna.id]
    assert [one.id for one in await hub.conversations.listed(unread=True)] == [boris.id]
    assert await hub.conversations.unread(7) == (0, 0)

    put_back = await hub.conversations.unassign(anna.id, by="ann")
    assert (put_back.status, put_back.assigned_agent_id) == (ConversationStatus.ESCALATED, None)


async def test_what_nobody_has_is_not_put_back(hub: Rooms) -> None:
    """Nothing changes, so nothing is noted of it; the answer is the thread as it is."""
    await hub.hear("help")
    anna = await hub.thread(ANNA)
    await hub.conversations.handoff(anna.id, by="ann")
    before = await hub.thread(ANNA)
    hub.clock.advance(5)

    assert await hub.conversations.unassign(anna.id, by="ann") == before
    assert await hub.thread(ANNA) == before
    assert [one.action for one in await hub.see(lambda uow: uow.audit.listed())] == ["conversation.handoff"]


async def test_searching_numbers_names_and_words(hub: Rooms) -> None:
    """A number in any spelling and a name find threads, words find messages, newest first."""
    await hub.post(
        {
            "messages": [said("Where is my Blue Lamp?")],
            "contacts": [{"wa_id": ANNA, "profile": {"name": "Anna Ölund"}}],
        }
    )
    await hub.hear("no lamp here", sender=BORIS)
    anna = await hub.thread(ANNA)

    for text in ("+1 650-555-1234", "ölund", "ANNA"):
        assert [hit.conversation.id for hit in await hub.conversations.search(text)] == [anna.id]
    hits = await hub.conversations.search("lamp")
    assert [hit.message.words for hit in hits if hit.message] == ["no lamp here", "Where is my Blue Lamp?"]
    first = hits[0].message
    assert first is not None
    older = await hub.conversations.search("lamp", before=first.id)
    assert [hit.message.words for hit in older if hit.message] == ["Where is my Blue Lamp?"]
    assert await hub.conversations.search("  ") == []
    assert await hub.conversations.search("34600000000") == []


async def test_notes_and_replies_written_in_advance(hub: Rooms) -> None:
    """A note is the customer's and never sent; a reply in advance knows the name and nothing else."""
    await hub.hear("hi")
    thread = await hub.thread()

    noted = await hub.conversations.note(thread.id, " prefers mornings ", by="ann")
    await hub.conversations.write_canned("hours", "We open at 9, {name}.", by="ann")
    row = await hub.conversations.reply(thread.id, agent=7, by="ann", canned="hours")

    assert [(one["by"], one["text"]) for one in noted.preferences["notes"]] == [("ann", "prefers mornings")]
    assert row.words == "We open at 9, ."
    assert [one.name for one in await hub.conversations.canned()] == ["hours"]
    await hub.conversations.remove_canned("hours", by="ann")
    with pytest.raises(NotFoundError):
        await hub.conversations.reply(thread.id, agent=7, by="ann", canned="hours")
    with pytest.raises(NotFoundError):
        await hub.conversations.remove_canned("hours", by="ann")
    with pytest.raises(UnusableTextError):
        await hub.conversations.note(thread.id, " ", by="ann")
    for name, text in (("Hours", "x"), ("hours", "{total}")):
        with pytest.raises(UnusableTextError):
            await hub.conversations.write_canned(name, text, by="ann")
    with pytest.raises(MessageLimitError):
        await hub.conversations.write_canned("empty", " ", by="ann")


async def test_opening_a_thread_shows_the_customer_that_it_was_read(hub: Rooms) -> None:
    """The latest row only, once, without showing that somebody writes."""
    await hub.hear("one", wa_id="w1")
    await hub.hear("two", wa_id="w2")
    thread = await hub.thread()

    for _ in range(2):
        await hub.conversations.seen(thread.id)

    assert hub.whatsapp.read == ["w2"]
    assert [row.read_at is not None for row in await hub.rows()] == [False, True]


async def test_a_persons_word_begins_the_time_anew(hub: Rooms) -> None:
    """The dialogue takes over 24 hours after the last word, not after the first."""
    await hub.hear("help")
    thread = await hub.thread()
    await hub.conversations.handoff(thread.id, by="ann")
    hub.clock.advance(20 * 3600)

    await hub.conversations.reply(thread.id, "still here", agent=7, by="ann")

    held = await hub.thread()
    spans = {"person": timedelta(hours=24), "phone_app": timedelta(hours=2)}
    assert not held.is_handoff_over(now=hub.clock.now() + timedelta(hours=23), **spans)
    assert held.is_handoff_over(now=hub.clock.now() + timedelta(hours=24), **spans)

"""A customer's line is taken in order, answered, and finished with its effects or not at all."""

import asyncio
from datetime import timedelta
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, BORIS, NUMBER, Hasty, Rooms, answering, parrot, rooms, said
from wch.adapters.memory import MemoryDatabase
from wch.application.dialogue.scene import Answer, SagaSignal, Scene
from wch.application.dialogue.turn import CartChanged
from wch.application.facts import LeaseLost
from wch.application.failpoints import Failpoints
from wch.application.handling import LOOKS_AGAIN
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, CartItem, total_of
from wch.domain.conversation import ConversationStatus, State
from wch.domain.dead_letter import Reason
from wch.domain.document import amended
from wch.domain.errors import StoreUnavailableError
from wch.domain.lease import TERM, Leasing, Work
from wch.domain.message import Class, Direction, MessageStatus
from wch.domain.placement import Placement
from wch.domain.saga import Saga
from wch.testing import NOON
from wch.testing.faults import Fault, Faults, NthCall

LEASE = TERM + timedelta(seconds=1)
"""A take stamps a second later than the row was, so that no two takes look alike."""


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def broken(_scene: Scene) -> Answer:
    raise RuntimeError


def lamp(price: str = "20.00") -> CartItem:
    from decimal import Decimal  # noqa: PLC0415 - only here

    return CartItem(
        product_id=5,
        quantity=1,
        price_at_add=Decimal(price),
        currency="USD",
        product_name="Blue Lamp",
        added_at=NOON,
    )


def cart_of(*items: CartItem) -> Cart:
    return attrs.evolve(Cart.opened(ANNA, now=NOON), items=items, total=total_of(items))


async def test_a_message_is_answered_in_one_transaction(hub: Rooms) -> None:
    """Row, reply and counters together: none is ever there without the others."""
    await hub.hear("hi", wa_id="wamid.1")

    assert await hub.handling.work() == 1

    question, reply = await hub.rows()
    assert question.status is MessageStatus.PROCESSED
    assert question.content["handled"] == {"at": "2026-03-02T12:00:00Z", "intent": "test", "answers": [reply.id]}
    assert (reply.status, reply.class_, reply.content["to"]) == (MessageStatus.PENDING, Class.REPLY, {"wa_id": ANNA})
    assert (reply.content["number"], reply.content["origin"]) == (NUMBER, {"by": "dialogue"})
    assert reply.expires_at == hub.clock.now() + timedelta(hours=24)
    thread = await hub.thread()
    assert (thread.message_count, thread.unread_count) == (2, 1)
    assert hub.whatsapp.read == ["wamid.1"]
    assert question.read_at == hub.clock.now()
    assert await hub.is_sound()


async def test_what_waits_together_is_answered_together(hub: Rooms) -> None:
    """One scene with all of it, in the order of acceptance."""
    for text in ("one", "two", "three"):
        await hub.hear(text)

    assert await hub.handling.work() == 3

    (scene,) = hub.assistant.scenes
    assert [one.content["text"] for one in scene.messages] == ["one", "two", "three"]
    assert scene.number == NUMBER


async def test_a_row_that_was_answered_by_a_later_one_has_no_answers(hub: Rooms) -> None:
    """Its account names the row that it was answered with."""
    await hub.hear("one")
    await hub.hear("two")

    async def together(scene: Scene) -> Answer:
        first, last = scene.messages
        return answering(scene, "both", accounts={first.id: {"with": last.id}, last.id: {"intent": "x"}})

    hub.assistant.script = together
    await hub.handling.work()

    first, last, reply = await hub.rows()
    assert "answers" not in first.content["handled"]
    assert last.content["handled"]["answers"] == [reply.id]


async def test_an_error_of_ours_is_tried_three_times(hub: Rooms) -> None:
    """After 5 and 30 seconds, then a dead letter, an apology and a person, together."""
    hub.assistant.script = broken
    await hub.hear("hi")

    tried = [await hub.handling.work()]
    for seconds in (4, 4, 20, 20):
        hub.clock.advance(seconds)
        tried.append(await hub.handling.work())

    assert tried == [1, 0, 1, 0, 1]
    row, apology = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.DEAD, 3)
    assert apology.content["body"]["text"]["body"] == "sorry"
    (letter,) = await hub.letters()
    assert (letter.reason, letter.attempts, letter.args["id"]) == (Reason.EXCEPTION, 3, row.id)
    thread = await hub.thread()
    assert (thread.status, thread.handoff["reason"]) == (ConversationStatus.ESCALATED, "error")
    assert await hub.is_sound()


async def test_the_next_message_is_taken_after_a_death(hub: Rooms) -> None:
    """The line is the customer's: a dead head holds up nobody."""
    hub.assistant.script = broken
    await hub.hear("kills")
    for _ in range(3):
        await hub.handling.work()
        hub.clock.advance(60)
    hub.assistant.script = parrot

    await hub.hear("next")

    assert await hub.handling.work() == 1
    assert (await hub.rows())[2].status is MessageStatus.PROCESSED


async def test_after_a_first_try_one_row_at_a_time(hub: Rooms) -> None:
    """A message that breaks everything must not use up the attempts of those behind it."""

    async def picky(scene: Scene) -> Answer:
        if any(one.content["text"] == "kills" for one in scene.messages):
            raise RuntimeError
        return answering(scene, "fine")

    hub.assistant.script = picky
    for text in ("kills", "innocent", "innocent too"):
        await hub.hear(text)

    for _ in range(6):
        await hub.handling.work()
        hub.clock.advance(60)

    rows = [row for row in await hub.rows() if row.content.get("class") is None]
    assert [row.status for row in rows] == [MessageStatus.DEAD, MessageStatus.PROCESSED, MessageStatus.PROCESSED]
    assert [row.retry_count for row in rows] == [3, 2, 2]


async def take_only(hub: Rooms) -> Any:
    """A worker that takes a line and dies."""
    thread = await hub.thread()
    return await hub.do(lambda uow: hub.handling._take(uow, thread.id))  # noqa: SLF001 - dying in the middle


async def test_a_dead_workers_line_is_taken_over(hub: Rooms) -> None:
    """Within the lease nobody touches it, after it anybody may."""
    await hub.hear("hi")
    await take_only(hub)

    assert await hub.handling.work() == 0
    hub.clock.advance(LEASE)
    assert await hub.handling.work() == 1
    assert (await hub.rows())[0].retry_count == 2


async def test_three_lost_leases_are_a_crash(hub: Rooms) -> None:
    """A message that kills its worker reaches the dead letters."""
    await hub.hear("kills")
    for _ in range(3):
        await take_only(hub)
        hub.clock.advance(LEASE)

    assert await hub.handling.work() == 1

    (letter,) = await hub.letters()
    assert (letter.reason, letter.attempts) == (Reason.CRASH, 3)
    assert [row.status for row in await hub.rows()] == [MessageStatus.DEAD, MessageStatus.PENDING]


async def test_a_last_attempt_after_lost_leases_is_made_alone(hub: Rooms) -> None:
    """Who was only in the same hands as a message that kills its worker must not die of it a third time."""
    at_once: list[set[str]] = []
    thinking: set[str] = set()

    async def noting(scene: Scene) -> Answer:
        thinking.add(scene.profile.phone)
        at_once.append(set(thinking))
        await asyncio.sleep(0)
        thinking.discard(scene.profile.phone)
        return answering(scene, "fine")

    hub.assistant.script = noting
    people = [f"3460000000{n}" for n in range(4)]
    for person in people[:2]:
        await hub.hear("hi", sender=person)
    for _ in range(2):
        for thread in await hub.do(lambda uow: uow.conversations.listed()):
            await hub.do(lambda uow, of=thread.id: hub.handling._take(uow, of))  # type: ignore[misc]  # noqa: SLF001 - dying in the middle
        hub.clock.advance(LEASE)
    for person in people[2:]:
        await hub.hear("hi", sender=person)

    assert await hub.handling.work() == 4

    assert at_once[:2] == [{people[0]}, {people[1]}], "each of these may be the one"
    assert {frozenset(one) for one in at_once[2:]} == {frozenset(people[2:3]), frozenset(people[2:])}, (
        "nobody else waits"
    )


async def test_a_zombie_writes_nothing(hub: Rooms) -> None:
    """A worker that was paused beyond its lease finishes nothing that another has finished."""
    await hub.hear("hi")
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(scene: Scene) -> Answer:
        entered.set()
        await go_on.wait()
        return answering(scene, "late")

    hub.assistant.script = slow
    zombie = asyncio.create_task(hub.handling.work())
    await entered.wait()
    hub.clock.advance(LEASE)
    hub.assistant.script = parrot
    assert await hub.handling.work() == 1

    go_on.set()
    await zombie

    assert [row.content["body"]["text"]["body"] for row in (await hub.rows())[1:]] == ["you said hi"]
    assert hub.facts.count(LeaseLost(work="inbound")) == 1


async def test_a_late_failure_is_no_failure(hub: Rooms) -> None:
    """An error after the lease was lost takes nothing from the new holder."""
    await hub.hear("hi")
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_scene: Scene) -> Answer:
        entered.set()
        await go_on.wait()
        raise RuntimeError

    hub.assistant.script = slow
    zombie = asyncio.create_task(hub.handling.work())
    await entered.wait()
    hub.clock.advance(LEASE)
    hub.assistant.script = parrot
    await hub.handling.work()

    go_on.set()
    await zombie

    assert (await hub.rows())[0].status is MessageStatus.PROCESSED


async def test_two_workers_share_no_line(hub: Rooms) -> None:
    """One answer for each message, in order, however many workers there are."""
    for n in range(5):
        await hub.hear(f"a{n}")
        await hub.hear(f"b{n}", sender=BORIS)

    done = await asyncio.gather(*(hub.handling.work() for _ in range(4)))

    assert sum(done) == 10
    assert len(hub.assistant.scenes) == 2


async def test_a_slow_customer_holds_up_nobody(hub: Rooms) -> None:
    """While one dialogue thinks, messages that come meanwhile are answered."""
    release = asyncio.Event()

    async def slow_for_anna(scene: Scene) -> Answer:
        if scene.profile.phone == ANNA:
            await release.wait()
        return answering(scene, "done")

    hub.assistant.script = slow_for_anna
    await hub.hear("hi")
    working = asyncio.create_task(hub.handling.work())
    await asyncio.sleep(0.01)
    await hub.hear("hallo", sender=BORIS)
    await asyncio.sleep(LOOKS_AGAIN * 1.5)

    assert [row.status for row in await hub.rows(BORIS)] == [MessageStatus.PROCESSED, MessageStatus.PENDING]
    assert (await hub.rows())[0].status is MessageStatus.PROCESSING
    release.set()
    assert await working == 2


async def test_lines_that_wait_hide_no_other() -> None:
    """Many customers in back-off must not fill the places of those whose turn it is."""
    hub = rooms(most_at_once=2)

    async def fails_for_many(scene: Scene) -> Answer:
        if scene.profile.phone.startswith("49000"):
            raise RuntimeError
        return answering(scene, "fine")

    hub.assistant.script = fails_for_many
    for n in range(7):
        await hub.hear("hi", sender=f"49000{n}")
    await hub.handling.work()
    await hub.hear("hi")

    assert await hub.handling.work() == 1


async def test_a_scene_that_changed_is_looked_at_again(hub: Rooms) -> None:
    """The dialogue decides about what is there, not about what was."""
    await hub.hear("hi")

    async def meanwhile(scene: Scene) -> Answer:
        if len(hub.assistant.scenes) == 1:
            await hub.do(lambda uow: uow.carts.add(cart_of(lamp())))
        return answering(scene, f"cart {scene.cart is not None}")

    hub.assistant.script = meanwhile
    await hub.handling.work()

    assert (await hub.rows())[-1].content["body"]["text"]["body"] == "cart True"


@pytest.mark.parametrize("what", ["thread", "profile", "cart"])
async def test_a_scene_that_never_stands_still_is_given_back(hub: Rooms, what: str) -> None:
    """After three looks the row waits again, and its attempt is given back."""
    await hub.hear("hi")
    await hub.do(lambda uow: uow.carts.add(cart_of(lamp())))

    def change(uow: UnitOfWork, turn: int) -> None:
        now = hub.clock.now()
        profile = uow.customers.lock(ANNA, now=now)
        thread = uow.conversations.latest_of(ANNA, lock=True)
        cart = uow.carts.of(ANNA, lock=True)
        assert thread is not None
        assert cart is not None
        if what == "thread":
            uow.conversations.save(thread.remembering(amended(thread.context, turn=turn), now=now))
        elif what == "profile":
            uow.customers.save(attrs.evolve(profile, preferences=amended(profile.preferences, turn=turn)))
        else:
            uow.carts.save(attrs.evolve(cart, coupon_code=f"C{turn}"))

    async def restless(scene: Scene) -> Answer:
        await hub.do(lambda uow: change(uow, len(hub.assistant.scenes)))
        return answering(scene, "never")

    hub.assistant.script = restless
    assert await hub.handling.work() == 0

    assert len(hub.assistant.scenes) == 3
    (row,) = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.RECEIVED, 0)


async def test_counters_and_new_messages_change_no_scene(hub: Rooms) -> None:
    """A message that comes while the dialogue thinks waits behind, and throws nothing away."""
    await hub.hear("one")

    async def interrupted(scene: Scene) -> Answer:
        if len(hub.assistant.scenes) == 1:
            await hub.hear("two")
        return answering(scene, "fine")

    hub.assistant.script = interrupted

    assert await hub.handling.work() == 2
    assert [len(scene.messages) for scene in hub.assistant.scenes] == [1, 1]
    assert (await hub.thread()).message_count == 4


async def test_what_ingress_learnt_meanwhile_stays(hub: Rooms) -> None:
    """The dialogue writes only what it changed: a name that came meanwhile is kept."""
    await hub.hear("one")

    async def interrupted(scene: Scene) -> Answer:
        if len(hub.assistant.scenes) == 1:
            await hub.post({"contacts": [{"wa_id": ANNA, "profile": {"name": "New"}}], "messages": [said("two")]})
        return answering(scene, profile=attrs.evolve(scene.profile, email="a@b.example"))

    hub.assistant.script = interrupted
    await hub.handling.work()

    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert (profile.name, profile.email) == ("New", "a@b.example")


async def test_observers_hear_the_id_that_a_new_cart_got(hub: Rooms) -> None:
    """The dialogue cannot know it, and nobody can look up a cart without."""

    async def adds(scene: Scene) -> Answer:
        facts = (CartChanged(cart_id=0 if scene.cart is None else scene.cart.id),)
        return answering(scene, "adding", cart=scene.cart or cart_of(lamp()), facts=facts)

    hub.assistant.script = adds
    for text in ("one", "another"):
        await hub.hear(text)
        await hub.handling.work()

    cart = await hub.see(lambda uow: uow.carts.of(ANNA))
    assert cart.id
    assert hub.facts.count(CartChanged(cart_id=cart.id)) == 2


async def test_everything_that_an_answer_means_is_applied(hub: Rooms) -> None:
    """State, cart, placement, signal, view and facts; the second tap finds the placement begun."""
    saga = Saga.begun("order-9-9", "OrderPlacement", {}, now=NOON)
    await hub.do(lambda uow: uow.sagas.add(saga))

    async def buys(scene: Scene) -> Answer:
        return answering(
            scene,
            "placing",
            conversation=attrs.evolve(scene.conversation, state=State.AWAITING_PAYMENT),
            cart=scene.cart or cart_of(lamp()),
            placement=Placement(saga_id="order-1-1", context={"note": ""}),
            signals=(SagaSignal(saga_id="order-9-9", kind="look_up"), SagaSignal(saga_id="order-0-0", kind="look_up")),
            viewed=(5, 5),
            facts=("bought",),
        )

    hub.assistant.script = buys
    await hub.hear("confirm")
    await hub.handling.work()
    await hub.hear("confirm")
    await hub.handling.work()

    placed = await hub.see(lambda uow: uow.sagas.get("order-1-1"))
    signalled = await hub.see(lambda uow: uow.sagas.get("order-9-9"))
    views = await hub.see(lambda uow: uow.views.of(ANNA, since=NOON))
    cart = await hub.see(lambda uow: uow.carts.of(ANNA))
    assert (placed.saga_type, placed.context["version"]) == ("OrderPlacement", 1)
    assert len(signalled.signals("look_up")) == 2
    assert [view.product_id for view in views] == [5]
    assert cart.items[0].product_name == "Blue Lamp"
    assert (await hub.thread()).state is State.AWAITING_PAYMENT
    assert hub.facts.count("bought") == 2
    assert hub.assistant.scenes[1].placement is None
    hub.clock.advance(3600)
    await hub.hear("again")
    await hub.handling.work()
    assert len(await hub.see(lambda uow: uow.views.of(ANNA, since=NOON))) == 2


async def test_the_scene_shows_the_placement_and_the_latest_word(hub: Rooms) -> None:
    """The saga of the cart's name, else the one that the thread remembers; our newest row; replaced texts."""
    cart = await hub.do(lambda uow: uow.carts.add(cart_of(lamp())))
    await hub.do(lambda uow: uow.sagas.add(Saga.begun(cart.saga_id, "OrderPlacement", {}, now=NOON)))
    await hub.do(lambda uow: uow.options.put("text.menu.en", {"text": "Welcome"}))
    await hub.hear("hi")
    await hub.handling.work()
    await hub.hear("hi")
    await hub.handling.work()

    first, second = hub.assistant.scenes
    assert first.placement is not None
    assert first.placement.saga_id == cart.saga_id
    assert (first.latest_outbound, first.texts) == (None, {"menu.en": "Welcome"})
    assert second.latest_outbound is not None

    await hub.do(lambda uow: uow.sagas.add(Saga.begun("order-7-7", "OrderPlacement", {}, now=NOON)))

    def remember(uow: UnitOfWork) -> None:
        thread = uow.conversations.latest_of(ANNA, lock=True)
        held = uow.carts.of(ANNA, lock=True)
        assert thread is not None
        assert held is not None
        uow.carts.save(held.renewed(now=NOON))
        context = amended(thread.context, order={"saga_id": "order-7-7"})
        uow.conversations.save(thread.remembering(context, now=NOON))

    await hub.do(remember)
    await hub.hear("hi")
    await hub.handling.work()
    third = hub.assistant.scenes[2]
    assert third.placement is not None
    assert third.placement.saga_id == "order-7-7"


async def test_a_person_has_it_and_nobody_is_shown_as_writing(hub: Rooms) -> None:
    """No receipt while a person has the thread, none for a reaction, none when receipts are off."""
    await hub.hear("hi")
    thread = await hub.thread()
    await hub.conversations.assign(thread.id, 7, by="cli")
    await hub.handling.work()
    reaction = {"message_id": "wamid.x", "emoji": "👍"}
    await hub.post({"messages": [{**said("", sender=BORIS), "type": "reaction", "reaction": reaction}]})
    await hub.handling.work()

    assert hub.whatsapp.read == []


async def test_a_receipt_that_fails_fails_nothing(hub: Rooms) -> None:
    """Best effort: no row, no retry, never a failure of the message."""

    async def fails(*_given: Any, **_named: Any) -> bool:
        raise RuntimeError

    hub.whatsapp.mark_read = fails  # type: ignore[method-assign]  # wrong on purpose, or narrower than mypy can see
    await hub.hear("hi")

    assert await hub.handling.work() == 1
    assert (await hub.rows())[0].read_at is None


async def test_what_is_down_is_not_told_that_something_was_read(hub: Rooms) -> None:
    """While WhatsApp's breaker is open no call is made, and one that nothing depends on is no probe either."""
    await hub.breakers.open("whatsapp", by="ann")
    await hub.hear("hi")
    await hub.handling.work()
    await hub.conversations.seen((await hub.thread()).id)
    during = list(hub.whatsapp.read)
    await hub.breakers.close("whatsapp", by="ann")
    await hub.hear("hi")
    await hub.handling.work()

    assert during == []
    assert len(hub.whatsapp.read) == 1


async def test_an_unreadable_row_uses_up_its_own_attempts() -> None:
    """What cannot be read is decoded after the take, and stops nobody."""
    hub = rooms()
    await hub.hear("broken")
    await hub.hear("fine")
    (bad, _) = await hub.rows()
    scene = type(hub.handling)._scene  # noqa: SLF001 - a row whose JSON is broken

    def unreadable(self: Any, uow: UnitOfWork, taken: Any) -> Scene:
        if any(lease.id == bad.id for lease in taken.leases):
            raise ValueError
        return scene(self, uow, taken)

    monkey = pytest.MonkeyPatch()
    monkey.setattr(type(hub.handling), "_scene", unreadable)
    try:
        for _ in range(6):
            await hub.handling.work()
            hub.clock.advance(60)
    finally:
        monkey.undo()

    first, second, *_ = await hub.rows()
    assert (first.status, second.status) == (MessageStatus.DEAD, MessageStatus.PROCESSED)


async def test_a_row_that_is_gone_is_an_error_like_any_other(hub: Rooms) -> None:
    """A lease without its row is let go."""
    await hub.hear("hi")
    thread, (row,) = await hub.thread(), await hub.rows()

    async def vanishing(scene: Scene) -> Answer:
        def gone(uow: UnitOfWork) -> None:
            uow.messages.get(row.id, lock=True)
            uow.messages.remove(row.id)

        await hub.do(gone)
        return answering(scene)

    hub.assistant.script = vanishing
    assert await hub.handling.work() == 1
    assert (await hub.thread()).id == thread.id


async def test_a_cancelled_pass_gives_back_what_it_holds(hub: Rooms) -> None:
    """On stopping, the attempt is given back and the message waits for the next worker."""
    entered = asyncio.Event()

    async def endless(_scene: Scene) -> Answer:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError

    hub.assistant.script = endless
    await hub.hear("hi")
    working = asyncio.create_task(hub.handling.work())
    await entered.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    (row,) = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.RECEIVED, 0)
    hub.assistant.script = parrot
    hub.clock.advance(1)
    assert await hub.handling.work() == 1


async def test_nothing_is_begun_at_closing_time(hub: Rooms) -> None:
    """Once the worker was told to stop, nothing more is taken."""
    await hub.hear("hi")
    hub.bell.close()

    assert await hub.handling.work() == 0
    hub.bell.reopen()
    assert await hub.handling.work() == 1


async def test_leases_are_renewed_while_the_dialogue_thinks(hub: Rooms) -> None:
    """A slow answer is not taken over; it is finished under the renewed stamp."""
    hub.handling = attrs.evolve(hub.handling, leasing=Hasty())
    await hub.hear("hi")

    async def slow(scene: Scene) -> Answer:
        for _ in range(4):
            hub.clock.advance(20)
            await asyncio.sleep(0.02)
        return answering(scene, "at last")

    hub.assistant.script = slow

    assert await hub.handling.work() == 1
    row, _ = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.PROCESSED, 1)


async def test_renewing_stops_when_the_lease_is_lost(hub: Rooms) -> None:
    """Whoever lost the lease does not fight for it."""
    hub.handling = attrs.evolve(hub.handling, leasing=Hasty())
    await hub.hear("hi")
    (row,) = await hub.rows()

    async def robbed(scene: Scene) -> Answer:
        before = Work(id=row.id, status="processing", attempts=1, stamp=scene.messages[0].updated_at)
        await hub.do(lambda uow: uow.messages.move(before, before.taken("processing", now=hub.clock.now())))
        await asyncio.sleep(0.02)
        return answering(scene, "too late")

    hub.assistant.script = robbed
    await hub.handling.work()

    (row,) = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.PROCESSING, 2)


class Flaky:
    """A store that refuses transactions while it is told to."""

    def __init__(self, hub: Rooms) -> None:
        self.store: Any = hub.database
        self.refuses = False

    async def transact(self, work: Any) -> Any:
        if self.refuses:
            raise StoreUnavailableError
        return await self.store.transact(work)

    async def read(self, work: Any) -> Any:
        return await self.store.read(work)

    async def forget(self) -> bool:
        return True

    def redone(self) -> dict[str, int]:
        return {}

    async def clock_offset(self) -> Any:
        return timedelta(0)

    async def aclose(self) -> None:
        return None


async def test_a_store_that_is_away_loses_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Taking, renewing, finishing and giving back may all fail: the lease runs out, and somebody else goes on."""
    store = Flaky(rooms())
    hub = rooms(database=store, leasing=Hasty())
    await hub.hear("hi")
    store.refuses = True
    assert await hub.handling.work() == 0
    store.refuses = False

    async def away(scene: Scene) -> Answer:
        store.refuses = True
        await asyncio.sleep(0.02)
        return answering(scene, "lost")

    hub.assistant.script = away
    assert await hub.handling.work() == 0
    store.refuses = False
    assert "an inbound message is left to its lease" in caplog.messages
    assert (await hub.rows())[0].status is MessageStatus.PROCESSING
    hub.assistant.script = parrot
    hub.clock.advance(LEASE)

    assert await hub.handling.work() == 1
    assert await hub.is_sound()


class Impatient(Hasty):
    """Gives up soon after its last renewal."""

    @property
    def given_up_after(self) -> timedelta:
        return timedelta(seconds=0.03)


async def test_who_cannot_renew_stops_before_others_may_take_over(caplog: pytest.LogCaptureFixture) -> None:
    """Thinking ends at two thirds of the term after the last renewal; the row is left to its lease, unanswered."""
    store = Flaky(rooms())
    hub = rooms(database=store, leasing=Impatient())
    await hub.hear("hi")

    async def endless(scene: Scene) -> Answer:
        store.refuses = True
        await asyncio.Event().wait()
        return answering(scene, "never said")

    hub.assistant.script = endless
    assert await hub.handling.work() == 1
    store.refuses = False

    (row,) = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.PROCESSING, 1)
    assert "inbound lease lost" in caplog.messages


async def test_a_time_out_of_the_dialogues_own_is_an_error_of_ours(hub: Rooms) -> None:
    """It is no lost lease: the row goes back, one attempt older."""
    await hub.hear("hi")

    async def late(_scene: Scene) -> Answer:
        raise TimeoutError

    hub.assistant.script = late
    await hub.handling.work()

    (row,) = await hub.rows()
    assert (row.status, row.retry_count) == (MessageStatus.RECEIVED, 1)


async def test_a_shorter_lease_is_taken_over_sooner_and_other_waits_hold() -> None:
    """Both are settings: what is set is what is kept."""
    hub = rooms(leasing=Leasing(term=timedelta(seconds=10), waits=(100,)))
    await hub.hear("hi")
    (row,) = await hub.rows()
    before = Work(id=row.id, status="received", attempts=0, stamp=row.updated_at)
    await hub.do(lambda uow: uow.messages.move(before, before.taken("processing", now=hub.clock.now())))
    hub.clock.advance(9)
    assert await hub.handling.work() == 0
    hub.clock.advance(2)

    async def broken(_scene: Scene) -> Answer:
        raise ValueError

    hub.assistant.script = broken
    assert await hub.handling.work() == 1
    hub.assistant.script = parrot
    hub.clock.advance(70)
    assert await hub.handling.work() == 0
    hub.clock.advance(60)

    assert await hub.handling.work() == 1
    assert (await hub.rows())[0].status is MessageStatus.PROCESSED


@pytest.mark.parametrize("place", ["inbound.taken", "inbound.before_finish"])
async def test_a_fault_before_the_finish_leaves_no_effects(place: str) -> None:
    """Everything or nothing: the second try answers once."""
    hub = rooms(failpoints=Failpoints.read(f"{place}=raise", testing=True))
    await hub.hear("hi")

    await hub.handling.work()
    assert len(await hub.rows()) == 1
    hub.clock.advance(60)
    await hub.handling.work()

    assert [row.status for row in await hub.rows()] == [MessageStatus.PROCESSED, MessageStatus.PENDING]


async def test_a_fault_after_the_finish_repeats_nothing() -> None:
    """What is committed is done, whatever happens to the worker then."""
    hub = rooms(failpoints=Failpoints.read("inbound.finished=raise", testing=True))
    await hub.hear("hi")

    for _ in range(3):
        await hub.handling.work()
        hub.clock.advance(60)

    assert len(await hub.rows()) == 2


async def test_an_error_outside_a_line_is_told_and_passes(hub: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    """A take that breaks is logged; the next pass finds the line as it was."""

    def breaks(*_given: Any) -> None:
        raise RuntimeError

    await hub.hear("hi")
    monkeypatch.setattr(type(hub.handling), "_take", breaks)
    assert await hub.handling.work() == 0
    monkeypatch.undo()
    assert await hub.handling.work() == 1


async def test_a_line_of_nobody_is_left_alone(hub: Rooms) -> None:
    """A thread or a profile that is gone between the look and the take is somebody else's business."""
    assert await hub.do(lambda uow: hub.handling._take(uow, 99)) is None  # noqa: SLF001 - gone meanwhile
    await hub.hear("hi")
    thread = await hub.thread()
    await hub.handling.work()
    assert await hub.do(lambda uow: hub.handling._take(uow, thread.id)) is None  # noqa: SLF001 - done meanwhile

    class Held:
        conversations = None

    def held(uow: Any) -> Any:
        holder = Held()
        holder.conversations = uow.conversations
        holder.customers = type("Customers", (), {"lock_if_free": lambda _self, _phone: None})()  # type: ignore[attr-defined]  # wrong on purpose, or narrower than mypy can see
        return hub.handling._take(holder, thread.id)  # type: ignore[arg-type]  # noqa: SLF001 - held by another

    assert await hub.do(held) is None


async def test_a_dead_row_of_a_resolved_thread_is_not_apologised_for(hub: Rooms) -> None:
    """Nobody is called into a thread that a person has ended."""
    await hub.hear("hi")
    thread = await hub.thread()
    await hub.conversations.resolve(thread.id, by="cli")
    hub.assistant.script = broken
    for _ in range(3):
        await hub.handling.work()
        hub.clock.advance(60)

    (row,) = await hub.rows()
    assert row.status is MessageStatus.DEAD
    assert (await hub.thread()).status is ConversationStatus.RESOLVED


async def test_a_customer_who_is_gone_is_let_go(hub: Rooms) -> None:
    """No profile, no scene: the lease is left to run out."""
    await hub.hear("hi")
    taken = await take_only(hub)
    assert isinstance(taken.leases[0], Work)
    taken.phone = "4900"

    with pytest.raises(Exception, match="Somebody else holds"):
        await hub.see(lambda uow: hub.handling._scene(uow, taken))  # noqa: SLF001 - the customer is gone


async def test_a_store_that_is_away_costs_a_message_nothing() -> None:
    """Three hiccups of a database are no fault of the customer's words: they must not end among the dead letters."""
    store = MemoryDatabase()
    hub = rooms(database=Faults(plan=NthCall(Fault.ERROR, at=0)).database(store))
    await hub.hear("hi")
    for _ in range(4):
        hub.clock.advance(5)
        away = NthCall(Fault.ERROR, at=3, of="database.")  # heads, take, and then the scene cannot be read
        hub.handling = attrs.evolve(hub.handling, database=Faults(plan=away).database(store))
        assert await hub.handling.work() == 0
        assert away.was_reached

    hub.clock.advance(5)
    hub.handling = attrs.evolve(hub.handling, database=store)
    await hub.handling.work()

    assert await hub.letters() == []
    (heard, answer) = await hub.rows()
    assert (heard.status, heard.retry_count) == (MessageStatus.PROCESSED, 1)
    assert answer.direction is Direction.OUTBOUND


async def test_words_in_pieces_are_answered_together() -> None:
    """With `gather_seconds` nothing is taken before the customer rests, and then all of it."""
    hub = rooms(gather=3)
    await hub.hear("do you have")
    hub.clock.advance(2)
    await hub.hear("umbrellas?")

    hub.clock.advance(2)
    assert await hub.handling.work() == 0
    hub.clock.advance(1)
    assert await hub.handling.work() == 2

    assert [len(scene.messages) for scene in hub.assistant.scenes] == [2]


async def test_what_was_handled_may_be_fetched_ahead() -> None:
    """After the commit, whatever it was; the one who fetches knows what has a file."""
    hub = rooms()
    await hub.hear("hi")
    assert hub.fetched_ahead == []

    await hub.handling.work()

    assert [one.content["text"] for one in hub.fetched_ahead] == ["hi"]

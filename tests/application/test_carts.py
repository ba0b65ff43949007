"""Carts are left lying, and end; each change is made of the cart as it stands, and told once."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.carts import PAGE, Carts
from wch.application.facts import CartAbandoned
from wch.application.ports import UnitOfWork
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.conversation import Conversation, ConversationStatus
from wch.domain.errors import NotFoundError, TransitionError
from wch.domain.placement import PLACEMENT
from wch.domain.saga import Saga
from wch.testing import NOON, FrozenClock

R = TypeVar("R")
ANNA = "16505551234"
IDLE = timedelta(minutes=65)


@attrs.define(kw_only=True)
class Room:
    """Carts, their store, and what was told."""

    carts: Carts
    clock: FrozenClock
    database: MemoryDatabase
    told: list[object]

    async def fill(self, phone: str = ANNA, *, empty: bool = False) -> Cart:
        """A customer fills a cart, and leaves."""
        now = self.clock.now()
        item = CartItem(
            product_id=1, quantity=1, price_at_add=Decimal(5), currency="EUR", product_name="Mug", added_at=now
        )

        def work(uow: UnitOfWork) -> Cart:
            uow.customers.lock(phone, now=now)
            cart = uow.carts.of(phone, lock=True) or uow.carts.add(Cart.opened(phone, now=now))
            filled = cart if empty else cart.added(item, now=now)
            uow.carts.save(filled)
            return filled

        return await self.database.transact(work)

    async def cart(self, phone: str = ANNA) -> Cart:
        found = await self.database.read(lambda uow: uow.carts.of(phone))
        assert found is not None
        return found

    async def reminders(self) -> int:
        found = await self.database.read(lambda uow: uow.reengagements.of(ANNA, since=NOON - timedelta(days=9)))
        return len(found)


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def room(request: pytest.FixtureRequest) -> Room:
    store, clock, told = MemoryDatabase(twice=request.param), FrozenClock(), list[object]()
    carts = Carts(database=store, clock=clock, tell=told.append, idle=IDLE)
    return Room(carts=carts, clock=clock, database=store, told=told)


# --- abandoned


async def test_a_cart_is_abandoned_after_its_idle_time_and_not_before(room: Room) -> None:
    """It is told once, and one reminder row is written for this name."""
    cart = await room.fill()
    room.clock.advance(IDLE - timedelta(seconds=1))
    assert await room.carts.work() == 0
    room.clock.advance(1)

    assert await room.carts.work() == 1
    assert await room.carts.work() == 0

    left = await room.cart()
    assert (left.status, left.abandoned_at, left.updated_at) == (CartStatus.ABANDONED, room.clock.now(), NOON)
    assert room.told == [CartAbandoned(cart_id=cart.id)]
    assert await room.reminders() == 1


async def test_a_cart_that_is_left_twice_under_one_name_has_one_reminder(room: Room) -> None:
    """The sequence belongs to the cart's name; the next cart has one of its own."""
    await room.fill()
    room.clock.advance(IDLE)
    await room.carts.work()
    await room.fill()
    room.clock.advance(IDLE)
    await room.carts.work()
    assert await room.reminders() == 1

    await room.database.transact(lambda uow: _renew(uow, room.clock))
    room.clock.advance(IDLE)
    await room.carts.work()

    assert await room.reminders() == 2


def _renew(uow: UnitOfWork, clock: FrozenClock) -> None:
    cart = uow.carts.of(ANNA, lock=True)
    assert cart is not None
    uow.carts.save(cart.renewed(now=clock.now(), keep_items=True))


async def test_an_empty_cart_is_not_left_lying(room: Room) -> None:
    """There is nothing to remind anybody of."""
    await room.fill(empty=True)
    room.clock.advance(IDLE)

    assert await room.carts.work() == 0


def wrote(uow: UnitOfWork, now: FrozenClock) -> None:
    profile = uow.customers.lock(ANNA, now=now.now())
    uow.customers.save(attrs.evolve(profile, last_interaction_at=now.now() - IDLE + timedelta(seconds=1)))


def with_a_person(uow: UnitOfWork, now: FrozenClock) -> None:
    uow.customers.lock(ANNA, now=now.now())
    uow.conversations.add(
        Conversation(
            customer_phone=ANNA, status=ConversationStatus.ESCALATED, created_at=now.now(), updated_at=now.now()
        )
    )


def ordering(uow: UnitOfWork, now: FrozenClock) -> None:
    cart = uow.carts.of(ANNA)
    assert cart is not None
    uow.sagas.add(Saga.begun(cart.saga_id, PLACEMENT, {}, now=now.now()))


@pytest.mark.parametrize("happens", [wrote, with_a_person, ordering])
async def test_a_cart_is_not_abandoned_while_its_customer_is_there(
    room: Room, happens: Callable[[UnitOfWork, FrozenClock], None]
) -> None:
    """Just wrote, talks to a person, or waits for the order: nobody has left."""
    await room.fill()
    room.clock.advance(IDLE)
    await room.database.transact(lambda uow: happens(uow, room.clock))

    assert await room.carts.work() == 0
    assert (await room.cart()).status is CartStatus.ACTIVE
    assert room.told == []


async def test_a_customer_who_was_here_long_ago_or_whose_order_failed_has_left(room: Room) -> None:
    """A placement that has ended, and a thread that nobody holds, keep nothing."""
    await room.fill()
    cart = await room.cart()

    def work(uow: UnitOfWork) -> None:
        profile = uow.customers.lock(ANNA, now=NOON)
        uow.customers.save(attrs.evolve(profile, last_interaction_at=NOON))
        uow.conversations.add(Conversation(customer_phone=ANNA, created_at=NOON, updated_at=NOON))
        ended = (
            Saga.begun(cart.saga_id, PLACEMENT, {}, now=NOON).turned_back(now=NOON, reason="x").compensated(now=NOON)
        )
        uow.sagas.add(ended)

    await room.database.transact(work)
    room.clock.advance(IDLE)

    assert await room.carts.work() == 1


class Meanwhile(MemoryDatabase):
    """Something happens between the look and the deed."""

    happens: Callable[[UnitOfWork], object] | None = None

    async def transact(self, work: Callable[[UnitOfWork], R]) -> R:
        happens, self.happens = self.happens, None
        if happens is not None:
            await super().transact(happens)
        return await super().transact(work)


@pytest.mark.parametrize("after", [IDLE, timedelta(hours=73)])
async def test_a_customer_who_comes_back_in_that_moment_keeps_the_cart(after: timedelta) -> None:
    """What is decided is decided about the row under its lock, not about the one that was seen."""
    store, clock, told = Meanwhile(), FrozenClock(), list[object]()
    room = Room(
        carts=Carts(database=store, clock=clock, tell=told.append, idle=IDLE), clock=clock, database=store, told=told
    )
    await room.fill()
    if after > IDLE:
        clock.advance(IDLE)
        await room.carts.work()
        told.clear()
    clock.advance(after)
    store.happens = lambda uow: _touch(uow, clock)

    assert await room.carts.work() == 0
    assert (await room.cart()).status is CartStatus.ACTIVE
    assert told == []


def _touch(uow: UnitOfWork, clock: FrozenClock) -> None:
    cart = uow.carts.of(ANNA, lock=True)
    assert cart is not None
    uow.carts.save(cart.touched(now=clock.now()))


async def test_carts_that_may_not_be_abandoned_do_not_hold_up_those_behind_them(room: Room) -> None:
    """A page full of customers who are with a person would else keep every later cart from its reminder."""
    phones = [f"49151{number:08}" for number in range(PAGE)]
    for phone in phones:
        await room.fill(phone)
    await room.fill()

    def held(uow: UnitOfWork) -> None:
        for phone in phones:
            uow.conversations.add(
                Conversation(
                    customer_phone=phone, status=ConversationStatus.ESCALATED, created_at=NOON, updated_at=NOON
                )
            )

    await room.database.transact(held)
    room.clock.advance(IDLE)

    assert await room.carts.work() == 1
    assert (await room.cart()).status is CartStatus.ABANDONED


# --- expired


async def test_a_cart_expires_three_days_after_its_customer_was_there_and_keeps_its_lines(room: Room) -> None:
    """Whether it was abandoned before or not."""
    await room.fill()
    room.clock.advance(timedelta(hours=72))

    assert await room.carts.work() == 2
    assert await room.carts.work() == 0

    over = await room.cart()
    assert (over.status, len(over.items)) == (CartStatus.EXPIRED, 1)


# --- asking


async def test_carts_are_listed_and_shown(room: Room) -> None:
    """By state, and one by its id."""
    cart = await room.fill()

    assert await room.carts.show(cart.id) == cart
    assert [one.id for one in await room.carts.listed(status=CartStatus.ACTIVE)] == [cart.id]
    assert not await room.carts.listed(status=CartStatus.EXPIRED)
    assert not await room.carts.listed(after=cart.id)


async def test_a_cart_is_ended_by_hand_once(room: Room) -> None:
    """Whatever time it has left; the second hears that it has ended."""
    cart = await room.fill()
    ended = await room.carts.expire(cart.id, by="tester")

    assert (ended.status, ended.items) == (CartStatus.EXPIRED, cart.items)
    with pytest.raises(TransitionError):
        await room.carts.expire(cart.id, by="tester")
    with pytest.raises(NotFoundError):
        await room.carts.expire(cart.id + 1, by="tester")

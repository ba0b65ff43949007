"""Two customers become one, counted once and held to the stricter word; and two again for thirty days."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.application.merges import Merges
from wch.application.ports import Database, UnitOfWork
from wch.domain.broadcast import BroadcastRecipient, RecipientStatus
from wch.domain.cart import Cart
from wch.domain.conversation import Conversation
from wch.domain.customer import CustomerProfile
from wch.domain.document import document
from wch.domain.errors import ConflictError, NotFoundError
from wch.domain.order_figures import Counting, OrderSeen
from wch.domain.placement import PLACEMENT
from wch.domain.product_view import ProductView
from wch.domain.saga import Saga
from wch.testing import NOON, FrozenClock, SequentialIds

KEPT, GONE = "34612345678", "34699999999"
COUNTING = Counting(home="EUR")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def merges(request: pytest.FixtureRequest) -> Merges:
    return Merges(
        database=MemoryDatabase(twice=request.param),
        clock=FrozenClock(),
        ids=SequentialIds(),
        counting=COUNTING,
        country="ES",
    )


def order(number: int, at: float = 0, **more: Any) -> OrderSeen:
    given = {"status": "completed", "total": Decimal(50), "currency": "EUR"}
    return OrderSeen(id=number, at=NOON, modified=NOON + timedelta(seconds=at), **{**given, **more})


def lives(uow: UnitOfWork) -> None:
    """Two who both know order 1042; one is in, one is out; each with a thread, a view and a recipient."""
    for phone, orders in ((KEPT, (1, 1042)), (GONE, (1042, 3))):
        profile = uow.customers.lock(phone, now=NOON)
        for number in orders:
            profile = COUNTING.noted(profile, order(number), now=NOON)
        to = "in" if phone == KEPT else "out"
        profile = profile.consenting("marketing", to, source="keyword", now=NOON).tagged(phone, now=NOON)
        uow.customers.save(profile)
        uow.conversations.add(Conversation(customer_phone=phone, created_at=NOON, updated_at=NOON))
        uow.views.add(ProductView(customer_phone=phone, product_id=1, viewed_at=NOON))
        uow.recipients.add(BroadcastRecipient(campaign_id=5, phone=phone, created_at=NOON))


async def people(database: Database) -> dict[str, CustomerProfile]:
    return {one.phone: one for one in await database.read(lambda uow: uow.customers.listed())}


async def test_an_order_known_to_both_counts_once(merges: Merges) -> None:
    """And the stricter word of the two holds."""
    await merges.database.transact(lives)

    _, one = await merges.merge(KEPT, GONE, by="ana")

    assert (one.total_orders, one.total_spent) == (3, Decimal("150.00"))
    assert one.is_out
    assert [entry["to"] for entry in one.preferences["consent"]["log"]] == ["in", "out"]
    assert set(one.tags) == {KEPT, GONE}
    assert await people(merges.database) == {KEPT: one}
    states = await merges.database.read(lambda uow: uow.census.states())
    assert states["conversations"] == {"active": 1, "resolved": 1}
    assert states["broadcast_recipients"] == {"pending": 1}
    assert len(await merges.database.read(lambda uow: uow.views.of(KEPT, since=NOON))) == 2


async def test_undoing_puts_back_what_moved(merges: Merges) -> None:
    """Both as they were, and only once."""
    await merges.database.transact(lives)
    before = await people(merges.database)
    number, _ = await merges.merge(KEPT, GONE, by="ana")

    await merges.undo(number, by="ana")

    after = await people(merges.database)
    for phone in (KEPT, GONE):
        now = after[phone]
        assert attrs.evolve(before[phone], id=now.id, updated_at=now.updated_at) == now
    assert len(await merges.database.read(lambda uow: uow.views.of(GONE, since=NOON))) == 1
    with pytest.raises(NotFoundError, match="undone already"):
        await merges.undo(number, by="ana")


async def test_what_came_since_stays_and_a_stop_holds_for_both(merges: Merges) -> None:
    """Orders counted since are of the number that they came from; nobody is written to who said stop."""
    await merges.database.transact(lives)
    number, _ = await merges.merge(KEPT, GONE, by="ana")
    merges.clock.advance(60)  # type: ignore[attr-defined]  # a frozen clock

    def since(uow: UnitOfWork) -> None:
        now = merges.clock.now()
        profile = COUNTING.noted(uow.customers.lock(KEPT, now=now), order(77, 60), now=now)
        profile = COUNTING.noted(profile, order(1042, 60, refunded=Decimal(20)), now=now)
        uow.customers.save(profile.consenting("all", "out", source="keyword", now=now))

    await merges.database.transact(since)

    kept, gone = await merges.undo(number, by="ana")

    assert kept.total_spent == Decimal(50 + 30 + 50)
    assert gone.total_spent == Decimal(30 + 50)
    assert kept.is_out
    assert gone.is_out
    assert kept.notification_opt_out


async def test_a_merge_of_last_month_stays(merges: Merges) -> None:
    """Thirty days; the record goes then too."""
    await merges.database.transact(lives)
    number, _ = await merges.merge(KEPT, GONE, by="ana")
    merges.clock.advance(timedelta(days=30, seconds=1))  # type: ignore[attr-defined]  # a frozen clock

    with pytest.raises(ConflictError, match="30 days"):
        await merges.undo(number, by="ana")


@pytest.mark.parametrize("fuller", [KEPT, GONE])
async def test_the_fuller_cart_stays_and_comes_back(merges: Merges, fuller: str) -> None:
    """A customer has one cart; the other one ends under the other key."""
    await merges.database.transact(lives)

    def carts(uow: UnitOfWork) -> None:
        for phone in (KEPT, GONE):
            at = NOON + timedelta(seconds=phone == fuller)
            uow.carts.add(Cart(customer_phone=phone, created_at=NOON, updated_at=at))

    await merges.database.transact(carts)
    before = {phone: await _cart(merges, phone) for phone in (KEPT, GONE)}

    number, _ = await merges.merge(KEPT, GONE, by="ana")

    assert (await _cart(merges, KEPT)).id == before[fuller].id
    await merges.undo(number, by="ana")
    assert {phone: (await _cart(merges, phone)).id for phone in (KEPT, GONE)} == {
        phone: cart.id for phone, cart in before.items()
    }


async def _cart(merges: Merges, phone: str) -> Cart:
    found = await merges.database.read(lambda uow: uow.carts.of(phone))
    assert found is not None
    return found


async def test_nobody_is_merged_with_themselves(merges: Merges) -> None:
    """Two spellings of one number are one customer."""
    await merges.database.transact(lives)

    with pytest.raises(ConflictError, match="one customer already"):
        await merges.merge(KEPT, f"+{KEPT}", by="ana")


async def test_an_order_that_is_being_placed_comes_first(merges: Merges) -> None:
    """Its rows would lose their customer in the middle of it."""

    def placing(uow: UnitOfWork) -> None:
        lives(uow)
        cart = uow.carts.add(Cart.opened(GONE, now=NOON))
        uow.sagas.add(Saga.begun(cart.saga_id, PLACEMENT, {"v": 1}, now=NOON))

    await merges.database.transact(placing)
    with pytest.raises(ConflictError, match="being placed"):
        await merges.merge(KEPT, GONE, by="ana")

    assert len(await people(merges.database)) == 2


@pytest.mark.parametrize(("mine", "theirs", "stays"), [("pending", "sent", "sent"), ("read", "sent", "read")])
async def test_of_two_rows_of_one_campaign_the_one_that_came_further_stays(
    merges: Merges, mine: str, theirs: str, stays: str
) -> None:
    """What happened to either happened to them; nobody is written to twice by it."""

    def reached(uow: UnitOfWork) -> None:
        lives(uow)
        for phone, status in ((KEPT, mine), (GONE, theirs)):
            row = uow.recipients.of(5, phone, lock=True)
            assert row is not None
            uow.recipients.save(attrs.evolve(row, status=RecipientStatus(status)))
        uow.recipients.add(BroadcastRecipient(campaign_id=6, phone=GONE, created_at=NOON))

    await merges.database.transact(reached)
    merge_id, _ = await merges.merge(KEPT, GONE, by="ana")
    rows = await merges.database.read(lambda uow: [uow.recipients.of(number, KEPT) for number in (5, 6)])
    assert [row and row.status.value for row in rows] == [stays, "pending"]
    await merges.undo(merge_id, by="ana")

    back = await merges.database.read(lambda uow: uow.recipients.of(6, GONE))
    assert back is not None


async def test_later_news_of_orders_reach_whoever_is_left_and_go_back(merges: Merges) -> None:
    """An order that has changed hands since stays where it is."""

    def known(uow: UnitOfWork) -> None:
        lives(uow)
        for number in (1, 2):
            uow.options.put(f"shop:order:{number}", document(phone=GONE, status="processing"))
        uow.options.put("shop:order:3", document(phone="34600000000"))

    await merges.database.transact(known)
    merge_id, _ = await merges.merge(KEPT, GONE, by="ana")
    await merges.database.transact(lambda uow: uow.options.put("shop:order:2", document(phone="34600000000")))
    moved = await merges.database.read(lambda uow: uow.options.get("shop:order:1"))
    assert moved is not None
    assert moved["phone"] == KEPT
    await merges.undo(merge_id, by="ana")

    phones = await merges.database.read(
        lambda uow: [(uow.options.get(f"shop:order:{number}") or {}).get("phone") for number in (1, 2, 3)]
    )
    assert phones == [GONE, "34600000000", "34600000000"]


@pytest.mark.parametrize("kept_is_stricter", [False, True])
async def test_the_stricter_of_two_holds_counts(merges: Merges, *, kept_is_stricter: bool) -> None:
    """The later end, the higher count, a block of either; a name that a person gave before any other."""
    strict = {
        "hold": {"marketing_until": "2026-03-09T12:00:00Z"},
        "unreachable": {"in_a_row": 10},
        "blocked": {"by": "ana"},
        "name_by": "person",
    }
    mild = {"hold": {"marketing_until": "2026-03-03T12:00:00Z"}, "unreachable": {"in_a_row": 9}}

    def held(uow: UnitOfWork) -> None:
        lives(uow)
        for phone, is_strict in ((KEPT, kept_is_stricter), (GONE, not kept_is_stricter)):
            profile = uow.customers.lock(phone, now=NOON)
            preferences = {**profile.preferences, **(strict if is_strict else mild)}
            uow.customers.save(attrs.evolve(profile, preferences=preferences, name="Sara" if is_strict else "S"))

    await merges.database.transact(held)
    _, one = await merges.merge(KEPT, GONE, by="ana")

    assert {name: one.preferences[name] for name in ("hold", "unreachable", "blocked")} == {
        name: strict[name] for name in ("hold", "unreachable", "blocked")
    }
    assert one.name == "Sara"


async def test_a_cart_that_was_sold_since_is_left_where_it_is(merges: Merges) -> None:
    """Undoing puts back what is still there."""

    def shopping(uow: UnitOfWork) -> None:
        lives(uow)
        uow.carts.add(Cart.opened(GONE, now=NOON))

    await merges.database.transact(shopping)
    merge_id, _ = await merges.merge(KEPT, GONE, by="ana")

    def gone(uow: UnitOfWork) -> None:
        (held,) = uow.holdings.of("carts", (KEPT,))
        uow.holdings.drop(held)

    await merges.database.transact(gone)
    await merges.undo(merge_id, by="ana")

    assert await merges.database.read(lambda uow: uow.carts.of(GONE)) is None
    with pytest.raises(NotFoundError):
        await merges.undo(merge_id, by="ana")


async def test_a_person_waits_until_the_order_is_placed(merges: Merges) -> None:
    """Who merges by hand hears of it; an order that is under way goes on undisturbed."""
    await merges.database.transact(lives)

    def places(uow: UnitOfWork) -> str:
        cart = uow.carts.add(Cart.opened(GONE, now=NOON))
        context = {"customer": {"phone": GONE}}
        return uow.sagas.add(Saga.begun(cart.saga_id, "placement", context, now=NOON)).saga_id

    saga_id = await merges.database.transact(places)
    with pytest.raises(ConflictError, match="being placed"):
        await merges.merge(KEPT, GONE, by="ana")

    saga = await merges.database.read(lambda uow: uow.sagas.get(saga_id))
    assert saga is not None
    assert saga.customer == GONE
    assert set(await people(merges.database)) == {KEPT, GONE}

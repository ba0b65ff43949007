"""Verification finds what does not add up, and is content otherwise."""

from decimal import Decimal
from typing import Any

import attrs
import pytest

from tests.application.rooms import ANNA, Rooms, rooms
from wch.application.ports import Finding, UnitOfWork
from wch.application.statistics import INBOUND, OUTBOUND, WORDS
from wch.application.verification import STANDS, Verification
from wch.domain.cart import Cart, CartItem, CartStatus
from wch.domain.message import MessageStatus
from wch.domain.saga import Saga, SagaState
from wch.testing import NOON

QUOTE = {
    part: {"amount": amount, "currency": "USD"}
    for part, amount in {
        "subtotal": "20.00",
        "discount": "2.00",
        "shipping": "5.00",
        "tax": "1.00",
        "fee": "0.50",
        "rounding": "0.00",
        "total": "24.50",
    }.items()
}


@pytest.fixture(params=[False, True], ids=["once", "twice"])
def hub(request: pytest.FixtureRequest) -> Rooms:
    return rooms(twice=request.param)


async def check(hub: Rooms, name: str) -> dict[str, Any]:
    report = await hub.verification.run()
    return next(one for one in report["checks"] if one["name"] == name)


async def test_an_empty_and_a_busy_hub_are_sound(hub: Rooms) -> None:
    """Every check says what holds, with its counts; leased and waiting rows are no fault."""
    assert await hub.is_sound()
    for n in range(3):
        await hub.hear(f"m{n}", sender=f"4915{n}")
    await hub.handling.work()
    await hub.hear("more")
    await hub.outbox.work()

    report = await hub.verification.run()

    assert report["ok"]
    assert [one["name"] for one in report["checks"]] == [
        "conservation",
        "states",
        "counters",
        "dangling",
        "carts",
        "money",
    ]
    counts = (await check(hub, "conservation"))["counts"]
    assert (counts["accepted"], counts["done"], counts["waiting"], counts["dead"]) == (7, 6, 1, 0)


def test_every_state_of_every_queue_stands_somewhere() -> None:
    """One map, and it is complete."""
    assert set(STANDS["messages"]) == {f"inbound:{word}" for word in INBOUND} | {
        f"outbound:{word}" for word in OUTBOUND
    }
    for table, stands in STANDS.items():
        if table != "messages":
            assert set(stands) == set(WORDS[table])


async def test_a_message_in_no_known_state(hub: Rooms) -> None:
    """An inbound row that says `read` is neither done nor waiting."""
    await hub.hear("hi")
    (row,) = await hub.rows()

    def spoil(uow: UnitOfWork) -> None:
        held = uow.messages.get(row.id, lock=True)
        assert held is not None
        uow.messages.save(attrs.evolve(held, status=MessageStatus.READ))

    await hub.do(spoil)

    assert (await check(hub, "conservation"))["detail"] == "1 rows of messages are in no known state"
    assert "inbound:read" in (await check(hub, "states"))["detail"]


async def test_counters_and_dead_rows_without_letter(hub: Rooms) -> None:
    """A wrong count and a death that nobody wrote down are found."""
    await hub.hear("hi")
    thread, (row,) = await hub.thread(), await hub.rows()

    def spoil(uow: UnitOfWork) -> None:
        held = uow.conversations.get(thread.id, lock=True)
        message = uow.messages.get(row.id, lock=True)
        assert held is not None
        assert message is not None
        uow.conversations.save(attrs.evolve(held, message_count=7))
        uow.messages.save(attrs.evolve(message, status=MessageStatus.DEAD))

    await hub.do(spoil)

    assert not (await check(hub, "counters"))["ok"]
    dangling = await check(hub, "dangling")
    assert dangling["counts"] == {"findings": 1}
    assert not (await hub.verification.run())["ok"]


def cart(**changes: Any) -> Cart:
    item = CartItem(
        product_id=5, quantity=2, price_at_add=Decimal(20), currency="USD", product_name="Lamp", added_at=NOON
    )
    return attrs.evolve(Cart.opened(ANNA, now=NOON).added(item, now=NOON), **changes)


@pytest.mark.parametrize(
    ("spoilt", "found"),
    [
        (cart(), None),
        (cart(total=Decimal("39.99")), "its total is not that of its lines"),
        (cart(items=cart().items * 2, total=Decimal(80)), "a line is there twice"),
        (cart(recovered=True), "recovered and status disagree"),
        (cart(status=CartStatus.RECOVERED), "recovered and status disagree"),
    ],
)
async def test_carts_that_do_not_add_up(hub: Rooms, spoilt: Cart, found: str | None) -> None:
    """Total, lines and the recovery flag."""
    await hub.do(lambda uow: uow.carts.add(spoilt))

    result = await check(hub, "carts")

    assert result["ok"] == (found is None)
    assert (found or "adds up") in result["detail"]
    assert result["counts"]["checked"] == 1


def placement(*, order: str = "24.50", due: str = "24.50", **quote: Any) -> Saga:
    money = {"due": {"amount": due, "currency": "USD"}}
    context = {
        "quote": {**QUOTE, **quote},
        "money": money,
        "results": {"create_order": {"total": {"amount": order, "currency": "USD"}}},
    }
    begun = Saga.begun("order-1-1", "OrderPlacement", context, now=NOON)
    return attrs.evolve(begun, state=SagaState.COMPLETED)


@pytest.mark.parametrize(
    ("saga", "found"),
    [
        (placement(), None),
        (placement(tax_included=True, total={"amount": "23.50", "currency": "USD"}), None),
        (placement(total={"amount": "25.00", "currency": "USD"}), "the parts do not make the total"),
        (placement(order="24.49"), "the order came to another total"),
        (Saga.begun("order-1-1", "OrderPlacement", {}, now=NOON), None),
        (
            attrs.evolve(Saga.begun("order-1-1", "OrderPlacement", {}, now=NOON), updated_at=NOON.replace(year=2025)),
            "it has no next look",
        ),
    ],
)
async def test_money_that_does_not_add_up(hub: Rooms, saga: Saga, found: str | None) -> None:
    """What was shown, what the order came to, what was due: one sum."""
    await hub.do(lambda uow: uow.sagas.add(saga))

    result = await check(hub, "money")

    assert result["ok"] == (found is None)
    assert (found or "what was shown") in result["detail"]


async def test_a_long_list_is_shown_in_part(hub: Rooms) -> None:
    """The counts tell how many there are."""
    findings = [Finding(table="carts", row=str(n), what="x") for n in range(50)]

    result = Verification(database=hub.database)._found("carts", findings, "all well")  # noqa: SLF001 - how it is told

    assert result["counts"]["findings"] == 50
    assert result["detail"].count("x") == 20

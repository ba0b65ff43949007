"""What observers hear of orders and money: each thing once, after it is true, and what is counted of it."""

import pytest

from tests.application.shopping import Shopping, shopping
from tests.application.test_payments import ask, paid, refunds, waiting
from wch.application.facts import (
    OrderCancelled,
    OrderPlaced,
    PaymentCaptured,
    PlacementFailed,
    PlacementParked,
    RefundDone,
)
from wch.application.failpoints import FailpointError
from wch.application.refunds import cancel_paid
from wch.application.tallies import Tallies
from wch.domain.money import Money
from wch.testing.scripted_shop import Refused

DUE = Money.from_minor(2390, "EUR")


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> Shopping:
    return await shopping(twice=request.param)


def counted(hub: Shopping) -> dict[tuple[str, ...], float]:
    tallies = Tallies()
    for fact in hub.facts:
        tallies(fact)
    return dict(tallies.of("payments"))


async def test_an_order_that_is_paid_is_heard_as_captured_and_placed(hub: Shopping) -> None:
    saga_id, order_id = await paid(hub)

    assert hub.facts == [
        PaymentCaptured(saga_id=saga_id, order_id=order_id, gateway="stripe", amount=DUE),
        OrderPlaced(saga_id=saga_id, order_id=order_id, total=DUE),
    ]
    assert counted(hub) == {("stripe", "captured"): 1}


async def test_an_order_that_is_paid_at_the_door_is_heard_as_placed_alone(hub: Shopping) -> None:
    saga_id = await hub.confirm()
    await hub.runner.work()

    (placed,) = hub.facts
    assert isinstance(placed, OrderPlaced)
    assert placed.saga_id == saga_id
    assert counted(hub) == {}


@pytest.mark.parametrize("edge", ["saga.done", "saga.closed"])
@pytest.mark.parametrize("place", [1, 2, 3, 4, 5])
async def test_a_worker_that_dies_after_a_commit_tells_nothing_twice(hub: Shopping, edge: str, place: int) -> None:
    """A fact is told by the one who committed it, so at most once; what was committed stays true."""
    await hub.confirm(online=True)
    worker = hub.worker(f"{edge}=raise@{place}")
    for _ in range(4):
        try:
            await worker.work()
        except FailpointError:
            worker = hub.worker()
        if hub.gateway.book and hub.gateway.payment().received is None:
            hub.gateway.pay()
        hub.clock.advance(61)

    assert [type(one) for one in hub.facts] == [PaymentCaptured, OrderPlaced]


async def test_an_order_that_came_to_nothing_says_why(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    await hub.runs()

    assert hub.facts == [PlacementFailed(saga_id=saga_id, gateway="stripe", reason="payment_expired", was_opened=True)]
    assert counted(hub) == {("stripe", "expired"): 1}


async def test_an_order_that_never_came_to_a_payment_counts_no_payment(hub: Shopping) -> None:
    await hub.confirm(online=True)
    hub.shop.script("create_order", Refused("closed"))
    await hub.runs()

    (failed,) = hub.facts
    assert isinstance(failed, PlacementFailed)
    assert (failed.was_opened, failed.reason) == (False, "closed")
    assert counted(hub) == {}


async def test_a_mismatch_is_heard_as_parked_and_captured_once_it_is_accepted(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay(Money.from_minor(2389, "EUR"))
    hub.clock.advance(60)
    await hub.runner.work()
    before = list(hub.facts)
    await hub.desk.act(saga_id, "accept-amount", by="ana")
    await hub.runner.work()

    assert before == [PlacementParked(saga_id=saga_id, gateway="stripe", reason="amount_mismatch")]
    assert [type(one) for one in hub.facts] == [PlacementParked, PaymentCaptured, OrderPlaced]
    assert counted(hub) == {("stripe", "parked"): 1, ("stripe", "captured"): 1}


async def test_late_money_is_heard_as_late_and_as_gone_back(hub: Shopping) -> None:
    await waiting(hub)
    await hub.runs()
    hub.gateway.pay()
    for _ in range(3):
        hub.clock.advance(86_400)
        await hub.late.work()
        await hub.runs()

    assert counted(hub) == {("stripe", "expired"): 1, ("stripe", "captured_late"): 1, ("stripe", "refunded"): 1}


async def test_a_paid_order_that_is_cancelled_is_heard_as_cancelled_and_refunded(hub: Shopping) -> None:
    _, order_id = await paid(hub)
    await hub.do(lambda uow: cancel_paid(uow, order_id, now=hub.clock.now()))
    await hub.runs()

    (refund,) = await refunds(hub)
    assert hub.facts[2:] == [
        OrderCancelled(order_id=order_id),
        RefundDone(saga_id=refund.saga_id, order_id=order_id, gateway="stripe", amount=DUE),
    ]


async def test_an_order_that_an_operator_cancels_is_heard(hub: Shopping) -> None:
    order = await hub.order()
    await hub.orders.cancel(order.id, reason="gone", by="ana")

    assert hub.facts == [OrderCancelled(order_id=order.id)]


async def test_cash_that_is_given_back_passes_no_gateway(hub: Shopping) -> None:
    saga_id = await hub.confirm()
    await hub.runner.work()
    order_id = int((await hub.saga(saga_id)).results["create_order"]["order_id"])
    await hub.refunds.order(order_id, reason="-", key="1", by="ana")
    await hub.runs()

    done = hub.facts[-1]
    assert isinstance(done, RefundDone)
    assert (done.gateway, done.tally) == (None, None)


async def test_what_does_not_count_is_not_counted(hub: Shopping) -> None:
    await ask(hub, await waiting(hub), "look_up")
    tallies = Tallies()
    tallies(object())

    assert tallies.of("payments") == {}

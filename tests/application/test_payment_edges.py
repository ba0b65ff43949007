"""What gateways and shops rarely say, and what becomes of the order then."""

from collections.abc import AsyncIterator

import attrs
import pytest

from tests.application.shopping import ANNA, Shopping, shopping
from tests.application.test_payments import REASON, ask, money, orders, paid, refunds, told, waiting
from wch.application.payments import PaymentReceipt
from wch.application.ports import UnitOfWork
from wch.application.refunds import cancel_paid
from wch.domain.errors import NotFoundError
from wch.domain.ledger import RefundRefusalError
from wch.domain.money import Money
from wch.domain.order import OrderStatus
from wch.domain.payment import PaymentEvent, PaymentState, PaymentStatus, RefundStatus, WebhookCall
from wch.domain.saga import SagaState
from wch.testing.scripted_shop import Refused


@pytest.fixture
async def hub() -> AsyncIterator[Shopping]:
    made = await shopping()
    yield made
    await made.shop.aclose()


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        (PaymentStatus.EXPIRED, "payment_expired"),
        (PaymentStatus.CANCELLED, "payment_failed"),
        (PaymentStatus.FAILED, "payment_failed"),
        (PaymentStatus.REFUNDED, "payment_refunded"),
    ],
)
async def test_a_payment_that_is_over_at_the_gateway_undoes_the_order(
    hub: Shopping, status: PaymentStatus, failure: str
) -> None:
    """Money that has gone back already is no money."""
    saga_id = await waiting(hub)
    hub.gateway.payment().status = status
    hub.clock.advance(61)
    await hub.runs()

    saga = await hub.saga(saga_id)
    assert (saga.outcome, saga.context["failure"]) == ("compensated", failure)
    assert [order.status for order in await orders(hub)] == [OrderStatus.CANCELLED]
    assert await hub.stock() == 10


async def test_money_whose_amount_nobody_says_is_asked_for_again(hub: Shopping) -> None:
    """A gateway that says "captured" and not how much is not believed yet."""
    saga_id = await waiting(hub)
    hub.gateway.payment().status = PaymentStatus.CAPTURED
    hub.clock.advance(61)
    await hub.runner.work()
    before = await hub.saga(saga_id)
    hub.gateway.pay()
    hub.clock.advance(61)
    await hub.runner.work()

    assert before.log[-1]["because"] == "amount_unknown"
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED


async def test_a_pending_payment_gets_half_an_hour_more_and_no_longer(hub: Shopping) -> None:
    """The bank is at it: nothing is closed under its hands until the time is really over."""
    saga_id = await waiting(hub)
    hub.gateway.payment().status = PaymentStatus.PENDING
    hub.clock.advance(3601)
    await hub.runner.work()
    held = (await hub.saga(saga_id)).state
    hub.clock.advance(1801)
    await hub.runner.work()

    saga = await hub.saga(saga_id)
    assert held is SagaState.RUNNING
    assert (saga.state, saga.context.get("failure")) == (SagaState.COMPENSATING, "payment_expired")


async def test_a_payment_that_cannot_be_closed_is_a_persons_business(hub: Shopping) -> None:
    """It is pending for ever: undoing waits through its back-off, and then somebody is called."""
    saga_id = await waiting(hub)
    hub.gateway.payment().status = PaymentStatus.PENDING
    await ask(hub, saga_id, "cancel")
    await hub.runs(hours=4)

    saga = await hub.saga(saga_id)
    assert (saga.outcome, saga.context["reason"], saga.context["step"]) == (
        "parked",
        "compensation_failed",
        "open_payment",
    )
    assert len(await hub.letters()) == 1


async def test_a_gateway_that_is_silent_holds_the_goods_two_hours_and_no_longer(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.script("look_up", *["away"] * 500)
    hub.gateway.script("cancel", *["away"] * 300)
    hub.clock.advance(3600 + 3600)
    await hub.runner.work()
    waits = (await hub.saga(saga_id)).log[-1]["because"]
    hub.clock.advance(3601)
    await hub.runner.work()

    saga = await hub.saga(saga_id)
    assert waits == "gateway_silent"
    assert saga.context["failure"] == "payment_expired"


async def test_late_looks_wait_for_a_gateway_that_is_away(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    await hub.runs()
    hub.gateway.pay()
    hub.gateway.script("look_up", "away")
    hub.clock.advance(301)
    await hub.late.work()
    assert await refunds(hub) == []
    hub.clock.advance(601)
    await hub.late.work()

    assert len(await refunds(hub)) == 1


async def test_a_late_look_at_what_never_opened_a_payment_ends(hub: Shopping) -> None:
    """An event may come for an order that was undone before its payment."""
    await hub.do(lambda uow: uow.options.put("payment.late:order-9-1", {"v": 1, "at": "2020-01-01T00:00:00Z"}))
    await hub.late.work()

    assert await hub.see(lambda uow: uow.options.named("payment.late:")) == []


async def test_late_money_without_a_figure_is_not_booked(hub: Shopping, monkeypatch: pytest.MonkeyPatch) -> None:
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    await hub.runs()

    async def vague(**_: object) -> PaymentState:
        return PaymentState(state=PaymentStatus.CAPTURED, payment_id="p")

    monkeypatch.setattr(type(hub.gateway), "look_up", lambda _self, **named: vague(**named))
    hub.clock.advance(301)
    await hub.late.work()

    assert (await money(hub, saga_id)).captured == ()
    assert await refunds(hub) == []


# --- events that name little


async def test_an_event_that_names_only_what_was_opened_finds_its_placement(
    hub: Shopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mercado Pago names its own payment alone where our address was not told to it."""
    await waiting(hub)

    def bare(call: WebhookCall, **_: object) -> tuple[PaymentEvent, ...]:
        return (PaymentEvent(key=call.query["key"], type="payment", opened_id=call.query["about"]),)

    monkeypatch.setattr(type(hub.gateway), "verify", lambda _self, call, **named: bare(call, **named))
    known = await hub.payments.receive("stripe", told(hub, key="a", about="pay_1"))
    strange = await hub.payments.receive("stripe", told(hub, key="b", about="pay_2"))

    assert (known, strange) == (PaymentReceipt.TAKEN, PaymentReceipt.FOREIGN)
    assert await hub.letters() == []


async def test_a_dispute_of_a_payment_that_is_not_ours_is_foreign(hub: Shopping) -> None:
    await paid(hub)
    call = told(hub, key="d", type="charge.dispute.created", ref="", payment_id="pay_9")

    assert await hub.payments.receive("stripe", call) is PaymentReceipt.FOREIGN


async def test_a_claim_under_a_former_key_counts(hub: Shopping) -> None:
    """The secret key is being replaced: an event that was claimed under the old one is known."""
    await waiting(hub)
    await hub.payments.receive("stripe", told(hub))
    rotated = attrs.evolve(hub.payments, digests=attrs.evolve(hub.payments.digests, keys=("new", "key")))

    assert await rotated.receive("stripe", told(hub)) is PaymentReceipt.KNOWN


# --- refunds


async def test_a_refund_of_no_order_of_ours_is_refused(hub: Shopping) -> None:
    with pytest.raises(NotFoundError):
        await hub.refunds.order(4711, reason=REASON, key="1", by="ana")
    await hub.do(lambda uow: cancel_paid(uow, 4711, now=hub.clock.now()))

    assert await refunds(hub) == []


async def test_a_refund_before_any_money_is_refused(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    order_id = (await hub.saga(saga_id)).results["create_order"]["order_id"]
    with pytest.raises(RefundRefusalError) as refused:
        await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")

    assert refused.value.code == "nothing_captured"


async def test_goods_come_back_once_however_many_refunds_ask_for_it(hub: Shopping) -> None:
    _, order_id = await paid(hub)
    for key in ("1", "2"):
        await hub.refunds.order(
            order_id, amount=Money.from_minor(500, "EUR"), reason=REASON, restock=True, key=key, by="ana"
        )
        await hub.runs()

    assert await hub.stock() == 10


async def test_a_shop_that_does_not_book_a_refund_is_a_persons_business(hub: Shopping) -> None:
    """The money is back, which is true and stays so; nobody was told yet."""
    saga_id, order_id = await paid(hub)
    hub.shop.script("record_refund", *[Refused("closed")] * 6)
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runs(hours=5)

    found = await hub.saga(refund.saga_id)
    assert (found.outcome, found.context["step"]) == ("parked", "record")
    assert list(hub.gateway.payment().refunds.values()) == [hub.gateway.payment().amount]
    await hub.desk.act(refund.saga_id, "resume", by="ana")
    await hub.runs()
    assert (await hub.saga(refund.saga_id)).state is SagaState.COMPLETED
    assert (await money(hub, saga_id)).is_lawful


async def test_a_gateway_that_cannot_name_refunds_is_never_asked_twice(
    hub: Shopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer was lost and it tells no sums either: parked, and a person decides."""
    _, order_id = await paid(hub)
    hub.gateway.script("refund", "lost")

    async def unclear(**_: object) -> RefundStatus:
        return RefundStatus.UNCLEAR

    monkeypatch.setattr(type(hub.gateway), "look_up_refund", lambda _self, **named: unclear(**named))
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runs()

    found = await hub.saga(refund.saga_id)
    assert (found.outcome, found.context["reason"]) == ("parked", "refund_unclear")
    assert len([one for one, _ in hub.gateway.calls if one == "refund"]) == 1


@pytest.mark.parametrize(
    ("back", "under_way", "ends"),
    [(2390, 0, SagaState.COMPLETED), (0, 2390, SagaState.RUNNING), (0, 0, SagaState.FAILED), (1, 0, SagaState.FAILED)],
)
async def test_what_went_back_is_compared_with_our_own_books(
    hub: Shopping, monkeypatch: pytest.MonkeyPatch, back: int, under_way: int, ends: SagaState
) -> None:
    _, order_id = await paid(hub)
    hub.gateway.script("refund", "away")

    async def unclear(**_: object) -> RefundStatus:
        return RefundStatus.UNCLEAR

    async def summed(**_: object) -> PaymentState:
        return PaymentState(
            state=PaymentStatus.CAPTURED,
            refunded=Money.from_minor(back, "EUR"),
            refunding=Money.from_minor(under_way, "EUR"),
        )

    monkeypatch.setattr(type(hub.gateway), "look_up_refund", lambda _self, **named: unclear(**named))
    monkeypatch.setattr(type(hub.gateway), "look_up", lambda _self, **named: summed(**named))
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    for _ in range(3):
        await hub.runner.work()
        hub.clock.advance(6)

    assert (await hub.saga(refund.saga_id)).state is ends


async def test_a_refund_whose_placement_is_gone_is_not_compared(hub: Shopping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retention took it: nobody can say what had gone back before."""
    saga_id, order_id = await paid(hub)
    hub.gateway.script("refund", "lost")

    async def unclear(**_: object) -> RefundStatus:
        return RefundStatus.UNCLEAR

    monkeypatch.setattr(type(hub.gateway), "look_up_refund", lambda _self, **named: unclear(**named))
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runner.work()

    def forget(uow: UnitOfWork) -> None:
        uow.sagas.get(saga_id, lock=True)
        held = uow.sagas.get(refund.saga_id, lock=True)
        assert held is not None
        uow.sagas.save(attrs.evolve(held, context={**held.context, "placement": "order-0-0"}))

    await hub.do(forget)
    hub.clock.advance(6)
    await hub.runner.work()

    assert (await hub.saga(refund.saga_id)).context["reason"] == "refund_unclear"


async def test_a_refused_refund_says_whether_an_order_is_behind_it(
    hub: Shopping, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wch.domain.payment import PaymentRefusedError  # noqa: PLC0415 - one use

    async def refused(**_: object) -> RefundStatus:
        raise PaymentRefusedError(code="too_old")

    monkeypatch.setattr(type(hub.gateway), "refund", lambda _self, **named: refused(**named))
    _, order_id = await paid(hub)
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runs()

    assert (await hub.saga(refund.saga_id)).context["reason"] == "refund_refused"
    assert ANNA in str((await hub.saga(refund.saga_id)).context["customer"])

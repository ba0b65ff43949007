"""An order that is paid online: placed when the money is there, once, and undone to the last cent otherwise."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import pytest

from tests.application.shopping import ANNA, NUMBER, Shopping, shopping
from wch.adapters.qr import SegnoQrCodes
from wch.application.failpoints import FailpointError
from wch.application.payments import PaymentReceipt
from wch.application.ports import UnitOfWork
from wch.application.refunds import cancel_paid
from wch.application.sagas import signal
from wch.application.verification import Verification
from wch.domain.attachment import AttachmentError
from wch.domain.conversation import State
from wch.domain.erasure import emptied_saga
from wch.domain.ledger import Ledger, RefundRefusalError
from wch.domain.money import Money, money_from_json
from wch.domain.order import OrderStatus
from wch.domain.payment import PaymentStatus, RefundStatus, WebhookCall
from wch.domain.saga import Ev, Saga, SagaState
from wch.testing.scripted_shop import Refused

REASON = "wrong size"


@pytest.fixture(params=[False, True], ids=["once", "twice"])
async def hub(request: pytest.FixtureRequest) -> AsyncIterator[Shopping]:
    made = await shopping(twice=request.param)
    yield made
    await made.shop.aclose()


def told(hub: Shopping, *, key: str = "evt_1", signed: str = "good", **query: str) -> WebhookCall:
    query.setdefault("ref", hub.gateway.payment().reference if hub.gateway.book else "")
    return WebhookCall(headers={"signature": signed}, query={"key": key, **query}, body=b"{}")


async def waiting(hub: Shopping) -> str:
    """Anna has the link, and the order waits for her money."""
    saga_id = await hub.confirm(online=True)
    await hub.runner.work()
    return saga_id


async def ask(hub: Shopping, saga_id: str, kind: str) -> None:
    now = hub.clock.now()
    assert await hub.do(lambda uow: signal(uow, saga_id, kind, {}, now=now))


async def orders(hub: Shopping) -> list[Any]:
    return list((await hub.shop.shop.orders_of(phones=(ANNA,))).items)


async def money(hub: Shopping, saga_id: str) -> Ledger:
    return Ledger.of((await hub.saga(saga_id)).context)


async def refunds(hub: Shopping) -> list[Saga]:
    return list(await hub.desk.listed(saga_type="Refund"))


# --- paying


async def test_the_link_is_sent_and_nothing_is_at_work_before_the_money(hub: Shopping) -> None:
    """The order exists and holds its goods, and waits."""
    saga_id = await waiting(hub)

    saga = await hub.saga(saga_id)
    (order,) = await orders(hub)
    (said,) = await hub.said()
    assert (saga.state, order.status, order.paid_at) == (SagaState.RUNNING, OrderStatus.PENDING, None)
    assert "https://pay.example/pay_1" in str(said.content)
    assert await hub.stock() == 8
    assert await hub.noted() == []


async def test_verification_finds_a_ledger_that_is_against_the_law(hub: Shopping) -> None:
    """More back than came, or another amount taken than was due: `wch verify` says so."""
    saga_id, order_id = await paid(hub)
    await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    check = Verification(database=hub.database)
    assert (await check.run())["ok"]

    def bend(uow: UnitOfWork) -> None:
        saga = uow.sagas.get(saga_id, lock=True)
        assert saga is not None
        more = {"n": 2, "key": "x", "amount": {"amount": "0.01", "currency": "EUR"}, "state": "done"}
        more["payment_id"] = hub.gateway.payment().id
        money = {**saga.context["money"], "refunds": [*saga.context["money"]["refunds"], more]}
        results = {**saga.results, "await_payment": {**saga.results["await_payment"], "amount": more["amount"]}}
        uow.sagas.save(attrs.evolve(saga, context={**saga.context, "money": money, "results": results}))

    await hub.do(bend)
    found = next(one for one in (await check.run())["checks"] if one["name"] == "money")
    assert not found["ok"]
    assert found["counts"]["findings"] == 2


async def test_an_event_is_a_hint_and_the_gateway_decides(hub: Shopping) -> None:
    """What a body says moves nothing: the order goes to work when the gateway itself says that it is paid."""
    saga_id = await waiting(hub)
    assert await hub.payments.receive("stripe", told(hub)) is PaymentReceipt.TAKEN
    await hub.runner.work()
    before = (await hub.saga(saga_id)).state
    hub.gateway.pay()
    assert await hub.payments.receive("stripe", told(hub, key="evt_2")) is PaymentReceipt.TAKEN
    await hub.runner.work()

    saga = await hub.saga(saga_id)
    (order,) = await orders(hub)
    due = money_from_json(saga.context["money"]["due"])
    assert (before, saga.state) == (SagaState.RUNNING, SagaState.COMPLETED)
    assert order.status is OrderStatus.PROCESSING
    assert [one.amount for one in (await money(hub, saga_id)).captured] == [due] == [order.total]
    assert len(await hub.noted()) == 1


async def test_without_any_event_the_payment_is_found_within_minutes(hub: Shopping) -> None:
    """Lost webhooks cost a customer no more than that."""
    saga_id = await waiting(hub)
    hub.gateway.pay()
    hub.clock.advance(180)
    await hub.runner.work()

    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED


async def test_events_in_any_number_are_one_payment(hub: Shopping) -> None:
    """Doubled, late, under other names: one order, paid once."""
    saga_id = await waiting(hub)
    hub.gateway.pay()
    receipts = [await hub.payments.receive("stripe", told(hub, key=key)) for key in ("a", "b", "a", "c", "b")]
    await hub.runner.work()
    receipts.append(await hub.payments.receive("stripe", told(hub, key="c")))
    receipts.append(await hub.payments.receive("stripe", told(hub, key="d")))
    await hub.late.work()
    await hub.runner.work()

    taken, known = PaymentReceipt.TAKEN, PaymentReceipt.KNOWN
    assert receipts == [taken, taken, known, taken, known, known, taken]
    assert len((await money(hub, saga_id)).captured) == 1
    assert len(hub.shop.calls_of("mark_paid")) == 1
    assert await refunds(hub) == []


async def test_an_event_before_the_link_is_stored_is_not_lost(hub: Shopping) -> None:
    """The gateway may be quicker than our own commit."""
    saga_id = await hub.confirm(online=True)
    with pytest.raises(FailpointError):
        await hub.worker("saga.after_call=raise@4").work()
    hub.gateway.pay()
    assert await hub.payments.receive("stripe", told(hub)) is PaymentReceipt.TAKEN
    hub.clock.advance(61)
    await hub.runner.work()

    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert len(hub.gateway.book) == 1


# --- codes


async def test_a_code_comes_with_its_picture_once(hub: Shopping) -> None:
    """The words, the code alone so that it can be copied, the picture; the reminder has no second one."""
    hub.gateway.opens_code = "000201pix"
    saga_id = await waiting(hub)
    said = [row.content["body"] for row in await hub.said()]
    hub.clock.advance(46 * 60)
    await hub.runner.work()

    assert [body["type"] for body in said] == ["text", "text", "image"]
    assert said[1]["text"]["body"] == "000201pix"
    assert said[2]["image"]["id"] == "media-1-code.png"
    ((number, picture, kind),) = hub.files.taken
    assert (number, picture, kind) == (NUMBER, SegnoQrCodes().png("000201pix"), "image/png")
    assert [row.content["body"]["type"] for row in await hub.said()][3:] == ["text", "text"]
    assert (await hub.saga(saga_id)).state is SagaState.RUNNING


@pytest.mark.parametrize("fault", [AttachmentError(code="unavailable"), TimeoutError()])
async def test_a_code_whose_picture_is_not_taken_goes_out_alone(hub: Shopping, fault: Exception) -> None:
    hub.gateway.opens_code = "000201pix"
    hub.files.fails = fault
    await waiting(hub)

    assert [row.content["body"]["type"] for row in await hub.said()] == ["text", "text"]


# --- what is not believed


async def test_what_is_not_signed_is_not_heard(hub: Shopping) -> None:
    await waiting(hub)
    assert await hub.payments.receive("stripe", told(hub, signed="bad")) is PaymentReceipt.UNSIGNED
    assert await hub.payments.receive("cod", told(hub)) is PaymentReceipt.UNKNOWN_GATEWAY
    assert await hub.payments.receive("paypal", told(hub)) is PaymentReceipt.UNKNOWN_GATEWAY
    assert await hub.letters() == []


async def test_other_sales_of_the_account_leave_no_row(hub: Shopping) -> None:
    """An account shared with a web shop would fill the store else."""
    assert await hub.payments.receive("stripe", told(hub, ref="order-77")) is PaymentReceipt.FOREIGN
    assert await hub.payments.receive("stripe", told(hub, ref="")) is PaymentReceipt.FOREIGN
    assert await hub.letters() == []


async def test_our_form_without_a_placement_is_one_dead_letter(hub: Shopping) -> None:
    for _ in range(2):
        await hub.payments.receive("stripe", told(hub, ref="wch-zz-t4fnr6"))

    (letter,) = await hub.letters()
    assert (letter.hook, letter.reason) == ("payment", "payment_unmatched")


@pytest.mark.parametrize(
    ("paid", "reason"),
    [(Money.from_minor(2389, "EUR"), "amount_mismatch"), (Money.from_minor(2390, "USD"), "currency_mismatch")],
)
async def test_another_amount_or_currency_is_parked_and_nothing_accepted(
    hub: Shopping, paid: Money, reason: str
) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay(paid)
    await hub.payments.receive("stripe", told(hub))
    await hub.runner.work()

    saga = await hub.saga(saga_id)
    (order,) = await orders(hub)
    assert (saga.outcome, saga.context["reason"]) == ("parked", reason)
    assert saga.context["actions"] == ["accept-amount", "refund"]
    assert (order.status, order.paid_at) == (OrderStatus.PENDING, None)
    assert [one.amount for one in (await money(hub, saga_id)).captured] == [paid]
    assert len(await hub.said()) == 2
    assert [letter.reason for letter in await hub.letters()] == [reason]


async def test_an_operator_may_accept_the_amount_that_came(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay(Money.from_minor(2389, "EUR"))
    hub.clock.advance(60)
    await hub.runner.work()
    await hub.desk.act(saga_id, "accept-amount", by="ana", reason="one cent")
    await hub.runner.work()

    (order,) = await orders(hub)
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert order.status is OrderStatus.PROCESSING
    assert ("ana", "saga.accept-amount", f"saga:{saga_id}") in await hub.audited()


async def test_an_operator_may_give_back_the_amount_that_came(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay(Money.from_minor(2389, "EUR"))
    hub.clock.advance(60)
    await hub.runner.work()
    await hub.desk.act(saga_id, "refund", by="ana")
    await hub.runs()

    (order,) = await orders(hub)
    payment = hub.gateway.payment()
    assert (await hub.saga(saga_id)).outcome == "compensated"
    assert order.status is OrderStatus.CANCELLED
    assert list(payment.refunds.values()) == [Money.from_minor(2389, "EUR")]
    assert await hub.stock() == 10


# --- not paying


async def test_at_the_deadline_everything_is_undone_and_the_cart_stays(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    await hub.runs()

    saga = await hub.saga(saga_id)
    (order,) = await orders(hub)
    cart = await hub.see(lambda uow: uow.carts.of(ANNA))
    thread = await hub.see(lambda uow: uow.conversations.latest_of(ANNA))
    assert (saga.outcome, saga.context["failure"]) == ("compensated", "payment_expired")
    assert hub.gateway.payment().status is PaymentStatus.CANCELLED
    assert (order.status, await hub.stock()) == (OrderStatus.CANCELLED, 10)
    assert (len(cart.items), cart.saga_id != saga_id) == (1, True)
    assert thread.state is State.CART_MANAGEMENT
    assert len(await hub.said()) == 3  # the link, one reminder, the end


async def test_money_in_the_last_second_wins_over_the_deadline(hub: Shopping) -> None:
    """The cancelling call answers that it is paid: the order goes on, nothing is refunded."""
    saga_id = await waiting(hub)
    hub.clock.advance(3600)
    hub.gateway.script("look_up", "away")
    hub.gateway.pay()
    await hub.runner.work()

    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert await refunds(hub) == []


async def test_a_customer_who_cancels_and_has_paid_gets_it_back(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay()
    await ask(hub, saga_id, "cancel")
    await hub.runs()

    payment = hub.gateway.payment()
    (refund,) = await refunds(hub)
    assert (await hub.saga(saga_id)).outcome == "compensated"
    assert refund.state is SagaState.COMPLETED
    assert list(payment.refunds.values()) == [payment.amount]
    assert await hub.stock() == 10


async def test_another_method_undoes_the_attempt_and_asks_again(hub: Shopping) -> None:
    """Same address, same delivery, a new name for the cart: so the next try is another order."""
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "other_method")
    await hub.runs()

    thread = await hub.see(lambda uow: uow.conversations.latest_of(ANNA))
    cart = await hub.see(lambda uow: uow.carts.of(ANNA))
    assert (await hub.saga(saga_id)).outcome == "compensated"
    assert hub.gateway.payment().status is PaymentStatus.CANCELLED
    assert thread.state is State.CHECKOUT_PAYMENT
    assert thread.context["checkout"]["address"]["city"] == "Berlin"
    assert thread.context["checkout"]["cart"] == [cart.id, int(cart.created_at.timestamp())]
    assert "edit_payment" in str((await hub.said())[-1].content)


async def test_money_after_the_end_goes_back_once(hub: Shopping) -> None:
    """Two hours after it was undone, and however often it is told."""
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    await hub.runs()
    hub.clock.advance(7200)
    hub.gateway.pay()
    for key in ("late", "later"):
        await hub.payments.receive("stripe", told(hub, key=key))
        await hub.late.work()
        await hub.runs()

    payment = hub.gateway.payment()
    assert list(payment.refunds.values()) == [payment.amount]
    assert len([key for operation, key in hub.gateway.calls if operation == "refund"]) == 1
    assert [one.key for one in (await money(hub, saga_id)).refunds] == [f"late-{payment.id}"]
    assert (await money(hub, saga_id)).is_lawful


async def test_late_money_is_found_without_any_event(hub: Shopping) -> None:
    """Five minutes after the end, then once a day for three days."""
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    await hub.runs()
    hub.clock.advance(301)
    await hub.late.work()
    hub.gateway.pay()
    hub.clock.advance(86_400)
    await hub.late.work()
    await hub.runs()

    assert len((await money(hub, saga_id)).refunds) == 1
    hub.clock.advance(3 * 86_400)
    await hub.late.work()
    assert await hub.see(lambda uow: uow.options.named("payment.late:")) == []


async def test_late_money_of_an_erased_customer_goes_back_without_a_word(hub: Shopping) -> None:
    """Nobody is left to be told, and the money is still theirs."""
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    await hub.runs()

    def erase(uow: UnitOfWork) -> None:
        saga = uow.sagas.get(saga_id, lock=True)
        assert saga is not None
        uow.sagas.save(attrs.evolve(saga, context=emptied_saga(saga.context)))

    await hub.do(erase)
    said = len(await hub.said())
    hub.gateway.pay()
    hub.clock.advance(301)
    await hub.late.work()
    await hub.runs()

    payment = hub.gateway.payment()
    assert list(payment.refunds.values()) == [payment.amount]
    assert len(await hub.said()) == said


async def test_asking_all_the_time_does_not_ask_the_gateway_all_the_time(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    for _ in range(5):
        hub.clock.advance(5)
        await ask(hub, saga_id, "look_up")
        await hub.runner.work()
    looks = [operation for operation, _ in hub.gateway.calls if operation == "look_up"]
    hub.gateway.pay()
    hub.clock.advance(61)
    await hub.runner.work()

    assert len(looks) == 1
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED


# --- after the money there is no way back


async def test_a_shop_that_refuses_a_paid_order_is_a_persons_business(hub: Shopping) -> None:
    saga_id = await waiting(hub)
    hub.gateway.pay()
    hub.shop.script("mark_paid", *[Refused("closed")] * 6)
    hub.clock.advance(60)
    await hub.runs(hours=5)

    saga = await hub.saga(saga_id)
    assert (saga.outcome, saga.context["reason"]) == ("parked", "shop_refused_after_payment")
    assert "compensate" not in saga.context["actions"]
    await hub.desk.act(saga_id, "resume", by="ana")
    await hub.runner.work()
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED


# --- killed at every edge


EDGES = ("saga.started", "saga.after_call", "saga.done")


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("place", [1, 2, 3, 4, 5, 6])
async def test_a_kill_at_any_edge_is_one_charge_and_one_order(hub: Shopping, edge: str, place: int) -> None:
    """Whoever takes it over comes to the same end: one payment opened, one capture, one order, the stock right."""
    saga_id = await hub.confirm(online=True)
    worker = hub.worker(f"{edge}=raise@{place}")
    for _ in range(8):
        try:
            await worker.work()
        except FailpointError:
            worker = hub.worker()
        if hub.gateway.book and hub.gateway.payment().received is None:
            hub.gateway.pay()
        hub.clock.advance(61)

    saga = await hub.saga(saga_id)
    (order,) = await orders(hub)
    assert saga.state is SagaState.COMPLETED
    assert order.status is OrderStatus.PROCESSING
    assert (len(hub.gateway.book), len((await money(hub, saga_id)).captured)) == (1, 1)
    assert await hub.stock() == 8
    assert len([one for one in await hub.said() if "pay.example" in str(one.content)]) == 1


@pytest.mark.parametrize("edge", ["saga.undo_call", "saga.after_undo", "saga.undone"])
@pytest.mark.parametrize("place", [1, 2, 3])
async def test_a_kill_while_undoing_leaves_nothing_behind(hub: Shopping, edge: str, place: int) -> None:
    """Payment, order, reservation: undone in this order, each effective once."""
    saga_id = await waiting(hub)
    await ask(hub, saga_id, "cancel")
    worker = hub.worker(f"{edge}=raise@{place}")
    for _ in range(6):
        try:
            await worker.work()
        except FailpointError:
            worker = hub.worker()
        hub.clock.advance(61)

    saga = await hub.saga(saga_id)
    undone = [entry["step"] for entry in saga.log if entry["ev"] == Ev.UNDONE]
    assert saga.outcome == "compensated"
    assert undone == ["await_payment", "open_payment", "create_order", "reserve", "check"]
    assert hub.gateway.payment().status is PaymentStatus.CANCELLED
    assert [order.status for order in await orders(hub)] == [OrderStatus.CANCELLED]
    assert await hub.stock() == 10


@pytest.mark.parametrize("operation", ["open", "look_up", "cancel"])
@pytest.mark.parametrize("how", ["away", "lost"])
async def test_a_gateway_that_is_away_for_a_moment_costs_only_time(hub: Shopping, operation: str, how: str) -> None:
    saga_id = await hub.confirm(online=True)
    hub.gateway.script(operation, how)
    await hub.runner.work()
    hub.clock.advance(3)
    await hub.runner.work()
    if operation == "cancel":
        await ask(hub, saga_id, "cancel")
        await hub.runs()
        assert (await hub.saga(saga_id)).outcome == "compensated"
        assert hub.gateway.payment().status is PaymentStatus.CANCELLED
        return
    hub.gateway.pay()
    hub.clock.advance(61)
    await hub.runner.work()
    hub.clock.advance(130)
    await hub.runner.work()
    assert (await hub.saga(saga_id)).state is SagaState.COMPLETED
    assert len(hub.gateway.book) == 1


# --- refunds


async def paid(hub: Shopping) -> tuple[str, int]:
    saga_id = await waiting(hub)
    hub.gateway.pay()
    hub.clock.advance(60)
    await hub.runner.work()
    return saga_id, int((await hub.saga(saga_id)).results["create_order"]["order_id"])


async def test_two_clicks_with_one_key_are_one_refund(hub: Shopping) -> None:
    saga_id, order_id = await paid(hub)
    ten = Money.from_minor(1000, "EUR")
    first = await hub.refunds.order(order_id, amount=ten, reason=REASON, key="click", by="ana")
    second = await hub.refunds.order(order_id, amount=ten, reason=REASON, key="click", by="ana")
    await hub.runs()

    (order,) = await orders(hub)
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert first.saga_id == second.saga_id
    assert list(hub.gateway.payment().refunds.values()) == [ten]
    assert (order.refunded, str(profile.total_spent)) == (ten, "13.90")
    assert [one.state.value for one in (await money(hub, saga_id)).refunds] == ["done"]
    assert [one.notification_type for one in await hub.noted()] == ["order_confirmed", "refunded"]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money.from_minor(1391, "EUR"), "too_much"),
        (Money.from_minor(100, "USD"), "currency"),
        (Money.from_minor(0, "EUR"), "not_positive"),
    ],
)
async def test_a_refund_that_cannot_be_is_refused_before_anything_is_written(
    hub: Shopping, amount: Money, code: str
) -> None:
    _, order_id = await paid(hub)
    await hub.refunds.order(order_id, amount=Money.from_minor(1000, "EUR"), reason=REASON, key="1", by="ana")
    with pytest.raises(RefundRefusalError) as refused:
        await hub.refunds.order(order_id, amount=amount, reason=REASON, key="2", by="ana")

    assert refused.value.code == code
    assert len(await refunds(hub)) == 1


async def test_a_refund_that_fails_later_is_parked_and_nothing_untrue_is_told(hub: Shopping) -> None:
    saga_id, order_id = await paid(hub)
    hub.gateway.refund_status = RefundStatus.PENDING
    refund = await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runner.work()
    hub.gateway.refund_status = RefundStatus.FAILED
    await hub.runs()

    (order,) = await orders(hub)
    assert (await hub.saga(refund.saga_id)).context["reason"] == "refund_failed"
    assert not order.refunded
    assert [one.notification_type for one in await hub.noted()] == ["order_confirmed"]
    assert [one.state.value for one in (await money(hub, saga_id)).refunds] == ["pending"]


@pytest.mark.parametrize("edge", ["saga.started", "saga.after_call", "saga.done", "saga.closed"])
@pytest.mark.parametrize("place", [1, 2])
async def test_a_refund_is_sent_once_whoever_dies(hub: Shopping, edge: str, place: int) -> None:
    _, order_id = await paid(hub)
    refund = await hub.refunds.order(order_id, reason=REASON, restock=True, key="1", by="ana")
    worker = hub.worker(f"{edge}=raise@{place}")
    for _ in range(5):
        try:
            await worker.work()
        except FailpointError:
            worker = hub.worker()
        hub.clock.advance(61)

    (order,) = await orders(hub)
    payment = hub.gateway.payment()
    assert (await hub.saga(refund.saga_id)).state is SagaState.COMPLETED
    assert list(payment.refunds.values()) == [payment.amount]
    assert (order.status, order.refunded) == (OrderStatus.REFUNDED, payment.amount)


async def test_a_customer_who_cancels_a_paid_order_gets_all_of_it_back(hub: Shopping) -> None:
    """Asked twice, or told twice: one cancelled order, one refund, the goods back, the order counted no more."""
    saga_id, order_id = await paid(hub)
    for _ in range(2):
        await hub.do(lambda uow: cancel_paid(uow, order_id, now=hub.clock.now()))
    await hub.runs()
    await hub.do(lambda uow: cancel_paid(uow, order_id, now=hub.clock.now()))
    await hub.runs()

    (order,) = await orders(hub)
    payment = hub.gateway.payment()
    profile = await hub.see(lambda uow: uow.customers.of(ANNA))
    assert (order.status, order.refunded) == (OrderStatus.REFUNDED, payment.amount)
    assert list(payment.refunds.values()) == [payment.amount]
    assert (await hub.stock(), profile.total_orders) == (10, 0)
    assert len((await money(hub, saga_id)).refunds) == 1


async def test_an_order_that_has_just_left_is_not_given_back(hub: Shopping) -> None:
    """Nothing moves, and the customer hears that a person will look at it."""
    saga_id, order_id = await paid(hub)
    await hub.shop.shop.ship(order_id=order_id)
    await hub.do(lambda uow: cancel_paid(uow, order_id, now=hub.clock.now()))
    await hub.runs()

    assert hub.gateway.payment().refunds == {}
    assert [one.state.value for one in (await money(hub, saga_id)).refunds] == ["failed"]
    assert "colleague" in str((await hub.said())[-1].content)


async def test_a_refund_of_cash_moves_no_money(hub: Shopping) -> None:
    """It is given by hand; the books still say so."""
    saga_id = await hub.confirm()
    await hub.runner.work()
    order_id = int((await hub.saga(saga_id)).results["create_order"]["order_id"])
    await hub.refunds.order(order_id, reason=REASON, key="1", by="ana")
    await hub.runs()

    (order,) = await orders(hub)
    assert order.status is OrderStatus.REFUNDED
    assert hub.gateway.calls == []


async def test_a_dispute_is_written_down_and_moves_nothing(hub: Shopping) -> None:
    saga_id, _ = await paid(hub)
    payment = hub.gateway.payment()
    call = told(hub, key="d", type="charge.dispute.created", ref="", payment_id=payment.id)
    assert await hub.payments.receive("stripe", call) is PaymentReceipt.TAKEN
    await hub.late.work()
    await hub.runs()

    assert ("stripe", "payment.disputed", f"saga:{saga_id}") in await hub.audited()
    assert await refunds(hub) == []

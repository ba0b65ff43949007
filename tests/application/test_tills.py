"""Every gateway, every way to lie to it and every moment to die in: one charge, one order, the goods add up."""

import json
import os
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.application.tills import CURRENCIES, GATEWAYS, Till, till
from wch.adapters.sandbox.deliveries import signature as meta_signature
from wch.adapters.sandbox.gateways.charge import ChargeState
from wch.application.payments import PaymentReceipt
from wch.domain.order import OrderStatus
from wch.domain.payment import reference
from wch.domain.saga import Saga, SagaState
from wch.testing.faults import Fault, NthCall

EVERY = os.environ.get("WCH_TEST_NTH") == "every"
"""Whether each gateway is tried at each call; else only one is, and the others at the calls that are their own."""

Scenario = Callable[[Till], Awaitable[None]]


async def waits(here: Till) -> Saga:
    """The order waits for its money, and the way to pay is on the phone."""
    await here.confirms()
    await here.work()
    (saga,) = await here.sagas()
    assert saga.state is SagaState.RUNNING
    return saga


async def ends(here: Till, *, minutes: int = 12) -> Saga:
    for _ in range(minutes):
        await here.work()
        here.hub.clock.advance(61)
    (saga,) = await here.sagas()
    return saga


# --- what is told, and what is believed


def forged(request: httpx2.Request) -> dict[str, Any]:
    """The same delivery under another secret."""
    return {name.lower(): "0" * 64 for name in request.headers if "signature" in name.lower()}


@pytest.mark.parametrize("name", GATEWAYS)
async def test_what_is_not_signed_by_the_gateway_changes_nothing(name: str) -> None:
    """Forged, altered by a byte, without a signature, too old: refused, no row, nothing paid."""
    here = await till(name)
    await waits(here)
    await here.acts("pay")
    before = await here.hub.see(lambda uow: [saga.log for saga in uow.sagas.listed()])
    for request in here.posted:
        stale = {}
        if name == "stripe":
            stamp = request.headers["stripe-signature"].replace("t=", "t=1")
            stale = {"stripe-signature": stamp}
        receipts = [
            await here.brings(request, instead=forged(request)),
            await here.brings(request, instead=dict.fromkeys(forged(request), "")),
        ]
        if name != "mercadopago":  # which does not sign its bodies, so nothing of them is read
            receipts.append(await here.brings(request, body=request.content[:-2] + b" }"))
        if stale:
            receipts.append(await here.brings(request, instead=stale))
        expected = {PaymentReceipt.UNSIGNED}
        if "topic" in request.url.params:
            expected = {PaymentReceipt.FOREIGN}  # the older feed, which proves nothing and says nothing
        assert set(receipts) == expected

    assert await here.hub.see(lambda uow: [saga.log for saga in uow.sagas.listed()]) == before
    assert await here.hub.letters() == []
    assert (await here.money()).captured == ()


@pytest.mark.parametrize("seconds", [-301, 301])
async def test_a_stripe_event_of_another_time_is_refused_and_one_just_in_time_is_not(seconds: int) -> None:
    here = await till("stripe")
    await waits(here)
    await here.acts("pay")
    (*_, request) = here.posted
    here.hub.clock.advance(seconds)
    late = await here.brings(request)
    here.hub.clock.advance(-seconds + (299 if seconds > 0 else -299))

    assert late is PaymentReceipt.UNSIGNED
    assert await here.brings(request) is PaymentReceipt.TAKEN


@pytest.mark.parametrize("name", GATEWAYS)
async def test_in_any_order_and_any_number_it_is_one_payment(name: str) -> None:
    """Backwards, each twice, once more a day later: one capture, one order; each event is claimed once."""
    here = await till(name)
    await waits(here)
    await here.acts("pay")
    for request in (*reversed(here.posted), *here.posted):
        await here.brings(request)
        await here.work()
    here.hub.clock.advance(250)
    again = {await here.brings(request) for request in here.posted if "topic" not in request.url.params}
    await ends(here)

    assert again <= {PaymentReceipt.KNOWN, PaymentReceipt.FOREIGN}
    (saga,) = await here.sagas()
    assert saga.state is SagaState.COMPLETED
    assert len((await here.money()).captured) == 1
    assert await here.sagas("Refund") == []
    await here.is_right()


@pytest.mark.parametrize("name", GATEWAYS)
async def test_a_genuine_event_of_a_payment_that_was_not_made_pays_nothing(name: str) -> None:
    """Rightly signed, for our own order: the look-up says that it is open, so the order waits."""
    here = await till(name)
    await waits(here)
    await here.acts("pay")
    (charge,) = here.charges
    charge.state, charge.received, charge.paid_at = ChargeState.OPEN, None, None
    receipts = [await here.brings(request) for request in here.posted]
    await here.work()

    assert PaymentReceipt.TAKEN in receipts
    (saga,) = await here.sagas()
    assert (saga.state, (await here.money()).captured) == (SagaState.RUNNING, ())


@pytest.mark.parametrize("name", GATEWAYS)
@pytest.mark.parametrize("wrong", ["amount", "currency"])
async def test_another_sum_is_parked_with_nothing_paid(name: str, wrong: str) -> None:
    """The operator sees both figures; the customer is told that it is being checked."""
    here = await till(name)
    await waits(here)
    await here.acts("wrong_amount" if wrong == "amount" else "pay")
    if wrong == "currency":
        (charge,) = here.charges
        charge.currency = "usd" if name == "stripe" else "USD"
    for request in here.posted:
        await here.brings(request)
    saga = await ends(here, minutes=2)

    (order,) = (await here.hub.shop.shop.orders_of(phones=saga_phones(saga))).items
    assert (saga.outcome, saga.context["reason"]) == ("parked", f"{wrong}_mismatch")
    assert (order.status, order.paid_at) == (OrderStatus.PENDING, None)
    (capture,) = (await here.money()).captured
    assert capture.amount != (await here.money()).due


def saga_phones(saga: Saga) -> tuple[str, ...]:
    return (saga.context["customer"]["phone"],)


@pytest.mark.parametrize("name", GATEWAYS)
async def test_without_any_news_the_sweep_finds_the_money(name: str) -> None:
    here = await till(name)
    await waits(here)
    await here.acts()
    here.hub.clock.advance(181)
    await here.work()

    assert here.posted == []
    (saga,) = await here.sagas()
    assert saga.state is SagaState.COMPLETED
    await here.is_right()


@pytest.mark.parametrize("name", GATEWAYS)
async def test_news_before_our_own_commit_are_not_lost(name: str) -> None:
    """The gateway is quicker than we are: the event waits in the log of its saga."""
    here = await till(name, plan=NthCall(fault=Fault.CRASH_AFTER, at=1, of="payments.open"))
    await here.confirms()
    assert await here.work()
    if name == "whatsapp_pay":
        # Nothing was sent, so there is nothing that could be paid yet.
        here.hub.clock.advance(61)
        await here.work()
    await here.acts("pay")
    receipts = [await here.brings(request) for request in here.posted]
    here.hub.clock.advance(61)
    await here.work()

    if name != "mercadopago":  # which names its own payment, that we do not know yet, and our reference in the query
        assert PaymentReceipt.TAKEN in receipts
    saga = await ends(here, minutes=4)
    assert saga.state is SagaState.COMPLETED
    await here.is_right()


@pytest.mark.parametrize("name", GATEWAYS)
async def test_money_two_hours_after_the_end_goes_back_whole_and_once(name: str) -> None:
    here = await till(name)
    saga = await waits(here)
    await here.asks(saga.saga_id, "cancel")
    await ends(here, minutes=8)
    here.hub.clock.advance(7200)
    (charge,) = here.charges
    charge.state, charge.received, charge.paid_at = ChargeState.PAID, charge.amount, here.hub.clock.now()
    for _ in range(3):
        here.hub.clock.advance(86_400)
        await here.work()
        await here.work()

    assert charge.refunded == charge.amount
    assert len(charge.refunds) == 1
    assert (await here.money()).is_lawful
    await here.is_right()


async def test_a_stranger_who_names_our_order_pays_nothing_for_us() -> None:
    """Mercado Pago signs the id of somebody's real, approved payment; our own is looked up."""
    here = await till("mercadopago")
    saga = await waits(here)
    theirs = await till("mercadopago")
    await waits(theirs)
    await theirs.acts("pay")
    (signed, *_) = [one for one in theirs.posted if "topic" not in one.url.params]
    ours = reference(*_cart(saga))
    query = {**dict(signed.url.params), "ref": ours}
    request = httpx2.Request("POST", signed.url.copy_with(params=query), headers=signed.headers, content=signed.content)

    assert await here.brings(request) is PaymentReceipt.TAKEN
    await here.work()
    (saga,) = await here.sagas()
    assert (saga.state, (await here.money()).captured) == (SagaState.RUNNING, ())


def _cart(saga: Saga) -> tuple[int, Any]:
    from wch.domain.moment import of_unix  # noqa: PLC0415 - one use

    cart_id, opened = saga.context["cart"]
    return cart_id, of_unix(opened)


async def test_a_forged_payment_status_inside_whatsapp_is_not_heard() -> None:
    """Another app's secret signs nothing here."""
    here = await till("whatsapp_pay")
    await waits(here)
    await here.acts("pay")
    (request,) = here.posted
    wrong = {"x-hub-signature-256": meta_signature(request.content, "another-app")}

    assert await here.brings(request, instead=wrong) is PaymentReceipt.UNSIGNED
    assert json.loads(request.content)["entry"]


# --- dying at every edge


async def pays(here: Till) -> None:
    """From the confirmation to the order at work, the money coming as soon as it can be paid."""
    await here.confirms()
    while await here.lives():
        if any(one.state is ChargeState.OPEN for one in here.charges):
            await here.acts()


async def cancels(here: Till) -> None:
    """The customer changes her mind before she pays."""
    await here.confirms()
    asked = False
    while await here.lives():
        (saga,) = await here.sagas()
        if not asked and saga.is_done("open_payment"):
            await here.asks(saga.saga_id, "cancel")
            asked = True


async def pays_while_cancelling(here: Till) -> None:
    """She pays in the moment in which she cancels: the money is found by closing, and goes back."""
    await here.confirms()
    asked = False
    while await here.lives():
        (saga,) = await here.sagas()
        if not asked and here.charges and saga.is_done("open_payment"):
            await here.acts()
            await here.asks(saga.saga_id, "cancel")
            asked = True


async def gives_back(here: Till) -> None:
    """An order that was paid is given back whole."""
    armed, here.armed.plan = here.armed.plan, None
    await pays(here)
    here.armed.plan = armed
    (saga,) = await here.sagas()
    order_id = saga.results["create_order"]["order_id"]
    await here.hub.refunds.order(order_id, reason="-", restock=True, key="click", by="ana")
    while await here.lives():
        pass


SCENARIOS = (pays, cancels, pays_while_cancelling, gives_back)
OUTSIDE = ("payments.", "shop.")
STRIKES = [
    pytest.param(OUTSIDE, Fault.CRASH, id="dead before a call"),
    pytest.param(OUTSIDE, Fault.CRASH_AFTER, id="dead after a call"),
    pytest.param("database.transact", Fault.CRASH_AFTER, id="dead after a commit"),
    pytest.param(OUTSIDE, Fault.ERROR, id="a call is not made"),
    pytest.param(OUTSIDE, Fault.LOST_ANSWER, id="a call without an answer"),
]


def _of(name: str, of: str | tuple[str, ...]) -> str | tuple[str, ...]:
    """The calls at which this gateway is tried: its own alone where another one stands for all the rest."""
    return of if EVERY or name == "stripe" or of != OUTSIDE else "payments."


@pytest.mark.parametrize(("of", "fault"), STRIKES)
@pytest.mark.parametrize("name", [*GATEWAYS, "cod"])
@pytest.mark.parametrize("play", SCENARIOS, ids=lambda play: play.__name__)
async def test_struck_at_any_edge_it_ends_by_itself(
    play: Scenario, name: str, of: str | tuple[str, ...], fault: Fault
) -> None:
    """Placed or undone, paid once or given back, whoever takes it over; no step waits for a person."""
    if name == "cod" and play is not pays:
        of = ()
    if of == "database.transact" and not EVERY and name not in {"stripe", "cod"}:
        of = ()
    at = 0
    while of:
        at += 1
        plan = NthCall(fault=fault, at=at, of=_of(name, of) if name != "cod" else of)
        here = await till(name, plan=plan)
        await play(here)
        struck = plan.passed >= at
        (saga,) = await here.sagas()
        refunds = await here.sagas("Refund")
        told = (
            at,
            saga.state,
            saga.outcome,
            saga.context.get("reason"),
            [(one.state, one.context.get("reason")) for one in refunds],
        )
        assert saga.state is SagaState.COMPLETED or saga.outcome == "compensated", told
        for refund in refunds:
            parked = refund.outcome == "parked" and refund.context["reason"] == "refund_unclear"
            assert refund.state is SagaState.COMPLETED or (name == "whatsapp_pay" and parked), told
            if parked:
                # Whether it was sent nobody can tell: a person asks, and it is never sent by itself.
                assert here.charges[0].refunded == 0, told
        if all(refund.state is SagaState.COMPLETED for refund in refunds):
            await here.is_right()
        assert all(len(charge.refunds) <= 1 for charge in here.charges), told
        await here.hub.shop.aclose()
        if not struck:
            assert at > 1 or name == "cod", "nothing was ever struck"
            return


def test_every_gateway_is_on_the_table() -> None:
    """A new one is tried the day it is written."""
    assert set(GATEWAYS) == set(CURRENCIES) == {"stripe", "razorpay", "mercadopago", "whatsapp_pay"}

"""A gateway that is down is not asked again and again, and a refusal is no fault of its."""

from datetime import timedelta

import attrs
import pytest

from wch.adapters.memory import MemoryDatabase
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.breakers import Breakers
from wch.application.failpoints import Failpoints
from wch.application.guarded_payments import SERVICE, GuardedPayments
from wch.application.tallies import Tallies
from wch.domain.circuit_breaker import BreakerRule, BreakerState
from wch.domain.errors import NotFoundError
from wch.domain.money import Money
from wch.domain.payment import (
    CancelOutcome,
    OrderFacts,
    Payer,
    PaymentRefusedError,
    PaymentStatus,
    PaymentUnavailableError,
    RefundStatus,
    WebhookCall,
)
from wch.testing import FrozenClock
from wch.testing.faults import Fault, Faults
from wch.testing.payment_contract import order_of
from wch.testing.scripted_gateway import ScriptedGateway

RULE = BreakerRule(failures=3, successes=1, timeout=timedelta(seconds=120))


def guarded() -> tuple[GuardedPayments, ScriptedGateway, Breakers, FrozenClock]:
    clock = FrozenClock()
    breakers = Breakers(
        database=MemoryDatabase(),
        clock=clock,
        rules={SERVICE: RULE},
        failpoints=Failpoints.disarmed(),
        tallies=Tallies(),
    )
    gateway = ScriptedGateway(clock=clock)
    ways = SwitchedOnPayments((CashOnDelivery(), gateway))
    return GuardedPayments(payments=ways, breakers=breakers), gateway, breakers, clock


async def look(payments: GuardedPayments) -> PaymentStatus:
    return (await payments.gateway("stripe").look_up(reference="r", provider_id="p")).state


async def test_three_silences_open_it_and_one_answer_closes_it() -> None:
    """While it is open the gateway hears nothing."""
    payments, gateway, breakers, clock = guarded()
    gateway.script("look_up", "away", "away", "away")
    for _ in range(5):
        with pytest.raises(PaymentUnavailableError):
            await look(payments)
        clock.advance(1)
    asked = len(gateway.calls)
    (opened,) = await breakers.listed()
    clock.advance(121)

    assert await look(payments) is PaymentStatus.UNKNOWN
    (closed,) = await breakers.listed()
    assert (asked, opened.state, closed.state) == (3, BreakerState.OPEN, BreakerState.CLOSED)


async def test_a_refusal_is_an_answer() -> None:
    """It opens nothing, however often it comes."""
    payments, _, breakers, _ = guarded()
    for _ in range(5):
        with pytest.raises(PaymentRefusedError):
            await payments.gateway("cod").refund(key="k", payment_id="p", amount=Money.from_minor(1, "EUR"), reason="r")

    assert all(one.state is BreakerState.CLOSED for one in await breakers.listed())


async def test_it_is_what_it_guards() -> None:
    payments, gateway, _, _ = guarded()
    way = payments.gateway("stripe")

    assert (way.name, way.has_webhook) == (gateway.name, gateway.has_webhook)
    with pytest.raises(NotFoundError):
        payments.gateway("paypal")


async def test_every_call_goes_through_it() -> None:
    """What the gateway answers is what is heard, and each call asks the breaker."""
    payments, gateway, breakers, clock = guarded()
    way, amount = payments.gateway("stripe"), Money.from_minor(100, "EUR")
    facts = OrderFacts(total=amount, country="DE", needs_shipping=True)
    opened = await way.open(
        reference="r", key="k", order=order_of(amount, clock.now()), amount=amount,
        deadline=clock.now(), customer=Payer(phones=("1",)), language="en",
    )  # fmt: skip
    gateway.pay()
    back = await way.refund(key="b", payment_id=opened.provider_id, amount=amount, reason="-")
    known = await way.look_up_refund(key="b", payment_id=opened.provider_id)
    closed = await way.cancel(reference="r", provider_id=opened.provider_id, key="c")
    signed = WebhookCall(headers={"signature": "good"}, query={"key": "e", "ref": "r"}, body=b"")

    assert [operation for operation, _ in gateway.calls] == ["open", "refund", "look_up_refund", "cancel"]
    assert (back, known, closed.outcome) == (RefundStatus.DONE, RefundStatus.DONE, CancelOutcome.ALREADY_PAID)
    assert (way.offers(facts), payments.offers(facts)[1]) == (gateway.offers(facts), gateway.offers(facts))
    assert way.verify(signed, now=clock.now()) == gateway.verify(signed, now=clock.now())
    assert all(one.state is BreakerState.CLOSED for one in await breakers.listed())


async def test_without_the_store_nothing_is_called() -> None:
    """A breaker that cannot be read lets nobody through."""
    payments, gateway, breakers, _ = guarded()
    away = Faults(plan=lambda place: Fault.ERROR if place.startswith("database.") else None)
    shut = GuardedPayments(
        payments=payments.payments, breakers=attrs.evolve(breakers, database=away.database(breakers.database))
    )
    with pytest.raises(PaymentUnavailableError):
        await look(shut)

    assert gateway.calls == []


async def test_an_answer_counts_even_when_the_breaker_cannot_hear_of_it() -> None:
    payments, gateway, breakers, _ = guarded()
    gateway.script("look_up", "away")
    with pytest.raises(PaymentUnavailableError):
        await look(payments)
    deaf = Faults(plan=lambda place: Fault.ERROR if place == "database.transact" and gateway.calls[1:] else None)
    told = GuardedPayments(
        payments=payments.payments, breakers=attrs.evolve(breakers, database=deaf.database(breakers.database))
    )

    assert await look(told) is PaymentStatus.UNKNOWN

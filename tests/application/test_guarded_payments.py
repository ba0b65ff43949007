"""A gateway that is down is not asked again and again, and a refusal is no fault of its."""

from datetime import timedelta

import pytest

from wch.adapters.memory import MemoryDatabase
from wch.adapters.payments import CashOnDelivery, SwitchedOnPayments
from wch.application.breakers import Breakers
from wch.application.failpoints import Failpoints
from wch.application.guarded_payments import SERVICE, GuardedPayments
from wch.domain.circuit_breaker import BreakerRule, BreakerState
from wch.domain.errors import NotFoundError
from wch.domain.money import Money
from wch.domain.payment import PaymentRefusedError, PaymentStatus, PaymentUnavailableError
from wch.testing import FrozenClock
from wch.testing.scripted_gateway import ScriptedGateway

RULE = BreakerRule(failures=3, successes=1, timeout=timedelta(seconds=120))


def guarded() -> tuple[GuardedPayments, ScriptedGateway, Breakers, FrozenClock]:
    clock = FrozenClock()
    breakers = Breakers(database=MemoryDatabase(), clock=clock, rules={SERVICE: RULE}, failpoints=Failpoints.disarmed())
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

"""What every gateway must do: a suite that any adapter, also a foreign one, passes.

Subclass `GatewayContract` in a test module and give it a fixture `counter`:

    class TestMyGateway(GatewayContract):
        @pytest.fixture
        async def counter(self) -> AsyncIterator[Counter]: ...
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wch.application.ports import Gateway
from wch.domain.money import Money
from wch.domain.order import Order, OrderLine, OrderStatus
from wch.domain.payment import (
    BadSignatureError,
    CancelOutcome,
    Offer,
    Opened,
    OrderFacts,
    Payer,
    PaymentRefusedError,
    PaymentStatus,
    RefundStatus,
    WebhookCall,
    reference,
)
from wch.testing.doubles import FrozenClock

BUYER = Payer(phones=("4915112345678",), name="Ada Lovelace", email="ada@example.org", writes_to="106540352242922")
REASON = "wrong size"
HEADERS = ("stripe-signature", "x-razorpay-signature", "x-signature", "x-request-id", "signature")


class Counter(Protocol):
    """How the suite pays at the gateway under test."""

    clock: FrozenClock
    gateway: Gateway
    currency: str

    async def show(self, opened: Opened) -> None:
        """Bring to the customer what was opened, as the hub would; nothing where the gateway itself shows it."""
        ...

    async def pay(self, opened: Opened, *, short: bool = False) -> None:
        """Pay as the customer, exactly or one smallest unit too little."""
        ...


def order_of(amount: Money, now: datetime) -> Order:
    """An order over this amount."""
    line = OrderLine(product_id=1, name="Mug", quantity=1, price=amount, total=amount)
    nothing = Money.zero(amount.currency)
    return Order(
        id=7,
        number="7",
        status=OrderStatus.PENDING,
        currency=amount.currency,
        total=amount,
        lines=(line,),
        shipping=nothing,
        phone="4915112345678",
        refunded=nothing,
        created_at=now,
        updated_at=now,
    )


def amount_of(counter: Counter, units: int = 12_340) -> Money:
    """An amount in the gateway's currency."""
    return Money.from_minor(units, counter.currency)


async def opened(counter: Counter, *, name: str | None = None, key: str = "order-1-1-open_payment") -> Opened:
    """A payment that waits for its customer for an hour."""
    amount = amount_of(counter)
    answer = await counter.gateway.open(
        reference=name or of(counter),
        key=key,
        order=order_of(amount, counter.clock.now()),
        amount=amount,
        deadline=counter.clock.now() + timedelta(hours=1),
        customer=BUYER,
        language="en",
    )
    await counter.show(answer)
    return answer


def of(counter: Counter, cart_id: int = 1) -> str:
    """The reference of a cart of today."""
    return reference(cart_id, counter.clock.now().replace(hour=0, minute=0, second=0))


class GatewayContract:
    """The suite."""

    async def test_an_offer_is_in_the_orders_currency_and_leaves_time(self, counter: Counter) -> None:
        """What is offered can be opened: fee and bounds are of this order."""
        total = amount_of(counter)
        offer = counter.gateway.offers(
            OrderFacts(total=total, country="IN", needs_shipping=True, email="ada@example.org", number_country="IN")
        )

        assert isinstance(offer, Offer)
        assert (offer.gateway, offer.fee.currency) == (counter.gateway.name, total.currency)
        assert not offer.pays_later
        assert offer.earliest is not None
        assert offer.latest is not None
        assert offer.earliest < offer.latest

    async def test_nothing_is_not_offered(self, counter: Counter) -> None:
        """A gateway charges no empty amount."""
        nothing = Money.zero(counter.currency)
        said = counter.gateway.offers(OrderFacts(total=nothing, country=None, needs_shipping=False, email="a@b.c"))
        assert not isinstance(said, Offer)

    async def test_one_key_opens_one_payment(self, counter: Counter) -> None:
        """The answer was lost and the call comes again: the same payment, with exactly one way to pay."""
        first, second = await opened(counter), await opened(counter)

        assert (first.provider_id, first.link, first.code) == (second.provider_id, second.link, second.code)
        assert [first.link, first.code, first.order_details].count(None) == 2

    async def test_what_is_open_says_what_it_asks(self, counter: Counter) -> None:
        """Nobody has paid yet: the amount is the one that is asked for."""
        one = await opened(counter)
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert (state.state, state.amount, state.payment_id or "") == (
            PaymentStatus.OPEN,
            amount_of(counter),
            state.payment_id or "",
        )

    async def test_another_reference_is_not_this_payment(self, counter: Counter) -> None:
        """A payment of somebody else, however real, is none of this order."""
        one = await opened(counter)
        await counter.pay(one)
        state = await counter.gateway.look_up(reference=of(counter, 2), provider_id=one.provider_id)

        assert state.state is PaymentStatus.UNKNOWN

    async def test_nobody_knows_what_was_never_opened(self, counter: Counter) -> None:
        """Closing it does no harm."""
        state = await counter.gateway.look_up(reference=of(counter, 9), provider_id=None)
        answer = await counter.gateway.cancel(
            reference=of(counter, 9), provider_id=None, key="order-9-1-open_payment-undo"
        )

        assert state.state is PaymentStatus.UNKNOWN
        assert answer.outcome is CancelOutcome.ALREADY_OVER

    async def test_what_was_paid_is_captured_to_the_last_unit(self, counter: Counter) -> None:
        """The money has an id, by which it is counted once."""
        one = await opened(counter)
        await counter.pay(one)
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert (state.state, state.amount) == (PaymentStatus.CAPTURED, amount_of(counter))
        assert state.payment_id

    async def test_a_unit_too_little_is_seen(self, counter: Counter) -> None:
        """What came is told, not what was asked."""
        one = await opened(counter)
        await counter.pay(one, short=True)
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert state.state is PaymentStatus.CAPTURED
        assert state.amount is not None
        assert state.amount != amount_of(counter)

    async def test_what_is_cancelled_stays_so(self, counter: Counter) -> None:
        """The second time there is nothing left to cancel."""
        one = await opened(counter)
        outcomes = [
            (await counter.gateway.cancel(reference=of(counter), provider_id=one.provider_id, key=key)).outcome
            for key in ("first", "second")
        ]

        assert outcomes == [CancelOutcome.CANCELLED, CancelOutcome.ALREADY_OVER]

    async def test_what_is_paid_is_not_cancelled(self, counter: Counter) -> None:
        """The answer brings the money's state, so that it can be counted or given back."""
        one = await opened(counter)
        await counter.pay(one)
        answer = await counter.gateway.cancel(reference=of(counter), provider_id=one.provider_id, key="undo")

        assert answer.outcome is CancelOutcome.ALREADY_PAID
        assert answer.state is not None
        assert (answer.state.state, answer.state.amount) == (PaymentStatus.CAPTURED, amount_of(counter))

    async def test_past_its_time_it_is_over(self, counter: Counter) -> None:
        """It cannot be paid any more, and closing it does no harm."""
        one = await opened(counter)
        counter.clock.advance(3601)
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        answer = await counter.gateway.cancel(reference=of(counter), provider_id=one.provider_id, key="undo")

        assert state.state in {PaymentStatus.EXPIRED, PaymentStatus.CANCELLED}
        assert answer.outcome is CancelOutcome.ALREADY_OVER

    async def test_one_key_gives_back_once(self, counter: Counter) -> None:
        """Two parts under two keys, the first asked for twice: two parts went back."""
        one = await opened(counter)
        await counter.pay(one)
        payment_id = (
            await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        ).payment_id or ""
        for key, units in (("refund-7-1-pay", 3_000), ("refund-7-1-pay", 3_000), ("refund-7-2-pay", 4_000)):
            told = await counter.gateway.refund(
                key=key, payment_id=payment_id, amount=amount_of(counter, units), reason=REASON
            )
            assert told is RefundStatus.DONE

        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        known = await counter.gateway.look_up_refund(key="refund-7-1-pay", payment_id=payment_id)
        assert state.refunded in {amount_of(counter, 7_000), None}
        assert known is RefundStatus.DONE

    async def test_what_went_back_whole_is_refunded(self, counter: Counter) -> None:
        """The payment says so, and the refund is known."""
        one = await opened(counter)
        await counter.pay(one)
        payment_id = (
            await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        ).payment_id or ""
        assert await counter.gateway.look_up_refund(key="k", payment_id=payment_id) is RefundStatus.UNKNOWN
        await counter.gateway.refund(key="k", payment_id=payment_id, amount=amount_of(counter), reason=REASON)
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert state.state is PaymentStatus.REFUNDED

    async def test_more_than_came_does_not_go_back(self, counter: Counter) -> None:
        """The gateway refuses it for good."""
        one = await opened(counter)
        await counter.pay(one)
        payment_id = (
            await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        ).payment_id or ""
        with pytest.raises(PaymentRefusedError):
            await counter.gateway.refund(
                key="k", payment_id=payment_id, amount=amount_of(counter, 12_341), reason=REASON
            )

    # Every gateway's class runs it on an instance of its own.
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
    @given(headers=st.dictionaries(st.sampled_from(HEADERS), st.text(max_size=90)), body=st.binary(max_size=60))
    async def test_whatever_is_sent_unsigned_is_a_bad_signature(
        self, counter: Counter, headers: Mapping[str, str], body: bytes
    ) -> None:
        """No header and no body brings another error out of it."""
        with pytest.raises(BadSignatureError):
            counter.gateway.verify(WebhookCall(headers=headers, query={}, body=body), now=counter.clock.now())

"""The gateways that come with the hub keep the contract of every gateway."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import httpx2
import pytest

from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import MercadoPago
from wch.adapters.payments.razorpay import Razorpay
from wch.adapters.payments.stripe import Stripe
from wch.adapters.payments.whatsapp_pay import WhatsAppPay
from wch.adapters.sandbox.gateways import Secrets, SimulatedGateways, simulated
from wch.adapters.sandbox.refusals import check
from wch.adapters.sandbox.templates import TemplateBook
from wch.adapters.whatsapp.encoder import encode
from wch.application.ports import Gateway
from wch.domain.outgoing import OrderDetails, OrderStatus, Owed
from wch.domain.payment import CancelOutcome, Opened, PaymentStatus, RefundStatus
from wch.testing.doubles import FrozenClock, SequentialIds
from wch.testing.payment_contract import Counter, GatewayContract, amount_of, of, opened

KNOWN = Secrets()
TO = {"messaging_product": "whatsapp", "to": "919876543210"}


@attrs.define
class SimulatedCounter:
    """A gateway over the simulated API of its provider, without a network between them."""

    gateway: Gateway
    currency: str
    clock: FrozenClock
    world: SimulatedGateways
    shown: set[str] = attrs.field(factory=set)

    async def show(self, opened: Opened) -> None:
        if opened.order_details is None or opened.order_details["reference_id"] in self.shown:
            return
        self.shown.add(opened.order_details["reference_id"])
        message = OrderDetails(body="Please pay.", owed=Owed.from_json(opened.order_details))
        self.world.in_chat.said(
            opened.provider_id, "919876543210", "wamid.1", check({**TO, **encode(message)}, TemplateBook(()))
        )

    async def pay(self, opened: Opened, *, short: bool = False) -> None:
        told = opened.order_details or {}
        charge = told.get("reference_id", opened.provider_id)
        await self.world.act(self.gateway.name, charge, "wrong_amount" if short else "pay_silently")
        await self.world.settle()


async def counter_of(name: str, currency: str, **api: Any) -> AsyncIterator[Counter]:
    clock = FrozenClock()
    posted: list[httpx2.Request] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        posted.append(request)
        return httpx2.Response(200)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(take)) as hub:
        world = simulated(hub="https://hub.example", clock=clock, ids=SequentialIds(), http=hub)

        def call(request: httpx2.Request) -> httpx2.Response:
            answered = world.called(
                name,
                method=request.method,
                path=[part for part in request.url.path.split("/") if part],
                query=dict(request.url.params),
                headers={key.lower(): value for key, value in request.headers.items()},
                body=request.content,
            )
            return httpx2.Response(answered.status, content=answered.content())

        async with httpx2.AsyncClient(transport=httpx2.MockTransport(call)) as http:
            reached = GatewayApi(http=http, root=f"https://{name}.example", **api)
            ways: dict[str, Gateway] = {
                "stripe": Stripe(api=reached, secrets=(KNOWN.stripe_webhook,)),
                "razorpay": Razorpay(api=reached, secrets=(KNOWN.razorpay_webhook,)),
                "mercadopago": MercadoPago(
                    api=reached, secrets=(KNOWN.mercadopago_webhook,), payer_email="shop@example.com"
                ),
                "whatsapp_pay": WhatsAppPay(api=reached, configuration="main"),
            }
            yield SimulatedCounter(gateway=ways[name], currency=currency, clock=clock, world=world)
        for request in posted:
            assert request.url.path in {f"/webhooks/payments/{name}", "/webhooks/whatsapp"}


def bearer(token: str) -> dict[str, Any]:
    return {"headers": {"Authorization": f"Bearer {token}"}}


class TestStripe(GatewayContract):
    @pytest.fixture(params=["EUR", "JPY", "KWD"])
    async def counter(self, request: pytest.FixtureRequest) -> AsyncIterator[Counter]:
        async for one in counter_of("stripe", request.param, **bearer(KNOWN.stripe_key)):
            yield one


class TestRazorpay(GatewayContract):
    @pytest.fixture
    async def counter(self) -> AsyncIterator[Counter]:
        async for one in counter_of("razorpay", "INR", auth=(KNOWN.razorpay_id, KNOWN.razorpay_key)):
            yield one


class TestMercadoPago(GatewayContract):
    @pytest.fixture
    async def counter(self) -> AsyncIterator[Counter]:
        async for one in counter_of("mercadopago", "BRL", **bearer(KNOWN.mercadopago_token)):
            yield one


class TestWhatsAppPay(GatewayContract):
    """Closing is a message, and a refund has no key: what is said of these two is said here instead."""

    @pytest.fixture
    async def counter(self) -> AsyncIterator[Counter]:
        async for one in counter_of("whatsapp_pay", "INR"):
            yield one

    async def test_what_is_cancelled_stays_so(self, counter: Counter) -> None:
        """It may be closed as long as nothing was paid; the message that closes it makes it over."""
        one = await opened(counter)
        assert isinstance(counter, SimulatedCounter)
        for expected in (CancelOutcome.CANCELLED, CancelOutcome.ALREADY_OVER):
            answer = await counter.gateway.cancel(reference=of(counter), provider_id=one.provider_id, key="undo")
            assert answer.outcome is expected
            closing = encode(OrderStatus(body="It is off.", reference_id=of(counter), status="canceled"))
            assert counter.world.in_chat.said(one.provider_id, "919876543210", "wamid.2", closing) is None

    async def test_what_is_paid_cannot_be_called_off(self, counter: Counter) -> None:
        """WhatsApp refuses the message with a code of its own."""
        one = await opened(counter)
        await counter.pay(one)
        assert isinstance(counter, SimulatedCounter)
        closing = encode(OrderStatus(body="It is off.", reference_id=of(counter), status="canceled"))

        assert counter.world.in_chat.said(one.provider_id, "919876543210", "wamid.2", closing) == 2047

    async def test_one_key_gives_back_once(self, counter: Counter) -> None:
        """It does not: so nothing is known of a key, and what went back can be compared."""
        one = await opened(counter)
        await counter.pay(one)
        before = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        for units in (3_000, 4_000):
            told = await counter.gateway.refund(
                key="same", payment_id=before.payment_id or "", amount=amount_of(counter, units), reason="-"
            )
            assert told is RefundStatus.DONE
        after = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert (before.refunded, after.refunded) == (amount_of(counter, 0), amount_of(counter, 7_000))
        known = await counter.gateway.look_up_refund(key="same", payment_id=before.payment_id or "")
        assert known is RefundStatus.UNCLEAR

    async def test_what_went_back_whole_is_refunded(self, counter: Counter) -> None:
        """The payment says so."""
        one = await opened(counter)
        await counter.pay(one)
        paid = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)
        await counter.gateway.refund(key="k", payment_id=paid.payment_id or "", amount=amount_of(counter), reason="-")
        state = await counter.gateway.look_up(reference=of(counter), provider_id=one.provider_id)

        assert state.state is PaymentStatus.REFUNDED

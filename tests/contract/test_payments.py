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
from wch.adapters.sandbox.gateways import Secrets, SimulatedGateways, simulated
from wch.application.ports import Gateway
from wch.domain.payment import Opened
from wch.testing.doubles import FrozenClock, SequentialIds
from wch.testing.payment_contract import Counter, GatewayContract

KNOWN = Secrets()


@attrs.define
class SimulatedCounter:
    """A gateway over the simulated API of its provider, without a network between them."""

    gateway: Gateway
    currency: str
    clock: FrozenClock
    world: SimulatedGateways

    async def pay(self, opened: Opened, *, short: bool = False) -> None:
        await self.world.act(self.gateway.name, opened.provider_id, "wrong_amount" if short else "pay_silently")
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
            }
            yield SimulatedCounter(gateway=ways[name], currency=currency, clock=clock, world=world)
        for request in posted:
            assert request.url.path == f"/webhooks/payments/{name}"


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

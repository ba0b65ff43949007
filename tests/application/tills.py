"""A placement that is paid at a real adapter, over the simulated API of its provider, with every call in reach."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import attrs
import httpx2

from tests.application.shopping import ANNA, NUMBER, Shopping, shopping
from wch.adapters.payments.calling import GatewayApi
from wch.adapters.payments.mercadopago import MercadoPago
from wch.adapters.payments.razorpay import Razorpay
from wch.adapters.payments.stripe import Stripe
from wch.adapters.payments.whatsapp_pay import WhatsAppPay
from wch.adapters.sandbox.gateways import Secrets, SimulatedGateways, simulated
from wch.adapters.sandbox.gateways.charge import Charge, ChargeState
from wch.adapters.whatsapp.codec import CloudApiCodec
from wch.application.payments import PaymentReceipt
from wch.application.ports import Gateway
from wch.application.sagas import signal
from wch.domain.inbound import StatusUpdate
from wch.domain.ledger import Ledger
from wch.domain.order import OrderStatus
from wch.domain.payment import WebhookCall
from wch.domain.saga import Saga
from wch.testing import FrozenClock, SequentialIds
from wch.testing.faults import CrashedError, Fault, Faults, NthCall

KNOWN = Secrets()
CURRENCIES = {"stripe": "EUR", "razorpay": "INR", "mercadopago": "BRL", "whatsapp_pay": "INR"}
GATEWAYS = tuple(CURRENCIES)

_DEAD = {OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.FAILED}


def gateway_of(name: str, http: httpx2.AsyncClient) -> Gateway:
    """The adapter with the simulated provider's secrets."""

    def api(**more: Any) -> GatewayApi:
        return GatewayApi(http=http, root=f"https://{name}.example", **more)

    def bearer(token: str) -> GatewayApi:
        return api(headers={"Authorization": f"Bearer {token}"})

    ways: dict[str, Callable[[], Gateway]] = {
        "stripe": lambda: Stripe(api=bearer(KNOWN.stripe_key), secrets=(KNOWN.stripe_webhook,)),
        "razorpay": lambda: Razorpay(
            api=api(auth=(KNOWN.razorpay_id, KNOWN.razorpay_key)), secrets=(KNOWN.razorpay_webhook,)
        ),
        "mercadopago": lambda: MercadoPago(
            api=bearer(KNOWN.mercadopago_token), secrets=(KNOWN.mercadopago_webhook,), payer_email="shop@example.com",
            notification_url="https://hub.example/webhooks/payments/mercadopago",
        ),
        "whatsapp_pay": lambda: WhatsAppPay(api=api(), configuration="main"),
    }  # fmt: skip
    return ways[name]()


@attrs.define(kw_only=True)
class Armed:
    """A plan that counts and strikes only while a worker is at work."""

    plan: NthCall | None
    on: bool = False

    def __call__(self, place: str) -> Fault | None:
        return self.plan(place) if self.on and self.plan is not None else None


@attrs.define(kw_only=True)
class Till:
    """One customer, one order, one gateway.

    Attributes:
        posted: what the provider posted and nobody has brought to the hub yet.
    """

    name: str
    hub: Shopping
    world: SimulatedGateways
    armed: Armed
    posted: list[httpx2.Request]
    shown: int = 0
    minutes: int = 0

    # --- what the customer does

    async def confirms(self) -> str:
        return await self.hub.confirm(online=self.name != "cod", gateway=self.name)

    @property
    def charges(self) -> list[Charge]:
        return list(self.world._book.all(None))  # noqa: SLF001 - the provider's own book

    async def acts(self, deed: str = "pay_silently") -> None:
        (charge,) = self.charges
        await self.world.act(self.name, charge.id, deed)
        await self.world.settle()

    async def asks(self, saga_id: str, kind: str) -> None:
        now = self.hub.clock.now()
        await self.hub.do(lambda uow: signal(uow, saga_id, kind, {}, now=now))

    # --- what happens

    async def work(self) -> bool:
        """One pass of a fresh worker; whether it died on its way. What it said about a bill reaches the phone."""
        self.armed.on = True
        died = False
        try:
            await self.hub.worker().work()
            await self.hub.late.work()
        except CrashedError:
            died = True
        finally:
            self.armed.on = False
        for row in (await self.hub.said())[self.shown :]:
            self.shown += 1
            self.world.in_chat.said(NUMBER, ANNA, f"wamid.{row.id}", row.content["body"])
        return died

    async def lives(self) -> bool:
        """One pass, and a minute goes by; whether anything is still under way, within a quarter of an hour."""
        await self.work()
        self.hub.clock.advance(61)
        self.minutes += 1
        assert self.minutes < 30, "it does not come to an end"
        return await self.hub.see(lambda uow: any(saga.is_open for saga in uow.sagas.listed()))  # type: ignore[no-any-return]  # a bool

    async def brings(
        self, request: httpx2.Request, *, body: bytes | None = None, instead: Mapping[str, str] | None = None
    ) -> PaymentReceipt:
        """A delivery reaches the door that it was sent to, as it is or with something else in its place."""
        content = request.content if body is None else body
        named = {name.lower(): value for name, value in request.headers.items()} | dict(instead or {})
        if self.name != "whatsapp_pay":
            call = WebhookCall(headers=named, query=dict(request.url.params), body=content)
            return await self.hub.payments.receive(self.name, call)
        codec = CloudApiCodec(secrets=(KNOWN.app_secret,))
        if not codec.is_signed(content, [named["x-hub-signature-256"].encode()]):
            return PaymentReceipt.UNSIGNED
        (event,) = codec.read(content, now=self.hub.clock.now())
        assert isinstance(event, StatusUpdate)
        receipt: PaymentReceipt = await self.hub.do(lambda uow: self.hub.payments.overheard(uow, event))
        return receipt

    # --- what came of it

    async def sagas(self, kind: str = "OrderPlacement") -> list[Saga]:
        return list(await self.hub.desk.listed(saga_type=kind))

    async def money(self) -> Ledger:
        (saga,) = await self.sagas()
        return Ledger.of(saga.context)

    async def is_right(self) -> None:
        """Goods, orders and money agree, in the shop's books, in ours and in the provider's."""
        orders = (await self.hub.shop.shop.orders_of(phones=(ANNA,))).items
        alive = [one for one in orders if one.status not in _DEAD]
        sold = sum(line.quantity for one in alive for line in one.lines)
        assert await self.hub.stock() == 10 - sold
        assert len(alive) <= 1
        assert len(self.charges) <= 1
        kept = [one for one in self.charges if one.state is ChargeState.PAID and one.refunded < (one.received or 0)]
        paid = [one for one in alive if one.paid_at is not None]
        assert len(kept) == len(paid), ([one.state for one in self.charges], [one.status for one in orders])
        (saga,) = await self.sagas()
        ledger = Ledger.of(saga.context)
        assert ledger.is_lawful
        if paid:
            assert [one.amount for one in ledger.captured] == [ledger.due] == [one.total for one in paid]
        assert len([one for one in await self.hub.noted() if one.notification_type == "order_confirmed"]) <= 1
        bodies = [json.dumps(row.content["body"]) for row in await self.hub.said()]
        assert sum('"order_details"' in body for body in bodies) <= 1


async def till(name: str, *, plan: NthCall | None = None) -> Till:
    """Anna's order at this gateway, with one fault ordered."""
    clock = FrozenClock()
    posted: list[httpx2.Request] = []

    def take(request: httpx2.Request) -> httpx2.Response:
        posted.append(request)
        return httpx2.Response(200)

    world = simulated(
        hub="https://hub.example",
        clock=clock,
        ids=SequentialIds(),
        http=httpx2.AsyncClient(transport=httpx2.MockTransport(take)),
    )

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

    armed = Armed(plan=plan)
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(call))
    hub = await shopping(
        clock=clock,
        currency=CURRENCIES.get(name, "EUR"),
        online=None if name == "cod" else gateway_of(name, http),
        faults=Faults(plan=armed),
    )
    return Till(name=name, hub=hub, world=world, armed=armed, posted=posted)

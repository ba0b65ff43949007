"""The ASGI application: the webhook by hand, everything else through Litestar; it mounts in any host."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from time import monotonic
from typing import TYPE_CHECKING, Any

from wch.application.hub import Hub
from wch.application.ports import Tracer
from wch.application.untraced import NO_SPAN, Untraced
from wch.entrypoints.http.answers import (
    FAULT,
    Receive,
    Scope,
    Send,
    answer,
    answer_problem,
    inner_path,
    log_fault,
)
from wch.entrypoints.http.api.door import Door, is_keyed
from wch.entrypoints.http.metrics import Meters
from wch.entrypoints.http.payment_webhooks import ROUTE as PAYMENT_WEBHOOKS
from wch.entrypoints.http.payment_webhooks import PaymentWebhook
from wch.entrypoints.http.ports import HubPort
from wch.entrypoints.http.shop_webhooks import ROUTE as SHOP_WEBHOOK
from wch.entrypoints.http.shop_webhooks import ShopWebhook
from wch.entrypoints.http.webhooks import WhatsAppWebhook

if TYPE_CHECKING:
    from wch.entrypoints.http.framework import Framework
    from wch.entrypoints.http.sandbox import SandboxPort

WEBHOOK = "/webhooks/whatsapp"

PAGES_WITH_A_SLASH = frozenset({"/sandbox/", "/console/"})
"""Their addresses end without one: what they load is named relative to that."""

SERVERS_FAULT = 500
"""From this status on the fault is ours."""

_TOLD = "wch.told"
OTHER = "other"
"""The route of what has none."""


def asgi(hub: HubPort, *, sandbox: "SandboxPort | None" = None, meters: Meters | None = None) -> "Application":
    """The hub as an ASGI application; with a sandbox its routes too, else they are not there.

    What is no whole `Hub` gets the webhooks and the health only, since the API is every use-case.
    `meters` are those of an application that this one takes the place of; they go on counting.
    """
    application = Application(hub, sandbox, meters)
    application.complete()
    return application


class Application:
    """Answers the webhooks, `/livez` and the simulated APIs by hand, and the rest with the framework.

    It needs no lifespan, so that hosts which mount it without one can. The framework and all its
    routes take longest to load: until it is complete, what is asked of them waits.

    Attributes:
        leaving: set once the process is on its way out; `/readyz` says so at once.
        meters: what it counts.
    """

    def __init__(self, hub: HubPort, sandbox: "SandboxPort | None", meters: Meters | None = None) -> None:
        self.leaving = False
        self.meters = Meters() if meters is None else meters
        self._hub = hub
        self._sandbox = sandbox
        self._clock = hub.clock if isinstance(hub, Hub) else None
        self._tracer: Tracer = hub.tracer if isinstance(hub, Hub) else Untraced()
        self._webhook = WhatsAppWebhook(
            inbox=hub.inbox,
            limits=hub.limits,
            verify_token=hub.doors.verify_token,
            most_bytes=hub.doors.max_bytes,
            read_seconds=hub.doors.read_seconds,
        )
        self._payments = PaymentWebhook(payments=hub.payments, limits=hub.limits, read_seconds=hub.doors.read_seconds)
        self._keyed = self._door(hub) if isinstance(hub, Hub) else None
        self._shop = ShopWebhook(
            news=hub.shop_news,
            limits=hub.limits,
            most_bytes=hub.doors.max_bytes,
            read_seconds=hub.doors.read_seconds,
        )
        self._simulated = () if sandbox is None else tuple(_simulated(sandbox))
        self._framework: Framework | None = None
        self._is_complete = asyncio.Event()

    def complete(self) -> "Framework":
        """Load the framework with all that it answers, unless it is there."""
        return self._complete(self._loaded()) if self._framework is None else self._framework

    async def come_complete(self) -> None:
        """The same while the loop goes on turning."""
        self._complete(await asyncio.to_thread(self._loaded))

    def _loaded(self) -> "Framework":
        from wch.entrypoints.http.framework import Framework  # noqa: PLC0415 - slow to load, and webhooks do without

        return Framework(self._hub, self._sandbox, meters=self.meters, is_leaving=lambda: self.leaving)

    def _complete(self, framework: "Framework") -> "Framework":
        self._framework = framework
        self._is_complete.set()
        return framework

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, wherever this is mounted."""
        if scope["type"] != "http":
            await self.complete()(scope, receive, send)
            return
        method, told = scope["method"], _Told(send)
        known: dict[str, Any] = {"http.request.method": method}
        around = self._tracer.span(method, caller=scope["headers"], **known)
        if around is NO_SPAN:
            await self._counted(scope, receive, told)
            return
        with around as span:
            await self._counted(scope, receive, told)
            span.call(f"{method} {told.route}")
            known |= {"http.route": told.route, "http.response.status_code": told.status}
            span.note(**known)
            if told.status >= SERVERS_FAULT:
                span.fail(str(told.status))

    async def _counted(self, scope: Scope, receive: Receive, told: "_Told") -> None:
        """Answer, and count it."""
        began = monotonic()
        try:
            await self._answer(scope, receive, told)
        except Exception as error:
            log_fault(error)
            if told.status:
                raise
            await answer_problem(told.send, FAULT)
        finally:
            if told.status:
                self._count(scope["method"], told, monotonic() - began)

    def _count(self, method: str, told: "_Told", seconds: float) -> None:
        self.meters.answered(told.route, method, told.status)
        if told.route == WEBHOOK and method == "POST" and self._clock is not None:
            self.meters.delivered(told.status, seconds=seconds, at=self._clock.now())

    def _answer(self, scope: Scope, receive: Receive, told: "_Told") -> Awaitable[None]:
        path = inner_path(scope)
        if path.rstrip("/") == WEBHOOK:
            told.route = WEBHOOK
            return self._webhook(scope, receive, told.send)
        return self._answer_other(path, {**scope, _TOLD: told}, receive, told)

    async def _answer_other(self, path: str, scope: Scope, receive: Receive, told: "_Told") -> None:
        send = told.send
        for prefixes, simulated in self._simulated:
            if path.startswith(prefixes):
                await simulated(scope, receive, send, path)
                return
        if path.startswith(PAYMENT_WEBHOOKS):
            told.route = f"{PAYMENT_WEBHOOKS}{{gateway}}"
            await self._payments(scope, receive, send, path.removeprefix(PAYMENT_WEBHOOKS).rstrip("/"))
        elif path.rstrip("/") == SHOP_WEBHOOK:
            told.route = SHOP_WEBHOOK
            await self._shop(scope, receive, send)
        elif path == "/livez" and scope["method"] in {"GET", "HEAD"}:
            await answer(send, 200, b"" if scope["method"] == "HEAD" else b"alive")
        elif self._keyed is not None and is_keyed(path):
            await self._keyed(scope, receive, send)
        elif path in PAGES_WITH_A_SLASH:
            await answer(send, 308, b"", (b"location", f"../{path.strip('/')}".encode()))
        else:
            await self._framed(scope, receive, send)

    async def _framed(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[_TOLD].route = await (await self._completed())(scope, receive, send) or OTHER

    def _door(self, hub: Hub) -> Door:
        async def away(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an application's arguments
            await self._completed()
            from wch.entrypoints.http.api.wellness import without_a_key  # noqa: PLC0415 - came with the framework

            status, document = await without_a_key(hub)
            await answer(send, status, document, content_type=b"application/json")

        return Door(keys=hub.keys, inside=self._framed, away=away)

    async def _completed(self) -> "Framework":
        """The framework; whoever asks before it is there waits for `complete`, which is under way."""
        if self._framework is None:
            await self._is_complete.wait()
        return self.complete()

    def openapi(self, *, root: str = "") -> dict[str, Any]:
        """The OpenAPI document of all routes."""
        return self.complete().openapi(root=root)


class _Told:
    """What was told of one request; everything inside sends through this.

    Attributes:
        route: the pattern of its path.
        status: of the answer; 0 as long as there is none, and for ever when nobody is there any more to hear it.
    """

    __slots__ = ("_send", "route", "status")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.route = OTHER
        self.status = 0

    def send(self, message: MutableMapping[str, Any]) -> Awaitable[None]:
        """Send this, and remember the status."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        return self._send(message)


def _simulated(sandbox: "SandboxPort") -> Iterator[tuple[tuple[str, ...], Callable[..., Awaitable[None]]]]:
    """What stands in for others, and which paths it answers."""
    from wch.entrypoints.http.gateways import APIS, PAGES, GatewaysDoor  # noqa: PLC0415 - only a sandbox has them
    from wch.entrypoints.http.graph import GRAPH, GraphDoor  # noqa: PLC0415 - as above
    from wch.entrypoints.http.simulated_shop import SHOP, SimulatedShopDoor  # noqa: PLC0415 - as above

    yield (GRAPH,), GraphDoor(sandbox)
    if sandbox.gateways is not None:
        yield (*APIS, PAGES), GatewaysDoor(sandbox.gateways)
    if sandbox.shop is not None:
        yield (SHOP,), SimulatedShopDoor(sandbox.shop)

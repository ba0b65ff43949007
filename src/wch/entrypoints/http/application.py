"""The ASGI application: the webhook by hand, everything else through Litestar; it mounts in any host."""

import json
from collections.abc import Mapping, MutableMapping
from time import monotonic
from typing import Annotated, Any, Literal, Protocol

import attrs
from litestar import Litestar, MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from wch.application.doors import Doors
from wch.application.hub import Hub
from wch.application.ports import Tracer
from wch.application.untraced import NO_SPAN, Untraced
from wch.domain.errors import WchError
from wch.domain.moment import unix
from wch.entrypoints.http import documentation, problems, returned
from wch.entrypoints.http.answers import (
    Receive,
    Scope,
    Send,
    answer,
    answer_problem,
    inner_path,
    with_security_headers,
)
from wch.entrypoints.http.api.door import AppPort, Door, is_keyed
from wch.entrypoints.http.api.routes import api_routes, watch_routes
from wch.entrypoints.http.api.wellness import without_a_key
from wch.entrypoints.http.gateways import APIS, PAGES, GatewaysDoor, gateway_routes
from wch.entrypoints.http.graph import GRAPH, GraphDoor
from wch.entrypoints.http.looking_ahead import ahead_routes, until_of
from wch.entrypoints.http.metrics import Meters
from wch.entrypoints.http.pages.console import Console, console_pages
from wch.entrypoints.http.pages.live import Live
from wch.entrypoints.http.pages.phone import sandbox_pages
from wch.entrypoints.http.payment_webhooks import ROUTE as PAYMENT_WEBHOOKS
from wch.entrypoints.http.payment_webhooks import PaymentsPort, PaymentWebhook
from wch.entrypoints.http.sandbox import SandboxPort, ShelfPort, StatisticsPort, TracesPort, sandbox_routes
from wch.entrypoints.http.sandbox_phones import phone_routes
from wch.entrypoints.http.sandbox_world import world_routes
from wch.entrypoints.http.shop_webhooks import ROUTE as SHOP_WEBHOOK
from wch.entrypoints.http.shop_webhooks import ShopNewsPort, ShopWebhook
from wch.entrypoints.http.simulated_shop import SHOP, SimulatedShopDoor, simulated_shop_routes
from wch.entrypoints.http.webhooks import InboxPort, LimitsPort, WhatsAppWebhook

WEBHOOK = "/webhooks/whatsapp"
MOST_BODY = 256 * 1024
"""Bytes of a body on every route but the webhooks."""

PAGES_WITH_A_SLASH = frozenset({"/sandbox/", "/console/"})
"""Their addresses end without one: what they load is named relative to that."""

SERVERS_FAULT = 500
"""From this status on the fault is ours."""

_OF_TRACES = {b"traceparent": "traceparent", b"tracestate": "tracestate"}
_ROOT = "wch.root"
_TOLD = "wch.told"
OTHER = "other"
"""The route of what has none."""


class HealthPort(Protocol):
    """What `/readyz` asks."""

    async def ready(self) -> tuple[str, ...]:
        """What keeps the hub from its work."""
        ...

    async def ready_for_ingress(self) -> tuple[str, ...]:
        """What keeps a delivery from being stored."""
        ...


class HubPort(Protocol):
    """What HTTP asks of the hub."""

    @property
    def inbox(self) -> InboxPort:
        """Takes deliveries."""
        ...

    @property
    def payments(self) -> PaymentsPort:
        """Takes what gateways tell."""
        ...

    @property
    def shop_news(self) -> ShopNewsPort:
        """Takes what the shop tells."""
        ...

    @property
    def limits(self) -> LimitsPort:
        """Counts bad signatures."""
        ...

    @property
    def health(self) -> HealthPort:
        """Knows what is wrong."""
        ...

    @property
    def statistics(self) -> StatisticsPort:
        """Counts the rows."""
        ...

    @property
    def traces(self) -> TracesPort:
        """Follows one customer."""
        ...

    @property
    def shop(self) -> ShelfPort:
        """Sells."""
        ...

    @property
    def doors(self) -> Doors:
        """Says who is let in."""
        ...


@attrs.frozen(kw_only=True)
class Readiness:
    """Whether the hub is ready; `problems` are words, never values."""

    ready: bool
    problems: tuple[str, ...] = ()


def asgi(hub: HubPort, *, sandbox: SandboxPort | None = None, meters: Meters | None = None) -> "Application":
    """The hub as an ASGI application; with a sandbox its routes too, else they are not there.

    What is no whole `Hub` gets the webhooks and the health only, since the API is every use-case.
    `meters` are those of an application that this one takes the place of; they go on counting.
    """
    return Application(hub, sandbox, meters)


class Application:
    """Answers the webhook, `/livez` and the simulated Graph API by hand, and the rest with the framework.

    It needs no lifespan, so that hosts which mount it without one can.

    Attributes:
        leaving: set once the process is on its way out; `/readyz` says so at once.
        framework: what answers the rest.
    """

    def __init__(self, hub: HubPort, sandbox: SandboxPort | None, meters: Meters | None = None) -> None:
        self.leaving = False
        self.meters = Meters() if meters is None else meters
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
        self._door = _door(hub, self._framed) if isinstance(hub, Hub) else None
        self._shop = ShopWebhook(
            news=hub.shop_news,
            limits=hub.limits,
            most_bytes=hub.doors.max_bytes,
            read_seconds=hub.doors.read_seconds,
        )
        self._graph = None if sandbox is None else GraphDoor(sandbox)
        gateways = None if sandbox is None else sandbox.gateways
        self._gateways = None if gateways is None else GatewaysDoor(gateways)
        simulated = None if sandbox is None else sandbox.shop
        self._simulated_shop = None if simulated is None else SimulatedShopDoor(simulated)
        self.framework = _framework(hub, self, sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, wherever this is mounted."""
        if scope["type"] != "http":
            await self.framework(scope, receive, send)  # type: ignore[arg-type] # plain mappings
            return
        method = str(scope["method"])
        known: dict[str, Any] = {"http.request.method": method}
        around = self._tracer.span(method, caller=_trace_of(scope), **known)
        if around is NO_SPAN:
            await self._counted(scope, receive, send)
            return
        with around as span:
            told = await self._counted(scope, receive, send)
            span.call(f"{method} {told.route}")
            known |= {"http.route": told.route, "http.response.status_code": told.status}
            span.note(**known)
            if told.status >= SERVERS_FAULT:
                span.fail(str(told.status))

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> "_Told":
        """Answer, and count it."""
        told = _Told(send)
        began = monotonic()
        try:
            await self._answer(scope, receive, told)
        except Exception as error:
            problems.log_fault(error)
            if told.status:
                raise
            await answer_problem(told.send, problems.FAULT)
        finally:
            if told.status:
                self._count(scope["method"], told, monotonic() - began)
        return told

    def _count(self, method: str, told: "_Told", seconds: float) -> None:
        self.meters.answered(told.route, method, told.status)
        if told.route == WEBHOOK and method == "POST" and self._clock is not None:
            self.meters.delivered("whatsapp", told.status, seconds=seconds, at=unix(self._clock.now()))

    async def _answer(self, scope: Scope, receive: Receive, told: "_Told") -> None:
        path, send = inner_path(scope), told.send
        if path.rstrip("/") == WEBHOOK:
            told.route = WEBHOOK
            await self._webhook(scope, receive, send)
            return
        scope = {**scope, _TOLD: told}
        if path.startswith(PAYMENT_WEBHOOKS):
            told.route = f"{PAYMENT_WEBHOOKS}{{gateway}}"
            await self._payments(scope, receive, send, path.removeprefix(PAYMENT_WEBHOOKS).rstrip("/"))
        elif path.rstrip("/") == SHOP_WEBHOOK:
            told.route = SHOP_WEBHOOK
            await self._shop(scope, receive, send)
        elif path == "/livez" and scope["method"] in {"GET", "HEAD"}:
            await answer(send, 200, b"" if scope["method"] == "HEAD" else b"alive")
        elif self._graph is not None and path.startswith(GRAPH):
            await self._graph(scope, receive, send, path)
        elif self._gateways is not None and path.startswith((*APIS, PAGES)):
            await self._gateways(scope, receive, send, path)
        elif self._simulated_shop is not None and path.startswith(SHOP):
            await self._simulated_shop(scope, receive, send, path)
        elif self._door is not None and is_keyed(path):
            await self._door(scope, receive, send)
        elif path in PAGES_WITH_A_SLASH:
            await answer(send, 308, b"", (b"location", f"../{path.strip('/')}".encode()))
        else:
            await self._framed(scope, receive, send)

    async def _framed(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, root = inner_path(scope), str(scope.get("root_path") or "")
        policy = {b"content-security-policy": documentation.PAGE_POLICY.encode()} if path == "/docs" else {}
        inner = {**scope, "path": path, "root_path": "", "state": {}, _ROOT: root}
        await self.framework(inner, receive, with_security_headers(send, instead=policy))  # type: ignore[arg-type] # plain mappings
        scope[_TOLD].route = str(inner.get("path_template") or OTHER)

    def openapi(self, *, root: str = "") -> dict[str, Any]:
        """The OpenAPI document of all routes."""
        return documentation.document_of(self.framework, root=root)


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

    async def send(self, message: MutableMapping[str, Any]) -> None:
        """Send this, and remember the status."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


def _door(hub: Hub, inside: AppPort) -> Door:
    async def away(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001 - an application's arguments
        status, document = await without_a_key(hub)
        await answer(send, status, document, content_type=b"application/json")

    return Door(keys=hub.keys, inside=inside, away=away)


def _framework(hub: HubPort, application: Application, sandbox: SandboxPort | None) -> Litestar:
    ready = Example(summary="ready", value={"ready": True, "problems": []})
    not_ready = ResponseSpec(
        Readiness,
        generate_examples=False,
        description="It is not; the words say why.",
        examples=[Example(summary="not ready", value={"ready": False, "problems": ["database"]})],
    )

    @get(
        "/readyz",
        summary="Whether the hub is ready",
        tags=["health"],
        responses={
            200: ResponseSpec(Readiness, generate_examples=False, description="It is.", examples=[ready]),
            503: not_ready,
        },
    )
    async def readyz(
        for_: Annotated[
            Literal["ingress"] | None,
            QueryParameter(name="for", description="`ingress` leaves out what only hinders sending."),
        ] = None,
    ) -> Response[Readiness]:
        """Tell a load balancer; the one of webhooks asks `?for=ingress`, so that a dead token costs no delivery."""
        if application.leaving:
            return Response(Readiness(ready=False, problems=("stopping",)), status_code=503)
        found = await (hub.health.ready_for_ingress() if for_ == "ingress" else hub.health.ready())
        return Response(Readiness(ready=not found, problems=found), status_code=503 if found else 200)

    @get("/openapi.json", include_in_schema=False)
    async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        document = application.openapi(root=_root(request.scope))
        return Response(json.dumps(document).encode(), media_type=MediaType.JSON)

    @get("/docs", include_in_schema=False)
    async def docs(request: Request[Any, Any, Any]) -> Response[str]:
        return Response(
            documentation.page_of(application.openapi(root=_root(request.scope))), media_type=MediaType.HTML
        )

    @get("/paid", include_in_schema=False)
    async def paid(request: Request[Any, Any, Any]) -> Response[str]:
        return Response(returned.page_of(request.headers.get("accept-language", "")), media_type=MediaType.HTML)

    routes: list[Any] = [readyz, openapi, docs, paid]
    if isinstance(hub, Hub):
        routes += [api_routes(hub), watch_routes(hub, application.meters)]
    if sandbox is not None:
        routes += sandbox_routes(sandbox, statistics=hub.statistics, traces=hub.traces, shelf=hub.shop)
        routes += [*phone_routes(sandbox), *world_routes(sandbox), *sandbox_pages()]
        routes += ahead_routes(hub, sandbox) if isinstance(hub, Hub) else []
        routes += [] if sandbox.gateways is None else gateway_routes(sandbox.gateways, until=until_of(sandbox))
        routes += [] if sandbox.shop is None else simulated_shop_routes(sandbox.shop)
    if isinstance(hub, Hub) and hub.doors.console:
        live = Live(watching=hub.watching, most=hub.doors.streams, leaving=lambda: application.leaving)
        routes += console_pages(Console(hub=hub, live=live, root_of=_root, a_minute=application.meters.a_minute))
    return Litestar(
        route_handlers=routes,
        logging_config=None,
        openapi_config=documentation.configuration(),
        request_max_body_size=MOST_BODY,
        exception_handlers={WchError: problems.refused, HTTPException: problems.of_http, Exception: problems.fault},
    )


def _trace_of(scope: Scope) -> dict[str, str]:
    """What the request says of the trace that it is part of."""
    said: dict[str, str] = {}
    for name, value in scope["headers"]:
        if name in _OF_TRACES:
            said.setdefault(_OF_TRACES[name], value.decode("latin-1"))
    return said


def _root(scope: Mapping[str, Any]) -> str:
    """Where this is mounted."""
    return str(scope.get(_ROOT, ""))

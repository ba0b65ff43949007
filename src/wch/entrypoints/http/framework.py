"""What the framework answers: the API, the console, the sandbox's routes, and the documentation of them all."""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import attrs
from litestar import Litestar, MediaType, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.openapi import ResponseSpec
from litestar.openapi.spec import Example
from litestar.params import QueryParameter

from wch.application.hub import Hub
from wch.domain.errors import WchError
from wch.entrypoints.http import documentation, problems, returned
from wch.entrypoints.http.answers import Receive, Scope, Send, inner_path, with_security_headers
from wch.entrypoints.http.api.routes import api_routes, watch_routes
from wch.entrypoints.http.gateways import gateway_routes
from wch.entrypoints.http.looking_ahead import ahead_routes, until_of
from wch.entrypoints.http.metrics import Meters
from wch.entrypoints.http.pages.console import Console, console_pages
from wch.entrypoints.http.pages.live import Live
from wch.entrypoints.http.pages.phone import sandbox_pages
from wch.entrypoints.http.ports import HubPort
from wch.entrypoints.http.sandbox import SandboxPort, sandbox_routes
from wch.entrypoints.http.sandbox_phones import phone_routes
from wch.entrypoints.http.sandbox_world import world_routes
from wch.entrypoints.http.simulated_shop import simulated_shop_routes

MOST_BODY = 256 * 1024
"""Bytes of a body on every route but the webhooks."""

_ROOT = "wch.root"


@attrs.frozen(kw_only=True)
class Readiness:
    """Whether the hub is ready; `problems` are words, never values."""

    ready: bool
    problems: tuple[str, ...] = ()


class Framework:
    """Everything that is not answered by hand.

    Args:
        hub: what it is about.
        sandbox: if there is one, its routes are there.
        meters: what `/metrics` tells.
        is_leaving: whether the process is on its way out.
    """

    def __init__(
        self, hub: HubPort, sandbox: SandboxPort | None, *, meters: Meters, is_leaving: Callable[[], bool]
    ) -> None:
        self._meters = meters
        self._is_leaving = is_leaving
        self._routed = Litestar(
            route_handlers=self._routes(hub, sandbox),
            logging_config=None,
            openapi_config=documentation.configuration(),
            request_max_body_size=MOST_BODY,
            exception_handlers={WchError: problems.refused, HTTPException: problems.of_http, Exception: problems.fault},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> str:
        """Answer one request; the pattern of its path, empty where it has none."""
        if scope["type"] != "http":
            await self._routed(scope, receive, send)  # type: ignore[arg-type] # plain mappings
            return ""
        path, root = inner_path(scope), str(scope.get("root_path") or "")
        policy = {b"content-security-policy": documentation.PAGE_POLICY.encode()} if path == "/docs" else {}
        inner = {**scope, "path": path, "root_path": "", "state": {}, _ROOT: root}
        await self._routed(inner, receive, with_security_headers(send, instead=policy))  # type: ignore[arg-type] # plain mappings
        return str(inner.get("path_template") or "")

    def openapi(self, *, root: str) -> dict[str, Any]:
        """The OpenAPI document of all routes, for whoever reaches them below `root`."""
        return documentation.document_of(self._routed, root=root)

    def _routes(self, hub: HubPort, sandbox: SandboxPort | None) -> list[Any]:
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
            if self._is_leaving():
                return Response(Readiness(ready=False, problems=("stopping",)), status_code=503)
            found = await (hub.health.ready_for_ingress() if for_ == "ingress" else hub.health.ready())
            return Response(Readiness(ready=not found, problems=found), status_code=503 if found else 200)

        @get("/openapi.json", include_in_schema=False)
        async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
            document = self.openapi(root=_root(request.scope))
            return Response(json.dumps(document).encode(), media_type=MediaType.JSON)

        @get("/docs", include_in_schema=False)
        async def docs(request: Request[Any, Any, Any]) -> Response[str]:
            return Response(documentation.page_of(self.openapi(root=_root(request.scope))), media_type=MediaType.HTML)

        @get("/paid", include_in_schema=False)
        async def paid(request: Request[Any, Any, Any]) -> Response[str]:
            return Response(returned.page_of(request.headers.get("accept-language", "")), media_type=MediaType.HTML)

        routes: list[Any] = [readyz, openapi, docs, paid]
        if isinstance(hub, Hub):
            routes += [api_routes(hub), watch_routes(hub, self._meters)]
        if sandbox is not None:
            routes += sandbox_routes(sandbox, statistics=hub.statistics, traces=hub.traces, shelf=hub.shop)
            routes += [*phone_routes(sandbox), *world_routes(sandbox), *sandbox_pages()]
            routes += ahead_routes(hub, sandbox) if isinstance(hub, Hub) else []
            routes += [] if sandbox.gateways is None else gateway_routes(sandbox.gateways, until=until_of(sandbox))
            routes += [] if sandbox.shop is None else simulated_shop_routes(sandbox.shop)
        if isinstance(hub, Hub) and hub.doors.console:
            live = Live(watching=hub.watching, most=hub.doors.streams, leaving=self._is_leaving)
            routes += console_pages(Console(hub=hub, live=live, root_of=_root, a_minute=self._meters.a_minute))
        return routes


def _root(scope: Mapping[str, Any]) -> str:
    """Where this is mounted."""
    return str(scope.get(_ROOT, ""))

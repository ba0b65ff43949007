"""The ASGI application: the webhook by hand, everything else through Litestar; it mounts in any host."""

from typing import Annotated, Any

import attrs
from litestar import Litestar, Request, Response, get
from litestar.exceptions import HTTPException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, RedocRenderPlugin
from litestar.params import Parameter

from wch.application.hub import Hub
from wch.domain.errors import ConflictError, NotFoundError, StoreUnavailableError, WchError
from wch.entrypoints.http.sandbox import SandboxPort, sandbox_routes
from wch.entrypoints.http.webhooks import Receive, Scope, Send, WhatsAppWebhook, answer

PROBLEM = "application/problem+json"

WEBHOOK = "/webhooks/whatsapp"


@attrs.frozen(kw_only=True)
class Doors:
    """What HTTP needs to know.

    Attributes:
        verify_token: what Meta's handshake must bring.
        max_bytes: the largest delivery.
        read_seconds: how long a delivery may take to arrive.
    """

    verify_token: str = attrs.field(repr=False)
    max_bytes: int = 4 * 1024 * 1024
    read_seconds: int = 10


@attrs.frozen(kw_only=True)
class Readiness:
    """Whether the hub is ready; `problems` are words, never values."""

    ready: bool
    problems: tuple[str, ...] = ()


def asgi(hub: Hub, doors: Doors, *, sandbox: SandboxPort | None = None) -> "Application":
    """The hub as an ASGI application."""
    return Application(hub, doors, sandbox)


class Application:
    """Sends the webhook and `/livez` past the framework, the rest into it."""

    def __init__(self, hub: Hub, doors: Doors, sandbox: SandboxPort | None) -> None:
        self._webhook = WhatsAppWebhook(
            hub=hub,
            verify_token=doors.verify_token,
            most_bytes=doors.max_bytes,
            read_seconds=float(doors.read_seconds),
        )
        self.leaving = False
        self._framework = _framework(hub, self, sandbox)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, wherever this is mounted."""
        if scope["type"] == "http":
            path = _inner_path(scope)
            if path == WEBHOOK:
                await self._webhook(scope, receive, send)
                return
            if path == "/livez":
                await answer(send, 200, b"alive")
                return
        await self._framework(scope, receive, send)  # type: ignore[arg-type]


def _inner_path(scope: Scope) -> str:
    """The path below where the application is mounted."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and path.startswith(root) else path


def _framework(hub: Hub, application: Application, sandbox: SandboxPort | None) -> Litestar:
    @get("/readyz", summary="Whether the hub is ready", tags=["health"], raises=[])
    async def readyz(
        for_: Annotated[str | None, Parameter(query="for", description="`ingress` asks for deliveries only")] = None,
    ) -> Response[Readiness]:
        if application.leaving:
            return Response(Readiness(ready=False, problems=("stopping",)), status_code=503)
        problems = await (hub.health.ready_for_ingress() if for_ == "ingress" else hub.health.ready())
        return Response(Readiness(ready=not problems, problems=problems), status_code=503 if problems else 200)

    routes: list[Any] = [readyz]
    if sandbox is not None:
        routes += sandbox_routes(sandbox)
    return Litestar(
        route_handlers=routes,
        logging_config=None,
        openapi_config=OpenAPIConfig(
            title="wch",
            version="0.1.0",
            summary="A WhatsApp Commerce Hub.",
            path="/docs",
            render_plugins=[JsonRenderPlugin(path="/openapi.json"), RedocRenderPlugin()],
        ),
        exception_handlers={WchError: _refusal, HTTPException: _http_problem, Exception: _fault},
        response_headers=_headers(),
    )


def _headers() -> dict[str, str]:
    return {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY"}


def problem(status: int, title: str, detail: str, *, code: str) -> Response[dict[str, Any]]:
    """An answer of RFC 9457."""
    return Response(
        {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code},
        status_code=status,
        media_type=PROBLEM,
    )


def _refusal(_request: Request[Any, Any, Any], error: WchError) -> Response[dict[str, Any]]:
    """What the hub refuses, in its own sentence."""
    if isinstance(error, StoreUnavailableError):
        refused = problem(503, "Not available now", str(error), code="store_unavailable")
        refused.headers["Retry-After"] = "30"
        return refused
    if isinstance(error, NotFoundError):
        return problem(404, "Not found", str(error), code="not_found")
    if isinstance(error, ConflictError):
        return problem(409, "Conflict", str(error), code=str(error.facts.get("code", "conflict")))
    return problem(422, "Refused", str(error), code=type(error).__name__.removesuffix("Error").lower())


def _http_problem(_request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, Any]]:
    detail = (
        "; ".join(str(one.get("message")) for one in error.extra) if isinstance(error.extra, list) else error.detail
    )
    return problem(error.status_code, error.detail or "Refused", detail, code=f"http_{error.status_code}")


def _fault(_request: Request[Any, Any, Any], _error: Exception) -> Response[dict[str, Any]]:
    return problem(500, "A fault of ours", "Something went wrong here; it has been logged.", code="fault")

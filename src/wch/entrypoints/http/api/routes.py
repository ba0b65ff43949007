"""Every route of the API, under its root, behind one guard."""

from collections.abc import Callable
from typing import Any

from litestar import Router

from wch.application.hub import Hub
from wch.entrypoints.http.api.analysing import analysing_routes
from wch.entrypoints.http.api.calls import guard
from wch.entrypoints.http.api.campaigning import campaigning_routes
from wch.entrypoints.http.api.caring import caring_routes
from wch.entrypoints.http.api.desk import desk_routes
from wch.entrypoints.http.api.door import API
from wch.entrypoints.http.api.gates import gate_routes
from wch.entrypoints.http.api.guarding import guarding_routes
from wch.entrypoints.http.api.refunding import refund_routes
from wch.entrypoints.http.api.selling import selling_routes
from wch.entrypoints.http.api.settings import setting_routes
from wch.entrypoints.http.api.syncing import syncing_routes
from wch.entrypoints.http.api.talking import talking_routes
from wch.entrypoints.http.api.wellness import MetersPort, wellness_routes
from wch.entrypoints.http.api.winning_back import winning_back_routes

_GROUPS: tuple[tuple[str, Callable[[Hub], list[Any]]], ...] = (
    ("people", talking_routes),
    ("care", caring_routes),
    ("selling", selling_routes),
    ("selling", refund_routes),
    ("selling", syncing_routes),
    ("winning back", winning_back_routes),
    ("analytics", analysing_routes),
    ("broadcasts", campaigning_routes),
    ("desk", desk_routes),
    ("operations", guarding_routes),
    ("operations", gate_routes),
    ("settings", setting_routes),
)


def watch_routes(hub: Hub, meters: MetersPort) -> Router:
    """What watches over the hub, outside `/api/v1` since others look for it there."""
    handlers = wellness_routes(hub, meters)
    for route in handlers:
        route.tags = ["health"]
    return Router(path="/", route_handlers=handlers, guards=[guard(hub)], security=[{"key": []}])


def api_routes(hub: Hub) -> Router:
    """The router that `/api/v1` is; whoever comes here has shown a key to the `Door`."""
    handlers: list[Any] = []
    for tag, routes in _GROUPS:
        for route in routes(hub):
            route.tags = [tag]
            handlers.append(route)
    return Router(path=API, route_handlers=handlers, guards=[guard(hub)], security=[{"key": []}])

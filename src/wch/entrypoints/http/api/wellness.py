"""Routes for those who watch over the hub: health and metrics, key in hand."""

from datetime import datetime
from typing import Annotated, Any, Protocol

import attrs
from litestar import Response, get
from litestar.openapi import ResponseSpec
from litestar.params import PathParameter
from litestar.serialization import encode_json

from wch.application.checkup import DATABASE, Component, worst_of
from wch.application.hub import Hub
from wch.application.readings import Severity
from wch.domain.api_key import KeyScope
from wch.entrypoints.http.api.calls import needs

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class MetersPort(Protocol):
    """What writes the metrics."""

    async def text(self, hub: Hub) -> bytes:
        """All of them."""
        ...


@attrs.frozen(kw_only=True)
class ComponentView:
    """How one part of the hub is, what that was measured by, and what to do about it."""

    component: str
    severity: str
    since: datetime
    value: str
    limit: str
    what_to_do: str
    duration_ms: int

    @classmethod
    def of(cls, one: Component) -> "ComponentView":
        """This part."""
        return cls(
            component=one.name,
            severity=one.severity.word,
            since=one.since,
            value=one.value,
            limit=one.limit,
            what_to_do=one.what_to_do,
            duration_ms=one.duration_ms,
        )


@attrs.frozen(kw_only=True)
class HealthView:
    """How the whole is: as bad as its worst part."""

    severity: str
    components: list[ComponentView]


def _status(severity: Severity) -> int:
    return 503 if severity is Severity.CRITICAL else 200


def _critical(view: type) -> dict[int, ResponseSpec]:
    """The same document, told with 503."""
    return {503: ResponseSpec(view, generate_examples=False, description="Critical: the words say why.")}


async def without_a_key(hub: Hub) -> tuple[int, bytes]:
    """Status and document of `/healthz` while no key can be looked up: how the database is, which `/readyz` says too."""
    one = await hub.checkup.one(DATABASE)
    view = HealthView(severity=one.severity.word, components=[ComponentView.of(one)])
    return _status(one.severity), encode_json(view)


def wellness_routes(hub: Hub, meters: MetersPort) -> list[Any]:
    """`/healthz`, its parts, and `/metrics`."""
    watch = needs(KeyScope.READ, KeyScope.METRICS)

    @get(
        "/healthz", opt=watch, responses=_critical(HealthView), summary="How the hub is; 503 when any part is critical"
    )
    async def healthz() -> Response[HealthView]:
        found = await hub.checkup.run()
        worst = worst_of(found)
        view = HealthView(severity=worst.word, components=[ComponentView.of(one) for one in found])
        return Response(view, status_code=_status(worst))

    @get("/healthz/{component:str}", opt=watch, responses=_critical(ComponentView), summary="How one part is")
    async def part(
        component: Annotated[str, PathParameter(min_length=1, max_length=40, description="Its name.")],
    ) -> Response[ComponentView]:
        one = await hub.checkup.one(component)
        return Response(ComponentView.of(one), status_code=_status(one.severity))

    @get("/metrics", opt=needs(KeyScope.METRICS), summary="Metrics for Prometheus", media_type=TEXT)
    async def metrics() -> Response[bytes]:
        return Response(await meters.text(hub), media_type=TEXT)

    return [healthz, part, metrics]

"""Routes about what a period came to."""

from datetime import date
from typing import Annotated, Any, Literal

from litestar import Response, get
from litestar.params import QueryParameter

from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.entrypoints.http.api.calls import Asked, csv_of, key_of, needs

First = Annotated[
    date | None, QueryParameter(name="from", description="The first day in the shop's zone; 30 days ago otherwise.")
]
After = Annotated[date | None, QueryParameter(name="to", description="The day after the last; tomorrow otherwise.")]
What = Annotated[
    Literal["days", "products", "campaigns", "contacts", "notices", "funnel"],
    QueryParameter(name="what", description="Which table."),
]


def analysing_routes(hub: Hub) -> list[Any]:
    """Figures, the way to the order, carts, broadcasts, and tables for a spreadsheet."""
    period = hub.analytics.period

    @get("/analytics/summary", opt=needs(KeyScope.READ), summary="What a period came to, each ratio with its parts")
    async def summary(first: First = None, after: After = None) -> dict[str, Any]:
        return await hub.analytics.summary(period(first, after))

    @get("/analytics/funnel", opt=needs(KeyScope.READ), summary="How far those who wrote went")
    async def funnel(first: First = None, after: After = None) -> dict[str, Any]:
        return await hub.analytics.funnel(period(first, after))

    @get("/analytics/carts", opt=needs(KeyScope.READ), summary="Carts opened, abandoned, reminded of, recovered")
    async def carts(first: First = None, after: After = None) -> dict[str, Any]:
        return await hub.analytics.carts(period(first, after))

    @get("/analytics/broadcasts", opt=needs(KeyScope.READ), summary="What each broadcast came to")
    async def broadcasts(first: First = None, after: After = None) -> dict[str, Any]:
        return await hub.analytics.broadcasts(period(first, after))

    @get(
        "/analytics/export",
        opt=needs(KeyScope.EXPORT),
        summary="One table as CSV, safe in a spreadsheet; three an hour",
        media_type="text/csv",
    )
    async def export(request: Asked, what: What = "days", first: First = None, after: After = None) -> Response[str]:
        rows = await hub.analytics.exported(what, period(first, after), by=key_of(request).actor)
        return csv_of(what, rows)

    return [summary, funnel, carts, broadcasts, export]

"""Routes about the WhatsApp catalogue: full runs, and what it holds against what the shop sells."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import attrs
from litestar import Response, get, post
from litestar.params import QueryParameter

from wch.application.hub import Hub
from wch.domain.api_key import KeyScope
from wch.domain.document import JsonObject
from wch.domain.errors import NotFoundError
from wch.domain.moment import iso, of_iso, of_unix, unix
from wch.entrypoints.http.api.calls import Asked, Told, key_of, needs, once
from wch.entrypoints.http.api.parameters import Limit
from wch.entrypoints.http.api.views import Page

Fix = Annotated[bool, QueryParameter(name="fix", description="Let what differs be sent again.")]


@attrs.frozen(kw_only=True)
class SyncRunView:
    """A full run: every product is looked at once, and what differs is sent."""

    started: datetime
    state: str
    by: str
    total: int
    done: int
    failed: int
    waiting: int | None
    sent: int
    deleted: int
    seconds_left: int | None
    ended: datetime | None
    reasons: list[str]

    @classmethod
    def of(cls, one: JsonObject) -> "SyncRunView":
        """This run."""
        return cls(
            started=of_iso(one["started"]),
            state=one["state"],
            by=one["by"],
            **{name: one[name] for name in ("total", "done", "failed", "sent", "deleted")},
            waiting=one.get("waiting"),
            seconds_left=one.get("seconds_left"),
            ended=None if one.get("ended") is None else of_iso(one["ended"]),
            reasons=list(one.get("reasons", ())),
        )


@attrs.frozen(kw_only=True)
class DifferenceView:
    """One difference: what the shop says, and what the catalogue says."""

    kind: str
    item: str
    product_id: int | None
    shop: str | None
    catalogue: str | None


@attrs.frozen(kw_only=True)
class CatalogueReportView:
    """The catalogue, read whole, against the shop; the first differences are listed, all are counted."""

    at: datetime
    by: str
    catalogue: str
    items: int
    products: int
    differences: int
    counts: Mapping[str, int]
    fixing: int
    listed: list[DifferenceView]

    @classmethod
    def of(cls, one: JsonObject) -> "CatalogueReportView":
        """This report."""
        return cls(
            at=of_iso(one["at"]),
            **{name: one[name] for name in ("by", "catalogue", "items", "products", "differences", "counts", "fixing")},
            listed=[
                DifferenceView(
                    kind=each["kind"],
                    item=each["item"],
                    product_id=each.get("product"),
                    shop=each.get("shop"),
                    catalogue=each.get("catalogue"),
                )
                for each in one["listed"]
            ],
        )


def syncing_routes(hub: Hub) -> list[Any]:
    """Runs and reports."""

    async def run_again(row: str) -> JsonObject:
        found = await hub.runs.get(iso(of_unix(int(row))))
        if found is None:
            raise NotFoundError(kind="run")
        return found

    async def report_again(row: str) -> JsonObject:
        found = [one for one in await hub.discrepancies.listed() if unix(of_iso(one["at"])) == int(row)]
        if not found:
            raise NotFoundError(kind="report")
        return found[0]

    run_told = Told(
        kind="run",
        id_of=lambda one: unix(of_iso(one["started"])),
        read=run_again,
        view=lambda one, _: SyncRunView.of(one),
    )
    report_told = Told(
        kind="report",
        id_of=lambda one: unix(of_iso(one["at"])),
        read=report_again,
        view=lambda one, _: CatalogueReportView.of(one),
    )

    @get("/sync/runs", opt=needs(KeyScope.READ), summary="The last full runs of the catalogue, the newest first")
    async def runs(limit: Limit = 50) -> Page[SyncRunView]:
        found = await hub.runs.listed()
        return Page(data=[SyncRunView.of(one) for one in found[:limit]], next_cursor=None)

    @post("/sync/runs", opt=needs(KeyScope.ORDERS), status_code=202, summary="Bring the whole catalogue in step")
    async def run(request: Asked) -> Response[SyncRunView]:
        by = key_of(request).actor
        return await once(hub, request, run_told, hub.runs, lambda room: room.start(by=by), status=202)

    @get("/sync/reports", opt=needs(KeyScope.READ), summary="Reports of the last thirty days, the newest first")
    async def reports(limit: Limit = 50) -> Page[CatalogueReportView]:
        found = await hub.discrepancies.listed()
        return Page(data=[CatalogueReportView.of(one) for one in found[:limit]], next_cursor=None)

    @post("/sync/reports", opt=needs(KeyScope.ORDERS), status_code=201, summary="Compare the catalogue with the shop")
    async def report(request: Asked, fix: Fix = False) -> Response[CatalogueReportView]:  # noqa: FBT002 - a parameter of the query
        by = key_of(request).actor
        return await once(
            hub, request, report_told, hub.discrepancies, lambda room: room.report(fix=fix, by=by), status=201
        )

    return [runs, run, reports, report]

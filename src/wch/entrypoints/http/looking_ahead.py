"""The sandbox's clock to the next thing that is due: what it is, and going there."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from litestar import get, post

from wch.application.ahead import Coming
from wch.application.hub import Hub
from wch.domain.errors import ConflictError
from wch.domain.moment import iso
from wch.entrypoints.http.gateways import Until
from wch.entrypoints.http.sandbox import SandboxPort


class NothingAheadError(ConflictError):
    """Nothing waits for a moment: let a customer fill a cart, or place an order."""


def ahead_routes(hub: Hub, sandbox: SandboxPort) -> list[Any]:
    """What comes next, and the clock moved to the first of it."""

    @get("/sandbox/api/clock/ahead", summary="What comes next by itself, the first first")
    async def ahead() -> dict[str, Any]:
        return {"now": iso(sandbox.clock.now()), "data": _told(await hub.ahead.listed())}

    @post("/sandbox/api/clock/ahead", status_code=200, summary="Move the time to the next thing that is due")
    async def go() -> dict[str, Any]:
        """Move the clock of every process, and do what is due then before answering."""
        coming = await hub.ahead.listed(limit=1)
        if not coming:
            raise NothingAheadError
        now = await sandbox.advance(coming[0].at - sandbox.clock.now())
        return {"now": iso(now), "reached": coming[0].what, "data": _told(await hub.ahead.listed())}

    for route in (ahead, go):
        route.tags = ["sandbox"]
    return [ahead, go]


def until_of(sandbox: SandboxPort) -> Until:
    """Moves the clock of every process past a moment, and does what is due by then."""

    async def until(moment: datetime) -> None:
        await sandbox.advance(max(timedelta(), moment - sandbox.clock.now() + timedelta(seconds=1)))

    return until


def _told(coming: Sequence[Coming]) -> list[dict[str, str]]:
    return [{"at": iso(one.at), "what": one.what} for one in coming]
